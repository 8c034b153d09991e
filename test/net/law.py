#!/usr/bin/env python3
"""law.py CAPTURE [--region REGION] [--duty-cycle-off EUI]: is what these gateways were told to emit lawful, and can a forwarder emit it?

Reads what `godwit-sim --capture` wrote: one JSON object a line with t_us (one clock for all), gateway, forwarder, counter (the concentrator's
at that moment), gps_us where there is GPS, from ("server" or "gateway"), hex (the datagram). Everything else it works out itself: the numbers of
the law below are those of the regulations named there, time on air that of the SX1276 data sheet 4.1.1.7. It shares nothing with the programs
that it judges. Exit status 0: nothing found; 1: something was; 2: the file cannot be read.
"""
import argparse
import base64
import json
import math
import struct
import sys
from collections import defaultdict

HOUR_US = 3600 * 10**6

LONGEST_US = 2900000  # 64 octets at SF12 and 125 kHz, the most that any region lets a device hear there, are 2.8 s


class Law:
    """bands: name, from Hz, to Hz, share of any hour, dBm that a forwarder may be told; between them nothing may be sent. An antenna of 2 dBi is
    taken for granted, as that makes ERP of it. longest_us: of one frame. narrow_us, narrow_in_us: how long frames narrower than 500 kHz may
    occupy one frequency in so much time."""

    def __init__(self, source, *bands, longest_us=LONGEST_US, narrow_us=0, narrow_in_us=0):
        self.source, self.bands, self.longest_us, self.narrow_us, self.narrow_in_us = source, bands, longest_us, narrow_us, narrow_in_us


def _as923(longest_us=LONGEST_US):
    return Law("RP002-1.0.4 2.10: 16 dBm EIRP, 1 % of time, 400 ms where the country limits the dwell time; sub-bands of their channels",
               ("915.0-923.0", 915000000, 923000000, 0.01, 14), ("923.0-923.5", 923000000, 923500000, 0.01, 14),
               ("923.5-928.0", 923500000, 928000000, 0.01, 14), longest_us=longest_us)


LAWS = {
    "EU868": Law("EN 300 220-2 V3.2.1 annex B, ERC/REC 70-03 annex 1",
                 ("863.0-865.0", 863000000, 865000000, 0.001, 14),
                 ("865.0-868.0", 865000000, 868000000, 0.01, 14),
                 ("868.0-868.6", 868000000, 868600000, 0.01, 14),
                 ("868.7-869.2", 868700000, 869200000, 0.001, 14),
                 ("869.4-869.65", 869400000, 869650000, 0.1, 27),
                 ("869.7-870.0", 869700000, 870000000, 0.01, 14)),
    "EU433": Law("ERC/REC 70-03 annex 1 band f: 10 mW ERP, 10 %", ("433.05-434.79", 433050000, 434790000, 0.1, 10)),
    # 1 W conducted for digital modulation of at least 500 kHz and for hopping over 50 channels, whose frequencies are left after 0.4 s in 20 s.
    "US915": Law("47 CFR 15.247 (a)(1)(i), (a)(2), (b)(2), (b)(3)", ("902.0-928.0", 902000000, 928000000, 1, 30), narrow_us=400000,
                 narrow_in_us=20 * 10**6),
    "AU915": Law("ACMA LIPD Class Licence 2015: 1 W EIRP", ("915.0-928.0", 915000000, 928000000, 1, 28)),
    "AS923": _as923(),
    "AS923-DT": _as923(400000),
    "IN865": Law("GSR 564(E) of 2005: 1 W, 4 W ERP", ("865.0-867.0", 865000000, 867000000, 1, 30)),
    "KR920": Law("RP002-1.0.4 2.11, notice of MSIT on unlicensed equipment: gateways 23 dBm EIRP", ("920.8-923.4", 920800000, 923400000, 1, 21)),
    "RU864": Law("decision 18-46-03-1 of GKRCh: 25 mW, 25 mW, 100 mW ERP",
                 ("864.0-865.0", 864000000, 865000000, 0.001, 14),
                 ("866.0-868.0", 866000000, 868000000, 0.01, 14),
                 ("868.7-869.2", 868700000, 869200000, 0.1, 20)),
}
# A forwarder's queue [us]: (least lead, most lead, an immediate frame is placed so far ahead, free time before a frame)
QUEUES = {"sx1302": (42500, 512 * 10**6, 80000, 41500), "sx1301": (32500, 512 * 10**6, 1000000, 31500), "v1": (0, 2**31, 0, 0)}
MARGIN_US = 1000


def time_on_air_us(txpk):
    n = len(base64.b64decode(txpk["data"]))
    crc = not txpk.get("ncrc", False)
    if txpk["modu"] == "FSK":
        preamble = txpk.get("prea", 5)
        return round((preamble + 3 + 1 + n + (2 if crc else 0)) * 8 * 1e6 / txpk["datr"])
    sf, bw = txpk["datr"][2:].split("BW")
    sf, bw = int(sf), int(bw) * 1000
    symbol = 2 ** sf / bw
    slow = 1 if symbol >= 0.016 else 0
    cr = int(txpk["codr"][-1]) - 4
    octets = max(math.ceil((8 * n - 4 * sf + 28 + (16 if crc else 0)) / (4 * (sf - 2 * slow))) * (cr + 4), 0)
    return round((txpk.get("prea", 8) + 4.25 + 8 + octets) * symbol * 1e6)


