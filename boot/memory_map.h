/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The host's memory map put in order, and questions about it. Pure. */
#pragma once

#include "boot/boot_info.h"

/* Sorts count ranges in place, cuts overlaps (the greater kind wins), drops empty ones and merges neighbours of
 * one kind. A range that would reach beyond 2^64 - 1 is cut there. Returns the new count, or 0 when there is
 * nothing left or the result would have more than BOOT_RANGES_MAX ranges (count is at most that); the ranges
 * are then undefined. */
size_t memory_map_normalise(struct memory_range *ranges, size_t count);

/* The highest page-aligned place for bytes (rounded up to pages) of usable memory between low_hpa and high_hpa
 * that touches neither the modules nor [keep_hpa, keep_hpa + keep_bytes). False: there is none. */
bool memory_map_find_top(const struct boot_info *boot, uint64_t low_hpa, uint64_t high_hpa, uint64_t bytes,
                         const struct memory_range *keep, uint64_t *base_hpa);

/* Whether a byte of [base, base + bytes), which ends below 2^64, is usable memory. */
bool memory_map_touches_usable(const struct boot_info *boot, uint64_t base_hpa, uint64_t bytes);

/* The bytes of usable memory in all, and the end of the highest usable range. */
uint64_t memory_map_usable_bytes(const struct boot_info *boot);
uint64_t memory_map_usable_end(const struct boot_info *boot);
