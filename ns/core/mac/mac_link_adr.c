/** @file LinkADRReq: channels, data rate, power and transmissions, asked in one block. [LW1.0.4 5.2; RP002-1.0.4] */
#include "ns/core/mac/mac.h"
#include <string.h>

enum { ALL_OK = 7, MASK_OK = 1, DR_OK = 2, POWER_OK = 4, STRAYS_MAX = 3 };

static uint32_t hash_add(uint32_t h, uint32_t v)
{
	return (h ^ v) * 16777619U;
}

static uint32_t hash_channels(const struct channels *c)
{
	uint32_t h = 2166136261U;
	for (unsigned i = 0; i < CHANNEL_BANKS; i++)
		h = hash_add(h, c->bank[i]);
	return h ? h : 1;
}

uint32_t mac_link_adr_value(const struct link_adr *l)
{
	return hash_add(hash_channels(&l->channels), (uint32_t)l->choice.dr << 16 | (uint32_t)l->choice.power << 8 | l->choice.nb_trans);
}

static const struct region *region_of(const struct mac_run *run)
{
	return run->dev->plan->region;
}

static enum phy_version phy_of(const struct mac_run *run)
{
	return (enum phy_version)run->dev->phy_version;
}

/* ---- what is wished ---- */

/* The channels to ask for. @return false: the device refuses every set that could be asked for */
static bool choose_channels(const struct mac_state *m, const struct session *s, struct channels *ret)
{
	*ret = mac_wish_channels(s);
	if (!channels_count(ret) || hash_channels(ret) == m->refused_channels)
		*ret = m->enabled;
	return channels_count(ret) && hash_channels(ret) != m->refused_channels;
}

static uint8_t highest(uint16_t bits)
{
	uint8_t n = 0;
	while (bits >> 1)
		bits = (uint16_t)(bits >> 1), n++;
	return n;
}

bool mac_link_adr_wish(struct mac_run *run, struct link_adr *ret)
{
	struct session *s = run->session;
	struct mac_state *m = &s->mac;
	struct adr_settings settings = mac_adr_settings(run->dev);
	*ret = (struct link_adr){ .choice = m->adr.link.now };
	if (ret->choice.dr > DR_KEEP)
		ret->choice.dr = run->reception->dr;
	if (!choose_channels(m, s, &ret->channels))
		return false;
	struct adr_limits limits = mac_adr_limits(s, &ret->channels);
	struct adr_choice wanted;
	ret->is_adr = run->has_adr && adr_want(&m->adr, &settings, &limits, &wanted);
	bool is_other = !channels_eq(&ret->channels, &m->enabled);
	if (ret->is_adr)
		ret->choice = wanted;
	else if (!is_other)
		return false;
	/* The block must leave a channel for its data rate. */
	if (!ret->is_adr && limits.drs && !(limits.drs >> ret->choice.dr & 1) && run->has_adr)
		ret->choice.dr = highest(limits.drs);
	ret->is_keep = !ret->is_adr && !run->has_adr && run->dev->rules->keep_15 && !m->keep_refused;
	ret->n = chmask_pairs(region_of(run), phy_of(run), run->dev->rules->adr_block, &m->enabled, &ret->channels, ret->pair);
	return ret->n > 0;
}

void mac_link_adr_put(struct mac_run *run, const struct link_adr *l)
{
	struct mac_state *m = &run->session->mac;
	for (size_t i = 0; i < l->n; i++)
		mac_link_adr_req_put(run->answers, &(struct mac_link_adr_req){ .dr = l->is_keep ? DR_KEEP : l->choice.dr,
			.tx_power = l->is_keep ? POWER_KEEP : l->choice.power, .ch_mask = l->pair[i].mask,
			.ch_mask_cntl = l->pair[i].cntl, .nb_trans = l->choice.nb_trans });
	m->n_pairs = (uint8_t)l->n;
	m->asked_channels = l->channels;
	m->adr.is_asked = false;
	m->adr.asked = l->choice;
	if (l->is_adr)
		adr_asked(&m->adr, &l->choice);
	struct text *t = mac_item_event(run, ITEM_LINK_ADR, 0, MAC_TOLD_REQUEST);
	json_name(t, "data_rate_index");
	json_unum(t, l->is_keep ? DR_KEEP : l->choice.dr);
	json_name(t, "tx_power_index");
	json_unum(t, l->is_keep ? POWER_KEEP : l->choice.power);
	json_name(t, "nb_trans");
	json_unum(t, l->choice.nb_trans);
	json_name(t, "channels");
	json_unum(t, channels_count(&l->channels));
	json_name(t, "commands");
	json_unum(t, l->n);
	trace_end(run->ns);
}

/* ---- what is answered ---- */

void mac_link_adr_take(struct mac_run *run, struct slice arg)
{
	if (run->n_link_adr < LINK_ADR_ANSWERS_MAX) /* more than any block has */
		run->link_adr[run->n_link_adr++] = arg.p[0] & ALL_OK;
}

