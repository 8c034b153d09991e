"""What is told of each message, in the words and in the order that a person expects; and what is never told: keys."""
import base64
import json
import os
import re
import sys
import time
import unittest
import urllib.request

sys.path.insert(0, os.path.dirname(__file__))
from godwit import PLAN, SOURCE, CommandError, Subscriber  # noqa: E402
from stories import Stories, strict  # noqa: E402

NAMES = set(re.findall(r'^EVENT\(\w+, *"([^"]+)"', open(os.path.join(SOURCE, "proto", "events.def")).read(), re.M))



def own_id(message, prefix):
    return [c for c in message["correlation_ids"] if c.startswith(prefix)][0]


class Told(Stories):
    settings = ("--ns.class-c-max-delay=3s",)

    def in_order(self, events, *expected):
        """Each step is there, after the one before it. @return those events"""
        at, found = 0, []
        for name in expected:
            self.assertIn(name, NAMES)
            while at < len(events) and events[at]["name"] != name:
                at += 1
            self.assertLess(at, len(events), "%s is not where it should be among %s" % (name, [e["name"] for e in events]))
            found.append(events[at])
            at += 1
        return found

    def trace(self, s, cid, until):
        """The story of a message, once it has come so far."""
        def complete():
            events = s.stack.cli("trace", cid)
            return events if until in [e["name"] for e in events] else None
        events = s.until(complete, 20, until)
        for e in events:
            self.assertIn(e["name"], NAMES)
        return events

    def story_a_join_from_the_first_octet_to_the_application(self, s):
        g, d = s.gateway(), s.otaa()
        s.join(d, g)
        joined = s.wait(d, "join")
        events = self.trace(s, own_id(joined, "gs:uplink:"), "as.up.join.forward")
        steps = self.in_order(events, "gs.up.receive", "ns.up.join.receive", "js.join.accept", "ns.up.join.process",
                              "ns.down.join.schedule.attempt", "gs.down.send", "gs.txack.receive", "gs.down.tx.success",
                              "ns.down.transmission.success", "as.up.join.receive", "as.up.join.forward")
        self.assertEqual(steps[0]["identifiers"]["dev_eui"], "%016X" % d.dev_eui)
        self.assertGreater(steps[3]["data"]["duration_us"], 0, "the join server's share")
        attempt, sent, forward = steps[4]["data"], steps[5]["data"], steps[-1]["data"]
        self.assertEqual(attempt["window"], 1)
        for data in (attempt, sent):
            self.assertGreater(data["lead_us"], 0)
            self.assertGreater(data["airtime_us"], 0)
            self.assertRegex(data["due"], r"^\d{4}-\d\d-\d\dT")
        self.assertGreater(attempt["margin_us"], 0)
        self.assertGreater(steps[6]["data"]["duration_us"], 0)
        self.assertGreaterEqual(forward["subscribers"], 1)
        self.assertEqual(forward["qos_1"], forward["subscribers"])
        self.assertGreater(forward["duration_us"], 4000000, "it is told once the join-accept is sent, in RX1 of 5 s, less its lead")

    def story_two_gateways_and_an_item_that_rx1_refuses(self, s):
        said = []

        def once(emission):
            said.append(emission)
            return '{"txpk_ack":{"error":"COLLISION_PACKET"}}' if len(said) == 1 else strict(emission)
        g, d = s.gateway(answer=once), s.abp()
        far = s.gateway()
        far.close()  # heard by it, but nothing can be sent through it
        s.push(d, {"f_port": 2, "frm_payload": "AQID", "correlation_ids": ["order-%s" % d.id]})
        s.ask(d, g)
        sent = s.wait(d, "down/sent", 1, 15)
        events = self.trace(s, "order-%s" % d.id, "as.down.data.sent.forward")
        steps = self.in_order(events, "as.down.data.receive", "gs.up.receive", "ns.up.data.receive", "ns.up.data.process",
                              "as.down.data.forward", "ns.down.data.pull", "ns.down.data.schedule.attempt", "gs.down.send",
                              "gs.txack.receive", "gs.down.tx.fail", "ns.down.transmission.fail",
                              "ns.down.data.schedule.attempt", "gs.down.send", "gs.txack.receive", "gs.down.tx.success",
                              "ns.down.transmission.success", "as.down.data.sent.forward")
        self.in_order(events, "as.down.data.receive", "as.down.data.queued.forward")
        self.in_order(events, "as.down.data.receive", "ns.down.data.announce")
        # So that a kill after the push does not take the application's id with it.
        self.assertEqual(steps[4]["data"]["correlation_ids"], ["order-%s" % d.id])
        self.in_order(events, "ns.up.data.process", "as.up.data.receive", "as.up.data.forward")
        self.assertEqual([steps[i]["data"]["window"] for i in (5, 6, 10, 11, 15)], [1, 1, 1, 2, 2])
        self.assertEqual(steps[9]["data"]["result"], "COLLISION_PACKET")
        self.assertEqual(steps[10]["data"]["result"], "COLLISION_PACKET")
        pull = steps[5]["data"]
        self.assertEqual((pull["item"], pull["size"]), (True, 3))
        self.assertGreater(pull["duration_us"], 0)
        first, second = (own_id(steps[i], "ns:transmission:") for i in (6, 11))
        self.assertNotEqual(first, second)
        for i, transmission in ((7, first), (9, first), (10, first), (12, second), (14, second), (15, second)):
            self.assertIn(transmission, steps[i]["correlation_ids"], steps[i]["name"])
        self.assertIn(second, sent["correlation_ids"])
        data = steps[0]["data"]
        self.assertEqual((data["f_port"], data["size"], data["confirmed"], data["waiting"]), (2, 3, False, 1))

    def story_copies_are_merged_into_one_story(self, s):
        a, b, d = s.gateway(), s.gateway(), s.abp()
        phy = d.uplink(1, b"x")
        a.uplink(phy)
        b.uplink(phy)
        up = s.wait(d, "up")
        n = len(up["uplink_message"]["rx_metadata"])
        events = self.trace(s, own_id(up, "gs:uplink:"), "as.up.data.forward")
        received = [e for e in events if e["name"] == "gs.up.receive"]
        process = [e for e in events if e["name"] == "ns.up.data.process"][0]
        self.assertEqual((len(received), process["data"]["gateways"]), (n, n))
        self.assertGreaterEqual(process["data"]["duration_us"], 200000 - 50000, "the deduplication window")

    def story_class_c_and_a_client_that_is_away(self, s):
        g, d = s.gateway(), s.abp("--supports-class-c")
        away = Subscriber(s.stack, self.key, topic="v3/app1/devices/%s/down/sent" % d.id, client_id="away-%s" % d.id, clean=False)
        away.close()
        s.ask(d, g)
        s.wait(d, "up")
        time.sleep(2.5)
        s.push(d, "AQID")
        sent = s.wait(d, "down/sent")
        events = self.trace(s, own_id(sent, "as:downlink:"), "as.down.data.sent.forward")
        steps = self.in_order(events, "as.down.data.receive", "as.down.data.forward", "ns.down.data.pull", "ns.down.data.schedule.attempt",
                              "gs.down.send", "gs.txack.receive", "gs.down.tx.success", "ns.down.transmission.success",
                              "as.down.data.sent.forward")
        self.assertEqual((steps[3]["data"]["window"], steps[7]["data"]["window"]), (3, 3))
        data = steps[-1]["data"]
        self.assertGreaterEqual(data["subscribers"], 2)
        self.assertEqual((data["qos_1"], data["stored"]), (data["subscribers"], 1))

    def story_a_multicast_and_its_failure(self, s):
        g = s.gateway(answer=lambda e: "" if e.txpk.get("imme") else strict(e))
        d = s.abp("--multicast", "--supports-class-c", "--mac-settings.rx2-data-rate-index", "3")
        name = "gtw-%d" % s.number
        s.stack.cli("gateways", "create", name, "--gateway-eui", "%016X" % g.eui, "--frequency-plan-id", PLAN)
        item = {"f_port": 2, "frm_payload": "AQID", "class_b_c": {"gateways": [{"gateway_ids": {"gateway_id": name}}]}}
        s.push(d, item)
        sent = s.wait(d, "down/sent")
        events = self.trace(s, own_id(sent, "as:downlink:"), "as.down.data.sent.forward")
        self.in_order(events, "as.down.data.receive", "as.down.data.forward", "ns.down.data.pull", "ns.down.data.schedule.attempt",
                      "gs.down.send", "ns.down.transmission.success", "as.down.data.sent.forward")
        time.sleep(1)
        g.answer = lambda e: '{"txpk_ack":{"error":"TX_FREQ"}}'
        s.push(d, {**item, "correlation_ids": ["lost-%d" % s.number]})
        s.wait(d, "down/failed", 1, 20)
        events = self.trace(s, "lost-%d" % s.number, "as.down.data.failed.forward")
        steps = self.in_order(events, "as.down.data.receive", "as.down.data.forward", "ns.down.data.schedule.attempt", "gs.down.tx.fail",
                              "ns.down.transmission.fail", "ns.down.data.schedule.fail", "as.down.data.failed.forward")
        data = steps[-1]["data"]
        self.assertEqual(data["error"], "transmission")
        self.assertTrue(data["message"])
        self.assertEqual(steps[-2]["data"]["reason"], "TX_FREQ")

    def story_what_a_replace_removes(self, s):
        d = s.abp()
        s.push(d, "AQ==", "Ag==")
        s.push(d, "Aw==", how="replace")
        def cleared():
            events = s.stack.cli("events", "--application-id", "app1", "--device-id", d.id)
            return len([e for e in events if e["name"] == "as.down.data.clear"]) == 2
        s.until(cleared, what="two that were cleared")


