"""A TCP proxy that a test can cut, silence or slow down: a partition that needs no root."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

HOST = "127.0.0.1"


class Proxy:
    """Passes bytes on to one address.

    `silence()` is what a partition looks like: connections stay open, new ones are accepted by
    the kernel, and nothing arrives. `cut()` ends all connections and refuses new ones.
    """

    def __init__(self, url: str) -> None:
        """
        Args:
            url: of the server; `self.url` is the same with the address of the proxy.
        """
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        self._target = (parts.hostname, parts.port)
        self._open = threading.Event()
        self._open.set()
        self._ended = threading.Event()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._delay_s = 0.0
        self._listener = socket.create_server((HOST, 0))
        port = self._listener.getsockname()[1]
        self.url = urlunsplit(
            parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@{HOST}:{port}")
        )
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def silence(self) -> None:
        self._open.clear()

    def heal(self) -> None:
        self._open.set()

    def delay(self, seconds: float) -> None:
        """Hold every piece back so long, in either direction."""
        self._delay_s = seconds

    def cut(self) -> None:
        """End every connection; new ones come through."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            _close(pair)

    def close(self) -> None:
        self._ended.set()
        self._open.set()
        # wakes the accept, which closing alone does not
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target, timeout=5)
            except OSError:
                continue
            server.settimeout(None)
            self._pairs.append((client, server))
            threading.Thread(target=self._pass, args=(client, server), daemon=True).start()

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        other = {client: server, server: client}
        with selectors.DefaultSelector() as ready, suppress(OSError, ValueError):
            for one in other:
                ready.register(one, selectors.EVENT_READ)
            while not self._ended.is_set():
                for key, _ in ready.select(0.5):
                    source = key.fileobj
                    assert isinstance(source, socket.socket)
                    piece = source.recv(65536)
                    self._open.wait()
                    if self._delay_s:
                        time.sleep(self._delay_s)
                    if not piece:
                        raise OSError("its end")
                    other[source].sendall(piece)
        _close((client, server))


def _close(pair: tuple[socket.socket, socket.socket]) -> None:
    for one in pair:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
