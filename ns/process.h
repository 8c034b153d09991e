/** @file The network server as a process: the core between its store, the bus, the log and the clock. */
#pragma once
#include "common/daemon.h"
#include "common/health.h"
#include "common/store.h"
#include "ns/core/ns.h"
#include "proto/log_watch.h"

struct ns_settings {
#define SETTING(member, name, kind, dflt, min, max, doc) SETTING_MEMBER_##kind member;
#include "ns/settings.def"
#undef SETTING
};

struct ns_bus;
struct process {
	struct daemon *daemon;
	const struct ns_settings *settings;
	struct loop *loop;
	struct store *store;
	struct crypto *crypto;
	struct ns *ns;
	struct ns_bus *bus;
	struct health health;
	struct http_server *http;
	struct loop_timer *timer;
	struct log_watch watch; /**< whose events are logged at another level */
	uint64_t committed; /**< batches on disk */
	void (*stopped)(void *ctx);
	void *stopped_ctx;
};

extern const struct daemon_program ns_program;

/** The core with what its store holds, and nothing open to the outside. @return 0; -errno with one line in *err */
int process_load(struct daemon *d, const void *settings, struct process **ret, struct text *err);
void process_free(void *state); /**< a struct process */
