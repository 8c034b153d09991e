/** @file Records of the store: how state is written down and taken back. */
#include "ns/core/records.h"
#include "ns/core/down/multicast.h"
#include <string.h>

enum { RECORD_VERSION = 1, RECORD_MAX = 1024 };
enum { FLAG_V11 = 16, FLAG_CONF = 32, FLAG_REJOIN = 64, FLAG_BY_HAND = 1, FLAG_JOIN_TOLD = 2, FLAG_CONFIRMED = 4, FLAG_IS_CONFIRMED = 8 };

static struct slice written(const struct writer *w)
{
	return (struct slice){ w->p, w->len };
}

static void put_text(struct writer *w, const char *z)
{
	size_t n = strlen(z);
	writer_u8(w, (uint8_t)n);
	writer_put(w, z, n);
}

static void get_text(struct reader *r, char *dst, size_t cap)
{
	size_t n = reader_u8(r);
	struct slice s = reader_take(r, n);
	if (r->failed || n >= cap) {
		r->failed = true;
		return;
	}
	memcpy(dst, s.p, n);
	dst[n] = '\0';
}

static void get_ulid(struct reader *r, struct ulid *ret)
{
	struct slice s = reader_take(r, sizeof(ret->b));
	if (s.p)
		memcpy(ret->b, s.p, sizeof(ret->b));
}

/* A message of the bus inside a record, so that its new fields need no new version here. */
static void put_msg(struct writer *w, const struct schema *s, const void *m)
{
	uint8_t buf[RECORD_MAX];
	size_t n = 0;
	if (msg_encode(s, m, buf, sizeof(buf), &n) != 0)
		w->failed = true;
	writer_be16(w, (uint16_t)n);
	writer_put(w, buf, n);
}

static void get_msg(struct reader *r, const struct schema *s, void *ret)
{
	struct slice b = reader_take(r, reader_be16(r));
	if (r->failed || msg_decode(s, b.p, b.n, ret) != 0)
		r->failed = true;
}

void record_device_put(struct ns *ns, const struct dev *d)
{
	uint8_t buf[RECORD_MAX];
	struct writer w = writer_of(buf, sizeof(buf));
	writer_u8(&w, RECORD_VERSION);
	writer_u8(&w, (uint8_t)((d->has_dev_eui ? 1 : 0) | (d->has_euis ? 2 : 0) | (d->supports_join ? 4 : 0) | (d->class_c ? 8 : 0) |
		(d->multicast ? 16 : 0)));
	writer_be64(&w, d->euis[0]);
	writer_be64(&w, d->euis[1]);
	writer_be32(&w, d->mac_version);
	writer_be32(&w, d->phy_version);
	writer_be32(&w, d->generation);
	writer_be32(&w, d->reset);
	writer_be32(&w, d->rejoin);
	put_text(&w, d->plan ? d->plan->id : "");
	put_msg(&w, mac_settings_schema(), &d->mac);
	for (size_t i = 0; i < NS_GROUPS_MAX; i++)
		writer_be64(&w, d->groups[i]);
	ns_put(ns, NS_DEVICE, d->uid, SLOT_NONE, written(&w));
}

static int load_device(struct ns *ns, uint64_t uid, struct reader *r)
{
	struct dev *d = devices_make(&ns->devices, uid);
	if (!d)
		return -ENOMEM;
	uint8_t flags = reader_u8(r);
	uint64_t join_eui = reader_be64(r), dev_eui = reader_be64(r);
	devices_set_euis(&ns->devices, d, flags & 1, dev_eui, flags & 2, join_eui);
	d->supports_join = flags & 4;
	d->class_c = flags & 8;
	d->multicast = flags & 16;
	d->mac_version = reader_be32(r);
	d->phy_version = reader_be32(r);
	d->generation = reader_be32(r);
	d->reset = reader_be32(r);
	d->rejoin = reader_be32(r);
	char plan[33] = "";
	get_text(r, plan, sizeof(plan));
	get_msg(r, mac_settings_schema(), &d->mac);
	d->plan = plan_for(str_of(plan), (enum phy_version)d->phy_version);
	d->rules = mac_rules(d->mac_version);
	uint64_t groups[NS_GROUPS_MAX];
	size_t n = 0;
	for (size_t i = 0; i < NS_GROUPS_MAX; i++) {
		groups[n] = reader_be64(r);
		n += groups[n] != 0;
	}
	return r->failed ? -EBADMSG : multicast_set(ns, d, groups, n);
}

