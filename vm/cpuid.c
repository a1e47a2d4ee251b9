/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The CPUID policy. Allow-lists: a feature that this table does not name is hidden, so a new processor shows nothing that Foliot does not know.
 * The guest sees one processor, a 1 GHz TSC that never stops, and KVM's signature with its clock. */
#include "vm/cpuid.h"

#include "devices/pvclock.h"

#define BIT(n) (1u << (n))
#define ALL UINT32_MAX

#define LIMIT_BASIC 0x15u
#define LIMIT_HYPERVISOR 0x40000010u
#define LIMIT_EXTENDED 0x80000008u

#define CR4_OSXSAVE (1ull << 18)

struct cpuid_row {
	uint32_t leaf, subleaf;
	struct cpuid_regs pass;  /* bits that pass from the host */
	struct cpuid_regs force; /* bits that are always set */
};

#define ANY_SUBLEAF UINT32_MAX

/* SSE3, PCLMULQDQ, SSSE3, FMA, CX16, PCID, SSE4.1, SSE4.2, MOVBE, POPCNT, AES, XSAVE, AVX, F16C, RDRAND */
#define LEAF_1_ECX                                                                                             \
	(BIT(0) | BIT(1) | BIT(9) | BIT(12) | BIT(13) | BIT(17) | BIT(19) | BIT(20) | BIT(22) | BIT(23) |      \
	 BIT(25) | BIT(26) | BIT(28) | BIT(29) | BIT(30))
#define LEAF_1_ECX_HYPERVISOR BIT(31)
#define LEAF_1_ECX_X2APIC BIT(21)
#define LEAF_1_ECX_TSC_DEADLINE BIT(24)
#define LEAF_1_EDX_APIC BIT(9)
#define LEAF_1_ECX_OSXSAVE BIT(27)
/* FPU, VME, DE, PSE, TSC, MSR, PAE, CX8, SEP, MTRR, PGE, CMOV, PAT, PSE36, CLFSH, MMX, FXSR, SSE, SSE2 */
#define LEAF_1_EDX                                                                                            \
	(BIT(0) | BIT(1) | BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(8) | BIT(11) | BIT(12) | BIT(13) | \
	 BIT(15) | BIT(16) | BIT(17) | BIT(19) | BIT(23) | BIT(24) | BIT(25) | BIT(26))
#define LEAF_6_EAX_ARAT BIT(2) /* the local APIC's timer goes on in every idle state */
/* FSGSBASE, BMI1, AVX2, FDP_EXCPTN_ONLY, SMEP, BMI2, ERMS, INVPCID, no FPU CS/DS, AVX512F, AVX512DQ, RDSEED, ADX, SMAP, IFMA,
 * CLFLUSHOPT, CLWB, AVX512PF, ER, CD, SHA, BW, VL */
#define LEAF_7_EBX                                                                                               \
	(BIT(0) | BIT(3) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(9) | BIT(10) | BIT(13) | BIT(16) | BIT(17) |  \
	 BIT(18) | BIT(19) | BIT(20) | BIT(21) | BIT(23) | BIT(24) | BIT(26) | BIT(27) | BIT(28) | BIT(29) |     \
	 BIT(30) | BIT(31))
#define LEAF_7_EBX_TSC_ADJUST BIT(1)
/* VBMI, UMIP, VBMI2, GFNI, VAES, VPCLMULQDQ, VNNI, BITALG, VPOPCNTDQ, RDPID */
#define LEAF_7_ECX \
	(BIT(1) | BIT(2) | BIT(6) | BIT(8) | BIT(9) | BIT(10) | BIT(11) | BIT(12) | BIT(14) | BIT(22))
