"""RX1 at one second holds while every commit of both stores takes 100 ms."""
import os
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from gateway import Gateway  # noqa: E402
from godwit import Stack, Subscriber  # noqa: E402
from lorawan import Device  # noqa: E402

EUI = 0xAA555A0000000200


class SlowDisk(unittest.TestCase):
    def setUp(self):
        self.stack = Stack("--ns.store-commit-delay=100ms", "--as.store-commit-delay=100ms")
        self.addCleanup(self.stack.close)
        self.key = self.stack.create_application("app1")
        self.sub = Subscriber(self.stack, self.key)
        self.addCleanup(self.sub.close)
        self.gateways = []

    def add_gateway(self):
        """Emissions of one gateway may not overlap, so each device has a gateway of its own."""
        gateway = Gateway(self.stack.address("gs.udp"), eui=EUI + len(self.gateways))
        self.addCleanup(gateway.close)
        self.gateways.append(gateway)
        return gateway

    def add_abp(self, n):
        device = Device(dev_addr=0x01000100 + n, nwk_s_key=os.urandom(16), app_s_key=os.urandom(16))
        self.stack.create_abp(device, "app1", "dev%d" % n)
        return device

    def push(self, dev, payload="AQID"):
        self.sub.client.publish("v3/app1/devices/%s/down/push" % dev,
                                '{"downlinks":[{"f_port":4,"frm_payload":"%s"}]}' % payload, 1)

    def check_rx1(self, emission, tmst, delay_us=1000000):
        self.assertEqual((emission.tmst - tmst) % 2**32, delay_us, "RX1 was missed")
        self.assertGreater(emission.lead_us, 42500, "too late for a forwarder")

    def test_answers_leave_in_time_for_rx1(self):
        devices = [self.add_abp(n) for n in range(20)]
        gateways = [self.add_gateway() for _ in devices]
        for g in gateways:
            g.wait_path()
        for n in range(0, 20, 2):
            self.push("dev%d" % n)
        self.sub.wait("down/queued", 10)
        sent = []
        for gateway, device in zip(gateways, devices):
            sent.append(gateway.uplink(device.uplink(2, b"x", confirmed=True)))
            time.sleep(0.05)
        for n, (gateway, device, tmst) in enumerate(zip(gateways, devices, sent)):
            emission = gateway.wait_emission(1, 4)
            self.check_rx1(emission, tmst)
            down = device.downlink(emission.phy)
            self.assertTrue(down.ack)
            self.assertEqual(down.payload, b"\1\2\3" if n % 2 == 0 else b"")
        self.sub.wait("/up", 20)

    def test_a_quick_reply_makes_the_window_of_the_uplink_it_answers(self):
        devices = [self.add_abp(n) for n in range(8)]
        gateways = [self.add_gateway() for _ in devices]
        for g in gateways:
            g.wait_path()
        answered, plain = set(), self.sub.client.on_message

        def reply(client, userdata, message):
            plain(client, userdata, message)
            dev = message.topic.split("/")[3]
            if message.topic.endswith("/up") and dev not in answered:
                answered.add(dev)
                self.push(dev)

        self.sub.client.on_message = reply
        sent = []
        for gateway, device in zip(gateways, devices):
            sent.append(gateway.uplink(device.uplink(2, b"question")))
            time.sleep(0.07)
        for gateway, device, tmst in zip(gateways, devices, sent):
            emission = gateway.wait_emission(1, 4)
            self.check_rx1(emission, tmst)
            self.assertEqual(device.downlink(emission.phy).payload, b"\1\2\3")
        self.sub.wait("down/sent", len(devices))

    def test_devices_join_and_are_answered_one_second_after_an_uplink(self):
        devices = [Device(dev_eui=0x70B3D57ED0058000 + n, join_eui=1, app_key=os.urandom(16)) for n in range(6)]
        for n, device in enumerate(devices):
            self.stack.create_otaa(device, "app1", "otaa%d" % n, "--mac-settings.desired-rx1-delay", "1")
        gateways = [self.add_gateway() for _ in devices]
        for g in gateways:
            g.wait_path()
        sent = [gateway.uplink(device.join_request()) for gateway, device in zip(gateways, devices)]
        for gateway, device, tmst in zip(gateways, devices, sent):
            emission = gateway.wait_emission(1, 8)
            self.check_rx1(emission, tmst, 5000000)
            self.assertTrue(device.accept(emission.phy))
            self.assertEqual(device.rx_delay, 1)
        self.sub.wait("/join", len(devices))
        for n in range(len(devices)):
            self.push("otaa%d" % n)
        self.sub.wait("down/queued", len(devices))
        # The first uplink of a session makes it the current one, and has a join to be told of, too.
        sent = [gateway.uplink(device.uplink(2, b"x", confirmed=True)) for gateway, device in zip(gateways, devices)]
        for gateway, device, tmst in zip(gateways, devices, sent):
            emission = gateway.wait_emission(2, 4)
            self.check_rx1(emission, tmst)
            down = device.downlink(emission.phy)
            self.assertEqual((down.ack, down.payload), (True, b"\1\2\3"))

    def test_the_same_while_the_store_is_kept_busy(self):
        """Commits follow one another without a pause, so whatever is written waits for two of them."""
        device, gateway = self.add_abp(0), self.add_gateway()
        gateway.wait_path()
        stop = threading.Event()
        noisy, other = self.add_abp(1), self.add_gateway()
        other.wait_path()

        def make_noise():
            while not stop.is_set():
                other.uplink(noisy.uplink(2, b"noise"))
                self.push("dev1")
                stop.wait(0.03)

        noise = threading.Thread(target=make_noise, daemon=True)
        noise.start()
        try:
            for n in range(1, 6):
                queued = len([m for m in self.sub.messages if m[0].endswith("dev0/down/queued")])
                self.push("dev0")
                self.sub.wait("dev0/down/queued", queued + 1)
                tmst = gateway.uplink(device.uplink(2, b"x", confirmed=True))
                emission = gateway.wait_emission(n, 4)
                self.check_rx1(emission, tmst)
                down = device.downlink(emission.phy)
                self.assertEqual((down.ack, down.payload), (True, b"\1\2\3"))
                time.sleep(0.7)
        finally:
            stop.set()
            noise.join(5)


if __name__ == "__main__":
    unittest.main()
