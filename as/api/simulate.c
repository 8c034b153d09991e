/** @file An uplink that somebody makes up, published as if the device had sent it. */
#include "as/api/api.h"
#include "as/api/routes.h"
#include "as/core/simulated.h"
#include "as/formatters/decode.h"
#include "as/traffic.h"
#include <stdlib.h>
#include <string.h>

/** Publish it to the application's clients; nothing of the device changes by it. @return 0; -errno of the store */
static int publish(struct api_call *c, struct simulated *s)
{
	struct as *as = c->as;
	const struct device *d = c->device;
	const struct device_traffic *traffic = traffic_of(as, d->entry.uid, false);
	uint64_t now_us = loop_now(as->loop)->unix_us;
	struct kept k = { .id = ulid_make(now_us, &as->rng), .taken_unix_us = now_us, .is_simulated = true, .own_cids = s->item.own_cids,
		.own_cids_n = s->item.own_cids_n, .decoded = s->decoded };
	if (ulid_is_none(&s->data.session_key_id) && traffic && traffic->sessions.n)
		s->data.session_key_id = traffic->sessions.v[0].id;
	k.m = calloc(1, sizeof *k.m);
	if (!k.m)
		return -ENOMEM;
	k.m->device = d->entry.uid;
	k.m->data = s->data;
	MSG_MARK(k.m, data);
	memcpy(k.m->data.frm.p, s->item.payload, s->item.payload_n);
	k.m->data.frm.len = (uint16_t)s->item.payload_n;
	MSG_MARK(&k.m->data, frm);
	int e = decode_take(as, d, &k);
	free(k.m);
	return e;
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
