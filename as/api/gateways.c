/** @file Gateways over HTTP, those included that nobody registered but that are heard. */
#include "as/api/lists.h"
#include "as/api/routes.h"
#include "as/core/registry/entity_json.h"
#include "as/stations.h"
#include <inttypes.h>
#include <stdio.h>

/** The id under which a gateway is heard that is not registered. */
#define STATION_UNNAMED "eui-%016" PRIx64

/** What an adopted gateway is called and how it sends, where nobody said so. */
static int adopted_check(struct gateway *g, struct problem *p)
{
	if (!g->id[0])
		snprintf(g->id, sizeof g->id, STATION_UNNAMED, g->eui);
	return g->plan[0] ? 0
			  : problem_say(p, REGISTRY_E_INVALID, "frequency_plan_id",
				    "is missing, for example EU_863_870: this gateway has none yet");
}

/** Read the body into a gateway that may have some members already, register it, and answer. */
static void create_from(struct api_call *c, struct gateway *fresh, bool is_adopted)
{
	static const struct field_mask all = { 0 };
	AUTO(gateway_free) struct gateway *g = fresh;
	int e = g ? gateway_json_read(g, &all, &(struct record_source){ .j = &c->body, .root = c->object, .problem = &c->problem })
		  : -ENOMEM;
	if (!e && is_adopted)
		e = adopted_check(g, &c->problem);
	if (!e)
		e = registry_gateway_create(&c->as->registry, g, loop_now(c->as->loop), &c->problem);
	if (e) {
		api_fail(c, e);
	} else {
		gateway_json_write(&c->out, TAKE(g), false);
		api_commit(c);
	}
}

static void gateway_create(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_BODY | API_CHANGE | API_ADMIN, RIGHT_N, "gateway" };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	create_from(&c, gateway_new(), false);
	api_done(&c);
}

/** The gateway that is heard under this EUI ("AA555A0000000101" or "eui-aa555a0000000101") and is nobody's yet, with the plan that it
 * works by. @return NULL: it has answered */
static struct gateway *heard(struct api_call *c, const char *said)
{
	struct str hex = str_of(said);
	char id[ID_MAX + 1];
	struct text t = text_fixed(id, sizeof id);
	uint64_t eui;
	if (str_starts(hex, "eui-"))
		hex = (struct str){ hex.p + 4, hex.n - 4 };
	if (hex_eui(hex, &eui)) {
		api_error(c, 400, "ids.eui", "must be 16 hex digits");
		return NULL;
	}
	const struct gateway *known = registry_gateway_by_eui(&c->as->registry, eui);
	text_printf(&t, STATION_UNNAMED, eui);
	const struct station *s = stations_find(c->as, id);
	if (known) {
		api_error(c, 409, "ids.eui", "gateway %016" PRIX64 " is registered already, as %s", eui, known->id);
		return NULL;
	}
	if (!s) {
		api_error(c, 404, "", "no gateway %016" PRIX64 " was heard: gateways list shows those that are; gateways create registers any", eui);
		return NULL;
	}
	struct gateway *g = gateway_new();
	if (!g) {
		api_fail(c, -ENOMEM);
		return NULL;
	}
	if (MSG_HAS(&s->status, plan))
		str_copy(str_of(s->status.plan), g->plan, sizeof g->plan);
	g->has_eui = true;
	g->eui = eui;
	return g;
}

/** Register a gateway that is heard. The body may give it another id, a plan and whatever else a gateway has. */
static void gateway_adopt(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_BODY | API_NO_BODY_OK | API_CHANGE | API_ADMIN, RIGHT_N, "gateway" };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	struct gateway *g = heard(&c, http_param(r, "gateway_id"));
	if (g)
		create_from(&c, g, true);
	api_done(&c);
}

