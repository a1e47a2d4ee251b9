/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Foliot's move to the top of the usable memory below 4 GiB, and its final page tables there. */
#pragma once

#include "boot/boot_info.h"

/* Moves the running image, whose high part was loaded at loaded_hpa, and fills boot->image_base_hpa and
 * image_bytes. Where the loader put it is the guest's afterwards. Returns in the moved image; does not return
 * when there is no room. */
void relocate(struct boot_info *boot, uint64_t loaded_hpa);

/* The frames that the pool should have: page tables for the host's memory and as many again for the guest's,
 * and what engine and devices take. largest_level: of the host's pages (host/paging.h). Pure. */
uint64_t relocate_pool_pages(const struct boot_info *boot, unsigned largest_level);
