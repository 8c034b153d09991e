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
