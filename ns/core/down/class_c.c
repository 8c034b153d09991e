/** @file Devices that listen all the time: when, and through whom, each is sent its next item. */
#include "ns/core/down/class_c.h"
#include "ns/core/down/cast.h"
#include "ns/core/down/downlink.h"
#include "ns/core/down/multicast.h"
#include "ns/core/mac/mac.h"
#include "ns/core/records.h"
#include <string.h>

enum { FHDR = 7, MHDR_FHDR_FPORT_MIC = 1 + FHDR + 1 + 4, TRIES_KNEE = 7 };
#define PAUSE_US     (10 * MS_US)
#define OFFER_US     (2 * SEC_US)    /* the as keeps to it a little longer */
#define PULL_US      (1200 * MS_US) /* a call of the bus ends before */
#define LEAD_ONE_US  (600 * MS_US)  /* a pull for a given time comes so much before it: time for one gateway that refuses, */
#define LEAD_MANY_US (1500 * MS_US) /* or, where nothing can overtake, more */

/* ---- who hears it ---- */

static void hearer_put(struct session *s, const struct hearer *h)
{
	for (unsigned i = 0; i < s->n_hearers; i++)
		if (s->hearers[i].eui == h->eui) {
			if (s->hearers[i].rank_ddb >= h->rank_ddb)
				return;
			memmove(s->hearers + i, s->hearers + i + 1, (s->n_hearers - i - 1U) * sizeof(*h));
			s->n_hearers--;
			break;
		}
	unsigned at = s->n_hearers;
	while (at > 0 && s->hearers[at - 1].rank_ddb < h->rank_ddb)
		at--;
	if (at >= NS_PATHS_MAX)
		return;
	if (s->n_hearers == NS_PATHS_MAX)
		s->n_hearers--;
	memmove(s->hearers + at + 1, s->hearers + at, (s->n_hearers - at) * sizeof(*h));
	s->hearers[at] = *h;
	s->n_hearers++;
}

void hearers_add(struct session *s, const struct copy *c)
{
	if (c->gateway)
		hearer_put(s, &(struct hearer){ .eui = c->gateway->eui, .rank_ddb = path_rank(&c->rx) });
}

void hearers_set(struct session *s, const struct copy *first)
{
	s->n_hearers = 0;
	for (const struct copy *c = first; c; c = c->next)
		hearers_add(s, c);
}

/* ---- when ---- */

static bool listens(const struct dev *d)
{
	const struct session *s = d->current;
	if (!d->class_c || !d->plan || !s || (MSG_HAS(&d->mac, schedule_downlinks) && !d->mac.schedule_downlinks))
		return false;
	/* Of 1.1, a device says when it begins and ends. [LW1.1 18.1] */
	return d->multicast || (s->seen_unix_us && (!s->is_v11 || s->mac.device_class == DEVICE_CLASS_C));
}

static void look_at(struct ns *ns, struct dev *d, uint64_t due_us)
{
	if (due_us <= ns->now.mono_us)
		due_us = ns->now.mono_us + MS_US;
	/* Without memory for it, it is looked at when something changes. */
	(void)heap_set(&ns->listeners, &d->listening.due, due_us);
}

void class_c_wake(struct ns *ns, struct dev *d)
{
	if (listens(d))
		(void)heap_set(&ns->listeners, &d->listening.due, ns->now.mono_us);
}

void class_c_told(struct ns *ns, struct dev *d)
{
	if (!d)
		return;
	d->listening.told = ns->outbox.tail;
	class_c_wake(ns, d);
}

/* A growing pause after what came to nothing. */
static uint64_t pause_us(const struct listening *l)
{
	return PAUSE_US << (l->tries < TRIES_KNEE ? l->tries : TRIES_KNEE);
}

/* RXC is RX2, all the time. */
static void window_c(struct exchange *x, const struct dev *d, const struct session *s)
{
	downlink_windows(x, d, s, s->rx2_hz, s->rx2_dr);
	x->window[RX1].is_there = false;
	x->at = RX2;
}

