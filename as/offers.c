/** @file Which items the ns may be handed: those offered to it in a commit; and what is told of items that it forgot.
 *
 * An item is offered when the ns says that the pull is near, and for a short while: what is offered is in doubt if all processes die
 * at that moment. */
#include "as/downlinks.h"
#include "common/log.h"
#include "proto/bus/event_log.h"
#include <string.h>

#define WINDOWS_US (20 * SEC_US) /* no device listens any longer after an uplink */

static void offers_commit(struct as *as);

static void offers_durable(void *ctx)
{
	struct as *as = ctx;
	struct traffic *t = as->traffic;
	t->is_offer_commit_due = false;
	t->offers_durable = t->offers_committing;
	offers_commit(as);
}

static void offers_commit(struct as *as)
{
	struct traffic *t = as->traffic;
	if (t->is_offer_commit_due || t->offers_durable == t->offers)
		return;
	t->offers_committing = t->offers;
	t->is_offer_commit_due = true;
	if (store_after(as->store, offers_durable, as))
		t->is_offer_commit_due = false;
}

static int offer(struct as *as, struct device_traffic *t)
{
	struct traffic *all = as->traffic;
	int r = queue_offer(
		&t->queue, &all->queue_sink, t->uid, all->offers + 1, loop_now(as->loop));
	if (r <= 0)
		return r;
	all->offers++;
	offers_commit(as);
	traffic_lease(as, t);
	return 0;
}

void downlinks_heard(struct as *as, const struct device *d)
{
	struct device_traffic *t = traffic_of(as, d->entry.uid, false);
	if (t)
		t->heard_us = loop_now(as->loop)->mono_us;
}

int downlinks_prepare(struct as *as, const struct device *d)
{
	struct device_traffic *t = traffic_of(as, d->entry.uid, false);
	return t ? offer(as, t) : 0;
}

void downlinks_added(struct as *as, const struct device *d)
{
	const struct device_traffic *t = traffic_of(as, d->entry.uid, false);
	bool is_heard = t && t->heard_us && loop_now(as->loop)->mono_us - t->heard_us < WINDOWS_US;
	if (t && (is_heard || downlinks_listens_always(d)))
		downlinks_tell(as, t->uid);
}

/** It may have been sent, and nobody will ever tell. An unconfirmed one is not sent again; a confirmed one is
 * told as missed. */
static int settle_unknown(struct as *as, struct device *d, struct item *i)
{
	struct up_outcome o = { .item = i->id,
		.outcome = i->confirmed ? OUTCOME_NACK : OUTCOME_FAILED,
		.f_cnt = i->f_cnt,
		.session_key_id = i->session_key_id };
	MSG_SET(&o, tx_result, TX_RESULT_NO_TX_ACK);
	char cid[CID_TEXT_MAX];
	LOG(LOG_WARN, "downlink_outcome_unknown", KV_Z("cid", event_log_cid(&(struct cid){ .kind = CID_AS_DOWNLINK, .id = i->id }, 1, cid)),
		KV_Z("device", d->path), KV_U("fcnt", o.f_cnt));
	return downlinks_outcome(as, d, NULL, 0, &o);
}

int downlinks_ns_restarted(struct as *as)
{
	struct device_traffic *t, *next;
	HASH_ITER(hh, as->traffic->devices, t, next) {
		struct device *d = registry_device_by_uid(&as->registry, t->uid);
		for (struct item *i; d && (i = queue_doubtful(&t->queue));)
			TRY(settle_unknown(as, d, i));
	}
	return 0;
}

void downlinks_lease_over(struct as *as, struct device_traffic *t)
{
	struct device *d = registry_device_by_uid(&as->registry, t->uid);
	uint64_t now_us = loop_now(as->loop)->mono_us;
	int rc = d ? downlinks_outdated(as, d, t) : 0;
	if (rc)
		LOG(LOG_ERROR, "downlink_not_stored", KV_Z("device", d->path), KV_Z("error", strerror(-rc)));
	for (struct item *i; d && (i = queue_expired(&t->queue, now_us));) {
		if (!as_ns(as)) {
			i->flying_us = now_us; /* its outcome may wait in the ns */
			continue;
		}
		int r = i->state == ITEM_WAITING ? queue_withdraw(&as->traffic->queue_sink, t->uid, i)
						 : settle_unknown(as, d, i);
		if (r) {
			LOG(LOG_ERROR, "downlink_not_stored", KV_Z("device", d->path),
				KV_Z("error", strerror(-r)));
			i->flying_us = now_us;
		}
	}
}

void downlinks_end(struct as *as)
{
	struct device_traffic *t, *next;
	if (!as->traffic)
		return;
	HASH_ITER(hh, as->traffic->devices, t, next)
	{
		struct item *i = t->queue.first;
		if (i && i->state == ITEM_WAITING && i->offer && !i->is_doubtful &&
			queue_withdraw(&as->traffic->queue_sink, t->uid, i))
			LOG(LOG_ERROR, "downlink_not_stored", KV_U("device", t->uid));
	}
}