/* LoRaWAN 1.0.0 and 1.0.1: each request of the string was taken or refused by itself. @return whether any was taken */
static bool apply_one_by_one(struct mac_run *run)
{
	struct mac_state *m = &run->session->mac;
	struct chmask pair[CHMASKS_MAX];
	struct channels defined = mac_channels(run->session);
	size_t n = chmask_pairs(region_of(run), phy_of(run), false, &m->enabled, &m->asked_channels, pair);
	bool is_any = false;
	for (size_t i = 0; i < n && i < run->n_link_adr; i++)
		if (run->link_adr[i] == ALL_OK) {
			chmask_apply(region_of(run), phy_of(run), &defined, pair[i], &m->enabled);
			is_any = true;
		}
	return is_any;
}

static void apply(struct mac_run *run)
{
	struct mac_state *m = &run->session->mac;
	m->enabled = m->asked_channels;
	m->trouble[ITEM_LINK_ADR] = (struct mac_trouble){ .value = 0 };
	adr_applied(&m->adr, &m->adr.asked);
}

/* What was refused must not be asked again: the channels, ADR's choice, or the octet that means "keep". */
static void refused(struct mac_run *run, uint8_t status)
{
	struct mac_state *m = &run->session->mac;
	bool is_adr = m->adr.is_asked, is_choice_ok = (status & (DR_OK | POWER_OK)) == (DR_OK | POWER_OK);
	adr_refused(&m->adr, status & DR_OK, status & POWER_OK);
	m->trouble[ITEM_LINK_ADR] = (struct mac_trouble){ .value = 0 };
	if (!(status & MASK_OK))
		m->refused_channels = hash_channels(&m->asked_channels);
	else if (!is_choice_ok && !is_adr && run->dev->rules->keep_15 && !m->keep_refused)
		m->keep_refused = true;
	else if (!is_choice_ok && !is_adr)
		m->refused_channels = hash_channels(&m->asked_channels);
}

static unsigned asked_link_adr(const struct mac_state *m)
{
	for (unsigned i = 0; i < m->n_asked && m->is_out; i++)
		if (m->asked[i].item == ITEM_LINK_ADR)
			return i;
	return MAC_ASKED_MAX;
}

void mac_link_adr_settle(struct mac_run *run)
{
	struct mac_state *m = &run->session->mac;
	unsigned at = asked_link_adr(m);
	uint8_t status = ALL_OK;
	if (!run->n_link_adr)
		return;
	if (at == MAC_ASKED_MAX) {
		mac_unasked(run, "LinkADRAns");
		return;
	}
	for (unsigned i = 0; i < run->n_link_adr; i++)
		status &= run->link_adr[i];
	/* Each of a string's answers counts where there are no blocks; of a block, one is as good as all of them. */
	bool is_short = !run->dev->rules->adr_block && run->n_link_adr < m->n_pairs;
	m->n_asked--;
	memmove(&m->asked[at], &m->asked[at + 1], (m->n_asked - at) * sizeof(m->asked[0]));
	if (status == ALL_OK && !is_short)
		apply(run);
	else {
		bool is_any = !run->dev->rules->adr_block && apply_one_by_one(run);
		if (is_any)
			adr_applied(&m->adr, &m->adr.asked);
		if (status != ALL_OK)
			refused(run, status);
	}
	struct text *t = trace_begin(run->ns, status == ALL_OK ? EVENT_NS_MAC_LINK_ADR_ANSWER_ACCEPT : EVENT_NS_MAC_LINK_ADR_ANSWER_REJECT, run->about);
	json_name(t, "status");
	json_unum(t, status);
	trace_end(run->ns);
}

/* ---- what an uplink says by itself ---- */

/* A device that lost its network goes back to its default channels, and tells nobody. [LW1.0.4 4.3.1.1] */
static void follow_channel(struct mac_run *run)
{
	struct session *s = run->session;
	struct mac_state *m = &s->mac;
	struct plan bare = { .region = region_of(run) };
	bool is_fixed = bare.region->is_fixed;
	int i = is_fixed ? plan_channel_index(&bare, run->reception->freq_hz, run->reception->dr) :
		mac_channel_of(s, run->reception->freq_hz, run->reception->dr);
	if (i < 0 || channels_has(&m->enabled, (unsigned)i) || m->strays >= STRAYS_MAX)
		return;
	m->strays++;
	if (is_fixed)
		chmask_all(bare.region, &m->enabled);
	else
		channels_add(&m->enabled, (unsigned)i);
}

static int best_snr_ddb(const struct reception *r)
{
	int best = INT16_MIN;
	for (const struct copy *c = r->first; c; c = c->next)
		if (MSG_HAS(&c->rx, snr_ddb) && c->rx.snr_ddb > best)
			best = c->rx.snr_ddb;
	return best;
}

void mac_link_adr_heard(struct mac_run *run)
{
	const struct reception *r = run->reception;
	if (!run->dev->plan)
		return;
	/* FSK is heard without a measure of its noise: that speaks neither for nor against a change. */
	int snr_ddb = best_snr_ddb(r);
	if (snr_ddb == INT16_MIN)
		snr_ddb = modu_floor_ddb(&r->modu) + mac_adr_settings(run->dev).margin_ddb;
	follow_channel(run);
	adr_heard(&run->session->mac.adr, &(struct adr_sample){ .f_cnt = r->f_cnt, .snr_ddb = (int16_t)snr_ddb, .dr = r->dr });
}
