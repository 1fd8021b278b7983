#!/usr/bin/env python3
"""The distributed system over real servers (tests/support/cluster.py): the API's tests through nginx, that the death of
any one process of ours loses nothing, what each strategy hands to whom, and workers that are full, leave, or read from
a replica."""
import collections
import concurrent.futures
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
from support.cluster import Cluster, free_ports, PATIENCE, ROOT, until  # noqa: E402
from support.gate import Gate  # noqa: E402
from support.tap import Tap  # noqa: E402

HELD_MS = 600000  # how long a call may be held; no test waits for its end


class Ear(Tap):
    """Keeps what was told of work that came back."""

    def __init__(self, cluster):
        self.returned = []
        super().__init__(cluster)

    def check(self, name, key, message):
        if name == "returned":
            self.returned.append(message)
        super().check(name, key, message)


def setUpModule():
    global cluster, client, tap, gate, replica_port
    gate = Gate()
    replica_port, = free_ports(1)
    cluster = Cluster(environment={"COMMAND_NODE_ENABLED": "true"})
    # Both servers of the database, of which one is started later.
    cluster.adapt = lambda name: {"DATABASE_URL": f"postgresql://caudal@127.0.0.1:{cluster.postgres_port},127.0.0.1:{replica_port}/postgres"}
    cluster.up()
    tap = Ear(cluster)
    support.AT = str(cluster.port)
    client = support.Caudal()


def tearDownModule():
    gate.close()
    bad = tap.stop()  # every message that was on the wire
    missing = {"work", "returned", "events", "control", "worker", "orchestrator", "gateway", "live"} - set(tap.seen)
    bad += [f"no message was seen: {missing}"] if missing else []
    bad += cluster.down(remove=True)
    client.stop()
    if bad:
        raise AssertionError("\n".join(bad))


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

    def test_1_the_api_through_nginx(self):
        for suite in ("tests/api/test_api.py",):
            result = subprocess.run([sys.executable, suite], cwd=ROOT, capture_output=True, text=True, check=False,
                                    env={**os.environ, "CAUDAL_AT": str(cluster.port), "CAUDAL_CHECK_ANSWERS": "1"})
            self.assertEqual(result.returncode, 0, result.stderr[-4000:])

    def test_1_the_page_through_nginx(self):
        """Drawn, run, watched and operated in a browser; nodes light up over the WebSocket, whichever worker has them."""
        for suite, pattern in (("watch", "."), ("page", "draw by clicks|what does not fit"),
                               ("executions", r"the list follows.*\(en|is paused, resumed and cancelled \(es"), ("operate", r"strategy is changed.*\(en|webhook is listed.*\(es")):
            self.browse(suite, pattern)

    def browse(self, suite, pattern="."):
        result = subprocess.run(["node", "--test", "--test-name-pattern", pattern, f"web/e2e/{suite}.test.mjs"], cwd=ROOT, capture_output=True, text=True,
                                check=False, env={**os.environ, "CAUDAL_AT": str(cluster.port)})
        self.assertEqual(result.returncode, 0, result.stdout[-4000:] + result.stderr[-1000:])

    def test_2_two_orchestrators_share_the_shards(self):
        def shares():
            return sorted(len(o["shards"]) for o in client.get("/orchestrators").data if o["status"] == "online")
        until("each owns half of them", lambda: shares() == [1, 1])

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
        until("it is not listed any more", lambda: client.get("/workers/worker9").status == 404)
        self.assertEqual(client.post("/workers/nobody/drain").status, 404)

    def test_9_workers_are_drained_on_the_page(self):
        names = ("worker7", "worker8")  # one for each language
        for name in names:
            cluster.start_service("worker", int(name[-1]))
        cluster.wait_for_workers(4)
        self.browse("distributed/drain")
        for name in names:
            self.assertEqual(cluster.parts.pop(name).process.wait(timeout=PATIENCE), 0)


def held_flow(name):
    """Runs until the gate lets it go."""
    nodes = [node("1", "manual-trigger"), node("call", "http-request", {"url": gate.url(name), "timeout": HELD_MS}), node("2", "set-fields", {"fields": [{"field": "done", "value": True}]})]
    return client.flow(name, nodes, chain("1", "call", "2"))


