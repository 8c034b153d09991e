"""Stories that run side by side on one stack, each with gateways and devices of its own: what takes seconds of real time takes them once."""
import concurrent.futures
import os
import re
import select
import socket
import struct
import threading
import time
import unittest

from gateway import Gateway
from godwit import PLAN, Stack, Subscriber
from lorawan import Device

POLL = 0.05


def strict(emission):
    """As forwarders answer: what is too late reads as far in the future, and less than 42.5 ms is too little."""
    if emission.lead_us < 0:
        return '{"txpk_ack":{"error":"TOO_EARLY"}}'
    return '{"txpk_ack":{"error":"TOO_LATE"}}' if emission.lead_us < 42500 else ""


class Line:
    """UDP between gateways and the server with a delay each way; rebind() makes the server see other ports, as a NAT does."""

    def __init__(self, server, delay_s=0.0):
        self.server, self.delay_s = server, delay_s
        self.inner = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.inner.bind(("127.0.0.1", 0))
        self.address = self.inner.getsockname()
        self.outer = {}
        self.stopped = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def rebind(self):
        self.outer, old = {}, self.outer
        for s in old.values():
            s.close()

    def close(self):
        self.stopped = True
        self.thread.join(2)
        self.rebind()
        self.inner.close()

    def _later(self, send):
        def guarded():
            try:
                send()
            except OSError:
                pass
        if self.delay_s:
            threading.Timer(self.delay_s, guarded).start()
        else:
            guarded()

    def _run(self):
        while not self.stopped:
            outer = dict(self.outer)
            try:
                ready = select.select([self.inner] + list(outer.values()), [], [], 0.1)[0]
                for s in ready:
                    data, client = s.recvfrom(65536)
                    if s is self.inner:
                        if client not in self.outer:
                            self.outer[client] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                        self._later(lambda o=self.outer[client], d=data: o.sendto(d, self.server))
                    else:
                        owner = [c for c, o in outer.items() if o is s][0]
                        self._later(lambda c=owner, d=data: self.inner.sendto(d, c))
            except (OSError, ValueError):
                continue


