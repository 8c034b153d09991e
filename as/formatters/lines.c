/** @file Lines of records that wait for a payload formatter.
 *
 * In memory there are the numbers of each line alone; records are read when their turn comes. Numbers of a line have no gaps.
 */
#include "as/formatters/lines.h"
#include "as/store.h"
#include "common/log.h"
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum {
	LINE_KEY = UID_KEY + 8,
	AT_ONCE = 64,      /* lines that begin in one turn of the loop */
	REFUSALS = 8,      /* in one turn; the others would hardly fare better */
	LET_OUT_AT_ONCE = 16,
	SHARE = 4,         /* an application has a quarter of the room */
};
#define RETRY_US (20 * MS_US)

static const enum as_table tables[LINE_WAYS] = { [LINE_UP] = TABLE_LINES_UP, [LINE_DOWN] = TABLE_LINES_DOWN };

/** Records of a device from first up to next. */
struct line {
	uint64_t uid, first, next;
	enum line_way way;
	size_t bytes;
	bool is_ready;         /**< in the list of those whose first record is not at work, or that are empty */
	void *work;
	struct line_app *app;
	TAILQ_ENTRY(line) in_ready, in_app;
	UT_hash_handle hh;
};

/** What waits of an application. */
struct line_app {
	char key[APP_KEY_TEXT];
	size_t bytes;
	TAILQ_HEAD(, line) lines[LINE_WAYS]; /**< the next to let one out first */
	UT_hash_handle hh;
};

struct lines {
	struct as *as;
	const struct line_handler *handlers[LINE_WAYS];
	struct line *by_uid[LINE_WAYS];
	struct line_app *apps;
	TAILQ_HEAD(, line) ready;
	size_t n_ready;
	size_t bytes;
	uint64_t base;            /**< numbers of lines that begin now: none was given before */
	bool is_due;
	struct loop_timer *retry;
};

static void go_on(void *ctx);

/** @param n  0: the prefix of a line */
static struct slice key_of(uint8_t buf[LINE_KEY], const struct line *x, uint64_t n)
{
	struct writer w = writer_of(buf, LINE_KEY);
	writer_u8(&w, (uint8_t)tables[x->way]);
	writer_be64(&w, x->uid);
	writer_be64(&w, n);
	return (struct slice){ buf, w.len };
}

static struct line *find(const struct lines *l, enum line_way way, uint64_t uid)
{
	struct line *x;
	HASH_FIND(hh, l->by_uid[way], &uid, sizeof uid, x);
	return x;
}

static bool is_empty(const struct line *x)
{
	return x->first == x->next;
}

/* ---- lines and whose they are ---- */

static struct line_app *app_of(struct lines *l, const char *key)
{
	struct line_app *a;
	HASH_FIND_STR(l->apps, key, a);
	if (a || !(a = calloc(1, sizeof *a)))
		return a;
	str_copy(str_of(key), a->key, sizeof a->key);
	for (size_t i = 0; i < LINE_WAYS; i++)
		TAILQ_INIT(&a->lines[i]);
	HASH_ADD_STR(l->apps, key, a);
	if (a->hh.tbl)
		return a;
	free(a);
	return NULL;
}

static void leave_app(struct lines *l, struct line *x)
{
	struct line_app *a = x->app;
	if (!a)
		return;
	TAILQ_REMOVE(&a->lines[x->way], x, in_app);
	a->bytes -= x->bytes;
	x->app = NULL;
	for (size_t i = 0; i < LINE_WAYS; i++)
		if (!TAILQ_EMPTY(&a->lines[i]))
			return;
	HASH_DEL(l->apps, a);
	free(a);
}

/** @return 0; -ENOMEM */
static int join_app(struct lines *l, struct line *x, const char *key)
{
	struct line_app *a = app_of(l, key);
	if (!a)
		return -ENOMEM;
	x->app = a;
	a->bytes += x->bytes;
	TAILQ_INSERT_TAIL(&a->lines[x->way], x, in_app);
	return 0;
}

static void get_ready(struct lines *l, struct line *x)
{
	if (x->is_ready)
		return;
	x->is_ready = true;
	l->n_ready++;
	TAILQ_INSERT_TAIL(&l->ready, x, in_ready);
}

