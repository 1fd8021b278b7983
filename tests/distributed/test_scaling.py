#!/usr/bin/env python3
"""Auto-scaling over the real servers: from two workers to ten and back under load, by the leading orchestrator alone."""
import http.server
import json
import os
import shutil
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ.setdefault("CAUDAL_CHECK_ANSWERS", "0")
from support import caudal as support  # noqa: E402
from support.caudal import chain, node  # noqa: E402
from support.cluster import Cluster, is_alive  # noqa: E402

PATIENCE = 180  # seconds; only a defect waits so long
SCALING = {"AUTO_SCALING_ENABLED": "true", "AUTO_SCALING_DRIVER": "process", "MIN_WORKERS": "2", "MAX_WORKERS": "10",
           "AUTO_SCALING_COOLDOWN_MS": "1500", "QUEUE_LOW_WATER_MARK": "5", "MAX_CONCURRENT_FLOWS": "4"}


class Scaling(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(gateways=1, orchestrators=2, workers=0, environment=SCALING)
        self.addCleanup(self.take_down)
        self.pids = {}
        self.cluster.up()
        support.AT = str(self.cluster.port)
        self.client = support.Caudal()

    def take_down(self):
        """The workers are processes of their own: they end as they do when somebody stops them."""
        for name in self.cluster.names("orchestrator"):  # whoever might start another one
            if self.cluster.parts[name].process.poll() is None:
                self.cluster.kill(name)
        for pid in self.pids.values():
            if is_alive(pid):
                os.kill(pid, signal.SIGTERM)
        end = time.monotonic() + PATIENCE
        while any(is_alive(pid) for pid in self.pids.values()) and time.monotonic() < end:
            time.sleep(0.1)
        left = [pid for pid in self.pids.values() if is_alive(pid)]
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        bad = [complaint for complaint in self.cluster.down() if not complaint.startswith("orchestrator")]
        self.client.stop()
        self.assertEqual((left, bad), ([], []))
        self.cluster.remove()

    def online(self):
        workers = self.client.get("/workers").data
        self.pids.update({w["id"]: w["pid"] for w in workers})
        self.assertTrue(all(w["scaled"] for w in workers))
        found = [w["id"] for w in workers if w["status"] == "online"]
        self.assertLessEqual(len(found), 10)
        return found

    def scaling(self):
        return self.client.get("/settings").data["autoScaling"]

    def until(self, what, condition):
        end = time.monotonic() + PATIENCE
        began = time.monotonic()
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"still not: {what}: {self.scaling()} {self.online()}")
            time.sleep(0.1)
        print(f"{what}: {time.monotonic() - began:.1f} s", flush=True)

    def test_two_ten_two(self):
        self.until("two workers, the minimum", lambda: len(self.online()) == 2)
        self.until("two wanted", lambda: self.scaling()["target"] == 2)  # not known while the lead goes from one to the other
        told = self.scaling()
        self.assertEqual({k: told[k] for k in ("enabled", "min", "max", "driver", "error")},
                         {"enabled": True, "min": 2, "max": 10, "driver": "process", "error": None})
        flow = self.client.flow("slow", [node("1", "manual-trigger"), node("d", "delay", {"durationMs": 2500})], chain("1", "d"))
        ids = [self.client.run(flow) for _ in range(150)]
        self.until("the decision for more", lambda: (self.scaling()["target"] or 0) > 2)
        self.assertIn(self.scaling()["reason"], ("utilisation", "queue"))

        def ten():
            if self.client.get("/health").json["work"]["waiting"] < 60:
                ids.extend(self.client.run(flow) for _ in range(20))  # the load lasts until they are there
            return len(self.online()) == 10
        self.until("ten workers", ten)
        leader = next(o["id"] for o in self.client.get("/orchestrators").data if o["status"] == "online" and 0 in o["shards"])
        self.cluster.kill(leader)  # the other one leads from now on
        for execution in ids:
            self.assertEqual(self.client.wait(execution, PATIENCE)["status"], "success")
        self.until("two workers again", lambda: len(self.online()) == 2)
        self.assertEqual(self.scaling()["reason"], "idle")
        self.until("those that left have ended", lambda: sum(is_alive(pid) for pid in self.pids.values()) == 2)

        change = self.client.call("PUT", "/settings", {"autoScaling": {"min": 3}})
        self.assertEqual((change.status, change.data["autoScaling"]["min"], change.data["autoScaling"]["max"]), (200, 3, 10))
        self.until("three workers, the new minimum", lambda: len(self.online()) == 3)
        refused = self.client.call("PUT", "/settings", {"autoScaling": {"max": 2}})
        self.assertEqual((refused.status, refused.json["details"]["field"] if "details" in refused.json else refused.json), (400, "autoScaling.max"))


