/** @file Settings as tables: an INI file, then GODWIT_SECTION_KEY of the environment, then --section.key=value.
 *
 * A process describes its settings in <process>/settings.def, one line each, and gets a struct filled in:
 *
 *     SETTING(udp_listen, "gs.udp-listen", TEXT, "0.0.0.0:1700", 0, 0, "Where packet forwarders send Semtech UDP")
 *
 * From that line come the parser, the bounds, --help, the manual page and the example configuration.
 * Names without a dot (state-dir) stand before the first section. A section that the process does not own is left
 * to the processes that do; in a section of its own, an unknown key is an error with file and line. Comments are
 * whole lines that begin with # or ;. A value ends with its line and may stand in double quotes. The last of several wins.
 */
#pragma once
#include "common/core/err.h"
#include "common/core/text.h"
#include <stdbool.h>
#include <stdint.h>

enum setting_kind {
	SETTING_TEXT,     /**< char * (owned by the struct); empty: not set */
	SETTING_U32,      /**< uint32_t, min..max */
	SETTING_BOOL,     /**< bool: true/false, yes/no, on/off, 1/0 */
	SETTING_DURATION, /**< uint64_t [us], min..max in us: 200ms, 5s */
	SETTING_SIZE,     /**< uint64_t [octets], min..max: 64KiB, 1GiB, 5MB */
	SETTING_HEX24,    /**< uint32_t of six hex digits: a NetID */
};

struct setting {
	const char *name; /**< "gs.udp-listen", or "state-dir" */
	const char *dflt, *doc;
	size_t off; /**< of the member in the process's struct */
	uint64_t min, max;
	enum setting_kind kind;
};

/** Members and descriptor rows from the same .def file. */
#define SETTING_MEMBER_TEXT     char *
#define SETTING_MEMBER_U32      uint32_t
#define SETTING_MEMBER_BOOL     bool
#define SETTING_MEMBER_DURATION uint64_t
#define SETTING_MEMBER_SIZE     uint64_t
#define SETTING_MEMBER_HEX24    uint32_t

/** Where a value came from. */
struct settings_origin {
	enum { SETTINGS_DEFAULT, SETTINGS_FILE, SETTINGS_ENV, SETTINGS_FLAG } from;
	unsigned line; /**< of the file */
};

struct settings_source {
	const char *file;         /**< NULL: the default file, and no error if it is not there */
	struct str text;          /**< the file's text, if it was read already; .p NULL: read the file */
	const char *const *env;   /**< environ; may be NULL */
	const char *const *flags; /**< NULL-terminated "section.key=value", without the dashes; may be NULL */
	struct settings_origin *ret_origins; /**< one per row; may be NULL */
};

/** The sections a process answers for, and its rows. "" is what stands before the first section. */
struct settings_table {
	const struct setting *rows;
	size_t n;
	const char *const *sections; /**< NULL-terminated: those of which every key must be known */
};

/** Fill *ret (zeroed by this call) with the defaults, then every source in turn; `${state-dir}` in a default is replaced.
 * @param ret_error  on -EINVAL: one line naming file and line (or the variable, or the flag), the key and what would be right
 * @return 0; -EINVAL; -ENOMEM */
int settings_load(const struct settings_table *t, const struct settings_source *src, void *ret, struct text *ret_error);
void settings_done(const struct settings_table *t, void *settings); /**< frees the texts */
/** How the operator finds the row's value: "FILE:12: gs.udp-listen", "GODWIT_GS_UDP_LISTEN", "--gs.udp-listen", or the bare name. */
void settings_where(struct text *out, const struct settings_table *t, const struct settings_source *src, const char *name);
/** Is there a process that owns this section? "" is one. */
bool settings_known_section(struct str section);
/** One paragraph a setting, for --help. */
void settings_help(const struct settings_table *t, struct text *out);
/** A commented INI file with every default as "#key = value"; the example configuration and the test of it are made from this. */
void settings_example(const struct settings_table *t, struct text *out);
