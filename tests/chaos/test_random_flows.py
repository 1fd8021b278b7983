#!/usr/bin/env python3
"""Random flows do what was computed beforehand when nothing is at fault, and the proxy does to connections what it says."""
import os
import random
import socket
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import history as h  # noqa: E402
import random_flows  # noqa: E402
from proxy import Proxy  # noqa: E402
from support.caudal import Caudal  # noqa: E402


class Flows(unittest.TestCase):
    maxDiff = None

    def test_counters_are_as_computed(self):
        caudal = Caudal()
        server = random_flows.Server(caudal)
        dice = random.Random(9)
        types = set()
        url = f"http://127.0.0.1:{server.server_port}"
        history = {"accepted": {}, "starts": {}, "seen": [], "details": {}, "schedules": []}
        for n in range(40):
            drawn = random_flows.draw(dice, f"random {n}", url, webhook=n % 5 == 0)
            random_flows.make(caudal, drawn)
            execution = caudal.post("/webhooks/" + drawn["path"], {}).data["executionId"] if drawn["path"] else caudal.run(drawn)
            history["accepted"][execution] = random_flows.expected(drawn)
            types |= {node["type"] for node in drawn["nodes"]}
        for execution in history["accepted"]:
            history["details"][execution] = caudal.wait(execution, 120)
        random_flows.adopt(history, lambda parent: random_flows.ended_children(lambda path: caudal.get(path).data, parent))
        history["calls"] = dict(server.calls.counts)
        history["bodies"] = dict(server.calls.bodies)
        self.assertEqual({name: found for name, found in h.check(history).items() if found}, {})
        self.assertGreater(len(history["calls"]), 100)
        self.assertGreater(len(history["children"]), 10)
        self.assertGreaterEqual(types, {"for-each", "sub-flow", "wait", "merge", "if", "stop-with-error"})
        caudal.stop()
        server.shutdown()
        server.server_close()


class Proxies(unittest.TestCase):
    def setUp(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.echo, daemon=True).start()
        self.proxy = Proxy(self.server.getsockname()[1])

    def tearDown(self):
        self.proxy.close()
        self.server.close()

    def echo(self):
        def one(peer):
            with peer:
                try:
                    while piece := peer.recv(4096):
                        peer.sendall(piece)
                except OSError:
                    pass
        while True:
            try:
                peer, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(peer,), daemon=True).start()

    def client(self):
        return socket.create_connection(("127.0.0.1", self.proxy.port), timeout=30)

    def says(self, client, text):
        client.sendall(text)
        return client.recv(100)

    def test_what_is_open_passes(self):
        with self.client() as client:
            self.assertEqual(self.says(client, b"hello"), b"hello")
            self.proxy.slow(0.01)
            self.assertEqual(self.says(client, b"slowly"), b"slowly")

    def test_a_cut_resets_and_refuses_until_it_is_healed(self):
        with self.client() as client:
            self.assertEqual(self.says(client, b"hello"), b"hello")
            self.proxy.cut()
            with self.assertRaises(OSError):
                if client.recv(1) == b"":
                    raise ConnectionResetError
        with self.assertRaises(OSError), self.client() as client:
            if self.says(client, b"x") == b"":
                raise ConnectionResetError
        self.proxy.heal()
        with self.client() as client:
            self.assertEqual(self.says(client, b"again"), b"again")

    def test_what_hangs_says_nothing_and_goes_on_later(self):
        with self.client() as client:
            self.assertEqual(self.says(client, b"hello"), b"hello")
            self.proxy.hang()
            client.sendall(b"kept")
            client.settimeout(0.2)
            with self.assertRaises(TimeoutError):
                client.recv(100)
            self.proxy.heal()
            client.settimeout(30)
            self.assertEqual(client.recv(100), b"kept")


if __name__ == "__main__":
    unittest.main()
