/** @file The table of MAC commands and the walk over a string of them. */
#include "proto/lorawan/mac_cmds.h"
#include "common/core/err.h"

#define DEVICE  MAC_ASKER_DEVICE
#define NETWORK MAC_ASKER_NETWORK
static const struct mac_cmd_info cmds[] = {
#define MAC_CMD(symbol, id, up, n_up, down, n_down, who, sticky, from, sec) \
	{ sec, from, up, down, n_up, n_down, id, who, sticky },
#include "proto/lorawan/mac_cmds.def"
#undef MAC_CMD
};
#undef DEVICE
#undef NETWORK

enum { LEN_NONE = -1, LEN_TOLD = -2, FILTER_LIST_HEAD = 2, FILTER_LIST_LEN = 0x1F };

const struct mac_cmd_info *mac_cmd_by_cid(uint8_t cid)
{
	for (size_t i = 0; i < COUNT(cmds); i++)
		if (cmds[i].cid == cid)
			return &cmds[i];
	return NULL;
}

const struct mac_cmd_info *mac_cmd_at(size_t i)
{
	return i < COUNT(cmds) ? &cmds[i] : NULL;
}

enum mac_walk mac_walk(struct slice s, bool is_up, size_t *pos, struct mac_cmd *ret_cmd)
{
	if (*pos >= s.n)
		return MAC_WALK_END;
	const struct mac_cmd_info *info = mac_cmd_by_cid(s.p[*pos]);
	int len = !info ? LEN_NONE : is_up ? info->up_len : info->down_len;
	struct reader r = reader_of(s.p + *pos + 1, s.n - *pos - 1);
	if (len == LEN_NONE)
		return MAC_WALK_E_UNKNOWN;
	if (len == LEN_TOLD) {
		struct reader head = r;
		len = FILTER_LIST_HEAD + (reader_u8(&head) & FILTER_LIST_LEN);
	}
	struct slice arg = reader_take(&r, (size_t)len);
	if (r.failed)
		return MAC_WALK_E_SHORT;
	*ret_cmd = (struct mac_cmd){ .info = info, .arg = arg };
	*pos += 1 + (size_t)len;
	return MAC_WALK_CMD;
}
