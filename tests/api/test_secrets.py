"""Variables and secrets over the API: names, scopes, refusals; keys and their rotation; the start with wrong keys."""
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support.caudal import PROGRAM, Caudal, chain, node  # noqa: E402

KEY, OTHER_KEY, THIRD_KEY = "first key " + "k" * 40, "other key " + "o" * 40, "third key " + "t" * 40
UNKNOWN = "00000000-0000-4000-8000-000000000000"
VALUE = "s3cr3t-value-of-tests"
NODES = ([node("1", "manual-trigger", {"output": [1]}), node("2", "log")], chain("1", "2"))


class Base(unittest.TestCase):
    environment = {"SECRETS_KEY": KEY}

    @classmethod
    def setUpClass(cls):
        cls.caudal = Caudal(**cls.environment)

    @classmethod
    def tearDownClass(cls):
        cls.caudal.stop()

    def refused(self, answer, status, code, field=None):
        self.assertEqual(answer.status, status, answer.text)
        self.assertEqual(answer.json["code"], code)
        if field is not None:
            self.assertEqual(answer.json["details"]["field"], field)
        return answer.json["message"]

    def put(self, path, value, **more):
        answer = self.caudal.call("PUT", path, {"value": value, **more})
        self.assertEqual(answer.status, 200, answer.text)
        return answer.data

    def flow(self, name):
        return self.caudal.flow(name, *NODES)["id"]


class History(Base):
    def test_a_typed_password_is_hidden_after_a_wait_too(self):
        """Its node is not executed again: what it was given comes from its configuration."""
        typed = "typed-password-of-tests"
        auth = {"type": "bearer", "token": typed}
        nodes = [node("t", "manual-trigger"), node("h", "http-request", {"url": f"http://127.0.0.1:{self.caudal.port}/api/v1/health", "auth": auth}), node("w", "wait", {"mode": "signal"})]
        execution = self.caudal.run(self.caudal.flow("typed", nodes, chain("t", "h", "w")))
        end = time.monotonic() + 60
        while not self.caudal.get(f"/scheduler/executions/{execution}").data["waits"] and time.monotonic() < end:
            time.sleep(0.02)
        self.assertEqual(self.caudal.post(f"/scheduler/executions/{execution}/signal", {}).status, 202)
        detail = self.caudal.wait(execution)
        self.assertEqual(detail["status"], "success", detail)
        self.assertGreater(detail["epoch"], 1)
        self.assertNotIn(typed, json.dumps(detail))


