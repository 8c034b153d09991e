/** @file Why a script does not compile, where the engine has ECMAScript 5.1: the first thing in it that came later. */
#pragma once
#include "common/core/text.h"

struct syntax_lack {
	const char *what; /**< with its verb: "arrow functions need"; NULL: nothing of the kind was found */
	unsigned edition; /**< of ECMAScript that brought it: 2015 ... */
	unsigned line;    /**< from 1 */
};

/** Look through the words of a script, passing over comments, strings and regular expressions. It takes no notice of grammar, so it is to
 * be asked only about a text that an engine has refused. Never fails; any octets may be given. */
struct syntax_lack syntax_lack(struct str text);
