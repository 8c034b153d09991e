/** @file No memory at the n-th allocation of the registry's life, for every n: each change happens or does
 * not, nothing crashes, nothing leaks, and what was stored can be loaded.
 *
 * The sanitizers bring a malloc of their own, so with them the same run happens without failures.
 */
#include "as/core/registry/device_json.h"
#include "as/core/registry/keyring_json.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

static long left = -1; /**< allocations that succeed before one fails; negative: all do */
static bool has_failed;
static long alive;

#ifdef __SANITIZE_ADDRESS__
enum { INJECTS = 0 };
#else
enum { INJECTS = 1 };
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void __libc_free(void *p);

static bool is_refused(void)
{
	if (left < 0 || left-- > 0)
		return false;
	has_failed = true;
	return true;
}

void *malloc(size_t n)
{
	void *p = is_refused() ? NULL : __libc_malloc(n);
	alive += p != NULL;
	return p;
}

void *calloc(size_t n, size_t size)
{
	void *p = is_refused() ? NULL : __libc_calloc(n, size);
	alive += p != NULL;
	return p;
}

void *realloc(void *was, size_t n)
{
	void *p = is_refused() ? NULL : __libc_realloc(was, n);
	alive += p && !was;
	return p;
}

void free(void *p)
{
	alive -= p != NULL;
	__libc_free(p);
}
#endif

/* The store: room for every record, so that only the registry allocates. */
static struct {
	enum registry_table table;
	char key[128], value[4096];
	size_t key_n, n;
} kept[32];
static size_t n_kept;

static int del(void *ctx, enum registry_table t, struct slice key)
{
	(void)ctx;
	for (size_t i = 0; i < n_kept; i++) {
		if (kept[i].table == t && kept[i].key_n == key.n && !memcmp(kept[i].key, key.p, key.n)) {
			kept[i] = kept[--n_kept];
			break;
		}
	}
	return 0;
}

static int put(void *ctx, enum registry_table t, struct slice key, struct slice value)
{
	del(ctx, t, key);
	if (n_kept == COUNT(kept) || value.n > sizeof kept[0].value || key.n > sizeof kept[0].key)
		return -ENOSPC;
	kept[n_kept].table = t;
	memcpy(kept[n_kept].key, key.p, key.n);
	memcpy(kept[n_kept].value, value.p, value.n);
	kept[n_kept].key_n = key.n;
	kept[n_kept++].n = value.n;
	return 0;
}

static struct crypto *crypto;
static const struct now now = { 1, UINT64_C(1700000000000000) };
static const char device_text[] =
	"{\"ids\":{\"device_id\":\"dev1\",\"dev_eui\":\"70B3D57ED0051234\",\"join_eui\":\"0000000000000001\"}"
	","
	"\"name\":\"N\",\"attributes\":{\"a\":\"b\"},\"frequency_plan_id\":\"EU_863_870\","
	"\"root_keys\":{\"app_key\":{\"key\":\"000102030405060708090A0B0C0D0E0F\"}},\"mac_settings\":{\"rx1_"
	"delay\":2}}";

static void begin(struct registry *r, struct keyring *k, const struct envelope *e)
{
	static struct rng_seeded seeded;
	struct registry_sink sink = { put, del, NULL };
	struct rng rng = rng_seeded(&seeded, 9);
	registry_init(r, &sink, e, &rng, "");
	keyring_init(k, r);
}

static void change_device(struct registry *r, struct app *a)
{
	static struct json_tok tok[128];
	static const struct field_mask all = { 0 };
	struct json j;
	(void)json_parse(str_of(device_text), tok, COUNT(tok), &j, NULL);
	struct record_source rd = { .j = &j, .root = json_root(&j) };
	struct device *d = device_new();
	if (!d || device_json_read(d, &all, &rd) || registry_device_create(r, a, d, &now, NULL)) {
		device_free(d);
		return;
	}
	struct device *wish = device_clone(d);
	if (!wish || device_json_read(wish, &all, &rd) || registry_device_update(r, d, wish, &now, NULL))
		device_free(wish);
	(void)registry_device_reset(r, d, &now);
}

static void change_gateway(struct registry *r)
{
	struct gateway *g = gateway_new();
	if (!g)
		return;
	memcpy(g->id, "eui-0000000000000001", 21);
	if (registry_gateway_create(r, g, &now, NULL)) {
		gateway_free(g);
		return;
	}
	struct gateway *wish = gateway_clone(g);
	if (wish)
		wish->eui = 2;
	if (wish && registry_gateway_update(r, g, wish, &now, NULL))
		gateway_free(wish);
	(void)registry_gateway_delete(r, g);
}

static void change_keys(struct keyring *k, struct app *a)
{
	char token[API_KEY_TEXT + 1];
	struct api_key *key;
	struct api_key_wish w = {
		.kind = KEY_APPLICATION, .app = a, .rights = RIGHT_BIT(RIGHT_APPLICATION_INFO)
	};
	(void)keyring_create(k, &w, &now, token, &key, NULL);
}

/** A life: create, change, delete, end, load. */
static int live(void)
{
	struct envelope e = { .crypto = crypto };
	struct registry r;
	struct keyring k;
	n_kept = 0;
	begin(&r, &k, &e);
	int rc = registry_loaded(&r, &now);
	struct app *a = app_new();
	if (a && !app_set_ids(a, STR("app1"), NULL) && !registry_app_create(&r, a, &now, NULL)) {
		change_device(&r, a);
		change_gateway(&r);
		change_keys(&k, a);
	} else {
		app_free(a);
	}
	keyring_done(&k);
	registry_done(&r);
	begin(&r, &k, &e);
	for (enum registry_table t = REGISTRY_META; t <= REGISTRY_API_KEYS && !rc; t++) {
		for (size_t i = 0; i < n_kept && !rc; i++) {
			struct slice key = { (uint8_t *)kept[i].key, kept[i].key_n };
			struct slice value = { (uint8_t *)kept[i].value, kept[i].n };
			if (kept[i].table == t)
				rc = t == REGISTRY_API_KEYS ? keyring_load(&k, key, value, NULL)
							    : registry_load(&r, t, key, value, NULL);
		}
	}
	if (!rc)
		rc = registry_loaded(&r, &now);
	keyring_done(&k);
	registry_done(&r);
	return rc;
}

START_TEST(the_registry_lives_with_every_allocation_failing_once)
{
	long n = 0;
	crypto = crypto_new();
	ck_assert_int_eq(live(), 0); /* libcrypto keeps what it makes on first use */
	crypto_free(crypto);
	do {
		ck_assert_int_lt(n, 2000);
		has_failed = false;
		long before = alive;
		crypto = crypto_new();
		left = INJECTS ? n++ : -1;
		int rc = live();
		left = -1;
		crypto_free(crypto);
		long after = alive;
		ck_assert_msg(after == before, "allocation %ld: %ld are not freed", n, after - before);
		ck_assert_msg(rc == 0 || has_failed, "allocation %ld: %d", n, rc);
	} while (has_failed);
	ck_assert(!INJECTS || n > 30);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("registry_memory");
	TCase *t = tcase_create("registry_memory");
	tcase_add_test(t, the_registry_lives_with_every_allocation_failing_once);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
