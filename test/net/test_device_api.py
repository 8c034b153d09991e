"""Devices that speak IP, in ThingsBoard's format: its pages' own examples with mosquitto_pub, MQTT.js and paho; credentials, calls, claims, provisioning."""
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

import paho.mqtt.client as paho

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import npm  # noqa: E402
from godwit import CommandError, Stack, Subscriber  # noqa: E402
from test_mqtts import certificate  # noqa: E402

ME = "v1/devices/me/"
# Files that the pages of ThingsBoard have beside their commands.
OBJECT = {"key1": "value1", "key2": True, "key3": 3.0, "key4": 4}
ARRAY = [{"key1": "value1"}, {"key2": True}]
WITH_TS = {"ts": 1451649600512, "values": {"key1": "value1", "key2": "value2"}}
ATTRIBUTES = {"attribute1": "value1", "attribute2": True, "attribute3": 42.0, "attribute4": 73}


class Device:
    """A client of 3.1.1 or 5.0 that keeps what it hears."""

    def __init__(self, address, token="", password=None, client_id="", level=paho.MQTTv311, clean=True, tls=None, ok=True, will=None):
        more = {} if level == paho.MQTTv5 else {"clean_session": clean}
        self.client = paho.Client(client_id=client_id, protocol=level, **more)
        self.heard, self.acks, self.granted, self.changed = [], {}, {}, threading.Condition()
        self.code = self.ended = None
        self.client.on_connect = lambda c, u, f, code, *_: self.note("code", getattr(code, "value", code))
        self.client.on_disconnect = lambda c, u, code, *_: self.note("ended", True)
        self.client.on_message = lambda c, u, m: self.hear(m)
        self.client.on_publish = lambda c, u, mid: self.ack(mid)
        self.client.on_subscribe = lambda c, u, mid, codes, *_: self.grant(mid, codes)
        if token is not None:
            self.client.username_pw_set(token, password)
        if tls:
            self.client.tls_set(**tls)
            self.client.tls_insecure_set(True)
        if will:
            self.client.will_set(*will)
        self.client.connect(*address, keepalive=60)
        self.client.loop_start()
        self.wait(lambda: self.code is not None or self.ended)
        if ok and self.code != 0:
            raise AssertionError("CONNACK %r" % self.code)

    def note(self, name, value):
        with self.changed:
            setattr(self, name, value)
            self.changed.notify_all()

    def hear(self, message):
        with self.changed:
            self.heard.append((message.topic, message.payload.decode()))
            self.changed.notify_all()

    def ack(self, mid):
        with self.changed:
            self.acks[mid] = True
            self.changed.notify_all()

    def grant(self, mid, codes):
        with self.changed:
            self.granted[mid] = [getattr(c, "value", c) for c in codes]
            self.changed.notify_all()

    def wait(self, there, timeout=20):
        end = time.monotonic() + timeout
        with self.changed:
            while not there():
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError("nothing within %d s; heard %r" % (timeout, self.heard))
                self.changed.wait(left)

    def say(self, topic, body, qos=1):
        """Acknowledged, where it is of QoS 1 or 2."""
        info = self.client.publish(topic, body if isinstance(body, (str, bytes)) else json.dumps(body), qos)
        self.wait(lambda: info.mid in self.acks)

    def subscribe(self, topic, qos=1):
        mid = self.client.subscribe(topic, qos)[1]
        self.wait(lambda: mid in self.granted)
        return self.granted[mid][0]

    def next(self):
        """The next message that was not looked at: topic and JSON."""
        self.wait(lambda: self.heard)
        with self.changed:
            topic, body = self.heard.pop(0)
        return topic, json.loads(body)

    def leave(self):
        self.client.disconnect()
        self.client.loop_stop()


class World(unittest.TestCase):
    SETTINGS = ()

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(*cls.SETTINGS)
        cls.addClassCleanup(cls.stack.close)
        cls.key = cls.stack.create_application("app1")
        cls.numbers = 0

    def setUp(self):
        """A device of its own for each test."""
        type(self).numbers += 1
        self.name, self.token = "dev%d" % self.numbers, "TOKEN%d" % self.numbers
        self.stack.cli("end-devices", "create", "app1", self.name, "--access-token", self.token)

    def address(self):
        return self.stack.address("as.mqtt")

    def device(self, *a, **k):
        d = Device(self.address(), *(a or (self.token,)), **k)
        self.addCleanup(d.leave)
        return d

    def listen(self):
        s = Subscriber(self.stack, self.key, topic="v3/+/devices/%s/#" % self.name)
        self.addCleanup(s.close)
        return s

    def pub(self, *args, ok=True):
        host, port = self.address()
        p = subprocess.run(["mosquitto_pub", "-d", "-h", host, "-p", str(port), *args], capture_output=True, text=True, timeout=60)
        if ok:
            self.assertEqual(p.returncode, 0, p.stderr)
        return p

    def file(self, name, value):
        folder = tempfile.mkdtemp(prefix="godwit-tb-")
        self.addCleanup(shutil.rmtree, folder, True)
        with open(os.path.join(folder, name), "w") as f:
            json.dump(value, f)
        return f.name

    def metric(self, name):
        with urllib.request.urlopen("http://%s:%d/metrics" % self.stack.address("as.http"), timeout=20) as r:
            return int(re.search(r"(?m)^%s (\d+)$" % re.escape(name), r.read().decode()).group(1))


