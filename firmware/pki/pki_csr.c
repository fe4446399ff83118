/* SPDX-License-Identifier: BSD-2-Clause */
/* pki_csr - see pki_csr.h. */
#include <mbedtls/x509_csr.h>
#include <string.h>
#include "base/domain.h"
#include "pki/pki_csr.h"
#include "pki/pki_parse.h"

/* A name or subject may be this long. */
enum { HOST_MAX = DOMAIN_MAX + 2, SUBJECT_MAX = 512 };

struct request {
	char subject[SUBJECT_MAX];
	char host[PKI_CSR_NAMES][HOST_MAX + 1];
	mbedtls_x509_san_list san[PKI_CSR_NAMES];
	size_t hosts;
	struct text *why;
};

static int wrong(struct request *q, struct span word, const char *why)
{
	text_str(q->why, "\"");
	text_clean(q->why, (struct span){ word.p, word.n < 64 ? word.n : 64 });
	text_str(q->why, "\": ");
	text_str(q->why, why);
	text_str(q->why, "\n");
	return E_CONF;
}

static int take_host(struct request *q, struct span word)
{
	bool any = word.n > 2 && word.p[0] == '*' && word.p[1] == '.';
	char *host = q->host[q->hosts];
	size_t n;

	if (q->hosts == PKI_CSR_NAMES)
		return wrong(q, word, "more than 32 hosts");
	if (domain_normalise(host + (any ? 2 : 0), &n,
			     any ? span_skip(word, 2) : word) != OK ||
	    !memchr(host, '.', n))
		return wrong(q, word,
			     "not a host; mx.example, *.example or a "
			     "subject such as CN=mx.example,O=One");
	if (any)
		memcpy(host, "*.", 2);
	n += any ? 2 : 0;
	q->san[q->hosts] = (mbedtls_x509_san_list){
		.node = { .type = MBEDTLS_X509_SAN_DNS_NAME,
			  .san.unstructured_name = { .tag = MBEDTLS_ASN1_IA5_STRING,
						     .len = n,
						     .p = (unsigned char *)
							     host } },
	};
	/* it is written from its end */
	if (q->hosts > 0)
		q->san[q->hosts].next = &q->san[q->hosts - 1];
	q->hosts++;
	return OK;
}

static int take_word(struct request *q, struct span word)
{
	if (word.n == 0)
		return OK;
	if (!memchr(word.p, '=', word.n))
		return take_host(q, word);
	if (q->subject[0] != '\0')
		return wrong(q, word, "a second subject");
	if (word.n >= SUBJECT_MAX)
		return wrong(q, word, "longer than 511 octets");
	memcpy(q->subject, word.p, word.n);
	return OK;
}

static int take_words(struct request *q, struct span words)
{
	int r = OK;

	while (r == OK && words.n > 0) {
		const uint8_t *lf = memchr(words.p, '\n', words.n);
		size_t n = lf ? (size_t)(lf - words.p) : words.n;

		r = take_word(q, (struct span){ words.p, n });
		words = span_skip(words, n + (lf ? 1u : 0u));
	}
	if (r == OK && q->hosts == 0) {
		text_str(q->why, "at least one host must follow, mx.example\n");
		r = E_CONF;
	}
	if (r == OK && q->subject[0] == '\0') {
		/* what is longer than a common name may be stays out of it */
		memcpy(q->subject, "CN=", 3);
		if (strlen(q->host[0]) <= 64)
			memcpy(q->subject + 3, q->host[0],
			       strlen(q->host[0]) + 1);
		else
			q->subject[0] = '\0';
	}
	return r;
}

static int write_request(struct request *q, mbedtls_pk_context *pk,
			 struct text *out)
{
	static unsigned char mem[PKI_CSR_MAX];
	mbedtls_x509write_csr csr;
	int r = OK;

	mbedtls_x509write_csr_init(&csr);
	mbedtls_x509write_csr_set_key(&csr, pk);
	mbedtls_x509write_csr_set_md_alg(&csr, MBEDTLS_MD_SHA256);
	if (mbedtls_x509write_csr_set_subject_name(&csr, q->subject) != 0)
		r = wrong(q, span_str(q->subject),
			  "not a subject; CN=mx.example,O=One,C=DE");
	else if (mbedtls_x509write_csr_set_subject_alternative_name(
			 &csr, &q->san[q->hosts - 1]) != 0 ||
		 mbedtls_x509write_csr_set_key_usage(
			 &csr, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) != 0 ||
		 mbedtls_x509write_csr_pem(&csr, mem, sizeof(mem), pki_random,
					   NULL) != 0)
		r = E_FULL;
	if (r == OK)
		text_str(out, (const char *)mem);
	mbedtls_x509write_csr_free(&csr);
	return r;
}

int pki_csr(struct span der, struct span words, struct text *out,
	    struct text *why)
{
	static struct request q;
	mbedtls_pk_context pk;
	int r;

	memset(&q, 0, sizeof(q));
	q.why = why;
	r = take_words(&q, words);
	if (r != OK)
		return r;
	mbedtls_pk_init(&pk);
	r = E_CORRUPT;
	if (der.n > 0 && mbedtls_pk_parse_key(&pk, der.p, der.n, NULL, 0,
					      pki_random, NULL) == 0)
		r = write_request(&q, &pk, out);
	mbedtls_pk_free(&pk);
	return r;
}
