"""The bounds of the MQTT server, each from its setting: at the limit, and one over; wrong logins; and what must not bring it down."""
import json
import os
import re
import resource
import select
import socket
import struct
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from octets import packet, text  # noqa: E402
from test_api import BUILD, Server  # noqa: E402

ACCEPTED, REFUSED = b"\x20\2\0\0", b"\x20\2\0\5"
PUSH = "v3/app1/devices/%s/down/push"


class Mqtt(socket.socket):
    """A socket that knows a few packets."""

    def __init__(self, port, source=None):
        super().__init__(socket.AF_INET)
        self.settimeout(30)
        if source:
            self.bind((source, 0))
        self.connect(("127.0.0.1", port))

    def login(self, key, client="c", user="app1", clean=True, will=None, level=4):
        flags = (2 if clean else 0) | 0xC0 | (0x0C if will else 0)
        body = text("MQTT") + bytes([level, flags]) + b"\0\0" + (b"\0" if level == 5 else b"") + text(client)
        if will:
            body += text(will[0]) + text(will[1])
        self.sendall(packet(0x10, body + text(user) + text(key)))
        return self.exactly(4)

    def subscribe(self, *filters, qos=0):
        self.sendall(packet(0x82, b"\0\1" + b"".join(text(f) + bytes([qos]) for f in filters)))
        head = self.exactly(2)
        return self.exactly(head[1]) if head[0] == 0x90 else b""

    def publish(self, topic, payload, qos=1, number=1):
        self.sendall(packet(0x30 | qos << 1, text(topic) + (struct.pack(">H", number) if qos else b"") + payload))

    def exactly(self, n):
        """n octets, or fewer if the connection ends before."""
        got = b""
        while len(got) < n:
            try:
                more = self.recv(n - len(got))
            except ConnectionResetError:
                break
            if not more:
                break
            got += more
        return got

    def is_alive(self):
        self.sendall(b"\xc0\0")
        return self.exactly(2) == b"\xd0\0"

    def is_closed(self):
        return self.exactly(1) == b""


class Case(unittest.TestCase):
    def server(self, *settings, **more):
        server = Server(*("--as." + s for s in settings)).start()
        self.addCleanup(server.close)
        server.ask("POST", "/a/applications", {"ids": {"application_id": "app1"}})
        self.key = server.ask("POST", "/a/applications/app1/api-keys", {"rights": ["RIGHT_APPLICATION_TRAFFIC_READ",
                              "RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE"]})[1]["key"]
        with open(os.path.join(server.state, "addresses.json")) as f:
            self.port = int(json.load(f)["as.mqtt"].rsplit(":", 1)[1])
        return server

    def socket(self, source=None):
        s = Mqtt(self.port, source)
        self.addCleanup(s.close)
        return s

    def client(self, name="c", source=None, **how):
        s = self.socket(source)
        self.assertEqual(s.login(self.key, name, **how), ACCEPTED)
        return s

    def memory(self, server):
        with open("/proc/%d/status" % server.process.pid) as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) * 1024


