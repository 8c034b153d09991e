/** @file Starting and ending the application server: secrets, store, registry, rooms, listeners. */
#include "as/as.h"
#include "as/applications.h"
#include "as/doors.h"
#include "as/downlinks.h"
#include "as/replica.h"
#include "as/restored.h"
#include "as/secret_file.h"
#include "as/store.h"
#include "as/web.h"
#include "common/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
	int (*start)(struct as *as, struct text *err);
	void (*stop)(struct as *as);
} rooms[] = {
#define ROOM(x) { x##_start, x##_stop },
#include "as/rooms.def"
#undef ROOM
};

void as_add_routes(struct as *as, const struct http_route *routes)
{
	for (; routes->path; routes++) {
		assert(as->n_routes < AS_ROUTES_MAX);
		as->routes[as->n_routes++] = *routes;
	}
}

void as_add_method(struct as *as, enum method m,
	void (*fn)(void *ctx, struct bus_peer *peer, struct bus_request *request, const void *msg))
{
	assert(as->n_methods < AS_METHODS_MAX);
	as->methods[as->n_methods++] = (struct bus_handler){ m, fn };
}

void as_add_link(struct as *as, void (*up)(struct as *as, struct bus_peer *ns), void (*down)(struct as *as))
{
	assert(as->n_links < AS_LINKS_MAX);
	as->links[as->n_links++] = (struct as_link){ up, down };
}

int as_check(const struct daemon *d, const void *settings, struct text *err)
{
	const struct as_settings *s = settings;
	if (*s->default_tenant && !id_valid(str_of(s->default_tenant))) {
		daemon_where(d, err, "as.default-tenant");
		text_printf(err, ": \"%s\" is not a tenant id (2 to 36 of a-z, 0-9 and single dashes inside)",
			s->default_tenant);
		return -EINVAL;
	}
	if (s->trace_size && s->trace_size < TRACE_SIZE_MIN) {
		daemon_where(d, err, "as.trace-size");
		text_puts(err, ": must be 4MiB at least, or 0: in memory only");
		return -EINVAL;
	}
	TRY(doors_check(d, s, err));
	return web_check(d, s, err);
}

/** Read or make the key-encryption key. */
static int start_envelope(struct as *as, struct text *err)
{
	char path[4096], secret[256];
	struct text where = text_fixed(path, sizeof path), it = text_fixed(secret, sizeof secret);
	struct key fresh = envelope_kek_make(&as->rng);
	as->envelope.crypto = as->crypto = crypto_new();
	if (!as->crypto)
		return -ENOMEM;
	TRY(daemon_path(as->daemon, &where, "as"));
	if (mkdir(path, 0700) < 0 && errno != EEXIST) {
		text_printf(err, "%s: cannot be made: %s", path, strerror(errno));
		return -errno;
	}
	text_puts(&where, "/kek");
	if (as->settings->kek_file[0]) {
		text_reset(&where);
		text_puts(&where, as->settings->kek_file);
	}
	envelope_kek_text(&it, &fresh);
	crypto_forget(&fresh, sizeof fresh);
	TRY(secret_file(path, &it, err));
	int r = envelope_kek_parse(text_str(&it), &as->envelope.kek);
	crypto_forget(secret, sizeof secret);
	if (r)
		text_printf(err, "%s: is not a key-encryption key: it must hold 32 hex digits", path);
	return r;
}

static int start_store(struct as *as, struct text *err)
{
	char dir[4096];
	struct text where = text_fixed(dir, sizeof dir);
	TRY(daemon_path(as->daemon, &where, "as"));
	struct store_options o = {
		.dir = dir,
		.map_size = as->settings->store_max_size,
		.commit_delay_us = as->settings->store_commit_delay,
		.schema = AS_SCHEMA,
	};
	return store_open(as->loop, &o, &as->store, err);
}

static int start_registry(struct as *as, struct text *err)
{
	struct registry_sink sink = as_store_sink(as->store);
	registry_init(&as->registry, &sink, &as->envelope, &as->rng, as->settings->default_tenant);
	keyring_init(&as->keyring, &as->registry);
	credentials_init(&as->credentials, &as->registry);
	profiles_init(&as->profiles, &as->registry);
	return as_store_load(as, err);
}

/** Read or make the operator's key. */
static int start_admin(struct as *as, struct text *err)
{
	char path[4096], secret[256], token[API_KEY_TEXT + 1];
	struct text where = text_fixed(path, sizeof path), it = text_fixed(secret, sizeof secret);
	TRY(daemon_path(as->daemon, &where, "admin.key"));
	rights_token_make(&as->rng, token);
	text_puts(&it, token);
	text_putc(&it, '\n');
	TRY(secret_file(path, &it, err));
	int r = keyring_admin(&as->keyring, str_trim(text_str(&it)));
	crypto_forget(secret, sizeof secret);
	crypto_forget(token, sizeof token);
	if (r == -EINVAL)
		text_printf(err, "%s: is not an API key: remove the file, and a new one is made", path);
	return r;
}

static int start_rooms(struct as *as, struct text *err)
{
	/* Counted before it starts: one that fails half-way is stopped too. */
	while (as->n_rooms < COUNT(rooms))
		TRY(rooms[as->n_rooms++].start(as, err));
	return 0;
}

void as_free(void *state)
{
	struct as *as = state;
	if (!as)
		return;
	web_close(as);
	/* Who waits for the store is answered while there is still a bus to answer on. */
	if (as->store)
		store_close(as->store);
	as->store = NULL;
	while (as->n_rooms)
		rooms[--as->n_rooms].stop(as);
	profiles_done(&as->profiles);
	credentials_done(&as->credentials);
	keyring_done(&as->keyring);
	registry_done(&as->registry);
	crypto_forget(&as->envelope, sizeof as->envelope);
	crypto_free(as->crypto);
	free(as);
}

static struct as *as_new(struct daemon *d, const void *settings)
{
	struct as *as = calloc(1, sizeof *as);
	if (!as)
		return NULL;
	as->daemon = d;
	as->loop = daemon_loop(d);
	as->settings = settings;
	as->rng = loop_rng();
	(void)events_level_parse(str_of(daemon_common(d)->trace_events), &as->events);
	return as;
}

int as_restored(struct daemon *d, const void *settings, struct text *err)
{
	struct as *as = as_new(d, settings);
	if (!as)
		return -ENOMEM;
	int r = start_envelope(as, err);
	if (!r)
		r = start_store(as, err);
	if (!r)
		r = start_registry(as, err);
	if (!r)
		r = restored_apply(as, err);
	as_free(as);
	return r;
}

int as_start(struct daemon *d, const void *settings, void **ret_state, struct text *err)
{
	static int (*const steps[])(struct as *as, struct text *err) = {
		start_envelope, start_store, start_registry, start_admin, start_rooms, web_open, as_connect,
	};
	struct as *as = as_new(d, settings);
	if (!as)
		return -ENOMEM;
	*ret_state = as;
	for (size_t i = 0; i < COUNT(steps); i++)
		TRY(steps[i](as, err));
	daemon_ready(d);
	return 0;
}

void as_reload(void *state)
{
	doors_reload(state);
	web_reload(state);
	replica_reload(state);
}

static void stop_done(void *ctx)
{
	struct as *as = ctx;
	as->stopped(as->stopped_ctx);
}

void as_stop(void *state, void (*done)(void *ctx), void *ctx)
{
	struct as *as = state;
	as->stopped = done;
	as->stopped_ctx = ctx;
	web_close(as);
	applications_end(as);
	downlinks_end(as);
	if (store_after(as->store, stop_done, as) < 0)
		done(ctx);
}
