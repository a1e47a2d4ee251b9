/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The timer of a PC: three counters on the bus, and the interrupts of the first (Intel 8254 data sheet, order
 * 231164).
 *
 * IRQ 0 gets an edge where OUT of channel 0 rises because a count ran out, and its line falls where a write makes
 * OUT low. A control word that makes OUT high gives no edge: each interrupt of this timer is one that is counted. */
#include "devices/pit.h"

#include "timekeeping/arith.h"

#define NS_PER_S 1000000000ull
#define IRQ 0

#define CONTROL_PORT 0x43

#define CONTROL_RW 0x30
#define READ_BACK 3
#define READ_BACK_NO_COUNT 0x20
#define READ_BACK_NO_STATUS 0x10

#define SYSTEM_GATE_2 0x01
#define SYSTEM_WRITABLE 0x0f /* gate, speaker, and the two error enables, which have no error to enable */
#define SYSTEM_REFRESH 0x10
#define SYSTEM_OUT_2 0x20
#define REFRESH_TICKS 18 /* what a PC's firmware gives channel 1: 15.085 us */

static void pulse(struct pit *pit)
{
	irq_pulse(pit->router, IRQ);
}

static void tick_raise(void *device, uint64_t now_ns)
{
	(void)now_ns;
	pulse(device);
}

static bool tick_masked(void *device)
{
	const struct pit *pit = device;

	return irq_masked(pit->router, IRQ);
}

static const struct tick_ops pit_tick_ops = { .raise = tick_raise, .masked = tick_masked };

static void drop_one_shot(struct pit *pit)
{
	pit->one_shot.dropped += pit->one_shot.raised;
	pit->one_shot.raised = false;
}

/* The 8259A keeps the edge while it is masked: unlike a tick, a one-shot is never lost to a mask. */
static void one_shot_fire(void *owner, uint64_t now_ns)
{
	struct pit *pit = owner;

	(void)now_ns;
	drop_one_shot(pit);
	pit->one_shot.due++;
	pit->one_shot.raised = true;
	pulse(pit);
}

static void pit_accepted(void *device, uint64_t now_ns)
{
	struct pit *pit = device;

	if (pit->one_shot.raised) {
		pit->one_shot.raised = false;
		pit->one_shot.accepted++;
	} else {
		tick_accepted(&pit->tick, now_ns);
	}
}

static void run_if_due(struct pit *pit, struct event *event, uint64_t now_ns)
{
	if (!event->queued || event->due_ns > now_ns)
		return;
	event_cancel(pit->queue, event);
	event->fire(event->owner, now_ns);
}

static void stop_interrupts(struct pit *pit)
{
	tick_stop(&pit->tick);
	event_cancel(pit->queue, &pit->one_shot.event);
	if (pit->counters[0].mode != PIT_INTERRUPT_ON_TERMINAL_COUNT)
		return;
	drop_one_shot(pit);
	irq_set(pit->router, IRQ, false);
}

static void start_interrupts(struct pit *pit, uint64_t now_ns)
{
	const struct pit_counter *counter = &pit->counters[0];

	if (pit_counter_is_periodic(counter)) {
		tick_start(&pit->tick, counter->start_ns, counter->count, PIT_HZ, now_ns);
		return;
	}
	stop_interrupts(pit);
	event_set(pit->queue, &pit->one_shot.event, pit_counter_rise_ns(counter));
}

static void follow(struct pit *pit, enum pit_change change, uint64_t now_ns)
{
	const struct pit_counter *counter = &pit->counters[0];

	switch (change) {
	case PIT_UNCHANGED:
		break;
	case PIT_STOPPED:
		stop_interrupts(pit);
		break;
	case PIT_LOADED:
		start_interrupts(pit, now_ns);
		break;
	case PIT_RELOADS:
		tick_start_first(&pit->tick, pit_counter_reload_rise_ns(counter), counter->written, PIT_HZ);
		break;
	}
}

/* Whether OUT of channel 0 is low for the one pulse of mode 4: what ends it early brings the edge early. */
static bool in_strobe(struct pit *pit, uint64_t now_ns)
{
	return pit->counters[0].mode == PIT_SOFTWARE_STROBE && !pit_counter_out(&pit->counters[0], now_ns);
}

/* Interrupts that were due by now come before a write that changes the course of channel 0. */
static void run_due(struct pit *pit, uint64_t now_ns)
{
	run_if_due(pit, &pit->tick.event, now_ns);
	run_if_due(pit, &pit->one_shot.event, now_ns);
}

static void write_counter_0(struct pit *pit, uint8_t byte, uint64_t now_ns)
{
	bool strobe = in_strobe(pit, now_ns);
	enum pit_change change;

	run_due(pit, now_ns);
	change = pit_counter_write(&pit->counters[0], byte, now_ns);
	if (strobe && change == PIT_LOADED)
		one_shot_fire(pit, now_ns);
	follow(pit, change, now_ns);
}

