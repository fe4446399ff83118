/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli_edit - see cli_edit.h.
 *
 *	octets -> escape sequences -> keys -> line -> cli_row -> octets
 *	       \-> UTF-8 ----------> text -/
 */
#include "cli/cli_edit.h"
#include "cli/cli_row.h"
#include "cli/cli_utf8.h"

/* Keys that are more than one octet are given these numbers. */
enum {
	KEY_NONE = 0,
	CTRL_A = 1,
	CTRL_B,
	CTRL_C,
	CTRL_D,
	CTRL_E,
	CTRL_F,
	CTRL_H = 8,
	TAB,
	LF,
	CTRL_K,
	CTRL_L,
	CR,
	CTRL_N,
	CTRL_P = 16,
	CTRL_T = 20,
	CTRL_U,
	CTRL_W = 23,
	CTRL_Y = 25,
	CTRL_Z,
	ESC,
	DEL = 127,
	KEY_DELETE = 256,
	KEY_WORD_LEFT,
	KEY_WORD_RIGHT,
	KEY_WORD_DELETE,
};

/* --- the line ------------------------------------------------------------------ */
static bool blank(uint8_t c)
{
	return c == ' ';
}

/* Start of the character before at, with the marks on it. */
static size_t previous(const struct cli_edit *e, size_t at)
{
	uint32_t c;

	while (at > 0) {
		unsigned n;

		do
			at--;
		while (at > 0 && (e->line[at] & 0xc0) == 0x80);
		n = cli_utf8_get((struct span){ e->line + at, e->n - at }, &c);
		if (n > 0 && cli_utf8_width(c) > 0)
			break;
	}
	return at;
}

/* End of the character at at, with the marks on it. */
static size_t following(const struct cli_edit *e, size_t at)
{
	uint32_t c;
	bool first = true;

	while (at < e->n) {
		unsigned n = cli_utf8_get(
			(struct span){ e->line + at, e->n - at }, &c);

		if (!first && n > 0 && cli_utf8_width(c) > 0)
			break;
		first = false;
		at += n > 0 ? n : 1;
	}
	return at;
}

static size_t word_left(const struct cli_edit *e)
{
	size_t at = e->at;

	while (at > 0 && blank(e->line[at - 1]))
		at--;
	while (at > 0 && !blank(e->line[at - 1]))
		at--;
	return at;
}

static size_t word_right(const struct cli_edit *e)
{
	size_t at = e->at;

	while (at < e->n && blank(e->line[at]))
		at++;
	while (at < e->n && !blank(e->line[at]))
		at++;
	return at;
}

static void cut(struct cli_edit *e, size_t from, size_t to)
{
	memmove(e->line + from, e->line + to, e->n - to);
	/* what is behind the end is not kept: it may have been a secret */
	memset(e->line + e->n - (to - from), 0, to - from);
	e->n -= to - from;
	if (e->at > from)
		e->at = e->at > to ? e->at - (to - from) : from;
	if (e->n == 0)
		e->over = false;
}

/* The same, for ^Y. */
static void kill(struct cli_edit *e, size_t from, size_t to)
{
	if (from == to)
		return;
	if ((e->flags & CLI_EDIT_SECRET) == 0) {
		memcpy(e->killed, e->line + from, to - from);
		e->killed_n = to - from;
	}
	cut(e, from, to);
}

void cli_edit_insert(struct cli_edit *e, struct span text)
{
	if (text.n > sizeof(e->line) - e->n) {
		e->bell = e->over = true;
		return;
	}
	memmove(e->line + e->at + text.n, e->line + e->at, e->n - e->at);
	if (text.n > 0)
		memcpy(e->line + e->at, text.p, text.n);
	e->n += text.n;
	e->at += text.n;
}

static void swap(struct cli_edit *e)
{
	size_t mid = e->at == e->n ? previous(e, e->at) : e->at;
	size_t from = previous(e, mid), to = following(e, mid), n = mid - from;
	uint8_t first[64];

	if (n == 0 || to == mid || n > sizeof(first)) {
		e->bell = true;
		return;
	}
	memcpy(first, e->line + from, n);
	memmove(e->line + from, e->line + mid, to - mid);
	memcpy(e->line + from + (to - mid), first, n);
	e->at = to;
}

