"""The HTTP API against shared contract: every route, its answers, its refusals."""
import base64
import contextlib
import http.client
import json
import os
import pathlib
import re
import sqlite3
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support.caudal import AT, Caudal, chain, link, node  # noqa: E402

UNKNOWN = "00000000-0000-4000-8000-000000000000"
ROWS = [{"id": 1, "status": "active"}, {"id": 2, "status": "gone"}, {"id": 3, "status": "active"}]


def small(rows=ROWS):
    """manual-trigger -> data-filter -> field-mapper, with the page's placeholder pins."""
    return ([node("1", "manual-trigger", {"output": rows}), node("2", "data-filter", {"conditions": [{"field": "status", "operator": "equals", "value": "active"}]}),
             node("3", "field-mapper", {"mapping": [{"sourceField": "id", "targetField": "key", "transformation": "rename"}]})], chain("1", "2", "3"))


class ApiTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.caudal = Caudal()
        cls.count = 0

    @classmethod
    def tearDownClass(cls):
        cls.caudal.stop()

    def name(self):
        type(self).count += 1
        return f"{type(self).__name__} {self.count}"

    def flow(self, nodes=None, connections=None, **more):
        if nodes is None:
            nodes, connections = small()
        return self.caudal.flow(self.name(), nodes, connections or [], **more)

    def refused(self, answer, status, code, field=None):
        self.assertEqual(answer.status, status, answer.text)
        body = answer.json
        self.assertEqual(body["code"], code)
        self.assertTrue(body["message"])
        self.assertIn("timestamp", body)
        self.assertIn("path", body)
        self.assertNotIn("data", body)
        if field is not None:
            self.assertEqual(body["details"]["field"], field)
        return body


class Flows(ApiTest):
    def test_create_answers_with_the_whole_flow_and_numbers(self):
        nodes, connections = small()
        nodes[0]["position"] = {"x": "120.5", "y": "80"}
        nodes[0]["extra"] = True
        answer = self.caudal.post("/flows", {"name": self.name(), "description": "", "nodes": nodes, "connections": connections, "metadata": None})
        self.assertEqual(answer.status, 201)
        self.assertTrue(answer.headers["content-type"].startswith("application/json"))
        flow = answer.data
        self.assertEqual(flow["nodes"][0]["position"], {"x": 120.5, "y": 80})
        self.assertEqual(flow["connections"], connections)
        self.assertEqual((flow["status"], flow["version"]), ("draft", 1))
        self.assertEqual(self.caudal.get(f"/flows/{flow['id']}").data, flow)
        again = self.caudal.post("/flows", {"name": self.name(), "nodes": flow["nodes"], "connections": flow["connections"], "description": None, "metadata": flow["metadata"]})
        self.assertEqual(again.status, 201)

    def test_what_is_inside_a_for_each_and_what_is_noted_is_kept(self):
        nodes = [node("1", "manual-trigger"), node("each", "for-each", {"items": [1, 2]}), node("in", "set-fields", {"fields": []})]
        nodes[1]["size"] = {"width": 480, "height": 240.5}
        nodes[2]["parentId"] = "each"
        notes = [{"text": "# Why\nsince", "position": {"x": -5, "y": 10}, "size": {"width": 200, "height": 90}, "color": "blue"}]
        connections = [link("1", "each", "output", "items"), link("each", "in", "item", "input")]
        flow = self.flow(nodes, connections, settings={"notes": notes})
        self.assertEqual((flow["nodes"][1]["size"], flow["nodes"][2]["parentId"]), ({"width": 480, "height": 240.5}, "each"))
        self.assertNotIn("parentId", flow["nodes"][1])
        self.assertEqual(flow["settings"]["notes"], notes)
        self.assertEqual(self.caudal.get(f"/flows/{flow['id']}").data, flow)
        run = self.caudal.post(f"/flows/{flow['id']}/run", {}).data
        self.assertEqual(self.caudal.wait(run["executionId"])["status"], "success")
        self.refused(self.caudal.call("PUT", f"/flows/{flow['id']}", {"settings": {"notes": notes * 201}}), 400, "VALIDATION_ERROR", "settings.notes")
        nodes[1]["size"] = {"width": 0, "height": 1}
        self.refused(self.caudal.call("PUT", f"/flows/{flow['id']}", {"nodes": nodes}), 400, "VALIDATION_ERROR", "nodes[1].size.width")

    def test_create_refuses(self):
        nodes, connections = small()
        post = lambda **body: self.caudal.post("/flows", body)  # noqa: E731
        self.refused(post(nodes=nodes, connections=connections), 400, "VALIDATION_ERROR", "name")
        self.refused(post(name="", nodes=nodes, connections=connections), 400, "VALIDATION_ERROR", "name")
        self.refused(post(name="x" * 101, nodes=nodes, connections=connections), 400, "VALIDATION_ERROR", "name")
        self.refused(post(name=self.name(), nodes="no", connections=[]), 400, "VALIDATION_ERROR", "nodes")
        self.refused(post(name=self.name(), nodes=[], connections=[]), 400, "VALIDATION_ERROR")
        self.refused(post(name=self.name(), nodes=nodes, connections=[link("1", "9")]), 400, "VALIDATION_ERROR")
        nodes[1]["position"] = {"x": "far", "y": 0}
        self.refused(post(name=self.name(), nodes=nodes, connections=[]), 400, "VALIDATION_ERROR", "nodes[1].position.x")
        flow = self.flow()
        self.refused(post(name=flow["name"], nodes=flow["nodes"], connections=[]), 409, "CONFLICT")

    def test_unknown_node_type_is_no_error_when_saving(self):
        flow = self.flow([node("1", "from-the-future")])
        answer = self.caudal.post(f"/flows/{flow['id']}/validate").json
        self.assertTrue(answer["valid"])
        self.assertIn("UNKNOWN_NODE_TYPE", [w["code"] for w in answer["warnings"]])
        self.assertEqual(answer["data"]["errors"], [])
        detail = self.caudal.wait(self.caudal.run(flow))
        self.assertEqual(detail["status"], "failed")
        self.assertIn("from-the-future", detail["errorMessage"])

    def test_list_pages_and_search(self):
        made = [self.flow() for _ in range(5)]
        page = self.caudal.get("/flows?page=1&limit=2").data
        self.assertEqual(len(page["data"]), 2)
        self.assertEqual(page["total"], page["pagination"]["total"])
        self.assertEqual(page["data"][0]["name"], made[-1]["name"])
        self.assertEqual(set(page["data"][0]) & {"id", "name", "description", "version", "status", "nodeCount", "createdAt", "updatedAt"},
                         {"id", "name", "description", "version", "status", "nodeCount", "createdAt", "updatedAt"})
        seen, cursor = [], ""
        while cursor is not None:
            page = self.caudal.get("/flows?limit=2" + (f"&cursor={cursor}" if cursor else "")).data
            seen += [row["id"] for row in page["data"]]
            cursor = page["pagination"]["nextCursor"]
        self.assertEqual(len(seen), len(set(seen)))
        self.assertTrue({flow["id"] for flow in made} <= set(seen))
        self.assertEqual([row["id"] for row in self.caudal.get(f"/flows?search={made[0]['name'].replace(' ', '+')}").data["data"]][-1:], [made[0]["id"]])
        self.assertEqual(self.caudal.get("/flows?page=9999").data["data"], [])
        for bad, field in (("page=0", "page"), ("limit=101", "limit"), ("limit=x", "limit"), ("status=odd", "status")):
            self.refused(self.caudal.get("/flows?" + bad), 400, "VALIDATION_ERROR", field)
        self.refused(self.caudal.get("/flows?cursor=broken"), 400, "VALIDATION_ERROR")

    def test_update_versions_and_rollback(self):
        flow = self.flow()
        place = f"/flows/{flow['id']}"
        changed = [node("1", "manual-trigger", {"output": []})]
        second = self.caudal.call("PUT", place, {"nodes": changed, "connections": []}).data
        self.assertEqual(second["version"], 2)
        self.assertEqual(len(second["nodes"]), 1)
        renamed = self.caudal.call("PUT", place, {"description": "renamed"}).data
        self.assertEqual(renamed["version"], 2)
        self.assertEqual([v["version"] for v in self.caudal.get(place + "/versions").data], [2, 1])
        self.assertEqual(len(self.caudal.get(place + "/versions/1").data["nodes"]), 3)
        back = self.caudal.post(place + "/versions/1/rollback").json
        self.assertEqual((back["version"], back["data"]["version"]), (3, 3))
        self.assertEqual(back["nodes"], flow["nodes"])
        self.refused(self.caudal.post(place + "/versions/3/rollback"), 400, "VALIDATION_ERROR", "version")
        self.refused(self.caudal.post(place + "/versions/x/rollback"), 400, "VALIDATION_ERROR", "version")
        self.refused(self.caudal.get(place + "/versions/77"), 404, "NOT_FOUND")
        self.refused(self.caudal.call("PUT", place, {"status": "odd"}), 400, "VALIDATION_ERROR", "status")
        self.refused(self.caudal.call("PUT", place, {"name": 3}), 400, "VALIDATION_ERROR", "name")
        self.refused(self.caudal.call("PUT", f"/flows/{UNKNOWN}", {"name": "x"}), 404, "NOT_FOUND")

    def test_delete_with_an_enabled_schedule_conflicts(self):
        flow = self.flow()
        schedule = self.caudal.post("/scheduler/schedules", {"flowId": flow["id"], "name": "s", "cronExpression": "0 0 1 1 *"}).data
        body = self.refused(self.caudal.call("DELETE", f"/flows/{flow['id']}"), 409, "CONFLICT")
        self.assertIn("active schedules", body["message"])
        self.assertEqual(self.caudal.post(f"/scheduler/schedules/{schedule['id']}/disable").status, 200)
        answer = self.caudal.call("DELETE", f"/flows/{flow['id']}")
        self.assertEqual((answer.status, answer.text), (204, b""))
        self.refused(self.caudal.get(f"/flows/{flow['id']}"), 404, "NOT_FOUND")
        self.refused(self.caudal.get(f"/scheduler/schedules/{schedule['id']}"), 404, "NOT_FOUND")

    def test_ids_and_methods(self):
        self.refused(self.caudal.get("/flows/not-an-id"), 400, "VALIDATION_ERROR", "id")
        self.refused(self.caudal.get(f"/flows/{UNKNOWN}"), 404, "NOT_FOUND")
        self.refused(self.caudal.call("PATCH", "/flows"), 405, "METHOD_NOT_ALLOWED")
        self.refused(self.caudal.get("/nothing/here"), 404, "NOT_FOUND")


