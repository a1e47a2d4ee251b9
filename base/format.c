/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The formatter. No floating point, no locale, no allocation. */
#include "base/format.h"

#include "base/assert.h"

#include <stdbool.h>
#include <stdint.h>

struct output {
	char *at, *end; /* end: the place of the final NUL at the latest */
};

struct spec {
	bool left, zero;
	size_t width;
	size_t precision; /* SIZE_MAX: none given */
	unsigned longs;   /* 0 int, 1 long or size_t, 2 long long */
};

static void put(struct output *o, char c)
{
	if (o->at < o->end)
		*o->at++ = c;
}

static void put_padded(struct output *o, const struct spec *s, const char *text, size_t length, bool zero)
{
	size_t pad = s->width > length ? s->width - length : 0;

	if (zero && length && *text == '-') {
		put(o, *text++);
		length--;
	}
	if (!s->left)
		for (; pad; pad--)
			put(o, zero ? '0' : ' ');
	for (; length; length--)
		put(o, *text++);
	for (; pad; pad--)
		put(o, ' ');
}

static void put_number(struct output *o, const struct spec *s, uint64_t value, unsigned base, bool negative, bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24];
	char *at = text + sizeof text;

	do {
		*--at = digits[value % base];
		value /= base;
	} while (value);
	if (negative)
		*--at = '-';
	put_padded(o, s, at, (size_t)(text + sizeof text - at), s->zero && !s->left);
}

static void put_text(struct output *o, const struct spec *s, const char *text)
{
	size_t length = 0;

	if (!text)
		text = "(null)";
	while (length < s->precision && text[length])
		length++;
	put_padded(o, s, text, length, false);
}

static const char *parse_count(const char *fmt, size_t *count, int star)
{
	if (*fmt == '*') {
		*count = star > 0 ? (size_t)star : 0;
		return fmt + 1;
	}
	for (*count = 0; *fmt >= '0' && *fmt <= '9'; fmt++)
		*count = *count * 10 + (size_t)(*fmt - '0');
	return fmt;
}

size_t format_v(char *out, size_t bytes, const char *fmt, va_list args)
{
	struct output o = { out, out + bytes - 1 };

	ASSERT(bytes > 0);
	for (; *fmt; fmt++) {
		struct spec s = { .precision = SIZE_MAX };

		if (*fmt != '%') {
			put(&o, *fmt);
			continue;
		}
		for (fmt++; *fmt == '-' || *fmt == '0'; fmt++)
			*(*fmt == '-' ? &s.left : &s.zero) = true;
		fmt = parse_count(fmt, &s.width, *fmt == '*' ? va_arg(args, int) : 0);
		if (*fmt == '.') {
			fmt++;
			fmt = parse_count(fmt, &s.precision, *fmt == '*' ? va_arg(args, int) : 0);
		}
		for (; *fmt == 'l' || *fmt == 'z'; fmt++)
			s.longs++;
		switch (*fmt) {
		case 'c':
			put_padded(&o, &s, (char[]){ (char)va_arg(args, int) }, 1, false);
			break;
		case 's':
			put_text(&o, &s, va_arg(args, const char *));
			break;
		case 'd':
		case 'i': {
			int64_t v = s.longs ? va_arg(args, int64_t) : va_arg(args, int);
			put_number(&o, &s, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, v < 0, false);
			break;
		}
		case 'u':
		case 'x':
		case 'X': {
			uint64_t v = s.longs ? va_arg(args, uint64_t) : va_arg(args, unsigned);
			put_number(&o, &s, v, *fmt == 'u' ? 10 : 16, false, *fmt == 'X');
			break;
		}
		case 'p':
			put_number(&o, &s, (uintptr_t)va_arg(args, void *), 16, false, false);
			break;
		case '%':
			put(&o, '%');
			break;
		default:
			ASSERT(*fmt == '%'); /* a format that we do not know */
		}
	}
	*o.at = 0;
	return (size_t)(o.at - out);
}

size_t format(char *out, size_t bytes, const char *fmt, ...)
{
	va_list args;
	size_t length;

	va_start(args, fmt);
	length = format_v(out, bytes, fmt, args);
	va_end(args);
	return length;
}
