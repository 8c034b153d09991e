"""Webhooks, with HTTP servers of the test's own: Python's http.server, ssl and hmac say what comes, not this project."""
import hashlib
import hmac
import http.server
import json
import os
import shutil
import socket
import ssl
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(__file__))
import shapes  # noqa: E402
from godwit import CommandError, Stack  # noqa: E402
from lorawan import Device  # noqa: E402
from stories import Stories  # noqa: E402
from test_https import openssl  # noqa: E402

KINDS = ("uplink-message", "join-accept", "downlink-queued", "downlink-sent", "downlink-ack", "downlink-nack", "downlink-failed", "service-data")
WAIT_S = 30  # for what comes at once on a machine that has nothing else to do


OK = (200, {}, b"")


class Heard:
    def __init__(self, handler, body):
        self.path, self.headers, self.body = handler.path, handler.headers, body
        self.connection, self.at = handler.client_address, time.monotonic()

    @property
    def message(self):
        return json.loads(self.body)


class Receiver:
    """An HTTP server that remembers what it was sent. answer(n, heard): status, fields and body for the nth request."""

    def __init__(self, answer=lambda n, heard: OK, tls=None, host="127.0.0.1"):
        self.heard, self.changed = [], threading.Condition()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                heard = Heard(self, self.rfile.read(int(self.headers["Content-Length"])))
                with receiver.changed:
                    receiver.heard.append(heard)
                    n = len(receiver.heard)
                    receiver.changed.notify_all()
                status, fields, body = answer(n, heard)
                self.send_response(status)
                for name, value in fields.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # who hangs up in the middle is what some tests are about

        self.server = Server((host, 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = "%s://%s:%d" % ("https" if tls else "http", host, self.port)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def wait(self, condition, what="it", timeout=WAIT_S):
        """Until something is so of what was heard."""
        with self.changed:
            if not self.changed.wait_for(lambda: condition(self.heard), timeout):
                raise AssertionError("%s did not come within %d s; heard: %s" % (what, timeout, [(h.path, h.body[:200]) for h in self.heard]))
            return list(self.heard)

    def bodies(self):
        with self.changed:
            return [h.message["uplink_message"]["f_cnt"] for h in self.heard]


def status_of(stack, app, hook="hook1"):
    return stack.cli("applications", "webhooks", "get", app, hook)


class Webhooks(Stories):
    settings = ("--as.webhook-timeout=3s", "--as.webhook-unhealthy-attempts=3", "--as.webhook-retry-interval=8s", "--as.public-url=https://lora.example.com/")

    def receiver(self, s, *args, **how):
        r = Receiver(*args, **how)
        s.closing.append(r.close)
        return r

    def application(self, s, dev="dev1"):
        """An application of the story's own, with a device that can be made to speak."""
        app = "app-%d" % s.number
        s.stack.cli("applications", "create", app)
        d = Device(dev_addr=int.from_bytes(os.urandom(3), "big"), nwk_s_key=os.urandom(16), app_s_key=os.urandom(16))
        s.stack.create_abp(d, app, dev, "--dev-eui", "70B3D57ED00%05X" % s.number)
        return app

    def set(self, s, app, *flags, hook="hook1"):
        return s.stack.cli("applications", "webhooks", "set", app, hook, *flags)

    def uplinks(self, s, app, *f_cnts, dev="dev1"):
        for n in f_cnts:
            s.stack.cli("simulate", "application-uplink", app, dev, "--f-port", "1", "--frm-payload", "AQI=", "--f-cnt", n)

    def until_status(self, s, app, condition, hook="hook1"):
        return s.until(lambda: (lambda got: got if condition(got) else None)(status_of(s.stack, app, hook)), WAIT_S, "that status")

    def story_every_kind_of_message(self, s):
        r = self.receiver(s)
        g, d = s.gateway(answer=lambda emission: ""), s.otaa("--mac-settings.desired-rx1-delay", "1", "--mac-settings.status-count-periodicity", "1")
        paths = [w for kind in KINDS for w in ("--%s.path" % kind, kind + "/{devID}")]
        self.set(s, "app1", "--base-url", r.url + "/{appID}", *paths, hook="all")
        s.join(d, g)
        s.wait(d, "join")
        s.push(d, {"f_port": 15, "frm_payload": "vu8=", "confirmed": True, "confirmed_retry": {"max_attempts": 2}})
        battery = {"f_opts": b"\x06\x81\x05"}  # heard where it was asked for
        for n in (2, 3):
            s.ask(d, g, **battery)
            g.wait_emission(n, 15)
            s.wait(d, "down/sent", n - 1)
            time.sleep(1.2)  # its window is over
        s.ask(d, g, **battery)
        s.wait(d, "down/failed")
        s.push(d, {"f_port": 15, "frm_payload": "vu8=", "confirmed": True})
        s.ask(d, g, **battery)
        s.wait(d, "down/sent", 3, 15)
        time.sleep(1.2)
        s.ask(d, g, ack=True, **battery)
        s.wait(d, "down/ack")
        s.wait(d, "service/data")
        with s.sub.changed:
            told = [(topic.split("/", 4)[4], m) for topic, m in s.sub.messages if "/%s/" % d.id in topic]
        heard = [h for h in r.wait(lambda all_: sum(h.path.endswith("/" + d.id) for h in all_) >= len(told), "as many as over MQTT")
                 if h.path.endswith("/" + d.id)]
        # The very messages that MQTT has, in that order, each at the place of its kind.
        self.assertEqual([h.message for h in heard], [m for _, m in told])
        names = {"up": "uplink-message", "join": "join-accept", "service/data": "service-data"}
        self.assertEqual([h.path for h in heard], ["/app1/%s/%s" % (names.get(kind, kind.replace("down/", "downlink-")), d.id) for kind, _ in told])
        for (kind, _), h in zip(told, heard):
            shapes.check("v3/app1/devices/%s/%s" % (d.id, kind), h.message)
            self.assertEqual((h.headers["Content-Type"], h.headers["Content-Length"]), ("application/json", str(len(h.body))))
        self.assertLessEqual({"up", "join", "down/queued", "down/sent", "down/ack", "down/nack", "down/failed", "service/data"}, {kind for kind, _ in told})
        # They went over one connection, and the story of a message tells of it.
        self.assertEqual(len({h.connection for h in heard}), 1)
        names = s.until(lambda: (lambda n: n if "as.webhook.forward" in n else None)([e["name"] for e in s.events(s.sub.wait(d.id + "/up"))]))
        self.assertIn("as.webhook.forward", names)

    def story_headers_templates_and_signature(self, s):
        r, app, secret = self.receiver(s), self.application(s), "a secret that both sides have"
        self.set(s, app, "--base-url", r.url + "/in?token=t", "--uplink-message.path", "{applicationID}/{deviceID}/up{?devEUI,joinEUI,devAddr}", "--headers",
                 "Authorization=Bearer abc,X-Site=roof,content-type=text/x", "--downlink-api-key", "NNSXS.THE.KEY", "--signature-secret", secret)
        self.uplinks(s, app, 1)
        h = r.wait(lambda heard: heard)[0]
        ids = h.message["end_device_ids"]
        # A "?" in the middle of a path's query is what RFC 6570 makes of it: the path has its own, and the base's goes before.
        self.assertEqual(h.path, "/in/%s/dev1/up?token=t&devEUI=%s&joinEUI=&devAddr=%s" % (app, ids["dev_eui"], ids["dev_addr"]))
        url = "https://lora.example.com/api/v3/as/applications/%s/webhooks/hook1/devices/dev1/down/" % app
        wanted = {"Authorization": "Bearer abc", "X-Site": "roof", "Content-Type": "application/json", "X-Downlink-Apikey": "NNSXS.THE.KEY",
                  "X-Downlink-Push": url + "push", "X-Downlink-Replace": url + "replace", "X-Tts-Domain": "lora.example.com",
                  "Host": r.url.split("//")[1]}
        self.assertEqual({k: h.headers.get_all(k) for k in wanted}, {k: [v] for k, v in wanted.items()})
        self.assertTrue(h.headers["User-Agent"].startswith("godwit/"))
        self.assertEqual(h.headers["X-Hub-Signature-256"], "sha256=" + hmac.new(secret.encode(), h.body, hashlib.sha256).hexdigest())
        # Nothing secret is shown, to nobody; what is shown may be given back.
        shown = s.stack.run("applications", "webhooks", "get", app, "hook1").stdout + s.stack.run("applications", "webhooks", "list", app).stdout
        for word in ("abc", "NNSXS.THE.KEY", secret):
            self.assertNotIn(word, shown)
        self.assertIn('"X-Site": "roof"', shown)
        self.set(s, app, "--headers", json.dumps({"Authorization": "********", "X-New": "1"}), "--field-mask", "end_device_ids,up.uplink_message.f_port,up.uplink_message.f_cnt")
        self.uplinks(s, app, 2)
        h = r.wait(lambda heard: len(heard) > 1)[1]
        self.assertEqual((h.headers["Authorization"], h.headers["X-New"], h.headers["X-Site"]), ("Bearer abc", "1", None))
        self.assertEqual(h.message, {"end_device_ids": ids, "uplink_message": {"f_port": 1, "f_cnt": 2}})
        self.assertEqual(h.headers["X-Hub-Signature-256"], "sha256=" + hmac.new(secret.encode(), h.body, hashlib.sha256).hexdigest())
        self.assertEqual(len({h.headers["X-Godwit-Delivery"] for h in r.heard}), 2)

    def story_downlinks_of_a_server(self, s):
        app = self.application(s)
        self.set(s, app, "--base-url", "http://127.0.0.1:9/", "--downlink-queued.path", "q")
        key = s.stack.create_key(app, "--right-application-traffic-down-write")
        weak = s.stack.create_key(app, "--right-application-info")

        def ask(how, n, key=key, hook="hook1"):
            url = "http://%s:%d/api/v3/as/applications/%s/webhooks/%s/devices/dev1/down/%s" % (*s.stack.address("as.http"), app, hook, how)
            body = json.dumps({"downlinks": [{"f_port": n, "frm_payload": "AQ=="}]}).encode()
            try:
                with urllib.request.urlopen(urllib.request.Request(url, body, {"Authorization": "Bearer " + key}), timeout=20) as a:
                    return a.status
            except urllib.error.HTTPError as e:
                with e:
                    return e.code
        self.assertEqual([ask("push", 1), ask("push", 2), ask("push", 3, weak), ask("push", 4, hook="none")], [200, 200, 403, 404])
        ports = lambda: [i["f_port"] for i in s.stack.cli("end-devices", "downlink", "list", app, "dev1")]  # noqa: E731
        self.assertEqual(ports(), [1, 2])
        self.assertEqual((ask("replace", 5), ports()), (200, [5]))
        self.set(s, app, "--paused")
        self.assertEqual((ask("push", 6), ports()), (406, [5]))
        self.assertEqual(status_of(s.stack, app)["status"]["received"], 3)

    def story_https_with_an_authority_of_ones_own(self, s):
        folder = tempfile.mkdtemp(prefix="godwit-hooks-")
        s.closing.append(lambda: shutil.rmtree(folder, True))
        for name in ("good", "other"):
            openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=" + name, "-addext",
                    "subjectAltName=DNS:localhost", "-keyout", os.path.join(folder, name + ".key"), "-out", os.path.join(folder, name + ".crt"))
        file = lambda name: os.path.join(folder, name)  # noqa: E731
        r, app = self.receiver(s, tls=(file("good.crt"), file("good.key"))), self.application(s)
        url = "https://localhost:%d/x" % r.port
        self.set(s, app, "--base-url", url, "--uplink-message.path", "", "--tls-ca", file("other.crt"))
        self.uplinks(s, app, 1)
        got = self.until_status(s, app, lambda got: "last_error" in got["status"])
        self.assertIn("not trusted", got["status"]["last_error"]["message"])
        self.assertEqual((got["status"]["connected"], got["status"]["queued"], r.heard), (False, 1, []))
        # Another name than the certificate's.
        self.set(s, app, "--base-url", "https://127.0.0.1:%d/x" % r.port, "--tls-ca", file("good.crt"))
        self.until_status(s, app, lambda got: "another name" in got["status"].get("last_error", {}).get("message", ""))
        self.set(s, app, "--base-url", url)
        h = r.wait(lambda heard: heard)[0]
        self.assertEqual((h.path, h.message["uplink_message"]["f_cnt"]), ("/x", 1))
        self.until_status(s, app, lambda got: got["status"]["connected"] and got["health_status"] == {"healthy": {}})
        with self.assertRaises(CommandError) as refused:
            self.set(s, app, "--tls-ca", file("good.key"))
        self.assertIn("tls_ca", str(refused.exception))

    def story_one_slow_server_delays_nobody_else(self, s):
        never = threading.Event()
        s.closing.append(never.set)
        slow, quick, app = self.receiver(s, lambda n, heard: never.wait(20) and OK or OK), self.receiver(s), self.application(s)
        self.set(s, app, "--base-url", slow.url, "--uplink-message.path", "", hook="slow")
        self.set(s, app, "--base-url", quick.url, "--uplink-message.path", "", hook="quick")
        self.uplinks(s, app, 1, 2, 3)
        quick.wait(lambda heard: len(heard) == 3)
        self.assertEqual(quick.bodies(), [1, 2, 3])
        self.assertEqual(set(slow.bodies()), {1})  # in order, so the others wait behind it
        got = self.until_status(s, app, lambda got: "last_error" in got["status"], "slow")
        self.assertIn("has not answered within 3 s", got["status"]["last_error"]["message"])
        self.assertEqual(got["status"]["queued"], 3)

    def story_servers_that_answer_oddly(self, s):
        """What one says on each of its connections, and what an operator is told of it."""
        app, heard, listener = self.application(s), [], socket.create_server(("127.0.0.1", 0))
        s.closing.append(listener.close)
        chunked = [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200", b" OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r", b"\nabc\r\n0\r\n\r\n"]
        odd = [[b"SSH-2.0-OpenSSH_9.2\r\n"], [], [b"HTTP/1.1 500 Sorry\r\nContent-Length: 99\r\n\r\nout of", b" disk"]]
        says = [pieces for each in odd for pieces in (each, chunked)] + [chunked]

        def serve():
            for pieces in says:
                with listener.accept()[0] as c:
                    c.settimeout(WAIT_S)
                    data = b""
                    while b"\r\n\r\n" not in data or len(data.split(b"\r\n\r\n", 1)[1]) < int(data.split(b"Content-Length: ")[1].split(b"\r\n")[0]):
                        data += c.recv(65536)
                    heard.append(json.loads(data.split(b"\r\n\r\n", 1)[1])["uplink_message"]["f_cnt"])
                    for piece in pieces:
                        c.sendall(piece)
                        time.sleep(0.05)
                # It closes each connection, however much might have followed on it.
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        self.set(s, app, "--base-url", "http://localhost:%d/x" % listener.getsockname()[1], "--uplink-message.path", "")
        self.uplinks(s, app, 1, 2, 3)
        self.until_status(s, app, lambda got: got["status"]["sent"] == 3)
        # The connection that was kept is gone: the next message goes over a new one, and nobody has failed.
        self.uplinks(s, app, 4)
        got = self.until_status(s, app, lambda got: got["status"]["sent"] == 4)
        thread.join(WAIT_S)
        self.assertEqual((heard, got["health_status"], got["status"]["dropped"]), ([1, 1, 2, 2, 3, 3, 4], {"healthy": {}}, 0))
        errors = [e["data"]["error"] for e in s.stack.cli("events", "--application-id", app) if e["name"] == "as.webhook.fail"]
        self.assertEqual(len(errors), 3)
        for error, words in zip(errors, ("that is no HTTP", "without an answer", "answered 500: out of disk")):
            self.assertIn(words, error)

    def story_several_connections_where_order_does_not_matter(self, s):
        both, app = threading.Barrier(2), self.application(s)
        r = self.receiver(s, lambda n, heard: (both.wait(WAIT_S), OK)[1])
        self.set(s, app, "--base-url", r.url, "--uplink-message.path", "", "--connections", "2", "--paused")
        self.uplinks(s, app, 1, 2, 3, 4)
        self.set(s, app, "--paused=false")
        r.wait(lambda heard: len(heard) == 4)
        self.until_status(s, app, lambda got: got["status"]["sent"] == 4 and got["status"]["queued"] == 0)
        self.assertEqual(sorted(r.bodies()), [1, 2, 3, 4])
        self.assertEqual(len({h.connection for h in r.heard}), 2)

    def story_what_fails_is_sent_again_and_in_order(self, s):
        app = self.application(s)
        r = self.receiver(s, lambda n, heard: (500, {}, b"not now") if n == 1 else (503, {"Retry-After": "2"}, b"") if n == 2 else OK)
        self.set(s, app, "--base-url", r.url, "--uplink-message.path", "up")
        self.uplinks(s, app, 1)
        got = self.until_status(s, app, lambda got: "last_error" in got["status"])
        self.uplinks(s, app, 2, 3)
        heard = r.wait(lambda heard: len(heard) == 5, "three messages, of which one three times")
        self.assertEqual(r.bodies(), [1, 1, 1, 2, 3])
        self.assertEqual(len({h.headers["X-Godwit-Delivery"] for h in heard[:3]}), 1)
        self.assertGreaterEqual(heard[2].at - heard[1].at, 1.9)
        self.assertIn("answered 50", got["status"]["last_error"]["message"])
        got = self.until_status(s, app, lambda got: got["status"]["sent"] == 3)
        self.assertEqual((got["status"]["queued"], got["status"]["dropped"], got["health_status"]), (0, 0, {"healthy": {}}))

    def story_what_is_refused_is_given_up_and_too_much_of_it_is_held_back(self, s):
        app = self.application(s)
        answers = [(410, {}, b"gone\n for good"), (404, {}, b""), (301, {"Location": "https://elsewhere.example/"}, b"")]
        r = self.receiver(s, lambda n, heard: answers[n - 1] if n <= 3 else OK)
        self.set(s, app, "--base-url", r.url, "--uplink-message.path", "up")
        self.uplinks(s, app, 1)
        got = self.until_status(s, app, lambda got: got["status"]["dropped"] == 1)
        self.assertIn("answered 410: gone  for good", got["status"]["last_error"]["message"])
        self.uplinks(s, app, 2)
        got = self.until_status(s, app, lambda got: got["status"]["dropped"] == 2)
        self.assertEqual(got["health_status"]["unhealthy"]["failed_attempts"], "2")
        self.assertNotIn("paused_until", got["health_status"]["unhealthy"])
        self.uplinks(s, app, 3)
        got = self.until_status(s, app, lambda got: got["status"]["dropped"] == 3)
        # The third in a row: what comes now waits until the server was left alone for a while.
        self.assertIn("it is at https://elsewhere.example/ now", got["status"]["last_error"]["message"])
        self.assertIn("paused_until", got["health_status"]["unhealthy"])
        self.uplinks(s, app, 4)
        r.wait(lambda heard: len(heard) == 4)
        self.assertEqual(r.bodies(), [1, 2, 3, 4])
        self.until_status(s, app, lambda got: got["status"]["sent"] == 1 and got["health_status"] == {"healthy": {}})
        names = [e["name"] for e in s.stack.cli("events", "--application-id", app)]
        for name in ("as.webhook.set", "as.webhook.fail", "as.webhook.drop", "as.webhook.start"):
            self.assertIn(name, names)

    def story_a_change_takes_effect_at_once_and_a_pause_keeps_what_comes(self, s):
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            port = nobody.getsockname()[1]
        r, app = self.receiver(s), self.application(s)
        self.set(s, app, "--base-url", "http://127.0.0.1:%d" % port, "--uplink-message.path", "up")
        self.uplinks(s, app, 1)
        got = self.until_status(s, app, lambda got: "last_error" in got["status"])
        self.assertIn("refused", got["status"]["last_error"]["message"].lower())
        self.set(s, app, "--paused", "--join-accept.path", "join")
        self.set(s, app, "--base-url", r.url)
        self.uplinks(s, app, 2)
        self.assertEqual((status_of(s.stack, app)["status"]["queued"], r.heard), (2, []))
        self.set(s, app, "--paused=false")
        r.wait(lambda heard: len(heard) == 2)
        self.assertEqual(r.bodies(), [1, 2])
        s.stack.cli("applications", "webhooks", "delete", app, "hook1")
        with self.assertRaises(CommandError):
            status_of(s.stack, app)
        self.assertEqual(s.stack.cli("applications", "webhooks", "list", app), [])


class Crash(unittest.TestCase):
    def test_messages_outlive_a_crash_and_addresses_can_be_forbidden(self):
        failing = threading.Event()
        failing.set()
        r = Receiver(lambda n, heard: (500, {}, b"") if failing.is_set() else OK)
        self.addCleanup(r.close)
        stack = Stack(start=False).fix_ports()
        self.addCleanup(stack.close)
        stack.start()
        stack.create_application("app1")
        stack.create_abp(Device(dev_addr=1, nwk_s_key=os.urandom(16), app_s_key=os.urandom(16)), "app1", "dev1")
        stack.cli("applications", "webhooks", "set", "app1", "hook1", "--base-url", r.url, "--uplink-message.path", "up", "--signature-secret", "0123456789abcdef")
        simulate = lambda n: stack.cli("simulate", "application-uplink", "app1", "dev1", "--f-port", "1", "--frm-payload", "AQ==", "--f-cnt", n)  # noqa: E731
        for n in (1, 2, 3):
            simulate(n)
        r.wait(lambda heard: heard)
        stack.kill()
        stack.start()
        failing.clear()
        r.wait(lambda heard: {1, 2, 3} <= {h.message["uplink_message"]["f_cnt"] for h in heard})
        numbers = r.bodies()
        first = [n for i, n in enumerate(numbers) if n not in numbers[:i]]
        self.assertEqual(first, [1, 2, 3])
        self.assertEqual(sorted(numbers), numbers)
        # Each has the signature and the number that it had before the crash.
        self.assertEqual(len({h.headers["X-Godwit-Delivery"] for h in r.heard if h.message["uplink_message"]["f_cnt"] == 1}), 1)
        for h in r.heard:
            self.assertEqual(h.headers["X-Hub-Signature-256"], "sha256=" + hmac.new(b"0123456789abcdef", h.body, hashlib.sha256).hexdigest())
        # Names that stand for this host are of no help where it may not be reached.
        stack.kill()
        stack.settings.append("--as.private-addresses=false")
        stack.start()
        before = len(r.heard)
        for base in (r.url, "http://localhost:%d" % r.port, "http://[::ffff:127.0.0.1]:%d" % r.port):
            stack.cli("applications", "webhooks", "set", "app1", "hook1", "--base-url", base)
            simulate(4)
            end = time.monotonic() + WAIT_S
            while "no public address" not in status_of(stack, "app1")["status"].get("last_error", {}).get("message", ""):
                self.assertLess(time.monotonic(), end)
                time.sleep(0.05)
        self.assertEqual(len(r.heard), before)


if __name__ == "__main__":
    unittest.main()
