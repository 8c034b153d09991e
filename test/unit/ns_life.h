/** @file The world's life: time passes, processes start and crash, devices speak. */
#pragma once
#include "test/unit/ns_world.h"

static inline int w_by_key(const void *a, const void *b)
{
	const struct w_record *const *x = a, *const *y = b;
	size_t n = (*x)->n_key < (*y)->n_key ? (*x)->n_key : (*y)->n_key;
	int c = memcmp((*x)->key, (*y)->key, n);
	return c ? c : (*x)->n_key < (*y)->n_key ? -1 : 1;
}

static inline void w_load(struct world *w)
{
	size_t n = HASH_COUNT(w->disk), i = 0;
	struct w_record **v = calloc(n + 1, sizeof(*v));
	for (struct w_record *r = w->disk; r; r = r->hh.next)
		v[i++] = r;
	qsort(v, n, sizeof(*v), w_by_key);
	for (i = 0; i < n; i++)
		if (ns_load(w->ns, (struct slice){ v[i]->key, v[i]->n_key }, (struct slice){ v[i]->value, v[i]->n }) != 0)
			W_BREAK(w, "record %zu of the store cannot be read back", i);
	free(v);
}

/** After each event: what is due, then the batch. */
static inline void w_settle(struct world *w)
{
	uint64_t batch;
	ns_run(w->ns, &w->now);
	if (!ns_flush(w->ns, &w->now, &batch))
		return;
	w->open_batch = batch + 1;
	uint64_t from = w->commit_busy_us > w->now.mono_us ? w->commit_busy_us : w->now.mono_us;
	w->commit_busy_us = from + w->commit_us;
	w_at(w, w->commit_busy_us, W_COMMIT)->number = batch;
}

static inline void w_hello_gs(struct world *w)
{
	ns_gs_up(w->ns, &w->now, 1);
	for (uint32_t i = 0; i < w->n_gw; i++) {
		struct gateway_status m = { .gateway_eui = w->gw[i].eui, .connected = true, .can_send = w->gw[i].can_send };
		snprintf(m.gateway_id, sizeof(m.gateway_id), "%s", w->gw[i].id);
		str_copy(str_of(w->plan->id), m.plan, sizeof(m.plan));
		MSG_MARK(&m, plan);
		if (w->gw[i].clock)
			MSG_SET(&m, clock_known, w->gw[i].clock > 0);
		ns_gs_status(w->ns, &w->now, 1, &m);
	}
}

static inline void w_device_entry(const struct world *w, const struct w_device *d, struct sync_entry *e)
{
	*e = (struct sync_entry){ .revision = d->uid };
	MSG_SET(e, device, d->uid);
	MSG_MARK(e, dev);
	struct ns_device *m = &e->dev;
	m->mac_version = d->mac_version;
	m->phy_version = (uint32_t)mac_rules(d->mac_version)->usual_phy;
	str_copy(STR("app1"), m->application_id, sizeof(m->application_id));
	str_copy(str_of(d->name), m->device_id, sizeof(m->device_id));
	str_copy(str_of(w->plan->id), m->plan, sizeof(m->plan));
	m->supports_join = d->is_otaa;
	MSG_SET(m, class_c, d->class_c);
	MSG_SET(m, multicast, d->multicast);
	for (unsigned i = 0; i < 4 && d->groups[i]; i++) {
		m->groups.v[m->groups.len++].group = d->groups[i];
		MSG_MARK(m, groups);
	}
	MSG_SET(m, dev_eui, d->dev_eui);
	MSG_SET(m, join_eui, d->join_eui);
	MSG_SET(m, mac, d->mac);
	if (d->rejoin)
		MSG_SET(m, rejoin, d->rejoin);
	if (d->is_otaa)
		return;
	MSG_MARK(m, session);
	m->session = (struct net_session){ .dev_addr = d->dev_addr, .f_nwk_s_int_key = d->nwk, .s_nwk_s_int_key = d->nwk,
		.nwk_s_enc_key = d->nwk, .session_key_id = d->session, .generation = d->generation };
	if (d->is_v11) {
		m->session.s_nwk_s_int_key = d->s_nwk;
		m->session.nwk_s_enc_key = d->nwk_enc;
	}
	if (d->last_f_cnt_up)
		MSG_SET(&m->session, last_f_cnt_up, d->last_f_cnt_up);
}

