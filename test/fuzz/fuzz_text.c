/** @file Texts of numbers, octets, instants and names: what is read is written, and what is written reads the same. */
#include "common/core/clock.h"
#include "common/core/id.h"
#include "common/core/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { MOST = 4096 };

static void expect(bool truth)
{
	if (!truth)
		abort();
}

static void check_octets(struct str s)
{
	static uint8_t a[MOST], b[MOST];
	static char buf[3 * MOST];
	size_t n, again;
	struct text t = text_fixed(buf, sizeof buf);
	if (hex_decode(s, a, sizeof a, &n) == 0) {
		text_hex(&t, a, n, true);
		expect(hex_exact(text_str(&t), b, n) == 0 && memcmp(a, b, n) == 0);
		expect(n == 0 || hex_exact(text_str(&t), b, n - 1) == -EINVAL);
	}
	text_reset(&t);
	if (base64_decode(s, a, sizeof a, &n) == 0) {
		text_base64(&t, a, n);
		expect(base64_decode(text_str(&t), b, n, &again) == 0 && again == n && memcmp(a, b, n) == 0);
		expect(n == 0 || base64_decode(s, b, n - 1, &again) == -ENOSPC);
	}
	/* The input as octets. */
	text_reset(&t);
	n = s.n < MOST ? s.n : MOST;
	text_base64(&t, s.p, n);
	expect(base64_decode(text_str(&t), a, n, &again) == 0 && again == n && (n == 0 || memcmp(a, s.p, n) == 0));
	text_reset(&t);
	text_hex(&t, s.p, n, false);
	expect(hex_exact(text_str(&t), a, n) == 0 && (n == 0 || memcmp(a, s.p, n) == 0));
}

static void check_numbers(struct str s)
{
	char buf[64];
	struct text t = text_fixed(buf, sizeof buf);
	uint64_t u, u2;
	int64_t i, i2;
	bool is_negative;
	if (num_u64(s, &u) == 0) {
		text_u64(&t, u);
		expect(num_u64(text_str(&t), &u2) == 0 && u2 == u);
		expect(num_whole(s, &is_negative, &u2) == 0 && !is_negative && u2 == u);
	}
	text_reset(&t);
	if (num_i64(s, &i) == 0) {
		text_i64(&t, i);
		expect(num_i64(text_str(&t), &i2) == 0 && i2 == i);
		expect(num_decimal(s, 0, &i2) == 0 && i2 == i);
	}
	for (unsigned digits = 0; digits <= 9; digits += 3) {
		text_reset(&t);
		if (num_decimal(s, digits, &i))
			continue;
		text_decimal(&t, i, digits);
		expect(num_decimal(text_str(&t), digits, &i2) == 0 && i2 == i);
	}
	text_reset(&t);
	if (num_duration_us(s, &u) == 0) {
		text_printf(&t, "%llu%s", (unsigned long long)u, "us");
		expect(u > INT64_MAX || (num_duration_us(text_str(&t), &u2) == 0 && u2 == u));
	}
}

static void check_names(struct str s)
{
	char buf[64];
	struct text t = text_fixed(buf, sizeof buf);
	struct ulid a, b;
	uint64_t ns, back, eui;
	uint32_t v;
	if (ulid_parse(s, &a) == 0) {
		ulid_text(&t, &a);
		expect(t.len == ULID_TEXT && ulid_parse(text_str(&t), &b) == 0 && ulid_eq(&a, &b));
	}
	text_reset(&t);
	if (clock_parse_rfc3339(s, &ns) == 0) {
		clock_rfc3339(&t, ns);
		expect(clock_parse_rfc3339(text_str(&t), &back) == 0 && back == ns);
		expect(ns < UINT64_C(315964800000000000) || clock_unix_us_of_gps(clock_gps_us(ns / 1000)) == ns / 1000);
	}
	text_reset(&t);
	if (hex_eui(s, &eui) == 0) {
		text_printf(&t, "%016llX", (unsigned long long)eui);
		expect(hex_eui(text_str(&t), &back) == 0 && back == eui);
	}
	if (hex_u32(s, 8, &v) == 0) {
		expect(str_copy(s, buf, 9) == 0);
		expect(v == strtoul(buf, NULL, 16));
	}
	expect(!id_valid(s) || (s.n >= 2 && s.n <= ID_MAX && utf8_valid(s)));
}

static void check_pieces(struct str s)
{
	struct str head, rest = str_cut(s, ',', &head), trimmed = str_trim(s);
	expect(head.n + rest.n == s.n || head.n + rest.n + 1 == s.n);
	expect(trimmed.n <= s.n && str_eq(str_trim(trimmed), trimmed));
	bool valid = true;
	for (size_t at = 0, len; valid && at < s.n; at += len) {
		len = utf8_length((struct str){ s.p + at, s.n - at });
		valid = len > 0;
	}
	expect(valid == utf8_valid(s));
	struct text t = text_growing(s.n / 2);
	text_put(&t, head);
	text_put(&t, rest);
	expect(t.len <= s.n / 2 && t.failed == (head.n + rest.n > s.n / 2) && t.p[t.len] == '\0');
	text_done(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str s = { (const char *)data, n };
	check_octets(s);
	check_numbers(s);
	check_names(s);
	check_pieces(s);
	return 0;
}
