/** @file The HTTP API's common part: who asks, for what, with which body; answers and errors.
 *
 * A handler begins with api_begin, which checks the key and finds what the path names; if it returns
 * non-zero, it has answered. Changes end with api_commit, which answers once the change is on disk and the
 * network server has it.
 */
#pragma once
#include "as/as.h"
#include "common/core/json.h"
#include "common/core/json_out.h"

struct field_mask;

struct api_call {
	struct as *as;
	struct http_request *r;
	const struct api_key *key; /**< who asks */
	struct app *app;           /**< named by {application_id} */
	struct device *device;     /**< named by {device_id} */
	struct gateway *gateway;   /**< named by {gateway_id} */
	struct json_tok *tok;
	struct json body;          /**< with API_BODY: an object */
	json_val object;           /**< its member `wrapper`, or the whole */
	struct text out;           /**< the answer being written */
	struct problem problem;
};

/** What a handler needs. */
struct api_need {
	unsigned what;
	enum right right;    /**< on the application or gateway; RIGHT_N: any key (or only an admin's, with
				API_ADMIN) */
	const char *wrapper; /**< "end_device": the object may stand inside this member */
};
enum {
	API_APP = 1,     /**< {application_id} must exist */
	API_DEVICE = 2,  /**< {device_id} of it too */
	API_GATEWAY = 4, /**< {gateway_id} must exist */
	API_BODY = 8,    /**< a JSON object */
	API_CHANGE =
		16, /**< the store must be able to take more; deletions do without, since they make room */
	API_ADMIN = 32,      /**< the operator's key only */
	API_NO_BODY_OK = 64, /**< with API_BODY: an empty body is an empty object */
	API_LARGE = 128,     /**< with API_BODY: as many values as fit its length, as another network's export of a device has */
};

/** The key that a request has. @return 0; -EACCES, with what to say in *ret_problem */
int api_key_of(struct as *as, const struct http_request *r, const struct api_key **ret, struct problem *ret_problem);

/** @return 0; else it has answered. Every call that returned 0 ends with api_done. */
int api_begin(struct api_call *c, void *ctx, struct http_request *r, const struct api_need *need);
void api_done(struct api_call *c);
/** Has the asker this right on the application, or gateway, of the call? */
bool api_may(const struct api_call *c, enum right right);
/** Answer 403 where the asker has no right at all on what the path names, in the same words whether it is there or not.
 * @return may it know? */
bool api_knows(struct api_call *c);
/** Where a device conflicts with one of another application (e and c->problem say so), only the operator is told with which. @return e */
int api_hide_others(struct api_call *c, int e, const struct device *wish);
/** Answer 403 unless it has. @return as api_may */
bool api_insist(struct api_call *c, enum right right);

/** Answer 200 with c->out. */
void api_reply(struct api_call *c);
/** Answer 200 with those members of c->out that the query's field_mask names, or all. */
void api_reply_masked(struct api_call *c);
/** Answer 200 with c->out once everything written so far is on disk, and the ns has the registry's present
 * revision (it is given 500 ms). */
void api_commit(struct api_call *c);
/** Answer with an error. `field` may be "". */
void api_error(struct api_call *c, int status, const char *field, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/** Answer with what went wrong: e is REGISTRY_E_* (with c->problem) or -errno; -EINPROGRESS: nothing yet (as/api/scripts_check.h). */
void api_fail(struct api_call *c, int e);
/** The mask of the request: of its body, or of the query. @return 0; else it has answered */
int api_mask(struct api_call *c, struct field_mask *ret);
/** The slice of a list that ?limit and ?page ask for. @return 0; else it has answered */
int api_page(struct api_call *c, size_t *ret_skip, size_t *ret_limit);
struct downlinks_result;
/** Answers c with what downlinks have come to; c knows as, r and out alone. */
typedef void downlinks_teller(struct api_call *c, const struct downlinks_result *result, const char *about);
/** Queue downlinks, and answer: at once, or when the device's formatter is done with them. @param about  given to `tell`; copied */
void api_downlinks(struct api_call *c, const char *device_id, struct str body, bool is_replace, downlinks_teller *tell, const char *about);
/** Queue the downlinks that the body holds for the device that the path names, in the place of its queue or behind it, and answer. */
void api_send_downlinks(struct api_call *c, bool is_replace);
