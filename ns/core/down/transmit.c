/** @file What is sent and through whom: frames and emissions. */
#include "ns/core/down/cast.h"
#include "ns/core/down/downlink.h"
#include "ns/core/mac/mac.h"
#include "ns/core/records.h"
#include "ns/core/down/seal.h"
#include "proto/lorawan/airtime.h"
#include "proto/tables.h"
#include <string.h>

enum { TRIES_MAX = 3 };    /* in one window, so that some are left for the next */
enum { RESERVED_MAX = 3, FRAME_LEAST = 12 }; /* gateways that may send one answer; octets of an ACK */

/* ---- the frame ---- */

int transmit_build(struct ns *ns, struct exchange *x, const struct pulled *item)
{
	struct dev *d = devices_find(&ns->devices, x->device);
	struct session *s = d ? dev_session(d, &x->session) : NULL;
	if (!s)
		return -ENOENT;
	/* The item's counter was spent when it was handed out. */
	x->f_cnt = item ? d->flight.f_cnt : counter_spend(session_net_counter(s));
	x->priority = item ? (uint8_t)item->priority : PRIORITY_HIGHEST;
	struct seal m = { .f_cnt = x->f_cnt, .is_confirmed = item && item->confirmed, .ack = x->wants_ack, .ack_f_cnt = x->up_f_cnt,
		.adr = !d->multicast && mac_adr_settings(d).mode != ADR_DISABLED,
		.f_pending = !x->cast && (x->has_more || (item ? item->more : downlink_waiting(ns, d) > 0)), .commands = { x->mac, x->mac_len } };
	if (item && MSG_HAS(item, f_port)) {
		m.has_port = true;
		m.f_port = (uint8_t)item->f_port;
		m.frm = (struct slice){ item->frm.p, item->frm.len };
	}
	size_t n;
	TRY(seal_data(ns->config.crypto, s, &m, x->phy, &n));
	x->len = (uint16_t)n;
	return 0;
}

void modulation_set(struct modulation *ret, const struct modu *m)
{
	*ret = (struct modulation){ .kind = m->kind };
	if (m->sf)
		MSG_SET(ret, sf, m->sf);
	if (m->bw_hz)
		MSG_SET(ret, bw_hz, m->bw_hz);
	if (m->bit_rate)
		MSG_SET(ret, bit_rate, m->bit_rate);
	if (m->cr && str_copy(str_of(modu_codr(m)), ret->coding_rate, sizeof(ret->coding_rate)) == 0)
		MSG_MARK(ret, coding_rate);
}

/* ---- gateways ---- */

static const struct region *region_of(const struct ns *ns, const struct exchange *x)
{
	const struct dev *d = devices_find(&ns->devices, x->device);
	return d && d->plan ? d->plan->region : NULL;
}

int transmit_eirp_dbm(const struct gateway *g, uint32_t freq_hz)
{
	int eirp = region_down_eirp_dbm(g->ledger.region, freq_hz), cap = gateway_power_cap(g, freq_hz);
	return cap && cap < eirp ? cap : eirp;
}

/* A forwarder says the same again, unless it only wants another power. */
static bool was_refused(const struct exchange *x, const struct gateway *g)
{
	size_t tries = 0;
	for (const struct attempt *a = x->attempts; a; a = a->next) {
		bool is_here = a->window == x->at, is_weaker = a->result == TX_RESULT_TX_POWER && g->ledger.region &&
			transmit_eirp_dbm(g, x->window[x->at].freq_hz) < a->eirp_dbm;
		tries += is_here;
		if (a->gateway == g && ((is_here && !is_weaker) || a->result == TX_RESULT_NOT_CONNECTED))
			return true;
	}
	return tries >= TRIES_MAX;
}

static struct ledger_tx tx_of(const struct ns *ns, const struct exchange *x, const struct path *p, unsigned window, size_t len)
{
	const struct window *w = &x->window[window];
	return (struct ledger_tx){ .tmst_us = p->tmst_us + (uint32_t)w->delay_us,
		.start_us = ns_ledger_us(ns, p->heard_mono_us + w->delay_us), .freq_hz = w->freq_hz,
		.airtime_us = airtime_us(&w->modu, len, false), .priority = x->len ? x->priority : PRIORITY_HIGHEST };
}

