"""Versions, run control, schedules, variables and secrets over the API."""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from test_api import ApiTest, UNKNOWN, small  # noqa: E402
from support.caudal import PROGRAM, chain, node  # noqa: E402


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


if __name__ == "__main__":
    unittest.main()
