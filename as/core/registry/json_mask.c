/** @file The members of a JSON object that a field mask names. */
#include "as/core/registry/json_mask.h"
#include <stdlib.h>
#include <string.h>

enum { PATH_CAP = 160 };

/** Is this member, or one that it is in, named? */
static bool is_whole(const struct field_mask *m, const char *const *always, const char *path)
{
	size_t n = strlen(path);
	for (; always && *always; always++)
		if (!strcmp(path, *always))
			return true;
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].n <= n && !memcmp(m->v[i].p, path, m->v[i].n) && (path[m->v[i].n] == '\0' || path[m->v[i].n] == '.'))
			return true;
	return false;
}

/** Objects hold objects at most JSON_DEPTH deep. @param above  the path of the object, of n characters */
static void write_named(struct text *out, const struct json *j, json_val object, const struct field_mask *m, const char *const *always,
	struct str above)
{
	json_open(out, '{');
	for (json_val n = json_first(j, object); n >= 0; n = json_next(j, n)) {
		char path[PATH_CAP], name[PATH_CAP];
		struct text p = text_fixed(path, sizeof path);
		json_val v = json_member_value(j, n);
		text_put(&p, above);
		text_puts(&p, above.n ? "." : "");
		if (json_string(j, n, name, sizeof name))
			continue;
		text_puts(&p, name);
		if (p.failed || (!is_whole(m, always, path) && !field_mask_covers(m, path)))
			continue;
		json_name(out, name);
		if (is_whole(m, always, path) || json_type(j, v) != JSON_OBJECT)
			json_raw_out(out, json_whole(j, v));
		else
			write_named(out, j, v, m, always, text_str(&p));
	}
	json_close(out, '}');
}

int json_masked(struct text *out, struct str object, const struct field_mask *mask, const char *const *always)
{
	struct json j;
	/* A token takes two characters at least, and one of them may be the last. */
	size_t max = object.n / 2 + 1;
	struct json_tok *tok = mask->given ? malloc(max * sizeof *tok) : NULL;
	int e = mask->given && !tok ? -ENOMEM : 0;
	if (!e && !mask->given)
		json_raw_out(out, object);
	if (!e && mask->given)
		e = json_parse(object, tok, max, &j, NULL);
	if (!e && mask->given)
		write_named(out, &j, json_root(&j), mask, always, STR(""));
	free(tok);
	return e ? e : out->failed ? -ENOMEM : 0;
}
