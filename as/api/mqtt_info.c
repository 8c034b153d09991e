/** @file Where and how an application logs in to MQTT. */
#include "as/api/api.h"
#include "as/api/routes.h"
#include "as/doors.h"
#include "common/net.h"
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

enum { HOST_MAX = 256 };

static bool is_loopback(const struct net_address *a)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a->sa;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->sa;
	return a->sa.ss_family == AF_INET    ? ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET
	       : a->sa.ss_family == AF_INET6 ? IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr)
					     : true; /* a socket of this host's file system */
}

static bool is_any(const struct net_address *a)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a->sa;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->sa;
	return a->sa.ss_family == AF_INET ? v4->sin_addr.s_addr == htonl(INADDR_ANY) : IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
}

/** Under which address clients reach what listens there: a name that the operator gave, or this host's own where it listens on all
 * its addresses. What listens on loopback is reached from this host only, whatever its name. */
static void write_reachable(struct text *t, const struct as *as, const char *listening)
{
	struct net_address a;
	char own[HOST_MAX];
	const char *host = as->settings->public_address;
	if (net_parse(str_of(listening), 0, &a) || is_loopback(&a) || (!*host && !is_any(&a))) {
		text_puts(t, listening);
		return;
	}
	if (!*host && gethostname(own, sizeof own) == 0) {
		own[sizeof own - 1] = '\0';
		host = own;
	}
	bool is_ipv6 = strchr(host, ':') != NULL;
	text_printf(t, "%s%s%s:%u", is_ipv6 ? "[" : "", *host ? host : "localhost", is_ipv6 ? "]" : "", net_port(&a));
}

static void write_address(struct api_call *c, const char *name, const char *before, const char *listening, const char *after)
{
	char shown[2 * HOST_MAX];
	struct text t = text_fixed(shown, sizeof shown);
	if (!*listening)
		return;
	text_puts(&t, before);
	write_reachable(&t, c->as, listening);
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
