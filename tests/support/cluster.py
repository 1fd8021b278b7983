"""A whole distributed installation on this machine, in one folder and on free ports: RabbitMQ, PostgreSQL, Redis,
gateways behind nginx, orchestrators, workers. Used by tools/cluster and by the tests. Standard library only."""
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("CAUDAL", os.path.join(ROOT, "build/dev/caudal"))
POSTGRES = "/usr/lib/postgresql/15/bin/"
RABBITMQ = "/usr/lib/rabbitmq/bin/"
START_WITHIN = 180  # seconds; a bound on waiting, nothing is measured by it


GIVEN = set()  # ports whose owner may not have started yet


def free_ports(count):
    """Ports that were free a moment ago, none of them twice. None that the system gives to outgoing connections (32768
    and above): such a one may take the port while a service is down."""
    ports = []
    while len(ports) < count:
        port = random.randrange(15000, 32000)
        if port in GIVEN:
            continue
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        GIVEN.add(port)
        ports.append(port)
    return ports


def answers(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


PATIENCE = 120  # seconds; only a defect waits so long


def until(what, condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("still not: " + what)
        time.sleep(0.05)


class Part:
    """One process of the cluster: what to start, and the pid while it runs."""

    def __init__(self, name, command, environment=None, user=None, ready=None, port=None):
        self.name, self.command, self.environment, self.user, self.ready, self.port = name, command, environment, user, ready, port
        self.pid = None
        self.process = None


class Cluster:
    def __init__(self, folder=None, gateways=2, orchestrators=2, workers=2, rabbits=1, environment=None):
        self.folder = folder or tempfile.mkdtemp(prefix="caudal-cluster-")
        os.makedirs(self.folder, exist_ok=True)
        os.chmod(self.folder, 0o755)  # PostgreSQL runs as another user below it
        self.environment = environment or {}
        self.counts = {"gateway": gateways, "orchestrator": orchestrators, "worker": workers}
        self.rabbits = rabbits
        self.adapt = lambda name: {}  # more environment of a service, by its name
        self.parts = {}
        self.port = self.postgres_port = self.redis_port = None

    # ---- processes

    def _start(self, part):
        environment = {"PATH": os.environ["PATH"], "HOME": self.folder, "LC_ALL": "C.UTF-8",
                       "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", ""), "UBSAN_OPTIONS": "print_stacktrace=1",
                       **(part.environment or {})}
        with open(os.path.join(self.folder, part.name + ".log"), "ab") as log:
            part.process = subprocess.Popen(part.command, env=environment, stdout=log, stderr=log, cwd=self.folder,
                                            stdin=subprocess.DEVNULL, start_new_session=True, user=part.user, group=part.user)
        part.pid = part.process.pid
        self.parts[part.name] = part
        self._save()

    def _wait(self, part):
        end = time.monotonic() + START_WITHIN
        while not part.ready():
            if part.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{part.name} did not start:\n{self.log_text(part.name)[-3000:]}")
            time.sleep(0.05)

    def start(self, part):
        self._start(part)
        self._wait(part)

    def restart(self, name):
        """After kill(); as it was started first."""
        self.start(self.parts[name])

    def kill(self, name, how=signal.SIGKILL):
        part = self.parts[name]
        group = name.startswith("rabbit")  # a script and the server it started
        (os.killpg if group else os.kill)(part.pid, how)
        if how in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            part.process.wait(timeout=90)
            if group:
                time.sleep(0)
        return part.process.returncode

    def names(self, kind):
        return sorted(name for name in self.parts if name.startswith(kind))

    def log_text(self, name):
        with open(os.path.join(self.folder, name + ".log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def _save(self):
        with open(os.path.join(self.folder, "cluster.json"), "w", encoding="utf-8") as file:
            json.dump({"url": self.url, "parts": [{"name": p.name, "pid": p.pid, "port": p.port} for p in self.parts.values()]}, file)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    # ---- the servers that others wrote

    def _run_postgres(self, name, data, port, owner):
        self.start(Part(name, [POSTGRES + "postgres", "-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c",
                               "unix_socket_directories=" + data, "-c", "max_connections=300"], user=owner, port=port,
                        ready=lambda: subprocess.run([POSTGRES + "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False).returncode == 0))

    def start_replica(self, port):
        """A streaming replica of the database on that port."""
        owner = "postgres" if os.geteuid() == 0 else None
        data = os.path.join(self.folder, "replica")
        os.makedirs(data, mode=0o700)
        if owner:
            shutil.chown(data, owner, owner)
        subprocess.run([POSTGRES + "pg_basebackup", "-R", "-D", data, "-h", "127.0.0.1", "-p", str(self.postgres_port), "-U", "caudal", "-c", "fast",
                        "--no-sync"], user=owner, group=owner, check=True, capture_output=True, cwd="/")
        self._run_postgres("replica", data, port, owner)

    def start_postgres(self):
        owner = "postgres" if os.geteuid() == 0 else None
        data = os.path.join(self.folder, "postgres")
        os.makedirs(data, exist_ok=True)
        if owner:
            shutil.chown(data, owner, owner)
        if not os.path.exists(os.path.join(data, "PG_VERSION")):
            subprocess.run([POSTGRES + "initdb", "-D", data, "-U", "caudal", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C"],
                           user=owner, group=owner, check=True, stdout=subprocess.DEVNULL, cwd="/")
        self.postgres_port, = free_ports(1)
        self._run_postgres("postgres", data, self.postgres_port, owner)

    def database_url(self, port=None):
        return f"postgresql://caudal@127.0.0.1:{port or self.postgres_port}/postgres"

    def sql(self, query, port=None):
        return subprocess.run([POSTGRES + "psql", "-XAtq", "-d", self.database_url(port), "-c", query], check=True, capture_output=True,
                              text=True, cwd="/").stdout.strip()

    def start_redis(self):
        self.redis_port, = free_ports(1)
        port = self.redis_port
        self.start(Part("redis", ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir",
                                  self.folder], port=port, ready=lambda: answers(port)))

    def _rabbit_environment(self, index):
        # HOME holds the cookie that nodes know each other by.
        return {"RABBITMQ_NODENAME": f"rabbit{index}@localhost", "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
                "RABBITMQ_NODE_PORT": str(self.rabbit_ports[index][0]), "RABBITMQ_DIST_PORT": str(self.rabbit_ports[index][1]),
                "RABBITMQ_MNESIA_BASE": f"{self.folder}/mnesia{index}", "RABBITMQ_LOG_BASE": f"{self.folder}/rabbit-log{index}",
                "RABBITMQ_CONFIG_FILE": f"{self.folder}/rabbitmq.conf", "RABBITMQ_CONF_ENV_FILE": f"{self.folder}/no-env",
                "RABBITMQ_ENABLED_PLUGINS_FILE": f"{self.folder}/plugins", "ERL_EPMD_ADDRESS": "127.0.0.1",
                "ERL_EPMD_PORT": str(self.epmd_port), "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none +sbwtdcpu none"}

    def rabbitmqctl(self, *arguments, node=0):
        environment = {"PATH": os.environ["PATH"], "HOME": self.folder, **self._rabbit_environment(node)}
        return subprocess.run([RABBITMQ + "rabbitmqctl", "-q", "-n", f"rabbit{node}@localhost", *arguments], env=environment, check=True,
                              capture_output=True, text=True, cwd=self.folder).stdout

    def _write(self, name, text, mode=0o600):
        path = os.path.join(self.folder, name)
        if os.path.exists(path):
            os.chmod(path, 0o600)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)

    def start_rabbits(self):
        ports = free_ports(2 * self.rabbits + 1)
        self.epmd_port = ports.pop()
        self.rabbit_ports = [(ports[2 * i], ports[2 * i + 1]) for i in range(self.rabbits)]
        self._write(".erlang.cookie", "CAUDALCLUSTER", 0o400)
        self._write("plugins", "[].\n")
        self._write("rabbitmq.conf", "cluster_formation.peer_discovery_backend = classic_config\n"
                    "cluster_formation.classic_config.nodes.1 = rabbit0@localhost\n"
                    "cluster_formation.randomized_startup_delay_range.min = 0\n"
                    "cluster_formation.randomized_startup_delay_range.max = 1\n"
                    "disk_free_limit.absolute = 1MB\n")
        self.start(Part("epmd", ["epmd", "-port", str(self.epmd_port), "-address", "127.0.0.1"], port=self.epmd_port,
                        ready=lambda: answers(self.epmd_port)))
        nodes = [Part(f"rabbit{i}", [RABBITMQ + "rabbitmq-server"], self._rabbit_environment(i), port=port,
                      ready=lambda port=port, name=f"rabbit{i}": answers(port) and "completed with" in self.log_text(name))
                 for i, (port, _) in enumerate(self.rabbit_ports)]
        self.start(nodes[0])
        for node in nodes[1:]:  # they join the first one, side by side
            self._start(node)
        for node in nodes[1:]:
            self._wait(node)

    def rabbit_url(self):
        return ",".join(f"amqp://guest:guest@127.0.0.1:{port}/" for port, _ in self.rabbit_ports)

    # ---- our services

    def service(self, kind, index, **more):
        """A Part of that kind, not started."""
        port, metrics, extra = free_ports(3)
        data = os.path.join(self.folder, f"{kind}{index}-data")
        environment = {"PORT": str(port), "METRICS_PORT": str(metrics), "DATA_DIR": data, "DATABASE_URL": self.database_url(),
                       "RABBITMQ_URL": self.rabbit_url(), "LOG_LEVEL": "info", "DATABASE_POOL_SIZE": "8", "AUTO_SCALING_ENABLED": "false",
                       "WORKER_TIMEOUT": "10000", "WORKER_HEALTH_CHECK_INTERVAL": "1000", "HEALTH_REPORT_INTERVAL": "1000"}
        if kind == "gateway":
            environment.update(WS_PORT=str(extra), REDIS_URL=f"redis://127.0.0.1:{self.redis_port}", TRUSTED_PROXIES="127.0.0.1")
        if kind == "orchestrator":
            environment.update(HEALTH_CHECK_PORT=str(extra))
        if kind == "worker":
            environment.update(WORKER_ID=f"worker{index}", MEMORY_LIMIT_MB="4096", CPU_LIMIT_CORES="64")
        else:
            environment.update(INSTANCE_ID=f"{kind}{index}")
        environment.update(self.environment)
        environment.update(self.adapt(f"{kind}{index}"))
        environment.update(more)
        return Part(f"{kind}{index}", [PROGRAM, kind], environment, port=port, ready=lambda: self.is_ready(port))

    @staticmethod
    def is_ready(port):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/health/ready", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def start_service(self, kind, index, **more):
        self.start(self.service(kind, index, **more))

    def start_nginx(self, gateway_ports):
        with open(os.path.join(ROOT, "deploy/nginx/caudal.conf.template"), encoding="utf-8") as file:
            text = file.read()
        servers = "\n".join(f"        server 127.0.0.1:{port} max_fails=1 fail_timeout=1s;" for port in gateway_ports)
        text = text.replace("{folder}", self.folder).replace("{servers}", servers).replace("{listen}", f"127.0.0.1:{self.port}")
        self._write("nginx.conf", text)
        self.start(Part("nginx", ["nginx", "-c", os.path.join(self.folder, "nginx.conf"), "-e", os.path.join(self.folder, "nginx-error.log")],
                        port=self.port, ready=lambda: answers(self.port)))

    # ---- all of it

    def up(self):
        try:
            self.port, = free_ports(1)
            self.start_postgres()
            self.start_redis()
            self.start_rabbits()
            started = []
            for kind in ("orchestrator", "worker", "gateway"):
                for index in range(self.counts[kind]):
                    part = self.service(kind, index)
                    self._start(part)
                    started.append(part)
            for part in started:
                self._wait(part)
            self.start_nginx([self.parts[name].port for name in self.names("gateway")])
            self.wait_for_workers(self.counts["worker"])
        except BaseException:
            self.down()
            raise
        return self

    def get(self, path):
        with urllib.request.urlopen(self.url + "/api/v1" + path, timeout=30) as answer:
            return json.load(answer)["data"]

    def wait_for_workers(self, count):
        """Until every gateway knows of so many, and every shard has an owner."""
        end = time.monotonic() + START_WITHIN
        for name in self.names("gateway"):
            while True:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.parts[name].port}/api/v1/workers", timeout=30) as answer:
                    online = [w for w in json.load(answer)["data"] if w["status"] == "online"]
                with urllib.request.urlopen(f"http://127.0.0.1:{self.parts[name].port}/api/v1/orchestrators", timeout=30) as answer:
                    owned = {shard for o in json.load(answer)["data"] if o["status"] == "online" for shard in o["shards"]}
                if len(online) >= count and len(owned) == int(self.environment.get("EVENT_SHARDS", 2)):
                    break
                if time.monotonic() > end:
                    raise RuntimeError(f"{name} knows of {len(online)} workers, and of owners of {len(owned)} shards")
                time.sleep(0.1)

    def stop_services(self):
        """SIGTERM to ours, in the order in which a deployment does it; complains about what did not end well."""
        bad = []
        for kind in ("gateway", "worker", "orchestrator"):
            for name in self.names(kind):
                part = self.parts.pop(name)
                if part.process.poll() is None:
                    part.process.send_signal(signal.SIGCONT)
                    part.process.send_signal(signal.SIGTERM)
                    try:
                        code = part.process.wait(timeout=90)
                    except subprocess.TimeoutExpired:
                        part.process.kill()
                        part.process.wait()
                        code = "none within 90 s"
                    text = self.log_text(name)
                    if code != 0 or "ERROR: " in text or "runtime error" in text:
                        bad.append(f"{name}: exit code {code}\n{text[-3000:]}")
        return bad

    def down(self, remove=False):
        bad = self.stop_services()
        for name in reversed(list(self.parts)):
            part = self.parts.pop(name)
            how = signal.SIGINT if name in ("postgres", "replica") else signal.SIGTERM
            try:
                if name.startswith("rabbit"):
                    os.killpg(part.pid, signal.SIGKILL)
                else:
                    os.kill(part.pid, how)
            except ProcessLookupError:
                continue
            try:
                part.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                part.process.kill()
                part.process.wait()
        if remove and not bad:
            self.remove()
        return bad

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


# ---- for people: tools/cluster


def _state(folder):
    try:
        with open(os.path.join(folder, "cluster.json"), encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return None


def command_up(folder):
    state = _state(folder)
    if state and any(is_alive(p["pid"]) for p in state["parts"]):
        print(f"The cluster in {folder} is up: {state['url']}")
        return 0
    cluster = Cluster(folder).up()
    print(f"The cluster is up: {cluster.url}\nIts files are in {folder}; tools/cluster down ends it.")
    return 0


def command_status(folder):
    state = _state(folder)
    if not state:
        print(f"There is no cluster in {folder}.")
        return 1
    alive = 0
    for part in state["parts"]:
        running = is_alive(part["pid"])
        alive += running
        print(f"{part['name']:<14} {'running' if running else 'gone':<8} pid {part['pid']:<8} port {part['port']}")
    print(state["url"] if alive else "It is down.")
    return 0 if alive == len(state["parts"]) else 1


def command_down(folder):
    state = _state(folder)
    if not state:
        print(f"There is no cluster in {folder}.")
        return 1
    order = ["nginx", "gateway", "worker", "orchestrator", "rabbit", "redis", "epmd", "postgres"]
    parts = sorted(state["parts"], key=lambda p: next(i for i, prefix in enumerate(order) if p["name"].startswith(prefix)))
    for part in parts:
        if not is_alive(part["pid"]):
            continue
        if part["name"].startswith("rabbit"):
            os.killpg(part["pid"], signal.SIGKILL)
        else:
            os.kill(part["pid"], signal.SIGINT if part["name"] == "postgres" else signal.SIGTERM)
        end = time.monotonic() + 60
        while is_alive(part["pid"]) and time.monotonic() < end:
            time.sleep(0.05)
        if is_alive(part["pid"]):
            os.kill(part["pid"], signal.SIGKILL)
    os.unlink(os.path.join(folder, "cluster.json"))
    print("The cluster is down; its data stays in " + folder)
    return 0


def main(arguments):
    commands = {"up": command_up, "down": command_down, "status": command_status}
    if not arguments or arguments[0] not in commands or len(arguments) > 2:
        print("Usage: tools/cluster up|down|status [FOLDER]", file=sys.stderr)
        return 2
    return commands[arguments[0]](os.path.abspath(arguments[1] if len(arguments) > 1 else "cluster-data"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
