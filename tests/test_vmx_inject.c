/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims about vmx/inject.c, vmx/exit.c and the preemption timer's arithmetic in vmx/vmx.h: an exception that is
 * raised takes the interrupt shadow with it and leaves RF and DR7.GD as the processor would; a finished instruction traps
 * where TF is set; an interrupted event is given again, but not one that its instruction makes again; whatever reason the
 * processor gives, it becomes an exit that vm/ has a handler for; the timer ends the run at the first moment that it can
 * tell and that is not before the deadline. */
#include "vmx/vmx.h"
#include "vmx/vmcs.h"

#include "tests/support.h"

#define TF (1ull << 8)
#define IF (1ull << 9)
#define RF (1ull << 16)
#define BS (1ull << 14)
#define DB 1
#define GP 13
#define SHADOW (VMX_BLOCKED_BY_STI | VMX_BLOCKED_BY_MOV_SS)

#define FIELDS 0x7000

static uint64_t vmcs[FIELDS];
static struct vmx_vcpu engine;
static uint8_t virtual_apic[4096];
static struct vcpu vcpu;

uint64_t vmread(uint32_t field)
{
	assert_true(field < FIELDS);
	return vmcs[field];
}

void vmwrite(uint32_t field, uint64_t value)
{
	assert_true(field < FIELDS);
	vmcs[field] = value;
}

static int set_up(void **state)
{
	(void)state;
	memset(vmcs, 0, sizeof vmcs);
	memset(virtual_apic, 0, sizeof virtual_apic);
	engine = (struct vmx_vcpu){ .virtual_apic = virtual_apic };
	vcpu = (struct vcpu){ .registers = { .rip = 0x1000, .rflags = 2 | IF }, .engine = &engine };
	return 0;
}

static void test_raise(void **state)
{
	(void)state;
	engine.interruptibility = VMX_BLOCKED_BY_MOV_SS | 8; /* and NMIs are blocked: they stay so */
	vmx_raise(&vcpu, GP, 0x1234);
	assert_int_equal(engine.event, 0x80000b00u | GP);
	assert_int_equal(engine.event_error, 0x1234);
	assert_int_equal(engine.interruptibility, 8);
	assert_true(vcpu.registers.rflags & RF);
	assert_false(engine.clears_gd);
	assert_true(engine.changed);
	assert_false(vmx_can_inject(&vcpu));

	vcpu.registers.rflags &= ~RF;
	vmx_raise(&vcpu, DB, NO_ERROR_CODE);
	assert_int_equal(engine.event, 0x80000300u | DB);
	assert_false(vcpu.registers.rflags & RF);
	assert_true(engine.clears_gd);
}

static void test_inject(void **state)
{
	(void)state;
	assert_true(vmx_can_inject(&vcpu));
	engine.interruptibility = VMX_BLOCKED_BY_STI;
	assert_false(vmx_can_inject(&vcpu));
	engine.interruptibility = VMX_BLOCKED_BY_MOV_SS;
	assert_false(vmx_can_inject(&vcpu));
	engine.interruptibility = 0;
	vcpu.registers.rflags &= ~IF;
	assert_false(vmx_can_inject(&vcpu));
	vcpu.registers.rflags |= IF;
	vmx_inject(&vcpu, 0xef);
	assert_int_equal(engine.event, 0x800000ef);
	assert_true(engine.changed);
	assert_false(vmx_can_inject(&vcpu));
}

static void test_window(void **state)
{
	(void)state;
	engine.primary = VMX_PRIMARY_HLT;
	vmx_want_window(&vcpu, PRIORITY_ANY_CR8);
	assert_true(engine.changed);
	assert_int_equal(engine.primary, VMX_PRIMARY_HLT | VMX_PRIMARY_WINDOW);
	engine.changed = false;
	vmx_want_window(&vcpu, 0);
	assert_true(engine.changed);
	assert_int_equal(engine.primary, VMX_PRIMARY_HLT);
}

/* Either the window or the threshold, and the threshold never above CR8: the entry would fail. */
static void test_window_by_priority(void **state)
{
	(void)state;
	for (unsigned cr8 = 0; cr8 <= 15; cr8++)
		for (unsigned priority = 0; priority <= PRIORITY_ANY_CR8; priority++) {
			virtual_apic[VIRTUAL_APIC_TPR] = (uint8_t)(cr8 << 4);
			vmx_want_window(&vcpu, priority);
			assert_int_equal(!!(engine.primary & VMX_PRIMARY_WINDOW), priority > cr8);
			assert_int_equal(engine.tpr_threshold, priority > cr8 ? 0 : priority);
			assert_true(engine.tpr_threshold <= cr8);
		}
}

