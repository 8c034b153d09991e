/** @file CayenneLPP: decoding and encoding along its table. */
#include "as/core/formatters/cayenne.h"
#include "common/core/json.h"
#include "common/core/json_out.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	VALUES_MAX = CAYENNE_BYTES_MAX / 3 + 1, /* the shortest value has a channel, a type and one octet */
	PARTS = 3,
	NAME_SIZE = 40,
	PORT_DIGITS = 2, /* of values for actuators: hundredths, in two octets */
	PORT_OCTETS = 2,
	END_OF_PORTS = 0xff,
};

#define ONE(type_, name_, octets_, signed_, per_, digits_, about_) \
	{ .type = type_, .name = name_, .octets = octets_, .is_signed = signed_, .per = per_, .digits = { digits_ }, .about = about_ },
#define THREE(type_, name_, octets_, signed_, a, b, c, da, db, dc, about_)                              \
	{ .type = type_, .name = name_, .octets = octets_, .is_signed = signed_, .per = 1, .parts = { a, b, c }, \
		.digits = { da, db, dc }, .about = about_ },
const struct cayenne_type cayenne_types[] = {
#include "as/core/formatters/cayenne.def"
};
const size_t cayenne_types_n = COUNT(cayenne_types);

/** One value as it was found. */
struct found {
	const struct cayenne_type *type;
	uint8_t channel;
	const uint8_t *at; /**< its octets */
};

static size_t parts_of(const struct cayenne_type *t)
{
	return t->parts[0] ? PARTS : 1;
}

static const struct cayenne_type *type_of(uint8_t type)
{
	for (size_t i = 0; i < COUNT(cayenne_types); i++)
		if (cayenne_types[i].type == type)
			return &cayenne_types[i];
	return NULL;
}

static int64_t number_of(const uint8_t *p, size_t n, bool is_signed)
{
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return is_signed && p[0] & 0x80 ? (int64_t)v - (INT64_C(1) << 8 * n) : (int64_t)v;
}

static void write_value(struct text *t, const struct found *f)
{
	const struct cayenne_type *type = f->type;
	char name[NAME_SIZE];
	struct text n = text_fixed(name, sizeof name);
	text_printf(&n, "%s_%u", type->name, f->channel);
	json_name(t, name);
	if (type->parts[0])
		json_open(t, '{');
	for (size_t i = 0; i < parts_of(type); i++) {
		if (type->parts[0])
			json_name(t, type->parts[i]);
		json_dec(t, number_of(f->at + i * type->octets, type->octets, type->is_signed) * type->per, type->digits[i]);
	}
	if (type->parts[0])
		json_close(t, '}');
}

/** Put the value where one of its type and channel is, else behind the others. */
static void keep(struct found *v, size_t *n, struct found f)
{
	size_t i = 0;
	while (i < *n && (v[i].type != f.type || v[i].channel != f.channel))
		i++;
	v[i] = f;
	if (i == *n)
		++*n;
}

static int too_long(struct slice payload, struct text *why)
{
	text_printf(why, "%zu octets; at most %d are a payload", payload.n, CAYENNE_BYTES_MAX);
	return CAYENNE_E_BAD;
}

int cayenne_decode(struct text *t, struct slice payload, struct text *why)
{
	struct found v[VALUES_MAX];
	size_t n = 0, i = 0;
	if (payload.n > CAYENNE_BYTES_MAX)
		return too_long(payload, why);
	while (i < payload.n) {
		const struct cayenne_type *type = i + 1 < payload.n ? type_of(payload.p[i + 1]) : NULL;
		size_t left = payload.n - i - 1, want = type ? parts_of(type) * type->octets : 0;
		if (!left) {
			text_printf(why, "octet %zu: a channel without a type", i + 1);
			return CAYENNE_E_BAD;
		}
		if (!type) {
			text_printf(why, "octet %zu: type %u is none of CayenneLPP", i + 2, payload.p[i + 1]);
			return CAYENNE_E_BAD;
		}
		if (--left < want) {
			text_printf(why, "octet %zu: %s takes %zu octets, %zu are left", i + 3, type->name, want, left);
			return CAYENNE_E_BAD;
		}
		keep(v, &n, (struct found){ type, payload.p[i], payload.p + i + 2 });
		i += 2 + want;
	}
	json_open(t, '{');
	for (size_t k = 0; k < n; k++)
		write_value(t, &v[k]);
	json_close(t, '}');
	return 0;
}

int cayenne_decode_down(struct text *t, struct slice payload, struct text *why)
{
	const uint8_t *of_channel[256] = { NULL };
	char name[NAME_SIZE];
	if (payload.n > CAYENNE_BYTES_MAX)
		return too_long(payload, why);
	for (size_t i = 0; i < payload.n && payload.p[i] != END_OF_PORTS; i += 1 + PORT_OCTETS) {
		if (payload.n - i <= PORT_OCTETS) {
			text_printf(why, "octet %zu: a value takes 2 octets, %zu are left", i + 2, payload.n - i - 1);
			return CAYENNE_E_BAD;
		}
		of_channel[payload.p[i]] = payload.p + i + 1;
	}
	json_open(t, '{');
	for (unsigned c = 0; c < COUNT(of_channel); c++) {
		if (!of_channel[c])
			continue;
		struct text n = text_fixed(name, sizeof name);
		text_printf(&n, "value_%u", c);
		json_name(t, name);
		json_dec(t, number_of(of_channel[c], PORT_OCTETS, true), PORT_DIGITS);
	}
	json_close(t, '}');
	return 0;
}

/* ---- encoding ---- */

/** What is being encoded, and where to. */
struct encoding {
	const struct json *j;
	uint8_t *out;
	size_t n;
	bool has_ports, has_types;
	struct text *why;
};

