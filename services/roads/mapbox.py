"""The Mapbox Matrix API: one call, its limits and its errors."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import httpx2
import numpy as np
import numpy.typing as npt

from core.kind import JobFailed
from core.settings import Settings

LIMITS = {"driving": (25, 60), "driving-traffic": (10, 30)}
"""profile → (distinct places in a call, calls in a minute), as Mapbox documents them."""

TRIES = 4
FIRST_PAUSE_S = 0.5
#: Below the grace that a cancelled job is given, since nobody looks at the job meanwhile.
CALL_TIMEOUT_S = 4.0
#: A pause is cut into such pieces, so that a cancelled job does not sleep on.
GLANCE_S = 0.25

Place = tuple[float, float]
Cells = npt.NDArray[np.float64]

# its INFO line has the address of each call, and with it the token
logging.getLogger("httpx2").setLevel(logging.WARNING)
log = logging.getLogger(__name__)


class MapboxAway(Exception):
    """Mapbox does not answer in time, or not with what it promises."""


class _TryAgain(Exception):
    def __init__(self, why: str, pause_s: float | None = None) -> None:
        super().__init__(why)
        self.pause_s = pause_s


@dataclass(frozen=True)
class Patience:
    """How long may still be waited."""

    ends_at: float
    check: Callable[[], None]

    @classmethod
    def of(cls, seconds: float, check: Callable[[], None]) -> Self:
        return cls(time.monotonic() + seconds, check)

    @property
    def left_s(self) -> float:
        return self.ends_at - time.monotonic()

    def pause(self, seconds: float) -> None:
        """Wait, looking at the job in between.

        Raises:
            MapboxAway: at once, if patience would end before.
        """
        if seconds > self.left_s:
            raise MapboxAway("it asks for more patience than there is")
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.check()
            time.sleep(min(GLANCE_S, left))
        self.check()


class Mapbox:
    """A client of the Matrix API. Not for several threads at once."""

    def __init__(self, settings: Settings) -> None:
        assert settings.mapbox_token is not None, "chosen only with a token"
        self._token = settings.mapbox_token
        self._path = f"/directions-matrix/v1/mapbox/{settings.mapbox_profile}"
        self._http = httpx2.Client(base_url=settings.mapbox_url, timeout=CALL_TIMEOUT_S)

    def close(self) -> None:
        self._http.close()

    def cells(
        self, sources: Sequence[Place], targets: Sequence[Place], patience: Patience
    ) -> tuple[Cells, Cells]:
        """Seconds and metres from each source to each target; NaN where Mapbox knows no way.

        Args:
            sources, targets: (lat, lon), together not more distinct ones than `LIMITS` allows.

        Raises:
            MapboxAway: no usable answer within tries and patience.
            JobFailed: Mapbox refuses the token or the question; a repeat would not help.
        """
        pause_s = FIRST_PAUSE_S
        for left in reversed(range(TRIES)):
            patience.check()
            try:
                return self._ask(sources, targets, patience)
            except _TryAgain as again:
                log.warning("mapbox does not answer: %s; %d tries left", again, left)
                if not left:
                    raise MapboxAway(str(again)) from None
                patience.pause(pause_s if again.pause_s is None else again.pause_s)
                pause_s *= 2
        raise AssertionError("the last try returns or raises")

    def _ask(
        self, sources: Sequence[Place], targets: Sequence[Place], patience: Patience
    ) -> tuple[Cells, Cells]:
        places = list(dict.fromkeys([*sources, *targets]))
        query = {
            "sources": ";".join(str(places.index(place)) for place in sources),
            "destinations": ";".join(str(places.index(place)) for place in targets),
            "annotations": "duration,distance",
            "access_token": self._token.get_secret_value(),
        }
        where = ";".join(f"{lon:.5f},{lat:.5f}" for lat, lon in places)
        timeout = max(0.1, min(CALL_TIMEOUT_S, patience.left_s))
        try:
            answer = self._http.get(f"{self._path}/{where}", params=query, timeout=timeout)
        except httpx2.TransportError as error:
            # its text may have the address, and with it the token
            raise _TryAgain(type(error).__name__) from None
        return _read(answer, (len(sources), len(targets)))


def _read(answer: httpx2.Response, shape: tuple[int, int]) -> tuple[Cells, Cells]:
    if answer.status_code == 429:
        raise _TryAgain("too many requests", _until_reset(answer))
    if answer.status_code >= 500 or 300 <= answer.status_code < 400:
        raise _TryAgain(f"status {answer.status_code}")
    try:
        body = answer.json()
        code, message = body.get("code"), str(body.get("message", ""))[:200]
    except (ValueError, AttributeError):
        raise _TryAgain("no JSON object") from None
    if answer.status_code != 200:
        raise _refusal(answer.status_code, message)
    if code in ("NoRoute", "NoSegment"):
        return np.full(shape, np.nan), np.full(shape, np.nan)
    if code != "Ok":
        raise _refusal(422, message or f"code {code}")
    return _cells(body, "durations", shape), _cells(body, "distances", shape)


def _cells(body: dict[str, Any], name: str, shape: tuple[int, int]) -> Cells:
    try:
        cells = np.array(body[name], dtype=np.float64)  # null becomes NaN
    except (KeyError, TypeError, ValueError):
        raise _TryAgain(f"no table of {name}") from None
    if cells.shape != shape or (cells < 0).any() or np.isinf(cells).any():
        raise _TryAgain(f"a table of {name} that was not asked for")
    return cells


def _until_reset(answer: httpx2.Response) -> float | None:
    """Seconds until Mapbox answers again, as it says itself; None if it does not."""
    try:
        if "Retry-After" in answer.headers:
            wait = float(answer.headers["Retry-After"])
        else:  # a Unix time
            wait = float(answer.headers["X-Rate-Limit-Reset"]) - time.time()
    except (KeyError, ValueError):
        return None
    return max(0.1, wait) if math.isfinite(wait) else None


def _refusal(status: int, message: str) -> JobFailed:
    if status in (401, 403):
        log.error("mapbox refuses our token (status %d): %s", status, message)
        return JobFailed(
            "ROADS_REFUSED",
            "The map service refused our access token; whoever runs this service must mend it",
            status=502,
        )
    log.error("mapbox refuses a question (status %d): %s", status, message)
    return JobFailed("ROADS_REJECTED", f"The map service refused these places: {message}")
