"""Every region on real processes: a join, an uplink and a downlink, in the windows, on the frequencies and at the data rates that the
regional parameters give. The numbers are written here, worked out by hand from RP001 1.0.3 rev. A and RP002-1.0.4."""
import os
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from godwit import PLAN, environment, program  # noqa: E402
from stories import Stories, after, strict  # noqa: E402


SLOWEST_S = 2.2  # a join-accept with a CFList at SF12


def frequencies(*mhz):
    """A CFList of type 0."""
    return b"".join(round(f * 10000).to_bytes(3, "little") for f in mhz).ljust(16, b"\0")


def masks(*banks):
    """A CFList of type 1."""
    return b"".join(b.to_bytes(2, "little") for b in banks).ljust(15, b"\0") + b"\1"


class Row:
    """join, up, up2: (MHz, datr) of what the device sends; the *_rx1 and rx2 likewise of what it must be sent."""

    def __init__(self, plan, join, join_rx1, rx2, cf_list, up, up_rx1, up2=None, up2_rx1=None, join_rx2=None, version="1.0.3", phy=None, **how):
        self.plan, self.version, self.cf_list, self.how = plan, version, cf_list, how
        self.flags = ["--lorawan-phy-version", phy] if phy else []
        self.join, self.join_rx1, self.join_rx2, self.rx2 = join, join_rx1, join_rx2 or rx2, rx2
        self.up, self.up_rx1 = up, up_rx1
        self.up2, self.up2_rx1 = up2 or up, up2_rx1 or up_rx1