/* Why a gateway cannot send; NULL: it can. */
static const char *obstacle(struct ns *ns, const struct exchange *x, const struct path *p, const struct ledger_tx *t)
{
	struct gateway *g = p->gateway;
	if (!g->gs || !ns->gs_is_up[g->gs] || !g->can_send || was_refused(x, g))
		return "no_downlink_path";
	if (ns->now.mono_us > path_latest_us(p, x->window[x->at].delay_us))
		return "too_late";
	if (!g->ledger.region)
		gateway_set_region(g, region_of(ns, x));
	switch (ledger_check(&g->ledger, t, ns->durable)) {
	case 0: return NULL;
	case LEDGER_E_CONFLICT: return "conflict";
	case LEDGER_E_BAND: return "frequency";
	default: return "duty_cycle";
	}
}

bool transmit_is_possible(struct ns *ns, const struct exchange *x, size_t len, const char **ret_why)
{
	*ret_why = "no_downlink_path";
	for (size_t i = 0; i < x->n_paths; i++) {
		struct ledger_tx t = tx_of(ns, x, &x->path[i], x->at, len);
		const char *why = obstacle(ns, x, &x->path[i], &t);
		if (!why)
			return true;
		*ret_why = why;
	}
	return false;
}

void transmit_reserve_at(struct ns *ns, struct gateway *g, uint32_t freq_hz)
{
	uint8_t record[LEDGER_RECORD];
	unsigned band;
	if (ledger_reserve(&g->ledger, freq_hz, ns_ledger_us(ns, ns->now.mono_us), ns->batch, &band, record))
		ns_put(ns, NS_LEDGER, g->eui, (int)band, (struct slice){ record, sizeof(record) });
}

/* Has a gateway air left for the least answer? Where not, the next in line may have to send. */
static bool has_air(struct ns *ns, const struct exchange *x, const struct path *p)
{
	for (unsigned w = 0; w < WINDOWS; w++) {
		struct ledger_tx t = tx_of(ns, x, p, w, FRAME_LEAST);
		int rc = x->window[w].is_there ? ledger_check(&p->gateway->ledger, &t, ns->durable) : LEDGER_E_BAND;
		if (rc != LEDGER_E_DUTY && rc != LEDGER_E_BAND)
			return true;
	}
	return false;
}

void transmit_reserve(struct ns *ns, const struct exchange *x)
{
	const struct region *r = region_of(ns, x);
	size_t n = 0;
	for (size_t i = 0; i < x->n_paths && n < RESERVED_MAX && r; i++) {
		struct gateway *g = x->path[i].gateway;
		if (!g->gs || !g->can_send)
			continue;
		if (!g->ledger.region)
			gateway_set_region(g, r);
		for (unsigned w = 0; w < WINDOWS; w++)
			if (x->window[w].is_there)
				transmit_reserve_at(ns, g, x->window[w].freq_hz);
		n += has_air(ns, x, &x->path[i]);
	}
}

/* ---- emissions ---- */

static void set_when(struct tx_request *m, const struct shot *s, uint64_t now_us)
{
	m->wait_us = (uint32_t)(s->start_us > now_us ? s->start_us - now_us : 0);
	switch (s->when) {
	case SHOT_TMST: MSG_SET(m, tmst_us, s->tmst_us); break;
	case SHOT_GPS: MSG_SET(m, gps_ms, s->gps_ms); break;
	case SHOT_TIMED: MSG_SET(m, at_us, m->wait_us); break;
	default: MSG_SET(m, at_us, 0);
	}
}

