/** @file Where and how an application logs in to MQTT. */
#include "as/api/api.h"
#include "as/api/routes.h"
#include "as/doors.h"
#include "as/web.h"

enum { ADDRESS_MAX = 512 };

static void write_address(struct api_call *c, const char *name, const char *before, const char *listening, const char *after)
{
	char shown[ADDRESS_MAX];
	struct text t = text_fixed(shown, sizeof shown);
	if (!*listening)
		return;
	text_puts(&t, before);
	web_reachable(c->as, listening, &t);
	text_puts(&t, after);
	json_name(&c->out, name);
	json_puts(&c->out, shown);
}

static void mqtt_info(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP, RIGHT_APPLICATION_INFO, NULL };
	struct api_call c;
	char hint[320];
	struct text h = text_fixed(hint, sizeof hint);
	if (api_begin(&c, ctx, r, &need))
		return;
	json_open(&c.out, '{');
	write_address(&c, "public_address", "", doors_address(c.as, false), "");
	write_address(&c, "public_tls_address", "", doors_address(c.as, true), "");
	json_name(&c.out, "username");
	json_puts(&c.out, c.app->key);
	write_address(&c, "websocket_url", "ws://", http_address(c.as->http, false), "/mqtt");
	write_address(&c, "websocket_tls_url", "wss://", http_address(c.as->http, true), "/mqtt");
	text_printf(&h,
		"the password is an API key: godwit applications api-keys create --application-id %s --name mqtt-client "
		"--right-application-traffic-read --right-application-traffic-down-write",
		c.app->key);
	json_name(&c.out, "hint");
	json_puts(&c.out, hint);
	json_close(&c.out, '}');
	api_reply(&c);
	api_done(&c);
}

const struct api_route api_mqtt_info_routes[] = {
	{ HTTP_GET, "/api/v3/as/applications/{application_id}/mqtt-connection-info", mqtt_info,
		"APPLICATION_INFO", "Where and how the application logs in to MQTT", "", "@MqttConnectionInfo", "" },
	{ .path = NULL },
};
