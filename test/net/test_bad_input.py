"""Bad input gets a clear answer, and nothing else is lost."""
import json
import os
import re
import socket
import struct
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


class Radio(unittest.TestCase):
    """From the gateways' side."""

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()
        cls.key = cls.stack.create_application("app1")
        cls.device = Device(dev_addr=0x01DA1F15, nwk_s_key=os.urandom(16), app_s_key=os.urandom(16))
        cls.stack.create_abp(cls.device, "app1", "dev1")

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def setUp(self):
        self.gateway = Gateway(self.stack.address("gs.udp"))
        self.addCleanup(self.gateway.close)
        self.gateway.wait_path()
        self.sub = Subscriber(self.stack, self.key)
        self.addCleanup(self.sub.close)

    def check_alive(self):
        ups = self.sub.count("dev1/up")
        self.gateway.uplink(self.device.uplink(2, b"alive"))
        self.assertEqual(self.sub.wait("dev1/up", ups + 1)["uplink_message"]["frm_payload"], "YWxpdmU=")

    def test_truncated_and_foreign_datagrams(self):
        whole = struct.pack(">BHBQ", 2, 1, 0, self.gateway.eui) + json.dumps({"rxpk": [self.gateway.rxpk(os.urandom(20))]}).encode()
        for n in range(len(whole)):
            self.gateway.push.send(whole[:n])
            if n % 64 == 0:
                time.sleep(0.01)
        for data in (b"", b"\0" * 12, b"\xff" * 200, struct.pack(">BHBQ", 9, 1, 0, 1), struct.pack(">BHBQ", 2, 1, 7, 1), os.urandom(1400)):
            self.gateway.push.send(data)
        time.sleep(0.2)
        self.check_alive()

    def test_a_good_rxpk_beside_a_bad_one_is_kept(self):
        for bad in ({"tmst": "x"}, {"freq": "abc"}, {"datr": "SF99BW1"}, {"size": 3}, {"data": "%%%"}, {"modu": 5}, {"stat": -1}, {"rssi": None}):
            ups = self.sub.count("dev1/up")
            good = self.gateway.rxpk(self.device.uplink(2, b"good"))
            body = json.dumps({"rxpk": [{**self.gateway.rxpk(self.device.uplink(2, b"bad?")), **bad}, good, {}]})
            self.gateway.send_json(body)
            self.sub.wait("dev1/up", ups + 1)
        self.check_alive()

    def test_a_datagram_of_54_kilobytes(self):
        strangers = [self.gateway.rxpk(bytes([0x40]) + os.urandom(13)) for _ in range(260)]
        mine = self.gateway.rxpk(self.device.uplink(2, b"large"))
        body = json.dumps({"rxpk": strangers + [mine]}, separators=(",", ":"))
        self.assertGreater(len(body), 50000)
        ups = self.sub.count("dev1/up")
        self.gateway.send_json(body)
        self.assertEqual(self.sub.wait("dev1/up", ups + 1)["uplink_message"]["frm_payload"], "bGFyZ2U=")

    def test_every_datagram_is_acknowledged_before_it_is_understood(self):
        acks = len(self.gateway.acks)
        self.gateway.send_json("{not json")
        self.gateway.wait(lambda: len(self.gateway.acks) > acks, 3)

    def test_pushes_that_cannot_be_queued_fail_alone_and_say_why(self):
        cases = [
            ({"f_port": 0, "frm_payload": "AQ=="}, "invalid_f_port"), ({"f_port": 234, "frm_payload": "AQ=="}, "invalid_f_port"),
            ({"frm_payload": "AQ=="}, "no_f_port"), ({"f_port": 1}, "no_payload"), ({"f_port": 1, "frm_payload": "%%"}, "invalid_payload"),
            ({"f_port": 1, "frm_payload": "A" * 400}, "payload_too_long"), ({"f_port": 1, "frm_payload": "AQ==", "priority": "URGENT"}, "invalid_priority"),
        ]
        for n, (item, name) in enumerate(cases, 1):
            queued = self.sub.count("down/queued")
            self.sub.publish("v3/app1/devices/dev1/down/push", {"downlinks": [item, {"f_port": 33, "frm_payload": "AQ=="}]})
            failed = self.sub.wait("down/failed", n)["downlink_failed"]
            self.assertEqual(failed["error"]["name"], name, item)
            self.assertIn("message_format", failed["error"])
            self.sub.wait("down/queued", queued + 1)
        self.sub.publish("v3/app1/devices/dev1/down/push", "{not json")
        failed = self.sub.wait("down/failed", len(cases) + 1)
        self.assertEqual(failed["downlink_failed"]["error"]["name"], "invalid_json")
        self.assertNotIn("downlink", failed["downlink_failed"])
        self.sub.publish("v3/app1/devices/nobody/down/push", {"downlinks": [{"f_port": 1, "frm_payload": "AQ=="}]})
        failed = self.sub.wait("nobody/down/failed")
        self.assertEqual(failed["downlink_failed"]["error"]["name"], "device_not_found")
        self.assertRegex(failed["correlation_ids"][0], "^as:downlink:")
        # The seeds' own example has a comma too many.
        queued = self.sub.count("down/queued")
        self.sub.publish("v3/app1/devices/dev1/down/push", '{"downlinks": [{"f_port": 15,"frm_payload": "vu8=","priority": "NORMAL",}]}')
        self.sub.wait("down/queued", queued + 1)
        self.stack.cli("end-devices", "downlink", "clear", "app1", "dev1")

    def test_a_device_without_session_is_told_so(self):
        self.stack.create_otaa(Device(dev_eui=0x70B3D57ED005AAAA, join_eui=1, app_key=bytes(16)), "app1", "unjoined")
        self.sub.publish("v3/app1/devices/unjoined/down/push", {"downlinks": [{"f_port": 1, "frm_payload": "AQ=="}]})
        self.assertEqual(self.sub.wait("unjoined/down/failed")["downlink_failed"]["error"]["name"], "no_device_session")

    def test_unknown_gateway_commands_and_keys(self):
        for args, says in ((("gateways", "get", "nobody"), "nobody"), (("end-devices", "get", "app1", "nobody"), "nobody"),
                           (("applications", "get", "nobody"), "nobody")):
            with self.assertRaises(CommandError) as caught:
                self.stack.cli(*args)
            self.assertEqual(caught.exception.status, 1)
            self.assertRegex(caught.exception.stderr, "^error: .*" + says)
        wrong = self.stack.run("--api-key", "NNSXS.WRONG.KEY", "applications", "list", check=False)
        self.assertEqual(wrong.returncode, 1)
        self.assertRegex(wrong.stderr, "^error: ")
        usage = self.stack.run("applications", "fly", check=False)
        self.assertEqual(usage.returncode, 2)
        bad = self.stack.run("end-devices", "create", "app1", "dev9", "--dev-eui", "xyz", "--join-eui", "0000000000000001",
                             "--frequency-plan-id", "EU_863_870", "--lorawan-version", "1.0.3", "--root-keys.app-key.key", "00" * 16, check=False)
        self.assertNotEqual(bad.returncode, 0)
        self.assertIn("dev-eui", bad.stderr.replace("_", "-"))

    def test_http_without_or_with_a_wrong_key(self):
        host, port = self.stack.address("as.http")
        for headers in ({}, {"Authorization": "Bearer NNSXS.X.Y"}):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(urllib.request.Request("http://%s:%d/api/v3/applications" % (host, port), headers=headers), timeout=5)
            self.assertIn(caught.exception.code, (401, 403))
            self.assertIn("message", json.load(caught.exception))

    def test_mqtt_port_survives_nonsense(self):
        for data in (b"\0" * 10, b"\x10\xff\xff\xff\xff\xff", b"GET / HTTP/1.1\r\n\r\n", b"\x10\x02\0\0", os.urandom(500)):
            with socket.create_connection(self.stack.address("as.mqtt"), 5) as s:
                s.sendall(data)
                s.settimeout(12)
                try:
                    while s.recv(100):
                        pass
                except ConnectionError:
                    pass
        self.check_alive()


