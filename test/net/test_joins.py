"""Joins from outside: who is answered and how, what is refused and said, sessions old and new, settings that devices are told."""
import os
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from godwit import CommandError  # noqa: E402
from stories import Stories, after, strict  # noqa: E402

EU868_EXTRA = [867100000, 867300000, 867500000, 867700000, 867900000]


def frequencies(cf_list):
    return [int.from_bytes(cf_list[i:i + 3], "little") * 100 for i in range(0, 15, 3)]


class Joins(Stories):
    def story_three_gateways_hear_and_the_best_answers(self, s):
        gateways, d = [s.gateway() for _ in range(3)], s.otaa()
        phy = d.join_request()
        for g, snr, rssi in zip(gateways, (-8.0, 7.5, 1.0), (-115, -60, -90)):
            g.uplink(phy, snr=snr, rssi=rssi)
        accept = gateways[1].wait_emission(1, 7)
        self.assertTrue(d.accept(accept.phy))
        s.wait(d, "join")
        time.sleep(1.5)
        self.assertEqual([len(g.emissions) for g in gateways], [0, 1, 0])
        self.assertEqual(s.count(d, "join"), 1)

    def story_what_the_device_is_told(self, s):
        g, d = s.gateway(), s.otaa()
        tmst = g.uplink(d.join_request())
        accept = g.wait_emission(1, 7)
        self.assertTrue(d.accept(accept.phy))
        self.assertEqual((after(accept, tmst), accept.freq_hz, accept.datr), (5000000, 868100000, "SF7BW125"))
        self.assertEqual(frequencies(d.cf_list), EU868_EXTRA)
        self.assertEqual(d.cf_list[15], 0)
        self.assertEqual((d.rx_delay, d.dl_settings), (5, 0))
        tmst = s.ask(d, g, confirmed=True)
        self.assertEqual(after(g.wait_emission(2, 7), tmst), 5000000)

    def story_a_refused_join_accept_goes_out_in_rx2(self, s):
        g, d = s.gateway(), s.otaa()
        g.answer = lambda e: '{"txpk_ack":{"error":"COLLISION_PACKET"}}' if not g.emissions else strict(e)
        tmst = g.uplink(d.join_request(), datr="SF9BW125")
        first, second = g.wait_emission(1, 7), g.wait_emission(2, 3)
        self.assertEqual((after(first, tmst), first.datr), (5000000, "SF9BW125"))
        self.assertEqual((after(second, tmst), second.freq_hz, second.datr), (6000000, 869525000, "SF12BW125"))
        self.assertEqual(first.phy, second.phy)
        self.assertTrue(d.accept(second.phy))
        s.wait(d, "join")

    def story_a_lost_tx_ack_tells_the_join_with_the_first_uplink(self, s):
        g, d = s.gateway(answer=lambda e: None), s.otaa()
        s.join(d, g)
        self.assertEqual(g.wait_emission(2, 3).phy, g.emissions[0].phy)
        g.answer = strict
        time.sleep(2)
        self.assertEqual(s.count(d, "join"), 0)
        s.ask(d, g)
        join, up = s.wait(d, "join"), s.wait(d, "up")
        self.assertEqual(join["join_accept"]["session_key_id"], up["uplink_message"]["session_key_id"])
        s.ask(d, g)
        s.wait(d, "up", 2)
        self.assertEqual(s.count(d, "join"), 1)

    def story_a_replayed_join_request_is_refused(self, s):
        g, d = s.gateway(), s.otaa()
        replay = d.join_request()
        g.uplink(replay)
        self.assertTrue(d.accept(g.wait_emission(1, 7).phy))
        s.ask(d, g)
        s.wait(d, "up")
        time.sleep(11)  # for 10 s the same request has the same answer
        g.uplink(replay)
        time.sleep(7)
        self.assertEqual((len(g.emissions), s.count(d, "join")), (1, 1))
        s.ask(d, g)
        s.wait(d, "up", 2)
        self.assertIn("dev_nonce_reused", s.stack.log_text())

    def story_a_nonce_that_does_not_rise_is_for_1_0_3(self, s):
        g, old, new = s.gateway(), s.otaa(), s.otaa(n=2, version="1.0.4")
        old.dev_nonce = new.dev_nonce = 0
        self.assertEqual(new.dev_nonce, 0, "zero is a good first one")
        s.join(new, s.gateway())
        s.join(old, g)
        old.dev_nonce = 9
        s.join(old, g, 2)
        old.dev_nonce = 5
        s.join(old, g, 3)

    def story_a_nonce_that_does_not_rise_is_refused_in_1_0_4(self, s):
        g, d = s.gateway(), s.otaa(version="1.0.4")
        d.dev_nonce = 9
        s.join(d, g)
        d.dev_nonce = 5
        g.uplink(d.join_request())
        time.sleep(6.5)
        self.assertEqual(len(g.emissions), 1)
        d.dev_nonce = 10
        s.join(d, g, 2)
        s.stack.cli("end-devices", "update", "app1", d.id, "--resets-join-nonces")
        d.dev_nonce = 9  # used, and lower
        s.join(d, g, 3)

    def story_a_wrong_app_key_is_named(self, s):
        g, d = s.gateway(), s.otaa()
        right, d.app_key = d.app_key, os.urandom(16)
        g.uplink(d.join_request())
        time.sleep(1)
        self.assertRegex(s.stack.log_text(), "join_refused.*%s.*AppKey" % d.id)
        events = s.stack.cli("events", "--application-id", "app1", "--device-id", d.id)
        self.assertIn("mic", [e.get("data", {}).get("reason") for e in events], events)
        time.sleep(6)
        self.assertEqual(g.emissions, [])
        d.app_key = right
        s.join(d, g)

    def story_an_unknown_device_is_traced(self, s):
        g, d = s.gateway(), s.otaa()
        d.dev_eui ^= 1
        g.uplink(d.join_request())
        time.sleep(1)
        events = s.stack.cli("events", "--gateway-id", "eui-%016x" % g.eui)
        drops = [e for e in events if e["name"] == "ns.up.join.drop"]
        self.assertEqual([e["data"]["reason"] for e in drops], ["device_not_found"], events)
        self.assertEqual(drops[0]["identifiers"].get("dev_eui", drops[0]["identifiers"].get("device_ids", {}).get("dev_eui")),
                         "%016X" % d.dev_eui)

    def story_the_old_session_works_until_the_new_one_is_used(self, s):
        g, d = s.gateway(), s.otaa()
        s.join(d, g)
        s.ask(d, g)
        s.wait(d, "up")
        old = (d.dev_addr, d.nwk_s_key, d.app_s_key, d.f_cnt_up)
        s.join(d, g, 2)
        new = (d.dev_addr, d.nwk_s_key, d.app_s_key, 0)
        d.dev_addr, d.nwk_s_key, d.app_s_key, d.f_cnt_up = old
        s.ask(d, g, payload=b"old")
        s.wait(d, "up", 2)
        old = (d.dev_addr, d.nwk_s_key, d.app_s_key, d.f_cnt_up)
        d.dev_addr, d.nwk_s_key, d.app_s_key, d.f_cnt_up = new
        s.ask(d, g, payload=b"new")
        s.wait(d, "up", 3)
        d.dev_addr, d.nwk_s_key, d.app_s_key, d.f_cnt_up = old
        s.ask(d, g, payload=b"too late")
        time.sleep(1)
        self.assertEqual((s.count(d, "up"), s.count(d, "join")), (3, 2))

    def story_what_waits_goes_out_in_the_new_session(self, s):
        g, d = s.gateway(), s.otaa("--mac-settings.desired-rx1-delay", "1")
        s.join(d, g)
        s.ask(d, g)
        s.wait(d, "up")
        time.sleep(2.2)
        s.push(d, {"f_port": 3, "frm_payload": "AQ==", "confirmed": True}, {"f_port": 4, "frm_payload": "Ag=="})
        s.ask(d, g)
        self.assertTrue(d.downlink(g.wait_emission(2, 4).phy).confirmed)
        first = s.wait(d, "down/sent")["downlink_sent"]["session_key_id"]
        s.join(d, g, 3)
        s.ask(d, g)
        down = d.downlink(g.wait_emission(4, 4).phy)
        self.assertEqual((down.f_cnt, down.f_port, down.payload), (0, 3, b"\1"))
        self.assertNotEqual(s.wait(d, "down/sent", 2)["downlink_sent"]["session_key_id"], first)
        time.sleep(1.2)
        s.ask(d, g, ack=True)
        self.assertEqual(d.downlink(g.wait_emission(5, 4).phy).payload, b"\2")
        s.wait(d, "down/ack")

    def story_an_rx1_delay_of_one_second(self, s):
        g, d = s.gateway(), s.otaa("--mac-settings.desired-rx1-delay", "RX_DELAY_1")
        s.join(d, g)
        self.assertEqual(d.rx_delay, 1)
        tmst = s.ask(d, g, confirmed=True)
        self.assertEqual(after(g.wait_emission(2, 3), tmst), 1000000)

    def story_rx1_offset_and_rx2_of_otaa(self, s):
        g, d = s.gateway(), s.otaa("--mac-settings.desired-rx1-data-rate-offset", "2", "--mac-settings.desired-rx2-data-rate-index", "3",
                                   "--mac-settings.desired-rx1-delay", "2")
        s.join(d, g)
        self.assertEqual((d.dl_settings, d.rx_delay), (0x23, 2))
        g.answer = lambda e: '{"txpk_ack":{"error":"COLLISION_PACKET"}}' if len(g.emissions) == 1 else strict(e)
        tmst = s.ask(d, g, confirmed=True)
        first, second = g.wait_emission(2, 4), g.wait_emission(3, 4)
        self.assertEqual((after(first, tmst), first.datr), (2000000, "SF9BW125"))
        self.assertEqual((after(second, tmst), second.datr, second.freq_hz), (3000000, "SF9BW125", 869525000))

    def story_rx_settings_of_abp(self, s):
        g = s.gateway()
        d = s.abp("--mac-settings.rx1-delay", "3", "--mac-settings.rx1-data-rate-offset", "1", "--mac-settings.rx2-data-rate-index", "4",
                  "--mac-settings.rx2-frequency", "868500000")
        g.answer = lambda e: '{"txpk_ack":{"error":"COLLISION_PACKET"}}' if not g.emissions else strict(e)
        tmst = s.ask(d, g, confirmed=True)
        first, second = g.wait_emission(1, 5), g.wait_emission(2, 4)
        self.assertEqual((after(first, tmst), first.datr), (3000000, "SF8BW125"))
        self.assertEqual((after(second, tmst), second.datr, second.freq_hz), (4000000, "SF8BW125", 868500000))

    def story_an_abp_device_keeps_one_second(self, s):
        g, d = s.gateway(), s.abp()
        tmst = s.ask(d, g, confirmed=True)
        e = g.wait_emission(1, 3)
        self.assertEqual((after(e, tmst), d.downlink(e.phy).f_opts), (1000000, b""))

    def story_a_slow_line_spoils_no_join(self, s):
        near, far, d = s.gateway(), s.gateway(line=s.line(1.6)), s.otaa()
        phy = d.join_request()
        tmst = near.uplink(phy)
        far.uplink(phy, snr=10.0, rssi=-30)
        e = near.wait_emission(1, 7)
        self.assertEqual((after(e, tmst), e.answered), (5000000, ""))
        self.assertTrue(d.accept(e.phy))
        s.wait(d, "join")

    def story_forged_join_requests_disturb_nobody(self, s):
        g, d = s.gateway(), s.otaa()
        s.join(d, g)
        s.push(d, "AQ==")
        other = s.gateway()
        tmst = s.ask(d, g, confirmed=True)
        for n in range(10):
            time.sleep(0.3)
            body = b"\0" + struct.pack("<QQH", d.join_eui, d.dev_eui, 1000 + n)
            other.uplink(body + os.urandom(4))
        e = g.wait_emission(2, 7)
        self.assertEqual(after(e, tmst), 5000000)
        down = d.downlink(e.phy)
        self.assertEqual((down.ack, down.payload), (True, b"\1"))
        s.wait(d, "down/sent")
        self.assertEqual(other.emissions, [])

    def story_reset_forgets_session_and_nonces(self, s):
        g, d = s.gateway(), s.otaa()
        s.join(d, g)
        s.ask(d, g)
        s.wait(d, "up")
        try:
            s.stack.cli("end-devices", "reset", "app1", d.id)
        except CommandError as e:
            self.fail(str(e))
        s.ask(d, g)
        time.sleep(1)
        self.assertEqual(s.count(d, "up"), 1, "the session is gone")
        s.join(d, g, 2)
        s.ask(d, g)
        s.wait(d, "up", 2)


if __name__ == "__main__":
    unittest.main()
