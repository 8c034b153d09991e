/** @file Each device's sessions and queue, loaded from the store at start. */
#include "as/traffic.h"
#include "as/applications.h"
#include "as/downlinks.h"
#include "as/integrations/integrations.h"
#include "as/store.h"
#include "common/log.h"
#include <stdlib.h>
#include <string.h>

enum { JSON_MAX = 256 * 1024, ITEM_KEY = 17, BATTERY_VERSION = 1, BATTERY_RECORD = 14 };

struct device_traffic *traffic_of(struct as *as, uint64_t uid, bool make)
{
	struct traffic *t = as->traffic;
	struct device_traffic *d;
	HASH_FIND(hh, t->devices, &uid, sizeof uid, d);
	if (d || !make)
		return d;
	d = calloc(1, sizeof *d);
	if (!d)
		return NULL;
	d->uid = uid;
	d->queue.list = &t->queues;
	HASH_ADD(hh, t->devices, uid, sizeof d->uid, d);
	if (!d->hh.tbl) {
		free(d);
		return NULL;
	}
	return d;
}

bool traffic_has_session(struct as *as, uint64_t uid)
{
	struct device_traffic *d = traffic_of(as, uid, false);
	return d && d->sessions.n;
}

static struct slice item_key(uint8_t buf[ITEM_KEY], uint64_t uid, uint64_t seq)
{
	struct writer w = writer_of(buf, ITEM_KEY);
	writer_u8(&w, TABLE_QUEUE);
	writer_be64(&w, uid);
	writer_be64(&w, seq);
	return (struct slice){ buf, w.len };
}

static int put_item(void *ctx, uint64_t uid, uint64_t seq, struct slice record)
{
	uint8_t key[ITEM_KEY];
	struct as *as = ctx;
	return store_put(as->store, item_key(key, uid, seq), record);
}

static int del_item(void *ctx, uint64_t uid, uint64_t seq)
{
	uint8_t key[ITEM_KEY];
	struct as *as = ctx;
	return store_del(as->store, item_key(key, uid, seq));
}

int traffic_save_sessions(struct as *as, const struct device_traffic *d)
{
	uint8_t key[UID_KEY], record[SESSIONS_RECORD_MAX];
	size_t n;
	TRY(sessions_pack(&d->sessions, &as->envelope, record, &n));
	return store_put(as->store, as_store_uid_key(key, TABLE_SESSIONS, d->uid), (struct slice){ record, n });
}

int traffic_keep_battery(struct as *as, uint64_t uid, const struct tts_battery *b)
{
	uint8_t key[UID_KEY], record[BATTERY_RECORD];
	struct writer w = writer_of(record, sizeof record);
	struct device_traffic *d = traffic_of(as, uid, true);
	if (!d)
		return -ENOMEM;
	writer_u8(&w, BATTERY_VERSION);
	writer_u8(&w, b->level);
	writer_be32(&w, b->f_cnt);
	writer_be64(&w, b->received_unix_us);
	TRY(store_put(as->store, as_store_uid_key(key, TABLE_BATTERIES, uid), (struct slice){ record, w.len }));
	d->battery = *b;
	d->has_battery = true;
	return 0;
}

const struct tts_battery *traffic_battery(struct as *as, uint64_t uid)
{
	const struct device_traffic *d = traffic_of(as, uid, false);
	return d && d->has_battery ? &d->battery : NULL;
}

/** One record that cannot be read costs its device something, not everybody the service. */
static int damaged(const char *what, uint64_t uid)
{
	LOG(LOG_ERROR, "record_damaged", KV_Z("what", what), KV_U("device", uid));
	return 0;
}

static int load_sessions(void *ctx, struct slice key, struct slice value)
{
	struct as *as = ctx;
	struct reader r = reader_of(key.p + 1, key.n - 1);
	uint64_t uid = reader_be64(&r);
	if (r.failed)
		return damaged("sessions", uid);
	struct device_traffic *d = traffic_of(as, uid, true);
	int res = d ? sessions_unpack(value, &as->envelope, &d->sessions) : -ENOMEM;
	return res == -EPROTO ? damaged("sessions", uid) : res;
}

static int load_battery(void *ctx, struct slice key, struct slice value)
{
	struct as *as = ctx;
	struct reader k = reader_of(key.p + 1, key.n - 1), r = reader_of(value.p, value.n);
	uint64_t uid = reader_be64(&k);
	uint8_t version = reader_u8(&r);
	struct tts_battery b = { .level = reader_u8(&r) };
	b.f_cnt = reader_be32(&r);
	b.received_unix_us = reader_be64(&r);
	if (k.failed || r.failed || version != BATTERY_VERSION)
		return damaged("battery", uid);
	struct device_traffic *d = traffic_of(as, uid, true);
	if (!d)
		return -ENOMEM;
	d->battery = b;
	d->has_battery = true;
	return 0;
}

