"""RX1 at one second holds while every commit of both stores takes 100 ms."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from gateway import Gateway  # noqa: E402
from godwit import Stack, Subscriber  # noqa: E402
from lorawan import Device  # noqa: E402


class SlowDisk(unittest.TestCase):
    def test_answers_leave_in_time_for_rx1(self):
        with Stack("--ns.store-commit-delay=100ms", "--as.store-commit-delay=100ms") as stack:
            key = stack.create_application("app1")
            devices = []
            for n in range(20):
                device = Device(dev_addr=0x01000100 + n, nwk_s_key=os.urandom(16), app_s_key=os.urandom(16))
                stack.create_abp(device, "app1", "dev%d" % n)
                devices.append(device)
            # Emissions of one gateway may not overlap, so each device has a gateway of its own.
            gateways = [Gateway(stack.address("gs.udp"), eui=0xAA555A0000000200 + n) for n in range(len(devices))]
            sub = Subscriber(stack, key)
            try:
                for g in gateways:
                    g.wait_path()
                for n in range(0, 20, 2):
                    sub.publish("v3/app1/devices/dev%d/down/push" % n, {"downlinks": [{"f_port": 4, "frm_payload": "AQID"}]})
                sub.wait("down/queued", 10)
                sent = []
                for gateway, device in zip(gateways, devices):
                    sent.append(gateway.uplink(device.uplink(2, b"x", confirmed=True)))
                    time.sleep(0.05)
                for n, (gateway, device, tmst) in enumerate(zip(gateways, devices, sent)):
                    emission = gateway.wait_emission(1, 4)
                    self.assertEqual((emission.tmst - tmst) % 2**32, 1000000, "device %d missed RX1" % n)
                    self.assertGreater(emission.lead_us, 42500)
                    down = device.downlink(emission.phy)
                    self.assertTrue(down.ack)
                    self.assertEqual(down.payload, b"\1\2\3" if n % 2 == 0 else b"")
                sub.wait("/up", 20)
            finally:
                sub.close()
                for g in gateways:
                    g.close()


if __name__ == "__main__":
    unittest.main()