def start_held(flow, name, count):
    """So many at once, from several clients; all of them are on workers when this returns."""
    before = gate.count(name)
    with concurrent.futures.ThreadPoolExecutor(6) as clients:
        ids = list(clients.map(lambda _: client.run(flow), range(count)))
    gate.await_arrivals(name, before + count)
    return ids


def leave(name, code=0):
    """SIGTERM, and gone from the cluster's list."""
    assert cluster.kill(name, signal.SIGTERM) == code, cluster.log_text(name)[-2000:]


class Placement(unittest.TestCase):
    """One orchestrator and three workers, of 20, 40 and 60 places, so that everything has one exact answer."""
    PLACES = {"worker5": 20, "worker6": 40, "worker7": 60}

    @classmethod
    def setUpClass(cls):
        for name in ("worker0", "worker1", "orchestrator1"):
            leave(name)
        for name, places in cls.PLACES.items():
            cluster.start_service("worker", int(name[-1]), MAX_CONCURRENT_FLOWS=str(places))
        cluster.wait_for_workers(3)

    @classmethod
    def tearDownClass(cls):
        for name in cls.PLACES:
            leave(name)
            cluster.parts.pop(name)
        for name in ("orchestrator1", "worker0", "worker1"):
            cluster.restart(name)
        cluster.wait_for_workers(2)
        assert client.call("PUT", "/settings", {"loadBalanceStrategy": "round_robin"}).status == 200

    def switch(self, strategy):
        answer = client.call("PUT", "/settings", {"loadBalanceStrategy": strategy})
        self.assertEqual((answer.status, answer.data["loadBalanceStrategy"]), (200, strategy))
        until("it is used", lambda: {o["strategy"] for o in client.get("/orchestrators").data if o["status"] == "online"} == {strategy})

    def places_of(self, ids):
        def told():
            return [client.get(f"/scheduler/executions/{i}").data["workerId"] for i in ids]
        until("all have started", lambda: None not in told())
        return dict(collections.Counter(told()))

    def test_1_each_strategy_switched_under_load(self):
        """Nothing ends meanwhile: each strategy decides on top of all that the others have handed out."""
        flow = held_flow("placed")
        wanted = {"least_busy": {"worker5": 5, "worker6": 10, "worker7": 15}, "weighted": {"worker5": 5, "worker6": 10, "worker7": 15},
                  "round_robin": {"worker5": 10, "worker6": 10, "worker7": 10}}
        ids = []
        for strategy, shares in wanted.items():
            self.switch(strategy)
            mine = start_held(flow, "placed", 30)
            self.assertEqual(self.places_of(mine), shares, strategy)
            ids += mine
        self.assertEqual(self.places_of(ids), {"worker5": 20, "worker6": 30, "worker7": 40})
        type(self).held = ids

    def test_2_what_is_urgent_goes_first(self):
        """All places are taken; each that is given back goes to the most urgent that waits, the oldest first."""
        fill = start_held(held_flow("filling"), "filling", 30)
        names = ("prio-low", "prio-normal", "prio-high")
        flows = {name: held_flow(name) for name in names}
        waiting = [client.run(flows[name], priority=name[5:]) for _ in range(8) for name in names]
        until("they wait", lambda: client.get("/health").json["work"]["waiting"] >= len(waiting))
        before = len(gate.arrived)
        for n in range(len(waiting)):
            gate.let_one_go()
            until("the next one runs", lambda n=n: len(gate.arrived) > before + n)
        self.assertEqual(gate.arrived[before:], ["prio-high"] * 8 + ["prio-normal"] * 8 + ["prio-low"] * 8)
        for name in ("placed", "filling", *names):
            gate.open(name)
        statuses = collections.Counter(d["status"] for d in ended(self.held + fill + waiting).values())
        self.assertEqual(statuses, {"success": 90 + 30 + 24})

    def test_3_a_worker_that_leaves_hands_back_what_is_left(self):
        self.switch("round_robin")
        cluster.start_service("worker", 8, DRAIN_TIMEOUT_MS="300")
        cluster.wait_for_workers(4)
        ids = start_held(held_flow("handed-back"), "handed-back", 12)
        delayed = start(client.flow("delayed", [node("1", "manual-trigger"), node("d", "delay", {"durationMs": 4000}), node("2", "log", {"message": "on"})],
                                    chain("1", "d", "2")), 12)
        here = self.places_of(ids)["worker8"]
        self.assertEqual(here, 3)
        del tap.returned[:]
        leave("worker8")
        gate.await_arrivals("handed-back", 12 + here)  # others have them now
        self.assertNotIn("worker8", self.places_of(ids))
        gate.open("handed-back")
        for detail in ended(ids + delayed).values():
            self.assertEqual(detail["status"], "success")
            self.assertNotEqual(detail["workerId"], "worker8")
        told = [message for message in tap.returned if any(item["id"] in ids for item in message["work"])]
        self.assertEqual({message["reason"] for message in told}, {"rejected"})  # which does not count as a lost worker
        cluster.parts.pop("worker8")

    def test_4_a_worker_near_its_memory_limit_takes_nothing(self):
        """Its command holds the memory; others have no such limit."""
        self.switch("round_robin")
        cluster.start_service("worker", 9, MEMORY_LIMIT_MB="300")
        cluster.wait_for_workers(4)

        def is_full():
            return next(w for w in client.get("/workers").data if w["id"] == "worker9")["full"]
        self.assertFalse(is_full())
        code = f"import urllib.request; kept = b'x' * (280 << 20); urllib.request.urlopen('{gate.url('memory')}').read()"
        flow = client.flow("heavy", [node("1", "manual-trigger"), node("2", "command", {"command": [sys.executable, "-c", code], "timeout": HELD_MS})], chain("1", "2"))
        ids = start_held(flow, "memory", 4)
        self.assertEqual(self.places_of(ids)["worker9"], 1)
        until("it is full", is_full)
        light = client.flow("light", [node("1", "manual-trigger"), node("d", "delay", {"durationMs": 1}), node("2", "log", {"message": "x"})], chain("1", "d", "2"))
        self.assertNotIn("worker9", self.places_of(list(ended(start(light, 40)))))
        gate.open("memory")
        self.assertEqual({d["status"] for d in ended(ids).values()}, {"success"})
        until("it has room again", lambda: not is_full())
        self.assertIn("worker9", self.places_of(list(ended(start(light, 40)))))
        self.assertEqual(cluster.parts["worker9"].process.poll(), None)
        leave("worker9")
        cluster.parts.pop("worker9")


