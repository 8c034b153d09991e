/** @file What the application server knows of a device or gateway by itself. */
#include "as/api/why_facts.h"
#include "as/applications.h"
#include "as/core/formatters/formatter.h"
#include "as/scripts/pool.h"
#include "as/stations.h"
#include "as/traffic.h"
#include "proto/lorawan/version.h"
#include "proto/region/plan.h"
#include <stdio.h>
#include <string.h>

enum { TWINS_LOOKED_AT = 200000 }; /* devices among which a second one of the same DevEUI is looked for */

/** Another device of this DevEUI, of an application that the asker may read. */
static void find_twin(const struct api_call *c, struct why_facts *f)
{
	const struct registry *r = &c->as->registry;
	if (!c->device->has_dev_eui || HASH_CNT(by_uid, r->by_uid) > TWINS_LOOKED_AT)
		return;
	for (const struct device *d = r->by_uid; d; d = d->by_uid.next) {
		if (d == c->device || !d->has_dev_eui || d->dev_eui != c->device->dev_eui)
			continue;
		if (rights_expand(rights_on_app(c->key, d->app)) & RIGHT_BIT(RIGHT_APPLICATION_DEVICES_READ)) {
			snprintf(f->twin, sizeof f->twin, "%s", d->path);
			return;
		}
	}
}

static void take_queue(const struct api_call *c, struct why_facts *f)
{
	static const enum why_item_state states[] = { [ITEM_WAITING] = WHY_ITEM_WAITS, [ITEM_FLYING] = WHY_ITEM_FLIES, [ITEM_AWAITED] = WHY_ITEM_AWAITED };
	const struct device_traffic *t = traffic_of(c->as, c->device->entry.uid, false);
	const struct item *i = t ? t->queue.first : NULL;
	if (!i)
		return;
	f->queued = (uint32_t)t->queue.n;
	f->head = (struct why_item){ .state = states[i->state], .f_port = i->f_port, .size = i->payload_n, .attempt = i->attempt,
		.max_attempts = i->max_attempts, .misses = i->misses, .is_confirmed = i->confirmed, .queued_us = i->queued_unix_us,
		.at_us = i->at_unix_us };
}

static void take_application(const struct api_call *c, struct why_facts *f)
{
	const struct app *a = c->device->app;
	struct formatters formatters;
	f->is_linked = app_is_linked(a);
	formatters_of(a, c->device, &formatters);
	if (formatters.up.kind != FORMATTER_NONE && (!formatter_runs(&formatters.up) ||
		    (formatters.up.kind == FORMATTER_JAVASCRIPT && !scripts_available(c->as))))
		snprintf(f->unserved, sizeof f->unserved, "%s", formatter_name(formatters.up.kind));
	for (const struct api_key *k = a->keys; k; k = k->next_of_owner)
		f->keys_expired += k->expires_unix_us && k->expires_unix_us <= f->now_us;
	f->knows_listeners = true;
	applications_count(c->as, a, &f->listeners, &f->away);
}

void why_facts_device(const struct api_call *c, struct why_facts *f)
{
	const struct device *d = c->device;
	snprintf(f->app, sizeof f->app, "%s", d->app->key);
	snprintf(f->dev, sizeof f->dev, "%s", d->id);
	f->uid = d->entry.uid;
	f->is_lorawan = device_is_lorawan(d);
	f->supports_join = d->supports_join;
	f->is_multicast = d->multicast;
	f->has_dev_eui = d->has_dev_eui;
	f->dev_eui = d->dev_eui;
	f->join_eui = d->join_eui;
	f->resets_f_cnt = MSG_HAS(&d->mac, resets_f_cnt) && d->mac.resets_f_cnt;
	f->resets_join_nonces = d->resets_join_nonces;
	f->has_app_key = d->has_app_key;
	f->has_nwk_key = d->has_nwk_key;
	f->is_class_c = d->class_c;
	f->is_v11 = d->mac_version >= LW_1_1_0;
	snprintf(f->version, sizeof f->version, "%s", mac_version_plain(d->mac_version));
	snprintf(f->plan, sizeof f->plan, "%s", d->plan);
	if (d->session.present)
		f->addresses[f->n_addresses++] = d->session.dev_addr;
	find_twin(c, f);
	take_queue(c, f);
	take_application(c, f);
}

