/* SPDX-License-Identifier: BSD-2-Clause */
/* flashd_show - see flashd.h. */
#include "proc/flashd/flashd.h"

static void put(const char *s)
{
	text_str(&F.answer, s);
}

static const char *mode_name(enum slot_mode m)
{
	switch (m) {
	case SLOT_STEADY: return "confirmed";
	case SLOT_PLANNED: return "confirmed; the other slot starts next";
	case SLOT_TRIAL: return "on trial";
	case SLOT_FELL_BACK: return "the other slot did not start";
	}
	return "?";
}

static void slot(enum slot s)
{
	struct image m;

	put("slot ");
	put(slot_name(s));
	put("    ");
	if (install_look(&F.install, s, &m, F.room) != OK) {
		put(F.install.why);
		put("\n");
		return;
	}
	put(m.version);
	put(" for ");
	put(m.board);
	put(", made ");
	text_time(&F.answer, m.made_s);
	put(", ");
	text_u64(&F.answer, m.fit.n + IMAGE_TRAILER);
	put(" octets\n");
}

void flashd_show_slots(void)
{
	struct slot_plan p = slot_plan(&F.install.env);
	enum slot_mode mode = slot_mode(&p, F.runs);

	put("running   slot ");
	put(slot_name(F.runs));
	put(", version " CONFIG_VERSION ", ");
	put(mode_name(mode));
	put("\n");
	for (enum slot s = SLOT_A; s < SLOTS; s++)
		slot(s);
	put("starts    slot ");
	put(slot_name(p.first));
	if (p.trial) {
		put(", on trial, ");
		text_u64(&F.answer, p.boots);
		put(" of ");
		text_u64(&F.answer, SLOT_BOOTS);
		put(" starts used");
	}
	put("\n");
}

void flashd_show_crashes(void)
{
	struct crash_log_entry list[CRASH_LOG_BLOCKS];
	size_t n = crash_log_list(&flashd_ops, NULL, F.room, list);

	if (n == 0)
		put("nothing is recorded\n");
	for (size_t i = 0; i < n; i++) {
		struct span s = { F.room, list[i].n };

		put("=== ");
		text_u64(&F.answer, list[i].number);
		put(", recorded ");
		text_time(&F.answer, list[i].time_s);
		put("\n");
		if (crash_log_read(&flashd_ops, NULL, &list[i], F.room) != OK)
			continue;
		while (s.n > 0) {
			const uint8_t *lf = memchr(s.p, '\n', s.n);
			size_t k = lf ? (size_t)(lf - s.p) : s.n;

			text_clean(&F.answer, (struct span){ s.p, k });
			put("\n");
			s = span_skip(s, k + (lf ? 1u : 0u));
		}
	}
}
