/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The local APIC: interrupts, from where they come in to their end. Its registers are in devices/lapic_registers.c.
 *
 * deliverable is kept up to date by whatever changes the IRR, the ISR or the TPR, so that the run loop only has to look. */
#include "devices/lapic.h"

#include "base/assert.h"
#include "base/mem.h"
#include "devices/lapic_bits.h"

/* Vectors. */

static void add_vector(struct lapic_vectors *vectors, uint8_t vector)
{
	vectors->words[vector / 32] |= 1u << vector % 32;
	vectors->used |= 1u << vector / 32;
}

static void remove_vector(struct lapic_vectors *vectors, uint8_t vector)
{
	vectors->words[vector / 32] &= ~(1u << vector % 32);
	if (!vectors->words[vector / 32])
		vectors->used &= ~(1u << vector / 32);
}

static bool has_vector(const struct lapic_vectors *vectors, uint8_t vector)
{
	return vectors->words[vector / 32] >> vector % 32 & 1;
}

static int highest_bit(uint32_t bits)
{
	return 31 ^ __builtin_clz(bits);
}

/* -1: none. */
static int highest_vector(const struct lapic_vectors *vectors)
{
	if (!vectors->used)
		return -1;

	int word = highest_bit(vectors->used);

	return word * 32 + highest_bit(vectors->words[word]);
}

/* Priorities (SDM 3A 11.8.3.1). A vector below 16 is never in the IRR or the ISR, so that -1, none, has a class below all of theirs. */

static void prioritise(struct lapic *lapic)
{
	int serving = lapic->highest_isr & ~0xf, priority = lapic->tpr | 0xf;

	lapic->ppr = (uint8_t)(priority > serving ? lapic->tpr : serving);
	if (priority < serving)
		priority = serving | 0xf;
	lapic->deliverable = lapic->highest_irr > priority ? lapic->highest_irr : -1;
}

void lapic_set_tpr(struct lapic *lapic, uint8_t tpr)
{
	lapic->tpr = tpr;
	prioritise(lapic);
}

bool lapic_is_enabled(const struct lapic *lapic)
{
	return lapic->base & LAPIC_BASE_ENABLE && lapic->svr & LAPIC_SVR_ENABLE;
}

void lapic_tell_enabled(const struct lapic *lapic)
{
	if (lapic_is_enabled(lapic) && lapic->hooks.enabled)
		lapic->hooks.enabled(lapic->hooks.context);
}

/* Errors. */

/* An error interrupt whose own vector is illegal is one more error, and no further interrupt. */
void lapic_error(struct lapic *lapic, uint32_t error)
{
	uint32_t lvt = lapic->lvt[LAPIC_LVT_ERROR];
	bool told = lapic->error_told;

	lapic->errors |= error;
	lapic->error_told = true;
	if (told || lvt & LAPIC_LVT_MASKED)
		return;
	if ((lvt & LAPIC_VECTOR) < LAPIC_FIRST_VECTOR)
		lapic->errors |= LAPIC_ERROR_RECEIVED_VECTOR;
	else
		lapic_deliver(lapic, (uint8_t)lvt, false);
}

/* Interrupts that come in. */

bool lapic_deliver(struct lapic *lapic, uint8_t vector, bool level)
{
	if (!lapic_is_enabled(lapic))
		return false;
	if (vector < LAPIC_FIRST_VECTOR) {
		lapic_error(lapic, LAPIC_ERROR_RECEIVED_VECTOR);
		return false;
	}
	add_vector(&lapic->irr, vector);
	if (level)
		add_vector(&lapic->tmr, vector);
	else
		remove_vector(&lapic->tmr, vector);
	if (vector > lapic->highest_irr) {
		lapic->highest_irr = vector;
		prioritise(lapic);
	}
	return true;
}

