"""Pub/Sub integrations against a real mosquitto: every way in, every way to fail, and nothing lost or twice whoever is killed."""
import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import paho.mqtt.client as paho

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from octets import packet  # noqa: E402
from test_api import Server, abp  # noqa: E402

MOSQUITTO = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
PASSWD = shutil.which("mosquitto_passwd")
UP = "/a/as/applications/app1/devices/dev1/up/simulate"


def wait_for(what, until, timeout=30.0):
    """Until it is true; what it is then."""
    end = time.monotonic() + timeout
    while True:
        value = until()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("not within %d s: %s" % (timeout, what() if callable(what) else what))
        time.sleep(0.02)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Certificates:
    """Two authorities; a server that the first one vouches for, and a client."""

    def __init__(self, folder):
        self.folder = folder
        for ca in ("ca", "other"):
            self.openssl("req", "-x509", *self.key(ca), "-days", "2", "-subj", "/CN=" + ca, "-out", self.path(ca + ".pem"))
        for name in ("localhost", "elsewhere.example", "client"):
            with open(self.path("ext"), "w") as f:
                f.write("subjectAltName=DNS:" + name)
            self.openssl("req", *self.key(name), "-subj", "/CN=" + name, "-out", self.path("csr"))
            self.openssl("x509", "-req", "-in", self.path("csr"), "-CA", self.path("ca.pem"), "-CAkey", self.path("ca.key"), "-CAcreateserial", "-days", "2",
                         "-extfile", self.path("ext"), "-out", self.path(name + ".pem"))

    def path(self, name):
        return os.path.join(self.folder, name)

    def key(self, name):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.path(name + ".key")]

    @staticmethod
    def openssl(*args):
        subprocess.run(["openssl", *args], check=True, capture_output=True)

    def pem(self, name):
        """As the HTTP API takes it: octets in base64."""
        with open(self.path(name), "rb") as f:
            return base64.b64encode(f.read()).decode()


class Broker:
    """mosquitto with a listener for every way in; it remembers when it is restarted."""

    def __init__(self, folder, certificates):
        self.folder, self.process = folder, None
        self.ports = {name: free_port() for name in ("plain", "tls", "mutual", "elsewhere", "password", "ws")}
        subprocess.run([PASSWD, "-b", "-c", os.path.join(folder, "passwd"), "u", "p"], check=True, capture_output=True)
        c = certificates.path
        served = "certfile %s\nkeyfile %s\n"
        options = {"plain": "allow_anonymous true", "ws": "protocol websockets\nallow_anonymous true",
                   "tls": served % (c("localhost.pem"), c("localhost.key")) + "allow_anonymous true",
                   "mutual": served % (c("localhost.pem"), c("localhost.key")) + "cafile %s\nrequire_certificate true\nallow_anonymous true" % c("ca.pem"),
                   "elsewhere": served % (c("elsewhere.example.pem"), c("elsewhere.example.key")) + "allow_anonymous true",
                   "password": "allow_anonymous false\npassword_file %s" % os.path.join(folder, "passwd")}
        me = "user root\n" if os.getuid() == 0 else ""
        with open(os.path.join(folder, "conf"), "w") as f:
            f.write(me + "per_listener_settings true\nmax_queued_messages 0\npersistence true\npersistence_location %s/\n" % folder)
            for name, option in options.items():
                f.write("listener %d 127.0.0.1\n%s\n" % (self.ports[name], option))

    def start(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen([MOSQUITTO, "-c", os.path.join(self.folder, "conf")], stdout=log, stderr=log)
        wait_for(self.log, lambda: self.answers() or self.process.poll() is not None)
        return self

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.ports["ws"]), timeout=5).close()
            return True
        except OSError:
            return False

    def log(self):
        with open(os.path.join(self.folder, "log"), errors="replace") as f:
            return f.read()[-2000:]

    def stop(self, sig=signal.SIGTERM):
        if self.process:
            self.process.send_signal(sig)
            self.process.wait()
            self.process = None


