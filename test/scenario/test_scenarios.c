/** @file Stories of a network, read from files and made by chance; see test/scenario/README.md. */
#include "test/unit/ns_life.h"
#include <check.h>
#include <dirent.h>
#include <limits.h>

enum { LINE_MAX_CHARS = 512, FILES_MAX = 64, WORDS_MAX = 24, RANDOM_SEEDS = 40, RANDOM_STEPS = 1500 };

struct story {
	struct world *w;
	struct str word[WORDS_MAX];
	size_t n, at;
	char why[LINE_MAX_CHARS];
};

static const char *const item_states[] = { [W_QUEUED] = "queued", [W_FLIGHT] = "flight", [W_SENT] = "sent", [W_FAILED] = "failed", [W_ACKED] = "acked" };

/* ---- words ---- */

#define FAIL(s, ...)                                                   \
	do {                                                           \
		snprintf((s)->why, sizeof((s)->why), __VA_ARGS__);     \
		return;                                                \
	} while (0)

static void split(struct story *s, char *line)
{
	s->n = s->at = 0;
	for (char *p = line; *p && s->n < WORDS_MAX;) {
		while (*p == ' ' || *p == '\t')
			p++;
		if (!*p || *p == '#' || *p == '\n')
			return;
		char *end = *p == '"' ? strchr(p + 1, '"') : p + strcspn(p, " \t\n");
		if (!end)
			end = p + strlen(p);
		s->word[s->n++] = *p == '"' ? (struct str){ p + 1, (size_t)(end - p - 1) } : (struct str){ p, (size_t)(end - p) };
		p = *end == '"' ? end + 1 : end;
	}
}

static bool take(struct story *s, const char *word)
{
	if (s->at < s->n && str_is(s->word[s->at], word)) {
		s->at++;
		return true;
	}
	return false;
}

static struct str next(struct story *s)
{
	return s->at < s->n ? s->word[s->at++] : STR("");
}

static uint64_t number(struct story *s)
{
	uint64_t v = 0;
	struct str word = next(s);
	if (num_u64(word, &v) != 0)
		snprintf(s->why, sizeof(s->why), "a number was expected, not \"%.*s\"", STR_ARG(word));
	return v;
}

static uint64_t duration(struct story *s)
{
	uint64_t v = 0;
	struct str word = next(s);
	if (num_duration_us(word, &v) != 0)
		snprintf(s->why, sizeof(s->why), "a duration was expected, not \"%.*s\"", STR_ARG(word));
	return v;
}

static struct w_device *device_named(struct world *w, struct str name)
{
	for (uint32_t i = 0; i < w->n_dev; i++)
		if (str_is(name, w->dev[i].name))
			return &w->dev[i];
	return NULL;
}

static struct w_gateway *gateway_named(struct world *w, struct str name)
{
	for (uint32_t i = 0; i < w->n_gw; i++)
		if (str_is(name, w->gw[i].id))
			return &w->gw[i];
	return NULL;
}

static const char *copied(struct str s, char buf[LINE_MAX_CHARS])
{
	snprintf(buf, LINE_MAX_CHARS, "%.*s", STR_ARG(s));
	return buf;
}

/* ---- statements ---- */

static void do_device(struct story *s)
{
	char name[LINE_MAX_CHARS];
	copied(next(s), name);
	w_add_device(s->w, name, str_is(next(s), "otaa"));
}

static void do_uplink(struct story *s, struct w_device *d)
{
	char text[LINE_MAX_CHARS];
	uint8_t opts[FOPTS_MAX];
	struct w_say say = { .port = -1 };
	uint32_t via = s->w->n_gw;
	while (s->at < s->n) {
		if (take(s, "port"))
			say.port = (int)number(s);
		else if (take(s, "confirmed"))
			say.confirmed = true;
		else if (take(s, "ack"))
			say.ack = true;
		else if (take(s, "adrackreq"))
			say.adr_ack_req = true;
		else if (take(s, "via"))
			via = (uint32_t)number(s);
		else if (take(s, "opts"))
			hex_decode(next(s), opts, sizeof(opts), &say.n_opts);
		else
			say.text = copied(next(s), text);
	}
	say.opts = opts;
	w_uplink(s->w, d, &say, via);
}

