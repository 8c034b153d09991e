"""law.py, which judges captures: it must find every breach that is planted, and nothing in what is lawful. Then a network under pressure, whose
gateways' captures it must find lawful."""
import base64
import contextlib
import http.client as http_client
import json
import math
import os
import random
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import law  # noqa: E402
from godwit import PLAN, SOURCE, Stack, Subscriber, environment, program  # noqa: E402

EUI = "AA555A0000000001"
SECOND = 10**6


class Capture:
    """A gateway's datagrams, made up."""

    def __init__(self, forwarder="sx1302", gateway=EUI):
        self.forwarder, self.gateway = forwarder, gateway
        self.lines, self.token, self.zero = [], 0, 123456

    def line(self, t_us, sender, datagram, **more):
        self.lines.append(json.dumps({"t_us": t_us, "gateway": self.gateway, "forwarder": self.forwarder, "counter": (t_us + self.zero) % 2**32,
                                      "from": sender, "hex": datagram.hex(), **more}))

    def down(self, at_us, lead_us=900000, error=None, drop=(), gps=None, **txpk):
        """One that is due at at_us and came lead_us before."""
        pk = {"tmst": (at_us + self.zero) % 2**32, "freq": 868.1, "rfch": 0, "powe": 14, "modu": "LORA", "datr": "SF7BW125", "codr": "4/5",
              "ipol": True, "ncrc": True, "size": 14, "data": base64.b64encode(bytes(14)).decode(), **txpk}
        pk = {k: v for k, v in pk.items() if v is not None and k not in drop}
        if isinstance(txpk.get("data"), bytes):
            pk.update(size=len(txpk["data"]), data=base64.b64encode(txpk["data"]).decode())
        self.token += 1
        self.line(at_us - lead_us, "server", struct.pack(">BHB", 2, self.token, 3) + json.dumps({"txpk": pk}).encode(), **({"gps_us": gps} if gps else {}))
        body = json.dumps({"txpk_ack": {"error": error}}).encode() if error else b""
        self.line(at_us - lead_us + 2000, "gateway", struct.pack(">BHBQ", 2, self.token, 5, int(self.gateway, 16)) + body)
        return self

    def rules(self, exempt=(), region="EU868"):
        c = law.Checker(exempt, region)
        for line in self.lines:
            c.line(line)
        return sorted({rule for rule, _ in c.finish()})


