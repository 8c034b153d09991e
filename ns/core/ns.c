/** @file The network server's core: its state, batches and answers, and the order in which things happen. */
#include "ns/core/ns.h"
#include "ns/core/down/class_c.h"
#include "ns/core/down/downlink.h"
#include "ns/core/down/multicast.h"
#include "ns/core/records.h"
#include "ns/core/registry.h"
#include "ns/core/up/uplink.h"
#include "proto/tables.h"
#include <stdlib.h>
#include <string.h>

struct ns *ns_new(const struct ns_config *c, const struct ns_ports *ports)
{
	AUTO(ns_free) struct ns *ns = calloc(1, sizeof(*ns));
	if (!ns)
		return NULL;
	ns->config = *c;
	ns->ports = *ports;
	ns->now = c->now;
	ns->epoch_us = c->now.unix_us - c->now.mono_us;
	ns->batch = 1;
	ns->as_epoch = 1;
	exchanges_init(&ns->exchanges);
	if (devices_init(&ns->devices) != 0 || dedup_init(&ns->dedup, c->dedup_window_us, (uint32_t)rng_u64(&c->rng)) != 0)
		return NULL;
	return TAKE(ns);
}

void ns_free(struct ns *ns)
{
	if (!ns)
		return;
	heap_done(&ns->listeners);
	multicast_done(ns);
	exchanges_done(&ns->exchanges);
	dedup_done(&ns->dedup);
	devices_done(&ns->devices);
	gateways_done(&ns->gateways);
	free(ns->replies.v);
	crypto_forget(&ns->config.kek, sizeof(ns->config.kek));
	free(ns);
}

int ns_loaded(struct ns *ns, const struct now *now)
{
	ns->now = *now;
	bool is_first = ulid_is_none(&ns->store_id);
	if (is_first) {
		ns->store_id = ns_ulid(ns);
		record_store_put(ns);
	}
	if (ns->outbox.tail == 0)
		ns->outbox.head = ns->outbox.send = ns->outbox.tail = ns->outbox.durable = 1;
	/* What was handed out when the process ended may have been sent. A confirmed item's fate shows with the next uplink. */
	for (struct dev *d = ns->devices.by_uid; d; d = d->by_uid.next) {
		struct flight f = d->flight;
		if (!f.is_there)
			continue;
		struct session *s = dev_session(d, &f.session);
		struct outcome o = { .kind = OUTCOME_FAILED, .flight = &f, .error = "transmission", .result = TX_RESULT_NO_TX_ACK };
		if (f.is_confirmed && s) {
			s->confirmed = f;
			record_live_put(ns, s);
			o = (struct outcome){ .kind = OUTCOME_AWAITED, .flight = &f, .result = -1 };
		}
		outbox_outcome(ns, d, NULL, &o);
		d->flight.is_there = false;
		record_flight_put(ns, d);
	}
	if (!is_first)
		outbox_restarted(ns);
	class_c_loaded(ns);
	return 0;
}

struct ulid ns_ulid(const struct ns *ns)
{
	return ulid_make(ns->now.unix_us, &ns->config.rng);
}

static struct slice key_of(uint8_t buf[10], enum ns_table table, uint64_t id, int slot)
{
	struct writer w = writer_of(buf, 10);
	writer_u8(&w, (uint8_t)table);
	writer_be64(&w, id);
	if (slot >= 0)
		writer_u8(&w, (uint8_t)slot);
	return (struct slice){ buf, w.len };
}

void ns_put(struct ns *ns, enum ns_table table, uint64_t id, int slot, struct slice value)
{
	uint8_t key[10];
	ns->is_dirty = true;
	if (ns->ports.put(ns->ports.ctx, key_of(key, table, id, slot), value) != 0)
		ns->is_failing = ns->is_torn = true;
}

void ns_del(struct ns *ns, enum ns_table table, uint64_t id, int slot)
{
	uint8_t key[10];
	ns->is_dirty = true;
	if (ns->ports.del(ns->ports.ctx, key_of(key, table, id, slot)) != 0)
		ns->is_failing = ns->is_torn = true;
}

/* ---- answers that wait for the disk ---- */

static int replies_grow(struct replies *q)
{
	size_t cap = q->cap ? q->cap * 2 : 64;
	struct reply *v = malloc(cap * sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < q->n; i++)
		v[i] = q->v[(q->at + i) % q->cap];
	free(q->v);
	*q = (struct replies){ .v = v, .n = q->n, .cap = cap };
	return 0;
}

