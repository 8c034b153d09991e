/** @file MAC commands that devices send: the table, and the walk over a frame's commands. */
#include "ns/core/mac/mac.h"

struct row {
	void (*take)(struct mac_run *run, struct slice arg);
	uint8_t cid;
	bool is_question; /**< begun by the device: repetitions are answered too, and each once in a frame */
};

/* Of class B, only what a device would ask for ever is answered. */
static const struct row rows[] = {
	{ mac_link_check, CMD_LINK_CHECK, true },
	{ mac_device_time, CMD_DEVICE_TIME, true },
	{ mac_device_mode, CMD_DEVICE_MODE, true },
	{ mac_ping_slot_info, CMD_PING_SLOT_INFO, true },
	{ mac_dev_status, CMD_DEV_STATUS, false },
	{ mac_reset, CMD_RESET, true },
	{ mac_rekey, CMD_REKEY, true },
	{ mac_link_adr_take, CMD_LINK_ADR, false },
	{ mac_answer, CMD_DUTY_CYCLE, false },
	{ mac_answer, CMD_RX_PARAM_SETUP, false },
	{ mac_answer, CMD_NEW_CHANNEL, false },
	{ mac_answer, CMD_RX_TIMING_SETUP, false },
	{ mac_answer, CMD_TX_PARAM_SETUP, false },
	{ mac_answer, CMD_DL_CHANNEL, false },
	{ mac_answer, CMD_ADR_PARAM_SETUP, false },
	{ mac_answer, CMD_REJOIN_PARAM_SETUP, false },
};

static const struct row *row_of(uint8_t cid)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		if (rows[i].cid == cid)
			return &rows[i];
	return NULL;
}

static void tell(struct mac_run *run, enum event_id event, const char *command, const char *reason)
{
	struct text *t = trace_begin(run->ns, event, run->about);
	json_name(t, "command");
	json_puts(t, command);
	json_name(t, "reason");
	json_puts(t, reason);
	trace_end(run->ns);
}

void mac_unasked(struct mac_run *run, const char *command)
{
	tell(run, EVENT_NS_MAC_COMMAND_PROCESS_FAIL, command, "no_request");
}

static void take_one(struct mac_run *run, const struct mac_cmd *c)
{
	const struct row *row = row_of(c->info->cid);
	uint64_t bit = UINT64_C(1) << (c->info->cid & 63);
	if (!row) {
		bool is_question = c->info->asker == MAC_ASKER_DEVICE;
		tell(run, EVENT_NS_MAC_COMMAND_PROCESS_FAIL, c->info->up_name, is_question ? "not_served" : "no_request");
		return;
	}
	if (c->info->since > (enum mac_version)run->dev->mac_version) {
		tell(run, EVENT_NS_MAC_COMMAND_PROCESS_FAIL, c->info->up_name, "not in the device's version");
		return;
	}
	bool is_again = run->answered & bit;
	run->answered |= bit;
	if (row->is_question ? is_again : run->reception->is_repeat)
		return;
	run->cid = c->info->cid;
	row->take(run, c->arg);
}

void mac_take(struct mac_run *run, struct slice commands)
{
	struct mac_cmd c;
	size_t pos = 0;
	enum mac_walk w;
	while ((w = mac_walk(commands, true, &pos, &c)) == MAC_WALK_CMD)
		take_one(run, &c);
	if (w == MAC_WALK_E_UNKNOWN)
		tell(run, EVENT_NS_MAC_COMMAND_UNKNOWN, "", "unknown: the rest cannot be read");
	else if (w == MAC_WALK_E_SHORT)
		tell(run, EVENT_NS_MAC_COMMAND_PARSE_FAIL, "", "cut short");
}
