/** @file When a frame is to be emitted, in the words of the forwarder, and when its PULL_RESP is to leave. */
#pragma once
#include "common/core/clock.h"
#include "gs/core/gateway.h"
#include "proto/schema.h"
#include "proto/semtech/txpk.h"
#include "proto/tables.h"

struct moment {
	enum txpk_when when;
	uint32_t tmst_us;
	uint64_t tmms;
	uint64_t start_us;   /**< planned first preamble symbol, by the server's monotonic clock */
	uint64_t release_us; /**< when the PULL_RESP leaves; at once if that has passed */
};

/** Find it for a request. What asks for `at` or GPS time becomes a counter where the concentrator's clock is
 * known; immediate frames keep away from what is on air; for forwarders of version 1, which have no queue, the
 * PULL_RESP waits for its turn here.
 * @return TX_RESULT_SUCCESS; _TOO_LATE, _TOO_EARLY (beyond 512 s), _COLLISION_PACKET: no room within 3 s */
enum tx_result gs_moment_find(
	const struct gateway *g, const struct tx_request *rq, const struct now *now, struct moment *ret);
/** From when to when it keeps the antenna. */
struct antenna_use gs_moment_use(const struct gateway *g, const struct moment *m, uint32_t airtime_us);
