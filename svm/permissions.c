/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The permission maps (APM 2 15.10.1, 15.11). Every port exits. Of the MSRs only those are the guest's own that
 * the VMCB carries or that Foliot itself never uses. */
#include "svm/svm.h"

#include "base/assert.h"
#include "base/mem.h"
#include "host/memory.h"

static uint8_t iopm[3 * 4096] __attribute__((aligned(4096)));
static uint8_t msrpm[2 * 4096] __attribute__((aligned(4096)));

/* Loaded and saved by VMLOAD, VMSAVE and VMRUN. A non-canonical value faults in the guest, as on the bare processor. */
static const uint32_t own_msrs[] = {
	0x174, 0x175, 0x176,                            /* SYSENTER_CS, ESP, EIP */
	0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, /* STAR, LSTAR, CSTAR, SFMASK */
	0xc0000100, 0xc0000101, 0xc0000102,             /* FS_BASE, GS_BASE, KERNEL_GS_BASE */
	0xc0000103,                                     /* TSC_AUX: not in the VMCB, but Foliot has no use for it */
};

static void pass_through(uint32_t msr)
{
	uint32_t first = msr >= 0xc0000000 ? 0xc0000000 : 0;
	uint32_t bit = (first ? 0x800 * 8 : 0) + (msr - first) * 2;

	ASSERT(msr - first < 0x2000);
	msrpm[bit / 8] &= (uint8_t)~(3u << bit % 8);
}

uint64_t svm_iopm_hpa(void)
{
	memset(iopm, 0xff, sizeof iopm);
	return host_hpa_of(iopm);
}

uint64_t svm_msrpm_hpa(void)
{
	memset(msrpm, 0xff, sizeof msrpm);
	for (size_t i = 0; i < sizeof own_msrs / sizeof *own_msrs; i++)
		pass_through(own_msrs[i]);
	return host_hpa_of(msrpm);
}
