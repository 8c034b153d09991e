/** @file A data downlink of any version: put together, its commands encrypted where the version wants it, and signed. */
#include "ns/core/down/seal.h"
#include "common/core/err.h"
#include "proto/lorawan/security.h"
#include <string.h>

/* Commands that are too many for FOpts are the payload of FPort 0, which every version encrypts. */
static int commands_as_payload(struct crypto *c, const struct session *s, const struct frame_id *id, struct slice commands, uint8_t buf[PHY_MAX],
	struct frame_data *d)
{
	if ((d->has_port && d->f_port != PORT_MAC) || d->frm.n || commands.n > PHY_MAX)
		return -EINVAL;
	if (commands.n)
		memcpy(buf, commands.p, commands.n);
	TRY(cipher_frm(c, &s->nwk_s_enc, id, buf, commands.n));
	d->has_port = true;
	d->f_port = PORT_MAC;
	d->frm = (struct slice){ buf, commands.n };
	return 0;
}

/* The erratum on FOpts: the block says which of the two counters numbers the frame. */
static int commands_as_f_opts(struct crypto *c, const struct session *s, const struct frame_id *id, struct slice commands, uint8_t buf[PHY_MAX],
	struct frame_data *d)
{
	if (commands.n)
		memcpy(buf, commands.p, commands.n);
	if (s->is_v11)
		TRY(cipher_f_opts(c, &s->nwk_s_enc, id, d->has_port, buf, commands.n));
	d->f_opts = (struct slice){ buf, commands.n };
	return 0;
}

int seal_data(struct crypto *c, const struct session *s, const struct seal *m, uint8_t ret_phy[PHY_MAX], size_t *ret_n)
{
	struct frame f = { .mtype = m->is_confirmed ? MTYPE_CONFIRMED_DOWN : MTYPE_DATA_DOWN };
	struct frame_id id = { .dev_addr = s->dev_addr, .f_cnt = m->f_cnt };
	uint8_t buf[PHY_MAX];
	f.data = (struct frame_data){ .dev_addr = s->dev_addr, .f_cnt16 = (uint16_t)m->f_cnt, .adr = m->adr, .ack = m->ack,
		.f_pending = m->f_pending, .has_port = m->has_port, .f_port = m->f_port, .frm = m->frm };
	if (m->commands.n > FOPTS_MAX || (m->has_port && m->f_port == PORT_MAC))
		TRY(commands_as_payload(c, s, &id, m->commands, buf, &f.data));
	else
		TRY(commands_as_f_opts(c, s, &id, m->commands, buf, &f.data));
	if (s->is_v11 && m->ack)
		id.conf_f_cnt = (uint16_t)m->ack_f_cnt;
	struct writer w = writer_of(ret_phy, PHY_MAX);
	TRY(frame_write(&f, &w));
	size_t n = w.len - MIC_LEN;
	TRY(mic_data(c, &s->s_nwk_s_int, &id, (struct slice){ ret_phy, n }, ret_phy + n));
	*ret_n = w.len;
	return 0;
}
