/** @file Uplinks: from a reception to a message for the application server. */
#include "ns/core/up/uplink.h"
#include "ns/core/down/class_c.h"
#include "ns/core/down/downlink.h"
#include "ns/core/mac/mac.h"
#include "ns/core/records.h"
#include "proto/lorawan/airtime.h"
#include <string.h>

void uplink_age(struct ns *ns, struct text *t, const struct reception *r)
{
	uint64_t heard_us = r->first ? r->first->rx.received_unix_us : 0;
	if (heard_us && heard_us <= ns->now.unix_us)
		trace_num(t, "duration_us", ns->now.unix_us - heard_us);
}

void uplink_drop(struct ns *ns, struct reception *r, enum drop why, const char *word, const struct about *a)
{
	static const enum event_id drops[] = { [MTYPE_JOIN_REQUEST] = EVENT_NS_UP_JOIN_DROP, [MTYPE_REJOIN] = EVENT_NS_UP_REJOIN_DROP };
	unsigned mtype = r->len > 0 ? r->phy[0] >> 5 : MTYPE_PROPRIETARY;
	r->kind = RECEPTION_DROPPED;
	drop_count(ns, why);
	trace_reason(ns, mtype < COUNT(drops) && drops[mtype] ? drops[mtype] : EVENT_NS_UP_DATA_DROP, a, word ? word : drop_word(why));
	for (struct copy *c = r->first; c; c = c->next) {
		ns_accept(ns, c->request);
		c->request = 0;
	}
}

/* ---- receptions ---- */

static int modu_of(const struct modulation *m, struct modu *ret)
{
	*ret = (struct modu){ .kind = (uint8_t)m->kind };
	if (m->kind > MODU_LR_FHSS || m->sf > 12)
		return -EINVAL;
	ret->sf = (uint8_t)m->sf;
	ret->bw_hz = m->bw_hz;
	ret->bit_rate = m->bit_rate;
	if (MSG_HAS(m, coding_rate) && modu_parse_codr(str_of(m->coding_rate), ret) != 0)
		return -EINVAL;
	return 0;
}

static struct gateway *gateway_heard(struct ns *ns, uint32_t gs, const struct gs_uplink *m)
{
	struct gateway *g = gateways_make(&ns->gateways, m->rx.gateway_eui, ns_ledger_us(ns, ns->now.mono_us));
	if (!g)
		return NULL;
	if (!g->uid)
		memcpy(g->id, m->rx.gateway_id, sizeof(g->id));
	uint64_t before_us = (uint64_t)m->age_us + m->path_us;
	g->gs = gs;
	g->can_send = m->can_send;
	g->path_us = m->path_us;
	g->clock.is_known = ns->now.mono_us > before_us;
	g->clock.mono_us = ns->now.mono_us - before_us;
	g->clock.tmst_us = m->rx.tmst_us;
	if (MSG_HAS(&m->rx, gps_ms))
		g->gps_us = ns->now.mono_us;
	const struct plan *p = MSG_HAS(m, plan) ? plan_find(str_of(m->plan)) : NULL;
	if (p)
		gateway_set_region(g, p->region);
	return g;
}

static void copy_fill(const struct ns *ns, struct copy *c, struct gateway *g, const struct gs_uplink *m)
{
	uint64_t before = (uint64_t)m->age_us + m->path_us;
	const struct cid *id = CIDS_FIND(&m->cids, CID_GS_UPLINK);
	c->gateway = g;
	c->rx = m->rx;
	c->path_us = m->path_us;
	c->freq_hz = m->freq_hz;
	c->heard_mono_us = ns->now.mono_us > before ? ns->now.mono_us - before : 0;
	if (id)
		c->uplink = id->id;
}

/* A copy that came after the window: its gateway is a way to the device all the same. */
static void remember_late(struct ns *ns, const struct reception *r, const struct copy *c)
{
	if (!r->is_closed || r->kind != RECEPTION_DATA || c->freq_hz != r->freq_hz)
		return;
	struct dev *d = devices_find(&ns->devices, r->device);
	struct session *s = d ? dev_session(d, &r->session) : NULL;
	if (s)
		hearers_add(s, c);
}

