/** @file Functions of the MQTT engine that its files call among each other. */
#pragma once
#include "as/core/mqtt/mqtt_state.h"
#include "proto/mqtt/mqtt_write.h"

struct mqtt_ticket {
	struct mqtt_conn *conn;
	struct mqtt_session *session;
	uint16_t id;
	bool is_open;
};

struct mqtt_told {
	uint64_t login, cookie;
};

struct mqtt_engine {
	struct mqtt_policy policy;
	struct mqtt_sink sink;
	const struct mqtt_keep *keep;
	struct mqtt_limits limits;
	uint32_t connect_bytes, connect_s, sessions_max;
	uint64_t total_bytes, seed;
	struct mqtt_stats stats; struct mqtt_reach reach;
	struct mqtt_map owners, clients, levels, logins, shares, topics;
	struct mqtt_conn *conns, *graveyard;
	struct mqtt_session *loaded; /**< the one whose records are being loaded */
	struct heap timeouts, ends, wills, losses;
	struct mqtt_ticket *tickets; /**< ring of [tickets_base, tickets_base + tickets_n) */
	uint64_t tickets_base;
	size_t tickets_n, tickets_cap;
	struct mqtt_told *told; /**< acknowledged messages that the policy is told of at the next step */
	size_t told_n, told_cap;
	char why[160];           /**< what the policy said about the message or filter it is looking at */
	size_t why_n;
	uint64_t why_ticket;     /**< of that message */
	bool is_loading;         /**< what is loaded is not written again */
	uint64_t kept;           /**< records written so far */
	uint64_t next_session, next_opened, next_assigned, next_retained, mark;
};

enum { TICKETS_MAX = 1 << 17, MQTT_PACKET_MAX = 268435460 };

/* mqtt_message.c */
struct mqtt_msg *mqtt_message_new(struct mqtt_engine *e, struct str topic, struct slice payload, struct slice props, uint8_t qos);
struct mqtt_msg *mqtt_message_ref(struct mqtt_msg *m);
void mqtt_message_free(struct mqtt_engine *e, struct mqtt_msg *m);
bool mqtt_message_is_as_said(const struct mqtt_props *props, struct slice payload); /**< text, if its format says so [MQTT5 3.3.2.3.2] */
struct str mqtt_message_topic(const struct mqtt_msg *m);
struct slice mqtt_message_payload(const struct mqtt_msg *m);
struct slice mqtt_message_props(const struct mqtt_msg *m);

/* mqtt_conn.c */
void mqtt_conn_send(struct mqtt_conn *c, const struct slice *parts, size_t n);
void mqtt_conn_write(struct mqtt_conn *c, const struct writer *w); /**< one whole packet */
void mqtt_conn_hold(struct mqtt_conn *c); /**< what is sent next relies on what is kept of the session */
void mqtt_conn_hold_since(struct mqtt_conn *c, uint64_t kept); /**< on what was kept of anybody since e->kept was this */
enum mqtt_end { END_CLOSE, END_LOST, END_DISCONNECT, END_KICK };
void mqtt_conn_end(struct mqtt_conn *c, enum mqtt_end how, uint8_t reason, const struct now *now);
struct str mqtt_conn_why(const struct mqtt_conn *c, uint8_t reason, struct str why); /**< the text a client is to see; may be none */
void mqtt_conn_arm(struct mqtt_conn *c);
void mqtt_conn_resume(struct mqtt_conn *c); /**< takes bytes again, if nothing holds it up */
int mqtt_conn_room(struct heap *h, uint64_t n); /**< n nodes fit: setting one cannot fail. 0; -ENOMEM */
void mqtt_conn_bury(struct mqtt_engine *e);

/* mqtt_connect.c */
void mqtt_connect_handle(struct mqtt_conn *c, const struct mqtt_frame *f, const struct now *now);
void mqtt_session_expire(struct mqtt_engine *e, struct mqtt_session *s, const struct now *now);

/* mqtt_owner.c */
struct mqtt_owner *mqtt_owner_find(struct mqtt_engine *e, struct str name);
struct mqtt_owner *mqtt_owner_get(struct mqtt_engine *e, struct str name); /**< made if missing; NULL: no memory */
void mqtt_owner_settle(struct mqtt_engine *e, struct mqtt_owner *o); /**< frees one that holds nothing */
struct str mqtt_owner_name(const struct mqtt_owner *o);

/* mqtt_session.c */
struct mqtt_session *mqtt_session_find(struct mqtt_engine *e, struct mqtt_owner *o, struct str client);
int mqtt_session_new(struct mqtt_engine *e, struct mqtt_owner *o, struct str client, struct mqtt_session **ret);
void mqtt_session_free(struct mqtt_engine *e, struct mqtt_session *s, bool forget);
struct str mqtt_session_client(const struct mqtt_session *s);
void mqtt_session_offline(struct mqtt_engine *e, struct mqtt_session *s, const struct now *now);
bool mqtt_session_has_received(const struct mqtt_session *s, uint16_t id);
int mqtt_session_receive(struct mqtt_engine *e, struct mqtt_session *s, uint16_t id);
bool mqtt_session_release(struct mqtt_engine *e, struct mqtt_session *s, uint16_t id); /**< false: it was not there */

