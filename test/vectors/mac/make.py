#!/usr/bin/env python3
"""Write fields.txt: make.py mac-commands.json, where TheThingsNetwork mac.go, brocaar mac_commands.go, LoRaMac-node
LoRaMacCommands.c and SWL2001 lr1mac_defs.h were compared. Octets are made here from the layouts there, bit by bit, and from nothing of
this project's code: for each command of classes A and C each field at its largest value alone, all of them so, and some of chance."""
import json
import os
import random
import sys

HEAD = """# MAC commands of classes A and C, field by field: octets without CID, and what they mean. Made by make.py from the layouts that TheThingsNetwork
# mac.go, brocaar mac_commands.go, LoRaMac-node LoRaMacCommands.c and SWL2001 lr1mac_defs.h agree in. rfu=1: bits that are reserved are
# set, for who reads. Frequencies are codes as on air. eirp=: what a code of MaxEIRP means [dBm].
"""
# Whose order of octets the sources do not agree in: what both readings take alike.
DISPUTED = {"ForceRejoinReq": [{"RejoinType": 0, "DR": dr, "Period": dr >> 3, "Max_Retries": dr & 7} for dr in (0, 5, 15)]}


def is_wanted(c):
    return c.get("class") != "B" and "TS011" not in c["introduced"] and c["name"] not in DISPUTED


def spans(c):
    """Name, first bit and number of bits of each field, in the octets as one little-endian number."""
    for f in c["fields"]:
        high, _, low = f["bits"].partition(":")
        low = int(low or high)
        yield f["name"], 8 * f["octet"] + low, int(high) - low + 1


def octets_of(c, values, reserved=0):
    n = 0
    for name, at, bits in spans(c):
        n |= (reserved & (1 << bits) - 1 if name == "RFU" else values[name]) << at
    return n.to_bytes(c["payload_len"], "little").hex()


def row(c, values, octets, more=""):
    way = "up" if c["direction"].startswith("uplink") else "down"
    fields = "".join(" %s=%d" % f for f in values.items())
    return "cid=%s name=%s dir=%s octets=%s%s%s" % (c["cid"][2:].lower(), c["name"], way, octets, fields, more)


def rows(c):
    chance = random.Random(c["name"])
    names = {name: (1 << bits) - 1 for name, _, bits in spans(c) if name != "RFU"}
    nothing = dict.fromkeys(names, 0)
    sets = [nothing, names] + [{**nothing, n: m} for n, m in names.items()]
    sets += [{n: chance.randint(0, m) for n, m in names.items()} for _ in range(2 if names else 0)]
    seen = []
    for values in sets:
        if values not in seen:
            seen.append(values)
            yield row(c, values, octets_of(c, values))
    if any(name == "RFU" for name, _, _ in spans(c)):
        yield row(c, sets[-1], octets_of(c, sets[-1], -1), " rfu=1")


def main():
    with open(sys.argv[1]) as f:
        facts = json.load(f)
    lines = []
    for c in facts["commands"]:
        if is_wanted(c):
            lines += rows(c)
        for values in DISPUTED.get(c["name"], []):
            lines.append(row(c, values, "%02x" % values["DR"] * 2))
    for code, dbm in facts["max_eirp_table_dbm"].items():
        lines.append("eirp=%d code=%s" % (dbm, code))
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "fields.txt"), "w") as f:
        f.write(HEAD + "\n".join(lines) + "\n")


main()
