/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gen - SMTP load: many clients at once, one message in each session.
 *
 * usage: gen --to ADDRESS --port N --stat FILE [options]
 *
 *   --to, --port    where to; IPv4
 *   --stat FILE     of the sink (bench.h): what it has stored is what counts
 *   --clients N     sessions at the same time (1)
 *   --octets N      of a body (4096)
 *   --seconds S     begin sessions for so long (2)
 *   --messages N    and no more than so many
 *   --domain D      of the recipient (sink.test)
 *   --tls CA        STARTTLS by this program, with OpenSSL; CA: PEM file that
 *                   the server's chain must verify against
 *   --raw           no SMTP: a connection is N octets and the end of them
 *   --idle          open the sessions as far as the reply to EHLO, print
 *                   "ready N", hold them until standard input ends
 *   --timeout S     give up (60)
 *
 * Prints one JSON object: sessions that were answered well, messages and
 * octets that the sink has stored meanwhile, seconds until it had the last one,
 * octets a second, and from connect() to the reply to the dot (raw: to the
 * end) the 50th, 90th, 99th percentile and the largest, in microseconds.
 *
 * Exit 0: every message that was answered with 250 was stored, whole, and
 * nothing else; and no session failed. 1: not so, standard error says what.
 * 2: usage.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include "bench.h"

enum { LINE = 1024, OPENING_MAX = 32, SAMPLES = 1 << 20 };

enum state {
	GREETING,
	EHLO,
	STARTTLS,
	SHAKING,
	EHLO_TLS,
	MAIL,
	RCPT,
	DATA,
	BODY,
	QUIT,
	HELD, /* --idle */
	RAW,
	FREE,
};

struct conn {
	int fd;
	enum state state;
	SSL *ssl;
	bool waits; /* for room to write */
	char line[LINE];
	size_t line_n;
	const char *out;
	size_t out_n;
	uint64_t since;
};

static struct {
	struct sockaddr_in to;
	const char *stat, *ca, *domain;
	unsigned clients, messages;
	size_t octets;
	double seconds, timeout;
	bool raw, idle;
} opt = { .clients = 1,
	  .messages = SAMPLES,
	  .octets = 4096,
	  .domain = "sink.test",
	  .seconds = 2,
	  .timeout = 60 };

static SSL_CTX *ctx;
static int epfd;
static char *msg, rcpt[300];
static size_t msg_n, body_n;
static struct conn *conns;
static unsigned begun, good, bad, open_now, held;
static uint32_t took_us[SAMPLES];

static uint64_t now(void)
{
	return bench_ns(CLOCK_MONOTONIC);
}

/* A header, lines of 76 letters, a dot; body_n as the sink counts it. */
static void make_message(void)
{
	static const char head[] = "From: <a@gen.test>\r\nTo: <b@sink.test>\r\n"
				   "Subject: load\r\n"
				   "Date: Mon, 23 Nov 2026 12:00:00 +0000\r\n"
				   "Message-ID: <x@gen.test>\r\n\r\n";
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijk"
				      "lmnopqrstuvwxyz0123456789+/";
	size_t col = 0;
	uint32_t r = 1;

	msg = malloc(sizeof(head) + opt.octets + 8);
	if (!msg)
		exit(2);
	if (!opt.raw) {
		memcpy(msg, head, sizeof(head) - 1);
		msg_n = sizeof(head) - 1;
	}
	for (; body_n + 2 < opt.octets; body_n++) {
		r = r * 1103515245 + 12345;
		msg[msg_n + body_n] = letters[(r >> 16) & 63];
		if (++col == 76 && body_n + 4 < opt.octets) {
			memcpy(msg + msg_n + body_n + 1, "\r\n", 2);
			body_n += 2;
			col = 0;
		}
	}
	memcpy(msg + msg_n + body_n, "\r\n.\r\n", 5);
	body_n += 2;
	msg_n += body_n + (opt.raw ? 0 : 3);
}

