/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The instruction decoder against an independent one, Zydis: over random byte strings, whatever Zydis decodes
 * we decode with the same length, and the operations that MMIO needs have the same operands. What Zydis refuses
 * we may take (the header says why). And a table of examples, among them all that exit to Foliot, and the fast
 * path. */
#include "vm/decode.h"

#include "tests/support.h"

#include <Zydis/Zydis.h>

static const struct {
	enum decode_mode mode;
	const char *bytes;
	unsigned length, available;
} examples[] = {
	{ DECODE_64, "\x0f\xa2", 2, 2 },                              /* CPUID */
	{ DECODE_32, "\xf4", 1, 1 },                                  /* HLT */
	{ DECODE_16, "\x0f\x32", 2, 2 },                              /* RDMSR */
	{ DECODE_64, "\x48\x0f\x30", 3, 3 },                          /* REX WRMSR */
	{ DECODE_64, "\x0f\x31", 2, 2 },                              /* RDTSC */
	{ DECODE_64, "\x0f\x01\xf9", 3, 3 },                          /* RDTSCP */
	{ DECODE_64, "\x0f\x01\xd9", 3, 3 },                          /* VMMCALL */
	{ DECODE_32, "\x0f\x01\xd1", 3, 3 },                          /* XSETBV */
	{ DECODE_64, "\xf3\x0f\x09", 3, 3 },                          /* WBNOINVD */
	{ DECODE_64, "\x0f\x08", 2, 2 },                              /* INVD */
	{ DECODE_64, "\x44\x0f\x22\xc0", 4, 4 },                      /* MOV CR8 */
	{ DECODE_64, "\x0f\x20\x05", 3, 3 },                          /* MOV from CR, mod 0: no displacement */
	{ DECODE_32, "\x0f\x06", 2, 2 },                              /* CLTS */
	{ DECODE_32, "\x0f\x01\x75\x08", 4, 4 },                      /* LMSW [ebp+8] */
	{ DECODE_64, "\x0f\x01\x3c\x25\0\0\0\0", 8, 8 },              /* INVLPG [0] */
	{ DECODE_64, "\xe4\x71", 2, 2 },                              /* IN al, 71h */
	{ DECODE_64, "\x66\xef", 2, 2 },                              /* OUT dx, ax */
	{ DECODE_64, "\xf3\x6c", 2, 2 },                              /* REP INSB */
	{ DECODE_32, "\x26\x67\xf3\x6f", 4, 4 },                      /* REP OUTSD es:[si] */
	{ DECODE_16, "\x66\x6f", 2, 2 },
	{ DECODE_64, "\x48\xb8\1\2\3\4\5\6\7\x8", 10, 10 },           /* MOV rax, imm64 */
	{ DECODE_64, "\x48\xa1\1\2\3\4\5\6\7\x8", 10, 10 },           /* MOV rax, [moffs64] */
	{ DECODE_64, "\x67\xa1\1\2\3\4", 6, 6 },
	{ DECODE_32, "\xea\0\0\0\0\0\0", 7, 7 },                      /* JMP far */
	{ DECODE_64, "\xea\0\0\0\0\0\0", 0, 7 },
	{ DECODE_64, "\xc5\xf8\x77", 3, 3 },                          /* VZEROUPPER */
	{ DECODE_64, "\x62\xf1\x7c\x48\x28\x40\x01", 7, 7 },          /* VMOVAPS zmm0, [rax+64] */
	{ DECODE_32, "\xc5\x08", 2, 2 },                              /* LDS, no VEX */
	{ DECODE_64, "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90", 15, 15 },
	{ DECODE_64, "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90", 0, 16 },
	{ DECODE_64, "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x0f\xa2", 15, 15 },
	{ DECODE_64, "\xf0\x81\x84\xd8\1\2\3\4\5\6\7\x8", 12, 12 },   /* LOCK ADD [rax+rbx*8+disp32], imm32 */
	{ DECODE_64, "\x06", 0, 1 },
	{ DECODE_32, "\x0f\x04", 0, 2 },
};

