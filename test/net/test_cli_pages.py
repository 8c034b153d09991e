"""Every command is run as it is printed: each one's example in its help, and what the pages for users and operators tell people to type."""
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from gateway import Gateway  # noqa: E402
from godwit import PLAN, Stack, program  # noqa: E402

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
KEY = "2B7E151628AED2A6ABF7158809CF4F3C"

# The commands in the order in which their examples are run, each with what its answer says (a regular expression; None: "{}").
EXAMPLES = [
    ("applications create", '"name": "Parking lots"'),
    ("applications list", r"app1 +Parking lots"),
    ("applications search", '"application_id": "app1"'),
    ("applications issue-dev-eui", '"dev_eui": "[0-9A-F]{16}"'),
    ("applications get", '"application_id": "app1"'),
    ("applications update", '"description": "Lot 7 to lot 12"'),
    ("applications set", '"name": "Parking"'),
    ("applications mqtt-info", '"username": "app1"'),
    ("applications api-keys create", r'"key": "NNSXS\.'),
    ("applications api-keys list", r"traffic-read,traffic-down-write"),
    ("applications api-keys get", '"name": "mqtt-client"'),
    ("applications api-keys update", '"expires_at": "2030-01-01T00:00:00Z"'),
    ("applications api-keys delete", None),
    ("applications link delete", None),
    ("applications link set", "FORMATTER_NONE"),
    ("applications link get", "FORMATTER_NONE"),
    ("applications pubsubs set", '"base_topic": "base-topic"'),
    ("applications pubsubs get", '"publish_qos": "AT_LEAST_ONCE"'),
    ("applications pubsubs list", r"ps1 +mqtt://broker\.example\.net:1883"),
    ("applications pubsubs delete", None),
    ("applications provisioning set", '"provision_device_key": "u7piawkboq8v32dmcmpp"'),
    ("applications provisioning get", '"provision_device_secret": "jpmwdn8ptlswmf4m29bw"'),
    ("applications provisioning delete", '"number_texts_are_numbers": true'),
    ("applications device-profile set", r'"telemetry_topic": "sensors/\+/data"'),
    ("applications device-profile get", r'"telemetry_topic": "sensors/\+/data"'),
    ("applications webhooks set", '"path": "up/{devID}"'),
    ("applications webhooks get", '"X-Site": "roof"'),
    ("applications webhooks list", r"wh1 +https://example\.net/lora"),
    ("applications webhooks delete", None),
    ("gateways create", '"gateway_id": "gtw1"'),
    ("gateways adopt", '"gateway_id": "gtw2"'),
    ("gateways list", r"gtw1 +AA555A0000000101 +EU_863_870 +yes"),
    ("gateways search", r"gtw1 +AA555A0000000101"),
    ("gateways get", '"eui": "AA555A0000000101"'),
    ("gateways update", '"latitude": 52.5'),
    ("gateways set", '"name": "Roof"'),
    ("gateways get-connection-stats", r"uplink_count +\d"),
    ("gateways api-keys create", r'"key": "NNSXS\.'),
    ("gateways api-keys list", r"watch .* info,status-read"),
    ("gateways api-keys get", '"name": "watch"'),
    ("gateways api-keys update", '"name": "watcher"'),
    ("gateways api-keys delete", None),
    ("end-devices create", '"dev_eui": "70B3D57ED0051234"'),
    ("end-devices list", r"ids\.device_id +session\.dev_addr +last_seen_at\n"),
    ("end-devices search", '"device_id": "dev1"'),
    ("end-devices get", '"device_id": "dev1"'),
    ("end-devices update", '"supports_class_c": true'),
    ("end-devices set", "RX_DELAY_1"),
    ("end-devices export", r'^\{"ids":\{"device_id":"dev1"'),
    ("end-devices import", '"refused": 0'),
    ("end-devices credentials set", '"access_token": "A1_TEST_TOKEN"'),
    ("end-devices credentials get", '"credentials_type": "ACCESS_TOKEN"'),
    ("end-devices rpc", '"status": "QUEUED"'),
    ("end-devices rpc list", '"method": "setGpio"'),
    ("end-devices rpc get", '"value": 1'),
    ("end-devices rpc delete", None),
    ("end-devices claim", '"SUCCESS"'),
    ("end-devices unclaim", None),
    ("end-devices reset", '"device_id": "dev1"'),
    ("end-devices rejoin", '"device_id": "dev2"'),
    ("end-devices downlink push", None),
    ("end-devices downlink replace", None),
    ("end-devices downlink list", r"  15 +LOWEST +BEEF"),
    ("end-devices downlink clear", None),
    ("end-devices telemetry", r"^\{"),
    ("end-devices attributes set", '"interval": 60'),
    ("end-devices attributes get", '"value": 60'),
    ("end-devices attributes delete", None),
    ("end-devices multicast-members add", "dev2"),
    ("end-devices multicast-members list", "dev1"),
    ("end-devices multicast-members remove", "dev1"),
    ("simulate application-uplink", None),
    ("formatters test", '"temperature": 22.5'),
    ("events", r"as\.up\.data\.forward +app1/dev1"),
    ("trace", r"^ *0\.0 +gs +heard"),
    ("why", r"^Why does it not join\?$"),
    ("logs set", '"level": "debug"'),
    ("logs get", "dev1"),
    ("logs clear", r"\[\]"),
    ("api-keys create", '"RIGHT_ALL"'),
    ("api-keys list", "alice"),
    ("api-keys get", '"name": "alice"'),
    ("api-keys update", '"name": "bob"'),
    ("api-keys delete", None),
    ("completion", "_godwit"),
    ("end-devices delete", None),
    ("end-devices batch-delete", None),
    ("gateways delete", None),
    ("applications delete", None),
    ("backup", "godwit-1"),
    ("restore", r""),
]

