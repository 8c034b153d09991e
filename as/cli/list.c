/** @file Lists: page after page, so that a list of any length takes bounded memory here and there; as JSON or as a table. */
#include "as/cli/fleet.h"
#include "as/cli/show/select.h"
#include "as/cli/show/table.h"
#include <stdlib.h>
#include <string.h>

enum { PAGE = 500, PATH_CAP = 2048, PAGE_MAX = 64 << 20, MORE_MAX = 1 << 20 };

/** What is asked about each row, where something is shown that the list does not say. */
struct more {
	struct text json;  /**< empty: nothing was answered */
	struct json_tok *tok;
	struct json j;
	bool is_good;
};

struct listing {
	struct cli *c;
	const struct cli_list *what;
	const char *fields;
	struct table table;
	bool is_table, wants_more;
	uint64_t n_printed;
	struct fleet_http *http;
	struct more *more; /**< one for each row of the page */
};

static void on_more(void *ctx, int status, struct str body)
{
	struct more *m = ctx;
	size_t max = body.n / 2 + 16;
	if (status != 200)
		return;
	m->json = text_growing(MORE_MAX);
	text_put(&m->json, body);
	m->tok = malloc(max * sizeof *m->tok);
	m->is_good = m->tok && !m->json.failed && !json_parse(text_str(&m->json), m->tok, max, &m->j, NULL);
}

/** Ask about a row: `what->more` with its id in the place of the `*`. */
static int ask_more(struct listing *l, const struct json *j, json_val row, struct more *m)
{
	char buf[PATH_CAP], id[80];
	struct text path = text_fixed(buf, sizeof buf);
	if (json_string(j, cell_at(j, row, str_of(l->what->id)), id, sizeof id))
		return 0;
	const char *star = strchr(l->what->more, '*');
	text_put(&path, (struct str){ l->what->more, (size_t)(star - l->what->more) });
	if (l->what->app)
		cli_path(&path, l->what->app, NULL);
	text_puts(&path, l->what->app ? "/devices" : "");
	cli_path(&path, id, NULL);
	text_puts(&path, star + 1);
	return fleet_http_send(l->http, "GET", buf, STR(""), on_more, m);
}

static void forget_more(struct listing *l, size_t n)
{
	for (size_t i = 0; l->more && i < n; i++) {
		text_done(&l->more[i].json);
		free(l->more[i].tok);
	}
	free(l->more);
	l->more = NULL;
}

/** For all rows of a page, many at a time. What is not answered is not shown. @return 0; -errno */
static int get_more(struct listing *l, const struct json *j, json_val list, size_t n)
{
	size_t i = 0;
	l->more = calloc(n + 1, sizeof *l->more);
	if (!l->more)
		return -ENOMEM;
	if (!l->http)
		TRY(fleet_http_open(&l->c->client, &l->http, &l->c->err));
	for (json_val v = json_first(j, list); v >= 0; v = json_next(j, v))
		TRY(ask_more(l, j, v, &l->more[i++]));
	fleet_http_wait(l->http);
	return 0;
}

static int print_row(struct listing *l, const struct json *j, json_val v, const struct more *m)
{
	bool is_more = m && m->is_good;
	if (l->is_table) {
		table_row(&l->table, &(struct row){ .j = j, .v = v, .more = is_more ? &m->j : NULL });
		return 0;
	}
	__attribute__((cleanup(text_done_auto))) struct text t = text_growing(MORE_MAX);
	const struct json *of = is_more ? &m->j : j;
	json_val which = is_more ? json_root(&m->j) : v;
	if (l->fields)
		select_write(&t, of, which, l->fields);
	else
		text_put(&t, json_whole(of, which));
	if (t.failed)
		return -ENOMEM;
	cli_print_element(text_str(&t), l->n_printed == 0);
	return 0;
}

/** @return how many rows the page had; -errno */
static int print_page(struct listing *l, struct str body, size_t *ret_n)
{
	size_t max = body.n / 2 + 16, i = 0;
	struct json_tok *tok = malloc(max * sizeof *tok);
	struct json j;
	*ret_n = 0;
	if (!tok || json_parse(body, tok, max, &j, NULL)) {
		text_printf(&l->c->err, "%s answered with something that is not JSON", l->c->client.address);
		free(tok);
		return -EBADMSG;
	}
	json_val list = json_get(&j, json_root(&j), l->what->member);
	size_t n = list >= 0 && json_type(&j, list) == JSON_ARRAY ? json_count(&j, list) : 0;
	int r = n && l->wants_more ? get_more(l, &j, list, n) : 0;
	for (json_val v = n ? json_first(&j, list) : -1; v >= 0 && !r; v = json_next(&j, v), l->n_printed++, i++)
		r = print_row(l, &j, v, l->more ? &l->more[i] : NULL);
	forget_more(l, n);
	free(tok);
	*ret_n = n;
	return r;
}

