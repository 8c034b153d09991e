/** @file What integrations cost the application server for each message: none in the whole server, none of this application, one, ten;
 * with the real store, whose writer commits beside it. */
#include "as/integrations/integrations.h"
#include "as/store.h"
#include "as/core/registry/app.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MESSAGES = 20000, A_TURN = 500, BODY = 900 };

struct bench {
	struct as as;
	struct as_settings settings;
	struct crypto *crypto;
	size_t left;       /**< of the round that is going on */
	uint64_t spent_us; /**< within integrations_publish */
	struct app *app;
	char body[BODY + 1];
};

static int serve(struct integration *i)
{
	i->kinds = KIND_BIT(KIND_UPLINK_MESSAGE);
	return 0;
}

static void leave(struct integration *i)
{
	(void)i;
}

/** A peer that takes everything at once. */
static void wake(struct integration *i)
{
	const struct spool_entry *e;
	struct spool_message m;
	while ((e = spool_next(&i->spool, 1))) {
		uint64_t seq = e->seq;
		if (!integrations_read(i, seq, &m))
			integrations_sent(i, seq);
	}
}

static const struct integration_class class = { .kind = INTEGRATION_PUBSUB, .serve = serve, .leave = leave, .wake = wake };

static void publish(void *ctx)
{
	struct bench *b = ctx;
	uint64_t begin_us = loop_measure_us();
	for (size_t i = 0; i < A_TURN; i++)
		if (integrations_publish(&b->as, b->app, "dev1", KIND_UPLINK_MESSAGE, (struct str){ b->body, BODY }))
			exit(EXIT_FAILURE);
	b->spent_us += loop_measure_us() - begin_us;
	b->left -= A_TURN;
	if (b->left == 0)
		loop_stop(b->as.loop);
	else if (store_after(b->as.store, publish, b)) /* as the network server waits for it */
		exit(EXIT_FAILURE);
}

static void run(struct bench *b, const char *what)
{
	uint64_t begin_us = loop_measure_us();
	b->left = MESSAGES;
	b->spent_us = 0;
	loop_defer(b->as.loop, publish, b);
	loop_run(b->as.loop);
	printf("  %-44s %8.2f us each to keep, %8.2f us with disk, sending and forgetting\n", what, (double)b->spent_us / MESSAGES,
		(double)(loop_measure_us() - begin_us) / MESSAGES);
}

static void add(struct bench *b, const struct app *a, int n)
{
	struct integration *i;
	struct problem p;
	char id[16];
	snprintf(id, sizeof id, "ps%d", n);
	if (integrations_set(&b->as, INTEGRATION_PUBSUB, a, id, STR("{}"), &i, &p))
		exit(EXIT_FAILURE);
}

static int unlink_one(const char *path, const struct stat *s, int type, struct FTW *f)
{
	(void)s;
	(void)type;
	(void)f;
	return remove(path);
}

static struct app *make_app(struct bench *b, const char *id)
{
	struct problem p;
	struct app *a = app_new();
	if (!a || app_set_ids(a, str_of(id), &p) || registry_app_create(&b->as.registry, a, loop_now(b->as.loop), &p))
		exit(EXIT_FAILURE);
	return a;
}

int main(void)
{
	static struct bench b;
	char dir[] = "/tmp/godwit-bench-XXXXXX", line[200];
	struct text err = text_fixed(line, sizeof line);
	b.settings.integrations = 20;
	b.settings.outbox_size = 64 << 20;
	b.settings.outbox_age = 3600 * SEC_US;
	b.as.settings = &b.settings;
	b.as.rng = loop_rng();
	b.as.loop = loop_new();
	b.as.envelope.crypto = b.crypto = crypto_new();
	memset(b.body, 'x', BODY);
	if (!b.as.loop || !b.crypto || !mkdtemp(dir) || store_open(b.as.loop, &(struct store_options){ .dir = dir, .schema = AS_SCHEMA }, &b.as.store, &err)) {
		fprintf(stderr, "%s\n", line);
		return EXIT_FAILURE;
	}
	struct registry_sink sink = as_store_sink(b.as.store);
	registry_init(&b.as.registry, &sink, &b.as.envelope, &b.as.rng, "");
	if (integrations_start(&b.as, &err) || integrations_serve(&b.as, &class, &err))
		return EXIT_FAILURE;
	b.app = make_app(&b, "app1");
	struct app *other = make_app(&b, "app2");
	printf("integrations, messages of %d octets:\n", BODY);
	run(&b, "none in the whole server");
	add(&b, other, 0);
	run(&b, "none of this application");
	add(&b, b.app, 0);
	run(&b, "one");
	for (int i = 1; i < 10; i++)
		add(&b, b.app, i);
	run(&b, "ten");
	store_close(b.as.store);
	b.as.store = NULL;
	integrations_stop(&b.as);
	registry_done(&b.as.registry);
	crypto_free(b.crypto);
	loop_free(b.as.loop);
	nftw(dir, unlink_one, 8, FTW_DEPTH | FTW_PHYS);
	return EXIT_SUCCESS;
}
