/** @file Payload formatters over HTTP: one that is in force, or one that is to be, is tried on octets or values. */
#include "as/api/api.h"
#include "as/api/routes.h"
#include "as/core/registry/json_copy.h"
#include "as/scripts/builtin.h"
#include "as/scripts/pool.h"
#include "as/scripts/shown.h"
#include <stdlib.h>
#include <string.h>

enum { OUT_MAX = 256 << 10 };

/** One question, until it is answered. */
struct trial {
	struct as *as;
	struct http_request *r;
	uint64_t ticket;
	enum script_call call;
	uint8_t f_port;
	struct text data; /**< what is to be encoded, JSON */
	struct text out;  /**< the answer as far as it is known: what was sent, without what is to come of it */
};

static void trial_free(struct trial *t)
{
	text_done(&t->data);
	text_done(&t->out);
	free(t);
}

/** The asker is gone. */
static void abandoned(void *ctx)
{
	struct trial *t = ctx;
	scripts_cancel(t->as, t->ticket);
	trial_free(t);
}

static const char *wrapper(enum script_call call)
{
	return call == SCRIPT_DECODE_UPLINK ? "uplink" : "downlink";
}

static void answer(void *ctx, const struct script_result *r)
{
	struct trial *t = ctx;
	if (r->outcome != SCRIPT_OK) {
		AUTO(text_done) struct text why = text_growing(OUT_MAX);
		text_put(&why, r->message);
		http_reply_error(t->r, r->outcome == SCRIPT_UNAVAILABLE ? 501 : 400, why.failed ? "" : why.p);
		trial_free(t);
		return;
	}
	if (t->call == SCRIPT_ENCODE_DOWNLINK)
		shown_encoded(&t->out, r, t->f_port, text_str(&t->data));
	else
		shown_decoded(&t->out, r);
	json_close(&t->out, '}');
	json_close(&t->out, '}');
	if (t->out.failed)
		http_reply_error(t->r, 503, "there is no memory for the answer");
	else
		http_reply_json(t->r, 200, text_str(&t->out));
	trial_free(t);
}

/** Is this member of what was sent one that is written anew? */
static bool is_made(enum script_call call, struct str name)
{
	static const char *const always[] = { "f_port", "decoded_payload", "decoded_payload_warnings", "normalized_payload", "normalized_payload_warnings" };
	for (size_t i = 0; i < COUNT(always); i++)
		if (str_is(name, always[i]))
			return true;
	return call == SCRIPT_ENCODE_DOWNLINK && str_is(name, "frm_payload");
}

/** What was sent comes back, and with it what is made of it. */
static void begin_answer(struct trial *t, const struct json *j, json_val message)
{
	json_open(&t->out, '{');
	json_name(&t->out, wrapper(t->call));
	json_open(&t->out, '{');
	if (t->f_port && t->call != SCRIPT_ENCODE_DOWNLINK) {
		json_name(&t->out, "f_port");
		json_num(&t->out, t->f_port);
	}
	for (json_val m = json_first(j, message); m >= 0; m = json_next(j, m)) {
		char name[64];
		if (json_string(j, m, name, sizeof name) || is_made(t->call, str_of(name)))
			continue;
		json_name(&t->out, name);
		json_copy(&t->out, j, json_member_value(j, m));
	}
}

static int bad(struct api_call *c, const struct trial *t, const char *member, const char *why)
{
	char field[64];
	struct text path = text_fixed(field, sizeof field);
	text_printf(&path, "%s.%s", wrapper(t->call), member);
	return problem_say(&c->problem, REGISTRY_E_INVALID, field, "%s", why);
}