class Starting(unittest.TestCase):
    """From the operator's side: one clear line, status 1."""

    def setUp(self):
        self.dir = tempfile.TemporaryDirectory(prefix="godwit-test-")
        self.addCleanup(self.dir.cleanup)

    def fails(self, name, *args, status=1):
        p = subprocess.run([program(name)] + list(args), capture_output=True, text=True, timeout=30, env=environment())
        self.assertEqual(p.returncode, status, p.stderr)
        return p.stderr

    def test_unknown_key_and_bad_value_name_file_and_line(self):
        conf = os.path.join(self.dir.name, "godwit.conf")
        for text, line, word in (("[gs]\nudp-lisen = 1\n", 2, "udp-lisen"), ("\n[gs]\n\nrequire-registered = perhaps\n", 4, "perhaps"),
                                 ("\n[nonsense]\nx=1\n", 3, "nonsense")):
            with open(conf, "w") as f:
                f.write(text)
            said = self.fails("godwit-gs", "--config", conf, "--state-dir", self.dir.name)
            self.assertRegex(said, re.escape(conf) + ":%d: .*%s" % (line, word))
            self.assertEqual(len(said.strip().splitlines()), 1, said)
            self.fails("godwit-gs", "--check-config", "--config", conf)
        self.fails("godwit-gs", "--gs.udp-lisen=1", "--state-dir", self.dir.name)
        self.assertIn("missing.conf", self.fails("godwit-ns", "--config", os.path.join(self.dir.name, "missing.conf")))

    def test_port_in_use_is_named_with_its_key(self):
        for kind, key, name in ((socket.SOCK_DGRAM, "gs.udp-listen", "godwit-gs"), (socket.SOCK_STREAM, "as.mqtt-listen", "godwit-as"),
                                (socket.SOCK_STREAM, "as.http-listen", "godwit-as")):
            with socket.socket(socket.AF_INET, kind) as taken:
                taken.bind(("127.0.0.1", 0))
                if kind == socket.SOCK_STREAM:
                    taken.listen()
                address = "127.0.0.1:%d" % taken.getsockname()[1]
                others = ["--%s=127.0.0.1:0" % k for k in ("gs.udp-listen", "as.mqtt-listen", "as.http-listen") if k != key]
                said = self.fails(name, "--state-dir", self.dir.name, "--%s=%s" % (key, address), *others)
                self.assertIn(address, said)
                self.assertIn(key, said)
                said = self.fails("godwit", "up", "--state-dir", self.dir.name, "--%s=%s" % (key, address), *others)
                self.assertEqual(sum(address in line for line in said.splitlines()), 1, said)

    def test_state_directory_without_permission(self):
        if os.geteuid() == 0:
            blocked = os.path.join(self.dir.name, "file", "below")
            with open(os.path.join(self.dir.name, "file"), "w"):
                pass
        else:
            blocked = os.path.join(self.dir.name, "locked", "below")
            os.mkdir(os.path.join(self.dir.name, "locked"), 0o500)
        for name in ("godwit-gs", "godwit-ns", "godwit-as"):
            self.assertIn(blocked, self.fails(name, "--state-dir", blocked))

    def test_help_version_and_usage(self):
        for name in ("godwit-gs", "godwit-ns", "godwit-as", "godwit"):
            for flag in ("--help", "--version"):
                p = subprocess.run([program(name), flag], capture_output=True, text=True, timeout=30, env=environment())
                self.assertEqual(p.returncode, 0)
                self.assertTrue(p.stdout.strip())
        self.fails("godwit-gs", "--no-such-flag", status=2)


if __name__ == "__main__":
    unittest.main()
