"""Waits over the API: for times, for signals, for a person's answer under a link; over a kill as well."""
import hashlib
import http.client
import json
import os
import re
import sqlite3
import sys
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from test_api import ApiTest, UNKNOWN  # noqa: E402
from support.caudal import AT, chain, link, node  # noqa: E402


def waiting(config, **more):
    """A wait whose outputs each lead to a node of their name."""
    nodes = [node("t", "manual-trigger"), node("w", "wait", config)]
    nodes += [node(pin, "log", {"message": pin}) for pin in ("output", "approved", "rejected", "timeout")]
    return nodes, chain("t", "w") + [link("w", pin, pin) for pin in ("output", "approved", "rejected", "timeout")]


def ways(detail):
    return sorted(n["nodeId"] for n in detail["nodeExecutions"] if n["status"] == "success" and n["nodeId"] not in ("t", "w"))


class WaitTest(ApiTest):
    def begin(self, config):
        nodes, connections = waiting(config)
        execution = self.caudal.run(self.flow(nodes, connections))
        return execution, self.until_waits(execution)

    def until_waits(self, execution, caudal=None):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            detail = (caudal or self.caudal).get(f"/scheduler/executions/{execution}").data
            if detail["waits"]:
                return detail["waits"][0]
            time.sleep(0.02)
        self.fail(f"it does not wait: {detail}")

    def signal(self, execution, **body):
        return self.caudal.post(f"/scheduler/executions/{execution}/signal", body)

    def output(self, detail, node_id="w"):
        return next(n["output"] for n in detail["nodeExecutions"] if n["nodeId"] == node_id)


class WhatLedThere(WaitTest):
    """Who looks at what waits sees every node before it, also those that no checkpoint tells of."""

    def so_far(self, execution):
        end = time.monotonic() + 60
        while time.monotonic() < end: # its checkpoint comes first
            nodes = {n["nodeId"]: n for n in self.caudal.get(f"/scheduler/executions/{execution}").data["nodeExecutions"]}
            if "t" in nodes:
                return nodes
            time.sleep(0.02)
        self.fail(f"the node before is not told of: {nodes}")

    def test_a_waiting_execution_shows_what_it_has_done(self):
        nodes = [node("t", "manual-trigger", {"output": {"sum": 12}}), node("s", "set-fields", {"mode": "merge", "fields": [{"field": "tax", "value": 3}]}),
                 node("w", "wait", {"mode": "approval", "title": "Pay {{ nodes.t.output.sum }}?"}), node("end", "log", {"message": "done"})]
        execution = self.caudal.run(self.flow(nodes, [link("t", "s", input="data"), link("s", "w", input="data"), link("w", "end", "approved")]))
        wait = self.until_waits(execution)
        nodes = self.so_far(execution)
        self.assertEqual({name: n["status"] for name, n in nodes.items()}, {"t": "success", "s": "success", "w": "waiting"})
        self.assertEqual(nodes["s"]["input"]["data"], {"sum": 12})
        self.assertEqual(nodes["s"]["output"]["output"], {"sum": 12, "tax": 3})
        self.assertEqual(nodes["w"]["input"]["title"], "Pay 12?")
        self.assertEqual([a["status"] for a in nodes["w"]["attempts"]], ["waiting"])
        self.assertNotIn(wait["url"].rsplit("/", 1)[-1], str(nodes))
        detail = self.caudal.get(f"/scheduler/executions/{execution}").data
        self.assertGreater(detail["recordsProcessed"], 0)
        self.assertTrue(any("Node t " in line["message"] for line in self.caudal.get(f"/scheduler/executions/{execution}/logs").data))
        self.caudal.post(f"/scheduler/executions/{execution}/cancel")
        self.assertEqual(set(self.so_far(execution)), {"t", "s", "w"})

    def test_one_that_went_on_shows_its_own_end(self):
        execution, _ = self.begin({"mode": "signal", "name": "paid", "data": {"a": 1}})
        self.so_far(execution)
        self.signal(execution, name="paid", payload=7)
        detail = self.caudal.wait(execution)
        self.assertEqual((detail["status"], ways(detail), self.output(detail)["output"]), ("success", ["output"], 7))
        self.assertEqual(len([n for n in detail["nodeExecutions"] if n["nodeId"] == "w"]), 1)


