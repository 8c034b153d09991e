"""Payload formatters on the way up: what devices send is decoded, in order, and never lost for it."""
import json
import os
import signal
import sys
import time
import unittest
import urllib.request

sys.path.insert(0, os.path.dirname(__file__))
from gateway import Gateway  # noqa: E402
from godwit import Stack, Subscriber  # noqa: E402
from lorawan import Device  # noqa: E402

GPS = bytes.fromhex("018806765ff2960a0003e8")  # of Cayenne's own documentation: channel 1, 42.3519 -87.9094 10 m
PLACE = {"latitude": 42.3519, "longitude": -87.9094, "altitude": 10, "source": "SOURCE_GPS"}
SCRIPT = """function decodeUplink(input) {
  var data = { n: input.bytes[0], port: input.fPort, recent: Math.abs(Date.now() - input.recvTime.getTime()) < 60000 };
  if (input.fPort === 7)
    throw new TypeError("seven");
  if (input.fPort === 8)
    return { errors: ["one", "two"] };
  return { data: data, warnings: input.fPort === 9 ? ["nine"] : [] };
}"""
NORMALIZING = """function decodeUplink(input) { return { data: { t: input.bytes[0] } }; }
function normalizeUplink(input) {
  return { data: [{ air: { temperature: input.data.t } }, { air: { relativeHumidity: 50 } }], warnings: ["rough"] };
}"""
# It takes its time, of which 100 ms of the processor are allowed; the payload says how much of the clock's.
SLOW = """function decodeUplink(input) {
  var end = Date.now() + input.fPort;
  while (Date.now() < end);
  return { data: { n: input.bytes[0] } };
}"""
HANGING = "function decodeUplink() { while (true); }"


class Case(unittest.TestCase):
    settings = ()

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(*cls.settings, start=False).fix_ports().start()
        cls.key = cls.stack.create_application("app1")
        cls.gateway = Gateway(cls.stack.address("gs.udp"), eui=0xAA555A0000000111)
        cls.gateway.wait_path()

    @classmethod
    def tearDownClass(cls):
        cls.gateway.close()
        cls.stack.close()

    def setUp(self):
        self.dev = "d-" + self._testMethodName[5:].replace("_", "-")[:30].strip("-")
        self.sub = Subscriber(self.stack, self.key, topic="v3/app1/devices/+/#", qos=2, client_id=self.dev, clean=False)
        self.addCleanup(self.sub.close)

    def device(self, formatter=None, script=None, dev=None, app="app1"):
        device = Device(dev_addr=int.from_bytes(os.urandom(3), "big"), nwk_s_key=os.urandom(16), app_s_key=os.urandom(16))
        self.stack.create_abp(device, app, dev or self.dev)
        if formatter or script:
            self.set(script, formatter or "FORMATTER_JAVASCRIPT", dev, app)
        return device

    def set(self, script=None, formatter="FORMATTER_JAVASCRIPT", dev=None, app="app1"):
        self.stack.cli("end-devices", "update", app, dev or self.dev, "--formatters.up-formatter", formatter,
                       *(("--formatters.up-formatter-parameter", script) if script else ()))

    def up(self, device, port=None, payload=b"\0"):
        self.gateway.uplink(device.uplink(port, payload) if port else device.uplink())

    def many(self, device, port, n, first=0):
        """Uplinks at once, each with its number."""
        for i in range(first, first + n):
            self.up(device, port, bytes([i]))

    def wait(self, suffix, n=1, dev=None, timeout=30):
        return self.sub.wait((dev or self.dev) + "/" + suffix, n, timeout)

    def message(self, n=1, dev=None):
        return self.wait("up", n, dev)["uplink_message"]

    def ups(self, n):
        """The first n uplinks, as they came."""
        self.wait("up", n)
        with self.sub.changed:
            return [m["uplink_message"] for topic, m in self.sub.messages if topic.endswith("/" + self.dev + "/up")]

    def events(self, name, dev=None, n=1):
        """What was told of a name, once it is so many times."""
        end = time.monotonic() + 20
        while True:
            found = [e["data"] for e in self.stack.cli("events", "--application-id", "app1", "--device-id", dev or self.dev) if e["name"] == name]
            if len(found) >= n or time.monotonic() > end:
                return found
            time.sleep(0.1)

    def check_order(self, ups, n):
        """All have come, once, in the order in which they were sent."""
        self.assertEqual([m.get("f_cnt", 0) for m in ups], list(range(n)))


