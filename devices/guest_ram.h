/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The guest's memory as a device sees it: the one way in which a device reaches guest memory. */
#pragma once

#include <stdint.h>

struct guest_ram {
	void *context;
	/* Where [gpa, gpa + bytes) is in our address space, or NULL where not all of it is guest RAM. */
	void *(*span)(void *context, uint64_t gpa, uint64_t bytes);
};
