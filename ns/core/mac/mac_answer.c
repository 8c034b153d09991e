/** @file What devices answer: what is in force moves with answers and with nothing else, and what is refused is remembered. */
#include "ns/core/mac/mac.h"

/* What all bits of a status must be; 0: the answer has none, and means yes. */
static uint8_t all_bits(uint8_t cid)
{
	switch (cid) {
	case CMD_RX_PARAM_SETUP: return 7;
	case CMD_NEW_CHANNEL:
	case CMD_DL_CHANNEL: return 3;
	default: return 0;
	}
}

/* The oldest request of this kind. @return MAC_ASKED_MAX: none */
static unsigned asked_at(const struct mac_state *m, uint8_t cid)
{
	for (unsigned i = 0; i < m->n_asked && m->is_out; i++)
		if (mac_item_cid((enum mac_item)m->asked[i].item) == cid)
			return i;
	return MAC_ASKED_MAX;
}

static void forget_asked(struct mac_state *m, unsigned at)
{
	m->n_asked--;
	for (unsigned i = at; i < m->n_asked; i++)
		m->asked[i] = m->asked[i + 1];
}

static void refuse(struct mac_run *run, const struct mac_asked *a)
{
	run->session->mac.trouble[a->item] = (struct mac_trouble){ .value = a->value, .is_refused = true };
}

static void take_rejoin_param(struct mac_run *run, const struct mac_asked *a, uint8_t status)
{
	/* Its number of uplinks is taken in any case. [LW1.1 5.14] */
	uint32_t time = status & 1 ? a->value & 0xF0 : mac_now(run->session, ITEM_REJOIN_PARAM) & 0xF0;
	mac_set(run->session, ITEM_REJOIN_PARAM, time | (a->value & 15));
	if (!(status & 1))
		refuse(run, a);
	mac_item_event(run, (enum mac_item)a->item, a->value, MAC_TOLD_ANSWER);
	trace_end(run->ns);
}

void mac_answer(struct mac_run *run, struct slice arg)
{
	struct session *s = run->session;
	const struct mac_cmd_info *c = mac_cmd_by_cid(run->cid);
	unsigned at = asked_at(&s->mac, run->cid);
	if (c->is_sticky)
		run->wants_any = true; /* it goes on saying so until it hears something [LW1.0.4 5] */
	if (at == MAC_ASKED_MAX) {
		if (!c->is_sticky)
			mac_unasked(run, c->up_name);
		return;
	}
	struct mac_asked a = s->mac.asked[at];
	uint8_t all = all_bits(run->cid), status = arg.n ? arg.p[0] : 0;
	forget_asked(&s->mac, at);
	if (run->cid == CMD_REJOIN_PARAM_SETUP) {
		take_rejoin_param(run, &a, status);
		return;
	}
	bool is_taken = (status & all) == all;
	if (is_taken) {
		mac_set(s, (enum mac_item)a.item, a.value);
		s->mac.trouble[a.item] = (struct mac_trouble){ .value = 0 };
	} else {
		refuse(run, &a);
	}
	struct text *t = mac_item_event(run, (enum mac_item)a.item, a.value, is_taken ? MAC_TOLD_ANSWER : MAC_TOLD_REJECT);
	if (!is_taken) {
		json_name(t, "status");
		json_unum(t, status);
	}
	trace_end(run->ns);
}

/* The device heard nothing, or its answer did not fit. */
static void unanswered(struct mac_run *run, const struct mac_asked *a)
{
	struct mac_trouble *t = &run->session->mac.trouble[a->item];
	if (t->value != a->value && a->item != ITEM_LINK_ADR)
		*t = (struct mac_trouble){ .tries = 0 };
	t->value = a->value;
	t->is_refused = false;
	t->f_cnt = (uint16_t)run->reception->f_cnt;
	if (t->tries < MAC_TRIES_MAX)
		t->tries++;
	if (a->item == ITEM_FORCE_REJOIN)
		return; /* it has no answer */
	struct text *e = trace_begin(run->ns, EVENT_NS_MAC_COMMAND_UNANSWERED, run->about);
	json_name(e, "command");
	json_puts(e, mac_cmd_by_cid(mac_item_cid((enum mac_item)a->item))->down_name);
	json_name(e, "times");
	json_unum(e, t->tries);
	trace_end(run->ns);
}

void mac_settle(struct mac_run *run)
{
	struct mac_state *m = &run->session->mac;
	mac_link_adr_settle(run);
	for (unsigned i = 0; i < m->n_asked && m->is_out; i++)
		unanswered(run, &m->asked[i]);
	m->n_asked = 0;
	m->is_out = false;
	mac_link_adr_heard(run);
}
