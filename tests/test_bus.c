/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims: each port reaches the device that claimed it and no other; an access that a device does not take whole,
 * or that straddles its end, is split into bytes, lowest port first; what nobody claimed reads as all ones and is
 * counted; who is put in front of a range gets its accesses, and can pass them on. Memory-mapped registers the same by their 4 bytes: reads of
 * every width and place give the registers' bytes, writes of whole registers get there and others are lost. */
#include "devices/bus.h"

#include "tests/support.h"

#define LOG_MAX 16

struct access {
	int device;
	uint16_t port;
	unsigned bytes;
	uint32_t value;
	uint64_t now_ns;
};

static struct bus bus;
static struct access accesses[LOG_MAX];
static int count;
static int devices[BUS_PORT_RANGES];

static void note(const int *device, uint16_t port, unsigned bytes, uint32_t value, uint64_t now_ns)
{
	assert_true(count < LOG_MAX);
	accesses[count++] = (struct access){ *device, port, bytes, value, now_ns };
}

/* Reads a value whose bytes are the low bytes of the ports, and more than was asked for. */
static uint32_t read(void *device, uint16_t port, unsigned bytes, uint64_t now_ns)
{
	note(device, port, bytes, 0, now_ns);
	return 0xd0c00000u | (port & 0xffu) | (bytes > 1 ? ((port + 1u) & 0xffu) << 8 : 0xee00u);
}

static void write(void *device, uint16_t port, uint32_t value, unsigned bytes, uint64_t now_ns)
{
	note(device, port, bytes, value, now_ns);
}

static void add(int id, uint16_t first, uint16_t last, uint8_t widest)
{
	struct port_range range = { .first = first, .last = last, .widest = widest, .device = &devices[id],
				    .read = read, .write = write };

	devices[id] = id;
	bus_add_ports(&bus, &range);
}

static int set_up(void **state)
{
	memset(&bus, 0, sizeof(bus));
	count = 0;
	return 0;
}

static void expect(int index, int device, uint16_t port, unsigned bytes, uint32_t value)
{
	assert_int_equal(accesses[index].device, device);
	assert_int_equal(accesses[index].port, port);
	assert_int_equal(accesses[index].bytes, bytes);
	assert_int_equal(accesses[index].value, value);
	assert_int_equal(accesses[index].now_ns, 77);
}

static void an_empty_bus_reads_all_ones(void **state)
{
	assert_int_equal(bus_read_port(&bus, 0x80, 1, 77), 0xff);
	assert_int_equal(bus_read_port(&bus, 0x80, 2, 77), 0xffff);
	assert_int_equal(bus_read_port(&bus, 0x1234, 4, 77), 0xffffffff);
	assert_int_equal(bus.unclaimed, 7);
	assert_int_equal(bus.last_unclaimed, 0x1237);
	bus_write_port(&bus, 0xffff, 0xaabb, 2, 77);
	assert_int_equal(bus.unclaimed, 9);
	assert_int_equal(bus.last_unclaimed, 0);
}

static void a_fitting_access_is_passed_whole(void **state)
{
	add(1, 0x100, 0x103, 4);
	assert_int_equal((uint16_t)bus_read_port(&bus, 0x100, 2, 77), 0x0100);
	expect(0, 1, 0x100, 2, 0);
	assert_int_equal((uint8_t)bus_read_port(&bus, 0x103, 1, 77), 0x03);
	bus_write_port(&bus, 0x100, 0x11223344, 4, 77);
	expect(2, 1, 0x100, 4, 0x11223344);
	bus_write_port(&bus, 0x102, 0x11223344, 2, 77);
	expect(3, 1, 0x102, 2, 0x3344);
	assert_int_equal(count, 4);
	assert_int_equal(bus.unclaimed, 0);
}

static void a_too_wide_access_is_split_lowest_first(void **state)
{
	add(1, 0x40, 0x43, 1);
	assert_int_equal(bus_read_port(&bus, 0x40, 4, 77), 0x43424140);
	for (int i = 0; i < 4; i++)
		expect(i, 1, (uint16_t)(0x40 + i), 1, 0);
	bus_write_port(&bus, 0x42, 0xaabb, 2, 77);
	expect(4, 1, 0x42, 1, 0xbb);
	expect(5, 1, 0x43, 1, 0xaa);
	assert_int_equal(count, 6);
}

