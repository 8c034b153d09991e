/** @file Settings of webhooks as clients give them: what is taken comes to a request of one head, goes through the store unchanged, and
 * shows no secret. */
#include "as/core/integration/webhook_request.h"
#include <stdlib.h>
#include <string.h>

static void require(bool holds)
{
	if (!holds)
		abort();
}

static struct json_tok tok[1024];
static const struct field_mask all = { 0 };

/** The lines of a head: none is empty but the last, so nothing in it can begin a body, or another request. */
static void require_one_head(struct str head)
{
	require(head.n > 4 && !memcmp(head.p + head.n - 4, "\r\n\r\n", 4));
	require(memmem(head.p, head.n, "\r\n\r\n", 4) == head.p + head.n - 4);
	for (size_t i = 0; i < head.n; i++) {
		require(head.p[i] != '\n' || head.p[i - 1] == '\r');
		require(head.p[i] != '\r' || head.p[i + 1] == '\n');
		require(head.p[i]);
	}
	struct str line;
	(void)str_cut(head, '\r', &line);
	size_t blanks = 0;
	for (size_t i = 0; i < line.n; i++)
		blanks += line.p[i] == ' ';
	require(blanks == 2);
}

static void ask(const struct webhook *w)
{
	static const char body[] = "{\"end_device_ids\":{\"device_id\":\"dev1\",\"dev_eui\":\"70B3D57ED0051234\",\"dev_addr\":\"260B12AB\"},\"uplink_message\":{\"f_port\":1}}";
	const struct webhook_sender s = { "app1@tenant1", "hook1", "http://localhost/api/v3", "localhost", 1, 2 };
	const struct spool_message m = { .kind = KIND_UPLINK_MESSAGE, .device_id = STR("dev1"), .body = { body, sizeof body - 1 } };
	struct text head = text_growing(1 << 20), text = text_growing(1 << 20);
	struct webhook_target to;
	const char *why;
	int e = webhook_request(w, &s, &m, &head, &text, &to, &why);
	require(e == 0 || *why);
	if (!e) {
		require_one_head(text_str(&head));
		require(to.target.p[0] == '/' && to.port && *to.host);
	}
	text_done(&to.target);
	text_done(&head);
	text_done(&text);
}

static void through_the_store(const struct webhook *w)
{
	static struct envelope envelope;
	struct text t = text_growing(4 << 20), again = text_growing(4 << 20);
	struct webhook *copy = webhook_new();
	struct json j;
	static struct json_tok stored[4096];
	if (!envelope.crypto)
		envelope.crypto = crypto_new();
	require(webhook_store(&t, w, &envelope) == 0);
	require(json_parse(text_str(&t), stored, COUNT(stored), &j, NULL) == 0);
	require(webhook_read(copy, &all, &(struct record_source){ .j = &j, .root = json_root(&j), .envelope = &envelope }) == 0);
	require(webhook_store(&again, copy, &envelope) == 0);
	require(str_eq(text_str(&t), text_str(&again)));
	webhook_free(copy);
	text_done(&t);
	text_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct json j;
	if (json_parse_first((struct str){ (const char *)data, n }, tok, COUNT(tok), &j, NULL))
		return 0;
	struct problem p = { 0 };
	struct webhook *w = webhook_new();
	int e = webhook_read(w, &all, &(struct record_source){ .j = &j, .root = json_root(&j), .problem = &p });
	require(e == 0 || (e == REGISTRY_E_INVALID && p.message[0]));
	if (!e) {
		struct text shown = text_growing(1 << 20);
		json_open(&shown, '{');
		webhook_write(&shown, w);
		json_close(&shown, '}');
		size_t end, at;
		require(json_check(text_str(&shown), &end, &at) == 0);
		text_done(&shown);
		ask(w);
		through_the_store(w);
	}
	webhook_free(w);
	return 0;
}
