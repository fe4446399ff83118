/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CRYPTO_CRYPTO_DRIVER_H
#define CRYPTO_CRYPTO_DRIVER_H

#include <psa/crypto.h>

/*
 * crypto_driver - mbedTLS asks nettle.
 *
 *	TLS, X.509 -> PSA -> this driver -> nettle (assembler)
 *	                  -> mbedTLS's own code, for what is not here
 *
 * A transparent driver of mbedTLS's PSA driver interface. Keys stay mbedTLS's;
 * the driver keeps nothing between two calls. What it computes itself:
 *
 *	ECDSA verification    P-256, P-384, P-521
 *	ECDH and public keys  the same, and X25519
 *	AES-GCM, whole        keys of 128 and 256 bits, nonce 12, tag 16
 *
 * Everything else is PSA_ERROR_NOT_SUPPORTED, and mbedTLS does it. Parameters
 * and errors are those of the interface. What handles a secret takes the same
 * time for all secrets (nettle's manual: "side-channel silent"), but for the
 * translation between octets and GMP's numbers, which can tell that the highest
 * word of a number is zero; keys of handshakes are used once. Verification has
 * no secret and takes the time it takes. AES-GCM is silent where the processor
 * has instructions for it; elsewhere it uses tables, as mbedTLS does.
 */

/* Before all others; psa_crypto_init calls it. The driver takes no memory. */
void crypto_init(void);

/*
 * The entry points, with the arguments of the interface. In all of them key is that
 * of mbedTLS in its export format: a private key as big-endian octets, as long as the
 * curve's order (X25519: 32, RFC 7748 5), a public one as 04 X Y (X25519: 32), an AES
 * key as it is. size is the room at out or secret, *n how much of it was written.
 *
 * PSA_SUCCESS; PSA_ERROR_NOT_SUPPORTED: not ours, nothing was written;
 * PSA_ERROR_BUFFER_TOO_SMALL: size; PSA_ERROR_INVALID_ARGUMENT: a key or point that
 * is none; PSA_ERROR_INVALID_SIGNATURE: it does not verify.
 */
psa_status_t crypto_export_public_key(const psa_key_attributes_t *attributes,
				      const uint8_t *key, size_t key_n,
				      uint8_t *out, size_t size, size_t *n);

psa_status_t crypto_key_agreement(const psa_key_attributes_t *attributes,
				  const uint8_t *key, size_t key_n,
				  psa_algorithm_t alg, const uint8_t *peer,
				  size_t peer_n, uint8_t *secret, size_t size,
				  size_t *n);

psa_status_t crypto_verify_hash(const psa_key_attributes_t *attributes,
				const uint8_t *key, size_t key_n,
				psa_algorithm_t alg, const uint8_t *hash,
				size_t hash_n, const uint8_t *sig,
				size_t sig_n);

psa_status_t crypto_aead_encrypt(const psa_key_attributes_t *attributes,
				 const uint8_t *key, size_t key_n,
				 psa_algorithm_t alg, const uint8_t *nonce,
				 size_t nonce_n, const uint8_t *ad, size_t ad_n,
				 const uint8_t *plain, size_t plain_n,
				 uint8_t *out, size_t size, size_t *n);

/* out is wiped when the tag is wrong. */
psa_status_t crypto_aead_decrypt(const psa_key_attributes_t *attributes,
				 const uint8_t *key, size_t key_n,
				 psa_algorithm_t alg, const uint8_t *nonce,
				 size_t nonce_n, const uint8_t *ad, size_t ad_n,
				 const uint8_t *in, size_t in_n, uint8_t *out,
				 size_t size, size_t *n);

#endif
