"""A store that an earlier release wrote opens, and its devices go on where they were.

test/vectors/store/<release>.tar.gz is the state directory of that release after a join and a few frames; device.json beside it is
what the device knew. `GODWIT_UPDATE=1 test/net/test_upgrade.py` writes those of the release that is being made: until it is out,
a change of what is stored may replace them; afterwards it needs a new schema number and a way to read the old.
"""
import io
import json
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway import Gateway  # noqa: E402
from godwit import SOURCE, Stack, Subscriber, environment, program  # noqa: E402
from lorawan import Device  # noqa: E402

FOLDER = os.path.join(SOURCE, "test", "vectors", "store")
KEPT = ("as/data.mdb", "as/kek", "ns/data.mdb", "ns/kek", "admin.key")


def version():
    with open(os.path.join(SOURCE, "deploy", "build", "VERSION")) as f:
        return f.read().strip()


def pack(state, path):
    with tarfile.open(path, "w:gz", compresslevel=9) as tar:
        for name in KEPT:
            with open(os.path.join(state, name), "rb") as f:
                data = f.read()
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o600
            tar.addfile(info, io.BytesIO(data))


def write():
    """The state of the release that is being made."""
    device = Device(dev_eui=0x70B3D57ED0051234, join_eui=1, app_key=bytes(range(16)))
    with Stack() as stack:
        key = stack.create_application("app1")
        stack.create_otaa(device)
        gateway = Gateway(stack.address("gs.udp"))
        gateway.wait_path()
        subscriber = Subscriber(stack, key)
        gateway.uplink(device.join_request())
        device.accept(gateway.wait_emission(1).phy)
        for n in range(3):
            gateway.uplink(device.uplink(1, bytes([n])))
            subscriber.wait("/up", n + 1)
        subscriber.publish("v3/app1/devices/dev1/down/push", {"downlinks": [{"f_port": 15, "frm_payload": "vu8=", "correlation_ids": ["kept"]}]})
        subscriber.wait("/queued")
        subscriber.close()
        gateway.close()
        stack.stop()
        os.makedirs(FOLDER, exist_ok=True)
        pack(stack.state, os.path.join(FOLDER, version() + ".tar.gz"))
    known = {k: v.hex() if isinstance(v, bytes) else v for k, v in vars(device).items()}
    with open(os.path.join(FOLDER, version() + ".json"), "w") as f:
        json.dump({"device": known, "api_key": key}, f, indent="\t")
        f.write("\n")


@unittest.skipUnless(platform.machine() in ("x86_64", "aarch64"), "the files are of a 64-bit little-endian machine")
class Upgrade(unittest.TestCase):
    def release(self, name):
        with open(os.path.join(FOLDER, name + ".json")) as f:
            known = json.load(f)
        device = Device()
        for k, v in known["device"].items():
            setattr(device, k, bytes.fromhex(v) if isinstance(v, str) else v)
        state = tempfile.mkdtemp(prefix="godwit-upgrade-")
        with tarfile.open(os.path.join(FOLDER, name + ".tar.gz")) as tar:
            for member in tar.getmembers():
                self.assertIn(member.name, KEPT)
                os.makedirs(os.path.join(state, os.path.dirname(member.name)), exist_ok=True)
                path = os.path.join(state, member.name)
                with open(path, "wb") as f:
                    os.chmod(path, 0o600)
                    f.write(tar.extractfile(member).read())
        return device, known["api_key"], state

    def test_devices_keys_and_queues_of_every_release_are_still_there(self):
        names = sorted(n[:-7] for n in os.listdir(FOLDER) if n.endswith(".tar.gz"))
        self.assertIn(version(), names)
        for name in names:
            with self.subTest(release=name):
                device, key, state = self.release(name)
                stack = Stack(state=state)
                stack.own_state = True
                with stack:
                    gateway = Gateway(stack.address("gs.udp"))
                    self.addCleanup(gateway.close)
                    gateway.wait_path()
                    subscriber = Subscriber(stack, key)
                    self.addCleanup(subscriber.close)
                    self.assertEqual([d["frm_payload"] for d in stack.cli("end-devices", "downlink", "list", "app1", "dev1")], ["vu8="])
                    gateway.uplink(device.uplink(1, b"\x2a"))
                    self.assertEqual(subscriber.wait("/up")["uplink_message"]["frm_payload"], "Kg==")
                    self.assertEqual(device.downlink(gateway.wait_emission(1).phy).payload, b"\xbe\xef")
                    self.assertIn("kept", subscriber.wait("/sent")["correlation_ids"])

    def test_a_store_of_another_kind_is_refused_in_one_line(self):
        with tempfile.TemporaryDirectory(prefix="godwit-upgrade-") as state:
            os.mkdir(os.path.join(state, "ns"))
            with open(os.path.join(state, "ns", "data.mdb"), "wb") as f:
                f.write(bytes(65536))
            r = subprocess.run([program("godwit-ns"), "--state-dir", state], env=environment(), capture_output=True, text=True, timeout=10)
            self.assertEqual(r.returncode, 1)
            self.assertEqual(len(r.stderr.strip().splitlines()), 1, r.stderr)
            self.assertIn("cannot open the store: it is damaged, or was written on another kind of processor", r.stderr)


if __name__ == "__main__":
    if os.environ.get("GODWIT_UPDATE"):
        write()
    else:
        unittest.main()
