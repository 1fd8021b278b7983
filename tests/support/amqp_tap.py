"""Listens to all that goes through a RabbitMQ broker: its firehose (rabbitmqctl trace_on), over AMQP 0-9-1 by hand.
Standard library only."""
import socket
import struct
import threading

METHOD, END = 1, b"\xce"


def short_string(text):
    raw = text.encode()
    return bytes([len(raw)]) + raw


class Tap:
    """From the start to stop() all messages, headers included, are in `heard`."""

    def __init__(self, port):
        self.heard = []
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.bytes = b""
        self.socket.sendall(b"AMQP\0\0\x09\x01")
        self.expect(10, 10)
        plain = b"\0guest\0guest"
        self.send(0, 10, 11, struct.pack(">I", 0) + short_string("PLAIN") + struct.pack(">I", len(plain)) + plain + short_string("en_US"))
        tune = self.expect(10, 30)
        channels, frame_max, _ = struct.unpack(">HIH", tune[:8])
        self.send(0, 10, 31, struct.pack(">HIH", channels, frame_max, 0))
        self.send(0, 10, 40, short_string("/") + short_string("") + b"\0")
        self.expect(10, 41)
        self.call(20, 10, short_string(""), 11)
        self.call(50, 10, struct.pack(">H", 0) + short_string("tap") + b"\x04" + struct.pack(">I", 0), 11)  # exclusive
        self.call(50, 20, struct.pack(">H", 0) + short_string("tap") + short_string("amq.rabbitmq.trace") + short_string("#") + b"\0" + struct.pack(">I", 0), 21)
        self.call(60, 20, struct.pack(">H", 0) + short_string("tap") + short_string("tap") + b"\x02" + struct.pack(">I", 0), 21)  # no acknowledgements
        self.socket.settimeout(None)
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def send(self, channel, group, method, arguments):
        payload = struct.pack(">HH", group, method) + arguments
        self.socket.sendall(struct.pack(">BHI", METHOD, channel, len(payload)) + payload + END)

    def call(self, group, method, arguments, answer):
        self.send(1, group, method, arguments)
        self.expect(group, answer)

    def take(self, count):
        while len(self.bytes) < count:
            more = self.socket.recv(1 << 20)
            if not more:
                raise ConnectionError("the broker ended the connection")
            self.bytes += more
        taken, self.bytes = self.bytes[:count], self.bytes[count:]
        return taken

    def frame(self):
        kind, _, size = struct.unpack(">BHI", self.take(7))
        payload = self.take(size)
        assert self.take(1) == END
        return kind, payload

    def expect(self, group, method):
        kind, payload = self.frame()
        assert kind == METHOD and struct.unpack(">HH", payload[:4]) == (group, method), payload[:200]
        return payload[4:]

    def listen(self):
        try:
            message = b""
            while True:
                kind, payload = self.frame()
                if kind == METHOD and message:  # the next delivery begins
                    self.heard.append(message)
                    message = b""
                message += payload
        except (OSError, ConnectionError):
            self.heard.append(message)

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()
        return self.heard