class Failures(Stories):
    settings = ("--trace.events=failures",)

    def story_what_goes_well_is_not_told_and_a_failure_is_understood_alone(self, s):
        g, d = s.gateway(), s.abp()
        s.ask(d, g)
        s.wait(d, "up")
        d.f_cnt_up = 0
        s.ask(d, g, payload=b"another")  # the counter again
        own = "gone-%d" % s.number
        s.sub.publish("v3/app1/devices/%s/down/push" % d.id, {"downlinks": [
            {"f_port": 1, "frm_payload": base64.b64encode(bytes(243)).decode(), "correlation_ids": [own]}]})
        s.wait(d, "down/failed")
        def both():
            names = [e["name"] for e in s.stack.cli("events", "--application-id", "app1", "--device-id", d.id)]
            return names if {"ns.up.data.drop", "as.down.data.drop"} <= set(names) else None
        names = s.until(both, what="both failures")
        self.assertEqual(set(names), {"ns.up.data.drop", "as.down.data.drop"})
        of_gateway = {e["name"] for e in s.stack.cli("events", "--gateway-id", "eui-%016x" % g.eui)}
        self.assertLessEqual(of_gateway, {"gs.gateway.connect", "ns.up.data.drop"})
        self.assertEqual([e["name"] for e in s.stack.cli("trace", own)], ["as.down.data.drop"])


