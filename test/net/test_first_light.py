"""From a packet forwarder's datagram to an MQTT client and back, with a device, a forwarder and clients that are not ours."""
import base64
import os
import re
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from gateway import Gateway  # noqa: E402
from godwit import ULID, Stack, Subscriber  # noqa: E402
from lorawan import Device  # noqa: E402

IDS_OF_UP = ["gs:conn:", "gs:uplink:", "ns:uplink:", "rpc:/ttn.lorawan.v3.GsNs/HandleUplink:",
             "rpc:/ttn.lorawan.v3.NsAs/HandleUplink:", "as:up:"]


def otaa(n=1):
    return Device(dev_eui=0x70B3D57ED0050000 + n, join_eui=1, app_key=bytes(range(16)))


def abp(n=1):
    return Device(dev_addr=0x01DA1F00 + n, nwk_s_key=os.urandom(16), app_s_key=os.urandom(16))


class FirstLight(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()
        cls.key = cls.stack.create_application("app1")

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def setUp(self):
        self.gateway = self.new_gateway()
        self.sub = Subscriber(self.stack, self.key)
        self.addCleanup(self.sub.close)
        self.dev_id = "d-" + self._testMethodName.replace("_", "-")[-30:].strip("-")

    def new_gateway(self, **how):
        how.setdefault("eui", int.from_bytes(os.urandom(7), "big") | 0xAA << 56)
        gateway = Gateway(self.stack.address("gs.udp"), **how)
        self.addCleanup(gateway.close)
        gateway.wait_path()
        return gateway

    def add_abp(self, *more):
        device = abp(int.from_bytes(os.urandom(1), "big"))
        device.dev_addr = int.from_bytes(os.urandom(3), "big")
        self.stack.create_abp(device, "app1", self.dev_id, *more)
        return device

    def push(self, downlinks, how="push"):
        self.sub.publish("v3/app1/devices/%s/down/%s" % (self.dev_id, how), {"downlinks": downlinks})

    def topic(self, suffix):
        return "%s/%s" % (self.dev_id, suffix)

    def check_ids(self, ids, prefixes):
        self.assertEqual(len(ids), len(prefixes), ids)
        for got, prefix in zip(ids, prefixes):
            self.assertRegex(got, "^" + re.escape(prefix) + ULID + "$")

    def test_a_device_joins_sends_and_is_answered(self):
        device = otaa()
        device.dev_eui = 0x70B3D57ED0059999
        self.stack.create_otaa(device, "app1", self.dev_id)
        tmst = self.gateway.uplink(device.join_request())
        accept = self.gateway.wait_emission(1, 7)
        self.assertEqual((accept.tmst - tmst) % 2**32, 5000000, "the join-accept is due 5 s after the join-request")
        self.assertEqual((accept.freq_hz, accept.datr), (868100000, "SF7BW125"))
        self.assertIs(accept.txpk["ipol"], True)
        self.assertTrue(device.accept(accept.phy), "the device refuses the join-accept")
        self.assertGreaterEqual(device.join_nonce, 1)
        join = self.sub.wait(self.topic("join"))
        self.assertEqual(join["end_device_ids"], {"device_id": self.dev_id, "application_ids": {"application_id": "app1"},
                                                  "dev_eui": "70B3D57ED0059999", "join_eui": "0000000000000001",
                                                  "dev_addr": "%08X" % device.dev_addr})
        self.check_ids(join["correlation_ids"], IDS_OF_UP)
        session = join["join_accept"]["session_key_id"]
        self.assertEqual(len(base64.b64decode(session)), 16)

        self.gateway.uplink(device.uplink(15, b"Temperature = 0.0"), freq=868.3, chan=1)
        up = self.sub.wait(self.topic("up"))
        self.check_ids(up["correlation_ids"], IDS_OF_UP)
        message = up["uplink_message"]
        self.assertEqual(message["session_key_id"], session)
        self.assertEqual(message["f_port"], 15)
        self.assertEqual(message["frm_payload"], "VGVtcGVyYXR1cmUgPSAwLjA=")
        self.assertNotIn("f_cnt", message, "a zero counter is left out, as The Things Stack does")
        self.assertNotIn("confirmed", message)
        meta = message["rx_metadata"][0]
        self.assertEqual(meta["gateway_ids"], {"gateway_id": "eui-%016x" % self.gateway.eui, "eui": "%016X" % self.gateway.eui})
        self.assertEqual((meta["rssi"], meta["channel_rssi"], meta["signal_rssi"], meta["snr"]), (-57, -57, -58, 9.2))
        self.assertEqual(meta["frequency_offset"], "-137")
        self.assertTrue(meta["uplink_token"])
        settings = message["settings"]
        self.assertEqual(settings["data_rate"]["lora"]["spreading_factor"], 7)
        self.assertEqual(settings["data_rate"]["lora"]["bandwidth"], 125000)
        self.assertEqual((settings["frequency"], settings["coding_rate"], settings["data_rate_index"]), ("868300000", "4/5", 5))
        self.assertEqual(message["consumed_airtime"], "0.071936s")

        self.push([{"f_port": 15, "frm_payload": "vu8=", "priority": "NORMAL", "correlation_ids": ["my-correlation-id"]}])
        queued = self.sub.wait(self.topic("down/queued"))
        self.assertEqual(queued["downlink_queued"]["frm_payload"], "vu8=")
        self.assertEqual(queued["downlink_queued"]["priority"], "NORMAL")
        self.assertIn("my-correlation-id", queued["correlation_ids"])
        tmst = self.gateway.uplink(device.uplink(1, b"\1"))
        emission = self.gateway.wait_emission(2, 8)
        self.assertEqual((emission.tmst - tmst) % 2**32, device.rx_delay * 1000000)
        self.assertGreater(emission.lead_us, 42500, "too late for a forwarder")
        self.assertLess(emission.lead_us, 600000, "built long before it had to be")
        down = device.downlink(emission.phy)
        self.assertEqual((down.f_port, down.payload, down.f_cnt), (15, b"\xbe\xef", 0))
        sent = self.sub.wait(self.topic("down/sent"))
        self.assertEqual(sent["downlink_sent"]["f_port"], 15)
        self.assertEqual(sent["downlink_sent"]["frm_payload"], "vu8=")
        self.assertEqual(sent["downlink_sent"]["session_key_id"], session)
        self.assertIn("my-correlation-id", sent["correlation_ids"])
        self.assertTrue([c for c in sent["correlation_ids"] if c.startswith("as:downlink:")])
        self.assertEqual(self.sub.count(self.topic("join")), 1)

    def test_a_confirmed_uplink_is_acknowledged_at_one_second(self):
        device = self.add_abp()
        tmst = self.gateway.uplink(device.uplink(2, b"x", confirmed=True))
        emission = self.gateway.wait_emission(1, 3)
        self.assertEqual((emission.tmst - tmst) % 2**32, 1000000)
        down = device.downlink(emission.phy)
        self.assertTrue(down.ack)
        self.assertIsNone(down.f_port)
        self.assertIs(self.sub.wait(self.topic("up"))["uplink_message"]["confirmed"], True)

    def test_nothing_to_say_means_no_downlink(self):
        device = self.add_abp()
        self.gateway.uplink(device.uplink(2, b"x"))
        self.sub.wait(self.topic("up"))
        time.sleep(2.2)
        self.assertEqual(self.gateway.emissions, [])

    def test_a_refused_rx1_goes_out_in_rx2_with_the_same_bytes(self):
        device = self.add_abp()
        answers = iter(['{"txpk_ack":{"error":"TOO_EARLY"}}', ""])
        self.gateway.answer = lambda emission: next(answers)
        self.push([{"f_port": 3, "frm_payload": "AQID"}])
        self.sub.wait(self.topic("down/queued"))
        tmst = self.gateway.uplink(device.uplink(2, b"x"))
        rx1, rx2 = self.gateway.wait_emission(1, 3), self.gateway.wait_emission(2, 3)
        self.assertEqual((rx1.tmst - tmst) % 2**32, 1000000)
        self.assertEqual((rx2.tmst - tmst) % 2**32, 2000000)
        self.assertEqual((rx2.freq_hz, rx2.datr), (869525000, "SF12BW125"))
        self.assertEqual(rx1.phy, rx2.phy)
        self.assertEqual(device.downlink(rx2.phy).payload, b"\1\2\3")
        self.sub.wait(self.topic("down/sent"))
        self.assertEqual(self.sub.count(self.topic("down/failed")), 0)

    def test_a_confirmed_downlink_is_nacked_then_acked(self):
        device = self.add_abp()
        self.push([{"f_port": 3, "frm_payload": "AQID", "confirmed": True, "priority": "HIGH"}])
        self.sub.wait(self.topic("down/queued"))
        self.gateway.uplink(device.uplink(2, b"x"))
        first = device.downlink(self.gateway.wait_emission(1, 3).phy)
        self.assertTrue(first.confirmed)
        self.sub.wait(self.topic("down/sent"))
        time.sleep(1.2)
        self.gateway.uplink(device.uplink(2, b"y"))
        nack = self.sub.wait(self.topic("down/nack"))["downlink_nack"]
        self.assertEqual(nack["confirmed_retry"]["attempt"], 2)
        second = device.downlink(self.gateway.wait_emission(2, 3).phy)
        self.assertEqual(second.payload, b"\1\2\3")
        self.assertGreater(second.f_cnt, first.f_cnt)
        self.sub.wait(self.topic("down/sent"), 2)
        time.sleep(1.2)
        self.gateway.uplink(device.uplink(2, b"z", ack=True))
        ack = self.sub.wait(self.topic("down/ack"))["downlink_ack"]
        self.assertEqual((ack["f_port"], ack["f_cnt"], ack["frm_payload"], ack["confirmed"], ack["priority"]),
                         (3, second.f_cnt, "AQID", True, "HIGH"))
        self.assertEqual(self.stack.cli("end-devices", "downlink", "list", "app1", self.dev_id), [])

    def test_copies_of_several_gateways_are_one_uplink(self):
        device = self.add_abp()
        others = [self.new_gateway() for _ in range(2)]
        phy = device.uplink(2, b"x", confirmed=True)
        self.gateway.uplink(phy, snr=-3.0, rssi=-110)
        others[0].uplink(phy, snr=8.5, rssi=-60)
        others[1].uplink(phy, snr=1.0, rssi=-80)
        up = self.sub.wait(self.topic("up"))
        self.assertEqual({m["gateway_ids"]["eui"] for m in up["uplink_message"]["rx_metadata"]},
                         {"%016X" % g.eui for g in [self.gateway] + others})
        others[0].wait_emission(1, 3)
        self.assertEqual((len(self.gateway.emissions), len(others[1].emissions)), (0, 0), "the best gateway answers, alone")
        time.sleep(0.5)
        self.assertEqual(self.sub.count(self.topic("up")), 1)

    def test_a_replay_is_refused_and_a_retransmission_acknowledged_again(self):
        device = self.add_abp()
        old = device.uplink(2, b"old", confirmed=True)
        self.gateway.uplink(old)
        self.gateway.wait_emission(1, 3)
        time.sleep(1.5)
        self.gateway.uplink(old, freq=868.5)
        again = device.downlink(self.gateway.wait_emission(2, 3).phy)
        self.assertTrue(again.ack)
        self.gateway.uplink(device.uplink(2, b"new"))
        self.sub.wait(self.topic("up"), 2)
        time.sleep(0.3)
        self.gateway.uplink(old)
        time.sleep(2.5)
        self.assertEqual(self.sub.count(self.topic("up")), 2)
        self.assertEqual(len(self.gateway.emissions), 2)

    def test_a_forged_frame_is_refused(self):
        device = self.add_abp()
        phy = bytearray(device.uplink(2, b"true"))
        phy[10] ^= 1
        self.gateway.uplink(bytes(phy))
        self.gateway.uplink(device.uplink(2, b"true"))
        self.sub.wait(self.topic("up"))
        time.sleep(0.5)
        self.assertEqual(self.sub.count(self.topic("up")), 1)

    def test_counters_have_32_bits(self):
        device = self.add_abp("--session.last-f-cnt-up", "65534")
        device.f_cnt_up = 65535
        self.gateway.uplink(device.uplink(2, b"a"))
        self.assertEqual(self.sub.wait(self.topic("up"))["uplink_message"]["f_cnt"], 65535)
        self.gateway.uplink(device.uplink(2, b"b"))
        self.assertEqual(self.sub.wait(self.topic("up"), 2)["uplink_message"]["f_cnt"], 65536)

    def test_link_check_and_device_time_are_answered(self):
        device = self.add_abp()
        other = self.new_gateway()
        sent_at = time.time()
        phy = device.uplink(2, b"x", f_opts=b"\x02\x0d")
        self.gateway.uplink(phy, snr=9.0)
        other.uplink(phy, snr=2.5)
        down = device.downlink(self.gateway.wait_emission(1, 3).phy)
        self.assertEqual((down.f_opts[0], down.f_opts[2]), (2, 2), "LinkCheckAns with two gateways")
        self.assertIn(down.f_opts[1], (16, 17), "9 dB over a floor of -7.5 dB")
        self.assertEqual(down.f_opts[3], 0x0d)
        seconds, fraction = struct.unpack("<IB", down.f_opts[4:9])
        unix = seconds + fraction / 256 + 315964800 - 18
        self.assertLess(abs(unix - sent_at), 0.1)

    def test_items_leave_by_priority_then_age_and_the_device_hears_of_more(self):
        device = self.add_abp()
        self.push([{"f_port": 1, "frm_payload": "AQ=="}, {"f_port": 2, "frm_payload": "Ag==", "priority": "HIGH"},
                   {"f_port": 3, "frm_payload": "Aw=="}])
        self.sub.wait(self.topic("down/queued"), 3)
        listed = self.stack.cli("end-devices", "downlink", "list", "app1", self.dev_id)
        self.assertEqual([i["f_port"] for i in listed], [2, 1, 3])
        ports, pending = [], []
        for n in range(3):
            self.gateway.uplink(device.uplink(9, b"x"))
            down = device.downlink(self.gateway.wait_emission(n + 1, 3).phy)
            ports.append(down.f_port)
            pending.append(down.pending)
            time.sleep(1.3)
        self.assertEqual((ports, pending), ([2, 1, 3], [True, True, False]))
        self.assertEqual(device.f_cnt_down_seen, sorted(set(device.f_cnt_down_seen)))

    def test_a_quick_reply_makes_this_window(self):
        device = self.add_abp()
        self.gateway.uplink(device.uplink(9, b"question"))
        self.sub.wait(self.topic("up"), 1, 2)
        self.push([{"f_port": 9, "frm_payload": "AQ=="}])
        self.assertEqual(device.downlink(self.gateway.wait_emission(1, 2.5).phy).payload, b"\1")

    def test_replace_with_an_empty_array_clears(self):
        self.add_abp()
        self.push([{"f_port": 1, "frm_payload": "AQ=="}, {"f_port": 2, "frm_payload": "Ag=="}])
        self.sub.wait(self.topic("down/queued"), 2)
        self.push([], "replace")
        end = time.time() + 5
        while self.stack.cli("end-devices", "downlink", "list", "app1", self.dev_id) and time.time() < end:
            time.sleep(0.1)
        self.assertEqual(self.stack.cli("end-devices", "downlink", "list", "app1", self.dev_id), [])

    def test_a_trace_tells_the_story_across_the_three_processes(self):
        device = self.add_abp()
        self.gateway.uplink(device.uplink(9, b"x", confirmed=True))
        up = self.sub.wait(self.topic("up"))
        self.gateway.wait_emission(1, 3)
        cid = [c for c in up["correlation_ids"] if c.startswith("gs:uplink:")][0]
        end = time.time() + 5
        while True:
            story = self.stack.cli("trace", cid)
            if {e["process"] for e in story} == {"gs", "ns", "as"} or time.time() > end:
                break
            time.sleep(0.2)
        self.assertEqual({e["process"] for e in story}, {"gs", "ns", "as"})
        names = [e["name"] for e in story]
        for name in ("gs.up.receive", "ns.up.data.process", "as.up.data.forward"):
            self.assertIn(name, names)
        times = [e["time"] for e in story]
        self.assertEqual(times, sorted(times))


if __name__ == "__main__":
    unittest.main()
