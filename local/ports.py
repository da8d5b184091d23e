"""Free ports on loopback."""

from __future__ import annotations

import random
import socket

HOST = "127.0.0.1"
# Below every system's ephemeral range, so that no outgoing connection sits on a server's
# port at the moment it is restarted.
RANGE = range(20_000, 30_000)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # as the servers do; without it a port in TIME_WAIT would look taken after every stop
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            return False
    return True


def free_port() -> int:
    for port in random.sample(RANGE, 200):
        if is_free(port):
            return port
    raise OSError(f"no free port between {RANGE.start} and {RANGE.stop}")