class Connect(World):
    def test_codes_are_as_the_page_says(self):
        self.assertIn("CONNACK (0)", self.pub("-t", ME + "telemetry", "-u", self.token, "-m", "{}").stdout)
        for user, code in (("", 4), ("wrong", 5)):
            p = self.pub("-t", ME + "telemetry", "-u", user, "-m", "{}", ok=False)
            self.assertEqual((p.returncode, "CONNACK (%d)" % code in p.stdout), (code, True), p.stdout)
        self.assertEqual(self.device(None, client_id="nobody", ok=False).code, 4)

    def test_client_id_and_password_beside_a_token_do_not_matter_and_several_devices_may_share_one(self):
        first = self.device(self.token, "random", client_id="same")
        self.stack.cli("end-devices", "create", "app1", "other-" + self.name, "--access-token", "O" + self.token)
        second = self.device("O" + self.token, client_id="same")
        first.say(ME + "telemetry", {"a": 1})
        second.say(ME + "telemetry", {"a": 1})
        self.assertIsNone(first.ended)

    def test_a_devices_new_session_ends_its_old_one(self):
        old = self.device(client_id="one")
        self.device(client_id="two").say(ME + "telemetry", {"a": 1})
        old.wait(lambda: old.ended)

    def test_basic_credentials(self):
        self.stack.cli("end-devices", "credentials", "set", "app1", self.name, "--mqtt-client-id", "c1", "--mqtt-username", "u1", "--mqtt-password", "p1")
        self.assertEqual(self.device("u1", "p1", client_id="c1").code, 0)
        self.assertEqual(self.device("u1", "p2", client_id="c1", ok=False).code, 4)
        self.assertEqual(self.device("u1", "p1", client_id="c2", ok=False).code, 5)
        self.assertEqual(self.device(self.token, ok=False).code, 5, "the token is not its any more")

    def test_other_credentials_end_what_was_begun_with_the_old_ones(self):
        d = self.device()
        self.stack.cli("end-devices", "credentials", "set", "app1", self.name, "--access-token", "N" + self.token)
        d.wait(lambda: d.ended)
        self.assertEqual(self.device("N" + self.token).code, 0)
        with self.assertRaisesRegex(CommandError, "an application is called so"):
            self.stack.cli("end-devices", "credentials", "set", "app1", self.name, "--access-token", "app1")

    def test_a_deleted_device_is_put_out(self):
        d = self.device()
        self.stack.cli("end-devices", "delete", "app1", self.name)
        d.wait(lambda: d.ended)
        self.assertEqual(self.device(ok=False).code, 5)

    def test_a_token_is_shown_to_who_makes_it_and_written_nowhere(self):
        made = self.stack.cli("end-devices", "create", "app1", "made-" + self.name)["credentials"]["access_token"]
        self.assertRegex(made, "^[0-9A-Za-z]{20}$")
        self.assertEqual(self.device(made).code, 0)
        self.assertEqual(self.device("wrong-" + made, ok=False).code, 5)
        self.assertNotIn(made, self.stack.log_text())
        with open(os.path.join(self.stack.state, "as", "data.mdb"), "rb") as f:
            self.assertNotIn(made.encode(), f.read())
        self.assertEqual(self.stack.cli("end-devices", "credentials", "get", "app1", "made-" + self.name)["credentials"]["access_token"], made)

    def test_a_fleet_of_them_is_moved_by_export_and_import(self):
        lines = [json.loads(line) for line in self.stack.run("end-devices", "export", "app1").stdout.splitlines()]
        mine = next(d for d in lines if d["ids"]["device_id"] == self.name)
        self.assertEqual(mine["credentials"]["access_token"], self.token)
        self.stack.cli("end-devices", "delete", "app1", self.name)
        self.stack.run("end-devices", "import", "app1", self.file("fleet.json", mine))
        self.assertEqual(self.device().code, 0)


