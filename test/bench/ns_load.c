/** @file Load for godwit-ns alone: a gateway server and an application server in one process, devices with good MICs.
 *
 *     ns_load BUS-ADDRESS FRAMES-PER-SECOND SECONDS [COPIES]
 *
 * Prints what was accepted and delivered; the caller looks at the server's CPU time.
 */
#include "common/loop.h"
#include "proto/bus/bus.h"
#include "proto/cids.h"
#include "proto/lorawan/security.h"
#include "proto/lorawan/version.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEVICES = 5000, TICK_MS = 10, FRM = 16 };

struct load {
	struct loop *loop;
	struct loop_timer *tick;
	struct crypto *crypto;
	struct rng rng;
	struct bus_peer *gs, *as;
	unsigned per_s, seconds, copies;
	uint64_t sent, accepted, delivered, failed, begin_us, owed;
	struct key nwk[DEVICES];
	uint32_t f_cnt[DEVICES];
	uint32_t synced;
	struct gs_uplink up;
	struct sync sync;
};

static void on_accepted(void *ctx, int status, const struct failure *failure, const void *reply)
{
	struct load *l = ctx;
	(void)failure;
	(void)reply;
	if (status == 0)
		l->accepted++;
	else
		l->failed++;
}

static void frame_make(struct load *l, uint32_t device)
{
	uint8_t frm[FRM] = { 1, 2, 3 };
	struct frame_id id = { .dev_addr = 0x01000000 + device, .f_cnt = l->f_cnt[device]++, .is_up = true };
	struct frame f = { .mtype = MTYPE_DATA_UP, .is_up = true, .data = { .dev_addr = id.dev_addr, .f_cnt16 = (uint16_t)id.f_cnt,
		.has_port = true, .f_port = 1, .frm = { frm, FRM } } };
	struct writer w = writer_of(l->up.phy.p, sizeof(l->up.phy.p));
	frame_write(&f, &w);
	mic_data(l->crypto, &l->nwk[device], &id, (struct slice){ l->up.phy.p, w.len - MIC_LEN }, l->up.phy.p + w.len - MIC_LEN);
	l->up.phy.len = (uint16_t)w.len;
}

static void frame_send(struct load *l, uint32_t device)
{
	struct gs_uplink *m = &l->up;
	const struct now *now = loop_now(l->loop);
	frame_make(l, device);
	for (unsigned i = 0; i < l->copies; i++) {
		m->cids.len = 0;
		struct ulid conn = { { (uint8_t)i } };
		CIDS_ADD(&m->cids, CID_GS_CONN, conn);
		CIDS_ADD(&m->cids, CID_GS_UPLINK, ulid_make(now->unix_us, &l->rng));
		CIDS_ADD(&m->cids, CID_RPC_GSNS_UPLINK, ulid_make(now->unix_us, &l->rng));
		snprintf(m->rx.gateway_id, sizeof(m->rx.gateway_id), "eui-%016x", 0xaa00 + i);
		m->rx.gateway_eui = 0xaa00 + i;
		m->rx.tmst_us = (uint32_t)now->mono_us;
		m->rx.received_unix_us = now->unix_us;
		m->rx.rssi_ddbm = -900 - (int)i;
		MSG_SET(&m->rx, snr_ddb, 75);
		if (bus_call(l->gs, GSNS_UPLINK, m, 30 * SEC_US, on_accepted, l) == 0)
			l->sent++;
		else
			l->failed++;
	}
}

static void finish(struct load *l)
{
	printf("sent %lu accepted %lu delivered %lu failed %lu\n", (unsigned long)l->sent, (unsigned long)l->accepted,
		(unsigned long)l->delivered, (unsigned long)l->failed);
	loop_stop(l->loop);
}

static void on_tick(void *ctx)
{
	struct load *l = ctx;
	uint64_t now = loop_now(l->loop)->mono_us, since = now - l->begin_us;
	if (since > (l->seconds + 2ULL) * SEC_US) {
		finish(l);
		return;
	}
	uint64_t due = since > l->seconds * SEC_US ? l->seconds * (uint64_t)l->per_s : since * l->per_s / SEC_US;
	for (; l->owed < due; l->owed++)
		frame_send(l, (uint32_t)(l->owed % DEVICES));
	loop_timer_in(l->tick, TICK_MS * MS_US);
}

static void sync_next(struct load *l);

