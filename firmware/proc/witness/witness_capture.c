/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * witness_capture - frames of mail on both ports, as they are on the wire, into
 * memory, and from there into a file (proto/pcapng.h). Full is full: how a session
 * began is what one wants to know.
 *
 * What somebody logs on with is not kept: proto/redact.h.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/text.h"
#include "drivers/tap.h"
#include "policy/policy.h"
#include "proc/witness/witness.h"
#include "proto/frame.h"
#include "proto/pcapng.h"
#include "proto/redact.h"

enum {
	BATCH = 64, /* frames a turn */
	NOTES = 1024,
	REMARKS = 1000,	  /* octets of what is said of a session */
	FILE_UNIT = 1024, /* XMODEM's longest block */
	TCP_HEAD = 20,
	HEADS = 14 + 20 + TCP_HEAD, /* of what is broken */
};

/* In front of its octets, which are padded to eight. */
struct record {
	uint64_t unix_us;
	uint32_t n;
	uint8_t port, leaves;
	uint16_t cut; /* octets of the frame that are left out */
};

struct note {
	struct endpoint client;
	uint32_t session;
	uint64_t judged;
	bool said;
};

static struct {
	uint8_t *mem;
	size_t size, n;
	struct note note[NOTES];
	unsigned notes_n; /* as many as there ever were */
	struct redact redact[PORTS];
} cap;

static struct stats_capture *shown(void)
{
	return &W.prog.stats->capture;
}

static void filter(enum port p)
{
	const struct stats_capture *s = shown();
	bool on = (s->running && (s->ports & 1u << p) != 0) || watch_runs();

	if (W.capture[p].fd >= 0 &&
	    tap_ports(W.capture[p].fd, on ? TAP_BOTH : TAP_NOTHING, W.ports,
		      on ? W.ports_n : 0) != OK)
		program_die(&W.prog, "filter on the tap");
}

void capture_ports(void)
{
	filter(INSIDE);
	filter(OUTSIDE);
}

static void stop(void)
{
	shown()->running = 0;
	capture_ports();
}

static int start(const struct ipc_msg *m)
{
	struct stats_capture *s = shown();
	uint8_t *mem = m->number <= WITNESS_CAPTURE_MAX
			       ? malloc((size_t)m->number)
			       : NULL;

	if (!mem)
		return E_FULL;
	free(cap.mem);
	memset(&cap, 0, sizeof(cap));
	cap.mem = mem;
	cap.size = (size_t)m->number;
	*s = (struct stats_capture){ .running = 1,
				     .ports = m->flow,
				     .host = m->client,
				     .limit = m->number,
				     .unix_ms = now_unix_ms() };
	capture_ports();
	return OK;
}

/* --- frames ---------------------------------------------------------------------- */
/* An ICMP error has the addresses and ports of the segment it is about. Of what
 * cannot be read, addresses are all there is, if so much. */
static bool of_mail(const struct frame *f)
{
	uint16_t port = shown()->host.port;

	switch (f->class_) {
	case FRAME_TCP:
	case FRAME_ICMP:
		return (witness_watches(f->src.port) ||
			witness_watches(f->dst.port)) &&
		       (port == 0 || port == f->src.port ||
			port == f->dst.port);
	case FRAME_FRAGMENT:
	case FRAME_BAD: return port == 0;
	case FRAME_OTHER: break;
	}
	return false;
}

static bool wanted(const struct frame *f)
{
	static const uint8_t any[16];
	const uint8_t *host = shown()->host.ip;

	return of_mail(f) && (memcmp(host, any, 16) == 0 ||
			      memcmp(host, f->src.ip, 16) == 0 ||
			      memcmp(host, f->dst.ip, 16) == 0);
}

/* What an ICMP error quotes, up to ports and sequence number. */
static size_t quoted(const struct frame *f, struct span bytes)
{
	size_t quote = f->l4 + 8u;

	if (quote >= bytes.n)
		return bytes.n;
	return quote + (f->v6 ? 40 : (size_t)(bytes.p[quote] & 15) * 4) + 8;
}