void ns_accept_now(struct ns *ns, uint64_t request)
{
	if (request)
		ns->ports.answer(ns->ports.ctx, request, NULL, NULL);
}

void ns_refuse(struct ns *ns, uint64_t request, const char *word, const char *message)
{
	if (request)
		ns->ports.answer(ns->ports.ctx, request, word, message);
}

void ns_accept(struct ns *ns, uint64_t request)
{
	struct replies *q = &ns->replies;
	uint64_t batch = ns->is_dirty ? ns->batch : ns->batch - 1;
	if (!request)
		return;
	if (ns->is_torn) {
		ns_refuse(ns, request, "store_unavailable", "the store of the network server cannot take it now");
		return;
	}
	if (batch <= ns->durable) {
		ns_accept_now(ns, request);
		return;
	}
	if (q->n == q->cap && replies_grow(q) != 0) {
		ns_refuse(ns, request, "no_memory", "no memory to remember the request");
		return;
	}
	q->v[(q->at + q->n++) % q->cap] = (struct reply){ .request = request, .batch = batch };
}

static void replies_send(struct ns *ns)
{
	struct replies *q = &ns->replies;
	while (q->n && q->v[q->at].batch <= ns->durable) {
		uint64_t request = q->v[q->at].request;
		q->at = (q->at + 1) % q->cap;
		q->n--;
		ns_accept_now(ns, request);
	}
}

/* ---- time and batches ---- */

bool ns_flush(struct ns *ns, const struct now *now, uint64_t *ret_batch)
{
	ns->now = *now;
	if (ns->outbox.is_dirty) {
		record_seq_put(ns);
		ns->outbox.is_dirty = false;
	}
	outbox_pump(ns);
	trace_flush(ns);
	if (!ns->is_dirty)
		return false;
	*ret_batch = ns->batch++;
	ns->is_dirty = ns->is_torn = false;
	outbox_batch_closed(ns, *ret_batch);
	return true;
}

void ns_committed(struct ns *ns, const struct now *now, uint64_t batch)
{
	ns->now = *now;
	ns->durable = batch;
	outbox_committed(ns, batch);
	replies_send(ns);
	outbox_pump(ns);
}

void ns_store_failing(struct ns *ns, bool failing)
{
	ns->is_failing = failing;
}

void ns_run(struct ns *ns, const struct now *now)
{
	ns->now = *now;
	struct reception *r;
	while ((r = dedup_close(&ns->dedup, now->mono_us)))
		uplink_close(ns, r);
	dedup_forget(&ns->dedup, now->mono_us);
	struct heap_node *n;
	while ((n = heap_pop_due(&ns->exchanges.due, now->mono_us)))
		downlink_due(ns, CONTAINER_OF(n, struct exchange, due));
	while ((n = heap_pop_due(&ns->listeners, now->mono_us)))
		class_c_due(ns, CONTAINER_OF(n, struct dev, listening.due));
	outbox_pump(ns);
}

uint64_t ns_deadline_us(const struct ns *ns)
{
	uint64_t due = heap_deadline(&ns->exchanges.due), other = dedup_deadline_us(&ns->dedup);
	const struct outbox *o = &ns->outbox;
	if (other < due)
		due = other;
	other = heap_deadline(&ns->listeners);
	if (other < due)
		due = other;
	if (ns->as_is_up && o->send < o->durable && o->retry_us > ns->now.mono_us && o->retry_us < due)
		due = o->retry_us;
	return due;
}

void ns_stop(struct ns *ns, const struct now *now)
{
	ns->now = *now;
	/* Frames whose window is open are not accepted yet: their gs sends them again. Open exchanges settle as unknown. */
	struct exchange *x, *next;
	for (x = ns->exchanges.by_ticket; x; x = next) {
		next = x->hh.next;
		downlink_settle(ns, x);
	}
	/* Slices of airtime that were not used need not count as used. */
	for (struct gateway *g = ns->gateways.by_eui; g; g = g->by_eui.next)
		for (unsigned band = 0; band < REGION_BANDS; band++) {
			uint8_t record[LEDGER_RECORD];
			if (ledger_give_back(&g->ledger, band, record))
				ns_put(ns, NS_LEDGER, g->eui, (int)band, (struct slice){ record, sizeof(record) });
		}
}

struct ns_counters *ns_counters(struct ns *ns)
{
	return &ns->counters;
}
