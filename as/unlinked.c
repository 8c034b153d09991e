/** @file What devices sent while their application had no link.
 *
 * A message is written in the same commit as the note that the ns's message was taken, and deleted in the same commit in which MQTT
 * sessions keep it: it is neither lost nor doubled by a crash. Numbers of an application's messages have no gaps.
 */
#include "as/unlinked.h"
#include "as/store.h"
#include "as/traces.h"
#include "as/traffic.h"
#include "common/log.h"
#include <stdlib.h>
#include <string.h>

/* At this pace a client takes what waited as it comes, instead of its queue (as.mqtt-queue-messages) running over. */
enum { AT_ONCE = 50, PAUSE_US = 50000, WAITING_KEY = 1 + APP_KEY_TEXT + 8, TAIL_MAX = 256, MESSAGE_MAX = 1 << 20 };

/** An application of which messages wait: those from first up to next. */
struct waiter {
	char app[APP_KEY_TEXT];
	uint64_t first, next;
	bool has_lost; /**< said in the log */
	UT_hash_handle hh;
};

struct unlinked {
	struct as *as;
	struct waiter *apps;
	struct loop_timer *timer; /**< of the next messages that linked applications get */
	struct text message;      /**< scratch */
};

/** Prefix, application, 0, number. */
static struct slice key_of(uint8_t buf[WAITING_KEY], const char *app, uint64_t n)
{
	struct writer w = writer_of(buf, WAITING_KEY);
	writer_u8(&w, TABLE_WAITING);
	writer_put(&w, app, strlen(app) + 1);
	writer_be64(&w, n);
	return (struct slice){ buf, w.len };
}

static struct waiter *find(const struct unlinked *w, const char *app)
{
	struct waiter *a;
	HASH_FIND_STR(w->apps, app, a);
	return a;
}

static struct waiter *find_or_add(struct unlinked *w, const char *app)
{
	struct waiter *a = find(w, app);
	if (a || !(a = calloc(1, sizeof *a)))
		return a;
	str_copy(str_of(app), a->app, sizeof a->app);
	HASH_ADD_STR(w->apps, app, a);
	if (a->hh.tbl)
		return a;
	free(a);
	return NULL;
}

static void forget(struct unlinked *w, struct waiter *a)
{
	HASH_DEL(w->apps, a);
	free(a);
}

/** @return 0; -errno */
static int drop_first(struct unlinked *w, struct waiter *a)
{
	uint8_t key[WAITING_KEY];
	TRY(store_del(w->as->store, key_of(key, a->app, a->first)));
	a->first++;
	w->as->metrics.waiting--;
	return 0;
}

/** The newest messages are worth more than the oldest. A bound that was lowered is reached step by step. */
static void keep_bounded(struct unlinked *w, struct waiter *a, const struct app *app)
{
	struct as *as = w->as;
	for (size_t i = 0; i < AT_ONCE && a->next - a->first > as->settings->waiting_messages; i++) {
		if (drop_first(w, a))
			return;
		as->metrics.waiting_lost++;
		traces_add_app(as, EVENT_AS_UP_DATA_DROP, app, "{\"reason\":\"not_linked\"}");
		if (!a->has_lost)
			LOG(LOG_ERROR, "waiting_lost", KV_Z("application", a->app), KV_U("waiting", a->next - a->first),
				KV_Z("why", "the application is not linked: godwit applications link set"));
		a->has_lost = true;
	}
}

/** @return 0; -errno */
static int keep(struct unlinked *w, const struct app *app, struct str tail, struct str json)
{
	uint8_t key[WAITING_KEY];
	struct text *t = &w->message;
	text_reset(t);
	text_put(t, tail);
	text_putc(t, '\n');
	text_put(t, json);
	struct waiter *a = t->failed ? NULL : find_or_add(w, app->key);
	if (!a)
		return -ENOMEM;
	int e = store_put(w->as->store, key_of(key, a->app, a->next), (struct slice){ (const uint8_t *)t->p, t->len });
	if (e && a->first == a->next)
		forget(w, a);
	if (e)
		return e;
	a->next++;
	w->as->metrics.waiting++;
	keep_bounded(w, a, app);
	return 0;
}

int unlinked_publish(struct as *as, const struct device *d, const char *suffix, struct str json)
{
	struct unlinked *w = as->unlinked;
	if (app_is_linked(d->app) && !find(w, d->app->key))
		return traffic_publish(as, d->app, d->id, suffix, json);
	char topic[TAIL_MAX];
	struct text tail = text_fixed(topic, sizeof topic);
	text_printf(&tail, "/devices/%s/%s", d->id, suffix);
	int e = keep(w, d->app, text_str(&tail), json);
	if (e)
		LOG(LOG_ERROR, "waiting_not_stored", KV_Z("device", d->path), KV_Z("error", strerror(-e)));
	return e ? e : UNLINKED_E_WAITS;
}