class Executions(ApiTest):
    def test_run_gives_inputs_outputs_records_and_logs(self):
        flow = self.flow()
        answer = self.caudal.post("/scheduler/executions", {"flowId": flow["id"], "metadata": {"triggeredBy": "manual", "nodes": []}})
        self.assertEqual(answer.status, 201)
        self.assertEqual(answer.data["status"], "pending")
        detail = self.caudal.wait(answer.data["executionId"])
        self.assertEqual((detail["status"], detail["recordsProcessed"], detail["errorMessage"]), ("success", sum(n["recordsProcessed"] for n in detail["nodeExecutions"]), None))
        self.assertEqual([n["nodeId"] for n in detail["nodeExecutions"]], ["1", "2", "3"])
        self.assertEqual(detail["metadata"]["triggeredBy"], "manual")
        for entry in detail["nodeExecutions"]:
            self.assertEqual(entry["status"], "success")
            self.assertRegex(entry["startTime"], r"^\d{4}-\d\d-\d\dT.*Z$")
        self.assertEqual(detail["nodeExecutions"][2]["output"]["mapped"], [{"key": 1}, {"key": 3}])
        self.assertEqual(detail["nodeExecutions"][1]["input"]["data"], ROWS)
        self.assertEqual(self.caudal.get(f"/scheduler/executions/{detail['id']}/nodes/3").data["output"]["mapped"], [{"key": 1}, {"key": 3}])
        self.refused(self.caudal.get(f"/scheduler/executions/{detail['id']}/nodes/9"), 404, "NOT_FOUND", "nodeId")
        logs = self.caudal.get(f"/scheduler/executions/{detail['id']}/logs").data
        self.assertEqual([line["nodeId"] for line in logs], ["3", "2", "1"])
        self.assertEqual(self.caudal.get(f"/scheduler/executions/{detail['id']}/logs?level=error").data, [])
        self.refused(self.caudal.get(f"/scheduler/executions/{detail['id']}/logs?level=loud"), 400, "VALIDATION_ERROR", "level")

    def test_the_input_reaches_the_trigger(self):
        flow = self.flow()
        detail = self.caudal.wait(self.caudal.run(flow, input=[{"id": 7, "status": "active"}]))
        self.assertEqual(detail["nodeExecutions"][2]["output"]["mapped"], [{"key": 7}])

    def test_start_refuses_and_deduplicates(self):
        flow = self.flow()
        self.refused(self.caudal.post("/scheduler/executions", {}), 400, "VALIDATION_ERROR", "flowId")
        self.refused(self.caudal.post("/scheduler/executions", {"flowId": UNKNOWN}), 404, "NOT_FOUND")
        self.refused(self.caudal.post("/scheduler/executions", {"flowId": "x"}), 404, "NOT_FOUND", "flowId")
        self.refused(self.caudal.post("/scheduler/executions", raw=b"{", headers={"Content-Type": "application/json"}), 400, "VALIDATION_ERROR")
        body = {"flowId": flow["id"], "metadata": {"triggeredAt": "2026-01-01T00:00:00Z"}}
        first, second = (self.caudal.post("/scheduler/executions", body).data["executionId"] for _ in range(2))
        self.assertEqual(first, second)
        third, fourth = (self.caudal.post(f"/flows/{flow['id']}/run", {}, headers={"Idempotency-Key": "k"}).data["executionId"] for _ in range(2))
        self.assertEqual(third, fourth)
        self.assertNotEqual(first, third)

    def test_failure_names_node_and_reason_and_can_be_retried(self):
        nodes = [node("1", "manual-trigger"), node("boom", "stop-with-error", {"message": "no stock"})]
        flow = self.flow(nodes, chain("1", "boom"))
        detail = self.caudal.wait(self.caudal.run(flow))
        self.assertEqual(detail["status"], "failed")
        self.assertIn("boom", detail["errorMessage"])
        self.assertIn("no stock", detail["errorMessage"])
        self.assertEqual(detail["nodeExecutions"][1]["status"], "failed")
        self.assertTrue(self.caudal.get(f"/scheduler/executions/{detail['id']}/logs?level=error").data)
        for mode in ("whole", "failed"):
            answer = self.caudal.post(f"/scheduler/executions/{detail['id']}/retry", {"from": mode})
            self.assertEqual(answer.status, 202)
            again = self.caudal.wait(answer.data["executionId"])
            self.assertEqual((again["status"], again["retryCount"], again["flowId"]), ("failed", 1, flow["id"]))
        good = self.caudal.wait(self.caudal.run(self.flow()))
        self.refused(self.caudal.post(f"/scheduler/executions/{good['id']}/retry"), 400, "VALIDATION_ERROR", "status")
        self.refused(self.caudal.post(f"/scheduler/executions/{UNKNOWN}/retry"), 404, "NOT_FOUND")

    def slow(self, seconds=60):
        return self.flow([node("1", "manual-trigger"), node("wait", "delay", {"durationMs": seconds * 1000}), node("end", "log", {"message": "done"})], chain("1", "wait", "end"))

    def test_cancel(self):
        execution = self.caudal.run(self.slow())
        self.assertEqual(self.caudal.post(f"/scheduler/executions/{execution}/cancel").data["status"], "cancelled")
        detail = self.caudal.get(f"/scheduler/executions/{execution}").data
        self.assertEqual(detail["status"], "cancelled")
        self.assertIsNotNone(detail["endTime"])
        self.refused(self.caudal.post(f"/scheduler/executions/{execution}/cancel"), 409, "CONFLICT")
        self.assertEqual(self.caudal.call("DELETE", f"/scheduler/executions/{execution}").status, 204)
        self.refused(self.caudal.get(f"/scheduler/executions/{execution}"), 404, "NOT_FOUND")

    def test_pause_and_resume(self):
        execution = self.caudal.run(self.slow(1))
        self.assertEqual(self.caudal.post(f"/scheduler/executions/{execution}/pause").status, 200)
        self.assertEqual(self.caudal.get(f"/scheduler/executions/{execution}").data["status"], "paused")
        self.refused(self.caudal.call("DELETE", f"/scheduler/executions/{execution}"), 409, "CONFLICT")
        self.assertEqual(self.caudal.post(f"/scheduler/executions/{execution}/resume").status, 200)
        self.assertEqual(self.caudal.wait(execution)["status"], "success")
        self.refused(self.caudal.post(f"/scheduler/executions/{execution}/pause"), 409, "CONFLICT")

    def test_list_filters(self):
        flow = self.flow()
        ids = [self.caudal.wait(self.caudal.run(flow))["id"] for _ in range(3)]
        rows = self.caudal.get(f"/scheduler/executions?flowId={flow['id']}&status=success").data["data"]
        self.assertEqual([row["id"] for row in rows], ids[::-1])
        self.assertEqual(len(self.caudal.get(f"/scheduler/executions?search={ids[0]}").data["data"]), 1)
        self.assertEqual(self.caudal.get(f"/scheduler/executions?flowId={flow['id']}&startTimeTo=2000-01-01T00:00:00Z").data["data"], [])
        self.assertEqual(len(self.caudal.get(f"/scheduler/executions?flowId={flow['id']}&startTimeFrom=2000-01-01T00:00:00Z").data["data"]), 3)
        self.refused(self.caudal.get("/scheduler/executions?status=odd"), 400, "VALIDATION_ERROR", "status")
        self.refused(self.caudal.get("/scheduler/executions?startTimeFrom=monday"), 400, "VALIDATION_ERROR", "startTimeFrom")
        stats = self.caudal.get("/scheduler/jobs/stats").data
        self.assertEqual(set(stats), {"waiting", "active", "completed", "failed", "delayed", "paused"})

    def test_error_output_and_retry_policy(self):
        nodes = [node("1", "manual-trigger"), node("bad", "stop-with-error", {"message": "x", "retry": {"maxAttempts": 3, "delayMs": 1}}),
                 node("rescue", "set-fields", {"fields": [{"field": "saved", "value": True}]})]
        flow = self.flow(nodes, [link("1", "bad"), link("bad", "rescue", "error")])
        detail = self.caudal.wait(self.caudal.run(flow))
        self.assertEqual(detail["status"], "success", detail)
        self.assertEqual([n["nodeId"] for n in detail["nodeExecutions"]], ["1", "bad", "rescue"])


