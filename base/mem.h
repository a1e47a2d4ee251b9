/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The memory and string functions of freestanding code: the four that the compiler itself calls, and
 * the few more that we use. Host tests link the C library's instead. */
#pragma once

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);
size_t strlen(const char *text);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t bytes);
char *strchr(const char *text, int byte);
