/** @file What an application says of all its devices that speak IP: how new ones are given credentials, and what their messages mean. */
#pragma once
#include "as/core/registry/registry.h"
#include "common/core/json.h"

enum { PROFILE_KEY_MAX = 64, PROFILE_SECRET_MAX = 128, PROFILE_FILTER_MAX = 128 };
enum { PROVISION_KEY_MADE = 20 };

struct device_profile {
	char app[APP_KEY_TEXT];
	char key[PROFILE_KEY_MAX + 1];       /**< provisioning key; "": nobody is given credentials */
	char secret[PROFILE_SECRET_MAX + 1]; /**< and its secret */
	char telemetry[PROFILE_FILTER_MAX + 1], attributes[PROFILE_FILTER_MAX + 1]; /**< further topics that mean these; "": none */
	bool keeps_texts; /**< "25" stays a text */
	bool only_known;  /**< credentials are given to devices that are there already, once, and no new ones are made */
	UT_hash_handle by_app, by_key;
};

struct device_profiles {
	struct registry *registry;
	struct device_profile *by_app, *by_key; /**< by_key: those that have one */
};

/** Registers with the registry: a profile goes with its application. */
void profiles_init(struct device_profiles *x, struct registry *r);
void profiles_done(struct device_profiles *x);
/** A record of REGISTRY_PROFILES at start, after all applications.
 * @return 0; REGISTRY_E_INVALID; REGISTRY_E_NOT_FOUND its application is gone: delete it; -ENOMEM */
int profiles_load(struct device_profiles *x, struct slice key, struct slice value, struct problem *p);
/** NULL: all as usual */
const struct device_profile *profiles_of(const struct device_profiles *x, const struct app *a);
/** Whose provisioning key and secret are they? NULL: nobody's. Takes as long for a wrong secret as for a right one. */
const struct device_profile *profiles_judge(const struct device_profiles *x, struct str key, struct str secret);
/** Let the application's profile be this one; its `app` is set. @return 0; REGISTRY_E_INVALID; REGISTRY_E_EXISTS the key is taken; -errno */
int profiles_set(struct device_profiles *x, const struct app *a, const struct device_profile *wish, struct problem *p);

/** Change what a body names: {"provision_device_key","provision_device_secret","provision_strategy","telemetry_topic","attributes_topic","number_texts_are_numbers"}.
 * @return 0; REGISTRY_E_INVALID */
int profile_read(const struct json *j, json_val object, struct device_profile *ret, struct problem *p);
/** @param p  NULL: as usual @param secrets  else the secret is left out */
void profile_write(struct text *t, const struct device_profile *p, bool secrets);
