/** @file Fingerprints of what events are about. */
#include "as/core/trace/print.h"
#include "common/core/json.h"
#include <stdlib.h>
#include <string.h>

enum kind { OF_CID = 1, OF_OWN, OF_DEVICE, OF_DEV_EUI, OF_APPLICATION, OF_GATEWAY, OF_NAME };

/* FNV-1a: short keys, and nobody gains by making two of them collide. */
static uint32_t add(uint32_t h, const void *p, size_t n)
{
	const uint8_t *octet = p;
	for (size_t i = 0; i < n; i++)
		h = (h ^ octet[i]) * UINT32_C(16777619);
	return h;
}

static uint32_t print(enum kind kind, const void *p, size_t n)
{
	uint8_t octet = (uint8_t)kind;
	uint32_t h = add(add(UINT32_C(2166136261), &octet, 1), p, n);
	return h ? h : 1;
}

static uint32_t print_number(enum kind kind, uint64_t n)
{
	uint8_t octets[8];
	struct writer w = writer_of(octets, sizeof octets);
	writer_be64(&w, n);
	return print(kind, octets, sizeof octets);
}

uint32_t print_cid(const struct cid *c)
{
	uint8_t octets[1 + sizeof c->id.b];
	octets[0] = (uint8_t)c->kind;
	memcpy(octets + 1, c->id.b, sizeof c->id.b);
	return print(OF_CID, octets, sizeof octets);
}

uint32_t print_own(const char *id)
{
	return print(OF_OWN, id, strlen(id));
}

uint32_t print_device(uint64_t uid)
{
	return print_number(OF_DEVICE, uid);
}

uint32_t print_dev_eui(uint64_t eui)
{
	return print_number(OF_DEV_EUI, eui);
}

uint32_t print_application(const char *key)
{
	return print(OF_APPLICATION, key, strlen(key));
}

uint32_t print_gateway(const char *id)
{
	return print(OF_GATEWAY, id, strlen(id));
}

uint32_t print_name(const char *name)
{
	return print(OF_NAME, name, strlen(name));
}

/** Octets of data that can hold no more ids than there are tokens: each takes three at least, `"",`. */
enum { DATA_MAX = sizeof((struct trace_event *)0)->data, TOKENS = DATA_MAX / 3 + 8 };

void own_ids_each(const struct trace_event *e, bool (*fn)(void *ctx, const char *id), void *ctx)
{
	struct json_tok tok[TOKENS];
	struct json j;
	char one[DATA_MAX];
	/* Looked for first: most events have none, and this is done for each of them. */
	if (!MSG_HAS(e, data) || !strstr(e->data, "\"correlation_ids\"") ||
		json_parse(str_of(e->data), tok, COUNT(tok), &j, NULL))
		return;
	json_val list = json_get(&j, json_root(&j), "correlation_ids");
	for (json_val v = json_first(&j, list); v >= 0; v = json_next(&j, v))
		if (!json_string(&j, v, one, sizeof one) && !fn(ctx, one))
			return;
}

struct prints {
	uint32_t *v;
	size_t n;
};

static bool add_own(void *ctx, const char *id)
{
	struct prints *p = ctx;
	p->v[p->n++] = print_own(id);
	return p->n < PRINTS_OF_EVENT;
}

size_t prints_of(const struct trace_event *e, const char *app, uint32_t ret[PRINTS_OF_EVENT])
{
	struct prints p = { ret, 0 };
	for (size_t i = 0; MSG_HAS(e, cids) && i < e->cids.len; i++)
		ret[p.n++] = print_cid(&e->cids.v[i]);
	ret[p.n++] = print_name(e->name);
	if (MSG_HAS(e, device))
		ret[p.n++] = print_device(e->device);
	if (MSG_HAS(e, dev_eui))
		ret[p.n++] = print_dev_eui(e->dev_eui);
	if (*app)
		ret[p.n++] = print_application(app);
	else if (MSG_HAS(e, application_id))
		ret[p.n++] = print_application(e->application_id);
	if (MSG_HAS(e, gateway_id))
		ret[p.n++] = print_gateway(e->gateway_id);
	own_ids_each(e, add_own, &p);
	return p.n;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

size_t prints_sort(uint32_t *v, size_t n)
{
	size_t kept = 0;
	if (n)
		qsort(v, n, sizeof *v, by_value);
	for (size_t i = 0; i < n; i++)
		if (!kept || v[kept - 1] != v[i])
			v[kept++] = v[i];
	return kept;
}
