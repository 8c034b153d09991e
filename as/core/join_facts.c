/** @file What another join server remembers of a device's joins. */
#include "as/core/join_facts.h"
#include <string.h>

enum { JOIN_NONCE_MAX = 0xffffff };

static int read_number(const struct json *j, json_val device, const char *name, uint32_t max, uint32_t *ret, bool *ret_has, struct problem *p)
{
	uint64_t n = 0;
	json_val v = json_get(j, device, name);
	*ret_has = v >= 0 && json_type(j, v) != JSON_NULL;
	if (*ret_has && (json_u64(j, v, &n) || n > max))
		return problem_say(p, REGISTRY_E_INVALID, name, "must be a whole number from 0 to %u", (unsigned)max);
	*ret = (uint32_t)n;
	return 0;
}

static void mark(struct join_facts *f, uint16_t nonce)
{
	uint8_t bit = (uint8_t)(1U << nonce % 8);
	f->n_used += !(f->used[nonce / 8] & bit);
	f->used[nonce / 8] |= bit;
}

static bool is_marked(const struct join_facts *f, unsigned nonce)
{
	return f->used[nonce / 8] >> nonce % 8 & 1;
}

static int read_used(const struct json *j, json_val device, struct join_facts *f, struct problem *p)
{
	static const char name[] = "used_dev_nonces";
	json_val list = json_get(j, device, name);
	if (list < 0 || json_type(j, list) == JSON_NULL)
		return 0;
	if (json_type(j, list) != JSON_ARRAY)
		return problem_say(p, REGISTRY_E_INVALID, name, "must be a list of numbers");
	for (json_val v = json_first(j, list); v >= 0; v = json_next(j, v)) {
		uint64_t n;
		if (json_u64(j, v, &n) || n > UINT16_MAX)
			return problem_say(p, REGISTRY_E_INVALID, name, "must hold whole numbers from 0 to 65535");
		mark(f, (uint16_t)n);
	}
	return 0;
}

int join_facts_read(const struct json *j, json_val device, struct join_facts *ret, struct problem *p)
{
	uint32_t dev_nonce = 0, rj_count1 = 0;
	memset(ret, 0, sizeof *ret);
	int e = read_number(j, device, "last_join_nonce", JOIN_NONCE_MAX, &ret->join_nonce, &ret->has_join_nonce, p);
	if (!e)
		e = read_number(j, device, "last_dev_nonce", UINT16_MAX, &dev_nonce, &ret->has_dev_nonce, p);
	if (!e)
		e = read_number(j, device, "last_rj_count_1", UINT16_MAX, &rj_count1, &ret->has_rj_count1, p);
	if (!e)
		e = read_used(j, device, ret, p);
	ret->dev_nonce = (uint16_t)dev_nonce;
	ret->rj_count1 = (uint16_t)rj_count1;
	/* Who was given a JoinNonce has used a DevNonce, be it 0. */
	ret->has_dev_nonce |= ret->join_nonce > 0 && !ret->n_used;
	if (!e && ret->has_dev_nonce)
		mark(ret, ret->dev_nonce);
	return e;
}

bool join_facts_any(const struct join_facts *f)
{
	return f->has_join_nonce || f->has_dev_nonce || f->has_rj_count1 || f->n_used;
}

bool join_facts_merge(const struct join_facts *f, bool nonce_rises, struct join_state *io)
{
	bool is_new = false;
	if (f->join_nonce > io->join_nonce) {
		io->join_nonce = f->join_nonce;
		is_new = true;
	}
	if (nonce_rises && f->has_dev_nonce && (!io->has_dev_nonce || !io->nonce_rose || f->dev_nonce > io->dev_nonce)) {
		io->has_dev_nonce = io->nonce_rose = true;
		io->dev_nonce = f->dev_nonce;
		is_new = true;
	}
	if (f->has_rj_count1 && (!io->has_rj_count1 || f->rj_count1 > io->rj_count1)) {
		io->has_rj_count1 = true;
		io->rj_count1 = f->rj_count1;
		is_new = true;
	}
	return is_new;
}

bool join_facts_merge_nonces(const struct join_facts *f, struct slice record, uint8_t ret[NONCES_RECORD_MAX], size_t *ret_n)
{
	uint8_t was[NONCES_RECORD_MAX];
	bool is_new = false;
	for (unsigned n = 0; f->n_used && n <= UINT16_MAX; n++) {
		if (!is_marked(f, n) || nonces_used(record, (uint16_t)n))
			continue;
		if (nonces_add(record, (uint16_t)n, ret, ret_n))
			return false;
		memcpy(was, ret, *ret_n);
		record = (struct slice){ was, *ret_n };
		is_new = true;
	}
	return is_new;
}

static void write_number(struct text *t, const char *name, uint32_t n)
{
	json_name(t, name);
	json_unum(t, n);
}

void join_facts_write(struct text *t, const struct join_state *s, bool nonce_rises, struct slice nonces)
{
	if (s->join_nonce)
		write_number(t, "last_join_nonce", s->join_nonce);
	if (s->has_dev_nonce)
		write_number(t, "last_dev_nonce", s->dev_nonce);
	if (s->has_rj_count1)
		write_number(t, "last_rj_count_1", s->rj_count1);
	if (nonce_rises || !nonces.n)
		return;
	json_name(t, "used_dev_nonces");
	json_open(t, '[');
	for (unsigned n = 0; n <= UINT16_MAX; n++)
		if (nonces_used(nonces, (uint16_t)n))
			json_unum(t, n);
	json_close(t, ']');
}