/* SDM 3A 11.6.2.2; FFh is everybody in either model. */
static bool is_logical_destination(const struct lapic *lapic, uint8_t destination)
{
	uint8_t own = (uint8_t)(lapic->ldr >> 24);

	if (lapic->base & LAPIC_BASE_X2APIC)
		return destination == 0xff || destination & lapic->ldr;
	if (destination == 0xff)
		return true;
	switch (lapic->dfr >> 28) {
	case LAPIC_DFR_FLAT:
		return destination & own;
	case LAPIC_DFR_CLUSTER:
		return destination >> 4 == own >> 4 && destination & own & 0xf;
	default:
		return false;
	}
}

bool lapic_is_destination(const struct lapic *lapic, uint8_t destination, bool logical)
{
	if (logical)
		return is_logical_destination(lapic, destination);
	return destination == LAPIC_ID || destination == 0xff;
}

/* The pins. */

static unsigned delivery_mode(uint32_t lvt)
{
	return lvt >> 8 & 7;
}

/* The trigger mode counts for fixed interrupts of LINT0 only (SDM 3A 11.5.1). */
static bool is_level_triggered(unsigned pin, uint32_t lvt)
{
	return pin == 0 && lvt & LAPIC_LVT_LEVEL;
}

static bool is_asserted(const struct lapic *lapic, unsigned pin)
{
	return lapic->lint[pin] != !!(lapic->lvt[LAPIC_LVT_LINT0 + pin] & LAPIC_LVT_ACTIVE_LOW);
}

static void deliver_pin(struct lapic *lapic, unsigned pin)
{
	uint32_t *lvt = &lapic->lvt[LAPIC_LVT_LINT0 + pin];
	bool level = is_level_triggered(pin, *lvt);

	if (*lvt & (LAPIC_LVT_MASKED | LAPIC_LVT_REMOTE_IRR) || !(lapic->base & LAPIC_BASE_ENABLE))
		return;
	switch (delivery_mode(*lvt)) {
	case LAPIC_MODE_FIXED:
		if (lapic_deliver(lapic, (uint8_t)*lvt, level) && level)
			*lvt |= LAPIC_LVT_REMOTE_IRR;
		break;
	case LAPIC_MODE_NMI:
		lapic->hooks.signal(lapic->hooks.context, LAPIC_NMI);
		break;
	case LAPIC_MODE_INIT:
		lapic->hooks.signal(lapic->hooks.context, LAPIC_INIT);
		break;
	}
}

/* A level-triggered pin that is still asserted comes again. */
static void deliver_level(struct lapic *lapic)
{
	uint32_t lvt = lapic->lvt[LAPIC_LVT_LINT0];

	if (is_level_triggered(0, lvt) && delivery_mode(lvt) == LAPIC_MODE_FIXED && is_asserted(lapic, 0))
		deliver_pin(lapic, 0);
}

void lapic_set_lint(struct lapic *lapic, unsigned pin, bool level)
{
	ASSERT(pin < 2);
	if (lapic->lint[pin] == level)
		return;
	lapic->lint[pin] = level;
	if (is_asserted(lapic, pin))
		deliver_pin(lapic, pin);
}

void lapic_pins_changed(struct lapic *lapic)
{
	uint32_t lvt = lapic->lvt[LAPIC_LVT_LINT0];

	lapic->takes_extint = !(lapic->base & LAPIC_BASE_ENABLE) ||
			      (!(lvt & LAPIC_LVT_MASKED) && delivery_mode(lvt) == LAPIC_MODE_EXTINT);
	deliver_level(lapic);
}

/* Interrupts between processors, of which there is one. */

static bool reaches_itself(const struct lapic *lapic)
{
	uint32_t destination = lapic->icr_high, low = lapic->icr_low;
	bool logical = low & LAPIC_ICR_LOGICAL;

	switch (low >> 18 & 3) {
	case 1: /* self */
	case 2: /* all including self */
		return true;
	case 3: /* all excluding self */
		return false;
	}
	if (!(lapic->base & LAPIC_BASE_X2APIC))
		return lapic_is_destination(lapic, (uint8_t)(destination >> 24), logical);
	if (destination == UINT32_MAX)
		return true;
	return logical ? destination >> 16 == 0 && destination & lapic->ldr : destination == LAPIC_ID;
}

