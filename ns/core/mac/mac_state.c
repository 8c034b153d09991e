/** @file What the network believes of a device's MAC: how it begins, what is in force, and its record. */
#include "ns/core/mac/mac_state.h"
#include "ns/core/device.h"
#include "proto/lorawan/mac_cmds.h"
#include "proto/region/chmask.h"

enum { FLAG_KEEP_REFUSED = 1, FLAG_REFUSED = 0x80 };

/* ---- how it begins ---- */

struct mac_rx mac_rx_of_maker(const struct dev *d)
{
	const struct mac_settings *m = &d->mac;
	const struct region *r = d->plan ? d->plan->region : NULL;
	unsigned delay = MSG_HAS(m, rx1_delay) ? m->rx1_delay & 15 : r ? r->rx1_delay_s : 1;
	return (struct mac_rx){ .rx1_delay_s = (uint8_t)(delay ? delay : 1),
		.rx1_dr_offset = (uint8_t)(MSG_HAS(m, rx1_dr_offset) ? m->rx1_dr_offset & 7 : 0),
		.rx2_dr = (uint8_t)(MSG_HAS(m, rx2_dr) ? m->rx2_dr & 15 : r ? r->rx2_dr : 0),
		.rx2_hz = MSG_HAS(m, rx2_freq_hz) ? m->rx2_freq_hz : r ? r->rx2_hz : 0 };
}

static void add_channel(struct mac_state *m, unsigned i, struct mac_channel c)
{
	if (i >= MAC_CHANNELS || !c.freq_hz)
		return;
	m->channel[i] = c;
	channels_add(&m->enabled, i);
}

/* Channels that are defined one by one: the region's own, those of the plan, or those that the maker set. */
static void start_channels(struct session *s, bool has_plan)
{
	const struct dev *d = s->dev;
	struct plan bare = { .region = d->plan->region };
	bool is_told = s->is_by_hand && MSG_HAS(&d->mac, factory) && d->mac.factory.len;
	const struct plan *p = has_plan && !is_told ? d->plan : &bare;
	for (unsigned i = 0; i < MAC_CHANNELS; i++) {
		struct mac_channel c = { .freq_hz = 0 };
		if (plan_channel(p, i, &c.freq_hz, &c.min_dr, &c.max_dr))
			add_channel(&s->mac, i, c);
		if (!is_told || i >= d->mac.factory.len)
			continue;
		if (!c.freq_hz) {
			c.min_dr = d->plan->region->adr_min_dr;
			c.max_dr = d->plan->region->adr_max_dr;
		}
		c.freq_hz = d->mac.factory.v[i].hz;
		add_channel(&s->mac, i, c);
	}
}

/* Fixed channels are all there; a CFList of masks says which ones are in use. */
static void start_fixed(struct session *s, bool has_plan)
{
	const struct dev *d = s->dev;
	uint8_t list[16];
	bool is_told = has_plan && !s->is_by_hand && plan_cf_list(d->plan, (enum phy_version)d->phy_version, list);
	plan_start(d->plan, is_told, &s->mac.enabled);
}

static uint8_t exponent(unsigned n)
{
	uint8_t e = 0;
	while (n > 1U && e < 15)
		n >>= 1, e++;
	return e;
}

static const uint8_t eirp_dbm[] = { 8, 10, 12, 13, 14, 16, 18, 20, 21, 24, 26, 27, 29, 30, 33, 36 };

uint8_t mac_eirp_code(int dbm)
{
	uint8_t code = 0;
	while (code + 1U < COUNT(eirp_dbm) && eirp_dbm[code + 1] <= dbm)
		code++;
	return code;
}

int mac_eirp_dbm(uint8_t code)
{
	return eirp_dbm[code % COUNT(eirp_dbm)];
}

