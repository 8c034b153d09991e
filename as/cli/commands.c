/** @file The commands: each makes one request of its words and flags. */
#include "as/cli/device_api.h"
#include "as/cli/fleet.h"
#include "as/cli/keys.h"
#include "common/core/json_out.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_MAX_ = 2048, BODY_MAX_ = 1 << 20 };
#define APPLICATIONS "/api/v3/applications"
#define GATEWAYS     "/api/v3/gateways"

static struct text path_buffer(char (*buf)[PATH_MAX_], const char *start)
{
	struct text t = text_fixed(*buf, sizeof *buf);
	text_puts(&t, start);
	return t;
}

/** Without a body: the path of `start` and the operands. */
static int call_plain(struct cli *c, const char *method, const char *start, const char *a, const char *b, const char *d, const char *tail)
{
	char buf[PATH_MAX_];
	struct text path = path_buffer(&buf, start);
	if (a)
		cli_path(&path, a, NULL);
	if (b)
		cli_path(&path, b, NULL);
	if (d)
		cli_path(&path, d, NULL);
	text_puts(&path, tail);
	return cli_call(c, method, buf, STR(""), NULL);
}

static int call_list(struct cli *c, const char *start, const char *app, const char *leaf, struct cli_list what)
{
	char buf[PATH_MAX_];
	struct text path = path_buffer(&buf, start);
	if (app)
		cli_path(&path, app, NULL);
	text_puts(&path, leaf);
	what.path = buf;
	return cli_list(c, &what);
}

/** With a body made of the flags of `groups`, wrapped, and extra members. */
static int call_body(struct cli *c, const char *method, const char *path, int groups, const char *wrap, const struct arg *extra, size_t n)
{
	__attribute__((cleanup(text_done_auto))) struct text body = text_growing(BODY_MAX_);
	int status = cli_body(c, groups, wrap, extra, n, &body);
	return status ? status : cli_call(c, method, path, text_str(&body), NULL);
}

/** A member that comes from a word, not a flag. */
#define WORD(flag_, value_) ((struct arg){ .flag = (flag_), .value = (value_) })
static const struct flag application_id = { .path = "ids.application_id", .kind = FLAG_VALUE },
	device_id = { .path = "ids.device_id", .kind = FLAG_VALUE }, gateway_id = { .path = "ids.gateway_id", .kind = FLAG_VALUE },
	supports_join = { .path = "supports_join", .kind = FLAG_TRUTH };

/* ---- applications ---- */

static int app_create(struct cli *c)
{
	char id[80];
	const char *tenant = args_get(&c->args, "tenant-id");
	snprintf(id, sizeof id, "%s%s%s", c->operand[0], tenant ? "@" : "", tenant ? tenant : "");
	return call_body(c, "POST", APPLICATIONS, IN_APP, "application", &WORD(&application_id, id), 1);
}
static int app_list(struct cli *c) { return call_list(c, APPLICATIONS, NULL, "", (struct cli_list){ .member = "applications", .is_paged = true }); }
static int app_get(struct cli *c) { return call_plain(c, "GET", APPLICATIONS, c->operand[0], NULL, NULL, ""); }
static int app_delete(struct cli *c) { return call_plain(c, "DELETE", APPLICATIONS, c->operand[0], NULL, NULL, ""); }
static int app_dev_eui(struct cli *c) { return call_plain(c, "POST", APPLICATIONS, c->operand[0], NULL, NULL, "/dev-eui"); }
static int app_update(struct cli *c)
{
	char buf[PATH_MAX_];
	struct text path = path_buffer(&buf, APPLICATIONS);
	cli_path(&path, c->operand[0], NULL);
	return call_body(c, "PUT", buf, IN_APP, "application", NULL, 0);
}

/* ---- an application's link ---- */

