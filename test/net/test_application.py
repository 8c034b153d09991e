"""What an application sees over MQTT: each kind of message to the letter, tenants, rights, the queue, traces, and what it may not do."""
import base64
import datetime
import json
import os
import re
import signal
import socket
import struct
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(__file__))
from gateway import Gateway  # noqa: E402
from godwit import ULID, CommandError, Stack, Subscriber  # noqa: E402
from lorawan import Device  # noqa: E402
from octets import packet, text  # noqa: E402
import paho_client  # noqa: E402

RPC = "rpc:/ttn.lorawan.v3."
OF_UPLINK = ["gs:conn:", "gs:uplink:", "ns:uplink:", RPC + "GsNs/HandleUplink:", RPC + "NsAs/HandleUplink:"]
TIME = r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.(\d{3}|\d{6}|\d{9}))?Z$"
READ, WRITE = "--right-application-traffic-read", "--right-application-traffic-down-write"


class Case(unittest.TestCase):
    """One stack and one application for a class of tests."""
    settings = ()

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(*cls.settings)
        cls.key = cls.stack.create_application("app1")

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def setUp(self):
        self.dev = "d-" + self._testMethodName[5:].replace("_", "-")[:30].strip("-")
        self.sub = self.subscriber(self.key)

    def subscriber(self, key, **how):
        sub = Subscriber(self.stack, key, **how)
        self.addCleanup(sub.close)
        return sub

    def gateway(self, **how):
        how.setdefault("eui", int.from_bytes(os.urandom(7), "big") | 0xAA << 56)
        gateway = Gateway(self.stack.address("gs.udp"), **how)
        self.addCleanup(gateway.close)
        gateway.wait_path()
        return gateway

    def abp(self, *more, app="app1", dev=None):
        device = Device(dev_addr=int.from_bytes(os.urandom(3), "big"), nwk_s_key=os.urandom(16), app_s_key=os.urandom(16))
        self.stack.create_abp(device, app, dev or self.dev, *more)
        return device

    def otaa(self, dev=None):
        device = Device(dev_eui=int.from_bytes(os.urandom(8), "big"), join_eui=1, app_key=os.urandom(16))
        self.stack.create_otaa(device, "app1", dev or self.dev)
        return device

    def join(self, gateway, device):
        n = len(gateway.emissions)
        gateway.uplink(device.join_request())
        self.assertTrue(device.accept(gateway.wait_emission(n + 1, 7).phy))

    def push(self, *items, how="push", sub=None, qos=1):
        (sub or self.sub).publish("v3/app1/devices/%s/down/%s" % (self.dev, how), {"downlinks": list(items)}, qos)

    def wait(self, suffix, n=1, timeout=10.0):
        return self.sub.wait(self.dev + "/" + suffix, n, timeout)

    def count(self, suffix):
        return self.sub.count(self.dev + "/" + suffix)

    def listed(self):
        return self.stack.cli("end-devices", "downlink", "list", "app1", self.dev)

    def until(self, condition, timeout=10, what="it"):
        end = time.monotonic() + timeout
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                raise AssertionError("%s did not happen within %d s" % (what, timeout))
            time.sleep(0.1)

    def check_ids(self, ids, prefixes):
        """Exactly these kinds of ids, each once, in this order; other texts are taken as they are."""
        self.assertEqual(len(ids), len(prefixes), ids)
        for got, prefix in zip(ids, prefixes):
            if prefix.endswith(":"):
                self.assertRegex(got, "^" + re.escape(prefix) + ULID + "$")
            else:
                self.assertEqual(got, prefix)

    def http(self, method, path, body=None, key=None):
        host, port = self.stack.address("as.http")
        if key is None:
            with open(os.path.join(self.stack.state, "admin.key")) as f:
                key = f.read().strip()
        rq = urllib.request.Request("http://%s:%d/api/v3%s" % (host, port, path), method=method,
                                    data=body if body is None or isinstance(body, bytes) else json.dumps(body).encode(),
                                    headers={"Authorization": "Bearer " + key})
        try:
            with urllib.request.urlopen(rq, timeout=30) as r:
                return r.status, json.load(r)
        except urllib.error.HTTPError as e:
            return e.code, json.load(e)


