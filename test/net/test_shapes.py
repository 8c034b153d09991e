"""Every kind of message that applications receive, each checked against the description of The Things Stack's API in shapes.py; and that
between them they have every member that this network can know."""
import datetime
import json
import os
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
import shapes  # noqa: E402
from godwit import PLAN, Subscriber  # noqa: E402
from lorawan import Device  # noqa: E402
from stories import Stories, Story  # noqa: E402

# What their API has and nobody here can know, by the end of its path.
NOT_SERVED = {
    "decoded_payload_warnings": "made by scripts: test_encoders",
    "encrypted_fine_timestamp": "forwarders decrypt it, or have none", "encrypted_fine_timestamp_key_id": "forwarders decrypt it, or have none",
    "rssi_standard_deviation": "Semtech UDP has none", "hopping_width": "of LR-FHSS gateways", "frequency_drift": "of LR-FHSS gateways",
    "lrfhss": "of LR-FHSS gateways", "downlink_path_constraint": "a gateway has none here", "enable_crc": "the CRC was right, or there would be no message",
    "ns_id": "the network has no EUI-64", "cluster_id": "there is one cluster", "cluster_address": "there is one cluster",
    "tenant_address": "tenants share the address", "accuracy": "of an antenna; what the registry holds of a device has it", "uplink_normalized": "made by scripts: test_formatters",
    "normalized_payload": "likewise", "normalized_payload_warnings": "likewise",
    "cause": "an error here has one cause, in its message", "details": "they are in the attributes",
}
# Members that other kinds of messages have, but not this one.
NOT_THERE = (
    ".location_solved.attributes", ".location_solved.attributes.*", ".uplink_normalized.locations.*.accuracy",
    ".join_accept.network_ids.tenant_id", ".service_data.network_ids.tenant_id",  # of an application that has a tenant
    ".downlink_queued.session_key_id", ".downlink_queued.f_cnt", ".downlink_failed.downlink.f_cnt",
    ".downlink_ack.class_b_c.absolute_time", ".downlink_nack.class_b_c.absolute_time")  # of an item that is sent once
CONTENTS = ("downlink_ack", "downlink_nack", "downlink_sent", "downlink_queued", "downlink_failed")
BROUGHT = {"version_ids": {"brand_id": "acme", "model_id": "t1000", "hardware_version": "1.0", "firmware_version": "1.2", "band_id": "EU_863_870"},
           "locations": {"user": {"latitude": 52.1, "longitude": -4.3, "altitude": 3, "accuracy": 12, "source": "SOURCE_REGISTRY"}},
           "attributes": {"room": "12"}}


