/** @file What a device is asked: one row per request, and how many of them fit. [LW1.0.4 5] */
#include "ns/core/mac/mac.h"

/* ---- the rows ---- */

static void put_rx_param(struct writer *w, unsigned i, uint32_t value)
{
	(void)i;
	mac_rx_param_setup_req_put(w, &(struct mac_rx_param_setup_req){ .rx1_dr_offset = value >> 28 & 7, .rx2_dr = value >> 24 & 15,
		.rx2_hz = mac_freq_hz(value & 0xFFFFFF) });
}

static void put_tx_param(struct writer *w, unsigned i, uint32_t value)
{
	(void)i;
	mac_octet_put(w, CMD_TX_PARAM_SETUP, value & TX_OCTET);
}

static void put_new_channel(struct writer *w, unsigned i, uint32_t value)
{
	mac_new_channel_req_put(w, &(struct mac_new_channel_req){ .index = (uint8_t)i, .min_dr = value & 15, .max_dr = value >> 4 & 15,
		.freq_hz = mac_freq_hz(value >> 8) });
}

static void put_dl_channel(struct writer *w, unsigned i, uint32_t value)
{
	mac_dl_channel_req_put(w, &(struct mac_dl_channel_req){ .index = (uint8_t)i, .freq_hz = mac_freq_hz(value) });
}

struct request {
	uint8_t cid, first, n;
	enum event_id event; /**< its request; those of its answers follow in events.def */
	void (*put)(struct writer *w, unsigned i, uint32_t value); /**< NULL: its one octet is the value */
	bool in_cast; /**< see mac_room */
};

static const struct request requests[] = {
	{ CMD_DUTY_CYCLE, ITEM_DUTY_CYCLE, 1, EVENT_NS_MAC_DUTY_CYCLE_REQUEST, NULL, true },
	{ CMD_TX_PARAM_SETUP, ITEM_TX_PARAM, 1, EVENT_NS_MAC_TX_PARAM_SETUP_REQUEST, put_tx_param, false },
	{ CMD_RX_PARAM_SETUP, ITEM_RX_PARAM, 1, EVENT_NS_MAC_RX_PARAM_SETUP_REQUEST, put_rx_param, false },
	{ CMD_NEW_CHANNEL, ITEM_NEW_CHANNEL, MAC_CHANNELS, EVENT_NS_MAC_NEW_CHANNEL_REQUEST, put_new_channel, true },
	{ CMD_LINK_ADR, ITEM_LINK_ADR, 1, EVENT_NS_MAC_LINK_ADR_REQUEST, NULL, false },
	{ CMD_RX_TIMING_SETUP, ITEM_RX_TIMING, 1, EVENT_NS_MAC_RX_TIMING_SETUP_REQUEST, NULL, false },
	{ CMD_DL_CHANNEL, ITEM_DL_CHANNEL, MAC_CHANNELS, EVENT_NS_MAC_DL_CHANNEL_REQUEST, put_dl_channel, false },
	{ CMD_ADR_PARAM_SETUP, ITEM_ADR_PARAM, 1, EVENT_NS_MAC_ADR_PARAM_SETUP_REQUEST, NULL, true },
	{ CMD_REJOIN_PARAM_SETUP, ITEM_REJOIN_PARAM, 1, EVENT_NS_MAC_REJOIN_PARAM_SETUP_REQUEST, NULL, true },
	{ CMD_FORCE_REJOIN, ITEM_FORCE_REJOIN, 1, EVENT_NS_MAC_FORCE_REJOIN_REQUEST, NULL, true },
};

static const struct request *request_of(enum mac_item item)
{
	size_t i = 0;
	while (i + 1 < COUNT(requests) && requests[i + 1].first <= item)
		i++;
	return &requests[i];
}

uint8_t mac_item_cid(enum mac_item item)
{
	return request_of(item)->cid;
}

/* ---- events ---- */

static void describe(struct text *t, enum mac_item item, uint32_t value)
{
	const struct request *r = request_of(item);
	if (r->n > 1) {
		json_name(t, "channel_index");
		json_unum(t, (uint32_t)(item - r->first));
	}
	switch (r->first) {
	case ITEM_RX_PARAM:
		json_name(t, "rx1_data_rate_offset");
		json_unum(t, value >> 28 & 7);
		json_name(t, "rx2_data_rate_index");
		json_unum(t, value >> 24 & 15);
		json_name(t, "rx2_frequency");
		json_unum(t, mac_freq_hz(value & 0xFFFFFF));
		break;
	case ITEM_NEW_CHANNEL:
	case ITEM_DL_CHANNEL:
		json_name(t, "frequency");
		json_unum(t, mac_freq_hz(r->first == ITEM_NEW_CHANNEL ? value >> 8 : value));
		break;
	case ITEM_LINK_ADR:
		break;
	case ITEM_TX_PARAM:
		json_name(t, "value");
		json_unum(t, value & TX_OCTET);
		break;
	default:
		json_name(t, "value");
		json_unum(t, value);
	}
}

struct text *mac_item_event(struct mac_run *run, enum mac_item item, uint32_t value, enum mac_told told)
{
	struct text *t = trace_begin(run->ns, (enum event_id)((unsigned)request_of(item)->event + (unsigned)told), run->about);
	describe(t, item, value);
	return t;
}

/* ---- what is due ---- */

