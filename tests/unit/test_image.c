/* SPDX-License-Identifier: BSD-2-Clause */
/* An image is believed as a whole, from the right owner, for this box; with any
 * octet altered, missing or added it is not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "image_file.h"
#include "packet.h"

static struct file F;
static const char *why;

static int believe(struct span file, struct span key)
{
	struct image m;
	int r;

	why = "";
	r = image_parse(&m, pk_guard(file), &why);
	return r == OK ? image_verify(&m, key, NULL, &why) : r;
}

static void a_good_image_says_what_it_is(void **state)
{
	struct image m;

	(void)state;
	file_make(&F, (struct file_want){ .schema = 7 });
	assert_int_equal(image_parse(&m, file_span(&F), &why), OK);
	assert_int_equal(image_verify(&m, file_public(file_key()), NULL, &why),
			 OK);
	assert_string_equal(m.board, "qemu");
	assert_string_equal(m.version, "1.2.3");
	assert_int_equal(m.schema, 7);
	assert_int_equal(m.made_s, 1700000000);
	assert_int_equal(m.fit.n, 1000);
	assert_int_equal(image_size(file_span(&F)), F.n);
}

static void any_altered_octet_is_refused(void **state)
{
	struct span key = file_public(file_key());

	(void)state;
	file_make(&F, (struct file_want){ .fit_n = 300 });
	for (size_t at = 0; at < F.n; at++) {
		F.p[at] ^= (uint8_t)(1 << at % 8);
		if (believe(file_span(&F), key) != E_CORRUPT)
			fail_msg("octet %zu does not count", at);
		assert_string_not_equal(why, "");
		F.p[at] ^= (uint8_t)(1 << at % 8);
	}
	assert_int_equal(believe(file_span(&F), key), OK);
}

static void any_cut_and_any_more_is_refused(void **state)
{
	struct span key = file_public(file_key());

	(void)state;
	file_make(&F, (struct file_want){ .fit_n = 300 });
	for (size_t n = 0; n < F.n; n++)
		assert_int_equal(believe((struct span){ F.p, n }, key),
				 E_CORRUPT);
	for (size_t n = F.n + 1; n < F.n + 1100; n++)
		assert_int_equal(believe((struct span){ F.p, n }, key),
				 E_CORRUPT);
	/* a second trailer behind it, or a FIT without one */
	memcpy(F.p + F.n, F.p + F.n - IMAGE_TRAILER, IMAGE_TRAILER);
	assert_int_equal(
		believe((struct span){ F.p, F.n + IMAGE_TRAILER }, key),
		E_CORRUPT);
}

static void another_key_is_refused(void **state)
{
	EVP_PKEY *other = EVP_RSA_gen(2048), *ec = EVP_EC_gen("P-256"),
		 *small = EVP_RSA_gen(1024);
	EVP_PKEY *large = EVP_RSA_gen(4096);

	(void)state;
	file_make(&F, (struct file_want){ 0 });
	assert_int_equal(believe(file_span(&F), file_public(other)), E_CORRUPT);
	assert_non_null(strstr(why, "not signed"));
	assert_int_equal(believe(file_span(&F), file_public(ec)), E_CORRUPT);
	assert_non_null(strstr(why, "cannot be read"));
	assert_int_equal(believe(file_span(&F), (struct span){ F.p, 90 }),
			 E_CORRUPT);
	assert_int_equal(believe(file_span(&F), (struct span){ NULL, 0 }),
			 E_CORRUPT);
	file_sign(&F, large);
	assert_int_equal(believe(file_span(&F), file_public(large)), OK);
	/* too short a key is refused even if it is ours */
	assert_int_equal(believe(file_span(&F), file_public(small)), E_CORRUPT);
	EVP_PKEY_free(other);
	EVP_PKEY_free(ec);
	EVP_PKEY_free(small);
	EVP_PKEY_free(large);
}

/* Signed, and still not what a trailer may be. */
static void signed_nonsense_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t octet;
	} bad[] = {
		{ 0, 'S' },   { 8, 2 },	    { 12, 0 },	 { 24, 0 },
		{ 24, 0x1b }, { 25, ' ' },  { 30, 'x' }, { 55, 'x' },
		{ 56, 0 },    { 57, 0x7f }, { 87, 'x' }, { 124, 1 },
		{ 255, 1 },   { 767, 1 },   { 1023, 1 }, { 60, 0x80 },
	};
	struct span key = file_public(file_key());

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		file_make(&F, (struct file_want){ 0 });
		F.p[F.n - IMAGE_TRAILER + bad[i].at] = bad[i].octet;
		if (bad[i].at < IMAGE_SIGNED)
			file_sign(&F, file_key());
		if (believe(file_span(&F), key) != E_CORRUPT)
			fail_msg("octet %zu", bad[i].at);
	}
}