/* 4VNNIW, 4FMAPS, FSRM, VP2INTERSECT */
#define LEAF_7_EDX (BIT(2) | BIT(3) | BIT(4) | BIT(8))
/* AVX-VNNI, AVX512-BF16 */
#define LEAF_7_1_EAX (BIT(4) | BIT(5))
/* XSAVEOPT, XSAVEC, XGETBV(1) */
#define LEAF_D_1_EAX (BIT(0) | BIT(1) | BIT(2))
/* LAHF, AltMovCr8, ABM, SSE4A, MISALIGNSSE, 3DNOWPREFETCH, XOP, FMA4, TBM */
#define LEAF_80000001_ECX (BIT(0) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(11) | BIT(16) | BIT(21))
/* SYSCALL, NX, MMXEXT, FFXSR, 1 GiB pages, RDTSCP, LM, 3DNOWEXT, 3DNOW */
#define LEAF_80000001_EDX (BIT(11) | BIT(20) | BIT(22) | BIT(25) | BIT(26) | BIT(27) | BIT(29) | BIT(30) | BIT(31))
/* the copies of leaf 1 that AMD has there: its bits 0-17, 23, 24 */
#define LEAF_80000001_EDX_COPIES ((LEAF_1_EDX | LEAF_1_EDX_APIC) & (0x3ffffu | BIT(23) | BIT(24)))
#define LEAF_80000007_EDX_INVARIANT_TSC BIT(8)
#define LEAF_80000008_EBX_CLZERO BIT(0)

/* "KVMKVMKVM\0\0\0" */
#define KVM_SIGNATURE_EBX 0x4b4d564bu
#define KVM_SIGNATURE_ECX 0x564b4d56u
#define KVM_SIGNATURE_EDX 0x0000004du

#define KVM_FEATURES                                                                           \
	(KVM_FEATURE_CLOCKSOURCE | KVM_FEATURE_NOP_IO_DELAY | KVM_FEATURE_CLOCKSOURCE2 |       \
	 KVM_FEATURE_CLOCKSOURCE_STABLE_BIT)

#define GUEST_TSC_KHZ ((uint32_t)(GUEST_TSC_HZ / 1000))

static const struct cpuid_row rows[] = {
	{ 0x0, ANY_SUBLEAF, { 0, ALL, ALL, ALL }, { LIMIT_BASIC, 0, 0, 0 } },
	{ 0x1, ANY_SUBLEAF, { ALL, 0xff00, LEAF_1_ECX, LEAF_1_EDX },
	  { 0, BIT(16), LEAF_1_ECX_HYPERVISOR | LEAF_1_ECX_X2APIC | LEAF_1_ECX_TSC_DEADLINE, LEAF_1_EDX_APIC } },
	{ 0x2, ANY_SUBLEAF, { ALL, ALL, ALL, ALL }, { 0 } },
	/* one processor in the package, one to share each cache */
	{ 0x4, ANY_SUBLEAF, { 0x3fff, ALL, ALL, ALL }, { 0 } },
	{ 0x6, ANY_SUBLEAF, { 0 }, { LEAF_6_EAX_ARAT, 0, 0, 0 } },
	{ 0x7, 0, { 1, LEAF_7_EBX, LEAF_7_ECX, LEAF_7_EDX }, { 0, LEAF_7_EBX_TSC_ADJUST, 0, 0 } },
	{ 0x7, 1, { LEAF_7_1_EAX, 0, 0, 0 }, { 0 } },
	{ 0xb, 0, { 0 }, { 0, 1, 0x100, 0 } },
	{ 0xb, 1, { 0 }, { 0, 1, 0x201, 0 } },
	{ 0xd, 0, { CPUID_XCR0_ALLOWED, ALL, ALL, 0 }, { 0 } },
	{ 0xd, 1, { LEAF_D_1_EAX, ALL, 0, 0 }, { 0 } },
	{ 0xd, 2, { ALL, ALL, ALL, 0 }, { 0 } },
	{ 0xd, 5, { ALL, ALL, ALL, 0 }, { 0 } },
	{ 0xd, 6, { ALL, ALL, ALL, 0 }, { 0 } },
	{ 0xd, 7, { ALL, ALL, ALL, 0 }, { 0 } },
	{ 0x15, ANY_SUBLEAF, { 0 }, { 1, 1, (uint32_t)GUEST_TSC_HZ, 0 } },
	{ 0x40000000, ANY_SUBLEAF, { 0 }, { LIMIT_HYPERVISOR, KVM_SIGNATURE_EBX, KVM_SIGNATURE_ECX, KVM_SIGNATURE_EDX } },
	{ 0x40000001, ANY_SUBLEAF, { 0 }, { KVM_FEATURES, 0, 0, 0 } },
	{ 0x40000010, ANY_SUBLEAF, { 0 }, { GUEST_TSC_KHZ, GUEST_TSC_KHZ, 0, 0 } },
	{ 0x80000000, ANY_SUBLEAF, { 0, ALL, ALL, ALL }, { LIMIT_EXTENDED, 0, 0, 0 } },
	{ 0x80000001, ANY_SUBLEAF, { ALL, ALL, LEAF_80000001_ECX, LEAF_80000001_EDX | LEAF_80000001_EDX_COPIES }, { 0 } },
	{ 0x80000002, ANY_SUBLEAF, { ALL, ALL, ALL, ALL }, { 0 } },
	{ 0x80000003, ANY_SUBLEAF, { ALL, ALL, ALL, ALL }, { 0 } },
	{ 0x80000004, ANY_SUBLEAF, { ALL, ALL, ALL, ALL }, { 0 } },
	{ 0x80000005, ANY_SUBLEAF, { ALL, ALL, ALL, ALL }, { 0 } },
	{ 0x80000006, ANY_SUBLEAF, { ALL, ALL, ALL, ALL }, { 0 } },
	{ 0x80000007, ANY_SUBLEAF, { 0 }, { 0, 0, 0, LEAF_80000007_EDX_INVARIANT_TSC } },
	{ 0x80000008, ANY_SUBLEAF, { 0xffff, LEAF_80000008_EBX_CLZERO, 0, 0 }, { 0 } },
};

