"""Expressions and JavaScript: in flows, tried out, checked when a flow is saved; what hostile scripts come to."""
import json
import os
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from test_api import ApiTest, UNKNOWN  # noqa: E402
from support.caudal import Caudal, chain, link, node  # noqa: E402

SECRET = "sk-planted-4711-do-not-show"


def entry(detail, node_id):
    return next(e for e in detail["nodeExecutions"] if e["nodeId"] == node_id)


class Scripts(ApiTest):
    @classmethod
    def setUpClass(cls):
        cls.caudal = Caudal(SECRETS_KEY="a-key-for-the-tests-of-expressions-0123456789", SCRIPT_TIMEOUT_MS="1000", SCRIPT_MEMORY_MB="64")
        cls.count = 0

    def run_flow(self, nodes, connections, given=None, timeout=120):
        flow = self.flow(nodes, connections)
        started = self.caudal.post(f"/flows/{flow['id']}/run", {"input": given})
        self.assertEqual(started.status, 201, started.text)
        return flow, self.caudal.wait(started.data["executionId"], timeout)

    def one(self, type_, config, given=None):
        """The entry of a node that follows the trigger."""
        flow, detail = self.run_flow([node("t", "manual-trigger"), node("x", type_, config)], chain("t", "x"), given)
        return detail, entry(detail, "x")


class Flows(Scripts):
    def test_names_and_types(self):
        detail, x = self.one("set-fields", {"fields": [
            {"field": "plain", "value": "{{ input.a.b }}"}, {"field": "sum", "value": "{{ input.list.reduce((n, i) => n + i, 0) }}"},
            {"field": "text", "value": "{{ execution.trigger }} of {{ flow.name }} v{{ flow.version }}: {{ input.list }}"},
            {"field": "other", "value": "{{ nodes.t.output.a }}"}, {"field": "braces", "value": "\\{{ no }}"}]}, {"a": {"b": 7}, "list": [1, 2, 3]})
        self.assertEqual(detail["status"], "success", detail)
        shown = json.dumps(x["output"])
        for part in ('"plain": 7', '"sum": 6', "manual of Flows", "v1: [1,2,3]", '"other": {"b": 7}', "{{ no }}"):
            self.assertIn(part, shown)

    def test_item_and_index_inside_a_for_each(self):
        inner = {**node("x", "set-fields", {"fields": [{"field": "text", "value": "{{ index }}:{{ item.name.toUpperCase() }}"}, {"field": "path", "value": "{{ item.name }}"}]}), "parentId": "each"}
        code = {**node("c", "code", {"code": "return [index, item.name, nodes.x.output]"}), "parentId": "each"}
        _, detail = self.run_flow([node("t", "manual-trigger"), node("each", "for-each", {"items": "{{ input }}", "concurrency": 2}), inner, code],
                                  [link("t", "each", "output", "items"), link("each", "x", "item", "data"), link("x", "c", "output", "input"),
                                   link("c", "each", "output", "result")], [{"name": "a"}, {"name": "b"}, {"name": "c"}])
        self.assertEqual(detail["status"], "success", detail)
        results = entry(detail, "each")["output"]["results"]
        self.assertEqual([(r[0], r[1]) for r in results], [(0, "a"), (1, "b"), (2, "c")])
        self.assertIn("2:C", json.dumps(results[2]))

    def test_an_error_names_node_field_expression_and_reason(self):
        detail, x = self.one("log", {"message": "{{ input.missing.name }} {{ 1 + 1 }}"}, {})
        self.assertEqual(detail["status"], "failed")
        for part in ("x", "message", "{{ input.missing.name }}", "undefined"):
            self.assertIn(part, detail["errorMessage"])
        detail, x = self.one("log", {"message": "{{ nothing.like() }}"}, {})
        self.assertIn("message: the expression {{ nothing.like() }} failed: ReferenceError", x["errorMessage"])

    def test_console_is_the_nodes_log_with_a_bound(self):
        detail, x = self.one("code", {"code": "for (let i = 0; i < 5000; i++) console.log('line', i); console.error('x'.repeat(100000)); return 1"})
        self.assertEqual(x["output"], {"output": 1})
        lines = self.caudal.get(f"/scheduler/executions/{detail['id']}/logs").data
        mine = [line for line in lines if line.get("nodeId") == "x"]
        self.assertIn("line 0", [line["message"] for line in mine])
        self.assertLessEqual(len(mine), 110)
        self.assertTrue(any("left out" in line["message"] for line in mine), (len(mine), mine[:2]))
        self.assertLess(sum(len(line["message"]) for line in mine), 1 << 20)


