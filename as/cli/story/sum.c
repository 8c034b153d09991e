/** @file The sentence that sums up a story. */
#include "as/cli/show/width.h"
#include "as/cli/story/story.h"
#include <inttypes.h>
#include <string.h>

enum { HEARERS = 64 };
#define SECOND_US INT64_C(1000000)
#define LONG_US   (10 * SECOND_US)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US   (60 * MINUTE_US)

/** What matters of a story. */
struct sum {
	const struct step *heard, *received, *processed, *dropped, *published, *waits; /**< uplink */
	const struct step *queued, *sent_told, *acked, *nacked, *failed, *refused;     /**< downlink */
	const struct step *join, *join_refused, *join_published;
	const struct step *attempt, *sent, *no_window, *not_sent; /**< last of each */
	size_t hearers, attempts_failed;
	char who[HEARERS][40];
};

static void note_hearer(struct sum *m, const struct story *s, const struct step *e)
{
	char id[40];
	story_text(s, e, "identifiers.gateway_id", id, sizeof id);
	for (size_t i = 0; i < m->hearers && i < HEARERS; i++)
		if (!strcmp(m->who[i], id))
			return;
	if (m->hearers < HEARERS)
		memcpy(m->who[m->hearers], id, sizeof id);
	m->hearers++;
}

static void first(const struct step **at, const struct step *e)
{
	if (!*at)
		*at = e;
}

static void note_up(struct sum *m, const struct story *s, const struct step *e)
{
	switch (e->id) {
	case EVENT_GS_UP_RECEIVE: first(&m->heard, e); note_hearer(m, s, e); break;
	case EVENT_NS_UP_DATA_RECEIVE: first(&m->received, e); break;
	case EVENT_NS_UP_DATA_PROCESS: first(&m->processed, e); break;
	case EVENT_NS_UP_DATA_DROP:
	case EVENT_NS_UP_JOIN_DROP:
	case EVENT_NS_UP_REJOIN_DROP:
	case EVENT_GS_UP_DROP:
	case EVENT_AS_UP_DATA_DROP: first(&m->dropped, e); break;
	case EVENT_AS_UP_DATA_FORWARD: first(&m->published, e); break;
	case EVENT_AS_UP_DATA_WAIT: first(&m->waits, e); break;
	case EVENT_NS_UP_JOIN_RECEIVE:
	case EVENT_NS_UP_REJOIN_RECEIVE: first(&m->join, e); break;
	case EVENT_JS_JOIN_REJECT:
	case EVENT_NS_UP_JOIN_CLUSTER_FAIL: first(&m->join_refused, e); break;
	case EVENT_AS_UP_JOIN_FORWARD: first(&m->join_published, e); break;
	default: break;
	}
}

static void note_down(struct sum *m, const struct step *e)
{
	switch (e->id) {
	case EVENT_AS_DOWN_DATA_RECEIVE: first(&m->queued, e); break;
	case EVENT_AS_DOWN_DATA_DROP: m->refused = e; break;
	case EVENT_AS_DOWN_DATA_SENT_FORWARD: m->sent_told = e; break;
	case EVENT_AS_DOWN_DATA_ACK_FORWARD: m->acked = e; break;
	case EVENT_AS_DOWN_DATA_NACK_FORWARD: m->nacked = e; break;
	case EVENT_AS_DOWN_DATA_FAILED_FORWARD: m->failed = e; break;
	case EVENT_NS_DOWN_DATA_SCHEDULE_ATTEMPT:
	case EVENT_NS_DOWN_JOIN_SCHEDULE_ATTEMPT: m->attempt = m->sent ? m->attempt : e; break;
	case EVENT_NS_DOWN_TRANSMISSION_SUCCESS: first(&m->sent, e); break;
	case EVENT_NS_DOWN_TRANSMISSION_FAIL: m->not_sent = e; m->attempts_failed++; break;
	case EVENT_NS_DOWN_DATA_SCHEDULE_FAIL:
	case EVENT_NS_DOWN_JOIN_SCHEDULE_FAIL: m->no_window = e; break;
	default: break;
	}
}

static void put(struct text *t, const struct story *s, const struct step *e, const char *path)
{
	char buf[256];
	width_safe(t, str_of(story_text(s, e, path, buf, sizeof buf)));
}

/** " of app1/dev1", from whatever step knows it. */
static void put_device(struct text *t, const struct story *s)
{
	for (size_t i = 0; i < s->n; i++) {
		char id[80];
		if (!*story_text(s, &s->v[i], "identifiers.device_id", id, sizeof id))
			continue;
		text_puts(t, " of ");
		put(t, s, &s->v[i], "identifiers.application_id");
		text_putc(t, '/');
		width_safe(t, str_of(id));
		return;
	}
}

static void put_reason(struct text *t, const struct story *s, const struct step *e)
{
	static const char *const paths[] = { "data.reason", "data.result", "data.error" };
	for (size_t i = 0; i < COUNT(paths); i++) {
		char word[80];
		if (!*story_text(s, e, paths[i], word, sizeof word))
			continue;
		text_puts(t, " (");
		width_safe(t, str_of(word));
		text_putc(t, ')');
		return;
	}
}

