/** @file Events in chunks, and what stands in their indexes. */
#include "as/core/trace/chunk.h"
#include "common/core/seal.h"
#include <lz4.h>
#include <string.h>

enum { PRINT = 4 };

/* ---- filling ---- */

void chunk_init(struct chunk *c)
{
	c->len = 0;
	c->first_us = UINT64_MAX;
	c->last_us = 0;
	c->events = c->n_prints = 0;
	c->processes = 0;
	memset(c->prints, 0, sizeof c->prints);
}

/** The place of a fingerprint goes by its size, so that the set is nearly sorted as it stands. */
static void add_print(struct chunk *c, uint32_t print)
{
	size_t at = (size_t)((uint64_t)print * COUNT(c->prints) >> 32);
	while (c->prints[at] && c->prints[at] != print)
		at = (at + 1) % COUNT(c->prints);
	c->n_prints += !c->prints[at];
	c->prints[at] = print;
}

/** Its octets, copied where somebody has them already. @return 0; -ENOSPC; -EINVAL */
static int add_octets(struct chunk *c, const struct trace_event *e, struct slice packed)
{
	struct writer w = { .p = c->bytes, .len = c->len, .cap = sizeof c->bytes };
	if (packed.n)
		writer_put(&w, packed.p, packed.n);
	else
		TRY(events_pack(&w, e));
	c->len = w.len;
	return w.failed ? -ENOSPC : 0;
}

int chunk_add(struct chunk *c, const struct trace_event *e, const char *app, struct slice packed)
{
	uint32_t prints[PRINTS_OF_EVENT];
	if (c->n_prints + PRINTS_OF_EVENT > CHUNK_PRINTS_MAX)
		return CHUNK_E_FULL;
	int r = add_octets(c, e, packed);
	if (r)
		return r == -ENOSPC && c->events ? CHUNK_E_FULL : -EINVAL;
	c->events++;
	c->processes |= (uint8_t)(e->process < 8 ? 1U << e->process : 0);
	if (e->time_unix_us < c->first_us)
		c->first_us = e->time_unix_us;
	if (e->time_unix_us > c->last_us)
		c->last_us = e->time_unix_us;
	size_t n = prints_of(e, app, prints);
	for (size_t i = 0; i < n; i++)
		add_print(c, prints[i]);
	return 0;
}

size_t chunk_value(const struct chunk *c, uint8_t ret[CHUNK_KEPT_MAX])
{
	struct writer w = writer_of(ret, CHUNK_HEAD);
	_Static_assert(LZ4_COMPRESSBOUND(CHUNK_MAX) <= CHUNK_KEPT_MAX - CHUNK_HEAD, "whatever is in it has room");
	writer_be32(&w, 0);
	writer_be32(&w, (uint32_t)c->len);
	size_t n = (size_t)LZ4_compress_default((const char *)c->bytes, (char *)ret + CHUNK_HEAD, (int)c->len, CHUNK_KEPT_MAX - CHUNK_HEAD);
	seal_close(ret, CHUNK_HEAD + n);
	return CHUNK_HEAD + n;
}

/** The set in order: few have to go past more than their neighbours. @return how many */
static size_t sort_prints(const struct chunk *c, uint32_t ret[CHUNK_PRINTS_MAX])
{
	size_t n = 0;
	for (size_t i = 0; i < COUNT(c->prints); i++) {
		size_t k = n;
		if (!c->prints[i])
			continue;
		for (n++; k && ret[k - 1] > c->prints[i]; k--)
			ret[k] = ret[k - 1];
		ret[k] = c->prints[i];
	}
	return n;
}

size_t chunk_index(const struct chunk *c, uint8_t ret[CHUNK_INDEX_MAX])
{
	uint32_t sorted[CHUNK_PRINTS_MAX];
	size_t n = sort_prints(c, sorted);
	struct writer w = writer_of(ret, CHUNK_INDEX_MAX);
	writer_be32(&w, 0);
	writer_be64(&w, c->first_us);
	writer_be64(&w, c->last_us);
	writer_be32(&w, (uint32_t)c->len);
	writer_be32(&w, c->events);
	writer_u8(&w, c->processes);
	for (size_t i = 0; i < n; i++)
		writer_be32(&w, sorted[i]);
	seal_close(ret, w.len);
	return w.len;
}

/* ---- reading ---- */

int chunk_open(struct slice value, uint8_t room[CHUNK_MAX], struct slice *ret_records)
{
	struct slice content;
	if (value.n < CHUNK_HEAD || value.n > CHUNK_KEPT_MAX)
		return -EBADMSG;
	TRY(seal_open(value, &content));
	struct reader r = reader_of(content.p, content.n);
	uint32_t n = reader_be32(&r);
	struct slice block = reader_take(&r, reader_left(&r));
	int got = LZ4_decompress_safe((const char *)block.p, (char *)room, (int)block.n, CHUNK_MAX);
	if (got < 0 || (uint32_t)got != n)
		return -EBADMSG;
	*ret_records = (struct slice){ room, n };
	return 0;
}

struct slice chunk_records(const struct chunk *c)
{
	return (struct slice){ c->bytes, c->len };
}

int chunk_next(struct slice records, size_t *at, struct trace_event *ret_e)
{
	if (*at >= records.n)
		return -ENOENT;
	struct reader r = reader_of(records.p + *at, records.n - *at);
	int error = events_unpack(&r, ret_e, NULL);
	*at = records.n - reader_left(&r);
	return error;
}

int chunk_index_read(struct slice value, struct chunk_index *ret)
{
	struct slice content;
	if (value.n < CHUNK_INDEX_HEAD || (value.n - CHUNK_INDEX_HEAD) % PRINT)
		return -EBADMSG;
	TRY(seal_open(value, &content));
	struct reader r = reader_of(content.p, content.n);
	struct chunk_index i = { .first_us = reader_be64(&r) };
	i.last_us = reader_be64(&r);
	i.octets = reader_be32(&r);
	i.events = reader_be32(&r);
	i.processes = reader_u8(&r);
	i.prints = reader_take(&r, reader_left(&r));
	*ret = i;
	return 0;
}

static uint32_t print_at(struct slice prints, size_t i)
{
	struct reader r = reader_of(prints.p + i * PRINT, PRINT);
	return reader_be32(&r);
}

/** @param from  where to begin; set to where the print stands or would stand */
static bool has(struct slice prints, size_t *from, uint32_t print)
{
	size_t low = *from, high = prints.n / PRINT;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (print_at(prints, mid) < print)
			low = mid + 1;
		else
			high = mid;
	}
	*from = low;
	return low < prints.n / PRINT && print_at(prints, low) == print;
}

bool chunk_may_have(const struct chunk_index *i, uint32_t print)
{
	return has(i->prints, &(size_t){ 0 }, print);
}

bool chunk_may_have_any(const struct chunk_index *i, const uint32_t *sorted, size_t n)
{
	size_t from = 0;
	for (size_t k = 0; k < n; k++)
		if (has(i->prints, &from, sorted[k]))
			return true;
	return false;
}
