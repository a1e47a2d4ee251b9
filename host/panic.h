/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The end of Foliot by its own mistake or by the machine's: everything known is printed, then the machine
 * stands still (a test bed is left with BED_CRASHED). */
#pragma once

#include "host/interrupts.h"

/* Called once, after the registers, to print the last events and the like. */
void panic_set_hook(void (*hook)(void));

_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void panic_exception(const struct interrupt_frame *frame);
_Noreturn void panic_machine_check(const struct interrupt_frame *frame);
