"""godwit-ns between the real gateway server and an application server made here: a device, a disk, kill -9, SIGTERM."""
import os
import queue
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import msgpack

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway import Gateway  # noqa: E402
from godwit import environment, program  # noqa: E402
from lorawan import Device, aes_decrypt, aes_encrypt, cmac, crypt_payload  # noqa: E402

STORE = bytes(range(16))


class FakeAs:
    """Connects as the application server does: greets, brings the registry into step, answers, keeps what it hears."""

    def __init__(self, path, devices, dev_keys=None):
        self.devices, self.queue, self.root = devices, [], dev_keys or {}
        self.heard, self.ups, self.seen = queue.Queue(), [], set()
        self.n = 0
        self.answers = {}
        self.changed = threading.Condition()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        end = time.monotonic() + 10
        while True:
            try:
                self.socket.connect(path)
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        self.lock = threading.Lock()
        threading.Thread(target=self._serve, daemon=True).start()
        self.call("Bus/Hello", {1: 1, 2: "as", 3: "test", 4: os.urandom(16)})
        self.state = self.call("AsNs/SyncState", {})
        self.sync()
        self.call("AsNs/DownlinkQueued", {1: True, 2: []})

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()

    def _send(self, m):
        with self.lock:
            self.socket.sendall(msgpack.packb(m, use_bin_type=True))

    def call(self, method, params, timeout=10):
        with self.changed:
            self.n += 1
            n = self.n
        self._send([0, n, method, [params]])
        end = time.monotonic() + timeout
        with self.changed:
            while n not in self.answers:
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError("no answer to %s" % method)
                self.changed.wait(left)
            error, result = self.answers.pop(n)
        if error:
            raise AssertionError("%s was refused: %r" % (method, error))
        return result

    def sync(self):
        entries = [{1: i + 1, 2: uid, 5: fields} for i, (uid, fields) in enumerate(self.devices.items())]
        self.call("AsNs/Sync", {1: STORE, 2: True, 3: True, 4: len(entries), 5: entries})

    def push(self, device, port, payload, confirmed=False, more=False):
        self.queue.append((device, port, payload, confirmed, os.urandom(16)))
        self.call("AsNs/DownlinkQueued", {2: [{1: device, 2: len(self.queue)}]})

    def _serve(self):
        unpacker = msgpack.Unpacker(raw=False, strict_map_key=False)
        while True:
            try:
                data = self.socket.recv(1 << 16)
            except OSError:
                return
            if not data:
                return
            unpacker.feed(data)
            for m in unpacker:
                if m[0] == 1:
                    with self.changed:
                        self.answers[m[1]] = (m[2], m[3])
                        self.changed.notify_all()
                    continue
                method, params = (m[2], m[3][0]) if m[0] == 0 else (m[1], m[2][0])
                result = self._take(method, params)
                if m[0] == 0:
                    self._send([1, m[1], None, result])

    def _take(self, method, p):
        if method == "NsAs/PullDownlink":
            return self._pull(p)
        if method == "NsJs/HandleJoin":
            return self._join(p)
        with self.changed:
            if method == "NsAs/HandleUplink":
                if p[1] not in self.seen:
                    self.ups.append(p)
                self.seen.add(p[1])
            else:
                self.heard.put((method, p))
            self.changed.notify_all()
        return {}

    def _pull(self, p):
        items = [i for i in self.queue if i[0] == p[1]]
        if not items:
            return {}
        self.queue.remove(items[0])
        device, port, payload, confirmed, item = items[0]
        frm = crypt_payload(self.root[device], 1, p[4], p[5], payload)
        return {1: item, 2: port, 3: frm, 4: confirmed, 6: len(items) > 1, 7: [{1: 9, 2: item}]}

    def _join(self, p):
        """What a join server does, in the specification's words."""
        key, nonce = self.root[p[2]], b"\1\0\0"
        body = nonce + struct.pack("<I", p[5])[:3] + struct.pack("<IBB", p[4], p[6], p[7]) + p.get(8, b"")
        sealed = aes_decrypt(key, body + cmac(key, b"\x20" + body)[:4])
        tail = nonce + struct.pack("<I", p[5])[:3] + p[3][17:19] + bytes(7)
        nwk = aes_encrypt(key, b"\1" + tail)
        return {1: b"\x20" + sealed, 2: os.urandom(16), 3: nwk, 4: nwk, 5: nwk, 6: p[4]}

    def wait_ups(self, n, field=5, timeout=10):
        """The n-th outbox message that has this field."""
        end = time.monotonic() + timeout
        with self.changed:
            while True:
                found = [u for u in self.ups if field in u]
                if len(found) >= n:
                    return found[n - 1]
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError("only %d messages with field %d within %.1f s" % (len(found), field, timeout))
                self.changed.wait(left)


