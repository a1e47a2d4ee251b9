/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The panic dump. */
#include "host/panic.h"

#include "base/assert.h"
#include "base/format.h"
#include "host/build.h"
#include "host/cpu.h"
#include "host/memory.h"
#include "host/message.h"
#include "host/power.h"
#include "host/symbols.h"

#define STACK_WORDS_SHOWN 16u
#define CALLS_SHOWN 16u
#define MSR_MCG_CAP 0x179u
#define MSR_MC0_CTL 0x400u
#define MC_VALID (1ull << 63)

static void (*panic_hook)(void);
static bool is_panicking;

void panic_set_hook(void (*hook)(void))
{
	panic_hook = hook;
}

static const char *const exception_names[] = {
	"#DE divide error", "#DB debug", "NMI", "#BP breakpoint", "#OF overflow", "#BR bound range", "#UD invalid opcode",
	"#NM device not available", "#DF double fault", "", "#TS invalid TSS", "#NP segment not present", "#SS stack",
	"#GP general protection", "#PF page fault", "", "#MF x87", "#AC alignment check", "#MC machine check", "#XF SIMD",
	"#VE virtualization", "#CP control protection",
};

static const char *name_of(uint64_t vector)
{
	return vector < sizeof exception_names / sizeof *exception_names ? exception_names[vector] : "";
}

/* The first line; false from the second panic on, when only the line is safe. */
static void begin(unsigned number, const char *what)
{
	char id[BUILD_ID_BYTES];

	message_set_console(NULL);
	if (is_panicking) {
		message(192, "panic within a panic: %s", what);
		host_stop(BED_CRASHED);
	}
	is_panicking = true;
	build_id(id);
	message(number, "PANIC: %s", what);
	message_text("foliot " FOLIOT_VERSION " build %s", id);
}

static _Noreturn void end(void)
{
	if (panic_hook)
		panic_hook();
	message_text("Foliot has stopped. Please report all of the above.");
	host_stop(BED_CRASHED);
}

static void print_address(const char *what, uint64_t address)
{
	uint64_t offset = 0;
	const char *name = symbol_find(address, &offset);

	if (name)
		message_text("%s %016lx  %s+%lxh", what, address, name, offset);
	else
		message_text("%s %016lx", what, address);
}

/* The end of the stack that the pointer lies in; 0: none of Foliot's. A pointer into the guard page, where an
 * overflow ends, becomes the stack's lowest address. */
static uint64_t stack_end(uint64_t *rsp)
{
	for (unsigned i = 0; i < STACK_COUNT; i++)
		if (*rsp >= stack_tops[i] - stack_bytes[i] - PAGE_BYTES && *rsp <= stack_tops[i]) {
			if (*rsp < stack_tops[i] - stack_bytes[i])
				*rsp = stack_tops[i] - stack_bytes[i];
			return stack_tops[i];
		}
	return 0;
}

/* Words that point into code are return addresses, present or past. */
static void print_stack(uint64_t rsp)
{
	uint64_t end_of_stack = stack_end(&rsp), offset;
	const uint64_t *word = (const uint64_t *)(rsp & ~7ull), *last = (const uint64_t *)end_of_stack;
	unsigned shown = 0;

	if (!end_of_stack) {
		message_text("RSP is on none of Foliot's stacks");
		return;
	}
	for (unsigned i = 0; i + 4 <= STACK_WORDS_SHOWN && word + i + 4 <= last; i += 4)
		message_text("stack %016lx %016lx %016lx %016lx", word[i], word[i + 1], word[i + 2], word[i + 3]);
	for (; word < last && shown < CALLS_SHOWN; word++)
		if (symbol_find(*word, &offset)) {
			print_address("call ", *word);
			shown++;
		}
}

static void print_control_registers(void)
{
	message_text("CR0 %lx CR2 %016lx CR3 %lx CR4 %lx EFER %lx", read_cr0(), read_cr2(), read_cr3(), read_cr4(),
	             rdmsr(MSR_EFER));
}

static void print_frame(const struct interrupt_frame *f)
{
	print_address("RIP", f->rip);
	message_text("error code %lxh, CS %02lxh, SS %02lxh, RFLAGS %lxh", f->error, f->cs, f->ss, f->rflags);
	message_text("RAX %016lx RBX %016lx RCX %016lx", f->rax, f->rbx, f->rcx);
	message_text("RDX %016lx RSI %016lx RDI %016lx", f->rdx, f->rsi, f->rdi);
	message_text("RBP %016lx RSP %016lx R8  %016lx", f->rbp, f->rsp, f->r8);
	message_text("R9  %016lx R10 %016lx R11 %016lx", f->r9, f->r10, f->r11);
	message_text("R12 %016lx R13 %016lx R14 %016lx", f->r12, f->r13, f->r14);
	message_text("R15 %016lx", f->r15);
	print_control_registers();
	print_stack(f->rsp);
}

void panic_exception(const struct interrupt_frame *frame)
{
	char what[64];

	format(what, sizeof what, "exception %lu %s", frame->vector, name_of(frame->vector));
	begin(190, what);
	print_frame(frame);
	end();
}

static void print_banks(void)
{
	uint64_t capabilities = 0, status = 0, address = 0, other = 0;

	rdmsr_safe(MSR_MCG_CAP, &capabilities);
	for (uint32_t i = 0; i < (capabilities & 0xff); i++) {
		uint32_t msr = MSR_MC0_CTL + 4 * i;

		if (!rdmsr_safe(msr + 1, &status) || !(status & MC_VALID))
			continue;
		rdmsr_safe(msr + 2, &address);
		rdmsr_safe(msr + 3, &other);
		message_text("bank %u: status %016lx address %016lx misc %016lx", i, status, address, other);
	}
}

void panic_machine_check(const struct interrupt_frame *frame)
{
	begin(193, "machine check: the hardware reports a fault of its own; the guest is frozen");
	print_banks();
	print_frame(frame);
	end();
}

void panic(const char *fmt, ...)
{
	char what[240];
	uint64_t here = (uint64_t)__builtin_frame_address(0);
	va_list args;

	cpu_cli();
	va_start(args, fmt);
	format_v(what, sizeof what, fmt, args);
	va_end(args);
	begin(191, what);
	print_address("from", (uint64_t)__builtin_return_address(0));
	print_control_registers();
	print_stack(here);
	end();
}

void assert_failed(const char *expression, const char *file, int line)
{
	panic("%s:%d: assertion failed: %s", file, line, expression);
}
