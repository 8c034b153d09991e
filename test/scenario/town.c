/** @file A town lives for a day; its network server crashes now and then. */
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
	t->crash_at_us[t->n_crashes++ % TOWN_CRASHES] = t->crash_us;
	for (unsigned i = 0; i < t->n_houses; i++)
		t->house[i].awaited.is_crossed = true;
	town_start(t);
	for (uint32_t i = 0, n = t->n_held; i < n; i++)
		town_at(t, t->now.mono_us + 10 * MS_US + i, T_DELIVER)->up = t->held[i].up;
	t->n_held = 0;
}

static void push(struct town *t, struct house *h)
{
	uint64_t mean_us = h->n.class_c ? t->opt.push_us : 12 * t->opt.push_us;
	if (t->now.mono_us >= t->end_us)
		return;
	for (unsigned n = rng_below(&t->rng, 5) ? 1 : 4; n; n--) /* some come in bursts */
		items_push(t, h);
	town_at(t, t->now.mono_us + mean_us / 2 + rng_below(&t->rng, mean_us), T_PUSH)->number = h->uid;
}

/* Air, devices and crashes go on whatever process there is; all else is a conversation with one. */
static void happen(struct town *t, struct t_event *e)
{
	if (e->kind == T_AIR)
		houses_hear(t, e->emission);
	else if (e->kind == T_CRASH)
		crash(t);
	else if (e->kind == T_PUSH)
		push(t, town_house(t, e->number));
	else if (e->kind == T_REJOIN)
		servers_ask_rejoin(t, town_house(t, e->number));
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
	uint64_t night = t->now.mono_us + t->opt.day_us + TOWN_NIGHT_US, idle = 0;
	t->end_us = t->now.mono_us + t->opt.day_us;
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
			one_event(t, t->now.mono_us < t->end_us);
		}
		settle_batch(t);
	}
	law_day(t);
}
