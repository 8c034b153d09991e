/** @file What is stored of devices: their telemetry and their attributes. */
#include "as/cli/cli.h"
#include "common/core/json_out.h"

enum { PATH_MAX_ = 2048 };

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

int telemetry_main(struct cli *c)
{
	static const char *const names[] = { "keys", "from", "to", "limit", "aggregate", "interval" };
	char buf[PATH_MAX_];
	struct text path = path_of(c, &buf, "telemetry");
	for (size_t i = 0; i < COUNT(names); i++)
		cli_query(&path, names[i], args_get(&c->args, names[i]));
	cli_query(&path, "latest", args_on(&c->args, "latest") ? "true" : NULL);
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
