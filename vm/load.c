/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Recognising the guest and handing it to its loader. */
#include "vm/load.h"

#include "vm/load_bzimage.h"
#include "vm/load_multiboot1.h"
#include "vm/place.h"

static const char grub_line[] = "module2 /boot/vmlinuz console=ttyS0";

static struct span span_of(const struct load_module *module)
{
	return (struct span){ module->hpa, module->bytes };
}

/* What GRUB says of its modules must itself be true. */
static bool check_modules(const struct load_input *in, struct refusal *why)
{
	if (!in->count)
		return refuse(why, 302, "no guest: GRUB gave no module; add to the menu entry, after multiboot2: %s",
			      grub_line);
	if (in->count > LOAD_MODULES)
		return refuse(why, 306, "%zu modules; at most %u are possible: leave some out", in->count,
			      LOAD_MODULES);
	for (size_t i = 0; i < in->count; i++) {
		const struct load_module *module = &in->modules[i];

		if (!module->bytes || module->bytes > UINT32_MAX || module->hpa > UINT64_MAX - module->bytes)
			return refuse(why, 307, "module %zu has %lu bytes at %lxh: the file is empty or too large; "
				      "look at its module2 line", i + 1, module->bytes, module->hpa);
		for (size_t k = 0; k < i; k++)
			if (place_overlap(span_of(module), span_of(&in->modules[k])))
				return refuse(why, 308, "modules %zu and %zu overlap at %lxh: the boot loader's list "
					      "is wrong", k + 1, i + 1,
					      module->hpa > in->modules[k].hpa ? module->hpa : in->modules[k].hpa);
	}
	return true;
}

/* The first module is no kernel: say what it looks like, and whether another one is. */
static bool refuse_unknown(const struct load_input *in, struct refusal *why)
{
	const struct load_module *first = &in->modules[0];

	for (size_t i = 1; i < in->count; i++)
		if (is_bzimage(&in->modules[i]) || is_multiboot1(&in->modules[i]))
			return refuse(why, 305, "module 1 is no kernel but module %zu is: put the kernel's module2 "
				      "line first, the initrd's after it", i + 1);
	return refuse(why, 303, "module 1 (%lu bytes, first byte %02xh) is neither a Linux bzImage nor a Multiboot 1 "
		      "kernel; use: %s", first->bytes, first->data[0], grub_line);
}

bool guest_load(const struct load_input *input, struct vcpu_start *start, struct refusal *why)
{
	if (!check_modules(input, why))
		return false;
	if (is_bzimage(&input->modules[0]))
		return load_bzimage(input, start, why);
	if (is_multiboot1(&input->modules[0]))
		return load_multiboot1(input, start, why);
	return refuse_unknown(input, why);
}
