/** @file Parts of The Things Stack's JSON that several of its messages have. */
#pragma once
#include "proto/tts/message.h"

/** `{"end_device_ids":…,"correlation_ids":…,"received_at":…` ; the caller adds its payload and closes. */
void tts_envelope(struct text *t, const struct tts_up *u);
/** The end of the envelope. */
void tts_envelope_end(struct text *t, const struct tts_up *u);
/** `"correlation_ids":[…]` of a list and of an application's own. Nothing if there are none. */
void tts_cids(struct text *t, const struct cid *cids, size_t n, const char *own, size_t own_n);
/** `"data_rate":{…}` */
void tts_data_rate(struct text *t, const struct modulation *m);
/** `"name":` and a JSON value. Nothing for NULL, "" and an empty object. */
void tts_raw(struct text *t, const char *name, const char *json);
/** What stands last in each payload: `"locations":{…},"version_ids":{…},"network_ids":{…},"last_battery_percentage":{…},
 * "attributes":{…}`, those that are known. @param b  NULL: none */
void tts_about(struct text *t, const struct tts_up *u, const struct tts_battery *b);
/** 100 % is 254, 0 % is 1. Hundredths of a percent, rounded down; -1: external power, or it cannot tell. */
int tts_battery_e2(uint8_t level);
/** `"name":"base64"` */
void tts_bytes(struct text *t, const char *name, const void *p, size_t n);
/** `"0.061696s"`: 0, 3, 6 or 9 digits of fraction */
void tts_duration(struct text *t, uint64_t us);
