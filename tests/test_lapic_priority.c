/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claim: whatever order interrupts, acknowledges, EOIs and task priorities come in, the local APIC's registers, what it offers the processor and
 * the EOIs that it broadcasts are those of a naive model that looks at all 256 bits one by one, as SDM 3A 11.8 describes it. */
#include "tests/lapic_board.h"

struct model {
	bool irr[256], isr[256], tmr[256];
	unsigned tpr;
	bool enabled;
	unsigned long eois;
};

static struct model model;

static int highest(const bool *bits)
{
	for (int vector = 255; vector >= 0; vector--)
		if (bits[vector])
			return vector;
	return -1;
}

/* SDM 3A 11.8.3.1, with the task priority where both classes are the same. */
static unsigned model_ppr(void)
{
	int serving = highest(model.isr);
	unsigned serving_class = serving < 0 ? 0 : (unsigned)serving / 16;

	return model.tpr / 16 >= serving_class ? model.tpr : serving_class * 16;
}

static int model_pending(void)
{
	int waiting = highest(model.irr);

	return waiting >= 0 && (unsigned)waiting / 16 > model_ppr() / 16 ? waiting : -1;
}

/* The CR8 that is still too high for what waits, if a lower one would let it through. */
static unsigned model_threshold(void)
{
	int waiting = highest(model.irr), serving = highest(model.isr);

	for (unsigned cr8 = model.tpr / 16; waiting >= 16 && cr8 > 0; cr8--) {
		unsigned lower = cr8 - 1;
		bool through = (unsigned)waiting / 16 > lower && (serving < 0 || waiting / 16 > serving / 16);

		if (through)
			return model_pending() >= 0 ? 0 : (unsigned)waiting / 16;
	}
	return 0;
}

/* APR: the TPR where its class is the highest, else the highest class of what waits and what is served. */
static unsigned model_apr(void)
{
	unsigned waiting = highest(model.irr) < 0 ? 0 : (unsigned)highest(model.irr) / 16;
	unsigned serving = highest(model.isr) < 0 ? 0 : (unsigned)highest(model.isr) / 16;

	if (model.tpr / 16 >= waiting && model.tpr / 16 > serving)
		return model.tpr;
	return (waiting > serving ? waiting : serving) * 16;
}

static void model_deliver(unsigned vector, bool level)
{
	if (!model.enabled || vector < 16)
		return;
	model.irr[vector] = true;
	model.tmr[vector] = level;
}

static void model_acknowledge(void)
{
	int vector = model_pending();

	if (vector < 0)
		return;
	model.irr[vector] = false;
	model.isr[vector] = true;
}

static void model_eoi(void)
{
	int vector = highest(model.isr);

	if (vector < 0)
		return;
	model.isr[vector] = false;
	model.eois += model.tmr[vector];
	if (model.tmr[vector])
		assert_int_equal(board.eoi_vector, vector);
}

static void expect_words(uint32_t offset, const bool *bits)
{
	for (unsigned vector = 0; vector < 256; vector++)
		assert_int_equal(rd(offset + vector / 32 * 16) >> vector % 32 & 1, bits[vector]);
}

static void expect_the_same(void)
{
	assert_int_equal(lapic_pending(&board.lapic), model_pending());
	assert_int_equal(rd(R_PPR), model_ppr());
	assert_int_equal(rd(R_TPR), model.tpr);
	assert_int_equal(rd(R_APR), model_apr());
	assert_int_equal(lapic_tpr_threshold(&board.lapic), model_threshold());
	assert_int_equal(board.eois, model.eois);
}

static void expect_the_same_vectors(void)
{
	expect_words(R_IRR, model.irr);
	expect_words(R_ISR, model.isr);
	expect_words(R_TMR, model.tmr);
}

/* Few vectors, so that they meet; now and then any. */
static unsigned some_vector(uint64_t random)
{
	return random >> 8 & 7 ? (unsigned)(random >> 16) % 6 * 0x11 + 0x20 : (unsigned)(random >> 16) & 0xff;
}

static void do_one(uint64_t random)
{
	unsigned vector = some_vector(random), tpr = (unsigned)(random >> 32) & (random >> 40 & 1 ? 0xff : 0x3f);

	switch (random % 16) {
	case 0 ... 3:
		assert_int_equal(lapic_deliver(&board.lapic, (uint8_t)vector, random >> 60 & 1), model.enabled && vector >= 16);
		model_deliver(vector, random >> 60 & 1);
		break;
	case 4:
		wr(R_ICR, 0x40000 | vector);
		model_deliver(vector, false);
		break;
	case 5 ... 8:
		if (model_pending() >= 0)
			assert_int_equal(lapic_acknowledge(&board.lapic, board.now_ns), model_pending());
		model_acknowledge();
		break;
	case 9 ... 12:
		wr(R_EOI, (uint32_t)random);
		model_eoi();
		break;
	case 13:
		wr(R_TPR, tpr);
		assert_int_equal(board.tpr, tpr);
		model.tpr = tpr;
		break;
	case 14:
		lapic_follow_tpr(&board.lapic, (uint8_t)(tpr & 0xf0));
		model.tpr = tpr & 0xf0;
		break;
	case 15:
		model.enabled = !(random >> 50 & 3) ? !model.enabled : true;
		wr(R_SVR, model.enabled ? 0x1ff : 0xff);
		break;
	}
}

static void it_does_what_the_model_does(void **state)
{
	uint64_t random = 0x5eed1a91c;
	unsigned long rounds = share(8000000);

	memset(&model, 0, sizeof model);
	model.enabled = true;
	for (unsigned long i = 0; i < rounds; i++) {
		do_one(random_next(&random));
		expect_the_same();
		if (i % 16 == 0)
			expect_the_same_vectors();
	}
	assert_true(board.eois > rounds / 100 && board.accepted > rounds / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(it_does_what_the_model_does, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
