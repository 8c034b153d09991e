/** @file Where a device is, out of what its payload decodes to: the names that The Things Stack looks for. */
#pragma once
#include "proto/tts/message.h"

#define LOCATION_SERVICE "frm-payload" /**< its service, and its name in `locations` */

/** Find a location: `gps_<channel>` with latitude, longitude and altitude; or pairs such as lat and lon, latitude and longitude, of
 * which none or one may be 0; then alt, accuracy and the like. A pair that is no place on Earth is none.
 * @param decoded  JSON object @return whether there is one */
bool location_find(struct str decoded, struct tts_location *ret);
/** Append `locations`, a JSON object or "", with the location under LOCATION_SERVICE. @return 0; -EBADMSG; -ENOMEM */
int locations_with(struct text *t, struct str locations, const struct tts_location *l);
