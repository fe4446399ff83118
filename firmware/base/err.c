/* SPDX-License-Identifier: BSD-2-Clause */
/* err - the names of our errors; err.h says what they mean. */
#include "base/err.h"

const char *err_name(int e)
{
	switch ((enum err)e) {
	case OK: return "ok";
	case E_PEER_SYNTAX: return "peer-syntax";
	case E_PEER_ORDER: return "peer-order";
	case E_PEER_EOL: return "peer-eol";
	case E_PEER_LONG: return "peer-long";
	case E_PEER_EARLY: return "peer-early";
	case E_PEER_GONE: return "peer-gone";
	case E_PEER_TIME: return "peer-time";
	case E_PEER_WEAK: return "peer-weak";
	case E_PEER_PROOF: return "peer-proof";
	case E_FULL: return "full";
	case E_IO: return "io";
	case E_CORRUPT: return "corrupt";
	case E_AGAIN: return "again";
	case E_CONF: return "conf";
	}
	return "?";
}
