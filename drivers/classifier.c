/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * classifier - see classifier.h.
 *
 * X always holds the offset of the header that is looked at; BPF loads behind
 * the end of a frame end the program with 0, so a frame too short for what it
 * claims to be is dropped by the kernel. Jumps over more than 255 instructions
 * do not exist in classic BPF except "ja", so a conditional jump is written as
 * one that skips a ja, and the labels are filled in at the end.
 */
#include <string.h>
#include "drivers/classifier.h"

enum label {
	L_WIRE,
	L_TYPE,
	L_IP4,
	L_IP6,
	L_PPPOE,
	L_SHORT_PPP,
	L_MPLS,
	L_SNAP,
	L_ANY_IP,
	L_PORTS,
	L_ICMP4,
	L_QUOTE4,
	L_ICMP6,
	L_FRAG,
	L_TAKE,
	L_PASS,
	L_LOOP, /* from here on: three labels for each turn of the chain */
	LABELS = L_LOOP + 3 * 8,
};

struct asm_ {
	struct classifier *c;
	unsigned short at[LABELS], fix_n;
	unsigned short fix[512], fix_label[512];
};

static void emit(struct asm_ *a, unsigned short code, uint32_t k)
{
	if (a->c->n < CLASSIFIER_MAX)
		a->c->code[a->c->n++] = (struct sock_filter){ code, 0, 0, k };
}

static void here(struct asm_ *a, unsigned label)
{
	a->at[label] = a->c->n;
}

static void ja(struct asm_ *a, unsigned label)
{
	a->fix[a->fix_n] = a->c->n;
	a->fix_label[a->fix_n++] = (unsigned short)label;
	emit(a, BPF_JMP | BPF_JA, 0);
}

/* If (A op k) go to label. */
static void jif(struct asm_ *a, unsigned short op, uint32_t k, unsigned label)
{
	emit(a, (unsigned short)(BPF_JMP | op | BPF_K), k);
	a->c->code[a->c->n - 1].jt = 0;
	a->c->code[a->c->n - 1].jf = 1;
	ja(a, label);
}

/* Octets at X + off. A load behind the end would end the program with 0, which
 * is neither verdict: a frame too short for what it announces passes. */
static void ld(struct asm_ *a, unsigned short size, uint32_t off)
{
	uint32_t octets = size == BPF_B ? 1 : size == BPF_H ? 2 : 4;

	emit(a, BPF_LD | BPF_W | BPF_LEN, 0);
	emit(a, BPF_ALU | BPF_SUB | BPF_X, 0);
	jif(a, BPF_JGT, 0x7fffffff, L_PASS); /* X is behind the end */
	emit(a, BPF_JMP | BPF_JGE | BPF_K, off + octets);
	a->c->code[a->c->n - 1].jt = 1;
	ja(a, L_PASS);
	emit(a, (unsigned short)(BPF_LD | size | BPF_IND), off);
}

/* X += k */
static void step(struct asm_ *a, uint32_t k)
{
	emit(a, BPF_MISC | BPF_TXA, 0);
	emit(a, BPF_ALU | BPF_ADD | BPF_K, k);
	emit(a, BPF_MISC | BPF_TAX, 0);
}

/* X += header length of the IPv4 header at X */
static void step_ip4(struct asm_ *a)
{
	ld(a, BPF_B, 0);
	emit(a, BPF_ALU | BPF_AND | BPF_K, 15);
	emit(a, BPF_ALU | BPF_LSH | BPF_K, 2);
	emit(a, BPF_ALU | BPF_ADD | BPF_X, 0);
	emit(a, BPF_MISC | BPF_TAX, 0);
}

/* The kernel keeps the outermost tag beside the frame: it is not in what the loads
 * of the other functions see. */
static void own_vlan(struct asm_ *a, struct classifier_own own)
{
	enum { VID = 0xfff };
	static const int ask[] = { SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT,
				   SKF_AD_OFF + SKF_AD_VLAN_TPID,
				   SKF_AD_OFF + SKF_AD_VLAN_TAG };
	const uint32_t want[] = { 1, 0x8100, own.vlan };

	if (own.vlan == 0)
		return;
	for (unsigned i = 0; i < 3; i++) {
		emit(a, BPF_LD | BPF_W | BPF_ABS, (uint32_t)ask[i]);
		emit(a, BPF_ALU | BPF_AND | BPF_K, i == 2 ? VID : 0xffff);
		emit(a, BPF_JMP | BPF_JEQ | BPF_K, want[i]);
		a->c->code[a->c->n - 1].jt = 1;
		ja(a, L_WIRE);
	}
	emit(a, BPF_RET | BPF_K, own.verdict);
	here(a, L_WIRE);
}

