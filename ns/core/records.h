/** @file Records of the store: how state is written down and taken back. Every record begins with its version. */
#pragma once
#include "ns/core/state.h"

enum record_slot { SLOT_NONE = -1, SLOT_CURRENT = 0, SLOT_PENDING = 1 };

void record_device_put(struct ns *ns, const struct dev *d);
/** Remove all records of a device. */
void record_device_del(struct ns *ns, const struct dev *d);
/** Write a session's unchanging part and its live part. */
void record_session_put(struct ns *ns, struct session *s);
/** Write a session's live part; reserves downlink counters. */
void record_live_put(struct ns *ns, struct session *s);
/** Write the state of a session's MAC, if that changed since. */
void record_mac_put(struct ns *ns, struct session *s);
void record_session_del(struct ns *ns, const struct dev *d, enum record_slot slot);
/** Write or remove the item that is handed out. */
void record_flight_put(struct ns *ns, const struct dev *d);
void record_gateway_put(struct ns *ns, const struct gateway *g);
void record_registry_put(struct ns *ns);
void record_seq_put(struct ns *ns);
void record_store_put(struct ns *ns);
