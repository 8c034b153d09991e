"""What general test suites for MQTT brokers look at, with clients that are not ours (paho, mosquitto_pub, _sub and _rr) and with octets by
hand where a client would keep to the rules by itself. The broker is our engine and listener with an open policy."""
import os
import re
import shutil
import socket
import struct
import subprocess
import time
import unittest

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCodes
from paho.mqtt.subscribeoptions import SubscribeOptions

from octets import packet, text
import paho_client
from test_mqtt_clients import SOURCE, Broker, Client, properties

BOTH = (paho.MQTTv311, paho.MQTTv5)


class Raw:
    """A client that says what it is told to say."""

    def __init__(self, port, name, level=4, flags=2, props=b"", ok=True):
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.settimeout(20)
        self.level = level
        more = bytes([len(props)]) + props if level == 5 else b""
        self.say(packet(0x10, text(b"MQTT") + bytes([level, flags]) + b"\0\0" + more + text(name)))
        self.connack = self.hear()
        if ok and (self.connack[0] != 0x20 or self.connack[1][1] != 0):
            raise AssertionError("refused: %r" % (self.connack,))

    def say(self, octets):
        self.sock.sendall(octets)

    def octets(self, n):
        got = b""
        while len(got) < n:
            more = self.sock.recv(n - len(got))
            if not more:
                raise EOFError
            got += more
        return got

    def hear(self):
        """The next packet: first octet and body. None: closed."""
        try:
            first, n, shift = self.octets(1)[0], 0, 0
            while True:
                b = self.octets(1)[0]
                n |= (b & 127) << shift
                shift += 7
                if b < 128:
                    return first, self.octets(n)
        except (EOFError, ConnectionResetError):
            return None

    def subscribe(self, name, qos):
        self.say(packet(0x82, b"\0\1" + (b"\0" if self.level == 5 else b"") + text(name) + bytes([qos])))
        assert self.hear()[0] == 0x90

    def close(self):
        self.sock.close()


def publish_of(packet_heard, level):
    """DUP, QoS, id, topic, payload."""
    first, body = packet_heard
    assert first >> 4 == 3, packet_heard
    n = struct.unpack(">H", body[:2])[0]
    topic, rest, ident = body[2:2 + n], body[2 + n:], 0
    if first >> 1 & 3:
        ident, rest = struct.unpack(">H", rest[:2])[0], rest[2:]
    if level == 5:
        rest = rest[1 + rest[0]:]
    return first >> 3 & 1, first >> 1 & 3, ident, topic, rest


class Tables(unittest.TestCase):
    """Our tables of 5.0 beside paho's, which somebody else wrote down."""

    def rows(self, leaf, form):
        with open(os.path.join(SOURCE, "proto/mqtt", leaf)) as f:
            return [m.groups() for m in map(re.compile(form).match, f) if m]

    def test_reason_codes(self):
        columns = {"CA": (PacketTypes.CONNACK,), "PA": (PacketTypes.PUBACK, PacketTypes.PUBREC), "PR": (PacketTypes.PUBREL, PacketTypes.PUBCOMP),
                   "SA": (PacketTypes.SUBACK,), "UA": (PacketTypes.UNSUBACK,), "DI": (PacketTypes.DISCONNECT,), "DS": (PacketTypes.DISCONNECT,),
                   "AU": (PacketTypes.AUTH,)}
        ours = {int(code, 16): {t for c in where.split(" | ") for t in columns[c]}
                for code, where in self.rows("mqtt_reasons.def", r"REASON\(\w+,\s+0x(\w\w), ([A-Z |]+),")}
        names = ReasonCodes(PacketTypes.CONNACK, identifier=0).names
        theirs = {code: {t for types in names[code].values() for t in types} for code in names}
        theirs[0x99].add(PacketTypes.CONNACK)  # of a will: 3.2.2.2, which paho leaves out
        self.assertEqual(ours, theirs)

    def test_properties(self):
        columns = {"CONNECT": (PacketTypes.CONNECT,), "CONNACK": (PacketTypes.CONNACK,), "PUBLISH": (PacketTypes.PUBLISH,), "WILL": (PacketTypes.WILLMESSAGE,),
                   "ACK": (PacketTypes.PUBACK, PacketTypes.PUBREC, PacketTypes.PUBREL, PacketTypes.PUBCOMP), "SUBSCRIBE": (PacketTypes.SUBSCRIBE,),
                   "SUBACK": (PacketTypes.SUBACK, PacketTypes.UNSUBACK), "UNSUBSCRIBE": (PacketTypes.UNSUBSCRIBE,), "DISCONNECT": (PacketTypes.DISCONNECT,),
                   "AUTH": (PacketTypes.AUTH,)}
        columns["ANY"] = [t for types in columns.values() for t in types]
        kinds = {"U8": "Byte", "U16": "Two Byte Integer", "U32": "Four Byte Integer", "VAR": "Variable Byte Integer", "TEXT": "UTF-8 Encoded String", "BYTES": "Binary Data",
                 "PAIR": "UTF-8 String Pair"}
        ours = {int(ident, 16): (kinds[kind], {t for c in where.split(" | ") for t in columns[c[3:]]})
                for ident, kind, where in self.rows("mqtt_props.def", r"PROP\(\w+,\s+0x(\w\w), (\w+),\s+([\w |]+)\)")}
        paho_has = Properties(PacketTypes.CONNECT)
        self.assertEqual(ours, {ident: (paho_has.types[kind], set(types)) for ident, (kind, types) in paho_has.properties.items()})


