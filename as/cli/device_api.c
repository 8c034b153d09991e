/** @file Commands for devices that speak IP: what they log in with, calls, claims, provisioning. */
#include "as/cli/device_api.h"

enum { PATH_MAX_ = 2048, BODY_MAX_ = 1 << 20 };

/** "{start}/{app}/devices/{dev}{leaf}" */
static const char *device_path(const struct cli *c, const char *start, const char *leaf, char buf[PATH_MAX_])
{
	struct text path = text_fixed(buf, PATH_MAX_);
	text_puts(&path, start);
	cli_path(&path, c->operand[0], "devices", c->operand[1], NULL);
	text_puts(&path, leaf);
	return buf;
}

/** With a body of the flags of `groups`. */
static int call_device(struct cli *c, const char *method, const char *path, int groups)
{
	__attribute__((cleanup(text_done_auto))) struct text body = text_growing(BODY_MAX_);
	int status = cli_body(c, groups, NULL, NULL, 0, &body);
	return status ? status : cli_call(c, method, path, text_str(&body), NULL);
}

int credentials_put(struct cli *c)
{
	char buf[PATH_MAX_];
	return call_device(c, "PUT", device_path(c, "/api/v3/applications", "/credentials", buf), IN_LOGIN);
}

int credentials_show(struct cli *c)
{
	char buf[PATH_MAX_];
	return cli_call(c, "GET", device_path(c, "/api/v3/applications", "/credentials", buf), STR(""), NULL);
}

#define AS_APPLICATIONS "/api/v3/as/applications"

/** The device's answer alone, where one is waited for. */
int rpc_call(struct cli *c)
{
	__attribute__((cleanup(text_done_auto))) struct text body = text_growing(BODY_MAX_);
	char buf[PATH_MAX_];
	const char *answer = args_on(&c->args, "oneway") || args_on(&c->args, "persistent") ? NULL : "response";
	int status = cli_body(c, IN_CALL, NULL, NULL, 0, &body);
	return status ? status : cli_call(c, "POST", device_path(c, AS_APPLICATIONS, "/rpc", buf), text_str(&body), answer);
}

int rpc_list(struct cli *c)
{
	char buf[PATH_MAX_];
	return cli_call(c, "GET", device_path(c, AS_APPLICATIONS, "/rpc", buf), STR(""), "calls");
}

static int call_one(struct cli *c, const char *method)
{
	char buf[PATH_MAX_];
	struct text path = text_fixed(buf, sizeof buf);
	text_puts(&path, AS_APPLICATIONS);
	cli_path(&path, c->operand[0], "devices", c->operand[1], "rpc", c->operand[2], NULL);
	return cli_call(c, method, buf, STR(""), NULL);
}
int rpc_get(struct cli *c) { return call_one(c, "GET"); }
int rpc_delete(struct cli *c) { return call_one(c, "DELETE"); }

int claim_take_it(struct cli *c)
{
	char buf[PATH_MAX_];
	return call_device(c, "POST", device_path(c, AS_APPLICATIONS, "/claim", buf), IN_CLAIM);
}

int claim_drop(struct cli *c)
{
	char buf[PATH_MAX_];
	return cli_call(c, "DELETE", device_path(c, AS_APPLICATIONS, "/claim", buf), STR(""), NULL);
}

/* ---- what an application says of them all ---- */

static const char *profile_path(const struct cli *c, char buf[PATH_MAX_])
{
	struct text path = text_fixed(buf, PATH_MAX_);
	text_puts(&path, AS_APPLICATIONS);
	cli_path(&path, c->operand[0], "device-profile", NULL);
	return buf;
}

int provisioning_set(struct cli *c)
{
	char buf[PATH_MAX_];
	return call_device(c, "PUT", profile_path(c, buf), IN_PROVISION);
}

int provisioning_delete(struct cli *c)
{
	char buf[PATH_MAX_];
	return cli_call(c, "PUT", profile_path(c, buf), STR("{\"provision_device_key\":null,\"provision_device_secret\":null}"), NULL);
}

int profile_set(struct cli *c)
{
	char buf[PATH_MAX_];
	return call_device(c, "PUT", profile_path(c, buf), IN_PROFILE);
}

int profile_show(struct cli *c)
{
	char buf[PATH_MAX_];
	return cli_call(c, "GET", profile_path(c, buf), STR(""), NULL);
}
