/** @file Cryptography against FIPS-197, SP 800-38A, RFC 4493, RFC 3394 and FIPS 180-2. */
#include "common/core/crypto.h"
#include "test/unit/vec_lines.h"
#include <check.h>
#include <openssl/err.h>

static struct crypto *c;

static void set_up(void) { ck_assert_ptr_nonnull(c = crypto_new()); }
static void tear_down(void) { crypto_free(c); }

START_TEST(blocks_are_as_published)
{
	struct vectors v = vectors_open("crypto/aes128.txt");
	size_t rows = 0;
	for (; vectors_next(&v); rows++) {
		struct key k = vec_key(&v, "key");
		uint8_t plain[64], cipher[64], out[64];
		size_t n = vec_bytes(&v, "plain", plain, sizeof plain);
		ck_assert_uint_eq(vec_bytes(&v, "cipher", cipher, sizeof cipher), n);
		ck_assert_int_eq(crypto_aes_encrypt(c, &k, plain, out, n), 0);
		ck_assert_mem_eq(out, cipher, n);
		ck_assert_int_eq(crypto_aes_decrypt(c, &k, cipher, out, n), 0);
		ck_assert_mem_eq(out, plain, n);
		ck_assert_int_eq(crypto_aes_encrypt(c, &k, out, out, n), 0);
		ck_assert_mem_eq(out, cipher, n);
	}
	ck_assert_uint_eq(rows, 3);
}
END_TEST

START_TEST(only_whole_blocks_are_taken)
{
	struct key k = { { 1 } };
	uint8_t b[32] = { 0 }, was[32] = { 0 };
	for (size_t n = 0; n <= sizeof b; n++)
		if (n % 16) {
			ck_assert_int_eq(crypto_aes_encrypt(c, &k, b, b, n), -EINVAL);
			ck_assert_int_eq(crypto_aes_decrypt(c, &k, b, b, n), -EINVAL);
		}
	ck_assert_int_eq(crypto_aes_encrypt(c, &k, b, b, 0), 0);
	ck_assert_mem_eq(b, was, sizeof b);
}
END_TEST

START_TEST(cmacs_are_as_published_however_the_message_is_cut)
{
	struct vectors v = vectors_open("crypto/cmac.txt");
	size_t rows = 0;
	for (; vectors_next(&v); rows++) {
		struct key k = vec_key(&v, "key");
		uint8_t msg[64], want[16], mac[16];
		size_t n = vec_bytes(&v, "msg", msg, sizeof msg);
		vec_bytes(&v, "mac", want, sizeof want);
		for (size_t cut = 0; cut <= n; cut++) {
			struct slice parts[] = { { msg, cut }, { NULL, 0 }, { msg + cut, n - cut } };
			ck_assert_int_eq(crypto_cmac(c, &k, parts, 3, mac), 0);
			ck_assert_mem_eq(mac, want, sizeof mac);
		}
		if (n == 0) {
			ck_assert_int_eq(crypto_cmac(c, &k, NULL, 0, mac), 0);
			ck_assert_mem_eq(mac, want, sizeof mac);
		}
	}
	ck_assert_uint_eq(rows, 4);
}
END_TEST

START_TEST(keys_are_wrapped_as_published)
{
	struct vectors v = vectors_open("crypto/wrap.txt");
	size_t rows = 0;
	for (; vectors_next(&v); rows++) {
		struct key kek = vec_key(&v, "kek"), k = vec_key(&v, "key"), back;
		uint8_t want[WRAPPED_KEY], wrapped[WRAPPED_KEY];
		vec_bytes(&v, "wrapped", want, sizeof want);
		ck_assert_int_eq(crypto_wrap(c, &kek, &k, wrapped), 0);
		ck_assert_mem_eq(wrapped, want, sizeof want);
		ck_assert_int_eq(crypto_unwrap(c, &kek, wrapped, &back), 0);
		ck_assert_mem_eq(&back, &k, sizeof k);
	}
	ck_assert_uint_eq(rows, 1);
}
END_TEST