/* Another copy of a frame that is known. */
static void copy_add(struct ns *ns, struct reception *r, struct gateway *g, const struct gs_uplink *m, uint64_t request)
{
	const struct cid *id = CIDS_FIND(&m->cids, CID_GS_UPLINK);
	struct copy late = { .next = NULL }, *c = &late;
	struct copy *same = id ? dedup_copy_of(r, &id->id) : NULL;
	if (same) {
		/* Its gs asks again, as it lost the connection: now this is what the frame's acceptance answers. */
		drop_count(ns, DROP_RESENT);
		ns_accept_now(ns, same->request);
		same->request = request;
		return;
	}
	if (!r->is_closed && r->kind != RECEPTION_DROPPED) {
		struct copy *kept = dedup_copy(&ns->dedup, r);
		if (kept) {
			c = kept;
			c->request = request;
		} else {
			drop_count(ns, DROP_COPIES);
		}
	}
	copy_fill(ns, c, g, m);
	if (c == &late)
		ns_accept(ns, request); /* not before the frame itself: it may be its first copy, sent again */
	remember_late(ns, r, c);
	struct exchange *x = c->freq_hz == r->freq_hz ? exchange_find(&ns->exchanges, r->exchange) : NULL;
	if (!x || !path_add(x->path, &x->n_paths, c))
		return;
	path_align(x->path, x->n_paths);
	transmit_reserve(ns, x);
	if (x->state == EXCHANGE_WAIT && x->due.at)
		downlink_plan(ns, x);
}

static void data_first(struct ns *ns, struct reception *r, const struct frame *f);

static void classify(struct ns *ns, struct reception *r)
{
	struct frame f;
	struct about a = { .cids = &r->cids, .gateway = r->first ? r->first->gateway : NULL };
	int rc = frame_parse((struct slice){ r->phy, r->len }, &f);
	if (rc != 0)
		uplink_drop(ns, r, DROP_FORM, frame_error_word(rc), &a);
	else if (f.mtype == MTYPE_DATA_UP || f.mtype == MTYPE_CONFIRMED_UP)
		data_first(ns, r, &f);
	else if (f.mtype == MTYPE_JOIN_REQUEST)
		join_first(ns, r, &f);
	else if (f.mtype == MTYPE_REJOIN)
		rejoin_first(ns, r, &f);
	else
		uplink_drop(ns, r, DROP_TYPE, NULL, &a);
}

void ns_gs_uplink(struct ns *ns, const struct now *now, uint32_t gs, uint64_t request, const struct gs_uplink *m)
{
	struct modu modu;
	ns->now = *now;
	ns->counters.copies++;
	if (ns->is_failing) {
		ns_refuse(ns, request, "store_unavailable", "the store of the network server cannot take it now");
		return;
	}
	struct gateway *g = gateway_heard(ns, gs, m);
	if (modu_of(&m->mod, &modu) != 0) {
		drop_count(ns, DROP_MODULATION);
		ns_accept_now(ns, request);
		return;
	}
	struct reception *r = dedup_find(&ns->dedup, m, &modu);
	if (r) {
		copy_add(ns, r, g, m, request);
		return;
	}
	if (!outbox_has_room(ns)) {
		ns->counters.outbox_refused++;
		ns_refuse(ns, request, "outbox_full", "the application server has been away for too long: the outbox is full");
		return;
	}
	r = dedup_add(&ns->dedup, m, &modu, now);
	struct copy *c = r ? dedup_copy(&ns->dedup, r) : NULL;
	if (!c) {
		drop_count(ns, DROP_FULL);
		ns_refuse(ns, request, "busy", "more frames at once than the network server holds");
		if (r)
			r->kind = RECEPTION_DROPPED;
		return;
	}
	copy_fill(ns, c, g, m);
	c->request = request;
	CIDS_ADD_ALL(&r->cids, &m->cids);
	CIDS_ADD(&r->cids, CID_NS_UPLINK, ns_ulid(ns));
	classify(ns, r);
}

void uplink_promote(struct ns *ns, struct session *s, const struct cid_list *cids)
{
	struct dev *d = s->dev;
	if (d->current)
		downlink_session_ends(ns, d->current, cids);
	devices_promote(&ns->devices, d);
	record_session_del(ns, d, SLOT_PENDING);
	record_session_put(ns, s);
}

/* ---- data frames, first copy ---- */

/* A repetition that is too early or too late is no repetition of the device's. */
static enum drop judge_repeat(const struct ns *ns, struct reception *r, struct session *s, bool is_confirmed)
{
	uint64_t since = s->seen_mono_us ? ns->now.mono_us - s->seen_mono_us : 0;
	/* No device repeats a frame before its windows: this is a copy that came late. */
	if (s->seen_mono_us && since < s->rx1_delay_s * SEC_US)
		return DROP_GHOST;
	if (s->repeats >= NS_REPEATS_MAX)
		return DROP_REPEATS;
	s->repeats++;
	/* A captured frame sent once more opens no window at the device: what waits there must not be spent on it. */
	r->is_stale = !s->seen_mono_us || since > s->rx1_delay_s * SEC_US + NS_REPEAT_US;
	return r->is_stale && !is_confirmed ? DROP_REPEATS : DROP_NONE;
}

