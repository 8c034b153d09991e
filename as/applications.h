/** @file What applications may do over MQTT: the policy that the MQTT engine is given. */
#pragma once
#include "as/as.h"
#include "as/core/mqtt/mqtt_engine.h"

/** The process is about to end: no new connections, wills published, sessions kept. */
void applications_end(struct as *as);
/** The MQTT engine, which devices that speak IP share. */
struct mqtt_engine *applications_engine(struct as *as);
/** What the MQTT engine counts. */
const struct mqtt_stats *applications_mqtt(struct as *as);

/** Publish to an application's subscribers. @param tail "/devices/dev1/up" @return how many sessions took it
 */
size_t applications_publish(struct as *as, const struct app *a, struct str tail, struct str json);
/** Whom the last applications_publish reached; once. */
struct mqtt_reach applications_reach(struct as *as);
/** How many of its MQTT clients are there, and how many sessions are kept for those that are away. */
void applications_count(struct as *as, const struct app *a, uint32_t *ret_there, uint32_t *ret_away);
