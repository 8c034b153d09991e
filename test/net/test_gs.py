"""godwit-gs alone: real sockets, captured datagrams, and a network server made here that speaks the bus."""
import glob
import json
import os
import queue
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

import msgpack

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway import Gateway  # noqa: E402
from godwit import SOURCE, environment, program  # noqa: E402

EUI = 0xAA555A0000000101
TYPES = {"PUSH_DATA": 0, "PULL_DATA": 2, "TX_ACK": 5}
CID_PREFIXES = {1: "gs:conn", 2: "gs:uplink", 4: "rpc uplink", 10: "ns:transmission", 12: "gs:tx_ack", 13: "rpc tx_ack"}


def events_of(batch):
    """Each is a map behind its length in two octets."""
    while batch:
        end = 2 + int.from_bytes(batch[:2], "big")
        yield msgpack.unpackb(batch[2:end], strict_map_key=False)
        batch = batch[end:]


class FakeNs:
    """Listens where the network server would, greets, answers, keeps what it hears."""

    def __init__(self, path, full_sync=True):
        self.path, self.full_sync = path, full_sync
        self.heard = queue.Queue()
        self.kept = []
        self.answers = True
        self.refusal = None  # a word: every call is refused with it
        self.connection = None
        self.next_id = 0
        self.replies = queue.Queue()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if os.path.exists(path):
            os.unlink(path)
        self.listener.bind(path)
        self.listener.listen(4)
        self.stopped = False
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.stopped = True
        self.listener.close()
        self.drop()
        if os.path.exists(self.path):
            os.unlink(self.path)

    def drop(self):
        if self.connection:
            try:
                self.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.connection.close()
            self.connection = None

    def _accept(self):
        while not self.stopped:
            try:
                c, _ = self.listener.accept()
            except OSError:
                return
            self.connection = c
            threading.Thread(target=self._serve, args=(c,), daemon=True).start()

    def _send(self, message):
        self.connection.sendall(msgpack.packb(message, use_bin_type=True))

    def _serve(self, c):
        unpacker = msgpack.Unpacker(raw=False, strict_map_key=False)
        while True:
            try:
                data = c.recv(1 << 16)
            except OSError:
                return
            if not data:
                return
            unpacker.feed(data)
            for m in unpacker:
                self._take(m)

    def _take(self, m):
        if m[0] == 1:
            self.replies.put(m)
            return
        method, params = (m[2], m[3][0]) if m[0] == 0 else (m[1], m[2][0])
        if method == "Bus/Hello":
            self._send([1, m[1], None, {1: params[1], 2: "ns", 3: "test", 4: bytes(range(16))}])
            if self.full_sync:
                self.sync([], first=True, last=True)
            return
        self.heard.put((method, params))
        if m[0] == 0 and self.refusal:
            self._send([1, m[1], {1: self.refusal, 2: "said the test"}, None])
        elif m[0] == 0 and self.answers:
            self._send([1, m[1], None, {}])

    def call(self, method, params):
        self.next_id += 1
        self._send([0, self.next_id, method, [params]])

    def sync(self, gateways, first=False, last=False, revision=1):
        entries = [{1: revision, 3: number, 6: {1: name, 2: eui, 3: plan}} for number, eui, name, plan in gateways]
        self.call("NsGs/Sync", {1: bytes(range(16)), 2: first, 3: last, 4: revision, 5: entries})

    def wait(self, method, timeout=10, where=lambda p: True):
        """The next message of a method; others are kept for later."""
        for i, (name, params) in enumerate(self.kept):
            if name == method and where(params):
                del self.kept[i]
                return params
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            try:
                name, params = self.heard.get(timeout=max(left, 0.001))
            except queue.Empty:
                raise AssertionError("no %s within %.1f s" % (method, timeout)) from None
            if name == method and where(params):
                return params
            self.kept.append((name, params))

    def uplinks(self, n, timeout=10):
        return [self.wait("GsNs/HandleUplink", timeout) for _ in range(n)]


