/** @file The gateway servers and the application server of a town: what they answer, and when. */
#include "test/scenario/town.h"

/* ---- gs ---- */

static void answer(void *ctx, uint64_t request, const char *refusal, const char *message)
{
	struct town *t = ctx;
	(void)message;
	t->refused += refusal != NULL;
	for (uint32_t i = 0; i < t->n_held; i++)
		if (t->held[i].request == request) {
			t->held[i] = t->held[--t->n_held];
			return;
		}
}

static struct t_gateway *gateway_of(struct town *t, uint64_t eui)
{
	for (unsigned i = 0; i < t->opt.gateways; i++)
		if (t->gw[i].eui == eui)
			return &t->gw[i];
	return NULL;
}

/* What an older process had planned its successor cannot know: the forwarder refuses what collides with it. */
static bool collides_with_the_past(const struct town *t, const struct t_gateway *g, const struct emission *e)
{
	for (const struct emission *o = g->emissions; o; o = o->next)
		if (o->is_planned && o->asked_us < t->crash_us && o->start_us < e->start_us + e->m.airtime_us && e->start_us < o->start_us + o->m.airtime_us)
			return true;
	return false;
}

static void forget_old(struct town *t, struct t_gateway *g)
{
	for (struct emission **e = &g->emissions; *e;) {
		struct emission *old = *e;
		if (old->start_us + 3700 * SEC_US > t->now.mono_us) {
			e = &old->next;
			continue;
		}
		*e = old->next;
		free(old);
	}
}

static uint64_t start_of(const struct town *t, const struct t_gateway *g, const struct tx_request *m)
{
	if (MSG_HAS(m, tmst_us))
		return t->now.mono_us + (uint64_t)(int64_t)(int32_t)(m->tmst_us - (uint32_t)(t->now.mono_us + g->offset_us));
	if (MSG_HAS(m, gps_ms))
		return t->now.mono_us + (clock_unix_us_of_gps(m->gps_ms * MS_US) - t->now.unix_us);
	return t->now.mono_us + g->path_us + g->imme_us;
}

static enum tx_result take(struct town *t, struct t_gateway *g, const struct emission *e)
{
	if (e->start_us < t->now.mono_us + g->path_us + NS_LEAD_US)
		return TX_RESULT_TOO_LATE;
	if (collides_with_the_past(t, g, e))
		return TX_RESULT_COLLISION_PACKET;
	return rng_below(&t->rng, 300) == 0 ? TX_RESULT_TOO_EARLY : TX_RESULT_SUCCESS;
}

static int schedule(void *ctx, uint32_t gs, const struct tx_request *m)
{
	struct town *t = ctx;
	struct t_gateway *g = gateway_of(t, m->gateway_eui);
	(void)gs;
	if (!g)
		return -ENOTCONN;
	forget_old(t, g);
	struct emission *e = calloc(1, sizeof(*e));
	*e = (struct emission){ .next = g->emissions, .m = *m, .gateway = (uint32_t)(g - t->gw), .asked_us = t->now.mono_us, .start_us = start_of(t, g, m) };
	g->emissions = e;
	enum tx_result result = take(t, g, e);
	e->is_planned = result == TX_RESULT_SUCCESS;
	e->is_silent = e->is_planned && rng_below(&t->rng, 200) == 0;
	t->n_emissions++;
	law_emission(t, e);
	struct t_event *v = town_at(t, t->now.mono_us + MS_US, T_SCHEDULED);
	v->id = m->transmission;
	if (e->is_planned)
		town_at(t, e->start_us, T_AIR)->emission = e;
	if (e->is_silent)
		return 0;
	v = town_at(t, t->now.mono_us + 2 * g->path_us, T_TX_ACK);
	v->ack = (struct tx_ack){ .transmission = m->transmission, .gateway_eui = g->eui, .result = result };
	CIDS_ADD_ALL(&v->ack.cids, &m->cids);
	CIDS_ADD(&v->ack.cids, CID_GS_TX_ACK, ulid_make(t->now.unix_us, &t->rng));
	return 0;
}

static int sync_gs(void *ctx, uint32_t gs, const struct sync *m)
{
	(void)ctx, (void)gs, (void)m;
	return 0;
}

