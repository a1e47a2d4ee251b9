/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The Linux x86 boot protocol, version 2.12 and later, by the 32-bit entry (Linux
 * Documentation/arch/x86/boot.rst). The real-mode part of the image is not run: the map and the rest of
 * boot_params come from here. */
#pragma once

#include "vm/load.h"

/* Whether the file has a bzImage's two signatures. */
bool is_bzimage(const struct load_module *module);

/* Loads modules[0] as the kernel and modules[1], if any, as its initrd. As guest_load; refusals 304 and 310 to
 * 329, 350. */
bool load_bzimage(const struct load_input *input, struct vcpu_start *start, struct refusal *why);
