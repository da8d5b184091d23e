"""The end of a log, short enough for a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

LINES = 12
WIDTH = 160
ERROR = re.compile(r"[\w.]*(Error|Exception)\b|.*\b(ERROR|FATAL|CRITICAL)\b")


def last_words(log: Path) -> list[str]:
    lines = list(_lines(log)) if log.exists() else []
    # a long traceback or statement pushes the one line that matters out of sight
    errors = [line for line in lines[:-LINES] if ERROR.match(line)]
    return [line[:WIDTH] for line in errors[-1:] + lines[-LINES:]]


def _lines(log: Path) -> Iterator[str]:
    for line in log.read_text(errors="replace").splitlines():
        try:
            record = json.loads(line)
            texts = [str(record[key]) for key in ("event", "error", "exception") if record.get(key)]
        except (ValueError, TypeError, KeyError, AttributeError):
            yield line
        else:
            # of a traceback inside a record, its last lines say what happened
            yield from (part for text in texts for part in text.strip().splitlines()[-3:])