class Telemetry(World):
    def ups(self, sub, n):
        return [sub.wait("/up", i + 1)["uplink_message"] for i in range(n)]

    def test_examples_of_the_page_with_mosquitto_pub(self):
        """mosquitto_pub -d -q 1 -h HOST -t "v1/devices/me/telemetry" -u "TOKEN" -m '{"temperature":42}', and -f of its three files."""
        sub = self.listen()
        topic = ("-q", "1", "-t", ME + "telemetry", "-u", self.token)
        self.assertIn("PUBACK", self.pub(*topic, "-m", '{"temperature":42}').stdout)
        for name, value in (("object", OBJECT), ("array", ARRAY), ("with-ts", WITH_TS)):
            self.pub(*topic, "-f", self.file("telemetry-%s.json" % name, value))
        self.pub(*topic, "-m", "{temperature:25}")  # what a shell leaves of the page's -m {"temperature":25}
        ups = self.ups(sub, 5)
        self.assertEqual([u["decoded_payload"] for u in ups],
                         [{"temperature": 42}, OBJECT, {"key1": "value1", "key2": True}, WITH_TS["values"], {"temperature": 25}])
        self.assertEqual([u.get("settings", {}).get("time") for u in ups], [None, None, None, "2016-01-01T12:00:00.512Z", None])
        kept = self.stack.cli("end-devices", "telemetry", "app1", self.name, "--from", "0", "--limit", "10")
        self.assertEqual([v["value"] for v in kept["temperature"]], [25, 42])
        self.assertEqual(kept["key2"][-1], {"ts": 1451649600512, "value": "value2"})

    def test_every_qos_and_short_topics_and_a_will(self):
        sub = self.listen()
        d = self.device(will=(ME + "telemetry", '{"last":1}', 1))
        for qos in (0, 1, 2):
            d.say(ME + "telemetry", {"qos": qos}, qos)
        d.say("v2/t", {"short": 1})
        d.client._sock.shutdown(socket.SHUT_RDWR)
        self.assertEqual([u["decoded_payload"] for u in self.ups(sub, 5)], [{"qos": 0}, {"qos": 1}, {"qos": 2}, {"short": 1}, {"last": 1}])

    def test_what_cannot_be_understood_is_acknowledged_and_dropped(self):
        sub, d = self.listen(), self.device()
        bad = self.metric('as_device_messages_dropped_total{reason="invalid_payload"}')
        for body in ("{", "7", "", '{"a":[' + "[" * 40 + "]" * 40 + "]}", '[{"a":1},2]', b"\xff\xfe"):
            d.say(ME + "telemetry", body)
        d.say(ME + "attributes", "[]")
        d.say(ME + "attributes/request/x", "{}")
        d.say("v1/gateway/telemetry", "{}")
        d.say("some/thing", "x", 0)
        d.say(ME + "telemetry", {"good": 1})
        self.assertEqual(self.ups(sub, 1)[0]["decoded_payload"], {"good": 1})
        self.assertIsNone(d.ended)
        self.assertEqual(self.metric('as_device_messages_dropped_total{reason="invalid_payload"}') - bad, 8)
        drops = [e["data"] for e in self.stack.cli("events", "--application-id", "app1", "--device-id", self.name) if e["name"] == "as.up.data.drop"]
        self.assertEqual({e["reason"] for e in drops}, {"invalid_payload", "unknown_topic"})

    def test_a_5_0_client_is_told_why(self):
        d, acks = self.device(level=paho.MQTTv5), []
        original = d.client._handle_pubackcomp

        def keep(cmd):
            data = bytes(d.client._in_packet["packet"])
            acks.append(data[2] if len(data) > 2 else 0)
            return original(cmd)
        d.client._handle_pubackcomp = keep
        d.say(ME + "telemetry", "{")
        d.say("some/thing", "{}")
        d.say(ME + "telemetry", {"a": 1})
        self.assertEqual(acks, [0x99, 0x90, 0])

    def test_one_that_is_too_large_ends_its_own_connection_only(self):
        other = self.device()
        self.stack.cli("end-devices", "create", "app1", "large-" + self.name, "--access-token", "L" + self.token)
        d = self.device("L" + self.token)
        d.client.publish(ME + "telemetry", "{" + " " * 65536 + "}", 1)
        d.wait(lambda: d.ended)
        other.say(ME + "telemetry", {"a": 1})

    def test_topics_of_the_applications_own_and_texts_that_stay_texts(self):
        sub, d = self.listen(), self.device()
        d.say(ME + "telemetry", {"n": "25"})
        self.stack.cli("applications", "device-profile", "set", "app1", "--telemetry-topic", "sensors/+/data", "--attributes-topic", "sensors/+/about",
                       "--number-texts-are-numbers=false")
        d.say("sensors/7/data", {"n": "25"})
        d.say("sensors/7/about", {"serial": "007"})
        self.assertEqual([u["decoded_payload"] for u in self.ups(sub, 2)], [{"n": 25}, {"n": "25"}])
        self.assertEqual(sub.wait("/service/data")["service_data"], {"service": "attributes", "data": {"serial": "007"}})
        self.stack.cli("applications", "device-profile", "set", "app1", "--number-texts-are-numbers=true")


