/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Each group of facts, member by member, as docs/protocol.md lists them. */
#include "monitor/facts.h"

#include "monitor/figures.h"
#include "vm/control.h"

void facts_rate(const struct machine *machine, struct json_writer *writer)
{
	struct control_rate rate;

	control_get_rate(machine, &rate);
	json_write_open(writer, "asked", '{');
	json_write_u64(writer, "num", rate.asked.num);
	json_write_u64(writer, "den", rate.asked.den);
	json_write_close(writer, '}');
	json_write_u64(writer, "effective_e12", rate.effective_e12);
	json_write_i64(writer, "error_e12", rate.error_e12);
	json_write_u64(writer, "attained_e12", rate.attained_e12);
	json_write_u64(writer, "untrapped_limit", rate.untrapped_limit);
	json_write_bool(writer, "trapped", rate.trapped);
	json_write_bool(writer, "native", rate.native);
	json_write_bool(writer, "paused", rate.paused);
}

void facts_state(const struct machine *machine, struct json_writer *writer)
{
	struct control_time time;

	control_get_time(machine, &time);
	json_write_u64(writer, "guest_ns", time.guest_ns);
	json_write_bool(writer, "paused", time.paused);
}

static void put_ticks(const struct control_time *time, struct json_writer *writer)
{
	json_write_open(writer, "ticks", '[');
	for (size_t i = 0; i < time->tick_count; i++) {
		json_write_open(writer, NULL, '{');
		json_write_string(writer, "name", time->ticks[i].name);
		json_write_u64(writer, "due", time->ticks[i].due);
		json_write_u64(writer, "accepted", time->ticks[i].accepted);
		json_write_u64(writer, "merged", time->ticks[i].merged);
		json_write_u64(writer, "dropped", time->ticks[i].dropped);
		json_write_u64(writer, "masked", time->ticks[i].masked);
		json_write_u64(writer, "backlog", time->ticks[i].backlog);
		json_write_close(writer, '}');
	}
	json_write_close(writer, ']');
}

void facts_time(const struct machine *machine, struct json_writer *writer)
{
	struct control_time time;
	char date[FIGURE_BYTES];

	control_get_time(machine, &time);
	figure_date(date, sizeof date, time.calendar_unix);
	json_write_u64(writer, "guest_ns", time.guest_ns);
	json_write_i64(writer, "calendar_unix", time.calendar_unix);
	json_write_string(writer, "calendar", date);
	json_write_u64(writer, "host_ns", time.host_ns);
	json_write_u64(writer, "host_hz", time.host_hz);
	json_write_u64(writer, "bed_ns", time.bed_ns);
	json_write_string(writer, "bed_clock", time.bed_name);
	json_write_bool(writer, "paused", time.paused);
	json_write_bool(writer, "halted", time.halted);
	json_write_bool(writer, "ended", time.ended);
	put_ticks(&time, writer);
}

void facts_date(const struct machine *machine, struct json_writer *writer)
{
	struct control_date date;
	char figure[FIGURE_BYTES];

	control_get_date(machine, &date);
	figure_date(figure, sizeof figure, date.rtc_unix);
	json_write_i64(writer, "calendar_unix", date.rtc_unix);
	json_write_string(writer, "calendar", figure);
	json_write_i64(writer, "wall_unix", date.wall_unix);
	json_write_u64(writer, "wall_ns", date.wall_ns);
}

void facts_exits(const struct machine *machine, struct json_writer *writer)
{
	struct control_exits exits;

	control_get_exits(machine, &exits);
	json_write_u64(writer, "total", exits.total);
	json_write_u64(writer, "injections", exits.injections);
	json_write_u64(writer, "unclaimed_ports", exits.unclaimed_ports);
	json_write_u64(writer, "refused_msrs", exits.refused_msrs);
	json_write_open(writer, "kinds", '{');
	for (size_t i = 0; i < exits.count; i++)
		json_write_u64(writer, exits.kinds[i].name, exits.kinds[i].count);
	json_write_close(writer, '}');
}
