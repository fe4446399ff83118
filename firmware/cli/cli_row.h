/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLI_CLI_ROW_H
#define CLI_CLI_ROW_H

#include "cli/cli_edit.h"

/* cli_row - inside of cli_edit: what the row should be, and the way there. */

/* The row of e's line; scrolls e->left so that the cursor can be seen. */
void cli_row_make(struct cli_edit *e, struct cli_row *row);

/* Octets that make row `now`, in which the cursor is, into `want`. */
void cli_row_change(const struct cli_row *now, const struct cli_row *want,
		    struct text *out);

#endif
