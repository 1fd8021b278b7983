#!/usr/bin/env python3
"""Three nodes of RabbitMQ below the services: nodes that die under load, alarms of disk and memory, messages and work
that nobody can handle, answers that are lost on the way, and live events across gateways. All over real servers."""
import collections
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ.setdefault("CAUDAL_CHECK_ANSWERS", "0")
from api.test_websocket import Client  # noqa: E402
from chaos.proxy import Proxy  # noqa: E402
from support import caudal as support  # noqa: E402
from support.caudal import chain, node  # noqa: E402
from support.cluster import answers, Cluster, PATIENCE, POSTGRES, until  # noqa: E402
from support.gate import Gate  # noqa: E402
from support.tap import pika  # noqa: E402

HELD_MS = 600000  # how long a call may be held; no test waits for its end
LOSSES = 3


def setUpModule():
    global cluster, client, gate, proxies
    gate = Gate()
    proxies = []
    cluster = Cluster(rabbits=3, environment={"EVENT_SHARDS": "4", "MAX_WORKER_LOSSES": str(LOSSES), "COMMAND_NODE_ENABLED": "true"})

    def adapt(name):  # what one gateway has of the broker can be cut
        if name != "gateway1":
            return {}
        proxies.extend(Proxy(port) for port, _ in cluster.rabbit_ports)
        return {"RABBITMQ_URL": ",".join(f"amqp://guest:guest@127.0.0.1:{proxy.port}/" for proxy in proxies)}
    cluster.adapt = adapt
    cluster.up()
    support.AT = str(cluster.port)
    client = support.Caudal()


def tearDownModule():
    gate.close()
    bad = cluster.down(remove=True)
    client.stop()
    for proxy in proxies:
        proxy.close()
    if bad:
        raise AssertionError("\n".join(bad))


def at(name):
    """A client of that gateway alone."""
    one = support.Caudal()
    one.port = cluster.parts[name].port
    return one


class Later:
    """A call on a thread of its own."""

    def __init__(self, work, *arguments, **named):
        self.answer = self.failure = None

        def run():
            try:
                self.answer = work(*arguments, **named)
            except BaseException as error:
                self.failure = error
        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()

    def get(self):
        self.thread.join(PATIENCE)
        if self.failure is not None:
            raise self.failure
        assert not self.thread.is_alive(), "no answer"
        return self.answer


def hook_flow(name, *after, **more):
    """A webhook that answers with the result; the call of the gate `name` comes first."""
    nodes = [node("hook", "webhook-trigger", {"path": name, "responseMode": "lastNode"}), node("call", "http-request", {"url": gate.url(name), "timeout": HELD_MS}), *after]
    return client.flow(name, nodes, chain(*[n["id"] for n in nodes]), active=True, **more)