static enum drop data_rate(struct reception *r, const struct dev *d)
{
	if (!d->plan || !d->rules)
		return DROP_NO_PLAN;
	int dr = region_dr(d->plan->region, (enum phy_version)d->phy_version, true, &r->modu);
	if (dr < 0)
		return DROP_MODULATION;
	r->dr = (uint8_t)dr;
	unsigned most = region_max_payload(d->plan->region, (enum phy_version)d->phy_version, true, r->dr, DWELL_OFF);
	return d->rules->drops_long && r->len > most + 1 + MIC_LEN ? DROP_LENGTH : DROP_NONE;
}

/* An operator who sees a counter refused wants to know which was expected, and whether the device just began again. */
static void about_counter(struct about *a, const struct match *m, const struct frame *f)
{
	bool is_old = m->drop == DROP_F_CNT || m->drop == DROP_F_CNT_REUSED;
	if (!is_old && m->drop != DROP_F_CNT_GAP)
		return;
	a->has_f_cnt = true;
	a->f_cnt = m->f_cnt;
	a->next_f_cnt = m->session->up_next;
	if (is_old && m->session->is_by_hand && !f->data.ack && m->f_cnt == f->data.f_cnt16)
		a->hint = "if the device began its counter again: end-devices reset, or mac_settings.resets_f_cnt (which lets replays in)";
}

static void data_first(struct ns *ns, struct reception *r, const struct frame *f)
{
	struct match m;
	match_data(ns, r, f, match_content(f), &m);
	struct about a = { .cids = &r->cids, .dev = m.dev, .gateway = r->first->gateway, .dev_addr = f->data.dev_addr, .has_dev_addr = true };
	if (m.drop == DROP_NONE)
		m.drop = data_rate(r, m.dev);
	if (m.drop == DROP_NONE && m.is_repeat)
		m.drop = judge_repeat(ns, r, m.session, f->mtype == MTYPE_CONFIRMED_UP);
	if (m.drop != DROP_NONE) {
		about_counter(&a, &m, f);
		uplink_drop(ns, r, m.drop, NULL, &a);
		return;
	}
	struct session *s = m.session;
	if (s->is_pending)
		uplink_promote(ns, s, &r->cids);
	r->kind = RECEPTION_DATA;
	r->device = s->dev->uid;
	r->session = s->id;
	r->f_cnt = m.f_cnt;
	r->is_repeat = m.is_repeat;
	r->is_ack = m.is_ack;
	if (!m.is_repeat) {
		if (m.is_ack)
			session_conf_acked(s, m.conf_f_cnt);
		s->up_next = (uint64_t)m.f_cnt + 1;
		s->last_content = match_content(f);
		s->repeats = 0;
	}
	s->last_dr = r->dr;
	s->up_end_us = r->first->heard_mono_us;
	s->seen_mono_us = ns->now.mono_us;
	s->seen_unix_us = ns->now.unix_us;
	struct text *t = trace_begin(ns, EVENT_NS_UP_DATA_RECEIVE, &a);
	trace_num(t, "f_cnt", m.f_cnt);
	if (m.is_repeat || m.is_reset) {
		json_name(t, m.is_reset ? "reset" : "repeated");
		json_truth(t, true);
	}
	uplink_age(ns, t, r);
	trace_end(ns);
}

/* ---- data frames, window over ---- */

/* What is told of all copies names each of them, so that a story has those of the other gateways too. */
static void cids_of_all(const struct reception *r, struct cid_list *ret)
{
	*ret = r->cids;
	for (const struct copy *c = r->first; c; c = c->next)
		CIDS_ADD(ret, CID_GS_UPLINK, c->uplink);
	for (const struct copy *c = r->beside; c; c = c->next)
		CIDS_ADD(ret, CID_GS_UPLINK, c->uplink);
}

