#!/usr/bin/env python3
"""The page as the gateway serves it: which file, compressed, cached, and under which policy."""
import gzip
import http.client
import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support.caudal import Answer, Caudal  # noqa: E402

INDEX = b"<!doctype html><title>page</title>"
SCRIPT = b"console.log('page')"


def request(caudal, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", caudal.port, timeout=40)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        return Answer(connection.getresponse())
    finally:
        connection.close()


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.web = tempfile.mkdtemp(prefix="caudal-page-")
        os.mkdir(os.path.join(cls.web, "assets"))
        for name, content in (("index.html", INDEX), ("assets/main-1a2b.js", SCRIPT), ("assets/main-1a2b.js.gz", gzip.compress(SCRIPT)),
                              ("assets/main-1a2b.js.br", b"brotli"), ("icon.svg", b"<svg/>"), (".secret.js", b"hidden")):
            with open(os.path.join(cls.web, name), "wb") as file:
                file.write(content)
        with open(os.path.join(os.path.dirname(cls.web), "outside.js"), "wb") as file:
            file.write(b"outside")
        os.symlink(os.path.join(os.path.dirname(cls.web), "outside.js"), os.path.join(cls.web, "link.js"))
        cls.caudal = Caudal(WEB_DIR=cls.web)

    @classmethod
    def tearDownClass(cls):
        cls.caudal.stop()
        os.remove(os.path.join(os.path.dirname(cls.web), "outside.js"))
        shutil.rmtree(cls.web)

    def test_the_pages_own_addresses_give_its_index(self):
        for path in ("/", "/flows", "/webhooks", "/flows/0123", "/executions/a/b?x=1"):
            answer = request(self.caudal, path)
            self.assertEqual((answer.status, answer.text), (200, INDEX), path)
            self.assertEqual(answer.headers["content-type"], "text/html; charset=utf-8")
            self.assertEqual(answer.headers["cache-control"], "no-cache")

    def test_the_policy_allows_nothing_inline_and_no_other_host(self):
        for path in ("/", "/assets/main-1a2b.js"):
            policy = request(self.caudal, path).headers["content-security-policy"]
            self.assertIn("default-src 'none'", policy)
            self.assertIn("script-src 'self';", policy)
            self.assertIn("style-src 'self';", policy)
            self.assertNotIn("unsafe", policy)
            self.assertNotIn("http", policy)
            self.assertIn("frame-ancestors 'none'", policy)

    def test_named_by_content_is_kept_for_good(self):
        answer = request(self.caudal, "/assets/main-1a2b.js")
        self.assertEqual((answer.status, answer.text), (200, SCRIPT))
        self.assertEqual(answer.headers["cache-control"], "public, max-age=31536000, immutable")
        self.assertEqual(answer.headers["content-type"], "text/javascript; charset=utf-8")
        self.assertEqual(answer.headers["x-content-type-options"], "nosniff")

    def test_what_the_browser_unpacks_is_sent_packed(self):
        for accepted, coding, text in (("gzip, deflate, br", "br", b"brotli"), ("gzip", "gzip", gzip.compress(SCRIPT)),
                                       ("br;q=0, gzip;q=0.5", "gzip", None), ("identity", None, SCRIPT), ("brotli", None, SCRIPT)):
            answer = request(self.caudal, "/assets/main-1a2b.js", Accept_Encoding=accepted)
            self.assertEqual(answer.headers.get("content-encoding"), coding, accepted)
            self.assertEqual(answer.headers["vary"], "Accept-Encoding")
            self.assertEqual(answer.headers["content-type"], "text/javascript; charset=utf-8")
            if coding == "gzip":
                self.assertEqual(gzip.decompress(answer.text), SCRIPT)
            elif text is not None:
                self.assertEqual(answer.text, text)

    def test_what_is_known_is_not_sent_again(self):
        for path in ("/", "/flows", "/icon.svg"):
            tag = request(self.caudal, path).headers["etag"]
            again = request(self.caudal, path, If_None_Match=tag)
            self.assertEqual((again.status, again.text), (304, b""), path)
            self.assertEqual(again.headers["etag"], tag)
            self.assertEqual(request(self.caudal, path, If_None_Match='"other"').status, 200)
        packed = request(self.caudal, "/assets/main-1a2b.js", Accept_Encoding="br").headers["etag"]
        self.assertEqual(request(self.caudal, "/assets/main-1a2b.js", If_None_Match=packed).status, 200)

    def test_a_new_build_is_seen(self):
        path = os.path.join(self.web, "icon.svg")
        former = request(self.caudal, "/icon.svg").headers["etag"]
        with open(path, "wb") as file:
            file.write(b"<svg>changed</svg>")
        answer = request(self.caudal, "/icon.svg", If_None_Match=former)
        self.assertEqual((answer.status, answer.text), (200, b"<svg>changed</svg>"))

    def test_missing_files_are_missing(self):
        for path in ("/assets/gone-0000.js", "/assets/", "/gone.css", "/link.js", "/.secret.js", "/../outside.js", "/%2e%2e/outside.js",
                     "/assets/..%2f..%2foutside.js", "/assets/%00.js", "/" + "a" * 300 + ".js"):
            answer = request(self.caudal, path)
            self.assertEqual(answer.status, 404, path)
            self.assertEqual(answer.json["code"], "NOT_FOUND", path)

    def test_the_services_own_addresses_never_give_a_page(self):
        for path in ("/api", "/api/v1/nothing", "/api/nothing.js", "/webhooks/nothing", "/metrics/x"):
            answer = request(self.caudal, path)
            self.assertEqual(answer.status, 404, path)
            self.assertIn("json", answer.headers["content-type"], path)
        self.assertEqual(request(self.caudal, "/flows", method="POST").status, 404)
        self.assertEqual(request(self.caudal, "/api/docs").status, 200)
        self.assertEqual(request(self.caudal, "/flows", method="HEAD").text, b"")


class NoPage(unittest.TestCase):
    def test_without_a_page_the_documentation_is_shown(self):
        empty = tempfile.mkdtemp(prefix="caudal-page-")
        caudal = Caudal(WEB_DIR=empty)
        try:
            answer = request(caudal, "/")
            self.assertEqual((answer.status, answer.headers["location"]), (302, "/api/docs"))
            self.assertEqual(request(caudal, "/flows").status, 404)
            self.assertIn("WEB_DIR", caudal.log_text())
        finally:
            caudal.stop()
            os.rmdir(empty)


if __name__ == "__main__":
    unittest.main()
