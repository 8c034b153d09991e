/** @file What a story expects: what devices have heard, what gateways were told, what the application server knows. */
#include "test/scenario/story.h"

static const char *const item_states[] = { [W_QUEUED] = "queued", [W_FLIGHT] = "flight", [W_SENT] = "sent", [W_FAILED] = "failed", [W_ACKED] = "acked" };

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

/* A word that says a truth of the last downlink; false: it says something else. */
static bool expect_flag(struct story *s, const struct w_device *d)
{
	if (take(s, "rx1") || take(s, "rx2") || take(s, "rxc"))
		expect_truth(s, "in that window", d->heard.window == (s->word[s->at - 1].p[2] == 'c' ? 3 : s->word[s->at - 1].p[2] - '0'));
	else if (take(s, "ack"))
		expect_truth(s, "with ACK", d->heard.ack);
	else if (take(s, "noack"))
		expect_truth(s, "without ACK", !d->heard.ack);
	else if (take(s, "pending"))
		expect_truth(s, "with FPending", d->heard.pending);
	else if (take(s, "nopending"))
		expect_truth(s, "without FPending", !d->heard.pending);
	else if (take(s, "adr") || take(s, "noadr"))
		expect_truth(s, "with that ADR bit", d->heard.adr == (s->word[s->at - 1].p[0] == 'a'));
	else if (take(s, "confirmed"))
		expect_truth(s, "confirmed", d->heard.confirmed);
	else if (take(s, "unconfirmed"))
		expect_truth(s, "unconfirmed", !d->heard.confirmed);
	else if (take(s, "empty"))
		expect_truth(s, "empty", !d->heard.n && !d->heard.n_opts);
	else
		return false;
	return true;
}

static void expect_heard(struct story *s, const struct w_device *d)
{
	expect_number(s, "downlinks heard", d->n_heard + d->n_joins_heard);
	while (s->at < s->n && !s->why[0]) {
		if (expect_flag(s, d))
			continue;
		if (take(s, "port"))
			expect_number(s, "port", d->heard.port);
		else if (take(s, "fcnt"))
			expect_number(s, "FCntDown", d->heard.f_cnt);
		else if (take(s, "mac"))
			expect_command(s, d, true);
		else if (take(s, "nomac"))
			expect_command(s, d, false);
		else if (take(s, "commands"))
			expect_commands(s, d);
		else {
			struct str text = next(s);
			expect_truth(s, "that text", text.n == d->heard.n && memcmp(text.p, d->heard.frm, text.n) == 0);
		}
	}
}

