"""The MQTT engine and listener, with an open policy, against clients that are not ours: paho, mosquitto, MQTT.js, and raw sockets."""
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from npm import folder_with  # noqa: E402
import paho_client  # noqa: E402

SOURCE = os.environ.get("GODWIT_SOURCE") or os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.environ.get("GODWIT_BUILD") or os.path.join(SOURCE, "build")
LEVELS = (paho.MQTTv31, paho.MQTTv311, paho.MQTTv5)


class Broker:
    def __init__(self, *args):
        self.args = args
        self.start()

    def start(self, port=0):
        self.process = subprocess.Popen([os.path.join(BUILD, "test/mqtt_broker/mqtt-broker"), "--port", str(port), *self.args],
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[1])

    def stop(self):
        self.process.terminate()
        out, _ = self.process.communicate(timeout=10)
        return out

    def kill(self):
        self.process.kill()
        self.process.communicate(timeout=10)

    def memory_bytes(self):
        with open("/proc/%d/status" % self.process.pid) as f:
            return int(next(line for line in f if line.startswith("VmRSS")).split()[1]) * 1024


def properties(kind, **values):
    p = Properties(kind)
    for name, value in values.items():
        setattr(p, name, value)
    return p


class Client:
    """paho with its events in queues."""

    def __init__(self, port, name, level=paho.MQTTv311, clean=True, user="open", password=None, will=None, keepalive=60, expiry=0,
                 ok=True, manual=False, props=None):
        kept = {} if level == paho.MQTTv5 else {"clean_session": clean}
        self.client = paho_client.client(name, protocol=level, **kept)
        self.client.manual_ack = manual
        if user is not None:
            self.client.username_pw_set(user, password)
        if will:
            self.client.will_set(*will)
        self.connected, self.messages, self.acks, self.gone = queue.Queue(), queue.Queue(), queue.Queue(), queue.Queue()
        self.client.on_connect = lambda c, u, flags, rc, *p: self.connected.put((flags, rc, p))
        self.client.on_message = lambda c, u, m: self.messages.put(m)
        self.client.on_publish = lambda c, u, mid: self.acks.put(mid)
        self.client.on_subscribe = lambda c, u, mid, granted, *p: self.acks.put((mid, granted))
        self.client.on_unsubscribe = lambda c, u, mid, *p: self.acks.put((mid, p[1] if p else None))
        self.client.on_disconnect = lambda c, u, rc, *p: self.gone.put(rc)
        more = {}
        if level == paho.MQTTv5:
            more = {"clean_start": clean, "properties": properties(PacketTypes.CONNECT, SessionExpiryInterval=expiry, **(props or {}))}
        self.client.connect("127.0.0.1", port, keepalive, **more)
        self.client.loop_start()
        self.flags, self.rc, self.props = self.connected.get(timeout=10)
        if ok and int(self.rc.value if level == paho.MQTTv5 else self.rc) != 0:
            raise AssertionError("refused: %s" % self.rc)

    def publish(self, topic, payload, qos=0, **more):
        info = self.client.publish(topic, payload, qos, **more)
        if qos:
            info.wait_for_publish(20)
            assert info.is_published()

    def subscribe(self, topic, qos=0, **more):
        _, mid = self.client.subscribe(topic, qos, **more) if not isinstance(topic, list) else self.client.subscribe(topic)
        while True:
            got = self.acks.get(timeout=10)
            if isinstance(got, tuple) and got[0] == mid:
                return [int(getattr(g, "value", g)) for g in got[1]]

    def unsubscribe(self, topic):
        self.client.unsubscribe(topic)
        while not isinstance(self.acks.get(timeout=10), tuple):
            pass

    def take(self, timeout=10):
        m = self.messages.get(timeout=timeout)
        return m.topic, m.payload, m.qos, m.retain

    def nothing(self, seconds=0.3):
        try:
            raise AssertionError("unexpected %r" % (self.messages.get(timeout=seconds).payload,))
        except queue.Empty:
            pass

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()

    def drop(self):
        """The network breaks: no DISCONNECT. paho would connect again, so its loop ends first."""
        self.client._thread_terminate = True
        sock = self.client.socket()
        if sock:
            sock.shutdown(socket.SHUT_RDWR)
        self.client.loop_stop()


