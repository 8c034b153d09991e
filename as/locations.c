/** @file Locations out of payloads.
 *
 * A device that moves says so with each uplink. Its record, with keys, script and all, is not written each time, and the network server, which
 * follows the record's revisions, hears nothing: the location stands in the record in memory, and in the store in a table of its own until the
 * record is written for another reason.
 */
#include "as/locations.h"
#include "as/core/formatters/location.h"
#include "as/store.h"
#include "common/log.h"
#include <string.h>

enum { LOCATION_VERSION = 1, LOCATION_RECORD = 25, LOCATIONS_MAX = 65536, ORPHANS = 64 };

/** Put it among the locations of the record. @return 0; -ENOMEM */
static int place(struct device *d, const struct tts_location *l)
{
	struct text t __attribute__((cleanup(text_done_auto))) = text_growing(LOCATIONS_MAX);
	int e = locations_with(&t, str_of(texts_get(&d->texts, TEXT_LOCATIONS)), l);
	return e ? e : texts_set(&d->texts, TEXT_LOCATIONS, text_str(&t));
}

static bool is_there(const struct device *d, const struct tts_location *l)
{
	char own[256];
	struct text t = text_fixed(own, sizeof own);
	text_puts(&t, "\"" LOCATION_SERVICE "\":");
	tts_location_object(&t, l);
	return !t.failed && strstr(texts_get(&d->texts, TEXT_LOCATIONS), own);
}

static int put(struct as *as, uint64_t uid, const struct tts_location *l)
{
	uint8_t key[UID_KEY], record[LOCATION_RECORD];
	struct writer w = writer_of(record, sizeof record);
	writer_u8(&w, LOCATION_VERSION);
	writer_be64(&w, (uint64_t)l->latitude_e9);
	writer_be64(&w, (uint64_t)l->longitude_e9);
	writer_be32(&w, (uint32_t)l->altitude_m);
	writer_be32(&w, (uint32_t)l->accuracy_m);
	return store_put(as->store, as_store_uid_key(key, TABLE_LOCATIONS, uid), (struct slice){ record, w.len });
}

/** @return 0; -EPROTO damaged */
static int read_record(struct slice record, struct tts_location *ret)
{
	struct reader r = reader_of(record.p, record.n);
	uint8_t version = reader_u8(&r);
	*ret = (struct tts_location){ .latitude_e9 = (int64_t)reader_be64(&r) };
	ret->longitude_e9 = (int64_t)reader_be64(&r);
	ret->altitude_m = (int32_t)reader_be32(&r);
	ret->accuracy_m = (int32_t)reader_be32(&r);
	return r.failed || version != LOCATION_VERSION ? -EPROTO : 0;
}

int locations_keep(struct as *as, uint64_t uid, const struct tts_location *l)
{
	struct device *d = registry_device_by_uid(&as->registry, uid);
	if (!d || is_there(d, l))
		return 0;
	int e = place(d, l);
	if (e == -EBADMSG)
		return 0; /* the record's own are not an object: they stay as they are */
	TRY(e);
	return put(as, uid, l);
}

static void forget(struct as *as, uint64_t uid)
{
	uint8_t key[UID_KEY];
	struct slice value;
	if (store_get(as->store, as_store_uid_key(key, TABLE_LOCATIONS, uid), &value))
		return;
	int e = store_del(as->store, as_store_uid_key(key, TABLE_LOCATIONS, uid));
	if (e)
		LOG(LOG_ERROR, "location_left", KV_U("device", uid), KV_Z("error", strerror(-e)));
}

/** The record was written as it is in memory, or has gone. */
static void on_device(void *ctx, struct device *d, enum change c)
{
	if (c != CHANGE_CREATED)
		forget(ctx, d->entry.uid);
}

struct loading {
	struct as *as;
	uint64_t orphans[ORPHANS]; /**< records of devices that are gone: a crash can cut a deletion in two */
	size_t n_orphans;
};

static int load(void *ctx, struct slice key, struct slice value)
{
	struct loading *l = ctx;
	struct reader r = reader_of(key.p + 1, key.n - 1);
	uint64_t uid = reader_be64(&r);
	struct tts_location location;
	struct device *d = r.failed ? NULL : registry_device_by_uid(&l->as->registry, uid);
	if (!d && l->n_orphans < ORPHANS)
		l->orphans[l->n_orphans++] = uid;
	if (!d)
		return 0;
	int e = read_record(value, &location);
	e = e ? e : place(d, &location);
	if (e && e != -ENOMEM)
		LOG(LOG_ERROR, "record_damaged", KV_Z("what", "location"), KV_U("device", uid));
	return e == -ENOMEM ? e : 0;
}

int locations_start(struct as *as, struct text *err)
{
	static const uint8_t prefix = TABLE_LOCATIONS;
	struct loading l = { .as = as };
	if (store_scan(as->store, (struct slice){ &prefix, 1 }, (struct slice){ 0 }, load, &l)) {
		text_puts(err, "the store's locations of devices cannot be read");
		return -EIO;
	}
	for (size_t i = 0; i < l.n_orphans; i++)
		forget(as, l.orphans[i]);
	registry_watch(&as->registry, &(struct registry_watch){ .device = on_device, .ctx = as });
	return 0;
}

void locations_stop(struct as *as)
{
	(void)as;
}
