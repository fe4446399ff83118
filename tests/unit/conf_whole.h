/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_CONF_WHOLE_H
#define TESTS_UNIT_CONF_WHOLE_H

#include "conf/conf.h"

/* All pieces that conf.h prints a configuration in, one behind the other. */
static inline int conf_print(const struct policy *p,
			     const struct secret_table *s, struct text *out)
{
	int r = conf_print_settings(p, s, out);

	for (uint32_t i = 0; r == OK && i <= p->rules_n; i++)
		r = conf_print_line(p, i, out);
	return r;
}

#endif
