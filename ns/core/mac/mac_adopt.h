/** @file A session that was brought along from elsewhere: its MAC goes on as it stood there. */
#pragma once
#include "ns/core/device.h"
#include "proto/schema.h"

/** Let what is said be in force; what is not said stays as the session began (mac_begin). Data rate, power and transmissions
 * are taken over without a history. */
void mac_adopt(struct session *s, const struct mac_import *m);
