/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The loader's word about the screen is taken only as far as it can be true: text lies where VGA has it, and pixels lie in no
 * memory that the map calls usable. */
#include "boot/display.h"

#include "boot/memory_map.h"
#include "host/memory.h"
#include "host/screen.h"

#define VGA_HPA 0xa0000ull
#define VGA_END_HPA 0xc0000ull
#define EARLY_MAP_END_HPA (4ull << 30)

static bool is_text(const struct framebuffer *f)
{
	return f->kind == FRAMEBUFFER_EGA_TEXT && f->base_hpa >= VGA_HPA && f->base_hpa < VGA_END_HPA &&
	       f->width - 1 < SCREEN_COLUMNS_MAX && f->height - 1 < SCREEN_ROWS_MAX &&
	       2ull * f->width * f->height <= VGA_END_HPA - f->base_hpa;
}

static struct pixel_format format_of(const struct framebuffer *f)
{
	return (struct pixel_format){ f->width, f->height, f->pitch_bytes, f->bits_per_pixel, f->red, f->green, f->blue };
}

uint64_t display_pixel_bytes(const struct boot_info *boot)
{
	const struct framebuffer *f = &boot->framebuffer;
	struct pixel_format format = format_of(f);
	struct pixels pixels;

	if (f->kind != FRAMEBUFFER_RGB || f->base_hpa & (PAGE_BYTES - 1) || !pixels_init(&pixels, &format) ||
	    f->base_hpa >= UINT64_MAX - pixels_bytes(&format) ||
	    memory_map_touches_usable(boot, f->base_hpa, pixels_bytes(&format)))
		return 0;
	return pixels_bytes(&format);
}

void display_start(const struct boot_info *boot)
{
	const struct framebuffer *f = &boot->framebuffer;
	struct pixel_format format = format_of(f);
	uint64_t bytes = display_pixel_bytes(boot);

	if (is_text(f))
		screen_begin_text((void *)f->base_hpa, f->width, f->height);
	else if (bytes)
		screen_begin_pixels(f->base_hpa + bytes <= EARLY_MAP_END_HPA ? (void *)f->base_hpa : NULL, &format);
}

void display_move(const struct boot_info *boot)
{
	const struct framebuffer *f = &boot->framebuffer;
	uint64_t bytes = display_pixel_bytes(boot);

	if (is_text(f))
		screen_move(host_map_mmio(f->base_hpa, 2ull * f->width * f->height));
	else if (bytes)
		screen_move(host_map_framebuffer(f->base_hpa, bytes));
}