class Messages(Case):
    """The shapes of the-things-stack.md, section 2, and the ids of contract.md."""

    def ids_of(self, device, **more):
        return {"device_id": self.dev, "application_ids": {"application_id": "app1"}, "dev_addr": "%08X" % device.dev_addr, **more}

    def test_queued_sent_nack_ack(self):
        device, gateway = self.abp(), self.gateway()
        self.push({"f_port": 15, "frm_payload": "vu8=", "confirmed": True, "priority": "NORMAL", "correlation_ids": ["my-id-7", "other"],
                   "confirmed_retry": {"max_attempts": 3}})
        queued = self.wait("down/queued")
        self.assertEqual(sorted(queued), ["correlation_ids", "downlink_queued", "end_device_ids", "received_at"])
        self.assertEqual(queued["end_device_ids"], self.ids_of(device))
        self.assertRegex(queued["received_at"], TIME)
        self.check_ids(queued["correlation_ids"], ["my-id-7", "other", "as:downlink:"])
        item = queued["downlink_queued"]
        self.check_ids(item.pop("correlation_ids"), ["my-id-7", "other", "as:downlink:"])
        self.assertEqual(item, {"f_port": 15, "frm_payload": "vu8=", "confirmed": True, "priority": "NORMAL",
                                "confirmed_retry": {"attempt": 1, "max_attempts": 3}})
        as_downlink = queued["correlation_ids"][-1]

        gateway.uplink(device.uplink(1, b"a"))
        up = self.wait("up")
        session = up["uplink_message"]["session_key_id"]
        first = device.downlink(gateway.wait_emission(1, 3).phy)
        sent = self.wait("down/sent")
        self.assertEqual(sorted(sent), ["correlation_ids", "downlink_sent", "end_device_ids", "received_at"])
        self.assertEqual(sent["correlation_ids"][:2], ["my-id-7", "other"])
        for prefix in OF_UPLINK[:4] + ["as:downlink:", "ns:transmission:", RPC + "NsGs/ScheduleDownlink:", "gs:tx_ack:",
                                       RPC + "GsNs/ReportTxAcknowledgment:", RPC + "NsAs/HandleUplink:"]:
            self.assertEqual(len([c for c in sent["correlation_ids"] if re.fullmatch(re.escape(prefix) + ULID, c)]), 1,
                             (prefix, sent["correlation_ids"]))
        self.assertIn(as_downlink, sent["correlation_ids"])
        self.assertEqual([c for c in sent["correlation_ids"] if c.startswith("gs:uplink:")],
                         [c for c in up["correlation_ids"] if c.startswith("gs:uplink:")], "the uplink that opened the window")
        item = sent["downlink_sent"]
        self.assertEqual(item.pop("correlation_ids"), ["my-id-7", "other", as_downlink])
        expected = {"session_key_id": session, "f_port": 15, "frm_payload": "vu8=", "confirmed": True, "priority": "NORMAL",
                    "confirmed_retry": {"attempt": 1, "max_attempts": 3}}
        self.assertEqual(item, expected)
        self.assertEqual(first.f_cnt, 0, "so f_cnt is left out above")

        time.sleep(1.2)
        gateway.uplink(device.uplink(1, b"b"))
        nack = self.wait("down/nack")
        item = nack["downlink_nack"]
        self.assertEqual(nack["correlation_ids"][:2], ["my-id-7", "other"])
        self.assertIn(as_downlink, nack["correlation_ids"])
        self.assertTrue([c for c in nack["correlation_ids"] if c.startswith("gs:uplink:")])
        self.assertEqual(item.pop("correlation_ids"), ["my-id-7", "other", as_downlink])
        expected["confirmed_retry"] = {"attempt": 2, "max_attempts": 3}
        self.assertEqual(item, expected)

        second = device.downlink(gateway.wait_emission(2, 3).phy)
        self.assertEqual((second.payload, second.f_port), (b"\xbe\xef", 15))
        self.wait("down/sent", 2)
        time.sleep(1.2)
        gateway.uplink(device.uplink(1, b"c", ack=True))
        ack = self.wait("down/ack")
        item = ack["downlink_ack"]
        self.assertEqual(ack["correlation_ids"][:2], ["my-id-7", "other"])
        self.assertEqual(item.pop("correlation_ids"), ["my-id-7", "other", as_downlink])
        self.assertEqual(item, {**expected, "f_cnt": second.f_cnt})
        self.assertEqual(ack["end_device_ids"], self.ids_of(device))

    def test_attempts_that_are_used_up_fail(self):
        device, gateway = self.abp(), self.gateway()
        self.push({"f_port": 15, "frm_payload": "vu8=", "confirmed": True, "confirmed_retry": {"max_attempts": 1}, "correlation_ids": ["once"]})
        self.wait("down/queued")
        gateway.uplink(device.uplink(1, b"a"))
        self.wait("down/sent")
        time.sleep(1.2)
        gateway.uplink(device.uplink(1, b"b"))
        self.wait("down/nack")
        failed = self.wait("down/failed")
        self.assertEqual(sorted(failed["downlink_failed"]), ["downlink", "error"])
        self.assertEqual(failed["correlation_ids"][0], "once")
        error = failed["downlink_failed"]["error"]
        self.assertEqual((error["namespace"], error["name"], error["code"], error["attributes"]),
                         ("pkg/applicationserver", "max_retries_reached", 10, {"max": 1}))
        self.assertRegex(error["correlation_id"], "^[0-9a-f]{32}$")
        self.assertEqual(self.listed(), [])

    def test_a_failed_transmission_carries_the_downlink_as_transmitted(self):
        device, gateway = self.abp(), self.gateway()
        gateway.answer = lambda emission: None  # no TX_ACK at all
        self.push({"f_port": 15, "frm_payload": "vu8=", "correlation_ids": ["lost"]})
        self.wait("down/queued")
        gateway.uplink(device.uplink(1, b"a"))
        failed = self.wait("down/failed", 1, 15)
        error = failed["downlink_failed"]["error"]
        self.assertEqual((error["namespace"], error["name"], error["code"], error["attributes"]),
                         ("pkg/networkserver", "transmission", 2, {"result": "NO_TX_ACK"}))
        item = failed["downlink_failed"]["downlink"]
        self.assertEqual(item["session_key_id"], self.wait("up")["uplink_message"]["session_key_id"])
        self.assertEqual((item["f_port"], item["frm_payload"]), (15, "vu8="))
        self.assertEqual(item["correlation_ids"][0], "lost")
        self.assertEqual(self.count("down/sent"), 0)

    def test_a_rejected_item_fails_alone_and_comes_back_as_it_was(self):
        self.abp()
        self.push({"f_port": 1, "frm_payload": "AQ==", "correlation_ids": ["one"]},
                  {"f_port": 240, "frm_payload": "vu8=", "priority": "HIGH", "confirmed": True, "correlation_ids": ["two"]},
                  {"f_port": 3, "frm_payload": "Aw==", "correlation_ids": ["three"]})
        self.wait("down/queued", 2)
        failed = self.wait("down/failed")
        self.check_ids(failed["correlation_ids"], ["two", "as:downlink:"])
        item = failed["downlink_failed"]["downlink"]
        self.assertEqual(item.pop("correlation_ids"), failed["correlation_ids"])
        self.assertEqual(item, {"f_port": 240, "frm_payload": "vu8=", "priority": "HIGH", "confirmed": True}, "neither session nor counter")
        self.assertIn("234 to 255", failed["downlink_failed"]["error"]["message_format"])
        self.assertEqual(failed["downlink_failed"]["error"]["attributes"], {"f_port": 240})
        self.assertEqual([i["correlation_ids"][0] for i in self.listed()], ["one", "three"])
        time.sleep(0.3)
        self.assertEqual((self.count("down/queued"), self.count("down/failed")), (2, 1))

    def test_several_items_are_announced_each_by_itself_in_order(self):
        self.abp()
        self.push(*[{"f_port": n, "frm_payload": "AQ==", "priority": "HIGHEST" if n % 2 else "LOW"} for n in range(1, 101)])
        self.wait("down/queued", 100)
        got = [m[1]["downlink_queued"] for m in self.sub.messages if m[0].endswith(self.dev + "/down/queued")]
        self.assertEqual([i["f_port"] for i in got], list(range(1, 101)))
        self.assertEqual(len({tuple(i["correlation_ids"]) for i in got}), 100, "each has an id of its own")

    def test_a_body_that_is_not_json(self):
        device = self.abp()
        bodies = ["{not json", "", "[]", "7", '{"downlinks":7}', '{"downlinks":{}}', "{}", "[" * 5000, '{"downlinks":' + "[" * 1000,
                  '{"downlinks":[{"f_port":1,"frm_payload":"AQ==","decoded_payload":' + '{"a":' * 200 + "1" + "}" * 200 + "}]}", b"\xff\xfe"]
        for n, body in enumerate(bodies, 1):
            self.sub.publish("v3/app1/devices/%s/down/push" % self.dev, body)
            failed = self.wait("down/failed", n)
            self.assertEqual(failed["downlink_failed"]["error"]["name"], "invalid_json", body[:40])
            self.assertEqual(sorted(failed["downlink_failed"]), ["error"])
            self.check_ids(failed["correlation_ids"], ["as:downlink:"])
            self.assertEqual(failed["end_device_ids"], self.ids_of(device))
        self.assertEqual(self.listed(), [])

    def test_unknown_devices_are_answered_on_the_topic_of_the_request(self):
        for n, name in enumerate(["nobody-here", "Not A Valid Id", "x" * 60], 1):
            self.sub.publish("v3/app1/devices/%s/down/push" % name, {"downlinks": [{"f_port": 1, "frm_payload": "AQ=="}]})
            failed = self.sub.wait("down/failed", n)
            topics = [m[0] for m in self.sub.messages if m[0].endswith("down/failed")]
            self.assertEqual(topics[-1], "v3/app1/devices/%s/down/failed" % name)
            self.assertEqual(failed["downlink_failed"]["error"]["name"], "device_not_found")
            self.assertEqual(failed["downlink_failed"]["error"]["attributes"], {"device_id": name})
            self.assertEqual(failed["end_device_ids"], {"device_id": name, "application_ids": {"application_id": "app1"}})
            self.check_ids(failed["correlation_ids"], ["as:downlink:"])

    def test_class_b_c_is_echoed_as_strict_json(self):
        self.abp("--supports-class-c")
        self.sub.publish("v3/app1/devices/%s/down/push" % self.dev,
                         '{"downlinks":[{"f_port":1,"frm_payload":"AQ==","class_b_c":{"gateways":[{"gateway_ids":{"gateway_id":"gtw1",},},],'
                         '"absolute_time":"2126-01-01T00:00:00Z",},},],}')
        queued = self.wait("down/queued")  # the client's own json reader is strict
        self.assertEqual(queued["downlink_queued"]["class_b_c"],
                         {"gateways": [{"gateway_ids": {"gateway_id": "gtw1"}}], "absolute_time": "2126-01-01T00:00:00Z"})

    def test_a_join_and_what_is_sent_in_an_older_session(self):
        device, gateway = self.otaa(), self.gateway()
        self.join(gateway, device)
        join = self.wait("join")
        self.check_ids(join["correlation_ids"], OF_UPLINK + ["as:up:"])
        self.assertEqual(join["end_device_ids"]["dev_addr"], "%08X" % device.dev_addr)
        self.assertEqual(list(join["join_accept"]), ["session_key_id", "received_at", "network_ids"])
        self.assertRegex(join["join_accept"]["received_at"], TIME)
        gateway.uplink(device.uplink(1, b"a"))
        self.check_ids(self.wait("up")["correlation_ids"], OF_UPLINK + ["as:up:"])

    def test_a_confirmed_item_survives_a_join_that_nobody_acknowledges_over(self):
        """The session in which it was sent is over: it is tried again in the new one, and holds nothing up."""
        device, gateway = self.otaa(), self.gateway()
        self.join(gateway, device)
        gateway.uplink(device.uplink(1, b"a"))
        self.wait("up")
        old = self.wait("up")["uplink_message"]["session_key_id"]
        self.push({"f_port": 5, "frm_payload": "AQID", "confirmed": True})
        self.wait("down/queued")
        n = len(gateway.emissions)
        time.sleep(1)
        gateway.uplink(device.uplink(1, b"b"))
        device.downlink(gateway.wait_emission(n + 1, 8).phy)
        self.assertEqual(self.wait("down/sent")["downlink_sent"]["session_key_id"], old)
        time.sleep(1.5)
        self.join(gateway, device)
        n = len(gateway.emissions)
        gateway.uplink(device.uplink(1, b"c"))
        new = self.wait("up", 3)["uplink_message"]["session_key_id"]
        self.assertNotEqual(new, old)
        nack = self.wait("down/nack")["downlink_nack"]
        self.assertEqual((nack["session_key_id"], nack["confirmed_retry"]), (old, {"attempt": 2}))
        if len(gateway.emissions) == n:  # in this window, or in the next
            gateway.uplink(device.uplink(1, b"d"))
        down = device.downlink(gateway.wait_emission(n + 1, 8).phy)
        if not down.payload:
            time.sleep(1.5)
            gateway.uplink(device.uplink(1, b"d"))
            down = device.downlink(gateway.wait_emission(n + 2, 8).phy)
        self.assertEqual(down.payload, b"\1\2\3")
        self.assertEqual(self.wait("down/sent", 2)["downlink_sent"]["session_key_id"], new)

    def test_payloads_of_0_and_of_the_most_and_every_port(self):
        device, gateway = self.abp(), self.gateway()
        self.push({"f_port": 1, "frm_payload": ""}, {"f_port": 233, "frm_payload": base64.b64encode(bytes(242)).decode()},
                  {"f_port": 2, "frm_payload": base64.b64encode(bytes(243)).decode()})
        self.wait("down/queued", 2)
        self.assertEqual(self.wait("down/failed")["downlink_failed"]["error"]["attributes"], {"length": 243, "max": 242})
        self.assertNotIn("frm_payload", self.listed()[0], "empty is left out")
        gateway.uplink(device.uplink(9, b"x"))
        down = device.downlink(gateway.wait_emission(1, 3).phy)
        self.assertEqual((down.f_port, down.payload), (1, b""))
        self.wait("down/sent")
        time.sleep(1.2)
        gateway.uplink(device.uplink(9, b"x"))  # SF7: 242 octets fit
        self.assertEqual(device.downlink(gateway.wait_emission(2, 3).phy).payload, bytes(242))
        self.wait("down/sent", 2)

    def test_an_uplink_without_a_port_and_one_on_port_0(self):
        device, gateway = self.abp(), self.gateway()
        gateway.uplink(device.uplink())
        first = self.wait("up")["uplink_message"]
        gateway.uplink(device.uplink(0, b"\x02"))
        second = self.wait("up", 2)["uplink_message"]
        for message in (first, second):
            self.assertNotIn("f_port", message)
            self.assertNotIn("frm_payload", message)
        self.assertEqual(second["f_cnt"], 1)


