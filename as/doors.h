/** @file Where MQTT clients come in: addresses, TLS, WebSocket; the bounds of all that a client may take; who is kept out. */
#pragma once
#include "as/as.h"
#include "as/core/mqtt/mqtt_engine.h"
#include "common/net.h"

/** For as_check. @return 0; -errno with one line in *err */
int doors_check(const struct daemon *daemon, const struct as_settings *s, struct text *err);
/** What the engine is to be made with: its sink, and the bounds that the settings name. The rest is left as it is. */
void doors_fit(const struct as *as, struct mqtt_engine_options *o);
/** Listen for clients of the engine on every address of the settings. @return 0; -errno with one line in *err */
int doors_open(struct as *as, struct mqtt_engine *e, struct text *err);
/** The first address on which MQTT is listened for, with or without TLS: "0.0.0.0:1883"; "": none. */
const char *doors_address(const struct as *as, bool is_tls);
/** Is an address one of as.mqtt-trusted? */
bool doors_trusts(const struct as *as, const struct net_address *from);
/** Bring the metrics of connections up to date. */
void doors_count(struct as *as);
/** Let nobody in any more. */
void doors_close(struct as *as);
/** SIGHUP: read the certificates again. */
void doors_reload(struct as *as);

/** May this login be tried, as far as its address is concerned?
 * @param ret_why  where not: says for how long @return whether it may */
bool doors_may_try(struct as *as, const struct mqtt_login_request *rq, struct text *ret_why);
/** What became of it. Wrong ones are told so late, and many lock the address out (core/guard.h). */
void doors_tried(struct as *as, const struct mqtt_login_request *rq, bool is_right);
