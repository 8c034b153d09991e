"""godwit-as and a network server made here: it is told of every change of the registry, once that is on disk, and of nothing else."""
import os
import socket
import sys
import threading
import time
import unittest

import msgpack

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from test_api import KEY, Server, abp, otaa  # noqa: E402

EUI = 0x0242020000247803


class Replica:
    """Listens where the network server would, and keeps what Sync says, as a network server does."""

    def __init__(self, path):
        self.path = path
        self.store_id, self.revision, self.devices, self.gateways, self.seen = b"", 0, {}, {}, None
        self.batches, self.hold, self.refuse, self.asked = [], 0, False, []
        self.state = {}
        self.connection = self.listener = None
        self.lock = threading.Lock()

    def listen(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen(4)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()
        return self

    def close(self):
        self.listener.close()
        if self.connection:
            try:
                self.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.connection.close()
        self.connection = None

    def _accept(self, listener):
        while True:
            try:
                c, _ = listener.accept()
            except OSError:
                return
            self.connection = c
            threading.Thread(target=self._serve, args=(c,), daemon=True).start()

    def _serve(self, c):
        unpacker = msgpack.Unpacker(raw=False, strict_map_key=False)
        while True:
            try:
                data = c.recv(1 << 16)
            except OSError:
                return
            if not data:
                c.close()
                return
            unpacker.feed(data)
            for m in unpacker:
                if m[0] == 0:
                    self._answer(c, m[1], m[2], m[3][0])

    def _answer(self, c, number, method, params):
        answer = {}
        if method == "Bus/Hello":
            answer = {1: params[1], 2: "ns", 3: "test", 4: bytes(range(16))}
        elif method == "AsNs/SyncState":
            answer = {1: self.store_id, 2: self.revision} if self.store_id else {}
        elif method == "AsNs/Sync":
            self.batches.append(params)
            if self.hold:
                time.sleep(self.hold)
            if self.refuse:
                c.sendall(msgpack.packb([1, number, {1: "no", 2: "not now"}, None]))
                return
            self._take(params)
        elif method == "AsNs/GetDevice":
            self.asked.append(params[1])
            if self.state is None:
                return
            answer = self.state
        try:
            c.sendall(msgpack.packb([1, number, None, answer], use_bin_type=True))
        except OSError:
            pass

    def _take(self, p):
        if p.get(2):
            self.seen = set()
        for e in p[5]:
            number, table = (e[2], self.devices) if 2 in e else (e[3], self.gateways)
            if e.get(4):
                table.pop(number, None)
                continue
            table[number] = e.get(5) or e.get(6)
            if self.seen is not None:
                self.seen.add(number)
        if p.get(3):
            for table in (self.devices, self.gateways):
                for number in [n for n in table if n not in self.seen]:
                    del table[number]
            self.seen = None
        self.store_id, self.revision = p[1], p[4]

    def notify(self, method, params):
        self.connection.sendall(msgpack.packb([2, method, [params]], use_bin_type=True))

    def names(self):
        return sorted(d[2] for d in self.devices.values()), sorted(g[1] for g in self.gateways.values())


class ReplicaTest(unittest.TestCase):
    settings = ()

    def setUp(self):
        self.server = Server(*self.settings).start()
        self.addCleanup(self.server.close)
        self.ns = Replica(os.path.join(self.server.state, "ns.sock"))
        self.addCleanup(lambda: self.ns.close())
        self.ask("POST", "/a/applications", {"ids": {"application_id": "app1"}})

    def ask(self, method, path, body=None, expect=200):
        status, answer = self.server.ask(method, path, body)
        self.assertEqual(status, expect, answer)
        return answer

    def add(self, n):
        self.ask("POST", "/a/applications/app1/devices", otaa("dev%d" % n, "70B3D57ED00B%04X" % n))

    def until(self, condition, what, timeout=8):
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                raise AssertionError("not within %d s: %s; %r" % (timeout, what, self.ns.names()))
            time.sleep(0.01)

    def connect(self):
        self.ns.listen()
        self.until(self.in_step, "in step")

    def in_step(self):
        return "\nas_network_server_connected 1\n" in self.server.ask("GET", "/metrics", key="")[1]

    def test_everything_is_told_at_first_and_changes_after(self):
        for n in range(40):
            self.add(n)
        self.ask("POST", "/a/gateways", {"ids": {"gateway_id": "gtw1", "eui": "%016X" % EUI}, "frequency_plan_id": "EU_863_870",
                                         "enforce_duty_cycle": False, "location": {"latitude": 52.5, "longitude": 4.25}})
        self.ask("DELETE", "/a/applications/app1/devices/dev3")
        self.ask("POST", "/a/applications/app1/devices", {"ids": {"device_id": "over-ip"}})
        self.connect()
        devices, gateways = self.ns.names()
        self.assertEqual(devices, sorted("dev%d" % n for n in range(40) if n != 3))
        gateway, = self.ns.gateways.values()
        self.assertEqual(gateway, {1: "gtw1", 2: EUI, 3: "EU_863_870", 4: True, 5: 525000000, 6: 42500000, 7: 0})
        self.assertTrue(self.ns.batches[0][2] and self.ns.batches[-1][3])
        self.assertTrue(all(len(b[5]) <= 16 for b in self.ns.batches))
        self.ask("POST", "/a/applications/app1/devices", abp("abp1", mac_settings={"rx1_delay": "RX_DELAY_2"}))
        told, = [d for d in self.ns.devices.values() if d[2] == "abp1"]
        self.assertEqual((told[1], told[5], told[7], told[8]), ("app1", 4, "EU_863_870", False))
        self.assertEqual((told[11][1], told[11][2], told[11][8], told[12][1]), (0x01DA1F15, bytes.fromhex(KEY), 1, 2))
        self.ask("DELETE", "/a/applications/app1/devices/abp1")
        self.assertEqual([d for d in self.ns.devices.values() if d[2] == "abp1"], [])
        self.assertNotIn(bytes.fromhex(KEY), msgpack.packb(self.ns.batches[:3], use_bin_type=True), "a root key left the application server")

    def test_an_answer_waits_for_the_network_server_but_not_long(self):
        self.connect()
        self.ns.hold = 0.2
        began = time.monotonic()
        self.add(1)
        self.assertGreater(time.monotonic() - began, 0.19)
        self.assertEqual(self.ns.names()[0], ["dev1"])
        self.ns.hold = 2
        began = time.monotonic()
        self.add(2)
        self.assertLess(time.monotonic() - began, 1)
        self.until(lambda: self.ns.names()[0] == ["dev1", "dev2"], "late, but told")

    def test_what_changed_while_it_was_away_is_told_when_it_is_back(self):
        for n in range(5):
            self.add(n)
        self.connect()
        self.ns.close()
        self.until(lambda: not self.in_step(), "away")
        before = len(self.ns.batches)
        self.ask("DELETE", "/a/applications/app1/devices/dev1")
        self.ask("PUT", "/a/applications/app1/devices/dev2", {"end_device": {"supports_class_c": True}})
        self.add(7)
        self.connect()
        self.assertEqual(self.ns.names()[0], ["dev0", "dev2", "dev3", "dev4", "dev7"])
        self.assertEqual(sum(len(b[5]) for b in self.ns.batches[before:]), 3)
        self.assertFalse(any(b.get(2) for b in self.ns.batches[before:]))

    def test_the_same_after_a_kill_of_the_application_server(self):
        for n in range(5):
            self.add(n)
        self.connect()
        self.server.kill()
        self.server.start()
        self.until(self.in_step, "in step")
        before = len(self.ns.batches)
        self.ask("DELETE", "/a/applications/app1/devices/dev1")
        self.server.kill()
        self.server.start()
        self.until(self.in_step, "in step")
        self.assertEqual(self.ns.names()[0], ["dev0", "dev2", "dev3", "dev4"])
        self.assertFalse(any(b.get(2) for b in self.ns.batches[before:]))

    def test_a_replica_of_another_registry_is_told_everything(self):
        self.add(1)
        self.ns.store_id, self.ns.revision = bytes(16), 77
        self.ns.devices[99] = {2: "stranger"}
        self.connect()
        self.assertEqual(self.ns.names()[0], ["dev1"])
        self.ns.close()
        self.until(lambda: not self.in_step(), "away")
        self.ns.revision = 99
        self.ns.devices[98] = {2: "ahead"}
        self.connect()
        self.assertEqual(self.ns.names()[0], ["dev1"])

    def test_a_refused_batch_is_sent_again(self):
        self.connect()
        self.ns.refuse = True
        self.add(1)
        self.assertEqual(self.ns.names()[0], [])
        self.ns.refuse = False
        self.until(lambda: self.ns.names()[0] == ["dev1"], "sent again")

    def test_live_state_is_shown_when_asked_for(self):
        self.connect()
        self.add(1)
        path = "/a/applications/app1/devices/dev1"
        session = bytes(range(16))
        self.ns.state = {1: 0x260B12AB, 2: session, 3: 41, 4: 7, 5: 1_700_000_000_000_000, 6: 1_700_000_001_000_000, 8: 5, 9: 3,
                         10: 869525000, 11: 0}
        shown = self.ask("GET", path + "?field_mask=session,mac_state")
        self.assertEqual(shown["session"], {"dev_addr": "260B12AB", "keys": {"session_key_id": "AAECAwQFBgcICQoLDA0ODw=="},
                                            "last_f_cnt_up": 41, "last_n_f_cnt_down": 7, "started_at": "2023-11-14T22:13:20Z"})
        self.assertEqual(shown["mac_state"]["current_parameters"]["rx1_delay"], "RX_DELAY_5")
        self.assertEqual(shown["mac_state"]["current_parameters"]["rx2_frequency"], "869525000")
        self.assertEqual(self.ns.asked, list(self.ns.devices))
        self.ns.state = None
        began = time.monotonic()
        shown = self.ask("GET", path + "?field_mask=session")
        self.assertNotIn("session", shown)
        self.assertLess(time.monotonic() - began, 2)

    def test_readiness_and_connection_stats(self):
        self.connect()
        self.assertEqual(self.server.ask("GET", "/healthz/ready", key=""),
                         (503, "no gateway server is connected to the network server\n"))
        self.ns.notify("NsAs/ReportPeers", {1: 1})
        self.until(lambda: self.server.ask("GET", "/healthz/ready", key="") == (200, "ready\n"), "ready")
        status = {1: "eui-0242020000247803", 2: EUI, 3: True, 4: False, 6: bytes(16), 7: "127.0.0.1:4711", 9: 1_700_000_000_000_000,
                  10: 1_700_000_001_500_000, 13: 12, 14: 3, 15: 3, 16: 11000, 17: 12500, 18: 40000, 19: 20,
                  23: [{1: 868000000, 2: 868600000, 3: 10000, 4: 1234}]}
        self.ns.notify("NsAs/ReportGatewayStatus", status)
        path = "/a/gs/gateways/eui-0242020000247803/connection/stats"
        self.until(lambda: self.server.ask("GET", path)[0] == 200, "known")
        stats = self.ask("GET", path)
        self.assertEqual(stats["connected_at"], "2023-11-14T22:13:20Z")
        self.assertEqual((stats["protocol"], stats["uplink_count"], stats["downlink_count"]), ("udp", "12", "3"))
        self.assertEqual(stats["last_uplink_received_at"], "2023-11-14T22:13:21.500Z")
        self.assertEqual(stats["round_trip_times"], {"min": "0.011s", "max": "0.04s", "median": "0.0125s", "count": 20})
        self.assertEqual(stats["sub_bands"], [{"min_frequency": "868000000", "max_frequency": "868600000",
                                               "downlink_utilization_limit": 0.01, "downlink_utilization": 0.001234}])
        heard, = self.ask("GET", "/a/gateways")["gateways"]
        self.assertEqual((heard["ids"]["eui"], heard["registered"]), ("0242020000247803", False))
        self.assertIn("godwit gateways adopt 0242020000247803", heard["hint"])
        self.ns.close()
        self.until(lambda: "disconnected_at" in self.ask("GET", path), "disconnected")
        self.assertEqual(self.server.ask("GET", "/healthz/ready", key="")[0], 503)


class SlowDisk(ReplicaTest):
    settings = ("--as.store-commit-delay=150ms",)

    def test_nothing_is_told_before_it_is_on_disk(self):
        self.connect()
        began = time.monotonic()
        made = threading.Thread(target=self.add, args=(1,))
        made.start()
        while not self.ns.names()[0]:
            time.sleep(0.005)
        self.assertGreater(time.monotonic() - began, 0.14)
        made.join()

    def test_a_stop_in_the_middle_of_a_change_keeps_it(self):
        def try_to(n):
            try:
                self.add(n)
            except (AssertionError, OSError):
                pass
        self.connect()
        made = threading.Thread(target=try_to, args=(1,))
        made.start()
        time.sleep(0.05)
        self.server.stop()
        made.join()
        self.server.start()
        self.ask("GET", "/a/applications/app1/devices/dev1")


def load_tests(loader, tests, pattern):
    """Those of this file only; the slow disk runs its own."""
    suite = unittest.TestSuite(loader.loadTestsFromTestCase(ReplicaTest))
    suite.addTests(SlowDisk(name) for name in loader.getTestCaseNames(SlowDisk) if not hasattr(ReplicaTest, name))
    return suite


if __name__ == "__main__":
    unittest.main()
