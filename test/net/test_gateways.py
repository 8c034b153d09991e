"""Gateways from outside: counters that wrap and restart, moving addresses, floods, airtime and conflicts, gateways without a plan."""
import base64
import json
import math
import os
import signal
import socket
import struct
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from godwit import PLAN  # noqa: E402
from stories import Stories, after, strict  # noqa: E402


def airtime_s(sf, n, bw=125000, crc=False):
    """SX1276 data sheet 4.1.1.7: preamble 8, explicit header, CR 4/5."""
    symbol = 2 ** sf / bw
    slow = 1 if symbol > 0.016 else 0
    octets = max(math.ceil((8 * n - 4 * sf + 28 + (16 if crc else 0)) / (4 * (sf - 2 * slow))) * 5, 0)
    return (8 + 4.25 + 8 + octets) * symbol


def band(stats, hz):
    return [b for b in stats["sub_bands"] if int(b["min_frequency"]) <= hz < int(b["max_frequency"])][0]


def b64(n):
    return base64.b64encode(bytes(n)).decode()


def connection_stats(s, g):
    return s.stack.cli("gateways", "get-connection-stats", "eui-%016x" % g.eui)


class Radio(Stories):
    def story_the_counter_wraps_between_uplink_and_answer(self, s):
        g, d = s.gateway(tmst0=2**32 - 1500000), s.abp()
        s.until(lambda: g.counter() > 2**32 - 700000 or g.counter() < 2**31, 5)
        tmst = s.ask(d, g, confirmed=True)
        self.assertGreater(tmst, 2**32 - 1000000)
        e = g.wait_emission(1, 3)
        self.assertLess(e.tmst, 1000000)
        self.assertEqual((after(e, tmst), e.answered), (1000000, ""))
        time.sleep(1.5)
        tmst = s.ask(d, g, confirmed=True)
        e = g.wait_emission(2, 3)
        self.assertEqual((after(e, tmst), e.answered), (1000000, ""))
        self.assertNotIn("concentrator_restart gateway=eui-%016x" % g.eui, s.stack.log_text())

    def story_a_gateway_restarts(self, s):
        g, d = s.gateway(tmst0=3000000000), s.abp()
        s.ask(d, g)
        s.wait(d, "up")
        g.base_us = time.monotonic_ns() // 1000 - 2000000
        tmst = s.ask(d, g, confirmed=True)
        e = g.wait_emission(1, 3)
        self.assertEqual((after(e, tmst), e.answered), (1000000, ""))
        s.until(lambda: "concentrator_restart" in s.stack.log_text(), 3)

    def story_a_restart_after_the_uplink_costs_that_answer_alone(self, s):
        g, d = s.gateway(tmst0=3000000000), s.abp()
        s.push(d, "AQ==")
        s.ask(d, g)
        s.wait(d, "up")
        g.base_us = time.monotonic_ns() // 1000
        g.wait_emission(2, 4)
        self.assertNotIn("", [e.answered for e in g.emissions])
        time.sleep(1)
        self.assertEqual(len(s.queue(d)), 1)
        s.ask(d, g)
        s.wait(d, "down/sent")

    def story_gateways_with_the_same_tokens_are_told_apart(self, s):
        gateways = [s.gateway() for _ in range(2)]
        devices = [s.abp(n=n) for n in range(2)]
        for _ in range(2):
            for g, d in zip(gateways, devices):
                g.token = 0x67c5
                s.ask(d, g, confirmed=True)
            time.sleep(1.5)
        for g, d in zip(gateways, devices):
            s.wait(d, "up", 2)
            self.assertEqual([d.downlink(e.phy).ack for e in g.emissions], [True, True])

    def story_a_gateway_behind_a_nat_that_forgets(self, s):
        line = s.line()
        g, d = s.gateway(line=line, keepalive=1.0), s.abp()
        s.ask(d, g, confirmed=True)
        g.wait_emission(1, 3)
        line.rebind()
        n = len(g.acks)
        g.wait(lambda: len([a for a in g.acks[n:] if a[0] == 4]) >= 2, 5)
        s.ask(d, g, confirmed=True)
        self.assertEqual(g.wait_emission(2, 3).answered, "")

    def story_one_datagram_of_250_frames(self, s):
        g, devices = s.gateway(), [s.abp(n=n) for n in range(5)]
        packets = [g.rxpk(d.uplink(1, bytes([n]))) for n in range(50) for d in devices]
        g.send_json(json.dumps({"rxpk": packets}, separators=(",", ":")))
        for d in devices:
            s.wait(d, "up", 50)

    def story_two_devices_at_once_on_one_gateway(self, s):
        g, devices = s.gateway(), [s.abp(n=n) for n in range(2)]
        tmst = [s.ask(d, g, confirmed=True, datr="SF9BW125") for d in devices]
        g.wait_emission(2, 4)
        at = sorted(e.tmst for e in g.emissions)
        self.assertEqual([e.answered for e in g.emissions], ["", ""])
        self.assertGreater((at[1] - at[0]) % 2**32, 800000, "one in RX1, the other in RX2")
        for d, t in zip(devices, tmst):
            self.assertTrue([e for e in g.emissions if struct.unpack("<I", e.phy[1:5])[0] == d.dev_addr and after(e, t) in (1000000, 2000000)])

    def story_two_devices_at_once_on_two_gateways(self, s):
        gateways, devices = [s.gateway() for _ in range(2)], [s.abp(n=n) for n in range(2)]
        for d in devices:
            phy = d.uplink(1, b"x", confirmed=True)
            for g in gateways:
                g.uplink(phy, datr="SF9BW125")
        for g in gateways:
            g.wait_emission(1, 4)
        time.sleep(1.2)
        heard = sorted(struct.unpack("<I", e.phy[1:5])[0] for g in gateways for e in g.emissions)
        self.assertEqual(heard, sorted(d.dev_addr for d in devices))
        self.assertEqual([e.datr for g in gateways for e in g.emissions], ["SF9BW125"] * 2, "both in RX1")

    def story_connection_stats_tell_the_round_trips(self, s):
        g, d = s.gateway(line=s.line(0.06)), s.abp()
        for n in range(2):
            s.ask(d, g, confirmed=True)
            g.wait_emission(n + 1, 3)
            time.sleep(1.2)
        # The status that tells of the last one follows it.
        s.until(lambda: connection_stats(s, g)["round_trip_times"]["count"] == len(g.emissions), 5, "a round trip for each emission")
        stats = connection_stats(s, g)
        trips = stats["round_trip_times"]
        for name in ("min", "median", "max"):
            self.assertAlmostEqual(float(trips[name].rstrip("s")), 0.12, delta=0.08)
        self.assertEqual((stats["uplink_count"], stats["downlink_count"], stats["protocol"]), ("2", str(len(g.emissions)), "udp"))