class Regions(Stories):
    def where(self, emission):
        return emission.freq_hz / 1e6, emission.datr

    def exchange(self, s, row, send, how, rx1, rx2, delay_s):
        """Send, refuse RX1, and see both windows. The frame of the second."""
        g, n = s.g, len(s.g.emissions)
        g.answer = lambda e: '{"txpk_ack":{"error":"COLLISION_PACKET"}}' if len(g.emissions) == n else strict(e)
        tmst = g.uplink(send, freq=how[0], datr=how[1], **row.how)
        first, second = g.wait_emission(n + 1, delay_s + 3), g.wait_emission(n + 2, 3)
        self.assertEqual((after(first, tmst), self.where(first)), (delay_s * 1000000, rx1))
        self.assertEqual((after(second, tmst), self.where(second)), ((delay_s + 1) * 1000000, rx2))
        g.answer = strict
        time.sleep(second.lead_us / 1e6 + SLOWEST_S)  # until it has been on air: a device listens, and the gateway can send nothing else
        return second.phy

    def live(self, s, row):
        s.g = s.gateway()
        s.stack.cli("gateways", "create", "gw-%d" % s.number, "--gateway-eui", "%016X" % s.g.eui, "--frequency-plan-id", row.plan)
        d = s.otaa("--mac-settings.desired-rx1-delay", "1", *row.flags, version=row.version, plan=row.plan)
        accept = self.exchange(s, row, d.join_request(), row.join, row.join_rx1, row.join_rx2, 5)
        self.assertTrue(d.accept(accept))
        self.assertEqual((d.cf_list, d.rx_delay), (row.cf_list, 1))
        s.wait(d, "join")
        ack = self.exchange(s, row, d.uplink(1, b"first", confirmed=True), row.up, row.up_rx1, row.rx2, 1)
        self.assertTrue(d.downlink(ack).ack)
        up = s.wait(d, "up")["uplink_message"]
        self.assertEqual((up["frm_payload"], up["settings"]["frequency"]), ("Zmlyc3Q=", str(round(row.up[0] * 1e6))))
        s.push(d, "YmFjaw==")
        n = len(s.g.emissions)
        tmst = s.g.uplink(d.uplink(2, b"second"), freq=row.up2[0], datr=row.up2[1], **row.how)
        e = s.g.wait_emission(n + 1, 4)
        self.assertEqual((after(e, tmst), self.where(e)), (1000000, row.up2_rx1))
        self.assertEqual(d.downlink(e.phy).payload, b"back")
        s.wait(d, "down/sent")
        return e

    def story_us_902_928_fsb_2(self, s):
        e = self.live(s, Row("US_902_928_FSB_2", (903.9, "SF10BW125"), (923.3, "SF10BW500"), (923.3, "SF12BW500"), masks(0xFF00, 0, 0, 0, 2),
                             up=(904.9, "SF7BW125"), up_rx1=(926.3, "SF7BW500"), up2=(904.6, "SF8BW500"), up2_rx1=(923.9, "SF7BW500")))
        self.assertEqual((e.txpk["ipol"], e.txpk["powe"]), (True, 26))

    def story_us_902_928_fsb_2_before_cf_lists_of_masks(self, s):
        self.live(s, Row("US_902_928_FSB_2", (905.3, "SF10BW125"), (927.5, "SF10BW500"), (923.3, "SF12BW500"), None, up=(905.1, "SF9BW125"),
                         up_rx1=(926.9, "SF9BW500"), version="1.0.2"))

    def story_au_915_928_fsb_2(self, s):
        self.live(s, Row("AU_915_928_FSB_2", (916.8, "SF10BW125"), (923.3, "SF10BW500"), (923.3, "SF12BW500"), masks(0xFF00, 0, 0, 0, 2),
                         up=(917.8, "SF9BW125"), up_rx1=(926.3, "SF9BW500"), up2=(917.5, "SF8BW500"), up2_rx1=(923.9, "SF7BW500")))

    def story_as_923(self, s):
        self.live(s, Row("AS_923", (923.2, "SF10BW125"), (923.2, "SF10BW125"), (923.2, "SF10BW125"), None, up=(923.4, "SF7BW125"),
                         up_rx1=(923.4, "SF7BW125"), up2=(923.2, "SF9BW125"), up2_rx1=(923.2, "SF9BW125")))

    def story_as_923_925(self, s):
        self.live(s, Row("AS_923_925", (923.4, "SF8BW125"), (923.4, "SF8BW125"), (923.2, "SF10BW125"), frequencies(923.6, 923.8, 924, 924.2, 924.4),
                         up=(924.4, "SF7BW125"), up_rx1=(924.4, "SF7BW125")))

    def story_in_865_867(self, s):
        self.live(s, Row("IN_865_867", (865.0625, "SF12BW125"), (865.0625, "SF12BW125"), (866.55, "SF10BW125"), None, up=(865.985, "SF7BW125"),
                         up_rx1=(865.985, "SF7BW125"), up2=(865.4025, "SF8BW125"), up2_rx1=(865.4025, "SF8BW125")))

    def story_kr_920_923_ttn(self, s):
        self.live(s, Row("KR_920_923_TTN", (922.1, "SF11BW125"), (922.1, "SF11BW125"), (921.9, "SF12BW125"), frequencies(922.7, 922.9, 923.1, 923.3),
                         up=(923.3, "SF7BW125"), up_rx1=(923.3, "SF7BW125")))

    def story_cn_470_510_fsb_11(self, s):
        self.live(s, Row("CN_470_510_FSB_11", (486.3, "SF9BW125"), (506.7, "SF9BW125"), (505.3, "SF12BW125"), masks(0, 0, 0, 0, 0, 0x00FF),
                         up=(487.7, "SF7BW125"), up_rx1=(508.1, "SF7BW125"), up2=(486.9, "SF8BW125"), up2_rx1=(507.3, "SF8BW125")))

    def story_cn_470_510_20_a(self, s):
        """RX2 stays where the join channel had it."""
        self.live(s, Row("CN_470_510_20_A", (470.9, "SF10BW125"), (484.5, "SF10BW125"), (485.3, "SF11BW125"), masks(0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF),
                         up=(505.1, "SF7BW125"), up_rx1=(491.9, "SF7BW125"), version="1.0.4", phy="rp002-1.0.3"))

    def story_cn_470_510_26_b(self, s):
        self.live(s, Row("CN_470_510_26_B", (484.3, "SF9BW125"), (502.5, "SF9BW125"), (502.5, "SF11BW125"), masks(0xFFFF, 0xFFFF, 0xFFFF),
                         up=(485.3, "SF7BW125"), up_rx1=(500.3, "SF7BW125"), version="1.0.4", phy="rp002-1.0.3"))

    def story_eu_433(self, s):
        self.live(s, Row("EU_433", (433.175, "SF9BW125"), (433.175, "SF9BW125"), (434.665, "SF12BW125"),
                         frequencies(433.775, 433.975, 434.175, 434.375, 434.575), up=(434.575, "SF7BW125"), up_rx1=(434.575, "SF7BW125")))

    def story_ru_864_870_ttn(self, s):
        self.live(s, Row("RU_864_870_TTN", (868.9, "SF9BW125"), (868.9, "SF9BW125"), (869.1, "SF12BW125"),
                         frequencies(864.1, 864.3, 864.5, 864.7, 864.9), up=(864.5, "SF7BW125"), up_rx1=(864.5, "SF7BW125")))

    def story_cn_779_787(self, s):
        self.live(s, Row("CN_779_787", (779.7, "SF8BW125"), (779.7, "SF8BW125"), (786.0, "SF12BW125"), frequencies(780.5, 780.7, 780.9),
                         up=(780.9, "SF7BW125"), up_rx1=(780.9, "SF7BW125")))

    def story_ism_2400(self, s):
        """Long interleaving is said both ways."""
        e = self.live(s, Row("ISM_2400_3CH_DRAFT2", (2403.0, "SF10BW812"), (2403.0, "SF10BW812"), (2423.0, "SF12BW812"), None,
                             up=(2479.0, "SF7BW812"), up_rx1=(2479.0, "SF7BW812"), codr="4/8LI"))
        self.assertEqual(e.txpk["codr"], "4/8LI")

    def story_a_simulated_device_of_each_plan(self, s):
        """godwit-sim joins, sends confirmed uplinks and hears their acknowledgements in any plan."""
        plans = ["US_902_928_FSB_2", "AU_915_928_FSB_8", "AS_923_2", "IN_865_867", "KR_920_923_TTN", "CN_470_510_FSB_1", "CN_470_510_20_B", "EU_433"]
        running = []
        for n, plan in enumerate(plans):
            eui, gateway = "70B3D57ED005%04X" % (0x100 + n), "AA555A00000001%02X" % n
            version = ["--lorawan-version", "1.0.4"] if "20_B" in plan else ["--lorawan-version", "1.0.3"]
            s.stack.cli("gateways", "create", "sim-%d" % n, "--gateway-eui", gateway, "--frequency-plan-id", plan)
            s.stack.cli("end-devices", "create", "app1", "sim-%d" % n, "--dev-eui", eui, "--join-eui", "%016X" % 1, "--frequency-plan-id", plan,
                        "--root-keys.app-key.key", "00" * 15 + "01", "--mac-settings.desired-rx1-delay", "1", *version)
            running.append(subprocess.Popen(
                [program("godwit-sim"), "--server", "%s:%d" % s.stack.address("gs.udp"), "--gateway-eui", gateway, "--dev-eui-first", eui, "--join-eui",
                 "%016X" % 1, "--app-key", "00" * 15 + "01", "--plan", plan, "--confirmed", "--interval", "3s", "--uplinks", "3", *version],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment()))
        for plan, p in zip(plans, running):
            try:
                said = p.communicate(timeout=60)[0].decode()
            except subprocess.TimeoutExpired:
                p.kill()
                said = p.communicate()[0].decode()
            self.assertIn('"join-accept"', said, plan)
            self.assertIn('"acked":true', said.replace(" ", ""), plan + said)
            self.assertNotIn("refused", said, plan)


class Plans(unittest.TestCase):
    def test_the_plan_of_the_other_tests_is_one(self):
        out = subprocess.run([program("godwit-gs"), "--check-config", "--gs.default-frequency-plan=" + PLAN], capture_output=True, text=True, env=environment())
        self.assertEqual(out.returncode, 0, out.stderr)
        out = subprocess.run([program("godwit-gs"), "--check-config", "--gs.default-frequency-plan=us915"], capture_output=True, text=True, env=environment())
        self.assertNotEqual(out.returncode, 0)
        self.assertIn("US_902_928_FSB_1 to 8", out.stderr)


if __name__ == "__main__":
    unittest.main()
