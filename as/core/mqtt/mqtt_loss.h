/** @file Messages of QoS 1 and 2 that a session has lost, and telling the policy of them, not too often. */
#pragma once
#include "as/core/mqtt/mqtt_engine.h"

struct mqtt_session;
struct heap_node;

enum { MQTT_LOSS_TOLD_S = 10 }; /**< so long between two tellings of one session */

/** One more is lost; the policy is told at the next step, or when it has not been told for a while. */
void mqtt_loss_add(struct mqtt_engine *e, struct mqtt_session *s);
/** Tell of the session whose node this is. */
void mqtt_loss_tell(struct mqtt_engine *e, struct heap_node *due, const struct now *now);
