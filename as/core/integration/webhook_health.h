/** @file What an answer of a webhook's server means for the message, and for those behind it: done, refused, again later; health and
 * pause. Pure. */
#pragma once
#include "common/core/clock.h"

enum webhook_verdict {
	WEBHOOK_TAKEN,   /**< 2xx */
	WEBHOOK_REFUSED, /**< it will be the same next time: 3xx, 4xx but those below; the message is given up */
	WEBHOOK_AGAIN,   /**< 408, 425, 429, 5xx, or no answer at all */
};
/** @param status  of HTTP; 0: there was no answer */
enum webhook_verdict webhook_judge(unsigned status);

/** When messages are sent again. Times in us. */
struct webhook_patience {
	uint64_t least_us, most_us; /**< between attempts: doubles from one to the other, see backoff_us */
	unsigned threshold;         /**< failures in a row until it is unhealthy; 0: never */
	uint64_t rest_us, rest_most_us; /**< for how long an unhealthy one is left alone: doubles with each further failure */
	uint64_t asked_most_us;     /**< what a server may ask for with Retry-After */
};

/** How a webhook does. Kept in memory only: after a restart it is tried again. */
struct webhook_health {
	unsigned failed;          /**< attempts in a row, refusals among them */
	uint64_t resumes_us;      /**< monotonic: not before that; 0: at any time */
	uint64_t failed_unix_us;  /**< the last of them */
};

/** Take note of an attempt.
 * @param asked_us  what the server asked for (webhook_retry_after); 0: nothing
 * @param chance    any 64 random bits
 * @return has it become healthy, or unhealthy (see webhook_is_unhealthy), by this? */
bool webhook_note(struct webhook_health *h, const struct webhook_patience *p, enum webhook_verdict v, uint64_t asked_us, const struct now *now,
	uint64_t chance);
bool webhook_is_unhealthy(const struct webhook_health *h, const struct webhook_patience *p);
/** The field Retry-After: seconds, or a date (RFC 9110 5.6.7, in its three forms). @return us from now; 0: it says nothing, or now */
uint64_t webhook_retry_after(struct str s, const struct now *now);
