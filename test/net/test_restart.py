"""What survives: stop and start, and kill -9, of each process and of all of them."""
import os
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from gateway import Gateway  # noqa: E402
from godwit import Stack, Subscriber, environment, program  # noqa: E402
from lorawan import Device  # noqa: E402
import paho_client  # noqa: E402


class Restart(unittest.TestCase):
    def setUp(self):
        self.stack = Stack(start=False).fix_ports().start()
        self.addCleanup(self.stack.close)
        self.addCleanup(lambda: (self.gateway.close(), self.sub.close()))
        self.key = self.stack.create_application("app1")
        self.device = Device(dev_eui=0x70B3D57ED0050001, join_eui=1, app_key=os.urandom(16))
        self.stack.create_otaa(self.device)
        self.stack.cli("gateways", "create", "gtw1", "--gateway-eui", "AA555A0000000101", "--frequency-plan-id", "EU_863_870")
        self.connect()
        self.gateway.uplink(self.device.join_request())
        self.assertTrue(self.device.accept(self.gateway.wait_emission(1, 7).phy))
        self.sub.wait("dev1/join")

    def connect(self):
        """The forwarder and the application start anew."""
        if hasattr(self, "gateway"):
            self.gateway.close()
            self.sub.close()
        self.gateway = Gateway(self.stack.address("gs.udp"))
        self.gateway.wait_path()
        self.sub = Subscriber(self.stack, self.key)

    def exchange(self, payload=b"x"):
        """A confirmed uplink and its answer."""
        ups, emissions = self.sub.count("dev1/up"), len(self.gateway.emissions)
        self.gateway.uplink(self.device.uplink(2, payload, confirmed=True))
        self.sub.wait("dev1/up", ups + 1)
        down = self.device.downlink(self.gateway.wait_emission(emissions + 1, 8).phy)
        self.assertTrue(down.ack)
        return down

    def check_counters(self):
        seen = self.device.f_cnt_down_seen
        self.assertEqual(seen, sorted(set(seen)), "a downlink counter was repeated or went back")

    def push(self, port):
        queued = self.sub.count("down/queued")
        self.sub.publish("v3/app1/devices/dev1/down/push", {"downlinks": [{"f_port": port, "frm_payload": "AQID"}]})
        self.sub.wait("down/queued", queued + 1)

    def check_all_is_there(self):
        self.connect()
        self.assertEqual([i["f_port"] for i in self.stack.cli("end-devices", "downlink", "list", "app1", "dev1")], [7, 8])
        self.assertEqual(self.stack.cli("gateways", "get", "gtw1")["ids"]["eui"], "AA555A0000000101")
        down = self.exchange()
        self.assertEqual((down.f_port, down.payload), (7, b"\1\2\3"))
        self.assertEqual(self.sub.wait("dev1/up")["uplink_message"]["rx_metadata"][0]["gateway_ids"]["gateway_id"], "gtw1")
        self.check_counters()

    def test_stop_and_start(self):
        self.exchange()
        self.push(7)
        self.push(8)
        self.stack.stop()
        self.stack.start()
        self.check_all_is_there()

    def test_kill_of_all_at_once(self):
        self.exchange()
        self.push(7)
        self.push(8)
        self.stack.kill()
        self.stack.start()
        self.check_all_is_there()

    def test_kill_of_all_with_a_class_c_item_that_nobody_can_send_yet(self):
        """Nobody has pulled it, so nobody doubts it: it is there still, and is sent once."""
        device = Device(dev_addr=0x01020304, nwk_s_key=os.urandom(16), app_s_key=os.urandom(16))
        self.stack.create_abp(device, "app1", "dev2", "--supports-class-c")
        hears = Gateway(self.stack.address("gs.udp"), eui=0xAA555A0000000202, keepalive=1e9)
        self.addCleanup(hears.close)
        hears.wait_path()
        self.gateway.close()
        self.stack.stop()  # who listens to PULL_DATA no more has no way down
        self.stack.start()
        self.connect()
        hears.uplink(device.uplink(2, b"x"))
        self.sub.wait("dev2/up")
        time.sleep(2.5)
        self.sub.publish("v3/app1/devices/dev2/down/push", {"downlinks": [{"f_port": 7, "frm_payload": "AQID"}]})
        self.sub.wait("dev2/down/queued")
        self.stack.kill()
        self.stack.start()
        self.connect()
        self.assertEqual([i["f_port"] for i in self.stack.cli("end-devices", "downlink", "list", "app1", "dev2")], [7])
        self.gateway.uplink(device.uplink(2, b"y"))
        self.sub.wait("dev2/down/sent")
        self.sub.wait("dev2/up")
        downs = [device.downlink(e.phy) for e in self.gateway.emissions]
        self.assertEqual([(d.f_port, d.payload) for d in downs], [(7, b"\1\2\3")])
        self.assertEqual((self.sub.count("down/failed"), self.sub.count("down/sent"), hears.emissions), (0, 1, []))

    def test_after_a_kill_of_the_network_server_the_gateway_server_still_knows_the_clock(self):
        device = Device(dev_addr=0x01020304, nwk_s_key=os.urandom(16), app_s_key=os.urandom(16))
        self.stack.create_abp(device, "app1", "dev2", "--supports-class-c")
        self.gateway.uplink(device.uplink(2, b"x"))
        self.sub.wait("dev2/up")
        time.sleep(2.5)
        n = len(self.gateway.emissions)
        os.kill(self.stack.pid("ns"), signal.SIGKILL)
        self.sub.publish("v3/app1/devices/dev2/down/push", {"downlinks": [{"f_port": 7, "frm_payload": "AQID"}]})
        e = self.gateway.wait_emission(n + 1, 20)
        self.assertEqual(device.downlink(e.phy).payload, b"\1\2\3")
        self.assertFalse(e.txpk.get("imme", False), "the counter is known, so it is not left to the forwarder")
        self.assertGreater(e.lead_us, 42500)
        self.sub.wait("dev2/down/sent")

    def test_kill_of_each_process_and_up_restarts_it(self):
        self.exchange()
        for name in ("gs", "ns", "as"):
            old = self.stack.pid(name)
            os.kill(old, signal.SIGKILL)
            end = time.time() + 15
            while time.time() < end:
                try:
                    if self.stack.pid(name) != old:
                        break
                except (OSError, ValueError):
                    pass
                time.sleep(0.1)
            self.assertNotEqual(self.stack.pid(name), old, name + " was not started again")
            self.assertIsNone(self.stack.process.poll(), "godwit up ended with its child")
            end = time.time() + 15
            while True:
                # A device that is not answered sends again; so does this one, until the network is there.
                try:
                    self.exchange()
                    break
                except AssertionError:
                    if time.time() > end:
                        raise
        self.check_counters()

    def test_a_stop_is_heard_at_any_moment_of_the_start(self):
        self.stack.stop()
        for n in range(25):
            up = subprocess.Popen([program("godwit"), "up"] + self.stack.flags(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                  env=environment())
            time.sleep(0.001 + n * 0.0004)
            up.terminate()
            _, err = up.communicate(timeout=20)
            self.assertNotIn("does not end", err.decode())
        self.stack.start()

    def test_a_subscription_that_was_acknowledged_is_there_after_kill_nine(self):
        self.stack.stop()
        self.stack.settings.append("--as.store-commit-delay=300ms")
        self.stack.start()
        self.connect()
        stop = threading.Event()

        def keep_the_store_busy():
            while not stop.is_set():
                self.sub.client.publish("v3/app1/devices/dev1/down/push", '{"downlinks":[{"f_port":7,"frm_payload":"AQID"}]}', 1)
                stop.wait(0.02)

        noise = threading.Thread(target=keep_the_store_busy, daemon=True)
        noise.start()
        time.sleep(0.5)
        old = self.stack.pid("as")
        client = paho_client.client(client_id="faithful", clean_session=False)
        client.username_pw_set("app1", self.key)
        flags = []
        client.on_connect = lambda c, _u, f, _r: flags.append(f["session present"]) or (None if f["session present"] else c.subscribe("#", 1))
        client.on_subscribe = lambda *_: os.kill(old, signal.SIGKILL) if self.stack.pid("as") == old else None
        client.reconnect_delay_set(1, 1)
        client.connect(*self.stack.address("as.mqtt"))
        client.loop_start()
        end = time.time() + 20
        while len(flags) < 2 and time.time() < end:
            time.sleep(0.1)
        stop.set()
        noise.join()
        client.loop_stop()
        client.disconnect()
        self.assertEqual(flags, [0, 1], "the session of an acknowledged subscription was lost")

    def test_uplinks_wait_for_an_application_server_that_is_away(self):
        """What the ns accepted while the as was away arrives once the as is back."""
        client = Subscriber(self.stack, self.key, client_id="keeper")
        self.addCleanup(client.close)
        os.kill(self.stack.pid("as"), signal.SIGSTOP)
        stopped = self.stack.pid("as")
        for n in range(5):
            self.gateway.uplink(self.device.uplink(2, bytes([n])))
            time.sleep(0.3)
        os.kill(stopped, signal.SIGCONT)
        self.sub.wait("dev1/up", 5, 15)
        payloads = [m[1]["uplink_message"]["frm_payload"] for m in self.sub.messages if m[0].endswith("dev1/up")]
        self.assertEqual(payloads, ["AA==", "AQ==", "Ag==", "Aw==", "BA=="])

    def test_a_used_join_nonce_stays_used(self):
        before = self.sub.count("dev1/join")
        self.stack.kill()
        self.stack.start()
        self.connect()
        time.sleep(10.5)
        self.device.dev_nonce -= 1
        self.gateway.uplink(self.device.join_request())
        time.sleep(6)
        self.assertEqual(self.gateway.emissions, [], "a replayed join-request was answered")
        self.device.dev_nonce += 1
        self.gateway.uplink(self.device.join_request())
        self.assertTrue(self.device.accept(self.gateway.wait_emission(1, 7).phy))
        self.sub.wait("dev1/join")
        self.assertEqual(before, 1)


if __name__ == "__main__":
    unittest.main()
