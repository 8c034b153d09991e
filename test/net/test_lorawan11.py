"""LoRaWAN 1.1 from outside: joins and rejoins, three keys, two downlink counters, encrypted FOpts; and what lora-packet says of it."""
import json
import os
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from lorawan import Device11  # noqa: E402
from npm import folder_with  # noqa: E402
from stories import Stories, after  # noqa: E402

REKEY_IND, RESET_IND, LINK_CHECK = b"\x0b\x01", b"\x01\x01", b"\x02"


def new_otaa(s, *flags, n=1, version="1.1.0", with_app_key=True):
    d = Device11(dev_eui=int.from_bytes(os.urandom(8), "big"), join_eui=int.from_bytes(os.urandom(8), "big"), app_key=os.urandom(16),
                 nwk_key=os.urandom(16))
    d.id = s.dev_id(n)
    app_key = ["--root-keys.app-key.key", d.app_key.hex()] if with_app_key else []
    s._create(d.id, version, "--dev-eui", "%016X" % d.dev_eui, "--join-eui", "%016X" % d.join_eui, "--root-keys.nwk-key.key", d.nwk_key.hex(),
              *app_key, *flags)
    return d


def new_abp(s, *flags, n=1):
    keys = [os.urandom(16) for _ in range(4)]
    d = Device11(dev_addr=int.from_bytes(os.urandom(3), "big"), keys=keys)
    d.id = s.dev_id(n)
    names = ("f-nwk-s-int-key", "s-nwk-s-int-key", "nwk-s-enc-key", "app-s-key")
    given = [x for name, key in zip(names, keys) for x in ("--session.keys.%s.key" % name, key.hex())]
    s._create(d.id, "1.1", "--abp", "--session.dev-addr", "%08X" % d.dev_addr, *given, *flags)
    return d


def reasons(s, d, name):
    events = s.stack.cli("events", "--application-id", "app1", "--device-id", d.id)
    return [e.get("data", {}).get("reason") for e in events if e["name"] == name]


