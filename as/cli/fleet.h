/** @file Whole fleets: devices from a file, devices into one; many requests at a time. */
#pragma once
#include "as/cli/fleet_csv.h"
#include <signal.h>
#include <stdio.h>

/** Requests to the API, many on their way at a time, answered in any order. */
struct fleet_http;
/** @param status  of HTTP; 0: no answer */
typedef void fleet_answer(void *ctx, int status, struct str body);
/** @return 0; -EINVAL, -ENOMEM with a line in *err */
int fleet_http_open(const struct client *c, struct fleet_http **ret, struct text *err);
void fleet_http_close(struct fleet_http *h);
/** Send, as soon as there is a free connection; meanwhile answers are taken. @return 0; -ENOMEM: `fn` is not called */
int fleet_http_send(struct fleet_http *h, const char *method, const char *path, struct str body, fleet_answer *fn, void *ctx);
/** Until everything is answered. */
void fleet_http_wait(struct fleet_http *h);

/** The devices of a file, one after the other: JSON objects (alone, in an array, or as {"end_devices":[...]}), or CSV. */
struct fleet_file {
	FILE *f;
	bool is_begun, is_csv, is_listed; /**< listed: inside "end_devices" */
	unsigned long line;     /**< of the character to come, from 1 */
	unsigned long item_line; /**< where this device begins */
	uint64_t octets, size;  /**< read so far; of the file, 0: not known */
	struct csv csv;
	struct text json;       /**< this device */
};
enum { FLEET_DEVICE = 0, FLEET_END = 1, FLEET_BAD = 2 };
/** @param path  "-": standard input @return 0; -errno with a line in *err */
int fleet_file_open(struct fleet_file *f, const char *path, struct text *err);
void fleet_file_close(struct fleet_file *f);
/** The next device, in f->json.
 * @return FLEET_DEVICE; FLEET_END; FLEET_BAD this one cannot be read, the next perhaps; -EINVAL none further can. A line in *err */
int fleet_file_next(struct fleet_file *f, struct text *err);

/** How far it is, for people: a line that is written over on a terminal, now and then a new one elsewhere. */
struct fleet_progress {
	const char *verb;    /**< "imported" */
	bool is_terminal, is_shown;
	uint64_t started_ms, shown_ms;
	uint64_t n;          /**< devices */
	unsigned percent;    /**< above 100: not known */
};
void fleet_progress_start(struct fleet_progress *p, const char *verb);
void fleet_progress_show(struct fleet_progress *p);
/** Make room for another line. */
void fleet_progress_clear(struct fleet_progress *p);

/** Ctrl-C: what is on its way is waited for, and nothing more is begun. */
extern volatile sig_atomic_t fleet_is_stopped;
void fleet_catch_stop(void);

int fleet_import(struct cli *c);
int fleet_export(struct cli *c);
