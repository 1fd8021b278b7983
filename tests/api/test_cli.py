"""The command line as its user meets it: output, exit codes, refusals."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support.caudal import PROGRAM, Caudal, chain, node  # noqa: E402

FLOW = {"name": "numbers", "status": "active", "nodes": [
    node("in", "manual-trigger", {"output": [{"n": 1, "ok": "yes"}, {"n": 2, "ok": "no"}]}),
    node("keep", "data-filter", {"conditions": [{"field": "ok", "operator": "equals", "value": "yes"}]})], "connections": chain("in", "keep")}


class CommandLine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.caudal = Caudal()
        cls.directory = tempfile.mkdtemp()

    @classmethod
    def tearDownClass(cls):
        cls.caudal.stop()

    def run_command(self, *words, url=None, env=None):
        environment = {**os.environ, "CAUDAL_URL": url or f"http://127.0.0.1:{self.caudal.port}", **(env or {})}
        return subprocess.run([PROGRAM, *words], env=environment, capture_output=True, text=True, timeout=60)

    def file(self, name, content):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content if isinstance(content, str) else json.dumps(content))
        return path

    def test_usage(self):
        self.assertEqual(self.run_command("--help").returncode, 0)
        self.assertEqual(self.run_command().returncode, 2)
        for words, expected in ((["nothing"], 'no command "nothing"'), (["flow", "validate"], "Usage: caudal flow validate FILE"), (["flow", "list", "--odd"], "no option --odd"),
                                (["flow", "list", "--limit", "0"], "from 1 to 100"), (["execution", "show"], "Usage"), (["nodes", "--url"], "needs a value")):
            done = self.run_command(*words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(expected, done.stderr)

    def test_shares_no_file_that_a_kill_would_leave(self):
        self.assertEqual([name for name in os.listdir("/dev/shm") if name.endswith(f"-{self.caudal.process.pid}")], [])

    def test_service_not_there(self):
        done = self.run_command("flow", "list", url="http://127.0.0.1:1")
        self.assertEqual(done.returncode, 3)
        self.assertIn("does not answer", done.stderr)

    def test_migrate(self):
        file = os.path.join(self.directory, "schema.db")
        done = self.run_command("migrate", "--json", env={"DATABASE_URL": f"sqlite:{file}"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertGreaterEqual(json.loads(done.stdout)["schemaVersion"], 4)
        nowhere = "postgresql://caudal:hunter2@127.0.0.1:1/none"
        for words, code, expected in ((["--from", f"sqlite:{file}"], 2, "belong together"), (["--to", nowhere], 2, "belong together"),
                                      (["--from", nowhere, "--to", nowhere], 2, "--from must be sqlite:FILE"), (["--from", f"sqlite:{file}", "--to", "mysql://h/d"], 2, "--to must be a URL"),
                                      (["--from", f"sqlite:{file}-odd", "--to", nowhere], 1, "There is no file"), (["--from", f"sqlite:{file}", "--to", nowhere], 3, "cannot be reached")):
            done = self.run_command("migrate", *words)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(expected, done.stderr)
            self.assertNotIn("hunter2", done.stdout + done.stderr)
        self.assertFalse(os.path.exists(f"{file}-odd"), "a source that is not there is not made")
        self.assertEqual(self.run_command("migrate", env={"DATABASE_URL": nowhere}).returncode, 3)

    def test_validate(self):
        good = self.run_command("flow", "validate", self.file("good.json", FLOW))
        self.assertEqual((good.returncode, good.stderr), (0, ""))
        bad = self.run_command("flow", "validate", self.file("bad.json", {**FLOW, "nodes": [node("a", "odd-type"), node("a", "log")], "connections": []}), "--json")
        self.assertEqual(bad.returncode, 1)
        self.assertLessEqual({"UNKNOWN_NODE_TYPE", "DUPLICATE_NODE_ID"}, {e["code"] for e in json.loads(bad.stdout)["errors"]})
        broken = self.run_command("flow", "validate", self.file("broken.json", "{"))
        self.assertEqual(broken.returncode, 1)
        self.assertIn("broken.json", broken.stderr)
        self.assertEqual(self.run_command("flow", "validate", "/nowhere.json").returncode, 1)
        script = self.run_command("flow", "validate", self.file("script.json", {**FLOW, "nodes": [node("t", "manual-trigger"), node("c", "code", {"code": "let a = 1;\nlet a = 2"}), node("l", "log", {"message": "{{ 1 + }}"})],
                                                                                "connections": chain("t", "c", "l")}))
        self.assertEqual(script.returncode, 1, script.stdout)
        self.assertIn("error INVALID_CODE node c nodes[1].config.code: nodes[1].config.code: line 2 is not valid: SyntaxError", script.stdout)
        self.assertIn("error INVALID_EXPRESSION node l nodes[2].config.message", script.stdout)

    def test_run_a_file_without_a_service(self):
        done = self.run_command("flow", "run", self.file("local.json", FLOW), "--json", url="http://127.0.0.1:1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["result"]["filtered"], [{"n": 1, "ok": "yes"}])
        failing = {**FLOW, "nodes": FLOW["nodes"][:1] + [node("keep", "stop-with-error", {"message": "no"})]}
        done = self.run_command("flow", "run", self.file("failing.json", failing))
        self.assertEqual(done.returncode, 1)
        self.assertIn("node keep: no", done.stdout)

    def test_import_run_export_follow(self):
        path = self.file("numbers.json", FLOW)
        first, second = self.run_command("flow", "import", path), self.run_command("flow", "import", path)
        self.assertEqual((first.returncode, second.returncode), (0, 0), first.stderr + second.stderr)
        self.assertEqual(first.stdout, second.stdout, "importing the same again changes nothing")
        done = self.run_command("flow", "run", "numbers", "--input", '[{"n": 5, "ok": "yes"}]')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("success", done.stdout)
        exported = json.loads(self.run_command("flow", "export", "numbers").stdout)
        self.assertEqual((exported["name"], exported["status"], len(exported["nodes"])), ("numbers", "active", 2))
        started = json.loads(self.run_command("flow", "run", "numbers", "--detach", "--json").stdout)
        self.assertEqual(self.run_command("execution", "follow", started["executionId"]).returncode, 0)
        shown = json.loads(self.run_command("execution", "show", started["executionId"], "--json").stdout)
        self.assertEqual(shown["status"], "success")
        self.assertIn(started["executionId"], self.run_command("execution", "list", "--flow", "numbers").stdout)
        self.assertIn("numbers", self.run_command("flow", "list").stdout)
        refused = self.run_command("execution", "cancel", started["executionId"])
        self.assertEqual(refused.returncode, 4)
        self.assertIn("CONFLICT", refused.stderr)
        self.assertEqual(self.run_command("flow", "run", "no such flow").returncode, 4)
        self.assertEqual(self.run_command("flow", "run", "numbers", "--input", "{").returncode, 1)

    def test_retry(self):
        path = self.file("fails.json", {**FLOW, "name": "fails", "nodes": [node("in", "manual-trigger"), node("keep", "stop-with-error", {"message": "no"})]})
        self.assertEqual(self.run_command("flow", "import", path).returncode, 0)
        done = self.run_command("flow", "run", "fails", "--json")
        self.assertEqual(done.returncode, 1)
        again = self.run_command("execution", "retry", json.loads(done.stdout)["id"], "--failed")
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual(self.run_command("execution", "follow", again.stdout.strip()).returncode, 1)

    def test_versions(self):
        flow = {**FLOW, "name": "versions"}
        self.assertEqual(self.run_command("flow", "import", self.file("versions.json", flow)).returncode, 0)
        nodes = [FLOW["nodes"][0], node("keep", "data-filter", {"conditions": [{"field": "ok", "operator": "equals", "value": "no"}]})]
        self.run_command("flow", "import", self.file("versions.json", {**flow, "nodes": nodes}))
        diff = self.run_command("flow", "diff", "versions", "1", "2")
        self.assertEqual(diff.returncode, 0, diff.stderr)
        self.assertIn('config.conditions[0].value\n      - "yes"\n      + "no"', diff.stdout)
        self.assertEqual(json.loads(self.run_command("flow", "diff", "versions", "1", "2", "--json").stdout)["changes"], 1)
        published = self.run_command("flow", "publish", "versions", "1", "--note", "tried")
        self.assertIn("v2, published v1", published.stdout, published.stderr)
        listed = self.run_command("flow", "versions", "versions").stdout
        self.assertIn("[published]", listed.splitlines()[1])
        self.assertIn("tried", listed)
        self.assertEqual(json.loads(self.run_command("flow", "publish", "versions", "--json").stdout)["publishedVersion"], 2)
        self.assertIn("v3", self.run_command("flow", "rollback", "versions", "1").stdout)
        self.assertEqual(json.loads(self.run_command("flow", "diff", "versions", "1", "3", "--json").stdout)["changes"], 0)
        for words, code in ((["publish", "versions", "9"], 4), (["rollback", "versions", "x"], 2), (["diff", "versions", "0", "1"], 2), (["versions", "no such"], 4)):
            self.assertEqual(self.run_command("flow", *words).returncode, code, words)

    def test_schedules(self):
        flow = self.caudal.flow("scheduled", [node("t", "schedule-trigger"), node("l", "log", {"message": "x"})], chain("t", "l"))
        made = self.caudal.post("/scheduler/schedules", {"flowId": flow["id"], "name": "hourly", "cronExpression": "0 * * * *", "enabled": False}).data
        self.assertIn("paused", self.run_command("schedule", "list", "--flow", "scheduled").stdout)
        resumed = self.run_command("schedule", "resume", "hourly")
        self.assertIn("on  next", resumed.stdout, resumed.stderr)
        runs = self.run_command("schedule", "next", "hourly", "--count", "3").stdout.split()
        self.assertEqual((len(runs), [run[14:19] for run in runs]), (3, ["00:00"] * 3))
        self.assertFalse(json.loads(self.run_command("schedule", "pause", made["id"], "--json").stdout)["enabled"])
        filled = self.run_command("schedule", "backfill", "hourly", "--from", "2025-01-01T00:00:00Z", "--to", "2025-01-01T02:30:00Z")
        self.assertIn("3 instants", filled.stdout, filled.stderr)
        self.assertEqual(self.run_command("schedule", "backfill", "hourly").returncode, 2)
        refused = self.run_command("schedule", "backfill", "hourly", "--from", "soon", "--to", "later")
        self.assertEqual(refused.returncode, 4)
        self.assertIn("from", refused.stderr)
        self.assertEqual(self.run_command("schedule", "next", "nobody").returncode, 4)
        self.assertEqual(self.run_command("schedule", "next", "hourly", "--count", "0").returncode, 2)

    def test_rerun_attempts_delete(self):
        self.run_command("flow", "import", self.file("again.json", {**FLOW, "name": "again"}))
        first = json.loads(self.run_command("flow", "run", "again", "--json").stdout)["id"]
        again = self.run_command("execution", "rerun", first, "--input", '[{"n": 9, "ok": "yes"}]')
        self.assertEqual(again.returncode, 0, again.stderr)
        shown = json.loads(self.run_command("execution", "follow", again.stdout.strip(), "--json").stdout)
        self.assertEqual(shown["input"], [{"n": 9, "ok": "yes"}])
        attempts = self.run_command("execution", "attempts", first)
        self.assertEqual([line.split()[2] for line in attempts.stdout.splitlines()], ["in", "keep"], attempts.stderr)
        self.assertEqual(json.loads(self.run_command("execution", "attempts", first, "--json").stdout)[1]["outcome"], "success")
        deleted = self.run_command("execution", "delete", first, again.stdout.strip())
        self.assertEqual((deleted.returncode, deleted.stdout), (0, "2 deleted.\n"))
        refused = self.run_command("execution", "delete", first)
        self.assertEqual(refused.returncode, 4)
        self.assertIn("no execution", refused.stderr)
        self.assertEqual(self.run_command("execution", "rerun", first).returncode, 4)
        refused = self.run_command("execution", "signal", first, "--name", "go", "--input", "{}")
        self.assertEqual(refused.returncode, 4)
        self.assertIn("NOT_FOUND", refused.stderr)

    def test_signal(self):
        flow = {"name": "waits", "nodes": [node("in", "manual-trigger"), node("go", "wait", {"mode": "signal", "name": "go"})], "connections": chain("in", "go")}
        self.assertEqual(self.run_command("flow", "import", self.file("waits.json", flow)).returncode, 0)
        run = self.run_command("flow", "run", "waits", "--detach").stdout.strip()
        sent = self.run_command("execution", "signal", run, "--name", "go", "--input", '{"by": "ana"}')
        self.assertEqual(sent.returncode, 0, sent.stderr)
        self.assertIn("Sent", sent.stdout)
        self.assertEqual(self.run_command("execution", "follow", run).returncode, 0)

    def test_without_service(self):
        self.assertIn("data-filter", self.run_command("nodes").stdout)
        self.assertIn("conditions", self.run_command("nodes", "data-filter").stdout)
        self.assertEqual(self.run_command("nodes", "odd").returncode, 1)
        config = self.run_command("config", "--json", env={"SECRETS_KEY": "s" * 40})
        self.assertEqual(config.returncode, 0, config.stderr)
        self.assertNotIn("s" * 40, config.stdout)
        wrong = self.run_command("config", env={"PORT": "http"})
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("PORT", wrong.stderr)
        self.assertEqual(json.loads(self.run_command("openapi").stdout)["openapi"], "3.1.0")
        completion = self.run_command("completion").stdout + '\nCOMP_WORDS=(caudal flow ""); COMP_CWORD=2; _caudal; echo "${COMPREPLY[@]}"'
        self.assertEqual(subprocess.run(["bash", "-c", completion], capture_output=True, text=True).stdout.split(), ["list", "validate", "run", "import", "export", "versions", "diff", "publish", "rollback"])

    def test_topology_and_messages(self):
        text = self.run_command("topology").stdout
        self.assertIn("flow_orchestration.flow.submit.1~2\n    bound to flow_orchestration with flow.submit.1~2; x-queue-type=quorum", text)
        topology = json.loads(self.run_command("topology", "--json").stdout)
        self.assertEqual([e["name"] for e in topology["exchanges"]], ["flow_orchestration", "flow_orchestration.topics"])
        self.assertEqual(len(topology["queues"]), 2 + 2 * 3 + 2 + 1)
        schema = json.loads(self.run_command("messages", "work").stdout)
        self.assertEqual(schema["required"], ["v", "work"])
        self.assertEqual(set(json.loads(self.run_command("messages", "--json").stdout)), {line.split()[0] for line in self.run_command("messages").stdout.splitlines()})
        document = json.loads(self.run_command("asyncapi").stdout)
        self.assertEqual(document["asyncapi"], "2.6.0")
        self.assertIn("flow.events.{shard}", document["channels"])
        self.assertEqual(self.run_command("messages", "nothing").returncode, 1)

    def stdin(self, text, *words, port=None):
        environment = {**os.environ, "CAUDAL_URL": f"http://127.0.0.1:{port or self.caudal.port}"}
        return subprocess.run([PROGRAM, *words], env=environment, input=text, capture_output=True, text=True, timeout=60)

    def test_variables(self):
        flow = self.caudal.flow("with variables", FLOW["nodes"], FLOW["connections"])["id"]
        self.assertIn("No variables.", self.run_command("variable", "list").stdout)
        self.assertEqual(self.stdin('{"a": 1}\n', "variable", "set", "OBJECT").returncode, 0)
        self.assertEqual(self.run_command("variable", "set", "TEXT", self.file("text", "plain text\n"), "--flow", "with variables").returncode, 0)
        self.assertEqual(self.caudal.get("/variables/OBJECT").data["value"], {"a": 1})
        self.assertEqual(self.caudal.get(f"/flows/{flow}/variables/TEXT").data["value"], "plain text")
        self.assertRegex(self.run_command("variable", "list").stdout, r"^OBJECT +\S+ +local +\{\"a\":1\}\n$")
        self.assertEqual([row["name"] for row in json.loads(self.run_command("variable", "list", "--flow", flow, "--json").stdout)], ["TEXT"])
        refused = self.stdin("1", "variable", "set", "1X")
        self.assertEqual(refused.returncode, 4)
        self.assertIn("VALIDATION_ERROR, name", refused.stderr)
        self.assertEqual([self.run_command("variable", "delete", "OBJECT").returncode for _ in range(2)], [0, 4])
        self.assertEqual(self.run_command("variable", "set", "X", os.path.join(self.directory, "none")).returncode, 1)

    def test_secrets(self):
        refused = self.stdin("a secret value", "secret", "set", "TOKEN")
        self.assertEqual(refused.returncode, 4)
        self.assertIn("caudal secret key", refused.stderr)
        key = self.run_command("secret", "key").stdout.strip()
        caudal = Caudal(SECRETS_KEY=key)
        try:
            for words in (("secret", "set", "TOKEN"), ("secret", "set", "TOKEN", "-")):
                done = self.stdin("a secret value\n", *words, port=caudal.port)
                self.assertEqual((done.returncode, "a secret value" in done.stdout + done.stderr), (0, False))
            self.assertEqual(self.stdin("short\n", "secret", "set", "TOKEN", port=caudal.port).returncode, 4)
            self.assertEqual(self.stdin("", "secret", "set", "TOKEN", os.path.join(self.directory, "none"), port=caudal.port).returncode, 1)
            with open(os.path.join(self.directory, "binary"), "wb") as file:
                file.write(b"\xff\xfe 12345678")
            done = self.stdin("", "secret", "set", "TOKEN", os.path.join(self.directory, "binary"), port=caudal.port)
            self.assertEqual((done.returncode, "base64" in done.stderr), (1, True))
            self.assertRegex(self.stdin("", "secret", "list", port=caudal.port).stdout, r"^TOKEN +\S+ +local +\n$")
            self.assertEqual(self.stdin("", "secret", "rotate", port=caudal.port).stdout, "0 of 1 secrets sealed anew.\n")
            self.assertEqual(self.stdin("", "secret", "delete", "TOKEN", port=caudal.port).returncode, 0)
            self.assertEqual(self.stdin("", "secret", "list", port=caudal.port).stdout, "No secrets.\n")
        finally:
            caudal.stop()

    def test_standalone_refuses_to_start(self):
        for env, expected in (({"PORT": "70000"}, "PORT"), ({"HOST": "0.0.0.0"}, "JWT_SECRET"), ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL"),
                              ({"PORT": str(self.caudal.port)}, "Cannot listen")):
            with tempfile.TemporaryDirectory() as directory:
                done = self.run_command("standalone", env={"DATA_DIR": directory, "METRICS_PORT": "0", "WS_PORT": "0", **env})
                self.assertEqual(done.returncode, 1, env)
                self.assertIn(expected, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=1)
