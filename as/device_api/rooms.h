/** @file What becomes of a device's messages: which file of this folder takes which. */
#pragma once
#include "as/core/values/readings.h"
#include "as/device_api/door.h"

/** A message of a device with credentials. */
enum mqtt_verdict device_rooms_take(struct as *as, struct device_message *m, uint8_t *ret_reason);
/** A message of one that has none yet. */
enum mqtt_verdict device_rooms_provision(struct as *as, struct device_message *m, uint8_t *ret_reason);
/** It is there, and has subscribed to something: tell it what waits for it. */
void device_rooms_online(struct as *as, struct device *d);
/** What was sent to it with this cookie has arrived. */
void device_rooms_told(struct as *as, uint64_t device, uint64_t cookie);

/** A message whose JSON is no telemetry, attributes, request ...: dropped. @param r  as readings_telemetry says */
enum mqtt_verdict device_refuse(struct as *as, const struct device_message *m, int r, const char *problem, uint8_t *ret_reason);
/** The store cannot take it: a message that is acknowledged is sent again once the device has connected again. */
enum mqtt_verdict device_unavailable(struct as *as, const struct device_message *m, uint8_t *ret_reason);
/** Publish to the application's clients. @param suffix "up" or "service/data" @return 0; -errno of the store */
int device_publish_up(struct as *as, const struct device *d, const char *decoded_payload, const uint64_t *time_unix_ms);
int device_publish_service(struct as *as, const struct device *d, const char *service, const char *data);

/** Scratch for what a message says; valid until the next call. */
struct readings *device_rooms_readings(struct as *as);
/** It sends more than it may: it is disconnected. */
enum mqtt_verdict device_exceeded(struct as *as, const struct device_message *m, uint8_t *ret_reason);

/** Cookies of what is sent to devices: what it was. */
#define RPC_COOKIE       (UINT64_C(1) << 62)
#define ATTRIBUTE_COOKIE (UINT64_C(1) << 61)

enum mqtt_verdict rpc_response_take(struct as *as, struct device_message *m, uint8_t *ret_reason);
enum mqtt_verdict rpc_request_take(struct as *as, struct device_message *m, uint8_t *ret_reason);
void rpcs_online(struct as *as, uint64_t device);
void rpcs_told(struct as *as, uint64_t device, uint64_t cookie);
enum mqtt_verdict claims_take(struct as *as, struct device_message *m, uint8_t *ret_reason);
enum mqtt_verdict device_attributes_answer(struct as *as, struct device_message *m, uint8_t *ret_reason);
void shared_online(struct as *as, const struct device *d);
void shared_offline(struct as *as, uint64_t device);
void shared_told(struct as *as, uint64_t device, uint64_t cookie);
enum mqtt_verdict device_attributes_take(struct as *as, struct device_message *m, uint8_t *ret_reason);
/** How values of the device's JSON are read. */
struct value_rules device_rules(const struct as *as, const struct device *d);
enum mqtt_verdict telemetry_take(struct as *as, struct device_message *m, uint8_t *ret_reason);