static void watch(struct conn *c, bool room, int op)
{
	struct epoll_event e = { .events = room ? EPOLLIN | EPOLLOUT : EPOLLIN,
				 .data.ptr = c };

	if (op == EPOLL_CTL_ADD || c->waits != room)
		epoll_ctl(epfd, op, c->fd, &e);
	c->waits = room;
}

static void begin(struct conn *c)
{
	int on = 1;

	*c = (struct conn){ .since = now(), .state = opt.raw ? RAW : GREETING };
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(c->fd, (struct sockaddr *)&opt.to, sizeof(opt.to)) != 0 &&
	    errno != EINPROGRESS) {
		perror("connect");
		exit(1);
	}
	if (opt.raw) {
		c->out = msg;
		c->out_n = msg_n;
	}
	watch(c, opt.raw, EPOLL_CTL_ADD);
	begun++;
	open_now++;
}

static void end(struct conn *c, bool ok)
{
	uint64_t us = (now() - c->since) / 1000;

	if (!ok && ++bad < 6)
		fprintf(stderr, "gen: session failed in state %d: %s (%s)\n",
			(int)c->state, c->line, strerror(errno));
	if (ok && opt.raw) {
		took_us[good++ % SAMPLES] = (uint32_t)us;
	}
	if (c->ssl) {
		SSL_set_quiet_shutdown(c->ssl, 1);
		SSL_free(c->ssl);
	}
	close(c->fd);
	c->state = FREE;
	open_now--;
}

/* False: the connection is broken. */
static bool flush(struct conn *c)
{
	while (c->out_n > 0) {
		size_t most = c->out_n < 1 << 20 ? c->out_n : 1 << 20;
		ssize_t n = c->ssl ? SSL_write(c->ssl, c->out, (int)most)
				   : write(c->fd, c->out, most);

		if (n <= 0) {
			watch(c, true, EPOLL_CTL_MOD);
			return c->ssl ? SSL_get_error(c->ssl, (int)n) ==
						SSL_ERROR_WANT_WRITE
				      : errno == EAGAIN;
		}
		c->out += n;
		c->out_n -= (size_t)n;
	}
	watch(c, false, EPOLL_CTL_MOD);
	if (opt.raw)
		shutdown(c->fd, SHUT_WR);
	return true;
}

static bool say(struct conn *c, const char *text, enum state next)
{
	c->out = text;
	c->out_n = strlen(text);
	c->state = next;
	return flush(c);
}

static bool shake(struct conn *c)
{
	int r = SSL_connect(c->ssl), e;

	if (r == 1)
		return say(c, "EHLO gen.test\r\n", EHLO_TLS);
	e = SSL_get_error(c->ssl, r);
	return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE;
}

static bool begin_tls(struct conn *c)
{
	c->ssl = SSL_new(ctx);
	if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1)
		return false;
	SSL_set_connect_state(c->ssl);
	c->state = SHAKING;
	return shake(c);
}

static bool hold(struct conn *c)
{
	c->state = HELD;
	held++;
	return true;
}

static bool after_dot(struct conn *c)
{
	took_us[good++ % SAMPLES] = (uint32_t)((now() - c->since) / 1000);
	return say(c, "QUIT\r\n", QUIT);
}

/* The last line of a reply. False: not what was wanted. */
static bool reply(struct conn *c)
{
	if (c->line[0] != (c->state == DATA ? '3' : '2')) {
		errno = 0;
		return false;
	}
	switch (c->state) {
	case GREETING: return say(c, "EHLO gen.test\r\n", EHLO);
	case EHLO:
		if (ctx)
			return say(c, "STARTTLS\r\n", STARTTLS);
		/* fall through */
	case EHLO_TLS:
		if (opt.idle)
			return hold(c);
		return say(c, "MAIL FROM:<a@gen.test>\r\n", MAIL);
	case STARTTLS: return begin_tls(c);
	case MAIL: return say(c, rcpt, RCPT);
	case RCPT: return say(c, "DATA\r\n", DATA);
	case DATA:
		c->out = msg;
		c->out_n = msg_n;
		c->state = BODY;
		return flush(c);
	case BODY: return after_dot(c);
	case SHAKING:
	case QUIT:
	case HELD:
	case RAW:
	case FREE: break;
	}
	return false;
}

