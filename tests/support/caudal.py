"""Starts the program for tests: own ports, own data directory, stopped and checked at the end. Standard library only."""
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

from .openapi import document_of

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("CAUDAL", os.path.join(ROOT, "build/dev/caudal"))
CHECKED = os.environ.get("CAUDAL_CHECK_ANSWERS") != "0"  # against the OpenAPI document; benchmarks do without
FINAL = ("success", "failed", "cancelled", "timeout")


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {k.lower(): v for k, v in response.getheaders()}
        self.text = response.read()

    @property
    def json(self):
        return json.loads(self.text)

    @property
    def data(self):
        return self.json["data"]


AT = os.environ.get("CAUDAL_AT")  # the port of an installation that is up: the tests of the API go there instead


class Caudal:
    """One `caudal standalone`; kill() is SIGKILL, stop() is SIGTERM and checks the exit. With CAUDAL_AT it is what
    listens there, which is neither started nor stopped."""

    def __init__(self, directory=None, **environment):
        self.directory = directory or tempfile.mkdtemp(prefix="caudal-test-")
        self.environment = environment
        self.process = None
        self.port = None
        self.start()

    def start(self):
        if AT:
            self.port = int(AT)
            return
        env = {"PATH": os.environ["PATH"], "DATA_DIR": self.directory, "PORT": "0", "WS_PORT": "0", "METRICS_PORT": "0", "LOG_LEVEL": "warn",
               "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", ""), "UBSAN_OPTIONS": "print_stacktrace=1", **self.environment}
        self.log = open(os.path.join(self.directory, "log"), "ab")
        self.process = subprocess.Popen([PROGRAM, "standalone"], env=env, stdout=subprocess.PIPE, stderr=self.log, cwd=ROOT)
        line = self.process.stdout.readline().decode()
        found = re.search(r"http://[^ ]*:(\d+)", line)
        if not found:
            self.process.wait()
            self.process.stdout.close()
            self.log.close()
            raise RuntimeError("caudal did not start: " + self.log_text()[-3000:])
        self.port = int(found.group(1))

    def log_text(self):
        with open(os.path.join(self.directory, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self.log.close()

    def stop(self, remove=True):
        if AT:
            shutil.rmtree(self.directory)
            return
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        self.process.stdout.close()
        self.log.close()
        text = self.log_text()
        assert code == 0, f"exit code {code}\n{text[-5000:]}"
        assert "ERROR: " not in text and "runtime error" not in text, text[-5000:]
        if remove:
            shutil.rmtree(self.directory)

    def call(self, method, path, body=None, headers=None, raw=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=40)
        headers = dict(headers or {})
        payload = raw
        if raw is None:
            headers.setdefault("Content-Type", "application/json")
            payload = None if body is None else json.dumps(body).encode()
        if not path.startswith(("/api/", "/webhooks", "/metrics", "/wait/")) and path not in ("/", "/ws"):
            path = "/api/v1" + path
        connection.request(method, path, payload, headers)
        try:
            answer = Answer(connection.getresponse())
        finally:
            connection.close()
        if CHECKED:
            document_of(PROGRAM).check(method, path, answer)
        return answer

    def get(self, path):
        return self.call("GET", path)

    def post(self, path, body=None, **more):
        return self.call("POST", path, body, **more)

    def wait(self, execution, timeout=30):
        """The execution, once it is final. Polling: the condition decides, not the time."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            detail = self.get(f"/scheduler/executions/{execution}").data
            if detail["status"] in FINAL:
                return detail
            time.sleep(0.02)
        raise AssertionError(f"execution {execution} is still {detail['status']}")

    def wait_until(self, execution, status, timeout=30):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            detail = self.get(f"/scheduler/executions/{execution}").data
            if detail["status"] == status:
                return detail
            time.sleep(0.02)
        raise AssertionError(f"execution {execution} is {detail['status']}, not {status}")

    def flow(self, name, nodes, connections, active=False, **more):
        answer = self.post("/flows", {"name": name, "nodes": nodes, "connections": connections, **more})
        assert answer.status == 201, answer.text
        flow = answer.data
        if active:
            assert self.call("PUT", f"/flows/{flow['id']}", {"status": "active"}).status == 200
        return flow

    def run(self, flow, **body):
        answer = self.post(f"/flows/{flow['id']}/run", body)
        assert answer.status == 201, answer.text
        return answer.data["executionId"]


def node(id, type, config=None, x=0, y=0):
    return {"id": id, "type": type, "version": "1.0.0", "config": config or {}, "position": {"x": x, "y": y}}


def link(source, target, output="output", input="input"):
    return {"fromNodeId": source, "fromOutput": output, "toNodeId": target, "toInput": input}


def chain(*ids):
    return [link(a, b) for a, b in zip(ids, ids[1:])]