class Shapes(Stories):
    settings = ("--ns.net-id=000013",)
    seen, lock = set(), threading.Lock()

    def check(self, *subs):
        """All that came is as it should be."""
        for sub in subs:
            with sub.changed:
                messages = list(sub.messages)
            for topic, message in messages:
                with self.subTest(topic=topic):
                    shapes.check(topic, message)
                with Shapes.lock:
                    Shapes.seen.update(shapes.paths_of(shapes.message, message))

    def describe(self, s, d, app="app1", **more):
        """Give a device all that the registry may hold of one."""
        s.stack.run("end-devices", "import", app, "-", "--update", stdin=json.dumps({"ids": {"device_id": d.id}, **BROUGHT, **more}))

    def gateway(self, s):
        g = s.gateway(answer=lambda emission: "")
        s.stack.cli("gateways", "create", "gtw-%d" % s.number, "--gateway-eui", "%016X" % g.eui, "--frequency-plan-id", PLAN, "--location.latitude",
                    "52.37403", "--location.longitude", "-4.88969", "--location.altitude", "-3")
        return g

    def story_a_device_joins_and_all_is_known_of_its_frames(self, s):
        g, d = self.gateway(s), s.otaa("--mac-settings.desired-rx1-delay", "1", "--mac-settings.status-count-periodicity", "1")
        self.describe(s, d)
        s.join(d, g)
        join = s.wait(d, "join")
        self.assertEqual(join["join_accept"]["version_ids"], BROUGHT["version_ids"])
        self.assertEqual(join["join_accept"]["network_ids"], {"net_id": "000013"})
        tmst = g.counter()
        phy = d.uplink(7, b"\1\2", confirmed=True)
        clock = {"tmms": 1420000000123, "time": "2026-01-31T12:00:00.123456Z", "ftime": 280123456}
        g.send_json(json.dumps({"rxpk": [g.rxpk(phy, tmst=tmst, ant=0, chan=3, freq=868.3, **clock), g.rxpk(phy, tmst=tmst + 3, ant=1, chan=3, freq=868.3, snr=-3.5)]}))
        up = s.wait(d, "up")["uplink_message"]
        self.assertEqual((up["locations"], up["version_ids"], up["attributes"]), (BROUGHT["locations"], BROUGHT["version_ids"], BROUGHT["attributes"]))
        self.assertEqual(up["network_ids"], {"net_id": "000013"})
        self.assertNotIn("last_battery_percentage", up)
        g.wait_emission(2, 15)
        time.sleep(1.2)
        g.uplink(d.uplink(7, b"x", f_opts=b"\x06\x81\x05"))
        status = s.wait(d, "service/data")
        self.assertEqual(status["service_data"]["attributes"], BROUGHT["attributes"])
        d.f_cnt_up += 2  # lost
        g.uplink(d.uplink(7, b"y"))
        last = s.wait(d, "up", 3)["uplink_message"]
        self.assertEqual(last["packet_error_rate"], 0.4)
        self.assertEqual({k: v for k, v in last["last_battery_percentage"].items() if k != "received_at"}, {"f_cnt": 1, "value": 50.59})
        self.check(s.sub)

    def story_fsk_and_a_device_without_eui(self, s):
        g, d = s.gateway(), s.abp()
        packet = g.rxpk(d.uplink(1, b"x"), freq=868.8, datr=50000, modu="FSK", chan=9)
        for member in ("codr", "lsnr", "rssis"):
            del packet[member]
        g.send_json(json.dumps({"rxpk": [packet]}))
        up = s.wait(d, "up")
        self.assertEqual(sorted(up["end_device_ids"]), ["application_ids", "dev_addr", "device_id"])
        self.assertEqual(sorted(up["uplink_message"]["settings"]["data_rate"]), ["fsk"])
        g.uplink(d.uplink())  # nothing in it
        s.wait(d, "up", 2)
        self.check(s.sub)

    def story_a_payload_has_a_location(self, s):
        g, d = s.gateway(), s.abp("--formatters.up-formatter", "FORMATTER_CAYENNELPP")
        g.uplink(d.uplink(1, bytes.fromhex("018806765ff2960a0003e8")))
        s.wait(d, "location/solved")
        self.check(s.sub)

    def story_downlinks_live_and_die(self, s):
        g, d = s.gateway(answer=lambda emission: ""), s.abp()
        self.describe(s, d)
        wish = {"f_port": 15, "frm_payload": "vu8=", "confirmed": True, "priority": "HIGH", "correlation_ids": ["mine"],
                "confirmed_retry": {"max_attempts": {"value": 2}}}
        s.push(d, wish)
        queued = s.wait(d, "down/queued")["downlink_queued"]
        self.assertEqual((queued["attributes"], queued["confirmed_retry"]), (BROUGHT["attributes"], {"attempt": 1, "max_attempts": 2}))
        for n in (1, 2):
            s.ask(d, g)
            g.wait_emission(n, 15)
            s.wait(d, "down/sent", n)
            time.sleep(1.2)
        s.ask(d, g)
        self.assertEqual(s.wait(d, "down/failed")["downlink_failed"]["error"]["name"], "max_retries_reached")
        s.push(d, wish)
        s.ask(d, g)
        n = len(g.emissions)
        g.wait(lambda: len(g.emissions) > n or s.count(d, "down/sent") > 2, 15)
        s.wait(d, "down/sent", 3)
        time.sleep(1.2)
        s.ask(d, g, ack=True)
        s.wait(d, "down/ack")
        self.check(s.sub)

    def story_class_c(self, s):
        g, d = self.gateway(s), s.abp("--supports-class-c")
        self.describe(s, d)
        s.ask(d, g)
        s.wait(d, "up")
        via = [{"gatewayIds": {"gatewayId": "gtw-%d" % s.number, "eui": "%016x" % g.eui}, "antennaIndex": 1, "groupIndex": "1"}]
        s.push(d, {"f_port": 3, "frm_payload": "Aw==", "decoded_payload": {"led": [1]}, "confirmed": True, "priority": 1, "classBC": {"gateways": via}})
        s.wait(d, "down/sent", 1, 20)
        time.sleep(2.5)  # it is on air meanwhile
        s.ask(d, g)  # which says nothing of an ACK
        s.wait(d, "down/nack", 1, 20)
        s.wait(d, "down/sent", 2, 20)
        time.sleep(2.5)
        s.ask(d, g, ack=True)
        s.wait(d, "down/ack", 1, 20)
        at = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=4)).isoformat()
        s.push(d, {"f_port": 3, "frm_payload": "Aw==", "class_b_c": {"absolute_time": at, "gateways": via}})
        s.wait(d, "down/sent", 3, 20)
        self.check(s.sub)

    def story_what_cannot_be_sent(self, s):
        """An error object of each kind that a push may meet; test_errors_have_tests names where the others are shown."""
        d, joins, group = s.abp("--supports-class-c"), s.otaa(n=2), s.abp("--multicast", "--supports-class-c", n=3)
        good = {"f_port": 1, "frm_payload": "AQ=="}
        gateways = {"gateways": [{"gateway_ids": {"gateway_id": "nowhere", "eui": "AA00000000000000"}, "antenna_index": 1, "group_index": 1}]}
        rows = (
            (d, {"frm_payload": "AQ=="}, "no_f_port"), (d, {**good, "f_port": 0}, "invalid_f_port"), (d, {"f_port": 1}, "no_payload"),
            (d, {**good, "frm_payload": "?"}, "invalid_payload"), (d, {**good, "frm_payload": "A" * 400}, "payload_too_long"),
            (d, {**good, "priority": "SOON"}, "invalid_priority"), (d, {**good, "correlation_ids": ["x" * 101]}, "invalid_correlation_ids"),
            (d, {**good, "confirmed": True, "confirmed_retry": {"max_attempts": 33}}, "invalid_confirmed_retry"),
            (d, {**good, "class_b_c": 7, "decoded_payload": {"a": 1}}, "invalid_class_b_c"), (d, {"f_port": 1, "decoded_payload": {"a": 1}}, "no_encoder"),
            (d, {**good, "class_b_c": {"absolute_time": "2020-01-01T00:00:00Z"}}, "downlink_expired"), (joins, good, "no_device_session"),
            (group, {**good, "confirmed": True}, "confirmed_multicast_downlink"), (group, {**good, "class_b_c": gateways}, "gateway_not_found"),
            (group, good, "no_downlink_path"))
        for owner, item, name in rows:
            self.describe(s, owner)
            n = s.count(owner, "down/failed")
            s.sub.publish("v3/app1/devices/%s/down/push" % owner.id, {"downlinks": [item]})
            self.assertEqual(s.wait(owner, "down/failed", n + 1, 20)["downlink_failed"]["error"]["name"], name, item)
        for topic, body, name in ((d.id, "{", "invalid_json"), ("nobody", {"downlinks": []}, "device_not_found")):
            s.sub.publish("v3/app1/devices/%s/down/push" % topic, body)
            s.until(lambda name=name: [m for _, m in list(s.sub.messages) if m.get("downlink_failed", {}).get("error", {}).get("name") == name], what=name)
        self.check(s.sub)

    def story_an_application_with_a_tenant_and_made_up_uplinks(self, s):
        s.stack.cli("applications", "create", "shop", "--tenant-id", "north")
        key = s.stack.create_key("shop@north")
        sub = Subscriber(s.stack, key, app="shop@north")
        s.closing.append(sub.close)
        d = Device(dev_addr=int.from_bytes(os.urandom(3), "big"), nwk_s_key=os.urandom(16), app_s_key=os.urandom(16))
        d.id = s.dev_id()
        s.stack.create_abp(d, "shop@north", d.id)
        g = s.gateway()
        g.uplink(d.uplink(1, b"x"))
        up = sub.wait(d.id + "/up")
        self.assertEqual(up["end_device_ids"]["application_ids"], {"application_id": "shop"})
        self.assertEqual(up["uplink_message"]["network_ids"], {"net_id": "000013", "tenant_id": "north"})
        self.assertEqual(sub.messages[0][0], "v3/shop@north/devices/%s/up" % d.id)
        s.stack.cli("simulate", "application-uplink", "shop@north", d.id, "--f-port", "3", "--frm-payload", "AQI=", "--decoded-payload", '{"t":0}')
        self.assertIs(sub.wait(d.id + "/up", 2)["simulated"], True)
        self.check(sub)

    def test_every_member_has_been_seen(self):
        """The stories above leave nothing of the description out but what is said not to be served."""
        for future in self.futures.values():
            future.result()
        def is_served(path):
            steps = path.replace("[]", "").split(".")
            return not (set(steps) & set(NOT_SERVED) and not path.endswith(".locations.*.accuracy")) and path not in NOT_THERE
        missing = {path for path in shapes.paths(shapes.message) if is_served(path)} - Shapes.seen
        # Downlinks have no ids of the network: those are where the network itself is heard.
        missing = {path for path in missing if not (path.startswith(tuple("." + c for c in CONTENTS)) and ".network_ids" in path)}
        self.assertEqual(sorted(missing), [])


if __name__ == "__main__":
    unittest.main()