/* An answer that does not come is asked for again at once, then after more and more uplinks, then no more. */
static bool is_due(const struct mac_run *run, enum mac_item item, uint32_t value)
{
	static const uint8_t wait[MAC_TRIES_MAX] = { 0, 0, 0, 3, 7, 15, 31, 63 };
	const struct mac_trouble *t = &run->session->mac.trouble[item];
	bool is_same = t->value == value;
	unsigned tries = t->tries;
	if (!is_same && item != ITEM_LINK_ADR)
		return true;
	if (is_same && (t->is_refused || tries >= MAC_TRIES_MAX))
		return false;
	/* ADR changes its mind: that is no reason to be more insistent. */
	if (tries >= MAC_TRIES_MAX)
		tries = MAC_TRIES_MAX - 1;
	return (uint16_t)(run->reception->f_cnt - t->f_cnt) >= wait[tries];
}

/* A device that repeats an answer until it hears something would do so to a new request as well. */
static bool is_repeated(const struct mac_run *run, const struct mac_cmd_info *c)
{
	return c->is_sticky && (run->answered >> (c->cid & 63) & 1);
}

/* ---- what fits ---- */

struct budget {
	size_t down, up; /**< left */
};

static bool fits(struct mac_run *run, struct budget *b, size_t down, size_t up)
{
	if (down > b->down || up > b->up || run->session->mac.n_asked == MAC_ASKED_MAX) {
		run->has_more = true;
		return false;
	}
	b->down -= down;
	b->up -= up;
	return true;
}

static void note(struct mac_run *run, enum mac_item item, uint32_t value)
{
	struct mac_state *m = &run->session->mac;
	m->asked[m->n_asked++] = (struct mac_asked){ .value = value, .item = (uint8_t)item };
	run->has_requests = true;
}

/* One octet string that both readings of the disputed order take alike: type 0 at the device's data rate, with so many retries.
 * The Things Stack and LoRaMac-node send the half of Period first, others that of RejoinType. [LW1.1 5.13] */
static void put_force_rejoin(struct mac_run *run)
{
	uint8_t octet = run->reception->dr & 15;
	mac_octet_put(run->answers, CMD_FORCE_REJOIN, octet);
	writer_u8(run->answers, octet);
}

static void ask_link_adr(struct mac_run *run, struct budget *b)
{
	struct link_adr l;
	const struct mac_cmd_info *c = mac_cmd_by_cid(CMD_LINK_ADR);
	if (!mac_link_adr_wish(run, &l) || !is_due(run, ITEM_LINK_ADR, mac_link_adr_value(&l)))
		return;
	size_t n_ans = run->dev->rules->single_adr_ans ? 1 : l.n;
	if (!fits(run, b, l.n * (1U + (size_t)c->down_len), n_ans * (1U + (size_t)c->up_len)))
		return;
	mac_link_adr_put(run, &l);
	note(run, ITEM_LINK_ADR, mac_link_adr_value(&l));
}

static void ask_item(struct mac_run *run, const struct request *r, enum mac_item item, struct budget *b)
{
	const struct mac_cmd_info *c = mac_cmd_by_cid(r->cid);
	uint32_t value = mac_wish(run->session, item);
	if (value == mac_now(run->session, item) || is_repeated(run, c) || !is_due(run, item, value) ||
		!fits(run, b, 1U + (size_t)c->down_len, c->up_len < 0 ? 0 : 1U + (size_t)c->up_len))
		return;
	if (item == ITEM_FORCE_REJOIN)
		put_force_rejoin(run);
	else if (r->put)
		r->put(run->answers, item - r->first, value);
	else
		mac_octet_put(run->answers, (enum mac_cid)r->cid, (uint8_t)value);
	note(run, item, value);
	mac_item_event(run, item, value, MAC_TOLD_REQUEST);
	trace_end(run->ns);
}

static void ask_within(struct mac_run *run, struct budget b, bool is_cast)
{
	run->has_more = false;
	for (size_t i = 0; i < COUNT(requests); i++) {
		const struct request *r = &requests[i];
		if (is_cast && !r->in_cast)
			continue;
		if (r->first == ITEM_LINK_ADR)
			ask_link_adr(run, &b);
		for (unsigned k = 0; r->first != ITEM_LINK_ADR && k < r->n; k++)
			ask_item(run, r, (enum mac_item)(r->first + k), &b);
	}
}

void mac_ask(struct mac_run *run, const struct mac_room *room)
{
	struct mac_state *m = &run->session->mac;
	size_t len = run->answers->len, max = room->is_free ? room->port_0 : room->f_opts;
	m->n_asked = m->n_pairs = 0;
	m->is_out = false;
	if (!run->dev->rules || len > max)
		return;
	ask_within(run, (struct budget){ .down = max - len, .up = room->up }, room->is_cast);
	/* A block that no FOpts can hold must not wait for ever behind an application's payload. */
	if (!m->n_asked && run->has_more && !room->is_free && room->port_0 > max)
		ask_within(run, (struct budget){ .down = room->port_0 - len, .up = room->up }, room->is_cast);
	if (run->answers->len <= room->f_opts)
		mac_status_ask(run, room->f_opts);
}

void mac_asked_out(struct session *s)
{
	s->mac.is_out = s->mac.n_asked > 0;
}

void mac_asked_in(struct session *s)
{
	s->mac.is_out = false;
}
