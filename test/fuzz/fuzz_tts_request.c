/** @file Fuzzes the body of down/push: any text is read or refused by name, and what is read keeps to its limits. */
#include "proto/tts/request.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct json_tok tok[4096];
	static char out[65536];
	static struct tts_item item;
	struct json j;
	const char *reason = NULL;
	if (json_parse((struct str){ (const char *)data, n }, tok, COUNT(tok), &j, NULL))
		return 0;
	json_val items = tts_request_items(&j, &reason);
	assert(items >= 0 || reason);
	for (json_val v = items < 0 ? -1 : json_first(&j, items); v >= 0; v = json_next(&j, v)) {
		struct tts_error e;
		/* Every other one has a formatter, which makes something of the text itself. */
		struct tts_encoded made = { .bytes = { data, n < 255 ? n : 255 }, .has_f_port = n & 1, .f_port = n ? data[n - 1] : 0, .f_port_else = n & 2 };
		int r = tts_request_item(&j, v, v & 1 ? &made : NULL, &item, &e);
		assert(r == 0 || (r == TTS_E_REFUSED && e.row));
		assert(item.payload_n <= TTS_PAYLOAD_MAX && item.own_cids_n <= sizeof item.own_cids);
		if (r)
			continue;
		assert(item.f_port >= 1 && item.f_port <= TTS_PORT_MAX && item.priority <= 6 && item.max_attempts <= TTS_ATTEMPTS_MAX);
		struct text t = text_fixed(out, sizeof out);
		struct tts_downlink d = { .f_port = item.f_port, .payload = { item.payload, item.payload_n }, .own_cids = item.own_cids,
			.own_cids_n = item.own_cids_n, .class_b_c = item.has_class_b_c ? item.class_b_c : NULL };
		tts_downlink_object(&t, &d);
		/* What is shown is JSON again. */
		static struct json_tok again[4096];
		struct json k;
		assert(t.failed || json_parse(text_str(&t), again, COUNT(again), &k, NULL) != -EBADMSG);
	}
	return 0;
}
