"""Class C from outside: downlinks that no uplink asks for, as forwarders see them."""
import base64
import os
import sys
import time
import unittest
import urllib.request

sys.path.insert(0, os.path.dirname(__file__))
from stories import Stories, after, strict  # noqa: E402

RXC_HZ, RXC_DATR = 869525000, "SF12BW125"


def error(word):
    return '{"txpk_ack":{"error":"%s"}}' % word


def rfc3339(unix):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(unix)) + (".%06dZ" % (unix % 1 * 1e6))


class ClassC(Stories):
    settings = ("--ns.class-c-max-delay=3s", "--ns.class-c-timeout=4s", "--ns.http-listen=127.0.0.1:0")

    def device(self, s, gateway, *flags, **how):
        """A device that listens always, and was heard."""
        d = s.abp("--supports-class-c", *flags, **how)
        s.ask(d, gateway)
        s.wait(d, "up")
        time.sleep(2.5)
        return d

    def story_an_item_leaves_within_half_a_second(self, s):
        g = s.gateway()
        d = self.device(s, g)
        begin = time.monotonic()
        s.push(d, "AQID")
        e = g.wait_emission(1, 2)
        self.assertLess(time.monotonic() - begin + e.lead_us / 1e6, 0.5)
        self.assertEqual((e.freq_hz, e.datr, e.txpk["codr"], e.txpk["ipol"], e.txpk["ncrc"]), (RXC_HZ, RXC_DATR, "4/5", True, True))
        self.assertFalse(e.txpk.get("imme", False))
        self.assertGreater(e.lead_us, 42500)
        down = d.downlink(e.phy)
        self.assertEqual((down.payload, down.f_port, down.ack, down.pending, down.f_opts), (b"\1\2\3", 1, False, False, b""))
        sent = s.wait(d, "down/sent")
        self.assertEqual(sent["downlink_sent"]["frm_payload"], "AQID")
        self.assertTrue([c for c in sent["correlation_ids"] if c.startswith("as:downlink:")])
        self.assertTrue([c for c in sent["correlation_ids"] if c.startswith("ns:transmission:")])

    def story_the_airtime_it_took_is_a_number(self, s):
        g = s.gateway()
        d = self.device(s, g)
        s.push(d, "AQID")
        s.wait(d, "down/sent")
        with urllib.request.urlopen("http://%s/metrics" % s.stack.addresses["ns.http"], timeout=5) as r:
            text = r.read().decode()
        line = '{gateway_id="eui-%016x",min_frequency="869400000",max_frequency="869650000"} ' % g.eui
        self.assertIn("ns_sub_band_utilization_limit" + line + "0.1\n", text)
        used = float(text.split("ns_sub_band_utilization" + line)[1].split("\n")[0])
        self.assertAlmostEqual(used, 1.155072 / 3600, delta=2e-6, msg="SF12 and 16 octets")

        def told():
            stats = s.stack.cli("gateways", "get-connection-stats", "eui-%016x" % g.eui)
            return used in [b["downlink_utilization"] for b in stats["sub_bands"] if b["min_frequency"] == "869400000"]
        s.until(told, 20, "the same in the statistics")

    def story_what_is_wanted_of_the_device_goes_with_an_item(self, s):
        g = s.gateway()
        d = self.device(s, g)
        s.stack.cli("end-devices", "update", "app1", d.id, "--mac-settings.desired-max-duty-cycle", "3",
                    "--mac-settings.class-b-c-downlink-interval", "3s")
        wish = lambda: s.stack.cli("end-devices", "get", "app1", d.id, "--mac-state")["mac_state"]["desired_parameters"]  # noqa: E731
        s.until(lambda: wish().get("max_duty_cycle"), what="the wish")
        s.push(d, "AQID", "BAUG")
        down = d.downlink(g.wait_emission(1, 3).phy)
        self.assertEqual((down.f_opts, down.payload), (b"\4\3", b"\1\2\3"), "DutyCycleReq [LW1.0.4 5.3]")
        down = d.downlink(g.wait_emission(2, 6).phy)
        self.assertEqual((down.f_opts, down.payload), (b"", b"\4\5\6"))
        gap = (g.emissions[1].tmst - g.emissions[0].tmst) % 2**32
        self.assertTrue(3000000 <= gap, gap)

    def story_the_trace_tells_how(self, s):
        g = s.gateway()
        d = self.device(s, g)
        s.push(d, "AQID")
        sent = s.wait(d, "down/sent")
        cid = [c for c in sent["correlation_ids"] if c.startswith("as:downlink:")][0]
        events = s.until(lambda: (lambda v: v if "gs.txack.receive" in [e["name"] for e in v] else None)(s.stack.cli("trace", cid)))
        by_name = {e["name"]: e for e in events}
        for name in ("as.down.data.receive", "as.down.data.forward", "ns.down.data.schedule.attempt", "gs.down.send", "gs.txack.receive",
                     "ns.down.transmission.success", "as.down.data.sent.forward"):
            self.assertIn(name, by_name)
        data = by_name["ns.down.data.schedule.attempt"]["data"]
        self.assertEqual((data["window"], data["frequency"], data["data_rate_index"], data["eirp"]), (3, RXC_HZ, 0, 29))
        self.assertRegex(data["due"], r"^\d{4}-\d\d-\d\dT")
        self.assertEqual(data["considered"], [by_name["ns.down.data.schedule.attempt"]["identifiers"]["gateway_id"]])

    def story_ten_items_follow_each_other_in_order_and_never_overlap(self, s):
        g = s.gateway()
        d = self.device(s, g, "--mac-settings.rx2-data-rate-index", "3")
        s.push(d, *[base64.b64encode(bytes([n])).decode() for n in range(10)])
        g.wait_emission(10, 12)
        downs = [d.downlink(e.phy) for e in g.emissions]
        self.assertEqual([x.payload[0] for x in downs], list(range(10)))
        self.assertEqual([x.f_cnt for x in downs], list(range(10)))
        self.assertEqual({e.datr for e in g.emissions}, {"SF9BW125"})
        for a, b in zip(g.emissions, g.emissions[1:]):
            gap = (b.tmst - a.tmst) % 2**32
            self.assertGreater(gap, 144384 + 42500, "SF9 with 14 octets takes 144384 us or more")
            self.assertLess(gap, 800000)
        s.wait(d, "down/sent", 10)

    def story_nothing_leaves_before_the_session_is_confirmed(self, s):
        g, d = s.gateway(), s.otaa("--supports-class-c")
        s.join(d, g)
        s.push(d, "AQID")
        time.sleep(2.5)
        self.assertEqual(len(g.emissions), 1)
        tmst = s.ask(d, g)
        e = g.wait_emission(2, 8)
        self.assertEqual(d.downlink(e.phy).payload, b"\1\2\3")
        self.assertEqual(after(e, tmst), 5000000)
        s.wait(d, "down/sent")
        time.sleep(1.5)
        s.push(d, "BAUG")
        e = g.wait_emission(3, 2)
        self.assertEqual((d.downlink(e.phy).payload, e.freq_hz), (b"\4\5\6", RXC_HZ))

    def story_the_windows_of_an_uplink_stay_free(self, s):
        g = s.gateway()
        d = self.device(s, g)
        tmst = s.ask(d, g, confirmed=True)
        s.wait(d, "up", 2)
        s.push(d, "AQID")  # SF12 is not over before RX1
        e = g.wait_emission(1, 3)
        down = d.downlink(e.phy)
        self.assertEqual((after(e, tmst), down.ack, down.payload), (1000000, True, b"\1\2\3"))
        s.wait(d, "down/sent")

    def story_a_confirmed_item_times_out_and_is_sent_again(self, s):
        g = s.gateway()
        d = self.device(s, g)
        s.push(d, {"f_port": 2, "frm_payload": "AQ==", "confirmed": True})
        self.assertTrue(d.downlink(g.wait_emission(1, 2).phy).confirmed)
        s.wait(d, "down/nack", 1, 8)
        second = d.downlink(g.wait_emission(2, 3).phy)
        self.assertEqual((second.confirmed, second.payload, second.f_cnt), (True, b"\1", 1))
        time.sleep(1.5)
        s.ask(d, g, ack=True)
        s.wait(d, "down/ack")
        self.assertEqual((s.count(d, "down/sent"), s.count(d, "down/nack"), s.count(d, "down/failed")), (2, 1, 0))

    def story_without_a_gateway_it_fails(self, s):
        g = s.gateway()
        d = self.device(s, g)
        g.answer = lambda e: error("COLLISION_PACKET")
        s.push(d, "AQID")
        failed = s.wait(d, "down/failed", 1, 10)
        self.assertEqual(failed["downlink_failed"]["error"]["name"], "transmission")
        self.assertEqual(failed["downlink_failed"]["error"]["attributes"], {"result": "COLLISION_PACKET"})
        g.answer = strict
        s.push(d, "AQID")
        s.wait(d, "down/sent")

    def story_the_next_gateway_takes_what_one_refuses(self, s):
        near, far = s.gateway(answer=lambda e: error("TX_FREQ")), s.gateway()
        d = s.abp("--supports-class-c")
        phy = d.uplink(1, b"x")
        near.uplink(phy, rssi=-50)
        far.uplink(phy, rssi=-110, snr=-2.0)
        s.wait(d, "up")
        time.sleep(2.5)
        s.push(d, "AQID")
        self.assertEqual(near.wait_emission(1, 2).phy, far.wait_emission(1, 2).phy)
        s.wait(d, "down/sent")

    def story_a_time_is_kept(self, s):
        g = s.gateway()
        d = self.device(s, g)
        at = time.time() + 4
        s.push(d, {"f_port": 1, "frm_payload": "AQID", "class_b_c": {"absolute_time": rfc3339(at)}})
        e = g.wait_emission(1, 8)
        due = time.time() + ((e.tmst - g.counter() + 2**31) % 2**32 - 2**31) / 1e6
        self.assertLess(abs(due - at), 0.1)
        s.wait(d, "down/sent")

    def story_a_time_is_kept_by_gps(self, s):
        g = s.gateway()
        d = s.abp("--supports-class-c")
        gps_ms = int((time.time() - 315964800 + 18) * 1000)
        g.uplink(d.uplink(1, b"x"), tmms=gps_ms)
        s.wait(d, "up")
        time.sleep(2.5)
        at = round(time.time() + 4, 3)
        s.push(d, {"f_port": 1, "frm_payload": "AQID", "class_b_c": {"absolute_time": rfc3339(at)}})
        e = g.wait_emission(1, 8)
        self.assertLess(abs(e.txpk["tmms"] / 1000 + 315964800 - 18 - at), 0.01)
        self.assertNotIn("tmst", e.txpk)

    def story_a_time_that_has_passed_or_is_near_is_refused(self, s):
        g = s.gateway()
        d = self.device(s, g)
        for n, ahead in enumerate((-10, 1), 1):
            s.sub.publish("v3/app1/devices/%s/down/push" % d.id, {"downlinks": [
                {"f_port": 1, "frm_payload": "AQID", "class_b_c": {"absolute_time": rfc3339(time.time() + ahead)}}]})
            failed = s.wait(d, "down/failed", n)
            self.assertEqual(failed["downlink_failed"]["error"]["name"], "downlink_expired")
        self.assertEqual(s.queue(d), [])

    def story_it_can_be_switched_off_and_on(self, s):
        g = s.gateway()
        d = self.device(s, g)
        s.stack.cli("end-devices", "update", "app1", d.id, "--supports-class-c=false")
        s.push(d, "AQID")
        time.sleep(1.5)
        self.assertEqual(len(g.emissions), 0)
        s.stack.cli("end-devices", "update", "app1", d.id, "--supports-class-c")
        e = g.wait_emission(1, 3)
        self.assertEqual(e.freq_hz, RXC_HZ)

    def story_an_unknown_gateway_is_named(self, s):
        g = s.gateway()
        d = self.device(s, g)
        s.sub.publish("v3/app1/devices/%s/down/push" % d.id, {"downlinks": [
            {"f_port": 1, "frm_payload": "AQID", "class_b_c": {"gateways": [{"gateway_ids": {"gateway_id": "nowhere"}}]}}]})
        failed = s.wait(d, "down/failed")
        self.assertEqual(failed["downlink_failed"]["error"]["name"], "gateway_not_found")
        self.assertEqual(failed["downlink_failed"]["error"]["attributes"], {"gateway_id": "nowhere"})
        # Beside one that is known it is left out, as a gateway is that was deleted while the item waited.
        s.sub.publish("v3/app1/devices/%s/down/push" % d.id, {"downlinks": [
            {"f_port": 1, "frm_payload": "AQID", "class_b_c": {"gateways": [{"gateway_ids": {"eui": "AA555A00000009FF"}},
                                                                            {"gateway_ids": {"gateway_id": "eui-%016x" % g.eui}}]}}]})
        s.wait(d, "down/sent")
        self.assertEqual((s.count(d, "down/failed"), s.queue(d), len(g.emissions)), (1, [], 1))


if __name__ == "__main__":
    unittest.main(verbosity=2)
