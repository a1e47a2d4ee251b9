/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The three counters of the Intel 8254 (order number 231164): modes 0-5, binary and BCD, count 0, latch and
 * read-back, gate and OUT of channel 2 (port 61h), and the interrupts of channel 0: never early, none lost, none
 * added.
 *
 * Counts are judged by the TSC: a read between two TSC reads must show a count that the model gives for some tick
 * between. */
#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/report.h"

#define READ_BACK 0xC0
#define READ_BACK_NO_COUNT 0x20
#define READ_BACK_NO_STATUS 0x10
#define STATUS_OUT 0x80
#define STATUS_NULL 0x40

const char test_name[] = "pit";

/* A running channel 2: how it was programmed, and when the count was loaded (or the gate rose). */
struct run {
	unsigned mode;
	bool bcd;
	uint32_t count; /* 1 to the modulus */
	uint64_t before, after;
};

static uint16_t to_bcd(uint32_t n)
{
	return (uint16_t)(n / 1000 % 10 << 12 | n / 100 % 10 << 8 | n / 10 % 10 << 4 | n % 10);
}

static uint32_t from_bcd(uint16_t bcd)
{
	return (bcd >> 12) * 1000u + (bcd >> 8 & 15) * 100u + (bcd >> 4 & 15) * 10u + (bcd & 15);
}

static uint32_t modulus(const struct run *r)
{
	return r->bcd ? 10000 : 65536;
}

/* The count that shows e ticks after the load, modulo the modulus (8254 "Mode Definitions"). */
static uint32_t model_count(const struct run *r, uint32_t e)
{
	uint32_t even = r->count & ~1u, half = r->count / 2;

	switch (r->mode) {
	case 2:
		return r->count - e % r->count;
	case 3: /* an odd count is loaded as even, and the high half is one tick longer */
		e %= r->count;
		e = e < r->count - half ? e : e - (r->count - half);
		return even - 2 * e;
	default:
		return (r->count + modulus(r) - e % modulus(r)) % modulus(r);
	}
}

static bool model_out(const struct run *r, uint32_t e)
{
	switch (r->mode) {
	case 2:
		return e % r->count != r->count - 1;
	case 3:
		return e % r->count < r->count - r->count / 2;
	case 4:
	case 5:
		return e != r->count;
	default:
		return e >= r->count;
	}
}

static void start(struct run *r)
{
	uint32_t shown = r->count % modulus(r);

	r->before = rdtsc();
	pit_program(2, PIT_BOTH, r->mode, r->bcd, r->bcd ? to_bcd(shown) : (uint16_t)shown);
	if (r->mode == 1 || r->mode == 5) {
		pit_gate2(false);
		sleep_us(5);
		r->before = rdtsc();
		pit_gate2(true);
	}
	r->after = rdtsc();
}

/* The ticks that may have passed between the load and a moment between before and after: the load itself waits for
 * one, and the counter's phase against the TSC is unknown. */
static void tick_range(const struct run *r, uint64_t before, uint64_t after, uint32_t *least, uint32_t *most)
{
	uint64_t low = ticks_floor(before - r->after, PIT_HZ);

	*least = low > 2 ? (uint32_t)low - 2 : 0;
	*most = (uint32_t)ticks_ceil(after - r->before, PIT_HZ) + 2;
}

static bool count_fits(const struct run *r, const struct sample *s)
{
	uint32_t least, most;
	uint32_t value = r->bcd ? from_bcd((uint16_t)s->value) : (uint32_t)s->value;

	tick_range(r, s->before, s->after, &least, &most);
	for (uint32_t e = least; e <= most; e++)
		if (model_count(r, e) % modulus(r) == value)
			return true;
	return false;
}

/* Whether OUT is as the model says, where the model says the same for each tick in the bracket. */
static bool out_fits(const struct run *r)
{
	uint64_t before = rdtsc();
	bool out = pit_out2();
	uint32_t least, most;

	tick_range(r, before, rdtsc(), &least, &most);
	for (uint32_t e = least; e <= most; e++)
		if (model_out(r, e) == out)
			return true;
	return false;
}

static void one_mode(unsigned mode, bool bcd, uint32_t count)
{
	struct run r = { mode, bcd, count, 0, 0 };
	unsigned wrong_counts = 0, wrong_outs = 0;

	pit_gate2(true);
	start(&r);
	for (uint32_t i = 0; i < 24; i++) {
		struct sample s;

		sleep_us(100 + 377 * i);
		s = pit_sample(2);
		wrong_counts += !count_fits(&r, &s);
		wrong_outs += !out_fits(&r);
	}
	/* QEMU counts in binary always, takes the odd count of mode 3 as it is, and has OUT wrong in modes 1, 2,
	 * 4, 5. */
	report_but_qemu(!wrong_counts && !wrong_outs, "mode %u, %s count %u: %u of 24 counts and %u OUTs wrong", mode,
			bcd ? "BCD" : "binary", count, wrong_counts, wrong_outs);
}

