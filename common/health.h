/** @file What an operator's tools ask of every process, usually without a key: /metrics, /healthz/live, /healthz/ready (and /healthz).
 *
 *     p->health = (struct health){ .metrics = write_metrics, .why_not_ready = why_not_ready, .ctx = p, .process = "gs" };
 *     health_open(daemon, "gs.http", settings->http_listen, &p->health, &p->http, err);
 */
#pragma once
#include "common/daemon.h"
#include "common/http.h"

struct health {
	/** Bring the metrics up to date and write all of them (common/metrics.h). */
	void (*metrics)(void *ctx, struct text *t);
	/** @return what is missing, "the store fails"; NULL: nothing, it serves */
	const char *(*why_not_ready)(void *ctx);
	void *ctx;
	const char *process;        /**< "gs" */
	struct http_server *server; /**< where it is served: health_serve and health_open set it */
	/** May who asks see the metrics? NULL: anybody may. @return NULL; else why not */
	const char *(*why_not_seen)(void *ctx, const struct http_request *r);
};

/** Answer these paths on a server, behind the routes that it has. @param h  borrowed for the server's life */
void health_serve(struct http_server *s, struct health *h);

/** A server of these paths and no others.
 * @param name     in addresses.json, and with "-listen" the setting: "gs.http"
 * @param address  the setting's value; "" or NULL: no server
 * @param h        borrowed until http_free
 * @param ret      NULL where there is none
 * @return 0; -errno with one line in *err that names the setting */
int health_open(struct daemon *d, const char *name, const char *address, struct health *h, struct http_server **ret, struct text *err);
