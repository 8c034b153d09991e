/** @file The HTTP API's common part: keys, bodies, answers, errors. */
#include "as/api/lists.h"
#include "as/api/routes.h"
#include "as/core/registry/record_json.h"
#include "as/replica.h"
#include "common/core/http_fields.h"
#include "common/log.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { OUT_MAX = 1 << 28, WHY_CAP = sizeof ((struct problem *)0)->message, REPLICA_US = 500000, DISK_US = 10000000 };

/* ---- answers ---- */

static void write_error(struct text *t, int status, const char *field, const char *why)
{
	char message[WHY_CAP + sizeof ((struct problem *)0)->field + 2];
	struct text m = text_fixed(message, sizeof message);
	text_printf(&m, "%s%s%s", field, *field ? ": " : "", why);
	json_open(t, '{');
	json_name(t, "code");
	json_num(t, http_error_code(status));
	json_name(t, "message");
	json_puts(t, message);
	json_name(t, "details");
	json_open(t, '[');
	if (*field) {
		json_open(t, '{');
		json_name(t, "field");
		json_puts(t, field);
		json_name(t, "description");
		json_puts(t, why);
		json_close(t, '}');
	}
	json_close(t, ']');
	json_close(t, '}');
}

void api_error(struct api_call *c, int status, const char *field, const char *fmt, ...)
{
	/* Each octet takes six at most, \u0001, and what is wrong stands there twice. */
	char why[WHY_CAP], buf[16 * WHY_CAP];
	struct text t = text_fixed(buf, sizeof buf);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	if (status == 401 || status == 403)
		c->as->metrics.api_denied++;
	write_error(&t, status, field, why);
	http_reply_json(c->r, status, text_str(&t));
}

static const char no_room[] = "the disk is full or failing: nothing new is taken until it has room";

void api_fail(struct api_call *c, int e)
{
	static const int statuses[] = {
		[REGISTRY_E_EXISTS] = 409, [REGISTRY_E_NOT_FOUND] = 404, [REGISTRY_E_INVALID] = 400,
		[REGISTRY_E_IN_USE] = 400, [REGISTRY_E_FULL] = 429,
	};
	if (e > 0 && (size_t)e < COUNT(statuses)) {
		api_error(c, statuses[e], c->problem.field, "%s", c->problem.message);
		return;
	}
	if (e == -EINPROGRESS)
		return;
	LOG(LOG_WARN, "api_failed", KV_Z("why", strerror(-e)));
	if (e == -EAGAIN)
		api_error(c, 503, "", "%s", no_room);
	else
		api_error(c, 503, "", "it cannot be stored now: %s", strerror(-e));
}

void api_reply(struct api_call *c)
{
	if (c->out.failed)
		api_error(c, 503, "", "the answer is too long: ask with ?limit and ?page");
	else
		http_reply_json(c->r, 200, text_str(&c->out));
}

void api_reply_masked(struct api_call *c)
{
	struct field_mask mask;
	struct text whole = c->out;
	if (api_mask(c, &mask))
		return;
	c->out = text_growing(OUT_MAX);
	if (whole.failed)
		c->out.failed = true;
	else
		api_masked(&c->out, text_str(&whole), &mask);
	crypto_forget(whole.p, whole.len);
	text_done(&whole);
	api_reply(c);
}

/** An answer that waits for the disk and the ns. */
struct pending {
	struct as *as;
	struct http_request *r; /**< NULL: answered, or the peer is gone */
	struct text out;
	uint64_t revision;
	struct loop_timer *patience;
};

static void forget(struct text *t)
{
	crypto_forget(t->p, t->len); /* it may hold keys */
	text_done(t);
}

static void pending_free(struct pending *p)
{
	loop_timer_free(p->patience);
	forget(&p->out);
	free(p);
}

static void pending_reply(void *ctx)
{
	struct pending *p = ctx;
	if (p->r && p->out.failed)
		http_reply_error(p->r, 503, "it is done, but there is no memory to say so");
	else if (p->r)
		http_reply_json(p->r, 200, text_str(&p->out));
	pending_free(p);
}

static void pending_durable(void *ctx)
{
	struct pending *p = ctx;
	loop_timer_at(p->patience, UINT64_MAX);
	if (!p->r || replica_wait(p->as, p->revision, REPLICA_US, pending_reply, p))
		pending_reply(p);
}

/** The disk does not take it. The change itself stays, and is written as soon as there is room. */
static void pending_impatient(void *ctx)
{
	struct pending *p = ctx;
	if (p->r)
		http_reply_error(
			p->r, 503, "the disk does not take it yet: it is full or failing; it is tried again");
	p->r = NULL;
}

static void pending_closed(void *ctx)
{
	((struct pending *)ctx)->r = NULL;
}

static const char unknown[] = "it is done, but there is no memory to wait for the disk: look whether it stays";