void why_facts_live(struct why_facts *f, const struct device_state *s)
{
	f->has_live = s;
	if (!s)
		return;
	f->has_session = MSG_HAS(s, dev_addr);
	f->has_pending = MSG_HAS(s, pending_dev_addr);
	f->has_up = MSG_HAS(s, has_up) && s->has_up;
	f->dev_addr = MSG_HAS(s, dev_addr) ? s->dev_addr : 0;
	f->last_f_cnt_up = s->last_f_cnt_up;
	f->last_f_cnt_down = MSG_HAS(s, last_f_cnt_down) ? s->last_f_cnt_down : 0;
	f->started_us = MSG_HAS(s, started_unix_us) ? s->started_unix_us : 0;
	f->heard_us = MSG_HAS(s, last_seen_unix_us) ? s->last_seen_unix_us : 0;
	if (MSG_HAS(s, device_class))
		f->is_class_c = s->device_class == 2;
	if (MSG_HAS(s, current) && MSG_HAS(&s->current, duty_cycle))
		f->duty_cycle_exponent = s->current.duty_cycle < 32 ? s->current.duty_cycle : 0;
	if (f->has_session && f->n_addresses < WHY_ADDRESSES)
		f->addresses[f->n_addresses++] = f->dev_addr;
	if (f->has_pending && f->n_addresses < WHY_ADDRESSES)
		f->addresses[f->n_addresses++] = s->pending_dev_addr;
}

struct looking {
	struct as *as;
	struct why_facts *f;
	const struct region *region; /**< of the device; NULL: any */
	const char *id;              /**< only this one; NULL: all */
};

/** The sub-band that is used most of its limit. */
static void take_airtime(struct why_gateway *g, const struct gateway_status *s)
{
	for (size_t i = 0; MSG_HAS(s, sub_bands) && i < s->sub_bands.len; i++) {
		const struct sub_band *b = &s->sub_bands.v[i];
		if (!b->limit_ppm || (g->limit_ppm && (uint64_t)b->used_ppm * g->limit_ppm <= (uint64_t)g->used_ppm * b->limit_ppm))
			continue;
		g->used_ppm = b->used_ppm;
		g->limit_ppm = b->limit_ppm;
		g->band_min_hz = b->min_hz;
		g->band_max_hz = b->max_hz;
	}
}

static void take_station(void *ctx, const struct station *st)
{
	struct looking *l = ctx;
	const struct gateway_status *s = &st->status;
	if (l->id && strcmp(l->id, st->id))
		return;
	const char *said = MSG_HAS(s, plan) ? s->plan : "";
	const struct plan *p = *said ? plan_find(str_of(said)) : NULL;
	struct why_gateway g = { .eui = s->gateway_eui,
		.is_registered = registry_gateway(&l->as->registry, str_of(st->id)),
		.is_connected = !st->disconnected_unix_us, .can_send = s->can_send, .has_address = MSG_HAS(s, address),
		.is_in_band = !l->region || (p && p->region == l->region),
		.last_uplink_us = MSG_HAS(s, last_uplink_unix_us) ? s->last_uplink_unix_us : 0,
		.connected_us = MSG_HAS(s, connected_unix_us) ? s->connected_unix_us : 0,
		.disconnected_us = st->disconnected_unix_us,
		.uplinks = s->uplinks, .downlinks = s->downlinks, .tx_acks = s->tx_acks,
		.path_us = MSG_HAS(s, path_us) ? s->path_us : 0 };
	snprintf(g.id, sizeof g.id, "%s", st->id);
	snprintf(g.plan, sizeof g.plan, "%s", said);
	take_airtime(&g, s);
	why_add_gateway(l->f, &g);
}

void why_facts_gateways(struct as *as, struct why_facts *f, const char *id)
{
	const struct plan *p = !id && f->plan[0] ? plan_find(str_of(f->plan)) : NULL;
	struct looking l = { .as = as, .f = f, .region = p ? p->region : NULL, .id = id };
	stations_each(as, take_station, &l);
	if (id && f->n_gateways)
		f->about = &f->gateways[0];
}
