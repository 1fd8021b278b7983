"""Flows that start when another one has failed."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from test_api import ApiTest  # noqa: E402
from support.caudal import chain, node  # noqa: E402


class Failures(ApiTest):
    def make(self, nodes, connections, active=True):
        flow = self.caudal.flow(self.name(), nodes, connections, active=active)
        self.addCleanup(lambda: self.caudal.call("PUT", f"/flows/{flow['id']}", {"status": "inactive"}))
        return flow

    def failing(self, trigger="manual-trigger", config=None):
        return self.make([node("t", trigger, config or {}), node("s", "stop-with-error", {"message": "on purpose"})], chain("t", "s"))

    def listener(self, *flows):
        return self.make([node("f", "flow-failed-trigger", {"flows": list(flows)}), node("l", "log", {"message": "heard"})], chain("f", "l"))

    def executions(self, flow):
        return self.caudal.get(f"/scheduler/executions?flowId={flow['id']}&limit=100").data["data"]

    def heard(self, flow, count=1):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            rows = self.executions(flow)
            if len(rows) >= count:
                return [self.caudal.wait(row["id"]) for row in rows]
            time.sleep(0.02)
        self.fail("nobody heard of the failure")

    def test_a_failure_starts_who_listens(self):
        flow = self.failing()
        by_id, by_name, other, anybody = self.listener(flow["id"]), self.listener(flow["name"]), self.listener("another flow"), self.listener()
        execution = self.caudal.run(flow)
        self.caudal.wait(execution)
        for listening in (by_id, by_name, anybody):
            detail = self.heard(listening)[0]
            failure = detail["input"]["failure"]
            self.assertEqual((detail["status"], detail["trigger"], detail["parentExecutionId"]), ("success", "flow-failed", execution))
            self.assertEqual((failure["executionId"], failure["flowId"], failure["flowName"], failure["status"], failure["error"]["code"]),
                             (execution, flow["id"], flow["name"], "failed", "STOPPED_WITH_ERROR"))
            self.assertIn("on purpose", failure["error"]["message"])
            self.assertEqual(len(self.executions(listening)), 1)
        self.assertEqual(self.executions(other), [])

    def test_drafts_and_successes_start_nothing(self):
        flow = self.failing()
        draft = self.make([node("f", "flow-failed-trigger"), node("l", "log", {"message": "heard"})], chain("f", "l"), active=False)
        anybody = self.listener()
        good = self.make([node("t", "manual-trigger"), node("l", "log", {"message": "fine"})], chain("t", "l"))
        self.caudal.wait(self.caudal.run(good))
        self.caudal.wait(self.caudal.run(flow))
        self.assertEqual([d["input"]["failure"]["flowId"] for d in self.heard(anybody)], [flow["id"]])
        self.assertEqual(self.executions(draft), [])

    def test_rings_end(self):
        """Each of two flows listens for any failure, and fails: the failure of a third starts both, and no more."""
        ring = [self.make([node("f", "flow-failed-trigger"), node("s", "stop-with-error", {"message": "again"})], chain("f", "s")) for _ in range(2)]
        self.caudal.wait(self.caudal.run(self.failing()))
        counts = [len(self.heard(flow, 2)) for flow in ring]  # for the third's failure, and for the other's that came of it
        end = self.listener()
        self.caudal.wait(self.caudal.run(self.failing()))  # what was under way has had its time when this is heard of
        self.heard(end)
        self.assertEqual(counts, [2, 2])

    def test_a_pure_webhook_that_fails(self):
        path = self.name().replace(" ", "-")
        flow = self.failing("webhook-trigger", {"path": path, "responseMode": "lastNode"})
        listening = self.listener(flow["id"])
        self.assertEqual(self.caudal.call("POST", f"/webhooks/{path}", {}).status, 422)
        self.assertEqual(self.heard(listening)[0]["input"]["failure"]["trigger"], "webhook")


if __name__ == "__main__":
    unittest.main()
