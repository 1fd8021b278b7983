"""Durable three-node flows a second over RabbitMQ and PostgreSQL, started over HTTP through nginx, against what the broker
alone does with the same messages and the store alone with the same rows, in this run, on this machine."""
import subprocess
import time

from common import FILTER, MAP, ROWS, chain, conclude, node, report, write_history
from installation import Installation, build, program

CONNECTIONS = 256
WRITERS = 2  # of the store alone: as many as gateways, or orchestrators, write
WARM_UP = 3
KINDS = {"flow.submit.": "submit", "flow.worker.": "work", "flow.events.": "events"}
QUEUES = {"submit": 4, "work": 2, "events": 4}


def count(installation, flow):
    return int(installation.sql(f"SELECT count(*) FROM executions WHERE flow_id = '{flow['id']}' AND status = 3"))


def measure(installation, flow, seconds):
    """Figures of the loaded installation, and its messages of each kind: (for each flow, bytes)."""
    before, published, costs = count(installation, flow), installation.published(), installation.costs()
    start = time.monotonic()
    accepted = installation.run_load(flow, CONNECTIONS, seconds)
    installation.wait_for_all()
    elapsed = time.monotonic() - start
    flows = count(installation, flow) - before
    used = {kind: round((cpu - costs[kind][0]) * 1e6 / flows) for kind, (cpu, _) in installation.costs().items() if kind in costs}
    messages = {}
    for queue, (number, size) in installation.published().items():
        number, size = number - published[queue][0], size - published[queue][1]
        if queue in KINDS and number > 0:
            messages[KINDS[queue]] = (number / flows, round(size / number))
    figures = {"flows_per_s": round(flows / elapsed), "errors": accepted["errors"], "accepted_p95_ms": accepted["p95_ms"]}
    return figures, messages, used


def run(seconds):
    build("bench_store_limit", "bench_broker_limit")
    with Installation() as installation:
        flow = installation.api.flow("three", [node("start", "manual-trigger", {"output": ROWS}), FILTER, MAP], chain("start", "filter", "map"))
        detail = installation.api.wait(installation.api.run(flow))
        installation.run_load(flow, CONNECTIONS, WARM_UP)
        installation.wait_for_all()
        figures, messages, used = measure(installation, flow, seconds)
        cluster = installation.cluster
        bad = cluster.stop_services()
        if bad:
            raise RuntimeError("\n".join(bad))
        kinds = [f"{kind}:{QUEUES[kind]}:{number:.4f}:{size}" for kind, (number, size) in messages.items()]
        broker = int(subprocess.run([program("bench_broker_limit"), str(cluster.rabbit_ports[0][0]), str(seconds), *kinds], capture_output=True, text=True, check=True).stdout)
        cluster.sql("CREATE DATABASE alone")
        url = cluster.database_url().rsplit("/", 1)[0] + "/alone"
        history = write_history(f"{cluster.folder}/history.json", detail)
        store = int(subprocess.run([program("bench_store_limit"), url, str(seconds), history, str(WRITERS)], capture_output=True, text=True, check=True).stdout)
    ratio = round(figures["flows_per_s"] / min(broker, store), 2)
    report("throughput distributed", **figures, broker_alone_per_s=broker, store_alone_per_s=store, ratio=ratio,
           **{f"{kind}_per_flow": round(number, 2) for kind, (number, _) in messages.items()}, **{f"{kind}_bytes": size for kind, (_, size) in messages.items()})
    report("cpu µs for each flow", **used)
    conclude(flows_per_s=figures["flows_per_s"], ratio=ratio)
