"""MQTT packets by hand, for what a client that keeps to the rules does not say."""
import struct


def text(s):
    b = s if isinstance(s, bytes) else s.encode()
    return struct.pack(">H", len(b)) + b


def packet(first, body):
    n, head = len(body), bytes([first])
    while True:
        head += bytes([n % 128 | (128 if n > 127 else 0)])
        n //= 128
        if n == 0:
            return head + body