class Api(http.server.BaseHTTPRequestHandler):
    """As much of the Docker Engine's and of Kubernetes' API as the drivers use; what was asked is kept."""
    protocol_version = "HTTP/1.1"
    TEMPLATE = {"Id": "abc", "Config": {"Image": "caudal:1", "Cmd": ["worker"], "Env": ["WORKER_ID=template", "RABBITMQ_URL=amqp://broker"], "Hostname": "abc"},
                "HostConfig": {"NetworkMode": "caudal_default", "Memory": 1 << 30, "RestartPolicy": {"Name": "always"}}}

    def answer(self):
        size = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(size)) if size else None
        self.server.asked.append((self.command, self.path, body, dict(self.headers)))
        status, reply = 200, {}
        if self.path.endswith("/json"):
            reply = self.TEMPLATE
        elif self.command == "POST":
            status = 201 if "/create" in self.path else 204
        if self.server.broken:
            status, reply = 500, {"message": "out of order"}
        text = b"" if status == 204 else json.dumps(reply).encode()
        self.send_response(status)
        if text:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PATCH = answer

    def address_string(self):
        return "local"

    def log_message(self, *_):
        pass


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class Drivers(unittest.TestCase):
    """One orchestrator after the other, each with another driver; MIN_WORKERS makes it act at once."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="caudal-drivers-")
        cls.docker = cls.serve(UnixServer(os.path.join(cls.folder, "docker.sock"), Api))
        cls.kubernetes = cls.serve(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api))
        for name, text in (("token", "secret-token\n"), ("namespace", "flows"), ("ca.crt", "")):
            with open(os.path.join(cls.folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        cls.cluster = Cluster(gateways=1, orchestrators=1, workers=0, environment={"MIN_WORKERS": "2", "AUTO_SCALING_ENABLED": "true"}).up()
        support.AT = str(cls.cluster.port)
        cls.client = support.Caudal()
        cls.cluster.kill("orchestrator0")
        cls.count = 0

    @staticmethod
    def serve(server):
        server.asked, server.broken = [], False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    @classmethod
    def tearDownClass(cls):
        bad = cls.cluster.down(remove=True)
        cls.client.stop()
        for server in (cls.docker, cls.kubernetes):
            server.shutdown()
            server.server_close()
        shutil.rmtree(cls.folder)
        assert not [complaint for complaint in bad if not complaint.startswith("orchestrator0")], bad

    def orchestrator(self, **environment):
        type(self).count += 1
        name = f"orchestrator{self.count}"
        self.cluster.start_service("orchestrator", self.count, **environment)

        def stop():
            self.assertEqual(self.cluster.kill(name, signal.SIGTERM), 0)
        self.addCleanup(stop)

    def until(self, condition):
        end = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end, (self.docker.asked, self.kubernetes.asked, self.client.get("/settings").data))
            time.sleep(0.1)

    def test_docker(self):
        self.docker.broken = True
        self.orchestrator(AUTO_SCALING_DRIVER="docker", AUTO_SCALING_DOCKER_SOCKET=os.path.join(self.folder, "docker.sock"), AUTO_SCALING_DOCKER_TEMPLATE="pool-worker-1")
        self.until(lambda: "out of order" in (self.client.get("/settings").data["autoScaling"]["error"] or ""))
        self.docker.broken = False
        self.docker.asked.clear()
        self.until(lambda: len(self.docker.asked) >= 5)
        asked = self.docker.asked[:5]
        self.assertEqual(asked[0][:2], ("GET", "/v1.41/containers/pool-worker-1/json"))
        for create, start in (asked[1:3], asked[3:5]):
            name = create[1].split("=")[1]
            self.assertRegex(name, "^caudal-auto-[0-9a-f]+$")
            self.assertEqual(start[:2], ("POST", f"/v1.41/containers/{name}/start"))
            made = create[2]
            self.assertEqual((made["Image"], made["Cmd"], made["HostConfig"]), ("caudal:1", ["worker"], {"NetworkMode": "caudal_default", "Memory": 1 << 30, "AutoRemove": True}))
            self.assertEqual(made["Env"], ["RABBITMQ_URL=amqp://broker", "WORKER_ID=" + name[len("caudal-"):]])

    def test_kubernetes(self):
        self.orchestrator(AUTO_SCALING_DRIVER="kubernetes", AUTO_SCALING_KUBERNETES_URL=f"http://127.0.0.1:{self.kubernetes.server_port}",
                          AUTO_SCALING_KUBERNETES_ACCOUNT=self.folder, AUTO_SCALING_KUBERNETES_DEPLOYMENT="caudal-worker")
        self.until(lambda: self.kubernetes.asked)
        method, path, body, headers = self.kubernetes.asked[0]
        self.assertEqual((method, path, body), ("PATCH", "/apis/apps/v1/namespaces/flows/deployments/caudal-worker/scale", {"spec": {"replicas": 2}}))
        self.assertEqual((headers["Authorization"], headers["Content-Type"]), ("Bearer secret-token", "application/merge-patch+json"))

    def test_command(self):
        path = os.path.join(self.folder, "told")
        self.orchestrator(AUTO_SCALING_DRIVER="command", AUTO_SCALING_COMMAND=f"/bin/sh,-c,echo $1 > {path},scale")
        self.until(lambda: os.path.exists(path) and os.path.getsize(path) > 0)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "2\n")

    def test_what_a_driver_needs_is_asked_for_at_the_start(self):
        for driver, variable in (("docker", "AUTO_SCALING_DOCKER_TEMPLATE"), ("kubernetes", "AUTO_SCALING_KUBERNETES_DEPLOYMENT"), ("command", "AUTO_SCALING_COMMAND")):
            part = self.cluster.service("orchestrator", 90, AUTO_SCALING_DRIVER=driver)
            done = subprocess.run(part.command, env={"PATH": os.environ["PATH"], **part.environment}, capture_output=True, text=True, timeout=PATIENCE, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(variable, done.stderr)


if __name__ == "__main__":
    unittest.main()
