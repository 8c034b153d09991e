/** @file API keys and rights, the envelope of keys at rest, and base32. */
#include "as/core/registry/base32.h"
#include "test/unit/registry_world.h"

static struct world w;
static struct problem p;
static struct app *app1, *app2;
static char token[API_KEY_TEXT + 1];
static struct api_key *key;

static void setup(void)
{
	world_open(&w);
	p = (struct problem){ 0 };
	app1 = world_app(&w, "app1");
	app2 = world_app(&w, "app2");
}

static void teardown(void)
{
	world_close(&w);
}

static void make(uint64_t rights, uint64_t expires_unix_us)
{
	struct api_key_wish wish = { .kind = KEY_APPLICATION,
		.app = app1,
		.rights = rights,
		.name = "mqtt",
		.expires_unix_us = expires_unix_us };
	ck_assert_int_eq(keyring_create(&w.k, &wish, &w.now, token, &key, &p), 0);
}

static int check(const char *text)
{
	const struct api_key *k;
	int e = rights_check(&w.k, str_of(text), &w.now, &k, &p);
	if (!e)
		ck_assert_ptr_eq(k, key);
	return e;
}

/* RFC 4648 section 10, without the padding. */
START_TEST(base32_is_that_of_the_rfc)
{
	static const char *const rows[][2] = {
		{ "", "" },
		{ "f", "MY" },
		{ "fo", "MZXQ" },
		{ "foo", "MZXW6" },
		{ "foob", "MZXW6YQ" },
		{ "fooba", "MZXW6YTB" },
		{ "foobar", "MZXW6YTBOI" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char buf[32];
		struct text t = text_fixed(buf, sizeof buf);
		base32_put(&t, rows[i][0], strlen(rows[i][0]));
		ck_assert_str_eq(buf, rows[i][1]);
		ck_assert(base32_valid(str_of(buf), strlen(rows[i][0])));
	}
	ck_assert(!base32_valid(STR("MZXW6YTB1"), 5));
	ck_assert(!base32_valid(STR("mzxw6ytb"), 5));
	/* The Things Stack's types are base32 of three letters (facts of its pkg/auth). */
	char buf[8];
	struct text t = text_fixed(buf, sizeof buf);
	base32_put(&t, "key", 3);
	ck_assert_str_eq(buf, "NNSXS");
}
END_TEST

START_TEST(a_key_has_the_things_stacks_form)
{
	make(RIGHT_BIT(RIGHT_APPLICATION_TRAFFIC_READ), 0);
	ck_assert_uint_eq(strlen(token), 98);
	ck_assert(str_starts(str_of(token), "NNSXS."));
	ck_assert(token[45] == '.');
	ck_assert_mem_eq(token + 6, key->id, API_KEY_ID);
}
END_TEST

START_TEST(a_token_opens_with_its_own_secret_only)
{
	make(RIGHT_BIT(RIGHT_APPLICATION_TRAFFIC_READ), 0);
	ck_assert_int_eq(check(token), 0);
	char wrong[sizeof token];
	memcpy(wrong, token, sizeof token);
	wrong[97] = wrong[97] == 'A' ? 'B' : 'A';
	ck_assert_int_eq(check(wrong), -EACCES);
	memcpy(wrong, token, sizeof token);
	wrong[6] = wrong[6] == 'A' ? 'B' : 'A';
	ck_assert_int_eq(check(wrong), -ENOENT);
	char why[100];
	snprintf(why, sizeof why, "api key with id %.39s not found", wrong + 6);
	ck_assert_str_eq(p.message, why);
	ck_assert_int_eq(check(""), -ENOENT);
	ck_assert_int_eq(check("NNSXS.."), -ENOENT);
	token[97] = '\0';
	ck_assert_int_eq(check(token), -ENOENT);
}
END_TEST

START_TEST(a_key_expires)
{
	make(RIGHT_BIT(RIGHT_APPLICATION_TRAFFIC_READ), w.now.unix_us + 1000);
	ck_assert_int_eq(check(token), 0);
	w.now.unix_us += 1000;
	ck_assert_int_eq(check(token), -ETIME);
}
END_TEST

START_TEST(a_key_has_its_rights_on_its_application)
{
	make(RIGHT_BIT(RIGHT_APPLICATION_TRAFFIC_READ), 0);
	ck_assert_uint_eq(rights_on_app(key, app1), RIGHT_BIT(RIGHT_APPLICATION_TRAFFIC_READ));
	ck_assert_uint_eq(rights_on_app(key, app2), 0);
	struct gateway *g;
	ck_assert_int_eq(world_gateway(&w, "gtw1", 1, &g, &p), 0);
	ck_assert_uint_eq(rights_on_gateway(key, g), 0);
	make(RIGHT_BIT(RIGHT_APPLICATION_ALL), 0);
	ck_assert_uint_eq(rights_on_app(key, app1), rights_of_kind(KEY_APPLICATION));
	ck_assert(rights_on_app(key, app1) & RIGHT_BIT(RIGHT_APPLICATION_DEVICES_READ_KEYS));
	ck_assert(!(rights_on_app(key, app1) & RIGHT_BIT(RIGHT_GATEWAY_INFO)));
}
END_TEST

START_TEST(the_operators_key_has_all_rights_and_no_record)
{
	char admin[API_KEY_TEXT + 1];
	const struct api_key *k;
	size_t kept = w.n_kept;
	rights_token_make(&w.rng, admin);
	ck_assert_int_eq(keyring_admin(&w.k, str_of(admin)), 0);
	ck_assert_int_eq(rights_check(&w.k, str_of(admin), &w.now, &k, &p), 0);
	ck_assert_uint_eq(rights_on_app(k, app1), rights_of_kind(KEY_APPLICATION));
	ck_assert_uint_eq(w.n_kept, kept);
	ck_assert_int_eq(keyring_admin(&w.k, STR("secret")), -EINVAL);
}
END_TEST

START_TEST(the_operator_may_have_more_keys_with_an_end)
{
	char admin[API_KEY_TEXT + 1];
	struct api_key_wish wish = { .kind = KEY_ADMIN, .rights = RIGHT_BIT(RIGHT_APPLICATION_ALL), .name = "alice" };
	const struct api_key *k;
	ck_assert_int_eq(keyring_create(&w.k, &wish, &w.now, token, &key, &p), REGISTRY_E_INVALID);
	wish.rights = RIGHT_BIT(RIGHT_ALL);
	wish.expires_unix_us = w.now.unix_us + 5000000;
	ck_assert_int_eq(keyring_create(&w.k, &wish, &w.now, token, &key, &p), 0);
	ck_assert_uint_eq(rights_on_app(key, app1), rights_of_kind(KEY_APPLICATION));
	rights_token_make(&w.rng, admin);
	ck_assert_int_eq(keyring_admin(&w.k, str_of(admin)), 0);
	ck_assert(w.k.admins->is_of_host && w.k.admins->next_of_owner == key && !key->is_of_host);
	ck_assert_int_eq(world_restart(&w, &p), 0);
	key = w.k.admins;
	ck_assert(key && !key->next_of_owner && key->kind == KEY_ADMIN && key->rights == RIGHT_BIT(RIGHT_ALL));
	ck_assert_str_eq(key->name, "alice");
	ck_assert_int_eq(check(token), 0);
	w.now.unix_us += 5000000;
	ck_assert_int_eq(check(token), -ETIME);
	ck_assert_int_eq(keyring_delete(&w.k, key), 0);
	ck_assert_ptr_null(w.k.admins);
	/* A right on everything is none of an application's keys. */
	wish = (struct api_key_wish){ .kind = KEY_APPLICATION, .app = registry_app(&w.r, STR("app1")), .rights = RIGHT_BIT(RIGHT_ALL) };
	ck_assert_int_eq(keyring_create(&w.k, &wish, &w.now, token, &key, &p), REGISTRY_E_INVALID);
	ck_assert_int_eq(rights_check(&w.k, str_of(admin), &w.now, &k, &p), -ENOENT);
}
END_TEST

START_TEST(rights_are_named_in_several_ways)
{
	enum right r;
	ck_assert_int_eq(right_find(STR("RIGHT_APPLICATION_TRAFFIC_READ"), &r), 0);
	ck_assert_int_eq(r, RIGHT_APPLICATION_TRAFFIC_READ);
	ck_assert_int_eq(right_find(STR("application-traffic-down-write"), &r), 0);
	ck_assert_int_eq(r, RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE);
	ck_assert_int_eq(right_find(STR("APPLICATION_TRAFFIC"), &r), -ENOENT);
	ck_assert_int_eq(right_find(STR(""), &r), -ENOENT);
}
END_TEST

START_TEST(rights_must_fit_the_owner)
{
	struct api_key_wish wish = { .kind = KEY_APPLICATION, .app = app1 };
	ck_assert_int_eq(keyring_create(&w.k, &wish, &w.now, token, &key, &p), REGISTRY_E_INVALID);
	wish.rights = RIGHT_BIT(RIGHT_GATEWAY_INFO);
	ck_assert_int_eq(keyring_create(&w.k, &wish, &w.now, token, &key, &p), REGISTRY_E_INVALID);
	ck_assert_str_eq(p.field, "rights");
}
END_TEST

static int gone;
static void on_key(void *ctx, const struct api_key *k, enum change c)
{
	(void)ctx;
	(void)k;
	gone += c == CHANGE_DELETED;
}

START_TEST(keys_go_with_their_application)
{
	gone = 0;
	keyring_watch(&w.k, on_key, NULL);
	make(RIGHT_BIT(RIGHT_APPLICATION_TRAFFIC_READ), 0);
	make(RIGHT_BIT(RIGHT_APPLICATION_TRAFFIC_READ), 0);
	ck_assert_int_eq(registry_app_delete(&w.r, app1, &p), 0);
	ck_assert_int_eq(gone, 2);
	ck_assert_int_eq(check(token), -ENOENT);
	for (size_t i = 0; i < w.n_kept; i++)
		ck_assert(w.kept[i].table != REGISTRY_API_KEYS);
}
END_TEST

START_TEST(a_deleted_key_opens_nothing)
{
	make(RIGHT_BIT(RIGHT_APPLICATION_TRAFFIC_READ), 0);
	char first[sizeof token];
	memcpy(first, token, sizeof token);
	struct api_key *k = key;
	make(RIGHT_BIT(RIGHT_APPLICATION_TRAFFIC_READ), 0);
	ck_assert_int_eq(keyring_delete(&w.k, k), 0);
	ck_assert_int_eq(check(first), -ENOENT);
	ck_assert_int_eq(check(token), 0);
	ck_assert(app1->keys == key && !key->next_of_owner);
}
END_TEST

START_TEST(keys_survive_a_restart_without_their_secret)
{
	make(RIGHT_BIT(RIGHT_APPLICATION_TRAFFIC_READ) | RIGHT_BIT(RIGHT_APPLICATION_LINK),
		w.now.unix_us + 5000000);
	for (size_t i = 0; i < w.n_kept; i++)
		ck_assert_ptr_null(memmem(w.kept[i].value, w.kept[i].n, token + 46, 20));
	ck_assert_int_eq(world_restart(&w, &p), 0);
	key = registry_app(&w.r, STR("app1"))->keys;
	ck_assert_ptr_nonnull(key);
	ck_assert_int_eq(check(token), 0);
	ck_assert_str_eq(key->name, "mqtt");
	ck_assert_uint_eq(
		key->rights, RIGHT_BIT(RIGHT_APPLICATION_TRAFFIC_READ) | RIGHT_BIT(RIGHT_APPLICATION_LINK));
	ck_assert_uint_eq(key->expires_unix_us, w.now.unix_us + 5000000);
}
END_TEST

START_TEST(a_key_whose_owner_is_gone_is_told_apart)
{
	make(RIGHT_BIT(RIGHT_APPLICATION_TRAFFIC_READ), 0);
	for (size_t i = 0; i < w.n_kept; i++)
		if (w.kept[i].table == REGISTRY_APPS && !memcmp(w.kept[i].key, "app1", 4)) {
			free(w.kept[i].value);
			w.kept[i] = w.kept[--w.n_kept];
			break;
		}
	ck_assert_int_eq(world_restart(&w, &p), REGISTRY_E_NOT_FOUND);
}
END_TEST

/* RFC 3394 section 4.1: 128 bits of key data with a 128-bit KEK. */
START_TEST(the_envelope_is_that_of_rfc_3394)
{
	static const char wrapped[] = "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5";
	struct envelope e = { .crypto = w.crypto };
	struct key k, back;
	uint8_t sealed[WRAPPED_KEY], want[WRAPPED_KEY];
	ck_assert_int_eq(envelope_kek_parse(STR(" 000102030405060708090a0b0c0d0e0f\n"), &e.kek), 0);
	ck_assert_int_eq(hex_exact(STR("00112233445566778899AABBCCDDEEFF"), k.b, sizeof k.b), 0);
	ck_assert_int_eq(hex_exact(str_of(wrapped), want, sizeof want), 0);
	ck_assert_int_eq(envelope_seal(&e, &k, sealed), 0);
	ck_assert_mem_eq(sealed, want, sizeof want);
	ck_assert_int_eq(envelope_open(&e, sealed, &back), 0);
	ck_assert_mem_eq(&back, &k, sizeof k);
	sealed[5] ^= 1;
	ck_assert_int_eq(envelope_open(&e, sealed, &back), -EBADMSG);
	ck_assert_int_eq(envelope_kek_parse(STR("0001"), &e.kek), -EINVAL);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		base32_is_that_of_the_rfc,
		a_key_has_the_things_stacks_form,
		a_token_opens_with_its_own_secret_only,
		a_key_expires,
		a_key_has_its_rights_on_its_application,
		the_operators_key_has_all_rights_and_no_record,
		the_operator_may_have_more_keys_with_an_end,
		rights_are_named_in_several_ways,
		rights_must_fit_the_owner,
		keys_go_with_their_application,
		a_deleted_key_opens_nothing,
		keys_survive_a_restart_without_their_secret,
		a_key_whose_owner_is_gone_is_told_apart,
		the_envelope_is_that_of_rfc_3394,
	};
	Suite *s = suite_create("rights");
	TCase *t = tcase_create("rights");
	tcase_add_checked_fixture(t, setup, teardown);
	for (size_t i = 0; i < COUNT(tests); i++)
		tcase_add_test(t, tests[i]);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
