/** @file Telemetry: what is taken is strict JSON once it is written, and reads as the same again; strict JSON is taken as it is. */
#include "as/core/values/readings.h"
#include "common/core/json_out.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void expect(bool truth)
{
	if (!truth)
		abort();
}

static void check_values(const struct readings *r)
{
	size_t n = 0;
	for (size_t i = 0; i < r->n_records; i++) {
		expect(r->records[i].first == n && r->records[i].ts_ms >= 0);
		n += r->records[i].n;
	}
	expect(n == r->n);
	for (size_t i = 0; i < r->n; i++) {
		const struct value *v = &r->v[i].value;
		expect(v->kind < VALUE_KIND_N && r->v[i].key.n && r->v[i].key.n <= READINGS_KEY_MAX);
		expect(utf8_valid(r->v[i].key) && !memchr(r->v[i].key.p, '\0', r->v[i].key.n));
		expect(v->kind != VALUE_DOUBLE || isfinite(v->real));
		expect(value_text_bytes(v) == 0 || (utf8_valid(v->text) && !memchr(v->text.p, '\0', v->text.n)));
	}
}

/** The values of a record, written and read again, where strings stay strings. */
static void check_again(const struct readings *r)
{
	static struct readings again;
	struct text t = text_growing(1 << 20);
	for (size_t i = 0; i < r->n_records; i++) {
		const struct reading *v = r->v + r->records[i].first;
		text_reset(&t);
		readings_json(&t, v, r->records[i].n);
		if (readings_attributes(&again, text_str(&t), &(struct value_rules){ 0 }, 0))
			abort();
		expect(again.n == r->records[i].n);
		for (size_t k = 0; k < again.n; k++) {
			expect(str_eq(again.v[k].key, v[k].key));
			/* A double with so small an exponent that it would be a text comes from a long text of digits only. */
			expect(value_eq(&again.v[k].value, &v[k].value) || v[k].value.kind == VALUE_DOUBLE);
		}
	}
	text_done(&t);
	readings_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct readings r;
	struct str body = { (const char *)data, n };
	struct lenient l = { 0 };
	struct text strict = text_growing(1 << 20), twice = text_growing(1 << 20);
	if (!lenient_strict(body, &strict, NULL)) {
		size_t end, at;
		expect(json_check(text_str(&strict), &end, &at) == 0 && end == strict.len && utf8_valid(text_str(&strict)));
		expect(lenient_strict(text_str(&strict), &twice, NULL) == 0 && str_eq(text_str(&strict), text_str(&twice)));
		expect(lenient_read(&l, body, NULL) == 0);
	} else {
		/* Whatever is JSON is lenient JSON. */
		struct json_tok tok[64];
		struct json j;
		expect(json_parse(body, tok, COUNT(tok), &j, NULL) != 0 || memchr(data, '\0', n));
	}
	if (!readings_telemetry(&r, body, &(struct value_rules){ .casts = n & 1 }, 1)) {
		check_values(&r);
		check_again(&r);
	}
	if (!readings_flat(&r, body, &(struct value_rules){ 0 }, 1))
		check_values(&r);
	readings_done(&r);
	lenient_done(&l);
	text_done(&strict);
	text_done(&twice);
	return 0;
}
