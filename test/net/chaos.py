"""What a run of chaos is made of: devices that live on, an application that never forgets, and a saboteur."""
import base64
import json
import os
import random
import signal
import threading
import time

import paho.mqtt.client as paho
from lorawan import Device, aes_encrypt, crypt_payload, data_mic

PROCESSES = ("gs", "ns", "as")


class Sabotage:
    """Times at which a process was not itself, as seen from outside."""

    def __init__(self, stack, rng):
        self.stack, self.rng = stack, rng
        self.spans = []  # (process, kind, begin, end); end None while it lasts
        self.lock = threading.Lock()

    def _pid(self, name):
        try:
            return self.stack.pid(name)
        except (OSError, ValueError):
            return None

    def _signal(self, pid, number):
        try:
            os.kill(pid, number)
            return True
        except ProcessLookupError:
            return False

    def _begin(self, name, kind):
        span = [name, kind, time.monotonic(), None]
        with self.lock:
            self.spans.append(span)
        return span

    def kill(self, names):
        """kill -9, and wait until `godwit up` has others in their places."""
        old = {n: self._pid(n) for n in names}
        spans = [self._begin(n, "kill") for n in names]
        for n in names:
            if old[n]:
                self._signal(old[n], signal.SIGKILL)
        end = time.monotonic() + 45
        for span in spans:
            while time.monotonic() < end and self._pid(span[0]) in (None, old[span[0]]):
                time.sleep(0.05)
            if self._pid(span[0]) in (None, old[span[0]]):
                raise AssertionError("%s was not started again" % span[0])
        self._calm(spans, 1.5)

    def freeze(self, names, seconds):
        spans = [self._begin(n, "stop") for n in names]
        pids = [p for p in (self._pid(n) for n in names) if p]
        for p in pids:
            self._signal(p, signal.SIGSTOP)
        time.sleep(seconds)
        for p in pids:
            self._signal(p, signal.SIGCONT)
        self._calm(spans, 0.5)

    def power_cut(self):
        """kill -9 of everything, `godwit up` included."""
        spans = [self._begin(n, "kill") for n in PROCESSES]
        self.stack.kill()
        self.stack.start()
        self._calm(spans, 1.5)

    def _calm(self, spans, later):
        for s in spans:
            s[3] = time.monotonic() + later

    def kills(self, names, begin, end):
        """How many kills of these processes lie in a span of time."""
        with self.lock:
            return sum(1 for n, kind, b, _ in self.spans if n in names and kind == "kill" and begin <= b <= end)

    def was_taken(self, begin, seconds=3.0):
        """Did gs and ns have some quiet seconds after `begin`, before the next kill of the gs?"""
        with self.lock:
            spans = [(n, kind, b, e if e is not None else float("inf")) for n, kind, b, e in self.spans if n in ("gs", "ns")]
        deaths = [b for n, kind, b, e in spans if n == "gs" and kind == "kill" and e > begin]
        limit = min(deaths, default=time.monotonic())
        at = begin
        for _, _, b, e in sorted(spans, key=lambda s: s[2]):
            if e <= at or b >= limit:
                continue
            if b - at >= seconds:
                return True
            at = max(at, e)
        return limit - at >= seconds

    def story(self):
        with self.lock:
            first = self.spans[0][2] if self.spans else 0
            return " ".join("%.1f:%s-%s" % (b - first, kind, n) for n, kind, b, _ in self.spans)


class Session:
    def __init__(self, device):
        self.dev_addr, self.nwk_s_key, self.app_s_key = device.dev_addr, device.nwk_s_key, device.app_s_key

    def read(self, phy):
        """(counter of 16 bits, port, plaintext, ack, confirmed) of a downlink of this session; None: of another one."""
        if len(phy) < 12 or phy[0] >> 5 not in (3, 5) or int.from_bytes(phy[1:5], "little") != self.dev_addr:
            return None
        cnt, opts_end = int.from_bytes(phy[6:8], "little"), 8 + (phy[5] & 15)
        if data_mic(self.nwk_s_key, 1, self.dev_addr, cnt, phy[:-4]) != phy[-4:]:
            return None
        rest = phy[opts_end:-4]
        plain = crypt_payload(self.app_s_key, 1, self.dev_addr, cnt, rest[1:]) if rest else b""
        return cnt, rest[0] if rest else None, plain, bool(phy[5] & 0x20), phy[0] >> 5 == 5


