/** @file What waits for a payload formatter: one durable line for each device and direction, first in, first out.
 *
 * A record is written with whatever else is written in the same turn, and deleted with whatever its formatter's result makes be
 * written: it is neither lost nor doubled by a crash. The first record of a line is at work, the others wait; other devices never do.
 */
#pragma once
#include "as/as.h"

enum line_way { LINE_UP, LINE_DOWN, LINE_WAYS };

/** The first record of a line. */
struct line_turn {
	uint64_t uid;         /**< of the device, which is there */
	uint64_t number;      /**< as lines_add gave it; after a restart they begin anew */
	struct slice record;  /**< borrowed until the next call of any function of the store, lines_done included */
};

/** Who does the work of one direction. */
struct line_handler {
	/** Begin the work. It ends with lines_done or lines_again, within this call or later.
	 * @param ret_work  what `cancel` is given; left NULL: there is nothing to cancel
	 * @return 0; -EAGAIN not now, -errno of the store: it is tried again after a while */
	int (*begin)(struct as *as, const struct line_turn *turn, void **ret_work);
	/** The device is deleted, or its record was let out, or the process ends: the work is of no use any more, and neither lines_done nor
	 * lines_again is called for it. */
	void (*cancel)(struct as *as, void *work);
	/** Too much waits: do without the formatter, now. The record is deleted then. NULL: records are refused instead, when they come.
	 * @return 0; -errno it stays */
	int (*let_out)(struct as *as, const struct line_turn *turn);
};
/** To be called during the start of the handler's room. @param h  borrowed */
void lines_handle(struct as *as, enum line_way way, const struct line_handler *h);

/** Does anything wait, or is it at work? Then whatever comes next must stand behind it. */
bool lines_waits(const struct as *as, enum line_way way, uint64_t uid);
/** Put a record at the end of a device's line. Its turn comes in a later turn of the loop.
 * @param ret_number  may be NULL: rises from record to record of a device
 * @return 0; LINES_E_FULL as many wait as may, and this direction lets nothing out; -errno of the store */
enum { LINES_E_FULL = 1 };
int lines_add(struct as *as, enum line_way way, const struct device *d, struct slice record, uint64_t *ret_number);
/** Read the record that is at work again. @return 0; -ENOENT; -errno of the store */
int lines_first(struct as *as, enum line_way way, uint64_t uid, struct line_turn *ret);
/** The work of the first record is done: it is deleted, with what was written in this turn, and the next one begins soon.
 * @return 0; -errno of the store: what it came to must be undone, or lines_again called */
int lines_done(struct as *as, enum line_way way, uint64_t uid);
/** The work came to nothing that could be kept: it begins again after a while. */
void lines_again(struct as *as, enum line_way way, uint64_t uid);
