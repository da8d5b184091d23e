"""How many files a process may hold open; each connection is one."""

from __future__ import annotations

import resource
from contextlib import suppress

#: Enough for all streams and other connections of one process.
OPEN_FILES = 16_384


def allow_many_files() -> None:
    """Ask for more than the 1,024 that most systems give, as far as they let us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # macOS allows less than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
