/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Writing AML. Lengths always take the two-byte form (20.2.4), which reaches 4095 bytes. */
#include "vm/aml.h"

#include "base/assert.h"
#include "base/mem.h"
#include "vm/bytes.h"

/* 20.2.5, 20.2.3 */
#define AML_NAME 0x08
#define AML_BYTE 0x0a
#define AML_DWORD 0x0c
#define AML_SCOPE 0x10
#define AML_BUFFER 0x11
#define AML_PACKAGE 0x12
#define AML_EXTENDED 0x5b
#define AML_DEVICE 0x82
#define AML_ROOT '\\'

#define LENGTH_BYTES 2
#define LENGTH_TWO_BYTES 0x40

/* Resource descriptors (6.4.2). */
#define RESOURCE_IRQ 0x22
#define RESOURCE_IO 0x47
#define RESOURCE_END 0x79
#define RESOURCE_MEMORY32_FIXED 0x86 /* 6.4.3.4 */
#define MEMORY32_FIXED_BYTES 9
#define MEMORY_READ_WRITE 1
#define IO_DECODE_16 0x01

#define EISA_PNP 0xd041u /* "PNP" in five bits a letter, byte-swapped (19.3.4 "EISAID") */

static void put(struct aml *aml, uint8_t byte)
{
	*aml->at++ = byte;
}

static void put_word(struct aml *aml, uint16_t word)
{
	put16(aml->at, word);
	aml->at += sizeof word;
}

static void put_dword(struct aml *aml, uint32_t dword)
{
	put32(aml->at, dword);
	aml->at += sizeof dword;
}

static void put_name(struct aml *aml, const char *name)
{
	memcpy(aml->at, name, 4);
	aml->at += 4;
}

static uint8_t *open_length(struct aml *aml)
{
	uint8_t *opened = aml->at;

	aml->at += LENGTH_BYTES;
	return opened;
}

void aml_close(struct aml *aml, uint8_t *opened)
{
	size_t bytes = (size_t)(aml->at - opened);

	ASSERT(bytes < 4096);
	opened[0] = (uint8_t)(LENGTH_TWO_BYTES | (bytes & 15));
	opened[1] = (uint8_t)(bytes >> 4);
}

uint8_t *aml_open_scope(struct aml *aml, const char *name)
{
	uint8_t *opened;

	put(aml, AML_SCOPE);
	opened = open_length(aml);
	put(aml, AML_ROOT);
	put_name(aml, name);
	return opened;
}

void aml_name_package(struct aml *aml, const char *name, const uint8_t *values, uint8_t count)
{
	uint8_t *opened;

	put(aml, AML_NAME);
	put_name(aml, name);
	put(aml, AML_PACKAGE);
	opened = open_length(aml);
	put(aml, count);
	for (unsigned i = 0; i < count; i++) {
		put(aml, AML_BYTE);
		put(aml, values[i]);
	}
	aml_close(aml, opened);
}

static void put_hid(struct aml *aml, uint16_t pnp)
{
	put(aml, AML_NAME);
	put_name(aml, "_HID");
	put(aml, AML_DWORD);
	put_word(aml, EISA_PNP);
	put_word(aml, (uint16_t)(pnp >> 8 | pnp << 8));
}

static void put_memory(struct aml *aml, uint32_t gpa, uint32_t bytes)
{
	put(aml, RESOURCE_MEMORY32_FIXED);
	put_word(aml, MEMORY32_FIXED_BYTES);
	put(aml, MEMORY_READ_WRITE);
	put_dword(aml, gpa);
	put_dword(aml, bytes);
}

static void put_resources(struct aml *aml, const struct aml_device *device)
{
	for (unsigned i = 0; i < 2 && device->ports[i].count; i++) {
		put(aml, RESOURCE_IO);
		put(aml, IO_DECODE_16);
		put_word(aml, device->ports[i].first); /* the least and the greatest base */
		put_word(aml, device->ports[i].first);
		put(aml, 1);
		put(aml, device->ports[i].count);
	}
	if (device->memory_bytes)
		put_memory(aml, device->memory_gpa, device->memory_bytes);
	if (device->irqs) {
		put(aml, RESOURCE_IRQ);
		put_word(aml, device->irqs);
	}
	put(aml, RESOURCE_END);
	put(aml, 0); /* no checksum */
}

void aml_put_device(struct aml *aml, const struct aml_device *device)
{
	uint8_t *opened, *buffer, *count;

	put(aml, AML_EXTENDED);
	put(aml, AML_DEVICE);
	opened = open_length(aml);
	put_name(aml, device->name);
	put_hid(aml, device->pnp);
	put(aml, AML_NAME);
	put_name(aml, "_CRS");
	put(aml, AML_BUFFER);
	buffer = open_length(aml);
	put(aml, AML_BYTE);
	count = aml->at++;
	put_resources(aml, device);
	*count = (uint8_t)(aml->at - count - 1);
	aml_close(aml, buffer);
	aml_close(aml, opened);
}
