"""The Things Stack's pages "MQTT Server" and "Send and receive data", done as they say: their commands with this program's name, their JSON for the
same events, member by member. STATEMENTS.md names what they say and the test that shows it, here or elsewhere."""
import ast
import base64
import json
import os
import re
import shlex
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from gateway import Gateway  # noqa: E402
from godwit import PLAN, SOURCE, ULID, Stack, Subscriber  # noqa: E402
from lorawan import Device  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
EUI = "4200000000000000"
PRINTED_KEY = "NNSXS.VEEBURF3KR77ZR.."
TOPICS = ("join", "up", "down/queued", "down/sent", "down/ack", "down/nack", "down/failed", "service/data", "location/solved", "up/normalized")
RPC = "rpc:/ttn.lorawan.v3."

IDS = {"device_id": "dev1", "application_ids": {"application_id": "app1"}, "dev_eui": EUI, "join_eui": EUI}
JOIN = {"end_device_ids": IDS, "join_accept": {}}
UP = {
    "end_device_ids": {**IDS, "dev_addr": "01DA1F15"},
    "uplink_message": {
        "f_port": 15,
        "frm_payload": "VGVtcGVyYXR1cmUgPSAwLjA=",
        "rx_metadata": [{
            "gateway_ids": {"gateway_id": "eui-0242020000247803", "eui": "0242020000247803"},
            "time": "2019-01-29T13:02:34.981Z",
            "timestamp": 1283325000,
            "rssi": -35,
            "snr": 5,
        }],
        "settings": {
            "data_rate": {"lora": {"bandwidth": 125000, "spreading_factor": 7}},
            "data_rate_index": 5,
            "coding_rate": "4/6",
            "frequency": "868500000",
            "gateway_channel_index": 2,
            "device_channel_index": 2,
        },
    },
}
ACK = {
    "end_device_ids": {**IDS, "dev_addr": "00E6F42A"},
    "downlink_ack": {"f_port": 15, "f_cnt": 11, "frm_payload": "vu8=", "confirmed": True, "priority": "NORMAL"},
}
PUSH = '{"downlinks": [{"f_port": 15, "frm_payload": "vu8=", "priority": "NORMAL"}]}'
PUSH_WITH_COMMA = '{"downlinks": [{"f_port": 15, "frm_payload": "vu8=", "priority": "NORMAL",}]}'
PUSH_CONFIRMED = '''{"downlinks": [{"f_port": 15, "frm_payload": "vu8=", "priority": "%s", "confirmed": true,
                    "correlation_ids": ["my-correlation-id"]}]}'''


