/** @file The room of webhooks: messages of applications as HTTP requests to servers of theirs. */
#pragma once
#include "as/core/integration/webhook.h"
#include "as/integrations/integrations.h"

/** What it is set to; NULL: its record could not be read. Borrowed until it is set again. */
const struct webhook *webhooks_settings(const struct integration *i);
/** Let it be set to this from now on; created if there is none.
 * @param w  times included @return as integrations_set */
int webhooks_set(struct as *as, const struct app *a, const char *id, const struct webhook *w, struct integration **ret, struct problem *p);
/** Members `health_status` and `status`, as `get` shows them: within an object. */
void webhooks_write_status(const struct integration *i, struct text *t);
