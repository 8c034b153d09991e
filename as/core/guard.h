/** @file Who is kept out: how many connections an address may have, and whether it has guessed at logins too often.
 *
 * An address is an IPv4 address or the /64 of an IPv6 one: who has one address of a /64 has them all. Wrong logins are counted by
 * what was tried: a client that repeats one wrong password guesses nothing, and must not lock out its neighbours behind the same
 * NAT; so the same credentials count once. Credentials that were right from an address before are let in even while it is locked.
 */
#pragma once
#include "common/core/bytes.h"

struct guard;

/** IPv6, or IPv4 mapped into it (::ffff:a.b.c.d). All zeros: not known, never counted (a UNIX socket). */
struct guard_ip {
	uint8_t octets[16];
};

struct guard_options {
	uint32_t connections;  /**< of one address at a time; 0: any number */
	uint32_t failures;     /**< so many different wrong logins in `window_us` lock it, at most GUARD_FAILURES_MAX; 0: never */
	uint64_t window_us, lockout_us;
};

enum { GUARD_FAILURES_MAX = 32, GUARD_TRUSTED_MAX = 32, GUARD_RECORDS_MAX = 4096, GUARD_KNOWN = 8 };

struct guard *guard_new(const struct guard_options *o); /**< NULL: no memory */
void guard_free(struct guard *g);
/** Except a network from all of this. @param bits  of the prefix, 0 to 128 (IPv4: 96 more than usual)
 * @return 0; -ENOSPC there are GUARD_TRUSTED_MAX already */
int guard_trust(struct guard *g, const struct guard_ip *ip, unsigned bits);
bool guard_trusts(const struct guard *g, const struct guard_ip *ip);

/** One connection more. @return false: it has as many as it may, or there is no memory; then it is not counted */
bool guard_enter(struct guard *g, const struct guard_ip *ip);
void guard_leave(struct guard *g, const struct guard_ip *ip); /**< one less; for each guard_enter that was true */

/** How long logins from an address are still refused. @param credentials  keyed hash of user name and password
 * @return [us]; 0: it may try */
uint64_t guard_locked_us(struct guard *g, const struct guard_ip *ip, uint64_t credentials, uint64_t now_us);
/** These credentials were wrong. @return whether this has locked the address */
bool guard_failed(struct guard *g, const struct guard_ip *ip, uint64_t credentials, uint64_t now_us);
/** These were right. */
void guard_passed(struct guard *g, const struct guard_ip *ip, uint64_t credentials);
