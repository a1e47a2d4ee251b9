/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Bits of the HPET's registers, by the names of IA-PC HPET 1.0a (2.3). Only the HPET's own files include this. */
#pragma once

#define ENABLE_CNF (1u << 0)
#define LEG_RT_CNF (1u << 1)

#define TN_INT_TYPE_CNF (1u << 1)
#define TN_INT_ENB_CNF (1u << 2)
#define TN_TYPE_CNF (1u << 3)
#define TN_PER_INT_CAP (1u << 4)
#define TN_SIZE_CAP (1u << 5)
#define TN_VAL_SET_CNF (1u << 6)
#define TN_32MODE_CNF (1u << 8)
#define TN_INT_ROUTE_CNF_SHIFT 9
#define TN_INT_ROUTE_CNF (31u << TN_INT_ROUTE_CNF_SHIFT)