class Attributes(World):
    def set(self, **values):
        return self.stack.cli("end-devices", "attributes", "set", "app1", self.name, "--scope", "shared", "--json", json.dumps(values))

    def test_examples_of_the_page_with_mosquitto(self):
        sub = self.listen()
        self.pub("-t", ME + "attributes", "-u", self.token, "-m", '{"attribute1":"value1","attribute2":true}')
        self.pub("-q", "1", "-t", ME + "attributes", "-u", self.token, "-f", self.file("new-attributes-values.json", ATTRIBUTES))
        self.assertEqual(sub.wait("/service/data", 2)["service_data"], {"service": "attributes", "data": ATTRIBUTES})
        self.assertEqual(self.stack.cli("end-devices", "attributes", "get", "app1", self.name, "--scope", "client"), ATTRIBUTES)
        host, port = self.address()
        listener = subprocess.Popen(["stdbuf", "-oL", "mosquitto_sub", "-d", "-h", host, "-p", str(port), "-t", ME + "attributes", "-u", self.token, "-C", "1", "-W", "30"],
                                    stdout=subprocess.PIPE, text=True)
        self.addCleanup(listener.stdout.close)
        self.addCleanup(listener.wait)
        while "SUBACK" not in (listener.stdout.readline() or "SUBACK"):
            pass
        self.set(key1="value1")
        self.assertIn('{"key1":"value1"}', listener.stdout.read())

    def test_requests_are_answered_on_their_number_subscribed_or_not(self):
        self.set(shared1=1, shared2="x")
        d = self.device()
        d.say(ME + "attributes", {"attribute1": "value1", "attribute2": True})
        for number, body, answer in (
                (1, {"clientKeys": "attribute1,attribute2", "sharedKeys": "shared1,shared3"},
                 {"client": {"attribute1": "value1", "attribute2": True}, "shared": {"shared1": 1}}),
                (2, {"sharedKeys": "shared2"}, {"shared": {"shared2": "x"}}),
                (3, {"clientKeys": ["attribute1"]}, {"client": {"attribute1": "value1"}}),
                (2147483647, {"clientKeys": "none"}, {}),
                (0, {}, {"client": {"attribute1": "value1", "attribute2": True}, "shared": {"shared1": 1, "shared2": "x"}})):
            d.say(ME + "attributes/request/%d" % number, body)
            self.assertEqual(d.next(), (ME + "attributes/response/%d" % number, answer))
        d.say("v2/a/req/9", {"sharedKeys": "shared1"})
        self.assertEqual(d.next(), ("v2/a/res/9", {"shared": {"shared1": 1}}))

    def test_changes_reach_who_listens_and_wait_for_who_is_away(self):
        d = self.device()
        self.assertEqual(d.subscribe(ME + "attributes"), 1)
        self.set(a=1)
        self.assertEqual(d.next(), (ME + "attributes", {"a": 1}))
        self.stack.cli("end-devices", "attributes", "delete", "app1", self.name, "--scope", "shared", "--keys", "a")
        self.assertEqual(d.next(), (ME + "attributes", {"deleted": ["a"]}))
        d.leave()
        self.set(a=1, b=2)
        self.set(b=3)
        self.stack.cli("end-devices", "attributes", "delete", "app1", self.name, "--scope", "shared", "--keys", "a")
        d = self.device()
        self.assertEqual(d.heard, [])
        d.subscribe(ME + "#")
        self.assertEqual([d.next()[1], d.next()[1]], [{"b": 3}, {"deleted": ["a"]}])
        d.say(ME + "attributes/request/1", {})
        self.assertEqual(d.next()[1], {"shared": {"b": 3}}, "and nothing else")

    def test_a_session_that_outlives_its_connection_is_told_without_a_new_subscription(self):
        d = self.device(client_id="kept", clean=False)
        d.subscribe(ME + "attributes")
        d.subscribe(ME + "rpc/request/+")
        d.leave()
        self.set(a=1)
        self.stack.cli("end-devices", "rpc", "app1", self.name, "--method", "m", "--persistent", "--timeout", "1h")
        d = self.device(client_id="kept", clean=False)
        self.assertEqual(d.next(), (ME + "attributes", {"a": 1}))
        self.assertEqual(d.next()[1], {"method": "m", "params": {}})

    def test_a_device_hears_nothing_of_others_and_may_not_listen_to_them(self):
        d = self.device()
        for topic in ("v3/#", "v3/app1/devices/%s/up" % self.name, "v1/gateway/attributes", ME + "telemetry", "v2/fw/response/+"):
            self.assertEqual(d.subscribe(topic), 0x80, topic)
        self.assertEqual(d.subscribe("#"), 1)
        self.stack.cli("end-devices", "create", "app1", "near-" + self.name, "--access-token", "NEAR" + self.token)
        self.device("NEAR" + self.token).say(ME + "attributes", {"a": 1})
        self.stack.cli("end-devices", "attributes", "set", "app1", "near-" + self.name, "--scope", "shared", "--json", '{"b":1}')
        d.say(ME + "attributes/request/1", {})
        self.assertEqual(d.next(), (ME + "attributes/response/1", {}))


