/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * confd_learn - what domains were seen to have, of all relays together, and in flash.
 *
 *	relay --LEARNED--> here --LEARNED_ALL, once a second--> all relays
 *	                    |
 *	                    +--> store
 *
 * Flash wears: news is written five seconds after it came, so that much of it is one
 * write, and then not again within the hour; dates alone wait for a day. That makes
 * 90000 writes in ten years if every hour has news, of 100 octets for a domain with
 * two keys: DESIGN.md, "What was learned".
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "base/domain.h"
#include "policy/learned.h"
#include "proc/confd/confd.h"

enum {
	WAIT_MS = 5000,
	NEWS_MS = 3600000,
	DATES_MS = 86400000,
	SHARE_MS = 1000,
	DAY_S = 86400,
	NAME_WIDTH = 32,
	ROW_MAX = POLICY_DOMAIN_MAX + 80,
};

static const char no_memory[] = "there is not enough memory\n";

static struct {
	struct learned *l;
	enum learned_news due;	    /* flash does not have it */
	uint64_t due_ms, saved_ms;  /* since when; 0: not since the start */
	uint64_t start_ms, news_ms; /* news_ms: the relays were told last */
	bool news;		    /* they were not told yet */
	bool full;		    /* and that was said */
} L;

static int say(int error, const char *why)
{
	text_str(&C.report, why);
	return error;
}

/* --- flash -------------------------------------------------------------------------- */
/* All of it as octets behind their format; the caller frees it. NULL: no memory. */
static uint8_t *packed(size_t *n)
{
	size_t size = 1 + (learned_n(L.l) + 1) * LEARNED_RECORD_MAX, at = 0;
	uint8_t *mem = malloc(size);

	if (!mem)
		return NULL;
	mem[0] = LEARNED_FORMAT;
	*n = 1 + learned_write(L.l, &at, false, mem + 1, size - 1);
	return mem;
}

static int save_now(void)
{
	size_t n = 0;
	uint8_t *mem = packed(&n);
	int r = E_FULL;

	text_init(&C.report, C.report_mem, sizeof(C.report_mem));
	if (mem)
		r = confd_store_learned_save((struct span){ mem, n });
	else
		text_str(&C.report, no_memory);
	free(mem);
	if (r == OK)
		L.due = LEARNED_NOTHING;
	return r;
}

static void note(enum learned_news news)
{
	if (news != LEARNED_DATE && news != LEARNED_FACT)
		return;
	if (L.due == LEARNED_NOTHING)
		L.due_ms = now_ms();
	if (news > L.due)
		L.due = news;
}

static bool is_due(uint64_t now)
{
	uint64_t last = L.saved_ms != 0 ? L.saved_ms : L.start_ms;

	if (L.due == LEARNED_NOTHING || now < L.due_ms + WAIT_MS)
		return false;
	if (L.due == LEARNED_DATE)
		return now >= last + DATES_MS;
	return L.saved_ms == 0 || now >= L.saved_ms + NEWS_MS;
}

static void load(void)
{
	enum learned_news news;
	char *mem = NULL;
	size_t n = 0;
	int r = confd_store_learned_load(&mem, &n);

	if (r == OK &&
	    (n == 0 || mem[0] != LEARNED_FORMAT ||
	     learned_read(L.l, (struct span){ (uint8_t *)mem + 1, n - 1 },
			  &news) != OK))
		r = E_CORRUPT;
	free(mem);
	if (r != OK && r != E_AGAIN)
		program_log(&C.prog, SEV_ALARM,
			    "event=learned-lost error=%s why=\"nothing is "
			    "known of what domains had: it is learned anew\"",
			    err_name(r));
}

void confd_learn_start(void)
{
	uint8_t key[16];

	L.l = malloc(learned_size());
	if (!L.l || getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key))
		program_die(&C.prog, "no memory, or no randomness");
	L.l = learned_init(L.l, key);
	L.start_ms = now_ms();
	load();
}

/* --- relays ------------------------------------------------------------------------- */
void confd_learn_give(struct peer *p)
{
	struct ipc_msg m = { .type = IPC_LEARNED_ALL, .fd_n = 1 };
	uint8_t *mem;
	size_t n;

	if (p->role != ROLE_RELAY || p->watch.fd < 0 || learned_n(L.l) == 0)
		return;
	mem = packed(&n);
	m.fd[0] = mem ? confd_sealed_fd("learned",
					(struct span){ mem + 1, n - 1 })
		      : -1;
	free(mem);
	if (m.fd[0] < 0 ||
	    ipc_send(p->watch.fd, ROLE_CONFD, ROLE_RELAY, &m) != OK)
		program_log(&C.prog, SEV_WARNING,
			    "event=learned-not-shared index=%u", p->index);
	if (m.fd[0] >= 0)
		close(m.fd[0]);
}

