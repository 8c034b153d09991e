/** @file Stories made by chance: bad days of gateways, disk and application server, then good ones again. */
#include "test/scenario/story.h"

enum { RANDOM_STEPS = 1500, CLASS_C_DEVICE = 1, RESETS_DEVICE = 3 };

static void random_moods(struct world *w)
{
	struct w_gateway *g = &w->gw[rng_below(&w->rng, w->n_gw)];
	static const enum w_mood moods[] = { W_SENDS, W_SENDS, W_REFUSES, W_SILENT, W_BUS_REFUSES };
	g->mood = moods[rng_below(&w->rng, COUNT(moods))];
	g->moods_left = 1 + (unsigned)rng_below(&w->rng, 3);
	g->result = (enum tx_result)(1 + rng_below(&w->rng, TX_RESULT_GPS_UNLOCKED));
	g->can_send = rng_below(&w->rng, 5) != 0;
	w->commit_us = rng_below(&w->rng, 4) ? 5 * MS_US : rng_below(&w->rng, 300) * MS_US;
	w->as_delay_us = rng_below(&w->rng, 4) ? 2 * MS_US : rng_below(&w->rng, 80) * MS_US;
}

static void random_uplink(struct world *w)
{
	struct w_device *d = &w->dev[rng_below(&w->rng, w->n_dev)];
	if (!d->has_session || w->now.mono_us < d->last_up_us + (d->rx1_delay_s + 2) * SEC_US)
		return;
	if (d == &w->dev[RESETS_DEVICE] && rng_below(&w->rng, 16) == 0)
		d->f_cnt_up = 0;
	static const uint8_t opts[] = { 0x02, 0x0d };
	struct w_say say = { .port = (int)rng_below(&w->rng, 3) - 1, .text = "x", .confirmed = rng_below(&w->rng, 2), .ack = d->owes_ack && rng_below(&w->rng, 3),
		.opts = opts, .n_opts = (unsigned)rng_below(&w->rng, 3) };
	if (say.port <= 0) {
		say.text = NULL;
		say.n_opts = say.port == 0 ? 0 : say.n_opts;
	}
	static const char *const rates[] = { "SF7BW125", "SF7BW125", "SF9BW125", "SF12BW125" };
	modu_parse(str_of(rates[rng_below(&w->rng, COUNT(rates))]), &d->up.modu);
	d->up.freq_hz = 868100000 + 200000 * (uint32_t)rng_below(&w->rng, 3);
	w_uplink(w, d, &say, 1 + (uint32_t)rng_below(&w->rng, w->n_gw));
}

/* The last frame again: by the device on another channel, by a slow line, beside the channel, or by somebody who caught it. */
static void random_again(struct world *w, struct w_device *d)
{
	uint32_t gateway = (uint32_t)rng_below(&w->rng, w->n_gw), hz = d->up.freq_hz;
	if (!d->n_last)
		return;
	switch (rng_below(&w->rng, 3)) {
	case 0:
		if (w->now.mono_us < d->last_up_us + (d->rx1_delay_s + 2) * SEC_US)
			return;
		/* No device repeats a frame so late, and a new process cannot know how late it is: somebody caught it. */
		if (w->now.mono_us < d->last_up_us + (d->rx1_delay_s + 10) * SEC_US && w->crash_us < d->last_up_us)
			d->last_up_us = w->now.mono_us;
		d->up.freq_hz = 868100000 + 200000 * (uint32_t)rng_below(&w->rng, 3);
		w_heard(w, d, gateway, (struct slice){ d->last, d->n_last }, 50, 0);
		return;
	case 1:
		w_heard(w, d, gateway, (struct slice){ d->last, d->n_last }, 120, rng_below(&w->rng, 5000) * MS_US);
		return;
	default:
		d->up.freq_hz += 200000;
		w_heard(w, d, gateway, (struct slice){ d->last, d->n_last }, -120, rng_below(&w->rng, 100) * MS_US);
		d->up.freq_hz = hz;
	}
}

static void random_step(struct world *w)
{
	static uint16_t nonce;
	struct w_device *d = &w->dev[rng_below(&w->rng, w->n_dev)];
	switch (rng_below(&w->rng, 16)) {
	case 0: random_moods(w); break;
	case 1:
		if (w->n_item < W_ITEMS)
			w_push(w, d, 5, rng_below(&w->rng, 3) ? "an item" : "an item that is longer than the fifty-one octets that DR0 has room for",
				rng_below(&w->rng, 2))->priority = (uint32_t)rng_below(&w->rng, 7);
		break;
	case 2:
		/* Who joined and said nothing since does not join again: of two such sessions only the second is kept. */
		if (d->is_otaa && (!d->has_session || d->f_cnt_up) && w->now.mono_us > d->last_up_us + 8 * SEC_US)
			w_join_request(w, d, ++nonce, w->n_gw);
		break;
	case 3:
		if (rng_below(&w->rng, 6) == 0)
			w_crash(w);
		break;
	case 4:
		if (w->as_is_up && rng_below(&w->rng, 4) == 0) {
			w->as_is_up = false;
			ns_as_down(w->ns, &w->now);
		} else if (!w->as_is_up) {
			w_hello_as(w);
		}
		break;
	case 5:
		random_again(w, d);
		break;
	case 6:
		if (d->is_otaa)
			w_forge_join(w, d);
		break;
	default: random_uplink(w);
	}
	w_run(w, rng_below(&w->rng, 900) * MS_US);
}

