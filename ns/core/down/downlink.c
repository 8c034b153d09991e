/** @file When an answer is made: windows, the latest safe moment, the pull of what waits, and the turn to RX2. */
#include "ns/core/down/cast.h"
#include "ns/core/down/class_c.h"
#include "ns/core/down/downlink.h"
#include "ns/core/records.h"
#include <string.h>

enum { MHDR_FHDR_MIC = 1 + 7 + 4, FHDR = 7, FPORT = 1 };

/* ---- windows ---- */

static void window_set(struct window *w, const struct region *r, uint32_t freq_hz, int dr, uint64_t delay_s)
{
	const struct modu *m = dr >= 0 ? region_modu(r, false, (unsigned)dr) : NULL;
	if (!m || !region_band(r, freq_hz))
		return;
	*w = (struct window){ .is_there = true, .dr = (uint8_t)dr, .freq_hz = freq_hz, .delay_us = delay_s * SEC_US, .modu = *m };
}

/* Does the device take downlinks of 400 ms at most? One that joins has forgotten what it was told. */
static enum region_dwell dwell_of(const struct dev *d, const struct session *s)
{
	return s ? mac_down_dwell(s) : region_boot_dwell(d->plan->region, (enum phy_version)d->phy_version, false);
}

void downlink_windows(struct exchange *x, const struct dev *d, const struct session *s, uint32_t up_hz, uint8_t up_dr)
{
	const struct region *r = d->plan->region;
	int channel = s ? mac_channel_of(s, up_hz, up_dr) : plan_channel_index(d->plan, up_hz, up_dr);
	const struct region_join *join = s ? NULL : region_join(r, up_hz);
	struct mac_rx rx = s ? mac_rx_guess(s) :
		(struct mac_rx){ .rx1_delay_s = r->join_delay_s, .rx2_dr = r->rx2_dr, .rx2_hz = join ? join->rx2_hz : r->rx2_hz };
	if (x->is_join)
		rx.rx1_delay_s = r->join_delay_s;
	int dr = region_rx1_dr(r, (enum phy_version)d->phy_version, up_dr, rx.rx1_dr_offset, dwell_of(d, s));
	uint32_t own_hz = s && channel >= 0 && channel < MAC_CHANNELS ? s->mac.channel[channel].down_hz : 0;
	uint32_t rx1_hz = join ? join->rx1_hz : own_hz ? own_hz : region_rx1_hz(r, up_hz, channel < 0 ? 0 : (unsigned)channel);
	/* Which channel it was decides where RX1 is, in some regions: if nobody knows, RX2 is left. */
	if (channel >= 0 || r->rx1_channel == RX1_SAME)
		window_set(&x->window[RX1], r, rx1_hz, dr, rx.rx1_delay_s);
	window_set(&x->window[RX2], r, rx.rx2_hz, rx.rx2_dr, rx.rx1_delay_s + 1U);
}

static unsigned max_payload(const struct dev *d, const struct window *w)
{
	return region_max_payload(d->plan->region, (enum phy_version)d->phy_version, false, w->dr, dwell_of(d, d->current));
}

unsigned downlink_least_payload(const struct exchange *x, const struct dev *d)
{
	unsigned least = UINT8_MAX, n = 0;
	for (unsigned i = 0; i < WINDOWS; i++)
		if (x->window[i].is_there) {
			unsigned m = max_payload(d, &x->window[i]);
			least = m < least ? m : least;
			n++;
		}
	return n ? least : 0;
}

/* ---- reasons and moments ---- */

int downlink_waiting(const struct ns *ns, const struct dev *d)
{
	if (d->waiting_epoch == ns->as_epoch)
		return d->waiting > INT16_MAX ? INT16_MAX : (int)d->waiting;
	return ns->as_named_all ? 0 : -1;
}

void downlink_set_waiting(struct ns *ns, struct dev *d, uint32_t items)
{
	d->waiting = items;
	d->waiting_epoch = ns->as_epoch;
}

static bool has_own_reason(const struct exchange *x)
{
	return x->wants_ack || x->wants_any || x->mac_len;
}

/* Only one item of a device is handed out at a time, and none before the last one's ACK: not to a repeated uplink either; and none
 * before the as was told what became of the last, which it may have forgotten in a crash. */
static bool may_pull(const struct ns *ns, const struct exchange *x, const struct dev *d, const struct session *s)
{
	bool is_out = d->flight.is_there || d->listening.exchange || (s && s->confirmed.is_there);
	return ns->as_is_up && !x->no_pull && x->mac_len <= FOPTS_MAX && !is_out && downlink_waiting(ns, d) != 0;
}

static bool wants_pull(const struct ns *ns, const struct exchange *x, const struct dev *d, const struct session *s)
{
	return ns->outbox.send >= x->told && may_pull(ns, x, d, s);
}

