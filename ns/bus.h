/** @file The network server's side of the bus: gateway servers and the application server connect here. */
#pragma once
#include "ns/process.h"

/** The core's ways out, as far as the bus is their end. */
void ns_bus_ports(struct ns_ports *ret);
/** Listen. @return 0; -errno with a line in *err */
int ns_bus_open(struct process *p, struct ns_bus **ret, struct text *err);
/** Take nothing new, while what was accepted is being committed. */
void ns_bus_stop(struct ns_bus *b);
void ns_bus_close(struct ns_bus *b);
void ns_bus_metrics(const struct ns_bus *b, struct text *t); /**< of the bus itself */
/** Tell the gateway servers whose lines to log, from time to time while there is anybody: devices get new addresses. */
void ns_bus_logs(struct ns_bus *b);
void ns_bus_reload(struct ns_bus *b); /**< certificates */
