/** @file Sessions as the application server knows them. */
#include "as/core/session.h"
#include "as/core/envelope.h"
#include <string.h>

enum { RECORD_VERSION = 1, HAS_F_CNT = 1 };

struct session *sessions_find(struct sessions *s, const struct ulid *id)
{
	for (size_t i = 0; i < s->n; i++)
		if (ulid_eq(&s->v[i].id, id))
			return &s->v[i];
	return NULL;
}

void sessions_add(struct sessions *s, const struct session *new_one)
{
	struct session *same = sessions_find(s, &new_one->id);
	size_t keep = same ? (size_t)(same - s->v) : s->n < SESSIONS_KEPT ? s->n++ : SESSIONS_KEPT - 1;
	memmove(&s->v[1], &s->v[0], keep * sizeof s->v[0]);
	s->v[0] = *new_one;
}

int sessions_pack(const struct sessions *s, const struct envelope *e, uint8_t ret[SESSIONS_RECORD_MAX], size_t *ret_n)
{
	struct writer w = writer_of(ret, SESSIONS_RECORD_MAX);
	writer_u8(&w, RECORD_VERSION);
	writer_u8(&w, s->n);
	for (size_t i = 0; i < s->n; i++) {
		const struct session *one = &s->v[i];
		uint8_t sealed[WRAPPED_KEY];
		TRY(envelope_seal(e, &one->app_s_key, sealed));
		writer_put(&w, one->id.b, sizeof one->id.b);
		writer_be32(&w, one->dev_addr);
		writer_be32(&w, one->generation);
		writer_u8(&w, one->has_f_cnt_down ? HAS_F_CNT : 0);
		writer_be32(&w, one->f_cnt_down);
		writer_put(&w, sealed, sizeof sealed);
	}
	*ret_n = w.len;
	return w.failed ? -EIO : 0;
}

int sessions_unpack(struct slice record, const struct envelope *e, struct sessions *ret)
{
	struct reader r = reader_of(record.p, record.n);
	struct sessions s = { 0 };
	if (reader_u8(&r) != RECORD_VERSION)
		return -EPROTO;
	s.n = reader_u8(&r);
	if (r.failed || s.n > SESSIONS_KEPT)
		return -EPROTO;
	for (size_t i = 0; i < s.n; i++) {
		struct session *one = &s.v[i];
		struct slice id = reader_take(&r, sizeof one->id.b);
		one->dev_addr = reader_be32(&r);
		one->generation = reader_be32(&r);
		one->has_f_cnt_down = reader_u8(&r) & HAS_F_CNT;
		one->f_cnt_down = reader_be32(&r);
		struct slice sealed = reader_take(&r, WRAPPED_KEY);
		if (r.failed)
			return -EPROTO;
		memcpy(one->id.b, id.p, id.n);
		TRY(envelope_open(e, sealed.p, &one->app_s_key));
	}
	*ret = s;
	return 0;
}
