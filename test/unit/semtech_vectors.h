/** @file What real packet forwarders sent: the lines of test/vectors/semtech, for several tests. */
#pragma once
#include "common/core/json.h"
#include "proto/semtech/semtech.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_OCTETS = 8192 };

struct capture {
	bool is_server, has_json;
	enum semtech_type type;
	uint16_t token;
	uint64_t eui;
	double t;
	char note[80], json[LINE_MAX_OCTETS];
};

static inline bool capture_line(const char *line, struct capture *ret)
{
	static const char *const types[SEMTECH_TYPE_N] = {
		"PUSH_DATA", "PUSH_ACK", "PULL_DATA", "PULL_RESP", "PULL_ACK", "TX_ACK"};
	struct json_tok tok[64];
	struct json j;
	char word[32];
	uint32_t token;
	ck_assert_int_eq(json_parse(str_of(line), tok, COUNT(tok), &j, NULL), 0);
	json_val root = json_root(&j);
	*ret = (struct capture){.type = SEMTECH_TYPE_N};
	if (json_string(&j, json_get(&j, root, "type"), word, sizeof word))
		return false; /* what the virtual radio emitted */
	for (unsigned i = 0; i < SEMTECH_TYPE_N; i++)
		if (!strcmp(word, types[i]))
			ret->type = (enum semtech_type)i;
	ck_assert_int_ne(ret->type, SEMTECH_TYPE_N);
	ck_assert_int_eq(json_string(&j, json_get(&j, root, "from"), word, sizeof word), 0);
	ret->is_server = !strcmp(word, "server");
	ck_assert_int_eq(json_string(&j, json_get(&j, root, "token"), word, sizeof word), 0);
	ck_assert_int_eq(hex_u32(str_of(word), 4, &token), 0);
	ret->token = (uint16_t)token;
	if (!json_string(&j, json_get(&j, root, "eui"), word, sizeof word))
		ck_assert_int_eq(hex_eui(str_of(word), &ret->eui), 0);
	json_string(&j, json_get(&j, root, "case"), ret->note, sizeof ret->note);
	ret->has_json = !json_string(&j, json_get(&j, root, "json"), ret->json, sizeof ret->json);
	return true;
}

/** Call fn for every datagram of a capture. */
static inline void captures_each(const char *name, void (*fn)(void *ctx, const struct capture *c), void *ctx)
{
	char path[4096], line[LINE_MAX_OCTETS];
	const char *source = getenv("GODWIT_SOURCE");
	struct capture c;
	snprintf(path, sizeof path, "%s/test/vectors/semtech/%s.jsonl", source ? source : ".", name);
	FILE *f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s", path);
	while (fgets(line, sizeof line, f))
		if (capture_line(line, &c))
			fn(ctx, &c);
	fclose(f);
}

static const char *const capture_names[] = {"sx1301-uplinks", "sx1301-downlinks", "sx1301-keepalive",
	"sx1301-no-server", "sx1302-uplinks", "sx1302-downlinks", "sx1302-keepalive", "sx1302-no-server",
	"basic-station-bridge", "unacknowledged"};

/** The datagram as it was on the wire. @return its octets */
static inline size_t capture_datagram(const struct capture *c, uint8_t *buf, size_t cap)
{
	struct writer w = writer_of(buf, cap);
	writer_u8(&w, 2);
	writer_be16(&w, c->token);
	writer_u8(&w, (uint8_t)c->type);
	if (!c->is_server)
		writer_be64(&w, c->eui);
	writer_put(&w, c->json, strlen(c->json));
	ck_assert(!w.failed);
	return w.len;
}