class Bounds(Case):
    def test_a_connect_must_come_in_time(self):
        self.server("mqtt-connect-timeout=2s")
        silent, half = self.socket(), self.socket()
        half.sendall(b"\x10\x20\0\4MQ")
        begun = time.monotonic()
        self.assertTrue(silent.is_closed() and half.is_closed())
        self.assertGreater(time.monotonic() - begun, 1.5)
        early = self.client()
        time.sleep(2.5)
        self.assertTrue(early.is_alive())

    def test_connections_in_all_and_of_one_address(self):
        self.server("mqtt-connections=5", "mqtt-connections-per-address=2", "mqtt-trusted=127.0.0.9")
        first = [self.client("a%d" % i, "127.0.0.2") for i in range(2)]
        self.assertTrue(self.socket("127.0.0.2").is_closed())
        other = self.client("b", "127.0.0.3")
        trusted = [self.client("t%d" % i, "127.0.0.9") for i in range(2)]
        self.assertTrue(self.socket("127.0.0.9").is_closed())  # the sixth of all
        first.pop().close()
        end = time.monotonic() + 30
        while True:  # until it has been noticed
            s = self.socket("127.0.0.2")
            try:
                if s.login(self.key, "again") == ACCEPTED:
                    break
            except OSError:
                pass
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)
        self.assertTrue(self.socket("127.0.0.2").is_closed())
        self.assertTrue(all(c.is_alive() for c in first + trusted + [other]))

    def test_the_size_of_a_connect(self):
        self.server("mqtt-connect-size=1KiB")
        body = text("MQTT") + b"\4\xc6\0\0" + text("c") + text(PUSH % "d")
        rest = text("app1") + text(self.key)
        fill = 1024 - 3 - len(body) - 2 - len(rest)
        for more, answer in ((0, ACCEPTED), (1, b"")):
            s = self.socket()
            s.sendall(packet(0x10, body + text(b"x" * (fill + more)) + rest))
            self.assertEqual(s.exactly(4), answer)

    def test_the_size_of_a_packet(self):
        self.server("mqtt-packet-size=2KiB")
        topic = PUSH % "d"
        fill = 2048 - 3 - 2 - len(topic) - 2
        s = self.client()
        s.publish(topic, b"x" * fill)
        self.assertEqual(s.exactly(4), b"\x40\2\0\1")
        s.publish(topic, b"x" * (fill + 1))
        self.assertTrue(s.is_closed())
        s = self.client()
        s.sendall(b"\x32\xff\xff\xff\x7f")  # judged by its head
        self.assertTrue(s.is_closed())

    def test_topics_by_length_and_levels(self):
        self.server("mqtt-topic-size=256", "mqtt-topic-levels=8")
        s = self.client()
        base = "v3/app1/devices/"
        self.assertEqual(s.subscribe(base + "d" * (256 - len(base))), b"\0\1\0")
        self.assertEqual(s.subscribe(base + "d" * (257 - len(base))), b"\0\1\x80")
        self.assertEqual(s.subscribe(base + "a/b/c/d/e"), b"\0\1\0")
        self.assertEqual(s.subscribe(base + "a/b/c/d/e/f"), b"\0\1\x80")
        s.publish(base + "d" * (256 - len(base)), b"", qos=1)
        self.assertEqual(s.exactly(4), b"\x40\2\0\1")
        s.publish(base + "d" * (257 - len(base)), b"", qos=1)
        self.assertTrue(s.is_closed())

    def test_subscriptions_and_filters(self):
        self.server("mqtt-subscriptions=3", "mqtt-filters=2")
        s = self.client()
        f = ["v3/app1/devices/%d/up" % i for i in range(4)]
        self.assertEqual(s.subscribe(f[0], f[1]), b"\0\1\0\0")
        self.assertEqual(s.subscribe(f[2], f[3]), b"\0\1\0\x80")
        self.assertEqual(s.subscribe(f[0]), b"\0\1\0")  # it has that one
        s.sendall(packet(0x82, b"\0\1" + b"".join(text(x) + b"\0" for x in f[:3])))
        self.assertTrue(s.is_closed())

    def test_the_length_of_a_client_id(self):
        self.server("mqtt-client-id-size=23")
        self.client("x" * 23)
        self.assertEqual(self.socket().login(self.key, "x" * 24), b"\x20\2\0\2")

    def test_messages_in_flight_and_waiting(self):
        server = self.server("mqtt-in-flight=2", "mqtt-queue-messages=5")
        sub = self.client("sub", clean=False)
        self.assertEqual(sub.subscribe("#", qos=1), b"\0\1\1")
        pub = self.client("pub")
        for i in range(4):
            pub.publish(PUSH % ("d%d" % i), b"no json", number=i + 1)
        self.assertEqual(len(pub.exactly(16)), 16)
        got = self.numbers(sub)
        self.assertEqual([device for device, _ in got], ["d0", "d1"])
        sub.sendall(b"\x40\2" + got[0][1])
        self.assertEqual([device for device, _ in self.numbers(sub)], ["d2"])
        self.client("kept", clean=False).subscribe("#", qos=1)
        for n in (5, 6):  # the oldest gives way
            self.drop("kept")
            for i in range(n):
                pub.publish(PUSH % ("k%d" % i), b"no json", number=i + 1)
            self.assertEqual(len(pub.exactly(4 * n)), 4 * n)
            kept = self.socket()
            self.assertEqual(kept.login(self.key, "kept", clean=False), b"\x20\2\1\0")
            devices = []
            while len(devices) < 5:
                for device, number in self.numbers(kept):
                    devices.append(device)
                    kept.sendall(b"\x40\2" + number)
            self.assertEqual(devices, ["k%d" % i for i in range(n - 5, n)])
            self.assertEqual(self.numbers(kept), [])
        # What was lost is an event of the application, and counted.
        out = subprocess.run([os.path.join(BUILD, "godwit"), "--state-dir", server.state, "events", "--application-id", "app1"], capture_output=True, text=True, timeout=60)
        losses = [e["data"] for e in json.loads(out.stdout) if e["name"] == "as.mqtt.session.drop"]
        self.assertEqual({loss["client_id"] for loss in losses}, {"kept", "sub"})
        self.assertIn({"client_id": "kept", "messages": 1, "total": 1}, losses)
        self.assertRegex(server.ask("GET", "/metrics", key="")[1], r"(?m)^as_mqtt_lost_total [1-9]")

    def drop(self, name):
        """End the connection of that client id, and know that it has ended: whoever takes it over says goodbye."""
        s = self.socket()
        self.assertEqual(s.login(self.key, name, clean=False), b"\x20\2\1\0")
        s.sendall(b"\xe0\0")
        self.assertTrue(s.is_closed())

    def numbers(self, s):
        """(device, packet id) of the publishes of QoS 1 that come until it is asked for a sign of life, which comes last."""
        s.sendall(b"\xc0\0")
        got = []
        while True:
            first = s.exactly(1)
            if first == b"\xd0":
                s.exactly(1)
                return got
            n = shift = 0
            while True:
                c = s.exactly(1)[0]
                n |= (c & 127) << shift
                shift += 7
                if c < 128:
                    break
            body = s.exactly(n)
            length = struct.unpack(">H", body[:2])[0]
            got.append((body[2:2 + length].decode().split("/")[3], body[2 + length:4 + length]))

    def test_what_a_client_has_not_been_acknowledged_yet(self):
        self.server("mqtt-receive-maximum=7")
        s = self.socket()
        s.sendall(packet(0x10, text("MQTT") + b"\5\xc2\0\0\0" + text("c") + text("app1") + text(self.key)))
        head = s.exactly(2)
        self.assertIn(b"\x21\0\7", s.exactly(head[1]))

    def test_the_longest_keep_alive(self):
        self.server("mqtt-keep-alive-max=90s")
        for asked, told in ((90, False), (91, True), (0, True)):
            s = self.socket()
            s.sendall(packet(0x10, text("MQTT") + b"\5\xc2" + struct.pack(">H", asked) + b"\0" + text("c") + text("app1") + text(self.key)))
            head = s.exactly(2)
            self.assertEqual(b"\x13\0\x5a" in s.exactly(head[1]), told, asked)

    def test_sessions_of_an_application_and_in_all(self):
        server = self.server("mqtt-sessions-per-application=2", "mqtt-sessions=3")
        one, two = self.client("one"), self.client("two")
        self.assertEqual(self.socket().login(self.key, "three")[:3], b"\x20\2\0")
        self.assertNotEqual(self.socket().login(self.key, "three"), ACCEPTED)
        server.ask("POST", "/a/applications", {"ids": {"application_id": "app2"}})
        key = server.ask("POST", "/a/applications/app2/api-keys", {"rights": ["RIGHT_APPLICATION_TRAFFIC_READ"]})[1]["key"]
        third, fourth = self.socket(), self.socket()
        self.assertEqual(third.login(key, "x", user="app2"), ACCEPTED)
        self.assertNotEqual(fourth.login(key, "y", user="app2"), ACCEPTED)
        self.assertTrue(one.is_alive() and two.is_alive() and third.is_alive())

    def test_a_session_ends_after_its_time(self):
        self.server("mqtt-session-expiry=1s")
        self.client("kept", clean=False).close()
        end = time.monotonic() + 30
        while True:
            s = self.socket()
            answer = s.login(self.key, "kept", clean=False)
            s.close()
            if answer == ACCEPTED:
                break
            self.assertEqual(answer, b"\x20\2\1\0")
            self.assertLess(time.monotonic(), end)
            time.sleep(1.3)

    def test_a_wrong_setting_is_named(self):
        for setting, word in (("mqtt-trusted=10.0.0.0/33", "mqtt-trusted"), ("mqtt-trusted=example.net", "mqtt-trusted"),
                              ("tls-client-certificates=maybe", "tls-client-certificates"), ("mqtt-subscriptions=257", "mqtt-subscriptions")):
            got = subprocess.run([os.path.join(BUILD, "godwit-as"), "--check-config", "--as." + setting], capture_output=True, text=True,
                                 timeout=60)
            self.assertEqual(got.returncode, 1, setting)
            self.assertIn("--as." + word, got.stderr.splitlines()[-1])