static void test_advance(void **state)
{
	(void)state;
	vmx_advance(&vcpu, 2);
	assert_int_equal(vcpu.registers.rip, 0x1002);
	assert_false(engine.changed || engine.event);

	engine.interruptibility = SHADOW | 8;
	vcpu.registers.rflags |= RF;
	vmx_advance(&vcpu, 3);
	assert_int_equal(vcpu.registers.rip, 0x1005);
	assert_false(vcpu.registers.rflags & RF);
	assert_int_equal(engine.interruptibility, 8);
	assert_true(engine.changed);
	assert_false(engine.event);

	vcpu.registers.rflags |= TF;
	vmx_advance(&vcpu, 1);
	assert_int_equal(engine.event, 0x80000300u | DB);
	assert_int_equal(engine.dr6_sets, BS);
	assert_true(engine.clears_gd);
}

/* Code that is not 64-bit goes on at 0; 64-bit code beyond 4 GiB. */
static void test_advance_over_4_gib(void **state)
{
	(void)state;
	vcpu.registers.rip = 0xfffffffe;
	vmx_advance(&vcpu, 2);
	assert_int_equal(vcpu.registers.rip, 0);
	vcpu.registers.rip = 0xffffffff;
	vmcs[VMCS_GUEST_CS_RIGHTS] = 0xa09b;
	vmx_advance(&vcpu, 3);
	assert_int_equal(vcpu.registers.rip, 0x100000002);
	vcpu.registers.rip = 0xffffffff81000000;
	vmx_advance(&vcpu, 5);
	assert_int_equal(vcpu.registers.rip, 0xffffffff81000005);
}

/* The event as the exit describes it, and as it is given again (SDM 3C 27.6). Bits 12 to 30 are not the entry's. */
static void test_requeue(void **state)
{
	static const struct { uint32_t vectoring, event; } rows[] = {
		{ 0x80000030, 0x80000030 },
		{ 0x80000202, 0x80000202 },
		{ 0x80000b0e, 0x80000b0e },
		{ 0x80001b0e, 0x80000b0e }, /* NMI unblocking by IRET */
		{ 0x80000480, 0 },
		{ 0x80000501, 0 },
		{ 0x80000603, 0 },
	};

	(void)state;
	vmcs[VMCS_IDT_VECTORING_ERROR] = 0x18;
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		engine.event = engine.event_error = 0;
		vmx_requeue_event(&engine, rows[i].vectoring);
		assert_int_equal(engine.event, rows[i].event);
		if (engine.event & VMX_EVENT_ERROR_CODE)
			assert_int_equal(engine.event_error, 0x18);
		assert_int_equal(vmx_can_inject(&vcpu), !rows[i].event);
	}
}

static struct vcpu_exit decode(uint32_t reason, uint64_t qualification, uint32_t idt_vectoring)
{
	struct vcpu_exit exit;

	memset(&exit, 0xcc, sizeof exit);
	vmcs[VMCS_EXIT_LENGTH] = 2;
	vmcs[VMCS_EXIT_QUALIFICATION] = qualification;
	vmx_decode_exit(reason, idt_vectoring, &exit);
	return exit;
}

/* SDM 3C table 28-5. */
static void test_ports(void **state)
{
	struct vcpu_exit exit = decode(VMX_REASON_IO, 0x00400000, 0);

	(void)state;
	assert_true(exit.kind == EXIT_PORT && exit.port.port == 0x40 && exit.port.bytes == 1 && !exit.port.in);
	assert_int_equal(exit.length, 2);
	exit = decode(VMX_REASON_IO, 0x0cf8004b, 0);
	assert_true(exit.kind == EXIT_PORT && exit.port.port == 0xcf8 && exit.port.bytes == 4 && exit.port.in);
	exit = decode(VMX_REASON_IO, 0xffff0031, 0);
	assert_true(exit.kind == EXIT_PORT_STRING && exit.port.port == 0xffff && exit.port.bytes == 2);
	assert_true(exit.port.rep && !exit.port.in);
	exit = decode(VMX_REASON_IO, 0x03f80018, 0);
	assert_true(exit.kind == EXIT_PORT_STRING && exit.port.bytes == 1 && !exit.port.rep && exit.port.in);
}

