/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The pair of Intel 8259A interrupt controllers (order number 231468): masks, IRR and ISR, priorities and their
 * rotation, EOI forms, poll mode, special mask mode, and that a request withdrawn before it is taken shows as
 * nothing or as a spurious IRQ 7, never as itself. Sources: PIT (IRQ 0), UART (IRQ 4, its "transmitter empty"),
 * RTC (IRQ 8, periodic). */
#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/report.h"

#define MASTER 0x20
#define SLAVE 0xA0
#define OCW2_EOI 0x20
#define OCW2_SPECIFIC_EOI 0x60
#define OCW2_ROTATE_EOI 0xA0
#define OCW2_SET_PRIORITY 0xC0
#define OCW3_IRR 0x0A
#define OCW3_ISR 0x0B
#define OCW3_POLL 0x0C
#define OCW3_SPECIAL_MASK 0x68
#define OCW3_NORMAL_MASK 0x48
#define COM1 0x3F8

const char test_name[] = "pic";

static volatile unsigned order[8], taken;
static volatile uint8_t isr_master, isr_slave;

static uint8_t pic_read(uint16_t chip, uint8_t ocw3)
{
	outb(chip, ocw3);
	return inb(chip);
}

/* IRQ 0 on request: OUT of channel 0 goes low with the control word and high soon after. */
static void raise_irq0(void)
{
	pit_program(0, PIT_BOTH, 0, false, 2);
}

static void lower_irq0(void)
{
	pit_program(0, PIT_BOTH, 0, false, 0);
}

static void wait_irr(uint16_t chip, uint8_t bit)
{
	uint64_t start = rdtsc();

	while (!(pic_read(chip, OCW3_IRR) & bit) && rdtsc() - start < 100 * NS_PER_MS)
		;
}

/* IRQ 4 on request: "transmitter holding register empty", let through by OUT2. */
static void raise_irq4(void)
{
	print_drain();
	outb(COM1 + 4, 0x0B);
	outb(COM1 + 1, 0x02);
}

static void lower_irq4(void)
{
	outb(COM1 + 1, 0);
	inb(COM1 + 2);
	outb(COM1 + 4, 0x03);
}

static void masks_read_back(void)
{
	outb(MASTER + 1, 0xA5);
	outb(SLAVE + 1, 0x5A);
	report(inb(MASTER + 1) == 0xA5 && inb(SLAVE + 1) == 0x5A, "the mask registers read back");
	outb(MASTER + 1, 0xFF);
	outb(SLAVE + 1, 0xFF);
}

static void masked_request_waits(void)
{
	uint32_t before = irq_counts[0];

	raise_irq0();
	wait_irr(MASTER, 1);
	sti_nop_cli();
	if (option_number("control", 0)) { /* the control: an interrupt that does come must be seen */
		irq_mask(0, false);
		sti_nop_cli();
	}
	report(irq_counts[0] == before, "a masked request gives no interrupt");
	report(pic_read(MASTER, OCW3_IRR) & 1 || irq_counts[0] != before, "it shows in IRR");
	before = irq_counts[0];
	irq_mask(0, false);
	sti_nop_cli();
	report(irq_counts[0] == before + 1 || option_number("control", 0), "unmasking lets it through, once");
	irq_mask(0, true);
	report(!(pic_read(MASTER, OCW3_IRR) & 1), "and IRR is clear again");
}

static void note_isr(void)
{
	isr_master = pic_read(MASTER, OCW3_ISR);
	isr_slave = pic_read(SLAVE, OCW3_ISR);
}

static void in_service(void)
{
	irq_handlers[0] = note_isr;
	raise_irq0();
	irq_mask(0, false);
	wait_irr(MASTER, 1);
	sti_nop_cli();
	report(isr_master == 1, "ISR shows IRQ 0 in its handler: %x", isr_master);
	report(!pic_read(MASTER, OCW3_ISR), "and nothing after EOI: %x", pic_read(MASTER, OCW3_ISR));
	irq_mask(0, true);
	irq_handlers[0] = 0;
}

