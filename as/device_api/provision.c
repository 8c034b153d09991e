/** @file Devices without credentials, which ask for some. */
#include "as/attributes.h"
#include "as/core/device_api/provision.h"
#include "as/device_api/rooms.h"
#include "as/doors.h"
#include "as/mqtt_listener.h"
#include "as/store.h"
#include "as/traces.h"
#include "common/log.h"
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MAX = 2048 };

/** An answer that waits until the device it tells of is on disk. */
struct answer {
	struct as *as;
	uint64_t login;
	struct text text;
};

static void send_answer(void *ctx)
{
	struct answer *a = ctx;
	(void)device_door_answer(a->as, a->login, PROVISION_RESPONSE, text_str(&a->text));
	crypto_forget(a->text.p, a->text.len);
	text_done(&a->text);
	free(a);
}

/** @param r  0, -ENOENT wrong key or secret, other: it could not be done */
static int answer(struct as *as, uint64_t login, int r, const struct credentials_wish *w)
{
	struct answer *a = calloc(1, sizeof *a);
	if (!a)
		return -ENOMEM;
	*a = (struct answer){ as, login, text_growing(ANSWER_MAX) };
	if (r == 0)
		provision_success(&a->text, w);
	else if (r == -ENOENT)
		provision_not_found(&a->text);
	else
		provision_failure(&a->text);
	r = store_after(as->store, send_answer, a);
	if (r) {
		text_done(&a->text);
		free(a);
	}
	return r;
}

/** Make the device. @return 0; REGISTRY_E_*; -errno */
static int make(struct as *as, struct app *a, const struct provision_request *rq, struct problem *p)
{
	AUTO(device_free) struct device *d = device_new();
	if (!d)
		return -ENOMEM;
	memcpy(d->id, rq->id, sizeof d->id);
	TRY(texts_set(&d->texts, TEXT_NAME, str_of(rq->name)));
	int e = credentials_check(&as->credentials, NULL, &rq->login, p);
	if (!e)
		e = registry_device_create(&as->registry, a, d, loop_now(as->loop), p);
	if (e)
		return e;
	struct device *made = TAKE(d);
	e = credentials_set(&as->credentials, made, &rq->login, p);
	if (e)
		(void)registry_device_delete(&as->registry, made);
	else
		traces_add(as, EVENT_AS_DEVICE_PROVISION, made, NULL, 0, "");
	return e;
}

/** Give a device that is there what it logs in with, once; which it is, its name says, and that it was, a server attribute as with
 * ThingsBoard. @return 0; REGISTRY_E_*; -errno */
static int hand_over(struct as *as, const struct app *a, struct provision_request *rq, struct problem *p)
{
	static const char name[] = "provisionState", done[] = "provisioned";
	const struct device *d = registry_device(&as->registry, a, str_of(rq->id));
	const struct names *names;
	if (!d)
		return problem_say(p, REGISTRY_E_NOT_FOUND, "", "device %s is not there, and the application makes no new ones", rq->id);
	TRY(attributes_get(as, d, ATTRIBUTES_SERVER, &names));
	if (names_find(names, str_of(name)))
		return problem_say(p, REGISTRY_E_EXISTS, "", "device %s has been given its credentials (server attribute %s)", rq->id, name);
	if (credentials_get(&as->credentials, d->entry.uid, &rq->login))
		TRY(credentials_set(&as->credentials, d, &rq->login, p));
	if (attributes_set(as, d, ATTRIBUTES_SERVER, &(struct reading){ str_of(name), value_of_text(str_of(done)) }, 1))
		return -ENOSPC;
	traces_add(as, EVENT_AS_DEVICE_PROVISION, d, NULL, 0, "");
	return 0;
}

/** Key and secret are judged as logins are: too many wrong ones lock the address out. @return 0; -ENOENT; REGISTRY_E_*; -errno */
static int provision(struct as *as, const struct device_login *l, struct provision_request *rq, struct problem *p)
{
	const struct mqtt_login_request as_login = { .peer = l->peer, .user = { true, str_of(rq->key) }, .password = { true, str_of(rq->secret) } };
	char locked[100];
	struct text wait = text_fixed(locked, sizeof locked);
	if (!l->peer || !doors_may_try(as, &as_login, &wait))
		return problem_say(p, REGISTRY_E_FULL, "", "%s", locked);
	const struct device_profile *profile = profiles_judge(&as->profiles, str_of(rq->key), str_of(rq->secret));
	struct app *a = profile ? registry_app(&as->registry, str_of(profile->app)) : NULL;
	doors_tried(as, &as_login, a != NULL);
	if (!a) {
		(void)problem_say(p, 0, "", "wrong provisioning key or secret");
		return -ENOENT;
	}
	if (store_failing(as->store))
		return -EAGAIN;
	return profile->only_known ? hand_over(as, a, rq, p) : make(as, a, rq, p);
}

enum mqtt_verdict device_rooms_provision(struct as *as, struct device_message *m, uint8_t *ret_reason)
{
	struct lenient *json = &device_rooms_readings(as)->json;
	struct provision_request rq;
	struct problem p = { .field = "" };
	if (m->said.topic != TOPIC_PROVISION)
		return device_drop(as, m, DEVICE_DROP_TOPIC, "before it has credentials, a device publishes to /provision/request", ret_reason);
	int r = lenient_read(json, m->body, NULL);
	if (!r)
		r = provision_read(&json->json, &as->rng, &rq);
	bool is_request = r == 0;
	if (!r)
		r = provision(as, m->login, &rq, &p);
	if (r)
		LOG(LOG_WARN, "device_not_provisioned", KV_Z("reason", p.message[0] ? p.message : r < 0 && is_request ? strerror(-r) : "no provisioning request"));
	if (!is_request)
		(void)device_drop(as, m, DEVICE_DROP_PAYLOAD, "a provisioning request is an object with provisionDeviceKey and provisionDeviceSecret", ret_reason);
	(void)answer(as, m->login->number, r, &rq.login);
	crypto_forget(&rq, sizeof rq);
	return MQTT_TAKEN;
}
