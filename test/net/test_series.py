"""What is stored of devices: telemetry and attributes, through the real command line and HTTP, over kill -9, deletion, backup and restore."""
import http.client
import json
import os
import shutil
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway import Gateway  # noqa: E402
from godwit import Stack, Subscriber  # noqa: E402
from lorawan import Device  # noqa: E402
import paho_client  # noqa: E402
from test_api import Server  # noqa: E402

AS = "/api/v3/as/applications/app1/devices/dev1"
HOUR = 3600 * 1000


class OfLorawan(unittest.TestCase):
    def values(self, dev, *flags):
        return self.stack.cli("end-devices", "telemetry", "app1", dev, *flags)

    def test_uplinks_are_kept_as_telemetry_and_come_back_from_a_backup(self):
        folder = tempfile.mkdtemp(prefix="godwit-series-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        self.stack = Stack(start=False).fix_ports().start()
        self.addCleanup(self.stack.close)
        key = self.stack.create_application("app1")
        device = Device(dev_addr=0x01020304, nwk_s_key=os.urandom(16), app_s_key=os.urandom(16))
        self.stack.create_abp(device)
        self.stack.cli("gateways", "create", "gtw1", "--gateway-eui", "AA555A0000000101", "--frequency-plan-id", "EU_863_870")
        gateway = Gateway(self.stack.address("gs.udp"))
        self.addCleanup(gateway.close)
        gateway.wait_path()
        sub = Subscriber(self.stack, key)
        self.addCleanup(sub.close)
        for n in (1, 2):
            gateway.uplink(device.uplink(7, b"x"))
            up = sub.wait("dev2/up", n)["uplink_message"]
        told = self.values("dev2", "--limit", "1")
        rx, lora = up["rx_metadata"][0], up["settings"]["data_rate"]["lora"]
        self.assertEqual({k: v[0]["value"] for k, v in told.items()}, {
            "rssi": rx["rssi"], "snr": rx["snr"], "frequency": int(up["settings"]["frequency"]), "f_port": 7, "f_cnt": up["f_cnt"],
            "data_rate": "SF%dBW%d" % (lora["spreading_factor"], lora["bandwidth"] // 1000)})
        self.assertEqual(len({v[0]["ts"] for v in told.values()}), 1, "of one uplink there is one time")
        self.assertLess(abs(told["rssi"][0]["ts"] - time.time() * 1000), 600000)
        self.assertEqual([v["value"] for v in self.values("dev2", "--keys", "f_cnt")["f_cnt"]], [up["f_cnt"], up["f_cnt"] - 1])
        self.stack.cli("simulate", "application-uplink", "app1", "dev2", "--f-port", "1", "--decoded-payload",
                       '{"temperature":21.5,"air":{"co2":"0400","dry":true},"list":[1]}')
        told = self.values("dev2", "--latest", "--keys", "temperature,air_co2,air_dry,list,none")
        self.assertEqual({k: v[0]["value"] for k, v in told.items()}, {"temperature": 21.5, "air_co2": "0400", "air_dry": True, "list": [1]})
        self.stack.cli("end-devices", "attributes", "set", "app1", "dev2", "--scope", "server", "--json", '{"floor":3}')
        self.stack.cli("backup", os.path.join(folder, "copy"))
        before = self.values("dev2")
        self.stack.cli("end-devices", "delete", "app1", "dev2")
        self.stack.stop()
        self.stack.run("restore", os.path.join(folder, "copy"))
        self.stack.start()
        self.assertEqual(self.values("dev2"), before)
        self.assertEqual(self.stack.cli("end-devices", "attributes", "get", "app1", "dev2"), {"client": {}, "shared": {}, "server": {"floor": 3}})


class OfIpDevices(unittest.TestCase):
    def test_what_a_device_says_over_mqtt_is_stored(self):
        stack = Stack()
        self.addCleanup(stack.close)
        key = stack.create_application("app1")
        token = stack.cli("end-devices", "create", "app1", "meter")["credentials"]["access_token"]
        sub = Subscriber(stack, key)
        self.addCleanup(sub.close)
        device = paho_client.client()
        device.username_pw_set(token)
        device.connect(*stack.address("as.mqtt"))
        device.loop_start()
        self.addCleanup(device.loop_stop)
        for body in ('{temperature:25}', '{"ts":1451649600512,"values":{"temperature":"24.5","on":true}}', '[{"key1":"value1"},{"key2":true}]'):
            device.publish("v1/devices/me/telemetry", body, 1).wait_for_publish(10)
        sub.wait("meter/up", 3)
        told = stack.cli("end-devices", "telemetry", "app1", "meter")
        self.assertEqual({k: [v["value"] for v in values] for k, values in told.items()},
                         {"temperature": [25, 24.5], "on": [True], "key1": ["value1"], "key2": [True]})
        self.assertEqual([v["ts"] for v in told["on"]], [1451649600512])
        rows = stack.run("end-devices", "telemetry", "app1", "meter", "--keys", "on", "--table").stdout.split("\n")
        self.assertEqual(rows, ["KEY  TIME (UTC)               VALUE", "on   2016-01-01 12:00:00.512  true", ""])


class OverHttp(unittest.TestCase):
    def setUp(self):
        self.server = Server().start()
        self.addCleanup(lambda: self.server.close())
        self.ok("POST", "/api/v3/applications", {"ids": {"application_id": "app1"}})
        self.create()

    def create(self):
        self.ok("POST", "/api/v3/applications/app1/devices", {"ids": {"device_id": "dev1"}})

    def ask(self, method, path, body=None, key=None):
        c = http.client.HTTPConnection(self.server.address, timeout=30)
        self.addCleanup(c.close)
        c.request(method, path, body if body is None or isinstance(body, str) else json.dumps(body),
                  {"Authorization": "Bearer " + (key or self.server.admin)})
        r = c.getresponse()
        return r.status, json.loads(r.read())

    def ok(self, method, path, body=None, key=None):
        status, answer = self.ask(method, path, body, key)
        self.assertEqual(status, 200, answer)
        return answer

    def refused(self, expect, method, path, body=None, key=None):
        status, answer = self.ask(method, path, body, key)
        self.assertEqual(status, expect, answer)
        return answer["message"]

    def values(self, query=""):
        return self.ok("GET", AS + "/telemetry" + query)

    def test_values_are_said_and_asked_for(self):
        self.assertEqual(self.values(), {})
        self.ok("POST", AS + "/telemetry", [{"ts": n * HOUR, "values": {"t": n / 2, "n": n, "word": "w%d" % (n % 2)}} for n in range(1, 301)])
        self.ok("POST", AS + "/telemetry", "{ts:1800000,values:{t:0.1,on:true}}")
        self.ok("POST", AS + "/telemetry", {"n": 7, "json": {"a": [1, 2]}})
        all_n = self.values("?keys=n&limit=0")["n"]
        self.assertEqual(len(all_n), 301)
        self.assertEqual([v["value"] for v in all_n], [7] + list(range(300, 0, -1)))
        self.assertEqual(len(self.values()["n"]), 100, "without a limit, the newest hundred")
        self.assertEqual(self.values("?keys=t&to=%d" % (2 * HOUR)), {"t": [{"ts": HOUR, "value": 0.5}, {"ts": HOUR // 2, "value": 0.1}]})
        self.assertEqual(self.values("?keys=t,on&from=1970-01-01T00:30:00Z&to=1970-01-01T01:00:00Z"),
                         {"t": [{"ts": HOUR // 2, "value": 0.1}], "on": [{"ts": HOUR // 2, "value": True}]})
        day = "?keys=n&from=0&to=%d&interval=1d&limit=0&aggregate=" % (240 * HOUR)
        whole = [list(range(max(1, 24 * d), 24 * d + 24)) for d in range(9, -1, -1)]
        for name, of in (("min", min), ("max", max), ("sum", sum), ("count", len), ("avg", lambda v: sum(v) / len(v))):
            self.assertEqual(self.values(day + name)["n"], [{"ts": 24 * HOUR * (9 - i), "value": of(v)} for i, v in enumerate(whole)], name)
        self.assertEqual(self.values("?keys=word&aggregate=count&from=3600000&to=36000000"), {"word": [{"ts": HOUR, "value": 9}]})
        latest = self.values("?latest=true")
        self.assertEqual({k: v[0]["value"] for k, v in latest.items()}, {"t": 150.0, "n": 7, "word": "w0", "on": True, "json": {"a": [1, 2]}})
        for query, field in (("from=soon", "from"), ("to=-1", "to"), ("limit=x", "limit"), ("aggregate=median", "aggregate"), ("interval=0", "interval")):
            self.assertIn(field, self.refused(400, "GET", AS + "/telemetry?" + query))
        self.assertIn("not JSON", self.refused(400, "POST", AS + "/telemetry", "{"))
        self.refused(404, "GET", AS.replace("dev1", "dev9") + "/telemetry")
        # All that was answered is on disk.
        self.server.kill()
        self.server.start()
        self.assertEqual(self.values("?keys=n&limit=0")["n"], all_n)
        # A device that is deleted leaves nothing to the next of its name.
        self.ok("DELETE", "/api/v3/applications/app1/devices/dev1")
        self.create()
        self.assertEqual(self.values(), {})
        self.assertEqual(self.values("?latest=true"), {})

    def test_attributes_have_scopes_and_times(self):
        before = int(time.time() * 1000)
        self.assertEqual(self.ok("PUT", AS + "/attributes/shared", {"interval": 60, "name": "0042", "limits": {"t": [1, 2.5]}}),
                         {"interval": 60, "name": "0042", "limits": {"t": [1, 2.5]}})
        self.ok("PUT", AS + "/attributes/SERVER_SCOPE", {"floor": 3})
        self.assertEqual(self.ok("PUT", AS + "/attributes/shared", {"interval": 30, "name": None}),
                         {"interval": 30, "name": "0042", "limits": {"t": [1, 2.5]}})
        self.server.kill()
        self.server.start()
        everything = self.ok("GET", AS + "/attributes")
        self.assertEqual(everything["server"], {"floor": 3})
        self.assertEqual(everything["client"], {})
        times = self.ok("GET", AS + "/attributes/shared?times=true&keys=interval")
        self.assertEqual(list(times), ["interval"])
        self.assertEqual(times["interval"]["value"], 30)
        self.assertGreaterEqual(times["interval"]["ts"], before)
        self.assertEqual(self.ok("DELETE", AS + "/attributes/shared?keys=name,nothing"), {"interval": 30, "limits": {"t": [1, 2.5]}})
        self.assertIn("scope", self.refused(400, "GET", AS + "/attributes/public"))
        self.assertIn("keys", self.refused(400, "DELETE", AS + "/attributes/shared"))
        self.refused(400, "PUT", AS + "/attributes/shared", [1])
        self.assertIn("too many", self.refused(429, "PUT", AS + "/attributes/shared", {"k%d" % n: n for n in range(501)}))
        self.assertEqual(self.ok("GET", AS + "/attributes/shared"), {"interval": 30, "limits": {"t": [1, 2.5]}})
        self.ok("DELETE", "/api/v3/applications/app1/devices/dev1")
        self.create()
        self.assertEqual(self.ok("GET", AS + "/attributes"), {"client": {}, "shared": {}, "server": {}})

    def test_rights_are_asked_for(self):
        def key(*rights):
            return self.ok("POST", "/api/v3/applications/app1/api-keys", {"name": "k", "rights": ["RIGHT_APPLICATION_" + r for r in rights]})["key"]
        reader, writer = key("TRAFFIC_READ"), key("TRAFFIC_UP_WRITE", "DEVICES_WRITE")
        for method, path, body, may in (("GET", "/telemetry", None, reader), ("POST", "/telemetry", {"a": 1}, writer),
                                        ("PUT", "/attributes/shared", {"a": 1}, writer), ("DELETE", "/attributes/shared?keys=a", None, writer),
                                        ("GET", "/attributes", None, key("DEVICES_READ"))):
            self.ok(method, AS + path, body, may)
            for other in {reader, writer} - {may}:
                self.refused(403, method, AS + path, body, other)


class Bounds(unittest.TestCase):
    def test_old_values_go_and_keys_that_are_too_many_are_left_out(self):
        server = Server("--as.telemetry-age=1h", "--as.telemetry-keys=3", "--as.telemetry-device-size=64KiB").start()
        self.addCleanup(server.close)
        http_ = OverHttp("ask")
        http_.server = server
        self.addCleanup(http_.doCleanups)
        http_.ok("POST", "/api/v3/applications", {"ids": {"application_id": "app1"}})
        http_.create()
        now = int(time.time() * 1000)
        old = [{"ts": now - 2 * HOUR - n, "values": {"a": n * 7919 % 1000}} for n in range(3000)]
        http_.ok("POST", AS + "/telemetry", old)
        http_.ok("POST", AS + "/telemetry", {"b": 1, "c": 2, "d": 3})
        self.assertEqual(set(http_.values()) | {"a"}, {"a", "b", "c"})
        # Whole chunks go, so that a few of the old values stay beside the new ones.
        end = time.monotonic() + 30
        while len(http_.values("?keys=a&limit=0").get("a", [])) > 1500 and time.monotonic() < end:
            time.sleep(0.2)
        self.assertLess(len(http_.values("?keys=a&limit=0").get("a", [])), 1500)
        self.assertEqual(len(http_.values("?latest=true")), 3, "the newest value of each key stays")


if __name__ == "__main__":
    unittest.main()
