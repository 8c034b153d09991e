"""Payload formatters from outside: the collection of codecs in node, and through the stack."""
import json
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
import codecs_table  # noqa: E402


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


if __name__ == "__main__":
    unittest.main()
