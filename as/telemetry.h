/** @file Telemetry: time series of devices in the store, written with whatever else is written in the same turn; bounded by age and size. */
#pragma once
#include "as/as.h"
#include "as/core/series/ask.h"
#include "proto/schema.h"

/** Keep what a device said at one time. What is too much (as.telemetry-keys, as.telemetry-size, more of one time than is kept) is left out
 * and counted.
 * @return 0; -errno of the store */
int telemetry_keep(struct as *as, const struct device *d, int64_t ts_ms, const struct reading *v, size_t n);
/** The same of a whole message. */
int telemetry_keep_all(struct as *as, const struct device *d, const struct readings *r);

/** Of a LoRaWAN device: how an uplink was received, and what its payload says.
 * @param decoded  decoded_payload as JSON; NULL, "": there is none */
int telemetry_keep_uplink(struct as *as, const struct device *d, const struct up_data *up, const char *decoded);
int telemetry_keep_status(struct as *as, const struct device *d, const struct up_status *s);

/** The series, to ask (as/core/series/ask.h); borrowed. */
struct series *telemetry_series(struct as *as);
/** Bring the metrics up to date. */
void telemetry_measure(struct as *as);