class Traces(Case):
    def story(self, cid, *args):
        """The trace once all that is still on its way has come in."""
        before = None
        for _ in range(20):
            now = self.stack.cli("trace", cid, *args)
            if now and now == before:
                return now
            before = now
            time.sleep(0.3)
        return before

    def check_shape(self, events):
        for e in events:
            self.assertEqual(list(e), ["name", "time", "process", "identifiers", "correlation_ids", "data"])
            self.assertIn(e["process"], ("gs", "ns", "as"))
            self.assertRegex(e["time"], TIME)
            self.assertIsInstance(e["identifiers"], dict)
            self.assertIsInstance(e["data"], dict)
        def when(e):
            text = e["time"][:-1]
            return datetime.datetime.fromisoformat((text if "." in text else text + ".0").ljust(26, "0")[:26])
        self.assertEqual([when(e) for e in events], sorted(when(e) for e in events), "oldest first")

    def test_own_ids_lead_to_the_whole_story_of_a_downlink(self):
        device, gateway = self.abp(), self.gateway()
        self.push({"f_port": 15, "frm_payload": "vu8=", "correlation_ids": ["own \"id\" é/7", "second"]})
        self.wait("down/queued")
        gateway.uplink(device.uplink(1, b"a"))
        sent = self.wait("down/sent")
        for cid in ("own \"id\" é/7", "second", [c for c in sent["correlation_ids"] if c.startswith("as:downlink:")][0],
                    [c for c in sent["correlation_ids"] if c.startswith("ns:transmission:")][0]):
            story = self.story(cid)
            self.check_shape(story)
            names = [e["name"] for e in story]
            self.assertEqual({e["process"] for e in story}, {"gs", "ns", "as"}, names)
            for name in ("as.down.data.forward", "as.down.data.sent.forward"):
                self.assertIn(name, names, cid)
            if not cid.startswith("ns:"):
                self.assertEqual(names[0], "as.down.data.receive")
            self.assertTrue([n for n in names if n.startswith("ns.down.")], names)
            self.assertTrue([n for n in names if n.startswith("gs.")], names)

    def test_a_story_has_nothing_of_other_messages(self):
        device, gateway = self.abp(), self.gateway()
        for n in range(3):
            gateway.uplink(device.uplink(1, bytes([n])))
            self.wait("up", n + 1)
        cids = [[c for c in m[1]["correlation_ids"] if c.startswith("gs:uplink:")][0] for m in self.sub.messages if m[0].endswith("/up")]
        story = self.story(cids[1])
        self.assertTrue(story)
        self.assertFalse([e for e in story if cids[0] in e["correlation_ids"] or cids[2] in e["correlation_ids"]])

    def test_many_and_long_own_ids_are_all_found(self):
        self.abp()
        own = ["long-%02d-" % n + "x" * 90 for n in range(16)]
        self.push({"f_port": 1, "frm_payload": "AQ==", "correlation_ids": own})
        queued = self.wait("down/queued")
        self.assertEqual(queued["correlation_ids"][:16], own)
        for cid in (own[0], own[7], own[15]):
            self.assertIn("as.down.data.receive", [e["name"] for e in self.stack.cli("trace", cid)], cid)

    def test_a_refused_item_is_found_by_its_own_id_with_the_reason(self):
        self.abp()
        self.push({"f_port": 0, "frm_payload": "AQ==", "correlation_ids": ["refused-1"]})
        self.wait("down/failed")
        story = self.story("refused-1")
        self.assertEqual([e["name"] for e in story], ["as.down.data.drop"])
        self.assertEqual(story[0]["data"]["error"], "invalid_f_port")
        self.assertEqual(story[0]["identifiers"]["device_id"], self.dev)

    def test_an_unknown_id_has_no_story(self):
        self.assertEqual(self.stack.cli("trace", "no-such-id"), [])
        self.assertEqual(self.stack.cli("trace", "gs:uplink:01HC8Y0A2B3C4D5E6F7G8H9J0K"), [])

    def test_an_application_sees_its_messages_whole_and_nobody_elses(self):
        other_key = self.stack.create_application("other")
        device, gateway = self.abp(), self.gateway()
        theirs = self.abp(app="other", dev="theirs")
        other = self.subscriber(other_key, app="other")
        gateway.uplink(theirs.uplink(1, b"secret"))
        their_up = other.wait("theirs/up")
        gateway.uplink(device.uplink(1, b"mine"))
        mine = [c for c in self.wait("up")["correlation_ids"] if c.startswith("gs:uplink:")][0]
        self.story(mine)
        story = self.story(mine, "--api-key", self.key)
        self.assertEqual({e["process"] for e in story}, {"gs", "ns", "as"}, "what the gateway says of an application's message is the application's")
        for cid in their_up["correlation_ids"]:
            got = self.stack.cli("trace", cid, "--api-key", self.key)
            if not cid.startswith("gs:conn:"):
                self.assertEqual(got, [], cid)
            self.assertFalse([e for e in got if set(e["correlation_ids"]) & set(c for c in their_up["correlation_ids"] if not c.startswith("gs:conn:"))])
        listed = self.stack.cli("events", "--api-key", self.key)
        self.assertTrue(listed)
        self.assertEqual({e["identifiers"]["application_id"] for e in listed}, {"app1"})
        for asked in ("other", "no-such-application"):
            with self.assertRaises(CommandError) as refused:
                self.stack.cli("events", "--api-key", self.key, "--application-id", asked)
            self.assertIn("RIGHT_APPLICATION_TRAFFIC_READ", refused.exception.stderr)

    def test_dropped_publishes_and_refused_logins_are_events(self):
        self.sub.publish("v3/other/devices/x/down/push", "{}")
        self.sub.publish("v3/app1/devices/x/down/\"\\" + "\"" * 100, "{}")
        self.sub.publish("anything", "{}")
        refused = Raw(self.stack, "app1", "NNSXS.WRONG.KEY")
        self.assertEqual(refused.code, 5)
        refused.close()
        events = self.stack.cli("events", "--application-id", "app1")
        drops = [e for e in events if e["name"] == "as.down.data.drop" and "topic" in e["data"]]
        self.assertIn("v3/other/devices/x/down/push", [e["data"]["topic"] for e in drops])
        self.assertIn("as.mqtt.connect.fail", [e["name"] for e in events])

    def test_events_come_as_server_sent_events_too(self):
        host, port = self.stack.address("as.http")
        for accept, kind in (("text/html, Text/Event-Stream;q=0.9", "text/event-stream"), ("*/*", "application/x-ndjson")):
            rq = urllib.request.Request("http://%s:%d/api/v3/events?follow=true&application_id=app1" % (host, port),
                                        headers={"Authorization": "Bearer " + self.key, "Accept": accept})
            with urllib.request.urlopen(rq, timeout=30) as stream:
                self.assertEqual(stream.headers["Content-Type"].split(";")[0], kind)
                with self.assertRaises(CommandError):  # an event of the application
                    self.stack.cli("end-devices", "downlink", "push", "app1", "nobody", "--f-port", "1", "--frm-payload", "00")
                line = stream.readline()
                if kind == "text/event-stream":
                    self.assertTrue(line.startswith(b"data: "), line)
                    self.assertEqual(stream.readline(), b"\n")
                    line = line[len("data: "):]
                self.assertEqual(json.loads(line)["identifiers"]["application_id"], "app1")

    def test_a_follower_that_does_not_read_holds_nobody_up_and_its_key_ends_it(self):
        made = self.stack.cli("applications", "api-keys", "create", "--application-id", "app1", READ)
        host, port = self.stack.address("as.http")
        s = socket.create_connection((host, port))
        self.addCleanup(s.close)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        s.sendall(b"GET /api/v3/events?follow=true HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n" % made["key"].encode())
        self.abp()
        for n in range(20):
            self.push(*[{"f_port": 1, "frm_payload": "AQ=="}] * 400)
        self.until(lambda: len(self.listed()) == 8000, 30, "queueing 8000 items beside a reader that does not read")
        self.stack.cli("applications", "api-keys", "delete", "--application-id", "app1", "--api-key-id", made["id"])
        s.settimeout(10)
        got = b""
        while True:
            piece = s.recv(65536)
            if not piece:
                break
            got += piece
            if got.endswith(b"\r\n0\r\n\r\n"):
                break
        self.assertIn(b"as.down.data.receive", got)
        self.stack.cli("end-devices", "downlink", "clear", "app1", self.dev)


