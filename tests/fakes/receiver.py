"""An endpoint on loopback that verifies what it gets with the library of receivers."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

#: Writes an answer itself; returns when the connection may be closed.
Behaviour = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    def verified_by(self, secret: str) -> bool:
        try:
            Webhook(secret).verify(self.body, self.headers)
        except WebhookVerificationError:
            return False
        return True


@dataclass
class Receiver:
    """What a test sets and reads.

    Attributes:
        answers: each is used once: a status, or a behaviour. After the last: 204.
        got: what came, in order.
        held: set, it lets go of those that `hold` keeps.
    """

    port: int = 0
    scheme: str = "http"
    answers: list[int | Behaviour] = field(default_factory=list)
    got: list[Got] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)
    connections: int = 0

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def hold(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer nothing until let go."""
        self.held.wait(20)
        status(204)(handler)


def status(code: int, **headers: str) -> Behaviour:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def drip(head: bytes, piece: bytes, every_s: float = 0.05, for_s: float = 15.0) -> Behaviour:
    """Some bytes, then few and few, far longer than anybody should wait."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        give_up_at = time.monotonic() + for_s
        handler.wfile.write(head)
        while time.monotonic() < give_up_at:
            handler.wfile.write(piece)
            handler.wfile.flush()
            time.sleep(every_s)

    return answer


@contextmanager
def receiver(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver on a free port of 127.0.0.1."""
    made = Receiver(scheme="https" if tls else "http")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["content-length"])
            headers = {name.lower(): value for name, value in self.headers.items()}
            made.got.append(Got(self.path, headers, self.rfile.read(size)))
            answer = made.answers.pop(0) if made.answers else 204
            behave = status(answer) if isinstance(answer, int) else answer
            with contextlib.suppress(OSError):  # the sender may have gone
                behave(self)
            self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def get_request(self) -> Any:
            made.connections += 1
            return super().get_request()

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # handshakes that fail are what some tests are about

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.held.set()
        server.shutdown()
        server.server_close()
