/** @file Events of what was published: to how many, at which QoS, and how long after a gateway heard it. */
#pragma once
#include "as/traces.h"

/** What an event says of a message, beside whom it reached; members may be left out. */
struct forward {
	uint64_t since_unix_us; /**< 0: duration_us is left out */
	const char *error, *message; /**< of a downlink that failed */
	uint32_t f_cnt;
	bool has_f_cnt;
	bool waits;             /**< it did not go out yet: the application is not linked, or older messages wait */
};

/** Right after applications_publish, before anything else is published. */
void forwards_tell(struct as *as, enum event_id e, const struct traces_of *of, const struct cid *cids, size_t n_cids, const struct forward *f);
struct tts_up;
/** Publish the text of traffic_json, or keep it while the application has no link; and say which. @param events  of the one and the other
 * @param received_unix_us  when the ns received it; 0: not known @return 0; -errno of the store */
int forwards_publish(struct as *as, const struct device *d, const char *suffix, const struct tts_up *u, const enum event_id events[2],
	uint64_t received_unix_us);
