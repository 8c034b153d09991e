/** @file Claims of devices, and what an application says of all its devices that speak IP, over HTTP. */
#include "as/api/api.h"
#include "as/api/routes.h"
#include "as/core/registry/device_json.h"
#include "as/device_api/claims.h"

static void claim(void *ctx, struct http_request *r)
{
	static const char *const words[] = { [CLAIM_SUCCESS] = "SUCCESS", [CLAIM_FAILURE] = "FAILURE", [CLAIM_CLAIMED] = "CLAIMED" };
	static const struct api_need need = { API_APP | API_DEVICE | API_BODY | API_CHANGE | API_NO_BODY_OK, RIGHT_APPLICATION_DEVICES_WRITE, NULL };
	char secret[CLAIM_SECRET_MAX + 1] = "";
	enum claim_outcome outcome;
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	int e = json_string(&c.body, json_get(&c.body, c.object, "secret_key"), secret, sizeof secret);
	if (e && e != -ENOENT) {
		api_error(&c, 400, "secret_key", "must be a text of at most %d octets", CLAIM_SECRET_MAX);
	} else if ((e = claims_claim(c.as, c.device, str_of(secret), &outcome))) {
		api_fail(&c, e);
	} else if (outcome == CLAIM_FAILURE) {
		api_error(&c, 400, "secret_key", "is not what the device has said, or it does not offer itself (any more): FAILURE");
	} else {
		json_open(&c.out, '{');
		json_name(&c.out, "response");
		json_puts(&c.out, words[outcome]);
		json_close(&c.out, '}');
		api_commit(&c);
	}
	api_done(&c);
}

static void write_time(struct text *t, const char *name, uint64_t unix_us)
{
	if (unix_us) {
		json_name(t, name);
		json_time(t, unix_us * 1000);
	}
}

static void claim_get(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP | API_DEVICE, RIGHT_APPLICATION_DEVICES_READ, NULL };
	struct api_call c;
	struct claim it;
	if (api_begin(&c, ctx, r, &need))
		return;
	int e = claims_get(c.as, c.device, &it);
	if (e && e != -ENOENT) {
		api_fail(&c, e);
	} else {
		json_open(&c.out, '{');
		json_name(&c.out, "claimed");
		json_truth(&c.out, it.claimed_unix_us != 0);
		write_time(&c.out, "claimed_at", it.claimed_unix_us);
		write_time(&c.out, "expires_at", it.expires_unix_us > loop_now(c.as->loop)->unix_us ? it.expires_unix_us : 0);
		json_close(&c.out, '}');
		api_reply(&c);
	}
	api_done(&c);
}

static void claim_release(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP | API_DEVICE, RIGHT_APPLICATION_DEVICES_WRITE, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	int e = claims_release(c.as, c.device);
	if (e) {
		api_fail(&c, e);
	} else {
		text_puts(&c.out, "{}");
		api_commit(&c);
	}
	api_done(&c);
}

/* ---- the profile ---- */

static void profile_get(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP, RIGHT_APPLICATION_DEVICES_READ_KEYS, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	profile_write(&c.out, profiles_of(&c.as->profiles, c.app), true);
	api_reply(&c);
	api_done(&c);
}

static void profile_put(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP | API_BODY | API_CHANGE, RIGHT_APPLICATION_DEVICES_WRITE_KEYS, NULL };
	struct device_profile wish = { .app = "" };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	const struct device_profile *was = profiles_of(&c.as->profiles, c.app);
	if (was)
		wish = *was;
	int e = profile_read(&c.body, c.object, &wish, &c.problem);
	if (!e)
		e = profiles_set(&c.as->profiles, c.app, &wish, &c.problem);
	if (e) {
		api_fail(&c, e);
	} else {
		profile_write(&c.out, profiles_of(&c.as->profiles, c.app), true);
		api_commit(&c);
	}
	crypto_forget(&wish, sizeof wish);
	api_done(&c);
}

#define CLAIM "/api/v3/as/applications/{application_id}/devices/{device_id}/claim"
#define PROFILE "/api/v3/as/applications/{application_id}/device-profile"
const struct api_route api_claim_routes[] = {
	{ HTTP_POST, CLAIM, claim, "APPLICATION_DEVICES_WRITE", "Claim a device with the secret that it has said", "@ClaimRequest", "@ClaimAnswer", "" },
	{ HTTP_GET, CLAIM, claim_get, "APPLICATION_DEVICES_READ", "Say whether a device is claimed, or until when it offers itself", "", "@Claim", "" },
	{ HTTP_DELETE, CLAIM, claim_release, "APPLICATION_DEVICES_WRITE", "Let a device be nobody's again", "", "@Empty", "" },
	{ HTTP_GET, PROFILE, profile_get, "APPLICATION_DEVICES_READ_KEYS",
		"Show how devices that speak IP are given credentials, and what their messages mean", "", "@DeviceProfile", "" },
	{ HTTP_PUT, PROFILE, profile_put, "APPLICATION_DEVICES_WRITE_KEYS", "Change that; members that are left out stay, null clears one", "@DeviceProfile", "@DeviceProfile", "" },
	{ .path = NULL },
};