/* How much of a frame is kept. Of all but whole segments only the headers: what follows
 * is perhaps what somebody logs on with, and nobody can find it there. */
static size_t kept(const struct frame *f, struct span bytes)
{
	size_t n = bytes.n;

	switch (f->class_) {
	case FRAME_ICMP: n = quoted(f, bytes); break;
	case FRAME_FRAGMENT:
		n = f->frag_data + (f->frag_off == 0 ? TCP_HEAD : 0u);
		break;
	case FRAME_BAD: n = HEADS; break;
	case FRAME_TCP:
	case FRAME_OTHER: break;
	}
	return n < bytes.n ? n : bytes.n;
}

static void keep(enum port p, const struct tap_frame *t)
{
	struct stats_capture *s = shown();
	struct record r = { .unix_us = t->unix_us,
			    .port = (uint8_t)p,
			    .leaves = t->leaves };
	struct frame f;
	size_t need;

	frame_parse(&f, t->bytes);
	r.n = (uint32_t)kept(&f, t->bytes);
	r.cut = t->bytes.n - r.n < UINT16_MAX ? (uint16_t)(t->bytes.n - r.n)
					      : UINT16_MAX;
	need = sizeof(r) + ((r.n + 7) & ~(size_t)7);
	if (watch_runs())
		watch_frame(p, t, &f);
	if (!s->running || (s->ports & 1u << p) == 0 || !wanted(&f))
		return;
	if (need > cap.size - cap.n) {
		stop();
		return;
	}
	memcpy(cap.mem + cap.n, &r, sizeof(r));
	memcpy(cap.mem + cap.n + sizeof(r), t->bytes.p, r.n);
	if (f.class_ == FRAME_TCP && f.data_n > 0)
		redact(&cap.redact[p], &f, witness_watches(f.src.port),
		       cap.mem + cap.n + sizeof(r) + f.data);
	cap.n += need;
	s->bytes = cap.n;
	s->frames++;
}

void capture_frames(enum port p)
{
	static uint8_t mem[TAP_HEAD + TAP_FRAME_MAX];

	for (int i = 0; i < BATCH; i++) {
		struct tap_frame t = tap_receive(W.capture[p].fd, mem);

		if (t.bytes.n == 0)
			return;
		keep(p, &t);
	}
}

void capture_judged(const struct ipc_msg *m)
{
	if (!shown()->running)
		return;
	cap.note[cap.notes_n++ % NOTES] = (struct note){ .client = m->client,
							 .session = m->flow,
							 .judged = m->number };
}

/* Answers that console has not heard yet, in their order: what cannot be said now,
 * with the next tick. */
enum { OWED = 4 };
static struct ipc_msg owed[OWED];
static unsigned owed_n;

static void tell_console(void)
{
	while (owed_n > 0) {
		int r = W.console.fd < 0 ? E_PEER_GONE
					 : ipc_send(W.console.fd, ROLE_WITNESS,
						    ROLE_CONSOLE, &owed[0]);

		if (r == E_AGAIN)
			return;
		close(owed[0].fd[0]);
		memmove(owed, owed + 1, --owed_n * sizeof(owed[0]));
	}
}

void capture_tick(void)
{
	tell_console();
	for (enum port p = INSIDE; p < PORTS; p++)
		if (W.capture[p].fd >= 0)
			shown()->lost += tap_lost(W.capture[p].fd);
}

/* --- the file --------------------------------------------------------------------- */
static void remark(struct text *t, const struct note *n)
{
	if (t->n == 0) {
		text_str(t, "session ");
		text_u64(t, n->session);
	}
	if (n->judged == 0)
		return;
	text_str(t, n->judged & 1 ? "; recipient let pass by "
				  : "; recipient refused by ");
	text_str(t, level_name((enum level)(n->judged >> 1 & 7)));
	text_str(t, ", line ");
	text_u64(t, n->judged >> 8);
}

