"""The three processes as on hosts of their own: the bus on TCP with mutual TLS, certificates from godwit-bus-ca, renewed on SIGHUP."""
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway import Gateway  # noqa: E402
from godwit import PLAN, SOURCE, Stack, Subscriber, environment, program  # noqa: E402
from lorawan import Device  # noqa: E402


class Host:
    """One process with a state directory and a certificate of its own."""

    def __init__(self, name, tls, *settings):
        self.name = name
        self.state = tempfile.mkdtemp(prefix="godwit-host-")
        self.flags = ["--state-dir", self.state, "--bus.tls-ca=" + tls("ca.crt"), "--bus.tls-certificate=" + tls(name + ".crt"),
                      "--bus.tls-key=" + tls(name + ".key"), *settings]
        self.process = None

    def start(self):
        self.log = open(os.path.join(self.state, "test.log"), "ab")
        self.process = subprocess.Popen([program("godwit-" + self.name), *self.flags], stderr=self.log, env=environment())
        self.wait_log("msg=ready")
        return self

    def text(self):
        with open(os.path.join(self.state, "test.log"), errors="replace") as f:
            return f.read()

    def wait_log(self, word, n=1, timeout=15):
        end = time.monotonic() + timeout
        while self.text().count(word) < n:
            if time.monotonic() > end or self.process.poll() is not None:
                raise AssertionError("godwit-%s did not say %s:\n%s" % (self.name, word, self.text()[-3000:]))
            time.sleep(0.05)

    def address(self, name):
        with open(os.path.join(self.state, "addresses.json")) as f:
            return json.load(f)[name]

    def close(self):
        if self.process:
            self.process.terminate()
            status = self.process.wait(10)
            self.log.close()
            text = self.text()
            self.process = None
            if status or "Sanitizer" in text or "runtime error" in text:
                raise AssertionError("godwit-%s ended with %d:\n%s" % (self.name, status, text[-3000:]))
        shutil.rmtree(self.state, ignore_errors=True)


class BusTls(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="godwit-ca-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.certify("ca", "tls")

    def certify(self, ca, out, *hosts):
        subprocess.run([os.path.join(SOURCE, "deploy", "bus-ca"), os.path.join(self.folder, ca), os.path.join(self.folder, out),
                        *(hosts or ("ns,localhost,127.0.0.1", "gs", "as"))], check=True, capture_output=True)

    def tls(self, name, folder="tls"):
        return os.path.join(self.folder, folder, name)

    def host(self, name, *settings, tls=None):
        host = Host(name, tls or self.tls, *settings)
        self.addCleanup(host.close)
        return host.start()

    def network_server(self):
        # A port that is nobody's now: the other two must be able to find it again after a restart.
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        return self.host("ns", "--ns.listen=tcp:127.0.0.1:%d" % self.port)

    def where(self, name="localhost"):
        return "--ns.address=tcp:%s:%d" % (name, self.port)

    def test_an_uplink_and_a_downlink_cross_three_hosts(self):
        self.network_server()
        gs = self.host("gs", self.where("127.0.0.1"), "--gs.udp-listen=127.0.0.1:0", "--gs.default-frequency-plan=" + PLAN)
        application_server = self.host("as", self.where(), "--as.mqtt-listen=127.0.0.1:0", "--as.http-listen=127.0.0.1:0")
        stack = Stack(state=application_server.state, start=False)
        stack.addresses = {"as.mqtt": application_server.address("as.mqtt")}
        key = stack.create_application("app1")
        device = Device(dev_eui=0x70B3D57ED0051234, join_eui=1, app_key=bytes(range(16)))
        stack.create_otaa(device)
        subscriber = Subscriber(stack, key)
        self.addCleanup(subscriber.close)
        host, port = gs.address("gs.udp").rsplit(":", 1)
        gateway = Gateway((host, int(port)))
        self.addCleanup(gateway.close)
        gateway.wait_path()
        gateway.uplink(device.join_request())
        device.accept(gateway.wait_emission(1).phy)
        gateway.uplink(device.uplink(1, b"\x01\x02"))
        self.assertEqual(subscriber.wait("/up")["uplink_message"]["frm_payload"], "AQI=")
        subscriber.publish("v3/app1/devices/dev1/down/push", {"downlinks": [{"f_port": 15, "frm_payload": "vu8="}]})
        subscriber.wait("/queued")
        gateway.uplink(device.uplink(1, b"\x03"))
        self.assertEqual(device.downlink(gateway.wait_emission(2).phy).payload, b"\xbe\xef")

    def test_who_has_no_certificate_of_the_authority_is_refused(self):
        self.network_server()
        self.certify("other", "foreign")
        stranger = self.host("gs", self.where(), "--gs.udp-listen=127.0.0.1:0", tls=lambda name: self.tls(name, "foreign"))
        time.sleep(1.5)
        self.assertNotIn("ns_connected", stranger.text())
        context = ssl.create_default_context(cafile=self.tls("ca.crt"))
        with self.assertRaises((ssl.SSLError, ConnectionError)), socket.create_connection(("127.0.0.1", self.port), 5) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as s:
                s.sendall(b"\0" * 64)
                if not s.recv(1):
                    raise ConnectionResetError

    def test_certificates_of_an_authority_that_was_lost_are_made_anew(self):
        def files():
            found = {}
            for name in ("ca.crt", "ns.crt", "ns.key"):
                with open(os.path.join(self.folder, "again", name), "rb") as f:
                    found[name] = f.read()
            return found
        self.certify("again-ca", "again", "ns,127.0.0.1")
        first = files()
        self.certify("again-ca", "again", "ns,127.0.0.1")
        self.assertEqual(files(), first)
        shutil.rmtree(os.path.join(self.folder, "again-ca"))
        self.certify("again-ca", "again", "ns,127.0.0.1")
        second = files()
        for name in first:
            self.assertNotEqual(first[name], second[name], name)
        subprocess.run(["openssl", "verify", "-CAfile", os.path.join(self.folder, "again", "ca.crt"), os.path.join(self.folder, "again", "ns.crt")],
                       check=True, capture_output=True)

    def test_a_network_server_of_another_name_is_not_trusted(self):
        self.certify("ca", "misnamed", "ns,elsewhere.example", "gs")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.host("ns", "--ns.listen=tcp:127.0.0.1:%d" % self.port, tls=lambda name: self.tls(name, "misnamed"))
        gs = self.host("gs", self.where(), "--gs.udp-listen=127.0.0.1:0")
        time.sleep(1.5)
        self.assertNotIn("ns_connected", gs.text())

    def test_a_renewed_authority_is_taken_without_a_restart(self):
        ns = self.network_server()
        gs = self.host("gs", self.where(), "--gs.udp-listen=127.0.0.1:0")
        gs.wait_log("ns_connected")
        shutil.rmtree(self.tls(""))
        self.certify("renewed", "tls")
        gs.process.send_signal(signal.SIGHUP)
        gs.wait_log("msg=reload")
        ns.close()
        ns = self.host("ns", "--ns.listen=tcp:127.0.0.1:%d" % self.port)
        gs.wait_log("ns_connected", 2)
        self.assertNotIn("reload_failed", gs.text())


if __name__ == "__main__":
    unittest.main()
