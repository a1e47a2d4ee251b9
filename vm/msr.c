/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The MSR table, sorted by number (SDM 4; APM 2 appendix A). Vendor-neutral: an MSR of the other vendor is harmless to have. */
#include "vm/msr.h"

#include "base/mem.h"
#include "host/cpu.h"
#include "monitor/eventlog.h"
#include "vm/apic.h"
#include "vm/cpuid.h"
#include "vm/machine.h"

#define EFER_SCE (1ull << 0)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)
#define EFER_FFXSR (1ull << 14)
#define CR0_PG (1ull << 31)
#define CPUID_8000_0001_EDX_FFXSR (1u << 25)
#define CPUID_7_EBX_TSC_ADJUST (1u << 1)

#define MTRR_CAP (1u << 10 | 1u << 8 | MSR_VARIABLE_MTRRS) /* write-combining, fixed ranges */
#define MTRR_DEFAULT_BITS 0xcffull
#define MISC_ENABLE_FAST_STRINGS (1ull << 0)
#define MISC_ENABLE_NO_BTS (1ull << 11)
#define MISC_ENABLE_NO_PEBS (1ull << 12)
#define HWCR_TSC_FREQ_SEL (1ull << 24) /* the TSC counts at the P0 frequency: Linux asks */
#define DE_CFG_LFENCE_SERIALIZE (1ull << 1)

struct msr_row {
	uint32_t first, last;
	bool (*read)(struct machine *machine, uint32_t msr, uint64_t *value);
	bool (*write)(struct machine *machine, uint32_t msr, uint64_t value);
};

static bool read_zero(struct machine *machine, uint32_t msr, uint64_t *value)
{
	(void)machine, (void)msr;
	*value = 0;
	return true;
}

static bool write_ignored(struct machine *machine, uint32_t msr, uint64_t value)
{
	(void)machine, (void)msr, (void)value;
	return true;
}

static bool refuse_write(struct machine *machine, uint32_t msr, uint64_t value)
{
	(void)machine, (void)msr, (void)value;
	return false;
}

/* Whether leaf 7 EBX tells of TSC_ADJUST. */
static bool has_tsc_adjust(const struct machine *machine)
{
	return !(machine->cpuid.hidden_7_ebx & CPUID_7_EBX_TSC_ADJUST);
}

static bool has_tsc(const struct machine *machine)
{
	return machine->settings.clocks & CLOCK_TSC;
}

static bool read_tsc(struct machine *machine, uint32_t msr, uint64_t *value)
{
	(void)msr;
	if (!has_tsc(machine))
		return false;
	*value = machine_guest_tsc(machine);
	machine_trace(machine, TRACE_TSC, *value, 0);
	return true;
}

static bool write_tsc(struct machine *machine, uint32_t msr, uint64_t value)
{
	if (!has_tsc(machine))
		return false;
	machine_trace(machine, TRACE_MSR, msr, value);
	machine_move_tsc(machine, machine->tsc_adjust + value - machine_guest_tsc(machine));
	return true;
}

static bool read_tsc_adjust(struct machine *machine, uint32_t msr, uint64_t *value)
{
	(void)msr;
	*value = machine->tsc_adjust;
	return has_tsc_adjust(machine);
}

static bool write_tsc_adjust(struct machine *machine, uint32_t msr, uint64_t value)
{
	if (!has_tsc_adjust(machine))
		return false;
	machine_trace(machine, TRACE_MSR, msr, value);
	machine_move_tsc(machine, value);
	return true;
}

static bool read_hyperv(struct machine *machine, uint32_t msr, uint64_t *value)
{
	return hyperv_read_msr(&machine->hyperv, msr, test_hooks_ns(TEST_CLOCK_HYPERV_MSR, machine->now_ns), value);
}

static bool write_hyperv(struct machine *machine, uint32_t msr, uint64_t value)
{
	bool taken = hyperv_write_msr(&machine->hyperv, msr, value);

	test_hooks_hyperv_written();
	return taken;
}

static bool has_pvclock(const struct machine *machine)
{
	return machine->cpuid.kvm_features & KVM_FEATURE_CLOCKSOURCE;
}

static bool read_pvclock(struct machine *machine, uint32_t msr, uint64_t *value)
{
	return has_pvclock(machine) && pvclock_read_msr(&machine->pvclock, msr, value);
}

static bool write_pvclock(struct machine *machine, uint32_t msr, uint64_t value)
{
	struct pvclock_stamp stamp = machine_stamp(machine);

	if (!has_pvclock(machine))
		return false;
	machine_trace(machine, TRACE_MSR, msr, value);
	return pvclock_write_msr(&machine->pvclock, msr, value, &stamp);
}

static bool read_efer(struct machine *machine, uint32_t msr, uint64_t *value)
{
	(void)msr;
	*value = machine->ops->get(&machine->vcpu, EFER);
	return true;
}