static void examples_have_their_lengths(void **state)
{
	struct instruction in;

	(void)state;
	for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
		const uint8_t *bytes = (const uint8_t *)examples[i].bytes;
		bool decoded = decode(bytes, examples[i].available, examples[i].mode, &in);

		if (decoded != (examples[i].length > 0) || (decoded && in.length != examples[i].length))
			fail_msg("example %zu: %d, length %u, expected %u", i, decoded, in.length, examples[i].length);
		for (unsigned cut = 0; decoded && cut < examples[i].length; cut++) {
			assert_false(decode(bytes, cut, examples[i].mode, &in));
			assert_true(in.truncated);
		}
	}
}

static void the_fast_path_agrees_with_the_decoder(void **state)
{
	static const enum decode_mode modes[] = { DECODE_16, DECODE_32, DECODE_64 };
	unsigned fast = 0;

	(void)state;
	for (unsigned i = 0; i < 1u << 24; i += i >> 16 == 0x0f ? 1 : 0x35) {
		uint8_t bytes[15] = { (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };
		unsigned length = decode_fast_length(bytes);
		struct instruction in;

		for (unsigned m = 0; m < 3 && length; m++)
			if (!decode(bytes, sizeof bytes, modes[m], &in) || in.length != length)
				fail_msg("%06x in %u bits: %u, not %u", i, modes[m], in.length, length);
		fast += length > 0;
	}
	assert_true(fast > 10000);
	assert_int_equal(decode_fast_length((const uint8_t *)"\x0f\xa2\0"), 2);
	assert_int_equal(decode_fast_length((const uint8_t *)"\x0f\x30\0"), 2);
	assert_int_equal(decode_fast_length((const uint8_t *)"\x0f\x22\xd8"), 3);
	assert_int_equal(decode_fast_length((const uint8_t *)"\x0f\x01\xd9"), 3);
	assert_int_equal(decode_fast_length((const uint8_t *)"\x0f\x01\x38"), 0);
	assert_int_equal(decode_fast_length((const uint8_t *)"\xec\0\0"), 1);
	assert_int_equal(decode_fast_length((const uint8_t *)"\xe6\x80\0"), 2);
	assert_int_equal(decode_fast_length((const uint8_t *)"\xf4\0\0"), 1);
	assert_int_equal(decode_fast_length((const uint8_t *)"\xf3\x6c\0"), 0);
}

static void move_to_and_from_control_registers_names_both(void **state)
{
	struct instruction in;

	(void)state;
	assert_true(decode((const uint8_t *)"\x41\x0f\x22\xc7", 4, DECODE_64, &in)); /* MOV CR0, r15 */
	assert_int_equal(in.map, MAP_0F);
	assert_int_equal(in.opcode, 0x22);
	assert_int_equal(in.reg, 0);
	assert_int_equal(in.rm, R15);
	assert_false(in.has_memory);
	assert_true(decode((const uint8_t *)"\x0f\x22\x1b", 3, DECODE_32, &in)); /* MOV CR3, ebx, with mod 0 */
	assert_int_equal(in.reg, 3);
	assert_int_equal(in.rm, RBX);
	assert_int_equal(in.mod, 3);
}

static void offsets_follow_the_address_size(void **state)
{
	struct vcpu_registers regs = { .rip = 0x1000 };
	struct instruction in;

	(void)state;
	for (unsigned i = 0; i < GPR_COUNT; i++)
		regs.gpr[i] = 0x1111111100000000ull * (i + 1) + 0xfff0 + i;
	assert_true(decode((const uint8_t *)"\x8b\x44\x8b\xfc", 4, DECODE_64, &in)); /* [rbx+rcx*4-4] */
	assert_int_equal(decode_offset(&in, &regs), regs.gpr[RBX] + regs.gpr[RCX] * 4 - 4);
	assert_true(decode((const uint8_t *)"\x67\x8b\x44\x8b\xfc", 5, DECODE_64, &in));
	assert_int_equal(decode_offset(&in, &regs), (uint32_t)(regs.gpr[RBX] + regs.gpr[RCX] * 4 - 4));
	assert_true(decode((const uint8_t *)"\x8b\x40\x7f", 3, DECODE_16, &in)); /* [bx+si+7Fh] */
	assert_int_equal(decode_offset(&in, &regs), (uint16_t)(regs.gpr[RBX] + regs.gpr[RSI] + 0x7f));
	assert_true(decode((const uint8_t *)"\x8b\x05\xf0\xff\xff\xff", 6, DECODE_64, &in)); /* [rip-16] */
	assert_int_equal(decode_offset(&in, &regs), 0x1006 - 16);
	assert_true(decode((const uint8_t *)"\xa1\xf0\xff\xff\xff", 5, DECODE_32, &in));
	assert_int_equal(decode_offset(&in, &regs), 0xfffffff0);
	assert_true(decode((const uint8_t *)"\xf3\xab", 2, DECODE_64, &in));
	assert_int_equal(in.operation, OPERATION_STOS);
	assert_true(in.rep);
	assert_int_equal(decode_offset(&in, &regs), regs.gpr[RDI]);
	assert_true(decode((const uint8_t *)"\x64\xa4", 2, DECODE_64, &in));
	assert_int_equal(in.operation, OPERATION_MOVS);
	assert_int_equal(in.memory.segment, FS);
	assert_int_equal(decode_offset(&in, &regs), regs.gpr[RSI]);
}

/* What Zydis calls our operations. */
static const ZydisMnemonic mnemonics[] = {
	[OPERATION_ADD] = ZYDIS_MNEMONIC_ADD,     [OPERATION_OR] = ZYDIS_MNEMONIC_OR,
	[OPERATION_ADC] = ZYDIS_MNEMONIC_ADC,     [OPERATION_SBB] = ZYDIS_MNEMONIC_SBB,
	[OPERATION_AND] = ZYDIS_MNEMONIC_AND,     [OPERATION_SUB] = ZYDIS_MNEMONIC_SUB,
	[OPERATION_XOR] = ZYDIS_MNEMONIC_XOR,     [OPERATION_CMP] = ZYDIS_MNEMONIC_CMP,
	[OPERATION_TEST] = ZYDIS_MNEMONIC_TEST,   [OPERATION_MOV] = ZYDIS_MNEMONIC_MOV,
	[OPERATION_MOVZX] = ZYDIS_MNEMONIC_MOVZX, [OPERATION_MOVSX] = ZYDIS_MNEMONIC_MOVSX,
	[OPERATION_XCHG] = ZYDIS_MNEMONIC_XCHG,   [OPERATION_BT] = ZYDIS_MNEMONIC_BT,
	[OPERATION_BTS] = ZYDIS_MNEMONIC_BTS,     [OPERATION_BTR] = ZYDIS_MNEMONIC_BTR,
	[OPERATION_BTC] = ZYDIS_MNEMONIC_BTC,
};

static const ZydisMnemonic stos[] = { ZYDIS_MNEMONIC_STOSB, ZYDIS_MNEMONIC_STOSW, ZYDIS_MNEMONIC_STOSD,
				      ZYDIS_MNEMONIC_STOSQ };
static const ZydisMnemonic movs[] = { ZYDIS_MNEMONIC_MOVSB, ZYDIS_MNEMONIC_MOVSW, ZYDIS_MNEMONIC_MOVSD,
				      ZYDIS_MNEMONIC_MOVSQ };

static ZydisMnemonic mnemonic_of(const struct instruction *in)
{
	if (in->operation == OPERATION_STOS)
		return stos[__builtin_ctz(in->operand_bytes)];
	if (in->operation == OPERATION_MOVS)
		return movs[__builtin_ctz(in->operand_bytes)];
	if (in->operation == OPERATION_MOVSX && in->map == MAP_ONE_BYTE)
		return ZYDIS_MNEMONIC_MOVSXD;
	return mnemonics[in->operation];
}

static uint8_t gpr_of(ZydisRegister reg)
{
	bool none = reg == ZYDIS_REGISTER_NONE || reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP;

	return none ? NO_REGISTER : (uint8_t)ZydisRegisterGetId(reg);
}

#define CHECK(condition) \
	do \
		if (!(condition)) \
			return #condition; \
	while (0)

static const char *compare_memory(const struct instruction *in, const ZydisDecodedOperand *op)
{
	uint64_t mask = in->address_bytes == 8 ? UINT64_MAX : (1ull << in->address_bytes * 8) - 1;

	/* MOVSXD of 16 bits: the manual (SDM 2 "MOVSXD") has r/m16, Zydis 4.0 m32. */
	CHECK(in->memory_bytes * 8 == op->size || (in->opcode == 0x63 && in->operand_bytes == 2));
	/* No base, REX.B set and 32-bit addresses: Zydis 4.0 wrongly names r13d (GNU and NASM disassemblers do not). */
	if (in->memory.base == NO_REGISTER && op->mem.base == ZYDIS_REGISTER_R13D && in->rex & 1)
		return NULL;
	CHECK(in->memory.base == gpr_of(op->mem.base));
	CHECK(in->memory.rip_relative ==
	      (op->mem.base == ZYDIS_REGISTER_RIP || op->mem.base == ZYDIS_REGISTER_EIP));
	CHECK(in->memory.index == gpr_of(op->mem.index));
	CHECK(in->memory.index == NO_REGISTER || in->memory.scale == op->mem.scale);
	CHECK(((uint64_t)in->memory.displacement & mask) == ((uint64_t)op->mem.disp.value & mask));
	CHECK(in->memory.segment == ZydisRegisterGetId(op->mem.segment));
	return NULL;
}

/* NULL: the operands are those that Zydis sees. */
static const char *compare_operation(const struct instruction *in, const ZydisDecodedInstruction *zydis,
				     const ZydisDecodedOperand *ops)
{
	unsigned memory_at = in->to_memory && in->operation != OPERATION_MOVS ? 0 : 1;
	const ZydisDecodedOperand *other;

	CHECK(zydis->mnemonic == mnemonic_of(in));
	CHECK(in->address_bytes * 8 == zydis->address_width);
	if (in->operation == OPERATION_XCHG)
		memory_at = ops[0].type != ZYDIS_OPERAND_TYPE_MEMORY;
	CHECK(ops[memory_at].type == ZYDIS_OPERAND_TYPE_MEMORY);
	other = &ops[!memory_at];
	if (in->operation == OPERATION_MOVS) {
		CHECK(ZydisRegisterGetId(other->mem.base) == RDI && other->mem.segment == ZYDIS_REGISTER_ES);
	} else if (in->has_immediate) {
		uint64_t mask = in->operand_bytes == 8 ? UINT64_MAX : (1ull << in->operand_bytes * 8) - 1;

		CHECK(other->type == ZYDIS_OPERAND_TYPE_IMMEDIATE);
		mask = in->operation >= OPERATION_BT && in->operation <= OPERATION_BTC ? 0xff : mask;
		CHECK((in->immediate & mask) == (other->imm.value.u & mask));
	} else {
		CHECK(other->type == ZYDIS_OPERAND_TYPE_REGISTER);
		CHECK(other->size == in->operand_bytes * 8);
		CHECK(gpr_of(ZydisRegisterGetLargestEnclosing(zydis->machine_mode, other->reg.value)) == in->reg);
		CHECK(in->high_byte ==
		      (other->reg.value >= ZYDIS_REGISTER_AH && other->reg.value <= ZYDIS_REGISTER_BH));
	}
	return compare_memory(in, &ops[memory_at]);
}

/* Whether we ought to know the operation: one of our mnemonics with an explicit memory operand, but not MOV of
 * segment registers. */
static bool is_ours(const ZydisDecodedInstruction *zydis, const ZydisDecodedOperand *ops)
{
	bool segment = zydis->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && (zydis->opcode & 0xfd) == 0x8c;

	if (segment || zydis->operand_count_visible < 2 ||
	    (ops[0].type != ZYDIS_OPERAND_TYPE_MEMORY && ops[1].type != ZYDIS_OPERAND_TYPE_MEMORY))
		return false;
	for (size_t i = 1; i < sizeof mnemonics / sizeof *mnemonics; i++)
		if (zydis->mnemonic == mnemonics[i])
			return true;
	return zydis->mnemonic == ZYDIS_MNEMONIC_MOVSXD;
}

/* NULL: nothing to say against us. */
static const char *compare(const uint8_t *bytes, size_t available, enum decode_mode mode,
			   const ZydisDecoder *decoder, unsigned long *decoded)
{
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction zydis;
	struct instruction in;
	bool ours = decode(bytes, available, mode, &in);

	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(decoder, bytes, available, &zydis, ops)))
		return NULL;
	if (zydis.mnemonic == ZYDIS_MNEMONIC_JKZD || zydis.mnemonic == ZYDIS_MNEMONIC_JKNZD)
		return NULL; /* of Knights Corner only, which had neither VT-x nor AMD-V */
	++*decoded;
	CHECK(ours);
	CHECK(in.length == zydis.length);
	if (in.operation != OPERATION_OTHER)
		return compare_operation(&in, &zydis, ops);
	CHECK(!is_ours(&zydis, ops));
	return NULL;
}

