"""Durability: while processes are killed and stopped at random, nothing accepted is lost and no counter is repeated."""
import os
import random
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
import chaos  # noqa: E402
from gateway import Gateway  # noqa: E402
from godwit import CommandError, Stack  # noqa: E402

END_OF_ITEM = {"sent": "down/sent", "ack": "down/ack", "failed": "down/failed"}


class Chaos(unittest.TestCase):
    def set_up(self, *settings):
        self.seed = chaos.seed()
        print("seed %d (GODWIT_CHAOS_SEED repeats the dice, not the timing)" % self.seed, file=sys.stderr, flush=True)
        self.rng = random.Random(self.seed)
        self.stack = Stack(*settings, start=False).fix_ports().start()
        self.addCleanup(self.stack.close)
        key = self.stack.create_application("app1")
        self.nodes = []
        for n in range(6):
            self.add_node(n)
        self.app = chaos.Application(self.stack, key)
        self.addCleanup(self.app.close)
        self.sabotage = chaos.Sabotage(self.stack, self.rng)
        self.created, self.pushed = [], 0
        self.sent = threading.Event()

    def add_node(self, n):
        eui = 0xAA555A000C000000 + n
        # Each reservation of airtime that a crash forfeits counts as used, and here are more crashes than the law foresees.
        self.stack.cli("gateways", "create", "gtw%d" % n, "--gateway-eui", "%016X" % eui, "--frequency-plan-id", "EU_863_870",
                       "--enforce-duty-cycle=false")
        rng = random.Random(self.rng.randrange(1 << 31))
        gateway = Gateway(self.stack.address("gs.udp"), eui=eui, keepalive=0.7, answer=lambda e: self.tx_ack(rng))
        self.addCleanup(gateway.close)
        gateway.wait_path()
        if n % 2:
            device = chaos.otaa(n)
            self.stack.create_otaa(device, "app1", "dev%d" % n, "--mac-settings.desired-rx1-delay", "1")
        else:
            device = chaos.abp(n)
            self.stack.create_abp(device, "app1", "dev%d" % n)
        node = chaos.Node(n, gateway, rng, device)
        node.sent_event = lambda: self.sent.set()
        self.nodes.append(node)

    @staticmethod
    def tx_ack(rng):
        dice = rng.random()
        return None if dice < 0.05 else '{"txpk_ack":{"error":"COLLISION_PACKET"}}' if dice < 0.1 else ""

    # ---- the run ----

    def push_some(self):
        for _ in range(self.rng.randrange(2, 5)):
            self.pushed += 1
            self.app.push("dev%d" % self.rng.randrange(len(self.nodes)), self.pushed, self.rng.random() < 0.3,
                          self.rng.choice(["LOWEST", "NORMAL", "HIGHEST"]), self.rng.choice([1, 1, 2]))

    def create_some(self, stop):
        n = 0
        while not stop.is_set():
            n += 1
            name = "made%d" % n
            for kind, args in (("application", ("applications", "create", name)),
                               ("device", ("end-devices", "create", "app1", name, "--dev-eui", "70B3D57ED0060%03X" % n, "--join-eui", "1",
                                           "--frequency-plan-id", "EU_863_870", "--lorawan-version", "1.0.3", "--root-keys.app-key.key",
                                           "%032X" % n)),
                               ("key", ("applications", "api-keys", "create", "--application-id", "app1", "--name", name,
                                        "--right-application-info"))):
                try:
                    self.created.append((kind, name, self.stack.cli(*args)))
                except (CommandError, OSError):
                    pass  # refused, or nobody there: nothing was promised
            stop.wait(1.0)

    def strike(self, last):
        """One act of sabotage; last: when each process was killed, for `up` waits longer the more often one dies."""
        now = time.monotonic()
        may_die = [p for p in chaos.PROCESSES if now - last.get(p, 0) > 11]
        dice = self.rng.random()
        names = self.rng.sample(chaos.PROCESSES, self.rng.choice((1, 1, 2, 3)))
        if dice < 0.3:
            self.sabotage.freeze(names, self.rng.uniform(0.05, 3))
        elif dice < 0.4:
            self.sabotage.power_cut()
            last.clear()
        elif all(n in may_die for n in names):
            self.sabotage.kill(names)
            last.update({n: time.monotonic() for n in names})

    def sabotage_for(self, length):
        end, last = time.monotonic() + length, {}
        while time.monotonic() < end:
            self.push_some()
            time.sleep(self.rng.uniform(0.5, 2.5))
            # Half of the time between an uplink and its answer.
            if self.rng.random() < 0.6:
                self.sent.clear()
                self.sent.wait(5)
                time.sleep(self.rng.uniform(0, 1.1))
            self.strike(last)
            for node in self.nodes:
                if node.is_otaa and node.joins_wanted == 0 and self.rng.random() < 0.03:
                    node.joins_wanted = 1

    def wait_for(self, condition, what, timeout):
        end = time.monotonic() + timeout
        while not condition():
            for node in self.nodes:
                if node.failure:
                    raise node.failure
            if time.monotonic() > end:
                self.keep_log()
                self.fail("%s within %d s; seed %d; %s" % (what() if callable(what) else what, timeout, self.seed, self.sabotage.story()))
            time.sleep(0.2)

    def queues(self):
        return {n.name: self.stack.cli("end-devices", "downlink", "list", "app1", n.name) for n in self.nodes}

    def unsettled(self):
        """Pushes of which no event tells the end."""
        ended = {own for own, _ in self.ends_of_items()}
        return sorted(c for c in self.app.pushes if c not in ended)

    def run_chaos(self, *settings):
        self.set_up(*settings)
        for node in self.nodes:
            node.start()
        self.wait_for(lambda: all(n.joins_wanted == 0 for n in self.nodes), "not all devices joined", 40)
        stop = threading.Event()
        creator = threading.Thread(target=self.create_some, args=(stop,), daemon=True)
        creator.start()
        self.sabotage_for(chaos.seconds(30))
        stop.set()
        creator.join(70)
        calm = time.monotonic()
        self.wait_for(lambda: all(n.joins_wanted == 0 and n.last_ack > calm for n in self.nodes), "not all devices were answered again", 40)
        self.wait_for(lambda: not self.app.unacknowledged(), "not all pushes were acknowledged", 20)
        self.wait_for(lambda: not self.unsettled(), lambda: "no end of %s" % [(c,) + self.app.pushes[c] for c in self.unsettled()], 60)
        for node in self.nodes:
            node.running = False
        for node in self.nodes:
            node.join(10)
        time.sleep(3)
        self.check()

    # ---- what must hold ----

    def keep_log(self):
        path = os.environ.get("GODWIT_CHAOS_KEEP")
        if path:
            with open(path, "w") as f:
                f.write(self.stack.log_text())

    def violation(self, text, *args):
        self.violations.append(text % args)

    def check(self):
        self.violations = []
        self.check_counters()
        self.check_joins()
        self.check_uplinks()
        self.check_items()
        self.check_created()
        print("%d uplinks, %d acknowledged, %d joins, %d pushes, %d emissions, %d created; %s" % (
            sum(len(n.sent) for n in self.nodes), sum(len(n.acked) for n in self.nodes), sum(len(n.nonces) for n in self.nodes),
            len(self.app.pushes), sum(len(n.gateway.emissions) for n in self.nodes), len(self.created), self.sabotage.story()),
            file=sys.stderr, flush=True)
        if self.violations:
            self.keep_log()
            self.fail("seed %d; %s\n%s" % (self.seed, self.sabotage.story(), "\n".join(self.violations)))

    def check_counters(self):
        """No FCntDown with two frames, and none that goes back."""
        for node in self.nodes:
            for session in node.sessions:
                seen, order = {}, []
                for e in node.gateway.emissions:
                    got = session.read(e.phy)
                    if not got:
                        continue
                    if got[0] in seen and seen[got[0]] != e.phy:
                        self.violation("%s: FCntDown %d went out with different octets", node.name, got[0])
                    elif got[0] not in seen:
                        if order and got[0] < order[-1]:
                            self.violation("%s: FCntDown %d after %d", node.name, got[0], order[-1])
                        order.append(got[0])
                    seen[got[0]] = e.phy

    def check_joins(self):
        for node in self.nodes:
            values = list(node.nonces.values())
            if len(values) != len(set(values)):
                self.violation("%s: JoinNonce used twice: %r", node.name, node.nonces)

    def ups(self):
        """token -> [(time, as:up id)]"""
        ups = {}
        for at, topic, m in self.app.snapshot():
            if topic.endswith("/up"):
                token = chaos.base64.b64decode(m["uplink_message"].get("frm_payload", ""))
                ids = [c for c in m["correlation_ids"] if c.startswith("as:up:")]
                ups.setdefault(token, []).append((at, ids[0]))
        return ups

    def check_uplinks(self):
        ups = self.ups()
        for node in self.nodes:
            for token, at in node.sent.items():
                if token in ups:
                    continue
                if token in node.acked:
                    self.violation("%s: uplink %s was acknowledged to the device and never delivered", node.name, token.hex())
                elif self.sabotage.was_taken(at):
                    self.violation("%s: uplink %s of %.1f s never came through", node.name, token.hex(), at - self.sabotage.spans[0][2])
        for token, found in ups.items():
            by_id = {}
            for at, cid in found:
                by_id.setdefault(cid, at)
            times = sorted(by_id.values())
            for first, second in zip(times, times[1:]):
                if not self.sabotage.kills(("as",), first - 5, second):
                    self.violation("uplink %s was delivered as two messages with no crash between", token.hex())

    def ends_of_items(self):
        """(own correlation id, as:downlink id) -> the set of its ends"""
        ends = {}
        for _, topic, m in self.app.snapshot():
            kind = [k for k, suffix in END_OF_ITEM.items() if topic.endswith(suffix)]
            if not kind:
                continue
            d = m.get("downlink_failed", {}).get("downlink") or m.get("downlink_" + kind[0]) or {}
            if kind[0] == "sent" and d.get("confirmed"):
                continue
            own = [c for c in m["correlation_ids"] if c.startswith("push-")]
            item = [c for c in m["correlation_ids"] if c.startswith("as:downlink:")]
            if own and item:
                ends.setdefault((own[0], item[0]), []).append(kind[0])
        return ends

    def reports(self, cid):
        """How often the application was told of an attempt that is over."""
        return len({(m["correlation_ids"][0], d["f_cnt"]) for _, topic, m in self.app.snapshot() if cid in m["correlation_ids"]
                    for d in [m.get("downlink_nack") or m.get("downlink_ack") or m.get("downlink_failed", {}).get("downlink")] if d and "f_cnt" in d})

    def transmissions(self):
        """push number -> {(session, counter)}: frames that a gateway took"""
        frames = {}
        for node in self.nodes:
            for session in node.sessions:
                for e in node.gateway.emissions:
                    got = session.read(e.phy)
                    if got and got[1] == 7 and e.answered in ("", None):
                        frames.setdefault(int.from_bytes(got[2][1:], "big"), set()).add((session.dev_addr, got[0]))
        return frames

    def check_items(self):
        ends, frames = self.ends_of_items(), self.transmissions()
        waiting = {}
        for items in self.queues().values():
            for i in items:
                for c in i.get("correlation_ids", []):
                    waiting[c] = waiting.get(c, 0) + 1
        for cid, (dev, confirmed, number) in self.app.pushes.items():
            mine = {item: kinds for (own, item), kinds in ends.items() if own == cid}
            if not mine and not waiting.get(cid):
                self.violation("%s of %s: acknowledged, and neither queued nor ended", cid, dev)
            for item, kinds in mine.items():
                if len(set(kinds)) > 1:
                    self.violation("%s of %s: %s ended as %s", cid, dev, item, sorted(set(kinds)))
            sends = self.app.times_sent(cid)
            if len(mine) + waiting.get(cid, 0) > sends:
                self.violation("%s of %s: published %d times, became %d items", cid, dev, sends, len(mine) + waiting.get(cid, 0))
            reports = self.reports(cid)
            if confirmed and len(frames.get(number, ())) > reports + sends:
                self.violation("%s of %s: confirmed, transmitted as %s, reported %d times", cid, dev, sorted(frames[number]), reports)
            if not confirmed and len(frames.get(number, ())) > sends:
                self.violation("%s of %s: unconfirmed, published %d times, transmitted as %s", cid, dev, sends, sorted(frames[number]))

    def check_created(self):
        apps = {a["ids"]["application_id"] for a in self.stack.cli("applications", "list")}
        devices = {d["ids"]["device_id"] for d in self.stack.cli("end-devices", "list", "app1")}
        keys = {k["id"] for k in self.stack.cli("applications", "api-keys", "list", "--application-id", "app1")}
        for kind, name, answer in self.created:
            there = {"application": name in apps, "device": name in devices, "key": answer["id"] in keys if kind == "key" else None}[kind]
            if not there:
                self.violation("%s %s was created and is gone", kind, name)

    def test_nothing_accepted_is_lost(self):
        self.run_chaos()

    def test_nothing_accepted_is_lost_on_a_slow_disk(self):
        self.run_chaos("--ns.store-commit-delay=50ms", "--as.store-commit-delay=50ms")


if __name__ == "__main__":
    unittest.main()
