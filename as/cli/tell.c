/** @file trace and why: what people read as a time line and as prose, and programs as JSON. */
#include "as/cli/cli.h"
#include "as/cli/show/width.h"
#include "as/cli/story/prose.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TOLD_MAX = 256 << 20, PATH_LONGEST = 2048 };

static struct timeline_style style_of_terminal(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	bool is_colored = isatty(STDOUT_FILENO) && !(no_color && *no_color) && !(term && !strcmp(term, "dumb"));
	return (struct timeline_style){ .width = width_of_terminal(), .is_colored = is_colored };
}

/** Print a list of the answer as people read it. */
static int tell(struct cli *c, const char *path, const char *member, int (*write)(struct text *out, const struct json *j, const struct timeline_style *style))
{
	__attribute__((cleanup(text_done_auto))) struct text answer = text_growing(TOLD_MAX), out = text_growing(TOLD_MAX);
	struct timeline_style style = style_of_terminal();
	if (!args_on(&c->args, "table") || args_get(&c->args, "fields"))
		return cli_call(c, "GET", path, STR(""), member);
	int status = client_call(&c->client, "GET", path, STR(""), &answer, NULL, NULL, &c->err);
	if (status < 0)
		return CLI_FAILED;
	if (status >= 300)
		return cli_refused(c, status, text_str(&answer));
	size_t max = answer.len / 2 + 16;
	struct json_tok *tok = calloc(max, sizeof *tok), *inner = calloc(max, sizeof *inner);
	struct json j, list;
	int e = !tok || !inner ? -ENOMEM : json_parse(text_str(&answer), tok, max, &j, NULL);
	if (!e)
		e = json_parse(json_raw(&j, json_get(&j, json_root(&j), member)), inner, max, &list, NULL);
	if (!e)
		e = write(&out, &list, &style);
	if (e)
		text_printf(&c->err, "%s answered with something that cannot be read", c->client.address);
	else
		fputs(out.p ? out.p : "", stdout);
	free(tok);
	free(inner);
	return e ? CLI_FAILED : CLI_OK;
}

static int prose(struct text *out, const struct json *j, const struct timeline_style *style)
{
	prose_write(out, j, style);
	return 0;
}

int trace_main(struct cli *c)
{
	char buf[PATH_LONGEST];
	struct text path = text_fixed(buf, sizeof buf);
	text_puts(&path, "/api/v3/events/related");
	cli_query(&path, "correlation_id", c->operand[0]);
	return tell(c, buf, "events", timeline_write);
}

int why_main(struct cli *c)
{
	char buf[PATH_LONGEST];
	struct text path = text_fixed(buf, sizeof buf);
	const char *gateway = args_get(&c->args, "gateway-id");
	if (gateway ? c->n_operands > 0 : c->n_operands < 2) {
		text_puts(&c->err, gateway ? "a gateway or a device, not both" : "which device? `godwit why APP DEV`; for a gateway, --gateway-id GTW");
		return CLI_USAGE;
	}
	if (gateway) {
		text_puts(&path, "/api/v3/gateways");
		cli_path(&path, gateway, "why", NULL);
	} else {
		text_puts(&path, "/api/v3/applications");
		cli_path(&path, c->operand[0], "devices", c->operand[1], "why", NULL);
		cli_query(&path, "question", c->n_operands > 2 ? c->operand[2] : NULL);
	}
	return tell(c, buf, "answers", prose);
}