/* A random byte string that is often an instruction: some prefixes, an opcode of a random map, random bytes. */
static void make_bytes(uint8_t bytes[15], enum decode_mode mode, uint64_t *seed)
{
	static const uint8_t prefixes[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66,
					    0x67, 0xf0, 0xf2, 0xf3, 0x66, 0x67 };
	static const uint8_t escapes[] = { 0xc4, 0xc5, 0x62, 0x8f };
	uint64_t r = random_next(seed);
	unsigned at = 0;

	for (unsigned i = 0; i < 15; i++)
		bytes[i] = (uint8_t)random_next(seed);
	for (; at < 13 && r % 3 == 0; r >>= 2)
		bytes[at++] = prefixes[random_next(seed) % sizeof prefixes];
	if (mode == DECODE_64 && at < 12 && r & 0x100)
		bytes[at++] = 0x40 | (random_next(seed) & 15);
	if (at < 12 && r & 0x200)
		bytes[at++] = 0x0f;
	else if (at < 12 && (r & 0x1c00) == 0)
		bytes[at++] = escapes[random_next(seed) % 4];
	if (at < 12 && (r & 0x6200) == 0x200)
		bytes[at++] = random_next(seed) % 2 ? 0x38 : 0x3a;
}

static void random_bytes_decode_as_zydis_decodes_them(void **state)
{
	static const struct {
		enum decode_mode mode;
		ZydisMachineMode machine;
		ZydisStackWidth stack;
	} modes[] = {
		{ DECODE_16, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16 },
		{ DECODE_32, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32 },
		{ DECODE_64, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64 },
	};
	unsigned long count = share(300000000), decoded = 0, wrong = 0;
	uint64_t seed = 21;
	ZydisDecoder decoders[3];

	(void)state;
	for (unsigned m = 0; m < 3; m++)
		assert_true(ZYAN_SUCCESS(ZydisDecoderInit(&decoders[m], modes[m].machine, modes[m].stack)));
	for (unsigned long i = 0; i < count; i++) {
		unsigned m = i % 3;
		uint8_t bytes[15];
		const char *difference;

		make_bytes(bytes, modes[m].mode, &seed);
		difference = compare(bytes, sizeof bytes, modes[m].mode, &decoders[m], &decoded);
		if (difference && wrong++ < 20) {
			print_message("%u bits:", modes[m].mode);
			for (unsigned k = 0; k < 15; k++)
				print_message(" %02x", bytes[k]);
			print_message(": not so: %s\n", difference);
		}
	}
	assert_int_equal(wrong, 0);
	assert_true(decoded > count / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_have_their_lengths),
		cmocka_unit_test(the_fast_path_agrees_with_the_decoder),
		cmocka_unit_test(move_to_and_from_control_registers_names_both),
		cmocka_unit_test(offsets_follow_the_address_size),
		cmocka_unit_test(random_bytes_decode_as_zydis_decodes_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
