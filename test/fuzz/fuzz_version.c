/** @file Any text as a version or a modulation: what is taken prints as something that is taken again. */
#include "proto/lorawan/modu.h"
#include "proto/lorawan/version.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str s = { (const char *)data, n };
	enum mac_version mac, mac_again;
	if (mac_version_parse(s, &mac) == 0)
		if (mac_version_parse(str_of(mac_version_json(mac)), &mac_again) || mac != mac_again)
			abort();
	enum phy_version phy, phy_again;
	if (phy_version_parse(s, &phy) == 0)
		if (phy_version_parse(str_of(phy_version_json(phy)), &phy_again) || phy != phy_again)
			abort();
	struct modu m, again;
	if (modu_parse(s, &m) == 0) {
		char buf[32];
		struct text t = text_fixed(buf, sizeof buf);
		modu_datr(&t, &m);
		if (t.failed || modu_parse(text_str(&t), &again))
			abort();
		if (m.kind != MODU_LR_FHSS &&
			!modu_eq(&m, &again)) /* LR-FHSS widths are printed in whole kHz */
			abort();
	}
	return 0;
}
