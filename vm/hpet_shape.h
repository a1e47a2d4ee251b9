/* SPDX-License-Identifier: BSD-2-Clause
 *
 * How operators write the shape of the guest's HPET: "3x64@100000000", "3x64+29x32@100000000", "4x32@14318180", "none". */
#pragma once

#include "devices/hpet.h"

#include <stdbool.h>

#define HPET_SHAPE_EXPECTED "none, or <n>x64, <n>x32 or <n>x64+<m>x32, from 3 to 32 comparators in all, and then @<hz> from 10000000 to 1000000000"

/* False: it is none of these, and *shape is as it was. Without @ the frequency is 100 MHz. */
bool hpet_shape_parse(const char *text, struct hpet_shape *shape);
