/** @file Bus messages: struct types, presence bits, descriptor tables and codecs, all made from messages.def.
 *
 * Each MSG(t) of messages.def becomes `struct t` and `t_schema()`. Its first member is `has`: one bit per field of the table,
 * in order. A decoder sets the bit of every field that came; an encoder sends every REQ field, and the OPT fields
 * whose bit is set. Nobody needs to know the numbers of the bits:
 *
 *     struct rx_meta m = { .rssi_ddbm = -1170, .snr_ddb = -75, .has = HAS(rx_meta, snr_ddb) };
 *     MSG_SET(&m, channel, 3);
 *     if (MSG_HAS(up, snr_ddb)) ...        if (up->has & HAS(rx_meta, snr_ddb)) ...
 *
 * Members: TEXT is `char m[max + 1]`, terminated; BYTES `struct { uint16_t len; uint8_t p[max]; }`; LIST
 * `struct { uint16_t len; struct t v[max]; }`; SUB a struct in place; ULID `struct ulid`; KEY `struct key`.
 *
 * Wire: a msgpack map from field id to value; texts as str, octets as bin, lists as array, integers in their shortest form.
 */
#pragma once
#include "common/core/bytes.h"
#include "common/core/crypto.h"
#include "common/core/id.h"

/* One char per field, so that a field's offset is the number of its bit. */
#define MSG(t, doc)                  struct t##_bits {
#define END_MSG(t)                   };
#define U32(m, id, o, j, d)          char m;
#define U64(m, id, o, j, d)          char m;
#define I32(m, id, o, j, d)          char m;
#define BOOL(m, id, o, j, d)         char m;
#define TEXT(m, max, id, o, j, d)    char m;
#define BYTES(m, max, id, o, j, d)   char m;
#define ULID(m, id, o, j, d)         char m;
#define KEY(m, id, o, j, d)          char m;
#define SUB(t, m, id, o, j, d)       char m;
#define LIST(t, m, max, id, o, j, d) char m;
#define METHOD(...)
#include "proto/messages.def"
#include "proto/undef.h"

/* The types. bits_ takes no room: it ties the bits to the type for MSG_HAS and its sisters. */
#define MSG(t, doc)                  struct t { uint64_t has; struct t##_bits bits_[0];
#define END_MSG(t)                   };
#define U32(m, id, o, j, d)          uint32_t m;
#define U64(m, id, o, j, d)          uint64_t m;
#define I32(m, id, o, j, d)          int32_t m;
#define BOOL(m, id, o, j, d)         bool m;
#define TEXT(m, max, id, o, j, d)    char m[(max) + 1];
#define BYTES(m, max, id, o, j, d)   struct { uint16_t len; uint8_t p[max]; } m;
#define ULID(m, id, o, j, d)         struct ulid m;
#define KEY(m, id, o, j, d)          struct key m;
#define SUB(t, m, id, o, j, d)       struct t m;
#define LIST(t, m, max, id, o, j, d) struct { uint16_t len; struct t v[max]; } m;
#define METHOD(...)
#include "proto/messages.def"
#include "proto/undef.h"

/** The presence bit of a field, by the names of message and member; a constant. */
#define HAS(t, member)            (UINT64_C(1) << offsetof(struct t##_bits, member))
#define MSG_BIT_(p, member)       (UINT64_C(1) << offsetof(__typeof__(*(p)->bits_), member))
#define MSG_HAS(p, member)        (((p)->has & MSG_BIT_(p, member)) != 0)  /**< is it present in *p? */
#define MSG_MARK(p, member)       ((void)((p)->has |= MSG_BIT_(p, member))) /**< say that it is */
#define MSG_UNMARK(p, member)     ((void)((p)->has &= ~MSG_BIT_(p, member)))
#define MSG_SET(p, member, value) ((void)((p)->member = (value), (p)->has |= MSG_BIT_(p, member))) /**< numbers, ULID, SUB */

enum field_kind {
	FIELD_U32, FIELD_U64, FIELD_I32, FIELD_BOOL, FIELD_TEXT, FIELD_BYTES, FIELD_ULID, FIELD_KEY, FIELD_SUB, FIELD_LIST,
	FIELD_KIND_N
};

struct field {
	const char *name, *json, *doc;
	const struct schema *(*sub)(void); /**< SUB and LIST: of the struct; else NULL */
	uint32_t off;                      /**< of the member in the message */
	uint32_t off_v;                    /**< BYTES and LIST: where octets or elements begin, behind their len */
	uint32_t elem;                     /**< LIST: size of an element */
	uint16_t max;                      /**< TEXT, BYTES, LIST: the most it holds */
	uint8_t id, kind;
	bool opt;
};

struct schema {
	const char *name, *doc;
	size_t size; /**< of the struct */
	const struct field *f;
	uint8_t n;
};

/* const struct schema *rx_meta_schema(void), and so on. */
#define MSG(t, doc) const struct schema *t##_schema(void);
#define END_MSG(t)
#define U32(...)
#define U64(...)
#define I32(...)
#define BOOL(...)
#define TEXT(...)
#define BYTES(...)
#define ULID(...)
#define KEY(...)
#define SUB(...)
#define LIST(...)
#define METHOD(...)
#include "proto/messages.def"
#undef MSG
#undef METHOD

/** What can be called: the rows METHOD of messages.def. */
#define MSG(t, doc)
#define METHOD(symbol, name, request, reply, way) symbol,
enum method {
#include "proto/messages.def"
	METHOD_N
};
#include "proto/undef.h"

struct method_info {
	const char *name; /**< on the wire: "NsAs/PullDownlink" */
	const struct schema *(*request)(void);
	const struct schema *(*reply)(void); /**< NULL: a notification, nothing comes back */
	const char *way;                     /**< who calls whom, for people */
};

const struct method_info *method_info(enum method m); /**< m below METHOD_N */
/** Look a method up by its name on the wire. @return 0; -ENOENT */
int method_find(struct str name, enum method *ret);

extern const struct schema *(*const schema_all[])(void); /**< every message, in the order of the page */
extern const size_t schema_all_n;

/** Encode a message into the caller's buffer.
 * @return 0; -ENOSPC it does not fit; -EINVAL a len in *m is beyond its max */
int msg_encode(const struct schema *s, const void *m, void *buf, size_t cap, size_t *ret_len);
/** Decode exactly n octets. Ids that this version does not know are skipped. Allocates nothing.
 * Clears *ret_m first, but for list elements: those beyond a list's len are left as they were (or uninitialised), so that a
 * message that may hold a lot costs only what it holds.
 * @param ret_m  a struct of this schema; its content is undefined on failure
 * @return 0; -EBADMSG malformed, cut short, bytes left over, a field twice, a REQ field missing, too long or of another kind */
int msg_decode(const struct schema *s, const void *p, size_t n, void *ret_m);

/** Append as JSON with the field's json names. Keys are printed as "(secret)", octets and EUIs as hex. */
void msg_print_json(struct text *t, const struct schema *s, const void *m);
/** Append the Markdown page of all messages and methods, which is proto/MESSAGES.md. */
void msg_print_doc(struct text *t);