class Flood(Stories):
    """Alone: the others would be late because of it, here where the flood itself takes a processor."""

    def story_a_flood_of_one_gateway_leaves_the_others_served(self, s):
        g, d = s.gateway(), s.abp()
        stop = threading.Event()
        eui = struct.pack(">Q", 0xBAD0000000000001)

        def flood():
            out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            n = 0
            while not stop.is_set():
                body = '{"rxpk":[%s]}' % json.dumps(g.rxpk(b"\x40" + struct.pack("<I", n) + os.urandom(12), tmst=n))
                for _ in range(20):
                    n += 1
                    out.sendto(b"\2\0\1\0" + eui + body.replace('"tmst": ', '"tmst": %d' % (n % 1000), 1).encode(), s.stack.address("gs.udp"))
                time.sleep(0.002)
            out.close()
        thread = threading.Thread(target=flood)
        thread.start()
        try:
            answered = 0
            for n in range(4):
                tmst = s.ask(d, g, confirmed=True)
                e = g.wait_emission(n + 1, 4)
                answered += (after(e, tmst), e.answered) == (1000000, "")
                time.sleep(0.3)
        finally:
            stop.set()
            thread.join()
        self.assertGreaterEqual(answered, 3)


class Airtime(Stories):
    """868.9 MHz lies in a sub-band of 0.1 %: 3.6 s an hour, room for one frame of 51 octets at SF12."""

    def stats(self, s, g):
        return connection_stats(s, g)

    def used(self, s, g, hz):
        return band(self.stats(s, g), hz)["downlink_utilization"]

    def ask_long(self, s, d, g, priority):
        s.push(d, {"f_port": 1, "frm_payload": b64(51), "priority": priority})
        return g.uplink(d.uplink(1, b"x"), freq=868.9, datr="SF12BW125")

    def story_what_is_used_up_sends_to_rx2(self, s):
        g, devices = s.gateway(), [s.abp(n=n) for n in range(2)]
        tmst = self.ask_long(s, devices[0], g, "HIGHEST")
        e = g.wait_emission(1, 4)
        self.assertEqual((after(e, tmst), e.freq_hz), (1000000, 868900000))
        s.wait(devices[0], "down/sent")
        share = airtime_s(12, len(e.phy)) / 3600
        s.until(lambda: abs(self.used(s, g, 868900000) - share) < 2e-6, 5, "the share of airtime")
        self.assertEqual(band(self.stats(s, g), 868900000)["downlink_utilization_limit"], 0.001)
        time.sleep(3)
        tmst = self.ask_long(s, devices[1], g, "HIGHEST")
        e = g.wait_emission(2, 4)
        self.assertEqual((after(e, tmst), e.freq_hz), (2000000, 869525000))
        s.until(lambda: abs(self.used(s, g, 869525000) - share) < 2e-6, 5, "the share of airtime")
        self.assertLess(abs(self.used(s, g, 868900000) - share), 2e-6)

    def story_a_low_priority_may_not_use_it_all(self, s):
        g, d = s.gateway(), s.abp()
        tmst = self.ask_long(s, d, g, "LOWEST")
        e = g.wait_emission(1, 4)
        self.assertEqual((after(e, tmst), e.freq_hz), (2000000, 869525000))

    def story_an_ack_does_not_wait_for_a_payload_without_airtime(self, s):
        g, d = s.gateway(), s.abp("--mac-settings.rx2-data-rate-index", "0", "--mac-settings.rx2-frequency", "868850000")
        s.push(d, {"f_port": 1, "frm_payload": b64(51), "priority": "LOWEST"})
        tmst = g.uplink(d.uplink(1, b"x", confirmed=True), freq=868.9, datr="SF12BW125")
        e = g.wait_emission(1, 4)
        down = d.downlink(e.phy)
        self.assertTrue(down.ack)
        self.assertEqual(down.payload, b"")
        self.assertIn(after(e, tmst), (1000000, 2000000))
        s.until(lambda: len(s.queue(d)) == 1, 5, "the item back in its queue")

    def story_a_refused_emission_costs_no_airtime(self, s):
        g, d = s.gateway(answer=lambda e: '{"txpk_ack":{"error":"COLLISION_PACKET"}}'), s.abp()
        self.ask_long(s, d, g, "HIGHEST")
        g.wait_emission(2, 4)
        time.sleep(2)
        self.assertEqual((self.used(s, g, 868900000), self.used(s, g, 869525000)), (0, 0))
        g.answer = strict
        tmst = g.uplink(d.uplink(1, b"x"), freq=868.9, datr="SF12BW125")
        self.assertEqual(after(g.wait_emission(3, 4), tmst), 1000000)

    def story_who_is_exempt_sends_on(self, s):
        g = s.gateway()
        s.stack.cli("gateways", "create", "free", "--gateway-eui", "%016X" % g.eui, "--frequency-plan-id", PLAN, "--enforce-duty-cycle=false")
        devices = [s.abp(n=n) for n in range(2)]
        for n, d in enumerate(devices):
            tmst = self.ask_long(s, d, g, "LOWEST")
            e = g.wait_emission(n + 1, 4)
            self.assertEqual((after(e, tmst), e.freq_hz), (1000000, 868900000))
            time.sleep(3.2)
        used = band(s.stack.cli("gateways", "get-connection-stats", "free"), 868900000)
        self.assertGreater(used["downlink_utilization"], 0.0015)
        self.assertEqual(used["downlink_utilization_limit"], 1)


