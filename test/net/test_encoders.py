"""Values that applications push become octets by the downlink formatter in force: in order, once, whatever else happens, and with words where
they do not."""
import base64
import json
import os
import signal
import socket
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(__file__))
from godwit import Stack, Subscriber  # noqa: E402
from lorawan import Device  # noqa: E402

# One that does all kinds of things, as its data say.
SCRIPT = """
function encodeDownlink(input) {
  var d = input.data;
  while (d.hang) {}
  if (d.no) throw new Error(d.no);
  if (d.errors) return { errors: d.errors };
  return { bytes: d.bytes, fPort: d.port, warnings: d.warnings };
}
function decodeDownlink(input) {
  if (input.bytes[0] == 255) throw new Error("no such command");
  return { data: { bytes: input.bytes, at: input.fPort }, warnings: input.bytes.length > 2 ? ["long"] : [] };
}
"""
OLDER = "function Encoder(obj, port) { return [port, obj.led ? 1 : 0]; }"


class Case(unittest.TestCase):
    settings = ()

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(*cls.settings, start=False).fix_ports().start()
        cls.key = cls.stack.create_application("app1")
        cls.serial = 0

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def setUp(self):
        self.sub = Subscriber(self.stack, self.key, topic="v3/app1/devices/+/down/+")
        self.addCleanup(self.sub.close)

    def device(self, *flags):
        """A device with a session, which sends nothing: what is queued stays where it can be looked at."""
        type(self).serial += 1
        name = "dev%d" % self.serial
        d = Device(dev_addr=int.from_bytes(os.urandom(3), "big"), nwk_s_key=os.urandom(16), app_s_key=os.urandom(16))
        self.stack.create_abp(d, "app1", name, *flags)
        return name

    def push(self, name, *items, how="push"):
        self.sub.publish("v3/app1/devices/%s/down/%s" % (name, how), {"downlinks": list(items)})

    def queued(self, name, n=1):
        return self.sub.wait("/%s/down/queued" % name, n, 60)["downlink_queued"]

    def failed(self, name, n=1):
        return self.sub.wait("/%s/down/failed" % name, n, 60)["downlink_failed"]

    def listed(self, name):
        return self.stack.cli("end-devices", "downlink", "list", "app1", name)

    def scripted(self, script=SCRIPT, *flags):
        return self.device(*flags, "--formatters.down-formatter", "FORMATTER_JAVASCRIPT", "--formatters.down-formatter-parameter", script)

    def http(self, method, path, body=None):
        """@return status, answer"""
        host, port = self.stack.address("as.http")
        with open(os.path.join(self.stack.state, "admin.key")) as f:
            key = f.read().strip()
        rq = urllib.request.Request("http://%s:%d/api/v3/%s" % (host, port, path), json.dumps(body).encode() if body is not None else None,
                                    {"Authorization": "Bearer " + key, "Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(rq, timeout=60) as r:
                return r.status, json.loads(r.read())
        except urllib.error.HTTPError as e:
            return e.code, json.loads(e.read())

    def http_push(self, name, *items, how="push"):
        return self.http("POST", "as/applications/app1/devices/%s/down/%s" % (name, how), {"downlinks": list(items)})


class Encoders(Case):
    def test_cayenne_makes_octets_of_values_and_values_of_octets(self):
        name = self.device("--formatters.down-formatter", "FORMATTER_CAYENNELPP")
        self.push(name, {"f_port": 7, "decoded_payload": {"value_3": 27.5}, "confirmed": True, "priority": "HIGH", "correlation_ids": ["mine"]})
        first = self.queued(name)
        # Cayenne's format for actuators: channel, value in hundredths as two octets.
        self.assertEqual(base64.b64decode(first["frm_payload"]), bytes([3, 0x0A, 0xBE]))
        self.assertEqual((first["f_port"], first["decoded_payload"], first["confirmed"], first["priority"]), (7, {"value_3": 27.5}, True, "HIGH"))
        self.assertEqual(list(first)[:4], ["f_port", "frm_payload", "decoded_payload", "confirmed"])
        self.push(name, {"f_port": 7, "frm_payload": base64.b64encode(bytes([3, 0x0A, 0xBE])).decode()})
        self.assertEqual(self.queued(name, 2)["decoded_payload"], {"value_3": 27.5})
        self.assertEqual([i["decoded_payload"] for i in self.listed(name)], [{"value_3": 27.5}] * 2)
        self.push(name, {"f_port": 7, "decoded_payload": {"x": 1}, "correlation_ids": ["mine"]}, {"decoded_payload": {"value_1": 1}})
        wrong = self.failed(name)
        self.assertEqual(wrong["error"]["name"], "encoder_failed")
        self.assertEqual((wrong["downlink"]["f_port"], wrong["downlink"]["decoded_payload"]), (7, {"x": 1}))
        self.assertEqual(self.failed(name, 2)["error"]["name"], "no_f_port")
        self.push(name, {"f_port": 7, "decoded_payload": [1]}, {"f_port": 7, "decoded_payload": {"x": "y" * 20000}})
        self.assertEqual([self.failed(name, n)["error"]["name"] for n in (3, 4)], ["invalid_decoded_payload"] * 2)

    def test_who_has_no_encoder_is_told_which(self):
        for kind, words in (("FORMATTER_NONE", "the device has no downlink formatter"), ("FORMATTER_REPOSITORY", "no device repository"),
                            ("FORMATTER_GRPC_SERVICE", "FORMATTER_GRPC_SERVICE is not served")):
            name = self.device("--formatters.down-formatter", kind)
            self.push(name, {"f_port": 7, "decoded_payload": {"x": 1}})
            error = self.failed(name)["error"]
            self.assertEqual(error["name"], "no_encoder")
            self.assertIn(words, error["attributes"]["reason"])
            self.push(name, {"f_port": 7, "frm_payload": "AQ==", "decoded_payload": {"x": 1}})
            self.assertEqual(self.queued(name)["frm_payload"], "AQ==")

    def test_a_script_makes_octets_of_values_and_values_of_octets(self):
        name = self.scripted()
        self.push(name, {"f_port": 7, "decoded_payload": {"bytes": [1, 2]}, "confirmed": True, "correlation_ids": ["mine"]})
        first = self.queued(name)
        self.assertEqual((first["f_port"], first["frm_payload"], first["decoded_payload"]), (7, "AQI=", {"bytes": [1, 2]}))
        self.assertIn("mine", first["correlation_ids"])
        self.push(name, {"f_port": 7, "decoded_payload": {"bytes": [3], "port": 9, "warnings": ["late", "dim"]}})
        second = self.queued(name, 2)
        self.assertEqual((second["f_port"], second["frm_payload"], second["decoded_payload_warnings"]), (9, "Aw==", ["late", "dim"]))
        self.push(name, {"decoded_payload": {"bytes": []}})  # no f_port, no octets
        third = self.queued(name, 3)
        self.assertEqual((third["f_port"], third.get("frm_payload")), (1, None))
        self.push(name, {"f_port": 7, "frm_payload": "AQID"})
        fourth = self.queued(name, 4)
        self.assertEqual((fourth["decoded_payload"], fourth["decoded_payload_warnings"]), ({"bytes": [1, 2, 3], "at": 7}, ["long"]))
        self.push(name, {"f_port": 7, "frm_payload": "/w=="})  # the script throws: it is queued all the same
        self.assertNotIn("decoded_payload", self.queued(name, 5))
        self.assertEqual([i.get("decoded_payload") for i in self.listed(name)],
                         [{"bytes": [1, 2]}, {"bytes": [3], "port": 9, "warnings": ["late", "dim"]}, {"bytes": []}, {"bytes": [1, 2, 3], "at": 7}, None])
        older = self.scripted(OLDER)
        self.push(older, {"f_port": 5, "decoded_payload": {"led": True}})
        self.assertEqual(self.queued(older)["frm_payload"], base64.b64encode(bytes([5, 1])).decode())

    def test_an_encoder_that_fails_says_why_and_where(self):
        name = self.scripted()
        rows = (({"no": "door is open"}, "encoder_failed", "door is open", 5), ({"errors": ["too hot", "too wet"]}, "encoder_failed", "too hot, too wet", None),
                ({"bytes": [1] * 243}, "payload_too_long", None, None), ({"bytes": [1], "port": 234}, "invalid_f_port", None, None),
                ({"bytes": [256]}, "encoder_failed", None, None), ({"hang": True}, "encoder_failed", None, None))
        for n, (values, error, words, line) in enumerate(rows, 1):
            self.push(name, {"f_port": 7, "decoded_payload": values, "correlation_ids": ["mine"]})
            failed = self.failed(name, n)
            self.assertEqual(failed["error"]["name"], error, values)
            self.assertEqual(failed["downlink"]["decoded_payload"], values)
            self.assertIn("mine", failed["downlink"]["correlation_ids"])
            if words:
                self.assertIn(words, failed["error"]["attributes"]["reason"])
            if line:
                self.assertEqual(failed["error"]["attributes"]["line"], line)
        events = self.stack.cli("events", "--application-id", "app1", "--device-id", name)
        self.assertIn("as.down.data.encode.fail", [e["name"] for e in events])
        self.assertIn("door is open", str([e.get("data") for e in events if e["name"] == "as.down.data.encode.fail"]))

    def test_who_asks_by_http_has_the_result_as_its_answer(self):
        name = self.scripted()
        self.assertEqual(self.http_push(name, {"f_port": 7, "decoded_payload": {"bytes": [1]}}), (200, {}))
        self.assertEqual(len(self.listed(name)), 1)  # at once
        status, answer = self.http_push(name, {"f_port": 7, "decoded_payload": {"no": "door is open"}})
        self.assertEqual(status, 400)
        self.assertIn("door is open", answer["message"])
        status, answer = self.http_push(name, {"f_port": 7, "decoded_payload": {"bytes": [2]}}, {"f_port": 7, "decoded_payload": {"errors": ["no"]}})
        self.assertIn("1 of 2 items refused", answer["message"])
        self.assertEqual(self.http_push(name, {"f_port": 7, "decoded_payload": {"bytes": [3]}}, how="replace"), (200, {}))
        self.assertEqual([i["frm_payload"] for i in self.listed(name)], ["Aw=="])
        self.assertEqual(self.http_push(name, how="replace"), (200, {}))
        self.assertEqual(self.listed(name), [])

    def test_order_is_kept_and_others_do_not_wait(self):
        slow, good = self.scripted(), self.scripted()
        hang = [{"f_port": 7, "decoded_payload": {"hang": True}}] * 3
        self.push(slow, {"f_port": 7, "frm_payload": "AA=="}, *hang, {"f_port": 7, "decoded_payload": {"bytes": [1]}})
        self.push(slow, {"f_port": 7, "frm_payload": "Ag=="})  # waits behind them
        self.push(good, {"f_port": 7, "decoded_payload": {"bytes": [9]}})
        self.assertEqual(self.queued(good)["frm_payload"], "CQ==")
        self.assertEqual([self.queued(slow, n)["frm_payload"] for n in (1, 2, 3)], ["AA==", "AQ==", "Ag=="])
        self.assertEqual(self.failed(slow, 3)["error"]["name"], "encoder_failed")
        self.push(slow, hang[0], {"f_port": 7, "decoded_payload": {"bytes": [3]}}, how="replace")
        self.push(slow, {"f_port": 7, "frm_payload": "BA=="})
        self.queued(slow, 5)
        self.assertEqual([i["frm_payload"] for i in self.listed(slow)], ["Aw==", "BA=="])

    def test_a_request_of_thousands_of_items_keeps_its_order(self):
        name = self.scripted()
        self.push(name, *({"f_port": 7, "decoded_payload": {"bytes": [n >> 8, n & 255]}} for n in range(1500)))
        self.queued(name, 1500)
        items = [base64.b64decode(i["frm_payload"]) for i in self.listed(name)]
        self.assertEqual(items, [n.to_bytes(2, "big") for n in range(1500)])

    def test_a_device_that_is_deleted_meanwhile_takes_its_pushes_along(self):
        name = self.scripted()
        self.push(name, *[{"f_port": 7, "decoded_payload": {"hang": True}}] * 30)
        self.stack.cli("end-devices", "delete", "app1", name)
        again = self.scripted()
        self.push(again, {"f_port": 7, "decoded_payload": {"bytes": [1]}})
        self.assertEqual(self.queued(again)["frm_payload"], "AQ==")

    def test_a_group_has_an_encoder_too(self):
        group = self.scripted(SCRIPT, "--multicast", "--supports-class-c")
        self.push(group, {"f_port": 7, "decoded_payload": {"bytes": [1]}}, {"f_port": 7, "decoded_payload": {"bytes": [1]}, "confirmed": True})
        self.assertEqual(self.queued(group)["frm_payload"], "AQ==")
        names = {self.failed(group, n)["error"]["name"] for n in (1, 2)}  # one as it is queued, one as its turn comes
        self.assertEqual(names, {"no_downlink_path", "confirmed_multicast_downlink"})

    def test_what_was_acknowledged_is_queued_once_though_the_server_is_killed(self):
        for qos in (1, 2):
            name = self.scripted()
            sub = Subscriber(self.stack, self.key, topic="v3/app1/devices/+/down/+")
            self.addCleanup(sub.close)
            hang = {"f_port": 7, "decoded_payload": {"hang": True}}
            for n in range(3):
                sub.publish("v3/app1/devices/%s/down/push" % name, {"downlinks": [hang, {"f_port": 7, "decoded_payload": {"bytes": [n]}}]}, qos)
            os.kill(self.stack.pid("as"), signal.SIGKILL)
            end = time.monotonic() + 120
            items = []
            while time.monotonic() < end and len(items) < 3:
                time.sleep(0.2)
                try:
                    items = self.listed(name)
                except Exception:  # it is not there again yet
                    continue
            self.assertEqual([base64.b64decode(i["frm_payload"])[0] for i in items], list(range(3)))


class Bounds(Case):
    settings = ("--as.formatter-messages=2",)

    def test_who_pushes_more_than_may_wait_is_refused(self):
        name = self.scripted()
        hang = {"f_port": 7, "decoded_payload": {"hang": True}}
        self.push(name, *[hang] * 20)  # two seconds of the script
        for _ in range(2):
            self.push(name, {"f_port": 7, "decoded_payload": {"bytes": [1]}})
        busy = self.failed(name)["error"]
        self.assertEqual((busy["name"], busy["code"]), ("formatter_busy", 8))
        status, answer = self.http_push(name, {"f_port": 7, "decoded_payload": {"bytes": [1]}})
        self.assertEqual(status, 429)
        self.assertIn("too many downlinks wait", answer["message"])
        self.queued(name)  # the one that was taken

    def test_who_asks_by_http_may_go_and_so_may_the_server(self):
        name = self.scripted()
        hang = {"f_port": 7, "decoded_payload": {"hang": True}}
        body = json.dumps({"downlinks": [hang] * 6 + [{"f_port": 7, "decoded_payload": {"bytes": [1]}}]})
        with open(os.path.join(self.stack.state, "admin.key")) as f:
            key = f.read().strip()
        with socket.create_connection(self.stack.address("as.http")) as s:
            s.sendall(("POST /api/v3/as/applications/app1/devices/%s/down/push HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
                       "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (name, key, len(body), body)).encode())
            s.settimeout(0.4)
            try:
                s.recv(1)
            except socket.timeout:
                pass  # it waits for its answer, and no longer
        self.assertEqual(self.queued(name)["frm_payload"], "AQ==")

        def ask():
            try:
                self.http_push(name, *[hang] * 8)
            except OSError:
                pass
        threading.Thread(target=ask, daemon=True).start()
        time.sleep(0.1)  # the server ends while this one waits: tearDownClass


if __name__ == "__main__":
    unittest.main()