@unittest.skipIf(AT, "stops a process of its own")
class Stopping(unittest.TestCase):
    def test_kept_connections_that_go_on_asking_do_not_disturb_a_stop(self):
        for _ in range(4):
            caudal, answered, codes = Caudal(), threading.Barrier(9), set()

            def ask():
                connection = http.client.HTTPConnection("127.0.0.1", caudal.port, timeout=40)
                first = True
                with contextlib.suppress(OSError, http.client.HTTPException):
                    while True:
                        connection.request("GET", "/api/v1/scheduler/jobs/stats")
                        answer = connection.getresponse()
                        answer.read()
                        codes.add(answer.status)
                        if first:
                            answered.wait(40)
                        first = False
            threads = [threading.Thread(target=ask) for _ in range(8)]
            for thread in threads:
                thread.start()
            answered.wait(40)
            caudal.stop()
            for thread in threads:
                thread.join(40)
            self.assertLessEqual(codes, {200, 503})


@unittest.skipIf(AT, "opens the database of a process of its own")
class Damage(unittest.TestCase):
    def test_an_execution_whose_state_is_damaged_ends_instead_of_staying_unfinished(self):
        caudal = Caudal()
        nodes = [node("1", "manual-trigger"), node("wait", "delay", {"durationMs": 3600000})]
        execution = caudal.run(caudal.flow("waits", nodes, chain("1", "wait")))
        while caudal.get(f"/scheduler/executions/{execution}").data["waitingUntil"] is None:
            time.sleep(0.02)
        caudal.stop(remove=False)
        with contextlib.closing(sqlite3.connect(os.path.join(caudal.directory, "caudal.db"))) as database, database:
            self.assertEqual(database.execute("UPDATE checkpoints SET outputs='{'").rowcount, 1)
            database.execute("UPDATE executions SET wake_ms=1")
        caudal.start()
        row = caudal.get("/scheduler/executions").data["data"][0]
        while row["status"] not in ("failed", "success"):
            time.sleep(0.02)
            row = caudal.get("/scheduler/executions").data["data"][0]
        self.assertEqual((row["id"], row["status"], row["errorCode"]), (execution, "failed", "INTERNAL_SERVER_ERROR"))
        self.assertIn("damaged", row["errorMessage"])
        self.assertIn("given up", caudal.log_text())
        caudal.stop()


