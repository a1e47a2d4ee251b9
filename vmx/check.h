/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Why an entry failed, in words: the checks of SDM 3C 27.2 and 27.3 made again, field by field. Pure: the fields come through a function. */
#pragma once

#include <stdint.h>

/* What VM-instruction error number means (SDM 3C 31.4). */
const char *vmx_instruction_error(uint32_t number);

/* Prints one line for each field of the guest's state, and of the controls, that the processor would refuse; says so where it finds none. Lines are
 * shorter than 120 characters. Returns how many it found. */
unsigned vmx_check(uint64_t (*read)(void *context, uint32_t field), void *context, void (*print)(const char *line));
