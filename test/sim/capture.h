/** @file --capture: datagrams about emissions as they came and left, one JSON object a line, for a reader who knows
 * nothing of this program. */
#pragma once
#include "test/sim/gateway.h"

/** Begin the file opt.capture_file. @return 0; -errno, after a line on stderr */
int capture_open(struct sim *s);
void capture_close(struct sim *s);
/** One datagram. @param from  "server" or "gateway" */
void capture_datagram(struct gateway *g, const char *from, const void *p, size_t n);
