/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What this image is. */
#pragma once

#include <stddef.h>

#ifdef FOLIOT_TEST_BUILD
#define FOLIOT_VERSION "0.1-test"
#else
#define FOLIOT_VERSION "0.1"
#endif

#define BUILD_ID_BYTES 17u

/* The first eight bytes of the linker's build id, a hash of the image, in hexadecimal; "unknown" where it was
 * linked without. */
void build_id(char out[BUILD_ID_BYTES]);