static int link_call(struct cli *c, const char *method, struct str body)
{
	char buf[PATH_MAX_];
	struct text path = path_buffer(&buf, "/api/v3/as/applications");
	cli_path(&path, c->operand[0], "link", NULL);
	return cli_call(c, method, buf, body, NULL);
}
static int app_mqtt_info(struct cli *c)
{
	return call_plain(c, "GET", "/api/v3/as/applications", c->operand[0], NULL, NULL, "/mqtt-connection-info");
}
/** The link's key is --api-key: it asks, and so proves its right. */
static int link_set(struct cli *c)
{
	__attribute__((cleanup(text_done_auto))) struct text body = text_growing(BODY_MAX_);
	int status = cli_body(c, IN_LINK, "link", NULL, 0, &body);
	return status ? status : formatters_told(c, "default_formatters", link_call(c, "PUT", text_str(&body)));
}
static int link_get(struct cli *c) { return link_call(c, "GET", STR("")); }
static int link_delete(struct cli *c) { return link_call(c, "DELETE", STR("")); }

/* ---- an application's Pub/Sub integrations ---- */

#define PUBSUBS "/api/v3/as/pubsub"

static int pubsub_set(struct cli *c)
{
	char buf[PATH_MAX_];
	struct text path = path_buffer(&buf, PUBSUBS);
	cli_path(&path, c->operand[0], c->operand[1], NULL);
	return call_body(c, "PUT", buf, IN_PUBSUB, "pubsub", NULL, 0);
}
static int pubsub_get(struct cli *c) { return call_plain(c, "GET", PUBSUBS, c->operand[0], c->operand[1], NULL, ""); }
static int pubsub_list(struct cli *c) { return call_list(c, PUBSUBS, c->operand[0], "", (struct cli_list){ .member = "pubsubs" }); }
static int pubsub_delete(struct cli *c) { return call_plain(c, "DELETE", PUBSUBS, c->operand[0], c->operand[1], NULL, ""); }

/* ---- an application's webhooks ---- */

#define WEBHOOKS "/api/v3/as/webhooks"

static int webhook_set(struct cli *c)
{
	char buf[PATH_MAX_];
	struct text path = path_buffer(&buf, WEBHOOKS);
	cli_path(&path, c->operand[0], c->operand[1], NULL);
	return call_body(c, "PUT", buf, IN_WEBHOOK, "webhook", NULL, 0);
}
static int webhook_get(struct cli *c) { return call_plain(c, "GET", WEBHOOKS, c->operand[0], c->operand[1], NULL, ""); }
static int webhook_list(struct cli *c) { return call_list(c, WEBHOOKS, c->operand[0], "", (struct cli_list){ .member = "webhooks" }); }
static int webhook_delete(struct cli *c) { return call_plain(c, "DELETE", WEBHOOKS, c->operand[0], c->operand[1], NULL, ""); }

/* ---- end devices ---- */

static int random_key(char ret_hex[33])
{
	uint8_t b[16];
	struct text t = text_fixed(ret_hex, 33);
	FILE *f = fopen("/dev/urandom", "re");
	size_t n = f ? fread(b, 1, sizeof b, f) : 0;
	if (f)
		fclose(f);
	text_hex(&t, b, sizeof b, true);
	return n == sizeof b ? CLI_OK : CLI_FAILED;
}

/** Is anything said that only a device with a LoRaWAN radio has? */
static bool says_lorawan(const struct args *a)
{
	static const char *const paths[] = {"ids.", "lorawan_", "root_keys.", "session.", "frequency_plan_id",
		"supports_class", "multicast"};
	for (size_t i = 0; i < a->n_flags; i++) {
		const struct flag *f = a->flags[i].flag;
		for (size_t k = 0; f && k < COUNT(paths); k++)
			if (str_starts(str_of(f->path), paths[k]))
				return true;
		if (!f && args_is_mac_setting(&a->flags[i]))
			return true;
	}
	return args_on(a, "abp") || args_on(a, "with-root-keys");
}

