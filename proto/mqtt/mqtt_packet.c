/** @file Reading MQTT packets: one cursor with a sticky failure, every octet accounted for. */
#include "proto/mqtt/mqtt_packet.h"
#include "proto/mqtt/mqtt_topic.h"

const char *mqtt_reason_text(uint8_t reason)
{
	switch (reason) {
#define REASON(name, code, packets, text) case code: return text;
#include "proto/mqtt/mqtt_reasons.def"
#undef REASON
	default: return "";
	}
}

/* The columns of the table, as bits. */
enum { CA = 1, PA = 2, PR = 4, SA = 8, UA = 16, DI = 32, DS = 64, AU = 128 };

bool mqtt_reason_fits(uint8_t type, uint8_t reason, bool is_server)
{
	static const uint8_t bits[16] = { [MQTT_CONNACK] = CA, [MQTT_PUBACK] = PA, [MQTT_PUBREC] = PA, [MQTT_PUBREL] = PR, [MQTT_PUBCOMP] = PR,
		[MQTT_SUBACK] = SA, [MQTT_UNSUBACK] = UA, [MQTT_DISCONNECT] = DI, [MQTT_AUTH] = AU };
	unsigned packets = 0;
	switch (reason) {
#define REASON(name, code, where, text) case code: packets = where; break;
#include "proto/mqtt/mqtt_reasons.def"
#undef REASON
	default: break;
	}
	return packets & bits[type & 15] || (is_server && type == MQTT_DISCONNECT && packets & DS);
}

int mqtt_frame_read(struct slice in, size_t max, struct mqtt_frame *ret)
{
	uint32_t remaining = 0;
	size_t head = 1;
	bool is_padded = false;
	for (unsigned i = 0;; i++) {
		if (head >= in.n) {
			ret->size = head + 1;
			return MQTT_E_MORE;
		}
		uint8_t b = in.p[head++];
		remaining |= (uint32_t)(b & 0x7f) << (7 * i);
		is_padded = i > 0 && b == 0;
		if (!(b & 0x80))
			break;
		if (i == 3)
			return MQTT_MALFORMED;
	}
	if (head + remaining > max)
		return MQTT_TOO_LARGE;
	ret->size = head + remaining;
	if (in.n < ret->size)
		return MQTT_E_MORE;
	ret->type = in.p[0] >> 4;
	ret->flags = in.p[0] & 0x0f;
	ret->is_padded = is_padded;
	ret->body = (struct slice){ in.p + head, remaining };
	return 0;
}

struct str mqtt_str_read(struct reader *r)
{
	struct slice s = reader_take(r, reader_be16(r));
	return (struct str){ (const char *)s.p, s.n };
}

void mqtt_str_write(struct writer *w, struct str s)
{
	if (s.n > UINT16_MAX)
		w->failed = true;
	writer_be16(w, (uint16_t)s.n);
	writer_put(w, s.p, s.n);
}

/* A string that has to be good text; *fault becomes MQTT_MALFORMED if it is not. */
static struct str text_read(struct reader *r, int *fault)
{
	struct str s = mqtt_str_read(r);
	if (r->failed || !mqtt_string_valid(s))
		*fault = MQTT_MALFORMED;
	return s;
}

static int props_of_level(struct reader *r, uint8_t level, unsigned place, struct mqtt_props *ret)
{
	ret->has = 0;
	ret->raw = (struct slice){ NULL, 0 };
	return level == MQTT_5 ? mqtt_props_read(r, place, ret) : 0;
}

enum { FLAG_CLEAN = 0x02, FLAG_WILL = 0x04, FLAG_WILL_RETAIN = 0x20, FLAG_PASSWORD = 0x40, FLAG_USER = 0x80 };

/* Connect flags that contradict each other [MQTT311 3.1.2-3, -11 to -15, -22]. */
static bool flags_agree(uint8_t flags, uint8_t level)
{
	unsigned will_qos = flags >> 3 & 3;
	if (flags & 1 || will_qos == 3)
		return false;
	if (!(flags & FLAG_WILL) && (will_qos || flags & FLAG_WILL_RETAIN))
		return false;
	return level == MQTT_5 || !(flags & FLAG_PASSWORD) || flags & FLAG_USER;
}

