"""What is done to a cluster, one fault at a time, each undone again. Standard library only."""
import os
import signal
import subprocess
import time

from proxy import Proxy

GHOST_AFTER = 4  # seconds: WORKER_TIMEOUT of the services under test
BROKEN = ("gateway1", "orchestrator1", "worker1")  # what talks to the servers through proxies of its own


class Links:
    """The proxies between one service and the servers; given to Cluster as `adapt`."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.proxies = {name: {} for name in BROKEN}

    def __call__(self, name):
        """The addresses with which the service is started."""
        if name not in BROKEN:
            return {}
        ports = {"postgres": self.cluster.postgres_port, "redis": self.cluster.redis_port}
        ports.update({f"rabbit{i}": port for i, (port, _) in enumerate(self.cluster.rabbit_ports)})
        mine = self.proxies[name]
        mine.update({server: Proxy(port) for server, port in ports.items() if server not in mine})
        rabbits = ",".join(f"amqp://guest:guest@127.0.0.1:{mine[server].port}/" for server in mine if server.startswith("rabbit"))
        changed = {"DATABASE_URL": f"postgresql://caudal@127.0.0.1:{mine['postgres'].port}/postgres", "RABBITMQ_URL": rabbits}
        if name.startswith("gateway"):
            changed["REDIS_URL"] = f"redis://127.0.0.1:{mine['redis'].port}"
        return changed

    def close(self):
        for mine in self.proxies.values():
            for proxy in mine.values():
                proxy.close()


class Faults:
    """Every method but `all`, `name_of` and the hidden ones is a fault: it begins, lasts, and is undone when it returns."""

    def __init__(self, cluster, links, random, say):
        self.cluster, self.links, self.random, self.say = cluster, links, random, say

    def all(self):
        return [self.kill_gateway, self.kill_orchestrator, self.kill_worker, self.stop_worker, self.end_database_sessions,
                self.restart_database, self.crash_database, self.stop_redis, self.restart_broker, self.cut, self.hang, self.slow,
                self.fill_broker_disk]

    def _last(self, low=0.2, high=2.0):
        time.sleep(self.random.uniform(low, high))  # how long a fault lasts is part of it

    def _die(self, kind):
        name = self.random.choice(self.cluster.names(kind))
        self.say(f"kill -9 {name}")
        self.cluster.kill(name)
        self._last()
        self.cluster.restart(name)

    def kill_gateway(self):
        self._die("gateway")

    def kill_orchestrator(self):
        self._die("orchestrator")

    def kill_worker(self):
        self._die("worker")

    def stop_worker(self):
        """Longer than its time-out: its work is others', and it comes back as a ghost."""
        name = self.random.choice(self.cluster.names("worker"))
        self.say(f"stop {name} beyond its time-out")
        os.kill(self.cluster.parts[name].pid, signal.SIGSTOP)
        time.sleep(GHOST_AFTER + self.random.uniform(1.5, 4))
        os.kill(self.cluster.parts[name].pid, signal.SIGCONT)

    def end_database_sessions(self):
        self.say("end all sessions of PostgreSQL")
        for _ in range(self.random.randint(1, 4)):
            self.cluster.sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")
            self._last(0.05, 0.5)

    def _database(self, how, words):
        self.say(words)
        self.cluster.kill("postgres", how)
        self._last()
        self.cluster.restart("postgres")

    def restart_database(self):
        self._database(signal.SIGINT, "restart PostgreSQL")

    def crash_database(self):
        self._database(signal.SIGQUIT, "restart PostgreSQL without a shutdown")

    def stop_redis(self):
        self.say("kill -9 Redis")
        self.cluster.kill("redis")
        self._last(1, 3)
        self.cluster.restart("redis")

    def restart_broker(self):
        name = self.random.choice(self.cluster.names("rabbit"))
        self.say(f"kill -9 {name}")
        self.cluster.kill(name)
        self._last()
        self.cluster.restart(name)

    def _link(self):
        name = self.random.choice(BROKEN)
        server = self.random.choice(sorted({s.rstrip("0123456789") for s in self.links.proxies[name]} - (set() if name == "gateway1" else {"redis"})))
        return name, server, [proxy for s, proxy in self.links.proxies[name].items() if s.startswith(server)]

    def _through(self, words, act, low, high):
        name, server, proxies = self._link()
        self.say(f"{words} between {name} and {server}")
        for proxy in proxies:
            act(proxy)
        self._last(low, high)
        for proxy in proxies:
            proxy.heal()

    def cut(self):
        self._through("cut the connections", Proxy.cut, 0.1, 4)

    def hang(self):
        self._through("let the connections hang half-open", Proxy.hang, 2, 9)

    def slow(self):
        seconds = self.random.choice((0.02, 0.1, 0.3))
        self._through(f"delay by {int(seconds * 1000)} ms", lambda proxy: proxy.slow(seconds), 2, 5)

    def fill_broker_disk(self):
        """Of one node, which closes all of them to publishers."""
        node = self.random.randrange(self.cluster.rabbits)
        self.say(f"disk alarm of rabbit{node}")
        try:
            self.cluster.rabbitmqctl("set_disk_free_limit", "100000GB", node=node)
            self._last(0.5, 3)
        finally:
            self.cluster.rabbitmqctl("set_disk_free_limit", "1MB", node=node)

    @staticmethod
    def name_of(fault):
        return fault.__name__
