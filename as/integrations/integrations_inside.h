/** @file Inside of the room of integrations: what its two files share. */
#pragma once
#include "as/integrations/integrations.h"

struct integrations_app {
	char key[APP_KEY_TEXT];
	struct integration *first; /**< in the order of ids; linked by next_of_app */
	UT_hash_handle hh;
};

struct integrations {
	struct as *as;
	struct integration *by_number;
	struct integrations_app *apps; /**< those that have any */
	const struct integration_class *classes[INTEGRATION_KINDS];
	uint64_t next_number;
	uint64_t bytes_max;         /**< of all outboxes together */
	struct loop_timer *timer;   /**< when the oldest message of any is too old */
	uint64_t timer_us;          /**< UINT64_MAX: it is not set */
	bool is_due;                /**< integrations_settle is called at the end of this turn */
	bool is_settling;           /**< integrations_durable is called once what was written is on disk */
};

struct spool_sink integrations_sink(struct as *as);
struct spool_limits integrations_limits(const struct as *as);
struct integrations_app *integrations_app_find(const struct integrations *x, const char *key);
/** The timer's. */
void integrations_trim(void *ctx);
/** Look again when this one's oldest message is too old. */
void integrations_expect(struct integration *i);
/** At the end of a turn. */
void integrations_settle(void *ctx);
