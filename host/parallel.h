/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A parallel port as a one-way pipe out of the machine: no baud rate holds it up, and every test bed can put it into a file. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Sends bytes out on the port at this base, each with its strobe (IEEE 1284 "compatibility mode"); does not wait for a real printer. */
void parallel_write(uint16_t base, const uint8_t *bytes, size_t count);