static void replace(struct cli_edit *e, const uint8_t *p, size_t n)
{
	memcpy(e->line, p, n);
	if (n < e->n)
		memset(e->line + n, 0, e->n - n);
	e->n = e->at = n;
	e->over = false;
}

/* --- history -------------------------------------------------------------------- */
static size_t past_length(const struct cli_edit *e, size_t at)
{
	size_t n = 0;

	while (e->past[at + n] != '\0')
		n++;
	return n;
}

void cli_edit_remember(struct cli_edit *e, struct span line)
{
	size_t drop = 0, last = e->past_n;

	if (line.n == 0 || line.n + 1 > sizeof(e->past) ||
	    memchr(line.p, '\0', line.n))
		return;
	while (last > 1 && e->past[last - 2] != '\0')
		last--;
	if (last > 0 && span_eq(line, (struct span){ e->past + last - 1,
						     e->past_n - last }))
		return;
	while (e->past_n - drop + line.n + 1 > sizeof(e->past))
		drop += past_length(e, drop) + 1;
	memmove(e->past, e->past + drop, e->past_n - drop);
	e->past_n -= drop;
	memcpy(e->past + e->past_n, line.p, line.n);
	e->past_n += line.n;
	e->past[e->past_n++] = '\0';
	e->past_at = e->past_n;
}

void cli_edit_forget_cut(struct cli_edit *e)
{
	memset(e->killed, 0, sizeof(e->killed));
	memset(e->kept, 0, sizeof(e->kept));
	e->killed_n = e->kept_n = 0;
}

void cli_edit_forget(struct cli_edit *e)
{
	cli_edit_forget_cut(e);
	memset(e->past, 0, sizeof(e->past));
	e->past_n = e->past_at = 0;
}

static void older(struct cli_edit *e)
{
	size_t at = e->past_at;

	if (at == 0 || e->flags != 0) {
		e->bell = true;
		return;
	}
	if (at == e->past_n) {
		memcpy(e->kept, e->line, e->n);
		e->kept_n = e->n;
	}
	at--;
	while (at > 0 && e->past[at - 1] != '\0')
		at--;
	e->past_at = at;
	replace(e, e->past + at, past_length(e, at));
}

static void newer(struct cli_edit *e)
{
	if (e->past_at == e->past_n) {
		e->bell = true;
		return;
	}
	e->past_at += past_length(e, e->past_at) + 1;
	if (e->past_at == e->past_n)
		replace(e, e->kept, e->kept_n);
	else
		replace(e, e->past + e->past_at, past_length(e, e->past_at));
}

/* --- keys ------------------------------------------------------------------------- */
static void delete (struct cli_edit *e, size_t from, size_t to)
{
	if (from == to)
		e->bell = true;
	else
		cut(e, from, to);
}

/* Keys that change the line and nothing else. */
static void edit_key(struct cli_edit *e, unsigned key)
{
	switch (key) {
	case CTRL_A: e->at = 0; break;
	case CTRL_E: e->at = e->n; break;
	case CTRL_B: e->at = previous(e, e->at); break;
	case CTRL_F: e->at = following(e, e->at); break;
	case KEY_WORD_LEFT: e->at = word_left(e); break;
	case KEY_WORD_RIGHT: e->at = word_right(e); break;
	case CTRL_H:
	case DEL: delete (e, previous(e, e->at), e->at); break;
	case CTRL_D:
	case KEY_DELETE: delete (e, e->at, following(e, e->at)); break;
	case CTRL_K: kill(e, e->at, e->n); break;
	case CTRL_U: kill(e, 0, e->at); break;
	case CTRL_W: kill(e, word_left(e), e->at); break;
	case KEY_WORD_DELETE: kill(e, e->at, word_right(e)); break;
	case CTRL_Y:
		cli_edit_insert(e, (struct span){ e->killed, e->killed_n });
		break;
	case CTRL_T: swap(e); break;
	case CTRL_P: older(e); break;
	case CTRL_N: newer(e); break;
	case CTRL_L: e->clear = true; break;
	default: break; /* ^Q ^S ^R ^V ^X and the like mean nothing here */
	}
}