class Hostile(Scripts):
    """Each ends in a clear error of its node; the flow next to it goes on."""

    def hostile(self, code, *parts):
        detail, x = self.one("code", {"code": code, "retry": {"maxAttempts": 1}})
        self.assertEqual(detail["status"], "failed", detail)
        for part in parts:
            self.assertIn(part, x["errorMessage"])
        detail, after = self.one("code", {"code": "return [1, 2].map(x => x * 2)"})
        self.assertEqual(after["output"], {"output": [2, 4]}, detail.get("errorMessage"))
        return x["errorMessage"]

    def test_an_endless_loop(self):
        self.hostile("for (;;);", "took longer than 1000 ms")
        self.hostile("await null; for (;;) await null", "took longer than 1000 ms")
        self.hostile("/^(a+)+$/.test('a'.repeat(64) + '!'); for (;;);", "took longer")

    def test_a_memory_bomb(self):
        for code in ("const a = []; for (;;) a.push(new Array(100000).fill({}))", "let s = 'x'; for (;;) s += s + s", "new ArrayBuffer(1e9).slice(); const b = []; for (;;) b.push(new Uint8Array(1e7).fill(1))"):
            self.assertRegex(self.hostile(code), "memory|Out of memory|RangeError|longer")

    def test_deep_recursion(self):
        self.hostile("function f() { return f() + 1 } return f()", "RangeError")
        self.hostile("let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a")

    def test_a_huge_output(self):
        self.hostile("return 'x'.repeat(20 << 20)", "more than")

    def test_prototype_tricks_reach_nobody(self):
        for code in ("Object.prototype.polluted = 1", "[].__proto__.map = () => 'mine'", "globalThis.leak = 1", "JSON.stringify = () => '1'",
                     "Object.defineProperty(Object.prototype, 'then', { get() { return (f) => f('stolen') } })", "Promise.prototype.then = null"):
            self.one("code", {"code": code + "; return 1"})
        _, x = self.one("code", {"code": "return [({}).polluted === undefined, [1].map(x => x), typeof leak, JSON.stringify({}), await 5]"})
        self.assertEqual(x["output"], {"output": [True, [1], "undefined", "{}", 5]})

    def test_no_state_is_seen_by_another_flow_or_the_next_call(self):
        for code in ("globalThis.x = 1", "this.x = 1", "x = 1", "$text.secret = 1", "Array.x = 1", "console.x = 1", "(function () { this.x = 1 })()", "new Function('x = 1')()"):
            self.one("code", {"code": f"try {{ {code} }} catch (error) {{}} return 1"})
        _, x = self.one("code", {"code": "return [typeof x, typeof globalThis.x, typeof $text.secret, typeof Array.x, typeof console.x]"})
        self.assertEqual(x["output"], {"output": ["undefined"] * 5})

    def test_nothing_outside_is_there(self):
        _, x = self.one("code", {"code": "return ['require', 'process', 'fetch', 'XMLHttpRequest', 'setTimeout', 'Deno', 'WebAssembly', 'SharedArrayBuffer', 'load', 'readFile', 'print'].filter(n => n in globalThis)"})
        self.assertEqual(x["output"], {"output": []})
        self.hostile("await import('fs')")

    def test_many_at_once_beside_one_that_hangs(self):
        hanging = self.flow([node("t", "manual-trigger"), node("x", "code", {"code": "for (;;);"})], chain("t", "x"))
        good = self.flow([node("t", "manual-trigger"), node("x", "code", {"code": "return input.n * 2"})], chain("t", "x"))
        bad = [self.caudal.post(f"/flows/{hanging['id']}/run", {}).data["executionId"] for _ in range(2)]
        ids = [self.caudal.post(f"/flows/{good['id']}/run", {"input": {"n": n}}).data["executionId"] for n in range(30)]
        for n, execution in enumerate(ids):
            self.assertEqual(entry(self.caudal.wait(execution, 120), "x")["output"], {"output": n * 2})
        for execution in bad:
            self.assertIn("took longer", self.caudal.wait(execution, 120)["errorMessage"])


