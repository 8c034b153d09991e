/** @file An application: a name space of devices and of API keys. */
#pragma once
#include "as/core/formatters/formatter.h"
#include "as/core/registry/record.h"

struct device;
struct api_key;

struct app {
	char key[APP_KEY_TEXT]; /**< "app1" or "app1@tenant1": its name in topics, on the bus and in the store
				 */
	char id[ID_MAX + 1];       /**< "app1" */
	char tenant[ID_MAX + 1];   /**< "tenant1" or "" */
	uint64_t created_unix_us, updated_unix_us;
	struct record_texts texts; /**< name, description, attributes, link */
	struct formatters formatters; /**< the default ones, of devices that have none of their own */
	/* Kept by the registry and the keyring: */
	struct device *devices;    /**< in the order of creation, linked by next_of_app */
	size_t n_devices;
	struct api_key *keys;      /**< linked by next_of_owner */
	UT_hash_handle hh;
};

struct app *app_new(void); /**< NULL: no memory */
struct app *app_clone(const struct app *a); /**< ids, times and texts; belongs to no registry */
void app_free(struct app *a);
DEFINE_AUTO(struct app, app_free);
/** Is what its devices send published? Otherwise it waits. An application is linked unless somebody cut its link. */
bool app_is_linked(const struct app *a);
/** Cut the link. @return 0; -ENOMEM */
int app_unlink(struct app *a);
/** Set key, id and tenant from "app1" or "app1@tenant1". @return 0; REGISTRY_E_INVALID */
int app_set_ids(struct app *a, struct str key, struct problem *p);
