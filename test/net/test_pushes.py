"""Hostile and odd pushes: each is answered by down/queued or down/failed, for each item by itself, and never by silence."""
import json
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
import shapes  # noqa: E402
from godwit import Stack, Subscriber  # noqa: E402
from lorawan import Device  # noqa: E402

GOOD = '"f_port":1,"frm_payload":"AQ=="'
ONE = {"f_port": 1, "frm_payload": "AQ=="}
MEBIBYTE = 1 << 20


def item(*members):
    return '{"downlinks":[{%s}]}' % ",".join(members)


def nested(n, opening="[", closing="]"):
    """A good item with something n deep in a member that nobody knows."""
    return item(GOOD, '"x":' + opening * n + closing * n)


def time_of(t):
    return item(GOOD, '"class_b_c":{"absolute_time":"%s"}' % t)


def at(t):
    return {**ONE, "class_b_c": {"absolute_time": t}}


# A body, and what becomes of each of its items: the downlink that is queued, or the name of the error.
ROWS = (
    # What is no JSON.
    ("", "invalid_json"), (" \n", "invalid_json"), ("nonsense", "invalid_json"), ('"text"', "invalid_json"), ("7", "invalid_json"),
    ("null", "invalid_json"), ("[]", "invalid_json"), ("{}", "invalid_json"), ('{"downlinks":null}', "invalid_json"),
    ('{"downlinks":{"f_port":1}}', "invalid_json"), ('{"downlinks":"[]"}', "invalid_json"), ("{'downlinks':[]}", "invalid_json"),
    ("/* */" + item(GOOD), "invalid_json"), (b"\x00", "invalid_json"), (b"\xff\xfe{\x00}\x00", "invalid_json"),
    (item(GOOD)[:-1], "invalid_json"), (item(GOOD, '"x":"\x01"'), "invalid_json"), (item(GOOD, '"x":"a\x00b"'), "invalid_json"),
    (item('"f_port":NaN,"frm_payload":"AQ=="'), "invalid_json"), (item('"f_port":Infinity,"frm_payload":"AQ=="'), "invalid_json"),
    (item(GOOD, '"x":-Infinity'), "invalid_json"), (item(GOOD, '"x":01'), "invalid_json"), (item(GOOD, '"x":0x1'), "invalid_json"),
    (item(GOOD, '"x":"\\q"'), "invalid_json"), (item(GOOD, '"x":"\\u12"'), "invalid_json"), (item(GOOD, "x:1"), "invalid_json"),
    ('{"downlinks":[{%s}] "x":1}' % GOOD, "invalid_json"), ('{"downlinks":[,]}', "invalid_json"), ('{"downlinks":[{%s},,{%s}]}' % (GOOD, GOOD), "invalid_json"),
    # How deep.
    (nested(20), ONE), (nested(20, '{"a":', "}").replace(":}", ":1}"), ONE), (nested(33), "invalid_json"), (nested(5000), "invalid_json"),
    (nested(200000, "[", ""), "invalid_json"), ("[" * 900000, "invalid_json"), ('{"downlinks":' * 70000, "invalid_json"),
    # What The Things Stack takes too.
    (" \r\n\t" + item(GOOD), ONE), (item(GOOD) + "}]trailing\x00", ONE), ('{"downlinks":[{%s,},],}' % GOOD, ONE),
    ('{"unknown":[{"downlinks":[]}],"downlinks":[{%s,"unknown":{"f_port":99}}]}' % GOOD, ONE),
    (item('"fPort":"7","frmPayload":"_-8"'), {"f_port": 7, "frm_payload": "/+8="}), (item('"f_port":1,"frm_payload":"AQ"'), ONE),
    (item('"f_port":1e2,"frm_payload":"AQ=="'), {**ONE, "f_port": 100}), (item('"f_port":2.0,"frm_payload":"AQ=="'), {**ONE, "f_port": 2}),
    (item(GOOD, '"f_port":2'), {**ONE, "f_port": 2}), ('{"downlinks":[],"downlinks":[{%s}]}' % GOOD, ONE),
    (item(GOOD, '"session_key_id":"AQ==","f_cnt":7'), ONE), (item(GOOD, '"decoded_payload":{"a":[1,{"b":null}]}'), {**ONE, "decoded_payload": {"a": [1, {"b": None}]}}),
    (item(GOOD, '"priority":null,"confirmed":null,"class_b_c":null,"correlation_ids":null,"confirmed_retry":null'), ONE),
    (item(GOOD, '"priority":"6"'), {**ONE, "priority": "HIGHEST"}), (item(GOOD, '"priority":0'), ONE), (item(GOOD, '"priority":"LOWEST"'), ONE),
    (item(GOOD, '"confirmed":"true"'), {**ONE, "confirmed": True, "confirmed_retry": {"attempt": 1}}),
    (item(GOOD, '"confirmed":true,"confirmedRetry":{"attempt":5,"maxAttempts":{"value":"3"}}'),
     {**ONE, "confirmed": True, "confirmed_retry": {"attempt": 1, "max_attempts": 3}}),
    (item(GOOD, '"end_device_ids":{"device_id":"another"}'), ONE),
    # Numbers.
    (item('"f_port":1e400,"frm_payload":"AQ=="'), "invalid_f_port"), (item('"f_port":-1,"frm_payload":"AQ=="'), "invalid_f_port"),
    (item('"f_port":1.5,"frm_payload":"AQ=="'), "invalid_f_port"), (item('"f_port":257,"frm_payload":"AQ=="'), "invalid_f_port"),
    (item('"f_port":18446744073709551617,"frm_payload":"AQ=="'), "invalid_f_port"), (item('"f_port":%s,"frm_payload":"AQ=="' % ("9" * 10000)), "invalid_f_port"),
    (item('"f_port":"0x0f","frm_payload":"AQ=="'), "invalid_f_port"), (item('"f_port":true,"frm_payload":"AQ=="'), "invalid_f_port"),
    (item('"f_port":{"value":1},"frm_payload":"AQ=="'), "invalid_f_port"), (item('"f_port":"","frm_payload":"AQ=="'), "invalid_f_port"),
    (item('"f_port":null,"frm_payload":"AQ=="'), "no_f_port"), (item(GOOD, '"priority":7'), "invalid_priority"),
    (item(GOOD, '"priority":"high"'), "invalid_priority"), (item(GOOD, '"priority":[]'), "invalid_priority"),
    (item(GOOD, '"confirmed":"yes"'), "invalid_json"), (item(GOOD, '"confirmed_retry":{"max_attempts":0}'), "invalid_confirmed_retry"),
    (item(GOOD, '"confirmed_retry":{"max_attempts":1e9}'), "invalid_confirmed_retry"),
    (item(GOOD, '"confirmed_retry":{"max_attempts":[3]}'), "invalid_confirmed_retry"),
    # Payloads.
    (item('"f_port":1,"frm_payload":7'), "invalid_payload"), (item('"f_port":1,"frm_payload":["AQ=="]'), "invalid_payload"),
    (item('"f_port":1,"frm_payload":"A"'), "invalid_payload"), (item('"f_port":1,"frm_payload":"AQ==\\u0000"'), "invalid_payload"),
    (item('"f_port":1,"frm_payload":"%s"' % ("AAAA" * 100000)), "payload_too_long"), (item('"f_port":1,"frm_payload":null'), "no_payload"),
    # Texts.
    (item(GOOD, '"correlation_ids":["\\ud83d\\ude00","\\u00e9"]'), {**ONE, "own": ["\U0001F600", "\u00e9"]}),
    (item(GOOD, '"correlation_ids":["a\\"b\\\\c\\n","a"]'), {**ONE, "own": ['a"b\\c\n', "a"]}),
    (item(GOOD, '"correlation_ids":["\\ud800"]'), "invalid_correlation_ids"), (item(GOOD, '"correlation_ids":["\\ude00\\ud83d"]'), "invalid_correlation_ids"),
    (item(GOOD, '"correlation_ids":["a\\u0000b"]'), "invalid_correlation_ids"), (item(GOOD, '"correlation_ids":[{}]'), "invalid_correlation_ids"),
    (item(GOOD, '"correlation_ids":"mine"'), "invalid_correlation_ids"), (item(GOOD, '"correlation_ids":["%s"]' % ("x" * 100)), {**ONE, "own": ["x" * 100]}),
    (item(GOOD, '"correlation_ids":["%s"]' % ("x" * 101)), "invalid_correlation_ids"),
    (item(GOOD, '"correlation_ids":%s' % json.dumps(["i%d" % n for n in range(16)])), {**ONE, "own": ["i%d" % n for n in range(16)]}),
    (item(GOOD, '"correlation_ids":%s' % json.dumps(["i%d" % n for n in range(17)])), "invalid_correlation_ids"),
    (item(GOOD, '"correlation_ids":[%s]' % ",".join(["1"] * 100000)), "invalid_correlation_ids"),
    # Times: 0 to 9 digits of a second, any offset.
    (time_of("2126-01-02T03:04:05Z"), at("2126-01-02T03:04:05Z")), (time_of("2126-01-02T03:04:05.1Z"), at("2126-01-02T03:04:05.100Z")),
    (time_of("2126-01-02T03:04:05.123400Z"), at("2126-01-02T03:04:05.123400Z")),
    (time_of("2126-01-02T03:04:05.123456789Z"), at("2126-01-02T03:04:05.123456789Z")),
    (time_of("2126-01-02T05:04:05+02:00"), at("2126-01-02T03:04:05Z")), (time_of("1970-01-01T00:00:00Z"), "downlink_expired"),
    (time_of("0001-01-01T00:00:00Z"), "invalid_class_b_c"), (time_of("2126-02-30T00:00:00Z"), "invalid_class_b_c"),
    (time_of("2126-01-02 03:04:05"), "invalid_class_b_c"), (item(GOOD, '"class_b_c":{"absolute_time":4922035200}'), "invalid_class_b_c"),
    (item(GOOD, '"class_b_c":[]'), "invalid_class_b_c"), (item(GOOD, '"class_b_c":{"gateways":{}}'), "invalid_class_b_c"),
    (item(GOOD, '"class_b_c":{"gateways":[{"gateway_ids":{"gateway_id":""}}]}'), "invalid_class_b_c"),
    (item(GOOD, '"class_b_c":{"gateways":[%s]}' % ",".join('{"gateway_ids":{"gateway_id":"g%d"}}' % n for n in range(100))), "invalid_class_b_c"),
    (item(GOOD, '"class_b_c":{"gateways":[%s]}' % ",".join(['{"gateway_ids":{"gateway_id":"g"}}'] * 20000)), "invalid_class_b_c"),
    # Several items, each by itself.
    ('{"downlinks":[null,{%s},[],7,"x",{%s},{}]}' % (GOOD, GOOD), "invalid_json", ONE, "invalid_json", "invalid_json", "invalid_json", ONE, "no_f_port"),
    # As much as a packet holds.
    (item(GOOD, '"x":"%s"' % ("y" * (MEBIBYTE - 200))), ONE), (" " * (MEBIBYTE - 200) + item(GOOD), ONE),
    (item(GOOD, '"x":[%s]' % ",".join(["1"] * (MEBIBYTE // 2 - 100))), ONE),
    (item(GOOD, ",".join('"f_port":%d' % (1 + n % 200) for n in range(80000))), {**ONE, "f_port": 200}),
)


class Pushes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()
        cls.key = cls.stack.create_application("app1")

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def setUp(self):
        self.sub = Subscriber(self.stack, self.key, topic="v3/app1/devices/+/down/+")
        self.addCleanup(self.sub.close)

    def device(self, name):
        self.stack.create_abp(Device(dev_addr=int.from_bytes(os.urandom(3), "big"), nwk_s_key=os.urandom(16), app_s_key=os.urandom(16)), "app1", name)
        return "v3/app1/devices/%s/down/" % name

    def news(self, seen, n, timeout=30):
        """The n messages that follow those seen."""
        end = time.monotonic() + timeout
        with self.sub.changed:
            while len(self.sub.messages) < seen + n and time.monotonic() < end:
                self.sub.changed.wait(0.5)
            return list(self.sub.messages[seen:])

    @staticmethod
    def shown(topic, message):
        """What a message says of its item: the downlink that was queued, or the error's name."""
        if topic.endswith("/failed"):
            return message["downlink_failed"]["error"]["name"]
        got = dict(message["downlink_queued"])
        own = got.pop("correlation_ids")[:-1]
        return {**got, "own": own} if own else got

    def test_each_is_answered(self):
        topic = self.device("odd")
        for body, *expected in ROWS:
            about = repr(body if len(body) < 120 else body[:80] + body[-30:])
            with self.subTest(body=about):
                seen = len(self.sub.messages)
                self.sub.publish(topic + "push", body)
                news = self.news(seen, len(expected))
                self.assertEqual(len(news), len(expected), "silence about " + about)
                # Refusals are said at once, what is queued once that is on disk.
                got = [self.shown(t, m) for t, m in news]
                self.assertEqual([g for g in got if isinstance(g, str)], [e for e in expected if isinstance(e, str)])
                self.assertEqual([g for g in got if isinstance(g, dict)], [e for e in expected if isinstance(e, dict)])
        queued = sum(isinstance(e, dict) for _, *expected in ROWS for e in expected)
        self.assertEqual(len(self.stack.cli("end-devices", "downlink", "list", "app1", "odd")), queued)
        for t, m in self.sub.messages:
            shapes.check(t, m)

    def test_more_items_than_any_queue_holds(self):
        topic = self.device("many")
        self.sub.publish(topic + "push", '{"downlinks":[%s]}' % ",".join(["{}"] * 100001))
        news = self.news(0, 1001)
        errors = [m["downlink_failed"]["error"] for _, m in news]
        self.assertEqual([e["name"] for e in errors], ["no_f_port"] * 1000 + ["more_refused"])
        self.assertEqual(errors[-1]["attributes"], {"count": 99001})
        self.sub.publish(topic + "replace", item(GOOD))
        self.assertEqual([self.shown(t, m) for t, m in self.news(1001, 1)], [ONE])


if __name__ == "__main__":
    unittest.main()