class KilledRunners(Scripts):
    def runners(self):
        found = []
        for pid in os.listdir("/proc"):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
                with open(f"/proc/{pid}/stat") as file:
                    parent = int(file.read().rsplit(")", 1)[1].split()[1])
            except (OSError, ValueError, IndexError):
                continue
            if b"script-runner" in words and parent == self.caudal.process.pid:
                found.append(int(pid))
        return found

    def test_kill_under_load(self):
        flow = self.flow([node("t", "manual-trigger"), node("x", "code", {"code": "let n = 0; for (let i = 0; i < 2e6; i++) n += i % 7; return n", "retry": {"maxAttempts": 20, "delayMs": 1}})], chain("t", "x"))
        ids = [self.caudal.post(f"/flows/{flow['id']}/run", {}).data["executionId"] for _ in range(24)]
        killed, stop = [], threading.Event()

        def killer():
            while not stop.is_set() and len(killed) < 6:
                for pid in self.runners()[:1]:
                    try:
                        os.kill(pid, 9)
                        killed.append(pid)
                    except ProcessLookupError:
                        pass
                time.sleep(0.3)
        thread = threading.Thread(target=killer)
        thread.start()
        try:
            outputs = {json.dumps(entry(self.caudal.wait(execution, 240), "x")["output"]) for execution in ids}
        finally:
            stop.set()
            thread.join()
        self.assertEqual(len(outputs), 1, outputs)
        self.assertTrue(killed, "no runner was found: the test shows nothing")


class TryOut(Scripts):
    def evaluate(self, expression, **more):
        answer = self.caudal.post("/expressions/evaluate", {"expression": expression, **more})
        self.assertEqual(answer.status, 200, answer.text)
        return answer.data

    def test_values_and_types(self):
        for expression, value, kind in (("1 + 1", 2, "number"), ("{{ input.a }}", 5, "number"), ("n: {{ input.a }}", "n: 5", "string"), ("[input.a]", [5], "array"),
                                        ("({ a: null }).a", None, "null"), ("input", {"a": 5}, "object"), ("input.a > 4", True, "boolean"), ("'{' + index + item + '}'", "{3x}", "string"),
                                        ("$text.upper('a')", "A", "string"), ("$hash.md5('')", "d41d8cd98f00b204e9800998ecf8427e", "string")):
            self.assertEqual(self.evaluate(expression, input={"a": 5}, item="x", index=3), {"value": value, "type": kind}, expression)
        self.assertEqual(self.evaluate("input.b", input={}), {"type": "undefined"})

    def test_names_are_those_of_the_execution_and_the_node(self):
        flow, detail = self.run_flow([node("t", "manual-trigger"), node("a", "code", {"code": "return { n: input.n + 1 }"}), node("b", "log", {"message": "{{ input.n }}"})],
                                     chain("t", "a", "b"), {"n": 41})
        given = {"executionId": detail["id"], "nodeId": "b"}
        self.assertEqual(self.evaluate("input.n", **given)["value"], 42)
        self.assertEqual(self.evaluate("nodes.a.output.n + nodes.t.output.n", **given)["value"], 83)
        self.assertEqual(self.evaluate("Object.keys(nodes).sort()", **given)["value"], ["a", "b", "t"])
        self.assertEqual(self.evaluate("execution.id + flow.name", **given)["value"], detail["id"] + flow["name"])
        self.assertEqual(self.evaluate("input.n", executionId=detail["id"])["value"], 41)
        self.assertEqual(self.evaluate("input.n", input={"n": 7}, **given)["value"], 7)
        self.assertEqual(self.evaluate("flow.id", flowId=flow["id"])["value"], flow["id"])
        self.refused(self.caudal.post("/expressions/evaluate", {"expression": "1", "executionId": UNKNOWN}), 404, "NOT_FOUND")
        self.refused(self.caudal.post("/expressions/evaluate", {"expression": "1", "flowId": UNKNOWN}), 404, "NOT_FOUND")

    def test_errors_are_answers(self):
        self.assertIn("SyntaxError", self.evaluate("1 +")["error"])
        self.assertIn("ReferenceError", self.evaluate("nothing + 1")["error"])
        self.assertIn("undefined", self.evaluate("input.a.b", input={})["error"])
        self.assertIn("took longer", self.evaluate("(() => { for (;;); })()")["error"])
        self.assertIn("shown", self.evaluate("'x'.repeat(1 << 20)")["error"])
        self.assertIn("error", self.evaluate("{{ 1"))
        self.assertEqual(self.evaluate("1 + 1")["value"], 2)
        self.refused(self.caudal.post("/expressions/evaluate", {"expression": ""}), 400, "VALIDATION_ERROR", "expression")
        self.refused(self.caudal.post("/expressions/evaluate", {"expression": 5}), 400, "VALIDATION_ERROR", "expression")
        self.refused(self.caudal.post("/expressions/evaluate", {"expression": "1" * 20000}), 400, "VALIDATION_ERROR", "expression")

    def test_secrets_are_never_shown(self):
        self.assertEqual(self.caudal.post("/secrets", {"name": "PLANTED", "value": SECRET}).status, 201)
        self.assertEqual(self.caudal.post("/variables", {"name": "region", "value": {"name": "north"}}).status, 201)
        self.assertEqual(self.evaluate("variables.region.name")["value"], "north")
        self.assertEqual(self.evaluate("secrets.PLANTED.length")["value"], 4)
        for expression in ("secrets.PLANTED", "'Bearer ' + secrets.PLANTED", "JSON.stringify(secrets) + secrets.PLANTED", "[...secrets.PLANTED].reverse()", "$encode.base64(secrets.PLANTED)",
                           "(() => { throw new Error(secrets.PLANTED) })()"):
            self.assertNotIn("4711", json.dumps(self.evaluate(expression)))
        self.assertIn("There is no secret", self.evaluate("secrets.OTHER")["error"])
        self.assertIn("There is no secret", self.evaluate("'' + secrets.OTHER")["error"])

    def test_helpers_are_listed(self):
        listed = self.caudal.get("/expressions/helpers").data
        names = [helper["name"] for helper in listed]
        self.assertEqual(len(set(names)), len(names))
        there = self.evaluate("Object.entries({ $date, $text, $hash, $encode }).flatMap(([name, of]) => Object.keys(of).map((key) => name + '.' + key)).sort()")["value"]
        self.assertEqual(sorted(name for name in names if "." in name), there)
        self.assertLessEqual({"input", "nodes", "item", "secrets"}, set(names))