class Replica(unittest.TestCase):
    def test_a_worker_at_a_replica_waits_for_what_has_not_come_yet(self):
        cluster.start_replica(replica_port)
        for name in ("worker0", "worker1"):
            leave(name)
        cluster.start_service("worker", 4, DATABASE_URL=cluster.database_url(replica_port))
        cluster.wait_for_workers(1)
        nodes = [node("1", "manual-trigger"), node("d", "delay", {"durationMs": 1}), node("2", "set-fields", {"fields": [{"field": "version", "value": 1}]})]
        flow = client.flow("read at the replica", nodes, chain("1", "d", "2"))
        self.assertEqual({d["workerId"] for d in ended(start(flow, 5)).values()}, {"worker4"})
        cluster.sql("SELECT pg_wal_replay_pause()", replica_port)
        until("it is behind", lambda: cluster.sql("SELECT pg_get_wal_replay_pause_state()", replica_port) == "paused")
        nodes[2]["config"]["fields"][0]["value"] = 2
        self.assertEqual(client.call("PUT", f"/flows/{flow['id']}", {"nodes": nodes}).status, 200)
        ids = start(flow, 5) + start(client.flow("not there yet", nodes, chain("1", "d", "2")), 5)

        def refused():
            return {item["id"] for message in tap.returned for item in message["work"] if message["reason"] == "rejected"}
        until("all have been given back", lambda: refused() >= set(ids))
        self.assertEqual({client.get(f"/scheduler/executions/{i}").data["status"] for i in ids}, {"pending"})
        cluster.sql("SELECT pg_wal_replay_resume()", replica_port)
        for detail in ended(ids).values():
            self.assertEqual((detail["status"], detail["workerId"], detail["result"]["output"]["version"]), ("success", "worker4", 2), detail)
        leave("worker4")
        cluster.parts.pop("worker4")
        for name in ("worker0", "worker1"):
            cluster.restart(name)
        cluster.wait_for_workers(2)


