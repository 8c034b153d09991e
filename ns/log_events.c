/** @file The core's events as lines of the log. */
#include "ns/log_events.h"
#include "common/log.h"
#include "proto/cids.h"
#include <string.h>

/* Failures, and joins refused to devices that are registered: join-requests of strangers are heard all day. */
static enum log_level level_of(const struct trace_event *e)
{
	const char *name = e->name;
	size_t n = strlen(name);
	bool is_join_drop = strcmp(name, "ns.up.join.drop") == 0 || strcmp(name, "ns.up.rejoin.drop") == 0;
	bool is_copy = MSG_HAS(e, data) && strstr(e->data, "\"ghost\"");
	if (is_join_drop)
		return MSG_HAS(e, device) && !is_copy ? LOG_INFO : LOG_DEBUG;
	return n > 5 && strcmp(name + n - 5, ".fail") == 0 ? LOG_INFO : LOG_DEBUG;
}

static void log_one(const struct trace_event *e)
{
	char buf[CID_TEXT_MAX] = "", dev_addr[16] = "";
	struct text t = text_fixed(buf, sizeof(buf)), a = text_fixed(dev_addr, sizeof(dev_addr));
	/* The id by which a frame is known everywhere: that of its first reception, where it has one. */
	const struct cid *cid = CIDS_FIND(&e->cids, CID_GS_UPLINK);
	if (cid)
		cid_text(&t, cid);
	if (MSG_HAS(e, dev_addr))
		text_printf(&a, "%08X", e->dev_addr);
	LOG(level_of(e), e->name, KV_Z("cid", buf), KV_U("device", MSG_HAS(e, device) ? e->device : 0), KV_Z("dev_addr", dev_addr),
		KV_EUI("dev_eui", MSG_HAS(e, dev_eui) ? e->dev_eui : 0), KV_Z("gateway", MSG_HAS(e, gateway_id) ? e->gateway_id : ""),
		KV_Z("data", MSG_HAS(e, data) ? e->data : ""));
}

void log_events(const struct trace_events *m)
{
	if (!log_on(LOG_INFO))
		return;
	for (size_t i = 0; i < m->v.len; i++)
		if (log_on(level_of(&m->v.v[i])))
			log_one(&m->v.v[i]);
}