/* SDM 3C table 28-7, to a page fault's error code. */
static void test_memory(void **state)
{
	struct vcpu_exit exit;

	(void)state;
	vmcs[VMCS_GUEST_PHYSICAL_ADDRESS] = 0xfed000f0;
	exit = decode(VMX_REASON_EPT_VIOLATION, 0x181, 0);
	assert_true(exit.kind == EXIT_MEMORY && exit.memory.gpa == 0xfed000f0 && exit.memory.error == 4);
	assert_false(exit.memory.walking || exit.memory.delivering);
	assert_int_equal(decode(VMX_REASON_EPT_VIOLATION, 0x182, 0).memory.error, 6);
	assert_int_equal(decode(VMX_REASON_EPT_VIOLATION, 0x184, 0).memory.error, 0x14);
	assert_int_equal(decode(VMX_REASON_EPT_VIOLATION, 0x1aa, 0).memory.error, 7);
	exit = decode(VMX_REASON_EPT_VIOLATION, 0x81, VMX_EVENT_VALID | 0x30);
	assert_true(exit.memory.walking && exit.memory.delivering);
	assert_false(decode(VMX_REASON_EPT_VIOLATION, 0x1, 0).memory.walking); /* a load of PDPTEs: no linear address */
}

static void test_exceptions(void **state)
{
	struct vcpu_exit exit;

	(void)state;
	vmcs[VMCS_EXIT_ERROR_CODE] = 0x99;
	vmcs[VMCS_EXIT_EVENT] = 0x80000b11;
	exit = decode(VMX_REASON_EXCEPTION, 0, 0);
	assert_true(exit.kind == EXIT_EXCEPTION && exit.exception.vector == 17 && exit.exception.error == 0x99);
	vmcs[VMCS_EXIT_EVENT] = 0x80000301;
	exit = decode(VMX_REASON_EXCEPTION, 0x4001, 0);
	assert_true(exit.kind == EXIT_EXCEPTION && exit.exception.vector == DB && exit.exception.error == 0);
	vmcs[VMCS_EXIT_EVENT] = 0x80000202;
	assert_int_equal(decode(VMX_REASON_EXCEPTION, 0, 0).kind, EXIT_HOST_NMI);
}

/* SDM 3C table 28-3; what Foliot does not ask for is unknown. */
static void test_control_registers(void **state)
{
	struct vcpu_exit exit = decode(VMX_REASON_CR, 0x300, 0);

	(void)state;
	assert_int_equal(decode(VMX_REASON_TPR, 0, 0).kind, EXIT_TPR);
	assert_true(exit.kind == EXIT_WRITE_CR && exit.cr.which == CR0);
	exit = decode(VMX_REASON_CR, 0x4, 0);
	assert_true(exit.kind == EXIT_WRITE_CR && exit.cr.which == CR4);
	exit = decode(VMX_REASON_CR, 0x12340030, 0);
	assert_true(exit.kind == EXIT_WRITE_CR && exit.cr.which == CR0);
	exit = decode(VMX_REASON_CR, 0x3, 0);
	assert_true(exit.kind == EXIT_UNKNOWN && exit.code == VMX_REASON_CR);
	assert_int_equal(decode(VMX_REASON_CR, 0x14, 0).kind, EXIT_UNKNOWN); /* MOV from CR4 */
	assert_int_equal(decode(VMX_REASON_CR, 0x20, 0).kind, EXIT_UNKNOWN); /* CLTS */
}

static const struct {
	uint32_t reason;
	enum vcpu_exit_kind kind;
} plain[] = {
	{ VMX_REASON_EXTERNAL_INTERRUPT, EXIT_HOST_INTERRUPT }, { VMX_REASON_INIT, EXIT_HOST_INTERRUPT },
	{ VMX_REASON_PREEMPTION_TIMER, EXIT_DEADLINE }, { VMX_REASON_TRIPLE_FAULT, EXIT_SHUTDOWN },
	{ VMX_REASON_WINDOW, EXIT_WINDOW }, { VMX_REASON_CPUID, EXIT_CPUID }, { VMX_REASON_HLT, EXIT_HLT },
	{ VMX_REASON_RDMSR, EXIT_RDMSR }, { VMX_REASON_WRMSR, EXIT_WRMSR }, { VMX_REASON_RDTSC, EXIT_RDTSC },
	{ VMX_REASON_RDTSCP, EXIT_RDTSCP }, { VMX_REASON_XSETBV, EXIT_XSETBV }, { VMX_REASON_VMCALL, EXIT_HYPERCALL },
	{ VMX_REASON_INVD, EXIT_CACHE }, { VMX_REASON_WBINVD, EXIT_CACHE },
	{ VMX_REASON_RDPMC, EXIT_EXCEPTION }, { VMX_REASON_GETSEC, EXIT_FORBIDDEN }, { VMX_REASON_RSM, EXIT_FORBIDDEN },
	{ VMX_REASON_VMCLEAR, EXIT_FORBIDDEN }, { 20, EXIT_FORBIDDEN }, { 23, EXIT_FORBIDDEN }, { 26, EXIT_FORBIDDEN },
	{ VMX_REASON_VMXON, EXIT_FORBIDDEN }, { VMX_REASON_MWAIT, EXIT_FORBIDDEN },
	{ VMX_REASON_MONITOR, EXIT_FORBIDDEN }, { VMX_REASON_INVEPT, EXIT_FORBIDDEN },
	{ VMX_REASON_INVVPID, EXIT_FORBIDDEN }, { VMX_REASON_VMFUNC, EXIT_FORBIDDEN },
	{ VMX_REASON_XSAVES, EXIT_FORBIDDEN }, { VMX_REASON_XRSTORS, EXIT_FORBIDDEN },
	{ VMX_REASON_TASK_SWITCH, EXIT_UNKNOWN }, { 49, EXIT_UNKNOWN }, /* EPT misconfiguration */
};

