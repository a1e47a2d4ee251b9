/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Claims about svm/inject.c and svm/exit.c, which touch nothing but the VMCB: an exception that is raised takes DR7.GD and the interrupt shadow with
 * it and leaves RF as the processor would; a finished instruction traps where TF is set; a single step of Foliot's own shows the guest nothing,
 * loses none of its breakpoints, and is made again if it did not come to be; an event that an exit meets goes in again, once; a fault in an
 * event's delivery is told from an instruction's. */
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
	svm_want_window(&vcpu, PRIORITY_ANY_CR8);
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

static void inject_queued(uint8_t vector)
{
	engine.virtual_interrupts = true;
	vmcb.virtual_interrupt = VMCB_V_INTR_MASKING | VMCB_V_INTR_VECTOR(0xff);
	vmcb.intercept_misc1 = VMCB_INTERCEPT_VINTR; /* of a window */
	svm_inject(&vcpu, vector);
	assert_int_equal(vmcb.virtual_interrupt, VMCB_V_INTR_MASKING | 0x1f0100 | VMCB_V_INTR_VECTOR(vector));
	assert_false(vmcb.event_injection || vmcb.intercept_misc1);
	assert_false(svm_can_inject(&vcpu));
}

static void take_queued(void)
{
	vmcb.virtual_interrupt &= ~VMCB_V_IRQ;
	vcpu.registers.rflags &= ~IF;
	svm_requeue(&vcpu);
	assert_false(engine.queued || vmcb.event_injection);
}

static void test_injection(void **state)
{
	(void)state;
	svm_inject(&vcpu, 0x30);
	assert_int_equal(vmcb.event_injection, 0x80000030);
	assert_false(vmcb.virtual_interrupt || svm_can_inject(&vcpu));
	svm_requeue(&vcpu); /* taken */
	assert_false(vmcb.event_injection);
	assert_true(svm_can_inject(&vcpu));

	vmcb.exit_interrupt_info = 0x80000030; /* an exit in its delivery */
	svm_requeue(&vcpu);
	assert_int_equal(vmcb.event_injection, 0x80000030);
	vmcb.exit_interrupt_info = 0x123480000b00ull | GP;
	svm_requeue(&vcpu);
	assert_int_equal(vmcb.event_injection, 0x123480000b00ull | GP);

	for (unsigned type = 3; type <= 4; type++) { /* INT3; INT n */
		vmcb.exit_interrupt_info = VMCB_EVENT_VALID | type << 8 | 3;
		svm_requeue(&vcpu);
		assert_false(vmcb.event_injection);
	}
}

/* Where interrupts go in by V_IRQ: one that is not taken yet is never lost nor doubled, whatever else is asked for. */
static void test_queued(void **state)
{
	(void)state;
	inject_queued(0x30);
	svm_requeue(&vcpu); /* a host interrupt came first */
	assert_true(engine.queued && vmcb.virtual_interrupt & VMCB_V_IRQ && !svm_can_inject(&vcpu));
	for (unsigned want = 0; want <= PRIORITY_ANY_CR8; want++) {
		uint64_t before = vmcb.virtual_interrupt;

		svm_want_window(&vcpu, want);
		assert_true(vmcb.virtual_interrupt == before && !vmcb.intercept_misc1 && !engine.stepping);
	}
	take_queued();
	assert_false(svm_can_inject(&vcpu));
	svm_want_window(&vcpu, PRIORITY_ANY_CR8);
	assert_true(vmcb.virtual_interrupt & VMCB_V_IRQ && vmcb.intercept_misc1 & VMCB_INTERCEPT_VINTR);
	svm_requeue(&vcpu); /* V_IRQ is set for the window */
	assert_false(engine.queued);
	vcpu.registers.rflags |= IF;
	assert_true(svm_can_inject(&vcpu));
}