static void set_request(struct ns *ns, const struct exchange *x, const struct shot *s, const struct attempt *a, struct tx_request *m)
{
	const struct window *w = &x->window[x->at];
	const struct gateway *g = s->gateway;
	*m = (struct tx_request){ .transmission = a->id, .gateway_eui = g->eui, .freq_hz = w->freq_hz };
	CIDS_ADD_ALL(&m->cids, &x->cids);
	CIDS_ADD(&m->cids, CID_NS_TRANSMISSION, a->id);
	CIDS_ADD(&m->cids, CID_RPC_NSGS_SCHEDULE, ns_ulid(ns));
	set_when(m, s, ns->now.mono_us);
	m->eirp_dbm = transmit_eirp_dbm(g, w->freq_hz);
	modulation_set(&m->mod, &w->modu);
	m->phy.len = x->len;
	memcpy(m->phy.p, x->phy, x->len);
	m->airtime_us = airtime_us(&w->modu, x->len, false);
	MSG_SET(m, window, x->cast ? WINDOW_CLASS_C : x->at + 1U);
}

void skipped_add(struct skipped *s, const struct gateway *g, const char *why)
{
	if (s->n < COUNT(s->v)) {
		s->v[s->n].gateway = g;
		s->v[s->n].why = why;
	}
	s->n++;
}

static void skipped_write(struct text *t, const struct skipped *s)
{
	if (!s || !s->n)
		return;
	json_name(t, "skipped");
	json_open(t, '[');
	for (unsigned i = 0; i < s->n && i < COUNT(s->v); i++) {
		json_open(t, '{');
		json_name(t, "gateway_id");
		json_puts(t, s->v[i].gateway->id);
		json_name(t, "reason");
		json_puts(t, s->v[i].why);
		json_close(t, '}');
	}
	json_close(t, ']');
	if (s->n > COUNT(s->v)) {
		json_name(t, "skipped_count");
		json_unum(t, s->n);
	}
}

/* The gateways that could have been chosen, as they are preferred. */
static void considered_write(struct text *t, const struct exchange *x, const struct leg *leg)
{
	enum { NAMED_MAX = 5 };
	size_t n = leg ? leg->n : x->n_paths;
	json_name(t, "considered");
	json_open(t, '[');
	for (size_t i = 0; i < n && i < NAMED_MAX; i++)
		json_puts(t, leg ? x->cast->way[leg->first + i].gateway->id : x->path[i].gateway->id);
	json_close(t, ']');
	if (n > NAMED_MAX) {
		json_name(t, "considered_count");
		json_unum(t, n);
	}
}

static void tell(struct ns *ns, const struct exchange *x, const struct shot *s, const struct tx_request *m)
{
	struct about about = { .cids = &x->cids, .dev = devices_find(&ns->devices, x->device), .gateway = s->gateway,
		.transmission = &m->transmission };
	struct text *t = trace_begin(ns, x->is_join ? EVENT_NS_DOWN_JOIN_SCHEDULE_ATTEMPT : EVENT_NS_DOWN_DATA_SCHEDULE_ATTEMPT, &about);
	trace_num(t, "window", m->window);
	trace_num(t, "f_cnt", x->f_cnt);
	trace_num(t, "frequency", m->freq_hz);
	trace_num(t, "data_rate_index", x->window[x->at].dr);
	json_name(t, "eirp");
	json_num(t, m->eirp_dbm);
	json_name(t, "due");
	json_time(t, (ns->now.unix_us + m->wait_us) * 1000);
	trace_num(t, "lead_us", m->wait_us);
	if (s->latest_us > ns->now.mono_us)
		trace_num(t, "margin_us", s->latest_us - ns->now.mono_us);
	trace_num(t, "airtime_us", m->airtime_us);
	trace_num(t, "size", m->phy.len);
	considered_write(t, x, s->leg);
	skipped_write(t, s->skipped);
	trace_end(ns);
}

void skipped_tell(struct ns *ns, const struct exchange *x, const struct skipped *s)
{
	struct about about = { .cids = &x->cids, .dev = devices_find(&ns->devices, x->device) };
	if (!s->n)
		return;
	struct text *t = trace_begin(ns, x->is_join ? EVENT_NS_DOWN_JOIN_SCHEDULE_SKIP : EVENT_NS_DOWN_DATA_SCHEDULE_SKIP, &about);
	trace_num(t, "window", x->cast ? WINDOW_CLASS_C : x->at + 1U);
	skipped_write(t, s);
	trace_end(ns);
}

