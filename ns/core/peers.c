/** @file Peers that come and go: gateway servers with their gateways' status, and the application server. */
#include "ns/core/down/class_c.h"
#include "ns/core/down/downlink.h"
#include "ns/core/mac/mac_report.h"
#include "ns/core/registry.h"
#include <string.h>

_Static_assert(COUNT(((struct gateway_status *)0)->sub_bands.v) >= REGION_BANDS, "a status has room for each sub-band");

static void status_tell(struct ns *ns, const struct gateway *g)
{
	struct gateway_status m = *g->status;
	if (g->ledger.region) {
		m.sub_bands.len = (uint16_t)gateway_sub_bands(g, ns_ledger_us(ns, ns->now.mono_us), m.sub_bands.v);
		MSG_MARK(&m, sub_bands);
	}
	if (ns->as_is_up)
		ns->ports.tell_as(ns->ports.ctx, NSAS_STATUS, &m);
}

void ns_gs_up(struct ns *ns, const struct now *now, uint32_t gs)
{
	ns->now = *now;
	ns->gs_is_up[gs] = true;
	registry_send_all(ns, gs);
}

void ns_gs_down(struct ns *ns, const struct now *now, uint32_t gs)
{
	ns->now = *now;
	ns->gs_is_up[gs] = false;
	for (struct gateway *g = ns->gateways.by_eui; g; g = g->by_eui.next) {
		if (g->gs != gs)
			continue;
		g->gs = 0;
		g->can_send = false;
		if (g->status) {
			g->status->connected = g->status->can_send = false;
			status_tell(ns, g);
		}
	}
}

void ns_gs_status(struct ns *ns, const struct now *now, uint32_t gs, const struct gateway_status *m)
{
	ns->now = *now;
	struct gateway *g = gateways_make(&ns->gateways, m->gateway_eui, ns_ledger_us(ns, ns->now.mono_us));
	if (!g || gateway_set_status(g, m) != 0)
		return;
	if (!g->uid)
		memcpy(g->id, m->gateway_id, sizeof(g->id));
	const struct plan *p = MSG_HAS(m, plan) ? plan_find(str_of(m->plan)) : NULL;
	if (p)
		gateway_set_region(g, p->region);
	if (MSG_HAS(m, path_us))
		g->path_us = m->path_us;
	gateway_set_clocks(g, m);
	g->gs = gs;
	g->can_send = m->connected && m->can_send;
	status_tell(ns, g);
}

void ns_as_up(struct ns *ns, const struct now *now)
{
	ns->now = *now;
	ns->as_is_up = true;
	for (struct gateway *g = ns->gateways.by_eui; g; g = g->by_eui.next)
		if (g->status)
			status_tell(ns, g);
	outbox_rewind(ns);
}

void ns_as_down(struct ns *ns, const struct now *now)
{
	ns->now = *now;
	ns->as_is_up = false;
	ns->as_named_all = false;
	ns->as_epoch++;
	outbox_rewind(ns);
}

void ns_as_took(struct ns *ns, const struct now *now, uint64_t seq, bool ok)
{
	ns->now = *now;
	outbox_took(ns, seq, ok);
}

static void tell_announced(struct ns *ns, const struct dev *d, const struct waiting *w)
{
	struct cid_list cids = { .len = 0 };
	struct about about = { .dev = d, .cids = &cids };
	if (!MSG_HAS(w, item))
		return;
	CIDS_ADD(&cids, CID_AS_DOWNLINK, w->item);
	struct text *t = trace_begin(ns, EVENT_NS_DOWN_DATA_ANNOUNCE, &about);
	trace_num(t, "waiting", w->items);
	trace_end(ns);
}

