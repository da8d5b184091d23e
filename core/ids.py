"""Identifiers: time-ordered ones for rows that only their owner sees, random ones for strangers."""

from __future__ import annotations

import os
import threading
import time
from uuid import UUID, uuid4

_lock = threading.Lock()
_last = 0


def new_id() -> UUID:
    """A UUIDv7: 48 bits of Unix milliseconds, then random bits (RFC 9562 section 5.7).

    Ids of one process ascend also within a millisecond, where the last one is counted on
    (section 6.2, method 2), so that lists by id keep the order in which rows were made.
    """
    global _last
    stamp = time.time_ns() // 1_000_000
    fresh = (stamp & (2**48 - 1)) << 74 | int.from_bytes(os.urandom(10)) >> 6
    with _lock:
        # the step is random too, so that nobody guesses a neighbour
        _last = value = max(fresh, _last + 1 + int.from_bytes(os.urandom(4)))
    high, low = value >> 62, value & (2**62 - 1)
    time_bits, rand_a = high >> 12, high & 0xFFF
    return UUID(int=time_bits << 80 | 0x7 << 76 | rand_a << 64 | 0x2 << 62 | low)


def public_id() -> UUID:
    """A random UUID (version 4), for what a stranger may see: it tells no time and no order."""
    return uuid4()