/** Tell the core of the devices from `from` on, as a full set if that is 0. */
static inline void w_sync(struct world *w, uint32_t from)
{
	static struct sync m;
	struct sync_state s;
	ns_as_sync_state(w->ns, &s);
	uint32_t i = from;
	do {
		m = (struct sync){ .store_id = { { 7 } }, .revision = w->n_dev };
		if (i == from && (from == 0 || !MSG_HAS(&s, store_id)))
			MSG_SET(&m, first, true);
		for (; i < w->n_dev && m.v.len < 16; i++)
			w_device_entry(w, &w->dev[i], &m.v.v[m.v.len++]);
		if (i == w->n_dev && from == 0)
			MSG_SET(&m, last, true);
		ns_as_sync(w->ns, &w->now, 0, &m);
	} while (i < w->n_dev);
}

static inline void w_hello_as(struct world *w)
{
	static struct downlink_queued q;
	w->as_is_up = true;
	ns_as_up(w->ns, &w->now);
	q = (struct downlink_queued){ .has = 0 };
	MSG_SET(&q, all, true);
	ns_as_queued(w->ns, &w->now, &q);
	for (uint32_t i = 0; i < w->n_dev; i++)
		w_tell_waiting(w, w->dev[i].uid);
}

static inline void w_start(struct world *w)
{
	w->config.now = w->now;
	w->open_batch = 1;
	w->ns = ns_new(&w->config, &w->ports);
	w_load(w);
	ns_loaded(w->ns, &w->now);
	w_settle(w);
}

static inline struct world *w_new(uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));
	w->rng = rng_seeded(&w->seed, seed);
	w->crypto = crypto_new();
	w->plan = plan_find(STR("EU_863_870"));
	w->now = (struct now){ .mono_us = 1000 * SEC_US, .unix_us = 1700000000 * SEC_US };
	w->last_op = &w->ops;
	w->commit_us = 5 * MS_US;
	w->as_delay_us = 2 * MS_US;
	w->ack_us = 3 * MS_US;
	w->config = (struct ns_config){ .dedup_window_us = 200 * MS_US, .outbox_max = 10000, .events = EVENT_LEVEL_ALL, .class_c_max_delay_us = 60 * SEC_US,
		.class_c_timeout_us = 300 * SEC_US, .kek = { { 9 } }, .crypto = w->crypto, .rng = w->rng };
	w->ports = (struct ns_ports){ w, w_put, w_del, w_get, w_answer, w_join, w_pull, w_up, w_tell_as, w_schedule, w_sync_gs, NULL, NULL };
	w_start(w);
	ns_gs_up(w->ns, &w->now, 1);
	w_hello_as(w);
	return w;
}

static inline void w_free(struct world *w)
{
	struct w_record *r, *next;
	ns_free(w->ns);
	w_commit(w, UINT64_MAX);
	HASH_ITER(hh, w->disk, r, next)
		w_record_free(&w->disk, r);
	HASH_ITER(hh, w->view, r, next)
		w_record_free(&w->view, r);
	while (w->n_ev)
		free(w->ev[--w->n_ev]);
	crypto_free(w->crypto);
	free(w);
}

static inline struct w_gateway *w_add_gateway(struct world *w, const char *id)
{
	struct w_gateway *g = &w->gw[w->n_gw++];
	*g = (struct w_gateway){ .eui = 0xaa00 + w->n_gw, .offset_us = rng_below(&w->rng, 1ULL << 32), .path_us = 2000, .can_send = true };
	snprintf(g->id, sizeof(g->id), "%.36s", id);
	w_hello_gs(w);
	return g;
}

static inline struct w_device *w_add_device(struct world *w, const char *name, bool is_otaa)
{
	struct w_device *d = &w->dev[w->n_dev++];
	*d = (struct w_device){ .uid = w->n_dev, .dev_eui = 0x70b3d57ed0000000 + w->n_dev, .join_eui = 1, .is_otaa = is_otaa,
		.has_session = !is_otaa, .dev_addr = 0x01000000 + w->n_dev, .rx1_delay_s = 1, .mac_version = LW_1_0_3, .generation = 1 };
	snprintf(d->name, sizeof(d->name), "%.36s", name);
	rng_fill(&w->rng, d->nwk.b, sizeof(d->nwk.b));
	rng_fill(&w->rng, d->app.b, sizeof(d->app.b));
	d->session = ulid_make(w->now.unix_us, &w->rng);
	d->up.freq_hz = 868100000;
	modu_parse(STR("SF7BW125"), &d->up.modu);
	w_sync(w, 0);
	w_settle(w);
	return d;
}

