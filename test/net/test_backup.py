"""godwit backup and restore: a copy made while everything runs, put back later, and no counter that was used is used again."""
import os
import shutil
import stat
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway import Gateway  # noqa: E402
from godwit import CommandError, Stack, Subscriber  # noqa: E402
from lorawan import Device  # noqa: E402

RAISE = 1024


class Backup(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="godwit-backup-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.copy = os.path.join(self.folder, "copy")
        self.stack = Stack(start=False).fix_ports().start()
        self.addCleanup(self.stack.close)
        self.addCleanup(lambda: self.disconnect())
        self.key = self.stack.create_application("app1")
        self.device = Device(dev_eui=0x70B3D57ED0050001, join_eui=1, app_key=os.urandom(16))
        self.stack.create_otaa(self.device)
        self.stack.cli("gateways", "create", "gtw1", "--gateway-eui", "AA555A0000000101", "--frequency-plan-id", "EU_863_870")
        self.connect()
        self.join()

    def connect(self):
        self.gateway = Gateway(self.stack.address("gs.udp"))
        self.gateway.wait_path()
        self.sub = Subscriber(self.stack, self.key)

    def disconnect(self):
        self.gateway.close()
        self.sub.close()

    def join(self):
        joins, emissions = self.sub.count("dev1/join"), len(self.gateway.emissions)
        self.gateway.uplink(self.device.join_request())
        self.assertTrue(self.device.accept(self.gateway.wait_emission(emissions + 1, 8).phy))
        self.gateway.uplink(self.device.uplink(1, b"joined"))
        self.sub.wait("dev1/join", joins + 1)

    def exchange(self):
        """A confirmed uplink and its answer: it costs a downlink counter."""
        ups, emissions = self.sub.count("dev1/up"), len(self.gateway.emissions)
        self.gateway.uplink(self.device.uplink(2, b"x", confirmed=True))
        self.sub.wait("dev1/up", ups + 1)
        return self.device.downlink(self.gateway.wait_emission(emissions + 1, 8).phy)

    def restore(self):
        self.disconnect()
        self.stack.stop()
        told = self.stack.cli("restore", self.copy)
        self.stack.start()
        self.connect()
        return told

    def test_no_counter_is_used_again_after_a_restore(self):
        self.exchange()
        made = self.stack.cli("backup", self.copy)
        self.assertEqual(made["backup"], self.copy)
        self.assertGreater(made["records"]["ns"], 0)
        self.assertGreater(made["records"]["as"], 0)
        for n in range(3):
            self.exchange()
        self.stack.cli("applications", "create", "later")
        told = self.restore()
        self.assertEqual([(s["dev_eui"], s["dev_addr"]) for s in told["sessions"]], [("70B3D57ED0050001", "%08X" % self.device.dev_addr)])
        self.assertGreaterEqual(told["sessions"][0]["next_f_cnt_down"], RAISE)
        self.assertEqual(told["devices_with_joins"], 1)
        last = max(self.device.f_cnt_down_seen)
        down = self.exchange()
        self.assertTrue(down.ack)
        self.assertGreater(down.f_cnt, last)
        self.assertGreaterEqual(down.f_cnt, RAISE)
        # It is that day again, and what it replaced is still there.
        self.assertEqual([a["ids"]["application_id"] for a in self.stack.cli("applications", "list")], ["app1"])
        self.assertTrue(os.path.exists(os.path.join(told["replaced_state"], "ns", "data.mdb")))
        self.assertTrue(os.path.exists(os.path.join(told["replaced_state"], "as", "data.mdb")))
        # And it holds once more, restarts between or not.
        self.disconnect()
        self.stack.stop()
        self.stack.start()
        self.connect()
        self.assertGreater(self.exchange().f_cnt, down.f_cnt)

    def test_messages_and_joins_go_on_after_a_restore(self):
        self.stack.cli("backup", self.copy)
        for n in range(3):
            self.exchange()
        self.join()
        later = self.device.join_nonce
        self.restore()
        # The device is in a session that this day does not know: it joins again, and must be given a JoinNonce that rises.
        self.join()
        self.assertGreater(self.device.join_nonce, later)
        # The application server took messages of higher numbers from this network server before; it takes these too.
        for n in range(3):
            self.exchange()

    def test_a_copy_made_under_load_is_whole(self):
        stop, errors = threading.Event(), []

        def write():
            n = 0
            while not stop.is_set():
                n += 1
                try:
                    self.stack.cli("applications", "create", "load%d" % n)
                except CommandError as e:
                    errors.append(e)
        writers = [threading.Thread(target=write)]
        for w in writers:
            w.start()
        try:
            for n in range(3):
                self.stack.cli("backup", "%s%d" % (self.copy, n))
        finally:
            stop.set()
            for w in writers:
                w.join()
        self.assertEqual(len([e for e in errors if "already" not in str(e)]), 0, errors)
        for n in range(3):
            with Stack(start=False) as other:
                told = other.cli("restore", "%s%d" % (self.copy, n))
                self.assertNotIn("replaced_state", told)
                self.assertEqual(len(told["sessions"]), 1)
                other.start()
                self.assertIn("app1", [a["ids"]["application_id"] for a in other.cli("applications", "list")])
                self.assertIn("dev1", [d["ids"]["device_id"] for d in other.cli("end-devices", "list", "app1")])

    def test_a_copy_is_the_owners_alone_and_complete(self):
        self.stack.cli("backup", self.copy)
        found = sorted(os.path.relpath(os.path.join(d, f), self.copy) for d, _, files in os.walk(self.copy) for f in files)
        self.assertEqual(found, ["admin.key", "as/data.mdb", "as/kek", "ns/data.mdb", "ns/kek"])
        for d, _, files in os.walk(self.copy):
            for path in [d] + [os.path.join(d, f) for f in files]:
                self.assertEqual(stat.S_IMODE(os.stat(path).st_mode) & 0o077, 0, path)

    def test_what_is_refused_changes_nothing(self):
        self.stack.cli("backup", self.copy)
        before = os.stat(os.path.join(self.copy, "ns", "data.mdb"))
        for args, word in ((("backup", self.copy), "is there already"), (("restore", self.copy), "stop it first"),
                           (("restore", self.folder), "no backup here"), (("backup", "/nonexistent/x"), "cannot be made")):
            with self.assertRaises(CommandError) as e:
                self.stack.cli(*args)
            self.assertEqual(e.exception.status, 1)
            self.assertIn(word, e.exception.stderr)
            self.assertEqual(len(e.exception.stderr.splitlines()), 1, e.exception.stderr)
        self.assertEqual(os.stat(os.path.join(self.copy, "ns", "data.mdb")).st_mtime_ns, before.st_mtime_ns)
        self.exchange()
        # A copy that is damaged is found out before anything is replaced.
        self.disconnect()
        self.stack.stop()
        with open(os.path.join(self.copy, "as", "kek"), "w") as f:
            f.write("00" * 16 + "\n")
        with self.assertRaises(CommandError) as e:
            self.stack.cli("restore", self.copy)
        self.assertIn("as it was", e.exception.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.stack.state, ".restore")))
        self.stack.start()
        self.connect()
        self.exchange()


if __name__ == "__main__":
    unittest.main()
