/** @file Values by name. */
#include "as/core/series/names.h"
#include "common/core/seal.h"
#include <stdlib.h>
#include <string.h>

enum { SOME = 16 };

static int add(struct names *names, const struct named *n)
{
	if (names->n == names->max) {
		size_t max = names->max ? 2 * names->max : SOME;
		struct named *v = reallocarray(names->v, max, sizeof *v);
		if (!v)
			return -ENOMEM;
		names->v = v;
		names->max = max;
	}
	names->v[names->n++] = *n;
	return 0;
}

int names_read(struct names *names, struct slice value, size_t head)
{
	struct slice records;
	names->n = 0;
	if (!value.n)
		return 0;
	if (seal_open(value, &records))
		return -EBADMSG;
	struct reader r = reader_of(records.p, records.n);
	uint64_t ts_ms = 0;
	reader_take(&r, head);
	while (!r.failed && reader_left(&r)) {
		struct named n = { .name = unpack_text(&r) };
		ts_ms += (uint64_t)unpack_signed(&r);
		n.ts_ms = (int64_t)ts_ms;
		n.value = unpack_value(&r);
		if (!r.failed)
			TRY(add(names, &n));
	}
	return r.failed ? -EBADMSG : 0;
}

int names_write(const struct names *names, struct slice head, struct writer *w)
{
	uint64_t ts_ms = 0;
	writer_be32(w, 0);
	writer_put(w, head.p, head.n);
	for (size_t i = 0; i < names->n; i++) {
		pack_text(w, names->v[i].name);
		pack_signed(w, (int64_t)((uint64_t)names->v[i].ts_ms - ts_ms));
		pack_value(w, &names->v[i].value);
		ts_ms = (uint64_t)names->v[i].ts_ms;
	}
	if (w->failed)
		return -ENOSPC;
	seal_close(w->p, w->len);
	return 0;
}

void names_done(struct names *names)
{
	free(names->v);
	*names = (struct names){ 0 };
}

struct named *names_find(const struct names *names, struct str name)
{
	for (size_t i = 0; i < names->n; i++)
		if (str_eq(names->v[i].name, name))
			return &names->v[i];
	return NULL;
}

int names_set(struct names *names, const struct named *n)
{
	struct named *there = names_find(names, n->name);
	if (!there)
		return add(names, n);
	*there = *n;
	return 0;
}

bool names_remove(struct names *names, struct str name)
{
	struct named *there = names_find(names, name);
	if (!there)
		return false;
	memmove(there, there + 1, (size_t)(names->v + names->n - there - 1) * sizeof *there);
	names->n--;
	return true;
}