void ns_as_queued(struct ns *ns, const struct now *now, const struct downlink_queued *m)
{
	ns->now = *now;
	if (MSG_HAS(m, all) && m->all) {
		ns->as_epoch++;
		ns->as_named_all = true;
	}
	for (size_t i = 0; i < m->v.len; i++) {
		struct dev *d = devices_find(&ns->devices, m->v.v[i].device);
		if (!d)
			continue;
		if (!MSG_HAS(m, all))
			tell_announced(ns, d, &m->v.v[i]);
		downlink_queued(ns, d, m->v.v[i].items);
		class_c_queued(ns, d, &m->v.v[i]);
	}
}

void ns_as_pulled(struct ns *ns, const struct now *now, const struct ns_pull *call, const struct pulled *m)
{
	ns->now = *now;
	downlink_pulled(ns, call, m);
}

void ns_heard_as(struct ns *ns, struct log_rule *r)
{
	const struct dev *d = MSG_HAS(r, device) ? devices_find(&ns->devices, r->device) : NULL;
	const struct session *sessions[] = { d ? d->current : NULL, d ? d->pending : NULL };
	r->dev_addrs.len = 0;
	for (size_t i = 0; i < COUNT(sessions); i++)
		if (sessions[i])
			r->dev_addrs.v[r->dev_addrs.len++] = (struct log_dev_addr){ .dev_addr = sessions[i]->dev_addr };
	if (r->dev_addrs.len)
		MSG_MARK(r, dev_addrs);
}

static void report_keys(const struct session *s, struct device_state *ret)
{
	MSG_SET(ret, f_nwk_s_int_key, s->f_nwk_s_int);
	if (!s->is_v11)
		return;
	MSG_SET(ret, s_nwk_s_int_key, s->s_nwk_s_int);
	MSG_SET(ret, nwk_s_enc_key, s->nwk_s_enc);
}

/* What only a session of 1.1 counts. */
static void report_v11(const struct session *s, struct device_state *ret)
{
	if (s->app_down.next)
		MSG_SET(ret, last_a_f_cnt_down, (uint32_t)(s->app_down.next - 1));
	if (s->conf.n || s->conf.has_acked)
		MSG_SET(ret, last_conf_f_cnt_down, s->conf.n ? s->conf.v[s->conf.n - 1] : s->conf.acked);
	if (s->rejoin_next)
		MSG_SET(ret, last_rj_count_0, s->rejoin_next - 1);
}

int ns_as_device(const struct ns *ns, const struct device_query *q, struct device_state *ret)
{
	const struct dev *d = devices_find(&ns->devices, q->device);
	if (!d)
		return -ENOENT;
	*ret = (struct device_state){ .has = 0 };
	const struct session *s = d->current;
	if (s) {
		MSG_SET(ret, dev_addr, s->dev_addr);
		MSG_SET(ret, session_key_id, s->id);
		MSG_SET(ret, has_up, s->up_next > 0);
		if (s->up_next)
			MSG_SET(ret, last_f_cnt_up, (uint32_t)(s->up_next - 1));
		if (s->down.next)
			MSG_SET(ret, last_f_cnt_down, (uint32_t)(s->down.next - 1));
		if (s->is_v11)
			report_v11(s, ret);
		if (MSG_HAS(q, keys) && q->keys)
			report_keys(s, ret);
		MSG_SET(ret, started_unix_us, s->started_unix_us);
		if (s->seen_unix_us) {
			MSG_SET(ret, last_seen_unix_us, s->seen_unix_us);
			MSG_SET(ret, dr, s->last_dr);
		}
		MSG_SET(ret, rx1_delay, s->rx1_delay_s);
		MSG_SET(ret, rx2_dr, s->rx2_dr);
		MSG_SET(ret, rx2_freq_hz, s->rx2_hz);
		MSG_SET(ret, rx1_dr_offset, s->rx1_dr_offset);
		mac_report(s, ret);
	}
	if (d->pending) {
		MSG_SET(ret, pending_dev_addr, d->pending->dev_addr);
		MSG_SET(ret, pending_session_key_id, d->pending->id);
	}
	return 0;
}
