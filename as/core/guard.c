/** @file Connections and wrong logins of each address. */
#include "as/core/guard.h"
#include "as/core/hash.h"
#include "common/core/err.h"
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

/** What an address has tried. */
struct record {
	TAILQ_ENTRY(record) link; /* the one not asked for the longest is first */
	struct place *place;
	uint64_t failed[GUARD_FAILURES_MAX], known[GUARD_KNOWN];
	uint64_t since_us, locked_until_us;
	uint32_t failed_n, known_n; /* known_n: of all time; they go round */
};

/** An address with connections or a record. */
struct place {
	uint8_t key[16];
	uint32_t connections;
	struct record *record;
	UT_hash_handle hh;
};

struct guard {
	struct guard_options options;
	struct place *places;
	TAILQ_HEAD(, record) records;
	size_t records_n, trusted_n;
	struct {
		struct guard_ip ip;
		unsigned bits;
	} trusted[GUARD_TRUSTED_MAX];
};

struct guard *guard_new(const struct guard_options *o)
{
	struct guard *g = calloc(1, sizeof *g);
	if (!g)
		return NULL;
	g->options = *o;
	if (g->options.failures > GUARD_FAILURES_MAX)
		g->options.failures = GUARD_FAILURES_MAX;
	TAILQ_INIT(&g->records);
	return g;
}

static void record_free(struct guard *g, struct record *r)
{
	r->place->record = NULL;
	TAILQ_REMOVE(&g->records, r, link);
	g->records_n--;
	free(r);
}

static void place_settle(struct guard *g, struct place *p)
{
	if (p->connections || p->record)
		return;
	HASH_DEL(g->places, p);
	free(p);
}

void guard_free(struct guard *g)
{
	struct place *p, *next;
	if (!g)
		return;
	HASH_ITER(hh, g->places, p, next) {
		if (p->record)
			record_free(g, p->record);
		HASH_DEL(g->places, p);
		free(p);
	}
	free(g);
}

static bool is_ipv4(const struct guard_ip *ip)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	return memcmp(ip->octets, mapped, sizeof mapped) == 0;
}

static bool is_unknown(const struct guard_ip *ip)
{
	static const struct guard_ip none;
	return memcmp(ip, &none, sizeof none) == 0;
}

int guard_trust(struct guard *g, const struct guard_ip *ip, unsigned bits)
{
	if (g->trusted_n == GUARD_TRUSTED_MAX)
		return -ENOSPC;
	g->trusted[g->trusted_n].ip = *ip;
	g->trusted[g->trusted_n++].bits = bits < 128 ? bits : 128;
	return 0;
}

static bool has_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned rest = bits % 8;
	return memcmp(a, b, bits / 8) == 0 && (rest == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0);
}

bool guard_trusts(const struct guard *g, const struct guard_ip *ip)
{
	for (size_t i = 0; i < g->trusted_n; i++)
		if (has_prefix(ip->octets, g->trusted[i].ip.octets, g->trusted[i].bits))
			return true;
	return is_unknown(ip);
}

static struct place *place_find(const struct guard *g, const struct guard_ip *ip)
{
	uint8_t key[16] = { 0 };
	struct place *p;
	memcpy(key, ip->octets, is_ipv4(ip) ? 16 : 8);
	HASH_FIND(hh, g->places, key, sizeof key, p);
	return p;
}

static struct place *place_get(struct guard *g, const struct guard_ip *ip)
{
	struct place *p = place_find(g, ip);
	if (p || !(p = calloc(1, sizeof *p)))
		return p;
	memcpy(p->key, ip->octets, is_ipv4(ip) ? 16 : 8);
	HASH_ADD(hh, g->places, key, sizeof p->key, p);
	if (p->hh.tbl)
		return p;
	free(p);
	return NULL;
}

bool guard_enter(struct guard *g, const struct guard_ip *ip)
{
	struct place *p = is_unknown(ip) ? NULL : place_get(g, ip);
	if (!p)
		return is_unknown(ip);
	bool is_full = g->options.connections && p->connections >= g->options.connections && !guard_trusts(g, ip);
	if (!is_full)
		p->connections++;
	return !is_full;
}

void guard_leave(struct guard *g, const struct guard_ip *ip)
{
	struct place *p = is_unknown(ip) ? NULL : place_find(g, ip);
	if (!p)
		return;
	p->connections -= p->connections > 0;
	place_settle(g, p);
}

/** The record of an address, made where there is none; the one that was not asked for the longest gives way. */
static struct record *record_get(struct guard *g, const struct guard_ip *ip)
{
	struct place *p = place_get(g, ip);
	struct record *r = p ? p->record : NULL;
	if (r) {
		TAILQ_REMOVE(&g->records, r, link);
		TAILQ_INSERT_TAIL(&g->records, r, link);
		return r;
	}
	if (!p || !(r = calloc(1, sizeof *r))) {
		if (p)
			place_settle(g, p);
		return NULL;
	}
	if (g->records_n == GUARD_RECORDS_MAX) {
		struct place *oldest = TAILQ_FIRST(&g->records)->place;
		record_free(g, oldest->record);
		place_settle(g, oldest);
	}
	r->place = p;
	p->record = r;
	TAILQ_INSERT_TAIL(&g->records, r, link);
	g->records_n++;
	return r;
}

static bool is_among(const uint64_t *v, size_t n, uint64_t what)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] == what)
			return true;
	return false;
}

static size_t known_n(const struct record *r)
{
	return r->known_n < GUARD_KNOWN ? r->known_n : GUARD_KNOWN;
}

uint64_t guard_locked_us(struct guard *g, const struct guard_ip *ip, uint64_t credentials, uint64_t now_us)
{
	const struct place *p = guard_trusts(g, ip) ? NULL : place_find(g, ip);
	const struct record *r = p ? p->record : NULL;
	if (!r || r->locked_until_us <= now_us || is_among(r->known, known_n(r), credentials))
		return 0;
	return r->locked_until_us - now_us;
}

bool guard_failed(struct guard *g, const struct guard_ip *ip, uint64_t credentials, uint64_t now_us)
{
	struct record *r = g->options.failures == 0 || guard_trusts(g, ip) ? NULL : record_get(g, ip);
	if (!r || r->locked_until_us > now_us)
		return false;
	if (r->failed_n == 0 || now_us - r->since_us >= g->options.window_us) {
		r->failed_n = 0;
		r->since_us = now_us;
	}
	if (is_among(r->failed, r->failed_n, credentials))
		return false;
	r->failed[r->failed_n++] = credentials;
	if (r->failed_n < g->options.failures)
		return false;
	r->failed_n = 0;
	r->locked_until_us = now_us + g->options.lockout_us;
	return true;
}

void guard_passed(struct guard *g, const struct guard_ip *ip, uint64_t credentials)
{
	struct record *r = g->options.failures == 0 || guard_trusts(g, ip) ? NULL : record_get(g, ip);
	if (r && !is_among(r->known, known_n(r), credentials))
		r->known[r->known_n++ % GUARD_KNOWN] = credentials;
}