static void note_order0(void)
{
	order[taken++ & 7] = 0;
}

static void note_order4(void)
{
	order[taken++ & 7] = 4;
	lower_irq4();
}

/* Both requests wait, then interrupts are enabled: which came first? */
static unsigned first_of_two(void)
{
	taken = 0;
	order[0] = 99;
	irq_handlers[0] = note_order0;
	irq_handlers[4] = note_order4;
	raise_irq0();
	raise_irq4();
	wait_irr(MASTER, 0x01);
	wait_irr(MASTER, 0x10);
	irq_mask(0, false);
	irq_mask(4, false);
	for (int i = 0; i < 4 && taken < 2; i++)
		sti_nop_cli();
	irq_mask(0, true);
	irq_mask(4, true);
	irq_handlers[0] = irq_handlers[4] = 0;
	return taken == 2 ? order[0] : 99;
}

static void priorities(void)
{
	unsigned first = first_of_two();

	report(first == 0, "IRQ 0 goes before IRQ 4: %u", first);
	outb(MASTER, OCW2_SET_PRIORITY | 3);
	first = first_of_two();
	report(first == 4, "with IRQ 3 lowest, IRQ 4 goes before IRQ 0: %u", first);
	outb(MASTER, OCW2_SET_PRIORITY | 7);
	irq_manual_eoi = true;
	raise_irq0();
	irq_mask(0, false);
	wait_irr(MASTER, 1);
	sti_nop_cli();
	outb(MASTER, OCW2_ROTATE_EOI); /* IRQ 0 becomes the lowest */
	irq_mask(0, true);
	irq_manual_eoi = false;
	first = first_of_two();
	report(first == 4, "rotation at EOI makes IRQ 0 the lowest: %u", first);
	pic_init();
}

/* While IRQ 0 is in service, IRQ 4 waits; in special mask mode, with IRQ 0 masked, it does not. */
static void nesting(void)
{
	unsigned before;

	irq_manual_eoi = true;
	irq_handlers[4] = note_order4;
	raise_irq0();
	irq_mask(0, false);
	wait_irr(MASTER, 1);
	sti_nop_cli();
	taken = 0;
	raise_irq4();
	irq_mask(4, false);
	wait_irr(MASTER, 0x10);
	sti_nop_cli();
	report(taken == 0, "IRQ 4 waits while IRQ 0 is in service");
	outb(MASTER, OCW3_SPECIAL_MASK);
	irq_mask(0, true);
	sti_nop_cli();
	report(taken == 1, "in special mask mode with IRQ 0 masked it comes");
	outb(MASTER, OCW3_NORMAL_MASK);
	before = pic_read(MASTER, OCW3_ISR);
	outb(MASTER, OCW2_SPECIFIC_EOI | 4);
	outb(MASTER, OCW2_SPECIFIC_EOI | 0);
	report(before == 0x11 && !pic_read(MASTER, OCW3_ISR), "specific EOIs end each its own: ISR %x before", before);
	irq_mask(4, true);
	irq_manual_eoi = false;
	irq_handlers[4] = 0;
}

static void poll(void)
{
	uint8_t word;

	lower_irq0();
	pic_init();
	outb(MASTER, OCW3_POLL);
	word = inb(MASTER);
	report(!(word & 0x80), "poll without a request: %x", word);
	raise_irq0();
	irq_mask(0, false);
	wait_irr(MASTER, 1);
	outb(MASTER, OCW3_POLL);
	word = inb(MASTER);
	report(word == 0x80, "poll finds IRQ 0: %x", word);
	report(pic_read(MASTER, OCW3_ISR) == 1, "poll puts it in service: %x", pic_read(MASTER, OCW3_ISR));
	outb(MASTER, OCW2_EOI);
	irq_mask(0, true);
}

