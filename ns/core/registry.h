/** @file The replica of the registry's network half: taken from the as, passed on to every gs. */
#pragma once
#include "ns/core/state.h"

/** Send a gs the full set of registered gateways. */
void registry_send_all(struct ns *ns, uint32_t gs);
