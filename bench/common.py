"""What the benchmarks share: the release program, wrk, the process's own figures."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
os.environ["CAUDAL_CHECK_ANSWERS"] = "0"
subprocess.run(["bash", "-c", ". tools/deps.sh && deps_install $deps_bench"], cwd=ROOT, check=True, stdout=sys.stderr)
if "CAUDAL" not in os.environ:
    subprocess.run(["./run", "--build-only"], cwd=ROOT, check=True, stdout=sys.stderr)
    os.environ["CAUDAL"] = str(ROOT / "build/release/caudal")
sys.path.insert(0, str(ROOT / "tests"))
from support.caudal import Caudal, chain, link, node  # noqa: E402,F401


def seconds(otherwise):
    """--seconds N."""
    return int(sys.argv[sys.argv.index("--seconds") + 1]) if "--seconds" in sys.argv else otherwise


def report(name, **figures):
    """name=value pairs on one line, or JSON with --json."""
    if "--json" in sys.argv:
        print(json.dumps({"bench": name, **figures}), flush=True)
    else:
        print(f"{name}: " + " ".join(f"{k}={v}" for k, v in figures.items()), flush=True)


def conclude(**figures):
    """The last line: what is compared from run to run."""
    if "--json" not in sys.argv:
        print(" ".join(f"{k}={v}" for k, v in figures.items()), flush=True)


def write_history(path, detail):
    """The history of an execution as the store keeps it, for bench_store_limit."""
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"nodes": detail["nodeExecutions"], "logs": []}, file, separators=(",", ":"))
    return str(path)


def memory_mib(process, field="VmRSS"):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        return round(int(re.search(field + r":\s+(\d+)", file.read()).group(1)) / 1024, 1)


def cpu_seconds(process):
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wrk(url, body, connections=32, seconds=8):
    script = tempfile.NamedTemporaryFile("w", suffix=".lua")
    if body is not None:
        script.write('wrk.method="POST"\nwrk.headers["Content-Type"]="application/json"\nwrk.body=[==[' + json.dumps(body) + "]==]\n")
    script.write('done=function(s,l,r) io.write(string.format("FIGURES %f %f %f %f %d\\n", s.requests/s.duration*1e6, l:percentile(50)/1000, l:percentile(95)/1000, '
                 "l:percentile(99)/1000, s.errors.status+s.errors.read+s.errors.write+s.errors.timeout)) end\n")
    script.flush()
    out = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "-s", script.name, url], capture_output=True, text=True, check=True).stdout
    figures = [float(x) for x in re.search(r"FIGURES (.*)", out).group(1).split()]
    return {"per_second": round(figures[0]), "p50_ms": round(figures[1], 2), "p95_ms": round(figures[2], 2), "p99_ms": round(figures[3], 2), "errors": int(figures[4])}


ROWS = [{"id": i, "status": "active" if i % 2 else "gone", "name": f"customer {i}"} for i in range(10)]
FILTER = node("filter", "data-filter", {"conditions": [{"field": "status", "operator": "equals", "value": "active"}]})
MAP = node("map", "field-mapper", {"mapping": [{"sourceField": "id", "targetField": "key", "transformation": "rename"}, {"sourceField": "name", "targetField": "title", "transformation": "rename"}]})