static uint8_t start_tx_param(const struct region *r, enum phy_version v)
{
	enum region_dwell up = region_boot_dwell(r, v, true), down = region_boot_dwell(r, v, false);
	return (uint8_t)(mac_eirp_code(region_max_eirp_ddbm(r, v) / 10) | (up == DWELL_ON ? TX_UP_DWELL : 0) |
		(down == DWELL_ON ? TX_DOWN_DWELL : 0) | (up != DWELL_UNKNOWN && down != DWELL_UNKNOWN ? TX_KNOWN : 0));
}

void mac_start(struct session *s, bool has_plan)
{
	const struct dev *d = s->dev;
	struct mac_state *m = &s->mac;
	*m = (struct mac_state){ .ping_periodicity = 0xFF, .rejoin_param = 0xF0, .rejoin = d->rejoin };
	adr_start(&m->adr, NULL);
	if (!d->plan)
		return;
	const struct region *r = d->plan->region;
	if (MSG_HAS(&d->mac, duty_cycle))
		m->duty_cycle = d->mac.duty_cycle & 15;
	m->adr_param = (uint8_t)(exponent(r->adr_ack_limit) << 4 | exponent(r->adr_ack_delay));
	enum phy_version v = (enum phy_version)d->phy_version;
	m->tx_param = start_tx_param(r, v);
	if (r->is_fixed)
		start_fixed(s, has_plan);
	else
		start_channels(s, has_plan);
}

void mac_begin(struct session *s, struct mac_rx rx, bool has_plan)
{
	s->rx1_delay_s = rx.rx1_delay_s;
	s->rx1_dr_offset = rx.rx1_dr_offset;
	s->rx2_dr = rx.rx2_dr;
	s->rx2_hz = rx.rx2_hz;
	mac_start(s, has_plan);
}

void mac_carry(struct session *s, const struct session *from)
{
	s->rx1_delay_s = from->rx1_delay_s;
	s->rx1_dr_offset = from->rx1_dr_offset;
	s->rx2_dr = from->rx2_dr;
	s->rx2_hz = from->rx2_hz;
	s->mac = from->mac;
	s->mac.n_asked = s->mac.n_pairs = 0;
	s->mac.is_out = false;
	s->mac.rejoin = s->dev->rejoin;
	s->mac.written = 0;
	adr_start(&s->mac.adr, &from->mac.adr.link);
}

/* ---- what is in force ---- */

uint32_t mac_value_rx(const struct mac_rx *rx)
{
	return (uint32_t)(rx->rx1_dr_offset & 7) << 28 | (uint32_t)(rx->rx2_dr & 15) << 24 | mac_freq_code(rx->rx2_hz);
}

uint32_t mac_value_channel(const struct mac_channel *c)
{
	return c->freq_hz ? mac_freq_code(c->freq_hz) << 8 | (uint32_t)(c->max_dr & 15) << 4 | (c->min_dr & 15) : 0;
}

uint32_t mac_now(const struct session *s, enum mac_item item)
{
	const struct mac_state *m = &s->mac;
	if (item >= ITEM_NEW_CHANNEL && item < ITEM_NEW_CHANNEL + MAC_CHANNELS)
		return mac_value_channel(&m->channel[item - ITEM_NEW_CHANNEL]);
	if (item >= ITEM_DL_CHANNEL && item < ITEM_DL_CHANNEL + MAC_CHANNELS) {
		const struct mac_channel *c = &m->channel[item - ITEM_DL_CHANNEL];
		return mac_freq_code(c->down_hz ? c->down_hz : c->freq_hz);
	}
	switch (item) {
	case ITEM_DUTY_CYCLE: return m->duty_cycle;
	case ITEM_TX_PARAM: return m->tx_param;
	case ITEM_RX_PARAM: {
		struct mac_rx rx = { s->rx1_delay_s, s->rx1_dr_offset, s->rx2_dr, s->rx2_hz };
		return mac_value_rx(&rx);
	}
	case ITEM_RX_TIMING: return s->rx1_delay_s;
	case ITEM_ADR_PARAM: return m->adr_param;
	case ITEM_REJOIN_PARAM: return m->rejoin_param;
	case ITEM_FORCE_REJOIN: return m->rejoin;
	default: return 0;
	}
}

