/** @file What a device sent, as it is kept in a line until it is published. */
#pragma once
#include "common/core/bytes.h"
#include "proto/schema.h"

enum { KEPT_MAX = 65536 /**< octets of a record */ };

/** A data uplink, a join or a status. */
struct kept {
	struct ns_up *m;         /**< as it came from the network server: FRMPayload under AppSKey. Of one that somebody made up: device and data alone, plain */
	struct ulid id;          /**< as:up */
	uint64_t taken_unix_us;  /**< when it came here */
	bool is_simulated;
	/* Of a simulated one: */
	const char *own_cids;    /**< texts one after another, each terminated */
	size_t own_cids_n;
	const char *decoded;     /**< decoded_payload as it was given, JSON; "": none */
};

/** @return 0; -ENOSPC, -EINVAL as msg_encode */
int kept_pack(const struct kept *k, uint8_t ret[KEPT_MAX], size_t *ret_n);
/** @param m  becomes ret->m; texts are borrowed from the record @return 0; -EPROTO damaged */
int kept_unpack(struct slice record, struct ns_up *m, struct kept *ret);