static int dev_create(struct cli *c)
{
	static const struct flag app_key = { .path = "root_keys.app_key.key", .kind = FLAG_VALUE },
		nwk_key = { .path = "root_keys.nwk_key.key", .kind = FLAG_VALUE };
	char buf[PATH_MAX_], made[2][33];
	struct text path = path_buffer(&buf, APPLICATIONS);
	const char *version = args_get(&c->args, "lorawan-version");
	bool by_hand = args_on(&c->args, "abp") || args_on(&c->args, "multicast");
	struct arg extra[5] = { WORD(&device_id, c->operand[1]), WORD(&application_id, c->operand[0]) };
	size_t n = 2;
	if (by_hand && !args_get(&c->args, "session.dev-addr")) {
		text_puts(&c->err, "a device that does not join needs its session: --session.dev-addr and "
				   "--session.keys.…");
		return CLI_USAGE;
	}
	if (says_lorawan(&c->args))
		extra[n++] = WORD(&supports_join, by_hand ? "false" : "true");
	if (args_on(&c->args, "with-root-keys")) {
		if (random_key(made[0]) || random_key(made[1]))
			return CLI_FAILED;
		extra[n++] = WORD(&app_key, made[0]);
		if (version && (!strncmp(version, "1.1", 3) || !strncmp(version, "MAC_V1_1", 8)))
			extra[n++] = WORD(&nwk_key, made[1]);
	}
	cli_path(&path, c->operand[0], "devices", NULL);
	return formatters_told(c, "formatters", call_body(c, "POST", buf, IN_DEV, "end_device", extra, n));
}
static int dev_update(struct cli *c)
{
	char buf[PATH_MAX_];
	struct text path = path_buffer(&buf, APPLICATIONS);
	cli_path(&path, c->operand[0], "devices", c->operand[1], NULL);
	return formatters_told(c, "formatters", call_body(c, "PUT", buf, IN_DEV, "end_device", NULL, 0));
}
static int dev_get(struct cli *c)
{
	char tail[96];
	struct text t = text_fixed(tail, sizeof tail);
	text_puts(&t, "?field_mask=");
	bool is_live = cli_live(c, &t);
	return call_plain(c, "GET", APPLICATIONS, c->operand[0], "devices", c->operand[1], is_live ? tail : "");
}
static int dev_list(struct cli *c)
{
	return call_list(c, APPLICATIONS, c->operand[0], "/devices", (struct cli_list){ .member = "end_devices", .id = "ids.device_id",
		.more = APPLICATIONS "*?field_mask=session,pending_session,mac_state,last_seen_at", .app = c->operand[0], .is_paged = true,
		.has_live = true });
}
static int dev_delete(struct cli *c) { return call_plain(c, "DELETE", APPLICATIONS, c->operand[0], "devices", c->operand[1], ""); }
/** One after the other; those that cannot be deleted are named at the end. */
static int dev_delete_all(struct cli *c)
{
	__attribute__((cleanup(text_done_auto))) struct text answer = text_growing(BODY_MAX_);
	char why[1024] = "";
	struct text left = text_fixed(why, sizeof why);
	for (size_t i = 1; i < c->n_operands; i++) {
		char buf[PATH_MAX_];
		struct text path = path_buffer(&buf, APPLICATIONS);
		cli_path(&path, c->operand[0], "devices", c->operand[i], NULL);
		text_reset(&answer);
		text_reset(&c->err);
		int status = client_call(&c->client, "DELETE", buf, STR(""), &answer, NULL, NULL, &c->err);
		if (status < 0)
			return CLI_FAILED;
		if (status < 300)
			continue;
		cli_refused(c, status, text_str(&answer));
		text_printf(&left, "%s%s: %s", left.len ? "; " : "", c->operand[i], c->err.p);
	}
	text_reset(&c->err);
	text_put(&c->err, text_str(&left));
	if (!left.len)
		cli_print(c, STR("{}"), NULL);
	return left.len ? CLI_FAILED : CLI_OK;
}
static int dev_reset(struct cli *c) { return call_plain(c, "POST", APPLICATIONS, c->operand[0], "devices", c->operand[1], "/reset"); }

