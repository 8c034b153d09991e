/** @file The replica of the registry's network half: taken from the as, passed on to every gs. */
#include "ns/core/registry.h"
#include "ns/core/down/class_c.h"
#include "ns/core/down/downlink.h"
#include "ns/core/down/multicast.h"
#include "ns/core/mac/mac_adopt.h"
#include "ns/core/records.h"
#include <stdlib.h>
#include <string.h>

/* ---- to the gateway servers ---- */

static void begin(struct ns *ns)
{
	struct sync *m = &ns->sync;
	m->has = 0;
	m->store_id = ns->registry_id;
	m->revision = ns->registry_revision;
	m->v.len = 0;
}

static struct sync_entry *entry_of(struct ns *ns, uint64_t uid)
{
	struct sync_entry *e = &ns->sync.v.v[ns->sync.v.len++];
	e->has = 0;
	e->revision = ns->registry_revision;
	MSG_SET(e, gateway, uid);
	return e;
}

void registry_send_all(struct ns *ns, uint32_t gs)
{
	bool is_first = true;
	if (!ns->has_registry)
		return; /* nothing to say: it keeps what it was told before */
	struct gateway *g = ns->gateways.by_uid;
	do {
		begin(ns);
		for (; g && ns->sync.v.len < COUNT(ns->sync.v.v); g = g->by_uid.next) {
			struct sync_entry *e = entry_of(ns, g->uid);
			e->gtw = g->record;
			MSG_MARK(e, gtw);
		}
		if (is_first)
			MSG_SET(&ns->sync, first, true);
		if (!g)
			MSG_SET(&ns->sync, last, true);
		is_first = false;
		if (ns->ports.sync_gs(ns->ports.ctx, gs, &ns->sync) != 0)
			return; /* gone; it is told all when it comes back */
	} while (g);
}

static void send_changes(struct ns *ns, const struct sync *from)
{
	begin(ns);
	for (size_t i = 0; i < from->v.len; i++) {
		const struct sync_entry *c = &from->v.v[i];
		if (!MSG_HAS(c, gateway))
			continue;
		struct sync_entry *e = entry_of(ns, c->gateway);
		if (MSG_HAS(c, gtw)) {
			e->gtw = c->gtw;
			MSG_MARK(e, gtw);
		} else {
			MSG_SET(e, deleted, true);
		}
	}
	for (uint32_t gs = 1; gs <= NS_GS_MAX && ns->sync.v.len; gs++)
		if (ns->gs_is_up[gs])
			ns->ports.sync_gs(ns->ports.ctx, gs, &ns->sync);
}

static void send_all_to_all(struct ns *ns)
{
	for (uint32_t gs = 1; gs <= NS_GS_MAX; gs++)
		if (ns->gs_is_up[gs])
			registry_send_all(ns, gs);
}

/* ---- devices ---- */

static void settle(struct ns *ns, struct dev *d)
{
	downlink_settle_device(ns, d);
	class_c_forget(ns, d);
	if (d->current)
		downlink_session_ends(ns, d->current, NULL);
}

static void forget_sessions(struct ns *ns, struct dev *d)
{
	settle(ns, d);
	devices_take_current(&ns->devices, d, NULL);
	devices_take_pending(&ns->devices, d, NULL);
	record_session_del(ns, d, SLOT_CURRENT);
	record_session_del(ns, d, SLOT_PENDING);
}

static void device_gone(struct ns *ns, struct dev *d)
{
	forget_sessions(ns, d);
	record_device_del(ns, d);
	(void)multicast_set(ns, d, NULL, 0);
	heap_remove(&ns->listeners, &d->listening.due);
	devices_delete(&ns->devices, d);
}