static int will_read(struct reader *r, uint8_t flags, struct mqtt_connect *c)
{
	int fault = props_of_level(r, c->level, IN_WILL, &c->will_props);
	if (fault)
		return fault;
	c->has_will = true;
	c->will_qos = flags >> 3 & 3;
	c->will_retain = flags & FLAG_WILL_RETAIN;
	c->will_topic = text_read(r, &fault);
	struct str payload = mqtt_str_read(r);
	c->will_payload = (struct slice){ (const uint8_t *)payload.p, payload.n };
	if (fault || r->failed)
		return MQTT_MALFORMED;
	return mqtt_topic_valid(c->will_topic) ? 0 : MQTT_BAD_TOPIC;
}

static int connect_payload_read(struct reader *r, uint8_t flags, struct mqtt_connect *c)
{
	int fault = 0;
	c->client_id = text_read(r, &fault);
	if (fault)
		return fault;
	if (flags & FLAG_WILL && (fault = will_read(r, flags, c)))
		return fault;
	if (flags & FLAG_USER)
		c->user = (struct mqtt_optional){ true, text_read(r, &fault) };
	if (flags & FLAG_PASSWORD) /* binary: may hold anything, U+0000 too */
		c->password = (struct mqtt_optional){ true, mqtt_str_read(r) };
	return fault || r->failed || reader_left(r) ? MQTT_MALFORMED : 0;
}

int mqtt_connect_read(struct slice body, struct mqtt_connect *ret)
{
	struct reader r = reader_of(body.p, body.n);
	struct str name = mqtt_str_read(&r);
	ret->level = reader_u8(&r);
	bool is_old = str_is(name, "MQIsdp");
	if (r.failed || (!is_old && !str_is(name, "MQTT"))) {
		ret->level = 0; /* who knows what that was */
		return MQTT_MALFORMED;
	}
	if (is_old ? ret->level != MQTT_31 : ret->level != MQTT_311 && ret->level != MQTT_5)
		return MQTT_BAD_VERSION;
	uint8_t flags = reader_u8(&r);
	ret->keep_alive_s = reader_be16(&r);
	if (r.failed || !flags_agree(flags, ret->level))
		return MQTT_MALFORMED;
	ret->is_clean = flags & FLAG_CLEAN;
	ret->has_will = ret->will_retain = false;
	ret->will_qos = 0;
	ret->will_topic = (struct str){ NULL, 0 };
	ret->will_payload = (struct slice){ NULL, 0 };
	ret->user = ret->password = (struct mqtt_optional){ false, { NULL, 0 } };
	ret->will_props.has = 0;
	ret->will_props.raw = (struct slice){ NULL, 0 };
	int fault = props_of_level(&r, ret->level, IN_CONNECT, &ret->props);
	if (fault == 0 && mqtt_props_has(&ret->props, MQTT_PROP_AUTH_DATA) && !mqtt_props_has(&ret->props, MQTT_PROP_AUTH_METHOD))
		fault = MQTT_PROTOCOL_ERROR; /* [MQTT5 3.1.2.11.10] */
	return fault ? fault : connect_payload_read(&r, flags, ret);
}

int mqtt_connack_read(struct slice body, uint8_t level, struct mqtt_connack *ret)
{
	struct reader r = reader_of(body.p, body.n);
	uint8_t flags = reader_u8(&r);
	ret->code = reader_u8(&r);
	ret->has_session = flags & 1;
	if (r.failed || flags > 1)
		return MQTT_MALFORMED;
	int fault = props_of_level(&r, level, IN_CONNACK, &ret->props);
	return fault ? fault : reader_left(&r) ? MQTT_MALFORMED : 0;
}

/* An empty topic stands for an alias, in 5.0 alone [MQTT5 3.3.2.3.4]. */
static int topic_judge(const struct mqtt_publish *p, uint8_t level)
{
	if (p->topic.n || level != MQTT_5)
		return mqtt_topic_valid(p->topic) ? 0 : MQTT_BAD_TOPIC;
	return mqtt_props_has(&p->props, MQTT_PROP_TOPIC_ALIAS) ? 0 : MQTT_PROTOCOL_ERROR;
}

