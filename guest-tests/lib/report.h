/* SPDX-License-Identifier: BSD-2-Clause
 *
 * How a test guest says what it found. Each check is one line on COM1, "ok", "FAIL" or "SKIP"; the worst of them is the
 * test's result, and a test without any "ok" has failed. The end is a byte written to port F4h: 0 for passed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Prints on COM1; base/format.h says what it understands. */
void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* One check: whether it held, and the claim in words. Returns what it was told. */
bool report(bool held, const char *claim, ...) __attribute__((format(printf, 2, 3)));

/* A check that this machine cannot make; the text says which feature is missing. */
void report_skip(const char *why, ...) __attribute__((format(printf, 1, 2)));

/* As report, but under plain QEMU, which is known to deviate here from the data sheet, a failure counts as skipped. */
bool report_but_qemu(bool held, const char *claim, ...) __attribute__((format(printf, 2, 3)));

/* Ends the test: prints the totals, waits until the last character is sent, writes the result to F4h. */
_Noreturn void guest_done(void);

/* Waits until COM1 has sent everything. */
void print_drain(void);

/* Whether this is plain QEMU without Foliot (CPUID 40000000h "TCGTCGTCGTCG"). */
bool on_plain_qemu(void);

/* Whether the processor underneath is QEMU's, with or without Foliot (the runner says bed=qemu): for what Foliot
 * leaves to the processor and QEMU has wrong. */
bool bed_is_qemu(void);

/* What each test defines. */
extern const char test_name[];
void test_main(void);