class PlantedTest(unittest.TestCase):
    def test_what_is_lawful_is_found_so(self):
        c = Capture()
        for n in range(100):
            c.down((n + 1) * 3 * SECOND)
        c.down(400 * SECOND, freq=869.525, powe=27, datr="SF12BW125")
        c.down(410 * SECOND, modu="FSK", datr=50000, fdev=25000, codr=None, ipol=None, ncrc=None)
        c.down(420 * SECOND, lead_us=80000, tmst=None, imme=True)
        c.down(430 * SECOND, tmst=None, tmms=1479253008550, gps=1479253008550000 - 900000)
        self.assertEqual(c.rules(), [])

    def test_time_on_air_is_that_of_the_published_calculator(self):
        played = 0
        with open(os.path.join(SOURCE, "test/vectors/toa/toa.txt"), encoding="utf-8") as f:
            for line in f:
                r = dict(w.split("=", 1) for w in line.split() if "=" in w)
                if line.startswith("#") or r["mod"] not in ("lora", "fsk") or r.get("header", "1") != "1" or int(r.get("sf", 7)) < 7:
                    continue
                txpk = {"modu": r["mod"].upper(), "data": base64.b64encode(bytes(int(r["n"]))).decode(), "ncrc": r.get("crc", "1") == "0"}
                if r["mod"] == "lora":
                    txpk.update(datr="SF%sBW%s" % (r["sf"], r["bw_khz"]), codr=r["cr"], prea=int(r["preamble"]))
                else:
                    txpk.update(datr=50000)
                with self.subTest(line):
                    self.assertEqual(law.time_on_air_us(txpk), int(r["us"]))
                played += 1
        self.assertGreater(played, 80)

    def test_each_region_has_its_bands_and_powers(self):
        """(region, a lawful frequency, its power, frequencies where nothing may be sent)"""
        for region, freq, powe, outside in (
                ("EU433", 434.665, 10, (433.0, 434.8, 868.1)), ("US915", 923.3, 30, (901.9, 928.1, 868.1)), ("AU915", 927.5, 28, (914.9, 928.0)),
                ("AS923", 923.2, 14, (914.9, 928.2, 902.3)), ("IN865", 866.55, 30, (864.95, 867.0, 868.1)), ("KR920", 921.9, 21, (920.7, 923.5)),
                ("RU864", 869.1, 20, (865.5, 868.5, 869.5)), ("RU864", 864.5, 14, (863.9,))):
            with self.subTest(region=region, freq=freq):
                wide = {"datr": "SF7BW500"} if region in ("US915", "AU915") else {}
                self.assertEqual(Capture().down(SECOND, freq=freq, powe=powe, **wide).rules(region=region), [])
                self.assertEqual(Capture().down(SECOND, freq=freq, powe=powe + 1, **wide).rules(region=region), ["power"])
                for hz in outside:
                    self.assertEqual(Capture().down(SECOND, freq=hz, powe=5).rules(region=region), ["band"], hz)
        # A wide channel needs its whole width.
        for edge in (902.1, 927.9):
            self.assertEqual(Capture().down(SECOND, freq=edge, datr="SF7BW125").rules(region="US915"), [])
            self.assertEqual(Capture().down(SECOND, freq=edge, datr="SF7BW500").rules(region="US915"), ["band"])

    def test_the_duty_cycle_of_other_regions(self):
        for region, freq, share in (("EU433", 434.665, 0.1), ("AS923", 923.2, 0.01), ("AS923", 922.0, 0.01), ("RU864", 864.5, 0.001),
                                    ("RU864", 867.0, 0.01), ("RU864", 869.1, 0.1)):
            with self.subTest(region=region, freq=freq):
                c, each = self.hour(share * 3600, freq, powe=10)
                self.assertEqual(c.rules(region=region), [])
                c, each = self.hour(share * 3600 + each, freq, powe=10)
                self.assertEqual(c.rules(region=region), ["duty cycle"])
        for region, freq, more in (("US915", 923.3, {"datr": "SF12BW500"}), ("AU915", 923.3, {"datr": "SF12BW500"}), ("IN865", 866.55, {}), ("KR920", 921.9, {})):
            c = Capture()
            for i in range(300):
                c.down((i + 1) * 3 * SECOND, freq=freq, **{"datr": "SF12BW125", "data": bytes(40), **more})
            self.assertEqual(c.rules(region=region), [], "%s has no such limit" % region)

    def test_the_dwell_time(self):
        slow = {"datr": "SF10BW125", "data": bytes(30)}  # 452.6 ms
        self.assertEqual(Capture().down(SECOND, freq=923.2, **slow).rules(region="AS923"), [])
        self.assertEqual(Capture().down(SECOND, freq=923.2, **slow).rules(region="AS923-DT"), ["dwell"])
        self.assertEqual(Capture().down(SECOND, freq=923.2, datr="SF10BW125", data=bytes(20)).rules(region="AS923-DT"), [])
        self.assertEqual(Capture().down(SECOND, freq=868.1, datr="SF12BW125", data=bytes(70)).rules(), ["dwell"])
        self.assertEqual(Capture().down(SECOND, freq=903.9, **slow).rules(region="US915"), ["dwell"])
        self.assertEqual(Capture().down(SECOND, freq=923.3, datr="SF12BW500", data=bytes(50)).rules(region="US915"), [], "wide ones may last")
        # Not by small frames either: 0.4 s in any 20 s on one frequency.
        c = Capture()
        for i in range(10):
            c.down((i + 1) * SECOND, freq=903.9, datr="SF7BW125")  # 46.3 ms each
        self.assertEqual(c.rules(region="US915"), ["dwell"])
        c = Capture()
        for i in range(40):
            c.down((i + 1) * SECOND, freq=903.9 + 0.2 * (i % 8), datr="SF7BW125")
        self.assertEqual(c.rules(region="US915"), [], "hopping")

    def hour(self, seconds, freq, sf=12, octets=51, spread=3590, **more):
        """As many frames as make so many seconds, over almost an hour."""
        c = Capture()
        each = law.time_on_air_us({"modu": "LORA", "datr": "SF%dBW125" % sf, "codr": "4/5", "ncrc": True, "data": base64.b64encode(bytes(octets))}) / 1e6
        n = math.floor(seconds / each)
        for i in range(n):
            c.down(int((5 + i * spread / n) * SECOND), freq=freq, datr="SF%dBW125" % sf, data=bytes(octets), **more)
        return c, each

    def test_the_duty_cycle_of_each_sub_band_in_any_hour(self):
        for freq, share in ((864.5, 0.001), (867.1, 0.01), (868.3, 0.01), (868.9, 0.001), (869.525, 0.1), (869.8, 0.01)):
            with self.subTest(freq):
                c, each = self.hour(share * 3600, freq)
                self.assertEqual(c.rules(), [])
                c, each = self.hour(share * 3600 + each, freq)
                self.assertEqual(c.rules(), ["duty cycle"])
                self.assertEqual(c.rules(exempt=[EUI.lower()]), [])

    def test_an_hour_begins_anywhere(self):
        c, _ = self.hour(20, 868.1, spread=600)
        for i in range(15):
            c.down(int((3300 + i * 5) * SECOND), freq=868.5, datr="SF12BW125", data=bytes(51))
        self.assertEqual(c.rules(), ["duty cycle"], "20 s in the first ten minutes, 36 s by the end of the hour")
        c, _ = self.hour(30, 868.1, spread=100)
        for i in range(10):
            c.down(int((3710 + i * 5) * SECOND), freq=868.5, datr="SF12BW125", data=bytes(51))
        self.assertEqual(c.rules(), [], "after an hour the first ones no longer count")

    def test_what_was_refused_was_not_emitted(self):
        c, _ = self.hour(60, 868.1, error="COLLISION_PACKET")
        self.assertEqual(c.rules(), [])

    def test_power_and_bands(self):
        self.assertEqual(Capture().down(SECOND, powe=15).rules(), ["power"])
        self.assertEqual(Capture().down(SECOND, freq=869.525, powe=28).rules(), ["power"])
        self.assertEqual(Capture().down(SECOND, freq=869.525, powe=27).rules(), [])
        for freq in (862.9, 868.65, 869.3, 869.68, 870.1, 902.3):
            self.assertEqual(Capture().down(SECOND, freq=freq).rules(), ["band"], freq)

    def test_one_transmitter(self):
        c = Capture().down(2 * SECOND, datr="SF12BW125").down(3 * SECOND, freq=869.525)
        self.assertEqual(c.rules(), ["overlap"])
        self.assertEqual(Capture().down(2 * SECOND).down(2 * SECOND + 46336 + 20000).rules(), ["queue"])
        self.assertEqual(Capture().down(2 * SECOND).down(2 * SECOND + 46336 + 44000).rules(), [])
        one, other = Capture().down(2 * SECOND), Capture(gateway="AA555A0000000002").down(2 * SECOND)
        one.lines += other.lines
        self.assertEqual(one.rules(), [], "two gateways have two")

    def test_lead(self):
        self.assertEqual(Capture().down(SECOND, lead_us=42500).rules(), ["lead"])
        self.assertEqual(Capture().down(SECOND, lead_us=42600).rules(), [])
        self.assertEqual(Capture("sx1301").down(SECOND, lead_us=33000).rules(), [])
        self.assertEqual(Capture().down(SECOND, lead_us=-2000).rules(), ["lead"])
        self.assertEqual(Capture().down(600 * SECOND, lead_us=513 * SECOND).rules(), ["lead"])
        wrap = Capture()
        wrap.zero = 2**32 - 500000
        self.assertEqual(wrap.down(SECOND).rules(), [], "over the wrap of the counter")

    def test_immediate_frames_are_spaced(self):
        now = {"lead_us": 80000, "tmst": None, "imme": True}
        c = Capture().down(SECOND, datr="SF12BW125", **now).down(SECOND + 300000, **now)
        self.assertEqual(c.rules(), ["immediate"])
        c = Capture().down(SECOND, datr="SF12BW125", **now).down(3 * SECOND, **now)
        self.assertEqual(c.rules(), [])
        self.assertEqual(Capture().down(SECOND, datr="SF12BW125").down(SECOND + 300000, **now).rules(), ["immediate"])

    def test_what_no_forwarder_takes(self):
        for wrong in ({"rfch": None}, {"powe": None}, {"codr": None}, {"ipol": None}, {"ncrc": None}, {"size": 13}, {"freq": "868.1"}, {"rfch": True}):
            self.assertEqual(Capture().down(SECOND, **wrong).rules(), ["txpk"], wrong)
        self.assertEqual(Capture().down(SECOND, modu="FSK", datr=50000).rules(), ["txpk"])
        self.assertEqual(Capture().down(SECOND, tmst=None, tmms=1479253008550).rules(), ["gps"])
        self.assertEqual(Capture().down(SECOND, filler="x" * 900).rules(), ["size"])

    def test_the_program_says_it_in_its_exit_status(self):
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "capture")
            for capture, status in ((Capture().down(SECOND), 0), (Capture().down(SECOND, powe=20), 1)):
                with open(path, "w") as f:
                    f.write("\n".join(capture.lines) + "\n")
                p = subprocess.run([sys.executable, law.__file__, path], capture_output=True, text=True)
                self.assertEqual(p.returncode, status, p.stdout)
            self.assertIn("power", p.stdout)
            self.assertEqual(subprocess.run([sys.executable, law.__file__, path + "x"], capture_output=True).returncode, 2)