static void set_channel(struct mac_state *m, unsigned i, uint32_t value)
{
	m->channel[i] = (struct mac_channel){ .freq_hz = mac_freq_hz(value >> 8), .min_dr = value & 15, .max_dr = value >> 4 & 15 };
	if (value)
		channels_add(&m->enabled, i);
	else
		m->enabled.bank[i / 16] = (uint16_t)(m->enabled.bank[i / 16] & ~(1U << i % 16));
}

void mac_set(struct session *s, enum mac_item item, uint32_t value)
{
	struct mac_state *m = &s->mac;
	if (item >= ITEM_NEW_CHANNEL && item < ITEM_NEW_CHANNEL + MAC_CHANNELS) {
		set_channel(m, (unsigned)item - ITEM_NEW_CHANNEL, value);
		return;
	}
	if (item >= ITEM_DL_CHANNEL && item < ITEM_DL_CHANNEL + MAC_CHANNELS) {
		m->channel[item - ITEM_DL_CHANNEL].down_hz = mac_freq_hz(value);
		return;
	}
	switch (item) {
	case ITEM_DUTY_CYCLE: m->duty_cycle = value & 15; break;
	case ITEM_TX_PARAM: m->tx_param = (value & TX_OCTET) | TX_KNOWN; break;
	case ITEM_RX_PARAM:
		s->rx1_dr_offset = value >> 28 & 7;
		s->rx2_dr = value >> 24 & 15;
		s->rx2_hz = mac_freq_hz(value & 0xFFFFFF);
		break;
	case ITEM_RX_TIMING: s->rx1_delay_s = value & 15; break;
	case ITEM_ADR_PARAM: m->adr_param = (uint8_t)value; break;
	case ITEM_REJOIN_PARAM: m->rejoin_param = (uint8_t)value; break;
	default: break;
	}
}

bool mac_has_up_dwell(const struct session *s)
{
	return s->dev->plan && s->dev->plan->region->has_tx_param_setup && (s->mac.tx_param & TX_UP_DWELL);
}

enum region_dwell mac_down_dwell(const struct session *s)
{
	if (!s->dev->plan || !s->dev->plan->region->has_tx_param_setup)
		return DWELL_OFF;
	if (s->mac.tx_param & TX_DOWN_DWELL)
		return DWELL_ON;
	if (s->mac.tx_param & TX_KNOWN)
		return DWELL_OFF;
	/* Who cannot be told is as the operator says. */
	bool is_deaf = s->dev->mac_version < (uint32_t)mac_cmd_by_cid(CMD_TX_PARAM_SETUP)->since;
	if (is_deaf && MSG_HAS(&s->dev->mac, down_dwell))
		return s->dev->mac.down_dwell ? DWELL_ON : DWELL_OFF;
	return DWELL_UNKNOWN;
}

/* Asked twice, four times ... in vain, and still wished? */
static bool is_taken_perhaps(const struct session *s, enum mac_item item)
{
	const struct mac_trouble *t = &s->mac.trouble[item];
	return !t->is_refused && t->tries && t->tries % 2 == 0 && t->value == mac_wish(s, item);
}

struct mac_rx mac_rx_guess(const struct session *s)
{
	struct mac_rx rx = { s->rx1_delay_s, s->rx1_dr_offset, s->rx2_dr, s->rx2_hz };
	if (s->dev->mac_version != LW_1_0_0)
		return rx;
	if (is_taken_perhaps(s, ITEM_RX_TIMING))
		rx.rx1_delay_s = s->mac.trouble[ITEM_RX_TIMING].value & 15;
	if (is_taken_perhaps(s, ITEM_RX_PARAM)) {
		uint32_t value = s->mac.trouble[ITEM_RX_PARAM].value;
		rx.rx1_dr_offset = value >> 28 & 7;
		rx.rx2_dr = value >> 24 & 15;
		rx.rx2_hz = mac_freq_hz(value & 0xFFFFFF);
	}
	return rx;
}

