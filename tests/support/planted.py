"""Secrets planted in every place where a flow can use one, and the search for them in what the platform keeps and says.
Standard library only."""
import base64
import ctypes
import http.server
import json
import re
import threading
import urllib.parse

from .caudal import link, node

SECRETS = {"TOKEN": "tok-Pl4nted+7f3a9c/e1==xyzzy", "ODD": "Pl4nted \"geheim\"\\n/ñ &wert=7", "DIGITS": "8412095573361",
           "DSN": "postgresql://flowuser:DsnPl4nted%21word@127.0.0.1:1/none", "PEM": "-----BEGIN KEY-----\nPl4ntedMIIEvQIBADANBg\nkqhkiG9w0BAQEFAASC\n-----END KEY-----\n"}
PARTS = {"DSN password": "DsnPl4nted%21word", "DSN password, decoded": "DsnPl4nted!word"}


def forms_of(value):
    """The value and its usual encodings, as bytes."""
    raw = value.encode()
    forms = {raw, json.dumps(value, ensure_ascii=False)[1:-1].encode(), json.dumps(value)[1:-1].encode(), urllib.parse.quote(value, safe="").encode(),
             urllib.parse.quote_plus(value).encode(), raw.hex().encode(), raw.hex().upper().encode()}
    for before in range(3):  # the part of each alignment that depends on the value alone
        encoded = base64.b64encode(b"\0" * before + raw).rstrip(b"=")
        inner = encoded[(before * 8 + 5) // 6:(before + len(raw)) * 8 // 6]
        forms |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return forms


FORMS = {name: forms_of(value) for name, value in {**SECRETS, **PARTS}.items()}


def found_in(content):
    """[(name, form)] of what stands in the bytes."""
    return [(name, form) for name, forms in FORMS.items() for form in forms if form in content]


ZSTD = ctypes.CDLL("libzstd.so.1")
ZSTD.ZSTD_getFrameContentSize.restype = ctypes.c_ulonglong
ZSTD.ZSTD_getFrameContentSize.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
ZSTD.ZSTD_decompress.restype = ctypes.c_size_t
ZSTD.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]


def unpack(packed):
    """What store_pack made of a document."""
    size = ZSTD.ZSTD_getFrameContentSize(packed, len(packed))
    assert size < 1 << 30, "no document"
    text = ctypes.create_string_buffer(size + 1)
    assert ZSTD.ZSTD_decompress(text, size, packed, len(packed)) == size
    return text.raw[:size]


def unpacked(message):
    """The documents inside a message."""
    return [unpack(base64.b64decode(found)) for found in re.findall(rb'"documentPacked":"([^"]*)"', message.replace(b"\\/", b"/"))]


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with all that it was sent, as JSON, and remembers it."""

    received, lock = [], threading.Lock()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        seen = {"path": self.path, "headers": dict(self.headers), "body": body}
        with self.lock:
            self.received.append(seen)
        answer = json.dumps(seen).encode()
        self.send_response(500 if self.path.startswith("/fail") else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Seen", self.headers.get("X-Key", ""))
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST

    def log_message(self, *arguments):
        pass


def start_echo():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


CODE = """console.log('token', secrets.TOKEN, JSON.stringify(secrets.ODD));
console.error($encode.base64('user:' + secrets.TOKEN), $encode.hex(secrets.ODD), encodeURIComponent(secrets.ODD));
return {plain: secrets.TOKEN, list: [secrets.ODD, {deep: 'x' + secrets.TOKEN + 'y'}], base64: $encode.base64('a' + secrets.ODD), pem: secrets.PEM,
        text: JSON.stringify({v: secrets.ODD}), [secrets.TOKEN]: 1, number: Number(secrets.DIGITS), url: $encode.url(secrets.ODD), length: secrets.TOKEN.length};"""


def nodes_of(echo):
    """A flow whose last node fails when all others have succeeded or failed."""
    base = f"http://127.0.0.1:{echo}"
    key = "{{ secrets.TOKEN }}"
    places = [
        node("http", "http-request", {"url": f"{base}/echo?t={{{{ $encode.url(secrets.TOKEN) }}}}", "method": "POST", "query": {"odd": "{{ secrets.ODD }}"},
                                      "headers": {"X-Key": key, "Authorization": "Bearer {{ secrets.TOKEN }}"}, "body": {"deep": [{"odd": "{{ secrets.ODD }}"}]}}),
        node("basic", "http-request", {"url": f"{base}/basic", "auth": {"type": "basic", "username": "user", "password": key}}),
        node("status", "http-request", {"url": f"{base}/fail/{{{{ secrets.TOKEN }}}}"}),
        node("refused", "http-request", {"url": "http://127.0.0.1:1/?key={{ secrets.TOKEN }}"}),
        node("nourl", "http-request", {"url": "{{ secrets.ODD }}"}),
        node("code", "code", {"code": CODE}),
        node("thrown", "code", {"code": "throw new Error('no: ' + secrets.TOKEN + ' ' + $encode.base64(secrets.ODD));"}),
        node("badexpr", "set-fields", {"data": {}, "fields": [{"field": "x", "value": "{{ JSON.parse(secrets.TOKEN) }}"}]}),
        node("log", "log", {"message": "the token is {{ secrets.TOKEN }} and {{ secrets.ODD }}"}),
        node("set", "set-fields", {"data": {}, "fields": [{"field": "odd", "value": "{{ secrets.ODD }}"}, {"field": key, "value": 1}]}),
        node("after", "set-fields", {"data": {}, "fields": [{"field": "again", "value": "{{ nodes.set.output.odd }}"}]}),
        node("sql", "postgresql-query", {"connectionString": "{{ secrets.DSN }}", "query": "SELECT 1"}),
        node("badsql", "sqlite-query", {"path": "planted.db", "write": True, "query": "SELECT '{{ secrets.TOKEN }}' FROMM {{ secrets.TOKEN }}"}),
        node("rows", "sqlite-query", {"path": "planted.db", "write": True, "query": "SELECT ?1 AS value", "parameters": ["{{ secrets.ODD }}"]}),
        node("text", "template", {"template": "Dear {{ secrets.ODD }} ${a}"}),
        node("each", "for-each", {"items": "{{ [secrets.TOKEN, variables.REGION] }}"}),
        {**node("inside", "log", {"message": "item {{ secrets.ODD }}"}), "parentId": "each"},
        node("stop", "stop-with-error", {"message": "at last {{ secrets.TOKEN }} and {{ $encode.base64(secrets.ODD) }}"})]
    outputs = {"http-request": "response", "postgresql-query": "result", "sqlite-query": "rows", "template": "text", "for-each": "results"}
    connections = [link("set", "after"), link("each", "inside", "item", "data")]
    for entry in places:
        name = entry["id"]
        if name in ("inside", "stop"):
            continue
        if entry["type"] not in ("http-request", "postgresql-query", "sqlite-query") and name not in ("after", "each"):
            connections.append(link("start", name))
        connections += [link(name, "stop", outputs.get(entry["type"], "output"), "data"), link(name, "stop", "error", "data")]
    return [node("start", "manual-trigger", {"output": {"a": 1}}), *places], connections


def hook_nodes(path):
    """Pure nodes: without a secret they would run inside the gateway."""
    return ([node("hook", "webhook-trigger", {"path": path, "responseMode": "lastNode"}),
             node("set", "set-fields", {"data": {}, "fields": [{"field": "token", "value": "{{ secrets.TOKEN }}"}, {"field": "region", "value": "{{ variables.REGION }}"}]})],
            [link("hook", "set", "body", "data")])
