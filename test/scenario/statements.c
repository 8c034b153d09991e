/** @file What happens in a story: gateways, devices, the application server, the disk. */
#include "test/scenario/story.h"

/* ---- devices ---- */

/* Its first channel and that one's highest data rate, until the story says otherwise. */
static void first_channel(const struct world *w, struct w_device *d)
{
	uint8_t min_dr, max_dr;
	if (plan_channel(w->plan, 0, &d->up.freq_hz, &min_dr, &max_dr))
		d->up.modu = *region_modu(w->plan->region, true, max_dr);
}

static void do_device(struct story *s)
{
	char name[LINE_MAX_CHARS];
	copied(next(s), name);
	bool is_otaa = take(s, "otaa"), is_group = take(s, "group");
	if (!is_otaa && !is_group && !take(s, "abp"))
		FAIL(s, "a device is abp, otaa or a group");
	struct w_device *d = w_add_device(s->w, name, is_otaa);
	d->class_c = d->multicast = is_group;
	if (!str_is(str_of(s->w->plan->id), "EU_863_870"))
		first_channel(s->w, d);
	while (s->at < s->n) {
		struct str word = next(s);
		enum mac_version v;
		if (mac_version_parse(word, &v) == 0)
			d->mac_version = v;
		else if (str_is(word, "nearby")) /* another with the DevAddr of the one before */
			d->dev_addr = d[-1].dev_addr;
		else if (str_is(word, "class-c"))
			d->class_c = true;
		else if (str_is(word, "last")) /* the counter of the last uplink elsewhere */
			d->f_cnt_up = (d->last_f_cnt_up = (uint32_t)number(s)) + 1;
		else
			FAIL(s, "a device is not \"%.*s\"", STR_ARG(word));
	}
	d->generation++;
	if (mac_rules(d->mac_version)->is_v11)
		w_make_1_1(s->w, d);
	w_sync(s->w, 0);
	w_settle(s->w);
}

static void set_field(struct story *s, const struct field *f, uint8_t *m)
{
	switch (f->kind) {
	case FIELD_U32: *(uint32_t *)(void *)(m + f->off) = (uint32_t)number(s); break;
	case FIELD_I32: *(int32_t *)(void *)(m + f->off) = (int32_t)number(s); break;
	case FIELD_U64: *(uint64_t *)(void *)(m + f->off) = number(s); break;
	case FIELD_BOOL: *(bool *)(void *)(m + f->off) = str_is(next(s), "true"); break;
	default: FAIL(s, "%s cannot be set here", f->json);
	}
}

/* "A setting status_count_periodicity 3": any field of mac_settings, by its JSON name; "adr.margin" in a message within. */
static void do_setting(struct story *s, struct w_device *d)
{
	const struct schema *schema = mac_settings_schema();
	struct str path = next(s);
	uint8_t *m = (uint8_t *)&d->mac;
	while (path.n) {
		size_t n = path.n, i = 0;
		while (i < schema->n && !str_is(path, schema->f[i].json))
			i++;
		if (i == schema->n) { /* not a name with dots, so a message within */
			for (n = 0; n < path.n && path.p[n] != '.';)
				n++;
			for (i = 0; i < schema->n && !str_is((struct str){ path.p, n }, schema->f[i].json);)
				i++;
		}
		if (i == schema->n)
			FAIL(s, "%s has no field \"%.*s\"", schema->name, STR_ARG(path));
		*(uint64_t *)(void *)m |= UINT64_C(1) << i;
		const struct field *f = &schema->f[i];
		if (f->kind != FIELD_SUB) {
			set_field(s, f, m);
			break;
		}
		m += f->off;
		schema = f->sub();
		path = (struct str){ path.p + n + (n < path.n), path.n - n - (n < path.n) };
	}
	w_sync(s->w, 0);
	w_settle(s->w);
}

static void at_rate(struct story *s, struct w_device *d, unsigned dr)
{
	const struct modu *m = region_modu(s->w->plan->region, true, dr);
	if (!m)
		FAIL(s, "the region has no DR%u", dr);
	d->up.modu = *m;
}

