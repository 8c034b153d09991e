/** @file Reading the body of down/push and down/replace. */
#include "proto/tts/request.h"
#include "common/core/clock.h"
#include <string.h>

static int refuse(struct tts_error *err, const char *name)
{
	err->row = down_error_find(str_of(name));
	return TTS_E_REFUSED;
}

static int refuse_text(struct tts_error *err, const char *name, const char *attribute, const char *value)
{
	err->text_attribute = attribute;
	err->text_value = value;
	return refuse(err, name);
}

static int refuse_nums(struct tts_error *err, const char *name, const char *a, uint64_t va, const char *b, uint64_t vb)
{
	err->num_attribute[0] = a;
	err->num_value[0] = va;
	err->num_attribute[1] = b;
	err->num_value[1] = vb;
	return refuse(err, name);
}

json_val tts_request_items(const struct json *j, const char **ret_reason)
{
	json_val root = json_root(j), items = json_get(j, root, "downlinks");
	if (json_type(j, root) != JSON_OBJECT)
		*ret_reason = "it is not an object";
	else if (items < 0)
		*ret_reason = "it has no array `downlinks`";
	else if (json_type(j, items) != JSON_ARRAY)
		*ret_reason = "`downlinks` is not an array";
	else
		return items;
	return -1;
}

int tts_request_device(const struct json *j, char *ret_application, char *ret_device, size_t cap)
{
	json_val ids = json_get(j, json_root(j), "end_device_ids");
	json_val app = json_get(j, json_get(j, ids, "application_ids"), "application_id"), dev = json_get(j, ids, "device_id");
	*ret_application = *ret_device = '\0';
	if ((app >= 0 && json_string(j, app, ret_application, cap)) || (dev >= 0 && json_string(j, dev, ret_device, cap)))
		return -EINVAL;
	return 0;
}

static int read_cids(const struct json *j, json_val list, struct tts_item *ret, struct tts_error *err)
{
	size_t n = 0;
	if (list < 0 || json_type(j, list) == JSON_NULL)
		return 0;
	if (json_type(j, list) != JSON_ARRAY)
		return refuse_nums(err, "invalid_correlation_ids", "max", TTS_OWN_CIDS, NULL, 0);
	for (json_val v = json_first(j, list); v >= 0; v = json_next(j, v)) {
		char one[TTS_OWN_CID + 1];
		if (n == TTS_OWN_CIDS || json_string(j, v, one, sizeof one) || !utf8_valid(str_of(one)))
			return refuse_nums(err, "invalid_correlation_ids", "max", TTS_OWN_CIDS, NULL, 0);
		if (!*one)
			continue;
		memcpy(ret->own_cids + ret->own_cids_n, one, strlen(one) + 1);
		ret->own_cids_n += strlen(one) + 1;
		n++;
	}
	return 0;
}

static int read_port(const struct json *j, json_val v, struct tts_item *ret, struct tts_error *err)
{
	uint64_t port;
	if (v < 0 || json_type(j, v) == JSON_NULL)
		return refuse(err, "no_f_port");
	if (json_u64(j, v, &port))
		port = UINT32_MAX;
	if (port < 1 || port > TTS_PORT_MAX)
		return refuse_nums(err, "invalid_f_port", "f_port", port, NULL, 0);
	ret->f_port = (uint8_t)port;
	return 0;
}

static int read_priority(const struct json *j, json_val v, struct tts_item *ret, struct tts_error *err)
{
	char *word = ret->refused;
	uint64_t number;
	if (v < 0 || json_type(j, v) == JSON_NULL)
		return 0;
	if (json_string(j, v, word, sizeof ret->refused))
		str_copy(STR("?"), word, sizeof ret->refused);
	for (unsigned p = 0; *tts_priority(p); p++)
		if (!strcmp(word, tts_priority(p)) || (!json_u64(j, v, &number) && number == p)) {
			ret->priority = (uint8_t)p;
			return 0;
		}
	return refuse_text(err, "invalid_priority", "priority", word);
}

