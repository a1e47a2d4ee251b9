/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The 16550A UART at 3F8h (National PC16550D data sheet): scratch, divisor latch, loopback of data and modem
 * lines, FIFO trigger levels and time-out, overrun, interrupt identification by priority, and IRQ 4. In loopback
 * nothing is printed: what is found is reported after it. */
#include "guest-tests/lib/clocks.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/interrupts.h"
#include "guest-tests/lib/multiboot.h"
#include "guest-tests/lib/report.h"

#define RBR 0x3F8
#define THR 0x3F8
#define DLL 0x3F8
#define IER 0x3F9
#define DLM 0x3F9
#define IIR 0x3FA
#define FCR 0x3FA
#define LCR 0x3FB
#define MCR 0x3FC
#define LSR 0x3FD
#define MSR 0x3FE
#define SCR 0x3FF
#define LCR_8N1 0x03
#define LCR_DLAB 0x80
#define MCR_LOOP 0x10
#define MCR_NORMAL 0x03
#define LSR_DR 0x01
#define LSR_OE 0x02
#define LSR_THRE 0x20
#define LSR_TEMT 0x40
#define IIR_NONE 0x01
#define IIR_MODEM 0x00
#define IIR_THRE 0x02
#define IIR_DATA 0x04
#define IIR_LINE 0x06
#define IIR_TIMEOUT 0x0C
#define FCR_ON 0x07 /* enabled, both FIFOs emptied */

const char test_name[] = "uart";

static void loop_begin(uint8_t fcr)
{
	print_drain();
	outb(IER, 0);
	outb(MCR, MCR_LOOP);
	outb(FCR, fcr);
	outb(FCR, fcr | 6);
	inb(LSR);
	inb(MSR);
	while (inb(LSR) & LSR_DR)
		inb(RBR);
}

static void loop_end(void)
{
	outb(IER, 0);
	inb(LSR);
	inb(MSR);
	outb(FCR, FCR_ON);
	outb(MCR, MCR_NORMAL);
}

/* Sends one byte in loopback and waits until it has left the transmitter. */
static void loop_send(uint8_t byte)
{
	uint64_t start = rdtsc();

	while (!(inb(LSR) & LSR_THRE) && rdtsc() - start < 20 * NS_PER_MS)
		;
	outb(THR, byte);
	while (!(inb(LSR) & LSR_TEMT) && rdtsc() - start < 20 * NS_PER_MS)
		;
}

/* The same without a look at LSR, which would clear its error bits: one character takes 87 us at 115200 baud. */
static void loop_send_blind(uint8_t byte)
{
	outb(THR, byte);
	sleep_us(200);
}

/* Waits until IIR's low four bits are as wanted, at most 50 ms. */
static uint8_t wait_iir(uint8_t wanted)
{
	uint64_t start = rdtsc();
	uint8_t iir;

	do
		iir = inb(IIR) & 0x0F;
	while (iir != wanted && rdtsc() - start < 50 * NS_PER_MS);
	return iir;
}

static void registers(void)
{
	uint8_t low, high, ier;

	outb(SCR, 0x5A);
	report(inb(SCR) == 0x5A, "the scratch register keeps its value");
	print_drain();
	low = inb(LCR);
	outb(LCR, LCR_8N1 | LCR_DLAB);
	outb(DLL, 0x34);
	outb(DLM, 0x12);
	low = inb(DLL);
	high = inb(DLM);
	outb(DLL, 0); /* divisor 0: must do no harm */
	outb(DLM, 0);
	outb(DLL, 1);
	outb(LCR, LCR_8N1);
	ier = inb(IER);
	report(low == 0x34 && high == 0x12 && ier == 0,
	       "the divisor latch reads back: %x %x, and is apart from IER: %x", high, low, ier);
	outb(IER, 0xFF);
	ier = inb(IER);
	outb(IER, 0);
	inb(IIR);
	report(ier == 0x0F, "IER has four bits: %x", ier);
	report((inb(IIR) & 0xC0) == 0xC0, "IIR shows that the FIFOs are on: %x", inb(IIR));
	report(inb(LCR) == LCR_8N1 && inb(MCR) == MCR_NORMAL, "LCR and MCR read back");
}

static void loopback_data(void)
{
	unsigned wrong = 0;

	loop_begin(1);
	for (unsigned byte = 0; byte < 256; byte++) {
		loop_send((uint8_t)byte);
		wrong += !(inb(LSR) & LSR_DR) || inb(RBR) != byte || inb(LSR) & LSR_DR;
	}
	loop_end();
	report(!wrong, "loopback: all bytes come back, %u wrong", wrong);
}

/* PC16550D "Modem Control Register", bit 4: DTR, RTS, OUT1, OUT2 appear as DSR, CTS, RI, DCD. */
static void loopback_modem(void)
{
	static const uint8_t mcr[] = { 1, 2, 4, 8 }, msr[] = { 0x20, 0x10, 0x40, 0x80 };
	unsigned wrong = 0;
	uint8_t delta;

	loop_begin(1);
	for (unsigned i = 0; i < 4; i++) {
		outb(MCR, MCR_LOOP | mcr[i]);
		wrong += (inb(MSR) & 0xF0) != msr[i];
	}
	outb(MCR, MCR_LOOP);
	inb(MSR);
	outb(MCR, MCR_LOOP | 2);
	delta = inb(MSR);
	wrong += inb(MSR) & 0x0F;
	loop_end();
	report(!wrong, "loopback: modem lines, %u wrong", wrong);
	/* QEMU sets no delta bits in loopback. */
	report_but_qemu((delta & 0x0F) == 1, "a change of CTS shows once in the delta bits: %x", delta);
}