static void latch_holds(void)
{
	uint16_t first, second, third;

	pit_gate2(true);
	pit_program(2, PIT_BOTH, 2, false, 50000);
	sleep_us(100);
	outb(0x43, 0x80);
	sleep_us(1000);
	outb(0x43, 0x80); /* a second latch before the first is read is ignored */
	first = inb(0x42);
	first |= (uint16_t)(inb(0x42) << 8);
	second = inb(0x42); /* and now the count itself again */
	second |= (uint16_t)(inb(0x42) << 8);
	third = pit_read(2);
	report(first - second >= 1000 && first > 20000, "a latched count holds, a second latch is ignored: %u, then %u",
	       first, second);
	report(third <= second + 256, "after the latch is read the count runs: %u", third);
}

static void read_back(void)
{
	uint8_t status;
	uint16_t first, second;

	pit_gate2(true);
	outb(0x43, 0xB4); /* channel 2, both bytes, mode 2 */
	outb(0x43, READ_BACK | READ_BACK_NO_COUNT | 8);
	status = inb(0x42);
	report_but_qemu(status == (STATUS_OUT | STATUS_NULL | 0x34),
			"status before the count is written: null count, %x", status);
	outb(0x42, 0x00);
	outb(0x42, 0x80);
	sleep_us(20);
	outb(0x43, READ_BACK | 8); /* both: the status comes first */
	status = inb(0x42);
	first = inb(0x42);
	first |= (uint16_t)(inb(0x42) << 8);
	report_but_qemu(status == (STATUS_OUT | 0x34), "status once it counts: %x", status);
	second = pit_read(2);
	report(first <= 0x8000 && first >= second, "the count latched with it: %x, later %x", first, second);
	outb(0x43, READ_BACK | READ_BACK_NO_COUNT | READ_BACK_NO_STATUS | 8);
	second = inb(0x42);
	second |= (uint16_t)(inb(0x42) << 8);
	report(second <= first, "a read-back of nothing latches nothing");
	pit_program(2, PIT_LSB, 0, false, 0x55);
	outb(0x43, READ_BACK | READ_BACK_NO_COUNT | 8);
	status = inb(0x42);
	report((status & 0x3F) == 0x10, "status shows access, mode and BCD: %x", status);
}

static void single_bytes(void)
{
	uint8_t low;
	uint16_t high;

	pit_gate2(true);
	pit_program(2, PIT_LSB, 2, false, 200);
	sleep_us(5);
	low = inb(0x42);
	report(low >= 1 && low <= 200, "low byte only: count %u of 200", low);
	pit_program(2, PIT_MSB, 2, false, 0xE000);
	sleep_us(5);
	high = inb(0x42);
	report(high >= 0xD0 && high <= 0xE0, "high byte only: %x of e000", high);
}

/* 8254 "Gate": low stops modes 0, 2, 3, 4; in modes 2 and 3 it sets OUT high, and rising it starts again. */
static void gate(void)
{
	uint16_t first, second;

	pit_gate2(true);
	pit_program(2, PIT_BOTH, 0, false, 60000);
	sleep_us(200);
	pit_gate2(false);
	sleep_us(10);
	first = pit_read(2);
	sleep_us(5000);
	second = pit_read(2);
	report_but_qemu(first == second && first < 60000, "mode 0: gate low stops the count: %u, %u", first, second);
	pit_gate2(true);
	sleep_us(1000);
	report(pit_read(2) < first - 1000, "mode 0: gate high lets it go on: %u", pit_read(2));
	pit_program(2, PIT_BOTH, 2, false, 50000);
	sleep_us(10000);
	pit_gate2(false);
	report_but_qemu(pit_out2(), "mode 2: gate low sets OUT high");
	first = pit_read(2);
	pit_gate2(true);
	sleep_us(5);
	second = pit_read(2);
	report(first < 45000 && second > first, "mode 2: the rising gate loads the count again: %u, %u", first, second);
}

/* 8254 "Mode 2", "Mode 0": a count written meanwhile waits for the end of the cycle in mode 2, and counts at once
 * in mode 0. */
