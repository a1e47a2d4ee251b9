/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The bitmaps of ports and MSRs (SDM 3C 25.6.4, 25.6.9). Every port exits. Of the MSRs only those are the guest's own that
 * the VMCS carries or that Foliot itself never uses. */
#include "vmx/vmx.h"

#include "base/assert.h"
#include "base/mem.h"
#include "host/memory.h"

#define HIGH_MSRS 1024u /* where the bits of C0000000h to C0001FFFh begin */
#define WRITES 2048u    /* and those of writes */

static uint8_t io_bitmaps[2 * 4096] __attribute__((aligned(4096)));
static uint8_t msr_bitmap[4096] __attribute__((aligned(4096)));

/* A non-canonical value faults in the guest, as on the bare processor. */
static const uint32_t own_msrs[] = {
	0x174, 0x175, 0x176,                            /* SYSENTER_CS, ESP, EIP */
	0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, /* STAR, LSTAR, CSTAR, SFMASK: not in the VMCS, but Foliot has no use for them */
	0xc0000100, 0xc0000101,                         /* FS_BASE, GS_BASE */
	0xc0000102, 0xc0000103,                         /* KERNEL_GS_BASE, TSC_AUX: as STAR */
};

static void pass_through(uint32_t msr)
{
	uint32_t first = msr >= 0xc0000000 ? 0xc0000000 : 0;
	uint32_t byte = (first ? HIGH_MSRS : 0) + (msr - first) / 8;
	uint8_t clear = (uint8_t)~(1u << msr % 8);

	ASSERT(msr - first < 0x2000);
	msr_bitmap[byte] &= clear;
	msr_bitmap[byte + WRITES] &= clear;
}

uint64_t vmx_io_bitmaps_hpa(void)
{
	memset(io_bitmaps, 0xff, sizeof io_bitmaps);
	return host_hpa_of(io_bitmaps);
}

uint64_t vmx_msr_bitmap_hpa(void)
{
	memset(msr_bitmap, 0xff, sizeof msr_bitmap);
	for (size_t i = 0; i < sizeof own_msrs / sizeof *own_msrs; i++)
		pass_through(own_msrs[i]);
	return host_hpa_of(msr_bitmap);
}
