/** @file Records as JSON: field masks, and readers and writers of single fields. */
#include "as/core/registry/record_json.h"
#include <string.h>

static struct str strip_wrapper(struct str path)
{
	static const char *const wrappers[] = { "end_device.", "device.", "gateway.", "application.", "webhook." };
	for (size_t i = 0; i < COUNT(wrappers); i++) {
		size_t n = strlen(wrappers[i]);
		if (str_starts(path, wrappers[i]))
			return (struct str){ path.p + n, path.n - n };
	}
	return path;
}

static int mask_add(struct field_mask *m, struct str path, struct problem *p)
{
	path = strip_wrapper(str_trim(path));
	if (!path.n)
		return 0;
	if (m->n == MASK_MAX)
		return problem_say(p, REGISTRY_E_INVALID, "field_mask", "names more than %d paths", MASK_MAX);
	m->v[m->n++] = path;
	return 0;
}

static int mask_add_list(struct field_mask *m, struct str list, struct problem *p)
{
	while (list.n) {
		struct str path;
		list = str_cut(list, ',', &path);
		int r = mask_add(m, path, p);
		if (r)
			return r;
	}
	return 0;
}

int field_mask_read(const struct json *j, json_val v, struct field_mask *ret, struct problem *p)
{
	struct field_mask m = { .given = v >= 0 && json_type(j, v) != JSON_NULL };
	int r = 0;
	struct str text;
	if (json_type(j, v) == JSON_OBJECT)
		v = json_get(j, v, "paths");
	if (v >= 0 && json_type(j, v) == JSON_ARRAY) {
		for (json_val e = json_first(j, v); e >= 0 && !r; e = json_next(j, e))
			r = json_plain(j, e, &text)
				    ? problem_say(p, REGISTRY_E_INVALID, "field_mask", "must hold texts")
				    : mask_add(&m, text, p);
	} else if (m.given && v >= 0) {
		if (json_plain(j, v, &text))
			return problem_say(p, REGISTRY_E_INVALID, "field_mask",
				"must be {\"paths\":[...]} or a text of paths with commas");
		r = mask_add_list(&m, text, p);
	}
	if (!r)
		*ret = m;
	return r;
}

int field_mask_parse(const char *text, struct field_mask *ret, struct problem *p)
{
	struct field_mask m = { .given = text != NULL };
	int r = mask_add_list(&m, str_of(text), p);
	if (!r)
		*ret = m;
	return r;
}

bool field_mask_covers(const struct field_mask *m, const char *path)
{
	struct str f = str_of(path);
	for (size_t i = 0; i < m->n; i++) {
		struct str s = m->v[i].n < f.n ? m->v[i] : f, l = m->v[i].n < f.n ? f : m->v[i];
		if (memcmp(s.p, l.p, s.n) == 0 && (s.n == l.n || l.p[s.n] == '.'))
			return true;
	}
	return false;
}

json_val record_find(const struct json *j, json_val root, const char *path)
{
	struct str rest = str_of(path);
	json_val v = root;
	while (rest.n && v >= 0) {
		struct str head;
		char name[64];
		rest = str_cut(rest, '.', &head);
		if (json_type(j, v) != JSON_OBJECT || str_copy(head, name, sizeof name))
			return -1;
		v = json_get(j, v, name);
	}
	return v;
}

int record_read(void *record, const struct record_field *f, size_t n, const struct field_mask *m,
	const struct record_source *rd)
{
	for (size_t i = 0; i < n; i++) {
		json_val v = record_find(rd->j, rd->root, f[i].path);
		if (m->given ? !field_mask_covers(m, f[i].path) : v < 0)
			continue;
		if (v >= 0 && json_type(rd->j, v) == JSON_NULL)
			v = -1;
		int r = f[i].read(record, &f[i], rd, v);
		if (r)
			return r;
	}
	return 0;
}

int record_bad(const struct record_source *rd, const struct record_field *f, const char *why)
{
	return problem_say(rd->problem, REGISTRY_E_INVALID, f->path, "%s", why);
}

static void *at(void *record, size_t off)
{
	return (char *)record + off;
}

static void set_has(void *record, const struct record_field *f, bool has)
{
	if (f->arg)
		*(bool *)at(record, f->arg) = has;
}

/** A wrapper type such as {"value":5} is its value. */
static json_val unwrap(const struct json *j, json_val v)
{
	return v >= 0 && json_type(j, v) == JSON_OBJECT ? json_get(j, v, "value") : v;
}

int read_bool(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	bool b = false;
	v = unwrap(rd->j, v);
	if (v >= 0 && json_bool(rd->j, v, &b))
		return record_bad(rd, f, "must be true or false");
	*(bool *)at(record, f->off) = b;
	return 0;
}

int read_eui(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	uint64_t eui = 0;
	char text[32] = "";
	if (v >= 0 && (json_string(rd->j, v, text, sizeof text) || (*text && hex_eui(str_of(text), &eui))))
		return record_bad(rd, f, "must be 16 hex digits");
	*(uint64_t *)at(record, f->off) = eui;
	set_has(record, f, *text != '\0');
	return 0;
}