static void write_unregistered(void *ctx, const struct station *s)
{
	struct api_call *c = ctx;
	char hint[200];
	struct text h = text_fixed(hint, sizeof hint);
	const struct registry *known = &c->as->registry;
	if (s->disconnected_unix_us || registry_gateway(known, str_of(s->id)) || registry_gateway_by_eui(known, s->status.gateway_eui))
		return;
	json_open(&c->out, '{');
	json_name(&c->out, "ids");
	json_open(&c->out, '{');
	json_name(&c->out, "gateway_id");
	json_puts(&c->out, s->id);
	json_name(&c->out, "eui");
	json_eui(&c->out, s->status.gateway_eui);
	json_close(&c->out, '}');
	json_name(&c->out, "registered");
	json_truth(&c->out, false);
	if (MSG_HAS(&s->status, plan) && s->status.plan[0]) {
		json_name(&c->out, "frequency_plan_id");
		json_puts(&c->out, s->status.plan);
	} else {
		text_printf(&h,
			"is heard but sends nothing: godwit gateways adopt %016" PRIX64
			" --frequency-plan-id EU_863_870, or set gs.default-frequency-plan",
			s->status.gateway_eui);
		json_name(&c->out, "hint");
		json_puts(&c->out, hint);
	}
	json_close(&c->out, '}');
}

/* ---- lists of them ---- */

static void get_id(const void *g, struct text *ret) { text_puts(ret, ((const struct gateway *)g)->id); }
static void get_name(const void *g, struct text *ret) { text_puts(ret, texts_get(&((const struct gateway *)g)->texts, TEXT_NAME)); }
static void get_description(const void *g, struct text *ret) { text_puts(ret, texts_get(&((const struct gateway *)g)->texts, TEXT_DESCRIPTION)); }
static void get_created(const void *g, struct text *ret) { api_sortable(ret, ((const struct gateway *)g)->created_unix_us); }
static void get_updated(const void *g, struct text *ret) { api_sortable(ret, ((const struct gateway *)g)->updated_unix_us); }

static void get_eui(const void *g, struct text *ret)
{
	if (((const struct gateway *)g)->has_eui)
		text_printf(ret, "%016" PRIX64, ((const struct gateway *)g)->eui);
}

static void write_row(struct api_call *c, const void *g)
{
	gateway_json_write(&c->out, g, false);
}

static void write_heard(struct api_call *c)
{
	if (c->key->kind == KEY_ADMIN)
		stations_each(c->as, write_unregistered, c);
}

static const struct api_column columns[] = {
	{ "gateway_id", "id_contains", get_id },
	{ "gateway_eui", "eui_contains", get_eui },
	{ "name", "name_contains", get_name },
	{ "description", "description_contains", get_description },
	{ "created_at", NULL, get_created },
	{ "updated_at", NULL, get_updated },
};

static void gateway_list(void *ctx, struct http_request *r)
{
	static const struct api_need need = { 0, RIGHT_N, NULL };
	static const struct api_listing listing = { "gateways", columns, COUNT(columns), write_row, write_heard };
	struct api_rows rows = { .n = 0 };
	struct api_call c;
	struct gateway *g, *tmp;
	if (api_begin(&c, ctx, r, &need))
		return;
	HASH_ITER(by_id, c.as->registry.gtw_by_id, g, tmp)
		if (rights_on_gateway(c.key, g) & RIGHT_BIT(RIGHT_GATEWAY_INFO))
			api_rows_add(&c, &listing, &rows, g);
	api_rows_reply(&c, &listing, &rows);
	api_done(&c);
}

static void gateway_get(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_GATEWAY, RIGHT_GATEWAY_INFO, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	gateway_json_write(&c.out, c.gateway, false);
	api_reply_masked(&c);
	api_done(&c);
}

