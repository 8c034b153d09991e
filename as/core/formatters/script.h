/** @file Texts of payload formatters, each kept once: ten thousand devices with one script hold one text. */
#pragma once
#include "as/core/hash.h"
#include "common/core/text.h"

enum { SCRIPT_TEXT_MAX = 65536 }; /**< octets of a formatter's parameter */

struct scripts;
/** A text that formatters share; it goes with the last of them. */
struct script {
	uint64_t number; /**< never used again in this process; 0: not interned (yet) */
	unsigned refs;
	size_t n;        /**< octets of text, which holds no U+0000 */
	struct scripts *table; /**< NULL: not interned */
	UT_hash_handle hh;
	char text[];     /**< UTF-8, terminated */
};

/** The texts by content. It may go before the last text does. */
struct scripts {
	struct script *by_text;
	uint64_t last; /**< number given last */
};
void scripts_done(struct scripts *t);

/** A text of its own, held once by the caller. @param text  at most SCRIPT_TEXT_MAX octets
 * @return NULL: no memory */
struct script *script_new(struct str text);
/** Exchange *s (may be NULL: nothing happens) for the table's text of the same content; the caller's hold goes along.
 * @return 0; -ENOMEM, *s is as it was */
int scripts_intern(struct scripts *t, struct script **s);
struct script *script_hold(struct script *s); /**< s; NULL is accepted */
void script_release(struct script *s);        /**< NULL is accepted */
DEFINE_AUTO(struct script, script_release);
struct str script_str(const struct script *s); /**< empty for NULL */
