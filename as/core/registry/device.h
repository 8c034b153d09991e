/** @file A device as the registry knows it: what the operator said, root keys, and the session of an ABP
 * device. */
#pragma once
#include "as/core/registry/app.h"
#include "common/core/crypto.h"
#include "proto/schema.h"

/** A session made by hand (ABP), or brought along by an import: that of a device that joins stays here until it joins again.
 * Live counters are the ns's and the downlink queue's. */
struct device_session {
	bool present;
	uint32_t dev_addr;
	struct ulid session_key_id;
	struct key f_nwk_s_int_key, s_nwk_s_int_key, nwk_s_enc_key; /**< all three the NwkSKey in 1.0.x */
	struct key app_s_key;
	bool has_f_nwk_s_int_key, has_s_nwk_s_int_key, has_nwk_s_enc_key, has_app_s_key;
	uint32_t last_f_cnt_up, last_n_f_cnt_down, last_a_f_cnt_down; /**< where the counters begin */
	bool has_f_cnt_up, has_n_f_cnt_down, has_a_f_cnt_down;        /**< the operator said so */
	uint32_t last_conf_f_cnt_down, last_rj_count_0; /**< LoRaWAN 1.1: the last confirmed downlink; the last rejoin-request of type 0 or 2 */
	bool has_conf_f_cnt_down, has_rj_count_0;
	uint64_t started_unix_us; /**< 0: not said */
	uint32_t generation; /**< raised whenever the operator sets or resets the session */
};

enum { DEVICE_GROUPS_MAX = 8 };

struct device {
	struct entry entry; /**< entry.uid is the device's registry number */
	struct app *app;    /**< NULL: not in a registry */
	char id[ID_MAX + 1];
	bool has_dev_eui, has_join_eui;
	uint64_t dev_eui, join_eui;
	uint32_t mac_version, phy_version; /**< rows of proto/lorawan/versions.def */
	char plan[33];
	bool supports_join, class_b, class_c, multicast;
	bool resets_join_nonces; /**< its DevNonces come again, so that they are not checked: a replay hole */
	bool skip_payload_crypto;       /**< kept for The Things Stack: payloads are decrypted here all the same */
	bool has_net_id;
	uint32_t net_id;                /**< likewise: the network where it had its session */
	bool has_app_key, has_nwk_key;
	struct key app_key, nwk_key;
	struct device_session session;
	struct mac_settings mac; /**< what the ns is told of TEXT_MAC_SETTINGS */
	uint64_t groups[DEVICE_GROUPS_MAX]; /**< multicast groups that it is a member of, by registry number; some may be gone */
	size_t n_groups;
	uint32_t reset;          /**< raised by `end-devices reset` */
	uint32_t rejoin;         /**< and by `end-devices rejoin` */
	uint64_t created_unix_us, updated_unix_us;
	struct record_texts texts;
	struct formatters formatters; /**< its own; unless they are set, its application's are in force: formatters_of */
	/* Kept by the registry: */
	struct device *prev_of_app, *next_of_app;
	UT_hash_handle by_id, by_uid, by_eui;
	char path[APP_KEY_TEXT + ID_MAX + 1]; /**< "app1@tenant1/dev1", key of by_id and of the record */
	uint64_t euis[2];                     /**< join_eui, dev_eui: key of by_eui */
};

struct device *device_new(void); /**< NULL: no memory */
struct device *device_clone(const struct device *d); /**< belongs to no registry */
void device_free(struct device *d); /**< keys are overwritten first */
DEFINE_AUTO(struct device, device_free);
/** Speaks LoRaWAN: joins, or has a session; else it speaks IP, and the ns does not know it. */
bool device_is_lorawan(const struct device *d);
bool device_is_member(const struct device *d, uint64_t group);
/** @return 0; REGISTRY_E_FULL */
int device_join_group(struct device *d, uint64_t group, struct problem *p);
void device_leave_group(struct device *d, uint64_t group);
/** Is all there that a device of its kind needs? Sets what follows from the rest: versions left out, the one
 * key of 1.0.x. A device that joins may lack its root keys yet: registry_device_create insists on them.
 * @return 0; REGISTRY_E_INVALID */
int device_settle(struct device *d, struct problem *p);
/** Same session: address, keys, starting counters and MAC state? Then it goes on. */
bool device_session_eq(const struct device *a, const struct device *b);
/** Forget the session that the operator set or brought along. @return 0; -ENOMEM */
int device_session_drop(struct device *d);
/** The network half, as the ns is told it. */
void device_to_ns(const struct device *d, struct ns_device *ret);