START_TEST(a_wrapped_key_opens_only_untouched_and_with_its_own_kek)
{
	struct key kek = { { 1 } }, other = { { 2 } }, k = { { 3 } }, back = { { 9 } };
	uint8_t wrapped[WRAPPED_KEY];
	ck_assert_int_eq(crypto_wrap(c, &kek, &k, wrapped), 0);
	ck_assert_int_eq(crypto_unwrap(c, &other, wrapped, &back), -EBADMSG);
	for (size_t bit = 0; bit < 8 * sizeof wrapped; bit++) {
		wrapped[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(crypto_unwrap(c, &kek, wrapped, &back), -EBADMSG);
		wrapped[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ck_assert_int_eq(back.b[0], 9);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	ck_assert_int_eq(crypto_unwrap(c, &kek, wrapped, &back), 0);
	ck_assert_mem_eq(&back, &k, sizeof k);
}
END_TEST

START_TEST(secrets_of_any_length_are_wrapped_as_the_rfc_says)
{
	struct vectors v = vectors_open("crypto/wrap_secret.txt");
	size_t rows = 0;
	for (; vectors_next(&v); rows++) {
		struct key kek = vec_key(&v, "kek"), other = { { 1 } };
		uint8_t secret[64], want[64 + WRAPPED_MORE], wrapped[64 + WRAPPED_MORE], back[64 + WRAPPED_MORE];
		size_t n = vec_bytes(&v, "secret", secret, sizeof secret), want_n = vec_bytes(&v, "wrapped", want, sizeof want), got, back_n;
		ck_assert_int_eq(crypto_wrap_secret(c, &kek, secret, n, wrapped, &got), 0);
		ck_assert_uint_eq(got, want_n);
		ck_assert_mem_eq(wrapped, want, want_n);
		ck_assert_int_eq(crypto_unwrap_secret(c, &kek, wrapped, got, back, &back_n), 0);
		ck_assert_uint_eq(back_n, n);
		ck_assert_mem_eq(back, secret, n);
		ck_assert_int_eq(crypto_unwrap_secret(c, &other, wrapped, got, back, &back_n), -EBADMSG);
		ck_assert_int_eq(crypto_unwrap_secret(c, &kek, wrapped, got - 8, back, &back_n), -EBADMSG);
		ck_assert_int_eq(crypto_unwrap_secret(c, &kek, wrapped, got - 1, back, &back_n), -EBADMSG);
		wrapped[got / 2] ^= 4;
		ck_assert_int_eq(crypto_unwrap_secret(c, &kek, wrapped, got, back, &back_n), -EBADMSG);
	}
	ck_assert_uint_eq(rows, 3);
	ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

/** The contexts are shared by all operations; no order of them may disturb another. */
START_TEST(operations_do_not_disturb_each_other)
{
	struct key a = { { 1 } }, b = { { 2 } }, k;
	uint8_t block[16] = { 5 }, ea[16], eb[16], ma[16], mb[16], out[16], wrapped[WRAPPED_KEY];
	struct slice part = { block, sizeof block };
	crypto_aes_encrypt(c, &a, block, ea, 16);
	crypto_cmac(c, &a, &part, 1, ma);
	crypto_wrap(c, &a, &b, wrapped);
	crypto_aes_encrypt(c, &b, block, eb, 16);
	crypto_cmac(c, &b, &part, 1, mb);
	ck_assert_mem_ne(ea, eb, 16);
	ck_assert_mem_ne(ma, mb, 16);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(crypto_aes_decrypt(c, &b, eb, out, 16), 0);
		ck_assert_mem_eq(out, block, 16);
		ck_assert_int_eq(crypto_cmac(c, &a, &part, 1, out), 0);
		ck_assert_mem_eq(out, ma, 16);
		ck_assert_int_eq(crypto_unwrap(c, &b, wrapped, &k), -EBADMSG);
		ck_assert_int_eq(crypto_aes_encrypt(c, &a, block, out, 16), 0);
		ck_assert_mem_eq(out, ea, 16);
		ck_assert_int_eq(crypto_unwrap(c, &a, wrapped, &k), 0);
		ck_assert_mem_eq(&k, &b, 16);
		ck_assert_int_eq(crypto_cmac(c, &b, &part, 1, out), 0);
		ck_assert_mem_eq(out, mb, 16);
	}
}
END_TEST

START_TEST(digests_are_as_published)
{
	struct vectors v = vectors_open("crypto/sha256.txt");
	size_t rows = 0;
	for (; vectors_next(&v); rows++) {
		struct str s = vec_get(&v, "ascii");
		uint8_t want[SHA256_LEN], got[SHA256_LEN];
		vec_bytes(&v, "digest", want, sizeof want);
		ck_assert_int_eq(crypto_sha256(s.p, s.n, got), 0);
		ck_assert_mem_eq(got, want, sizeof want);
	}
	uint8_t got[SHA256_LEN];
	ck_assert_int_eq(crypto_sha256(NULL, 0, got), 0);
	ck_assert_uint_eq(rows, 2);
}
END_TEST

START_TEST(secrets_are_compared_and_forgotten)
{
	struct key k = { { 0 } };
	ck_assert(key_is_none(&k));
	for (size_t i = 0; i < sizeof k.b; i++) {
		k.b[i] = 1;
		ck_assert(!key_is_none(&k));
		crypto_forget(&k, sizeof k);
		ck_assert(key_is_none(&k));
	}
	ck_assert(crypto_equal("abc", "abd", 2));
	ck_assert(!crypto_equal("abc", "abd", 3));
	ck_assert(crypto_equal(NULL, NULL, 0));
	crypto_free(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("crypto");
	TCase *all = tcase_create("crypto");
	tcase_add_test(all, blocks_are_as_published);
	tcase_add_test(all, only_whole_blocks_are_taken);
	tcase_add_test(all, cmacs_are_as_published_however_the_message_is_cut);
	tcase_add_test(all, keys_are_wrapped_as_published);
	tcase_add_test(all, secrets_of_any_length_are_wrapped_as_the_rfc_says);
	tcase_add_test(all, a_wrapped_key_opens_only_untouched_and_with_its_own_kek);
	tcase_add_test(all, operations_do_not_disturb_each_other);
	tcase_add_test(all, digests_are_as_published);
	tcase_add_test(all, secrets_are_compared_and_forgotten);
	tcase_add_checked_fixture(all, set_up, tear_down);
	suite_add_tcase(s, all);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
