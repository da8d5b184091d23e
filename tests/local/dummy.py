"""A stack of tiny processes under the real supervisor: `python -m tests.local.dummy`.

Its worker forks a child and writes what it was given to `env.json`; its API only answers.
"""

from __future__ import annotations

import sys
from pathlib import Path

from local.__main__ import start
from local.program import Program
from local.stack import Stack
from local.supervisor import Plan

API = """
import http.server, os
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *arguments): pass
address = "127.0.0.1", int(os.environ["API_PORT"])
http.server.ThreadingHTTPServer(address, Answer).serve_forever()
"""
WORKER = """
import json, os, signal
path = os.path.join(os.environ["DATA_DIR"], "env.json")
child = os.fork()
if child:
    with open(path + ".part", "w") as out:
        json.dump({**os.environ, "pid": os.getpid(), "child": child}, out)
    os.replace(path + ".part", path)
    signal.signal(signal.SIGTERM, lambda *_: (os.kill(child, 9), os._exit(0)))
while True:
    signal.pause()
"""


def plan_of(stack: Stack) -> Plan:
    def python(name: str, code: str) -> Program:
        command = (sys.executable, "-S", "-c", code)
        ready = stack.answers if name == "api" else None
        return Program(name, command, cwd=Path("/"), env=stack.env, ready=ready)

    return Plan(
        servers=[server.program() for server in stack.servers],
        steps=[python("migrate", "print('migrated')")],
        apps=[python("api", API), python("worker", WORKER)],
    )


if __name__ == "__main__":
    sys.exit(start(plan_of))