static void on_synced(void *ctx, int status, const struct failure *failure, const void *reply)
{
	struct load *l = ctx;
	(void)reply;
	if (status) {
		fprintf(stderr, "sync: %d %s\n", status, failure ? failure->name : "");
		exit(EXIT_FAILURE);
	}
	if (l->synced < DEVICES) {
		sync_next(l);
		return;
	}
	static struct downlink_queued q;
	MSG_SET(&q, all, true);
	bus_call(l->as, ASNS_QUEUED, &q, SEC_US, NULL, NULL);
	l->begin_us = loop_now(l->loop)->mono_us;
	loop_timer_in(l->tick, 0);
}

static void sync_next(struct load *l)
{
	struct sync *m = &l->sync;
	memset(m, 0, sizeof(*m));
	m->store_id.b[0] = 7;
	m->revision = l->synced;
	if (l->synced == 0)
		MSG_SET(m, first, true);
	for (; l->synced < DEVICES && m->v.len < COUNT(m->v.v); l->synced++) {
		struct sync_entry *e = &m->v.v[m->v.len++];
		MSG_SET(e, device, l->synced + 1);
		MSG_MARK(e, dev);
		e->dev.mac_version = LW_1_0_3;
		e->dev.phy_version = RP_1_0_3_A;
		snprintf(e->dev.application_id, sizeof(e->dev.application_id), "app1");
		snprintf(e->dev.device_id, sizeof(e->dev.device_id), "dev%u", l->synced);
		snprintf(e->dev.plan, sizeof(e->dev.plan), "EU_863_870");
		rng_fill(&l->rng, l->nwk[l->synced].b, AES_KEY);
		MSG_MARK(&e->dev, session);
		e->dev.session = (struct net_session){ .dev_addr = 0x01000000 + l->synced, .f_nwk_s_int_key = l->nwk[l->synced],
			.s_nwk_s_int_key = l->nwk[l->synced], .nwk_s_enc_key = l->nwk[l->synced], .generation = 1 };
	}
	if (l->synced == DEVICES)
		MSG_SET(m, last, true);
	bus_call(l->as, ASNS_SYNC, m, 10 * SEC_US, on_synced, l);
}

static void on_up(void *ctx, struct bus_peer *peer)
{
	struct load *l = ctx;
	if (!l->as)
		l->as = peer;
	sync_next(l);
}

static void on_gs_up(void *ctx, struct bus_peer *peer)
{
	struct load *l = ctx;
	l->gs = peer;
}

static void on_down(void *ctx, struct bus_peer *peer)
{
	(void)ctx;
	(void)peer;
}

static void on_message(void *ctx, struct bus_peer *peer, struct bus_request *r, const void *msg)
{
	struct load *l = ctx;
	(void)peer;
	(void)msg;
	l->delivered++;
	bus_reply(r, &(struct ack){ .has = 0 });
}

static void on_note(void *ctx, struct bus_peer *peer, struct bus_request *r, const void *msg)
{
	(void)ctx;
	(void)peer;
	(void)msg;
	if (r)
		bus_reply(r, &(struct ack){ .has = 0 });
}

static const struct bus_handler as_handlers[] = { { NSAS_UPLINK, on_message }, { NSAS_EVENT, on_note }, { NSAS_STATUS, on_note },
	{ NSAS_PEERS, on_note } };
static const struct bus_handler gs_handlers[] = { { NSGS_SYNC, on_note }, { NSGS_SCHEDULE, on_note } };

int main(int argc, char **argv)
{
	static struct load l;
	char why[256];
	struct text err = text_fixed(why, sizeof(why));
	if (argc < 4)
		return EXIT_FAILURE;
	l.per_s = (unsigned)atoi(argv[2]);
	l.seconds = (unsigned)atoi(argv[3]);
	l.copies = argc > 4 ? (unsigned)atoi(argv[4]) : 1;
	l.loop = loop_new();
	l.crypto = crypto_new();
	l.rng = loop_rng();
	l.tick = loop_timer_new(l.loop, on_tick, &l);
	l.up = (struct gs_uplink){ .freq_hz = 868100000, .path_us = 5000, .can_send = true };
	MSG_SET(&l.up.mod, sf, 7);
	MSG_SET(&l.up.mod, bw_hz, 125000);
	struct bus_options o = { .loop = l.loop, .address = argv[1], .role = "as", .handlers = as_handlers, .n_handlers = COUNT(as_handlers),
		.up = on_up, .down = on_down, .ctx = &l };
	struct bus *as, *gs;
	if (bus_connect(&o, &as, &err) != 0)
		return EXIT_FAILURE;
	o.role = "gs";
	o.handlers = gs_handlers;
	o.n_handlers = COUNT(gs_handlers);
	o.up = on_gs_up;
	if (bus_connect(&o, &gs, &err) != 0)
		return EXIT_FAILURE;
	loop_run(l.loop);
	return EXIT_SUCCESS;
}