/* A relay that does not hear it would go on asking for TLS: it begins anew. */
static void tell_forgotten(struct span domain)
{
	struct ipc_msg m = { .type = IPC_FORGET, .octets = domain };

	for (size_t i = 0; i < CONFD_PEERS; i++) {
		struct peer *p = &C.peer[i];

		if (p->role == ROLE_RELAY && p->watch.fd >= 0 &&
		    ipc_send(p->watch.fd, ROLE_CONFD, ROLE_RELAY, &m) != OK)
			confd_hang_up(p);
	}
}

static struct span name_of(const struct learned_domain *d)
{
	return (struct span){ (const uint8_t *)d->name, d->name_n };
}

/* Who gives way first: a domain that no rule learns any more, then one without a line
 * for it or one above it; of these the one not seen for longest. */
static unsigned worth(const struct policy *p, const struct learned_domain *d)
{
	struct policy_rule r;

	if (p->blob.n == 0 || policy_lookup(p, name_of(d), &r) != OK ||
	    !r.learn)
		return 0;
	return span_eq(r.name, SPAN_LIT("default")) ? 1 : 2;
}

static void give_way(const struct policy *p)
{
	const struct learned_domain *least = NULL;
	char name[DOMAIN_MAX + 1];
	unsigned least_worth = 0;
	struct span gone;

	for (size_t i = 0; i < LEARNED_SLOTS; i++) {
		const struct learned_domain *d = learned_at(L.l, i);
		unsigned w = d ? worth(p, d) : 0;

		if (d &&
		    (!least || w < least_worth ||
		     (w == least_worth && d->last_day < least->last_day))) {
			least = d;
			least_worth = w;
		}
	}
	memcpy(name, least->name, sizeof(name));
	gone = span_str(name);
	(void)learned_forget(L.l, gone);
	tell_forgotten(gone);
	program_log(&C.prog, L.full ? SEV_INFO : SEV_WARNING,
		    "event=learned-gives-way domain=%s why=\"there are more "
		    "than %d\"",
		    name, (int)LEARNED_DOMAINS);
	L.full = true;
}

void confd_on_learned(const struct peer *p, const struct ipc_msg *m)
{
	enum learned_news news;
	struct policy pol;

	if (learned_read(L.l, m->octets, &news) != OK) {
		program_log(&C.prog, SEV_ALARM,
			    "event=learned-not-understood index=%u", p->index);
		return;
	}
	note(news);
	L.news |= news == LEARNED_DATE || news == LEARNED_FACT;
	if (learned_n(L.l) <= LEARNED_DOMAINS)
		return;
	if (confd_policy_map(&C.now, &pol) != OK)
		pol.blob.n = 0; /* then the oldest */
	while (learned_n(L.l) > LEARNED_DOMAINS)
		give_way(&pol);
	confd_text_unmap(pol.blob);
}

static void share(uint64_t now)
{
	L.news = false;
	L.news_ms = now;
	for (size_t i = 0; i < CONFD_PEERS; i++)
		confd_learn_give(&C.peer[i]);
}

void confd_learn_tick(uint64_t now)
{
	if (L.news && now >= L.news_ms + SHARE_MS)
		share(now);
	if (!is_due(now) || C.phase != PHASE_IDLE)
		return;
	L.saved_ms = now;
	L.full = false;
	(void)save_now(); /* the store has said what is wrong; again in an hour */
}

/* --- what a person wants to know ------------------------------------------------------ */
static void date(struct text *t, uint16_t day)
{
	char mem[24];
	struct text time;

	text_init(&time, mem, sizeof(mem));
	text_time(&time, (uint64_t)day * DAY_S);
	text_span(t, (struct span){ (uint8_t *)mem, sizeof("2026-01-01") - 1 });
}

static void dates(struct text *t, uint16_t first, uint16_t last)
{
	if (first == 0) {
		text_str(t, "the clock was not set");
		return;
	}
	date(t, first);
	text_str(t, " to ");
	date(t, last);
}

static void versions(struct text *t, const struct learned_domain *d)
{
	text_str(t, d->lowest == 0x0304 ? "TLS 1.3" : "TLS 1.2");
	text_str(t, d->lowest == d->highest ? "    " : "-1.3");
}

static void pad(struct text *t, size_t from, size_t width)
{
	while (t->n < from + width && !t->cut)
		text_str(t, " ");
}