class Cayenne(Case):
    def test_cayennelpp_is_decoded_at_once(self):
        device = self.device("FORMATTER_CAYENNELPP")
        self.up(device, 1, bytes.fromhex("03670110056700ff"))  # Cayenne's: 27.2 and 25.5 degrees
        self.assertEqual(self.message()["decoded_payload"], {"temperature_3": 27.2, "temperature_5": 25.5})
        self.up(device, 1, bytes.fromhex("0367011005"))
        self.assertNotIn("decoded_payload", self.message(2))
        failed = self.events("as.up.data.decode.fail")[-1]
        self.assertEqual((failed["reason"], failed["f_cnt"], failed["f_port"]), ("cayenne", 1, 1))
        self.assertIn("octet", failed["message"])

    def test_a_location_that_somebody_made_up_is_published_and_not_kept(self):
        self.device("FORMATTER_CAYENNELPP")
        self.stack.cli("simulate", "application-uplink", "app1", self.dev, "--f-port", "1", "--frm-payload-hex", GPS.hex())
        solved = self.wait("location/solved")
        self.assertTrue(solved["simulated"])
        self.assertEqual({k: solved["location_solved"]["location"].get(k) for k in PLACE}, PLACE)
        self.assertNotIn("locations", self.stack.cli("end-devices", "get", "app1", self.dev))

    def test_a_location_in_the_payload_is_solved_and_kept(self):
        device = self.device("FORMATTER_CAYENNELPP")
        self.up(device, 1, GPS)
        solved = self.wait("location/solved")
        self.assertEqual(solved["location_solved"]["service"], "frm-payload")
        self.assertEqual({k: solved["location_solved"]["location"].get(k) for k in PLACE}, PLACE)
        self.assertEqual(solved["correlation_ids"], self.wait("up")["correlation_ids"])
        self.up(device, 1, bytes.fromhex("03670110"))
        self.assertEqual(self.message(2)["locations"]["frm-payload"], PLACE)
        self.assertEqual(self.stack.cli("end-devices", "get", "app1", self.dev)["locations"], {"frm-payload": PLACE})
        self.assertEqual(len(self.events("as.up.location.forward")), 1)
        # It is kept apart from the record: a crash does not lose it, and a change of the record takes it over.
        self.stack.kill()
        self.stack.start()
        self.assertEqual(self.stack.cli("end-devices", "get", "app1", self.dev)["locations"], {"frm-payload": PLACE})
        self.stack.cli("end-devices", "update", "app1", self.dev, "--name", "n")
        self.stack.kill()
        self.stack.start()
        self.assertEqual(self.stack.cli("end-devices", "get", "app1", self.dev)["locations"], {"frm-payload": PLACE})

    def test_what_does_not_run_here_is_said_once(self):
        device = self.device("FORMATTER_REPOSITORY")
        self.up(device, 1)
        self.up(device, 1)
        self.assertNotIn("decoded_payload", self.message(2))
        self.assertEqual([e["reason"] for e in self.events("as.up.data.decode.fail")], ["repository"])
        findings = self.stack.cli("why", "app1", self.dev)
        self.assertIn("heard_unserved", [f["finding"] for f in findings])


