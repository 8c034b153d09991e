/** @file Lists of events over HTTP. */
#include "as/event_list.h"
#include "as/traces.h"
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MAX = 32 << 20, LINE_MAX_BYTES = 64 << 10 };

struct list {
	struct as *as;
	struct http_request *request;
	struct event_view *view;
	char *correlation_id;
	struct traces_search *search;
	struct text out, line;
	size_t n;
};

static void list_free(struct list *l)
{
	text_done(&l->out);
	text_done(&l->line);
	free(l->correlation_id);
	free(l->view);
	free(l);
}

/** The asker is gone. */
static void abandoned(void *ctx)
{
	struct list *l = ctx;
	traces_forget(l->search);
	list_free(l);
}

static void tell(void *ctx, const struct trace_event *e)
{
	struct list *l = ctx;
	/* Each is a document of its own. */
	text_reset(&l->line);
	event_json_write(l->as, &l->line, e);
	text_puts(&l->out, l->n++ ? "," : "");
	text_put(&l->out, text_str(&l->line));
}

static void done(void *ctx)
{
	struct list *l = ctx;
	struct http_request *r = l->request;
	http_on_close(r, NULL, NULL);
	text_printf(&l->out, "],\"lost\":%llu}", (unsigned long long)traces_lost(l->as));
	if (l->out.failed)
		http_reply_error(r, 503, "the answer is too large: ask for fewer with ?limit");
	else
		http_reply_json(r, 200, text_str(&l->out));
	list_free(l);
}

static struct list *list_new(struct api_call *c, struct event_view *take_view, const char *correlation_id)
{
	struct list *l = calloc(1, sizeof *l);
	char *id = correlation_id ? strdup(correlation_id) : NULL;
	if (!l || (correlation_id && !id)) {
		free(take_view);
		free(id);
		free(l);
		return NULL;
	}
	*l = (struct list){ .as = c->as, .request = c->r, .view = take_view, .correlation_id = id, .out = text_growing(ANSWER_MAX),
		.line = text_growing(LINE_MAX_BYTES) };
	text_puts(&l->out, "{\"events\":[");
	return l;
}

void event_list(struct api_call *c, struct event_view *take_view, const char *correlation_id, size_t max)
{
	struct list *l = list_new(c, take_view, correlation_id);
	if (!l) {
		api_fail(c, -ENOMEM);
		return;
	}
	struct traces_query q = { .view = l->view, .correlation_id = l->correlation_id, .max = max, .tell = tell, .done = done, .ctx = l };
	if (!max) {
		done(l);
		return;
	}
	int r = traces_find(c->as, &q, &l->search);
	if (!r) {
		http_on_close(c->r, abandoned, l);
		return;
	}
	list_free(l);
	if (r == -EBUSY)
		api_error(c, 429, "", "so many are asking for events that it would take long: ask again");
	else
		api_fail(c, r);
}
