/** @file Payload formatters: tried in a sandbox on this machine, or on the server; and what is to be said where they are set. */
#include "as/cli/cli.h"
#include "as/scripts/builtin.h"
#include "as/scripts/once.h"
#include "as/scripts/shown.h"
#include "common/core/clock.h"
#include "common/core/json_out.h"
#include <stdio.h>
#include <string.h>

enum { PATH_MAX_ = 2048, BODY_MAX_ = 1 << 20, PORT_MAX = 233, TOKENS = 1024 };
#define JAVASCRIPT "FORMATTER_JAVASCRIPT"
#define CAYENNELPP "FORMATTER_CAYENNELPP"

struct trial {
	const char *file, *formatter; /**< NULL: none is named */
	struct text script;           /**< what the file holds */
	struct text message;          /**< the uplink or downlink that the flags say, JSON */
	struct json_tok tok[TOKENS];
	struct json j;
	struct script_question q;
	uint8_t bytes[SCRIPT_BYTES_MAX];
};

static int wrong(struct cli *c, const char *why)
{
	text_puts(&c->err, why);
	return CLI_USAGE;
}

/** Which function is to be called, and with what. */
static int read_question(struct cli *c, struct trial *t)
{
	json_val root = json_root(&t->j), data = json_get(&t->j, root, "decoded_payload"), payload = json_get(&t->j, root, "frm_payload"),
		 time = json_get(&t->j, root, "received_at");
	uint64_t f_port = 0, ns = 0;
	struct str s;
	if ((data < 0) == (payload < 0))
		return wrong(c, "say either --frm-payload, which is decoded, or --decoded-payload, which is encoded");
	if (json_u64(&t->j, json_get(&t->j, root, "f_port"), &f_port) == -EINVAL || f_port < 1 || f_port > PORT_MAX)
		return wrong(c, "--f-port is a number from 1 to 233");
	if (time >= 0 && (json_plain(&t->j, time, &s) || clock_parse_rfc3339(s, &ns)))
		return wrong(c, "--received-at is a time as 2026-03-02T10:20:00Z");
	if (data >= 0 && json_type(&t->j, data) != JSON_OBJECT)
		return wrong(c, "--decoded-payload is a JSON object");
	t->q = (struct script_question){ .f_port = (uint8_t)f_port, .received_unix_us = ns / 1000 };
	t->q.call = data >= 0 ? SCRIPT_ENCODE_DOWNLINK : args_on(&c->args, "downlink") ? SCRIPT_DECODE_DOWNLINK : SCRIPT_DECODE_UPLINK;
	t->q.data = data >= 0 ? json_whole(&t->j, data) : STR("");
	t->q.bytes = (struct slice){ t->bytes, 0 };
	if (payload >= 0 && json_base64(&t->j, payload, t->bytes, sizeof t->bytes, &t->q.bytes.n))
		return wrong(c, "--frm-payload is at most 255 octets");
	return CLI_OK;
}

/** A script from a file, or a formatter by its name, or what the server has. */
static int read_formatter(struct cli *c, struct trial *t)
{
	bool has_app = args_get(&c->args, "application-id"), has_device = args_get(&c->args, "device-id");
	t->file = c->n_operands ? c->operand[0] : NULL;
	t->formatter = args_get(&c->args, "formatter");
	bool is_script = t->formatter && !strcmp(t->formatter, JAVASCRIPT);
	if (has_app != has_device)
		return wrong(c, "--application-id and --device-id go together");
	if (t->formatter && !is_script && strcmp(t->formatter, CAYENNELPP))
		return wrong(c, "--formatter is " CAYENNELPP ", or " JAVASCRIPT " with a file");
	if (t->file && t->formatter && !is_script)
		return wrong(c, "either a file with a script, or --formatter");
	if (!t->file && (is_script || (!has_app && !t->formatter)))
		return wrong(c, "which script? `godwit formatters test FILE`; --formatter " CAYENNELPP "; or --application-id and --device-id");
	if (!t->file)
		return CLI_OK;
	t->formatter = JAVASCRIPT;
	return cli_file(t->file, NULL, &t->script, &c->err);
}

static int read_trial(struct cli *c, struct trial *t)
{
	static const struct flag f_port = { .path = "f_port", .kind = FLAG_VALUE };
	const struct arg usual = { .flag = &f_port, .value = "1" };
	int status = read_formatter(c, t);
	if (!status)
		status = cli_body(c, IN_TRIAL, NULL, &usual, !args_get(&c->args, "f-port"), &t->message);
	if (!status && json_parse(text_str(&t->message), t->tok, COUNT(t->tok), &t->j, NULL))
		status = wrong(c, "--decoded-payload holds too much");
	return status ? status : read_question(c, t);
}

/* ---- on the server ---- */

/** What the server says of a script has its place before it, as compilers say it. @param skip  characters that name the member */
static void place(struct cli *c, const char *file, size_t skip)
{
	char message[1024];
	unsigned line;
	const char *at = str_copy(text_str(&c->err), message, sizeof message) ? NULL : strstr(message + skip, "line ");
	if (!at || sscanf(at, "line %u: ", &line) != 1)
		return;
	text_reset(&c->err);
	shown_failure(&c->err, &(struct script_result){ .line = line, .message = str_of(message + skip) }, file);
	c->has_place = true;
}

