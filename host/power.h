/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The ways out of the machine. All send what COM1 and COM2 still hold before. */
#pragma once

#include "host/acpi.h"

#include <stdbool.h>
#include <stdint.h>

/* What a test bed is left with, where it is not the guest's end (enum machine_end in vm/machine.h has those). */
enum bed_status {
	BED_MISSING_FEATURE = 0x26,
	BED_CRASHED = 0x2f,
};

/* The I/O port of the bed's exit device (QEMU's isa-debug-exit: the emulator ends with status * 2 + 1; Bochs' port
 * E9h: the status is printed); 0, as at first: there is none. */
void power_set_exit_port(uint16_t port);

/* Takes over what the ACPI tables say about reset and S5. */
void power_use_acpi(const struct acpi_machine *acpi);

/* Ends a run: by the exit port where there is one, else by power-off. */
_Noreturn void host_leave_bed(unsigned status);

/* By the exit port where there is one, else stands still for ever with the screen as it is. */
_Noreturn void host_stop(unsigned status);

/* ACPI S5 (ACPI 6.4 7.4.1); stands still where that fails. */
_Noreturn void host_power_off(void);

/* ACPI reset register, CF9h, keyboard controller, triple fault: the first that works. */
_Noreturn void host_reset(void);