void uplink_merged(struct ns *ns, enum event_id event, const struct reception *r, const struct dev *d)
{
	struct cid_list cids;
	cids_of_all(r, &cids);
	struct about a = { .cids = &cids, .dev = d };
	struct text *t = trace_begin(ns, event, &a);
	if (r->kind == RECEPTION_DATA)
		trace_num(t, "f_cnt", r->f_cnt);
	trace_num(t, "gateways", r->n_copies);
	uplink_age(ns, t, r);
	trace_end(ns);
}

static void run_mac(struct mac_run *run, const struct frame *f)
{
	uint8_t plain[PHY_MAX];
	const struct session *s = run->session;
	bool is_payload = f->data.has_port && f->data.f_port == PORT_MAC;
	struct slice commands = is_payload ? f->data.frm : f->data.f_opts;
	struct frame_id id = { .dev_addr = s->dev_addr, .f_cnt = run->reception->f_cnt, .is_up = true };
	int rc = 0;
	if (commands.n)
		memcpy(plain, commands.p, commands.n);
	if (is_payload)
		rc = cipher_frm(run->ns->config.crypto, &s->nwk_s_enc, &id, plain, commands.n);
	else if (s->is_v11)
		rc = cipher_f_opts(run->ns->config.crypto, &s->nwk_s_enc, &id, false, plain, commands.n);
	if (rc != 0)
		return;
	commands.p = plain;
	mac_take(run, commands);
}

static void put_data(struct ns *ns, const struct reception *r, const struct session *s, const struct frame *f)
{
	const struct dev *d = s->dev;
	struct ns_up *m = outbox_begin(ns, d, &r->cids);
	struct up_data *u = &m->data;
	MSG_MARK(m, data);
	u->has = 0;
	u->session_key_id = s->id;
	u->dev_addr = s->dev_addr;
	u->f_cnt = r->f_cnt;
	if (f->data.has_port)
		MSG_SET(u, f_port, f->data.f_port);
	if (f->data.has_port && f->data.f_port != PORT_MAC) {
		u->frm.len = (uint16_t)f->data.frm.n;
		if (f->data.frm.n)
			memcpy(u->frm.p, f->data.frm.p, f->data.frm.n);
		MSG_MARK(u, frm);
	}
	if (f->mtype == MTYPE_CONFIRMED_UP)
		MSG_SET(u, confirmed, true);
	if (f->data.adr)
		MSG_SET(u, adr, true);
	u->rx.len = 0;
	for (const struct copy *c = r->first; c; c = c->next)
		u->rx.v[u->rx.len++] = c->rx;
	u->freq_hz = r->freq_hz;
	modulation_set(&u->mod, &r->modu);
	u->dr = r->dr;
	int channel = mac_channel_of(s, r->freq_hz, r->dr);
	if (channel >= 0)
		MSG_SET(u, device_channel, (uint32_t)channel);
	u->received_unix_us = r->first_unix_us;
	u->airtime_us = airtime_us(&r->modu, r->len, true);
	MSG_SET(u, per_e4, adr_loss_e4(&s->mac.adr));
	MSG_SET(u, net_id, ns->config.net_id);
	outbox_put(ns);
}

/* A confirmed downlink was sent: this uplink says whether it was heard. */
static void settle_confirmed(struct ns *ns, const struct reception *r, struct session *s, bool ack)
{
	/* One that was on air before the downlink was (class C) has nothing to say of it. */
	if (!s->confirmed.is_there || (!ack && r->first->heard_mono_us < s->air_until_us))
		return;
	outbox_outcome(ns, s->dev, &r->cids, &(struct outcome){ .kind = ack ? OUTCOME_ACK : OUTCOME_NACK, .flight = &s->confirmed,
		.result = -1 });
	s->confirmed.is_there = false;
	if (ack)
		s->conf.n_old = s->conf.n; /* attempts of the same item */
	else
		downlink_set_waiting(ns, s->dev, 1); /* it goes back to its queue, and into this uplink's window */
}

enum { FHDR_LEN = 7 };

static size_t above(unsigned n, unsigned used)
{
	return n > used ? n - used : 0;
}

static size_t at_most(size_t n, size_t max)
{
	return n < max ? n : max;
}

/* Octets that answers and requests may take in whichever window. */
static struct mac_room room_of(const struct ns *ns, const struct exchange *x, const struct reception *r, const struct dev *d)
{
	unsigned down = downlink_least_payload(x, d);
	unsigned up = region_max_payload(d->plan->region, (enum phy_version)d->phy_version, true, r->dr, d->current && mac_has_up_dwell(d->current));
	return (struct mac_room){ .f_opts = at_most(above(down, FHDR_LEN), FOPTS_MAX), .port_0 = at_most(above(down, FHDR_LEN + 1), MAC_DOWN_MAX),
		.up = at_most(above(up, FHDR_LEN), FOPTS_MAX), .is_free = downlink_waiting(ns, d) == 0 };
}