static void a_straddling_access_reaches_each_owner(void **state)
{
	add(1, 0x100, 0x101, 4);
	add(2, 0x103, 0x110, 4);
	assert_int_equal(bus_read_port(&bus, 0x100, 4, 77), 0x03ff0100);
	expect(0, 1, 0x100, 1, 0);
	expect(1, 1, 0x101, 1, 0);
	expect(2, 2, 0x103, 1, 0);
	assert_int_equal(bus.unclaimed, 1);
	assert_int_equal(bus.last_unclaimed, 0x102);
	bus_write_port(&bus, 0xff, 0x44332211, 4, 77);
	expect(3, 1, 0x100, 1, 0x22);
	expect(4, 1, 0x101, 1, 0x33);
	assert_int_equal(count, 5);
	assert_int_equal(bus.unclaimed, 3);
}

static void the_last_port_is_followed_by_port_0(void **state)
{
	add(1, 0xffff, 0xffff, 4);
	add(2, 0x0000, 0x0000, 1);
	assert_int_equal(bus_read_port(&bus, 0xffff, 4, 77), 0xffff00ff);
	expect(0, 1, 0xffff, 1, 0);
	expect(1, 2, 0x0000, 1, 0);
	assert_int_equal(bus.unclaimed, 2);
}

/* A full table, added in shuffled order, against a plain array of owners. */
static void every_port_has_its_owner(void **state)
{
	static int owner[65536];
	uint64_t seed = 11;
	int order[BUS_PORT_RANGES];

	memset(owner, 0xff, sizeof(owner));
	for (int i = 0; i < BUS_PORT_RANGES; i++)
		order[i] = i;
	for (int i = BUS_PORT_RANGES - 1; i > 0; i--) {
		int j = (int)(random_next(&seed) % (unsigned)(i + 1)), kept = order[i];

		order[i] = order[j];
		order[j] = kept;
	}
	for (int i = 0; i < BUS_PORT_RANGES; i++) {
		int id = order[i], first = id * 1360 + (int)(random_next(&seed) % 500);
		int last = first + (int)(random_next(&seed) % 860);

		add(id, (uint16_t)first, (uint16_t)last, 1);
		for (int port = first; port <= last; port++)
			owner[port] = id;
	}
	for (int port = 0; port < 65536; port++) {
		count = 0;
		bus_read_port(&bus, (uint16_t)port, 1, 77);
		assert_int_equal(count ? accesses[0].device : -1, owner[port]);
	}
}

static struct port_range inner;

static uint32_t read_before(void *device, uint16_t port, unsigned bytes, uint64_t now_ns)
{
	note(device, port, bytes, 0, now_ns);
	return inner.read(inner.device, port, bytes, now_ns);
}

static void who_is_put_in_front_comes_first(void **state)
{
	int front = 7;
	struct port_handlers handlers = { &front, read_before, write };
	uint32_t value;

	(void)state;
	add(1, 0x40, 0x43, 2);
	add(2, 0x44, 0x47, 1);
	value = bus_read_port(&bus, 0x41, 2, 5);
	count = 0;
	assert_false(bus_interpose(&bus, 0x41, &handlers, &inner)); /* no range begins there */
	assert_false(bus_interpose(&bus, 0x48, &handlers, &inner));
	assert_true(bus_interpose(&bus, 0x40, &handlers, &inner));
	assert_int_equal(bus_read_port(&bus, 0x41, 2, 5), value);
	assert_int_equal(count, 2);
	assert_int_equal(accesses[0].device, 7);
	assert_int_equal(accesses[1].device, 1);
	bus_write_port(&bus, 0x43, 9, 1, 5);
	bus_read_port(&bus, 0x44, 1, 5);
	assert_int_equal(count, 4);
	assert_int_equal(accesses[2].device, 7);
	assert_int_equal(accesses[3].device, 2);
}

