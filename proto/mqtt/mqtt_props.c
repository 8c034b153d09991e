/** @file Reading and writing the properties of MQTT 5.0 by walking one table. */
#include "proto/mqtt/mqtt_props.h"
#include "proto/mqtt/mqtt_packet.h"
#include "proto/mqtt/mqtt_topic.h"

enum prop_kind { U8 = 1, U16, U32, VAR, TEXT, BYTES, PAIR };

static const struct prop_row {
	uint8_t id, kind;
	uint16_t places;
} rows[] = {
#define PROP(name, id, kind, places) { id, kind, places },
#include "proto/mqtt/mqtt_props.def"
#undef PROP
};
_Static_assert(COUNT(rows) == MQTT_PROP_N, "a row for every property");
_Static_assert(MQTT_PROP_N <= 32, "has is 32 bits");

uint32_t mqtt_varint_read(struct reader *r)
{
	uint32_t v = 0;
	for (unsigned i = 0; i < 4; i++) {
		uint8_t b = reader_u8(r);
		v |= (uint32_t)(b & 0x7f) << (7 * i);
		if (!(b & 0x80)) {
			r->failed |= i > 0 && b == 0; /* more octets than it needs [MQTT5 1.5.5-1] */
			return v;
		}
	}
	r->failed = true;
	return 0;
}

void mqtt_varint_write(struct writer *w, uint32_t v)
{
	do {
		uint8_t b = v & 0x7f;
		v >>= 7;
		writer_u8(w, (uint8_t)(b | (v ? 0x80 : 0)));
	} while (v);
}

size_t mqtt_varint_size(uint32_t v)
{
	return v < 128 ? 1 : v < 16384 ? 2 : v < 2097152 ? 3 : 4;
}

static int row_of(uint32_t id)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		if (rows[i].id == id)
			return (int)i;
	return -1;
}

/* One value; numbers go to *ret_u, strings to *ret_s. False: a text that may not be. */
static bool value_read(struct reader *r, uint8_t kind, uint32_t *ret_u, struct str *ret_s)
{
	switch (kind) {
	case U8: *ret_u = reader_u8(r); return true;
	case U16: *ret_u = reader_be16(r); return true;
	case U32: *ret_u = reader_be32(r); return true;
	case VAR: *ret_u = mqtt_varint_read(r); return true;
	case TEXT: *ret_s = mqtt_str_read(r); return mqtt_string_valid(*ret_s);
	case BYTES: *ret_s = mqtt_str_read(r); return true;
	default: break;
	}
	struct str name = mqtt_str_read(r);
	*ret_s = mqtt_str_read(r);
	return mqtt_string_valid(name) && mqtt_string_valid(*ret_s);
}

/* Values that the standard calls a protocol error. */
static bool value_wanted(enum mqtt_prop which, uint32_t u, struct str s)
{
	switch (which) {
	case MQTT_PROP_RESPONSE_TOPIC: /* [MQTT5 3.3.2-14] */
		return mqtt_topic_valid(s);
	case MQTT_PROP_RECEIVE_MAX:
	case MQTT_PROP_MAX_PACKET:
	case MQTT_PROP_SUBSCRIPTION_ID:
		return u != 0;
	case MQTT_PROP_TOPIC_ALIAS: /* 0 is answered by its own reason code, where aliases are looked at */
		return true;
	default:
		return rows[which].kind != U8 || u <= 1;
	}
}

