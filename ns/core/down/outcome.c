/** @file What became of emissions, and what that means for the answer and for the item in it. */
#include "ns/core/down/cast.h"
#include "ns/core/down/class_c.h"
#include "ns/core/down/downlink.h"
#include "ns/core/mac/mac.h"
#include "ns/core/records.h"
#include "ns/core/up/uplink.h"
#include "proto/tables.h"

static struct about about_attempt(const struct ns *ns, const struct exchange *x, const struct attempt *a)
{
	return (struct about){ .cids = &x->cids, .dev = devices_find(&ns->devices, x->device), .gateway = a ? a->gateway : NULL,
		.transmission = a ? &a->id : NULL };
}

static struct attempt *best_attempt(const struct exchange *x)
{
	struct attempt *best = NULL;
	static const uint8_t rank[] = { [ATTEMPT_SENT] = 3, [ATTEMPT_OPEN] = 2, [ATTEMPT_UNKNOWN] = 2, [ATTEMPT_REFUSED] = 1 };
	for (struct attempt *a = x->attempts; a; a = a->next)
		if (!best || rank[a->end] > rank[best->end])
			best = a;
	return best;
}

/* ---- the end of an answer ---- */

/* Not sent for certain: it fails, or goes back to its queue. */
static void unsent(struct ns *ns, const struct exchange *x, struct dev *d, const struct attempt *a, struct outcome *o)
{
	if (x->failure) {
		o->kind = OUTCOME_FAILED;
		o->error = x->failure;
		o->result = x->cast ? x->cast->result : -1;
		return;
	}
	o->kind = OUTCOME_RETURNED;
	o->result = a ? (int)a->result : -1;
	downlink_set_waiting(ns, d, 1);
}

static void tell_item(struct ns *ns, struct exchange *x, struct dev *d, const struct cid_list *cids)
{
	const struct attempt *a = best_attempt(x);
	struct flight f = d->flight;
	struct session *s = dev_session(d, &f.session);
	struct outcome o = { .flight = &f, .result = -1, .gateway_id = a ? a->gateway->id : NULL };
	bool is_unknown = a && (a->end == ATTEMPT_OPEN || a->end == ATTEMPT_UNKNOWN), is_sent = a && a->end == ATTEMPT_SENT;
	if (is_sent)
		o.kind = OUTCOME_SENT;
	else if (is_unknown)
		o = (struct outcome){ .kind = OUTCOME_FAILED, .flight = &f, .error = "transmission", .result = TX_RESULT_NO_TX_ACK,
			.gateway_id = a->gateway->id };
	else
		unsent(ns, x, d, a, &o);
	/* The device's next uplink tells of a confirmed one, however little the gateway said. */
	if ((is_sent || is_unknown) && f.is_confirmed && s) {
		s->confirmed = f;
		record_live_put(ns, s);
		if (is_unknown)
			o = (struct outcome){ .kind = OUTCOME_AWAITED, .flight = &f, .result = -1 };
	}
	outbox_outcome(ns, d, cids, &o);
	d->flight.is_there = false;
	record_flight_put(ns, d);
}

void outcome_give_up_item(struct ns *ns, struct exchange *x)
{
	struct dev *d = devices_find(&ns->devices, x->device);
	if (d && x->has_item && d->flight.is_there)
		tell_item(ns, x, d, &x->cids);
	x->has_item = false;
	x->len = 0;
}

/* Requests that no gateway sent are none that the device left unanswered. */
static void requests_unsent(struct ns *ns, const struct exchange *x, const struct dev *d, struct session *s)
{
	const struct exchange *other = x->cast ? exchange_find(&ns->exchanges, d->exchange) : NULL;
	if (x->has_requests && !(other && other->has_requests))
		mac_asked_in(s);
}

static void session_sent(struct ns *ns, const struct exchange *x, struct session *s)
{
	if (!x->is_join) {
		adr_answered(&s->mac.adr);
		return;
	}
	join_tell(ns, s, &x->cids);
	record_live_put(ns, s);
}