static void program_0(struct pit *pit, uint8_t control, uint64_t now_ns)
{
	run_due(pit, now_ns);
	if (in_strobe(pit, now_ns))
		one_shot_fire(pit, now_ns);
	pit_counter_program(&pit->counters[0], control, now_ns);
	follow(pit, PIT_STOPPED, now_ns);
}

static __attribute__((noinline)) void write_counter(struct pit *pit, unsigned channel, uint8_t byte, uint64_t now_ns)
{
	if (channel == 0)
		write_counter_0(pit, byte, now_ns);
	else
		pit_counter_write(&pit->counters[channel], byte, now_ns);
}

static __attribute__((noinline)) void read_back(struct pit *pit, uint8_t command, uint64_t now_ns)
{
	for (unsigned channel = 0; channel < 3; channel++) {
		if (!(command >> channel & 2))
			continue;
		if (!(command & READ_BACK_NO_COUNT))
			pit_counter_latch_count(&pit->counters[channel], now_ns);
		if (!(command & READ_BACK_NO_STATUS))
			pit_counter_latch_status(&pit->counters[channel], now_ns);
	}
}

static __attribute__((noinline)) void program(struct pit *pit, unsigned channel, uint8_t control, uint64_t now_ns)
{
	if (channel == 0)
		program_0(pit, control, now_ns);
	else
		pit_counter_program(&pit->counters[channel], control, now_ns);
}

static void write_control(struct pit *pit, uint8_t control, uint64_t now_ns)
{
	unsigned channel = control >> 6;

	if (channel == READ_BACK)
		read_back(pit, control, now_ns);
	else if (!(control & CONTROL_RW))
		pit_counter_latch_count(&pit->counters[channel], now_ns);
	else
		program(pit, channel, control, now_ns);
}

static uint32_t pit_read(void *device, uint16_t port, unsigned bytes, uint64_t now_ns)
{
	struct pit *pit = device;

	(void)bytes;
	if (port == CONTROL_PORT)
		return UINT8_MAX; /* "No-Operation (3-State)" */
	return pit_counter_read(&pit->counters[port - PIT_COUNTER_PORT], now_ns);
}

static void pit_write(void *device, uint16_t port, uint32_t value, unsigned bytes, uint64_t now_ns)
{
	struct pit *pit = device;

	(void)bytes;
	if (port == CONTROL_PORT)
		write_control(pit, (uint8_t)value, now_ns);
	else
		write_counter(pit, port - PIT_COUNTER_PORT, (uint8_t)value, now_ns);
}

static bool refresh(uint64_t now_ns)
{
	return mul_div_floor(now_ns, PIT_HZ, REFRESH_TICKS * NS_PER_S) & 1;
}

static uint32_t system_read(void *device, uint16_t port, unsigned bytes, uint64_t now_ns)
{
	struct pit *pit = device;

	(void)port;
	(void)bytes;
	return (uint32_t)(pit->port_61 | (refresh(now_ns) ? SYSTEM_REFRESH : 0) |
			  (pit_counter_out(&pit->counters[2], now_ns) ? SYSTEM_OUT_2 : 0));
}

static void system_write(void *device, uint16_t port, uint32_t value, unsigned bytes, uint64_t now_ns)
{
	struct pit *pit = device;

	(void)port;
	(void)bytes;
	pit->port_61 = (uint8_t)(value & SYSTEM_WRITABLE);
	pit_counter_set_gate(&pit->counters[2], value & SYSTEM_GATE_2, now_ns);
}

const struct tick *pit_tick(const struct pit *pit)
{
	return &pit->tick;
}

void pit_reset(struct pit *pit)
{
	for (unsigned channel = 0; channel < 3; channel++) {
		pit->counters[channel].gate = channel != 2;
		pit_counter_reset(&pit->counters[channel]);
	}
	pit->port_61 = 0;
	stop_interrupts(pit);
	drop_one_shot(pit);
	irq_set(pit->router, IRQ, false);
}

void pit_init(struct pit *pit, struct bus *bus, struct irq_router *router, struct event_queue *queue)
{
	const struct port_range counters = { .first = PIT_COUNTER_PORT, .last = CONTROL_PORT, .widest = 1, .device = pit,
					     .read = pit_read, .write = pit_write };
	const struct port_range system = { .first = PIT_SYSTEM_PORT, .last = PIT_SYSTEM_PORT, .widest = 1, .device = pit,
					   .read = system_read, .write = system_write };

	*pit = (struct pit){ .router = router, .queue = queue };
	tick_init(&pit->tick, queue, &pit_tick_ops, pit, TICK_SLEW);
	event_init(&pit->one_shot.event, one_shot_fire, pit);
	irq_claim(router, IRQ, pit, pit_accepted);
	bus_add_ports(bus, &counters);
	bus_add_ports(bus, &system);
	pit_reset(pit);
}
