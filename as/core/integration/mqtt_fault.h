/** @file What ends, or hinders, a connection to somebody's broker, as far as the next attempt depends on it. */
#pragma once
#include <stdbool.h>

enum mqtt_fault {
	MQTT_FAULT_NONE,     /**< it was closed on purpose */
	MQTT_FAULT_AWAY,     /**< no such name, no way there, nobody listens, it closed the connection */
	MQTT_FAULT_SILENT,   /**< it takes the connection, and does not answer */
	MQTT_FAULT_BUSY,     /**< it says: not now */
	MQTT_FAULT_REFUSED,  /**< it refuses us: login, client id, version, rights; lasts until somebody changes something */
	MQTT_FAULT_TRUST,    /**< TLS: we do not believe it, or it does not believe us; lasts likewise */
	MQTT_FAULT_PROTOCOL, /**< it says what MQTT does not allow, or does not speak it */
	MQTT_FAULT_LOCAL,    /**< no memory, no descriptor */
};

/** Will it be the same until an operator has changed something, here or there? */
static inline bool mqtt_fault_lasts(enum mqtt_fault fault)
{
	return fault == MQTT_FAULT_REFUSED || fault == MQTT_FAULT_TRUST || fault == MQTT_FAULT_PROTOCOL;
}