static void test_all_reasons(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof plain / sizeof *plain; i++)
		assert_int_equal(decode(plain[i].reason, 0, 0).kind, plain[i].kind);
	for (uint32_t reason = 0; reason < 0x10000; reason++) {
		struct vcpu_exit exit = decode(reason, 0, 0);

		assert_true(exit.kind < EXIT_KIND_COUNT && exit.kind != EXIT_INVALID_STATE);
		assert_true(exit.kind != EXIT_UNKNOWN || exit.code == reason);
		exit = decode(reason | VMX_REASON_ENTRY_FAILED, 0, 0);
		assert_true(exit.kind == EXIT_INVALID_STATE && exit.code == (reason | VMX_REASON_ENTRY_FAILED));
	}
}

/* Where the run ends: the timer counts down with each change of the TSC's bit number shift, and ends it at 0. */
static uint64_t simulate(uint64_t tsc, uint32_t count, unsigned shift)
{
	while (count) {
		uint64_t before = tsc++;

		count -= (before >> shift & 1) != (tsc >> shift & 1);
	}
	return tsc;
}

static void test_timer(void **state)
{
	static const uint64_t starts[] = { 0, 1ull << 32, 1ull << 48, 1ull << 63, UINT64_MAX - 3000 };
	uint64_t random = 7;

	(void)state;
	for (unsigned long i = share(1000000); i; i--) {
		unsigned shift = (unsigned)(random_next(&random) % 11);
		uint64_t now = starts[random_next(&random) % 5] + random_next(&random) % 5000;
		uint64_t deadline = now + random_next(&random) % 6000 - 1000;
		uint64_t moment = vmx_timer_moment(deadline, shift);
		uint64_t end = simulate(now, vmx_timer_count(now, moment, shift), shift);

		assert_int_equal(moment & ((1ull << shift) - 1), 0);
		assert_true(moment - deadline < 1ull << shift);
		assert_int_equal(end, (int64_t)(moment - now) > 0 ? moment : now);
	}
}

/* The longest that 32 bits hold. */
static void test_timer_far(void **state)
{
	(void)state;
	for (unsigned shift = 0; shift < 31; shift++)
		for (uint64_t now = (1ull << 60) - 1; now < (1ull << 60) + 2; now++) {
			uint64_t moment = (now >> shift << shift) + ((uint64_t)UINT32_MAX << shift);

			assert_int_equal(vmx_timer_count(now, moment, shift), UINT32_MAX);
			assert_int_equal(vmx_timer_count(now, now >> shift << shift, shift), 0);
			assert_int_equal(vmx_timer_count(now, 0, shift), 0);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_raise, set_up),
		cmocka_unit_test_setup(test_inject, set_up),
		cmocka_unit_test_setup(test_window, set_up),
		cmocka_unit_test_setup(test_window_by_priority, set_up),
		cmocka_unit_test_setup(test_advance, set_up),
		cmocka_unit_test_setup(test_advance_over_4_gib, set_up),
		cmocka_unit_test_setup(test_requeue, set_up),
		cmocka_unit_test_setup(test_ports, set_up),
		cmocka_unit_test_setup(test_memory, set_up),
		cmocka_unit_test_setup(test_exceptions, set_up),
		cmocka_unit_test_setup(test_control_registers, set_up),
		cmocka_unit_test_setup(test_all_reasons, set_up),
		cmocka_unit_test(test_timer),
		cmocka_unit_test(test_timer_far),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
