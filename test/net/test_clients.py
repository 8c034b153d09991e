"""Clients that are not ours: mosquitto_sub, mosquitto_pub, MQTT.js, curl-like HTTP."""
import json
import os
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from gateway import Gateway  # noqa: E402
from godwit import Stack  # noqa: E402
from lorawan import Device  # noqa: E402
from npm import folder_with  # noqa: E402

MQTT_JS = """
const mqtt = require('mqtt');
const [host, port, user, password] = process.argv.slice(2);
const client = mqtt.connect(`mqtt://${host}:${port}`, { username: user, password, protocolVersion: 4, reconnectPeriod: 0 });
client.on('connect', () => client.subscribe('v3/+/devices/+/up', { qos: 2 }, (e, granted) => {
  console.log('SUBSCRIBED', JSON.stringify(granted));
  client.publish('v3/app1/devices/dev1/down/push', JSON.stringify({ downlinks: [{ f_port: 21, frm_payload: 'AQ==' }] }), { qos: 2 },
    (error) => console.log('PUBLISHED', error ? error.message : 'ok'));
}));
client.on('message', (topic, body, packet) => { console.log('MESSAGE', topic, packet.qos, JSON.parse(body).uplink_message.f_port); client.end(); });
client.on('error', (e) => { console.log('ERROR', e.code, e.message); process.exit(3); });
"""


class Lines:
    """The lines a program prints, as they come."""

    def __init__(self, args, **how):
        self.process = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1, **how)
        self.lines, self.changed = [], threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()

    def wait(self, text, timeout=10):
        end = time.monotonic() + timeout
        with self.changed:
            while True:
                for line in self.lines:
                    if text in line:
                        return line
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError("%r not among %r" % (text, self.lines))
                self.changed.wait(left)

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            # mosquitto_sub does not always end by a signal that comes while it disconnects by itself.
            self.process.kill()
            self.process.wait(5)
        self.process.stdout.close()


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()
        cls.key = cls.stack.create_application("app1")
        cls.device = Device(dev_addr=0x01DA1F15, nwk_s_key=os.urandom(16), app_s_key=os.urandom(16))
        cls.stack.create_abp(cls.device, "app1", "dev1")
        cls.host, cls.port = cls.stack.address("as.mqtt")

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def setUp(self):
        self.gateway = Gateway(self.stack.address("gs.udp"))
        self.addCleanup(self.gateway.close)
        self.gateway.wait_path()

    def mosquitto(self, which, *args, user="app1", key=None):
        # Line by line, as on a terminal.
        return ["stdbuf", "-oL", which, "-h", self.host, "-p", str(self.port), "-u", user, "-P", key or self.key] + list(args)

    def test_mosquitto_sub_receives_all_and_mosquitto_pub_queues(self):
        for version in ("mqttv31", "mqttv311"):
            sub = Lines(self.mosquitto("mosquitto_sub", "-t", "#", "-d", "-V", version, "-q", "1"))
            try:
                sub.wait("Subscribed")
                self.gateway.uplink(self.device.uplink(5, version.encode()))
                sub.wait("'v3/app1/devices/dev1/up'")
                out = subprocess.run(self.mosquitto("mosquitto_pub", "-V", version, "-q", "1", "-t", "v3/app1/devices/dev1/down/push", "-m",
                                                    '{"downlinks":[{"f_port": 15,"frm_payload":"vu8=","priority": "NORMAL"}]}'),
                                     capture_output=True, text=True, timeout=10)
                self.assertEqual(out.returncode, 0, out.stderr)
                sub.wait("'v3/app1/devices/dev1/down/queued'")
            finally:
                sub.close()
        self.stack.cli("end-devices", "downlink", "clear", "app1", "dev1")

    def test_wrong_credentials_are_not_authorised(self):
        for user, key in (("app1", "NNSXS.WRONG.KEY"), ("app1", self.key[:-1] + ("A" if self.key[-1] != "A" else "B")), ("app2", self.key),
                          ("app1@nobody", self.key)):
            out = subprocess.run(self.mosquitto("mosquitto_sub", "-t", "#", "-C", "1", "-W", "5", user=user, key=key), capture_output=True,
                                 text=True, timeout=20)
            self.assertEqual(out.returncode, 5, (user, out.stderr))
            self.assertIn("not authori", out.stderr.lower() + out.stdout.lower())

    def test_filters_of_others_are_refused(self):
        for topic in ("v3/app2/devices/+/up", "$SYS/#", "+", "other/#"):
            sub = Lines(self.mosquitto("mosquitto_sub", "-t", topic, "-d", "-W", "3"))
            try:
                sub.wait("128", 5)  # 0x80, as "Subscribed (mid: 1): 128" or "All subscription requests were denied" before it
            finally:
                sub.close()

    def test_a_revoked_key_is_put_out_at_once(self):
        made = self.stack.cli("applications", "api-keys", "create", "--application-id", "app1", "--name", "soon-gone",
                              "--right-application-traffic-read")
        sub = Lines(self.mosquitto("mosquitto_sub", "-t", "#", "-d", key=made["key"]))
        try:
            sub.wait("Subscribed")
            self.stack.cli("applications", "api-keys", "delete", "--application-id", "app1", "--api-key-id", made["id"])
            sub.wait("CONNACK (5)", 15)
        finally:
            sub.close()

    def test_mqtt_js(self):
        folder = folder_with(self, "mqtt@5")
        script = os.path.join(folder, "client.js")
        with open(script, "w") as f:
            f.write(MQTT_JS)
        client = Lines(["node", script, self.host, str(self.port), "app1", self.key], cwd=folder)
        try:
            self.assertIn('"qos":2', client.wait("SUBSCRIBED", 20))
            client.wait("PUBLISHED ok")
            self.gateway.uplink(self.device.uplink(5, b"for js"))
            self.assertEqual(client.wait("MESSAGE"), "MESSAGE v3/app1/devices/dev1/up 2 5")
            self.assertIn(21, [i["f_port"] for i in self.stack.cli("end-devices", "downlink", "list", "app1", "dev1")] +
                          [self.device.downlink(e.phy).f_port for e in self.gateway.emissions])
        finally:
            client.close()
        wrong = Lines(["node", script, self.host, str(self.port), "app1", "NNSXS.A.B"], cwd=folder)
        try:
            wrong.wait("ERROR 5", 20)
        finally:
            wrong.close()

    def test_events_follow(self):
        follow = Lines([os.path.join(os.environ.get("GODWIT_BUILD", "build"), "godwit"), "--state-dir", self.stack.state, "events",
                        "--application-id", "app1", "--follow"])
        try:
            time.sleep(1)
            self.gateway.uplink(self.device.uplink(5, b"seen"))
            event = json.loads(follow.wait("as.up.data.forward"))
            self.assertEqual(event["process"], "as")
            self.assertEqual(event["identifiers"]["device_id"], "dev1")
        finally:
            follow.close()


if __name__ == "__main__":
    unittest.main()
