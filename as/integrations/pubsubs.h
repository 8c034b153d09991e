/** @file Pub/Sub integrations: an MQTT client for each, to a broker of the application's own. */
#pragma once
#include "as/core/integration/pubsub.h"
#include "as/integrations/integrations.h"

/** What an integration is set to, as it is served. NULL: its record cannot be read. Borrowed until it is set or deleted. */
const struct pubsub *pubsubs_settings(const struct integration *i);
/** Could it be served? Looks at everything: URL, certificates, topics, and whether its client id is another's at the same broker.
 * @param i  the integration that it is to become; NULL: a new one @return 0; REGISTRY_E_INVALID; -ENOMEM */
int pubsubs_check(struct as *as, const struct integration *i, const struct pubsub *wish, struct problem *p);
