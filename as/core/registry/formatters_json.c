/** @file Formatters of a record as they are read. */
#include "as/core/registry/formatters_json.h"
#include <stdlib.h>
#include <string.h>

enum { FIELD_MAX = sizeof ((struct problem *)0)->field };

/** What is being read: where from, and the path of the formatters. */
struct reading {
	const struct record_source *rd;
	const struct field_mask *m;
	const char *path;
	json_val from; /**< the object; negative: absent */
};

static int bad(const struct reading *r, const char *member, const char *why)
{
	char field[FIELD_MAX];
	struct text t = text_fixed(field, sizeof field);
	text_printf(&t, "%s.%s", r->path, member);
	return problem_say(r->rd->problem, REGISTRY_E_INVALID, field, "%s", why);
}

/** Is the member to be changed, and to what? *ret negative: cleared. */
static bool is_told(const struct reading *r, const char *member, json_val *ret)
{
	char field[FIELD_MAX];
	struct text t = text_fixed(field, sizeof field);
	text_printf(&t, "%s.%s", r->path, member);
	*ret = r->from >= 0 ? json_get(r->rd->j, r->from, member) : -1;
	bool told = r->m->given ? field_mask_covers(r->m, field) : *ret >= 0;
	if (*ret >= 0 && json_type(r->rd->j, *ret) == JSON_NULL)
		*ret = -1;
	return told;
}

static int read_kind(struct formatter *f, const struct reading *r, const char *member)
{
	json_val v;
	struct str name;
	if (!is_told(r, member, &v))
		return 0;
	if (v >= 0 && (json_plain(r->rd->j, v, &name) || formatter_parse(name, &f->kind)))
		return bad(r, member, "must be FORMATTER_NONE, _REPOSITORY, _GRPC_SERVICE, _JAVASCRIPT or _CAYENNELPP");
	f->is_named = v >= 0;
	if (v < 0)
		f->kind = FORMATTER_NONE;
	return 0;
}

static int read_parameter(struct formatter *f, const struct reading *r, const char *member)
{
	struct script *s = NULL;
	json_val v;
	if (!is_told(r, member, &v))
		return 0;
	size_t n = v >= 0 ? json_raw(r->rd->j, v).n : 0;
	if (n) {
		char *text = malloc(n + 1);
		if (!text)
			return -ENOMEM;
		int e = json_string(r->rd->j, v, text, n + 1);
		n = e ? 0 : strlen(text);
		if (!e && n && n <= SCRIPT_TEXT_MAX)
			s = script_new((struct str){ text, n });
		free(text);
		if (e)
			return bad(r, member, "must be a text without U+0000");
		if (n > SCRIPT_TEXT_MAX)
			return bad(r, member, "must be at most 65536 octets");
		if (!s)
			return -ENOMEM;
	}
	script_release(f->script);
	f->script = s;
	return 0;
}

static int read_one(struct formatter *f, const struct reading *r, const char *kind, const char *parameter)
{
	int e = read_kind(f, r, kind);
	if (!e)
		e = read_parameter(f, r, parameter);
	/* What a store or another network holds is taken as it is. */
	bool is_asked = !r->rd->envelope && !r->rd->is_import;
	if (!e && is_asked && f->kind == FORMATTER_JAVASCRIPT && !f->script)
		e = bad(r, parameter, "is missing: FORMATTER_JAVASCRIPT needs a script");
	return e;
}

/** Does the mask name the formatters themselves, or what they are part of? */
static bool is_whole(const struct field_mask *m, const char *path)
{
	struct str f = str_of(path);
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].n <= f.n && !memcmp(m->v[i].p, f.p, m->v[i].n) && (m->v[i].n == f.n || f.p[m->v[i].n] == '.'))
			return true;
	return false;
}

int formatters_read(struct formatters *f, const char *path, const struct field_mask *m, const struct record_source *rd)
{
	struct reading r = { rd, m, path, record_find(rd->j, rd->root, path) };
	bool is_null = r.from >= 0 && json_type(rd->j, r.from) == JSON_NULL;
	if (m->given ? !field_mask_covers(m, path) : r.from < 0)
		return 0;
	if (is_null || (r.from < 0 && is_whole(m, path))) {
		formatters_done(f);
		return 0;
	}
	if (r.from >= 0 && json_type(rd->j, r.from) != JSON_OBJECT)
		return problem_say(rd->problem, REGISTRY_E_INVALID, path, "must be an object");
	f->are_set = true;
	int e = read_one(&f->up, &r, "up_formatter", "up_formatter_parameter");
	return e ? e : read_one(&f->down, &r, "down_formatter", "down_formatter_parameter");
}
