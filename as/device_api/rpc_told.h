/** @file What an application is told of calls to its devices. */
#pragma once
#include "as/as.h"
#include "as/core/device_api/rpc.h"

/** It has arrived: down/sent, where it came as a push. */
void rpc_told_delivered(struct as *as, const struct rpc *r);
/** It is over: down/ack or down/failed of a push; service/data of service `rpc` where nobody waited for the answer. */
void rpc_told_over(struct as *as, const struct rpc *r);
/** Append the down/queued of a push. */
void rpc_told_queued(struct as *as, const struct device *d, const struct rpc *r, struct text *ret);
