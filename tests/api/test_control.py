"""Versions, run control, schedules, variables and secrets over the API."""
import os
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from test_api import ApiTest, UNKNOWN, small  # noqa: E402
from support.caudal import AT, PROGRAM, chain, node  # noqa: E402


def hook(path, **config):
    return [node("hook", "webhook-trigger", {"path": path, **config}), node("log", "log", {"message": "x"})], chain("hook", "log")


class Versions(ApiTest):
    def test_two_active_flows_never_share_a_webhook(self):
        nodes, connections = hook("shared")
        first, second = self.flow(nodes, connections), self.flow(nodes, connections)
        place = f"/flows/{second['id']}"
        self.assertEqual(self.caudal.call("PUT", f"/flows/{first['id']}", {"status": "active"}).status, 200)
        body = self.refused(self.caudal.call("PUT", place, {"status": "active"}), 409, "CONFLICT", "nodes[0].config.path")
        self.assertIn(first["name"], body["message"])
        self.assertEqual(self.caudal.get(place).data["status"], "draft")
        other, _ = hook("shared", method="ANY")
        self.refused(self.caudal.call("PUT", place, {"status": "active", "nodes": other}), 409, "CONFLICT", "nodes[0].config.path")
        other, _ = hook("shared", method="GET")
        self.assertEqual(self.caudal.call("PUT", place, {"status": "active", "nodes": other}).status, 200)
        self.refused(self.caudal.call("PUT", place, {"nodes": nodes}), 409, "CONFLICT", "nodes[0].config.path")
        self.refused(self.caudal.post(place + "/versions/1/rollback"), 409, "CONFLICT", "nodes[0].config.path")
        self.assertEqual(self.caudal.call("PUT", f"/flows/{first['id']}", {"status": "inactive"}).status, 200)
        self.assertEqual(self.caudal.post(place + "/versions/1/rollback").status, 200)
        twice = nodes + [node("again", "webhook-trigger", {"path": "shared"})]
        self.refused(self.caudal.call("PUT", place, {"nodes": twice}), 409, "CONFLICT", "nodes[2].config.path")

    def test_versions_are_compared(self):
        flow = self.flow()
        place = f"/flows/{flow['id']}"
        nodes = flow["nodes"][:2]
        nodes[1]["config"]["conditions"][0]["value"] = "gone"
        self.caudal.call("PUT", place, {"nodes": nodes, "connections": flow["connections"][:1], "settings": {"history": "errors"}, "note": "less"})
        diff = self.caudal.get(place + "/versions/1/diff/2").data
        self.assertEqual([n["id"] for n in diff["nodes"]["removed"]], ["3"])
        self.assertEqual(diff["nodes"]["changed"][0]["fields"], [{"path": "config.conditions[0].value", "before": "active", "after": "gone"}])
        self.assertEqual(len(diff["connections"]["removed"]), 1)
        self.assertEqual(diff["settings"], [{"path": "history", "before": None, "after": "errors"}])
        self.assertEqual(self.caudal.get(place + "/versions/2/diff/2").data["changes"], 0)
        self.refused(self.caudal.get(place + "/versions/1/diff/9"), 404, "NOT_FOUND")
        self.refused(self.caudal.get(place + "/versions/1/diff/x"), 400, "VALIDATION_ERROR", "version")
        newest = self.caudal.get(place + "/versions").data[0]
        self.assertEqual(newest["changes"], "less")
        self.assertTrue(newest["createdBy"])


class Ports(ApiTest):
    def test_a_busy_port_stops_the_start(self):
        for variable in ("PORT", "WS_PORT", "METRICS_PORT"):
            env = {**os.environ, "DATA_DIR": os.path.join(self.caudal.directory, "other"), "PORT": "0", "WS_PORT": "0", "METRICS_PORT": "0",
                   "LOG_LEVEL": "error", variable: str(self.caudal.port)}
            ended = subprocess.run([PROGRAM, "standalone"], env=env, capture_output=True, text=True, timeout=120)
            self.assertNotEqual(ended.returncode, 0)
            lines = [line for line in ended.stderr.splitlines() if line]
            self.assertEqual(len(lines), 1, ended.stderr)
            self.assertIn(f"{variable}: Cannot listen", lines[0])


