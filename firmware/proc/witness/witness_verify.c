/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * witness_verify - what was seen, and whether we would have seen it.
 *
 * Frames are taken from the tap first and prints from the relays after that: what
 * was named before a frame left is known when the frame is looked at.
 */
#include <stdlib.h>
#include <sys/random.h>
#include "base/text.h"
#include "drivers/tap.h"
#include "proto/canary.h"
#include "proc/witness/witness.h"

enum { NOTICE_LEAK, NOTICE_TEST };

static struct {
	uint64_t number, until_ms; /* 0: none is under way */
	uint64_t again_ms;	   /* the canary may have been dropped */
	uint64_t next_ms;
	struct endpoint who; /* an address that nobody has */
	struct print print;  /* of the canary */
	unsigned waiting;    /* consoles */
	int result;	     /* of the last one, for those that still wait */
	bool breach;	     /* boss has not heard of it yet */
} test;

static void *leak_mem;
static uint8_t seed[16];
static uint64_t alarm_ms; /* the last one; one a minute is enough */
static uint8_t *frame[WITNESS_BATCH];

static void count(enum counter c, uint64_t n)
{
	stats_add(W.prog.stats, c, n);
}

/* It stays until the box starts again, whoever of us sees it. */
static void notice_leaks(void)
{
	if (stats_get(W.prog.stats, CNT_LEAKS) > 0)
		stats_notice(W.prog.stats, NOTICE_LEAK,
			     SPAN_LIT("CLEAR TEXT OF PROTECTED MAIL LEFT THE "
				      "OUTSIDE PORT: show log alarm"));
}

void verify_reset(void)
{
	W.leak = leak_init(leak_mem, W.key, seed);
}