static void leave_ready(struct lines *l, struct line *x)
{
	if (!x->is_ready)
		return;
	x->is_ready = false;
	l->n_ready--;
	TAILQ_REMOVE(&l->ready, x, in_ready);
}

static void count(struct lines *l, struct line *x, bool is_more, size_t records, size_t bytes)
{
	uint64_t *waiting = &l->as->metrics.formatters_waiting[x->way];
	*waiting = is_more ? *waiting + records : *waiting - records;
	l->bytes = is_more ? l->bytes + bytes : l->bytes - bytes;
	x->bytes = is_more ? x->bytes + bytes : x->bytes - bytes;
	if (x->app)
		x->app->bytes = is_more ? x->app->bytes + bytes : x->app->bytes - bytes;
}

/** What becomes of its records is the caller's. */
static void forget(struct lines *l, struct line *x)
{
	if (x->work)
		l->handlers[x->way]->cancel(l->as, x->work);
	if (x->next > l->base)
		l->base = x->next;
	count(l, x, false, x->next - x->first, x->bytes);
	leave_ready(l, x);
	leave_app(l, x);
	HASH_DEL(l->by_uid[x->way], x);
	free(x);
}

static struct line *find_or_add(struct lines *l, enum line_way way, uint64_t uid)
{
	struct line *x = find(l, way, uid);
	if (x || !(x = calloc(1, sizeof *x)))
		return x;
	*x = (struct line){ .uid = uid, .way = way, .first = l->base, .next = l->base };
	HASH_ADD(hh, l->by_uid[way], uid, sizeof x->uid, x);
	if (x->hh.tbl)
		return x;
	free(x);
	return NULL;
}

static void call_later(struct lines *l)
{
	if (!l->is_due && !loop_defer(l->as->loop, go_on, l))
		l->is_due = true;
	else if (!l->is_due)
		loop_timer_in(l->retry, RETRY_US);
}

/* ---- records ---- */

/** The first record; one that is not there any more is stepped over. @return 0; -ENOENT the line is empty; -errno of the store */
static int read_first(struct lines *l, struct line *x, struct line_turn *ret)
{
	uint8_t key[LINE_KEY];
	while (!is_empty(x)) {
		int r = store_get(l->as->store, key_of(key, x, x->first), &ret->record);
		ret->uid = x->uid;
		ret->number = x->first;
		if (r <= 0)
			return r;
		count(l, x, false, 1, 0);
		x->first++;
	}
	return -ENOENT;
}

/** @return 0; -errno of the store */
static int drop_first(struct lines *l, struct line *x)
{
	uint8_t key[LINE_KEY];
	struct slice record;
	int r = store_get(l->as->store, key_of(key, x, x->first), &record);
	if (r < 0)
		return r;
	size_t n = r ? 0 : record.n;
	TRY(store_del(l->as->store, key_of(key, x, x->first)));
	count(l, x, false, 1, n < x->bytes ? n : x->bytes);
	x->first++;
	return 0;
}

/* ---- bounds ---- */

/** Who of all applications has most, of those that have anything to let out. */
static struct line_app *greediest(struct lines *l)
{
	struct line_app *a, *tmp, *found = NULL;
	HASH_ITER(hh, l->apps, a, tmp)
		if (!TAILQ_EMPTY(&a->lines[LINE_UP]) && (!found || a->bytes > found->bytes))
			found = a;
	return found;
}

/** The line that is to let one out; NULL: it is not too much. */
static struct line *too_much(struct lines *l, struct line *x)
{
	const struct as_settings *s = l->as->settings;
	if (x->next - x->first > s->formatter_messages)
		return x;
	if (x->app->bytes > s->formatter_size / SHARE)
		return TAILQ_FIRST(&x->app->lines[x->way]);
	if (l->bytes <= s->formatter_size)
		return NULL;
	struct line_app *a = greediest(l);
	return a ? TAILQ_FIRST(&a->lines[LINE_UP]) : NULL;
}

