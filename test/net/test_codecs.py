"""Payload formatters from outside: the collection of codecs in node, and through the stack."""
import base64
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
import codecs_table  # noqa: E402
from godwit import SOURCE, Stack, Subscriber, program  # noqa: E402
from lorawan import Device  # noqa: E402


class Node(unittest.TestCase):
    """The table that our engine is held against says what JavaScript says, and not what our engine does."""

    def test_the_table_is_what_node_makes_of_the_codecs(self):
        if not shutil.which("node"):
            self.skipTest("no node here")
        cases = codecs_table.cases()
        asked = "".join(json.dumps({"file": os.path.join(codecs_table.FOLDER, c.codec), "call": c.call, "port": c.port, "hex": c.hex,
                                    "data": c.data_in}) + "\n" for c in cases)
        p = subprocess.run(["node", os.path.join(os.path.dirname(__file__), "codecs.js")], input=asked, capture_output=True, text=True, timeout=120)
        self.assertEqual(p.returncode, 0, p.stderr)
        answers = p.stdout.splitlines()
        self.assertEqual(len(answers), len(cases))
        for case, answer in zip(cases, answers):
            with self.subTest(codec=case.codec, where=case.where):
                self.is_what_the_table_says(case, json.loads(answer))

    def is_what_the_table_says(self, case, got):
        if case.throws:
            self.assertTrue(got.get("threw", "").endswith(case.throws), got)
            return
        self.assertNotIn("threw", got)
        self.assertEqual(got.get("errors") or [], case.errors)
        self.assertEqual(got.get("warnings") or [], case.warnings)
        if case.errors:
            return
        if case.call == "down":
            self.assertEqual(bytes(got["bytes"]).hex(), case.bytes)
            self.assertEqual(got.get("fPort") or case.port, case.port_out or case.port)
        else:
            self.assertEqual(got["data"], case.data)
            normal = got.get("normalized", {"data": []})["data"]
            self.assertEqual(normal if isinstance(normal, list) else [normal], case.normalized)

    def test_every_codec_has_cases(self):
        there = {name for name in os.listdir(codecs_table.FOLDER) if name.endswith(".js")}
        self.assertEqual(there, {c.codec for c in codecs_table.cases()})


