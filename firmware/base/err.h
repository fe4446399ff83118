/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/*
 * One error list for the whole firmware. 0 is success and errors are negative,
 * so a function may also return a count.
 *
 * The hundred says whose fault it is, and the caller decides by that alone:
 *   -1xx the peer broke the protocol: close this session, count it
 *   -2xx we have no room: refuse this session, keep the others
 *   -3xx the world outside failed: flash, port, kernel, clock
 *   -4xx the administrator's input is wrong: say where and why
 */
enum err {
	OK = 0,

	E_PEER_SYNTAX = -100,
	E_PEER_ORDER = -101, /* legal message at the wrong moment */
	E_PEER_EOL = -102,   /* bare CR or bare LF */
	E_PEER_LONG = -103,  /* line, reply or list above its limit */
	E_PEER_EARLY = -104, /* bytes waiting where TLS had to begin */
	E_PEER_GONE = -106,  /* closed or reset before it was time */
	E_PEER_TIME = -107,  /* a deadline passed */
	E_PEER_WEAK = -108,  /* it offers less than the rule asks for */
	E_PEER_PROOF = -109, /* it did not prove who it is */

	E_FULL = -200,

	E_IO = -300,
	E_CORRUPT = -301, /* a stored or shared object does not verify */
	E_AGAIN = -302,	  /* nothing now; ask again when poll says so */

	E_CONF = -400,
};

#define MUST_CHECK __attribute__((warn_unused_result))

/* Name for logs and counters, "?" for a value that is not in the list. */
const char *err_name(int e);

#endif
