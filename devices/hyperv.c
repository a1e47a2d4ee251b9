/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Hyper-V's time. Guest memory is asked for anew each time: no pointer into it is kept. */
#include "devices/hyperv.h"

#include "base/mem.h"
#include "timekeeping/line.h"

#define PAGE_BYTES 4096ull
#define PAGE_NUMBER (~(PAGE_BYTES - 1))
#define PHYSICAL_END (1ull << 52)

/* The hypercall page answers by itself, in each mode as it must (TLFS 3.7, 3.8, 4.1): 64-bit code gets the status in RAX, 32-bit code in EDX:EAX; a
 * caller that is not in ring 0 gets #UD. "inc eax" of 32-bit mode is a prefix in 64-bit mode, which tells the two apart. */
static const uint8_t hypercall_code[] = {
	0x8c, 0xc8,                   /*     mov eax, cs */
	0xa8, 0x03,                   /*     test al, 3 */
	0x75, 0x10,                   /*     jnz 1f */
	0x31, 0xc0,                   /*     xor eax, eax */
	0x40, 0x90,                   /*     inc eax; nop */
	0x85, 0xc0,                   /*     test eax, eax */
	0x74, 0x02,                   /*     jz 0f */
	0x31, 0xd2,                   /*     xor edx, edx */
	0xb8, HV_STATUS_INVALID_HYPERCALL_CODE, 0, 0, 0, /* 0: mov eax, 2 */
	0xc3,                         /*     ret */
	0x0f, 0x0b,                   /*  1: ud2 */
};

/* Also keeps the compiler from moving the writes: the guest must see sequence 0 or a whole page. */
static void fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* The page that an MSR names, or NULL where that is not guest RAM. */
static void *page_of(const struct hyperv *hyperv, uint64_t msr_value)
{
	uint64_t gpa = msr_value & PAGE_NUMBER;

	return gpa < PHYSICAL_END ? hyperv->ram->span(hyperv->ram->context, gpa, PAGE_BYTES) : NULL;
}

/* 0 means that the page is not to be used, and so did FFFFFFFFh in older editions of the specification. */
static uint32_t next_sequence(uint32_t sequence)
{
	return sequence >= UINT32_MAX - 1 ? 1 : sequence + 1;
}

static void write_page(struct hyperv *hyperv)
{
	struct hyperv_page page = { 0, 0, HYPERV_SCALE, (int64_t)hyperv->offset };
	uint8_t *to = hyperv->reference_tsc & HV_PAGE_ENABLE ? page_of(hyperv, hyperv->reference_tsc) : NULL;

	if (!to)
		return;
	memcpy(to, &page, sizeof page);
	fence();
	if (!hyperv->page_usable)
		return;
	hyperv->sequence = next_sequence(hyperv->sequence);
	memcpy(to, &hyperv->sequence, sizeof hyperv->sequence);
}

void hyperv_init(struct hyperv *hyperv, const struct guest_ram *ram, uint32_t features)
{
	memset(hyperv, 0, sizeof *hyperv);
	hyperv->ram = ram;
	hyperv->features = features;
	hyperv->page_usable = true;
}

void hyperv_reset(struct hyperv *hyperv)
{
	hyperv->guest_os_id = hyperv->hypercall = hyperv->reference_tsc = hyperv->vp_assist_page = hyperv->invariant_control = 0;
}

/* The offset with which the product of tsc is that of now_ns, or behind it by less than a unit. */
static uint64_t offset_of(uint64_t now_ns, uint64_t tsc)
{
	unsigned __int128 lacking = (unsigned __int128)now_ns * HYPERV_SCALE - (unsigned __int128)tsc * HYPERV_SCALE;

	return (uint64_t)(lacking >> 64);
}

void hyperv_move_tsc(struct hyperv *hyperv, uint64_t now_ns, uint64_t tsc_adjust)
{
	uint64_t shown = hyperv_time(hyperv, now_ns), time;

	hyperv->page_usable = now_ns + tsc_adjust <= UINT64_MAX - (GUEST_TIME_END - now_ns);
	hyperv->adjust = hyperv->page_usable ? tsc_adjust : 0;
	hyperv->offset = offset_of(now_ns, now_ns + hyperv->adjust);
	time = hyperv_time(hyperv, now_ns);
	if (time < shown)
		hyperv->offset += shown - time;
	write_page(hyperv);
}