class Times(WaitTest):
    def test_duration_and_deadline(self):
        nodes, connections = waiting({"mode": "duration", "durationMs": 200, "data": {"a": 1}})
        detail = self.caudal.wait(self.caudal.run(self.flow(nodes, connections)))
        self.assertEqual((detail["status"], ways(detail)), ("success", ["output"]))
        nodes, connections = waiting({"mode": "duration", "durationMs": 86400000, "timeoutMs": 200})
        detail = self.caudal.wait(self.caudal.run(self.flow(nodes, connections)))
        self.assertEqual((detail["status"], ways(detail)), ("success", ["timeout"]))

    def test_until(self):
        nodes, connections = waiting({"mode": "until", "cron": "* * * * * *", "timezone": "Europe/Madrid"})
        detail = self.caudal.wait(self.caudal.run(self.flow(nodes, connections)))
        self.assertEqual((detail["status"], ways(detail)), ("success", ["output"]))
        execution, wait = self.begin({"mode": "until", "untilTime": "2031-07-01T08:00", "timezone": "Europe/Madrid"})
        self.assertEqual((wait["kind"], wait["until"]), ("time", "2031-07-01T06:00:00.000Z"))
        self.caudal.post(f"/scheduler/executions/{execution}/cancel")
        self.assertEqual(self.caudal.get(f"/scheduler/executions/{execution}").data["waits"], [])

    def test_a_long_wait_of_a_run_without_steps_ends(self):
        """durability run keeps only beginning and end: what it had done when it left the worker is kept all the same."""
        nodes, connections = waiting({"mode": "duration", "durationMs": 6500})
        flow = self.flow(nodes, connections, settings={"durability": "run"})
        detail = self.caudal.wait(self.caudal.run(flow), timeout=60)
        self.assertEqual((detail["status"], ways(detail)), ("success", ["output"]))

    def test_bad_configurations_fail_with_the_field(self):
        for config, field in (({"mode": "duration"}, "durationMs"), ({"mode": "until"}, "untilTime"),
                              ({"mode": "until", "untilTime": "soon"}, "untilTime"), ({"mode": "until", "cron": "x"}, "cron"),
                              ({"mode": "until", "untilTime": "2031-01-01T00:00", "timezone": "Mars/Base"}, "time zone"),
                              ({"mode": "approval", "token": "short"}, "token"),
                              ({"mode": "approval", "fields": [{"name": "a", "type": "select"}]}, "fields[0].options"),
                              ({"mode": "approval", "fields": [{"name": "a"}, {"name": "a"}]}, "fields[1].name")):
            nodes, connections = waiting(config)
            detail = self.caudal.wait(self.caudal.run(self.flow(nodes, connections)))
            self.assertEqual((detail["status"], detail["errorCode"]), ("failed", "VALIDATION_ERROR"), detail)
            self.assertIn(field.rsplit(".", 1)[-1], detail["errorMessage"])