class LoRaWAN11(Stories):
    settings = ("--ns.dev-addr-prefixes=26011000/20, 26012000/24",)

    def rejoin(self, s, d, g, kind, n):
        tmst = g.uplink(d.rejoin_request(kind))
        accept = g.wait_emission(n, 8)
        self.assertTrue(d.accept(accept.phy), "the device refuses the join-accept")
        self.assertEqual(after(accept, tmst), 5000000)

    def story_a_join_and_its_rekey(self, s):
        g, d = s.gateway(), new_otaa(s)
        s.join(d, g)
        self.assertTrue(d.is_v11)
        self.assertEqual(d.join_nonce, 1)
        self.assertTrue(d.dev_addr >> 12 == 0x26011 or d.dev_addr >> 8 == 0x260120)
        for n in (2, 3):
            s.ask(d, g, payload=b"hello", f_opts=REKEY_IND)
            self.assertEqual(d.downlink(g.wait_emission(n, 7).phy).f_opts, REKEY_IND)
            time.sleep(2.2)
        up = s.wait(d, "up", 2)
        self.assertEqual(up["uplink_message"]["frm_payload"], "aGVsbG8=")
        self.assertEqual(s.count(d, "join"), 1)

    def story_two_downlink_counters(self, s):
        g, d = s.gateway(), new_otaa(s, "--mac-settings.desired-rx1-delay", "1")
        s.join(d, g)
        for n in (2, 3):
            s.ask(d, g, confirmed=True, f_opts=LINK_CHECK)
            down = d.downlink(g.wait_emission(n, 4).phy)
            self.assertEqual((down.ack, down.f_cnt, down.f_opts[:1]), (True, n - 2, LINK_CHECK))
            time.sleep(2.2)
        s.push(d, "AQI=")
        s.ask(d, g, confirmed=True, f_opts=LINK_CHECK)
        down = d.downlink(g.wait_emission(4, 4).phy)
        self.assertEqual((down.ack, down.f_cnt, down.f_port, down.payload, down.f_opts[:1]), (True, 0, 1, b"\1\2", LINK_CHECK))
        self.assertEqual(s.wait(d, "down/sent")["downlink_sent"].get("f_cnt", 0), 0)
        live = s.stack.cli("end-devices", "get", "app1", d.id, "--session")
        self.assertEqual((live["session"]["last_n_f_cnt_down"], live["session"].get("last_a_f_cnt_down", 0)), (1, 0))

    def story_an_ack_of_an_earlier_attempt(self, s):
        g, d = s.gateway(), new_abp(s)
        s.push(d, {"f_port": 7, "frm_payload": "AQ==", "confirmed": True})
        s.ask(d, g)
        first = d.downlink(g.wait_emission(1, 4).phy)
        self.assertTrue(first.confirmed)
        s.wait(d, "down/sent")
        time.sleep(2.2)
        s.ask(d, g)  # its ACK was lost on the way: this uplink has none
        second = d.downlink(g.wait_emission(2, 4).phy)
        self.assertEqual((second.payload, second.f_cnt), (b"\1", 1))
        s.wait(d, "down/nack")
        time.sleep(2.2)
        s.ask(d, g, ack=True, conf=9)
        time.sleep(1)
        self.assertEqual((s.count(d, "down/ack"), s.count(d, "up")), (0, 2), "an ACK of what was never sent is no frame of the device's")
        s.ask(d, g, ack=True, conf=first.f_cnt)
        s.wait(d, "down/ack")

    def story_personalised_with_three_keys(self, s):
        g, d = s.gateway(), new_abp(s)
        s.ask(d, g, f_opts=RESET_IND)
        self.assertEqual(d.downlink(g.wait_emission(1, 4).phy).f_opts, RESET_IND)
        s.wait(d, "up")
        d.s_key, right = os.urandom(16), d.s_key
        s.ask(d, g)
        time.sleep(1)
        d.s_key = right
        self.assertEqual(s.count(d, "up"), 1)
        d.ch = 2
        g.uplink(d.uplink(1, b"x"), freq=868.5)
        s.wait(d, "up", 2)

    def story_rejoins_of_all_types(self, s):
        g, d = s.gateway(), new_otaa(s)
        s.join(d, g)
        s.ask(d, g, f_opts=REKEY_IND)
        d.downlink(g.wait_emission(2, 7).phy)
        s.wait(d, "up")
        time.sleep(2.2)
        for i, kind in enumerate((0, 2, 1)):
            self.rejoin(s, d, g, kind, 3 + 2 * i)
            self.assertEqual((d.join_nonce, d.cf_list is None), (2 + i, kind == 2))
            s.ask(d, g, payload=b"new", f_opts=REKEY_IND)
            self.assertEqual(d.downlink(g.wait_emission(4 + 2 * i, 7).phy).f_opts, REKEY_IND)
            s.wait(d, "up", 2 + i)
            time.sleep(2.2)
        self.assertEqual(s.count(d, "join"), 4)

    def story_the_old_session_lives_until_the_rejoin_is_used(self, s):
        g, d = s.gateway(), new_otaa(s)
        s.join(d, g)
        s.ask(d, g)
        s.wait(d, "up")
        old = d.session()
        self.rejoin(s, d, g, 0, 2)
        new = d.session()
        d.__dict__.update(old)
        s.ask(d, g, payload=b"old")
        s.wait(d, "up", 2)
        d.__dict__.update(new)
        s.ask(d, g, payload=b"new")
        s.wait(d, "up", 3)
        d.__dict__.update(old)
        d.f_cnt_up += 5
        s.ask(d, g, payload=b"too late")
        time.sleep(1)
        self.assertEqual(s.count(d, "up"), 3)

    def story_a_lost_session_is_restored_by_type_1(self, s):
        g, d = s.gateway(), new_otaa(s)
        self.rejoin(s, d, g, 1, 1)
        s.ask(d, g)
        s.wait(d, "up")

    def story_replayed_rejoins_are_refused_and_named(self, s):
        g, d = s.gateway(), new_otaa(s)
        s.join(d, g)
        s.ask(d, g)
        s.wait(d, "up")
        old = d.session()
        self.rejoin(s, d, g, 1, 2)
        replay = d.rejoin_request(1, count=d.rj_count1 - 1)
        d.__dict__.update(old)
        self.rejoin(s, d, g, 2, 3)
        d.__dict__.update(old)
        time.sleep(11)
        g.uplink(d.rejoin_request(2, count=0))
        g.uplink(replay)
        time.sleep(7)
        self.assertEqual(len(g.emissions), 3)
        self.assertIn("rj_count0", reasons(s, d, "ns.up.rejoin.drop"))
        self.assertIn("rj_count1_too_small", reasons(s, d, "js.join.reject"))

    def story_a_repeated_rejoin_has_the_same_answer(self, s):
        g, d = s.gateway(), new_otaa(s)
        s.join(d, g)
        s.ask(d, g)
        s.wait(d, "up")
        phy = d.rejoin_request(0)
        g.uplink(phy)
        first = g.wait_emission(2, 8)
        time.sleep(0.5)
        g.uplink(phy)
        self.assertEqual(g.wait_emission(3, 8).phy, first.phy)
        self.assertTrue(d.accept(first.phy))
        s.ask(d, g)
        s.wait(d, "up", 2)

    def story_a_1_1_device_registered_as_1_0(self, s):
        for n, with_app_key in ((1, True), (2, False)):
            g, d = s.gateway(), new_otaa(s, version="1.0.3", n=n, with_app_key=with_app_key)
            s.join(d, g)
            self.assertFalse(d.is_v11)
            s.push(d, "AQI=")
            s.ask(d, g, payload=b"hello")
            down = d.downlink(g.wait_emission(2, 7).phy)
            self.assertEqual((down.f_cnt, down.payload), (0, b"\1\2"))
            self.assertEqual(s.wait(d, "up")["uplink_message"]["frm_payload"], "aGVsbG8=")

    def story_a_wrong_nwk_key_is_named(self, s):
        g, d = s.gateway(), new_otaa(s)
        d.nwk_key = os.urandom(16)
        g.uplink(d.join_request())
        s.until(lambda: "mic" in reasons(s, d, "js.join.reject"), what="js.join.reject with its reason")
        self.assertRegex(s.stack.log_text(), "join_refused.*%s.*NwkKey" % d.id)

    def story_a_nonce_that_does_not_rise_is_refused(self, s):
        g, d = s.gateway(), new_otaa(s)
        d.dev_nonce = 9
        s.join(d, g)
        d.dev_nonce = 5
        g.uplink(d.join_request())
        s.until(lambda: "dev_nonce_too_small" in reasons(s, d, "js.join.reject"), what="js.join.reject with its reason")

    def story_lora_packet_agrees(self, s):
        folder = folder_with(self, "lora-packet@0.9")
        g, d = s.gateway(), new_otaa(s, "--mac-settings.desired-rx1-delay", "1")
        s.join(d, g)
        questions = [dict(nwk_key=d.nwk_key.hex(), app_key=d.app_key.hex(), join_eui="%016x" % d.join_eui, dev_eui="%016x" % d.dev_eui,
                          join_nonce="%06x" % d.join_nonce, nonce="%04x" % d.asked_nonce)]
        keys = dict(f=d.f_key.hex(), s=d.s_key.hex(), e=d.e_key.hex(), app=d.app_s_key.hex())
        wanted = [dict(keys, js_int=d.js_int.hex(), js_enc=d.js_enc.hex())]
        for n, payload in ((2, None), (3, "aGVsbG8=")):
            if payload:
                s.push(d, payload)
            s.ask(d, g, confirmed=True, f_opts=LINK_CHECK)
            phy = g.wait_emission(n, 4).phy
            down = d.downlink(phy)
            questions.append(dict(keys, phy=phy.hex(), f_cnt=down.f_cnt, conf=d.conf_up))
            wanted.append(dict(mic=True, port=down.f_port, plain=down.payload.hex(), f_opts=down.f_opts.hex()))
            time.sleep(2.2)
        node = subprocess.run(["node", os.path.join(os.path.dirname(__file__), "lora_packet.js")], capture_output=True, text=True, timeout=60,
                              env=dict(os.environ, NODE_PATH=os.path.join(folder, "node_modules")), input="\n".join(json.dumps(q) for q in questions))
        self.assertEqual([json.loads(line) for line in node.stdout.splitlines()], wanted, node.stderr)


if __name__ == "__main__":
    unittest.main()
