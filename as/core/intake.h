/** @file How far the outbox of one ns has been taken: each message once, and none that overtakes a refused one. */
#pragma once
#include "common/core/id.h"

struct intake {
	struct ulid store_id; /**< of the ns */
	uint64_t seq;         /**< the last that was taken */
	uint64_t refused;     /**< the first that was refused and has not come again; 0: none */
};

enum intake_verdict {
	INTAKE_NEW,   /**< to be taken */
	INTAKE_KNOWN, /**< taken before: acknowledge it again */
	INTAKE_EARLY, /**< one before it was refused and comes first: refuse this one too, or that one would count as known */
};
enum intake_verdict intake_judge(const struct intake *i, uint64_t seq);
void intake_took(struct intake *i, uint64_t seq);
void intake_refused(struct intake *i, uint64_t seq);
