/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any octets as a frame: every offset that frame_parse gives lies inside it,
 * the answer to it can be parsed, and what wire would act on is something that
 * the classifier takes.
 */
#include "base/bug.h"
#include "cbpf.h"
#include "drivers/classifier.h"
#include "packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void answer(const struct frame *f)
{
	uint8_t l2[FRAME_L2_MAX], out[FRAME_BARE_MAX];
	struct frame a;
	size_t m;

	BUG_ON(f->l2_n > FRAME_L2_MAX);
	m = frame_l2_swap(l2, f);
	m = frame_write_bare(out, (struct span){ l2, m }, f->pppoe, &f->dst,
			     &f->src, f->ack, f->seq, TCP_RST);
	BUG_ON(m > sizeof(out));
	frame_parse(&a, pk_guard((struct span){ out, m }));
	BUG_ON(a.class_ != FRAME_TCP || !endpoint_eq(&a.src, &f->dst) ||
	       !endpoint_eq(&a.dst, &f->src));
}

static void inside(const struct frame *f)
{
	switch (f->class_) {
	case FRAME_TCP:
		BUG_ON(f->l4 + f->l4_n != f->all.n);
		BUG_ON(f->data + f->data_n != f->all.n || f->data < f->l4 + 20);
		BUG_ON(f->tfo_n > 0 && f->tfo + f->tfo_n > f->data);
		answer(f);
		break;
	case FRAME_FRAGMENT:
		BUG_ON(f->frag_data + f->frag_n != f->all.n);
		BUG_ON(f->frag_ip >= f->frag_data);
		break;
	case FRAME_ICMP: BUG_ON(f->l4 + f->l4_n != f->all.n); break;
	case FRAME_BAD: BUG_ON(!f->why); break;
	case FRAME_OTHER: break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct classifier c;
	static const uint16_t port[1] = { 25 };
	const struct classifier_own none = { 0, 0 };
	struct frame f;
	struct span s;
	uint32_t v;

	if (n > 9000)
		return 0;
	if (c.n == 0)
		BUG_ON(classifier_build(&c, port, 1, none, 1, 2) != OK);
	s = pk_guard((struct span){ p, n });
	frame_parse(&f, s);
	BUG_ON(f.all.p != s.p || f.all.n > n);
	v = cbpf_run(c.code, c.n, s);
	inside(&f); /* s is gone: answer() guards another frame */
	BUG_ON(f.class_ == FRAME_FRAGMENT && v != 1);
	BUG_ON((f.class_ == FRAME_TCP || f.class_ == FRAME_ICMP) &&
	       (f.src.port == 25 || f.dst.port == 25) && v != 1);
	return 0;
}
