/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_CBPF_H
#define TESTS_UNIT_CBPF_H

/*
 * Classic BPF as the kernel runs it, for the instructions that the classifier
 * uses. Every frame leaves (SKF_AD_PKTTYPE). A load behind the end returns 0; anything
 * that the kernel's checker would refuse aborts. The outermost VLAN tag is where the
 * kernel has it on the way in: beside the frame, if there is one.
 */
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include "base/bytes.h"
#include "base/span.h"

static inline uint32_t cbpf_load(struct span s, uint64_t at, unsigned size,
				 int *end)
{
	unsigned n = size == BPF_W ? 4 : size == BPF_H ? 2 : 1;

	if (at > s.n || s.n - at < n) {
		*end = 1;
		return 0;
	}
	return n == 4	? get_be32(s.p + at)
	       : n == 2 ? get_be16(s.p + at)
			: s.p[at];
}

static inline uint32_t cbpf_alu(unsigned op, uint32_t a, uint32_t v)
{
	switch (op) {
	case BPF_ADD: return a + v;
	case BPF_SUB: return a - v;
	case BPF_AND: return a & v;
	case BPF_LSH: return a << v;
	case BPF_RSH: return a >> v;
	default: abort();
	}
}

static inline int cbpf_jump(unsigned op, uint32_t a, uint32_t k)
{
	switch (op) {
	case BPF_JEQ: return a == k;
	case BPF_JGT: return a > k;
	case BPF_JGE: return a >= k;
	case BPF_JSET: return (a & k) != 0;
	default: abort();
	}
}

struct cbpf_tag {
	int there;
	uint16_t type, tci;
};

/* What the kernel keeps beside a frame; false: k is no such thing. */
static inline int cbpf_beside(uint32_t k, const struct cbpf_tag *tag,
			      uint32_t *a)
{
	switch (k) {
	case (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE):
		*a = PACKET_OUTGOING;
		return 1;
	case (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT):
		*a = (uint32_t)tag->there;
		return 1;
	case (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TPID):
		*a = tag->type;
		return 1;
	case (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG): *a = tag->tci; return 1;
	default: return 0;
	}
}

static inline uint32_t cbpf_run_tagged(const struct sock_filter *f, unsigned n,
				       struct span s, struct cbpf_tag tag)
{
	uint32_t a = 0, x = 0, mem[BPF_MEMWORDS] = { 0 };
	int end = 0;

	for (unsigned pc = 0; pc < n; pc++) {
		const struct sock_filter *i = &f[pc];
		unsigned mode = BPF_MODE(i->code);

		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
			if (mode == BPF_ABS && cbpf_beside(i->k, &tag, &a))
				break;
			if (mode == BPF_ABS || mode == BPF_IND)
				a = cbpf_load(s,
					      mode == BPF_IND
						      ? (uint32_t)(x + i->k)
						      : i->k,
					      BPF_SIZE(i->code), &end);
			else if (mode == BPF_MEM)
				a = mem[i->k];
			else if (mode == BPF_LEN)
				a = (uint32_t)s.n;
			else
				abort();
			if (end)
				return 0;
			break;
		case BPF_LDX:
			if (mode == BPF_MSH)
				x = 4 * (cbpf_load(s, i->k, BPF_B, &end) & 15);
			else if (mode == BPF_IMM)
				x = i->k;
			else
				abort();
			if (end)
				return 0;
			break;
		case BPF_ST: mem[i->k] = a; break;
		case BPF_ALU:
			a = cbpf_alu(BPF_OP(i->code), a,
				     BPF_SRC(i->code) == BPF_X ? x : i->k);
			break;
		case BPF_JMP:
			if (BPF_OP(i->code) == BPF_JA)
				pc += i->k;
			else
				pc += cbpf_jump(BPF_OP(i->code), a, i->k)
					      ? i->jt
					      : i->jf;
			break;
		case BPF_RET: return i->k;
		case BPF_MISC:
			if (BPF_MISCOP(i->code) == BPF_TAX)
				x = a;
			else
				a = x;
			break;
		default: abort();
		}
	}
	abort();
}

static inline uint32_t cbpf_run(const struct sock_filter *f, unsigned n,
				struct span s)
{
	return cbpf_run_tagged(f, n, s, (struct cbpf_tag){ 0, 0, 0 });
}

#endif
