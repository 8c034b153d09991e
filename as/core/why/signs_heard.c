/** @file Signs of a device that is not heard, or whose messages reach nobody. */
#include "as/core/why/signs.h"
#include "common/core/clock.h"
#include <string.h>

#define MINUTE_US (60 * SEC_US)
#define DAY_US    (86400 * SEC_US)
enum { WEAK_DDB = 30, QUIET_INTERVALS = 4 };

bool sign_data_mic(struct why_case *c)
{
	return why_found(c, why_recent(c->f, EVENT_NS_UP_DATA_DROP, "mic"));
}

bool sign_old_address(struct why_case *c)
{
	const struct why_sight *s = why_recent(c->f, EVENT_NS_UP_DATA_DROP, "dev_addr");
	return s && s->is_stranger && why_found(c, s);
}

bool sign_no_session(struct why_case *c)
{
	return c->f->has_live && !c->f->has_session && !c->f->has_pending;
}

bool sign_not_linked(struct why_case *c)
{
	if (c->f->is_linked)
		return false;
	why_found(c, why_sight(c->f, EVENT_AS_UP_DATA_WAIT, NULL));
	return true;
}

bool sign_undecoded(struct why_case *c)
{
	return !*c->f->unserved && why_found(c, why_recent(c->f, EVENT_AS_UP_DATA_DECODE_FAIL, NULL));
}

bool sign_unserved(struct why_case *c)
{
	return *c->f->unserved;
}

bool sign_nobody_listens(struct why_case *c)
{
	const struct why_sight *s = why_sight(c->f, EVENT_AS_UP_DATA_FORWARD, NULL);
	uint64_t subscribers = 1;
	if (!c->f->is_linked || !s)
		return false;
	if (why_number(s, "subscribers", &subscribers) && c->f->knows_listeners)
		subscribers = c->f->listeners + c->f->away;
	return !subscribers && why_found(c, s);
}

bool sign_key_expired(struct why_case *c)
{
	return c->f->keys_expired && c->f->knows_listeners && !c->f->listeners;
}

bool sign_session_lost(struct why_case *c)
{
	const struct why_sight *s = why_sight(c->f, EVENT_AS_MQTT_SESSION_DROP, NULL);
	return s && s->last_us + DAY_US > c->f->now_us && why_found(c, s);
}

/** The gateway that heard its last uplink best, or the one that said anything of it. */
static const struct why_gateway *last_gateway(const struct why_facts *f)
{
	for (uint32_t i = 0; f->radio.gateways && i < f->n_gateways; i++)
		if (!strcmp(f->gateways[i].id, f->radio.gateway_id))
			return &f->gateways[i];
	return NULL;
}

bool sign_gateway_gone(struct why_case *c)
{
	c->gateway = last_gateway(c->f);
	return c->gateway && !c->gateway->is_connected && c->gateway->disconnected_us;
}

bool sign_device_duty(struct why_case *c)
{
	return c->f->duty_cycle_exponent;
}

bool sign_weak(struct why_case *c)
{
	int32_t margin;
	return !why_margin(c->f, &margin) && margin < WEAK_DDB;
}

bool sign_heard_soon(struct why_case *c)
{
	const struct why_sight *s = why_recent(c->f, EVENT_NS_UP_JOIN_PROCESS, NULL);
	return !c->f->heard_us && s && s->last_us + 2 * MINUTE_US > c->f->now_us && why_found(c, s);
}

bool sign_never_heard(struct why_case *c)
{
	return (c->f->has_session || c->f->has_pending) && !c->f->heard_us;
}

/** For longer than it is ever silent: some of its usual intervals where these are known, else a day. */
static bool is_silent(struct why_case *c)
{
	const struct why_sight *s = why_sight(c->f, EVENT_NS_UP_DATA_PROCESS, NULL);
	uint64_t limit = DAY_US;
	if (!c->f->heard_us)
		return false;
	if (s && s->count > 2) {
		limit = (s->last_us - s->first_us) / (s->count - 1) * QUIET_INTERVALS;
		limit = limit < 10 * MINUTE_US ? 10 * MINUTE_US : limit > 7 * DAY_US ? 7 * DAY_US : limit;
	}
	return c->f->heard_us + limit < c->f->now_us && (why_found(c, s), true);
}

bool sign_silent(struct why_case *c)
{
	return is_silent(c);
}

bool sign_silent_all(struct why_case *c)
{
	return is_silent(c) && c->f->any_uplink_us && c->f->any_uplink_us <= c->f->heard_us + MINUTE_US;
}
