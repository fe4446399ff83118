/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mbedTLS 3.6, as much of it as a mail gateway needs and no more. What is not
 * named here is off: no renegotiation, no tickets, no session cache, no static
 * RSA, no PSK, no finite-field DH, no CBC, no DTLS, no early data.
 */

#include <stddef.h>

void *crypto_calloc(size_t n, size_t size);
void crypto_free(void *p);

/* --- platform ------------------------------------------------------------ */
#define MBEDTLS_HAVE_ASM
#define MBEDTLS_HAVE_TIME
#define MBEDTLS_HAVE_TIME_DATE /* validity, against max(clock, floor) */
#define MBEDTLS_PLATFORM_C
/* crypto/crypto_memory.c: idle sessions are small */
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_PLATFORM_CALLOC_MACRO crypto_calloc
#define MBEDTLS_PLATFORM_FREE_MACRO   crypto_free
#define MBEDTLS_PLATFORM_TIME_ALT     /* tls/tls_trust.c puts the floor in */
#define MBEDTLS_ERROR_C
#define MBEDTLS_SELF_TEST /* relay proves itself at every start */

/* --- ciphers and hashes -------------------------------------------------- */
#define MBEDTLS_AES_C
#define MBEDTLS_AESNI_C
#define MBEDTLS_AESCE_C
#define MBEDTLS_GCM_C
#define MBEDTLS_GCM_LARGE_TABLE
#define MBEDTLS_CHACHA20_C
#define MBEDTLS_POLY1305_C
#define MBEDTLS_CHACHAPOLY_C
#define MBEDTLS_CIPHER_C
#define MBEDTLS_MD_C
#define MBEDTLS_SHA224_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA384_C
#define MBEDTLS_SHA512_C
#define MBEDTLS_SHA1_C
#define MBEDTLS_MD5_C /* MD5, SHA-1, DES: auth/ alone; no suite has them */
#define MBEDTLS_DES_C
#define MBEDTLS_HKDF_C

/* --- public keys --------------------------------------------------------- */
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_DP_SECP384R1_ENABLED
#define MBEDTLS_ECP_DP_SECP521R1_ENABLED
#define MBEDTLS_ECP_DP_CURVE25519_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECP_WINDOW_SIZE	      6
#define MBEDTLS_ECP_FIXED_POINT_OPTIM 1
#define MBEDTLS_ECDH_C
#define MBEDTLS_ECDSA_C
#define MBEDTLS_ECDSA_DETERMINISTIC
#define MBEDTLS_HMAC_DRBG_C
#define MBEDTLS_RSA_C
#define MBEDTLS_PKCS1_V15
#define MBEDTLS_PKCS1_V21
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C
#define MBEDTLS_OID_C
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_BASE64_C
#define MBEDTLS_PEM_PARSE_C
/* Making keys and requests: pki/ alone, which is linked to keys alone. */
#define MBEDTLS_GENPRIME
#define MBEDTLS_PK_WRITE_C
#define MBEDTLS_PEM_WRITE_C
#define MBEDTLS_X509_CREATE_C
#define MBEDTLS_X509_CSR_WRITE_C

/* --- randomness: one generator, seeded by getrandom ----------------------- */
#define MBEDTLS_CTR_DRBG_C
#define MBEDTLS_ENTROPY_C

/* --- PSA, which TLS 1.3 is written on ------------------------------------- */
#define MBEDTLS_PSA_CRYPTO_C
#define MBEDTLS_USE_PSA_CRYPTO
/* Every session holds two keys and a handshake some more. The fixed store has
 * room for 32 keys: for 16 sessions, and then handshakes fail. */
#define MBEDTLS_PSA_KEY_STORE_DYNAMIC
/* Caller and library are one program, so nobody changes a buffer meanwhile:
 * without this every record is copied twice, in buffers of 16 KiB. Records are
 * sealed and opened in place, which GCM and ChaCha20-Poly1305 allow. */
#define MBEDTLS_PSA_ASSUME_EXCLUSIVE_BUFFERS
/* Curves and AES-GCM of nettle: firmware/crypto/crypto_driver.h */
#define PSA_CRYPTO_ACCELERATOR_DRIVER_PRESENT

/* --- X.509 ---------------------------------------------------------------- */
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C
#define MBEDTLS_X509_RSASSA_PSS_SUPPORT

/* --- TLS 1.2 and 1.3, both roles ------------------------------------------ */
#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_CLI_C
#define MBEDTLS_SSL_SRV_C
#define MBEDTLS_SSL_PROTO_TLS1_2
#define MBEDTLS_SSL_PROTO_TLS1_3
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ENABLED
#define MBEDTLS_SSL_TLS1_3_COMPATIBILITY_MODE
#define MBEDTLS_KEY_EXCHANGE_ECDHE_RSA_ENABLED
#define MBEDTLS_KEY_EXCHANGE_ECDHE_ECDSA_ENABLED
#define MBEDTLS_SSL_EXTENDED_MASTER_SECRET
#define MBEDTLS_SSL_KEEP_PEER_CERTIFICATE
#define MBEDTLS_SSL_KEYING_MATERIAL_EXPORT /* channel binding: RFC 9266 */
#define MBEDTLS_SSL_SERVER_NAME_INDICATION
#define MBEDTLS_SSL_ASYNC_PRIVATE /* the private keys are in another program */
#define MBEDTLS_SSL_ALPN
#define MBEDTLS_SSL_ALL_ALERT_MESSAGES

/* A record is at most 16 KiB either way. An outgoing one is never larger than
 * this, which is most of the memory of a session. */
#define MBEDTLS_SSL_IN_CONTENT_LEN  16384
#define MBEDTLS_SSL_OUT_CONTENT_LEN 16384