/* The operator may want some time between two. An item that says when it is to be sent has precedence. */
static uint64_t interval_end_us(const struct dev *d, const struct session *s)
{
	if (!s->cast_us || !MSG_HAS(&d->mac, class_bc_interval_ms))
		return 0;
	return s->cast_us + d->mac.class_bc_interval_ms * MS_US;
}

/* Gateways that heard it, best first. */
static void add_hearers(struct ns *ns, struct cast *c, const struct session *s, uint32_t freq_hz)
{
	struct path path[NS_PATHS_MAX];
	size_t n = 0;
	for (unsigned i = 0; i < s->n_hearers; i++) {
		struct gateway *g = gateways_find(&ns->gateways, s->hearers[i].eui);
		if (g)
			path[n++] = (struct path){ .gateway = g, .path_us = g->path_us, .rank_ddb = s->hearers[i].rank_ddb };
	}
	path_sort(path, n, freq_hz, ns_ledger_us(ns, ns->now.mono_us));
	cast_leg(c);
	for (size_t i = 0; i < n; i++)
		cast_way(c, path[i].gateway);
}

/* The row of proto/errors.def that a hindrance comes to. */
static const char *error_of(const char *why)
{
	return strcmp(why, "duty_cycle") == 0 ? "duty_cycle" : strcmp(why, "too_late") == 0 ? "downlink_expired" : "no_downlink_path";
}

/* The as notes on disk what it may hand out, and is asked to so shortly before the pull: what is noted is in doubt if all processes die. */
static bool is_prepared(struct ns *ns, struct dev *d)
{
	struct listening *l = &d->listening;
	if (l->offered_us && ns->now.mono_us < l->offered_us + OFFER_US)
		return true;
	ns->ports.tell_as(ns->ports.ctx, NSAS_PREPARE, &(struct prepare){ .device = d->uid });
	l->offered_us = ns->now.mono_us;
	look_at(ns, d, ns->now.mono_us + PAUSE_US);
	return false;
}

/* Ask for the next item. @param failure  it has waited for too long: it is only taken out of its queue, to fail with that */
static void ask(struct ns *ns, struct dev *d, struct session *s, const char *failure)
{
	struct listening *l = &d->listening;
	if (!is_prepared(ns, d))
		return;
	struct exchange *x = exchange_open_cast(&ns->exchanges, d);
	if (!x) {
		look_at(ns, d, ns->now.mono_us + SEC_US);
		return;
	}
	x->session = s->id;
	x->failure = failure;
	x->cast->result = failure ? l->last_result : -1;
	x->cast->is_group = d->multicast;
	CIDS_ADD(&x->cids, CID_NS_DOWNLINK, ns_ulid(ns));
	window_c(x, d, s);
	/* An answer to an uplink may be built meanwhile: the counter is spent, whatever comes. */
	int rc = x->window[RX2].is_there ? downlink_pull(ns, x, d, s) : -EINVAL;
	if (rc == 0)
		x->f_cnt = counter_spend(session_app_counter(s));
	if (rc != 0 || heap_set(&ns->exchanges.due, &x->due, ns->now.mono_us + PULL_US) != 0) {
		exchange_close(&ns->exchanges, x, d);
		look_at(ns, d, ns->now.mono_us + SEC_US);
	}
}

/* Could the next item of one device go now? If not, look again when it can. @return whether to ask for it; *ret_failure: only to let
 * it fail */
static bool can_go(struct ns *ns, struct dev *d, const struct session *s, const char **ret_failure)
{
	struct listening *l = &d->listening;
	struct cast *c = pool_get(&ns->exchanges.cast_pool);
	struct exchange x = { .at = RX2 };
	const char *why = NULL;
	if (!l->since_us)
		l->since_us = ns->now.mono_us;
	window_c(&x, d, s);
	if (!c || !x.window[RX2].is_there) {
		pool_put(&ns->exchanges.cast_pool, c);
		return false;
	}
	add_hearers(ns, c, s, x.window[RX2].freq_hz);
	c->from_us = interval_end_us(d, s);
	struct cast_tx t = { .session = s, .window = &x.window[RX2], .len = MHDR_FHDR_FPORT_MIC + l->length, .priority = l->priority };
	uint64_t at_us = cast_probe(ns, c, &t, &why);
	bool is_free = at_us && at_us <= ns->now.mono_us, is_over = ns->now.mono_us >= l->since_us + ns->config.class_c_max_delay_us;
	cast_done(c);
	pool_put(&ns->exchanges.cast_pool, c);
	if (!is_free && is_over)
		*ret_failure = l->last_result >= 0 ? "transmission" : error_of(at_us ? "conflict" : why);
	else if (!is_free)
		look_at(ns, d, at_us ? at_us : ns->now.mono_us + (strcmp(why, "unreserved") == 0 ? PAUSE_US : SEC_US / 4));
	return is_free || is_over;
}

