/** @file How a device comes to a session: join-requests, rejoin-requests, join-accepts. [LW1.0.4 6.2, LW1.1 6.2] */
#include "test/scenario/node.h"
#include <string.h>

void node_join(struct node *n, uint16_t dev_nonce)
{
	struct writer w = writer_of(n->phy, sizeof(n->phy));
	struct frame f = { .mtype = MTYPE_JOIN_REQUEST, .is_up = true, .join = { .join_eui = n->join_eui, .dev_eui = n->dev_eui, .dev_nonce = dev_nonce } };
	frame_write(&f, &w);
	n->n_phy = w.len;
	n->dev_nonce = n->join_nonce = dev_nonce;
	n->is_join = true;
	n->join_type = JOIN_REQ_TYPE;
	n->is_heard = false;
	const struct key *k = n->rules->is_v11 ? &n->nwk_key : &n->app_key;
	mic_join(n->crypto, k, (struct slice){ n->phy, n->n_phy - MIC_LEN }, n->phy + n->n_phy - MIC_LEN);
}

void node_rejoin(struct node *n, uint8_t type)
{
	struct key js_int, js_enc;
	struct writer w = writer_of(n->phy, sizeof(n->phy));
	keys_js(n->crypto, &n->nwk_key, n->dev_eui, &js_int, &js_enc);
	n->join_nonce = type == 1 ? n->rj_count1++ : n->rj_count0++;
	struct frame f = { .mtype = MTYPE_REJOIN, .is_up = true,
		.join = { .rejoin_type = type, .join_eui = n->join_eui, .dev_eui = n->dev_eui, .dev_nonce = n->join_nonce, .net_id = n->net_id } };
	frame_write(&f, &w);
	n->n_phy = w.len;
	n->is_join = true;
	n->join_type = type;
	n->is_heard = false;
	mic_join(n->crypto, type == 1 ? &js_int : &n->s.keys.s_nwk_s_int, (struct slice){ n->phy, n->n_phy - MIC_LEN }, n->phy + n->n_phy - MIC_LEN);
}

static void take_cf_list(struct node *n, const uint8_t list[CF_LIST_LEN])
{
	const struct region *r = n->plan->region;
	if (list[15] == 0 && !r->is_fixed) {
		unsigned at = 0;
		while (at < CHANNELS_MAX && channels_has(&n->defined, at))
			at++;
		for (unsigned i = 0; i < 5; i++, at++) {
			uint32_t hz = (uint32_t)(list[3 * i] | list[3 * i + 1] << 8 | list[3 * i + 2] << 16) * (r->min_hz > 2000000000 ? 200 : 100);
			if (!hz)
				continue;
			n->ch[at] = (struct node_channel){ hz, 0, r->adr_min_dr, r->adr_max_dr };
			channels_add(&n->defined, at);
			channels_add(&n->on, at);
		}
	} else if (list[15] == 1 && r->is_fixed) {
		for (unsigned b = 0; b < CHANNEL_BANKS; b++)
			n->on.bank[b] = n->defined.bank[b] & (uint16_t)(list[2 * b] | list[2 * b + 1] << 8);
	}
}

/* What a join-accept says of the radio; after a rejoin of type 2 it says nothing of it. */
static void take_radio(struct node *n, const struct join_accept *a)
{
	const struct region *r = n->plan->region;
	const struct region_join *join = n->join_type == JOIN_REQ_TYPE ? region_join(r, n->up_hz) : NULL;
	uint32_t rx2_hz = join ? join->rx2_hz : r->n_joins ? n->rx2_hz : r->rx2_hz;
	uint8_t dr = n->dr;
	node_reset(n);
	n->dr = dr;
	n->rx2_hz = rx2_hz;
	n->rx1_offset = a->dl_settings >> 4 & 7;
	n->rx2_dr = a->dl_settings & 15;
	n->rx1_delay_s = a->rx_delay & 15 ? a->rx_delay & 15 : 1;
	if (a->has_cf_list)
		take_cf_list(n, a->cf_list);
}

/* Open it with the keys that it may be sealed with. @return whether it is for this request */
static bool open_accept(struct node *n, struct slice phy, struct join_accept *ret, bool *ret_is_v11)
{
	struct key js_int, js_enc;
	const struct key *root = n->rules->is_v11 ? &n->nwk_key : &n->app_key;
	if (!n->is_join || keys_js(n->crypto, root, n->dev_eui, &js_int, &js_enc) != 0)
		return false;
	bool is_new = n->join_type == JOIN_REQ_TYPE;
	struct join_seal seal = { .enc = is_new ? root : &js_enc, .mic = root, .req_type = n->join_type, .join_eui = n->join_eui, .dev_nonce = n->join_nonce };
	*ret_is_v11 = false;
	if (is_new && join_accept_open(n->crypto, &seal, phy, ret) == 0 && !(ret->dl_settings & DL_OPT_NEG))
		return true;
	seal.mic = &js_int;
	*ret_is_v11 = n->rules->is_v11;
	return n->rules->is_v11 && join_accept_open(n->crypto, &seal, phy, ret) == 0 && ret->dl_settings & DL_OPT_NEG;
}

bool node_hear_join(struct node *n, struct slice phy)
{
	struct join_accept a;
	bool is_v11;
	if (!open_accept(n, phy, &a, &is_v11))
		return false;
	struct join_values v = { .join_nonce = a.join_nonce, .net_id = a.net_id, .join_eui = n->join_eui, .dev_nonce = n->join_nonce };
	n->s = (struct node_session){ .is_there = true, .is_v11 = is_v11, .dev_addr = a.dev_addr };
	n->net_id = a.net_id;
	n->rj_count0 = 0;
	if (is_v11)
		keys_session_1_1(n->crypto, &n->nwk_key, &n->app_key, &v, &n->s.keys);
	else
		keys_session_1_0(n->crypto, n->rules->is_v11 ? &n->nwk_key : &n->app_key, &v, &n->s.keys);
	if (n->join_type != 2)
		take_radio(n, &a);
	n->wants_rekey = is_v11;
	n->wants_mode = is_v11 && n->class_c;
	n->must_rejoin = -1;
	n->owes_ack = false;
	n->n_answers = n->n_sticky = n->n_sent = 0;
	n->ack_cnt = 0;
	return true;
}