# What the contract of the command line says, each alternative by itself.
CONTRACT = """
applications create app2 --name N --description D --tenant-id tenant1
applications list
applications get app1
applications delete app1
applications api-keys create --application-id app1 --name mqtt-client --right-application-traffic-read --right-application-traffic-down-write
applications api-keys list --application-id app1
applications api-keys delete --application-id app1 --api-key-id ID
applications link set app1 --api-key NNSXS.LINK
applications link get app1
applications link delete app1
end-devices create app1 dev1 --dev-eui 70B3D57ED0051234 --join-eui 0000000000000001 --frequency-plan-id EU_863_870 --lorawan-version 1.0.3 \
 --lorawan-phy-version 1.0.3-a --root-keys.app-key.key HEX32 --supports-class-c
end-devices create app1 dev1 --dev-eui 70B3D57ED0051234 --join-eui 0000000000000001 --frequency-plan-id EU_863_870 --lorawan-version 1.1 \
 --root-keys.app-key.key HEX32 --root-keys.nwk-key.key HEX32
end-devices create app1 dev1 --dev-eui 70B3D57ED0051234 --join-eui 0000000000000001 --frequency-plan-id EU_863_870 --lorawan-version 1.0.3 --with-root-keys
end-devices create app1 dev2 --abp --frequency-plan-id EU_863_870 --lorawan-version 1.0.3 --session.dev-addr 01DA1F15 --session.keys.nwk-s-key.key HEX32 \
 --session.keys.app-s-key.key HEX32
end-devices create app1 dev2 --abp --frequency-plan-id EU_863_870 --lorawan-version 1.1 --session.dev-addr 01DA1F15 \
 --session.keys.f-nwk-s-int-key.key HEX32 --session.keys.s-nwk-s-int-key.key HEX32 --session.keys.nwk-s-enc-key.key HEX32 --session.keys.app-s-key.key HEX32 \
 --session.last-f-cnt-up 1 --session.last-n-f-cnt-down 2 --session.last-a-f-cnt-down 3
end-devices create app1 mc1 --abp --multicast --supports-class-c --frequency-plan-id EU_863_870 --lorawan-version 1.0.3 --session.dev-addr 01DA1F16 \
 --session.keys.nwk-s-key.key HEX32 --session.keys.app-s-key.key HEX32
end-devices update app1 dev1 --supports-class-c
end-devices update app1 dev1 --supports-class-c=false
end-devices set app1 dev1 --supports-class-c
end-devices get app1 dev1 --session --mac-state
end-devices list app1
end-devices reset app1 dev1
end-devices import app1 devices.json
end-devices export app1
end-devices downlink push app1 dev1 --f-port 15 --frm-payload BEEF --confirmed --priority NORMAL --correlation-ids a,b
end-devices downlink push app1 lamps --f-port 15 --frm-payload BEEF --class-b-c.gateways gtw1,gtw2 --class-b-c.absolute-time 2126-01-01T00:00:00Z
end-devices downlink replace app1 dev1 --f-port 15 --frm-payload BEEF
end-devices downlink clear app1 dev1
end-devices downlink list app1 dev1
end-devices delete app1 dev1
gateways create gtw3 --gateway-eui 0242020000247803 --frequency-plan-id EU_863_870 --enforce-duty-cycle=false --location.latitude 52.5
gateways list
gateways get gtw1
gateways get-connection-stats gtw1
gateways delete gtw2
events --application-id app1 --device-id dev1 --gateway-id gtw1
events --application-id app1 --follow
trace CORRELATION-ID
applications mqtt-info app1
end-devices multicast-members add app1 mc1 dev1
end-devices multicast-members remove app1 mc1 dev1
end-devices multicast-members list app1 mc1
"""

