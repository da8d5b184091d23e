"""A small S3 on loopback: what obstore's client asks of one, and errors on demand."""

from __future__ import annotations

import hashlib
import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


class FakeS3:
    """Objects by bucket and key. Signatures are not checked.

    Attributes:
        refuse: a status that requests are answered with instead, 0 for none.
        refusals: how many of them; below zero, all.
    """

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, datetime]] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.refuse, self.refusals = 0, -1
        self.requests: list[str] = []
        self.port = 0

    def env(self) -> dict[str, str]:
        """What a process is told that should use it."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    def put(self, name: str, content: bytes) -> None:
        self.objects[name] = (content, datetime.now(UTC))


def _etag(content: bytes) -> str:
    return f'"{hashlib.md5(content).hexdigest()}"'


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    s3: FakeS3

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _begin(self) -> tuple[str, dict[str, list[str]], bytes] | None:
        """Name, query and body; None where the request was refused."""
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.s3.requests.append(f"{self.command} {self.path}")
        if self.s3.refuse and self.s3.refusals:
            self.s3.refusals -= 1
            self._answer(self.s3.refuse, b"<Error><Code>Refused</Code></Error>")
            return None
        query = parse_qs(parts.query, keep_blank_values=True)
        return unquote(parts.path).strip("/"), query, body

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", headers.pop("length", str(len(body))))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_PUT(self) -> None:
        if (asked := self._begin()) is None:
            return
        name, query, body = asked
        if "uploadId" in query:
            self.s3.parts[query["uploadId"][0]][int(query["partNumber"][0])] = body
        else:
            self.s3.put(name, body)
        self._answer(200, ETag=_etag(body))

    def do_POST(self) -> None:
        if (asked := self._begin()) is None:
            return
        name, query, body = asked
        if "uploads" in query:
            upload = uuid.uuid4().hex
            self.s3.parts[upload] = {}
            self._xml("InitiateMultipartUploadResult", f"<UploadId>{upload}</UploadId>")
        elif "uploadId" in query:
            pieces = self.s3.parts.pop(query["uploadId"][0])
            self.s3.put(name, b"".join(pieces[number] for number in sorted(pieces)))
            self._xml("CompleteMultipartUploadResult", "<ETag>&quot;m&quot;</ETag>")
        else:
            assert "delete" in query
            keys = re.findall(r"<Key>(.*?)</Key>", body.decode())
            for key in keys:
                self.s3.objects.pop(f"{name}/{key}", None)
            self._xml("DeleteResult", "".join(f"<Deleted><Key>{k}</Key></Deleted>" for k in keys))

    def do_GET(self) -> None:
        if (asked := self._begin()) is None:
            return
        name, query, _ = asked
        if "list-type" in query:
            self._list(name, query)
            return
        if name not in self.s3.objects:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        content, at = self.s3.objects[name]
        about = {"ETag": _etag(content), "Last_Modified": at.strftime("%a, %d %b %Y %H:%M:%S GMT")}
        asked_range = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if asked_range is None:
            self._answer(200, content, **about)
            return
        first, last = int(asked_range[1]), min(int(asked_range[2]), len(content) - 1)
        about["Content_Range"] = f"bytes {first}-{last}/{len(content)}"
        self._answer(206, content[first : last + 1], **about)

    do_HEAD = do_GET  # noqa: N815

    def _list(self, bucket: str, query: dict[str, list[str]]) -> None:
        """Pages of ten, so that the client has to turn them."""
        prefix, after = query.get("prefix", [""])[0], query.get("continuation-token", [""])[0]
        names = sorted(n for n in self.s3.objects if n.startswith(f"{bucket}/{prefix}"))
        left = [name for name in names if name > after]
        rows = "".join(
            f"<Contents><Key>{escape(name.partition('/')[2])}</Key><Size>{len(content)}</Size>"
            f"<LastModified>{at:%Y-%m-%dT%H:%M:%S}.000Z</LastModified><ETag>x</ETag></Contents>"
            for name in left[:10]
            for content, at in [self.s3.objects[name]]
        )
        if len(left) > 10:
            rows += f"<NextContinuationToken>{escape(left[9])}</NextContinuationToken>"
        self._xml("ListBucketResult", rows)

    def _xml(self, root: str, inner: str) -> None:
        self._answer(200, f"<?xml version='1.0'?><{root}>{inner}</{root}>".encode())


@contextmanager
def fake_s3() -> Iterator[FakeS3]:
    """A server on a free port of loopback, gone at the end."""
    made = FakeS3()
    handler = type("Handler", (_Handler,), {"s3": made})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
