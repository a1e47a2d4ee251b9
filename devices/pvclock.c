/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The paravirtual clock. Guest memory is reached through guest_ram alone and asked for anew each time: no pointer
 * into it is kept. */
#include "devices/pvclock.h"

#include "base/mem.h"

#include <stddef.h>

#define PHYSICAL_END (1ull << 52)
#define NS_PER_SECOND 1000000000ull

/* Also keeps the compiler from moving the writes: the guest must see version odd, then the rest, then version
 * even. */
static void fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static uint8_t *find_span(const struct pvclock *pvclock, uint64_t gpa, uint64_t bytes)
{
	if (gpa > PHYSICAL_END - bytes)
		return NULL;
	return pvclock->ram->span(pvclock->ram->context, gpa, bytes);
}

/* Writes a structure of the version protocol; its first four bytes are the version, and *version the last one
 * used. Versions only grow, so that a guest that reads half of one registration and half of the next sees it. */
static void publish(uint8_t *to, const void *fields, size_t bytes, uint32_t *version)
{
	uint32_t odd = *version + 1, even = *version + 2;

	memcpy(to, &odd, sizeof(odd));
	fence();
	memcpy(to + sizeof(odd), (const uint8_t *)fields + sizeof(odd), bytes - sizeof(odd));
	fence();
	memcpy(to, &even, sizeof(even));
	*version = even;
}

/* GUEST_STOPPED stays in the page until the guest itself has cleared it. */
static void write_time(struct pvclock *pvclock, const struct pvclock_stamp *stamp, bool keep_flags)
{
	uint64_t gpa = pvclock->system_time_msr & ~(uint64_t)MSR_KVM_SYSTEM_TIME_ENABLE;
	struct pvclock_time time = { .tsc_timestamp = stamp->tsc, .system_time_ns = stamp->ns,
				     .tsc_to_system_mul = stamp->factors.mul, .tsc_shift = stamp->factors.shift,
				     .flags = PVCLOCK_TSC_STABLE };
	uint8_t *page;

	if (!(pvclock->system_time_msr & MSR_KVM_SYSTEM_TIME_ENABLE))
		return;
	page = find_span(pvclock, gpa, sizeof(time));
	if (!page)
		return;
	if (pvclock->stopped || (keep_flags && (page[offsetof(struct pvclock_time, flags)] & PVCLOCK_GUEST_STOPPED)))
		time.flags |= PVCLOCK_GUEST_STOPPED;
	publish(page, &time, sizeof(time), &pvclock->version);
	pvclock->stopped = false;
	time.version = pvclock->version;
	if (pvclock->stamped)
		pvclock->stamped(pvclock->stamped_context, &time);
}

static void write_wall(struct pvclock *pvclock)
{
	struct pvclock_wall wall = { .seconds = (uint32_t)pvclock->unix_at_zero, .ns = pvclock->ns_at_zero };
	uint8_t *to = pvclock->wall_clock_msr ? find_span(pvclock, pvclock->wall_clock_msr, sizeof(wall)) : NULL;

	if (to)
		publish(to, &wall, sizeof(wall), &pvclock->wall_version);
}

struct pvclock_stamp pvclock_stamp_of(const struct line *line, uint64_t host_tsc, uint64_t tsc_adjust)
{
	uint64_t now_ns = line_guest_ns(line, host_tsc);

	if (line->stamped)
		return (struct pvclock_stamp){ line->origin_tsc + tsc_adjust, line->offset, line->factors };
	return (struct pvclock_stamp){ now_ns + tsc_adjust, now_ns, PVCLOCK_ONE_GHZ };
}

void pvclock_init(struct pvclock *pvclock, const struct guest_ram *ram, int64_t unix_at_zero)
{
	memset(pvclock, 0, sizeof(*pvclock));
	pvclock->ram = ram;
	pvclock->unix_at_zero = unix_at_zero;
}

int64_t pvclock_unix(const struct pvclock *pvclock, uint64_t now_ns, uint32_t *ns)
{
	uint64_t into_ns = now_ns % NS_PER_SECOND + pvclock->ns_at_zero;

	*ns = (uint32_t)(into_ns % NS_PER_SECOND);
	return pvclock->unix_at_zero + (int64_t)(now_ns / NS_PER_SECOND + into_ns / NS_PER_SECOND);
}

void pvclock_set_unix(struct pvclock *pvclock, int64_t unix_seconds, uint32_t ns, uint64_t now_ns)
{
	uint32_t into_ns = (uint32_t)(now_ns % NS_PER_SECOND);
	bool borrow = ns < into_ns;

	pvclock->unix_at_zero = unix_seconds - (int64_t)(now_ns / NS_PER_SECOND) - borrow;
	pvclock->ns_at_zero = ns + (borrow ? (uint32_t)NS_PER_SECOND : 0) - into_ns;
}

void pvclock_reset(struct pvclock *pvclock)
{
	pvclock->system_time_msr = 0;
	pvclock->wall_clock_msr = 0;
	pvclock->stopped = false;
}

bool pvclock_write_msr(struct pvclock *pvclock, uint32_t msr, uint64_t value, const struct pvclock_stamp *stamp)
{
	if (msr == MSR_KVM_SYSTEM_TIME || msr == MSR_KVM_SYSTEM_TIME_NEW) {
		if (value & 2)
			return false;
		pvclock->system_time_msr = value;
		write_time(pvclock, stamp, false);
		return true;
	}
	if ((msr != MSR_KVM_WALL_CLOCK && msr != MSR_KVM_WALL_CLOCK_NEW) || (value & 3))
		return false;
	pvclock->wall_clock_msr = value;
	write_wall(pvclock);
	return true;
}

bool pvclock_read_msr(const struct pvclock *pvclock, uint32_t msr, uint64_t *value)
{
	if (msr == MSR_KVM_SYSTEM_TIME || msr == MSR_KVM_SYSTEM_TIME_NEW)
		*value = pvclock->system_time_msr;
	else if (msr == MSR_KVM_WALL_CLOCK || msr == MSR_KVM_WALL_CLOCK_NEW)
		*value = pvclock->wall_clock_msr;
	else
		return false;
	return true;
}

void pvclock_update(struct pvclock *pvclock, const struct pvclock_stamp *stamp)
{
	write_time(pvclock, stamp, true);
}

void pvclock_guest_stopped(struct pvclock *pvclock)
{
	pvclock->stopped = true;
}