class Emission:
    def __init__(self, gateway, forwarder, came_us, txpk, token):
        self.gateway, self.forwarder, self.came_us, self.txpk, self.token = gateway, forwarder, came_us, txpk, token
        self.when = "imme" if txpk.get("imme") is True else "tmst" if "tmst" in txpk else "tmms"
        self.air_us = time_on_air_us(txpk)
        self.hz = round(txpk["freq"] * 1e6)
        self.start_us = None
        self.refused = False

    @property
    def width_hz(self):
        return int(self.txpk["datr"].split("BW")[1]) * 1000 if self.txpk["modu"] == "LORA" else 250000

    @property
    def end_us(self):
        return self.start_us + self.air_us

    def __str__(self):
        return "%s at %.3f s: %.3f MHz %s, %d octets, %.0f ms, %s" % (
            self.gateway, self.start_us / 1e6, self.hz / 1e6, self.txpk["datr"], self.txpk["size"], self.air_us / 1000, self.when)


class Checker:
    """Feed it lines in their order; `found` says what is wrong."""

    def __init__(self, exempt=(), region="EU868"):
        self.law = LAWS[region]
        self.found = []
        self.exempt = {e.upper() for e in exempt}
        self.emissions = []
        self.open = {}
        self.acks = 0

    def wrong(self, rule, text):
        self.found.append((rule, text))

    def line(self, line):
        d = json.loads(line)
        datagram = bytes.fromhex(d["hex"])
        _, token, kind = struct.unpack(">BHB", datagram[:4])
        gateway = d["gateway"].upper()
        if d["from"] == "server" and kind == 3:
            self.pull_resp(d, gateway, token, datagram[4:])
        elif d["from"] == "gateway" and kind == 5:
            self.tx_ack(gateway, token, datagram[12:])

    def pull_resp(self, d, gateway, token, body):
        if len(body) + 4 > 1000:
            self.wrong("size", "%s: a datagram of %d octets, of which a forwarder reads 1000" % (gateway, len(body) + 4))
        try:
            e = Emission(gateway, d["forwarder"], d["t_us"], json.loads(body)["txpk"], token)
        except (KeyError, ValueError, TypeError) as problem:
            self.wrong("txpk", "%s: no forwarder can read %r: %r" % (gateway, body[:200], problem))
            return
        before = len(self.found)
        self.form(e)
        if len(self.found) > before:
            return  # dropped without a word
        least, most, imme, _ = QUEUES[e.forwarder]
        lead = imme
        if e.when == "tmst":
            lead = (e.txpk["tmst"] - d["counter"] + 2**31) % 2**32 - 2**31
        elif e.when == "tmms":
            if "gps_us" not in d:
                self.wrong("gps", "%s is told a GPS time, and has no GPS" % gateway)
                return
            lead = e.txpk["tmms"] * 1000 - d["gps_us"]
        e.start_us = e.came_us + lead
        if e.when != "imme" and not least < lead <= most:
            self.wrong("lead", "%s came %.1f ms before its time; %s wants %.1f ms to %d s" % (e, lead / 1e3, e.forwarder, least / 1e3, most / 1e6))
            return  # refused by any forwarder
        self.emissions.append(e)
        self.open[(gateway, token)] = e

    def tx_ack(self, gateway, token, body):
        self.acks += 1
        e = self.open.pop((gateway, token), None)
        text = body.strip(b"\0 \n\r\t")
        error = json.loads(text)["txpk_ack"].get("error", "NONE") if text else "NONE"
        if e and error != "NONE":
            e.refused = True
            self.emissions.remove(e)

    def form(self, e):
        t = e.txpk
        for name, kind in (("freq", (int, float)), ("rfch", int), ("powe", int), ("modu", str), ("size", int), ("data", str)):
            if isinstance(t.get(name), bool) or not isinstance(t.get(name), kind):
                self.wrong("txpk", "%s: %s is %r" % (e.gateway, name, t.get(name)))
        if t["modu"] == "LORA" and not (isinstance(t["datr"], str) and t.get("codr") in ("4/5", "4/6", "4/7", "4/8") and t.get("ipol") is True and t.get("ncrc") is True):
            self.wrong("txpk", "%s: no LoRaWAN downlink: %r" % (e.gateway, t))
        if t["modu"] == "FSK" and not (isinstance(t["datr"], int) and t.get("fdev") == 25000 and not t.get("ncrc") and "codr" not in t):
            self.wrong("txpk", "%s: no LoRaWAN downlink: %r" % (e.gateway, t))
        if t["size"] != len(base64.b64decode(t["data"])):
            self.wrong("txpk", "%s: size %r of %d octets" % (e.gateway, t["size"], len(base64.b64decode(t["data"]))))

    # ---- the whole ----

    def finish(self):
        by_gateway = defaultdict(list)
        for e in self.emissions:
            by_gateway[e.gateway].append(e)
        for gateway, emissions in by_gateway.items():
            for e in emissions:
                self.band_and_power(e)
                if e.air_us > self.law.longest_us:
                    self.wrong("dwell", "%s is longer than any frame may be" % e)
            self.spacing(emissions)
            emissions.sort(key=lambda e: e.start_us)
            self.narrow(emissions)
            self.overlaps(emissions)
            if gateway not in self.exempt:
                self.duty_cycle(gateway, emissions)
        return self.found

    def sub_band(self, e):
        half = e.width_hz // 2
        inside = [b for b in self.law.bands if b[1] <= e.hz - half and e.hz + half <= b[2]]
        # A channel across an edge that both sides allow counts for the stricter side.
        across = [b for b in self.law.bands if e.hz - half < b[2] and b[1] < e.hz + half]
        return inside[0] if inside else min(across, key=lambda b: b[3]) if len(across) == 2 and across[0][2] == across[1][1] else None

    def band_and_power(self, e):
        band = self.sub_band(e)
        if not band:
            self.wrong("band", "%s: nothing may be sent there" % e)
        elif e.txpk["powe"] > band[4]:
            self.wrong("power", "%s: %d dBm where %d are allowed" % (e, e.txpk["powe"], band[4]))

    def narrow(self, emissions):
        """A narrow signal may rest on a frequency for so long only, in any so much time."""
        by_hz = defaultdict(list)
        for e in emissions if self.law.narrow_us else ():
            if e.width_hz < 500000:
                by_hz[e.hz].append(e)
        for list_ in by_hz.values():
            for last in list_:
                begin = last.end_us - self.law.narrow_in_us
                used = sum(min(e.end_us, last.end_us) - max(e.start_us, begin) for e in list_ if begin < e.end_us and e.start_us < last.end_us)
                if used > self.law.narrow_us:
                    self.wrong("dwell", "%s: %.0f ms on this frequency in %d s" % (last, used / 1e3, self.law.narrow_in_us / 1e6))
                    break

    def overlaps(self, emissions):
        """One transmitter: no two at once, and its queue's free time before each."""
        for a, b in zip(emissions, emissions[1:]):
            if "imme" in (a.when, b.when):
                continue  # the queue moves them; see spacing
            if b.start_us < a.end_us:
                self.wrong("overlap", "%s overlaps %s" % (b, a))
            elif b.start_us - QUEUES[b.forwarder][3] < a.start_us + math.ceil(a.air_us / 1000) * 1000 + MARGIN_US and b.forwarder != "v1":
                self.wrong("queue", "%s is %.1f ms after %s" % (b, (b.start_us - a.end_us) / 1e3, a))

    def spacing(self, emissions):
        """An immediate frame that comes while another is on air is acknowledged and dropped."""
        for i, e in enumerate(emissions):
            if e.when != "imme":
                continue
            for before in emissions[:i]:
                if before.start_us - QUEUES[e.forwarder][3] <= e.came_us < before.end_us:
                    self.wrong("immediate", "%s came while this was on air: %s" % (e, before))

    def duty_cycle(self, gateway, emissions):
        """Any hour that ends with the end of an emission, or begins with a beginning: no hour has more than the worst of these."""
        by_band = defaultdict(list)
        for e in emissions:
            band = self.sub_band(e)
            if band:
                by_band[band].append(e)
        for band, list_ in by_band.items():
            allowed = band[3] * HOUR_US
            for last in list_:
                begin = last.end_us - HOUR_US
                used = sum(max(0, min(e.end_us, last.end_us) - max(e.start_us, begin)) for e in list_ if e.start_us < last.end_us)
                if used > allowed:
                    self.wrong("duty cycle", "%s used %.3f s of %.3f s of %s MHz in the hour to %.3f s" % (
                        gateway, used / 1e6, allowed / 1e6, band[0], last.end_us / 1e6))
                    break

    def airtime(self):
        """Seconds by gateway and sub-band, for people and tests."""
        used = defaultdict(float)
        for e in self.emissions:
            band = self.sub_band(e)
            used[(e.gateway, band[0] if band else "none")] += e.air_us / 1e6
        return used


def check(path, exempt=(), region="EU868"):
    c = Checker(exempt, region)
    with open(path) as f:
        for line in f:
            c.line(line)
    c.finish()
    return c


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("capture")
    p.add_argument("--region", choices=sorted(LAWS), default="EU868", help="whose law: %(choices)s (%(default)s)")
    p.add_argument("--duty-cycle-off", action="append", default=[], metavar="EUI", help="a gateway whose operator answers for the law")
    a = p.parse_args()
    try:
        c = check(a.capture, a.duty_cycle_off, a.region)
    except (OSError, ValueError, KeyError) as e:
        print("error: %s: %r" % (a.capture, e), file=sys.stderr)
        return 2
    for rule, text in c.found:
        print("%s: %s" % (rule, text))
    print("%d emissions, %d TX_ACKs, %d findings" % (len(c.emissions), c.acks, len(c.found)))
    return 1 if c.found else 0


if __name__ == "__main__":
    sys.exit(main())