void record_device_del(struct ns *ns, const struct dev *d)
{
	ns_del(ns, NS_DEVICE, d->uid, SLOT_NONE);
	ns_del(ns, NS_FLIGHT, d->uid, SLOT_NONE);
	record_session_del(ns, d, SLOT_CURRENT);
	record_session_del(ns, d, SLOT_PENDING);
}

static int slot_of(const struct session *s)
{
	return s->is_pending ? SLOT_PENDING : SLOT_CURRENT;
}

void record_session_put(struct ns *ns, struct session *s)
{
	uint8_t buf[RECORD_MAX];
	struct writer w = writer_of(buf, sizeof(buf));
	const struct key *keys[] = { &s->f_nwk_s_int, &s->s_nwk_s_int, &s->nwk_s_enc };
	writer_u8(&w, RECORD_VERSION);
	writer_put(&w, s->id.b, sizeof(s->id.b));
	writer_be32(&w, s->dev_addr);
	for (size_t i = 0; i < COUNT(keys); i++) {
		uint8_t wrapped[WRAPPED_KEY];
		if (crypto_wrap(ns->config.crypto, &ns->config.kek, keys[i], wrapped) != 0)
			return;
		writer_put(&w, wrapped, sizeof(wrapped));
	}
	writer_u8(&w, (uint8_t)((s->is_by_hand ? FLAG_BY_HAND : 0) | (s->is_v11 ? FLAG_V11 : 0)));
	writer_be64(&w, s->started_unix_us);
	s->batch = ns->batch;
	ns_put(ns, NS_SESSION, s->dev->uid, slot_of(s), written(&w));
	record_live_put(ns, s);
	s->mac.written = 0;
	record_mac_put(ns, s);
}

static int load_session(struct ns *ns, uint64_t uid, int slot, struct reader *r)
{
	struct dev *d = devices_find(&ns->devices, uid);
	if (!d)
		return 0; /* a device that went, whose last records a crash kept */
	AUTO(session_free) struct session *s = session_new(d);
	if (!s)
		return -ENOMEM;
	struct key *keys[] = { &s->f_nwk_s_int, &s->s_nwk_s_int, &s->nwk_s_enc };
	get_ulid(r, &s->id);
	s->dev_addr = reader_be32(r);
	for (size_t i = 0; i < COUNT(keys); i++) {
		struct slice wrapped = reader_take(r, WRAPPED_KEY);
		if (!wrapped.p)
			return -EBADMSG;
		TRY(crypto_unwrap(ns->config.crypto, &ns->config.kek, wrapped.p, keys[i]));
	}
	uint8_t flags = reader_u8(r);
	s->is_by_hand = flags & FLAG_BY_HAND;
	s->is_v11 = flags & FLAG_V11;
	s->started_unix_us = reader_be64(r);
	mac_begin(s, mac_rx_of_maker(d), true); /* until its record comes */
	if (slot == SLOT_CURRENT)
		devices_take_current(&ns->devices, d, TAKE(s));
	else
		devices_take_pending(&ns->devices, d, TAKE(s));
	return 0;
}

