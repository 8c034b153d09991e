"""Devices of LoRaWAN 1.1 of godwit-sim, against a server written here and a device of lorawan.py: octet by octet, what the one sends the other
would have sent. No Godwit daemon takes part."""
import base64
import os
import struct
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lorawan import Device11, aes_decrypt, cmac, crypt_payload  # noqa: E402
from test_sim import Server, Sim  # noqa: E402

DEV_EUI, JOIN_EUI = 0x70B3D57ED0050001, 0x0000000000000009
APP_KEY, NWK_KEY = bytes(range(16)), bytes(range(100, 116))
CHANNELS = (868.1, 868.3, 868.5)
REKEY_IND, REKEY_CONF, RESET_IND, RESET_CONF, DEVICE_MODE_C = b"\x0b\1", b"\x0b\1", b"\1\1", b"\1\1", b"\x20\2"


def join_accept(device, key, join_nonce, dev_addr, opt_neg=True, cf_list=b"", mic_key=None):
    """As a join server seals it for the device's last request."""
    body = b"\x20" + struct.pack("<I", join_nonce)[:3] + b"\x13\0\0" + struct.pack("<IBB", dev_addr, 0x80 if opt_neg else 0, 1) + cf_list
    asked = bytes([device.asked]) + struct.pack("<QH", device.join_eui, device.asked_nonce) if opt_neg else b""
    mic = cmac(mic_key or (device.js_int if opt_neg else device.nwk_key), asked + body)[:4]
    return body[:1] + aes_decrypt(key, body[1:] + mic)


def downlink(device, f_cnt, f_port=None, payload=b"", f_opts=b"", confirmed=False, ack=None):
    """A frame to a device of 1.1. ack: the counter of the confirmed uplink that is acknowledged."""
    is_app = bool(f_port)
    ctrl = (0x20 if ack is not None else 0) | len(f_opts)
    message = struct.pack("<BIBH", 0xa0 if confirmed else 0x60, device.dev_addr, ctrl, f_cnt & 0xffff)
    message += device._crypt_f_opts(1, f_cnt, 2 if is_app else 1, f_opts)  # noqa: SLF001
    if f_port is not None:
        message += bytes([f_port]) + crypt_payload(device.app_s_key if f_port else device.e_key, 1, device.dev_addr, f_cnt, payload)
    b0 = struct.pack("<BHHBIIBB", 0x49, ack or 0, 0, 1, device.dev_addr, f_cnt, 0, len(message))
    return message + cmac(device.s_key, b0 + message)[:4]