/** What is looked for, and in which order. */
static void query_search(const struct cli *c, struct text *path)
{
	static const struct {
		const char *flag, *name;
	} queries[] = { { "order", "order" }, { "id-contains", "id_contains" }, { "name-contains", "name_contains" },
		{ "description-contains", "description_contains" }, { "dev-eui-contains", "dev_eui_contains" }, { "join-eui-contains", "join_eui_contains" },
		{ "eui-contains", "eui_contains" } };
	for (size_t i = 0; i < COUNT(queries); i++)
		cli_query(path, queries[i].name, args_get(&c->args, queries[i].flag));
}

/** One request. @return exit status */
static int get_page(struct listing *l, const char *limit, const char *page, size_t *ret_n)
{
	__attribute__((cleanup(text_done_auto))) struct text body = text_growing(PAGE_MAX);
	struct cli *c = l->c;
	char buf[PATH_CAP];
	struct text path = text_fixed(buf, sizeof buf);
	text_puts(&path, l->what->path);
	cli_query(&path, "limit", limit);
	cli_query(&path, "page", page);
	query_search(c, &path);
	int status = client_call(&c->client, "GET", buf, STR(""), &body, NULL, NULL, &c->err);
	if (status >= 300)
		return cli_refused(c, status, text_str(&body));
	if (status < 0 || body.failed) {
		if (body.failed)
			text_puts(&c->err, "the answer is too long: --limit and --page take it in pieces");
		return CLI_FAILED;
	}
	return print_page(l, text_str(&body), ret_n) ? CLI_FAILED : CLI_OK;
}

/** All pages, or the one that is said. @return exit status */
static int get_pages(struct listing *l)
{
	const char *limit = args_get(&l->c->args, "limit"), *page = args_get(&l->c->args, "page");
	char size[16], number[24];
	size_t n = 0;
	int status;
	if (limit || page || !l->what->is_paged) {
		status = get_page(l, limit || !page ? limit : "50", page, &n);
		if (!status && l->is_table)
			table_print(&l->table, true);
		return status;
	}
	snprintf(size, sizeof size, "%d", PAGE);
	for (unsigned long i = 1;; i++) {
		snprintf(number, sizeof number, "%lu", i);
		status = get_page(l, size, number, &n);
		if (status)
			return status;
		if (l->is_table && (n || i == 1))
			table_print(&l->table, i == 1 && n < PAGE);
		if (n < PAGE)
			return CLI_OK;
	}
}

bool cli_live(const struct cli *c, struct text *ret)
{
	static const struct {
		const char *flag, *member;
	} live[] = { { "session", "session" }, { "pending-session", "pending_session" }, { "mac-state", "mac_state" }, { "last-seen-at", "last_seen_at" } };
	const char *fields = args_get(&c->args, "fields");
	size_t before = ret->len;
	for (size_t i = 0; i < COUNT(live); i++) {
		if (!args_on(&c->args, live[i].flag) && !(fields && select_touches(fields, live[i].member)))
			continue;
		text_puts(ret, ret->len > before ? "," : "");
		text_puts(ret, live[i].member);
	}
	return ret->len > before;
}

int cli_list(struct cli *c, const struct cli_list *what)
{
	struct listing l = { .c = c, .what = what, .fields = args_get(&c->args, "fields"), .is_table = args_on(&c->args, "table") };
	char buf[PATH_CAP];
	struct text live = text_fixed(buf, sizeof buf);
	int status = CLI_OK;
	if (l.is_table && table_begin(&l.table, what->member, l.fields)) {
		text_printf(&c->err, "--fields takes at most %d for a table", TABLE_COLUMNS);
		status = CLI_USAGE;
	}
	l.wants_more = what->more && ((l.is_table && !l.fields && table_wants_more(&l.table)) || (what->has_live && cli_live(c, &live)));
	if (!status)
		status = get_pages(&l);
	if (!status && !l.is_table)
		cli_print_end(l.n_printed == 0);
	fleet_http_close(l.http);
	table_done(&l.table);
	return status;
}