def in_order(client, n):
    """n numbers as they came, those of QoS 1 and those of QoS 2: order holds within a QoS."""
    got = [client.take() for _ in range(n)]
    return [[int(payload) for _, payload, qos, _ in got if qos == q] for q in (1, 2)]


class MqttClients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker("--queue", "30000")
        cls.serial = 0

    @classmethod
    def tearDownClass(cls):
        if cls.broker.process.poll() is not None:
            raise AssertionError("the broker died: %d" % cls.broker.process.returncode)
        cls.broker.stop()

    def name(self):
        MqttClients.serial += 1
        return "c%d" % MqttClients.serial

    def client(self, name=None, **how):
        c = Client(how.pop("port", self.broker.port), name or self.name(), **how)
        self.addCleanup(c.close)
        return c

    def test_every_qos_both_ways_at_every_level(self):
        for level in LEVELS:
            for granted in (0, 1, 2):
                sub = self.client(level=level)
                self.assertEqual(sub.subscribe("q/%d/#" % level, granted), [granted])
                pub = self.client(level=level)
                for qos in (0, 1, 2):
                    pub.publish("q/%d/t" % level, b"%d" % qos, qos)
                    self.assertEqual(sub.take(), ("q/%d/t" % level, b"%d" % qos, min(qos, granted), 0))
                sub.nothing(0.05)
                sub.close()

    def test_retained_messages(self):
        pub = self.client()
        for qos in (0, 1, 2):
            pub.publish("r/%d" % qos, b"kept", qos, retain=True)
        sub = self.client()
        sub.subscribe("r/+", 2)
        self.assertEqual(sorted(sub.take() for _ in range(3)), [("r/%d" % q, b"kept", q, 1) for q in (0, 1, 2)])
        for qos in (0, 1, 2):
            pub.publish("r/%d" % qos, b"", 1, retain=True)
        other = self.client()
        other.subscribe("r/+", 2)
        other.nothing()

    def test_wills(self):
        watcher = self.client()
        watcher.subscribe("will/#", 2)
        for level in LEVELS:
            c = self.client(level=level, will=("will/lost", b"gone", 2, False))
            c.drop()
            self.assertEqual(watcher.take(), ("will/lost", b"gone", 2, 0))
            c = self.client(level=level, will=("will/normal", b"gone", 1, False))
            c.close()
        watcher.nothing()

    def test_takeover(self):
        watcher = self.client()
        watcher.subscribe("will/takeover")
        name = self.name()
        old = self.client(name, will=("will/takeover", b"x"))
        old.client.reconnect_delay_set(60, 60)
        new = self.client(name)
        self.assertNotEqual(old.gone.get(timeout=5), 0)
        old.client._thread_terminate = True
        self.assertEqual(watcher.take()[1], b"x")
        new.subscribe("after")
        new.publish("after", b"alive", 1)
        self.assertEqual(new.take()[1], b"alive")
        elsewhere = self.client(name, user="another owner")
        elsewhere.publish("after", b"not for you", 1)
        new.nothing()

    def test_a_session_that_stays_receives_what_came_meanwhile(self):
        for level in LEVELS:
            name = self.name()
            sub = self.client(name, level=level, clean=False, expiry=1000)
            self.assertEqual(sub.flags["session present"], 0)
            sub.subscribe("offline/%d" % level, 2)
            sub.close()
            pub = self.client()
            for i in range(100):
                pub.publish("offline/%d" % level, b"%d" % i, 1 + i % 2)
            sub = self.client(name, level=level, clean=False, expiry=1000)
            self.assertEqual(sub.flags["session present"], level != paho.MQTTv31)  # there the octet is reserved
            self.assertEqual(in_order(sub, 100), [list(range(0, 100, 2)), list(range(1, 100, 2))])
            sub.nothing(0.05)
            sub.close()
            sub = self.client(name, level=level, clean=True)
            self.assertEqual(sub.flags["session present"], 0)

    def test_refusals(self):
        for level, denied, wrong in ((paho.MQTTv31, 5, 4), (paho.MQTTv311, 5, 4), (paho.MQTTv5, 135, 134)):
            c = self.client(level=level, user="deny", ok=False)
            self.assertEqual(int(getattr(c.rc, "value", c.rc)), denied)
            if level == paho.MQTTv5:
                self.assertEqual(c.props[0].ReasonString, "this user is always refused")
            c = self.client(level=level, password="wrong", ok=False)
            self.assertEqual(int(getattr(c.rc, "value", c.rc)), wrong)
        c = self.client()
        self.assertEqual(c.subscribe([("a", 1), ("test/nosubscribe", 1), ("b", 2)]), [1, 128, 2])
        c = self.client(level=paho.MQTTv5)
        self.assertEqual(c.subscribe([("a", SubscribeOptions(1)), ("test/nosubscribe", SubscribeOptions(1))]), [1, 135])

    def test_acknowledgements_wait_until_the_message_is_stored(self):
        c = self.client()
        infos = [c.client.publish("later/%d" % i, b"x", 1 + i % 2) for i in range(30)]
        for i in infos:
            i.wait_for_publish(10)
            self.assertTrue(i.is_published())

    def test_unsubscribe(self):
        c = self.client()
        c.subscribe("u/#")
        c.publish("u/1", b"1")
        self.assertEqual(c.take()[1], b"1")
        c.unsubscribe("u/#")
        c.publish("u/1", b"2", 1)
        c.nothing()

    def test_keep_alive_runs_out(self):
        watcher = self.client()
        watcher.subscribe("will/keepalive")
        s = socket.create_connection(("127.0.0.1", self.broker.port))
        body = b"\0\4MQTT\4\6\0\2" + b"\0\2kk" + b"\0\x0ewill/keepalive" + b"\0\4gone"
        s.sendall(b"\x10" + bytes([len(body)]) + body)
        self.assertEqual(s.recv(4), b"\x20\2\0\0")
        start = time.monotonic()
        s.settimeout(10)
        self.assertEqual(s.recv(1), b"")
        self.assertAlmostEqual(time.monotonic() - start, 3, delta=0.5)
        s.close()
        self.assertEqual(watcher.take()[1], b"gone")

    def test_large_messages(self):
        sub = self.client()
        sub.subscribe("large", 1)
        pub = self.client()
        for size in (100, 65536, 300000, 1048576 - 20):
            body = os.urandom(size)
            pub.publish("large", body, 1)
            self.assertEqual(sub.take()[1], body)
        pub.client.publish("large", b"x" * 1048576, 0)
        self.assertNotEqual(pub.gone.get(timeout=5), 0)

    def test_mosquitto_sub_gets_a_burst_of_ten_thousand(self):
        for version in ("mqttv311", "mqttv5"):
            sub = subprocess.Popen(["stdbuf", "-oL", "mosquitto_sub", "-h", "127.0.0.1", "-p", str(self.broker.port), "-u", "open", "-t", "burst/" + version, "-q", "1", "-C", "10000", "-W", "60",
                                    "-V", version, "-d"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            line = " "
            while line and "Subscribed" not in line:
                line = sub.stdout.readline()
            self.assertTrue(line, "mosquitto_sub ended before it was subscribed")
            lines = "".join("%d\n" % i for i in range(10000))
            pub = subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.broker.port), "-u", "open", "-t", "burst/" + version, "-q", "1", "-l"], input=lines, text=True,
                                 timeout=60)
            self.assertEqual(pub.returncode, 0)
            out, _ = sub.communicate(timeout=60)
            self.assertEqual([line for line in out.split("\n") if line.isdigit()], [str(i) for i in range(10000)])

    def test_messages_of_50_subscribers(self):
        subs = [self.client() for _ in range(50)]
        for s in subs:
            s.subscribe("fan/+", 1)
        pub = self.client()
        for i in range(20):
            pub.publish("fan/out", b"%d" % i, 1)
        for s in subs:
            self.assertEqual([s.take()[1] for _ in range(20)], [b"%d" % i for i in range(20)])

    def test_a_client_that_does_not_read_holds_up_nobody(self):
        s = socket.create_connection(("127.0.0.1", self.broker.port))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        body = b"\0\4MQTT\4\x82\0\0\0\4slow\0\4open"
        s.sendall(b"\x10" + bytes([len(body)]) + body)
        s.sendall(b"\x82\x09\0\1\0\4slow\1")
        self.assertEqual(s.recv(4), b"\x20\2\0\0")
        quick = self.client()
        quick.subscribe("slow", 1)
        before = self.broker.memory_bytes()
        pub = self.client()
        for i in range(3000):
            pub.publish("slow", b"x" * 10000, 0)
            if i % 100 == 0:
                pub.publish("slow", b"mark", 1)
        for _ in range(3030):
            quick.take(20)
        self.assertLess(self.broker.memory_bytes() - before, 200e6)
        s.close()

    def test_a_client_that_does_not_take_its_answers_is_held_up(self):
        s = socket.create_connection(("127.0.0.1", self.broker.port))
        body = b"\0\4MQTT\4\2\0\0\0\4hold"
        s.sendall(b"\x10" + bytes([len(body)]) + body)
        before = self.broker.memory_bytes()
        s.setblocking(False)
        sent, end = 0, time.monotonic() + 3
        while time.monotonic() < end:
            try:
                sent += s.send(b"\xc0\0" * 30000)
            except BlockingIOError:
                time.sleep(0.05)
        # Far below what was sent; a sanitizer keeps some of what was freed.
        self.assertLess(self.broker.memory_bytes() - before, 30e6)
        s.setblocking(True)
        s.settimeout(5)
        got = 0
        while got < 4 + sent - sent % 2:
            got += len(s.recv(1 << 20))
        self.assertEqual(got, 4 + sent - sent % 2)
        s.close()

    def test_announced_packets_take_no_memory(self):
        before = self.broker.memory_bytes()
        held = []
        for first in (0x00, 0x20, 0x30, 0x40, 0x50, 0x62, 0x70, 0x82, 0x90, 0xA2, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0, 0x10):
            for _ in range(60):
                s = socket.create_connection(("127.0.0.1", self.broker.port))
                try:
                    s.sendall(bytes([first]) + b"\xff\xff\xff\x7f" + b"\0" * 100)
                except OSError:
                    pass
                held.append(s)
        for s in held:
            s.settimeout(5)
            try:
                self.assertEqual(s.recv(1), b"")
            except ConnectionResetError:
                pass
            s.close()
        self.assertLess(self.broker.memory_bytes() - before, 20e6)

    def test_a_refusal_reaches_a_client_that_had_more_to_say(self):
        for _ in range(50):
            s = socket.create_connection(("127.0.0.1", self.broker.port))
            body = b"\0\4MQTT\4\x82\0\0\0\1x\0\4deny"
            s.sendall(b"\x10" + bytes([len(body)]) + body + b"\x30\x05\0\1txx" * 5000)
            s.settimeout(5)
            self.assertEqual(s.recv(100), b"\x20\2\0\5")
            s.close()

    def test_mqtt_js(self):
        folder = folder_with(self, "mqtt@5")
        script = os.path.join(folder, "open.js")
        with open(script, "w") as f:
            f.write(MQTT_JS)
        for level in ("3", "4", "5"):
            out = subprocess.run(["node", script, str(self.broker.port), level], cwd=folder, capture_output=True, text=True, timeout=60)
            self.assertEqual(out.stdout.split(), ["0", "1", "2", "flood", "900", "will", "done"], out.stderr)


