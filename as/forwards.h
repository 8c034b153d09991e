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
