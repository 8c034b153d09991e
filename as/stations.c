/** @file Gateways as they are connected now. */
#include "as/stations.h"
#include "as/core/registry/app.h"
#include "common/core/json_out.h"
#include <stdlib.h>
#include <string.h>

struct stations {
	struct station *by_id;
};

struct station *stations_find(const struct as *as, const char *gateway_id)
{
	struct station *s = NULL;
	HASH_FIND(hh, as->stations->by_id, gateway_id, strlen(gateway_id), s);
	return s;
}

void stations_each(const struct as *as, void (*fn)(void *ctx, const struct station *s), void *ctx)
{
	struct station *s, *tmp;
	HASH_ITER(hh, as->stations->by_id, s, tmp)
		fn(ctx, s);
}

static void count(struct as *as)
{
	struct station *s, *tmp;
	as->metrics.gateways_connected = 0;
	HASH_ITER(hh, as->stations->by_id, s, tmp)
		as->metrics.gateways_connected += !s->disconnected_unix_us;
}

/** Make room by forgetting one that is gone. */
static void forget_one(struct stations *st)
{
	struct station *s, *tmp;
	HASH_ITER(hh, st->by_id, s, tmp) {
		if (!s->disconnected_unix_us)
			continue;
		HASH_DEL(st->by_id, s);
		free(s);
		return;
	}
}

static struct station *find_or_add(struct as *as, const char *id)
{
	struct stations *st = as->stations;
	struct station *s = stations_find(as, id);
	if (s)
		return s;
	if (HASH_COUNT(st->by_id) >= STATIONS_MAX)
		forget_one(st);
	if (HASH_COUNT(st->by_id) >= STATIONS_MAX || !(s = calloc(1, sizeof *s)))
		return NULL;
	memcpy(s->id, id, strlen(id) + 1);
	HASH_ADD_STR(st->by_id, id, s);
	if (s->hh.tbl)
		return s;
	free(s);
	return NULL;
}

static void on_status(void *ctx, struct bus_peer *peer, struct bus_request *request, const void *msg)
{
	struct as *as = ctx;
	const struct gateway_status *status = msg;
	struct station *s = find_or_add(as, status->gateway_id);
	(void)peer;
	(void)request;
	if (!s)
		return;
	s->status = *status;
	if (status->connected)
		s->disconnected_unix_us = 0;
	else if (!s->disconnected_unix_us)
		s->disconnected_unix_us = loop_now(as->loop)->unix_us;
	count(as);
}

/** Nobody says any more whether they are there. */
static void on_ns_down(struct as *as)
{
	struct station *s, *tmp;
	HASH_ITER(hh, as->stations->by_id, s, tmp) {
		if (!s->disconnected_unix_us)
			s->disconnected_unix_us = loop_now(as->loop)->unix_us;
		s->status.can_send = false;
	}
	count(as);
}

static void write_time(struct text *t, const char *name, bool has, uint64_t unix_us)
{
	if (has && unix_us) {
		json_name(t, name);
		json_time(t, unix_us * 1000);
	}
}

/** uint64 is a text in The Things Stack's JSON. */
static void write_u64(struct text *t, const char *name, uint64_t n)
{
	char buf[24];
	struct text v = text_fixed(buf, sizeof buf);
	text_u64(&v, n);
	json_name(t, name);
	json_puts(t, buf);
}

static void write_seconds(struct text *t, const char *name, uint32_t us)
{
	char buf[32];
	struct text v = text_fixed(buf, sizeof buf);
	text_decimal(&v, us, 6);
	text_putc(&v, 's');
	json_name(t, name);
	json_puts(t, buf);
}

static void write_round_trips(struct text *t, const struct gateway_status *s)
{
	json_name(t, "round_trip_times");
	json_open(t, '{');
	write_seconds(t, "min", s->rtt_min_us);
	write_seconds(t, "max", s->rtt_max_us);
	write_seconds(t, "median", s->rtt_median_us);
	json_name(t, "count");
	json_unum(t, s->rtt_count);
	json_close(t, '}');
}

static void write_sub_bands(struct text *t, const struct gateway_status *s)
{
	json_name(t, "sub_bands");
	json_open(t, '[');
	for (size_t i = 0; i < s->sub_bands.len; i++) {
		const struct sub_band *b = &s->sub_bands.v[i];
		json_open(t, '{');
		write_u64(t, "min_frequency", b->min_hz);
		write_u64(t, "max_frequency", b->max_hz);
		json_name(t, "downlink_utilization_limit");
		json_dec(t, b->limit_ppm, 6);
		json_name(t, "downlink_utilization");
		json_dec(t, b->used_ppm, 6);
		json_close(t, '}');
	}
	json_close(t, ']');
}

void station_json_write(struct text *t, const struct station *st)
{
	const struct gateway_status *s = &st->status;
	json_open(t, '{');
	write_time(t, "connected_at", MSG_HAS(s, connected_unix_us), s->connected_unix_us);
	write_time(t, "disconnected_at", true, st->disconnected_unix_us);
	json_name(t, "protocol");
	json_puts(t, "udp");
	write_time(t, "last_status_received_at", MSG_HAS(s, last_status_unix_us), s->last_status_unix_us);
	write_time(t, "last_uplink_received_at", MSG_HAS(s, last_uplink_unix_us), s->last_uplink_unix_us);
	write_u64(t, "uplink_count", s->uplinks);
	write_time(
		t, "last_downlink_received_at", MSG_HAS(s, last_downlink_unix_us), s->last_downlink_unix_us);
	write_u64(t, "downlink_count", s->downlinks);
	write_u64(t, "tx_acknowledgment_count", s->tx_acks);
	if (MSG_HAS(s, rtt_count) && s->rtt_count)
		write_round_trips(t, s);
	if (MSG_HAS(s, sub_bands))
		write_sub_bands(t, s);
	if (MSG_HAS(s, address)) {
		json_name(t, "gateway_remote_address");
		json_open(t, '{');
		json_name(t, "address");
		json_puts(t, s->address);
		json_close(t, '}');
	}
	if (MSG_HAS(s, plan) && s->plan[0]) {
		json_name(t, "frequency_plan_id");
		json_puts(t, s->plan);
	}
	json_name(t, "can_send");
	json_truth(t, s->can_send);
	json_close(t, '}');
}

int stations_start(struct as *as, struct text *err)
{
	(void)err;
	as->stations = calloc(1, sizeof *as->stations);
	if (!as->stations)
		return -ENOMEM;
	as_add_method(as, NSAS_STATUS, on_status);
	as_add_link(as, NULL, on_ns_down);
	return 0;
}

void stations_stop(struct as *as)
{
	struct station *s, *tmp;
	if (!as->stations)
		return;
	HASH_ITER(hh, as->stations->by_id, s, tmp) {
		HASH_DEL(as->stations->by_id, s);
		free(s);
	}
	free(as->stations);
	as->stations = NULL;
}
