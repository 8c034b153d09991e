"""Fleets that move: what The Things Stack exports goes on here without a join, and what is exported here can be brought back."""
import json
import os
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from godwit import CommandError, environment, program  # noqa: E402
from lorawan import Device, Device11  # noqa: E402
from stories import Stories, after  # noqa: E402

CHANNELS = (868100000, 868300000, 868500000, 865100000)


def key(octets):
    return {"key": octets.hex().upper()}


def parameters(delay, channels=CHANNELS):
    """As The Things Stack writes them: what is 0 is left out, frequencies are texts."""
    return {"max_eirp": 16.15, "adr_data_rate_index": "DATA_RATE_5", "adr_nb_trans": 1, "rx1_delay": "RX_DELAY_%d" % delay,
            "rx2_data_rate_index": "DATA_RATE_3", "rx2_frequency": "869525000",
            "channels": [{"uplink_frequency": str(hz), "downlink_frequency": str(hz), "max_data_rate_index": "DATA_RATE_5",
                          "enable_uplink": True} for hz in channels]}


def exported(d, version="MAC_V1_0_3", phy="PHY_V1_0_3_REV_A", delay=5, keys=None, last_up=70000, **more):
    """An end device as `ttn-lw-cli end-devices list` prints it."""
    keys = keys or {"f_nwk_s_int_key": key(d.nwk_s_key), "app_s_key": key(d.app_s_key)}
    current = parameters(delay)
    return {
        "ids": {"device_id": d.id, "application_ids": {"application_id": "their-app"}, "dev_eui": "%016X" % d.dev_eui,
                "join_eui": "%016X" % d.join_eui, "dev_addr": "%08X" % d.dev_addr},
        "created_at": "2023-05-04T11:22:33.123456789Z", "updated_at": "2024-01-01T00:00:00Z", "name": "Moved", "attributes": {"room": "12"},
        "version_ids": {"brand_id": "brand", "model_id": "model", "hardware_version": "1", "firmware_version": "2", "band_id": "EU_863_870"},
        "network_server_address": "eu1.cloud.thethings.network", "join_server_address": "eu1.cloud.thethings.network",
        "lorawan_version": version, "lorawan_phy_version": phy, "frequency_plan_id": "EU_863_870_TTN", "supports_join": True,
        "root_keys": {"root_key_id": "ttn-lw-cli-generated", "app_key": key(os.urandom(16)), "nwk_key": key(os.urandom(16))},
        "net_id": "000013", "mac_settings": {"supports_32_bit_f_cnt": True, "status_count_periodicity": 0, "their_next_setting": 1},
        "mac_state": {"current_parameters": current, "desired_parameters": current, "device_class": "CLASS_A", "lorawan_version": version,
                      "recent_uplinks": [{"payload": {"m_hdr": {"m_type": "UNCONFIRMED_UP"}}, "rx_metadata": [{"rssi": -57}]}],
                      "last_adr_change_f_cnt_up": 1, "recent_mac_command_identifiers": ["CID_LINK_ADR"]},
        "session": {"dev_addr": "%08X" % d.dev_addr, "keys": {"session_key_id": "AYn0cUzyrWJPQx0MLVA5Fg==", **keys}, "last_f_cnt_up": last_up,
                    "last_n_f_cnt_down": 40, "last_conf_f_cnt_down": 3, "started_at": "2023-06-01T10:00:00.5Z"},
        "last_join_nonce": 7, "last_dev_nonce": 12, "used_dev_nonces": [3, 700, 12], "pending_session": None, **more}


def random_ids(d, s, n=1):
    d.id, d.dev_eui, d.join_eui = s.dev_id(n), int.from_bytes(os.urandom(8), "big"), int.from_bytes(os.urandom(8), "big")
    return d