class Schedules(ApiTest):
    def schedule(self, flow, **more):
        answer = self.caudal.post("/scheduler/schedules", {"flowId": flow["id"], "name": "each", "cronExpression": "0 9 * * 1-5", **more})
        self.assertEqual(answer.status, 201, answer.text)
        return answer.data

    def test_lifecycle(self):
        flow = self.flow()
        schedule = self.schedule(flow, timezone="Europe/Madrid")
        self.assertEqual((schedule["enabled"], schedule["maxRetries"], schedule["retryDelay"], schedule["lastRun"]), (True, 3, 300, None))
        place = f"/scheduler/schedules/{schedule['id']}"
        self.assertIsNotNone(schedule["nextRun"])
        changed = self.caudal.call("PUT", place, {"cronExpression": "@daily"}).data
        self.assertEqual((changed["timezone"], changed["maxRetries"]), ("Europe/Madrid", 3))
        self.assertIsNone(self.caudal.post(place + "/disable").data["nextRun"])
        self.assertIsNotNone(self.caudal.post(place + "/enable").data["nextRun"])
        self.assertEqual(len(self.caudal.get(f"/scheduler/schedules?flowId={flow['id']}&enabled=true&search=EACH").data["data"]), 1)
        self.assertEqual(self.caudal.get(f"/scheduler/schedules?flowId={flow['id']}&enabled=false").data["data"], [])
        self.assertEqual(self.caudal.call("DELETE", place).status, 204)
        self.refused(self.caudal.get(place), 404, "NOT_FOUND")

    def test_refuses(self):
        flow = self.flow()
        post = lambda **more: self.caudal.post("/scheduler/schedules", {"flowId": flow["id"], "name": "n", "cronExpression": "* * * * *", **more})  # noqa: E731
        self.refused(post(cronExpression="61 * * * *"), 400, "VALIDATION_ERROR", "cronExpression")
        self.refused(post(cronExpression="0 0 30 2 *"), 400, "VALIDATION_ERROR", "cronExpression")
        self.refused(post(timezone="Mars/Olympus"), 400, "VALIDATION_ERROR", "timezone")
        self.refused(post(maxRetries=11), 400, "VALIDATION_ERROR", "maxRetries")
        self.refused(post(retryDelay=0), 400, "VALIDATION_ERROR", "retryDelay")
        self.refused(post(flowId=UNKNOWN), 404, "NOT_FOUND")
        self.refused(self.caudal.get("/scheduler/schedules?enabled=maybe"), 400, "VALIDATION_ERROR", "enabled")

    def test_bulk_execute_and_preview(self):
        flow = self.flow()
        first, second = self.schedule(flow), self.schedule(flow)
        answer = self.caudal.post("/scheduler/schedules/bulk/disable", {"scheduleIds": [first["id"], second["id"], UNKNOWN]}).data
        self.assertEqual((answer["successCount"], answer["failureCount"], answer["errors"][0]["scheduleId"]), (2, 1, UNKNOWN))
        self.refused(self.caudal.post("/scheduler/schedules/bulk/enable", {"scheduleIds": []}), 400, "VALIDATION_ERROR", "scheduleIds")
        started = self.caudal.post(f"/scheduler/schedules/{first['id']}/execute")
        self.assertEqual(started.status, 201)
        self.assertEqual(self.caudal.wait(started.data["executionId"])["scheduleId"], first["id"])
        preview = self.caudal.post("/scheduler/schedules/preview", {"cronExpression": "30 2 * * *", "timezone": "Europe/Madrid", "count": 2, "after": "2026-03-28T12:00:00Z"}).data
        self.assertEqual(preview["nextRuns"], ["2026-03-29T01:00:00.000Z", "2026-03-30T00:30:00.000Z"])

    def test_fires_each_instant_once(self):
        flow = self.flow()
        schedule = self.schedule(flow, cronExpression="* * * * * *")
        end = time.monotonic() + 30
        while time.monotonic() < end and self.caudal.get(f"/scheduler/executions?scheduleId={schedule['id']}").data["pagination"]["total"] < 3:
            time.sleep(0.05)
        self.caudal.post(f"/scheduler/schedules/{schedule['id']}/disable")
        rows = self.caudal.get(f"/scheduler/executions?scheduleId={schedule['id']}").data["data"]
        self.assertGreaterEqual(len(rows), 3)
        instants = [self.caudal.get(f"/scheduler/executions/{row['id']}").data["input"]["scheduledTime"] for row in rows]
        self.assertEqual(len(instants), len(set(instants)))


    def test_failures_are_retried_as_the_schedule_says(self):
        flow = self.flow([node("1", "schedule-trigger"), node("boom", "stop-with-error", {"message": "again"})], chain("1", "boom"))
        schedule = self.schedule(flow, cronExpression="0 0 1 1 *", maxRetries=2, retryDelay=1)
        first = self.caudal.wait(self.caudal.post(f"/scheduler/schedules/{schedule['id']}/execute").data["executionId"])
        self.assertEqual((first["status"], first["retryCount"]), ("failed", 0))
        end = time.monotonic() + 30
        rows = []
        while time.monotonic() < end and [row["status"] for row in rows] != ["failed"] * 3:
            rows = self.caudal.get(f"/scheduler/executions?scheduleId={schedule['id']}").data["data"]
            time.sleep(0.05)
        self.assertEqual([row["retryCount"] for row in rows], [2, 1, 0])
        self.assertEqual([row["status"] for row in rows], ["failed"] * 3)


