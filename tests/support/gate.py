"""An HTTP server that answers when a test lets it: nodes of flows call it, and stay under way as long as the test needs.
Standard library only."""
import collections
import http.server
import threading
import time

PATIENCE = 120  # seconds; only a defect waits so long


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.gate.hold(self.path.strip("/"))
        body = b'{"let":true}'
        try:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            pass  # who asked was killed meanwhile

    def log_message(self, *arguments):
        pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


class Gate:
    """Calls of url(name) arrive in order, and wait until they are let go; names once opened wait no longer."""

    def __init__(self):
        self.changed = threading.Condition()
        self.arrived = []  # names, in order
        self.held = collections.deque()  # (name, event), the oldest first
        self.opened = set()
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.gate = self
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, name):
        return f"http://127.0.0.1:{self.server.server_port}/{name}"

    def hold(self, name):
        event = threading.Event()
        with self.changed:
            self.arrived.append(name)
            if name in self.opened:
                event.set()
            else:
                self.held.append((name, event))
            self.changed.notify_all()
        event.wait()

    def count(self, name):
        with self.changed:
            return self.arrived.count(name)

    def await_arrivals(self, name, count):
        end = time.monotonic() + PATIENCE
        with self.changed:
            while self.arrived.count(name) < count:
                if not self.changed.wait(max(0, end - time.monotonic())):
                    raise AssertionError(f"{self.arrived.count(name)} calls of {name}, not {count}")

    def let_one_go(self):
        """The one that waits longest."""
        with self.changed:
            self.held.popleft()[1].set()

    def open(self, name):
        with self.changed:
            self.opened.add(name)
            for held in [entry for entry in self.held if entry[0] == name]:
                self.held.remove(held)
                held[1].set()

    def close(self):
        with self.changed:
            for _, event in self.held:
                event.set()
            self.held.clear()
        self.server.shutdown()
        self.server.server_close()