class Variables(Base):
    def test_a_variable_lives(self):
        made = self.caudal.post("/variables", {"name": "REGION", "value": {"name": "eu", "ports": [1, 2.5]}, "description": "where"})
        self.assertEqual(made.status, 201, made.text)
        self.assertEqual((made.data["name"], made.data["scope"], made.data["flowId"]), ("REGION", "global", None))
        self.assertEqual((made.data["createdBy"], made.data["updatedBy"], made.data["description"]), ("local", "local", "where"))
        self.refused(self.caudal.post("/variables", {"name": "REGION", "value": 1}), 409, "CONFLICT", "name")
        changed = self.put("/variables/REGION", 7)
        self.assertEqual((changed["value"], changed["description"], changed["createdAt"]), (7, "where", made.data["createdAt"]))
        self.assertIsNone(self.put("/variables/REGION", 7, description=None)["description"])
        self.assertEqual(self.caudal.get("/variables/REGION").data["value"], 7)
        self.assertIsNone(self.put("/variables/NOTHING", None)["value"])
        self.assertEqual(self.caudal.call("DELETE", "/variables/NOTHING").status, 204)
        self.put("/variables/A_FIRST", "x")
        self.assertEqual([row["name"] for row in self.caudal.get("/variables").data if row["name"] != "BOTH"], ["A_FIRST", "REGION"])
        self.assertEqual(self.caudal.call("DELETE", "/variables/REGION").status, 204)
        self.refused(self.caudal.get("/variables/REGION"), 404, "NOT_FOUND", "name")
        self.refused(self.caudal.call("DELETE", "/variables/REGION"), 404, "NOT_FOUND", "name")

    def test_a_flows_own_stand_apart_and_go_with_it(self):
        one, two = self.flow("own variables"), self.flow("other variables")
        self.put("/variables/BOTH", "global")
        mine = self.put(f"/flows/{one}/variables/BOTH", "mine")
        self.assertEqual((mine["scope"], mine["flowId"]), ("flow", one))
        self.assertEqual(self.caudal.get("/variables/BOTH").data["value"], "global")
        self.assertEqual([row["value"] for row in self.caudal.get(f"/flows/{one}/variables").data], ["mine"])
        self.assertEqual(self.caudal.get(f"/flows/{two}/variables").data, [])
        self.refused(self.caudal.get(f"/flows/{two}/variables/BOTH"), 404, "NOT_FOUND", "name")
        self.assertEqual(self.caudal.post(f"/flows/{one}/variables", {"name": "NEW", "value": 1}).status, 201)
        self.assertEqual(self.caudal.call("DELETE", f"/flows/{one}").status, 204)
        for answer in (self.caudal.get(f"/flows/{one}/variables"), self.caudal.get(f"/flows/{UNKNOWN}/variables"),
                       self.caudal.call("PUT", f"/flows/{UNKNOWN}/variables/X", {"value": 1})):
            self.refused(answer, 404, "NOT_FOUND")
        self.assertEqual(self.caudal.call("DELETE", f"/flows/{two}").status, 204)

    def test_what_is_wrong_is_refused(self):
        for name in ("1x", "a-b", "a b", "x" * 65, "", "constructor", "__proto__", "é"):
            self.refused(self.caudal.post("/variables", {"name": name, "value": 1}), 400, "VALIDATION_ERROR", "name")
        for name in ("1x", "a-b", "x" * 65, "toString", "%C3%A9", "a%20b"):
            self.refused(self.caudal.call("PUT", f"/variables/{name}", {"value": 1}), 400, "VALIDATION_ERROR", "name")
        self.refused(self.caudal.call("PUT", "/variables/X", {}), 400, "VALIDATION_ERROR", "value")
        self.refused(self.caudal.call("PUT", "/variables/X", {"value": "x" * 16385}), 413, "PAYLOAD_TOO_LARGE", "value")
        self.refused(self.caudal.call("PUT", "/variables/X", {"value": 1, "description": "x" * 501}), 400, "VALIDATION_ERROR", "description")
        self.refused(self.caudal.post("/variables", {"value": 1}), 400, "VALIDATION_ERROR", "name")
        self.refused(self.caudal.get("/flows/nonsense/variables"), 400, "VALIDATION_ERROR", "id")
        self.assertEqual(self.caudal.get("/variables/X").status, 404)

    def test_there_is_a_bound(self):
        flow = self.flow("many variables")
        for i in range(500):
            self.put(f"/flows/{flow}/variables/N{i}", i)
        self.refused(self.caudal.call("PUT", f"/flows/{flow}/variables/ONE_MORE", {"value": 1}), 409, "CONFLICT", "name")
        self.assertEqual(self.put(f"/flows/{flow}/variables/N7", "changed")["value"], "changed")
        self.assertEqual(len(self.caudal.get(f"/flows/{flow}/variables").data), 500)
        self.assertEqual(self.caudal.call("DELETE", f"/flows/{flow}").status, 204)


