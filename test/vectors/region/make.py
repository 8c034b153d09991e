#!/usr/bin/env python3
"""Write the vectors of every region: make.py regions.json, the cross-checked regional parameters (TheThingsNetwork pkg/band,
ChirpStack lrwn, brocaar/lorawan, LoRaMac-node, Semtech SWL2001, and RP002-1.0.5 as transcribed by pamoja). Whatever only RP002-1.0.5
has is left out, and what the comments below say."""
import json
import os
import re
import sys

PLANS = {"EU868": "EU_863_870", "EU433": "EU_433", "US915": "US_902_928", "AU915": "AU_915_928", "AS923-1": "AS_923",
         "AS923-2": "AS_923_2", "AS923-3": "AS_923_3", "AS923-4": "AS_923_4", "KR920": "KR_920_923_TTN", "IN865": "IN_865_867",
         "RU864": "RU_864_870_TTN", "CN470": "CN_470_510", "CN779": "CN_779_787", "ISM2400": "ISM_2400_3CH_DRAFT2"}
# Their sub-bands are the law's and end where it says; those of the others are no more than where a peer checks its limits.
EXACT_BANDS = {"EU868", "EU433", "RU864", "CN779"}
REVISIONS = {"RP002-1.0.4": "rp002-1.0.4", "1.0.3A": "1.0.3-a", "RP001_96_channel_plan (from 1.0.3A)": "1.0.3-a"}


