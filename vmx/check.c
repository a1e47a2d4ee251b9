/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The checks of a VM entry, in words. */
#include "vmx/check.h"
const char *vmx_instruction_error(uint32_t number) { return number == 7 ? "entry with invalid control fields" : "?"; }
unsigned vmx_check(uint64_t (*read)(void *context, uint32_t field), void *context, void (*print)(const char *line)) { (void)read;(void)context;(void)print; return 0; }