/** Its port, and when it was received. */
static int read_frame(struct api_call *c, struct trial *t, json_val message, struct script_job *job)
{
	json_val f_port = json_get(&c->body, message, "f_port"), time = json_get(&c->body, message, "received_at");
	uint64_t port = 0, ns = 0;
	struct str s;
	if (f_port >= 0 && (json_u64(&c->body, f_port, &port) || port > UINT8_MAX))
		return bad(c, t, "f_port", "must be a number from 0 to 255");
	if (time >= 0 && (json_plain(&c->body, time, &s) || clock_parse_rfc3339(s, &ns)))
		return bad(c, t, "received_at", "must be a time as 2026-03-02T10:20:00Z");
	job->f_port = t->f_port = (uint8_t)port;
	job->received_unix_us = ns ? ns / 1000 : loop_now(c->as->loop)->unix_us;
	return 0;
}

/** The octets or values that are to become the other. @param bytes  SCRIPT_BYTES_MAX octets, which the job borrows */
static int read_payload(struct api_call *c, struct trial *t, json_val message, uint8_t *bytes, struct script_job *job)
{
	json_val payload = json_get(&c->body, message, "frm_payload"), data = json_get(&c->body, message, "decoded_payload");
	job->bytes.p = bytes;
	if (t->call != SCRIPT_ENCODE_DOWNLINK)
		return payload >= 0 && json_base64(&c->body, payload, bytes, SCRIPT_BYTES_MAX, &job->bytes.n) ?
			bad(c, t, "frm_payload", "must be base64 of at most 255 octets") : 0;
	if (json_type(&c->body, data) != JSON_OBJECT)
		return bad(c, t, "decoded_payload", "is missing, or no object");
	json_copy(&t->data, &c->body, data);
	job->data = text_str(&t->data);
	return t->data.failed ? -ENOMEM : job->data.n > SCRIPT_JSON_MAX ? bad(c, t, "decoded_payload", "is longer than 16384 octets") : 0;
}

/** What is asked. @param bytes  as read_payload */
static int read_message(struct api_call *c, struct trial *t, uint8_t *bytes, struct script_job *job)
{
	json_val message = json_get(&c->body, json_root(&c->body), wrapper(t->call));
	if (json_type(&c->body, message) != JSON_OBJECT)
		return problem_say(&c->problem, REGISTRY_E_INVALID, wrapper(t->call), "is missing, or no object");
	int e = read_frame(c, t, message, job);
	if (!e)
		e = read_payload(c, t, message, bytes, job);
	if (!e)
		begin_answer(t, &c->body, message);
	return e ? e : t->out.failed ? -ENOMEM : 0;
}

/** The formatter that the body brings, or the one in force.
 * @param ret_script  held; NULL: none */
static int read_formatter(struct api_call *c, const struct trial *t, enum formatter_kind *ret, struct script **ret_script)
{
	json_val root = json_root(&c->body), kind = json_get(&c->body, root, "formatter"), parameter = json_get(&c->body, root, "parameter");
	struct formatters in_force;
	struct str name;
	*ret_script = NULL;
	if (kind < 0) {
		formatters_of(c->app, c->device, &in_force);
		const struct formatter *f = t->call == SCRIPT_DECODE_UPLINK ? &in_force.up : &in_force.down;
		*ret = f->kind;
		*ret_script = script_hold(f->script);
		return 0;
	}
	if (json_plain(&c->body, kind, &name) || formatter_parse(name, ret))
		return problem_say(&c->problem, REGISTRY_E_INVALID, "formatter", "must be FORMATTER_JAVASCRIPT or FORMATTER_CAYENNELPP");
	size_t n = parameter < 0 ? 0 : json_raw(&c->body, parameter).n;
	if (*ret != FORMATTER_JAVASCRIPT)
		return 0;
	char *room = malloc(n + 1);
	int e = room ? json_string(&c->body, parameter, room, n + 1) : -ENOMEM;
	if (!e && strlen(room) <= SCRIPT_TEXT_MAX)
		*ret_script = script_new(str_of(room));
	else if (e != -ENOMEM)
		e = problem_say(&c->problem, REGISTRY_E_INVALID, "parameter", "must be a script of at most %d octets", SCRIPT_TEXT_MAX);
	free(room);
	if (!e && (!*ret_script || scripts_intern(&c->as->registry.scripts, ret_script)))
		e = -ENOMEM;
	return e;
}

