"""Random flows whose effects are known before they run. Standard library only.

Each step with an effect calls the test's own server (Target), which counts by idempotency key; a flow says how many
calls of each step there will be, which final status, and which executions it starts. The server also says the words that
waits wait for: a step before a wait tells it to."""
import collections
import http.client
import http.server
import json
import os
import queue
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support.caudal import FINAL, link, node  # noqa: E402


class Calls:
    """How often each effect happened, by idempotency key (execution:node:iteration), and what it was asked for."""

    def __init__(self):
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.bodies = collections.defaultdict(list)  # each once, the latest last

    def add(self, key, body):
        with self.lock:
            self.counts[key] += 1
            self.bodies[key] = [other for other in self.bodies[key] if other != body] + [body]
            return self.counts[key]


class Words:
    """Signals and answers, said until they are taken: by then the wait may have begun or not, and anybody may be down."""

    def __init__(self, api):
        self.api, self.queue = api, queue.Queue()
        threading.Thread(target=self.speak, daemon=True).start()

    def say(self, execution, name, approval):
        self.queue.put((execution, name, approval))

    def post(self, path, body, type):
        connection = http.client.HTTPConnection("127.0.0.1", self.api.port, timeout=40)
        try:
            connection.request("POST", path, body, {"Content-Type": type})
            return connection.getresponse().status
        finally:
            connection.close()

    def speak(self):
        while True:
            execution, name, approval = self.queue.get()
            try:
                if approval:
                    status = self.post(f"/wait/{execution}-{name}", "decision=approve", "application/x-www-form-urlencoded")
                    said = status in (200, 410)  # 410: it has been answered, or all is over
                else:
                    word = json.dumps({"name": name, "payload": {"said": name}, "idempotencyKey": name})
                    status = self.post(f"/api/v1/scheduler/executions/{execution}/signal", word, "application/json")
                    said = status in (202, 409)  # 409: all is over
            except (OSError, http.client.HTTPException):
                said = False
            if not said:
                time.sleep(0.02)
                self.say(execution, name, approval)


def iteration_of(key):
    return key.rsplit(":", 1)[1].split(".")


class Target(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        key = self.headers["Idempotency-Key"]
        number = self.server.calls.add(key, asked)
        address = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(address.query))
        if "say" in query:
            self.server.words.say(key.split(":")[0], query["say"], address.path == "/approve")
        time.sleep(int(query.get("ms", 0)) / 1000)  # long enough for a fault to fall into it
        status = 200
        if address.path == "/flaky" and number <= int(query["fail"]):
            status = 503
        if address.path == "/broken" or (address.path == "/items" and iteration_of(key)[0] in query["broken"].split(",")):
            status = 422
        more = address.path == "/loop" and int(iteration_of(key)[-1]) < int(query["passes"])
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
    request_queue_size = 512  # after a restart many come at once

    def __init__(self, api):
        """`api`: the Caudal to which the words are said."""
        super().__init__(("127.0.0.1", 0), Target)
        self.calls = Calls()
        self.words = Words(api)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # callers that were killed


