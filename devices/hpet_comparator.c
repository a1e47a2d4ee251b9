/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One comparator of an HPET (IA-PC HPET 1.0a). */
#include "devices/hpet_comparator.h"

#define NEVER UINT64_MAX

static uint64_t width(const struct hpet_comparator *comparator)
{
	return comparator->wide && !comparator->narrowed ? UINT64_MAX : UINT32_MAX;
}

/* How far the counter goes until it shows the same again. */
static uint64_t round_ticks(const struct hpet_comparator *comparator)
{
	return width(comparator) == UINT32_MAX ? 1ull << 32 : NEVER;
}

void hpet_comparator_reset(struct hpet_comparator *comparator)
{
	*comparator = (struct hpet_comparator){ .wide = comparator->wide, .match = HPET_NO_MATCH };
	comparator->value = comparator->period = width(comparator);
}

/* A period of 0 leaves the value where it is. */
uint64_t hpet_comparator_step(const struct hpet_comparator *comparator)
{
	return comparator->periodic && comparator->period ? comparator->period : round_ticks(comparator);
}

uint64_t hpet_comparator_matches(const struct hpet_comparator *comparator, uint64_t ticks)
{
	if (comparator->match == HPET_NO_MATCH || ticks < comparator->match)
		return 0;
	return (ticks - comparator->match) / hpet_comparator_step(comparator) + 1;
}

uint64_t hpet_comparator_read(const struct hpet_comparator *comparator, uint64_t ticks)
{
	uint64_t moved = comparator->periodic ? hpet_comparator_matches(comparator, ticks) * comparator->period : 0;

	return (comparator->value + moved) & width(comparator);
}

void hpet_comparator_settle(struct hpet_comparator *comparator, uint64_t ticks)
{
	uint64_t matches = hpet_comparator_matches(comparator, ticks);

	if (!matches)
		return;
	comparator->spent = comparator->match + (matches - 1) * hpet_comparator_step(comparator) == ticks;
	comparator->value = hpet_comparator_read(comparator, ticks);
	comparator->match = HPET_NO_MATCH;
}

void hpet_comparator_arm(struct hpet_comparator *comparator, uint64_t counter, uint64_t ticks)
{
	uint64_t left = (comparator->value - counter) & width(comparator);

	if (!left && comparator->spent)
		left = round_ticks(comparator);
	comparator->match = left < NEVER - ticks ? ticks + left : HPET_NO_MATCH;
}

void hpet_comparator_disarm(struct hpet_comparator *comparator)
{
	comparator->match = HPET_NO_MATCH;
}

void hpet_comparator_write(struct hpet_comparator *comparator, uint64_t written, uint64_t mask, bool set_value)
{
	uint64_t kept = width(comparator) & ~mask, taken = written & mask & width(comparator);

	if (!comparator->periodic || set_value) {
		comparator->value = (comparator->value & kept) | taken;
		comparator->spent = false;
	}
	comparator->period = (comparator->period & kept) | taken;
}

void hpet_comparator_configure(struct hpet_comparator *comparator, bool periodic, bool narrowed)
{
	comparator->periodic = periodic;
	comparator->narrowed = narrowed;
	comparator->value &= width(comparator);
	comparator->period &= width(comparator);
}
