/** @file Events for the trace, drops for the counters, notes for the log. */
#include "common/core/json_out.h"
#include "gs/core/gs_int.h"
#include <string.h>

enum { NOTE_EVERY_S = 60, PROCESS_GS = EVENT_PROCESS_GS };
enum {
	MTYPE_JOIN_REQUEST = 0,
	MTYPE_UP = 2,
	MTYPE_DOWN = 3,
	MTYPE_CONFIRMED_UP = 4,
	MTYPE_CONFIRMED_DOWN = 5,
	JOIN_REQUEST_LEN = 23
};

_Static_assert(GS_DROP_N <= 32, "drops_noted has a bit for each reason");
_Static_assert((int)GS_DROP_SHORT == SEMTECH_E_SHORT && (int)GS_DROP_RFCH == SEMTECH_E_RFCH,
	"refusals are drops of the same number");

const char *gs_drop_word(enum gs_drop drop)
{
	static const char *const words[GS_DROP_N] = {
		[GS_DROP_NONE] = "none",
#define DROP(symbol, word, meaning) [GS_DROP_##symbol] = word,
#include "gs/core/drops.def"
#undef DROP
	};
	return (unsigned)drop < GS_DROP_N ? words[drop] : "unknown";
}

const char *gs_drop_label(unsigned drop)
{
	return drop == GS_DROP_NONE ? NULL : gs_drop_word((enum gs_drop)drop);
}

struct trace_event *gs_trace_begin(
	struct gs *gs, enum event_id event, const struct gateway *g, const struct now *now)
{
	struct trace_event *e = gs->sink.event(gs->sink.ctx, event, g->id);
	if (!e)
		return NULL;
	gs->traced = event;
	e->has = 0;
	e->cids.len = 0;
	str_copy(str_of(events_info(event)->name), e->name, sizeof e->name);
	e->time_unix_us = now->unix_us;
	e->process = PROCESS_GS;
	memcpy(e->gateway_id, g->id, sizeof e->gateway_id);
	e->gateway_eui = g->eui;
	e->has = HAS(trace_event, cids) | HAS(trace_event, gateway_id) | HAS(trace_event, gateway_eui);
	CIDS_ADD(&e->cids, CID_GS_CONN, g->conn);
	return e;
}

void gs_trace_frame(struct trace_event *e, const uint8_t *phy, size_t n)
{
	struct reader r = reader_of(phy, n);
	unsigned type = reader_u8(&r) >> 5;
	if (type == MTYPE_JOIN_REQUEST && n == JOIN_REQUEST_LEN) {
		reader_le64(&r); /* JoinEUI */
		MSG_SET(e, dev_eui, reader_le64(&r));
	} else if (type >= MTYPE_UP && type <= MTYPE_CONFIRMED_DOWN) {
		uint32_t dev_addr = reader_le32(&r);
		if (!r.failed)
			MSG_SET(e, dev_addr, dev_addr);
	}
}

struct text gs_trace_data(struct trace_event *e)
{
	struct text t = text_fixed(e->data, sizeof e->data);
	json_open(&t, '{');
	return t;
}

void gs_trace_num(struct text *t, const char *name, uint64_t v)
{
	json_name(t, name);
	json_unum(t, v);
}

void gs_trace_end(struct gs *gs, struct trace_event *e, struct text *t)
{
	if (t)
		json_close(t, '}');
	if (t && !t->failed)
		MSG_MARK(e, data);
	gs->sink.event_end(gs->sink.ctx, gs->traced, e);
}

/** Has this reason been noted within the last minute? */
static bool is_noted(uint32_t *noted, uint64_t *since_us, enum gs_drop why, uint64_t now_us)
{
	if (now_us - *since_us >= NOTE_EVERY_S * SEC_US) {
		*noted = 0;
		*since_us = now_us;
	}
	bool was = *noted & UINT32_C(1) << why;
	*noted |= UINT32_C(1) << why;
	return was;
}

void gs_trace_drop(struct gs *gs, struct gateway *g, uint64_t eui, const struct gs_peer *peer,
	enum gs_drop why, const struct now *now)
{
	gs->metrics.drops[why]++;
	bool noted = g ? is_noted(&g->drops_noted, &g->drops_noted_us, why, now->mono_us)
		       : is_noted(&gs->drops_noted, &gs->drops_noted_us, why, now->mono_us);
	if (!noted) {
		struct gs_note note = {
			.kind = GS_NOTE_DROP, .gateway = g, .peer = peer, .eui = eui, .drop = why};
		gs->sink.note(gs->sink.ctx, &note);
	}
}