/* What the operator says of a device as its maker left it: where that changes, what was known of the device is void. */
static uint32_t maker_hash(const struct dev *d)
{
	struct mac_settings m = { .has = d->mac.has & (HAS(mac_settings, rx1_delay) | HAS(mac_settings, rx1_dr_offset) |
		HAS(mac_settings, rx2_dr) | HAS(mac_settings, rx2_freq_hz) | HAS(mac_settings, duty_cycle) | HAS(mac_settings, factory)),
		.rx1_delay = d->mac.rx1_delay, .rx1_dr_offset = d->mac.rx1_dr_offset, .rx2_dr = d->mac.rx2_dr,
		.rx2_freq_hz = d->mac.rx2_freq_hz, .duty_cycle = d->mac.duty_cycle, .factory = d->mac.factory };
	uint8_t buf[256];
	size_t n = 0;
	uint32_t h = 2166136261U;
	if (msg_encode(mac_settings_schema(), &m, buf, sizeof(buf), &n) != 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		h = (h ^ buf[i]) * 16777619U;
	return h ^ d->mac_version << 8 ^ d->phy_version;
}

static bool is_same_session(const struct session *old, const struct net_session *m)
{
	return old && old->dev_addr == m->dev_addr && crypto_equal(&old->nwk_s_enc, &m->nwk_s_enc_key, sizeof(struct key));
}

/* Where downlinks go on: under keys that were in use, never at a counter that may have been sent already, since that would
 * encrypt two payloads alike. A device that began again takes the higher one. */
static uint64_t first_down(const struct session *old, const struct net_session *m, const struct counter *was, bool has_last, uint32_t last)
{
	uint64_t next = has_last ? (uint64_t)last + 1 : 0;
	return is_same_session(old, m) && was->next > next ? was->next : next;
}

static uint64_t first_up(const struct net_session *m)
{
	return MSG_HAS(m, last_f_cnt_up) ? (uint64_t)m->last_f_cnt_up + 1 : 0;
}

/* What an operator says by hand counts; but a session that is brought along once more, and was heard here since, is known better here. */
static bool has_gone_on(const struct session *old, const struct net_session *m)
{
	return MSG_HAS(m, mac) && is_same_session(old, m) && old->up_next > first_up(m);
}

static void counters_by_hand(struct session *s, const struct session *old, const struct net_session *m)
{
	uint64_t down = first_down(old, m, old ? &old->down : NULL, MSG_HAS(m, last_n_f_cnt_down), m->last_n_f_cnt_down);
	uint64_t app_down = first_down(old, m, old ? &old->app_down : NULL, MSG_HAS(m, last_a_f_cnt_down), m->last_a_f_cnt_down);
	s->up_next = s->up_stored = first_up(m);
	counter_start(&s->down, down);
	counter_start(&s->app_down, app_down);
}

/* The version says how many counters there are. What one of them used, no other may use again. */
static void version_by_hand(struct session *s, const struct dev *d)
{
	bool is_v11 = d->rules && d->rules->is_v11;
	if (s->is_v11 == is_v11)
		return;
	uint64_t most = s->down.next > s->app_down.next ? s->down.next : s->app_down.next;
	counter_start(&s->down, is_v11 ? s->down.next : most);
	counter_start(&s->app_down, is_v11 ? most : 0);
	s->is_v11 = is_v11;
}

/* What a session that was brought along has behind it. */
static void session_adopt(struct session *s, const struct net_session *m)
{
	if (MSG_HAS(m, last_conf_f_cnt_down) && s->is_v11)
		session_conf_acked(s, (uint16_t)m->last_conf_f_cnt_down); /* its item is not ours */
	if (MSG_HAS(m, last_rj_count_0) && s->is_v11)
		s->rejoin_next = m->last_rj_count_0 + (m->last_rj_count_0 < UINT32_MAX);
	if (MSG_HAS(m, started_unix_us))
		s->started_unix_us = m->started_unix_us;
	if (MSG_HAS(m, mac))
		mac_adopt(s, &m->mac);
}

static void counter_raise(struct counter *c, uint64_t next)
{
	if (next > c->next)
		counter_start(c, next);
}

/* It has another name now, and its downlink counters may have been used elsewhere too. */
static void session_go_on(struct ns *ns, struct dev *d, const struct net_session *m)
{
	struct session *s = d->current;
	settle(ns, d);
	s->id = m->session_key_id;
	counter_raise(&s->down, first_down(s, m, &s->down, MSG_HAS(m, last_n_f_cnt_down), m->last_n_f_cnt_down));
	if (s->is_v11)
		counter_raise(&s->app_down, first_down(s, m, &s->app_down, MSG_HAS(m, last_a_f_cnt_down), m->last_a_f_cnt_down));
	record_session_put(ns, s);
}

/* A session that the registry holds: of a device without a join, or brought along from elsewhere. */
static int session_by_hand(struct ns *ns, struct dev *d, const struct net_session *m)
{
	if (has_gone_on(d->current, m)) {
		session_go_on(ns, d, m);
		return 0;
	}
	struct session *s = session_new(d);
	if (!s)
		return -ENOMEM;
	settle(ns, d); /* which may spend a counter */
	counters_by_hand(s, d->current, m);
	/* Where the version changed as well, version_by_hand joins the counters: it must see what they were of. */
	s->is_v11 = d->current ? d->current->is_v11 : d->rules && d->rules->is_v11;
	forget_sessions(ns, d);
	s->is_by_hand = !d->supports_join;
	s->join_told = true;
	s->id = m->session_key_id;
	s->dev_addr = m->dev_addr;
	s->f_nwk_s_int = m->f_nwk_s_int_key;
	s->s_nwk_s_int = m->s_nwk_s_int_key;
	s->nwk_s_enc = m->nwk_s_enc_key;
	s->started_unix_us = ns->now.unix_us;
	mac_begin(s, mac_rx_of_maker(d), true);
	devices_take_current(&ns->devices, d, s);
	version_by_hand(s, d);
	session_adopt(s, m);
	record_session_put(ns, s);
	return 0;
}

static void device_set(struct ns *ns, struct dev *d, const struct ns_device *m)
{
	devices_set_euis(&ns->devices, d, MSG_HAS(m, dev_eui), m->dev_eui, MSG_HAS(m, join_eui), m->join_eui);
	d->mac_version = m->mac_version;
	d->phy_version = m->phy_version;
	d->rules = mac_rules(m->mac_version);
	d->plan = plan_for(str_of(m->plan), (enum phy_version)m->phy_version);
	d->supports_join = m->supports_join;
	d->class_c = MSG_HAS(m, class_c) && m->class_c;
	d->multicast = MSG_HAS(m, multicast) && m->multicast;
	d->rejoin = MSG_HAS(m, rejoin) ? m->rejoin : 0;
	d->mac = (struct mac_settings){ .has = 0 };
	if (MSG_HAS(m, mac))
		d->mac = m->mac;
}

static void session_by_hand_changed(struct ns *ns, struct dev *d, bool is_void)
{
	if (!d->current || !d->current->is_by_hand)
		return;
	if (is_void)
		mac_begin(d->current, mac_rx_of_maker(d), true);
	version_by_hand(d->current, d);
	record_session_put(ns, d->current);
}

/* Live counters give way only where the operator said so. */
static int sessions_changed(struct ns *ns, struct dev *d, const struct ns_device *m, bool is_new, bool is_void)
{
	uint32_t reset = MSG_HAS(m, reset) ? m->reset : 0;
	bool is_by_hand = d->current && d->current->is_by_hand, is_reset = !is_new && reset != d->reset;
	if (is_reset && !is_by_hand)
		forget_sessions(ns, d);
	d->reset = reset;
	if (MSG_HAS(m, session) && (is_new || m->session.generation != d->generation)) {
		d->generation = m->session.generation;
		return session_by_hand(ns, d, &m->session);
	}
	if (!MSG_HAS(m, session) && is_by_hand) {
		forget_sessions(ns, d);
	}
	session_by_hand_changed(ns, d, is_void || is_reset);
	return 0;
}

static int groups_changed(struct ns *ns, struct dev *d, const struct ns_device *m)
{
	uint64_t groups[NS_GROUPS_MAX];
	size_t n = 0;
	for (size_t i = 0; MSG_HAS(m, groups) && i < m->groups.len && n < NS_GROUPS_MAX; i++)
		groups[n++] = m->groups.v[i].group;
	return multicast_set(ns, d, groups, n);
}

static int device_changed(struct ns *ns, uint64_t uid, const struct ns_device *m)
{
	bool is_new = !devices_find(&ns->devices, uid);
	struct dev *d = devices_make(&ns->devices, uid);
	if (!d)
		return -ENOMEM;
	uint32_t maker = maker_hash(d);
	const struct plan *plan = d->plan;
	device_set(ns, d, m);
	TRY(sessions_changed(ns, d, m, is_new, plan != d->plan || maker != maker_hash(d)));
	TRY(groups_changed(ns, d, m));
	d->is_named = true;
	record_device_put(ns, d);
	class_c_wake(ns, d);
	return 0;
}

/* ---- gateways ---- */

static void gateway_gone(struct ns *ns, struct gateway *g)
{
	ns_del(ns, NS_GATEWAY, g->uid, SLOT_NONE);
	gateways_unregister(&ns->gateways, g);
}

static int gateway_changed(struct ns *ns, uint64_t uid, const struct ns_gateway *m)
{
	struct gateway *g = gateways_register(&ns->gateways, uid, m, ns_ledger_us(ns, ns->now.mono_us));
	if (!g)
		return -ENOMEM;
	g->is_named = true;
	record_gateway_put(ns, g);
	return 0;
}

/* ---- sets and changes ---- */

static int entry_taken(struct ns *ns, const struct sync_entry *e)
{
	struct dev *d = MSG_HAS(e, device) ? devices_find(&ns->devices, e->device) : NULL;
	struct gateway *g = MSG_HAS(e, gateway) ? gateways_by_uid(&ns->gateways, e->gateway) : NULL;
	bool is_deleted = MSG_HAS(e, deleted) && e->deleted;
	if (is_deleted && d)
		device_gone(ns, d);
	if (is_deleted && g)
		gateway_gone(ns, g);
	if (!is_deleted && MSG_HAS(e, device) && MSG_HAS(e, dev))
		TRY(device_changed(ns, e->device, &e->dev));
	if (!is_deleted && MSG_HAS(e, gateway) && MSG_HAS(e, gtw))
		TRY(gateway_changed(ns, e->gateway, &e->gtw));
	return 0;
}

static void for_each_unnamed(struct ns *ns, bool do_all)
{
	struct dev *d, *next_d;
	struct gateway *g, *next_g;
	HASH_ITER(by_uid, ns->devices.by_uid, d, next_d)
		if (do_all || !d->is_named)
			device_gone(ns, d);
	HASH_ITER(by_uid, ns->gateways.by_uid, g, next_g)
		if (do_all || !g->is_named)
			gateway_gone(ns, g);
}

static void set_begins(struct ns *ns, const struct ulid *store_id)
{
	/* Numbers of another registry mean other things. */
	if (!ulid_eq(store_id, &ns->registry_id))
		for_each_unnamed(ns, true);
	for (struct dev *d = ns->devices.by_uid; d; d = d->by_uid.next)
		d->is_named = false;
	for (struct gateway *g = ns->gateways.by_uid; g; g = g->by_uid.next)
		g->is_named = false;
	ns->registry_id = *store_id;
	ns->has_registry = false; /* until the set is complete: an interrupted one is sent again */
	ns->set_is_open = true;
	record_registry_put(ns);
}

static void set_ends(struct ns *ns)
{
	for_each_unnamed(ns, false);
	ns->set_is_open = false;
	ns->has_registry = true;
	send_all_to_all(ns);
}

void ns_as_sync(struct ns *ns, const struct now *now, uint64_t request, const struct sync *m)
{
	ns->now = *now;
	bool is_first = MSG_HAS(m, first) && m->first, is_last = MSG_HAS(m, last) && m->last;
	if (is_first)
		set_begins(ns, &m->store_id);
	if (!ulid_eq(&m->store_id, &ns->registry_id) || (!ns->has_registry && !ns->set_is_open)) {
		ns_refuse(ns, request, "out_of_step", "these changes do not follow what this replica has");
		return;
	}
	for (size_t i = 0; i < m->v.len; i++)
		if (entry_taken(ns, &m->v.v[i]) != 0) {
			ns_refuse(ns, request, "no_memory", "no memory for the registry");
			return;
		}
	ns->registry_revision = m->revision;
	if (is_last)
		set_ends(ns);
	else if (!ns->set_is_open)
		send_changes(ns, m);
	if (ns->has_registry)
		record_registry_put(ns);
	ns_accept(ns, request);
}

void ns_as_sync_state(const struct ns *ns, struct sync_state *ret)
{
	*ret = (struct sync_state){ .has = 0 };
	if (!ns->has_registry)
		return;
	MSG_SET(ret, store_id, ns->registry_id);
	MSG_SET(ret, revision, ns->registry_revision);
}
