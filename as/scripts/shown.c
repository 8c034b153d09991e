/** @file What came of a script as members of a message. */
#include "as/scripts/shown.h"
#include "as/core/formatters/normalized.h"
#include "common/core/json_out.h"
#include <stdio.h>
#include <string.h>

static void member(struct text *t, const char *name, struct str json)
{
	if (!json.n)
		return;
	json_name(t, name);
	json_raw_out(t, json);
}

/** Measurements that are valid; and, where the script means to make some, why there are none. */
static void show_normalized(struct text *t, const struct script_result *r)
{
	struct normalized n = { .n = 0 };
	char buf[512];
	struct text why = text_fixed(buf, sizeof buf);
	int e = r->normalized.n ? normalized_check(&n, r->normalized, r->normalized_warnings, &why) : 0;
	if (e < 0)
		t->failed = true;
	if (!e)
		member(t, "normalized_payload", text_str(&n.valid));
	if (r->normalized_error.n)
		text_put(&why, r->normalized_error);
	if (!e && !why.len) {
		member(t, "normalized_payload_warnings", text_str(&n.warnings));
	} else if (r->has_normalizer) {
		json_name(t, "normalized_payload_warnings");
		json_open(t, '[');
		json_str(t, text_str(&why));
		json_close(t, ']');
	}
	normalized_done(&n);
}

void shown_decoded(struct text *t, const struct script_result *r)
{
	member(t, "decoded_payload", r->data);
	member(t, "decoded_payload_warnings", r->warnings);
	show_normalized(t, r);
}

void shown_encoded(struct text *t, const struct script_result *r, uint8_t f_port, struct str data)
{
	json_name(t, "f_port");
	json_num(t, r->has_f_port ? r->f_port : f_port);
	json_name(t, "frm_payload");
	json_b64(t, r->bytes.p, r->bytes.n);
	member(t, "decoded_payload", data);
	member(t, "decoded_payload_warnings", r->warnings);
}

void shown_failure(struct text *t, const struct script_result *r, const char *name)
{
	char place[32];
	int n = snprintf(place, sizeof place, "line %u: ", r->line);
	const char *again = r->line ? memmem(r->message.p, r->message.n, place, (size_t)n) : NULL;
	text_puts(t, name);
	if (r->line)
		text_printf(t, ":%u", r->line);
	text_puts(t, ": ");
	if (again) {
		text_put(t, (struct str){ r->message.p, (size_t)(again - r->message.p) });
		text_put(t, (struct str){ again + n, (size_t)(r->message.p + r->message.n - again) - (size_t)n });
	} else {
		text_put(t, r->message);
	}
}