static int load_item(void *ctx, struct slice key, struct slice value)
{
	struct as *as = ctx;
	struct reader r = reader_of(key.p + 1, key.n - 1);
	uint64_t uid = reader_be64(&r), seq = reader_be64(&r);
	if (r.failed)
		return damaged("downlink", uid);
	if (seq >= as->traffic->next_seq)
		as->traffic->next_seq = seq + 1;
	struct device_traffic *d = traffic_of(as, uid, true);
	int res = d ? queue_load(&d->queue, seq, value) : -ENOMEM;
	return res == -EPROTO ? damaged("downlink", uid) : res;
}

/** The session that the operator made by hand is a session like any other; a new generation of it starts its
 * counters again. */
static void take_abp_session(struct as *as, const struct device *d)
{
	struct device_traffic *t = d->session.present ? traffic_of(as, d->entry.uid, true) : NULL;
	struct session *have = t ? sessions_find(&t->sessions, &d->session.session_key_id) : NULL;
	if (!t || (have && have->generation == d->session.generation))
		return;
	bool has_f_cnt = d->session.has_n_f_cnt_down || d->session.has_a_f_cnt_down;
	struct session s = {
		.id = d->session.session_key_id,
		.dev_addr = d->session.dev_addr,
		.generation = d->session.generation,
		.app_s_key = d->session.app_s_key,
		.has_f_cnt_down = has_f_cnt,
		.f_cnt_down = d->session.has_a_f_cnt_down ? d->session.last_a_f_cnt_down
							  : d->session.last_n_f_cnt_down,
	};
	sessions_add(&t->sessions, &s);
	int r = traffic_save_sessions(as, t);
	if (r)
		LOG(LOG_ERROR, "session_not_stored", KV_Z("device", d->path), KV_Z("error", strerror(-r)));
}

static void forget_device(struct as *as, uint64_t uid)
{
	static const enum as_table tables[] = { TABLE_SESSIONS, TABLE_QUEUE, TABLE_JOIN, TABLE_DEV_NONCES, TABLE_BATTERIES };
	struct device_traffic *d = traffic_of(as, uid, false);
	uint8_t key[UID_KEY];
	for (size_t i = 0; i < COUNT(tables); i++)
		(void)as_store_forget(as->store, as_store_uid_key(key, tables[i], uid));
	if (!d)
		return;
	heap_remove(&as->traffic->leases, &d->lease);
	queue_done(&d->queue);
	HASH_DEL(as->traffic->devices, d);
	crypto_forget(&d->sessions, sizeof d->sessions);
	free(d);
}

static void on_device(void *ctx, struct device *d, enum change c)
{
	struct as *as = ctx;
	if (c == CHANGE_DELETED)
		forget_device(as, d->entry.uid);
	else
		take_abp_session(as, d);
}

void traffic_lease(struct as *as, struct device_traffic *d)
{
	struct traffic *t = as->traffic;
	const struct now *now = loop_now(as->loop);
	uint64_t due = queue_deadline(&d->queue), time_us = queue_first_time(&d->queue);
	if (time_us != UINT64_MAX) {
		uint64_t at_us = time_us > now->unix_us ? now->mono_us + (time_us - now->unix_us) : now->mono_us;
		due = at_us < due ? at_us : due;
	}
	if (due == UINT64_MAX)
		heap_remove(&t->leases, &d->lease);
	else if (heap_set(&t->leases, &d->lease, due))
		LOG(LOG_ERROR, "lease_not_kept", KV_U("device", d->uid), KV_Z("error", "no memory"));
	if (t->lease_timer)
		loop_timer_at(t->lease_timer, heap_deadline(&t->leases));
}

/** An item is out for longer than any window takes, and the ns, which is there, has said nothing of it. */
static void leases_due(void *ctx)
{
	struct as *as = ctx;
	struct traffic *t = as->traffic;
	uint64_t now_us = loop_now(as->loop)->mono_us;
	for (struct heap_node *n; (n = heap_pop_due(&t->leases, now_us));) {
		struct device_traffic *d = CONTAINER_OF(n, struct device_traffic, lease);
		downlinks_lease_over(as, d);
		traffic_lease(as, d);
	}
	loop_timer_at(t->lease_timer, heap_deadline(&t->leases));
}

