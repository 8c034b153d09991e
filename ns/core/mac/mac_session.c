/** @file What devices of 1.1 say of their session: ResetInd after a personalised device started, RekeyInd after a join. [LW1.1 5.1, 5.10] */
#include "ns/core/mac/mac.h"
#include "ns/core/records.h"

enum { MINOR = 1, MINOR_MASK = 0x0F };

static void tell_minor(struct mac_run *run, enum event_id event, uint8_t minor)
{
	struct text *t = trace_begin(run->ns, event, run->about);
	json_name(t, "minor_version");
	json_unum(t, minor);
	trace_end(run->ns);
}

/* Is it for this kind of session? Then the version both speak is confirmed: the lower one. */
static bool is_confirmed(struct mac_run *run, struct slice arg, enum mac_cid cid, bool is_by_hand, const char *name)
{
	uint8_t minor = arg.p[0] & MINOR_MASK;
	if (!run->session->is_v11 || run->session->is_by_hand != is_by_hand || minor < MINOR) {
		mac_unasked(run, name);
		return false;
	}
	tell_minor(run, cid == CMD_RESET ? EVENT_NS_MAC_RESET_INDICATION : EVENT_NS_MAC_REKEY_INDICATION, minor);
	mac_octet_put(run->answers, cid, MINOR);
	tell_minor(run, cid == CMD_RESET ? EVENT_NS_MAC_RESET_CONFIRMATION : EVENT_NS_MAC_REKEY_CONFIRMATION, MINOR);
	return true;
}

void mac_reset(struct mac_run *run, struct slice arg)
{
	if (!is_confirmed(run, arg, CMD_RESET, true, "ResetInd") || run->reception->is_repeat)
		return;
	/* Its radio listens again as its maker set it; keys and counters go on. */
	mac_begin(run->session, mac_rx_of_maker(run->dev), true);
	record_session_put(run->ns, run->session);
}

void mac_rekey(struct mac_run *run, struct slice arg)
{
	is_confirmed(run, arg, CMD_REKEY, false, "RekeyInd");
}
