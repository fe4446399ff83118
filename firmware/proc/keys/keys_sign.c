/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keys_sign - handshakes of the relays are signed (ipc/ipc_sign.h). A relay that was
 * taken over can have signed what it likes while it lasts, but it never has a key.
 * Only keys that have a certificate sign, only while the box is a server, and each
 * signature is counted: there are as many as handshakes (show counters). A relay that
 * asks faster than handshakes can be made is heard more slowly, and that is an alarm.
 */
#include "ipc/ipc_sign.h"
#include "pki/pki_sign.h"
#include "proc/keys/keys.h"

enum {
	EACH_MS = 2, /* what one costs: 500 a second, of each relay */
	BURST_MS = 2000 * EACH_MS,
	QUIET_MS = 60000,
};

struct signers {
	struct pki_signer *of[SECRET_KEYS_MAX];
	size_t n;
};

static struct signers now, next;
/* Until when each relay has used its time up. Who comes in the place of one that has
 * died goes on with it. */
static uint64_t used_ms[IPC_RELAYS_MAX], said_ms[IPC_RELAYS_MAX];

static void drop(struct signers *s)
{
	for (size_t i = 0; i < s->n; i++)
		pki_signer_free(s->of[i]);
	*s = (struct signers){ .n = 0 };
}

int keys_sign_prepare(const struct secret_table *t, bool may)
{
	int r = OK;

	drop(&next);
	for (uint32_t i = 0; may && r != E_FULL && i < t->keys_n; i++) {
		struct secret_key k;

		secret_table_key(t, i, &k);
		if (k.chain.n == 0)
			continue;
		program_alive(&K.prog);
		r = pki_signer_new(k.key, &next.of[next.n]);
		if (r == OK)
			next.n++;
		else if (r == E_CORRUPT)
			program_log(&K.prog, SEV_ALARM,
				    "event=key-unusable name=%.*s",
				    (int)k.name.n, (const char *)k.name.p);
	}
	return r == E_FULL ? r : OK;
}

void keys_sign_adopt(void)
{
	drop(&now);
	now = next;
	next = (struct signers){ .n = 0 };
}

static int sign(const struct sign_ask *q, uint8_t out[SIGN_MAX], size_t *n)
{
	for (size_t i = 0; i < now.n; i++)
		if (memcmp(pki_signer_pin(now.of[i]), q->pin, SIGN_PIN) == 0)
			return pki_sign(now.of[i], q, out, n);
	return E_CONF;
}

bool keys_sign_may(uint32_t relay)
{
	return used_ms[relay] < now_ms() + BURST_MS;
}

/* One more was asked for. */
static void charge(uint32_t relay)
{
	uint64_t t = now_ms();

	if (used_ms[relay] < t)
		used_ms[relay] = t;
	used_ms[relay] += EACH_MS;
	if (keys_sign_may(relay) ||
	    (said_ms[relay] != 0 && t - said_ms[relay] < QUIET_MS))
		return;
	said_ms[relay] = t;
	program_log(&K.prog, SEV_ALARM,
		    "event=signatures-limited relay=%u per-second=%u", relay,
		    1000 / EACH_MS);
}

bool keys_sign_take(uint32_t relay, int fd, const struct ipc_msg *m)
{
	uint8_t out[SIGN_MAX];
	struct ipc_msg a = { .type = IPC_SIGNED,
			     .flow = m->flow,
			     .number = m->number,
			     .octets = { out, 0 } };
	struct sign_ask q;

	if (ipc_sign_get(&q, m->octets) != OK)
		return false;
	charge(relay);
	a.error = sign(&q, out, &a.octets.n);
	if (a.error != OK)
		a.octets.n = 0;
	stats_add(K.prog.stats, a.error == OK ? CNT_SIGNED : CNT_SIGN_REFUSED,
		  1);
	if (a.error != OK)
		program_log(&K.prog, SEV_WARNING,
			    "event=signature-refused error=%s",
			    err_name(a.error));
	/* Not heard: it asks again. */
	if (ipc_send(fd, ROLE_KEYS, ROLE_RELAY, &a) != OK)
		program_log(&K.prog, SEV_WARNING, "event=relay-deaf");
	return true;
}