class Interop(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker()
        cls.serial = 0

    @classmethod
    def tearDownClass(cls):
        if cls.broker.process.poll() is not None:
            raise AssertionError("the broker died: %d" % cls.broker.process.returncode)
        cls.broker.stop()

    def name(self):
        Interop.serial += 1
        return "i%d" % Interop.serial

    def client(self, name=None, **how):
        c = Client(self.broker.port, self.name() if name is None else name, **how)
        self.addCleanup(c.close)
        return c

    def five(self, name=None, clean=True, expiry=0, **props):
        c = self.client(name, level=paho.MQTTv5, clean=clean, expiry=expiry, user=None, props=props)
        c.told = c.props[0]
        return c

    def raw(self, *how, **more):
        r = Raw(self.broker.port, *how, **more)
        self.addCleanup(r.close)
        return r

    def test_empty_client_ids(self):
        c = paho_client.client("", protocol=paho.MQTTv311, clean_session=True)
        c.connect("127.0.0.1", self.broker.port)
        c.disconnect()
        self.assertEqual(self.raw(b"", flags=0, ok=False).connack, (0x20, b"\0\2"))
        assigned = {self.five("").told.AssignedClientIdentifier for _ in range(2)}
        self.assertEqual(len(assigned), 2)
        kept = self.five("", clean=False, expiry=100).told.AssignedClientIdentifier
        self.assertEqual(self.five(kept, clean=False).flags["session present"], 1)

    def test_a_second_connect_and_another_protocol_close(self):
        for level in (4, 5):
            r = self.raw(b"twice", level=level)
            r.say(packet(0x10, text(b"MQTT") + bytes([level, 2]) + b"\0\0" + (b"\0" if level == 5 else b"") + text(b"twice")))
            if level == 5:
                self.assertEqual(r.hear()[1][0], 0x82)
            self.assertIsNone(r.hear())
        s = socket.create_connection(("127.0.0.1", self.broker.port))
        s.settimeout(20)
        s.sendall(packet(0x10, text(b"hj") + b"\5\2\0\0\0" + text(b"x")))
        self.assertEqual(s.recv(100), b"")
        s.close()

    def test_overlapping_subscriptions(self):
        for level in BOTH:
            c = self.client(level=level)
            c.subscribe("over/%d/#" % level, 2)
            c.subscribe("over/%d/+" % level, 1)
            c.publish("over/%d/x" % level, b"once", 2)
            self.assertEqual(c.take(), ("over/%d/x" % level, b"once", 2, 0))
            c.publish("over/%d/x" % level, b"next", 1)
            self.assertEqual(c.take()[1], b"next")

    def test_redelivery_on_reconnect(self):
        pub = self.client()
        for level in (4, 5):
            name, props = b"again%d" % level, b"\x11\0\0\3\xe8" if level == 5 else b""
            r = self.raw(name, level=level, flags=0, props=props)
            r.subscribe(b"again/%d/#" % level, 2)
            pub.publish("again/%d/1" % level, b"one", 1)
            pub.publish("again/%d/2" % level, b"two", 2)
            first = [publish_of(r.hear(), level) for _ in range(2)]
            self.assertEqual([p[0] for p in first], [0, 0])
            r.close()
            r = self.raw(name, level=level, flags=0, props=props)
            self.assertEqual(r.connack[1][0], 1)
            self.assertEqual([publish_of(r.hear(), level) for _ in range(2)], [(1,) + p[1:] for p in first])
            ids = [struct.pack(">H", p[2]) for p in first]
            r.say(packet(0x40, ids[0]) + packet(0x50, ids[1]))
            self.assertEqual(r.hear(), (0x62, ids[1]))
            r.close()
            r = self.raw(name, level=level, flags=0, props=props)
            self.assertEqual(r.hear(), (0x62, ids[1]))
            r.say(packet(0x70, ids[1]) + b"\xc0\0")
            self.assertEqual(r.hear(), (0xd0, b""))
            r.close()

    def test_dollar_topics(self):
        for level in BOTH:
            c = self.client(level=level)
            c.subscribe("#", 1)
            c.subscribe("+/dollar", 1)
            c.publish("$x/dollar", b"hidden", 1)
            c.publish("x/dollar%d" % level, b"seen", 1)
            self.assertEqual(c.take()[1], b"seen")

    def test_shared_subscriptions(self):
        members, plain = [self.five() for _ in range(2)], self.five()
        for m in members:
            m.subscribe("$share/g/work", 1)
        plain.subscribe("work", 1)
        for i in range(10):
            plain.publish("work", b"%d" % i, 1)
        self.assertEqual([plain.take()[1] for _ in range(10)], [b"%d" % i for i in range(10)])
        got = [[m.take()[1] for _ in range(5)] for m in members]
        self.assertEqual(sorted(got[0] + got[1]), [b"%d" % i for i in range(10)])
        old = self.client(level=paho.MQTTv311)
        old.subscribe("$share/h/old", 0)
        plain.publish("old", b"3.1.1 may share, too", 1)
        self.assertEqual(old.take()[0], "old")

    def test_receive_maximum_of_the_client(self):
        r = self.raw(b"slow hand", level=5, props=b"\x21\0\2")
        r.subscribe(b"flow", 2)
        pub = self.client()
        for i in range(4):
            pub.publish("flow", b"%d" % i, 1)
        heard = [publish_of(r.hear(), 5) for _ in range(2)]
        r.say(b"\xc0\0")
        self.assertEqual(r.hear(), (0xd0, b""))  # and not a third message
        for i in range(2, 4):
            r.say(packet(0x40, struct.pack(">H", heard[i - 2][2])))
            heard.append(publish_of(r.hear(), 5))
        self.assertEqual([h[4] for h in heard], [b"0", b"1", b"2", b"3"])

    def test_receive_maximum_of_the_server(self):
        r = self.raw(b"too quick", level=5)
        body = r.connack[1]
        at = body.index(b"\x21", 3)
        most = struct.unpack(">H", body[at + 1:at + 3])[0]
        r.say(b"".join(packet(0x34, text(b"quick") + struct.pack(">H", i) + b"\0") for i in range(1, most + 2)))
        heard = r.hear()
        while heard and heard[0] == 0x50:
            heard = r.hear()
        self.assertEqual((heard[0], heard[1][0]), (0xe0, 0x93))
        self.assertIsNone(r.hear())

    def test_topic_aliases(self):
        c = self.five(TopicAliasMaximum=1)
        self.assertGreater(c.told.TopicAliasMaximum, 0)
        c.subscribe("client/topic/alias", 2)
        for qos in range(3):
            c.publish("client/topic/alias", b"server's", qos)
        got = [c.messages.get(timeout=20) for _ in range(3)]
        self.assertEqual([m.topic for m in got], ["client/topic/alias", "", ""])
        self.assertEqual({m.properties.TopicAlias for m in got}, {1})
        none = self.five()
        none.subscribe("client/topic/alias", 1)
        alias = properties(PacketTypes.PUBLISH, TopicAlias=3)
        none.publish("client/topic/alias", b"1", 1, properties=alias)
        none.publish("", b"2", 1, properties=alias)
        got = [none.messages.get(timeout=20) for _ in range(2)]
        self.assertEqual([(m.topic, m.payload) for m in got], [("client/topic/alias", b"1"), ("client/topic/alias", b"2")])
        self.assertFalse(any(hasattr(m.properties, "TopicAlias") for m in got))
        r = self.raw(b"alias 0", level=5)
        r.say(packet(0x30, text(b"t") + b"\3\x23\0\0"))
        self.assertEqual(r.hear()[1][0], 0x94)

    def test_maximum_packet_size(self):
        c = self.five(MaximumPacketSize=64)
        self.assertEqual(c.told.MaximumPacketSize, 1 << 20)
        c.subscribe("size", 1)
        c.publish("size", b"x" * 100, 1)
        c.publish("size", b"x" * 30, 1)
        self.assertEqual(c.take()[1], b"x" * 30)

    def test_properties_are_handed_on(self):
        c = self.five()
        c.subscribe("props", 2)
        p = properties(PacketTypes.PUBLISH, PayloadFormatIndicator=1, ContentType="text/plain", ResponseTopic="reply", CorrelationData=b"\0\1",
                       MessageExpiryInterval=1000)
        p.UserProperty = [("a", "2"), ("c", "3"), ("a", "1")]
        for qos in range(3):
            c.publish("props", b"body", qos, properties=p)
            got = c.messages.get(timeout=20).properties
            self.assertEqual((got.PayloadFormatIndicator, got.ContentType, got.ResponseTopic, got.CorrelationData),
                             (1, "text/plain", "reply", b"\0\1"))
            self.assertEqual(got.UserProperty, [("a", "2"), ("c", "3"), ("a", "1")])
            self.assertLessEqual(got.MessageExpiryInterval, 1000)
        bad = properties(PacketTypes.PUBLISH, PayloadFormatIndicator=1)
        c.publish("props", b"\xff", 1, properties=bad)
        c.publish("props", b"good", 1)
        self.assertEqual(c.take()[1], b"good")

    def test_subscription_identifiers(self):
        c = self.five()
        for name, ident in (("ids/x", 456789), ("ids/#", 3), ("ids/+", 2)):
            c.subscribe(name, 2, properties=properties(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=ident))
        c.publish("ids/x", b"x", 1)
        self.assertEqual(set(c.messages.get(timeout=20).properties.SubscriptionIdentifier), {456789, 3, 2})

    def test_subscription_options(self):
        a, b = self.five(), self.five()
        for c in (a, b):
            c.subscribe("options", options=SubscribeOptions(1, noLocal=True))
        a.publish("options", b"not to myself", 1)
        self.assertEqual(b.take()[1], b"not to myself")
        a.nothing(0.05)
        a.subscribe("kept", options=SubscribeOptions(1, retainAsPublished=True))
        b.publish("kept", b"retained", 1, retain=True)
        self.assertEqual(a.take(), ("kept", b"retained", 1, 1))
        for handling, comes in ((0, True), (1, False), (2, False), (0, True)):
            a.subscribe("kept", options=SubscribeOptions(1, retainHandling=handling))
            if comes:
                self.assertEqual(a.take()[3], 1)
        a.nothing(0.05)
        b.publish("kept", b"", 1, retain=True)
        self.assertEqual(a.take()[1], b"")

    def test_unsubscribing_says_what_was_there(self):
        c = self.five()
        c.subscribe("there", 1)
        _, mid = c.client.unsubscribe(["there", "elsewhere"])
        while True:
            got = c.acks.get(timeout=20)
            if isinstance(got, tuple) and got[0] == mid:
                break
        self.assertEqual([code.value for code in got[1]], [0, 17])

    def test_expiry_of_sessions_and_messages(self):
        name, other = self.name(), self.name()
        c = self.five(name, clean=False, expiry=1)
        c.close()
        keeps = self.five(other, clean=False, expiry=1000)
        keeps.subscribe("expiry", 1)
        keeps.close()
        pub = self.five()
        pub.publish("expiry", b"gone", 1, properties=properties(PacketTypes.PUBLISH, MessageExpiryInterval=1))
        pub.publish("expiry", b"here", 1, properties=properties(PacketTypes.PUBLISH, MessageExpiryInterval=10000))
        time.sleep(1.3)
        self.assertEqual(self.five(name, clean=False, expiry=1).flags["session present"], 0)
        keeps = self.five(other, clean=False, expiry=1000)
        self.assertEqual(keeps.flags["session present"], 1)
        got = keeps.messages.get(timeout=20)
        self.assertEqual(got.payload, b"here")
        self.assertLess(got.properties.MessageExpiryInterval, 10000)
        keeps.client.disconnect(properties=properties(PacketTypes.DISCONNECT, SessionExpiryInterval=0))
        keeps.client.loop_stop()
        self.assertEqual(self.five(other, clean=False).flags["session present"], 0)

    def test_a_will_waits_for_its_delay(self):
        watcher = self.client()
        watcher.subscribe("will/late", 1)
        will = text(b"w1") + b"\5\x18\0\0\0\1" + text(b"will/late") + text(b"gone")
        s = socket.create_connection(("127.0.0.1", self.broker.port))
        s.sendall(packet(0x10, text(b"MQTT") + b"\5\6\0\0\5\x11\0\0\0\x64" + will))
        self.assertEqual(s.recv(1), b"\x20")
        start = time.monotonic()
        s.close()
        self.assertEqual(watcher.take(30)[1], b"gone")
        self.assertGreater(time.monotonic() - start, 0.9)

    def test_a_keep_alive_of_the_server(self):
        broker = Broker("--keep-alive", "60")
        self.addCleanup(broker.stop)
        c = paho_client.client("alive", protocol=paho.MQTTv5)
        told = []
        c.on_connect = lambda _c, _u, flags, rc, p: told.append(p.ServerKeepAlive)
        c.connect("127.0.0.1", broker.port, 120)
        while not told:
            c.loop(1)
        self.assertEqual(told, [60])
        c.disconnect()

    def test_what_a_slow_subscriber_lost_is_counted(self):
        broker = Broker("--queue", "5")
        r = Raw(broker.port, b"away", flags=0)
        r.subscribe(b"lost", 1)
        r.close()
        pub = Client(broker.port, "pub")
        for i in range(28):
            pub.publish("lost", b"%d" % i, 1)
        r = Raw(broker.port, b"away", flags=0)
        got = [int(publish_of(r.hear(), 4)[4]) for _ in range(5)]
        r.close()
        pub.close()
        self.assertIn("dropped=0+", broker.stop())
        self.assertEqual(got[-1], 27)

    @unittest.skipUnless(shutil.which("mosquitto_rr"), "no mosquitto clients here")
    def test_mosquitto_asks_and_is_answered(self):
        responder = self.five()
        responder.client.on_message = lambda c, u, m: c.publish(
            m.properties.ResponseTopic, m.payload.upper(), 1,
            properties=properties(PacketTypes.PUBLISH, CorrelationData=m.properties.CorrelationData))
        responder.subscribe("ask", 1)
        out = subprocess.run(["mosquitto_rr", "-h", "127.0.0.1", "-p", str(self.broker.port), "-V", "mqttv5", "-t", "ask", "-e", "answer/rr", "-m", "question",
                              "-D", "publish", "correlation-data", "abc", "-W", "30"], capture_output=True, text=True, timeout=60)
        self.assertEqual(out.stdout.strip(), "QUESTION", out.stderr)

    @unittest.skipUnless(shutil.which("mosquitto_sub"), "no mosquitto clients here")
    def test_mosquitto_sees_every_property(self):
        to = ["-h", "127.0.0.1", "-p", str(self.broker.port), "-V", "mqttv5"]
        pub = ["mosquitto_pub", *to, "-t", "seen/x", "-m", "body", "-q", "2", "-r", "-D", "publish", "content-type", "text/plain", "-D", "publish", "response-topic",
               "back", "-D", "publish", "correlation-data", "id7", "-D", "publish", "payload-format-indicator", "1", "-D", "publish", "user-property", "k", "v",
               "-D", "publish", "message-expiry-interval", "5000"]
        self.assertEqual(subprocess.run(pub, timeout=60).returncode, 0)
        sub = ["mosquitto_sub", *to, "-t", "seen/#", "-q", "2", "-C", "1", "-W", "30", "-F", "%t|%p|%q|%r|%C|%R|%D|%F|%P|%S", "-D", "subscribe",
               "subscription-identifier", "9"]
        out = subprocess.run(sub, capture_output=True, text=True, timeout=60)
        self.assertEqual(out.stdout.strip(), "seen/x|body|2|1|text/plain|back|id7|1|k:v|9", out.stderr)
        clear = ["mosquitto_pub", *to, "-t", "seen/x", "-n", "-r", "-q", "1"]
        self.assertEqual(subprocess.run(clear, timeout=60).returncode, 0)
        out = subprocess.run([*sub[:-6], "-W", "1"], capture_output=True, text=True, timeout=60)
        self.assertEqual(out.stdout, "")

    @unittest.skipUnless(shutil.which("mosquitto_pub"), "no mosquitto clients here")
    def test_mosquitto_pub_of_311_with_retain_and_will(self):
        to = ["-h", "127.0.0.1", "-p", str(self.broker.port), "-V", "mqttv311"]
        pub = subprocess.run(["mosquitto_pub", *to, "-t", "plain", "-m", "kept", "-r", "-q", "1", "--will-topic", "plain/will", "--will-payload", "x"], timeout=60)
        self.assertEqual(pub.returncode, 0)
        out = subprocess.run(["mosquitto_sub", *to, "-t", "plain/#", "-C", "1", "-W", "30", "-v"], capture_output=True, text=True, timeout=60)
        self.assertEqual(out.stdout.strip(), "plain kept")
        refused = subprocess.run(["mosquitto_sub", *to, "-t", "test/nosubscribe", "-E", "-W", "30"], capture_output=True, text=True, timeout=60)
        self.assertIn("denied", refused.stderr + refused.stdout)


if __name__ == "__main__":
    unittest.main()