static void tell_fail(struct ns *ns, const struct exchange *x, const struct about *about, const char *why)
{
	struct text *t = trace_begin(ns, x->is_join ? EVENT_NS_DOWN_JOIN_SCHEDULE_FAIL : EVENT_NS_DOWN_DATA_SCHEDULE_FAIL, about);
	json_name(t, "reason");
	json_puts(t, why);
	trace_num(t, "attempts", x->n_attempts);
	if (x->len) {
		trace_num(t, "f_cnt", x->f_cnt);
		trace_num(t, "size", x->len);
	}
	trace_end(ns);
}

static void finish(struct ns *ns, struct exchange *x, const char *why, const struct cid_list *cids)
{
	struct dev *d = devices_find(&ns->devices, x->device);
	const struct attempt *a = best_attempt(x);
	struct session *s = d ? dev_session(d, &x->session) : NULL;
	bool is_sent = a && a->end == ATTEMPT_SENT;
	struct about about = about_attempt(ns, x, a);
	if (!is_sent && why)
		tell_fail(ns, x, &about, why);
	if (s && is_sent)
		session_sent(ns, x, s);
	else if (s && (!a || a->end == ATTEMPT_REFUSED))
		requests_unsent(ns, x, d, s);
	if (d && x->has_item && d->flight.is_there)
		tell_item(ns, x, d, cids);
	exchange_close(&ns->exchanges, x, d);
	class_c_told(ns, d);
}

void outcome_finish(struct ns *ns, struct exchange *x, const char *why)
{
	finish(ns, x, why, &x->cids);
}

bool outcome_is_open(const struct exchange *x)
{
	for (const struct attempt *a = x->attempts; a; a = a->next)
		if (a->end == ATTEMPT_OPEN)
			return true;
	return false;
}

void outcome_conclude(struct ns *ns, struct exchange *x, const char *why)
{
	uint64_t until_us = 0;
	for (const struct attempt *a = x->attempts; a; a = a->next)
		if (a->end == ATTEMPT_OPEN && a->until_us > until_us)
			until_us = a->until_us;
	x->state = EXCHANGE_OUT;
	x->is_concluding = true;
	if (!until_us || heap_set(&ns->exchanges.due, &x->due, until_us) != 0)
		finish(ns, x, why, &x->cids);
}

void outcome_due(struct ns *ns, struct exchange *x)
{
	/* The same octets in RX2 do no harm while RX1 is unclear: who heard the first discards the second. */
	if (!x->is_concluding && x->at == RX1) {
		downlink_skip_window(ns, x, "no_tx_ack");
		return;
	}
	for (struct attempt *a = x->attempts; a; a = a->next)
		if (a->end == ATTEMPT_OPEN && a->until_us <= ns->now.mono_us) {
			a->end = ATTEMPT_UNKNOWN;
			a->result = TX_RESULT_NO_TX_ACK;
		}
	outcome_conclude(ns, x, "no_tx_ack");
}

/* ---- the end of an emission ---- */

/* A refusal comes at once, so it tells how far the forwarder is: if farther than was thought, that is why it was missed. */
static void path_learn(struct exchange *x, const struct gateway *g, uint32_t one_way_us)
{
	for (size_t i = 0; i < x->n_paths; i++) {
		struct path *p = &x->path[i];
		if (p->gateway != g || p->path_us >= one_way_us)
			continue;
		p->heard_mono_us -= one_way_us - p->path_us;
		p->path_us = one_way_us;
	}
}

static void power_learn(const struct exchange *x, const struct attempt *a, uint32_t result, const struct tx_ack *m)
{
	uint32_t freq_hz = x->window[a->window].freq_hz;
	if (result == TX_RESULT_TX_POWER)
		gateway_set_power_cap(a->gateway, freq_hz, a->eirp_dbm - 1);
	else if (m && MSG_HAS(m, power_dbm) && m->power_dbm < a->eirp_dbm)
		gateway_set_power_cap(a->gateway, freq_hz, m->power_dbm);
}