class Calls(World):
    def call(self, method, *more, device=None):
        return self.stack.cli("end-devices", "rpc", "app1", device or self.name, "--method", method, *more)

    def answering(self, d, answer):
        """The device answers each call."""
        def hear(_c, _u, m):
            d.hear(m)
            d.client.publish(m.topic.replace("request", "response"), answer, 1)
        d.client.on_message = hear
        d.subscribe(ME + "rpc/request/+")

    def test_a_call_is_answered_by_the_device(self):
        d = self.device()
        self.answering(d, '{"ok":[1,2]}')
        self.assertEqual(self.call("setGpio", "--params", '{"pin":"23","value":1}'), {"ok": [1, 2]})
        topic, body = d.next()
        self.assertRegex(topic, "^v1/devices/me/rpc/request/[0-9]+$")
        self.assertEqual(body, {"method": "setGpio", "params": {"pin": "23", "value": 1}})
        self.assertEqual(self.call("twice", "--oneway")["status"], "SUCCESSFUL")

    def test_who_does_not_answer_or_is_away_is_an_error(self):
        d = self.device()
        d.subscribe(ME + "rpc/request/+")
        with self.assertRaisesRegex(CommandError, "has not answered within 0.3 s"):
            self.call("x", "--timeout", "300ms")
        d.leave()
        with self.assertRaisesRegex(CommandError, "was not there"):
            self.call("x", "--timeout", "300ms")

    def test_one_that_waits_is_delivered_when_the_device_comes(self):
        asked = subprocess.Popen([os.path.join(os.environ["GODWIT_BUILD"], "godwit"), "--state-dir", self.stack.state, "end-devices", "rpc", "app1", self.name,
                                  "--method", "late", "--timeout", "60s"], stdout=subprocess.PIPE, text=True)
        d = self.device()
        self.answering(d, "fine")  # no JSON: a text
        self.assertEqual((asked.communicate(timeout=60)[0], asked.returncode), ('"fine"\n', 0))

    def test_persistent_ones_go_through_their_states(self):
        made = self.call("restart", "--persistent", "--timeout", "1h")
        self.assertEqual(made["status"], "QUEUED")
        show = ("end-devices", "rpc", "get", "app1", self.name, made["rpc_id"])
        d = self.device()
        d.subscribe(ME + "rpc/request/+")
        topic, body = d.next()
        self.assertEqual(body, {"method": "restart", "params": {}})
        self.until(lambda: self.stack.cli(*show)["status"] == "DELIVERED")
        d.say(topic.replace("request", "response"), {"done": True})
        self.until(lambda: self.stack.cli(*show)["status"] == "SUCCESSFUL")
        self.assertEqual(self.stack.cli(*show)["response"], {"done": True})
        d.say(topic.replace("request", "response"), {"done": False})  # late: acknowledged, and nothing
        self.assertEqual(self.stack.cli(*show)["response"], {"done": True})

    def until(self, there):
        end = time.monotonic() + 20
        while not there():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)

    def test_a_push_is_a_call(self):
        sub = self.listen()
        push = {"downlinks": [{"decoded_payload": {"method": "setGpio", "params": {"pin": 1}}, "confirmed": True, "correlation_ids": ["mine-1"]}, {"decoded_payload": {"led": "on"}}]}
        sub.publish("v3/app1/devices/%s/down/push" % self.name, push)
        sub.wait("/down/queued", 2)
        waits = self.stack.cli("end-devices", "downlink", "list", "app1", self.name)
        self.assertEqual([w["decoded_payload"]["method"] for w in waits], ["setGpio", "downlink"])
        d = self.device()
        self.answering(d, '"yes"')
        self.assertEqual([d.next()[1], d.next()[1]], [{"method": "setGpio", "params": {"pin": 1}}, {"method": "downlink", "params": {"led": "on"}}])
        sub.wait("/down/sent", 2)
        ack = sub.wait("/down/ack")
        self.assertEqual(ack["downlink_ack"]["decoded_payload"], {"method": "setGpio", "params": {"pin": 1}})
        self.assertIn("mine-1", ack["correlation_ids"])
        self.assertIn("mine-1", ack["downlink_ack"]["correlation_ids"])
        self.assertEqual(sub.wait("/service/data")["service_data"]["data"]["response"], "yes")
        sub.publish("v3/app1/devices/%s/down/push" % self.name, {"downlinks": [{"f_port": 1, "frm_payload": "AQ=="}]})
        self.assertEqual(sub.wait("/down/failed")["downlink_failed"]["error"]["name"], "no_payload")

    def test_a_lorawan_device_is_called_by_a_downlink(self):
        lora = "lora-" + self.name
        keys = ("--session.keys.nwk-s-key.key", "00" * 15 + "01", "--session.keys.app-s-key.key", "00" * 15 + "02")
        self.stack.cli("end-devices", "create", "app1", lora, "--abp", "--frequency-plan-id", "EU_863_870", "--session.dev-addr", "01DA1F15", *keys)
        self.assertEqual(self.call("lamp", "--params", '{"f_port":7,"frm_payload":"AQI="}', "--oneway", device=lora)["status"], "QUEUED")
        self.assertEqual([(i["f_port"], i["frm_payload"]) for i in self.stack.cli("end-devices", "downlink", "list", "app1", lora)], [(7, "AQI=")])
        with self.assertRaisesRegex(CommandError, "f_port"):
            self.call("lamp", device=lora)

    def test_calls_of_the_device(self):
        sub, d = self.listen(), self.device()
        d.say(ME + "rpc/request/1", '{"method":"getCurrentTime","params":{}}')
        topic, now = d.next()
        self.assertEqual(topic, ME + "rpc/response/1")
        self.assertLess(abs(now / 1000 - time.time()), 3600)
        d.say(ME + "rpc/request/2", {"method": "getSessionLimits", "params": {}})
        limits = d.next()[1]
        self.assertEqual((limits["maxPayloadSize"], limits["rateLimits"]["messages"]), (65536, "200:1,6000:60"))
        d.say(ME + "rpc/request/3", {"method": "findShelf", "params": {"x": 1}})
        self.assertEqual(sub.wait("/service/data")["service_data"]["data"], {"request_id": 3, "method": "findShelf", "params": {"x": 1}})
        sub.publish("v3/app1/devices/%s/rpc/response/3" % self.name, {"shelf": 7})
        self.assertEqual(d.next(), (ME + "rpc/response/3", {"shelf": 7}))
        sub.publish("v3/app1/devices/%s/rpc/response/3" % self.name, {"shelf": 8})  # answered already
        d.say(ME + "rpc/request/4", {"params": {}})  # no method
        d.say(ME + "attributes/request/5", {})
        self.assertEqual(d.next()[0], ME + "attributes/response/5", "and nothing in between")

    def test_examples_of_the_page_with_mqtt_js(self):
        folder = npm.folder_with(self, "mqtt@4.3.8")
        script = os.path.join(folder, "device-%d.js" % os.getpid())
        with open(script, "w") as f:
            f.write('''
const mqtt = require('mqtt'), me = 'v1/devices/me/';
const client = mqtt.connect('mqtt://' + process.argv[2], { username: process.argv[3] });
client.on('connect', () => {
  client.subscribe([me + 'attributes/response/+', me + 'rpc/response/+', me + 'rpc/request/+'], () => {
    client.publish(me + 'telemetry', JSON.stringify({ temperature: 42 }), { qos: 1 });
    client.publish(me + 'attributes', JSON.stringify({ attribute1: 'value1', attribute2: true }), { qos: 1 }, () => {
      client.publish(me + 'attributes/request/1', '{"clientKeys":"attribute1,attribute2", "sharedKeys":"shared1,shared2"}');
      client.publish(me + 'rpc/request/1', JSON.stringify({ method: 'getCurrentTime', params: {} }));
    });
  });
});
client.on('message', (topic, message) => {
  console.log(topic + ' ' + message);
  if (topic.startsWith(me + 'rpc/request/')) {
    client.publish(me + 'rpc/response/' + topic.slice((me + 'rpc/request/').length), message, { qos: 1 }, () => client.end());
  }
});
''')
        self.addCleanup(os.remove, script)
        js = subprocess.Popen(["node", script, "%s:%d" % self.address(), self.token], stdout=subprocess.PIPE, text=True, cwd=folder)
        self.addCleanup(js.stdout.close)
        self.addCleanup(js.wait)
        lines = [js.stdout.readline().strip().split(" ", 1) for _ in range(2)]
        answers = {topic: json.loads(body) for topic, body in lines}
        self.assertEqual(answers[ME + "attributes/response/1"], {"client": {"attribute1": "value1", "attribute2": True}})
        self.assertGreater(answers[ME + "rpc/response/1"], 1451649600512)
        self.assertEqual(self.call("echo", "--params", '{"a":1}', "--timeout", "30s"), {"method": "echo", "params": {"a": 1}})