/* ICW4 with AEOI: no ISR bit stays, and no EOI is needed. */
static void automatic_eoi(void)
{
	uint32_t before = irq_counts[0];

	pic_init();
	outb(MASTER, 0x11);
	outb(MASTER + 1, IRQ_BASE);
	outb(MASTER + 1, 4);
	outb(MASTER + 1, 3);
	outb(MASTER + 1, 0xFE);
	irq_manual_eoi = true;
	for (int i = 0; i < 2; i++) {
		raise_irq0();
		wait_irr(MASTER, 1);
		sti_nop_cli();
	}
	report(irq_counts[0] == before + 2 && !pic_read(MASTER, OCW3_ISR), "automatic EOI: %u of 2 interrupts, ISR %x",
	       irq_counts[0] - before, pic_read(MASTER, OCW3_ISR));
	irq_manual_eoi = false;
	lower_irq0();
	pic_init();
}

/* 8259A "Interrupt Sequence": a request must stay until the first INTA, or the controller answers with IR7. */
static void spurious(void)
{
	uint32_t irq0 = irq_counts[0], irq7 = irq_counts[7];

	irq_manual_eoi = true;
	irq_mask(0, false);
	irq_mask(7, false);
	for (int i = 0; i < 20; i++) {
		raise_irq0();
		wait_irr(MASTER, 1);
		lower_irq0();
		sti_nop_cli();
	}
	/* QEMU (as many chipsets do) keeps the edge once it has seen it. */
	report_but_qemu(irq_counts[0] == irq0, "a request withdrawn before INTA does not come: %u of 20 did",
			irq_counts[0] - irq0);
	report_but_qemu(!pic_read(MASTER, OCW3_ISR), "a spurious IRQ 7 (%u came) sets no bit in ISR: %x",
			irq_counts[7] - irq7,
			pic_read(MASTER, OCW3_ISR));
	irq_manual_eoi = false;
	irq_mask(0, true);
	irq_mask(7, true);
	pic_init();
}

static uint8_t rtc_read(uint8_t index)
{
	outb(0x70, index);
	return inb(0x71);
}

static void rtc_write(uint8_t index, uint8_t value)
{
	outb(0x70, index);
	outb(0x71, value);
}

static void note_isr_slave(void)
{
	note_isr();
	rtc_read(0x0C);
	rtc_write(0x0B, 0x02);
}

/* IRQ 8 through the cascade: the slave's IR0, the master's IR2. */
static void cascade(void)
{
	uint32_t before = irq_counts[8];

	irq_handlers[8] = note_isr_slave;
	rtc_read(0x0C);
	rtc_write(0x0A, 0x26); /* 1024 Hz */
	rtc_write(0x0B, 0x42); /* 24 h, BCD, periodic interrupt */
	irq_mask(8, false);
	sleep_until_changed(&irq_counts[8], before, 100000);
	report(irq_counts[8] == before + 1, "IRQ 8 comes through the cascade");
	report(isr_master == 4 && isr_slave == 1, "in service: IR2 on the master (%x), IR0 on the slave (%x)",
	       isr_master,
	       isr_slave);
	irq_mask(8, true);
	irq_handlers[8] = 0;
	outb(SLAVE, OCW3_POLL);
	report(!(inb(SLAVE) & 0x80), "the slave has nothing more");
}

/* Hostile order: ICW1 and then anything else; afterwards a proper initialisation must work again. */
static void half_initialised(void)
{
	static const uint8_t junk[] = { 0x11, 0x0C, 0x68, 0xE7, 0x11, 0x80, 0x1F, 0xFF };

	for (unsigned i = 0; i < sizeof junk; i++) {
		outb(MASTER, junk[i]);
		outb(MASTER + 1, junk[sizeof junk - 1 - i]);
		outb(SLAVE, junk[i]);
		inb(SLAVE + 1);
		inw(MASTER);
	}
	pic_init();
	in_service();
}

void test_main(void)
{
	masks_read_back();
	masked_request_waits();
	in_service();
	priorities();
	nesting();
	poll();
	automatic_eoi();
	spurious();
	cascade();
	half_initialised();
}