/** Make a device, which has not spoken yet, one of 1.1. */
static inline void w_make_1_1(struct world *w, struct w_device *d)
{
	d->mac_version = LW_1_1_0;
	d->is_v11 = !d->is_otaa;
	rng_fill(&w->rng, d->s_nwk.b, sizeof(d->s_nwk.b));
	rng_fill(&w->rng, d->nwk_enc.b, sizeof(d->nwk_enc.b));
}

static inline struct w_device *w_add_device_1_1(struct world *w, const char *name, bool is_otaa)
{
	struct w_device *d = w_add_device(w, name, is_otaa);
	w_make_1_1(w, d);
	d->generation++;
	w_sync(w, 0);
	w_settle(w);
	return d;
}

static inline void w_send(struct world *w, struct w_event *e, bool is_again);

static inline void w_handle(struct world *w, struct w_event *e)
{
	switch (e->kind) {
	case W_DELIVER: w_send(w, e, false); break;
	case W_COMMIT:
		w_commit(w, e->number);
		ns_committed(w->ns, &w->now, e->number);
		break;
	case W_PULLED: ns_as_pulled(w->ns, &w->now, &e->pull, e->refusal ? NULL : &e->pulled); break;
	case W_JOINED: ns_as_joined(w->ns, &w->now, e->number, e->refusal ? NULL : &e->join, e->refusal); break;
	case W_TOOK: ns_as_took(w->ns, &w->now, e->number, !e->refusal); break;
	case W_SCHEDULED: ns_gs_scheduled(w->ns, &w->now, &e->id, e->result != TX_RESULT_SUCCESS, e->result); break;
	case W_TELL: w_tell_waiting(w, e->number); break;
	case W_TX_ACK: ns_gs_tx_ack(w->ns, &w->now, 0, &e->ack); break;
	}
}

static inline void w_clock(struct world *w, uint64_t mono_us)
{
	if (mono_us <= w->now.mono_us)
		return;
	w->now.unix_us += mono_us - w->now.mono_us;
	w->now.mono_us = mono_us;
}

static inline uint32_t w_first_event(const struct world *w)
{
	uint32_t at = 0;
	for (uint32_t i = 1; i < w->n_ev; i++)
		if (w->ev[i]->at_us < w->ev[at]->at_us || (w->ev[i]->at_us == w->ev[at]->at_us && w->ev[i]->order < w->ev[at]->order))
			at = i;
	return at;
}

/** Let time pass. */
static inline void w_run(struct world *w, uint64_t us)
{
	uint64_t end = w->now.mono_us + us, idle = 0;
	w_settle(w);
	while (!w->broken[0]) {
		uint32_t at = w_first_event(w);
		uint64_t due = ns_deadline_us(w->ns), next = w->n_ev ? w->ev[at]->at_us : UINT64_MAX;
		if (due < next) {
			if (due > end)
				break;
			idle = due <= w->now.mono_us ? idle + 1 : 0;
			if (idle > 1000) {
				W_BREAK(w, "the core asks to be called at once, for ever");
				break;
			}
			w_clock(w, due);
		} else {
			if (next > end)
				break;
			struct w_event *e = w->ev[at];
			w->ev[at] = w->ev[--w->n_ev];
			w_clock(w, next);
			w_handle(w, e);
			free(e);
		}
		w_settle(w);
	}
	w_clock(w, end);
}

/** What was not on disk is lost, and what is there is all that is known. */
static inline void w_lose_memory(struct world *w)
{
	struct w_record *r, *next;
	while (w->ops) {
		struct w_op *op = w->ops;
		w->ops = op->next;
		free(op->r.value);
		free(op);
	}
	w->last_op = &w->ops;
	HASH_ITER(hh, w->view, r, next)
		w_record_free(&w->view, r);
	for (r = w->disk; r; r = r->hh.next) {
		struct w_op op = { .r = *r };
		w_record_set(&w->view, &op);
	}
	w->commit_busy_us = 0;
	w->crash_us = w->now.mono_us;
}

/** kill -9, and a new process on the disk as it is. The gs sends again what was not answered. */
static inline void w_crash(struct world *w)
{
	ns_free(w->ns);
	w_lose_memory(w);
	/* Answers to the old process, and what its batches held, are gone; what devices sent is on its way still. */
	for (uint32_t i = 0; i < w->n_ev;) {
		if (w->ev[i]->kind == W_DELIVER) {
			i++;
			continue;
		}
		free(w->ev[i]);
		w->ev[i] = w->ev[--w->n_ev];
	}
	w_start(w);
	w_hello_gs(w);
	if (w->as_is_up)
		w_hello_as(w);
	uint32_t n = w->n_held;
	for (uint32_t i = 0; i < n; i++) {
		struct w_event *e = w_at(w, w->now.mono_us + 10 * MS_US + i, W_DELIVER);
		e->gateway = w->held[i].gateway;
		e->up = w->held[i].up;
	}
	w->n_held = 0;
	w_settle(w);
}

