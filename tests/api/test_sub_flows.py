"""Executions that others start: sub-flow nodes, for-each over flows and workers, their ends, failures and cancels."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from test_api import ApiTest  # noqa: E402
from support.caudal import FINAL, chain, link, node  # noqa: E402


class SubFlows(ApiTest):
    def make(self, nodes, connections, **more):
        return self.flow(nodes, connections, **more)

    def echo(self, **more):
        """Gives its input back, through a node with effects."""
        return self.make([node("t", "manual-trigger"), node("d", "delay", {"durationMs": 20})], chain("t", "d"), **more)

    def stuck(self):
        return self.make([node("t", "manual-trigger"), node("w", "wait", {"mode": "signal"})], chain("t", "w"))

    def failing(self):
        return self.make([node("t", "manual-trigger"), node("s", "stop-with-error", {"message": "broken inside"})], chain("t", "s"))

    def calling(self, config, **more):
        nodes = [node("t", "manual-trigger"), node("c", "sub-flow", config), node("good", "log", {"message": "good"}), node("bad", "log", {"message": "bad"})]
        return self.make(nodes, chain("t", "c", "good") + [link("c", "bad", "error")], **more)

    def children(self, execution, count=1, caudal=None):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            rows = (caudal or self.caudal).get(f"/scheduler/executions?parentExecutionId={execution}&limit=100").data["data"]
            if len(rows) >= count:
                return rows
            time.sleep(0.02)
        self.fail("no child was started")

    def output(self, detail, node_id):
        return next(n["output"] for n in detail["nodeExecutions"] if n["nodeId"] == node_id)

    def ran(self, detail, node_id):
        return any(n["nodeId"] == node_id and n["status"] == "success" for n in detail["nodeExecutions"])

    def test_waits_for_the_result(self):
        for reference in ("id", "name"):
            flow = self.echo()
            execution = self.caudal.run(self.calling({"flow": flow[reference], "outputPath": "output.n.1"}), input={"n": [1, 2]})
            detail = self.caudal.wait(execution)
            self.assertEqual((detail["status"], self.output(detail, "c")["output"]), ("success", 2), detail)
            child = self.children(execution)[0]
            self.assertEqual((child["flowId"], child["parentExecutionId"], child["parentNodeId"], child["trigger"]), (flow["id"], execution, "c", "flow"))
            self.assertEqual(self.output(detail, "c")["executionId"], child["id"])

    def test_starts_and_goes_on(self):
        flow = self.echo()
        execution = self.caudal.run(self.calling({"flow": flow["id"], "mode": "start"}), input=5)
        detail = self.caudal.wait(execution)
        self.assertEqual(detail["status"], "success")
        child = self.caudal.wait(self.output(detail, "c")["executionId"])
        self.assertEqual((child["status"], child["parentExecutionId"], child["result"]), ("success", execution, {"output": 5}))

    def test_a_failure_goes_to_error(self):
        detail = self.caudal.wait(self.caudal.run(self.calling({"flow": self.failing()["id"]})))
        self.assertEqual(detail["status"], "success")
        self.assertTrue(self.ran(detail, "bad"))
        failed = next(n for n in detail["nodeExecutions"] if n["nodeId"] == "c")
        self.assertIn("broken inside", failed["errorMessage"])

    def test_unknown_flows_and_versions(self):
        for config, text in (({"flow": "nobody knows it"}, "There is no flow"), ({"flow": self.echo()["id"], "version": 9}, "version 9"), ({}, "flow must be")):
            nodes = [node("t", "manual-trigger"), node("c", "sub-flow", config)]
            detail = self.caudal.wait(self.caudal.run(self.make(nodes, chain("t", "c"))))
            self.assertEqual(detail["status"], "failed")
            self.assertIn(text, detail["errorMessage"])

    def test_recursion_is_bounded(self):
        name = self.name()
        flow = self.caudal.flow(name, [node("t", "manual-trigger"), node("c", "sub-flow", {"flow": name})], chain("t", "c"))
        detail = self.caudal.wait(self.caudal.run(flow), timeout=120)
        self.assertEqual(detail["status"], "failed")
        total = self.caudal.get(f"/scheduler/executions?flowId={flow['id']}&limit=100").data["pagination"]["total"]
        self.assertEqual(total, 17)
        self.assertIn("ended as failed", detail["errorMessage"])

    def test_a_child_does_not_wait_for_the_slot_of_its_parent(self):
        """Its own flow again, through another one, and distributed items: all within the slot that is held."""
        limits = {"concurrency": 1, "concurrencyKey": "{{ input.key }}"}
        again = [node("t", "manual-trigger"), node("i", "if", {"conditions": [{"field": "n", "operator": "greater_than", "value": 0}]}),
                 node("s", "set-fields", {"fields": [{"field": "n", "value": 0}]})]
        lines = [link("t", "i", "output", "data"), link("i", "s", "true", "data"), link("s", "c")]
        name, other = self.name(), self.name()
        itself = self.caudal.flow(name, [*again, node("c", "sub-flow", {"flow": name})], lines, settings=limits)
        self.assertEqual(self.caudal.wait(self.caudal.run(itself, input={"n": 1, "key": "a"}))["status"], "success")
        between = self.caudal.flow(other, [*again, node("c", "sub-flow", {"flow": other + " back"})], lines, settings=limits)
        self.caudal.flow(other + " back", [node("t", "manual-trigger"), node("c", "sub-flow", {"flow": other})], chain("t", "c"))
        self.assertEqual(self.caudal.wait(self.caudal.run(between, input={"n": 1, "key": "b"}))["status"], "success")
        items = [node("t", "manual-trigger"), node("e", "for-each", {"distribute": True, "concurrency": 2}), {**node("d", "delay", {"durationMs": 20}), "parentId": "e"}]
        spread = self.make(items, [link("t", "e", "output", "items"), link("e", "d", "item", "data"), link("d", "e", "output", "result")], settings={"concurrency": 1})
        self.assertEqual(self.caudal.wait(self.caudal.run(spread, input=[1, 2, 3]))["status"], "success")

    def test_who_waits_for_itself_through_limits_is_told(self):
        """Two flows with limits that wait for each other, started from both sides."""
        names = [self.name(), self.name()]
        nodes = lambda other: [node("t", "manual-trigger"), node("i", "if", {"conditions": [{"field": "n", "operator": "greater_than", "value": 0}]}),
                               node("w", "wait", {"mode": "signal"}), node("c", "sub-flow", {"flow": other, "input": {"n": 0}})]
        lines = [link("t", "i", "output", "data"), link("i", "w", "true", "data"), link("w", "c")]
        flows = [self.caudal.flow(names[i], nodes(names[1 - i]), lines, settings={"concurrency": 1}) for i in (0, 1)]
        executions = [self.caudal.run(flow, input={"n": 1}) for flow in flows]  # each holds its slot
        for execution in executions:
            self.assertEqual(self.caudal.post(f"/scheduler/executions/{execution}/signal", {}).status, 202)
        details = [self.caudal.wait(execution, timeout=60) for execution in executions]
        self.assertEqual(sorted(detail["status"] for detail in details), ["failed", "success"])
        failed = next(detail for detail in details if detail["status"] == "failed")
        self.assertIn("waits, by itself or through others, for this one", failed["errorMessage"])
        child = self.children(failed["id"])[0]
        self.assertEqual((child["status"], child["errorCode"]), ("failed", "LIMIT_EXCEEDED"))

    def test_a_retry_of_a_failed_sub_flow_starts_a_new_one(self):
        nodes = [node("t", "manual-trigger"), node("before", "delay", {"durationMs": 20}), node("c", "sub-flow", {"flow": self.failing()["id"]})]
        execution = self.caudal.run(self.make(nodes, chain("t", "before", "c")))
        self.assertEqual(self.caudal.wait(execution)["status"], "failed")
        retried = self.caudal.post(f"/scheduler/executions/{execution}/retry", {"from": "failed"}).data["executionId"]
        detail = self.caudal.wait(retried)
        self.assertEqual(detail["status"], "failed")
        first, second = (self.children(one)[0] for one in (execution, retried))
        self.assertNotEqual(first["id"], second["id"])
        before = next(n for n in detail["nodeExecutions"] if n["nodeId"] == "before")
        self.assertEqual([a.get("epoch") for a in before["attempts"]], [None])  # taken over

    def test_cancelling_reaches_the_children(self):
        inner = self.calling({"flow": self.stuck()["id"]})
        execution = self.caudal.run(self.calling({"flow": inner["id"]}))
        child = self.children(execution)[0]["id"]
        grandchild = self.children(child)[0]["id"]
        self.caudal.wait_until(grandchild, "running")
        self.assertEqual(self.caudal.post(f"/scheduler/executions/{execution}/cancel").data["status"], "cancelled")
        for one in (child, grandchild):
            self.assertEqual(self.caudal.get(f"/scheduler/executions/{one}").data["status"], "cancelled")

    def test_a_cancelled_child_is_a_failure(self):
        execution = self.caudal.run(self.calling({"flow": self.stuck()["id"]}))
        child = self.children(execution)[0]["id"]
        self.caudal.post(f"/scheduler/executions/{child}/cancel")
        detail = self.caudal.wait(execution)
        self.assertTrue(self.ran(detail, "bad"))

    def test_a_deadline_cancels_the_child(self):
        execution = self.caudal.run(self.calling({"flow": self.stuck()["id"], "timeoutMs": 300}))
        detail = self.caudal.wait(execution)
        self.assertTrue(self.ran(detail, "bad"))
        self.assertEqual(self.caudal.wait(self.children(execution)[0]["id"])["status"], "cancelled")

    def test_pause_and_resume(self):
        execution = self.caudal.run(self.calling({"flow": self.stuck()["id"]}))
        child = self.children(execution)[0]["id"]
        self.caudal.wait_until(child, "running")
        self.caudal.post(f"/scheduler/executions/{execution}/pause")
        self.caudal.post(f"/scheduler/executions/{child}/signal", {"payload": 3})
        self.assertEqual(self.caudal.wait(child)["status"], "success")
        self.assertEqual(self.caudal.get(f"/scheduler/executions/{execution}").data["status"], "paused")
        self.caudal.post(f"/scheduler/executions/{execution}/resume")
        detail = self.caudal.wait(execution)
        self.assertEqual(self.output(detail, "c")["output"], {"output": 3})

    def test_history_none_tells_its_parent_all_the_same(self):
        flow = self.echo(settings={"history": "none"})
        detail = self.caudal.wait(self.caudal.run(self.calling({"flow": flow["id"]}), input=1))
        self.assertEqual(self.output(detail, "c")["output"], {"output": 1})

    def for_each(self, config, inside=True):
        nodes = [node("t", "manual-trigger"), node("e", "for-each", config)]
        connections = chain("t", "e")
        if inside:
            nodes.append({**node("d", "delay", {"durationMs": 10}), "parentId": "e"})
            connections += [link("e", "d", "item", "data"), link("d", "e", "output", "result")]
        return self.make(nodes, connections)

    def test_for_each_item_a_flow(self):
        flow = self.echo()
        execution = self.caudal.run(self.for_each({"mode": "flow", "flow": flow["id"], "concurrency": 3}, inside=False), input=[5, 6, 7, 8, 9])
        detail = self.caudal.wait(execution)
        self.assertEqual((detail["status"], self.output(detail, "e")["results"]), ("success", [{"output": n} for n in range(5, 10)]), detail)
        self.assertEqual(len(self.children(execution, 5)), 5)

    def test_distribute_sends_each_item_out(self):
        flow = self.for_each({"distribute": True, "concurrency": 4})
        execution = self.caudal.run(flow, input=list(range(12)))
        detail = self.caudal.wait(execution, timeout=60)
        self.assertEqual((detail["status"], self.output(detail, "e")["results"]), ("success", list(range(12))), detail)
        rows = self.children(execution, 12)
        self.assertEqual({row["flowId"] for row in rows}, {flow["id"]})
        self.assertEqual(self.caudal.get(f"/scheduler/executions/{rows[0]['id']}").data["status"], "success")

    def test_ends_are_told_over_kills(self):
        caudal = type(self.caudal)()
        try:
            slow = caudal.flow("slow", [node("t", "manual-trigger"), node("d", "delay", {"durationMs": 700})], chain("t", "d"))
            nodes = [node("t", "manual-trigger"), node("e", "for-each", {"mode": "flow", "flow": "slow", "concurrency": 3})]
            flow = caudal.flow("many", nodes, chain("t", "e"))
            executions = [caudal.run(flow, input=[1, 2, 3, 4, 5, 6]) for _ in range(4)]
            for _ in range(3):
                time.sleep(0.5)  # when the kill comes is what varies
                caudal.kill()
                caudal.start()
            for execution in executions:
                detail = caudal.wait(execution, timeout=120)
                self.assertEqual((detail["status"], self.output(detail, "e")["results"]), ("success", [{"output": n} for n in range(1, 7)]))
                rows = self.children(execution, 6, caudal)
                self.assertTrue(all(row["status"] in FINAL for row in rows))
                self.assertEqual(len([row for row in rows if row["status"] == "success"]), 6, rows)
            self.assertIsNotNone(slow)
        finally:
            caudal.stop()


if __name__ == "__main__":
    unittest.main()