/** After loading: what belongs to no device goes, leases begin, sessions made by hand are taken over. */
static void settle_loaded(struct as *as)
{
	struct device_traffic *d, *next;
	HASH_ITER(hh, as->traffic->devices, d, next)
	{
		/* A crash can cut a deletion in two. */
		if (!registry_device_by_uid(&as->registry, d->uid)) {
			forget_device(as, d->uid);
			continue;
		}
		/* What was out when this process ended is out from now: its outcome has the lease's time
		 * to come in. */
		const struct device *dev = registry_device_by_uid(&as->registry, d->uid);
		queue_leases_renew(&d->queue, downlinks_listens_always(dev), loop_now(as->loop)->mono_us);
		traffic_lease(as, d);
	}
	for (struct device *dev = as->registry.by_uid; dev; dev = dev->by_uid.next)
		take_abp_session(as, dev);
}

int traffic_start(struct as *as, struct text *err)
{
	struct traffic *t = as->traffic = calloc(1, sizeof *t);
	if (!t)
		return -ENOMEM;
	static const uint8_t sessions[] = { TABLE_SESSIONS }, items[] = { TABLE_QUEUE }, batteries[] = { TABLE_BATTERIES };
	t->as = as;
	t->next_seq = 1;
	t->offers = t->offers_durable = 1; /* those found in the store */
	t->json = text_growing(JSON_MAX);
	t->queue_sink = (struct queue_sink){ put_item, del_item, as };
	int r = store_scan(as->store, (struct slice){ sessions, 1 }, (struct slice){ 0 }, load_sessions, as);
	if (!r)
		r = store_scan(as->store, (struct slice){ items, 1 }, (struct slice){ 0 }, load_item, as);
	if (!r)
		r = store_scan(as->store, (struct slice){ batteries, 1 }, (struct slice){ 0 }, load_battery, as);
	if (r) {
		text_printf(err, "the store's %s cannot be read: %s",
			r == -EBADMSG ? "session keys (is as.kek-file the one they were made with?)"
				      : "sessions and queues",
			strerror(-r));
		return r;
	}
	settle_loaded(as);
	registry_watch(&as->registry, &(struct registry_watch){ .device = on_device, .ctx = as });
	t->lease_timer = loop_timer_new(as->loop, leases_due, as);
	if (!t->lease_timer)
		return -ENOMEM;
	loop_timer_at(t->lease_timer, heap_deadline(&t->leases));
	return 0;
}

void traffic_stop(struct as *as)
{
	struct traffic *t = as->traffic;
	struct device_traffic *d, *next;
	if (!t)
		return;
	heap_done(&t->leases); /* looks at the devices */
	HASH_ITER(hh, t->devices, d, next) {
		HASH_DEL(t->devices, d);
		queue_done(&d->queue);
		crypto_forget(&d->sessions, sizeof d->sessions);
		free(d);
	}
	loop_timer_free(t->lease_timer);
	text_done(&t->json);
	free(t);
	as->traffic = NULL;
}

size_t traffic_items(const struct as *as, uint64_t *ret_oldest_unix_us)
{
	size_t n = 0;
	*ret_oldest_unix_us = UINT64_MAX;
	const struct queue *q;
	LIST_FOREACH(q, &as->traffic->queues, in_list) {
		uint64_t oldest_us = queue_oldest_unix_us(q);
		n += q->n;
		*ret_oldest_unix_us = oldest_us < *ret_oldest_unix_us ? oldest_us : *ret_oldest_unix_us;
	}
	return n;
}

struct tts_up traffic_envelope(struct as *as, const struct device *d)
{
	struct device_traffic *t = traffic_of(as, d->entry.uid, false);
	bool has_session = t && t->sessions.n;
	return (struct tts_up){
		.device = { .device_id = d->id,
			.application_id = d->app->id,
			.has_dev_eui = d->has_dev_eui,
			.has_join_eui = d->has_join_eui,
			.has_dev_addr = has_session,
			.dev_eui = d->dev_eui,
			.join_eui = d->join_eui,
			.dev_addr = has_session ? t->sessions.v[0].dev_addr : 0 },
		.received_unix_ns = loop_now(as->loop)->unix_us * 1000,
		.locations = texts_get(&d->texts, TEXT_LOCATIONS),
		.version_ids = texts_get(&d->texts, TEXT_VERSION_IDS),
		.attributes = texts_get(&d->texts, TEXT_ATTRIBUTES),
		.tenant_id = d->app->tenant,
	};
}

struct text *traffic_json(struct as *as)
{
	text_reset(&as->traffic->json);
	return &as->traffic->json;
}

void traffic_tell(struct as *as, const struct app *a, const char *device_id, const char *suffix, struct str json)
{
	char topic[256];
	struct text t = text_fixed(topic, sizeof topic);
	text_printf(&t, "/devices/%s/%s", device_id, suffix);
	applications_publish(as, a, text_str(&t), json);
}

int traffic_publish(
	struct as *as, const struct app *a, const char *device_id, const char *suffix, struct str json)
{
	TRY(integrations_publish(as, a, device_id, message_kind_of(str_of(suffix)), json));
	traffic_tell(as, a, device_id, suffix, json);
	return 0;
}
