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
