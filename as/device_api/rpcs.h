/** @file Calls to devices: sent when the device is there, answered when it answers, over when their time is up. */
#pragma once
#include "as/as.h"
#include "as/core/device_api/rpc.h"

struct http_request;

/** Begin a call. @param ret  borrowed until the next turn of the loop
 * @return 0; REGISTRY_E_FULL; -errno */
int rpcs_call(struct as *as, const struct device *d, const struct rpc_wish *w, struct rpc **ret, struct problem *p);
struct tts_item;
/** The same of a down/push. @param item  confirmed: down/ack is published once the device has answered; own_cids are said with all that is told of it */
int rpcs_push(struct as *as, const struct device *d, const struct rpc_wish *w, const struct tts_item *item, struct rpc **ret, struct problem *p);
/** Send it, and answer this request when it is over. Not for persistent ones. */
void rpcs_wait(struct as *as, struct rpc *r, struct http_request *http);
/** NULL: there is none of that id */
struct rpc *rpcs_find(const struct as *as, const struct device *d, struct str id);
/** Oldest first, by rpc->next; NULL: none */
struct rpc *rpcs_of(const struct as *as, const struct device *d);
/** Forget it, whatever it has come to. */
void rpcs_delete(struct as *as, struct rpc *r);
/** Send it now, if the device is there. */
void rpcs_send(struct as *as, struct rpc *r);
