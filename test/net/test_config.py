"""The configurations and pages that are installed: each program takes them, and they say what the program says."""
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from godwit import BUILD, SOURCE, Stack, environment, program

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
        names = sorted(n for n in os.listdir(folder) if n.endswith(".conf"))
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

    def test_every_flag_in_the_manual_is_one(self):
        """Of godwit's commands: where a line goes on with a backslash, the next one belongs to it."""
        known = set()
        for command in re.findall(r"^  godwit ((?:[a-z-]+ ?)+)", run("godwit", "--help").stdout, flags=re.M):
            known |= set(re.findall(r"^  --(\S+)", run("godwit", *command.split(), "--help").stdout, flags=re.M))
        seen = 0
        for path, text in self.manual():
            for line in re.findall(r"(?:^|`|sudo |\s)godwit [a-z][^`\n]*", text.replace("\\\n", " "), flags=re.M):
                for flag in re.findall(r" --([a-z][a-z.-]*[a-z])(?![a-z.-]*=)", line):
                    seen += 1
                    ok = flag in known or flag.startswith(("mac-settings.", "right-"))
                    self.assertTrue(ok, (path, flag, line[:80]))
        self.assertGreater(seen, 25)

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


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Examples(unittest.TestCase):
    """Each example starts and serves: but for ports, which are free ones here, and places, which are a test's."""

    def start(self, name, places=()):
        with open(os.path.join(DEPLOY, "examples", name)) as f:
            text = f.read()
        ports = {p: free_port() for p in re.findall(r"^[a-z-]+ = .*:(\d+)$", text, flags=re.M)}
        self.assertGreaterEqual(len(ports), 3)
        text = re.sub(r":(\d+)$", lambda m: ":%d" % ports[m.group(1)], text, flags=re.M)
        for old, new in places:
            self.assertIn(old, text)
            text = text.replace(old, new)
        folder = tempfile.mkdtemp(prefix="godwit-example-")
        self.addCleanup(shutil.rmtree, folder, True)
        conf = os.path.join(folder, "godwit.conf")
        with open(conf, "w") as f:
            f.write(text)
        stack = Stack(start=False)
        self.addCleanup(stack.close)
        # Nothing but the file: its own flags would hide what it says.
        stack.flags = lambda: ["--config", conf, "--state-dir", stack.state]
        stack.start()
        return stack, ports

    def serves(self, port):
        """Ready, once the others have found it."""
        end = time.monotonic() + 10
        while True:
            try:
                with urllib.request.urlopen("http://127.0.0.1:%d/healthz/ready" % port, timeout=5) as r:
                    return self.assertEqual(r.status, 200)
            except urllib.error.HTTPError as e:
                if time.monotonic() > end:
                    raise AssertionError("%d: %s" % (e.code, e.read().decode())) from e
                time.sleep(0.1)

    def test_a_single_gateway(self):
        stack, ports = self.start("single-gateway.conf")
        self.assertEqual(stack.address("gs.udp")[1], ports["1700"])
        self.serves(ports["1885"])

    def test_a_site(self):
        stack, ports = self.start("site.conf")
        for p in ("1885", "1886", "1887"):
            self.serves(ports[p])
        self.assertIn('"msg":"ready"', stack.log_text())

    def test_tls_everywhere(self):
        folder = tempfile.mkdtemp(prefix="godwit-example-")
        self.addCleanup(shutil.rmtree, folder, True)
        for names, to in (("127.0.0.1,ns", "bus"), ("localhost", "mqtt")):
            subprocess.run([os.path.join(DEPLOY, "bus-ca"), folder, folder, names], check=True, capture_output=True)
            for kind in ("crt", "key"):
                os.rename(os.path.join(folder, "%s.%s" % (names.split(",")[0], kind)), os.path.join(folder, "%s.%s" % (to, kind)))
        shutil.copy(os.path.join(folder, "ca.crt"), os.path.join(folder, "bus-ca.crt"))
        _, ports = self.start("tls.conf", [("/etc/godwit/", folder + "/"), ("ns.example.net:", "127.0.0.1:")])
        self.serves(ports["1885"])
        trust = ssl.create_default_context(cafile=os.path.join(folder, "ca.crt"))
        with socket.create_connection(("127.0.0.1", ports["8883"]), 5) as s, trust.wrap_socket(s, server_hostname="localhost") as t:
            self.assertEqual(t.version(), "TLSv1.3")
        with urllib.request.urlopen("https://localhost:%d/healthz/live" % ports["8885"], timeout=5, context=trust) as r:
            self.assertEqual(r.status, 200)


if __name__ == "__main__":
    unittest.main()