class Drawing:
    """A flow while it is drawn: segments are put one behind the other."""

    def __init__(self, random, url, name, inner=False):
        self.random, self.url, self.name = random, url, name
        self.inner = inner  # it is a sub-flow of another: it has none itself
        self.nodes, self.links = [], []
        self.others = []  # flows that it starts
        self.children = {}  # node -> [how many executions it starts, what comes of each]
        self.shuffled = {}  # node -> the items that its iterations are for, in any order
        self.fails = False
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
        self.inside("/count", self.random.randint(1, 5), concurrency=self.random.randint(1, 3))

    def items(self, count):
        return self.add("set-fields", {"fields": [{"field": f"item{n}", "value": n} for n in range(count)], "keepOnlySet": True})

    def inside(self, path, count, output="results", broken=(), called=None, **config):
        """A for-each with one step for each item; with `items` of its own it begins at once, beside what is before it."""
        before = self.ends
        if "items" not in config:
            self.follow(self.items(count))
        loop = self.add("for-each", config)
        if "items" not in config:
            self.follow(loop, "items")
        iterations = [f"{n}.0" for n in range(count if called is None else called)]
        step = self.call(path, iterations=() if config.get("distribute") else iterations, parentId=loop)
        if config.get("distribute"):
            self.children[f"{loop}.item"] = [count, {"statuses": ["success"], "calls": {f"{step}:0": 1}, "children": {}}]
        self.links += [link(loop, step, "item"), link(step, loop, "response", "result")]
        self.ends = [(loop, output)]
        merge = self.add("merge", {"mode": "wait"})
        self.follow(merge, "input1")
        if "items" in config:
            self.links += [link(source, merge, pin, "input2") for source, pin in before]
        return step

    def collected(self):
        """It goes on after failures."""
        items = self.random.randint(1, 5)
        broken = sorted(self.random.sample(range(items), self.random.randint(1, items)))
        self.inside(f"/items?broken={','.join(map(str, broken))}", items, concurrency=self.random.randint(1, 3), continueOnError=True)

    def stopped(self):
        """The first failure ends it, one item after the other."""
        items = self.random.randint(1, 5)
        broken = self.random.randrange(items)
        self.inside(f"/items?broken={broken}", items, output="error", called=broken + 1, concurrency=1)

    def shuffle(self):
        """What the items are is made up when it begins: after a crash they must not be others."""
        items = self.random.randint(2, 5)
        step = self.inside("/count", items, items=f"{{{{ Array.from({{length: {items}}}, (_, i) => i).sort(() => Math.random() - 0.5) }}}}", concurrency=self.random.randint(1, 2))
        self.shuffled[step] = list(range(items))

    def distributed(self):
        items = self.random.randint(1, 4)
        self.inside("/count", items, concurrency=self.random.randint(1, 3), distribute=True)

    def other(self):
        drawn = draw(self.random, f"{self.name} in {len(self.nodes)}", self.url, inner=True)
        self.others.append(drawn)
        return drawn

    def child(self):
        """It waits for another flow, whose failure it survives."""
        drawn = self.other()
        fails = drawn["statuses"] == ["failed"]
        id = self.add("sub-flow", {"flow": drawn["name"]})
        self.follow(id)
        self.children[id] = [1, drawn]
        if fails:
            self.ends = [(id, "error")]
        self.follow(self.call("/count"))

    def started(self):
        drawn = self.other()
        id = self.add("sub-flow", {"flow": drawn["name"], "mode": "start"})
        self.follow(id)
        self.children[id] = [1, drawn]

    def children_of_items(self):
        drawn = self.other()
        items = self.random.randint(1, 3)
        self.follow(self.items(items))
        loop = self.add("for-each", {"mode": "flow", "flow": drawn["name"], "concurrency": self.random.randint(1, 2), "continueOnError": True})
        self.follow(loop, "items")
        self.children[f"{loop}.item"] = [items, drawn]
        self.ends = [(loop, "results")]
        self.follow(self.add("merge", {"mode": "wait"}), "input1")

    def told(self):
        """A signal or an approval, which is given before its wait has begun or after it."""
        approval = self.random.random() < 0.5
        name = f"w{len(self.nodes)}"
        self.follow(self.call(f"/{'approve' if approval else 'signal'}?say={name}"))
        late = {"timeoutMs": 86400000} if self.random.random() < 0.5 else {}
        config = {"mode": "approval", "title": "Go on?", "token": "{{ execution.id }}-" + name} if approval else {"mode": "signal", "name": name}
        self.follow(self.add("wait", {**config, **late}))
        self.follow(self.call("/count"))

    def untold(self):
        """Nobody says a word: it is too late."""
        config = {"mode": "approval", "title": "Go on?"} if self.random.random() < 0.5 else {"mode": "signal", "name": "never"}
        wait = self.add("wait", {**config, "timeoutMs": self.random.choice((50, 400, 6000))})
        self.follow(wait)
        wrong = self.call("/count", iterations=())
        self.links.append(link(wait, wrong))
        self.ends = [(wait, "timeout")]
        self.follow(self.call("/count"))

    def endless(self):
        """A loop that goes on beyond its bound fails the execution."""
        bound = self.random.randint(1, 3)
        head = self.call("/loop?passes=1000", iterations=[str(n) for n in range(bound)], maxIterations=bound)
        self.follow(head)
        choice = self.add("if", {"conditions": [{"field": "more", "operator": "equals", "value": True}]})
        self.links += [link(head, choice, "response", "data"), link(choice, head, "true")]
        self.ends = [(choice, "false")]
        self.follow(self.call("/count", iterations=()))
        self.fails = True

    def loop(self):
        passes = self.random.randint(1, 4)
        head = self.call(f"/loop?passes={passes}", iterations=[str(n) for n in range(passes + 1)], maxIterations=passes + 1)
        self.follow(head)
        choice = self.add("if", {"conditions": [{"field": "more", "operator": "equals", "value": True}]})
        self.links += [link(head, choice, "response", "data"), link(choice, head, "true")]
        self.ends = [(choice, "false")]
        self.iteration = str(passes)