/* While CR8 holds an interrupt back, V_IRQ waits with its priority: no step, nothing of CR8 is lost, and QEMU's comparison is met. */
static void test_window_by_priority(void **state)
{
	(void)state;
	for (unsigned cr8 = 0; cr8 <= 15; cr8++)
		for (unsigned priority = 0; priority <= PRIORITY_ANY_CR8; priority++)
			for (int qemu = 0; qemu <= 1; qemu++) {
				unsigned v_priority;

				engine.equal_priority_opens = qemu;
				vmcb.virtual_interrupt = VMCB_V_INTR_MASKING | cr8 | VMCB_V_INTR_PRIO(15) | VMCB_V_IGN_TPR;
				vmcb.interrupt_shadow = priority <= cr8 ? VMCB_INTERRUPT_SHADOW : 0;
				svm_want_window(&vcpu, priority);
				v_priority = vmcb.virtual_interrupt >> 16 & 15;
				assert_false(engine.stepping);
				assert_int_equal(vmcb.virtual_interrupt & 0xff, cr8);
				assert_true(vmcb.virtual_interrupt & VMCB_V_INTR_MASKING);
				assert_int_equal(!!(vmcb.virtual_interrupt & VMCB_V_IRQ), priority != 0);
				assert_int_equal(!!(vmcb.intercept_misc1 & VMCB_INTERCEPT_VINTR), priority != 0);
				if (!priority)
					continue;
				assert_int_equal(!!(vmcb.virtual_interrupt & VMCB_V_IGN_TPR), priority == PRIORITY_ANY_CR8);
				if (priority != PRIORITY_ANY_CR8)
					assert_int_equal(qemu ? v_priority >= cr8 : v_priority > cr8, priority > cr8);
			}
}

static void test_queued_and_exception(void **state)
{
	(void)state;
	inject_queued(0x30);
	svm_raise(&vcpu, GP, 0x1234);
	assert_true(engine.queued && vmcb.virtual_interrupt & VMCB_V_IRQ);
	assert_int_equal(vmcb.event_injection, 0x123480000b00ull | GP);
	vcpu.registers.rflags &= ~IF; /* in its handler */
	svm_requeue(&vcpu);
	assert_true(engine.queued && !vmcb.event_injection);
	vcpu.registers.rflags |= IF;
	take_queued();
}

/* TCG's EXITINTINFO says "exception" where an exit meets the delivery of V_IRQ. */
static void test_queued_meets_exit(void **state)
{
	(void)state;
	inject_queued(GP); /* where an old PIC program has IRQ 5 */
	vmcb.exit_interrupt_info = VMCB_EVENT_VALID | VMCB_EVENT_EXCEPTION | VMCB_EVENT_ERROR_CODE | GP;
	svm_requeue(&vcpu);
	assert_true(engine.queued && vmcb.virtual_interrupt & VMCB_V_IRQ && !vmcb.event_injection);

	vmcb.exit_interrupt_info = VMCB_EVENT_VALID | VMCB_EVENT_EXCEPTION | 0; /* another: a true one */
	svm_requeue(&vcpu);
	assert_true(engine.queued && vmcb.event_injection);
	vmcb.exit_interrupt_info = 0x123480000b00ull | GP; /* with IF 0 it is a true one too */
	vcpu.registers.rflags &= ~IF;
	svm_requeue(&vcpu);
	assert_int_equal(vmcb.event_injection, 0x123480000b00ull | GP);
	assert_true(engine.queued);

	vmcb.virtual_interrupt &= ~VMCB_V_IRQ; /* the interrupt is taken, and its handler met one */
	vcpu.registers.rflags |= IF;
	svm_requeue(&vcpu);
	assert_int_equal(vmcb.event_injection, 0x123480000b00ull | GP);
	assert_false(engine.queued);
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
		cmocka_unit_test_setup(test_injection, set_up),
		cmocka_unit_test_setup(test_queued, set_up),
		cmocka_unit_test_setup(test_window_by_priority, set_up),
		cmocka_unit_test_setup(test_queued_and_exception, set_up),
		cmocka_unit_test_setup(test_queued_meets_exit, set_up),
		cmocka_unit_test_setup(test_memory_exits, set_up),
		cmocka_unit_test_setup(test_all_codes, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