class Gs:
    """The program, on a free port of loopback."""

    def __init__(self, *settings):
        self.state = tempfile.mkdtemp(prefix="godwit-gs-test-")
        given = {s.split("=")[0] for s in settings}
        listen = [] if "--gs.udp-listen" in given else ["--gs.udp-listen=127.0.0.1:0"]
        self.log = open(os.path.join(self.state, "log"), "wb")
        self.process = subprocess.Popen([program("godwit-gs"), "--state-dir", self.state] + listen + list(settings), stderr=self.log, env=environment())
        end = time.monotonic() + 10
        while "ready" not in self.text():
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError("godwit-gs did not start:\n" + self.text())
            time.sleep(0.02)
        with open(os.path.join(self.state, "addresses.json")) as f:
            self.addresses = json.load(f)
        host, port = self.addresses["gs.udp"].rsplit(":", 1)
        self.address = (host, int(port))
        self.bus = os.path.join(self.state, "ns.sock")

    def text(self):
        with open(os.path.join(self.state, "log"), errors="replace") as f:
            return f.read()

    def wait_log(self, what, timeout=10):
        end = time.monotonic() + timeout
        while what not in self.text():
            if time.monotonic() > end:
                raise AssertionError("the log never said %r:\n%s" % (what, self.text()))
            time.sleep(0.02)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(6)
        self.log.close()
        text = self.text()
        shutil.rmtree(self.state)
        return status, text


def captured(name):
    with open(os.path.join(SOURCE, "test/vectors/semtech", name + ".jsonl")) as f:
        for line in f:
            d = json.loads(line)
            if d.get("from") == "gateway" and d["type"] in TYPES:
                yield d, struct.pack(">BHBQ", 2, int(d["token"], 16), TYPES[d["type"]], int(d["eui"], 16)) + d.get("json", "").encode()


class Base(unittest.TestCase):
    """godwit-gs with a network server made here, or without any."""

    def start(self, *settings, ns=True, **how):
        self.gs = Gs(*settings)
        self.addCleanup(self.end)
        self.ns = FakeNs(self.gs.bus, **how) if ns else None
        if ns:
            self.gs.wait_log("ns_connected")
        return self.gs, self.ns

    def end(self):
        status, text = self.gs.stop()
        if self.ns:
            self.ns.close()
        self.assertEqual(status, 0, text)
        self.assertNotIn("Sanitizer", text)

    def gateway(self, **how):
        gw = Gateway(self.gs.address, **how)
        self.addCleanup(gw.close)
        return gw

    def request(self, tmst, wait_us):
        cid = [{1: 10, 2: bytes(15) + b"\x07"}]
        return {1: cid, 2: bytes(15) + b"\x07", 3: EUI, 4: tmst, 6: 868100000, 7: 16, 8: {1: 0, 2: 7, 3: 125000, 5: "4/5"},
                9: bytes.fromhex("60112233440001000185aabbccdd"), 10: 46336, 11: wait_us}


