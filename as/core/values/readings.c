/** @file Messages of telemetry and attributes, taken apart. */
#include "as/core/values/readings.h"
#include "common/core/json_out.h"
#include <stdlib.h>
#include <string.h>

enum {
	EXPONENT_TEXT = 4,                                    /* of a number that becomes a longer text: "1e20" */
	WORDS_GROWTH = VALUE_NUMBER_TEXT / EXPONENT_TEXT + 1, /* so much longer may texts be than the document */
	FLAT_GROWTH = READINGS_KEY_MAX / 6 + 2                /* and where a key stands before each of its members: "a":1, */
};

static int fail(struct readings *r, int error, const char *problem)
{
	r->n = r->n_records = 0;
	r->problem = problem;
	return error;
}

/** An array of *max elements that has room for `want`. @return the array, which may have moved; NULL: no memory, nothing changed */
static void *with_room(void *v, size_t *max, size_t want, size_t size)
{
	enum { SOME = 16 };
	if (want <= *max)
		return v;
	size_t n = *max * 2 > want ? *max * 2 : want > SOME ? want : SOME;
	void *p = reallocarray(v, n, size);
	if (p)
		*max = n;
	return p;
}

static int room_for_values(struct readings *r, size_t n)
{
	struct reading *room = with_room(r->v, &r->max_v, n, sizeof *room);
	if (!room)
		return fail(r, -ENOMEM, "no memory");
	r->v = room;
	return 0;
}

/** Read the document, and make room for its texts in one piece, which does not move. */
static int open_document(struct readings *r, struct str body, size_t growth)
{
	r->n = r->n_records = 0;
	r->problem = "";
	int e = lenient_read(&r->json, body, NULL);
	if (e)
		return fail(r, e, e == -EBADMSG ? "not JSON" : e == -E2BIG ? "too deep or too long" : "no memory");
	size_t want = r->json.strict.len * growth + 1;
	if (want > r->words_cap) {
		free(r->words_room);
		r->words_cap = 0;
		r->words_room = malloc(want);
		if (!r->words_room)
			return fail(r, -ENOMEM, "no memory");
		r->words_cap = want;
	}
	r->words = text_fixed(r->words_room, r->words_cap);
	return room_for_values(r, 1); /* so that there is an array also where there are no values */
}

static int read_key(struct readings *r, json_val name, struct str *ret)
{
	const struct json *j = &r->json.json;
	struct str raw = json_raw(j, name);
	/* Escapes make a key shorter, never longer. */
	if (json_plain(j, name, ret)) {
		char *at = r->words.p + r->words.len;
		if (json_string(j, name, at, r->words.cap - r->words.len))
			return fail(r, -EBADMSG, "a key is not text");
		*ret = str_of(at);
		r->words.len += ret->n;
	} else {
		*ret = raw;
	}
	if (!ret->n)
		return fail(r, -EBADMSG, "a key is empty");
	return ret->n > READINGS_KEY_MAX ? fail(r, -E2BIG, "a key is longer than 255 octets") : 0;
}

static int read_member(struct readings *r, json_val name, const struct value_rules *rules)
{
	TRY(room_for_values(r, r->n + 1));
	struct reading *v = &r->v[r->n];
	TRY(read_key(r, name, &v->key));
	int e = value_read(&r->json.json, json_member_value(&r->json.json, name), rules, &r->words, &v->value);
	if (e < 0)
		return fail(r, e == -EINVAL ? -EBADMSG : e, e == -E2BIG ? "a value is too long" : "a value cannot be read");
	/* A null takes its key out, also where it stood before; it is left out once the last of equal keys is known. */
	if (e == VALUE_E_NULL)
		v->value = (struct value){ .kind = VALUE_KIND_N };
	r->n++;
	return 0;
}

static int by_key_then_place(const void *a, const void *b)
{
	const struct reading *const *x = a, *const *y = b;
	int d = str_cmp((*x)->key, (*y)->key);
	return d ? d : (*x > *y) - (*x < *y);
}

/** Of equal keys the last one counts; a null is none. */
static int drop_repeated(struct readings *r, size_t first)
{
	size_t n = r->n - first, kept = first;
	if (n == 0)
		return 0;
	const struct reading **sorted = calloc(n, sizeof *sorted);
	if (!sorted)
		return fail(r, -ENOMEM, "no memory");
	for (size_t i = 0; i < n; i++)
		sorted[i] = &r->v[first + i];
	qsort(sorted, n, sizeof *sorted, by_key_then_place);
	for (size_t i = 0; i + 1 < n; i++)
		if (str_eq(sorted[i]->key, sorted[i + 1]->key))
			r->v[sorted[i] - r->v].value.kind = VALUE_KIND_N;
	free(sorted);
	for (size_t i = first; i < r->n; i++)
		if (r->v[i].value.kind != VALUE_KIND_N)
			r->v[kept++] = r->v[i];
	r->n = kept;
	return 0;
}

