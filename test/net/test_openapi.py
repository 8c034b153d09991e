"""The description of the HTTP API: fresh, complete, and true of what the server answers."""
import http.client
import json
import os
import re
import subprocess
import time
import unittest

from gateway import Gateway
from godwit import Stack
from test_api import KEY, SOURCE, abp, otaa

try:
    import jsonschema
except ImportError:
    jsonschema = None

PAGE = os.path.join(SOURCE, "deploy", "openapi.json")
EUI, OTHER_EUI = 0xAA555A0000000C01, 0xAA555A0000000C02
APPLICATION, DEVICE, GATEWAY = "/api/v3/applications/{application_id}", "/api/v3/applications/{application_id}/devices/{device_id}", "/api/v3/gateways/{gateway_id}"
AS = "/api/v3/as/applications/{application_id}"
TELEMETRY = AS + "/devices/{device_id}/telemetry"
ATTRIBUTES = AS + "/devices/{device_id}/attributes"
DOWN = AS + "/devices/{device_id}/down"
MEMBERS = DEVICE + "/multicast-members"
RPC, CLAIM = AS + "/devices/{device_id}/rpc", AS + "/devices/{device_id}/claim"
ITEM = {"downlinks": [{"f_port": 1, "frm_payload": "AQ==", "priority": "NORMAL", "confirmed": True}]}


def app(name):
    return {"application": {"ids": {"application_id": name}, "name": "N", "description": "D", "attributes": {"a": "b"}}}


def gateway(name, eui):
    return {"gateway": {"ids": {"gateway_id": name, "eui": "%016X" % eui}, "frequency_plan_id": "EU_863_870", "name": "N",
                        "location": {"latitude": 52.5, "longitude": 13.4, "altitude": 30}}}


def part(which):
    return "/api/v3/%s/applications/{application_id}/devices/{device_id}" % which


PUBSUB = {"mqtt": {"server_url": "mqtt://127.0.0.1:1", "publish_qos": 1, "password": "x", "username": "u"}, "base_topic": "b",
          "uplink_message": {"topic": "{device_id}/up"}, "downlink_push": {"topic": "push"}}
WEBHOOK = {"base_url": "http://127.0.0.1:1/{appID}", "headers": {"X-Site": "roof", "Authorization": "Bearer x"}, "uplink_message": {"path": "up"}, "join_accept": {},
           "downlink_api_key": "NNSXS.K", "signature_secret": "0123456789abcdef", "field_mask": {"paths": ["end_device_ids"]}, "connections": 2,
           "template_ids": {"template_id": "t"}, "template_fields": {"token": "x"}}
HOOK = {"webhook_id": "wh1"}
RIGHTS = {"rights": ["RIGHT_APPLICATION_INFO"], "name": "k", "expires_at": "2099-01-01T00:00:00Z"}
GATEWAY_RIGHTS = {"rights": ["RIGHT_GATEWAY_INFO"], "name": "k"}

