"""The network server from outside: when and how often it answers, what refusals and silence of gateways lead to, odd frames."""
import base64
import json
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from stories import Stories, after, send_tx_ack, strict  # noqa: E402

ERRORS = ["TOO_LATE", "TOO_EARLY", "COLLISION_PACKET", "COLLISION_BEACON", "TX_FREQ", "GPS_UNLOCKED", "UNKNOWN", "SOMETHING_NEW"]


def error(word):
    return '{"txpk_ack":{"error":"%s"}}' % word


def b64(data):
    return base64.b64encode(data).decode()


class Answers(Stories):
    def check_lead(self, emission):
        self.assertGreater(emission.lead_us, 52500, "a forwarder that polls may miss it")
        self.assertLess(emission.lead_us, 250000, "built earlier than it must be")

    def story_an_answer_is_built_late(self, s):
        g, d, o = s.gateway(), s.abp(), s.otaa(n=2)
        g2 = s.gateway()
        accept = s.join(o, g2)
        self.check_lead(accept)
        s.push(d, "AQID")
        tmst = s.ask(d, g, confirmed=True)
        e = g.wait_emission(1, 3)
        self.assertEqual(after(e, tmst), 1000000)
        self.check_lead(e)
        tmst = s.ask(o, g2, confirmed=True)
        e = g2.wait_emission(2, 8)
        self.assertEqual(after(e, tmst), 5000000)
        self.check_lead(e)

    def story_a_request_to_a_forwarder_leaves_nothing_to_its_defaults(self, s):
        g, d = s.gateway(), s.abp()
        s.ask(d, g, confirmed=True)
        txpk = g.wait_emission(1, 3).txpk
        wanted = {"freq": 868.1, "rfch": 0, "powe": 14, "modu": "LORA", "datr": "SF7BW125", "codr": "4/5", "ipol": True, "ncrc": True, "size": 12}
        self.assertEqual({k: txpk.get(k) for k in wanted}, wanted)
        self.assertFalse(txpk.get("imme", False))
        self.assertIsInstance(txpk["tmst"], int)
        self.assertEqual(len(base64.b64decode(txpk["data"])), 12)

    def story_fsk_is_answered_in_fsk_and_250_khz_in_250_khz(self, s):
        g, d = s.gateway(), s.abp()
        packet = g.rxpk(d.uplink(1, b"x", confirmed=True), freq=868.8, datr=50000, modu="FSK", chan=9)
        for member in ("codr", "lsnr", "rssis"):
            del packet[member]
        g.send_json(json.dumps({"rxpk": [packet]}))
        e = g.wait_emission(1, 3)
        self.assertEqual((after(e, packet["tmst"]), e.freq_hz, e.txpk["modu"], e.datr, e.txpk["fdev"], e.txpk["ncrc"]),
                         (1000000, 868800000, "FSK", 50000, 25000, False))
        settings = s.wait(d, "up")["uplink_message"]["settings"]
        self.assertEqual((settings["data_rate"]["fsk"]["bit_rate"], settings["data_rate_index"]), (50000, 7))
        time.sleep(1.2)
        s.ask(d, g, datr="SF7BW250", confirmed=True)
        self.assertEqual(g.wait_emission(2, 3).datr, "SF7BW250")

    def story_a_confirmed_item_that_no_gateway_spoke_of_is_known_by_its_ack(self, s):
        g, d = s.gateway(answer=lambda e: None), s.abp()
        s.push(d, {"f_port": 2, "frm_payload": "AQ==", "confirmed": True})
        s.ask(d, g)
        self.assertTrue(d.downlink(g.wait_emission(1, 3).phy).confirmed)
        g.wait_emission(2, 3)
        time.sleep(1.2)
        s.ask(d, g, ack=True)
        s.wait(d, "down/ack")
        self.assertEqual((s.count(d, "down/failed"), s.count(d, "down/nack"), s.queue(d)), (0, 0, []))

    def story_a_gateway_300_ms_away_is_reached_in_rx1(self, s):
        g, d = s.gateway(line=s.line(0.15)), s.abp()
        tmst = s.ask(d, g, confirmed=True)
        g.wait(lambda: [e for e in g.emissions if e.answered == ""], 4)
        self.assertLessEqual(len(g.emissions), 2)
        self.assertIn(after(g.emissions[-1], tmst), (1000000, 2000000), "the first answer, with nothing known of the path")
        time.sleep(1.5)
        before = len(g.emissions)
        tmst = s.ask(d, g, confirmed=True)
        s.wait(d, "up", 2)
        s.push(d, "AQID")  # a quick reply
        e = g.wait_emission(before + 1, 3)
        self.assertEqual((after(e, tmst), e.answered), (1000000, ""))
        self.check_lead(e)
        down = d.downlink(e.phy)
        self.assertTrue(down.ack)
        self.assertEqual(down.payload, b"\1\2\3")
        s.wait(d, "down/sent")

    def story_without_any_tx_ack_an_item_fails_and_is_not_sent_again(self, s):
        g, d = s.gateway(answer=lambda e: None), s.abp()
        s.push(d, {"f_port": 2, "frm_payload": "AQ==", "correlation_ids": ["mine"]})
        tmst = s.ask(d, g)
        self.assertEqual([after(g.wait_emission(n, 4), tmst) for n in (1, 2)], [1000000, 2000000])
        self.assertEqual(g.emissions[0].phy, g.emissions[1].phy)
        failed = s.wait(d, "down/failed", 1, 8)
        self.assertEqual(failed["downlink_failed"]["error"]["name"], "transmission")
        self.assertEqual(failed["downlink_failed"]["error"]["attributes"], {"result": "NO_TX_ACK"})
        self.assertIn("mine", failed["correlation_ids"])
        g.answer = strict
        s.ask(d, g)
        s.wait(d, "up", 2)
        time.sleep(2.3)
        self.assertEqual(len(g.emissions), 2)
        self.assertEqual((s.count(d, "down/sent"), s.count(d, "down/failed"), s.queue(d)), (0, 1, []))

    def story_a_version_1_forwarder_counts_as_having_sent(self, s):
        g, d = s.gateway(version=1, answer=lambda e: None), s.abp()
        s.push(d, "AQ==", b64(bytes(50)))
        s.ask(d, g)
        self.assertEqual(d.downlink(g.wait_emission(1, 3).phy).payload, b"\1")
        s.wait(d, "down/sent")
        time.sleep(1)
        s.ask(d, g, datr="SF12BW125")
        self.assertEqual(d.downlink(g.wait_emission(2, 3).phy).payload, bytes(50))
        s.wait(d, "down/sent", 2)
        self.assertEqual(s.count(d, "down/failed"), 0)
        self.assertEqual(len(g.emissions), 2, "what counts as sent needs no RX2")

    def story_a_warning_of_the_power_is_a_success_and_remembered(self, s):
        g, d = s.gateway(answer=lambda e: '{"txpk_ack":{"warn":"TX_POWER","value":11}}'), s.abp()
        s.push(d, "AQ==", "Ag==")
        s.ask(d, g)
        first = g.wait_emission(1, 3)
        s.wait(d, "down/sent")
        s.ask(d, g)
        second = g.wait_emission(2, 3)
        s.wait(d, "down/sent", 2)
        self.assertEqual((first.txpk["powe"], second.txpk["powe"]), (14, 11))

    def story_a_refused_power_is_lowered_and_remembered(self, s):
        g, d = s.gateway(answer=lambda e: error("TX_POWER") if e.txpk["powe"] > 12 else ""), s.abp()
        s.push(d, "AQ==", "Ag==")
        s.ask(d, g)
        s.wait(d, "down/sent")
        powers = [e.txpk["powe"] for e in g.emissions]
        self.assertEqual(powers[0], 14)
        self.assertEqual(powers[-1], 12)
        self.assertEqual(len({e.phy for e in g.emissions}), 1)
        n = len(powers)
        s.ask(d, g)
        self.assertEqual(g.wait_emission(n + 1, 3).txpk["powe"], 12)
        s.wait(d, "down/sent", 2)
        self.assertEqual(len(g.emissions), n + 1)

    def story_a_late_tx_ack_counts(self, s):
        g, d = s.gateway(answer=lambda e: None), s.abp()
        s.push(d, "AQ==")
        s.ask(d, g)
        first, _second = g.wait_emission(1, 3), g.wait_emission(2, 3)
        send_tx_ack(g, first)
        s.wait(d, "down/sent")
        time.sleep(3)
        self.assertEqual((s.count(d, "down/sent"), s.count(d, "down/failed")), (1, 0))

    def story_tx_acks_that_nobody_asked_for_disturb_nothing(self, s):
        g, d = s.gateway(), s.abp()

        def answer(e):
            for token in (e.token ^ 1, 0xffff ^ e.token, 7):
                send_tx_ack(g, e, error("COLLISION_PACKET"), token)
            return ""
        g.answer = answer
        s.push(d, "AQ==")
        s.ask(d, g)
        s.wait(d, "down/sent")
        send_tx_ack(g, g.emissions[0])
        send_tx_ack(g, g.emissions[0], error("TOO_LATE"))
        time.sleep(1.5)
        self.assertEqual((s.count(d, "down/sent"), s.count(d, "down/failed"), len(g.emissions)), (1, 0, 1))

    def story_the_next_gateway_is_tried(self, s):
        best, second, d = s.gateway(answer=lambda e: error("COLLISION_PACKET")), s.gateway(), s.abp()
        s.push(d, "AQ==")
        phy = d.uplink(1, b"x", confirmed=True)
        best.uplink(phy, snr=9)
        tmst = second.uplink(phy, snr=-3, rssi=-110)
        e = second.wait_emission(1, 4)
        self.assertEqual(e.phy, best.emissions[0].phy)
        self.assertEqual((after(e, tmst), e.answered), (1000000, ""))
        self.assertTrue(d.downlink(e.phy).ack)
        s.wait(d, "down/sent")
        self.assertEqual((len(best.emissions), len(second.emissions)), (1, 1))

    def story_an_ack_a_payload_and_the_hint_of_more_share_a_frame(self, s):
        g, d = s.gateway(), s.abp()
        s.push(d, "AQ==", "Ag==")
        seen = []
        for confirmed in (True, False, True):
            s.ask(d, g, confirmed=confirmed, f_opts=b"\x02")
            down = d.downlink(g.wait_emission(len(seen) + 1, 3).phy)
            self.assertEqual(down.f_opts[:1], b"\x02")
            seen.append((down.ack, down.payload, down.pending))
            time.sleep(1.2)
        self.assertEqual(seen, [(True, b"\1", True), (False, b"\2", False), (True, b"", False)])

    def story_a_payload_of_51_octets_goes_at_sf12_and_52_do_not_delay_the_ack(self, s):
        g, d = s.gateway(), s.abp()
        s.push(d, b64(bytes(51)))
        s.ask(d, g, datr="SF12BW125", confirmed=True)
        down = d.downlink(g.wait_emission(1, 3).phy)
        self.assertEqual((down.ack, len(down.payload)), (True, 51))
        s.wait(d, "down/sent", 1, 8)
        time.sleep(3)
        s.push(d, b64(bytes(52)), "AQ==")
        tmst = s.ask(d, g, datr="SF12BW125", confirmed=True)
        e = g.wait_emission(2, 3)
        down = d.downlink(e.phy)
        self.assertEqual((after(e, tmst), down.ack, down.payload, down.pending), (1000000, True, b"", True))
        self.assertEqual(len(s.queue(d)), 2, "nothing of a lower or the same priority overtakes")

    def story_a_payload_too_long_for_rx1_goes_in_rx2(self, s):
        g, d = s.gateway(), s.abp("--mac-settings.rx2-data-rate-index", "3")
        s.push(d, b64(bytes(60)))
        tmst = s.ask(d, g, datr="SF12BW125")
        e = g.wait_emission(1, 4)
        self.assertEqual((after(e, tmst), e.datr, e.freq_hz), (2000000, "SF9BW125", 869525000))
        self.assertEqual(len(d.downlink(e.phy).payload), 60)

    def story_after_eight_windows_too_small_it_fails(self, s):
        g, d = s.gateway(), s.abp()
        s.push(d, b64(bytes(60)), "AQ==")
        for n in range(8):
            s.ask(d, g, datr="SF12BW125")
            s.wait(d, "up", n + 1)
            time.sleep(2.2)
            if s.count(d, "down/failed"):
                break
        failed = s.wait(d, "down/failed")["downlink_failed"]
        self.assertEqual(failed["error"]["name"], "application_downlink_too_long")
        s.ask(d, g, datr="SF12BW125")
        s.wait(d, "down/sent", 1, 8)

    def story_a_payload_that_fits_only_without_a_mac_answer_waits_for_that(self, s):
        g, d = s.gateway(), s.abp()
        s.push(d, {"f_port": 1, "frm_payload": b64(bytes(242))})
        s.ask(d, g, f_opts=b"\x02")
        down = d.downlink(g.wait_emission(1, 3).phy)
        self.assertEqual((down.f_opts[:1], down.payload), (b"\x02", b""), "it fits, but not beside a MAC answer")
        self.assertEqual(s.count(d, "down/failed"), 0)
        time.sleep(1.2)
        s.ask(d, g)
        self.assertEqual(len(d.downlink(g.wait_emission(2, 3).phy).payload), 242)