class Secrets(Base):
    def test_a_secret_lives_and_is_never_shown(self):
        answers = [self.caudal.post("/secrets", {"name": "TOKEN", "value": VALUE}), self.caudal.get("/secrets"), self.caudal.get("/secrets/TOKEN"),
                   self.caudal.call("PUT", "/secrets/TOKEN", {"value": VALUE + "2", "description": "for tests"}), self.caudal.get("/secrets"),
                   self.caudal.post("/secrets", {"name": "TOKEN", "value": VALUE}), self.caudal.post("/secrets/rotate"), self.caudal.get("/audit?limit=100"),
                   self.caudal.call("PUT", "/secrets/1", {"value": VALUE}), self.caudal.call("PUT", "/secrets/TOKEN", {"value": [VALUE]})]
        self.assertEqual([answer.status for answer in answers], [201, 200, 200, 200, 200, 409, 200, 200, 400, 400])
        for answer in answers:
            self.assertNotIn(VALUE.encode(), answer.text)
            self.assertNotIn(b"\"sealed\"", answer.text)
        row = [row for row in answers[4].data if row["name"] == "TOKEN"][0]
        self.assertEqual((row["name"], row["scope"], row["flowId"], row["readable"], row["current"], row["updatedBy"], row["description"]),
                         ("TOKEN", "global", None, True, True, "local", "for tests"))
        self.assertNotIn("value", row)
        actions = [(entry["action"], entry["target"]) for entry in answers[7].data["data"]]
        self.assertIn(("PUT /api/v1/secrets/:name", "/api/v1/secrets/TOKEN"), actions)
        self.assertEqual(self.caudal.call("DELETE", "/secrets/TOKEN").status, 204)
        self.refused(self.caudal.get("/secrets/TOKEN"), 404, "NOT_FOUND", "name")

    def test_a_flows_own_stand_apart(self):
        flow = self.flow("own secrets")
        made = self.put(f"/flows/{flow}/secrets/MINE", VALUE)
        self.assertEqual((made["scope"], made["flowId"]), ("flow", flow))
        self.assertEqual(self.caudal.get("/secrets/MINE").status, 404)
        self.assertEqual([row["name"] for row in self.caudal.get(f"/flows/{flow}/secrets").data], ["MINE"])
        self.assertEqual(self.caudal.call("DELETE", f"/flows/{flow}/secrets/MINE").status, 204)
        self.refused(self.caudal.call("PUT", f"/flows/{UNKNOWN}/secrets/X", {"value": VALUE}), 404, "NOT_FOUND")

    def test_what_is_wrong_is_refused(self):
        for value in ("short", "", 12345678, None, {"a": VALUE}):
            self.refused(self.caudal.call("PUT", "/secrets/X", {"value": value}), 400, "VALIDATION_ERROR", "value")
        self.refused(self.caudal.call("PUT", "/secrets/X", {"value": "12345678\0"}), 400, "VALIDATION_ERROR", "value")
        self.refused(self.caudal.call("PUT", "/secrets/X", {"value": "é" * 10000}), 413, "PAYLOAD_TOO_LARGE", "value")
        self.refused(self.caudal.call("PUT", "/secrets/X", {"value": "x" * 16385}), 400, "VALIDATION_ERROR", "value")
        self.refused(self.caudal.call("PUT", "/secrets/1x", {"value": VALUE}), 400, "VALIDATION_ERROR", "name")
        self.refused(self.caudal.call("GET", "/secrets/rotate"), 404, "NOT_FOUND", "name")

    def test_the_database_has_it_sealed_only(self):
        self.put("/secrets/STORED", VALUE)
        database = os.path.join(self.caudal.directory, "caudal.db")
        for name in (database, database + "-wal"):
            with open(name, "rb") as file:
                self.assertNotIn(VALUE.encode(), file.read())
        sealed = sqlite3.connect(database).execute("SELECT document FROM secrets WHERE id='global/STORED'").fetchone()[0]
        self.assertIn("\"sealed\":\"v1.", sealed.replace(" ", ""))


class Roles(unittest.TestCase):
    def test_who_may(self):
        secret = "a secret of tests that is long enough, 0123456789"
        caudal = Caudal(JWT_SECRET=secret, ADMIN_PASSWORD="correct horse battery", SECRETS_KEY=KEY, API_RATE_LIMIT="100000")
        try:
            def login(name):
                return caudal.post("/auth/login", {"username": name, "password": "correct horse battery"}).data["accessToken"]

            def call(who, method, path, body=None):
                return caudal.call(method, path, body, headers={"Authorization": "Bearer " + tokens[who]} if who else {}).status
            tokens = {"admin": login("admin")}
            for role in ("viewer", "operator", "editor"):
                self.assertEqual(call("admin", "POST", "/users", {"username": role, "password": "correct horse battery", "role": role}), 201)
                tokens[role] = login(role)
            self.assertEqual(call("editor", "PUT", "/secrets/X", {"value": VALUE}), 200)
            self.assertEqual(call("editor", "PUT", "/variables/X", {"value": VALUE}), 200)
            for kind in ("secrets", "variables"):
                self.assertEqual([call(who, "GET", f"/{kind}") for who in (None, "viewer")], [401, 200])
                for who in ("viewer", "operator"):
                    self.assertEqual([call(who, "PUT", f"/{kind}/X", {"value": VALUE}), call(who, "POST", f"/{kind}", {"name": "Y", "value": VALUE}),
                                      call(who, "DELETE", f"/{kind}/X")], [403, 403, 403])
            self.assertEqual([call(who, "POST", "/secrets/rotate") for who in (None, "viewer", "editor", "admin")], [401, 403, 403, 200])
            row = caudal.call("GET", "/secrets/X", headers={"Authorization": "Bearer " + tokens["viewer"]}).data
            self.assertEqual((row["createdBy"], row["updatedBy"]), ("editor", "editor"))
        finally:
            caudal.stop()


