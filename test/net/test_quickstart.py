"""deploy/quickstart, as somebody new runs it: twice in one place, with a port in use, with wrong options, and ended by signals."""
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from godwit import SOURCE, environment  # noqa: E402

QUICKSTART = os.path.join(SOURCE, "deploy/quickstart")
ANY_PORT = ("--gs.udp-listen=127.0.0.1:0", "--as.mqtt-listen=127.0.0.1:0", "--as.http-listen=127.0.0.1:0")


def named(state):
    """The processes that have this state directory in their command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                words = f.read().decode(errors="replace").split("\0")
        except OSError:
            continue
        if any(state in word for word in words):
            found.append((int(pid), " ".join(words)))
    return found


class Quickstart(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.access(os.path.join(SOURCE, "build") if os.path.isdir(os.path.join(SOURCE, "build")) else SOURCE, os.W_OK):
            raise unittest.SkipTest("quickstart builds in %s, which cannot be written" % SOURCE)
        # Else the first of these tests would wait for the compiler.
        subprocess.run(["make", "-s", "-j2", "-C", SOURCE, "B=build", "all"], check=True, stdout=subprocess.DEVNULL, env=environment())

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="godwit-quickstart-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.state = os.path.join(self.folder, "godwit-data")

    def begin(self, *options):
        p = subprocess.Popen([QUICKSTART, *options, *ANY_PORT], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, env=environment(), start_new_session=True)
        self.addCleanup(self.clear, p)
        return p

    def clear(self, p):
        try:
            os.killpg(p.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        p.wait()
        p.stdout.close()
        p.stderr.close()

    def run_it(self, *options, timeout=60):
        p = self.begin(*options)
        out, err = p.communicate(timeout=timeout)
        return p.returncode, out, err

    def test_the_demo_twice_in_one_place(self):
        joined = []
        for _ in range(2):
            status, out, err = self.run_it("--demo", "--count", "3", timeout=90)
            self.assertEqual(status, 0, err)
            lines = out.splitlines()
            self.assertEqual(len(lines), 3, out)
            for line in lines:
                topic, body = line.split(" ", 1)
                up = json.loads(body)
                self.assertRegex(topic, "^v3/demo/devices/dev[1-5]/up$")
                ids = up["end_device_ids"]
                self.assertEqual(topic.split("/")[3], ids["device_id"])
                # The simulator begins each time with joins; the registry remembers which DevNonces were used.
                joined.append((ids["device_id"], ids["dev_addr"]))
            for what in ("server_address", "serv_port_up", "MQTT: 127.0.0.1:", "HTTP API: http://127.0.0.1:", self.state + "/admin.key"):
                self.assertIn(what, err)
            self.assertEqual(named(self.folder), [])
        self.assertFalse(set(joined[:3]) & set(joined[3:]), joined)
        self.assertTrue(os.path.exists(self.state + "/godwit.log.1"))

    def started(self, *options):
        p = self.begin(*options)
        until = "Ctrl-C ends it" if "--demo" not in options else "Demo: "
        said = ""
        while until not in said:
            line = p.stderr.readline()
            self.assertTrue(line, said)
            said += line
        threading.Thread(target=p.stderr.read, daemon=True).start()
        return p

    def test_signals_end_all_that_was_started(self):
        for sent, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            for options in ((), ("--demo",)):
                with self.subTest(sent=sent, options=options):
                    p = self.started(*options)
                    self.assertTrue(named(self.state))
                    if "--demo" in options:
                        self.assertRegex(p.stdout.readline(), "^v3/demo/devices/")
                    # As a terminal does, to all of the foreground; a supervisor tells only the script.
                    if sent == signal.SIGINT:
                        os.killpg(p.pid, sent)
                    else:
                        p.send_signal(sent)
                    threading.Thread(target=p.stdout.read, daemon=True).start()
                    self.assertEqual(p.wait(20), status)
                    self.assertEqual(named(self.folder), [])
                    self.assertEqual([f for f in os.listdir(self.state) if f.endswith(".pipe") or re.search(r"log\.\d{2,}$", f)], [])

    def test_what_cannot_be_started_is_one_line(self):
        for kind, key in ((socket.SOCK_DGRAM, "gs.udp-listen"), (socket.SOCK_STREAM, "as.mqtt-listen"), (socket.SOCK_STREAM, "as.http-listen")):
            with socket.socket(socket.AF_INET, kind) as taken:
                taken.bind(("127.0.0.1", 0))
                if kind == socket.SOCK_STREAM:
                    taken.listen()
                address = "127.0.0.1:%d" % taken.getsockname()[1]
                others = [s for s in ANY_PORT if key not in s]
                p = subprocess.run([QUICKSTART, "--%s=%s" % (key, address), *others], cwd=self.folder, capture_output=True, text=True, timeout=60,
                                   env=environment(), stdin=subprocess.DEVNULL)
            self.assertEqual(p.returncode, 1, p.stderr)
            self.assertEqual(len(p.stderr.splitlines()), 1, p.stderr)
            self.assertIn(address, p.stderr)
            self.assertIn(key, p.stderr)
        status, _, err = self.run_it("--frequency-plan", "EU868")
        self.assertEqual((status, len(err.splitlines())), (1, 1), err)
        self.assertIn("EU868", err)
        self.assertIn("EU_863_870", err)
        with open(self.folder + "/file", "w"):
            pass
        status, _, err = self.run_it("--state-dir", "file/below")
        self.assertEqual(status, 1)
        self.assertIn(self.folder + "/file/below", err)
        self.assertEqual(named(self.folder), [])

    def test_a_second_one_in_the_same_place_leaves_the_first_alone(self):
        first = self.started()
        status, _, err = self.run_it()
        self.assertEqual((status, len(err.splitlines())), (1, 1), err)
        self.assertIn(self.state, err)
        self.assertIsNone(first.poll())
        with open(self.state + "/godwit.log") as f:
            self.assertIn("msg=ready", f.read())
        first.terminate()
        self.assertEqual(first.wait(20), 143)

    def test_wrong_options_are_usage(self):
        for options in (("--fly",), ("stray",), ("--count",), ("--demo", "--count", "many"), ("--demo", "--count=0"), ("--count", "3"),
                        ("--demo", "--count", ""), ("--frequency-plan",)):
            p = subprocess.run([QUICKSTART, *options], cwd=self.folder, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
            self.assertEqual(p.returncode, 2, options)
            self.assertRegex(p.stderr, "^error: .*\nusage: ")
        self.assertEqual(os.listdir(self.folder), [])
        p = subprocess.run([QUICKSTART, "--help"], cwd=self.folder, capture_output=True, text=True, timeout=20)
        self.assertEqual((p.returncode, p.stderr), (0, ""))
        self.assertIn("--frequency-plan", p.stdout)

    def test_settings_are_passed_on_even_with_blanks(self):
        status, _, err = self.run_it("--as.tls-certificate=/no such/file.crt", "--as.tls-key=/no such/file.key")
        self.assertEqual(status, 1)
        self.assertIn("/no such/file", err)


@unittest.skipUnless(shutil.which("dpkg-query"), "no dpkg here")
class InstallDeps(unittest.TestCase):
    """With sudo out of sight, and apt-get replaced by what only notes that it was called."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="godwit-deps-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        os.chmod(self.folder, 0o755)
        for name in ("env", "mktemp", "rm", "tail", "sh", "true"):
            os.symlink(shutil.which(name), os.path.join(self.folder, name))
        self.script("apt-get", 'echo "$@" >&2\nexit 100')
        self.installed = ["gcc", "make", "autoconf", "pkg-config"]
        for name in self.installed:
            self.script(name, "")
        for name in ("install-deps", "progress"):
            shutil.copy(os.path.join(SOURCE, "deploy", name), self.folder)

    def script(self, name, body):
        path = os.path.join(self.folder, name)
        if os.path.lexists(path):
            os.remove(path)
        with open(path, "w") as f:
            f.write("#!/bin/sh\n" + body + "\n")
        os.chmod(path, 0o755)

    def install(self, all_there, uid, *options):
        self.script("dpkg-query", "echo installed" if all_there else 'case "$4" in liblmdb-dev) exit 1 ;; esac; echo installed')
        self.script("id", "echo %d" % uid)
        return subprocess.run([os.path.join(self.folder, "install-deps"), *options], env={"PATH": self.folder}, capture_output=True, text=True, timeout=20)

    def test_nothing_missing_needs_no_rights(self):
        p = self.install(True, 1000)
        self.assertEqual((p.returncode, p.stdout, p.stderr), (0, "", ""))

    def test_missing_without_rights_names_what(self):
        p = self.install(False, 1000)
        self.assertEqual(p.returncode, 1)
        self.assertRegex(p.stderr, "^error: run as root, or install sudo; missing: liblmdb-dev\n$")

    def test_apt_that_fails_is_shown(self):
        p = self.install(False, 0)
        self.assertEqual(p.returncode, 1)
        self.assertIn("error: apt-get could not install: liblmdb-dev", p.stderr)
        self.assertIn("install liblmdb-dev", p.stderr)

    def test_wrong_option(self):
        self.assertEqual(self.install(True, 0, "--all").returncode, 2)


