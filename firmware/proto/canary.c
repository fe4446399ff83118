/* SPDX-License-Identifier: BSD-2-Clause */
/* canary - see canary.h. */
#include "base/bytes.h"
#include "base/text.h"
#include "proto/canary.h"

enum { HEAD = 14 };

#define TEXT "sealwire canary "

struct span canary_write(uint8_t mem[CANARY_FRAME], uint64_t number)
{
	static const uint8_t head[HEAD] = { 0x01, 0x80, 0xc2, 0x00, 0x00,
					    0x0e, 0x02, 0x53, 0x45, 0x41,
					    0x4c, 0x57, 0x88, 0xb5 };
	uint8_t be[8];
	struct text t;

	memset(mem, 0, CANARY_FRAME);
	memcpy(mem, head, HEAD);
	put_be32(be, (uint32_t)(number >> 32));
	put_be32(be + 4, (uint32_t)number);
	text_init(&t, (char *)mem + HEAD, CANARY_FRAME - HEAD);
	text_str(&t, TEXT);
	text_hex(&t, (struct span){ be, sizeof(be) });
	return (struct span){ mem, CANARY_FRAME };
}

struct span canary_text(struct span frame)
{
	return (struct span){ frame.p + HEAD, sizeof(TEXT) - 1 + 16 };
}

bool canary_is(struct span frame, uint64_t number)
{
	uint8_t mem[CANARY_FRAME];

	return span_eq(frame, canary_write(mem, number));
}
