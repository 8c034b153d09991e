"""The trace on disk: stories outlive kill -9, the file keeps its bounds, and whatever has become of it costs the trace alone."""
import http.client
import os
import re
import secrets
import shutil
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from gateway import Gateway  # noqa: E402
from godwit import Stack, Subscriber  # noqa: E402
from lorawan import Device  # noqa: E402
from test_api import Server, abp  # noqa: E402

SIZE = 4 << 20


def wait(what, timeout=30):
    """The first true answer."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        answer = what()
        if answer:
            return answer
        time.sleep(0.1)
    raise AssertionError("did not become true within %d s" % timeout)


class StoryAfterKill(unittest.TestCase):
    WANTED = {"as.down.data.receive", "ns.down.data.schedule.success", "gs.down.send", "gs.down.tx.success", "as.down.data.sent.forward"}

    def story(self):
        return self.stack.cli("trace", "my-own-7")

    def test_the_story_of_an_earlier_downlink_is_there_after_kill_nine(self):
        self.stack = Stack(start=False).fix_ports().start()
        self.addCleanup(self.stack.close)
        key = self.stack.create_application("app1")
        device = Device(dev_eui=0x70B3D57ED0050001, join_eui=1, app_key=os.urandom(16))
        self.stack.create_otaa(device)
        self.stack.cli("gateways", "create", "gtw1", "--gateway-eui", "AA555A0000000101", "--frequency-plan-id", "EU_863_870")
        gateway = Gateway(self.stack.address("gs.udp"))
        self.addCleanup(gateway.close)
        gateway.wait_path()
        sub = Subscriber(self.stack, key)
        self.addCleanup(sub.close)
        gateway.uplink(device.join_request())
        self.assertTrue(device.accept(gateway.wait_emission(1, 7).phy))
        sub.wait("dev1/join")
        sub.publish("v3/app1/devices/dev1/down/push",
                    {"downlinks": [{"f_port": 5, "frm_payload": "AQID", "correlation_ids": ["my-own-7"]}]})
        sub.wait("down/queued")
        gateway.uplink(device.uplink(2, b"x"))
        sub.wait("down/sent")
        wait(lambda: self.WANTED <= {e["name"] for e in self.story()})
        wait(lambda: metric(self.stack.address("as.http"), "as_trace_waiting_bytes") == 0)
        before = self.story()
        wait(lambda: metric(self.stack.address("as.http"), "as_trace_waiting_bytes") == 0)
        self.stack.kill()
        self.stack.start()
        after = self.story()  # what was not acknowledged when it died may be told again
        self.assertEqual([e for e in before if e not in after], [])
        self.assertEqual({e["process"] for e in before}, {"gs", "ns", "as"})
        self.assertTrue(all(a["time"] <= b["time"] for a, b in zip(before, before[1:])), before)


def metric(address, name):
    c = http.client.HTTPConnection("%s:%d" % address if isinstance(address, tuple) else address, timeout=15)
    c.request("GET", "/metrics")
    text = c.getresponse().read().decode()
    c.close()
    return float(re.search(r"^%s (\S+)$" % name, text, re.M).group(1))


class Alone(unittest.TestCase):
    def begin(self, *settings):
        self.server = Server(*settings).start()
        self.addCleanup(lambda: shutil.rmtree(self.server.state, ignore_errors=True))
        self.ask("POST", "/a/applications", {"application": {"ids": {"application_id": "app1"}}})
        self.ask("POST", "/a/applications/app1/devices", abp("dev1"))

    def ask(self, method, path, body=None, expect=200):
        status, answer = self.server.ask(method, path, body)
        self.assertEqual(status, expect, answer)
        return answer

    def push(self, *items):
        """Replace the queue with items that have these correlation ids; a text is the only one of its item."""
        self.ask("POST", "/a/as/applications/app1/devices/dev1/down/replace",
                 {"downlinks": [{"f_port": 1, "frm_payload": "AQ==", "correlation_ids": [i] if isinstance(i, str) else i} for i in items]})

    def story(self, cid):
        return self.ask("GET", "/a/events/related?correlation_id=" + cid)["events"]

    def file(self):
        return os.path.join(self.server.state, "as", "traces", "data.mdb")

    def test_the_file_keeps_its_size_and_the_newest_events(self):
        self.begin("--as.trace-size=4MiB")
        for n in range(200):
            self.push("id-%d" % n, *([secrets.token_hex(42) for _ in range(15)] for _ in range(20)))  # the store makes small what repeats
        self.assertTrue(self.story("id-199"))
        self.assertFalse(self.story("id-0"))
        wait(lambda: metric(self.server.address, "as_trace_waiting_bytes") == 0)
        self.assertLess(metric(self.server.address, "as_trace_bytes"), SIZE)
        self.assertGreater(metric(self.server.address, "as_trace_events"), 1000)
        self.assertLessEqual(os.stat(self.file()).st_size, SIZE)
        self.server.kill()
        self.server.start()
        self.assertTrue(self.story("id-199"))
        self.server.stop()

    def test_lists_are_bounded_and_reach_back(self):
        self.begin()
        for n in range(30):
            self.push("id-%d" % n)
        events = self.ask("GET", "/a/events?name=as.down.data.receive")["events"]
        self.assertEqual(len(events), 30)
        newest = self.ask("GET", "/a/events?name=as.down.data.receive&limit=7")["events"]
        self.assertEqual(newest, events[-7:])
        at = newest[0]["time"].replace(":", "%3A")
        older = self.ask("GET", "/a/events?name=as.down.data.receive&before=%s&limit=5" % at)["events"]
        self.assertEqual(older, [e for e in events if e["time"] < newest[0]["time"]][-5:])
        self.assertEqual(self.ask("GET", "/a/events?process=ns")["events"], [])
        self.assertEqual(self.ask("GET", "/a/events?process=as&name=as.down.data.receive")["events"], events)
        for wrong in ("limit=20001", "limit=x", "before=yesterday", "process=js"):
            self.ask("GET", "/a/events?" + wrong, expect=400)
        self.server.stop()

    def test_a_damaged_trace_costs_itself_alone(self):
        self.begin("--as.trace-size=4MiB")
        self.push("before")
        self.server.stop()
        size = os.stat(self.file()).st_size

        def garbage():
            with open(self.file(), "r+b") as f:
                f.write(os.urandom(size))

        def shorter():
            os.truncate(self.file(), size // 2)

        def no_folder():
            shutil.rmtree(os.path.dirname(self.file()))
            with open(os.path.dirname(self.file()), "w"):
                pass

        for n, (spoil, word) in enumerate(((garbage, "traces_afresh"), (shorter, None), (no_folder, "traces_in_memory"))):
            spoil()
            self.server.start()
            self.assertTrue(word is None or any("msg=" + word in line for line in self.server.lines), self.server.lines)
            self.assertEqual(metric(self.server.address, "as_trace_on_disk"), 0 if spoil is no_folder else 1)
            self.push("after-%d" % n)
            self.assertTrue(self.story("after-%d" % n))
            self.ask("GET", "/a/applications/app1/devices/dev1")
            self.server.stop()
            size = os.stat(self.file()).st_size if os.path.exists(self.file()) else 0


if __name__ == "__main__":
    unittest.main()
