/** @file What devices that speak IP send and show, and what operators say of them: topics, rates, requests, calls, claims, profiles. */
#include "as/core/device_api/claim.h"
#include "as/core/device_api/credentials.h"
#include "as/core/device_api/profile.h"
#include "as/core/device_api/provision.h"
#include "as/core/device_api/rates.h"
#include "as/core/device_api/rpc.h"
#include "as/core/device_api/topics.h"
#include "as/core/values/lenient.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void expect(bool truth)
{
	if (!truth)
		abort();
}

/** An answer's topic is one that its own filter matches, and never one that a device publishes telemetry to. */
static void topics(struct str s)
{
	struct device_said said;
	char buf[DEVICE_TOPIC_MAX];
	struct text t = text_fixed(buf, sizeof buf);
	if (device_topic_read(s, &said) == 0 && said.topic == TOPIC_RPC_REQUEST) {
		device_topic_answer(&t, ANSWER_RPC_RESPONSE, said.family, said.id);
		expect(!t.failed && device_filter_is_own(text_str(&t)));
		expect(said.id >= 0 && said.family < DEVICE_FAMILIES);
	}
}

static void rates(struct str s)
{
	struct rate_limits l;
	struct rate_meter m = { .since_us = 0 };
	if (rate_limits_parse(s, &l))
		return;
	expect(l.n <= RATES_MAX);
	for (uint64_t i = 1; i < 50; i++)
		(void)rate_take(&l, &m, (uint32_t)i, i * 100000);
}

static void call(const struct json *j)
{
	static char kept[RPC_RECORD_MAX];
	static struct json_tok tok[RPC_RECORD_TOKENS];
	struct text room = text_growing(RPC_RECORD_MAX), t = text_fixed(kept, sizeof kept);
	struct rpc_wish w;
	struct rpc *r = NULL, *back = NULL;
	struct json again;
	if (rpc_read(j, json_root(j), 1700000000000000, &room, &w, NULL) == 0)
		r = rpc_new(&w, 1, 1700000000000000, NULL);
	if (r) {
		rpc_pack(&t, r);
		if (!t.failed && !json_parse(text_str(&t), tok, RPC_RECORD_TOKENS, &again, NULL)) {
			expect(rpc_unpack(&again, 1, &back) == 0);
			expect(!strcmp(back->method, r->method) && back->expires_unix_us == r->expires_unix_us && back->persistent == r->persistent);
		}
	}
	rpc_free(r);
	rpc_free(back);
	back = NULL;
	if (rpc_unpack(j, 1, &back) == 0)
		rpc_free(back);
	text_done(&room);
}

static void credentials(const struct json *j)
{
	char buf[4096];
	struct json_tok tok[32];
	struct json again;
	struct credentials_wish w, back;
	struct text t = text_fixed(buf, sizeof buf);
	if (credentials_read(j, json_root(j), &w, NULL))
		return;
	credentials_write(&t, &w, true);
	if (t.failed || json_parse(text_str(&t), tok, COUNT(tok), &again, NULL) || credentials_read(&again, json_root(&again), &back, NULL))
		return;
	expect(credentials_eq(&w, &back) || w.kind != back.kind); /* what is empty is left out */
}

static void requests(const struct json *j)
{
	struct rng_seeded seed;
	struct rng rng = rng_seeded(&seed, 1);
	struct provision_request rq;
	struct device_profile p = { .app = "" };
	struct claim c;
	if (provision_read(j, &rng, &rq) == 0)
		expect(id_valid(str_of(rq.id)) && rq.login.kind != CREDENTIALS_NONE);
	(void)profile_read(j, json_root(j), &p, NULL);
	if (claim_read(j, 1, 1000, &c) == 0)
		expect(c.expires_unix_us > 1 && !c.claimed_unix_us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str s = { (const char *)data, n };
	struct lenient l = { 0 };
	struct claim c;
	uint8_t sha[SHA256_LEN];
	char id[ID_MAX + 1];
	topics(s);
	rates(s);
	(void)device_filter_is_own(s);
	(void)device_filter_is_provision(s);
	(void)credentials_certificate(s, sha);
	(void)claim_unpack((struct slice){ data, n }, &c);
	if (provision_id(s, id) == 0)
		expect(id_valid(str_of(id)));
	if (lenient_read(&l, s, NULL) == 0) {
		call(&l.json);
		credentials(&l.json);
		requests(&l.json);
	}
	lenient_done(&l);
	return 0;
}