class Through(unittest.TestCase):
    """The whole way: set at a device, run by the server, told to a client over MQTT or queued."""

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()
        try:
            key = cls.stack.create_application("app1")
            cls.app = Subscriber(cls.stack, key)
            cls.devices = {}
            cls.cases = codecs_table.cases()
            for n, codec in enumerate(dict.fromkeys(c.codec for c in cls.cases)):
                cls.devices[codec] = cls.device(codec, 0x01DA2000 + n)
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        if hasattr(cls, "app"):
            cls.app.close()
        cls.stack.close()

    @classmethod
    def device(cls, codec, dev_addr, name=None):
        d = Device(dev_addr=dev_addr, nwk_s_key=os.urandom(16), app_s_key=os.urandom(16))
        name = name or codec.partition(".")[0].replace("_", "-")
        script = [os.path.join(codecs_table.FOLDER, codec)]
        cls.stack.create_abp(d, "app1", name, "--formatters.up-formatter", "FORMATTER_JAVASCRIPT", "--formatters.up-formatter-parameter-local-file", *script,
                             "--formatters.down-formatter", "FORMATTER_JAVASCRIPT", "--formatters.down-formatter-parameter-local-file", *script)
        return name

    def test_uplinks_are_decoded(self):
        asked = {}
        for case in self.cases:
            if case.call == "up":
                device = self.devices[case.codec]
                self.stack.cli("simulate", "application-uplink", "app1", device, "--f-port", str(case.port), "--frm-payload-hex", case.hex,
                               "--received-at", "2026-03-02T10:20:00.534Z")
                asked.setdefault(device, []).append(case)
        for device, cases in asked.items():
            for n, case in enumerate(cases, 1):
                with self.subTest(codec=case.codec, where=case.where):
                    up = self.app.wait("/devices/%s/up" % device, n, timeout=60)["uplink_message"]
                    self.assertEqual(base64.b64decode(up["frm_payload"]).hex(), case.hex)
                    self.assertEqual(up.get("decoded_payload", {}), case.data or {})
                    self.assertEqual(up.get("decoded_payload_warnings", []), [] if case.data is None else case.warnings)
                    if case.normalized:
                        self.assertEqual(up["normalized_payload"], case.normalized)

    def test_a_decoder_that_fails_is_an_event_with_its_words(self):
        device = self.device("text.js", 0x01DA2F00, "failing")
        self.stack.cli("simulate", "application-uplink", "app1", device, "--f-port", "1", "--frm-payload-hex", "543231")

        def failures():
            return [e["data"] for e in self.stack.cli("events", "--application-id", "app1", "--device-id", device) if e["name"] == "as.up.data.decode.fail"]
        end = time.monotonic() + 60
        while not failures():
            self.assertLess(time.monotonic(), end, "no event")
            time.sleep(0.1)
        self.assertIn('no field: "T21"', json.dumps(failures()[0]).replace('\\', ''))

    def test_downlinks_are_encoded(self):
        for case in self.cases:
            if case.call != "down":
                continue
            device = self.devices[case.codec]
            with self.subTest(codec=case.codec, where=case.where):
                p = self.stack.run("end-devices", "downlink", "replace", "app1", device, "--f-port", str(case.port), "--decoded-payload",
                                   json.dumps(case.data_in), check=False)
                queue = self.stack.cli("end-devices", "downlink", "list", "app1", device)
                if case.bytes is None:
                    self.assertEqual(p.returncode, 1)
                    self.assertIn(case.throws or case.errors[0], p.stderr)
                    continue
                self.assertEqual((p.returncode, p.stderr), (0, ""))
                self.assertEqual([(base64.b64decode(i.get("frm_payload", "")).hex(), i["f_port"]) for i in queue],
                                 [(case.bytes, case.port_out or case.port)])

    def test_all_are_tried_on_the_server(self):
        """With a script that is not set, and with the one in force."""
        for case in self.cases:
            given = ["--decoded-payload", json.dumps(case.data_in)] if case.call == "down" else ["--frm-payload", case.hex]
            if case.call == "back":
                given.append("--downlink")
            for file in ([], [os.path.join(codecs_table.FOLDER, case.codec)]):
                with self.subTest(codec=case.codec, where=case.where, file=file):
                    p = self.stack.run("formatters", "test", *file, "--application-id", "app1", "--device-id", self.devices[case.codec], "--f-port", str(case.port),
                                       "--received-at", "2026-03-02T10:20:00.534Z", *given, check=False)
                    self.check_tried(case, p)

    def test_what_is_left_out_is_the_same_here_and_there(self):
        example = os.path.join(SOURCE, "deploy/examples/climate.js")
        there = ["--application-id", "app1", "--device-id", self.devices["bytes.js"]]
        for words in (["--frm-payload", "00E13290"], ["--frm-payload-base64", "AOEykA=="], ["--decoded-payload", '{"valve":"open"}']):
            here = self.stack.cli("formatters", "test", example, *words)
            self.assertEqual(self.stack.cli("formatters", "test", example, *words, *there), here)
        for words in (["--frm-payload", "00"], ["--decoded-payload", "{}"]):
            p = [self.stack.run("formatters", "test", example, *words, *more, check=False) for more in ([], there)]
            self.assertEqual([(q.returncode, q.stderr.split(": ", 1)[0]) for q in p], [(1, example), (1, "error")])
            self.assertEqual(*[q.stderr.split(": ", 1)[1] for q in p])

    def check_tried(self, case, p):
        if case.throws or case.errors:
            self.assertEqual(p.returncode, 1)
            self.assertIn(case.throws or ", ".join(case.errors), p.stderr)
            return
        self.assertEqual((p.returncode, p.stderr), (0, ""))
        got = json.loads(p.stdout)
        self.assertEqual(got.get("decoded_payload_warnings", []), case.warnings)
        self.assertEqual(got["decoded_payload"], case.data if case.call != "down" else case.data_in)
        if case.call == "down":
            self.assertEqual((base64.b64decode(got["frm_payload"]).hex(), got["f_port"]), (case.bytes, case.port_out or case.port))
        if case.normalized:
            self.assertEqual(got["normalized_payload"], case.normalized)


class Page(unittest.TestCase):
    """What deploy/docs/formatters.md prints."""

    @classmethod
    def setUpClass(cls):
        with open(os.path.join(SOURCE, "deploy/docs/formatters.md"), encoding="utf-8") as f:
            cls.blocks = re.findall(r"```(\w+)\n(.*?)```", f.read(), re.S)
        with open(os.path.join(SOURCE, "deploy/examples/climate.js"), encoding="utf-8") as f:
            cls.example = f.read()

    def test_its_script_is_the_example(self):
        self.assertEqual([text for kind, text in self.blocks if kind == "js"][0], self.example)

    def test_what_it_shows_as_results_is_what_comes(self):
        shown = [(before[1], after[1]) for before, after in zip(self.blocks, self.blocks[1:]) if (before[0], after[0]) == ("sh", "json")]
        self.assertGreaterEqual(len(shown), 3)
        for line, result in shown:
            with self.subTest(line):
                words = shlex.split(line.replace("\\\n", ""))
                self.assertEqual(words[0], "godwit")
                p = subprocess.run([program("godwit"), *words[1:]], capture_output=True, text=True, timeout=60, cwd=os.path.join(SOURCE, "deploy/examples"))
                self.assertEqual((p.returncode, p.stderr, p.stdout), (0, "", result))

    def test_its_tables_have_every_row(self):
        """Of CayenneLPP, and of normalized payloads."""
        with open(os.path.join(SOURCE, "deploy/docs/formatters.md"), encoding="utf-8") as f:
            page = f.read()
        for table, pattern in (("cayenne", r'^(?:ONE|THREE)\((\d+), "(\w+)"'), ("normalized", r'^[A-Z_]+\("([\w.]+)"()')):
            with open(os.path.join(SOURCE, "as/core/formatters/%s.def" % table), encoding="utf-8") as f:
                rows = re.findall(pattern, f.read(), re.M)
            self.assertGreater(len(rows), 10)
            for row in rows:
                cells = [cell for cell in row if cell]
                self.assertRegex(page, r"\| " + r" \| ".join(c if c.isdigit() else "`%s`" % re.escape(c) for c in cells))


if __name__ == "__main__":
    unittest.main()
