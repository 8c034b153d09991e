/** @file A town is built: gateways, devices, groups, the first process. */
#include "test/scenario/town.h"

/* ---- gateways ---- */

static const char *const plans[] = { "EU_863_870", "US_902_928_FSB_2", "AS_923", "AU_915_928_FSB_2", "IN_865_867", "KR_920_923_TTN", "RU_864_870_TTN", "EU_433" };

/* Four of the first plan, one of each other; or all of the one that is wanted. */
static const struct plan *plan_of_gateway(const struct town *t, unsigned i)
{
	const char *id = t->opt.plan ? t->opt.plan : plans[i < 4 ? 0 : (i - 3) % COUNT(plans)];
	return plan_find(str_of(id));
}

static void build_gateways(struct town *t)
{
	for (unsigned i = 0; i < t->opt.gateways; i++) {
		struct t_gateway *g = &t->gw[i];
		*g = (struct t_gateway){ .eui = 0xaa00 + i, .offset_us = rng_below(&t->rng, 1ULL << 32), .path_us = (uint32_t)(1 + rng_below(&t->rng, 25)) * 1000,
			.imme_us = (i % 4 ? 80 : 1000) * MS_US, .has_gps = i % 3 == 0 };
		snprintf(g->id, sizeof(g->id), "gateway%u", i);
		g->plan = plan_of_gateway(t, i);
	}
}

/* ---- devices ---- */

/* Some gateways of its plan, at some distance each. */
static void settle(struct town *t, struct house *h)
{
	unsigned n = 0, first = (unsigned)rng_below(&t->rng, t->opt.gateways);
	for (unsigned k = 0; k < t->opt.gateways && n < TOWN_REACH; k++) {
		unsigned i = (first + k) % t->opt.gateways;
		if (strcmp(t->gw[i].plan->id, h->n.plan->id) != 0)
			continue;
		h->gw[n] = i;
		h->air.km[n] = 0.2 + 3.5 * ch_even(&h->air);
		n++;
	}
	h->air.gateways = (int)n;
}

/* A data rate that is heard there nine times of ten. */
static uint8_t first_rate(struct house *h)
{
	const struct region *r = h->n.plan->region;
	uint8_t dr = h->n.dr;
	double best = -200, loss;
	for (int i = 0; i < h->air.gateways; i++) {
		loss = 128.95 + 23.2 * log10(h->air.km[i]);
		best = fmax(best, 16 - loss + 117);
	}
	for (unsigned k = r->adr_min_dr; k <= r->adr_max_dr; k++) {
		const struct modu *m = region_modu(r, true, k);
		if (m && m->kind == MODU_LORA && m->bw_hz == 125000 && node_has_rate(&h->n, k) && best > modu_floor_ddb(m) / 10.0 + 10)
			dr = (uint8_t)k;
	}
	return dr;
}

static void build_session(struct town *t, struct house *h, uint32_t dev_addr)
{
	struct node *n = &h->n;
	n->s = (struct node_session){ .is_there = true, .is_v11 = n->rules->is_v11, .dev_addr = dev_addr };
	rng_fill(&t->rng, &n->s.keys, sizeof(n->s.keys));
	if (!n->s.is_v11)
		n->s.keys.s_nwk_s_int = n->s.keys.nwk_s_enc = n->s.keys.f_nwk_s_int;
	struct ulid id = ulid_make(t->now.unix_us, &t->rng);
	law_session(h, &id);
}

static void build_house(struct town *t, unsigned i)
{
	static const enum mac_version versions[] = { LW_1_0_0, LW_1_0_1, LW_1_0_2, LW_1_0_3, LW_1_0_4, LW_1_1_0 };
	struct house *h = &t->house[i];
	struct node *n = &h->n;
	h->uid = i + 1;
	snprintf(h->name, sizeof(h->name), "device%u", i);
	*n = (struct node){ .dev_eui = 0x70b3d57ed0000000 + h->uid, .join_eui = 1, .is_otaa = i % 2, .crypto = t->crypto, .power_cap = i % 7 ? 15 : 2,
		.class_c = rng_below(&t->rng, 5) == 0 };
	rng_fill(&t->rng, n->app_key.b, sizeof(n->app_key.b));
	rng_fill(&t->rng, n->nwk_key.b, sizeof(n->nwk_key.b));
	n->rules = mac_rules(versions[rng_below(&t->rng, COUNT(versions))]);
	n->phy_version = n->rules->usual_phy;
	n->plan = plan_for(str_of(t->gw[rng_below(&t->rng, t->opt.gateways)].plan->id), n->phy_version);
	node_reset(n);
	h->air = (struct ch_air){ .seed = rng_u64(&t->rng) | 1, .shadow_db = 3, .shadow_keep = 0.995, .fading = (enum ch_fading)(i % 3) };
	settle(t, h);
	h->first_dr = i % 3 ? first_rate(h) : n->dr; /* one of three takes all the air there is */
	if (!n->is_otaa)
		build_session(t, h, 0x01000000 + (uint32_t)h->uid / 3); /* three share one */
	node_reset(n);
	n->dr = h->first_dr;
	h->nonces = calloc(1, 65536 / 8);
	h->period_us = t->opt.period_us / 2 + rng_below(&t->rng, t->opt.period_us);
	heap_set(&t->due, &h->due, t->now.mono_us + 5 * SEC_US + rng_below(&t->rng, h->period_us < 600 * SEC_US ? h->period_us : 600 * SEC_US));
}