class Pages(unittest.TestCase):
    """Application app1 and device dev1, as on the pages."""

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()
        try:
            cls.key = cls.stack.create_application("app1")
        except BaseException:
            cls.stack.close()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def setUp(self):
        self.sub = self.subscriber("#")

    def subscriber(self, topic, **how):
        sub = Subscriber(self.stack, self.key, topic=topic, **how)
        self.addCleanup(sub.close)
        return sub

    def printed(self, command, key=""):
        """A command of the pages; what the command line answers."""
        words = shlex.split(command.replace("\\\n", "").replace(PRINTED_KEY, key))
        self.assertEqual(words.pop(0), "ttn-lw-cli")
        return self.stack.cli(*words)

    def mosquitto(self, command):
        """A command of the pages, to the port that this server has."""
        host, port = self.stack.address("as.mqtt")
        words = shlex.split(command.replace(PRINTED_KEY, self.key).replace("-h localhost", "-h %s -p %d" % (host, port)))
        return subprocess.run(["stdbuf", "-oL"] + words, capture_output=True, text=True, timeout=60, check=False)

    def gateway(self, eui=None):
        gateway = Gateway(self.stack.address("gs.udp"), eui=eui or int.from_bytes(os.urandom(7), "big") | 0xAA << 56)
        self.addCleanup(gateway.close)
        gateway.wait_path()
        return gateway

    def abp(self, dev_addr, *more):
        device = Device(dev_addr=dev_addr, nwk_s_key=os.urandom(16), app_s_key=os.urandom(16))
        self.stack.create_abp(device, "app1", "dev1", "--dev-eui", EUI, "--join-eui", EUI, *more)
        self.addCleanup(self.stack.cli, "end-devices", "delete", "app1", "dev1")
        return device

    def listed(self):
        return self.printed("ttn-lw-cli end-devices downlink list app1 dev1")

    def push(self, body, how="push"):
        self.sub.publish("v3/app1/devices/dev1/down/" + how, body)

    def check_members(self, expected, got, where=""):
        """Each member of the example is there and has that value; members of a later release may stand beside it."""
        if isinstance(expected, dict):
            self.assertIsInstance(got, dict, where)
            for name, value in expected.items():
                self.assertIn(name, got, where)
                self.check_members(value, got[name], where + "." + name)
        elif isinstance(expected, list):
            self.assertEqual(len(got), len(expected), where)
            for n, value in enumerate(expected):
                self.check_members(value, got[n], "%s[%d]" % (where, n))
        else:
            self.assertEqual(got, expected, where)

    def check_story(self, message):
        """The kinds of correlation ids of the examples. Theirs of gs:conn: names a connection, the others this message."""
        ids = message["correlation_ids"]
        for prefix in ("gs:conn:", "gs:uplink:", "ns:uplink:", RPC + "GsNs/HandleUplink:"):
            self.assertEqual(len([i for i in ids if re.fullmatch(re.escape(prefix) + ULID, i)]), 1, (prefix, ids))

    def check_session(self, message):
        self.assertEqual(len(base64.b64decode(message["session_key_id"], validate=True)), 16)

    def test_a_link_key_is_made_and_links(self):
        link = self.printed("""ttn-lw-cli applications api-keys create \\
          --name link \\
          --application-id app1 \\
          --right-application-link""")
        self.assertEqual((link["name"], link["rights"]), ("link", ["RIGHT_APPLICATION_LINK"]))
        self.assertRegex(link["key"], r"^NNSXS\.[A-Z0-9]+\.[A-Z0-9]+$")
        self.printed("ttn-lw-cli applications link set app1 --api-key NNSXS.VEEBURF3KR77ZR..", link["key"])
        out = self.stack.run("applications", "get", "app1", "--api-key", link["key"], check=False)
        self.assertEqual(out.returncode, 1, "it can be used to link only")
        device, gateway = self.abp(0x01DA1F20), self.gateway()
        gateway.uplink(device.uplink(15, b"linked"))
        self.sub.wait("dev1/up", timeout=30)

    def test_a_key_for_mqtt_is_made_and_logs_in(self):
        made = self.printed("""ttn-lw-cli applications api-keys create \\
          --name mqtt-client \\
          --application-id app1 \\
          --right-application-traffic-read \\
          --right-application-traffic-down-write""")
        self.assertEqual((made["name"], sorted(made["rights"])),
                         ("mqtt-client", ["RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE", "RIGHT_APPLICATION_TRAFFIC_READ"]))
        sub = Subscriber(self.stack, made["key"], app="app1")
        sub.close()

    def test_help_names_every_right(self):
        said = self.stack.run("applications", "api-keys", "create", "--help").stdout
        for right in ("info", "link", "traffic-read", "traffic-down-write", "traffic-up-write", "devices-read", "devices-write", "settings-api-keys",
                      "all"):
            self.assertIn("--right-application-" + right, said)
        self.assertNotIn("--right-gateway-", said)
        self.assertIn("--right-gateway-status-read", self.stack.run("gateways", "api-keys", "create", "--help").stdout)

    def test_each_topic_may_be_subscribed_by_itself(self):
        device = self.abp(0x01DA1F21)
        ups = self.subscriber("v3/app1/devices/dev1/up", client_id="ups")
        for topic in TOPICS:
            granted = []
            sub = self.subscriber("v3/app1/devices/dev1/" + topic)
            sub.client.on_subscribe = lambda client, data, mid, codes, granted=granted: granted.extend(codes)
            sub.client.subscribe(sub.topic, 1)
            end = time.monotonic() + 30
            while not granted and time.monotonic() < end:
                time.sleep(0.02)
            self.assertEqual(list(granted), [1], topic)
        self.gateway().uplink(device.uplink(15, b"one"))
        ups.wait("dev1/up", timeout=30)
        self.assertEqual([t for t, _ in ups.messages], ["v3/app1/devices/dev1/up"])

    def test_the_example_of_a_join(self):
        device, gateway = Device(dev_eui=int(EUI, 16), join_eui=int(EUI, 16), app_key=os.urandom(16)), self.gateway()
        self.stack.create_otaa(device, "app1", "dev1")
        self.addCleanup(self.stack.cli, "end-devices", "delete", "app1", "dev1")
        gateway.uplink(device.join_request())
        self.assertTrue(device.accept(gateway.wait_emission(1, 30).phy))
        join = self.sub.wait("v3/app1/devices/dev1/join", timeout=30)
        self.check_members(JOIN, join)
        self.assertEqual(join["end_device_ids"], {**IDS, "dev_addr": "%08X" % device.dev_addr})
        self.check_story(join)
        self.check_session(join["join_accept"])

    def test_the_example_of_an_uplink(self):
        device, gateway = self.abp(0x01DA1F15), self.gateway(0x0242020000247803)
        gateway.uplink(device.uplink(15, b"Temperature = 0.0"), tmst=1283325000, time="2019-01-29T13:02:34.981Z", rssi=-35, snr=5, freq=868.5, chan=2,
                       codr="4/6")
        up = self.sub.wait("v3/app1/devices/dev1/up", timeout=30)
        self.check_members(UP, up)
        self.assertEqual(up["end_device_ids"], UP["end_device_ids"])
        self.check_story(up)
        self.check_session(up["uplink_message"])
        base64.b64decode(up["uplink_message"]["rx_metadata"][0]["uplink_token"], validate=True)

    def test_correlation_ids_follow_a_message(self):
        device, gateway = self.abp(0x01DA1F22), self.gateway()
        gateway.uplink(device.uplink(15, b"follow"))
        up = self.sub.wait("dev1/up", timeout=30)
        own = [i for i in up["correlation_ids"] if i.startswith("gs:uplink:")][0]
        names = []
        end = time.monotonic() + 30
        while "as.up.data.forward" not in names and time.monotonic() < end:
            names = [e["name"] for e in self.stack.cli("trace", own)]
        self.assertIn("as.up.data.forward", names)
        self.assertTrue([n for n in names if n.startswith("gs.up.")] and [n for n in names if n.startswith("ns.up.")], names)

    def test_mosquitto_pub_schedules_and_the_device_receives(self):
        device, gateway = self.abp(0x01DA1F23), self.gateway()
        out = self.mosquitto("""mosquitto_pub -h localhost -t 'v3/app1/devices/dev1/down/push' -u app1 -P 'NNSXS.VEEBURF3KR77ZR..' """
                             """-m '{"downlinks":[{"f_port": 15,"frm_payload":"vu8=","priority": "NORMAL"}]}' -d""")
        self.assertEqual(out.returncode, 0, out.stderr)
        self.sub.wait("dev1/down/queued", timeout=30)
        self.assertEqual([(i["f_port"], i["frm_payload"], i["priority"]) for i in self.listed()], [(15, "vu8=", "NORMAL")])
        gateway.uplink(device.uplink(1, b"x"))
        down = device.downlink(gateway.wait_emission(1, 30).phy)
        self.assertEqual((down.f_port, down.payload, down.confirmed), (15, b"\xbe\xef", False))
        self.sub.wait("dev1/down/sent", timeout=30)
        self.assertEqual(self.listed(), [])

    def test_a_removed_key_is_an_event_that_names_it(self):
        made = self.printed("ttn-lw-cli applications api-keys create --name gone --application-id app1 --right-application-traffic-read")
        self.stack.cli("applications", "api-keys", "delete", "app1", made["id"])
        with self.assertRaisesRegex(AssertionError, "CONNACK 5"):
            Subscriber(self.stack, made["key"], app="app1")
        fails = [e for e in self.stack.cli("events", "--application-id", "app1") if e["name"] == "as.mqtt.connect.fail"]
        self.assertIn("api key with id %s not found" % made["id"], json.dumps(fails))

    def test_pushes_as_printed_replace_and_clear(self):
        self.abp(0x01DA1F25)
        self.push(PUSH)
        self.push(PUSH_WITH_COMMA)
        self.sub.wait("dev1/down/queued", 2, 30)
        self.assertEqual([i["frm_payload"] for i in self.listed()], ["vu8=", "vu8="])
        self.push(PUSH_CONFIRMED % "HIGH", "replace")
        queued = self.sub.wait("dev1/down/queued", 3, 30)
        self.assertEqual(queued["correlation_ids"][0], "my-correlation-id")
        self.assertEqual([(i["priority"], i["confirmed"], i["correlation_ids"][0]) for i in self.listed()], [("HIGH", True, "my-correlation-id")])
        several = {"downlinks": [{"f_port": n, "frm_payload": "AQ=="} for n in (1, 2, 3)]}
        self.push(json.dumps(several), "replace")
        self.sub.wait("dev1/down/queued", 6, 30)
        self.assertEqual([(i["f_port"], i.get("priority", "LOWEST")) for i in self.listed()], [(1, "LOWEST"), (2, "LOWEST"), (3, "LOWEST")])
        self.push('{"downlinks": []}', "replace")
        end = time.monotonic() + 30
        while self.listed() and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(self.listed(), [])

    def test_the_example_of_an_acknowledgement(self):
        device, gateway = self.abp(0x00E6F42A, "--session.last-n-f-cnt-down", "10"), self.gateway()
        self.push(PUSH_CONFIRMED % "NORMAL")
        self.sub.wait("dev1/down/queued", timeout=30)
        gateway.uplink(device.uplink(1, b"x"))
        self.assertTrue(device.downlink(gateway.wait_emission(1, 30).phy).confirmed)
        self.sub.wait("dev1/down/sent", timeout=30)
        time.sleep(1.2)
        gateway.uplink(device.uplink(1, b"y", ack=True))
        ack = self.sub.wait("v3/app1/devices/dev1/down/ack", timeout=30)
        self.check_members(ACK, ack)
        self.assertEqual(ack["end_device_ids"], ACK["end_device_ids"])
        for ids in (ack["correlation_ids"], ack["downlink_ack"]["correlation_ids"]):
            self.assertEqual(ids[0], "my-correlation-id")
            self.assertGreater(len(ids), 1)
        self.check_session(ack["downlink_ack"])

    def test_class_c_is_switched_by_the_commands(self):
        self.abp(0x01DA1F26)
        self.assertIs(self.printed("ttn-lw-cli end-devices update app1 dev1 --supports-class-c")["supports_class_c"], True)
        self.assertNotIn("supports_class_c", self.printed("ttn-lw-cli end-devices update app1 dev1 --supports-class-c=false"))

    def test_multicast_as_printed(self):
        self.stack.cli("gateways", "create", "gtw1", "--gateway-eui", "0242020000247899", "--frequency-plan-id", PLAN)
        gateway = self.gateway(0x0242020000247899)
        group = Device(dev_addr=0x01DA1F27, nwk_s_key=os.urandom(16), app_s_key=os.urandom(16))
        self.stack.create_abp(group, "app1", "dev1", "--multicast", "--supports-class-c")
        self.addCleanup(self.stack.cli, "end-devices", "delete", "app1", "dev1")
        self.push('{"downlinks": [{"f_port": 15, "frm_payload": "vu8=", "priority": "NORMAL", '
                  '"class_b_c": {"gateways": [{"gateway_ids": {"gateway_id": "gtw1"}}]}}]}')
        down = group.downlink(gateway.wait_emission(1, 30).phy)
        self.assertEqual((down.f_port, down.payload), (15, b"\xbe\xef"))
        self.sub.wait("dev1/down/sent", timeout=30)


