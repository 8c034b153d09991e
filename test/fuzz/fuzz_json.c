/** @file JSON: what parses has tokens that nest, walks that end, and values on which every reader agrees. */
#include "common/core/json.h"
#include "common/core/json_out.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { TOKENS = 512, TEXT = 1 << 16, SOME = 8 };

static void expect(bool truth)
{
	if (!truth)
		abort();
}

static void check_tokens(const struct json *j, size_t n)
{
	for (int i = 0; i < j->n; i++) {
		const struct json_tok *t = &j->tok[i], *up = t->parent >= 0 ? &j->tok[t->parent] : NULL;
		expect(t->start >= 0 && t->start <= t->end && (size_t)t->end <= n);
		expect(t->parent < i && (t->parent >= 0) == (i > 0));
		enum json_type in = json_type(j, t->parent);
		expect(!up || in == JSON_STRING || (t->start > up->start && t->end < up->end));
		expect(i == 0 || t->start >= j->tok[i - 1].start);
	}
}

/** Every container is left after as many steps as it says it has elements; together they reach every token. */
static void check_walks(const struct json *j)
{
	int reached = 1;
	for (json_val v = 0; v < j->n; v++) {
		size_t steps = 0;
		bool is_object = json_type(j, v) == JSON_OBJECT;
		for (json_val e = json_first(j, v); e >= 0; e = json_next(j, e), steps++) {
			expect(j->tok[e].parent == v);
			expect((json_member_value(j, e) == e + 1) == is_object);
			reached += is_object ? 2 : 1;
		}
		expect(steps == json_count(j, v));
	}
	expect(reached == j->n);
}

/** A string that could be read is written, and what is written is the same string, unless it was malformed UTF-8. */
static void check_string(const struct json *j, json_val v)
{
	static char plain[TEXT], again[3 * TEXT], written[3 * TEXT + 64];
	if (json_type(j, v) != JSON_STRING || json_string(j, v, plain, sizeof plain))
		return;
	struct json_tok tok[1];
	struct json copy;
	struct text t = text_fixed(written, sizeof written);
	json_puts(&t, plain);
	if (t.failed)
		return;
	expect(json_parse(text_str(&t), tok, 1, &copy, NULL) == 0);
	expect(json_string(&copy, 0, again, sizeof again) == 0);
	expect(utf8_valid(str_of(again)));
	expect((strcmp(plain, again) == 0) == utf8_valid(str_of(plain)));
	struct str raw;
	expect(json_plain(j, v, &raw) != 0 || str_is(raw, plain));
}

static void check_number(const struct json *j, json_val v)
{
	enum { MICRO = 6 };
	uint64_t u;
	int64_t i, d;
	int ur = json_u64(j, v, &u), ir = json_i64(j, v, &i), dr = json_decimal(j, v, 0, &d);
	expect(ur != 0 || ir == -ERANGE || (ir == 0 && i >= 0 && (uint64_t)i == u));
	expect(ir != 0 || (dr == 0 && d == i));
	expect(ir != 0 || i < 0 || ur == 0);
	expect(json_type(j, v) != JSON_NUMBER || dr == 0 || dr == -ERANGE);
	char number[200];
	if (json_type(j, v) != JSON_NUMBER || json_string(j, v, number, sizeof number))
		return;
	long double want = strtold(number, NULL) * 1e6L;
	dr = json_decimal(j, v, MICRO, &d);
	if (dr == 0)
		expect(fabsl(want - (long double)d) <= 0.51L + fabsl(want) * 1e-17L);
	else
		expect(fabsl(want) > 9.2e18L);
}

static void check_value(const struct json *j, json_val v)
{
	static uint8_t octets[TEXT];
	struct json_tok tok[TOKENS];
	struct json part;
	size_t got;
	bool truth;
	check_string(j, v);
	check_number(j, v);
	if (json_base64(j, v, octets, sizeof octets, &got) == 0)
		expect(got <= json_raw(j, v).n * 3 / 4);
	expect(json_bool(j, v, &truth) == 0 || json_type(j, v) != JSON_BOOL);
	/* Any value, taken by itself, is a document with as many tokens. */
	bool is_name = json_member_value(j, v) >= 0;
	if (!is_name && json_type(j, v) != JSON_NONE && v < SOME) {
		expect(json_parse(json_whole(j, v), tok, TOKENS, &part, NULL) == 0);
		expect(json_type(&part, 0) == json_type(j, v));
		expect(json_count(&part, 0) == json_count(j, v));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct json_tok tok[TOKENS];
	struct json j, first;
	struct str text = { (const char *)data, n };
	size_t end, at = n + 1;
	int checked = json_check(text, &end, &at);
	int parsed = json_parse(text, tok, TOKENS, &j, &at);
	int parsed_first = json_parse_first(text, tok, TOKENS, &first, NULL);
	expect(checked == 0 || (parsed == checked && parsed_first == checked && at <= n));
	expect(checked != 0 || parsed_first == 0 || parsed_first == -ENOSPC);
	expect(parsed != 0 || parsed_first == 0);
	if (parsed_first)
		return 0;
	check_tokens(&first, end);
	check_walks(&first);
	for (json_val v = -1; v < first.n + 1; v++)
		check_value(&first, v);
	static const char *const names[] = { "a", "f_port", "rxpk", "" };
	for (size_t i = 0; i < COUNT(names); i++) {
		json_val v = json_get(&first, 0, names[i]);
		expect(v < 0 || json_type(&first, first.tok[v].parent) == JSON_STRING);
	}
	return 0;
}
