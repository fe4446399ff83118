/* SPDX-License-Identifier: BSD-2-Clause */
/* Any segments: rows of a screen, of printable ASCII, with the bar in its column. */
#include "base/bug.h"
#include "packet.h"
#include "proto/watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static char row[WATCH_ROWS][WATCH_ROW];
	struct watch_view v = { .tls = false };
	size_t at = 0;

	while (at + 2 < n) {
		size_t len = p[at + 1] < n - at - 2 ? p[at + 1] : n - at - 2;
		struct span data = pk_guard((struct span){ p + at + 2, len });
		unsigned rows = watch_show(&v, p[at] & 1 ? OUTSIDE : INSIDE,
					   p[at] & 2, data, row);

		BUG_ON(rows > WATCH_ROWS || (rows == 0) != (len == 0));
		for (unsigned i = 0; i < rows; i++) {
			size_t m = strnlen(row[i], WATCH_ROW);

			BUG_ON(m == WATCH_ROW || m < 38);
			BUG_ON(row[i][37] != '|' && row[i][37] != '+');
			for (size_t k = 0; k < m; k++)
				BUG_ON(row[i][k] < 32 || row[i][k] > 126);
		}
		(void)watch_names(data, SPAN_LIT("b.example"));
		at += 2 + len;
	}
	return 0;
}