static int ask_server(struct cli *c, struct trial *t)
{
	static const char *const leaves[][2] = {
		[SCRIPT_DECODE_UPLINK] = { "up", "decode" },
		[SCRIPT_ENCODE_DOWNLINK] = { "down", "encode" },
		[SCRIPT_DECODE_DOWNLINK] = { "down", "decode" },
	};
	AUTO(text_done) struct text body = text_growing(BODY_MAX_);
	char buf[PATH_MAX_];
	struct text path = text_fixed(buf, sizeof buf);
	const char *wrap = t->q.call == SCRIPT_DECODE_UPLINK ? "uplink" : "downlink";
	text_puts(&path, "/api/v3/as/applications");
	cli_path(&path, args_get(&c->args, "application-id"), "devices", args_get(&c->args, "device-id"), leaves[t->q.call][0],
		leaves[t->q.call][1], NULL);
	json_open(&body, '{');
	json_name(&body, wrap);
	json_raw_out(&body, text_str(&t->message));
	if (t->formatter) {
		json_name(&body, "formatter");
		json_puts(&body, t->formatter);
	}
	if (t->file) {
		json_name(&body, "parameter");
		json_str(&body, text_str(&t->script));
	}
	json_close(&body, '}');
	int status = cli_connect(c);
	if (!status)
		status = cli_call(c, "POST", buf, text_str(&body), wrap);
	if (status && t->file)
		place(c, t->file, 0);
	return status;
}

/* ---- here ---- */

/** Print the message as the network would have it. @return exit status */
static int show(struct cli *c, const struct trial *t, const struct script_result *r)
{
	AUTO(text_done) struct text out = text_growing(BODY_MAX_);
	if (r->outcome != SCRIPT_OK) {
		c->has_place = t->file != NULL;
		shown_failure(&c->err, r, t->file ? t->file : t->formatter);
		return CLI_FAILED;
	}
	json_open(&out, '{');
	if (t->q.call == SCRIPT_ENCODE_DOWNLINK) {
		shown_encoded(&out, r, t->q.f_port, t->q.data);
	} else {
		json_name(&out, "f_port");
		json_num(&out, t->q.f_port);
		json_name(&out, "frm_payload");
		json_b64(&out, t->q.bytes.p, t->q.bytes.n);
		shown_decoded(&out, r);
	}
	json_close(&out, '}');
	if (out.failed)
		return CLI_FAILED;
	cli_print(c, text_str(&out), NULL);
	return CLI_OK;
}

/** @return 0; -errno */
static int call_once(struct cli *c, struct str script, const struct script_question *q, struct script_once_result *ret)
{
	const struct script_once_job job = { .text = script, .question = *q };
	int e = script_once(&job, ret);
	if (e == -EMSGSIZE)
		text_printf(&c->err, "a script has at most %d octets, and a payload %d of JSON", SCRIPT_TEXT_MAX, SCRIPT_JSON_MAX);
	else if (e)
		text_printf(&c->err, "no process can be started for the script: %s", strerror(-e));
	return e;
}

static int try_cayenne(struct cli *c, const struct trial *t)
{
	struct builtin b;
	struct script_result r;
	int status = builtin_cayenne(&b, &t->q, &r) ? CLI_FAILED : show(c, t, &r);
	builtin_done(&b);
	return status;
}

static int try_here(struct cli *c, const struct trial *t)
{
	struct script_once_result r;
	if (!t->file)
		return try_cayenne(c, t);
	if (call_once(c, text_str(&t->script), &t->q, &r))
		return CLI_FAILED;
	int status = show(c, t, &r.result);
	script_once_done(&r);
	return status;
}

int formatters_test_main(struct cli *c)
{
	struct trial t = { .script = text_growing(BODY_MAX_), .message = text_growing(BODY_MAX_) };
	int status = read_trial(c, &t);
	if (!status && args_get(&c->args, "application-id"))
		status = ask_server(c, &t);
	else if (!status)
		status = try_here(c, &t);
	text_done(&t.script);
	text_done(&t.message);
	return status;
}

/* ---- where they are set ---- */

/** What the flags say of this member; NULL: nothing. */
static const struct arg *said(const struct cli *c, const char *path)
{
	const struct arg *found = NULL;
	for (size_t i = 0; i < c->args.n_flags; i++)
		if (c->args.flags[i].flag && !strcmp(c->args.flags[i].flag->path, path))
			found = &c->args.flags[i];
	return found;
}

/** A script without the function that is asked for is worth a note. Whether it compiles is the server's to say, whose engine may be another. */
static void note_function(struct cli *c, const struct arg *script, enum script_call call)
{
	AUTO(text_done) struct text text = text_growing(BODY_MAX_);
	const struct script_question q = { .call = call, .f_port = 1, .data = STR("{}") };
	struct script_once_result r;
	if (script->flag->kind != FLAG_FILE || cli_file(script->value, script->flag->name, &text, &c->err) || call_once(c, text_str(&text), &q, &r))
		return;
	if (r.result.outcome == SCRIPT_NO_FUNCTION)
		fprintf(stderr, "note: %s: %.*s\n", script->value, STR_ARG(r.result.message));
	script_once_done(&r);
}

int formatters_told(struct cli *c, const char *object, int status)
{
	static const char *const directions[] = { "up", "down" };
	for (size_t i = 0; i < COUNT(directions); i++) {
		char path[96], begin[100];
		snprintf(path, sizeof path, "%s.%s_formatter_parameter", object, directions[i]);
		snprintf(begin, sizeof begin, "%s: ", path);
		const struct arg *script = said(c, path);
		if (!script)
			continue;
		if (status == CLI_OK)
			note_function(c, script, i ? SCRIPT_ENCODE_DOWNLINK : SCRIPT_DECODE_UPLINK);
		else if (script->flag->kind == FLAG_FILE && str_starts(text_str(&c->err), begin))
			place(c, script->value, strlen(begin));
	}
	return status;
}
