/* SPDX-License-Identifier: BSD-2-Clause */
/* Any octets as a table of secrets: refused, or every part of it lies within. */
#include <stdlib.h>
#include "base/bug.h"
#include "secret/secret_table.h"

static void within(struct span part, struct span whole)
{
	BUG_ON(part.p < whole.p || part.n > whole.n ||
	       part.p + part.n > whole.p + whole.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span blob = { data, n };
	struct secret_account a;
	struct secret_table t;
	struct secret_key k;

	if (secret_table_open(&t, blob) != OK)
		return 0;
	for (uint32_t i = 0; i < t.accounts_n; i++) {
		secret_table_account(&t, i, &a);
		within(a.name, blob);
		within(a.nt_domain, blob);
		within(a.user, blob);
		within(a.password, blob);
		within(a.sealed, blob);
		BUG_ON(!secret_table_find_account(&t, a.name, &a));
	}
	for (uint32_t i = 0; i < t.keys_n; i++) {
		secret_table_key(&t, i, &k);
		within(k.key, blob);
		within(k.chain, blob);
		BUG_ON(!secret_table_find_key(&t, k.name, &k));
	}
	return 0;
}
