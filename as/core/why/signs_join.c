/** @file Signs of a device that does not join; those of every question too. */
#include "as/core/why/signs.h"
#include "common/core/clock.h"
#include <string.h>

enum { QUIET_US = 600000000 }; /* gateways of a network that lives hear something in ten minutes */

bool sign_always(struct why_case *c)
{
	(void)c;
	return true;
}

bool sign_ip(struct why_case *c)
{
	return !c->f->is_lorawan;
}

bool sign_group(struct why_case *c)
{
	return c->f->is_multicast;
}

bool sign_no_ns(struct why_case *c)
{
	return !c->f->has_ns;
}

bool sign_no_steps(struct why_case *c)
{
	return c->f->has_no_steps;
}

bool sign_no_answer(struct why_case *c)
{
	return c->f->has_ns && !c->f->has_live;
}

bool sign_twin(struct why_case *c)
{
	return *c->f->twin;
}

bool sign_no_gateway(struct why_case *c)
{
	return c->f->has_ns && !c->f->connected;
}

bool sign_other_region(struct why_case *c)
{
	return c->f->plan[0] && c->f->connected && !c->f->in_band;
}

bool sign_abp_asks(struct why_case *c)
{
	return !c->f->supports_join && why_found(c, why_recent(c->f, EVENT_NS_UP_JOIN_DROP, "no_join"));
}

bool sign_abp(struct why_case *c)
{
	return !c->f->supports_join;
}

bool sign_no_root_key(struct why_case *c)
{
	why_found(c, why_recent(c->f, EVENT_JS_JOIN_REJECT, "no_root_key"));
	return c->n_sights || !(c->f->is_v11 ? c->f->has_app_key && c->f->has_nwk_key : c->f->has_app_key);
}

bool sign_rejoin_counter(struct why_case *c)
{
	return why_found(c, why_recent(c->f, EVENT_JS_JOIN_REJECT, "rj_count1_too_small")) ||
	       why_found(c, why_recent(c->f, EVENT_NS_UP_REJOIN_DROP, "rj_count0"));
}

/** A reason that has no row of its own. */
bool sign_join_refused(struct why_case *c)
{
	static const char *const known[] = { "mic", "dev_nonce_reused", "dev_nonce_too_small", "no_root_key", "rj_count1_too_small" };
	const struct why_sight *s = why_recent(c->f, EVENT_JS_JOIN_REJECT, NULL);
	for (size_t i = 0; s && i < COUNT(known); i++)
		if (!strcmp(s->word, known[i]))
			return false;
	return why_found(c, s);
}

/** The network server says so of every refusal too; it counts where the join server said nothing. */
bool sign_join_unanswered(struct why_case *c)
{
	const struct why_sight *s = why_recent(c->f, EVENT_NS_UP_JOIN_CLUSTER_FAIL, NULL);
	const struct why_sight *said = why_recent(c->f, EVENT_JS_JOIN_REJECT, NULL);
	return s && (!said || said->last_us + SEC_US < s->last_us) && why_found(c, s);
}

bool sign_other_join_eui(struct why_case *c)
{
	const struct why_sight *s = why_recent(c->f, EVENT_NS_UP_JOIN_DROP, "device_not_found");
	return s && s->is_stranger && why_found(c, s);
}

bool sign_backwards(struct why_case *c)
{
	return c->f->backwards;
}

/** Is this the newest that was said of a join-accept? */
static bool is_newest(const struct why_case *c, const struct why_sight *s)
{
	const struct why_sight *sent = why_recent(c->f, EVENT_NS_DOWN_TRANSMISSION_SUCCESS, NULL);
	return s && (!sent || sent->last_us < s->last_us);
}

bool sign_join_no_path(struct why_case *c)
{
	const struct why_sight *s = why_recent(c->f, EVENT_NS_DOWN_JOIN_SCHEDULE_FAIL, NULL);
	const struct why_sight *refused = why_recent(c->f, EVENT_NS_DOWN_TRANSMISSION_FAIL, NULL);
	/* A gateway that refused is told of by itself. */
	if (!is_newest(c, s) || (refused && refused->last_us + 10 * SEC_US > s->last_us))
		return false;
	why_found(c, s);
	why_found(c, why_recent(c->f, EVENT_NS_DOWN_JOIN_SCHEDULE_SKIP, NULL));
	return true;
}

bool sign_join_tx_fail(struct why_case *c)
{
	const struct why_sight *s = why_recent(c->f, EVENT_NS_DOWN_TRANSMISSION_FAIL, NULL);
	const struct why_sight *asked = why_recent(c->f, EVENT_NS_UP_JOIN_RECEIVE, NULL);
	return asked && is_newest(c, s) && why_found(c, s);
}

bool sign_accept_unheard(struct why_case *c)
{
	const struct why_sight *asked = why_recent(c->f, EVENT_NS_UP_JOIN_RECEIVE, NULL);
	const struct why_sight *sent = why_recent(c->f, EVENT_NS_DOWN_TRANSMISSION_SUCCESS, NULL);
	if (!asked || !sent || asked->recent < 2 || sent->recent < 2 || !why_recent(c->f, EVENT_NS_UP_JOIN_PROCESS, NULL))
		return false;
	return why_found(c, sent) && why_found(c, asked);
}

bool sign_just_joined(struct why_case *c)
{
	return c->f->has_pending && why_found(c, why_recent(c->f, EVENT_NS_UP_JOIN_PROCESS, NULL));
}

bool sign_join_heard(struct why_case *c)
{
	return why_found(c, why_recent(c->f, EVENT_NS_UP_JOIN_RECEIVE, NULL));
}

bool sign_joined(struct why_case *c)
{
	if (!c->f->has_session)
		return false;
	why_found(c, why_sight(c->f, EVENT_AS_UP_JOIN_FORWARD, NULL));
	return true;
}

bool sign_deaf_gateways(struct why_case *c)
{
	return c->f->any_uplink_us + QUIET_US < c->f->now_us;
}
