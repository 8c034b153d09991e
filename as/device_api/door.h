/** @file Where devices that speak IP come in: their MQTT logins, and what goes on between a device and the rooms behind this one. */
#pragma once
#include "as/as.h"
#include "as/core/device_api/rates.h"
#include "as/core/device_api/topics.h"
#include "as/core/mqtt/mqtt_engine.h"

struct mqtt_peer;

/** What a device has sent of late; it outlives its connections, so that a new one begins with no more than was left. */
struct device_meters {
	uint64_t device;
	struct rate_meter messages, telemetry, points;
	uint32_t logins;  /**< that use it */
	bool is_gone;     /**< of a device that is no more, or of one without credentials: it goes with its last login */
	UT_hash_handle hh;
};

/** One connection of a device. */
struct device_login {
	uint64_t number;
	uint64_t device;  /**< registry number; 0: it has no credentials yet, and asks for some */
	const struct mqtt_peer *peer; /**< NULL: gone */
	struct device_meters *meters; /**< the device's; its own while it has no credentials */
	struct device_login *next_arrived;
	bool is_current;  /**< in by_device: the device's newest */
	bool has_arrived; /**< in the list of those whose session may have been there before */
	UT_hash_handle hh, by_device;
};

/** A message of a device, for the rooms that take them. Everything is borrowed. */
struct device_message {
	struct device_login *login;
	struct device *device;
	const struct mqtt_publication *pub;
	struct device_said said;
	struct str body;
};

/** Is it a login of this room? */
bool device_door_owns(uint64_t login);
/** What devices may do over MQTT. */
struct mqtt_policy device_door_policy(struct as *as);
/** The login by which a device is spoken to; 0: it is not connected. */
uint64_t device_door_login(const struct as *as, uint64_t device);
/** Is the device there, and has it subscribed to answers of this kind? */
bool device_door_listens(const struct as *as, uint64_t device, enum device_answer a);
/** Tell a device something that it has subscribed to. @param cookie  not 0: device_told says when it has arrived
 * @return whether it is there and listens */
bool device_door_tell(struct as *as, uint64_t device, enum device_answer a, int32_t id, struct str json, uint64_t cookie);
/** Answer the connection that has asked, subscribed or not. @return whether it is still there */
bool device_door_answer(struct as *as, uint64_t login, const char *topic, struct str json);

/** A message goes no further: counted, traced, explained to a 5.0 client. @return MQTT_DROP */
enum mqtt_verdict device_drop(struct as *as, const struct device_message *m, enum device_drop why, const char *words, uint8_t *ret_reason);
/** Take n data points. @return false: more than the device may send */
bool device_may_send_points(struct as *as, struct device_login *l, uint32_t n);
/** What `publish` says of a message that has been written to the store: acknowledged once it is on disk. */
enum mqtt_verdict device_taken(struct as *as, const struct device_message *m);