static void send_up(struct town *t, const struct t_event *e)
{
	struct gs_uplink up = e->up;
	if (t->n_held == TOWN_HELD) {
		T_BREAK(t, "the gateway servers hold more than they can");
		return;
	}
	up.age_us = (uint32_t)(t->now.unix_us - up.rx.received_unix_us);
	t->held[t->n_held].request = ++t->request;
	t->held[t->n_held++].up = up;
	ns_gs_uplink(t->disk->ns, &t->now, 1, t->request, &up);
}

/* ---- as ---- */

static int pull(void *ctx, const struct ns_pull *call, const struct pull *m)
{
	struct town *t = ctx;
	struct t_event *e = town_at(t, t->now.mono_us + 2 * MS_US + rng_below(&t->rng, 5 * MS_US), T_PULLED);
	e->pull = *call;
	items_pull(t, town_house(t, m->device), m, &e->pulled);
	return 0;
}

static bool is_used(void *ctx, uint16_t nonce)
{
	const struct house *h = ctx;
	return h->nonces[nonce / 8] >> nonce % 8 & 1;
}

static int join(void *ctx, uint64_t call, const struct join_request *m)
{
	struct town *t = ctx;
	struct house *h = town_house(t, m->device);
	struct session session;
	bool is_new;
	struct join_device d = { .mac_version = (uint32_t)h->n.rules->version, .dev_eui = h->n.dev_eui, .join_eui = h->n.join_eui, .app_key = &h->n.app_key,
		.nwk_key = &h->n.nwk_key, .is_used = is_used, .ctx = h };
	struct t_event *e = town_at(t, t->now.mono_us + 3 * MS_US, T_JOINED);
	e->number = call;
	int rc = join_handle(t->crypto, &d, m, &t->now, &t->rng, &h->join, &session, &is_new);
	if (rc != 0) {
		e->refusal = rc > 0 ? join_refusal_word(rc) : "io";
		h->awaited.wants_accept = false;
		if (rc != JOIN_E_NONCE_USED)
			T_BREAK(t, "a join of %s is refused: %s", h->name, e->refusal);
		return 0;
	}
	h->nonces[h->join.dev_nonce / 8] |= (uint8_t)(1U << h->join.dev_nonce % 8);
	t->n_rejoins += is_new && h->join.request_type != JOIN_REQ_TYPE;
	h->session = h->join.answer.session_key_id;
	e->join = h->join.answer;
	return 0;
}

static int up(void *ctx, uint64_t seq, struct slice encoded)
{
	struct town *t = ctx;
	struct ns_up *m = &t->up;
	struct t_event *e = town_at(t, t->now.mono_us + 2 * MS_US, T_TOOK);
	e->number = seq;
	if (msg_decode(ns_up_schema(), encoded.p, encoded.n, m) != 0) {
		T_BREAK(t, "the outbox holds what nobody can read");
		return 0;
	}
	if (m->seq <= t->seen_seq)
		return 0; /* a repeat */
	if (t->seen_seq && m->seq != t->seen_seq + 1)
		T_BREAK(t, "outbox message %" PRIu64 " came after %" PRIu64, m->seq, t->seen_seq);
	t->seen_seq = m->seq;
	struct house *h = m->device ? town_house(t, m->device) : NULL;
	if (MSG_HAS(m, data))
		law_delivered(t, h, &m->data);
	else if (MSG_HAS(m, outcome))
		items_outcome(t, h, &m->outcome);
	else if (MSG_HAS(m, restarted))
		items_restarted(t);
	return 0;
}

static void tell_as(void *ctx, enum method m, const void *msg)
{
	(void)ctx, (void)m, (void)msg;
}

/* ---- both ---- */

static int put(void *ctx, struct slice key, struct slice value)
{
	return w_put(((struct town *)ctx)->disk, key, value);
}

static int del(void *ctx, struct slice key)
{
	return w_del(((struct town *)ctx)->disk, key);
}

static int get(void *ctx, struct slice key, struct slice *ret)
{
	return w_get(((struct town *)ctx)->disk, key, ret);
}

void servers_ports(struct town *t, struct ns_ports *ret)
{
	*ret = (struct ns_ports){ t, put, del, get, answer, join, pull, up, tell_as, schedule, sync_gs, NULL, NULL };
}