static int dev_rejoin(struct cli *c) { return call_plain(c, "POST", APPLICATIONS, c->operand[0], "devices", c->operand[1], "/rejoin"); }

/* ---- multicast groups ---- */

static int members_change(struct cli *c, const char *leaf)
{
	__attribute__((cleanup(text_done_auto))) struct text body = text_growing(BODY_MAX_);
	char buf[PATH_MAX_];
	struct text path = path_buffer(&buf, APPLICATIONS);
	cli_path(&path, c->operand[0], "devices", c->operand[1], "multicast-members", NULL);
	text_puts(&path, leaf);
	json_open(&body, '{');
	json_name(&body, "device_ids");
	json_open(&body, '[');
	for (size_t i = 2; i < c->n_operands; i++)
		json_puts(&body, c->operand[i]);
	json_close(&body, ']');
	json_close(&body, '}');
	return cli_call(c, "POST", buf, text_str(&body), "members");
}
static int members_add(struct cli *c) { return members_change(c, ""); }
static int members_remove(struct cli *c) { return members_change(c, "/remove"); }
static int members_list(struct cli *c)
{
	char buf[PATH_MAX_];
	struct text path = path_buffer(&buf, APPLICATIONS);
	cli_path(&path, c->operand[0], "devices", c->operand[1], "multicast-members", NULL);
	return cli_call(c, "GET", buf, STR(""), "members");
}

/* ---- downlinks ---- */

static struct text down_path(struct cli *c, char (*buf)[PATH_MAX_], const char *leaf)
{
	struct text path = path_buffer(buf, "/api/v3/as/applications");
	cli_path(&path, c->operand[0], "devices", c->operand[1], "down", NULL);
	text_puts(&path, leaf);
	return path;
}

static int down_send(struct cli *c, const char *leaf)
{
	__attribute__((cleanup(text_done_auto))) struct text body = text_growing(BODY_MAX_);
	char buf[PATH_MAX_];
	down_path(c, &buf, leaf);
	text_puts(&body, "{\"downlinks\":[");
	int status = cli_body(c, IN_DOWN, NULL, NULL, 0, &body);
	text_puts(&body, "]}");
	return status ? status : cli_call(c, "POST", buf, text_str(&body), NULL);
}
static int down_push(struct cli *c) { return down_send(c, "/push"); }
static int down_replace(struct cli *c) { return down_send(c, "/replace"); }
static int down_clear(struct cli *c)
{
	char buf[PATH_MAX_];
	down_path(c, &buf, "/replace");
	return cli_call(c, "POST", buf, STR("{\"downlinks\":[]}"), NULL);
}
static int down_list(struct cli *c)
{
	char buf[PATH_MAX_];
	down_path(c, &buf, "");
	return cli_call(c, "GET", buf, STR(""), "downlinks");
}

static int simulate_up(struct cli *c)
{
	__attribute__((cleanup(text_done_auto))) struct text body = text_growing(BODY_MAX_), up = text_growing(BODY_MAX_), root = text_growing(BODY_MAX_);
	char buf[PATH_MAX_];
	struct text path = path_buffer(&buf, "/api/v3/as/applications");
	cli_path(&path, c->operand[0], "devices", c->operand[1], "up", "simulate", NULL);
	int status = cli_body(c, IN_UP, NULL, NULL, 0, &up);
	if (!status)
		status = cli_body(c, IN_UP_ROOT, NULL, NULL, 0, &root);
	if (status)
		return status;
	text_printf(&body, "{\"uplink_message\":%s%s%.*s}", up.p, root.len > 2 ? "," : "", (int)root.len - 2, root.p + 1);
	return cli_call(c, "POST", buf, text_str(&body), NULL);
}

/* ---- gateways ---- */

