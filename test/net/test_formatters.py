"""Payload formatters on the way up: what devices send is decoded, in order, and never lost for it."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from gateway import Gateway  # noqa: E402
from godwit import Stack, Subscriber  # noqa: E402
from lorawan import Device  # noqa: E402

GPS = bytes.fromhex("018806765ff2960a0003e8")  # of Cayenne's own documentation: channel 1, 42.3519 -87.9094 10 m
PLACE = {"latitude": 42.3519, "longitude": -87.9094, "altitude": 10, "source": "SOURCE_GPS"}


class Formatters(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack("--as.formatter-messages=20", start=False).fix_ports().start()
        cls.key = cls.stack.create_application("app1")
        cls.gateway = Gateway(cls.stack.address("gs.udp"), eui=0xAA555A0000000111)
        cls.gateway.wait_path()

    @classmethod
    def tearDownClass(cls):
        cls.gateway.close()
        cls.stack.close()

    def setUp(self):
        self.dev = "d-" + self._testMethodName[5:].replace("_", "-")[:30].strip("-")
        self.sub = Subscriber(self.stack, self.key)
        self.addCleanup(self.sub.close)

    def device(self, formatter=None, script=None, dev=None):
        device = Device(dev_addr=int.from_bytes(os.urandom(3), "big"), nwk_s_key=os.urandom(16), app_s_key=os.urandom(16))
        self.stack.create_abp(device, "app1", dev or self.dev)
        if formatter:
            self.stack.cli("end-devices", "update", "app1", dev or self.dev, "--formatters.up-formatter", formatter,
                           *(("--formatters.up-formatter-parameter", script) if script else ()))
        return device

    def up(self, device, port, payload):
        self.gateway.uplink(device.uplink(port, payload))

    def wait(self, suffix, n=1, dev=None):
        return self.sub.wait((dev or self.dev) + "/" + suffix, n, 20)

    def events(self, name, dev=None):
        return [e for e in self.stack.cli("events", "--application-id", "app1", "--device-id", dev or self.dev) if e["name"] == name]

    def test_cayennelpp_is_decoded_at_once(self):
        device = self.device("FORMATTER_CAYENNELPP")
        self.up(device, 1, bytes.fromhex("03670110056700ff"))  # Cayenne's: 27.2 and 25.5 degrees
        self.assertEqual(self.wait("up")["uplink_message"]["decoded_payload"], {"temperature_3": 27.2, "temperature_5": 25.5})
        self.up(device, 1, bytes.fromhex("0367011005"))
        self.assertNotIn("decoded_payload", self.wait("up", 2)["uplink_message"])
        failed = self.events("as.up.data.decode.fail")[-1]["data"]
        self.assertEqual((failed["reason"], failed["f_cnt"], failed["f_port"]), ("cayenne", 1, 1))
        self.assertIn("octet", failed["message"])

    def test_a_location_in_the_payload_is_solved_and_kept(self):
        device = self.device("FORMATTER_CAYENNELPP")
        self.up(device, 1, GPS)
        solved = self.wait("location/solved")
        self.assertEqual(solved["location_solved"]["service"], "frm-payload")
        self.assertEqual({k: solved["location_solved"]["location"].get(k) for k in PLACE}, PLACE)
        self.assertEqual(solved["correlation_ids"], self.wait("up")["correlation_ids"])
        self.up(device, 1, bytes.fromhex("03670110"))
        self.assertEqual(self.wait("up", 2)["uplink_message"]["locations"]["frm-payload"], PLACE)
        self.assertEqual(self.stack.cli("end-devices", "get", "app1", self.dev)["locations"], {"frm-payload": PLACE})
        self.assertEqual(len(self.events("as.up.location.forward")), 1)
        # It is kept apart from the record: a crash does not lose it, and a change of the record takes it over.
        self.stack.kill()
        self.stack.start()
        self.assertEqual(self.stack.cli("end-devices", "get", "app1", self.dev)["locations"], {"frm-payload": PLACE})
        self.stack.cli("end-devices", "update", "app1", self.dev, "--name", "n")
        self.stack.kill()
        self.stack.start()
        self.assertEqual(self.stack.cli("end-devices", "get", "app1", self.dev)["locations"], {"frm-payload": PLACE})


if __name__ == "__main__":
    unittest.main()