class Claims(World):
    def test_a_claim_is_offered_and_taken(self):
        sub, d = self.listen(), self.device()
        claim = ("end-devices", "claim", "app1", self.name)
        with self.assertRaisesRegex(CommandError, "FAILURE"):
            self.stack.cli(*claim)
        d.say(ME + "claim", '{"secretKey":"value", "durationMs":60000}')
        self.assertEqual(sub.wait("/service/data")["service_data"]["data"]["claimed"], False)
        with self.assertRaisesRegex(CommandError, "FAILURE"):
            self.stack.cli(*claim, "--secret-key", "wrong")
        with self.assertRaisesRegex(CommandError, "FAILURE"):
            self.stack.cli(*claim, "--secret-key", "value")  # a wrong one has ended the offer
        d.say(ME + "claim", "")
        self.assertEqual(self.stack.cli(*claim), {"response": "SUCCESS"})
        self.assertEqual(self.stack.cli(*claim), {"response": "CLAIMED"})
        self.assertNotIn("value", json.dumps(sub.messages))
        self.stack.cli("end-devices", "unclaim", "app1", self.name)
        d.say(ME + "claim", {"durationMs": 1})
        time.sleep(0.01)
        with self.assertRaisesRegex(CommandError, "FAILURE"):
            self.stack.cli(*claim)

    KEY, SECRET = "u7piawkboq8v32dmcmpp", "jpmwdn8ptlswmf4m29bw"

    def provision(self, user="provision", **more):
        """What a new device is answered, which has not subscribed."""
        d = Device(self.address(), user, client_id="" if user else "provision", ok=True)
        d.say("/provision/request", {"provisionDeviceKey": self.KEY, "provisionDeviceSecret": self.SECRET, **more})
        topic, answer = d.next()
        d.leave()
        self.assertEqual(topic, "/provision/response")
        return answer

    def given_once_to_those_that_are_there(self):
        failed = {"errorMsg": "Failed to provision device!", "status": "FAILURE"}
        self.stack.cli("applications", "provisioning", "set", "app1", "--strategy", "CHECK_PRE_PROVISIONED_DEVICES")
        self.assertEqual(self.provision(deviceName="Nobody"), failed)
        token = self.stack.cli("end-devices", "create", "app1", "known")["credentials"]["access_token"]
        got = self.provision(deviceName="known")
        self.assertEqual((got["status"], got["credentialsType"], got["credentialsValue"]), ("SUCCESS", "ACCESS_TOKEN", token))
        self.assertEqual(self.provision(deviceName="known"), failed)
        self.assertEqual(self.stack.cli("end-devices", "attributes", "get", "app1", "known", "--scope", "server"), {"provisionState": "provisioned"})
        self.stack.cli("end-devices", "attributes", "delete", "app1", "known", "--scope", "server", "--keys", "provisionState")
        self.assertEqual(self.provision(deviceName="known")["credentialsValue"], token)

    def test_a_device_is_given_credentials(self):
        self.assertEqual(self.provision(deviceName="DEVICE_NAME")["status"], "NOT_FOUND")
        self.stack.cli("applications", "provisioning", "set", "app1", "--key", self.KEY, "--secret", self.SECRET)
        got = self.provision(deviceName="DEVICE_NAME")
        self.assertEqual((sorted(got), got["credentialsType"], got["status"]), (["credentialsType", "credentialsValue", "status"], "ACCESS_TOKEN", "SUCCESS"))
        self.device(got["credentialsValue"]).say(ME + "telemetry", {"a": 1})
        self.assertEqual(self.stack.cli("end-devices", "get", "app1", "device-name")["name"], "DEVICE_NAME")
        self.assertEqual(self.provision(deviceName="DEVICE_NAME"), {"errorMsg": "Failed to provision device!", "status": "FAILURE"})
        self.assertEqual(self.provision(deviceName="Other", provisionDeviceSecret="wrong"),
                         {"errorMsg": "Provision data was not found!", "status": "NOT_FOUND"})
        self.assertEqual(self.provision(None, deviceName="Token", credentialsType="ACCESS_TOKEN", token="own-token")["credentialsValue"], "own-token")
        basic = self.provision(deviceName="Basic", credentialsType="MQTT_BASIC", username="pu", password="pp", clientId="pc")
        self.assertEqual(basic["credentialsValue"], {"clientId": "pc", "userName": "pu", "password": "pp"})
        self.assertEqual(self.device("pu", "pp", client_id="pc").code, 0)
        self.given_once_to_those_that_are_there()
        self.stack.cli("applications", "provisioning", "delete", "app1")
        self.assertEqual(self.provision(deviceName="Late")["status"], "NOT_FOUND")

    def test_before_it_has_credentials_a_device_may_do_nothing_else(self):
        sub, d = self.listen(), self.device("provision")
        self.assertEqual(d.subscribe("/provision/response"), 1)
        self.assertEqual(d.subscribe(ME + "attributes"), 0x80)
        d.say(ME + "telemetry", {"a": 1})
        self.assertEqual(sub.messages, [])