static void gateway_update(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_GATEWAY | API_BODY | API_CHANGE,
		RIGHT_GATEWAY_SETTINGS_BASIC, "gateway" };
	struct api_call c;
	struct field_mask mask;
	if (api_begin(&c, ctx, r, &need))
		return;
	if (!api_mask(&c, &mask)) {
		AUTO(gateway_free) struct gateway *wish = gateway_clone(c.gateway);
		int e = wish ? gateway_json_read(
				       wish, &mask, &(struct record_source){ .j = &c.body, .root = c.object, .problem = &c.problem })
			     : -ENOMEM;
		if (!e)
			e = registry_gateway_update(
				&c.as->registry, c.gateway, wish, loop_now(c.as->loop), &c.problem);
		if (e == REGISTRY_E_EXISTS && c.key->kind != KEY_ADMIN)
			problem_say(&c.problem, e, "ids.eui", "belongs to another gateway");
		if (e) {
			api_fail(&c, e);
		} else {
			(void)TAKE(wish);
			gateway_json_write(&c.out, c.gateway, false);
			api_commit(&c);
		}
	}
	api_done(&c);
}

static void gateway_delete(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_GATEWAY, RIGHT_GATEWAY_DELETE, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	int e = registry_gateway_delete(&c.as->registry, c.gateway);
	if (e) {
		api_fail(&c, e);
	} else {
		text_puts(&c.out, "{}");
		api_commit(&c);
	}
	api_done(&c);
}

/** Connection statistics; of a gateway that is heard without being registered too, for the operator. */
static void connection_stats(void *ctx, struct http_request *r)
{
	static const struct api_need need = { 0, RIGHT_N, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	const char *id = http_param(r, "gateway_id");
	const struct station *s = stations_find(c.as, id);
	c.gateway = registry_gateway(&c.as->registry, str_of(id));
	if (api_knows(&c) && (!c.gateway || api_insist(&c, RIGHT_GATEWAY_STATUS_READ))) {
		if (s) {
			station_json_write(&c.out, s);
			api_reply(&c);
		} else {
			api_error(&c, 404, "",
				c.gateway ? "gateway %s is not connected" : "gateway %s not found", id);
		}
	}
	api_done(&c);
}

#define GATEWAY "/api/v3/gateways/{gateway_id}"
#define ABOUT_GATEWAY_CREATE \
	"operator", "Register a gateway", "@GatewayRequest", "@Gateway", ""
#define ABOUT_GATEWAY_UPDATE \
	"GATEWAY_SETTINGS_BASIC", "Change a gateway", "@GatewayRequest", "@Gateway", ""
#define ABOUT_GATEWAY_LIST \
	"any key", \
	"List the gateways; for the operator, those too that are heard and not registered", \
	"", "@Gateways", "limit page order field_mask id_contains name_contains description_contains eui_contains"
const struct api_route api_gateway_routes[] = {
	{ HTTP_POST, "/api/v3/gateways", gateway_create, ABOUT_GATEWAY_CREATE },
	{ HTTP_POST, "/api/v3/users/{user_id}/gateways", gateway_create, ABOUT_GATEWAY_CREATE },
	{ HTTP_POST, "/api/v3/organizations/{organization_id}/gateways", gateway_create, ABOUT_GATEWAY_CREATE },
	{ HTTP_GET, "/api/v3/gateways", gateway_list, ABOUT_GATEWAY_LIST },
	{ HTTP_GET, "/api/v3/search/gateways", gateway_list, ABOUT_GATEWAY_LIST },
	{ HTTP_POST, GATEWAY "/adopt", gateway_adopt,
		"operator", "Register a gateway that is heard, by its EUI", "@GatewayRequest", "@Gateway", "" },
	{ HTTP_GET, GATEWAY, gateway_get,
		"GATEWAY_INFO", "Show a gateway", "", "@Gateway", "field_mask" },
	{ HTTP_PUT, GATEWAY, gateway_update, ABOUT_GATEWAY_UPDATE },
	{ HTTP_PATCH, GATEWAY, gateway_update, ABOUT_GATEWAY_UPDATE },
	{ HTTP_DELETE, GATEWAY, gateway_delete,
		"GATEWAY_DELETE", "Delete a gateway", "", "@Empty", "" },
	{ HTTP_GET, "/api/v3/gs/gateways/{gateway_id}/connection/stats", connection_stats,
		"GATEWAY_STATUS_READ", "How a gateway is connected", "", "@GatewayConnectionStats", "" },
	{ .path = NULL },
};