static void a_slot_knows_where_its_image_ends(void **state)
{
	static const uint8_t blank[8] = {
		255, 255, 255, 255, 255, 255, 255, 255
	};
	uint8_t head[8] = { 0xd0, 0x0d, 0xfe, 0xed, 0xff, 0xff, 0xff, 0xff };

	(void)state;
	assert_int_equal(image_size((struct span){ blank, 8 }), 0);
	assert_int_equal(image_size((struct span){ head, 8 }), 0);
	put_be32(head + 4, 7);
	assert_int_equal(image_size((struct span){ head, 8 }), 0);
	put_be32(head + 4, IMAGE_MAX - IMAGE_TRAILER);
	assert_int_equal(image_size((struct span){ head, 8 }), IMAGE_MAX);
	put_be32(head + 4, IMAGE_MAX - IMAGE_TRAILER + 1);
	assert_int_equal(image_size((struct span){ head, 8 }), 0);
	assert_int_equal(image_size((struct span){ head, 7 }), 0);
}

static void versions_have_an_order(void **state)
{
	static const char *const order[] = {
		"0.0.1",
		"0.0.2",
		"0.1.0",
		"0.1.0-1",
		"0.1.0-2-gdeadbee",
		"0.1.0-10",
		"0.1.1",
		"0.2.0",
		"0.10.0",
		"1.0.0-dirty",
		"1.0.0-3-gab12-dirty",
		"999999999.0.0",
	};
	static const char *const not [] = {
		"",
		"1",
		"1.2",
		"1.2.",
		"1.2.3.4",
		"v1.2.3",
		"1.2.3-",
		"1.2.3-g1",
		"1.2.3-1-g",
		"1.2.3 ",
		"1..3",
		"-1.2.3",
		"1.2.3-1-x",
		"1.2.3-dirtyx",
		"1234567890.0.0",
	};
	int n = sizeof(order) / sizeof(order[0]), r;

	(void)state;
	for (int i = 0; i < n; i++)
		for (int k = 0; k < n; k++) {
			assert_int_equal(
				image_version_compare(span_str(order[i]),
						      span_str(order[k]), &r),
				OK);
			assert_int_equal(r < 0, i < k);
			assert_int_equal(r > 0, i > k);
		}
	for (size_t i = 0; i < sizeof(not ) / sizeof(not [0]); i++)
		assert_int_equal(
			image_version_compare(pk_guard(span_str(not [i])),
					      SPAN_LIT("1.2.3"), &r),
			E_CONF);
	assert_int_equal(image_version_compare(SPAN_LIT("1.2.3-4-gaaa"),
					       SPAN_LIT("1.2.3-4-gbbb-dirty"),
					       &r),
			 OK);
	assert_int_equal(r, 0);
}

static int judge(struct file_want w, const struct image_rules *r, char *text)
{
	struct image m;
	struct text t;

	file_make(&F, w);
	assert_int_equal(image_parse(&m, file_span(&F), &why), OK);
	text_init(&t, text, 200);
	return image_judge(&m, r, &t);
}

static void only_what_fits_this_box_is_let_in(void **state)
{
	struct image_rules r = { "qemu", "1.2.3", 1, 4096, false };
	struct file_want same = { 0 }, older = { .version = "1.2.2" },
			 other = { .board = "qem" }, odd = { .version = "new" },
			 large = { .fit_n = 4096 },
			 newer = { .version = "2.0.0" };
	char text[200];

	(void)state;
	assert_int_equal(judge(same, &r, text), OK);
	assert_string_equal(text, "");
	assert_int_equal(judge(newer, &r, text), OK);
	assert_int_equal(judge(older, &r, text), E_CONF);
	assert_non_null(
		strstr(text, "1.2.2 is older than the one in use, 1.2.3"));
	assert_int_equal(judge(odd, &r, text), E_CONF);
	assert_int_equal(judge(other, &r, text), E_CONF);
	assert_non_null(strstr(text, "for the board qem, this is qemu"));
	assert_int_equal(judge(large, &r, text), E_CONF);
	r.schema = 2;
	assert_int_equal(judge(newer, &r, text), E_CONF);
	assert_non_null(strstr(text, "cannot read the configuration"));
	r.downgrade = true;
	assert_int_equal(judge(newer, &r, text), OK);
	assert_int_equal(judge(older, &r, text), OK);
	assert_int_equal(judge(odd, &r, text), OK);
	/* meant or not, it could not start */
	assert_int_equal(judge(other, &r, text), E_CONF);
	assert_int_equal(judge(large, &r, text), E_CONF);
	r.room = 4096 + IMAGE_TRAILER;
	assert_int_equal(judge(large, &r, text), OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_image_says_what_it_is),
		cmocka_unit_test(any_altered_octet_is_refused),
		cmocka_unit_test(any_cut_and_any_more_is_refused),
		cmocka_unit_test(another_key_is_refused),
		cmocka_unit_test(signed_nonsense_is_refused),
		cmocka_unit_test(a_slot_knows_where_its_image_ends),
		cmocka_unit_test(versions_have_an_order),
		cmocka_unit_test(only_what_fits_this_box_is_let_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
