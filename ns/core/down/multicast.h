/** @file Multicast groups: who is a member of which, and which gateways reach all of them. */
#pragma once
#include "ns/core/state.h"

struct cast;

/** A group's members, by registry number. */
struct group {
	uint64_t uid;
	uint64_t *member; /**< heap */
	size_t n, cap;
	UT_hash_handle hh;
};

/** Let a device be a member of these groups and no others. @return 0; -ENOMEM */
int multicast_set(struct ns *ns, struct dev *d, const uint64_t *groups, size_t n);
void multicast_done(struct ns *ns);
/** Add a leg for each gateway of a set that reaches every member that any gateway reaches; gateways that reach the same members can
 * take its place. None, if there is no member that was heard. */
void multicast_cover(struct ns *ns, const struct dev *group, struct cast *c, uint32_t freq_hz);
/** Say which gateways of a cast hear a common member; where no member is known, any two may. */
void multicast_meet(struct ns *ns, const struct dev *group, struct cast *c);
