/** @file The sockets that packet forwarders speak to: batches in, acknowledgements out before anything else.
 */
#pragma once
#include "common/daemon.h"
#include "gs/core/gs.h"

struct udp;

/** Who gets the datagrams; `octets` is borrowed. */
typedef void udp_fn(void *ctx, const struct gs_peer *from, struct slice octets);

/** Bind every address of a list with commas and record them as gs.udp, gs.udp-2 and so on (IPv4 first).
 * @param is_default  the list is nobody's wish: an IPv6 address on a machine without IPv6 is left out
 * @return 0; -errno with one line in *err */
int udp_open(struct daemon *d, const char *list, bool is_default, udp_fn *fn, void *ctx, struct udp **ret,
	struct text *err);
void udp_close(struct udp *u); /**< NULL: nothing */
/** Send from the address that the peer had sent to. @return 0; -errno */
int udp_send(struct udp *u, const struct gs_peer *to, struct slice octets);
void udp_peer_text(struct text *t, const struct gs_peer *peer);