void record_mac_put(struct ns *ns, struct session *s)
{
	uint8_t buf[MAC_RECORD_MAX];
	struct writer w = writer_of(buf, sizeof(buf));
	writer_u8(&w, RECORD_VERSION);
	mac_state_put(&w, s);
	uint32_t hash = 2166136261U;
	for (size_t i = 0; i < w.len; i++)
		hash = (hash ^ buf[i]) * 16777619U;
	hash = hash ? hash : 1;
	if (hash == s->mac.written)
		return;
	s->mac.written = hash;
	ns_put(ns, NS_MAC, s->dev->uid, slot_of(s), written(&w));
}

static int load_mac(struct ns *ns, uint64_t uid, int slot, struct reader *r)
{
	struct dev *d = devices_find(&ns->devices, uid);
	struct session *s = !d ? NULL : slot == SLOT_CURRENT ? d->current : d->pending;
	struct session nobody; /* of a device that went: read all the same, so that damage is told */
	mac_state_get(r, s ? s : &nobody);
	return 0;
}

static void put_flight(struct writer *w, const struct flight *f)
{
	writer_put(w, f->item.b, sizeof(f->item.b));
	writer_put(w, f->session.b, sizeof(f->session.b));
	writer_be32(w, f->f_cnt);
}

static void get_flight(struct reader *r, struct flight *ret)
{
	get_ulid(r, &ret->item);
	get_ulid(r, &ret->session);
	ret->f_cnt = reader_be32(r);
}

static void put_conf(struct writer *w, const struct conf_list *c)
{
	writer_u8(w, (uint8_t)(c->n | c->n_old << 4));
	writer_u8(w, c->has_acked);
	writer_be16(w, c->acked);
	for (size_t i = 0; i < c->n; i++)
		writer_be16(w, c->v[i]);
}

static void get_conf(struct reader *r, struct conf_list *ret)
{
	uint8_t n = reader_u8(r), n_old = n >> 4;
	n &= 15;
	*ret = (struct conf_list){ .n_old = n_old, .has_acked = reader_u8(r) };
	ret->acked = reader_be16(r);
	if (n > NS_CONF_MAX || n_old > n)
		r->failed = true;
	for (; !r->failed && ret->n < n; ret->n++)
		ret->v[ret->n] = reader_be16(r);
}

static uint8_t live_flags(const struct session *s)
{
	bool has_conf = s->is_v11 && (s->conf.n || s->conf.has_acked);
	return (uint8_t)((s->join_told ? FLAG_JOIN_TOLD : 0) | (s->confirmed.is_there ? FLAG_CONFIRMED : 0) | (has_conf ? FLAG_CONF : 0) |
		(s->rejoin_next ? FLAG_REJOIN : 0));
}

static void put_hearers(struct writer *w, const struct session *s)
{
	writer_u8(w, s->n_hearers);
	for (unsigned i = 0; i < s->n_hearers; i++) {
		writer_be64(w, s->hearers[i].eui);
		writer_be32(w, (uint32_t)s->hearers[i].rank_ddb);
	}
}

static void get_hearers(struct reader *r, struct session *s)
{
	unsigned n = reader_u8(r);
	if (n > NS_PATHS_MAX)
		r->failed = true;
	for (s->n_hearers = 0; s->n_hearers < n && !r->failed; s->n_hearers++) {
		s->hearers[s->n_hearers].eui = reader_be64(r);
		s->hearers[s->n_hearers].rank_ddb = (int32_t)reader_be32(r);
	}
}

void record_live_put(struct ns *ns, struct session *s)
{
	uint8_t buf[RECORD_MAX];
	struct writer w = writer_of(buf, sizeof(buf));
	writer_u8(&w, RECORD_VERSION);
	writer_u8(&w, live_flags(s));
	writer_be64(&w, s->up_stored);
	writer_be64(&w, counter_reserve(&s->down, ns->batch));
	if (s->is_v11)
		writer_be64(&w, counter_reserve(&s->app_down, ns->batch));
	writer_be64(&w, s->seen_unix_us);
	writer_be32(&w, s->last_content);
	writer_u8(&w, s->last_dr);
	writer_be64(&w, s->status_unix_us);
	writer_be64(&w, s->status_next);
	writer_u8(&w, s->status_asked);
	if (s->confirmed.is_there)
		put_flight(&w, &s->confirmed);
	put_hearers(&w, s);
	if (live_flags(s) & FLAG_CONF)
		put_conf(&w, &s->conf);
	if (s->rejoin_next)
		writer_be32(&w, s->rejoin_next);
	ns_put(ns, NS_LIVE, s->dev->uid, slot_of(s), written(&w));
}

