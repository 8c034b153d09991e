/** @file A device asks for credentials: its request, and the answers of ThingsBoard. */
#pragma once
#include "as/core/device_api/credentials.h"

enum { PROVISION_TEXT_MAX = 128 };

struct provision_request {
	char id[ID_MAX + 1];                    /**< of the device, made of its name */
	char name[NAME_TEXT_MAX + 1];           /**< as it said; "": it said none */
	char key[PROVISION_TEXT_MAX + 1], secret[PROVISION_TEXT_MAX + 1];
	struct credentials_wish login;          /**< as it wants them; what it left out is made */
};

/** Read {"deviceName","provisionDeviceKey","provisionDeviceSecret","credentialsType","token","username","password","clientId","hash"}.
 * @param rng  for names, tokens, user names and passwords that are not given
 * @return 0; -EBADMSG it is no such request */
int provision_read(const struct json *j, const struct rng *rng, struct provision_request *ret);
/** Of a name what may be an id: "DHT11 Demo Device" is dht11-demo-device. @return 0; -EINVAL nothing of it may */
int provision_id(struct str name, char ret[ID_MAX + 1]);
void provision_success(struct text *t, const struct credentials_wish *w);
void provision_not_found(struct text *t);
void provision_failure(struct text *t);