class Fleet(Stories):
    def moved(self, s, n=1):
        d = Device(dev_addr=int.from_bytes(os.urandom(3), "big") | 0x26 << 24, nwk_s_key=os.urandom(16), app_s_key=os.urandom(16))
        d.f_cnt_up = 70001
        return random_ids(d, s, n)

    def take(self, s, devices, *flags, text=None):
        """Import; status, summary, and what was said."""
        p = s.stack.run("end-devices", "import", "app1", "-", *flags, stdin=text or "\n".join(json.dumps(d) for d in devices), check=False)
        return p.returncode, json.loads(p.stdout), p.stderr

    def counts(self, **n):
        return {"created": 0, "updated": 0, "present": 0, "refused": 0, "is_whole": True, "dry_run": False, **n}

    @staticmethod
    def catches_stop(pid):
        with open("/proc/%d/status" % pid) as f:
            caught = [line for line in f if line.startswith("SigCgt:")][0]
        return int(caught.split()[1], 16) >> signal.SIGINT - 1 & 1

    def story_a_moved_device_goes_on_without_a_join(self, s):
        g, d = s.gateway(), self.moved(s)
        self.assertEqual(self.take(s, [exported(d)])[:2], (0, self.counts(created=1)))
        tmst = g.uplink(d.uplink(1, b"moved", confirmed=True), freq=865.1)
        up = s.wait(d, "up")
        self.assertEqual((up["uplink_message"]["f_cnt"], up["uplink_message"]["frm_payload"]), (70001, "bW92ZWQ="))
        e = g.wait_emission(1, 15)
        down = d.downlink(e.phy)
        self.assertEqual((after(e, tmst), e.freq_hz, down.ack, down.f_cnt), (5000000, 865100000, True, 41))
        shown = s.stack.cli("end-devices", "get", "app1", d.id, "--session", "--mac-state")
        self.assertEqual((shown["name"], shown["attributes"], shown["net_id"]), ("Moved", {"room": "12"}, "000013"))
        self.assertEqual(shown["session"]["started_at"], "2023-06-01T10:00:00.500Z")

    def story_a_moved_device_without_a_join_goes_on_too(self, s):
        g, d = s.gateway(), self.moved(s)
        theirs = exported(d, delay=1)
        del theirs["supports_join"], theirs["root_keys"], theirs["last_join_nonce"], theirs["last_dev_nonce"], theirs["used_dev_nonces"]
        del theirs["session"]["last_n_f_cnt_down"]  # a zero, which may have been used
        self.assertEqual(self.take(s, [theirs])[:2], (0, self.counts(created=1)))
        tmst = g.uplink(d.uplink(1, b"x", confirmed=True), freq=865.1)
        e = g.wait_emission(1, 15)
        down = d.downlink(e.phy)
        self.assertEqual((after(e, tmst), down.ack, down.f_cnt), (1000000, True, 1))

    def story_a_moved_device_of_1_1_has_its_keys_and_both_counters(self, s):
        g, keys = s.gateway(), [os.urandom(16) for _ in range(4)]
        d = Device11(dev_addr=int.from_bytes(os.urandom(3), "big") | 0x26 << 24, keys=keys)
        d.f_cnt_up = 70001
        random_ids(d, s)
        names = ("f_nwk_s_int_key", "s_nwk_s_int_key", "nwk_s_enc_key", "app_s_key")
        theirs = exported(d, "MAC_V1_1", "PHY_V1_1_REV_B", 1, {n: key(k) for n, k in zip(names, keys)}, last_rj_count_0=2)
        theirs["session"]["last_a_f_cnt_down"] = 500
        self.assertEqual(self.take(s, [theirs])[:2], (0, self.counts(created=1)))
        tmst = g.uplink(d.uplink(1, b"x", confirmed=True))
        e = g.wait_emission(1, 15)
        down = d.downlink(e.phy)
        self.assertEqual((after(e, tmst), down.ack, down.f_cnt), (1000000, True, 41))
        s.push(d, "vu8=")
        time.sleep(1.2)
        g.uplink(d.uplink(1, b"x"))
        down = d.downlink(g.wait_emission(2, 15).phy)
        self.assertEqual((down.f_port, down.payload, down.f_cnt), (1, b"\xbe\xef", 501))

    def story_a_device_that_is_exported_and_brought_back_lives_on(self, s):
        g, d = s.gateway(), s.otaa()
        s.join(d, g)
        g.uplink(d.uplink(1, b"x"))
        s.wait(d, "up")
        lines = s.stack.run("end-devices", "export", "app1").stdout.splitlines()
        line = [one for one in lines if json.loads(one)["ids"]["device_id"] == d.id][0]
        s.stack.cli("end-devices", "delete", "app1", d.id)
        self.assertEqual(self.take(s, [], text=line)[:2], (0, self.counts(created=1)))
        n = len(g.emissions)
        tmst = g.uplink(d.uplink(1, b"y", confirmed=True))
        self.assertEqual(s.wait(d, "up", 2)["uplink_message"]["f_cnt"], 1)
        e = g.wait_emission(n + 1, 15)
        self.assertTrue(d.downlink(e.phy).ack)
        self.assertEqual(after(e, tmst), 5000000)
        self.assertTrue(all(i < d.f_cnt_down_seen[-1] for i in d.f_cnt_down_seen[:-1]))
        last, d.dev_nonce = d.join_nonce, d.dev_nonce - 1
        g.uplink(d.join_request())  # a replay of the one that it joined with
        d.dev_nonce += 1
        tmst = g.uplink(d.join_request(), freq=868.3)
        s.until(lambda: [e for e in g.emissions[n + 1:] if after(e, tmst) == 5000000], 15, "the join-accept")
        self.assertEqual([d.accept(e.phy) for e in g.emissions[n + 1:]], [True])
        self.assertGreater(d.join_nonce, last)

    def story_a_file_may_be_taken_again_and_again(self, s):
        a, b = self.moved(s, 1), self.moved(s, 2)
        file = [exported(a), exported(b)]
        self.assertEqual(self.take(s, file[:1], "--dry-run")[1], self.counts(created=1, dry_run=True))
        self.assertEqual(self.take(s, file[:1])[1], self.counts(created=1))
        self.assertEqual(self.take(s, file)[1], self.counts(created=1, present=1))
        text = '{"end_devices": [%s]}' % ",\n".join(json.dumps(d, indent=1) for d in file)
        self.assertEqual(self.take(s, [], text=text)[1], self.counts(present=2))
        file[1]["name"] = "Another"
        status, summary, said = self.take(s, file)
        self.assertEqual((status, summary), (1, self.counts(present=1, refused=1)))
        self.assertIn("line 2 %s: name: is another than that of the device" % b.id, said)
        self.assertEqual(self.take(s, file, "--update")[1], self.counts(present=1, updated=1))
        self.assertEqual(self.take(s, file)[1], self.counts(present=2))
        self.assertEqual(s.stack.cli("end-devices", "get", "app1", b.id)["name"], "Another")

    def story_what_is_refused_says_why_and_the_rest_is_taken(self, s):
        a, b, c = self.moved(s, 1), self.moved(s, 2), self.moved(s, 3)
        bad, pending = exported(b), exported(c, pending_session={"dev_addr": "260B0001"})
        bad["mac_state"]["current_parameters"]["rx2_frequency"] = "912300000"
        status, summary, said = self.take(s, [], text="\n".join(['{"ids":{"device_id":"No Id"}}', json.dumps(bad), json.dumps(exported(a)), '{"ids":}',
                                                                 json.dumps(pending)]))
        self.assertEqual((status, summary), (1, self.counts(created=2, refused=3)))
        self.assertIn("line 1 No Id: ids.device_id: must be", said)
        self.assertIn("line 2 %s: mac_state.current_parameters.rx2_frequency: is no frequency for downlinks of EU_863_870_TTN" % b.id, said)
        self.assertIn("line 4: it is no JSON", said)
        self.assertIn("note: 1 device: pending_session is left out", said)
        self.assertEqual(self.take(s, [], text="\n")[:2], (0, self.counts()))
        self.assertRaisesRegex(CommandError, "not found", s.stack.cli, "end-devices", "get", "app1", b.id)
        status, _, said = self.take(s, [], text=json.dumps(exported(a)) + "\nnonsense")
        self.assertEqual(status, 1)
        self.assertIn("line 2: here is neither a JSON object nor the end of the file", said)

    def story_a_csv_brings_devices_too(self, s):
        d = self.moved(s)
        csv = "id;dev_eui;join_eui;name;frequency_plan_id;lorawan_version;rx1_delay;app_key;dev_addr;app_s_key;f_nwk_s_int_key;last_f_cnt_up;vendor_id\n" \
              '%s;%016X;%016X;"a ""csv"";row";EU_863_870_TTN;MAC_V1_0_3;RX_DELAY_5;%s;%08X;%s;%s;70000;1\n' \
              % (d.id, d.dev_eui, d.join_eui, os.urandom(16).hex(), d.dev_addr, d.app_s_key.hex(), d.nwk_s_key.hex())
        status, summary, said = self.take(s, [], text=csv + "too;short\n")
        self.assertEqual((status, summary), (1, self.counts(created=1, refused=1)))
        self.assertIn("line 3: it has 2 fields, the header has 13", said)
        g = s.gateway()
        tmst = g.uplink(d.uplink(1, b"x", confirmed=True))
        self.assertEqual(s.wait(d, "up")["uplink_message"]["f_cnt"], 70001)
        self.assertEqual(after(g.wait_emission(1, 15), tmst), 5000000)
        lines = s.stack.run("end-devices", "export", "app1", "--format", "csv").stdout.splitlines()
        mine = dict(zip(lines[0].split(";"), [one for one in lines if one.startswith(d.id + ";")][0].split(";")))
        self.assertEqual(mine["dev_eui"], "%016X" % d.dev_eui)
        self.assertIn(';"a ""csv"";row";', "\n".join(lines))

    def story_what_the_file_does_not_say_is_said_beside_it(self, s):
        """The Things Stack's page has a CSV with its least columns; plan and versions may be missing from it too."""
        least = "dev_eui;join_eui;frequency_plan_id;lorawan_version;lorawan_phy_version;app_key\n" \
                "%s;0000000000000001;EU_863_870_TTN;MAC_V1_0_4;RP002_V1_0_3;%s\n"
        eui = os.urandom(8).hex()
        self.assertEqual(self.take(s, [], text=least % (eui.upper(), os.urandom(16).hex()))[:2], (0, self.counts(created=1)))
        shown = s.stack.cli("end-devices", "get", "app1", "eui-" + eui)
        self.assertEqual((shown["frequency_plan_id"], shown["lorawan_version"], shown["lorawan_phy_version"]),
                         ("EU_863_870_TTN", "MAC_V1_0_4", "RP002_V1_0_3"))
        eui = os.urandom(8).hex()
        bare = "dev_eui;join_eui;app_key;name\n%s;0000000000000001;%s;Bare\n" % (eui, os.urandom(16).hex())
        beside = ["--frequency-plan-id", "EU_863_870_TTN", "--lorawan-version", "1.0.2", "--lorawan-phy-version", "1.0.2-b"]
        self.assertEqual(self.take(s, [], *beside, text=bare)[:2], (0, self.counts(created=1)))
        self.assertEqual(self.take(s, [], *beside, text=bare)[:2], (0, self.counts(present=1)))
        shown = s.stack.cli("end-devices", "get", "app1", "eui-" + eui)
        self.assertEqual((shown["name"], shown["frequency_plan_id"], shown["lorawan_version"]), ("Bare", "EU_863_870_TTN", "MAC_V1_0_2"))
        status, _, said = self.take(s, [], "--frequency-plan-id", "MARS", text=bare.replace(eui, os.urandom(8).hex()))
        self.assertEqual(status, 1)
        self.assertIn("frequency_plan_id", said)

    def story_a_device_that_was_told_to_be_silent_is_named(self, s):
        """What ttn-lw-migrate has exported once, it finds silenced the next time."""
        mute = exported(self.moved(s))
        mute["mac_settings"]["schedule_downlinks"] = {"value": False}
        status, _, said = self.take(s, [mute])
        self.assertEqual(status, 0)
        self.assertIn("note: 1 device: mac_settings.schedule_downlinks is false", said)

    def story_keys_are_exported_to_those_who_may_read_them(self, s):
        k = s.stack.create_key("app1", "--right-application-devices-read")
        status, summary, said = self.take(s, [exported(self.moved(s))] * 3, "--api-key", k)
        self.assertEqual((status, summary), (1, self.counts(is_whole=False)))
        self.assertIn("error: the API key lacks RIGHT_APPLICATION_DEVICES_WRITE", said)
        p = s.stack.run("end-devices", "export", "app1", "--api-key", k, check=False)
        self.assertEqual((p.returncode, p.stdout), (1, ""))
        self.assertIn("lacks RIGHT_APPLICATION_DEVICES_READ_KEYS", p.stderr)

    def story_an_import_that_is_interrupted_goes_on_the_next_time(self, s):
        devices = [exported(self.moved(s, n)) for n in range(1, 5)]
        p = subprocess.Popen([program("godwit"), "--state-dir", s.stack.state, "end-devices", "import", "app1", "-"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), text=True)
        p.stdin.write("".join(json.dumps(d) + "\n" for d in devices[:2]))
        p.stdin.flush()
        s.until(lambda: self.catches_stop(p.pid), 15, "the import's beginning")
        p.send_signal(signal.SIGINT)
        out, said = p.communicate(timeout=30)
        taken = json.loads(out)
        self.assertEqual((p.returncode, taken["is_whole"], taken["refused"]), (1, False, 0))
        self.assertIn("interrupted", said)
        self.assertEqual(self.take(s, devices)[1], self.counts(created=4 - taken["created"], present=taken["created"]))


if __name__ == "__main__":
    unittest.main()
