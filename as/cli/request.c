/** @file One call of the API: path, request, answer or error. */
#include "as/cli/cli.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MAX = 256 << 20 };

int cli_connect(struct cli *c)
{
	const struct client_flags flags = { .address = args_get(&c->args, "address"), .key = args_get(&c->args, "api-key"),
		.state_dir = args_get(&c->args, "state-dir"), .ca = args_get(&c->args, "ca") };
	return client_find(&c->client, &flags, &c->err) ? CLI_FAILED : CLI_OK;
}

static void encode(struct text *t, const char *z)
{
	for (; *z; z++) {
		bool plain = strchr("-._~@", *z) || (*z >= '0' && *z <= '9') || (*z >= 'a' && *z <= 'z') ||
			     (*z >= 'A' && *z <= 'Z');
		if (plain)
			text_putc(t, *z);
		else
			text_printf(t, "%%%02X", (unsigned char)*z);
	}
}

void cli_path(struct text *path, ...)
{
	va_list parts;
	va_start(parts, path);
	for (const char *part; (part = va_arg(parts, const char *));) {
		text_putc(path, '/');
		encode(path, part);
	}
	va_end(parts);
}

void cli_query(struct text *path, const char *name, const char *value)
{
	if (!value)
		return;
	text_printf(path, "%c%s=", strchr(path->p, '?') ? '&' : '?', name);
	encode(path, value);
}

/** {"code":5,"message":"…","details":[]} as "error: …" */
int cli_refused(struct cli *c, int status, struct str body)
{
	struct json_tok tok[256];
	struct json j;
	char message[1024];
	if (!json_parse(body, tok, COUNT(tok), &j, NULL) &&
		!json_string(&j, json_get(&j, json_root(&j), "message"), message, sizeof message))
		text_puts(&c->err, message);
	else
		text_printf(&c->err, "%s answered with HTTP status %d", c->client.address, status);
	return CLI_FAILED;
}

/** The part of the answer that is asked for: a member (an absent one is an empty list), or all. */
static int print_member(struct cli *c, struct str body, const char *member)
{
	size_t max = body.n / 2 + 16;
	struct json_tok *tok = calloc(max, sizeof *tok);
	struct json j;
	int status = CLI_OK;
	if (!tok || json_parse(body, tok, max, &j, NULL)) {
		text_printf(&c->err, "%s answered with something that is not JSON", c->client.address);
		status = CLI_FAILED;
	} else {
		json_val v = json_get(&j, json_root(&j), member);
		cli_print(c, v < 0 || json_type(&j, v) == JSON_NULL ? STR("[]") : json_whole(&j, v), member);
	}
	free(tok);
	return status;
}

int cli_call(struct cli *c, const char *method, const char *path, struct str body, const char *member)
{
	__attribute__((cleanup(text_done_auto))) struct text answer = text_growing(ANSWER_MAX);
	int status = client_call(&c->client, method, path, body, &answer, NULL, NULL, &c->err);
	if (status < 0)
		return CLI_FAILED;
	if (status >= 300)
		return cli_refused(c, status, text_str(&answer));
	struct str json = text_str(&answer).n ? text_str(&answer) : STR("{}");
	if (member)
		return print_member(c, json, member);
	cli_print(c, json, NULL);
	return CLI_OK;
}