/* ---- groups ---- */

static bool may_be_member(const struct house *h, const struct house *group)
{
	return h->n.class_c && h->n.plan == group->n.plan && !h->group;
}

static void build_group(struct town *t, unsigned k)
{
	struct house *g = &t->house[t->opt.devices + k];
	g->uid = t->opt.devices + k + 1;
	g->is_group = true;
	snprintf(g->name, sizeof(g->name), "group%u", k);
	g->n = (struct node){ .crypto = t->crypto, .rules = mac_rules(LW_1_0_3), .class_c = true };
	g->n.phy_version = g->n.rules->usual_phy;
	g->n.plan = plan_for(str_of(t->gw[k % t->opt.gateways].plan->id), g->n.phy_version);
	node_reset(&g->n);
	build_session(t, g, 0x01f00000 + k);
	for (unsigned i = 0; i < t->opt.gateways && g->air.gateways < TOWN_REACH; i++)
		if (t->gw[i].plan == t->gw[k % t->opt.gateways].plan)
			g->gw[g->air.gateways++] = i;
	for (unsigned i = 0; i < t->opt.devices; i++) {
		struct house *h = &t->house[i];
		if (!may_be_member(h, g) || rng_below(&t->rng, 2))
			continue;
		h->group = g->uid;
		h->n.group = (struct node_group){ .dev_addr = g->n.s.dev_addr, .nwk = g->n.s.keys.f_nwk_s_int, .app = g->n.s.keys.app_s };
	}
}

/* ---- the whole ---- */

void town_start(struct town *t)
{
	struct world *w = t->disk;
	struct ns_ports ports;
	struct ns_config config = { .dedup_window_us = 200 * MS_US, .outbox_max = 10000, .events = EVENT_LEVEL_ALL, .kek = { { 9 } }, .crypto = t->crypto, .rng = t->rng, .now = t->now,
		.class_c_max_delay_us = 60 * SEC_US, .class_c_timeout_us = TOWN_ACK_US };
	servers_ports(t, &ports);
	t->life++;
	w->open_batch = 1;
	w->ns = ns_new(&config, &ports);
	w_load(w);
	ns_loaded(w->ns, &t->now);
	servers_hello(t);
}

struct town *town_new(const struct town_options *opt)
{
	struct town *t = calloc(1, sizeof(*t));
	t->opt = *opt;
	t->rng = rng_seeded(&t->seed, opt->seed);
	t->crypto = crypto_new();
	t->now = (struct now){ .mono_us = 1000 * SEC_US, .unix_us = 1700000000 * SEC_US };
	t->disk = calloc(1, sizeof(*t->disk));
	t->disk->last_op = &t->disk->ops;
	build_gateways(t);
	unsigned groups = opt->gateways < TOWN_GROUPS ? opt->gateways : TOWN_GROUPS;
	t->n_houses = opt->devices + groups;
	t->house = calloc(t->n_houses, sizeof(*t->house));
	for (unsigned i = 0; i < opt->devices; i++)
		build_house(t, i);
	for (unsigned k = 0; k < groups; k++)
		build_group(t, k);
	town_start(t);
	for (unsigned i = 0; i < opt->crashes; i++)
		town_at(t, t->now.mono_us + rng_below(&t->rng, opt->day_us), T_CRASH);
	for (unsigned i = 0; i < t->n_houses; i++) {
		const struct house *h = &t->house[i];
		uint64_t mean_us = h->n.class_c ? opt->push_us : 12 * opt->push_us;
		town_at(t, t->now.mono_us + rng_below(&t->rng, mean_us < opt->day_us ? mean_us : opt->day_us), T_PUSH)->number = h->uid;
		if (h->n.is_otaa && h->n.rules->is_v11)
			town_at(t, t->now.mono_us + rng_below(&t->rng, opt->day_us), T_REJOIN)->number = h->uid;
	}
	return t;
}

void town_free(struct town *t)
{
	struct w_record *r, *next;
	struct heap_node *n;
	ns_free(t->disk->ns);
	for (unsigned i = 0; i < t->n_houses; i++) {
		heap_remove(&t->due, &t->house[i].due);
		free(t->house[i].nonces);
	}
	while ((n = heap_pop_due(&t->due, UINT64_MAX)))
		free(n); /* an event begins with its node */
	heap_done(&t->due);
	for (unsigned i = 0; i < t->opt.gateways; i++)
		for (struct emission *e = t->gw[i].emissions, *older; e; e = older) {
			older = e->next;
			free(e);
		}
	w_commit(t->disk, UINT64_MAX);
	HASH_ITER(hh, t->disk->disk, r, next)
		w_record_free(&t->disk->disk, r);
	HASH_ITER(hh, t->disk->view, r, next)
		w_record_free(&t->disk->view, r);
	free(t->disk);
	free(t->house);
	crypto_free(t->crypto);
	free(t);
}
