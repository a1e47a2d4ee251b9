/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One counter of an 8254. Section names in the comments are those of the Intel 8254 data sheet (order 231164). Its
 * position is the number of CLK pulses since the count was loaded; the counting element, OUT and all deadlines
 * follow from position and count. */
#include "devices/pit_counter.h"

#include "timekeeping/arith.h"

#define NS_PER_S 1000000000u

#define CONTROL_BCD 0x01
#define CONTROL_RW_SHIFT 4
#define CONTROL_BITS 0x3f

#define RW_LSB 1
#define RW_MSB 2

#define STATUS_OUT 0x80
#define STATUS_NULL_COUNT 0x40

#define RESET_CONTROL 0x36 /* LSB then MSB, mode 3, binary */

static uint64_t ns_of_ticks(uint64_t ticks)
{
	return mul_div_ceil(ticks, NS_PER_S, PIT_HZ);
}

static unsigned rw_of(const struct pit_counter *counter)
{
	return counter->control >> CONTROL_RW_SHIFT & 3u;
}

/* How many values the counting element has. */
static uint32_t modulus(const struct pit_counter *counter)
{
	return counter->control & CONTROL_BCD ? 10000 : 65536;
}

bool pit_counter_is_periodic(const struct pit_counter *counter)
{
	return counter->mode == PIT_RATE_GENERATOR || counter->mode == PIT_SQUARE_WAVE;
}

/* Mode 3 is high for (N + 1) / 2 pulses, then low for the rest. */
static uint32_t high_half(uint32_t count)
{
	return (count + 1) / 2;
}

static uint64_t position(const struct pit_counter *counter, uint64_t now_ns)
{
	if (!counter->running)
		return counter->start_ticks;
	return counter->start_ticks + mul_div_floor(now_ns - counter->start_ns, PIT_HZ, NS_PER_S);
}

static void start(struct pit_counter *counter, uint32_t count, uint64_t ticks, uint64_t at_ns)
{
	counter->count = count;
	counter->start_ticks = ticks;
	counter->start_ns = at_ns;
	counter->reload_ns = EVENT_NEVER;
	counter->null_count = false;
}

/* Lets a count that waited take over at its time. A mode 3 period that thereby began with its low half gets its
 * origin at the rise that ends it, where the interrupts are counted from. */
static void catch_up(struct pit_counter *counter, uint64_t now_ns)
{
	if (counter->reload_ns <= now_ns)
		start(counter, counter->written, counter->reload_ticks, counter->reload_ns);
	if (counter->start_ticks && counter->running && pit_counter_is_periodic(counter)) {
		uint64_t rise_ns = counter->start_ns + ns_of_ticks(counter->count - counter->start_ticks);

		if (rise_ns <= now_ns)
			start(counter, counter->count, 0, rise_ns);
	}
}

static uint32_t square_wave_element(uint32_t count, uint32_t phase)
{
	uint32_t high = high_half(count);

	/* "Mode 3": an odd count is loaded minus one, and the element goes down by two. */
	return (count & ~1u) - 2 * (phase < high ? phase : phase - high);
}

/* The counting element, 0 to modulus - 1. */
static uint32_t element(const struct pit_counter *counter, uint64_t now_ns)
{
	uint32_t values = modulus(counter);
	uint64_t ticks;

	if (!counter->loaded)
		return counter->held % values;
	ticks = position(counter, now_ns);
	switch (counter->mode) {
	case PIT_RATE_GENERATOR:
		return (counter->count - (uint32_t)(ticks % counter->count)) % values;
	case PIT_SQUARE_WAVE:
		return square_wave_element(counter->count, (uint32_t)(ticks % counter->count)) % values;
	case PIT_INTERRUPT_ON_TERMINAL_COUNT:
	case PIT_RETRIGGERABLE_ONE_SHOT:
	case PIT_SOFTWARE_STROBE:
	case PIT_HARDWARE_STROBE:
		break;
	}
	/* "The Counter does not stop when it reaches zero": it wraps and goes on. */
	return (counter->count + values - (uint32_t)(ticks % values)) % values;
}

static bool out(const struct pit_counter *counter, uint64_t now_ns)
{
	uint64_t ticks = position(counter, now_ns);

	switch (counter->mode) {
	case PIT_INTERRUPT_ON_TERMINAL_COUNT:
		return counter->loaded && ticks >= counter->count;
	case PIT_RETRIGGERABLE_ONE_SHOT:
		return !counter->loaded || ticks >= counter->count;
	case PIT_RATE_GENERATOR:
		return !counter->running || ticks % counter->count != counter->count - 1;
	case PIT_SQUARE_WAVE:
		return !counter->running || ticks % counter->count < high_half(counter->count);
	case PIT_SOFTWARE_STROBE:
	case PIT_HARDWARE_STROBE:
		break;
	}
	return !counter->loaded || ticks != counter->count;
}