/* Which privilege the MSR needs; 0: it is none of these. */
static uint32_t privilege_of(uint32_t msr)
{
	switch (msr) {
	case HV_X64_MSR_GUEST_OS_ID:
	case HV_X64_MSR_HYPERCALL:
	case HV_X64_MSR_VP_ASSIST_PAGE: /* should need that to the APIC's MSRs, but Linux writes it whatever it is told */
		return HV_ACCESS_HYPERCALL;
	case HV_X64_MSR_VP_INDEX:
		return HV_ACCESS_VP_INDEX;
	case HV_X64_MSR_TIME_REF_COUNT:
		return HV_ACCESS_REFERENCE_COUNTER;
	case HV_X64_MSR_REFERENCE_TSC:
		return HV_ACCESS_REFERENCE_TSC;
	case HV_X64_MSR_TSC_FREQUENCY:
	case HV_X64_MSR_APIC_FREQUENCY:
		return HV_ACCESS_FREQUENCIES;
	case HV_X64_MSR_TSC_INVARIANT_CONTROL:
		return HV_ACCESS_TSC_INVARIANT;
	}
	return 0;
}

static uint64_t value_of(const struct hyperv *hyperv, uint32_t msr, uint64_t now_ns)
{
	switch (msr) {
	case HV_X64_MSR_GUEST_OS_ID:
		return hyperv->guest_os_id;
	case HV_X64_MSR_HYPERCALL:
		return hyperv->hypercall;
	case HV_X64_MSR_TIME_REF_COUNT:
		return hyperv_time(hyperv, now_ns);
	case HV_X64_MSR_REFERENCE_TSC:
		return hyperv->reference_tsc;
	case HV_X64_MSR_TSC_FREQUENCY:
		return GUEST_TSC_HZ;
	case HV_X64_MSR_APIC_FREQUENCY:
		return HYPERV_LAPIC_HZ;
	case HV_X64_MSR_VP_ASSIST_PAGE:
		return hyperv->vp_assist_page;
	case HV_X64_MSR_TSC_INVARIANT_CONTROL:
		return hyperv->invariant_control;
	}
	return 0; /* VP_INDEX: the only processor's */
}

bool hyperv_read_msr(const struct hyperv *hyperv, uint32_t msr, uint64_t now_ns, uint64_t *value)
{
	if (!(hyperv->features & privilege_of(msr)))
		return false;
	*value = value_of(hyperv, msr, now_ns);
	return true;
}

/* A guest that takes its name back has no hypercalls any more (TLFS 3.13). */
static bool write_guest_os_id(struct hyperv *hyperv, uint64_t value)
{
	hyperv->guest_os_id = value;
	if (!value)
		hyperv->hypercall &= ~HV_PAGE_ENABLE;
	return true;
}

/* A locked MSR ignores what is written; one of a guest without a name cannot be enabled; a page outside of memory is #GP (TLFS 3.13). */
static bool write_hypercall(struct hyperv *hyperv, uint64_t value)
{
	uint8_t *page;

	if (hyperv->hypercall & HV_HYPERCALL_LOCKED)
		return true;
	if (!hyperv->guest_os_id)
		value &= ~HV_PAGE_ENABLE;
	if (value & HV_PAGE_ENABLE) {
		page = page_of(hyperv, value);
		if (!page)
			return false;
		memset(page, 0, PAGE_BYTES);
		memcpy(page, hypercall_code, sizeof hypercall_code);
	}
	hyperv->hypercall = value;
	return true;
}

/* An address that is no memory is taken, and there is no page then (TLFS 12.7.1). */
static bool write_reference_tsc(struct hyperv *hyperv, uint64_t value)
{
	hyperv->reference_tsc = value;
	write_page(hyperv);
	return true;
}

static bool write_invariant_control(struct hyperv *hyperv, uint64_t value)
{
	if (value & ~HV_EXPOSE_INVARIANT_TSC)
		return false;
	hyperv->invariant_control = value;
	return true;
}

bool hyperv_write_msr(struct hyperv *hyperv, uint32_t msr, uint64_t value)
{
	if (!(hyperv->features & privilege_of(msr)))
		return false;
	switch (msr) {
	case HV_X64_MSR_GUEST_OS_ID:
		return write_guest_os_id(hyperv, value);
	case HV_X64_MSR_HYPERCALL:
		return write_hypercall(hyperv, value);
	case HV_X64_MSR_REFERENCE_TSC:
		return write_reference_tsc(hyperv, value);
	case HV_X64_MSR_VP_ASSIST_PAGE: /* nothing is ever said there */
		hyperv->vp_assist_page = value;
		return true;
	case HV_X64_MSR_TSC_INVARIANT_CONTROL:
		return write_invariant_control(hyperv, value);
	}
	return false; /* the others can only be read */
}
