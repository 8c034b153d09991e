/** @file Where and when an item is to be sent. */
#include "as/placing.h"
#include "as/stations.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/** A gateway by its id, or as it is called while it is not registered, or by its EUI. @return false: no such gateway */
static bool find(struct as *as, struct tts_gateway *g, uint64_t *ret_eui)
{
	const struct gateway *r = *g->id ? registry_gateway(&as->registry, str_of(g->id))
					 : registry_gateway_by_eui(&as->registry, g->eui);
	uint64_t eui = g->eui;
	if (r) {
		*ret_eui = r->eui;
		return r->has_eui;
	}
	if (*g->id && (strncmp(g->id, "eui-", 4) || hex_eui(str_of(g->id + 4), &eui)))
		return false;
	if (!*g->id)
		snprintf(g->id, sizeof g->id, "eui-%016" PRIx64, g->eui);
	*ret_eui = eui;
	return stations_find(as, g->id) != NULL;
}

int placing_check(struct as *as, const struct device *d, const struct tts_item *wish, struct tts_class_b_c *ret_place,
	struct tts_error *ret_error)
{
	uint64_t eui;
	if (!wish->has_class_b_c)
		return 0;
	int r = tts_class_b_c_read(wish->class_b_c, ret_place);
	if (r) {
		*ret_error = (struct tts_error){ .row = down_error_find(STR("invalid_class_b_c")), .text_attribute = "reason",
			.text_value = r == -E2BIG ? "it names too many gateways" : "it cannot be read" };
		return TTS_E_REFUSED;
	}
	if (ret_place->at_unix_us && ret_place->at_unix_us < loop_now(as->loop)->unix_us + QUEUE_AHEAD_US) {
		*ret_error = (struct tts_error){ .row = down_error_find(STR("downlink_expired")) };
		return TTS_E_REFUSED;
	}
	for (size_t i = 0; d->multicast && i < ret_place->n; i++)
		if (!find(as, &ret_place->v[i], &eui)) {
			*ret_error = (struct tts_error){ .row = down_error_find(STR("gateway_not_found")), .text_attribute = "gateway_id",
				.text_value = ret_place->v[i].id };
			return TTS_E_REFUSED;
		}
	return 0;
}

int placing_fill(struct as *as, const struct item *i, struct tts_class_b_c *ret_place, struct pulled *ret, const char **ret_missing)
{
	*ret_missing = NULL;
	ret->gateways.len = 0;
	if (i->at_unix_us)
		MSG_SET(ret, at_unix_us, i->at_unix_us);
	if (!i->is_placed || tts_class_b_c_read(item_class_b_c(i), ret_place))
		return 0;
	for (size_t k = 0; k < ret_place->n; k++) {
		struct via *v = &ret->gateways.v[ret->gateways.len];
		*v = (struct via){ 0 };
		if (!find(as, &ret_place->v[k], &v->gateway_eui)) {
			if (!*ret_missing)
				*ret_missing = ret_place->v[k].id;
			continue;
		}
		if (ret_place->v[k].group)
			MSG_SET(v, group, ret_place->v[k].group);
		ret->gateways.len++;
	}
	MSG_MARK(ret, gateways);
	return ret->gateways.len ? 0 : -ENOENT;
}
