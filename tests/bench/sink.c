/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sink - take mail as fast as possible, keep none of it, count it.
 *
 * usage: sink --port N --stat FILE [--cert PEM --key PEM] [--raw]
 *
 *   --port N       listen on all addresses, IPv4 and IPv6
 *   --stat FILE    struct bench_stat (bench.h), made anew, shared memory
 *   --cert, --key  offer STARTTLS with this chain: TLS 1.2 and 1.3 by OpenSSL;
 *                  no tickets and no session cache, so every handshake is a
 *                  full one, whatever path the client takes
 *   --raw          no SMTP: what comes on a connection is one message; the
 *                  connection is closed when the client has shut it down
 *
 * One thread, one epoll. A message counts when its last octet was read. Runs
 * until it is killed. Exit 2: it could not listen.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include "bench.h"

enum { IN = 1 << 18, LINE = 1024, OUT = 2048 };

enum where { /* in the message: what the last octets were */
	     IN_LINE,
	     AFTER_CR,
	     AT_START, /* of a line */
	     AFTER_DOT,
	     AFTER_DOT_CR,
	     EMPTY_CR, /* CR at the start of a line: the header's end, perhaps */
};

struct conn {
	int fd;
	SSL *ssl;
	bool tls_next, shaking, data, body, closing, waits;
	enum where where;
	uint64_t octets; /* of the body of this message, so far */
	char line[LINE], out[OUT];
	size_t line_n, out_n, out_at;
};

static struct bench_stat *stat_;
static SSL_CTX *ctx;
static bool raw;
static int epfd;
static char in[IN];

static void say(struct conn *c, const char *text)
{
	size_t n = strlen(text);

	if (c->out_n + n > OUT)
		return; /* a client that never reads; its session stalls */
	memcpy(c->out + c->out_n, text, n);
	c->out_n += n;
}

static void command(struct conn *c)
{
	if (!strncasecmp(c->line, "EHLO", 4)) {
		say(c, "250-sink.test\r\n250-PIPELINING\r\n"
		       "250-SIZE 104857600\r\n250-8BITMIME\r\n");
		if (ctx && !c->ssl)
			say(c, "250-STARTTLS\r\n");
		say(c, "250 ENHANCEDSTATUSCODES\r\n");
	} else if (!strncasecmp(c->line, "STARTTLS", 8) && ctx && !c->ssl) {
		say(c, "220 2.0.0 go on\r\n");
		c->tls_next = true;
	} else if (!strncasecmp(c->line, "DATA", 4)) {
		say(c, "354 go on\r\n");
		c->data = true;
		c->body = false;
		c->octets = 0;
		c->where = AT_START;
	} else if (!strncasecmp(c->line, "QUIT", 4)) {
		say(c, "221 2.0.0 bye\r\n");
		c->closing = true;
	} else {
		say(c, "250 2.0.0 ok\r\n");
	}
}

static void stored(struct conn *c)
{
	c->data = false;
	/* "." CR LF is not of the body */
	bench_add(&stat_->octets, c->octets > 3 ? c->octets - 3 : 0);
	bench_add(&stat_->messages, 1);
	say(c, "250 2.0.0 stored\r\n");
}

/* One octet of a message at the start or the end of a line. */
static enum where step(struct conn *c, char ch)
{
	switch (c->where) {
	case AT_START:
		if (ch == '.')
			return AFTER_DOT;
		return ch == '\r' ? EMPTY_CR : IN_LINE;
	case AFTER_DOT: return ch == '\r' ? AFTER_DOT_CR : IN_LINE;
	case AFTER_DOT_CR: return ch == '\n' ? AT_START : IN_LINE;
	case EMPTY_CR:
	case AFTER_CR:
		if (ch == '\n')
			return AT_START;
		return ch == '\r' ? AFTER_CR : IN_LINE;
	case IN_LINE: break;
	}
	return ch == '\r' ? AFTER_CR : IN_LINE;
}

/* Part of a message; how much was used. */
static size_t message(struct conn *c, const char *b, size_t n)
{
	size_t i = 0, from = 0;

	while (i < n && c->data) {
		enum where was = c->where;

		if (was == IN_LINE) {
			const char *cr = memchr(b + i, '\r', n - i);

			i = cr ? (size_t)(cr - b) + 1 : n;
			c->where = cr ? AFTER_CR : IN_LINE;
			continue;
		}
		c->where = step(c, b[i++]);
		if (was == EMPTY_CR && c->where == AT_START && !c->body) {
			c->body = true;
			from = i;
		}
		if (was == AFTER_DOT_CR && c->where == AT_START) {
			c->octets += i - from;
			stored(c);
			return i;
		}
	}
	if (c->body)
		c->octets += i - from;
	return i;
}

static void feed(struct conn *c, const char *b, size_t n)
{
	for (size_t i = 0; i < n && !c->tls_next;) {
		if (raw) {
			c->octets += n;
			return;
		}
		if (c->data) {
			i += message(c, b + i, n - i);
			continue;
		}
		if (b[i] == '\n') {
			c->line[c->line_n] = '\0';
			c->line_n = 0;
			command(c);
		} else if (b[i] != '\r' && c->line_n < LINE - 1) {
			c->line[c->line_n++] = b[i];
		}
		i++;
	}
}

static void wait_for_room(struct conn *c, bool room)
{
	struct epoll_event e = { .events = room ? EPOLLIN | EPOLLOUT : EPOLLIN,
				 .data.ptr = c };

	if (c->waits != room)
		epoll_ctl(epfd, EPOLL_CTL_MOD, c->fd, &e);
	c->waits = room;
}

