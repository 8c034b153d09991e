"""godwit why: situations that operators meet, made real, and what they are told."""
import os
import signal
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from gateway import Gateway  # noqa: E402
from godwit import CommandError, Subscriber  # noqa: E402
from lorawan import Device  # noqa: E402
from stories import Stories  # noqa: E402

RIGHTS = {"traffic": "--right-application-traffic-read", "info": "--right-application-info"}


class Base(Stories):
    settings = ("--gs.default-frequency-plan=",)

    def planned(self, s, **how):
        """A gateway that may send."""
        eui = how.setdefault("eui", int.from_bytes(os.urandom(6), "big") | 0xAA << 56)
        s.stack.cli("gateways", "create", "g%x" % eui, "--gateway-eui", "%016X" % eui, "--frequency-plan-id", "EU_863_870")
        return s.gateway(**how)

    def ask(self, s, d, question, *args):
        return s.stack.cli("why", "app1", d.id, question, *args)

    def found(self, s, d, question, finding):
        """The answer with this finding; what the three processes saw comes in with a delay."""
        def look():
            return next((a for a in self.ask(s, d, question) if a["finding"] == finding), None)
        try:
            a = s.until(look, timeout=15, what=finding)
        except AssertionError as e:
            raise AssertionError("%s; found was %s" % (e, [a["finding"] for a in self.ask(s, d, question)]))
        self.assertIn(a["kind"], ("problem", "note", "fine"))
        self.assertNotRegex(a["answer"], r"[{}\[\]]")
        self.assertTrue(a["evidence"])
        return a