class Bounds(World):
    SETTINGS = ("--as.device-message-rate=5:1,6:3600", "--as.mqtt-trusted=", "--as.mqtt-login-failures=3", "--as.mqtt-refusal-delay=0")

    def test_a_flood_and_then_guesses(self):
        self.who_sends_too_much_is_disconnected_and_nobody_else()
        self.guessing_at_provisioning_locks_the_address_out()

    def who_sends_too_much_is_disconnected_and_nobody_else(self):
        other = self.device()
        self.stack.cli("end-devices", "create", "app1", "fast-" + self.name, "--access-token", "F" + self.token)
        d = self.device("F" + self.token)
        for _ in range(30):
            d.client.publish(ME + "telemetry", '{"a":1}', 0)
        d.wait(lambda: d.ended)
        other.say(ME + "telemetry", {"a": 1})
        self.assertEqual(self.metric('as_device_messages_dropped_total{reason="rate_limit"}'), 1)
        d.leave()
        taken = 0
        for _ in range(2):  # a new connection begins with no more than was left: 6 in the hour
            d = self.device("F" + self.token)
            for _ in range(2):
                d.client.publish(ME + "telemetry", '{"a":1}', 1)
            d.wait(lambda: d.ended)
            d.leave()
            taken += len(d.acks)
        self.assertLessEqual(taken, 1)

    def guessing_at_provisioning_locks_the_address_out(self):
        self.stack.cli("applications", "provisioning", "set", "app1", "--key", "key", "--secret", "secret")
        d = self.device("provision")
        for n in range(4):
            d.say("/provision/request", {"provisionDeviceKey": "key", "provisionDeviceSecret": "guess%d" % n})
        self.assertEqual([d.next()[1]["status"] for _ in range(4)], ["NOT_FOUND"] * 3 + ["FAILURE"])
        d.leave()
        d = self.device("provision", ok=False)
        self.assertNotEqual(d.code, 0)