static int read_values(struct readings *r, json_val object, const struct value_rules *rules, struct record record)
{
	const struct json *j = &r->json.json;
	struct record *room = with_room(r->records, &r->max_records, r->n_records + 1, sizeof *room);
	if (!room)
		return fail(r, -ENOMEM, "no memory");
	r->records = room;
	record.first = r->n;
	for (json_val v = json_first(j, object); v >= 0; v = json_next(j, v))
		TRY(read_member(r, v, rules));
	TRY(drop_repeated(r, record.first));
	record.n = r->n - record.first;
	r->records[r->n_records++] = record;
	return 0;
}

static int read_record(struct readings *r, json_val v, const struct value_rules *rules, int64_t now_ms)
{
	const struct json *j = &r->json.json;
	json_val ts = json_get(j, v, "ts"), values = json_get(j, v, "values");
	struct record record = { .ts_ms = now_ms };
	if (json_type(j, v) != JSON_OBJECT)
		return fail(r, -EBADMSG, "neither an object nor an array of objects");
	if (ts < 0 || values < 0)
		return read_values(r, v, rules, record);
	record.has_ts = true;
	if (json_i64(j, ts, &record.ts_ms) || record.ts_ms < 0)
		return fail(r, -EBADMSG, "ts is not a time in milliseconds");
	if (json_type(j, values) != JSON_OBJECT)
		return fail(r, -EBADMSG, "values is not an object");
	return read_values(r, values, rules, record);
}

int readings_telemetry(struct readings *r, struct str body, const struct value_rules *rules, int64_t now_ms)
{
	TRY(open_document(r, body, WORDS_GROWTH));
	const struct json *j = &r->json.json;
	json_val root = json_root(j);
	if (json_type(j, root) != JSON_ARRAY)
		return read_record(r, root, rules, now_ms);
	for (json_val v = json_first(j, root); v >= 0; v = json_next(j, v))
		TRY(read_record(r, v, rules, now_ms));
	return 0;
}

int readings_attributes(struct readings *r, struct str body, const struct value_rules *rules, int64_t now_ms)
{
	TRY(open_document(r, body, WORDS_GROWTH));
	json_val root = json_root(&r->json.json);
	if (json_type(&r->json.json, root) != JSON_OBJECT)
		return fail(r, -EBADMSG, "not an object");
	return read_values(r, root, rules, (struct record){ .ts_ms = now_ms });
}

/** Put the key of the object before it. */
static int prefix_key(struct readings *r, struct str prefix, struct str *key)
{
	size_t from = r->words.len;
	text_put(&r->words, prefix);
	text_putc(&r->words, '_');
	text_put(&r->words, *key);
	*key = (struct str){ r->words.p + from, prefix.n + 1 + key->n };
	return r->words.failed || key->n > READINGS_KEY_MAX ? fail(r, -E2BIG, "a key is longer than 255 octets") : 0;
}

/** A member, which is passed over if it cannot be a value. @param prefix  the key before it; empty: none */
static int read_usable(struct readings *r, json_val name, struct str prefix, const struct value_rules *rules)
{
	size_t n = r->n;
	int e = read_member(r, name, rules);
	if (!e && prefix.n)
		e = prefix_key(r, prefix, &r->v[n].key);
	if (!e || e == -ENOMEM)
		return e;
	r->n = n;
	r->problem = "";
	return 0;
}

/** A member of the object, or the members of an object that it is. */
static int read_flat(struct readings *r, json_val name, const struct value_rules *rules)
{
	const struct json *j = &r->json.json;
	json_val inner = json_member_value(j, name);
	struct str prefix;
	size_t n = r->n;
	if (json_type(j, inner) != JSON_OBJECT)
		return read_usable(r, name, STR(""), rules);
	if (read_key(r, name, &prefix)) {
		r->n = n;
		r->problem = "";
		return 0;
	}
	for (json_val v = json_first(j, inner); v >= 0; v = json_next(j, v))
		TRY(read_usable(r, v, prefix, rules));
	return 0;
}

int readings_flat(struct readings *r, struct str body, const struct value_rules *rules, int64_t now_ms)
{
	TRY(open_document(r, body, FLAT_GROWTH));
	const struct json *j = &r->json.json;
	if (json_type(j, json_root(j)) != JSON_OBJECT)
		return fail(r, -EBADMSG, "not an object");
	struct record *room = with_room(r->records, &r->max_records, 1, sizeof *room);
	if (!room)
		return fail(r, -ENOMEM, "no memory");
	r->records = room;
	for (json_val v = json_first(j, json_root(j)); v >= 0; v = json_next(j, v))
		TRY(read_flat(r, v, rules));
	TRY(drop_repeated(r, 0));
	r->records[r->n_records++] = (struct record){ .ts_ms = now_ms, .n = r->n };
	return 0;
}

void readings_done(struct readings *r)
{
	lenient_done(&r->json);
	free(r->words_room);
	free(r->records);
	free(r->v);
	*r = (struct readings){ 0 };
}

void readings_json(struct text *t, const struct reading *v, size_t n)
{
	json_open(t, '{');
	for (size_t i = 0; i < n; i++) {
		json_str(t, v[i].key);
		text_putc(t, ':');
		value_json(t, &v[i].value);
	}
	json_close(t, '}');
}
