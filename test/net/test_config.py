"""The configurations and pages that are installed: each program takes them, and they say what the program says."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from godwit import BUILD, SOURCE, environment, program

DAEMONS = ["godwit-gs", "godwit-ns", "godwit-as"]
DEPLOY = os.path.join(SOURCE, "deploy")


def run(*words):
    return subprocess.run([program(words[0]), *words[1:]], env=environment(), capture_output=True, text=True, timeout=20)


class Config(unittest.TestCase):
    def check(self, path):
        for daemon in DAEMONS:
            r = run(daemon, "--check-config", "--config", path)
            self.assertEqual((r.returncode, r.stdout, r.stderr), (0, "configuration is good\n", ""), (path, daemon))

    def test_every_program_takes_the_example_as_it_is(self):
        self.check(os.path.join(DEPLOY, "godwit.conf"))

    def test_every_program_takes_the_example_with_every_key_uncommented(self):
        with open(os.path.join(DEPLOY, "godwit.conf")) as f:
            text = re.sub(r"^#(?=[a-z-]+ =)", "", f.read(), flags=re.M)
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
            f.write(text)
            f.flush()
            self.check(f.name)
            self.assertEqual(len(re.findall(r"^[a-z-]+ =", text, flags=re.M)), len(set(self.keys())))

    @staticmethod
    def keys():
        for daemon in DAEMONS:
            yield from re.findall(r"^  --([a-z.-]+)=", run(daemon, "--help").stdout, flags=re.M)

    def test_every_program_takes_the_examples(self):
        folder = os.path.join(DEPLOY, "examples")
        names = sorted(os.listdir(folder))
        self.assertEqual(names, ["single-gateway.conf", "site.conf", "tls.conf"])
        for name in names:
            self.check(os.path.join(folder, name))

    def test_the_page_of_the_configuration_names_every_key(self):
        with open(os.path.join(DEPLOY, "man", "godwit.conf.5")) as f:
            page = f.read().replace("\\-", "-")
        for key in self.keys():
            self.assertIn("\\fB" + key + "\\fP", page)

    def test_the_page_of_the_simulator_names_every_option(self):
        with open(os.path.join(DEPLOY, "man", "godwit-sim.1")) as f:
            page = f.read().replace("\\-", "-")
        options = re.findall(r"^  --(\S+)", run("godwit-sim", "--help").stdout, flags=re.M)
        self.assertGreater(len(options), 20)
        self.assertEqual(re.findall(r"^\\fB--(\S+)\\fP", page, flags=re.M), options)

    @staticmethod
    def manual():
        folder = os.path.join(DEPLOY, "docs")
        for path in [os.path.join(SOURCE, "README.md")] + sorted(os.path.join(folder, n) for n in os.listdir(folder)):
            with open(path) as f:
                yield path, f.read()

    def test_every_command_in_the_manual_is_one(self):
        commands = re.findall(r"^  godwit ((?:[a-z-]+ ?)+)", run("godwit", "--help").stdout, flags=re.M)
        known = {c.strip() for c in commands} | {"up"}
        seen = 0
        for path, text in self.manual():
            for words in re.findall(r"(?:^|`|sudo )godwit ([a-z][a-z-]*(?: [a-z][a-z-]*)*)", text, flags=re.M):
                seen += 1
                self.assertTrue(any(words == k or words.startswith(k + " ") or k.startswith(words + " ") for k in known), (path, words))
        self.assertGreater(seen, 20)

    def test_every_link_in_the_manual_leads_somewhere(self):
        for path, text in self.manual():
            for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
                self.assertTrue(os.path.exists(os.path.join(os.path.dirname(path), link)), (path, link))

    def test_the_package_has_the_version_of_the_source(self):
        with open(os.path.join(DEPLOY, "build", "VERSION")) as f:
            version = f.read().strip()
        with open(os.path.join(DEPLOY, "debian", "changelog")) as f:
            self.assertEqual(re.match(r"godwit \(([^)]+)\)", f.readline()).group(1), version)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd here")
    def test_the_units_expose_little(self):
        with tempfile.TemporaryDirectory() as root:
            subprocess.run(["make", "-s", "-f", os.path.join(SOURCE, "Makefile"), "B=" + BUILD, "units"], check=True, capture_output=True)
            for name in ["gs", "ns", "as"]:
                unit = os.path.join(BUILD, "systemd", "godwit-%s.service" % name)
                r = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=19", unit], capture_output=True, text=True,
                                   env={**os.environ, "TMPDIR": root})
                self.assertEqual(r.returncode, 0, (r.stdout + r.stderr)[-2000:])


if __name__ == "__main__":
    unittest.main()
