/** @file Messages of integrations: kept where the application server publishes, read and forgotten by who sends them. */
#include "as/integrations/integrations_inside.h"
#include "as/store.h"
#include "as/traces.h"
#include "common/core/json_out.h"
#include "common/log.h"
#include <stdlib.h>
#include <string.h>

#define TELL_EVERY_US (10 * SEC_US) /* between two tellings of messages that one integration loses */

static const struct integration_class *class_of(const struct integration *i)
{
	return i->as->integrations->classes[i->kind];
}

/* ---- telling ---- */

static void tell(const struct integration *i, enum event_id e, const char *name, const char *value, uint64_t messages)
{
	char data[TRACES_DATA_MAX];
	struct text t = text_fixed(data, sizeof data);
	json_open(&t, '{');
	json_name(&t, "integration_id");
	json_puts(&t, i->id);
	if (value) {
		json_name(&t, name);
		json_puts(&t, value);
	}
	if (messages) {
		json_name(&t, "messages");
		json_unum(&t, messages);
	}
	json_close(&t, '}');
	traces_add_app(i->as, e, registry_app(&i->as->registry, str_of(i->app)), t.failed ? "" : data);
}

/** Messages were lost; where that goes on it is told every now and then. */
static void lost(struct integration *i, size_t n, const char *reason)
{
	uint64_t now_us = loop_now(i->as->loop)->mono_us;
	i->dropped += n;
	i->untold += n;
	i->as->metrics.integrations_dropped[i->kind] += n;
	if (!n || (i->told_us && now_us - i->told_us < TELL_EVERY_US))
		return;
	LOG(LOG_WARN, "integration_dropped", KV_Z("application", i->app), KV_Z("id", i->id), KV_Z("reason", reason), KV_U("messages", i->untold));
	tell(i, class_of(i)->events.drop, "reason", reason, i->untold);
	i->untold = 0;
	i->told_us = now_us;
}

/* ---- bounds ---- */

static void trim(struct integration *i, const struct spool_limits *l)
{
	struct spool_sink sink = integrations_sink(i->as);
	uint64_t now_us = loop_now(i->as->loop)->mono_us, size = i->spool.bytes;
	size_t n = spool_trim(&i->spool, &sink, l, now_us);
	lost(i, n, size > l->bytes ? "outbox_full" : "expired");
}

void integrations_expect(struct integration *i)
{
	struct integrations *x = i->as->integrations;
	uint64_t due_us = spool_deadline(&i->spool);
	if (due_us >= x->timer_us)
		return;
	x->timer_us = due_us;
	loop_timer_at(x->timer, due_us);
}

void integrations_trim(void *ctx)
{
	struct as *as = ctx;
	struct integrations *x = as->integrations;
	struct spool_limits limits = integrations_limits(as);
	uint64_t soon_us = loop_now(as->loop)->mono_us + SEC_US;
	x->timer_us = UINT64_MAX;
	for (struct integration *i = x->by_number; i; i = i->hh.next) {
		trim(i, &limits);
		uint64_t due_us = spool_deadline(&i->spool);
		if (due_us < x->timer_us)
			x->timer_us = due_us < soon_us ? soon_us : due_us;
	}
	loop_timer_at(x->timer, x->timer_us);
}

/** All together are too large: the largest gives way. */
static void keep_share(struct integrations *x)
{
	uint64_t sum = 0;
	struct integration *largest = NULL;
	for (struct integration *i = x->by_number; i; i = i->hh.next) {
		sum += i->spool.bytes;
		if (!largest || i->spool.bytes > largest->spool.bytes)
			largest = i;
	}
	if (sum <= x->bytes_max || !largest)
		return;
	uint64_t over = sum - x->bytes_max;
	struct spool_limits limits = integrations_limits(x->as);
	limits.bytes = largest->spool.bytes > over ? largest->spool.bytes - over : 0;
	trim(largest, &limits);
}

/* ---- the tap ---- */

/** What was written before is on disk: it may be sent. */
static void durable(void *ctx)
{
	struct as *as = ctx;
	struct integrations *x = as->integrations;
	if (!x || !as->store)
		return;
	x->is_settling = false;
	for (struct integration *i = x->by_number; i; i = i->hh.next) {
		const struct integration_class *c = class_of(i);
		uint64_t below = i->settling;
		i->settling = 0;
		if (!below)
			continue;
		spool_is_durable(&i->spool, below);
		if (c && i->spool.n)
			c->wake(i);
	}
	integrations_settle(as);
}

