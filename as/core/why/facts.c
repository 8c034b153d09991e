/** @file Facts from the trace: events of one kind are counted, and the last of them kept. */
#include "as/core/why/facts.h"
#include "common/core/json.h"
#include <string.h>

enum { TOKENS = 96 };

/** The word that tells events of one name apart. */
static void word_of(const struct trace_event *e, char *ret, size_t cap)
{
	static const char *const members[] = { "reason", "result", "error" };
	struct json_tok tok[TOKENS];
	struct json j;
	*ret = '\0';
	if (!MSG_HAS(e, data) || json_parse(str_of(e->data), tok, TOKENS, &j, NULL))
		return;
	for (size_t i = 0; i < COUNT(members); i++)
		if (!json_string(&j, json_get(&j, json_root(&j), members[i]), ret, cap))
			return;
	*ret = '\0';
}

int why_string(const struct why_sight *s, const char *member, char *dst, size_t cap)
{
	struct json_tok tok[TOKENS];
	struct json j;
	if (json_parse(str_of(s->data), tok, TOKENS, &j, NULL) || json_string(&j, json_get(&j, json_root(&j), member), dst, cap))
		return -ENOENT;
	return 0;
}

int why_number(const struct why_sight *s, const char *member, uint64_t *ret)
{
	struct json_tok tok[TOKENS];
	struct json j;
	if (json_parse(str_of(s->data), tok, TOKENS, &j, NULL) || json_u64(&j, json_get(&j, json_root(&j), member), ret))
		return -ENOENT;
	return 0;
}

/** The sight that an event belongs to; of too many, the one that is longest ago makes room. */
static struct why_sight *sight_for(struct why_facts *f, enum event_id id, const char *word, bool is_stranger)
{
	struct why_sight *oldest = &f->sights[0];
	for (uint32_t i = 0; i < f->n_sights; i++) {
		struct why_sight *s = &f->sights[i];
		if (s->event == id && s->is_stranger == is_stranger && !strcmp(s->word, word))
			return s;
		if (s->last_us < oldest->last_us)
			oldest = s;
	}
	struct why_sight *s = f->n_sights < WHY_SIGHTS ? &f->sights[f->n_sights++] : oldest;
	memset(s, 0, sizeof *s);
	s->event = id;
	s->is_stranger = is_stranger;
	memcpy(s->word, word, strlen(word) + 1);
	return s;
}

static void take(struct why_facts *f, const struct trace_event *e, bool is_stranger)
{
	enum event_id id;
	char word[sizeof f->sights[0].word];
	if (events_find(str_of(e->name), &id))
		return;
	word_of(e, word, sizeof word);
	struct why_sight *s = sight_for(f, id, word, is_stranger);
	s->count++;
	s->recent += e->time_unix_us > f->heard_us;
	if (!s->first_us || e->time_unix_us < s->first_us)
		s->first_us = e->time_unix_us;
	if (e->time_unix_us < s->last_us)
		return;
	s->last_us = e->time_unix_us;
	s->dev_addr = MSG_HAS(e, dev_addr) ? e->dev_addr : 0;
	str_copy(str_of(MSG_HAS(e, gateway_id) ? e->gateway_id : ""), s->gateway_id, sizeof s->gateway_id);
	str_copy(str_of(MSG_HAS(e, data) ? e->data : ""), s->data, sizeof s->data);
}

static bool has_address(const struct why_facts *f, uint32_t address)
{
	for (uint32_t i = 0; i < f->n_addresses; i++)
		if (f->addresses[i] == address)
			return true;
	return false;
}

/** Which receptions its last uplink is made of. */
static void note_last(struct why_facts *f, const struct trace_event *e)
{
	if (e->time_unix_us < f->last_ids_us || !MSG_HAS(e, cids))
		return;
	f->last_ids_us = e->time_unix_us;
	f->n_last_ids = 0;
	for (uint16_t i = 0; i < e->cids.len && f->n_last_ids < COUNT(f->last_ids); i++)
		if (e->cids.v[i].kind == CID_GS_UPLINK)
			f->last_ids[f->n_last_ids++] = e->cids.v[i];
}

void why_see(struct why_facts *f, const struct trace_event *e)
{
	take(f, e, false);
	if (MSG_HAS(e, dev_addr) && f->n_addresses < WHY_ADDRESSES && !has_address(f, e->dev_addr))
		f->addresses[f->n_addresses++] = e->dev_addr;
	if (f->uid && (!strcmp(e->name, "ns.up.data.process") || !strcmp(e->name, "ns.up.data.receive")))
		note_last(f, e);
}

