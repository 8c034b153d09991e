"""The command line: every command, options anywhere, exit statuses, errors that name what was wrong, and finding the server."""
import json
import os
import queue
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from gateway import Gateway  # noqa: E402
from godwit import PLAN, CommandError, Stack, Subscriber, environment, program  # noqa: E402
from lorawan import Device  # noqa: E402
import paho_client  # noqa: E402

HEX = "2B7E151628AED2A6ABF7158809CF4F3C"
OTAA = ["--join-eui", "0000000000000001", "--frequency-plan-id", PLAN, "--lorawan-version", "1.0.3", "--lorawan-phy-version", "1.0.3-a"]


def otaa(eui, *more):
    return ["--dev-eui", eui, *OTAA, "--root-keys.app-key.key", HEX, *more]


def abp(addr, *more):
    return ["--abp", "--frequency-plan-id", PLAN, "--lorawan-version", "1.0.3", "--session.dev-addr", addr,
            "--session.keys.nwk-s-key.key", HEX, "--session.keys.app-s-key.key", HEX[::-1], *more]


class Case(unittest.TestCase):
    settings = ()

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(*cls.settings)
        cls.stack.cli("applications", "create", "app1")

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def cli(self, *args):
        return self.stack.cli(*args)

    def fails(self, status, *args, says=""):
        """It ends with this status, prints nothing on stdout, and one reason on stderr."""
        p = self.stack.run(*args, check=False)
        self.assertEqual(p.returncode, status, (args, p.stdout, p.stderr))
        self.assertEqual(p.stdout, "", args)
        self.assertRegex(p.stderr, r"\Aerror: \S")
        if status == 1:
            self.assertEqual(len(p.stderr.strip().splitlines()), 1, p.stderr)
        for word in [says] if isinstance(says, str) else says:
            self.assertIn(word, p.stderr.replace("_", "-"), args)
        return p.stderr