class Tenants(Case):
    settings = ("--as.default-tenant=ttn",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stack.cli("applications", "create", "app1", "--tenant-id", "tenant1")
        cls.tenant_key = cls.stack.create_key("app1@tenant1")

    def test_each_tenant_has_its_own_topics_and_nothing_else(self):
        gateway = self.gateway()
        plain, tenant = self.abp(), self.abp(app="app1@tenant1")
        subs = {"app1": self.sub, "app1@ttn": self.subscriber(self.key, app="app1@ttn"),
                "app1@tenant1": self.subscriber(self.tenant_key, app="app1@tenant1")}
        gateway.uplink(plain.uplink(1, b"plain"))
        gateway.uplink(tenant.uplink(1, b"tenant"), freq=868.3)
        for name, sub in subs.items():
            up = sub.wait(self.dev + "/up")
            self.assertEqual(base64.b64decode(up["uplink_message"]["frm_payload"]), b"tenant" if name == "app1@tenant1" else b"plain", name)
            self.assertEqual(up["end_device_ids"]["application_ids"], {"application_id": "app1"})
        time.sleep(2.5)  # no window is open any more
        for name, sub in subs.items():
            self.assertEqual({m[0] for m in sub.messages}, {"v3/%s/devices/%s/up" % (name, self.dev)}, name)
        for name, sub in subs.items():
            sub.publish("v3/%s/devices/%s/down/push" % (name, self.dev), {"downlinks": [{"f_port": 1, "frm_payload": "AQ==", "correlation_ids": [name]}]})
        for name, sub in subs.items():
            queued = sub.wait("down/queued")
            self.assertEqual({m[0] for m in sub.messages if m[0].endswith("queued")}, {"v3/%s/devices/%s/down/queued" % (name, self.dev)})
            self.assertEqual(queued["correlation_ids"][0] == "app1@tenant1", name == "app1@tenant1")
        self.assertEqual([i["correlation_ids"][0] for i in self.listed()], ["app1", "app1@ttn"])
        self.assertEqual([i["correlation_ids"][0] for i in self.stack.cli("end-devices", "downlink", "list", "app1@tenant1", self.dev)],
                         ["app1@tenant1"])

    def test_an_applications_other_name_is_not_foreign_to_a_push(self):
        self.abp()
        self.sub.publish("v3/app1@ttn/devices/%s/down/push" % self.dev, {"downlinks": [{"f_port": 1, "frm_payload": "AQ=="}]})
        self.wait("down/queued")
        self.sub.publish("v3/app1@tenant1/devices/%s/down/push" % self.dev, {"downlinks": [{"f_port": 1, "frm_payload": "AQ=="}]})
        time.sleep(0.5)
        self.assertEqual(len(self.listed()), 1)

    def test_filters_hold_for_the_name_that_was_given(self):
        sub = self.subscriber(self.key, app="app1@ttn", topic="v3/+/devices/+/up")
        gateway, device = self.gateway(), self.abp()
        gateway.uplink(device.uplink(1, b"x"))
        sub.wait("v3/app1@ttn/devices/%s/up" % self.dev)
        self.sub.wait("v3/app1/devices/%s/up" % self.dev)

    def test_keys_of_one_tenant_open_nothing_at_another(self):
        for user, key in (("app1", self.tenant_key), ("app1@ttn", self.tenant_key), ("app1@tenant1", self.key), ("app1@other", self.key)):
            client = paho_client.client()
            codes = []
            client.username_pw_set(user, key)
            client.on_connect = lambda _c, _u, _f, code: codes.append(code)
            client.connect(*self.stack.address("as.mqtt"))
            client.loop_start()
            self.until(lambda: codes)
            client.loop_stop()
            self.assertEqual(codes[0], 5, user)

    def test_an_application_that_has_the_default_tenant_as_its_own_is_another_one(self):
        self.stack.cli("applications", "create", "both@ttn")
        key = self.stack.create_key("both@ttn")
        plain = self.stack.create_application("both")
        named = self.subscriber(key, app="both@ttn")
        direct = self.subscriber(plain, app="both")
        gateway, device = self.gateway(), self.abp(app="both")
        gateway.uplink(device.uplink(1, b"for both without tenant"))
        direct.wait("/up")
        time.sleep(0.5)
        self.assertEqual(named.messages, [])
        other = self.abp(app="both@ttn", dev="theirs")
        gateway.uplink(other.uplink(1, b"for both@ttn"), freq=868.5)
        named.wait("theirs/up")
        time.sleep(0.3)
        self.assertEqual([m[0] for m in direct.messages], ["v3/both/devices/%s/up" % self.dev])
        self.stack.cli("applications", "delete", "both")
        gateway.uplink(other.uplink(1, b"again"), freq=868.5)
        named.wait("theirs/up", 2)


class Raw:
    """MQTT 3.1.1 by hand, for what no client library does."""

    def __init__(self, stack, user, key, client_id="", will=None, clean=True):
        self.s = socket.create_connection(stack.address("as.mqtt"), timeout=10)
        flags = 0xC0 | (2 if clean else 0)
        body = text("MQTT") + bytes([4])
        tail = text(client_id)
        if will:
            flags |= 0x04 | 1 << 3
            tail += text(will[0]) + text(will[1])
        body += bytes([flags]) + b"\0\x3c" + tail + text(user) + text(key)
        self.send(0x10, body)
        self.code = self.read()[1][1]
        self.next_id = 0

    def send(self, head, body):
        self.s.sendall(packet(head, body))

    def _exactly(self, n):
        out = b""
        while len(out) < n:
            piece = self.s.recv(n - len(out))
            if not piece:
                raise EOFError
            out += piece
        return out

    def read(self):
        head, n, shift = self._exactly(1)[0], 0, 0
        while True:
            b = self._exactly(1)[0]
            n |= (b & 127) << shift
            shift += 7
            if b < 128:
                break
        return head, self._exactly(n)

    def answer(self, kind):
        """The next packet of a kind; what else comes is dropped."""
        while True:
            head, body = self.read()
            if head >> 4 == kind:
                return body

    def _id(self):
        self.next_id += 1
        return struct.pack(">H", self.next_id)

    def subscribe(self, *filters):
        self.send(0x82, self._id() + b"".join(text(f) + b"\1" for f in filters))
        return list(self.answer(9)[2:])

    def unsubscribe(self, *filters):
        self.send(0xA2, self._id() + b"".join(text(f) for f in filters))
        self.answer(11)

    def publish(self, topic, body, qos=1):
        self.send(0x30 | qos << 1, text(topic) + (self._id() if qos else b"") + (body if isinstance(body, bytes) else body.encode()))
        if qos == 1:
            self.answer(4)

    def topics(self, wait_s):
        """Topics of what comes within a time."""
        out, end = [], time.monotonic() + wait_s
        while True:
            left = end - time.monotonic()
            if left <= 0:
                return out
            self.s.settimeout(left)
            try:
                head, body = self.read()
            except (socket.timeout, TimeoutError):
                return out
            finally:
                self.s.settimeout(10)
            if head >> 4 == 3:
                out.append(body[2:2 + struct.unpack(">H", body[:2])[0]].decode())
                if head & 2:
                    at = 2 + struct.unpack(">H", body[:2])[0]
                    self.send(0x40, body[at:at + 2])

    def is_closed(self, within_s=5):
        self.s.settimeout(within_s)
        try:
            while self.read():
                pass
        except (EOFError, ConnectionError):
            return True
        except (socket.timeout, TimeoutError):
            return False

    def close(self):
        self.s.close()


class Rights(Case):
    def raw(self, key=None, user="app1", **how):
        raw = Raw(self.stack, user, key or self.key, **how)
        self.addCleanup(raw.close)
        return raw

    def make_key(self, *rights, app="app1"):
        return self.stack.cli("applications", "api-keys", "create", "--application-id", app, "--name", "k", *rights)

    def body(self, own):
        return json.dumps({"downlinks": [{"f_port": 1, "frm_payload": "AQ==", "correlation_ids": [own]}]})

    def test_a_key_that_may_only_write(self):
        self.abp()
        raw = self.raw(self.make_key(WRITE)["key"])
        self.assertEqual(raw.code, 0)
        self.assertEqual(raw.subscribe("#", "v3/app1/devices/+/up", "v3/+/devices/+/down/queued"), [0x80] * 3)
        raw.publish("v3/app1/devices/%s/down/push" % self.dev, self.body("w"))
        self.wait("down/queued")
        self.assertEqual(raw.topics(0.5), [])

    def test_a_key_that_may_only_read(self):
        self.abp()
        raw = self.raw(self.make_key(READ)["key"])
        self.assertEqual(raw.subscribe("#"), [1])
        raw.publish("v3/app1/devices/%s/down/push" % self.dev, self.body("r"))  # acknowledged
        time.sleep(0.5)
        self.assertEqual(self.listed(), [])
        self.assertEqual(self.count("down/failed"), 0)
        drops = [e for e in self.stack.cli("events", "--application-id", "app1") if e["name"] == "as.down.data.drop"]
        self.assertIn("RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE", drops[-1]["data"]["error"])

    def test_a_key_with_some_other_right_may_connect_and_do_nothing(self):
        raw = self.raw(self.make_key("--right-application-info")["key"])
        self.assertEqual(raw.code, 0)
        self.assertEqual(raw.subscribe("#"), [0x80])

    def test_a_key_of_another_application_and_one_that_has_expired(self):
        self.stack.cli("applications", "create", "elsewhere")
        self.assertEqual(self.raw(self.make_key(READ, app="elsewhere")["key"]).code, 5)
        past = (datetime.datetime.utcnow() - datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        try:
            made = self.make_key(READ, "--expires-at", past)
        except CommandError as e:
            self.assertIn("expires", e.stderr)
        else:
            self.assertEqual(self.raw(made["key"]).code, 5)

    def test_a_key_that_expires_ends_its_session(self):
        soon = (datetime.datetime.utcnow() + datetime.timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
        raw = self.raw(self.make_key(READ, "--expires-at", soon)["key"])
        self.assertEqual(raw.subscribe("#"), [1])
        self.assertTrue(raw.is_closed(5))

    def test_a_deleted_key_closes_its_sessions_at_once_without_their_wills(self):
        self.abp()
        made = self.make_key(READ, WRITE)
        raw = self.raw(made["key"], will=("v3/app1/devices/%s/down/push" % self.dev, self.body("last words")))
        kept = self.raw(self.key)
        self.assertEqual(raw.subscribe("#"), [1])
        self.stack.cli("applications", "api-keys", "delete", "--application-id", "app1", "--api-key-id", made["id"])
        self.assertTrue(raw.is_closed(2))
        time.sleep(0.3)
        self.assertEqual(self.listed(), [])
        self.assertEqual(kept.subscribe("#"), [1])
        self.assertEqual(self.raw(made["key"]).code, 5)

    def test_a_key_that_is_narrowed_closes_its_sessions_and_one_that_is_renamed_does_not(self):
        self.abp()
        made = self.make_key(READ, WRITE)
        update = ["applications", "api-keys", "update", "app1", made["id"]]
        raw = self.raw(made["key"])
        self.assertEqual(raw.subscribe("#"), [1])
        self.stack.cli(*update, "--name", "another name")
        raw.publish("v3/app1/devices/%s/down/push" % self.dev, self.body("r"))  # acknowledged
        self.wait("down/queued")
        self.stack.cli(*update, WRITE)
        self.assertTrue(raw.is_closed(5))
        raw = self.raw(made["key"])
        self.assertEqual((raw.code, raw.subscribe("#")), (0, [0x80]))
        self.stack.cli(*update, READ, WRITE)
        self.assertEqual(raw.subscribe("#"), [1])
        soon = (datetime.datetime.utcnow() + datetime.timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.stack.cli(*update, "--expires-at", soon)
        self.assertTrue(raw.is_closed(10))

    def test_a_will_queues_a_downlink(self):
        self.abp()
        raw = self.raw(will=("v3/app1/devices/%s/down/push" % self.dev, self.body("last words")))
        raw.close()
        queued = self.wait("down/queued")
        self.assertEqual(queued["correlation_ids"][0], "last words")

    def test_a_deleted_application_closes_its_sessions(self):
        key = self.stack.create_application("short-lived")
        raw = self.raw(key, user="short-lived")
        self.assertEqual(raw.subscribe("#"), [1])
        self.stack.cli("applications", "delete", "short-lived")
        self.assertTrue(raw.is_closed(2))
        self.assertEqual(self.raw(key, user="short-lived").code, 5)

    def test_narrowing_holds_for_subscribe_and_unsubscribe(self):
        self.abp()
        stack = self.stack
        stack.create_application("app2")
        for asked in ("#", "v3/#", "v3/+/devices/%s/#" % self.dev, "v3/app1/#", "v3/+/#", "v3/+/devices/+/down/queued", "v3/app1/devices/%s/down/queued" % self.dev):
            raw = self.raw()
            self.assertEqual(raw.subscribe(asked), [1], asked)
            self.push({"f_port": 1, "frm_payload": "AQ=="})
            topics = raw.topics(0.6)
            self.assertEqual(topics, ["v3/app1/devices/%s/down/queued" % self.dev], asked)
            raw.unsubscribe(asked)
            self.push({"f_port": 1, "frm_payload": "AQ=="})
            self.assertEqual(raw.topics(0.4), [], "after UNSUBSCRIBE of " + asked)
            raw.close()

    def test_foreign_filters_are_refused_and_the_connection_stays(self):
        raw = self.raw()
        refused = ["v3", "+", "+/app1/#", "v3/app2/#", "v3/app2/devices/+/up", "$SYS/#", "v3/app1@ttn/#", "v1/devices/me/#", "v3/app1", "/v3/app1/#",
                   "v3/+"]
        self.assertEqual(raw.subscribe(*refused), [0x80] * len(refused))
        self.assertEqual(raw.subscribe("#"), [1])

    def test_foreign_and_odd_publishes_are_acknowledged_and_dropped(self):
        self.abp()
        self.stack.create_application("app3")
        raw = self.raw()
        for topic in ("v3/app3/devices/%s/down/push", "v3/app1/devices/%s/up", "v3/app1/devices/%s/down/queued", "v3/app1/devices/%s/down/push/x",
                      "v3/app1/devices/%s/down", "v3/app1/devices//down/push", "x", "/", "v3/app1/devices/%s/down/PUSH"):
            raw.publish(topic % self.dev if "%s" in topic else topic, self.body("odd"))
        raw.publish("v3/app1/devices/%s/down/push" % self.dev, self.body("even"))
        self.wait("down/queued")
        self.assertEqual([i["correlation_ids"][0] for i in self.listed()], ["even"])

    def test_a_push_is_never_echoed(self):
        self.abp()
        raw = self.raw()
        raw.subscribe("#")
        raw.publish("v3/app1/devices/%s/down/push" % self.dev, self.body("echo"), qos=0)
        self.assertEqual(raw.topics(0.6), ["v3/app1/devices/%s/down/queued" % self.dev])

    def test_the_operators_key_may_log_in(self):
        with open(os.path.join(self.stack.state, "admin.key")) as f:
            raw = self.raw(f.read().strip())
        self.assertEqual(raw.code, 0)
        self.assertEqual(raw.subscribe("#"), [1])


class Unlinked(Case):
    """Applications that begin without a link: what devices send waits."""
    settings = ("--as.link-applications=false", "--as.waiting-messages=3")

    def metric(self, name):
        host, port = self.stack.address("as.http")
        with urllib.request.urlopen("http://%s:%d/metrics" % (host, port), timeout=30) as r:
            return int(re.search(r"(?m)^%s (\d+)$" % re.escape(name), r.read().decode()).group(1))

    def waiting(self):
        return self.metric("as_waiting_messages")

    def send(self, gateway, device, payloads):
        """One after the other, each heard before the next."""
        for payload in payloads:
            seen = len(self.events("as.up.data.wait", "as.up.data.forward"))
            gateway.uplink(device.uplink(1, payload))
            self.until(lambda: len(self.events("as.up.data.wait", "as.up.data.forward")) > seen, 30)

    def events(self, *names):
        return [e for e in self.stack.cli("events", "--application-id", "app1", "--device-id", self.dev) if e["name"] in names]

    def payloads(self):
        return [base64.b64decode(m["uplink_message"]["frm_payload"]) for t, m in list(self.sub.messages) if t.endswith(self.dev + "/up")]

    def test_what_devices_send_waits_across_a_crash_and_comes_in_order(self):
        stack = self.stack
        gateway, device = self.gateway(), self.abp()
        link = ["applications", "link"]
        self.assertIn("waits", stack.run(*link, "get", "app1", check=False).stderr)
        self.send(gateway, device, [b"0", b"1", b"2", b"3", b"4"])
        self.assertEqual((self.payloads(), self.waiting()), ([], 3))
        self.assertEqual([e["data"] for e in stack.cli("events", "--application-id", "app1") if e["name"] == "as.up.data.drop"],
                         [{"reason": "not_linked"}] * 2, "more than as.waiting-messages")
        self.until(lambda: self.metric('godwit_store_pending_writes{process="as"}') == 0, 30)
        os.kill(stack.pid("as"), signal.SIGKILL)
        self.until(self.is_up_again, 60)
        self.sub = self.subscriber(self.key)
        self.assertEqual((self.payloads(), self.waiting()), ([], 3))
        key = stack.create_key("app1", "--right-application-link")
        stack.cli(*link, "set", "app1", "--api-key", key)
        self.sub.wait(self.dev + "/up", 3, 30)
        self.until(lambda: self.waiting() == 0, 30)
        self.send(gateway, device, [b"5"])
        self.sub.wait(self.dev + "/up", 4, 30)
        self.assertEqual(self.payloads(), [b"2", b"3", b"4", b"5"])
        stack.cli(*link, "delete", "app1")
        self.send(gateway, device, [b"6"])
        self.assertEqual(self.waiting(), 1)
        stack.cli("applications", "delete", "app1")
        self.assertEqual(self.waiting(), 0)

    def is_up_again(self):
        try:
            with open(os.path.join(self.stack.state, "addresses.json")) as f:
                self.stack.addresses = json.load(f)
            return self.waiting() == 3
        except (OSError, ValueError, KeyError):
            return False


class Queue(Case):
    def test_replace_leaves_what_is_in_flight_and_it_does_not_come_back(self):
        device, gateway = self.abp(), self.gateway()
        held = threading.Event()

        def answer(emission):
            held.set()
            time.sleep(0.4)
            return '{"txpk_ack":{"error":"TOO_LATE"}}'
        gateway.answer = answer
        self.push({"f_port": 1, "frm_payload": "AQ==", "correlation_ids": ["flying"]}, {"f_port": 2, "frm_payload": "Ag=="})
        self.wait("down/queued", 2)
        gateway.uplink(device.uplink(9, b"x"))
        self.assertTrue(held.wait(3))
        self.push({"f_port": 3, "frm_payload": "Aw=="}, how="replace")
        self.wait("down/queued", 3)
        self.assertEqual([i["f_port"] for i in self.listed()], [3])
        time.sleep(3)  # RX2 is refused as well
        self.assertEqual([i["f_port"] for i in self.listed()], [3], "what was replaced came back")
        gateway.answer = lambda emission: ""
        n = len(gateway.emissions)
        gateway.uplink(device.uplink(9, b"y"))
        self.assertEqual(device.downlink(gateway.wait_emission(n + 1, 4).phy).f_port, 3)

    def test_every_priority_has_its_place(self):
        self.abp()
        names = ["LOWEST", "LOW", "BELOW_NORMAL", "NORMAL", "ABOVE_NORMAL", "HIGH", "HIGHEST"]
        self.push(*[{"f_port": n + 1, "frm_payload": "AQ==", "priority": name} for n, name in enumerate(names)],
                  {"f_port": 100, "frm_payload": "AQ=="}, {"f_port": 101, "frm_payload": "AQ==", "priority": 6})
        self.wait("down/queued", 9)
        self.assertEqual([i["f_port"] for i in self.listed()], [7, 101, 6, 5, 4, 3, 2, 1, 100])
        self.assertNotIn("priority", self.listed()[-1])

    def test_a_full_queue_and_how_long_that_takes(self):
        self.abp()
        began = time.monotonic()
        body = json.dumps({"downlinks": [{"f_port": 1 + n % 200, "frm_payload": "AQ=="} for n in range(10050)]})
        self.assertLess(len(body), 1 << 20)
        self.sub.publish("v3/app1/devices/%s/down/replace" % self.dev, body)
        self.wait("down/failed", 50, 30)
        failed = [m[1]["downlink_failed"]["error"]["name"] for m in self.sub.messages if m[0].endswith("down/failed")]
        self.assertEqual(failed, ["queue_full"] * 50)
        self.assertEqual(len(self.listed()), 10000)
        self.wait("down/queued", 10000, 30)
        self.assertLess(time.monotonic() - began, 20)
        ports = [m[1]["downlink_queued"]["f_port"] for m in self.sub.messages if m[0].endswith("down/queued")]
        self.assertEqual(ports, [1 + n % 200 for n in range(10000)])
        self.push({"f_port": 9, "frm_payload": "AQ=="}, how="replace")
        self.until(lambda: [i["f_port"] for i in self.listed()] == [9], what="replacing ten thousand")

    def test_a_mebibyte_of_bad_items_does_not_take_the_server_away(self):
        device, gateway = self.abp(), self.gateway()
        body = '{"downlinks":[' + ",".join(["{}"] * 349000) + "]}"
        self.assertLess(len(body), (1 << 20) - 100)
        began = time.monotonic()
        raw = Raw(self.stack, "app1", self.key)
        self.addCleanup(raw.close)
        raw.publish("v3/app1/devices/%s/down/push" % self.dev, body)
        self.assertLess(time.monotonic() - began, 5)
        self.wait("down/failed", 1001, 20)
        time.sleep(0.5)
        errors = [m[1]["downlink_failed"]["error"] for m in self.sub.messages if m[0].endswith("down/failed")]
        self.assertEqual(len(errors), 1001)
        self.assertEqual((errors[-1]["name"], errors[-1]["attributes"]), ("more_refused", {"count": 348000}))
        gateway.uplink(device.uplink(1, b"alive"))
        self.wait("up")

    def test_a_packet_beyond_a_mebibyte_closes(self):
        raw = Raw(self.stack, "app1", self.key)
        self.addCleanup(raw.close)
        try:
            raw.publish("v3/app1/devices/%s/down/push" % self.dev, "x" * ((1 << 20) + 1), qos=0)
        except OSError:
            pass
        self.assertTrue(raw.is_closed())

    def test_a_device_deleted_while_its_item_flies_and_one_made_again_under_its_name(self):
        device, gateway = self.abp(), self.gateway()
        for again in range(2):
            self.push({"f_port": 1, "frm_payload": "AQ==", "confirmed": True}, {"f_port": 2, "frm_payload": "AQ=="})
            self.wait("down/queued", 2 * again + 2)
            n = len(gateway.emissions)
            gateway.uplink(device.uplink(9, b"x"))
            gateway.wait_emission(n + 1, 3)
            self.stack.cli("end-devices", "delete", "app1", self.dev)
            device = self.abp()
            self.assertEqual(self.listed(), [], "the queue of the old one is not the new one's")
            time.sleep(1)

    def test_http_push_list_replace(self):
        self.abp()
        path = "/as/applications/app1/devices/%s/down" % self.dev
        self.assertEqual(self.http("POST", path + "/push", {"downlinks": [{"f_port": 1, "frm_payload": "AQ=="}]}), (200, {}))
        self.wait("down/queued")
        status, answer = self.http("GET", path)
        self.assertEqual((status, [i["f_port"] for i in answer["downlinks"]]), (200, [1]))
        status, answer = self.http("POST", path + "/push", {"downlinks": [{"f_port": 2, "frm_payload": "AQ=="}, {"f_port": 0, "frm_payload": "AQ=="}]})
        self.assertEqual(status, 400)
        self.assertIn("1 of 2", answer["message"])
        self.assertIn("f_port 0", answer["message"])
        for body in (b"{not json", b"", b"[" * 100000):
            status, answer = self.http("POST", path + "/push", body)
            self.assertEqual(status, 400, body[:20])
            self.assertIn("JSON", answer["message"])
        self.assertEqual(self.http("POST", "/as/applications/app1/devices/nobody/down/push", {"downlinks": [{}]})[0], 404)
        self.assertEqual(self.http("POST", "/as/applications/nobody/devices/nobody/down/push", {"downlinks": []})[0], 404)
        self.assertEqual(self.http("POST", path + "/push", b"x" * ((1 << 20) + 1))[0], 413)
        self.assertEqual(self.http("POST", path + "/replace", {"downlinks": []}), (200, {}))
        self.assertEqual(self.http("GET", path), (200, {"downlinks": []}))
        key = self.stack.create_key("app1", READ)
        self.assertEqual(self.http("POST", path + "/push", {"downlinks": []}, key)[0], 403)
        self.assertEqual(self.http("GET", path, key=key)[0], 200)
        key = self.stack.create_key("app1", WRITE)
        self.assertEqual(self.http("GET", path, key=key)[0], 403)

    def test_an_uplink_is_simulated(self):
        device = self.abp()
        path = "/as/applications/app1/devices/%s/up/simulate" % self.dev
        self.assertEqual(self.http("POST", path, {"correlation_ids": ["my-id"], "uplink_message": {
            "f_port": 3, "f_cnt": 9, "frm_payload": "AQI=", "decoded_payload": {"t": 21.5},
            "rx_metadata": [{"gateway_ids": {"gateway_id": "gtw1"}, "rssi": -35}],
            "settings": {"data_rate": {"lora": {"bandwidth": 125000, "spreading_factor": 7}}, "frequency": "868100000"}}}), (200, {}))
        up = self.wait("up")
        self.assertEqual(list(up), ["end_device_ids", "correlation_ids", "received_at", "uplink_message", "simulated"])
        self.assertIs(up["simulated"], True)
        self.check_ids(up["correlation_ids"], ["my-id", "as:up:"])
        self.assertEqual(up["end_device_ids"]["dev_addr"], "%08X" % device.dev_addr)
        message = up["uplink_message"]
        self.assertEqual((message["f_port"], message["f_cnt"], message["frm_payload"], message["decoded_payload"]), (3, 9, "AQI=", {"t": 21.5}))
        self.assertEqual((message["rx_metadata"][0]["rssi"], message["settings"]["frequency"]), (-35, "868100000"))
        self.assertEqual([e["name"] for e in self.stack.cli("trace", "my-id")], ["as.up.data.receive", "as.up.data.forward"])
        # Nothing of the device has changed: a real uplink with a lower counter is taken.
        gateway = self.gateway()
        gateway.uplink(device.uplink(1, b"real"))
        real = self.wait("up", 2)
        self.assertNotIn("simulated", real)
        self.assertEqual(real["uplink_message"]["session_key_id"], message["session_key_id"])

    def test_the_command_line_simulates_an_uplink(self):
        self.abp()
        words = ["simulate", "application-uplink", "app1", self.dev]
        self.assertEqual(self.stack.cli(*words, "--f-port", "3", "--frm-payload", "AQI=", "--confirmed", "--settings.frequency", "868100000",
                                        "--settings.data-rate.lora.bandwidth", "125000", "--settings.data-rate.lora.spreading-factor", "9"), {})
        up = self.wait("up")
        self.assertIs(up["simulated"], True)
        message = up["uplink_message"]
        self.assertEqual((message["f_port"], message["frm_payload"], message["confirmed"]), (3, "AQI=", True))
        self.assertEqual(message["settings"], {"data_rate": {"lora": {"bandwidth": 125000, "spreading_factor": 9}}, "frequency": "868100000"})
        self.stack.cli(*words, "--f-port", "4", "--frm-payload-hex", "beef", "--decoded-payload", '{"a":1}')
        message = self.wait("up", 2)["uplink_message"]
        self.assertEqual((message["f_port"], message["frm_payload"], message["decoded_payload"]), (4, "vu8=", {"a": 1}))
        with self.assertRaisesRegex(CommandError, "--frm-payload.*base64"):
            self.stack.cli(*words, "--frm-payload", "?")
        with self.assertRaisesRegex(CommandError, "takes no flag --priority"):
            self.stack.cli(*words, "--priority", "LOW")

    def test_askers_who_leave_before_the_answer(self):
        self.abp()
        host, port = self.stack.address("as.http")
        with open(os.path.join(self.stack.state, "admin.key")) as f:
            key = f.read().strip()
        body = json.dumps({"downlinks": [{"f_port": 1, "frm_payload": "AQ=="}]})
        head = "POST /api/v3/as/applications/app1/devices/%s/down/push HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n"
        for _ in range(50):
            s = socket.create_connection((host, port))
            s.sendall((head % (self.dev, key, len(body)) + body).encode())
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
        self.assertEqual(self.http("GET", "/as/applications/app1/devices/%s/down" % self.dev)[0], 200)


if __name__ == "__main__":
    unittest.main()