class Listener:
    """A client of the broker that has heard everything there, in order; its session stays."""

    def __init__(self, broker, topic="#", name="listener"):
        self.heard, self.topic, self.ready = [], topic, threading.Event()
        version = [paho.CallbackAPIVersion.VERSION2] if hasattr(paho, "CallbackAPIVersion") else []
        self.client = paho.Client(*version, client_id=name, clean_session=False)
        self.client.max_inflight_messages_set(1000)
        self.client.reconnect_delay_set(min_delay=1, max_delay=1)
        self.client.on_connect = lambda c, *_: c.subscribe(self.topic, 2)
        self.client.on_subscribe = lambda *_: self.ready.set()
        self.client.on_message = lambda _c, _u, m: self.heard.append((m.topic, m.payload))
        self.client.connect("127.0.0.1", broker.ports["plain"])
        self.client.loop_start()
        assert self.ready.wait(20)

    def bodies(self, topic):
        return [json.loads(p) for t, p in list(self.heard) if t == topic]

    def numbers(self, topic):
        """What send() has sent, of the uplinks of one topic."""
        return [int.from_bytes(base64.b64decode(b["uplink_message"]["frm_payload"]), "big") for b in self.bodies(topic)]

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


class Peer(threading.Thread):
    """A broker of our own with bad manners: silent, or one that takes a message now and then and acknowledges it late."""

    def __init__(self, is_silent, pause=0.0):
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.is_silent, self.pause, self.waiting, self.most_waiting, self.taken = is_silent, pause, [], 0, 0
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        stream = connection.makefile("rb")
        try:
            while not self.is_silent:
                first, n, shift = stream.read(1)[0], 0, 0
                while True:
                    b = stream.read(1)[0]
                    n, shift = n | (b & 127) << shift, shift + 7
                    if b < 128:
                        break
                body = stream.read(n)
                if first >> 4 == 1:
                    connection.sendall(packet(0x20, b"\0\0"))
                    threading.Thread(target=self.acknowledge, args=(connection,), daemon=True).start()
                elif first >> 4 == 3:
                    at = 2 + int.from_bytes(body[:2], "big")
                    self.waiting.append(body[at:at + 2])
                    self.most_waiting = max(self.most_waiting, len(self.waiting))
                elif first >> 4 == 12:
                    connection.sendall(packet(0xd0, b""))
            stream.read()
        except (OSError, IndexError):
            pass
        connection.close()

    def acknowledge(self, connection):
        try:
            while True:
                time.sleep(self.pause)
                if self.waiting:
                    connection.sendall(packet(0x40, self.waiting.pop(0)))
                    self.taken += 1
        except OSError:
            pass

    def close(self):
        self.socket.close()


