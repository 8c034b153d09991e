"""MQTT over TLS on as.mqtts-listen, with OpenSSL's certificates and a client that is not ours; certificates are renewed on SIGHUP."""
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import paho.mqtt.client as paho

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from godwit import environment, program  # noqa: E402
from test_api import Server  # noqa: E402


def certificate(folder, name, serial):
    """A certificate for localhost that signs itself."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-set_serial", str(serial), "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", os.path.join(folder, name + ".key"), "-out", os.path.join(folder, name + ".crt")],
                   check=True, capture_output=True)


class Mqtts(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="godwit-tls-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        certificate(self.folder, "a", 4711)
        self.use("a")

    def path(self, name):
        return os.path.join(self.folder, name)

    def use(self, name, key=None):
        shutil.copy(self.path(name + ".crt"), self.path("server.crt"))
        shutil.copy(self.path((key or name) + ".key"), self.path("server.key"))

    def start(self):
        server = Server("--as.mqtts-listen=127.0.0.1:0", "--as.tls-certificate=" + self.path("server.crt"),
                        "--as.tls-key=" + self.path("server.key")).start()
        self.addCleanup(server.close)
        return server

    def port(self, server):
        with open(os.path.join(server.state, "addresses.json")) as f:
            return int(json.load(f)["as.mqtts"].rsplit(":", 1)[1])

    def serial(self, port):
        """Of the certificate that is shown."""
        pem = ssl.get_server_certificate(("127.0.0.1", port))
        out = subprocess.run(["openssl", "x509", "-noout", "-serial"], input=pem, text=True, capture_output=True, check=True).stdout
        return int(out.strip().split("=")[1], 16)

    def until_serial(self, port, serial):
        end = time.monotonic() + 5
        while self.serial(port) != serial:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)

    def connect(self, port, ca, key):
        """The reason code of CONNACK."""
        done, codes = threading.Event(), []
        c = paho.Client(paho.CallbackAPIVersion.VERSION2) if hasattr(paho, "CallbackAPIVersion") else paho.Client()
        c.on_connect = lambda *a: (codes.append(int(getattr(a[3], "value", a[3]))), done.set())
        c.tls_set(ca_certs=ca)
        c.username_pw_set("app1", key)
        c.connect("127.0.0.1", port)
        c.loop_start()
        done.wait(5)
        c.disconnect()
        c.loop_stop()
        return codes

    def test_a_client_logs_in_over_tls_and_a_renewed_certificate_is_taken(self):
        server = self.start()
        port = self.port(server)
        server.ask("POST", "/a/applications", {"ids": {"application_id": "app1"}})
        key = server.ask("POST", "/a/applications/app1/api-keys", {"rights": ["RIGHT_APPLICATION_TRAFFIC_READ"]})[1]["key"]
        self.assertEqual(self.connect(port, self.path("a.crt"), key), [0])
        certificate(self.folder, "b", 4712)
        with self.assertRaises(ssl.SSLError):
            self.connect(port, self.path("b.crt"), key)
        self.assertEqual(self.serial(port), 4711)
        self.use("b")
        server.process.send_signal(signal.SIGHUP)
        self.until_serial(port, 4712)
        self.assertEqual(self.connect(port, self.path("b.crt"), key), [0])
        self.use("a", key="b")
        server.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 5
        while not any("reload_failed" in line for line in server.lines):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)
        self.assertEqual(self.serial(port), 4712)
        self.assertEqual(self.connect(port, self.path("b.crt"), key), [0])

    def refusal(self, *settings):
        state = tempfile.mkdtemp(prefix="godwit-tls-")
        self.addCleanup(shutil.rmtree, state, True)
        p = subprocess.run([program("godwit-as"), "--state-dir", state, "--as.http-listen=127.0.0.1:0", "--as.mqtt-listen=127.0.0.1:0",
                            "--as.mqtts-listen=127.0.0.1:0", *settings], capture_output=True, text=True, env=environment(), timeout=20)
        self.assertEqual(p.returncode, 1)
        return [line for line in p.stderr.splitlines() if line.startswith("godwit-as: ")][-1]

    def test_a_wrong_certificate_is_named_in_one_line(self):
        message = self.refusal("--as.tls-certificate=" + self.path("server.crt"))
        self.assertIn("as.tls-key: is missing", message)
        message = self.refusal("--as.tls-certificate=/nowhere.crt", "--as.tls-key=" + self.path("server.key"))
        self.assertIn("as.tls-certificate: /nowhere.crt cannot be used", message)
        certificate(self.folder, "c", 1)
        message = self.refusal("--as.tls-certificate=" + self.path("server.crt"), "--as.tls-key=" + self.path("c.key"))
        self.assertIn("as.tls-key: %s cannot be used" % self.path("c.key"), message)


if __name__ == "__main__":
    unittest.main()