/* Ethertype in A, what it announces at X. */
static void ethertype(struct asm_ *a)
{
	static const uint16_t tag[] = { 0x8100, 0x88a8, 0x9100 };

	emit(a, BPF_LDX | BPF_W | BPF_IMM, 14);
	emit(a, BPF_LD | BPF_H | BPF_ABS, 12);
	for (int i = 0; i < 6; i++) {
		emit(a, BPF_JMP | BPF_JEQ | BPF_K, tag[0]);
		a->c->code[a->c->n - 1].jt = 2;
		emit(a, BPF_JMP | BPF_JEQ | BPF_K, tag[1]);
		a->c->code[a->c->n - 1].jt = 1;
		emit(a, BPF_JMP | BPF_JEQ | BPF_K, tag[2]);
		a->c->code[a->c->n - 1].jf = 1; /* over the ja */
		emit(a, BPF_JMP | BPF_JA, 1);	/* a tag: over the exit */
		ja(a, L_TYPE);
		if (i == 5)
			break;
		ld(a, BPF_H, 2);
		emit(a, BPF_ST, 0);
		step(a, 4);
		emit(a, BPF_LD | BPF_MEM, 0);
	}
	ja(a, L_TAKE); /* six tags: wire may look at it */
	here(a, L_TYPE);
	jif(a, BPF_JEQ, 0x0800, L_IP4);
	jif(a, BPF_JEQ, 0x86dd, L_IP6);
	jif(a, BPF_JEQ, 0x8864, L_PPPOE);
	jif(a, BPF_JEQ, 0x8847, L_MPLS);
	jif(a, BPF_JEQ, 0x8848, L_MPLS);
	jif(a, BPF_JGT, 1500, L_PASS);
	ja(a, L_SNAP); /* a length: LLC. Believe what is there */
}

static void encapsulations(struct asm_ *a)
{
	here(a, L_PPPOE);
	ld(a, BPF_H, 6);
	emit(a, BPF_ST, 0);
	step(a, 8);
	emit(a, BPF_LD | BPF_MEM, 0);
	jif(a, BPF_JEQ, 0x0021, L_IP4);
	jif(a, BPF_JEQ, 0x0057, L_IP6);
	/* a protocol field of one octet: IP begins one earlier */
	emit(a, BPF_ALU | BPF_RSH | BPF_K, 8);
	jif(a, BPF_JEQ, 0x21, L_SHORT_PPP);
	jif(a, BPF_JEQ, 0x57, L_SHORT_PPP);
	ja(a, L_PASS);
	here(a, L_SHORT_PPP);
	step(a, 0xffffffff);
	ja(a, L_ANY_IP);

	here(a, L_MPLS);
	for (int i = 0; i < 8; i++) {
		ld(a, BPF_B, 2);
		emit(a, BPF_ST, 0);
		step(a, 4);
		emit(a, BPF_LD | BPF_MEM, 0);
		jif(a, BPF_JSET, 1, L_ANY_IP);
	}
	ja(a, L_TAKE); /* too deep to tell */

	here(a, L_SNAP);
	ld(a, BPF_W, 0);
	emit(a, BPF_JMP | BPF_JEQ | BPF_K, 0xaaaa0300);
	a->c->code[a->c->n - 1].jt = 1;
	ja(a, L_PASS);
	step(a, 8);

	here(a, L_ANY_IP);
	ld(a, BPF_B, 0);
	emit(a, BPF_ALU | BPF_RSH | BPF_K, 4);
	jif(a, BPF_JEQ, 4, L_IP4);
	jif(a, BPF_JEQ, 6, L_IP6);
	ja(a, L_PASS);
}

/* ICMP types that quote a datagram (RFC 792) */
static void ip4(struct asm_ *a)
{
	static const uint8_t quotes[] = { 3, 4, 5, 11, 12 };

	here(a, L_IP4);
	ld(a, BPF_B, 9);
	jif(a, BPF_JEQ, 1, L_ICMP4);
	emit(a, BPF_JMP | BPF_JEQ | BPF_K, 6);
	a->c->code[a->c->n - 1].jt = 1;
	ja(a, L_PASS);
	ld(a, BPF_H, 6);
	jif(a, BPF_JSET, 0x3fff, L_TAKE);
	step_ip4(a);
	ja(a, L_PORTS);

	here(a, L_ICMP4);
	ld(a, BPF_H, 6);
	jif(a, BPF_JSET, 0x1fff, L_PASS);
	step_ip4(a);
	ld(a, BPF_B, 0);
	for (unsigned i = 0; i < sizeof(quotes); i++)
		jif(a, BPF_JEQ, quotes[i], L_QUOTE4);
	ja(a, L_PASS);
	here(a, L_QUOTE4);
	step(a, 8);
	ld(a, BPF_B, 9);
	emit(a, BPF_JMP | BPF_JEQ | BPF_K, 6);
	a->c->code[a->c->n - 1].jt = 1;
	ja(a, L_PASS);
	step_ip4(a);
	ja(a, L_PORTS);
}

