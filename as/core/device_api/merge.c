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

/** All readings of records without a time, in the order of their keys. */
static void gather(const struct readings *v, const struct reading **ret, size_t n)
{
	size_t k = 0;
	for (size_t i = 0; i < v->n_records; i++)
		for (size_t j = 0; !v->records[i].has_ts && j < v->records[i].n; j++)
			ret[k++] = &v->v[v->records[i].first + j];
	qsort(ret, n, sizeof *ret, by_key);
}

/** @return 0; -ENOMEM */
static int merge(struct text *t, const struct readings *v, size_t n)
{
	const struct reading **order = malloc(n * sizeof *order);
	struct reading *merged = malloc(n * sizeof *merged);
	size_t kept = 0;
	if (order && merged) {
		gather(v, order, n);
		for (size_t i = 0; i < n; i++)
			if (i + 1 == n || !str_eq(order[i]->key, order[i + 1]->key))
				merged[kept++] = *order[i];
		readings_json(t, merged, kept);
	}
	free(order);
	free(merged);
	return !kept || t->failed ? -ENOMEM : 0;
}

int merge_untimed(struct text *t, const struct readings *v)
{
	size_t n;
	const struct record *one = only_one(v, &n);
	if (!n)
		return MERGE_E_NONE;
	if (!one)
		return merge(t, v, n);
	readings_json(t, v->v + one->first, one->n);
	return t->failed ? -ENOMEM : 0;
}
