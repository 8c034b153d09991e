/** @file Data uplinks, joins and statuses become messages. */
#include "as/formatters/publish.h"
#include "as/formatters/told.h"
#include "as/forwards.h"
#include "as/locations.h"
#include "as/telemetry.h"
#include "as/traces.h"
#include "as/traffic.h"
#include "common/core/json_out.h"
#include "common/log.h"
#include "proto/bus/event_log.h"
#include "proto/lorawan/frame.h"
#include "proto/lorawan/security.h"
#include <string.h>

/** @param list  borrowed by the envelope */
static struct tts_up envelope(struct as *as, const struct device *d, const struct kept *k, struct told_cids *list)
{
	struct tts_up u = traffic_envelope(as, d);
	told_cids(k, list);
	u.cids = list->v;
	u.n_cids = list->len;
	u.own_cids = k->own_cids;
	u.own_cids_n = k->own_cids_n;
	u.is_simulated = k->is_simulated;
	u.received_unix_ns = k->taken_unix_us * 1000;
	u.has_net_id = MSG_HAS(k->m, net_id);
	u.net_id = k->m->net_id;
	return u;
}

static void write_arrival(struct text *t, const struct kept *k, const struct up_data *up)
{
	uint64_t received_unix_us = up ? up->received_unix_us : k->m->join.received_unix_us;
	json_open(t, '{');
	if (up) {
		json_name(t, "f_cnt");
		json_unum(t, up->f_cnt);
	}
	if (up && MSG_HAS(up, f_port)) {
		json_name(t, "f_port");
		json_unum(t, up->f_port);
	}
	if (up && MSG_HAS(up, frm)) {
		json_name(t, "size");
		json_unum(t, up->frm.len);
	}
	if (received_unix_us && received_unix_us <= k->taken_unix_us) {
		json_name(t, "duration_us");
		json_unum(t, k->taken_unix_us - received_unix_us);
	}
	json_close(t, '}');
}

/** Of data and joins; a status is told once it is published. */
void publish_received(struct as *as, const struct device *d, const struct kept *k)
{
	const struct up_data *up = MSG_HAS(k->m, data) ? &k->m->data : NULL;
	enum event_id e = up ? EVENT_AS_UP_DATA_RECEIVE : EVENT_AS_UP_JOIN_RECEIVE;
	struct traces_of of = { .device = d, .own = k->own_cids, .own_n = k->own_cids_n };
	struct told_cids list;
	char data[128];
	struct text t = text_fixed(data, sizeof data);
	if ((!up && !MSG_HAS(k->m, join)) || !traces_wants(as, e, d))
		return;
	if (k->is_simulated)
		text_puts(&t, "{\"simulated\":true}");
	else
		write_arrival(&t, k, up);
	told_cids(k, &list);
	traces_note(as, e, &of, list.v, list.len, data);
}

int publish_decrypt(struct as *as, const struct device *d, struct kept *k)
{
	struct up_data *up = &k->m->data;
	if (k->is_simulated || !MSG_HAS(k->m, data) || !MSG_HAS(up, frm) || !up->frm.len)
		return 0;
	struct device_traffic *t = traffic_of(as, d->entry.uid, false);
	struct session *s = t ? sessions_find(&t->sessions, &up->session_key_id) : NULL;
	if (!s)
		return -ENOKEY;
	struct frame_id id = { .dev_addr = up->dev_addr, .f_cnt = up->f_cnt, .is_up = true };
	return cipher_frm(as->crypto, &s->app_s_key, &id, up->frm.p, up->frm.len);
}

void publish_undecrypted(struct as *as, const struct device *d, const struct kept *k, int e)
{
	const char *why = e == -ENOKEY ? "{\"reason\":\"unknown_session\"}" : "{\"reason\":\"decrypt\"}";
	char cid[CID_TEXT_MAX];
	struct told_cids list;
	told_cids(k, &list);
	as->metrics.uplinks_undecrypted++;
	LOG(LOG_ERROR, "uplink_not_decrypted", KV_Z("cid", event_log_cid(list.v, list.len, cid)), KV_Z("device", d->path), KV_U("fcnt", k->m->data.f_cnt),
		KV_Z("error", strerror(-e)));
	traces_add(as, EVENT_AS_UP_DATA_DROP, d, list.v, list.len, why);
}