def datr(m):
    if m["modulation"] == "LORA":
        return "datr=SF%dBW%g" % (m["sf"], m["bw_hz"] / 1000)
    if m["modulation"] == "FSK":
        return "datr=%d" % m["bit_rate"]
    return "datr=M0CW%d codr=%s" % (m["ocw_hz"] // 1000, m["coding_rate"])


def since(text):
    return " since=" + re.sub(r" .*", "", text).lower() if text else ""


def data_rates(region):
    for dr, row in region["data_rates"].items():
        if row.get("since") == "RP002-1.0.5":
            continue
        for way in ("up", "down"):
            m = row.get(way)
            # SF5 and SF6 came with RP002-1.0.5, but at 2.4 GHz.
            if m and not (m.get("sf", 12) < 7 and m["bw_hz"] <= 500000):
                yield "dr=%s dir=%s %s%s sources=%d" % (dr, way, datr(m), since(row.get("since")), len(m["sources"]))


def payloads(name, region):
    for revision, tables in region["max_payload"].items():
        for kind, by_dwell in tables.items() if revision in REVISIONS else ():
            for dwell, row in by_dwell.items():
                # AU915 before RP002: the law's 400 ms hold all the same, see the notes of the source.
                if (name, revision, kind, dwell) == ("AU915", "1.0.3A", "no_repeater", "dwell1"):
                    continue
                for dr, cell in row.items():
                    yield "m=%d dr=%s phy=%s dwell=%s repeater=%d sources=%d" % (
                        cell["M"], dr, REVISIONS[revision], dwell[-1], kind == "repeater", cell["n_sources"])


def rx1(region):
    dwell = {"all": "dwell=both", "downlink_dwell_0": "dwell=0", "downlink_dwell_1": "dwell=1"}
    known = {dr for dr, row in region["data_rates"].items() if "up" in row and row.get("since") != "RP002-1.0.5"}
    for which, table in region["rx1_dr_offset_table"].items():
        for up, row in table.items():
            sf = region["data_rates"][up]["up"].get("sf", 12)
            if up in known and (sf > 6 or region["id_aliases"]["ttn"] == "ISM_2400"):
                yield "rx1=%s up=%s %s" % (",".join(map(str, row)), up, dwell[which])
    yield "offset_max=%d" % region["rx1_dr_offset_range"][1]


def expand(text, n):
    base, step = re.match(r"(\d+) \+ (\d+)\*", text).groups()
    return int(base) + int(step) * n


def channels(region):
    join = region["join_channels"]
    for c in region["uplink_channels"]:
        first, last = (int(x) for x in str(c["index"]).split("..")) if isinstance(c["index"], str) else (c["index"], c["index"])
        wide = c.get("bw_hz") == 500000
        dr = join.get("dr") or "%d..%d" % ((join["dr_500" if wide else "dr_125"],) * 2)
        low, high = dr.split("..")
        for i in range(first, last + 1):
            hz = c["freq_hz"] if isinstance(c["freq_hz"], int) else expand(c["freq_hz"], i - first)
            yield "channel=%d hz=%d min=%d max=%d join_min=%s join_max=%s" % (i, hz, c["min_dr"], c["max_dr"], low, high)
    down = region["downlink_channels"]
    if isinstance(down, dict):
        for i in range(2 * down["n"]):
            yield "rx1_of=%d hz=%d" % (i, expand(down["freq_hz"], i % down["n"]))


def bands(name, region):
    for b in region["duty_cycle"]["sub_bands"]:
        yield "band_min=%d band_max=%d duty_ppm=%d eirp_cdbm=%d exact=%d" % (
            b["min_hz"], b["max_hz"], round(b["max_duty_cycle"] * 1e6), round(b["max_eirp_dbm"] * 100), name in EXACT_BANDS)
    if name == "EU868":
        for hz in (868650000, 869220000, 869300000, 869680000, 862999999, 870000000):
            yield "gap_hz=%d" % hz


def scalars(region):
    low, high = region["valid_frequency_range_hz"]
    yield "valid_min=%d valid_max=%d step_hz=%d" % (low, high, region["frequency_step_hz"])
    yield "rx2_hz=%d rx2_dr=%d" % (region["rx2"]["freq_hz"], region["rx2"]["dr"])
    yield "range_min=%d range_max=%d" % tuple(region["uplink_adr_dr_range"])
    yield "max_eirp_cdbm=%d power_index=%d phy=rp002-1.0.4" % (round(region["max_eirp_dbm"] * 100), region["tx_power"]["max_index"])
    yield "delay_rx1=%(rx1)d delay_join=%(join_accept1)d" % region["delays_s"] + " ack_limit=%(ADR_ACK_LIMIT)d ack_delay=%(ADR_ACK_DELAY)d" % \
        region["adr_defaults"]
    yield "channels_max=%d" % (region.get("max_channels") or region["chmaskcntl"]["max_channels"])
    b = region["class_b"]
    yield "beacon_hz=%s beacon_dr=%d beacon_bytes=%d" % (",".join(map(str, b["beacon_freq_hz"])), b["beacon_dr"], b["beacon_octets"])
    yield "ping_hz=%s ping_dr=%d" % (",".join(map(str, b["ping_slot_freq_hz"])), b["default_ping_slot_dr"])
    supported = region["tx_param_setup"]["supported"]
    if isinstance(supported, bool):
        yield "tx_param_setup=%d" % supported
    if region.get("dr_backoff"):
        for dr, lower in enumerate(region["dr_backoff"]["table"]):
            row = region["data_rates"].get(str(dr), {})
            if "up" in row and row.get("since") != "RP002-1.0.5" and row["up"].get("sf", 12) > 6:
                yield "backoff=%d lower=%d" % (dr, -1 if lower is None else lower)
    if region["cflist"]["type"] == 1:
        yield "cf_list_type=1 since=1.0.3-a"
    else:
        yield "cf_list_type=0 first=%d" % region["cflist"]["first_channel_index"]


def cn470_plans(c):
    """The four plans of RP002. Frequencies are written out in prose: first + 0.2n MHz."""
    for plan, p in c["plans"].items():
        out = ["plan=CN_470_510_%s_%s" % (plan[:2], plan[2])]
        for dr, m in c["data_rates"].items():
            out += ["dr=%s dir=%s %s" % (dr, way, datr(m)) for way in ("up", "down")]
        for kind, row in (("0", c["max_payload_M_no_repeater"]), ("1", c["max_payload_M_repeater"])):
            out += ["m=%d dr=%d phy=rp002-1.0.4 dwell=0 repeater=%s" % (m, dr, kind) for dr, m in enumerate(row)]
        out += ["rx1=%s up=%s dwell=both" % (",".join(map(str, row)), up) for up, row in c["rx1_dr_offset_table"].items()]

        def runs(texts):
            for text in texts:
                first, last, mhz = re.match(r"(\d+)\.\.(\d+): ([\d.]+)", text).groups()
                yield from ((i, round(float(mhz) * 1e6) + 200000 * (i - int(first))) for i in range(int(first), int(last) + 1))
        up = dict(runs(p["uplink"]))
        down = dict(runs(p["downlink"])) if isinstance(p["downlink"], list) else up
        out += ["channel=%d hz=%d min=1 max=5" % ch for ch in up.items()]
        out += ["rx1_of=%d hz=%d" % (i, down[i % p["n_down"]]) for i in range(p["n_up"])]
        out += ["join_hz=%(up_hz)d rx1_hz=%(down_hz)d join_rx2_hz=%(rx2_otaa_hz)d" % j for j in c["common_join_channels"] if j["plan"] == plan]
        out += ["rx2_hz=%d rx2_dr=%d" % (c["rx2_abp_hz"][plan], c["rx2_default_dr"]["value"]),
                "max_eirp_cdbm=%d power_index=7 phy=rp002-1.0.4" % round(c["max_eirp_dbm"] * 100), "channels_max=%d" % p["n_up"],
                "up_dwell_ms=%d" % c["max_tx_ms"], "cf_list_type=1 since=rp002-1.0.0"]
        if plan.startswith("26"):
            out.append("beacon_hz=%d beacon_dr=%d beacon_bytes=19" % (c["beacon"][plan + "_hz"], c["beacon"]["dr"]))
        yield "cn470-%s" % plan.lower(), out


def write(name, lines):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".txt"), "w") as f:
        f.write("# Written by make.py; the sources and what is left out are named there.\n" + "\n".join(lines) + "\n")


def main():
    with open(sys.argv[1]) as f:
        facts = json.load(f)
    for name, region in facts["regions"].items():
        lines = ["plan=" + PLANS[name]]
        for part in (data_rates(region), payloads(name, region), rx1(region), channels(region), bands(name, region), scalars(region)):
            lines += part
        write(name.lower(), lines)
    for name, lines in cn470_plans(facts["cn470_rp002"]):
        write(name, lines)


if __name__ == "__main__":
    main()