class Logs(Stories):
    def lines(self, s, process, device):
        return [line for line in s.stack.log_text().splitlines() if "level=debug process=%s" % process in line and
                "dev_addr=%08X" % device.dev_addr in line]

    def story_one_device_at_debug(self, s):
        g, loud, quiet = s.gateway(), s.abp(n=1), s.abp(n=2)
        s.ask(quiet, g)
        s.wait(quiet, "up")
        rules = s.stack.cli("logs", "set", "--application-id", "app1", "--device-id", loud.id, "--level", "debug", "--for", "5m")
        self.assertEqual([(r["device_id"], r["level"]) for r in rules], [(loud.id, "debug")])
        self.assertEqual([r["device_id"] for r in s.stack.cli("logs", "get")], [loud.id])
        for n in range(1, 20):  # until the rule has arrived everywhere
            s.ask(loud, g)
            s.wait(loud, "up", n)
            if self.lines(s, "gs", loud) and self.lines(s, "ns", loud):
                break
        s.ask(quiet, g)
        s.wait(quiet, "up", 2)
        log = s.stack.log_text()
        self.assertTrue(self.lines(s, "gs", loud) and self.lines(s, "ns", loud))
        self.assertRegex(log, r"level=debug process=as msg=as\.up\.data\.forward cid=gs:uplink:\w{26} ")
        self.assertFalse(self.lines(s, "gs", quiet) + self.lines(s, "ns", quiet))
        forwarded = re.findall(r"level=debug process=as msg=as\.up\.data\.forward .*?device=(\d+)", log)
        self.assertEqual(len(set(forwarded)), 1, "of one device only")
        self.assertEqual(s.stack.cli("logs", "clear"), [])
        sent = [n]

        def is_quiet():
            before = len(self.lines(s, "gs", loud))
            s.ask(loud, g)
            sent[0] += 1
            s.wait(loud, "up", sent[0])
            return len(self.lines(s, "gs", loud)) == before
        s.until(is_quiet, 20, "the end of it")

    def story_what_cannot_be_set(self, s):
        for words in (("--level", "debug"), ("--gateway-id", "g", "--level", "loud"), ("--gateway-id", "g", "--level", "debug", "--for", "9d"),
                      ("--application-id", "app1", "--device-id", "nobody", "--level", "debug"), ("--process", "js", "--level", "debug"),
                      ("--application-id", "app1", "--level", "debug"), ("--gateway-id", "g", "--process", "gs", "--level", "debug")):
            with self.assertRaises(CommandError, msg=words):
                s.stack.cli("logs", "set", *words)
        with self.assertRaises(CommandError):
            s.stack.cli("logs", "get", "--api-key", self.key)


