/** @file One policy of two: chosen by the user name at CONNECT, and by the login's number from then on. */
#include "as/callers.h"
#include "as/device_api/door.h"

bool callers_is_application(const struct app *a, const struct mqtt_login_request *rq)
{
	return a || (rq->password.is_present && str_starts(rq->password.s, "NNSXS."));
}

static const struct mqtt_policy *of(const struct callers *c, uint64_t login)
{
	return device_door_owns(login) ? &c->device : &c->application;
}

static enum mqtt_connack_code on_connect(void *ctx, const struct mqtt_login_request *rq, struct mqtt_login *ret_login, struct text *ret_why)
{
	const struct callers *c = ctx;
	const struct app *a = rq->user.is_present && rq->user.s.n ? registry_app(&c->as->registry, rq->user.s) : NULL;
	const struct mqtt_policy *p = callers_is_application(a, rq) ? &c->application : &c->device;
	return p->connect(p->ctx, rq, ret_login, ret_why);
}

static uint8_t on_filter(void *ctx, uint64_t login, struct str filter, struct text *ret_narrowed)
{
	const struct mqtt_policy *p = of(ctx, login);
	return p->filter(p->ctx, login, filter, ret_narrowed);
}

static enum mqtt_verdict on_publish(void *ctx, const struct mqtt_publication *m, uint8_t *ret_reason)
{
	const struct mqtt_policy *p = of(ctx, m->login);
	return p->publish(p->ctx, m, ret_reason);
}

static bool on_may_read(void *ctx, uint64_t login)
{
	const struct mqtt_policy *p = of(ctx, login);
	return p->may_read(p->ctx, login);
}

static void on_disconnected(void *ctx, uint64_t login, uint8_t reason)
{
	const struct mqtt_policy *p = of(ctx, login);
	p->disconnected(p->ctx, login, reason);
}

static void on_released(void *ctx, uint64_t login)
{
	const struct mqtt_policy *p = of(ctx, login);
	p->released(p->ctx, login);
}

static void on_subscribed(void *ctx, uint64_t login, struct str filter, uint8_t qos)
{
	const struct mqtt_policy *p = of(ctx, login);
	if (p->subscribed)
		p->subscribed(p->ctx, login, filter, qos);
}

static void on_acknowledged(void *ctx, uint64_t login, uint64_t cookie)
{
	const struct mqtt_policy *p = of(ctx, login);
	if (p->acknowledged)
		p->acknowledged(p->ctx, login, cookie);
}

/** An owner's name says whose it is. */
static void on_lost(void *ctx, const struct mqtt_loss *loss)
{
	const struct callers *c = ctx;
	const struct mqtt_policy *p = str_starts(loss->owner, "app:") ? &c->application : &c->device;
	if (p->lost)
		p->lost(p->ctx, loss);
}

struct mqtt_policy callers_policy(struct callers *c)
{
	return (struct mqtt_policy){ .ctx = c, .connect = on_connect, .filter = on_filter, .publish = on_publish, .may_read = on_may_read,
		.disconnected = on_disconnected, .released = on_released, .subscribed = on_subscribed, .acknowledged = on_acknowledged,
		.lost = on_lost };
}