static int gtw_create(struct cli *c)
{
	return call_body(c, "POST", GATEWAYS, IN_GTW, "gateway", &WORD(&gateway_id, c->operand[0]), 1);
}
static int gtw_adopt(struct cli *c)
{
	char buf[PATH_MAX_];
	struct text path = path_buffer(&buf, GATEWAYS);
	bool is_named = c->n_operands > 1;
	cli_path(&path, c->operand[0], "adopt", NULL);
	return call_body(c, "POST", buf, IN_GTW, "gateway", &WORD(&gateway_id, is_named ? c->operand[1] : NULL), is_named);
}
static int gtw_update(struct cli *c)
{
	char buf[PATH_MAX_];
	struct text path = path_buffer(&buf, GATEWAYS);
	cli_path(&path, c->operand[0], NULL);
	return call_body(c, "PUT", buf, IN_GTW, "gateway", NULL, 0);
}
static int gtw_list(struct cli *c)
{
	return call_list(c, GATEWAYS, NULL, "", (struct cli_list){ .member = "gateways", .id = "ids.gateway_id",
		.more = "/api/v3/gs/gateways*/connection/stats" });
}
static int gtw_get(struct cli *c) { return call_plain(c, "GET", GATEWAYS, c->operand[0], NULL, NULL, ""); }
static int gtw_delete(struct cli *c) { return call_plain(c, "DELETE", GATEWAYS, c->operand[0], NULL, NULL, ""); }
static int gtw_stats(struct cli *c)
{
	return call_plain(c, "GET", "/api/v3/gs/gateways", c->operand[0], NULL, NULL, "/connection/stats");
}

/* ---- events ---- */

/** Each name by itself; an expression may hold a comma. */
static void query_names(const struct cli *c, struct text *path)
{
	for (const struct arg *a = c->args.flags; a < c->args.flags + c->args.n_flags; a++) {
		struct str rest = str_of(a->value), one;
		char name[PATH_MAX_];
		if (!a->flag || strcmp(a->flag->name, "names"))
			continue;
		while (rest.n) {
			one = rest;
			rest = rest.p[0] == '/' ? STR("") : str_cut(rest, ',', &one);
			if (!str_copy(one, name, sizeof name))
				cli_query(path, "names", name);
		}
	}
}

static int events(struct cli *c)
{
	char buf[PATH_MAX_];
	struct text path = path_buffer(&buf, "/api/v3/events");
	bool is_following = args_on(&c->args, "follow");
	cli_query(&path, "follow", is_following ? "true" : "false");
	cli_query(&path, "application_id", args_get(&c->args, "application-id"));
	cli_query(&path, "device_id", args_get(&c->args, "device-id"));
	cli_query(&path, "gateway_id", args_get(&c->args, "gateway-id"));
	cli_query(&path, "tail", args_get(&c->args, "tail"));
	cli_query(&path, "after", args_get(&c->args, "after"));
	query_names(c, &path);
	return is_following ? cli_follow(c, buf) : cli_call(c, "GET", buf, STR(""), "events");
}

/* ---- logs ---- */

#define LOGS "/api/v3/logs"

static int logs_set(struct cli *c)
{
	__attribute__((cleanup(text_done_auto))) struct text body = text_growing(BODY_MAX_);
	int status = cli_body(c, IN_LOG, NULL, NULL, 0, &body);
	return status ? status : cli_call(c, "POST", LOGS, text_str(&body), "rules");
}
static int logs_get(struct cli *c) { return cli_call(c, "GET", LOGS, STR(""), "rules"); }
static int logs_clear(struct cli *c) { return cli_call(c, "DELETE", LOGS, STR(""), "rules"); }

enum { APP_KEY = IN_KEY | IN_KEY_OF_APP, GTW_KEY = IN_KEY | IN_KEY_OF_GTW, HOST_KEY = IN_KEY | IN_KEY_OF_HOST };

