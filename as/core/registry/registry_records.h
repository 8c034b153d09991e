/** @file The registry's own: indexes and the order of entries, between registry.c, registry_change.c and
 * registry_load.c. */
#pragma once
#include "as/core/registry/registry.h"

int index_app(struct registry *r,
	struct app *a); /**< 0 or -ENOMEM, as all index functions; then nothing is indexed */
int index_device(struct registry *r, struct device *d);
void unindex_device(struct registry *r, struct device *d);
int index_device_eui(struct registry *r, struct device *d);
void unindex_device_eui(struct registry *r, struct device *d);
int index_gateway(struct registry *r, struct gateway *g);
void unindex_gateway(struct registry *r, struct gateway *g);
int index_gateway_eui(struct registry *r, struct gateway *g);
void unindex_gateway_eui(struct registry *r, struct gateway *g);

void entry_append(struct registry *r, struct entry *e);
void entry_remove(struct registry *r, struct entry *e);
/** Put a device at the end of its application's list. */
void app_adopt(struct app *a, struct device *d);
/** A number as a key of the store: big endian, so that keys are in order. */
struct slice key_of_number(uint64_t n, uint8_t buf[8]);