static void put_entry(const struct house *h, uint64_t revision, struct sync_entry *e)
{
	*e = (struct sync_entry){ .revision = revision };
	MSG_SET(e, device, h->uid);
	MSG_MARK(e, dev);
	struct ns_device *d = &e->dev;
	d->mac_version = (uint32_t)h->n.rules->version;
	d->phy_version = (uint32_t)h->n.phy_version;
	str_copy(STR("app1"), d->application_id, sizeof(d->application_id));
	str_copy(str_of(h->name), d->device_id, sizeof(d->device_id));
	str_copy(str_of(h->n.plan->id), d->plan, sizeof(d->plan));
	d->supports_join = h->n.is_otaa;
	MSG_SET(d, class_c, h->n.class_c);
	MSG_SET(d, multicast, h->is_group);
	MSG_MARK(d, mac);
	MSG_SET(&d->mac, status_every_n, 100);
	if (h->rejoin)
		MSG_SET(d, rejoin, h->rejoin);
	if (h->group) {
		d->groups.v[d->groups.len++].group = h->group;
		MSG_MARK(d, groups);
	}
	if (!h->is_group) {
		MSG_SET(d, dev_eui, h->n.dev_eui);
		MSG_SET(d, join_eui, h->n.join_eui);
	}
	if (h->n.is_otaa)
		return;
	const struct session_keys *k = &h->s[0].keys.keys;
	MSG_MARK(d, session);
	d->session = (struct net_session){ .dev_addr = h->s[0].keys.dev_addr, .f_nwk_s_int_key = k->f_nwk_s_int, .s_nwk_s_int_key = k->s_nwk_s_int,
		.nwk_s_enc_key = k->nwk_s_enc, .session_key_id = h->s[0].id, .generation = 1 };
}

static void tell_registry(struct town *t)
{
	static struct sync m;
	unsigned i = 0;
	t->revision = t->n_houses;
	while (i < t->n_houses) {
		m = (struct sync){ .store_id = { { 7 } }, .revision = t->revision };
		if (i == 0)
			MSG_SET(&m, first, true);
		for (; i < t->n_houses && m.v.len < 16; i++)
			put_entry(&t->house[i], i + 1, &m.v.v[m.v.len++]);
		if (i == t->n_houses)
			MSG_SET(&m, last, true);
		ns_as_sync(t->disk->ns, &t->now, 0, &m);
	}
}

void servers_ask_rejoin(struct town *t, struct house *h)
{
	static struct sync m;
	h->rejoin++;
	m = (struct sync){ .store_id = { { 7 } }, .revision = ++t->revision };
	put_entry(h, t->revision, &m.v.v[m.v.len++]);
	ns_as_sync(t->disk->ns, &t->now, 0, &m);
}

void servers_hello(struct town *t)
{
	struct ns *ns = t->disk->ns;
	ns_gs_up(ns, &t->now, 1);
	for (unsigned i = 0; i < t->opt.gateways; i++) {
		struct gateway_status m = { .gateway_eui = t->gw[i].eui, .connected = true, .can_send = true };
		snprintf(m.gateway_id, sizeof(m.gateway_id), "%s", t->gw[i].id);
		str_copy(str_of(t->gw[i].plan->id), m.plan, sizeof(m.plan));
		MSG_MARK(&m, plan);
		ns_gs_status(ns, &t->now, 1, &m);
	}
	ns_as_up(ns, &t->now);
	struct sync_state state = { .has = 0 };
	ns_as_sync_state(ns, &state);
	if (!MSG_HAS(&state, revision) || state.revision != t->revision || !t->revision)
		tell_registry(t);
	items_tell_all(t);
}

void servers_event(struct town *t, struct t_event *e)
{
	struct ns *ns = t->disk->ns;
	switch (e->kind) {
	case T_DELIVER: send_up(t, e); break;
	case T_COMMIT:
		w_commit(t->disk, e->number);
		ns_committed(ns, &t->now, e->number);
		break;
	case T_PULLED: ns_as_pulled(ns, &t->now, &e->pull, &e->pulled); break;
	case T_JOINED: ns_as_joined(ns, &t->now, e->number, e->refusal ? NULL : &e->join, e->refusal); break;
	case T_TOOK: ns_as_took(ns, &t->now, e->number, true); break;
	case T_SCHEDULED: ns_gs_scheduled(ns, &t->now, &e->id, 0, TX_RESULT_SUCCESS); break;
	case T_TX_ACK: ns_gs_tx_ack(ns, &t->now, 0, &e->ack); break;
	case T_TELL: items_tell(t, town_house(t, e->number)); break;
	default: break;
	}
}
