/** @file What events are about, in fingerprints: 32 bits for a correlation id, a device, an application, a gateway, a name.
 *
 * A chunk of events has them in its index (chunk.h). Two things may share one: it says where to look, and is no answer.
 */
#pragma once
#include "common/core/text.h"
#include "proto/schema.h"

/** No fingerprint is 0. */
uint32_t print_cid(const struct cid *c);
uint32_t print_own(const char *id);          /**< a correlation id that an application gave */
uint32_t print_device(uint64_t uid);         /**< registry number */
uint32_t print_dev_eui(uint64_t eui);        /**< of an event whose device is not known */
uint32_t print_application(const char *key); /**< "app1@tenant1" */
uint32_t print_gateway(const char *id);
uint32_t print_name(const char *name);       /**< of the event: "ns.up.data.process" */

enum { PRINTS_OF_EVENT = 192 }; /**< the most that one event has */
/** All fingerprints of an event.
 * @param app  the application of its device; "": of none
 * @return how many */
size_t prints_of(const struct trace_event *e, const char *app, uint32_t ret[PRINTS_OF_EVENT]);
/** Sort, and leave each in once. @return how many are left */
size_t prints_sort(uint32_t *v, size_t n);

/** Visit the correlation ids that an application gave, which stand in the event's data, until fn returns false. */
void own_ids_each(const struct trace_event *e, bool (*fn)(void *ctx, const char *id), void *ctx);
