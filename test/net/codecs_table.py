"""The table of test/vectors/formatters: which codec makes what of which octets."""
import json
import os

FOLDER = os.path.join(os.environ.get("GODWIT_SOURCE", os.path.join(os.path.dirname(__file__), "..", "..")), "test", "vectors", "formatters")


class Case:
    """One call of a codec, and all that is to come of it."""

    def __init__(self, codec, line_number, line):
        self.call, port, given = line.split(" ", 2)
        self.codec, self.where, self.port = codec, "cases.txt:%d" % line_number, int(port)
        self.hex = None if self.call == "down" else given
        self.data_in = json.loads(given) if self.call == "down" else None
        self.data, self.bytes, self.port_out, self.throws = None, None, None, None
        self.normalized, self.warnings, self.errors = [], [], []

    def take(self, line):
        kind, _, value = line.partition(" ")
        if kind == "data":
            self.data = json.loads(value)
        elif kind == "bytes":
            self.bytes = value
        elif kind == "port":
            self.port_out = int(value)
        elif kind == "throws":
            self.throws = value
        elif kind == "normalized":
            self.normalized.append(json.loads(value))
        elif kind in ("warning", "error"):
            getattr(self, kind + "s").append(value)
        else:
            raise ValueError("%s: %s" % (self.where, line))


def cases():
    found, codec = [], None
    with open(os.path.join(FOLDER, "cases.txt"), encoding="utf-8") as table:
        for n, line in enumerate(table, 1):
            line = line.rstrip("\n")
            word = line.partition(" ")[0]
            if not line or word == "#":
                continue
            if word == "=":
                codec = line.split(" ")[1]
            elif word in ("up", "down", "back"):
                found.append(Case(codec, n, line))
            else:
                found[-1].take(line)
    return found