/** Publish what was kept as "/devices/{device id}/{suffix}" and JSON. @return 0; -errno */
static int publish_kept(struct as *as, const struct app *app, struct str tail, struct str json)
{
	char device_id[TAIL_MAX], suffix[TAIL_MAX];
	struct str root, devices, id, rest = str_cut(tail, '/', &root);
	rest = str_cut(rest, '/', &devices);
	rest = str_cut(rest, '/', &id);
	if (str_copy(id, device_id, sizeof device_id) || str_copy(rest, suffix, sizeof suffix))
		return 0;
	return traffic_publish(as, app, device_id, suffix, json);
}

/** Publish an application's oldest message. @return 0; -errno */
static int publish_first(struct unlinked *w, struct waiter *a, const struct app *app)
{
	uint8_t key[WAITING_KEY];
	struct slice value;
	struct str tail, json;
	int e = store_get(w->as->store, key_of(key, a->app, a->first), &value);
	if (e < 0)
		return e;
	if (e == 0) {
		/* Publishing writes to the store, which ends the loan. */
		text_reset(&w->message);
		text_put(&w->message, (struct str){ (const char *)value.p, value.n });
		if (w->message.failed)
			return -ENOMEM;
		json = str_cut(text_str(&w->message), '\n', &tail);
		TRY(publish_kept(w->as, app, tail, json));
	}
	return drop_first(w, a);
}

static void go_on(void *ctx)
{
	struct unlinked *w = ctx;
	struct waiter *a, *tmp;
	bool is_more = false;
	HASH_ITER(hh, w->apps, a, tmp) {
		const struct app *app = registry_app(&w->as->registry, str_of(a->app));
		if (!app || !app_is_linked(app))
			continue;
		for (size_t i = 0; i < AT_ONCE && a->first < a->next && !store_failing(w->as->store); i++)
			if (publish_first(w, a, app))
				break;
		is_more |= a->first < a->next;
		if (a->first == a->next) {
			LOG(LOG_INFO, "waiting_published", KV_Z("application", a->app));
			forget(w, a);
		}
	}
	if (is_more)
		loop_timer_in(w->timer, PAUSE_US);
}

static void on_app(void *ctx, struct app *app, enum change c)
{
	struct unlinked *w = ctx;
	struct waiter *a = find(w, app->key);
	if (!a)
		return;
	if (c != CHANGE_DELETED) {
		loop_timer_in(w->timer, 0);
		return;
	}
	while (a->first < a->next && !drop_first(w, a))
		;
	forget(w, a);
}

static int load(void *ctx, struct slice key, struct slice value)
{
	struct unlinked *w = ctx;
	char app[APP_KEY_TEXT];
	(void)value;
	if (key.n < 1 + 1 + 8 || key.n > WAITING_KEY || key.p[key.n - 9])
		return 0;
	memcpy(app, key.p + 1, key.n - 9);
	struct reader r = reader_of(key.p + key.n - 8, 8);
	uint64_t n = reader_be64(&r);
	struct waiter *a = find_or_add(w, app);
	if (!a)
		return -ENOMEM;
	if (a->first == a->next)
		a->first = n;
	a->next = n + 1;
	w->as->metrics.waiting++;
	return 0;
}

int unlinked_start(struct as *as, struct text *err)
{
	static const uint8_t prefix[] = { TABLE_WAITING };
	struct unlinked *w = as->unlinked = calloc(1, sizeof *w);
	if (!w)
		return -ENOMEM;
	w->as = as;
	w->message = text_growing(MESSAGE_MAX);
	w->timer = loop_timer_new(as->loop, go_on, w);
	if (!w->timer)
		return -ENOMEM;
	if (store_scan(as->store, (struct slice){ prefix, 1 }, (struct slice){ 0 }, load, w)) {
		text_puts(err, "the store's waiting messages cannot be read");
		return -EIO;
	}
	registry_watch(&as->registry, &(struct registry_watch){ .app = on_app, .ctx = w });
	loop_timer_in(w->timer, PAUSE_US);
	return 0;
}

void unlinked_stop(struct as *as)
{
	struct unlinked *w = as->unlinked;
	struct waiter *a, *tmp;
	if (!w)
		return;
	HASH_ITER(hh, w->apps, a, tmp)
		forget(w, a);
	loop_timer_free(w->timer);
	text_done(&w->message);
	free(w);
	as->unlinked = NULL;
}