@unittest.skipUnless(MOSQUITTO and PASSWD, "mosquitto is not installed (deploy/install-deps --test)")
class PubSub(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="godwit-pubsub-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.certificates = Certificates(cls.folder)

    def setUp(self):
        self.broker = Broker(tempfile.mkdtemp(dir=self.folder), self.certificates).start()
        self.addCleanup(self.broker.stop)
        self.listener = Listener(self.broker)
        self.addCleanup(self.listener.close)
        self.server = Server().start()
        self.addCleanup(self.server.close)
        self.ask("POST", "/a/applications", {"application": {"ids": {"application_id": "app1"}}})
        self.ask("POST", "/a/applications/app1/devices", abp("dev1"))

    def ask(self, method, path, body=None):
        status, answer = self.server.ask(method, path, body)
        self.assertEqual(status, 200, (path, answer))
        return answer

    def set(self, name, port, scheme="mqtt", qos=1, **more):
        """An integration whose uplinks go to NAME/uplink."""
        mqtt = {"server_url": "%s://localhost:%d" % (scheme, port), "publish_qos": qos, "subscribe_qos": qos, **more}
        self.ask("PUT", "/a/as/pubsub/app1/" + name, {"pubsub": {"base_topic": name, "uplink_message": {"topic": "uplink"},
                 "downlink_push": {"topic": "push-subtopic"}, "downlink_queued": {"topic": "downlink-queued-subtopic"}, "mqtt": mqtt}})

    def status(self, name):
        return self.ask("GET", "/a/as/pubsub/app1/" + name)["status"]

    def error(self, name):
        return self.status(name).get("last_error", {}).get("message", "")

    def until_connected(self, *names):
        for name in names:
            wait_for(lambda n=name: "%s: %s" % (n, self.status(n)), lambda n=name: self.status(n).get("connected"))

    def send(self, number):
        """An uplink of dev1 that carries a number."""
        payload = base64.b64encode(number.to_bytes(4, "big")).decode()
        return self.server.ask("POST", UP, {"uplink_message": {"f_port": 1, "f_cnt": number, "frm_payload": payload}})[0]

    def send_all(self, numbers):
        for n in numbers:
            self.assertEqual(self.send(n), 200)

    def until_heard(self, name, numbers):
        wanted = sorted(numbers)
        wait_for(lambda: (name, sorted(set(wanted) - set(self.listener.numbers(name + "/uplink")))[:20], self.status(name)),
                 lambda: set(self.listener.numbers(name + "/uplink")) >= set(wanted))

    def test_every_way_in(self):
        ports, pem = self.broker.ports, self.certificates.pem
        ca = {"tls_ca": pem("ca.pem")}
        shown = {"tls_client_cert": pem("client.pem"), "tls_client_key": pem("client.key")}
        self.set("plain", ports["plain"], qos=0)
        self.set("tls", ports["tls"], "mqtts", qos=1, **ca)
        self.set("use-tls", ports["tls"], "mqtt", qos=2, use_tls=True, **ca)
        self.set("mutual", ports["mutual"], "mqtts", qos=2, **ca, **shown)
        self.set("password", ports["password"], qos=1, username="u", password="p")
        self.set("ws", ports["ws"], "ws", qos=2)
        names = ["plain", "tls", "use-tls", "mutual", "password", "ws"]
        self.until_connected(*names)
        self.send_all(range(3))
        for name in names:
            self.until_heard(name, range(3))
            self.assertEqual(self.listener.numbers(name + "/uplink"), [0, 1, 2])
            wait_for(lambda n=name: self.status(n), lambda n=name: int(self.status(n).get("sent", 0)) == 3)
            self.assertFalse(self.error(name))
        first = self.listener.bodies("tls/uplink")[0]
        self.assertEqual(first["end_device_ids"]["device_id"], "dev1")
        shown = json.dumps(self.ask("GET", "/a/as/pubsub/app1"))
        self.assertNotIn(pem("client.key")[40:80], shown)
        self.assertNotIn('"p"', shown)

    def test_what_fails_says_why_and_delays_nobody(self):
        ports, pem = self.broker.ports, self.certificates.pem
        silent = Peer(is_silent=True)
        self.addCleanup(silent.close)
        ca = {"tls_ca": pem("ca.pem")}
        said = {"away": "Connection refused", "wrong-password": "not authorized", "wrong-ca": "certificate of localhost is not trusted",
                "wrong-name": "certificate is for another name than localhost", "no-certificate": "a client certificate is wanted",
                "no-tls": "is TLS spoken on this port|no TLS on this port", "only-tls": "TLS as it expects|speaks TLS on this port", "web": "a web server answers",
                "no-web": "instead of opening a WebSocket", "nobody": "the name broker.invalid", "silent": "did not answer CONNECT within 10 s",
                "silent-tls": "no TLS handshake came within 10 s"}
        self.set("silent", silent.port)
        self.set("silent-tls", silent.port, "mqtts")
        self.set("away", free_port())
        self.set("wrong-password", ports["password"], username="u", password="x")
        self.set("wrong-ca", ports["tls"], "mqtts", tls_ca=pem("other.pem"))
        self.set("wrong-name", ports["elsewhere"], "mqtts", **ca)
        self.set("no-certificate", ports["mutual"], "mqtts", **ca)
        self.set("no-tls", ports["plain"], "mqtts", **ca)
        self.set("only-tls", ports["tls"])
        self.set("web", ports["ws"])
        self.set("no-web", ports["plain"], "ws")
        self.set("nobody", 1883, server_url="mqtt://broker.invalid")
        self.set("good", ports["plain"])
        self.until_connected("good")
        self.send_all(range(5))
        self.until_heard("good", range(5))
        for name, words in said.items():
            wait_for(lambda n=name: (n, self.status(n)), lambda n=name, w=words: re.search(w, self.error(n)), 40)
            status = self.status(name)
            self.assertFalse(status.get("connected"))
            self.assertEqual(int(status["queued"]), 5, name)
        # A change takes effect at once, and what waited is sent.
        self.set("wrong-password", ports["password"], username="u", password="p")
        self.set("away", ports["plain"])
        for name in ("wrong-password", "away"):
            self.until_heard(name, range(5))
            self.assertEqual(self.listener.numbers(name + "/uplink"), list(range(5)))

    def test_a_slow_broker_has_a_window_and_delays_nobody(self):
        slow = Peer(is_silent=False, pause=0.05)
        self.addCleanup(slow.close)
        self.ask("PUT", "/a/as/pubsub/app1/slow", {"pubsub": {"base_topic": "slow", "uplink_message": {"topic": "uplink"},
                 "mqtt": {"server_url": "mqtt://127.0.0.1:%d" % slow.port, "publish_qos": 1}}})
        self.set("fast", self.broker.ports["plain"])
        self.until_connected("slow", "fast")
        self.send_all(range(60))
        self.until_heard("fast", range(60))
        wait_for(lambda: self.status("slow"), lambda: int(self.status("slow").get("sent", 0)) == 60)
        self.assertEqual(slow.most_waiting, 10)
        self.assertEqual(slow.taken, 60)

    def test_a_downlink_comes_from_the_broker_and_its_answer_goes_there(self):
        self.set("base-topic", self.broker.ports["plain"], qos=2)
        self.until_connected("base-topic")
        push = ('{"end_device_ids":{"device_id":"dev1","application_ids":{"application_id":"app1"}},'
                '"downlinks":[{"f_port":1,"frm_payload":"AA==","priority":"NORMAL"}]}')
        # The subscription is on its way when the link is up: a push is repeated until it has been answered.
        queued = "base-topic/downlink-queued-subtopic"
        for _ in range(100):
            self.listener.client.publish("base-topic/push-subtopic", push, 2)
            time.sleep(0.2)
            if self.listener.bodies(queued):
                break
        body = wait_for("downlink_queued", lambda: self.listener.bodies(queued))[0]
        self.assertEqual((body["end_device_ids"]["device_id"], body["end_device_ids"]["application_ids"]["application_id"]), ("dev1", "app1"))
        self.assertEqual([body["downlink_queued"][k] for k in ("f_port", "frm_payload", "priority")], [1, "AA==", "NORMAL"])
        self.assertRegex(" ".join(body["correlation_ids"]), "as:downlink:[0-9A-HJKMNP-TV-Z]{26}")
        script = "function encodeDownlink(input) { return { bytes: [input.data.led, input.fPort] }; }"
        self.ask("PUT", "/a/applications/app1/devices/dev1", {"end_device": {"formatters": {"down_formatter": "FORMATTER_JAVASCRIPT",
                                                                                           "down_formatter_parameter": script}}})
        self.listener.client.publish("base-topic/push-subtopic", push.replace('"frm_payload":"AA=="', '"decoded_payload":{"led":1}'), 2)
        body = wait_for("values", lambda: [b for b in self.listener.bodies(queued) if "decoded_payload" in b["downlink_queued"]])[0]
        self.assertEqual([body["downlink_queued"][k] for k in ("f_port", "frm_payload", "decoded_payload")], [1, "AQE=", {"led": 1}])

    def test_a_broker_that_is_killed_gets_what_it_missed_in_order(self):
        self.set("ps", self.broker.ports["plain"], qos=1)
        self.until_connected("ps")
        self.send_all(range(20))
        self.broker.stop(signal.SIGKILL)
        self.send_all(range(20, 60))
        wait_for(lambda: self.status("ps"), lambda: not self.status("ps").get("connected") and int(self.status("ps")["queued"]) >= 40)
        self.assertTrue(self.error("ps"))
        self.listener.close()
        self.broker.start()
        self.listener = Listener(self.broker, name="another")
        self.addCleanup(self.listener.close)
        self.until_heard("ps", range(20, 60))
        order = [n for n in dict.fromkeys(self.listener.numbers("ps/uplink"))]
        self.assertEqual(order, sorted(order))

    def test_nothing_twice_and_nothing_lost_at_qos_2(self):
        self.server.settings = ("--as.http-listen=127.0.0.1:0",)
        self.set("ps", self.broker.ports["plain"], qos=2)
        self.until_connected("ps")
        answered, done = [], threading.Event()

        def send():
            n = 0
            while not done.is_set() and n < 100000:
                try:
                    if self.send(n) == 200:
                        answered.append(n)
                except OSError:
                    time.sleep(0.02)
                n += 1
        sender = threading.Thread(target=send)
        sender.start()
        try:
            for i in range(3):
                n = len(answered)
                wait_for("uplinks are taken", lambda n=n: len(answered) >= n + 40)
                self.server.kill()
                if i == 1:
                    self.broker.stop()
                    self.broker.start()
                self.server.start()
                self.until_connected("ps")
            n = len(answered)
            wait_for("uplinks are taken", lambda n=n: len(answered) >= n + 40)
            self.broker.stop()
            time.sleep(0.2)
            self.broker.start()
        finally:
            done.set()
            sender.join()
        self.until_heard("ps", answered)
        wait_for(lambda: self.status("ps"), lambda: int(self.status("ps").get("queued", 0)) == 0)
        heard = self.listener.numbers("ps/uplink")
        self.assertEqual(len(heard), len(set(heard)), "twice: %s" % [n for n in heard if heard.count(n) > 1][:10])
        self.assertEqual(heard, sorted(heard))


if __name__ == "__main__":
    unittest.main()
