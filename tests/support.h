/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the host tests share: cmocka with the headers that it wants, the share of the big counts, and a small random generator. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* full times FOLIOT_SHARE percent (1 where it is not set), at least 1. */
unsigned long share(unsigned long full);

/* xorshift64*: repeatable everywhere. The state must not be 0. */
uint64_t random_next(uint64_t *state);
