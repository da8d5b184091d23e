"""One POST to one endpoint: to the addresses that were checked, within one time limit."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import httpcore2

from services.webhooks.addresses import (
    Resolver,
    Rules,
    Unresolvable,
    UnsafeAddress,
    check_addresses,
    check_target,
    read_url,
    resolve,
    system_resolver,
)

#: So much of an answer is read, for politeness only: its status says all. Bytes, seconds.
ANSWER_MAX = 16 * 1024
ANSWER_PATIENCE_S = 1.0
#: Addresses of a host that are tried, and how long each. Seconds.
ADDRESSES_TRIED = 4
CONNECT_TIMEOUT_S = 5.0
USER_AGENT = "wheels-and-wins-webhooks/1"


@dataclass(frozen=True)
class Answer:
    """What came back: a status, or the reason why there is none.

    Attributes:
        final: no other attempt can go otherwise, and the endpoint is not to blame.
    """

    status: int | None
    error: str | None
    duration_ms: int
    final: bool = False

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class _Clock:
    """When everything must have ended, whatever step is underway."""

    def __init__(self, seconds: float) -> None:
        self.began = time.monotonic()
        self.ends_at = self.began + seconds

    def left(self, error: type[Exception]) -> float:
        """Seconds that are left.

        Raises:
            Exception: `error`, if none are.
        """
        seconds = self.ends_at - time.monotonic()
        if seconds <= 0:
            raise error("time is over")
        return seconds

    def end_within(self, seconds: float) -> None:
        self.ends_at = min(self.ends_at, time.monotonic() + seconds)

    @property
    def spent_ms(self) -> int:
        return round((time.monotonic() - self.began) * 1000)


class _TimedStream(httpcore2.NetworkStream):
    """A stream whose every step ends with the clock: a byte a second buys no more time."""

    def __init__(self, inner: httpcore2.NetworkStream, clock: _Clock) -> None:
        self._inner, self._clock = inner, clock

    # the clock is in place of the timeouts that the pool would give

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        return self._inner.read(max_bytes, self._clock.left(httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._inner.write(buffer, self._clock.left(httpcore2.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore2.NetworkStream:
        left = self._clock.left(httpcore2.ConnectTimeout)
        return _TimedStream(self._inner.start_tls(ssl_context, server_hostname, left), self._clock)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _PinnedBackend(httpcore2.NetworkBackend):
    """Connects to given addresses and nowhere else: no name is looked up a second time."""

    def __init__(self, addresses: Sequence[str], clock: _Clock) -> None:
        self._addresses, self._clock = addresses[:ADDRESSES_TRIED], clock
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002
        port: int,
        timeout: float | None = None,  # noqa: ARG002
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        last: Exception = httpcore2.ConnectError("no address")
        for address in self._addresses:
            left = min(CONNECT_TIMEOUT_S, self._clock.left(httpcore2.ConnectTimeout))
            try:
                found = self._inner.connect_tcp(address, port, left, None, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                last = error
            else:
                return _TimedStream(found, self._clock)
        raise last


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """The system's trust, read once; the name that is verified is the URL's."""
    return ssl.create_default_context()


class Sender:
    """Posts messages. Ignores proxies of the environment, keeps no cookie, follows no redirect."""

    def __init__(
        self,
        rules: Rules,
        timeout_s: float,
        *,
        resolver: Resolver = system_resolver,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """
        Args:
            timeout_s: for all of it.
            resolver: asked once for each message.
            tls: whom to trust, if not whom the system trusts.
        """
        self._rules = rules
        self._timeout_s = timeout_s
        self._resolver = resolver
        self._tls = tls

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post a message; whatever goes wrong is in the answer, in words for the owner."""
        clock = _Clock(self._timeout_s)
        try:
            status = self._post(url, headers, body, clock)
        except (UnsafeAddress, Unresolvable) as refused:
            return Answer(None, str(refused), clock.spent_ms)
        except httpcore2.TimeoutException:
            return Answer(None, f"no answer within {self._timeout_s:g} s", clock.spent_ms)
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
            return Answer(None, _describe(error), clock.spent_ms)
        if 300 <= status < 400:
            return Answer(status, "redirects are not followed", clock.spent_ms)
        return Answer(status, None, clock.spent_ms)

    def _post(self, url: str, headers: Mapping[str, str], body: bytes, clock: _Clock) -> int:
        target = read_url(url)
        check_target(target, self._rules)
        left = clock.left(httpcore2.ConnectTimeout)
        found = resolve(target.host, target.port, self._resolver, left)
        addresses = check_addresses(target, found, self._rules)
        pool = httpcore2.ConnectionPool(
            ssl_context=self._tls or _trusted(),
            max_connections=1,
            max_keepalive_connections=0,
            network_backend=_PinnedBackend(addresses, clock),
        )
        sent = {
            "Host": target.host if ":" not in target.host else f"[{target.host}]",
            "User-Agent": USER_AGENT,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "close",
            **headers,
        }
        standard = {"https": 443, "http": 80}[target.scheme]
        if target.port != standard:
            sent["Host"] += f":{target.port}"
        with pool, pool.stream("POST", url, headers=list(sent.items()), content=body) as answer:
            clock.end_within(ANSWER_PATIENCE_S)
            _read_a_little(answer)
            return int(answer.status)


def _read_a_little(answer: httpcore2.Response) -> None:
    """Let the endpoint get rid of a short answer; a long or slow one is cut off."""
    size = 0
    try:
        for piece in answer.iter_stream():
            size += len(piece)
            if size > ANSWER_MAX:
                return
    except (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError):
        return


def _describe(error: Exception) -> str:
    if isinstance(error, httpcore2.ConnectError):
        # also where the certificate is not the host's
        return f"could not connect: {error}"[:200]
    if isinstance(error, httpcore2.ProtocolError):
        return "the answer was not HTTP"
    return "the connection broke"