static void plan_answer(struct mac_run *run, struct reception *r, const struct frame *f)
{
	struct ns *ns = run->ns;
	struct session *s = run->session;

	struct exchange *x = exchange_open(&ns->exchanges, s->dev);
	if (!x)
		return;
	r->exchange = x->ticket;
	x->session = s->id;
	x->wants_ack = f->mtype == MTYPE_CONFIRMED_UP;
	x->wants_any = f->data.adr_ack_req;
	x->no_pull = r->is_stale;
	x->batch = ns->is_dirty ? ns->batch : ns->batch - 1;
	x->told = ns->outbox.tail;
	x->first_unix_us = r->first_unix_us;
	x->up_f_cnt = r->f_cnt;
	x->cids = r->cids;
	for (const struct copy *c = r->first; c; c = c->next)
		path_add(x->path, &x->n_paths, c);
	path_align(x->path, x->n_paths);
	downlink_windows(x, s->dev, s, r->freq_hz, r->dr);
	if (!r->is_stale) {
		struct mac_room room = room_of(ns, x, r, s->dev);
		mac_ask(run, &room);
	}
	x->wants_any |= run->wants_any;
	x->has_requests = run->has_requests;
	x->has_more = run->has_more;
	x->mac_len = (uint8_t)run->answers->len;
	if (run->answers->len)
		memcpy(x->mac, run->answers->p, run->answers->len);
	transmit_reserve(ns, x);
	downlink_plan(ns, x);
}

static void data_close(struct ns *ns, struct reception *r)
{
	struct dev *d = devices_find(&ns->devices, r->device);
	struct session *s = d ? dev_session(d, &r->session) : NULL;
	struct frame f;
	if (!s || !d->plan || frame_parse((struct slice){ r->phy, r->len }, &f) != 0)
		return; /* the registry changed meanwhile */
	struct exchange *old = exchange_find(&ns->exchanges, d->exchange);
	if (!r->is_repeat)
		downlink_settle_device(ns, d);
	else if (old)
		downlink_settle(ns, old); /* but no captured frame sent again costs a join its answer */
	struct about a = { .cids = &r->cids, .dev = d };
	uint8_t buf[MAC_DOWN_MAX];
	struct writer answers = writer_of(buf, sizeof(buf));
	struct mac_run run = { .ns = ns, .dev = d, .session = s, .reception = r, .about = &a, .answers = &answers,
		.has_adr = f.data.adr };
	if (r->is_repeat) {
		ns->counters.repeats++;
		run_mac(&run, &f);
		adr_heard_again(&s->mac.adr);
	} else {
		ns->counters.uplinks++;
		join_tell(ns, s, &r->cids);
		settle_confirmed(ns, r, s, r->is_ack);
		run_mac(&run, &f);
		mac_settle(&run);
		put_data(ns, r, s, &f);
		s->up_stored = (uint64_t)r->f_cnt + 1;
	}
	hearers_set(s, r->first);
	record_live_put(ns, s);
	uplink_merged(ns, EVENT_NS_UP_DATA_PROCESS, r, d);
	if (!MSG_HAS(&d->mac, schedule_downlinks) || d->mac.schedule_downlinks)
		plan_answer(&run, r, &f);
	record_mac_put(ns, s);
	class_c_heard(ns, d);
}

static void accept_all(struct ns *ns, const struct copy *c)
{
	for (; c; c = c->next)
		ns_accept(ns, c->request);
}

void uplink_close(struct ns *ns, struct reception *r)
{
	dedup_choose(r);
	for (const struct copy *c = r->beside; c; c = c->next) {
		struct about a = { .cids = &r->cids, .dev = devices_find(&ns->devices, r->device), .gateway = c->gateway };
		drop_count(ns, DROP_GHOST);
		trace_reason(ns, r->kind == RECEPTION_JOIN ? EVENT_NS_UP_JOIN_DROP : EVENT_NS_UP_DATA_DROP, &a, drop_word(DROP_GHOST));
	}
	if (r->kind == RECEPTION_DATA)
		data_close(ns, r);
	else if (r->kind == RECEPTION_JOIN)
		join_close(ns, r);
	accept_all(ns, r->first);
	accept_all(ns, r->beside);
	dedup_drop_copies(&ns->dedup, r);
}