class Signals(WaitTest):
    def test_a_signal_ends_a_wait_and_gives_its_payload(self):
        execution, wait = self.begin({"mode": "signal", "name": "paid"})
        self.assertEqual((wait["kind"], wait["name"], wait["until"], wait["iteration"]), ("signal", "paid", None, "0"))
        self.assertFalse(self.signal(execution, name="other").data["awaited"])
        answer = self.signal(execution, name="paid", payload={"sum": 12}, idempotencyKey="k1")
        self.assertEqual((answer.status, answer.data["awaited"], answer.data["repeated"]), (202, True, False))
        detail = self.caudal.wait(execution)
        self.assertEqual((detail["status"], ways(detail)), ("success", ["output"]))
        self.assertEqual(self.output(detail)["output"], {"sum": 12})
        self.refused(self.signal(execution, name="paid"), 409, "CONFLICT", "status")

    def test_the_same_key_is_one_signal(self):
        nodes = [node("t", "manual-trigger"), node("a", "wait", {"mode": "signal"}), node("b", "wait", {"mode": "signal", "timeoutMs": 86400000})]
        execution = self.caudal.run(self.flow(nodes, chain("t", "a", "b")))
        first = self.signal(execution, payload=1, idempotencyKey="k").data
        again = self.caudal.post(f"/scheduler/executions/{execution}/signal", {"payload": 2}, headers={"Idempotency-Key": "k"}).data
        self.assertEqual((again["signalId"], again["repeated"]), (first["signalId"], True))
        end = time.monotonic() + 60
        while self.until_waits(execution)["nodeId"] != "b":
            self.assertLess(time.monotonic(), end)
        self.signal(execution, payload=3)
        detail = self.caudal.wait(execution)
        self.assertEqual([self.output(detail, n)["output"] for n in "ab"], [1, 3])

    def test_a_signal_before_its_wait_is_kept(self):
        nodes = [node("t", "manual-trigger"), node("d", "delay", {"durationMs": 6500}), node("w", "wait", {"mode": "signal", "name": "go"})]
        execution = self.caudal.run(self.flow(nodes, chain("t", "d", "w")))
        self.assertFalse(self.signal(execution, name="go", payload="early").data["awaited"])
        detail = self.caudal.wait(execution, timeout=60)
        self.assertEqual(self.output(detail)["output"], "early")

    def test_refusals(self):
        execution, _ = self.begin({"mode": "signal"})
        self.refused(self.signal(execution, nodeId="nobody"), 404, "NOT_FOUND", "nodeId")
        self.refused(self.signal(execution, nodeId="t"), 409, "CONFLICT", "nodeId")
        self.refused(self.signal(execution, name="x" * 101), 400, "VALIDATION_ERROR", "name")
        self.refused(self.signal(execution, payload="x" * (1 << 20)), 413, "PAYLOAD_TOO_LARGE", "payload")
        self.refused(self.signal(UNKNOWN), 404, "NOT_FOUND")
        self.assertEqual(self.signal(execution, nodeId="w").status, 202)
        self.caudal.wait(execution)
        other, _ = self.begin({"mode": "duration", "durationMs": 86400000})
        self.refused(self.signal(other), 409, "CONFLICT")
        self.caudal.post(f"/scheduler/executions/{other}/cancel")

    def test_deadline(self):
        execution, _ = self.begin({"mode": "signal", "timeoutMs": 300})
        self.assertEqual(ways(self.caudal.wait(execution)), ["timeout"])

    def test_a_paused_execution_takes_it_when_it_is_resumed(self):
        execution, _ = self.begin({"mode": "signal"})
        self.caudal.post(f"/scheduler/executions/{execution}/pause")
        self.assertEqual(self.signal(execution, payload=5).status, 202)
        self.assertEqual(self.caudal.get(f"/scheduler/executions/{execution}").data["status"], "paused")
        self.caudal.post(f"/scheduler/executions/{execution}/resume")
        self.assertEqual(self.output(self.caudal.wait(execution))["output"], 5)

    def test_history_shows_what_expressions_came_to(self):
        """Also of nodes that ran before the wait and go on from their checkpoints, here and in a retry."""
        nodes = [node("t", "manual-trigger"), node("before", "log", {"message": "run {{ execution.id }}"}), node("w", "wait", {"mode": "signal", "name": "{{ 'go-' + execution.id }}"}),
                 node("bad", "stop-with-error", {"message": "no"})]
        execution = self.caudal.run(self.flow(nodes, chain("t", "before", "w", "bad")))
        self.until_waits(execution)
        self.assertTrue(self.signal(execution, name=f"go-{execution}", payload=1).data["awaited"])
        detail = self.caudal.wait(execution)
        retried = self.caudal.post(f"/scheduler/executions/{execution}/retry", {"from": "failed"}).data
        for shown in (detail, self.caudal.wait(retried["executionId"])):
            inputs = {n["nodeId"]: n["input"] for n in shown["nodeExecutions"]}
            self.assertEqual((shown["status"], inputs["before"]["message"], inputs["w"]["name"]), ("failed", f"run {execution}", f"go-{execution}"))

    def test_inside_a_for_each_and_beside_work(self):
        """One item's wait is addressed by its iteration; the other item's work goes on meanwhile."""
        nodes = [node("t", "manual-trigger"), node("e", "for-each", {"concurrency": 2}),
                 {**node("w", "wait", {"mode": "signal"}), "parentId": "e"}]
        connections = chain("t", "e") + [link("e", "w", "item", "data"), link("w", "e", "output", "result")]
        execution = self.caudal.run(self.flow(nodes, connections), input=["a", "b"])
        end = time.monotonic() + 60
        while len(self.caudal.get(f"/scheduler/executions/{execution}").data["waits"]) < 2:
            self.assertLess(time.monotonic(), end)
        self.assertTrue(self.signal(execution, iteration="1.0", payload="B").data["awaited"])
        self.assertTrue(self.signal(execution, iteration="0.0", payload="A").data["awaited"])
        detail = self.caudal.wait(execution)
        self.assertEqual(self.output(detail, "e")["results"], ["A", "B"])

    def test_waits_outlive_a_kill(self):
        caudal = type(self.caudal)()
        try:
            nodes, connections = waiting({"mode": "signal"})
            flow = caudal.flow("kill", nodes, connections)
            execution = caudal.run(flow)
            self.until_waits(execution, caudal)
            caudal.kill()
            caudal.start()
            self.assertEqual(caudal.post(f"/scheduler/executions/{execution}/signal", {"payload": 7}).status, 202)
            caudal.kill()  # it was accepted: it is not lost
            caudal.start()
            detail = caudal.wait(execution, timeout=60)
            self.assertEqual(self.output(detail)["output"], 7)
        finally:
            caudal.stop()