/* False: the connection is of no use any more. */
static bool flush(struct conn *c)
{
	while (c->out_at < c->out_n) {
		size_t left = c->out_n - c->out_at;
		ssize_t n = c->ssl ? SSL_write(c->ssl, c->out + c->out_at,
					       (int)left)
				   : write(c->fd, c->out + c->out_at, left);

		if (n <= 0) {
			wait_for_room(c, true);
			return c->ssl ? SSL_get_error(c->ssl, (int)n) ==
						SSL_ERROR_WANT_WRITE
				      : errno == EAGAIN;
		}
		c->out_at += (size_t)n;
	}
	c->out_at = c->out_n = 0;
	wait_for_room(c, false);
	return true;
}

static bool shake(struct conn *c)
{
	int r = SSL_accept(c->ssl), e;

	if (r == 1) {
		c->shaking = false;
		bench_add(&stat_->handshakes, 1);
		return true;
	}
	e = SSL_get_error(c->ssl, r);
	ERR_clear_error();
	return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE;
}

static bool begin_tls(struct conn *c)
{
	c->tls_next = false;
	c->ssl = SSL_new(ctx);
	if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1)
		return false;
	SSL_set_accept_state(c->ssl);
	c->shaking = true;
	return true;
}

/* What can be read now: > 0 octets, 0 the end, -1 nothing. */
static ssize_t take(struct conn *c)
{
	ssize_t n;

	if (!c->ssl) {
		n = read(c->fd, in, IN);
		return n < 0 ? (errno == EAGAIN ? -1 : 0) : n;
	}
	n = SSL_read(c->ssl, in, IN);
	if (n > 0)
		return n;
	n = SSL_get_error(c->ssl, (int)n);
	ERR_clear_error();
	return n == SSL_ERROR_WANT_READ ? -1 : 0;
}

static void end(struct conn *c)
{
	if (raw) {
		bench_add(&stat_->octets, c->octets);
		bench_add(&stat_->messages, 1);
	} else if (!c->closing) {
		bench_add(&stat_->errors, c->data || c->shaking);
	}
	if (c->ssl) {
		SSL_set_quiet_shutdown(c->ssl, 1);
		SSL_free(c->ssl);
	}
	close(c->fd);
	free(c);
}

/* Go on as far as it goes. False: the connection is over. */
static bool work(struct conn *c)
{
	/* Bounded, so that one bulk client does not keep the others waiting;
	 * OpenSSL holds nothing back: a read takes a whole record. */
	for (int turns = 0; turns < 64; turns++) {
		ssize_t n;

		if (!flush(c))
			return false;
		if (c->out_n > 0)
			return true;
		if (c->closing && c->ssl)
			SSL_shutdown(c->ssl);
		if (c->closing || (c->tls_next && !begin_tls(c)) ||
		    (c->shaking && !shake(c)))
			return false;
		if (c->shaking)
			return true;
		n = take(c);
		if (n <= 0)
			return n < 0;
		feed(c, in, (size_t)n);
	}
	return flush(c);
}

static void run(struct conn *c)
{
	if (!work(c))
		end(c);
}

static void accept_all(int ls)
{
	int fd, on = 1;

	while ((fd = accept4(ls, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >=
	       0) {
		struct conn *c = calloc(1, sizeof(*c));
		struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };

		if (!c)
			exit(2);
		c->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &e);
		bench_add(&stat_->sessions, 1);
		if (!raw)
			say(c, "220 sink.test ESMTP\r\n");
		run(c);
	}
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6,
				  .sin6_port = htons(port) };
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = NULL };
	int on = 1, off = 0,
	    s = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	epfd = epoll_create1(0);
	if (bind(s, (struct sockaddr *)&a, sizeof(a)) || listen(s, 4096) ||
	    epoll_ctl(epfd, EPOLL_CTL_ADD, s, &e)) {
		perror("listen");
		exit(2);
	}
	return s;
}

static void use_tls(const char *cert, const char *key)
{
	ctx = SSL_CTX_new(TLS_server_method());
	if (!ctx || SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1) {
		ERR_print_errors_fp(stderr);
		exit(2);
	}
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(ctx, 0);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "port", 1, NULL, 'p' }, { "stat", 1, NULL, 's' },
		{ "cert", 1, NULL, 'c' }, { "key", 1, NULL, 'k' },
		{ "raw", 0, NULL, 'r' },  { NULL, 0, NULL, 0 },
	};
	const char *cert = NULL, *key = NULL, *file = NULL;
	uint16_t port = 0;
	int o, ls;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (o) {
		case 'p': port = (uint16_t)atoi(optarg); break;
		case 's': file = optarg; break;
		case 'c': cert = optarg; break;
		case 'k': key = optarg; break;
		case 'r': raw = true; break;
		default: return 2;
		}
	if (port == 0 || !file || !cert != !key)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	bench_files();
	stat_ = bench_map(file, 1);
	if (cert)
		use_tls(cert, key);
	ls = listen_on(port);
	bench_add(&stat_->ready, 1);
	for (;;) {
		struct epoll_event ev[256];
		int n = epoll_wait(epfd, ev, 256, -1);

		for (int i = 0; i < n; i++) {
			if (ev[i].data.ptr)
				run(ev[i].data.ptr);
			else
				accept_all(ls);
		}
	}
}