/* ---- devices speak ---- */

static inline void w_send(struct world *w, struct w_event *e, bool is_again)
{
	(void)is_again;
	uint64_t request = ++w->request;
	struct w_gateway *g = &w->gw[e->gateway];
	if (w->n_held < W_EVENTS) {
		w->held[w->n_held].request = request;
		w->held[w->n_held].gateway = e->gateway;
		w->held[w->n_held++].up = e->up;
	}
	e->up.age_us = (uint32_t)(w->now.unix_us - e->up.rx.received_unix_us);
	e->up.can_send = g->can_send;
	ns_gs_uplink(w->ns, &w->now, 1, request, &e->up);
}

/** One gateway hears a frame now, and its gs says so after its path. */
static inline void w_heard(struct world *w, struct w_device *d, uint32_t gateway, struct slice phy, int snr_ddb, uint64_t late_us)
{
	struct w_gateway *g = &w->gw[gateway];
	struct w_event *e = w_at(w, w->now.mono_us + g->path_us + late_us, W_DELIVER);
	e->gateway = gateway;
	struct gs_uplink *m = &e->up;
	struct ulid conn = { { 1, (uint8_t)gateway } };
	CIDS_ADD(&m->cids, CID_GS_CONN, conn);
	CIDS_ADD(&m->cids, CID_GS_UPLINK, ulid_make(w->now.unix_us, &w->rng));
	CIDS_ADD(&m->cids, CID_RPC_GSNS_UPLINK, ulid_make(w->now.unix_us, &w->rng));
	snprintf(m->rx.gateway_id, sizeof(m->rx.gateway_id), "%s", g->id);
	m->rx.gateway_eui = g->eui;
	m->rx.tmst_us = (uint32_t)(w->now.mono_us + g->offset_us);
	if (g->has_gps)
		MSG_SET(&m->rx, gps_ms, clock_gps_us(w->now.unix_us) / MS_US);
	m->rx.received_unix_us = w->now.unix_us + g->path_us;
	m->rx.rssi_ddbm = -1000;
	MSG_SET(&m->rx, snr_ddb, snr_ddb);
	m->freq_hz = d->up.freq_hz;
	m->mod = (struct modulation){ .kind = d->up.modu.kind };
	MSG_SET(&m->mod, sf, d->up.modu.sf);
	MSG_SET(&m->mod, bw_hz, d->up.modu.bw_hz);
	str_copy(STR("4/5"), m->mod.coding_rate, sizeof(m->mod.coding_rate));
	MSG_MARK(&m->mod, coding_rate);
	memcpy(m->phy.p, phy.p, phy.n);
	m->phy.len = (uint16_t)phy.n;
	m->path_us = g->told_path_us ? g->told_path_us : g->path_us;
	str_copy(str_of(w->plan->id), m->plan, sizeof(m->plan));
	MSG_MARK(m, plan);
}

struct w_say {
	int port; /**< -1: none */
	const char *text;
	bool confirmed, ack, adr_ack_req, adr, class_b;
	const uint8_t *opts;
	size_t n_opts;
};

/** The octets of a device's next frame (or of an older counter). @return length */
static inline size_t w_frame(struct world *w, const struct w_device *d, uint32_t f_cnt, const struct w_say *say, uint8_t phy[PHY_MAX])
{
	uint8_t frm[242], opts[FOPTS_MAX];
	size_t n = say->text ? strlen(say->text) : 0;
	struct frame_id id = { .dev_addr = d->dev_addr, .f_cnt = f_cnt, .is_up = true };
	const struct region *r = w->plan->region;
	if (n)
		memcpy(frm, say->text, n);
	if (say->n_opts)
		memcpy(opts, say->opts, say->n_opts);
	cipher_frm(w->crypto, say->port ? &d->app : d->is_v11 ? &d->nwk_enc : &d->nwk, &id, frm, n);
	if (d->is_v11) {
		cipher_f_opts(w->crypto, &d->nwk_enc, &id, false, opts, say->n_opts);
		id.tx_dr = (uint8_t)region_dr(r, RP_002_1_0_4, true, &d->up.modu);
		id.tx_ch = d->tx_ch;
	}
	struct frame f = { .mtype = say->confirmed ? MTYPE_CONFIRMED_UP : MTYPE_DATA_UP, .is_up = true,
		.data = { .dev_addr = d->dev_addr, .f_cnt16 = (uint16_t)f_cnt, .ack = say->ack, .adr_ack_req = say->adr_ack_req, .adr = say->adr,
			.class_b = say->class_b,
			.has_port = say->port >= 0, .f_port = (uint8_t)(say->port >= 0 ? say->port : 0), .frm = { frm, n },
			.f_opts = { opts, say->n_opts } } };
	struct writer out = writer_of(phy, PHY_MAX);
	frame_write(&f, &out);
	struct slice msg = { phy, out.len - MIC_LEN };
	if (d->is_v11 && say->ack)
		id.conf_f_cnt = d->conf_down;
	if (d->is_v11)
		mic_data_up_1_1(w->crypto, &d->s_nwk, &d->nwk, &id, msg, phy + msg.n);
	else
		mic_data(w->crypto, &d->nwk, &id, msg, phy + msg.n);
	return out.len;
}

