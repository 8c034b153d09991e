/** @file Events of what was published. */
#include "as/forwards.h"
#include "as/applications.h"
#include "as/traffic.h"
#include "as/unlinked.h"
#include "common/core/json_out.h"

static void write_count(struct text *t, const char *name, uint64_t n)
{
	if (!n)
		return;
	json_name(t, name);
	json_unum(t, n);
}

static void write_reach(struct text *t, const struct mqtt_reach *r)
{
	json_name(t, "subscribers");
	json_unum(t, (uint64_t)r->qos[0] + r->qos[1] + r->qos[2]);
	write_count(t, "qos_0", r->qos[0]);
	write_count(t, "qos_1", r->qos[1]);
	write_count(t, "qos_2", r->qos[2]);
	write_count(t, "stored", r->stored);
	write_count(t, "dropped", r->dropped);
}

static void write_text(struct text *t, const char *name, const char *value)
{
	if (!value)
		return;
	json_name(t, name);
	json_puts(t, value);
}

void forwards_tell(struct as *as, enum event_id e, const struct traces_of *of, const struct cid *cids, size_t n_cids, const struct forward *f)
{
	char data[TRACES_DATA_MAX];
	struct text t = text_fixed(data, sizeof data);
	uint64_t now_us = loop_now(as->loop)->unix_us;
	if (!traces_wants(as, e, of->device))
		return;
	json_open(&t, '{');
	write_text(&t, "error", f->error);
	write_text(&t, "message", f->message);
	if (f->has_f_cnt) {
		json_name(&t, "f_cnt");
		json_unum(&t, f->f_cnt);
	}
	if (f->waits) {
		write_text(&t, "reason", "not_linked");
	} else {
		struct mqtt_reach r = applications_reach(as);
		write_reach(&t, &r);
	}
	if (f->since_unix_us && f->since_unix_us <= now_us)
		write_count(&t, "duration_us", now_us - f->since_unix_us);
	json_close(&t, '}');
	traces_note(as, e, of, cids, n_cids, t.failed ? "" : data);
}

int forwards_publish(struct as *as, const struct device *d, const char *suffix, const struct tts_up *u, const enum event_id events[2],
	uint64_t received_unix_us)
{
	int r = unlinked_publish(as, d, suffix, text_str(&as->traffic->json));
	if (r < 0)
		return r;
	bool waits = r == UNLINKED_E_WAITS;
	forwards_tell(as, events[waits], &(struct traces_of){ .device = d, .own = u->own_cids, .own_n = u->own_cids_n }, u->cids, u->n_cids,
		&(struct forward){ .since_unix_us = received_unix_us, .waits = waits });
	return 0;
}
