/** @file Fuzzes the body of up/simulate: any text is refused by name, or becomes a message that is JSON. */
#include "as/core/simulated.h"
#include "proto/tts/message.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct json_tok tok[4096], again[16384];
	static char out[65536];
	static struct simulated s;
	struct str text = { (const char *)data, n };
	struct json j, k;
	struct problem p = { 0 };
	if (!utf8_valid(text) || json_parse(text, tok, COUNT(tok), &j, NULL))
		return 0;
	int r = simulated_read(&j, json_root(&j), 1, &s, &p);
	assert(r == 0 || (r == REGISTRY_E_INVALID && *p.field && *p.message));
	if (r)
		return 0;
	assert(s.data.rx.len <= COUNT(s.data.rx.v) && s.item.payload_n <= sizeof s.item.payload && s.data.f_port <= UINT8_MAX);
	struct text t = text_fixed(out, sizeof out);
	struct tts_up u = { .device = { .device_id = "d", .application_id = "a" }, .is_simulated = true, .own_cids = s.item.own_cids,
		.own_cids_n = s.item.own_cids_n };
	tts_uplink(&t, &u, &s.data, (struct slice){ s.item.payload, s.item.payload_n }, &(struct tts_extras){ .decoded_payload = s.decoded });
	assert(!t.failed && utf8_valid(text_str(&t)) && !json_parse(text_str(&t), again, COUNT(again), &k, NULL));
	return 0;
}
