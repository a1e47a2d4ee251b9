/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Bring-up: from the loader's hand-over to the machine, in the one order that works. What goes wrong here is
 * said in a numbered message, on serial first, as that needs nothing. */
#include "boot/boot_info.h"
#include "base/mem.h"
#include "boot/display.h"
#include "boot/multiboot2.h"
#include "boot/relocate.h"
#include "host/acpi.h"
#include "host/apic.h"
#include "host/bed_clock.h"
#include "host/build.h"
#include "host/calibrate.h"
#include "host/cpu.h"
#include "host/interrupts.h"
#include "host/memory.h"
#include "host/message.h"
#include "host/power.h"
#include "host/rtc.h"
#include "host/serial.h"
#include "host/timer.h"
#include "svm/svm.h"
#include "vm/machine.h"
#include "vmx/vmx.h"

#define LOADER_MAGIC 0x36d76289u /* Multiboot2 2.0 3.3 */
#define CPUID_1_ECX_VMX (1u << 5)
#define CPUID_8000_0001_ECX_SVM (1u << 2)
#define VENDOR_INTEL_EBX 0x756e6547u /* "Genu" */
#define BAUD 115200u

static struct boot_info info;

/* Called by boot/entry.asm on the main stack: the loader's magic, its information, and where the image's high
 * part was loaded. */
void boot_main(uint32_t magic, uint32_t information_hpa, uint64_t loaded_hpa);

static void read_loader_information(uint32_t magic, uint32_t information_hpa)
{
	struct refusal why;

	if (magic != LOADER_MAGIC)
		message_fatal(101, "not started by a Multiboot2 loader (EAX is %xh, not %xh): boot with GRUB's multiboot2 "
		              "command", magic, LOADER_MAGIC);
	if (!multiboot2_parse((const void *)(uintptr_t)information_hpa, &info, &why))
		message_refusal(&why);
}

/* The machine reads its settings later; a bed must be left even when something is amiss before. */
static void find_exit_port(void)
{
	static const char key[] = "exit-port=0x";
	const char *at = info.command_line;
	uint16_t port = 0;

	while (*at && strncmp(at, key, sizeof key - 1))
		at++;
	for (at += *at ? sizeof key - 1 : 0; *at; at++) {
		const char *digit = strchr("0123456789abcdef", *at | 0x20);

		if (!digit)
			break;
		port = (uint16_t)(port << 4 | (digit - strchr("0123456789abcdef", '0')));
	}
	power_set_exit_port(port);
}

static void copy_brand(char brand[49])
{
	brand[0] = 0;
	if (cpuid(0x80000000, 0).eax < 0x80000004)
		return;
	for (uint32_t i = 0; i < 3; i++) {
		struct cpuid c = cpuid(0x80000002 + i, 0);

		memcpy(brand + 16 * i, &c, sizeof c);
	}
	brand[48] = 0;
}

static void print_banner(void)
{
	char brand[49], id[BUILD_ID_BYTES];
	const char *name = brand;

	copy_brand(brand);
	while (*name == ' ')
		name++;
	build_id(id);
	message_text("Foliot " FOLIOT_VERSION " (%s) on %s", id, *name ? name : "an unnamed processor");
}

static void check_processor(void)
{
	uint32_t edx = cpuid(0x80000001, 0).edx;

	if (!(edx & 1u << 20))
		message_fatal(113, "this processor cannot forbid execution (CPUID 80000001h EDX is %08xh, bit 20 is 0): "
		              "enable NX or XD in the firmware's setup", edx);
	if (cpuid(1, 0).ecx & 1u << 26)
		write_cr4(read_cr4() | CR4_OSXSAVE); /* for XSETBV on the guest's behalf */
}

static const void *read_firmware(void *context, uint64_t hpa, size_t bytes)
{
	(void)context;
	if (host_ram_reaches(hpa, bytes))
		return host_ram(hpa);
	if (hpa >= host_physical_end() || bytes > host_physical_end() - hpa)
		return NULL;
	return host_map_mmio(hpa, bytes); /* some firmware keeps tables in memory that it calls reserved */
}

static void read_acpi(struct acpi_machine *acpi)
{
	struct acpi_reader reader = { read_firmware, NULL };

	acpi_read(acpi, info.rsdp, info.rsdp_bytes, reader);
	power_use_acpi(acpi);
	host_rtc_set_century(acpi->century_register);
	if (!acpi->present)
		message(132, "no ACPI tables were found: power-off and reset may not work");
	if (acpi->bad_tables)
		message(133, "%u ACPI tables have a wrong checksum or size and were not read", acpi->bad_tables);
	if (acpi->processors > 1)
		message(134, "%u processors; Foliot uses one, the others are never started", acpi->processors);
}

static void start_clocks(const struct acpi_machine *acpi, struct host_facts *facts)
{
	static struct calibration c;

	apic_init(acpi);
	calibrate_machine(&c, acpi);
	timer_init(c.tsc_hz, c.lapic_hz);
	bed_clock_init(acpi);
	facts->tsc_hz = c.tsc_hz;
	facts->has_rtc = host_rtc_read(&facts->rtc_unix);
	message(140, "TSC %lu Hz within %lu ppb, by %s%s%s%s%s; local APIC timer %s", c.tsc_hz, c.width_ppb,
	        c.sources[0].name, c.source_count > 1 ? ", " : "", c.source_count > 1 ? c.sources[1].name : "",
	        c.source_count > 2 ? ", " : "", c.source_count > 2 ? c.sources[2].name : "",
	        timer_has_deadline_mode() ? "with TSC deadline" : "counts");
}

/* By what CPUID offers; where it offers neither, the vendor's own engine says in words what is missing. */
static const struct virt_ops *choose_engine(void)
{
	bool has_svm = cpuid(0x80000000, 0).eax > 0x80000000 && cpuid(0x80000001, 0).ecx & CPUID_8000_0001_ECX_SVM;
	bool has_vmx = cpuid(1, 0).ecx & CPUID_1_ECX_VMX;

	if (has_svm || has_vmx)
		return has_svm ? &svm_ops : &vmx_ops;
	return cpuid(0, 0).ebx == VENDOR_INTEL_EBX ? &vmx_ops : &svm_ops;
}

void boot_main(uint32_t magic, uint32_t information_hpa, uint64_t loaded_hpa)
{
	struct acpi_machine acpi;
	struct host_facts facts = { 0 };

	serial_init(&serial_com1, SERIAL_COM1_PORT, BAUD);
	serial_init(&serial_com2, SERIAL_COM2_PORT, BAUD);
	read_loader_information(magic, information_hpa);
	find_exit_port();
	display_start(&info);
	print_banner();
	check_processor();
	relocate(&info, loaded_hpa);
	interrupts_init();
	display_move(&info);
	read_acpi(&acpi);
	start_clocks(&acpi, &facts);
	machine_main(&info, &facts, choose_engine());
}