void api_commit(struct api_call *c)
{
	struct pending *p = calloc(1, sizeof *p);
	if (p)
		*p = (struct pending){
			.as = c->as, .r = c->r, .out = c->out, .revision = c->as->registry.revision
		};
	if (!p || !(p->patience = loop_timer_new(c->as->loop, pending_impatient, p))) {
		free(p);
		api_error(c, 503, "", "%s", unknown);
		return;
	}
	c->out = text_growing(0);
	loop_timer_in(p->patience, DISK_US);
	http_on_close(p->r, pending_closed, p);
	if (store_after(c->as->store, pending_durable, p)) {
		http_reply_error(p->r, 503, unknown);
		pending_free(p);
	}
}

/* ---- questions ---- */

int api_key_of(struct as *as, const struct http_request *r, const struct api_key **ret, struct problem *ret_problem)
{
	const char *header = http_header(r, "Authorization");
	if (header && strncasecmp(header, "Bearer ", 7) == 0)
		return rights_check(&as->keyring, str_trim(str_of(header + 7)), loop_now(as->loop), ret, ret_problem) ? -EACCES : 0;
	*ret_problem = (struct problem){ .message = "an API key is needed: Authorization: Bearer NNSXS..." };
	return -EACCES;
}

static int check_key(struct api_call *c)
{
	int e = api_key_of(c->as, c->r, &c->key, &c->problem);
	if (e)
		api_error(c, 401, "", "%s", c->problem.message);
	return e;
}

bool api_may(const struct api_call *c, enum right right)
{
	uint64_t rights = 0;
	if (c->app)
		rights = rights_on_app(c->key, c->app);
	else if (c->gateway)
		rights = rights_on_gateway(c->key, c->gateway);
	return rights & RIGHT_BIT(right);
}

bool api_insist(struct api_call *c, enum right right)
{
	if (api_may(c, right))
		return true;
	api_error(c, 403, "", "the API key lacks %s", right_name(right));
	return false;
}

static bool has_rights_here(const struct api_call *c)
{
	return (c->app && rights_on_app(c->key, c->app)) || (c->gateway && rights_on_gateway(c->key, c->gateway));
}

bool api_knows(struct api_call *c)
{
	if (c->key->kind == KEY_ADMIN || has_rights_here(c))
		return true;
	api_error(c, 403, "", "the API key has no rights here");
	return false;
}

int api_hide_others(struct api_call *c, int e, const struct device *wish)
{
	const struct device *other = registry_device_by_eui(&c->as->registry, wish->join_eui, wish->dev_eui);
	if (e != REGISTRY_E_EXISTS || strcmp(c->problem.field, "ids.dev_eui") != 0 || c->key->kind == KEY_ADMIN || !other || other->app == c->app)
		return e;
	return problem_say(&c->problem, e, "ids.dev_eui", "%016" PRIX64 " with join_eui %016" PRIX64 " belongs to a device of another application",
		wish->dev_eui, wish->join_eui);
}

/** Find what the path names. A key that has nothing to do with it does not learn whether it exists. */
static int find_named(struct api_call *c, const struct api_need *need)
{
	const char *id = http_param(c->r, need->what & API_GATEWAY ? "gateway_id" : "application_id");
	if (need->what & API_APP)
		c->app = registry_app(&c->as->registry, str_of(id));
	if (need->what & API_GATEWAY)
		c->gateway = registry_gateway(&c->as->registry, str_of(id));
	if (!(need->what & (API_APP | API_GATEWAY)))
		return 0;
	if (!api_knows(c))
		return -EACCES;
	if (!c->app && !c->gateway) {
		api_error(c, 404, "", "%s %s not found", need->what & API_GATEWAY ? "gateway" : "application", id);
		return -ENOENT;
	}
	if (need->right < RIGHT_N && !api_insist(c, need->right))
		return -EACCES;
	if (!(need->what & API_DEVICE))
		return 0;
	id = http_param(c->r, "device_id");
	c->device = registry_device(&c->as->registry, c->app, str_of(id));
	if (c->device)
		return 0;
	api_error(c, 404, "", "device %s not found in application %s", id, c->app->key);
	return -ENOENT;
}

/** How many values a body may hold. */
static size_t tokens_for(const struct api_need *need, struct str body)
{
	return need->what & API_LARGE && body.n / 2 > RECORD_TOKENS_MAX ? body.n / 2 : RECORD_TOKENS_MAX;
}

/** Is the body said to be of a kind that is read here? If not, it is answered so. */
static bool check_type(struct api_call *c)
{
	const char *coding = http_header(c->r, "Content-Encoding"), *type = http_header(c->r, "Content-Type");
	if (coding && strcasecmp(coding, "identity"))
		api_error(c, 415, "", "a body with Content-Encoding: %.40s is not taken: send it as it is", coding);
	else if (!http_is_json(type))
		api_error(c, 415, "", "the body must be JSON (Content-Type: application/json), not %.80s", type);
	else
		return true;
	return false;
}

