"""The HTTP listener over TLS, and what browsers and whoever asks too much of it are told: curl, Python's http.client, MQTT.js, paho, godwit."""
import http.client
import json
import os
import queue
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

import paho.mqtt.client as paho

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from godwit import environment, program  # noqa: E402
from npm import folder_with  # noqa: E402
from octets import packet, text  # noqa: E402
import paho_client  # noqa: E402
from test_api import Server, otaa  # noqa: E402
from test_websocket import BINARY, FAILED, MQTT_JS, PUSH, Raw  # noqa: E402

TRAFFIC = ["RIGHT_APPLICATION_TRAFFIC_READ", "RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE"]


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


class Folder:
    """Certificates: of an authority, and what it signs."""

    def __init__(self, test):
        self.path = tempfile.mkdtemp(prefix="godwit-https-")
        test.addCleanup(shutil.rmtree, self.path, True)

    def __call__(self, name):
        return os.path.join(self.path, name)

    def itself(self, name, names="DNS:localhost,IP:127.0.0.1"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=" + name,
                "-addext", "subjectAltName=" + names, "-keyout", self(name + ".key"), "-out", self(name + ".crt"))

    def sign(self, name, by):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name,
                "-keyout", self(name + ".key"), "-out", self(name + ".csr"))
        openssl("x509", "-req", "-in", self(name + ".csr"), "-CA", self(by + ".crt"), "-CAkey", self(by + ".key"), "-CAcreateserial", "-days", "2",
                "-out", self(name + ".crt"))

    def use(self, name):
        for kind in ("crt", "key"):
            shutil.copy(self("%s.%s" % (name, kind)), self("server." + kind))


class Secure(unittest.TestCase):
    """A server with a certificate for localhost."""

    def start(self, *settings, names="DNS:localhost,IP:127.0.0.1"):
        self.folder = Folder(self)
        self.folder.itself("a", names)
        self.folder.use("a")
        self.server = Server("--as.mqtts-listen=127.0.0.1:0", "--as.tls-certificate=" + self.folder("server.crt"),
                             "--as.tls-key=" + self.folder("server.key"), *settings).start()
        self.addCleanup(self.server.close)
        with open(os.path.join(self.server.state, "addresses.json")) as f:
            self.https = json.load(f)["as.https"]
        self.port = int(self.https.rsplit(":", 1)[1])
        self.url = "https://localhost:%d" % self.port
        self.trust = ssl.create_default_context(cafile=self.folder("a.crt"))

    def application(self):
        self.server.ask("POST", "/a/applications", {"ids": {"application_id": "app1"}})
        return self.server.ask("POST", "/a/applications/app1/api-keys", {"rights": TRAFFIC})[1]["key"]

    def connection(self):
        c = http.client.HTTPSConnection("localhost", self.port, context=self.trust, timeout=30)
        self.addCleanup(c.close)
        return c

    def websocket(self, tls):
        w = Raw(self.https, tls=tls)
        self.addCleanup(w.close)
        return w

    def headers(self, **more):
        return {"Authorization": "Bearer " + self.server.admin, **more}

    def curl(self, *words):
        return subprocess.run(["curl", "-sS", "--max-time", "30", *words], capture_output=True, text=True, env=environment())

    def cli(self, *words, status=0, **env):
        p = subprocess.run([program("godwit"), *words, "--state-dir", self.server.state], capture_output=True, text=True, timeout=60,
                           env={**environment(), **env})
        self.assertEqual(p.returncode, status, p.stderr)
        return p


