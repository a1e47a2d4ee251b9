/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Building the machine, in the one order that works: settings, engine, memory, guest, firmware tables, devices, time. */
#include "vm/machine.h"

#include "base/mem.h"
#include "host/bed_clock.h"
#include "host/cpu.h"
#include "host/panic.h"
#include "host/memory.h"
#include "host/message.h"
#include "host/power.h"
#include "host/timer.h"
#include "monitor/eventlog.h"
#include "timekeeping/arith.h"
#include "vm/acpi_tables.h"
#include "vm/apic.h"
#include "vm/load.h"
#include "vm/memory.h"
#include "vm/smbios.h"

#define NS_PER_SECOND 1000000000ull
#define POLLS_PER_SECOND 1000
#define UART_PORT 0x3f8
#define UART_IRQ 4
#define PANIC_EVENTS 32
#define HIGH_MEMORY 0x100000ull
#define FOUR_GIB (1ull << 32)
#define CPUID_0_EBX_INTEL 0x756e6547u /* "Genu" */

struct eventlog machine_log;

static struct machine the_machine;

static void warn(void *context, const char *line)
{
	(void)context;
	message(300, "%s", line);
}

static void choose_engine(struct machine *machine, const struct virt_ops *ops)
{
	struct refusal why;

	machine->ops = ops;
	machine->cpuid = cpuid_view_of(&machine->settings, cpuid(0, 0).ebx == CPUID_0_EBX_INTEL);
	if (!ops->probe(&machine->features, &why))
		message_refusal(&why);
	ops->enable();
	if (machine->settings.tsc == TSC_SCALE && !machine->features.multiplier.frac_bits)
		message(210, "tsc=scale was asked for, but this processor has no TSC multiplier: RDTSC exits wherever "
			"the ratio is not exactly 1");
}

static void build_memory(struct machine *machine, const struct boot_info *boot)
{
	struct guest_map_input input = {
		.ranges = boot->ranges,
		.count = boot->range_count,
		.image_base_hpa = boot->image_base_hpa,
		.image_bytes = boot->image_bytes,
		.limit_mib = machine->settings.mem_mib,
	};
	struct refusal why;

	if (!guest_map_build(&input, &machine->map, &why))
		message_refusal(&why);
	memory_init(&machine->map, machine->ops, &machine->ram);
}

static void load_guest(struct machine *machine, const struct boot_info *boot)
{
	static struct load_module modules[BOOT_MODULES_MAX];
	struct load_input input = {
		.modules = modules,
		.count = boot->module_count,
		.map = &machine->map,
		.ram = &machine->ram,
		.rsdp_gpa = ACPI_TABLES_RSDP_GPA,
	};
	struct vcpu_start start;
	struct refusal why;

	for (size_t i = 0; i < boot->module_count; i++)
		modules[i] = (struct load_module){ boot->modules[i].base_hpa, boot->modules[i].bytes,
						   host_ram(boot->modules[i].base_hpa),
						   boot->modules[i].command_line };
	if (!guest_load(&input, &start, &why)) {
		message(why.number, "%s", why.text);
		host_stop(END_REFUSED);
	}
	machine->ops->vcpu_init(&machine->vcpu, &start);
}

/* The shape of the guest's HPET; no comparators where it has none. */
static struct hpet_shape hpet_shape(const struct machine *machine)
{
	return machine->settings.clocks & CLOCK_HPET ? machine->settings.hpet : (struct hpet_shape){ 0 };
}

static void build_firmware(struct machine *machine)
{
	uint32_t clocks = machine->settings.clocks;
	struct hpet_shape hpet = hpet_shape(machine);
	struct acpi_chips chips = { .pic = true, .pit = clocks & CLOCK_PIT, .rtc = clocks & CLOCK_RTC, .pmtimer = clocks & CLOCK_PMTIMER,
				    .uart = true, .apic = clocks & CLOCK_LAPIC, .hpet = hpet.wide || hpet.narrow, .hpet_block_id = hpet_block_id(&hpet) };

	guest_map_build_bios_area(&machine->ram);
	acpi_tables_build(&machine->ram, &chips);
	smbios_build(&machine->ram);
}