class Restart(Stories):
    fixed_ports = True

    def story_a_gateway_server_that_died_is_found_again_with_the_next_keepalive(self, s):
        g, d = s.gateway(keepalive=1.0), s.abp()
        s.ask(d, g, confirmed=True)
        g.wait_emission(1, 3)
        old = s.stack.pid("gs")
        os.kill(old, signal.SIGKILL)
        n = len(g.acks)
        g.wait(lambda: [a for a in g.acks[n:] if a[0] == 4], 8)
        self.assertNotEqual(s.stack.pid("gs"), old)
        tmst = s.ask(d, g, confirmed=True)
        e = g.wait_emission(2, 4)
        self.assertEqual((after(e, tmst), e.answered), (1000000, ""))


class WithoutPlan(Stories):
    settings = ("--gs.default-frequency-plan=",)

    def story_it_is_heard_and_told_and_sends_once_it_is_registered(self, s):
        g, d = s.gateway(), s.abp()
        gateway_id = "eui-%016x" % g.eui
        s.push(d, "AQ==")
        s.ask(d, g, confirmed=True)
        up = s.wait(d, "up")
        time.sleep(2.5)
        self.assertEqual(g.emissions, [])
        self.assertRegex(s.stack.log_text(), "gateway_without_plan.*%s.*godwit gateways adopt.*--frequency-plan-id" % gateway_id)
        self.assertIn("no_downlink_path", [e.get("data", {}).get("reason") for e in s.events(up)])
        listed = [x for x in s.stack.cli("gateways", "list") if x["ids"]["gateway_id"] == gateway_id]
        self.assertEqual(len(listed), 1)
        self.assertIn("godwit gateways adopt", json.dumps(listed[0]))
        s.stack.cli("gateways", "create", "mine", "--gateway-eui", "%016X" % g.eui, "--frequency-plan-id", PLAN)
        tmst = s.ask(d, g, confirmed=True)
        e = g.wait_emission(1, 3)
        self.assertEqual((after(e, tmst), d.downlink(e.phy).payload), (1000000, b"\1"))


if __name__ == "__main__":
    unittest.main()
