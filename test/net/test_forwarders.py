"""The very bytes that unmodified packet forwarders sent, replayed through the whole stack."""
import json
import os
import socket
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from godwit import SOURCE, Stack, Subscriber  # noqa: E402

CAPTURES = os.path.join(SOURCE, "test", "vectors", "semtech")
# Every captured data frame is this one: DevAddr 44332211, FCnt 1, and a MIC of aabbccdd that no key made.
KINDS = {"PUSH_DATA": 0, "PULL_DATA": 2, "TX_ACK": 5}


class Forwarders(unittest.TestCase):
    def test_every_captured_datagram_is_taken(self):
        with Stack("--gs.require-registered=false") as stack:
            stack.create_application("app1")
            address = stack.address("gs.udp")
            for name in sorted(os.listdir(CAPTURES)):
                if not name.endswith(".jsonl"):
                    continue
                sockets, sent, acked = {}, 0, 0
                with open(os.path.join(CAPTURES, name)) as f:
                    lines = [json.loads(line) for line in f]
                for line in lines:
                    if line.get("from") != "gateway" or line.get("type") not in KINDS:
                        continue
                    s = sockets.setdefault(line.get("port"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                    s.settimeout(3)
                    kind = KINDS[line["type"]]
                    s.sendto(struct.pack(">B", 2) + bytes.fromhex(line["token"]) + bytes([kind]) + bytes.fromhex(line["eui"]) +
                             line.get("json", "").encode(), address)
                    if kind == 5:
                        continue
                    sent += 1
                    answer, _ = s.recvfrom(65536)
                    self.assertEqual(answer, b"\2" + bytes.fromhex(line["token"]) + bytes([1 if kind == 0 else 4]), name)
                    acked += 1
                for s in sockets.values():
                    s.close()
                self.assertGreater(acked, 0, name)
            time.sleep(0.5)
            seen = {g["ids"]["eui"] for g in stack.cli("gateways", "list")}
            self.assertIn("AA555A0000000101", seen)


if __name__ == "__main__":
    unittest.main()
