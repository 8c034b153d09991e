/** @file Logging: one line per event on stderr, logfmt or JSON, a stable first word.
 *
 *     LOG(LOG_INFO, "uplink", KV_STR("cid", cid), KV_EUI("dev", eui), KV_U("fcnt", fcnt));
 *
 * The core never logs: it returns what happened and the shell writes it. Keys are never given to this file.
 */
#pragma once
#include "common/core/text.h"
#include <inttypes.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_LOGFMT, LOG_JSON };
enum kv_kind { KV_END, KV_KIND_TEXT, KV_KIND_STR, KV_KIND_U, KV_KIND_I, KV_KIND_EUI, KV_KIND_HEX32 };

struct kv {
	enum kv_kind kind;
	const char *name;
	const char *z;
	struct str s;
	uint64_t u;
	int64_t i;
};
#define KV_Z(n, v)     ((struct kv){ .kind = KV_KIND_TEXT, .name = (n), .z = (v) })
#define KV_STR(n, v)   ((struct kv){ .kind = KV_KIND_STR, .name = (n), .s = (v) })
#define KV_U(n, v)     ((struct kv){ .kind = KV_KIND_U, .name = (n), .u = (v) })
#define KV_I(n, v)     ((struct kv){ .kind = KV_KIND_I, .name = (n), .i = (v) })
#define KV_EUI(n, v)   ((struct kv){ .kind = KV_KIND_EUI, .name = (n), .u = (v) })   /**< 16 hex digits */
#define KV_HEX32(n, v) ((struct kv){ .kind = KV_KIND_HEX32, .name = (n), .u = (v) }) /**< 8 hex digits */

#define LOG(level, word, ...)                                                                  \
	do {                                                                                   \
		if (log_on(level))                                                             \
			log_write((level), (word), (const struct kv[]){ __VA_ARGS__ __VA_OPT__(,) { .kind = KV_END } }); \
	} while (0)

void log_setup(enum log_format format, enum log_level level, const char *process); /**< process: gs, ns, as, borrowed */
/** All of the process at another level for a while. @param level  -1: back to what log_setup said */
void log_level_of_process(int level);
bool log_on(enum log_level level);
void log_write(enum log_level level, const char *word, const struct kv *kv);