class Progress(unittest.TestCase):
    """What something long does is shown on a terminal, in one line that goes away, and nowhere else."""
    SCRIPT = ". deploy/progress; log=$(mktemp); tick building $log; echo 'cc -c -o x.o' >$log; sleep 2.5; untick; rm $log; echo end >&2"

    def test_a_terminal_shows_how_far_it_is(self):
        terminal, own = pty.openpty()
        p = subprocess.Popen(["sh", "-euc", self.SCRIPT], cwd=SOURCE, stdin=own, stdout=own, stderr=own)
        os.close(own)
        seen = b""
        try:
            while True:
                seen += os.read(terminal, 4096)
        except OSError:
            pass  # nobody has it open any more
        os.close(terminal)
        self.assertEqual(p.wait(10), 0)
        self.assertIn(b"\r\x1b[Kbuilding: 0 s", seen)
        self.assertIn(b"\r\x1b[Kbuilding: 1 s  cc -c -o x.o", seen)
        self.assertTrue(seen.endswith(b"\r\x1b[Kend\r\n"), seen[-80:])

    def test_elsewhere_nothing_is_added(self):
        r = subprocess.run(["sh", "-euc", self.SCRIPT], cwd=SOURCE, capture_output=True, text=True, timeout=20)
        self.assertEqual((r.returncode, r.stdout, r.stderr), (0, "", "end\n"))


if __name__ == "__main__":
    unittest.main()
