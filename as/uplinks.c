/** @file Messages of the ns's outbox: handed on to be decoded and published, and acknowledged once it is durable that they
 * were taken. */
#include "as/core/intake.h"
#include "as/downlinks.h"
#include "as/formatters/decode.h"
#include "as/store.h"
#include <stdlib.h>
#include <string.h>

enum { INTAKE_KEY = 17, INTAKE_NS = 4, CIDS_SHOWN = 16 };

struct uplinks {
	struct intake v[INTAKE_NS]; /* an ns that lost its store gets a new line; the oldest gives way */
	size_t n;
};

static struct slice intake_key(uint8_t buf[INTAKE_KEY], const struct ulid *store_id)
{
	struct writer w = writer_of(buf, INTAKE_KEY);
	writer_u8(&w, TABLE_INTAKE);
	writer_put(&w, store_id->b, sizeof store_id->b);
	return (struct slice){ buf, w.len };
}

static int load_intake(void *ctx, struct slice key, struct slice value)
{
	struct uplinks *u = ctx;
	struct reader r = reader_of(value.p, value.n);
	if (u->n == INTAKE_NS || key.n != INTAKE_KEY)
		return 0;
	memcpy(u->v[u->n].store_id.b, key.p + 1, sizeof u->v[0].store_id.b);
	u->v[u->n++].seq = reader_be64(&r);
	return 0;
}

static struct intake *intake_of(struct as *as, const struct ulid *store_id)
{
	struct uplinks *u = as->uplinks;
	for (size_t i = 0; i < u->n; i++)
		if (ulid_eq(&u->v[i].store_id, store_id))
			return &u->v[i];
	if (u->n == INTAKE_NS) {
		uint8_t key[INTAKE_KEY];
		store_del(as->store, intake_key(key, &u->v[0].store_id));
		memmove(&u->v[0], &u->v[1], (INTAKE_NS - 1) * sizeof u->v[0]);
		u->n--;
	}
	u->v[u->n] = (struct intake){ .store_id = *store_id };
	return &u->v[u->n++];
}

static int take_outcome(struct as *as, struct device *d, const struct ns_up *m)
{
	struct { uint16_t len; struct cid v[CIDS_SHOWN]; } list = { 0 };
	cids_add_all(&list.len, list.v, COUNT(list.v), m->cids.v, m->cids.len);
	return downlinks_outcome(as, d, list.v, list.len, &m->outcome);
}

/** @return 0; -errno of the store: not taken */
static int take(struct as *as, struct ns_up *m)
{
	struct device *d = registry_device_by_uid(&as->registry, m->device);
	if (MSG_HAS(m, restarted))
		return downlinks_ns_restarted(as);
	if (!d)
		return 0; /* deleted meanwhile */
	if (MSG_HAS(m, outcome))
		return take_outcome(as, d, m);
	if (MSG_HAS(m, data)) {
		TRY(downlinks_session(as, d, &m->data.session_key_id, m->cids.v, m->cids.len));
		downlinks_heard(as, d);
	}
	uint64_t now_us = loop_now(as->loop)->unix_us;
	struct kept k = { .m = m, .id = ulid_make(now_us, &as->rng), .taken_unix_us = now_us, .decoded = "" };
	return decode_take(as, d, &k);
}

static void acknowledge(void *request)
{
	bus_reply(request, &(struct ack){ 0 });
}

/** Take a new message and note that it was. @return 0; -errno of the store */
static int take_new(struct as *as, struct intake *intake, struct ns_up *m)
{
	uint8_t key[INTAKE_KEY], seq[8];
	struct writer w = writer_of(seq, sizeof seq);
	writer_be64(&w, m->seq);
	TRY(take(as, m));
	TRY(store_put(as->store, intake_key(key, &m->store_id), (struct slice){ seq, sizeof seq }));
	intake_took(intake, m->seq);
	return 0;
}

static void on_uplink(void *ctx, struct bus_peer *peer, struct bus_request *request, const void *msg)
{
	struct as *as = ctx;
	/* The bus's own buffer; decrypting in place spares a copy of 15 kB a message. */
	struct ns_up *m = (struct ns_up *)(uintptr_t)msg;
	struct intake *intake = intake_of(as, &m->store_id);
	enum intake_verdict verdict = intake_judge(intake, m->seq);
	(void)peer;
	int r = verdict == INTAKE_EARLY || store_failing(as->store) ? -EAGAIN : 0;
	if (!r && verdict == INTAKE_NEW)
		r = take_new(as, intake, m);
	if (!r)
		r = store_after(as->store, acknowledge, request);
	if (!r)
		return;
	intake_refused(intake, m->seq);
	bus_refuse(request, "store_unavailable", "the store cannot take it now");
}

int uplinks_start(struct as *as, struct text *err)
{
	static const uint8_t prefix[] = { TABLE_INTAKE };
	as->uplinks = calloc(1, sizeof *as->uplinks);
	if (!as->uplinks)
		return -ENOMEM;
	if (store_scan(
		    as->store, (struct slice){ prefix, 1 }, (struct slice){ 0 }, load_intake, as->uplinks)) {
		text_puts(err, "the store's intake cannot be read");
		return -EIO;
	}
	as_add_method(as, NSAS_UPLINK, on_uplink);
	return 0;
}

void uplinks_stop(struct as *as)
{
	free(as->uplinks);
	as->uplinks = NULL;
}