class Commands(Case):
    def test_applications(self):
        made = self.cli("applications", "create", "life", "--name", "N ä", "--description=D", "--user-id", "admin")
        self.assertEqual((made["ids"], made["name"], made["description"]), ({"application_id": "life"}, "N ä", "D"))
        self.assertEqual(self.cli("applications", "get", "life"), made)
        self.assertIn("life", [a["ids"]["application_id"] for a in self.cli("applications", "list")])
        for word in ("update", "set"):
            self.assertEqual(self.cli("applications", word, "life", "--name", word)["name"], word)
        self.assertEqual(self.cli("applications", "get", "life")["description"], "D")
        self.assertEqual(self.cli("applications", "create", "life", "--tenant-id", "tenant1")["ids"]["application_id"], "life")
        self.assertEqual(self.cli("applications", "get", "life@tenant1")["ids"]["tenant_id"], "tenant1")
        self.assertEqual(self.cli("applications", "delete", "life"), {})
        self.assertEqual(self.cli("applications", "delete", "life@tenant1"), {})
        self.fails(1, "applications", "get", "life", says="life")
        self.fails(1, "applications", "delete", "life", says="life")
        self.fails(1, "applications", "create", "app1", says="app1")
        self.fails(1, "applications", "create", "No Good!", says="application-id")
        self.fails(2, "applications", "create", says="APP")
        self.fails(2, "applications", "get", "a", "b")

    def test_api_keys(self):
        made = self.cli("applications", "api-keys", "create", "--application-id", "app1", "--name", "mqtt-client",
                        "--right-application-traffic-read", "--right-application-traffic-down-write")
        self.assertRegex(made["key"], r"^NNSXS\.[A-Z0-9]+\.[A-Z0-9]+$")
        self.assertEqual(sorted(made["rights"]), ["RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE", "RIGHT_APPLICATION_TRAFFIC_READ"])
        listed = [k for k in self.cli("applications", "api-keys", "list", "--application-id", "app1") if k["id"] == made["id"]]
        self.assertEqual((len(listed), listed[0]["name"], "key" in listed[0]), (1, "mqtt-client", False))
        link = self.cli("applications", "api-keys", "create", "--name", "link", "--application-id", "app1", "--right-application-link")
        self.assertEqual(link["rights"], ["RIGHT_APPLICATION_LINK"])
        of = ["--application-id", "app1", "--api-key-id", made["id"]]
        shown = self.cli("applications", "api-keys", "get", *of)
        self.assertEqual(shown, listed[0])
        renamed = self.cli("applications", "api-keys", "update", *of, "--name", "reader", "--expires-at", "2126-01-01T00:00:00Z")
        self.assertEqual((renamed["name"], renamed["rights"], renamed["expires_at"]), ("reader", shown["rights"], "2126-01-01T00:00:00Z"))
        narrowed = self.cli("applications", "api-keys", "update", "app1", made["id"], "--right-application-traffic-read", "--expires-at", "never")
        self.assertEqual((narrowed["name"], narrowed["rights"], narrowed.get("expires_at")), ("reader", ["RIGHT_APPLICATION_TRAFFIC_READ"], None))
        self.fails(2, "applications", "api-keys", "update", *of, says="nothing to change")
        self.fails(2, "applications", "api-keys", "get", "app1", says="--api-key-id")
        self.cli("applications", "api-keys", "create", "app1", "--right-application-all", "--expires-at", "2126-01-01T00:00:00Z")
        for k in (made, link):
            self.assertEqual(self.cli("applications", "api-keys", "delete", "--application-id", "app1", "--api-key-id", k["id"]), {})
        self.fails(1, "applications", "api-keys", "delete", "--application-id", "app1", "--api-key-id", made["id"], says=made["id"])
        self.fails(2, "applications", "api-keys", "create", "--application-id", "app1", "--right-to-fly", says="right")
        self.fails(1, "applications", "api-keys", "create", "--application-id", "app1", "--right-application-all", "--expires-at", "soon",
                   says="expires-at")
        self.fails(2, "applications", "api-keys", "create", "--right-application-all", says="--application-id")
        self.fails(2, "applications", "api-keys", "delete", "--application-id", "app1", says="--api-key-id")

    def test_keys_of_gateways(self):
        self.cli("gateways", "create", "keyed", "--gateway-eui", "0242020000247805", "--frequency-plan-id", PLAN)
        made = self.cli("gateways", "api-keys", "create", "--gateway-id", "keyed", "--name", "watch", "--right-gateway-info",
                        "--right-gateway-status-read")
        self.assertEqual((made["name"], sorted(made["rights"])), ("watch", ["RIGHT_GATEWAY_INFO", "RIGHT_GATEWAY_STATUS_READ"]))
        self.assertEqual(self.cli("gateways", "get", "keyed", "--api-key", made["key"])["ids"]["gateway_id"], "keyed")
        self.fails(1, "gateways", "update", "keyed", "--name", "N", "--api-key", made["key"], says="RIGHT-GATEWAY-SETTINGS-BASIC")
        listed = self.cli("gateways", "api-keys", "list", "keyed")
        self.assertEqual([(k["id"], "key" in k) for k in listed], [(made["id"], False)])
        self.assertEqual(self.cli("gateways", "api-keys", "get", "keyed", made["id"]), listed[0])
        of = ["--gateway-id", "keyed", "--api-key-id", made["id"]]
        changed = self.cli("gateways", "api-keys", "update", *of, "--name", "renamed", "--right-gateway-info", "--expires-at", "2126-01-01T00:00:00Z")
        self.assertEqual((changed["name"], changed["rights"], changed["expires_at"]), ("renamed", ["RIGHT_GATEWAY_INFO"], "2126-01-01T00:00:00Z"))
        self.fails(2, "gateways", "api-keys", "update", *of, says="nothing to change")
        self.fails(2, "gateways", "api-keys", "get", "keyed", says=("--api-key-id", "gateways api-keys list"))
        self.fails(2, "gateways", "api-keys", "list", says="--gateway-id")
        self.fails(2, "gateways", "api-keys", "list", "keyed", "--application-id", "app1", says="--application-id")
        self.fails(2, "applications", "api-keys", "list", "app1", "--gateway-id", "keyed", says="--gateway-id")
        self.fails(1, "gateways", "api-keys", "create", "keyed", "--right-application-info", says="RIGHT-APPLICATION-INFO")
        self.fails(1, "gateways", "api-keys", "create", "nowhere", "--right-gateway-info", says="nowhere")
        self.fails(1, "applications", "api-keys", "get", "app1", made["id"], says=made["id"])
        self.assertEqual(self.cli("gateways", "api-keys", "delete", *of), {})
        self.fails(1, "gateways", "api-keys", "get", *of, says=made["id"])
        self.fails(1, "gateways", "get", "keyed", "--api-key", made["key"])
        self.cli("gateways", "delete", "keyed")

    def test_keys_of_the_operator(self):
        own = self.cli("api-keys", "list")
        self.assertEqual([(k["name"], k["rights"]) for k in own], [("admin", ["RIGHT_ALL"])])
        for words in (("delete", own[0]["id"]), ("update", "--api-key-id", own[0]["id"], "--name", "x")):
            self.fails(1, "api-keys", *words, says="admin.key")
        made = self.cli("api-keys", "create", "--name", "alice", "--right-all", "--expires-at", "2126-01-01T00:00:00Z")
        self.assertEqual((made["name"], made["rights"], made["expires_at"]), ("alice", ["RIGHT_ALL"], "2126-01-01T00:00:00Z"))
        with_it = ("--api-key", made["key"])
        self.cli("applications", "create", "alices", *with_it)
        self.assertEqual([k["id"] for k in self.cli("api-keys", "list", *with_it)], [own[0]["id"], made["id"]])
        self.assertEqual(self.cli("api-keys", "get", made["id"])["name"], "alice")
        self.assertEqual(self.cli("api-keys", "update", made["id"], "--name", "bob", "--expires-at", "never", *with_it).get("expires_at"), None)
        self.assertEqual(self.stack.run("api-keys", "list", "--table").stdout.splitlines()[2].split()[1], "bob")
        self.fails(1, "api-keys", "create", "--right-application-all", says="RIGHT-APPLICATION-ALL")
        app_key = self.cli("applications", "api-keys", "create", "alices", "--right-application-all")
        for words in (("create",), ("list",), ("delete", made["id"])):
            self.fails(1, "api-keys", *words, "--api-key", app_key["key"], says="RIGHT-ALL")
        self.fails(1, "applications", "api-keys", "create", "alices", "--right-all", says="RIGHT-ALL")
        self.fails(1, "applications", "api-keys", "get", "alices", made["id"], says=made["id"])
        self.fails(1, "api-keys", "get", app_key["id"], says=app_key["id"])
        self.fails(2, "api-keys", "get", says=("--api-key-id", "godwit api-keys list"))
        self.assertEqual(self.cli("api-keys", "delete", "--api-key-id", made["id"]), {})
        self.fails(1, "applications", "list", *with_it, says=made["id"])
        short = self.cli("api-keys", "create", "--expires-at", "2020-01-01T00:00:00Z")
        self.fails(1, "applications", "list", "--api-key", short["key"], says="expired")
        self.cli("api-keys", "delete", short["id"])
        self.cli("applications", "delete", "alices")

    def test_what_mqtt_info_says_lets_a_client_in(self):
        self.cli("applications", "create", "told", "--tenant-id", "tenant1")
        info = self.cli("applications", "mqtt-info", "told@tenant1")
        self.assertEqual((info["username"], info["public_address"]), ("told@tenant1", "%s:%d" % self.stack.address("as.mqtt")))
        self.assertEqual(info["websocket_url"], "ws://%s:%d/mqtt" % self.stack.address("as.http"))
        self.assertNotIn("public_tls_address", info, "nothing listens there without a certificate")
        key = self.cli(*re.search(r"godwit (applications api-keys create .*)", info["hint"]).group(1).split())["key"]
        host, port = info["public_address"].split(":")
        client = paho_client.client(client_id="told")
        codes = queue.Queue()
        client.on_connect = lambda client, data, flags, code: codes.put(code)
        client.username_pw_set(info["username"], key)
        client.connect(host, int(port))
        client.loop_start()
        self.assertEqual(codes.get(timeout=20), 0)
        client.disconnect()
        client.loop_stop()
        self.fails(1, "applications", "mqtt-info", "nowhere", says="nowhere")
        self.fails(1, "applications", "mqtt-info", "app1", "--api-key", key)

    def test_the_link_is_set_with_a_key_that_may_do_no_more(self):
        link = self.cli("applications", "api-keys", "create", "--name", "link", "--application-id", "app1", "--right-application-link")
        self.assertEqual(self.cli("applications", "link", "set", "app1", "--api-key", link["key"]), {"skip_payload_crypto": False})
        self.assertEqual(self.cli("applications", "link", "get", "app1"), {"skip_payload_crypto": False})
        other = self.cli("applications", "api-keys", "create", "app1", "--right-application-info")
        self.fails(1, "applications", "link", "set", "app1", "--api-key", other["key"], says="RIGHT-APPLICATION-LINK")
        self.fails(1, "applications", "link", "set", "nowhere", "--api-key", link["key"])
        self.assertEqual(self.cli("applications", "link", "delete", "app1"), {})
        self.fails(1, "applications", "link", "get", "app1", says="app1")

    def test_default_formatters_are_kept_and_their_scripts_compiled(self):
        self.cli("applications", "create", "formats")
        link = ["applications", "link", "set", "formats"]
        set_up = [*link, "--default-formatters.up-formatter", "FORMATTER_JAVASCRIPT", "--default-formatters.up-formatter-parameter",
                  "function decodeUplink(i) { return {data: i.bytes}; }", "--default-formatters.down-formatter=FORMATTER_NONE"]
        p = self.stack.run(*set_up)
        kept = {"up_formatter": "FORMATTER_JAVASCRIPT", "up_formatter_parameter": "function decodeUplink(i) { return {data: i.bytes}; }",
                "down_formatter": "FORMATTER_NONE"}
        self.assertEqual(json.loads(p.stdout), {"default_formatters": kept, "skip_payload_crypto": False})
        self.assertEqual(p.stderr, "")
        self.assertEqual(self.cli(*link)["default_formatters"], kept, "a link that is set without says nothing of them")
        for which in ("up", "down"):
            flag = "--default-formatters.%s-formatter" % which
            for wrong in ("FORMATTER_COBOL", "JAVASCRIPT", "FORMATTER_", ""):
                self.fails(1, *link, flag + "=" + wrong, says=(flag[2:], "FORMATTER-NONE"))
        self.assertEqual(self.cli("applications", "link", "get", "formats")["default_formatters"], kept)
        self.fails(2, "applications", "create", "f2", "--default-formatters.up-formatter", "FORMATTER_NONE")
        self.fails(1, *link, "--skip-payload-crypto", says="skip-payload-crypto: cannot be true")
        self.cli(*link, "--skip-payload-crypto=false")
        with tempfile.TemporaryDirectory() as folder:
            script = os.path.join(folder, "decoder.js")
            with open(script, "w", encoding="utf-8") as f:
                f.write("function decodeUplink(i) {\n\treturn {data: \"ä\"};\n}\n")
            from_file = self.cli(*link, "--default-formatters.up-formatter", "FORMATTER_JAVASCRIPT",
                                 "--default-formatters.up-formatter-parameter-local-file", script)["default_formatters"]
            self.assertEqual(from_file["up_formatter_parameter"], "function decodeUplink(i) {\n\treturn {data: \"ä\"};\n}\n")
            self.fails(2, *link, "--default-formatters.down-formatter-parameter-local-file", script + "x", says=("decoder.jsx", "local-file"))
            with open(script, "wb") as f:
                f.write(b"\xff")
            self.fails(2, *link, "--default-formatters.up-formatter-parameter-local-file", script, says="UTF-8")
            with open(script, "w", encoding="utf-8") as f:
                f.write("function decodeUplink(i) {\n\treturn {data: };\n}\n")
            p = self.stack.run(*link, "--default-formatters.up-formatter-parameter-local-file", script, check=False)
            self.assertEqual(p.returncode, 1)
            self.assertTrue(p.stderr.startswith(script + ":2: SyntaxError"), p.stderr)
            with open(script, "w", encoding="utf-8") as f:
                f.write("function decodeUplink(i) {\n\treturn {data: {}};\n}\n")
            p = self.stack.run(*link, "--default-formatters.down-formatter", "FORMATTER_JAVASCRIPT",
                               "--default-formatters.down-formatter-parameter-local-file", script)
            self.assertRegex(p.stderr, r"^note: .*decoder\.js.*encodeDownlink")
        p = self.stack.run("end-devices", "create", "formats", "dev1", "--formatters.up-formatter", "FORMATTER_CAYENNELPP", "--formatters.down-formatter",
                           "FORMATTER_NONE")
        self.assertEqual(json.loads(p.stdout)["formatters"], {"up_formatter": "FORMATTER_CAYENNELPP", "down_formatter": "FORMATTER_NONE"})
        self.assertEqual(p.stderr, "")
        self.fails(2, "end-devices", "set", "formats", "dev1", "--unset", "formatters", "--name", "x", says="goes alone")
        for wrong in ("formatter", "", "formatters,what", "formatters.up"):
            self.fails(2, "end-devices", "set", "formats", "dev1", "--unset", wrong, says="no %s to clear" % (wrong.split(",")[-1]))
        self.cli("end-devices", "set", "formats", "dev1", "--unset", "formatters.down-formatter")
        self.assertEqual(self.cli("end-devices", "get", "formats", "dev1")["formatters"], {"up_formatter": "FORMATTER_CAYENNELPP"})
        self.assertNotIn("formatters", self.cli("end-devices", "set", "formats", "dev1", "--unset", "formatters"))
        self.assertNotIn("default_formatters", self.cli("applications", "link", "set", "formats", "--unset", "default-formatters"))
        self.fails(1, "end-devices", "set", "formats", "dev1", "--formatters.up-formatter", "FORMATTER_COBOL", says=("formatters.up-formatter", "FORMATTER-NONE"))
        self.cli("applications", "delete", "formats")

    def test_otaa_devices(self):
        made = self.cli("end-devices", "create", "app1", "o1", *otaa("70B3D57ED0051234", "--supports-class-c", "--name", "N"))
        self.assertEqual(made["ids"], {"device_id": "o1", "application_ids": {"application_id": "app1"}, "dev_eui": "70B3D57ED0051234",
                                       "join_eui": "0000000000000001"})
        self.assertEqual((made["lorawan_version"], made["lorawan_phy_version"], made["supports_class_c"], made["supports_join"]),
                         ("MAC_V1_0_3", "PHY_V1_0_3_REV_A", True, True))
        self.assertEqual(made["root_keys"]["app_key"]["key"], HEX)
        for word in ("update", "set"):
            self.assertNotIn("supports_class_c", self.cli("end-devices", word, "app1", "o1", "--supports-class-c=false"))
            self.assertIs(self.cli("end-devices", word, "app1", "o1", "--supports-class-c")["supports_class_c"], True)
        self.assertIs(self.cli("end-devices", "set", "app1", "o1", "--resets-join-nonces")["resets_join_nonces"], True)
        self.assertNotIn("resets_join_nonces", self.cli("end-devices", "set", "app1", "o1", "--resets-join-nonces=false"))
        self.assertEqual(self.cli("end-devices", "get", "app1", "o1")["name"], "N")
        self.assertIn("o1", [d["ids"]["device_id"] for d in self.cli("end-devices", "list", "app1")])
        random = self.cli("end-devices", "create", "app1", "o2", "--dev-eui", "70B3D57ED0051235", *OTAA, "--with-root-keys")
        self.assertRegex(random["root_keys"]["app_key"]["key"], "^[0-9A-F]{32}$")
        self.assertEqual(self.cli("end-devices", "reset", "app1", "o1")["ids"]["device_id"], "o1")
        self.assertEqual(self.cli("end-devices", "delete", "app1", "o1"), {})
        self.fails(1, "end-devices", "get", "app1", "o1", says="o1")

    def test_versions_have_several_spellings(self):
        spellings = [("1.0.0", "MAC_V1_0"), ("1.0.1", "MAC_V1_0_1"), ("1.0.2", "MAC_V1_0_2"), ("MAC_V1_0_3", "MAC_V1_0_3"), ("1.0.4", "MAC_V1_0_4"),
                     ("1.1.0", "MAC_V1_1"), ("1.1", "MAC_V1_1")]
        for n, (said, stored) in enumerate(spellings):
            dev = "v%d" % n
            more = ["--root-keys.nwk-key.key", HEX] if said.startswith("1.1") else []
            made = self.cli("end-devices", "create", "app1", dev, "--dev-eui", "70B3D57ED006000%d" % n, "--join-eui", "0000000000000001",
                            "--frequency-plan-id", PLAN, "--lorawan-version", said, "--root-keys.app-key.key", HEX, *more)
            self.assertEqual(made["lorawan_version"], stored, said)
            self.assertRegex(made["lorawan_phy_version"], "^(PHY_|RP002_|TS001_)", "the usual one of the version")

    def test_mac_settings(self):
        made = self.cli("end-devices", "create", "app1", "m1", *otaa("70B3D57ED0051299", "--mac-settings.desired-rx1-delay", "1"))
        self.assertIn("1", json.dumps(made["mac_settings"]["desired_rx1_delay"]))
        again = self.cli("end-devices", "update", "app1", "m1", "--mac-settings.desired_rx1_delay=RX_DELAY_5", "--mac-settings.supports-32-bit-f-cnt")
        self.assertIn("RX_DELAY_5", json.dumps(again["mac_settings"]["desired_rx1_delay"]))
        self.fails(2, "end-devices", "update", "app1", "m1", "--mac-settings.no-such-thing", "1", says="--mac-settings.no-such-thing")
        self.fails(1, "end-devices", "update", "app1", "m1", "--mac-settings.desired-rx1-delay", "99", says="desired-rx1-delay")

    def test_abp_devices_with_session_and_mac_state(self):
        made = self.cli("end-devices", "create", "app1", "a1", *abp("01DA1F15", "--session.last-f-cnt-up", "41", "--session.last-n-f-cnt-down", "7"))
        self.assertEqual(made["session"]["dev_addr"], "01DA1F15")
        shown = self.cli("end-devices", "get", "app1", "a1", "--session", "--mac-state")
        self.assertEqual((shown["session"]["dev_addr"], shown["session"]["last_f_cnt_up"]), ("01DA1F15", 41))
        self.assertIn("rx1_delay", shown["mac_state"]["current_parameters"])
        self.assertNotIn("mac_state", self.cli("end-devices", "get", "app1", "a1"))
        self.fails(2, "end-devices", "create", "app1", "a2", "--abp", "--frequency-plan-id", PLAN, "--lorawan-version", "1.0.3",
                   says="--session.dev-addr")
        self.fails(1, "end-devices", "create", "app1", "a2", "--abp", "--frequency-plan-id", PLAN, "--lorawan-version", "1.0.3",
                   "--session.dev-addr", "01DA1F21", says="key")
        group = self.cli("end-devices", "create", "app1", "mc1", *abp("01DA1F99", "--multicast", "--supports-class-c"))
        self.assertIs(group["multicast"], True)

    def test_errors_name_the_flag_or_the_field(self):
        self.fails(1, "end-devices", "create", "app1", "x1", *otaa("xyz"), says="dev-eui")
        self.fails(1, "end-devices", "create", "app1", "x1", "--dev-eui", "70B3D57ED0059999", *OTAA, "--root-keys.app-key.key", "12", says="app-key")
        self.fails(1, "end-devices", "create", "app1", "x1", *OTAA, "--root-keys.app-key.key", HEX, says="dev-eui")
        self.fails(1, "end-devices", "create", "app1", "x1", "--dev-eui", "70B3D57ED0059999", "--join-eui", "0000000000000001",
                   "--frequency-plan-id", "MARS", "--lorawan-version", "1.0.3", "--root-keys.app-key.key", HEX, says="frequency-plan-id")
        self.fails(1, "end-devices", "create", "app1", "x1", "--dev-eui", "70B3D57ED0059999", "--join-eui", "0000000000000001",
                   "--frequency-plan-id", PLAN, "--lorawan-version", "9.9", "--root-keys.app-key.key", HEX, says="lorawan-version")
        self.fails(1, "end-devices", "create", "nobody", "x1", *otaa("70B3D57ED0059999"), says="nobody")
        self.fails(2, "end-devices", "create", "app1", says="DEV")
        self.fails(2, "end-devices", "create", "app1", "x1", "--colour", "red", says="--colour")
        self.fails(2, "end-devices", "create", "app1", "x1", "--dev-eui", says="--dev-eui wants a value")
        self.fails(2, "end-devices", "create", "app1", "x1", "--dev-eui", "--join-eui", "0000000000000001", says="--dev-eui wants a value")
        self.fails(2, "end-devices", "create", "app1", "x1", "--supports-class-c=perhaps", says="--supports-class-c")
        self.fails(2, "end-devices", "list", "app1", "--gateway-eui", "1", says="--gateway-eui")
        self.fails(2, "end-devices", "-x", says="-x")
        self.fails(2, "fly", says="command")
        self.fails(2, "end-devices", "downlink", says="command")

    def test_a_gateway_that_is_heard_is_adopted(self):
        gateways = [Gateway(self.stack.address("gs.udp"), eui=0xAA555A0000000A00 + n) for n in range(2)]
        for n, gateway in enumerate(gateways):
            self.addCleanup(gateway.close)
            gateway.wait_path()
            end = time.time() + 20
            while not any(g["ids"]["gateway_id"] == "eui-aa555a0000000a0%d" % n for g in self.cli("gateways", "list")):
                self.assertLess(time.time(), end)
                time.sleep(0.2)
        made = self.cli("gateways", "adopt", "AA555A0000000A00", "roof", "--name", "On the roof", "--location.latitude", "52.5")
        self.assertEqual((made["ids"], made["frequency_plan_id"], made["name"]), ({"gateway_id": "roof", "eui": "AA555A0000000A00"}, PLAN, "On the roof"))
        self.assertEqual(self.cli("gateways", "get", "roof"), made)
        other = self.cli("gateways", "adopt", "eui-aa555a0000000a01", "--frequency-plan-id", "EU_863_870")
        self.assertEqual(other["ids"], {"gateway_id": "eui-aa555a0000000a01", "eui": "AA555A0000000A01"})
        self.fails(1, "gateways", "adopt", "AA555A0000000A00", "cellar", says="roof")
        self.fails(1, "gateways", "adopt", "AA555A0000000AFF", says="AA555A0000000AFF")
        self.fails(1, "gateways", "adopt", "roof", says="hex digits")
        self.assertEqual([g for g in self.cli("gateways", "list") if g.get("registered") is False and "0000000a0" in g["ids"]["gateway_id"]], [])
        for name in ("roof", "eui-aa555a0000000a01"):
            self.cli("gateways", "delete", name)

    def test_gateways(self):
        made = self.cli("gateways", "create", "gtw1", "--gateway-eui", "0242020000247803", "--frequency-plan-id", PLAN, "--enforce-duty-cycle=false",
                        "--location.latitude", "-52.5", "--location.longitude=4.25", "--location.altitude", "12", "--name", "G")
        self.assertEqual(made["ids"], {"gateway_id": "gtw1", "eui": "0242020000247803"})
        self.assertEqual(made["frequency_plan_id"], PLAN)
        self.assertEqual(self.cli("gateways", "get", "gtw1"), made)
        self.assertIn("52.5", json.dumps(made))
        for word in ("update", "set"):
            self.assertEqual(self.cli("gateways", word, "gtw1", "--name", word)["name"], word)
        self.assertIn("gtw1", [g["ids"]["gateway_id"] for g in self.cli("gateways", "list")])
        self.fails(1, "gateways", "get-connection-stats", "gtw1", says="gtw1")
        self.fails(1, "gateways", "create", "gtw2", "--gateway-eui", "0242020000247803", "--frequency-plan-id", PLAN, says="eui")
        self.fails(1, "gateways", "create", "gtw2", "--gateway-eui", "02", "--frequency-plan-id", PLAN, says="eui")
        self.assertEqual(self.cli("gateways", "delete", "gtw1"), {})

    def test_connection_stats(self):
        gateway = Gateway(self.stack.address("gs.udp"), eui=0xAA555A0000000777)
        self.addCleanup(gateway.close)
        gateway.wait_path()
        self.cli("gateways", "create", "heard", "--gateway-eui", "AA555A0000000777", "--frequency-plan-id", PLAN)
        gateway.uplink(bytes([0x40]) + os.urandom(13))
        end = time.time() + 10
        while True:
            try:
                stats = self.cli("gateways", "get-connection-stats", "heard")
                if int(stats.get("uplink_count", 0)) >= 1 or time.time() > end:
                    break
            except CommandError:
                if time.time() > end:
                    raise
            time.sleep(0.2)
        self.assertEqual((stats["protocol"], int(stats["uplink_count"])), ("udp", 1))
        self.assertIn("connected_at", stats)
        self.assertIn("last_uplink_received_at", stats)
        self.assertEqual(sorted(stats["sub_bands"][0]), ["downlink_utilization", "downlink_utilization_limit", "max_frequency", "min_frequency"])
        shown = self.stack.run("gateways", "get-connection-stats", "heard", "--table").stdout
        self.assertIn("uplink_count", shown)

    def test_downlinks(self):
        self.cli("end-devices", "create", "app1", "d1", *abp("01DA1F20"))
        self.assertEqual(self.cli("end-devices", "downlink", "list", "app1", "d1"), [])
        self.assertEqual(self.stack.run("end-devices", "downlink", "list", "app1", "d1").stdout, "[]\n")
        push = ["end-devices", "downlink", "push", "app1", "d1"]
        self.assertEqual(self.cli(*push, "--f-port", "15", "--frm-payload", "BEEF"), {})
        self.cli(*push, "--f-port=16", "--frm-payload=be ef", "--confirmed", "--priority", "NORMAL", "--correlation-ids", "a,b",
                 "--confirmed-retry.max-attempts", "3")
        listed = self.cli("end-devices", "downlink", "list", "app1", "d1")
        self.assertEqual([i["f_port"] for i in listed], [16, 15])
        self.assertEqual((listed[0]["frm_payload"], listed[0]["confirmed"], listed[0]["priority"], listed[0]["correlation_ids"][:2],
                          listed[0]["confirmed_retry"]), ("vu8=", True, "NORMAL", ["a", "b"], {"attempt": 1, "max_attempts": 3}))
        self.cli("end-devices", "downlink", "replace", "app1", "d1", "--f-port", "17", "--frm-payload", "00")
        self.assertEqual([i["f_port"] for i in self.cli("end-devices", "downlink", "list", "app1", "d1")], [17])
        self.cli(*push, "--f-port", "18", "--frm-payload", "01", "--class-b-c.gateways", "gtw1,gtw2", "--class-b-c.absolute-time",
                 "2126-01-01T00:00:00Z")
        item = self.cli("end-devices", "downlink", "list", "app1", "d1")[1]
        self.assertEqual(item["class_b_c"], {"gateways": [{"gateway_ids": {"gateway_id": "gtw1"}}, {"gateway_ids": {"gateway_id": "gtw2"}}],
                                             "absolute_time": "2126-01-01T00:00:00Z"})
        self.assertEqual(self.cli("end-devices", "downlink", "clear", "app1", "d1"), {})
        self.assertEqual(self.cli("end-devices", "downlink", "list", "app1", "d1"), [])
        self.fails(1, *push, "--frm-payload", "00", says="f-port")
        self.fails(1, *push, "--f-port", "0", "--frm-payload", "00", says=("f-port 0", "reserved"))
        self.fails(1, *push, "--f-port", "234", "--frm-payload", "00", says=("f-port 234", "reserved"))
        self.fails(1, *push, "--f-port", "1", says="frm-payload")
        self.fails(1, *push, "--f-port", "1", "--frm-payload", "00", "--priority", "URGENT", says="URGENT")
        self.fails(1, *push, "--f-port", "1", "--frm-payload", "00" * 243, says="243")
        self.fails(2, *push, "--f-port", "1", "--frm-payload", "0x", says="--frm-payload")
        self.fails(2, *push, "--f-port", "1", "--decoded-payload", "{", says="--decoded-payload")
        self.fails(1, "end-devices", "downlink", "push", "app1", "nobody", "--f-port", "1", "--frm-payload", "00", says="nobody")
        self.fails(1, "end-devices", "downlink", "list", "app1", "nobody", says="nobody")
        self.fails(1, "end-devices", "downlink", "clear", "app1", "nobody", says="nobody")

    def test_options_may_stand_anywhere(self):
        self.cli("--name", "Anywhere", "applications", "--description=D", "create", "anywhere")
        self.assertEqual(self.cli("applications", "--table=false", "get", "anywhere")["name"], "Anywhere")
        self.cli("end-devices", *otaa("70B3D57ED0051777"), "create", "anywhere", "dev1")
        self.cli("end-devices", "create", "--dev_eui", "70B3D57ED0051778", "anywhere", *OTAA, "dev2", "--root-keys.app-key.key=" + HEX)
        self.assertEqual(len(self.cli("end-devices", "--limit", "10", "list", "anywhere")), 2)
        self.assertEqual(len(self.cli("end-devices", "list", "anywhere", "--limit=1")), 1)

    def test_tables(self):
        self.cli("applications", "create", "tables", "--name", "Tables")
        self.cli("end-devices", "create", "tables", "t1", *otaa("70B3D57ED0051888"))
        for words, says in ((("applications", "list"), "Tables"), (("end-devices", "list", "tables"), "70B3D57ED0051888"),
                            (("applications", "get", "tables"), "Tables"), (("gateways", "list"), ""), (("events",), "")):
            out = self.stack.run(*words, "--table").stdout
            self.assertIn(says, out)
            self.assertNotIn("{\n", out)
            self.assertLessEqual(len({line.find("  ") < 0 for line in out.splitlines()}), 2)
        self.assertEqual(self.stack.run("end-devices", "list", "app1", "--limit", "1", "--page", "9999", "--table").returncode, 0)

    def complete(self, script, *words):
        """What bash offers for the last of the words, by what the program says."""
        ask = 'eval "$1"; shift; COMP_WORDS=(godwit "$@"); COMP_CWORD=$#; _godwit; printf "%s\\n" "${COMPREPLY[@]}"'
        p = subprocess.run(["bash", "-c", ask, "bash", script, *words], capture_output=True, text=True, timeout=60)
        self.assertEqual((p.returncode, p.stderr), (0, ""), words)
        return p.stdout.split()

    def test_bash_completes_commands_and_flags(self):
        # It asks nobody: there need be no server.
        script = self.stack.run("completion", "bash", "--address", "127.0.0.1:1").stdout
        for words, offered in (
                (["app"], ["applications"]),
                (["applications", "api-keys", ""], ["create", "delete", "get", "list", "update"]),
                (["--table", "applications", "api"], ["api-keys"]),
                (["--name", "create", "applications", "cr"], ["create"]),  # a flag's value is no word of the command
                (["--name", "=", "x", "end-devices", "downlink", "c"], ["clear"]),
                (["applications", "create", "--des"], ["--description"]),
                (["end-devices", "create", "app1", "dev1", "--mac-settings.use"], ["--mac-settings.use-adr"]),
                (["applications", "api-keys", "create", "--right-application-traffic-d"], ["--right-application-traffic-down-write"]),
                (["gateways", "list", "--ta"], ["--table"]),
                (["gateways", "list", "--right"], []),
                (["applications", "create", "--name", ""], []),
                (["applications", "create", "--name", "="], []),
                (["applications", "create", ""], [])):
            self.assertEqual(self.complete(script, *words), offered, words)
        # All that help knows is offered, and the other way round.
        commands = re.findall(r"^  godwit ([a-z-]+)", self.stack.run("--help").stdout, re.M)
        self.assertEqual(sorted(set(commands) | {"help"}), self.complete(script, ""))
        self.fails(2, "completion", "fish", says=("bash", "zsh"))

    def test_zsh_completes_commands_and_flags(self):
        if not shutil.which("zsh"):
            self.skipTest("there is no zsh here")
        script = self.stack.run("completion", "zsh", "--address", "127.0.0.1:1").stdout
        self.assertEqual(script.splitlines()[0], "#compdef godwit")
        # In the place of what only runs while a line is edited: what is offered is printed.
        ask = 'compadd() { shift; print -l -- "$@" }; _files() { print FILES }; eval "$1"; shift; words=(godwit "$@"); CURRENT=$#words; _godwit'
        for line, offered in (
                (["app"], "applications"), (["applications", "api-keys", ""], "create delete get list update"),
                (["--table", "applications", "api-keys", "cr"], "create delete get list update"),  # zsh itself looks which of them fit
                (["--name", "create", "applications", ""], None), (["--name=x", "end-devices", "downlink", ""], "clear list push replace"),
                (["applications", "create", "--name", ""], "FILES"), (["applications", "create", ""], "FILES")):
            p = subprocess.run(["zsh", "-f", "-c", ask, "zsh", script, *line], capture_output=True, text=True, timeout=60)
            self.assertEqual((p.returncode, p.stderr), (0, ""), line)
            if offered and " " in offered or offered == "FILES":
                self.assertEqual(sorted(p.stdout.split()), offered.split(), line)
            elif offered:
                self.assertIn(offered, p.stdout.split(), line)
        flags = subprocess.run(["zsh", "-f", "-c", ask, "zsh", script, "end-devices", "create", "app1", "dev1", "--"], capture_output=True, text=True,
                               timeout=60).stdout.split()
        self.assertTrue({"--dev-eui", "--mac-settings.use-adr", "--table"} <= set(flags))
        self.assertNotIn("--gateway-eui", flags)
        with open(os.path.join(os.path.dirname(__file__), "../../deploy/completions/_godwit"), encoding="utf-8") as f:
            loaded = subprocess.run(["zsh", "-f", "-c", ask, "zsh", f.read(), "app"], capture_output=True, text=True, timeout=60,
                                    env={**os.environ, "PATH": os.path.dirname(program("godwit")) + ":" + os.environ["PATH"]})
        self.assertIn("applications", loaded.stdout.split(), loaded.stderr)

    def test_who_mistypes_is_told_what_was_meant(self):
        for words, meant in (
                (["end-devises", "list", "app1"], "godwit end-devices list?"), (["applications", "craete", "x"], "godwit applications create?"),
                (["gateways", "api-key", "lits", "x"], "godwit gateways api-keys list?"),
                (["end-devices", "create", "app1", "x", "--dev-eiu", "1"], "--dev-eui?"), (["applications", "list", "--tabel"], "--table?"),
                (["end-devices", "create", "app1", "x", "--frequency-plan", "EU"], "--frequency-plan-id?"),
                (["end-devices", "create", "app1", "x", "--app-key", "12"], "--root-keys.app-key.key?"),
                (["end-devices", "set", "app1", "x", "--mac-settings.desired-rx1-dealy", "1"], "--mac-settings.desired-rx1-delay?"),
                (["applications", "api-keys", "create", "app1", "--right-application-trafic-read"], "--right-application-traffic-read?"),
                (["gateways", "create", "x", "--gateway-ids", "1"], "--gateway-eui?")):
            self.fails(2, *words, says="did you mean " + meant)
        self.assertNotIn("did you mean", self.fails(2, "fly"))
        self.assertLess(len(self.fails(2, "fly").splitlines()), 3, "not a list of everything")
        self.assertNotIn("did you mean", self.fails(2, "applications", "list", "--colour", "red"))
        self.assertIn("godwit help end-devices get", self.fails(2, "end-devices", "get", "app1"))

    def test_words_of_the_things_stack_mean_what_they_do_there(self):
        self.cli("app", "add", "short")
        self.assertIn("short", [a["ids"]["application_id"] for a in self.cli("apps", "ls")])
        self.cli("device", "create", "short", "ip1")
        self.assertEqual(self.cli("dev", "info", "short", "ip1")["ids"]["device_id"], "ip1")
        self.assertEqual(self.cli("end-device", "rm", "short", "ip1"), {})
        self.assertEqual(self.cli("applications", "del", "short"), {})

    def test_devices_are_deleted_many_at_a_time(self):
        self.cli("applications", "create", "batch")
        for n in range(3):
            self.cli("end-devices", "create", "batch", "ip%d" % n)
        self.assertEqual(self.cli("end-devices", "batch-delete", "batch", "ip0", "ip1"), {})
        said = self.fails(1, "end-devices", "batch-delete", "batch", "gone", "ip2", "too", says=("gone: ", "too: "))
        self.assertNotIn("ip2:", said)
        self.assertEqual(self.cli("end-devices", "list", "batch"), [])
        self.cli("applications", "delete", "batch")

    def test_simulated_uplinks_have_what_is_said(self):
        self.cli("applications", "create", "fake")
        self.cli("end-devices", "create", "fake", "dev1", *otaa("70B3D57ED00517F1"))
        key = self.cli("applications", "api-keys", "create", "fake", "--right-application-traffic-read")["key"]
        sub = Subscriber(self.stack, key, app="fake")
        self.addCleanup(sub.close)
        self.cli("simulate", "application-uplink", "fake", "dev1", "--f-port", "7", "--frm-payload", "AQI=", "--correlation-ids", "a,b", "--f-cnt", "9",
                 "--decoded-payload", '{"t":21.5}', "--settings.frequency", "868100000", "--settings.data-rate.lora.bandwidth", "125000",
                 "--settings.data-rate.lora.spreading-factor", "7", "--settings.data-rate.lora.coding-rate", "4/5",
                 "--rx-metadata", '[{"gateway_ids":{"gateway_id":"gtw1"},"rssi":-35}]', "--received-at", "2026-01-02T03:04:05Z")
        up = sub.wait("dev1/up", timeout=30)
        self.assertEqual(up["correlation_ids"][:2], ["a", "b"])
        said = up["uplink_message"]
        self.assertEqual((said["f_port"], said["f_cnt"], said["frm_payload"], said["decoded_payload"]), (7, 9, "AQI=", {"t": 21.5}))
        self.assertEqual((said["settings"]["data_rate"]["lora"]["spreading_factor"], said["settings"]["frequency"]), (7, "868100000"))
        self.assertEqual((said["rx_metadata"][0]["rssi"], said["received_at"]), (-35, "2026-01-02T03:04:05Z"))
        self.cli("simulate", "application-uplink", "fake", "dev1", "--f-port", "1", "--settings.data-rate.fsk.bit-rate", "50000")
        self.assertEqual(sub.wait("dev1/up", 2, 30)["uplink_message"]["settings"]["data_rate"], {"fsk": {"bit_rate": 50000}})
        names = {e["name"] for e in self.cli("events", "--application-id", "fake", "--names", "as.up.data.receive,as.down.data.receive")}
        self.assertEqual(names, {"as.up.data.receive"})
        self.assertEqual({e["name"] for e in self.cli("events", "--application-id", "fake", "--names", "/^as[.]up[.].*forward$/")}, {"as.up.data.forward"})
        self.assertEqual(len(self.cli("events", "--application-id", "fake", "--tail", "1")), 1)
        self.assertEqual(self.cli("events", "--application-id", "fake", "--after", "2126-01-01T00:00:00Z"), [])
        self.fails(1, "events", "--after", "soon", says="after")
        self.cli("applications", "delete", "fake")

    def test_help_is_help(self):
        for args in ((), ("--help",), ("-h",), ("help",), ("applications", "--help"), ("end-devices", "create", "--help"), ("help", "end-devices", "downlink"),
                     ("gateways", "-h")):
            p = self.stack.run(*args, check=False)
            self.assertEqual(p.returncode, 0, args)
            self.assertIn("godwit", p.stdout)
        self.fails(2, "help", "fly", says="there is no such command: fly")
        for words in (("end-devices", "create", "--help"), ("help", "end-devices", "create"), ("help", "dev", "add")):
            said = self.stack.run(*words).stdout
            self.assertIn("--dev-eui", said)
            self.assertIn("Example:\n  godwit end-devices create app1 dev1 --dev-eui", said)
        self.assertRegex(self.stack.run("--version").stdout, r"^godwit \d")