/* mqtt_will.c */
struct mqtt_will *mqtt_will_new(struct mqtt_engine *e, const struct mqtt_connect *p, const struct mqtt_session *s, uint64_t login);
void mqtt_will_free(struct mqtt_engine *e, struct mqtt_will *w);
void mqtt_will_cancel(struct mqtt_engine *e, struct mqtt_session *s); /**< the delayed one, if any */
void mqtt_will_publish(struct mqtt_engine *e, struct mqtt_will *w, const struct now *now); /**< takes w, which may be NULL */

/* mqtt_sub.c */
void mqtt_sub_handle(struct mqtt_conn *c, const struct mqtt_frame *f, const struct now *now);
void mqtt_sub_unhandle(struct mqtt_conn *c, const struct mqtt_frame *f, const struct now *now);
int mqtt_sub_put(struct mqtt_engine *e, struct mqtt_session *s, const struct mqtt_filter *f, struct str narrowed, uint32_t sub_id,
	struct mqtt_sub **ret, bool *ret_is_new);
void mqtt_sub_free(struct mqtt_engine *e, struct mqtt_sub *sub);
struct str mqtt_sub_own(const struct mqtt_sub *sub);
struct str mqtt_sub_filter(const struct mqtt_sub *sub);

/* mqtt_share.c */
int mqtt_share_join(struct mqtt_engine *e, struct mqtt_sub *sub, struct str group);
void mqtt_share_leave(struct mqtt_engine *e, struct mqtt_sub *sub);
struct mqtt_sub *mqtt_share_pick(struct mqtt_share *share);

/* mqtt_deliver.c */
size_t mqtt_deliver_fan_out(struct mqtt_engine *e, struct mqtt_owner *o, struct mqtt_msg *m, bool retain, const struct mqtt_session *from,
	const struct now *now);
bool mqtt_deliver_to(struct mqtt_engine *e, struct mqtt_session *s, struct mqtt_msg *m, uint8_t qos, bool retain,
	const struct mqtt_sub *only, const struct now *now); /**< only: the one subscription it is for; NULL: all that match */
void mqtt_deliver_pump(struct mqtt_session *s, const struct now *now);
void mqtt_deliver_resume(struct mqtt_session *s, const struct now *now);
void mqtt_deliver_told(struct mqtt_engine *e, const struct mqtt_conn *c, const struct mqtt_msg *m);

/* mqtt_queue.c */
struct mqtt_out *mqtt_queue_new(struct mqtt_session *s, struct mqtt_msg *m, uint8_t qos, bool retain, const struct mqtt_sub *only);
void mqtt_queue_free(struct mqtt_engine *e, struct mqtt_out *out);
void mqtt_queue_append(struct mqtt_outs *q, struct mqtt_out *out);
struct mqtt_out *mqtt_queue_find(struct mqtt_session *s, uint16_t id); /**< in flight */
void mqtt_queue_remove(struct mqtt_outs *q, struct mqtt_out *out);
void mqtt_queue_land(struct mqtt_session *s, struct mqtt_out *out); /**< no longer in flight, not freed */
bool mqtt_queue_push(struct mqtt_engine *e, struct mqtt_session *s, struct mqtt_out *out); /**< takes out */
void mqtt_queue_unwait(struct mqtt_session *s, struct mqtt_out *out); /**< out of the queue, not freed */
struct mqtt_out *mqtt_queue_pop(struct mqtt_session *s);
uint16_t mqtt_queue_id(struct mqtt_session *s);
void mqtt_queue_clear(struct mqtt_engine *e, struct mqtt_session *s);

/* mqtt_flow.c */
void mqtt_flow_publish(struct mqtt_conn *c, const struct mqtt_frame *f, const struct now *now);
void mqtt_flow_ack(struct mqtt_conn *c, const struct mqtt_frame *f, const struct now *now);
void mqtt_flow_detach(struct mqtt_conn *c); /**< its tickets no longer lead to it */
void mqtt_flow_forget(struct mqtt_engine *e, const struct mqtt_session *s); /**< nor to this session */

/* mqtt_retain.c */
void mqtt_retain_set(struct mqtt_engine *e, struct mqtt_owner *o, struct mqtt_msg *m, uint32_t max);
int mqtt_retain_add(struct mqtt_engine *e, struct mqtt_owner *o, struct mqtt_msg *m, uint64_t number);
void mqtt_retain_replay(struct mqtt_engine *e, struct mqtt_sub *sub, const struct now *now);
void mqtt_retain_clear(struct mqtt_engine *e, struct mqtt_owner *o, bool forget);

/* mqtt_keep.c */
void mqtt_keep_session(struct mqtt_engine *e, const struct mqtt_session *s, const struct now *now);
void mqtt_keep_session_gone(struct mqtt_engine *e, const struct mqtt_session *s);
void mqtt_keep_sub(struct mqtt_engine *e, const struct mqtt_sub *sub);
void mqtt_keep_sub_gone(struct mqtt_engine *e, const struct mqtt_sub *sub);
void mqtt_keep_out(struct mqtt_engine *e, const struct mqtt_session *s, const struct mqtt_out *out);
void mqtt_keep_out_state(struct mqtt_engine *e, const struct mqtt_session *s, const struct mqtt_out *out);
void mqtt_keep_out_gone(struct mqtt_engine *e, const struct mqtt_session *s, const struct mqtt_out *out);
void mqtt_keep_retained(struct mqtt_engine *e, const struct mqtt_owner *o, const struct mqtt_msg *m, uint64_t number);
void mqtt_keep_retained_gone(struct mqtt_engine *e, uint64_t number);
void mqtt_keep_received(struct mqtt_engine *e, const struct mqtt_session *s, uint16_t id, bool is_there);
