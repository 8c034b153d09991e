/** @file Reading the body of down/push and down/replace. */
#include "proto/tts/request.h"
#include "common/core/clock.h"
#include "common/core/json_out.h"
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

json_val tts_request_items(const struct json *j, const char **refusaleason)
{
	json_val root = json_root(j), items = json_get(j, root, "downlinks");
	if (json_type(j, root) != JSON_OBJECT)
		*refusaleason = "it is not an object";
	else if (items < 0)
		*refusaleason = "it has no array `downlinks`";
	else if (json_type(j, items) != JSON_ARRAY)
		*refusaleason = "`downlinks` is not an array";
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

/** One id: a text of at most TTS_OWN_CID characters, well-formed. @return 0; -EINVAL */
static int read_cid(const struct json *j, json_val v, char *ret, size_t cap)
{
	size_t n = 0;
	TRY(json_string(j, v, ret, cap));
	struct str s = str_of(ret);
	if (!utf8_valid(s))
		return -EINVAL;
	for (; s.n; n++) {
		size_t octets = utf8_length(s);
		s = (struct str){s.p + octets, s.n - octets};
	}
	return n > TTS_OWN_CID ? -EINVAL : 0;
}

int tts_request_cids(const struct json *j, json_val object, struct tts_item *ret, struct tts_error *err)
{
	json_val list = json_get(j, object, "correlation_ids");
	size_t n = 0;
	if (list < 0 || json_type(j, list) == JSON_NULL)
		return 0;
	if (json_type(j, list) != JSON_ARRAY)
		return refuse_nums(err, "invalid_correlation_ids", "max", TTS_OWN_CIDS, NULL, 0);
	for (json_val v = json_first(j, list); v >= 0; v = json_next(j, v)) {
		char one[4 * TTS_OWN_CID + 1];
		if (n == TTS_OWN_CIDS || read_cid(j, v, one, sizeof one))
			return refuse_nums(err, "invalid_correlation_ids", "max", TTS_OWN_CIDS, NULL, 0);
		size_t octets = strlen(one) + 1;
		if (octets == 1)
			continue;
		if (octets > sizeof ret->own_cids - ret->own_cids_n)
			return refuse_nums(err, "invalid_correlation_ids", "max", n, NULL, 0);
		memcpy(ret->own_cids + ret->own_cids_n, one, octets);
		ret->own_cids_n += octets;
		n++;
	}
	return 0;
}

static int check_port(uint64_t port, struct tts_item *ret, struct tts_error *err)
{
	ret->f_port = (uint8_t)(port <= UINT8_MAX ? port : 0);
	return port < 1 || port > TTS_PORT_MAX ? refuse_nums(err, "invalid_f_port", "f_port", port, NULL, 0) : 0;
}

unsigned tts_request_f_port(const struct json *j, json_val item)
{
	uint64_t port;
	return !json_u64(j, json_get(j, item, "f_port"), &port) && port <= TTS_PORT_MAX ? (unsigned)port : 0;
}

/** What the item says of its f_port. @return 0; TTS_E_REFUSED */
static int read_named_port(const struct json *j, json_val v, struct tts_item *ret, struct tts_error *err)
{
	uint64_t port;
	if (v < 0 || json_type(j, v) == JSON_NULL)
		return refuse(err, "no_f_port");
	if (!json_u64(j, v, &port))
		return check_port(port, ret, err);
	struct str raw = json_raw(j, v);
	str_copy(raw.n < sizeof ret->refused ? raw : STR("?"), ret->refused, sizeof ret->refused);
	return refuse_text(err, "invalid_f_port", "f_port", ret->refused);
}

static int read_port(const struct json *j, json_val item, const struct tts_encoded *encoded, struct tts_item *ret, struct tts_error *err)
{
	json_val v = json_get(j, item, "f_port");
	uint64_t port;
	bool is_named = v >= 0 && json_type(j, v) != JSON_NULL && (json_u64(j, v, &port) || port);
	int r = !encoded || is_named ? read_named_port(j, v, ret, err) : 0;
	if (r || !encoded || encoded->refusal)
		return r;
	if (encoded->has_f_port)
		return check_port(encoded->f_port, ret, err);
	if (!is_named)
		ret->f_port = encoded->f_port_else;
	return ret->f_port ? 0 : refuse(err, "no_f_port");
}

static int read_priority(const struct json *j, json_val item, struct tts_item *ret, struct tts_error *err)
{
	json_val v = json_get(j, item, "priority");
	char word[sizeof ret->refused];
	uint64_t number;
	if (v < 0 || json_type(j, v) == JSON_NULL)
		return 0;
	if (json_string(j, v, word, sizeof word))
		str_copy(STR("?"), word, sizeof word);
	for (unsigned p = 0; *tts_priority(p); p++)
		if (!strcmp(word, tts_priority(p)) || (!json_u64(j, v, &number) && number == p)) {
			ret->priority = (uint8_t)p;
			return 0;
		}
	if (!*ret->refused)
		memcpy(ret->refused, word, sizeof word);
	return refuse_text(err, "invalid_priority", "priority", ret->refused);
}

json_val tts_request_values(const struct json *j, json_val item)
{
	json_val frm = json_get(j, item, "frm_payload"), decoded = json_get(j, item, "decoded_payload");
	bool has_octets = frm >= 0 && json_type(j, frm) != JSON_NULL && json_raw(j, frm).n;
	return has_octets || decoded < 0 || json_type(j, decoded) == JSON_NULL ? -1 : decoded;
}

/** What the formatter made of its values. */
static int read_encoded(const struct tts_encoded *encoded, struct tts_item *ret, struct tts_error *err)
{
	if (encoded->refusal) {
		err->num_attribute[0] = encoded->line ? "line" : NULL;
		err->num_value[0] = encoded->line;
		return refuse_text(err, encoded->refusal, "reason", encoded->reason);
	}
	if (encoded->bytes.n > TTS_PAYLOAD_MAX)
		return refuse_nums(err, "payload_too_long", "length", encoded->bytes.n, "max", TTS_PAYLOAD_MAX);
	if (encoded->bytes.n)
		memcpy(ret->payload, encoded->bytes.p, encoded->bytes.n);
	ret->payload_n = encoded->bytes.n;
	return 0;
}

static int read_payload(const struct json *j, json_val item, const struct tts_encoded *encoded, struct tts_item *ret, struct tts_error *err)
{
	uint8_t all[1024];
	json_val frm = json_get(j, item, "frm_payload");
	size_t n = 0;
	if (tts_request_values(j, item) >= 0)
		return encoded ? read_encoded(encoded, ret, err)
			       : refuse_text(err, "no_encoder", "reason", "the device has no downlink formatter");
	int r = json_base64(j, frm, all, sizeof all, &n);
	if (r == -ENOENT)
		return refuse(err, "no_payload");
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
	if (v >= 0 && json_type(j, v) == JSON_OBJECT)
		v = json_get(j, v, "value"); /* how wrapper types may be written */
	if (v < 0 || json_type(j, v) == JSON_NULL)
		return 0;
	if (json_u64(j, v, &n) || n > TTS_ATTEMPTS_MAX || n < 1)
		return refuse(err, "invalid_confirmed_retry");
	ret->max_attempts = (uint8_t)n;
	return 0;
}

static void copy_index(struct text *t, const struct json *j, json_val gateway, const char *name)
{
	uint64_t n;
	if (json_u64(j, json_get(j, gateway, name), &n) || !n || n > UINT32_MAX)
		return;
	json_name(t, name);
	json_unum(t, n);
}

/** One gateway, written anew: what was read leniently must not leave as it came. @return 0; -EINVAL it names
 * none */
static int copy_gateway(struct text *t, const struct json *j, json_val gateway)
{
	json_val ids = json_get(j, gateway, "gateway_ids"), eui = json_get(j, ids, "eui");
	char id[37], hex[40];
	uint64_t number;
	bool has_id = !json_string(j, json_get(j, ids, "gateway_id"), id, sizeof id) && *id;
	bool has_eui = !json_string(j, eui, hex, sizeof hex) && !hex_eui(str_of(hex), &number);
	if (!has_id && !has_eui)
		return -EINVAL;
	json_open(t, '{');
	json_name(t, "gateway_ids");
	json_open(t, '{');
	if (has_id) {
		json_name(t, "gateway_id");
		json_puts(t, id);
	}
	if (has_eui) {
		json_name(t, "eui");
		json_eui(t, number);
	}
	json_close(t, '}');
	copy_index(t, j, gateway, "antenna_index");
	copy_index(t, j, gateway, "group_index");
	json_close(t, '}');
	return 0;
}

/** @return NULL; else what is wrong, in words */
static const char *copy_gateways(struct text *t, const struct json *j, json_val gateways)
{
	if (gateways < 0 || json_type(j, gateways) == JSON_NULL)
		return NULL;
	if (json_type(j, gateways) != JSON_ARRAY)
		return "gateways is not an array";
	json_name(t, "gateways");
	json_open(t, '[');
	for (json_val v = json_first(j, gateways); v >= 0; v = json_next(j, v))
		if (copy_gateway(t, j, v))
			return "an element of gateways has neither gateway_ids.gateway_id nor "
			       "gateway_ids.eui";
	json_close(t, ']');
	return NULL;
}

static int read_gateway(const struct json *j, json_val v, struct tts_gateway *ret)
{
	json_val ids = json_get(j, v, "gateway_ids");
	char hex[40];
	uint64_t group = 0;
	*ret = (struct tts_gateway){ .id = "" };
	if (json_string(j, json_get(j, ids, "gateway_id"), ret->id, sizeof ret->id))
		ret->id[0] = '\0';
	ret->has_eui = !json_string(j, json_get(j, ids, "eui"), hex, sizeof hex) && !hex_eui(str_of(hex), &ret->eui);
	if (!json_u64(j, json_get(j, v, "group_index"), &group))
		ret->group = (uint32_t)group;
	return ret->has_eui || *ret->id ? 0 : -EINVAL;
}

int tts_class_b_c_read(const char *object, struct tts_class_b_c *ret)
{
	struct json_tok tok[16 * TTS_GATEWAYS_MAX];
	struct json j;
	char when[40];
	uint64_t unix_ns;
	ret->at_unix_us = ret->n = 0;
	TRY(json_parse(str_of(object), tok, COUNT(tok), &j, NULL));
	json_val at = json_get(&j, json_root(&j), "absolute_time"), list = json_get(&j, json_root(&j), "gateways");
	if (at >= 0) {
		if (json_string(&j, at, when, sizeof when) || clock_parse_rfc3339(str_of(when), &unix_ns))
			return -EINVAL;
		ret->at_unix_us = unix_ns < 1000 ? 1 : unix_ns / 1000; /* 1970 is a time that was said, too */
	}
	for (json_val v = list >= 0 ? json_first(&j, list) : -1; v >= 0; v = json_next(&j, v)) {
		if (ret->n == TTS_GATEWAYS_MAX)
			return -E2BIG;
		TRY(read_gateway(&j, v, &ret->v[ret->n++]));
	}
	return 0;
}

static int read_class_b_c(const struct json *j, json_val item, struct tts_item *ret, struct tts_error *err)
{
	json_val v = json_get(j, item, "class_b_c"), at = json_get(j, v, "absolute_time");
	struct text t = text_fixed(ret->class_b_c, sizeof ret->class_b_c);
	char when[40];
	uint64_t unix_ns;
	if (v < 0 || json_type(j, v) == JSON_NULL)
		return 0;
	if (json_type(j, v) != JSON_OBJECT)
		return refuse_text(err, "invalid_class_b_c", "reason", "it is not an object");
	json_open(&t, '{');
	const char *wrong = copy_gateways(&t, j, json_get(j, v, "gateways"));
	if (wrong)
		return refuse_text(err, "invalid_class_b_c", "reason", wrong);
	if (at >= 0 && json_type(j, at) != JSON_NULL) {
		if (json_string(j, at, when, sizeof when) || clock_parse_rfc3339(str_of(when), &unix_ns))
			return refuse_text(
				err, "invalid_class_b_c", "reason", "absolute_time is not RFC 3339");
		json_name(&t, "absolute_time");
		json_time(&t, unix_ns);
	}
	json_close(&t, '}');
	if (t.failed)
		return refuse_text(err, "invalid_class_b_c", "reason", "it is too long");
	ret->has_class_b_c = true;
	return 0;
}

static int read_confirmed(const struct json *j, json_val item, struct tts_item *ret, struct tts_error *err)
{
	json_val v = json_get(j, item, "confirmed");
	if (v >= 0 && json_type(j, v) != JSON_NULL && json_bool(j, v, &ret->confirmed))
		return refuse_text(err, "invalid_json", "reason", "confirmed is neither true nor false");
	return 0;
}

/** Of several things that are wrong, the first is told. @return true: it is this one */
static bool is_first(int r, int *refusal)
{
	bool is = r && !*refusal;
	if (is)
		*refusal = r;
	return is;
}

/** What stands beside the payload. */
static int read_rest(const struct json *j, json_val item, struct tts_item *ret, struct tts_error *err)
{
	static int (*const readers[])(const struct json *, json_val, struct tts_item *, struct tts_error *) = {
		read_priority, read_retry, read_class_b_c, read_confirmed,
	};
	int refusal = 0;
	for (size_t i = 0; i < COUNT(readers); i++) {
		struct tts_error e = { 0 };
		if (is_first(readers[i](j, item, ret, &e), &refusal))
			*err = e;
	}
	return refusal;
}

int tts_request_item(
	const struct json *j, json_val item, const struct tts_encoded *encoded, struct tts_item *ret, struct tts_error *err)
{
	struct tts_error in_port = { 0 }, in_payload = { 0 }, in_rest = { 0 };
	/* Not all of it: zeroing 4 KiB a hundred thousand times is most of what a request full of nothing
	 * costs. */
	ret->f_port = ret->priority = ret->max_attempts = 0;
	ret->confirmed = ret->has_class_b_c = false;
	ret->payload_n = ret->own_cids_n = 0;
	ret->own_cids[0] = ret->class_b_c[0] = ret->refused[0] = '\0';
	ret->decoded_payload = ret->decoded_warnings = NULL;
	*err = (struct tts_error){ 0 };
	if (json_type(j, item) != JSON_OBJECT)
		return refuse_text(err, "invalid_json", "reason", "an item of `downlinks` is not an object");
	/* All are read even after one was refused, so that what goes back is what was asked for. */
	int refusal = tts_request_cids(j, item, ret, err);
	if (is_first(read_port(j, item, encoded, ret, &in_port), &refusal))
		*err = in_port;
	if (is_first(read_payload(j, item, encoded, ret, &in_payload), &refusal))
		*err = in_payload;
	if (is_first(read_rest(j, item, ret, &in_rest), &refusal))
		*err = in_rest;
	return refusal;
}
