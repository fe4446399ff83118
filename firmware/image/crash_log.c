/* SPDX-License-Identifier: BSD-2-Clause */
/* crash_log - see crash_log.h. */
#include "base/bytes.h"
#include "base/crc32.h"
#include "image/crash_log.h"

enum { AT_NUMBER = 8, AT_LENGTH = 12, AT_TIME = 16, AT_CRC = 24 };

static const char magic[] = "SWcrash1";

/* The record in a block, with its text in room. */
static int take(const struct part_ops *ops, void *dev, size_t block,
		struct crash_log_entry *e, uint8_t *room)
{
	uint8_t head[CRASH_LOG_HEAD];
	uint32_t crc;

	if (ops->read(dev, PART_CRASH, block, head, sizeof(head)) != OK)
		return E_IO;
	*e = (struct crash_log_entry){ get_le32(head + AT_NUMBER),
				       get_le64(head + AT_TIME),
				       get_le32(head + AT_LENGTH), block };
	if (memcmp(head, magic, AT_NUMBER) != 0 || e->n > CRASH_LOG_TEXT)
		return E_CORRUPT;
	if (ops->read(dev, PART_CRASH, block + CRASH_LOG_HEAD, room, e->n) !=
	    OK)
		return E_IO;
	crc = crc32(0, (struct span){ head, AT_CRC });
	crc = crc32(crc, (struct span){ room, e->n });
	return crc == get_le32(head + AT_CRC) ? OK : E_CORRUPT;
}

static size_t blocks(const struct part_ops *ops, void *dev)
{
	size_t n = ops->size(dev, PART_CRASH) / ops->block(dev, PART_CRASH);

	return n < CRASH_LOG_BLOCKS ? n : CRASH_LOG_BLOCKS;
}

size_t crash_log_list(const struct part_ops *ops, void *dev, uint8_t *room,
		      struct crash_log_entry list[CRASH_LOG_BLOCKS])
{
	size_t n = 0;

	for (size_t b = 0; b < blocks(ops, dev); b++) {
		struct crash_log_entry e;
		size_t at = n;

		if (take(ops, dev, b * ops->block(dev, PART_CRASH), &e, room) !=
		    OK)
			continue;
		for (; at > 0 && list[at - 1].number < e.number; at--)
			list[at] = list[at - 1];
		list[at] = e;
		n++;
	}
	return n;
}

int crash_log_read(const struct part_ops *ops, void *dev,
		   const struct crash_log_entry *e, uint8_t *room)
{
	struct crash_log_entry now;
	int r = take(ops, dev, e->block, &now, room);

	return r == OK && now.number != e->number ? E_CORRUPT : r;
}

/* A block without a record, or that of the oldest. */
static size_t victim(const struct part_ops *ops, void *dev,
		     const struct crash_log_entry *list, size_t n)
{
	size_t block = ops->block(dev, PART_CRASH);

	if (n == blocks(ops, dev))
		return list[n - 1].block;
	for (size_t at = 0;; at += block) {
		size_t i = 0;

		while (i < n && list[i].block != at)
			i++;
		if (i == n)
			return at;
	}
}

int crash_log_add(const struct part_ops *ops, void *dev, struct span text,
		  uint64_t now_s, uint8_t *room)
{
	struct crash_log_entry list[CRASH_LOG_BLOCKS];
	uint8_t head[CRASH_LOG_HEAD];
	size_t most = ops->block(dev, PART_CRASH) - CRASH_LOG_HEAD, n, at;
	uint32_t crc;
	int r;

	if (most > CRASH_LOG_TEXT)
		most = CRASH_LOG_TEXT;
	if (text.n > most)
		text = span_skip(text, text.n - most);
	n = crash_log_list(ops, dev, room, list);
	at = victim(ops, dev, list, n);
	memcpy(head, magic, AT_NUMBER);
	put_le32(head + AT_NUMBER, n > 0 ? list[0].number + 1 : 1);
	put_le32(head + AT_LENGTH, (uint32_t)text.n);
	put_le64(head + AT_TIME, now_s);
	crc = crc32(0, (struct span){ head, AT_CRC });
	put_le32(head + AT_CRC, crc32(crc, text));
	r = ops->erase(dev, PART_CRASH, at);
	if (r == OK)
		r = ops->write(dev, PART_CRASH, at + CRASH_LOG_HEAD, text);
	if (r == OK)
		r = ops->write(dev, PART_CRASH, at,
			       (struct span){ head, sizeof(head) });
	return r;
}