class Sim11Test(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.close)

    def sim(self, *flags):
        sim = Sim(self.server, "--lorawan-version", "1.1", "--no-adr", *flags, script=True)
        self.addCleanup(sim.close)
        sim.event("ready")
        return sim

    def heard(self):
        eui, pk = self.server.rxpk()
        return eui, pk, base64.b64decode(pk["data"])

    def expect_uplink(self, device, **what):
        """The next frame is the one that a device of lorawan.py would send there."""
        eui, pk, phy = self.heard()
        device.dr, device.ch = 5, CHANNELS.index(pk["freq"])
        self.assertEqual(phy.hex(), device.uplink(**what).hex(), what)
        return eui, pk

    def joined(self, *flags):
        """A device that joined, and its double."""
        double = Device11(DEV_EUI, JOIN_EUI, APP_KEY, NWK_KEY, dev_nonce=1)
        sim = self.sim("--dev-eui-first", "%016X" % DEV_EUI, "--join-eui", "%016X" % JOIN_EUI, "--app-key", APP_KEY.hex(), "--nwk-key", NWK_KEY.hex(), *flags)
        sim.tell(cmd="join", device=0)
        eui, pk, phy = self.heard()
        self.assertEqual(phy.hex(), double.join_request().hex())
        accept = join_accept(double, NWK_KEY, 7, 0x26011BDA)
        self.assertTrue(double.accept(accept))
        self.assertEqual(self.server.answer(eui, pk, accept, 5), "")
        said = sim.event("join-accept", 8)
        self.assertEqual((said["dev_addr"], said["v11"], said["join_nonce"]), ("26011BDA", True, 7))
        return sim, double

    def test_a_device_joins_and_confirms_its_keys(self):
        sim, double = self.joined()
        for answered in (False, True):
            sim.tell(cmd="uplink", device=0, f_port=3, payload="aabb")
            eui, pk = self.expect_uplink(double, f_port=3, payload=b"\xaa\xbb", f_opts=REKEY_IND)
            if answered:
                self.server.answer(eui, pk, downlink(double, 0, f_opts=REKEY_CONF), 1)
                self.assertEqual(sim.event("downlink")["f_opts"], REKEY_CONF.hex().upper())
            sim.event("done")
        sim.tell(cmd="uplink", device=0, f_port=3, payload="cc")
        eui, pk = self.expect_uplink(double, f_port=3, payload=b"\xcc")
        # The application's frames have a counter of their own, and another block for FOpts.
        self.server.answer(eui, pk, downlink(double, 0, f_port=9, payload=b"\1\2\3", f_opts=b"\6", confirmed=True), 1)
        said = sim.event("downlink")
        self.assertEqual((said["f_cnt"], said["f_port"], said["payload"], said["f_opts"]), (0, 9, "010203", "06"))
        sim.event("done")
        double.conf_down = 0
        sim.tell(cmd="uplink", device=0, f_port=3, payload="dd")
        eui, pk = self.expect_uplink(double, f_port=3, payload=b"\xdd", ack=True, f_opts=b"\6\xff\x09")
        self.server.answer(eui, pk, downlink(double, 1), 1)
        sim.event("done")
        # An ACK is of one uplink: the code says which.
        sim.tell(cmd="uplink", device=0, f_port=3, payload="bb", confirmed=True)
        eui, pk = self.expect_uplink(double, f_port=3, payload=b"\xbb", confirmed=True)
        self.server.answer(eui, pk, downlink(double, 2, ack=3), 1)
        self.assertEqual(sim.event("downlink-refused")["why"], "mic")
        eui, pk, phy = self.heard()
        self.assertEqual(phy[6], 4, "so it comes again")
        self.server.answer(eui, pk, downlink(double, 2, ack=4), 1)
        self.assertEqual(sim.event("done", 15)["acked"], True)

    def test_every_type_of_rejoin(self):
        sim, double = self.joined()
        for kind, key in ((0, double.js_enc), (1, double.js_enc), (2, double.js_enc)):
            with self.subTest(kind):
                sim.tell(cmd="rejoin", device=0, type=kind)
                eui, pk, phy = self.heard()
                self.assertEqual(phy.hex(), double.rejoin_request(kind).hex())
                accept = join_accept(double, key, 8 + kind, 0x26011BD0 + kind)
                self.assertTrue(double.accept(accept))
                self.assertEqual(self.server.answer(eui, pk, accept, 5), "")
                self.assertEqual(sim.event("join-accept", 8)["dev_addr"], "26011BD%d" % kind)
                sim.tell(cmd="uplink", device=0, f_port=3, payload="aa")
                eui, pk = self.expect_uplink(double, f_port=3, payload=b"\xaa", f_opts=REKEY_IND)
                self.server.answer(eui, pk, downlink(double, 0, f_opts=REKEY_CONF), 1)
                sim.event("done")

    def test_a_server_of_1_0_is_answered_as_by_a_device_of_1_0(self):
        sim = self.sim("--dev-eui-first", "%016X" % DEV_EUI, "--join-eui", "%016X" % JOIN_EUI, "--app-key", APP_KEY.hex(), "--nwk-key", NWK_KEY.hex())
        double = Device11(DEV_EUI, JOIN_EUI, APP_KEY, NWK_KEY, dev_nonce=1)
        sim.tell(cmd="join", device=0)
        eui, pk, phy = self.heard()
        self.assertEqual(phy, double.join_request())
        accept = join_accept(double, NWK_KEY, 7, 0x26011BDA, opt_neg=False)
        self.assertTrue(double.accept(accept) and not double.is_v11)
        self.server.answer(eui, pk, accept, 5)
        self.assertNotIn("v11", sim.event("join-accept", 8))
        sim.tell(cmd="uplink", device=0, f_port=3, payload="aa")
        self.expect_uplink(double, f_port=3, payload=b"\xaa")

    def test_a_session_by_hand_and_class_c(self):
        keys = [bytes([k]) * 16 for k in (1, 2, 3, 4)]
        double = Device11(dev_addr=0x01DA1F15, keys=keys)
        sim = self.sim("--abp", "--dev-addr-first", "01DA1F15", "--nwk-s-key", keys[0].hex(), "--s-nwk-s-int-key", keys[1].hex(), "--nwk-s-enc-key",
                       keys[2].hex(), "--app-s-key", keys[3].hex(), "--class-c-count", "1")
        sim.tell(cmd="uplink", device=0, f_port=3, payload="aa", link_check=True)
        eui, pk = self.expect_uplink(double, f_port=3, payload=b"\xaa", f_opts=RESET_IND + DEVICE_MODE_C + b"\2")
        self.server.answer(eui, pk, downlink(double, 0, f_opts=RESET_CONF + DEVICE_MODE_C), 1)
        sim.event("done")
        sim.tell(cmd="uplink", device=0, f_port=0, payload="02")
        self.expect_uplink(double, f_port=0, payload=b"\2")
        sim.event("done")
        phy = downlink(double, 0, f_port=5, payload=b"\7")
        pk = {"imme": True, "freq": 869.525, "rfch": 0, "powe": 14, "modu": "LORA", "datr": "SF12BW125", "codr": "4/5", "ipol": True, "ncrc": True}
        self.assertEqual(self.server.transmit(eui, {**pk, "size": len(phy), "data": base64.b64encode(phy).decode()}), "")
        said = sim.event("downlink")
        self.assertEqual((said["window"], said["payload"]), (3, "07"))


if __name__ == "__main__":
    unittest.main()
