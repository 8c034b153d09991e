/** @file The devices of a file. */
#include "test/sim/devices.h"
#include "common/core/json.h"
#include <stdio.h>
#include <stdlib.h>

enum { LINE_MAX_BYTES = 4096, TOKENS = 64, DEVICES_MAX = 1000000 };

static struct str word(const struct json *j, const char *name)
{
	struct str s = { NULL, 0 };
	return json_plain(j, json_get(j, json_root(j), name), &s) ? (struct str){ NULL, 0 } : s;
}

/** The other network keys of 1.1; without, they are the first. @return 0; -EINVAL */
static int key_or_nwk(const struct json *j, const char *name, const struct device *d, struct key *ret)
{
	*ret = d->keys.f_nwk_s_int;
	return word(j, name).p ? hex_exact(word(j, name), ret->b, AES_KEY) : 0;
}

/** @return what is wrong; NULL: nothing */
static const char *line_read(struct str line, struct device *d)
{
	struct json_tok tok[TOKENS];
	struct json j;
	if (json_parse(line, tok, TOKENS, &j, NULL))
		return "not JSON";
	d->otaa = !word(&j, "dev_addr").p;
	d->is_joined = !d->otaa;
	if (word(&j, "dev_eui").p && hex_eui(word(&j, "dev_eui"), &d->dev_eui))
		return "dev_eui: 16 hex digits";
	if (d->otaa) {
		if (word(&j, "join_eui").p && hex_eui(word(&j, "join_eui"), &d->join_eui))
			return "join_eui: 16 hex digits";
		if (word(&j, "nwk_key").p && hex_exact(word(&j, "nwk_key"), d->nwk_key.b, AES_KEY))
			return "nwk_key: 32 hex digits";
		return hex_exact(word(&j, "app_key"), d->app_key.b, AES_KEY) ? "app_key: 32 hex digits"
									     : NULL;
	}
	if (hex_u32(word(&j, "dev_addr"), 8, &d->dev_addr))
		return "dev_addr: 8 hex digits";
	if (hex_exact(word(&j, "nwk_s_key"), d->keys.f_nwk_s_int.b, AES_KEY) ||
		hex_exact(word(&j, "app_s_key"), d->keys.app_s.b, AES_KEY))
		return "nwk_s_key, app_s_key: 32 hex digits";
	if (key_or_nwk(&j, "s_nwk_s_int_key", d, &d->keys.s_nwk_s_int) || key_or_nwk(&j, "nwk_s_enc_key", d, &d->keys.nwk_s_enc))
		return "s_nwk_s_int_key, nwk_s_enc_key: 32 hex digits";
	uint64_t f_cnt;
	if (json_u64(&j, json_get(&j, json_root(&j), "f_cnt_up"), &f_cnt) == 0)
		d->f_cnt_up = (uint32_t)f_cnt;
	return NULL;
}

static int file_read(struct sim *s, FILE *in)
{
	char line[LINE_MAX_BYTES];
	size_t n = 0, cap = 0;
	for (unsigned number = 1; fgets(line, sizeof line, in); number++) {
		struct str text = str_trim(str_of(line));
		if (!text.n || text.p[0] == '#')
			continue;
		if (n == cap) {
			cap = cap ? 2 * cap : 16;
			struct device *more =
				cap > DEVICES_MAX ? NULL : realloc(s->devices, cap * sizeof *more);
			if (!more)
				return -ENOMEM;
			s->devices = more;
		}
		device_init(&s->devices[n], s, n);
		const char *wrong = line_read(text, &s->devices[n++]);
		if (!wrong)
			continue;
		fprintf(stderr, "error: %s:%u: %s\n", s->opt.device_file, number, wrong);
		return -EINVAL;
	}
	s->opt.devices = (uint32_t)n;
	return n ? 0 : -EINVAL;
}

int devices_read(struct sim *s)
{
	FILE *in = fopen(s->opt.device_file, "r");
	if (!in) {
		perror(s->opt.device_file);
		return -EINVAL;
	}
	int e = file_read(s, in);
	fclose(in);
	return e;
}