/* Commands that the device is to answer have left; an acknowledgement may name this counter. */
static void has_left(struct ns *ns, const struct exchange *x)
{
	struct dev *d = devices_find(&ns->devices, x->device);
	struct session *s = d ? dev_session(d, &x->session) : NULL;
	if (s && x->has_requests)
		mac_asked_out(s);
	if (s && x->phy[0] >> 5 == MTYPE_CONFIRMED_DOWN)
		session_conf_add(s, &d->flight.item, x->f_cnt);
}

/* No other frame to this device before the end of this one. */
static void air_is_taken(struct ns *ns, const struct exchange *x, struct attempt *a, uint64_t until_us)
{
	struct dev *d = devices_find(&ns->devices, x->device);
	struct session *s = d ? dev_session(d, &x->session) : NULL;
	a->air_before_us = s ? s->air_until_us : 0;
	if (s && s->air_until_us < until_us)
		s->air_until_us = until_us;
}

struct attempt *transmit_emit(struct ns *ns, struct exchange *x, const struct shot *s, const struct ledger_tx *t)
{
	struct ulid id = ns_ulid(ns);
	struct attempt *a = attempt_add(&ns->exchanges, x, &id);
	if (!a)
		return NULL;
	struct tx_request m;
	a->gateway = s->gateway;
	a->window = x->at;
	a->until_us = s->until_us;
	a->asked_us = ns->now.mono_us;
	set_request(ns, x, s, a, &m);
	a->eirp_dbm = (int8_t)m.eirp_dbm;
	tell(ns, x, s, &m);
	ledger_book(&s->gateway->ledger, t, &id);
	if (ns->ports.schedule(ns->ports.ctx, s->gateway->gs, &m) != 0) {
		ledger_unbook(&s->gateway->ledger, &id);
		a->end = ATTEMPT_REFUSED;
		a->result = TX_RESULT_NOT_CONNECTED;
		return NULL;
	}
	air_is_taken(ns, x, a, s->start_us + t->airtime_us + t->slack_us);
	ns->counters.downlinks++;
	has_left(ns, x);
	return a;
}

static bool emit(struct ns *ns, struct exchange *x, const struct path *p, const struct ledger_tx *t, const struct skipped *skipped)
{
	uint64_t start_us = p->heard_mono_us + x->window[x->at].delay_us;
	struct shot s = { .gateway = p->gateway, .start_us = start_us, .until_us = start_us + t->airtime_us + NS_TX_ACK_US, .when = SHOT_TMST,
		.tmst_us = t->tmst_us, .latest_us = path_latest_us(p, x->window[x->at].delay_us), .skipped = skipped };
	return transmit_emit(ns, x, &s, t) != NULL;
}

/* When to stop waiting for the outcome: where RX2 can still be had, at its moment. */
static uint64_t patience_us(const struct exchange *x, const struct path *p)
{
	if (x->at == RX1 && x->window[RX2].is_there)
		return path_latest_us(p, x->window[RX2].delay_us) - NS_MARGIN_US;
	return x->attempts->until_us;
}

bool transmit_send(struct ns *ns, struct exchange *x)
{
	struct skipped skipped = { .n = 0 };
	for (size_t i = 0; i < x->n_paths; i++) {
		const struct path *p = &x->path[i];
		struct ledger_tx t = tx_of(ns, x, p, x->at, x->len);
		const char *why = obstacle(ns, x, p, &t);
		if (why || !emit(ns, x, p, &t, &skipped)) {
			skipped_add(&skipped, p->gateway, why ? why : "no_downlink_path");
			continue;
		}
		x->state = EXCHANGE_OUT;
		if (heap_set(&ns->exchanges.due, &x->due, patience_us(x, p)) != 0)
			return false;
		transmit_reserve(ns, x);
		return true;
	}
	skipped_tell(ns, x, &skipped);
	return false;
}
