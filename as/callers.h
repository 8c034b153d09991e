/** @file Who is at MQTT's door: an application, or a device that speaks IP. Each has rules of its own; the engine has one policy. */
#pragma once
#include "as/as.h"
#include "as/core/mqtt/mqtt_policy.h"

struct callers {
	struct as *as;
	struct mqtt_policy application, device;
};

/** Is it an application that wants to log in, rather than a device? @param a  the application of this user name; NULL: none */
bool callers_is_application(const struct app *a, const struct mqtt_login_request *rq);
/** The policy that asks the right one. @param c  borrowed */
struct mqtt_policy callers_policy(struct callers *c);