# What stands in the pages and is run elsewhere, or is not whole.
ELSEWHERE = {
    "up": "every test here begins with it",
    "backup": "above, and test_backup",
    "restore": "above, and test_backup",
    "applications api-keys delete": "which one, the sentence does not say",
    "why": "about which device, the sentence does not say",
}


def printed_in(page):
    """The commands of a page: in its blocks, and whole ones in its sentences."""
    with open(os.path.join(SOURCE, page), encoding="utf-8") as f:
        text = f.read()
    blocks = re.findall(r"```\w*\n(.*?)```", text, re.S)
    text = re.sub(r"```\w*\n.*?```", "", text, flags=re.S)
    lines = [line for block in blocks for line in re.sub(r"\\\n\s*", " ", block).splitlines()]
    lines += re.findall(r"`((?:sudo )?godwit [^`]+)`", text)
    return [re.sub(r"^\s*(?:sudo )?godwit ", "", line) for line in lines if re.match(r"\s*(?:sudo )?godwit ", line)]


class World(unittest.TestCase):
    """An installation with gateways that are heard."""

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()
        cls.folder = tempfile.TemporaryDirectory()
        cls.words = {"climate.js": os.path.join(SOURCE, "deploy/examples/climate.js")}
        try:
            cls.gateways = [Gateway(cls.stack.address("gs.udp"), eui=0xAA555A0000000101 + n) for n in range(2)]
            for gateway in cls.gateways:
                gateway.wait_path()
            cls.wait(lambda: len([g for g in cls.stack.cli("gateways", "list") if g.get("registered") is False]) == 2)
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        for gateway in getattr(cls, "gateways", ()):
            gateway.close()
        cls.stack.close()
        cls.folder.cleanup()

    @staticmethod
    def wait(condition, timeout=60):
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                raise AssertionError("waited in vain")
            time.sleep(0.1)

    @classmethod
    def file(cls, name, text):
        path = os.path.join(cls.folder.name, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def story(self):
        """A correlation id of a message that a gateway heard; the first ones may come before there is somebody to tell."""
        def ids():
            self.gateways[0].uplink(bytes([0x40]) + os.urandom(13))
            return [i for e in self.stack.cli("events") if e["name"] == "gs.up.receive" for i in e["correlation_ids"] if i.startswith("gs:uplink:")]
        self.wait(ids)
        return ids()[0]

    def run_printed(self, line, status=0):
        """Run a command as it is printed, with what was made in the place of words that stand for it."""
        line = re.split(r"\s+#\s", line)[0]
        words = [self.words.get(word, word) for word in shlex.split(re.sub(r"\s*>\S+$", "", line))]
        if "--follow" in words:
            return self.follow(words)
        p = self.stack.run(*words, check=False)
        self.assertEqual(p.returncode, status, (line, p.stderr))
        return p.stdout

    def follow(self, words):
        """It goes on until it is ended."""
        p = subprocess.Popen([program("godwit"), "--state-dir", self.stack.state, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            p.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            p.terminate()
        out, err = p.communicate()
        self.assertEqual((p.returncode, err), (-15, ""), words)
        return out

    def device(self, name, *more):
        self.stack.cli("end-devices", "create", "app1", name, "--frequency-plan-id", PLAN, *more)


def otaa(eui, version):
    return ("--dev-eui", eui, "--join-eui", "0000000000000001", "--lorawan-version", version, "--root-keys.app-key.key", KEY, "--root-keys.nwk-key.key",
            KEY[::-1]) if version == "1.1" else \
        ("--dev-eui", eui, "--join-eui", "0000000000000001", "--lorawan-version", version, "--root-keys.app-key.key", KEY)


def session(dev_addr, *more):
    return ("--session.dev-addr", dev_addr, "--session.keys.f-nwk-s-int-key.key", KEY, "--session.keys.app-s-key.key", KEY, *more)


def abp(dev_addr):
    return ("--abp", "--lorawan-version", "1.0.3", *session(dev_addr))


class Examples(World):
    """What `godwit help COMMAND` shows works as it is shown."""

    def example(self, command):
        return re.search(r"^Example:\n  godwit (.*)$", self.stack.run("help", *command.split()).stdout, re.M).group(1)

    def before(self, command):
        """What an example takes for granted."""
        if command == "end-devices rejoin":
            self.device("dev2", *otaa("70B3D57ED0051235", "1.1"), *session("01DA1F15", "--session.keys.s-nwk-s-int-key.key", KEY,
                                                                          "--session.keys.nwk-s-enc-key.key", KEY))
        elif command == "end-devices multicast-members add":
            self.device("mc1", *abp("01DA1F16"), "--multicast", "--supports-class-c")
        elif command == "end-devices credentials set":
            self.stack.cli("end-devices", "create", "app1", "meter1")
        elif command == "end-devices claim":
            self.offer("A1_TEST_TOKEN")
        elif command == "trace":
            self.words["CORRELATION-ID"] = self.story()
        elif command == "restore":
            self.stack.stop()

    def offer(self, token):
        """A device lets itself be claimed."""
        host, port = self.stack.address("as.mqtt")
        subprocess.run(["mosquitto_pub", "-h", host, "-p", str(port), "-q", "1", "-u", token, "-t", "v1/devices/me/claim", "-m", '{"secretKey":"sesame"}'],
                       check=True, timeout=30)

    def after(self, command, out):
        if command.endswith("api-keys create"):
            self.words["ID"] = json.loads(out)["id"]
        elif command == "end-devices rpc":
            self.words["RPC-ID"] = json.loads(out)["rpc_id"]
        elif command == "end-devices export":
            self.words["devices.json"] = self.file("devices.json", out)

    def test_each_command_has_an_example_and_it_works(self):
        commands = re.findall(r"^  godwit ([a-z][a-z -]*[a-z])(?: [A-Z\[].*)?$", self.stack.run("help").stdout, re.M)
        self.assertEqual(sorted(set(commands) - {"up", "help"}), sorted(command for command, _ in EXAMPLES),
                         "a command that has no row here is not run by anybody")
        self.words["/var/backups/godwit-1"] = os.path.join(self.folder.name, "godwit-1")
        for command, says in EXAMPLES:
            self.before(command)
            line = self.example(command)
            self.assertTrue(line.startswith(command), line)
            out = self.run_printed(line)
            if says is None:
                self.assertEqual(out, "{}\n", line)
            else:
                self.assertTrue(re.search(says, out, re.M), (line, out))
            self.after(command, out)


class Pages(World):
    """The commands of the pages, of the contract too, in an installation that has what they speak of."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.state = None
        cls.words.update({"HEX32": KEY, "NAME": "gtw1", "COMMAND": "events", "FILE": cls.file("devices.json", json.dumps({"ids": {"device_id": "ip1"}})),
                          "devices.csv": cls.file("devices.csv", "id;name\nip2;From a sheet\n")})
        cls.words["devices.json"] = cls.words["FILE"]

    def empty(self):
        """Application app1, and nothing in it."""
        for name in ("app1", "app2@tenant1"):
            self.stack.run("applications", "delete", name, check=False)
        self.stack.cli("applications", "create", "app1")

    def strange_gateway(self):
        """One that is heard and that nobody has registered."""
        eui = 0xAA555A0000000200 + len(self.gateways)
        self.gateways.append(Gateway(self.stack.address("gs.udp"), eui=eui))
        self.gateways[-1].wait_path()
        self.wait(lambda: [g for g in self.stack.cli("gateways", "list") if g["ids"].get("eui") == "%016X" % eui and g.get("registered") is False])
        return "%016X" % eui

    def furnish(self):
        for n in (1, 2):
            self.stack.run("gateways", "create", "gtw%d" % n, "--gateway-eui", "AA555A000000010%d" % n, "--frequency-plan-id", PLAN, check=False)
        self.wait(lambda: self.stack.run("gateways", "get-connection-stats", "gtw1", check=False).returncode == 0)
        self.device("dev1", *otaa("70B3D57ED0051234", "1.0.3"), *session("01DA1F15"))
        self.stack.cli("end-devices", "create", "app1", "meter1", "--access-token", "A1_TEST_TOKEN")
        for n, name in enumerate(("lamp1", "lamp2", "lamp3")):
            self.device(name, *abp("01DA1F2%d" % n))
        for n, name in enumerate(("lamps", "mc1")):
            self.device(name, *abp("01DA1F3%d" % n), "--multicast", "--supports-class-c")
        self.stack.cli("end-devices", "multicast-members", "add", "app1", "mc1", "dev1")
        key = self.stack.cli("applications", "api-keys", "create", "app1", "--right-application-link")
        self.words.update({"ID": key["id"], "NNSXS.LINK": key["key"]})
        if "CORRELATION-ID" not in self.words:
            self.words["CORRELATION-ID"] = self.words["gs:uplink:01HC8Y0A2B3C4D5E6F7G8H9J0K"] = self.story()

    def prepare(self, line):
        """What it makes must not be there, and what it works with must."""
        makes = re.match(r"(applications|end-devices|gateways) (create|adopt|import)", line)
        if makes:
            self.empty()
            if line.startswith("applications create app1"):
                self.stack.cli("applications", "delete", "app1")
            for name in re.findall(r"gtw\d", line):
                self.stack.run("gateways", "delete", name, check=False)
            if " adopt " in line:
                self.words["AA555A0000000101"] = self.strange_gateway()
            type(self).state = None
        elif self.state != "furnished" or self.is_spent:
            self.empty()
            self.furnish()
            type(self).state = "furnished"
        type(self).is_spent = " delete " in line or " reset " in line
        if line.startswith("api-keys delete"):
            self.words["ID"] = self.stack.cli("api-keys", "create")["id"]

    is_spent = False

    def run_all(self, lines):
        for line in lines:
            line = re.split(r"\s+#\s", line)[0]
            if not any(line == words or line.startswith(words + " ") and words in ("up", "backup", "restore") for words in ELSEWHERE):
                with self.subTest(line):
                    self.prepare(line)
                    self.run_printed(line)

    def test_the_contract(self):
        self.run_all([line for line in CONTRACT.replace("\\\n", "").splitlines() if line])

    def test_the_pages(self):
        folder = os.path.join(SOURCE, "deploy/docs")
        found = 0
        for page in ["README.md"] + sorted("deploy/docs/" + name for name in os.listdir(folder) if name.endswith(".md")):
            lines = list(dict.fromkeys(printed_in(page)))
            found += len(lines)
            self.run_all(lines)
        self.assertGreater(found, 40, "the pages are read as they are written")


if __name__ == "__main__":
    unittest.main()
