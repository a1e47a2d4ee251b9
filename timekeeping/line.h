/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The line: the only source of guest time.
 *
 *     guest_ns(host_tsc) = ((host_tsc * mult) >> frac_bits) + offset      128-bit product, modulo 2^64
 *
 * It is the formula of the hardware's TSC multiplier (SDM 3C 26.3, 16.48 bits; APM 2 15.30.5, 8.32 bits), so that the
 * same three numbers serve the hardware, the trapped RDTSC and every device.
 *
 * A stamped line is for a guest that evaluates it itself, out of a TSC that counts host ticks and a pvclock page. Its
 * formula is the guest's, truncation by truncation: it counts from the TSC value that the page names, origin_tsc, and
 * its lowest bits are lost where pvclock's shift is negative, by tsc_mask:
 *
 *     guest_ns(host_tsc) = ((((host_tsc - origin_tsc) & tsc_mask) * mult) >> frac_bits) + offset
 *
 * In any other line origin_tsc is 0 and tsc_mask all ones. */
#pragma once

#include "timekeeping/pvclock_factors.h"
#include "timekeeping/rate.h"

#include <stdbool.h>
#include <stdint.h>

#define GUEST_TSC_HZ 1000000000ull /* one tick of the guest's TSC is one guest nanosecond */
#define GUEST_TIME_END (1ull << 63) /* guest time ends here */

/* What the processor's TSC multiplier can do. frac_bits 0: there is none. */
struct line_multiplier {
	unsigned frac_bits;  /* 48 on VMX, 32 on SVM */
	uint64_t ratio_limit; /* ratios below this one only: 65536 on VMX, 256 on SVM */
};

/* How old a stamp may become: the deltas that the guest has to scale stay below this. */
#define LINE_STAMP_TICKS (1ull << 31)

struct line {
	uint64_t mult;      /* 0: paused */
	unsigned frac_bits; /* 32 to 48; stamped: 32 to 60 */
	bool hardware;      /* the processor can evaluate this line: it multiplies, or the ratio is 1; not if paused */
	bool stamped;
	uint64_t origin_tsc, tsc_mask;
	uint64_t offset;
	struct pvclock_factors factors; /* stamped: what the page says of the rate; 0 if paused */
	uint64_t cut_off;   /* stamped: what the stamps since the bend have lost, in units of 2^-frac_bits ns */
	struct rate rate;   /* as asked, in lowest terms */
	uint64_t host_hz;
	struct line_multiplier multiplier;
};

/* The line on which guest time 0 is at host_tsc. The rate must be reduced (rate_reduce); host_hz from 10^6 to 2^37.
 * mult is the asked ratio rounded to the nearest. The processor's own frac_bits are used where it can carry the
 * ratio with an error of at most 1 ppm; else the largest of 48, 40 and 32 with mult < 2^64. */
void line_init(struct line *line, uint64_t host_hz, struct line_multiplier multiplier, uint64_t host_tsc,
	       struct rate rate);

/* The same for a stamped line; mul and shift are those nearest to the asked ratio. */
void line_init_stamped(struct line *line, uint64_t host_hz, uint64_t host_tsc, struct rate rate);

/* Guest time in ns at host_tsc. For each exit, so without any branch. */
static inline uint64_t line_guest_ns(const struct line *line, uint64_t host_tsc)
{
	unsigned __int128 product = (unsigned __int128)((host_tsc - line->origin_tsc) & line->tsc_mask) * line->mult;

	return (uint64_t)(product >> (line->frac_bits & 63)) + line->offset;
}

/* Bends the line at host_tsc: the same guest time there, another rate (reduced; 0 pauses) from there on. */
void line_bend(struct line *line, uint64_t host_tsc, struct rate rate);

/* Moves the origin of a stamped line to host_tsc, or to the last tick before it that counts: the page has to be written
 * anew, as (origin_tsc, offset, factors). The line goes on there without a jump and never backward, but that what
 * stamps cut off is paid when it has become a whole ns: so at most 2 ns and the tick that counts are ever lost, however
 * many stamps there are. To be called before a stamp is LINE_STAMP_TICKS old. */
void line_stamp(struct line *line, uint64_t host_tsc);

/* Takes host_ticks host TSC ticks out of guest time, as if they had not been: at host_tsc the line then shows what
 * it showed at host_tsc - host_ticks. For stalls that are frozen out, and for the clock modes that hide the
 * hypervisor. */
void line_take_out(struct line *line, uint64_t host_tsc, uint64_t host_ticks);

/* The host TSC has passed 2^64 - 1 and counts from 0 again, as the formula does not: the line goes on without a
 * jump. To be called once for each time that the host TSC was seen to wrap. */
void line_wrapped(struct line *line);

/* The first host TSC value at which guest time is guest_ns or later, seen from host_tsc; the two may be up to 2^63
 * guest ns apart. At once (*at = host_tsc) when it is reached already. False: never (paused, 2^63 host ticks or
 * more away, or guest_ns is UINT64_MAX, which is EVENT_NEVER). Rounded up, so that no timer is early. Like the host
 * TSC itself *at is modulo 2^64: what tells it from a TSC value is the sign of their difference. */
bool line_host_tsc(const struct line *line, uint64_t host_tsc, uint64_t guest_ns, uint64_t *at);

/* Whether the ratio is exactly 1, so that hardware needs the offset only. */
bool line_is_offset_only(const struct line *line);

/* The effective rate mult / 2^frac_bits * host_hz / 10^9 in units of 10^-12, to the nearest; and its distance from
 * the asked one in parts per 10^12 of it, rounded away from 0 so that it is a bound (0 when paused). */
uint64_t line_effective_e12(const struct line *line);
int64_t line_error_e12(const struct line *line);

/* The highest whole rate that the processor's multiplier can carry; 0: none. A stamped line needs none: the highest
 * there is. */
uint64_t line_untrapped_limit(const struct line *line);
