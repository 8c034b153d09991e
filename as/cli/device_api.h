/** @file Commands for devices that speak IP. */
#pragma once
#include "as/cli/cli.h"

int credentials_put(struct cli *c);
int credentials_show(struct cli *c);
int rpc_call(struct cli *c);
int rpc_list(struct cli *c);
int rpc_get(struct cli *c);
int rpc_delete(struct cli *c);
int claim_take_it(struct cli *c);
int claim_drop(struct cli *c);
int provisioning_set(struct cli *c);
int provisioning_delete(struct cli *c);
int profile_set(struct cli *c);
int profile_show(struct cli *c);