/** One wait for the disk at a time; what is added meanwhile has the next. */
void integrations_settle(void *ctx)
{
	struct as *as = ctx;
	struct integrations *x = as->integrations;
	bool is_any = false;
	x->is_due = false;
	if (x->is_settling)
		return;
	keep_share(x);
	for (struct integration *i = x->by_number; i; i = i->hh.next) {
		if (!i->is_woken)
			continue;
		i->is_woken = false;
		i->settling = i->spool.next;
		is_any = true;
	}
	if (!is_any)
		return;
	x->is_settling = true;
	if (store_after(as->store, durable, as))
		x->is_settling = false; /* the next message tries again */
}

void integrations_wake_soon(struct integration *i)
{
	struct integrations *x = i->as->integrations;
	i->is_woken = true;
	if (!x->is_due)
		x->is_due = loop_defer(i->as->loop, integrations_settle, i->as) == 0;
}

/** Keep it for one more. @return 0; -errno: and those before it have given it back */
static int keep(struct integrations_app *a, struct integration *i, const struct spool_message *m)
{
	struct as *as = i->as;
	struct spool_sink sink = integrations_sink(as);
	struct spool_limits limits = integrations_limits(as);
	int r = spool_add(&i->spool, &sink, m, &limits, loop_now(as->loop)->mono_us);
	if (!r)
		return 0;
	LOG(LOG_ERROR, "integration_not_stored", KV_Z("application", i->app), KV_Z("id", i->id), KV_Z("error", strerror(-r)));
	for (struct integration *before = a->first; before != i; before = before->next_of_app)
		if (before->kinds & KIND_BIT(m->kind))
			spool_take_back(&before->spool, &sink);
	return r;
}

int integrations_publish(struct as *as, const struct app *app, const char *device_id, enum message_kind kind, struct str json)
{
	const struct integrations *x = as->integrations;
	struct integrations_app *a = kind < KIND_N && x && x->apps ? integrations_app_find(x, app->key) : NULL;
	struct spool_limits limits = integrations_limits(as);
	struct integration *i;
	if (!a)
		return 0;
	const struct device *d = registry_device(&as->registry, app, str_of(device_id));
	struct spool_message m = { .kind = kind, .unix_us = loop_now(as->loop)->unix_us, .device_id = str_of(device_id), .body = json,
		.has_dev_eui = d && d->has_dev_eui, .dev_eui = d ? d->dev_eui : 0 };
	for (i = a->first; i; i = i->next_of_app)
		if (i->kinds & KIND_BIT(kind))
			TRY(keep(a, i, &m));
	for (i = a->first; i; i = i->next_of_app) {
		if (!(i->kinds & KIND_BIT(kind)))
			continue;
		trim(i, &limits);
		integrations_expect(i);
		integrations_wake_soon(i);
		as->metrics.integrations_queued[i->kind]++;
	}
	return 0;
}

/* ---- for who serves them ---- */

int integrations_read(struct integration *i, uint64_t seq, struct spool_message *ret)
{
	struct slice value;
	enum spool_state state;
	uint8_t buf[17];
	struct writer w = writer_of(buf, sizeof buf);
	writer_u8(&w, TABLE_OUTBOX);
	writer_be64(&w, i->number);
	writer_be64(&w, seq);
	int r = store_get(i->as->store, (struct slice){ buf, w.len }, &value);
	if (r < 0)
		return r;
	if (!r)
		r = spool_read(value, ret, &state);
	if (!r)
		return 0;
	if (spool_find(&i->spool, seq))
		integrations_drop(i, seq, "damaged");
	return -ENOENT;
}

static void forget(struct integration *i, uint64_t seq)
{
	struct spool_sink sink = integrations_sink(i->as);
	int r = i->as->store ? spool_delete(&i->spool, &sink, seq) : 0;
	if (r)
		LOG(LOG_ERROR, "integration_not_stored", KV_Z("application", i->app), KV_Z("id", i->id), KV_Z("error", strerror(-r)));
}

void integrations_sent(struct integration *i, uint64_t seq)
{
	i->sent++;
	i->as->metrics.integrations_sent[i->kind]++;
	forget(i, seq);
}

