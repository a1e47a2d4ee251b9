/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The registers of the local APIC. A register has the same number in the page, where it is at 16 times that, and among the MSRs,
 * which are 800h and that (SDM 3A tables 11-1 and 11-6). The page ignores what it does not know; as MSRs they raise #GP. */
#include "devices/lapic_bits.h"

enum lapic_register {
	ID = 0x02, VERSION = 0x03, TPR = 0x08, APR = 0x09, PPR = 0x0a, EOI = 0x0b, REMOTE_READ = 0x0c, LDR = 0x0d, DFR = 0x0e, SVR = 0x0f,
	ISR = 0x10, TMR = 0x18, IRR = 0x20, ESR = 0x28, ICR = 0x30, ICR_HIGH = 0x31, LVT = 0x32, INITIAL_COUNT = 0x38, CURRENT_COUNT = 0x39,
	DIVIDE = 0x3e, SELF_IPI = 0x3f,
};

#define MSR_FIRST 0x800u
#define REGISTERS 64u

#define BIT(reg) (1ull << (reg))
#define BITS(first, count) (((1ull << (count)) - 1) << (first))
#define READ_MSRS (BIT(ID) | BIT(VERSION) | BIT(TPR) | BIT(PPR) | BIT(LDR) | BIT(SVR) | BITS(ISR, 24) | BIT(ESR) | BIT(ICR) | \
		   BITS(LVT, LAPIC_LVT_COUNT) | BIT(INITIAL_COUNT) | BIT(CURRENT_COUNT) | BIT(DIVIDE))
#define WRITE_MSRS (BIT(TPR) | BIT(EOI) | BIT(SVR) | BIT(ESR) | BIT(ICR) | BITS(LVT, LAPIC_LVT_COUNT) | BIT(INITIAL_COUNT) | \
		    BIT(DIVIDE) | BIT(SELF_IPI))
#define IN_PAGE (READ_MSRS | BIT(APR) | BIT(EOI) | BIT(REMOTE_READ) | BIT(DFR) | BIT(ICR_HIGH))

#define VERSION_VALUE (0x14u | (LAPIC_LVT_COUNT - 1u) << 16)
#define SVR_WRITABLE 0x3ffu
#define ICR_WRITABLE 0xccfffu
#define DIVIDE_WRITABLE 0xbu
#define TIMER_PERIODIC (1u << 17)
#define TIMER_DEADLINE (1u << 18)
#define DELIVERY_MODE 0x700u

/* Priority class and rest of the arbitration (SDM 3A 11.6.2.4, of the P6 family). */
static uint32_t arbitration_priority(const struct lapic *lapic)
{
	uint32_t waiting = lapic->highest_irr < 0 ? 0 : lapic->highest_irr & 0xf0;
	uint32_t serving = lapic->highest_isr < 0 ? 0 : lapic->highest_isr & 0xf0, task = lapic->tpr & 0xf0;

	if (task >= waiting && task > serving)
		return lapic->tpr;
	return waiting > serving ? waiting : serving;
}

static uint32_t read_vectors(struct lapic *lapic, unsigned reg, uint64_t now_ns)
{
	lapic_timer_run_due(&lapic->timer, now_ns);
	if (reg < TMR)
		return lapic->isr.words[reg - ISR];
	return reg < IRR ? lapic->tmr.words[reg - TMR] : lapic->irr.words[reg - IRR];
}

static void follow_tpr(const struct lapic *lapic)
{
	if (lapic->hooks.follow_tpr)
		lapic->hooks.follow_tpr(lapic->hooks.context);
}

static uint32_t read_register(struct lapic *lapic, unsigned reg, uint64_t now_ns)
{
	switch (reg) {
	case CURRENT_COUNT:
		return lapic_timer_current(&lapic->timer, now_ns);
	case ID:
		return LAPIC_ID;
	case VERSION:
		return VERSION_VALUE;
	case TPR:
		follow_tpr(lapic);
		return lapic->tpr;
	case APR:
		follow_tpr(lapic);
		return arbitration_priority(lapic);
	case PPR:
		follow_tpr(lapic);
		return lapic->ppr;
	case LDR:
		return lapic->ldr;
	case DFR:
		return lapic->dfr;
	case SVR:
		return lapic->svr;
	case ISR ... IRR + 7:
		return read_vectors(lapic, reg, now_ns);
	case ESR:
		return lapic->esr;
	case ICR:
		return lapic->icr_low;
	case ICR_HIGH:
		return lapic->icr_high;
	case LVT ... LVT + LAPIC_LVT_COUNT - 1:
		return lapic->lvt[reg - LVT];
	case INITIAL_COUNT:
		return lapic->timer.initial;
	case DIVIDE:
		return lapic->timer.divide;
	default:
		return 0; /* EOI and remote read */
	}
}