/* The last item's acknowledgement is waited for. @return whether it still is */
static bool awaits(struct ns *ns, struct dev *d, struct session *s)
{
	struct listening *l = &d->listening;
	if (!s->confirmed.is_there) {
		l->answer_us = 0;
		return false;
	}
	if (!l->answer_us)
		l->answer_us = ns->now.mono_us +
			(MSG_HAS(&d->mac, class_c_timeout_s) ? d->mac.class_c_timeout_s * SEC_US : ns->config.class_c_timeout_us);
	if (ns->now.mono_us < l->answer_us) {
		look_at(ns, d, l->answer_us);
		return true;
	}
	struct cid_list cids = { .len = 0 };
	CIDS_ADD(&cids, CID_AS_DOWNLINK, s->confirmed.item);
	struct about about = { .dev = d, .cids = &cids };
	trace_reason(ns, EVENT_NS_DOWN_DATA_ACK_TIMEOUT, &about, "no uplink acknowledged it in time");
	l->answer_us = 0;
	downlink_session_ends(ns, s, NULL);
	record_live_put(ns, s);
	l->told = ns->outbox.tail;
	return false;
}

/* What is being sent to it at all: its end is waited for. */
static bool is_busy(const struct ns *ns, const struct dev *d)
{
	const struct exchange *a = exchange_find(&ns->exchanges, d->exchange);
	if (d->listening.exchange || d->flight.is_there || !ns->as_is_up || downlink_waiting(ns, d) <= 0)
		return true;
	return a && (a->state != EXCHANGE_WAIT || !d->listening.is_fresh);
}

/* Is it too early for the next item? Then look again. */
static bool is_early(struct ns *ns, struct dev *d, struct session *s)
{
	struct listening *l = &d->listening;
	uint64_t now_us = ns->now.mono_us, due_us = l->not_before_us;
	uint64_t lead_us = d->multicast ? LEAD_MANY_US : LEAD_ONE_US, interval_us = l->at_unix_us ? 0 : interval_end_us(d, s);
	if (interval_us > due_us + NS_HORIZON_US)
		due_us = interval_us - NS_HORIZON_US;
	if (l->at_unix_us > ns->now.unix_us + lead_us && now_us + (l->at_unix_us - ns->now.unix_us - lead_us) > due_us)
		due_us = now_us + (l->at_unix_us - ns->now.unix_us - lead_us);
	if (ns->outbox.send < l->told && due_us < now_us + PAUSE_US)
		due_us = now_us + PAUSE_US;
	if (due_us <= now_us && !counter_ready(session_app_counter(s), ns->durable)) {
		record_live_put(ns, s);
		due_us = now_us + PAUSE_US;
	}
	if (due_us > now_us)
		look_at(ns, d, due_us);
	return due_us > now_us;
}

void class_c_due(struct ns *ns, struct dev *d)
{
	struct session *s = d->current;
	struct listening *l = &d->listening;
	const char *failure = NULL;
	if (!listens(d) || awaits(ns, d, s) || is_busy(ns, d) || is_early(ns, d, s))
		return;
	/* Which gateways an item names is known once it is pulled. */
	if (d->multicast || l->is_placed || l->at_unix_us || can_go(ns, d, s, &failure))
		ask(ns, d, s, failure);
}

/* ---- what is said of it ---- */

