/** @file INI text of anyone: it loads or is refused with one line, and what loads stays within its bounds. */
#include "common/settings.h"
#include <stdlib.h>
#include <string.h>

struct sample {
	char *state_dir, *address;
	uint32_t count, net_id;
	bool flag;
	uint64_t window, room;
};

#define ROW(m, n, k, d, lo, hi) { .name = n, .dflt = d, .doc = "", .off = offsetof(struct sample, m), .min = lo, .max = hi, .kind = k }
static const struct setting rows[] = {
	ROW(state_dir, "state-dir", SETTING_TEXT, "/x", 0, 0),
	ROW(address, "ns.address", SETTING_TEXT, "unix:${state-dir}/ns.sock", 0, 0),
	ROW(count, "gs.count", SETTING_U32, "5", 1, 16),
	ROW(net_id, "gs.net-id", SETTING_HEX24, "000000", 0, 0),
	ROW(flag, "gs.flag", SETTING_BOOL, "no", 0, 0),
	ROW(window, "gs.window", SETTING_DURATION, "200ms", 50000, 10000000),
	ROW(room, "gs.room", SETTING_SIZE, "64KiB", 1024, UINT64_C(1) << 30),
};
static const char *const sections[] = { "", "gs", NULL };
static const struct settings_table table = { rows, COUNT(rows), sections };

static void require(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sample v;
	char buf[1024];
	struct text error = text_fixed(buf, sizeof buf);
	struct settings_source src = { .file = "f", .text = { data ? (const char *)data : "", n } };
	int rc = settings_load(&table, &src, &v, &error);
	if (rc) {
		require(rc == -EINVAL && error.len > 0);
		return 0;
	}
	require(v.count >= 1 && v.count <= 16 && v.net_id <= 0xffffff);
	require(v.window >= 50000 && v.window <= 10000000 && v.room >= 1024 && v.room <= UINT64_C(1) << 30);
	require(v.state_dir && v.address);
	settings_done(&table, &v);
	return 0;
}
