"""Lists of the HTTP API: pages, order, search, members that are asked for; what is done to several devices at once."""
import http.client
import json
import unittest

from test_api import Server, abp, otaa


class Lists(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server().start()
        cls.addClassCleanup(cls.server.close)
        for name, text in (("cc", "Beta"), ("aa", "Gamma"), ("bb", "alpha")):
            cls.make("/applications", {"application": {"ids": {"application_id": name}, "name": text, "description": "About " + name,
                                                       "attributes": {"k": name}}})
            cls.make("/gateways", {"gateway": {"ids": {"gateway_id": "g-" + name, "eui": "AA555A00000000" + name}, "name": text,
                                               "location": {"latitude": 1, "longitude": 2, "altitude": 3}}})
        for n in range(7):
            cls.make("/applications/aa/devices", otaa("dev%d" % n, eui="70B3D57ED00500%02X" % (0xF0 - n), name="Meter %d" % (n * 5 % 7),
                                                      description="on floor %d" % n))
            cls.make("/applications/aa/api-keys", {"name": "k%d" % (n * 3 % 7), "rights": ["RIGHT_APPLICATION_INFO"],
                                                   **({"expires_at": "2099-01-0%dT00:00:00Z" % (9 - n)} if n else {})})

    @classmethod
    def make(cls, path, body):
        status, answer = cls.server.ask("POST", "/a" + path, body)
        assert status == 200, answer
        return answer

    def get(self, path, expect=200, method="GET", body=None, key=None):
        """(answer, X-Total-Count)"""
        c = http.client.HTTPConnection(self.server.address, timeout=30)
        self.addCleanup(c.close)
        c.request(method, "/api/v3" + path, body if body is None else json.dumps(body), {"Authorization": "Bearer " + (key or self.server.admin)})
        r = c.getresponse()
        answer = json.loads(r.read())
        self.assertEqual(r.status, expect, answer)
        return answer, r.headers["X-Total-Count"]

    def ids(self, path, of):
        answer, total = self.get(path)
        rows, = answer.values()
        return [r["ids"][of] if "ids" in r else r[of] for r in rows], total

    def test_pages_say_how_many_there_are(self):
        self.assertEqual(self.ids("/applications/aa/devices?limit=3", "device_id"), (["dev0", "dev1", "dev2"], "7"))
        self.assertEqual(self.ids("/applications/aa/devices?limit=3&page=3", "device_id"), (["dev6"], "7"))
        self.assertEqual(self.ids("/applications/aa/devices?limit=3&page=4", "device_id"), ([], "7"))
        self.assertEqual(self.ids("/applications/aa/api-keys?limit=2&page=2&order=name", "name"), (["k2", "k3"], "7"))
        self.assertEqual(self.ids("/applications?limit=2", "application_id")[1], "3")
        self.assertEqual(self.ids("/gateways?limit=2", "gateway_id")[1], "3")

    def test_order(self):
        for path, order, of, expected in (
                ("/applications", "application_id", "application_id", ["aa", "bb", "cc"]), ("/applications", "-application_id", "application_id", ["cc", "bb", "aa"]),
                ("/applications", "name", "application_id", ["cc", "aa", "bb"]), ("/applications", "created_at", "application_id", ["cc", "aa", "bb"]),
                ("/applications", "-created_at", "application_id", ["bb", "aa", "cc"]),
                ("/gateways", "gateway_eui", "gateway_id", ["g-aa", "g-bb", "g-cc"]), ("/gateways", "-gateway_id", "gateway_id", ["g-cc", "g-bb", "g-aa"]),
                ("/applications/aa/devices", "dev_eui", "device_id", ["dev%d" % n for n in range(6, -1, -1)]),
                ("/applications/aa/devices", "-name", "device_id", ["dev%d" % n for n in sorted(range(7), key=lambda n: -(n * 5 % 7))]),
                ("/applications/aa/api-keys", "expires_at", "name", ["k%d" % (n * 3 % 7) for n in (6, 5, 4, 3, 2, 1, 0)])):
            self.assertEqual(self.ids("%s?order=%s" % (path, order), of)[0], expected, (path, order))
        refused, _ = self.get("/applications?order=colour", 400)
        self.assertEqual(refused["details"][0]["field"], "order")
        self.assertIn("created_at", refused["message"])
        self.assertEqual(self.get("/applications?limit=x", 400)[0]["details"][0]["field"], "limit")

    def test_search(self):
        for path, of, expected in (
                ("/search/applications?name_contains=ALPHA", "application_id", ["bb"]), ("/search/applications?id_contains=a", "application_id", ["aa"]),
                ("/search/applications?description_contains=about&id_contains=c", "application_id", ["cc"]), ("/search/applications?id_contains=zz", "application_id", []),
                ("/search/gateways?eui_contains=00bb", "gateway_id", ["g-bb"]),
                ("/search/applications/aa/devices?dev_eui_contains=0ef&order=device_id", "device_id", ["dev1"]),
                ("/search/applications/aa/devices?name_contains=meter&description_contains=floor%203", "device_id", ["dev3"])):
            found, total = self.ids(path, of)
            self.assertEqual((found, total), (expected, str(len(expected))), path)

    def test_members_that_are_asked_for(self):
        listed = self.get("/applications?field_mask=name&order=application_id")[0]["applications"][0]
        self.assertEqual(set(listed), {"ids", "created_at", "updated_at", "name"})
        for path, mask, expected in (("/applications/aa", "attributes,description", {"attributes", "description"}), ("/applications/aa", "ids", set()),
                                     ("/gateways/g-aa", "location.latitude", {"location"}), ("/gateways/g-aa", "no_such", set()),
                                     ("/applications/aa/devices/dev0", "name,root_keys.app_key", {"name", "root_keys"}),
                                     ("/applications/aa/devices/dev0", "name,mac_state", {"name"})):
            got, _ = self.get("%s?field_mask=%s" % (path, mask))
            self.assertEqual(set(got), {"ids", "created_at", "updated_at"} | expected, (path, mask))
        self.assertEqual(self.get("/gateways/g-aa?field_mask=location.latitude")[0]["location"], {"latitude": 1})
        self.assertIn("lorawan_version", self.get("/applications/aa/devices/dev0?field_mask=session,mac_state")[0])
        self.assertEqual(set(self.get("/applications/aa/devices?field_mask=ids")[0]["end_devices"][0]), {"ids"})

    def test_what_is_there_cannot_be_created_again(self):
        for path, body, field in (("/applications", {"ids": {"application_id": "aa"}}, "ids.application_id"), ("/gateways", {"ids": {"gateway_id": "g-aa"}}, "ids.gateway_id"),
                                  ("/gateways", {"ids": {"gateway_id": "other", "eui": "AA555A00000000AA"}}, "ids.eui"), ("/applications/aa/devices", otaa("dev0"), "ids.device_id"),
                                  ("/applications/bb/devices", otaa("other", eui="70B3D57ED00500F0"), "ids.dev_eui")):
            refused, _ = self.get(path, 409, "POST", body)
            self.assertEqual((refused["code"], refused["details"][0]["field"]), (6, field))

    def test_a_batch_of_devices_is_deleted_at_once(self):
        self.make("/applications", {"ids": {"application_id": "batch"}})
        self.addCleanup(self.get, "/applications/batch", 200, "DELETE")
        for n in range(5):
            self.make("/applications/batch/devices", abp("dev%d" % n, addr="01DA2F%02X" % n))
        key = self.make("/applications/batch/api-keys", {"rights": ["RIGHT_APPLICATION_DEVICES_READ"]})["key"]
        batch = "/applications/batch/devices/batch"
        self.get(batch + "?device_ids=dev0", 403, "DELETE", key=key)
        for wrong in (None, {"device_ids": []}, {"device_ids": "dev0"}, {"device_ids": ["dev0", 7]}, {"device_ids": ["x"] * 1001}):
            self.assertEqual(self.get(batch, 400, "DELETE", wrong)[0]["details"][0]["field"], "device_ids")
        self.assertEqual(self.ids("/applications/batch/devices", "device_id")[1], "5", "all or none")
        self.get(batch + "?device_ids=dev0&device_ids=nobody&device_ids=dev0&device_ids=dev2", 200, "DELETE")
        self.assertEqual(self.ids("/applications/batch/devices", "device_id")[0], ["dev1", "dev3", "dev4"])
        self.get(batch, 200, "DELETE", {"device_ids": ["dev1", "dev4"]})
        self.assertEqual(self.ids("/applications/batch/devices", "device_id")[0], ["dev3"])

    def test_a_dev_eui_is_nobodys_and_can_be_used(self):
        euis = {self.get("/applications/aa/dev-eui", 200, "POST")[0]["dev_eui"] for _ in range(10)}
        self.assertEqual(len(euis), 10)
        for eui in euis:
            self.assertEqual(int(eui[:2], 16) & 3, 2, "locally administered, of no group")
        self.make("/applications/bb/devices", otaa("issued", eui=euis.pop()))
        key = self.make("/applications/aa/api-keys", {"rights": ["RIGHT_APPLICATION_DEVICES_READ"]})
        self.get("/applications/aa/dev-eui", 403, "POST", key=key["key"])
        self.get("/applications/aa/api-keys/" + key["id"], 200, "DELETE")


if __name__ == "__main__":
    unittest.main()