SEGMENTS = ("plain", "plain", "wait", "wait", "park", "flaky", "rescued", "branch", "parallel", "each", "collected", "stopped", "shuffle", "told", "told", "untold")
STARTING = ("distributed", "child", "child", "started", "children_of_items")


def draw(random, name, url, webhook=False, inner=False):
    """{name, nodes, connections, active, path, statuses, calls, children, shuffled, others}: the flow, and what comes of
    an execution of it. `others` are flows that must be there for it."""
    drawing = Drawing(random, url, name, inner)
    path = name.replace(" ", "-") if webhook else None
    drawing.ends = []
    drawing.follow(drawing.add("webhook-trigger", {"path": path}) if webhook else drawing.add("manual-trigger"))
    for _ in range(random.randint(1, 4)):
        getattr(drawing, random.choice(SEGMENTS + (() if inner else STARTING)))()
    dice = random.random()
    if dice < 0.25:
        drawing.loop()
    elif dice < 0.35:
        drawing.endless()
    if not drawing.fails:
        drawing.plain()
        if random.random() < 0.15:
            drawing.follow(drawing.add("stop-with-error", {"message": "as it was drawn"}))
            drawing.fails = True
    return {"name": name, "nodes": drawing.nodes, "connections": drawing.links, "path": path, "others": drawing.others,
            "statuses": ["failed"] if drawing.fails else ["success"], "calls": drawing.calls, "children": drawing.children, "shuffled": drawing.shuffled}


def make(api, drawn):
    """Creates the flow, and before it those that it starts; its id."""
    for other in drawn["others"]:
        make(api, other)
    drawn["id"] = api.flow(drawn["name"], drawn["nodes"], drawn["connections"], active=True)["id"]
    return drawn["id"]


def expected(drawn):
    """As a history has it (history.py)."""
    return {"flow": drawn["name"], "exact": True, **{k: drawn[k] for k in ("statuses", "calls", "children", "shuffled")}}


def ended_children(get, execution, seconds=240):
    """Details of what an execution has started, once all of it has ended (or time is over); `get` gives the data at a path."""
    found = {}
    end = time.monotonic() + seconds
    while True:
        rows, page = [], 0
        while len(rows) == 100 * page:
            page += 1
            rows += get(f"/scheduler/executions?parentExecutionId={execution}&limit=100&page={page}")["data"]
        for row in rows:
            if row["status"] in FINAL and row["id"] not in found:
                found[row["id"]] = get(f"/scheduler/executions/{row['id']}")
        if len(found) == len(rows) or time.monotonic() > end:
            return [found.get(row["id"]) or get(f"/scheduler/executions/{row['id']}") for row in rows]
        time.sleep(0.1)


def adopt(history, list_children):
    """Adds the executions that those of the history have started, and what must come of them; `list_children` gives the
    details of those of one execution, each of which has ended."""
    history["children"] = {}
    waiting = [execution for execution, wanted in history["accepted"].items() if wanted["children"]]
    while waiting:
        parent = waiting.pop()
        wanted = history["accepted"][parent]
        counts = history["children"].setdefault(parent, collections.Counter())
        for detail in list_children(parent):
            node = detail["parentNodeId"]
            counts[node] += 1
            if node not in wanted["children"]:
                continue
            known = {"flow": f"{wanted['flow']}, {node}", "shuffled": {}, **{k: v for k, v in wanted["children"][node][1].items() if k in ("statuses", "calls", "children", "shuffled")}}
            if not wanted["exact"]:
                known["statuses"] = ["cancelled", *known["statuses"]]
            history["accepted"][detail["id"]] = {**known, "exact": wanted["exact"]}
            history["details"][detail["id"]] = detail
            if known["children"]:
                waiting.append(detail["id"])
