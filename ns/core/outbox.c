/** @file Messages for the application server: numbered, put, sent once durable, deleted once acknowledged. */
#include "ns/core/outbox.h"
#include "ns/core/records.h"
#include <string.h>

enum { ENCODED_MAX = 16384 };
#define RETRY_US SEC_US

bool outbox_has_room(const struct ns *ns)
{
	return ns->outbox.tail - ns->outbox.head < ns->config.outbox_max;
}

struct ns_up *outbox_begin(struct ns *ns, const struct dev *d, const struct cid_list *cids)
{
	struct ns_up *m = &ns->up;
	m->has = 0;
	MSG_SET(m, net_id, ns->config.net_id);
	m->device = d->uid;
	m->cids.len = 0;
	if (cids)
		CIDS_ADD_ALL(&m->cids, cids);
	CIDS_ADD(&m->cids, CID_RPC_NSAS_UPLINK, ns_ulid(ns));
	return m;
}

void outbox_put(struct ns *ns)
{
	struct outbox *o = &ns->outbox;
	uint8_t encoded[ENCODED_MAX];
	size_t n;
	ns->up.seq = o->tail;
	ns->up.store_id = ns->store_id;
	if (msg_encode(ns_up_schema(), &ns->up, encoded, sizeof(encoded), &n) != 0)
		return;
	ns_put(ns, NS_OUTBOX, o->tail, SLOT_NONE, (struct slice){ encoded, n });
	o->put[o->tail % NS_OUTBOX_WINDOW].seq = o->tail;
	o->put[o->tail % NS_OUTBOX_WINDOW].at_us = ns->now.mono_us;
	o->tail++;
	o->is_dirty = true;
}

void outbox_outcome(struct ns *ns, const struct dev *d, const struct cid_list *cids, const struct outcome *o)
{
	struct ns_up *m = outbox_begin(ns, d, cids);
	struct up_outcome *u = &m->outcome;
	MSG_MARK(m, outcome);
	u->has = 0;
	u->item = o->flight->item;
	u->outcome = o->kind;
	u->f_cnt = o->flight->f_cnt;
	u->session_key_id = o->flight->session;
	if (o->error && str_copy(str_of(o->error), u->error, sizeof(u->error)) == 0)
		MSG_MARK(u, error);
	if (o->result >= 0)
		MSG_SET(u, tx_result, (uint32_t)o->result);
	if (o->gateway_id && str_copy(str_of(o->gateway_id), u->gateway_id, sizeof(u->gateway_id)) == 0)
		MSG_MARK(u, gateway_id);
	outbox_put(ns);
}

void outbox_restarted(struct ns *ns)
{
	struct ns_up *m = &ns->up;
	m->has = 0;
	m->device = 0;
	m->cids.len = 0;
	MSG_SET(m, restarted, true);
	outbox_put(ns);
}

void outbox_load(struct outbox *o, uint64_t seq)
{
	/* In the order of seq, after the record that holds the tail. */
	if (seq < o->head)
		o->head = o->send = seq;
	if (seq >= o->tail)
		o->tail = o->durable = seq + 1;
}

void outbox_batch_closed(struct ns *ns, uint64_t batch)
{
	struct outbox *o = &ns->outbox;
	if (o->asked_batch == 0 && o->tail > o->durable) {
		o->asked = o->tail;
		o->asked_batch = batch;
	}
}

void outbox_committed(struct ns *ns, uint64_t batch)
{
	struct outbox *o = &ns->outbox;
	if (!o->asked_batch || o->asked_batch > batch)
		return;
	o->durable = o->asked;
	o->asked_batch = 0;
	/* What was put meanwhile is in a batch up to the one that is open now. */
	if (o->tail > o->durable) {
		o->asked = o->tail;
		o->asked_batch = ns->is_dirty ? ns->batch : ns->batch - 1;
	}
}

static uint64_t *word_of(struct outbox *o, uint64_t seq)
{
	return &o->acked[seq % NS_OUTBOX_WINDOW / 64];
}

static void take_off(struct ns *ns, uint64_t seq)
{
	struct outbox *o = &ns->outbox;
	*word_of(o, seq) |= UINT64_C(1) << seq % 64;
	while (o->head < o->send && *word_of(o, o->head) >> o->head % 64 & 1) {
		*word_of(o, o->head) &= ~(UINT64_C(1) << o->head % 64);
		o->head++;
	}
}

static int get(const struct ns *ns, uint64_t seq, struct slice *ret)
{
	uint8_t key[9];
	struct writer w = writer_of(key, sizeof(key));
	writer_u8(&w, NS_OUTBOX);
	writer_be64(&w, seq);
	return ns->ports.get(ns->ports.ctx, (struct slice){ key, w.len }, ret);
}

/* Its call's id tells when it was made, also where another process made it. That of a start has none: the next one counts. */
uint64_t outbox_oldest_us(struct ns *ns)
{
	enum { LOOKED_AT = 4 };
	const struct outbox *o = &ns->outbox;
	struct slice encoded;
	for (uint64_t seq = o->head; seq < o->tail && seq < o->head + LOOKED_AT; seq++) {
		if (get(ns, seq, &encoded) != 0 || msg_decode(ns_up_schema(), encoded.p, encoded.n, &ns->up) != 0)
			continue;
		const struct cid *id = CIDS_FIND(&ns->up.cids, CID_RPC_NSAS_UPLINK);
		if (id)
			return us_since(ulid_unix_us(&id->id), ns->now.unix_us);
	}
	return 0;
}

void outbox_pump(struct ns *ns)
{
	struct outbox *o = &ns->outbox;
	if (!ns->as_is_up || ns->now.mono_us < o->retry_us)
		return;
	while (o->send < o->durable && o->send < o->head + NS_OUTBOX_WINDOW) {
		uint64_t seq = o->send;
		struct slice encoded;
		bool is_acked = *word_of(o, seq) >> seq % 64 & 1;
		int rc = is_acked ? -ENOENT : get(ns, seq, &encoded);
		if (rc == -ENOENT) { /* acknowledged earlier, out of turn */
			o->send++;
			take_off(ns, seq);
			continue;
		}
		if (rc != 0 || ns->ports.up(ns->ports.ctx, seq, encoded) != 0) {
			o->retry_us = ns->now.mono_us + RETRY_US;
			return;
		}
		o->send++;
	}
}

void outbox_rewind(struct ns *ns)
{
	ns->outbox.send = ns->outbox.head;
	ns->outbox.retry_us = 0;
}

void outbox_took(struct ns *ns, uint64_t seq, bool ok)
{
	struct outbox *o = &ns->outbox;
	if (seq < o->head || seq >= o->head + NS_OUTBOX_WINDOW)
		return;
	if (!ok) {
		/* The as refused it or did not answer in time: it and all behind it are sent again, in order. */
		if (ns->as_is_up && o->retry_us <= ns->now.mono_us)
			o->retry_us = ns->now.mono_us + RETRY_US;
		o->send = seq < o->send ? seq : o->send;
		return;
	}
	ns_del(ns, NS_OUTBOX, seq, SLOT_NONE);
	if (o->put[seq % NS_OUTBOX_WINDOW].seq == seq) {
		histogram_add(&ns->counters.publish, us_since(o->put[seq % NS_OUTBOX_WINDOW].at_us, ns->now.mono_us));
		o->put[seq % NS_OUTBOX_WINDOW].seq = 0;
	}
	if (seq >= o->send) {
		*word_of(o, seq) |= UINT64_C(1) << seq % 64;
		return;
	}
	take_off(ns, seq);
}
