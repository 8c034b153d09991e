/** @file What a formatter made of one downlink. */
#include "as/formatters/made.h"
#include "common/core/json_out.h"
#include <stdlib.h>
#include <string.h>

enum { PORT_ELSE = 1 }; /* of a downlink for which neither application nor script names one, as in The Things Stack */

/** With room for these texts, and octets, behind it. */
static struct made *made_new(struct slice bytes, struct str decoded, struct str warnings, struct str message)
{
	const struct str all[] = { decoded, warnings, message, { (const char *)bytes.p, bytes.n } };
	size_t n = COUNT(all), at = 0;
	const char *where[COUNT(all)];
	for (size_t i = 0; i < COUNT(all); i++)
		n += all[i].n;
	struct made *m = calloc(1, sizeof *m + n);
	if (!m)
		return NULL;
	for (size_t i = 0; i < COUNT(all); at += all[i++].n + 1) {
		if (all[i].n)
			memcpy(m->room + at, all[i].p, all[i].n);
		where[i] = m->room + at;
	}
	m->decoded = decoded.n ? where[0] : NULL;
	m->warnings = warnings.n ? where[1] : NULL;
	m->message = where[2];
	m->encoded.bytes = (struct slice){ (const uint8_t *)where[3], bytes.n };
	m->outcome = "ok";
	return m;
}

struct made *made_of_bytes(struct slice bytes)
{
	return made_new(bytes, (struct str){ 0 }, (struct str){ 0 }, (struct str){ 0 });
}

struct made *made_of_values(struct str decoded)
{
	struct made *m = made_new((struct slice){ 0 }, decoded, (struct str){ 0 }, (struct str){ 0 });
	if (m)
		m->is_of_octets = true;
	return m;
}

struct made *made_refusal(const char *refusal, const char *reason)
{
	struct made *m = made_of_bytes((struct slice){ 0 });
	if (m) {
		m->encoded.refusal = refusal;
		m->encoded.reason = reason;
	}
	return m;
}

struct made *made_failure(enum script_call call, const char *outcome, unsigned line, struct str message)
{
	struct made *m = made_new((struct slice){ 0 }, (struct str){ 0 }, (struct str){ 0 }, message.n ? message : str_of(outcome));
	if (!m)
		return NULL;
	m->outcome = outcome;
	m->line = m->encoded.line = line;
	m->is_of_octets = call == SCRIPT_DECODE_DOWNLINK;
	if (!m->is_of_octets) {
		m->encoded.refusal = "encoder_failed";
		m->encoded.reason = m->message;
	}
	return m;
}

struct made *made_of_script(enum script_call call, const struct script_result *r)
{
	bool is_of_octets = call == SCRIPT_DECODE_DOWNLINK;
	if (r->outcome == SCRIPT_NO_FUNCTION)
		return is_of_octets ? made_of_values((struct str){ 0 })
				    : made_refusal("no_encoder", "the formatter's script has neither encodeDownlink nor Encoder");
	if (r->outcome != SCRIPT_OK)
		return made_failure(call, script_outcome_word(r->outcome), r->line, r->message);
	struct made *m = made_new(r->bytes, is_of_octets ? r->data : (struct str){ 0 }, r->warnings, (struct str){ 0 });
	if (!m)
		return NULL;
	m->is_of_octets = is_of_octets;
	m->encoded.has_f_port = r->has_f_port;
	m->encoded.f_port = r->f_port;
	m->encoded.f_port_else = PORT_ELSE;
	return m;
}

/* ---- events ---- */

/** Write the data of an event; texts are cut until they fit. @param n  octets of the message */
static void write_failure(struct text *t, const struct made *m, unsigned f_port, size_t n)
{
	text_reset(t);
	json_open(t, '{');
	json_name(t, "reason");
	json_puts(t, m->outcome);
	if (m->line) {
		json_name(t, "line");
		json_unum(t, m->line);
	}
	json_name(t, "message");
	json_str(t, (struct str){ m->message, n });
	if (f_port) {
		json_name(t, "f_port");
		json_unum(t, f_port);
	}
	json_close(t, '}');
}

static void tell_failure(struct as *as, const struct made *m, const struct traces_of *of, const struct cid *cid, unsigned f_port)
{
	char data[TRACES_DATA_MAX];
	struct text t = text_fixed(data, sizeof data);
	size_t n = strlen(m->message);
	write_failure(&t, m, f_port, n);
	while (t.failed && n) {
		n /= 2;
		write_failure(&t, m, f_port, n);
	}
	traces_note(as, m->is_of_octets ? EVENT_AS_DOWN_DATA_DECODE_FAIL : EVENT_AS_DOWN_DATA_ENCODE_FAIL, of, cid, 1, t.failed ? "" : data);
}

static void tell_warnings(struct as *as, const struct made *m, const struct traces_of *of, const struct cid *cid, unsigned f_port)
{
	char data[TRACES_DATA_MAX];
	struct text t = text_fixed(data, sizeof data);
	json_open(&t, '{');
	json_name(&t, "warnings");
	json_raw_out(&t, str_of(m->warnings));
	json_name(&t, "f_port");
	json_unum(&t, f_port);
	json_close(&t, '}');
	traces_note(as, m->is_of_octets ? EVENT_AS_DOWN_DATA_DECODE_WARNING : EVENT_AS_DOWN_DATA_ENCODE_WARNING, of, cid, 1, t.failed ? "" : data);
}

void made_tell(struct as *as, const struct made *m, const struct traces_of *of, const struct cid *cid, unsigned f_port)
{
	if (m && *m->message)
		tell_failure(as, m, of, cid, f_port);
	if (m && m->warnings)
		tell_warnings(as, m, of, cid, f_port);
}
