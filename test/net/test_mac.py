"""MAC commands between real processes and a device that does what it is asked: it must be reached wherever it listens."""
import os
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from stories import Stories, after, strict  # noqa: E402

DOWN = {0x03: 4, 0x04: 1, 0x05: 4, 0x06: 0, 0x07: 5, 0x08: 1, 0x09: 1, 0x0a: 4, 0x0d: 5, 0x02: 2, 0x10: 0}


class Obedient:
    """Beside a Device: what its MAC was told, and what it has to answer."""

    def __init__(self, device):
        self.device, self.delay, self.rx2_hz, self.rx2_dr, self.offset = device, 1, 869525000, 0, 0
        self.channels, self.mask, self.asked = {0: 868100000, 1: 868300000, 2: 868500000}, 7, []
        self.answers, self.sticky = b"", b""
        self.dr = 5

    def opts(self):
        out = self.sticky + self.answers
        self.answers = b""
        assert len(out) <= 15, out.hex()
        return out

    def hear(self, phy):
        down = self.device.downlink(phy)
        self.sticky = b""
        commands = down.payload if down.f_port == 0 else down.f_opts
        self.asked = []
        while commands:
            n = DOWN[commands[0]]
            self.take(commands[0], commands[1:1 + n])
            commands = commands[1 + n:]
        return down

    def take(self, cid, arg):
        self.asked.append(cid)
        if cid == 0x08:
            self.delay = arg[0] & 15 or 1
            self.sticky += b"\x08"
        elif cid == 0x05:
            self.offset, self.rx2_dr = arg[0] >> 4, arg[0] & 15
            self.rx2_hz = int.from_bytes(arg[1:4], "little") * 100
            self.sticky += b"\x05\x07"
        elif cid == 0x07:
            self.channels[arg[0]] = int.from_bytes(arg[1:4], "little") * 100
            self.mask |= 1 << arg[0]
            self.answers += b"\x07\x03"
        elif cid == 0x03:
            self.dr, self.mask = arg[0] >> 4, struct.unpack("<H", arg[1:3])[0]
            self.answers += b"\x03\x07"
        elif cid == 0x04:
            self.answers += b"\x04"
        elif cid == 0x06:
            self.answers += b"\x06\xc8\x0a"


class Mac(Stories):
    def obey(self, s, g, m, n, hz=868100000, **how):
        """One uplink with the answers that are due, and the n-th emission."""
        tmst = g.uplink(m.device.uplink(1, b"x", f_opts=m.opts(), **how), freq=hz / 1e6)
        e = g.wait_emission(n, 8)
        return e, after(e, tmst), m.hear(e.phy)

    def story_rx1_delay_and_rx2_move_with_the_device(self, s):
        g, d = s.gateway(), s.abp("--mac-settings.desired-rx1-delay", "RX_DELAY_2", "--mac-settings.desired-rx2-data-rate-index", "3",
                                  "--mac-settings.desired-rx2-frequency", "868525000")
        m = Obedient(d)
        e, late, _ = self.obey(s, g, m, 1, confirmed=True)
        self.assertEqual((late, sorted(m.asked)), (1000000, [5, 8]))
        time.sleep(1.2)
        e, late, down = self.obey(s, g, m, 2, confirmed=True)
        self.assertEqual((late, down.ack, m.asked), (2000000, True, []))
        time.sleep(1.2)
        g.answer = lambda e: '{"txpk_ack":{"error":"COLLISION_PACKET"}}' if e.freq_hz == 868100000 else strict(e)
        e, late, _ = self.obey(s, g, m, 4, confirmed=True)
        self.assertEqual((late, e.freq_hz, e.datr), (3000000, 868525000, "SF9BW125"))
        state = self.state(s, d)
        current = state["current_parameters"]
        self.assertEqual((current["rx1_delay"], current["rx2_data_rate_index"], current["rx2_frequency"]),
                         ("RX_DELAY_2", "DATA_RATE_3", "868525000"))
        self.assertNotIn("pending_requests", state)

    def story_channels_that_a_device_lacks_are_added_and_used(self, s):
        g, d = s.gateway(), s.abp("--mac-settings.factory-preset-frequencies", "868100000,868300000,868500000")
        m = Obedient(d)
        e, late, down = self.obey(s, g, m, 1)
        self.assertEqual((down.f_port, m.asked), (0, [7] * 5))
        self.assertEqual(m.channels[7], 867900000)
        self.assertEqual(self.state(s, d)["pending_requests"], ["NewChannelReq"] * 5)
        time.sleep(1.2)
        e, late, down = self.obey(s, g, m, 2, hz=m.channels[7], confirmed=True)
        self.assertEqual((e.freq_hz, down.ack, m.asked), (867900000, True, []))
        channels = self.state(s, d)["current_parameters"]["channels"]
        self.assertEqual([c["uplink_frequency"] for c in channels], [str(m.channels[i]) for i in range(8)])

    def story_the_operators_data_rate_is_taken_over(self, s):
        g, d = s.gateway(), s.abp("--mac-settings.adr.static.data-rate-index", "DATA_RATE_3", "--mac-settings.adr.static.tx-power-index", "2",
                                  "--mac-settings.adr.static.nb-trans", "1")
        m = Obedient(d)
        e, late, down = self.obey(s, g, m, 1, adr=True)
        self.assertEqual((m.asked, m.dr, m.mask, down.adr), ([3], 3, 0xff, True))
        time.sleep(1.2)
        g.uplink(d.uplink(1, b"x", adr=True, f_opts=m.opts()), datr="SF9BW125")
        s.wait(d, "up", 2)
        time.sleep(2.5)
        self.assertEqual(len(g.emissions), 1, "nothing is asked twice")
        current = self.state(s, d)["current_parameters"]
        self.assertEqual((current["adr_data_rate_index"], current["adr_tx_power_index"]), ("DATA_RATE_3", 2))

    def story_settings_are_shown_as_they_were_understood(self, s):
        d = s.abp("--mac-settings.desired-rx1-delay", "3", "--mac-settings.adr.disabled")
        shown = s.stack.cli("end-devices", "get", "app1", d.id)["mac_settings"]
        self.assertEqual(shown, {"desired_rx1_delay": "RX_DELAY_3", "adr": {"disabled": {}}})

    def state(self, s, d):
        return s.stack.cli("end-devices", "get", "app1", d.id, "--mac-state")["mac_state"]


if __name__ == "__main__":
    unittest.main()
