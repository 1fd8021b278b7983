"""A distributed installation for benchmarks (tests/support/cluster.py, with the release program): the API through nginx,
what it published, and what each part of it costs."""
import collections
import os
import re
import subprocess
import time
import urllib.request

from common import ROOT, wrk  # first: it says which program
from support import caudal as support
from support.cluster import Cluster

SERVICES = ("gateway", "orchestrator", "worker")
TICKS = os.sysconf("SC_CLK_TCK")


def build(*targets):
    subprocess.run(["cmake", "--build", "--preset", "release", "--target", *targets], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def program(name):
    return str(ROOT / "build/release" / name)


def _processes():
    """pid -> (parent, seconds of CPU of it and of its children that have ended, bytes of memory of its own)."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                fields = file.read().rsplit(") ", 1)[1].split()
            with open(f"/proc/{pid}/statm", encoding="ascii") as file:
                _, resident, shared = (int(x) for x in file.read().split()[:3])
        except OSError:
            continue
        found[int(pid)] = (int(fields[1]), sum(map(int, fields[11:15])) / TICKS, (resident - shared) * os.sysconf("SC_PAGE_SIZE"))
    return found


class Installation:
    def __init__(self, **environment):
        self.cluster = Cluster(environment={"LOG_LEVEL": "warn", "QUEUE_HIGH_WATER_MARK": "100000000", **environment}).up()
        support.AT = str(self.cluster.port)
        self.api = support.Caudal()
        self.port = self.cluster.port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        bad = self.cluster.down(remove=True)
        self.api.stop()
        if bad:
            raise RuntimeError("\n".join(bad))

    def run_load(self, flow, connections, seconds):
        """Starts of the flow through nginx."""
        return wrk(f"http://127.0.0.1:{self.port}/api/v1/flows/{flow['id']}/run", {}, connections=connections, seconds=seconds)

    def sql(self, query):
        return self.cluster.sql(query)

    def unfinished(self):
        return int(self.sql("SELECT count(*) FROM executions WHERE status <= 2"))

    def wait_for_all(self):
        while self.unfinished() > 0:
            time.sleep(0.02)

    def published(self):
        """What all services have published: queue or topic -> (messages, bytes)."""
        sums = collections.defaultdict(lambda: [0, 0])
        for kind in SERVICES:
            for name in self.cluster.names(kind):
                port = self.cluster.parts[name].environment["METRICS_PORT"]
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
                    text = answer.read().decode()
                for at, member in enumerate(("caudal_messages_total", "caudal_message_bytes_total")):
                    for to, value in re.findall(member + r'\{to="([^"]*)"\} (\d+)', text):
                        sums[to][at] += int(value)
        return sums

    def costs(self):
        """Kind of part -> (seconds of CPU so far, MiB of memory that is not shared)."""
        processes, sums = _processes(), {}
        children = collections.defaultdict(list)
        for pid, (parent, _, _) in processes.items():
            children[parent].append(pid)
        for part in self.cluster.parts.values():
            kind = re.sub(r"\d+$", "", part.name)
            todo = [part.pid]
            while todo:
                pid = todo.pop()
                todo += children[pid]
                _, cpu, memory = processes.get(pid, (0, 0, 0))
                before = sums.get(kind, (0, 0))
                sums[kind] = (before[0] + cpu, before[1] + memory / 2**20)
        return sums