class Statements(unittest.TestCase):
    """STATEMENTS.md: every statement has a test, and every test it names exists."""

    def test_each_has_a_test_that_exists(self):
        with open(os.path.join(HERE, "STATEMENTS.md"), encoding="utf-8") as f:
            lines = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in f if re.match(r"\| ([A-Z]\d|`)", line)]
        contract = [row for row in lines if row[0][0] in "ABCD"]
        errors = [row for row in lines if row[0][0] == "`"]
        rows = [row for row in lines if row[0][0] in "MST"]
        for row in contract:
            self.assertEqual(len(row), 4, row)
            self.assertRegex(row[2], "^(same|better|not served|16 of them)", row)
            self.assertTrue(row[3] != "–" or row[2].startswith("not served: "), row)
        with open(os.path.join(SOURCE, "proto", "errors.def"), encoding="utf-8") as f:
            names = re.findall(r"^DOWN_ERROR\((\w+),", f.read(), re.M)
        self.assertEqual([row[0].strip("`") for row in errors], names)
        rows += [[row[0], row[1], row[3]] for row in contract if row[3] != "–"] + [[row[0], row[0], row[1]] for row in errors]
        for page in "MSTABCD":
            ids = [int(row[0][1:]) for row in (contract if page in "ABCD" else rows) if row[0][0] == page]
            self.assertEqual(ids, list(range(1, len(ids) + 1)))
            self.assertGreater(len(ids), 3)
        known, named = {}, set()
        for row in rows:
            self.assertEqual(len(row), 3, row)
            self.assertTrue(row[1], row)
            self.assertTrue(row[2], row)
            for test in row[2].split("; "):
                in_c = re.fullmatch(r"(\w+) (\w+)", test)
                if in_c:
                    with open(os.path.join(SOURCE, "test", "unit", in_c.group(1) + ".c"), encoding="utf-8") as f:
                        self.assertIn("START_TEST(%s)" % in_c.group(2), f.read())
                    continue
                file, owner, function = re.fullmatch(r"(\w+) (\w+)\.((?:test|story)_\w+)", test).groups()
                self.assertIn((owner, function), known.setdefault(file, self.functions(file)), test)
                named.add((file, owner, function))
        for owner, function in self.functions("test_seeds"):
            self.assertTrue(owner == "Statements" or ("test_seeds", owner, function) in named, function)

    @staticmethod
    def functions(file):
        """The tests that a file of this folder has: (class, function)."""
        with open(os.path.join(HERE, file + ".py"), encoding="utf-8") as f:
            tree = ast.parse(f.read())
        return {(c.name, f.name) for c in tree.body if isinstance(c, ast.ClassDef) for f in c.body
                if isinstance(f, ast.FunctionDef) and f.name.startswith(("test_", "story_"))}


if __name__ == "__main__":
    unittest.main()
