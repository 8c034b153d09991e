/** @file Every packet reader on any bytes, at every level; what was read and can be written must read the same again. */
#include "proto/mqtt/mqtt_topic.h"
#include "proto/mqtt/mqtt_write.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static uint8_t buffer[1 << 17];

static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool same(struct str a, struct str b)
{
	return str_eq(a, b);
}

static void connect_try(struct slice body)
{
	static struct mqtt_connect c, again;
	if (mqtt_connect_read(body, &c))
		return;
	struct writer w = writer_of(buffer, sizeof buffer);
	mqtt_connect_write(&w, &c);
	struct mqtt_frame f;
	must(!w.failed && mqtt_frame_read((struct slice){ w.p, w.len }, w.len, &f) == 0 && f.size == w.len);
	must(mqtt_connect_read(f.body, &again) == 0 && again.level == c.level && again.is_clean == c.is_clean && same(again.client_id, c.client_id));
	must(again.keep_alive_s == c.keep_alive_s && again.has_will == c.has_will && again.password.is_present == c.password.is_present);
	must(same(again.user.s, c.user.s) && same(again.password.s, c.password.s) && again.will_payload.n == c.will_payload.n);
	must(((again.props.has ^ c.props.has) & ~(UINT32_C(1) << MQTT_PROP_USER)) == 0);
}

static void publish_try(const struct mqtt_frame *f, uint8_t level)
{
	static struct mqtt_publish p, again;
	if (mqtt_publish_read(f->flags, f->body, level, &p))
		return;
	must(p.topic.n == 0 || mqtt_topic_match(STR("#"), p.topic) == (p.topic.p[0] != '$'));
	must(p.topic.n == 0 || mqtt_topic_match(p.topic, p.topic));
	struct writer fw = writer_of(buffer, sizeof buffer);
	mqtt_props_forward(&fw, p.props.raw);
	must(!fw.failed && fw.len <= p.props.raw.n);
	struct writer w = writer_of(buffer, sizeof buffer);
	mqtt_publish_head_write(&w, level, &p);
	writer_put(&w, p.payload.p, p.payload.n);
	struct mqtt_frame g;
	must(!w.failed && mqtt_frame_read((struct slice){ w.p, w.len }, w.len, &g) == 0 && g.size == w.len);
	must(mqtt_publish_read(g.flags, g.body, level, &again) == 0 && same(again.topic, p.topic) && again.id == p.id && again.qos == p.qos);
	must(again.payload.n == p.payload.n && (p.payload.n == 0 || memcmp(again.payload.p, p.payload.p, p.payload.n) == 0));
}

static void filters_try(const struct mqtt_frame *f, uint8_t type, uint8_t level)
{
	static struct mqtt_filters p;
	if (mqtt_filters_read(type, f->body, level, &p))
		return;
	struct reader r = reader_of(p.entries.p, p.entries.n);
	struct mqtt_filter filter;
	for (size_t i = 0; mqtt_filter_next(&r, type, level, &filter) == 0; i++) {
		must(filter.qos <= 2 && filter.filter.n > 0 && i < f->body.n);
		(void)mqtt_topic_match(filter.filter, STR("a/b"));
	}
}

static void frame_try(const struct mqtt_frame *f, uint8_t level)
{
	static struct mqtt_ack a;
	static struct mqtt_connack ca;
	connect_try(f->body);
	publish_try(f, level);
	(void)mqtt_connack_read(f->body, level, &ca);
	static const uint8_t acks[] = { MQTT_PUBACK, MQTT_PUBREC, MQTT_PUBREL, MQTT_PUBCOMP, MQTT_DISCONNECT, MQTT_AUTH };
	for (size_t i = 0; i < COUNT(acks); i++)
		if (mqtt_ack_read(acks[i], f->body, level, &a) == 0)
			must(a.id != 0 || acks[i] >= MQTT_DISCONNECT);
	static const uint8_t lists[] = { MQTT_SUBSCRIBE, MQTT_UNSUBSCRIBE, MQTT_SUBACK, MQTT_UNSUBACK };
	for (size_t i = 0; i < COUNT(lists); i++)
		filters_try(f, lists[i], level);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct mqtt_frame f;
	for (size_t at = 0; at < n;) {
		if (mqtt_frame_read((struct slice){ data + at, n - at }, 65536, &f))
			break;
		must(f.size >= 2 && f.size <= n - at && f.body.n <= f.size - 2);
		for (uint8_t level = MQTT_31; level <= MQTT_5; level++)
			frame_try(&f, level);
		at += f.size;
	}
	struct str s = { (const char *)data, n };
	if (n < 200 && mqtt_string_valid(s) && mqtt_filter_valid(s))
		must(utf8_valid(s) && mqtt_topic_levels(s) <= n + 1);
	return 0;
}