static void do_uplink(struct story *s, struct w_device *d)
{
	char text[LINE_MAX_CHARS];
	uint8_t opts[LINE_MAX_CHARS];
	struct writer commands = writer_of(opts, sizeof(opts) - 1);
	struct w_say say = { .port = -1 };
	uint32_t via = s->w->n_gw;
	size_t n;
	while (s->at < s->n && !s->why[0]) {
		if (take(s, "port"))
			say.port = (int)number(s);
		else if (take(s, "confirmed"))
			say.confirmed = true;
		else if (take(s, "ack"))
			say.ack = true;
		else if (take(s, "adr"))
			say.adr = true;
		else if (take(s, "adrackreq"))
			say.adr_ack_req = true;
		else if (take(s, "class-b"))
			say.class_b = true;
		else if (take(s, "via"))
			via = (uint32_t)number(s);
		else if (take(s, "freq"))
			d->up.freq_hz = megahertz(s);
		else if (take(s, "dr"))
			at_rate(s, d, (unsigned)number(s));
		else if (take(s, "mac"))
			command_put(s, &commands);
		else if (take(s, "opts") && hex_decode(next(s), opts + commands.len, sizeof(opts) - commands.len, &n) == 0)
			commands.len += n;
		else
			say.text = copied(next(s), text);
	}
	opts[commands.len] = '\0';
	if (say.port == PORT_MAC) { /* there commands are the payload */
		say.text = (const char *)opts;
		if (strlen(say.text) != commands.len)
			FAIL(s, "a payload of commands has no octet of 0 here");
	} else {
		say.opts = opts;
		say.n_opts = commands.len;
	}
	if (!s->why[0])
		w_uplink(s->w, d, &say, via);
}

static void do_again(struct story *s, struct w_device *d, uint32_t f_cnt)
{
	uint8_t phy[PHY_MAX];
	struct w_say say = { .port = 1, .text = "again", .confirmed = true };
	if (take(s, "unconfirmed"))
		say.confirmed = false;
	if (take(s, "other"))
		say.text = "other";
	size_t n = w_frame(s->w, d, f_cnt, &say, phy);
	d->last_up_us = s->w->now.mono_us;
	w_heard(s->w, d, 0, (struct slice){ phy, n }, 90, 0);
}

/* The octets of its last uplink once more, as NbTrans makes it. */
static void do_last(struct story *s, struct w_device *d)
{
	d->last_up_us = s->w->now.mono_us;
	w_heard(s->w, d, 0, (struct slice){ d->last, d->n_last }, 90, 0);
}

/* rejoins TYPE [COUNT] [unheard]: the answer to one that is unheard the device misses. */
static void do_rejoins(struct story *s, struct w_device *d)
{
	uint8_t type = (uint8_t)number(s);
	uint16_t count = type == 1 ? d->rj_count1 : d->rj_count0;
	bool is_unheard = take(s, "unheard");
	if (!is_unheard && s->at < s->n)
		count = (uint16_t)number(s);
	is_unheard |= take(s, "unheard");
	if (type == 1)
		d->rj_count1 = (uint16_t)(count + 1);
	else
		d->rj_count0 = (uint16_t)(count + 1);
	w_rejoin(s->w, d, type, count, s->w->n_gw);
	if (is_unheard)
		d->last_up_us = 0;
}

static void do_joins(struct story *s, struct w_device *d)
{
	static uint16_t nonce;
	uint32_t via = s->w->n_gw;
	if (take(s, "via"))
		via = (uint32_t)number(s);
	if (take(s, "again")) {
		w_join_request(s->w, d, d->nonce, via);
		return;
	}
	w_join_request(s->w, d, ++nonce, via);
}

static void do_listens(struct story *s, struct w_device *d)
{
	if (take(s, "rx1") && s->at < s->n && s->word[s->at].p[s->word[s->at].n - 1] == 's')
		d->rx1_delay_s = (unsigned)(duration(s) / SEC_US);
	else if (s->at > 0 && str_is(s->word[s->at - 1], "rx1"))
		d->rx1_hz = d->join_rx1_hz = megahertz(s);
	else if (take(s, "rx2"))
		d->rx2_hz = megahertz(s);
	else
		FAIL(s, "it listens in rx1 or rx2");
}

/* It is a member of a group. */
static void do_member(struct story *s, struct w_device *d)
{
	const struct w_device *group = device_named(s->w, next(s));
	size_t n = 0;
	while (n < COUNT(d->groups) && d->groups[n])
		n++;
	if (!group || !group->multicast || n == COUNT(d->groups))
		FAIL(s, "no such group, or more than a device is a member of");
	d->groups[n] = group->uid;
	w_sync(s->w, 0);
	w_settle(s->w);
}

