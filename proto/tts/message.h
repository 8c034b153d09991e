/** @file The Things Stack's JSON of what an application receives: ApplicationUp and its payloads.
 *
 * Names, order and omissions (zero, empty and false are left out) are theirs; facts in the tests. Every function appends one
 * whole JSON object. What is not known is not there.
 */
#pragma once
#include "common/core/text.h"
#include "proto/cids.h"
#include "proto/schema.h"
#include "proto/tables.h"

/** Whose message it is. */
struct tts_device {
	const char *device_id, *application_id; /**< the application without its tenant */
	bool has_dev_eui, has_join_eui, has_dev_addr;
	uint64_t dev_eui, join_eui;
	uint32_t dev_addr;
};

/** The envelope of every message. */
struct tts_up {
	struct tts_device device;
	const struct cid *cids; /**< ours, in the order of travel */
	size_t n_cids;
	const char *own_cids;   /**< the application's: texts one after another, each terminated; may be NULL */
	size_t own_cids_n;      /**< octets of them, terminators included */
	uint64_t received_unix_ns;
	bool is_simulated;      /**< somebody made it up: what nobody said of it is left out */
	/* What is known of the device: JSON objects, NULL or "" for none; and of the network. */
	const char *locations, *version_ids, *attributes;
	bool has_net_id;
	uint32_t net_id;
	const char *tenant_id;  /**< of the application; NULL or "": none */
};

/** What a device last said of its battery. */
struct tts_battery {
	uint8_t level;          /**< 0 external power, 1..254, 255 it cannot tell */
	uint32_t f_cnt;         /**< of the uplink that said so */
	uint64_t received_unix_us;
};

/** What is made of an uplink's payload: JSON, or NULL; and what was known before it. */
struct tts_extras {
	const char *decoded_payload, *decoded_warnings;
	const char *normalized_payload, *normalized_warnings; /**< JSON arrays: of measurements, of texts */
	const struct tts_battery *battery; /**< NULL: nothing */
};

/** uplink_message.
 * @param payload  decrypted FRMPayload */
void tts_uplink(struct text *t, const struct tts_up *u, const struct up_data *d, struct slice payload, const struct tts_extras *x);
/** uplink_normalized: one measurement.
 * @param measurement  JSON object @param warnings  JSON array of texts, NULL or "": none */
void tts_normalized(struct text *t, const struct tts_up *u, const struct up_data *d, struct str measurement, const char *warnings);
/** join_accept */
void tts_join(struct text *t, const struct tts_up *u, const struct up_join *j);
/** service_data of a DevStatusAns: service `lorawan-device-status` */
void tts_status(struct text *t, const struct tts_up *u, const struct up_status *s);

/** uplink_message of a device that speaks IP. @param decoded_payload  JSON object @param time_unix_ms  as the device said; NULL: it did not */
void tts_ip_uplink(struct text *t, const struct tts_up *u, const char *decoded_payload, const uint64_t *time_unix_ms);
/** service_data of any service. @param data  JSON object */
void tts_service(struct text *t, const struct tts_up *u, const char *service, const char *data);

/** Where a device is. */
struct tts_location {
	int64_t latitude_e9, longitude_e9;
	int32_t altitude_m, accuracy_m; /**< 0: not known */
};
/** `{"latitude":…,"longitude":…,"altitude":…,"accuracy":…,"source":"SOURCE_GPS"}`, as it stands in `locations` too. */
void tts_location_object(struct text *t, const struct tts_location *l);
/** location_solved. @param service  "frm-payload": out of a decoded payload */
void tts_location_solved(struct text *t, const struct tts_up *u, const char *service, const struct tts_location *l);

/** An application downlink as it is shown; also one element of `downlinks`. */
struct tts_downlink {
	bool has_session, has_f_cnt;
	struct ulid session_key_id;
	uint32_t f_cnt;
	unsigned f_port, priority; /**< priority 0 LOWEST .. 6 HIGHEST */
	struct slice payload;
	bool confirmed;
	unsigned attempt, max_attempts; /**< 0: not shown */
	const char *class_b_c;          /**< JSON object, or NULL */
	const char *decoded_payload;    /**< JSON object; NULL: none */
	const char *decoded_warnings;   /**< JSON array; NULL: none */
	const struct ulid *item;        /**< as:downlink */
	const char *own_cids;
	size_t own_cids_n;
};

enum tts_down_kind { TTS_QUEUED, TTS_SENT, TTS_ACK, TTS_NACK, TTS_FAILED };
const char *tts_down_topic(enum tts_down_kind k); /**< "down/queued" */

/** Why a downlink failed. */
struct tts_error {
	const struct down_error *row;
	const char *text_attribute, *text_value; /**< an attribute of the message_format, or NULL */
	const char *num_attribute[2];            /**< NULL: none */
	uint64_t num_value[2];
	struct ulid id;                          /**< becomes correlation_id, 32 hex digits */
};

/** downlink_queued, _sent, _ack, _nack; downlink_failed with its error.
 * @param d  NULL for a failure without a downlink (a body that is not JSON, an unknown device)
 * @param e  for TTS_FAILED only */
void tts_down(struct text *t, const struct tts_up *u, enum tts_down_kind k, const struct tts_downlink *d, const struct tts_error *e);
/** The downlink object alone, as an element of `downlinks`. */
void tts_downlink_object(struct text *t, const struct tts_downlink *d);

const char *tts_priority(unsigned priority); /**< "LOWEST" .. "HIGHEST"; "" beyond */
