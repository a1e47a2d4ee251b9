/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The wiring of PIC, IOAPIC and local APIC, and the interrupt that comes next: the local APIC's before the 8259A pair's, which reach the
 * processor as ExtINT and so whatever its CR8 is. */
#include "vm/apic.h"

#include "monitor/eventlog.h"
#include "vm/machine.h"

#define MSR_APIC_BASE 0x1bu
#define IOAPIC_REGISTER_INDEX 0x00u
#define IOAPIC_REGISTER_DATA 0x10u
#define IOAPIC_ID_SHIFT 24

/* The guest writes CR8 without an exit. Its lower half is what the local APIC has kept of a write to its own register. */
static void follow_cr8(void *context)
{
	struct machine *machine = context;
	uint64_t cr8 = machine->ops->get(&machine->vcpu, CR8);

	if (machine->lapic.tpr >> 4 != cr8)
		lapic_set_tpr(&machine->lapic, (uint8_t)(cr8 << 4));
}

static void set_cr8(void *context, uint8_t tpr)
{
	struct machine *machine = context;

	machine->ops->set(&machine->vcpu, CR8, tpr >> 4);
}

static bool extint_passes(const void *context)
{
	const struct machine *machine = context;

	return lapic_takes_extint(&machine->lapic) || ioapic_takes_extint(&machine->ioapic);
}

unsigned apic_next_priority(struct machine *machine, bool *ready)
{
	unsigned held = 0;

	*ready = true;
	if (lapic_may_interrupt(&machine->lapic)) {
		follow_cr8(machine);
		if (lapic_pending(&machine->lapic) >= 0)
			return (unsigned)lapic_pending(&machine->lapic) >> 4;
		held = lapic_tpr_threshold(&machine->lapic);
	}
	if (pic_pending(&machine->pic) && extint_passes(machine))
		return PRIORITY_ANY_CR8;
	*ready = false;
	return held;
}

uint8_t apic_acknowledge(struct machine *machine)
{
	if (lapic_may_interrupt(&machine->lapic) && lapic_pending(&machine->lapic) >= 0)
		return lapic_acknowledge(&machine->lapic, machine->now_ns);
	return pic_acknowledge(&machine->pic, machine->now_ns);
}

/* The 8259A pair's INT. */
static void drive_int(void *context, bool level)
{
	struct machine *machine = context;

	lapic_set_int(&machine->lapic, level);
	ioapic_set_pin(&machine->ioapic, IOAPIC_PIN_INT, level);
}

/* NMIs and SMIs reach no handler: nothing that Foliot models makes one. INIT without firmware to start anew from is a reset. */
static void take_signal(struct machine *machine, enum apic_signal signal)
{
	machine->apic_signals++;
	eventlog_add(&machine_log, LOG_APIC_SIGNAL, machine->now_ns, machine->host_tsc, signal, 0);
	if (signal == APIC_INIT)
		machine_request(machine, MACHINE_RESET, RESET_INIT);
}

static void take_lapic_signal(void *context, enum lapic_signal signal)
{
	take_signal(context, signal == LAPIC_INIT ? APIC_INIT : APIC_NMI);
}

static void take_ioapic_signal(void *context, enum ioapic_signal signal)
{
	take_signal(context, signal == IOAPIC_INIT ? APIC_INIT : signal == IOAPIC_NMI ? APIC_NMI : APIC_SMI);
}

static void accepted(void *context, uint8_t vector, uint64_t now_ns)
{
	struct machine *machine = context;

	if (machine->ioapic.waiting)
		ioapic_accepted(&machine->ioapic, vector, now_ns);
}

static void end_level(void *context, uint8_t vector, uint64_t now_ns)
{
	struct machine *machine = context;

	(void)now_ns;
	ioapic_eoi(&machine->ioapic, vector);
}

/* The local APIC takes more than it did. */
static void retry(void *context)
{
	struct machine *machine = context;

	ioapic_resend(&machine->ioapic);
}

static bool is_destination(const void *context, uint8_t destination, bool logical)
{
	const struct machine *machine = context;

	return lapic_is_destination(&machine->lapic, destination, logical);
}

static bool is_open(const void *context)
{
	const struct machine *machine = context;

	return lapic_is_enabled(&machine->lapic);
}

static bool deliver(void *context, uint8_t vector, bool level)
{
	struct machine *machine = context;

	return lapic_deliver(&machine->lapic, vector, level);
}

void apic_build(struct machine *machine)
{
	struct lapic_hooks hooks = { machine, accepted, end_level, take_lapic_signal, set_cr8, follow_cr8, retry };
	struct ioapic_sink sink = { machine, is_destination, is_open, deliver, take_ioapic_signal };
	struct pic_output output = { machine, drive_int, extint_passes };

	lapic_init(&machine->lapic, &machine->bus, &machine->events, &hooks);
	ioapic_init(&machine->ioapic, &machine->bus, &machine->irqs, &sink);
	pic_connect(&machine->pic, &output);
	lapic_virtual_wire(&machine->lapic);
	bus_write_mmio(&machine->bus, IOAPIC_GPA + IOAPIC_REGISTER_INDEX, 0, 4, 0);
	bus_write_mmio(&machine->bus, IOAPIC_GPA + IOAPIC_REGISTER_DATA, (uint64_t)APIC_IOAPIC_ID << IOAPIC_ID_SHIFT, 4, 0);
	machine->lapic.has_deadline = cpuid_view_has_tsc_deadline(&machine->cpuid);
	if (!cpuid_view_has_apic(&machine->cpuid))
		lapic_write_base(&machine->lapic, machine->lapic.base & ~LAPIC_BASE_ENABLE);
}

/* CPUID's APIC bit follows (SDM 3A 11.4.3). */
static bool write_base(struct machine *machine, uint64_t value)
{
	if (!cpuid_view_has_apic(&machine->cpuid) || (value & LAPIC_BASE_X2APIC && !cpuid_view_has_x2apic(&machine->cpuid)) ||
	    !lapic_write_base(&machine->lapic, value))
		return false;
	cpuid_view_switch_apic(&machine->cpuid, value & LAPIC_BASE_ENABLE);
	return true;
}

bool apic_read_msr(struct machine *machine, uint32_t msr, uint64_t *value)
{
	struct lapic *lapic = &machine->lapic;

	if (msr == MSR_APIC_BASE) {
		*value = lapic->base;
		return cpuid_view_has_apic(&machine->cpuid);
	}
	*value = lapic_read_deadline(lapic, machine->now_ns);
	return lapic->has_deadline;
}

bool apic_write_msr(struct machine *machine, uint32_t msr, uint64_t value)
{
	struct lapic *lapic = &machine->lapic;

	if (msr == MSR_APIC_BASE)
		return write_base(machine, value);
	if (lapic->has_deadline)
		lapic_write_deadline(lapic, value, machine_guest_tsc(machine), machine->now_ns);
	return lapic->has_deadline;
}