class LostReplies(unittest.TestCase):
    """The word that an execution has ended is lost; its caller gets what the store knows."""

    def assert_same(self, got, wanted):
        self.assertEqual((got.status, got.text, got.headers.get("content-type"), got.headers.get("x-own")),
                         (wanted.status, wanted.text, wanted.headers.get("content-type"), wanted.headers.get("x-own")))

    def test_the_gateway_has_no_broker(self):
        hook_flow("reply-plain", node("set", "set-fields", {"fields": [{"field": "done", "value": True}]}))
        hook_flow("reply-own", node("answer", "respond", {"statusCode": 201, "headers": {"X-Own": "yes"}}))
        hook_flow("reply-failed", node("stop", "stop-with-error", {"message": "on purpose"}))
        hook_flow("reply-kept-nowhere", settings={"history": "none"})
        names = ("reply-plain", "reply-own", "reply-failed", "reply-kept-nowhere")
        there, here = at("gateway0"), at("gateway1")
        told = {name: Later(there.post, "/webhooks/" + name, {}) for name in names}
        lost = {name: Later(here.post, "/webhooks/" + name, {}) for name in names}
        for name in names:
            gate.await_arrivals(name, 2)
        for proxy in proxies:
            proxy.cut()
        self.addCleanup(lambda: [proxy.heal() for proxy in proxies])
        for name in names:
            gate.open(name)
        told = {name: later.get() for name, later in told.items()}
        lost = {name: later.get() for name, later in lost.items()}
        self.assertEqual([told[name].status for name in names], [200, 201, 422, 200])
        self.assertEqual((told["reply-own"].text, told["reply-own"].headers["x-own"]), (b'{"let":true}', "yes"))
        for name in names[:2]:
            self.assert_same(lost[name], told[name])
        for answer in (told["reply-failed"], lost["reply-failed"]):
            self.assertEqual((answer.status, answer.json["code"]), (422, "UNPROCESSABLE_ENTITY"), answer.text)
            self.assertIn("on purpose", answer.json["message"])
        gone = lost["reply-kept-nowhere"]
        self.assertEqual((gone.status, gone.data["status"]), (202, "discarded"))
        self.assertEqual(client.get("/scheduler/executions/" + gone.data["executionId"]).status, 404)

    def test_the_orchestrator_dies_between_commit_and_reply(self):
        """The commit of the end waits for a lock until its orchestrator is dead."""
        hook_flow("reply-orphaned", node("set", "set-fields", {"fields": [{"field": "done", "value": True}]}))
        cluster.sql("CREATE FUNCTION wait_to_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.status > 2 THEN"
                    " PERFORM pg_advisory_xact_lock_shared(140); END IF; RETURN NULL; END $$;"
                    "CREATE CONSTRAINT TRIGGER wait_to_commit AFTER UPDATE ON executions DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
                    " EXECUTE FUNCTION wait_to_commit()")
        holder = subprocess.Popen([POSTGRES + "psql", "-XAtq", "-d", cluster.database_url()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/")
        try:
            holder.stdin.write("SELECT pg_advisory_lock(140);\nSELECT 'held';\n")
            holder.stdin.flush()
            while "held" not in holder.stdout.readline():
                self.assertIsNone(holder.poll())
            answer = Later(at("gateway0").post, "/webhooks/reply-orphaned", {})
            gate.await_arrivals("reply-orphaned", 1)
            gate.open("reply-orphaned")
            until("the commit waits", lambda: cluster.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == "1")
            for name in ("orchestrator0", "orchestrator1"):
                cluster.kill(name)
        finally:
            holder.communicate()
        got = answer.get()  # nobody is there who could tell of it
        self.assertEqual((got.status, got.json["output"]["done"]), (200, True), got.text)
        cluster.sql("DROP FUNCTION wait_to_commit CASCADE")
        for name in ("orchestrator0", "orchestrator1"):
            cluster.restart(name)
        cluster.wait_for_workers(2)
        detail = client.get("/scheduler/executions/" + got.headers["x-execution-id"]).data
        self.assertEqual((detail["status"], detail["epoch"]), ("success", 1))


class LiveEvents(unittest.TestCase):
    def test_subscribers_of_any_gateway_see_what_any_worker_does(self):
        ports = {"gateway0": cluster.parts["gateway0"].port, "gateway1": cluster.parts["gateway1"].port, "nginx": cluster.port}
        sockets = {name: Client(port) for name, port in ports.items()}
        for socket_ in sockets.values():
            socket_.send({"type": "subscribe", "channel": "executions"})
            socket_.sync()
        flow = client.flow("watched", [node("1", "manual-trigger"), node("d", "delay", {"durationMs": 1}), node("2", "log", {"message": "seen"})], chain("1", "d", "2"))
        ids = []
        for _ in range(4):
            ids += [at(name).run(flow) for name in ("gateway0", "gateway1")]
        for name, socket_ in sockets.items():
            ended = set()
            while ended < set(ids):
                message = socket_.receive()
                told = message.get("data", message)
                if told.get("executionId") in ids and told.get("status") == "success":
                    ended.add(told["executionId"])
            socket_.close()
        self.assertEqual({client.wait(i)["workerId"] for i in ids}, {"worker0", "worker1"})


class Nodes(unittest.TestCase):
    """Nodes of the broker die one after the other, under load."""

    def setUp(self):
        self.flow = client.flow("under load " + self.id(), [node("1", "manual-trigger"), node("d", "delay", {"durationMs": 300}), node("2", "log", {"message": "x"})],
                                chain("1", "d", "2"))
        self.ids, self.refused, self.over = [], [], threading.Event()

    def load(self):
        while not self.over.is_set():
            answer = client.post(f"/flows/{self.flow['id']}/run", {})
            if answer.status == 201:
                self.ids.append(answer.data["executionId"])
            else:  # not accepted, so nothing is owed
                self.refused.append((answer.status, answer.text))
            time.sleep(0.01)

    def accepted(self, count):
        wanted = len(self.ids) + count
        until(f"{count} more accepted, besides {self.refused[-3:]}", lambda: len(self.ids) >= wanted)

    def test_one_node_dies_and_then_another(self):
        load = Later(self.load)
        self.addCleanup(self.over.set)
        for name in ("rabbit1", "rabbit0"):
            self.accepted(30)
            cluster.kill(name)
            self.accepted(60)
            cluster.restart(name)
            until("every queue has all of its members again", lambda: self.members() == {3})
        self.accepted(30)
        self.over.set()
        load.get()
        statuses = collections.Counter(client.wait(i, PATIENCE)["status"] for i in self.ids)
        self.assertEqual(statuses, {"success": len(self.ids)})
        self.assertTrue(all(status in (502, 503, 504) for status, _ in self.refused), self.refused[:3])
        for kind in ("gateway", "orchestrator", "worker"):
            for name in cluster.names(kind):
                until(name + " is ready", lambda name=name: cluster.is_ready(cluster.parts[name].port))

    @staticmethod
    def members():
        listed = json.loads(cluster.rabbitmqctl("list_queues", "name", "type", "online", "--formatter", "json", node=2))
        return {len(queue["online"]) for queue in listed if queue["type"] in ("quorum", "rabbit_quorum_queue") and ".flow.worker." not in queue["name"]}

    def test_services_come_back_with_growing_pauses(self):
        """Attempts follow each other no faster than the pauses allow, however fast the machine is."""
        times = []
        with socket.create_server(("127.0.0.1", 0)) as listener:
            part = cluster.service("orchestrator", 9, RABBITMQ_URL=f"amqp://guest:guest@127.0.0.1:{listener.getsockname()[1]}/")
            cluster._start(part)
            listener.settimeout(PATIENCE)
            while len(times) < 12:
                listener.accept()[0].close()
                times.append(time.monotonic())
        cluster.parts.pop("orchestrator9")
        part.process.send_signal(signal.SIGTERM)
        self.assertEqual(part.process.wait(timeout=PATIENCE), 0)
        # Two connections: six attempts of one come after pauses of at least 50, 100, 200, 400 and 800 ms.
        self.assertGreater(times[-1] - times[0], 1.5)


class Alarms(unittest.TestCase):
    """The broker takes nothing: new executions are refused in plain words, those that run go on afterwards."""

    def refuse(self, name, raise_alarm, clear):
        nodes = [node("1", "manual-trigger"), node("call", "http-request", {"url": gate.url(name), "timeout": HELD_MS}), node("d", "delay", {"durationMs": 1}), node("2", "log", {"message": "on"})]
        flow = client.flow(name, nodes, chain("1", "call", "d", "2"))
        hook_flow(name + "-hook")
        ids = [client.run(flow) for _ in range(10)]
        gate.await_arrivals(name, 10)
        refusals = {}
        raise_alarm()
        try:
            gate.open(name)  # what ran wants to tell of it now

            def refused():
                for gateway in ("gateway0", "gateway1"):
                    answer = at(gateway).post(f"/flows/{flow['id']}/run", {})
                    if answer.status == 201:  # it has not heard of the alarm: accepted is accepted
                        ids.append(answer.data["executionId"])
                    else:
                        refusals[gateway] = answer
                return len(refusals) == 2
            until("both gateways refuse", refused)
            refusals["hook"] = at("gateway0").post(f"/webhooks/{name}-hook", {})
        finally:
            clear()
        for answer in refusals.values():
            self.assertEqual((answer.status, answer.json["code"]), (503, "BROKER_UNAVAILABLE"), answer.text)
            self.assertGreaterEqual(int(answer.headers["retry-after"]), 1)
            self.assertIn("disk or memory", answer.json["message"])
        statuses = collections.Counter(client.wait(i, PATIENCE)["status"] for i in ids)
        self.assertEqual(statuses, {"success": len(ids)})
        until("submissions are taken again", lambda: at("gateway0").post(f"/flows/{flow['id']}/run", {}).status == 201)
        until("by the other one, too", lambda: at("gateway1").post(f"/flows/{flow['id']}/run", {}).status == 201)

    def test_the_disk_of_a_node_is_full(self):
        self.refuse("full-disk", lambda: cluster.rabbitmqctl("set_disk_free_limit", "100000GB", node=1), lambda: cluster.rabbitmqctl("set_disk_free_limit", "1MB", node=1))

    def test_the_memory_of_a_node_is_full(self):
        self.refuse("full-memory", lambda: cluster.rabbitmqctl("set_vm_memory_high_watermark", "0.00001", node=2),
                    lambda: cluster.rabbitmqctl("set_vm_memory_high_watermark", "0.4", node=2))


class Poison(unittest.TestCase):
    @staticmethod
    def open_letters():
        return client.get("/dead-letters?status=open&limit=100").data["data"]

    @staticmethod
    def publish(queue, body):
        connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", cluster.rabbit_ports[0][0]))
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("", "flow_orchestration." + queue, body, pika.BasicProperties(delivery_mode=2), mandatory=True)
        connection.close()

    def test_what_nobody_can_read(self):
        bodies = {"flow.submit.3": b"\x00\xffnot JSON", "flow.events.1": b'{"v":1,"events":"none"}', "flow.worker.worker0": b"[1, 2", "flow.reassign": b'{"v":9}'}
        for queue, body in bodies.items():
            self.publish(queue, body)
        until("a letter for each", lambda: len(self.open_letters()) >= len(bodies))
        letters = {letter["queue"]: letter for letter in self.open_letters()}
        self.assertEqual(len(self.open_letters()), len(bodies), letters)
        for letter in letters.values():
            self.assertTrue(letter["reason"], letter)
            self.assertEqual(client.get("/dead-letters/" + letter["id"]).data["payload"], letter["payload"])
        first = letters["flow.submit.3"]
        again = client.post(f"/dead-letters/{first['id']}/retry")
        self.assertEqual((again.status, again.data["status"]), (202, "retried"))
        self.assertEqual(client.post(f"/dead-letters/{first['id']}/retry").status, 409)
        until("it is no better", lambda: len(self.open_letters()) == len(bodies))
        for letter in self.open_letters():
            done = client.post(f"/dead-letters/{letter['id']}/discard")
            self.assertEqual((done.status, done.data["status"]), (200, "discarded"))
        self.assertEqual(self.open_letters(), [])
        flow = client.flow("after the garbage", [node("1", "manual-trigger"), node("d", "delay", {"durationMs": 1})], chain("1", "d"))
        for i in [client.run(flow) for _ in range(10)]:
            self.assertEqual(client.wait(i, PATIENCE)["status"], "success")

    def test_the_page_shows_letters(self):
        steps = [node("1", "manual-trigger"), node("stop", "stop-with-error", {"message": "x"})]
        flow = client.flow("given up", steps, chain("1", "stop"))
        for shard in range(2):  # one of each for each language
            execution = client.run(flow)
            self.assertEqual(client.wait(execution, PATIENCE)["status"], "failed")
            letter = {"id": f"lost-{shard}", "status": "open", "createdAt": "2026-01-01T00:00:00.000Z", "executionId": execution, "payload": "{}", "payloadEncoding": "text",
                      "reason": "Its worker was lost 3 times in a row while it ran (MAX_WORKER_LOSSES)."}  # as test_work_that_kills_its_worker gets one
            cluster.sql(f"INSERT INTO dead_letters(id, status, at_ms, document) VALUES ('{letter['id']}', 'open', 1767225600000, '{json.dumps(letter)}')")
            self.publish(f"flow.submit.{shard}", b"[1, 2")
            self.publish(f"flow.events.{shard}", b'{"v":1,"events":"nothing that is an event"}')
        steps[1] = node("stop", "log", {"message": "mended"})
        self.assertEqual(client.call("PUT", f"/flows/{flow['id']}", {"nodes": steps}).status, 200)
        until("a letter for each", lambda: len(self.open_letters()) == 6)
        result = subprocess.run(["node", "--test", "web/e2e/distributed/dead-letters.test.mjs"], cwd=support.ROOT, capture_output=True, text=True, check=False,
                                env={**os.environ, "CAUDAL_AT": str(cluster.port)})
        self.assertEqual(result.returncode, 0, result.stdout[-4000:] + result.stderr[-1000:])
        until("what was sent again is no better", lambda: len(self.open_letters()) == 2)
        for letter in self.open_letters():
            self.assertTrue(letter["queue"].startswith("flow.submit."), letter)
            self.assertEqual(client.post(f"/dead-letters/{letter['id']}/discard").status, 200)

    def test_work_that_kills_its_worker(self):
        code = f"import os, urllib.request; urllib.request.urlopen('{gate.url('poison')}').read(); os.kill(os.getppid(), 9)"
        nodes = [node("1", "manual-trigger"), node("kept", "http-request", {"url": gate.url("kept")}), node("kill", "command", {"command": [sys.executable, "-c", code]})]
        flow = client.flow("poison", nodes, chain("1", "kept", "kill"))
        gate.open("kept")
        execution = client.run(flow)
        killed = 0

        def states():
            return {n["nodeId"]: n["status"] for n in client.get(f"/scheduler/executions/{execution}").data["nodeExecutions"]}
        until("the call before it is kept", lambda: states().get("kept") == "success")
        gate.open("poison")

        def restart(name):
            try:
                cluster.restart(name)
            except RuntimeError:  # the work was there before anybody saw that it is ready
                if cluster.parts[name].process.poll() != -signal.SIGKILL:
                    raise

        def ended():
            nonlocal killed
            for name in ("worker0", "worker1"):
                if cluster.parts[name].process.poll() is not None:
                    killed += 1
                    restart(name)
            return client.get(f"/scheduler/executions/{execution}").data["status"] in support.FINAL
        until("it is given up", ended)
        ended()  # the last one may have died since
        cluster.wait_for_workers(2)
        self.assertEqual(killed, LOSSES)
        detail = client.get(f"/scheduler/executions/{execution}").data
        self.assertEqual((detail["status"], detail["errorCode"]), ("failed", "WORKER_LOST"))
        letter, = self.open_letters()
        self.assertEqual(letter["executionId"], execution)
        self.assertIn("worker", letter["reason"])
        nodes[2]["config"]["command"] = ["/bin/true"]
        self.assertEqual(client.call("PUT", f"/flows/{flow['id']}", {"nodes": nodes}).status, 200)
        retried = client.post(f"/dead-letters/{letter['id']}/retry")
        self.assertEqual((retried.status, retried.data["status"]), (202, "retried"), retried.text)
        self.assertEqual(client.wait(retried.data["retriedAs"], PATIENCE)["status"], "success")
        self.assertEqual(gate.count("kept"), 1)  # it went on from what was kept
        self.assertEqual(self.open_letters(), [])


if __name__ == "__main__":
    unittest.main(failfast="CAUDAL_FAILFAST" in os.environ)