static uint64_t moment_us(const struct exchange *x)
{
	const struct path *p = &x->path[0];
	for (size_t i = 0; i < x->n_paths; i++)
		if (x->path[i].gateway->gs && x->path[i].gateway->can_send) {
			p = &x->path[i];
			break;
		}
	uint64_t latest = path_latest_us(p, x->window[x->at].delay_us);
	uint64_t before = NS_MARGIN_US + (x->is_join || x->len ? 0 : NS_PULL_US);
	return latest > before ? latest - before : 0;
}

static void wait_until(struct ns *ns, struct exchange *x, uint64_t due_us)
{
	if (heap_set(&ns->exchanges.due, &x->due, due_us) != 0)
		outcome_finish(ns, x, "no_memory");
}

/* The as notes on disk what it may hand out, so that after a crash it knows what may have been on its way. Not sooner than
 * needed: an item that is noted and was never pulled is in doubt when all processes die at once. */
static void prepare(struct ns *ns, const struct exchange *x)
{
	const struct dev *d = devices_find(&ns->devices, x->device);
	const struct session *s = d ? dev_session(d, &x->session) : NULL;
	if (s && !x->is_join && !x->len && may_pull(ns, x, d, s))
		ns->ports.tell_as(ns->ports.ctx, NSAS_PREPARE, &(struct prepare){ .device = d->uid });
}

void downlink_queued(struct ns *ns, struct dev *d, uint32_t items)
{
	const struct exchange *x = exchange_find(&ns->exchanges, d->exchange);
	downlink_set_waiting(ns, d, items);
	if (x && x->state == EXCHANGE_WAIT && x->is_prepared)
		prepare(ns, x);
}

/* Twice: when its pull is near, and when it has come. */
static void wait_for_moment(struct ns *ns, struct exchange *x)
{
	uint64_t near_us = x->moment_us > NS_PREPARE_US ? x->moment_us - NS_PREPARE_US : 0;
	if (!x->is_prepared && ns->now.mono_us >= near_us) {
		x->is_prepared = true;
		prepare(ns, x);
	}
	wait_until(ns, x, x->is_prepared ? x->moment_us : near_us);
}

void downlink_plan(struct ns *ns, struct exchange *x)
{
	x->state = EXCHANGE_WAIT;
	if (!x->n_paths)
		outcome_finish(ns, x, has_own_reason(x) || x->is_join ? "no_downlink_path" : NULL);
	else if (!x->window[x->at].is_there)
		downlink_skip_window(ns, x, "no_window");
	else {
		path_sort(x->path, x->n_paths, x->window[x->at].freq_hz, ns_ledger_us(ns, ns->now.mono_us));
		x->moment_us = moment_us(x);
		wait_for_moment(ns, x);
	}
}

/* A window goes by, and another is to come. */
static void tell_skip(struct ns *ns, const struct exchange *x, const char *why)
{
	struct about about = { .cids = &x->cids, .dev = devices_find(&ns->devices, x->device) };
	struct text *t = trace_begin(ns, x->is_join ? EVENT_NS_DOWN_JOIN_SCHEDULE_SKIP : EVENT_NS_DOWN_DATA_SCHEDULE_SKIP, &about);
	trace_num(t, "window", x->at + 1U);
	json_name(t, "reason");
	json_puts(t, why);
	trace_end(ns);
}

void downlink_skip_window(struct ns *ns, struct exchange *x, const char *why)
{
	if (x->at == RX1 && x->window[RX2].is_there)
		tell_skip(ns, x, why);
	downlink_next_window(ns, x, why);
}

void downlink_next_window(struct ns *ns, struct exchange *x, const char *why)
{
	if (x->at == RX2 || !x->window[RX2].is_there) {
		outcome_conclude(ns, x, why);
		return;
	}
	x->at = RX2;
	x->is_prepared = false;
	downlink_plan(ns, x);
}

/* ---- the moment ---- */

unsigned downlink_room(const struct dev *d, const struct exchange *x)
{
	unsigned m = max_payload(d, &x->window[x->at]);
	unsigned used = FHDR + FPORT + x->mac_len;
	return m > used ? m - used : 0;
}

static bool is_too_long(const struct dev *d, const struct exchange *x)
{
	unsigned m = max_payload(d, &x->window[x->at]);
	return x->len > m + 1 + MIC_LEN;
}