void class_c_queued(struct ns *ns, struct dev *d, const struct waiting *w)
{
	struct listening *l = &d->listening;
	bool is_new = !MSG_HAS(w, item) || !ulid_eq(&w->item, &l->item);
	if (w->items && is_new) {
		l->is_fresh = true;
		l->since_us = l->not_before_us = l->offered_us = 0;
		l->tries = 0;
		l->last_result = -1;
	}
	if (MSG_HAS(w, item))
		l->item = w->item;
	l->is_placed = MSG_HAS(w, is_placed) && w->is_placed;
	l->length = MSG_HAS(w, length) ? w->length : 0;
	l->priority = MSG_HAS(w, priority) ? w->priority : 0;
	l->at_unix_us = MSG_HAS(w, at_unix_us) ? w->at_unix_us : 0;
	class_c_wake(ns, d);
}

void class_c_heard(struct ns *ns, struct dev *d)
{
	d->listening.is_fresh = false;
	class_c_wake(ns, d);
}

/* ---- an item ---- */

static void came_to_nothing(struct ns *ns, struct exchange *x, struct dev *d, uint64_t pause)
{
	struct listening *l = &d->listening;
	l->tries++;
	l->not_before_us = ns->now.mono_us + pause;
	exchange_close(&ns->exchanges, x, d);
	class_c_wake(ns, d);
}

void class_c_unanswered(struct ns *ns, struct exchange *x)
{
	struct dev *d = devices_find(&ns->devices, x->device);
	if (d)
		came_to_nothing(ns, x, d, SEC_US);
	else
		exchange_close(&ns->exchanges, x, NULL);
}

static void add_named(struct ns *ns, struct cast *c, const struct pulled *m)
{
	for (size_t i = 0; i < m->gateways.len; i++) {
		uint32_t group = MSG_HAS(&m->gateways.v[i], group) ? m->gateways.v[i].group : 0;
		bool is_first = true;
		for (size_t k = 0; k < i; k++)
			is_first &= (MSG_HAS(&m->gateways.v[k], group) ? m->gateways.v[k].group : 0) != group;
		if (!is_first)
			continue;
		cast_leg(c);
		for (size_t k = i; k < m->gateways.len; k++) {
			struct gateway *g = gateways_find(&ns->gateways, m->gateways.v[k].gateway_eui);
			if (g && (MSG_HAS(&m->gateways.v[k], group) ? m->gateways.v[k].group : 0) == group)
				cast_way(c, g);
		}
		if (!c->leg[c->n_legs - 1].n)
			c->n_legs--;
	}
}

/* Through whom, and when. */
static void cast_fill(struct ns *ns, struct exchange *x, struct dev *d, const struct pulled *m)
{
	struct cast *c = x->cast;
	struct listening *l = &d->listening;
	if (MSG_HAS(m, at_unix_us)) {
		int64_t ahead_us = (int64_t)(m->at_unix_us - ns->now.unix_us);
		c->at_us = ahead_us > 0 ? ns->now.mono_us + (uint64_t)ahead_us : 1;
	}
	struct session *s = dev_session(d, &x->session);
	if (!l->since_us)
		l->since_us = ns->now.mono_us;
	c->after_us = s->air_until_us;
	c->from_us = interval_end_us(d, s);
	c->until_us = (c->is_group ? ns->now.mono_us : l->since_us) + ns->config.class_c_max_delay_us;
	if (c->at_us)
		c->until_us = c->at_us + ns->config.class_c_max_delay_us;
	if (MSG_HAS(m, gateways) && m->gateways.len)
		add_named(ns, c, m);
	else if (c->is_group)
		multicast_cover(ns, d, c, x->window[RX2].freq_hz);
	else
		add_hearers(ns, c, s, x->window[RX2].freq_hz);
	if (c->is_group)
		multicast_meet(ns, d, c);
}

static size_t f_opts_within(unsigned most, unsigned used)
{
	size_t n = most > used ? most - used : 0;
	return n < FOPTS_MAX ? n : FOPTS_MAX;
}

/* What is wanted of the device goes with an item that leaves room for it: not while an answer of the device is due, or its uplink is
 * being answered. */
