/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The guest's SMBIOS tables (DMTF DSP0134 3.x): just enough that dmidecode names the machine and that kernels see firmware from this century, without
 * which Linux looks for PCI by probing. Pure. */
#pragma once

#include "devices/guest_ram.h"

#include <stdint.h>

#define SMBIOS_GPA 0xf5000ull /* in the F-segment, where the 24-byte entry point is looked for at multiples of 16 */

/* Writes entry point and structures (BIOS, system, end) at SMBIOS_GPA, which must be guest RAM. */
void smbios_build(const struct guest_ram *ram);
