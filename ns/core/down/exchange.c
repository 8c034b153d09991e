/** @file The table of exchanges and of their emissions. */
#include "ns/core/down/cast.h"
#include "ns/core/down/ledger.h"

void exchanges_init(struct exchanges *t)
{
	*t = (struct exchanges){ .last_ticket = 0 };
	pool_init(&t->pool, sizeof(struct exchange), NS_EXCHANGES_MAX);
	pool_init(&t->attempt_pool, sizeof(struct attempt), NS_EXCHANGES_MAX);
	pool_init(&t->cast_pool, sizeof(struct cast), NS_CASTS_MAX);
}

void exchanges_done(struct exchanges *t)
{
	HASH_CLEAR(hh, t->by_ticket);
	HASH_CLEAR(hh, t->by_id);
	heap_done(&t->due);
	pool_done(&t->pool);
	pool_done(&t->attempt_pool);
	pool_done(&t->cast_pool);
}

struct exchange *exchange_find(const struct exchanges *t, uint64_t ticket)
{
	struct exchange *x = NULL;
	if (ticket)
		HASH_FIND(hh, t->by_ticket, &ticket, sizeof(ticket), x);
	return x;
}

static struct exchange *add(struct exchanges *t, const struct dev *d)
{
	struct exchange *x = pool_get(&t->pool);
	if (!x)
		return NULL;
	x->ticket = ++t->last_ticket;
	x->device = d->uid;
	HASH_ADD(hh, t->by_ticket, ticket, sizeof(x->ticket), x);
	if (!HASH_IS_IN(hh, x)) {
		pool_put(&t->pool, x);
		return NULL;
	}
	return x;
}

struct exchange *exchange_open(struct exchanges *t, struct dev *d)
{
	struct exchange *x = add(t, d);
	if (x)
		d->exchange = x->ticket;
	return x;
}

struct exchange *exchange_open_join(struct exchanges *t, const struct dev *d)
{
	struct exchange *x = add(t, d);
	if (x) {
		x->is_join = true;
		x->priority = PRIORITY_HIGHEST;
	}
	return x;
}

struct exchange *exchange_open_cast(struct exchanges *t, struct dev *d)
{
	struct cast *c = pool_get(&t->cast_pool);
	struct exchange *x = c ? add(t, d) : NULL;
	if (!x) {
		pool_put(&t->cast_pool, c);
		return NULL;
	}
	x->cast = c;
	d->listening.exchange = x->ticket;
	return x;
}

void exchange_close(struct exchanges *t, struct exchange *x, struct dev *d)
{
	if (d && d->exchange == x->ticket)
		d->exchange = 0;
	if (d && d->join == x->ticket)
		d->join = 0;
	if (d && d->listening.exchange == x->ticket)
		d->listening.exchange = 0;
	for (struct attempt *a = x->attempts, *next; a; a = next) {
		next = a->next;
		HASH_DELETE(hh, t->by_id, a);
		pool_put(&t->attempt_pool, a);
	}
	if (x->cast)
		cast_done(x->cast);
	pool_put(&t->cast_pool, x->cast);
	heap_remove(&t->due, &x->due);
	HASH_DELETE(hh, t->by_ticket, x);
	pool_put(&t->pool, x);
}

struct attempt *attempt_find(const struct exchanges *t, const struct ulid *id)
{
	struct attempt *a;
	HASH_FIND(hh, t->by_id, id, sizeof(*id), a);
	return a;
}

struct attempt *attempt_add(struct exchanges *t, struct exchange *x, const struct ulid *id)
{
	size_t most = x->cast ? (size_t)NS_WAYS_MAX * NS_WAY_TRIES_MAX : NS_ATTEMPTS_MAX;
	struct attempt *a = x->n_attempts < most ? pool_get(&t->attempt_pool) : NULL;
	if (!a)
		return NULL;
	a->id = *id;
	a->exchange = x;
	HASH_ADD(hh, t->by_id, id, sizeof(a->id), a);
	if (!HASH_IS_IN(hh, a)) {
		pool_put(&t->attempt_pool, a);
		return NULL;
	}
	a->next = x->attempts;
	x->attempts = a;
	x->n_attempts++;
	return a;
}
