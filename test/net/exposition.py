"""Prometheus' text format, read strictly after its specification (exposition format 0.0.4), and what of it rules and dashboards name."""
import json
import os
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,|$)')
SAMPLE = re.compile(r"(%s)(?:\{(.*)\})? (\S+)$" % NAME)
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}


class Family:
    def __init__(self, name, text):
        self.name, self.help, self.kind = name, text, None
        self.samples = {}  # (name, sorted labels): value


def labels_of(text, line):
    found, at = {}, 0
    while at < len(text):
        m = LABEL.match(text, at)
        assert m, "bad labels: " + line
        assert m.group(1) not in found, "a label twice: " + line
        found[m.group(1)] = m.group(2)
        at = m.end()
    return found


def parse(text):
    """{name: Family}. Everything of a name stands together, HELP and TYPE first; no sample comes twice."""
    families, family = {}, None
    assert text.endswith("\n"), "the last line has no end"
    for line in text[:-1].split("\n"):
        m = re.match(r"# HELP (%s) (.+)$" % NAME, line)
        if m:
            assert m.group(1) not in families, "twice: " + line
            family = families[m.group(1)] = Family(*m.groups())
            continue
        m = re.match(r"# TYPE (%s) (counter|gauge|histogram)$" % NAME, line)
        if m:
            assert family and family.name == m.group(1) and family.kind is None, "TYPE without HELP: " + line
            family.kind = m.group(2)
            continue
        m = SAMPLE.match(line)
        assert m and family and family.kind, "no sample: " + line
        name, labels = m.group(1), labels_of(m.group(2) or "", line)
        assert name in [family.name + s for s in SUFFIXES[family.kind]], "not of %s: %s" % (family.name, line)
        key = name, tuple(sorted(labels.items()))
        assert key not in family.samples, "twice: " + line
        family.samples[key] = float(m.group(3))
    for family in families.values():
        if family.kind == "histogram":
            check_histogram(family)
    return families


def check_histogram(family):
    """Buckets rise with their bounds up to +Inf, which is the count."""
    series = {}
    for (name, labels), value in family.samples.items():
        rest = tuple(l for l in labels if l[0] != "le")
        s = series.setdefault(rest, {"buckets": []})
        if name.endswith("_bucket"):
            s["buckets"].append((float(dict(labels)["le"]), value))
        else:
            s[name[len(family.name):]] = value
    assert series, family.name + " has no samples"
    for s in series.values():
        assert s["buckets"] == sorted(s["buckets"]) and s["buckets"][-1][0] == float("inf"), (family.name, s)
        counts = [n for _, n in s["buckets"]]
        assert counts == sorted(counts) and counts[-1] == s["_count"], (family.name, s)
        assert (s["_sum"] > 0) <= (s["_count"] > 0), (family.name, s)


def problems(families):
    """What Prometheus' own lint would say of the names (promtool check metrics)."""
    found = []
    for name, f in families.items():
        words = name.split("_")[1:]
        if (f.kind == "counter") != name.endswith("_total"):
            found.append(name + ": counters end in _total, and nothing else does")
        if f.kind != "histogram" and re.search("_(bucket|sum|count)$", name):
            found.append(name + ": ends as histograms do")
        if not f.help.strip() or name.lower() != name or ":" in name:
            found.append(name + ": no help, or no snake_case")
        if set(words) & {"s", "ms", "us", "ns", "sec", "m", "min", "h", "d", "b", "kb", "mb", "milliseconds", "microseconds", "kilobytes"}:
            found.append(name + ": an abbreviated unit, or none of the base")
        for key in f.samples:
            if f.kind != "histogram" and dict(key[1]).get("le"):
                found.append(name + ": has the label of histograms")
    return found


def series_of(families):
    """The names that a query may use."""
    return {f.name + s for f in families.values() for s in SUFFIXES[f.kind]}


def names_in(expression):
    """The metrics that a PromQL expression of ours names."""
    return set(re.findall(r"\b(?:gs|ns|as|godwit|process)_[a-z0-9_]+\b", re.sub(r'"[^"]*"', "", expression)))


def rules(source):
    """[(alert, expression)] of the example rules, whose form is simple enough to be read without a YAML parser."""
    with open(os.path.join(source, "deploy/prometheus/godwit.rules.yml")) as f:
        text = f.read()
    found = re.findall(r"- alert: (\w+)\n +expr: (.*(?:\n {10}.*)*)\n", text)
    assert len(found) == text.count("- alert:"), "a rule is written in another form"
    return [(alert, " ".join(e.split()).replace(">- ", "")) for alert, e in found]


def dashboard(source):
    with open(os.path.join(source, "deploy/grafana/godwit.json")) as f:
        return json.load(f)


def panels(board):
    return [p for p in board["panels"] if p["type"] != "row"]


def queries(board):
    """[(title, expression)] of the dashboard, with its variables as Grafana would fill them in."""
    found = [(p["title"], t["expr"]) for p in panels(board) for t in p["targets"]]
    found += [(a["name"], a["expr"]) for a in board["annotations"]["list"] if "expr" in a]
    return [(title, e.replace("$__rate_interval", "1m").replace("$job", ".*")) for title, e in found]
