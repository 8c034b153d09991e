/** @file godwit-ns --restored: the store was put back from a copy, and is made safe to go on from. */
#include "ns/restored.h"
#include "common/core/json_out.h"
#include "ns/core/restored.h"
#include <stdio.h>

enum { RAISE = 1024, SESSIONS_JSON_MAX = 256 << 20 };

static void say(void *ctx, const struct ns_raised *r)
{
	struct text *t = ctx;
	json_open(t, '{');
	if (r->has_dev_eui) {
		json_name(t, "dev_eui");
		json_eui(t, r->dev_eui);
	}
	char addr[9];
	snprintf(addr, sizeof(addr), "%08X", (unsigned)r->dev_addr);
	json_name(t, "dev_addr");
	json_puts(t, addr);
	json_name(t, "next_f_cnt_down");
	json_unum(t, r->next_f_cnt_down);
	json_close(t, '}');
}

static void set_true(void *ctx)
{
	bool *is = ctx;
	*is = true;
}

int process_restored(struct daemon *d, const void *settings, struct text *err)
{
	AUTO(text_done) struct text told = text_growing(SESSIONS_JSON_MAX);
	struct process *p = NULL;
	bool is_durable = false;
	TRY(process_load(d, settings, &p, err));
	json_open(&told, '[');
	ns_restored(p->ns, loop_now(p->loop), RAISE, say, &told);
	json_close(&told, ']');
	uint64_t batch;
	ns_flush(p->ns, loop_now(p->loop), &batch);
	int rc = store_after(p->store, set_true, &is_durable);
	process_free(p);
	if (rc == 0 && !is_durable)
		text_puts(err, "the store cannot be written; is there room on the disk?");
	if (rc || !is_durable)
		return rc ? rc : -EIO;
	return told.failed ? -ENOMEM : puts(told.p) < 0 ? -EIO : 0;
}
