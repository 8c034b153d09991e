/** @file Records without a time, merged: by key, the last of each. */
#include "as/core/device_api/merge.h"
#include <stdlib.h>

/** By key, then by place. */
static int by_key(const void *a, const void *b)
{
	const struct reading *const *x = a, *const *y = b;
	int r = str_cmp((*x)->key, (*y)->key);
	return r ? r : *x < *y ? -1 : *x > *y;
}

/** The only record without a time that says anything; NULL: there is none, or there are several (*ret_n readings in all). */
static const struct record *only_one(const struct readings *v, size_t *ret_n)
{
	const struct record *one = NULL;
	size_t records = 0;
	*ret_n = 0;
	for (size_t i = 0; i < v->n_records; i++) {
		const struct record *r = &v->records[i];
		if (r->has_ts || !r->n)
			continue;
		one = r;
		records++;
		*ret_n += r->n;
	}
	return records == 1 ? one : NULL;
}

int merge_untimed(struct text *t, const struct readings *v)
{
	size_t n, kept = 0;
	const struct record *one = only_one(v, &n);
	if (one)
		readings_json(t, v->v + one->first, one->n);
	if (one || !n)
		return !one ? MERGE_E_NONE : t->failed ? -ENOMEM : 0;
	const struct reading **order = malloc(n * sizeof *order);
	struct reading *merged = malloc(n * sizeof *merged);
	for (size_t i = 0, k = 0; order && merged && i < v->n_records; i++)
		for (size_t j = 0; !v->records[i].has_ts && j < v->records[i].n; j++)
			order[k++] = &v->v[v->records[i].first + j];
	if (order && merged)
		qsort(order, n, sizeof *order, by_key);
	for (size_t i = 0; order && merged && i < n; i++)
		if (i + 1 == n || !str_eq(order[i]->key, order[i + 1]->key))
			merged[kept++] = *order[i];
	if (kept)
		readings_json(t, merged, kept);
	free(order);
	free(merged);
	return !kept || t->failed ? -ENOMEM : 0;
}