/* APM 2 3.1.7: LMA is read-only, and LME may not change while paging is on. */
static bool write_efer(struct machine *machine, uint32_t msr, uint64_t value)
{
	uint64_t old = machine->ops->get(&machine->vcpu, EFER);
	uint64_t paging = machine->ops->get(&machine->vcpu, CR0) & CR0_PG;

	(void)msr;
	if (value & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_FFXSR))
		return false;
	if (value & EFER_FFXSR && !(cpuid(0x80000001, 0).edx & CPUID_8000_0001_EDX_FFXSR)) /* else the entry would fail */
		return false;
	if (paging && (value ^ old) & EFER_LME)
		return false;
	machine->ops->set(&machine->vcpu, EFER, (value & ~EFER_LMA) | (old & EFER_LMA));
	return true;
}

/* A memory type that exists: UC, WC, WT, WP, WB (SDM 3A 12.11.2.1). */
static bool is_memory_type(uint64_t type)
{
	return type <= 6 && type != 2 && type != 3;
}

/* The PAT knows UC- too (SDM 3A 12.12.2). */
static bool is_pat(uint64_t value)
{
	for (unsigned shift = 0; shift < 64; shift += 8) {
		uint64_t type = value >> shift & 0xff;

		if (!is_memory_type(type) && type != 7)
			return false;
	}
	return true;
}

static bool read_pat(struct machine *machine, uint32_t msr, uint64_t *value)
{
	(void)msr;
	*value = machine->ops->get(&machine->vcpu, PAT);
	return true;
}

static bool write_pat(struct machine *machine, uint32_t msr, uint64_t value)
{
	(void)msr;
	if (!is_pat(value))
		return false;
	machine->ops->set(&machine->vcpu, PAT, value);
	return true;
}

static bool read_mtrr_cap(struct machine *machine, uint32_t msr, uint64_t *value)
{
	(void)machine, (void)msr;
	*value = MTRR_CAP;
	return true;
}

static bool read_mtrr_variable(struct machine *machine, uint32_t msr, uint64_t *value)
{
	*value = machine->msrs.mtrr_variable[msr - 0x200];
	return true;
}

static bool write_mtrr_variable(struct machine *machine, uint32_t msr, uint64_t value)
{
	bool is_base = !(msr & 1);

	if (is_base ? !is_memory_type(value & 0xff) || value & 0xf00 : (value & 0x7ff) != 0)
		return false;
	machine->msrs.mtrr_variable[msr - 0x200] = value;
	return true;
}

/* Where a fixed-range MTRR stands in the array: 250h, 258h, 259h, 268h-26Fh. */
static uint64_t *mtrr_fixed(struct machine *machine, uint32_t msr)
{
	unsigned index = msr >= 0x268 ? msr - 0x268 + 3 : msr >= 0x258 ? msr - 0x258 + 1 : 0;

	return &machine->msrs.mtrr_fixed[index];
}

static bool read_mtrr_fixed(struct machine *machine, uint32_t msr, uint64_t *value)
{
	*value = *mtrr_fixed(machine, msr);
	return true;
}

static bool write_mtrr_fixed(struct machine *machine, uint32_t msr, uint64_t value)
{
	for (unsigned shift = 0; shift < 64; shift += 8)
		if (!is_memory_type(value >> shift & 0xff))
			return false;
	*mtrr_fixed(machine, msr) = value;
	return true;
}

static bool read_mtrr_default(struct machine *machine, uint32_t msr, uint64_t *value)
{
	(void)msr;
	*value = machine->msrs.mtrr_default;
	return true;
}

static bool write_mtrr_default(struct machine *machine, uint32_t msr, uint64_t value)
{
	(void)msr;
	if (value & ~MTRR_DEFAULT_BITS || !is_memory_type(value & 0xff))
		return false;
	machine->msrs.mtrr_default = value;
	return true;
}

/* The debugger's branch trace bits do nothing here; the trace itself is not offered. */
static bool write_debugctl(struct machine *machine, uint32_t msr, uint64_t value)
{
	(void)machine, (void)msr;
	return !(value & ~3ull);
}

static bool read_misc_enable(struct machine *machine, uint32_t msr, uint64_t *value)
{
	(void)machine, (void)msr;
	*value = MISC_ENABLE_FAST_STRINGS | MISC_ENABLE_NO_BTS | MISC_ENABLE_NO_PEBS;
	return true;
}

static bool read_hwcr(struct machine *machine, uint32_t msr, uint64_t *value)
{
	(void)machine, (void)msr;
	*value = HWCR_TSC_FREQ_SEL;
	return true;
}

static bool read_de_cfg(struct machine *machine, uint32_t msr, uint64_t *value)
{
	(void)machine, (void)msr;
	*value = DE_CFG_LFENCE_SERIALIZE;
	return true;
}

