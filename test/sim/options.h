/** @file The command line of godwit-sim. */
#pragma once
#include "common/core/crypto.h"
#include "common/net.h"
#include "proto/lorawan/version.h"
#include <stdbool.h>
#include <stdint.h>

enum { SIM_PAYLOAD_MAX = 242 };

struct options {
	struct net_address server;
	uint32_t gateways, copies;
	uint64_t gateway_eui;
	uint64_t keepalive_us, stat_us, beacon_us, tx_ack_delay_us;
	const char *forwarder, *tx_ack, *capture_file;
	bool gps;
	const char *plan_id, *device_file;
	uint32_t devices;
	uint64_t dev_eui_first, join_eui;
	struct key app_key, nwk_key, nwk_s_key, s_nwk_s_int_key, nwk_s_enc_key, app_s_key; /**< none: derived, see device_init */
	uint32_t dev_addr_first, f_cnt, dev_nonce;
	enum mac_version version;
	uint32_t class_c_count;
	bool abp, class_c, confirmed, adr, link_check, device_time, eager, script, load, verbose;
	uint64_t interval_us, duration_us, uplinks;
	uint8_t f_port, dr;
	bool is_counter; /**< payload is a counter of two octets */
	uint8_t payload[SIM_PAYLOAD_MAX];
	uint32_t payload_len;
	uint32_t loss_percent, rate;
	uint64_t seed;
	bool has_seed;
};

/** Read the command line.
 * @return 0; 1 done (--help, --version); -EINVAL, after a line on stderr */
int options_read(int argc, char **argv, struct options *ret);
/** The key of a device that was given none: its number twice, most significant octet first. */
struct key key_of_number(uint64_t number);
