/** @file What the core noticed, as log lines. */
#include "gs/notes.h"
#include "common/log.h"
#include "gs/udp.h"

enum { COMMAND_MAX = 200, ADDRESS_MAX = 80, MOVES_MANY = 3 };

/** What the operator types to register a gateway: nobody but us knows one that is refused, so it cannot be adopted. */
static void create_text(struct text *t, uint64_t eui)
{
	text_printf(t,
		"godwit gateways create eui-%016" PRIx64 " --gateway-eui %016" PRIX64
		" --frequency-plan-id EU_863_870",
		eui, eui);
}

static void adopt_text(struct text *t, uint64_t eui)
{
	text_printf(t, "godwit gateways adopt %016" PRIX64 " --frequency-plan-id EU_863_870", eui);
}

/** What happens all the time at any gateway is for those who look for it. */
static enum log_level drop_level(enum gs_drop why)
{
	switch (why) {
	case GS_DROP_CRC_BAD:
	case GS_DROP_CRC_NONE:
	case GS_DROP_EMPTY:
	case GS_DROP_REPEAT:
	case GS_DROP_UNKNOWN_TOKEN: return LOG_DEBUG;
	case GS_DROP_QUOTA:
	case GS_DROP_TABLE_FULL:
	case GS_DROP_UNREGISTERED: return LOG_WARN;
	default: return LOG_INFO;
	}
}

static void drop_log(const struct gs_note *note, const char *address)
{
	char buf[COMMAND_MAX];
	struct text command = text_fixed(buf, sizeof buf);
	if (note->drop == GS_DROP_UNREGISTERED) {
		create_text(&command, note->eui);
		LOG(LOG_WARN, "gateway_refused", KV_EUI("eui", note->eui), KV_Z("address", address),
			KV_Z("why", "not registered, and gs.require-registered is on"), KV_Z("command", buf));
		return;
	}
	LOG(drop_level(note->drop), "drop", KV_Z("reason", gs_drop_word(note->drop)),
		KV_EUI("eui", note->eui), KV_Z("address", address),
		KV_Z("more", "counted; not said again for a minute"));
}

static void no_plan_log(const struct gs_note *note, const char *address)
{
	char buf[COMMAND_MAX];
	struct text command = text_fixed(buf, sizeof buf);
	adopt_text(&command, note->eui);
	LOG(LOG_WARN, "gateway_without_plan", KV_Z("gateway", note->gateway->id), KV_EUI("eui", note->eui),
		KV_Z("address", address),
		KV_Z("why",
			"not registered and no gs.default-frequency-plan: it is heard, but sends nothing"),
		KV_Z("command", buf));
}

static void gateway_log(const struct gs_note *note, const char *address)
{
	const struct gateway *g = note->gateway;
	switch (note->kind) {
	case GS_NOTE_CONNECT:
		LOG(LOG_INFO, "gateway_connect", KV_Z("gateway", g->id), KV_EUI("eui", note->eui),
			KV_Z("address", address), KV_Z("plan", g->plan));
		break;
	case GS_NOTE_DISCONNECT:
		LOG(LOG_INFO, "gateway_disconnect", KV_Z("gateway", g->id), KV_EUI("eui", note->eui),
			KV_U("uplinks", g->counts.uplinks), KV_U("downlinks", g->counts.downlinks));
		break;
	case GS_NOTE_RESTART:
		LOG(LOG_INFO, "concentrator_restart", KV_Z("gateway", g->id), KV_EUI("eui", note->eui),
			KV_U("restarts", g->clock.restarts));
		break;
	case GS_NOTE_JUMP:
		LOG(LOG_INFO, "clock_jump", KV_Z("gateway", g->id), KV_EUI("eui", note->eui), KV_U("jumps", g->clock.jumps),
			KV_Z("why", "its frames arrive much earlier or later than before, all of them"));
		break;
	case GS_NOTE_MOVE:
		LOG(g->moves > MOVES_MANY ? LOG_WARN : LOG_INFO, "gateway_moved", KV_Z("gateway", g->id), KV_EUI("eui", note->eui),
			KV_Z("address", address), KV_U("times", g->moves),
			KV_Z("why", g->moves > MOVES_MANY ? "again and again: are there two forwarders with this EUI?" : "its address changed"));
		break;
	default: break;
	}
}

void notes_log(const struct gs_note *note)
{
	char buf[ADDRESS_MAX] = "";
	struct text address = text_fixed(buf, sizeof buf);
	if (note->peer)
		udp_peer_text(&address, note->peer);
	if (note->kind == GS_NOTE_DROP)
		drop_log(note, buf);
	else if (note->kind == GS_NOTE_NO_PLAN)
		no_plan_log(note, buf);
	else
		gateway_log(note, buf);
}
