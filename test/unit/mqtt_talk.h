/** @file Talking to an MQTT engine in tests: one net of four clients, and what they usually say. */
#pragma once
#include "proto/mqtt/mqtt_write.h"
#include "test/unit/mqtt_open.h"
#include <check.h>

static struct open_net net;

static inline void begin(void)
{
	open_start(&net, NULL, true);
}

static inline void end(void)
{
	open_stop(&net);
}

static inline void hello(struct open_client *c, const char *id, bool is_clean, const char *user, const char *will)
{
	uint8_t b[200];
	struct writer w = writer_of(b, sizeof b);
	struct mqtt_connect p = { .level = MQTT_311, .is_clean = is_clean, .client_id = str_of(id) };
	if (user)
		p.user = (struct mqtt_optional){ true, str_of(user) };
	if (will) {
		p.has_will = true;
		p.will_topic = str_of(will);
	}
	mqtt_connect_write(&w, &p);
	open_forget(c);
	open_receive(&net, c, b, w.len);
	ck_assert_uint_ge(c->out_n, 4);
	ck_assert_int_eq(c->out[3], 0);
	memmove(c->out, c->out + 4, c->out_n -= 4);
}

static inline void subscribe(struct open_client *c, const char *filter, uint8_t qos)
{
	uint8_t b[200];
	struct writer w = writer_of(b, sizeof b);
	mqtt_filters_write(&w, MQTT_SUBSCRIBE, 1, MQTT_311, &(struct mqtt_filter){ .filter = str_of(filter), .qos = qos }, 1);
	c->out_n = 0;
	open_receive(&net, c, b, w.len);
	ck_assert_uint_ge(c->out_n, 5);
	ck_assert_int_eq(c->out[4], qos);
	c->out_n = 0;
}

static inline void acknowledge(struct open_client *c, uint8_t type, uint16_t id)
{
	uint8_t b[4];
	struct writer w = writer_of(b, sizeof b);
	mqtt_ack_write(&w, type, id, MQTT_311, 0, STR(""));
	open_receive(&net, c, b, w.len);
}

static inline size_t publish(const char *owner, const char *topic, const char *body, uint8_t qos)
{
	struct mqtt_message m = { .topic = str_of(topic), .payload = { (const uint8_t *)body, strlen(body) }, .qos = qos };
	return mqtt_engine_publish(net.engine, str_of(owner), &m, &net.now);
}

/* The next packet that came out; false: nothing did. */
static inline bool packet_take(struct open_client *c, struct mqtt_frame *f, struct mqtt_publish *p)
{
	static uint8_t held[70000];
	if (mqtt_frame_read((struct slice){ c->out, c->out_n }, 1 << 20, f))
		return false;
	memcpy(held, c->out, f->size);
	memmove(c->out, c->out + f->size, c->out_n - f->size);
	c->out_n -= f->size;
	(void)mqtt_frame_read((struct slice){ held, f->size }, 1 << 20, f);
	if (f->type == MQTT_PUBLISH)
		ck_assert_int_eq(mqtt_publish_read(f->flags, f->body, MQTT_311, p), 0);
	return true;
}

static inline void expect_publish(struct open_client *c, const char *body, uint8_t qos, bool is_dup, uint16_t *ret_id)
{
	struct mqtt_frame f;
	struct mqtt_publish p;
	ck_assert(packet_take(c, &f, &p));
	ck_assert_int_eq(f.type, MQTT_PUBLISH);
	ck_assert_uint_eq(p.payload.n, strlen(body));
	ck_assert_int_eq(memcmp(p.payload.p, body, p.payload.n), 0);
	ck_assert_int_eq(p.qos, qos);
	ck_assert_int_eq(p.is_dup, is_dup);
	if (ret_id)
		*ret_id = p.id;
}
