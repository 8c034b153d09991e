/** @file Losses: counted where they happen, told from mqtt_engine_step, when the policy may do what it likes. */
#include "as/core/mqtt/mqtt_loss.h"
#include "as/core/mqtt/mqtt_inside.h"

void mqtt_loss_add(struct mqtt_engine *e, struct mqtt_session *s)
{
	e->stats.dropped_queue++;
	s->lost++;
	if (s->lost_untold++ == 0 && e->policy.lost)
		(void)heap_set(&e->losses, &s->loss_due, s->loss_next_us); /* has room: see mqtt_session_new */
}

void mqtt_loss_tell(struct mqtt_engine *e, struct heap_node *due, const struct now *now)
{
	struct mqtt_session *s = CONTAINER_OF(due, struct mqtt_session, loss_due);
	const struct mqtt_loss loss = { .owner = mqtt_owner_name(s->owner), .client_id = mqtt_session_client(s), .is_connected = s->conn != NULL,
		.n = s->lost_untold, .total = s->lost };
	s->lost_untold = 0;
	s->loss_next_us = now->mono_us + MQTT_LOSS_TOLD_S * SEC_US;
	e->policy.lost(e->policy.ctx, &loss);
}
