/** @file After the store was put back from a copy: what must not go back to the day of the copy. */
#include "ns/core/restored.h"
#include "ns/core/records.h"

void ns_restored(struct ns *ns, const struct now *now, uint32_t raise, void (*say)(void *ctx, const struct ns_raised *r), void *ctx)
{
	ns->now = *now;
	ns->store_id = ns_ulid(ns);
	record_store_put(ns);
	for (struct dev *d = ns->devices.by_uid; d; d = d->by_uid.next) {
		struct session *both[] = { d->current, d->pending };
		for (size_t i = 0; i < COUNT(both); i++) {
			struct session *s = both[i];
			if (!s)
				continue;
			counter_start(&s->down, s->down.next + raise);
			if (s->is_v11)
				counter_start(&s->app_down, s->app_down.next + raise);
			record_live_put(ns, s);
			say(ctx, &(struct ns_raised){ d->euis[1], d->has_dev_eui, s->dev_addr, s->down.next });
		}
	}
}
