"""Random flows whose effects are known before they run. Standard library only.

Each step with an effect calls the test's own server (Target), which counts by idempotency key; a flow says how many
calls of each step there will be, and which final status."""
import collections
import http.server
import json
import os
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support.caudal import link, node  # noqa: E402


class Calls:
    """How often each effect happened, by idempotency key (execution:node:iteration)."""

    def __init__(self):
        self.lock = threading.Lock()
        self.counts = collections.Counter()

    def add(self, key):
        with self.lock:
            self.counts[key] += 1
            return self.counts[key]


class Target(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        key = self.headers["Idempotency-Key"]
        number = self.server.calls.add(key)
        address = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(address.query))
        time.sleep(int(query.get("ms", 0)) / 1000)  # long enough for a fault to fall into it
        status = 200
        if address.path == "/flaky" and number <= int(query["fail"]):
            status = 503
        if address.path == "/broken":
            status = 422
        more = address.path == "/loop" and int(key.rsplit(":", 1)[1].rsplit(".", 1)[-1]) < int(query["passes"])
        body = json.dumps({"more": more}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Target)
        self.calls = Calls()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # callers that were killed


class Drawing:
    """A flow while it is drawn: segments are put one behind the other."""

    def __init__(self, random, url):
        self.random, self.url = random, url
        self.nodes, self.links = [], []
        self.calls = {}  # "node:iteration" -> how often
        self.ends = []  # pins (node id, output) that the next segment follows
        self.iteration = "0"  # what hangs on a loop alone belongs to its last pass

    def add(self, type, config=None, **more):
        id = f"n{len(self.nodes)}"
        self.nodes.append({**node(id, type, config, x=40 * len(self.nodes)), **more})
        return id

    def follow(self, id, input="input"):
        self.links += [link(source, id, output, input) for source, output in self.ends]
        self.ends = [(id, "output")]

    def call(self, path, expected=1, iterations=None, **config):
        iterations = [self.iteration] if iterations is None else iterations
        ms = self.random.choice((0, 0, 20, 100))
        more = {"parentId": config.pop("parentId")} if "parentId" in config else {}
        id = self.add("http-request", {"url": f"{self.url}{path}{'&' if '?' in path else '?'}ms={ms}", "method": "POST", "body": {}, **config}, **more)
        self.calls.update({f"{id}:{iteration}": expected for iteration in iterations})
        return id

    # ---- segments

    def plain(self):
        self.follow(self.call("/count"))

    def wait(self):
        self.follow(self.add("delay", {"durationMs": self.random.choice((20, 100, 400, 900, 2500))}))

    def park(self):
        self.follow(self.add("delay", {"durationMs": self.random.choice((5200, 6500))}))

    def flaky(self):
        fail = self.random.randint(1, 3)
        self.follow(self.call(f"/flaky?fail={fail}", expected=fail + 1, retry={"maxAttempts": 20, "delayMs": 30}))

    def rescued(self):
        self.follow(self.call("/broken"))
        self.ends = [(self.ends[0][0], "error")]
        self.follow(self.call("/count"))

    def branch(self):
        goes = self.random.choice(("true", "false"))
        self.follow(self.add("set-fields", {"fields": [{"field": "go", "value": goes == "true"}]}))
        choice = self.add("if", {"conditions": [{"field": "go", "operator": "equals", "value": True}]})
        self.follow(choice, "data")
        merge = None
        for output in ("true", "false"):
            taken = self.call("/count", iterations=None if output == goes else ())
            self.links.append(link(choice, taken, output))
            merge = merge or self.add("merge", {"mode": "wait"})
            self.links.append(link(taken, merge, "response", "input1" if output == "true" else "input2"))
        self.ends = [(merge, "output")]

    def parallel(self):
        calls = [self.call("/count") for _ in range(self.random.randint(2, 3))]
        merge = self.add("merge", {"mode": "wait"})
        for n, id in enumerate(calls):
            self.links += [link(source, id, output) for source, output in self.ends]
            self.links.append(link(id, merge, "response", f"input{n + 1}"))
        self.ends = [(merge, "output")]

    def each(self):
        items = self.random.randint(1, 5)
        self.follow(self.add("set-fields", {"fields": [{"field": f"item{n}", "value": n} for n in range(items)], "keepOnlySet": True}))
        loop = self.add("for-each", {"concurrency": self.random.randint(1, 3)})
        self.follow(loop, "items")
        inside = self.call("/count", iterations=[f"{n}.0" for n in range(items)], parentId=loop)
        self.links += [link(loop, inside, "item"), link(inside, loop, "response", "result")]
        self.ends = [(loop, "results")]
        self.follow(self.add("merge", {"mode": "wait"}), "input1")

    def loop(self):
        passes = self.random.randint(1, 4)
        head = self.call(f"/loop?passes={passes}", iterations=[str(n) for n in range(passes + 1)])
        self.follow(head)
        choice = self.add("if", {"conditions": [{"field": "more", "operator": "equals", "value": True}]})
        self.links += [link(head, choice, "response", "data"), link(choice, head, "true")]
        self.ends = [(choice, "false")]
        self.iteration = str(passes)


SEGMENTS = ("plain", "plain", "wait", "wait", "park", "flaky", "rescued", "branch", "parallel", "each")


def draw(random, name, url, webhook=False):
    """{name, nodes, connections, active, path, statuses, calls}: the flow, and what comes of an execution of it."""
    drawing = Drawing(random, url)
    path = name.replace(" ", "-") if webhook else None
    drawing.ends = []
    drawing.follow(drawing.add("webhook-trigger", {"path": path}) if webhook else drawing.add("manual-trigger"))
    for _ in range(random.randint(1, 4)):
        getattr(drawing, random.choice(SEGMENTS))()
    if random.random() < 0.25:
        drawing.loop()
    drawing.plain()
    fails = random.random() < 0.15
    if fails:
        drawing.follow(drawing.add("stop-with-error", {"message": "as it was drawn"}))
    return {"name": name, "nodes": drawing.nodes, "connections": drawing.links, "path": path,
            "statuses": ["failed"] if fails else ["success"], "calls": drawing.calls}
