/** @file What is sent and through whom: frames, emissions, their outcomes. */
#include "ns/core/downlink.h"
#include "ns/core/records.h"
#include "ns/core/uplink.h"
#include "proto/lorawan/airtime.h"
#include "proto/lorawan/security.h"
#include "proto/tables.h"
#include <string.h>

enum { POWER_STEP_DB = 3, POWER_LEAST_DBM = 2 };

/* ---- the frame ---- */

int transmit_build(struct ns *ns, struct exchange *x, const struct pulled *item)
{
	struct dev *d = devices_find(&ns->devices, x->device);
	struct session *s = d ? dev_session(d, &x->session) : NULL;
	if (!s)
		return -ENOENT;
	/* The item's counter was spent when it was handed out. */
	x->f_cnt = item ? d->flight.f_cnt : counter_spend(&s->down);
	x->priority = item ? (uint8_t)item->priority : PRIORITY_HIGHEST;
	struct frame f = { .mtype = item && item->confirmed ? MTYPE_CONFIRMED_DOWN : MTYPE_DATA_DOWN };
	f.data = (struct frame_data){ .dev_addr = s->dev_addr, .f_cnt16 = (uint16_t)x->f_cnt, .ack = x->wants_ack,
		.f_pending = item && item->more, .f_opts = { x->mac, x->mac_len } };
	if (item && MSG_HAS(item, f_port)) {
		f.data.has_port = true;
		f.data.f_port = (uint8_t)item->f_port;
		f.data.frm = (struct slice){ item->frm.p, item->frm.len };
	}
	struct writer w = writer_of(x->phy, sizeof(x->phy));
	TRY(frame_write(&f, &w));
	struct frame_id id = { .dev_addr = s->dev_addr, .f_cnt = x->f_cnt };
	TRY(mic_data(ns->config.crypto, &s->s_nwk_s_int, &id, (struct slice){ x->phy, w.len - MIC_LEN }, x->phy + w.len - MIC_LEN));
	x->len = (uint16_t)w.len;
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

static bool was_refused(const struct exchange *x, const struct gateway *g)
{
	for (const struct attempt *a = x->attempts; a; a = a->next)
		if (a->gateway == g && (a->window == x->at || a->result == TX_RESULT_NOT_CONNECTED))
			return true;
	return false;
}

static struct ledger_tx tx_of(const struct ns *ns, const struct exchange *x, const struct path *p, size_t len)
{
	const struct window *w = &x->window[x->at];
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
		struct ledger_tx t = tx_of(ns, x, &x->path[i], len);
		const char *why = obstacle(ns, x, &x->path[i], &t);
		if (!why)
			return true;
		*ret_why = why;
	}
	return false;
}

void transmit_reserve(struct ns *ns, const struct exchange *x)
{
	const struct region *r = region_of(ns, x);
	for (size_t i = 0; i < x->n_paths && i < 2 && r; i++)
		for (unsigned w = 0; w < WINDOWS; w++) {
			struct gateway *g = x->path[i].gateway;
			uint8_t record[LEDGER_RECORD];
			unsigned band;
			if (!g->ledger.region)
				gateway_set_region(g, r);
			if (x->window[w].is_there && ledger_reserve(&g->ledger, x->window[w].freq_hz, ns_ledger_us(ns, ns->now.mono_us),
				ns->batch, &band, record))
				ns_put(ns, NS_LEDGER, g->eui, (int)band, (struct slice){ record, sizeof(record) });
		}
}

/* ---- emissions ---- */

static void about_exchange(const struct ns *ns, const struct exchange *x, const struct gateway *g, struct about *ret)
{
	*ret = (struct about){ .cids = &x->cids, .dev = devices_find(&ns->devices, x->device), .gateway = g };
}

static const char *event_name(const struct exchange *x, const char *data, const char *join)
{
	return x->is_join ? join : data;
}

/* What the law allows, or less where the forwarder has no such power. */
static int eirp_of(const struct gateway *g, uint32_t freq_hz)
{
	const struct region *r = g->ledger.region;
	const struct region_band *b = region_band(r, freq_hz);
	int eirp = region_down_eirp_dbm(r, freq_hz), cap = b ? g->power_cap_dbm[b - r->bands] : 0;
	return cap && cap < eirp ? cap : eirp;
}

static void set_request(struct ns *ns, const struct exchange *x, const struct path *p, const struct attempt *a, struct tx_request *m)
{
	const struct window *w = &x->window[x->at];
	const struct gateway *g = p->gateway;
	*m = (struct tx_request){ .transmission = a->id, .gateway_eui = g->eui, .freq_hz = w->freq_hz };
	CIDS_ADD_ALL(&m->cids, &x->cids);
	CIDS_ADD(&m->cids, CID_NS_TRANSMISSION, a->id);
	CIDS_ADD(&m->cids, CID_RPC_NSGS_SCHEDULE, ns_ulid(ns));
	MSG_SET(m, tmst_us, p->tmst_us + (uint32_t)w->delay_us);
	m->eirp_dbm = eirp_of(g, w->freq_hz);
	modulation_set(&m->mod, &w->modu);
	m->phy.len = x->len;
	memcpy(m->phy.p, x->phy, x->len);
	m->airtime_us = airtime_us(&w->modu, x->len, false);
	uint64_t start = p->heard_mono_us + w->delay_us;
	m->wait_us = (uint32_t)(start > ns->now.mono_us ? start - ns->now.mono_us : 0);
	MSG_SET(m, window, x->at + 1U);
}

