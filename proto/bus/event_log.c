/** @file Events as lines of the log. */
#include "proto/bus/event_log.h"
#include "common/log.h"
#include "proto/cids.h"
#include <string.h>

/* Failures, and joins refused to devices that are registered: join-requests of strangers are heard all day. */
static enum log_level level_of(enum event_id id, bool is_of_device)
{
	const char *last = strrchr(events_info(id)->name, '.');
	if (id == EVENT_NS_UP_JOIN_DROP || id == EVENT_NS_UP_REJOIN_DROP)
		return is_of_device ? LOG_INFO : LOG_DEBUG;
	/* Its own line has more to say. */
	if (events_info(id)->process == EVENT_PROCESS_AS)
		return LOG_DEBUG;
	return !strcmp(last, ".fail") || !strcmp(last, ".timeout") ? LOG_INFO : LOG_DEBUG;
}

bool event_log_wants(const struct log_watch *w, enum event_id id, uint64_t device, const char *gateway_id)
{
	if (log_on(level_of(id, device != 0)))
		return true;
	if (!w || !w->n)
		return false;
	struct log_subject s = { .device = device, .gateway_id = gateway_id };
	return (!device && log_watch_has_devices(w)) || log_watch_level(w, &s) >= (int)level_of(id, device != 0);
}

const char *event_log_cid(const struct cid *v, size_t n, char ret[CID_TEXT_MAX])
{
	static const enum cid_kind kinds[] = { CID_GS_UPLINK, CID_AS_DOWNLINK, CID_AS_UP, CID_NS_DOWNLINK, CID_NS_TRANSMISSION };
	struct text t = text_fixed(ret, CID_TEXT_MAX);
	const struct cid *c = NULL;
	for (size_t i = 0; !c && i < COUNT(kinds); i++)
		c = cids_find(v, n, kinds[i]);
	if (c)
		cid_text(&t, c);
	return ret;
}

static void write_line(enum log_level level, const struct trace_event *e)
{
	char cid[CID_TEXT_MAX], dev_addr[16] = "";
	struct text a = text_fixed(dev_addr, sizeof dev_addr);
	event_log_cid(e->cids.v, MSG_HAS(e, cids) ? e->cids.len : 0, cid);
	if (MSG_HAS(e, dev_addr))
		text_printf(&a, "%08X", e->dev_addr);
	struct kv kv[8];
	size_t n = 0;
	if (*cid)
		kv[n++] = KV_Z("cid", cid);
	if (MSG_HAS(e, device))
		kv[n++] = KV_U("device", e->device);
	if (MSG_HAS(e, dev_addr))
		kv[n++] = KV_Z("dev_addr", dev_addr);
	if (MSG_HAS(e, dev_eui))
		kv[n++] = KV_EUI("dev_eui", e->dev_eui);
	if (MSG_HAS(e, application_id))
		kv[n++] = KV_Z("application", e->application_id);
	if (MSG_HAS(e, gateway_id))
		kv[n++] = KV_Z("gateway", e->gateway_id);
	if (MSG_HAS(e, data) && e->data[0])
		kv[n++] = KV_Z("data", e->data);
	kv[n] = (struct kv){ .kind = KV_END };
	log_write(level, e->name, kv);
}

void event_log(const struct log_watch *w, enum event_id id, const struct trace_event *e)
{
	bool is_copy = id == EVENT_NS_UP_JOIN_DROP && MSG_HAS(e, data) && strstr(e->data, "\"ghost\"");
	enum log_level level = level_of(id, MSG_HAS(e, device) && !is_copy);
	struct log_subject s = { .device = MSG_HAS(e, device) ? e->device : 0, .gateway_id = MSG_HAS(e, gateway_id) ? e->gateway_id : "", .event = e };
	if (log_on(level) || (w && w->n && log_watch_level(w, &s) >= (int)level))
		write_line(level, e);
}
