/** @file Whose lines are logged at another level for a while: rules over HTTP, told to the ns, which tells the gs.
 *
 * They are kept in memory only: each ends by itself, and with this process.
 */
#include "as/api/api.h"
#include "as/api/route.h"
#include "common/log.h"
#include <stdlib.h>
#include <string.h>

enum { FOR_DEFAULT_S = 600, FOR_MAX_S = 24 * 3600 };

struct logs {
	struct loop_timer *end; /**< of the rule that ends first */
	struct log_rules told;  /**< scratch */
};

static const char *const levels[] = { [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug" };
static const char *const processes[] = { "gs", "ns", "as" };

static int word_of(const char *const *words, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(words[i], word))
			return (int)i;
	return -1;
}

/* ---- what follows from them ---- */

static void tell(struct as *as)
{
	log_watch_give(&as->watch, loop_now(as->loop)->mono_us, &as->logs->told);
	if (as_ns(as))
		bus_notify(as_ns(as), ASNS_LOGS, &as->logs->told);
}

static void changed(struct as *as)
{
	log_level_of_process(log_watch_process(&as->watch, EVENT_PROCESS_AS));
	loop_timer_at(as->logs->end, log_watch_next(&as->watch));
	tell(as);
}

static void on_end(void *ctx)
{
	struct as *as = ctx;
	log_watch_expire(&as->watch, loop_now(as->loop)->mono_us);
	changed(as);
}

static void link_up(struct as *as, struct bus_peer *ns)
{
	(void)ns;
	tell(as);
}

/* ---- over HTTP ---- */

static void write_subject(struct api_call *c, const struct log_rule *r)
{
	const struct device *d = MSG_HAS(r, device) ? registry_device_by_uid(&c->as->registry, r->device) : NULL;
	if (d) {
		json_name(&c->out, "application_id");
		json_puts(&c->out, d->app->key);
		json_name(&c->out, "device_id");
		json_puts(&c->out, d->id);
	} else if (MSG_HAS(r, gateway_id)) {
		json_name(&c->out, "gateway_id");
		json_puts(&c->out, r->gateway_id);
	} else if (MSG_HAS(r, process) && r->process < COUNT(processes)) {
		json_name(&c->out, "process");
		json_puts(&c->out, processes[r->process]);
	}
}

/** To the second: the two clocks are not read at once. */
static uint64_t end_unix_s(const struct now *now, uint64_t until_us)
{
	uint64_t left_us = until_us > now->mono_us ? until_us - now->mono_us : 0;
	return (now->unix_us + left_us + SEC_US / 2) / SEC_US;
}

static void reply_rules(struct api_call *c)
{
	const struct log_watch *w = &c->as->watch;
	const struct now *now = loop_now(c->as->loop);
	json_open(&c->out, '{');
	json_name(&c->out, "rules");
	json_open(&c->out, '[');
	for (size_t i = 0; i < w->n; i++) {
		json_open(&c->out, '{');
		write_subject(c, &w->v[i].rule);
		json_name(&c->out, "level");
		json_puts(&c->out, levels[w->v[i].rule.level]);
		json_name(&c->out, "expires_at");
		json_time(&c->out, end_unix_s(now, w->v[i].until_us) * SEC_US * 1000);
		json_close(&c->out, '}');
	}
	json_close(&c->out, ']');
	json_close(&c->out, '}');
	api_reply(c);
}

/** What a request says of whose lines it is about. */
struct wish {
	char application_id[APP_KEY_TEXT], device_id[ID_MAX + 1], gateway_id[ID_MAX + 1], process[8], level[8], duration[16];
};

static bool read_member(struct api_call *c, const char *name, char *ret, size_t cap)
{
	int e = json_string(&c->body, json_get(&c->body, c->object, name), ret, cap);
	if (e == -ENOENT)
		*ret = '\0';
	else if (e)
		api_error(c, 400, name, "must be a text of at most %zu characters", cap - 1);
	return !e || e == -ENOENT;
}

static bool read_wish(struct api_call *c, struct wish *w)
{
	return read_member(c, "application_id", w->application_id, sizeof w->application_id) &&
	       read_member(c, "device_id", w->device_id, sizeof w->device_id) &&
	       read_member(c, "gateway_id", w->gateway_id, sizeof w->gateway_id) && read_member(c, "process", w->process, sizeof w->process) &&
	       read_member(c, "level", w->level, sizeof w->level) && read_member(c, "for", w->duration, sizeof w->duration);
}

static int subject_device(struct api_call *c, const struct wish *w, struct log_rule *ret)
{
	const struct app *app = registry_app(&c->as->registry, str_of(w->application_id));
	const struct device *d = app ? registry_device(&c->as->registry, app, str_of(w->device_id)) : NULL;
	if (!w->application_id[0] || !w->device_id[0]) {
		api_error(c, 400, "device_id", "a device is named by application_id and device_id together");
		return -EINVAL;
	}
	if (!d) {
		api_error(c, 404, "device_id", "device %s of application %s not found", w->device_id, w->application_id);
		return -ENOENT;
	}
	MSG_SET(ret, device, d->entry.uid);
	if (d->has_dev_eui)
		MSG_SET(ret, dev_eui, d->dev_eui);
	return 0;
}

/** Whose lines: exactly one of a device, a gateway, a process. @return 0; else it has answered */
static int subject(struct api_call *c, const struct wish *w, struct log_rule *ret)
{
	bool is_device = w->application_id[0] || w->device_id[0];
	int process = word_of(processes, COUNT(processes), w->process);
	*ret = (struct log_rule){ .has = 0 };
	if (is_device + (w->gateway_id[0] != 0) + (w->process[0] != 0) != 1) {
		api_error(c, 400, "", "say whose lines: application_id and device_id, or gateway_id, or process");
		return -EINVAL;
	}
	if (is_device)
		return subject_device(c, w, ret);
	if (w->gateway_id[0]) { /* also one that is heard and not registered */
		str_copy(str_of(w->gateway_id), ret->gateway_id, sizeof ret->gateway_id);
		MSG_MARK(ret, gateway_id);
		return 0;
	}
	if (process < 0) {
		api_error(c, 400, "process", "must be gs, ns or as");
		return -EINVAL;
	}
	MSG_SET(ret, process, (uint32_t)process);
	return 0;
}

static void set_rule(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_ADMIN | API_BODY, RIGHT_N, NULL };
	struct api_call c;
	struct wish w;
	struct log_rule rule;
	uint64_t for_us = FOR_DEFAULT_S * SEC_US;
	if (api_begin(&c, ctx, r, &need))
		return;
	if (read_wish(&c, &w) && !subject(&c, &w, &rule)) {
		int level = word_of(levels, COUNT(levels), w.level);
		rule.level = (uint32_t)level;
		if (level < 0)
			api_error(&c, 400, "level", "must be error, warn, info or debug");
		else if (w.duration[0] && (num_duration_us(str_of(w.duration), &for_us) || !for_us || for_us > FOR_MAX_S * SEC_US))
			api_error(&c, 400, "for", "must be a time of at most 24h, as 10m");
		else if (log_watch_set(&c.as->watch, &rule, loop_now(c.as->loop)->mono_us + for_us))
			api_error(&c, 429, "", "%zu rules are in force already; clear some", c.as->watch.n);
		else {
			changed(c.as);
			reply_rules(&c);
		}
	}
	api_done(&c);
}