int mqtt_publish_read(uint8_t flags, struct slice body, uint8_t level, struct mqtt_publish *ret)
{
	ret->is_dup = flags & 8;
	ret->qos = flags >> 1 & 3;
	ret->retain = flags & 1;
	if (ret->qos == 3 || (ret->is_dup && ret->qos == 0))
		return MQTT_MALFORMED;
	struct reader r = reader_of(body.p, body.n);
	int fault = 0;
	ret->topic = text_read(&r, &fault);
	ret->id = ret->qos ? reader_be16(&r) : 0;
	if (fault || r.failed)
		return MQTT_MALFORMED;
	if (ret->qos && ret->id == 0)
		return MQTT_PROTOCOL_ERROR;
	if ((fault = props_of_level(&r, level, IN_PUBLISH, &ret->props)))
		return fault;
	if ((fault = topic_judge(ret, level)))
		return fault;
	ret->payload = reader_take(&r, reader_left(&r));
	return 0;
}

/* What 5.0 puts behind the id: both the reason and the properties may be left out. */
static int reason_read(struct reader *r, uint8_t type, struct mqtt_ack *ret)
{
	if (reader_left(r))
		ret->reason = reader_u8(r);
	if (reader_left(r)) {
		unsigned place = type == MQTT_AUTH ? IN_AUTH : type == MQTT_DISCONNECT ? IN_DISCONNECT : IN_ACK;
		int fault = mqtt_props_read(r, place, &ret->props);
		if (fault)
			return fault;
	}
	return mqtt_reason_fits(type, ret->reason, true) ? 0 : MQTT_PROTOCOL_ERROR;
}

int mqtt_ack_read(uint8_t type, struct slice body, uint8_t level, struct mqtt_ack *ret)
{
	struct reader r = reader_of(body.p, body.n);
	bool has_id = type >= MQTT_PUBACK && type <= MQTT_PUBCOMP;
	ret->id = has_id ? reader_be16(&r) : 0;
	ret->reason = 0;
	ret->props.has = 0;
	ret->props.raw = (struct slice){ NULL, 0 };
	if (r.failed)
		return MQTT_MALFORMED;
	if (has_id && ret->id == 0)
		return MQTT_PROTOCOL_ERROR;
	int fault = level == MQTT_5 ? reason_read(&r, type, ret) : 0;
	return reader_left(&r) ? MQTT_MALFORMED : fault;
}

int mqtt_filters_read(uint8_t type, struct slice body, uint8_t level, struct mqtt_filters *ret)
{
	struct reader r = reader_of(body.p, body.n);
	ret->id = reader_be16(&r);
	if (r.failed)
		return MQTT_MALFORMED;
	if (ret->id == 0)
		return MQTT_PROTOCOL_ERROR;
	unsigned place = type == MQTT_SUBSCRIBE ? IN_SUBSCRIBE : type == MQTT_UNSUBSCRIBE ? IN_UNSUBSCRIBE : IN_SUBACK;
	int fault = props_of_level(&r, level, place, &ret->props);
	if (fault)
		return fault;
	ret->entries = reader_take(&r, reader_left(&r));
	bool may_be_empty = type == MQTT_UNSUBACK && level != MQTT_5;
	return ret->entries.n || may_be_empty ? 0 : MQTT_PROTOCOL_ERROR;
}

/* The octet after a filter [MQTT311 3.8.3-4; MQTT5 3.8.3.1]. */
static int options_read(uint8_t o, uint8_t level, struct mqtt_filter *ret)
{
	ret->qos = o & 3;
	ret->no_local = ret->retain_as_published = false;
	ret->retain_handling = 0;
	if (ret->qos == 3 || o & (level == MQTT_5 ? 0xc0 : 0xfc))
		return MQTT_MALFORMED;
	if (level == MQTT_5) {
		ret->no_local = o & 4;
		ret->retain_as_published = o & 8;
		ret->retain_handling = o >> 4 & 3;
	}
	return ret->retain_handling == 3 ? MQTT_PROTOCOL_ERROR : 0;
}

int mqtt_filter_next(struct reader *r, uint8_t type, uint8_t level, struct mqtt_filter *ret)
{
	if (reader_left(r) == 0)
		return MQTT_E_MORE;
	int fault = 0;
	ret->filter = text_read(r, &fault);
	if (fault)
		return fault;
	uint8_t options = type == MQTT_SUBSCRIBE ? reader_u8(r) : 0;
	if (r->failed)
		return MQTT_MALFORMED;
	if ((fault = options_read(options, level, ret)))
		return fault;
	struct str group, inner;
	int share = mqtt_topic_share(ret->filter, &group, &inner);
	if (share < 0 || !mqtt_filter_valid(inner))
		return MQTT_BAD_FILTER;
	return share == 0 && ret->no_local ? MQTT_PROTOCOL_ERROR : 0; /* [MQTT5 3.8.3-4] */
}
