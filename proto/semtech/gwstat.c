/** @file stat: what a gateway says of itself. */
#include "proto/semtech/gwstat.h"
#include "common/core/clock.h"
#include "common/core/err.h"
#include "common/core/json_out.h"
#include "proto/semtech/member.h"
#include <stdlib.h>
#include <string.h>

enum { SEEN_LATI = 1 << 24, SEEN_LONG = 1 << 25, HAS_MASK = SEEN_LATI - 1 };
enum { RFC3339_SECONDS = sizeof "2026-11-20T23:31:20Z" - 1 };
enum { DEGREE_E7 = 10000000, NEAR_E7 = DEGREE_E7 / 1000 };

struct raw {
	struct gwstat st;
	json_val time;
};

static const struct member members[] = {
	MEMBER("time", raw, time, MEMBER_VALUE, 0, 0),
	MEMBER("lati", raw, st.latitude_e7, MEMBER_I32, 7, SEEN_LATI),
	MEMBER("long", raw, st.longitude_e7, MEMBER_I32, 7, SEEN_LONG),
	MEMBER("alti", raw, st.altitude_m, MEMBER_I32, 0, GWSTAT_ALTI),
	MEMBER("rxnb", raw, st.rxnb, MEMBER_U32, 0, 0),
	MEMBER("rxok", raw, st.rxok, MEMBER_U32, 0, 0),
	MEMBER("rxfw", raw, st.rxfw, MEMBER_U32, 0, 0),
	MEMBER("ackr", raw, st.ackr_permille, MEMBER_I32, 1, GWSTAT_ACKR),
	MEMBER("dwnb", raw, st.dwnb, MEMBER_U32, 0, 0),
	MEMBER("txnb", raw, st.txnb, MEMBER_U32, 0, 0),
	MEMBER("temp", raw, st.temp_dc, MEMBER_I32, 1, GWSTAT_TEMP),
};

/** `2026-11-20 23:31:20 GMT` of the C forwarders, or RFC 3339 of others. */
static void time_take(const struct json *j, json_val time, struct gwstat *st)
{
	char buf[48];
	uint64_t unix_ns;
	if (json_string(j, time, buf, sizeof buf))
		return;
	size_t n = strlen(buf);
	if (n == RFC3339_SECONDS + 3 && !strcmp(buf + RFC3339_SECONDS - 1, " GMT")) {
		buf[10] = 'T';
		buf[RFC3339_SECONDS - 1] = 'Z';
		n = RFC3339_SECONDS;
	}
	if (clock_parse_rfc3339((struct str){buf, n}, &unix_ns))
		return;
	st->time_unix_us = unix_ns / 1000;
	st->has |= GWSTAT_TIME;
}

static bool is_near(int32_t v_e7, int degrees)
{
	return llabs((long long)v_e7 - (long long)degrees * DEGREE_E7) < NEAR_E7;
}

static bool is_position(const struct gwstat *st)
{
	return llabs(st->latitude_e7) <= 90LL * DEGREE_E7 && llabs(st->longitude_e7) <= 180LL * DEGREE_E7 &&
	       !(st->latitude_e7 == 0 && st->longitude_e7 == 0) &&
	       !(is_near(st->latitude_e7, 10) && is_near(st->longitude_e7, 20));
}

int gwstat_read(struct str json, struct json_tok *tok, size_t max, struct gwstat *ret)
{
	struct raw raw;
	struct json j;
	memset(&raw, 0, sizeof raw);
	raw.time = -1;
	int e = json_parse(json, tok, max, &j, NULL);
	if (e)
		return e == -ENOSPC ? SEMTECH_E_TOKENS : SEMTECH_E_JSON;
	if (json_type(&j, json_root(&j)) != JSON_OBJECT)
		return SEMTECH_E_JSON;
	uint32_t seen = member_read(&j, json_root(&j), members, COUNT(members), &raw);
	raw.st.has = seen & HAS_MASK;
	if (seen & SEEN_LATI && seen & SEEN_LONG && is_position(&raw.st))
		raw.st.has |= GWSTAT_POSITION;
	time_take(&j, raw.time, &raw.st);
	*ret = raw.st;
	return 0;
}

static void count_write(struct text *t, const char *name, uint32_t v)
{
	json_name(t, name);
	json_unum(t, v);
}

static void dec_write(struct text *t, const char *name, int32_t v, unsigned digits)
{
	json_name(t, name);
	json_dec(t, v, digits);
}

void gwstat_write(struct text *t, const struct gwstat *st)
{
	char buf[40];
	struct text time = text_fixed(buf, sizeof buf);
	clock_rfc3339(&time, st->time_unix_us / 1000000 * UINT64_C(1000000000));
	/* The C forwarders write it with a blank for T and " GMT" for Z. */
	if (time.len == RFC3339_SECONDS) {
		buf[10] = ' ';
		memcpy(buf + RFC3339_SECONDS - 1, " GMT", sizeof " GMT");
	}
	json_open(t, '{');
	json_name(t, "time");
	json_puts(t, buf);
	if (st->has & GWSTAT_POSITION) {
		dec_write(t, "lati", st->latitude_e7, 7);
		dec_write(t, "long", st->longitude_e7, 7);
	}
	if (st->has & GWSTAT_ALTI)
		dec_write(t, "alti", st->altitude_m, 0);
	count_write(t, "rxnb", st->rxnb);
	count_write(t, "rxok", st->rxok);
	count_write(t, "rxfw", st->rxfw);
	dec_write(t, "ackr", (int32_t)st->ackr_permille, 1);
	count_write(t, "dwnb", st->dwnb);
	count_write(t, "txnb", st->txnb);
	if (st->has & GWSTAT_TEMP)
		dec_write(t, "temp", st->temp_dc, 1);
	json_close(t, '}');
}
