/** @file Claims of devices: offered over MQTT, taken over HTTP. */
#include "as/device_api/claims.h"
#include "as/device_api/rooms.h"
#include "as/store.h"
#include "common/core/json_out.h"

int claims_get(struct as *as, const struct device *d, struct claim *ret)
{
	uint8_t key[UID_KEY];
	struct slice s;
	int r = store_get(as->store, as_store_uid_key(key, TABLE_CLAIMS, d->entry.uid), &s);
	*ret = (struct claim){ .expires_unix_us = 0 };
	return r == STORE_E_NONE ? -ENOENT : r ? r : claim_unpack(s, ret);
}

static int put(struct as *as, const struct device *d, const struct claim *c)
{
	uint8_t key[UID_KEY], record[CLAIM_RECORD];
	claim_pack(c, record);
	return store_put(as->store, as_store_uid_key(key, TABLE_CLAIMS, d->entry.uid), (struct slice){ record, sizeof record });
}

int claims_release(struct as *as, const struct device *d)
{
	uint8_t key[UID_KEY];
	return store_del(as->store, as_store_uid_key(key, TABLE_CLAIMS, d->entry.uid));
}

static void tell(struct as *as, const struct device *d, const char *data)
{
	(void)device_publish_service(as, d, "claim", data);
}

int claims_claim(struct as *as, const struct device *d, struct str secret, enum claim_outcome *ret)
{
	struct claim c;
	int r = claims_get(as, d, &c);
	if (r && r != -ENOENT)
		return r;
	*ret = claim_take(&c, secret, loop_now(as->loop)->unix_us);
	if (*ret == CLAIM_CLAIMED)
		return 0;
	TRY(put(as, d, &c));
	if (*ret == CLAIM_SUCCESS)
		tell(as, d, "{\"claimed\":true}");
	return 0;
}

static void tell_offer(struct as *as, const struct device *d, const struct claim *c, uint64_t now_us)
{
	char data[96];
	struct text t = text_fixed(data, sizeof data);
	json_open(&t, '{');
	json_name(&t, "claimed");
	json_truth(&t, false);
	json_name(&t, "duration_ms");
	json_unum(&t, (c->expires_unix_us - now_us) / MS_US);
	json_close(&t, '}');
	tell(as, d, data);
}

enum mqtt_verdict claims_take(struct as *as, struct device_message *m, uint8_t *ret_reason)
{
	struct lenient *json = &device_rooms_readings(as)->json;
	uint64_t now_us = loop_now(as->loop)->unix_us;
	struct claim offer, c;
	int r = m->body.n ? lenient_read(json, m->body, NULL) : 0;
	if (!r)
		r = claim_read(m->body.n ? &json->json : NULL, now_us, as->settings->claim_duration, &offer);
	if (r)
		return device_refuse(as, m, r, "a claim is an object with secretKey and durationMs, or empty", ret_reason);
	r = claims_get(as, m->device, &c);
	if (store_failing(as->store) || (r && r != -ENOENT))
		return device_unavailable(as, m, ret_reason);
	if (!claim_offer(&c, &offer, now_us))
		return MQTT_TAKEN; /* the one that it has offered before goes on */
	if (put(as, m->device, &c))
		return device_unavailable(as, m, ret_reason);
	tell_offer(as, m->device, &c, now_us);
	return device_taken(as, m);
}

static void on_device(void *ctx, struct device *d, enum change c)
{
	if (c == CHANGE_DELETED)
		(void)claims_release(ctx, d);
}

int claims_start(struct as *as, struct text *err)
{
	(void)err;
	registry_watch(&as->registry, &(struct registry_watch){ .device = on_device, .ctx = as });
	return 0;
}

void claims_stop(struct as *as)
{
	(void)as;
}