struct channels mac_channels(const struct session *s)
{
	struct channels c = { { 0 } };
	if (s->dev->plan && s->dev->plan->region->is_fixed)
		chmask_all(s->dev->plan->region, &c);
	else
		for (unsigned i = 0; i < MAC_CHANNELS; i++)
			if (s->mac.channel[i].freq_hz)
				channels_add(&c, i);
	return c;
}

int mac_channel_of(const struct session *s, uint32_t freq_hz, uint8_t dr)
{
	if (s->dev->plan && s->dev->plan->region->is_fixed)
		return plan_channel_index(s->dev->plan, freq_hz, dr);
	for (unsigned i = 0; i < MAC_CHANNELS; i++) {
		const struct mac_channel *c = &s->mac.channel[i];
		if (c->freq_hz && c->freq_hz == freq_hz && dr >= c->min_dr && dr <= c->max_dr)
			return (int)i;
	}
	return -1;
}

/* ---- the record ---- */

static void put_channels(struct writer *w, const struct channels *c)
{
	for (unsigned i = 0; i < CHANNEL_BANKS; i++)
		writer_be16(w, c->bank[i]);
}

static void get_channels(struct reader *r, struct channels *ret)
{
	for (unsigned i = 0; i < CHANNEL_BANKS; i++)
		ret->bank[i] = reader_be16(r);
}

static void put_asked(struct writer *w, const struct mac_state *m)
{
	writer_u8(w, m->n_asked);
	writer_u8(w, m->n_pairs);
	put_channels(w, &m->asked_channels);
	writer_u8(w, m->adr.asked.dr);
	writer_u8(w, m->adr.asked.power);
	writer_u8(w, m->adr.asked.nb_trans);
	writer_u8(w, m->adr.is_asked);
	for (unsigned i = 0; i < m->n_asked; i++) {
		writer_u8(w, m->asked[i].item);
		writer_be32(w, m->asked[i].value);
	}
}

static void get_asked(struct reader *r, struct mac_state *m)
{
	m->n_asked = reader_u8(r);
	m->n_pairs = reader_u8(r);
	get_channels(r, &m->asked_channels);
	m->adr.asked.dr = reader_u8(r);
	m->adr.asked.power = reader_u8(r);
	m->adr.asked.nb_trans = reader_u8(r);
	m->adr.is_asked = reader_u8(r) & 1;
	if (m->n_asked > MAC_ASKED_MAX) {
		r->failed = true;
		return;
	}
	for (unsigned i = 0; i < m->n_asked; i++) {
		m->asked[i].item = reader_u8(r);
		m->asked[i].value = reader_be32(r);
		r->failed |= m->asked[i].item >= ITEM_N;
	}
	m->is_out = m->n_asked > 0; /* it may be: the process that asked is gone */
}

static void put_troubles(struct writer *w, const struct mac_state *m)
{
	unsigned n = 0;
	for (unsigned i = 0; i < ITEM_N; i++)
		n += m->trouble[i].tries || m->trouble[i].is_refused;
	writer_u8(w, (uint8_t)n);
	for (unsigned i = 0; i < ITEM_N; i++) {
		const struct mac_trouble *t = &m->trouble[i];
		if (!t->tries && !t->is_refused)
			continue;
		writer_u8(w, (uint8_t)i);
		writer_be32(w, t->value);
		writer_be16(w, t->f_cnt);
		writer_u8(w, (uint8_t)((t->tries & 0x7F) | (t->is_refused ? FLAG_REFUSED : 0)));
	}
}

static void get_troubles(struct reader *r, struct mac_state *m)
{
	unsigned n = reader_u8(r);
	for (unsigned i = 0; i < n && !r->failed; i++) {
		unsigned item = reader_u8(r);
		if (item >= ITEM_N) {
			r->failed = true;
			return;
		}
		struct mac_trouble *t = &m->trouble[item];
		t->value = reader_be32(r);
		t->f_cnt = reader_be16(r);
		uint8_t tries = reader_u8(r);
		t->tries = tries & 0x7F;
		t->is_refused = tries & FLAG_REFUSED;
	}
}