# Every operation once at least, so that it succeeds: method, path, what is put in its place, query, body. $KEY is the id of the key
# that was made last.
STORY = [
    ("post", "/api/v3/applications", {}, "", app("app1")),
    ("post", "/api/v3/users/{user_id}/applications", {"user_id": "admin"}, "", app("app2")),
    ("post", "/api/v3/organizations/{organization_id}/applications", {"organization_id": "o"}, "", app("app3")),
    ("get", "/api/v3/applications", {}, "?limit=2&page=1", None),
    ("get", "/api/v3/users/{user_id}/applications", {"user_id": "admin"}, "", None),
    ("get", APPLICATION, {}, "", None),
    ("put", APPLICATION, {}, "", {"application": {"name": "M"}, "field_mask": {"paths": ["name"]}}),
    ("patch", APPLICATION, {}, "", {"application": {"name": "L"}}),
    ("put", AS + "/link", {}, "", {"link": {"default_formatters": {"up_formatter": "FORMATTER_NONE"}}}),
    ("get", AS + "/link", {}, "", None),
    ("delete", AS + "/link", {"application_id": "app2"}, "", None),
    ("get", AS + "/mqtt-connection-info", {}, "", None),
    ("get", "/api/v3/as/pubsub-formats", {}, "", None),
    ("post", "/api/v3/as/pubsub/{application_id}", {}, "", {"pubsub": {**PUBSUB, "ids": {"pub_sub_id": "ps1"}}}),
    ("get", "/api/v3/as/pubsub/{application_id}", {}, "", None),
    *[(m, "/api/v3/as/pubsub/{application_id}/{pub_sub_id}", {"pub_sub_id": "ps2"}, "", {"pubsub": PUBSUB}) for m in ("put", "post", "patch")],
    ("get", "/api/v3/as/pubsub/{application_id}/{pub_sub_id}", {"pub_sub_id": "ps1"}, "?field_mask=mqtt,status", None),
    ("delete", "/api/v3/as/pubsub/{application_id}/{pub_sub_id}", {"pub_sub_id": "ps1"}, "", None),
    ("get", "/api/v3/as/webhook-formats", {}, "", None),
    ("post", "/api/v3/as/webhooks/{application_id}", {}, "", {"webhook": {**WEBHOOK, "ids": HOOK}}),
    ("get", "/api/v3/as/webhooks/{application_id}", {}, "", None),
    ("put", "/api/v3/as/webhooks/{application_id}/{webhook_id}", HOOK, "", {"webhook": {"paused": True}, "field_mask": {"paths": ["paused"]}}),
    ("put", "/api/v3/as/webhooks/{application_id}/{webhook_id}", HOOK, "", {"paused": False}),
    ("get", "/api/v3/as/webhooks/{application_id}/{webhook_id}", HOOK, "?field_mask=base_url,status", None),
    ("post", APPLICATION + "/api-keys", {}, "", RIGHTS),
    ("get", APPLICATION + "/api-keys", {}, "", None),
    ("get", APPLICATION + "/api-keys/{key_id}", {}, "", None),
    ("put", APPLICATION + "/api-keys/{key_id}", {}, "", {"name": "l"}),
    ("delete", APPLICATION + "/api-keys/{key_id}", {}, "", None),
    ("post", "/api/v3/users/{user_id}/api-keys", {"user_id": "admin"}, "", {"name": "k"}),
    ("get", "/api/v3/users/{user_id}/api-keys", {"user_id": "admin"}, "", None),
    ("get", "/api/v3/users/{user_id}/api-keys/{key_id}", {"user_id": "admin"}, "", None),
    ("put", "/api/v3/users/{user_id}/api-keys/{key_id}", {"user_id": "admin"}, "", {"name": "l"}),
    ("delete", "/api/v3/users/{user_id}/api-keys/{key_id}", {"user_id": "admin"}, "", None),
    ("get", "/api/v3/auth_info", {}, "", None),
    ("post", APPLICATION + "/devices", {}, "", abp("dev1")),
    ("post", APPLICATION + "/devices", {}, "", otaa("dev2", mac_settings={"rx1_delay": 5}, attributes={"a": "b"})),
    ("post", APPLICATION + "/devices", {}, "", {"end_device": {**abp("group", addr="01DA1F16")["end_device"], "multicast": True, "supports_class_c": True}}),
    ("post", APPLICATION + "/devices/import", {}, "?update=true", {**otaa("dev3", eui="70B3D57ED0051235")["end_device"], "used_dev_nonces": [1, 2]}),
    ("get", APPLICATION + "/devices", {}, "", None),
    ("get", DEVICE, {}, "?field_mask=session,mac_state,last_seen_at,pending_session", None),
    ("get", DEVICE, {"device_id": "dev2"}, "", None),
    ("put", DEVICE, {}, "", {"end_device": {"name": "M"}, "field_mask": {"paths": ["name"]}}),
    ("patch", DEVICE, {}, "", {"end_device": {"name": "L"}}),
    *[("get", part(p), {}, "", None) for p in ("ns", "js", "as")],
    *[("put", part(p), {}, "", {"end_device": {"name": "M"}}) for p in ("ns", "js", "as")],
    ("get", DEVICE + "/export", {}, "", None),
    ("post", APPLICATION + "/devices", {}, "", {"end_device": {"ids": {"device_id": "ip1"}, "credentials": {"access_token": "T1"}}}),
    ("put", DEVICE + "/credentials", {"device_id": "ip1"}, "", {"credentials": {"mqtt_username": "u", "mqtt_password": "p"}}),
    ("get", DEVICE + "/credentials", {"device_id": "ip1"}, "", None),
    ("get", DEVICE, {"device_id": "ip1"}, "", None),
    ("post", RPC, {"device_id": "ip1"}, "", {"method": "m", "params": {"a": 1}, "persistent": True, "timeout": "1h"}),
    ("get", RPC, {"device_id": "ip1"}, "", None),
    ("get", RPC + "/{rpc_id}", {"device_id": "ip1"}, "", None),
    ("delete", RPC + "/{rpc_id}", {"device_id": "ip1"}, "", None),
    ("post", RPC + "/requests/{request_id}", {"device_id": "ip1", "request_id": "7"}, "", {"response": {"a": 1}}),
    ("post", CLAIM, {"device_id": "ip1"}, "", {"secret_key": "s"}),
    ("get", CLAIM, {"device_id": "ip1"}, "", None),
    ("delete", CLAIM, {"device_id": "ip1"}, "", None),
    ("put", AS + "/device-profile", {}, "", {"provision_device_key": "k", "provision_device_secret": "s", "telemetry_topic": "t/+"}),
    ("get", AS + "/device-profile", {}, "", None),
    ("post", MEMBERS, {"device_id": "group"}, "", {"device_ids": ["dev1"]}),
    ("get", MEMBERS, {"device_id": "group"}, "", None),
    ("post", MEMBERS + "/remove", {"device_id": "group"}, "", {"device_ids": ["dev1"]}),
    ("post", DOWN + "/push", {}, "", ITEM),
    ("get", DOWN, {}, "", None),
    ("post", DOWN + "/replace", {}, "", ITEM),
    ("post", AS + "/webhooks/{webhook_id}/devices/{device_id}/down/push", HOOK, "", ITEM),
    ("post", AS + "/webhooks/{webhook_id}/devices/{device_id}/down/replace", HOOK, "", ITEM),
    ("get", "/api/v3/as/webhooks/{application_id}/{webhook_id}", HOOK, "", None),
    ("delete", "/api/v3/as/webhooks/{application_id}/{webhook_id}", HOOK, "", None),
    ("post", AS + "/devices/{device_id}/up/simulate", {}, "", {"uplink_message": {"f_port": 1, "frm_payload": "AQ=="}}),
    ("post", AS + "/devices/{device_id}/up/decode", {}, "", {"uplink": {"f_port": 1, "frm_payload": "A2cBEA=="}, "formatter": "FORMATTER_CAYENNELPP"}),
    ("post", DOWN + "/encode", {}, "", {"downlink": {"f_port": 1, "decoded_payload": {"value_2": -50.51}}, "formatter": "FORMATTER_CAYENNELPP"}),
    ("post", DOWN + "/decode", {}, "", {"downlink": {"f_port": 1, "frm_payload": "AuxF"}, "formatter": "FORMATTER_CAYENNELPP"}),
    ("post", TELEMETRY, {}, "", [{"ts": 1451649600512, "values": {"t": 21.5}}]),
    ("get", TELEMETRY, {}, "?keys=t&from=0&aggregate=avg&interval=1h", None),
    ("put", ATTRIBUTES + "/{scope}", {"scope": "shared"}, "", {"interval": 60}),
    ("get", ATTRIBUTES, {}, "?times=true", None),
    ("get", ATTRIBUTES + "/{scope}", {"scope": "shared"}, "?keys=interval", None),
    ("delete", ATTRIBUTES + "/{scope}", {"scope": "shared"}, "?keys=interval", None),
    ("get", "/api/v3/events", {}, "?application_id=app1", None),
    ("post", "/api/v3/events", {}, "", {"tail": 5}),
    ("get", "/api/v3/events/related", {}, "?correlation_id=x", None),
    ("post", "/api/v3/logs", {}, "", {"application_id": "app1", "device_id": "dev1", "level": "debug", "for": "1m"}),
    ("get", "/api/v3/logs", {}, "", None),
    ("delete", "/api/v3/logs", {}, "", None),
    ("post", "/api/v3/gateways", {}, "", gateway("gtw1", EUI)),
    ("post", "/api/v3/users/{user_id}/gateways", {"user_id": "admin"}, "", gateway("gtw2", 2)),
    ("post", "/api/v3/organizations/{organization_id}/gateways", {"organization_id": "o"}, "", gateway("gtw3", 3)),
    ("post", GATEWAY + "/adopt", {"gateway_id": "%016X" % OTHER_EUI}, "", {"gateway": {"ids": {"gateway_id": "gtw4"}}}),
    ("get", "/api/v3/gateways", {}, "", None),
    ("get", GATEWAY, {}, "", None),
    ("put", GATEWAY, {}, "", {"gateway": {"name": "M"}}),
    ("patch", GATEWAY, {}, "", {"gateway": {"name": "L"}}),
    ("get", "/api/v3/gs/gateways/{gateway_id}/connection/stats", {}, "", None),
    ("get", GATEWAY + "/why", {}, "", None),
    ("get", DEVICE + "/why", {}, "", None),
    ("get", DEVICE + "/why", {"device_id": "dev2"}, "?question=join", None),
    ("post", GATEWAY + "/api-keys", {}, "", GATEWAY_RIGHTS),
    ("get", GATEWAY + "/api-keys", {}, "", None),
    ("get", GATEWAY + "/api-keys/{key_id}", {}, "", None),
    ("put", GATEWAY + "/api-keys/{key_id}", {}, "", {"name": "l"}),
    ("delete", GATEWAY + "/api-keys/{key_id}", {}, "", None),
    ("post", DEVICE + "/reset", {}, "", None),
    ("patch", part("ns"), {}, "", None),
    ("post", DEVICE + "/rejoin", {"device_id": "dev4"}, "", None),
    ("get", "/api/v3/openapi.json", {}, "", None),
    *[("get", path, {}, "", None) for path in ("/metrics", "/healthz", "/healthz/live", "/healthz/ready")],
    ("get", "/api/v3/search/applications", {}, "?id_contains=APP&order=-name", None),
    ("get", "/api/v3/search/applications/{application_id}/devices", {}, "?dev_eui_contains=70b3&order=dev_eui", None),
    ("get", "/api/v3/search/gateways", {}, "?eui_contains=aa&order=gateway_eui", None),
    ("post", APPLICATION + "/dev-eui", {}, "", None),
    ("delete", DEVICE, {}, "", None),
    ("delete", APPLICATION + "/devices/batch", {}, "?device_ids=dev2&device_ids=dev3", None),
    ("delete", APPLICATION, {}, "", None),
    ("delete", GATEWAY, {}, "", None),
]