static void refused(struct ns *ns, struct exchange *x, struct attempt *a)
{
	bool is_last = x->attempts == a && x->state == EXCHANGE_OUT;
	a->end = ATTEMPT_REFUSED;
	ledger_unbook(&a->gateway->ledger, &a->id);
	if (a->result == TX_RESULT_NOT_CONNECTED)
		a->gateway->can_send = false;
	if (!is_last || x->is_concluding) {
		if (x->is_concluding)
			outcome_conclude(ns, x, tx_result_info(a->result)->name);
		return;
	}
	x->state = EXCHANGE_WAIT;
	if (!transmit_send(ns, x))
		downlink_next_window(ns, x, tx_result_info(a->result)->name);
}

static void sent(struct ns *ns, struct exchange *x, struct attempt *a, const struct tx_ack *m)
{
	struct cid_list cids = x->cids;
	a->end = ATTEMPT_SENT;
	ns->counters.downlinks_sent++;
	CIDS_ADD(&cids, CID_NS_TRANSMISSION, a->id);
	if (m)
		CIDS_ADD_ALL(&cids, &m->cids);
	finish(ns, x, NULL, &cids);
}

static void ended(struct ns *ns, struct attempt *a, uint32_t result, const struct tx_ack *m)
{
	struct exchange *x = a->exchange;
	struct about about = about_attempt(ns, x, a);
	a->result = result;
	ns->counters.transmissions[tx_result_info(result)->result]++;
	struct text *e = trace_begin(ns, result == TX_RESULT_SUCCESS ? EVENT_NS_DOWN_TRANSMISSION_SUCCESS : EVENT_NS_DOWN_TRANSMISSION_FAIL, &about);
	json_name(e, "result");
	json_puts(e, tx_result_info(result)->name);
	trace_num(e, "window", x->cast ? WINDOW_CLASS_C : a->window + 1U);
	trace_num(e, "frequency", x->window[a->window].freq_hz);
	trace_num(e, "data_rate_index", x->window[a->window].dr);
	trace_duration(ns, e, a->asked_us);
	trace_end(ns);
	power_learn(x, a, result, m);
	if (x->cast) {
		cast_ended(ns, x, a, m);
		return;
	}
	if (result == TX_RESULT_SUCCESS) {
		sent(ns, x, a, m);
	} else if (result != TX_RESULT_NO_TX_ACK) {
		if (m && MSG_HAS(m, rtt_us))
			path_learn(x, a->gateway, m->rtt_us / 2);
		refused(ns, x, a);
	} else {
		a->end = ATTEMPT_UNKNOWN;
		if (x->state == EXCHANGE_OUT && (x->is_concluding || x->at == RX2))
			outcome_conclude(ns, x, "no_tx_ack");
	}
}

void ns_gs_tx_ack(struct ns *ns, const struct now *now, uint64_t request, const struct tx_ack *m)
{
	ns->now = *now;
	struct attempt *a = attempt_find(&ns->exchanges, &m->transmission);
	if (a && a->end == ATTEMPT_OPEN)
		ended(ns, a, m->result, m);
	ns_accept(ns, request);
}

void ns_gs_scheduled(struct ns *ns, const struct now *now, const struct ulid *transmission, int status, uint32_t result)
{
	ns->now = *now;
	struct attempt *a = attempt_find(&ns->exchanges, transmission);
	if (!a || a->end != ATTEMPT_OPEN)
		return;
	if (status > 0) {
		ended(ns, a, result, NULL);
	} else if (status == 0) {
		struct about about = about_attempt(ns, a->exchange, a);
		struct text *t = trace_begin(ns, a->exchange->is_join ? EVENT_NS_DOWN_JOIN_SCHEDULE_SUCCESS : EVENT_NS_DOWN_DATA_SCHEDULE_SUCCESS, &about);
		trace_duration(ns, t, a->asked_us);
		trace_end(ns);
	}
}