MQTT_JS = """
const mqtt = require('mqtt');
const [port, level] = process.argv.slice(2).map(Number);
const how = { protocolVersion: level, protocolId: level === 3 ? 'MQIsdp' : 'MQTT', reconnectPeriod: 0, username: 'open' };
const a = mqtt.connect(`mqtt://127.0.0.1:${port}`, { ...how, clientId: 'js-a' + level });
let flood = 0;
a.on('message', (topic, body) => {
  if (topic.endsWith('/flood')) {
    if (++flood === 900) {
      console.log('flood', flood);
      const b = mqtt.connect(`mqtt://127.0.0.1:${port}`, { ...how, clientId: 'js-b' + level, will: { topic: `js${level}/will`, payload: 'will', qos: 2 } });
      b.on('connect', () => b.stream.destroy());
    }
    return;
  }
  console.log(body.toString());
  if (topic.endsWith('/will')) a.end(false, () => console.log('done'));
});
a.on('connect', async () => {
  await a.subscribeAsync(`js${level}/#`, { qos: 2 });
  for (const qos of [0, 1, 2]) await a.publishAsync(`js${level}/t`, String(qos), { qos });
  for (let i = 0; i < 900; i++) a.publish(`js${level}/flood`, String(i), { qos: 2 });
});
a.on('error', (e) => { console.error(e.message); process.exit(3); });
setTimeout(() => process.exit(4), 40000).unref();
"""