class Https(Secure):
    def test_curl_with_the_authority_and_not_without(self):
        self.start()
        told = self.curl("--cacert", self.folder("a.crt"), "-H", "Authorization: Bearer " + self.server.admin, "-d",
                         '{"application":{"ids":{"application_id":"app1"}}}', self.url + "/api/v3/applications")
        self.assertEqual(json.loads(told.stdout)["ids"]["application_id"], "app1", told.stderr)
        self.assertEqual(self.curl(self.url + "/healthz/live").returncode, 60)
        told = self.curl("--cacert", self.folder("a.crt"), "-w", "%{http_code}", self.url + "/healthz/live")
        self.assertEqual(told.stdout, "alive\n200")
        # Who forgets the s is told so, in HTTP.
        told = self.curl("-w", "%{http_code}", "http://localhost:%d/healthz/live" % self.port)
        self.assertIn("https://", told.stdout)
        self.assertTrue(told.stdout.endswith("400"), told)

    def test_a_connection_is_kept(self):
        self.start()
        c = self.connection()
        for _ in range(3):
            c.request("GET", "/healthz/live")
            r = c.getresponse()
            self.assertEqual((r.status, r.read(), r.getheader("Keep-Alive")), (200, b"alive\n", "timeout=60"))
            self.assertIsNotNone(c.sock)
        first = c.sock
        c.request("POST", "/api/v3/applications", json.dumps({"ids": {"application_id": "app1"}}), self.headers())
        self.assertEqual(c.getresponse().status, 200)
        self.assertIs(c.sock, first)

    def test_the_metrics_are_not_everybody_s_there(self):
        self.start()
        c = self.connection()
        for headers, status in (({}, 401), ({"Authorization": "Bearer " + self.application()}, 401), (self.headers(), 200)):
            c.request("GET", "/metrics", headers=headers)
            r = c.getresponse()
            self.assertEqual((r.status, b"as_api_requests_total" in r.read()), (status, status == 200))
        self.assertEqual(self.server.ask("GET", "/metrics", key="")[0], 200)

    def test_a_renewed_certificate_is_taken_and_a_wrong_one_is_not(self):
        self.start()
        self.folder.itself("b")
        shown = lambda: ssl.get_server_certificate(("127.0.0.1", self.port)).strip()  # noqa: E731
        with open(self.folder("a.crt")) as a, open(self.folder("b.crt")) as b:
            a, b = a.read().strip(), b.read().strip()
        self.assertEqual(shown(), a)
        kept = self.connection()
        kept.request("GET", "/healthz/live")
        self.assertEqual(kept.getresponse().read(), b"alive\n")
        self.folder.use("b")
        self.server.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 30
        while shown() != b:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)
        kept.request("GET", "/healthz/live")
        self.assertEqual(kept.getresponse().read(), b"alive\n", "what is open stays open")
        shutil.copy(self.folder("a.key"), self.folder("server.key"))
        self.server.process.send_signal(signal.SIGHUP)
        while sum("reload_failed" in line for line in self.server.lines) < 2:  # of MQTT and of HTTP
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)
        self.assertEqual(shown(), b)

    def test_the_command_line(self):
        self.start(names="DNS:localhost")
        ca = self.folder("a.crt")
        self.cli("applications", "create", "app1", "--address", self.url, "--ca", ca)
        self.assertIn("app1", self.cli("applications", "list", GODWIT_ADDRESS=self.url, GODWIT_CA=ca).stdout)
        told = self.cli("applications", "list", "--address", self.url, status=1).stderr
        self.assertIn("is not trusted: self-signed certificate", told)
        self.assertIn("--ca", told)
        told = self.cli("applications", "list", "--address", "https://127.0.0.1:%d" % self.port, "--ca", ca, status=1).stderr
        self.assertIn("another host's", told)
        told = self.cli("applications", "list", "--address", "https://" + self.server.address, status=1).stderr
        self.assertIn("no TLS with https://" + self.server.address, told)
        for wrong in ("/nowhere.crt", self.folder("a.key")):
            self.assertIn("--ca: %s cannot be used: " % wrong, self.cli("applications", "list", "--address", self.url, "--ca", wrong, status=1).stderr)
        told = self.cli("applications", "list", "--address", "ftp://localhost", status=1).stderr
        self.assertIn("ftp://localhost is not an address", told)

    def test_fleets_travel_over_it(self):
        self.start()
        self.application()
        with open(self.folder("fleet.json"), "w") as f:
            for i in range(200):
                f.write(json.dumps(otaa("dev%d" % i, "70B3D57ED%07X" % i)["end_device"]) + "\n")
        how = ("--address", self.url, "--ca", self.folder("a.crt"))
        self.assertEqual(json.loads(self.cli("end-devices", "import", "app1", self.folder("fleet.json"), *how).stdout)["created"], 200)
        self.assertEqual(len(json.loads(self.cli("end-devices", "list", "app1", *how).stdout)), 200)
        told = self.cli("end-devices", "import", "app1", self.folder("fleet.json"), "--address", self.url, status=1).stderr
        self.assertIn("is not trusted", told)

    def test_only_https_where_that_is_wanted(self):
        self.start()
        self.server.stop()
        self.server.settings += ("--as.http-listen=",)
        self.server.process = subprocess.Popen(
            [program("godwit-as"), "--state-dir", self.server.state, "--as.mqtt-listen=127.0.0.1:0", "--as.https-listen=127.0.0.1:0, 127.0.0.2:0",
             *self.server.settings], stderr=subprocess.PIPE, text=True, env=environment())
        listening = []
        for line in self.server.process.stderr:
            if "what=http" in line:
                listening.append(line)
            if "msg=ready" in line:
                break
        self.assertEqual([("what=https" in line) for line in listening], [True, True])
        with open(os.path.join(self.server.state, "addresses.json")) as f:
            addresses = json.load(f)
        self.assertNotIn("as.http", addresses)
        self.assertIn("give --address https://", self.cli("applications", "list", status=1).stderr)
        self.cli("applications", "list", "--address", "https://" + addresses["as.https"], "--ca", self.folder("a.crt"))

    def test_events_stream(self):
        self.start()
        key = self.application()
        for accept, begins in (("text/event-stream", b"data: {"), ("application/x-ndjson", b"{")):
            c = self.connection()
            c.request("GET", "/api/v3/events?follow=true", headers=self.headers(Accept=accept))
            r = c.getresponse()
            self.assertEqual((r.status, r.getheader("Content-Type")), (200, accept))
            w = self.websocket(self.trust)
            self.assertEqual(w.open()[0], 101)
            w.send(BINARY, packet(0x10, text("MQTT") + b"\4\xc2\0\0" + text("wrong") + text("app1") + text(key[:-1])))
            w.close()
            line = b""
            while b"as.mqtt.connect.fail" not in line:
                line = r.readline()
                self.assertNotEqual(line, b"")
            self.assertTrue(line.startswith(begins), line)

    def test_mqtt_over_websocket(self):
        self.start()
        key = self.application()
        for level in (paho.MQTTv311, paho.MQTTv5):
            kept, events = {} if level == paho.MQTTv5 else {"clean_session": True}, queue.Queue()
            c = paho_client.client("paho%d" % level, protocol=level, transport="websockets", **kept)
            c.username_pw_set("app1", key)
            c.ws_set_options(path="/mqtt")
            c.tls_set(ca_certs=self.folder("a.crt"))
            c.on_connect = lambda client, u, flags, rc, *p: client.subscribe("#", 1)
            c.on_subscribe = lambda client, u, mid, granted, *p: client.publish(PUSH, b"no json" * 20000, 1)
            c.on_message = lambda client, u, m: events.put((m.topic, m.qos))
            c.connect("localhost", self.port)
            c.loop_start()
            self.assertEqual(events.get(timeout=20), (FAILED, 1))
            c.disconnect()
            c.loop_stop()
        info = self.server.ask("GET", "/a/as/applications/app1/mqtt-connection-info")[1]
        self.assertEqual(info["websocket_tls_url"], "wss://%s/mqtt" % self.https)

    def test_mqtt_js_over_websocket(self):
        folder = folder_with(self, "mqtt@5")
        self.start()
        key = self.application()
        with open(os.path.join(folder, "wss.js"), "w") as f:
            f.write(MQTT_JS)
        out = subprocess.run(["node", f.name, "wss://localhost:%d/mqtt" % self.port, "5", key, self.folder("a.crt")], cwd=folder, capture_output=True,
                             text=True, timeout=60)
        self.assertEqual(out.stdout.split(), ["connected", FAILED, "closed"], out.stderr)

    def test_client_certificates_are_asked_of_mqtt_and_not_of_the_api(self):
        folder = Folder(self)
        folder.itself("ca")
        folder.itself("stranger")
        folder.sign("dev1", "ca")
        self.start("--as.tls-client-ca=" + folder("ca.crt"), "--as.tls-client-certificates=required", "--log.level=debug")
        key = self.application()
        c = self.connection()
        c.request("GET", "/api/v3/applications", headers=self.headers())
        self.assertEqual(c.getresponse().status, 200)
        self.assertEqual(self.websocket(self.trust).open()[0], 403)
        self.trust.load_cert_chain(folder("dev1.crt"), folder("dev1.key"))
        w = self.websocket(self.trust)
        self.assertEqual(w.open()[0], 101)
        w.send(BINARY, packet(0x10, text("MQTT") + b"\4\xc2\0\0" + text("dev1") + text("app1") + text(key)))
        self.assertEqual(w.receive(), (BINARY, b"\x20\2\0\0"))
        w.close()
        self.assertTrue(any("mqtt_certificate" in line and "CN=dev1" in line for line in self.server.lines))
        strange = ssl.create_default_context(cafile=self.folder("a.crt"))
        strange.load_cert_chain(folder("stranger.crt"), folder("stranger.key"))
        with self.assertRaises((ssl.SSLError, ConnectionError, EOFError)):
            self.websocket(strange).open()


