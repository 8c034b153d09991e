/** @file Rejoin-requests of 1.1: new keys for a device that has a session, or lost it. [LW1.1 6.2.4]
 *
 * Type 1 is the join server's to check, as a join-request is. Types 0 and 2 are signed with the session's SNwkSIntKey and count
 * with RJcount0, so they are checked here. All are answered with a join-accept in the windows of one. The session that there is
 * goes on until an uplink uses the new one; type 2 keeps the radio's parameters (join.c).
 */
#include "ns/core/up/join.h"
#include "ns/core/records.h"
#include "ns/core/up/uplink.h"
#include "proto/lorawan/security.h"

#define REPEAT_US (10 * SEC_US)

static bool is_signed(struct ns *ns, const struct session *s, const struct frame *f)
{
	uint8_t mic[MIC_LEN];
	return s && s->is_v11 && mic_join(ns->config.crypto, &s->s_nwk_s_int, f->msg, mic) == 0 && mic_eq(mic, f->mic);
}

/* The session that signed it, of whichever device with this DevEUI; *ret_why says what was missing. */
static struct session *signer_of(struct ns *ns, const struct frame *f, struct dev **ret_dev, enum drop *ret_why)
{
	struct dev *d = devices_by_dev_eui(&ns->devices, f->join.dev_eui);
	*ret_dev = d;
	*ret_why = d ? DROP_NO_REJOIN : f->join.net_id == ns->config.net_id ? DROP_DEVICE : DROP_NET_ID;
	for (; d; d = d->same_dev_eui) {
		struct session *v[] = { d->pending, d->current };
		for (size_t i = 0; i < COUNT(v); i++) {
			if (v[i] && v[i]->is_v11)
				*ret_why = DROP_MIC;
			if (!is_signed(ns, v[i], f))
				continue;
			*ret_dev = d;
			return v[i];
		}
	}
	return NULL;
}

/* RJcount0 rises with each request. The very same one may come again while its answer is kept. */
static bool is_count_good(struct ns *ns, struct session *s, const struct reception *r, uint16_t count)
{
	bool is_again = s->rejoin_next == count + 1U && s->rejoin_hash == r->hash && ns->now.unix_us - s->rejoin_unix_us < REPEAT_US;
	if (is_again)
		return true;
	if (count < s->rejoin_next)
		return false;
	s->rejoin_next = count + 1U;
	s->rejoin_hash = r->hash;
	s->rejoin_unix_us = ns->now.unix_us;
	record_live_put(ns, s);
	return true;
}

static void by_session(struct ns *ns, struct reception *r, const struct frame *f, struct about *a)
{
	enum drop why;
	struct dev *d;
	struct session *s = signer_of(ns, f, &d, &why);
	a->dev = d;
	if (s)
		why = join_judge(ns, r, d);
	/* A device that signs with the new keys has heard them. */
	if (why == DROP_NONE && s->is_pending)
		uplink_promote(ns, s, &r->cids);
	if (why == DROP_NONE && !is_count_good(ns, s, r, f->join.dev_nonce))
		why = DROP_REJOIN_COUNT;
	if (why != DROP_NONE)
		uplink_drop(ns, r, why, NULL, a);
	else
		join_ask(ns, r, d, f->join.rejoin_type, a);
}

void rejoin_first(struct ns *ns, struct reception *r, const struct frame *f)
{
	struct about a = { .cids = &r->cids, .gateway = r->first->gateway, .dev_eui = f->join.dev_eui, .has_dev_eui = true };
	if (f->join.rejoin_type != 1) {
		by_session(ns, r, f, &a);
		return;
	}
	struct dev *d = devices_by_euis(&ns->devices, f->join.join_eui, f->join.dev_eui);
	enum drop why = join_judge(ns, r, d);
	a.dev = d;
	if (why == DROP_NONE && !d->rules->is_v11)
		why = DROP_NO_REJOIN;
	if (why != DROP_NONE)
		uplink_drop(ns, r, why, NULL, &a);
	else
		join_ask(ns, r, d, f->join.rejoin_type, &a);
}
