/** @file The gateway server's side of the bus: uplinks, TX_ACKs, statuses and events to the network server;
 * downlinks and the registry from it. */
#pragma once
#include "common/daemon.h"
#include "gs/core/gs.h"

struct gs_bus;

/** @param gs  borrowed, and set later with gs_bus_serve
 * @return 0; -errno with one line in *err */
int gs_bus_open(struct daemon *d, uint32_t buffer, struct gs_bus **ret, struct text *err);
/** From now on requests of the network server reach this core. */
void gs_bus_serve(struct gs_bus *b, struct gs *gs);
void gs_bus_close(struct gs_bus *b); /**< NULL: nothing */
void gs_bus_reload(struct gs_bus *b); /**< certificates */
void gs_bus_uplink(struct gs_bus *b, const struct gs_uplink *up, uint32_t generation);
void gs_bus_tx_ack(struct gs_bus *b, const struct tx_ack *ack);
void gs_bus_status(struct gs_bus *b, const struct gateway_status *st);
/** Room for an event that somebody reads, on the trace or in the log; NULL: nobody does, or the ns does not keep up. */
struct trace_event *gs_bus_event(struct gs_bus *b, enum event_id id, const char *gateway_id);
void gs_bus_event_end(struct gs_bus *b, enum event_id id, struct trace_event *e);
/** Hand on what has gathered; at the end of every wake. */
void gs_bus_flush(struct gs_bus *b);
/** Bring the core's metrics of what waits up to date, and write those of the bus. */
void gs_bus_metrics(struct gs_bus *b, struct text *t);
bool gs_bus_is_up(const struct gs_bus *b);
/** Nothing is left to be acknowledged, or nobody is there to do it. */
bool gs_bus_is_idle(const struct gs_bus *b);