class Bounds(Secure):
    def ask(self, c, method, path, body=None, **headers):
        c.request(method, path, body, self.headers(**headers))
        r = c.getresponse()
        octets = r.read()
        return r.status, json.loads(octets) if octets else None, r

    def refused(self, answer, status, message):
        self.assertEqual((answer[0], sorted(answer[1])), (status, ["code", "details", "message"]))
        self.assertIn(message, answer[1]["message"])

    def test_sizes_are_settings_and_told(self):
        self.start("--as.http-body-size=2KiB", "--as.http-header-size=1KiB")
        for c in (self.connection(), http.client.HTTPConnection(self.server.address, timeout=30)):
            name = "x" * (2048 - len('{"ids":{"application_id":"a-"},"name":""}'))
            body = '{"ids":{"application_id":"a-%s"},"name":"%s"}' % ("s" if isinstance(c, http.client.HTTPSConnection) else "p", name[1:])
            self.assertEqual(len(body), 2048)
            self.assertNotEqual(self.ask(c, "POST", "/api/v3/applications", body)[0], 413)
            self.refused(self.ask(c, "POST", "/api/v3/applications", body + " "), 413, "larger than 2 KiB")
            self.refused(self.ask(c, "GET", "/api/v3/applications", **{"X-Test": "x" * 1024}), 431, "larger than 1 KiB")
            self.refused(self.ask(c, "GET", "/api/v3/applications?" + "x" * 1024), 414, "larger than 1 KiB")
            c.close()

    def test_times_are_settings_over_tls_too(self):
        self.start("--as.http-request-timeout=1s", "--as.http-idle-timeout=1s")
        for tls in (False, True):
            host, port = (self.https if tls else self.server.address).rsplit(":", 1)
            for said, told in ((b"", b""), (b"GET /healthz/live HTTP/1.1\r\nX: ", b"HTTP/1.1 408 "), (b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nx", b"HTTP/1.1 408 ")):
                s = socket.create_connection((host, int(port)), timeout=30)
                with self.trust.wrap_socket(s, server_hostname="localhost") if tls else s as s:
                    s.sendall(said)
                    got = b""
                    while piece := s.recv(4096):
                        got += piece
                    self.assertEqual(got[:len(told)] if told else got, told)
                    self.assertEqual(b"longer than 1 s" in got, bool(told))
        # A handshake that does not go on ends as well.
        with socket.create_connection((host, int(port)), timeout=30) as plain:
            plain.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
            self.assertEqual(plain.recv(100), b"")

    def test_connections_are_bounded_in_total_and_for_each_address(self):
        self.start("--as.http-connections=4", "--as.http-connections-per-address=2", "--as.mqtt-trusted=127.0.0.9")
        kept = []
        def held(host, tls=False):
            s = socket.create_connection(("127.0.0.1", int((self.https if tls else self.server.address).rsplit(":", 1)[1])), timeout=30,
                                         source_address=(host, 0))
            kept.append(s)
            if tls:
                s = self.trust.wrap_socket(s, server_hostname="localhost")
                kept.append(s)
            s.sendall(b"GET /api/v3/events?follow=true HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + self.server.admin.encode() + b"\r\n\r\n")
            head = b""
            while b"\r\n\r\n" not in head:
                got = s.recv(4096)
                self.assertNotEqual(got, b"")
                head += got
            return head
        self.addCleanup(lambda: [s.close() for s in kept])
        self.assertIn(b" 200 ", held("127.0.0.2"))
        self.assertIn(b" 200 ", held("127.0.0.2", tls=True))
        for tls in (False, True):
            head = held("127.0.0.2", tls)
            self.assertIn(b" 429 ", head)
            self.assertIn(b"\r\nRetry-After: 5\r\n", head)
        self.assertIn(b" 200 ", held("127.0.0.9"))
        self.assertIn(b" 200 ", held("127.0.0.9"))
        head = held("127.0.0.9")
        self.assertIn(b" 503 ", head)
        self.assertIn(b"\r\nRetry-After: 5\r\n", head)
        self.assertTrue(any("http_turned_away" in line for line in self.server.lines))

    def test_event_streams_are_bounded_in_total_and_for_each_key(self):
        self.start("--as.event-streams=3", "--as.event-streams-per-key=2")
        key = self.application()
        streams = []
        def follow(key, status):
            c = self.connection()
            c.request("GET", "/api/v3/events?follow=true", headers={"Authorization": "Bearer " + key})
            r = c.getresponse()
            self.assertEqual(r.status, status)
            streams.append((c, r))
            return json.loads(r.read())["message"] if status != 200 else r.getheader("Retry-After")
        follow(key, 200)
        follow(key, 200)
        self.assertIn("(as.event-streams-per-key)", follow(key, 429))
        follow(self.server.admin, 200)
        self.assertIn("(as.event-streams)", follow(self.server.admin, 429))
        streams[0][0].sock.close()
        streams[0][1].close()
        end = time.monotonic() + 30
        while True:
            c = self.connection()
            c.request("GET", "/api/v3/events?follow=true", headers=self.headers())
            if c.getresponse().status == 200:
                break
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)

    def test_a_body_is_json_and_says_nothing_else(self):
        self.start()
        c = self.connection()
        for i, (kind, status) in enumerate(((None, 200), ("application/json", 200), ("application/json; charset=utf-8", 200),
                                            ("application/x-www-form-urlencoded", 200), ("text/plain", 415), ("application/msgpack", 415))):
            headers = {"Content-Type": kind} if kind else {}
            answer = self.ask(c, "POST", "/api/v3/applications", json.dumps({"ids": {"application_id": "app%d" % i}}), **headers)
            self.assertEqual(answer[0], status, (kind, answer))
        answer = self.ask(c, "POST", "/api/v3/applications", b"\x1f\x8b", **{"Content-Encoding": "gzip"})
        self.refused(answer, 415, "gzip")

    def test_browsers(self):
        self.start("--as.http-allow-origins=https://a.example, http://localhost:3000")
        c = self.connection()
        path = "/api/v3/applications/app1/devices/dev1"
        status, _, r = self.ask(c, "OPTIONS", path, **{"Origin": "https://a.example", "Access-Control-Request-Method": "PUT"})
        self.assertEqual((status, r.getheader("Access-Control-Allow-Origin")), (204, "https://a.example"))
        self.assertEqual(set(r.getheader("Access-Control-Allow-Methods").split(", ")), {"GET", "PUT", "PATCH", "DELETE", "HEAD"})
        self.assertEqual(r.getheader("Access-Control-Allow-Headers"), "Authorization, Content-Type")
        answer = self.ask(c, "GET", path, Origin="http://localhost:3000")
        self.refused(answer, 404, "app1")
        self.assertEqual(answer[2].getheader("Access-Control-Allow-Origin"), "http://localhost:3000")
        answer = self.ask(c, "GET", path, Origin="https://b.example")
        self.assertEqual((answer[2].getheader("Access-Control-Allow-Origin"), answer[2].getheader("Vary")), (None, "Origin"))
        answer = self.ask(c, "POST", path)
        self.refused(answer, 405, "method")
        self.assertIn("OPTIONS", answer[2].getheader("Allow"))
        c.request("GET", path)
        r = c.getresponse()
        r.read()
        self.assertEqual((r.status, r.getheader("WWW-Authenticate")), (401, "Bearer"))
        for wrong in ("https://a.example/", "a.example"):
            p = subprocess.run([program("godwit-as"), "--state-dir", self.server.state, "--check-config", "--as.http-allow-origins=" + wrong],
                               capture_output=True, text=True, env=environment(), timeout=20)
            self.assertEqual(p.returncode, 1)
            self.assertIn('as.http-allow-origins: "%s" is no origin' % wrong, p.stderr)


if __name__ == "__main__":
    unittest.main()
