/* SPDX-License-Identifier: BSD-2-Clause */
/* ntlm_crypto - see ntlm_crypto.h. */
#include "auth/digest.h"
#include "auth/ntlm_crypto.h"
#include "auth/ntlm_msg.h"
#include "auth/utf16.h"
#include "base/bytes.h"
#include "base/wipe.h"

enum { WIDE = 2 * SASL_NAME_MAX };

static struct span key_of(const uint8_t k[16])
{
	return (struct span){ k, 16 };
}

int ntlm_nt_hash(struct span password, uint8_t out[NTLM_HASH])
{
	uint8_t wide[WIDE];
	struct span part = { wide, 0 };
	int r = utf16_from(wide, sizeof(wide), &part.n, password, false);

	if (r == OK)
		r = digest(DIGEST_MD4, &part, 1, out);
	wipe(wide, sizeof(wide));
	return r;
}

int ntlm_lm_hash(struct span password, uint8_t out[NTLM_HASH])
{
	static const uint8_t magic[8] = {
		'K', 'G', 'S', '!', '@', '#', '$', '%'
	};
	uint8_t p[14] = { 0 };
	int r = password.n <= sizeof(p) ? OK : E_CONF;

	for (size_t i = 0; r == OK && i < password.n; i++) {
		uint8_t c = password.p[i];

		p[i] = c >= 'a' && c <= 'z' ? (uint8_t)(c - 32) : c;
		if (c >= 0x80)
			r = E_CONF;
	}
	if (r == OK)
		r = des_block(p, magic, out);
	if (r == OK)
		r = des_block(p + 7, magic, out + 8);
	wipe(p, sizeof(p));
	return r;
}

int ntlm_v2_hash(const uint8_t nt[NTLM_HASH], struct span user,
		 struct span domain, uint8_t out[NTLM_HASH])
{
	uint8_t u[WIDE], d[WIDE];
	struct span part[] = { { u, 0 }, { d, 0 } };
	int r = utf16_from(u, sizeof(u), &part[0].n, user, true);

	if (r == OK)
		r = utf16_from(d, sizeof(d), &part[1].n, domain, false);
	return r == OK ? digest_hmac(DIGEST_MD5, key_of(nt), part, 2, out) : r;
}

int ntlm_v1_response(const uint8_t hash[NTLM_HASH], const uint8_t challenge[8],
		     uint8_t out[NTLM_V1])
{
	uint8_t k[21] = { 0 };
	int r = OK;

	memcpy(k, hash, NTLM_HASH);
	for (size_t i = 0; r == OK && i < 3; i++)
		r = des_block(k + 7 * i, challenge, out + 8 * i);
	wipe(k, sizeof(k));
	return r;
}

int ntlm_v1_ess(const uint8_t server[8], const uint8_t client[8],
		uint8_t out[8])
{
	const struct span part[] = { { server, 8 }, { client, 8 } };
	uint8_t h[16];
	int r = digest(DIGEST_MD5, part, 2, h);

	if (r == OK)
		memcpy(out, h, 8);
	return r;
}

int ntlm_v2_proof(const uint8_t hash[NTLM_HASH], const uint8_t server[8],
		  struct span client, uint8_t out[16])
{
	const struct span part[] = { { server, 8 }, client };

	return digest_hmac(DIGEST_MD5, key_of(hash), part, 2, out);
}

int ntlm_v2_key(const uint8_t hash[NTLM_HASH], const uint8_t proof[16],
		uint8_t out[SASL_KEY])
{
	const struct span part = key_of(proof);

	return digest_hmac(DIGEST_MD5, key_of(hash), &part, 1, out);
}

int ntlm_v1_key(const uint8_t nt[NTLM_HASH], uint8_t out[SASL_KEY])
{
	const struct span part = key_of(nt);

	return digest(DIGEST_MD4, &part, 1, out);
}

int ntlm_v1_exchange_key(uint32_t flags, const uint8_t base[SASL_KEY],
			 const uint8_t lm_hash[NTLM_HASH],
			 const uint8_t lm_response[NTLM_V1],
			 const uint8_t server[8], uint8_t out[SASL_KEY])
{
	const struct span ess[] = { { server, 8 }, { lm_response, 8 } };
	uint8_t k[14];
	int r;

	if (flags & NTLM_ESS)
		return digest_hmac(DIGEST_MD5, key_of(base), ess, 2, out);
	if ((flags & NTLM_LM_KEY) == 0) {
		memcpy(out, base, SASL_KEY);
		return OK;
	}
	memset(k, 0xbd, sizeof(k));
	memcpy(k, lm_hash, 8);
	r = des_block(k, lm_response, out);
	if (r == OK)
		r = des_block(k + 7, lm_response, out + 8);
	wipe(k, sizeof(k));
	return r;
}

int ntlm_mic(const uint8_t key[SASL_KEY], struct span t1, struct span t2,
	     struct span t3, uint8_t out[16])
{
	const struct span part[] = { t1, t2, t3 };

	return digest_hmac(DIGEST_MD5, key_of(key), part, 3, out);
}

int ntlm_binding(struct span endpoint, uint8_t out[16])
{
	static const char type[] = "tls-server-end-point:";
	uint8_t head[20] = { 0 }; /* no initiator, no acceptor; a length */
	const struct span part[] = { { head, sizeof(head) },
				     span_str(type),
				     endpoint };

	put_le32(head + 16, (uint32_t)(part[1].n + endpoint.n));
	return digest(DIGEST_MD5, part, 3, out);
}

uint16_t ntlm_bits(uint32_t flags)
{
	bool reduced = (flags & (NTLM_ESS | NTLM_LM_KEY)) != 0;

	/* Without either there is no rule that shortens the key. */
	if (!reduced || ((flags & NTLM_ESS) && (flags & NTLM_128)))
		return 128;
	return flags & NTLM_56 ? 56 : 40;
}

/* MD5 of a key and words with their NUL. */
static int with_words(struct span key, const char *words, uint8_t out[16])
{
	const struct span part[] = {
		key, { (const uint8_t *)words, strlen(words) + 1 }
	};

	return digest(DIGEST_MD5, part, 2, out);
}

int ntlm_sign_key(const uint8_t key[SASL_KEY], enum ntlm_way way,
		  uint8_t out[16])
{
	return with_words(key_of(key),
			  way == NTLM_TO_SERVER
				  ? "session key to client-to-server signing "
				    "key magic constant"
				  : "session key to server-to-client signing "
				    "key magic constant",
			  out);
}

int ntlm_seal_key(uint32_t flags, const uint8_t key[SASL_KEY],
		  enum ntlm_way way, uint8_t out[16], size_t *n)
{
	static const uint8_t pad40[3] = { 0xe5, 0x38, 0xb0 };
	size_t use = ntlm_bits(flags) / 8u;

	*n = 16;
	if (flags & NTLM_ESS)
		return with_words((struct span){ key, use },
				  way == NTLM_TO_SERVER
					  ? "session key to client-to-server "
					    "sealing key magic constant"
					  : "session key to server-to-client "
					    "sealing key magic constant",
				  out);
	memcpy(out, key, use);
	if (use == 7)
		out[use++] = 0xa0;
	if (use == 5) {
		memcpy(out + use, pad40, sizeof(pad40));
		use += sizeof(pad40);
	}
	*n = use;
	return OK;
}