int read_u32(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	uint64_t n = 0;
	v = unwrap(rd->j, v);
	if (v >= 0 && (json_u64(rd->j, v, &n) || n > UINT32_MAX))
		return record_bad(rd, f, "must be a whole number from 0 to 4294967295");
	*(uint32_t *)at(record, f->off) = (uint32_t)n;
	set_has(record, f, v >= 0);
	return 0;
}

int read_word(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	struct str s = { "", 0 };
	if (v >= 0 && json_plain(rd->j, v, &s))
		return record_bad(rd, f, "must be a text");
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return record_bad(rd, f, "must be a word without blanks");
	if (str_copy(s, at(record, f->off), f->arg))
		return record_bad(rd, f, "is too long");
	return 0;
}

static int open_sealed(
	const struct record_source *rd, const struct record_field *f, json_val sealed, struct key *ret)
{
	uint8_t wrapped[WRAPPED_KEY];
	size_t n;
	if (!rd->envelope)
		return record_bad(
			rd, f, "sealed keys are not taken from outside: give \"key\" with 32 hex digits");
	if (json_base64(rd->j, sealed, wrapped, sizeof wrapped, &n) || n != sizeof wrapped)
		return record_bad(rd, f, "is damaged");
	if (envelope_open(rd->envelope, wrapped, ret))
		return record_bad(
			rd, f, "was sealed with another key-encryption key than the one of as.kek-file");
	return 0;
}

int read_key(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	struct key k = { 0 };
	char text[64] = "";
	json_val sealed =
		v >= 0 && json_type(rd->j, v) == JSON_OBJECT ? json_get(rd->j, v, "encrypted_key") : -1;
	bool has = sealed >= 0;
	if (sealed >= 0) {
		int r = open_sealed(rd, f, sealed, &k);
		if (r)
			return r;
	} else if (v >= 0) {
		if (json_type(rd->j, v) == JSON_OBJECT)
			v = json_get(rd->j, v, "key");
		if (v >= 0 && (json_string(rd->j, v, text, sizeof text) ||
				      (*text && hex_exact(str_of(text), k.b, sizeof k.b))))
			return record_bad(rd, f, "must be 32 hex digits");
		has = *text != '\0';
		crypto_forget(text, sizeof text);
	}
	*(struct key *)at(record, f->off) = k;
	crypto_forget(&k, sizeof k);
	set_has(record, f, has);
	return 0;
}

int read_time(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	char text[48];
	uint64_t ns = 0;
	if (!rd->envelope)
		return 0;
	if (v >= 0 && (json_string(rd->j, v, text, sizeof text) || clock_parse_rfc3339(str_of(text), &ns)))
		return record_bad(rd, f, "must be a time such as 2026-03-02T10:15:30Z");
	*(uint64_t *)at(record, f->off) = ns / 1000;
	return 0;
}

int read_text(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	char text[DESCRIPTION_TEXT_MAX + 1] = "";
	size_t max = f->arg == TEXT_NAME ? NAME_TEXT_MAX : DESCRIPTION_TEXT_MAX;
	int r = v >= 0 ? json_string(rd->j, v, text, max + 1) : 0;
	if (r == -ENOSPC)
		return problem_say(
			rd->problem, REGISTRY_E_INVALID, f->path, "must be at most %zu octets", max);
	if (r || !utf8_valid(str_of(text)))
		return record_bad(rd, f, "must be a text");
	return texts_set(at(record, f->off), (enum record_text)f->arg, str_of(text));
}

int read_json(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	AUTO(text_done) struct text t = text_growing(JSON_TEXT_MAX);
	json_copy(&t, rd->j, v);
	if (t.failed)
		return problem_say(rd->problem, REGISTRY_E_INVALID, f->path,
			"must be at most %d octets of JSON", JSON_TEXT_MAX);
	struct str s = text_str(&t);
	return texts_set(at(record, f->off), (enum record_text)f->arg, str_is(s, "{}") || str_is(s, "[]") ? STR("") : s);
}

int read_object(void *record, const struct record_field *f, const struct record_source *rd, json_val v)
{
	if (v >= 0 && json_type(rd->j, v) != JSON_OBJECT)
		return record_bad(rd, f, "must be an object");
	return read_json(record, f, rd, v);
}

void write_texts(struct text *t, const struct record_texts *x, const char *const names[TEXT_N])
{
	for (size_t i = 0; i < TEXT_N; i++) {
		if (!names[i] || !x->v[i])
			continue;
		json_name(t, names[i]);
		if (i == TEXT_NAME || i == TEXT_DESCRIPTION)
			json_puts(t, x->v[i]);
		else
			json_raw_out(t, str_of(x->v[i]));
	}
}

void write_times(struct text *t, uint64_t created_unix_us, uint64_t updated_unix_us)
{
	json_name(t, "created_at");
	json_time(t, created_unix_us * 1000);
	json_name(t, "updated_at");
	json_time(t, updated_unix_us * 1000);
}

void write_key(struct text *t, const char *name, const struct key *k, const struct envelope *e)
{
	uint8_t sealed[WRAPPED_KEY];
	json_name(t, name);
	json_open(t, '{');
	if (e) {
		if (envelope_seal(e, k, sealed)) {
			t->failed = true;
			return;
		}
		json_name(t, "encrypted_key");
		json_b64(t, sealed, sizeof sealed);
	} else {
		json_name(t, "key");
		json_hex(t, k->b, sizeof k->b);
	}
	json_close(t, '}');
}
