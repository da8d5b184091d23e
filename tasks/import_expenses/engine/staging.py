"""Rows that wait for the commit: in a file that has no name, and is gone whatever happens."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from pydantic_core import to_json


class Staged:
    """Rows of a table as lines of JSON. May be read any number of times."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115, closed with the last who knows it
        weakref.finalize(self, self._file.close)

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._file.seek(0, 2)
        self._file.writelines(to_json(row) + b"\n" for row in rows)

    def batches(self, size: int) -> Iterator[str]:
        """JSON lists of at most `size` rows each."""
        self._file.seek(0)
        while lines := list(islice(self._file, size)):
            yield (b"[" + b",".join(lines) + b"]").decode()
