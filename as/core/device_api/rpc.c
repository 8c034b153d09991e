/** @file Calls to devices: reading what is wanted, writing what has become of it. */
#include "as/core/device_api/rpc.h"
#include "as/core/registry/json_copy.h"
#include "as/core/registry/record.h"
#include "common/core/json_out.h"
#include <stdlib.h>
#include <string.h>

static const char *const states[RPC_STATES] = { "QUEUED", "SENT", "DELIVERED", "SUCCESSFUL", "FAILED", "EXPIRED" };

const char *rpc_state_name(enum rpc_state s)
{
	return states[s];
}

bool rpc_is_over(const struct rpc *r)
{
	return r->state >= RPC_SUCCESSFUL;
}

static int bad(struct problem *p, const char *field, const char *why)
{
	return problem_say(p, REGISTRY_E_INVALID, field, "%s", why);
}

static json_val either(const struct json *j, json_val object, const char *name, const char *other)
{
	json_val v = json_get(j, object, name);
	return v >= 0 ? v : json_get(j, object, other);
}

static int read_flag(const struct json *j, json_val v, const char *name, bool *ret, struct problem *p)
{
	int r = json_bool(j, v, ret);
	return r && r != -ENOENT ? bad(p, name, "must be true or false") : 0;
}

/** Milliseconds as ThingsBoard has them, or a text such as 10s. */
static int read_timeout(const struct json *j, json_val object, uint64_t now_unix_us, struct rpc_wish *ret, struct problem *p)
{
	json_val v = json_get(j, object, "timeout"), end = either(j, object, "expirationTime", "expiration_time");
	uint64_t ms = RPC_TIMEOUT_US / MS_US;
	char text[32];
	if (v >= 0 && json_type(j, v) == JSON_STRING && json_u64(j, v, &ms)) {
		uint64_t us;
		if (json_string(j, v, text, sizeof text) || num_duration_us(str_of(text), &us))
			return bad(p, "timeout", "must be a time such as 10s, or milliseconds");
		ms = us / MS_US;
	} else if (v >= 0 && json_u64(j, v, &ms)) {
		return bad(p, "timeout", "must be a time such as 10s, or milliseconds");
	}
	if (end >= 0) {
		uint64_t at_ms;
		if (json_u64(j, end, &at_ms) || at_ms * MS_US <= now_unix_us)
			return bad(p, "expiration_time", "must be milliseconds since 1970, and not over yet");
		ms = at_ms - now_unix_us / MS_US;
	}
	if (ms < 1 || ms > RPC_TIMEOUT_MAX_US / MS_US)
		return bad(p, "timeout", "must be from 1 ms to 366 days");
	ret->timeout_us = ms * MS_US;
	return 0;
}

int rpc_read(const struct json *j, json_val object, uint64_t now_unix_us, struct text *room, struct rpc_wish *ret, struct problem *p)
{
	*ret = (struct rpc_wish){ .params = STR("{}") };
	json_val params = json_get(j, object, "params");
	int e = json_string(j, json_get(j, object, "method"), ret->method, sizeof ret->method);
	if (e || !ret->method[0] || !utf8_valid(str_of(ret->method)))
		return bad(p, "method", e == -ENOENT ? "is missing" : "must be a text of 1 to 255 octets");
	json_copy(room, j, params);
	if (room->failed || room->len > RPC_BODY_MAX)
		return bad(p, "params", "must be at most 60 KiB");
	if (room->len)
		ret->params = text_str(room);
	e = read_flag(j, either(j, object, "oneway", "one_way"), "oneway", &ret->oneway, p);
	if (!e)
		e = read_flag(j, json_get(j, object, "persistent"), "persistent", &ret->persistent, p);
	return e ? e : read_timeout(j, object, now_unix_us, ret, p);
}

static char *copy(struct str s)
{
	char *z = malloc(s.n + 1);
	if (!z)
		return NULL;
	memcpy(z, s.p, s.n);
	z[s.n] = '\0';
	return z;
}

struct rpc *rpc_new(const struct rpc_wish *w, uint64_t device, uint64_t now_unix_us, const struct rng *rng)
{
	struct rpc *r = calloc(1, sizeof *r);
	if (!r)
		return NULL;
	if (rng)
		r->id = ulid_make(now_unix_us, rng);
	r->device = device;
	r->oneway = w->oneway;
	r->persistent = w->persistent;
	r->created_unix_us = now_unix_us;
	r->expires_unix_us = now_unix_us + w->timeout_us;
	r->method = copy(str_of(w->method));
	r->params = copy(w->params);
	if (r->method && r->params)
		return r;
	rpc_free(r);
	return NULL;
}

void rpc_free(struct rpc *r)
{
	if (!r)
		return;
	free(r->method);
	free(r->params);
	free(r->response);
	free(r->own_cids);
	free(r);
}

int rpc_answer(struct rpc *r, struct str json)
{
	char *z = copy(json);
	if (!z)
		return -ENOMEM;
	free(r->response);
	r->response = z;
	return 0;
}

int rpc_name(struct rpc *r, const char *own_cids, size_t n)
{
	char *z = n ? copy((struct str){ own_cids, n }) : NULL;
	if (n && !z)
		return -ENOMEM;
	free(r->own_cids);
	r->own_cids = z;
	r->own_cids_n = n;
	return 0;
}

