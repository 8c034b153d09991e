/** @file The network server as a process: start, wakes, end. */
#include "ns/process.h"
#include "common/log.h"
#include "common/metrics.h"
#include "ns/bus.h"
#include "ns/core/up/drops.h"
#include "ns/kek.h"
#include "ns/restored.h"
#include "ns/usage.h"
#include "proto/bus/event_log.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_CAP = 4096 };

static const struct setting rows[] = {
#define SETTING(member, name, kind, dflt, min, max, doc) { name, dflt, doc, offsetof(struct ns_settings, member), min, max, SETTING_##kind },
#include "ns/settings.def"
#undef SETTING
};
static const char *const sections[] = { "ns", NULL };

static const char *ns_drop_label(unsigned i)
{
	return i == DROP_NONE ? NULL : drop_word((enum drop)i);
}

static const char *ns_call_label(unsigned i)
{
	static const char *const words[] = { [NS_CALL_JOIN] = "join", [NS_CALL_PULL] = "pull", [NS_CALL_UP] = "up", [NS_CALL_SCHEDULE] = "schedule" };
	return words[i];
}

static const struct metric metrics[] = {
#define METRIC(...) METRIC_ROW(struct ns_counters, __VA_ARGS__)
#define METRIC_BY(...) METRIC_ROW_BY(struct ns_counters, __VA_ARGS__)
#include "ns/metrics.def"
#undef METRIC
#undef METRIC_BY
};

/* ---- the store ---- */

static int port_put(void *ctx, struct slice key, struct slice value)
{
	struct process *p = ctx;
	return store_put(p->store, key, value);
}

static int port_del(void *ctx, struct slice key)
{
	struct process *p = ctx;
	return store_del(p->store, key);
}

static int port_get(void *ctx, struct slice key, struct slice *ret)
{
	struct process *p = ctx;
	int rc = store_get(p->store, key, ret);
	return rc == STORE_E_NONE ? -ENOENT : rc;
}

static int load_one(void *ctx, struct slice key, struct slice value)
{
	struct process *p = ctx;
	return ns_load(p->ns, key, value);
}

static bool port_is_logged(void *ctx, enum event_id e, uint64_t device, const char *gateway_id)
{
	const struct process *p = ctx;
	return event_log_wants(&p->watch, e, device, gateway_id);
}

static void port_log(void *ctx, enum event_id id, const struct trace_event *e)
{
	const struct process *p = ctx;
	event_log(&p->watch, id, e);
}

static void on_committed(void *ctx)
{
	struct process *p = ctx;
	ns_committed(p->ns, loop_now(p->loop), ++p->committed);
}

static void flush(struct process *p)
{
	uint64_t batch;
	if (!ns_flush(p->ns, loop_now(p->loop), &batch))
		return;
	if (store_after(p->store, on_committed, p) != 0)
		daemon_fatal(p->daemon, "no_memory", "a commit cannot be waited for");
}

/* ---- wakes ---- */

static void on_timer(void *ctx)
{
	(void)ctx; /* the wake is what it is for */
}

static void on_wake_end(void *ctx)
{
	struct process *p = ctx;
	ns_store_failing(p->ns, store_failing(p->store));
	ns_run(p->ns, loop_now(p->loop));
	flush(p);
	if (p->bus)
		ns_bus_logs(p->bus);
	loop_timer_at(p->timer, ns_deadline_us(p->ns));
}

/* ---- health ---- */

static void write_metrics(void *ctx, struct text *t)
{
	struct process *p = ctx;
	ns_measure(p->ns, loop_now(p->loop));
	metrics_render(t, metrics, COUNT(metrics), ns_counters(p->ns), NULL);
	usage_gateways_render(t, p->ns);
	usage_render(t, p->ns, loop_now(p->loop));
	ns_bus_metrics(p->bus, t);
	store_metrics(p->store, t, "ns");
}

static const char *why_not_ready(void *ctx)
{
	const struct process *p = ctx;
	return store_failing(p->store) ? "the store fails" : NULL;
}

/* ---- start ---- */

static int open_kek(struct process *p, struct key *ret, struct text *err)
{
	char path[PATH_CAP];
	struct text t = text_fixed(path, sizeof(path));
	struct rng rng = loop_rng();
	TRY(daemon_path(p->daemon, &t, "ns"));
	if (mkdir(path, 0700) != 0 && errno != EEXIST) {
		text_printf(err, "%s: cannot be made: %s", path, strerror(errno));
		return -errno;
	}
	text_puts(&t, "/kek");
	const char *own = p->settings->kek_file;
	return kek_open(own && own[0] ? own : path, &rng, ret, err);
}

static int open_store(struct process *p, struct text *err)
{
	char path[PATH_CAP];
	struct text t = text_fixed(path, sizeof(path));
	TRY(daemon_path(p->daemon, &t, "ns"));
	struct store_options o = { .dir = path, .map_size = p->settings->store_max_size,
		.commit_delay_us = p->settings->store_commit_delay, .schema = NS_SCHEMA };
	return store_open(p->loop, &o, &p->store, err);
}

