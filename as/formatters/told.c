/** @file What is told of payload formatters. */
#include "as/formatters/told.h"
#include "as/traces.h"
#include "as/traffic.h"
#include "common/core/json.h"
#include "common/core/json_out.h"

enum {
	MESSAGE_MAX = 400, /* octets of a message or warning, which may take twice as many */
	WARNINGS_MAX = 500,
	WARNINGS_TOKENS = 128,
};

void told_cids(const struct kept *k, struct told_cids *ret)
{
	ret->len = 0;
	cids_add_all(&ret->len, ret->v, COUNT(ret->v), k->m->cids.v, k->m->cids.len);
	CIDS_ADD(ret, CID_AS_UP, k->id);
}

static void note(struct as *as, enum event_id e, const struct device *d, const struct kept *k, struct text *t)
{
	struct told_cids list;
	const struct up_data *up = &k->m->data;
	json_name(t, "f_cnt");
	json_unum(t, up->f_cnt);
	if (MSG_HAS(up, f_port)) {
		json_name(t, "f_port");
		json_unum(t, up->f_port);
	}
	json_close(t, '}');
	told_cids(k, &list);
	traces_note(as, e, &(struct traces_of){ .device = d, .own = k->own_cids, .own_n = k->own_cids_n }, list.v, list.len, t->failed ? "" : t->p);
}

/** As much of a text as takes at most `max` octets as JSON; whole characters. */
static struct str shortened(struct str s, size_t max)
{
	size_t n = 0, taken = 0;
	while (n < s.n) {
		size_t length = utf8_length((struct str){ s.p + n, s.n - n });
		size_t step = length ? length : 1;
		taken += length > 1 ? length : !length ? 3 : (unsigned char)s.p[n] < ' ' ? 6 : s.p[n] == '"' || s.p[n] == '\\' ? 2 : 1;
		if (taken > max)
			break;
		n += step;
	}
	return (struct str){ s.p, n };
}

void told_undecoded(struct as *as, const struct device *d, const struct kept *k, const char *reason, unsigned line, struct str message)
{
	char data[TRACES_DATA_MAX];
	struct text t = text_fixed(data, sizeof data);
	as->metrics.uplinks_undecoded++;
	if (!traces_wants(as, EVENT_AS_UP_DATA_DECODE_FAIL, d))
		return;
	json_open(&t, '{');
	json_name(&t, "reason");
	json_puts(&t, reason);
	if (line) {
		json_name(&t, "line");
		json_unum(&t, line);
	}
	if (message.n) {
		json_name(&t, "message");
		json_str(&t, shortened(message, MESSAGE_MAX));
	}
	note(as, EVENT_AS_UP_DATA_DECODE_FAIL, d, k, &t);
}

void told_unserved(struct as *as, const struct device *d, const struct kept *k, enum formatter_kind kind, struct str message)
{
	struct device_traffic *t = traffic_of(as, d->entry.uid, true);
	const char *reason = kind == FORMATTER_REPOSITORY ? "repository" : kind == FORMATTER_GRPC_SERVICE ? "grpc_service" : "unavailable";
	if (kind == FORMATTER_NONE || !t || t->told_unserved == kind)
		return;
	t->told_unserved = (uint8_t)kind;
	if (!message.n)
		message = kind == FORMATTER_REPOSITORY ? STR("there is no device repository here: set the maker's codec as FORMATTER_JAVASCRIPT")
			: kind == FORMATTER_GRPC_SERVICE ? STR("FORMATTER_GRPC_SERVICE is not served")
							 : STR("scripts do not run on this host, or are turned off: as.script-processes");
	told_undecoded(as, d, k, reason, 0, message);
}

void told_warnings(struct as *as, const struct device *d, const struct kept *k, struct str warnings)
{
	char data[TRACES_DATA_MAX];
	struct text t = text_fixed(data, sizeof data);
	if (!warnings.n || !traces_wants(as, EVENT_AS_UP_DATA_DECODE_WARNING, d))
		return;
	json_open(&t, '{');
	if (warnings.n <= WARNINGS_MAX) {
		json_name(&t, "warnings");
		json_raw_out(&t, warnings);
	}
	note(as, EVENT_AS_UP_DATA_DECODE_WARNING, d, k, &t);
}
