#!/usr/bin/env python3
"""Planted secrets in the distributed system over real servers: they work on a worker that reads them from PostgreSQL, a
change holds at once, keys are changed while flows run, and no message, row, cache entry, log or answer contains one."""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ.setdefault("CAUDAL_CHECK_ANSWERS", "0")
from api.test_websocket import Client  # noqa: E402
from support import caudal as support  # noqa: E402
from support import planted  # noqa: E402
from support.caudal import node  # noqa: E402
from support.cluster import Cluster, PATIENCE, POSTGRES  # noqa: E402
from support.tap import Tap  # noqa: E402

KEY, NEW_KEY = "first key of the cluster " + "k" * 20, "second key of the cluster " + "n" * 20


class Ear(Tap):
    """Keeps all that it reads, properties included."""

    def __init__(self, cluster):
        self.heard = []
        super().__init__(cluster)

    def _on_message(self, channel, method, properties, body):
        self.heard.append(repr(properties).encode() + body)
        super()._on_message(channel, method, properties, body)


def setUpModule():
    global cluster, client, echo, tap
    echo = planted.start_echo()
    cluster = Cluster(gateways=1, orchestrators=1, workers=1, environment={"SECRETS_KEY": f"{NEW_KEY},{KEY}", "LOG_LEVEL": "debug"}).up()
    try:
        tap = Ear(cluster)
        support.AT = str(cluster.port)
        client = support.Caudal()
    except BaseException:
        cluster.down()
        raise


def tearDownModule():
    support.AT = str(cluster.port)
    bad = cluster.down(remove=True)
    client.stop()
    echo.shutdown()
    echo.server_close()
    if bad:
        raise AssertionError("\n".join(bad))


class Planted(unittest.TestCase):
    def node_of(self, execution, name):
        return next(entry for entry in execution["nodeExecutions"] if entry["nodeId"] == name)

    def clean(self, what, content):
        content = content.encode() if isinstance(content, str) else content
        self.assertEqual(planted.found_in(content), [], f"{what}: {content[:2000]!r}")
        for document in planted.unpacked(content):
            self.assertEqual(planted.found_in(document), [], f"{what}, unpacked: {document[:2000]!r}")

    def test_it_works_and_is_nowhere(self):
        self.plant()
        self.assertEqual(client.call("PUT", "/variables/REGION", {"value": "eu-1"}).status, 200)
        socket = Client(cluster.parts["gateway0"].port)
        socket.send({"type": "subscribe", "channel": "executions"})
        socket.sync()

        flow = client.flow("planted", *planted.nodes_of(echo.server_port))
        execution = client.wait(client.run(flow), PATIENCE)
        self.assertEqual(execution["status"], "failed")
        self.assertEqual(self.node_of(execution, "code")["output"]["output"]["length"], len(planted.SECRETS["TOKEN"]), self.node_of(execution, "code"))
        self.assertEqual(self.node_of(execution, "each")["output"]["results"], [{"output": "••••"}, {"output": "eu-1"}])
        seen = {entry["path"].split("?")[0]: entry for entry in planted.Echo.received}
        self.assertEqual(seen["/echo"]["headers"]["X-Key"], planted.SECRETS["TOKEN"])

        client.flow("planted hook", *planted.hook_nodes("planted"), active=True)
        answer = client.post("/webhooks/planted", {})
        self.assertEqual((answer.status, answer.json), (200, {"output": {"token": "••••", "region": "eu-1"}, "count": 1}))

        self.keys_change()

        events = str(socket.sync())
        socket.close()
        self.assertIn(execution["id"], events)
        self.clean("live events", events)
        paths = [f"/scheduler/executions/{execution['id']}", f"/scheduler/executions/{execution['id']}/logs", "/scheduler/executions", "/secrets", "/audit?limit=100", "/flows",
                 "/dead-letters", "/workers"]
        for path in paths:
            answer = client.get(path)
            self.assertEqual(answer.status, 200, path)
            self.clean(path, answer.text)
        self.search_messages()
        self.search_stores()
        self.search_files()

    def plant(self):
        """At a gateway that still seals under the former key."""
        cluster.start_service("gateway", 9, SECRETS_KEY=f"{KEY},{NEW_KEY}")
        support.AT, former = str(cluster.parts["gateway9"].port), support.AT
        gateway = support.Caudal()
        for name, value in planted.SECRETS.items():
            self.assertEqual(gateway.call("PUT", f"/secrets/{name}", {"value": value}).status, 200)
        gateway.stop()
        support.AT = former
        self.assertEqual({(row["readable"], row["current"]) for row in client.get("/secrets").data}, {(True, False)})

    def keys_change(self):
        for resealed in (len(planted.SECRETS), 0):
            answer = client.post("/secrets/rotate").data
            self.assertEqual(answer, {"done": True, "total": len(planted.SECRETS), "resealed": resealed, "remaining": 0, "unreadableCount": 0, "unreadable": []})
        self.assertEqual({(row["readable"], row["current"]) for row in client.get("/secrets").data}, {(True, True)})
        nodes = [node("1", "manual-trigger", {"output": [1]}), node("2", "set-fields", {"data": {}, "fields": [
            {"field": "same", "value": "{{ secrets.TOKEN === 'changed value of it' }}"}]})]
        flow = client.flow("changes", nodes, [])
        self.assertEqual(client.call("PUT", f"/flows/{flow['id']}/secrets/TOKEN", {"value": "changed value of it"}).status, 200)
        execution = client.wait(client.run(flow), PATIENCE)
        self.assertEqual(self.node_of(execution, "2")["output"]["output"], {"same": True})

    def search_messages(self):
        tap.stop()  # whether they are well formed is the business of test_distributed.py
        self.assertIsNone(tap.failure)
        messages = tap.heard
        self.assertTrue(any(b"documentPacked" in message for message in messages), len(messages))
        self.assertTrue(any(b"\"work\"" in message for message in messages))
        for message in messages:
            self.clean("a message", message)

    def search_stores(self):
        dump = subprocess.run([POSTGRES + "pg_dump", "-d", cluster.database_url()], check=True, capture_output=True, cwd="/").stdout
        self.assertIn(b"\"sealed\"", dump.replace(b" ", b""))
        self.clean("the database", dump)
        documents = cluster.sql("SELECT encode(document, 'hex') FROM node_executions WHERE document IS NOT NULL").split()
        self.assertGreater(len(documents), 1)
        for document in documents:
            self.assertEqual(planted.found_in(planted.unpack(bytes.fromhex(document))), [])  # the dump has it in hexadecimal
        for key in subprocess.run(["redis-cli", "-p", str(cluster.redis_port), "--scan"], check=True, capture_output=True, text=True).stdout.split():
            self.clean(key, key + subprocess.run(["redis-cli", "-p", str(cluster.redis_port), "dump", key], check=True, capture_output=True, text=True).stdout)

    def search_files(self):
        searched = 0
        for folder, _, names in os.walk(cluster.folder):
            for name in names:
                path = os.path.join(folder, name)
                if not os.path.isfile(path):
                    continue
                with open(path, "rb") as file:
                    self.assertEqual(planted.found_in(file.read()), [], path)
                searched += 1
        self.assertGreater(searched, 10)


if __name__ == "__main__":
    unittest.main()
