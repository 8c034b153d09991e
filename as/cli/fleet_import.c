/** @file godwit end-devices import: each device of a file in a request of its own, which takes it whole or refuses it with a reason. */
#include "as/cli/fleet.h"
#include "common/core/json_out.h"
#include <stdlib.h>
#include <string.h>

enum { NOTES_MAX = 8, WHY_MAX = 1024, ID_SHOWN = 64 };

struct importing {
	struct cli *c;
	struct fleet_http *http;
	struct fleet_file file;
	struct fleet_progress progress;
	struct json_tok *tok; /**< grown to the longest device */
	size_t n_tok;
	char path[1024];
	uint64_t created, present, updated, refused;
	bool has_no_answer;   /**< the server is gone: there is no use in going on */
	char hopeless[WHY_MAX]; /**< nor where it takes none, whatever it is: a right is missing, the application, room on the disk */
	struct {
		char text[160];
		uint64_t n;
	} note[NOTES_MAX];
};

/** A request on its way. */
struct item {
	struct importing *i;
	unsigned long line;
	char id[ID_SHOWN];
};

/* ---- what is reported ---- */

static void refuse(struct importing *i, unsigned long line, const char *id, const char *why)
{
	i->refused++;
	fleet_progress_clear(&i->progress);
	fprintf(stderr, "line %lu%s%s: %s\n", line, *id ? " " : "", id, why);
}

static void take_note(struct importing *i, const char *text)
{
	for (size_t k = 0; k < NOTES_MAX; k++) {
		if (!i->note[k].n)
			snprintf(i->note[k].text, sizeof i->note[k].text, "%s", text);
		if (!strcmp(i->note[k].text, text)) {
			i->note[k].n++;
			return;
		}
	}
}

static void take_outcome(struct importing *i, struct str body)
{
	struct json_tok tok[64];
	struct json j;
	char text[160] = "";
	if (json_parse(body, tok, COUNT(tok), &j, NULL))
		return;
	(void)json_string(&j, json_get(&j, json_root(&j), "outcome"), text, sizeof text);
	i->created += !strcmp(text, "created");
	i->present += !strcmp(text, "present");
	i->updated += !strcmp(text, "updated");
	json_val notes = json_get(&j, json_root(&j), "notes");
	for (json_val v = json_first(&j, notes); v >= 0; v = json_next(&j, v))
		if (!json_string(&j, v, text, sizeof text))
			take_note(i, text);
}

static void on_answer(void *ctx, int status, struct str body)
{
	struct item *item = ctx;
	struct importing *i = item->i;
	i->progress.n++;
	if (status == 200) {
		take_outcome(i, body);
	} else if (!status) {
		i->has_no_answer = true;
		i->progress.n--;
	} else {
		bool is_hopeless = status == 401 || status == 403 || status == 404 || status == 503;
		char why[WHY_MAX], *to = is_hopeless ? i->hopeless : why;
		i->c->err = text_fixed(to, WHY_MAX);
		cli_refused(i->c, status, body);
		if (!is_hopeless)
			refuse(i, item->line, item->id, why);
	}
	free(item);
}

/* ---- one device ---- */

/** Its id, for people; "" if it has none. @return 0; -EBADMSG it is no JSON; -ENOMEM */
static int find_id(struct importing *i, struct str json, char ret[ID_SHOWN])
{
	struct json j;
	size_t need = json.n / 2 + 16;
	if (need > i->n_tok) {
		struct json_tok *more = realloc(i->tok, need * sizeof *more);
		if (!more)
			return -ENOMEM;
		i->tok = more;
		i->n_tok = need;
	}
	ret[0] = '\0';
	if (json_parse(json, i->tok, i->n_tok, &j, NULL))
		return -EBADMSG;
	json_val device = json_get(&j, json_root(&j), "end_device");
	json_val ids = json_get(&j, device >= 0 ? device : json_root(&j), "ids");
	(void)json_string(&j, json_get(&j, ids, "device_id"), ret, ID_SHOWN);
	return 0;
}

/** @return 0; -ENOMEM */
static int send_device(struct importing *i)
{
	struct item *item = malloc(sizeof *item);
	struct str json = text_str(&i->file.json);
	if (!item)
		return -ENOMEM;
	*item = (struct item){ .i = i, .line = i->file.item_line };
	int r = find_id(i, json, item->id);
	if (r == -EBADMSG)
		refuse(i, item->line, "", "it is no JSON");
	else if (!r)
		r = fleet_http_send(i->http, "POST", i->path, json, on_answer, item);
	if (r)
		free(item);
	return r == -EBADMSG ? 0 : r;
}