class Ns(unittest.TestCase):
    def setUp(self):
        self.state = tempfile.mkdtemp(prefix="godwit-ns-test-")
        self.addCleanup(shutil.rmtree, self.state, True)
        self.log = open(os.path.join(self.state, "log"), "ab")
        self.addCleanup(self.log.close)
        self.path = os.path.join(self.state, "ns.sock")
        self.device = Device(dev_addr=0x01DA1F15, nwk_s_key=os.urandom(16), app_s_key=os.urandom(16))
        self.devices = {1: self.abp_entry(self.device)}
        self.processes = {}
        self.addCleanup(self.end_all)
        self.start("ns")
        self.start("gs", "--gs.udp-listen=127.0.0.1:0", "--gs.default-frequency-plan=EU_863_870")
        self.as_ = FakeAs(self.path, self.devices, {1: self.device.app_s_key})
        self.addCleanup(lambda: self.as_.close())
        import json
        end = time.monotonic() + 10
        while True:
            try:
                with open(os.path.join(self.state, "addresses.json")) as f:
                    host, port = json.load(f)["gs.udp"].rsplit(":", 1)
                    break
            except (OSError, KeyError, ValueError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        self.gateway = Gateway((host, int(port)))
        self.addCleanup(self.gateway.close)
        self.gateway.wait_path()

    def abp_entry(self, d, generation=1):
        return {1: "app1", 2: "dev1", 5: 4, 6: 5, 7: "EU_863_870", 8: False,
                11: {1: d.dev_addr, 2: d.nwk_s_key, 3: d.nwk_s_key, 4: d.nwk_s_key, 5: bytes(16), 8: generation}}

    def start(self, name, *flags):
        self.processes[name] = subprocess.Popen([program("godwit-" + name), "--state-dir", self.state, "--log.level=debug"] + list(flags),
                                                stderr=self.log, env=environment())

    def end(self, name, how=signal.SIGTERM):
        p = self.processes.pop(name)
        p.send_signal(how)
        return p.wait(10)

    def end_all(self):
        for name in list(self.processes):
            status = self.end(name)
            with open(os.path.join(self.state, "log"), errors="replace") as f:
                self.assertEqual(status, 0, "%s ended with %d:\n%s" % (name, status, f.read()[-3000:]))

    def restart_ns(self, how):
        self.end("ns", how)
        self.as_.close()
        old = self.as_
        self.start("ns")
        self.as_ = FakeAs(self.path, self.devices, old.root)
        self.as_.ups, self.as_.seen, self.as_.queue = old.ups, old.seen, old.queue
        return self.as_

    def test_a_confirmed_uplink_goes_up_and_its_ack_comes_down(self):
        tmst = self.gateway.uplink(self.device.uplink(2, b"x", confirmed=True))
        up = self.as_.wait_ups(1)
        self.assertEqual([c[1] for c in up[4]], [1, 2, 3, 4, 5])
        self.assertEqual((up[3], up[5][2], up[5][3], up[5][10]), (1, 0x01DA1F15, 0, 5))
        emission = self.gateway.wait_emission(1, 3)
        self.assertEqual((emission.tmst - tmst) % 2**32, 1000000)
        self.assertTrue(self.device.downlink(emission.phy).ack)
        self.assertGreater(emission.lead_us, 42500)

    def test_a_device_joins(self):
        otaa = Device(dev_eui=0x70B3D57ED0050001, join_eui=1, app_key=os.urandom(16))
        self.devices[2] = {1: "app1", 2: "dev2", 3: otaa.dev_eui, 4: 1, 5: 4, 6: 5, 7: "EU_863_870", 8: True}
        self.as_.root[2] = otaa.app_key
        self.as_.sync()
        tmst = self.gateway.uplink(otaa.join_request())
        emission = self.gateway.wait_emission(1, 7)
        self.assertEqual((emission.tmst - tmst) % 2**32, 5000000)
        self.assertTrue(otaa.accept(emission.phy))
        self.assertEqual(otaa.rx_delay, 5)
        self.assertEqual(self.as_.wait_ups(1, 6)[6][2], otaa.dev_addr)
        self.gateway.uplink(otaa.uplink(1, b"y"))
        self.assertEqual(self.as_.wait_ups(1)[5][2], otaa.dev_addr)

    def test_an_item_comes_down_and_is_reported_sent(self):
        self.as_.push(1, 15, b"\1\2\3", confirmed=True)
        self.gateway.uplink(self.device.uplink(2, b"x"))
        down = self.device.downlink(self.gateway.wait_emission(1, 3).phy)
        self.assertEqual((down.f_port, down.payload, down.confirmed), (15, b"\1\2\3", True))
        outcome = self.as_.wait_ups(1, 7)
        self.assertEqual(outcome[7][2], 1)
        self.assertEqual([c[1] for c in outcome[4]], [1, 2, 3, 4, 5, 9, 10, 11, 12, 13])
        time.sleep(1.2)
        self.gateway.uplink(self.device.uplink(2, b"x", ack=True))
        self.assertEqual(self.as_.wait_ups(2, 7)[7][2], 3)

    def exchange(self):
        n = len(self.gateway.emissions)
        self.gateway.uplink(self.device.uplink(2, b"x", confirmed=True))
        return self.device.downlink(self.gateway.wait_emission(n + 1, 4).phy)

    def test_counters_go_only_forward_over_kill_and_stop(self):
        for how in (signal.SIGKILL, signal.SIGTERM):
            self.exchange()
            self.restart_ns(how)
            end = time.monotonic() + 15
            while True:  # the gateway server connects again with back-off; a device that is not answered sends again
                try:
                    self.exchange()
                    break
                except AssertionError:
                    if time.monotonic() > end:
                        raise
        seen = self.device.f_cnt_down_seen
        self.assertEqual(seen, sorted(set(seen)))

    def test_every_frame_heard_around_a_kill_arrives(self):
        """Frames whose window is open, or whose batch is not on disk, are the gateway server's still."""
        for n in range(6):
            self.gateway.uplink(self.device.uplink(2, bytes([n])))
            time.sleep(0.11)
        self.restart_ns(signal.SIGKILL)
        self.as_.wait_ups(6, 5, 15)
        self.assertEqual(sorted(u[5][3] for u in self.as_.ups if 5 in u), list(range(6)))


if __name__ == "__main__":
    unittest.main()