static int read_prefixes(const struct process *p, struct ns_config *ret, struct text *err)
{
	struct str rest = str_of(p->settings->dev_addr_prefixes), one;
	while (rest.n) {
		rest = str_cut(rest, ',', &one);
		one = str_trim(one);
		if (ret->n_prefixes < NS_PREFIXES_MAX && devaddr_block_parse(one, &ret->prefix[ret->n_prefixes]) == 0) {
			ret->n_prefixes++;
			continue;
		}
		daemon_where(p->daemon, err, "ns.dev-addr-prefixes");
		text_printf(err, ": \"%.*s\" must be an address and the number of its leading bits that count, as 26011000/20; at most %d of them",
			STR_ARG(one), NS_PREFIXES_MAX);
		return -EINVAL;
	}
	return 0;
}

static int open_core(struct process *p, struct text *err)
{
	struct ns_config c = { .dedup_window_us = p->settings->dedup_window, .net_id = p->settings->net_id,
		.outbox_max = p->settings->outbox_max, .class_c_max_delay_us = p->settings->class_c_max_delay,
		.class_c_timeout_us = p->settings->class_c_timeout, .crypto = p->crypto, .rng = loop_rng(), .now = *loop_now(p->loop) };
	struct ns_ports ports = { .ctx = p, .put = port_put, .del = port_del, .get = port_get,
		.is_logged = port_is_logged, .log = port_log };
	(void)events_level_parse(str_of(daemon_common(p->daemon)->trace_events), &c.events);
	TRY(read_prefixes(p, &c, err));
	TRY(open_kek(p, &c.kek, err));
	ns_bus_ports(&ports);
	p->ns = ns_new(&c, &ports);
	crypto_forget(&c.kek, sizeof(c.kek));
	if (!p->ns)
		return -ENOMEM;
	int rc = store_scan(p->store, (struct slice){ NULL, 0 }, (struct slice){ NULL, 0 }, load_one, p);
	if (rc == -EBADMSG)
		text_puts(err, "the store of the network server holds a damaged record, or another key-encryption key than that of ns/kek");
	return rc ? rc : ns_loaded(p->ns, loop_now(p->loop));
}

void process_free(void *state)
{
	struct process *p = state;
	loop_forget(p->loop, on_wake_end, p);
	http_free(p->http);
	if (p->bus)
		ns_bus_close(p->bus);
	store_close(p->store);
	ns_free(p->ns);
	crypto_free(p->crypto);
	loop_timer_free(p->timer);
	free(p);
}

static int open_state(struct process *p, struct text *err)
{
	p->crypto = crypto_new();
	p->timer = loop_timer_new(p->loop, on_timer, p);
	if (!p->crypto || !p->timer)
		return -ENOMEM;
	TRY(open_store(p, err));
	return open_core(p, err);
}

int process_load(struct daemon *d, const void *settings, struct process **ret, struct text *err)
{
	struct process *p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->daemon = d;
	p->settings = settings;
	p->loop = daemon_loop(d);
	int rc = open_state(p, err);
	if (rc)
		process_free(p);
	else
		*ret = p;
	return rc;
}

static int open_doors(struct process *p, struct text *err)
{
	p->health = (struct health){ .metrics = write_metrics, .why_not_ready = why_not_ready, .ctx = p, .process = "ns" };
	TRY(health_open(p->daemon, "ns.http", p->settings->http_listen, &p->health, &p->http, err));
	TRY(ns_bus_open(p, &p->bus, err));
	return loop_after_wake(p->loop, on_wake_end, p);
}

static int process_start(struct daemon *d, const void *settings, void **ret_state, struct text *err)
{
	struct process *p;
	TRY(process_load(d, settings, &p, err));
	int rc = open_doors(p, err);
	if (rc) {
		process_free(p);
		return rc;
	}
	*ret_state = p;
	daemon_ready(d);
	return 0;
}

static void process_reload(void *state)
{
	struct process *p = state;
	ns_bus_reload(p->bus);
}

static void on_stopped(void *ctx)
{
	struct process *p = ctx;
	p->stopped(p->stopped_ctx);
}

static void process_stop(void *state, void (*done)(void *ctx), void *ctx)
{
	struct process *p = state;
	p->stopped = done;
	p->stopped_ctx = ctx;
	ns_bus_stop(p->bus);
	ns_stop(p->ns, loop_now(p->loop));
	flush(p);
	if (store_after(p->store, on_stopped, p) != 0)
		done(ctx);
}

const struct daemon_program ns_program = {
	.name = "ns",
	.program = "godwit-ns",
	.about = "the network server: sessions, deduplication, receive windows, airtime",
	.settings = { rows, COUNT(rows), sections },
	.settings_size = sizeof(struct ns_settings),
	.start = process_start,
	.reload = process_reload,
	.stop = process_stop,
	.free = process_free,
	.restored = process_restored,
};
