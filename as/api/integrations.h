/** @file What the routes of Pub/Sub integrations and webhooks share. */
#pragma once
#include "as/api/lists.h"
#include "as/integrations/integrations.h"

/** What a kind of them is called. */
struct api_kind {
	enum integration_kind kind;
	const char *id;     /**< "webhook_id": in paths, and in `ids` */
	const char *called; /**< "webhook" */
};

/** Write the member `ids` of one. */
void api_integration_ids(struct api_call *c, const struct api_kind *k, const struct integration *i);
/** The one that the path names. @return NULL: there is none, and it has answered */
struct integration *api_integration(struct api_call *c, const struct api_kind *k);
/** The id of the one that is to be set: of the path, or of the body. @return 0; REGISTRY_E_INVALID */
int api_integration_id(struct api_call *c, const struct api_kind *k, char ret[ID_MAX + 1]);
/** Has the asker the rights that an integration hands on: to read traffic, and to send downlinks? @return false: it has answered */
bool api_may_integrate(struct api_call *c);
/** The whole of a route: list an application's, the caller's right granted. */
void api_integrations_list(struct api_call *c, const struct api_kind *k, const struct api_listing *listing);
/** Delete the one that the path names, and answer. */
void api_integration_delete(struct api_call *c, const struct api_kind *k);
/** A route: the formats that there are. */
void api_integration_formats(void *ctx, struct http_request *r);
