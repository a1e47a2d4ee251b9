/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The machine's facts as members of a JSON object: what the control port's replies and events have in common
 * (docs/protocol.md). */
#pragma once

#include "monitor/json.h"

struct machine;

/* The rate: asked, effective, attained. */
void facts_rate(const struct machine *machine, struct json_writer *writer);

/* Guest time, and whether it stands still. */
void facts_state(const struct machine *machine, struct json_writer *writer);

/* Every time there is, and the timers' ticks. */
void facts_time(const struct machine *machine, struct json_writer *writer);

/* The calendar: the RTC's and kvm-clock's. */
void facts_date(const struct machine *machine, struct json_writer *writer);

/* How often the guest came to Foliot, by kind. */
void facts_exits(const struct machine *machine, struct json_writer *writer);
