/** @file Messages of the ns's outbox: decrypted, published, and acknowledged once it is durable that they
 * were taken. */
#include "as/core/intake.h"
#include "as/downlinks.h"
#include "as/forwards.h"
#include "as/store.h"
#include "as/telemetry.h"
#include "as/traces.h"
#include "as/unlinked.h"
#include "common/core/json_out.h"
#include "common/log.h"
#include "proto/bus/event_log.h"
#include "proto/lorawan/frame.h"
#include "proto/lorawan/security.h"
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

/** FRMPayload under AppSKey becomes plain, in place. @return 0; -ENOKEY the session is not known here; -EIO
 */
static int decrypt(struct as *as, const struct device *d, struct up_data *up)
{
	struct device_traffic *t = traffic_of(as, d->entry.uid, false);
	struct session *s = t ? sessions_find(&t->sessions, &up->session_key_id) : NULL;
	if (!MSG_HAS(up, frm) || !up->frm.len)
		return 0;
	if (!s)
		return -ENOKEY;
	struct frame_id id = { .dev_addr = up->dev_addr, .f_cnt = up->f_cnt, .is_up = true };
	return cipher_frm(as->crypto, &s->app_s_key, &id, up->frm.p, up->frm.len);
}

/** The first event of a message: how long it took to come here. */
static void tell_received(struct as *as, enum event_id e, const struct device *d, uint64_t received_unix_us,
	const struct up_data *up, const struct tts_up *u)
{
	char data[128];
	struct text t = text_fixed(data, sizeof data);
	uint64_t now_us = loop_now(as->loop)->unix_us;
	if (!traces_wants(as, e, d))
		return;
	json_open(&t, '{');
	if (up) {
		json_name(&t, "f_cnt");
		json_unum(&t, up->f_cnt);
	}
	if (up && MSG_HAS(up, f_port)) {
		json_name(&t, "f_port");
		json_unum(&t, up->f_port);
	}
	if (up && MSG_HAS(up, frm)) {
		json_name(&t, "size");
		json_unum(&t, up->frm.len);
	}
	if (received_unix_us && received_unix_us <= now_us) {
		json_name(&t, "duration_us");
		json_unum(&t, now_us - received_unix_us);
	}
	json_close(&t, '}');
	traces_add(as, e, d, u->cids, u->n_cids, data);
}

/** One that cannot be decrypted is dropped. @return 0; -errno of the store */
static int publish_data(struct as *as, const struct device *d, struct up_data *up, struct tts_up *u)
{
	struct tts_extras x = { .battery = traffic_battery(as, d->entry.uid) };
	u->device.has_dev_addr = true;
	u->device.dev_addr = up->dev_addr; /* of the session that sent it, which may be an older one */
	int r = decrypt(as, d, up);
	tell_received(as, EVENT_AS_UP_DATA_RECEIVE, d, up->received_unix_us, up, u);
	if (r) {
		as->metrics.uplinks_undecrypted++;
		const char *why =
			r == -ENOKEY ? "{\"reason\":\"unknown_session\"}" : "{\"reason\":\"decrypt\"}";
		char cid[CID_TEXT_MAX];
		LOG(LOG_ERROR, "uplink_not_decrypted", KV_Z("cid", event_log_cid(u->cids, u->n_cids, cid)), KV_Z("device", d->path), KV_U("fcnt", up->f_cnt),
			KV_Z("error", strerror(-r)));
		traces_add(as, EVENT_AS_UP_DATA_DROP, d, u->cids, u->n_cids, why);
		return 0;
	}
	TRY(telemetry_keep_uplink(as, d, up, NULL));
	tts_uplink(traffic_json(as), u, up, (struct slice){ up->frm.p, MSG_HAS(up, frm) ? up->frm.len : 0 }, &x);
	as->metrics.uplinks++;
	histogram_add(&as->metrics.uplink_age, us_since(up->received_unix_us, loop_now(as->loop)->unix_us));
	return forwards_publish(as, d, "up", u, (const enum event_id[]){ EVENT_AS_UP_DATA_FORWARD, EVENT_AS_UP_DATA_WAIT },
		up->received_unix_us);
}

static int publish_join(struct as *as, const struct device *d, const struct up_join *j, struct tts_up *u)
{
	u->device.has_dev_addr = true;
	u->device.dev_addr = j->dev_addr;
	tell_received(as, EVENT_AS_UP_JOIN_RECEIVE, d, j->received_unix_us, NULL, u);
	tts_join(traffic_json(as), u, j);
	as->metrics.joins++;
	return forwards_publish(as, d, "join", u, (const enum event_id[]){ EVENT_AS_UP_JOIN_FORWARD, EVENT_AS_UP_JOIN_WAIT },
		j->received_unix_us);
}

static int publish_status(struct as *as, const struct device *d, const struct up_status *s, const struct tts_up *u)
{
	struct tts_battery b = { .level = (uint8_t)s->battery, .f_cnt = s->f_cnt,
		.received_unix_us = MSG_HAS(s, received_unix_us) ? s->received_unix_us : u->received_unix_ns / 1000 };
	TRY(traffic_keep_battery(as, d->entry.uid, &b));
	TRY(telemetry_keep_status(as, d, s));
	tts_status(traffic_json(as), u, s);
	return forwards_publish(as, d, "service/data", u, (const enum event_id[]){ EVENT_AS_UP_SERVICE_FORWARD, EVENT_AS_UP_SERVICE_WAIT }, 0);
}

/** @return 0; -errno of the store: not taken */
static int take(struct as *as, struct ns_up *m)
{
	struct device *d = registry_device_by_uid(&as->registry, m->device);
	struct { uint16_t len; struct cid v[CIDS_SHOWN]; } list = { 0 };
	cids_add_all(&list.len, list.v, COUNT(list.v), m->cids.v, m->cids.len);
	if (MSG_HAS(m, restarted))
		return downlinks_ns_restarted(as);
	if (!d)
		return 0; /* deleted meanwhile */
	if (MSG_HAS(m, outcome))
		return downlinks_outcome(as, d, list.v, list.len, &m->outcome);
	CIDS_ADD(&list, CID_AS_UP, ulid_make(loop_now(as->loop)->unix_us, &as->rng));
	struct tts_up u = traffic_envelope(as, d);
	u.cids = list.v;
	u.n_cids = list.len;
	u.has_net_id = MSG_HAS(m, net_id);
	u.net_id = m->net_id;
	if (MSG_HAS(m, data)) {
		TRY(downlinks_session(as, d, &m->data.session_key_id, m->cids.v, m->cids.len));
		downlinks_heard(as, d);
		return publish_data(as, d, &m->data, &u);
	}
	if (MSG_HAS(m, join))
		return publish_join(as, d, &m->join, &u);
	return MSG_HAS(m, status) ? publish_status(as, d, &m->status, &u) : 0;
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
