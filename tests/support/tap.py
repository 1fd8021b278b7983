"""Reads along: every message that is published on a cluster's RabbitMQ (its firehose), held against the schemas that the
program prints (caudal messages). Members that no schema names are a mistake of ours, though receivers ignore them."""
import collections
import json
import subprocess
import sys
import threading

try:
    import jsonschema
    import pika
except ImportError:  # a Python beside Debian's: python3-jsonschema and python3-pika are there all the same
    sys.path.append("/usr/lib/python3/dist-packages")
    import jsonschema
    import pika

from support.cluster import PROGRAM

SHOWN = 20  # problems that are told at the end


def strict(schema):
    """The schema without room for members that it does not name."""
    if isinstance(schema, dict):
        closed = {key: strict(value) for key, value in schema.items()}
        if "properties" in schema:
            closed["additionalProperties"] = False
        return closed
    return [strict(entry) for entry in schema] if isinstance(schema, list) else schema


def schemas():
    printed = subprocess.run([PROGRAM, "messages", "--json"], check=True, capture_output=True, text=True).stdout
    return {name: strict(schema) for name, schema in json.loads(printed).items()}


def kinds_by_key():
    """Routing key without shard or worker -> names of its messages, as the topology has it."""
    topology = json.loads(subprocess.run([PROGRAM, "topology", "--json"], check=True, capture_output=True, text=True).stdout)
    kinds = {}
    for queue in topology["queues"]:
        kinds[queue["bindings"][0]["routingKey"]] = queue["messages"].split()
    return {**kinds, **{topic["routingKey"]: [topic["messages"]] for topic in topology["topics"]}}


class Tap:
    def __init__(self, cluster):
        self.validators = {name: jsonschema.Draft202012Validator(schema) for name, schema in schemas().items()}
        self.kinds = kinds_by_key()
        self.seen = collections.Counter()
        self.problems = []
        cluster.rabbitmqctl("trace_on")
        port = cluster.rabbit_ports[0][0]
        self.connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port, heartbeat=0))
        self.channel = self.connection.channel()
        queue = self.channel.queue_declare("", exclusive=True).method.queue
        self.channel.queue_bind(queue, "amq.rabbitmq.trace", "publish.#")
        self.channel.basic_consume(queue, self._on_message, auto_ack=True)
        self.failure = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            self.channel.start_consuming()
        except pika.exceptions.AMQPError as error:
            self.failure = error

    def _names(self, key):
        if key.startswith("flow.worker."):
            return self.kinds["flow.worker.<WORKER_ID>"]
        return self.kinds.get(key)

    def _on_message(self, _channel, _method, properties, body):
        key = properties.headers["routing_keys"][0]
        names = self._names(key)
        if names is None:
            self.problems.append(f"{key}: the topology knows no such key")
            return
        try:
            message = json.loads(body)
        except ValueError as error:
            self.problems.append(f"{key}: {error}: {body[:200]!r}")
            return
        name = names[0] if len(names) == 1 else "returned" if "work" in message else "events"
        self.check(name, key, message)

    def check(self, name, key, message):
        self.seen[name] += 1
        for event in message.get("events", []) if name == "events" else []:
            self.seen["event " + str(event.get("kind"))] += 1
        for error in self.validators[name].iter_errors(message):
            self.problems.append(f"{key}: {name}: {'/'.join(map(str, error.absolute_path))}: {error.message[:300]}")

    def stop(self):
        """What was wrong; nothing can come after."""
        self.connection.add_callback_threadsafe(self.channel.stop_consuming)
        self.thread.join(60)
        if self.thread.is_alive():
            self.problems.append("the tap does not end")
        elif self.failure is not None:
            self.problems.append(f"the tap was cut off: {self.failure!r}")
        else:
            self.connection.close()
        return self.problems[:SHOWN]
