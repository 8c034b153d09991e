"""MQTT over TLS on as.mqtts-listen, with OpenSSL's certificates and a client that is not ours; certificates are renewed on SIGHUP."""
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import warnings

import paho.mqtt.client as paho

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from godwit import environment, program  # noqa: E402
from octets import packet  # noqa: E402
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

    def end(self, server):
        """Of the certificate that is shown, as the metrics say it [unix]."""
        text = server.ask("GET", "/metrics", key="")[1]
        return int(re.search(r"(?m)^as_certificate_expiry_timestamp_seconds (\d+)$", text).group(1))

    def end_of(self, name):
        out = subprocess.run(["openssl", "x509", "-noout", "-enddate", "-in", self.path(name)], text=True, capture_output=True, check=True).stdout
        return int(ssl.cert_time_to_seconds(out.strip().split("=")[1]))

    def test_when_the_certificate_ends_is_a_number(self):
        server = self.start()
        self.assertEqual(self.end(server), self.end_of("a.crt"))
        time.sleep(1.1)  # certificates count whole seconds
        certificate(self.folder, "b", 4712)
        self.use("b")
        server.process.send_signal(signal.SIGHUP)
        self.until_serial(self.port(server), 4712)
        self.assertEqual(self.end(server), self.end_of("b.crt"))
        self.assertGreater(self.end_of("b.crt"), self.end_of("a.crt"))

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

    def sign(self, name, ca, subject):
        """A certificate that the authority signs."""
        subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject,
                        "-keyout", self.path(name + ".key"), "-out", self.path(name + ".csr")], check=True, capture_output=True)
        subprocess.run(["openssl", "x509", "-req", "-in", self.path(name + ".csr"), "-CA", self.path(ca + ".crt"), "-CAkey", self.path(ca + ".key"),
                        "-set_serial", "7", "-days", "2", "-out", self.path(name + ".crt")], check=True, capture_output=True)

    def certified(self, *settings):
        """A server, its port, and a key of app1."""
        server = Server("--as.mqtts-listen=127.0.0.1:0", "--as.tls-certificate=" + self.path("server.crt"),
                        "--as.tls-key=" + self.path("server.key"), "--log.level=debug", *settings).start()
        self.addCleanup(server.close)
        server.ask("POST", "/a/applications", {"ids": {"application_id": "app1"}})
        key = server.ask("POST", "/a/applications/app1/api-keys", {"rights": ["RIGHT_APPLICATION_TRAFFIC_READ"]})[1]["key"]
        return server, self.port(server), key

    def login(self, port, key, certificate=None, most=None, session=None):
        """What CONNACK says with that client certificate, "" where the connection ends before; and the TLS session."""
        context = ssl.create_default_context(cafile=self.path("a.crt"))
        if most:
            context.minimum_version, context.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, most
            context.set_ciphers("ALL:@SECLEVEL=0")
        if session:
            context = session[0]
        elif certificate:
            context.load_cert_chain(self.path(certificate + ".crt"), self.path(certificate + ".key"))
        body = b"\0\4MQTT\4\xc2\0\0\0\1c\0\4app1\0" + bytes([len(key)]) + key.encode()
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
                with context.wrap_socket(plain, server_hostname="localhost", session=session and session[1]) as s:
                    s.sendall(packet(0x10, body))
                    answer = s.recv(4)
                    self.kept = (context, s.session, s.session_reused)
                    return answer
        except (ssl.SSLError, ConnectionError):
            return b""

    def test_client_certificates(self):
        certificate(self.folder, "ca", 1)
        certificate(self.folder, "ca2", 2)
        certificate(self.folder, "stranger", 3)
        self.sign("ours", "ca", "/O=Example, Inc./CN=dev1")
        self.sign("theirs", "ca2", "/CN=dev2")
        ok = b"\x20\2\0\0"
        for settings, answers in (
                ((), (ok, ok, ok)), (("--as.tls-client-certificates=none",), (ok, ok, ok)),
                (("--as.tls-client-ca=" + self.path("ca.crt"),), (ok, ok, b"")),
                (("--as.tls-client-ca=" + self.path("ca.crt"), "--as.tls-client-certificates=required"), (b"", ok, b""))):
            server, port, key = self.certified(*settings)
            for name, answer in zip((None, "ours", "stranger"), answers):
                self.assertEqual(self.login(port, key, name), answer, (settings, name))
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(server.process.wait(30), 0)
            server.reader.join(30)  # all that it said is here
            shown = [line for line in server.lines if "mqtt_certificate" in line]
            self.assertEqual(len(shown), 0 if settings[-1:] == ("--as.tls-client-certificates=none",) else 2 if not settings else 1)
            if shown:
                out = subprocess.run(["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", self.path("ours.crt")], text=True,
                                     capture_output=True, check=True).stdout
                self.assertIn(out.strip().split("=")[1].replace(":", "").lower(), shown[0])
                self.assertIn("CN=dev1,O=Example\\, Inc.", shown[0].replace("\\\\", "\\"))
                self.assertIn("verified=yes" if settings else "verified=no", shown[0])

    def test_a_session_with_a_certificate_is_taken_up_again(self):
        certificate(self.folder, "ca", 1)
        self.sign("ours", "ca", "/CN=dev1")
        server, port, key = self.certified("--as.tls-client-ca=" + self.path("ca.crt"), "--as.tls-client-certificates=required")
        for most in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            self.assertEqual(self.login(port, key, "ours", most=most), b"\x20\2\0\0")
            self.assertEqual(self.login(port, key, session=self.kept[:2]), b"\x20\2\0\0")
            self.assertTrue(self.kept[2], most)

    def test_another_authority_is_taken_on_sighup_and_a_wrong_one_is_not(self):
        certificate(self.folder, "ca", 1)
        certificate(self.folder, "ca2", 2)
        self.sign("ours", "ca", "/CN=dev1")
        self.sign("theirs", "ca2", "/CN=dev2")
        shutil.copy(self.path("ca.crt"), self.path("clients.crt"))
        server, port, key = self.certified("--as.tls-client-ca=" + self.path("clients.crt"), "--as.tls-client-certificates=required")
        self.assertEqual((self.login(port, key, "ours"), self.login(port, key, "theirs")), (b"\x20\2\0\0", b""))
        shutil.copy(self.path("ca2.crt"), self.path("clients.crt"))
        server.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 30
        while not self.login(port, key, "theirs"):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)
        self.assertEqual(self.login(port, key, "ours"), b"")
        with open(self.path("clients.crt"), "w") as f:
            f.write("no certificate")
        server.process.send_signal(signal.SIGHUP)
        while not any("reload_failed" in line and "as.tls-client-ca" in line for line in server.lines):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)
        self.assertEqual(self.login(port, key, "theirs"), b"\x20\2\0\0")

    def test_tls_1_2_and_1_3_and_nothing_older(self):
        server, port, key = self.certified()
        for most, answer in ((ssl.TLSVersion.TLSv1_3, b"\x20\2\0\0"), (ssl.TLSVersion.TLSv1_2, b"\x20\2\0\0"), (ssl.TLSVersion.TLSv1_1, b"")):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.assertEqual(self.login(port, key, most=most), answer, most)

    def refusal(self, *settings):
        state = tempfile.mkdtemp(prefix="godwit-tls-")
        self.addCleanup(shutil.rmtree, state, True)
        p = subprocess.run([program("godwit-as"), "--state-dir", state, "--as.http-listen=127.0.0.1:0", "--as.mqtt-listen=127.0.0.1:0",
                            "--as.mqtts-listen=127.0.0.1:0", "--as.https-listen=127.0.0.1:0", *settings], capture_output=True, text=True, env=environment(), timeout=20)
        self.assertEqual(p.returncode, 1)
        return [line for line in p.stderr.splitlines() if line.startswith("godwit-as: ")][-1]

    def info(self, *settings):
        server = self.certified(*settings)[0]
        with open(os.path.join(server.state, "addresses.json")) as f:
            ports = {name: address.rsplit(":", 1)[1] for name, address in json.load(f).items()}
        return server.ask("GET", "/a/as/applications/app1/mqtt-connection-info")[1], ports

    def test_clients_are_told_the_name_under_which_they_reach_what_is_open_to_them(self):
        info, ports = self.info("--as.public-address=mqtt.example.net", "--as.mqtts-listen=0.0.0.0:0")
        self.assertEqual(info["public_tls_address"], "mqtt.example.net:" + ports["as.mqtts"])
        self.assertEqual(info["public_address"], "127.0.0.1:" + ports["as.mqtt"], "from this host only")
        info, ports = self.info("--as.public-address=2001:db8::7", "--as.mqtts-listen=0.0.0.0:0")
        self.assertEqual(info["public_tls_address"], "[2001:db8::7]:" + ports["as.mqtts"])
        info, ports = self.info("--as.mqtts-listen=0.0.0.0:0")
        self.assertEqual(info["public_tls_address"], "%s:%s" % (socket.gethostname(), ports["as.mqtts"]))
        for wrong in ("mqtt.example.net:8883", "mqtts://mqtt.example.net"):
            self.assertIn("as.public-address: \"%s\" is no host name" % wrong, self.refusal("--as.public-address=" + wrong))

    def test_a_wrong_certificate_is_named_in_one_line(self):
        message = self.refusal("--as.tls-certificate=" + self.path("server.crt"))
        self.assertIn("as.tls-key: is missing", message)
        message = self.refusal("--as.tls-certificate=/nowhere.crt", "--as.tls-key=" + self.path("server.key"))
        self.assertIn("as.tls-certificate: /nowhere.crt cannot be used", message)
        both = ("--as.tls-certificate=" + self.path("server.crt"), "--as.tls-key=" + self.path("server.key"))
        self.assertIn("as.tls-client-ca: is missing", self.refusal(*both, "--as.tls-client-certificates=required"))
        self.assertIn("as.tls-client-ca: /nowhere.crt cannot be used", self.refusal(*both, "--as.tls-client-ca=/nowhere.crt"))
        certificate(self.folder, "c", 1)
        message = self.refusal("--as.tls-certificate=" + self.path("server.crt"), "--as.tls-key=" + self.path("c.key"))
        self.assertIn("as.tls-key: %s cannot be used" % self.path("c.key"), message)


if __name__ == "__main__":
    unittest.main()