/* What the rule in force makes of it. */
static const char *effect(const struct policy *p,
			  const struct learned_domain *d)
{
	struct policy_rule r;

	if (p->blob.n == 0 || policy_lookup(p, name_of(d), &r) != OK ||
	    !r.learn)
		return "its rule does not learn";
	return learned_requires(L.l, &r, name_of(d)) ? "TLS is required"
						     : "remembered";
}

static void row(struct text *t, const struct policy *p,
		const struct learned_domain *d)
{
	size_t from = t->n;

	text_span(t, name_of(d));
	if (d->name_n >= NAME_WIDTH) {
		text_str(t, "\n");
		from = t->n;
	}
	pad(t, from, NAME_WIDTH);
	text_str(t, " ");
	versions(t, d);
	text_str(t, "  ");
	if (d->last_day != 0)
		date(t, d->last_day);
	else
		text_str(t, "no clock  ");
	text_str(t, "  ");
	text_str(t, effect(p, d));
	text_str(t, "\n");
}

static void flash(struct text *t)
{
	text_u64(t, learned_n(L.l));
	text_str(t, " of at most ");
	text_u64(t, LEARNED_DOMAINS);
	text_str(t, L.due == LEARNED_NOTHING ? " domains, all of it stored\n"
		    : L.due == LEARNED_DATE
			    ? " domains, stored but for the last dates\n"
			    : " domains, the last news not yet stored\n");
}

/* Into a list that is sorted. (qsort of glibc asks the kernel for the size of its
 * memory, which confd may not.) */
static void insert(const struct learned_domain **all, size_t n,
		   const struct learned_domain *d)
{
	for (; n > 0 && strcmp(all[n - 1]->name, d->name) > 0; n--)
		all[n] = all[n - 1];
	all[n] = d;
}

/* All of them by name, the caller's to free. NULL: no memory. */
static const struct learned_domain **sorted(size_t *n)
{
	const struct learned_domain **all = malloc((LEARNED_SLOTS + 1) *
						   sizeof(*all));

	*n = 0;
	for (size_t i = 0; all && i < LEARNED_SLOTS; i++)
		if (learned_at(L.l, i))
			insert(all, (*n)++, learned_at(L.l, i));
	return all;
}

static int show_all(const struct policy *p, int *fd)
{
	size_t n, size = learned_n(L.l) * ROW_MAX + 100;
	const struct learned_domain **all = sorted(&n);
	char *mem = malloc(size);
	struct text t;
	int r = E_FULL;

	if (all && mem) {
		text_init(&t, mem, size);
		for (size_t i = 0; i < n; i++)
			row(&t, p, all[i]);
		flash(&t);
		*fd = confd_report_fd(text_done(&t));
		r = *fd >= 0 ? OK : E_FULL;
	}
	free(all);
	free(mem);
	return r == OK ? OK : say(r, no_memory);
}

static void show_one(const struct policy *p, const struct learned_domain *d)
{
	struct text *t = &C.report;

	text_span(t, name_of(d));
	text_str(t, "\n  ");
	versions(t, d);
	text_str(t, "  ");
	dates(t, d->first_day, d->last_day);
	text_str(t, "\n  ");
	text_str(t, effect(p, d));
	text_str(t, "\n");
	for (size_t i = 0; i < d->key_n; i++) {
		text_str(t, "  sha256:");
		text_hex(t, (struct span){ d->key[i].spki_sha256, 32 });
		text_str(t, "\n    ");
		dates(t, d->key[i].first_day, d->key[i].last_day);
		text_str(t, "\n");
	}
	text_str(t, d->more ? "  and more keys than one line can name\n" : "");
}

/* NULL with the report: it is no domain, or nothing is known of it. */
static const struct learned_domain *named(struct span name)
{
	const struct learned_domain *d = NULL;
	char key[DOMAIN_MAX + 1];
	size_t n;

	if (domain_normalise(key, &n, name) != OK) {
		text_str(&C.report, "this is not a domain\n");
		return NULL;
	}
	d = learned_find(L.l, (struct span){ (uint8_t *)key, n });
	if (!d)
		text_str(&C.report, "nothing was learned of this domain\n");
	return d;
}

int confd_learn_show(struct span name, int *fd)
{
	const struct learned_domain *d = name.n > 0 ? named(name) : NULL;
	struct policy p;
	int r = OK;

	if (name.n > 0 && !d)
		return E_CONF;
	if (L.news) /* what is shown as required is so everywhere */
		share(now_ms());
	if (confd_policy_map(&C.now, &p) != OK)
		p.blob.n = 0;
	if (d)
		show_one(&p, d);
	else
		r = show_all(&p, fd);
	confd_text_unmap(p.blob);
	return r;
}

