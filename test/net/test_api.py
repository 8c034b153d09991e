"""The HTTP API of godwit-as alone, over a real socket: The Things Stack's paths, rights, errors, and what a kill -9 leaves."""
import base64
import http.client
import json
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
import unittest

SOURCE = os.environ.get("GODWIT_SOURCE") or os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.environ.get("GODWIT_BUILD") or os.path.join(SOURCE, "build")
KEY = "000102030405060708090A0B0C0D0E0F"
OTHER_KEY = "F0E0D0C0B0A090807060504030201000"


class Server:
    def __init__(self, *settings):
        self.state = tempfile.mkdtemp(prefix="godwit-api-")
        self.settings = settings
        self.process = None

    def start(self):
        env = {k: v for k, v in os.environ.items() if not k.startswith("GODWIT_")}
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "godwit-as"), "--state-dir", self.state, "--as.http-listen=127.0.0.1:0",
             "--as.mqtt-listen=127.0.0.1:0", "--as.https-listen=127.0.0.1:0", *self.settings], stderr=subprocess.PIPE, text=True, env=env)
        self.lines = []
        ready = threading.Event()

        def read(pipe):
            for line in pipe:
                self.lines.append(line)
                if "msg=ready" in line:
                    ready.set()
            ready.set()
        self.reader = threading.Thread(target=read, args=(self.process.stderr,), daemon=True)
        self.reader.start()
        if not ready.wait(20) or not any("msg=ready" in line for line in self.lines):
            raise AssertionError("not ready: %s" % "".join(self.lines))
        with open(os.path.join(self.state, "addresses.json")) as f:
            self.address = json.load(f)["as.http"]
        with open(os.path.join(self.state, "admin.key")) as f:
            self.admin = f.read().strip()
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(10)
        self.process.stderr.close()
        if status:
            raise AssertionError("ended with %d: %s" % (status, "".join(self.lines)))

    def close(self):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.state, ignore_errors=True)

    def ask(self, method, path, body=None, key=None, raw=False):
        """(status, answer)"""
        c = http.client.HTTPConnection(self.address, timeout=15)
        headers = {"Authorization": "Bearer " + (key or self.admin)} if key != "" else {}
        data = body if raw or body is None else json.dumps(body)
        c.request(method, path if path.startswith("/") and not path.startswith("/a/") else "/api/v3" + path[2:], data, headers)
        r = c.getresponse()
        text = r.read().decode()
        c.close()
        try:
            return r.status, json.loads(text)
        except ValueError:
            return r.status, text


def otaa(device, eui="70B3D57ED0051234", **more):
    return {"end_device": {"ids": {"device_id": device, "dev_eui": eui, "join_eui": "0000000000000001"},
                           "lorawan_version": "MAC_V1_0_3", "lorawan_phy_version": "PHY_V1_0_3_REV_A",
                           "frequency_plan_id": "EU_863_870", "supports_join": True,
                           "root_keys": {"app_key": {"key": KEY}}, **more}}


def abp(device, addr="01DA1F15", **more):
    return {"end_device": {"ids": {"device_id": device}, "lorawan_version": "1.0.3", "frequency_plan_id": "EU_863_870",
                           "session": {"dev_addr": addr, "keys": {"f_nwk_s_int_key": {"key": KEY}, "app_s_key": {"key": OTHER_KEY}}},
                           **more}}