class Sessions(unittest.TestCase):
    """Two gateways with logins: what is so at one of them is so at the other at once, with Redis and without."""
    PASSWORD = "correct horse battery"

    @classmethod
    def setUpClass(cls):
        for index in (5, 6):
            cluster.start_service("gateway", index, JWT_SECRET="the same at both " + "x" * 32, ADMIN_PASSWORD=cls.PASSWORD, API_RATE_LIMIT="30")
        cls.here, cls.there = (Distributed.at(cluster.parts[name].port) for name in ("gateway5", "gateway6"))

    @classmethod
    def tearDownClass(cls):
        for name in ("gateway5", "gateway6"):
            leave(name)
            cluster.parts.pop(name)

    @staticmethod
    def as_user(gateway, method, path, token, body=None):
        return gateway.call(method, path, body, headers={"Authorization": "Bearer " + token})

    def login(self, gateway, name="admin"):
        answer = gateway.post("/auth/login", {"username": name, "password": self.PASSWORD})
        self.assertEqual(answer.status, 200, answer.text)
        return answer.data

    def status(self, gateway, token):
        return self.as_user(gateway, "GET", "/flows", token).status

    def shared(self, name):
        admin = self.login(self.here)["accessToken"]
        made = self.as_user(self.here, "POST", "/users", admin, {"username": name, "password": self.PASSWORD, "role": "editor"})
        self.assertEqual(made.status, 201, made.text)
        tokens = self.login(self.there, name)
        self.assertEqual((self.status(self.here, tokens["accessToken"]), self.status(self.there, tokens["accessToken"])), (200, 200))
        again = self.here.post("/auth/refresh", {"refreshToken": tokens["refreshToken"]})
        self.assertEqual(again.status, 200, again.text)
        token = again.data["accessToken"]
        self.assertEqual(self.status(self.there, token), 200)
        key = self.as_user(self.there, "POST", "/api-keys", token, {"name": "k"}).data
        self.assertEqual((self.status(self.here, key["key"]), self.status(self.there, key["key"])), (200, 200))
        self.assertEqual(self.as_user(self.here, "DELETE", "/api-keys/" + key["id"], token).status, 204)
        self.assertEqual((self.status(self.here, key["key"]), self.status(self.there, key["key"])), (401, 401))
        self.assertEqual(self.as_user(self.here, "PUT", "/users/" + made.data["id"], admin, {"role": "viewer"}).status, 200)
        self.assertEqual(self.as_user(self.there, "POST", "/flows", token, {"name": "no", "nodes": [], "connections": []}).status, 403)
        self.assertEqual(self.as_user(self.here, "POST", "/auth/logout", token).status, 204)
        self.assertEqual((self.status(self.here, token), self.status(self.there, token)), (401, 401))
        self.assertEqual(self.there.post("/auth/refresh", {"refreshToken": again.data["refreshToken"]}).status, 401)

    def test_1_with_redis(self):
        self.shared("editor-with")

    def test_2_a_limit_is_one_for_both(self):
        answers = []
        while not answers or answers[-1] != 429:
            for gateway in (self.here, self.there):
                answers.append(gateway.call("GET", "/flows", headers={"X-Forwarded-For": "192.0.2.7"}).status)
            self.assertLess(len(answers), 60)
        self.assertLessEqual(len(answers), 32)
        self.assertEqual(set(answers), {401, 429})

    def test_3_without_redis(self):
        cluster.kill("redis")
        self.addCleanup(cluster.restart, "redis")
        self.shared("editor-without")


class Takeover(unittest.TestCase):
    def test_the_replica_becomes_the_database(self):
        """The last test: the former server does not come back. Commits wait for the replica, so none is lost."""
        cluster.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
        cluster.sql("SELECT pg_reload_conf()")
        until("commits wait for the replica", lambda: cluster.sql("SELECT sync_state FROM pg_stat_replication") == "sync")
        flow = held_flow("taken-over")
        ids = start_held(flow, "taken-over", 20)
        cluster.kill("postgres", signal.SIGQUIT)
        cluster.parts.pop("postgres")
        self.assertEqual(cluster.sql("SELECT pg_promote()", replica_port), "t")
        cluster.postgres_port = replica_port
        gate.open("taken-over")
        until("the API answers", lambda: client.get("/flows").status == 200)
        statuses = collections.Counter(detail["status"] for detail in ended(ids + start(flow, 10)).values())
        self.assertEqual(statuses, {"success": 30})


if __name__ == "__main__":
    unittest.main(failfast="CAUDAL_FAILFAST" in os.environ)
