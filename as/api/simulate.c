/** @file An uplink that somebody makes up, published as if the device had sent it. */
#include "as/api/api.h"
#include "as/api/routes.h"
#include "as/core/simulated.h"
#include "as/forwards.h"
#include "as/telemetry.h"
#include "as/traces.h"
#include "as/traffic.h"
#include "as/unlinked.h"
#include "proto/cids.h"
#include <stdlib.h>

/** Publish it to the application's clients; nothing of the device changes by it. @return 0; -errno of the store */
static int publish(struct api_call *c, struct simulated *s)
{
	struct as *as = c->as;
	const struct device *d = c->device;
	const struct device_traffic *traffic = traffic_of(as, d->entry.uid, false);
	struct cid cid = { .kind = CID_AS_UP, .id = ulid_make(loop_now(as->loop)->unix_us, &as->rng) };
	struct traces_of of = { .device = d, .own = s->item.own_cids, .own_n = s->item.own_cids_n };
	struct tts_up u = traffic_envelope(as, d);
	struct tts_extras x = { .decoded_payload = s->decoded, .battery = traffic_battery(as, d->entry.uid) };
	u.is_simulated = true;
	u.cids = &cid;
	u.n_cids = 1;
	u.own_cids = s->item.own_cids;
	u.own_cids_n = s->item.own_cids_n;
	if (ulid_is_none(&s->data.session_key_id) && traffic && traffic->sessions.n)
		s->data.session_key_id = traffic->sessions.v[0].id;
	struct text *t = traffic_json(as);
	tts_uplink(t, &u, &s->data, (struct slice){ s->item.payload, s->item.payload_n }, &x);
	TRY(telemetry_keep_uplink(as, d, &s->data, s->decoded));
	int waits = unlinked_publish(as, d, "up", text_str(t));
	if (waits < 0)
		return waits;
	traces_note(as, EVENT_AS_UP_DATA_RECEIVE, &of, &cid, 1, "{\"simulated\":true}");
	forwards_tell(as, waits ? EVENT_AS_UP_DATA_WAIT : EVENT_AS_UP_DATA_FORWARD, &of, &cid, 1, &(struct forward){ .waits = waits });
	return 0;
}

static void simulate(void *ctx, struct http_request *r)
{
	static const struct api_need need = {
		.what = API_APP | API_DEVICE | API_BODY | API_CHANGE, .right = RIGHT_APPLICATION_TRAFFIC_UP_WRITE};
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	struct simulated *s = malloc(sizeof *s);
	int e = s ? simulated_read(&c.body, json_root(&c.body), loop_now(c.as->loop)->unix_us, s, &c.problem) : -ENOMEM;
	if (!e)
		e = publish(&c, s);
	if (e) {
		api_fail(&c, e);
	} else {
		text_puts(&c.out, "{}");
		api_commit(&c);
	}
	free(s);
	api_done(&c);
}

const struct api_route api_simulate_routes[] = {
	{ HTTP_POST, "/api/v3/as/applications/{application_id}/devices/{device_id}/up/simulate", simulate,
		"APPLICATION_TRAFFIC_UP_WRITE", "Publish an uplink that somebody makes up", "@SimulateRequest", "@Empty", "" },
	{ .path = NULL },
};