class Node(threading.Thread):
    """A device's life: an uplink, its windows, a pause; a confirmed one that is not acknowledged is sent again."""

    def __init__(self, number, gateway, rng, device):
        super().__init__(daemon=True)
        self.number, self.gateway, self.rng, self.device = number, gateway, rng, device
        self.name = "dev%d" % number
        self.is_otaa = device.dev_eui is not None
        self.sessions = [] if self.is_otaa else [Session(device)]
        self.nonces = {}    # DevNonce -> JoinNonce
        self.sent = {}      # token -> first time of sending
        self.acked = {}     # token -> time of its ACK
        self.must_ack = False
        self.count = 0
        self.joins_wanted = 1 if self.is_otaa else 0
        self.running, self.failure = True, None
        self.rejoin_at = None
        self.last_ack = 0.0
        self.sent_event = None  # called with each uplink
        self.mutex = threading.Lock()

    def run(self):
        try:
            while self.running:
                self.step()
        except Exception as e:  # the test reads it
            self.failure = e
            raise

    def step(self):
        if self.joins_wanted:
            self._join()
            return
        self.exchange(self.rng.random() < 0.5)
        time.sleep(self.rng.uniform(0.1, 0.8))

    def _window(self, tmst, delays, until):
        """The first accepted emission due at tmst plus one of the delays [s]; waits until its moment has passed."""
        for delay in delays:
            due = (tmst + delay * 1000000) & 0xffffffff
            left = until(delay) - time.monotonic()
            if left > 0:
                time.sleep(left)
            with self.gateway.changed:
                for e in self.gateway.emissions:
                    if e.tmst == due and e.answered in ("", None) and e.lead_us > 0:
                        return e
        return None

    def _join(self):
        self.device.join_nonce = None
        begin = time.monotonic()
        tmst = self.gateway.uplink(self.device.join_request())
        if self.sent_event:
            self.sent_event()
        nonce = self.device.dev_nonce
        e = self._window(tmst, (5, 6), lambda delay: begin + delay + 0.1)
        if e is not None and self.device.accept(e.phy):
            self.nonces[nonce] = self.device.join_nonce
            with self.mutex:
                self.sessions.append(Session(self.device))
            self.must_ack = False
            self.joins_wanted -= 1
        else:
            self.device.dev_nonce += 1  # no device uses one twice
        time.sleep(self.rng.uniform(0.1, 1.0))

    def token(self):
        self.count += 1
        return bytes([self.number]) + self.count.to_bytes(3, "big")

    def exchange(self, confirmed, tries=3):
        """One new frame. Returns whether it was acknowledged."""
        token = self.token()
        phy = self.device.uplink(2, token, confirmed=confirmed, ack=self.must_ack)
        self.must_ack = False
        for _ in range(tries if confirmed else 1):
            begin = time.monotonic()
            self.sent.setdefault(token, begin)
            tmst = self.gateway.uplink(phy)
            if self.sent_event:
                self.sent_event()
            if self._listen(token, tmst, begin):
                return True
            if confirmed:
                time.sleep(self.rng.uniform(0.3, 1.0))
        return False

    def _listen(self, token, tmst, begin):
        e = self._window(tmst, (self.device.rx_delay, self.device.rx_delay + 1), lambda delay: begin + delay + 0.05)
        got = self.sessions[-1].read(e.phy) if e is not None else None
        if not got:
            return False
        _, _, _, is_ack, is_confirmed = got
        self.must_ack = self.must_ack or is_confirmed
        if is_ack:
            self.acked.setdefault(token, time.monotonic())
            self.last_ack = time.monotonic()
        return is_ack


class Application:
    """A persistent MQTT session that subscribes to everything with QoS 1 and pushes downlinks with QoS 1 and 2."""

    def __init__(self, stack, key, app="app1"):
        self.app = app
        self.messages = []  # (time, topic, JSON)
        self.pushes = {}    # correlation id -> device name, whether confirmed, number
        self.qos = {}
        self.infos = {}     # correlation id -> paho's word on the PUBACK
        self.sends = {}     # correlation id -> how often it went onto the wire
        self.by_mid = {}
        self.acknowledged = set()  # message ids with PUBACK
        self.ready = threading.Event()
        self.lock = threading.Lock()
        c = self.client = paho.Client(client_id="chaos", clean_session=False)
        c.username_pw_set(app, key)
        c.reconnect_delay_set(1, 1)
        c.max_inflight_messages_set(100)
        c.on_connect = lambda client, _u, _f, code: client.subscribe("#", 1)
        c.on_subscribe = lambda *_: self.ready.set()
        c.on_message = self._message
        c.on_log = self._log
        c.on_publish = lambda _c, _u, mid: self.acknowledged.add(mid)
        c.connect(*stack.address("as.mqtt"), keepalive=5)
        c.loop_start()
        if not self.ready.wait(10):
            raise AssertionError("not subscribed")

    def _message(self, _client, _userdata, m):
        with self.lock:
            self.messages.append((time.monotonic(), m.topic, json.loads(m.payload)))

    def _log(self, _client, _userdata, _level, line):
        if line.startswith("Sending PUBLISH"):
            mid = int(line.split(", m")[1].split(")")[0])
            with self.lock:
                self.by_mid[mid] = self.by_mid.get(mid, 0) + 1

    def push(self, dev, number, confirmed, priority, qos):
        cid = "push-%d" % number
        body = {"downlinks": [{"f_port": 7, "frm_payload": base64.b64encode(b"D" + number.to_bytes(4, "big")).decode(),
                               "confirmed": confirmed, "priority": priority, "correlation_ids": [cid]}]}
        self.pushes[cid] = (dev, confirmed, number)
        self.qos[cid] = qos
        self.infos[cid] = self.client.publish("v3/%s/devices/%s/down/push" % (self.app, dev), json.dumps(body), qos)

    def times_sent(self, cid):
        """How many items it may have become: QoS 1 as often as it was sent, QoS 2 once."""
        if self.qos[cid] == 2:
            return 1
        with self.lock:
            return self.by_mid.get(self.infos[cid].mid, 0)

    def unacknowledged(self):
        return [c for c, i in self.infos.items() if i.mid not in self.acknowledged]

    def snapshot(self):
        with self.lock:
            return list(self.messages)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def join_nonce_of(device, phy):
    """JoinNonce of a join-accept for this device's key; None: not for it."""
    if phy[0] != 0x20:
        return None
    return int.from_bytes(aes_encrypt(device.app_key, phy[1:])[0:3], "little")


def seed():
    return int(os.environ.get("GODWIT_CHAOS_SEED") or random.SystemRandom().randrange(1 << 31))


def seconds(default):
    return float(os.environ.get("GODWIT_CHAOS_SECONDS") or default)


def abp(number):
    return Device(dev_addr=0x01C0A500 + number, nwk_s_key=os.urandom(16), app_s_key=os.urandom(16))


def otaa(number):
    return Device(dev_eui=0x70B3D57ED005C000 + number, join_eui=1, app_key=os.urandom(16))
