/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Paging outside long mode: 32-bit with 4 MiB pages, and PAE, whose first level is four registers that a write of CR0 or CR4 may load and that
 * must not have a reserved bit set (SDM 3A 4.3, 4.4.1). Addresses are their own, but for a window at 1 GiB. Instructions that the hypervisor
 * carries out must find their bytes through the tables. */
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/report.h"

#define CR0_PG (1u << 31)
#define CR4_PSE (1u << 4)
#define CR4_PAE (1u << 5)
#define CR4_PGE (1u << 7)

#define PRESENT 1u
#define WRITABLE 2u
#define LARGE 0x80u
#define PAGE_4M 0x400000u
#define PAGE_2M 0x200000u

#define WINDOW 0x40000000u /* the second GiB */

const char test_name[] = "paging";

static uint32_t directory_32[1024] __attribute__((aligned(4096)));
static uint64_t pdpt[4] __attribute__((aligned(32)));
static uint64_t directories[4][512] __attribute__((aligned(4096)));
static uint64_t other[512] __attribute__((aligned(4096))); /* another second GiB */
static volatile uint32_t marks[2] = { 0x11111111, 0x22222222 };

static void write_cr3(uint32_t value)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(value) : "memory");
}

static void paging(bool on)
{
	write_cr0(on ? read_cr0() | CR0_PG : read_cr0() & ~CR0_PG);
}

/* The mark at its own address plus where the window begins. */
static uint32_t seen(void)
{
	return *(const volatile uint32_t *)((uint32_t)&marks[0] % PAGE_2M + WINDOW);
}

/* An exit whose instruction the hypervisor must find. */
static bool cpuid_works(void)
{
	return cpuid(0, 0).eax >= 1 && inb(0x61) != 0xff;
}

static void build(void)
{
	uint32_t here = (uint32_t)&marks[0];

	for (uint32_t i = 0; i < 1024; i++)
		directory_32[i] = i * PAGE_4M | LARGE | PRESENT | WRITABLE;
	directory_32[WINDOW / PAGE_4M] = here / PAGE_4M * PAGE_4M | LARGE | PRESENT | WRITABLE;
	for (uint32_t i = 0; i < 2048; i++)
		directories[i / 512][i % 512] = (uint64_t)i * PAGE_2M | LARGE | PRESENT | WRITABLE;
	for (uint32_t i = 0; i < 512; i++)
		other[i] = directories[1][i];
	directories[1][0] = here / PAGE_2M * PAGE_2M | LARGE | PRESENT | WRITABLE;
	other[0] = 0x600000 | LARGE | PRESENT | WRITABLE;
	*(volatile uint32_t *)(0x600000 + here % PAGE_2M) = marks[1];
	for (uint32_t i = 0; i < 4; i++)
		pdpt[i] = (uint32_t)&directories[i][0] | PRESENT;
}

static void paging_of_32_bits(void)
{
	write_cr4(read_cr4() | CR4_PSE);
	write_cr3((uint32_t)directory_32);
	paging(true);
	report(*(const volatile uint32_t *)((uint32_t)&marks[0] % PAGE_4M + WINDOW) == marks[0], "4 MiB pages translate");
	report(cpuid_works(), "instructions with exits run under 32-bit paging");
	paging(false);
	report(cpuid_works(), "and with paging off again");
}

static void toggle_pge(void *argument)
{
	(void)argument;
	write_cr4(read_cr4() ^ CR4_PGE);
}

static void turn_on(void *argument)
{
	(void)argument;
	paging(true);
}

static void paging_by_pae(void)
{
	write_cr4(read_cr4() | CR4_PAE);
	write_cr3((uint32_t)pdpt);
	paging(true);
	report(seen() == marks[0], "PAE translates: %x", seen());
	report(cpuid_works(), "instructions with exits run under PAE");
	pdpt[1] = (uint32_t)other | PRESENT;
	toggle_pge(0);
	report(seen() == marks[1], "a write of CR4 takes over the first level: %x", seen());
	pdpt[1] = (uint32_t)&directories[1][0] | PRESENT;
	write_cr3((uint32_t)pdpt);
	report(seen() == marks[0], "a write of CR3 does: %x", seen());
	paging(false);
	pdpt[1] = (uint32_t)other | PRESENT;
	paging(true);
	report(seen() == marks[1], "turning paging on does: %x", seen());
}

static void bad_first_level(void)
{
	static const uint64_t bad[] = { 1ull << 1, 1ull << 2, 1ull << 5, 1ull << 8, 1ull << 51, 1ull << 63 };
	uint32_t cr4 = read_cr4(), wrong = 0;

	if (cpu_is_amd()) { /* with nested paging the first level is memory as any other (APM 2 15.25.10) */
		report_skip("PAE's first level is no register here");
		return;
	}
	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		uint64_t good = pdpt[3];

		pdpt[3] = good | bad[i];
		wrong += guarded_call(toggle_pge, 0) != X_GP || read_cr4() != cr4;
		paging(false);
		wrong += guarded_call(turn_on, 0) != X_GP || read_cr0() & CR0_PG;
		pdpt[3] = good;
		wrong += guarded_call(turn_on, 0) != NO_FAULT || !cpuid_works();
	}
	report(!wrong, "reserved bits in the first level are #GP, and change nothing: %u wrong", wrong);
	pdpt[3] &= ~(uint64_t)PRESENT;
	pdpt[3] |= 1ull << 51;
	report(guarded_call(toggle_pge, 0) == NO_FAULT, "they do no harm in an entry that is not present");
}

void test_main(void)
{
	build();
	paging_of_32_bits();
	paging_by_pae();
	bad_first_level();
	paging(false);
	write_cr4(read_cr4() & ~(CR4_PAE | CR4_PSE | CR4_PGE));
	report(cpuid_works(), "everything off again");
}
