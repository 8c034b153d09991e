"""MQTT over WebSocket on the HTTP listener: MQTT.js and paho, and frames of our own that break the rules of RFC 6455."""
import base64
import hashlib
import json
import os
import queue
import socket
import struct
import subprocess
import sys
import unittest

import paho.mqtt.client as paho

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from npm import folder_with  # noqa: E402
from octets import packet, text  # noqa: E402
import paho_client  # noqa: E402
from test_api import Server  # noqa: E402

PUSH, FAILED = "v3/app1/devices/dev1/down/push", "v3/app1/devices/dev1/down/failed"
BINARY, TEXT, CONTINUATION, CLOSE, PING, PONG = 2, 1, 0, 8, 9, 10


class Raw:
    """A WebSocket of our own, without any manners unless asked for."""

    def __init__(self, address, path="/mqtt", protocol="mqtt", tls=None, **headers):
        host, port = address.rsplit(":", 1)
        self.sock = socket.create_connection((host, int(port)), timeout=20)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
        self.key = base64.b64encode(os.urandom(16)).decode()
        lines = {"Host": address, "Upgrade": "websocket", "Connection": "keep-alive, Upgrade", "Sec-WebSocket-Key": self.key,
                 "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": protocol}
        lines.update({k.replace("_", "-"): v for k, v in headers.items()})
        self.head = "GET %s HTTP/1.1\r\n" % path + "".join("%s: %s\r\n" % kv for kv in lines.items() if kv[1] is not None) + "\r\n"
        self.buffer = b""

    def open(self, behind=b""):
        """The status and the headers of the answer."""
        self.sock.sendall(self.head.encode() + behind)
        while b"\r\n\r\n" not in self.buffer:
            got = self.sock.recv(4096)
            if not got:
                raise EOFError(self.buffer)
            self.buffer += got
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        return int(lines[0].split()[1]), dict(line.lower().split(": ", 1) for line in lines[1:])

    @staticmethod
    def frame(opcode, payload, fin=True, mask=b"\x11\x22\x33\x44", length=None):
        n = len(payload) if length is None else length
        out = bytes([opcode | (0x80 if fin else 0)])
        bit = 0x80 if mask else 0
        out += bytes([bit | n]) if n < 126 else bytes([bit | 126]) + struct.pack(">H", n) if n < 65536 else bytes([bit | 127]) + struct.pack(">Q", n)
        return out + (mask + bytes(c ^ mask[i % 4] for i, c in enumerate(payload)) if mask else payload)

    def send(self, opcode, payload, **how):
        self.sock.sendall(self.frame(opcode, payload, **how))

    def exactly(self, n):
        while len(self.buffer) < n:
            got = self.sock.recv(65536)
            if not got:
                raise EOFError
            self.buffer += got
        got, self.buffer = self.buffer[:n], self.buffer[n:]
        return got

    def receive(self):
        """(opcode, payload) of the next frame; EOFError at the end."""
        first, n = self.exactly(2)
        assert first & 0x70 == 0 and n < 128, "a server's frame is not masked, and has no extension"
        n = n if n < 126 else struct.unpack(">H", self.exactly(2))[0] if n == 126 else struct.unpack(">Q", self.exactly(8))[0]
        return first & 15, self.exactly(n)

    def code(self):
        """Of the Close frame that comes next, behind which the connection ends."""
        opcode, payload = self.receive()
        assert opcode == CLOSE, (opcode, payload)
        try:
            self.exactly(1)
        except (EOFError, ConnectionResetError):
            return struct.unpack(">H", payload[:2])[0] if payload else None
        raise AssertionError("not closed")

    def close(self):
        self.sock.close()


