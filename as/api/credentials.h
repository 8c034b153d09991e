/** @file What a device that speaks IP logs in with, as a part of requests and answers about it. */
#pragma once
#include "as/api/api.h"
#include "as/core/device_api/credentials.h"

/** What it is to log in with, if the request says so (else CREDENTIALS_NONE). @param d  NULL: not there yet @return 0; as credentials_check */
int api_read_credentials(struct api_call *c, const struct device *d, struct credentials_wish *ret);
/** @return 0; as credentials_set */
int api_set_credentials(struct api_call *c, const struct device *d, const struct credentials_wish *w);
/** Append `"credentials":{…}`; nothing where the device has none. @param secrets  token and password too */
void api_write_credentials(struct api_call *c, const struct device *d, bool secrets);