class Logins(Case):
    def test_different_wrong_logins_lock_their_address_out_and_nobody_else(self):
        server = self.server("mqtt-login-failures=4", "mqtt-login-lockout=4s", "mqtt-refusal-delay=0s", "mqtt-trusted=")
        neighbour = self.socket("127.0.0.2")
        self.assertEqual(neighbour.login(self.key, "neighbour"), ACCEPTED)
        for _ in range(20):  # an old key in a loop
            self.assertEqual(self.socket("127.0.0.2").login("NNSXS.OLD", "old"), REFUSED)
        for i in range(2):
            self.assertEqual(self.socket("127.0.0.2").login("guess%d" % i), REFUSED)
        other = server.ask("POST", "/a/applications/app1/api-keys", {"rights": ["RIGHT_APPLICATION_TRAFFIC_READ"]})[1]["key"]
        third = server.ask("POST", "/a/applications/app1/api-keys", {"rights": ["RIGHT_APPLICATION_TRAFFIC_READ"]})[1]["key"]
        self.assertEqual(self.socket("127.0.0.2").login(other, "new"), ACCEPTED)  # three wrong ones, and this is right
        self.assertEqual(self.socket("127.0.0.2").login("guess3"), REFUSED)
        begun = time.monotonic()
        self.assertEqual(self.socket("127.0.0.2").login(third, "third"), REFUSED)  # right, but nobody knows it there
        self.assertEqual(self.socket("127.0.0.2").login(self.key, "neighbour2"), ACCEPTED)
        self.assertEqual(self.socket("127.0.0.3").login(third, "elsewhere"), ACCEPTED)
        self.assertTrue(neighbour.is_alive())
        refused = self.socket("127.0.0.2")
        refused.sendall(packet(0x10, text("MQTT") + b"\5\xc2\0\0\0" + text("five") + text("app1") + text(third)))
        head = refused.exactly(2)
        self.assertIn(b"too many different wrong logins from this address", refused.exactly(head[1]))
        while self.socket("127.0.0.2").login(third, "third") != ACCEPTED:
            self.assertLess(time.monotonic() - begun, 30)
            time.sleep(0.3)
        self.assertTrue(any("mqtt_locked_out" in line and "127.0.0.2" in line for line in server.lines))
        whys = [e["data"]["error"] for e in server.ask("GET", "/a/events?application_id=app1")[1]["events"] if e["name"] == "as.mqtt.connect.fail"]
        self.assertTrue(any("too many different wrong logins" in why for why in whys), whys)

    def test_a_wrong_login_is_told_so_late_and_holds_up_nobody(self):
        self.server("mqtt-refusal-delay=2s", "mqtt-trusted=127.0.0.9")
        wrong, gone = self.socket("127.0.0.2"), self.socket("127.0.0.2")
        begun = time.monotonic()
        gone.sendall(packet(0x10, text("MQTT") + b"\4\xc2\0\0" + text("g") + text("app1") + text("bad")))
        wrong.sendall(packet(0x10, text("MQTT") + b"\4\xc2\0\0" + text("w") + text("app1") + text("bad")) + b"\xc0\0" * 1000)
        gone.close()
        self.client("right", "127.0.0.2")
        readable, _, _ = select.select([wrong], [], [], 0)
        self.assertTrue(not readable or time.monotonic() - begun > 1.9)
        self.assertEqual(wrong.exactly(5), REFUSED)
        self.assertGreater(time.monotonic() - begun, 1.9)
        begun = time.monotonic()
        self.assertEqual(self.socket("127.0.0.9").login("bad"), REFUSED)


