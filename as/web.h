/** @file Where HTTP comes in, plain and over TLS: addresses, bounds, certificates. */
#pragma once
#include "as/as.h"

/** For as_check. @return 0; -errno with one line in *err */
int web_check(const struct daemon *daemon, const struct as_settings *s, struct text *err);
/** Serve every route that the rooms have added, on as.http-listen and, with a certificate, as.https-listen: after the last room has
 * started. @return 0; -errno with one line in *err */
int web_open(struct as *as, struct text *err);
/** Let nobody in any more; streams and requests end. Again: nothing. */
void web_close(struct as *as);
/** SIGHUP: read the certificates again. */
void web_reload(struct as *as);
/** Append the address under which clients reach what listens there: with as.public-address in the place of this host's own where it listens
 * on all its addresses. What listens on loopback is reached from this host only, whatever its name. @param listening  "0.0.0.0:1883" */
void web_reachable(const struct as *as, const char *listening, struct text *t);
/** Append the URL of the HTTP API: that of as.public-url, or where it is reached, over TLS if that is spoken;
 * "https://lora.example.com:8885/api/v3". Nothing: nowhere. */
void web_api_url(const struct as *as, struct text *t);
