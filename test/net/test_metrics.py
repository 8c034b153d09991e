"""/metrics of the three processes, as monitoring reads it: well formed, counting what happened, and all that the example rules and the
dashboard name is there."""
import os
import sys
import time
import unittest
import urllib.request

sys.path.insert(0, os.path.dirname(__file__))
import exposition  # noqa: E402
from gateway import Gateway  # noqa: E402
from godwit import PLAN, SOURCE, Stack, Subscriber  # noqa: E402
from lorawan import Device  # noqa: E402

try:
    from prometheus_client.parser import text_string_to_metric_families
except ImportError:
    text_string_to_metric_families = None

EUI = 0xAA555A0000000101


class Metrics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack("--gs.http-listen=127.0.0.1:0", "--ns.http-listen=127.0.0.1:0")
        cls.addClassCleanup(cls.stack.close)
        key = cls.stack.create_application()
        for name, eui in (("here", EUI), ("away", EUI + 1)):
            cls.stack.cli("gateways", "create", name, "--gateway-eui", "%016X" % eui, "--frequency-plan-id", PLAN)
        cls.device = Device(dev_addr=0x26011234, nwk_s_key=bytes(range(16)), app_s_key=bytes(range(16, 32)))
        cls.stack.create_abp(cls.device)
        cls.sub = Subscriber(cls.stack, key)
        cls.addClassCleanup(cls.sub.close)
        cls.gateway = Gateway(cls.stack.address("gs.udp"), eui=EUI)
        cls.addClassCleanup(cls.gateway.close)
        cls.gateway.wait_path()
        push = {"downlinks": [{"f_port": 7, "frm_payload": "AQID"}, {"f_port": 0}]}
        cls.sub.publish("v3/app1/devices/dev2/down/push", push)
        cls.sub.wait("down/failed")
        cls.sub.wait("down/queued")
        cls.gateway.uplink(cls.device.uplink(1, b"hello"))
        cls.gateway.uplink(b"\x40\x01\x02\x03\x04\x00\x00\x00\x01\x00\x00\x00\x00")  # of another network
        cls.sub.wait("/up")
        cls.sub.wait("down/sent")

    def read(self, process):
        with urllib.request.urlopen("http://%s:%d/metrics" % self.stack.address(process + ".http"), timeout=30) as r:
            self.assertEqual(r.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
            return r.read().decode()

    def families(self, process):
        return exposition.parse(self.read(process))

    def value(self, page, name, /, **labels):
        """Of one sample of a counter, a gauge or a histogram's count; None: it is not there."""
        for family in self.families(page).values():
            for (sample, has), value in family.samples.items():
                if sample == name and dict(has) == labels:
                    return value
        return None

    def until(self, value, page, name, /, **labels):
        end = time.monotonic() + 30
        while self.value(page, name, **labels) != value:
            self.assertLess(time.monotonic(), end, "%s %r is %r, not %r" % (name, labels, self.value(page, name, **labels), value))
            time.sleep(0.1)

    def test_each_page_is_well_formed_and_well_named(self):
        for process in ("gs", "ns", "as"):
            families = self.families(process)
            self.assertEqual(exposition.problems(families), [])
            self.assertTrue(all(n.startswith((process + "_", "godwit_", "process_")) for n in families), process)
            for name in families:
                if name.startswith("godwit_"):
                    self.assertTrue(all(dict(labels)["process"] == process for _, labels in families[name].samples), name)

    @unittest.skipUnless(text_string_to_metric_families, "Debian's python3-prometheus-client is not installed")
    def test_prometheus_own_library_reads_the_same(self):
        for process in ("gs", "ns", "as"):
            text = self.read(process)
            theirs = {(s.name, tuple(sorted(s.labels.items()))): s.value for f in text_string_to_metric_families(text) for s in f.samples}
            ours = {key: value for f in exposition.parse(text).values() for key, value in f.samples.items()}
            self.assertEqual(theirs, ours)

    def test_all_that_rules_and_dashboard_name_is_there(self):
        there = set()
        for process in ("gs", "ns", "as"):
            there |= exposition.series_of(self.families(process))
        for what, expression in exposition.rules(SOURCE) + exposition.queries(exposition.dashboard(SOURCE)):
            names = exposition.names_in(expression)
            self.assertTrue(names or "up{" in expression, "%s names nothing: %s" % (what, expression))
            self.assertEqual(names - there, set(), "%s: %s" % (what, expression))

    def test_each_alert_says_how_bad_it_is_and_what_to_do(self):
        with open(os.path.join(SOURCE, "deploy/prometheus/godwit.rules.yml")) as f:
            alerts = f.read().split("- alert: ")[1:]
        self.assertGreater(len(alerts), 30)
        for alert in alerts:
            for wanted in (r"\n +for: \d+[mh]\n", r"severity: (critical|warning|info) ", r"summary: '.+'\n", r"action: '.+'\n"):
                self.assertRegex(alert, wanted)
        with open(os.path.join(SOURCE, "test/vectors/prometheus/alerts.yml")) as f:
            tested = f.read()
        for alert in alerts:
            self.assertIn('alertname="%s"' % alert.split("\n")[0], tested)

    def test_the_dashboard_is_whole(self):
        board = exposition.dashboard(SOURCE)
        self.assertGreaterEqual(board["schemaVersion"], 36)  # Grafana 9
        ids = [p["id"] for p in board["panels"]]
        self.assertEqual(len(ids), len(set(ids)))
        taken = set()
        for p in board["panels"]:
            g = p["gridPos"]
            cells = {(x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])}
            self.assertFalse(cells & taken, "%s lies on another one" % p["title"])
            self.assertLessEqual(g["x"] + g["w"], 24)
            taken |= cells
        for p in exposition.panels(board):
            self.assertTrue(p["title"] and p["description"] and p["fieldConfig"]["defaults"]["unit"], p["title"])
            self.assertEqual(len({t["refId"] for t in p["targets"]}), len(p["targets"]))

    def test_what_happened_is_counted_once_at_each_stage(self):
        self.until(1, "gs", "gs_tx_total", result="SUCCESS")
        for process, name, labels, value in (
                ("gs", "gs_uplinks_total", {}, 2), ("gs", "gs_uplink_ack_seconds_count", {}, 2), ("gs", "gs_downlinks_total", {}, 1),
                ("gs", "gs_downlink_lead_seconds_count", {}, 1), ("gs", "gs_tx_ack_seconds_count", {}, 1),
                ("gs", "gs_round_trip_seconds_count", {}, 1), ("gs", "gs_tx_total", {"result": "TOO_LATE"}, 0),
                ("ns", "ns_uplinks_total", {}, 1), ("ns", "ns_drops_total", {"reason": "dev_addr"}, 1),
                ("ns", "ns_transmissions_total", {"result": "SUCCESS"}, 1), ("ns", "ns_call_seconds_count", {"method": "pull"}, 1),
                ("ns", "ns_call_seconds_count", {"method": "schedule"}, 1), ("ns", "ns_gateway_connected", {"gateway_id": "here"}, 1),
                ("ns", "ns_gateway_connected", {"gateway_id": "away"}, 0), ("ns", "ns_gateways_connected", {}, 1),
                ("ns", "ns_application_server_connected", {}, 1), ("ns", "ns_outbox_messages", {}, 0), ("ns", "ns_outbox_oldest_seconds", {}, 0),
                ("as", "as_uplinks_total", {}, 1), ("as", "as_uplink_age_seconds_count", {}, 1), ("as", "as_downlinks_queued_total", {}, 1),
                ("as", "as_downlinks_refused_total", {"error": "invalid_f_port"}, 1), ("as", "as_downlinks_sent_total", {}, 1),
                ("as", "as_downlink_push_seconds_count", {}, 1), ("as", "as_downlink_queue_items", {}, 0),
                ("as", "as_mqtt_sessions_connected", {}, 1), ("as", "as_mqtt_messages_received_total", {}, 1)):
            self.until(value, process, name, **labels)
        # From the subscriber: up, down/queued, down/failed, down/sent.
        self.until(4, "as", "as_mqtt_acknowledge_seconds_count")
        self.until(0, "as", "as_mqtt_queued_messages")

    def test_times_are_seconds(self):
        """The deduplication window, 200 ms, is in both of these, and no stage of this takes an hour."""
        for process, name in (("gs", "gs_uplink_ack_seconds"), ("as", "as_uplink_age_seconds")):
            self.assertGreaterEqual(self.value(process, name + "_sum"), 0.19)
            self.assertLess(self.value(process, name + "_sum"), 3600)
        started = self.value("ns", "process_start_time_seconds")
        self.assertLess(abs(time.time() - started), 3600)

    def test_what_every_process_says_of_itself(self):
        for process in ("gs", "ns", "as"):
            families = self.families(process)
            (_, labels), = families["godwit_build_info"].samples
            self.assertEqual([k for k, _ in labels], ["process", "version"])
            pid = self.stack.pid(process)
            self.assertAlmostEqual(self.value(process, "process_open_fds"), len(os.listdir("/proc/%d/fd" % pid)), delta=3)
            with open("/proc/%d/statm" % pid) as f:
                resident = int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")
            self.assertAlmostEqual(self.value(process, "process_resident_memory_bytes") / resident, 1, delta=0.5)
        for process in ("ns", "as"):
            self.assertGreater(self.value(process, "godwit_store_commits_total", process=process), 0)
            self.assertEqual(self.value(process, "godwit_store_failing", process=process), 0)
        self.assertEqual(self.value("ns", "godwit_bus_connections", process="ns"), 2)
        before = self.value("gs", "godwit_http_requests_total", process="gs", code="2xx")
        self.assertGreaterEqual(self.value("gs", "godwit_http_requests_total", process="gs", code="2xx"), before + 1)


if __name__ == "__main__":
    unittest.main()
