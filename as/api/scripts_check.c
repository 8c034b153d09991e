/** @file Scripts that a request brings are compiled before they are taken. */
#include "as/api/scripts_check.h"
#include "as/scripts/pool.h"
#include <stdio.h>
#include <stdlib.h>

enum { DIRECTIONS = 2 };

/** A request whose scripts are being looked at. */
struct check {
	struct as *as;
	struct http_request *r;
	void (*again)(void *ctx, struct http_request *r);
	struct part {
		struct check *of;
		uint64_t ticket; /**< 0: done, or never asked */
		char path[64];
	} part[DIRECTIONS];
	struct problem problem; /**< of the first that does not compile */
};

/** The request of which all is known, while its handler is called anew. */
static const struct http_request *known;

static bool is_waiting(const struct check *k)
{
	return k->part[0].ticket || k->part[1].ticket;
}

static void abandoned(void *ctx)
{
	struct check *k = ctx;
	for (size_t i = 0; i < DIRECTIONS; i++)
		if (k->part[i].ticket)
			scripts_cancel(k->as, k->part[i].ticket);
	free(k);
}

static void go_on(struct check *k)
{
	http_on_close(k->r, NULL, NULL);
	if (k->problem.message[0]) {
		struct api_call c = { .as = k->as, .r = k->r };
		api_error(&c, 400, k->problem.field, "%s", k->problem.message);
	} else {
		known = k->r;
		k->again(k->as, k->r);
		known = NULL;
	}
	free(k);
}

static void compiled(void *ctx, const struct script_result *r)
{
	struct part *p = ctx;
	struct check *k = p->of;
	p->ticket = 0;
	if (r->outcome == SCRIPT_SYNTAX && !k->problem.message[0])
		problem_say(&k->problem, REGISTRY_E_INVALID, p->path, "%.*s", STR_ARG(r->message));
	if (!is_waiting(k))
		go_on(k);
}

/** Ask for the script of one direction, if it is one that was not there. */
static int ask(struct check *k, struct app *a, struct part *p, struct formatter *wish, const struct formatter *before, enum script_call call)
{
	static const uint8_t nothing[1];
	if (wish->kind != FORMATTER_JAVASCRIPT || !wish->script)
		return 0;
	if (scripts_intern(&k->as->registry.scripts, &wish->script))
		return -ENOMEM;
	const struct script_job job = { .call = call, .script = wish->script, .whose = a ? a->key : "", .f_port = 1, .bytes = { nothing, 0 },
		.data = STR("{}"), .done = compiled, .ctx = p };
	if (!before || before->kind != FORMATTER_JAVASCRIPT || before->script != wish->script)
		p->ticket = scripts_start(k->as, &job);
	return 0;
}

int api_scripts_check(struct api_call *c, const char *path, struct formatters *wish, const struct formatters *before,
	void (*again)(void *ctx, struct http_request *r))
{
	if (known == c->r)
		return 0;
	struct check *k = calloc(1, sizeof *k);
	if (!k)
		return -ENOMEM;
	*k = (struct check){ .as = c->as, .r = c->r, .again = again };
	for (size_t i = 0; i < DIRECTIONS; i++) {
		k->part[i].of = k;
		snprintf(k->part[i].path, sizeof k->part[i].path, "%s.%s_formatter_parameter", path, i ? "down" : "up");
	}
	int e = ask(k, c->app, &k->part[0], &wish->up, before ? &before->up : NULL, SCRIPT_DECODE_UPLINK);
	if (!e)
		e = ask(k, c->app, &k->part[1], &wish->down, before ? &before->down : NULL, SCRIPT_ENCODE_DOWNLINK);
	if (e || !is_waiting(k)) {
		abandoned(k);
		return e;
	}
	http_on_close(k->r, abandoned, k);
	return -EINPROGRESS;
}
