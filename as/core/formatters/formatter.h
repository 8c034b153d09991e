/** @file Payload formatters: which are set, of a device or of its application, and which are in force. */
#pragma once
#include "as/core/formatters/script.h"
#include "common/core/json_out.h"

struct app;
struct device;

/** Names: FORMATTER_NONE and so on, as The Things Stack has them. */
enum formatter_kind {
	FORMATTER_NONE,
	FORMATTER_REPOSITORY,   /**< kept and not run: there is no device repository here */
	FORMATTER_GRPC_SERVICE, /**< kept and not run, as in The Things Stack */
	FORMATTER_JAVASCRIPT,
	FORMATTER_CAYENNELPP,
	FORMATTER_N
};

/** One direction. */
struct formatter {
	enum formatter_kind kind;
	bool is_named;         /**< somebody said which kind, if only NONE */
	struct script *script; /**< its parameter, held: the script of JAVASCRIPT; NULL: none */
};

struct formatters {
	bool are_set; /**< a device's own, which count altogether or not at all */
	struct formatter up, down;
};

const char *formatter_name(enum formatter_kind k); /**< "FORMATTER_JAVASCRIPT"; "" beyond */
/** @return 0; -EINVAL none of those */
int formatter_parse(struct str name, enum formatter_kind *ret);
/** Does it do anything here? Neither NONE nor one that is merely kept. */
bool formatter_runs(const struct formatter *f);

/** Those in force: the device's own, else its application's defaults. *ret borrows: it holds nothing and lives until either record
 * is changed. A JAVASCRIPT without a script is told as NONE; d may be NULL. Takes no time: meant for each message. */
void formatters_of(const struct app *a, const struct device *d, struct formatters *ret);

void formatters_copy(struct formatters *dst, const struct formatters *src); /**< holds what src has; dst was empty */
void formatters_done(struct formatters *f);
/** @return 0; -ENOMEM, then f is still whole */
int formatters_intern(struct scripts *t, struct formatters *f);
/** `"name":{"up_formatter":…,"up_formatter_parameter":…,…}`; nothing unless they are set. @param has_scripts  with the parameters */
void formatters_write(struct text *t, const char *name, const struct formatters *f, bool has_scripts);