static int ask_script(struct api_call *c, struct trial *t, const struct script_job *job)
{
	t->ticket = scripts_start(c->as, job);
	return t->ticket ? 0 : problem_say(&c->problem, REGISTRY_E_FULL, "", "too many scripts wait for their turn");
}

/** @return -EINPROGRESS: it is answered */
static int ask_cayenne(struct trial *t, const struct script_job *job)
{
	const struct script_question q = { .call = job->call, .f_port = job->f_port, .bytes = job->bytes, .data = job->data };
	struct builtin b;
	struct script_result r;
	int e = builtin_cayenne(&b, &q, &r);
	if (!e)
		answer(t, &r);
	builtin_done(&b);
	return e ? e : -EINPROGRESS;
}

static int begin(struct api_call *c, struct trial *t)
{
	uint8_t bytes[SCRIPT_BYTES_MAX];
	struct script_job job = { .call = t->call, .whose = c->app->key, .done = answer, .ctx = t };
	enum formatter_kind kind;
	int e = read_message(c, t, bytes, &job);
	if (e)
		return e;
	e = read_formatter(c, t, &kind, &job.script);
	if (!e && kind == FORMATTER_JAVASCRIPT && job.script)
		e = ask_script(c, t, &job);
	else if (!e && kind == FORMATTER_CAYENNELPP)
		e = ask_cayenne(t, &job);
	else if (!e)
		e = problem_say(&c->problem, REGISTRY_E_INVALID, "formatter", "is %s, which makes nothing of a payload here", formatter_name(kind));
	script_release(job.script);
	return e;
}

static void try(void *ctx, struct http_request *r, enum script_call call)
{
	static const struct api_need need = { .what = API_APP | API_DEVICE | API_BODY, .right = RIGHT_APPLICATION_TRAFFIC_READ };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	struct trial *t = malloc(sizeof *t);
	if (t)
		*t = (struct trial){ .as = c.as, .r = r, .call = call, .data = text_growing(OUT_MAX), .out = text_growing(OUT_MAX) };
	int e = t ? begin(&c, t) : -ENOMEM;
	if (!e) {
		http_on_close(r, abandoned, t);
	} else if (e != -EINPROGRESS) {
		api_fail(&c, e);
		if (t)
			trial_free(t);
	}
	api_done(&c);
}

static void decode_uplink(void *ctx, struct http_request *r) { try(ctx, r, SCRIPT_DECODE_UPLINK); }
static void encode_downlink(void *ctx, struct http_request *r) { try(ctx, r, SCRIPT_ENCODE_DOWNLINK); }
static void decode_downlink(void *ctx, struct http_request *r) { try(ctx, r, SCRIPT_DECODE_DOWNLINK); }

#define DEVICE "/api/v3/as/applications/{application_id}/devices/{device_id}"
const struct api_route api_formatter_routes[] = {
	{ HTTP_POST, DEVICE "/up/decode", decode_uplink,
		"APPLICATION_TRAFFIC_READ", "Decode an uplink, with the formatter that is in force or one that is given", "@DecodeUplinkRequest", "@DecodedUplink", "" },
	{ HTTP_POST, DEVICE "/down/encode", encode_downlink,
		"APPLICATION_TRAFFIC_READ", "Encode a downlink, likewise; it is not queued", "@DownlinkFormatterRequest", "@FormattedDownlink", "" },
	{ HTTP_POST, DEVICE "/down/decode", decode_downlink,
		"APPLICATION_TRAFFIC_READ", "Decode a downlink, likewise", "@DownlinkFormatterRequest", "@FormattedDownlink", "" },
	{ .path = NULL },
};