static void do_again(struct story *s, struct w_device *d, uint32_t f_cnt)
{
	uint8_t phy[PHY_MAX];
	size_t n = w_frame(s->w, d, f_cnt, &(struct w_say){ .port = 1, .text = "again", .confirmed = true }, phy);
	d->last_up_us = s->w->now.mono_us;
	w_heard(s->w, d, 0, (struct slice){ phy, n }, 90, 0);
}

static void do_device_acts(struct story *s, struct w_device *d)
{
	static uint16_t nonce;
	if (take(s, "uplink"))
		do_uplink(s, d);
	else if (take(s, "counts"))
		d->f_cnt_up = (uint32_t)number(s);
	else if (take(s, "says")) /* a frame that `repeats` sends again */
		do_again(s, d, d->f_cnt_up++);
	else if (take(s, "repeats"))
		do_again(s, d, d->f_cnt_up - 1);
	else if (take(s, "replays"))
		do_again(s, d, (uint32_t)number(s));
	else if (take(s, "joins"))
		w_join_request(s->w, d, ++nonce, s->w->n_gw);
	else
		FAIL(s, "a device does not \"%.*s\"", STR_ARG(next(s)));
}

static void do_push(struct story *s)
{
	char text[LINE_MAX_CHARS] = "";
	struct w_device *d = device_named(s->w, next(s));
	uint8_t port = 1;
	bool is_confirmed = false;
	uint32_t priority = 0;
	if (!d)
		FAIL(s, "no such device");
	while (s->at < s->n) {
		if (take(s, "port"))
			port = (uint8_t)number(s);
		else if (take(s, "confirmed"))
			is_confirmed = true;
		else if (take(s, "priority"))
			priority = (uint32_t)number(s);
		else
			copied(next(s), text);
	}
	w_push(s->w, d, port, text, is_confirmed)->priority = priority;
}

static void do_gateway_acts(struct story *s, struct w_gateway *g)
{
	if (take(s, "sends")) {
		g->mood = W_SENDS;
		g->can_send = true;
		w_hello_gs(s->w);
	} else if (take(s, "deaf")) {
		g->can_send = false;
		w_hello_gs(s->w);
	} else if (take(s, "silent")) {
		g->mood = W_SILENT;
	} else if (take(s, "gone")) {
		g->mood = W_BUS_REFUSES;
	} else if (take(s, "refuses")) {
		g->mood = W_REFUSES;
		g->result = TX_RESULT_UNKNOWN_ERROR;
		struct str word = next(s);
		for (uint32_t i = 0; i <= TX_RESULT_NOT_CONNECTED; i++)
			if (str_is(word, tx_result_info(i)->name))
				g->result = (enum tx_result)i;
	} else {
		FAIL(s, "a gateway does not \"%.*s\"", STR_ARG(next(s)));
	}
	g->moods_left = s->at < s->n ? (unsigned)number(s) : 0;
}

static void do_as(struct story *s)
{
	struct world *w = s->w;
	if (take(s, "delay")) {
		w->as_delay_us = duration(s);
	} else if (take(s, "away")) {
		w->as_is_up = false;
		ns_as_down(w->ns, &w->now);
	} else if (take(s, "back")) {
		w_hello_as(w);
	} else if (take(s, "mute")) {
		w->as_is_mute = true;
	} else if (take(s, "speaks")) {
		/* Calls without an answer end with their connection. */
		w->as_is_mute = false;
		ns_as_down(w->ns, &w->now);
		w_hello_as(w);
	} else {
		FAIL(s, "the as does not \"%.*s\"", STR_ARG(next(s)));
	}
}

/* ---- expectations ---- */

static void expect_number(struct story *s, const char *what, uint64_t have)
{
	uint64_t want = number(s);
	if (!s->why[0] && have != want)
		FAIL(s, "%s: %" PRIu64 " and not %" PRIu64, what, have, want);
}