/** @return 0; -errno nothing was let out */
static int let_out_first(struct lines *l, struct line *x)
{
	struct line_turn turn;
	const struct line_handler *h = l->handlers[x->way];
	TAILQ_REMOVE(&x->app->lines[x->way], x, in_app);
	TAILQ_INSERT_TAIL(&x->app->lines[x->way], x, in_app);
	TRY(read_first(l, x, &turn));
	TRY(h->let_out(l->as, &turn));
	TRY(drop_first(l, x));
	if (x->work)
		h->cancel(l->as, x->work);
	x->work = NULL;
	l->as->metrics.formatters_let_out++;
	get_ready(l, x);
	return 0;
}

static void keep_bounded(struct lines *l, struct line *x)
{
	struct line *y;
	int r = 0;
	for (size_t i = 0; i < LET_OUT_AT_ONCE && (!r || r == -ENOENT) && (y = too_much(l, x)); i++)
		r = let_out_first(l, y);
}

/** Is there room for another record of a direction that lets nothing out? */
static bool has_room(const struct lines *l, const struct line *x, const struct device *d, size_t n)
{
	const struct as_settings *s = l->as->settings;
	struct line_app *a;
	HASH_FIND_STR(l->apps, d->app->key, a);
	return x->next - x->first < s->formatter_messages && (a ? a->bytes : 0) + n <= s->formatter_size / SHARE &&
		l->bytes + n <= s->formatter_size;
}

/* ---- what others call ---- */

void lines_handle(struct as *as, enum line_way way, const struct line_handler *h)
{
	as->lines->handlers[way] = h;
}

bool lines_waits(const struct as *as, enum line_way way, uint64_t uid)
{
	const struct line *x = find(as->lines, way, uid);
	return x && !is_empty(x);
}

/** @return 0; LINES_E_FULL; -errno */
static int add(struct lines *l, struct line *x, const struct device *d, struct slice record)
{
	uint8_t key[LINE_KEY];
	bool lets_out = l->handlers[x->way] && l->handlers[x->way]->let_out;
	if (!lets_out && !has_room(l, x, d, record.n))
		return LINES_E_FULL;
	if (!x->app)
		TRY(join_app(l, x, d->app->key));
	TRY(store_put(l->as->store, key_of(key, x, x->next), record));
	bool is_first = is_empty(x);
	x->next++;
	count(l, x, true, 1, record.n);
	if (is_first)
		get_ready(l, x);
	if (lets_out)
		keep_bounded(l, x);
	return 0;
}

int lines_add(struct as *as, enum line_way way, const struct device *d, struct slice record, uint64_t *ret_number)
{
	struct lines *l = as->lines;
	struct line *x = find_or_add(l, way, d->entry.uid);
	if (!x)
		return -ENOMEM;
	uint64_t number = x->next;
	int r = add(l, x, d, record);
	if (r && is_empty(x))
		get_ready(l, x); /* where it is forgotten */
	call_later(l);
	if (!r && ret_number)
		*ret_number = number;
	return r;
}

int lines_first(struct as *as, enum line_way way, uint64_t uid, struct line_turn *ret)
{
	struct line *x = find(as->lines, way, uid);
	return x ? read_first(as->lines, x, ret) : -ENOENT;
}

int lines_done(struct as *as, enum line_way way, uint64_t uid)
{
	struct lines *l = as->lines;
	struct line *x = find(l, way, uid);
	if (!x || is_empty(x))
		return 0;
	TRY(drop_first(l, x));
	x->work = NULL;
	get_ready(l, x);
	call_later(l);
	return 0;
}

void lines_again(struct as *as, enum line_way way, uint64_t uid)
{
	struct lines *l = as->lines;
	struct line *x = find(l, way, uid);
	if (!x)
		return;
	x->work = NULL;
	get_ready(l, x);
	loop_timer_in(l->retry, RETRY_US);
}

/* ---- turns ---- */

/** @return 0 its first record is at work, or was done; -errno not now */
static int begin(struct lines *l, struct line *x)
{
	const struct line_handler *h = l->handlers[x->way];
	struct line_turn turn;
	void *work = NULL;
	if (!h)
		return -EAGAIN;
	leave_ready(l, x);
	int r = read_first(l, x, &turn);
	if (!r)
		r = h->begin(l->as, &turn, &work);
	if (r)
		get_ready(l, x);
	else
		x->work = work;
	return r == -ENOENT ? 0 : r;
}