static void write_call(struct text *t, const struct rpc *r)
{
	json_name(t, "method");
	json_puts(t, r->method);
	json_name(t, "params");
	json_raw_out(t, str_of(r->params));
}

void rpc_body(struct text *t, const struct rpc *r)
{
	json_open(t, '{');
	write_call(t, r);
	json_close(t, '}');
}

static void write_flag(struct text *t, const char *name, bool on)
{
	if (on) {
		json_name(t, name);
		json_truth(t, true);
	}
}

static void write_members(struct text *t, const struct rpc *r)
{
	char id[ULID_TEXT + 1];
	struct text u = text_fixed(id, sizeof id);
	ulid_text(&u, &r->id);
	json_name(t, "rpc_id");
	json_puts(t, id);
	json_name(t, "request_id");
	json_num(t, r->request);
	write_call(t, r);
	write_flag(t, "oneway", r->oneway);
	write_flag(t, "persistent", r->persistent);
	json_name(t, "status");
	json_puts(t, states[r->state]);
	if (r->response) {
		json_name(t, "response");
		json_raw_out(t, str_of(r->response));
	}
}

void rpc_write(struct text *t, const struct rpc *r)
{
	json_open(t, '{');
	write_members(t, r);
	json_name(t, "created_at");
	json_time(t, r->created_unix_us * 1000);
	json_name(t, "expires_at");
	json_time(t, r->expires_unix_us * 1000);
	json_close(t, '}');
}

void rpc_pack(struct text *t, const struct rpc *r)
{
	json_open(t, '{');
	write_members(t, r);
	write_flag(t, "is_push", r->is_push);
	write_flag(t, "is_confirmed", r->is_confirmed);
	if (r->own_cids_n) {
		json_name(t, "correlation_ids");
		json_open(t, '[');
		for (size_t i = 0; i < r->own_cids_n; i += strlen(r->own_cids + i) + 1)
			json_puts(t, r->own_cids + i);
		json_close(t, ']');
	}
	json_name(t, "created");
	json_unum(t, r->created_unix_us);
	json_name(t, "expires");
	json_unum(t, r->expires_unix_us);
	json_close(t, '}');
}

/** @return 0; -EPROTO */
static int read_state(const struct json *j, json_val v, enum rpc_state *ret)
{
	struct str s;
	if (json_plain(j, v, &s))
		return -EPROTO;
	for (unsigned i = 0; i < RPC_STATES; i++)
		if (str_is(s, states[i])) {
			*ret = (enum rpc_state)i;
			return 0;
		}
	return -EPROTO;
}

/** @return 0; -EPROTO; -ENOMEM */
static int read_own_cids(const struct json *j, json_val list, struct rpc *r)
{
	char ids[RPC_OWN_CIDS_MAX];
	size_t n = 0;
	for (json_val e = list < 0 ? -1 : json_first(j, list); e >= 0; e = json_next(j, e)) {
		if (n == sizeof ids || json_string(j, e, ids + n, sizeof ids - n))
			return -EPROTO;
		n += strlen(ids + n) + 1;
	}
	return rpc_name(r, ids, n);
}

int rpc_unpack(const struct json *j, uint64_t device, struct rpc **ret)
{
	json_val root = json_root(j), response = json_get(j, root, "response");
	struct rpc_wish w = { .params = json_whole(j, json_get(j, root, "params")) };
	struct str id;
	uint64_t request;
	struct rpc got = { .state = RPC_QUEUED };
	(void)json_bool(j, json_get(j, root, "oneway"), &w.oneway);
	(void)json_bool(j, json_get(j, root, "persistent"), &w.persistent);
	(void)json_bool(j, json_get(j, root, "is_push"), &got.is_push);
	(void)json_bool(j, json_get(j, root, "is_confirmed"), &got.is_confirmed);
	if (json_get(j, root, "params") < 0 || json_string(j, json_get(j, root, "method"), w.method, sizeof w.method) ||
		json_plain(j, json_get(j, root, "rpc_id"), &id) || ulid_parse(id, &got.id) || json_u64(j, json_get(j, root, "request_id"), &request) ||
		request > INT32_MAX || json_u64(j, json_get(j, root, "created"), &got.created_unix_us) ||
		json_u64(j, json_get(j, root, "expires"), &got.expires_unix_us) || read_state(j, json_get(j, root, "status"), &got.state))
		return -EPROTO;
	struct rpc *r = rpc_new(&w, device, 0, NULL);
	if (!r || (response >= 0 && rpc_answer(r, json_whole(j, response)))) {
		rpc_free(r);
		return -ENOMEM;
	}
	int e = read_own_cids(j, json_get(j, root, "correlation_ids"), r);
	if (e) {
		rpc_free(r);
		return e;
	}
	r->id = got.id;
	r->request = (int32_t)request;
	r->state = got.state;
	r->is_push = got.is_push;
	r->is_confirmed = got.is_confirmed;
	r->created_unix_us = got.created_unix_us;
	r->expires_unix_us = got.expires_unix_us;
	*ret = r;
	return 0;
}
