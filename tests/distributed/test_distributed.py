#!/usr/bin/env python3
"""The distributed system over real servers (tests/support/cluster.py): the API's tests through nginx, what each strategy
hands to whom, and that the death of any one process of ours loses nothing."""
import collections
import os
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ.setdefault("CAUDAL_CHECK_ANSWERS", "0")
from api.test_websocket import Client  # noqa: E402
from support import caudal as support  # noqa: E402
from support.caudal import FINAL, chain, node  # noqa: E402
from support.cluster import Cluster, ROOT  # noqa: E402
from support.tap import Tap  # noqa: E402

PATIENCE = 120  # seconds; only a defect waits so long


def setUpModule():
    global cluster, client, tap
    cluster = Cluster().up()
    tap = Tap(cluster)
    support.AT = str(cluster.port)
    client = support.Caudal()


def tearDownModule():
    bad = tap.stop()  # every message that was on the wire
    missing = {"work", "returned", "events", "control", "worker", "orchestrator", "gateway", "live"} - set(tap.seen)
    bad += [f"no message was seen: {missing}"] if missing else []
    bad += cluster.down(remove=True)
    client.stop()
    if bad:
        raise AssertionError("\n".join(bad))


def until(what, condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("still not: " + what)
        time.sleep(0.1)


def start(flow, count):
    ids = []
    while len(ids) < count:
        answer = client.post(f"/flows/{flow['id']}/run", {})
        if answer.status == 201:
            ids.append(answer.data["executionId"])
        else:  # not accepted, so nothing is owed: a gateway that has just died, too much that waits
            assert answer.status in (502, 503, 504), answer.text
            time.sleep(0.05)
    return ids


def ended(ids):
    return {i: client.wait(i, PATIENCE) for i in ids}


class Distributed(unittest.TestCase):
    def sleepy(self, name, ms):
        nodes = [node("1", "manual-trigger"), node("wait", "delay", {"durationMs": ms}), node("2", "set-fields", {"fields": [{"field": "done", "value": True}]})]
        return client.flow(name, nodes, chain("1", "wait", "2"))

    def handed_out(self, flow, count):
        """How many of so many executions each worker ended."""
        return collections.Counter(detail["workerId"] for detail in ended(start(flow, count)).values())

    def test_1_the_api_through_nginx(self):
        for suite in ("tests/api/test_api.py",):
            result = subprocess.run([sys.executable, suite], cwd=ROOT, capture_output=True, text=True, check=False,
                                    env={**os.environ, "CAUDAL_AT": str(cluster.port), "CAUDAL_CHECK_ANSWERS": "1"})
            self.assertEqual(result.returncode, 0, result.stderr[-4000:])

    def test_1_the_page_through_nginx(self):
        """Drawn, run and watched in a browser; nodes light up over the WebSocket, whichever worker has them."""
        for suite, pattern in (("watch", "."), ("page", "draw by clicks|what does not fit")):
            result = subprocess.run(["node", "--test", "--test-name-pattern", pattern, f"web/e2e/{suite}.test.mjs"], cwd=ROOT, capture_output=True, text=True,
                                    check=False, env={**os.environ, "CAUDAL_AT": str(cluster.port)})
            self.assertEqual(result.returncode, 0, result.stdout[-4000:] + result.stderr[-1000:])

    def test_2_two_orchestrators_share_the_shards(self):
        def shares():
            return sorted(len(o["shards"]) for o in client.get("/orchestrators").data if o["status"] == "online")
        until("both own some, and all is owned once", lambda: len(shares()) == 2 and sum(shares()) == 16 and shares()[0] > 0)

    def test_3_a_strategy_can_be_changed_while_running(self):
        flow = self.sleepy("evenly", 1)
        for strategy in ("least_busy", "weighted", "round_robin"):
            answer = client.call("PUT", "/settings", {"loadBalanceStrategy": strategy})
            self.assertEqual((answer.status, answer.data["loadBalanceStrategy"]), (200, strategy))
            until("both use it", lambda s=strategy: {o["strategy"] for o in client.get("/orchestrators").data if o["status"] == "online"} == {s})
            got = self.handed_out(flow, 40)
            # Each of the two orchestrators takes turns by itself: they may be at different places of theirs.
            self.assertEqual(sum(got.values()), 40, got)
            if strategy != "least_busy":
                self.assertLessEqual(max(got.values()) - min(got.values()), 2, (strategy, got))

    def test_3_what_one_gateway_is_told_the_other_knows(self):
        here, there = (self.at(cluster.parts[name].port) for name in ("gateway0", "gateway1"))
        for i in range(20):
            path = f"told-{i}"
            flow = here.flow(path, [node("hook", "webhook-trigger", {"path": path, "responseMode": "lastNode"})], [], active=True)
            self.assertEqual(there.post(f"/webhooks/{path}", {"n": i}).status, 200)
            self.assertIn(path, [hook["path"] for hook in there.call("GET", "/api/v1/webhooks").data])
            self.assertEqual(there.get(f"/flows/{flow['id']}").data["status"], "active")
            rival = there.flow("rival of " + path, [node("hook", "webhook-trigger", {"path": path})], [])
            self.assertEqual(there.call("PUT", f"/flows/{rival['id']}", {"status": "active"}).status, 409)
            here, there = there, here
        self.assertEqual(there.post("/webhooks/told-nobody", {}).status, 404)

    def test_3_who_watches_is_told_when_nodes_begin_and_end(self):
        socket = Client(cluster.port)
        flow = self.sleepy("watched", 1500)
        execution, = start(flow, 1)
        socket.send({"type": "subscribe", "channel": "execution", "executionId": execution})
        told = socket.until(lambda m: m["status"] != "running")
        states = [m["nodes"] for m in told if "nodes" in m]
        self.assertTrue(any(nodes.get("wait") == "waiting" for nodes in states), told)
        self.assertEqual(told[-1]["status"], "success", told)
        socket.close()

    def test_3_gateways_tell_each_other_what_they_have_run(self):
        here, there = (self.at(cluster.parts[name].port) for name in ("gateway0", "gateway1"))
        here.flow("told", [node("hook", "webhook-trigger", {"path": "counted-here", "responseMode": "lastNode"})], [], active=True)

        def counted(gateway):
            return sum(point["success"] for point in gateway.get("/monitoring/timeline?minutes=60").data["points"])
        before = [counted(gateway) for gateway in (here, there)]
        for _ in range(20):
            self.assertEqual(here.post("/webhooks/counted-here", {}).status, 200)
        for gateway, former in zip((here, there), before):
            until("what one gateway has run is in the other's figures", lambda g=gateway, f=former: counted(g) - f >= 20)

    @staticmethod
    def at(port):
        one = support.Caudal()
        one.port = port
        return one

    def survive(self, name, how):
        flow = self.sleepy("survives " + name, 1500)
        ids = start(flow, 30)
        cluster.kill(name, how)
        ids += start(flow, 20)
        details = ended(ids)
        self.assertEqual(collections.Counter(d["status"] for d in details.values()), {"success": 50})
        cluster.restart(name)
        cluster.wait_for_workers(2)

    def test_4_a_worker_dies(self):
        self.survive("worker0", signal.SIGKILL)

    def test_5_an_orchestrator_dies(self):
        self.survive("orchestrator0", signal.SIGKILL)

    def test_6_a_gateway_dies(self):
        self.survive("gateway0", signal.SIGKILL)

    def test_7_redis_dies(self):
        self.survive("redis", signal.SIGKILL)

    def test_8_postgresql_starts_again(self):
        flow = self.sleepy("outlives the database", 1500)
        ids = start(flow, 30)
        cluster.kill("postgres", signal.SIGINT)
        cluster.restart("postgres")
        until("the API answers", lambda: client.get("/flows").status == 200)
        details = ended(ids + start(flow, 10))
        self.assertEqual(collections.Counter(d["status"] for d in details.values()), {"success": 40})

    def test_9_a_worker_is_drained_by_the_api(self):
        cluster.start_service("worker", 9)
        cluster.wait_for_workers(3)
        flow = self.sleepy("drained", 1000)
        ids = start(flow, 30)
        self.assertEqual(client.post("/workers/worker9/drain").status, 202)
        self.assertEqual(cluster.parts["worker9"].process.wait(timeout=PATIENCE), 0)
        details = ended(ids)
        self.assertEqual(collections.Counter(d["status"] for d in details.values()), {"success": 30})
        for detail in details.values():  # it ended, parked or refused what it had (unknown to the ledger): no step ended twice
            for entry in detail["nodeExecutions"]:
                states = collections.Counter(a["status"] for a in entry["attempts"])
                self.assertEqual(states["success"], 1, entry)
                self.assertLessEqual(set(states), {"success", "waiting", "unknown"}, entry)
        self.assertEqual(client.post("/workers/nobody/drain").status, 404)


if __name__ == "__main__":
    unittest.main(failfast="CAUDAL_FAILFAST" in os.environ)