bool pit_counter_out(struct pit_counter *counter, uint64_t now_ns)
{
	catch_up(counter, now_ns);
	return out(counter, now_ns);
}

static void unload(struct pit_counter *counter, uint64_t now_ns)
{
	catch_up(counter, now_ns);
	counter->held = element(counter, now_ns);
	counter->loaded = false;
	counter->running = false;
	counter->start_ticks = 0;
	counter->reload_ns = EVENT_NEVER;
}

static enum pit_mode mode_of(uint8_t control)
{
	unsigned bits = control >> 1 & 7u;

	/* "Control Word Format": bit 2 of the mode is "don't care" in modes 2 and 3. */
	return (enum pit_mode)(bits > 5 ? bits - 4 : bits);
}

void pit_counter_program(struct pit_counter *counter, uint8_t control, uint64_t now_ns)
{
	unload(counter, now_ns);
	counter->control = control & CONTROL_BITS;
	counter->mode = mode_of(control);
	counter->written = 0;
	counter->null_count = true;
	counter->msb_next_write = false;
	counter->msb_next_read = false;
	counter->count_latched = false;
	counter->status_latched = false;
}

void pit_counter_reset(struct pit_counter *counter)
{
	*counter = (struct pit_counter){ .gate = counter->gate, .reload_ns = EVENT_NEVER };
	pit_counter_program(counter, RESET_CONTROL, 0);
}

static uint32_t from_bcd(uint16_t value)
{
	return (value >> 12) * 1000u + (value >> 8 & 15u) * 100u + (value >> 4 & 15u) * 10u + (value & 15u);
}

static uint16_t to_bcd(uint32_t value)
{
	return (uint16_t)(value / 1000 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 | value % 10);
}

/* The CLK pulses that a written count stands for: 0 is the largest count. 1 is illegal in modes 2 and 3; an
 * element that reloads when it has come down to 1, or by twos to 0, then goes round once. */
static uint32_t ticks_of_count(const struct pit_counter *counter, uint16_t value)
{
	uint32_t count = counter->control & CONTROL_BCD ? from_bcd(value) : value;

	if (count == 0 || (count == 1 && pit_counter_is_periodic(counter)))
		count += modulus(counter);
	return count;
}

static void load(struct pit_counter *counter, uint64_t now_ns)
{
	start(counter, counter->written, 0, now_ns);
	counter->loaded = true;
	counter->running = true;
}

/* The position at which a count that was written while another one runs takes over. */
static void wait_for_reload(struct pit_counter *counter, uint64_t now_ns)
{
	uint64_t ticks = position(counter, now_ns);
	uint64_t period_end = ticks - ticks % counter->count + counter->count;
	uint64_t half_end = period_end - counter->count + high_half(counter->count);
	bool at_half = counter->mode == PIT_SQUARE_WAVE && ticks < half_end;

	counter->reload_ns = counter->start_ns + ns_of_ticks((at_half ? half_end : period_end) - counter->start_ticks);
	counter->reload_ticks = at_half ? high_half(counter->written) : 0;
}

/* "Writing a new count" of each mode. */
static enum pit_change count_written(struct pit_counter *counter, uint16_t value, uint64_t now_ns)
{
	catch_up(counter, now_ns);
	counter->written = ticks_of_count(counter, value);
	counter->null_count = true;
	switch (counter->mode) {
	case PIT_INTERRUPT_ON_TERMINAL_COUNT:
	case PIT_SOFTWARE_STROBE:
		break;
	case PIT_RETRIGGERABLE_ONE_SHOT:
	case PIT_HARDWARE_STROBE:
		return PIT_UNCHANGED;
	case PIT_RATE_GENERATOR:
	case PIT_SQUARE_WAVE:
		if (!counter->loaded)
			break;
		if (!counter->running)
			return PIT_UNCHANGED;
		wait_for_reload(counter, now_ns);
		return PIT_RELOADS;
	}
	load(counter, now_ns);
	counter->running = counter->gate;
	return PIT_LOADED;
}

