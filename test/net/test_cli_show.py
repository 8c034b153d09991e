"""What the command line shows: tables for people, chosen fields, lists of any length."""
import json
import os
import queue
import re
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from gateway import Gateway  # noqa: E402
from godwit import PLAN, Stack, program  # noqa: E402
from lorawan import Device  # noqa: E402

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


class Shown(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()
        cls.stack.cli("applications", "create", "app1", "--name", "Käse 日本", "--tenant-id", "tenant1")
        cls.stack.cli("applications", "create", "app1", "--name", "a\tb")
        cls.gateway = Gateway(cls.stack.address("gs.udp"), eui=0xAA555A0000000C01)
        cls.stack.cli("gateways", "create", "gtw1", "--gateway-eui", "AA555A0000000C01", "--frequency-plan-id", PLAN)
        cls.stack.cli("gateways", "create", "silent", "--gateway-eui", "AA555A0000000C02", "--frequency-plan-id", PLAN)
        cls.gateway.wait_path()
        cls.device = Device(dev_addr=0x01DA1F15, nwk_s_key=os.urandom(16), app_s_key=os.urandom(16))
        cls.stack.create_abp(cls.device, "app1", "dev1", "--dev-eui", "70B3D57ED0051C01", "--join-eui", "0000000000000001", "--supports-class-c")
        cls.stack.cli("end-devices", "create", "app1", "ip1")
        end = time.monotonic() + 60
        while True:
            # The events of the first ones may come before there is somebody to tell.
            cls.gateway.uplink(cls.device.uplink(1, b"x"))
            if cls.stack.cli("end-devices", "get", "app1", "dev1", "--last-seen-at").get("last_seen_at") and \
                    cls.stack.cli("gateways", "get-connection-stats", "gtw1").get("last_uplink_received_at") and \
                    {"gs.up.receive", "as.up.data.forward"} <= {e["name"] for e in cls.stack.cli("events")}:
                break
            if time.monotonic() > end:
                raise AssertionError("an uplink was waited for in vain")
            time.sleep(0.3)

    @classmethod
    def tearDownClass(cls):
        cls.gateway.close()
        cls.stack.close()

    def table(self, *words):
        """The lines of a table; every row has its cells below their headings."""
        lines = self.stack.run(*words, "--table").stdout.splitlines()
        for line in lines:
            self.assertEqual(line, line.rstrip())
        return lines

    def test_devices(self):
        lines = self.table("end-devices", "list", "app1")
        self.assertRegex(lines[0], r"^ID +DEVEUI +DEVADDR +CLASS +LORAWAN +PLAN +LAST SEEN \(UTC\)$")
        self.assertRegex(lines[1], r"^dev1 +70B3D57ED0051C01 +01DA1F15 +C +1\.0\.3 +%s +%s$" % (PLAN, TIME))
        self.assertRegex(lines[2], r"^ip1 +IP$")
        self.assertEqual({line.index("70B3D57ED0051C01") for line in lines[1:2]}, {lines[0].index("DEVEUI")})

    def test_applications(self):
        lines = self.table("applications", "list")
        self.assertRegex(lines[0], r"^ID +NAME +CREATED \(UTC\)$")
        shown = {line.split()[0]: line for line in lines[1:]}
        self.assertRegex(shown["app1"], r"^app1 +a\\tb  +" + TIME)
        # Wide characters take two columns, so the time stands one character to the left for each.
        self.assertEqual(shown["app1@tenant1"].index("2"), lines[0].index("CREATED") - 2)

    def test_gateways(self):
        lines = self.table("gateways", "list")
        self.assertRegex(lines[0], r"^ID +EUI +PLAN +CONNECTED +LAST UPLINK \(UTC\) +UP +DOWN")
        shown = {line.split()[0]: line for line in lines[1:]}
        self.assertRegex(shown["gtw1"], r"^gtw1 +AA555A0000000C01 +%s +yes +%s +\d+ +\d+$" % (PLAN, TIME))
        self.assertRegex(shown["silent"], r"^silent +AA555A0000000C02 +%s +no$" % PLAN)
        self.assertEqual(re.search(r"\d+(?= +\d+$)", shown["gtw1"]).end(), lines[0].index("UP ", lines[0].index("(UTC)")) + 2, "numbers stand at the right")

    def test_statistics_of_a_connection(self):
        lines = self.table("gateways", "get-connection-stats", "gtw1")
        self.assertRegex("\n".join(lines), r"(?m)^connected_at +%s \(UTC\)$" % TIME)
        at = lines.index("sub_bands")
        self.assertRegex(lines[at + 1], r"^SUB-BAND \[MHz\] +LIMIT +USED$")
        self.assertRegex(lines[at + 2], r"^\d+\.\d{3} to \d+\.\d{3} +\d+\.\d\d % +\d+\.\d\d %$")

    def test_keys(self):
        self.stack.cli("applications", "api-keys", "create", "app1@tenant1", "--name", "k", "--right-application-traffic-read", "--right-application-link",
                       "--expires-at", "2126-01-01T00:00:00Z")
        self.stack.cli("applications", "api-keys", "create", "app1@tenant1", "--right-application-all")
        lines = self.table("applications", "api-keys", "list", "app1@tenant1")
        self.assertRegex(lines[0], r"^ID +NAME +EXPIRES \(UTC\) +CREATED \(UTC\) +RIGHTS$")
        self.assertRegex(lines[1], r"^[A-Z0-9]+ +k +2126-01-01 00:00:00 +%s +traffic-read,link$" % TIME)
        self.assertRegex(lines[2], r"^[A-Z0-9]+ +never +%s +all$" % TIME)

    def test_the_queue(self):
        self.stack.create_abp(Device(dev_addr=0x01DA1F16, nwk_s_key=os.urandom(16), app_s_key=os.urandom(16)), "app1", "q1")
        self.stack.cli("end-devices", "downlink", "push", "app1", "q1", "--f-port", "3", "--frm-payload", "beef", "--confirmed", "--priority", "HIGH",
                       "--correlation-ids", "mine")
        lines = self.table("end-devices", "downlink", "list", "app1", "q1")
        self.assertRegex(lines[0], r"^PORT +PRIORITY +CONFIRMED +PAYLOAD +CORRELATION IDS$")
        self.assertRegex(lines[1], r"^   3 +HIGH +yes +BEEF +mine")
        self.stack.cli("end-devices", "delete", "app1", "q1")

    def test_events(self):
        lines = self.table("events", "--application-id", "app1")
        self.assertRegex(lines[0], r"^TIME \(UTC\) +PROC +NAME +OF +DATA$")
        self.assertTrue([line for line in lines if re.match(TIME + r"\.\d{3} +as +as\.up\.data\.forward +app1/dev1", line)], lines)
        own = [i for e in self.stack.cli("events") if e["name"] == "gs.up.receive" for i in e["correlation_ids"] if i.startswith("gs:uplink:")][-1]
        self.assertTrue([line for line in self.table("trace", own) if re.match(r" *0\.0 +gs +heard ", line)])

    def test_events_as_they_come(self):
        for how, says in (("--table", r"%s\.\d{3} +as +as\.down\.data\.receive +app1/dev1" % TIME), ("--fields=name", r'\{"name":"as\.down\.data\.receive"\}')):
            p = subprocess.Popen([program("godwit"), "--state-dir", self.stack.state, "events", "--application-id", "app1", "--follow", how],
                                 stdout=subprocess.PIPE, text=True)
            lines = queue.Queue()
            reader = threading.Thread(target=lambda out=p.stdout, lines=lines: [lines.put(line) for line in out])
            reader.start()
            end, line = time.monotonic() + 60, ""
            while not re.match(says, line):
                self.assertLess(time.monotonic(), end)
                self.stack.cli("end-devices", "downlink", "push", "app1", "dev1", "--f-port", "1", "--frm-payload", "00")
                self.stack.cli("end-devices", "downlink", "clear", "app1", "dev1")
                while not re.match(says, line):
                    try:
                        line = lines.get(timeout=0.3)
                    except queue.Empty:
                        break
            p.kill()
            p.wait()
            reader.join()
            p.stdout.close()

    def test_one_object_is_a_sheet(self):
        lines = self.table("end-devices", "get", "app1", "dev1", "--mac-state")
        self.assertIn("ids.dev_eui", [line.split()[0] for line in lines if line])
        self.assertRegex("\n".join(lines), r"(?m)^lorawan_version +1\.0\.3$")
        self.assertRegex("\n".join(lines), r"(?m)^UP \[MHz\] +DOWN \[MHz\] +TO +ENABLED$")

    def test_free_text_gives_way_to_the_terminal(self):
        self.stack.cli("applications", "create", "wordy", "--name", "w" * 60, "--description", "ä" * 200)
        env = {**os.environ, "COLUMNS": "80"}
        out = subprocess.run([program("godwit"), "--state-dir", self.stack.state, "applications", "list", "--table"], capture_output=True, text=True, env=env,
                             check=True).stdout
        row = [line for line in out.splitlines() if line.startswith("wordy")][0]
        self.assertLessEqual(len(row), 80)
        self.assertIn("w…", row)
        self.assertIn("ä…", row)
        self.assertIn("w" * 60 + " ", self.stack.run("applications", "list", "--table").stdout)
        self.stack.cli("applications", "delete", "wordy")

    def test_fields(self):
        self.assertEqual(self.stack.cli("end-devices", "get", "app1", "dev1", "--fields", "ids.device_id,lorawan_version"),
                         {"ids": {"device_id": "dev1"}, "lorawan_version": "MAC_V1_0_3"})
        listed = self.stack.cli("end-devices", "list", "app1", "--fields=ids.device_id,session.dev_addr,last_seen_at")
        self.assertEqual((listed[0]["ids"], listed[0]["session"]), ({"device_id": "dev1"}, {"dev_addr": "01DA1F15"}))
        self.assertIn("last_seen_at", listed[0])
        self.assertEqual(listed[1], {"ids": {"device_id": "ip1"}})
        self.assertEqual(self.stack.cli("gateways", "get", "gtw1", "--fields", "ids.eui"), {"ids": {"eui": "AA555A0000000C01"}})
        lines = self.table("end-devices", "list", "app1", "--fields", "ids.device_id,session.dev_addr")
        self.assertRegex(lines[0], r"^ids\.device_id +session\.dev_addr$")
        self.assertRegex(lines[1], r"^dev1 +01DA1F15$")
        self.assertEqual(self.stack.run("end-devices", "get", "app1", "dev1", "--fields", "ids.device_id", "--table").stdout, "ids.device_id  dev1\n")

    def test_lists_are_searched_and_ordered(self):
        def ids(*more):
            return [d["ids"]["device_id"] for d in self.stack.cli("end-devices", "list", "app1", *more)]
        self.assertEqual(ids("--order", "device_id"), ["dev1", "ip1"])
        self.assertEqual(ids("--order=-device_id"), ["ip1", "dev1"])
        self.assertEqual(ids("--dev-eui-contains", "51C01"), ["dev1"])
        self.assertEqual(ids("--id-contains", "ip"), ["ip1"])
        self.assertEqual([g["ids"]["gateway_id"] for g in self.stack.cli("gateways", "search", "--eui-contains", "0C02")], ["silent"])
        self.assertEqual(self.stack.cli("applications", "search", "--name-contains", "no such name"), [])
        refused = self.stack.run("end-devices", "list", "app1", "--order", "colour", check=False)
        self.assertEqual((refused.returncode, refused.stdout), (1, ""))
        self.assertIn("order", refused.stderr)

    def test_what_only_the_network_server_knows_is_shown_where_it_is_asked_for(self):
        shown = self.stack.cli("end-devices", "get", "app1", "dev1", "--session", "--mac-state", "--last-seen-at")
        self.assertEqual((shown["ids"]["device_id"], shown["session"]["dev_addr"]), ("dev1", "01DA1F15"))
        self.assertIn("current_parameters", shown["mac_state"])
        self.assertIn("last_seen_at", shown)
        listed = {d["ids"]["device_id"]: d for d in self.stack.cli("end-devices", "list", "app1", "--mac-state")}
        self.assertIn("current_parameters", listed["dev1"]["mac_state"])
        self.assertNotIn("mac_state", listed["ip1"])

    def test_lists_have_no_end_but_their_own(self):
        self.stack.cli("applications", "create", "many")
        names = ["d%04d" % n for n in range(1203)]
        lines = "\n".join(json.dumps({"ids": {"device_id": name}}) for name in names)
        self.stack.run("end-devices", "import", "many", "-", stdin=lines)
        listed = [d["ids"]["device_id"] for d in self.stack.cli("end-devices", "list", "many")]
        self.assertEqual((len(listed), sorted(listed)), (len(names), names))
        self.assertEqual(sorted(line.split()[0] for line in self.table("end-devices", "list", "many")[1:]), names)
        self.assertEqual([d["ids"]["device_id"] for d in self.stack.cli("end-devices", "list", "many", "--limit", "3", "--page", "2")], listed[3:6])
        self.assertEqual(len(self.stack.cli("end-devices", "list", "many", "--page", "2")), 50)
        self.assertEqual(self.stack.cli("end-devices", "list", "many", "--limit", "1000", "--page", "9"), [])
        self.stack.cli("applications", "delete", "many")


if __name__ == "__main__":
    unittest.main()
