/** @file What the bus says of itself. */
#include "common/metrics.h"
#include "proto/bus/bus_int.h"

struct shown {
	struct bus_stats s;
	uint64_t connections, unsent, certificate_end;
};

static const struct metric rows[] = {
	METRIC_ROW(struct shown, connections, GAUGE, "godwit_bus_connections", "Connections to the other processes that are up")
	METRIC_ROW(struct shown, s.connects, COUNTER, "godwit_bus_connects_total", "Connections to the other processes made; each but the first is one made again")
	METRIC_ROW(struct shown, s.losses, COUNTER, "godwit_bus_losses_total", "Connections to the other processes that ended")
	METRIC_ROW(struct shown, unsent, GAUGE, "godwit_bus_unsent_bytes", "Octets that the other processes have not taken yet")
	METRIC_ROW(struct shown, certificate_end, SECONDS, "godwit_bus_certificate_expiry_timestamp_seconds", "End of the certificate of bus.tls-certificate, as unix time; 0: there is none")
};

void bus_metrics(const struct bus *b, struct text *t)
{
	struct shown v = { .s = b->stats, .certificate_end = bus_tls_end_us(b->tls) };
	for (const struct bus_peer *p = LIST_FIRST(&b->peers); p; p = LIST_NEXT(p, link)) {
		v.connections += p->state == PEER_UP;
		v.unsent += bus_peer_backlog(p);
	}
	metrics_render(t, rows, COUNT(rows), &v, b->role);
}
