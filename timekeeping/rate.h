/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The rate of guest time: an exact fraction. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Guest time goes num/den times as fast as the host's. 0/den: paused. */
struct rate {
	uint64_t num, den;
};

/* Brings a rate to its lowest terms and says whether Foliot can run it: den > 0, and num/den is 0 or between
 * 1/1000000 and 1000000. False leaves *rate as it was. After reduction num and den are at most 10^15: a larger
 * one is refused. */
bool rate_reduce(struct rate *rate);
