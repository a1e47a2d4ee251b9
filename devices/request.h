/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a device asks of the machine as a whole. */
#pragma once

enum machine_request {
	MACHINE_RESET,     /* value: an enum reset_kind */
	MACHINE_POWER_OFF, /* ACPI S5 */
	MACHINE_REPORT,    /* the guest's verdict on itself: value 0 passed, else failed */
};

enum reset_kind {
	RESET_CF9_SOFT,  /* the processor only */
	RESET_CF9_HARD,
	RESET_KEYBOARD,  /* port 64h */
	RESET_FAST,      /* port 92h */
	RESET_TRIPLE_FAULT,
	RESET_INIT,      /* an INIT from an APIC */
};

struct machine_requests {
	void *context;
	void (*request)(void *context, enum machine_request what, unsigned value);
};