/* Is the cursor in quotes or behind the start of a comment? */
static bool in_text(const struct cli_edit *e)
{
	bool quoted = false, start = true;

	for (size_t i = 0; i < e->at; i++) {
		uint8_t c = e->line[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && start && (c == '!' || c == '#'))
			return true;
		start = !quoted && blank(c);
	}
	return quoted;
}

static enum cli_edit_event key(struct cli_edit *e, unsigned k)
{
	bool after_cr = e->cr;

	e->cr = k == CR;
	switch (k) {
	case LF:
		if (after_cr)
			return CLI_EDIT_NONE;
		return e->over ? CLI_EDIT_TOO_LONG : CLI_EDIT_ENTER;
	case CR: return e->over ? CLI_EDIT_TOO_LONG : CLI_EDIT_ENTER;
	case CTRL_C: return CLI_EDIT_CANCEL;
	case CTRL_Z: return CLI_EDIT_END;
	case CTRL_D:
		if (e->n == 0)
			return CLI_EDIT_LEAVE;
		break;
	case TAB:
		if (e->flags == 0)
			return CLI_EDIT_TAB;
		if (e->flags & CLI_EDIT_TEXT)
			cli_edit_insert(e, SPAN_LIT(" "));
		return CLI_EDIT_NONE;
	default: break;
	}
	edit_key(e, k);
	return CLI_EDIT_NONE;
}

/* --- octets ----------------------------------------------------------------------- */
/* The final octet of ESC [ parameters final, or of ESC O final. */
static unsigned sequence(const struct cli_edit *e, uint8_t final)
{
	uint8_t first = e->esc_n > 0 ? e->esc[0] : '\0';
	/* ESC [ 1 ; 5 C: with Ctrl or Alt */
	bool with = e->esc_n == 3 && e->esc[1] == ';' && e->esc[2] > '2';

	switch (final) {
	case 'A': return CTRL_P;
	case 'B': return CTRL_N;
	case 'C': return with ? KEY_WORD_RIGHT : CTRL_F;
	case 'D': return with ? KEY_WORD_LEFT : CTRL_B;
	case 'H': return CTRL_A;
	case 'F': return CTRL_E;
	case '~': break;
	default: return KEY_NONE;
	}
	if (e->esc_n != 1)
		return KEY_NONE;
	switch (first) {
	case '1':
	case '7': return CTRL_A;
	case '4':
	case '8': return CTRL_E;
	case '3': return KEY_DELETE;
	default: return KEY_NONE;
	}
}

static unsigned meta(uint8_t c)
{
	switch (c) {
	case 'b': return KEY_WORD_LEFT;
	case 'f': return KEY_WORD_RIGHT;
	case 'd': return KEY_WORD_DELETE;
	default: return KEY_NONE;
	}
}

/* An octet within an escape sequence; the key that it completes. */
static unsigned escape(struct cli_edit *e, uint8_t c)
{
	switch (e->esc_state) {
	case ESC_ESC:
		e->esc_n = 0;
		e->esc_state = c == '[' ? ESC_CSI : c == 'O' ? ESC_SS3 : ESC_NO;
		return meta(c);
	case ESC_CSI:
		if (c == '[' && e->esc_n == 0) { /* a Linux function key */
			e->esc_state = ESC_ONE;
			return KEY_NONE;
		}
		if (c < 0x40 && e->esc_n < sizeof(e->esc)) {
			e->esc[e->esc_n++] = c;
			return KEY_NONE;
		}
		e->esc_state = ESC_NO;
		return c < 0x40 ? KEY_NONE : sequence(e, c);
	case ESC_SS3:
		e->esc_state = ESC_NO;
		e->esc_n = 0;
		return sequence(e, c);
	case ESC_ONE:
	case ESC_NO: break;
	}
	e->esc_state = ESC_NO;
	return KEY_NONE;
}

/* An octet of text: complete characters that can be seen get into the line. */
static enum cli_edit_event text(struct cli_edit *e, uint8_t c)
{
	uint32_t code;

