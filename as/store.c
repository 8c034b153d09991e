/** @file The application server's store: which table is which octet, and loading the registry at start. */
#include "as/store.h"
#include "as/as.h"
#include "common/log.h"
#include <string.h>

static const uint8_t octets[] = {
	[REGISTRY_META] = TABLE_META,         [REGISTRY_APPS] = TABLE_APPS,
	[REGISTRY_DEVICES] = TABLE_DEVICES,   [REGISTRY_GATEWAYS] = TABLE_GATEWAYS,
	[REGISTRY_TOMBSTONES] = TABLE_TOMBSTONES, [REGISTRY_API_KEYS] = TABLE_API_KEYS,
	[REGISTRY_CREDENTIALS] = TABLE_CREDENTIALS, [REGISTRY_PROFILES] = TABLE_PROFILES,
};
enum { KEY_MAX_BYTES = 1 + APP_KEY_TEXT, FORGET_KEY_MAX = 17 };

static struct slice key_in_table(enum registry_table table, struct slice key, uint8_t buf[KEY_MAX_BYTES])
{
	assert(key.n < KEY_MAX_BYTES);
	buf[0] = octets[table];
	memcpy(buf + 1, key.p, key.n);
	return (struct slice){ buf, key.n + 1 };
}

static int put(void *ctx, enum registry_table table, struct slice key, struct slice value)
{
	uint8_t buf[KEY_MAX_BYTES];
	return store_put(ctx, key_in_table(table, key, buf), value);
}

static int del(void *ctx, enum registry_table table, struct slice key)
{
	uint8_t buf[KEY_MAX_BYTES];
	return store_del(ctx, key_in_table(table, key, buf));
}

struct slice as_store_uid_key(uint8_t buf[UID_KEY], enum as_table table, uint64_t uid)
{
	struct writer w = writer_of(buf, UID_KEY);
	writer_u8(&w, (uint8_t)table);
	writer_be64(&w, uid);
	return (struct slice){ buf, w.len };
}

struct registry_sink as_store_sink(struct store *s)
{
	return (struct registry_sink){ put, del, s };
}

/** A helping of keys to delete: a scan may not write. */
struct helping {
	uint8_t key[64][FORGET_KEY_MAX];
	size_t n[64], used;
};

static int help_oneself(void *ctx, struct slice key, struct slice value)
{
	struct helping *h = ctx;
	(void)value;
	if (h->used == COUNT(h->n))
		return 1;
	if (key.n > FORGET_KEY_MAX)
		return 0;
	memcpy(h->key[h->used], key.p, key.n);
	h->n[h->used++] = key.n;
	return 0;
}

int as_store_forget(struct store *s, struct slice prefix)
{
	struct helping h;
	uint8_t last[FORGET_KEY_MAX];
	struct slice from = {0};
	int more;
	do {
		h.used = 0;
		more = store_scan(s, prefix, from, help_oneself, &h);
		for (size_t i = 0; i < h.used; i++)
			TRY(store_del(s, (struct slice){h.key[i], h.n[i]}));
		if (!h.used)
			break;
		/* On from there: what is deleted already need not be stepped over each time. */
		memcpy(last, h.key[h.used - 1], FORGET_KEY_MAX);
		from = (struct slice){last, h.n[h.used - 1]};
	} while (more == 1);
	return more < 0 ? more : 0;
}

struct loading {
	struct as *as;
	enum registry_table table;
	struct problem problem;
	uint8_t orphan[KEY_MAX_BYTES]; /**< key of a record to be deleted after the scan */
	size_t orphan_len;
};

static int load_one(void *ctx, struct slice key, struct slice value)
{
	struct loading *l = ctx;
	struct slice own = { key.p + 1, key.n - 1 };
	int r = l->table == REGISTRY_API_KEYS      ? keyring_load(&l->as->keyring, own, value, &l->problem)
		: l->table == REGISTRY_CREDENTIALS ? credentials_load(&l->as->credentials, own, value, &l->problem)
		: l->table == REGISTRY_PROFILES    ? profiles_load(&l->as->profiles, own, value, &l->problem)
						   : registry_load(&l->as->registry, l->table, own, value, &l->problem);
	if (r == REGISTRY_E_NOT_FOUND && key.n <= sizeof l->orphan) {
		memcpy(l->orphan, key.p, key.n);
		l->orphan_len = key.n;
	}
	return r;
}

/** @return 0; -errno, with the line written */
static int load_table(struct as *as, enum registry_table table, const char *name, struct text *err)
{
	struct loading l = { .as = as, .table = table };
	uint8_t from[KEY_MAX_BYTES] = { octets[table] };
	size_t from_len = 1;
	int r;
	/* A key whose owner went in the commit that a crash cut off is taken out, and the scan goes on behind
	 * it. */
	do {
		l.orphan_len = 0;
		r = store_scan(as->store, (struct slice){ octets + table, 1 },
			(struct slice){ from, from_len }, load_one, &l);
		if (r == REGISTRY_E_NOT_FOUND && l.orphan_len) {
			TRY(store_del(as->store, (struct slice){ l.orphan, l.orphan_len }));
			memcpy(from, l.orphan, l.orphan_len);
			from_len = l.orphan_len;
		}
	} while (r == REGISTRY_E_NOT_FOUND && l.orphan_len);
	if (r == 0)
		return 0;
	text_printf(err, "the store's %s cannot be read: %s%s%s", name, l.problem.field,
		l.problem.field[0] ? " " : "",
		l.problem.message[0] ? l.problem.message : strerror(r < 0 ? -r : EINVAL));
	return r < 0 ? r : -EINVAL;
}

int as_store_load(struct as *as, struct text *err)
{
	static const struct {
		enum registry_table table;
		const char *name;
	} tables[] = {
		{ REGISTRY_META, "description" },    { REGISTRY_APPS, "applications" },
		{ REGISTRY_DEVICES, "devices" },     { REGISTRY_GATEWAYS, "gateways" },
		{ REGISTRY_TOMBSTONES, "deletions" }, { REGISTRY_API_KEYS, "API keys" },
		{ REGISTRY_CREDENTIALS, "credentials of devices" },
		{ REGISTRY_PROFILES, "device profiles" },
	};
	for (size_t i = 0; i < COUNT(tables); i++)
		TRY(load_table(as, tables[i].table, tables[i].name, err));
	return registry_loaded(&as->registry, loop_now(as->loop));
}