static void ip6(struct asm_ *a)
{
	here(a, L_IP6);
	ld(a, BPF_B, 6);
	emit(a, BPF_ST, 0);
	step(a, 40);
	emit(a, BPF_LD | BPF_MEM, 0);
	/* next header in A, where it begins in X */
	for (int i = 0; i < 8; i++) {
		unsigned step_ = (unsigned)(L_LOOP + 3 * i), ah = step_ + 1,
			 next = step_ + 2;

		jif(a, BPF_JEQ, 6, L_PORTS);
		jif(a, BPF_JEQ, 58, L_ICMP6);
		jif(a, BPF_JEQ, 44, L_FRAG);
		jif(a, BPF_JEQ, 51, ah);
		jif(a, BPF_JEQ, 0, step_);
		jif(a, BPF_JEQ, 43, step_);
		jif(a, BPF_JEQ, 60, step_);
		ja(a, L_PASS);
		here(a, step_);
		ld(a, BPF_B, 0);
		emit(a, BPF_ST, 0);
		ld(a, BPF_B, 1);
		emit(a, BPF_ALU | BPF_ADD | BPF_K, 1);
		emit(a, BPF_ALU | BPF_LSH | BPF_K, 3);
		ja(a, next);
		here(a, ah);
		ld(a, BPF_B, 0);
		emit(a, BPF_ST, 0);
		ld(a, BPF_B, 1);
		emit(a, BPF_ALU | BPF_ADD | BPF_K, 2);
		emit(a, BPF_ALU | BPF_LSH | BPF_K, 2);
		here(a, next);
		emit(a, BPF_ALU | BPF_ADD | BPF_X, 0);
		emit(a, BPF_MISC | BPF_TAX, 0);
		emit(a, BPF_LD | BPF_MEM, 0);
	}
	ja(a, L_TAKE);

	/* A fragment is of TCP, of ICMPv6, of a chain that may end in them,
	 * or not of interest. (Also an atomic one: rather too much.) */
	here(a, L_FRAG);
	ld(a, BPF_B, 0);
	jif(a, BPF_JEQ, 6, L_TAKE);
	jif(a, BPF_JEQ, 0, L_TAKE);
	jif(a, BPF_JEQ, 43, L_TAKE);
	jif(a, BPF_JEQ, 44, L_TAKE);
	jif(a, BPF_JEQ, 51, L_TAKE);
	jif(a, BPF_JEQ, 58, L_TAKE);
	jif(a, BPF_JEQ, 60, L_TAKE);
	ja(a, L_PASS);

	here(a, L_ICMP6);
	ld(a, BPF_B, 0);
	jif(a, BPF_JGE, 128, L_PASS);
	step(a, 8);
	ld(a, BPF_B, 6);
	emit(a, BPF_ST, 0);
	step(a, 40);
	emit(a, BPF_LD | BPF_MEM, 0);
	jif(a, BPF_JEQ, 6, L_PORTS);
	ja(a, L_PASS);
}

static int link_labels(struct asm_ *a)
{
	if (a->c->n >= CLASSIFIER_MAX)
		return E_FULL;
	for (unsigned i = 0; i < a->fix_n; i++)
		a->c->code[a->fix[i]].k = (uint32_t)(a->at[a->fix_label[i]] -
						     a->fix[i] - 1);
	return OK;
}

int classifier_build(struct classifier *c, const uint16_t *ports,
		     unsigned ports_n, struct classifier_own own, uint32_t take,
		     uint32_t pass)
{
	struct asm_ a = { .c = c };

	if (ports_n == 0 || ports_n > CLASSIFIER_PORTS_MAX)
		return E_CONF;
	memset(c, 0, sizeof(*c));
	own_vlan(&a, own);
	ethertype(&a);
	encapsulations(&a);
	ip4(&a);
	ip6(&a);
	here(&a, L_PORTS);
	for (uint32_t off = 0; off <= 2; off += 2) {
		ld(&a, BPF_H, off);
		for (unsigned i = 0; i < ports_n; i++)
			jif(&a, BPF_JEQ, ports[i], L_TAKE);
	}
	here(&a, L_PASS);
	emit(&a, BPF_RET | BPF_K, pass);
	here(&a, L_TAKE);
	emit(&a, BPF_RET | BPF_K, take);
	return link_labels(&a);
}
