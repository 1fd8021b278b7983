"""A planted secret works, and stands nowhere: not in the database, the log, an answer or a live event."""
import hashlib
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from api.test_websocket import Client  # noqa: E402
from support import planted  # noqa: E402
from support.caudal import Caudal, chain, link, node  # noqa: E402


class Planted(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.echo = planted.start_echo()
        cls.caudal = Caudal(SECRETS_KEY="a key of tests that is long enough 0123456789", LOG_LEVEL="debug", NODE_CORE_LOG_LEVEL="debug")
        for name, value in planted.SECRETS.items():
            answer = cls.caudal.call("PUT", f"/secrets/{name}", {"value": value})
            assert answer.status == 200, answer.text
        assert cls.caudal.call("PUT", "/variables/REGION", {"value": "eu-1"}).status == 200
        cls.answers = []

    @classmethod
    def tearDownClass(cls):
        cls.caudal.stop()
        cls.echo.shutdown()
        cls.echo.server_close()

    def get(self, path):
        answer = self.caudal.get(path)
        self.assertEqual(answer.status, 200, answer.text)
        self.assertEqual(planted.found_in(answer.text), [], f"{path}: {answer.text}")
        return answer.data

    def run_flow(self, name, nodes, connections, **body):
        flow = self.caudal.flow(name, nodes, connections, **body)
        return self.caudal.wait(self.caudal.run(flow), 120)

    def node_of(self, execution, name):
        return next(entry for entry in execution["nodeExecutions"] if entry["nodeId"] == name)

    def test_everywhere(self):
        client = Client(self.caudal.port)
        client.send({"type": "subscribe", "channel": "executions"})
        client.sync()
        nodes, connections = planted.nodes_of(self.echo.server_port)
        execution = self.run_flow("planted", nodes, connections)
        self.assertEqual(execution["status"], "failed")
        events = client.sync()
        client.close()

        # It works: those who are to have it have it.
        token, odd = planted.SECRETS["TOKEN"], planted.SECRETS["ODD"]
        seen = {entry["path"].split("?")[0]: entry for entry in planted.Echo.received}
        self.assertEqual((seen["/echo"]["headers"]["X-Key"], seen["/echo"]["headers"]["Authorization"]), (token, "Bearer " + token))
        self.assertIn("geheim", seen["/echo"]["body"])
        self.assertEqual(planted.found_in(seen["/echo"]["path"].encode())[0][0] in ("TOKEN", "ODD"), True)
        self.assertIn("/fail/" + token, seen)
        self.assertEqual([name for name, _ in planted.found_in(seen["/basic"]["headers"]["Authorization"].encode())], ["TOKEN"])
        states = {entry["nodeId"]: entry["status"] for entry in execution["nodeExecutions"]}
        for name in ("http", "basic", "code", "log", "set", "after", "rows", "text", "each"):
            self.assertEqual(states[name], "success", self.node_of(execution, name))
        for name in ("status", "refused", "nourl", "thrown", "badexpr", "sql", "badsql", "stop"):
            self.assertEqual(states[name], "failed", self.node_of(execution, name))
        code = self.node_of(execution, "code")["output"]["output"]
        self.assertEqual((code["plain"], code["list"], code["length"], code["number"]), ("••••", ["••••", {"deep": "x••••y"}], len(token), "••••"))
        self.assertEqual(self.node_of(execution, "set")["output"]["output"], {"a": 1, "odd": "••••", "••••": 1})
        self.assertEqual(self.node_of(execution, "after")["output"]["output"], {"a": 1, "odd": "••••", "••••": 1, "again": "••••"})
        self.assertEqual(self.node_of(execution, "each")["output"]["results"], [{"output": "••••"}, {"output": "eu-1"}])
        self.assertEqual(self.node_of(execution, "http")["input"]["headers"]["X-Key"], "••••")
        self.assertIn("••••", execution["errorMessage"])

        # It is nowhere else.
        self.assertGreater(len(events), 0)
        self.assertEqual(planted.found_in(str(events).encode()), [])
        for path in (f"/scheduler/executions/{execution['id']}", f"/scheduler/executions/{execution['id']}/logs", "/scheduler/executions", "/secrets", "/audit?limit=100",
                     "/flows", "/dead-letters", "/variables", *(f"/secrets/{name}" for name in planted.SECRETS)):
            self.get(path)
        self.search_files()

    def search_files(self):
        """All that the service has written; documents are packed in the database, so those were searched as answers."""
        searched = 0
        for folder, _, names in os.walk(self.caudal.directory):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    self.assertEqual(planted.found_in(file.read()), [], os.path.join(folder, name))
                searched += 1
        self.assertGreaterEqual(searched, 2)

    def test_a_webhook_that_answers_with_it(self):
        self.caudal.flow("planted hook", *planted.hook_nodes("planted"), active=True)
        answer = self.caudal.post("/webhooks/planted", {})
        self.assertEqual((answer.status, answer.json), (200, {"output": {"token": "••••", "region": "eu-1"}, "count": 1}))
        self.search_files()

    def test_what_comes_back_after_a_wait(self):
        """The execution leaves the worker meanwhile; the node behind names no secret, and reads one."""
        nodes = [node("keep", "sqlite-write", {"path": "kept.db", "table": "kept", "data": "{{ [{ value: secrets.TOKEN }] }}"}), node("wait", "delay", {"durationMs": 5500}),
                 node("name", "code", {"code": "return { n: input };"}),
                 node("read", "sqlite-query", {"path": "kept.db", "query": "SELECT value, length(value) AS n, hex(value) AS hex FROM kept WHERE :n > 0"})]
        flow = self.caudal.flow("kept", nodes, [link("keep", "wait", "insertedCount", "data"), link("wait", "name"), link("name", "read")])
        execution = self.caudal.wait(self.caudal.run(flow), 60)
        self.assertEqual(self.node_of(execution, "read")["output"]["rows"], [{"value": "••••", "n": len(planted.SECRETS["TOKEN"]), "hex": "••••"}], execution)
        self.assertEqual(planted.found_in(self.caudal.get(f"/scheduler/executions/{execution['id']}").text), [])
        os.unlink(os.path.join(self.caudal.directory, "files", "kept.db"))

    def test_unknown_names(self):
        cases = {"path": ({"message": "{{ secrets.NONE }}"}, "message: the expression {{ secrets.NONE }} failed: There is no secret \"NONE\" for this flow."),
                 "script": ({"message": "x {{ [1].concat(secrets.NONE_EITHER) }}"}, "There is no secret \"NONE_EITHER\" for this flow")}
        for name, (config, sentence) in cases.items():
            execution = self.run_flow("unknown " + name, [node("1", "manual-trigger", {"output": [1]}), node("2", "log", config)], chain("1", "2"))
            self.assertEqual(execution["status"], "failed")
            self.assertIn(sentence, self.node_of(execution, "2")["errorMessage"])
        execution = self.run_flow("unknown code", [node("1", "manual-trigger", {"output": [1]}), node("2", "code", {"code": "return secrets.NOT_THERE"})], [link("1", "2")])
        self.assertIn("There is no secret \"NOT_THERE\" for this flow", self.node_of(execution, "2")["errorMessage"])
        execution = self.run_flow("unknown variable", [node("1", "manual-trigger", {"output": [1]}), node("2", "log", {"message": "{{ variables.NONE ?? 'otherwise' }}"})], chain("1", "2"))
        self.assertEqual(execution["status"], "success")

    def test_trying_out_expressions_shows_none(self):
        """Whoever may try out an expression could otherwise read a secret backwards."""
        turned, first = planted.SECRETS["TOKEN"][::-1], planted.SECRETS["TOKEN"][:5]
        for expression in ("{{ secrets.TOKEN }}", "{{ [...secrets.TOKEN].reverse().join('') }}", "{{ secrets.TOKEN.slice(0, 5) }}", "{{ $hash.sha256(secrets.TOKEN) }}", "{{ secrets }}",
                           "{{ JSON.stringify(secrets) }}"):
            answer = self.caudal.post("/expressions/evaluate", {"expression": expression})
            self.assertEqual(planted.found_in(answer.text), [], answer.text)
            self.assertNotIn(turned.encode(), answer.text)
            self.assertNotIn(first.encode(), answer.text)
            self.assertNotIn(hashlib.sha256(planted.SECRETS["TOKEN"].encode()).hexdigest().encode(), answer.text)
        known = self.caudal.post("/expressions/evaluate", {"expression": "{{ variables.REGION }}"})
        self.assertEqual(known.data["value"], "eu-1", known.text)

    def test_a_flows_own_come_first_and_changes_hold_at_once(self):
        nodes = [node("1", "manual-trigger", {"output": [1]}), node("2", "set-fields", {"data": {}, "fields": [
            {"field": "region", "value": "{{ variables.REGION }}"}, {"field": "all", "value": "{{ Object.keys(variables).join() }}"},
            {"field": "same", "value": "{{ secrets.TOKEN === 'own value of the flow' }}"}]})]
        flow = self.caudal.flow("own", nodes, [])
        for own, expected in ((False, {"region": "eu-1", "all": "REGION", "same": False}), (True, {"region": "own", "all": "REGION,SECOND", "same": True})):
            if own:
                for path, value in (("variables/REGION", "own"), ("variables/SECOND", 2), ("secrets/TOKEN", "own value of the flow")):
                    self.assertEqual(self.caudal.call("PUT", f"/flows/{flow['id']}/{path}", {"value": value}).status, 200)
            execution = self.caudal.wait(self.caudal.run(flow), 60)
            self.assertEqual(self.node_of(execution, "2")["output"]["output"], expected)

    def test_passwords_in_plain_text_are_warned_of_and_hidden_in_history(self):
        nodes = [node("1", "manual-trigger", {"output": [1]}),
                 node("2", "http-request", {"url": f"http://127.0.0.1:{self.echo.server_port}/plain", "auth": {"type": "basic", "username": "u", "password": "typed-in-password"}}),
                 node("3", "postgresql-query", {"connectionString": "postgresql://u:typed-in-password@127.0.0.1:1/x", "query": "SELECT 1", "critical": False}),
                 node("4", "postgresql-query", {"connectionString": "postgresql://u@127.0.0.1:1/x", "query": "SELECT 1", "critical": False}),
                 node("5", "postgresql-query", {"connectionString": "{{ secrets.DSN }}", "query": "SELECT 1", "critical": False})]
        flow = self.caudal.flow("typed in", nodes, [link("1", to) for to in "2345"])
        checked = self.caudal.post("/flows/validate", {"name": "x", "nodes": nodes, "connections": [link("1", to) for to in "2345"]})
        fields = [(warning["nodeId"], warning["field"]) for warning in checked.data["warnings"] if warning["code"] == "LITERAL_SECRET"]
        self.assertEqual(fields, [("2", "nodes[1].config.auth.password"), ("3", "nodes[2].config.connectionString")])
        execution = self.caudal.wait(self.caudal.run(flow), 60)
        self.assertNotIn("typed-in-password", str(execution))
        self.assertEqual(self.node_of(execution, "2")["input"]["auth"], {"type": "basic", "username": "u", "password": "••••"})
        self.assertEqual(self.node_of(execution, "3")["input"]["connectionString"], "postgresql://u:••••@127.0.0.1:1/x")
        self.assertEqual(self.caudal.get(f"/flows/{flow['id']}").data["nodes"][1]["config"]["auth"]["password"], "typed-in-password")


if __name__ == "__main__":
    unittest.main()
