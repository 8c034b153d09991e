/** @file godwit end-devices export: each device of an application with its keys, session, MAC state and nonces, a line for each. */
#include "as/cli/fleet.h"
#include <stdlib.h>
#include <string.h>

enum { PAGE = 256, LIST_MAX = 256 << 20, DEVICE_MAX = 16 << 20, WHY_MAX = 1024 };

struct exporting {
	struct cli *c;
	struct fleet_http *http;
	struct fleet_progress progress;
	bool is_csv;
	size_t n;               /**< devices of this page */
	struct answer {
		struct exporting *e;
		struct text json; /**< empty: it is gone */
	} answer[PAGE];
	int failed;             /**< HTTP status of one that was refused; -ECONNRESET: no answer */
	char why[WHY_MAX];
};

static void on_answer(void *ctx, int status, struct str body)
{
	struct answer *a = ctx;
	struct exporting *e = a->e;
	if (status == 200)
		text_put(&a->json, body);
	if (status == 200 || status == 404 || e->failed)
		return;
	e->failed = status ? status : -ECONNRESET;
	if (status) {
		struct text err = e->c->err;
		e->c->err = text_fixed(e->why, sizeof e->why);
		cli_refused(e->c, status, body);
		e->c->err = err;
	} else {
		snprintf(e->why, sizeof e->why, "%s does not answer any more", e->c->client.address);
	}
}

/** @return 0; -ENOMEM */
static int ask(struct exporting *e, const char *id)
{
	char buf[512];
	struct text path = text_fixed(buf, sizeof buf);
	struct answer *a = &e->answer[e->n++];
	text_puts(&path, "/api/v3/applications");
	cli_path(&path, e->c->operand[0], "devices", id, "export", NULL);
	a->e = e;
	a->json = text_growing(DEVICE_MAX);
	return fleet_http_send(e->http, "GET", buf, STR(""), on_answer, a);
}

static int print_csv(struct str json)
{
	__attribute__((cleanup(text_done_auto))) struct text row = text_growing(DEVICE_MAX);
	size_t max = json.n / 2 + 16;
	struct json_tok *tok = malloc(max * sizeof *tok);
	struct json j;
	int r = !tok || json_parse(json, tok, max, &j, NULL) ? -ENOMEM : 0;
	if (!r)
		csv_write_device(&row, &j, json_root(&j));
	free(tok);
	if (r || row.failed)
		return -ENOMEM;
	fwrite(row.p, 1, row.len, stdout);
	return 0;
}

/** In the order of the list. @return 0; -EIO; -ENOMEM */
static int print_page(struct exporting *e)
{
	int r = 0;
	for (size_t i = 0; i < e->n; i++) {
		struct text *t = &e->answer[i].json;
		if (!r && !e->failed && t->len && e->is_csv) {
			r = print_csv(text_str(t));
		} else if (!r && !e->failed && t->len) {
			fwrite(t->p, 1, t->len, stdout);
			putchar('\n');
		}
		e->progress.n += t->len > 0;
		text_done(t);
	}
	e->n = 0;
	return r ? r : ferror(stdout) ? -EIO : 0;
}

/** The id of the next device of the list, which the cursor moves behind. @return 0; -ENOENT there is none; -EBADMSG */
static int next_id(struct str *cursor, char *ret, size_t cap)
{
	struct json_tok tok[64];
	struct json j;
	*cursor = str_trim(*cursor);
	if (cursor->n && cursor->p[0] == ',')
		*cursor = (struct str){ cursor->p + 1, cursor->n - 1 };
	if (!cursor->n || cursor->p[0] == ']')
		return -ENOENT;
	if (json_parse_first(*cursor, tok, COUNT(tok), &j, NULL))
		return -EBADMSG;
	struct str device = json_whole(&j, json_root(&j));
	if (json_string(&j, json_get(&j, json_get(&j, json_root(&j), "ids"), "device_id"), ret, cap))
		return -EBADMSG;
	*cursor = (struct str){ device.p + device.n, (size_t)(cursor->p + cursor->n - device.p) - device.n };
	return 0;
}

/** The next devices of the list: ask for them all, then print them. @return 0; -ENOENT the list is at its end; -errno */
static int export_some(struct exporting *e, struct str *cursor)
{
	char id[64];
	int r = 0;
	while (!r && e->n < PAGE) {
		r = next_id(cursor, id, sizeof id);
		if (!r)
			r = ask(e, id);
	}
	fleet_http_wait(e->http);
	int printed = print_page(e);
	return printed ? printed : e->failed ? -ECONNRESET : r;
}

/** The ids of all devices as they are at one moment, so that none is missed where others come and go. @return 0; -ECONNREFUSED */
static int get_list(struct exporting *e, struct text *ret, struct str *ret_cursor)
{
	struct cli *c = e->c;
	char buf[512];
	struct text path = text_fixed(buf, sizeof buf);
	text_puts(&path, "/api/v3/applications");
	cli_path(&path, c->operand[0], "devices", NULL);
	text_puts(&path, "?field_mask=ids");
	int status = client_call(&c->client, "GET", buf, STR(""), ret, NULL, NULL, &c->err);
	if (status >= 300)
		cli_refused(c, status, text_str(ret));
	if (status < 0 || status >= 300)
		return -ECONNREFUSED;
	const char *list = memchr(ret->p, '[', ret->len);
	*ret_cursor = list ? (struct str){ list + 1, ret->len - (size_t)(list + 1 - ret->p) } : STR("");
	return 0;
}

static int export_all(struct exporting *e)
{
	__attribute__((cleanup(text_done_auto))) struct text list = text_growing(LIST_MAX);
	struct str cursor;
	int r = get_list(e, &list, &cursor);
	if (!r && e->is_csv) {
		__attribute__((cleanup(text_done_auto))) struct text header = text_growing(WHY_MAX);
		csv_write_header(&header);
		fwrite(header.p, 1, header.len, stdout);
	}
	while (!r && !fleet_is_stopped) {
		r = export_some(e, &cursor);
		e->progress.percent = (unsigned)((list.len - cursor.n) * 100 / list.len);
		fleet_progress_show(&e->progress);
	}
	fleet_progress_clear(&e->progress);
	if (r == -ENOENT)
		return CLI_OK;
	if (fleet_is_stopped)
		text_puts(&e->c->err, "interrupted: what was written is not all of it");
	else if (e->failed)
		text_puts(&e->c->err, e->why);
	else if (r == -EIO || r == -EBADMSG)
		text_puts(&e->c->err, r == -EIO ? "the output cannot be written" : "the list of devices cannot be read");
	return CLI_FAILED;
}

int fleet_export(struct cli *c)
{
	const char *format = args_get(&c->args, "format");
	struct exporting *e = calloc(1, sizeof *e);
	if (!e)
		return CLI_FAILED;
	e->c = c;
	e->is_csv = format && !strcmp(format, "csv");
	int status = CLI_FAILED;
	if (format && !e->is_csv && strcmp(format, "json")) {
		text_puts(&c->err, "--format is json or csv");
		status = CLI_USAGE;
	} else if (!fleet_http_open(&c->client, &e->http, &c->err)) {
		fleet_catch_stop();
		fleet_progress_start(&e->progress, "written");
		status = export_all(e);
	}
	fleet_http_close(e->http);
	free(e);
	return status;
}
