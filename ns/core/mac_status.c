/** @file What devices report of themselves: DevStatusAns. [LW1.0.4 5.5] */
#include "ns/core/mac.h"

void mac_dev_status(struct mac_run *run, struct slice arg)
{
	struct mac_dev_status_ans ans = mac_dev_status_ans_get(arg);
	struct ns_up *m = outbox_begin(run->ns, run->dev, &run->reception->cids);
	MSG_MARK(m, status);
	m->status = (struct up_status){ .battery = ans.battery, .margin_db = ans.margin_db, .f_cnt = run->reception->f_cnt };
	outbox_put(run->ns);
	struct text *t = trace_begin(run->ns, "ns.mac.dev_status.answer", run->about);
	json_name(t, "battery");
	json_unum(t, ans.battery);
	json_name(t, "margin");
	json_num(t, ans.margin_db);
	trace_end(run->ns);
}
