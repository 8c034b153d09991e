/** @file What join-requests and rejoin-requests have in common: one exchange each, checked and answered by the application server. */
#pragma once
#include "ns/core/up/drops.h"
#include "ns/core/state.h"
#include "proto/lorawan/frame.h"

/** Is the request served at all? Sets r->dr. @param d NULL: unknown device */
enum drop join_judge(const struct ns *ns, struct reception *r, const struct dev *d);
/** Ask the application server, and plan the answer; or drop the reception and say why.
 * @param type  JOIN_REQ_TYPE; 0, 1, 2 of a rejoin-request */
void join_ask(struct ns *ns, struct reception *r, struct dev *d, uint8_t type, const struct about *a);
