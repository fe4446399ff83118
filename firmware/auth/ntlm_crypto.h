/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef AUTH_NTLM_CRYPTO_H
#define AUTH_NTLM_CRYPTO_H

#include "auth/sasl.h"

/*
 * ntlm_crypto - the functions of MS-NLMP 3.3 and 3.4, each under its name there.
 * Names and passwords are UTF-8 here and become UTF-16 inside (without a NUL or a
 * length). Nothing is kept; what an `out` holds is the caller's to wipe.
 *
 * Errors of all that return int: E_FULL, there is no memory for a digest or cipher.
 * Of ntlm_nt_hash and ntlm_v2_hash also: E_FULL, a name or password is longer than
 * SASL_NAME_MAX characters of UTF-16; E_PEER_SYNTAX, it is not UTF-8. On an error out
 * means nothing.
 */
enum {
	NTLM_HASH = 16, /* octets of a hash of a password */
	NTLM_V1 = 24,	/* of a response of NTLMv1 or LM */
};

/* NTOWFv1 (3.3.1): MD4 of the password. */
MUST_CHECK int ntlm_nt_hash(struct span password, uint8_t out[NTLM_HASH]);

/* LMOWFv1 (3.3.1): DES of a constant under the password in capitals, 14 of ASCII at
 * most. E_CONF: this password is longer or not ASCII, so it has no LM hash. */
MUST_CHECK int ntlm_lm_hash(struct span password, uint8_t out[NTLM_HASH]);

/* NTOWFv2 (3.3.2): HMAC-MD5, under nt, of user in capitals and domain as it is: both
 * as the client sends them. */
MUST_CHECK int ntlm_v2_hash(const uint8_t nt[NTLM_HASH], struct span user,
			    struct span domain, uint8_t out[NTLM_HASH]);

/* DESL (6): the response of NTLMv1 and LM to a challenge. */
MUST_CHECK int ntlm_v1_response(const uint8_t hash[NTLM_HASH],
				const uint8_t challenge[8],
				uint8_t out[NTLM_V1]);

/* The challenge that NTLMv1 answers when both know extended session security:
 * MD5 of both challenges. */
MUST_CHECK int ntlm_v1_ess(const uint8_t server[8], const uint8_t client[8],
			   uint8_t out[8]);

/* HMAC_MD5(hash, server challenge and what the client adds), 3.3.2: NTProofStr, and
 * the first 16 octets of the LM response of NTLMv2. */
MUST_CHECK int ntlm_v2_proof(const uint8_t hash[NTLM_HASH],
			     const uint8_t server[8], struct span client,
			     uint8_t out[16]);

/* SessionBaseKey (3.3.1, 3.3.2): of NTLMv2 HMAC-MD5 of its proof under the hash of
 * ntlm_v2_hash; of NTLMv1 MD4 of the hash of ntlm_nt_hash. */
MUST_CHECK int ntlm_v2_key(const uint8_t hash[NTLM_HASH],
			   const uint8_t proof[16], uint8_t out[SASL_KEY]);
MUST_CHECK int ntlm_v1_key(const uint8_t nt[NTLM_HASH], uint8_t out[SASL_KEY]);

/* KXKEY (3.4.5.1) of NTLMv1; with NTLMv2 it is the session base key. lm_hash is
 * used with NTLM_LM_KEY alone, server with NTLM_ESS alone: then the first 8 octets of
 * lm_response are the client's challenge. */
MUST_CHECK int ntlm_v1_exchange_key(uint32_t flags,
				    const uint8_t base[SASL_KEY],
				    const uint8_t lm_hash[NTLM_HASH],
				    const uint8_t lm_response[NTLM_V1],
				    const uint8_t server[8],
				    uint8_t out[SASL_KEY]);

/* The MIC (3.1.5.1.2): HMAC-MD5 of the three messages under the exported session
 * key; t3 with zeros where the MIC stands. */
MUST_CHECK int ntlm_mic(const uint8_t key[SASL_KEY], struct span t1,
			struct span t2, struct span t3, uint8_t out[16]);

/* MsvAvChannelBindings for a certificate's hash: MD5 of the GSS structure (RFC
 * 2744 3.11) that carries "tls-server-end-point:" and the hash. */
MUST_CHECK int ntlm_binding(struct span endpoint, uint8_t out[16]);

/* How many bits of the key the seal will use with these flags: 40, 56 or 128 (3.4.5.3). */
uint16_t ntlm_bits(uint32_t flags);

enum ntlm_way { NTLM_TO_SERVER, NTLM_TO_CLIENT };

/* SIGNKEY and SEALKEY (3.4.5.2, 3.4.5.3). *n: octets of the key, up to 16.
 * Without extended session security there is no signing key and one sealing
 * key for both ways. */
MUST_CHECK int ntlm_sign_key(const uint8_t key[SASL_KEY], enum ntlm_way way,
			     uint8_t out[16]);
MUST_CHECK int ntlm_seal_key(uint32_t flags, const uint8_t key[SASL_KEY],
			     enum ntlm_way way, uint8_t out[16], size_t *n);

#endif