class Catalog(ApiTest):
    def test_metadata_and_documentation(self):
        types = self.caudal.get("/catalog/metadata").data
        self.assertLessEqual({"postgresql-query", "data-filter", "field-mapper", "http-request", "if", "switch", "merge", "webhook-trigger"}, {t["type"] for t in types})
        for entry in types:
            self.assertEqual(entry["id"], "dynamic-" + entry["type"])
            self.assertIn(entry["category"], ("database", "transformation", "external-api", "notification", "storage", "logic", "ai-ml"))
            self.assertIsInstance(entry["inputs"], list)
            doc = self.caudal.get(f"/catalog/documentation/{entry['type']}").data
            self.assertTrue(doc["purpose"] and doc["usageExamples"], entry["type"])
        self.refused(self.caudal.get("/catalog/documentation/none"), 404, "NOT_FOUND", "nodeType")

    def test_nodes(self):
        self.assertEqual(self.caudal.get("/catalog/nodes").data, self.caudal.get("/catalog").data)
        self.assertEqual({n["category"] for n in self.caudal.get("/catalog?category=database").data}, {"database"})
        self.refused(self.caudal.get("/catalog?category=odd"), 400, "VALIDATION_ERROR", "category")
        self.assertEqual(self.caudal.get("/catalog/nodes/data-filter").data["type"], "data-filter")
        self.assertEqual(self.caudal.get("/catalog/nodes/postgres-query").data["type"], "postgresql-query")
        self.assertEqual(self.caudal.get("/catalog/nodes/data-filter/versions").data[0]["version"], "1.0.0")
        self.assertTrue(self.caudal.get("/catalog/nodes/data-filter/compatibility").data)
        self.refused(self.caudal.get("/catalog/nodes/data-filter?version=9.9.9"), 404, "NOT_FOUND")
        self.assertIn("data-filter", self.caudal.get("/catalog/compatibility/matrix").json)
        self.assertEqual({c["name"] for c in self.caudal.get("/catalog/categories").data}, {n["category"] for n in self.caudal.get("/catalog").data})

    def test_register(self):
        body = {"type": "my-node", "name": "Mine", "version": "1.0.0", "category": "logic", "inputs": [{"name": "a", "type": "any"}], "outputs": [{"name": "b", "type": "any"}],
                "compatibilityMatrix": [{"targetType": "data-filter", "outputPin": "b", "targetInputPin": "data", "compatibility": "full"}]}
        self.assertEqual(self.caudal.post("/catalog/nodes", body).status, 201)
        self.refused(self.caudal.post("/catalog/nodes", body), 409, "CONFLICT")
        self.assertEqual(self.caudal.get("/catalog/nodes/my-node").data["name"], "Mine")
        self.refused(self.caudal.post("/catalog/nodes", {**body, "type": "My Node"}), 400, "VALIDATION_ERROR", "type")
        self.refused(self.caudal.post("/catalog/nodes", {**body, "version": "1"}), 400, "VALIDATION_ERROR", "version")
        self.refused(self.caudal.post("/catalog/nodes", {**body, "version": "1.0.1", "inputs": body["inputs"] * 2}), 400, "VALIDATION_ERROR", "inputs[1].name")
        wrong = [{**body["compatibilityMatrix"][0], "outputPin": "z"}]
        self.refused(self.caudal.post("/catalog/nodes", {**body, "version": "1.0.2", "compatibilityMatrix": wrong}), 400, "VALIDATION_ERROR", "compatibilityMatrix[0].outputPin")

    def test_compatibility(self):
        ask = lambda a, b, o, i: self.caudal.post("/catalog/compatibility/check", {  # noqa: E731
            "sourceNode": {"type": a, "version": "1.0.0"}, "targetNode": {"type": b, "version": "1.0.0"}, "connection": {"outputPin": o, "inputPin": i}})
        good = ask("postgresql-query", "data-filter", "result", "data").json
        self.assertEqual((good["compatible"], good["compatibility"], good["issues"]), (True, "full", []))
        bad = ask("data-filter", "postgresql-query", "nothing", "nowhere").json
        self.assertEqual((bad["compatible"], bad["compatibility"]), (False, "none"))
        self.assertLessEqual({"outputPin", "inputPin"}, {i.get("field") for i in bad["issues"]})
        self.refused(ask("none", "data-filter", "a", "b"), 404, "NOT_FOUND")