@unittest.skipIf(AT, "its process is elsewhere")
class Scheduling(ApiTest):
    def test_woken_threads_wait(self):
        threads = os.listdir(f"/proc/{self.caudal.process.pid}/task")
        self.assertEqual({os.sched_getscheduler(int(thread)) for thread in threads}, {os.SCHED_BATCH})

    def test_a_policy_that_was_chosen_stays(self):
        env = {**os.environ, "DATA_DIR": os.path.join(self.caudal.directory, "idle"), "PORT": "0", "WS_PORT": "0", "METRICS_PORT": "0"}
        with subprocess.Popen(["chrt", "--idle", "0", PROGRAM, "standalone"], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            try:
                self.assertIn("is ready", process.stdout.readline())
                self.assertEqual(os.sched_getscheduler(process.pid), os.SCHED_IDLE)
            finally:
                process.terminate()


class Schedules(ApiTest):
    def slow(self):
        return self.flow([node("t", "schedule-trigger"), node("d", "delay", {"durationMs": 60000})], chain("t", "d"))

    def schedule(self, flow, **more):
        answer = self.caudal.post("/scheduler/schedules", {"flowId": flow["id"], "name": self.name(), "cronExpression": "* * * * * *", "maxRetries": 0, **more})
        self.assertEqual(answer.status, 201, answer.text)
        return answer.data

    def until(self, question, timeout=60):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            found = question()
            if found:
                return found
            time.sleep(0.05)
        self.fail("it did not come")

    def instants(self, schedule, outcome=None):
        query = f"?limit=100&outcome={outcome}" if outcome else "?limit=100"
        return self.caudal.get(f"/scheduler/schedules/{schedule['id']}/instants{query}").data["data"]

    def end(self, schedule):
        self.caudal.post(f"/scheduler/schedules/{schedule['id']}/disable")
        for row in self.caudal.get(f"/scheduler/executions?scheduleId={schedule['id']}&limit=100").data["data"]:
            self.caudal.post(f"/scheduler/executions/{row['id']}/cancel")

    def test_members_and_refusals(self):
        flow = self.flow()
        schedule = self.schedule(flow, cronExpression="@yearly")
        self.assertEqual((schedule["overlap"], schedule["catchUp"], schedule["catchUpWindow"]), ("allow", "last", None))
        place = f"/scheduler/schedules/{schedule['id']}"
        changed = self.caudal.call("PUT", place, {"overlap": "queue", "catchUp": "all", "catchUpWindow": 60}).data
        self.assertEqual((changed["overlap"], changed["catchUp"], changed["catchUpWindow"]), ("queue", "all", 60))
        self.assertEqual(self.caudal.call("PUT", place, {"catchUpWindow": None}).data["catchUpWindow"], None)
        for field, bad in (("overlap", "both"), ("catchUp", "some"), ("catchUpWindow", -1), ("catchUpWindow", 99999999)):
            self.refused(self.caudal.call("PUT", place, {field: bad}), 400, "VALIDATION_ERROR", field)
        runs = self.caudal.get(place + "/next?count=3").data["nextRuns"]
        self.assertEqual(len(runs), 3)
        self.assertEqual(runs[0], schedule["nextRun"])
        self.refused(self.caudal.get(place + "/next?count=0"), 400, "VALIDATION_ERROR", "count")
        self.refused(self.caudal.get(place + "/instants?outcome=odd"), 400, "VALIDATION_ERROR", "outcome")
        self.refused(self.caudal.get(f"/scheduler/schedules/{UNKNOWN}/next"), 404, "NOT_FOUND")
        self.refused(self.caudal.get(f"/scheduler/schedules/{UNKNOWN}/instants"), 404, "NOT_FOUND")

    def test_overlap_skip(self):
        schedule = self.schedule(self.slow(), overlap="skip")
        skipped = self.until(lambda: self.instants(schedule, "skipped"))
        self.end(schedule)
        self.assertIn("overlap", skipped[0]["reason"])
        self.assertIsNone(skipped[0]["executionId"])
        self.assertEqual(len(self.instants(schedule, "fired")), 1)

    def test_overlap_queue(self):
        schedule = self.schedule(self.slow(), overlap="queue")
        self.until(lambda: self.instants(schedule, "skipped"))
        self.caudal.post(f"/scheduler/schedules/{schedule['id']}/disable")
        waiting, fired = self.instants(schedule, "waiting"), self.instants(schedule, "fired")
        self.assertEqual((len(waiting), len(fired)), (1, 1))
        detail = self.caudal.get(f"/scheduler/executions/{waiting[0]['executionId']}").data
        self.assertEqual((detail["status"], detail["waitingFor"]), ("pending", "schedule"))
        self.caudal.post(f"/scheduler/executions/{fired[0]['executionId']}/cancel")
        detail = self.caudal.wait_until(waiting[0]["executionId"], "running")
        self.assertIsNone(detail["waitingFor"])
        self.end(schedule)

    def test_overlap_cancel(self):
        schedule = self.schedule(self.slow(), overlap="cancel")
        self.until(lambda: len(self.instants(schedule, "fired")) >= 3)
        self.caudal.post(f"/scheduler/schedules/{schedule['id']}/disable")
        rows = self.caudal.get(f"/scheduler/executions?scheduleId={schedule['id']}&limit=100").data["data"]
        newest = self.instants(schedule, "fired")[0]["executionId"]
        self.assertEqual({row["status"] for row in rows if row["id"] != newest}, {"cancelled"})
        self.assertIn([row["status"] for row in rows if row["id"] == newest][0], ("pending", "running"))
        self.end(schedule)

    def test_every_instant_once_over_a_kill(self):
        caudal = type(self.caudal)()
        try:
            flow = caudal.flow("kill", [node("t", "schedule-trigger"), node("l", "log", {"message": "x"})], chain("t", "l"))
            schedule = caudal.post("/scheduler/schedules", {"flowId": flow["id"], "name": "s", "cronExpression": "* * * * * *", "catchUp": "all"}).data
            rows = lambda: caudal.get(f"/scheduler/schedules/{schedule['id']}/instants?limit=100").data["data"]  # noqa: E731
            for _ in range(2):
                former = len(rows())
                self.until(lambda: len(rows()) > former)
                caudal.kill()
                caudal.start()
            former = len(rows())
            self.until(lambda: len(rows()) > former)
            caudal.post(f"/scheduler/schedules/{schedule['id']}/disable")
            told = rows()
            seconds = sorted(int(time.mktime(time.strptime(row["instant"][:19], "%Y-%m-%dT%H:%M:%S"))) for row in told)
            self.assertEqual(seconds, list(range(seconds[0], seconds[0] + len(seconds))), "each instant, none twice")
            self.assertEqual({row["outcome"] for row in told}, {"fired"})
            for row in told:
                self.assertEqual(caudal.wait(row["executionId"])["status"], "success")
            listed = caudal.get(f"/scheduler/executions?scheduleId={schedule['id']}&limit=100").data["data"]
            self.assertEqual(len(listed), len(told))
        finally:
            caudal.stop()

    def test_backfill(self):
        flow = self.flow([node("t", "schedule-trigger"), node("l", "log", {"message": "x"})], chain("t", "l"))
        schedule = self.schedule(flow, cronExpression="0 * * * *", enabled=False)
        place = f"/scheduler/schedules/{schedule['id']}"
        period = {"from": "2025-01-01T00:00:00Z", "to": "2025-01-01T05:30:00Z"}
        made = self.caudal.post(place + "/backfill", {**period, "concurrency": 2})
        self.assertEqual(made.status, 201, made.text)
        self.assertEqual((made.data["total"], made.data["status"]), (6, "running"))
        done = self.until(lambda: [b for b in self.caudal.get(place + "/backfills").data if b["status"] == "done"])[0]
        self.assertEqual((done["fired"], done["skipped"], done["next"]), (6, 0, "2025-01-01T06:00:00.000Z"))
        told = self.instants(schedule)
        self.assertEqual([row["instant"][11:13] for row in told], ["05", "04", "03", "02", "01", "00"])
        detail = self.caudal.wait(told[0]["executionId"])
        self.assertEqual(detail["input"], {"scheduleId": schedule["id"], "scheduledTime": "2025-01-01T05:00:00.000Z", "backfillId": done["id"]})
        again = self.caudal.post(place + "/backfill", {"from": "2025-01-01T05:00:00Z", "to": "2025-01-01T06:00:00Z"}).data
        done = self.until(lambda: [b for b in self.caudal.get(place + "/backfills").data if b["id"] == again["id"] and b["status"] == "done"])[0]
        self.assertEqual((done["fired"], done["skipped"]), (1, 1), "an instant is fired once")
        refuse = lambda body, field: self.refused(self.caudal.post(place + "/backfill", body), 400, "VALIDATION_ERROR", field)  # noqa: E731
        refuse({"from": "x", "to": period["to"]}, "from")
        refuse({"from": period["to"], "to": period["from"]}, "from")
        refuse({"from": period["from"], "to": "2999-01-01T00:00:00Z"}, "to")
        refuse({"from": "2020-01-01T00:00:00Z", "to": "2025-01-01T00:00:00Z"}, "to")
        refuse({"from": "2025-01-01T00:01:00Z", "to": "2025-01-01T00:02:00Z"}, "from")
        refuse({**period, "concurrency": 0}, "concurrency")

    def test_backfill_is_cancelled(self):
        schedule = self.schedule(self.slow(), cronExpression="0 * * * *", enabled=False)
        place = f"/scheduler/schedules/{schedule['id']}"
        made = self.caudal.post(place + "/backfill", {"from": "2025-01-01T00:00:00Z", "to": "2025-01-02T00:00:00Z"}).data
        self.until(lambda: self.instants(schedule))
        self.refused(self.caudal.post(place + "/backfill", {"from": "2025-01-01T00:00:00Z", "to": "2025-01-02T00:00:00Z"}), 409, "CONFLICT")
        self.assertEqual(self.caudal.post(f"{place}/backfills/{made['id']}/cancel").data["status"], "cancelled")
        self.refused(self.caudal.post(f"{place}/backfills/{made['id']}/cancel"), 409, "CONFLICT")
        self.refused(self.caudal.post(f"{place}/backfills/{UNKNOWN}/cancel"), 404, "NOT_FOUND")
        self.end(schedule)
        self.assertEqual(len(self.instants(schedule)), 1)


class RunControl(ApiTest):
    def test_published_versions(self):
        nodes, connections = hook("published", responseMode="lastNode")
        nodes[1] = node("log", "set-fields", {"fields": [{"field": "version", "value": "one"}]})
        flow = self.flow(nodes, connections, active=True)
        place = f"/flows/{flow['id']}"
        self.assertIsNone(flow["publishedVersion"])
        self.assertEqual(self.caudal.post(place + "/publish", {"note": "tried on Monday"}).data["publishedVersion"], 1)
        row = self.caudal.get(place + "/versions").data[0]
        self.assertEqual((row["version"], row["publishNote"]), (1, "tried on Monday"))
        self.assertTrue(row["publishedBy"] and row["publishedAt"])
        self.refused(self.caudal.post(place + "/publish", {"note": 5}), 400, "VALIDATION_ERROR", "note")
        other, _ = hook("elsewhere", responseMode="lastNode")
        changed = self.caudal.call("PUT", place, {"nodes": [other[0], nodes[1]]}).data
        self.assertEqual((changed["version"], changed["publishedVersion"]), (2, 1))
        self.assertNotEqual(self.caudal.post("/webhooks/published", {}).status, 404)
        self.assertEqual(self.caudal.post("/webhooks/elsewhere", {}).status, 404)
        run = self.caudal.run(flow)
        self.assertEqual(self.caudal.wait(run)["flowVersion"], 2, "by hand the newest runs")
        self.refused(self.caudal.post(place + "/publish", {"version": 9}), 404, "NOT_FOUND")
        self.assertEqual(self.caudal.post(place + "/publish", {"version": 2}).data["publishedVersion"], 2)
        self.assertEqual(self.caudal.post("/webhooks/published", {}).status, 404)
        self.assertIsNone(self.caudal.post(place + "/publish", {"version": 0}).data["publishedVersion"])

    def test_until_node_and_pins(self):
        flow = self.flow()
        detail = self.caudal.wait(self.caudal.run(flow, untilNode="2"))
        self.assertEqual(detail["status"], "success")
        self.assertEqual([n["nodeId"] for n in detail["nodeExecutions"]], ["1", "2"])
        detail = self.caudal.wait(self.caudal.run(flow, pins={"2": {"filtered": [{"id": 7}], "filtered_count": 1}}))
        by_id = {n["nodeId"]: n for n in detail["nodeExecutions"]}
        self.assertEqual(by_id["2"]["output"], {"filtered": [{"id": 7}], "filtered_count": 1})
        self.assertIn("7", str(by_id["3"]["output"]))
        lines = self.caudal.get(f"/scheduler/executions/{detail['id']}/logs?nodeId=2").data
        self.assertTrue([line for line in lines if "Not executed" in line["message"]])
        start = lambda **body: self.caudal.post(f"/flows/{flow['id']}/run", body)  # noqa: E731
        self.refused(start(untilNode="nobody"), 400, "VALIDATION_ERROR", "untilNode")
        self.refused(start(pins={"nobody": {}}), 400, "VALIDATION_ERROR", "pins")
        self.refused(start(pins={"2": 5}), 400, "VALIDATION_ERROR", "pins")

    def test_idempotency_key_belongs_to_one_body(self):
        flow = self.flow()
        start = lambda value, key: self.caudal.call("POST", f"/flows/{flow['id']}/run", {"input": value}, headers={"Idempotency-Key": key})  # noqa: E731
        first = start([1], "k").data["executionId"]
        self.assertEqual(start([1], "k").data["executionId"], first)
        self.refused(start([2], "k"), 422, "UNPROCESSABLE_ENTITY", "idempotencyKey")
        self.assertNotEqual(start([2], "other").data["executionId"], first)

    def test_rerun(self):
        flow = self.flow([node("1", "manual-trigger"), node("2", "log", {"message": "x"})], chain("1", "2"))
        first = self.caudal.run(flow, input={"a": 1})
        self.caudal.wait(first)
        again = self.caudal.post(f"/scheduler/executions/{first}/rerun", {})
        self.assertEqual(again.status, 201, again.text)
        detail = self.caudal.wait(again.data["executionId"])
        self.assertEqual((detail["input"], detail["metadata"]["rerunOf"]), ({"a": 1}, first))
        edited = self.caudal.post(f"/scheduler/executions/{first}/rerun", {"input": {"a": 2}}).data["executionId"]
        self.assertEqual(self.caudal.wait(edited)["input"], {"a": 2})
        self.caudal.call("PUT", f"/flows/{flow['id']}", {"settings": {"history": "all"}})
        same = self.caudal.post(f"/scheduler/executions/{first}/rerun", {"version": "same"}).data["executionId"]
        newest = self.caudal.post(f"/scheduler/executions/{first}/rerun", {}).data["executionId"]
        self.assertEqual((self.caudal.wait(same)["flowVersion"], self.caudal.wait(newest)["flowVersion"]), (1, 2))
        self.refused(self.caudal.post(f"/scheduler/executions/{UNKNOWN}/rerun", {}), 404, "NOT_FOUND")

    def test_bulk(self):
        slow = self.flow([node("1", "manual-trigger"), node("d", "delay", {"durationMs": 60000})], chain("1", "d"))
        runs = [self.caudal.run(slow) for _ in range(3)]
        answer = self.caudal.post("/scheduler/executions/bulk/cancel", {"executionIds": runs + [UNKNOWN]}).data
        self.assertEqual((answer["successCount"], answer["failureCount"], answer["errors"][0]["executionId"]), (3, 1, UNKNOWN))
        answer = self.caudal.post("/scheduler/executions/bulk/retry", {"executionIds": runs}).data
        self.assertEqual((answer["successCount"], answer["failureCount"]), (0, 3), "cancelled ones are not failed")
        answer = self.caudal.post("/scheduler/executions/bulk/delete", {"executionIds": runs}).data
        self.assertEqual(answer["successCount"], 3)
        self.refused(self.caudal.get(f"/scheduler/executions/{runs[0]}"), 404, "NOT_FOUND")
        self.refused(self.caudal.post("/scheduler/executions/bulk/cancel", {"executionIds": []}), 400, "VALIDATION_ERROR", "executionIds")


class Drafts(ApiTest):
    def version(self, value, wait=0):
        return [node("t", "manual-trigger"), node("w", "delay", {"durationMs": wait}), node("s", "set-fields", {"fields": [{"field": "v", "value": value}]})]

    @staticmethod
    def made(detail):
        return [n["output"]["output"]["v"] for n in detail["nodeExecutions"] if n["nodeId"] == "s"][0]

    def test_running_executions_keep_theirs_and_triggers_the_published(self):
        made = self.caudal.flow(self.name(), self.version("one", 6000), chain("t", "w", "s"))
        place = f"/flows/{made['id']}"
        run = self.caudal.run(made)
        self.caudal.wait_until(run, "running")
        changed = self.caudal.call("PUT", place, {"nodes": self.version("two"), "note": "quicker"})
        self.assertEqual(changed.data["version"], 2)
        self.caudal.call("PUT", place, {"status": "active"})
        self.caudal.post(place + "/publish", {"version": 1})
        schedule = self.caudal.post("/scheduler/schedules", {"flowId": made["id"], "name": self.name(), "cronExpression": "* * * * * *"}).data
        rows = []
        end = time.monotonic() + 60
        while not rows and time.monotonic() < end:
            rows = self.caudal.get(f"/scheduler/executions?scheduleId={schedule['id']}").data["data"]
        self.caudal.post(f"/scheduler/schedules/{schedule['id']}/disable")
        self.assertEqual({row["flowVersion"] for row in rows}, {1}, "a draft fires nothing")
        detail = self.caudal.wait(run)
        self.assertEqual((detail["flowVersion"], self.made(detail)), (1, "one"))
        self.assertEqual(self.made(self.caudal.wait(self.caudal.run(made))), "two")
        self.assertEqual(self.caudal.post(place + "/versions/1/rollback").status, 200)
        self.assertEqual(self.caudal.get(place + "/versions/1/diff/3").data["changes"], 0, "rolled back to exactly that")
        notes = [(row["version"], row["changes"]) for row in self.caudal.get(place + "/versions").data]
        self.assertEqual(notes, [(3, "Rolled back to version 1"), (2, "quicker"), (1, None)])
        for row in self.caudal.get(f"/scheduler/executions?flowId={made['id']}&limit=100").data["data"]:
            self.caudal.post(f"/scheduler/executions/{row['id']}/cancel")
        self.refused(self.caudal.call("PUT", place, {"note": 5}), 400, "VALIDATION_ERROR", "note")

    def test_kept_executions(self):
        flow = self.flow()
        run = self.caudal.run(flow)
        self.assertFalse(self.caudal.wait(run)["kept"])
        self.assertTrue(self.caudal.post(f"/scheduler/executions/{run}/keep").data["kept"])
        self.assertTrue([r for r in self.caudal.get(f"/scheduler/executions?flowId={flow['id']}").data["data"] if r["kept"]])
        self.assertFalse(self.caudal.post(f"/scheduler/executions/{run}/release").data["kept"])
        self.refused(self.caudal.post(f"/scheduler/executions/{UNKNOWN}/keep"), 404, "NOT_FOUND")
        body = {"name": self.name(), "nodes": flow["nodes"], "connections": flow["connections"]}
        for settings, field in (({"retention": {"days": -1}}, "settings.retention.days"), ({"retention": {"count": "1"}}, "settings.retention.count")):
            self.refused(self.caudal.post("/flows", {**body, "settings": settings}), 400, "VALIDATION_ERROR", field)


class Ledger(ApiTest):
    def test_attempts_in_order(self):
        nodes = [node("t", "manual-trigger"), node("ask", "http-request", {"url": "http://127.0.0.1:9/", "critical": False, "retry": {"maxAttempts": 3, "delayMs": 1}})]
        run = self.caudal.run(self.flow(nodes, chain("t", "ask")))
        self.caudal.wait(run)
        rows = self.caudal.get(f"/scheduler/executions/{run}/attempts").data
        self.assertEqual([(r["nodeId"], r["attempt"], r["outcome"]) for r in rows], [("t", 1, "success"), ("ask", 1, "failed"), ("ask", 2, "failed"), ("ask", 3, "failed")])
        self.assertEqual({r["idempotencyKey"] for r in rows if r["nodeId"] == "ask"}, {f"{run}:ask:0"})
        self.assertTrue(all(r["startTime"] and r["endTime"] and r["worker"] and r["iteration"] == "0" for r in rows), rows)
        self.assertTrue(rows[1]["error"])
        self.refused(self.caudal.get(f"/scheduler/executions/{UNKNOWN}/attempts"), 404, "NOT_FOUND")

    def test_a_lost_attempt_is_unknown(self):
        caudal = type(self.caudal)()
        try:
            with socket.create_server(("127.0.0.1", 0)) as server:
                server.settimeout(60)
                port = server.getsockname()[1]
                nodes = [node("t", "manual-trigger"), node("ask", "http-request", {"url": f"http://127.0.0.1:{port}/", "method": "POST"})]
                run = caudal.run(caudal.flow("lost", nodes, chain("t", "ask")))
                keys = []

                def take():
                    connection, _ = server.accept()
                    request = b""
                    while b"\r\n\r\n" not in request:
                        request += connection.recv(4096)
                    keys.append([line.split(b": ")[1].decode() for line in request.split(b"\r\n") if line.lower().startswith(b"idempotency-key")][0])
                    return connection

                first = take()
                caudal.kill()
                first.close()
                caudal.start()
                with take() as second:
                    second.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}")
                self.assertEqual(caudal.wait(run)["status"], "success")
            rows = [r for r in caudal.get(f"/scheduler/executions/{run}/attempts").data if r["nodeId"] == "ask"]
            self.assertEqual(sorted(r["outcome"] for r in rows), ["success", "unknown"], rows)
            self.assertEqual({r["idempotencyKey"] for r in rows}, set(keys))
        finally:
            caudal.stop()

    def test_iterations(self):
        nodes = [node("t", "manual-trigger"), node("each", "for-each"), {**node("in", "log", {"message": "x"}), "parentId": "each"}]
        flow = self.flow(nodes, [chain("t", "each")[0], {"fromNodeId": "each", "fromOutput": "item", "toNodeId": "in", "toInput": "input"}])
        run = self.caudal.run(flow, input=[1, 2])
        self.assertEqual(self.caudal.wait(run)["status"], "success")
        rows = [r for r in self.caudal.get(f"/scheduler/executions/{run}/attempts").data if r["nodeId"] == "in"]
        self.assertEqual(len({r["iteration"] for r in rows}), 2, rows)
        self.assertEqual({r["idempotencyKey"] for r in rows}, {f"{run}:in:{r['iteration']}" for r in rows})