class Websocket(unittest.TestCase):
    settings = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.settings).start()
        cls.server.ask("POST", "/a/applications", {"ids": {"application_id": "app1"}})
        cls.key = cls.server.ask("POST", "/a/applications/app1/api-keys", {"rights": ["RIGHT_APPLICATION_TRAFFIC_READ", "RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE"]})[1]["key"]
        cls.connect = packet(0x10, text("MQTT") + b"\4\xc2\0\0" + text("raw") + text("app1") + text(cls.key))

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def raw(self, **how):
        w = Raw(self.server.address, **how)
        self.addCleanup(w.close)
        return w

    def opened(self):
        w = self.raw()
        self.assertEqual(w.open()[0], 101)
        return w

    def logged_in(self):
        w = self.opened()
        w.send(BINARY, self.connect)
        self.assertEqual(w.receive(), (BINARY, b"\x20\2\0\0"))
        return w

    def is_alive(self, w):
        w.send(BINARY, b"\xc0\0")
        self.assertEqual(w.receive(), (BINARY, b"\xd0\0"))

    def test_the_handshake(self):
        w = self.raw()
        status, headers = w.open()
        self.assertEqual(status, 101)
        accept = base64.b64encode(hashlib.sha1((w.key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        self.assertEqual(headers["sec-websocket-accept"].lower(), accept.lower())
        self.assertEqual((headers["upgrade"], headers["connection"], headers["sec-websocket-protocol"]), ("websocket", "upgrade", "mqtt"))
        for offered, chosen in (("mqttv3.1", "mqttv3.1"), ("mqttv3.1, mqtt", "mqtt"), ("other,mqtt", "mqtt")):
            self.assertEqual(self.raw(protocol=offered).open()[1]["sec-websocket-protocol"], chosen)

    def test_what_is_no_handshake_is_told_so(self):
        for status, how in ((426, {"Upgrade": None}), (426, {"Connection": "keep-alive"}), (426, {"Sec_WebSocket_Version": "8"}),
                            (426, {"Sec_WebSocket_Version": None}), (400, {"Sec_WebSocket_Key": "short"}), (400, {"Sec_WebSocket_Key": None}),
                            (400, {"protocol": "amqp"}), (400, {"protocol": None}), (404, {"path": "/mqtt/more"})):
            got, headers = self.raw(**how).open()
            self.assertEqual(got, status, how)
            if status == 426:
                self.assertEqual((headers["upgrade"], headers["sec-websocket-version"]), ("websocket", "13"))

    def test_only_a_get_of_http_1_1_is_upgraded(self):
        for old, new in (("GET", "HEAD"), ("HTTP/1.1", "HTTP/1.0")):
            w = self.raw()
            w.head = w.head.replace(old, new)
            self.assertEqual(w.open()[0], 426, new)
        w = self.raw()
        w.head = w.head.replace("GET", "POST")
        self.assertEqual(w.open()[0], 405)

    def test_packets_may_be_cut_and_joined_anyhow(self):
        w = self.opened()
        everything = self.connect + packet(0x82, b"\0\1" + text("#") + b"\1") + b"\xc0\0"
        want = b"\x20\2\0\0" + b"\x90\3\0\1\1" + b"\xd0\0"
        for i in range(len(everything)):  # an octet a frame, with a Ping between
            w.send(BINARY, everything[i:i + 1])
            if i == 5:
                w.send(PING, b"are you there")
        got, pongs = b"", []
        while len(got) < len(want):
            opcode, payload = w.receive()
            if opcode == PONG:
                pongs.append(payload)
            else:
                got += payload
        self.assertEqual((got, pongs), (want, [b"are you there"]))
        w = self.opened()
        w.send(BINARY, everything[:7], fin=False)
        w.send(CONTINUATION, everything[7:20], fin=False)
        w.send(PONG, b"unasked")
        w.send(CONTINUATION, b"", fin=False)
        w.send(CONTINUATION, everything[20:])
        got = b""
        while len(got) < len(want):
            got += w.receive()[1]
        self.assertEqual(got, want)
        w = self.raw()  # together with the request
        self.assertEqual(w.open(behind=w.frame(BINARY, everything))[0], 101)
        got = b""
        while len(got) < len(want):
            got += w.receive()[1]
        self.assertEqual(got, want)

    def test_a_large_packet_in_one_frame(self):
        w = self.logged_in()
        w.send(BINARY, packet(0x32, text(PUSH) + b"\0\7" + b"x" * 300000))
        self.assertEqual(w.receive(), (BINARY, b"\x40\2\0\7"))
        self.is_alive(w)

    def test_who_breaks_the_rules_is_told_by_a_code(self):
        f = Raw.frame
        for code, octets in ((1002, f(BINARY, b"\xc0\0", mask=b"")), (1002, f(PING, b"", mask=b"")), (1003, f(TEXT, b"\xc0\0")),
                             (1002, f(CONTINUATION, b"x")), (1002, f(BINARY, b"x", fin=False) + f(BINARY, b"y")), (1002, f(3, b"x")),
                             (1002, f(11, b"")), (1002, f(BINARY | 0x40, b"x")), (1002, f(PING, b"", fin=False)), (1002, f(PING, b"x" * 126)),
                             (1009, f(BINARY, b"x", length=1 << 32)), (1009, f(BINARY, b"x", length=1 << 62)), (1002, f(BINARY, b"x", length=1 << 63)),
                             (1002, f(CLOSE, b"\3")), (1002, f(CLOSE, struct.pack(">H", 1005))), (1007, f(CLOSE, struct.pack(">H", 1000) + b"\xff")),
                             (1000, f(CLOSE, struct.pack(">H", 1000) + b"bye")), (4711, f(CLOSE, struct.pack(">H", 4711))), (None, f(CLOSE, b""))):
            w = self.logged_in()
            w.sock.sendall(octets)
            self.assertEqual(w.code(), code, octets[:20])
            w.close()

    def test_what_ends_the_mqtt_connection_ends_the_websocket(self):
        w = self.opened()
        w.send(BINARY, b"\x30\2")
        self.assertEqual(w.code(), 1000)
        w = self.logged_in()
        w.send(BINARY, b"\xe0\0")
        self.assertEqual(w.code(), 1000)
        w = self.opened()
        w.send(BINARY, self.connect[:-1] + b"x")
        self.assertEqual(w.receive(), (BINARY, b"\x20\2\0\5"))
        self.assertEqual(w.code(), 1000)
        w = self.logged_in()
        other = self.logged_in()  # the same client id
        self.assertEqual(w.code(), 1000)
        self.is_alive(other)

    def test_a_disconnect_just_before_the_close_frame_counts(self):
        watcher = self.logged_in_as("watcher")
        watcher.send(BINARY, packet(0x82, b"\0\1" + text("#") + b"\0"))
        self.assertEqual(watcher.receive()[1], b"\x90\3\0\1\0")
        body = text("MQTT") + b"\4\xc6\0\0" + text("w") + text("v3/app1/devices/%s/down/push") + text("x") + text("app1") + text(self.key)
        for device, how in (("bye", b"\xe0\0"), ("lost", b"")):
            will = body.replace(text("v3/app1/devices/%s/down/push"), text("v3/app1/devices/%s/down/push" % device))
            w = self.opened()
            w.send(BINARY, packet(0x10, will))
            self.assertEqual(w.receive()[1], b"\x20\2\0\0")
            w.sock.sendall(w.frame(BINARY, how) + w.frame(CLOSE, b"\3\xe8"))
            self.assertEqual(w.code(), 1000)
        self.assertIn(b"v3/app1/devices/lost/down/failed", watcher.receive()[1])

    def test_pings_without_end_are_answered_and_take_no_memory(self):
        w = self.logged_in()
        w.sock.settimeout(0.5)
        flood, sent = Raw.frame(PING, b"x" * 125) * 500, 0
        try:
            for _ in range(400):  # 26 MB of Pongs that nobody reads
                w.sock.sendall(flood)
                sent += 1
        except socket.timeout:
            pass
        self.assertLess(sent, 400)
        with open("/proc/%d/status" % self.server.process.pid) as status:
            resident = int(next(line for line in status if line.startswith("VmRSS")).split()[1])
        self.assertLess(resident, 400000)
        self.is_alive(self.logged_in_as("another"))
        w.sock.settimeout(20)
        for _ in range(500 * (sent - 1)):
            self.assertEqual(w.receive(), (PONG, b"x" * 125))

    def logged_in_as(self, name):
        w = self.opened()
        w.send(BINARY, packet(0x10, text("MQTT") + b"\4\xc2\0\0" + text(name) + text("app1") + text(self.key)))
        self.assertEqual(w.receive(), (BINARY, b"\x20\2\0\0"))
        return w

    def paho(self, level):
        kept = {} if level == paho.MQTTv5 else {"clean_session": True}
        c = paho_client.client("paho%d" % level, protocol=level, transport="websockets", **kept)
        c.username_pw_set("app1", self.key)
        c.ws_set_options(path="/mqtt")
        return c

    def test_paho_subscribes_and_publishes(self):
        host, port = self.server.address.rsplit(":", 1)
        for level in (paho.MQTTv31, paho.MQTTv311, paho.MQTTv5):
            c, events = self.paho(level), queue.Queue()
            c.on_connect = lambda client, u, flags, rc, *p: client.subscribe("#", 1)
            c.on_subscribe = lambda client, u, mid, granted, *p: client.publish(PUSH, b"no json" * 20000, 1)
            c.on_message = lambda client, u, m: events.put((m.topic, m.qos))
            c.connect(host, int(port))
            c.loop_start()
            self.assertEqual(events.get(timeout=20), (FAILED, 1))
            c.disconnect()
            c.loop_stop()

    def test_mqtt_js_subscribes_and_publishes(self):
        folder = folder_with(self, "mqtt@5")
        script = os.path.join(folder, "websocket.js")
        with open(script, "w") as f:
            f.write(MQTT_JS)
        for level in ("3", "4", "5"):
            out = subprocess.run(["node", script, "ws://%s/mqtt" % self.server.address, level, self.key], cwd=folder, capture_output=True, text=True, timeout=60)
            self.assertEqual(out.stdout.split(), ["connected", FAILED, "closed"], out.stderr)


MQTT_JS = """
const mqtt = require('mqtt');
const [url, level, password, ca] = process.argv.slice(2);
const how = { protocolVersion: Number(level), protocolId: level === '3' ? 'MQIsdp' : 'MQTT', reconnectPeriod: 0, username: 'app1', password,
              clientId: 'js' + level };
if (ca) how.ca = require('fs').readFileSync(ca);
const c = mqtt.connect(url, how);
c.on('connect', async () => {
  console.log('connected');
  await c.subscribeAsync('#', { qos: 1 });
  /* 5.0 says in the acknowledgement what is wrong with it. */
  await c.publishAsync('v3/app1/devices/dev1/down/push', 'no json '.repeat(20000), { qos: 1 }).catch((e) => { if (e.code !== 0x99) throw e; });
});
c.on('message', (topic) => { console.log(topic); c.end(false, () => console.log('closed')); });
c.on('error', (e) => { console.error(e.message); process.exit(3); });
setTimeout(() => process.exit(4), 40000).unref();
"""


class Origins(unittest.TestCase):
    def test_only_pages_of_these_origins_are_let_in(self):
        server = Server("--as.websocket-origins=https://a.example, http://localhost:3000").start()
        self.addCleanup(server.close)
        for status, origin in ((101, "https://a.example"), (101, "http://localhost:3000"), (403, "https://b.example"),
                               (403, "https://a.example.b.example"), (101, None)):
            w = Raw(server.address, Origin=origin)
            self.addCleanup(w.close)
            self.assertEqual(w.open()[0], status, origin)


class Limits(unittest.TestCase):
    def test_the_connections_of_mqtt_are_those_of_websocket_too(self):
        server = Server("--as.mqtt-connections=2").start()
        self.addCleanup(server.close)
        held = [Raw(server.address) for _ in range(3)]
        for w, status in zip(held, (101, 101, 503)):
            self.addCleanup(w.close)
            self.assertEqual(w.open()[0], status)
        with open(os.path.join(server.state, "addresses.json")) as f:
            host, port = json.load(f)["as.mqtt"].rsplit(":", 1)
        s = socket.create_connection((host, int(port)), timeout=20)
        self.addCleanup(s.close)
        self.assertEqual(s.recv(1), b"")


if __name__ == "__main__":
    unittest.main()