static void send_vector(struct lapic *lapic, uint8_t vector)
{
	if (vector < LAPIC_FIRST_VECTOR)
		lapic_error(lapic, LAPIC_ERROR_SENT_VECTOR);
	if (reaches_itself(lapic))
		lapic_deliver(lapic, vector, false);
}

/* An NMI or an INIT to "self" is not defined (SDM 3A table 11-3): nothing comes. */
static bool may_signal(const struct lapic *lapic)
{
	return (lapic->icr_low >> 18 & 3) == 0 && reaches_itself(lapic);
}

/* SMIs are not modelled, a start-up IPI does nothing to a processor that runs, and the level de-assertion of INIT nothing at all (SDM 3A 11.6.1). */
void lapic_send(struct lapic *lapic)
{
	uint32_t low = lapic->icr_low;

	switch (delivery_mode(low)) {
	case LAPIC_MODE_FIXED:
	case LAPIC_MODE_LOWEST:
		send_vector(lapic, (uint8_t)low);
		break;
	case LAPIC_MODE_NMI:
		if (may_signal(lapic))
			lapic->hooks.signal(lapic->hooks.context, LAPIC_NMI);
		break;
	case LAPIC_MODE_INIT:
		if (may_signal(lapic) && !(low & LAPIC_ICR_LEVEL && !(low & LAPIC_ICR_ASSERT)))
			lapic->hooks.signal(lapic->hooks.context, LAPIC_INIT);
		break;
	}
}

void lapic_send_self(struct lapic *lapic, uint8_t vector)
{
	if (vector < LAPIC_FIRST_VECTOR)
		lapic_error(lapic, LAPIC_ERROR_SENT_VECTOR);
	lapic_deliver(lapic, vector, false);
}

/* To the processor, and back. */

uint8_t lapic_acknowledge(struct lapic *lapic, uint64_t now_ns)
{
	if (lapic->deliverable < 0) {
		lapic->spurious++;
		return (uint8_t)lapic->svr;
	}

	uint8_t vector = (uint8_t)lapic->deliverable;

	remove_vector(&lapic->irr, vector);
	add_vector(&lapic->isr, vector);
	lapic->highest_irr = highest_vector(&lapic->irr);
	lapic->highest_isr = vector;
	prioritise(lapic);
	if (vector == lapic->timer_vector)
		lapic_timer_accepted(&lapic->timer, now_ns);
	lapic->hooks.accepted(lapic->hooks.context, vector, now_ns);
	return vector;
}

/* Kept out of the way of edge-triggered ones. */
static __attribute__((noinline)) void end_level(struct lapic *lapic, uint8_t vector, uint64_t now_ns)
{
	uint32_t *lint0 = &lapic->lvt[LAPIC_LVT_LINT0];

	if (*lint0 & LAPIC_LVT_REMOTE_IRR && (*lint0 & LAPIC_VECTOR) == vector) {
		*lint0 &= ~LAPIC_LVT_REMOTE_IRR;
		deliver_level(lapic);
	}
	lapic->hooks.eoi(lapic->hooks.context, vector, now_ns);
}

void lapic_end(struct lapic *lapic, uint64_t now_ns)
{
	if (lapic->highest_isr < 0)
		return;

	uint8_t vector = (uint8_t)lapic->highest_isr;

	remove_vector(&lapic->isr, vector);
	lapic->highest_isr = highest_vector(&lapic->isr);
	prioritise(lapic);
	if (has_vector(&lapic->tmr, vector))
		end_level(lapic, vector, now_ns);
}

/* The timer. */

static bool timer_masked(void *device)
{
	const struct lapic *lapic = device;
	uint32_t lvt = lapic->lvt[LAPIC_LVT_TIMER];

	return lvt & LAPIC_LVT_MASKED || (lvt & LAPIC_VECTOR) < LAPIC_FIRST_VECTOR || !lapic_is_enabled(lapic);
}

