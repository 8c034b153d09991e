/** @file prelude.js, embedded, and the requests that it takes. */
#include "as/scripts/engine.h"
#include "common/core/json_out.h"

static const unsigned char prelude[] = {
#include "as/scripts/prelude.inc"
};

struct str engine_prelude(void)
{
	return (struct str){ (const char *)prelude, sizeof prelude };
}

void engine_request(struct text *out, const struct script_question *q)
{
	static const char *const names[SCRIPT_CALL_N] = { "decodeUplink", "encodeDownlink", "decodeDownlink" };
	json_open(out, '{');
	json_name(out, "call");
	json_puts(out, names[q->call]);
	json_name(out, "fPort");
	json_unum(out, q->f_port);
	if (q->call == SCRIPT_ENCODE_DOWNLINK) {
		json_name(out, "data");
		json_raw_out(out, q->data);
	} else {
		json_name(out, "time");
		json_unum(out, q->received_unix_us / 1000);
		json_name(out, "bytes");
		json_open(out, '[');
		for (size_t i = 0; i < q->bytes.n; i++)
			json_unum(out, q->bytes.p[i]);
		json_close(out, ']');
	}
	json_close(out, '}');
}