static bool lines(struct conn *c, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (b[i] == '\n') {
			c->line[c->line_n] = '\0';
			if (c->line_n < 4 || c->line[3] != '-') {
				if (c->state == QUIT) {
					end(c, c->line[0] == '2');
					return true;
				}
				if (!reply(c))
					return false;
			}
			c->line_n = 0;
		} else if (b[i] != '\r' && c->line_n < LINE - 1) {
			c->line[c->line_n++] = b[i];
		}
	}
	return true;
}

/* False: the connection ended where it should not. */
static bool take(struct conn *c)
{
	char b[4096];

	if (c->state == SHAKING)
		return shake(c);
	while (c->state != FREE && c->state != SHAKING) {
		ssize_t n = c->ssl ? SSL_read(c->ssl, b, sizeof(b))
				   : read(c->fd, b, sizeof(b));

		if (n <= 0 && c->ssl) {
			int e = SSL_get_error(c->ssl, (int)n);

			ERR_clear_error();
			return e == SSL_ERROR_WANT_READ;
		}
		if (n < 0)
			return errno == EAGAIN;
		if (n == 0 && c->state == RAW && c->out_n == 0) {
			end(c, true);
			return true;
		}
		if (n == 0 || !lines(c, b, (size_t)n))
			return false;
	}
	return true;
}

