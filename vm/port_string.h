/* SPDX-License-Identifier: BSD-2-Clause
 *
 * INS and OUTS (APM 3 "INS", "OUTS"). */
#pragma once

#include "vm/vcpu.h"

struct machine;

/* Carries out the string instruction, a bounded part of it at a time: with REP the guest's registers say how far it came, and it
 * is entered again. A page fault on the way is the guest's. */
void port_string(struct machine *machine, const struct vcpu_exit *exit);
