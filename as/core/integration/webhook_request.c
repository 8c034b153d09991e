/** @file The request of a message. */
#include "as/core/integration/webhook_request.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/** Longest texts of these, and more than is ever there. */
enum { TENANT_SEPARATOR = '@', EUI_TEXT = 17, ADDRESS_TEXT = 9 };

struct names {
	char application[APP_KEY_TEXT], device[SPOOL_DEVICE_MAX + 1], join_eui[EUI_TEXT], dev_eui[EUI_TEXT], dev_addr[ADDRESS_TEXT];
};

/** What the message says of its device. */
static int read_names(const struct webhook_sender *s, const struct spool_message *m, struct names *ret)
{
	struct json j;
	struct str id;
	size_t max = m->body.n / 2 + 1;
	struct json_tok *tok = malloc(max * sizeof *tok);
	int e = tok ? json_parse(m->body, tok, max, &j, NULL) : -ENOMEM;
	memset(ret, 0, sizeof *ret);
	(void)str_cut(str_of(s->application), TENANT_SEPARATOR, &id);
	(void)str_copy(id, ret->application, sizeof ret->application);
	(void)str_copy(m->device_id, ret->device, sizeof ret->device);
	if (!e) {
		json_val ids = json_get(&j, json_root(&j), "end_device_ids");
		(void)json_string(&j, json_get(&j, ids, "join_eui"), ret->join_eui, sizeof ret->join_eui);
		(void)json_string(&j, json_get(&j, ids, "dev_eui"), ret->dev_eui, sizeof ret->dev_eui);
		(void)json_string(&j, json_get(&j, ids, "dev_addr"), ret->dev_addr, sizeof ret->dev_addr);
	}
	free(tok);
	return e;
}

static void put(struct text *head, const char *name, const char *value)
{
	text_printf(head, "%s: %s\r\n", name, value);
}

/** Those that the webhook is set to, but for what is said here. @return has it a User-Agent of its own? */
static bool put_own(struct text *head, const struct webhook *w)
{
	/* As The Things Stack has it, the content's type is the format's. */
	static const char *const ours[] = { "Content-Type", "X-Hub-Signature-256", "X-Godwit-Delivery" };
	static const char *const of_downlinks[] = { "X-Downlink-Apikey", "X-Downlink-Push", "X-Downlink-Replace" };
	struct json_tok tok[4 * WEBHOOK_HEADERS_N + 1];
	struct webhook_header h;
	struct json j;
	json_val at = 0;
	bool has_agent = false;
	if (!w->text[WEBHOOK_HEADERS] || json_parse(str_of(w->text[WEBHOOK_HEADERS]), tok, COUNT(tok), &j, NULL))
		return false;
	while (webhook_header_next(&j, &at, &h)) {
		bool is_ours = false;
		for (size_t i = 0; i < COUNT(ours); i++)
			is_ours |= !strcasecmp(h.name, ours[i]) || (w->text[WEBHOOK_DOWNLINK_API_KEY] && !strcasecmp(h.name, of_downlinks[i]));
		has_agent |= !strcasecmp(h.name, "User-Agent");
		if (!is_ours)
			put(head, h.name, h.value);
	}
	crypto_forget(&h, sizeof h);
	return has_agent;
}

static void put_downlinks(struct text *head, const struct webhook *w, const struct webhook_sender *s, const char *device)
{
	static const struct {
		const char *name, *leaf;
	} ways[] = { { "X-Downlink-Push", "push" }, { "X-Downlink-Replace", "replace" } };
	if (!w->text[WEBHOOK_DOWNLINK_API_KEY])
		return;
	put(head, "X-Downlink-Apikey", w->text[WEBHOOK_DOWNLINK_API_KEY]);
	for (size_t i = 0; *s->api_url && i < COUNT(ways); i++)
		text_printf(head, "%s: %s/as/applications/%s/webhooks/%s/devices/%s/down/%s\r\n", ways[i].name, s->api_url, s->application, s->webhook,
			device, ways[i].leaf);
}

static int put_signature(struct text *head, const struct webhook *w, struct str body)
{
	const char *secret = webhook_text_of(w, WEBHOOK_SIGNATURE_SECRET);
	uint8_t mac[SHA256_LEN];
	if (!*secret)
		return 0;
	TRY(crypto_hmac_sha256((struct slice){ (const uint8_t *)secret, strlen(secret) }, (struct slice){ (const uint8_t *)body.p, body.n }, mac));
	text_puts(head, "X-Hub-Signature-256: sha256=");
	text_hex(head, mac, sizeof mac, false);
	text_puts(head, "\r\n");
	return 0;
}

static int put_head(struct text *head, const struct webhook *w, const struct webhook_sender *s, const struct webhook_target *to, const char *device,
	struct str body)
{
	text_printf(head, "POST %s HTTP/1.1\r\nHost: %s\r\n", to->target.p, to->authority);
	if (!put_own(head, w))
		put(head, "User-Agent", "godwit/" VERSION);
	put(head, "Content-Type", "application/json");
	put_downlinks(head, w, s, device);
	if (*s->domain)
		put(head, "X-Tts-Domain", s->domain);
	text_printf(head, "X-Godwit-Delivery: %llu-%llu\r\n", (unsigned long long)s->number, (unsigned long long)s->seq);
	TRY(put_signature(head, w, body));
	text_printf(head, "Content-Length: %zu\r\n\r\n", body.n);
	return 0;
}

int webhook_request(const struct webhook *w, const struct webhook_sender *s, const struct spool_message *m, struct text *head, struct text *body,
	struct webhook_target *ret_to, const char **ret_why)
{
	struct names n;
	*ret_why = "the message is damaged";
	*ret_to = (struct webhook_target){ .port = 0 };
	int e = read_names(s, m, &n);
	if (!e)
		e = webhook_body(w, m->body, body);
	if (e)
		return e == -ENOMEM ? e : -EINVAL;
	const struct webhook_variables v = { n.application, n.device, n.join_eui, n.dev_eui, n.dev_addr };
	const char *path = m->kind < KIND_N && w->path[m->kind] ? w->path[m->kind] : "";
	TRY(webhook_target_of(str_of(webhook_text_of(w, WEBHOOK_BASE_URL)), str_of(path), &v, ret_to, ret_why));
	TRY(put_head(head, w, s, ret_to, n.device, text_str(body)));
	return head->failed || body->failed ? -ENOMEM : 0;
}
