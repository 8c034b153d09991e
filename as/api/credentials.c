/** @file Credentials of devices over HTTP. */
#include "as/api/credentials.h"
#include "as/api/routes.h"
#include "as/core/registry/record_json.h"

int api_read_credentials(struct api_call *c, const struct device *d, struct credentials_wish *ret)
{
	int e = credentials_read(&c->body, record_find(&c->body, c->object, "credentials"), ret, &c->problem);
	return e ? e : credentials_check(&c->as->credentials, d, ret, &c->problem);
}

int api_set_credentials(struct api_call *c, const struct device *d, const struct credentials_wish *w)
{
	return w->kind == CREDENTIALS_NONE ? 0 : credentials_set(&c->as->credentials, d, w, &c->problem);
}

void api_write_credentials(struct api_call *c, const struct device *d, bool secrets)
{
	struct credentials_wish w;
	if (credentials_get(&c->as->credentials, d->entry.uid, &w))
		return;
	json_name(&c->out, "credentials");
	credentials_write(&c->out, &w, secrets);
	crypto_forget(&w, sizeof w);
}

static void write_all(struct api_call *c)
{
	json_open(&c->out, '{');
	api_write_credentials(c, c->device, true);
	json_close(&c->out, '}');
}

static void get(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP | API_DEVICE, RIGHT_APPLICATION_DEVICES_READ_KEYS, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	write_all(&c);
	api_reply(&c);
	api_done(&c);
}

static void put(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP | API_DEVICE | API_BODY | API_CHANGE, RIGHT_APPLICATION_DEVICES_WRITE_KEYS, NULL };
	struct credentials_wish w;
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	int e = api_read_credentials(&c, c.device, &w);
	if (!e && w.kind == CREDENTIALS_NONE)
		e = problem_say(&c.problem, REGISTRY_E_INVALID, "credentials", "is missing: access_token, or mqtt_client_id, mqtt_username and mqtt_password, or x509_certificate");
	if (!e)
		e = api_set_credentials(&c, c.device, &w);
	if (e) {
		api_fail(&c, e);
	} else {
		write_all(&c);
		api_commit(&c);
	}
	crypto_forget(&w, sizeof w);
	api_done(&c);
}

#define CREDENTIALS "/api/v3/applications/{application_id}/devices/{device_id}/credentials"
const struct api_route api_credentials_routes[] = {
	{ HTTP_GET, CREDENTIALS, get, "APPLICATION_DEVICES_READ_KEYS", "Show what a device logs in with", "", "@CredentialsOf", "" },
	{ HTTP_PUT, CREDENTIALS, put, "APPLICATION_DEVICES_WRITE_KEYS",
		"Let a device log in with these, and end what it has begun with others", "@CredentialsOf", "@CredentialsOf", "" },
	{ .path = NULL },
};
