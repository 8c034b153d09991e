/** @file Frames of msgpack-RPC: where one ends in a stream, what it says, and how one begins. Pure.
 *
 *     request       [0, id, method, [message]]
 *     response      [1, id, error or nil, message or nil]
 *     notification  [2, method, [message]]
 */
#pragma once
#include "common/core/text.h"

enum { RPC_FRAME_MAX = 1 << 20, RPC_HEAD_MAX = 96 };
enum { RPC_E_MORE = 1 };

/** How far the frame that is coming in has been read. All zero: at its beginning. It keeps no more than nine octets and two
 * counts, however deep a frame nests. */
struct rpc_scan {
	uint64_t todo; /**< values still to begin */
	uint64_t skip; /**< octets of the present value's body still to pass over */
	size_t len;    /**< octets of the frame so far */
	uint8_t head[9], n_head; /**< a head that the last piece cut in two */
};

/** Read on. Each octet is looked at once, however the stream is cut into pieces.
 * @param ret_taken  how many octets of p belong to the frame; all of them with RPC_E_MORE
 * @return 0 the frame is complete, and *s stands at the next one; RPC_E_MORE; -EBADMSG no msgpack, or no array of three or four;
 *         -EMSGSIZE it is longer than RPC_FRAME_MAX, or claims to become so */
int rpc_scan(struct rpc_scan *s, const uint8_t *p, size_t n, size_t *ret_taken);

enum rpc_type { RPC_REQUEST, RPC_RESPONSE, RPC_NOTIFY };

/** A frame, taken apart; all slices borrow from it. */
struct rpc_frame {
	enum rpc_type type;
	uint32_t id;         /**< REQUEST and RESPONSE */
	struct str method;   /**< REQUEST and NOTIFY */
	bool is_error;       /**< RESPONSE: the message is the error */
	struct slice message; /**< one msgpack value */
};

/** Take a complete frame apart. @return 0; -EBADMSG it is none of the three */
int rpc_parse(struct slice frame, struct rpc_frame *ret);

/** Write what stands before the message; a message follows, and the frame is complete.
 * @param buf     RPC_HEAD_MAX octets
 * @param method  at most 64 characters
 * @return octets written */
size_t rpc_put_request(uint8_t *buf, uint32_t id, const char *method);
size_t rpc_put_notify(uint8_t *buf, const char *method);
size_t rpc_put_error(uint8_t *buf, uint32_t id); /**< and behind the message one octet more: RPC_NIL */
size_t rpc_put_result(uint8_t *buf, uint32_t id);

enum { RPC_NIL = 0xc0 };
