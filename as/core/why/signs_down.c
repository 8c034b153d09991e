/** @file Signs of what became of a device's downlinks. */
#include "as/core/why/signs.h"
#include <string.h>

/** The last thing that an application was told of a downlink of this device. */
static const struct why_sight *last_told(const struct why_facts *f)
{
	static const enum event_id told[] = { EVENT_AS_DOWN_DATA_DROP, EVENT_AS_DOWN_DATA_SENT_FORWARD, EVENT_AS_DOWN_DATA_ACK_FORWARD,
		EVENT_AS_DOWN_DATA_NACK_FORWARD, EVENT_AS_DOWN_DATA_FAILED_FORWARD };
	const struct why_sight *best = NULL;
	for (size_t i = 0; i < COUNT(told); i++) {
		const struct why_sight *s = why_sight(f, told[i], NULL);
		if (s && (!best || s->last_us > best->last_us))
			best = s;
	}
	return best;
}

static bool was_told(struct why_case *c, enum event_id e, const char *word)
{
	const struct why_sight *s = last_told(c->f);
	return s && s->event == e && (!word || !strcmp(s->word, word)) && why_found(c, s);
}

static bool has_failed(struct why_case *c, const char *error)
{
	return was_told(c, EVENT_AS_DOWN_DATA_FAILED_FORWARD, error);
}

bool sign_down_no_session(struct why_case *c)
{
	const struct why_facts *f = c->f;
	if (f->has_live ? f->has_session || f->has_pending : !was_told(c, EVENT_AS_DOWN_DATA_DROP, "no_device_session"))
		return false;
	if (!c->n_sights)
		was_told(c, EVENT_AS_DOWN_DATA_DROP, "no_device_session");
	return true;
}

/** The last one was refused, and none was taken since. @param error  NULL: any */
static bool was_refused(struct why_case *c, const char *error)
{
	const struct why_sight *s = last_told(c->f), *taken = why_sight(c->f, EVENT_AS_DOWN_DATA_RECEIVE, NULL);
	if (s && taken && s->event == EVENT_AS_DOWN_DATA_DROP && taken->last_us > s->last_us)
		return false;
	return was_told(c, EVENT_AS_DOWN_DATA_DROP, error);
}

bool sign_down_unencoded(struct why_case *c)
{
	return was_refused(c, "encoder_failed");
}

bool sign_down_refused(struct why_case *c)
{
	return !sign_down_unencoded(c) && was_refused(c, NULL);
}

bool sign_queued(struct why_case *c)
{
	return c->f->queued;
}

bool sign_queued_no_ns(struct why_case *c)
{
	return c->f->queued && !c->f->has_ns;
}

bool sign_misses(struct why_case *c)
{
	return c->f->head.state == WHY_ITEM_WAITS && c->f->head.misses;
}

bool sign_queued_no_gateway(struct why_case *c)
{
	return c->f->queued && c->f->has_ns && !c->f->sending;
}

bool sign_in_flight(struct why_case *c)
{
	return c->f->head.state == WHY_ITEM_FLIES && (why_found(c, why_sight(c->f, EVENT_AS_DOWN_DATA_FORWARD, NULL)), true);
}

bool sign_awaited(struct why_case *c)
{
	return c->f->head.state == WHY_ITEM_AWAITED && (why_found(c, why_sight(c->f, EVENT_AS_DOWN_DATA_SENT_FORWARD, NULL)), true);
}

bool sign_waits_time(struct why_case *c)
{
	return c->f->head.state == WHY_ITEM_WAITS && c->f->head.at_us > c->f->now_us;
}

static bool waits(const struct why_facts *f)
{
	return f->head.state == WHY_ITEM_WAITS && f->head.at_us <= f->now_us && f->has_ns;
}

bool sign_waits_uplink(struct why_case *c)
{
	return waits(c->f) && !c->f->is_class_c && !c->f->is_multicast && (why_found(c, why_sight(c->f, EVENT_AS_DOWN_DATA_RECEIVE, NULL)), true);
}

bool sign_waits_turn(struct why_case *c)
{
	if (!waits(c->f) || !(c->f->is_class_c || c->f->is_multicast))
		return false;
	why_found(c, why_sight(c->f, EVENT_NS_DOWN_DATA_SCHEDULE_SKIP, NULL));
	return true;
}

bool sign_failed_too_long(struct why_case *c)
{
	return has_failed(c, "application_downlink_too_long");
}

bool sign_failed_no_path(struct why_case *c)
{
	return has_failed(c, "no_downlink_path") && (why_found(c, why_sight(c->f, EVENT_NS_DOWN_DATA_SCHEDULE_SKIP, NULL)), true);
}

bool sign_failed_gateway(struct why_case *c)
{
	return has_failed(c, "gateway_not_found");
}

bool sign_failed_duty(struct why_case *c)
{
	return has_failed(c, "duty_cycle");
}

bool sign_failed_expired(struct why_case *c)
{
	return has_failed(c, "downlink_expired");
}

bool sign_failed_transmission(struct why_case *c)
{
	return has_failed(c, "transmission") && (why_found(c, why_sight(c->f, EVENT_NS_DOWN_TRANSMISSION_FAIL, NULL)), true);
}

bool sign_failed_retries(struct why_case *c)
{
	return has_failed(c, "max_retries_reached");
}

bool sign_failed_else(struct why_case *c)
{
	static const char *const known[] = { "application_downlink_too_long", "no_downlink_path", "gateway_not_found", "duty_cycle",
		"downlink_expired", "transmission", "max_retries_reached" };
	const struct why_sight *s = last_told(c->f);
	for (size_t i = 0; s && i < COUNT(known); i++)
		if (!strcmp(s->word, known[i]))
			return false;
	return has_failed(c, NULL);
}

bool sign_nack(struct why_case *c)
{
	return was_told(c, EVENT_AS_DOWN_DATA_NACK_FORWARD, NULL);
}

bool sign_acked(struct why_case *c)
{
	return was_told(c, EVENT_AS_DOWN_DATA_ACK_FORWARD, NULL);
}

bool sign_sent(struct why_case *c)
{
	return was_told(c, EVENT_AS_DOWN_DATA_SENT_FORWARD, NULL);
}