/* Good days come back: whatever waits must reach its device. */
static void recover(struct world *w)
{
	for (uint32_t i = 0; i < w->n_gw; i++) {
		w->gw[i].mood = W_SENDS;
		w->gw[i].can_send = true;
	}
	w->commit_us = 5 * MS_US;
	w->as_delay_us = 2 * MS_US;
	w_hello_gs(w);
	w_run(w, 2 * 3600 * SEC_US); /* the airtime of bad days is over */
	/* So are the as's leases, where a crash swallowed what its item was handed out for. */
	for (uint32_t i = 0; i < w->n_item; i++)
		if (w->item[i].state == W_FLIGHT && w->item[i].confirmed)
			w->item[i].state = W_QUEUED;
	for (uint32_t i = 0; i < w->n_dev; i++)
		w_tell_waiting(w, w->dev[i].uid);
	for (unsigned round = 0; round < RANDOM_STEPS / 16; round++)
		for (uint32_t i = 0; i < w->n_dev; i++) {
			struct w_device *d = &w->dev[i];
			if (!d->has_session)
				continue;
			modu_parse(STR("SF7BW125"), &d->up.modu);
			d->up.freq_hz = 868100000;
			w_uplink(w, d, &(struct w_say){ .port = 1, .ack = d->owes_ack }, 1);
			w_run(w, 8 * SEC_US);
		}
}

/* No item is in two places, none is heard twice that may not be, none waits for ever. */
static void items_check(struct world *w, char broken[W_TEXT])
{
	for (uint32_t i = 0; i < w->n_item && !broken[0]; i++) {
		const struct w_item *it = &w->item[i];
		const struct w_device *d = w_device(w, it->device);
		if (it->n_sent + it->n_failed > 1 && !it->confirmed)
			snprintf(broken, W_TEXT, "item %u was told sent or failed twice", i);
		else if (it->n_heard > 1 && !it->confirmed)
			snprintf(broken, W_TEXT, "item %u was heard %u times", i, it->n_heard);
		else if (d->has_session && (it->state == W_QUEUED || it->state == W_FLIGHT || (it->confirmed && it->state == W_SENT)))
			snprintf(broken, W_TEXT, "item %u (%s) is left in state %d", i, it->confirmed ? "confirmed" : "unconfirmed", it->state);
	}
}

/* Of any version; one that joins of three, one that always listens, one that begins its counter again as it likes. */
static void random_device(struct world *w, int i)
{
	struct w_device *d = w_add_device(w, "dev", i % 3 == 2);
	static const enum mac_version versions[] = { LW_1_0_0, LW_1_0_1, LW_1_0_2, LW_1_0_3, LW_1_0_4, LW_1_1_0 };
	d->mac_version = versions[rng_below(&w->rng, COUNT(versions))];
	if (mac_rules(d->mac_version)->is_v11)
		w_make_1_1(w, d);
	d->class_c = i == CLASS_C_DEVICE;
	if (i == RESETS_DEVICE)
		MSG_SET(&d->mac, resets_f_cnt, true);
	d->generation++;
	w_sync(w, 0);
	w_settle(w);
}

void chance_story(uint64_t seed, char ret_why[W_TEXT])
{
	struct world *w = w_new(seed);
	for (int i = 0; i < 3; i++)
		w_add_gateway(w, i == 0 ? "near" : i == 1 ? "far" : "further");
	for (int i = 0; i < 6; i++)
		random_device(w, i);
	w_run(w, SEC_US);
	for (int i = 0; i < RANDOM_STEPS && !w->broken[0]; i++)
		random_step(w);
	if (!w->as_is_up)
		w_hello_as(w);
	w_rest(w);
	w_rest(w);
	recover(w);
	unsigned n_heard = 0;
	for (uint32_t i = 0; i < w->n_dev; i++)
		n_heard += w->dev[i].n_heard;
	memcpy(ret_why, w->broken, W_TEXT);
	items_check(w, ret_why);
	if (!ret_why[0] && w->n_held)
		snprintf(ret_why, W_TEXT, "%u frames were never accepted", w->n_held);
	if (!ret_why[0] && (w->n_up <= 100 || n_heard <= 30))
		snprintf(ret_why, W_TEXT, "only %u uplinks, and %u downlinks were heard", w->n_up, n_heard);
	w_free(w);
}
