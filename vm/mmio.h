/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Guest-physical addresses at which there is no RAM: devices' registers, and holes, of which reads give all ones and where writes vanish. */
#pragma once

#include "vm/vcpu.h"

struct machine;

/* Carries out the instruction that got there. One that vm/decode does not know ends in #GP, as on a bus that refuses. */
void mmio_access(struct machine *machine, const struct vcpu_exit *exit);
