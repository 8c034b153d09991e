"""Values that applications push become octets by the downlink formatter in force: in order, once, whatever else happens, and with words where
they do not."""
import base64
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from godwit import Stack, Subscriber  # noqa: E402
from lorawan import Device  # noqa: E402


def push(*items):
    return {"downlinks": list(items)}


class Encoders(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()
        cls.key = cls.stack.create_application("app1")
        cls.serial = 0

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def setUp(self):
        self.sub = Subscriber(self.stack, self.key, topic="v3/app1/devices/+/down/+")
        self.addCleanup(self.sub.close)

    def device(self, *flags):
        """A device with a session, which sends nothing: what is queued stays where it can be looked at."""
        type(self).serial += 1
        name = "dev%d" % self.serial
        d = Device(dev_addr=int.from_bytes(os.urandom(3), "big"), nwk_s_key=os.urandom(16), app_s_key=os.urandom(16))
        self.stack.create_abp(d, "app1", name)
        if flags:
            self.stack.cli("end-devices", "update", "app1", name, *flags)
        return name

    def push(self, name, *items, how="push"):
        self.sub.publish("v3/app1/devices/%s/down/%s" % (name, how), push(*items))

    def queued(self, name, n=1):
        return self.sub.wait("/%s/down/queued" % name, n)["downlink_queued"]

    def failed(self, name, n=1):
        return self.sub.wait("/%s/down/failed" % name, n)["downlink_failed"]

    def listed(self, name):
        return self.stack.cli("end-devices", "downlink", "list", "app1", name)

    def test_cayenne_makes_octets_of_values_and_values_of_octets(self):
        name = self.device("--formatters.down-formatter", "FORMATTER_CAYENNELPP")
        self.push(name, {"f_port": 7, "decoded_payload": {"value_3": 27.5}, "confirmed": True, "priority": "HIGH", "correlation_ids": ["mine"]})
        first = self.queued(name)
        # Cayenne's format for actuators: channel, value in hundredths as two octets.
        self.assertEqual(base64.b64decode(first["frm_payload"]), bytes([3, 0x0A, 0xBE]))
        self.assertEqual((first["f_port"], first["decoded_payload"], first["confirmed"], first["priority"]), (7, {"value_3": 27.5}, True, "HIGH"))
        self.assertEqual(list(first)[:4], ["f_port", "frm_payload", "decoded_payload", "confirmed"])
        self.push(name, {"f_port": 7, "frm_payload": base64.b64encode(bytes([3, 0x0A, 0xBE])).decode()})
        self.assertEqual(self.queued(name, 2)["decoded_payload"], {"value_3": 27.5})
        self.assertEqual([i["decoded_payload"] for i in self.listed(name)], [{"value_3": 27.5}] * 2)
        self.push(name, {"f_port": 7, "decoded_payload": {"x": 1}, "correlation_ids": ["mine"]}, {"decoded_payload": {"value_1": 1}})
        wrong = self.failed(name)
        self.assertEqual(wrong["error"]["name"], "encoder_failed")
        self.assertEqual((wrong["downlink"]["f_port"], wrong["downlink"]["decoded_payload"]), (7, {"x": 1}))
        self.assertEqual(self.failed(name, 2)["error"]["name"], "no_f_port")

    def test_who_has_no_encoder_is_told_which(self):
        for kind, words in (("FORMATTER_NONE", "the device has no downlink formatter"), ("FORMATTER_REPOSITORY", "no device repository"),
                            ("FORMATTER_GRPC_SERVICE", "FORMATTER_GRPC_SERVICE is not served")):
            name = self.device("--formatters.down-formatter", kind)
            self.push(name, {"f_port": 7, "decoded_payload": {"x": 1}})
            error = self.failed(name)["error"]
            self.assertEqual(error["name"], "no_encoder")
            self.assertIn(words, error["attributes"]["reason"])
            self.push(name, {"f_port": 7, "frm_payload": "AQ==", "decoded_payload": {"x": 1}})
            self.assertEqual(self.queued(name)["frm_payload"], "AQ==")


if __name__ == "__main__":
    unittest.main()