void verify_init(void)
{
	leak_mem = malloc(leak_size());
	for (int i = 0; i < WITNESS_BATCH; i++) {
		frame[i] = malloc(TAP_HEAD + TAP_FRAME_MAX);
		if (!leak_mem || !frame[i])
			program_die(&W.prog, "no memory");
	}
	if (getrandom(&W.key, sizeof(W.key), 0) != (ssize_t)sizeof(W.key) ||
	    getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		program_die(&W.prog, "no randomness");
	W.key |= 1;
	verify_reset();
	test.next_ms = W.now;
	notice_leaks();
}

void verify_protect(const struct ipc_msg *m)
{
	for (uint32_t i = 0; i < m->print_n; i++)
		leak_protect(W.leak, &m->client, &m->print[i], W.now,
			     m->number);
	if (m->tls_only)
		leak_disallow(W.leak, &m->client, W.now);
	count(CNT_PRINTS, m->print_n);
}

void verify_expose(const struct ipc_msg *m)
{
	leak_allow(W.leak, &m->client, W.now);
	for (uint32_t i = 0; i < m->print_n; i++)
		leak_forget(W.leak, &m->client, &m->print[i]);
}

/* What boss and console have to hear; what cannot be said now, with the next tick. */
static void tell(void)
{
	const struct ipc_msg breach = { .type = IPC_BREACH };
	const struct ipc_msg result = { .type = IPC_VERIFIED,
					.error = test.result };

	if (test.breach &&
	    ipc_send(W.prog.boss.fd, ROLE_WITNESS, ROLE_BOSS, &breach) == OK)
		test.breach = false;
	while (test.until_ms == 0 && test.waiting > 0) {
		if (W.console.fd >= 0 && ipc_send(W.console.fd, ROLE_WITNESS,
						  ROLE_CONSOLE, &result) != OK)
			return;
		test.waiting--;
	}
}

/* --- what is seen --------------------------------------------------------------- */
static void alarm_(const struct leak_hit *hit)
{
	char client[48] = "?", server[48] = "?";
	struct text t;

	count(CNT_LEAKS, 1);
	(void)stats_alarm(
		W.prog.stats, ALARM_CLEAR_TEXT, now_unix_ms(),
		SPAN_LIT("text of protected mail was readable outside"));
	notice_leaks();
	if (alarm_ms != 0 && W.now - alarm_ms < 60000)
		return;
	alarm_ms = W.now;
	if (hit->tcp) {
		text_init(&t, client, sizeof(client));
		text_ip(&t, hit->client.ip);
		text_init(&t, server, sizeof(server));
		text_ip(&t, hit->server.ip);
	}
	program_log(&W.prog, SEV_ALARM,
		    "event=clear-text-seen client=%s client-port=%u server=%s "
		    "port=%u times=%llu",
		    client, hit->client.port, server, hit->server.port,
		    (unsigned long long)stats_get(W.prog.stats, CNT_LEAKS));
	test.breach = true;
	tell();
}

static void finish(int error)
{
	bool news = error != OK && test.result == OK;

	test.until_ms = 0;
	test.result = error;
	if (error != OK)
		test.next_ms = W.now + WITNESS_AGAIN_MS;
	leak_forget(W.leak, &test.who, &test.print);
	program_alarm_stands(&W.prog, ALARM_VERIFY, error != OK,
			     SPAN_LIT("a canary that left was not seen"));
	count(error == OK ? CNT_SELF_TESTS : CNT_SELF_TESTS_FAILED, 1);
	stats_notice(
		W.prog.stats, NOTICE_TEST,
		error == OK
			? SPAN_LIT("")
			: SPAN_LIT("verify does not see what leaves outside: "
				   "mail is not watched"));
	if (error == OK)
		program_log(&W.prog, SEV_INFO, "event=verify result=passed");
	else
		program_log(&W.prog, news ? SEV_ALARM : SEV_INFO,
			    "event=verify result=failed error=%s",
			    err_name(error));
	tell();
}

static void look(const struct tap_frame *f)
{
	struct leak_hit hit;

	count(CNT_FRAMES_WATCHED, 1);
	if (!leak_look(W.leak, f->bytes, W.now, f->unix_us, &hit))
		return;
	if (test.until_ms != 0 && canary_is(f->bytes, test.number))
		finish(OK);
	else
		alarm_(&hit);
}

bool verify_frames(void (*hear)(void))
{
	struct tap_frame f[WITNESS_BATCH];
	unsigned n = 0;

	while (n < WITNESS_BATCH &&
	       (f[n] = tap_receive(W.tap.fd, frame[n])).bytes.n > 0)
		n++;
	hear();
	for (unsigned i = 0; i < n; i++)
		look(&f[i]);
	return n == WITNESS_BATCH;
}

/* --- the self-test ---------------------------------------------------------------- */
static int send_canary(void)
{
	const struct ipc_msg m = { .type = IPC_CANARY, .number = test.number };

	leak_protect(W.leak, &test.who, &test.print, W.now, now_unix_us());
	test.again_ms = W.now + WITNESS_SEND_MS;
	return ipc_send(W.wire.fd, ROLE_WITNESS, ROLE_WIRE, &m);
}

static int begin(uint64_t patience_ms)
{
	uint8_t mem[CANARY_FRAME];

	if (W.wire.fd < 0)
		return E_PEER_GONE;
	if (getrandom(&test.number, sizeof(test.number), 0) !=
	    (ssize_t)sizeof(test.number))
		return E_IO;
	if (!print_of(W.key, canary_text(canary_write(mem, test.number)),
		      &test.print))
		return E_CORRUPT;
	test.until_ms = W.now + patience_ms;
	return send_canary();
}

void verify_ask(bool console)
{
	uint64_t patience = console ? WITNESS_CANARY_MS : WITNESS_LINK_MS;
	int r;

	if (console && test.waiting < WITNESS_CONSOLES)
		test.waiting++;
	if (test.until_ms > W.now + patience)
		test.until_ms = W.now + patience;
	if (test.until_ms != 0)
		return;
	test.next_ms = W.now + WITNESS_TEST_MS;
	r = begin(patience);
	if (r != OK)
		finish(r);
}

void verify_tick(void)
{
	uint64_t lost = tap_lost(W.tap.fd);

	if (lost > 0) {
		count(CNT_FRAMES_UNWATCHED, lost);
		program_log(&W.prog, SEV_WARNING,
			    "event=frames-not-watched frames=%llu",
			    (unsigned long long)lost);
	}
	tell();
	if (test.until_ms != 0 && W.now >= test.until_ms)
		finish(E_PEER_TIME);
	else if (test.until_ms != 0 && W.now >= test.again_ms && W.wire.fd >= 0)
		(void)!send_canary(); /* with the next one, or in vain */
	if (W.now >= test.next_ms && W.wire.fd >= 0)
		verify_ask(false);
}