class Script(Case):
    settings = ("--as.formatter-messages=12",)

    def test_a_script_decodes(self):
        device = self.device(script=SCRIPT)
        self.up(device, 5, b"\x2a")
        self.assertEqual(self.message()["decoded_payload"], {"n": 42, "port": 5, "recent": True})
        self.assertNotIn("decoded_payload_warnings", self.message())
        self.up(device, 9)
        self.assertEqual(self.message(2)["decoded_payload_warnings"], ["nine"])
        self.assertEqual(self.events("as.up.data.decode.warning")[-1]["warnings"], ["nine"])
        self.up(device)  # nothing that could be decoded
        self.assertNotIn("decoded_payload", self.message(3))
        values = self.stack.cli("end-devices", "telemetry", "app1", self.dev)
        self.assertIn("n", json.dumps(values))

    def test_a_script_that_fails_loses_nothing(self):
        device = self.device(script=SCRIPT)
        for n, (port, reason, line, words) in enumerate(((7, "threw", 4, "seven"), (8, "errors", None, "one, two")), 1):
            self.up(device, port, b"\1\2")
            self.assertEqual(self.message(n)["frm_payload"], "AQI=")
            self.assertNotIn("decoded_payload", self.message(n))
            told = self.events("as.up.data.decode.fail", n=n)[-1]
            self.assertEqual((told["reason"], told.get("line"), told["f_port"]), (reason, line, port))
            self.assertIn(words, told["message"])
        findings = {f["finding"]: f for f in self.stack.cli("why", "app1", self.dev)}
        self.assertIn("one, two", findings["heard_undecoded"]["answer"])

    def test_measurements_are_published(self):
        device = self.device(script=NORMALIZING)
        alone = Subscriber(self.stack, self.key, topic="v3/app1/devices/+/up/normalized")
        self.addCleanup(alone.close)
        self.up(device, 1, b"\x15")
        first, second = self.wait("up/normalized"), self.wait("up/normalized", 2)
        self.assertEqual(first["uplink_normalized"]["normalized_payload"], {"air": {"temperature": 21}})
        self.assertEqual(second["uplink_normalized"]["normalized_payload"], {"air": {"relativeHumidity": 50}})
        self.assertEqual(first["uplink_normalized"]["normalized_payload_warnings"], ["rough"])
        up = self.message()
        self.assertEqual(up["normalized_payload"], [{"air": {"temperature": 21}}, {"air": {"relativeHumidity": 50}}])
        self.assertEqual(first["correlation_ids"], self.wait("up")["correlation_ids"])
        self.assertEqual([alone.wait("/up/normalized", n) for n in (1, 2)], [first, second])

    def test_a_hanging_script_is_its_own_devices_affair(self):
        other = self.dev + "-b"
        bad, good = self.device(script=HANGING), self.device(script=SCRIPT, dev=other)
        self.many(bad, 1, 4)
        self.up(good, 1, b"\3")
        self.assertEqual(self.message(dev=other)["decoded_payload"]["n"], 3)
        ups = self.ups(4)
        self.check_order(ups, 4)
        self.assertFalse([m for m in ups if "decoded_payload" in m])
        self.assertEqual({e["reason"] for e in self.events("as.up.data.decode.fail", n=4)}, {"timeout"})

    def test_too_many_go_out_undecoded(self):
        device = self.device(script=SLOW)
        self.many(device, 80, 40)
        ups = self.ups(40)
        self.check_order(ups, 40)
        told = [e["reason"] for e in self.events("as.up.data.decode.fail")]
        self.assertIn("too_many_wait", told)
        self.assertEqual(sum("decoded_payload" not in m for m in ups), len(told))
        self.assertEqual(ups[-1]["decoded_payload"], {"n": 39})

    def test_the_formatter_may_change_while_some_wait(self):
        device = self.device(script=HANGING)  # each takes 100 ms of the processor's time, so that a busy machine gives the change its time too
        self.many(device, 1, 12)
        self.message(1)
        self.set(SCRIPT)
        ups = self.ups(12)
        self.check_order(ups, 12)
        self.assertNotIn("decoded_payload", ups[0])
        self.assertEqual(ups[-1]["decoded_payload"]["n"], 11)

    def test_a_device_that_is_deleted_has_nothing_that_waits(self):
        device = self.device(script=SLOW)
        self.many(device, 80, 12)
        self.message(1)
        self.stack.cli("end-devices", "delete", "app1", self.dev)
        again = self.device(script=SCRIPT, dev=self.dev + "-b")
        self.up(again, 1, b"\5")
        self.assertEqual(self.message(dev=self.dev + "-b")["decoded_payload"]["n"], 5)

    def test_an_application_without_a_link_gets_what_was_decoded(self):
        key = self.stack.create_application("app2")
        sub = Subscriber(self.stack, key, app="app2")
        self.addCleanup(sub.close)
        device = self.device(script=SLOW, app="app2")
        self.stack.cli("applications", "link", "delete", "app2")
        self.many(device, 30, 5)
        end = time.monotonic() + 20
        while len([e for e in self.stack.cli("events", "--application-id", "app2") if e["name"] == "as.up.data.wait"]) < 5:
            self.assertLess(time.monotonic(), end, "they are decoded and wait")
            time.sleep(0.2)
        self.assertEqual(sub.count("/up"), 0)
        self.stack.cli("applications", "link", "set", "app2")
        for n in range(5):
            self.assertEqual(sub.wait("/up", n + 1)["uplink_message"]["decoded_payload"], {"n": n})

    def test_a_simulated_uplink_takes_its_turn(self):
        device = self.device(script=SLOW)
        self.many(device, 80, 3)
        url = "http://%s:%d/api/v3/as/applications/app1/devices/%s/up/simulate" % (*self.stack.address("as.http"), self.dev)
        with open(os.path.join(self.stack.state, "admin.key")) as f:
            admin = f.read().strip()
        self.message(1)
        for more in ({}, {"decoded_payload": {"given": True}}):
            body = {"uplink_message": {"f_port": 1, "f_cnt": 99, "frm_payload": "Bw==", **more}}
            request = urllib.request.Request(url, json.dumps(body).encode(), {"Authorization": "Bearer " + admin, "Content-Type": "application/json"})
            urllib.request.urlopen(request).read()
        ups = self.ups(5)
        self.assertEqual([m["decoded_payload"] for m in ups], [{"n": 0}, {"n": 1}, {"n": 2}, {"n": 7}, {"given": True}])


class Crash(Case):
    def children(self):
        pid = self.stack.pid("as")
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(p) for p in f.read().split()]

    def test_a_crash_neither_loses_nor_doubles(self):
        n, device = 24, self.device(script=SLOW)
        self.many(device, 60, n)
        self.message(3)
        os.kill(self.stack.pid("as"), signal.SIGKILL)
        ups = self.ups(n)
        self.check_order(ups, n)
        self.assertEqual([m.get("decoded_payload") for m in ups], [{"n": i} for i in range(n)])

    def test_a_script_process_that_is_killed_costs_one_message_at_most(self):
        n, device = 12, self.device(script=SLOW)
        self.many(device, 60, n)
        self.message(2)
        for pid in self.children():
            os.kill(pid, signal.SIGKILL)
        ups = self.ups(n)
        self.check_order(ups, n)
        self.assertLessEqual(sum("decoded_payload" not in m for m in ups), 1)
        self.assertEqual(ups[-1]["decoded_payload"], {"n": n - 1})


if __name__ == "__main__":
    del Case
    unittest.main()
