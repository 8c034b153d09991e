/** @file A string of octets becomes a story around the network server's core: frames good and bad, answers, refusals, crashes. */
#include "test/unit/ns_life.h"

enum { STEPS_MAX = 400 };
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char *const rates[] = { "SF7BW125", "SF12BW125", "SF7BW250", "50000", "SF6BW125", "SF9BW500", "M0CW137", "SF10BW125" };

/* A device's frame with some octets changed, or octets that are no frame at all. */
static void frame_of(struct world *w, struct w_device *d, struct reader *r, bool is_raw)
{
	uint8_t phy[PHY_MAX];
	uint8_t how = reader_u8(r);
	size_t n = 0;
	if (is_raw) {
		struct slice s = reader_take(r, how < reader_left(r) ? how : reader_left(r));
		n = s.n < PHY_MAX ? s.n : PHY_MAX;
		if (n)
			memcpy(phy, s.p, n);
	} else {
		struct slice opts = reader_take(r, how & 15);
		struct w_say say = { .port = how & 64 ? 1 : how & 32 ? 0 : -1, .confirmed = how & 16, .ack = how & 128, .adr = how & 2, .opts = opts.p, .n_opts = opts.n };
		if (say.port == 0)
			say.n_opts = 0;
		n = w_frame(w, d, d->f_cnt_up, &say, phy);
		d->f_cnt_up += 1 + (how == 255 ? 20000U : 0);
	}
	modu_parse(str_of(rates[how % COUNT(rates)]), &d->up.modu);
	d->last_up_us = w->now.mono_us;
	for (uint32_t i = 0; i <= how % w->n_gw; i++)
		w_heard(w, d, i, (struct slice){ phy, n }, (int8_t)how, i * 60 * MS_US);
}

static void mood(struct world *w, uint8_t v)
{
	struct w_gateway *g = &w->gw[v % w->n_gw];
	g->mood = (enum w_mood)(v >> 2 & 3);
	g->moods_left = v >> 4 & 3;
	g->result = (enum tx_result)(1 + (v >> 4) % TX_RESULT_NOT_CONNECTED);
	g->can_send = (v & 0x80) == 0;
}

static void as_comes_or_goes(struct world *w)
{
	if (w->as_is_up) {
		w->as_is_up = false;
		ns_as_down(w->ns, &w->now);
	} else {
		w_hello_as(w);
	}
}

/* The operator wants something of a device's MAC. */
static void wish(struct world *w, struct w_device *d, struct reader *r)
{
	struct mac_settings *m = &d->mac;
	uint8_t what = reader_u8(r), v = reader_u8(r);
	switch (what % 12) {
	case 0: MSG_SET(m, desired_rx1_delay, v & 15); break;
	case 1: MSG_SET(m, desired_rx2_dr, v & 7); break;
	case 2: MSG_SET(m, desired_rx2_freq_hz, 869525000U + v * 100U); break;
	case 3: MSG_SET(m, desired_duty_cycle, v & 15); break;
	case 4: MSG_SET(m, adr_mode, v % 4U); break;
	case 5: MSG_SET(m, static_dr, v & 15); break;
	case 6: MSG_SET(m, status_every_n, v & 3); break;
	case 7:
		MSG_MARK(m, factory);
		m->factory.len = v % 17;
		for (unsigned i = 0; i < m->factory.len; i++)
			m->factory.v[i].hz = 863000000U + (v + i) * 100000U;
		break;
	case 8:
		MSG_MARK(m, desired_down);
		m->desired_down.len = v % 17;
		for (unsigned i = 0; i < m->desired_down.len; i++)
			m->desired_down.v[i].hz = i % 2 ? 0 : 869525000;
		break;
	case 9: MSG_SET(m, desired_rejoin_count, v & 15); break;
	case 10: d->rejoin++; break;
	default:
		if (d->mac_version == LW_1_1_0)
			break; /* the world's device has the keys of one version */
		d->mac_version = LW_1_0_0 + v % 5U;
		d->generation++;
	}
	w_sync(w, 0);
}

/* The registry says something else of a device, or no longer knows it. */
static void registry(struct world *w, struct w_device *d, uint8_t v)
{
	static struct sync m;
	m = (struct sync){ .store_id = { { 7 } }, .revision = v, .v = { .len = 1 } };
	w_device_entry(w, d, &m.v.v[0]);
	if (v & 1)
		MSG_SET(&m.v.v[0], deleted, true);
	if (v & 2)
		d->generation++;
	if (v & 4)
		m.v.v[0].dev.plan[0] = 'x';
	if (v & 8)
		MSG_SET(&m.v.v[0].dev, reset, v);
	ns_as_sync(w->ns, &w->now, 0, &m);
}

static void step(struct world *w, struct reader *r)
{
	static uint16_t nonce;
	uint8_t what = reader_u8(r), v = reader_u8(r);
	struct w_device *d = &w->dev[v % w->n_dev];
	switch (what % 15) {
	case 12: wish(w, d, r); break;
	case 0: frame_of(w, d, r, true); break;
	case 1:
	case 2: frame_of(w, d, r, false); break;
	case 3: w_join_request(w, d, ++nonce, 1 + v % w->n_gw); break;
	case 4: mood(w, v); break;
	case 5:
		if (w->n_item < W_ITEMS)
			w_push(w, d, v, "item", v & 1);
		break;
	case 6: w_crash(w); break;
	case 7: as_comes_or_goes(w); break;
	case 8: w->as_delay_us = v * MS_US; break;
	case 9: w->commit_us = v * 4 * MS_US; break;
	case 10: registry(w, d, v); break;
	case 13: w_rejoin(w, d, v % 3, d->rj_count0++, 1 + v % w->n_gw); break;
	case 14: w_rejoin(w, d, 1, v, 1); break;
	default: w_run(w, v * 40 * MS_US);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct world *w = w_new(1);
	struct reader r = reader_of(data, n);
	w_add_gateway(w, "near");
	w_add_gateway(w, "far");
	w_add_device(w, "abp", false);
	w_add_device(w, "otaa", true);
	w_add_device_1_1(w, "abp11", false);
	w_add_device_1_1(w, "otaa11", true);
	for (unsigned i = 0; i < STEPS_MAX && reader_left(&r) && !w->broken[0]; i++)
		step(w, &r);
	w_rest(w);
	bool is_broken = w->broken[0];
	if (is_broken)
		fprintf(stderr, "%s\n", w->broken);
	w_free(w);
	if (is_broken)
		abort();
	return 0;
}
