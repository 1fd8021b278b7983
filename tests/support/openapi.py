"""Holds answers to the OpenAPI document of the program under test."""
import functools
import json
import re
import subprocess

try:
    import jsonschema
except ImportError:  # a Python beside Debian's: python3-jsonschema is there all the same
    import sys
    sys.path.append("/usr/lib/python3/dist-packages")
    import jsonschema


class Document:
    def __init__(self, program):
        self.document = json.loads(subprocess.run([program, "openapi"], capture_output=True, check=True).stdout)
        self.routes = []
        for path, item in self.document["paths"].items():
            pattern = re.compile("".join("[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{\w+\})", path)) + "$")
            self.routes.append((path.count("{"), pattern, item))
        self.routes.sort(key=lambda route: route[0])  # literal segments win
        self.validators = {}

    def operation(self, method, path):
        path = path.split("?")[0]
        for _, pattern, item in self.routes:
            if pattern.match(path) and method.lower() in item:
                return item[method.lower()]
        return None

    def check(self, method, path, answer):
        """Raises AssertionError when a JSON answer is not of the shape that the document gives for its status."""
        operation = self.operation(method, path)
        content = operation and operation["responses"].get(str(answer.status), {}).get("content", {}).get("application/json")
        if not content or (answer.status == 503 and b'"code"' not in answer.text):  # health answers 503 with the health itself
            return
        key = id(content)
        if key not in self.validators:
            schema = {**content["schema"], "components": self.document["components"]}
            self.validators[key] = jsonschema.Draft202012Validator(schema)
        error = jsonschema.exceptions.best_match(self.validators[key].iter_errors(answer.json))
        assert error is None, f"{method} {path} answered {answer.status} otherwise than documented: at {'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"


@functools.lru_cache(maxsize=None)
def document_of(program):
    return Document(program)