static int load_live(struct ns *ns, uint64_t uid, int slot, struct reader *r)
{
	struct dev *d = devices_find(&ns->devices, uid);
	struct session *s = !d ? NULL : slot == SLOT_CURRENT ? d->current : d->pending;
	if (!s)
		return 0;
	uint8_t flags = reader_u8(r);
	s->join_told = flags & FLAG_JOIN_TOLD;
	s->up_next = s->up_stored = reader_be64(r);
	counter_start(&s->down, reader_be64(r));
	if (s->is_v11)
		counter_start(&s->app_down, reader_be64(r));
	s->seen_unix_us = reader_be64(r);
	uint64_t ago_us = ns->now.unix_us - s->seen_unix_us;
	if (s->seen_unix_us && ago_us < ns->now.mono_us)
		s->up_end_us = ns->now.mono_us - ago_us;
	s->last_content = reader_be32(r);
	s->last_dr = reader_u8(r);
	s->status_unix_us = reader_be64(r);
	s->status_next = reader_be64(r);
	s->status_asked = reader_u8(r);
	if (flags & FLAG_CONFIRMED) {
		s->confirmed = (struct flight){ .is_there = true, .is_confirmed = true };
		get_flight(r, &s->confirmed);
	}
	get_hearers(r, s);
	if (flags & FLAG_CONF)
		get_conf(r, &s->conf);
	if (flags & FLAG_REJOIN)
		s->rejoin_next = reader_be32(r);
	return 0;
}

void record_session_del(struct ns *ns, const struct dev *d, enum record_slot slot)
{
	ns_del(ns, NS_SESSION, d->uid, slot);
	ns_del(ns, NS_LIVE, d->uid, slot);
	ns_del(ns, NS_MAC, d->uid, slot);
}

void record_flight_put(struct ns *ns, const struct dev *d)
{
	if (!d->flight.is_there) {
		ns_del(ns, NS_FLIGHT, d->uid, SLOT_NONE);
		return;
	}
	uint8_t buf[RECORD_MAX];
	struct writer w = writer_of(buf, sizeof(buf));
	writer_u8(&w, RECORD_VERSION);
	writer_u8(&w, d->flight.is_confirmed ? FLAG_IS_CONFIRMED : 0);
	put_flight(&w, &d->flight);
	ns_put(ns, NS_FLIGHT, d->uid, SLOT_NONE, written(&w));
}

static int load_flight(struct ns *ns, uint64_t uid, struct reader *r)
{
	struct dev *d = devices_find(&ns->devices, uid);
	if (!d)
		return 0;
	d->flight = (struct flight){ .is_there = true, .is_confirmed = reader_u8(r) & FLAG_IS_CONFIRMED };
	get_flight(r, &d->flight);
	return 0;
}

void record_gateway_put(struct ns *ns, const struct gateway *g)
{
	uint8_t buf[RECORD_MAX];
	struct writer w = writer_of(buf, sizeof(buf));
	writer_u8(&w, RECORD_VERSION);
	put_msg(&w, ns_gateway_schema(), &g->record);
	ns_put(ns, NS_GATEWAY, g->uid, SLOT_NONE, written(&w));
}

static int load_gateway(struct ns *ns, uint64_t uid, struct reader *r)
{
	struct ns_gateway m;
	get_msg(r, ns_gateway_schema(), &m);
	if (r->failed)
		return -EBADMSG;
	return gateways_register(&ns->gateways, uid, &m, ns_ledger_us(ns, ns->now.mono_us)) ? 0 : -ENOMEM;
}

