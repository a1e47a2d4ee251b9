/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The ways in which a guest resets a PC without ACPI's help, and what shares their ports: the latch of PCI
 * configuration mechanism 1 with nothing behind it (PIIX3 CF8h to CFFh), the reset bits of port 64h (8042) and
 * port 92h, and our own port F4h, to which a guest reports how it went.
 *
 * There is no keyboard controller. Port 64h reads FDh: all ones as where nothing is, but for the input-buffer-full
 * bit, for which kernels wait before they reset by command FEh. Linux then finds an output buffer that never
 * empties and says within a millisecond that there is no controller. */
#pragma once

#include "devices/bus.h"
#include "devices/request.h"

#include <stdbool.h>
#include <stdint.h>

#define PCI_PORT_ADDRESS 0xcf8
#define PCI_PORT_DATA 0xcfc
#define RESET_PORT_CF9 0xcf9
#define RESET_CF9_SRST 0x02 /* 1: a hard reset */
#define RESET_CF9_RCPU 0x04 /* going from 0 to 1: resets */
#define RESET_CF9_VALUE (RESET_CF9_SRST | RESET_CF9_RCPU) /* what ACPI's RESET_VALUE is for RESET_PORT_CF9 */
#define RESET_PORT_KEYBOARD 0x64
#define RESET_PORT_92 0x92
#define RESET_92_FAST 0x01  /* going from 0 to 1: resets */
#define RESET_92_A20 0x02   /* stored only: A20 is always open */
#define RESET_PORT_REPORT 0xf4

struct reset {
	struct machine_requests requests;
	uint32_t pci_address;
	uint8_t cf9, port_92;
};

void reset_init(struct reset *reset, struct bus *bus, const struct machine_requests *requests);

/* The state after power-on. */
void reset_reset(struct reset *reset);