/* What is to be said at the first frame of a session. */
static void remarks(struct text *t, const struct frame *f)
{
	unsigned n = cap.notes_n < NOTES ? cap.notes_n : NOTES;

	for (unsigned i = 0; i < n; i++) {
		struct note *o = &cap.note[(cap.notes_n - n + i) % NOTES];

		if (o->said || (!endpoint_eq(&o->client, &f->src) &&
				!endpoint_eq(&o->client, &f->dst)))
			continue;
		o->said = true;
		remark(t, o);
	}
}

static void put(struct pcapng *w, size_t at)
{
	char mem[REMARKS];
	struct record r;
	struct span bytes;
	struct frame f;
	struct text t;

	memcpy(&r, cap.mem + at, sizeof(r));
	bytes = (struct span){ cap.mem + at + sizeof(r), r.n };
	frame_parse(&f, bytes);
	text_init(&t, mem, sizeof(mem));
	if (f.class_ == FRAME_TCP)
		remarks(&t, &f);
	pcapng_frame(w, (enum port)r.port, r.unix_us, r.leaves, bytes,
		     (size_t)r.n + r.cut, text_done(&t));
}

/* The next record of a port from at on; cap.n: there is none. */
static size_t next(size_t at, enum port p, uint64_t *unix_us)
{
	while (at < cap.n) {
		struct record r;

		memcpy(&r, cap.mem + at, sizeof(r));
		*unix_us = r.unix_us;
		if (r.port == p)
			return at;
		at += sizeof(r) + ((r.n + 7) & ~(size_t)7);
	}
	*unix_us = UINT64_MAX;
	return cap.n;
}

static size_t behind(size_t at)
{
	struct record r;

	memcpy(&r, cap.mem + at, sizeof(r));
	return at + sizeof(r) + ((r.n + 7) & ~(size_t)7);
}

/* All of it, in the order of time: each port has its own already. */
static void file(struct pcapng *w)
{
	size_t at[PORTS] = { 0, 0 };
	uint64_t us[PORTS];

	for (unsigned i = 0; i < NOTES; i++)
		cap.note[i].said = false;
	pcapng_begin(w, SPAN_LIT("Sealwire: mail on both ports; what was used "
				 "to log on is blotted out"));
	for (;;) {
		enum port p;

		for (p = INSIDE; p < PORTS; p++)
			at[p] = next(at[p], p, &us[p]);
		p = us[OUTSIDE] < us[INSIDE] ? OUTSIDE : INSIDE;
		if (at[p] == cap.n)
			break;
		put(w, at[p]);
		at[p] = behind(at[p]);
		program_alive(&W.prog);
	}
	pcapng_end(w, FILE_UNIT);
}

/* A descriptor with the file; -1: no memory. */
static int give(void)
{
	struct pcapng w = { NULL, 0 };
	int fd = memfd_create("capture", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t at = 0;

	if (fd < 0 || shown()->unix_ms == 0)
		return fd;
	file(&w);
	w.p = malloc(w.n);
	if (w.p) {
		w.n = 0;
		file(&w);
	}
	while (w.p && at < w.n) {
		ssize_t n = write(fd, w.p + at, w.n - at);

		if (n <= 0)
			break;
		at += (size_t)n;
	}
	free(w.p);
	if (w.p && at == w.n)
		return fd;
	close(fd);
	return -1;
}

static int nothing(void)
{
	return memfd_create("nothing", MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

void capture_ask(const struct ipc_msg *m)
{
	struct ipc_msg a = { .type = IPC_CAPTURED, .fd_n = 1 };

	if (m->number == UINT64_MAX) {
		a.fd[0] = give();
	} else {
		if (m->number == 0)
			stop();
		else
			a.error = start(m);
		a.fd[0] = nothing();
	}
	if (a.fd[0] < 0) {
		a.error = E_FULL;
		a.fd[0] = nothing();
	}
	if (a.fd[0] < 0 || owed_n == OWED) {
		program_log(&W.prog, SEV_WARNING, "event=console-deaf");
		if (a.fd[0] >= 0)
			close(a.fd[0]);
		return;
	}
	owed[owed_n++] = a;
	tell_console();
}