static void write_tpr(struct lapic *lapic, uint8_t tpr)
{
	lapic_set_tpr(lapic, tpr);
	lapic->hooks.tpr_changed(lapic->hooks.context, tpr);
}

/* Disabled by software it holds what it has, and masks its own interrupts (SDM 3A 11.4.7.2). */
static void write_svr(struct lapic *lapic, uint32_t value, uint64_t now_ns)
{
	lapic_timer_run_due(&lapic->timer, now_ns);
	lapic->svr = value & SVR_WRITABLE;
	if (lapic->svr & LAPIC_SVR_ENABLE) {
		lapic_tell_enabled(lapic);
		return;
	}
	for (unsigned i = 0; i < LAPIC_LVT_COUNT; i++)
		lapic->lvt[i] |= LAPIC_LVT_MASKED;
	lapic_pins_changed(lapic);
}

/* Whatever is written: shows the errors since the last time (SDM 3A 11.5.3). */
static void write_esr(struct lapic *lapic, uint64_t now_ns)
{
	lapic_timer_run_due(&lapic->timer, now_ns);
	lapic->esr = lapic->errors;
	lapic->errors = 0;
	lapic->error_told = false;
}

static uint32_t lvt_writable(const struct lapic *lapic, unsigned entry)
{
	uint32_t writable = LAPIC_VECTOR | LAPIC_LVT_MASKED;

	switch ((enum lapic_lvt)entry) {
	case LAPIC_LVT_TIMER:
		return writable | TIMER_PERIODIC | (lapic->has_deadline ? TIMER_DEADLINE : 0);
	case LAPIC_LVT_THERMAL:
	case LAPIC_LVT_PERFORMANCE:
		return writable | DELIVERY_MODE;
	case LAPIC_LVT_LINT0:
	case LAPIC_LVT_LINT1:
		return writable | DELIVERY_MODE | LAPIC_LVT_ACTIVE_LOW | LAPIC_LVT_LEVEL;
	case LAPIC_LVT_ERROR:
	case LAPIC_LVT_COUNT:
		break;
	}
	return writable;
}

/* The remote IRR stands as long as the pin can still be one that has it. */
static uint32_t remote_irr(uint32_t old, uint32_t value)
{
	return value & LAPIC_LVT_LEVEL && !(value & DELIVERY_MODE) ? old & LAPIC_LVT_REMOTE_IRR : 0;
}

static void write_lvt(struct lapic *lapic, unsigned entry, uint32_t value, uint64_t now_ns)
{
	uint32_t *lvt = &lapic->lvt[entry];

	lapic_timer_run_due(&lapic->timer, now_ns);
	value &= lvt_writable(lapic, entry);
	if (!(lapic->svr & LAPIC_SVR_ENABLE))
		value |= LAPIC_LVT_MASKED;
	*lvt = value | remote_irr(*lvt, value);
	if (entry == LAPIC_LVT_TIMER)
		lapic_timer_set_mode(&lapic->timer, (enum lapic_timer_mode)(value >> 17 & 3), now_ns);
	else
		lapic_pins_changed(lapic);
}

static void write_icr(struct lapic *lapic, uint32_t value)
{
	lapic->icr_low = value & ICR_WRITABLE;
	lapic_send(lapic);
}

static void write_register(struct lapic *lapic, unsigned reg, uint32_t value, uint64_t now_ns)
{
	switch (reg) {
	case EOI:
		lapic_end(lapic, now_ns);
		break;
	case TPR:
		write_tpr(lapic, (uint8_t)value);
		break;
	case LDR:
		lapic->ldr = value & 0xff000000;
		lapic_tell_enabled(lapic);
		break;
	case DFR:
		lapic->dfr = value | 0x0fffffff;
		lapic_tell_enabled(lapic);
		break;
	case SVR:
		write_svr(lapic, value, now_ns);
		break;
	case ESR:
		write_esr(lapic, now_ns);
		break;
	case ICR:
		write_icr(lapic, value);
		break;
	case ICR_HIGH:
		lapic->icr_high = value & 0xff000000;
		break;
	case LVT ... LVT + LAPIC_LVT_COUNT - 1:
		write_lvt(lapic, reg - LVT, value, now_ns);
		break;
	case INITIAL_COUNT:
		lapic_timer_set_initial(&lapic->timer, value, now_ns);
		break;
	case DIVIDE:
		lapic_timer_set_divide(&lapic->timer, (uint8_t)value, now_ns);
		break;
	case SELF_IPI:
		lapic_send_self(lapic, (uint8_t)value);
		break;
	}
}

/* The page. */

