/** @file How errors travel, and how locals clean up after themselves.
 *
 * A function that can fail returns int: 0 done; negative errno for the unexpected, passed up untouched;
 * a positive MODULE_E_* for an outcome that this very function documents and its caller must handle.
 */
#pragma once
#include <assert.h>
#include <errno.h>
#include <stddef.h>

/** Pass a negative result up. A positive one is an outcome the caller forgot to handle: a bug, so it asserts. */
#define TRY(expr)                                \
	do {                                     \
		int try_ = (expr);               \
		if (try_ < 0)                    \
			return try_;             \
		assert(try_ == 0 && "unhandled outcome: " #expr); \
	} while (0)

/** Define fn##_auto so that AUTO(fn) on a local pointer calls fn when the local goes out of scope. */
#define DEFINE_AUTO(type, fn)                             \
	static inline void fn##_auto(type **p_)           \
	{                                                 \
		if (*p_)                                  \
			fn(*p_);                          \
	}                                                 \
	struct fn##_auto_needs_semicolon

/** Local owner: `AUTO(x_free) struct x *p = NULL;` frees p on every path out. */
#define AUTO(fn) __attribute__((cleanup(fn##_auto)))

/** Hand ownership on: yields the pointer and forgets it. */
#define TAKE(p)                              \
	({                                   \
		__typeof__(p) take_ = (p);   \
		(p) = NULL;                  \
		take_;                       \
	})

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/** The struct that holds `member` at `ptr`. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))