class PressureTest(unittest.TestCase):
    """Devices of class A that ask for acknowledgements at SF12, one second each, and devices of class C that are sent items at any time.
    Within a minute a gateway has used up its 36 s an hour in 868.0 to 868.6 MHz, and must do with RX2. By hand, 20 gateways with 500 and 100 devices:

        PRESSURE=20,500,100,90 test/net/run "$PWD" "$PWD/build" test/net/test_law.py
    """

    GATEWAYS, CLASS_A, CLASS_C, SECONDS = (int(n) for n in os.environ.get("PRESSURE", "8,200,40,60").split(","))

    def create_devices(self, stack):
        """Those of godwit-sim: each one's keys are its DevAddr four times; the last ones are of class C."""
        with open(os.path.join(stack.state, "admin.key")) as f:
            headers = {"Authorization": "Bearer " + f.read().strip()}
        http = http_client.HTTPConnection(*stack.address("as.http"), timeout=30)
        for i in range(self.CLASS_A + self.CLASS_C):
            addr = "%08X" % (0x01000001 + i)
            http.request("POST", "/api/v3/applications/app1/devices", json.dumps({"end_device": {
                "ids": {"device_id": "d%d" % i}, "lorawan_version": "1.0.3", "frequency_plan_id": PLAN, "supports_class_c": i >= self.CLASS_A,
                "session": {"dev_addr": addr, "keys": {"nwk_s_key": {"key": addr * 4}, "app_s_key": {"key": addr * 4}}}}}), headers)
            answer = http.getresponse()
            said = answer.read()
            self.assertEqual(answer.status, 200, said)
        http.close()

    def push(self, sub):
        """Items for the devices of class C in turn, as many as take a tenth of the gateways' time, until the time is over."""
        end, n = time.monotonic() + self.SECONDS, 0
        while time.monotonic() < end:
            device = self.CLASS_A + n % self.CLASS_C
            sub.publish("v3/app1/devices/d%d/down/push" % device, {"downlinks": [
                {"f_port": 5, "frm_payload": base64.b64encode(struct.pack(">I", n)).decode(), "confirmed": n % 4 == 0}]})
            n += 1
            time.sleep(1 / (0.06 * self.GATEWAYS))

    def simulate(self, stack, sub, d):
        """Play it. (the capture, the simulator's totals)"""
        capture, said = os.path.join(d, "capture"), os.path.join(d, "said")
        with open(said, "wb") as out:
            sim = subprocess.Popen([program("godwit-sim"), "--server", "%s:%d" % stack.address("gs.udp"), "--gateways", str(self.GATEWAYS), "--copies", "6",
                                    "--count", str(self.CLASS_A + self.CLASS_C), "--class-c-count", str(self.CLASS_C), "--abp", "--confirmed", "--dr", "0",
                                    "--no-adr", "--interval", "18s", "--seed", "7", "--capture", capture], stdout=out, env=environment())
            try:
                self.push(sub)
            finally:
                sim.terminate()
                status = sim.wait(20)
        self.assertEqual(status, 0)
        with open(said, "rb") as f:
            return capture, json.loads(f.read().splitlines()[-1])

    def test_gateways_under_pressure_keep_the_law(self):
        with Stack() as stack, tempfile.TemporaryDirectory() as d:
            key = stack.create_application("app1")
            self.create_devices(stack)
            with contextlib.closing(Subscriber(stack, key, topic="v3/+/devices/+/down/sent")) as sub:
                capture, totals = self.simulate(stack, sub, d)
            c = law.check(capture)
            # A busy machine makes some late for their forwarder, which refuses them; no machine makes them unlawful.
            self.assertEqual([f for f in c.found if f[0] != "lead"], [])
            self.assertLess(len(c.found), totals["pull_resps"] / 20, c.found)
            used = c.airtime()
            tight = [s for (_, band), s in used.items() if band == "868.0-868.6"]
            self.assertGreater(max(tight), 30, "the limit was never near: %r" % used)
            self.assertLessEqual(max(tight), 36)
            self.assertGreater(sum(s for (_, band), s in used.items() if band == "869.4-869.65"), 20, "nothing went to RX2")
            self.assertGreater(totals["downlinks"], self.CLASS_A)
            self.assertGreater(sub.count("down/sent"), self.GATEWAYS)
            # What a real forwarder would refuse is refused here too: the checker and the simulated queue agree.
            self.assertAlmostEqual(totals["tx_errors"], len(c.found), delta=3, msg=(totals, c.found))
            print("%d gateways, %d devices of class A, %d of class C: %d emissions, %d of class C told sent, %r, %d findings" % (
                self.GATEWAYS, self.CLASS_A, self.CLASS_C, len(c.emissions), sub.count("down/sent"), totals, len(c.found)), file=sys.stderr)


if __name__ == "__main__":
    random.seed(1)
    unittest.main()
