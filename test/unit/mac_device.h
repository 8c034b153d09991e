/** @file A device that understands MAC commands, written after the specification's words and not with our encoders: it does what
 * a downlink asks for, answers with its next uplink, and repeats sticky answers until it hears something. */
#pragma once
#include "test/unit/ns_life.h"

enum { MD_CHANNELS = 16 };

struct mac_device {
	struct world *w;
	struct w_device *d;
	unsigned rx1_delay, rx1_offset, rx2_dr, duty, tx_param, adr_param, rejoin_param;
	uint32_t rx2_hz, channel[MD_CHANNELS], down[MD_CHANNELS];
	uint16_t mask;
	unsigned dr, power, nb_trans;
	uint8_t ans[64];     /**< for the next uplink */
	size_t n_ans;
	uint8_t sticky[64];
	size_t n_sticky;
	bool forgets_sticky; /**< LoRaWAN 1.0.0 */
	/* How it refuses. */
	uint8_t rx_status, adr_status, channel_status, rejoin_status;
	bool is_deaf;        /**< hears, and does not understand commands */
	bool is_single;      /**< one LinkADRAns for a block */
	/* What was asked, since the test looked last. */
	unsigned n_heard, n_asked[64], n_commands;
	uint8_t last_port;
	bool has_adr;
};

static inline void md_init(struct mac_device *m, struct world *w, struct w_device *d)
{
	*m = (struct mac_device){ .w = w, .d = d, .rx1_delay = d->rx1_delay_s, .rx2_hz = 869525000, .mask = 7, .nb_trans = 1, .dr = 5,
		.rx_status = 7, .adr_status = 7, .channel_status = 3, .rejoin_status = 1, .n_heard = d->n_heard };
	m->channel[0] = 868100000;
	m->channel[1] = 868300000;
	m->channel[2] = 868500000;
}

static inline uint32_t md_le24(const uint8_t *p)
{
	return ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16) * 100;
}

static inline void md_answer(struct mac_device *m, uint8_t cid, int status, bool is_sticky)
{
	uint8_t *p = is_sticky ? m->sticky : m->ans;
	size_t *n = is_sticky ? &m->n_sticky : &m->n_ans;
	if (*n + 2 > 15)
		return; /* what does not fit is not said */
	p[(*n)++] = cid;
	if (status >= 0)
		p[(*n)++] = (uint8_t)status;
}

static inline void md_link_adr(struct mac_device *m, const uint8_t *p, unsigned n)
{
	uint16_t mask = m->mask;
	for (unsigned i = 0; i < n; i++, p += 5) {
		unsigned cntl = p[4] >> 4 & 7;
		if (cntl == 0)
			mask = (uint16_t)(p[2] | p[3] << 8);
		if (i + 1 == n && m->adr_status == 7) {
			m->mask = mask;
			m->dr = p[1] >> 4 == 15 ? m->dr : p[1] >> 4;
			m->power = (p[1] & 15) == 15 ? m->power : p[1] & 15;
			m->nb_trans = p[4] & 15 ? p[4] & 15 : 1;
		}
		if (!m->is_single || i == 0)
			md_answer(m, 3, m->adr_status, false);
	}
}

static inline void md_new_channel(struct mac_device *m, const uint8_t *p)
{
	if (m->channel_status == 3 && p[1] < MD_CHANNELS) {
		m->channel[p[1]] = md_le24(p + 2);
		m->down[p[1]] = 0;
		m->mask = (uint16_t)(md_le24(p + 2) ? m->mask | 1U << p[1] : m->mask & ~(1U << p[1]));
	}
	md_answer(m, 7, m->channel_status, false);
}

static inline void md_rx_param(struct mac_device *m, const uint8_t *p)
{
	if (m->rx_status == 7) {
		m->rx1_offset = p[1] >> 4 & 7;
		m->rx2_dr = p[1] & 15;
		m->rx2_hz = md_le24(p + 2);
	}
	md_answer(m, 5, m->rx_status, true);
}