static void go_on(void *ctx)
{
	struct lines *l = ctx;
	size_t n = l->n_ready < AT_ONCE ? l->n_ready : AT_ONCE, refused = 0;
	bool is_failing = store_failing(l->as->store);
	l->is_due = false;
	for (size_t i = 0; i < n && !is_failing && refused < REFUSALS; i++) {
		struct line *x = TAILQ_FIRST(&l->ready);
		if (is_empty(x))
			forget(l, x);
		else
			refused += begin(l, x) != 0;
	}
	if (l->n_ready && (refused || is_failing))
		loop_timer_in(l->retry, RETRY_US);
	else if (l->n_ready)
		call_later(l);
}

/* ---- the room ---- */

static void forget_with_records(struct lines *l, struct line *x)
{
	uint8_t key[UID_KEY];
	int r = as_store_forget(l->as->store, as_store_uid_key(key, tables[x->way], x->uid));
	if (r)
		LOG(LOG_ERROR, "line_left", KV_U("device", x->uid), KV_Z("error", strerror(-r)));
	forget(l, x);
}

static void on_device(void *ctx, struct device *d, enum change c)
{
	struct lines *l = ctx;
	for (enum line_way w = 0; w < LINE_WAYS && c == CHANGE_DELETED; w++) {
		struct line *x = find(l, w, d->entry.uid);
		if (x)
			forget_with_records(l, x);
	}
}

static int load(void *ctx, struct slice key, struct slice value)
{
	struct lines *l = ctx;
	struct reader r = reader_of(key.p + 1, key.n - 1);
	uint64_t uid = reader_be64(&r), n = reader_be64(&r);
	if (r.failed)
		return 0;
	struct line *x = find_or_add(l, key.p[0] == TABLE_LINES_UP ? LINE_UP : LINE_DOWN, uid);
	if (!x)
		return -ENOMEM;
	if (is_empty(x))
		x->first = x->next = n;
	count(l, x, true, n + 1 - x->next, value.n);
	x->next = n + 1;
	return 0;
}

/** After loading: what belongs to no device goes (a crash can cut a deletion in two), the rest is ready. @return 0; -ENOMEM */
static int settle(struct lines *l, enum line_way way)
{
	struct line *x, *tmp;
	HASH_ITER(hh, l->by_uid[way], x, tmp) {
		const struct device *d = registry_device_by_uid(&l->as->registry, x->uid);
		if (!d) {
			forget_with_records(l, x);
			continue;
		}
		TRY(join_app(l, x, d->app->key));
		get_ready(l, x);
	}
	return 0;
}

int lines_start(struct as *as, struct text *err)
{
	struct lines *l = as->lines = calloc(1, sizeof *l);
	if (!l)
		return -ENOMEM;
	l->as = as;
	TAILQ_INIT(&l->ready);
	l->retry = loop_timer_new(as->loop, go_on, l);
	if (!l->retry)
		return -ENOMEM;
	for (enum line_way w = 0; w < LINE_WAYS; w++) {
		const uint8_t prefix = (uint8_t)tables[w];
		if (store_scan(as->store, (struct slice){ &prefix, 1 }, (struct slice){ 0 }, load, l)) {
			text_puts(err, "the store's lines of messages for payload formatters cannot be read");
			return -EIO;
		}
		TRY(settle(l, w));
	}
	registry_watch(&as->registry, &(struct registry_watch){ .device = on_device, .ctx = l });
	call_later(l);
	return 0;
}

void lines_stop(struct as *as)
{
	struct lines *l = as->lines;
	struct line *x, *tmp;
	if (!l)
		return;
	for (enum line_way w = 0; w < LINE_WAYS; w++)
		HASH_ITER(hh, l->by_uid[w], x, tmp)
			forget(l, x);
	loop_forget(as->loop, go_on, l);
	loop_timer_free(l->retry);
	free(l);
	as->lines = NULL;
}
