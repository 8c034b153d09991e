#!/usr/bin/python3
"""A peer of the bus written with Python's msgpack: bus_peer.py SOCKET. Status 0 when all answers are as they should be, 77 without msgpack."""
import socket
import sys

try:
    import msgpack
except ImportError:
    sys.exit(77)

peer = socket.socket(socket.AF_UNIX)
peer.settimeout(10)
peer.connect(sys.argv[1])
unpacker = msgpack.Unpacker(raw=False, strict_map_key=False)
ulid = bytes(range(16))


def receive():
    for message in unpacker:
        return message
    data = peer.recv(65536)
    assert data, "closed"
    unpacker.feed(data)
    return receive()


def send(message):
    peer.sendall(msgpack.packb(message, use_bin_type=True))


send([0, 1, "Bus/Hello", [{1: 1, 2: "as", 3: "python", 4: ulid}]])
kind, number, error, hello = receive()
assert (kind, number, error) == (1, 1, None) and hello[1] == 1 and hello[2] == "ns" and len(hello[4]) == 16, hello

# A thousand calls at once, in pieces that end anywhere; the field 99 is of a version to come.
calls = b"".join(msgpack.packb([0, i, "NsAs/PullDownlink", [{1: 7, 2: [], 3: ulid, 4: 0, 5: i, 6: 51, 7: 222, 99: {"new": [1.5, None]}}]])
                 for i in range(1000))
for at in range(0, len(calls), 777):
    peer.sendall(calls[at:at + 777])
for i in range(1000):
    assert receive() == [1, i, None, {2: i}]

send([2, "NsAs/Event", [{1: []}]])
send([0, 7, "No/Such", [{}]])
kind, number, error, result = receive()
assert (kind, number, result) == (1, 7, None) and error[1] == "unknown_method", error
send([0, 8, "NsAs/PullDownlink", [{1: "seven"}]])
kind, number, error, result = receive()
assert (kind, number, result) == (1, 8, None) and error[1] == "bad_message", error