static const struct cpuid_row *row_of(uint32_t leaf, uint32_t subleaf)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].leaf == leaf && (rows[i].subleaf == ANY_SUBLEAF || rows[i].subleaf == subleaf))
			return &rows[i];
	return NULL;
}

uint32_t cpuid_limit(uint32_t leaf)
{
	if (leaf < 0x40000000)
		return LIMIT_BASIC;
	return leaf < 0x80000000 ? LIMIT_HYPERVISOR : LIMIT_EXTENDED;
}

struct cpuid_regs cpuid_for_guest(uint32_t leaf, uint32_t subleaf, const struct cpuid_regs *host, uint64_t guest_cr4)
{
	const struct cpuid_row *row = row_of(leaf, subleaf);
	struct cpuid_regs out = { 0 };

	if (!row)
		return out;
	out.eax = (host->eax & row->pass.eax) | row->force.eax;
	out.ebx = (host->ebx & row->pass.ebx) | row->force.ebx;
	out.ecx = (host->ecx & row->pass.ecx) | row->force.ecx;
	out.edx = (host->edx & row->pass.edx) | row->force.edx;
	if (leaf == 1 && guest_cr4 & CR4_OSXSAVE)
		out.ecx |= LEAF_1_ECX_OSXSAVE;
	return out;
}

uint64_t cpuid_cr4_allowed(uint32_t leaf_1_ecx, uint32_t leaf_7_ebx, uint32_t leaf_7_ecx)
{
	/* VME, PVI, TSD, DE, PSE, PAE, PGE, PCE, OSFXSR, OSXMMEXCPT: as old as long mode */
	uint64_t allowed = 0x7bf;

	if (leaf_7_ecx & BIT(2))
		allowed |= 1ull << 11; /* UMIP */
	if (leaf_7_ebx & BIT(0))
		allowed |= 1ull << 16; /* FSGSBASE */
	if (leaf_1_ecx & BIT(17))
		allowed |= 1ull << 17; /* PCIDE */
	if (leaf_1_ecx & BIT(26))
		allowed |= CR4_OSXSAVE;
	if (leaf_7_ebx & BIT(7))
		allowed |= 1ull << 20; /* SMEP */
	if (leaf_7_ebx & BIT(20))
		allowed |= 1ull << 21; /* SMAP */
	return allowed;
}