/* Hand it to the gateway's server. @return whether that took it */
static bool emit(struct ns *ns, struct exchange *x, const struct path *p, const struct ledger_tx *t)
{
	struct ulid id = ns_ulid(ns);
	struct attempt *a = attempt_add(&ns->exchanges, x, &id);
	if (!a)
		return false;
	a->gateway = p->gateway;
	a->window = x->at;
	struct tx_request m;
	set_request(ns, x, p, a, &m);
	struct about about;
	about_exchange(ns, x, p->gateway, &about);
	struct text *e = trace_begin(ns, event_name(x, "ns.down.data.schedule.attempt", "ns.down.join.schedule.attempt"), &about);
	json_name(e, "window");
	json_unum(e, x->at + 1U);
	json_name(e, "f_cnt");
	json_unum(e, x->f_cnt);
	trace_end(ns);
	ledger_book(&p->gateway->ledger, t, &id);
	if (ns->ports.schedule(ns->ports.ctx, p->gateway->gs, &m) != 0) {
		ledger_unbook(&p->gateway->ledger, &id);
		a->end = ATTEMPT_REFUSED;
		a->result = TX_RESULT_NOT_CONNECTED;
		return false;
	}
	ns->counters.downlinks++;
	return true;
}

/* When to stop waiting for the outcome: where RX2 can still be had, at its moment. */
static uint64_t patience_us(const struct exchange *x, const struct path *p)
{
	if (x->at == RX1 && x->window[RX2].is_there)
		return path_latest_us(p, x->window[RX2].delay_us) - NS_MARGIN_US;
	return p->heard_mono_us + x->window[x->at].delay_us + NS_TX_ACK_US;
}

bool transmit_send(struct ns *ns, struct exchange *x)
{
	for (size_t i = 0; i < x->n_paths; i++) {
		const struct path *p = &x->path[i];
		struct ledger_tx t = tx_of(ns, x, p, x->len);
		if (obstacle(ns, x, p, &t) || !emit(ns, x, p, &t))
			continue;
		x->state = EXCHANGE_OUT;
		if (heap_set(&ns->exchanges.due, &x->due, patience_us(x, p)) != 0)
			return false;
		transmit_reserve(ns, x);
		return true;
	}
	return false;
}

/* ---- outcomes ---- */

static struct attempt *best_attempt(const struct exchange *x)
{
	struct attempt *best = NULL;
	static const uint8_t rank[] = { [ATTEMPT_SENT] = 3, [ATTEMPT_OPEN] = 2, [ATTEMPT_UNKNOWN] = 2, [ATTEMPT_REFUSED] = 1 };
	for (struct attempt *a = x->attempts; a; a = a->next)
		if (!best || rank[a->end] > rank[best->end])
			best = a;
	return best;
}

static void tell_item(struct ns *ns, struct exchange *x, struct dev *d, const struct cid_list *cids)
{
	const struct attempt *a = best_attempt(x);
	struct flight f = d->flight;
	struct session *s = dev_session(d, &f.session);
	struct outcome o = { .flight = &f, .result = -1, .gateway_id = a ? a->gateway->id : NULL };
	bool is_unknown = a && (a->end == ATTEMPT_OPEN || a->end == ATTEMPT_UNKNOWN), is_sent = a && a->end == ATTEMPT_SENT;
	if (is_sent) {
		o.kind = OUTCOME_SENT;
	} else if (is_unknown) {
		o = (struct outcome){ .kind = OUTCOME_FAILED, .flight = &f, .error = "transmission", .result = TX_RESULT_NO_TX_ACK,
			.gateway_id = a->gateway->id };
	} else {
		o.kind = OUTCOME_RETURNED;
		o.result = a ? (int)a->result : -1;
		downlink_set_waiting(ns, d, 1);
	}
	/* The device's next uplink tells of a confirmed one, however little the gateway said. */
	if ((is_sent || is_unknown) && f.is_confirmed && s) {
		s->confirmed = f;
		record_live_put(ns, s);
	}
	if (!is_unknown || !f.is_confirmed || !s)
		outbox_outcome(ns, d, cids, &o);
	d->flight.is_there = false;
	record_flight_put(ns, d);
}

void transmit_give_up_item(struct ns *ns, struct exchange *x)
{
	struct dev *d = devices_find(&ns->devices, x->device);
	if (d && x->has_item && d->flight.is_there)
		tell_item(ns, x, d, &x->cids);
	x->has_item = false;
	x->len = 0;
}

