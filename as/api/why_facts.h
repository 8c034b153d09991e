/** @file What the application server knows of a device or gateway by itself, for as/core/why. */
#pragma once
#include "as/api/api.h"
#include "as/core/why/why.h"

/** From the registry, the queue and the MQTT clients. */
void why_facts_device(const struct api_call *c, struct why_facts *f);
/** From what the network server says of the device; NULL: it did not answer. */
void why_facts_live(struct why_facts *f, const struct device_state *s);
/** From the gateways' connections. @param id  the one that is asked for; NULL: a device is, by the plan of the facts */
void why_facts_gateways(struct as *as, struct why_facts *f, const char *id);