int downlink_pull(struct ns *ns, struct exchange *x, const struct dev *d, struct session *s)
{
	struct ns_pull call = { .exchange = x->ticket, .device = d->uid, .session = s->id,
		.f_cnt = (uint32_t)session_app_counter(s)->next };
	struct pull m = { .device = d->uid, .session_key_id = s->id, .dev_addr = s->dev_addr, .f_cnt = call.f_cnt,
		.room = downlink_room(d, x) };
	unsigned ever = region_max_payload_ever(d->plan->region, (enum phy_version)d->phy_version, false);
	m.room_max = ever > FHDR + FPORT ? ever - FHDR - FPORT : 0;
	if (x->cast)
		MSG_SET(&m, class_c, 1);
	CIDS_ADD_ALL(&m.cids, &x->cids);
	CIDS_ADD(&m.cids, CID_RPC_NSAS_PULL, ns_ulid(ns));
	TRY(ns->ports.pull(ns->ports.ctx, &call, &m));
	x->state = EXCHANGE_PULL;
	x->asked_us = ns->now.mono_us;
	wait_until(ns, x, ns->now.mono_us + NS_PULL_US);
	return 0;
}

/* What the as said to a pull, or that it said nothing in time. */
static void tell_pull(struct ns *ns, const struct exchange *x, const struct pulled *item, bool no_answer)
{
	struct cid_list cids = x->cids;
	struct about about = { .cids = &cids, .dev = devices_find(&ns->devices, x->device) };
	if (item)
		CIDS_ADD_ALL(&cids, &item->cids);
	struct text *t = trace_begin(ns, no_answer ? EVENT_NS_DOWN_DATA_PULL_FAIL : EVENT_NS_DOWN_DATA_PULL, &about);
	if (!x->cast)
		trace_num(t, "window", x->at + 1U);
	if (no_answer) {
		json_name(t, "reason");
		json_puts(t, "timeout");
	} else {
		json_name(t, "item");
		json_truth(t, item != NULL);
	}
	if (item)
		trace_num(t, "size", item->frm.len);
	trace_duration(ns, t, x->asked_us);
	trace_end(ns);
}

/* ACK and MAC commands leave alone; if there are none, another window may have more to say. */
static void go_without_item(struct ns *ns, struct exchange *x)
{
	x->state = EXCHANGE_WAIT;
	if (!has_own_reason(x))
		downlink_next_window(ns, x, NULL);
	else if (transmit_build(ns, x, NULL) != 0)
		outcome_finish(ns, x, "build");
	else if (!transmit_send(ns, x))
		downlink_next_window(ns, x, "no_downlink_path");
}

static void decide_join(struct ns *ns, struct exchange *x)
{
	if (!x->len)
		downlink_skip_window(ns, x, "no_answer");
	else if (x->batch > ns->durable)
		downlink_skip_window(ns, x, "not_stored");
	else if (!transmit_send(ns, x))
		downlink_next_window(ns, x, "no_downlink_path");
}

/* The frame that RX1 did not carry, in RX2: the same octets if they fit, else ACK and MAC commands under a new counter. */
static void decide_again(struct ns *ns, struct exchange *x, const struct dev *d)
{
	if (!is_too_long(d, x) && transmit_send(ns, x))
		return;
	if (outcome_is_open(x) || !x->has_item || !has_own_reason(x)) {
		outcome_conclude(ns, x, "no_downlink_path");
		return;
	}
	outcome_give_up_item(ns, x);
	x->no_pull = true;
	go_without_item(ns, x);
}

static void decide(struct ns *ns, struct exchange *x)
{
	struct dev *d = devices_find(&ns->devices, x->device);
	struct session *s = d ? dev_session(d, &x->session) : NULL;
	if (!d || !d->plan || (!s && !x->is_join)) {
		outcome_finish(ns, x, NULL);
		return;
	}
	if (x->is_join) {
		decide_join(ns, x);
		return;
	}
	if (x->len) {
		decide_again(ns, x, d);
		return;
	}
	bool does_pull = wants_pull(ns, x, d, s);
	if (!has_own_reason(x) && !does_pull) {
		downlink_next_window(ns, x, NULL);
		return;
	}
	if (x->batch > ns->durable || !session_counters_ready(s, ns->durable)) {
		ns->counters.downlinks_late++;
		downlink_skip_window(ns, x, "not_stored");
		return;
	}
	const char *why;
	if (!transmit_is_possible(ns, x, MHDR_FHDR_MIC + x->mac_len, &why)) {
		downlink_skip_window(ns, x, why);
		return;
	}
	if (!does_pull || downlink_pull(ns, x, d, s) != 0)
		go_without_item(ns, x);
}

void downlink_due(struct ns *ns, struct exchange *x)
{
	struct dev *d = devices_find(&ns->devices, x->device);
	struct session *s = d ? dev_session(d, &x->session) : NULL;
	if (x->cast) {
		if (x->state == EXCHANGE_PULL)
			class_c_unanswered(ns, x);
		else
			cast_run(ns, x);
		return;
	}
	switch (x->state) {
	case EXCHANGE_WAIT:
		if (x->is_prepared)
			decide(ns, x);
		else
			wait_for_moment(ns, x);
		break;
	case EXCHANGE_PULL:
		tell_pull(ns, x, NULL, true);
		/* The as may have used the counter: it is spent. What still comes goes back to its queue. */
		if (s)
			counter_spend(session_app_counter(s));
		go_without_item(ns, x);
		break;
	default:
		outcome_due(ns, x);
	}
}