class Webhooks(ApiTest):
    def hook(self, path, mode="lastNode", nodes=(), connections=(), **config):
        return self.flow([node("hook", "webhook-trigger", {"path": path, "responseMode": mode, **config}), *nodes], list(connections), active=True)

    def test_result_and_record(self):
        self.hook("keep", nodes=[node("f", "data-filter", {"conditions": [{"field": "status", "operator": "equals", "value": "active"}]})], connections=[link("hook", "f", "body", "data")])
        answer = self.caudal.post("/webhooks/keep", ROWS)
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json["filtered"], [ROWS[0], ROWS[2]])
        detail = self.caudal.get(f"/scheduler/executions/{answer.headers['x-execution-id']}").data
        self.assertEqual((detail["status"], detail["trigger"]), ("success", "webhook"))

    def test_at_once(self):
        self.hook("later", "onReceived", [node("d", "delay", {"durationMs": 50})], [link("hook", "d", "body", "input")])
        answer = self.caudal.post("/webhooks/later", {"x": 1})
        self.assertEqual(answer.status, 202)
        self.assertEqual(self.caudal.wait(answer.data["executionId"])["status"], "success")

    def test_respond(self):
        self.hook("made", nodes=[node("r", "respond", {"statusCode": 201, "headers": {"X-Made": "yes"}, "body": {"ok": True}})], connections=[link("hook", "r", "body", "body")])
        answer = self.caudal.post("/webhooks/made", {"ok": 1})
        self.assertEqual((answer.status, answer.headers["x-made"], answer.json), (201, "yes", {"ok": 1}))

    def test_parts_of_the_request(self):
        self.hook("parts", method="ANY")
        answer = self.caudal.call("PUT", "/webhooks/parts?a=1&a=2&b=%C3%A9", raw=b"x=1&y=a+b%21", headers={"Content-Type": "application/x-www-form-urlencoded", "X-Own": "me"}).json
        self.assertEqual((answer["body"], answer["query"], answer["method"], answer["headers"]["x-own"]), ({"x": "1", "y": "a b!"}, {"a": ["1", "2"], "b": "é"}, "PUT", "me"))
        self.assertEqual(self.caudal.call("POST", "/webhooks/parts", raw=b"\xff\x00", headers={"Content-Type": "application/octet-stream"}).json["body"], "/wA=")
        self.assertEqual(self.caudal.call("POST", "/webhooks/parts", raw="hé".encode(), headers={"Content-Type": "text/plain"}).json["body"], "hé")

    def test_failure_and_refusals(self):
        self.hook("bad", nodes=[node("s", "stop-with-error", {"message": "closed today"})], connections=[link("hook", "s", "body", "input")])
        self.assertIn("closed today", self.refused(self.caudal.post("/webhooks/bad", {}), 422, "UNPROCESSABLE_ENTITY")["message"])
        self.refused(self.caudal.post("/webhooks/none", {}), 404, "NOT_FOUND")
        self.refused(self.caudal.get("/webhooks/bad"), 405, "METHOD_NOT_ALLOWED")
        self.refused(self.caudal.post("/webhooks/bad", raw=b"{", headers={"Content-Type": "application/json"}), 400, "VALIDATION_ERROR")
        draft = self.flow([node("hook", "webhook-trigger", {"path": "draft"})])
        self.assertIn("not active", self.refused(self.caudal.post("/webhooks/draft", {}), 404, "NOT_FOUND")["message"])
        self.caudal.call("PUT", f"/flows/{draft['id']}", {"status": "active"})
        self.assertEqual(self.caudal.post("/webhooks/draft", {}).status, 202)

    def test_idempotency_key(self):
        self.hook("once")
        first = self.caudal.post("/webhooks/once", {"n": 1}, headers={"Idempotency-Key": "order-1"})
        second = self.caudal.post("/webhooks/once", {"n": 1}, headers={"Idempotency-Key": "order-1"})
        self.assertEqual((first.status, second.status), (200, 202))
        self.assertEqual(second.data, {"executionId": first.headers["x-execution-id"], "status": "duplicate"})

    def test_history_none_leaves_nothing(self):
        self.flow([node("hook", "webhook-trigger", {"path": "light", "responseMode": "lastNode"})], [], active=True, settings={"history": "none"})
        answer = self.caudal.post("/webhooks/light", {"n": 1})
        self.assertEqual(answer.status, 200)
        self.refused(self.caudal.get(f"/scheduler/executions/{answer.headers['x-execution-id']}"), 404, "NOT_FOUND")


class WebhookList(ApiTest):
    def test_paths_are_listed_with_their_flows(self):
        flow = self.flow([node("hook", "webhook-trigger", {"path": "list/me", "method": "PUT", "responseMode": "lastNode"})], [])
        mine = [one for one in self.caudal.call("GET", "/api/v1/webhooks").data if one["flowId"] == flow["id"]]
        expected = {"method": "PUT", "path": "list/me", "flowId": flow["id"], "flowName": flow["name"], "nodeId": "hook", "active": False, "waits": True}
        self.assertEqual(mine, [expected])
        self.caudal.call("PUT", f"/flows/{flow['id']}", {"status": "active"})
        self.assertTrue([one for one in self.caudal.call("GET", "/api/v1/webhooks").data if one["flowId"] == flow["id"]][0]["active"])


