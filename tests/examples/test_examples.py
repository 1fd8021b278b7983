"""The examples, on their own data, checked against results computed here."""
import csv
import email
import email.utils
import http.client
import json
import os
import pathlib
import queue
import re
import socket
import subprocess
import sys
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from support.caudal import PROGRAM, Caudal  # noqa: E402
from support.cluster import POSTGRES, Cluster  # noqa: E402

EXAMPLES = ROOT / "examples"


class MailServer:
    """Takes mails (RFC 5321, as far as a client without extensions needs) on a port of its own."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.mails = queue.Queue()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as stream:
                self.talk(stream)

    def talk(self, stream):
        def say(line):
            stream.write(line + b"\r\n")
            stream.flush()

        say(b"220 test")
        for line in iter(stream.readline, b""):
            if line.upper().startswith(b"DATA"):
                say(b"354 go on")
                lines = []
                while (text := stream.readline()) not in (b".\r\n", b""):
                    lines.append(text[1:] if text.startswith(b".") else text)
                self.mails.put(b"".join(lines))
            say(b"221 bye" if line.upper().startswith(b"QUIT") else b"250 ok")

    def wait(self):
        return self.mails.get(timeout=120)

    def close(self):
        self.socket.close()


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.caudal = Caudal()
        cls.files = pathlib.Path(cls.caudal.directory) / "files"
        (cls.files / "orders.csv").write_bytes((EXAMPLES / "data/orders.csv").read_bytes())

    @classmethod
    def tearDownClass(cls):
        cls.caudal.stop()

    def flow(self, name, **replace):
        text = (EXAMPLES / name).read_text(encoding="utf-8")
        for old, new in replace.items():
            text = text.replace(old, new)
        flow = json.loads(text)
        made = self.caudal.flow(flow["name"], flow["nodes"], flow["connections"], active=True, description=flow["description"], settings=flow.get("settings"))
        verdict = self.caudal.post(f"/flows/{made['id']}/validate").json
        self.assertEqual((verdict["errors"], verdict["warnings"]), ([], []), name)
        return made

    def test_orders(self):
        detail = self.caudal.wait(self.caudal.run(self.flow("orders.json")))
        self.assertEqual(detail["status"], "success", detail)
        with open(EXAMPLES / "data/orders.csv", encoding="utf-8", newline="") as file:
            paid = [row for row in csv.DictReader(file) if row["status"] == "paid"]
        expected = {}
        for row in paid:
            entry = expected.setdefault(row["country"], {"country": row["country"], "orders": 0, "sales": 0, "largest": 0})
            entry["orders"] += 1
            entry["sales"] += float(row["total"])
            entry["largest"] = max(entry["largest"], float(row["total"]))
        written = json.loads((self.files / "sales-by-country.json").read_text(encoding="utf-8"))
        self.assertEqual([row["country"] for row in written], list(expected))
        for row in written:
            wanted = expected[row["country"]]
            self.assertEqual((row["orders"], float(row["largest"])), (wanted["orders"], wanted["largest"]))
            self.assertAlmostEqual(row["sales"], wanted["sales"], places=4)
        self.assertEqual(detail["result"]["body"], written)
        count = subprocess.run(["sqlite3", str(self.files / "sales.db"), 'SELECT count(*), count(DISTINCT "order") FROM paid_orders'], capture_output=True, text=True, check=True)
        self.assertEqual(count.stdout.strip(), f"{len(paid)}|{len(paid)}")

    def test_make_orders_gives_the_same_file(self):
        before = (EXAMPLES / "data/orders.csv").read_bytes()
        subprocess.run([sys.executable, str(EXAMPLES / "make-orders")], check=True)
        self.assertEqual((EXAMPLES / "data/orders.csv").read_bytes(), before)

    def api(self):
        """The product API on a free port: it is asked until it answers."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen([sys.executable, str(EXAMPLES / "catalogue-api"), str(port)])
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return str(port)
            except OSError:
                time.sleep(0.02)
        self.fail("the product API did not start")

    def test_catalogue(self):
        self.flow("catalogue.json", **{"8099": self.api()})
        answer = self.caudal.get("/webhooks/products")
        self.assertEqual((answer.status, answer.headers["x-source"]), (200, "catalogue"), answer.text)
        products = json.loads((EXAMPLES / "data/products.json").read_text(encoding="utf-8"))
        self.assertGreater(len(products), 100)  # three pages and more
        self.assertEqual(answer.json, [{"name": p["name"], "price": p["price"], "currency": "EUR"} for p in products if p["stock"] > 0])

    def test_watch(self):
        flow = self.flow("watch.json", **{"8099": "9"})  # port 9: nobody answers
        schedule = self.caudal.post("/scheduler/schedules", {"flowId": flow["id"], "name": "watch", "cronExpression": "* * * * * *"}).data
        end = time.monotonic() + 30
        rows = []
        while not rows and time.monotonic() < end:
            rows = self.caudal.get(f"/scheduler/executions?scheduleId={schedule['id']}&status=success").data["data"]
            time.sleep(0.05)
        self.caudal.post(f"/scheduler/schedules/{schedule['id']}/disable")
        detail = self.caudal.get(f"/scheduler/executions/{rows[-1]['id']}").data
        nodes = {n["nodeId"]: n for n in detail["nodeExecutions"]}
        self.assertEqual((nodes["ask"]["status"], len(nodes["ask"]["attempts"])), ("failed", 3))
        self.assertNotIn("good", {n for n, v in nodes.items() if v["status"] == "success"})
        self.assertEqual(json.loads((self.files / "outage.json").read_text(encoding="utf-8"))["nodeId"], "ask")

    def test_import_page_by_page(self):
        """Killed in the middle: every product is there once."""
        flow = self.flow("import.json", **{"8099": self.api()})
        run = self.caudal.run(flow)
        self.caudal.kill()
        self.caudal.start()
        detail = self.caudal.wait(run)
        self.assertEqual(detail["status"], "success", detail)
        products = json.loads((EXAMPLES / "data/products.json").read_text(encoding="utf-8"))
        pages = len(products) // 50 + 1
        self.assertEqual(detail["result"]["body"], {"page": pages, "rows": len(products) % 50})
        kept = subprocess.run(["sqlite3", str(self.files / "products.db"), "SELECT count(*), count(DISTINCT name) FROM products"], capture_output=True, text=True, check=True)
        self.assertEqual(kept.stdout.strip(), f"{len(products)}|{len({p['name'] for p in products})}")
        fetches = [r for r in self.caudal.get(f"/scheduler/executions/{run}/attempts").data if r["nodeId"] == "fetch" and r["outcome"] == "success"]
        self.assertEqual(len({r["iteration"] for r in fetches}), pages)

    def shop(self):
        """PostgreSQL with the example's shop."""
        cluster = Cluster()
        self.addCleanup(cluster.remove)
        self.addCleanup(cluster.down)
        cluster.start_postgres()
        subprocess.run([POSTGRES + "psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", cluster.database_url(), "-f", str(EXAMPLES / "shop.sql")], check=True, stdout=subprocess.DEVNULL)
        self.assertEqual(self.caudal.post("/variables", {"name": "shop_database", "value": cluster.database_url()}).status, 201)
        return cluster

    def answer(self, run, decision, **fields):
        """As a person does it, under the link of the execution's waits."""
        end = time.monotonic() + 60
        while not (waits := self.caudal.get(f"/scheduler/executions/{run}").data["waits"]):
            self.assertLess(time.monotonic(), end, waits)
            self.assertNotIn((detail := self.caudal.get(f"/scheduler/executions/{run}").data)["status"], ("failed", "success"), detail)
            time.sleep(0.02)
        connection = http.client.HTTPConnection("127.0.0.1", self.caudal.port, timeout=40)
        form = "&".join(f"{name}={value}" for name, value in {"decision": decision, **fields}.items())
        connection.request("POST", waits[0]["url"], form, {"Content-Type": "application/x-www-form-urlencoded"})
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()
        return waits[0]

    def test_synchronisation_with_an_approval(self):
        """Killed while somebody is asked, and after the answer: every order is there once."""
        shop = self.shop()
        flow = self.flow("sync.json")
        run = self.caudal.run(flow)
        self.answer(run, "reject")
        self.assertEqual(self.caudal.wait(run)["result"]["body"], {"copied": 0})
        self.assertFalse((self.files / "warehouse.db").exists())
        run = self.caudal.run(flow)
        self.caudal.kill()
        self.caudal.start()
        total = shop.sql("SELECT sum(total) FROM orders")
        self.assertEqual(self.answer(run, "approve", **{"field.ticket": "T-1"})["title"], "Copy 250 orders?")
        self.caudal.kill()
        self.caudal.start()
        self.assertEqual(self.caudal.wait(run)["result"]["body"], {"copied": 250, "ticket": "T-1"})
        kept = subprocess.run(["sqlite3", str(self.files / "warehouse.db"), "SELECT count(*), count(DISTINCT id), printf('%.2f', sum(total)) FROM orders"], capture_output=True, text=True, check=True)
        self.assertEqual(kept.stdout.strip(), f"250|250|{total}")
        self.assertEqual(shop.sql("SELECT count(*) FROM orders WHERE copied_at IS NULL"), "0")
        self.assertEqual(self.caudal.wait(self.caudal.run(flow))["result"]["body"], {"copied": 0})

    def test_nightly_report(self):
        mails = MailServer()
        self.addCleanup(mails.close)
        flow = self.flow("report.json", **{"2525": str(mails.port)})
        schedule = self.caudal.post("/scheduler/schedules", {"flowId": flow["id"], "name": "nightly", "cronExpression": "* * * * * *", "overlap": "skip"}).data
        mail = mails.wait()
        self.caudal.post(f"/scheduler/schedules/{schedule['id']}/disable")
        with open(EXAMPLES / "data/orders.csv", encoding="utf-8", newline="") as file:
            paid = [row for row in csv.DictReader(file) if row["status"] == "paid"]
        sales = {}
        for row in paid:
            sales[row["country"]] = sales.get(row["country"], 0) + float(row["total"])
        message = email.message_from_bytes(mail)
        self.assertIn("Sales by country, 20", message["Subject"])
        self.assertEqual((email.utils.parseaddr(message["From"]), message["To"]), (("Caudal", "caudal@example.com"), "sales@example.com"))
        parts = {part.get_content_type(): part.get_payload(decode=True).decode() for part in message.walk() if not part.is_multipart()}
        ranked = sorted(sales, key=sales.get, reverse=True)
        self.assertEqual(re.findall(r"<tr><td>(\w+)</td>", parts["text/html"]), ranked)
        figures = json.loads(parts["application/json"])
        self.assertEqual([row["country"] for row in figures], ranked)
        for row in figures:
            self.assertAlmostEqual(row["sales"], sales[row["country"]], places=4)

    def test_demo(self):
        """What ./run shows."""
        directory = os.path.join(self.caudal.directory, "demo")
        env = {**os.environ, "DATA_DIR": directory, "PORT": "0", "WS_PORT": "0", "METRICS_PORT": "0"}
        process = subprocess.Popen([PROGRAM, "standalone", "--demo", str(EXAMPLES)], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Open "):
                break
        process.terminate()
        process.stdout.close()
        self.assertEqual(process.wait(timeout=60), 0)
        text = "".join(lines)
        for expected in ("Loaded Orders by country", "Loaded Products in stock", "Loaded Watch the product API", "Loaded Nightly sales report", "Loaded Import products page by page", "Loaded Synchronise orders after an approval", "success", '"country": "ES"'):
            self.assertIn(expected, text)
        self.assertTrue(re.search(r"^Open http://127\.0\.0\.1:\d+ ", text, re.M))


if __name__ == "__main__":
    unittest.main(verbosity=1)
