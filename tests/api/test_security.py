"""Login, roles, API keys, rate limits, audit, and clients that mean no good."""
import base64
import hashlib
import hmac
import http.client
import json
import os
import socket
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support.caudal import Caudal, chain, node  # noqa: E402

SECRET = "a secret of tests that is long enough, 0123456789"
PASSWORD = "correct horse battery"
FLOW = {"name": "secured", "nodes": [node("1", "manual-trigger", {"output": [1]}), node("2", "log")], "connections": chain("1", "2")}


def encode(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forge(claims, secret=SECRET, algorithm="HS256"):
    """A token as another program would make it."""
    text = encode(json.dumps({"alg": algorithm, "typ": "JWT"}).encode()) + "." + encode(json.dumps(claims).encode())
    digest = {"HS256": hashlib.sha256, "HS512": hashlib.sha512}.get(algorithm)
    return text + "." + ("" if digest is None else encode(hmac.new(secret.encode(), text.encode(), digest).digest()))


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


class Secured(unittest.TestCase):
    environment = {}

    @classmethod
    def setUpClass(cls):
        cls.caudal = Caudal(JWT_SECRET=SECRET, ADMIN_PASSWORD=PASSWORD, API_RATE_LIMIT="100000", **cls.environment)
        cls.count = 0
        cls.admin = cls.login("admin", PASSWORD).data["accessToken"]

    @classmethod
    def tearDownClass(cls):
        cls.caudal.stop()

    @classmethod
    def login(cls, username, password):
        return cls.caudal.post("/auth/login", {"username": username, "password": password})

    def call(self, method, path, body=None, token="", **headers):
        if token:
            headers["Authorization"] = "Bearer " + token
        return self.caudal.call(method, path, body, headers=headers)

    def user(self, role, password=PASSWORD):
        type(self).count += 1
        name = f"{role}-{type(self).__name__.lower()}-{self.count}"
        made = self.call("POST", "/users", {"username": name, "password": password, "role": role}, self.admin)
        self.assertEqual(made.status, 201, made.text)
        return made.data, self.login(name, password).data

    def refused(self, answer, status, code, field=None):
        self.assertEqual(answer.status, status, answer.text)
        self.assertEqual(answer.json["code"], code)
        self.assertGreater(len(answer.json["message"]), 10)
        if field is not None:
            self.assertEqual(answer.json["details"].get("field"), field)
        return answer.json


class Login(Secured):
    def test_everything_but_health_docs_and_webhooks_needs_a_credential(self):
        document = self.caudal.get("/api/docs-json").json
        open_paths = ("/", "/api/docs", "/api/docs-json", "/metrics", "/webhooks/{path}", "/wait/{token}")  # the token is the credential
        tried = 0
        for path, item in document["paths"].items():
            concrete = path.replace("{id}", "00000000-0000-4000-8000-000000000000").replace("{", "").replace("}", "")
            for method in item:
                answer = self.caudal.call(method.upper(), concrete, {} if method in ("post", "put") else None)
                if path in open_paths or path.startswith("/api/v1/health") or path in ("/api/v1/auth/login", "/api/v1/auth/refresh", "/api/v1/auth/status"):
                    self.assertNotIn(answer.status, (403,), path)
                    continue
                self.refused(answer, 401, "UNAUTHORIZED", "Authorization")
                self.assertEqual(answer.headers["www-authenticate"], "Bearer")
                tried += 1
        self.assertGreater(tried, 60)
        self.assertTrue(self.caudal.get("/auth/status").data["loginRequired"])

    def test_only_gateways_sign_links_of_approvals(self):
        """Who has read the store knows what stands for the link, and no more."""
        nodes = [node("t", "manual-trigger"), node("w", "wait", {"mode": "approval"})]
        flow = self.call("POST", "/flows", {"name": "approval", "nodes": nodes, "connections": chain("t", "w")}, self.admin).data["id"]
        execution = self.call("POST", f"/flows/{flow}/run", {}, self.admin).data["executionId"]
        end, waits = time.monotonic() + 60, []
        while not waits and time.monotonic() < end:
            waits = self.call("GET", f"/scheduler/executions/{execution}", token=self.admin).data["waits"]
        reference = waits[0]["url"].removeprefix("/wait/").split(".")[0]
        text = b"link of a wait\n~" + reference.encode()
        signed = {key: hmac.new(key.encode(), text, hashlib.sha256).hexdigest() for key in (SECRET, "", "another")}
        self.assertEqual(waits[0]["url"], f"/wait/{reference}.{signed[SECRET]}")
        for key, status in (("", 404), ("another", 404), (SECRET, 200)):
            connection = http.client.HTTPConnection("127.0.0.1", self.caudal.port, timeout=40)
            connection.request("POST", f"/wait/{reference}.{signed[key]}", "decision=approve", {"Content-Type": "application/x-www-form-urlencoded"})
            self.assertEqual(connection.getresponse().status, status, key)
            connection.close()

    def test_login_tells_who_and_refuses_alike(self):
        answer = self.login("ADMIN", PASSWORD)
        self.assertEqual(answer.status, 200, answer.text)
        self.assertEqual((answer.data["tokenType"], answer.data["expiresIn"], answer.data["user"]["role"]), ("Bearer", 900, "admin"))
        me = self.call("GET", "/auth/me", token=answer.data["accessToken"]).data
        self.assertEqual((me["username"], me["role"], me["loginRequired"]), ("admin", "admin", True))
        wrong = self.refused(self.login("admin", "wrong password"), 401, "UNAUTHORIZED")
        unknown = self.refused(self.login("nobody", "wrong password"), 401, "UNAUTHORIZED")
        self.assertEqual(wrong["message"], unknown["message"])
        self.refused(self.caudal.post("/auth/login", {"username": "admin"}), 400, "VALIDATION_ERROR", "password")
        self.refused(self.caudal.post("/auth/login", {"username": "x" * 65, "password": "y"}), 400, "VALIDATION_ERROR", "username")

    def test_forged_and_expired_tokens_are_refused(self):
        good = claims_of(self.admin)
        now = int(time.time())
        for token, why in [
            ("", "no"), ("x", "no"), ("a.b.c", "no"), (self.admin[:-4] + "AAAA", "signature"),
            (forge(good, secret="another secret that is long enough 0123456789"), "secret"), (forge(good, algorithm="none"), "none"),
            (forge(good, algorithm="HS512"), "algorithm"), (forge({**good, "exp": now - 10}), "expired"), (forge({**good, "exp": None}), "no expiry"),
            (forge({k: v for k, v in good.items() if k != "exp"}), "no expiry"), (forge({**good, "iss": "else"}), "issuer"),
            (forge({**good, "sid": "00000000-0000-4000-8000-000000000000"}), "session"), (forge({**good, "sub": "00000000-0000-4000-8000-000000000000"}), "user"),
            (forge({**good, "sub": "../../etc"}), "no id"), (forge([1]), "no object"), ("cdl_" + "A" * 43, "key"), ("cdl_" + "x" * 20000, "long"),
            (self.admin + "." + self.admin, "two"),
        ]:
            answer = self.caudal.call("GET", "/flows", headers={"Authorization": "Bearer " + token})
            self.assertEqual((answer.status, answer.json["code"]), (401, "UNAUTHORIZED"), why)
        self.assertIn("expired", self.caudal.call("GET", "/flows", headers={"Authorization": "Bearer " + forge({**good, "exp": now - 10})}).json["message"])
        self.refused(self.caudal.call("GET", "/flows", headers={"Authorization": "Basic YWRtaW46cGFzc3dvcmQ="}), 401, "UNAUTHORIZED")
        self.assertEqual(self.call("GET", "/flows", token=forge({**good, "exp": now + 60})).status, 200)  # the test's tokens are right in all else

    def test_refresh_rotates_and_a_stolen_token_ends_the_session(self):
        _, tokens = self.user("viewer")
        second = self.caudal.post("/auth/refresh", {"refreshToken": tokens["refreshToken"]})
        self.assertEqual(second.status, 200, second.text)
        self.assertNotEqual(second.data["refreshToken"], tokens["refreshToken"])
        self.assertEqual(self.call("GET", "/flows", token=second.data["accessToken"]).status, 200)
        again = self.caudal.post("/auth/refresh", {"refreshToken": tokens["refreshToken"]})
        self.assertEqual(again.status, 200)  # within the grace of two tabs
        third = self.caudal.post("/auth/refresh", {"refreshToken": again.data["refreshToken"]})
        self.assertEqual(third.status, 200)
        for bad in ("cdr_x", tokens["refreshToken"][:-1] + ("A" if tokens["refreshToken"][-1] != "A" else "B"), "x" * 200, tokens["accessToken"][:200]):
            self.refused(self.caudal.post("/auth/refresh", {"refreshToken": bad}), 401, "UNAUTHORIZED", "refreshToken")

    def test_logout_ends_the_session_at_once(self):
        user, first = self.user("operator")
        second = self.login(user["username"], PASSWORD).data
        self.assertEqual(self.call("POST", "/auth/logout", token=first["accessToken"]).status, 204)
        self.refused(self.call("GET", "/flows", token=first["accessToken"]), 401, "UNAUTHORIZED")
        self.refused(self.caudal.post("/auth/refresh", {"refreshToken": first["refreshToken"]}), 401, "UNAUTHORIZED")
        self.assertEqual(self.call("GET", "/flows", token=second["accessToken"]).status, 200)
        third = self.login(user["username"], PASSWORD).data
        self.assertEqual(self.call("POST", "/auth/logout", {"all": True}, second["accessToken"]).status, 204)
        self.refused(self.call("GET", "/flows", token=third["accessToken"]), 401, "UNAUTHORIZED")

    def test_sessions_of_a_user_are_bounded(self):
        user, first = self.user("viewer")
        for _ in range(50):
            self.assertEqual(self.login(user["username"], PASSWORD).status, 200)
        self.assertEqual(self.call("GET", f"/users/{user['id']}", token=self.admin).data["sessions"], 50)
        self.refused(self.call("GET", "/flows", token=first["accessToken"]), 401, "UNAUTHORIZED")

    def test_own_password(self):
        user, tokens = self.user("viewer")
        other = self.login(user["username"], PASSWORD).data
        change = lambda current, new: self.call("PUT", "/auth/password", {"currentPassword": current, "newPassword": new}, tokens["accessToken"])  # noqa: E731
        self.refused(change("not the password", "another password"), 400, "VALIDATION_ERROR", "currentPassword")
        self.refused(change(PASSWORD, "short"), 400, "VALIDATION_ERROR", "newPassword")
        self.refused(change(PASSWORD, user["username"].upper()), 400, "VALIDATION_ERROR", "newPassword")
        self.assertEqual(change(PASSWORD, "another password").status, 204)
        self.assertEqual(self.call("GET", "/flows", token=tokens["accessToken"]).status, 200)
        self.refused(self.call("GET", "/flows", token=other["accessToken"]), 401, "UNAUTHORIZED")
        self.refused(self.login(user["username"], PASSWORD), 401, "UNAUTHORIZED")
        self.assertEqual(self.login(user["username"], "another password").status, 200)

    def test_guessing_is_slowed_down(self):
        user, _ = self.user("viewer")
        statuses = [self.login(user["username"], f"guess number {i}").status for i in range(11)]
        self.assertEqual(statuses, [401] * 10 + [429])
        answer = self.login(user["username"], PASSWORD)
        self.refused(answer, 429, "RATE_LIMIT_EXCEEDED")
        self.assertEqual(answer.headers["retry-after"], "300")

    def test_survives_a_restart(self):
        caudal = Caudal(JWT_SECRET=SECRET, ADMIN_PASSWORD=PASSWORD)
        tokens = caudal.post("/auth/login", {"username": "admin", "password": PASSWORD}).data
        caudal.kill()
        caudal.start()
        self.assertEqual(caudal.call("GET", "/flows", headers={"Authorization": "Bearer " + tokens["accessToken"]}).status, 200)
        self.assertEqual(caudal.post("/auth/refresh", {"refreshToken": tokens["refreshToken"]}).status, 200)
        caudal.stop()


class Roles(Secured):
    def test_each_route_needs_its_role(self):
        tokens = {role: self.user(role)[1]["accessToken"] for role in ("viewer", "operator", "editor", "admin")}
        flow = self.call("POST", "/flows", FLOW, tokens["editor"])
        self.assertEqual(flow.status, 201, flow.text)
        place = f"/flows/{flow.data['id']}"
        steps = [("viewer", "GET", "/flows", None, 200), ("viewer", "POST", "/flows/validate", FLOW, 200), ("viewer", "GET", "/node-core/catalog", None, (200, 404)),
                 ("operator", "POST", place + "/run", {}, 201), ("operator", "GET", "/dead-letters", None, 200), ("editor", "PUT", place, {"description": "x"}, 200),
                 ("admin", "GET", "/users", None, 200), ("admin", "GET", "/audit", None, 200), ("admin", "PUT", "/settings", {}, 200)]
        order = ["viewer", "operator", "editor", "admin"]
        for needed, method, path, body, good in steps:
            for role in order:
                answer = self.call(method, path, body, tokens[role])
                if order.index(role) >= order.index(needed):
                    self.assertIn(answer.status, good if isinstance(good, tuple) else (good,), (role, method, path, answer.text))
                else:
                    problem = self.refused(answer, 403, "FORBIDDEN")
                    self.assertIn(needed, problem["message"])
                    self.assertIn(role, problem["message"])

    def test_changes_of_a_user_hold_at_once(self):
        user, tokens = self.user("editor")
        place, token = f"/users/{user['id']}", tokens["accessToken"]
        self.assertEqual(self.call("GET", "/flows", token=token).status, 200)
        self.assertEqual(self.call("PUT", place, {"role": "viewer"}, self.admin).data["role"], "viewer")
        self.refused(self.call("POST", "/flows", FLOW, token), 403, "FORBIDDEN")
        self.assertTrue(self.call("PUT", place, {"disabled": True}, self.admin).data["disabled"])
        self.refused(self.call("GET", "/flows", token=token), 401, "UNAUTHORIZED")
        self.refused(self.login(user["username"], PASSWORD), 403, "FORBIDDEN")
        self.assertEqual(self.call("PUT", place, {"disabled": False}, self.admin).status, 200)
        token = self.login(user["username"], PASSWORD).data["accessToken"]
        self.assertEqual(self.call("PUT", place, {"password": "a new password"}, self.admin).status, 200)
        self.refused(self.call("GET", "/flows", token=token), 401, "UNAUTHORIZED")
        token = self.login(user["username"], "a new password").data["accessToken"]
        self.assertEqual(self.call("DELETE", place, token=self.admin).status, 204)
        self.refused(self.call("GET", "/flows", token=token), 401, "UNAUTHORIZED")
        self.refused(self.call("GET", place, token=self.admin), 404, "NOT_FOUND")

    def test_users_are_validated_and_never_shown_with_secrets(self):
        new = lambda **body: self.call("POST", "/users", body, self.admin)  # noqa: E731
        self.refused(new(username="a b", password=PASSWORD, role="viewer"), 400, "VALIDATION_ERROR", "username")
        self.refused(new(username="ab", password="short", role="viewer"), 400, "VALIDATION_ERROR", "password")
        self.refused(new(username="ab", password=PASSWORD, role="root"), 400, "VALIDATION_ERROR", "role")
        self.refused(new(username="Admin", password=PASSWORD, role="viewer"), 409, "CONFLICT", "username")
        listed = self.call("GET", "/users", token=self.admin)
        self.assertNotIn("argon2", listed.text.decode())
        self.assertNotIn("hash", listed.text.decode().lower())

    def test_the_last_administrator_stays(self):
        caudal = Caudal(JWT_SECRET=SECRET, ADMIN_PASSWORD=PASSWORD)
        answer = caudal.post("/auth/login", {"username": "admin", "password": PASSWORD}).data
        headers, place = {"Authorization": "Bearer " + answer["accessToken"]}, "/users/" + answer["user"]["id"]
        for method, body in (("DELETE", None), ("PUT", {"role": "viewer"}), ("PUT", {"disabled": True})):
            self.refused(caudal.call(method, place, body, headers), 409, "CONFLICT", "role")
        caudal.stop()


class ApiKeys(Secured):
    def test_a_key_acts_for_its_user_in_its_own_role(self):
        user, tokens = self.user("editor")
        token = tokens["accessToken"]
        made = self.call("POST", "/api-keys", {"name": "ci", "role": "operator"}, token)
        self.assertEqual(made.status, 201, made.text)
        key = made.data["key"]
        self.assertTrue(key.startswith("cdl_"))
        self.assertEqual(self.call("GET", "/flows", token=key).status, 200)
        self.assertEqual(self.caudal.call("GET", "/flows", headers={"X-Api-Key": key}).status, 200)
        self.refused(self.call("POST", "/flows", FLOW, key), 403, "FORBIDDEN")
        me = self.call("GET", "/auth/me", token=key).data
        self.assertEqual((me["username"], me["role"], me["apiKeyId"]), (user["username"], "operator", made.data["id"]))
        self.refused(self.call("POST", "/api-keys", {"name": "more"}, key), 403, "FORBIDDEN")
        self.refused(self.call("PUT", "/auth/password", {"currentPassword": PASSWORD, "newPassword": "another password"}, key), 403, "FORBIDDEN")
        self.assertEqual(self.call("PUT", f"/users/{user['id']}", {"role": "viewer"}, self.admin).status, 200)
        self.assertEqual(self.call("GET", "/auth/me", token=key).data["role"], "viewer")  # never above its user
        self.assertEqual(self.call("PUT", f"/users/{user['id']}", {"disabled": True}, self.admin).status, 200)
        self.refused(self.call("GET", "/flows", token=key), 401, "UNAUTHORIZED")

    def test_keys_are_shown_once_listed_to_their_user_and_deleted(self):
        _, mine = self.user("operator")
        _, others = self.user("operator")
        made = self.call("POST", "/api-keys", {"name": "mine"}, mine["accessToken"]).data
        self.assertEqual(made["role"], "viewer")
        self.assertEqual(self.call("GET", "/flows", token=made["key"]).status, 200)
        listed = self.call("GET", "/api-keys", token=mine["accessToken"])
        self.assertEqual([row["name"] for row in listed.data], ["mine"])
        self.assertNotIn(made["key"], listed.text.decode())
        self.assertNotIn("hash", listed.text.decode())
        self.assertEqual(self.call("GET", "/api-keys", token=others["accessToken"]).data, [])
        self.assertIn(made["id"], [row["id"] for row in self.call("GET", "/api-keys", token=self.admin).data])
        self.refused(self.call("DELETE", "/api-keys/" + made["id"], token=others["accessToken"]), 404, "NOT_FOUND")
        self.assertEqual(self.call("DELETE", "/api-keys/" + made["id"], token=mine["accessToken"]).status, 204)
        self.refused(self.call("GET", "/flows", token=made["key"]), 401, "UNAUTHORIZED")

    def test_refusals(self):
        _, tokens = self.user("operator")
        new = lambda **body: self.call("POST", "/api-keys", body, tokens["accessToken"])  # noqa: E731
        self.refused(new(), 400, "VALIDATION_ERROR", "name")
        self.refused(new(name="x", role="admin"), 403, "FORBIDDEN", "role")
        self.refused(new(name="x", role="king"), 400, "VALIDATION_ERROR", "role")
        self.refused(new(name="x", expiresAt="yesterday"), 400, "VALIDATION_ERROR", "expiresAt")
        self.refused(new(name="x", expiresAt="2001-01-01T00:00:00Z"), 400, "VALIDATION_ERROR", "expiresAt")

    def test_an_expired_key_is_refused(self):
        soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
        key = self.call("POST", "/api-keys", {"name": "brief", "expiresAt": soon}, self.admin).data["key"]
        self.assertEqual(self.call("GET", "/flows", token=key).status, 200)
        end = time.monotonic() + 30
        while self.call("GET", "/flows", token=key).status == 200 and time.monotonic() < end:
            time.sleep(0.1)
        self.assertIn("expired", self.refused(self.call("GET", "/flows", token=key), 401, "UNAUTHORIZED")["message"])


class Audit(Secured):
    def test_what_changes_is_recorded_with_who_and_from_where(self):
        user, tokens = self.user("editor")
        flow = self.call("POST", "/flows", {**FLOW, "name": "audited"}, tokens["accessToken"]).data
        self.call("DELETE", f"/flows/{flow['id']}", token=tokens["accessToken"])
        self.login(user["username"], "a wrong password")
        entries = self.entries(lambda rows: {"login refused", "DELETE /api/v1/flows/:id"} <= {row["action"] for row in rows})
        removal = next(row for row in entries if row["action"] == "DELETE /api/v1/flows/:id")
        self.assertEqual((removal["actor"], removal["target"], removal["address"]), (user["username"], f"/api/v1/flows/{flow['id']}", "127.0.0.1"))
        self.assertIn(("login", user["username"]), [(row["action"], row["actor"]) for row in entries])
        self.assertNotIn(PASSWORD, json.dumps(entries))

    def entries(self, complete):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            rows = self.call("GET", "/audit?limit=100", token=self.admin).data["data"]
            if complete(rows):
                return rows
            time.sleep(0.02)
        raise AssertionError(rows)


class Secrets(unittest.TestCase):
    def test_no_secret_is_stored_or_logged(self):
        caudal = Caudal(JWT_SECRET=SECRET, ADMIN_PASSWORD=PASSWORD, LOG_LEVEL="debug")
        tokens = caudal.post("/auth/login", {"username": "admin", "password": PASSWORD}).data
        headers = {"Authorization": "Bearer " + tokens["accessToken"]}
        key = caudal.call("POST", "/api-keys", {"name": "planted", "role": "admin"}, headers).data["key"]
        caudal.call("GET", "/flows", headers={"X-Api-Key": key})
        caudal.post("/auth/login", {"username": "admin", "password": "planted wrong password"})
        caudal.call("GET", "/nowhere?access_token=planted-in-a-query", headers=headers)
        caudal.stop(remove=False)
        planted = [PASSWORD, SECRET, key, tokens["accessToken"], tokens["refreshToken"], tokens["refreshToken"].split(".")[-1], "planted wrong password", "planted-in-a-query"]
        searched = 0
        for folder, _, files in os.walk(caudal.directory):
            for name in files:
                with open(os.path.join(folder, name), "rb") as file:
                    content = file.read()
                searched += len(content)
                for secret in planted:
                    self.assertNotIn(secret.encode(), content, name)
        self.assertGreater(searched, 10000)

    def test_the_first_password_is_in_a_file_that_only_its_owner_reads(self):
        caudal = Caudal(JWT_SECRET=SECRET, ADMIN_USERNAME="Root")
        path = os.path.join(caudal.directory, "initial-admin-password")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        with open(path, encoding="ascii") as file:
            password = file.read().strip()
        self.assertNotIn(password, caudal.log_text())
        self.assertIn(path, caudal.log_text())
        caudal.kill()
        caudal.start()  # the second start makes nothing new
        answer = caudal.post("/auth/login", {"username": "root", "password": password})
        self.assertEqual(answer.status, 200, answer.text)
        headers = {"Authorization": "Bearer " + answer.data["accessToken"]}
        self.assertEqual(caudal.call("PUT", "/auth/password", {"currentPassword": password, "newPassword": PASSWORD}, headers).status, 204)
        self.assertFalse(os.path.exists(path))
        caudal.stop()

    def test_starts_on_another_address_only_with_a_secret(self):
        with self.assertRaises(RuntimeError) as refused:
            Caudal(HOST="0.0.0.0")
        self.assertIn("HOST", str(refused.exception))
        self.assertIn("JWT_SECRET", str(refused.exception))
        with self.assertRaises(RuntimeError) as refused:
            Caudal(JWT_SECRET="short")
        self.assertIn("JWT_SECRET", str(refused.exception))
        self.assertNotIn('"short"', str(refused.exception))
        caudal = Caudal(HOST="0.0.0.0", JWT_SECRET=SECRET, ADMIN_PASSWORD=PASSWORD)
        self.assertEqual(caudal.get("/flows").status, 401)
        caudal.stop()


class Limits(unittest.TestCase):
    def test_requests_of_an_address_are_counted_and_refused(self):
        caudal = Caudal(API_RATE_LIMIT="20")
        answers = [caudal.get("/flows") for _ in range(21)]
        self.assertEqual([a.status for a in answers], [200] * 20 + [429])
        self.assertEqual(answers[0].headers["x-ratelimit-limit"], "20")
        left = [int(a.headers["x-ratelimit-remaining"]) for a in answers]
        self.assertEqual(left[:3], [19, 18, 17])
        self.assertEqual(left[-1], 0)
        self.assertEqual(answers[-1].json["code"], "RATE_LIMIT_EXCEEDED")
        self.assertTrue(1 <= int(answers[-1].headers["retry-after"]) <= 120)
        self.assertEqual(caudal.get("/health/live").status, 200)
        self.assertEqual(caudal.get("/metrics").status, 200)
        self.assertEqual(caudal.call("OPTIONS", "/flows").status, 204)
        caudal.stop()

    def test_users_and_keys_have_limits_of_their_own_and_proxies_are_believed_when_named(self):
        caudal = Caudal(JWT_SECRET=SECRET, ADMIN_PASSWORD=PASSWORD, API_RATE_LIMIT="10", TRUSTED_PROXIES="127.0.0.0/8")
        token = caudal.post("/auth/login", {"username": "admin", "password": PASSWORD}).data["accessToken"]
        get = lambda **headers: caudal.call("GET", "/flows", headers={k.replace("_", "-"): v for k, v in headers.items()}).status  # noqa: E731
        key = caudal.call("POST", "/api-keys", {"name": "k"}, {"Authorization": "Bearer " + token}).data["key"]
        self.assertEqual([get(Authorization="Bearer " + token) for _ in range(10)], [200] * 9 + [429])
        self.assertEqual(get(X_Api_Key=key), 200)  # first use: of the address; then of its own
        self.assertEqual([get(X_Api_Key=key) for _ in range(11)], [200] * 10 + [429])
        self.assertEqual([get(X_Forwarded_For="192.0.2.1") for _ in range(11)], [401] * 10 + [429])
        self.assertEqual(get(X_Forwarded_For="192.0.2.2"), 401)
        self.assertEqual(get(X_Forwarded_For="192.0.2.2, 192.0.2.1"), 429)  # what the client says of itself does not count
        self.assertEqual(get(X_Forwarded_For="192.0.2.1, 127.0.0.9"), 429)
        made_up = [get(X_Api_Key=f"cdl_made-up-{i}", X_Forwarded_For="192.0.2.3") for i in range(11)]
        self.assertEqual(made_up, [401] * 10 + [429])
        caudal.stop()

    def test_a_bad_proxy_list_stops_the_start(self):
        with self.assertRaises(RuntimeError) as refused:
            Caudal(TRUSTED_PROXIES="10.0.0.0/8,everybody")
        self.assertIn("TRUSTED_PROXIES", str(refused.exception))


class Pages(unittest.TestCase):
    """Without a login: pages of other sites in the browser of somebody on this machine."""

    @classmethod
    def setUpClass(cls):
        cls.caudal = Caudal(WS_CORS_ORIGINS="http://localhost:5173,https://flows.example")

    @classmethod
    def tearDownClass(cls):
        cls.caudal.stop()

    def post(self, **headers):
        return self.caudal.call("POST", "/flows/validate", FLOW, headers={k: v for k, v in headers.items()}).status

    def test_only_listed_origins_may_write(self):
        self.assertEqual(self.post(), 200)
        self.assertEqual(self.post(Origin=f"http://127.0.0.1:{self.caudal.port}"), 200)
        self.assertEqual(self.post(Origin="http://localhost:5173"), 200)
        self.assertEqual(self.post(Origin="https://evil.example"), 403)
        self.assertEqual(self.post(Origin="null"), 403)

    def test_names_of_others_that_lead_here_are_refused(self):
        for host, status in (("localhost:1", 200), ("[::1]:80", 200), ("127.0.0.1", 200), ("caudal.localhost", 200), ("flows.example", 200),
                             ("evil.example", 403), ("localhost.evil.example", 403), ("notlocalhost", 403), ("", 403)):
            self.assertEqual(self.post(Host=host), status, host)


class BadClients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.caudal = Caudal(REQUEST_TIMEOUT_MS="500")

    @classmethod
    def tearDownClass(cls):
        cls.caudal.stop()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.caudal.port), timeout=60)

    def test_headers_have_a_limit(self):
        for start in (b"GET /api/v1/flows HTTP/1.1\r\nHost: localhost\r\nX-Large: ", b"GET /api/v1/flows?x="):
            with self.connect() as client:
                try:
                    client.sendall(start + b"a" * 200000 + b"\r\n\r\n")
                except OSError:
                    pass  # the answer comes before the end
                status = self.status_of(client)
                self.assertIn(status, (413, 414, 431, None))
        many = b"".join(b"X-%d: y\r\n" % i for i in range(20000))
        with self.connect() as client:
            try:
                client.sendall(b"GET /api/v1/flows HTTP/1.1\r\nHost: localhost\r\n" + many + b"\r\n")
            except OSError:
                pass
            self.assertIn(self.status_of(client), (431, None))
        self.assertEqual(self.caudal.get("/health/live").status, 200)

    def status_of(self, client):
        try:
            line = client.recv(64)
        except OSError:
            return None
        return int(line.split()[1]) if line else None

    def dribble(self, start, piece, clients=20):
        """Sends a byte now and then until the service ends the connection."""
        sockets = [self.connect() for _ in range(clients)]
        ended = [False] * clients
        try:
            for client in sockets:
                client.sendall(start)
                client.settimeout(0.05)
            for _ in range(1200):
                for i, client in enumerate(sockets):
                    if ended[i]:
                        continue
                    try:
                        client.sendall(piece)
                        ended[i] = client.recv(4096) == b""
                    except TimeoutError:
                        pass
                    except OSError:
                        ended[i] = True
                if all(ended):
                    return True
            return False
        finally:
            for client in sockets:
                client.close()

    def test_slow_senders_are_cut_off_while_others_are_served(self):
        results = {}
        attacks = {"line": (b"GET /", b"a"), "headers": (b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"X-A: b\r\n"),
                   "body": (b"POST /api/v1/flows HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2000\r\n\r\n{", b" ")}
        threads = [threading.Thread(target=lambda n=name, a=attack: results.__setitem__(n, self.dribble(*a))) for name, attack in attacks.items()]
        for thread in threads:
            thread.start()
        for _ in range(50):
            self.assertEqual(self.caudal.get("/flows").status, 200)
        for thread in threads:
            thread.join()
        self.assertEqual(results, {"line": True, "headers": True, "body": True})

    def test_a_reader_who_does_not_read_is_cut_off(self):
        with self.connect() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            request = b"GET /api/docs HTTP/1.1\r\nHost: localhost\r\n\r\n"
            ended = False
            client.settimeout(0.05)
            for _ in range(1200):
                try:
                    client.sendall(request)
                    time.sleep(0.05)
                except TimeoutError:
                    continue
                except OSError:
                    ended = True
                    break
            self.assertTrue(ended)

    def test_a_slow_but_honest_client_is_served(self):
        with self.connect() as client:
            body = json.dumps(FLOW).encode()
            client.sendall(b"POST /api/v1/flows/validate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
            client.sendall(body[:100])
            time.sleep(0.1)
            client.sendall(body[100:])
            self.assertEqual(self.status_of(client), 200)

    def test_garbage_gets_an_answer_or_an_end(self):
        for garbage in (b"\x00" * 1000, b"GET\r\n\r\n", b"\xff\xfe\xfd GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"):
            with self.connect() as client:
                client.sendall(garbage)
                self.assertIn(self.status_of(client), (None, 400, 404, 405, 505, 413))
        self.assertEqual(self.caudal.get("/health/live").status, 200)


class WebSocketLogin(Secured):
    def upgrade(self, path, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.caudal.port, timeout=30)
        connection.request("GET", path, headers={"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
                                                 "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(), **headers})
        response = connection.getresponse()
        connection.close()
        return response.status

    def test_the_socket_needs_a_credential(self):
        self.assertEqual(self.upgrade("/ws"), 401)
        self.assertEqual(self.upgrade("/ws?access_token=x"), 401)
        self.assertEqual(self.upgrade("/ws?access_token=" + self.admin), 101)
        self.assertEqual(self.upgrade("/ws", Authorization="Bearer " + self.admin), 101)
        self.assertEqual(self.caudal.get("/flows?access_token=" + self.admin).status, 401)  # only there

    def test_it_ends_with_the_token(self):
        token = forge({**claims_of(self.admin), "exp": int(time.time()) + 2})
        with socket.create_connection(("127.0.0.1", self.caudal.port), timeout=60) as client:
            client.sendall(f"GET /ws?access_token={token} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode())
            self.assertIn(b"101", client.recv(4096))
            while client.recv(4096):
                pass  # the end comes by itself, or the time-out fails the test


if __name__ == "__main__":
    unittest.main(verbosity=1)