class Limits(ApiTest):
    """Concurrency, rate and priority of a flow."""

    def held(self, **settings):
        nodes = [node("t", "manual-trigger"), node("d", "delay", {"durationMs": 60000})]
        body = {"name": self.name(), "nodes": nodes, "connections": chain("t", "d"), "settings": settings}
        made = self.caudal.post("/flows", body)
        self.assertEqual(made.status, 201, made.text)
        return made.data

    def waiting(self, run, what):
        detail = self.caudal.get(f"/scheduler/executions/{run}").data
        self.assertEqual((detail["status"], detail["waitingFor"]), ("pending", what))

    def end(self, *runs):
        for run in runs:
            self.assertEqual(self.caudal.post(f"/scheduler/executions/{run}/cancel").status, 200)

    def test_a_flow_and_its_keys(self):
        flow = self.held(concurrency=2, concurrencyKey="{{ input.customer }}")
        a = [self.caudal.run(flow, input={"customer": "a"}) for _ in range(2)]
        b, c = [self.caudal.run(flow, input={"customer": customer}) for customer in "bc"]
        self.waiting(a[1], "key")
        self.waiting(c, "concurrency")
        self.caudal.wait_until(a[0], "running")
        self.end(b)
        self.caudal.wait_until(c, "running")
        self.waiting(a[1], "key")
        self.end(a[0])
        detail = self.caudal.wait_until(a[1], "running")
        self.assertIsNone(detail["waitingFor"])
        self.end(a[1], c)

    def test_what_waits_survives_a_kill(self):
        caudal = type(self.caudal)()
        try:
            nodes = [node("t", "manual-trigger"), node("d", "delay", {"durationMs": 300})]
            body = {"name": "kill", "nodes": nodes, "connections": chain("t", "d"), "settings": {"concurrency": 1}}
            flow = caudal.post("/flows", body).data
            runs = [caudal.run(flow) for _ in range(6)]
            for _ in range(2):
                caudal.kill()
                caudal.start()
            done = [caudal.wait(run) for run in runs]
            self.assertEqual({d["status"] for d in done}, {"success"})
            spans = [sorted((n["startTime"], n["endTime"]) for n in d["nodeExecutions"] if n["nodeId"] == "d")[0] for d in done]
            for former, later in zip(spans, spans[1:]):
                self.assertLessEqual(former[1], later[0], "one after the other, in the order of their starts")
        finally:
            caudal.stop()

    def test_a_rate(self):
        flow = self.held(rateLimit={"limit": 2, "periodMs": 3600000, "key": "{{ input }}"})
        runs = [self.caudal.run(flow, input="x") for _ in range(3)]
        other = self.caudal.run(flow, input="y")
        self.waiting(runs[2], "rate")
        self.caudal.wait_until(other, "running")
        self.end(*runs, other)
        quick = self.held(rateLimit={"limit": 1, "periodMs": 400})
        runs = [self.caudal.run(quick) for _ in range(3)]
        for run in runs:
            self.caudal.wait_until(run, "running")
        self.end(*runs)

    def test_priority(self):
        flow = self.held(concurrency=1, priority="high")
        first, second, low = self.caudal.run(flow), self.caudal.run(flow), self.caudal.run(flow, priority="low")
        high = self.caudal.run(flow)
        get = lambda run: self.caudal.get(f"/scheduler/executions/{run}").data["priority"]  # noqa: E731
        self.assertEqual([get(run) for run in (first, low, high)], [2, 0, 2])
        for run in (first, second, high, low):
            self.caudal.wait_until(run, "running")
            self.end(run)

    def test_webhooks_wait_too(self):
        nodes, _ = hook("limited")
        nodes[1] = node("d", "delay", {"durationMs": 60000})
        body = {"name": self.name(), "nodes": nodes, "connections": chain("hook", "d"), "settings": {"concurrency": 1}}
        flow = self.caudal.post("/flows", body).data
        self.assertEqual(self.caudal.call("PUT", f"/flows/{flow['id']}", {"status": "active"}).status, 200)
        runs = [self.caudal.post("/webhooks/limited", {}).data["executionId"] for _ in range(2)]
        self.caudal.wait_until(runs[0], "running")
        self.waiting(runs[1], "concurrency")
        self.end(*runs)

    def test_refusals(self):
        good = {"name": self.name(), "nodes": [node("t", "manual-trigger"), node("l", "log", {"message": "x"})], "connections": chain("t", "l")}
        for settings, field in (({"concurrency": -1}, "settings.concurrency"), ({"concurrencyPerKey": 2}, "settings.concurrencyKey"),
                                ({"concurrencyKey": "{{ secrets.x }}"}, "settings.concurrencyKey"), ({"rateLimit": {"limit": 1}}, "settings.rateLimit.periodMs"),
                                ({"rateLimit": {"limit": 0, "periodMs": 5}}, "settings.rateLimit.limit"), ({"priority": "urgent"}, "settings.priority")):
            self.refused(self.caudal.post("/flows", {**good, "settings": settings}), 400, "VALIDATION_ERROR", field)
        flow = self.caudal.post("/flows", good).data
        self.refused(self.caudal.post(f"/flows/{flow['id']}/run", {"priority": "urgent"}), 400, "VALIDATION_ERROR", "priority")


if __name__ == "__main__":
    unittest.main()