static void do_device_acts(struct story *s, struct w_device *d)
{
	if (take(s, "uplink"))
		do_uplink(s, d);
	else if (take(s, "counts"))
		d->f_cnt_up = (uint32_t)number(s);
	else if (take(s, "says")) /* a frame that `repeats` sends again */
		do_again(s, d, d->f_cnt_up++);
	else if (take(s, "repeats") && take(s, "all"))
		do_last(s, d);
	else if (s->at > 0 && str_is(s->word[s->at - 1], "repeats"))
		do_again(s, d, d->f_cnt_up - 1);
	else if (take(s, "replays"))
		do_again(s, d, (uint32_t)number(s));
	else if (take(s, "joins"))
		do_joins(s, d);
	else if (take(s, "rejoins"))
		do_rejoins(s, d);
	else if (take(s, "forged"))
		w_forge_join(s->w, d);
	else if (take(s, "setting"))
		do_setting(s, d);
	else if (take(s, "listens"))
		do_listens(s, d);
	else if (take(s, "member"))
		do_member(s, d);
	else
		FAIL(s, "a device does not \"%.*s\"", STR_ARG(next(s)));
}

/* Each gateway that is named sends; "near,far": one of them. */
static void add_via(struct story *s, struct w_item *it)
{
	struct str rest = next(s), name;
	uint32_t group = it->n_via ? it->via[it->n_via - 1].group + 1 : 1;
	while (rest.n) {
		rest = str_cut(rest, ',', &name);
		const struct w_gateway *g = gateway_named(s->w, name);
		if (!g || it->n_via == COUNT(it->via))
			FAIL(s, "no such gateway");
		it->via[it->n_via].eui = g->eui;
		it->via[it->n_via++].group = group;
	}
}

static void do_push(struct story *s)
{
	char text[LINE_MAX_CHARS] = "";
	struct w_device *d = device_named(s->w, next(s));
	uint8_t port = 1;
	bool is_confirmed = false;
	struct w_item like = { .priority = 0 };
	if (!d)
		FAIL(s, "no such device");
	while (s->at < s->n) {
		if (take(s, "port"))
			port = (uint8_t)number(s);
		else if (take(s, "confirmed"))
			is_confirmed = true;
		else if (take(s, "priority"))
			like.priority = (uint32_t)number(s);
		else if (take(s, "at"))
			like.at_unix_us = s->w->now.unix_us + duration(s);
		else if (take(s, "via"))
			add_via(s, &like);
		else
			copied(next(s), text);
	}
	struct w_item *it = w_push(s->w, d, port, text, is_confirmed);
	it->priority = like.priority;
	it->at_unix_us = like.at_unix_us;
	it->n_via = like.n_via;
	memcpy(it->via, like.via, sizeof(it->via));
	if (it->n_via || it->at_unix_us)
		w_tell_waiting(s->w, d->uid);
}

/* ---- gateways ---- */

/* Octets on air that no device of the story has sent. */
static void do_hears(struct story *s, const struct w_gateway *g)
{
	uint8_t phy[PHY_MAX];
	size_t n = 0;
	struct w_device nobody = { .up.freq_hz = 868100000 };
	if (hex_decode(next(s), phy, sizeof(phy), &n) != 0)
		FAIL(s, "octets in hex were expected");
	first_channel(s->w, &nobody);
	w_heard(s->w, &nobody, (uint32_t)(g - s->w->gw), (struct slice){ phy, n }, 50, 0);
}

static enum tx_result result_named(struct str word)
{
	for (uint32_t i = 0; i <= TX_RESULT_NOT_CONNECTED; i++)
		if (str_is(word, tx_result_info(i)->name))
			return (enum tx_result)i;
	return TX_RESULT_UNKNOWN_ERROR;
}