static bool read_x2apic(struct machine *machine, uint32_t msr, uint64_t *value)
{
	return lapic_read_msr(&machine->lapic, msr, value, machine->now_ns);
}

static bool write_x2apic(struct machine *machine, uint32_t msr, uint64_t value)
{
	return lapic_write_msr(&machine->lapic, msr, value, machine->now_ns);
}

static const struct msr_row rows[] = {
	{ 0x10, 0x10, read_tsc, write_tsc },
	{ 0x11, 0x12, read_pvclock, write_pvclock },
	{ 0x1b, 0x1b, apic_read_msr, apic_write_msr },
	{ 0x3b, 0x3b, read_tsc_adjust, write_tsc_adjust },
	{ 0x8b, 0x8b, read_zero, write_ignored }, /* microcode revision: WRMSR 0, CPUID, RDMSR is how it is read */
	{ 0xfe, 0xfe, read_mtrr_cap, refuse_write },
	{ 0x1a0, 0x1a0, read_misc_enable, write_ignored }, /* Linux reads it on Intel before it can catch a #GP */
	{ 0x1d9, 0x1d9, read_zero, write_debugctl },
	{ 0x200, 0x200 + 2 * MSR_VARIABLE_MTRRS - 1, read_mtrr_variable, write_mtrr_variable },
	{ 0x250, 0x250, read_mtrr_fixed, write_mtrr_fixed },
	{ 0x258, 0x259, read_mtrr_fixed, write_mtrr_fixed },
	{ 0x268, 0x26f, read_mtrr_fixed, write_mtrr_fixed },
	{ 0x277, 0x277, read_pat, write_pat },
	{ 0x2ff, 0x2ff, read_mtrr_default, write_mtrr_default },
	{ 0x6e0, 0x6e0, apic_read_msr, apic_write_msr },
	{ 0x800, 0x8ff, read_x2apic, write_x2apic },
	{ HV_X64_MSR_GUEST_OS_ID, HV_X64_MSR_VP_INDEX, read_hyperv, write_hyperv },
	{ HV_X64_MSR_TIME_REF_COUNT, HV_X64_MSR_APIC_FREQUENCY, read_hyperv, write_hyperv },
	{ HV_X64_MSR_VP_ASSIST_PAGE, HV_X64_MSR_VP_ASSIST_PAGE, read_hyperv, write_hyperv },
	{ HV_X64_MSR_TSC_INVARIANT_CONTROL, HV_X64_MSR_TSC_INVARIANT_CONTROL, read_hyperv, write_hyperv },
	{ 0x4b564d00, 0x4b564d01, read_pvclock, write_pvclock },
	{ 0xc0000080, 0xc0000080, read_efer, write_efer },
	{ 0xc0010010, 0xc0010010, read_zero, write_ignored },  /* SYSCFG */
	{ 0xc0010015, 0xc0010015, read_hwcr, write_ignored },
	{ 0xc001001f, 0xc001001f, read_zero, write_ignored },  /* NB_CFG */
	{ 0xc0010055, 0xc0010055, read_zero, write_ignored },  /* interrupt pending and CMP-halt */
	{ 0xc0011029, 0xc0011029, read_de_cfg, write_ignored },
};

static bool is_in(const struct msr_row *row, uint32_t msr)
{
	return msr - row->first <= row->last - row->first;
}

static __attribute__((noinline)) const struct msr_row *find_row(struct msr_state *state, uint32_t msr)
{
	size_t low = 0, high = sizeof rows / sizeof *rows;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (msr > rows[middle].last)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == sizeof rows / sizeof *rows || !is_in(&rows[low], msr))
		return NULL;
	state->recent = low;
	return &rows[low];
}

/* Mostly it is the row of the last access: of EOIs, or of deadlines. */
static inline const struct msr_row *row_of(struct msr_state *state, uint32_t msr)
{
	const struct msr_row *recent = &rows[state->recent];

	return is_in(recent, msr) ? recent : find_row(state, msr);
}

static bool refused(struct machine *machine, uint32_t msr, bool write)
{
	machine->refused_msrs++;
	eventlog_add(&machine_log, LOG_REFUSED_MSR, machine->now_ns, machine->host_tsc, msr, write);
	return false;
}

bool msr_read(struct machine *machine, uint32_t msr, uint64_t *value)
{
	const struct msr_row *row = row_of(&machine->msrs, msr);

	return (row && row->read(machine, msr, value)) || refused(machine, msr, false);
}

bool msr_write(struct machine *machine, uint32_t msr, uint64_t value)
{
	const struct msr_row *row = row_of(&machine->msrs, msr);

	return (row && row->write(machine, msr, value)) || refused(machine, msr, true);
}

void msr_reset(struct msr_state *state)
{
	memset(state, 0, sizeof *state);
}
