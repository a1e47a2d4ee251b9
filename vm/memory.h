/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The guest's memory at run time: finds guest-physical addresses in our address space. */
#pragma once

#include "devices/guest_ram.h"
#include "vm/guest_map.h"
#include "vm/vcpu.h"

/* Gives the ranges of the map that are Foliot's own their frames, maps everything into the guest, and fills in ram so that its span
 * answers. At boot only; the map must stay. */
void memory_init(const struct guest_map *map, const struct virt_ops *ops, struct guest_ram *ram);