class OpenApi(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()
        cls.addClassCleanup(cls.stack.close)
        cls.address = "%s:%d" % cls.stack.address("as.http")
        with open(os.path.join(cls.stack.state, "admin.key")) as f:
            cls.admin = f.read().strip()
        cls.text = cls.ask("get", "/api/v3/openapi.json", key=None)[2]
        cls.page = json.loads(cls.text)
        cls.operations = {(m, path): o for path, item in cls.page["paths"].items() for m, o in item.items()}

    @classmethod
    def ask(cls, method, path, body=None, key="", raw=None):
        """(status, headers, body); of a stream the first line."""
        c = http.client.HTTPConnection(cls.address, timeout=30)
        headers = {} if key is None else {"Authorization": "Bearer " + (key or cls.admin)}
        c.request(method.upper(), path, raw if body is None else json.dumps(body), headers)
        r = c.getresponse()
        try:
            text = r.readline() if r.headers["Content-Type"] == "application/x-ndjson" else r.read()
            return r.status, r.headers, text.decode()
        finally:
            c.close()

    def check(self, operation, status, headers, text):
        """Is this answer one that the description knows?"""
        responses = operation["responses"]
        content = responses["200" if status == 200 else "default"]["content"]
        kind = headers["Content-Type"].split(";")[0]
        self.assertIn(kind, content, (operation["operationId"], status))
        if kind == "text/plain":
            self.assertTrue(text)
        elif jsonschema:
            schema = {**content[kind]["schema"], "components": self.page["components"]}
            try:
                jsonschema.Draft4Validator(schema).validate(json.loads(text))
            except jsonschema.ValidationError as e:
                self.fail("%s %d: %s at %s in %s" % (operation["operationId"], status, e.message, list(e.absolute_path), text[:2000]))

    def test_the_file_is_fresh(self):
        now = json.dumps(self.page, indent=1, ensure_ascii=False) + "\n"
        if os.environ.get("GODWIT_UPDATE"):
            with open(PAGE, "w", encoding="utf-8") as f:
                f.write(now)
        with open(PAGE, encoding="utf-8") as f:
            self.assertTrue(f.read() == now, "deploy/openapi.json is stale: GODWIT_UPDATE=1 test/net/run \"$PWD\" \"$PWD/build\" test/net/test_openapi.py")

    def test_it_is_well_formed(self):
        self.assertEqual(self.page["openapi"], "3.0.3")
        for name in re.findall(r'"\$ref": ?"([^"]*)"', self.text):
            self.assertIn(name[len("#/components/schemas/"):], self.page["components"]["schemas"])
        ids = [o["operationId"] for o in self.operations.values()]
        self.assertEqual(len(ids), len(set(ids)))
        for (method, path), o in self.operations.items():
            self.assertRegex(o["operationId"], r"^[a-z][a-z0-9_]*$")
            self.assertTrue(o["summary"], (method, path))
            self.assertEqual(sorted(p["name"] for p in o["parameters"] if p["in"] == "path"), sorted(re.findall(r"{(\w+)}", path)))
        used = set(re.findall(r"schemas/(\w+)", self.text))
        self.assertEqual(set(self.page["components"]["schemas"]) - used, set(), "schemas that nothing uses")

    def test_the_server_has_these_methods_and_no_others(self):
        for path in self.page["paths"]:
            real = re.sub(r"{(\w+)}", "x-x", path)
            known = {m for m, p in self.operations if re.fullmatch(re.sub(r"{\w+}", "[^/]+", p), real)}
            for method in ("get", "post", "put", "patch", "delete"):
                status, headers, text = self.ask(method, real, key="NNSXS.A.B")
                if method not in known:
                    self.assertEqual(status, 405, (method, path))
                    self.assertEqual(set(headers["Allow"].lower().split(", ")), known | {"options"} | ({"head"} if "get" in known else set()), path)
                elif (method, path) in self.operations and self.operations[method, path].get("security") != []:
                    self.assertEqual(status, 401, (method, path))
                    self.check(self.operations[method, path], status, headers, text)

    def test_what_names_nothing_is_refused_as_described(self):
        for (method, path), operation in self.operations.items():
            if "{" not in path or operation.get("security") == []:
                continue
            status, headers, text = self.ask(method, re.sub(r"{(\w+)}", "x-x", path), raw="[")
            if status != 200:  # the user's or organization's name counts for nothing
                self.assertIn(status, (400, 404), (method, path, text))
                self.check(operation, status, headers, text)

    def hear(self, eui, name):
        g = Gateway(self.stack.address("gs.udp"), eui=eui)
        self.addCleanup(g.close)
        g.wait_path()
        end = time.monotonic() + 30
        while self.ask("get", "/api/v3/gs/gateways/%s/connection/stats" % name)[0] != 200:
            self.assertLess(time.monotonic(), end, "the gateway is not heard")
            time.sleep(0.1)

    def play(self, method, path, named, query, body, key):
        operation = self.operations[method, path]
        names = {"application_id": "app1", "device_id": "dev1", "gateway_id": "gtw1", "key_id": key, "rpc_id": key, **named}
        status, headers, text = self.ask(method, re.sub(r"{(\w+)}", lambda m: names[m.group(1)], path) + query, body)
        self.assertEqual(status, 200, (method, path, text))
        self.check(operation, status, headers, text)
        answer = json.loads(text) if text[:1] == "{" else {}
        return answer.get("id", answer.get("rpc_id", key))

    def say(self, topic, message):
        """As the device ip1."""
        host, port = self.stack.address("as.mqtt")
        subprocess.run(["mosquitto_pub", "-h", host, "-p", str(port), "-q", "1", "-u", "u", "-P", "p", "-t", "v1/devices/me/" + topic, "-m", message],
                       check=True, timeout=30)

    def test_what_the_server_answers_is_what_it_says(self):
        self.hear(OTHER_EUI, "eui-%016x" % OTHER_EUI)
        key = ""
        device = otaa("dev4", eui="70B3D57ED0051239")
        device["end_device"].update(lorawan_version="1.1.0", lorawan_phy_version="1.1.0-b")
        device["end_device"]["root_keys"]["nwk_key"] = {"key": KEY}
        for step in STORY:
            if step[1] == GATEWAY and step[0] == "get":
                self.hear(EUI, "gtw1")
            if step[:2] == ("post", CLAIM):
                self.say("claim", '{"secretKey":"s"}')
            if step[1].endswith("/{request_id}"):
                self.say("rpc/request/7", '{"method":"m","params":{}}')
            if step[1].endswith("/rejoin"):
                self.assertEqual(self.ask("post", "/api/v3/applications/app1/devices", device)[0], 200)
            key = self.play(*step, key)
        self.assertEqual({(m, p) for m, p, *_ in STORY}, set(self.operations), "every operation is tried")
        if not jsonschema:
            self.skipTest("python3-jsonschema is not installed: only the statuses were looked at")


if __name__ == "__main__":
    unittest.main()