static void finish(struct ns *ns, struct exchange *x, const char *why, const struct cid_list *cids)
{
	struct dev *d = devices_find(&ns->devices, x->device);
	const struct attempt *a = best_attempt(x);
	struct session *s = d ? dev_session(d, &x->session) : NULL;
	bool is_sent = a && a->end == ATTEMPT_SENT;
	struct about about;
	about_exchange(ns, x, a ? a->gateway : NULL, &about);
	if (!is_sent && why)
		trace_reason(ns, event_name(x, "ns.down.data.schedule.fail", "ns.down.join.schedule.fail"), &about, why);
	if (is_sent && x->is_join && s) {
		join_tell(ns, s, &x->cids);
		record_live_put(ns, s);
	}
	if (d && x->has_item && d->flight.is_there)
		tell_item(ns, x, d, cids);
	exchange_close(&ns->exchanges, x, d);
}

void transmit_finish(struct ns *ns, struct exchange *x, const char *why)
{
	finish(ns, x, why, &x->cids);
}

void transmit_no_answer(struct ns *ns, struct exchange *x)
{
	for (struct attempt *a = x->attempts; a; a = a->next)
		if (a->end == ATTEMPT_OPEN) {
			a->end = ATTEMPT_UNKNOWN;
			a->result = TX_RESULT_NO_TX_ACK;
		}
	/* The same octets again do no harm: who heard the first discards the second. */
	downlink_next_window(ns, x, "no_tx_ack");
}

static void lower_power(struct gateway *g, uint32_t freq_hz)
{
	const struct region_band *b = region_band(g->ledger.region, freq_hz);
	int cap = eirp_of(g, freq_hz) - POWER_STEP_DB;
	if (b)
		g->power_cap_dbm[b - g->ledger.region->bands] = (int8_t)(cap < POWER_LEAST_DBM ? POWER_LEAST_DBM : cap);
}

static void refused(struct ns *ns, struct exchange *x, struct attempt *a, uint32_t result)
{
	bool is_last = x->attempts == a && x->state == EXCHANGE_OUT;
	a->end = ATTEMPT_REFUSED;
	ledger_unbook(&a->gateway->ledger, &a->id);
	if (result == TX_RESULT_TX_POWER)
		lower_power(a->gateway, x->window[a->window].freq_hz);
	if (result == TX_RESULT_NOT_CONNECTED)
		a->gateway->can_send = false;
	if (!is_last)
		return;
	x->state = EXCHANGE_WAIT;
	if (x->at == RX2 || result == TX_RESULT_NOT_CONNECTED)
		if (transmit_send(ns, x))
			return;
	downlink_next_window(ns, x, tx_result_info(result)->name);
}

void transmit_ended(struct ns *ns, struct attempt *a, uint32_t result, const struct tx_ack *m)
{
	struct exchange *x = a->exchange;
	struct about about;
	about_exchange(ns, x, a->gateway, &about);
	a->result = result;
	struct text *e = trace_begin(ns, result == TX_RESULT_SUCCESS ? "ns.down.transmission.success" : "ns.down.transmission.fail", &about);
	json_name(e, "result");
	json_puts(e, tx_result_info(result)->name);
	trace_end(ns);
	if (result == TX_RESULT_NO_TX_ACK) {
		a->end = ATTEMPT_UNKNOWN;
		if (x->state == EXCHANGE_OUT && x->at == RX2)
			downlink_next_window(ns, x, "no_tx_ack");
		return;
	}
	if (result != TX_RESULT_SUCCESS) {
		refused(ns, x, a, result);
		return;
	}
	a->end = ATTEMPT_SENT;
	ns->counters.downlinks_sent++;
	struct cid_list cids = x->cids;
	CIDS_ADD(&cids, CID_NS_TRANSMISSION, a->id);
	if (m)
		CIDS_ADD_ALL(&cids, &m->cids);
	finish(ns, x, NULL, &cids);
}

void ns_gs_tx_ack(struct ns *ns, const struct now *now, uint64_t request, const struct tx_ack *m)
{
	ns->now = *now;
	struct attempt *a = attempt_find(&ns->exchanges, &m->transmission);
	if (a && a->end == ATTEMPT_OPEN)
		transmit_ended(ns, a, m->result, m);
	ns_accept(ns, request);
}

void ns_gs_scheduled(struct ns *ns, const struct now *now, const struct ulid *transmission, int status, uint32_t result)
{
	ns->now = *now;
	struct attempt *a = attempt_find(&ns->exchanges, transmission);
	if (!a || a->end != ATTEMPT_OPEN)
		return;
	if (status > 0) {
		transmit_ended(ns, a, result, NULL);
		return;
	}
	struct about about;
	about_exchange(ns, a->exchange, a->gateway, &about);
	if (status == 0)
		trace_add(ns, event_name(a->exchange, "ns.down.data.schedule.success", "ns.down.join.schedule.success"), &about);
}
