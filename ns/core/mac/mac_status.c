/** @file What devices report of themselves: DevStatusReq, DevStatusAns. [LW1.0.4 5.5] */
#include "ns/core/mac/mac.h"

enum { TRIES_MAX = 3 };

static void status_over(struct mac_run *run)
{
	struct session *s = run->session;
	s->status_asked = 0;
	s->status_unix_us = run->ns->now.unix_us;
	s->status_next = s->up_next;
}

void mac_dev_status(struct mac_run *run, struct slice arg)
{
	struct mac_dev_status_ans ans = mac_dev_status_ans_get(arg);
	if (!run->session->status_asked) {
		mac_unasked(run, "DevStatusAns");
		return;
	}
	status_over(run);
	struct ns_up *m = outbox_begin(run->ns, run->dev, &run->reception->cids);
	MSG_MARK(m, status);
	m->status = (struct up_status){ .battery = ans.battery, .margin_db = ans.margin_db, .f_cnt = run->reception->f_cnt };
	MSG_SET(&m->status, received_unix_us, run->reception->first_unix_us);
	outbox_put(run->ns);
	struct text *t = trace_begin(run->ns, EVENT_NS_MAC_DEV_STATUS_ANSWER, run->about);
	json_name(t, "battery");
	json_unum(t, ans.battery);
	json_name(t, "margin");
	json_num(t, ans.margin_db);
	trace_end(run->ns);
}

static bool is_due(const struct mac_run *run)
{
	const struct session *s = run->session;
	const struct mac_settings *m = &run->dev->mac;
	uint64_t since_us = run->ns->now.unix_us - s->status_unix_us, since_n = s->up_next - s->status_next;
	bool by_time = MSG_HAS(m, status_every_s) && m->status_every_s && since_us >= m->status_every_s * SEC_US;
	bool by_count = MSG_HAS(m, status_every_n) && m->status_every_n && since_n >= m->status_every_n;
	return by_time || by_count;
}

void mac_status_ask(struct mac_run *run, size_t room)
{
	struct session *s = run->session;
	if (run->reception->is_repeat || !is_due(run) || run->answers->len >= room)
		return;
	if (s->status_asked >= TRIES_MAX) {
		status_over(run); /* it does not answer: not again before the next time */
		return;
	}
	writer_u8(run->answers, CMD_DEV_STATUS);
	s->status_asked++;
	trace_add(run->ns, EVENT_NS_MAC_DEV_STATUS_REQUEST, run->about);
}
