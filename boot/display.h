/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The screen that the loader left: which one it is, and when it is reached. */
#pragma once

#include "boot/boot_info.h"

/* The bytes of pixels to be mapped; 0: there are none that Foliot would draw on. Pure. */
uint64_t display_pixel_bytes(const struct boot_info *boot);

/* Begins to show messages, through the early identity map. Pixels above 4 GiB come into sight with display_move. */
void display_start(const struct boot_info *boot);

/* After Foliot's move: the screen in its own address space. */
void display_move(const struct boot_info *boot);