class Why(Base):
    def story_a_wrong_app_key(self, s):
        g = self.planned(s)
        d = s.otaa()
        d.app_key = os.urandom(16)
        g.uplink(d.join_request())
        a = self.found(s, d, "join", "join_mic")
        self.assertEqual([x["finding"] for x in self.ask(s, d, "join")], ["join_mic"])
        self.assertEqual(a["evidence"][0]["event"], "js.join.reject")
        self.assertEqual(a["evidence"][0]["data"]["reason"], "mic")
        self.assertTrue([line for line in a["advice"] if line.startswith("godwit end-devices set app1 %s --root-keys" % d.id)])
        text = s.stack.run("why", "app1", d.id, "--table").stdout
        self.assertIn("Why does it not join?\n  ! The AppKey is wrong", text)
        self.assertNotIn("\033", text)
        self.assertNotIn(d.app_key.hex(), text.lower())

    def story_another_join_eui(self, s):
        g = self.planned(s)
        d = s.otaa()
        d.join_eui ^= 1
        g.uplink(d.join_request())
        a = self.found(s, d, "join", "join_eui")
        self.assertIn("%016X" % (d.join_eui ^ 1), a["answer"])
        self.assertIn("godwit end-devices set app1 %s --join-eui %016X" % (d.id, d.join_eui), " ".join(a["advice"]))

    def story_a_gateway_without_a_plan(self, s):
        g = Gateway(s.stack.address("gs.udp"), eui=int.from_bytes(os.urandom(6), "big") | 0xAB << 56)
        s.closing.append(g.close)
        gtw = "eui-%016x" % g.eui
        s.until(lambda: [x for x in s.stack.cli("gateways", "list") if x["ids"]["gateway_id"] == gtw])
        d = s.otaa()
        g.uplink(d.join_request())
        a = self.found(s, d, "join", "join_no_path")
        self.assertIn("gateways adopt", " ".join(a["advice"]))
        findings = [x["finding"] for x in s.stack.cli("why", "--gateway-id", gtw)]
        self.assertEqual(findings[:2], ["gateway_unregistered", "gateway_no_plan"])

    def story_a_device_that_does_not_hear_the_join_accept(self, s):
        g = self.planned(s)
        d = s.otaa()
        for n in (1, 2):
            g.uplink(d.join_request())
            g.wait_emission(n, 8)
        a = self.found(s, d, "join", "join_accept_unheard")
        self.assertIn("EU_863_870", " ".join(a["advice"]))

    def story_a_device_that_nobody_hears(self, s):
        self.planned(s).uplink(Device(dev_addr=1, nwk_s_key=bytes(16), app_s_key=bytes(16)).uplink(1, b"x"))
        a = self.found(s, s.otaa(), "join", "join_unheard")
        self.assertIn("others", a["answer"])

    def story_an_abp_device_whose_counter_began_again(self, s):
        g = self.planned(s)
        d = s.abp()
        s.ask(d, g)
        for _ in range(5):
            d.uplink()
        s.ask(d, g)
        s.wait(d, "up", 2)
        self.assertEqual([a["kind"] for a in self.ask(s, d, "heard")], ["fine"])
        g.uplink(d.uplink(1, b"again", f_cnt=0))
        a = self.found(s, d, "heard", "heard_f_cnt")
        self.assertEqual((a["evidence"][0]["data"]["f_cnt"], a["evidence"][0]["data"]["next_f_cnt"]), (0, 7))
        self.assertIn("0 came, at least 7 was expected", a["answer"])
        self.assertIn("resets-f-cnt", " ".join(a["advice"]))

    def story_other_session_keys(self, s):
        g = self.planned(s)
        d = s.abp()
        d.nwk_s_key = os.urandom(16)
        s.ask(d, g)
        self.assertIn("%08X" % d.dev_addr, self.found(s, d, "heard", "heard_mic")["answer"])

    def story_a_downlink_that_waits_for_an_uplink_and_is_too_long(self, s):
        g = self.planned(s)
        d = s.abp()
        self.assertEqual([a["finding"] for a in self.ask(s, d, "downlink")], ["down_none"])
        s.push(d, "AQID")
        a = self.found(s, d, "downlink", "down_waits_uplink")
        self.assertEqual([e["data"]["items"] for e in a["evidence"] if e.get("state") == "queue"], [1])
        s.ask(d, g)
        s.wait(d, "down/sent")
        self.found(s, d, "downlink", "down_sent")
        # A slow uplink is answered slowly, which leaves room for 51 octets.
        s.push(d, {"f_port": 1, "frm_payload": "AAAA" * 40})
        s.ask(d, g, datr="SF12BW125")
        a = self.found(s, d, "downlink", "down_too_big_now")
        self.assertEqual(a["kind"], "problem")
        self.assertIn("120 octets", a["answer"])

    def story_who_may_ask(self, s):
        d = s.abp()
        keys = {k: s.stack.create_key("app1", RIGHTS[k]) for k in RIGHTS}
        s.stack.cli("why", "app1", d.id, "--api-key", keys["traffic"])
        for args, says in ((("app1", d.id, "--api-key", keys["info"]), "RIGHT_APPLICATION_TRAFFIC_READ"),
                           (("--gateway-id", "eui-aa00000000000000", "--api-key", keys["traffic"]), "no rights"),
                           (("--gateway-id", "none-such"), "not found"), (("app1", "none-such"), "not found"),
                           (("app1", d.id, "other"), "join, heard, downlink")):
            with self.assertRaises(CommandError, msg=args) as e:
                s.stack.run("why", *args)
            self.assertIn(says, e.exception.stderr)
        # A gateway's key asks of its own gateway, and of no other.
        own, other = ("w%d-%s" % (s.number, n) for n in ("own", "other"))
        for n, gtw in enumerate((own, other)):
            s.stack.cli("gateways", "create", gtw, "--gateway-eui", "%016X" % (0xAC << 56 | n), "--frequency-plan-id", "EU_863_870")
        key = s.stack.cli("gateways", "api-keys", "create", own, "--right-gateway-status-read")["key"]
        self.assertEqual([a["finding"] for a in s.stack.cli("why", "--gateway-id", own, "--api-key", key)], ["gateway_never"])
        with self.assertRaises(CommandError):
            s.stack.run("why", "--gateway-id", other, "--api-key", key)
        for args in ((), ("app1",), ("app1", d.id, "--gateway-id", "gtw1")):
            with self.assertRaises(CommandError) as e:
                s.stack.run("why", *args)
            self.assertEqual(e.exception.status, 2)

    def story_an_application_to_which_nobody_listens(self, s):
        g = self.planned(s)
        d = Device(dev_addr=int.from_bytes(os.urandom(3), "big"), nwk_s_key=os.urandom(16), app_s_key=os.urandom(16))
        s.stack.cli("applications", "create", "quiet")
        s.stack.create_abp(d, "quiet", "dev1")
        s.ask(d, g)

        def listeners():
            return next((a for a in s.stack.cli("why", "quiet", "dev1", "heard") if a["finding"] == "heard_nobody_listens"), None)
        a = s.until(listeners, timeout=15)
        self.assertEqual([e["data"]["mqtt_sessions_connected"] for e in a["evidence"] if e.get("state") == "application"], [0])
        sub = Subscriber(s.stack, s.stack.create_key("quiet"), app="quiet")
        s.closing.append(sub.close)
        s.ask(d, g)
        sub.wait("/up")
        s.until(lambda: not listeners(), timeout=15)

    def story_whoever_asks_may_go_away(self, s):
        g = self.planned(s)
        d = s.otaa()
        g.uplink(d.join_request())
        g.wait_emission(1, 8)
        with open(os.path.join(s.stack.state, "admin.key")) as f:
            key = f.read().strip()
        for n in range(60):
            with socket.create_connection(s.stack.address("as.http")) as c:
                c.sendall(("GET /api/v3/applications/app1/devices/%s/why HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n"
                           % (d.id, key)).encode())
                time.sleep(n % 6 / 2000)
        self.assertTrue(s.until(lambda: self.ask(s, d, "join")))

    def story_a_time_line_ends_with_what_became_of_it(self, s):
        g = self.planned(s)
        d = s.abp()
        s.push(d, {"f_port": 1, "frm_payload": "AQID", "correlation_ids": ["line-%d" % s.number]})
        s.ask(d, g)
        s.wait(d, "down/sent")
        def look():
            text = s.stack.run("trace", "line-%d" % s.number, "--table").stdout
            return text if "on air" in text and ": sent" in text.splitlines()[-1] else None
        text = s.until(look, what="the whole story")
        self.assertRegex(text.splitlines()[-1], r"^downlink of app1/%s: sent \d.* after it was queued, in RX[12] by g%x(?: after .*)?\.$" % (d.id, g.eui))
        self.assertNotIn("\033", text)
        narrow = s.stack.run("trace", "line-%d" % s.number).stdout
        self.assertTrue(narrow.startswith("["))


class Gone(Base):
    """A gateway is given up after minutes of silence; here the gateway server forgets it by a restart, and it does not come back."""

    fixed_ports = True

    def story_a_gateway_that_stopped(self, s):
        g = self.planned(s)
        d = s.abp()
        s.ask(d, g)
        s.wait(d, "up")
        self.found(s, d, "heard", "heard_fine")
        g.close()
        gs = s.stack.pid("gs")
        os.kill(gs, signal.SIGKILL)
        gtw = "g%x" % g.eui
        s.until(lambda: s.stack.cli("why", "--gateway-id", gtw)[0]["finding"] == "gateway_offline", timeout=20)
        a = self.found(s, d, "heard", "heard_no_gateway")
        self.assertIn("last heard", a["answer"])
        other = self.planned(s, keepalive=1.0)  # its first PULL_DATA may come before the gateway server is back
        a = self.found(s, d, "heard", "heard_gateway_gone")
        self.assertIn(gtw, a["answer"])
        other.close()


if __name__ == "__main__":
    unittest.main()
