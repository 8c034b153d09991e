"""What an application's integrations keep, show and forget: rights, secrets, bounds, restarts; topics with places, and pushes that are refused."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import paho.mqtt.client as paho

sys.path.insert(0, os.path.dirname(__file__))
from godwit import BUILD, Stack  # noqa: E402

NOWHERE = {"mqtt": {"server_url": "mqtt://127.0.0.1:1", "username": "u", "password": "hunter2-secret"}, "uplink_message": {"topic": "up"}}


def until(what, timeout=30):
    """What it gives, once that is something."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        got = what()
        if got:
            return got
        time.sleep(0.05)
    raise AssertionError("it did not become so within %d s" % timeout)


class Case(unittest.TestCase):
    def start(self, *settings):
        self.stack = Stack(*settings)
        self.addCleanup(self.stack.close)
        self.key = self.stack.create_application("app1")
        with open(os.path.join(self.stack.state, "admin.key")) as f:
            self.admin = f.read().strip()
        self.device("dev1", 0x01000001)

    def device(self, dev, addr, *more):
        self.stack.cli("end-devices", "create", "app1", dev, "--abp", "--frequency-plan-id", "EU_863_870", "--lorawan-version", "1.0.3",
                       "--session.dev-addr", "%08X" % addr, "--session.keys.nwk-s-key.key", "0F" * 16, "--session.keys.app-s-key.key", "F0" * 16, *more)

    def ask(self, method, path, body=None, key=None):
        """(status, decoded body)"""
        request = urllib.request.Request("http://%s:%d/api/v3/as/pubsub/%s" % (*self.stack.address("as.http"), path), method=method,
                                         data=None if body is None else json.dumps(body).encode(), headers={"Authorization": "Bearer " + (key or self.admin)})
        try:
            with urllib.request.urlopen(request, timeout=30) as r:
                return r.status, json.loads(r.read())
        except urllib.error.HTTPError as e:
            return e.code, json.loads(e.read())

    def set(self, name, body):
        status, answer = self.ask("PUT", "app1/" + name, body)
        self.assertEqual(status, 200, answer)
        return answer

    def get(self, name):
        status, answer = self.ask("GET", "app1/" + name)
        self.assertEqual(status, 200, answer)
        return answer

    def uplinks(self, n, dev="dev1"):
        for i in range(n):
            self.stack.cli("simulate", "application-uplink", "app1", dev, "--f-port", "1", "--f-cnt", str(i + 1), "--frm-payload", "AQ==")

    def events(self, name):
        return [e["data"] for e in self.stack.cli("events", "--application-id", "app1") if e["name"] == name]


