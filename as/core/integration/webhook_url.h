/** @file Where a webhook's message goes: templates of URLs (RFC 6570, all levels), and what they come to. Pure. */
#pragma once
#include "common/core/text.h"

enum {
	WEBHOOK_BASE_MAX = 1024, /**< characters of a base URL's template */
	WEBHOOK_PATH_MAX = 256,  /**< of a path's; The Things Stack has 64 */
	WEBHOOK_URL_MAX = 4096,  /**< of what they come to */
	WEBHOOK_HOST_MAX = 255,
};

/** What the templates' variables stand for; "" where a device has no such thing. */
struct webhook_variables {
	const char *application_id, *device_id, *join_eui, *dev_eui, *dev_addr;
};

/** A URL, taken apart. */
struct webhook_target {
	bool is_tls;
	char host[WEBHOOK_HOST_MAX + 1]; /**< a name or an address, without the brackets of IPv6 */
	uint16_t port;
	char authority[WEBHOOK_HOST_MAX + 16]; /**< of the field Host: with brackets, and with a port where it is not the scheme's own */
	struct text target; /**< path and query, "/ttn/up?dev=1"; text_done */
};

/** Append what a template comes to. Unreserved characters of a value stand as they are, others percent-encoded; of a literal that no URI may
 * hold, likewise.
 * @return 0; -EINVAL no template, or a variable that there is not, with the reason in *ret_why */
int webhook_expand(struct text *t, struct str url_template, const struct webhook_variables *v, const char **ret_why);
/** Where base URL and path come to together: joined by exactly one slash, their queries one after the other, a fragment left out.
 * @param base  "https://example.com/in/{appID}"
 * @param path  "up/{devID}", "?kind=up", or ""
 * @param ret   text_done its target whatever is returned
 * @return 0; -EINVAL with the reason in *ret_why; -ENOMEM */
int webhook_target_of(struct str base, struct str path, const struct webhook_variables *v, struct webhook_target *ret, const char **ret_why);