class Resilience(Case):
    def test_announced_lengths_and_half_open_connections(self):
        """Packets that cannot come first, with 256 MB announced; CONNECTs that never end; connections beyond the limit."""
        server = self.server("mqtt-connections=2500", "mqtt-connect-timeout=3s")
        alive = self.client("alive")
        before = self.memory(server)
        for first in (0x00, 0x20, 0x30, 0x40, 0x50, 0x62, 0x70, 0x82, 0x90, 0xA2, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0):
            for _ in range(20):
                s = Mqtt(self.port)
                try:
                    s.sendall(bytes([first]) + b"\xff\xff\xff\x7f" + b"\0" * 100)
                except OSError:
                    pass
                self.assertTrue(s.is_closed())
                s.close()
        huge = self.socket()
        huge.sendall(b"\x10\xff\xff\xff\x7f")
        self.assertTrue(huge.is_closed())
        _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
        held = []
        for i in range(2000 if files < 0 else min(2000, files // 2 - 50)):  # the server has as many, but for some of its own
            s = Mqtt(self.port, "127.0.%d.2" % (i % 10 + 1))
            s.sendall(b"\x10\xff\x7f\0\4MQTT\4\2"[: 1 + i % 11])
            held.append(s)
        self.assertTrue(alive.is_alive())
        self.client("another").close()
        # Far below what was announced; a sanitizer keeps some of what was freed.
        self.assertLess(self.memory(server) - before, 60e6)
        for s in held:
            self.assertTrue(s.is_closed())
            s.close()
        self.assertTrue(alive.is_alive())

    def test_a_storm_of_connections_beyond_the_limit(self):
        server = self.server("mqtt-connections=50", "mqtt-connect-timeout=30m")
        alive = self.client("alive")
        before = self.memory(server)
        held = [Mqtt(self.port) for _ in range(49)]
        for _ in range(1000):
            s = Mqtt(self.port)
            self.assertTrue(s.is_closed())
            s.close()
        self.assertTrue(alive.is_alive())
        for s in held:
            s.close()
        self.assertLess(self.memory(server) - before, 60e6)
        said = [line for line in server.lines if "mqtt_turned_away" in line]
        self.assertTrue(said and len(said) < 100, said)  # at most one in ten seconds
        self.assertIn("as many connections as there may be", said[0])
        _, metrics = server.ask("GET", "/metrics")
        self.assertRegex(metrics, r"as_mqtt_turned_away_total 1000\n")

    def test_a_storm_of_takeovers(self):
        server = self.server()
        before = None
        old = None
        for i in range(600):
            s = Mqtt(self.port)
            self.assertIn(s.login(self.key, "same", clean=i % 2 == 0)[:2], (b"\x20\2",))
            s.subscribe("#", qos=1)
            if old:
                self.assertTrue(old.is_closed())
                old.close()
            old = s
            before = before or self.memory(server)
        self.assertTrue(old.is_alive())
        old.close()
        # All at once: each takes over from the one before, and one is left.
        storm = [Mqtt(self.port) for _ in range(200)]
        for s in storm:
            s.sendall(packet(0x10, text("MQTT") + b"\4\xc2\0\0" + text("same") + text("app1") + text(self.key)))
        left = 0
        for s in storm:
            self.assertEqual(s.exactly(4), ACCEPTED)
        for s in storm:
            try:
                left += s.is_alive()
            except OSError:
                pass
            s.close()
        self.assertEqual(left, 1)
        self.assertLess(self.memory(server) - before, 60e6)

    def test_a_slow_reader_holds_up_nobody(self):
        """10,000 messages for one that reads none, and for another one that has them all."""
        server = self.server("mqtt-queue-messages=100", "mqtt-queue-size=1MiB")
        before = self.memory(server)
        slow, good = self.client("slow"), self.client("good")
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for s, qos in ((slow, 1), (good, 0)):
            self.assertEqual(s.subscribe("#", qos=qos)[2], qos)
        pub = self.client("pub")
        seen, body = 0, b'{"downlinks":[{"f_port":1,"frm_payload":"' + b"@" * 20 + b'"}]}'
        for _ in range(100):
            for i in range(100):
                pub.publish(PUSH % "d", body, qos=1, number=i + 1)
            self.assertEqual(len(pub.exactly(400)), 400)
            while select.select([good], [], [], 0)[0]:
                seen += good.recv(1 << 20).count(b"/d/down/failed")
        while seen < 9900:  # a few may have been cut by the pieces in which they were read
            seen += good.recv(1 << 20).count(b"/d/down/failed")
        self.assertTrue(pub.is_alive())
        self.assertLess(self.memory(server) - before, 100e6)


if __name__ == "__main__":
    unittest.main()