class Kept(Case):
    def test_who_may_and_what_is_shown(self):
        self.start()
        settings = self.stack.create_key("app1", "--right-application-settings-basic")
        self.assertEqual(self.ask("GET", "app1", key=self.key)[0], 403)
        self.assertEqual(self.ask("PUT", "app1/ps1", NOWHERE, key=settings)[0], 403, "it would read and write the devices' traffic")
        whole = self.stack.create_key("app1", "--right-application-settings-basic", "--right-application-traffic-read",
                                      "--right-application-traffic-down-write")
        status, made = self.ask("POST", "app1", {"pubsub": {"ids": {"pub_sub_id": "ps1"}, **NOWHERE}}, key=whole)
        self.assertEqual(status, 200, made)
        self.assertEqual(made["ids"], {"application_ids": {"application_id": "app1"}, "pub_sub_id": "ps1"})
        self.assertRegex(made["mqtt"]["client_id"], "^godwit-[0-9a-f]{16}$")
        status, shown = self.ask("GET", "app1/ps1", key=settings)
        self.assertEqual((status, shown["mqtt"]), (200, made["mqtt"]))
        # A mask: what it names, and nothing else.
        status, changed = self.ask("PUT", "app1/ps1", {"pubsub": {"base_topic": "b", "uplink_message": {"topic": "x"}},
                                                       "field_mask": {"paths": ["base_topic"]}})
        self.assertEqual((changed["base_topic"], changed["uplink_message"], changed["created_at"]), ("b", {"topic": "up"}, made["created_at"]))
        until(lambda: "last_error" in self.get("ps1")["status"])
        self.assertEqual([p["ids"]["pub_sub_id"] for p in self.ask("GET", "app1?field_mask=base_topic")[1]["pubsubs"]], ["ps1"])
        everything = json.dumps([made, shown, changed, self.ask("GET", "app1")[1], self.stack.cli("events")]) + self.stack.log_text()
        self.assertNotIn("hunter2", everything)
        with open(os.path.join(self.stack.state, "as", "data.mdb"), "rb") as f:
            self.assertNotIn(b"hunter2", f.read(), "it is kept wrapped")

    def test_what_is_refused(self):
        self.start()
        for body, field in (({"mqtt": {"server_url": "http://x"}}, "mqtt.server_url"), ({}, "mqtt.server_url"),
                            ({**NOWHERE, "uplink_message": {"topic": "a/#"}}, "uplink_message.topic"),
                            ({**NOWHERE, "downlink_push": {"topic": "x-{device_id}"}}, "downlink_push.topic"),
                            ({"mqtt": {"server_url": "mqtt://h", "tls_ca": "-----BEGIN CERTIFICATE-----"}}, "mqtt.tls_ca"),
                            ({"mqtt": {"server_url": "mqtts://h", "tls_ca": "-----BEGIN CERTIFICATE-----"}}, "mqtt")):
            status, answer = self.ask("PUT", "app1/ps1", body)
            self.assertEqual((status, answer["details"][0]["field"]), (400, field), answer)
        self.assertEqual(self.ask("PUT", "app1/Not-An-Id", NOWHERE)[0], 400)
        self.assertEqual(self.ask("GET", "app1/ps1")[0], 404)
        self.assertEqual(self.ask("DELETE", "app1/ps1")[0], 404)
        named = {"mqtt": {"server_url": "mqtt://127.0.0.1:1", "client_id": "me"}}
        self.set("ps1", named)
        self.assertEqual(self.ask("PUT", "app1/ps2", named)[1]["details"][0]["field"], "mqtt.client_id", "two would put each other out")
        self.set("ps1", named)
        for i in range(2, 21):
            self.set("ps%d" % i, NOWHERE)
        self.assertEqual(self.ask("PUT", "app1/ps21", NOWHERE)[0], 429)

    def test_bounds(self):
        self.start("--as.outbox-size=4KiB")
        self.set("ps1", NOWHERE)
        self.uplinks(15)
        status = self.get("ps1")["status"]
        self.assertEqual(status["queued"] + status["dropped"], 15)
        self.assertGreater(status["dropped"], 0)
        self.assertGreater(status["queued"], 3)
        self.assertEqual(self.events("as.pubsub.drop")[0]["reason"], "outbox_full")

    def test_age(self):
        self.start("--as.outbox-age=1s")
        self.set("ps1", NOWHERE)
        self.uplinks(2)
        until(lambda: self.get("ps1")["status"]["dropped"] == 2)
        self.assertEqual(self.get("ps1")["status"]["queued"], 0)
        self.assertEqual(self.events("as.pubsub.drop")[0]["reason"], "expired")

    def test_it_outlives_the_process_and_goes_with_its_application(self):
        self.start()
        self.set("ps1", NOWHERE)
        self.uplinks(3)
        before = self.get("ps1")
        self.stack.kill()
        self.stack.start()
        after = self.get("ps1")
        self.assertEqual(after["status"]["queued"], 3)
        for shown in (before, after):
            del shown["status"]
        self.assertEqual(after, before)
        self.stack.cli("applications", "delete", "app1")
        self.stack.cli("applications", "create", "app1")
        self.assertEqual(self.ask("GET", "app1")[1], {"pubsubs": []})
        os.kill(self.stack.pid("as"), signal.SIGKILL)
        until(lambda: self.stack.run("applications", "pubsubs", "list", "app1", check=False).returncode == 0)
        self.assertEqual(self.stack.cli("applications", "pubsubs", "list", "app1"), [], "nothing of it comes back")


    def test_it_is_part_of_a_backup(self):
        self.start()
        self.set("ps1", NOWHERE)
        self.uplinks(2)
        folder = tempfile.mkdtemp(prefix="godwit-backup-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        copy = os.path.join(folder, "copy")
        self.stack.cli("backup", copy)
        before = self.get("ps1")
        self.uplinks(1)
        self.set("ps2", NOWHERE)
        self.stack.stop()
        self.stack.cli("restore", copy)
        self.stack.start()
        after = self.get("ps1")
        self.assertEqual((after["status"]["queued"], after["mqtt"]), (2, before["mqtt"]))
        self.assertEqual(self.ask("GET", "app1/ps2")[0], 404)


class Served(Case):
    """With a broker: this project's own engine."""

    def setUp(self):
        self.start()
        self.broker = subprocess.Popen([os.path.join(BUILD, "test/mqtt_broker/mqtt-broker"), "--port", "0"], stdout=subprocess.PIPE)
        self.addCleanup(self.broker.stdout.close)
        self.addCleanup(self.broker.wait)
        self.addCleanup(self.broker.terminate)
        self.port = int(self.broker.stdout.readline().split()[1])
        self.got = []
        self.client = paho.Client(client_id="watch")
        self.client.username_pw_set("u", "p")
        self.client.on_message = lambda c, u, m: None if m.topic.endswith(("push", "replace")) else self.got.append((m.topic, json.loads(m.payload)))
        subscribed = []
        self.client.on_subscribe = lambda *a: subscribed.append(True)
        self.client.on_connect = lambda c, u, f, rc: c.subscribe("#", 1)
        self.client.connect("127.0.0.1", self.port)
        self.client.loop_start()
        self.addCleanup(self.client.loop_stop)
        until(lambda: subscribed)

    def serve(self, body, name="ps1"):
        self.set(name, {**body, "mqtt": {"server_url": "mqtt://127.0.0.1:%d" % self.port, "username": "u", "password": "p", "publish_qos": 1,
                                         "subscribe_qos": 1}})
        until(lambda: self.get(name)["status"]["connected"])

    def wait(self, topic, n=1):
        return until(lambda: (lambda m: m if len(m) >= n else None)([m for t, m in self.got if t == topic]))

    def push(self, topic, body, retain=False):
        self.client.publish(topic, json.dumps(body) if isinstance(body, dict) else body, 1, retain).wait_for_publish(10)

    def test_topics_have_places(self):
        self.device("dev2", 0x01000002, "--dev-eui", "70B3D57ED0051234", "--join-eui", "0000000000000001")
        self.serve({"base_topic": "t/{application_id}/", "uplink_message": {"topic": "/{device_id}/{dev_eui}/up"}})
        self.serve({"uplink_message": {"topic": "all"}}, "ps2")
        self.uplinks(1)
        self.uplinks(2, "dev2")
        self.assertEqual(len(self.wait("t/app1/dev1/dev1/up")), 1)
        self.assertEqual([m["uplink_message"]["f_cnt"] for m in self.wait("t/app1/dev2/70B3D57ED0051234/up", 2)], [1, 2])
        self.wait("all", 3)
        until(lambda: self.get("ps1")["status"] == {"connected": True, "queued": 0, "sent": 3, "received": 0, "dropped": 0})
        story = self.stack.cli("trace", self.wait("all")[0]["correlation_ids"][-1])
        self.assertEqual(sorted(e["data"]["integration_id"] for e in story if e["name"] == "as.pubsub.forward"), ["ps1", "ps2"])

    def test_the_topic_of_a_push_may_say_whose_it_is(self):
        self.serve({"base_topic": "d", "downlink_push": {"topic": "{device_id}/push"}, "downlink_replace": {"topic": "replace"},
                    "downlink_queued": {"topic": "queued"}, "downlink_failed": {"topic": "failed"}})
        item = {"downlinks": [{"f_port": 1, "frm_payload": "AA==", "priority": "NORMAL"}]}
        ids = {"end_device_ids": {"device_id": "dev1", "application_ids": {"application_id": "app1"}}}
        self.push("d/dev1/push", item)
        self.assertEqual(self.wait("d/queued")[0]["end_device_ids"]["device_id"], "dev1")
        self.push("d/dev1/push", {**ids, **item})
        self.wait("d/queued", 2)
        self.push("d/replace", {**ids, "downlinks": []})
        until(lambda: self.stack.cli("end-devices", "downlink", "list", "app1", "dev1") == [])
        self.push("d/dev1/push", "no json")
        self.assertEqual(self.wait("d/failed")[0]["downlink_failed"]["error"]["name"], "invalid_json")
        # What is for nobody here is refused, and told.
        self.push("d/dev9/push", {**ids, **item})
        self.push("d/replace", {"end_device_ids": {"device_id": "dev1", "application_ids": {"application_id": "app2"}}, **item})
        self.push("d/replace", item)
        self.push("d/dev1/push", item)
        self.wait("d/queued", 3)
        refused = until(lambda: (lambda e: e if len(e) == 3 else None)([e["error"] for e in self.events("as.pubsub.refuse")]))
        for error, part in zip(refused, ("another device", "another application", "names no device")):
            self.assertIn(part, error)
        self.assertEqual(len(self.stack.cli("end-devices", "downlink", "list", "app1", "dev1")), 1)
        self.assertEqual(self.get("ps1")["status"]["received"], 8)


if __name__ == "__main__":
    unittest.main()
