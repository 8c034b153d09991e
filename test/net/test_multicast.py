"""Class C multicast from outside: gateways by name and group, members, refusals."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from godwit import PLAN, CommandError  # noqa: E402
from stories import Stories, strict  # noqa: E402


def take(emission):
    """What is to be sent at once is never late."""
    return "" if emission.txpk.get("imme") else strict(emission)


class Multicast(Stories):
    settings = ("--ns.class-c-max-delay=3s",)

    def group(self, s, n=9):
        return s.abp("--multicast", "--supports-class-c", "--mac-settings.rx2-data-rate-index", "3", n=n)

    def named(self, s, word):
        """A registered gateway."""
        g = s.gateway(answer=take)
        g.id = "%s-%d" % (word, s.number)
        s.stack.cli("gateways", "create", g.id, "--gateway-eui", "%016X" % g.eui, "--frequency-plan-id", PLAN)
        return g

    def via(self, *gateways, groups=None):
        return {"f_port": 2, "frm_payload": "AQID", "class_b_c": {"gateways": [
            {"gateway_ids": {"gateway_id": g if isinstance(g, str) else g.id}, **({"group_index": groups[i]} if groups else {})}
            for i, g in enumerate(gateways)]}}

    def refused(self, s, d, item, n=1):
        s.sub.publish("v3/app1/devices/%s/down/push" % d.id, {"downlinks": [item]})
        return s.wait(d, "down/failed", n)["downlink_failed"]["error"]

    def story_the_first_gateway_sends(self, s):
        a, b, d = self.named(s, "first"), self.named(s, "second"), self.group(s)
        s.push(d, self.via(b, a))
        down = d.downlink(b.wait_emission(1, 3).phy)
        self.assertEqual((down.payload, down.f_port, down.ack, down.adr, down.pending, down.confirmed), (b"\1\2\3", 2, False, False, False, False))
        s.wait(d, "down/sent")
        time.sleep(2)  # its emission may have begun a second after it was told
        s.push(d, self.via(b, a))
        b.wait_emission(2, 3)
        self.assertEqual(len(a.emissions), 0)

    def story_what_one_refuses_the_next_sends(self, s):
        a, b, d = self.named(s, "no"), self.named(s, "yes"), self.group(s)
        a.answer = lambda e: '{"txpk_ack":{"error":"TX_FREQ"}}'
        s.push(d, self.via(a, b))
        self.assertEqual(a.wait_emission(1, 3).phy, b.wait_emission(1, 3).phy)
        s.wait(d, "down/sent")

    def story_each_group_sends_the_same_octets(self, s):
        a, b, d = self.named(s, "one"), self.named(s, "two"), self.group(s)
        s.push(d, self.via(a, b, groups=[1, 2]))
        self.assertEqual(a.wait_emission(1, 3).phy, b.wait_emission(1, 6).phy)
        s.wait(d, "down/sent")
        time.sleep(1)
        self.assertEqual((s.count(d, "down/sent"), s.count(d, "down/failed"), len(a.emissions), len(b.emissions)), (1, 0, 1, 1))

    def story_members_are_reached_without_naming_gateways(self, s):
        a, b, d = self.named(s, "near"), self.named(s, "far"), self.group(s)
        m1, m2, other = s.abp(n=1), s.abp(n=2), s.abp(n=3)
        cli = lambda *words: s.stack.cli("end-devices", "multicast-members", *words)  # noqa: E731
        self.assertEqual(cli("list", "app1", d.id), [])
        self.assertEqual(self.refused(s, d, {"f_port": 1, "frm_payload": "AQ=="})["name"], "no_downlink_path")
        cli("add", "app1", d.id, m1.id, m2.id)
        self.assertEqual([m["ids"]["device_id"] for m in cli("list", "app1", d.id)], [m1.id, m2.id])
        for device, gateway in ((m1, a), (m2, b), (other, b)):
            s.ask(device, gateway)
            s.wait(device, "up")
        s.push(d, "AQID")
        self.assertEqual(a.wait_emission(1, 3).phy, b.wait_emission(1, 3).phy)
        s.wait(d, "down/sent")
        cli("remove", "app1", d.id, m2.id)
        self.assertEqual([m["ids"]["device_id"] for m in cli("list", "app1", d.id)], [m1.id])
        s.push(d, "AQID")
        a.wait_emission(2, 3)
        s.wait(d, "down/sent", 2)
        self.assertEqual(len(b.emissions), 1)
        for words in (("add", "app1", d.id, "nobody"), ("add", "app1", m1.id, m2.id), ("add", "app1", d.id, d.id)):
            with self.assertRaises(CommandError):
                cli(*words)

    def story_what_cannot_be_is_refused(self, s):
        d = self.group(s)
        error = self.refused(s, d, {**self.via("nowhere"), "confirmed": True})
        self.assertEqual(error["name"], "confirmed_multicast_downlink")
        error = self.refused(s, d, self.via("nowhere"), 2)
        self.assertEqual((error["name"], error["attributes"]), ("gateway_not_found", {"gateway_id": "nowhere"}))
        self.assertEqual(s.queue(d), [])

    def story_an_uplink_of_a_group_is_dropped(self, s):
        g, d = s.gateway(), self.group(s)
        s.ask(d, g)
        time.sleep(1.5)
        self.assertEqual(s.count(d, "up"), 0)
        drops = [e for e in s.stack.cli("events", "--application-id", "app1", "--device-id", d.id) if e["name"] == "ns.up.data.drop"]
        self.assertEqual([e["data"]["reason"] for e in drops], ["multicast"])

    def story_a_gateway_that_is_away_is_an_error_in_the_end(self, s):
        a, d = self.named(s, "away"), self.group(s)
        s.stack.cli("gateways", "create", "never-%d" % s.number, "--gateway-eui", os.urandom(8).hex(), "--frequency-plan-id", PLAN)
        a.close()
        self.assertEqual(self.refused(s, d, self.via("never-%d" % s.number))["name"], "no_downlink_path")


if __name__ == "__main__":
    unittest.main(verbosity=2)
