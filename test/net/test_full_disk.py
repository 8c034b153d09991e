"""A full disk: nothing new is taken, and said so; what is there is served; with room again it goes on by itself."""
import base64
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(__file__))
from gateway import Gateway  # noqa: E402
from godwit import CommandError, Stack, Subscriber, environment, program  # noqa: E402
from lorawan import Device  # noqa: E402

BIG = base64.b64encode(bytes(200)).decode()
NOBODY = 65534


class FullDisk(unittest.TestCase):
    def start(self, *settings):
        self.stack = Stack(*settings, start=False).fix_ports().start()
        self.addCleanup(self.stack.close)
        self.key = self.stack.create_application("app1")
        self.devices = []
        for n in range(4):
            device = Device(dev_addr=0x01F00D00 + n, nwk_s_key=os.urandom(16), app_s_key=os.urandom(16))
            self.stack.create_abp(device, "app1", "dev%d" % n)
            self.devices.append(device)
        self.gateway = Gateway(self.stack.address("gs.udp"))
        self.addCleanup(self.gateway.close)
        self.gateway.wait_path()

    def http(self, method, path, body=None):
        """(status, answer)"""
        with open(os.path.join(self.stack.state, "admin.key")) as f:
            key = f.read().strip()
        request = urllib.request.Request("http://%s:%d%s" % (*self.stack.address("as.http"), path), method=method,
                                         data=None if body is None else json.dumps(body).encode(), headers={"Authorization": "Bearer " + key})
        try:
            with urllib.request.urlopen(request, timeout=20) as r:
                return r.status, r.read()
        except urllib.error.HTTPError as e:
            return e.code, e.read()

    def push_http(self, dev, n=100):
        path = "/api/v3/as/applications/app1/devices/%s/down/push" % dev
        return self.http("POST", path, {"downlinks": [{"f_port": 1, "frm_payload": BIG}] * n})[0]

    def fill(self):
        """Push until it is refused for good; how many pushes were taken. What a subscriber still acknowledges makes room again."""
        taken = refused = 0
        while taken < 400:
            status = self.push_http("dev%d" % (taken % 4), 10 if refused else 100)
            if status == 200:
                taken, refused = taken + 1, 0
                continue
            self.assertEqual(status, 503)
            refused += 1
            if refused == 4:
                return taken
            time.sleep(0.25)
        self.fail("never full")

    def check_refusals(self):
        status, answer = self.http("POST", "/api/v3/applications", {"application": {"ids": {"application_id": "more"}}})
        self.assertEqual(status, 503)
        self.assertIn("disk", json.loads(answer)["message"])
        with self.assertRaises(CommandError) as refused:
            self.stack.cli("applications", "create", "more")
        self.assertIn("disk", refused.exception.stderr)
        self.assertEqual(self.http("GET", "/healthz/ready")[0], 503)
        # What is there is served.
        self.assertEqual(len(self.stack.cli("end-devices", "list", "app1")), 4)
        self.assertGreater(len(self.stack.cli("end-devices", "downlink", "list", "app1", "dev1")), 0)

    def wait_for(self, condition, what, timeout=20):
        end = time.monotonic() + timeout
        while not condition():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.1)

    def test_the_application_servers_store_is_full_until_queues_are_cleared(self):
        self.start("--as.store-max-size=1MB")
        sub = Subscriber(self.stack, self.key, client_id="keeper", clean=False)
        self.addCleanup(sub.close)
        sub.client.reconnect_delay_set(1, 1)
        self.assertGreater(self.fill(), 1)
        self.check_refusals()
        acknowledged = []
        sub.client.on_publish = lambda _c, _u, mid: acknowledged.append(mid)
        push = sub.client.publish("v3/app1/devices/dev0/down/push", json.dumps({"downlinks": [{"f_port": 9, "frm_payload": "AQ=="}]}), 1)
        # An uplink is not lost either: the network server keeps it.
        self.gateway.uplink(self.devices[3].uplink(2, b"kept"))
        time.sleep(3)
        self.assertEqual(acknowledged, [], "a push was acknowledged that is not stored")
        self.assertEqual(sub.count("dev3/up"), 0)
        for n in range(4):
            self.stack.cli("end-devices", "downlink", "clear", "app1", "dev%d" % n)
        self.wait_for(lambda: push.mid in acknowledged, "the push that was refused was never taken")
        sub.wait("dev3/up", 1, 10)
        self.wait_for(lambda: self.http("GET", "/healthz/ready")[0] == 200, "not ready again")
        self.assertEqual([i["f_port"] for i in self.stack.cli("end-devices", "downlink", "list", "app1", "dev0")], [9])
        self.stack.cli("applications", "create", "more")

    def test_an_empty_replace_makes_room_over_mqtt(self):
        self.start("--as.store-max-size=1MB")
        sub = Subscriber(self.stack, self.key)
        self.addCleanup(sub.close)
        self.fill()
        sub.publish("v3/app1/devices/dev0/down/push", {"downlinks": [{"f_port": 9, "frm_payload": "AQ=="}]}, 0)  # which cannot come again
        self.assertEqual(sub.wait("dev0/down/failed")["downlink_failed"]["error"]["name"], "store_unavailable")
        for n in range(4):
            sub.client.publish("v3/app1/devices/dev%d/down/replace" % n, '{"downlinks":[]}', 1)
        self.wait_for(lambda: self.push_http("dev0", 1) == 200, "no room was made")

    def test_the_network_servers_store_is_full_while_the_application_server_is_away(self):
        self.start("--ns.store-max-size=200KB")
        sub = Subscriber(self.stack, self.key)
        self.addCleanup(sub.close)
        stopped = self.stack.pid("as")
        os.kill(stopped, signal.SIGSTOP)
        try:
            # Frames are small: what fills the outbox is 900 of them, well within what the gateway server keeps.
            for n in range(900):
                self.gateway.uplink(self.devices[n % 4].uplink(2, b"n%05d" % n + bytes(40)), chan=n % 8, freq=868.1 + 0.2 * (n % 3))
                time.sleep(0.004)
            self.wait_for(lambda: "store_full" in self.stack.log_text(), "the store never filled")
            self.wait_for(lambda: "store_unavailable" in self.stack.log_text(), "nothing was refused")
        finally:
            os.kill(stopped, signal.SIGCONT)
        self.wait_for(lambda: sub.count("/up") >= 900, "frames are missing", 60)
        payloads = [base64.b64decode(m["uplink_message"]["frm_payload"])[:6] for t, m in sub.messages if t.endswith("/up")]
        for n in range(4):
            mine = [p for p in payloads if int(p[1:]) % 4 == n]
            self.assertEqual(mine, sorted(set(mine)), "a frame came twice, or before an older one")
        self.gateway.uplink(self.devices[0].uplink(2, b"again", confirmed=True))
        self.assertTrue(self.devices[0].downlink(self.gateway.wait_emission(1, 4).phy).ack)

    def test_a_disk_that_takes_no_more_octets(self):
        """The kernel refuses writes beyond a limit of the process's, and takes them again when the limit is gone."""
        self.start()
        size = os.path.getsize(os.path.join(self.stack.state, "as", "data.mdb"))
        sub = Subscriber(self.stack, self.key)
        self.addCleanup(sub.close)
        pid = self.stack.pid("as")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size + (1 << 17), resource.RLIM_INFINITY))
        self.fill()
        self.assertIn("store_failed", self.stack.log_text())
        self.check_refusals()
        self.gateway.uplink(self.devices[3].uplink(2, b"kept"))
        time.sleep(2)
        self.assertEqual(sub.count("dev3/up"), 0)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.wait_for(lambda: "store_recovered" in self.stack.log_text(), "it did not recover", 40)
        sub.wait("dev3/up", 1, 10)
        self.wait_for(lambda: self.push_http("dev0", 1) == 200, "nothing is taken")
        self.assertEqual(self.stack.pid("as"), pid, "it did not live through it")

    def test_a_state_directory_that_cannot_be_written_is_one_line(self):
        if os.getuid() != 0:
            self.skipTest("needs root to become somebody else")
        state = self.enterContext(tempfile.TemporaryDirectory())
        os.chmod(state, 0o555)
        for name in ("gs", "ns", "as"):
            with self.subTest(name):
                p = subprocess.run([program("godwit-" + name), "--state-dir", state], capture_output=True, text=True, timeout=10, user=NOBODY,
                                   env=environment())
                self.assertEqual(p.returncode, 1)
                lines = [x for x in p.stderr.splitlines() if x]
                self.assertEqual(len(lines), 1, p.stderr)
                self.assertIn(state, lines[0])
                self.assertIn("ermission denied", lines[0])




if __name__ == "__main__":
    unittest.main()
