"""The HTTP API where askers may not know or do something: what they learn, and in which form."""
import http.client
import json
import unittest

from test_api import OTHER_KEY, Server, abp, otaa

DEVICES = ["RIGHT_APPLICATION_DEVICES_READ", "RIGHT_APPLICATION_DEVICES_WRITE"]


class Edges(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server().start()
        cls.addClassCleanup(cls.server.close)
        for app in ("mine", "theirs"):
            cls.make("/a/applications", {"ids": {"application_id": app}})
        cls.make("/a/applications/theirs/devices", otaa("secret-name"))
        for gateway, eui in (("roof", "AA555A0000000001"), ("tower", "AA555A0000000002")):
            cls.make("/a/gateways", {"ids": {"gateway_id": gateway, "eui": eui}, "frequency_plan_id": "EU_863_870"})
        cls.key = cls.make("/a/applications/mine/api-keys", {"rights": DEVICES})["key"]
        cls.gateway_key = cls.make("/a/gateways/roof/api-keys", {"rights": ["RIGHT_GATEWAY_SETTINGS_BASIC"]})["key"]

    @classmethod
    def make(cls, path, body):
        status, answer = cls.server.ask("POST", path, body)
        assert status == 200, answer
        return answer

    def ask(self, method, path, body=None, expect=200, **how):
        status, answer = self.server.ask(method, path, body, **how)
        self.assertEqual(status, expect, answer)
        return answer

    def test_a_stranger_hears_the_same_of_what_is_there_and_what_is_not(self):
        for there, absent in (("/a/applications/theirs", "/a/applications/absent"), ("/a/applications/theirs/devices", "/a/applications/absent/devices"),
                              ("/a/applications/theirs/devices/secret-name", "/a/applications/absent/devices/x"),
                              ("/a/as/applications/theirs/devices/x/down", "/a/as/applications/absent/devices/x/down"),
                              ("/a/gateways/tower", "/a/gateways/absent"), ("/a/gateways/tower/api-keys", "/a/gateways/absent/api-keys"),
                              ("/a/gs/gateways/tower/connection/stats", "/a/gs/gateways/absent/connection/stats"),
                              ("/a/events?application_id=theirs", "/a/events?application_id=absent")):
            for key in (self.key, self.gateway_key):
                self.assertEqual(self.ask("GET", there, expect=403, key=key), self.ask("GET", absent, expect=403, key=key), there)
        self.assertIn("RIGHT_APPLICATION_INFO", self.ask("GET", "/a/applications/mine", expect=403, key=self.key)["message"], "its own says what it lacks")

    def test_a_conflict_does_not_name_what_is_of_others(self):
        taken = otaa("dev1")
        del taken["end_device"]["root_keys"]
        for path in ("/a/applications/mine/devices", "/a/applications/mine/devices/import"):
            key = self.make("/a/applications/mine/api-keys", {"rights": ["RIGHT_APPLICATION_ALL"]})["key"]
            message = self.ask("POST", path, otaa("dev1"), 409, key=key)["message"]
            self.assertNotIn("secret", message)
            self.assertNotIn("theirs", message)
            self.assertIn("another application", message)
            self.assertIn("secret-name", self.ask("POST", path, otaa("dev1"), 409)["message"], "the operator is told")
        message = self.ask("PUT", "/a/gateways/roof", {"gateway": {"ids": {"eui": "AA555A0000000002"}}}, 409, key=self.gateway_key)["message"]
        self.assertNotIn("tower", message)

    def test_a_mask_does_not_clear_keys_without_the_right(self):
        self.make("/a/applications/mine/devices", otaa("keyed", eui="70B3D57ED0050001"))
        path = "/a/applications/mine/devices/keyed"
        for body in ({"end_device": {}, "field_mask": {"paths": ["root_keys"]}}, {"end_device": {}, "field_mask": {"paths": ["root_keys.app_key.key"]}},
                     {"end_device": {}, "field_mask": {"paths": ["session"]}}, {"end_device": {"root_keys": {"app_key": {"key": OTHER_KEY}}}}):
            self.assertIn("WRITE_KEYS", self.ask("PUT", path, body, 403, key=self.key)["message"])
        self.ask("PUT", path, {"end_device": {"name": "N"}, "field_mask": {"paths": ["name"]}}, key=self.key)
        self.assertIn("app_key", self.ask("GET", path)["root_keys"])

    def test_the_first_of_many_that_is_wrong_is_named(self):
        group = abp("group", addr="01DA3F16")
        group["end_device"].update(multicast=True, supports_class_c=True)
        self.make("/a/applications/mine/devices", group)
        path = "/a/applications/mine/devices/group/multicast-members"
        for wrong in (["nobody", "group"], [7, "nobody"], [["x"], {}]):
            self.assertEqual(self.ask("POST", path, {"device_ids": wrong}, 404)["details"][0]["field"], "device_ids")
        self.ask("POST", path, {"device_ids": ["group", "nobody"]}, 400)
        self.assertEqual(self.ask("GET", path)["members"], [])

    def test_an_error_is_json_whatever_it_quotes(self):
        for bad in ("%01" * 300, "%22" * 300, "%ff" * 100, "x" * 3000):
            self.assertEqual(self.ask("GET", "/a/applications/" + bad, expect=404)["code"], 5)
        members = self.ask("POST", "/a/applications/mine/api-keys", {"rights": ["\u0001" * 400]}, 400)
        self.assertEqual(members["details"][0]["field"], "rights")

    def test_who_has_no_key_is_told_how_to_show_one(self):
        c = http.client.HTTPConnection(self.server.address, timeout=15)
        self.addCleanup(c.close)
        for headers in ({}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer NNSXS.A.B"}):
            c.request("GET", "/api/v3/applications", headers=headers)
            r = c.getresponse()
            self.assertEqual((r.status, r.headers["WWW-Authenticate"]), (401, "Bearer"))
            self.assertEqual(json.loads(r.read())["code"], 16)

    def test_without_a_limit_all_is_on_the_first_page(self):
        self.assertEqual(len(self.ask("GET", "/a/applications?page=1")["applications"]), 2)
        self.assertEqual(self.ask("GET", "/a/applications?page=2")["applications"], [])
        self.assertEqual(self.ask("GET", "/a/applications?limit=4294967295&page=4294967295")["applications"], [])


if __name__ == "__main__":
    unittest.main()
