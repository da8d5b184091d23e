"""How often one may ask: writes counted in this process, sign-in counted in the broker's store."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request
from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from api.ending import end
from api.visit import visit_of
from core.errors import TooManyRequests
from core.log import log
from core.settings import Settings


@dataclass(frozen=True)
class Rule:
    """At most `amount` in `window_s` seconds, per key."""

    name: str
    amount: int
    window_s: int


#: A person clicks some ten times a minute, an importing script ten times a second.
WRITES = Rule("writes", 1200, 60)
#: Every submit is work for a worker; the quota of unfinished jobs bounds what may pile up.
SUBMITS = Rule("submits", 600, 60)
#: A whole campsite may sit behind one address; each try costs 30 ms of hashing.
SIGN_IN_PER_ADDRESS = Rule("sign-in-address", 120, 60)
#: Guessing a password: nobody mistypes their own so often.
SIGN_IN_PER_ACCOUNT = Rule("sign-in-account", 10, 60)

#: What a request gives the store to answer before it counts by itself.
STORE_PATIENCE_S = 0.05
PROBE_EVERY_S = 0.5
#: Keys of the local buckets kept before those that have recovered are swept out.
MANY_KEYS = 50_000


@dataclass(frozen=True)
class Verdict:
    """What one rule says about one request."""

    rule: Rule
    allowed: bool
    remaining: int
    reset_s: float


class Buckets:
    """Leaky buckets in memory (GCRA): one number per key, right to the millisecond."""

    def __init__(self) -> None:
        self._full_at: dict[tuple[str, str], float] = {}

    def hit(self, rule: Rule, key: str, now: float | None = None, times: int = 1) -> Verdict:
        """Count a request, or so many at once, unless the bucket holds too little."""
        now = time.monotonic() if now is None else now
        cost = rule.window_s / rule.amount
        full_at = max(self._full_at.get((rule.name, key), now), now)
        allowed = full_at - now + cost * times <= rule.window_s * (1 + 1e-9)
        if allowed:
            full_at += cost * times
            self._full_at[rule.name, key] = full_at
            self._sweep(now)
        used = full_at - now
        remaining = int((rule.window_s - used) / cost + 1e-9)
        reset_s = used if allowed else used + cost * times - rule.window_s
        return Verdict(rule, allowed, remaining, reset_s)

    def _sweep(self, now: float) -> None:
        if len(self._full_at) > MANY_KEYS:
            self._full_at = {key: at for key, at in self._full_at.items() if at > now}


class SharedCounters:
    """Counters that all processes share; while the store is away, whoever asks is told so."""

    def __init__(self, settings: Settings) -> None:
        self._client = Redis.from_url(
            settings.redis_url,
            socket_timeout=STORE_PATIENCE_S,
            socket_connect_timeout=STORE_PATIENCE_S,
            # the client's default is ten tries with pauses, four seconds of silence
            retry=Retry(NoBackoff(), 0),
        )
        storage = RedisStorage(
            f"async+{settings.redis_url}",
            implementation="redispy",
            connection_pool=self._client.connection_pool,  # type: ignore[arg-type]
        )
        self._strategy = SlidingWindowCounterRateLimiter(storage)
        self._probe: asyncio.Task[None] | None = None
        self.up = False

    async def start(self) -> None:
        await self._look()
        self._probe = asyncio.create_task(self._watch(), name="limit-store-probe")

    async def stop(self) -> None:
        if self._probe is not None:
            await end([self._probe])
        await self._client.aclose()

    async def hit(self, rule: Rule, key: str) -> Verdict | None:
        """Count one request; None when the store does not answer at once."""
        if not self.up:
            return None
        item = RateLimitItemPerSecond(rule.amount, rule.window_s, namespace=rule.name)
        try:
            async with asyncio.timeout(STORE_PATIENCE_S):
                allowed = await self._strategy.hit(item, key)
                stats = await self._strategy.get_window_stats(item, key)
        except (TimeoutError, OSError, RedisError):
            self._note(up=False)  # the next request does not even try
            return None
        reset_s = max(stats.reset_time - time.time(), 0.0)
        return Verdict(rule, allowed, max(stats.remaining, 0), reset_s)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(PROBE_EVERY_S)
            await self._look()

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(STORE_PATIENCE_S * 4):
                up = bool(await self._client.ping())
        except (TimeoutError, OSError, RedisError):
            up = False
        self._note(up=up)

    def _note(self, *, up: bool) -> None:
        if up != self.up:
            log.warning("limit_store", up=up)
        self.up = up


class Limiter:
    """The limits of one process."""

    def __init__(self, settings: Settings) -> None:
        self.enabled = settings.rate_limits
        self._buckets = Buckets()
        self._shared = SharedCounters(settings)

    async def start(self) -> None:
        if self.enabled:
            await self._shared.start()

    async def stop(self) -> None:
        await self._shared.stop()

    def check_writes(self, request: Request, user_id: object, *rules: Rule, times: int = 1) -> None:
        """Count a write of this user by all `rules`, without asking anybody.

        Args:
            times: how many it is worth.

        Raises:
            TooManyRequests: one of the rules says no.
        """
        if self.enabled:
            judge(request, [self._buckets.hit(rule, str(user_id), times=times) for rule in rules])

    async def check_sign_in(self, request: Request, account: str | None = None) -> None:
        """Count a try to sign in, by address and (if named) by account.

        Raises:
            TooManyRequests: there were too many.
        """
        if not self.enabled:
            return
        asked = [(SIGN_IN_PER_ADDRESS, _address(request))]
        if account is not None:
            # the store is seen by operators; it holds no e-mail address
            digest = hashlib.sha256(account.encode()).hexdigest()[:32]
            asked.append((SIGN_IN_PER_ACCOUNT, digest))
        shared = await asyncio.gather(*(self._shared.hit(rule, key) for rule, key in asked))
        judge(
            request,
            [
                verdict or self._buckets.hit(rule, key)
                for verdict, (rule, key) in zip(shared, asked, strict=True)
            ],
        )


def judge(request: Request, verdicts: Sequence[Verdict]) -> None:
    """Put the limits into the answer's headers.

    Raises:
        TooManyRequests: one of the verdicts is no.
    """
    headers = visit_of(request.scope).headers
    headers["RateLimit-Policy"] = ", ".join(
        f'"{v.rule.name}";q={v.rule.amount};w={v.rule.window_s}' for v in verdicts
    )
    headers["RateLimit"] = ", ".join(
        f'"{v.rule.name}";r={v.remaining};t={math.ceil(v.reset_s)}' for v in verdicts
    )
    tightest = min(verdicts, key=lambda v: (v.allowed, v.remaining))
    headers["X-RateLimit-Limit"] = str(tightest.rule.amount)
    headers["X-RateLimit-Remaining"] = str(tightest.remaining)
    headers["X-RateLimit-Reset"] = str(math.ceil(time.time() + tightest.reset_s))
    refused = [verdict for verdict in verdicts if not verdict.allowed]
    if refused:
        wait_s = max(math.ceil(max(verdict.reset_s for verdict in refused)), 1)
        raise TooManyRequests(retry_after_s=wait_s)


def _address(request: Request) -> str:
    """The caller's address; the server has resolved proxies it trusts, we read no header."""
    host = request.client.host if request.client else "unknown"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        # one household owns a whole /64
        return str(ipaddress.ip_network((address, 64), strict=False))
    return host