class MqttTls(unittest.TestCase):
    @unittest.skipUnless(shutil.which("openssl"), "no openssl here")
    def test_tls(self):
        folder = tempfile.mkdtemp(prefix="godwit-mqtt-")
        self.addCleanup(shutil.rmtree, folder, True)
        key, cert, both = (os.path.join(folder, n) for n in ("key.pem", "cert.pem", "both.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert,
                        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        with open(both, "w") as out:
            for name in (key, cert):
                with open(name) as f:
                    out.write(f.read())
        broker = Broker("--tls", both)
        self.addCleanup(broker.stop)
        to = ["-h", "127.0.0.1", "-p", str(broker.port), "--cafile", cert, "-q", "2", "-t", "tls/#"]
        sub = subprocess.Popen(["stdbuf", "-oL", "mosquitto_sub", *to, "-C", "3", "-W", "20", "-d"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        while b"Subscribed" not in sub.stdout.readline():
            pass
        body = os.urandom(150000).hex()
        path = os.path.join(folder, "body")
        with open(path, "w") as f:
            f.write(body)
        to[-1] = "tls/t"
        for what in (["-m", "short"], ["-f", path], ["-m", "last"]):
            self.assertEqual(subprocess.run(["mosquitto_pub", *to, *what], timeout=20).returncode, 0)
        out, _ = sub.communicate(timeout=20)
        got = [line for line in out.decode().split("\n") if line in ("short", body, "last")]
        self.assertEqual(got, ["short", body, "last"])
        # Whoever does not speak TLS, or stops in its midst, is let go of.
        plain = socket.create_connection(("127.0.0.1", broker.port))
        plain.sendall(b"\x10\x0d\0\4MQTT\4\2\0\0\0\1x")
        plain.settimeout(5)
        try:
            while plain.recv(100):
                pass
        except ConnectionResetError:
            pass
        plain.close()
        silent = socket.create_connection(("127.0.0.1", broker.port))
        silent.settimeout(15)
        self.assertEqual(silent.recv(1), b"")
        silent.close()


class MqttRestart(unittest.TestCase):
    def test_sessions_queues_and_retained_messages_survive_kill_9(self):
        folder = tempfile.mkdtemp(prefix="godwit-mqtt-")
        self.addCleanup(shutil.rmtree, folder, True)
        broker = Broker("--dir", folder)
        self.addCleanup(lambda: broker.process.poll() is None and broker.kill())
        sub = Client(broker.port, "stays", clean=False, manual=False)
        sub.subscribe("kept/#", 2)
        sub.close()
        pub = Client(broker.port, "pub")
        for i in range(50):
            pub.publish("kept/%d" % (i % 5), b"%d" % i, 1 + i % 2)
        pub.publish("state", b"retained", 1, retain=True)
        pub.close()
        time.sleep(0.5)  # the store commits by itself
        broker.kill()
        broker.start()
        sub = Client(broker.port, "stays", clean=False)
        self.assertEqual(sub.flags["session present"], 1)
        self.assertEqual(in_order(sub, 50), [list(range(0, 50, 2)), list(range(1, 50, 2))])
        sub.subscribe("state", 1)
        self.assertEqual(sub.take(), ("state", b"retained", 1, 1))
        sub.close()
        time.sleep(0.5)
        broker.kill()
        broker.start()
        sub = Client(broker.port, "stays", clean=False)
        self.assertEqual(sub.flags["session present"], 1)
        sub.nothing()
        sub.close()
        broker.process.send_signal(signal.SIGTERM)
        self.assertEqual(broker.process.wait(10), 0)
        broker.process.stdout.close()


if __name__ == "__main__":
    unittest.main()
