/** @file Who hears whom: device i is near the gateways i, i + 1, … of which there are --copies. */
#include "test/sim/air.h"
#include "test/sim/device.h"
#include "test/sim/gateway.h"

static size_t copies(const struct sim *s)
{
	return s->opt.copies < s->opt.gateways ? s->opt.copies : s->opt.gateways;
}

static bool is_near(const struct sim *s, size_t device, size_t gateway)
{
	size_t n = s->opt.gateways;
	return (gateway + n - device % n) % n < copies(s);
}

void air_uplink(struct sim *s, size_t device, const struct emission *e)
{
	for (size_t k = 0; k < copies(s); k++)
		if (!sim_chance(s, s->opt.loss_percent))
			gateway_hear(s, &s->gateways[(device + k) % s->opt.gateways], e, (unsigned)k);
}

unsigned air_downlink(struct sim *s, size_t gateway, const struct emission *e)
{
	unsigned heard = 0;
	for (size_t i = 0; i < s->opt.devices; i++)
		if (is_near(s, i, gateway) && device_listens(&s->devices[i], s, e) &&
			!sim_chance(s, s->opt.loss_percent)) {
			device_receive(&s->devices[i], s, e);
			heard++;
		}
	return heard;
}
