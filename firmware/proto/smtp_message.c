/* SPDX-License-Identifier: BSD-2-Clause */
/* smtp_message - see smtp_message.h. */
#include "proto/smtp_message.h"

void smtp_message_begin(struct smtp_message *m, bool strict)
{
	*m = (struct smtp_message){ .held = 0 };
	smtp_data_init(&m->data, strict);
}

int smtp_message_take(struct smtp_message *m, struct buf *out, struct span in,
		      size_t *taken)
{
	uint8_t *at = buf_room(out);
	size_t room = buf_left(out), safe, held = m->held;
	bool end;
	int e;

	*taken = 0;
	if (in.n > room)
		in.n = room;
	if (in.n == 0)
		return 0;
	memcpy(at, in.p, in.n);
	e = smtp_data_scan(&m->data, (struct span){ at - held, held + in.n },
			   &safe, &end);
	m->bytes += safe;
	m->progress += in.n;
	if (e != OK) {
		m->held = safe < held ? held - safe : 0;
		*taken = safe > held ? safe - held : 0;
		return e;
	}
	*taken = end ? safe - held : in.n;
	buf_grow(out, *taken);
	m->held = end ? 0 : held + in.n - safe;
	return end;
}

void smtp_message_refuse(struct smtp_message *m, struct buf *out)
{
	/* What is held may be the beginning of the end. */
	buf_drop(out, buf_span(out).n - m->held);
	m->held = 0;
	m->swallowing = true;
	smtp_data_go_on(&m->data);
}

bool smtp_message_swallow(struct smtp_message *m, struct buf *out,
			  struct span in, size_t *taken)
{
	size_t safe;
	bool end;

	/* Nothing is sent any more: out keeps what is not decided. */
	*taken = in.n < buf_left(out) ? in.n : buf_left(out);
	in.n = *taken;
	if (buf_put(out, in) != OK) {
		*taken = 0;
		return false;
	}
	m->progress += in.n;
	if (smtp_data_scan(&m->data, buf_span(out), &safe, &end) != OK ||
	    !end) {
		buf_drop(out, safe);
		return false;
	}
	buf_drop(out, buf_span(out).n);
	return true;
}

struct span smtp_message_ready(const struct smtp_message *m,
			       const struct buf *out)
{
	struct span s = buf_span(out);

	s.n = m->swallowing ? 0 : s.n - m->held;
	return s;
}

const char *smtp_message_fault(int e)
{
	return e == E_PEER_EOL ? "the message has a bare CR or LF, which mail "
				 "servers understand differently"
			       : "the message has a NUL at the beginning of a "
				 "line, which mail servers understand "
				 "differently";
}