/** A device sends its next frame, heard by gateways 0 to n - 1, the first best. */
static inline void w_uplink(struct world *w, struct w_device *d, const struct w_say *say, uint32_t n)
{
	uint8_t phy[PHY_MAX];
	if (say->confirmed)
		d->conf_up = d->f_cnt_up;
	size_t len = w_frame(w, d, d->f_cnt_up++, say, phy);
	d->last_up_us = w->now.mono_us;
	d->owes_ack = false;
	memcpy(d->last, phy, len);
	d->n_last = len;
	for (uint32_t i = 0; i < n; i++)
		w_heard(w, d, i, (struct slice){ phy, len }, 90 - (int)i * 30, i * 5 * MS_US);
}

static inline void w_join_heard(struct world *w, struct w_device *d, uint16_t nonce, uint32_t n)
{
	uint8_t phy[JOIN_REQUEST_LEN];
	struct frame f = { .mtype = MTYPE_JOIN_REQUEST, .is_up = true, .join = { .join_eui = d->join_eui, .dev_eui = d->dev_eui, .dev_nonce = nonce } };
	struct writer out = writer_of(phy, sizeof(phy));
	frame_write(&f, &out);
	for (uint32_t i = 0; i < n; i++)
		w_heard(w, d, i, (struct slice){ phy, sizeof(phy) }, 90 - (int)i * 30, i * 5 * MS_US);
}

static inline void w_join_request(struct world *w, struct w_device *d, uint16_t nonce, uint32_t n)
{
	d->last_up_us = w->now.mono_us;
	d->nonce = nonce;
	w_join_heard(w, d, nonce, n);
}

/** A rejoin-request, signed with the keys that the device has. */
static inline void w_rejoin(struct world *w, struct w_device *d, uint8_t type, uint16_t count, uint32_t n)
{
	uint8_t phy[JOIN_REQUEST_LEN + 1];
	struct frame f = { .mtype = MTYPE_REJOIN, .is_up = true,
		.join = { .rejoin_type = type, .join_eui = d->join_eui, .dev_eui = d->dev_eui, .dev_nonce = count, .net_id = w->config.net_id } };
	struct writer out = writer_of(phy, sizeof(phy));
	frame_write(&f, &out);
	size_t len = out.len - MIC_LEN;
	mic_join(w->crypto, &d->s_nwk, (struct slice){ phy, len }, phy + len);
	d->last_up_us = w->now.mono_us;
	d->nonce = count;
	for (uint32_t i = 0; i < n; i++)
		w_heard(w, d, i, (struct slice){ phy, out.len }, 90 - (int)i * 30, i * 5 * MS_US);
}

/** Anybody can send a join-request in a device's name. */
static inline void w_forge_join(struct world *w, struct w_device *d)
{
	w_join_heard(w, d, (uint16_t)(d->nonce ^ 0x8000), 1);
}

static inline struct w_item *w_push(struct world *w, const struct w_device *d, uint8_t port, const char *text, bool confirmed)
{
	struct w_item *it = &w->item[w->n_item++];
	*it = (struct w_item){ .id = ulid_make(w->now.unix_us, &w->rng), .device = d->uid, .port = port, .n = (uint8_t)strlen(text), .confirmed = confirmed };
	memcpy(it->frm, text, it->n);
	w_tell_waiting(w, d->uid);
	return it;
}

/** Time enough for everything to end. */
static inline void w_rest(struct world *w)
{
	w_run(w, 20 * SEC_US);
}