static void expect_truth(struct story *s, const char *what, bool is_so)
{
	if (!is_so)
		FAIL(s, "not %s", what);
}

static void expect_heard(struct story *s, const struct w_device *d)
{
	expect_number(s, "downlinks heard", d->n_heard + d->n_joins_heard);
	while (s->at < s->n && !s->why[0]) {
		if (take(s, "rx1") || take(s, "rx2"))
			expect_truth(s, "in that window", d->heard.window == s->word[s->at - 1].p[2] - '0');
		else if (take(s, "ack"))
			expect_truth(s, "with ACK", d->heard.ack);
		else if (take(s, "pending"))
			expect_truth(s, "with FPending", d->heard.pending);
		else if (take(s, "confirmed"))
			expect_truth(s, "confirmed", d->heard.confirmed);
		else if (take(s, "port"))
			expect_number(s, "port", d->heard.port);
		else if (take(s, "fcnt"))
			expect_number(s, "FCntDown", d->heard.f_cnt);
		else {
			struct str text = next(s);
			expect_truth(s, "that text", text.n == d->heard.n && memcmp(text.p, d->heard.frm, text.n) == 0);
		}
	}
}

static void expect_device(struct story *s, const struct w_device *d)
{
	const struct w_up *last = NULL;
	for (uint32_t i = 0; i < s->w->n_up; i++)
		if (s->w->up[i].device == d->uid)
			last = &s->w->up[i];
	if (take(s, "heard")) {
		expect_heard(s, d);
		return;
	}
	if (!last)
		FAIL(s, "no uplink of it came");
	while (s->at < s->n && !s->why[0]) {
		if (take(s, "fcnt"))
			expect_number(s, "FCntUp", last->f_cnt);
		else if (take(s, "copies"))
			expect_number(s, "copies", last->n_rx);
		else
			FAIL(s, "nobody knows what \"%.*s\" of a device is", STR_ARG(next(s)));
	}
}

static void expect_item(struct story *s)
{
	uint64_t n = number(s);
	struct str want = next(s);
	if (s->why[0] || n == 0 || n > s->w->n_item)
		FAIL(s, "no such item");
	const char *have = item_states[s->w->item[n - 1].state];
	if (!str_is(want, have))
		FAIL(s, "item %" PRIu64 " is %s", n, have);
}

static void do_expect(struct story *s)
{
	struct world *w = s->w;
	char name[LINE_MAX_CHARS], reason[LINE_MAX_CHARS];
	if (take(s, "ups"))
		expect_number(s, "uplinks", w->n_up);
	else if (take(s, "tx"))
		expect_number(s, "emissions", w->n_tx);
	else if (take(s, "joins"))
		expect_number(s, "joins", w->n_joins);
	else if (take(s, "refused"))
		expect_number(s, "refusals", w->n_refused);
	else if (take(s, "item"))
		expect_item(s);
	else if (take(s, "event")) {
		copied(next(s), name);
		copied(next(s), reason);
		expect_truth(s, "such an event", w_traced(w, name, reason));
	} else if (s->at < s->n && device_named(w, s->word[s->at]))
		expect_device(s, device_named(w, next(s)));
	else
		FAIL(s, "nobody knows what \"%.*s\" is", STR_ARG(next(s)));
}

static void statement(struct story *s)
{
	char name[LINE_MAX_CHARS];
	if (s->n == 0)
		return;
	struct str first = next(s);
	if (first.p[0] == '+') {
		uint64_t us = 0;
		if (num_duration_us((struct str){ first.p + 1, first.n - 1 }, &us) != 0)
			FAIL(s, "no duration");
		w_run(s->w, us);
	} else if (str_is(first, "gateway")) {
		w_add_gateway(s->w, copied(next(s), name));
	} else if (str_is(first, "device")) {
		do_device(s);
	} else if (str_is(first, "push")) {
		do_push(s);
	} else if (str_is(first, "commit")) {
		s->w->commit_us = duration(s);
	} else if (str_is(first, "as")) {
		do_as(s);
	} else if (str_is(first, "crash")) {
		w_crash(s->w);
	} else if (str_is(first, "expect")) {
		do_expect(s);
	} else if (device_named(s->w, first)) {
		do_device_acts(s, device_named(s->w, first));
	} else if (gateway_named(s->w, first)) {
		do_gateway_acts(s, gateway_named(s->w, first));
	} else {
		FAIL(s, "nobody is called \"%.*s\"", STR_ARG(first));
	}
}