/** Whoever heard the last uplink best. */
static void note_radio(struct why_facts *f, const struct trace_event *e)
{
	struct json_tok tok[TOKENS];
	struct json j;
	int64_t rssi = 0, snr = 0;
	char datr[16] = "";
	if (!MSG_HAS(e, data) || json_parse(str_of(e->data), tok, TOKENS, &j, NULL))
		return;
	json_val root = json_root(&j);
	bool has_snr = !json_decimal(&j, json_get(&j, root, "snr"), 1, &snr);
	json_decimal(&j, json_get(&j, root, "rssi"), 1, &rssi);
	json_string(&j, json_get(&j, root, "datr"), datr, sizeof datr);
	bool is_better = !f->radio.gateways || (has_snr && f->radio.has_snr ? snr > f->radio.snr_ddb : rssi > f->radio.rssi_ddbm);
	f->radio.gateways++;
	if (!is_better)
		return;
	uint64_t sf = 0;
	struct str rest, number = { .n = 0 };
	if (str_starts(str_of(datr), "SF")) {
		rest = str_cut(str_of(datr + 2), 'B', &number);
		(void)rest;
	}
	f->radio.sf = num_u64(number, &sf) || sf > 12 ? 0 : (uint32_t)sf;
	f->radio.has_snr = has_snr;
	f->radio.snr_ddb = (int32_t)snr;
	f->radio.rssi_ddbm = (int32_t)rssi;
	str_copy(str_of(MSG_HAS(e, gateway_id) ? e->gateway_id : ""), f->radio.gateway_id, sizeof f->radio.gateway_id);
}

static bool is_of_last(const struct why_facts *f, const struct trace_event *e)
{
	for (uint16_t i = 0; MSG_HAS(e, cids) && i < e->cids.len; i++)
		for (uint32_t k = 0; k < f->n_last_ids; k++)
			if (e->cids.v[i].kind == CID_GS_UPLINK && !memcmp(&e->cids.v[i].id, &f->last_ids[k].id, sizeof f->last_ids[k].id))
				return true;
	return false;
}

/** Labels and tools print an EUI backwards at times. */
static bool is_backwards(const struct why_facts *f, const struct trace_event *e)
{
	uint64_t turned = __builtin_bswap64(f->dev_eui);
	return f->has_dev_eui && turned != f->dev_eui && MSG_HAS(e, dev_eui) && e->dev_eui == turned && !strcmp(e->name, "ns.up.join.drop");
}

void why_see_rest(struct why_facts *f, const struct trace_event *e)
{
	if (MSG_HAS(e, device))
		return;
	if ((f->has_dev_eui && MSG_HAS(e, dev_eui) && e->dev_eui == f->dev_eui) || (MSG_HAS(e, dev_addr) && has_address(f, e->dev_addr)))
		take(f, e, true);
	f->backwards += is_backwards(f, e);
	if (!strcmp(e->name, "gs.up.receive") && is_of_last(f, e))
		note_radio(f, e);
}

static const struct why_sight *newest(const struct why_facts *f, enum event_id e, const char *word, bool is_recent)
{
	const struct why_sight *best = NULL;
	for (uint32_t i = 0; i < f->n_sights; i++) {
		const struct why_sight *s = &f->sights[i];
		if (s->event == e && (!word || !strcmp(s->word, word)) && (!is_recent || s->recent) && (!best || s->last_us > best->last_us))
			best = s;
	}
	return best;
}

const struct why_sight *why_sight(const struct why_facts *f, enum event_id e, const char *word)
{
	return newest(f, e, word, false);
}

const struct why_sight *why_recent(const struct why_facts *f, enum event_id e, const char *word)
{
	return newest(f, e, word, true);
}

int why_margin(const struct why_facts *f, int32_t *ret_ddb)
{
	/* What an SX127x needs to demodulate: SF7 -7.5 dB, and 2.5 dB less for each further one. */
	if (!f->radio.gateways || !f->radio.has_snr || f->radio.sf < 5)
		return -ENOENT;
	*ret_ddb = f->radio.snr_ddb + 75 + 25 * ((int32_t)f->radio.sf - 7);
	return 0;
}

void why_add_gateway(struct why_facts *f, const struct why_gateway *g)
{
	f->known++;
	f->connected += g->is_connected;
	f->sending += g->is_connected && g->can_send;
	f->in_band += g->is_connected && (g->is_in_band || !g->plan[0]);
	if (g->last_uplink_us > f->any_uplink_us) {
		f->any_uplink_us = g->last_uplink_us;
		memcpy(f->any_gateway, g->id, sizeof f->any_gateway);
	}
	if (f->n_gateways < WHY_GATEWAYS) {
		f->gateways[f->n_gateways++] = *g;
		return;
	}
	uint32_t stalest = 0;
	for (uint32_t i = 1; i < WHY_GATEWAYS; i++)
		if (f->gateways[i].last_uplink_us < f->gateways[stalest].last_uplink_us)
			stalest = i;
	if (g->last_uplink_us > f->gateways[stalest].last_uplink_us)
		f->gateways[stalest] = *g;
}
