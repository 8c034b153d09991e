"""godwit-sim against a server written here: what its gateways send must be what an sx1302 forwarder sends, and its devices must hear
exactly what a device hears. No Godwit daemon takes part, so no mistake of ours can cancel another one."""
import base64
import json
import os
import queue
import re
import select
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from godwit import SOURCE, environment, program  # noqa: E402
from lorawan import aes_decrypt, aes_encrypt, cmac, crypt_payload, data_mic  # noqa: E402

APP_KEY = bytes(range(16))
NET_ID = b"\x13\0\0"


class Server:
    """A gateway and network server of one socket, answering only what it is told to."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.pull = {}
        self.raw, self.rxpks, self.acks = queue.Queue(), queue.Queue(), queue.Queue()
        self.token = 0
        self.stopped = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.stopped:
            if not select.select([self.socket], [], [], 0.1)[0]:
                continue
            data, source = self.socket.recvfrom(65536)
            version, token, kind, eui = struct.unpack(">BHBQ", data[:12])
            self.raw.put((kind, eui, source, data[12:]))
            if kind == 2:
                self.pull[eui] = source
                self.socket.sendto(struct.pack(">BHB", version, token, 4), source)
            elif kind == 0:
                self.socket.sendto(struct.pack(">BHB", version, token, 1), source)
                for pk in json.loads(data[12:]).get("rxpk", []):
                    self.rxpks.put((eui, pk))
            elif kind == 5:
                self.acks.put((token, data[12:].decode()))

    def close(self):
        self.stopped = True
        self.thread.join(2)
        self.socket.close()

    def rxpk(self, timeout=10):
        return self.rxpks.get(timeout=timeout)

    def transmit(self, eui, pk, timeout=3):
        """Send a PULL_RESP; what the gateway answers, or queue.Empty."""
        self.token += 1
        self.socket.sendto(struct.pack(">BHB", 2, self.token, 3) + json.dumps({"txpk": pk}).encode(), self.pull[eui])
        token, body = self.acks.get(timeout=timeout)
        assert token == self.token
        return body

    def answer(self, eui, up, phy, delay_s, timeout=3, **more):
        pk = {"imme": False, "tmst": (up["tmst"] + int(delay_s * 1e6)) % 2**32, "freq": up["freq"], "rfch": 0, "powe": 14, "modu": "LORA",
              "datr": up["datr"], "codr": "4/5", "ipol": True, "ncrc": True, "size": len(phy), "data": base64.b64encode(phy).decode()}
        return self.transmit(eui, {**pk, **more}, timeout)


class Sim:
    def __init__(self, server, *flags, script=False):
        self.process = subprocess.Popen([program("godwit-sim"), "--server", "127.0.0.1:%d" % server.port, *flags] +
                                        (["--script"] if script else []), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment())
        self.lines = queue.Queue()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put(None)

    def tell(self, **command):
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        self.process.stdin.flush()

    def event(self, name, timeout=10):
        end = time.monotonic() + timeout
        seen = []
        while True:
            event = self.lines.get(timeout=max(0.01, end - time.monotonic()))
            if event is None:
                raise AssertionError("godwit-sim ended before %r; it said %r" % (name, seen))
            seen.append(event)
            if event["event"] == name:
                return event

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            status = self.process.wait(5)
            if status:
                raise AssertionError("godwit-sim ended with %d" % status)
        self.thread.join(5)
        self.process.stdout.close()


def downlink(dev_addr, nwk, app, f_cnt, f_port=None, payload=b"", confirmed=False, ack=False, f_opts=b"", ctrl=0):
    ctrl |= (0x20 if ack else 0) | len(f_opts)
    message = struct.pack("<BIBH", 0xa0 if confirmed else 0x60, dev_addr, ctrl, f_cnt & 0xffff) + f_opts
    if f_port is not None:
        message += bytes([f_port]) + crypt_payload(app if f_port else nwk, 1, dev_addr, f_cnt, payload)
    return message + data_mic(nwk, 1, dev_addr, f_cnt, message)


class SimTest(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.close)

    def sim(self, *flags, script=True):
        sim = Sim(self.server, *flags, script=script)
        self.addCleanup(sim.close)
        sim.event("ready")
        return sim

    def abp(self, *flags):
        sim = self.sim("--abp", "--dev-addr-first", "01DA1F15", "--nwk-s-key", "11" * 16, "--app-s-key", "22" * 16, *flags)
        self.addr, self.nwk, self.app = 0x01DA1F15, b"\x11" * 16, b"\x22" * 16
        self.f_cnt_down = 0
        while not self.server.pull:
            time.sleep(0.01)
        return sim

    def down(self, **what):
        phy = downlink(self.addr, self.nwk, self.app, self.f_cnt_down, **what)
        self.f_cnt_down += 1
        return phy

    def uplink(self, sim, **command):
        sim.tell(cmd="uplink", device=0, **command)
        eui, pk = self.server.rxpk()
        return eui, pk, base64.b64decode(pk["data"])

    def test_gateways_send_what_an_sx1302_sends(self):
        sim = self.abp("--stat-interval", "400ms", "--gateway-eui", "AA555A00000000F0")
        self.uplink(sim, f_port=2, payload="0102")
        seen = {}
        while not {0, 2, "stat"} <= set(seen):
            kind, eui, source, body = self.server.raw.get(timeout=5)
            self.assertEqual(eui, 0xAA555A00000000F0)
            seen["stat" if b"stat\":{" in body else kind] = (source, body.decode())
        self.assertNotEqual(seen[0][0], seen[2][0], "PUSH and PULL come from one socket")
        self.assertEqual(seen[2][1], "")
        self.assertRegex(seen[0][1], r'^\{"rxpk":\[\{"jver":1,"tmst":\d+,"chan":\d,"rfch":[01],"freq":868\.[135]00000,"mid": 8,"stat":1,"modu":"LORA",'
                                     r'"datr":"SF7BW125","codr":"4/5","rssis":-58,"lsnr":9\.2,"foff":-137,"rssi":-57,"size":15,"data":"[A-Za-z0-9+/=]+"\}\]\}$')
        self.assertRegex(seen["stat"][1], r'^\{"stat":\{"time":"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d GMT","rxnb":1,"rxok":1,"rxfw":1,"ackr":100\.0,"dwnb":0,'
                                          r'"txnb":0,"temp":23\.4\}\}$')

    def test_uplinks_are_what_a_device_sends(self):
        sim = self.abp("--no-adr")
        for n, confirmed in enumerate((False, False, True)):
            _, _, phy = self.uplink(sim, f_port=10, payload="48656c6c6f", confirmed=confirmed)
            body = struct.pack("<BIBH", 0x80 if confirmed else 0x40, self.addr, 0, n) + b"\x0a"
            body += crypt_payload(self.app, 0, self.addr, n, b"Hello")
            self.assertEqual(phy, body + data_mic(self.nwk, 0, self.addr, n, body))
            if not confirmed:
                self.assertEqual(sim.event("done")["f_cnt"], n)
        _, again = self.server.rxpk()
        self.assertEqual(base64.b64decode(again["data"]), phy, "a confirmed uplink nobody answers comes again, octet by octet")

    def test_a_device_joins_and_hears_its_first_downlink(self):
        sim = self.sim("--dev-eui-first", "70B3D57ED0050001", "--join-eui", "0000000000000001", "--app-key", APP_KEY.hex())
        sim.tell(cmd="join", device=0)
        eui, pk = self.server.rxpk()
        request = base64.b64decode(pk["data"])
        self.assertEqual(request[:17], b"\0" + struct.pack("<QQ", 1, 0x70B3D57ED0050001))
        self.assertEqual(cmac(APP_KEY, request[:-4])[:4], request[-4:])
        nonce = request[17:19]
        body = b"\x07\0\0" + NET_ID + struct.pack("<IBB", 0x26011BDA, 0x03, 1) + bytes.fromhex("184f84e85684b85e84886684586e8400")
        clear = body + cmac(APP_KEY, b"\x20" + body)[:4]
        self.assertEqual(self.server.answer(eui, pk, b"\x20" + aes_decrypt(APP_KEY, clear), 5), "")
        accept = sim.event("join-accept", 8)
        self.assertEqual({k: accept[k] for k in ("dev_addr", "window", "rx1_delay", "rx2_dr", "cf_list", "join_nonce", "net_id")},
                         {"dev_addr": "26011BDA", "window": 1, "rx1_delay": 1, "rx2_dr": 3, "cf_list": True, "join_nonce": 7, "net_id": 0x13})
        tail = b"\x07\0\0" + NET_ID + nonce + bytes(7)
        self.addr, self.nwk, self.app = 0x26011BDA, aes_encrypt(APP_KEY, b"\1" + tail), aes_encrypt(APP_KEY, b"\2" + tail)
        self.f_cnt_down = 0
        eui, pk, phy = self.uplink(sim, f_port=1, payload="aa")
        self.assertEqual(data_mic(self.nwk, 0, self.addr, 0, phy[:-4]), phy[-4:])
        # RX2 now has data rate 3 of the join-accept
        self.server.answer(eui, pk, self.down(f_port=7, payload=b"\xbe\xef"), 2, freq=869.525, datr="SF9BW125")
        down = sim.event("downlink")
        self.assertEqual((down["window"], down["f_port"], down["payload"], down["f_cnt"]), (2, 7, "BEEF", 0))

    def test_a_downlink_beside_its_window_is_not_heard(self):
        rx2 = {"freq": 869.525, "datr": "SF12BW125"}
        cases = [({"delay": 1}, True), ({"delay": 1.00002}, True), ({"delay": 0.99998}, True), ({"delay": 2, **rx2}, True),
                 ({"delay": 1.000021}, False), ({"delay": 0.999979}, False), ({"delay": 1, "freq": 868.3001}, False),
                 ({"delay": 1, "datr": "SF8BW125"}, False), ({"delay": 1, "ipol": False}, False), ({"delay": 2}, False),
                 ({"delay": 2.00003, **rx2}, False), ({"delay": 1, **rx2}, False)]
        # each case has a device and a gateway of its own, so that all of them fit into two seconds
        n = str(len(cases))
        sim = self.sim("--abp", "--count", n, "--gateways", n, "--copies", "1", "--nwk-s-key", "11" * 16, "--app-s-key", "22" * 16)
        while len(self.server.pull) < len(cases):
            time.sleep(0.01)
        for i in range(len(cases)):
            sim.tell(cmd="uplink", device=i, f_port=1, payload="01")
        for _ in cases:
            eui, pk = self.server.rxpk()
            addr = struct.unpack("<I", base64.b64decode(pk["data"])[1:5])[0]
            how = dict(cases[addr - 0x01000001][0])
            phy = downlink(addr, b"\x11" * 16, b"\x22" * 16, 0, 1, b"\1")
            self.assertEqual(self.server.answer(eui, pk, phy, how.pop("delay"), **how), "")
        heard = {}
        for _ in cases:
            done = sim.event("done")
            heard[done["device"]] = done["heard"]
        for i, (how, expected) in enumerate(cases):
            self.assertIs(heard[i], expected, how)

    def test_false_and_old_downlinks_are_refused(self):
        sim = self.abp()
        eui, pk, _ = self.uplink(sim, f_port=1, payload="01")
        good = self.down(f_port=1, payload=b"\1")
        self.server.answer(eui, pk, good[:-1] + bytes([good[-1] ^ 1]), 1)
        self.assertEqual(sim.event("downlink-refused")["why"], "mic")
        # what RX1 brought was not for this device, so RX2 opens
        self.server.answer(eui, pk, good, 2, freq=869.525, datr="SF12BW125")
        self.assertEqual(sim.event("downlink")["window"], 2)
        eui, pk, _ = self.uplink(sim, f_port=1, payload="01")
        self.server.answer(eui, pk, good, 1)
        self.assertEqual(sim.event("downlink-refused")["why"], "f_cnt")

    def test_confirmed_traffic_is_acknowledged_both_ways(self):
        sim = self.abp("--no-adr")
        eui, pk, phy = self.uplink(sim, f_port=1, payload="01", confirmed=True)
        self.server.answer(eui, pk, self.down(ack=True, confirmed=True, f_port=3, payload=b"x"), 1)
        down = sim.event("downlink")
        self.assertEqual((down["ack"], down["confirmed"]), (True, True))
        self.assertEqual(sim.event("done")["acked"], True)
        _, _, phy = self.uplink(sim, f_port=1, payload="02")
        self.assertEqual(phy[5], 0x20, "the next uplink acknowledges")
        sim.event("done")
        _, _, phy = self.uplink(sim, f_port=1, payload="03")
        self.assertEqual(phy[5], 0, "and the one after that does not")

    def test_mac_commands_are_carried_out_and_answered(self):
        sim = self.abp("--no-adr")
        eui, pk, phy = self.uplink(sim, f_port=1, payload="01", link_check=True, device_time=True)
        self.assertEqual(phy[8:10], b"\x02\x0d")
        commands = bytes.fromhex("022a03" "06" "0802" "0503" "d2ad84" "0703184f8450" "0701184f8450")
        self.server.answer(eui, pk, self.down(f_port=0, payload=commands), 1)
        self.assertEqual({k: v for k, v in sim.event("mac").items() if k in ("margin", "gateways")}, {"margin": 42, "gateways": 3})
        sim.event("done")
        eui, pk, phy = self.uplink(sim, f_port=1, payload="01")
        # sticky RXTimingSetupAns and RXParamSetupAns, DevStatusAns, NewChannelAns: channel 3 taken, default channel 1 not
        self.assertEqual(phy[8:8 + (phy[5] & 15)], bytes.fromhex("08" "0507" "06ff09" "0703" "0700"))
        sim.event("done")
        eui, pk, phy = self.uplink(sim, f_port=1, payload="01")
        self.assertEqual(phy[8:8 + (phy[5] & 15)], bytes.fromhex("08" "0507"), "only sticky answers are repeated")
        self.server.answer(eui, pk, self.down(), 3, freq=869.525, datr="SF9BW125")
        self.assertEqual(sim.event("downlink")["window"], 2, "RX2 is where the commands put it")
        _, _, phy = self.uplink(sim, f_port=1, payload="01")
        self.assertEqual(phy[5] & 15, 0, "a downlink ends the repetition")

    def test_the_dwell_time_is_what_tx_param_setup_says(self):
        sim = self.abp("--plan", "AS_923", "--dr", "0", "--no-adr")
        eui, pk, _ = self.uplink(sim, f_port=1, payload="01")
        self.server.answer(eui, pk, self.down(f_opts=b"\x09\x25"), 1)
        sim.event("done")
        eui, pk, phy = self.uplink(sim, f_port=1, payload="02")
        self.assertEqual(phy[8:9], b"\x09", "TXParamSetupAns")
        self.server.answer(eui, pk, self.down(f_port=5, payload=b"\1"), 1, datr="SF10BW125")
        self.assertEqual(sim.event("downlink")["window"], 1, "RX1 is now at the slowest data rate that takes less than 400 ms")
        sim.event("done")
        _, _, phy = self.uplink(sim, f_port=1, payload="03")
        self.assertEqual(phy[5] & 15, 0, "answered and heard")

    def test_a_link_adr_block_is_taken_or_refused_as_one(self):
        sim = self.abp()
        eui, pk, phy = self.uplink(sim, f_port=1, payload="01")
        self.assertEqual(phy[5] & 0x80, 0x80)
        self.server.answer(eui, pk, self.down(f_opts=bytes.fromhex("0331070001" "0331010001")), 1)
        sim.event("done")
        eui, pk, phy = self.uplink(sim, f_port=1, payload="01")
        self.assertEqual((pk["datr"], pk["freq"]), ("SF9BW125", 868.1))
        self.assertEqual(phy[8:12], bytes.fromhex("03070307"))
        self.server.answer(eui, pk, self.down(f_opts=bytes.fromhex("035100ff01")), 1)
        sim.event("done")
        _, pk, phy = self.uplink(sim, f_port=1, payload="01")
        self.assertEqual(pk["datr"], "SF9BW125", "a mask with undefined channels changes nothing")
        self.assertEqual(phy[8:10], bytes.fromhex("0304"))

    def test_a_gateway_refuses_what_a_forwarder_refuses(self):
        sim = self.abp()
        eui, pk, _ = self.uplink(sim, f_port=1, payload="01")
        phy = self.down(f_port=1, payload=b"\1")

        def error(body):
            return json.loads(body)["txpk_ack"]["error"]
        self.assertEqual(error(self.server.answer(eui, pk, phy, -0.5)), "TOO_EARLY", "the past reads as far in the future")
        self.assertEqual(error(self.server.answer(eui, pk, phy, 600)), "TOO_EARLY")
        self.assertEqual(self.server.answer(eui, pk, phy, 400), "")
        self.assertEqual(error(self.server.answer(eui, pk, phy, 400.05)), "COLLISION_PACKET")
        self.assertEqual(self.server.answer(eui, pk, phy, 400.2), "")
        self.assertEqual(error(self.server.answer(eui, pk, phy, 300, freq=902.3)), "TX_FREQ")
        self.assertEqual(json.loads(self.server.answer(eui, pk, phy, 301, powe=29)), {"txpk_ack": {"warn": "TX_POWER", "value": 27}})
        self.assertEqual(error(self.server.answer(eui, pk, phy, 302, tmst=None, tmms=1)), "GPS_UNLOCKED")
        for wrong in ({"imme": "true", "tmst": None}, {"codr": None}, {"datr": "sf7bw125"}, {"rfch": 1}):
            with self.assertRaises(queue.Empty, msg=wrong):
                self.server.answer(eui, pk, phy, 310, timeout=0.3, **wrong)

    # What the capture shows and godwit-sim does not imitate: it reads JSON more strictly than these forwarders do, and says so.
    NOT_IMITATED = ("size too", "tmst as string", "tmst negative", "tmst >2^32", "freq as string", "comment in JSON", "rfch 1", "pretty printed",
                    "no powe", "GPS time", "no ipol", "flood")

    def begin_case(self, sim):
        """An empty queue and an uplink; its tmst."""
        sources = dict(self.server.pull)
        sim.tell(cmd="gateway", gateway=0, reboot=True)
        while self.server.pull == sources:
            time.sleep(0.002)
        sim.tell(cmd="raw", gateway=0, phy="4011223344000100018500000000")
        return self.server.rxpk()[1]["tmst"]

    def play_case(self, eui, body, shift, timeout):
        try:
            pk = json.loads(body)["txpk"]
            if "tmst" in pk:
                pk["tmst"] = (pk["tmst"] + shift) % 2**32
            body = json.dumps({"txpk": pk})
        except (ValueError, KeyError):
            pass
        self.server.token += 1
        self.server.socket.sendto(struct.pack(">BHB", 2, self.server.token, 3) + body.encode(), self.server.pull[eui])
        try:
            return self.server.acks.get(timeout=timeout)[1]
        except queue.Empty:
            return None

    def replay(self, forwarder):
        """The 52 cases that were put to a real forwarder, put to the simulated one. Every case begins with an empty queue, but for those
        that are about what is in it."""
        sim = self.sim("--abp", "--keepalive", "50ms", "--forwarder", forwarder)
        self.server.raw.get(timeout=5)
        eui, cases, answers, heard = 0xAA555A0000000001, [], {}, 0
        with open(os.path.join(SOURCE, "test/vectors/semtech", forwarder + "-downlinks.jsonl")) as f:
            for line in f:
                d = json.loads(line)
                if d.get("type") == "PUSH_DATA" and '"rxpk"' in d["json"]:
                    heard = json.loads(d["json"])["rxpk"][-1]["tmst"]
                elif d.get("type") == "PULL_RESP":
                    cases.append((d["case"], d["json"], heard, d["token"]))
                elif d.get("type") == "TX_ACK":
                    answers[d["token"]] = d.get("json", "")
        since, wrong, played = None, [], 0
        for case, body, heard, token in cases:
            if case.startswith(self.NOT_IMITATED):
                continue
            said, got, tries = answers.get(token), "none yet", 0
            # On a busy machine a case of 60 ms may come too late, as it would at a real forwarder.
            while tries < 5 and got != said:
                if since != heard or tries:
                    tmst = self.begin_case(sim)
                since, tries = heard, tries + 1
                got = self.play_case(eui, body, tmst - heard, 0.25 if said is None else 3)
            played += 1
            if got != said:
                wrong.append((case, said, got))
        self.assertEqual(wrong, [])
        self.assertGreater(played, 30)
        sim.tell(cmd="gateway", gateway=0, reboot=True)
        time.sleep(0.2)
        pk = {"imme": True, "freq": 868.1, "rfch": 0, "powe": 14, "modu": "LORA", "datr": "SF12BW125", "codr": "4/5", "size": 1, "data": "QA=="}
        flood = [self.server.transmit(eui, pk) for _ in range(40)]
        self.assertEqual([bool(said) for said in flood], [False] * 32 + [True] * 8, "32 places")

    def test_an_sx1302_answers_as_the_real_one_did(self):
        self.replay("sx1302")

    def test_an_sx1301_answers_as_the_real_one_did(self):
        self.replay("sx1301")

    def test_what_comes_while_a_frame_is_on_air_is_acknowledged_and_dropped(self):
        sim = self.abp()
        eui, pk, _ = self.uplink(sim, f_port=1, payload="01")
        now = {"imme": True, "tmst": None, "datr": "SF12BW125", "freq": 869.525}
        phy = self.down(f_port=1, payload=b"\1")
        self.assertEqual(self.server.answer(eui, pk, phy, 0, **now), "")
        sim.event("emission")
        self.assertEqual(self.server.answer(eui, pk, phy, 0, **now), "")
        self.assertIn("sending", sim.event("emission-dropped")["why"])

    def test_a_gateway_with_gps_tells_its_time_and_keeps_it(self):
        sim = self.abp("--gps", "--beacon", "12s")
        eui, pk, _ = self.uplink(sim, f_port=1, payload="01")
        gps = pk["tmms"] / 1000 + 315964800 - 18
        self.assertLess(abs(gps - time.time()), 1)
        self.assertRegex(pk["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
        phy = self.down(f_port=1, payload=b"\1")
        at = {"tmst": None, "freq": 869.525, "datr": "SF12BW125"}
        beacon = (pk["tmms"] + 6500) // 12000 * 12000 + 12000
        time.sleep(max(0, (beacon - pk["tmms"]) / 1000 - 9.8))
        self.assertEqual(json.loads(self.server.answer(eui, pk, phy, 0, **at, tmms=beacon)), {"txpk_ack": {"error": "COLLISION_BEACON"}})
        self.assertEqual(json.loads(self.server.answer(eui, pk, phy, 0, **at, tmms=beacon - 1000)), {"txpk_ack": {"error": "COLLISION_BEACON"}},
                         "class B keeps the guard")
        self.assertEqual(self.server.answer(eui, pk, phy, 0, **at, tmms=beacon - 5500), "")
        e = sim.event("emission")
        self.assertLess(abs((e["tmst"] - pk["tmst"]) % 2**32 / 1000 - (beacon - 5500 - pk["tmms"])), 3)

    def test_a_gateway_of_version_1_has_one_frame_and_says_nothing(self):
        sim = self.abp("--forwarder", "v1")
        eui, pk, _ = self.uplink(sim, f_port=1, payload="01")
        phy = self.down(f_port=1, payload=b"\1")

        def send(delay_us):
            txpk = {"tmst": (pk["tmst"] + delay_us) % 2**32, "freq": 868.1, "rfch": 0, "powe": 14, "modu": "LORA", "datr": "SF7BW125", "codr": "4/5",
                    "ipol": True, "ncrc": True, "size": len(phy), "data": base64.b64encode(phy).decode()}
            self.server.socket.sendto(struct.pack(">BHB", 1, 0, 3) + json.dumps({"txpk": txpk}).encode(), self.server.pull[eui])
        send(800000)
        send(900000)
        self.assertEqual(sim.event("emission")["tmst"], (pk["tmst"] + 900000) % 2**32, "the later one took the place of the first")
        with self.assertRaises(queue.Empty):
            self.server.acks.get(timeout=0.3)

    def test_a_gateway_answers_what_it_is_told_to(self):
        sim = self.abp()
        eui, pk, _ = self.uplink(sim, f_port=1, payload="01")
        phy = self.down(f_port=1, payload=b"\1")
        for word in ("TOO_LATE", "TOO_EARLY", "COLLISION_PACKET", "COLLISION_BEACON", "TX_FREQ", "TX_POWER", "GPS_UNLOCKED", "WHATEVER"):
            sim.tell(cmd="gateway", gateway=0, tx_ack=word)
            sim.tell(cmd="raw", gateway=0, phy="00")
            self.server.rxpk()
            self.assertEqual(json.loads(self.server.answer(eui, pk, phy, 300)), {"txpk_ack": {"error": word}})
        sim.tell(cmd="gateway", gateway=0, tx_ack="NONE", tx_ack_delay_us=700000)
        sim.tell(cmd="raw", gateway=0, phy="00")
        self.server.rxpk()
        before = time.monotonic()
        self.assertEqual(self.server.answer(eui, pk, phy, 300), "")
        self.assertGreater(time.monotonic() - before, 0.69)
        sim.tell(cmd="gateway", gateway=0, tx_ack="NEVER", tx_ack_delay_us=0)
        sim.tell(cmd="raw", gateway=0, phy="00")
        self.server.rxpk()
        with self.assertRaises(queue.Empty):
            self.server.answer(eui, pk, phy, 302, timeout=0.3)

    def test_a_gateway_restarts_and_moves(self):
        sim = self.abp()
        eui, pk, _ = self.uplink(sim, f_port=1, payload="01")
        at, port = self.server.pull[eui], self.server.pull[eui][1]
        sim.tell(cmd="gateway", gateway=0, reboot=True)
        while self.server.pull[eui] == at:
            time.sleep(0.01)
        sim.tell(cmd="raw", gateway=0, phy="00")
        self.assertLess(self.server.rxpk()[1]["tmst"], 2000000)
        while True:
            kind, _, source, _ = self.server.raw.get(timeout=2)
            if kind == 0:
                before = source
            if self.server.raw.empty():
                break
        sim.tell(cmd="gateway", gateway=0, move=True)
        sim.tell(cmd="raw", gateway=0, phy="01")
        self.server.rxpk()
        self.assertNotEqual(self.server.raw.get(timeout=2)[2], before)
        self.assertNotEqual(self.server.pull[eui][1], port)

    def test_many_gateways_hear_and_frames_are_lost_as_asked(self):
        sim = self.sim("--abp", "--gateways", "3", "--copies", "2", "--count", "2")
        sim.tell(cmd="uplink", device=1, f_port=1, payload="01")
        heard = sorted(self.server.rxpk()[0] & 0xff for _ in range(2))
        self.assertEqual(heard, [2, 3])
        sim.close()
        deaf = self.sim("--abp", "--loss", "100")
        deaf.tell(cmd="uplink", device=0, f_port=1, payload="01")
        self.assertIs(deaf.event("done")["heard"], False)
        self.assertTrue(self.server.rxpks.empty())

    def test_class_c_and_multicast_are_heard_at_any_time(self):
        sim = self.abp("--class-c")
        eui = next(iter(self.server.pull))
        sim.tell(cmd="multicast", device=0, dev_addr="01020304", nwk_s_key="33" * 16, app_s_key="44" * 16)
        phy = self.down(f_port=5, payload=b"\1\2", confirmed=True)
        pk = {"imme": True, "freq": 869.525, "rfch": 0, "powe": 14, "modu": "LORA", "datr": "SF12BW125", "codr": "4/5", "ipol": True, "ncrc": True}
        self.assertEqual(self.server.transmit(eui, {**pk, "size": len(phy), "data": base64.b64encode(phy).decode()}), "")
        down = sim.event("downlink")
        self.assertEqual((down["window"], down["payload"], down["confirmed"]), (3, "0102", True))
        phy = downlink(0x01020304, b"\x33" * 16, b"\x44" * 16, 0, 9, b"\7")
        self.assertEqual(self.server.transmit(eui, {**pk, "size": len(phy), "data": base64.b64encode(phy).decode()}), "")
        self.assertEqual((sim.event("downlink")["dev_addr"]), "01020304")
        _, _, up = self.uplink(sim, f_port=1, payload="01")
        self.assertEqual(up[5] & 0x20, 0x20)

    def test_devices_of_a_file_and_counting_nonces(self):
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as f:
            f.write('{"dev_eui":"70B3D57ED0050007","join_eui":"0000000000000009","app_key":"%s"}\n# a comment\n\n' % APP_KEY.hex())
            f.write('{"dev_addr":"01020304","nwk_s_key":"%s","app_s_key":"%s","f_cnt_up":65540}\n' % ("33" * 16, "44" * 16))
            f.flush()
            sim = self.sim("--devices", f.name, "--lorawan-version", "1.0.4", "--dev-nonce", "41")
        sim.tell(cmd="join", device=0)
        request = base64.b64decode(self.server.rxpk()[1]["data"])
        self.assertEqual(request[:19], b"\0" + struct.pack("<QQH", 9, 0x70B3D57ED0050007, 42))
        sim.tell(cmd="uplink", device=1, f_port=1, payload="ff")
        phy = base64.b64decode(self.server.rxpk()[1]["data"])
        self.assertEqual(data_mic(b"\x33" * 16, 0, 0x01020304, 65540, phy[:-4]), phy[-4:])
        sim.tell(cmd="fly", device=0)
        self.assertIn("no such command", sim.event("error")["message"])

    def test_an_eager_device_acknowledges_at_once(self):
        sim = self.abp("--eager")
        eui, pk, _ = self.uplink(sim, f_port=1, payload="01")
        self.server.answer(eui, pk, self.down(confirmed=True, f_port=1, payload=b"\1"), 1)
        phy = base64.b64decode(self.server.rxpk()[1]["data"])
        self.assertEqual((len(phy), phy[5] & 0x20), (12, 0x20), "an empty uplink with ACK")

    def test_it_ends_after_the_uplinks_asked_for(self):
        sim = self.sim("--abp", "--count", "3", "--interval", "200ms", "--uplinks", "4", "--payload", "beef", script=False)
        self.assertEqual(sim.event("end", 20)["uplinks"], 4)
        self.assertEqual(sim.process.wait(5), 0)
        self.assertEqual(self.server.rxpks.qsize(), 4)

    def test_load_sends_its_time_and_counts(self):
        sim = self.sim("--load", "--gateways", "2", "--copies", "1", "--count", "50", "--rate", "500", "--duration", "1s", script=False)
        end = sim.event("end", 10)
        self.assertEqual((end["uplinks"], end["dropped"]), (500, 0))
        self.assertEqual(self.server.rxpks.qsize(), 500)
        eui, pk = self.server.rxpk()
        phy = base64.b64decode(pk["data"])
        addr = struct.unpack("<I", phy[1:5])[0]
        key = struct.pack(">I", addr) * 4
        self.assertEqual(data_mic(key, 0, addr, 0, phy[:-4]), phy[-4:])
        sent = int.from_bytes(crypt_payload(key, 0, addr, 0, phy[9:-4])[:8], "big")
        self.assertAlmostEqual(sent / 1e6, time.time(), delta=10)

    def test_mistakes_on_the_command_line_are_named(self):
        for flags, word in ((["--nonsense"], "--nonsense"), (["--gateways", "0"], "--gateways"), (["--app-key", "12"], "--app-key"),
                            (["--plan", "XX"], "XX"), (["--lorawan-version", "1.2"], "--lorawan-version"), (["--load", "--lorawan-version", "1.1"], "--load"), (["--interval"], "--interval")):
            done = subprocess.run([program("godwit-sim")] + flags, stdin=subprocess.DEVNULL, capture_output=True, timeout=10)
            self.assertNotEqual(done.returncode, 0, flags)
            self.assertTrue(re.match("error: ", done.stderr.decode()) and word in done.stderr.decode(), done.stderr)


if __name__ == "__main__":
    unittest.main()
