/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The data and control registers of a PC's parallel port. */
#include "host/parallel.h"

#include "host/cpu.h"

#define DATA 0
#define CONTROL 2
#define CONTROL_STROBE 0x01
#define CONTROL_NO_INIT 0x04 /* the INIT line is low-active */
#define CONTROL_SELECT 0x08

void parallel_write(uint16_t base, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		out8((uint16_t)(base + DATA), bytes[i]);
		out8((uint16_t)(base + CONTROL), CONTROL_SELECT | CONTROL_NO_INIT | CONTROL_STROBE);
		out8((uint16_t)(base + CONTROL), CONTROL_SELECT | CONTROL_NO_INIT);
	}
}
