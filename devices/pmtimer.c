/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ACPI's fixed hardware (ACPI 6.5, 4.8.3). */
#include "devices/pmtimer.h"

#include "base/mem.h"
#include "timekeeping/arith.h"

#define SECOND_NS 1000000000ull
#define STATUS_BITS (PM1_TMR | PM1_BM | PM1_GBL | PM1_PWRBTN | PM1_SLPBTN | PM1_RTC | PM1_WAK)
#define ENABLE_BITS (PM1_TMR | PM1_GBL | PM1_PWRBTN | PM1_SLPBTN | PM1_RTC)
#define CARRY_BIT (PM_TMR_BITS - 1)

uint32_t pmtimer_value(uint64_t now_ns)
{
	return (uint32_t)mul_div_floor(now_ns, PM_TMR_HZ, SECOND_NS);
}

static uint64_t carries_by(uint64_t now_ns)
{
	return mul_div_floor(now_ns, PM_TMR_HZ, SECOND_NS) >> CARRY_BIT;
}

static void drive_line(struct pmtimer *pmtimer)
{
	bool level = pmtimer->status & pmtimer->enable;

	if (level == pmtimer->line)
		return;
	pmtimer->line = level;
	irq_set(pmtimer->router, PM_SCI_IRQ, level);
}

/* TMR_STS is set whenever the highest bit changes, in either direction (4.8.3.1.1). */
static void catch_up(struct pmtimer *pmtimer, uint64_t now_ns)
{
	uint64_t carries = carries_by(now_ns);

	if (carries == pmtimer->carries || !pmtimer->has_timer)
		return;
	pmtimer->carries = carries;
	pmtimer->status |= PM1_TMR;
}

/* Once everything up to now is caught up with. A flag that is set already needs no event: the line is up. */
static void refresh(struct pmtimer *pmtimer)
{
	uint64_t due_ns = EVENT_NEVER;

	drive_line(pmtimer);
	if ((pmtimer->enable & ~pmtimer->status) & PM1_TMR)
		due_ns = mul_div_ceil((pmtimer->carries + 1) << CARRY_BIT, SECOND_NS, PM_TMR_HZ);
	event_set(pmtimer->queue, &pmtimer->event, due_ns);
}

static void fire(void *owner, uint64_t now_ns)
{
	struct pmtimer *pmtimer = owner;

	catch_up(pmtimer, now_ns);
	refresh(pmtimer);
}

/* The registers take accesses of any width and place: what is read is cut out of the whole register, what is
 * written is put where it belongs, with a mask of the bits that were written. */

static uint32_t read_timer(void *device, uint16_t port, unsigned bytes, uint64_t now_ns)
{
	(void)device;
	(void)bytes;
	return pmtimer_value(now_ns) >> 8 * (port - PM_TMR_PORT);
}

static void write_timer(void *device, uint16_t port, uint32_t value, unsigned bytes, uint64_t now_ns)
{
	(void)device;
	(void)port;
	(void)value;
	(void)bytes;
	(void)now_ns;
}

static uint32_t read_event(void *device, uint16_t port, unsigned bytes, uint64_t now_ns)
{
	struct pmtimer *pmtimer = device;

	(void)bytes;
	catch_up(pmtimer, now_ns);
	drive_line(pmtimer);
	return (pmtimer->status | (uint32_t)pmtimer->enable << 16) >> 8 * (port - PM1A_EVT_PORT);
}

static uint32_t width_mask(unsigned bytes)
{
	return UINT32_MAX >> (32 - 8 * bytes);
}

/* Status bits are cleared by writing 1. */
static void write_event(void *device, uint16_t port, uint32_t value, unsigned bytes, uint64_t now_ns)
{
	struct pmtimer *pmtimer = device;
	unsigned shift = 8u * (unsigned)(port - PM1A_EVT_PORT);
	uint32_t mask = width_mask(bytes) << shift, written = value << shift & mask;

	catch_up(pmtimer, now_ns);
	pmtimer->status &= (uint16_t)~written;
	pmtimer->enable = (uint16_t)((pmtimer->enable & ~(mask >> 16)) | (written >> 16)) & ENABLE_BITS;
	if (!pmtimer->has_timer)
		pmtimer->enable &= (uint16_t)~PM1_TMR;
	refresh(pmtimer);
}

static uint32_t read_control(void *device, uint16_t port, unsigned bytes, uint64_t now_ns)
{
	const struct pmtimer *pmtimer = device;

	(void)bytes;
	(void)now_ns;
	return (uint32_t)pmtimer->control >> 8 * (port - PM1A_CNT_PORT);
}

/* SLP_EN and GBL_RLS read as 0; SLP_EN puts the machine into the state that SLP_TYP names, of which there is one. */
static void write_control(void *device, uint16_t port, uint32_t value, unsigned bytes, uint64_t now_ns)
{
	struct pmtimer *pmtimer = device;
	unsigned shift = 8u * (unsigned)(port - PM1A_CNT_PORT);
	uint32_t mask = width_mask(bytes) << shift, written = (pmtimer->control & ~mask) | (value << shift & mask);

	(void)now_ns;
	pmtimer->control = (written & (PM1_CNT_BM_RLD | PM1_CNT_SLP_TYP)) | PM1_CNT_SCI_EN;
	if ((written & PM1_CNT_SLP_EN) && (written & PM1_CNT_SLP_TYP) >> PM1_CNT_SLP_TYP_SHIFT == PM_SLP_TYP_S5)
		pmtimer->requests.request(pmtimer->requests.context, MACHINE_POWER_OFF, 0);
}

void pmtimer_init(struct pmtimer *pmtimer, struct bus *bus, struct irq_router *router, struct event_queue *queue,
		  const struct machine_requests *requests)
{
	struct port_range events = { .first = PM1A_EVT_PORT, .last = PM1A_EVT_PORT + PM1A_EVT_BYTES - 1, .widest = 4,
				     .device = pmtimer, .read = read_event, .write = write_event };
	struct port_range control = { .first = PM1A_CNT_PORT, .last = PM1A_CNT_PORT + PM1A_CNT_BYTES - 1, .widest = 2,
				      .device = pmtimer, .read = read_control, .write = write_control };
	struct port_range timer = { .first = PM_TMR_PORT, .last = PM_TMR_PORT + PM_TMR_BYTES - 1, .widest = 4,
				    .device = pmtimer, .read = read_timer, .write = write_timer };

	memset(pmtimer, 0, sizeof(*pmtimer));
	pmtimer->router = router;
	pmtimer->queue = queue;
	pmtimer->requests = *requests;
	pmtimer->control = PM1_CNT_SCI_EN;
	pmtimer->has_timer = true;
	event_init(&pmtimer->event, fire, pmtimer);
	irq_claim(router, PM_SCI_IRQ, pmtimer, NULL);
	bus_add_ports(bus, &events);
	bus_add_ports(bus, &control);
	bus_add_ports(bus, &timer);
}

void pmtimer_remove_timer(struct pmtimer *pmtimer, struct bus *bus)
{
	pmtimer->has_timer = false;
	bus_remove_ports(bus, PM_TMR_PORT);
}

void pmtimer_reset(struct pmtimer *pmtimer, uint64_t now_ns)
{
	pmtimer->carries = carries_by(now_ns);
	pmtimer->status = 0;
	pmtimer->enable = 0;
	pmtimer->control = PM1_CNT_SCI_EN;
	refresh(pmtimer);
}

void pmtimer_press_power_button(struct pmtimer *pmtimer)
{
	pmtimer->status |= PM1_PWRBTN;
	drive_line(pmtimer);
}