static void add_commands(struct ns *ns, struct exchange *x, struct dev *d, struct session *s, size_t item_len)
{
	uint8_t buf[FOPTS_MAX];
	struct writer commands = writer_of(buf, sizeof(buf));
	struct about about = { .cids = &x->cids, .dev = d };
	struct reception last = { .f_cnt = (uint32_t)(s->up_next - 1), .dr = s->last_dr };
	struct mac_run run = { .ns = ns, .dev = d, .session = s, .reception = &last, .about = &about, .answers = &commands };
	if (d->multicast || !s->up_next || s->mac.is_out || exchange_find(&ns->exchanges, d->exchange))
		return;
	unsigned up = region_max_payload(d->plan->region, (enum phy_version)d->phy_version, true, s->last_dr, mac_has_up_dwell(s));
	struct mac_room room = { .f_opts = f_opts_within(downlink_room(d, x), (unsigned)item_len), .up = f_opts_within(up, FHDR), .is_cast = true };
	mac_ask(&run, &room);
	x->has_requests = run.has_requests;
	x->mac_len = (uint8_t)commands.len;
	if (!commands.len)
		return;
	memcpy(x->mac, buf, commands.len);
	record_mac_put(ns, s);
	record_live_put(ns, s);
}

void class_c_pulled(struct ns *ns, struct exchange *x, struct dev *d, const struct pulled *m, bool no_answer)
{
	struct listening *l = &d->listening;
	struct session *s = dev_session(d, &x->session);
	if (!m && !no_answer && s && session_app_counter(s)->next == (uint64_t)x->f_cnt + 1)
		session_app_counter(s)->next--; /* nothing was encrypted for it */
	if (m || no_answer)
		l->offered_us = 0; /* if it comes back, it is offered anew */
	if (!m) {
		came_to_nothing(ns, x, d, no_answer ? SEC_US : pause_us(l));
		return;
	}
	x->has_item = true;
	l->at_unix_us = 0; /* what the as says next is of another item */
	l->is_placed = false;
	CIDS_ADD_ALL(&x->cids, &m->cids);
	if (s && !x->failure)
		add_commands(ns, x, d, s, m->frm.len);
	if (x->failure || transmit_build(ns, x, m) != 0) {
		outcome_finish(ns, x, x->failure ? x->failure : "build");
		return;
	}
	if (dev_session(d, &x->session))
		cast_fill(ns, x, d, m);
	cast_run(ns, x);
}

/* ---- its end ---- */

/* Did any leg leave, as far as is known? */
static bool was_on_air(const struct cast *c, const struct dev *d, const struct exchange *x)
{
	struct session *s = dev_session(d, &x->session);
	bool is_any = false;
	for (unsigned i = 0; i < c->n_legs; i++) {
		const struct leg *l = &c->leg[i];
		if (l->state != LEG_SENT && l->state != LEG_UNKNOWN)
			continue;
		is_any = true;
		if (s && s->cast_us < l->from_us)
			s->cast_us = l->from_us;
	}
	return is_any;
}

void class_c_ended(struct ns *ns, struct exchange *x)
{
	struct dev *d = devices_find(&ns->devices, x->device);
	const struct cast *c = x->cast;
	const char *why = c->why ? c->why : "no_downlink_path";
	bool is_over = c->is_group || (c->at_us && strcmp(why, "overtaken") != 0);
	if (!d)
		return;
	if (was_on_air(c, d, x))
		return;
	struct listening *l = &d->listening;
	if (c->result >= 0)
		l->last_result = c->result;
	is_over |= ns->now.mono_us >= l->since_us + ns->config.class_c_max_delay_us;
	if (is_over) {
		x->failure = c->result >= 0 ? "transmission" : error_of(why);
		return;
	}
	/* It goes back to its queue, and is asked for again when somebody can send it. */
	l->not_before_us = c->later_us ? c->later_us : ns->now.mono_us + pause_us(l);
	l->tries++;
}

void class_c_loaded(struct ns *ns)
{
	for (struct dev *d = ns->devices.by_uid; d; d = d->by_uid.next) {
		d->listening.told = ns->outbox.tail;
		d->listening.last_result = -1;
		class_c_wake(ns, d);
	}
}

void class_c_forget(struct ns *ns, struct dev *d)
{
	struct exchange *x = exchange_find(&ns->exchanges, d->listening.exchange);
	if (x)
		downlink_settle(ns, x);
	heap_remove(&ns->listeners, &d->listening.due);
}