static void get_rules(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_ADMIN, RIGHT_N, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	reply_rules(&c);
	api_done(&c);
}

static void clear_rules(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_ADMIN, RIGHT_N, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	c.as->watch.n = 0;
	changed(c.as);
	reply_rules(&c);
	api_done(&c);
}

int logs_start(struct as *as, struct text *err)
{
	static const struct api_route routes[] = {
		{ HTTP_GET, "/api/v3/logs", get_rules, "operator", "Whose lines are logged at another level", "", "@LogRules", "" },
		{ HTTP_POST, "/api/v3/logs", set_rule, "operator",
			"Log the lines of a device, gateway or process at another level for a while", "@LogRule", "@LogRules", "" },
		{ HTTP_DELETE, "/api/v3/logs", clear_rules, "operator", "Log as the configuration says again", "", "@LogRules", "" },
		{ .path = NULL },
	};
	struct logs *l = as->logs = calloc(1, sizeof *l);
	(void)err;
	if (!l)
		return -ENOMEM;
	l->end = loop_timer_new(as->loop, on_end, as);
	if (!l->end)
		return -ENOMEM;
	api_add_routes(as, routes);
	as_add_link(as, link_up, NULL);
	return 0;
}

void logs_stop(struct as *as)
{
	if (as->logs)
		loop_timer_free(as->logs->end);
	free(as->logs);
	as->logs = NULL;
}