class Secrets(Stories):
    settings = ("--log.level=debug", "--gs.http-listen=127.0.0.1:0", "--ns.http-listen=127.0.0.1:0")

    def forms(self, key):
        """How a key could stand somewhere."""
        for k in (key, key[::-1]):
            yield k.hex()
            yield k.hex().upper()
            yield base64.b64encode(k).decode().rstrip("=")

    def get(self, url, key=None):
        request = urllib.request.Request(url, headers={"Authorization": "Bearer " + key} if key else {})
        with urllib.request.urlopen(request, timeout=10) as r:
            return r.read().decode(errors="replace")

    def story_no_key_is_ever_told(self, s):
        g, a, o, c = s.gateway(), s.abp(n=1), s.otaa(n=2), s.abp("--supports-class-c", n=3)
        eleven = s.abp(n=4)
        s.join(o, g)
        for d in (a, o, c, eleven):
            s.push(d, "AQID") if d is not o else None
            s.ask(d, g, confirmed=True)
            s.wait(d, "up")
        s.wait(a, "down/sent", 1, 20)
        o.dev_nonce -= 1
        g.uplink(o.join_request())  # refused: the DevNonce again
        wrong = type(a)(dev_addr=a.dev_addr, nwk_s_key=os.urandom(16), app_s_key=os.urandom(16))
        g.uplink(wrong.uplink(1, b"x"))
        api_key = s.stack.create_key("app1", "--right-application-all")
        for login in (("app1", api_key[:-3] + "AAA"), ("nobody", api_key)):
            with self.assertRaises(AssertionError):
                Subscriber(s.stack, login[1], app=login[0]).close()
        s.stack.cli("end-devices", "get", "app1", o.id, "--session", "--mac-state")
        s.stack.run("end-devices", "get", "app1", "nobody", check=False)
        keys = [x for d in (a, c, o, eleven) for x in (d.app_key, d.nwk_s_key, d.app_s_key) if x]
        for path in ("ns/kek", "as/kek"):
            with open(os.path.join(s.stack.state, path)) as f:
                keys.append(bytes.fromhex(f.read().strip()))
        with open(os.path.join(s.stack.state, "admin.key")) as f:
            admin = f.read().strip()
        api = "http://" + s.stack.addresses["as.http"]
        texts = {"log": s.stack.log_text(), "events": json.dumps(s.stack.cli("events"))}
        for name in ("as.http", "ns.http", "gs.http"):
            for path in ("/metrics", "/healthz/live", "/healthz/ready"):
                texts[name + path] = self.get("http://" + s.stack.addresses[name] + path)
        reader = s.stack.create_key("app1", "--right-application-devices-read")  # it may not read keys
        for path in ("/applications/app1/devices", "/applications/app1/devices/" + o.id):
            texts[path] = self.get(api + "/api/v3" + path, reader)
        for path in ("/applications", "/applications/app1", "/applications/app1/api-keys", "/gateways", "/events", "/logs"):
            texts[path] = self.get(api + "/api/v3" + path, admin)
        self.assertIn("process=as", texts["log"])
        self.assertIn("js.join.accept", texts["events"])
        for where, text in texts.items():
            for key in keys:
                for form in self.forms(key):
                    self.assertNotIn(form, text, where)
            for secret in (api_key, admin):
                self.assertNotIn(secret, text, where)
                self.assertNotIn(secret.split(".")[-1], text, where)


if __name__ == "__main__":
    unittest.main(verbosity=2)
