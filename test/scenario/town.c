/** @file A town: it is built, it lives for a day, its network server crashes now and then. */
#include "test/scenario/town.h"

struct house *town_house(struct town *t, uint64_t uid)
{
	return &t->house[uid - 1];
}

struct t_event *town_at(struct town *t, uint64_t at_us, enum t_kind kind)
{
	struct t_event *e = calloc(1, sizeof(*e));
	e->kind = kind;
	e->life = t->life;
	heap_set(&t->due, &e->due, at_us);
	return e;
}

/* ---- building ---- */

static const char *const plans[] = { "EU_863_870", "US_902_928_FSB_2", "AS_923", "AU_915_928_FSB_2", "IN_865_867", "KR_920_923", "RU_864_870", "EU_433" };

static const struct plan *plan_number(unsigned i)
{
	const struct plan *have[COUNT(plans)];
	unsigned n = 0;
	for (unsigned k = 0; k < COUNT(plans); k++) {
		const struct plan *p = plan_find(str_of(plans[k]));
		if (p)
			have[n++] = p;
	}
	return have[i % n];
}

static void build_gateways(struct town *t)
{
	for (unsigned i = 0; i < t->opt.gateways; i++) {
		struct t_gateway *g = &t->gw[i];
		*g = (struct t_gateway){ .eui = 0xaa00 + i, .offset_us = rng_below(&t->rng, 1ULL << 32), .path_us = (uint32_t)(1 + rng_below(&t->rng, 25)) * 1000 };
		snprintf(g->id, sizeof(g->id), "gateway%u", i);
		g->plan = plan_number(i < 4 ? 0 : i - 3); /* four of the first region, one of each other */
	}
}