static void do_gateway_acts(struct story *s, struct w_gateway *g)
{
	if (take(s, "hears")) {
		do_hears(s, g);
		return;
	}
	if (take(s, "sends")) {
		g->mood = W_SENDS;
		g->can_send = true;
		w_hello_gs(s->w);
	} else if (take(s, "deaf")) {
		g->can_send = false;
		w_hello_gs(s->w);
	} else if (take(s, "silent")) {
		g->mood = W_SILENT;
	} else if (take(s, "gone")) {
		g->mood = W_BUS_REFUSES;
	} else if (take(s, "far")) { /* from its gs */
		g->path_us = (uint32_t)duration(s);
	} else if (take(s, "refuses")) {
		g->mood = W_REFUSES;
		g->result = result_named(next(s));
	} else {
		FAIL(s, "a gateway does not \"%.*s\"", STR_ARG(next(s)));
	}
	g->moods_left = s->at < s->n ? (unsigned)number(s) : 0;
}

/* ---- servers ---- */

static void do_as(struct story *s)
{
	struct world *w = s->w;
	if (take(s, "delay")) {
		w->as_delay_us = duration(s);
	} else if (take(s, "away")) {
		w->as_is_up = false;
		ns_as_down(w->ns, &w->now);
	} else if (take(s, "back")) {
		w_hello_as(w);
	} else if (take(s, "mute")) {
		w->as_is_mute = true;
	} else if (take(s, "full")) {
		w->as_is_full = true;
	} else if (take(s, "speaks")) {
		/* Calls without an answer end with their connection. */
		w->as_is_mute = w->as_is_full = false;
		ns_as_down(w->ns, &w->now);
		w_hello_as(w);
	} else {
		FAIL(s, "the as does not \"%.*s\"", STR_ARG(next(s)));
	}
}

static void do_gs(struct story *s)
{
	if (take(s, "away"))
		ns_gs_down(s->w->ns, &s->w->now, 1);
	else if (take(s, "back"))
		w_hello_gs(s->w);
	else
		FAIL(s, "the gs does not \"%.*s\"", STR_ARG(next(s)));
	w_settle(s->w);
}

static void do_plan(struct story *s)
{
	struct str id = next(s);
	const struct plan *p = plan_find(id);
	if (!p)
		FAIL(s, "there is no plan \"%.*s\"", STR_ARG(id));
	if (s->w->n_gw || s->w->n_dev)
		FAIL(s, "the plan comes before gateways and devices");
	s->w->plan = p;
}

static void pass_time(struct story *s, struct str word)
{
	uint64_t us = 0;
	if (num_duration_us((struct str){ word.p + 1, word.n - 1 }, &us) != 0)
		FAIL(s, "no duration");
	w_run(s->w, us);
}

static void someone_acts(struct story *s, struct str name)
{
	struct w_device *d = device_named(s->w, name);
	struct w_gateway *g = gateway_named(s->w, name);
	if (d)
		do_device_acts(s, d);
	else if (g)
		do_gateway_acts(s, g);
	else
		FAIL(s, "nobody is called \"%.*s\"", STR_ARG(name));
}

static void do_gateway(struct story *s)
{
	char name[LINE_MAX_CHARS];
	struct w_gateway *g = w_add_gateway(s->w, copied(next(s), name));
	g->has_gps = take(s, "gps");
}

/* A network of another number: it begins again with what it has on disk. */
static void do_net_id(struct story *s)
{
	uint32_t net_id = 0;
	if (hex_u32(next(s), 6, &net_id) != 0)
		FAIL(s, "a NetID has 6 hex digits");
	s->w->config.net_id = net_id;
	w_run(s->w, SEC_US);
	w_crash(s->w);
}

static void do_commit(struct story *s)
{
	s->w->commit_us = duration(s);
}

static void do_crash(struct story *s)
{
	w_crash(s->w);
}

static const struct {
	const char *word;
	void (*act)(struct story *s);
} statements[] = {
	{ "plan", do_plan }, { "gateway", do_gateway }, { "device", do_device }, { "push", do_push }, { "commit", do_commit },
	{ "as", do_as }, { "gs", do_gs }, { "crash", do_crash }, { "expect", do_expect }, { "netid", do_net_id },
};

void statement(struct story *s)
{
	if (s->n == 0)
		return;
	struct str first = next(s);
	if (first.p[0] == '+') {
		pass_time(s, first);
		return;
	}
	for (size_t i = 0; i < COUNT(statements); i++)
		if (str_is(first, statements[i].word)) {
			statements[i].act(s);
			return;
		}
	someone_acts(s, first);
}
