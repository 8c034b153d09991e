/** @file --fields: of an object only what is asked for. */
#include "as/cli/show/select.h"
#include "common/core/json_out.h"
#include <string.h>

enum { FIELDS = 64 };

struct fields {
	struct str path[FIELDS]; /**< what is left of each at this depth */
	size_t n;
};

/** Those that go on below the member. @return true: one ends at it */
static bool below(const struct fields *f, struct str name, struct fields *ret)
{
	bool is_all = false;
	ret->n = 0;
	for (size_t i = 0; i < f->n; i++) {
		struct str head, rest = str_cut(f->path[i], '.', &head);
		if (!str_eq(head, name))
			continue;
		if (rest.n)
			ret->path[ret->n++] = rest;
		else
			is_all = true;
	}
	return is_all;
}

/** As deep as the fields go, which is no deeper than JSON_DEPTH. */
static void write_some(struct text *t, const struct json *j, json_val v, const struct fields *f)
{
	if (json_type(j, v) == JSON_ARRAY) {
		json_open(t, '[');
		for (json_val e = json_first(j, v); e >= 0; e = json_next(j, e))
			write_some(t, j, e, f);
		json_close(t, ']');
		return;
	}
	if (json_type(j, v) != JSON_OBJECT) {
		json_raw_out(t, json_whole(j, v));
		return;
	}
	json_open(t, '{');
	for (json_val m = json_first(j, v); m >= 0; m = json_next(j, m)) {
		char name[96];
		struct fields inner;
		if (json_string(j, m, name, sizeof name))
			continue;
		bool is_all = below(f, str_of(name), &inner);
		if (!is_all && !inner.n)
			continue;
		json_name(t, name);
		if (is_all)
			json_raw_out(t, json_whole(j, json_member_value(j, m)));
		else
			write_some(t, j, json_member_value(j, m), &inner);
	}
	json_close(t, '}');
}

void select_write(struct text *t, const struct json *j, json_val v, const char *fields)
{
	struct fields f = { .n = 0 };
	struct str rest = str_of(fields), path;
	while (rest.n && f.n < FIELDS) {
		rest = str_cut(rest, ',', &path);
		f.path[f.n++] = str_trim(path);
	}
	write_some(t, j, v, &f);
}

static bool begins(struct str whole, struct str part)
{
	return whole.n >= part.n && !memcmp(whole.p, part.p, part.n) && (whole.n == part.n || whole.p[part.n] == '.');
}

bool select_touches(const char *fields, const char *path)
{
	struct str rest = str_of(fields), one, with = str_of(path);
	while (rest.n) {
		rest = str_cut(rest, ',', &one);
		one = str_trim(one);
		if (begins(with, one) || begins(one, with))
			return true;
	}
	return false;
}
