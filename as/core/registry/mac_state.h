/** @file The state of a device's MAC as The Things Stack writes it: what an export holds and an import brings along. */
#pragma once
#include "as/core/registry/record.h"
#include "common/core/json.h"
#include "common/core/json_out.h"
#include "proto/schema.h"

/** Read mac_state: current_parameters, device_class, rejected indexes. Zeros may be absent, as The Things Stack leaves them out; so
 * may members of which nothing is known then: data rate, dwell times, exponents. What else is in it is not looked at.
 * @param version  of the device (proto/lorawan/versions.def); 0: not said
 * @return 0; REGISTRY_E_INVALID, naming the member */
int mac_state_read(const struct json *j, json_val object, uint32_t version, struct mac_import *ret, struct problem *p);
/** Is it possible in the device's band? @param plan  "": none, anything is. @return 0; REGISTRY_E_INVALID */
int mac_state_check(const struct mac_import *m, const char *plan, struct problem *p);
/** A member of this name with the parameters. */
void mac_params_write(struct text *t, const char *name, const struct mac_params *m);
/** "rejected_adr_data_rate_indexes" and "rejected_adr_tx_power_indexes"; nothing where no bit is set. */
void mac_rejected_write(struct text *t, uint32_t refused_drs, uint32_t refused_powers);

/** As a text in base64, for a record. @return 0; -ENOSPC */
int mac_state_pack(struct text *t, const struct mac_import *m);
/** @return 0; -EBADMSG */
int mac_state_unpack(struct str text, struct mac_import *ret);
