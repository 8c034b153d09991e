/** @file godwit-as --restored: the store was put back from a copy, and is made safe to go on from. */
#include "as/restored.h"
#include "as/core/join.h"
#include "as/integrations/integrations.h"
#include "as/store.h"
#include <stdio.h>
#include <string.h>

enum { RAISE = 1024, LEAP = 1 << 20, KEY_BYTES = 9, FOUND = 1 };

struct found {
	uint8_t key[KEY_BYTES + 1]; /**< and an octet behind, to go on from */
	uint8_t value[JOIN_RECORD_MAX];
	size_t value_n;
};

static int take_first(void *ctx, struct slice key, struct slice value)
{
	struct found *f = ctx;
	if (key.n != KEY_BYTES || value.n > sizeof f->value)
		return -EPROTO;
	memcpy(f->key, key.p, key.n);
	memcpy(f->value, value.p, value.n);
	f->value_n = value.n;
	return FOUND;
}

static int raise_one(struct as *as, const struct found *f)
{
	struct join_state s;
	uint8_t record[JOIN_RECORD_MAX];
	size_t n;
	TRY(join_unpack((struct slice){ f->value, f->value_n }, &as->envelope, &s));
	join_raise(&s, RAISE);
	int r = join_pack(&s, &as->envelope, record, &n);
	crypto_forget(&s, sizeof s);
	return r ? r : store_put(as->store, (struct slice){ f->key, KEY_BYTES }, (struct slice){ record, n });
}

static int raise_all(struct as *as, uint64_t *ret_n)
{
	static const uint8_t table = TABLE_JOIN;
	struct found f = { .key = { TABLE_JOIN } };
	size_t from = 1;
	for (;;) {
		int r = store_scan(as->store, (struct slice){ &table, 1 }, (struct slice){ f.key, from }, take_first, &f);
		if (r != FOUND)
			return r;
		TRY(raise_one(as, &f));
		f.key[KEY_BYTES] = 0;
		from = KEY_BYTES + 1;
		++*ret_n;
	}
}

static void set_true(void *ctx)
{
	bool *is = ctx;
	*is = true;
}

int restored_apply(struct as *as, struct text *err)
{
	uint64_t n = 0;
	bool is_durable = false;
	int r = registry_leap(&as->registry, LEAP);
	if (!r)
		r = integrations_leap(as->store, LEAP);
	if (!r)
		r = raise_all(as, &n);
	if (r == -EPROTO || r == -EBADMSG)
		text_puts(err, "the store holds a damaged record, or another key-encryption key than that of as/kek");
	if (!r)
		r = store_after(as->store, set_true, &is_durable);
	if (r)
		return r;
	store_close(as->store);
	as->store = NULL;
	if (!is_durable) {
		text_puts(err, "the store cannot be written; is there room on the disk?");
		return -EIO;
	}
	return printf("%llu\n", (unsigned long long)n) < 0 ? -EIO : 0;
}
