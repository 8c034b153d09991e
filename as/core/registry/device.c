/** @file A device: making and copying one, what it must have, and what the network server is told of it. */
#include "as/core/registry/device.h"
#include "as/core/registry/mac_state.h"
#include "proto/lorawan/version.h"
#include <stdlib.h>
#include <string.h>

struct device *device_new(void)
{
	struct device *d = calloc(1, sizeof *d);
	if (d)
		d->entry.kind = ENTRY_DEVICE;
	return d;
}

struct device *device_clone(const struct device *d)
{
	struct device *c = device_new();
	if (!c)
		return NULL;
	*c = *d;
	c->texts = (struct record_texts){ 0 };
	c->app = NULL;
	c->prev_of_app = c->next_of_app = NULL;
	c->entry.older = c->entry.newer = NULL;
	memset(&c->by_id, 0, sizeof c->by_id);
	memset(&c->by_uid, 0, sizeof c->by_uid);
	memset(&c->by_eui, 0, sizeof c->by_eui);
	formatters_copy(&c->formatters, &d->formatters);
	if (texts_copy(&c->texts, &d->texts) < 0) {
		device_free(c);
		return NULL;
	}
	return c;
}

void device_free(struct device *d)
{
	if (!d)
		return;
	texts_done(&d->texts);
	formatters_done(&d->formatters);
	crypto_forget(&d->app_key, sizeof d->app_key);
	crypto_forget(&d->nwk_key, sizeof d->nwk_key);
	crypto_forget(&d->session, sizeof d->session);
	free(d);
}

bool device_is_lorawan(const struct device *d)
{
	return d->supports_join || d->session.present;
}

bool device_is_member(const struct device *d, uint64_t group)
{
	for (size_t i = 0; i < d->n_groups; i++)
		if (d->groups[i] == group)
			return true;
	return false;
}

int device_join_group(struct device *d, uint64_t group, struct problem *p)
{
	if (d->n_groups == DEVICE_GROUPS_MAX)
		return problem_say(p, REGISTRY_E_FULL, "device_ids", "device %s is a member of %d groups, more are not allowed", d->id,
			DEVICE_GROUPS_MAX);
	d->groups[d->n_groups++] = group;
	return 0;
}

void device_leave_group(struct device *d, uint64_t group)
{
	for (size_t i = 0; i < d->n_groups; i++)
		if (d->groups[i] == group)
			d->groups[i--] = d->groups[--d->n_groups];
}

static bool session_eq(const struct device_session *a, const struct device_session *b)
{
	return a->present == b->present && a->dev_addr == b->dev_addr &&
	       crypto_equal(&a->f_nwk_s_int_key, &b->f_nwk_s_int_key, sizeof(struct key)) &&
	       crypto_equal(&a->s_nwk_s_int_key, &b->s_nwk_s_int_key, sizeof(struct key)) &&
	       crypto_equal(&a->nwk_s_enc_key, &b->nwk_s_enc_key, sizeof(struct key)) &&
	       crypto_equal(&a->app_s_key, &b->app_s_key, sizeof(struct key)) &&
	       a->last_f_cnt_up == b->last_f_cnt_up && a->last_n_f_cnt_down == b->last_n_f_cnt_down &&
	       a->last_a_f_cnt_down == b->last_a_f_cnt_down && a->last_conf_f_cnt_down == b->last_conf_f_cnt_down &&
	       a->last_rj_count_0 == b->last_rj_count_0;
}

bool device_session_eq(const struct device *a, const struct device *b)
{
	return session_eq(&a->session, &b->session) && !strcmp(texts_get(&a->texts, TEXT_MAC_STATE), texts_get(&b->texts, TEXT_MAC_STATE));
}

int device_session_drop(struct device *d)
{
	uint32_t generation = d->session.generation;
	crypto_forget(&d->session, sizeof d->session);
	d->session = (struct device_session){ .generation = generation };
	return texts_set(&d->texts, TEXT_MAC_STATE, STR(""));
}

static int lack(struct problem *p, const char *field, const char *why)
{
	return problem_say(p, REGISTRY_E_INVALID, field, "%s", why);
}

static int session_settle(struct device *d, struct problem *p)
{
	struct device_session *s = &d->session;
	bool any_key =
		s->has_f_nwk_s_int_key || s->has_s_nwk_s_int_key || s->has_nwk_s_enc_key || s->has_app_s_key;
	if (!s->present && texts_get(&d->texts, TEXT_MAC_STATE)[0])
		TRY(texts_set(&d->texts, TEXT_MAC_STATE, STR(""))); /* nothing to go with */
	if (!s->present)
		return any_key ? lack(p, "session.dev_addr", "is missing") : 0;
	if (!s->has_f_nwk_s_int_key)
		return lack(
			p, "session.keys.f_nwk_s_int_key", "is missing (in LoRaWAN 1.0.x it is the NwkSKey)");
	if (!s->has_app_s_key)
		return lack(p, "session.keys.app_s_key", "is missing");
	if (d->mac_version < LW_1_1_0) {
		s->s_nwk_s_int_key = s->nwk_s_enc_key = s->f_nwk_s_int_key;
		s->has_s_nwk_s_int_key = s->has_nwk_s_enc_key = true;
	}
	if (!s->has_s_nwk_s_int_key)
		return lack(p, "session.keys.s_nwk_s_int_key", "is missing");
	if (!s->has_nwk_s_enc_key)
		return lack(p, "session.keys.nwk_s_enc_key", "is missing");
	return 0;
}

