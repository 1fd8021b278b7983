#!/usr/bin/env python3
"""The WebSocket of `caudal standalone` (api-contract 2a), over real sockets with a client of its own.

Prints one line for each check; exits non-zero when one fails. CAUDAL names another program than build/dev/caudal.
"""
import base64
import contextlib
import hashlib
import http.client
import http.server
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CAUDAL = os.environ.get("CAUDAL", os.path.join(ROOT, "build/dev/caudal"))
PATIENCE = 40  # seconds; only a defect waits so long
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
ALLOWED = "https://flows.example"
failures = 0


def check(name, good, detail=""):
    global failures
    if not good:
        failures += 1
    print(("ok      " if good else "FAILED  ") + name + ("" if good or detail == "" else f": {detail}"), flush=True)


class Ended(Exception):
    """The connection ended; code is the Close frame's, None when there was none."""

    def __init__(self, code=None):
        super().__init__(f"ended with {code}")
        self.code = code


class Refused(Exception):
    def __init__(self, status, head, body):
        super().__init__(f"{status} {body[:200]!r}")
        self.status, self.head, self.body = status, head, body


class Client:
    def __init__(self, port, path="/ws", early=b"", receive_buffer=0, **headers):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        lines = {"Host": f"127.0.0.1:{port}", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key}
        lines.update({name.replace("_", "-"): value for name, value in headers.items()})
        head = f"GET {path} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in lines.items() if v is not None) + "\r\n"
        self.socket.sendall(head.encode() + early)
        self.bytes = b""
        while b"\r\n\r\n" not in self.bytes:
            self.more()
        head, self.bytes = self.bytes.split(b"\r\n\r\n", 1)
        self.head = head.decode().split("\r\n")
        status = int(self.head[0].split()[1])
        self.fields = {line.split(": ", 1)[0].lower(): line.split(": ", 1)[1] for line in self.head[1:]}
        if status != 101:
            body = b""
            while len(self.bytes) < int(self.fields.get("content-length", 0)):
                self.more()
            body = self.bytes
            self.socket.close()
            raise Refused(status, self.fields, body)
        wanted = base64.b64encode(hashlib.sha1((lines["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        assert self.fields["sec-websocket-accept"] == wanted, self.head

    def more(self):
        try:
            got = self.socket.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            got = b""
        if got == b"":
            raise Ended()
        self.bytes += got

    def take(self, count):
        while len(self.bytes) < count:
            self.more()
        taken, self.bytes = self.bytes[:count], self.bytes[count:]
        return taken

    @staticmethod
    def frame(opcode, payload, fin=True, mask=True, rsv=0):
        head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
        bit = 0x80 if mask else 0
        if len(payload) < 126:
            head += bytes([bit | len(payload)])
        elif len(payload) < 65536:
            head += bytes([bit | 126]) + struct.pack(">H", len(payload))
        else:
            head += bytes([bit | 127]) + struct.pack(">Q", len(payload))
        if not mask:
            return head + payload
        key = os.urandom(4)
        stream = (key * (len(payload) // 4 + 1))[:len(payload)]
        masked = (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(payload), "big")
        return head + key + masked

    def send_frame(self, opcode, payload, **options):
        self.socket.sendall(self.frame(opcode, payload, **options))

    def send(self, message):
        self.send_frame(TEXT, message.encode() if isinstance(message, str) else json.dumps(message).encode())

    def receive_frame(self):
        first, second = self.take(2)
        assert not second & 0x80, "a server does not mask"
        size = second & 0x7F
        if size == 126:
            size = struct.unpack(">H", self.take(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self.take(8))[0]
        payload = self.take(size)
        if first & 0x0F == CLOSE:
            raise Ended(struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1005)
        return first & 0x0F, payload

    def receive(self):
        while True:
            opcode, payload = self.receive_frame()
            if opcode == TEXT:
                return json.loads(payload)
            if opcode == PING:
                self.send_frame(PONG, payload)

    def until(self, good):
        """Messages up to and with the first that is good."""
        got = []
        while not got or not good(got[-1]):
            got.append(self.receive())
        return got

    def sync(self):
        """What was sent before is understood when this returns; gives what came meanwhile."""
        self.send({"type": "ping"})
        return self.until(lambda m: m["type"] == "pong")[:-1]

    def end(self):
        """How it ends: a Close's code, or None. The rest is read to the end of the connection."""
        code = None
        try:
            while True:
                self.receive_frame()
        except Ended as ended:
            code = ended.code
        try:
            while True:
                self.more()
        except Ended:
            pass
        return code

    def close(self):
        self.socket.close()


class Target(http.server.BaseHTTPRequestHandler):
    """What http-request nodes call. /hold/NAME answers when the test lets it."""

    gates, lock = {}, threading.Lock()

    @classmethod
    def gate(cls, name):
        with cls.lock:
            return cls.gates.setdefault(name, (threading.Event(), threading.Event()))

    def do_GET(self):
        if self.path.startswith("/hold/"):
            arrived, opened = self.gate(self.path[6:])
            arrived.set()
            opened.wait(PATIENCE)
        body = b'{"answer":42}'
        with contextlib.suppress(OSError):  # a cancelled call's connection is gone
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Server:
    def __init__(self, directory, **variables):
        self.port, self.ws_port, metrics = free_ports(3)
        environment = dict(os.environ, DATA_DIR=directory, HOST="127.0.0.1", PORT=str(self.port), WS_PORT=str(self.ws_port), METRICS_PORT=str(metrics),
                           WS_CORS_ORIGINS=ALLOWED, LOG_LEVEL="warn", ASAN_OPTIONS="detect_leaks=1", UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1")
        for name in ("JWT_SECRET", "SECRETS_KEY", "DATABASE_URL", "RABBITMQ_URL", "REDIS_URL"):
            environment.pop(name, None)
        environment.update(variables)
        self.process = subprocess.Popen([CAUDAL, "standalone"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.errors = ""
        for line in self.process.stdout:
            if "is ready" in line:
                break
        else:
            raise SystemExit("the server did not start: " + self.process.stderr.read())
        self.drains = [threading.Thread(target=self.drain, args=(stream,)) for stream in (self.process.stdout, self.process.stderr)]
        for drain in self.drains:
            drain.start()

    def drain(self, stream):
        for line in stream:
            self.errors += line

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE)
        for drain in self.drains:
            drain.join()
        self.process.stdout.close()
        self.process.stderr.close()
        return code

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        if answer.status >= 300:
            raise AssertionError(f"{method} {path}: {answer.status} {text}")
        return json.loads(text)["data"] if text.startswith("{") else text

    def metric(self, name):
        text = self.call("GET", "/metrics")
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))

    def wait_metric(self, name, good):
        """Asks until it is so; what the hub does with a closed socket cannot be seen otherwise."""
        for _ in range(2000):
            value = self.metric(name)
            if good(value):
                return True
        return False

    def make_flow(self, name, target, gates):
        """manual-trigger, then one http-request after the other, each held by its gate."""
        nodes = [{"id": "start", "type": "manual-trigger", "version": "1.0.0", "position": {"x": 0, "y": 0}, "config": {}}]
        connections = []
        for gate in gates:
            nodes.append({"id": gate, "type": "http-request", "version": "1.0.0", "position": {"x": 0, "y": 0},
                          "config": {"url": f"http://127.0.0.1:{target}/hold/{name}-{gate}"}})
            output = "output" if len(nodes) == 2 else "response"
            connections.append({"fromNodeId": nodes[-2]["id"], "fromOutput": output, "toNodeId": gate, "toInput": "body"})
        return self.call("POST", "/api/v1/flows", {"name": name, "nodes": nodes, "connections": connections})["id"]

    def run(self, flow):
        return self.call("POST", f"/api/v1/flows/{flow}/run")["executionId"]


def open_gate(name):
    Target.gate(name)[1].set()


def arrived(name):
    if not Target.gate(name)[0].wait(PATIENCE):
        raise AssertionError(f"{name} was not called")


FIELDS = {"type", "executionId", "status", "progress", "currentNode", "recordsProcessed", "message", "timestamp"}


# ---- the handshake

def refusal(port, **options):
    try:
        Client(port, **options).close()
    except Refused as refused:
        return refused.status
    return 101


def test_handshake(server):
    for name, port in (("PORT", server.port), ("WS_PORT", server.ws_port)):
        client = Client(port)
        check(f"{name} answers the handshake", client.fields.get("upgrade") == "websocket", client.head)
        check(f"{name}: ping gives pong", client.sync() == [])
        client.send_frame(CLOSE, struct.pack(">H", 1000))
        check(f"{name}: a Close is answered with the same code", client.end() == 1000)
        client.close()
    early = Client(server.port, early=Client.frame(TEXT, b'{"type":"ping"}'))
    check("a frame sent with the handshake is understood", early.receive() == {"type": "pong"})
    early.close()
    check("tokens in lists and other cases are understood", refusal(server.port, Connection="keep-alive, UPGRADE", Upgrade="WebSocket") == 101)
    for name, options, status in (
            ("no upgrade at all: 426", {"Upgrade": None, "Connection": None}, 426), ("another version: 426", {"Sec_WebSocket_Version": "8"}, 426),
            ("no version: 426", {"Sec_WebSocket_Version": None}, 426), ("a missing key: 400", {"Sec_WebSocket_Key": None}, 400),
            ("a key of the wrong length: 400", {"Sec_WebSocket_Key": "c2hvcnQ="}, 400), ("a key that is no base64: 400", {"Sec_WebSocket_Key": "*" * 24}, 400)):
        got = refusal(server.ws_port, **options)
        check(name, got == status, got)
    try:
        Client(server.ws_port, Sec_WebSocket_Version="7")
    except Refused as refused:
        check("426 names the version", refused.head.get("sec-websocket-version") == "13", refused.head)
    got = refusal(server.ws_port, path="/api/v1/flows")
    check("WS_PORT serves nothing but /ws", got == 404, got)
    got = refusal(server.port, path="/ws/x")
    check("/ws/x is no WebSocket", got == 404, got)


def test_origins(server):
    for port in (server.port, server.ws_port):
        for origin, status in ((ALLOWED, 101), (f"http://127.0.0.1:{server.port}", 101), ("http://127.0.0.1:5173", 101), ("https://evil.example", 403),
                               ("http://127.0.0.1.evil.example", 403), ("null", 403), (ALLOWED + ".evil.example", 403), ("127.0.0.1", 403), ("", 403)):
            got = refusal(port, Origin=origin)
            check(f"origin {origin or '(empty)'}: {status}", got == status, got)
    check("the same host by name, whatever the port", refusal(server.port, Host="caudal.localhost:3001", Origin="http://caudal.localhost:3002") == 101)
    check("a name of somebody else's DNS", refusal(server.port, Host="caudal.example:3001", Origin="http://caudal.example:3002") == 403)
    check("the same host, IPv6", refusal(server.port, Host="[::1]:3001", Origin="http://[::1]:3002") == 101)
    check("another IPv6 host", refusal(server.port, Host="[::1]:3001", Origin="http://[::2]:3001") == 403)


# ---- events

def test_execution(server, target):
    flow = server.make_flow("watched", target, ["first", "second"])
    everything, one = Client(server.ws_port), Client(server.port)
    everything.send({"type": "subscribe", "channel": "executions"})
    check("subscriptions are not acknowledged", everything.sync() == [])
    execution = server.run(flow)
    arrived("watched-first")
    started = everything.receive()
    check("started: running", (started["status"], started["executionId"], started["message"]) == ("running", execution, "Execution started."), started)
    one.send({"type": "subscribe", "channel": "execution", "executionId": execution.upper()})
    one.send({"type": "subscribe", "channel": "execution", "executionId": execution})
    seen = one.until(lambda m: "nodes" in m)
    check("on subscribing: which nodes run", seen[-1]["nodes"] == {"start": "success", "first": "running"}, seen)
    check("the node that runs, and a message", (seen[-1]["currentNode"], seen[-1]["nodeStatus"], seen[-1]["message"]) == ("first", "running", "Node first started."), seen)
    open_gate("watched-first")
    arrived("watched-second")
    seen += one.until(lambda m: m.get("nodes", {}).get("second") == "running")
    open_gate("watched-second")
    seen += one.until(lambda m: m["status"] != "running")
    ended = [(m["status"], m.get("currentNode")) for m in seen if "nodes" not in m]
    check("each node's end, then the end", ended == [("running", "first"), ("running", "second"), ("success", None)], seen)
    lit = [m["nodes"] for m in seen if "nodes" in m]
    check("each node's beginning, what is told once is not told again", lit[1]["first"] == "success" and all("start" not in nodes for nodes in lit[1:]), lit)
    progress = [m["progress"] for m in seen if "nodes" not in m]
    check("progress rises to 100", progress == sorted(progress) and 0 < progress[0] < 100 and progress[-1] == 100, progress)
    check("exactly the contract's fields", all(FIELDS - {"currentNode"} <= set(m) <= FIELDS and m["type"] == "execution_update" for m in seen if "nodes" not in m), seen)
    check("timestamps are ISO with milliseconds and Z", all(len(m["timestamp"]) == 24 and m["timestamp"].endswith("Z") for m in seen), seen)
    check("records are counted", seen[-1]["recordsProcessed"] > 0, seen[-1])
    check("nothing follows the end", one.sync() == [])
    check("channel executions got the same", everything.sync() == seen)
    everything.send({"type": "subscribe", "channel": "execution", "executionId": execution})
    everything.send({"type": "unsubscribe", "channel": "executions"})
    one.send({"type": "unsubscribe", "channel": "execution", "executionId": execution})
    one.send({"type": "unsubscribe", "channel": "execution", "executionId": execution})
    check("unsubscribing twice is no error", one.sync() == [] and everything.sync() == [])
    one.send({"type": "subscribe", "channel": "executions"})
    one.sync()
    other = server.run(flow)
    end = one.until(lambda m: m["status"] != "running")
    check("another execution reaches only its subscribers", {m["executionId"] for m in end} == {other} and everything.sync() == [], end)
    one.close()
    everything.close()


def test_both_channels(server, target):
    flow = server.make_flow("doubled", target, ["only"])
    client = Client(server.ws_port)
    client.send({"type": "subscribe", "channel": "executions"})
    client.sync()
    execution = server.run(flow)
    arrived("doubled-only")
    client.receive()
    client.send({"type": "subscribe", "channel": "execution", "executionId": execution})
    client.sync()
    open_gate("doubled-only")
    got = client.until(lambda m: m["status"] != "running") + client.sync()
    check("who follows by two channels is told once", [m["status"] for m in got if "nodes" not in m] == ["running", "success"], got)
    client.close()


def test_control(server, target):
    flow = server.make_flow("controlled", target, ["long"])
    client = Client(server.ws_port)
    client.send({"type": "subscribe", "channel": "executions"})
    client.sync()
    execution = server.run(flow)
    arrived("controlled-long")
    client.receive()
    server.call("POST", f"/api/v1/scheduler/executions/{execution}/cancel")
    got = client.receive()
    check("cancelled is told", (got["status"], got["progress"]) == ("cancelled", 100), got)
    check("cancelled carries the contract's fields", set(got) <= FIELDS, got)
    open_gate("controlled-long")
    check("once", client.sync() == [])
    client.close()


def test_failure(server):
    nodes = [{"id": "start", "type": "manual-trigger", "version": "1.0.0", "position": {"x": 0, "y": 0}, "config": {}},
             {"id": "end", "type": "stop-with-error", "version": "1.0.0", "position": {"x": 0, "y": 0}, "config": {"message": "no luck"}}]
    flow = server.call("POST", "/api/v1/flows", {"name": "failing", "nodes": nodes, "connections": [
        {"fromNodeId": "start", "fromOutput": "output", "toNodeId": "end", "toInput": "data"}]})["id"]
    client = Client(server.ws_port)
    client.send({"type": "subscribe", "channel": "executions"})
    client.sync()
    server.run(flow)
    got = client.until(lambda m: m["status"] != "running")
    check("a failure says why", got[-1]["status"] == "failed" and "no luck" in got[-1]["message"] and set(got[-1]) <= FIELDS, got)
    client.close()


def test_webhook(server):
    """A flow of pure nodes runs on the gateway itself, without an orchestrator that would tell."""
    nodes = [{"id": "start", "type": "webhook-trigger", "version": "1.0.0", "position": {"x": 0, "y": 0}, "config": {"path": "told"}},
             {"id": "answer", "type": "respond", "version": "1.0.0", "position": {"x": 0, "y": 0}, "config": {"body": "yes"}}]
    flow = server.call("POST", "/api/v1/flows", {"name": "told", "nodes": nodes, "connections": [
        {"fromNodeId": "start", "fromOutput": "body", "toNodeId": "answer", "toInput": "data"}]})["id"]
    server.call("PUT", f"/api/v1/flows/{flow}", {"status": "active"})
    client = Client(server.ws_port)
    client.send({"type": "subscribe", "channel": "executions"})
    client.sync()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    connection.request("POST", "/webhooks/told", '{"a":1}', {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text, execution = answer.read(), answer.getheader("X-Execution-Id")
    connection.close()
    got = client.until(lambda m: m["status"] != "running")[-1]
    check("a webhook's execution is told", (got["executionId"], got["status"], got["progress"]) == (execution, "success", 100), (got, text))
    client.close()


def test_system(server):
    client = Client(server.port)
    client.send({"type": "subscribe", "channel": "system"})
    first = client.receive()
    expected = {"type", "waiting", "active", "completed", "failed", "delayed", "paused"}
    check("job_stats with exactly its fields", first["type"] == "job_stats" and set(first) == expected, first)
    stats = server.call("GET", "/api/v1/scheduler/jobs/stats")
    check("job_stats are those of jobs/stats", {name: first[name] for name in stats} == stats, (first, stats))
    check("and again, later", client.receive()["type"] == "job_stats")
    client.send({"type": "unsubscribe", "channel": "system"})
    client.sync()
    client.close()


# ---- what is not as it should be

def test_garbage(server):
    client = Client(server.ws_port)
    for text, field in (("nonsense", None), ("[1]", None), ("null", None), ("{}", "type"), ('{"type":"dance"}', "type"), ('{"type":7}', "type"),
                        ('{"type":"subscribe"}', "channel"), ('{"type":"subscribe","channel":"weather"}', "channel"),
                        ('{"type":"subscribe","channel":"execution"}', "executionId"), ('{"type":"subscribe","channel":"execution","executionId":"x"}', "executionId"),
                        ('{"type":"unsubscribe","channel":"execution","executionId":{}}', "executionId"), ("[" * 30000, None), ("", None)):
        client.send(text)
        got = client.receive()
        check(f"{text[:60] or '(empty)'} is answered with an error", got["type"] == "error" and got["code"] == "VALIDATION_ERROR" and got["message"] and
              got.get("field") == field, got)
    check("and the connection stays", client.sync() == [])
    for i in range(101):
        client.send({"type": "subscribe", "channel": "execution", "executionId": "00000000-0000-4000-8000-%012x" % i})
    got = client.sync()
    check("the 101st subscription is refused", len(got) == 1 and got[0]["code"] == "LIMIT_EXCEEDED", got)
    client.send({"type": "unsubscribe", "channel": "execution", "executionId": "00000000-0000-4000-8000-%012x" % 5})
    client.send({"type": "subscribe", "channel": "execution", "executionId": "00000000-0000-4000-8000-%012x" % 100})
    check("one fewer makes room", client.sync() == [])
    client.close()


def test_frames(server):
    client = Client(server.ws_port)
    message = b'{"type":"ping"}'
    client.send_frame(TEXT, message[:3], fin=False)
    client.send_frame(0, message[3:7], fin=False)
    client.send_frame(PING, b"between")
    client.send_frame(0, message[7:])
    opcode, payload = client.receive_frame()
    check("a ping between fragments is answered at once", (opcode, payload) == (PONG, b"between"), (opcode, payload))
    check("fragments make one message", client.receive() == {"type": "pong"})
    for byte in Client.frame(TEXT, message):
        client.socket.sendall(bytes([byte]))
    check("a message byte by byte", client.receive() == {"type": "pong"})
    client.socket.sendall(b"".join(Client.frame(TEXT, message) for _ in range(50)))
    check("many messages at once", [client.receive() for _ in range(50)] == [{"type": "pong"}] * 50)
    client.send(json.dumps({"type": "ping", "padding": "x" * 65000}))
    check("a message just below the limit", client.receive() == {"type": "pong"})
    client.close()
    for name, bytes_, code in (
            ("an unmasked frame", Client.frame(TEXT, message, mask=False), 1002), ("a reserved bit", Client.frame(TEXT, message, rsv=4), 1002),
            ("an unknown opcode", Client.frame(3, message), 1002), ("a continuation of nothing", Client.frame(0, message), 1002),
            ("a fragmented ping", Client.frame(PING, b"x", fin=False), 1002), ("a ping of 126 bytes", Client.frame(PING, b"x" * 126), 1002),
            ("a message within a message", Client.frame(TEXT, b"{", fin=False) + Client.frame(TEXT, b"}"), 1002),
            ("a Close of one byte", Client.frame(CLOSE, b"x"), 1002), ("a Close with a code nobody may send", Client.frame(CLOSE, struct.pack(">H", 1006)), 1002),
            ("binary data", Client.frame(BINARY, message), 1003), ("text that is no UTF-8", Client.frame(TEXT, b'{"type":"\xff"}'), 1007),
            ("a frame of 70,000 bytes", Client.frame(TEXT, b" " * 70000), 1009), ("a frame that says 2^62 bytes", b"\x81\xff" + struct.pack(">Q", 1 << 62) + b"abcdabcd", 1009),
            ("fragments of 70,000 bytes", b"".join(Client.frame(TEXT if i == 0 else 0, b" " * 10000, fin=i == 6) for i in range(7)), 1009),
            ("HTTP instead of frames", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 1002)):
        client = Client(server.ws_port)
        client.socket.sendall(bytes_)
        got = client.end()
        check(f"{name}: closed with {code}", got == code, got)
        client.close()


def test_abrupt(server):
    for linger in (False, True):  # FIN, then RST
        for part in (b"", b"\x81", Client.frame(TEXT, b'{"type":"ping"}')[:9], Client.frame(TEXT, b'{"type":"subscribe","channel":"executions"}')):
            client = Client(server.ws_port)
            client.socket.sendall(part)
            if linger:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
    check("who leaves without a word is forgotten", server.wait_metric("caudal_ws_connections ", lambda n: n == 0))


def test_many(server, target):
    flow = server.make_flow("crowd", target, ["only"])
    clients = [Client(server.ws_port if i % 2 else server.port) for i in range(200)]
    for client in clients:
        client.send({"type": "subscribe", "channel": "executions"})
    for client in clients:
        client.sync()
    check("200 connections are counted", server.metric("caudal_ws_connections ") == 200)
    execution = server.run(flow)
    open_gate("crowd-only")
    ends = [client.until(lambda m: m["status"] != "running")[-1] for client in clients]
    check("each is told", all(m["executionId"] == execution and m["status"] == "success" for m in ends))
    for client in clients:
        client.close()
    check("and none is left", server.wait_metric("caudal_ws_connections ", lambda n: n == 0))


def test_slow(server, target):
    """One asks and asks and does not read: it is dropped, and nobody else notices."""
    flow = server.make_flow("beside", target, ["only"])
    slow, other = Client(server.ws_port, receive_buffer=4096), Client(server.ws_port)
    slow.send({"type": "subscribe", "channel": "executions"})
    other.send({"type": "subscribe", "channel": "executions"})
    other.sync()
    before = server.metric('caudal_ws_dropped_total{reason="slow"}')
    slow.socket.setblocking(False)
    question, sent, dropped = Client.frame(TEXT, b'{"type":"subscribe","channel":"nowhere"}') * 100, 0, False
    while not dropped and sent < 64 << 20:
        _, writable, _ = select.select([], [slow.socket], [], PATIENCE)
        try:
            sent += slow.socket.send(question) if writable else 0
        except (ConnectionResetError, BrokenPipeError):
            dropped = True
        if not writable:
            break
        if sent % 50 == 0:
            other.sync()
    check("a slow reader is dropped", dropped and server.wait_metric('caudal_ws_dropped_total{reason="slow"}', lambda n: n == before + 1), sent)
    execution = server.run(flow)
    open_gate("beside-only")
    got = other.until(lambda m: m["status"] != "running")
    check("the others go on", got[-1]["executionId"] == execution and got[-1]["status"] == "success", got)
    slow.close()
    other.close()


def test_limit(server):
    """Beyond 1000 connections the answer is 503."""
    clients = []
    status = 101
    try:
        for _ in range(1001):
            clients.append(Client(server.ws_port))
    except Refused as refused:
        status = refused.status
    check("the 1001st connection: 503", (len(clients), status) == (1000, 503), (len(clients), status))
    check("the thousandth works", clients[-1].sync() == [])
    for client in clients:
        client.close()
    server.wait_metric("caudal_ws_connections ", lambda n: n == 0)
    check("then there is room again", refusal(server.ws_port) == 101)


def test_stop(server, directory, target):
    clients = [Client(server.port), Client(server.ws_port)]
    for client in clients:
        client.send({"type": "subscribe", "channel": "executions"})
        client.sync()
    ended = []
    readers = [threading.Thread(target=lambda c=c: ended.append(c.end())) for c in clients]
    for reader in readers:
        reader.start()
    code = server.stop()
    for reader in readers:
        reader.join()
    check("kill -TERM drops the connections without a Close", ended == [None, None], ended)
    check("and the process ends with 0, without a leak", code == 0 and "Sanitizer" not in server.errors, (code, server.errors[-3000:]))
    again = Server(directory)
    client = Client(again.ws_port)
    client.send({"type": "subscribe", "channel": "executions"})
    client.sync()
    open_gate("again-only")
    again.run(again.make_flow("again", target, ["only"]))
    check("after a restart the page connects and is told again", client.until(lambda m: m["status"] != "running")[-1]["status"] == "success")
    code = again.stop()
    check("the second one ends with 0 too", code == 0 and "Sanitizer" not in again.errors, (code, again.errors[-3000:]))
    client.close()


def test_all_origins(directory):
    server = Server(directory, WS_CORS_ORIGINS="*")
    check("WS_CORS_ORIGINS=* allows every page", refusal(server.ws_port, Origin="https://anywhere.example") == 101 and refusal(server.port, Origin="null") == 101)
    check("ends with 0", server.stop() == 0, server.errors[-2000:])


def main():
    import resource
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Target)
    receiver.daemon_threads = True
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    target = receiver.server_address[1]
    with tempfile.TemporaryDirectory() as directory:
        server = Server(directory)
        try:
            test_handshake(server)
            test_origins(server)
            test_execution(server, target)
            test_both_channels(server, target)
            test_control(server, target)
            test_failure(server)
            test_webhook(server)
            test_system(server)
            test_garbage(server)
            test_frames(server)
            test_abrupt(server)
            test_many(server, target)
            test_slow(server, target)
            test_limit(server)
            test_stop(server, directory, target)
        except BaseException:
            server.process.kill()
            server.process.wait()
            print(server.errors[-8000:], file=sys.stderr)
            raise
    with tempfile.TemporaryDirectory() as directory:
        test_all_origins(directory)
    print(f"{failures} failed" if failures else "all passed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
