/** @file What of a LoRaWAN device's uplinks and answers is kept as telemetry. */
#pragma once
#include "as/core/values/readings.h"
#include "proto/schema.h"

enum { LORAWAN_READINGS_MAX = 8, LORAWAN_WORDS = 40 };

/** How an uplink was received: rssi [dBm] and snr [dB] of the gateway that heard it best, data_rate ("SF7BW125"), frequency [Hz], f_cnt, f_port.
 * What is not known is left out.
 * @param words  memory of the texts
 * @return how many */
size_t lorawan_uplink(const struct up_data *up, char words[LORAWAN_WORDS], struct reading ret[LORAWAN_READINGS_MAX]);
/** A DevStatusAns: battery_percentage (left out where the device has none, or does not know), margin [dB]. @return how many */
size_t lorawan_status(const struct up_status *s, struct reading ret[LORAWAN_READINGS_MAX]);
