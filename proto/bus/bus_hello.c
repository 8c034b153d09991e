/** @file The greeting: who is there, and do both speak the same version of the page? */
#include "common/log.h"
#include "proto/bus/bus_int.h"
#include <string.h>

enum { HELLO_ID = 1 };

static struct hello hello_of(const struct bus *b)
{
	struct hello h = { .protocol = BUS_PROTOCOL, .instance = b->instance };
	(void)str_copy(str_of(b->role), h.role, sizeof h.role);
	(void)str_copy(str_of(VERSION), h.version, sizeof h.version);
	return h;
}

static int put(struct bus_peer *p, size_t n_head, const struct schema *s, const void *m, const char *tail)
{
	struct bus *b = p->bus;
	size_t n;
	TRY(msg_encode(s, m, b->encoded + n_head, RPC_FRAME_MAX - n_head, &n));
	if (evbuffer_add(p->out, b->encoded, n_head + n) || evbuffer_add(p->out, tail, strlen(tail)))
		return -ENOMEM;
	bus_schedule(b);
	return 0;
}

void hello_send(struct bus_peer *p)
{
	struct hello h = hello_of(p->bus);
	if (put(p, rpc_put_request(p->bus->encoded, HELLO_ID, method_info(BUS_HELLO)->name), hello_schema(), &h, ""))
		peer_drop(p, "no memory");
}

static void refuse(struct bus_peer *p, uint32_t id, const char *name, const char *message)
{
	static const char nil[] = { (char)RPC_NIL, 0 };
	struct failure f = { 0 };
	(void)str_copy(str_of(name), f.name, sizeof f.name);
	(void)str_copy(str_of(message), f.message, sizeof f.message);
	if (put(p, rpc_put_error(p->bus->encoded, id), failure_schema(), &f, nil)) {
		peer_drop(p, "no memory");
		return;
	}
	p->is_refused = true;
	p->state = PEER_LEAVING;
	memcpy(p->why, f.message, sizeof p->why - 1);
}

static void say_mismatch(const struct bus *b, const struct hello *h, char *buf, size_t cap)
{
	struct text t = text_fixed(buf, cap);
	text_printf(&t, "%s %s speaks version %u of the bus, %s %s speaks %u: install the same release on both", b->role, VERSION,
		(unsigned)BUS_PROTOCOL, h->role, h->version, (unsigned)h->protocol);
}

static void greeted(struct bus_peer *p, const struct hello *h)
{
	struct bus *b = p->bus;
	p->hello = *h;
	p->state = PEER_UP;
	p->bus->stats.connects++;
	p->up_at_us = loop_now(b->loop)->mono_us;
	b->last_why[0] = 0;
	char id[ULID_TEXT + 1];
	struct text t = text_fixed(id, sizeof id);
	ulid_text(&t, &h->instance);
	LOG(LOG_INFO, "bus_up", KV_Z("address", b->address), KV_Z("role", h->role), KV_Z("version", h->version), KV_Z("instance", id));
	if (b->o.up)
		b->o.up(b->o.ctx, p);
}

static void take_request(struct bus_peer *p, const struct rpc_frame *f)
{
	struct hello theirs, ours = hello_of(p->bus);
	char why[200];
	if (f->type != RPC_REQUEST || !str_is(f->method, method_info(BUS_HELLO)->name)) {
		peer_drop(p, "did not begin with Bus/Hello");
		return;
	}
	if (msg_decode(hello_schema(), f->message.p, f->message.n, &theirs)) {
		refuse(p, f->id, "bad_message", "this Bus/Hello is not understood");
		return;
	}
	if (theirs.protocol != BUS_PROTOCOL) {
		say_mismatch(p->bus, &theirs, why, sizeof why);
		refuse(p, f->id, "protocol_version", why);
		return;
	}
	if (put(p, rpc_put_result(p->bus->encoded, f->id), hello_schema(), &ours, ""))
		peer_drop(p, "no memory");
	else
		greeted(p, &theirs);
}

static void take_response(struct bus_peer *p, const struct rpc_frame *f)
{
	struct hello theirs;
	struct failure failure;
	char why[200];
	p->is_refused = true;
	if (f->type != RPC_RESPONSE || f->id != HELLO_ID) {
		peer_drop(p, "did not answer Bus/Hello");
	} else if (f->is_error) {
		bool told = !msg_decode(failure_schema(), f->message.p, f->message.n, &failure);
		peer_drop(p, "refused by the other side: %s", told ? failure.message : "with an error that is not understood");
	} else if (msg_decode(hello_schema(), f->message.p, f->message.n, &theirs)) {
		peer_drop(p, "its answer to Bus/Hello is not understood");
	} else if (theirs.protocol != BUS_PROTOCOL) {
		say_mismatch(p->bus, &theirs, why, sizeof why);
		peer_drop(p, "%s", why);
	} else {
		p->is_refused = false;
		greeted(p, &theirs);
	}
}

void hello_take(struct bus_peer *p, const struct rpc_frame *f)
{
	if (p->bus->listen_fd < 0)
		take_response(p, f);
	else
		take_request(p, f);
}
