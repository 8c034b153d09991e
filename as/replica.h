/** @file Keeping the network server's replica in step with the registry, and whoever waits for that.
 *
 * It is told of changes in order of revision, sixteen at a time, each batch acknowledged before the next.
 * Nothing is told that is not on disk here: a change lost in a crash must not leave the ns ahead.
 */
#pragma once
#include "as/as.h"

/** Call fn (never from inside this call) once the ns has every change up to `revision`, when it is not
 * connected, and in any case after timeout_us. @return 0; -ENOMEM: fn is not called */
int replica_wait(struct as *as, uint64_t revision, uint64_t timeout_us, void (*fn)(void *ctx), void *ctx);
/** SIGHUP: read the certificates of the bus again. */
void replica_metrics(const struct as *as, struct text *t); /**< of the bus */
void replica_reload(struct as *as);
