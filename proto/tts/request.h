/** @file The body of down/push and down/replace: The Things Stack's DownlinkQueueRequest, read as tolerantly as they do. */
#pragma once
#include "common/core/json.h"
#include "proto/tts/message.h"

enum {
	TTS_PAYLOAD_MAX = 242,    /**< most that any data rate of any band carries */
	TTS_OWN_CIDS = 16,        /**< correlation ids of the application's on one item */
	TTS_OWN_CID = 100,        /**< characters of one; together they have room for so many of one octet */
	TTS_CLASS_B_C_MAX = 2048, /**< octets of class_b_c as strict JSON */
	TTS_ATTEMPTS_MAX = 32,
	TTS_PORT_MAX = 233,
};

/** One item that was asked for. */
struct tts_item {
	uint8_t f_port, priority, max_attempts; /**< max_attempts 0: not said */
	bool confirmed, has_class_b_c;
	uint8_t payload[TTS_PAYLOAD_MAX];
	size_t payload_n;
	char own_cids[TTS_OWN_CIDS * (TTS_OWN_CID + 1)]; /**< one after another, each terminated */
	size_t own_cids_n;
	char class_b_c[TTS_CLASS_B_C_MAX + 1];
	char refused[32]; /**< the word that an error is about */
	/* For who reads the item to fill in: JSON, borrowed; NULL: none. */
	const char *decoded_payload, *decoded_warnings;
};

/** What a downlink formatter made of an item's decoded_payload. */
struct tts_encoded {
	const char *refusal;  /**< row of proto/errors.def; NULL: it is encoded */
	const char *reason;   /**< of the refusal, in words */
	unsigned line;        /**< of the script that the reason is about; 0: not known */
	struct slice bytes;
	bool has_f_port;      /**< takes the place of the item's */
	uint8_t f_port;
	uint8_t f_port_else;  /**< of an item that names none, if the formatter does not either; 0: that is refused */
};

/** A class_b_c as it was kept: where and when to send. */
enum { TTS_GATEWAYS_MAX = 64 };
struct tts_class_b_c {
	uint64_t at_unix_us; /**< 0: not said */
	size_t n;
	struct tts_gateway {
		char id[37]; /**< "": only the EUI is known */
		bool has_eui;
		uint64_t eui;
		uint32_t group;
	} v[TTS_GATEWAYS_MAX];
};
/** Read a class_b_c that tts_request_item wrote. @return 0; -EINVAL it is damaged; -E2BIG more gateways than that */
int tts_class_b_c_read(const char *object, struct tts_class_b_c *ret);

/** Where the array of items is.
 * @return the array; negative: there is none, and *ret_reason says in words what was found instead */
json_val tts_request_items(const struct json *j, const char **ret_reason);
/** Whose queue, where the request names it itself (pub/sub): "" where it does not. @return 0; -EINVAL */
int tts_request_device(const struct json *j, char *ret_application, char *ret_device, size_t cap);
/** The application's own correlation ids: the object's correlation_ids, if it has any, are added to ret->own_cids.
 * @return 0; TTS_E_REFUSED */
int tts_request_cids(const struct json *j, json_val object, struct tts_item *ret, struct tts_error *err);
/** The values that a formatter is to make an item's octets of.
 * @return its decoded_payload, whatever it is; negative: it has none, or has frm_payload, which counts then */
json_val tts_request_values(const struct json *j, json_val item);
/** The f_port that an item names; 0: none, or nothing that is one. */
unsigned tts_request_f_port(const struct json *j, json_val item);
/** Read one item.
 * @param encoded  what came of its values; NULL: the device has no formatter that makes octets of them
 * @param ret  also set, as far as it could be read, when the item is refused: its correlation ids go back with the error
 * @param err  row set on refusal: what is wrong; its texts are static or borrowed from *ret
 * @return 0; TTS_E_REFUSED */
enum { TTS_E_REFUSED = 1 };
int tts_request_item(
	const struct json *j, json_val item, const struct tts_encoded *encoded, struct tts_item *ret, struct tts_error *err);
