/** @file Records of what devices sent. */
#include "as/formatters/kept.h"
#include "common/core/err.h"
#include <string.h>

enum { KEPT_VERSION = 1, SIMULATED = 1 };

int kept_pack(const struct kept *k, uint8_t ret[KEPT_MAX], size_t *ret_n)
{
	struct writer w = writer_of(ret, KEPT_MAX);
	size_t n;
	writer_u8(&w, KEPT_VERSION);
	writer_u8(&w, k->is_simulated ? SIMULATED : 0);
	writer_put(&w, k->id.b, sizeof k->id.b);
	writer_be64(&w, k->taken_unix_us);
	if (k->is_simulated) {
		size_t decoded_n = strlen(k->decoded) + 1;
		writer_be16(&w, (uint16_t)k->own_cids_n);
		writer_be16(&w, (uint16_t)decoded_n);
		if (k->own_cids_n > UINT16_MAX || decoded_n > UINT16_MAX)
			return -ENOSPC;
		writer_put(&w, k->own_cids, k->own_cids_n);
		writer_put(&w, k->decoded, decoded_n);
	}
	if (w.failed)
		return -ENOSPC;
	TRY(msg_encode(ns_up_schema(), k->m, ret + w.len, KEPT_MAX - w.len, &n));
	*ret_n = w.len + n;
	return 0;
}

/** Texts that fill it, each terminated. @return 0; -EPROTO */
static int take_texts(struct reader *r, size_t n, const char **ret)
{
	struct slice s = reader_take(r, n);
	*ret = (const char *)s.p;
	return r->failed || (n && s.p[n - 1]) ? -EPROTO : 0;
}

int kept_unpack(struct slice record, struct ns_up *m, struct kept *ret)
{
	struct reader r = reader_of(record.p, record.n);
	uint8_t version = reader_u8(&r), flags = reader_u8(&r);
	*ret = (struct kept){ .m = m, .is_simulated = flags & SIMULATED, .decoded = "" };
	struct slice id = reader_take(&r, sizeof ret->id.b);
	ret->taken_unix_us = reader_be64(&r);
	if (r.failed || version != KEPT_VERSION)
		return -EPROTO;
	memcpy(ret->id.b, id.p, sizeof ret->id.b);
	if (ret->is_simulated) {
		size_t decoded_n;
		ret->own_cids_n = reader_be16(&r);
		decoded_n = reader_be16(&r);
		if (take_texts(&r, ret->own_cids_n, &ret->own_cids) || take_texts(&r, decoded_n, &ret->decoded) || !decoded_n)
			return -EPROTO;
	}
	struct slice rest = reader_take(&r, reader_left(&r));
	return msg_decode(ns_up_schema(), rest.p, rest.n, m) ? -EPROTO : 0;
}