static int read_payload(const struct json *j, json_val item, struct tts_item *ret, struct tts_error *err)
{
	uint8_t all[1024];
	json_val frm = json_get(j, item, "frm_payload"), decoded = json_get(j, item, "decoded_payload");
	size_t n = 0;
	int r = json_base64(j, frm, all, sizeof all, &n);
	if (r == -ENOENT)
		return refuse(err, decoded >= 0 ? "no_encoder" : "no_payload");
	if (r == -ENOSPC || n > TTS_PAYLOAD_MAX)
		return refuse_nums(err, "payload_too_long", "length", r ? json_raw(j, frm).n * 3 / 4 : n, "max", TTS_PAYLOAD_MAX);
	if (r)
		return refuse(err, "invalid_payload");
	memcpy(ret->payload, all, n);
	ret->payload_n = n;
	return 0;
}

static int read_retry(const struct json *j, json_val item, struct tts_item *ret, struct tts_error *err)
{
	json_val v = json_get(j, json_get(j, item, "confirmed_retry"), "max_attempts");
	uint64_t n;
	if (v < 0 || json_type(j, v) == JSON_NULL)
		return 0;
	if (json_u64(j, v, &n) || n > TTS_ATTEMPTS_MAX || n < 1)
		return refuse(err, "invalid_confirmed_retry");
	ret->max_attempts = (uint8_t)n;
	return 0;
}

static int read_class_b_c(const struct json *j, json_val v, struct tts_item *ret, struct tts_error *err)
{
	char when[40];
	uint64_t unix_ns;
	if (v < 0 || json_type(j, v) == JSON_NULL)
		return 0;
	json_val at = json_get(j, v, "absolute_time"), gateways = json_get(j, v, "gateways");
	if (json_type(j, v) != JSON_OBJECT)
		return refuse_text(err, "invalid_class_b_c", "reason", "it is not an object");
	if (gateways >= 0 && json_type(j, gateways) != JSON_ARRAY && json_type(j, gateways) != JSON_NULL)
		return refuse_text(err, "invalid_class_b_c", "reason", "gateways is not an array");
	if (at >= 0 && json_type(j, at) != JSON_NULL &&
		(json_string(j, at, when, sizeof when) || clock_parse_rfc3339(str_of(when), &unix_ns)))
		return refuse_text(err, "invalid_class_b_c", "reason", "absolute_time is not RFC 3339");
	if (str_copy(json_raw(j, v), ret->class_b_c, sizeof ret->class_b_c))
		return refuse_text(err, "invalid_class_b_c", "reason", "it is too long");
	ret->has_class_b_c = true;
	return 0;
}

int tts_request_item(const struct json *j, json_val item, struct tts_item *ret, struct tts_error *err)
{
	json_val confirmed = json_get(j, item, "confirmed");
	*ret = (struct tts_item){ 0 };
	*err = (struct tts_error){ 0 };
	if (json_type(j, item) != JSON_OBJECT)
		return refuse_text(err, "invalid_json", "reason", "an item of `downlinks` is not an object");
	/* Ids first: whoever asked can tell by them which item an error is about. */
	int r = read_cids(j, json_get(j, item, "correlation_ids"), ret, err);
	if (!r)
		r = read_port(j, json_get(j, item, "f_port"), ret, err);
	if (!r)
		r = read_payload(j, item, ret, err);
	if (!r)
		r = read_priority(j, json_get(j, item, "priority"), ret, err);
	if (!r)
		r = read_retry(j, item, ret, err);
	if (!r)
		r = read_class_b_c(j, json_get(j, item, "class_b_c"), ret, err);
	if (!r && confirmed >= 0 && json_type(j, confirmed) != JSON_NULL && json_bool(j, confirmed, &ret->confirmed))
		r = refuse_text(err, "invalid_json", "reason", "confirmed is neither true nor false");
	return r;
}