class Keys(unittest.TestCase):
    def start(self, directory, **environment):
        return Caudal(directory=directory, **environment)

    def test_without_a_key(self):
        caudal = Caudal()
        try:
            self.assertEqual(caudal.call("PUT", "/variables/X", {"value": 1}).status, 200)
            for answer in (caudal.call("PUT", "/secrets/X", {"value": VALUE}), caudal.post("/secrets/rotate")):
                self.assertEqual((answer.status, answer.json["code"]), (422, "UNPROCESSABLE_ENTITY"))
                self.assertIn("caudal secret key", answer.json["message"])
            self.assertEqual(caudal.get("/secrets").data, [])
        finally:
            caudal.stop()

    def test_a_made_key_is_one(self):
        words = {subprocess.run([PROGRAM, "secret", "key"], capture_output=True, text=True, check=True).stdout for _ in range(2)}
        self.assertEqual(len(words), 2)
        for word in words:
            self.assertRegex(word, r"^[0-9a-f]{64}\n$")

    def test_keys_are_changed_without_losing_anything(self):
        directory = tempfile.mkdtemp(prefix="caudal-keys-")
        caudal = self.start(directory, SECRETS_KEY=KEY)
        flow = caudal.flow("rotated", *NODES)["id"]
        for i in range(120):
            self.assertEqual(caudal.call("PUT", f"/secrets/S{i}", {"value": VALUE}).status, 200)
        self.assertEqual(caudal.call("PUT", f"/flows/{flow}/secrets/OWN", {"value": VALUE}).status, 200)
        caudal.stop(remove=False)

        caudal = self.start(directory, SECRETS_KEY=f"{OTHER_KEY},{KEY}")
        self.assertEqual({(row["readable"], row["current"]) for row in caudal.get("/secrets").data}, {(True, False)})
        self.assertEqual(caudal.call("PUT", "/secrets/S0", {"value": VALUE}).status, 200)
        resealed, answer = 0, {"done": False}
        while not answer["done"]:
            answer = caudal.post("/secrets/rotate").data
            resealed += answer["resealed"]
        self.assertEqual((resealed, answer["total"], answer["remaining"], answer["unreadableCount"], answer["unreadable"]), (120, 121, 0, 0, []))
        again = caudal.post("/secrets/rotate").data
        self.assertEqual((again["done"], again["resealed"], again["total"]), (True, 0, 121))
        self.assertEqual({(row["readable"], row["current"]) for row in caudal.get("/secrets").data + caudal.get(f"/flows/{flow}/secrets").data}, {(True, True)})
        caudal.stop(remove=False)

        caudal = self.start(directory, SECRETS_KEY=OTHER_KEY)
        self.assertEqual({row["readable"] for row in caudal.get("/secrets").data}, {True})
        caudal.stop(remove=False)

        for environment, sentence in (({}, "SECRETS_KEY is not set, and 121 secrets"), ({"SECRETS_KEY": KEY}, "SECRETS_KEY opens none of the 121 secrets")):
            with self.assertRaises(RuntimeError) as refused:
                self.start(directory, **environment)
            self.assertIn(sentence, str(refused.exception))

        caudal = self.start(directory, SECRETS_KEY=THIRD_KEY, SECRETS_UNREADABLE="accept")
        answer = caudal.post("/secrets/rotate").data
        self.assertEqual((answer["done"], answer["unreadableCount"], len(answer["unreadable"])), (True, 121, 100))
        self.assertIn("name", answer["unreadable"][0])
        self.assertEqual(caudal.call("PUT", "/secrets/S0", {"value": VALUE}).data["readable"], True)
        caudal.stop(remove=False)
        caudal = self.start(directory, SECRETS_KEY=THIRD_KEY)  # one of them opens
        self.assertIn("no key in SECRETS_KEY opens some of the secrets", caudal.log_text())
        caudal.stop(remove=False)
        shutil.rmtree(directory)

    def test_bad_keys_are_refused_without_showing_them(self):
        for keys in ("short-but-secret", f"{KEY},short-but-secret", ",".join(f"{i}{KEY}" for i in range(9)), f"{KEY},"):
            with self.assertRaises(RuntimeError) as refused:
                Caudal(SECRETS_KEY=keys)
            self.assertIn("SECRETS_KEY is \"••••\"; it must be 32 to 4096 printable characters", str(refused.exception))
            self.assertNotIn("short-but-secret", str(refused.exception))


if __name__ == "__main__":
    unittest.main()
