"""Starting the real programs for a test: own state folder, free ports, readiness awaited, only own children ended."""
import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import paho_client
import shapes

SOURCE = os.environ.get("GODWIT_SOURCE") or os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.environ.get("GODWIT_BUILD") or os.path.join(SOURCE, "build")
PLAN = "EU_863_870"
ULID = "[0-9A-HJKMNP-TV-Z]{26}"
CHECKED = 1000  # messages of each end of what a subscriber received: a burst of ten thousand is more of the same


def program(name):
    return os.path.join(BUILD, name)


def environment():
    return {k: v for k, v in os.environ.items() if not k.startswith("GODWIT_")}


class CommandError(Exception):
    def __init__(self, status, stderr):
        super().__init__("exit status %d: %s" % (status, stderr))
        self.status, self.stderr = status, stderr


class Stack:
    """godwit up, with everything on loopback and ports of its own."""

    def __init__(self, *settings, state=None, start=True):
        self.own_state = state is None
        self.state = state or tempfile.mkdtemp(prefix="godwit-test-")
        self.settings = list(settings)
        self.process = None
        if start:
            self.start()

    def fix_ports(self):
        """Use the same ports again after a restart, as an installation does."""
        kinds = {"gs.udp-listen": socket.SOCK_DGRAM, "as.mqtt-listen": socket.SOCK_STREAM, "as.http-listen": socket.SOCK_STREAM}
        for key, kind in kinds.items():
            with socket.socket(socket.AF_INET, kind) as s:
                s.bind(("127.0.0.1", 0))
                self.settings.append("--%s=127.0.0.1:%d" % (key, s.getsockname()[1]))
        return self

    def flags(self):
        given = {s.split("=")[0] for s in self.settings}
        ports = ["--gs.udp-listen=127.0.0.1:0", "--as.mqtt-listen=127.0.0.1:0", "--as.http-listen=127.0.0.1:0", "--as.https-listen=127.0.0.1:0",
                 "--gs.default-frequency-plan=" + PLAN]
        return ["--state-dir", self.state] + [p for p in ports if p.split("=")[0] not in given] + self.settings

    def start(self, timeout=30):
        self.log = open(os.path.join(self.state, "test.log"), "ab")
        self.process = subprocess.Popen([program("godwit"), "up"] + self.flags(), stdout=subprocess.PIPE, stderr=self.log, env=environment())
        line = self._first_line(timeout)
        if line != "godwit: ready":
            self.process.kill()
            raise AssertionError("godwit up said %r instead of ready; its log:\n%s" % (line, self.log_text()[-6000:]))
        with open(os.path.join(self.state, "addresses.json")) as f:
            self.addresses = json.load(f)
        return self

    def _first_line(self, timeout):
        lines = queue.Queue()
        threading.Thread(target=lambda: lines.put(self.process.stdout.readline().decode().strip()), daemon=True).start()
        try:
            return lines.get(timeout=timeout)
        except queue.Empty:
            return "(nothing within %d s)" % timeout

    def address(self, name):
        host, port = self.addresses[name].rsplit(":", 1)
        return host.strip("[]"), int(port)

    def log_text(self):
        with open(os.path.join(self.state, "test.log"), errors="replace") as f:
            return f.read()

    def pid(self, name):
        with open(os.path.join(self.state, name + ".pid")) as f:
            return int(f.read())

    def stop(self, timeout=15):
        """As an operator does; a crash or a sanitizer's finding in any child fails the test."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("godwit up did not end within %d s:\n%s" % (timeout, self.log_text()[-4000:]))
        self.process.stdout.close()
        self.log.close()
        self.process = None
        if status != 0:
            raise AssertionError("godwit up ended with %d:\n%s" % (status, self.log_text()[-4000:]))

    def kill(self):
        """kill -9 of all four at once."""
        pid = self.process.pid
        os.kill(pid, signal.SIGSTOP)  # it shall not start another one meanwhile
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            pids = [int(p) for p in f.read().split()]
        self.process.kill()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        for pid in pids:
            while self._lives(pid):
                time.sleep(0.005)
        self.process.stdout.close()
        self.log.close()
        self.process = None

    @staticmethod
    def _lives(pid):
        """Does it still hold files and locks? A zombie does not."""
        try:
            with open("/proc/%d/stat" % pid) as f:
                return f.read().rsplit(")", 1)[1].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False

    def close(self):
        try:
            self.stop()
            findings = re.findall(r"^.*(?:ERROR: (?:Address|Leak)Sanitizer|runtime error:).*$", self.log_text(), re.M)
            if findings:
                raise AssertionError("a sanitizer spoke: %s\n%s" % (findings, self.log_text()[-6000:]))
        finally:
            if self.process:
                self.kill()
            if self.own_state:
                shutil.rmtree(self.state, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def run(self, *args, stdin=None, check=True):
        p = subprocess.run([program("godwit"), "--state-dir", self.state] + [str(a) for a in args], capture_output=True, text=True,
                           timeout=60, input=stdin, env=environment())
        if check and p.returncode != 0:
            raise CommandError(p.returncode, p.stderr.strip())
        return p

    def cli(self, *args, stdin=None):
        """Run the command line; its JSON."""
        out = self.run(*args, stdin=stdin).stdout
        return json.loads(out) if out.strip() else None

    def create_application(self, app="app1", *rights):
        self.cli("applications", "create", app)
        return self.create_key(app, *rights)

    def create_key(self, app="app1", *rights):
        rights = rights or ("--right-application-traffic-read", "--right-application-traffic-down-write")
        return self.cli("applications", "api-keys", "create", "--application-id", app, "--name", "mqtt-client", *rights)["key"]

    def create_otaa(self, device, app="app1", dev="dev1", *more):
        return self.cli("end-devices", "create", app, dev, "--dev-eui", "%016X" % device.dev_eui, "--join-eui", "%016X" % device.join_eui,
                        "--frequency-plan-id", PLAN, "--lorawan-version", "1.0.3", "--lorawan-phy-version", "1.0.3-a",
                        "--root-keys.app-key.key", device.app_key.hex().upper(), *more)

    def create_abp(self, device, app="app1", dev="dev2", *more):
        return self.cli("end-devices", "create", app, dev, "--abp", "--frequency-plan-id", PLAN, "--lorawan-version", "1.0.3",
                        "--lorawan-phy-version", "1.0.3-a", "--session.dev-addr", "%08X" % device.dev_addr,
                        "--session.keys.nwk-s-key.key", device.nwk_s_key.hex(), "--session.keys.app-s-key.key", device.app_s_key.hex(), *more)


class Subscriber:
    """An MQTT client that keeps all it receives: (topic, decoded JSON). In the end it says what was not as The Things Stack sends it."""

    def __init__(self, stack, key, app="app1", topic="#", qos=1, client_id="", clean=True):
        self.messages, self.raw = [], []
        self.changed = threading.Condition()
        self.subscribed = threading.Event()
        self.refused = None
        self.client = paho_client.client(client_id=client_id, clean_session=clean)
        self.client.username_pw_set(app, key)
        self.client.on_message = self._message
        self.client.on_connect = self._connected
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.topic, self.qos = topic, qos
        self.client.connect(*stack.address("as.mqtt"), keepalive=60)
        self.client.loop_start()
        if not self.subscribed.wait(10):
            raise AssertionError("not subscribed; CONNACK %r" % self.refused)

    def _connected(self, client, _userdata, _flags, code):
        if code:
            self.refused = code
        else:
            client.subscribe(self.topic, self.qos)

    def _message(self, _client, _userdata, message):
        with self.changed:
            self.messages.append((message.topic, json.loads(message.payload)))
            self.raw.append((message.topic, message.payload))
            self.changed.notify_all()

    def publish(self, topic, body, qos=1):
        info = self.client.publish(topic, body if isinstance(body, (str, bytes)) else json.dumps(body), qos)
        info.wait_for_publish(10)

    def wait(self, suffix, n=1, timeout=10.0):
        """The n-th message whose topic ends with suffix."""
        end = time.monotonic() + timeout
        with self.changed:
            while True:
                found = [m for m in self.messages if m[0].endswith(suffix)]
                if len(found) >= n:
                    return found[n - 1][1]
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError("no %s number %d within %.1f s; of late came %r" % (suffix, n, timeout, [m[0] for m in self.messages[-40:]]))
                self.changed.wait(left)

    def count(self, suffix):
        with self.changed:
            return sum(m[0].endswith(suffix) for m in self.messages)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()
        # As they came: tests take messages apart.
        for topic, payload in self.raw[:CHECKED] + self.raw[CHECKED:][-CHECKED:]:
            shapes.check(topic, json.loads(payload))
