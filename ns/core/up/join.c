/** @file Joins: the network's half. The application server checks the request, makes keys and answer. [LW1.0.4 6.2] */
#include "ns/core/up/join.h"
#include "ns/core/up/address.h"
#include "ns/core/down/downlink.h"
#include "ns/core/records.h"
#include "ns/core/up/uplink.h"
#include "proto/lorawan/security.h"
#include <stdlib.h>
#include <string.h>

enum { OTAA_RX1_DELAY_S = 5 };

/* What the join-accept tells the device of its windows. */
struct rx_wish {
	unsigned rx1_delay_s, rx1_dr_offset, rx2_dr;
	uint32_t rx2_hz;
};

/* A rejoin-request of type 2 leaves the radio as it is. */
static bool keeps_radio(const struct dev *d, uint8_t type)
{
	return type == 2 && d->current;
}

static struct rx_wish rx_wish_of(const struct dev *d, uint8_t type)
{
	const struct mac_settings *m = &d->mac;
	const struct session *s = d->current;
	if (keeps_radio(d, type))
		return (struct rx_wish){ s->rx1_delay_s, s->rx1_dr_offset, s->rx2_dr, s->rx2_hz };
	struct rx_wish w = { .rx1_delay_s = OTAA_RX1_DELAY_S, .rx2_dr = plan_rx2_dr(d->plan),
		.rx2_hz = MSG_HAS(m, rx2_freq_hz) ? m->rx2_freq_hz : d->plan->region->rx2_hz };
	if (MSG_HAS(m, desired_rx1_delay))
		w.rx1_delay_s = m->desired_rx1_delay;
	if (MSG_HAS(m, desired_rx1_dr_offset))
		w.rx1_dr_offset = m->desired_rx1_dr_offset;
	else if (MSG_HAS(m, rx1_dr_offset))
		w.rx1_dr_offset = m->rx1_dr_offset;
	if (MSG_HAS(m, desired_rx2_dr))
		w.rx2_dr = m->desired_rx2_dr;
	else if (MSG_HAS(m, rx2_dr))
		w.rx2_dr = m->rx2_dr;
	w.rx1_delay_s = w.rx1_delay_s & 15 ? w.rx1_delay_s & 15 : 1;
	return w;
}

static int ask(struct ns *ns, const struct exchange *x, const struct dev *d, const struct reception *r)
{
	struct rx_wish w = rx_wish_of(d, x->join_type);
	struct join_request m = { .device = d->uid, .dev_addr = address_choose(ns), .net_id = ns->config.net_id,
		.dl_settings = dl_settings_of(false, w.rx1_dr_offset, w.rx2_dr), .rx_delay = w.rx1_delay_s };
	m.phy.len = r->len;
	memcpy(m.phy.p, r->phy, r->len);
	if (!keeps_radio(d, x->join_type) && plan_cf_list(d->plan, (enum phy_version)d->phy_version, m.cf_list.p)) {
		m.cf_list.len = CF_LIST_LEN;
		MSG_MARK(&m, cf_list);
	}
	CIDS_ADD_ALL(&m.cids, &x->cids);
	CIDS_ADD(&m.cids, CID_RPC_NSJS_JOIN, ns_ulid(ns));
	return ns->ports.join(ns->ports.ctx, x->ticket, &m);
}

enum drop join_judge(const struct ns *ns, struct reception *r, const struct dev *d)
{
	if (!d)
		return DROP_DEVICE;
	if (!d->supports_join)
		return DROP_NO_JOIN;
	if (!d->plan || !d->rules)
		return DROP_NO_PLAN;
	int dr = region_dr(d->plan->region, (enum phy_version)d->phy_version, true, &r->modu);
	if (dr < 0)
		return DROP_MODULATION;
	r->dr = (uint8_t)dr;
	return ns->as_is_up ? DROP_NONE : DROP_AS_AWAY;
}

/* A device that joins listens as the region says; one that sends a rejoin-request goes on as before, but for the delay. */
static void set_windows(struct exchange *x, const struct dev *d, const struct reception *r)
{
	downlink_windows(x, d, x->join_type == JOIN_REQ_TYPE ? NULL : d->current, r->freq_hz, r->dr);
}

void join_ask(struct ns *ns, struct reception *r, struct dev *d, uint8_t type, const struct about *a)
{
	struct exchange *x = exchange_find(&ns->exchanges, d->join);
	if (x && x->hash == r->hash) {
		/* Its windows are still to come: a gateway with a slow line, which must not spoil the answer of the others. */
		uplink_drop(ns, r, DROP_GHOST, NULL, a);
		return;
	}
	x = exchange_open_join(&ns->exchanges, d);
	if (!x) {
		uplink_drop(ns, r, DROP_FULL, NULL, a);
		return;
	}
	x->join_type = type;
	x->hash = r->hash;
	x->cids = r->cids;
	x->first_unix_us = r->first_unix_us;
	x->asked_us = ns->now.mono_us;
	path_add(x->path, &x->n_paths, r->first);
	set_windows(x, d, r);
	if (ask(ns, x, d, r) != 0) {
		exchange_close(&ns->exchanges, x, d);
		uplink_drop(ns, r, DROP_AS_AWAY, NULL, a);
		return;
	}
	r->kind = RECEPTION_JOIN;
	r->device = d->uid;
	r->exchange = x->ticket;
	struct text *t = trace_begin(ns, type == JOIN_REQ_TYPE ? EVENT_NS_UP_JOIN_RECEIVE : EVENT_NS_UP_REJOIN_RECEIVE, a);
	uplink_age(ns, t, r);
	trace_end(ns);
	downlink_plan(ns, x);
	transmit_reserve(ns, x);
}