class GsTest(Base):
    def test_captured_datagrams_are_acknowledged_and_their_frames_handed_on(self):
        gs, ns = self.start("--gs.default-frequency-plan=EU_863_870")
        expected = 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(gs.address)
            s.settimeout(2)
            for path in sorted(glob.glob(os.path.join(SOURCE, "test/vectors/semtech/*.jsonl"))):
                for d, datagram in captured(os.path.basename(path)[:-6]):
                    before = time.monotonic()
                    s.send(datagram)
                    if d["type"] != "TX_ACK":
                        ack = s.recv(100)
                        self.assertLess(time.monotonic() - before, 0.1)
                        self.assertEqual(ack, datagram[:3] + bytes([TYPES[d["type"]] * 1 + (1 if d["type"] == "PUSH_DATA" else 2)]))
                    if d["type"] == "PUSH_DATA":
                        expected += sum(1 for r in json.loads(d["json"]).get("rxpk", []) if r["stat"] == 1 and r["size"] > 0)
        ups = ns.uplinks(expected - 40, 5)  # the same reception stands in more than one capture now and then
        self.assertGreater(expected, 80)
        for up in ups:
            self.assertEqual([c[1] for c in up[1]], [1, 2, 4])
            self.assertTrue(up[2][1].startswith("eui-"))
            self.assertEqual(len(up[5]) > 0, True)

    def test_a_gateway_that_speaks_to_one_address_of_many_hears_from_that_one(self):
        gs, _ = self.start("--gs.udp-listen=0.0.0.0:0")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(("127.0.0.2", gs.address[1]))
            s.settimeout(2)
            s.send(struct.pack(">BHBQ", 2, 77, 2, EUI))
            self.assertEqual(s.recv(100), struct.pack(">BHB", 2, 77, 4))

    def test_ipv6_is_served_beside_ipv4(self):
        gs, ns = self.start("--gs.udp-listen=127.0.0.1:0, [::1]:0")
        self.assertIn("gs.udp-2", gs.addresses)
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
            s.connect(("::1", int(gs.addresses["gs.udp-2"].rsplit(":", 1)[1])))
            s.settimeout(2)
            s.send(struct.pack(">BHBQ", 1, 77, 2, EUI))
            self.assertEqual(s.recv(100), struct.pack(">BHB", 1, 77, 4))
        self.assertIn("[::1]", ns.wait("GsNs/ReportGatewayStatus", 5)[7])

    def test_a_downlink_is_sent_and_its_tx_ack_reported(self):
        _, ns = self.start("--gs.default-frequency-plan=EU_863_870")
        gw = self.gateway(answer=lambda e: '{"txpk_ack":{"error":"TOO_LATE"}}' if e.tmst == 2 else "")
        gw.wait_path()
        ns.wait("GsNs/ReportGatewayStatus", 5, lambda p: p[4])
        ns.call("NsGs/ScheduleDownlink", self.request(gw.counter() + 900000, 900000))
        emission = gw.wait_emission(1)
        self.assertEqual(emission.txpk["powe"], 14)
        self.assertIs(emission.txpk["ipol"], True)
        self.assertGreater(emission.lead_us, 850000)
        ack = ns.wait("GsNs/ReportTxAcknowledgment", 5)
        self.assertEqual((ack[2], ack[4]), (bytes(15) + b"\x07", 0))
        self.assertLess(ack[6], 200000)
        self.assertEqual([c[1] for c in ack[1]], [10, 12, 13])
        ns.call("NsGs/ScheduleDownlink", self.request(2, 500000))
        self.assertEqual(ns.wait("GsNs/ReportTxAcknowledgment", 5)[4], 2)

    def test_a_downlink_for_a_stranger_is_refused_with_a_word(self):
        _, ns = self.start()
        ns.call("NsGs/ScheduleDownlink", self.request(1, 900000))
        end = time.monotonic() + 5
        while time.monotonic() < end:
            reply = ns.replies.get(timeout=5)
            if reply[2] is not None:
                self.assertEqual(reply[2][1], "NOT_CONNECTED")
                return
        self.fail("no refusal")

    def test_no_tx_ack_is_reported_as_such(self):
        _, ns = self.start("--gs.default-frequency-plan=EU_863_870")
        gw = self.gateway(answer=lambda e: None)
        gw.wait_path()
        ns.wait("GsNs/ReportGatewayStatus", 5, lambda p: p[4])
        ns.call("NsGs/ScheduleDownlink", self.request(gw.counter() + 300000, 300000))
        before = time.monotonic()
        self.assertEqual(ns.wait("GsNs/ReportTxAcknowledgment", 5)[4], 9)
        self.assertGreater(time.monotonic() - before, 1.2)

    def test_uplinks_wait_for_the_network_server_and_are_sent_again_after_a_loss(self):
        gs, _ = self.start(ns=False)
        gw = self.gateway()
        for i in range(30):
            gw.uplink(bytes([0x40, i, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), tmst=1000 + i)
        time.sleep(0.3)
        self.ns = ns = FakeNs(gs.bus)
        ns.answers = False
        first = ns.uplinks(30)
        self.assertEqual([u[5][1] for u in first], list(range(30)))
        self.assertGreater(first[0][6], 250000)
        ns.drop()
        ns.answers = True
        again = ns.uplinks(30)
        self.assertEqual([u[1] for u in again], [u[1] for u in first])
        self.assertGreater(again[0][6], first[0][6])
        with self.assertRaises(AssertionError):
            ns.uplinks(1, 0.5)

    def test_what_is_refused_for_want_of_room_is_kept_and_what_is_refused_for_good_is_not(self):
        gs, ns = self.start()
        gw = self.gateway()
        ns.refusal = "store_unavailable"
        for i in range(5):
            gw.uplink(bytes([0x40, i, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), tmst=1000 + i)
        first = ns.uplinks(5)
        again = ns.uplinks(5, 3)
        self.assertEqual([u[1] for u in again], [u[1] for u in first])
        ns.refusal = None
        last = ns.uplinks(5, 3)
        self.assertEqual([u[1] for u in last], [u[1] for u in first])
        self.assertGreater(last[0][6], 1000000)
        ns.refusal = "wrong_role"
        gw.uplink(bytes(12))
        ns.uplinks(1)
        with self.assertRaises(AssertionError):
            ns.uplinks(1, 2)

    def test_it_ends_in_time_even_if_the_network_server_says_nothing(self):
        _, ns = self.start()
        ns.answers = False
        self.gateway().uplink(bytes(12))
        ns.uplinks(1)
        before = time.monotonic()
        self.gs.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.gs.process.wait(6), 0)
        self.assertLess(time.monotonic() - before, 5)

    def test_when_there_is_no_room_the_oldest_go(self):
        gs, _ = self.start("--gs.buffer=16", ns=False)
        gw = self.gateway()
        for i in range(40):
            gw.uplink(bytes([0x40, i, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), tmst=1000 + i)
        gs.wait_log("uplinks_lost")
        time.sleep(0.2)
        self.ns = ns = FakeNs(gs.bus)
        self.assertEqual([u[5][1] for u in ns.uplinks(16)], list(range(24, 40)))

    def test_the_registry_names_gateways_and_strangers_can_be_refused(self):
        gs, ns = self.start("--gs.require-registered=true", full_sync=False)
        ns.sync([(4, EUI, "gtw1", "EU_863_870")], first=True, last=True)
        gw, stranger = self.gateway(), self.gateway(eui=EUI + 1)
        gw.uplink(bytes(12))
        stranger.uplink(bytes(12))
        up = ns.uplinks(1)[0]
        self.assertEqual((up[2][1], up[9]), ("gtw1", "EU_863_870"))
        gs.wait_log("gateway_refused")
        self.assertIn("godwit gateways create eui-%016x --gateway-eui %016X" % (EUI + 1, EUI + 1), gs.text())
        with self.assertRaises(AssertionError):
            ns.uplinks(1, 0.5)

    def test_a_gateway_without_a_plan_is_named_with_the_command_that_helps(self):
        gs, ns = self.start()
        gw = self.gateway()
        gw.wait_path()
        gs.wait_log("gateway_without_plan")
        self.assertIn("godwit gateways adopt %016X --frequency-plan-id" % EUI, gs.text())
        status = ns.wait("GsNs/ReportGatewayStatus", 5)
        self.assertEqual((status[3], status[4], status.get(5)), (True, False, None))

    def test_events_and_metrics_tell_what_happened(self):
        gs, ns = self.start("--gs.http-listen=127.0.0.1:0")
        gw = self.gateway()
        gw.uplink(bytes.fromhex("4044332211000100") + bytes(6))
        names = []
        while "gs.up.receive" not in names:
            names += [e[1] for e in events_of(ns.wait("GsNs/Event", 5)[3])]
        self.assertIn("gs.gateway.connect", names)
        gw.send_json('{"rxpk":[{"tmst":1}]}')
        time.sleep(0.2)
        text = urllib.request.urlopen("http://%s/metrics" % gs.addresses["gs.http"], timeout=5).read().decode()
        self.assertIn("gs_uplinks_total 1\n", text)
        self.assertIn('gs_drops_total{reason="freq"} 1\n', text)
        self.assertEqual(urllib.request.urlopen("http://%s/healthz/ready" % gs.addresses["gs.http"], timeout=5).status, 200)

    def test_250_frames_in_one_datagram_arrive(self):
        _, ns = self.start()
        gw = self.gateway()
        body = json.dumps({"rxpk": [gw.rxpk(bytes([0x40, i]) + bytes(12), tmst=5000 + i) for i in range(250)]})
        self.assertGreater(len(body), 50000)
        gw.send_json(body)
        self.assertEqual([u[5][1] for u in ns.uplinks(250)], list(range(250)))

    def test_a_port_in_use_is_one_line_that_names_it(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("127.0.0.1", 0))
            address = "127.0.0.1:%d" % s.getsockname()[1]
            state = tempfile.mkdtemp(prefix="godwit-gs-test-")
            r = subprocess.run([program("godwit-gs"), "--state-dir", state, "--gs.udp-listen=" + address], capture_output=True, text=True, timeout=10, env=environment())
            shutil.rmtree(state)
        self.assertEqual(r.returncode, 1)
        self.assertEqual(len(r.stderr.strip().splitlines()), 1, r.stderr)
        self.assertIn(address, r.stderr)
        self.assertIn("gs.udp-listen", r.stderr)

    def test_it_is_small_when_idle(self):
        gs, _ = self.start()
        with open("/proc/%d/smaps_rollup" % gs.process.pid) as f:
            anonymous = sum(int(line.split()[1]) for line in f if line.startswith("Anonymous:"))
        if "asan" not in os.environ.get("GODWIT_BUILD", ""):
            self.assertLess(anonymous, 4096)


RESULTS = {"TOO_LATE": 2, "TOO_EARLY": 3, "COLLISION_PACKET": 4, "COLLISION_BEACON": 5, "TX_FREQ": 6, "TX_POWER": 7, "GPS_UNLOCKED": 8, "WHATEVER": 1}
SUCCESS, NO_TX_ACK = 0, 9


class SimulatedGateway(Base):
    """godwit-gs between a network server made here and a gateway of godwit-sim, which answers as forwarders do, or as told."""

    def begin(self, *flags, clock=True):
        self.start("--gs.default-frequency-plan=EU_863_870", "--gs.http-listen=127.0.0.1:0")
        self.sim = subprocess.Popen([program("godwit-sim"), "--server", "%s:%d" % self.gs.address, "--script", "--abp", "--gateway-eui", "%016X" % EUI,
                                     "--keepalive", "500ms", *flags], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment())
        self.addCleanup(self.end_sim)
        self.events, self.seen, self.serial = queue.Queue(), [], 0
        threading.Thread(target=self.read, daemon=True).start()
        self.ns.wait("GsNs/ReportGatewayStatus", 10, lambda p: p[4])
        if clock:
            self.uplink()

    def read(self):
        for line in self.sim.stdout:
            self.events.put(json.loads(line))

    def end_sim(self):
        if self.sim.poll() is None:
            self.sim.stdin.close()
            self.sim.wait(10)
        self.sim.stdout.close()

    def tell(self, **command):
        self.sim.stdin.write(json.dumps({"cmd": "gateway", "gateway": 0, **command}).encode() + b"\n")
        self.sim.stdin.flush()

    def event(self, name, timeout=8):
        """The next event of a name; others are kept for later."""
        for i, e in enumerate(self.seen):
            if e["event"] == name:
                return self.seen.pop(i)
        end = time.monotonic() + timeout
        while True:
            try:
                e = self.events.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError("no %s within %.1f s, but %s" % (name, timeout, self.seen)) from None
            if e["event"] == name:
                return e
            self.seen.append(e)

    def uplink(self):
        self.serial += 1
        self.tell(cmd="raw", phy="40%08x0000010001850000" % self.serial)
        return self.ns.wait("GsNs/HandleUplink", 5)[2][3]

    def request(self, tmst=None, wait_us=0, at_us=None, gps_ms=None, sf=7, airtime_us=46336):
        self.serial += 1
        r = super().request(tmst, wait_us)
        if tmst is None:
            del r[4]
        r.update({2: self.serial.to_bytes(16, "big"), 8: {1: 0, 2: sf, 3: 125000, 5: "4/5"}, 10: airtime_us})
        if at_us is not None:
            r[13] = at_us
        if gps_ms is not None:
            r[5] = gps_ms
        self.ns.call("NsGs/ScheduleDownlink", r)
        return r[2]

    def outcome(self, transmission, timeout=8):
        return self.ns.wait("GsNs/ReportTxAcknowledgment", timeout, lambda p: p[2] == transmission)[4]

    def metric(self, name):
        with urllib.request.urlopen("http://%s/metrics" % self.gs.addresses["gs.http"], timeout=5) as r:
            for line in r.read().decode().splitlines():
                if line.startswith(name + " "):
                    return int(line.split()[1])
        raise AssertionError("no metric " + name)

    def test_every_error_of_tx_ack_is_reported_by_its_number(self):
        self.begin()
        for word, number in RESULTS.items():
            self.tell(tx_ack=word)
            tmst = self.uplink()
            self.assertEqual((word, self.outcome(self.request((tmst + 1000000) % 2**32, 900000))), (word, number))
        self.tell(tx_ack="NONE")
        tmst = self.uplink()
        self.assertEqual(self.outcome(self.request((tmst + 1000000) % 2**32, 900000)), SUCCESS)
        self.assertEqual(self.event("emission")["tmst"], (tmst + 1000000) % 2**32)

    def test_an_answer_that_comes_too_late_or_never_is_none(self):
        self.begin()
        self.tell(tx_ack="NEVER")
        tmst = self.uplink()
        never = self.request((tmst + 600000) % 2**32, 500000)
        self.assertEqual(self.event("emission")["tmst"], (tmst + 600000) % 2**32)
        self.assertEqual(self.outcome(never), NO_TX_ACK)
        self.tell(tx_ack="LOST")
        tmst = self.uplink()
        self.assertEqual(self.outcome(self.request((tmst + 600000) % 2**32, 500000)), NO_TX_ACK)
        self.tell(tx_ack="NONE", tx_ack_delay_us=2500000)
        tmst = self.uplink()
        self.assertEqual(self.outcome(self.request((tmst + 600000) % 2**32, 500000)), NO_TX_ACK)
        end = time.monotonic() + 5
        while self.metric('gs_drops_total{reason="late_tx_ack"}') != 1:
            self.assertLess(time.monotonic(), end, "the answer that came too late was not counted as that")
            time.sleep(0.1)

    def test_a_delay_becomes_a_counter_and_the_forwarder_keeps_it(self):
        self.begin()
        tmst, before = self.uplink(), time.monotonic()
        self.assertEqual(self.outcome(self.request(at_us=1000000)), SUCCESS)
        late = (self.event("emission")["tmst"] - tmst) % 2**32 - 1000000
        self.assertLess(abs(late), 100000 + (time.monotonic() - before - 1) * 1e6)
        self.event("tx-ack")
        self.assertEqual(self.outcome(self.request(at_us=0)), SUCCESS)  # while the first one is on air
        self.assertGreater(self.event("tx-ack")["lead_us"], 42500)
        self.event("emission")

    def test_without_a_clock_a_delay_is_waited_for_here(self):
        self.begin(clock=False)
        before = time.monotonic()
        self.assertEqual(self.outcome(self.request(at_us=800000)), SUCCESS)
        self.event("emission")
        self.assertAlmostEqual(time.monotonic() - before, 0.8, delta=0.3)

    def test_immediate_frames_in_a_row_all_reach_the_air(self):
        self.begin(clock=True)
        sent = [self.request(sf=10, airtime_us=247808) for _ in range(4)]
        self.assertEqual([self.outcome(t) for t in sent], [SUCCESS] * 4)
        for _ in sent:
            self.event("emission")
        self.assertEqual(self.metric("gs_downlinks_held_total"), 3)
        names = [e["event"] for e in self.seen + list(self.events.queue)]
        self.assertNotIn("emission-dropped", names)

    def test_gps_time_is_kept_by_tmms_or_without_gps_by_the_counter(self):
        self.begin("--gps")
        self.ns.wait("GsNs/ReportGatewayStatus", 5, lambda p: p.get(28))

        def at(seconds):
            return int((time.time() + seconds - 315964800 + 18) * 1000)
        wanted = at(3.2)
        tmst, began = self.uplink(), time.time()
        self.assertEqual(self.outcome(self.request(gps_ms=wanted)), SUCCESS)
        began_ms = (began - 315964800 + 18) * 1000
        self.assertAlmostEqual((self.event("emission")["tmst"] - tmst) % 2**32 / 1000, wanted - began_ms, delta=100)
        self.tell(gps=False)
        self.assertEqual(self.outcome(self.request(gps_ms=at(3.2))), RESULTS["GPS_UNLOCKED"], "it was not known yet")
        self.assertEqual(self.outcome(self.request(gps_ms=at(1.0))), SUCCESS)
        self.event("emission")

    def test_a_gateway_that_starts_again_is_given_the_new_counter(self):
        self.begin()
        self.tell(reboot=True)
        self.gs.wait_log("gateway_moved")
        self.assertEqual(self.outcome(self.request(at_us=300000)), SUCCESS, "immediate, since the counter is in doubt")
        self.event("emission")
        tmst = self.uplink()
        self.assertLess(tmst, 20000000)
        self.gs.wait_log("concentrator_restart")
        self.assertEqual(self.outcome(self.request(at_us=300000)), SUCCESS)
        self.assertLess(self.event("emission")["tmst"], 40000000)

    def test_a_gateway_that_moves_is_reached_again_with_its_next_keepalive(self):
        self.begin()
        self.tell(move=True)
        self.gs.wait_log("gateway_moved")
        tmst = self.uplink()
        self.assertEqual(self.outcome(self.request((tmst + 1000000) % 2**32, 900000)), SUCCESS)
        self.event("emission")
        self.assertEqual(self.metric("gs_gateway_moves_total"), 1)

    def test_version_1_has_its_queue_here(self):
        self.begin("--forwarder", "v1")
        tmst = self.uplink()
        wanted = [(tmst + d) % 2**32 for d in (2600000, 1500000, 2000000)]
        sent = [self.request(t, (t - tmst) % 2**32) for t in wanted]
        at = [self.event("emission")["tmst"] for _ in wanted]
        self.assertEqual(at, [wanted[1], wanted[2], wanted[0]], "all of them, each in its time")
        self.assertEqual([self.outcome(t) for t in sent], [SUCCESS] * 3)


if __name__ == "__main__":
    unittest.main()
