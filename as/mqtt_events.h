/** @file What operators are told of MQTT logins and sessions: an event, a line in the log, a metric. */
#pragma once
#include "as/as.h"
#include "as/core/mqtt/mqtt_policy.h"

/** A login was refused. @param a  the application it named; NULL: none that exists */
void mqtt_events_refused(struct as *as, const struct app *a, struct str user, const char *why);
/** A subscriber was too slow, or away for too long. */
void mqtt_events_lost(struct as *as, const struct mqtt_loss *loss);