/* Where the RAM below 4 GiB ends. */
static uint64_t ram_below_4g(const struct guest_map *map)
{
	return HIGH_MEMORY + guest_map_upper_kib(map) * 1024ull;
}

static uint64_t ram_above_4g(const struct guest_map *map)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < map->count; i++)
		if (map->ranges[i].gpa >= FOUR_GIB)
			bytes += map->ranges[i].bytes;
	return bytes;
}

/* The BIOS leaves the interrupt controllers and the PIT in this state, and systems that start without firmware rely on it: IRQ 0 to 7 at vectors
 * 8 to 15, all masked, and channel 0 at 18.2 Hz. */
static void program_legacy_chips(struct machine *machine)
{
	static const struct { uint16_t port; uint8_t value; } writes[] = {
		{ 0x20, 0x11 }, { 0x21, 0x08 }, { 0x21, 0x04 }, { 0x21, 0x01 }, { 0x21, 0xff },
		{ 0xa0, 0x11 }, { 0xa1, 0x70 }, { 0xa1, 0x02 }, { 0xa1, 0x01 }, { 0xa1, 0xff },
		{ 0x4d1, 0x02 }, /* the SCI on IRQ 9 is level-triggered */
		{ 0x43, 0x36 }, { 0x40, 0x00 }, { 0x40, 0x00 },
	};

	size_t count = sizeof writes / sizeof *writes;

	if (!(machine->settings.clocks & CLOCK_PIT))
		count -= 3;
	for (size_t i = 0; i < count; i++)
		bus_write_port(&machine->bus, writes[i].port, writes[i].value, 1, machine->now_ns);
}

/* The guest's calendar at its power-on. */
static int64_t choose_calendar(const struct machine *machine, const struct host_facts *host)
{
	if (!machine->settings.rtc_from_host)
		return machine->settings.rtc_unix;
	if (!host->has_rtc)
		message(309, "the host's clock shows no date: the guest starts at 1970-01-01 (set rtc=2025-01-01)");
	return host->has_rtc ? host->rtc_unix : 0;
}

/* A clock that the guest is not to have is built as the others, for whoever asks it the time; but nothing leads to it. */
static void remove_clocks(struct machine *machine, uint32_t clocks)
{
	if (!(clocks & CLOCK_PIT)) {
		bus_remove_ports(&machine->bus, PIT_COUNTER_PORT);
		bus_remove_ports(&machine->bus, PIT_SYSTEM_PORT);
	}
	if (!(clocks & CLOCK_RTC))
		bus_remove_ports(&machine->bus, RTC_PORT_INDEX);
	if (!(clocks & CLOCK_PMTIMER))
		pmtimer_remove_timer(&machine->pmtimer, &machine->bus);
	if (!(clocks & CLOCK_LAPIC)) { /* which is off already: the 8259A pair's INT goes to the processor */
		bus_remove_mmio(&machine->bus, LAPIC_PAGE_GPA);
		bus_remove_mmio(&machine->bus, IOAPIC_GPA);
	}
}

static void tell_calendar_end(void *context)
{
	struct machine *machine = context;

	if (!machine->calendar_end_told)
		message(403, "the guest's calendar has come to its end and stands there (date sets it to another time)");
	machine->calendar_end_told = true;
}

static void build_devices(struct machine *machine, int64_t unix_at_zero)
{
	struct machine_requests requests = { machine, machine_request };
	struct hpet_shape hpet = hpet_shape(machine);

	pic_init(&machine->pic, &machine->bus, &machine->irqs);
	apic_build(machine);
	pit_init(&machine->pit, &machine->bus, &machine->irqs, &machine->events);
	rtc_init(&machine->rtc, &machine->bus, &machine->irqs, &machine->events, unix_at_zero);
	machine->rtc.ended = tell_calendar_end;
	machine->rtc.ended_context = machine;
	rtc_set_memory(&machine->rtc, ram_below_4g(&machine->map), ram_above_4g(&machine->map));
	pmtimer_init(&machine->pmtimer, &machine->bus, &machine->irqs, &machine->events, &requests);
	hpet_init(&machine->hpet, &machine->bus, &machine->irqs, &machine->events, &hpet);
	uart_init(&machine->uart, &machine->bus, &machine->irqs, UART_PORT, UART_IRQ);
	reset_init(&machine->reset, &machine->bus, &requests);
	pvclock_init(&machine->pvclock, &machine->ram, unix_at_zero);
	hyperv_init(&machine->hyperv, &machine->ram, machine->cpuid.hyperv_features);
	msr_reset(&machine->msrs);
	tick_set_policy(&machine->pit.tick, machine->settings.tick_pit);
	tick_set_policy(&machine->rtc.tick, machine->settings.tick_rtc);
	hpet_set_policy(&machine->hpet, machine->settings.tick_hpet);
	tick_set_policy(&machine->lapic.timer.tick, machine->settings.tick_lapic);
	remove_clocks(machine, machine->settings.clocks);
}

