/** @file Scripts that a request brings are compiled before they are taken: by the processes that run them, while nobody waits. */
#pragma once
#include "as/api/api.h"

/** Do the scripts compile that `wish` has and `before` has not? A handler asks before it changes anything.
 * @param path    of the formatters: "formatters"; an error names the member
 * @param before  NULL: there were none
 * @param again   the handler: called anew with the same request when they do compile, and then told so at once
 * @return 0 go on; -EINPROGRESS the request is answered later, or has another try: api_fail says nothing then; -ENOMEM. Where scripts do not
 * run at all, or too many wait, they are taken as they are: the first message tells */
int api_scripts_check(struct api_call *c, const char *path, struct formatters *wish, const struct formatters *before,
	void (*again)(void *ctx, struct http_request *r));
