/** @file Fuzzes the CSV of end devices: what a row says is JSON, and a device that is written as a row reads as the same device. */
#include "as/cli/fleet_csv.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { JSON_MAX = 1 << 20, TOKENS = 4096 };

/** The only row below an export's header. */
static void read_back(const struct text *file, struct text *ret)
{
	char buf[256];
	struct text err = text_fixed(buf, sizeof buf);
	struct csv c;
	bool is_read = false;
	csv_init(&c);
	for (size_t i = 0; i <= file->len; i++) {
		if (!csv_take(&c, i < file->len ? (unsigned char)file->p[i] : EOF))
			continue;
		if (!c.has_header)
			assert(csv_header(&c, &err) == 0);
		else
			is_read = csv_device(&c, ret, &err) == 0;
	}
	csv_done(&c);
	assert(is_read);
}

static void write_row(struct text *t, struct str json)
{
	static struct json_tok tok[TOKENS];
	struct json j;
	assert(json_parse(json, tok, TOKENS, &j, NULL) == 0);
	csv_write_header(t);
	csv_write_device(t, &j, json_root(&j));
}

/* The second time nothing may change; the first time something may: 1 becomes true, half a character becomes U+FFFD. */
static void check_round(const struct text *json)
{
	struct text t[2] = { text_growing(JSON_MAX), text_growing(JSON_MAX) }, back = text_growing(JSON_MAX);
	write_row(&t[0], text_str(json));
	if (!t[0].failed && strchr(t[0].p, '\n')[1] && strspn(strchr(t[0].p, '\n') + 1, ";\n") < strlen(strchr(t[0].p, '\n') + 1)) {
		read_back(&t[0], &back);
		write_row(&t[1], text_str(&back));
		assert(t[1].failed || !strcmp(t[0].p, t[1].p));
	}
	text_done(&t[0]);
	text_done(&t[1]);
	text_done(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct csv c;
	csv_init(&c);
	for (size_t i = 0; i <= n; i++) {
		struct text json = text_growing(JSON_MAX);
		char buf[256];
		struct text err = text_fixed(buf, sizeof buf);
		bool is_row = csv_take(&c, i < n ? data[i] : EOF);
		if (is_row && !c.has_header && csv_header(&c, &err))
			i = n;
		else if (is_row && c.has_header && c.n && csv_device(&c, &json, &err) == 0 && !json.failed)
			check_round(&json);
		text_done(&json);
	}
	csv_done(&c);
	return 0;
}
