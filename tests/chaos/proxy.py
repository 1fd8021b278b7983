"""A proxy for TCP connections that cuts them, lets them hang half-open, or delays what goes through. Standard library only."""
import socket
import struct
import threading
import time

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


class Proxy:
    """Listens on a free port of its own (`port`) and connects each client to the target."""

    def __init__(self, target_port):
        self.target_port = target_port
        self.lock = threading.Lock()
        self.flowing = threading.Event()  # clear: what comes is kept and nobody is told
        self.flowing.set()
        self.refusing = False
        self.delay = 0.0  # seconds, of each piece
        self.sockets = set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.refusing:
                self._reset(client)
                continue
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client):
        self.flowing.wait()
        try:
            server = socket.create_connection(("127.0.0.1", self.target_port), timeout=10)
        except OSError:
            self._reset(client)
            return
        server.settimeout(None)
        with self.lock:
            self.sockets |= {client, server}
        for one, other in ((client, server), (server, client)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, source, sink):
        try:
            while piece := source.recv(65536):
                self.flowing.wait()
                if self.delay > 0:
                    time.sleep(self.delay)
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            self._reset(sink)
            self._reset(source)
        with self.lock:
            self.sockets.discard(source)

    @staticmethod
    def _reset(one):
        try:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        one.close()

    def cut(self):
        """Every connection is reset, and new ones are refused until heal()."""
        self.refusing = True
        with self.lock:
            sockets, self.sockets = self.sockets, set()
        for one in sockets:
            self._reset(one)

    def hang(self):
        """Connections stay open and nothing gets through, in neither direction, until heal()."""
        self.flowing.clear()

    def slow(self, seconds):
        self.delay = seconds

    def heal(self):
        self.refusing = False
        self.delay = 0.0
        self.flowing.set()

    def close(self):
        self.listener.close()
        self.heal()
        self.cut()