class Operation(ApiTest):
    def test_health(self):
        health = self.caudal.get("/health").json
        self.assertEqual(health["status"], "healthy")
        self.assertEqual(health["dependencies"], {"database": "healthy", "redis": "healthy", "rabbitmq": "healthy"})
        self.assertTrue(self.caudal.get("/health/live").json["alive"])
        self.assertTrue(self.caudal.get("/health/ready").json["ready"])
        self.assertTrue(self.caudal.get("/health/work").json["moving"])

    def test_timeline(self):
        self.caudal.wait(self.caudal.run(self.flow()))
        for _ in range(600):
            points = self.caudal.get("/monitoring/timeline?minutes=5").data["points"]
            ended = [point for point in points if point["success"] + point["failed"] > 0]
            if ended:
                break
            time.sleep(0.1)
        point = ended[-1]
        self.assertGreaterEqual(point["workers"], 1)
        self.assertLessEqual(0, point["p50"])
        self.assertLessEqual(point["p50"], point["p95"])
        self.assertLessEqual(point["p95"], point["p99"])
        self.assertEqual([later["at"] for later in self.caudal.get(f"/monitoring/timeline?after={point['at']}").data["points"] if later["at"] <= point["at"]], [])
        self.refused(self.caudal.get("/monitoring/timeline?minutes=61"), 400, "VALIDATION_ERROR", "minutes")
        self.refused(self.caudal.get("/monitoring/timeline?after=yesterday"), 400, "VALIDATION_ERROR", "after")

    def test_webhooks_that_a_gateway_runs_itself_are_counted(self):
        def counted():
            return sum(point["success"] for point in self.caudal.get("/monitoring/timeline?minutes=60").data["points"])

        def total():
            return float(re.search(r"^caudal_executions_total (\S+)$", self.caudal.get("/metrics").text.decode(), re.M).group(1))
        for history in ("all", "none"):
            path = f"counted-{history}"
            flow = self.flow([node("hook", "webhook-trigger", {"path": path, "responseMode": "lastNode"})], [], settings={"history": history})
            self.caudal.call("PUT", f"/flows/{flow['id']}", {"status": "active"})
            before, ended = counted(), total()
            for _ in range(20):
                self.assertEqual(self.caudal.call("POST", f"/webhooks/{path}", {"a": 1}).status, 200)
            if not AT:  # of several gateways each tells its own
                self.assertEqual(total() - ended, 20)
            told = 0  # each question may reach another gateway, which hears a little later
            for _ in range(600):
                told = max(told, counted() - before)
                if told >= 20:
                    break
                time.sleep(0.1)
            self.assertGreaterEqual(told, 20, history)

    def test_monitoring(self):
        done = self.caudal.wait(self.caudal.run(self.flow()))
        for path in ("system", "system/history?hours=1", f"execution/{done['id']}", "flows", f"flows/{done['flowId']}", "nodes", "nodes/data-filter", "stats",
                     "performance/slow-executions?limit=3", "performance/high-memory-executions", f"jobs/{done['id']}", "health", "dashboard"):
            answer = self.caudal.get("/monitoring/" + path)
            self.assertEqual(answer.status, 200, path)
            self.assertNotIn("error", answer.data, path)
        name = self.caudal.get(f"/flows/{done['flowId']}").data["name"]
        self.assertEqual(self.caudal.get(f"/monitoring/flows/{done['flowId']}").data["flowName"], name)
        self.assertIn((done["flowId"], name), [(one["flowId"], one["flowName"]) for one in self.caudal.get("/monitoring/flows").data])
        self.assertEqual(self.caudal.get(f"/monitoring/flows/{UNKNOWN}").data, {"error": "Flow metrics not found"})
        self.assertEqual(self.caudal.get("/monitoring/nodes/none").data, {"error": "Node metrics not found"})
        stats, dashboard, system = (self.caudal.get("/monitoring/" + p).data for p in ("stats", "dashboard", "system"))
        self.assertEqual(stats["totalExecutions"], stats["successfulExecutions"] + stats["failedExecutions"])
        self.assertEqual(system["current"]["completedExecutions"], stats["successfulExecutions"])
        self.assertEqual((stats["successRate"], stats["totalRecordsProcessed"]), (dashboard["current"]["successRate"], dashboard["current"]["totalRecordsProcessed"]))

    def test_workers_settings_dead_letters(self):
        worker = self.caudal.get("/workers").data[0]
        self.assertEqual(worker["status"], "online")
        self.assertEqual(self.caudal.get(f"/workers/{worker['id']}").data["id"], worker["id"])
        self.refused(self.caudal.get("/workers/nobody"), 404, "NOT_FOUND")
        self.assertEqual(self.caudal.call("PUT", "/settings", {"loadBalanceStrategy": "least_busy"}).data["loadBalanceStrategy"], "least_busy")
        self.refused(self.caudal.call("PUT", "/settings", {"loadBalanceStrategy": "best"}), 400, "VALIDATION_ERROR", "loadBalanceStrategy")
        self.assertEqual(self.caudal.get("/dead-letters").data["data"], [])
        self.refused(self.caudal.post("/dead-letters/none/retry"), 404, "NOT_FOUND")
        self.refused(self.caudal.get("/dead-letters?status=odd"), 400, "VALIDATION_ERROR", "status")

    def plant_letter(self, name, document):
        document = {"id": name, "reason": "planted", "status": "open", "createdAt": "2026-01-01T00:00:00.000Z", **document}
        with contextlib.closing(sqlite3.connect(os.path.join(self.caudal.directory, "caudal.db"), timeout=30)) as database, database:
            database.execute("INSERT INTO dead_letters(id, status, at_ms, document) VALUES (?, 'open', 1767225600000, ?)", (name, json.dumps(document)))

    def open_letter(self, queue):
        for _ in range(600):
            letters = [letter for letter in self.caudal.get("/dead-letters?status=open").data["data"] if letter["reason"] != "planted" and letter.get("queue") == queue]
            if letters:
                self.assertEqual(len(letters), 1)
                return letters[0]
            time.sleep(0.05)
        self.fail(f"no dead letter of {queue}")

    @unittest.skipIf(AT, "opens the database of a process of its own")
    def test_poison_messages_are_kept_sent_again_and_discarded(self):
        caudal, self.caudal = self.caudal, Caudal()
        try:
            binary = bytes(range(256)) * 40
            for queue, payload, encoding in (("flow.submit.0", '{"v":1,"work":[{"id":"ñ"}]}'.encode(), "text"), ("flow.events.0", binary, "base64"),
                                             ("flow.reassign", b'{"v":1,"work":"\x00', "base64")):
                text = payload.decode() if encoding == "text" else base64.b64encode(payload).decode()
                self.plant_letter("planted-" + queue, {"queue": queue, "payload": text, "payloadEncoding": encoding})
                self.assertEqual(self.caudal.post(f"/dead-letters/planted-{queue}/retry").data["status"], "retried")
                letter = self.open_letter(queue)  # it was published and could not be read: the same bytes are back
                self.assertEqual((letter["payload"], letter["payloadEncoding"], letter["payloadBytes"], letter["payloadTruncated"]), (text, encoding, len(payload), False))
                self.assertNotIn("rejected", letter["reason"])
                place = f"/dead-letters/{letter['id']}"
                self.assertEqual(self.caudal.post(place + "/retry").data["status"], "retried")
                self.refused(self.caudal.post(place + "/retry"), 409, "CONFLICT", "status")
                again = self.open_letter(queue)
                self.assertNotEqual(again["id"], letter["id"])
                self.assertEqual((again["payload"], again["reason"]), (letter["payload"], letter["reason"]))
                self.assertEqual(self.caudal.post(f"/dead-letters/{again['id']}/discard").data["status"], "discarded")
                self.refused(self.caudal.post(f"/dead-letters/{again['id']}/retry"), 409, "CONFLICT", "status")
            self.plant_letter("cut", {"queue": "flow.submit.0", "payload": "QUJD", "payloadEncoding": "base64", "payloadTruncated": True})
            self.refused(self.caudal.post("/dead-letters/cut/retry"), 409, "CONFLICT", "payload")
            self.assertEqual(self.caudal.get("/dead-letters/cut").data["status"], "open")
            nodes, connections = small()
            flow = self.caudal.flow("after the poison", nodes, connections)
            self.assertEqual(self.caudal.wait(self.caudal.run(flow))["status"], "success")
        finally:
            self.caudal.stop()
            self.caudal = caudal

    @unittest.skipIf(AT, "opens the database of a process of its own")
    def test_work_that_was_given_up_is_run_again(self):
        caudal, self.caudal = self.caudal, Caudal()
        try:
            flow = self.caudal.flow("given up", [node("1", "manual-trigger"), node("boom", "stop-with-error", {"message": "x"})], chain("1", "boom"))
            failed = self.caudal.run(flow)
            self.caudal.wait(failed)
            self.assertEqual(self.caudal.call("PUT", f"/flows/{flow['id']}", {"nodes": [node("1", "manual-trigger"), node("boom", "log", {"message": "mended"})]}).status, 200)
            self.plant_letter("lost", {"executionId": failed, "payload": "{}", "payloadEncoding": "text"})
            retried = self.caudal.post("/dead-letters/lost/retry")
            self.assertEqual((retried.status, retried.data["status"], retried.data["executionId"]), (202, "retried", failed), retried.text)
            again = self.caudal.wait(retried.data["retriedAs"])
            self.assertEqual((again["status"], again["retryCount"]), ("success", 1))
            self.assertEqual(self.caudal.get("/dead-letters/lost").data["retriedAs"], again["id"])
            self.refused(self.caudal.post("/dead-letters/lost/retry"), 409, "CONFLICT", "status")
            # Who dies before the letter is closed: asked for again, it is the same execution.
            self.plant_letter("half", {"executionId": failed, "payload": "{}", "payloadEncoding": "text"})
            with contextlib.closing(sqlite3.connect(os.path.join(self.caudal.directory, "caudal.db"), timeout=30)) as database:
                def copy():
                    return database.execute("SELECT document FROM dead_letters WHERE id = 'half'").fetchone()[0]
                before = copy()
                first = self.caudal.post("/dead-letters/half/retry").data["retriedAs"]
                with database:
                    database.execute("UPDATE dead_letters SET status = 'open', document = ? WHERE id = 'half'", (before,))
            self.assertEqual(self.caudal.post("/dead-letters/half/retry").data["retriedAs"], first)
            self.plant_letter("gone", {"executionId": "01890000-0000-7000-8000-000000000000", "payload": "{}", "payloadEncoding": "text"})
            self.refused(self.caudal.post("/dead-letters/gone/retry"), 404, "NOT_FOUND")
            self.plant_letter("well", {"executionId": again["id"], "payload": "{}", "payloadEncoding": "text"})
            self.refused(self.caudal.post("/dead-letters/well/retry"), 400, "VALIDATION_ERROR", "status")
            self.assertEqual({self.caudal.get(f"/dead-letters/{name}").data["status"] for name in ("gone", "well")}, {"open"})
        finally:
            self.caudal.stop()
            self.caudal = caudal

    def test_metrics(self):
        answer = self.caudal.get("/metrics")
        self.assertTrue(answer.headers["content-type"].startswith("text/plain; version=0.0.4"))
        names = ["caudal_http_requests_total", "process_resident_memory_bytes", "caudal_store_commits_total", "caudal_messages_total", "caudal_message_bytes_total"]
        for name in names + ["caudal_executions_total"]:
            self.assertIn(name, answer.text.decode())

    def test_documentation_has_every_route(self):
        document = self.caudal.get("/api/docs-json").json
        self.assertEqual(document["openapi"], "3.1.0")
        page = self.caudal.get("/api/docs")
        self.assertTrue(page.headers["content-type"].startswith("text/html"))
        source = "".join(file.read_text(encoding="utf-8") for file in (pathlib.Path(__file__).parents[2] / "src/gateway").glob("*.c"))
        operations = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
        self.assertGreater(len(operations), 70)
        self.assertGreaterEqual(len(operations), len(re.findall(r'^    \{"(?:GET|POST|PUT|DELETE)", ', source, re.M)))
        for method, path in sorted(operations):
            self.assertIn(f"<code>{path}</code>", page.text.decode())
            for status, response in document["paths"][path][method.lower()]["responses"].items():
                if path.startswith("/api/v1/") and status in ("200", "201", "202"):
                    self.assertIn("allOf", response["content"]["application/json"]["schema"], f"{method} {path} says nothing of its answer")

    def test_every_documented_route_answers_as_documented(self):
        """Each operation, called without its needs: the status is one of those documented, the body is of its shape."""
        document = self.caudal.get("/api/docs-json").json
        for path, item in document["paths"].items():
            for method, operation in item.items():
                place = re.sub(r"\{(id|executionId|flowId)\}", UNKNOWN, path)
                place = re.sub(r"\{\w+\}", "1", place)
                answer = self.caudal.call(method.upper(), place, {} if method in ("post", "put", "patch") else None)
                documented = [*operation["responses"], *(["302"] if path == "/" else [])]  # as its description says
                self.assertIn(str(answer.status), documented, f"{method} {path}: {answer.text[:200]}")
                if "text/html" in operation["responses"].get(str(answer.status), {}).get("content", {}):
                    self.assertIn("text/html", answer.headers["content-type"], f"{method} {path}")
                elif answer.status >= 400:
                    self.assertLessEqual({"code", "message", "timestamp", "path"}, set(answer.json), f"{method} {path}")
                elif path.startswith("/api/v1/") and answer.status != 204:
                    self.assertLessEqual({"data", "timestamp", "path"}, set(answer.json), f"{method} {path}")

    def test_cors_and_bodies(self):
        answer = self.caudal.call("OPTIONS", "/flows", headers={"Origin": "http://localhost:5173", "Access-Control-Request-Headers": "content-type,x-own"})
        self.assertEqual(answer.status, 204)
        self.assertEqual(answer.headers["access-control-allow-origin"], "http://localhost:5173")
        self.assertEqual(answer.headers["access-control-allow-headers"], "content-type,x-own")
        self.assertEqual(self.caudal.call("GET", "/nothing", headers={"Origin": "http://localhost:5173"}).headers["access-control-allow-origin"], "http://localhost:5173")
        self.assertNotIn("access-control-allow-origin", self.caudal.call("GET", "/flows", headers={"Origin": "http://evil.example"}).headers)
        self.refused(self.caudal.call("POST", "/flows", raw=b"x" * (9 << 20), headers={"Content-Type": "application/json"}), 413, "PAYLOAD_TOO_LARGE")
        deep = b"[" * 100 + b"]" * 100
        self.refused(self.caudal.call("POST", "/flows", raw=deep, headers={"Content-Type": "application/json"}), 400, "VALIDATION_ERROR")
        self.refused(self.caudal.call("POST", "/flows", raw=b'"\xff"', headers={"Content-Type": "application/json"}), 400, "VALIDATION_ERROR")


if __name__ == "__main__":
    unittest.main(verbosity=1)
