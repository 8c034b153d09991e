/** @file Command line words and flags, in any order. */
#pragma once
#include "common/core/text.h"
#include <stdbool.h>

enum { ARGS_WORDS = 512, ARGS_FLAGS = 96 };
enum flag_kind { FLAG_VALUE, FLAG_TRUTH, FLAG_HEX, FLAG_BASE64, FLAG_JSON, FLAG_LIST_OF, FLAG_GATEWAYS, FLAG_FILE, FLAG_MAP };
/** Groups of commands that take a flag. */
enum flag_group {
	IN_APP = 1, IN_DEV = 2, IN_DOWN = 4, IN_GTW = 8, IN_KEY = 16, IN_EVENT = 32, IN_LIST = 64,
	IN_HOST = 128, /**< of commands that work on this host's state directory, and do not ask the API */
	IN_FLEET = 256, IN_KEY_OF_APP = 512, IN_KEY_OF_GTW = 1024, IN_LINK = 2048, IN_UP = 8192,
	IN_LIST_DEV = 16384, IN_KEY_OF_HOST = 32768, IN_UP_ROOT = 65536, IN_LIST_GTW = 131072, IN_FIND = 262144, IN_LOG = 524288, IN_WHY = 1048576,
	IN_TELEMETRY = 2097152, IN_ATTRIBUTES = 4194304, IN_PUBSUB = 8388608,
	IN_LOGIN = 1 << 24, /**< of commands that say what a device logs in with */
	IN_CALL = 1 << 25, IN_CLAIM = 1 << 26, IN_PROVISION = 1 << 27, IN_PROFILE = 1 << 28,
	IN_WEBHOOK = 1 << 29,
	IN_TRIAL = 1 << 30, /**< of commands that try a payload formatter */
	IN_SHELL = 4096, /**< of commands that ask nobody */
	IN_NAMED = IN_APP | IN_DEV | IN_GTW | IN_KEY, IN_ANY = -1
};

struct flag {
	const char *name, *path, *doc;
	enum flag_kind kind;
	int groups;
};

struct arg {
	const struct flag *flag; /**< NULL: a right or a MAC setting, by its name */
	const char *name;        /**< as written, without the dashes; up to `name_n` */
	size_t name_n;
	const char *value;       /**< "true" for a bare truth */
};

struct args {
	const char *words[ARGS_WORDS];
	size_t n_words, n_flags;
	struct arg flags[ARGS_FLAGS];
	struct str unknown; /**< a flag that is none, where that was the error; all words are there all the same */
};

/** Sort argv into words and flags; strings are borrowed.
 * @return 0; -EINVAL with one line in *err */
int args_parse(int argc, char *const *argv, struct args *ret, struct text *err);
/** Several flags may have one name, for different commands: let those mean what they do for a command that takes `groups`. */
void args_resolve(struct args *a, int groups);
/** The value of a flag: the last one given; NULL if none was. */
const char *args_get(const struct args *a, const char *name);
bool args_on(const struct args *a, const char *name);
/** The table, for help. */
const struct flag *args_flag(size_t i); /**< NULL beyond the end */
/** A right ("right-application-traffic-read") or a MAC setting ("mac-settings.rx1-delay")? */
bool args_is_right(const struct arg *a);
bool args_is_mac_setting(const struct arg *a);
enum { ARGS_RIGHT = 64 };
/** A right as a flag, without dashes: "right-application-info". @return the groups of commands that take it; 0 beyond the end */
int args_right(size_t i, char ret[ARGS_RIGHT]);
/** Names of MAC settings, for completion; one that ends with a point has members. */
const char *args_mac_setting(size_t i); /**< NULL beyond the end */