class Api(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--as.default-tenant=ttn").start()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def ask(self, method, path, body=None, expect=200, **how):
        status, answer = self.server.ask(method, path, body, **how)
        self.assertEqual(status, expect, answer)
        return answer

    def refuse(self, status, method, path, body=None, **how):
        """The refusal's message; it has the form that is promised."""
        answer = self.ask(method, path, body, expect=status, **how)
        self.assertEqual(sorted(answer), ["code", "details", "message"])
        self.assertIsInstance(answer["code"], int)
        return answer["message"]

    def app(self, name=None):
        name = name or "a-" + self._testMethodName.replace("_", "-")[-32:].strip("-")
        self.ask("POST", "/a/applications", {"application": {"ids": {"application_id": name}}})
        return name

    def key(self, app, *rights, **more):
        return self.ask("POST", "/a/applications/%s/api-keys" % app, {"name": "k", "rights": ["RIGHT_APPLICATION_" + r for r in rights], **more})

    def test_an_application_lives(self):
        made = self.ask("POST", "/a/applications", {"application": {"ids": {"application_id": "life"}, "name": "Näme", "description": "D"}})
        self.assertEqual(made["ids"], {"application_id": "life"})
        self.assertEqual(made["name"], "Näme")
        self.assertRegex(made["created_at"], r"^20\d\d-.*Z$")
        self.assertIn("exists", self.refuse(409, "POST", "/a/applications", {"application": {"ids": {"application_id": "life"}}}))
        self.assertEqual(self.ask("GET", "/a/applications/life"), made)
        changed = self.ask("PUT", "/a/applications/life", {"application": {"name": "Other", "description": "E"}, "field_mask": {"paths": ["name"]}})
        self.assertEqual((changed["name"], changed["description"]), ("Other", "D"))
        self.assertIn("life", [a["ids"]["application_id"] for a in self.ask("GET", "/a/applications")["applications"]])
        self.assertEqual(self.ask("DELETE", "/a/applications/life"), {})
        self.refuse(404, "GET", "/a/applications/life")

    def test_the_object_may_stand_alone(self):
        self.assertEqual(self.ask("POST", "/a/applications", {"ids": {"application_id": "alone"}, "name": "x"})["name"], "x")

    def test_tenants_tell_applications_apart(self):
        self.app("tt1")
        made = self.ask("POST", "/a/applications", {"application": {"ids": {"application_id": "tt1@tenant1"}, "name": "T"}})
        self.assertEqual(made["ids"], {"application_id": "tt1", "tenant_id": "tenant1"})
        self.assertEqual(self.ask("GET", "/a/applications/tt1@tenant1")["name"], "T")
        self.assertNotIn("name", self.ask("GET", "/a/applications/tt1"))
        self.assertNotIn("name", self.ask("GET", "/a/applications/tt1%40ttn"))
        self.refuse(404, "GET", "/a/applications/tt1@tenant2")

    def test_a_device_is_created_in_one_call(self):
        app = self.app()
        made = self.ask("POST", "/a/applications/%s/devices" % app, otaa("dev1", "70B3D57ED0050001", name="N", mac_settings={"rx1_delay": {"value": 5}}))
        self.assertEqual(made["ids"], {"device_id": "dev1", "application_ids": {"application_id": app}, "dev_eui": "70B3D57ED0050001",
                                       "join_eui": "0000000000000001"})
        self.assertEqual(made["root_keys"], {"app_key": {"key": KEY}})
        self.assertEqual(made["lorawan_version"], "MAC_V1_0_3")
        self.assertTrue(made["supports_join"])
        self.assertNotIn("multicast", made)
        self.assertEqual(self.ask("GET", "/a/applications/%s/devices/dev1" % app), made)
        self.assertEqual(self.ask("GET", "/a/js/applications/%s/devices/dev1" % app), made)
        changed = self.ask("PUT", "/a/applications/%s/devices/dev1" % app, {"end_device": {"supports_class_c": True}})
        self.assertTrue(changed["supports_class_c"])
        self.assertEqual(changed["name"], "N")
        changed = self.ask("PUT", "/a/applications/%s/devices/dev1" % app, {"end_device": {"supports_class_c": False}})
        self.assertNotIn("supports_class_c", changed)
        self.assertEqual(self.ask("DELETE", "/a/applications/%s/devices/dev1" % app), {})
        self.refuse(404, "GET", "/a/applications/%s/devices/dev1" % app)

    def test_an_application_goes_with_its_devices_and_keys(self):
        app = self.app()
        key = self.key(app, "DELETE", "DEVICES_READ")["key"]
        for i in range(3):
            self.ask("POST", "/a/applications/%s/devices" % app, otaa("dev%d" % i, "70B3D57ED005010%d" % i))
        self.assertIn("DEVICES_WRITE", self.refuse(403, "DELETE", "/a/applications/" + app, key=key))
        self.assertEqual(self.ask("DELETE", "/a/applications/" + app), {})
        self.refuse(401, "GET", "/a/applications", key=key)
        self.app(app)
        self.assertEqual(self.ask("GET", "/a/applications/%s/devices" % app)["end_devices"], [])
        self.ask("POST", "/a/applications/%s/devices" % app, otaa("dev0", "70B3D57ED0050100"))

    def test_an_abp_device_shows_its_session(self):
        app = self.app()
        made = self.ask("POST", "/a/applications/%s/devices" % app, abp("dev2"))
        self.assertEqual(made["session"]["dev_addr"], "01DA1F15")
        self.assertEqual(made["session"]["keys"]["app_s_key"], {"key": OTHER_KEY})
        self.assertEqual(len(base64.b64decode(made["session"]["keys"]["session_key_id"])), 16)
        self.assertEqual(made["ids"]["dev_addr"], "01DA1F15")
        live = self.ask("GET", "/a/applications/%s/devices/dev2?field_mask=session,mac_state" % app)
        self.assertEqual(live["session"], made["session"])
        again = self.ask("POST", "/a/applications/%s/devices/dev2/reset" % app)
        self.assertNotEqual(again["session"]["keys"]["session_key_id"], made["session"]["keys"]["session_key_id"])

    def test_a_multicast_group_is_created(self):
        app = self.app()
        made = self.ask("POST", "/a/applications/%s/devices" % app, abp("mc1", multicast=True, supports_class_c=True))
        self.assertTrue(made["multicast"])
        message = self.refuse(400, "POST", "/a/applications/%s/devices" % app, abp("mc2", multicast=True))
        self.assertIn("supports_class_c", message)

    def test_errors_name_the_field(self):
        app = self.app()
        path = "/a/applications/%s/devices" % app
        bad = otaa("dev1")
        bad["end_device"]["ids"]["dev_eui"] = "70B3"
        self.assertEqual(self.refuse(400, "POST", path, bad), "ids.dev_eui: must be 16 hex digits")
        bad = otaa("dev1")
        bad["end_device"]["root_keys"]["app_key"]["key"] = "00"
        self.assertEqual(self.refuse(400, "POST", path, bad), "root_keys.app_key: must be 32 hex digits")
        bad = otaa("dev1", frequency_plan_id="EU_868")
        self.assertIn("EU_863_870", self.refuse(400, "POST", path, bad))
        bad = otaa("DEV")
        self.assertIn("ids.device_id", self.refuse(400, "POST", path, bad))
        self.assertIn("not JSON", self.refuse(400, "POST", path, "{\"end_device\":", raw=True))
        self.assertIn("object", self.refuse(400, "POST", path, "[]", raw=True))
        self.assertIn("UTF-8", self.refuse(400, "POST", path, b"{\"a\":\"\xff\"}", raw=True))
        self.refuse(400, "POST", path, "[" * 100000, raw=True)
        self.refuse(404, "POST", "/a/applications/nobody/devices", otaa("dev1"))
        self.assertEqual(self.ask("GET", path)["end_devices"], [])

    def test_euis_are_unique(self):
        app, other = self.app(), self.app("euis-other")
        self.ask("POST", "/a/applications/%s/devices" % app, otaa("dev1", "70B3D57ED00500EE"))
        message = self.refuse(409, "POST", "/a/applications/%s/devices" % other, otaa("dev1", "70B3D57ED00500EE"))
        self.assertIn("belongs to device dev1 of application " + app, message)
        self.ask("POST", "/a/gateways", {"gateway": {"ids": {"gateway_id": "eui-gw1", "eui": "0242020000240001"}, "frequency_plan_id": "EU_863_870"}})
        message = self.refuse(409, "POST", "/a/gateways", {"gateway": {"ids": {"gateway_id": "eui-gw2", "eui": "0242020000240001"}}})
        self.assertIn("belongs to gateway eui-gw1", message)

    def test_a_gateway_lives(self):
        made = self.ask("POST", "/a/gateways", {"gateway": {
            "ids": {"gateway_id": "gtw1", "eui": "0242020000247803"}, "name": "G", "frequency_plan_ids": ["EU_863_870"],
            "antennas": [{"gain": 3, "location": {"latitude": 52.1234567, "longitude": -4.5, "altitude": 12}}]}})
        self.assertEqual(made["ids"], {"gateway_id": "gtw1", "eui": "0242020000247803"})
        self.assertEqual(made["frequency_plan_id"], "EU_863_870")
        self.assertTrue(made["enforce_duty_cycle"])
        self.assertEqual(made["location"]["latitude"], 52.1234567)
        changed = self.ask("PUT", "/a/gateways/gtw1", {"gateway": {"enforce_duty_cycle": False, "location": {"latitude": 1}}})
        self.assertFalse(changed["enforce_duty_cycle"])
        self.assertEqual((changed["location"]["latitude"], changed["location"]["longitude"]), (1, 0))
        self.assertIn("latitude", self.refuse(400, "PUT", "/a/gateways/gtw1", {"gateway": {"location": {"latitude": 91}}}))
        self.assertEqual(self.ask("GET", "/a/gateways/gtw1"), changed)
        self.assertIn("gtw1", [g["ids"]["gateway_id"] for g in self.ask("GET", "/a/gateways")["gateways"]])
        self.assertIn("not connected", self.refuse(404, "GET", "/a/gs/gateways/gtw1/connection/stats"))
        self.assertEqual(self.ask("DELETE", "/a/gateways/gtw1"), {})
        self.refuse(404, "GET", "/a/gateways/gtw1")

    def test_keys_are_shown_once_and_deleted(self):
        app = self.app()
        made = self.key(app, "TRAFFIC_READ", "TRAFFIC_DOWN_WRITE", expires_at="2099-01-01T00:00:00Z")
        self.assertRegex(made["key"], r"^NNSXS\.[A-Z2-7]{39}\.[A-Z2-7]{52}$")
        self.assertEqual(made["key"].split(".")[1], made["id"])
        self.assertEqual(made["rights"], ["RIGHT_APPLICATION_TRAFFIC_READ", "RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE"])
        listed = self.ask("GET", "/a/applications/%s/api-keys" % app)["api_keys"]
        self.assertEqual([k["id"] for k in listed], [made["id"]])
        self.assertNotIn("key", listed[0])
        self.assertEqual(self.ask("GET", "/a/auth_info", key=made["key"])["application_id"], app)
        self.assertEqual(self.ask("DELETE", "/a/applications/%s/api-keys/%s" % (app, made["id"])), {})
        message = self.refuse(401, "GET", "/a/auth_info", key=made["key"])
        self.assertEqual(message, "api key with id %s not found" % made["id"])
        self.assertIn("RIGHT_FOO", self.refuse(400, "POST", "/a/applications/%s/api-keys" % app, {"rights": ["RIGHT_FOO"]}))

    def test_each_operation_takes_its_right(self):
        app, other = self.app(), self.app("rights-other")
        device = "/a/applications/%s/devices/dev1" % app
        self.ask("POST", "/a/applications/%s/devices" % app, otaa("dev1", "70B3D57ED00500FF"))
        self.refuse(401, "GET", "/a/applications", key="")
        self.refuse(401, "GET", "/a/applications", key="nonsense")
        info = self.key(app, "INFO")["key"]
        self.assertEqual([a["ids"]["application_id"] for a in self.ask("GET", "/a/applications", key=info)["applications"]], [app])
        self.assertIn("RIGHT_APPLICATION_DEVICES_READ", self.refuse(403, "GET", device, key=info))
        self.refuse(403, "GET", "/a/applications/" + other, key=info)
        self.refuse(403, "GET", "/a/applications/nobody-knows", key=info)
        self.refuse(403, "POST", "/a/applications", {"ids": {"application_id": "more"}}, key=info)
        self.refuse(403, "POST", "/a/gateways", {"ids": {"gateway_id": "more"}}, key=info)
        read = self.key(app, "DEVICES_READ")["key"]
        self.assertNotIn("root_keys", self.ask("GET", device, key=read))
        self.assertIn("root_keys", self.ask("GET", device, key=self.key(app, "DEVICES_READ", "DEVICES_READ_KEYS")["key"]))
        write = self.key(app, "DEVICES_WRITE")["key"]
        self.ask("PUT", device, {"end_device": {"name": "x"}}, key=write)
        self.assertIn("WRITE_KEYS", self.refuse(403, "PUT", device, {"end_device": {"root_keys": {"app_key": {"key": KEY}}}}, key=write))
        everything = self.key(app, "ALL")["key"]
        self.ask("PUT", device, {"end_device": {"root_keys": {"app_key": {"key": KEY}}}}, key=everything)
        keys = self.key(app, "SETTINGS_API_KEYS")["key"]
        message = self.refuse(403, "POST", "/a/applications/%s/api-keys" % app, {"rights": ["RIGHT_APPLICATION_TRAFFIC_READ"]}, key=keys)
        self.assertIn("lacks", message)

    def test_simulating_takes_its_right_and_says_what_is_wrong(self):
        app = self.app()
        path = "/a/as/applications/%s/devices/%s/up/simulate" % (app, "dev1")
        self.ask("POST", "/a/applications/%s/devices" % app, otaa("dev1", "70B3D57ED00500FE"))
        up = {"uplink_message": {"f_port": 1, "frm_payload": "AQI="}}
        may, reads = self.key(app, "TRAFFIC_UP_WRITE")["key"], self.key(app, "TRAFFIC_READ", "TRAFFIC_DOWN_WRITE")["key"]
        self.assertEqual(self.ask("POST", path, up, key=may), {})
        self.assertIn("RIGHT_APPLICATION_TRAFFIC_UP_WRITE", self.refuse(403, "POST", path, up, key=reads))
        self.refuse(404, "POST", path.replace("dev1", "nobody"), up, key=may)
        for body, field in (({}, "uplink_message"), ({"join_accept": {}}, "uplink_message"), ({"uplink_message": {"f_port": 256}}, "f_port"),
                            ({"uplink_message": {"frm_payload": "?"}}, "frm_payload"),
                            ({"uplink_message": {"decoded_payload": 1}}, "decoded_payload"),
                            ({"uplink_message": {}, "correlation_ids": "a"}, "correlation_ids")):
            self.assertIn(field, self.refuse(400, "POST", path, body, key=may))

    def test_lists_have_pages(self):
        app = self.app()
        for i in range(7):
            self.ask("POST", "/a/applications/%s/devices" % app, otaa("dev%d" % i, "70B3D57ED006000%d" % i))
        path = "/a/applications/%s/devices" % app
        names = [[d["ids"]["device_id"] for d in self.ask("GET", path + q)["end_devices"]] for q in ("", "?limit=3", "?limit=3&page=3", "?limit=3&page=4")]
        self.assertEqual(names, [["dev%d" % i for i in range(7)], ["dev0", "dev1", "dev2"], ["dev6"], []])
        self.refuse(400, "GET", path + "?limit=x")

    def test_a_script_that_does_not_compile_is_not_taken(self):
        app = self.app()
        path, link = "/a/applications/%s/devices" % app, "/api/v3/as/applications/%s/link" % app
        good, bad = "function decodeUplink(i) { return {data: {}}; }", "function decodeUplink(i) {\n\treturn {data: };\n}"
        own = {"up_formatter": "FORMATTER_JAVASCRIPT", "up_formatter_parameter": good}
        words = r"line 2: SyntaxError"
        broken = dict(own, up_formatter_parameter=bad)
        self.assertRegex(self.refuse(400, "POST", path, otaa("dev1", "70B3D57ED0070019", formatters=broken)), "^formatters.up_formatter_parameter: " + words)
        self.refuse(404, "GET", path + "/dev1")
        self.ask("POST", path, otaa("dev1", "70B3D57ED0070019", formatters=own))
        down = {"down_formatter": "FORMATTER_JAVASCRIPT", "down_formatter_parameter": bad}
        self.assertRegex(self.refuse(400, "PUT", path + "/dev1", {"end_device": {"formatters": down}}), "^formatters.down_formatter_parameter: " + words)
        self.assertEqual(self.ask("GET", path + "/dev1")["formatters"], own)
        self.assertRegex(self.refuse(400, "PUT", link, {"link": {"default_formatters": broken}}), "^default_formatters.up_formatter_parameter: " + words)
        self.assertEqual(self.ask("PUT", link, {"link": {"default_formatters": own}})["default_formatters"], own)
        both = dict(own, down_formatter="FORMATTER_JAVASCRIPT", down_formatter_parameter="while (true) {}")
        self.assertEqual(self.ask("PUT", path + "/dev1", {"end_device": {"formatters": both}})["formatters"], both, "what it does is another question")

    def test_formatters_are_tried(self):
        app = self.app()
        path = "/api/v3/as/applications/%s/devices/dev1" % app
        self.ask("POST", "/a/applications/%s/devices" % app, otaa("dev1", "70B3D57ED0070029"))
        up = {"uplink": {"f_port": 7, "f_cnt": 3, "frm_payload": "AQI=", "decoded_payload": {"old": 1}}}
        self.assertIn("FORMATTER_NONE", self.refuse(400, "POST", path + "/up/decode", up))
        script = "function decodeUplink(i) { if (i.fPort !== 7) throw new Error('no'); return {data: {n: i.bytes.length}, warnings: ['w']}; }"
        given = {"formatter": "FORMATTER_JAVASCRIPT", "parameter": script}
        self.assertEqual(self.ask("POST", path + "/up/decode", {**up, **given}), {"uplink": {
            "f_port": 7, "f_cnt": 3, "frm_payload": "AQI=", "decoded_payload": {"n": 2}, "decoded_payload_warnings": ["w"]}})
        up["uplink"]["f_port"] = 8
        self.assertIn("line 1: Error: no", self.refuse(400, "POST", path + "/up/decode", {**up, **given}))
        self.assertIn("no function encodeDownlink", self.refuse(400, "POST", path + "/down/encode", {"downlink": {"decoded_payload": {}}, **given}))
        for wrong, field in (({}, "uplink"), ({"uplink": {"frm_payload": "?"}}, "uplink.frm_payload"), ({"uplink": {"f_port": 256}}, "uplink.f_port"),
                             ({"uplink": {"received_at": "now"}}, "uplink.received_at"), ({"uplink": {}, "formatter": "JS"}, "formatter"),
                             ({"uplink": {}, "formatter": "FORMATTER_JAVASCRIPT"}, "parameter"),
                             ({"uplink": {}, "formatter": "FORMATTER_JAVASCRIPT", "parameter": "x" * 65537}, "parameter")):
            self.assertTrue(self.refuse(400, "POST", path + "/up/decode", wrong).startswith(field + ": "), wrong)
        for wrong in ({}, {"downlink": {}}, {"downlink": {"decoded_payload": [1]}}):
            self.refuse(400, "POST", path + "/down/encode", {**given, **wrong})
        less = self.key(app, "TRAFFIC_DOWN_WRITE")["key"]
        self.assertIn("RIGHT_APPLICATION_TRAFFIC_READ", self.refuse(403, "POST", path + "/up/decode", {**up, **given}, key=less))

    def test_formatters_are_changed_one_by_one_and_lists_leave_scripts_out(self):
        app = self.app()
        path, script = "/a/applications/%s/devices" % app, "function decodeUplink(i) { return {data: {}}; } // %s\n" % ("x" * 65400)
        own = {"up_formatter": "FORMATTER_JAVASCRIPT", "up_formatter_parameter": script, "down_formatter": "FORMATTER_NONE"}
        self.ask("POST", path, otaa("dev1", "70B3D57ED0070009", formatters=own))
        self.assertEqual(self.ask("GET", path + "/dev1")["formatters"], own)
        brief = {"up_formatter": "FORMATTER_JAVASCRIPT", "down_formatter": "FORMATTER_NONE"}
        for query, formatters in (("", brief), ("?field_mask=formatters", own), ("?field_mask=name,formatters.up_formatter_parameter",
                                                                                 {"up_formatter_parameter": script})):
            self.assertEqual(self.ask("GET", path + query)["end_devices"][0]["formatters"], formatters, query)
        self.assertNotIn("formatters", self.ask("GET", path + "?field_mask=name")["end_devices"][0])
        changed = self.ask("PUT", path + "/dev1", {"end_device": {"formatters": {"down_formatter": "FORMATTER_CAYENNELPP"}},
                                                   "field_mask": {"paths": ["formatters.down_formatter"]}})
        self.assertEqual(changed["formatters"], dict(own, down_formatter="FORMATTER_CAYENNELPP"))
        self.assertIn("formatters.up_formatter_parameter", self.refuse(400, "PUT", path + "/dev1", {"end_device": {"formatters": {
            "up_formatter_parameter": script + "x" * 200}}}))
        self.assertNotIn("formatters", self.ask("PUT", path + "/dev1", {"end_device": {"formatters": None}}))

    def test_an_update_under_a_mask_clears_what_is_absent(self):
        app = self.app()
        self.ask("POST", "/a/applications/%s/devices" % app, otaa("dev1", "70B3D57ED0070001", name="N", attributes={"a": "b"}))
        changed = self.ask("PUT", "/a/applications/%s/devices/dev1" % app, {"end_device": {}, "field_mask": "name,attributes"})
        self.assertNotIn("name", changed)
        self.assertNotIn("attributes", changed)
        self.assertIn("root_keys", changed)

    def test_trailing_commas_and_camel_case_are_understood(self):
        app = self.app()
        body = '{"endDevice":{"ids":{"deviceId":"dev1","devEui":"70b3d57ed0080001","joinEui":"0000000000000000",},"lorawanVersion":"1.0.4",' \
               '"frequencyPlanId":"EU_863_870","rootKeys":{"appKey":{"key":"%s"},},},}' % KEY
        made = self.ask("POST", "/a/applications/%s/devices" % app, body, raw=True)
        self.assertEqual(made["lorawan_version"], "MAC_V1_0_4")
        self.assertTrue(made["supports_join"])

    def test_the_link_is_set_and_removed(self):
        app = self.app()
        path = "/a/as/applications/%s/link" % app
        self.assertEqual(self.ask("GET", path), {}, "a new application is linked")
        self.assertEqual(self.ask("DELETE", path), {})
        self.assertIn("waits", self.refuse(404, "GET", path))
        key = self.key(app, "LINK")["key"]
        self.ask("PUT", path, {"link": {"api_key": key, "default_formatters": {"up_formatter": "FORMATTER_CAYENNELPP"}}})
        self.assertEqual(self.ask("GET", path)["default_formatters"], {"up_formatter": "FORMATTER_CAYENNELPP"})
        self.refuse(400, "PUT", path, {"link": {"api_key": self.key(app, "INFO")["key"]}})
        self.assertEqual(self.ask("DELETE", path), {})
        self.refuse(404, "GET", path)

    def test_health_says_why(self):
        self.assertEqual(self.server.ask("GET", "/healthz/live", key="")[0], 200)
        status, why = self.server.ask("GET", "/healthz/ready", key="")
        self.assertEqual((status, why.strip()), (503, "not connected to the network server"))
        status, text = self.server.ask("GET", "/metrics", key="")
        self.assertEqual(status, 200)
        self.assertRegex(text, r"(?m)^as_applications \d+$")
        self.assertIn("# TYPE as_api_requests_total counter", text)

    def test_secrets_are_for_the_owner_only(self):
        for name in ("admin.key", "as/kek"):
            mode = os.stat(os.path.join(self.server.state, name)).st_mode
            self.assertEqual(stat.S_IMODE(mode), 0o600, name)
        self.ask("POST", "/a/applications", {"ids": {"application_id": "secret"}})
        self.ask("POST", "/a/applications/secret/devices", otaa("dev1", "70B3D57ED0090001"))
        with open(os.path.join(self.server.state, "as", "data.mdb"), "rb") as f:
            stored = f.read()
        self.assertIn(b"70B3D57ED0090001", stored)
        self.assertNotIn(KEY.encode(), stored)
        self.assertNotIn(bytes.fromhex(KEY), stored)


class Restart(unittest.TestCase):
    def setUp(self):
        self.server = Server().start()
        self.addCleanup(self.server.close)

    def ask(self, method, path, body=None, expect=200, **how):
        status, answer = self.server.ask(method, path, body, **how)
        self.assertEqual(status, expect, answer)
        return answer

    def test_what_was_answered_survives_kill_9(self):
        self.ask("POST", "/a/applications", {"ids": {"application_id": "app1"}, "name": "One"})
        for app in ("zz", "aa", "mm"):
            self.ask("POST", "/a/applications", {"ids": {"application_id": app}})
        for _ in range(5):
            key = self.ask("POST", "/a/applications/app1/api-keys", {"rights": ["RIGHT_APPLICATION_ALL"]})["key"]
        for i in range(20):
            self.ask("POST", "/a/applications/app1/devices", otaa("dev%d" % i, "70B3D57ED00A00%02X" % i))
        self.ask("POST", "/a/applications/app1/devices", abp("abp1"))
        self.ask("DELETE", "/a/applications/app1/devices/dev7")
        self.ask("PUT", "/a/applications/app1/devices/dev8", {"end_device": {"name": "eight"}})
        self.ask("POST", "/a/gateways", {"ids": {"gateway_id": "gtw1", "eui": "0242020000247803"}, "frequency_plan_id": "EU_863_870"})
        before = [self.ask("GET", p) for p in ("/a/applications", "/a/applications/app1/devices", "/a/gateways", "/a/applications/app1/api-keys")]
        admin = self.server.admin
        for end in (self.server.kill, self.server.stop):
            end()
            self.server.start()
            after = [self.ask("GET", p) for p in ("/a/applications", "/a/applications/app1/devices", "/a/gateways", "/a/applications/app1/api-keys")]
            self.assertEqual(before, after)
            self.assertEqual(self.server.admin, admin)
            self.ask("GET", "/a/applications/app1", key=key)

    def test_a_key_file_that_others_may_read_is_refused(self):
        self.server.stop()
        os.chmod(os.path.join(self.server.state, "as", "kek"), 0o644)
        with self.assertRaisesRegex(AssertionError, r"as/kek: others may read this secret"):
            self.server.start()
        self.server.process.wait()
        self.server.process.stderr.close()
        os.chmod(os.path.join(self.server.state, "as", "kek"), 0o600)
        self.server.start()

    def test_another_kek_is_named(self):
        self.ask("POST", "/a/applications", {"ids": {"application_id": "app1"}})
        self.ask("POST", "/a/applications/app1/devices", otaa("dev1"))
        self.server.stop()
        path = os.path.join(self.server.state, "as", "kek")
        with open(path) as f:
            kek = f.read()
        with open(path, "w") as f:
            f.write("00" * 16 + "\n")
        with self.assertRaisesRegex(AssertionError, r"sealed with another key-encryption key than the one of as\.kek-file"):
            self.server.start()
        self.server.process.wait()
        self.server.process.stderr.close()
        with open(path, "w") as f:
            f.write(kek)
        self.server.start()

    def test_a_port_in_use_is_named_with_its_key(self):
        other = Server("--as.http-listen=" + self.server.address)
        self.addCleanup(shutil.rmtree, other.state, True)
        with self.assertRaises(AssertionError) as refused:
            other.start()
        other.process.wait()
        other.process.stderr.close()
        self.assertIn(self.server.address, str(refused.exception))
        self.assertIn("as.http-listen", str(refused.exception))
        self.assertEqual(len([line for line in other.lines if "in use" in line]), 1)

    def test_a_full_store_refuses_more_and_lets_itself_be_emptied(self):
        self.server.stop()
        self.server.settings = ("--as.store-max-size=512KiB",)
        self.server.start()
        self.ask("POST", "/a/applications", {"ids": {"application_id": "app1"}})
        made, message = 0, ""
        for i in range(2000):
            status, answer = self.server.ask("POST", "/a/applications/app1/devices",
                                             otaa("dev%d" % i, "70B3D57ED00C%04X" % i, description="x" * 1000))
            if status != 200:
                self.assertEqual((status, answer["code"]), (503, 14), answer)
                message = answer["message"]
                break
            made += 1
        self.assertIn("full", message)
        self.assertGreater(made, 50)
        self.assertEqual(len(self.ask("GET", "/a/applications/app1/devices")["end_devices"]), made)
        for i in range(made // 2):
            self.ask("DELETE", "/a/applications/app1/devices/dev%d" % i)
        end = time.monotonic() + 10
        while self.server.ask("POST", "/a/applications/app1/devices", otaa("again", "70B3D57ED00CFFFF"))[0] != 200:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)
        self.server.kill()
        self.server.start()
        self.assertEqual(len(self.ask("GET", "/a/applications/app1/devices")["end_devices"]), made - made // 2 + 1)

    def test_a_slow_disk_delays_the_answer_and_not_others(self):
        self.server.stop()
        self.server.settings = ("--as.store-commit-delay=400ms",)
        self.server.start()
        began = time.monotonic()
        slow = threading.Thread(target=self.ask, args=("POST", "/a/applications", {"ids": {"application_id": "app1"}}))
        slow.start()
        time.sleep(0.05)
        self.ask("GET", "/a/applications/app1")
        self.assertLess(time.monotonic() - began, 0.35)
        slow.join()
        self.assertGreater(time.monotonic() - began, 0.4)


if __name__ == "__main__":
    unittest.main()
