"""Events over HTTP as godwit-as alone serves them: who may see which, by name, from when on, as a list and as a stream."""
import http.client
import json
import unittest

from test_api import Server, abp

READ = ["RIGHT_APPLICATION_TRAFFIC_READ"]


class Stream:
    """A stream of events, read line by line."""

    def __init__(self, server, key, body=None, path="/api/v3/events", accept="*/*"):
        self.connection = http.client.HTTPConnection(server.address, timeout=30)
        self.connection.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body),
                                {"Authorization": "Bearer " + (key or server.admin), "Accept": accept})
        self.answer = self.connection.getresponse()
        self.kind = self.answer.headers["Content-Type"]

    def event(self):
        line = self.answer.readline()
        while line.strip() in (b"", b":"):
            assert line, "the stream has ended"
            line = self.answer.readline()
        return json.loads(line[len(b"data: "):] if self.kind == "text/event-stream" else line)

    def close(self):
        self.connection.close()


class Events(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server().start()
        cls.addClassCleanup(cls.server.close)
        for app in ("aa", "bb"):
            cls.post("/a/applications", {"application": {"ids": {"application_id": app}}})
            for n, dev in enumerate(("one", "two")):
                cls.post("/a/applications/%s/devices" % app, abp(dev, addr="01DA1F%d%d" % (n, ord(app[0]) - ord("a"))))
        cls.key = cls.post("/a/applications/aa/api-keys", {"rights": READ})["key"]
        cls.post("/a/gateways", {"gateway": {"ids": {"gateway_id": "gg", "eui": "AA555A0000000101"}, "frequency_plan_id": "EU_863_870"}})
        cls.post("/a/gateways", {"gateway": {"ids": {"gateway_id": "hh"}}})
        cls.gateway_key = cls.post("/a/gateways/gg/api-keys", {"rights": ["RIGHT_GATEWAY_TRAFFIC_READ"]})["key"]
        cls.link_key = cls.post("/a/gateways/gg/api-keys", {"rights": ["RIGHT_GATEWAY_LINK"]})["key"]

    @classmethod
    def post(cls, path, body):
        status, answer = cls.server.ask("POST", path, body)
        assert status == 200, answer
        return answer

    def ask(self, method, path, body=None, expect=200, **how):
        status, answer = self.server.ask(method, path, body, **how)
        self.assertEqual(status, expect, answer)
        return answer

    def stream(self, body, key=None, **how):
        s = Stream(self.server, key, body, **how)
        self.addCleanup(s.close)
        self.assertEqual(s.answer.status, 200)
        return s

    def uplink(self, app, dev, cid):
        """Two events: as.up.data.receive, as.up.data.forward."""
        self.post("/a/as/applications/%s/devices/%s/up/simulate" % (app, dev),
                  {"uplink_message": {"f_port": 1, "frm_payload": "AQ=="}, "correlation_ids": [cid]})

    def downlink(self, app, dev):
        """One event: as.down.data.receive."""
        self.post("/a/as/applications/%s/devices/%s/down/push" % (app, dev), {"downlinks": [{"f_port": 1, "frm_payload": "AQ=="}]})

    def who(self, e):
        return (e["identifiers"].get("application_id"), e["identifiers"].get("device_id"), e["name"])

    def test_a_stream_has_what_any_of_the_identifiers_names(self):
        app, dev = {"application_ids": {"application_id": "bb"}}, {"device_ids": {"device_id": "two", "application_ids": {"application_id": "aa"}}}
        for identifiers, expected in (([app], ["bb one", "bb two"]), ([dev], ["aa two"]), ([app, dev], ["aa two", "bb one", "bb two"]),
                                      ([], ["aa one", "aa two", "bb one", "bb two"])):
            s = self.stream({"identifiers": identifiers, "names": ["as.up.data.forward"]})
            self.assertEqual(s.kind, "application/x-ndjson")
            for to in ("aa one", "aa two", "bb one", "bb two"):
                self.uplink(*to.split(), "x")
            got = [s.event() for _ in expected]
            self.assertEqual([self.who(e) for e in got], [(*to.split(), "as.up.data.forward") for to in expected])

    def test_names_are_exact_or_expressions(self):
        s = self.stream({"names": [r"/^as\.(up|x+)\..*forward$/", "as.down.data.receive"]}, accept="text/event-stream")
        self.assertEqual(s.kind, "text/event-stream")
        self.uplink("aa", "one", "x")
        self.downlink("aa", "one")
        self.assertEqual([s.event()["name"] for _ in range(2)], ["as.up.data.forward", "as.down.data.receive"])
        listed = self.ask("GET", "/a/events?name=%2Fup%5C..*forward$%2F&name=as.down.data.receive")["events"]
        self.assertEqual({e["name"] for e in listed}, {"as.up.data.forward", "as.down.data.receive"})
        for names, field in ((["/(/"], "names[0]"), (["x", "/a{2}/"], "names[1]"), ([7], "names[0]"), ("x", "names")):
            refused = self.ask("POST", "/a/events", {"names": names}, 400)
            self.assertEqual(refused["details"][0]["field"], field)
        self.assertIn("{ }", self.ask("GET", "/a/events?name=/a{2}/", expect=400)["message"])

    def test_the_tail_and_what_comes_after_a_time(self):
        for cid in ("t1", "t2", "t3"):
            self.uplink("bb", "one", cid)
        of = {"identifiers": [{"device_ids": {"device_id": "one", "application_ids": {"application_id": "bb"}}}], "names": ["as.up.data.receive"]}
        s = self.stream({**of, "tail": 2})
        got = [s.event() for _ in range(2)]
        self.assertEqual([e["data"]["correlation_ids"] for e in got], [["t2"], ["t3"]])
        self.uplink("bb", "one", "t4")
        self.assertEqual(s.event()["data"]["correlation_ids"], ["t4"], "what is kept is followed by what comes")
        s = self.stream({**of, "after": got[0]["time"]})
        self.assertEqual([s.event()["data"]["correlation_ids"] for _ in range(2)], [["t3"], ["t4"]])
        listed = self.ask("GET", "/a/events?application_id=bb&device_id=one&name=as.up.data.receive&tail=1&after=" + got[0]["time"])["events"]
        self.assertEqual([e["data"]["correlation_ids"] for e in listed], [["t4"]])
        self.assertEqual(self.ask("GET", "/a/events?tail=0")["events"], [])
        for query, field in (("tail=x", "tail"), ("tail=1001", "tail"), ("after=yesterday", "after"), ("follow=maybe", "follow"),
                             ("device_id=one", "device_id"), ("application_id=bb&device_id=x&", "device_id"), ("gateway_id=nobody", "gateway_id")):
            status, refused = self.server.ask("GET", "/a/events?" + query)
            self.assertIn(status, (400, 404), query)
            self.assertEqual(refused["details"][0]["field"], field)
        for body, field in (({"tail": -1}, "tail"), ({"tail": "many"}, "tail"), ({"after": 5}, "after"), ({"identifiers": {}}, "identifiers"),
                            ({"identifiers": [{}]}, "identifiers[0]"), ({"identifiers": [{"user_ids": {"user_id": "u"}}]}, "identifiers[0]"),
                            ({"identifiers": [{"device_ids": {"device_id": "one"}}]}, "identifiers[0].device_ids.application_ids.application_id"),
                            ({"identifiers": [{"application_ids": {}}]}, "identifiers[0].application_ids.application_id"),
                            ({"identifiers": [{"application_ids": {"application_id": "aa"}}] * 21}, "identifiers")):
            self.assertEqual(self.ask("POST", "/a/events", body, 400)["details"][0]["field"], field, body)

    def test_each_identifier_needs_its_right(self):
        own, other = ({"application_ids": {"application_id": x}} for x in ("aa", "bb"))
        theirs = {"device_ids": {"device_id": "one", "application_ids": {"application_id": "bb"}}}
        absent = {"application_ids": {"application_id": "no-such"}}
        g, h = ({"gateway_ids": {"gateway_id": x}} for x in ("gg", "hh"))
        for key, right, wrong in ((self.key, "RIGHT_APPLICATION_TRAFFIC_READ", (other, theirs, absent)), (self.key, "RIGHT_GATEWAY_TRAFFIC_READ", (g,)),
                                  (self.gateway_key, "RIGHT_APPLICATION_TRAFFIC_READ", (own, absent)), (self.gateway_key, "RIGHT_GATEWAY_TRAFFIC_READ", (h,)),
                                  (self.link_key, "RIGHT_GATEWAY_TRAFFIC_READ", (g,))):
            for identifiers in wrong:
                self.assertIn(right, self.ask("POST", "/a/events", {"identifiers": [identifiers]}, 403, key=key)["message"])
        self.ask("POST", "/a/events", {"identifiers": [own, other]}, 403, key=self.key)
        self.ask("POST", "/a/events", {}, 403, key=self.link_key)
        self.ask("GET", "/a/events", expect=403, key=self.link_key)
        self.ask("GET", "/a/events?gateway_id=hh", expect=403, key=self.gateway_key)
        self.ask("POST", "/a/events", {"identifiers": [absent]}, 404)
        self.assertEqual(self.ask("GET", "/a/events?gateway_id=gg", key=self.gateway_key)["events"], [])
        self.stream({"identifiers": [g]}, key=self.gateway_key)
        for body in ({"identifiers": [own]}, {}):
            s = self.stream({**body, "names": ["as.up.data.receive"]}, key=self.key)
            self.uplink("bb", "one", "theirs")
            self.uplink("aa", "one", "mine")
            self.assertEqual(self.who(s.event())[0], "aa")

    def test_a_key_has_few_streams_and_its_end_is_theirs(self):
        made = self.post("/a/applications/aa/api-keys", {"rights": READ})
        streams = [self.stream({}, key=made["key"]) for _ in range(8)]
        self.assertIn("8 event streams", self.ask("POST", "/a/events", {}, 429, key=made["key"])["message"])
        self.stream({}, key=self.key)
        self.ask("DELETE", "/a/applications/aa/api-keys/" + made["id"])
        for s in streams:
            self.assertEqual(s.answer.read(), b"")


if __name__ == "__main__":
    unittest.main()