int mqtt_props_read(struct reader *r, unsigned place, struct mqtt_props *ret)
{
	uint32_t n = mqtt_varint_read(r);
	struct slice raw = reader_take(r, n);
	if (r->failed)
		return MQTT_MALFORMED;
	ret->has = 0;
	ret->raw = raw;
	unsigned pairs = 0;
	for (struct reader in = reader_of(raw.p, raw.n); reader_left(&in);) {
		int at = row_of(mqtt_varint_read(&in));
		if (at < 0)
			return MQTT_MALFORMED;
		uint32_t u = 0;
		struct str s = { NULL, 0 };
		bool is_text = value_read(&in, rows[at].kind, &u, &s);
		if (in.failed || !is_text)
			return MQTT_MALFORMED;
		bool may_repeat = rows[at].kind == PAIR || (at == MQTT_PROP_SUBSCRIPTION_ID && place == IN_PUBLISH);
		if (!(rows[at].places & place))
			return MQTT_MALFORMED; /* [MQTT5 2.2.2.2] */
		if ((ret->has >> at & 1 && !may_repeat) || !value_wanted((enum mqtt_prop)at, u, s))
			return MQTT_PROTOCOL_ERROR;
		if (rows[at].kind == PAIR && ++pairs > MQTT_USER_PROPS_MAX)
			return MQTT_QUOTA;
		ret->has |= UINT32_C(1) << at;
		ret->v[at].u = u;
		ret->v[at].s = s;
	}
	return 0;
}

bool mqtt_props_has(const struct mqtt_props *p, enum mqtt_prop which)
{
	return p->has >> which & 1;
}

uint32_t mqtt_props_u(const struct mqtt_props *p, enum mqtt_prop which, uint32_t otherwise)
{
	return mqtt_props_has(p, which) ? p->v[which].u : otherwise;
}

void mqtt_props_set_u(struct mqtt_props *p, enum mqtt_prop which, uint32_t v)
{
	p->has |= UINT32_C(1) << which;
	p->v[which].u = v;
}

void mqtt_props_set_s(struct mqtt_props *p, enum mqtt_prop which, struct str s)
{
	p->has |= UINT32_C(1) << which;
	p->v[which].s = s;
}

static size_t value_size(const struct mqtt_props *p, size_t at)
{
	static const uint8_t sizes[] = { [U8] = 1, [U16] = 2, [U32] = 4 };
	switch (rows[at].kind) {
	case PAIR: return 0;
	case VAR: return 1 + mqtt_varint_size(p->v[at].u);
	case TEXT:
	case BYTES: return 3 + p->v[at].s.n;
	default: return 1U + sizes[rows[at].kind];
	}
}

static size_t values_size(const struct mqtt_props *p)
{
	size_t n = 0;
	for (size_t at = 0; at < MQTT_PROP_N; at++)
		if (p->has >> at & 1)
			n += value_size(p, at);
	return n;
}

size_t mqtt_props_size(const struct mqtt_props *p)
{
	size_t n = values_size(p);
	return mqtt_varint_size((uint32_t)n) + n;
}

static void value_write(struct writer *w, const struct mqtt_props *p, size_t at)
{
	if (rows[at].kind == PAIR)
		return;
	writer_u8(w, rows[at].id);
	switch (rows[at].kind) {
	case U8: writer_u8(w, (uint8_t)p->v[at].u); break;
	case U16: writer_be16(w, (uint16_t)p->v[at].u); break;
	case U32: writer_be32(w, p->v[at].u); break;
	case VAR: mqtt_varint_write(w, p->v[at].u); break;
	default: mqtt_str_write(w, p->v[at].s); break;
	}
}

void mqtt_props_write(struct writer *w, const struct mqtt_props *p)
{
	mqtt_varint_write(w, (uint32_t)values_size(p));
	for (size_t at = 0; at < MQTT_PROP_N; at++)
		if (p->has >> at & 1)
			value_write(w, p, at);
}

void mqtt_props_forward(struct writer *w, struct slice raw)
{
	const uint32_t stay = UINT32_C(1) << MQTT_PROP_MESSAGE_EXPIRY | UINT32_C(1) << MQTT_PROP_TOPIC_ALIAS |
		UINT32_C(1) << MQTT_PROP_SUBSCRIPTION_ID | UINT32_C(1) << MQTT_PROP_WILL_DELAY;
	for (struct reader in = reader_of(raw.p, raw.n); reader_left(&in);) {
		const uint8_t *start = in.p;
		int at = row_of(mqtt_varint_read(&in));
		if (at < 0)
			return;
		uint32_t u;
		struct str s;
		(void)value_read(&in, rows[at].kind, &u, &s);
		if (in.failed)
			return;
		if (!(stay >> at & 1))
			writer_put(w, start, (size_t)(in.p - start));
	}
}