class Tls(World):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="godwit-x509-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        for n, name in enumerate(("server", "device", "stranger")):
            certificate(cls.folder, name, 100 + n)
        cls.SETTINGS = ("--as.mqtts-listen=127.0.0.1:0", "--as.tls-certificate=" + cls.path("server.crt"), "--as.tls-key=" + cls.path("server.key"))
        super().setUpClass()

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder, name)

    def secure(self, name, token=None, **more):
        d = Device(self.stack.address("as.mqtts"), token, tls={"ca_certs": self.path("server.crt"), "certfile": self.path(name + ".crt"),
                                                                "keyfile": self.path(name + ".key")}, **more)
        self.addCleanup(d.leave)
        return d

    def test_a_certificate_is_all_that_a_device_needs(self):
        sub = self.listen()
        self.stack.cli("end-devices", "credentials", "set", "app1", self.name, "--x509-certificate", self.path("device.crt"))
        self.secure("device").say(ME + "telemetry", {"secure": True})
        self.assertEqual(sub.wait("/up")["uplink_message"]["decoded_payload"], {"secure": True})
        self.assertEqual(self.secure("stranger", client_id="x", ok=False).code, 4)
        self.stack.cli("end-devices", "credentials", "set", "app1", self.name, "--access-token", self.token)
        self.assertEqual(self.secure("stranger", self.token).code, 0, "any certificate, and a token")

    def test_what_is_kept_survives_a_crash(self):
        made = self.stack.cli("end-devices", "rpc", "app1", self.name, "--method", "after", "--persistent", "--timeout", "1h")
        self.stack.cli("end-devices", "attributes", "set", "app1", self.name, "--scope", "shared", "--json", '{"while":"away"}')
        self.stack.kill()
        self.stack.start()
        d = self.device()
        d.subscribe("#")
        heard = dict([d.next(), d.next()])
        self.assertEqual(heard.pop(ME + "attributes"), {"while": "away"})
        self.assertEqual(list(heard.values()), [{"method": "after", "params": {}}])
        self.assertEqual(self.stack.cli("end-devices", "rpc", "get", "app1", self.name, made["rpc_id"])["request_id"], int(list(heard)[0].rsplit("/")[-1]))


if __name__ == "__main__":
    unittest.main()