def _refusal(word):
    def story(self, s):
        g, d = s.gateway(answer=lambda e: error(word)), s.abp()
        s.push(d, "AQ==")
        tmst = s.ask(d, g, confirmed=True)
        self.assertEqual([after(g.wait_emission(n, 4), tmst) for n in (1, 2)], [1000000, 2000000])
        self.assertEqual(g.emissions[0].phy, g.emissions[1].phy)
        time.sleep(1.5)
        self.assertEqual((s.count(d, "down/sent"), s.count(d, "down/failed"), len(s.queue(d))), (0, 0, 1))
        g.answer = lambda e: error(word) if len(g.emissions) == 2 else ""
        tmst = s.ask(d, g)
        e = g.wait_emission(4, 4)
        self.assertEqual(after(e, tmst), 2000000)
        self.assertEqual((e.phy, e.freq_hz, e.datr), (g.emissions[2].phy, 869525000, "SF12BW125"))
        self.assertNotEqual(e.phy, g.emissions[0].phy, "a new window has a new counter")
        self.assertGreater(d.downlink(e.phy).f_cnt, 0)
        s.wait(d, "down/sent")
        self.assertEqual((s.count(d, "down/failed"), s.queue(d)), (0, []))
    return story


class Refusals(Stories):
    for _word in ERRORS:
        locals()["story_" + _word.lower()] = _refusal(_word)