static void put_after(struct text *t, const struct step *from, const struct step *to, const char *what)
{
	int64_t us = (int64_t)to->time_us - (int64_t)from->time_us;
	text_putc(t, ' ');
	if (us < LONG_US)
		story_ms(t, us);
	else
		text_printf(t, us < 2 * MINUTE_US ? "%lld s" : us < 2 * HOUR_US ? "%lld min" : "%lld h",
			(long long)(us / (us < 2 * MINUTE_US ? SECOND_US : us < 2 * HOUR_US ? MINUTE_US : HOUR_US)));
	text_puts(t, what);
}

static void put_hearers(struct text *t, const struct sum *m)
{
	if (m->hearers == 1) {
		text_puts(t, " by ");
		width_safe(t, str_of(m->who[0]));
	} else {
		text_printf(t, " by %zu gateways", m->hearers);
	}
}

/** How it was sent: "in RX1 by gtw1", with what failed before. */
static void put_sending(struct text *t, const struct story *s, const struct sum *m)
{
	int64_t window;
	if (m->attempt && !story_number(s, m->attempt, "data.window", &window))
		text_printf(t, " in %s", story_window(window));
	text_puts(t, " by ");
	put(t, s, m->sent, "identifiers.gateway_id");
	if (m->attempts_failed) {
		text_printf(t, " after %zu attempt%s that failed", m->attempts_failed, m->attempts_failed == 1 ? "" : "s");
		put_reason(t, s, m->not_sent);
	}
}

/** What was said back. */
static void sum_answer(struct text *t, const struct story *s, const struct sum *m, const char *sent, const char *unsent)
{
	if (m->sent) {
		text_puts(t, sent);
		put_sending(t, s, m);
	} else if (m->no_window || m->not_sent) {
		text_puts(t, unsent);
		put_reason(t, s, m->no_window ? m->no_window : m->not_sent);
	}
}

static void sum_uplink(struct text *t, const struct story *s, const struct sum *m)
{
	int64_t f_cnt;
	const struct step *known = m->received ? m->received : m->processed;
	text_puts(t, "uplink");
	if (known && !story_number(s, known, "data.f_cnt", &f_cnt))
		text_printf(t, " %" PRIi64, f_cnt);
	put_device(t, s);
	text_puts(t, ":");
	if (m->published && m->heard) {
		text_puts(t, " published");
		put_after(t, m->heard, m->published, " after it was heard");
		put_hearers(t, m);
	} else if (m->published) {
		text_puts(t, " published");
	} else if (m->waits) {
		text_puts(t, " waits to be published");
		put_reason(t, s, m->waits);
	} else if (m->dropped && !m->processed) {
		text_puts(t, " dropped");
		put_reason(t, s, m->dropped);
	} else {
		text_puts(t, " heard");
		put_hearers(t, m);
	}
	sum_answer(t, s, m, "; answered", "; the answer could not be sent");
}

static void sum_join(struct text *t, const struct story *s, const struct sum *m)
{
	text_puts(t, "join");
	put_device(t, s);
	text_puts(t, ":");
	if (m->hearers) {
		text_puts(t, " heard");
		put_hearers(t, m);
	}
	if (m->join_refused || (m->dropped && !m->join)) {
		text_puts(t, "; refused");
		put_reason(t, s, m->join_refused ? m->join_refused : m->dropped);
		return;
	}
	sum_answer(t, s, m, "; join-accept sent", "; the join-accept could not be sent");
	if (m->join_published)
		text_puts(t, "; published");
}

static void sum_downlink(struct text *t, const struct story *s, const struct sum *m)
{
	const struct step *from = m->queued ? m->queued : m->refused;
	text_puts(t, "downlink");
	put_device(t, s);
	text_puts(t, ":");
	if (!m->queued) {
		text_puts(t, " refused");
		put_reason(t, s, m->refused);
		return;
	}
	if (m->sent_told) {
		text_puts(t, " sent");
		put_after(t, from, m->sent_told, m->sent ? " after it was queued," : " after it was queued");
		if (m->sent)
			put_sending(t, s, m);
	} else if (!m->failed) {
		text_puts(t, " queued; not sent yet");
	}
	if (m->acked) {
		text_puts(t, "; acknowledged");
		put_after(t, from, m->acked, " after it was queued");
	} else if (m->failed) {
		text_puts(t, m->sent_told ? "; failed" : " failed");
		put_reason(t, s, m->failed);
	} else if (m->nacked) {
		text_puts(t, "; not acknowledged");
	}
}

/** What was dropped before anybody knew the device: of a join? */
static bool is_join(const struct sum *m)
{
	enum event_id dropped = m->dropped ? m->dropped->id : EVENT_N;
	return m->join || m->join_refused || dropped == EVENT_NS_UP_JOIN_DROP || dropped == EVENT_NS_UP_REJOIN_DROP;
}

void story_sum(struct text *t, const struct story *s)
{
	struct sum m = { .heard = NULL };
	for (size_t i = 0; i < s->n; i++) {
		if (s->v[i].is_on_air)
			continue;
		note_up(&m, s, &s->v[i]);
		note_down(&m, &s->v[i]);
	}
	if (m.queued || m.refused)
		sum_downlink(t, s, &m);
	else if (is_join(&m))
		sum_join(t, s, &m);
	else if (m.heard || m.received || m.published || m.waits || m.dropped)
		sum_uplink(t, s, &m);
	else if (s->n)
		text_printf(t, "%zu events", s->n);
	else
		text_puts(t, "nothing is known of this id: it never was, or its events are not kept any more");
	text_puts(t, ".\n");
}
