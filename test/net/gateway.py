"""A packet forwarder on two UDP sockets, writing JSON as sx1302_hal does, with a concentrator counter of its own."""
import base64
import json
import os
import select
import socket
import struct
import threading
import time


class Emission:
    """One PULL_RESP: the frame, when it is due by the concentrator's counter, and how long before that it came."""

    def __init__(self, txpk, token, lead_us):
        self.txpk, self.token, self.lead_us = txpk, token, lead_us
        self.phy = base64.b64decode(txpk["data"])
        self.tmst = txpk.get("tmst")
        self.freq_hz = round(txpk["freq"] * 1e6)
        self.datr = txpk["datr"]

    def __repr__(self):
        return "Emission(%r, lead %d us)" % (self.txpk, self.lead_us)


class Gateway:
    """answer(emission) says what a PULL_RESP gets: "" an empty TX_ACK, None no answer at all, else the JSON body."""

    def __init__(self, address, eui=0xAA555A0000000101, keepalive=5.0, answer=lambda emission: "", version=2, tmst0=None):
        self.eui, self.version, self.answer = eui, version, answer
        self.server = address
        self.pull = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.push = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for s in (self.pull, self.push):
            s.bind(("127.0.0.1", 0))
            s.connect(address)
        self.base_us = time.monotonic_ns() // 1000 - (int.from_bytes(os.urandom(3), "big") if tmst0 is None else tmst0)
        self.emissions, self.acks = [], []
        self.changed = threading.Condition()
        self.stopped = False
        self.token = 0
        self.keepalive = keepalive
        self.threads = [threading.Thread(target=self._receive, daemon=True), threading.Thread(target=self._keep_alive, daemon=True)]
        for t in self.threads:
            t.start()

    def close(self):
        if self.stopped:
            return
        self.stopped = True
        for t in self.threads:
            t.join(2)
        self.pull.close()
        self.push.close()

    def counter(self):
        """The concentrator's counter now [us, wraps]."""
        return (time.monotonic_ns() // 1000 - self.base_us) & 0xffffffff

    def _header(self, kind):
        self.token = (self.token + 1) & 0xffff
        return struct.pack(">BHBQ", self.version, self.token, kind, self.eui)

    @staticmethod
    def _send(s, datagram):
        """UDP: nobody at the other end is no error, though the kernel tells of the datagram before."""
        try:
            s.send(datagram)
        except ConnectionRefusedError:
            try:
                s.send(datagram)
            except ConnectionRefusedError:
                pass

    def _keep_alive(self):
        while not self.stopped:
            self._send(self.pull, self._header(2))
            end = time.monotonic() + self.keepalive
            while not self.stopped and time.monotonic() < end:
                time.sleep(0.05)

    def _receive(self):
        while not self.stopped:
            for s in select.select([self.pull, self.push], [], [], 0.1)[0]:
                try:
                    data = s.recv(65536)
                except OSError:
                    continue
                with self.changed:
                    self._take(data)
                    self.changed.notify_all()

    def _take(self, data):
        version, token, kind = struct.unpack(">BHB", data[:4])
        if kind in (1, 4):
            self.acks.append((kind, token))
            return
        if kind != 3:
            raise AssertionError("the server sent a datagram of type %d" % kind)
        txpk = json.loads(data[4:])["txpk"]
        lead = 0
        if "tmst" in txpk:
            lead = (txpk["tmst"] - self.counter() + (1 << 31)) % (1 << 32) - (1 << 31)
        emission = Emission(txpk, token, lead)
        body = self.answer(emission)
        emission.answered = body
        self.emissions.append(emission)
        if body is not None:
            self._send(self.pull, struct.pack(">BHBQ", self.version, token, 5, self.eui) + body.encode())

    def rxpk(self, phy, freq=868.1, datr="SF7BW125", rssi=-57, snr=9.2, tmst=None, chan=0, **more):
        """One rxpk object with the members of an sx1302 forwarder."""
        head = {"jver": 1, "tmst": self.counter() if tmst is None else tmst}
        rest = {"chan": chan, "rfch": 1, "freq": freq, "mid": 8, "stat": 1, "modu": "LORA", "datr": datr, "codr": "4/5", "rssis": rssi - 1,
                "lsnr": snr, "foff": -137, "rssi": rssi, "size": len(phy), "data": base64.b64encode(phy).decode()}
        return {**head, **rest, **more}

    def send_json(self, body):
        self._send(self.push, self._header(0) + (body if isinstance(body, bytes) else body.encode()))

    def uplink(self, phy, **how):
        """Send one frame; returns its tmst."""
        pk = self.rxpk(phy, **how)
        self.send_json(json.dumps({"rxpk": [pk]}, separators=(",", ":")))
        return pk["tmst"]

    def stat(self, **more):
        self.send_json(json.dumps({"stat": {"time": time.strftime("%Y-%m-%d %H:%M:%S GMT", time.gmtime()), "rxnb": 2, "rxok": 2, "rxfw": 2,
                                            "ackr": 100.0, "dwnb": 0, "txnb": 0, "temp": 23.4, **more}}, separators=(",", ":")))

    def wait(self, condition, timeout=10.0):
        """Until condition() is true; its value, or AssertionError."""
        end = time.monotonic() + timeout
        with self.changed:
            while True:
                value = condition()
                if value:
                    return value
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError("nothing of the kind within %.1f s; emissions so far: %r" % (timeout, self.emissions))
                self.changed.wait(left)

    def wait_emission(self, n=1, timeout=10.0):
        """The n-th PULL_RESP since the start, counted from 1."""
        return self.wait(lambda: self.emissions[n - 1] if len(self.emissions) >= n else None, timeout)

    def wait_path(self):
        """Until the server has acknowledged a PULL_DATA: from then on downlinks find the way."""
        self.wait(lambda: [a for a in self.acks if a[0] == 4], 10)