static void timer_raise(void *device, uint64_t now_ns)
{
	struct lapic *lapic = device;
	uint32_t lvt = lapic->lvt[LAPIC_LVT_TIMER];

	(void)now_ns;
	if (lvt & LAPIC_LVT_MASKED)
		return;
	lapic->timer_vector = (uint8_t)lvt;
	lapic_deliver(lapic, (uint8_t)lvt, false);
}

static const struct tick_ops timer_ops = { .raise = timer_raise, .masked = timer_masked };

/* From the beginning. */

/* All but MSR 1Bh. */
static void reset_registers(struct lapic *lapic)
{
	lapic_timer_reset(&lapic->timer);
	memset(&lapic->irr, 0, sizeof lapic->irr);
	memset(&lapic->isr, 0, sizeof lapic->isr);
	memset(&lapic->tmr, 0, sizeof lapic->tmr);
	lapic->highest_irr = lapic->highest_isr = -1;
	lapic->ldr = lapic->icr_low = lapic->icr_high = 0;
	lapic->dfr = UINT32_MAX;
	lapic->svr = 0xff;
	for (unsigned i = 0; i < LAPIC_LVT_COUNT; i++)
		lapic->lvt[i] = LAPIC_LVT_MASKED;
	lapic->errors = lapic->esr = 0;
	lapic->error_told = false;
	lapic->timer_vector = 0;
	lapic_set_tpr(lapic, 0);
	lapic->hooks.tpr_changed(lapic->hooks.context, 0);
	lapic_pins_changed(lapic);
}

void lapic_reset(struct lapic *lapic)
{
	lapic->base = LAPIC_PAGE_GPA | LAPIC_BASE_ENABLE | LAPIC_BASE_BSP;
	reset_registers(lapic);
}

void lapic_virtual_wire(struct lapic *lapic)
{
	lapic->svr = LAPIC_SVR_ENABLE | 0xf;
	lapic->lvt[LAPIC_LVT_LINT0] = LAPIC_MODE_EXTINT << 8;
	lapic->lvt[LAPIC_LVT_LINT1] = LAPIC_MODE_NMI << 8;
	lapic_pins_changed(lapic);
}

/* Legal: off to xAPIC, xAPIC to x2APIC, either to off (SDM 3A figure 11-27). */
static bool is_legal(uint64_t from, uint64_t to)
{
	bool from_x2apic = from & LAPIC_BASE_X2APIC, to_x2apic = to & LAPIC_BASE_X2APIC;

	if (!(to & LAPIC_BASE_ENABLE))
		return !to_x2apic;
	return to_x2apic ? (from & LAPIC_BASE_ENABLE) != 0 : !from_x2apic;
}

/* Switched off it forgets all; in x2APIC the logical ID follows from the ID, and the DFR is none (SDM 3A 11.12.10.2). */
bool lapic_write_base(struct lapic *lapic, uint64_t value)
{
	uint64_t old = lapic->base, mode = value & (LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC);

	if ((value & ~LAPIC_BASE_BSP) != (LAPIC_PAGE_GPA | mode) || !is_legal(old, value))
		return false;
	lapic->base = LAPIC_PAGE_GPA | mode | LAPIC_BASE_BSP;
	if (lapic->base == old)
		return true;
	if (!(value & LAPIC_BASE_ENABLE))
		reset_registers(lapic);
	else if (value & LAPIC_BASE_X2APIC)
		lapic->ldr = LAPIC_X2APIC_LDR;
	lapic_pins_changed(lapic);
	lapic_tell_enabled(lapic);
	return true;
}

void lapic_init(struct lapic *lapic, struct bus *bus, struct event_queue *queue, const struct lapic_hooks *hooks)
{
	memset(lapic, 0, sizeof *lapic);
	lapic->hooks = *hooks;
	lapic->has_deadline = true;
	lapic_timer_init(&lapic->timer, queue, &timer_ops, lapic);
	lapic_claim_page(lapic, bus);
	lapic_reset(lapic);
}