static const char *text_of(const struct text *t)
{
	return t->len ? t->p : NULL;
}

/** A message for each measurement. @return 0; -errno of the store */
static int publish_measurements(struct as *as, const struct device *d, const struct up_data *up, const struct tts_up *u, const struct normalized *n)
{
	for (size_t i = 0; n && i < n->n; i++) {
		tts_normalized(traffic_json(as), u, up, normalized_at(n, i), text_of(&n->warnings));
		TRY(forwards_publish(as, d, "up/normalized", u, (const enum event_id[]){ EVENT_AS_UP_NORMALIZED_FORWARD, EVENT_AS_UP_NORMALIZED_WAIT }, 0));
	}
	return 0;
}

/** Where the payload says that the device is: kept with its other locations, if nobody made it up. @return 0; -errno of the store */
static int keep_location(struct as *as, const struct device *d, const struct kept *k, struct tts_up *u, const struct decoded *x)
{
	if (!x->location || k->is_simulated)
		return 0;
	TRY(locations_keep(as, d->entry.uid, x->location));
	u->locations = texts_get(&d->texts, TEXT_LOCATIONS);
	return 0;
}

static int publish_location(struct as *as, const struct device *d, const struct tts_up *u, const struct decoded *x)
{
	if (!x->location)
		return 0;
	tts_location_solved(traffic_json(as), u, LOCATION_SERVICE, x->location);
	return forwards_publish(as, d, "location/solved", u, (const enum event_id[]){ EVENT_AS_UP_LOCATION_FORWARD, EVENT_AS_UP_LOCATION_WAIT }, 0);
}

static int publish_data(struct as *as, const struct device *d, const struct kept *k, struct tts_up *u, const struct decoded *x)
{
	const struct up_data *up = &k->m->data;
	struct tts_extras extras = { .decoded_payload = x->payload, .decoded_warnings = x->warnings,
		.normalized_payload = x->normalized ? text_of(&x->normalized->valid) : NULL,
		.normalized_warnings = x->normalized ? text_of(&x->normalized->warnings) : NULL, .battery = traffic_battery(as, d->entry.uid) };
	if (!k->is_simulated) {
		u->device.has_dev_addr = true;
		u->device.dev_addr = up->dev_addr; /* of the session that sent it, which may be an older one */
	}
	TRY(telemetry_keep_uplink(as, d, up, x->payload));
	TRY(keep_location(as, d, k, u, x));
	tts_uplink(traffic_json(as), u, up, (struct slice){ up->frm.p, MSG_HAS(up, frm) ? up->frm.len : 0 }, &extras);
	if (!k->is_simulated) {
		as->metrics.uplinks++;
		histogram_add(&as->metrics.uplink_age, us_since(up->received_unix_us, loop_now(as->loop)->unix_us));
	}
	TRY(forwards_publish(as, d, "up", u, (const enum event_id[]){ EVENT_AS_UP_DATA_FORWARD, EVENT_AS_UP_DATA_WAIT },
		k->is_simulated ? 0 : up->received_unix_us));
	TRY(publish_measurements(as, d, up, u, x->normalized));
	return publish_location(as, d, u, x);
}

static int publish_join(struct as *as, const struct device *d, const struct up_join *j, struct tts_up *u)
{
	u->device.has_dev_addr = true;
	u->device.dev_addr = j->dev_addr;
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

int publish_kept(struct as *as, const struct device *d, const struct kept *k, const struct decoded *x)
{
	struct told_cids list;
	struct tts_up u = envelope(as, d, k, &list);
	if (MSG_HAS(k->m, data))
		return publish_data(as, d, k, &u, x ? x : &(struct decoded){ 0 });
	if (MSG_HAS(k->m, join))
		return publish_join(as, d, &k->m->join, &u);
	return MSG_HAS(k->m, status) ? publish_status(as, d, &k->m->status, &u) : 0;
}