static void trigger_level(uint8_t fcr, unsigned level)
{
	uint8_t below, at, drained;

	loop_begin((uint8_t)(fcr | 1));
	outb(IER, 0x01);
	for (unsigned i = 0; i + 1 < level; i++)
		loop_send((uint8_t)i);
	below = inb(IIR) & 0x0F; /* a time-out may already be there, "data at the level" may not */
	loop_send(0xEE);
	at = wait_iir(IIR_DATA);
	inb(RBR);
	drained = inb(IIR) & 0x0F;
	loop_end();
	report(below != IIR_DATA && at == IIR_DATA && drained != IIR_DATA,
	       "trigger level %u: IIR %x below, %x at it, %x after a read",
	       level, below, at, drained);
}

static void time_out(void)
{
	uint8_t iir, after;

	loop_begin(0xC1);
	outb(IER, 0x01);
	loop_send(0x11);
	iir = wait_iir(IIR_TIMEOUT);
	inb(RBR);
	after = inb(IIR) & 0x0F;
	loop_end();
	report(iir == IIR_TIMEOUT && after == IIR_NONE,
	       "below the trigger a byte comes with the time-out: IIR %x, then %x", iir, after);
}

static void overrun(void)
{
	uint8_t lsr, again;
	unsigned kept = 0, wrong = 0;

	loop_begin(1);
	for (unsigned i = 0; i < 16; i++)
		loop_send((uint8_t)i);
	loop_send_blind(16);
	lsr = inb(LSR);
	again = inb(LSR);
	for (; inb(LSR) & LSR_DR && kept < 32; kept++)
		wrong += inb(RBR) != kept;
	loop_end();
	report(lsr & LSR_OE && !(again & LSR_OE), "17 bytes into 16 places: OE once: %x, then %x", lsr, again);
	report(kept == 16 && !wrong, "and the first 16 are kept: %u, %u wrong", kept, wrong);
}

/* PC16550D table V: line status, then data, then transmitter empty, then modem status. */
static void priorities(void)
{
	uint8_t seen[5];
	bool good;

	loop_begin(1);
	outb(MCR, MCR_LOOP | 2);
	for (unsigned i = 0; i < 16; i++)
		loop_send((uint8_t)i);
	loop_send_blind(16);
	outb(IER, 0x0F);
	seen[0] = inb(IIR) & 0x0F;
	inb(LSR);
	seen[1] = inb(IIR) & 0x0F;
	while (inb(LSR) & LSR_DR)
		inb(RBR);
	seen[2] = inb(IIR) & 0x0F; /* reading IIR takes THRE away */
	seen[3] = inb(IIR) & 0x0F;
	inb(MSR);
	seen[4] = inb(IIR) & 0x0F;
	loop_end();
	good = seen[0] == IIR_LINE && (seen[1] == IIR_DATA || seen[1] == IIR_TIMEOUT) && seen[2] == IIR_THRE &&
	       seen[3] == IIR_MODEM && seen[4] == IIR_NONE;
	report_but_qemu(good, "IIR by priority: %x %x %x %x %x", seen[0], seen[1], seen[2], seen[3], seen[4]);
}

/* Without FIFOs one byte is held; the second overruns it. */
static void without_fifos(void)
{
	uint8_t iir, lsr, byte;

	loop_begin(0);
	iir = inb(IIR) & 0xC0;
	loop_send(0x21);
	loop_send_blind(0x43);
	lsr = inb(LSR);
	byte = inb(RBR);
	loop_end();
	report(!iir && lsr & LSR_OE && byte == 0x43,
	       "without FIFOs the second byte replaces the first: IIR %x, LSR %x, byte %x", iir, lsr, byte);
}

static volatile uint8_t irq_iir;

static void note_iir(void)
{
	irq_iir = inb(IIR) & 0x0F;
	outb(IER, 0);
}

static void interrupt(void)
{
	uint32_t before = irq_counts[4], blocked;

	print_drain();
	irq_handlers[4] = note_iir;
	irq_mask(4, false);
	outb(IER, 0x02);
	sti_nop_cli();
	blocked = irq_counts[4] - before;
	outb(IER, 0);
	inb(IIR);
	outb(MCR, MCR_NORMAL | 8);
	outb(IER, 0x02);
	sti_nop_cli();
	irq_mask(4, true);
	outb(MCR, MCR_NORMAL);
	irq_handlers[4] = 0;
	/* OUT2 gates the interrupt on PC boards; QEMU leaves the gate out. */
	report_but_qemu(!blocked, "without OUT2 no IRQ 4 comes");
	report(irq_counts[4] - before == 1 + blocked && irq_iir == IIR_THRE, "IRQ 4 for an empty transmitter: IIR %x",
	       irq_iir);
}

void test_main(void)
{
	registers();
	loopback_data();
	loopback_modem();
	trigger_level(0x00, 1);
	trigger_level(0x40, 4);
	trigger_level(0x80, 8);
	trigger_level(0xC0, 14);
	time_out();
	overrun();
	priorities();
	without_fifos();
	interrupt();
}