/* "Mode 0": the first byte of two stops the counting, and OUT is low at once. */
static enum pit_change lsb_of_two_written(struct pit_counter *counter, uint8_t byte, uint64_t now_ns)
{
	counter->written_lsb = byte;
	counter->msb_next_write = true;
	if (counter->mode != PIT_INTERRUPT_ON_TERMINAL_COUNT)
		return PIT_UNCHANGED;
	unload(counter, now_ns);
	counter->written = 0;
	return PIT_STOPPED;
}

enum pit_change pit_counter_write(struct pit_counter *counter, uint8_t byte, uint64_t now_ns)
{
	unsigned rw = rw_of(counter);

	if (rw == RW_LSB)
		return count_written(counter, byte, now_ns);
	if (rw == RW_MSB)
		return count_written(counter, (uint16_t)(byte << 8), now_ns);
	if (!counter->msb_next_write)
		return lsb_of_two_written(counter, byte, now_ns);
	counter->msb_next_write = false;
	return count_written(counter, (uint16_t)(byte << 8 | counter->written_lsb), now_ns);
}

static uint16_t value_shown(struct pit_counter *counter, uint64_t now_ns)
{
	uint32_t value;

	catch_up(counter, now_ns);
	value = element(counter, now_ns);
	return counter->control & CONTROL_BCD ? to_bcd(value) : (uint16_t)value;
}

uint32_t pit_counter_read(struct pit_counter *counter, uint64_t now_ns)
{
	uint16_t value;
	bool msb;

	if (counter->status_latched) {
		counter->status_latched = false;
		return counter->latched_status;
	}
	value = counter->count_latched ? counter->latched_count : value_shown(counter, now_ns);
	msb = rw_of(counter) == RW_MSB || counter->msb_next_read;
	counter->msb_next_read = rw_of(counter) == (RW_LSB | RW_MSB) && !msb;
	counter->count_latched &= counter->msb_next_read;
	return (uint8_t)(msb ? value >> 8 : value);
}

void pit_counter_latch_count(struct pit_counter *counter, uint64_t now_ns)
{
	if (counter->count_latched)
		return;
	counter->latched_count = value_shown(counter, now_ns);
	counter->count_latched = true;
}

void pit_counter_latch_status(struct pit_counter *counter, uint64_t now_ns)
{
	if (counter->status_latched)
		return;
	catch_up(counter, now_ns);
	counter->latched_status = (uint8_t)(counter->control | (out(counter, now_ns) ? STATUS_OUT : 0) |
					    (counter->null_count ? STATUS_NULL_COUNT : 0));
	counter->status_latched = true;
}

static void pause(struct pit_counter *counter, uint64_t now_ns)
{
	counter->start_ticks = position(counter, now_ns);
	counter->running = false;
	counter->reload_ns = EVENT_NEVER;
}

/* "Gate": it enables modes 0 and 4, resets modes 2 and 3, and its rise triggers modes 1, 2, 3 and 5. */
void pit_counter_set_gate(struct pit_counter *counter, bool level, uint64_t now_ns)
{
	bool triggers = true, enables = true;

	if (level == counter->gate)
		return;
	catch_up(counter, now_ns);
	counter->gate = level;
	switch (counter->mode) {
	case PIT_INTERRUPT_ON_TERMINAL_COUNT:
	case PIT_SOFTWARE_STROBE:
		triggers = false;
		break;
	case PIT_RETRIGGERABLE_ONE_SHOT:
	case PIT_HARDWARE_STROBE:
		enables = false;
		break;
	case PIT_RATE_GENERATOR:
	case PIT_SQUARE_WAVE:
		break;
	}
	if (!counter->written)
		return;
	if (level && triggers) {
		load(counter, now_ns);
	} else if (level) {
		counter->start_ns = now_ns;
		counter->running = true;
	} else if (enables) {
		pause(counter, now_ns);
	}
}

uint64_t pit_counter_rise_ns(const struct pit_counter *counter)
{
	/* Modes 0 and 4: at zero, and after the strobe of one pulse at zero. */
	uint64_t rise_ticks = (uint64_t)counter->count + (counter->mode == PIT_SOFTWARE_STROBE);

	return counter->running ? counter->start_ns + ns_of_ticks(rise_ticks - counter->start_ticks) : EVENT_NEVER;
}

uint64_t pit_counter_reload_rise_ns(const struct pit_counter *counter)
{
	uint64_t low_left = counter->reload_ticks ? counter->written - counter->reload_ticks : 0;

	return counter->reload_ns + ns_of_ticks(low_left);
}
