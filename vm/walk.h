/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The guest's page walk in software: from a linear address to a guest-physical one, with the permission checks
 * that the processor makes (APM 2 chapter 5, SDM 3A chapter 4): no paging, 32-bit with PSE, PAE, 4-level.
 * 5-level paging and protection keys are hidden from the guest. Accessed and dirty bits are never written: the
 * walk is for looking at what the guest's processor has used already. */
#pragma once

#include "devices/guest_ram.h"

#include <stdbool.h>
#include <stdint.h>

/* What kind of access is to be checked. */
#define WALK_WRITE (1u << 0)
#define WALK_USER (1u << 1)  /* by code at CPL 3; without it a supervisor's */
#define WALK_FETCH (1u << 2) /* of instructions */

/* The bits of a page fault's error code (APM 2 8.4.2). */
#define WALK_ERROR_PRESENT (1u << 0)
#define WALK_ERROR_WRITE (1u << 1)
#define WALK_ERROR_USER (1u << 2)
#define WALK_ERROR_RESERVED (1u << 3)
#define WALK_ERROR_FETCH (1u << 4)

struct walk_state {
	uint64_t cr0, cr3, cr4, efer;
	bool ac;                /* RFLAGS.AC: lets a supervisor through SMAP */
	unsigned address_bits;  /* physical, as CPUID tells the guest; 0: 52 */
};

enum walk_result {
	WALK_OK,
	WALK_FAULT,         /* the guest's: #PF with the error code */
	WALK_NOT_CANONICAL, /* #GP or #SS */
	WALK_NOT_RAM,       /* a page table lies outside of guest RAM */
};

/* Translates gva. *gpa is set with WALK_OK, *error with WALK_FAULT. At most four tables are read. */
enum walk_result walk(const struct walk_state *state, const struct guest_ram *ram, uint64_t gva, unsigned access,
		      uint64_t *gpa, uint32_t *error);

/* Whether the four entries that CR3 points to may become the processor's, as it checks where paging by PAE outside long mode begins or changes
 * (SDM 3A 4.4.1): one that is present has no reserved bit set. True in any other mode. */
bool walk_pdptes_are_legal(const struct walk_state *state, const struct guest_ram *ram);

/* Where the byte at gva is in our address space, and how many bytes from there on are in the same page: for
 * looking at a few bytes without copying them. *at and *bytes are set with WALK_OK. */
enum walk_result guest_span_virtual(const struct walk_state *state, const struct guest_ram *ram, uint64_t gva,
				    unsigned access, uint8_t **at, uint64_t *bytes, uint32_t *error);

/* Copies bytes from or to linear addresses, page by page, with the checks of access. On any other result than
 * WALK_OK *done is how many bytes were copied, so gva + *done is the address of the fault; *done may be NULL.
 * WALK_NOT_RAM also where the page itself is none. Addresses wrap at 4 GiB outside of long mode. */
enum walk_result guest_read_virtual(const struct walk_state *state, const struct guest_ram *ram, uint64_t gva,
				    unsigned access, void *to, uint64_t bytes, uint64_t *done, uint32_t *error);
enum walk_result guest_write_virtual(const struct walk_state *state, const struct guest_ram *ram, uint64_t gva,
				     unsigned access, const void *from, uint64_t bytes, uint64_t *done,
				     uint32_t *error);
