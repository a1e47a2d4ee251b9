/* SPDX-License-Identifier: BSD-2-Clause
 *
 * replay_clocks [--ticks N] TRACE...: replays traces of clocks that foliot-run --trace made. For each file what was compared, a line a kind
 * ("compared pit-reads 123"), how often the guest was left ("exits cpuid 12"), and with --ticks the first N ticks of each course of a timer:
 * "course pit 1193/1193182 at ORIGIN", then "tick N NS-AFTER-THE-ORIGIN". Status 1: a value is not what the models say. */
#include "tests/replay.h"

#include "tests/support.h"

#include <assert.h>
#include <inttypes.h>

struct ticks {
	uint64_t wanted;
	struct { uint64_t origin_ns, count; } course[TRACE_TIMER_COUNT];
};

static void print_tick(void *context, enum trace_timer timer, const struct tick *tick, uint64_t n)
{
	static const char *const names[] = { "pit", "rtc" };
	struct ticks *ticks = context;

	if (ticks->course[timer].origin_ns != tick->origin_ns || ticks->course[timer].count != tick->count)
		printf("course %s %" PRIu64 "/%" PRIu64 " at %" PRIu64 "\n", names[timer], tick->count, tick->hz, tick->origin_ns);
	ticks->course[timer].origin_ns = tick->origin_ns;
	ticks->course[timer].count = tick->count;
	if (n <= ticks->wanted)
		printf("tick %s %" PRIu64 " %" PRIu64 "\n", names[timer], n, tick_due_ns(tick, n) - tick->origin_ns);
}

static uint8_t *load(const char *path, size_t *count)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes = NULL;
	size_t room = 0, got;

	*count = 0;
	if (!file)
		return NULL;
	do {
		room += 1 << 20;
		bytes = realloc(bytes, room);
		assert(bytes);
		got = fread(bytes + *count, 1, room - *count, file);
		*count += got;
	} while (*count == room);
	fclose(file);
	return bytes;
}

static bool replay_file(const char *path, uint64_t ticks_wanted)
{
	static struct replay replay;
	struct ticks ticks = { .wanted = ticks_wanted };
	size_t count;
	uint8_t *bytes = load(path, &count);
	bool same;

	if (!bytes) {
		printf("differs %s: cannot be read\n", path);
		return false;
	}
	replay_init(&replay);
	replay.on_tick = ticks_wanted ? print_tick : NULL;
	replay.on_tick_context = &ticks;
	same = replay_bytes(&replay, bytes, count);
	free(bytes);
	for (unsigned i = 0; i < REPLAY_COUNTS; i++)
		printf("compared %s %" PRIu64 "\n", replay_count_names[i], replay.counts[i]);
	for (unsigned i = 0; i < replay.exit_count; i++)
		printf("exits %s %" PRIu64 "\n", replay.exits[i].name, replay.exits[i].count);
	printf(same ? "same %s\n" : "differs %s: %s\n", path, replay.why);
	return same;
}

int main(int count, char **words)
{
	uint64_t ticks = 0;
	bool same = true;
	int at = 1;

	if (count > 2 && !strcmp(words[1], "--ticks")) {
		ticks = strtoull(words[2], NULL, 10);
		at = 3;
	}
	if (at >= count) {
		fprintf(stderr, "usage: replay_clocks [--ticks N] TRACE...\n");
		return 2;
	}
	for (; at < count; at++)
		same &= replay_file(words[at], ticks);
	return same ? 0 : 1;
}
