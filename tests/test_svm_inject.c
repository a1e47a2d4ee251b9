/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims about svm/inject.c and svm/exit.c, which touch nothing but the VMCB: an exception that is raised takes DR7.GD and the interrupt shadow with
 * it and leaves RF as the processor would; a finished instruction traps where TF is set; a single step of Foliot's own shows the guest nothing,
 * loses none of its breakpoints, and is made again if it did not come to be; a fault in an event's delivery is told from an instruction's. */
#include "svm/svm.h"

#include "tests/support.h"

#define TF (1ull << 8)
#define IF (1ull << 9)
#define RF (1ull << 16)
#define GD (1ull << 13)
#define BS (1ull << 14)
#define DB 1
#define GP 13
#define DR6_CLEAR 0xffff0ff0ull

static struct vmcb vmcb;
static struct svm_vcpu engine;
static struct vcpu vcpu;

static int set_up(void **state)
{
	(void)state;
	vmcb = (struct vmcb){ .dr6 = DR6_CLEAR, .dr7 = 0x400 };
	engine = (struct svm_vcpu){ .vmcb = &vmcb };
	vcpu = (struct vcpu){ .registers = { .rip = 0x1000, .rflags = 2 | IF }, .engine = &engine };
	return 0;
}

static void test_raise(void **state)
{
	(void)state;
	vmcb.dr7 |= GD;
	vmcb.interrupt_shadow = VMCB_INTERRUPT_SHADOW;
	svm_raise(&vcpu, GP, 0x1234);
	assert_int_equal(vmcb.event_injection, 0x123480000b00ull | GP);
	assert_false(vmcb.interrupt_shadow & VMCB_INTERRUPT_SHADOW);
	assert_true(vcpu.registers.rflags & RF);
	assert_true(vmcb.dr7 & GD);
	assert_false(svm_can_inject(&vcpu));

	vcpu.registers.rflags &= ~RF;
	svm_raise(&vcpu, DB, NO_ERROR_CODE);
	assert_int_equal(vmcb.event_injection, 0x80000300ull | DB);
	assert_false(vcpu.registers.rflags & RF);
	assert_false(vmcb.dr7 & GD);
}

static void test_advance(void **state)
{
	(void)state;
	vmcb.interrupt_shadow = VMCB_INTERRUPT_SHADOW;
	vcpu.registers.rflags |= RF;
	svm_advance(&vcpu, 3);
	assert_int_equal(vcpu.registers.rip, 0x1003);
	assert_false(vcpu.registers.rflags & RF);
	assert_false(vmcb.event_injection);
	assert_true(svm_can_inject(&vcpu));

	vcpu.registers.rflags |= TF;
	svm_advance(&vcpu, 2);
	assert_int_equal(vmcb.event_injection, 0x80000300ull | DB);
	assert_true(vmcb.dr6 & BS);
}

static struct vcpu_exit trap(void)
{
	return (struct vcpu_exit){ .kind = EXIT_EXCEPTION, .exception = { .vector = DB } };
}

static void begin_step(void)
{
	vmcb.interrupt_shadow = VMCB_INTERRUPT_SHADOW;
	svm_want_window(&vcpu, true);
	assert_true(engine.stepping && vcpu.registers.rflags & TF);
	assert_false(vmcb.virtual_interrupt & VMCB_V_IRQ);
	vmcb.interrupt_shadow = 0; /* what a processor does that knows no shadow at VMRUN */
}

static void test_step(void **state)
{
	struct vcpu_exit exit = trap();

	(void)state;
	vmcb.dr6 |= 1; /* B0 of an earlier trap, which the guest has not cleared */
	begin_step();
	vcpu.registers.rip++;
	vmcb.dr6 |= BS;
	assert_true(svm_end_step(&vcpu, &exit));
	assert_int_equal(vmcb.dr6, DR6_CLEAR | 1);
	assert_false(engine.stepping || vcpu.registers.rflags & TF);
}

static void test_step_meets_breakpoint(void **state)
{
	struct vcpu_exit exit = trap();

	(void)state;
	begin_step();
	vcpu.registers.rip++;
	vmcb.dr6 |= BS | 2;
	assert_false(svm_end_step(&vcpu, &exit)); /* the guest gets its #DB, */
	assert_int_equal(vmcb.dr6, DR6_CLEAR | 2); /* and sees nothing of the step */
}

static void test_step_of_stepped_guest(void **state)
{
	struct vcpu_exit exit = trap();

	(void)state;
	vcpu.registers.rflags |= TF;
	begin_step();
	vcpu.registers.rip++;
	vmcb.dr6 |= BS;
	assert_false(svm_end_step(&vcpu, &exit));
	assert_true(vmcb.dr6 & BS && vcpu.registers.rflags & TF);
}

static void test_step_not_begun(void **state)
{
	struct vcpu_exit exit = { .kind = EXIT_HOST_INTERRUPT };

	(void)state;
	begin_step();
	assert_false(svm_end_step(&vcpu, &exit));
	assert_false(svm_can_inject(&vcpu)); /* the shadow still stands */
	begin_step();
	vcpu.registers.rip++;
	assert_false(svm_end_step(&vcpu, &exit));
	assert_true(svm_can_inject(&vcpu));
}

static void test_memory_exits(void **state)
{
	struct vcpu_exit exit = { 0 };

	(void)state;
	vmcb.exit_code = VMCB_EXIT_NPF;
	vmcb.exit_info1 = 1ull << 32 | 6;
	vmcb.exit_info2 = 0xf0000030;
	svm_decode_exit(&vmcb, &exit);
	assert_true(exit.kind == EXIT_MEMORY && exit.memory.gpa == 0xf0000030 && exit.memory.error == 6);
	assert_false(exit.memory.walking || exit.memory.delivering);
	vmcb.exit_interrupt_info = VMCB_EVENT_VALID | VMCB_EVENT_EXCEPTION | GP;
	svm_decode_exit(&vmcb, &exit);
	assert_true(exit.memory.delivering);
	vmcb.exit_info1 = VMCB_NPF_WALKING;
	svm_decode_exit(&vmcb, &exit);
	assert_true(exit.memory.walking);
}

/* Whatever code the processor gives, it becomes an exit that vm/ has a handler for; a port access has 1, 2 or 4 bytes. */
static void test_all_codes(void **state)
{
	(void)state;
	for (uint64_t code = 0; code < 0x1000; code++) {
		struct vcpu_exit exit = { .kind = EXIT_KIND_COUNT };

		vmcb.exit_code = code;
		svm_decode_exit(&vmcb, &exit);
		assert_true(exit.kind < EXIT_KIND_COUNT && exit.length <= 15);
	}
	for (uint64_t code = UINT64_MAX; code > UINT64_MAX - 4; code--) {
		struct vcpu_exit exit = { .kind = EXIT_KIND_COUNT };

		vmcb.exit_code = code;
		svm_decode_exit(&vmcb, &exit);
		assert_int_equal(exit.kind, code == UINT64_MAX ? EXIT_INVALID_STATE : EXIT_UNKNOWN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_raise, set_up),
		cmocka_unit_test_setup(test_advance, set_up),
		cmocka_unit_test_setup(test_step, set_up),
		cmocka_unit_test_setup(test_step_meets_breakpoint, set_up),
		cmocka_unit_test_setup(test_step_of_stepped_guest, set_up),
		cmocka_unit_test_setup(test_step_not_begun, set_up),
		cmocka_unit_test_setup(test_memory_exits, set_up),
		cmocka_unit_test_setup(test_all_codes, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