class Approvals(WaitTest):
    FIELDS = [{"name": "sum", "label": "Sum <b>", "type": "number", "required": True}, {"name": "why", "type": "select", "options": ["new", "old"]},
              {"name": "sure", "type": "checkbox"}, {"name": "day", "type": "date", "default": "2026-03-01"}]

    def ask(self, **more):
        return self.begin({"mode": "approval", "title": "Send <40> orders?", "message": "One\n<script>alert(1)</script>", "fields": self.FIELDS, **more})

    def page(self, url, form=None, language="en"):
        """Without the checks of JSON answers: this is HTML."""
        connection = http.client.HTTPConnection("127.0.0.1", self.caudal.port, timeout=40)
        headers = {"Accept-Language": language}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request("GET" if form is None else "POST", url, None if form is None else urllib.parse.urlencode(form), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        headers = {k.lower(): v for k, v in answer.getheaders()}
        connection.close()
        return answer.status, text, headers

    def test_a_person_approves(self):
        execution, wait = self.ask()
        self.assertEqual((wait["kind"], wait["title"]), ("approval", "Send <40> orders?"))
        self.assertRegex(wait["url"], r"^/wait/[0-9a-f]{64}\.[0-9a-f]{64}$")
        status, text, headers = self.page(wait["url"])
        self.assertEqual((status, headers["content-type"]), (200, "text/html; charset=utf-8"))
        self.assertIn("default-src 'none'; style-src 'sha256-", headers["content-security-policy"])
        self.assertNotIn("script-src", headers["content-security-policy"])
        self.assertEqual((headers["referrer-policy"], headers["cache-control"]), ("no-referrer", "no-store"))
        self.assertIn("Send &lt;40&gt; orders?", text)
        self.assertIn("&lt;script&gt;", text)
        self.assertNotIn("<script", text)
        self.assertIn('name="field.day" type="date" value="2026-03-01"', text)
        self.assertIn("width=device-width", text)
        self.assertFalse(re.findall(r"width:\s*\d{3,}px", text), "nothing is wider than a small screen")
        status, text, _ = self.page(wait["url"], {"decision": "approve", "field.sum": "much", "field.why": "never", "field.day": "2026-3-1", "comment": '"><img>'})
        self.assertEqual(status, 400)
        for sentence in ("This must be a number.", "Select one of the list.", "This must be a date", "&quot;&gt;&lt;img&gt;"):
            self.assertIn(sentence, text)
        self.assertEqual(self.page(wait["url"], {"field.sum": "1"})[0], 400)
        status, text, _ = self.page(wait["url"], {"decision": "approve", "field.sum": "12.5", "field.why": "new", "field.sure": "yes", "comment": "ok"})
        self.assertEqual(status, 200)
        self.assertIn("it is approved", text)
        detail = self.caudal.wait(execution)
        self.assertEqual(ways(detail), ["approved", "output"])
        answer = self.output(detail)["approved"]
        self.assertEqual((answer["approved"], answer["comment"], answer["fields"]), (True, "ok", {"sum": 12.5, "why": "new", "sure": True, "day": None}))
        for form in (None, {"decision": "reject"}):
            status, text, _ = self.page(wait["url"], form)
            self.assertEqual(status, 410)
            self.assertIn("answered already", text)

    def test_a_person_rejects_in_spanish(self):
        execution, wait = self.ask()
        status, text, _ = self.page(wait["url"], language="fr, es-ES;q=0.8, en;q=0.5")
        self.assertIn("Aprobar", text)
        self.assertIn('lang="es"', text)
        status, text, _ = self.page(wait["url"], {"decision": "reject", "comment": "no\xff"}, language="es")
        self.assertEqual(status, 200)
        self.assertIn("queda rechazado", text)
        detail = self.caudal.wait(execution)
        self.assertEqual(ways(detail), ["output", "rejected"])

    def test_too_late_and_unknown(self):
        execution, wait = self.ask(timeoutMs=400)
        detail = self.caudal.wait(execution)
        self.assertEqual(ways(detail), ["timeout"])
        status, text, _ = self.page(wait["url"], {"decision": "approve", "field.sum": "1"})
        self.assertEqual(status, 410)
        self.assertIn("too late", text)
        for form in (None, {"decision": "approve"}):
            status, text, _ = self.page("/wait/" + "0" * 64, form)
            self.assertEqual(status, 404)
            self.assertIn("no such link", text)
        execution, wait = self.ask()
        self.caudal.post(f"/scheduler/executions/{execution}/cancel")
        self.assertEqual(self.page(wait["url"])[0], 410)

    def test_no_signal_answers_for_a_person(self):
        execution, wait = self.ask()
        self.refused(self.signal(execution, payload={"approved": True}), 409, "CONFLICT")
        self.refused(self.signal(execution, nodeId="w", payload={"approved": True}), 409, "CONFLICT", "nodeId")
        self.caudal.post(f"/scheduler/executions/{execution}/cancel")

    def test_the_store_alone_answers_nothing(self):
        token = "a-token_of-an-earlier_node"
        execution, wait = self.ask(token=token)
        if not AT:
            self.assertNotIn(token, self.stored("SELECT * FROM wait_tokens") + self.stored("SELECT waiting FROM checkpoints") + self.stored("SELECT * FROM signals"))
            for reference in self.stored("SELECT token FROM wait_tokens w JOIN executions e ON e.seq = w.execution WHERE e.id = ?", execution).split():
                for form in (None, {"decision": "approve"}):
                    self.assertEqual(self.page("/wait/" + reference, form)[0], 404)
                    self.assertEqual(self.page("/wait/" + reference.lstrip("~"), form)[0], 404)
                    self.assertEqual(self.page(f"/wait/{reference.lstrip('~')}.{64 * '0'}", form)[0], 404)
        self.assertEqual(self.page(wait["url"])[0], 200)
        self.assertEqual(self.page("/wait/" + token, {"decision": "approve", "field.sum": "1"})[0], 200)
        detail = self.caudal.wait(execution)
        self.assertEqual(ways(detail), ["approved", "output"])
        self.assertNotIn(token, json.dumps(detail["nodeExecutions"]))

    def stored(self, query, *arguments):
        database = sqlite3.connect(os.path.join(self.caudal.directory, "caudal.db"))
        try:
            return "\n".join(" ".join(map(str, row)) for row in database.execute(query, arguments))
        finally:
            database.commit()
            database.close()

    @unittest.skipIf(AT, "it is killed")
    def test_a_token_that_was_stored_in_clear_is_answered(self):
        token = "a-token_of-before_references"
        execution, wait = self.ask(token=token)
        self.caudal.kill()
        reference = "~" + hashlib.sha256(token.encode()).hexdigest()
        self.stored("UPDATE wait_tokens SET token=? WHERE token=?", token, reference)
        self.stored("UPDATE checkpoints SET waiting=replace(waiting, ?, ?)", reference, token)
        self.caudal.start()
        self.assertEqual(self.until_waits(execution)["url"], "/wait/" + token)
        self.assertEqual(self.page("/wait/" + token, {"decision": "approve", "field.sum": "1"})[0], 200)
        self.assertEqual(ways(self.caudal.wait(execution)), ["approved", "output"])


if __name__ == "__main__":
    unittest.main()