/** @param e  why it cannot be read; 0: it is JSON, and no object @param where  with -EBADMSG: the first wrong character */
static void refuse_body(struct api_call *c, int e, size_t where)
{
	if (e == -EBADMSG)
		api_error(c, 400, "", "the body is not JSON, from character %zu on", where);
	else if (e == -EILSEQ)
		api_error(c, 400, "", "the body is not UTF-8");
	else
		api_error(c, 400, "",
			e ? "the body holds too much, or is nested too deep"
			  : "the body must be a JSON object");
}

static int parse_body(struct api_call *c, const struct api_need *need)
{
	struct str body = str_trim(http_body(c->r));
	size_t where = 0;
	if (body.n && !check_type(c))
		return -EBADMSG;
	if (!body.n && (need->what & API_NO_BODY_OK))
		body = STR("{}");
	size_t max = tokens_for(need, body);
	c->tok = malloc(max * sizeof *c->tok);
	if (!c->tok) {
		api_fail(c, -ENOMEM);
		return -ENOMEM;
	}
	int e = utf8_valid(body) ? json_parse(body, c->tok, max, &c->body, &where) : -EILSEQ;
	json_val root = e ? -1 : json_root(&c->body);
	if (e == 0 && json_type(&c->body, root) == JSON_OBJECT) {
		json_val inner = need->wrapper ? json_get(&c->body, root, need->wrapper) : -1;
		c->object = inner >= 0 && json_type(&c->body, inner) == JSON_OBJECT ? inner : root;
		return 0;
	}
	refuse_body(c, e, where);
	return -EBADMSG;
}

int api_begin(struct api_call *c, void *ctx, struct http_request *r, const struct api_need *need)
{
	*c = (struct api_call){ .as = ctx, .r = r, .object = -1, .out = text_growing(OUT_MAX) };
	c->as->metrics.api_requests++;
	int e = check_key(c);
	if (!e && (need->what & API_ADMIN) && c->key->kind != KEY_ADMIN) {
		api_error(c, 403, "", "only a key of the operator may do this (RIGHT_ALL; this host's own is <state-dir>/admin.key)");
		e = -EACCES;
	}
	if (!e)
		e = find_named(c, need);
	if (!e && (need->what & API_CHANGE) && store_failing(c->as->store)) {
		api_error(c, 503, "", "%s", no_room);
		e = -EIO;
	}
	if (!e && (need->what & API_BODY))
		e = parse_body(c, need);
	if (e)
		api_done(c);
	return e;
}

void api_done(struct api_call *c)
{
	forget(&c->out);
	free(c->tok);
	c->tok = NULL;
}

int api_mask(struct api_call *c, struct field_mask *ret)
{
	int e;
	if (c->tok) {
		json_val root = json_root(&c->body);
		json_val v = json_get(&c->body, root, "field_mask");
		e = field_mask_read(&c->body, v, ret, &c->problem);
	} else {
		const char *q = http_query(c->r, "field_mask");
		e = field_mask_parse(q ? q : http_query(c->r, "field_mask.paths"), ret, &c->problem);
	}
	if (e)
		api_fail(c, e);
	return e;
}

static int query_number(struct api_call *c, const char *name, uint64_t *ret)
{
	const char *z = http_query(c->r, name);
	if (!z || !num_u64(str_of(z), ret))
		return 0;
	api_error(c, 400, name, "must be a whole number");
	return -EINVAL;
}

int api_page(struct api_call *c, size_t *ret_skip, size_t *ret_limit)
{
	uint64_t limit = 0, page = 1;
	if (query_number(c, "limit", &limit) || query_number(c, "page", &page))
		return -EINVAL;
	if (limit > UINT32_MAX || page > UINT32_MAX) {
		api_error(c, 400, "page", "is too large");
		return -EINVAL;
	}
	uint64_t skip = page < 2 ? 0 : limit ? limit * (page - 1) : UINT64_MAX; /* all are on the first page */
	*ret_limit = limit ? (size_t)limit : SIZE_MAX;
	*ret_skip = skip < SIZE_MAX ? (size_t)skip : SIZE_MAX;
	return 0;
}

int api_start(struct as *as, struct text *err)
{
	static const struct api_route *const tables[] = {
		api_app_routes, api_key_routes, api_mqtt_info_routes, api_batch_routes, api_device_routes, api_fleet_routes, api_member_routes, api_gateway_routes,
		api_simulate_routes, api_attribute_routes, api_telemetry_routes, api_why_routes, api_openapi_routes, api_health_about,
		api_pubsub_routes, api_webhook_routes, api_formatter_routes,
		api_credentials_routes, api_call_routes, api_claim_routes,
	};
	(void)err;
	for (size_t i = 0; i < COUNT(tables); i++)
		api_add_routes(as, tables[i]);
	return 0;
}

void api_stop(struct as *as)
{
	(void)as;
}