void join_first(struct ns *ns, struct reception *r, const struct frame *f)
{
	struct dev *d = devices_by_euis(&ns->devices, f->join.join_eui, f->join.dev_eui);
	struct about a = { .cids = &r->cids, .dev = d, .gateway = r->first->gateway, .dev_eui = f->join.dev_eui, .has_dev_eui = true,
		.join_eui = f->join.join_eui, .has_join_eui = !d };
	enum drop why = join_judge(ns, r, d);
	if (why != DROP_NONE)
		uplink_drop(ns, r, why, NULL, &a);
	else
		join_ask(ns, r, d, JOIN_REQ_TYPE, &a);
}

/* ---- the answer ---- */

/* A new session that waits for its first uplink. */
static struct session *session_of_answer(struct ns *ns, struct dev *d, const struct exchange *x, const struct join_answer *m)
{
	AUTO(session_free) struct session *s = session_new(d);
	struct join_story *story = s ? malloc(sizeof(*story)) : NULL;
	if (!story)
		return NULL;
	struct rx_wish w = rx_wish_of(d, x->join_type);
	*story = (struct join_story){ .cids = x->cids, .received_unix_us = x->first_unix_us };
	s->story = story;
	s->id = m->session_key_id;
	s->dev_addr = m->dev_addr;
	s->f_nwk_s_int = m->f_nwk_s_int_key;
	s->s_nwk_s_int = m->s_nwk_s_int_key;
	s->nwk_s_enc = m->nwk_s_enc_key;
	/* The join-accept has no word for it: where it depends on the channel, it stays where it was for the join-request. */
	if (d->plan->region->n_joins && !MSG_HAS(&d->mac, rx2_freq_hz) && x->window[RX2].is_there)
		w.rx2_hz = x->window[RX2].freq_hz;
	struct mac_rx rx = { (uint8_t)w.rx1_delay_s, (uint8_t)w.rx1_dr_offset, (uint8_t)w.rx2_dr, w.rx2_hz };
	uint8_t cf_list[CF_LIST_LEN];
	if (keeps_radio(d, x->join_type))
		mac_carry(s, d->current);
	else
		mac_begin(s, rx, plan_cf_list(d->plan, (enum phy_version)d->phy_version, cf_list));
	s->started_unix_us = ns->now.unix_us;
	s->is_v11 = MSG_HAS(m, v11) && m->v11;
	counter_start(&s->down, 0);
	counter_start(&s->app_down, 0);
	struct session *ret = s;
	devices_take_pending(&ns->devices, d, TAKE(s));
	record_session_put(ns, ret);
	return ret;
}

void ns_as_joined(struct ns *ns, const struct now *now, uint64_t call, const struct join_answer *m, const char *reason)
{
	ns->now = *now;
	struct exchange *x = exchange_find(&ns->exchanges, call);
	struct dev *d = x ? devices_find(&ns->devices, x->device) : NULL;
	if (!x || !d || !d->plan)
		return;
	struct about a = { .cids = &x->cids, .dev = d };
	if (!m) {
		struct text *t = trace_begin(ns, EVENT_NS_UP_JOIN_CLUSTER_FAIL, &a);
		json_name(t, "reason");
		json_puts(t, reason);
		trace_duration(ns, t, x->asked_us);
		trace_end(ns);
		exchange_close(&ns->exchanges, x, d);
		return;
	}
	/* The device has left the windows of what it sent before. Not earlier: anybody can send a join-request. */
	downlink_settle_device(ns, d);
	d->join = x->ticket;
	/* The same request may be answered twice with the same words; its session is made once. */
	struct session *s = dev_session(d, &m->session_key_id);
	if (!s)
		s = session_of_answer(ns, d, x, m);
	if (!s) {
		outcome_finish(ns, x, "no_memory");
		return;
	}
	x->session = s->id;
	x->batch = s->batch;
	x->len = m->phy.len;
	memcpy(x->phy, m->phy.p, m->phy.len);
	ns->counters.joins++;
	a.has_dev_addr = true;
	a.dev_addr = s->dev_addr;
	struct text *t = trace_begin(ns, x->join_type == JOIN_REQ_TYPE ? EVENT_NS_UP_JOIN_PROCESS : EVENT_NS_UP_REJOIN_PROCESS, &a);
	trace_duration(ns, t, x->asked_us);
	trace_end(ns);
}

void join_close(struct ns *ns, struct reception *r)
{
	if (r->n_copies > 1)
		uplink_merged(ns, EVENT_NS_UP_JOIN_MERGE, r, devices_find(&ns->devices, r->device));
	struct exchange *x = exchange_find(&ns->exchanges, r->exchange);
	struct dev *d = x ? devices_find(&ns->devices, x->device) : NULL;
	if (!x || !d || !d->plan || x->n_attempts)
		return;
	/* Every copy has named its gateway and frequency by now. */
	x->n_paths = 0;
	for (const struct copy *c = r->first; c; c = c->next)
		path_add(x->path, &x->n_paths, c);
	path_align(x->path, x->n_paths);
	set_windows(x, d, r);
	transmit_reserve(ns, x);
	if (x->state == EXCHANGE_WAIT && x->due.at)
		downlink_plan(ns, x);
}

void join_tell(struct ns *ns, struct session *s, const struct cid_list *cids)
{
	if (s->join_told || s->is_by_hand)
		return;
	struct ns_up *m = outbox_begin(ns, s->dev, s->story ? &s->story->cids : cids);
	MSG_MARK(m, join);
	m->join = (struct up_join){ .session_key_id = s->id, .dev_addr = s->dev_addr,
		.received_unix_us = s->story ? s->story->received_unix_us : ns->now.unix_us };
	outbox_put(ns);
	s->join_told = true;
	free(s->story);
	s->story = NULL;
}
