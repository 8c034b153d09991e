/** @file What is stored of devices: their telemetry and their attributes. */
#include "as/cli/cli.h"
#include "common/core/clock.h"
#include "common/core/json_out.h"
#include <stdlib.h>

enum { PATH_MAX_ = 2048, ANSWER_MAX = 64 << 20 };

static struct text path_of(struct cli *c, char (*buf)[PATH_MAX_], const char *leaf)
{
	struct text path = text_fixed(*buf, sizeof *buf);
	text_puts(&path, "/api/v3/as/applications");
	cli_path(&path, c->operand[0], "devices", c->operand[1], leaf, NULL);
	return path;
}

/** The path of a scope. @return exit status */
static int scope_path(struct cli *c, char (*buf)[PATH_MAX_], struct text *ret)
{
	const char *scope = args_get(&c->args, "scope");
	if (!scope || !*scope) {
		text_puts(&c->err, "say which attributes are meant: --scope shared, server or client");
		return CLI_USAGE;
	}
	*ret = path_of(c, buf, "attributes");
	cli_path(ret, scope, NULL);
	return CLI_OK;
}

/** {"key":[{"ts","value"},…],…} as a list of rows, for people: key by key, newest first. */
static void write_rows(struct text *t, const struct json *j)
{
	json_open(t, '[');
	for (json_val m = json_first(j, json_root(j)); m >= 0; m = json_next(j, m)) {
		json_val values = json_member_value(j, m);
		for (json_val v = json_first(j, values); v >= 0; v = json_next(j, v)) {
			char buf[48];
			struct text time = text_fixed(buf, sizeof buf);
			uint64_t ms = 0;
			(void)json_u64(j, json_get(j, v, "ts"), &ms); /* the AS gives each its time */
			clock_rfc3339(&time, ms * 1000000);
			json_open(t, '{');
			json_name(t, "key");
			json_raw_out(t, json_whole(j, m));
			json_name(t, "time");
			json_puts(t, buf);
			json_name(t, "value");
			json_raw_out(t, json_whole(j, json_get(j, v, "value")));
			json_close(t, '}');
		}
	}
	json_close(t, ']');
}

static int telemetry_table(struct cli *c, const char *path)
{
	AUTO(text_done) struct text answer = text_growing(ANSWER_MAX), rows = text_growing(4 * (size_t)ANSWER_MAX);
	struct json j;
	int status = client_call(&c->client, "GET", path, STR(""), &answer, NULL, NULL, &c->err);
	if (status < 0)
		return CLI_FAILED;
	if (status >= 300)
		return cli_refused(c, status, text_str(&answer));
	size_t max = answer.len / 2 + 16;
	struct json_tok *tok = calloc(max, sizeof *tok);
	bool is_read = tok && !json_parse(text_str(&answer), tok, max, &j, NULL);
	if (is_read)
		write_rows(&rows, &j);
	free(tok);
	if (!is_read || rows.failed) {
		text_puts(&c->err, "the answer is too large for a table");
		return CLI_FAILED;
	}
	cli_print(c, text_str(&rows), "readings");
	return CLI_OK;
}

int telemetry_main(struct cli *c)
{
	static const char *const names[] = { "keys", "from", "to", "limit", "aggregate", "interval" };
	char buf[PATH_MAX_];
	struct text path = path_of(c, &buf, "telemetry");
	for (size_t i = 0; i < COUNT(names); i++)
		cli_query(&path, names[i], args_get(&c->args, names[i]));
	cli_query(&path, "latest", args_on(&c->args, "latest") ? "true" : NULL);
	if (args_on(&c->args, "table"))
		return telemetry_table(c, buf);
	return cli_call(c, "GET", buf, STR(""), NULL);
}

int attributes_get_main(struct cli *c)
{
	char buf[PATH_MAX_];
	struct text path = path_of(c, &buf, "attributes");
	const char *scope = args_get(&c->args, "scope");
	if (scope)
		cli_path(&path, scope, NULL);
	cli_query(&path, "keys", args_get(&c->args, "keys"));
	cli_query(&path, "times", args_on(&c->args, "times") ? "true" : NULL);
	return cli_call(c, "GET", buf, STR(""), NULL);
}

int attributes_set_main(struct cli *c)
{
	char buf[PATH_MAX_];
	struct text path;
	const char *json = args_get(&c->args, "json");
	int status = scope_path(c, &buf, &path);
	if (status)
		return status;
	if (!json) {
		text_puts(&c->err, "say what to set: --json '{\"interval\":60}'");
		return CLI_USAGE;
	}
	return cli_call(c, "PUT", buf, str_of(json), NULL);
}

int attributes_delete_main(struct cli *c)
{
	char buf[PATH_MAX_];
	struct text path;
	const char *keys = args_get(&c->args, "keys");
	int status = scope_path(c, &buf, &path);
	if (status)
		return status;
	if (!keys || !*keys) {
		text_puts(&c->err, "say what to delete: --keys interval,unit");
		return CLI_USAGE;
	}
	cli_query(&path, "keys", keys);
	return cli_call(c, "DELETE", buf, STR(""), NULL);
}