class Finding(Case):
    """Where the server is and with which key."""

    def run_with(self, env, *args):
        return subprocess.run([program("godwit"), *args], capture_output=True, text=True, timeout=30, env={**environment(), **env})

    def admin(self):
        with open(os.path.join(self.stack.state, "admin.key")) as f:
            return f.read().strip()

    def address(self):
        return "http://%s:%d" % self.stack.address("as.http")

    def test_environment_and_flags(self):
        self.assertEqual(self.run_with({"GODWIT_STATE_DIR": self.stack.state}, "applications", "list").returncode, 0)
        both = {"GODWIT_ADDRESS": self.address(), "GODWIT_API_KEY": self.admin()}
        self.assertEqual(self.run_with(both, "applications", "list").returncode, 0)
        self.assertEqual(self.run_with({}, "applications", "list", "--address", self.address(), "--api-key=" + self.admin()).returncode, 0)
        self.assertEqual(self.run_with({}, "applications", "list", "--address", self.address()[7:], "--api-key=" + self.admin()).returncode, 0)
        wrong = self.run_with({**both, "GODWIT_API_KEY": "NNSXS.A.B"}, "applications", "list")
        self.assertEqual((wrong.returncode, wrong.stdout), (1, ""))
        self.assertIn("key", wrong.stderr)
        self.assertEqual(self.run_with({**both, "GODWIT_API_KEY": "NNSXS.A.B"}, "applications", "list", "--api-key", self.admin()).returncode, 0)
        self.assertEqual(self.run_with({"GODWIT_ADDRESS": "http://127.0.0.1:1"}, "applications", "list", "--address", self.address(), "--api-key",
                                       self.admin()).returncode, 0, "a flag overrides the environment")

    def test_the_server_is_away(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            nobody = "http://127.0.0.1:%d" % s.getsockname()[1]
        for args in (("applications", "list"), ("events", "--follow"), ("trace", "x"), ("end-devices", "downlink", "list", "a", "b")):
            p = self.run_with({}, *args, "--address", nobody, "--api-key", "NNSXS.A.B")
            self.assertEqual((p.returncode, p.stdout), (1, ""), args)
            self.assertIn(nobody, p.stderr)
        with tempfile.TemporaryDirectory() as empty:
            p = self.run_with({}, "applications", "list", "--state-dir", empty)
            self.assertEqual(p.returncode, 1)
            self.assertIn(empty, p.stderr)
        p = self.run_with({}, "applications", "list", "--address", "ftp://x")
        self.assertEqual(p.returncode, 1)
        self.assertIn("ftp://x", p.stderr)

    def test_no_permission(self):
        """As somebody who may not read the state directory; root may read everything and only checks the mode."""
        mode = stat.S_IMODE(os.stat(os.path.join(self.stack.state, "admin.key")).st_mode)
        self.assertEqual(mode & 0o077, 0, "the admin key is the owner's alone")
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        os.chmod(self.stack.state, 0o755)
        # A copy that anybody may run.
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            copy = os.path.join(folder, "godwit")
            with open(program("godwit"), "rb") as a, open(copy, "wb") as b:
                b.write(a.read())
            os.chmod(copy, 0o755)
            run = lambda: subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", copy, "--state-dir", self.stack.state,
                                          "applications", "list"], capture_output=True, text=True, timeout=30, env=environment())
            p = run()
            self.assertEqual((p.returncode, p.stdout), (1, ""))
            self.assertIn("permission", p.stderr)
            self.assertIn("--api-key", p.stderr)
            os.chmod(self.stack.state, 0o700)
            p = run()
            self.assertEqual((p.returncode, p.stdout), (1, ""))
            self.assertIn("permission", p.stderr)
            self.assertIn(self.stack.state, p.stderr)

    def test_the_operators_key_goes_to_this_host_only(self):
        """Whoever is named by --address is not told the key of this host."""
        heads = []

        def serve(s):
            c, _ = s.accept()
            heads.append(c.recv(65536))
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 19\r\nConnection: close\r\n\r\n{\"applications\":[]}")
            c.close()
        host = socket.gethostname()
        try:
            here = socket.gethostbyname(host)
        except OSError:
            self.skipTest("this host has no name that resolves")
        for name, may_know in (("127.0.0.1", True), ("localhost", True), (here if not here.startswith("127.") else None, False), ("0.0.0.0", False)):
            if name is None:
                continue
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("0.0.0.0", 0))
                s.listen()
                t = threading.Thread(target=serve, args=(s,))
                t.start()
                p = self.stack.run("applications", "list", "--address", "http://%s:%d" % (name, s.getsockname()[1]), check=False)
                t.join(10)
                self.assertEqual(p.returncode, 0, p.stderr)
                self.assertEqual(b"NNSXS." in heads[-1], may_know, name)

    def test_a_stream_that_is_cut_is_an_error(self):
        def serve(s):
            c, _ = s.accept()
            c.recv(65536)
            c.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n")
            time.sleep(0.3)
            c.close()
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            t = threading.Thread(target=serve, args=(s,))
            t.start()
            p = self.run_with({}, "events", "--follow", "--api-key", "NNSXS.A.B", "--address", "127.0.0.1:%d" % s.getsockname()[1])
            t.join(10)
        self.assertEqual((p.returncode, p.stdout), (1, "{}\n"))
        self.assertRegex(p.stderr, r"\Aerror: .*127\.0\.0\.1")

    def test_follow_says_why_it_may_not(self):
        p = self.run_with({}, "events", "--follow", "--address", self.address(), "--api-key", "NNSXS.A.B")
        self.assertEqual((p.returncode, p.stdout), (1, ""))
        self.assertIn("api key", p.stderr)

    def test_up_may_stand_behind_flags(self):
        with tempfile.TemporaryDirectory() as state:
            p = subprocess.run([program("godwit"), "--state-dir", state, "up", "--gs.no-such-key=1"], capture_output=True, text=True, timeout=30,
                               env=environment())
            self.assertNotEqual(p.returncode, 0)
            self.assertIn("no-such-key", p.stderr)
            self.assertNotIn("no such command", p.stderr)


