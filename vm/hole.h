/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Guest-physical addresses at which there is neither RAM nor a device: reads give all ones, writes vanish. */
#pragma once

#include "vm/vcpu.h"

struct machine;

/* Carries out the instruction that touched the hole. One that vm/decode does not know ends in #GP, as on a bus that refuses. */
void hole_access(struct machine *machine, const struct vcpu_exit *exit);