/* Gateways of its plan, nearest first. */
static void settle(struct town *t, struct house *h)
{
	unsigned n = 0;
	for (unsigned i = 0; i < t->opt.gateways && n < TOWN_REACH; i++)
		if (strcmp(t->gw[i].plan->id, h->n.plan->id) == 0) {
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

static void build_abp(struct town *t, struct house *h)
{
	struct node *n = &h->n;
	n->s = (struct node_session){ .is_there = true, .is_v11 = n->rules->is_v11, .dev_addr = 0x01000000 + (uint32_t)h->uid / 3 }; /* three share one */
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
	*n = (struct node){ .dev_eui = 0x70b3d57ed0000000 + h->uid, .join_eui = 1, .is_otaa = i % 2, .crypto = t->crypto, .power_cap = i % 7 ? 15 : 2 };
	rng_fill(&t->rng, n->app_key.b, sizeof(n->app_key.b));
	rng_fill(&t->rng, n->nwk_key.b, sizeof(n->nwk_key.b));
	n->plan = t->gw[rng_below(&t->rng, t->opt.gateways)].plan;
	unsigned oldest = n->plan == plan_number(0) ? 0 : 3; /* elsewhere, before 1.0.3 a plan was another */
	n->rules = mac_rules(versions[oldest + rng_below(&t->rng, COUNT(versions) - oldest)]);
	n->phy_version = n->rules->usual_phy;
	node_reset(n);
	h->air = (struct ch_air){ .seed = rng_u64(&t->rng) | 1, .shadow_db = 3, .shadow_keep = 0.995, .fading = (enum ch_fading)(i % 3) };
	settle(t, h);
	h->first_dr = i % 3 ? first_rate(h) : n->dr; /* one of three takes all the air there is */
	if (!n->is_otaa)
		build_abp(t, h);
	node_reset(n);
	n->dr = h->first_dr;
	h->nonces = calloc(1, 65536 / 8);
	h->period_us = t->opt.period_us / 2 + rng_below(&t->rng, t->opt.period_us);
	heap_set(&t->due, &h->due, t->now.mono_us + 5 * SEC_US + rng_below(&t->rng, h->period_us < 600 * SEC_US ? h->period_us : 600 * SEC_US));
}

static void start(struct town *t)
{
	struct world *w = t->disk;
	struct ns_ports ports;
	struct ns_config config = { .dedup_window_us = 200 * MS_US, .outbox_max = 10000, .kek = { { 9 } }, .crypto = t->crypto, .rng = t->rng, .now = t->now };
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
	t->house = calloc(opt->devices, sizeof(*t->house));
	for (unsigned i = 0; i < opt->devices; i++)
		build_house(t, i);
	start(t);
	for (unsigned i = 0; i < opt->crashes; i++)
		town_at(t, t->now.mono_us + rng_below(&t->rng, opt->day_us), T_CRASH);
	for (unsigned i = 0; i < opt->devices; i++)
		town_at(t, t->now.mono_us + rng_below(&t->rng, opt->day_us), T_PUSH)->number = i + 1;
	return t;
}

void town_free(struct town *t)
{
	struct w_record *r, *next;
	struct heap_node *n;
	ns_free(t->disk->ns);
	for (unsigned i = 0; i < t->opt.devices; i++) {
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

/* ---- living ---- */

static void set_clock(struct town *t, uint64_t mono_us)
{
	if (mono_us <= t->now.mono_us)
		return;
	t->now.unix_us += mono_us - t->now.mono_us;
	t->now.mono_us = mono_us;
	t->disk->now = t->now;
}

static void settle_batch(struct town *t)
{
	uint64_t batch;
	ns_run(t->disk->ns, &t->now);
	if (!ns_flush(t->disk->ns, &t->now, &batch))
		return;
	t->disk->open_batch = batch + 1;
	uint64_t from = t->disk->commit_busy_us > t->now.mono_us ? t->disk->commit_busy_us : t->now.mono_us;
	t->disk->commit_busy_us = from + 4 * MS_US + rng_below(&t->rng, 100) / 99 * 150 * MS_US;
	town_at(t, t->disk->commit_busy_us, T_COMMIT)->number = batch;
}

/* kill -9, and a new process on the disk as it is. What the gs had no answer to it sends again. */
static void crash(struct town *t)
{
	struct world *w = t->disk;
	ns_free(w->ns);
	w_lose_memory(w);
	t->crash_us = t->now.mono_us;
	t->n_crashes++;
	for (unsigned i = 0; i < t->opt.devices; i++)
		t->house[i].awaited.is_crossed = true;
	start(t);
	for (uint32_t i = 0, n = t->n_held; i < n; i++)
		town_at(t, t->now.mono_us + 10 * MS_US + i, T_DELIVER)->up = t->held[i].up;
	t->n_held = 0;
}

/* Air, devices and crashes go on whatever process there is; all else is a conversation with one. */
static void happen(struct town *t, struct t_event *e)
{
	if (e->kind == T_AIR)
		houses_hear(t, e->emission);
	else if (e->kind == T_CRASH)
		crash(t);
	else if (e->kind == T_PUSH)
		servers_push(t, town_house(t, e->number));
	else if (e->kind == T_DELIVER || e->life == t->life)
		servers_event(t, e);
	free(e);
}

static bool is_house(const struct town *t, const struct heap_node *n)
{
	return (const void *)n >= (const void *)t->house && (const void *)n < (const void *)(t->house + t->opt.devices);
}

static void one_event(struct town *t, bool is_day)
{
	struct heap_node *n = heap_pop_due(&t->due, UINT64_MAX);
	set_clock(t, n->due_us);
	if (!is_house(t, n)) {
		happen(t, (struct t_event *)n);
		return;
	}
	struct house *h = (struct house *)((uint8_t *)n - offsetof(struct house, due));
	if (is_day || h->phase != HOUSE_IDLE)
		house_due(t, h);
}

void town_live(struct town *t)
{
	uint64_t end = t->now.mono_us + t->opt.day_us, night = end + 120 * SEC_US, idle = 0;
	settle_batch(t);
	while (!t->broken[0]) {
		uint64_t next = heap_deadline(&t->due), due = ns_deadline_us(t->disk->ns);
		if (next > night && due > night)
			break;
		if (due < next) {
			idle = due <= t->now.mono_us ? idle + 1 : 0;
			if (idle > 1000)
				T_BREAK(t, "the core asks to be called at once, for ever");
			set_clock(t, due);
		} else {
			one_event(t, t->now.mono_us < end);
		}
		settle_batch(t);
	}
	law_day(t);
}
