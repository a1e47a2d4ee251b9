/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The build id: an ELF note (gABI, "Note Section"): three words, the owner "GNU", then the hash. */
#include "host/build.h"

#include "base/format.h"

#include <stdint.h>

#define NOTE_HEADER_BYTES 16u

extern const uint8_t build_id_note[], build_id_note_end[]; /* linker.ld */

void build_id(char out[BUILD_ID_BYTES])
{
	size_t at = 0;

	if (build_id_note_end - build_id_note < (ptrdiff_t)NOTE_HEADER_BYTES + 8) {
		format(out, BUILD_ID_BYTES, "unknown");
		return;
	}
	for (unsigned i = 0; i < 8; i++)
		at += format(out + at, BUILD_ID_BYTES - at, "%02x", build_id_note[NOTE_HEADER_BYTES + i]);
}