class Frames(Stories):
    def story_questions_on_port_0_are_answered(self, s):
        g, d = s.gateway(), s.abp()
        s.ask(d, g, f_port=0, payload=b"\x0d\x02")
        down = d.downlink(g.wait_emission(1, 3).phy)
        self.assertEqual((down.f_opts[0], down.f_opts[6], len(down.f_opts)), (0x0d, 0x02, 9))
        up = s.wait(d, "up")["uplink_message"]
        self.assertNotIn("frm_payload", up)

    def story_an_unknown_command_ends_the_list(self, s):
        g, d = s.gateway(), s.abp()
        s.ask(d, g, f_opts=b"\x02\x7f\x0d")
        self.assertEqual(len(d.downlink(g.wait_emission(1, 3).phy).f_opts), 3)

    def story_a_status_counts_only_where_it_was_asked_for(self, s):
        g, d, asked = s.gateway(), s.abp(), s.abp("--mac-settings.status-count-periodicity", "2", n=2)
        g2 = s.gateway()
        s.ask(d, g, f_opts=b"\x06\xfe\x05")
        s.ask(asked, g2)
        s.wait(d, "up")
        s.wait(asked, "up")
        time.sleep(2.2)
        self.assertEqual((g.emissions, g2.emissions), ([], []))
        s.ask(asked, g2)
        self.assertEqual(asked.downlink(g2.wait_emission(1, 3).phy).f_opts, b"\x06")
        s.ask(asked, g2, f_opts=b"\x06\xfe\x3f")
        data = s.wait(asked, "service/data")["service_data"]
        self.assertEqual((data["service"], data["data"]["battery_level"], data["data"]["margin"], data["data"]["f_cnt"]),
                         ("lorawan-device-status", 254, -1, 2))
        self.assertEqual(s.count(d, "service/data"), 0)

    def story_options_beside_port_0_are_dropped(self, s):
        g, d = s.gateway(), s.abp()
        s.ask(d, g, f_port=0, payload=b"\x02", f_opts=b"\x02")
        s.ask(d, g)
        s.wait(d, "up")
        time.sleep(1.5)
        self.assertEqual((s.count(d, "up"), g.emissions), (1, []))

    def story_frames_without_port_or_payload_are_published(self, s):
        g, d = s.gateway(), s.abp()
        s.ask(d, g, f_port=None)
        s.ask(d, g, f_port=9, payload=b"")
        s.ask(d, g, f_port=None, confirmed=True)
        ups = [s.wait(d, "up", n)["uplink_message"] for n in (1, 2, 3)]
        self.assertNotIn("f_port", ups[0])
        self.assertEqual(ups[1]["f_port"], 9)
        self.assertNotIn("frm_payload", ups[1])
        self.assertTrue(d.downlink(g.wait_emission(1, 3).phy).ack)

    def story_the_first_counter_may_be_one(self, s):
        g, d = s.gateway(), s.abp()
        d.f_cnt_up = 1
        s.ask(d, g)
        self.assertEqual(s.wait(d, "up")["uplink_message"]["f_cnt"], 1)

    def story_counter_0_twice_is_one_uplink(self, s):
        g, d = s.gateway(), s.abp()
        s.ask(d, g, payload=b"a")
        s.wait(d, "up")
        g.uplink(d.uplink(1, b"b", f_cnt=0))
        s.ask(d, g, payload=b"c")
        self.assertEqual(s.wait(d, "up", 2)["uplink_message"]["frm_payload"], "Yw==")
        self.assertEqual(s.count(d, "up"), 2)

    def story_a_large_step_is_for_1_0_4(self, s):
        g, old, new = s.gateway(), s.abp(), s.abp(n=2, version="1.0.4")
        old.f_cnt_up = new.f_cnt_up = 16384
        s.ask(old, g)
        s.ask(new, g)
        self.assertEqual(s.wait(new, "up")["uplink_message"]["f_cnt"], 16384)
        self.assertEqual(s.count(old, "up"), 0)
        old.f_cnt_up = 16383
        s.ask(old, g)
        s.wait(old, "up")

    def story_a_reset_device_is_refused_unless_it_may(self, s):
        g, d, may = s.gateway(), s.abp(), s.abp("--mac-settings.resets-f-cnt", n=2)
        for x in (d, may):
            x.f_cnt_up = 50
            s.ask(x, g, confirmed=True)
            s.wait(x, "up")
        time.sleep(2.2)
        for x in (d, may):
            x.f_cnt_up = 0
            s.ask(x, g, confirmed=True)
        self.assertNotIn("f_cnt", s.wait(may, "up", 2)["uplink_message"])
        down = [may.downlink(e.phy) for e in g.wait(lambda: g.emissions if len(g.emissions) > 2 else None, 4)[2:]]
        self.assertEqual([x.ack for x in down], [True])
        self.assertGreater(down[0].f_cnt, 0, "downlink counters are not used again")
        self.assertEqual(s.count(d, "up"), 1)

    def story_counters_of_16_bits_wrap(self, s):
        g, d = s.gateway(), s.abp("--mac-settings.supports-32-bit-f-cnt=false", "--session.last-f-cnt-up", "65530")
        for n, counter in enumerate((65534, 1, 2)):
            d.f_cnt_up = counter
            s.ask(d, g, payload=bytes([n]))
            self.assertEqual(s.wait(d, "up", n + 1)["uplink_message"]["frm_payload"], b64(bytes([n])))

    def story_devices_share_an_address(self, s):
        g = s.gateway()
        devices = [s.abp(n=n, dev_addr=0x01abcdef) for n in range(4)]
        for n, d in enumerate(devices):
            s.ask(d, g, payload=bytes([n]))
        for n, d in enumerate(devices):
            self.assertEqual(s.wait(d, "up")["uplink_message"]["frm_payload"], b64(bytes([n])))

    def story_device_time_follows_gps(self, s):
        g, d = s.gateway(), s.abp()
        ms = round((time.time() - 315964800 + 18 + 3600) * 1000)
        g.uplink(d.uplink(None, f_opts=b"\x0d"), tmms=ms, time="2026-11-20T23:36:30.550205Z")
        opts = d.downlink(g.wait_emission(1, 3).phy).f_opts
        seconds = int.from_bytes(opts[1:5], "little") + opts[5] / 256
        self.assertLess(abs(seconds - ms / 1000), 0.01)

    def story_three_copies_are_one_uplink_and_late_ones_none(self, s):
        gateways, d = [s.gateway() for _ in range(3)], s.abp()
        phy = d.uplink(1, b"x")
        tmst = [g.counter() for g in gateways]
        gateways[0].uplink(phy, tmst=tmst[0])
        gateways[1].uplink(phy, tmst=tmst[1], snr=2)
        time.sleep(0.5)
        gateways[2].uplink(phy, tmst=tmst[2], snr=3)
        gateways[0].uplink(phy, tmst=tmst[0])
        up = s.wait(d, "up")["uplink_message"]
        self.assertEqual(len(up["rx_metadata"]), 2)
        time.sleep(1.5)
        gateways[2].uplink(phy, tmst=tmst[2], snr=3)
        time.sleep(0.5)
        self.assertEqual((s.count(d, "up"), [g.emissions for g in gateways]), (1, [[], [], []]))

    def story_a_copy_beside_the_channel_decides_nothing(self, s):
        g, d = s.gateway(), s.abp()
        phy, tmst = d.uplink(1, b"x", confirmed=True), g.counter()
        g.send_json(json.dumps({"rxpk": [g.rxpk(phy, tmst=tmst, freq=868.5, chan=2, snr=-12.0, rssi=-110),
                                         g.rxpk(phy, tmst=tmst, freq=868.3, chan=1, snr=9.0, rssi=-40)]}))
        e = g.wait_emission(1, 3)
        self.assertEqual(e.freq_hz, 868300000)
        up = s.wait(d, "up")["uplink_message"]
        self.assertEqual((up["settings"]["frequency"], len(up["rx_metadata"])), ("868300000", 1))
        time.sleep(0.5)
        self.assertEqual(s.count(d, "up"), 1)

    def story_two_antennas_are_two_receptions_of_one_gateway(self, s):
        g, d = s.gateway(), s.abp()
        phy, tmst = d.uplink(1, b"x", f_opts=b"\x02"), g.counter()
        g.send_json(json.dumps({"rxpk": [g.rxpk(phy, tmst=tmst, ant=0), g.rxpk(phy, tmst=tmst + 3, ant=1, snr=3.0)]}))
        self.assertEqual(d.downlink(g.wait_emission(1, 3).phy).f_opts[2], 1)
        s.wait(d, "up")
        time.sleep(0.4)
        self.assertEqual((s.count(d, "up"), len(g.emissions)), (1, 1))


if __name__ == "__main__":
    unittest.main()