class Story:
    """One story's gateways, devices and MQTT client."""

    serial = 0
    lock = threading.Lock()

    def __init__(self, test, name):
        with Story.lock:
            Story.serial += 1
            self.number = Story.serial
        self.stack, self.test = test.stack, test
        self.name = re.sub("[^a-z0-9]+", "-", name.lower())[:28].strip("-")
        self.closing = []
        self.sub = Subscriber(self.stack, test.key, topic="v3/app1/devices/+/#")
        self.closing.append(self.sub.close)

    def close(self):
        for close in reversed(self.closing):
            close()

    def gateway(self, line=None, **how):
        how.setdefault("eui", int.from_bytes(os.urandom(6), "big") | 0xAA << 56)
        how.setdefault("answer", strict)
        g = Gateway(line.address if line else self.stack.address("gs.udp"), **how)
        self.closing.append(g.close)
        g.wait_path()
        return g

    def line(self, delay_s=0.0):
        line = Line(self.stack.address("gs.udp"), delay_s)
        self.closing.append(line.close)
        return line

    def dev_id(self, n=1):
        return "%s-%d-%d" % (self.name, self.number, n)

    def _create(self, dev_id, version, *flags, plan=PLAN):
        self.stack.cli("end-devices", "create", "app1", dev_id, "--frequency-plan-id", plan, "--lorawan-version", version, *flags)

    def abp(self, *flags, n=1, version="1.0.3", dev_addr=None):
        d = Device(dev_addr=int.from_bytes(os.urandom(3), "big") if dev_addr is None else dev_addr, nwk_s_key=os.urandom(16),
                   app_s_key=os.urandom(16))
        d.id = self.dev_id(n)
        eui = ["--dev-eui", os.urandom(8).hex()] if version == "1.0.4" else []
        self._create(d.id, version, "--abp", "--session.dev-addr", "%08X" % d.dev_addr, "--session.keys.nwk-s-key.key", d.nwk_s_key.hex(),
                     "--session.keys.app-s-key.key", d.app_s_key.hex(), *eui, *flags)
        return d

    def otaa(self, *flags, n=1, version="1.0.3", plan=PLAN):
        d = Device(dev_eui=int.from_bytes(os.urandom(8), "big"), join_eui=int.from_bytes(os.urandom(8), "big"), app_key=os.urandom(16))
        d.id = self.dev_id(n)
        self._create(d.id, version, "--dev-eui", "%016X" % d.dev_eui, "--join-eui", "%016X" % d.join_eui, "--root-keys.app-key.key",
                     d.app_key.hex(), *flags, plan=plan)
        return d

    def join(self, d, gateway, n=1):
        """The device joins; n: which PULL_RESP of the gateway it is."""
        gateway.uplink(d.join_request())
        accept = gateway.wait_emission(n, 8)
        self.test.assertTrue(d.accept(accept.phy), "the device refuses the join-accept")
        return accept

    def push(self, d, *items, how="push"):
        items = [i if isinstance(i, dict) else {"f_port": 1, "frm_payload": i} for i in items]
        before = self.sub.count(d.id + "/down/queued")
        self.sub.publish("v3/app1/devices/%s/down/%s" % (d.id, how), {"downlinks": items})
        if items:
            self.wait(d, "down/queued", before + len(items))

    def wait(self, d, suffix, n=1, timeout=10):
        return self.sub.wait("%s/%s" % (d.id, suffix), n, timeout)

    def count(self, d, suffix):
        return self.sub.count("%s/%s" % (d.id, suffix))

    def queue(self, d):
        return self.stack.cli("end-devices", "downlink", "list", "app1", d.id)

    def ask(self, d, gateway, f_port=1, payload=b"x", datr="SF7BW125", **how):
        """An uplink; its tmst."""
        return gateway.uplink(d.uplink(f_port, payload, **how), datr=datr)

    def events(self, cid_owner):
        """The story that the server tells of an `up` message."""
        cid = [c for c in cid_owner["correlation_ids"] if c.startswith("gs:uplink:")][0]
        return self.stack.cli("trace", cid)

    def until(self, condition, timeout=8, what="it"):
        end = time.monotonic() + timeout
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                raise AssertionError("%s did not come within %d s" % (what, timeout))
            time.sleep(POLL)


def send_tx_ack(gateway, emission, body="", token=None):
    gateway.pull.send(struct.pack(">BHBQ", gateway.version, emission.token if token is None else token, 5, gateway.eui) + body.encode())


def after(emission, tmst):
    """How long after an uplink an emission is due [us]."""
    return (emission.tmst - tmst) % 2**32


class Stories(unittest.TestCase):
    """Each story_x(self, s) of a subclass becomes a test_x; all of a class begin at once."""

    settings = ()
    fixed_ports = False  # for stories that kill a process

    def __init_subclass__(cls):
        for name in [n for n in dir(cls) if n.startswith("story_")]:
            setattr(cls, "test_" + name[6:], lambda self, n=name: self.futures[n].result())

    @classmethod
    def setUpClass(cls):
        if cls is Stories:
            raise unittest.SkipTest("only a base")
        cls.stack = Stack(*cls.settings, start=False)
        if cls.fixed_ports:
            cls.stack.fix_ports()
        cls.stack.start()
        try:
            cls.key = cls.stack.create_application("app1")
        except BaseException:
            cls.stack.close()
            raise
        names = [n for n in dir(cls) if n.startswith("story_")]
        cls.pool = concurrent.futures.ThreadPoolExecutor(len(names))
        cls.futures = {n: cls.pool.submit(cls._play, n) for n in names}

    @classmethod
    def tearDownClass(cls):
        cls.pool.shutdown()
        cls.stack.close()

    @classmethod
    def _play(cls, name):
        test = cls("test_" + name[6:])
        s = Story(test, name[6:])
        try:
            getattr(test, name)(s)
        finally:
            s.close()