/* ---- what the as hands out ---- */

static void give_back(struct ns *ns, struct dev *d, const struct flight *f, const struct pulled *m)
{
	struct cid_list cids = { .len = 0 };
	CIDS_ADD_ALL(&cids, &m->cids);
	outbox_outcome(ns, d, &cids, &(struct outcome){ .kind = OUTCOME_RETURNED, .flight = f, .result = -1 });
	downlink_set_waiting(ns, d, 1);
}

/* RX1 has no room in its air for the item. In RX2 it may, if it fits and there is air; an ACK must not be lost over that. */
static void item_waits(struct ns *ns, struct exchange *x, const struct dev *d)
{
	const char *why;
	if (x->at == RX1 && x->window[RX2].is_there) {
		x->at = RX2;
		if (!is_too_long(d, x) && transmit_is_possible(ns, x, x->len, &why)) {
			downlink_plan(ns, x);
			return;
		}
		x->at = RX1;
	}
	outcome_give_up_item(ns, x);
	x->no_pull = true;
	go_without_item(ns, x);
}

static void take_item(struct ns *ns, struct exchange *x, const struct dev *d, const struct pulled *m)
{
	x->state = EXCHANGE_WAIT;
	x->has_item = true;
	CIDS_ADD_ALL(&x->cids, &m->cids);
	if (transmit_build(ns, x, m) != 0) {
		outcome_give_up_item(ns, x);
		go_without_item(ns, x);
	} else if (!transmit_send(ns, x)) {
		item_waits(ns, x, d);
	}
}

/* What a pull handed out. @param item  NULL: nothing, as far as is known */
static struct flight flight_of(const struct ns_pull *call, const struct pulled *item)
{
	struct flight f = { .is_there = true, .session = call->session, .f_cnt = call->f_cnt };
	if (item) {
		f.item = item->item;
		f.is_confirmed = item->confirmed;
	}
	return f;
}

/* It comes in time. @param item  NULL: there is none; no_answer: or the as did not say */
static void pulled_in_time(struct ns *ns, struct exchange *x, struct dev *d, struct session *s, const struct pulled *item, bool no_answer)
{
	tell_pull(ns, x, item, no_answer);
	if (!x->cast && (no_answer || item))
		counter_spend(session_app_counter(s));
	if (item)
		record_flight_put(ns, d);
	if (x->cast)
		class_c_pulled(ns, x, d, item, no_answer);
	else if (item)
		take_item(ns, x, d, item);
	else
		go_without_item(ns, x);
}

void downlink_pulled(struct ns *ns, const struct ns_pull *call, const struct pulled *m)
{
	struct dev *d = devices_find(&ns->devices, call->device);
	struct exchange *x = exchange_find(&ns->exchanges, call->exchange);
	const struct pulled *item = m && MSG_HAS(m, item) ? m : NULL;
	struct session *s = d ? dev_session(d, &call->session) : NULL;
	if (!d)
		return;
	struct flight f = flight_of(call, item);
	if (m)
		downlink_set_waiting(ns, d, m->more);
	else /* whatever it handed out stayed on the way */
		outbox_outcome(ns, d, NULL, &(struct outcome){ .kind = OUTCOME_RETURNED, .flight = &f, .result = -1 });
	if (!x || x->state != EXCHANGE_PULL || !s) {
		if (item)
			give_back(ns, d, &f, m);
		return;
	}
	if (item)
		d->flight = f;
	pulled_in_time(ns, x, d, s, item, !m);
}

void downlink_settle(struct ns *ns, struct exchange *x)
{
	struct dev *d = devices_find(&ns->devices, x->device);
	struct session *s = d ? dev_session(d, &x->session) : NULL;
	if (x->state == EXCHANGE_PULL && s && !x->cast)
		counter_spend(session_app_counter(s));
	outcome_finish(ns, x, NULL);
}

void downlink_settle_device(struct ns *ns, const struct dev *d)
{
	const uint64_t tickets[] = { d->exchange, d->join };
	for (size_t i = 0; i < COUNT(tickets); i++) {
		struct exchange *x = exchange_find(&ns->exchanges, tickets[i]);
		if (x)
			downlink_settle(ns, x);
	}
}

void downlink_session_ends(struct ns *ns, struct session *s, const struct cid_list *cids)
{
	if (!s->confirmed.is_there)
		return;
	outbox_outcome(ns, s->dev, cids, &(struct outcome){ .kind = OUTCOME_NACK, .flight = &s->confirmed, .result = -1 });
	s->confirmed.is_there = false;
	downlink_set_waiting(ns, s->dev, 1);
}
