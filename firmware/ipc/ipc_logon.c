/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ipc_logon - see ipc_logon.h. Little-endian:
 *
 *	step  u8 step, mechanism, flags, min_bits, account_n; account; u8
 *	      exporter there, 32 octets, u8 endpoint_n, 64 octets; 16 octets of
 *	      source; text
 *	reply u8 result, flags, bits; u32 NTLM flags; 16 octets of key; u32 wait;
 *	      text
 */
#include "base/bytes.h"
#include "ipc/ipc_logon.h"

enum {
	/* a step */
	L_STEP = 0,
	L_MECH = 1,
	L_FLAGS = 2,
	L_BITS = 3,
	L_ACCOUNT_N = 4,
	L_ACCOUNT = 5,
	L_EXPORTER = L_ACCOUNT + LOGON_ACCOUNT_MAX,
	L_ENDPOINT = L_EXPORTER + 1 + 32,
	L_SOURCE = L_ENDPOINT + 1 + 64,
	L_TEXT = L_SOURCE + 16,
	LF_SEAL = 1,
	LF_PLUS = 2,
	LF_LEGACY = 4,
	LF_INITIAL = 8,

	/* a reply */
	R_RESULT = 0,
	R_FLAGS = 1,
	R_BITS = 2,
	R_NTLM = 3,
	R_KEY = 7,
	R_WAIT = 23,
	R_TEXT = 27,
	RF_SAID = 1,
	RF_V2 = 2,
	RF_PROVEN = 4,
	RF_BOUND = 8,
};

int ipc_logon_put(uint8_t *out, size_t *n, const struct ipc_logon *l)
{
	if (l->text.n > IPC_LOGON_TEXT || l->account.n > LOGON_ACCOUNT_MAX)
		return E_FULL;
	memset(out, 0, L_TEXT);
	out[L_STEP] = (uint8_t)l->step;
	out[L_MECH] = (uint8_t)l->mech;
	out[L_FLAGS] = (uint8_t)((l->seal ? LF_SEAL : 0) |
				 (l->plus ? LF_PLUS : 0) |
				 (l->legacy ? LF_LEGACY : 0) |
				 (l->initial ? LF_INITIAL : 0));
	out[L_BITS] = (uint8_t)l->min_bits;
	out[L_ACCOUNT_N] = (uint8_t)l->account.n;
	if (l->account.n > 0)
		memcpy(out + L_ACCOUNT, l->account.p, l->account.n);
	out[L_EXPORTER] = l->binding.exporter_there;
	memcpy(out + L_EXPORTER + 1, l->binding.exporter, 32);
	out[L_ENDPOINT] = l->binding.endpoint_n;
	memcpy(out + L_ENDPOINT + 1, l->binding.endpoint, 64);
	memcpy(out + L_SOURCE, l->source, 16);
	if (l->text.n > 0)
		memcpy(out + L_TEXT, l->text.p, l->text.n);
	*n = L_TEXT + l->text.n;
	return OK;
}

int ipc_logon_get(struct ipc_logon *l, struct span in)
{
	const uint8_t *p = in.p;

	if (in.n < L_TEXT || in.n > L_TEXT + IPC_LOGON_TEXT ||
	    p[L_STEP] > IPC_LOGON_HEARD || p[L_MECH] >= AUTH_MECHS ||
	    p[L_ACCOUNT_N] > LOGON_ACCOUNT_MAX || p[L_EXPORTER] > 1 ||
	    p[L_ENDPOINT] > 64)
		return E_PEER_SYNTAX;
	*l = (struct ipc_logon){
		.step = (enum ipc_logon_step)p[L_STEP],
		.mech = (enum auth_mech)p[L_MECH],
		.seal = (p[L_FLAGS] & LF_SEAL) != 0,
		.plus = (p[L_FLAGS] & LF_PLUS) != 0,
		.legacy = (p[L_FLAGS] & LF_LEGACY) != 0,
		.initial = (p[L_FLAGS] & LF_INITIAL) != 0,
		.min_bits = p[L_BITS],
		.account = { p + L_ACCOUNT, p[L_ACCOUNT_N] },
		.binding = { .exporter_there = p[L_EXPORTER] == 1,
			     .endpoint_n = p[L_ENDPOINT] },
		.text = span_skip(in, L_TEXT),
	};
	memcpy(l->binding.exporter, p + L_EXPORTER + 1, 32);
	memcpy(l->binding.endpoint, p + L_ENDPOINT + 1, 64);
	memcpy(l->source, p + L_SOURCE, 16);
	return OK;
}

int ipc_logon_reply_put(uint8_t *out, size_t *n,
			const struct ipc_logon_reply *r)
{
	if (r->text.n > IPC_LOGON_TEXT)
		return E_FULL;
	out[R_RESULT] = (uint8_t)r->result;
	out[R_FLAGS] = (uint8_t)((r->said ? RF_SAID : 0) |
				 (r->ntlm_v2 ? RF_V2 : 0) |
				 (r->proven ? RF_PROVEN : 0) |
				 (r->bound ? RF_BOUND : 0));
	out[R_BITS] = (uint8_t)r->bits;
	put_le32(out + R_NTLM, r->ntlm_flags);
	memcpy(out + R_KEY, r->key, 16);
	put_le32(out + R_WAIT, r->wait_ms);
	if (r->text.n > 0)
		memcpy(out + R_TEXT, r->text.p, r->text.n);
	*n = R_TEXT + r->text.n;
	return OK;
}

int ipc_logon_reply_get(struct ipc_logon_reply *r, struct span in)
{
	const uint8_t *p = in.p;

	if (in.n < R_TEXT || in.n > R_TEXT + IPC_LOGON_TEXT ||
	    p[R_RESULT] >= LOGON_RESULTS)
		return E_PEER_SYNTAX;
	*r = (struct ipc_logon_reply){
		.result = (enum logon_result)p[R_RESULT],
		.said = (p[R_FLAGS] & RF_SAID) != 0,
		.ntlm_v2 = (p[R_FLAGS] & RF_V2) != 0,
		.proven = (p[R_FLAGS] & RF_PROVEN) != 0,
		.bound = (p[R_FLAGS] & RF_BOUND) != 0,
		.wait_ms = get_le32(p + R_WAIT),
		.bits = p[R_BITS],
		.ntlm_flags = get_le32(p + R_NTLM),
		.text = span_skip(in, R_TEXT),
	};
	memcpy(r->key, p + R_KEY, 16);
	/* It goes into a line of SMTP. */
	for (size_t i = 0; i < r->text.n; i++)
		if (r->text.p[i] < 0x21 || r->text.p[i] > 0x7e)
			return E_PEER_SYNTAX;
	return OK;
}
