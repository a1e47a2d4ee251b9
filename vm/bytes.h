/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Little-endian numbers in byte arrays, at any alignment: file headers and boot structures. */
#pragma once

#include "base/mem.h"

#include <stdint.h>

static inline uint16_t get16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof value);
	return value;
}

static inline uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof value);
	return value;
}

static inline uint64_t get64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof value);
	return value;
}

static inline void put16(uint8_t *at, uint16_t value)
{
	memcpy(at, &value, sizeof value);
}

static inline void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof value);
}

static inline void put64(uint8_t *at, uint64_t value)
{
	memcpy(at, &value, sizeof value);
}