void integrations_drop(struct integration *i, uint64_t seq, const char *reason)
{
	forget(i, seq);
	lost(i, 1, reason);
}

struct receipt {
	struct as *as;
	uint64_t number, seq;
	void (*then)(struct as *as, uint64_t number, uint64_t seq);
};

static void receipt_durable(void *ctx)
{
	struct receipt *r = ctx;
	struct receipt it = *r;
	free(r);
	if (it.as->store && it.as->integrations && integrations_by_number(it.as, it.number))
		it.then(it.as, it.number, it.seq);
}

int integrations_received(struct integration *i, uint64_t seq, void (*then)(struct as *as, uint64_t number, uint64_t seq))
{
	struct spool_sink sink = integrations_sink(i->as);
	TRY(spool_received(&i->spool, &sink, seq));
	struct receipt *r = malloc(sizeof *r);
	if (!r)
		return -ENOMEM;
	*r = (struct receipt){ i->as, i->number, seq, then };
	int e = store_after(i->as->store, receipt_durable, r);
	if (e)
		free(r);
	return e;
}

void integrations_connected(struct integration *i)
{
	if (i->is_connected)
		return;
	i->is_connected = true;
	LOG(LOG_INFO, "integration_connected", KV_Z("application", i->app), KV_Z("id", i->id));
	tell(i, class_of(i)->events.start, NULL, NULL, 0);
}

/** Note an error; one that comes again and again is told once. */
static void note_error(struct integration *i, const char *why, bool is_news)
{
	bool is_same = !strcmp(i->error, why);
	i->error_unix_us = loop_now(i->as->loop)->unix_us;
	if (is_same && !is_news)
		return;
	if (!is_same) {
		struct text t = text_fixed(i->error, sizeof i->error);
		text_puts(&t, why);
	}
	LOG(LOG_WARN, "integration_failed", KV_Z("application", i->app), KV_Z("id", i->id), KV_Z("reason", i->error));
	if (class_of(i))
		tell(i, class_of(i)->events.fail, "error", i->error, 0);
}

void integrations_failed(struct integration *i, const char *why)
{
	bool was_connected = i->is_connected;
	i->is_connected = false;
	note_error(i, why, was_connected);
}

void integrations_warn(struct integration *i, const char *why)
{
	note_error(i, why, false);
}

void integrations_stopped(struct integration *i)
{
	if (!i->is_connected)
		return;
	i->is_connected = false;
	LOG(LOG_INFO, "integration_stopped", KV_Z("application", i->app), KV_Z("id", i->id));
	if (class_of(i) && i->as->traces)
		tell(i, class_of(i)->events.stop, NULL, NULL, 0);
}

void integrations_count(struct as *as)
{
	struct as_metrics *m = &as->metrics;
	struct spool_limits limits = integrations_limits(as);
	uint64_t now_us = loop_now(as->loop)->mono_us;
	memset(m->integrations_waiting, 0, sizeof m->integrations_waiting);
	memset(m->integrations_connected, 0, sizeof m->integrations_connected);
	memset(m->integrations_count, 0, sizeof m->integrations_count);
	m->outbox_oldest = 0;
	for (const struct integration *i = as->integrations->by_number; i; i = i->hh.next) {
		uint64_t age_us = spool_age_us(&i->spool, &limits, now_us);
		m->integrations_waiting[i->kind] += i->spool.n;
		m->integrations_connected[i->kind] += i->is_connected;
		m->integrations_count[i->kind]++;
		m->outbox_oldest = age_us > m->outbox_oldest ? age_us : m->outbox_oldest;
	}
}

void integrations_write_status(const struct integration *i, struct text *t)
{
	json_open(t, '{');
	json_name(t, "connected");
	json_truth(t, i->is_connected);
	if (i->error[0]) {
		json_name(t, "last_error");
		json_open(t, '{');
		json_name(t, "message");
		json_puts(t, i->error);
		json_name(t, "time");
		json_time(t, i->error_unix_us * 1000);
		json_close(t, '}');
	}
	const struct { const char *name; uint64_t n; } counts[] = { { "queued", i->spool.n }, { "sent", i->sent }, { "received", i->received }, { "dropped", i->dropped } };
	for (size_t k = 0; k < COUNT(counts); k++) {
		json_name(t, counts[k].name);
		json_unum(t, counts[k].n);
	}
	json_close(t, '}');
}