	e->cr = false;
	if (c == '?' && e->flags == 0 && !in_text(e))
		return CLI_EDIT_HELP;
	if (e->utf8_n > 0 && (c & 0xc0) != 0x80)
		e->utf8_n = 0; /* the one before was cut off */
	if (e->utf8_n == 0)
		e->utf8_want = cli_utf8_length(c);
	if (e->utf8_want == 0)
		return CLI_EDIT_NONE;
	e->utf8[e->utf8_n++] = c;
	if (e->utf8_n < e->utf8_want)
		return CLI_EDIT_NONE;
	e->utf8_n = 0;
	if (cli_utf8_get((struct span){ e->utf8, e->utf8_want }, &code) > 0 &&
	    cli_utf8_width(code) >= 0)
		cli_edit_insert(e, (struct span){ e->utf8, e->utf8_want });
	return CLI_EDIT_NONE;
}

static enum cli_edit_event octet(struct cli_edit *e, uint8_t c)
{
	unsigned k;

	if (c == '\0')
		return CLI_EDIT_NONE; /* a break, or telnet's CR NUL */
	if (c >= 0x20 && c != DEL && e->esc_state == ESC_NO)
		return text(e, c);
	e->utf8_n = 0;
	if (c == ESC) {
		e->esc_state = ESC_ESC;
		return CLI_EDIT_NONE;
	}
	if (c < 0x20 || c == DEL) { /* ends a sequence that noise began */
		e->esc_state = ESC_NO;
		return key(e, c);
	}
	k = escape(e, c);
	return k == KEY_NONE ? CLI_EDIT_NONE : key(e, k);
}

/* --- the caller's ----------------------------------------------------------------- */
void cli_edit_init(struct cli_edit *e)
{
	memset(e, 0, sizeof(*e));
}

void cli_edit_begin(struct cli_edit *e, const char *prompt, unsigned flags)
{
	struct text t;

	text_init(&t, e->prompt, sizeof(e->prompt));
	text_clean(&t, span_str(prompt));
	e->flags = flags;
	memset(e->line, 0, sizeof(e->line));
	memset(e->kept, 0, sizeof(e->kept));
	e->n = e->at = e->left = e->kept_n = 0;
	e->over = false;
	e->past_at = e->past_n;
	memset(&e->shown, 0, sizeof(e->shown));
}

struct span cli_edit_line(const struct cli_edit *e)
{
	return (struct span){ e->line, e->n };
}

struct span cli_edit_before(const struct cli_edit *e)
{
	return (struct span){ e->line, e->at };
}

void cli_edit_show(struct cli_edit *e, struct text *out)
{
	struct cli_row want;

	if (e->bell)
		text_str(out, "\a");
	if (e->clear) {
		text_str(out, "\x1b[H\x1b[J");
		memset(&e->shown, 0, sizeof(e->shown));
	}
	e->bell = e->clear = false;
	cli_row_make(e, &want);
	cli_row_change(&e->shown, &want, out);
	e->shown = want;
}

void cli_edit_hide(struct cli_edit *e, struct text *out)
{
	if (e->shown.n > 0)
		text_str(out, "\r\x1b[K");
	memset(&e->shown, 0, sizeof(e->shown));
}

void cli_edit_leave(struct cli_edit *e, struct text *out)
{
	text_str(out, "\r\n");
	memset(&e->shown, 0, sizeof(e->shown));
}

enum cli_edit_event cli_edit_feed(struct cli_edit *e, struct span in,
				  size_t *used, struct text *out)
{
	enum cli_edit_event ev = CLI_EDIT_NONE;
	size_t i = 0;

	while (i < in.n && ev == CLI_EDIT_NONE)
		ev = octet(e, in.p[i++]);
	*used = i;
	cli_edit_show(e, out);
	switch (ev) {
	case CLI_EDIT_ENTER:
	case CLI_EDIT_TOO_LONG:
	case CLI_EDIT_CANCEL:
	case CLI_EDIT_END:
	case CLI_EDIT_LEAVE: cli_edit_leave(e, out); break;
	case CLI_EDIT_NONE:
	case CLI_EDIT_TAB:
	case CLI_EDIT_HELP: break;
	}
	return ev;
}
