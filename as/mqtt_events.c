/** @file Events of MQTT logins and sessions, in the trace of their application. */
#include "as/mqtt_events.h"
#include "as/traces.h"
#include "common/core/json_out.h"
#include "common/log.h"

void mqtt_events_refused(struct as *as, const struct app *a, struct str user, const char *why)
{
	char data[300];
	struct text t = text_fixed(data, sizeof data);
	json_open(&t, '{');
	json_name(&t, "error");
	json_puts(&t, why);
	json_close(&t, '}');
	as->metrics.mqtt_refused++;
	LOG(LOG_WARN, "mqtt_refused", KV_STR("user", user), KV_Z("reason", why));
	traces_add_app(as, EVENT_AS_MQTT_CONNECT_FAIL, a, data);
}

void mqtt_events_lost(struct as *as, const struct mqtt_loss *loss)
{
	struct str kind, user = str_cut(loss->owner, ':', &kind), client = loss->client_id;
	as->metrics.mqtt_lost += loss->n;
	LOG(LOG_WARN, "mqtt_lost", KV_STR("user", user), KV_STR("client", client), KV_U("messages", loss->n));
	char data[300];
	struct text t = text_fixed(data, sizeof data);
	client.n = client.n < 40 ? client.n : 40; /* escaped, it still fits */
	json_open(&t, '{');
	json_name(&t, "client_id");
	json_str(&t, client);
	json_name(&t, "messages");
	json_unum(&t, loss->n);
	json_name(&t, "total");
	json_unum(&t, loss->total);
	json_close(&t, '}');
	traces_add_app(as, EVENT_AS_MQTT_SESSION_DROP, registry_app(&as->registry, user), data);
}