const struct command cli_commands[] = {
	{ "applications create", "APP", "create an application", IN_APP, app_create },
	{ "applications list", "", "list the applications", IN_LIST | IN_FIND, app_list },
	{ "applications search", "", "the same, for who looks for some", IN_LIST | IN_FIND, app_list },
	{ "applications get", "APP", "show an application", 0, app_get },
	{ "applications update", "APP", "change an application", IN_APP, app_update },
	{ "applications set", "APP", "the same", IN_APP, app_update },
	{ "applications delete", "APP", "delete an application with its devices and keys", 0, app_delete },
	{ "applications api-keys create", "[APP]", "make a key; its secret is shown this once. --right-application-traffic-read, "
		"--right-application-traffic-down-write, …, --right-application-all", APP_KEY, key_create_app },
	{ "applications api-keys list", "[APP]", "list an application's keys, without secrets", APP_KEY | IN_LIST, key_list_app },
	{ "applications api-keys get", "[APP [ID]]", "show a key, without its secret", APP_KEY, key_get_app },
	{ "applications api-keys update", "[APP [ID]]", "change a key's name, end or rights (all that it is to have); connections that lose a right end at once",
		APP_KEY, key_update_app },
	{ "applications api-keys delete", "[APP [ID]]", "delete a key; its connections end at once", APP_KEY, key_delete_app },
	{ "applications issue-dev-eui", "APP", "make a DevEUI that no device has, for one whose maker gave it none", 0, app_dev_eui },
	{ "applications mqtt-info", "APP", "say how an application logs in to MQTT: addresses, user name, what makes a password", 0, app_mqtt_info },
	{ "applications link set", "APP", "link an application, with a key of it that has RIGHT_APPLICATION_LINK as --api-key, or the operator's: what waited is published",
		IN_LINK, link_set },
	{ "applications link get", "APP", "show an application's link", 0, link_get },
	{ "applications link delete", "APP", "cut an application's link: what its devices send waits until it is linked again", 0, link_delete },
	{ "applications pubsubs set", "APP ID", "create or change a Pub/Sub integration: the application's messages at a broker of its own, by MQTT; a change takes effect at once",
		IN_PUBSUB, pubsub_set },
	{ "applications pubsubs get", "APP ID", "show a Pub/Sub integration, without secrets, whether it is connected, why not, and what waits for it", 0, pubsub_get },
	{ "applications pubsubs list", "APP", "list an application's Pub/Sub integrations", IN_LIST, pubsub_list },
	{ "applications pubsubs delete", "APP ID", "delete a Pub/Sub integration with what waits for it", 0, pubsub_delete },
	{ "applications provisioning set", "APP", "let devices that show this key and secret register themselves and be given credentials", IN_PROVISION, provisioning_set },
	{ "applications provisioning get", "APP", "show them", 0, profile_show },
	{ "applications provisioning delete", "APP", "let no device register itself any more", 0, provisioning_delete },
	{ "applications device-profile set", "APP", "say what messages of an application's devices that speak IP mean", IN_PROFILE, profile_set },
	{ "applications device-profile get", "APP", "show it", 0, profile_show },
	{ "applications webhooks set", "APP ID", "create or change a webhook: the application's messages as HTTP requests to a server of its own; a change takes effect at once",
		IN_WEBHOOK, webhook_set },
	{ "applications webhooks get", "APP ID", "show a webhook, without secrets, whether its server takes messages, why not, and what waits for it", 0, webhook_get },
	{ "applications webhooks list", "APP", "list an application's webhooks", IN_LIST, webhook_list },
	{ "applications webhooks delete", "APP ID", "delete a webhook with what waits for it", 0, webhook_delete },
	{ "end-devices create", "APP DEV", "create a device: OTAA, --abp, or (without EUI) one that speaks IP", IN_DEV, dev_create },
	{ "end-devices list", "APP", "list an application's devices", IN_LIST | IN_LIST_DEV | IN_FIND, dev_list },
	{ "end-devices search", "APP", "the same, for who looks for some", IN_LIST | IN_LIST_DEV | IN_FIND, dev_list },
	{ "end-devices get", "APP DEV", "show a device", IN_DEV, dev_get },
	{ "end-devices update", "APP DEV", "change a device", IN_DEV, dev_update },
	{ "end-devices set", "APP DEV", "the same", IN_DEV, dev_update },
	{ "end-devices delete", "APP DEV", "delete a device", 0, dev_delete },
	{ "end-devices batch-delete", "APP DEV...", "delete these devices, each by itself", 0, dev_delete_all },
	{ "end-devices rejoin", "APP DEV", "ask a LoRaWAN 1.1 device to rejoin, with new keys; it is asked at its next uplinks", 0, dev_rejoin },
	{ "end-devices reset", "APP DEV", "forget a device's session and MAC state; its identity and keys stay", 0, dev_reset },
	{ "end-devices credentials set", "APP DEV", "let a device log in to MQTT for itself with a token, with user name and password, or with a certificate, and with nothing else",
		IN_LOGIN, credentials_put },
	{ "end-devices credentials get", "APP DEV", "show what a device logs in to MQTT with", 0, credentials_show },
	{ "end-devices rpc list", "APP DEV", "show the calls of a device that are not over, and the persistent ones", 0, rpc_list },
	{ "end-devices rpc get", "APP DEV ID", "show what a call has come to", 0, rpc_get },
	{ "end-devices rpc delete", "APP DEV ID", "forget a call", 0, rpc_delete },
	{ "end-devices rpc", "APP DEV", "call a device (RPC) and print its answer; a LoRaWAN device gets a downlink, its params being {\"f_port\":1,\"frm_payload\":\"AQI=\"}", IN_CALL, rpc_call },
	{ "end-devices claim", "APP DEV", "claim a device with the secret that it has said", IN_CLAIM, claim_take_it },
	{ "end-devices unclaim", "APP DEV", "let a device be nobody's again", 0, claim_drop },
	{ "end-devices import", "APP FILE", "take the devices of a file (- for standard input): The Things Stack's JSON or CSV, with sessions and counters; "
		"a second run goes on", IN_FLEET, fleet_import },
	{ "end-devices export", "APP", "write all devices, one JSON object a line, with keys, sessions, counters and nonces: for import, or The Things Stack",
		IN_FLEET, fleet_export },
	{ "end-devices multicast-members add", "APP GROUP DEV...", "say which devices a multicast group reaches", 0, members_add },
	{ "end-devices multicast-members remove", "APP GROUP DEV...", "say that it does not reach them any more", 0, members_remove },
	{ "end-devices multicast-members list", "APP GROUP", "list the devices that a multicast group reaches", 0, members_list },
	{ "end-devices downlink push", "APP DEV", "put a downlink at the end of the queue", IN_DOWN, down_push },
	{ "end-devices downlink replace", "APP DEV", "replace the queue by one downlink", IN_DOWN, down_replace },
	{ "end-devices downlink clear", "APP DEV", "empty the queue", 0, down_clear },
	{ "end-devices downlink list", "APP DEV", "show the queue in the order in which it will be sent", 0, down_list },
	{ "end-devices telemetry", "APP DEV", "show what a device said, newest first: its telemetry, and of a LoRaWAN device how it was received", IN_TELEMETRY, telemetry_main },
	{ "end-devices attributes get", "APP DEV", "show a device's attributes", IN_ATTRIBUTES, attributes_get_main },
	{ "end-devices attributes set", "APP DEV", "set attributes of a scope, those that --json has; others stay", IN_ATTRIBUTES, attributes_set_main },
	{ "end-devices attributes delete", "APP DEV", "delete attributes of a scope, those that --keys names", IN_ATTRIBUTES, attributes_delete_main },
	{ "simulate application-uplink", "APP DEV", "make up an uplink: applications get it as if the device had sent it, marked as simulated", IN_UP | IN_UP_ROOT, simulate_up },
	{ "formatters test", "[FILE]", "try a payload formatter: the script of a file in a sandbox here, or --application-id and --device-id what is in force on the server",
		IN_SHELL | IN_TRIAL, formatters_test_main },
	{ "gateways create", "GTW", "register a gateway", IN_GTW, gtw_create },
	{ "gateways adopt", "EUI [GTW]", "register a gateway that is heard, with the plan it works by or --frequency-plan-id", IN_GTW, gtw_adopt },
	{ "gateways list", "", "list the gateways, the unregistered ones that are heard too", IN_LIST | IN_LIST_GTW | IN_FIND, gtw_list },
	{ "gateways search", "", "the same, for who looks for some", IN_LIST | IN_LIST_GTW | IN_FIND, gtw_list },
	{ "gateways get", "GTW", "show a gateway", 0, gtw_get },
	{ "gateways update", "GTW", "change a gateway", IN_GTW, gtw_update },
	{ "gateways set", "GTW", "the same", IN_GTW, gtw_update },
	{ "gateways delete", "GTW", "delete a gateway", 0, gtw_delete },
	{ "gateways api-keys create", "[GTW]", "make a key; its secret is shown this once. --right-gateway-info, "
		"--right-gateway-status-read, …, --right-gateway-all", GTW_KEY, key_create_gtw },
	{ "gateways api-keys list", "[GTW]", "list a gateway's keys, without secrets", GTW_KEY | IN_LIST, key_list_gtw },
	{ "gateways api-keys get", "[GTW [ID]]", "show a key, without its secret", GTW_KEY, key_get_gtw },
	{ "gateways api-keys update", "[GTW [ID]]", "change a key's name, end or rights (all that it is to have)",
		GTW_KEY, key_update_gtw },
	{ "gateways api-keys delete", "[GTW [ID]]", "delete a key", GTW_KEY, key_delete_gtw },
	{ "gateways get-connection-stats", "GTW", "show a gateway's connection, round trips and airtime", 0, gtw_stats },
	{ "api-keys create", "", "make a key of the operator, which may do all (--right-all); its secret is shown this once", HOST_KEY, key_create },
	{ "api-keys list", "", "list the operator's keys, without secrets; this host's own is of admin.key", HOST_KEY | IN_LIST, key_list },
	{ "api-keys get", "[ID]", "show a key, without its secret", HOST_KEY, key_get },
	{ "api-keys update", "[ID]", "change a key's name or end", HOST_KEY, key_update },
	{ "api-keys delete", "[ID]", "delete a key; its connections end at once. This host's own stays", HOST_KEY, key_delete },
	{ "events", "", "what happens, as it happens with --follow", IN_EVENT, events },
	{ "trace", "CORRELATION-ID", "the story of one message; with --table, as a time line", 0, trace_main },
	{ "why", "[APP [DEV [QUESTION]]]", "why a device does not join (QUESTION join), is not heard (heard), what became of its last downlink (downlink); "
		"or, with --gateway-id, what is the matter with a gateway; with --table, in words", IN_WHY, why_main },
	{ "logs set", "", "log the lines of a device, a gateway or a process at another level, for a while", IN_LOG, logs_set },
	{ "logs get", "", "whose lines are logged at another level", 0, logs_get },
	{ "logs clear", "", "log as the configuration says again", 0, logs_clear },
	{ "backup", "DIR", "copy this host's state as it stands at this moment, processes running or not, into a new directory", IN_HOST, backup_main },
	{ "restore", "DIR", "put that copy in the place of this host's state, raise all downlink counters by 1024, and list them", IN_HOST, restore_main },
	{ "completion", "SHELL", "print what a shell, bash or zsh, is to know to complete this command line: eval \"$(godwit completion bash)\"", IN_SHELL, completion },
	{ .words = NULL },
};
