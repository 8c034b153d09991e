/** @file Correlation ids. */
#include "proto/cids.h"
#include <string.h>

int cids_add(uint16_t *len, struct cid *v, size_t max, enum cid_kind kind, struct ulid id)
{
	size_t at = *len;
	for (size_t i = 0; i < *len; i++)
		if (v[i].kind == (uint32_t)kind && ulid_eq(&v[i].id, &id))
			return 0;
	if (at >= max)
		return -ENOBUFS;
	while (at && v[at - 1].kind > (uint32_t)kind)
		at--;
	memmove(v + at + 1, v + at, (*len - at) * sizeof *v);
	v[at] = (struct cid){ .kind = (uint32_t)kind, .id = id };
	++*len;
	return 0;
}

int cids_add_all(uint16_t *len, struct cid *v, size_t max, const struct cid *from, size_t n_from)
{
	for (size_t i = 0; i < n_from; i++)
		TRY(cids_add(len, v, max, (enum cid_kind)from[i].kind, from[i].id));
	return 0;
}

const struct cid *cids_find(const struct cid *v, size_t n, enum cid_kind kind)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].kind == (uint32_t)kind)
			return &v[i];
	return NULL;
}

static const struct {
	uint32_t kind;
	const char *prefix;
} prefixes[] = {
#define CID(symbol, number, prefix) { number, prefix },
#include "proto/cid.def"
#undef CID
};

const char *cid_prefix(uint32_t kind)
{
	for (size_t i = 0; i < COUNT(prefixes); i++)
		if (prefixes[i].kind == kind)
			return prefixes[i].prefix;
	return NULL;
}

void cid_text(struct text *t, const struct cid *c)
{
	const char *prefix = cid_prefix(c->kind);
	if (prefix)
		text_puts(t, prefix);
	else
		text_printf(t, "cid:%u:", (unsigned)c->kind);
	ulid_text(t, &c->id);
}

int cid_parse(struct str s, struct cid *ret)
{
	struct cid c = { .kind = 0 };
	s = str_trim(s);
	if (s.n <= ULID_TEXT)
		return -EINVAL;
	struct str head = { s.p, s.n - ULID_TEXT }, tail = { s.p + s.n - ULID_TEXT, ULID_TEXT };
	for (size_t i = 0; i < COUNT(prefixes); i++)
		if (str_is(head, prefixes[i].prefix))
			c.kind = prefixes[i].kind;
	if (!c.kind)
		return -EINVAL;
	TRY(ulid_parse(tail, &c.id));
	*ret = c;
	return 0;
}