static void who_is_taken_away_answers_no_more(void **state)
{
	(void)state;
	add(1, 0x40, 0x43, 2);
	add(2, 0x44, 0x47, 1);
	add(3, 0x60, 0x61, 1);
	bus_read_port(&bus, 0x60, 1, 5); /* the range that was found last */
	count = 0;
	bus_remove_ports(&bus, 0x60);
	assert_int_equal(bus_read_port(&bus, 0x60, 1, 5), 0xff);
	bus_write_port(&bus, 0x61, 7, 1, 5);
	assert_int_equal(count, 0);
	bus_remove_ports(&bus, 0x40);
	assert_int_equal(bus_read_port(&bus, 0x42, 2, 5), 0xffff);
	bus_read_port(&bus, 0x44, 1, 5);
	assert_int_equal(count, 1);
	assert_int_equal(accesses[0].device, 2);
	bus_remove_ports(&bus, 0x44);
	assert_int_equal(bus_read_port(&bus, 0, 4, 5), UINT32_MAX);
	assert_int_equal(count, 1);
	add(4, 0x40, 0x43, 1);
	bus_read_port(&bus, 0x40, 1, 5);
	assert_int_equal(accesses[1].device, 4);
}

#define MMIO_BASE 0xfed00000ull
#define MMIO_BYTES 256u

static uint8_t registers[2][MMIO_BYTES];

static uint64_t read_mmio(void *device, uint32_t offset, unsigned bytes, uint64_t now_ns)
{
	const uint8_t *chip = registers[*(int *)device];
	uint64_t value = UINT64_MAX << (bytes * 8 - 1); /* more than was asked for */

	assert_true(offset % bytes == 0 && offset + bytes <= MMIO_BYTES);
	note(device, (uint16_t)offset, bytes, 0, now_ns);
	memcpy(&value, chip + offset, bytes);
	return value;
}

static void write_mmio(void *device, uint32_t offset, uint64_t value, unsigned bytes, uint64_t now_ns)
{
	assert_true(offset % bytes == 0 && offset + bytes <= MMIO_BYTES);
	assert_true(bytes == 8 || !(value >> 8 * bytes));
	note(device, (uint16_t)offset, bytes, (uint32_t)value, now_ns);
	memcpy(registers[*(int *)device] + offset, &value, bytes);
}

/* Device 1 takes 8 bytes too and ends where device 0 begins, which takes 4. */
static void add_mmio(void)
{
	struct mmio_range range = { MMIO_BASE + MMIO_BYTES, MMIO_BYTES, MMIO_4, &devices[0], read_mmio, write_mmio };

	devices[0] = 0;
	devices[1] = 1;
	bus_add_mmio(&bus, &range);
	range = (struct mmio_range){ MMIO_BASE, MMIO_BYTES, MMIO_4 | MMIO_8, &devices[1], read_mmio, write_mmio };
	bus_add_mmio(&bus, &range);
	for (unsigned i = 0; i < MMIO_BYTES; i++) {
		registers[0][i] = (uint8_t)(0x80 + i * 7);
		registers[1][i] = (uint8_t)(i * 13);
	}
}

static uint8_t byte_at(uint64_t gpa)
{
	if (gpa - MMIO_BASE < MMIO_BYTES)
		return registers[1][gpa - MMIO_BASE];
	return gpa - MMIO_BASE - MMIO_BYTES < MMIO_BYTES ? registers[0][gpa - MMIO_BASE - MMIO_BYTES] : 0xff;
}

static void mmio_reads_of_every_width_and_place_give_the_registers_bytes(void **state)
{
	(void)state;
	add_mmio();
	for (uint64_t gpa = MMIO_BASE - 8; gpa < MMIO_BASE + 2 * MMIO_BYTES + 8; gpa++) {
		for (unsigned bytes = 1; bytes <= 8; bytes *= 2) {
			uint64_t value = bus_read_mmio(&bus, gpa, bytes, 77);

			assert_true(count <= 3); /* no register twice */
			for (unsigned i = 0; i < bytes; i++)
				assert_int_equal(value >> 8 * i & 0xff, byte_at(gpa + i));
			count = 0;
		}
	}
}