/** @return octets of the command, or 0: it does not know it */
static inline size_t md_take(struct mac_device *m, const uint8_t *p, size_t n)
{
	unsigned block = 0;
	m->n_asked[p[0] & 63]++;
	m->n_commands++;
	switch (p[0]) {
	case 0x02: return 3;
	case 0x03:
		while ((block + 1) * 5 <= n && p[block * 5] == 3)
			block++;
		md_link_adr(m, p, block);
		return block * 5;
	case 0x04: m->duty = p[1]; md_answer(m, 4, -1, false); return 2;
	case 0x05: md_rx_param(m, p); return 5;
	case 0x06: md_answer(m, 6, 200, false); m->ans[m->n_ans++] = 10; return 1;
	case 0x07: md_new_channel(m, p); return 6;
	case 0x08: m->rx1_delay = p[1] & 15 ? p[1] & 15 : 1; md_answer(m, 8, -1, true); return 2;
	case 0x09: m->tx_param = p[1]; md_answer(m, 9, -1, true); return 2;
	case 0x0a: m->down[p[1] & 15] = md_le24(p + 2); md_answer(m, 10, 3, true); return 5;
	case 0x0c: m->adr_param = p[1]; md_answer(m, 12, -1, false); return 2;
	case 0x0d: return 6;
	case 0x0e: return 3;
	case 0x0f: m->rejoin_param = p[1]; md_answer(m, 15, m->rejoin_status, false); return 2;
	case 0x10: return 1;
	case 0x20: return 2;
	default: return 0;
	}
}

/** What it heard since the last time. */
static inline void md_hear(struct mac_device *m)
{
	struct w_device *d = m->d;
	memset(m->n_asked, 0, sizeof(m->n_asked));
	m->n_commands = 0;
	if (d->n_heard == m->n_heard)
		return;
	m->n_heard = d->n_heard;
	m->n_sticky = 0;
	m->has_adr = d->heard.adr;
	m->last_port = d->heard.port;
	bool is_port_0 = d->heard.n && d->heard.port == 0;
	const uint8_t *p = is_port_0 ? d->heard.frm : d->heard.opts;
	size_t n = is_port_0 ? d->heard.n : d->heard.n_opts;
	while (n && !m->is_deaf) {
		size_t used = md_take(m, p, n);
		if (!used || used > n) {
			W_BREAK(m->w, "a device was sent a command that it does not know: %02x", p[0]);
			return;
		}
		p += used;
		n -= used;
	}
	d->rx1_delay_s = m->rx1_delay;
	d->rx2_hz = m->rx2_hz;
	for (unsigned i = 0; i < MD_CHANNELS; i++)
		if (m->channel[i] == d->up.freq_hz)
			d->rx1_hz = m->down[i];
}

/** Its next uplink, with its answers; then everything ends, and it has heard what there was. */
static inline void md_say(struct mac_device *m, struct w_say say)
{
	uint8_t opts[64];
	size_t n = m->n_sticky;
	memcpy(opts, m->sticky, n);
	if (n + m->n_ans > 15)
		m->n_ans = 15 - n;
	memcpy(opts + n, m->ans, m->n_ans);
	n += m->n_ans;
	if (say.n_opts && n + say.n_opts <= 15) {
		memcpy(opts + n, say.opts, say.n_opts);
		n += say.n_opts;
	}
	say.opts = opts;
	say.n_opts = n;
	m->n_ans = 0;
	if (m->forgets_sticky)
		m->n_sticky = 0;
	static const char *const rates[] = { "SF12BW125", "SF11BW125", "SF10BW125", "SF9BW125", "SF8BW125", "SF7BW125", "SF7BW250", "50000" };
	modu_parse(str_of(rates[m->dr & 7]), &m->d->up.modu);
	w_uplink(m->w, m->d, &say, 1);
	w_rest(m->w);
	md_hear(m);
}