/* "address 26000000/7": that of its session is in the block. */
static void expect_address(struct story *s, const struct w_device *d)
{
	struct str rest = next(s), prefix;
	uint32_t block = 0;
	uint64_t bits = 0;
	rest = str_cut(rest, '/', &prefix);
	if (hex_u32(prefix, 8, &block) != 0 || num_u64(rest, &bits) != 0 || !bits || bits > 32)
		FAIL(s, "a block of addresses is 8 hex digits, a slash and the bits that count");
	if ((d->dev_addr ^ block) >> (32 - bits))
		FAIL(s, "its address is %08x", d->dev_addr);
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
	if (take(s, "address")) {
		expect_address(s, d);
		return;
	}
	if (!last)
		FAIL(s, "no uplink of it came");
	while (s->at < s->n && !s->why[0]) {
		if (take(s, "fcnt"))
			expect_number(s, "FCntUp", last->f_cnt);
		else if (take(s, "copies"))
			expect_number(s, "copies", last->n_rx);
		else if (take(s, "port"))
			expect_number(s, "port", last->port);
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

/* How long after the end of any device's last uplink an emission begins: the window, if it is one. */
static uint64_t delay_of(const struct world *w, const struct w_tx *t)
{
	uint64_t best = 0;
	for (uint32_t i = 0; i < w->n_dev; i++)
		if (w->dev[i].last_up_us && w->dev[i].last_up_us <= t->start_us && w->dev[i].last_up_us > best)
			best = w->dev[i].last_up_us;
	return t->start_us - best;
}

static int rate_of(const struct world *w, const struct tx_request *m)
{
	struct modu modu = { .kind = (uint8_t)m->mod.kind, .sf = (uint8_t)m->mod.sf, .bw_hz = m->mod.bw_hz, .bit_rate = m->mod.bit_rate, .cr = CR_4_5 };
	for (int dr = 0; dr < REGION_DRS; dr++) {
		const struct modu *r = region_modu(w->plan->region, false, (unsigned)dr);
		if (r && modu_eq(r, &modu))
			return dr;
	}
	return -1;
}

/* The last emission that gateways were told. */
static void expect_tx(struct story *s)
{
	const struct world *w = s->w;
	expect_number(s, "emissions", w->n_tx);
	const struct w_tx *t = &w->tx[w->n_tx ? w->n_tx - 1 : 0];
	while (s->at < s->n && !s->why[0]) {
		if (take(s, "freq")) {
			uint32_t hz = megahertz(s);
			if (t->m.freq_hz != hz)
				FAIL(s, "on %u Hz and not on %u Hz", t->m.freq_hz, hz);
		} else if (take(s, "dr")) {
			expect_number(s, "data rate", (uint64_t)rate_of(w, &t->m));
		} else if (take(s, "dbm")) {
			expect_number(s, "EIRP", (uint64_t)t->m.eirp_dbm);
		} else if (take(s, "octets")) {
			expect_number(s, "octets", t->m.phy.len);
		} else if (take(s, "after")) {
			uint64_t us = duration(s);
			if (delay_of(w, t) != us)
				FAIL(s, "%" PRIu64 " us after the uplink", delay_of(w, t));
		} else if (take(s, "by")) {
			struct str name = next(s);
			expect_truth(s, "by that gateway", str_is(name, w->gw[t->gateway].id));
		} else {
			FAIL(s, "nobody knows what \"%.*s\" of an emission is", STR_ARG(next(s)));
		}
	}
}

/* How many came, and what the last one says. */
static void expect_statuses(struct story *s)
{
	expect_number(s, "statuses", s->w->n_statuses);
	if (take(s, "battery"))
		expect_number(s, "battery", s->w->last_status.battery);
	if (take(s, "margin")) {
		char text[LINE_MAX_CHARS];
		int have = s->w->last_status.margin_db;
		if (atoi(copied(next(s), text)) != have)
			FAIL(s, "margin: %d", have);
	}
}

/* What the join server was asked to put into the last join-accept. */
static void expect_asked(struct story *s)
{
	const struct join_request *m = &s->w->last_join;
	while (s->at < s->n && !s->why[0]) {
		if (take(s, "netid")) {
			uint32_t net_id = 0;
			expect_truth(s, "of that network", hex_u32(next(s), 6, &net_id) == 0 && m->net_id == net_id);
		} else if (take(s, "rxdelay")) {
			expect_number(s, "RxDelay", m->rx_delay);
		} else if (take(s, "offset")) {
			expect_number(s, "RX1DROffset", m->dl_settings >> 4 & 7);
		} else if (take(s, "rx2")) {
			expect_number(s, "RX2DataRate", m->dl_settings & 15);
		} else if (take(s, "nocflist")) {
			expect_truth(s, "without CFList", !MSG_HAS(m, cf_list));
		} else if (take(s, "cflist")) {
			struct slice list = { m->cf_list.p, MSG_HAS(m, cf_list) ? m->cf_list.len : 0 };
			expect_octets(s, "the CFList", list, next(s));
		} else {
			FAIL(s, "nobody knows what \"%.*s\" of a join-accept is", STR_ARG(next(s)));
		}
	}
}

/* A step of the trace, lately; of a long reason the beginning is enough. */
static void expect_event(struct story *s)
{
	char line[LINE_MAX_CHARS];
	bool is_wanted = !take(s, "no"), is_there = false;
	struct str name = next(s), reason = next(s);
	int n = snprintf(line, sizeof(line), "%.*s %.*s", (int)(name.n < 31 ? name.n : 31), name.p, STR_ARG(reason));
	for (size_t i = 0; i < COUNT(s->w->trace); i++)
		is_there |= strncmp(s->w->trace[i], line, (size_t)(n < 48 ? n : 48)) == 0;
	if (is_there != is_wanted)
		FAIL(s, "%s such an event", is_wanted ? "there is no" : "there is");
}

void do_expect(struct story *s)
{
	struct world *w = s->w;
	if (take(s, "ups"))
		expect_number(s, "uplinks", w->n_up);
	else if (take(s, "tx"))
		expect_tx(s);
	else if (take(s, "joins"))
		expect_number(s, "joins", w->n_joins);
	else if (take(s, "refused"))
		expect_number(s, "refusals", w->n_refused);
	else if (take(s, "statuses"))
		expect_statuses(s);
	else if (take(s, "item"))
		expect_item(s);
	else if (take(s, "event"))
		expect_event(s);
	else if (take(s, "asked"))
		expect_asked(s);
	else if (s->at < s->n && device_named(w, s->word[s->at]))
		expect_device(s, device_named(w, next(s)));
	else
		FAIL(s, "nobody knows what \"%.*s\" is", STR_ARG(next(s)));
}