static void turn(void)
{
	struct epoll_event ev[256];
	int n = epoll_wait(epfd, ev, 256, 20);

	for (int i = 0; i < n; i++) {
		struct conn *c = ev[i].data.ptr;
		bool ok = true;

		if (c->state == FREE)
			continue;
		if ((ev[i].events & EPOLLOUT) && c->state != SHAKING)
			ok = flush(c);
		if (ok && (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
			ok = take(c);
		if (!ok)
			end(c, false);
	}
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static unsigned percentile(double p)
{
	unsigned n = good < SAMPLES ? good : SAMPLES;

	return n ? took_us[(unsigned)((n - 1) * p)] : 0;
}

static int hold_all(uint64_t deadline)
{
	struct pollfd in = { 0, POLLIN, 0 };

	while (held + bad < opt.clients && now() < deadline) {
		while (begun < opt.clients && begun - held - bad < OPENING_MAX)
			begin(&conns[begun]);
		turn();
	}
	printf("ready %u\n", held);
	fflush(stdout);
	if (held < opt.clients)
		return 1;
	while (poll(&in, 1, 0) == 0 && bad == 0)
		turn();
	return bad != 0;
}

static void load(uint64_t start, uint64_t deadline)
{
	uint64_t last = start + (uint64_t)(opt.seconds * 1e9);

	for (;;) {
		bool more = begun < opt.messages && now() < last;

		for (unsigned i = 0; more && i < opt.clients; i++)
			if (conns[i].state == FREE) {
				begin(&conns[i]);
				more = begun < opt.messages;
			}
		if (open_now == 0)
			return;
		if (now() > deadline) {
			fprintf(stderr, "gen: %u sessions hang\n", open_now);
			bad += open_now;
			return;
		}
		turn();
	}
}

/* Wait until the sink has it all, and say so. */
static int conclude(const struct bench_stat *st, const struct bench_stat *was,
		    uint64_t start, uint64_t deadline)
{
	uint64_t messages, octets;
	double s;
	bool ok;

	while (bench_read(&st->messages) - was->messages < good &&
	       now() < deadline)
		usleep(200);
	s = (double)(now() - start) / 1e9;
	messages = bench_read(&st->messages) - was->messages;
	octets = bench_read(&st->octets) - was->octets;
	ok = bad == 0 && good > 0 && messages == good &&
	     octets == (uint64_t)good * body_n;
	if (!ok)
		fprintf(stderr,
			"gen: %u failed; %u answered with 250, %lu stored; "
			"%lu octets stored, not %lu\n",
			bad, good, (unsigned long)messages,
			(unsigned long)octets,
			(unsigned long)((uint64_t)good * body_n));
	qsort(took_us, good < SAMPLES ? good : SAMPLES, sizeof(took_us[0]),
	      by_size);
	printf("{\"sessions\": %u, \"stored\": %lu, \"octets\": %lu, "
	       "\"seconds\": %.4f, \"rate\": %.1f, \"octets_rate\": %.0f, "
	       "\"p50\": %u, \"p90\": %u, \"p99\": %u, \"max\": %u}\n",
	       good, (unsigned long)messages, (unsigned long)octets, s,
	       (double)messages / s, (double)octets / s, percentile(.5),
	       percentile(.9), percentile(.99), percentile(1));
	return ok ? 0 : 1;
}

static void use_tls(void)
{
	ctx = SSL_CTX_new(TLS_client_method());
	if (!ctx || SSL_CTX_load_verify_locations(ctx, opt.ca, NULL) != 1) {
		ERR_print_errors_fp(stderr);
		exit(2);
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
}

static bool option(int o)
{
	switch (o) {
	case 'a':
		opt.to.sin_family = AF_INET;
		return inet_pton(AF_INET, optarg, &opt.to.sin_addr) == 1;
	case 'p': opt.to.sin_port = htons((uint16_t)atoi(optarg)); break;
	case 'f': opt.stat = optarg; break;
	case 'c': opt.clients = (unsigned)atoi(optarg); break;
	case 'm': opt.messages = (unsigned)atoi(optarg); break;
	case 'o': opt.octets = (size_t)atol(optarg); break;
	case 's': opt.seconds = atof(optarg); break;
	case 'w': opt.timeout = atof(optarg); break;
	case 'd': opt.domain = optarg; break;
	case 't': opt.ca = optarg; break;
	case 'r': opt.raw = true; break;
	case 'i': opt.idle = true; break;
	default: return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "to", 1, NULL, 'a' },	      { "port", 1, NULL, 'p' },
		{ "stat", 1, NULL, 'f' },     { "clients", 1, NULL, 'c' },
		{ "messages", 1, NULL, 'm' }, { "octets", 1, NULL, 'o' },
		{ "seconds", 1, NULL, 's' },  { "timeout", 1, NULL, 'w' },
		{ "tls", 1, NULL, 't' },      { "raw", 0, NULL, 'r' },
		{ "idle", 0, NULL, 'i' },     { "domain", 1, NULL, 'd' },
		{ NULL, 0, NULL, 0 },
	};
	struct bench_stat *st, was;
	uint64_t start, deadline;
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!option(o))
			return 2;
	if (opt.to.sin_port == 0 || !opt.stat || opt.clients == 0 ||
	    opt.octets < 16)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	bench_files();
	st = bench_map(opt.stat, 0);
	was = *st;
	if (opt.ca)
		use_tls();
	make_message();
	snprintf(rcpt, sizeof(rcpt), "RCPT TO:<b@%s>\r\n", opt.domain);
	epfd = epoll_create1(0);
	conns = calloc(opt.clients, sizeof(*conns));
	if (!conns)
		return 2;
	for (unsigned i = 0; i < opt.clients; i++)
		conns[i].state = FREE;
	start = now();
	deadline = start + (uint64_t)(opt.timeout * 1e9);
	if (opt.idle)
		return hold_all(deadline);
	load(start, deadline);
	return conclude(st, &was, start, deadline);
}