static int bad(struct encoding *e, struct str name, const char *why)
{
	text_put(e->why, name);
	text_putc(e->why, ' ');
	text_puts(e->why, why);
	return CAYENNE_E_BAD;
}

/** A member's name without its channel. @return whether it has one */
static bool split_name(struct str name, struct str *ret_key, uint8_t *ret_channel)
{
	size_t i = name.n;
	uint64_t channel;
	while (i && name.p[i - 1] != '_')
		i--;
	if (i < 2 || num_u64((struct str){ name.p + i, name.n - i }, &channel) || channel > UINT8_MAX)
		return false;
	*ret_key = (struct str){ name.p, i - 1 };
	*ret_channel = (uint8_t)channel;
	return true;
}

static int put_octets(struct encoding *e, uint64_t v, size_t n)
{
	if (CAYENNE_BYTES_MAX - e->n < n) {
		text_printf(e->why, "more than %d octets", CAYENNE_BYTES_MAX);
		return CAYENNE_E_BAD;
	}
	while (n)
		e->out[e->n++] = (uint8_t)(v >> 8 * --n);
	return 0;
}

/** A number, or true and false as 1 and 0, in 10^-digits; what is too large for that is so large that no type takes it. */
static int read_number(struct encoding *e, struct str name, json_val v, unsigned digits, int64_t *ret)
{
	bool truth;
	enum json_type type = v < 0 ? JSON_NONE : json_type(e->j, v);
	if (type == JSON_BOOL && !json_bool(e->j, v, &truth)) {
		for (*ret = truth; digits; digits--)
			*ret *= 10;
		return 0;
	}
	if (type != JSON_NUMBER)
		return bad(e, name, "must be a number");
	if (json_decimal(e->j, v, digits, ret))
		*ret = INT64_MAX / 2;
	return 0;
}

/** A number in steps of per / 10^digits. */
static int put_number(struct encoding *e, struct str name, json_val v, size_t octets, bool is_signed, unsigned per, unsigned digits)
{
	int64_t n;
	int r = read_number(e, name, v, digits, &n);
	if (r)
		return r;
	n = n >= 0 ? (n + per / 2) / per : -((-n + per / 2) / per);
	int64_t steps = INT64_C(1) << 8 * octets, max = is_signed ? steps / 2 - 1 : steps - 1, min = is_signed ? -steps / 2 : 0;
	if (n < min || n > max) {
		char room[96], low[24], high[24];
		struct text l = text_fixed(low, sizeof low), h = text_fixed(high, sizeof high), t = text_fixed(room, sizeof room);
		text_decimal(&l, min * per, digits);
		text_decimal(&h, max * per, digits);
		text_printf(&t, "must be from %s to %s", low, high);
		return bad(e, name, room);
	}
	return put_octets(e, (uint64_t)n, octets);
}

static int put_typed(struct encoding *e, struct str name, const struct cayenne_type *type, uint8_t channel, json_val v)
{
	uint8_t head[] = { channel, type->type };
	int r = put_octets(e, (uint64_t)head[0] << 8 | head[1], sizeof head);
	if (!r && !type->parts[0])
		return put_number(e, name, v, type->octets, type->is_signed, type->per, type->digits[0]);
	if (!r && json_type(e->j, v) != JSON_OBJECT)
		return bad(e, name, "must be an object");
	for (size_t i = 0; i < PARTS && !r; i++) {
		char room[NAME_SIZE + 16];
		struct text t = text_fixed(room, sizeof room);
		text_printf(&t, "%.*s.%s", STR_ARG(name), type->parts[i]);
		r = put_number(e, text_str(&t), json_get(e->j, v, type->parts[i]), type->octets, type->is_signed, type->per, type->digits[i]);
	}
	return r;
}

static int put_member(struct encoding *e, struct str name, json_val v)
{
	struct str key;
	uint8_t channel;
	if (!split_name(name, &key, &channel))
		return 0;
	if (str_is(key, "value")) {
		e->has_ports = true;
		int r = put_octets(e, channel, 1);
		return r ? r : put_number(e, name, v, PORT_OCTETS, true, 1, PORT_DIGITS);
	}
	for (size_t i = 0; i < COUNT(cayenne_types); i++)
		if (str_is(key, cayenne_types[i].name)) {
			e->has_types = true;
			return put_typed(e, name, &cayenne_types[i], channel, v);
		}
	return 0;
}

static int encode(struct encoding *e)
{
	json_val root = json_root(e->j);
	if (json_type(e->j, root) != JSON_OBJECT)
		return bad(e, STR("decoded_payload"), "must be an object");
	for (json_val m = json_first(e->j, root); m >= 0; m = json_next(e->j, m)) {
		int r = put_member(e, json_raw(e->j, m), json_member_value(e->j, m));
		if (r)
			return r;
	}
	if (e->has_ports && e->has_types)
		return bad(e, STR("decoded_payload"), "has both value_<channel>, for actuators, and values with types");
	return e->n ? 0 : bad(e, STR("decoded_payload"), "has nothing that CayenneLPP can send: name a value value_<channel>, or as in uplinks");
}

int cayenne_encode(struct str data, uint8_t *out, size_t *ret_n, struct text *why)
{
	size_t max = data.n / 2 + 2;
	struct json_tok *tok = reallocarray(NULL, max, sizeof *tok);
	struct json j;
	struct encoding e = { .j = &j, .out = out, .why = why };
	if (!tok)
		return -ENOMEM;
	int r = json_parse(data, tok, max, &j, NULL) ? bad(&e, STR("decoded_payload"), "is not JSON") : encode(&e);
	free(tok);
	if (!r)
		*ret_n = e.n;
	return r;
}