/* Keys of NS_META, one octet after the table's. */
enum { META_STORE = 1, META_REGISTRY = 2, META_SEQ = 3 };

void record_registry_put(struct ns *ns)
{
	uint8_t buf[32];
	struct writer w = writer_of(buf, sizeof(buf));
	writer_u8(&w, RECORD_VERSION);
	writer_put(&w, ns->registry_id.b, sizeof(ns->registry_id.b));
	writer_be64(&w, ns->registry_revision);
	writer_u8(&w, ns->has_registry);
	ns_put(ns, NS_META, META_REGISTRY, SLOT_NONE, written(&w));
}

void record_seq_put(struct ns *ns)
{
	uint8_t buf[16];
	struct writer w = writer_of(buf, sizeof(buf));
	writer_u8(&w, RECORD_VERSION);
	writer_be64(&w, ns->outbox.tail);
	ns_put(ns, NS_META, META_SEQ, SLOT_NONE, written(&w));
}

void record_store_put(struct ns *ns)
{
	uint8_t buf[32];
	struct writer w = writer_of(buf, sizeof(buf));
	writer_u8(&w, RECORD_VERSION);
	writer_put(&w, ns->store_id.b, sizeof(ns->store_id.b));
	ns_put(ns, NS_META, META_STORE, SLOT_NONE, written(&w));
}

static int load_meta(struct ns *ns, uint64_t what, struct reader *r)
{
	if (what == META_STORE) {
		get_ulid(r, &ns->store_id);
	} else if (what == META_REGISTRY) {
		get_ulid(r, &ns->registry_id);
		ns->registry_revision = reader_be64(r);
		ns->has_registry = reader_u8(r);
	} else if (what == META_SEQ) {
		struct outbox *o = &ns->outbox;
		o->head = o->send = o->tail = o->durable = reader_be64(r);
	}
	return 0;
}

static int load_ledger(struct ns *ns, uint64_t eui, int band, struct slice value)
{
	struct gateway *g = gateways_make(&ns->gateways, eui, ns_ledger_us(ns, ns->now.mono_us));
	return g ? ledger_load(&g->ledger, (unsigned)band, value, ns_ledger_us(ns, ns->now.mono_us)) : 0;
}

int ns_load(struct ns *ns, struct slice key, struct slice value)
{
	struct reader k = reader_of(key.p, key.n), r = reader_of(value.p, value.n);
	uint8_t table = reader_u8(&k);
	uint64_t id = reader_be64(&k);
	int slot = reader_left(&k) ? reader_u8(&k) : SLOT_NONE, rc = 0;
	bool has_slot = table == NS_SESSION || table == NS_LIVE || table == NS_MAC || table == NS_LEDGER;
	if (k.failed || reader_left(&k) || has_slot != (slot >= 0))
		return -EBADMSG;
	if (table == NS_OUTBOX) {
		outbox_load(&ns->outbox, id);
		return 0;
	}
	if (table == NS_LEDGER)
		return load_ledger(ns, id, slot, value);
	if (reader_u8(&r) != RECORD_VERSION)
		return -EBADMSG;
	switch (table) {
	case NS_META: rc = load_meta(ns, id, &r); break;
	case NS_DEVICE: rc = load_device(ns, id, &r); break;
	case NS_SESSION: rc = load_session(ns, id, slot, &r); break;
	case NS_LIVE: rc = load_live(ns, id, slot, &r); break;
	case NS_MAC: rc = load_mac(ns, id, slot, &r); break;
	case NS_FLIGHT: rc = load_flight(ns, id, &r); break;
	case NS_GATEWAY: rc = load_gateway(ns, id, &r); break;
	default: return -EBADMSG;
	}
	return rc == 0 && r.failed ? -EBADMSG : rc;
}