static bool is_in_page(struct lapic *lapic, uint32_t offset)
{
	unsigned reg = offset >> 4;

	if (reg < REGISTERS && IN_PAGE >> reg & 1)
		return true;
	lapic_error(lapic, LAPIC_ERROR_REGISTER);
	return false;
}

static bool has_page(const struct lapic *lapic)
{
	return (lapic->base & (LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC)) == LAPIC_BASE_ENABLE;
}

static uint64_t read_page(void *device, uint32_t offset, unsigned bytes, uint64_t now_ns)
{
	struct lapic *lapic = device;

	(void)bytes;
	if (!has_page(lapic))
		return UINT64_MAX;
	if (offset & 0xf || !is_in_page(lapic, offset))
		return 0;
	return read_register(lapic, offset >> 4, now_ns);
}

static void write_page(void *device, uint32_t offset, uint64_t value, unsigned bytes, uint64_t now_ns)
{
	struct lapic *lapic = device;

	(void)bytes;
	if (has_page(lapic) && !(offset & 0xf) && is_in_page(lapic, offset))
		write_register(lapic, offset >> 4, (uint32_t)value, now_ns);
}

void lapic_claim_page(struct lapic *lapic, struct bus *bus)
{
	const struct mmio_range page = { .base_gpa = LAPIC_PAGE_GPA, .bytes = LAPIC_PAGE_BYTES, .widths = MMIO_4, .device = lapic,
					 .read = read_page, .write = write_page };

	bus_add_mmio(bus, &page);
}

/* The MSRs. */

static bool has_msr(const struct lapic *lapic, uint64_t which, uint32_t msr)
{
	return lapic->base & LAPIC_BASE_X2APIC && msr - MSR_FIRST < REGISTERS && which >> (msr - MSR_FIRST) & 1;
}

bool lapic_read_msr(struct lapic *lapic, uint32_t msr, uint64_t *value, uint64_t now_ns)
{
	if (!has_msr(lapic, READ_MSRS, msr))
		return false;
	*value = read_register(lapic, msr - MSR_FIRST, now_ns);
	if (msr == MSR_FIRST + ICR)
		*value |= (uint64_t)lapic->icr_high << 32;
	return true;
}

/* What may be written; read-only bits are no reserved ones. */
static uint64_t msr_writable(const struct lapic *lapic, unsigned reg)
{
	switch (reg) {
	case TPR:
	case SELF_IPI:
		return 0xff;
	case SVR:
		return SVR_WRITABLE;
	case ICR:
		return 0xffffffff00000000 | ICR_WRITABLE | LAPIC_LVT_PENDING;
	case LVT + LAPIC_LVT_LINT0:
	case LVT + LAPIC_LVT_LINT1:
		return lvt_writable(lapic, reg - LVT) | LAPIC_LVT_PENDING | LAPIC_LVT_REMOTE_IRR;
	case INITIAL_COUNT:
		return UINT32_MAX;
	case DIVIDE:
		return DIVIDE_WRITABLE;
	case EOI:
	case ESR:
		return 0;
	default:
		return lvt_writable(lapic, reg - LVT) | LAPIC_LVT_PENDING;
	}
}

static __attribute__((noinline)) bool write_msr(struct lapic *lapic, uint32_t msr, uint64_t value, uint64_t now_ns)
{
	if (!has_msr(lapic, WRITE_MSRS, msr) || value & ~msr_writable(lapic, msr - MSR_FIRST))
		return false;
	if (msr == MSR_FIRST + ICR)
		lapic->icr_high = (uint32_t)(value >> 32);
	write_register(lapic, msr - MSR_FIRST, (uint32_t)value, now_ns);
	return true;
}

bool lapic_write_msr(struct lapic *lapic, uint32_t msr, uint64_t value, uint64_t now_ns)
{
	if (msr != MSR_FIRST + EOI || value || !(lapic->base & LAPIC_BASE_X2APIC))
		return write_msr(lapic, msr, value, now_ns);
	lapic_end(lapic, now_ns);
	return true;
}

/* The deadline. */

uint64_t lapic_read_deadline(struct lapic *lapic, uint64_t now_ns)
{
	lapic_timer_run_due(&lapic->timer, now_ns);
	return lapic->timer.deadline_tsc;
}

void lapic_write_deadline(struct lapic *lapic, uint64_t deadline_tsc, uint64_t tsc, uint64_t now_ns)
{
	lapic_timer_set_deadline(&lapic->timer, deadline_tsc, tsc, now_ns);
}

void lapic_tsc_moved(struct lapic *lapic, uint64_t tsc, uint64_t now_ns)
{
	lapic_timer_run_due(&lapic->timer, now_ns);
	if (lapic->timer.deadline_tsc)
		lapic_timer_set_deadline(&lapic->timer, lapic->timer.deadline_tsc, tsc, now_ns);
}