static int join_settle(struct device *d, struct problem *p)
{
	if (!d->session.present && (d->has_app_key || d->has_nwk_key))
		d->supports_join = true;
	if (!d->supports_join)
		return d->resets_join_nonces ? lack(p, "resets_join_nonces", "is for devices that join") : 0;
	if (d->multicast)
		return lack(p, "multicast",
			"a multicast group cannot join: give it a session instead of root keys");
	if (!d->has_dev_eui)
		return lack(p, "ids.dev_eui", "is missing; a device that joins needs it");
	if (!d->has_join_eui)
		return lack(p, "ids.join_eui",
			"is missing; a device that joins needs it (0000000000000000 if it has none of its "
			"own)");
	return 0;
}

static int multicast_settle(const struct device *d, struct problem *p)
{
	if (d->multicast && !d->session.present)
		return lack(p, "session",
			"is missing; a multicast group needs session.dev_addr and session.keys");
	if (d->multicast && !d->class_c && !d->class_b)
		return lack(p, "supports_class_c", "must be true for a multicast group");
	return 0;
}

int device_settle(struct device *d, struct problem *p)
{
	if (!id_valid(str_of(d->id)))
		return lack(p, "ids.device_id",
			"must be 2 to 36 of a-z, 0-9 and single dashes inside, as in my-device-1");
	if (d->has_join_eui && !d->has_dev_eui)
		return lack(p, "ids.dev_eui", "is missing, though a join_eui is given");
	int r = join_settle(d, p);
	if (r)
		return r;
	if (!d->mac_version && device_is_lorawan(d))
		d->mac_version = LW_1_0_3;
	if (!d->phy_version && d->mac_version)
		d->phy_version = mac_rules(d->mac_version)->usual_phy;
	r = session_settle(d, p);
	return r ? r : multicast_settle(d, p);
}

/* Before 1.1 there is one counter, of which the network's and the application's notes may differ. */
static void counters_to_ns(const struct device_session *s, bool is_v11, struct net_session *ret)
{
	bool is_app_ahead = !is_v11 && s->has_a_f_cnt_down && (!s->has_n_f_cnt_down || s->last_a_f_cnt_down > s->last_n_f_cnt_down);
	if (s->has_f_cnt_up)
		MSG_SET(ret, last_f_cnt_up, s->last_f_cnt_up);
	if (is_app_ahead)
		MSG_SET(ret, last_n_f_cnt_down, s->last_a_f_cnt_down);
	else if (s->has_n_f_cnt_down)
		MSG_SET(ret, last_n_f_cnt_down, s->last_n_f_cnt_down);
	if (s->has_a_f_cnt_down)
		MSG_SET(ret, last_a_f_cnt_down, s->last_a_f_cnt_down);
	if (s->has_conf_f_cnt_down)
		MSG_SET(ret, last_conf_f_cnt_down, s->last_conf_f_cnt_down);
	if (s->has_rj_count_0)
		MSG_SET(ret, last_rj_count_0, s->last_rj_count_0);
}

static void session_to_ns(const struct device *d, struct net_session *ret)
{
	const struct device_session *s = &d->session;
	ret->has = 0;
	ret->dev_addr = s->dev_addr;
	ret->f_nwk_s_int_key = s->f_nwk_s_int_key;
	ret->s_nwk_s_int_key = s->s_nwk_s_int_key;
	ret->nwk_s_enc_key = s->nwk_s_enc_key;
	ret->session_key_id = s->session_key_id;
	ret->generation = s->generation;
	counters_to_ns(s, d->mac_version >= LW_1_1_0, ret);
	if (s->started_unix_us)
		MSG_SET(ret, started_unix_us, s->started_unix_us);
	const char *mac = texts_get(&d->texts, TEXT_MAC_STATE);
	if (*mac && mac_state_unpack(str_of(mac), &ret->mac) == 0)
		MSG_MARK(ret, mac);
}

void device_to_ns(const struct device *d, struct ns_device *ret)
{
	*ret = (struct ns_device){ .mac_version = d->mac_version,
		.phy_version = d->phy_version,
		.supports_join = d->supports_join };
	memcpy(ret->application_id, d->app->key, sizeof ret->application_id);
	memcpy(ret->device_id, d->id, sizeof ret->device_id);
	memcpy(ret->plan, d->plan, sizeof ret->plan);
	if (d->has_dev_eui)
		MSG_SET(ret, dev_eui, d->dev_eui);
	if (d->has_join_eui)
		MSG_SET(ret, join_eui, d->join_eui);
	if (d->class_c)
		MSG_SET(ret, class_c, true);
	if (d->multicast)
		MSG_SET(ret, multicast, true);
	for (size_t i = 0; i < d->n_groups; i++)
		ret->groups.v[ret->groups.len++].group = d->groups[i];
	if (d->n_groups)
		MSG_MARK(ret, groups);
	if (d->reset)
		MSG_SET(ret, reset, d->reset);
	if (d->rejoin)
		MSG_SET(ret, rejoin, d->rejoin);
	if (d->session.present) {
		session_to_ns(d, &ret->session);
		MSG_MARK(ret, session);
	}
	if (d->mac.has)
		MSG_SET(ret, mac, d->mac);
}
