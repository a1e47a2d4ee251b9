/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Which controls of VT-x are set, agreed with what the processor allows (SDM 3D appendix A). */
#pragma once

#include "base/refusal.h"

#include <stdbool.h>
#include <stdint.h>

#define FEATURE_CONTROL_LOCKED (1ull << 0)
#define FEATURE_CONTROL_VMX (1ull << 2) /* outside SMX */

enum vmx_word { WORD_PIN, WORD_PRIMARY, WORD_SECONDARY, WORD_EXIT, WORD_ENTRY, WORD_COUNT };

struct vmx_controls {
	uint32_t words[WORD_COUNT];
};

/* One word's value: (wanted | must-be-1) & may-be-1, with the processor's must-be-1 bits in the low half of the capability and its may-be-1 bits in
 * the high half. Returns which of the required bits are not in it. */
uint32_t vmx_negotiate(uint64_t capability, uint32_t required, uint32_t optional, uint32_t *value);

/* All words, from the capabilities of each. False: why not, with the control's name. cpuid_7_ebx: INVPCID is required where the processor has it. */
bool vmx_choose_controls(const uint64_t capabilities[WORD_COUNT], uint32_t cpuid_7_ebx, struct vmx_controls *controls,
			 struct refusal *why);

/* Whether VT-x is there and the firmware lets it be used, from CPUID 1 ECX and IA32_FEATURE_CONTROL (SDM 3C 24.7). */
bool vmx_is_allowed(uint32_t cpuid_1_ecx, uint64_t feature_control, struct refusal *why);

/* Reads the capabilities from the processor, which must have VT-x, and chooses. */
bool vmx_read_capabilities(struct vmx_controls *controls, struct refusal *why);

/* What IA32_VMX_EPT_VPID_CAP offers. */
#define EPT_WALK_4 (1ull << 6)
#define EPT_WB (1ull << 14)
#define EPT_2MIB_PAGES (1ull << 16)
#define EPT_1GIB_PAGES (1ull << 17)
#define EPT_INVEPT (1ull << 20)
#define EPT_INVEPT_ALL (1ull << 26)
#define EPT_INVVPID (1ull << 32)
#define EPT_INVVPID_SINGLE (1ull << 41)
#define EPT_INVVPID_ALL (1ull << 42)
bool vmx_ept_has(uint64_t bits);
