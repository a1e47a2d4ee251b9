/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ASSERT: for our own mistakes only, never for what a guest or an operator did.
 * The hypervisor panics with a dump; a host test aborts. */
#pragma once

_Noreturn void assert_failed(const char *expression, const char *file, int line);

#define ASSERT(expression) \
	((expression) ? (void)0 : assert_failed(#expression, __FILE__, __LINE__))
