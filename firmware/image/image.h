/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include "base/err.h"
#include "base/text.h"

/*
 * image - a file that may become the firmware: sealwire-VERSION-BOARD.itb. What
 * U-Boot boots (a FIT, whose own signature U-Boot checks at every start), and a
 * trailer behind it that says to the firmware what it is for. The file is
 * believed as a whole or not at all, in memory, before any flash is written.
 *
 * The trailer, little-endian, IMAGE_TRAILER octets, directly behind the FIT:
 *
 *	  0   8  "sealwire"
 *	  8   2  format of this trailer: 1
 *	 10   2  highest schema of configurations that it reads (store/store.h)
 *	 12   4  length of the FIT
 *	 16   8  when it was made, seconds since 1970
 *	 24  32  board, printable ASCII, padded with zeros
 *	 56  32  version, the same
 *	 88  32  SHA-256 of the FIT
 *	120   4  length of the signature
 *	124 132  zeros
 *	256 512  RSA PKCS #1 v1.5 signature with SHA-256 of 0..255, then zeros
 *	768 256  zeros: what XMODEM fills up with is never part of it
 *
 * The length of the FIT is also in its own header, big-endian at octet 4: so the
 * trailer is found in a slot of the flash, where more octets follow.
 */
enum {
	IMAGE_TRAILER = 1024,
	IMAGE_SIGNED = 256, /* as much of it as is signed */
	IMAGE_WORD = 32,    /* a board or version, with its NUL */
	IMAGE_MAX = 64 << 20,
	IMAGE_FIT_HEAD = 8, /* so much of a FIT says how long it is */
};

struct image {
	struct span fit;
	uint32_t schema;
	uint64_t made_s;
	char board[IMAGE_WORD], version[IMAGE_WORD];
	/* for image_verify */
	struct span signed_part, signature;
	uint8_t sha256[32];
};

/* How long the file is whose first IMAGE_FIT_HEAD octets are in head, with the
 * trailer. 0: no FIT begins so. */
size_t image_size(struct span head);

/*
 * Take the file apart. m borrows from it. Nothing of m is true before
 * image_verify.
 *
 * E_CORRUPT: *why says, for a person, what is wrong. It is a constant.
 */
MUST_CHECK int image_parse(struct image *m, struct span file, const char **why);

/* The same of a trailer alone (IMAGE_TRAILER octets) behind a FIT of fit_n
 * octets: to show what is in a slot. m->fit has no octets to verify. */
MUST_CHECK int image_parse_trailer(struct image *m, const uint8_t *trailer,
				   size_t fit_n, const char **why);

/* Is it from the owner of key (SubjectPublicKeyInfo in DER), whole and
 * unchanged? alive is called between pieces of the work; may be NULL. E_CORRUPT
 * and *why as above. */
MUST_CHECK int image_verify(const struct image *m, struct span key,
			    void (*alive)(void), const char **why);

/* What the box is that may take an image. */
struct image_rules {
	const char *board, *version; /* of what runs */
	uint32_t schema;	     /* of the configuration in use */
	size_t room;		     /* of a slot */
	bool downgrade;		     /* somebody has said that he means it */
};

/*
 * May a verified image be installed here? E_CONF: why says, for a person, what
 * is against it, in a line that ends in a newline.
 */
MUST_CHECK int image_judge(const struct image *m, const struct image_rules *r,
			   struct text *why);

/*
 * Which of two versions is newer: *order < 0: a is older. A version is
 * MAJOR.MINOR.PATCH, or behind it -N or -N-gHASH for N commits later, and -dirty
 * for what nobody can know; neither hash nor dirty is compared. E_CONF: one of
 * them is not a version.
 */
MUST_CHECK int image_version_compare(struct span a, struct span b, int *order);

#endif