void confd_learn_domain(const struct policy_rule *rule, struct span domain)
{
	const struct learned_domain *d = learned_find(L.l, domain);

	if (!d || !rule->learn)
		return;
	text_str(&C.report, "  learned: its mail left in TLS, ");
	dates(&C.report, d->first_day, d->last_day);
	text_str(&C.report, learned_requires(L.l, rule, domain)
				    ? "; none leaves without\n"
				    : "\n");
}

/* --- what a person wants to change ------------------------------------------------------ */
int confd_learn_forget(struct span name)
{
	const struct learned_domain *d = name.n > 0 ? named(name) : NULL;
	char key[DOMAIN_MAX + 1] = "";

	if (name.n > 0 && !d)
		return E_CONF;
	if (d) {
		memcpy(key, d->name, sizeof(key));
		(void)learned_forget(L.l, span_str(key));
	} else {
		learned_forget_all(L.l);
	}
	tell_forgotten(span_str(key));
	program_log(&C.prog, SEV_NOTICE, "event=learned-cleared domain=%s",
		    d ? key : "all");
	note(LEARNED_FACT);
	return save_now(); /* a person's doing does not wear flash */
}

void confd_learn_erased(void)
{
	learned_forget_all(L.l);
	tell_forgotten((struct span){ NULL, 0 });
	L.due = LEARNED_NOTHING;
}

/* What was seen becomes the least that is asked for. E_CONF with why. */
static int line(const struct policy *p, const struct learned_domain *d,
		bool pin, struct text *out)
{
	struct policy_rule r;

	if (policy_lookup(p, name_of(d), &r) != OK)
		return say(E_CORRUPT, "the snapshot is damaged\n");
	if (!r.learn)
		return say(E_CONF, "its rule does not learn: change that line "
				   "by hand\n");
	if (pin && d->more)
		return say(E_CONF, "it has more keys than one line can name\n");
	r.name = name_of(d);
	r.learn = false;
	if (r.level < LEVEL_ENCRYPT)
		r.level = LEVEL_ENCRYPT;
	if (r.min_tls < d->lowest)
		r.min_tls = d->lowest;
	if (pin) {
		r.level = LEVEL_PIN;
		r.match_n = 0;
		r.pin_n = d->key_n;
		for (size_t i = 0; i < d->key_n; i++)
			r.pin[i] = d->key[i].spki_sha256;
	}
	conf_print_rule(&r, out);
	text_str(out, "\n");
	return out->cut ? say(E_FULL, "the lines would be too long\n") : OK;
}

static int lines(const struct policy *p, const struct learned_domain *one,
		 bool pin, struct text *out)
{
	const struct learned_domain **all;
	struct policy_rule r;
	size_t n;
	int e = OK;

	if (one)
		return line(p, one, pin, out);
	all = sorted(&n);
	if (!all)
		return say(E_FULL, no_memory);
	for (size_t i = 0; i < n && e == OK; i++)
		if (policy_lookup(p, name_of(all[i]), &r) == OK && r.learn &&
		    !(pin && all[i]->more))
			e = line(p, all[i], pin, out);
	free(all);
	if (e == OK && out->n == 0)
		e = say(E_CONF, "nothing was learned that a line could say\n");
	return e;
}

/* Of the candidate as it is: two in a row must not undo each other. */
static int add(const struct learned_domain *one, bool pin, struct text *out)
{
	struct snapshot s = NO_SNAPSHOT;
	struct policy p;
	int r = confd_compile(&s, confd_candidate(), true);

	if (r == OK)
		r = confd_policy_map(&s, &p);
	if (r == OK) {
		r = lines(&p, one, pin, out);
		confd_text_unmap(p.blob);
	}
	confd_drop(&s);
	return r == OK ? confd_edit(text_done(out)) : r;
}

int confd_learn_accept(struct span name, bool pin, int *fd)
{
	const struct learned_domain *one = name.n > 0 ? named(name) : NULL;
	size_t size = CONF_LINE_MAX + (one ? 0 : learned_n(L.l) * 1024);
	struct text out;
	char *mem;
	int r;

	if (name.n > 0 && !one)
		return E_CONF;
	mem = malloc(size);
	if (!mem)
		return say(E_FULL, no_memory);
	text_init(&out, mem, size);
	r = add(one, pin, &out);
	if (r == OK)
		*fd = confd_report_fd(text_done(&out));
	free(mem);
	return r;
}
