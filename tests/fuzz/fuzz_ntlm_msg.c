/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Octets as each of NTLM's messages, in memory that ends with them: what a field
 * gives lies inside; what is written from it is read again as the same.
 */
#include "auth/ntlm_msg.h"
#include "base/bug.h"
#include "packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void inside(struct span in, struct span f)
{
	BUG_ON(f.n > 0 &&
	       (f.p < in.p || f.n > in.n || f.p > in.p + in.n - f.n));
}

static void attributes(struct span list)
{
	struct span all = list, v;
	enum ntlm_av id;
	int r;

	while ((r = ntlm_av_next(&list, &id, &v)) == 1)
		inside(all, v);
	BUG_ON(r != 0); /* a T2 with a list that has no end is none */
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t mem[8 << 16];
	struct span in = pk_guard((struct span){ p, n });
	struct ntlm_t1 t1;
	struct ntlm_t2 t2, again2;
	struct ntlm_t3 t3, again3;
	struct buf b;

	if (n > 8192)
		return 0;
	(void)!ntlm_t1_parse(&t1, in);
	if (ntlm_t2_parse(&t2, in) == OK) {
		inside(in, t2.target);
		inside(in, t2.info);
		if (t2.info.n > 0)
			attributes(t2.info);
		buf_init(&b, mem, sizeof(mem));
		BUG_ON(ntlm_t2_build(&b, &t2) != OK);
		BUG_ON(ntlm_t2_parse(&again2, buf_span(&b)) != OK);
		BUG_ON(!span_eq(t2.target, again2.target) ||
		       !span_eq(t2.info, again2.info) ||
		       t2.flags != again2.flags);
	}
	if (ntlm_t3_parse(&t3, in) == OK) {
		inside(in, t3.lm);
		inside(in, t3.nt);
		inside(in, t3.domain);
		inside(in, t3.user);
		inside(in, t3.host);
		inside(in, t3.key);
		buf_init(&b, mem, sizeof(mem));
		BUG_ON(ntlm_t3_build(&b, &t3) != OK);
		BUG_ON(ntlm_t3_parse(&again3, buf_span(&b)) != OK);
		BUG_ON(!span_eq(t3.nt, again3.nt) ||
		       !span_eq(t3.user, again3.user) ||
		       !span_eq(t3.key, again3.key));
	}
	return 0;
}
