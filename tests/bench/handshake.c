/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handshake - what one TLS handshake costs the library, without us.
 *
 * usage: handshake CA SERVER-CERTIFICATE SERVER-KEY
 *
 * mbedTLS as a client, with the very configuration that relay gives it
 * (tls/tls_trust.h) but without tls_engine, against OpenSSL as a server in
 * memory: TLS 1.3, chain verified, nothing resumed. Only the time inside
 * mbedTLS counts (CPU of the thread); OpenSSL's turns are taken out. Prints
 * microseconds for one handshake: the median of 200, after some to warm up.
 *
 * Exit 1: a handshake failed, or the chain did not verify.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include "bench.h"
#include "tls/tls_trust.h"

enum { WARM = 20, ROUNDS = 200, PEM_MAX = 1 << 20 };

static BIO *to_server, *to_client;

static int net_send(void *arg, const unsigned char *p, size_t n)
{
	(void)arg;
	return BIO_write(to_server, p, (int)n);
}

static int net_recv(void *arg, unsigned char *p, size_t n)
{
	int got = BIO_read(to_client, p, (int)n);

	(void)arg;
	return got > 0 ? got : MBEDTLS_ERR_SSL_WANT_READ;
}

static void fail(const char *what)
{
	fprintf(stderr, "handshake: %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

/* One handshake; nanoseconds inside mbedTLS. */
static uint64_t once(struct tls_trust *trust, SSL_CTX *ctx)
{
	SSL *server = SSL_new(ctx);
	mbedtls_ssl_context ssl;
	uint64_t spent = 0;
	int r = MBEDTLS_ERR_SSL_WANT_READ;

	to_server = BIO_new(BIO_s_mem());
	to_client = BIO_new(BIO_s_mem());
	if (!server || !to_server || !to_client)
		fail("no memory");
	SSL_set_bio(server, to_server, to_client);
	SSL_set_accept_state(server);
	for (int turns = 0; turns < 10 && r != 0; turns++) {
		uint64_t t = bench_ns(CLOCK_THREAD_CPUTIME_ID);

		if (turns == 0) {
			mbedtls_ssl_init(&ssl);
			if (mbedtls_ssl_setup(&ssl, &trust->client) != 0 ||
			    mbedtls_ssl_set_hostname(&ssl, NULL) != 0)
				fail("setup");
			mbedtls_ssl_set_bio(&ssl, NULL, net_send, net_recv,
					    NULL);
		}
		r = mbedtls_ssl_handshake(&ssl);
		spent += bench_ns(CLOCK_THREAD_CPUTIME_ID) - t;
		SSL_do_handshake(server);
	}
	if (r != 0 || !SSL_is_init_finished(server) ||
	    mbedtls_ssl_get_verify_result(&ssl) != 0)
		fail("the handshake failed, or the chain is not trusted");
	spent -= bench_ns(CLOCK_THREAD_CPUTIME_ID);
	mbedtls_ssl_free(&ssl);
	spent += bench_ns(CLOCK_THREAD_CPUTIME_ID);
	SSL_free(server);
	return spent;
}

static struct tls_trust *trust_of(const char *file)
{
	static uint8_t pem[PEM_MAX];
	struct tls_trust *t;
	FILE *f = fopen(file, "r");
	size_t n = f ? fread(pem, 1, sizeof(pem), f) : 0;
	unsigned bad;

	if (f)
		fclose(f);
	t = tls_trust_new((struct span){ pem, n }, 0, &bad);
	if (n == 0 || !t)
		fail(file);
	return t;
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static uint64_t ns[ROUNDS];
	struct tls_trust *trust;
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (argc != 4)
		return 2;
	trust = trust_of(argv[1]);
	if (SSL_CTX_use_certificate_chain_file(ctx, argv[2]) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, argv[3], SSL_FILETYPE_PEM) != 1)
		fail(argv[2]);
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_num_tickets(ctx, 0);
	for (int i = 0; i < WARM; i++)
		(void)once(trust, ctx);
	for (int i = 0; i < ROUNDS; i++)
		ns[i] = once(trust, ctx);
	qsort(ns, ROUNDS, sizeof(ns[0]), by_size);
	printf("%.1f\n", (double)ns[ROUNDS / 2] / 1e3);
	return 0;
}