/* The next command of do= waits in the event queue. */
static void arm_script(struct machine *machine)
{
	const struct settings *settings = &machine->settings;

	if (machine->script_next < settings->do_count)
		event_set(&machine->events, &machine->script, settings->dos[machine->script_next].at_ns);
}

static void run_script(void *owner, uint64_t now_ns)
{
	struct machine *machine = owner;
	const struct settings *settings = &machine->settings;

	while (machine->script_next < settings->do_count && settings->dos[machine->script_next].at_ns <= now_ns) {
		const struct settings_do *command = &settings->dos[machine->script_next++];

		mux_do(&machine->console.mux, command->at_ns, command->command);
	}
	arm_script(machine);
}

static void stop_at_end_of_time(void *owner, uint64_t now_ns)
{
	(void)now_ns;
	machine_stop_with_dump(owner, "guest time has come to its end (2^63 ns)", NULL);
}

/* Time starts at a whole millisecond of the host TSC, reached by the host timer: so the loader's disk, which is never equally fast, leaves no
 * trace in a run that a bed repeats. */
static uint64_t wait_for_start(uint64_t host_hz)
{
	uint64_t ms = host_hz / 1000, start_tsc = (rdtsc() / ms + 2) * ms;

	do {
		timer_arm(start_tsc);
		cpu_wait_for_interrupt();
	} while (rdtsc() < start_tsc);
	return start_tsc;
}

static void start_time(struct machine *machine, uint64_t host_hz)
{
	machine->rate = machine->settings.rate;
	uint64_t start_tsc = wait_for_start(host_hz);

	bed_clock_restart();
	machine_start_line(machine, host_hz, start_tsc);
	machine_withhold(machine, WITHHELD_PAUSED, !machine->rate.num);
	machine->poll_period_tsc = host_hz / POLLS_PER_SECOND;
	machine->quiet_period_tsc = mul_div_floor(machine->settings.poll_ns, host_hz, NS_PER_SECOND);
	machine->next_poll_tsc = machine->breath_tsc = machine->started_tsc;
	event_init(&machine->script, run_script, machine);
	event_init(&machine->end_of_time, stop_at_end_of_time, machine);
	event_set(&machine->events, &machine->end_of_time, GUEST_TIME_END);
	arm_script(machine);
}

static void print_event(void *context, const char *text)
{
	(void)context;
	message_text("  %s", text);
}

static void on_panic(void)
{
	eventlog_last(&machine_log, PANIC_EVENTS, print_event, NULL);
}

static void say_on_console(const char *line)
{
	mux_say(&the_machine.console.mux, line);
}

_Noreturn void machine_main(const struct boot_info *boot, const struct host_facts *host, const struct virt_ops *ops)
{
	struct machine *machine = &the_machine;

	panic_set_hook(on_panic);
	cmdline_parse(boot->command_line, &machine->settings, warn, NULL);
	power_set_exit_port(machine->settings.exit_port);
	choose_engine(machine, ops);
	build_memory(machine, boot);
	load_guest(machine, boot);
	build_firmware(machine);
	build_devices(machine, choose_calendar(machine, host));
	console_init(machine, ops->name);
	start_time(machine, host->tsc_hz);
	machine_trace_start(machine, ram_below_4g(&machine->map), ram_above_4g(&machine->map));
	test_hooks_start(machine);
	program_legacy_chips(machine);
	message(400, "the guest starts: %lu MiB, rate %lu/%lu, host TSC %lu Hz", machine->map.ram_bytes >> 20,
		machine->rate.num, machine->rate.den, machine->line.host_hz);
	message_set_console(say_on_console);
	machine_run(machine);
}