class Checks(Scripts):
    NODES = [node("t", "manual-trigger"), node("l", "log", {"message": "{{ input.a + }} and {{ fine() }}"}), node("c", "code", {"code": "const a = 1;\nconst a = 2;\nreturn a"}),
             node("m", "field-mapper", {"source": [], "mapping": [{"sourceField": "a", "targetField": "b", "transformation": "function", "parameters": {"functionBody": "return value +"}}]}),
             node("o", "log", {"message": "{{ open"})]

    def problems(self, warnings):
        return {(w["nodeId"], w["field"], w["code"]) for w in warnings if w["code"] in ("INVALID_EXPRESSION", "INVALID_CODE")}

    def test_validation_and_saving_tell_what_is_broken(self):
        expected = {("l", "nodes[1].config.message", "INVALID_EXPRESSION"), ("c", "nodes[2].config.code", "INVALID_CODE"),
                    ("m", "nodes[3].config.mapping[0].parameters.functionBody", "INVALID_CODE"), ("o", "nodes[4].config.message", "INVALID_EXPRESSION")}
        body = {"name": self.name(), "nodes": self.NODES, "connections": chain("t", "l", "c", "m", "o")}
        checked = self.caudal.post("/flows/validate", body).json
        self.assertTrue(checked["valid"])
        self.assertEqual(self.problems(checked["warnings"]), expected)
        of_code = next(w for w in checked["warnings"] if w["code"] == "INVALID_CODE" and w["nodeId"] == "c")
        self.assertEqual(of_code["line"], 2)
        self.assertIn("line 2", of_code["message"])
        self.assertIn("{{ input.a + }}", next(w for w in checked["warnings"] if w["nodeId"] == "l" and w["code"] == "INVALID_EXPRESSION")["message"])
        saved = self.caudal.post("/flows", body)
        self.assertEqual(saved.status, 201)
        self.assertEqual(self.problems(saved.data["warnings"]), expected)
        place = f"/flows/{saved.data['id']}"
        self.assertNotIn("warnings", self.caudal.get(place).data)
        self.assertEqual(self.problems(self.caudal.post(place + "/validate").json["warnings"]), expected)
        mended = self.caudal.call("PUT", place, {"nodes": self.NODES[:1] + [node("l", "log", {"message": "{{ input.a + 1 }}"})], "connections": chain("t", "l")})
        self.assertEqual(mended.status, 200)
        self.assertEqual(self.problems(mended.data.get("warnings", [])), set())


del ApiTest, Scripts

if __name__ == "__main__":
    unittest.main()