class NoPlan(Case):
    """While no plan is known for it, an unregistered gateway is heard but sends nothing; who asks is told, with the command."""
    settings = ("--gs.default-frequency-plan=",)

    def test_the_list_says_why_and_what_to_do(self):
        gateway = Gateway(self.stack.address("gs.udp"), eui=0xAA555A0000000999)
        self.addCleanup(gateway.close)
        gateway.wait_path()
        gateway.uplink(bytes([0x40]) + os.urandom(13))
        end = time.time() + 10
        while True:
            found = [g for g in self.cli("gateways", "list") if g["ids"]["gateway_id"] == "eui-aa555a0000000999"]
            if found or time.time() > end:
                break
            time.sleep(0.2)
        self.assertEqual(found[0]["ids"]["eui"], "AA555A0000000999")
        self.assertIs(found[0]["registered"], False)
        command = re.search(r"godwit (gateways adopt \S+ --frequency-plan-id \S+)", found[0]["hint"]).group(1).rstrip(",;.")
        self.assertIn("gs.default-frequency-plan", found[0]["hint"])
        self.assertIn("AA555A0000000999", self.stack.log_text().upper())
        logged = re.search(r'gateway_without_plan.*command="godwit ([^"]*)"', self.stack.log_text()).group(1)
        self.assertEqual(logged, command)
        self.assertIn("godwit gateways adopt", self.stack.run("gateways", "list", "--table").stdout)
        self.fails(1, "gateways", "adopt", "AA555A0000000999", "mine", says="frequency-plan-id: is missing")
        device = Device(dev_addr=0x01DA1F15, nwk_s_key=os.urandom(16), app_s_key=os.urandom(16))
        self.stack.create_abp(device, "app1", "dev1")
        gateway.uplink(device.uplink(1, b"x", confirmed=True))
        time.sleep(2.5)
        self.assertEqual(gateway.emissions, [])
        self.cli(*command.split())
        end = time.time() + 10
        while time.time() < end and not gateway.emissions:
            gateway.uplink(device.uplink(1, b"x", confirmed=True))
            time.sleep(1.5)
        self.assertTrue(gateway.emissions, "the command that was named has helped")


class Strangers(Case):
    settings = ("--gs.require-registered=true",)

    def test_the_command_in_the_log_lets_a_refused_gateway_in(self):
        gateway = Gateway(self.stack.address("gs.udp"), eui=0xAA555A0000000998)
        self.addCleanup(gateway.close)
        end = time.time() + 60
        command = None
        while not command and time.time() < end:
            gateway.uplink(bytes([0x40]) + os.urandom(13))
            time.sleep(0.2)
            command = re.search(r'gateway_refused.*command="godwit ([^"]*)"', self.stack.log_text())
        self.cli(*command.group(1).split())
        gateway.wait_path()
        while time.time() < end and not self.stack.run("gateways", "get-connection-stats", "eui-aa555a0000000998", check=False).stdout:
            time.sleep(0.2)
        self.assertEqual(self.cli("gateways", "get-connection-stats", "eui-aa555a0000000998")["protocol"], "udp")


if __name__ == "__main__":
    unittest.main()