static void mmio_that_is_taken_away_is_a_hole(void **state)
{
	(void)state;
	add_mmio();
	bus_read_mmio(&bus, MMIO_BASE + MMIO_BYTES, 4, 7); /* the range that was found last */
	count = 0;
	bus_remove_mmio(&bus, MMIO_BASE);
	assert_int_equal(bus_read_mmio(&bus, MMIO_BASE, 4, 7) & UINT32_MAX, UINT32_MAX);
	assert_int_equal(count, 0);
	bus_read_mmio(&bus, MMIO_BASE + MMIO_BYTES, 4, 7);
	assert_int_equal(count, 1);
	assert_int_equal(accesses[0].device, 0);
	bus_remove_mmio(&bus, MMIO_BASE + MMIO_BYTES);
	bus_write_mmio(&bus, MMIO_BASE + MMIO_BYTES, 1, 4, 7);
	bus_write_mmio(&bus, 0, 1, 4, 7);
	assert_int_equal(count, 1);
	add_mmio();
	bus_read_mmio(&bus, MMIO_BASE, 4, 7);
	assert_int_equal(accesses[1].device, 1);
}

static void mmio_writes_of_whole_registers_get_there_and_others_are_lost(void **state)
{
	uint64_t seed = 5;

	(void)state;
	add_mmio();
	for (uint64_t gpa = MMIO_BASE - 8; gpa < MMIO_BASE + 2 * MMIO_BYTES + 8; gpa++) {
		for (unsigned bytes = 1; bytes <= 8; bytes *= 2) {
			bool whole = gpa % 4 == 0 && bytes >= 4;
			uint64_t value = random_next(&seed), unclaimed = bus.mmio_unclaimed, holes = 0;
			uint8_t expected[8];

			for (unsigned i = 0; i < 8; i++) {
				bool hole = gpa + i - MMIO_BASE >= 2 * MMIO_BYTES;

				expected[i] = whole && !hole && i < bytes ? (uint8_t)(value >> 8 * i) : byte_at(gpa + i);
				holes += i < bytes && i % 4 == 0 && hole;
			}
			bus_write_mmio(&bus, gpa, value, bytes, 77);
			for (unsigned i = 0; i < 8; i++)
				assert_int_equal(byte_at(gpa + i), expected[i]);
			assert_int_equal(bus.mmio_unclaimed - unclaimed, whole ? holes : 1);
			count = 0;
		}
	}
}

static void mmio_is_passed_whole_where_the_device_takes_it_whole(void **state)
{
	(void)state;
	add_mmio();
	bus_read_mmio(&bus, MMIO_BASE + 8, 8, 77);
	expect(0, 1, 8, 8, 0);
	bus_read_mmio(&bus, MMIO_BASE + MMIO_BYTES + 8, 8, 77);
	expect(1, 0, 8, 4, 0);
	expect(2, 0, 12, 4, 0);
	bus_write_mmio(&bus, MMIO_BASE + 4, 0x1122334455667788, 8, 77);
	expect(3, 1, 4, 4, 0x55667788);
	expect(4, 1, 8, 4, 0x11223344);
	bus_write_mmio(&bus, MMIO_BASE + MMIO_BYTES - 4, 0x1122334455667788, 8, 77);
	expect(5, 1, MMIO_BYTES - 4, 4, 0x55667788);
	expect(6, 0, 0, 4, 0x11223344);
	assert_int_equal(count, 7);
	assert_int_equal(bus.mmio_unclaimed, 0);
	assert_int_equal(bus_read_mmio(&bus, 0, 8, 77), UINT64_MAX);
	assert_int_equal(bus.mmio_unclaimed, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_empty_bus_reads_all_ones, set_up),
		cmocka_unit_test_setup(a_fitting_access_is_passed_whole, set_up),
		cmocka_unit_test_setup(a_too_wide_access_is_split_lowest_first, set_up),
		cmocka_unit_test_setup(a_straddling_access_reaches_each_owner, set_up),
		cmocka_unit_test_setup(the_last_port_is_followed_by_port_0, set_up),
		cmocka_unit_test_setup(every_port_has_its_owner, set_up),
		cmocka_unit_test_setup(who_is_put_in_front_comes_first, set_up),
		cmocka_unit_test_setup(who_is_taken_away_answers_no_more, set_up),
		cmocka_unit_test_setup(mmio_reads_of_every_width_and_place_give_the_registers_bytes, set_up),
		cmocka_unit_test_setup(mmio_that_is_taken_away_is_a_hole, set_up),
		cmocka_unit_test_setup(mmio_writes_of_whole_registers_get_there_and_others_are_lost, set_up),
		cmocka_unit_test_setup(mmio_is_passed_whole_where_the_device_takes_it_whole, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