/** @return 0; -EINVAL the file cannot be read further, with a line in *why; -ENOMEM */
static int send_all(struct importing *i, struct text *why)
{
	int r = 0;
	while (r >= 0 && !fleet_is_stopped && !i->has_no_answer && !i->hopeless[0]) {
		text_reset(why);
		r = fleet_file_next(&i->file, why);
		if (r == FLEET_END)
			break;
		if (r == FLEET_BAD)
			refuse(i, i->file.item_line, "", why->p);
		else if (r == FLEET_DEVICE)
			r = send_device(i);
		if (i->file.size)
			i->progress.percent = (unsigned)(i->file.octets * 100 / i->file.size);
		fleet_progress_show(&i->progress);
	}
	fleet_http_wait(i->http);
	fleet_progress_clear(&i->progress);
	return r < 0 && !fleet_is_stopped ? r : 0; /* a stop ends a read too */
}

/* ---- the whole ---- */

static void print_count(struct text *t, const char *name, uint64_t n)
{
	json_name(t, name);
	json_unum(t, n);
}

static void print_summary(struct importing *i, bool is_whole)
{
	char buf[512];
	struct text t = text_fixed(buf, sizeof buf);
	for (size_t k = 0; k < NOTES_MAX && i->note[k].n; k++)
		fprintf(stderr, "note: %llu device%s: %s\n", (unsigned long long)i->note[k].n, i->note[k].n == 1 ? "" : "s", i->note[k].text);
	json_open(&t, '{');
	print_count(&t, "created", i->created);
	print_count(&t, "updated", i->updated);
	print_count(&t, "present", i->present);
	print_count(&t, "refused", i->refused);
	json_name(&t, "is_whole");
	json_truth(&t, is_whole);
	json_name(&t, "dry_run");
	json_truth(&t, args_on(&i->c->args, "dry-run"));
	json_close(&t, '}');
	cli_print(i->c, text_str(&t), NULL);
}

static int say_end(struct importing *i, int r, const struct text *why)
{
	struct text *err = &i->c->err;
	if (r == -ENOMEM)
		return CLI_FAILED;
	if (r)
		text_printf(err, "line %lu: %s", i->file.item_line, why->p);
	else if (i->hopeless[0])
		text_puts(err, i->hopeless);
	else if (i->has_no_answer)
		text_printf(err, "%s does not answer any more: run it again, and it goes on where it was", i->c->client.address);
	else if (fleet_is_stopped)
		text_puts(err, "interrupted: run it again, and it goes on where it was");
	else if (i->refused)
		text_printf(err, "%llu device%s refused", (unsigned long long)i->refused, i->refused == 1 ? " was" : "s were");
	return r || i->hopeless[0] || i->has_no_answer || fleet_is_stopped || i->refused ? CLI_FAILED : CLI_OK;
}

static int import(struct importing *i)
{
	struct cli *c = i->c;
	char buf[WHY_MAX];
	struct text path = text_fixed(i->path, sizeof i->path), why = text_fixed(buf, sizeof buf), err = c->err;
	text_puts(&path, "/api/v3/applications");
	cli_path(&path, c->operand[0], "devices", "import", NULL);
	cli_query(&path, "update", args_on(&c->args, "update") ? "true" : NULL);
	cli_query(&path, "dry_run", args_on(&c->args, "dry-run") ? "true" : NULL);
	cli_query(&path, "frequency_plan_id", args_get(&c->args, "frequency-plan-id"));
	cli_query(&path, "lorawan_version", args_get(&c->args, "lorawan-version"));
	cli_query(&path, "lorawan_phy_version", args_get(&c->args, "lorawan-phy-version"));
	if (fleet_file_open(&i->file, c->operand[1], &c->err) || fleet_http_open(&c->client, &i->http, &c->err))
		return CLI_FAILED;
	fleet_catch_stop();
	fleet_progress_start(&i->progress, "taken");
	int r = send_all(i, &why);
	c->err = err;
	int status = say_end(i, r, &why);
	print_summary(i, !status || (!r && !i->hopeless[0] && !i->has_no_answer && !fleet_is_stopped));
	return status;
}

int fleet_import(struct cli *c)
{
	struct importing *i = calloc(1, sizeof *i);
	if (!i)
		return CLI_FAILED;
	i->c = c;
	int status = import(i);
	fleet_http_close(i->http);
	fleet_file_close(&i->file);
	free(i->tok);
	free(i);
	return status;
}