static void play(const char *path)
{
	char line[LINE_MAX_CHARS];
	FILE *f = fopen(path, "r");
	struct story s = { .w = w_new(1) };
	unsigned n = 0;
	ck_assert_msg(f != NULL, "%s cannot be read", path);
	while (fgets(line, sizeof(line), f) && !s.why[0]) {
		n++;
		split(&s, line);
		statement(&s);
		if (!s.why[0] && s.w->broken[0])
			snprintf(s.why, sizeof(s.why), "a rule is broken: %s", s.w->broken);
	}
	fclose(f);
	w_free(s.w);
	ck_assert_msg(!s.why[0], "%s:%u: %s", path, n, s.why);
}

/* ---- files ---- */

static char files[FILES_MAX][LINE_MAX_CHARS + NAME_MAX + 2];
static int n_files;

static void files_find(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	while (d && (e = readdir(d)) && n_files < FILES_MAX) {
		size_t n = strlen(e->d_name);
		if (n > 4 && strcmp(e->d_name + n - 4, ".scn") == 0)
			snprintf(files[n_files++], sizeof(files[0]), "%s/%s", dir, e->d_name);
	}
	if (d)
		closedir(d);
}

START_TEST(the_story_of_a_file)
{
	play(files[_i]);
}
END_TEST

/* ---- chance ---- */

struct sent {
	uint64_t device;
	struct ulid session;
	uint32_t f_cnt;
	bool is_heard;
};

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

START_TEST(a_story_of_chance)
{
	uint64_t seed = (uint64_t)_i + 1;
	struct world *w = w_new(seed);
	for (int i = 0; i < 3; i++)
		w_add_gateway(w, i == 0 ? "near" : i == 1 ? "far" : "further");
	for (int i = 0; i < 6; i++)
		w_add_device(w, "dev", i % 3 == 2);
	w_run(w, SEC_US);
	for (int i = 0; i < RANDOM_STEPS && !w->broken[0]; i++)
		random_step(w);
	if (!w->as_is_up)
		w_hello_as(w);
	w_rest(w);
	w_rest(w);
	recover(w);
	unsigned n_up = w->n_up, n_heard = 0;
	for (uint32_t i = 0; i < w->n_dev; i++)
		n_heard += w->dev[i].n_heard;
	uint32_t n_held = w->n_held;
	char broken[W_TEXT];
	memcpy(broken, w->broken, sizeof(broken));
	items_check(w, broken);
	w_free(w);
	ck_assert_msg(!broken[0], "seed %" PRIu64 ": %s", seed, broken);
	ck_assert_msg(n_held == 0, "seed %" PRIu64 ": %u frames were never accepted", seed, n_held);
	ck_assert_msg(n_up > 100, "seed %" PRIu64 ": only %u uplinks", seed, n_up);
	ck_assert_msg(n_heard > 30, "seed %" PRIu64 ": only %u downlinks were heard", seed, n_heard);
}
END_TEST

int main(void)
{
	const char *source = getenv("GODWIT_SOURCE");
	char dir[LINE_MAX_CHARS];
	snprintf(dir, sizeof(dir), "%s/test/scenario", source ? source : ".");
	files_find(dir);
	Suite *s = suite_create("scenarios");
	TCase *t = tcase_create("scenarios");
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, the_story_of_a_file, 0, n_files);
	tcase_add_loop_test(t, a_story_of_chance, 0, RANDOM_SEEDS);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r) + (n_files == 0);
	if (n_files == 0)
		fprintf(stderr, "no stories in %s\n", dir);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