static void put_link(struct writer *w, const struct adr_link *l)
{
	writer_u8(w, l->now.dr);
	writer_u8(w, l->now.power);
	writer_u8(w, l->now.nb_trans);
	writer_be16(w, l->refused_drs);
	writer_be16(w, l->refused_powers);
}

static void get_link(struct reader *r, struct adr *ret)
{
	struct adr_link l = { .now = { .dr = reader_u8(r) } };
	l.now.power = reader_u8(r);
	l.now.nb_trans = reader_u8(r);
	l.refused_drs = reader_be16(r);
	l.refused_powers = reader_be16(r);
	if (l.now.nb_trans < 1 || l.now.nb_trans > ADR_NB_TRANS_MAX || l.now.power > 15 || (l.now.dr > 15 && l.now.dr != DR_NONE))
		r->failed = true;
	else
		adr_start(ret, &l);
}

void mac_state_put(struct writer *w, const struct session *s)
{
	const struct mac_state *m = &s->mac;
	uint16_t there = 0;
	writer_u8(w, s->rx1_delay_s);
	writer_u8(w, s->rx1_dr_offset);
	writer_u8(w, s->rx2_dr);
	writer_be32(w, s->rx2_hz);
	writer_u8(w, m->duty_cycle);
	writer_u8(w, m->tx_param);
	writer_u8(w, m->adr_param);
	writer_u8(w, m->rejoin_param);
	writer_u8(w, m->device_class);
	writer_u8(w, m->ping_periodicity);
	put_channels(w, &m->enabled);
	for (unsigned i = 0; i < MAC_CHANNELS; i++)
		there = (uint16_t)(there | (m->channel[i].freq_hz ? 1U << i : 0));
	writer_be16(w, there);
	for (unsigned i = 0; i < MAC_CHANNELS; i++)
		if (there >> i & 1) {
			writer_be32(w, m->channel[i].freq_hz);
			writer_be32(w, m->channel[i].down_hz);
			writer_u8(w, (uint8_t)(m->channel[i].max_dr << 4 | m->channel[i].min_dr));
		}
	put_link(w, &m->adr.link);
	put_asked(w, m);
	writer_u8(w, m->keep_refused ? FLAG_KEEP_REFUSED : 0);
	writer_u8(w, m->strays);
	writer_be32(w, m->refused_channels);
	writer_be32(w, m->rejoin);
	put_troubles(w, m);
}

void mac_state_get(struct reader *r, struct session *s)
{
	struct mac_state *m = &s->mac;
	*m = (struct mac_state){ .n_asked = 0 };
	s->rx1_delay_s = reader_u8(r);
	s->rx1_dr_offset = reader_u8(r);
	s->rx2_dr = reader_u8(r);
	s->rx2_hz = reader_be32(r);
	m->duty_cycle = reader_u8(r);
	m->tx_param = reader_u8(r);
	m->adr_param = reader_u8(r);
	m->rejoin_param = reader_u8(r);
	m->device_class = reader_u8(r);
	m->ping_periodicity = reader_u8(r);
	get_channels(r, &m->enabled);
	uint16_t there = reader_be16(r);
	for (unsigned i = 0; i < MAC_CHANNELS; i++)
		if (there >> i & 1) {
			m->channel[i].freq_hz = reader_be32(r);
			m->channel[i].down_hz = reader_be32(r);
			uint8_t drs = reader_u8(r);
			m->channel[i].max_dr = drs >> 4;
			m->channel[i].min_dr = drs & 15;
		}
	get_link(r, &m->adr);
	get_asked(r, m);
	m->keep_refused = reader_u8(r) & FLAG_KEEP_REFUSED;
	m->strays = reader_u8(r);
	m->refused_channels = reader_be32(r);
	m->rejoin = reader_be32(r);
	get_troubles(r, m);
	r->failed |= s->rx1_delay_s < 1 || s->rx1_delay_s > 15 || s->rx1_dr_offset > 7 || s->rx2_dr > 15;
}