static void new_count(void)
{
	uint16_t count;

	pit_gate2(true);
	pit_program(2, PIT_BOTH, 2, false, 60000);
	sleep_us(1000);
	outb(0x42, 0xE8);
	outb(0x42, 0x03);
	sleep_us(50);
	count = pit_read(2);
	report_but_qemu(count > 1000 && count < 60000, "mode 2: a new count waits for the end of the cycle: %u", count);
	sleep_us(60000);
	count = pit_read(2);
	report(count <= 1000, "mode 2: then it counts: %u", count);
	pit_program(2, PIT_BOTH, 0, false, 60000);
	sleep_us(1000);
	outb(0x42, 0x20);
	outb(0x42, 0x4E);
	sleep_us(50);
	count = pit_read(2);
	report(count < 20000, "mode 0: a new count counts at once: %u", count);
}

static volatile uint64_t fired_tsc;

static void note_time(void)
{
	fired_tsc = rdtsc();
}

static void one_shots(void)
{
	static const uint16_t counts[] = { 1, 2, 3, 100, 1193, 11932, 65535, 0 };
	unsigned early = 0, wrong = 0;

	irq_handlers[0] = note_time;
	for (unsigned i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		uint32_t count = counts[i] ? counts[i] : 65536, before_irqs = irq_counts[0];
		uint64_t loaded;

		pit_program(0, PIT_BOTH, 0, false, 0);
		irq_mask(0, false);
		loaded = rdtsc();
		pit_program(0, PIT_BOTH, 0, false, counts[i]);
		while (irq_counts[0] == before_irqs && rdtsc() - loaded < 200 * NS_PER_MS)
			sti_hlt_cli();
		early += fired_tsc - loaded < count * NS_PER_SECOND / PIT_HZ;
		irq_mask(0, true);
		wrong += irq_counts[0] != before_irqs + 1;
	}
	irq_handlers[0] = 0;
	report(!early && !wrong, "mode 0 on channel 0: 8 counts, %u early, %u without exactly one interrupt", early,
	       wrong);
}

/* Interrupts over time: with n-th tick due at the load + n * count, the number taken in a bracketed time is known
 * to one. */
static void periodic(unsigned mode, uint16_t count, uint32_t ms)
{
	struct sample s;
	uint32_t irqs = irq_counts[0];
	uint64_t least, most;

	pit_program(0, PIT_BOTH, mode, false, 0);
	s.before = rdtsc();
	pit_program(0, PIT_BOTH, mode, false, count);
	s.after = rdtsc();
	irq_mask(0, false);
	while (rdtsc() - s.after < ms * NS_PER_MS)
		sti_hlt_cli();
	least = ticks_floor(rdtsc() - s.after, PIT_HZ) / count;
	sti_nop_cli();
	irq_mask(0, true);
	irqs = irq_counts[0] - irqs;
	most = ticks_ceil(rdtsc() - s.before, PIT_HZ) / count;
	if (option_number("control", 0))
		irqs -= 2; /* the control: two lost interrupts must be seen */
	report(irqs + 1 >= least && irqs <= most + 1, "mode %u, count %u: %u interrupts, between %llu and %llu due",
	       mode, count,
	       irqs, least, most);
}

static void odd_accesses(void)
{
	uint16_t word;

	report_but_qemu(inb(0x43) == 0xFF, "port 43h reads all ones");
	pit_gate2(true);
	pit_program(2, PIT_LSB, 2, false, 100);
	outb(0x43, 0x54); /* channel 1, low byte, mode 2 */
	outb(0x41, 50);
	sleep_us(10);
	word = inw(0x41);
	report_but_qemu((word & 0xFF) >= 1 && (word & 0xFF) <= 50 && word >> 8 >= 1 && word >> 8 <= 100,
			"a word read takes a byte from each of two channels: %x", word);
	outl(0x40, 0x30303030);
	outw(0x42, 0xB0FF); /* data to channel 2, then a control word for it */
	inl(0x40);
	inl(0x3E);
	report(true, "words and double words on 40h-43h do no harm");
}

void test_main(void)
{
	static const uint32_t binary[] = { 2, 1000, 7777, 65536 }, bcd[] = { 1234, 10000 };

	for (unsigned mode = 0; mode < 6; mode++) {
		for (unsigned i = 0; i < 4; i++)
			one_mode(mode, false, binary[i]);
		for (unsigned i = 0; i < 2; i++)
			one_mode(mode, true, bcd[i]);
	}
	latch_holds();
	read_back();
	single_bytes();
	gate();
	new_count();
	one_shots();
	periodic(2, 1193, 1000);
	periodic(3, 1193, 300);
	periodic(2, 11932, 500);
	odd_accesses();
}
