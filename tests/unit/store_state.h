/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_STORE_STATE_H
#define TESTS_UNIT_STORE_STATE_H

/*
 * Bodies that know who they are, and what a store is found to hold. After
 * cmocka.h.
 */
#include <stdio.h>
#include "store_fault.h"

static const uint8_t secret[SEAL_SECRET] = "a device has this";

static char said_mem[4096];
static struct text say;

/* What the store said last. */
static inline const char *said(void)
{
	(void)text_done(&say);
	return said_mem;
}

static inline struct text *listen(void)
{
	text_init(&say, said_mem, sizeof(said_mem));
	return &say;
}

/* --- bodies: the number is in the text, the length differs -------------------- */
static inline struct span body(unsigned id)
{
	static char text[256];
	size_t n = 8 + id * 37 % 100;

	memset(text, 'a' + (int)(id % 26), sizeof(text));
	snprintf(text, 8, "%07u", id % 10000000);
	return (struct span){ (uint8_t *)text, n };
}

/* Which one is it? All of it must be as it was. */
static inline int id_of(const char *text, size_t n)
{
	int id = n >= 8 ? atoi(text) : -1;
	struct span want = body((unsigned)id);

	assert_true(span_eq(want, (struct span){ (const uint8_t *)text, n }));
	assert_int_equal(text[n], '\0');
	return id;
}

/* --- what is in the store ----------------------------------------------------- */
struct state {
	int conf, rescue, password; /* 0: none; negative: an error */
	unsigned older;		    /* how many more can be loaded by number */
	int keys, learned;
};

static inline int open_store(struct store *s, struct flash *f, bool own)
{
	return store_open(s, &flash_ops, f, own ? NULL : secret, NULL,
			  listen());
}

static inline int take(int r, char *text, size_t n)
{
	int id = r == 1 ? id_of(text, n) : r;

	free(text);
	return id;
}

static inline unsigned history(struct store *s)
{
	struct store_info list[STORE_LIST_MAX], info;
	unsigned good = 0;
	size_t n, len;
	char *text;

	assert_int_equal(store_list(s, list, &n, NULL), OK);
	for (size_t i = 0; i < n; i++)
		if (store_load_number(s, list[i].number, &text, &len, &info,
				      NULL) == 1) {
			id_of(text, len);
			free(text);
			good++;
		}
	return good > 0 ? good - 1 : 0;
}

static inline struct state look(struct store *s, bool with_history)
{
	struct store_info info;
	struct state st = { 0 };
	char *text;
	size_t n;
	int r = store_load(s, &text, &n, &info, listen());

	st.conf = take(r, text, n);
	r = store_rescue_load(s, &text, &n, &info, listen());
	st.rescue = take(r, text, n);
	r = store_password_load(s, &text, &n, &info, listen());
	st.password = take(r, text, n);
	r = store_keys_load(s, &text, &n, &info, listen());
	st.keys = take(r, text, n);
	r = store_learned_load(s, &text, &n, &info, listen());
	st.learned = take(r, text, n);
	if (with_history)
		st.older = history(s);
	return st;
}

static inline struct state observe(struct flash *f, bool own, bool with_history)
{
	struct store s;
	struct state st;

	assert_int_equal(open_store(&s, f, own), OK);
	st = look(&s, with_history);
	store_close(&s);
	return st;
}

static inline int save(struct store *s, unsigned id)
{
	uint32_t number;

	return store_save(s, body(id), "a test", 1700000000 + id, &number,
			  listen());
}

static inline void save_all(struct flash *f, bool own, unsigned from,
			    unsigned to)
{
	struct store s;

	assert_int_equal(open_store(&s, f, own), OK);
	for (unsigned id = from; id <= to; id++)
		assert_int_equal(save(&s, id), OK);
	store_close(&s);
}

#endif
