"""Reports of 1,000 and 100,000 lines: time beside raw single-format writers, and peak memory."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from bench.ledgers import PERIOD, fill
from bench.load import closed_loop, request
from bench.rig import Rig

Figures = dict[str, Any]

FORMATS = ("pdf", "xlsx", "csv", "json")
#: The fastest that writes one format alone.
FASTEST = ("typst raw", "xlsxwriter raw", "COPY raw")
_ROWS = """
SELECT spent_on, category, description, vendor, note, payment_method, amount, currency,
    base_amount, fx_rate, fx_source FROM expenses WHERE owner_id = %s ORDER BY spent_on, id
"""


#: What a summary is asked for: `from` and `to`.
_PERIODS = {
    "a month": ("2025-06-01", "2025-07-01"),
    "a year": ("2025-01-01", "2026-01-01"),
    "all five years": (PERIOD["from"], PERIOD["to"]),
}


def _owner(token: str) -> UUID:
    """Whose token it is."""
    claims = token.split(".")[1]
    return UUID(json.loads(urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"])


def _summary_ms(rig: Rig, token: str, days: tuple[str, str]) -> float:
    """The median of three seconds of asking, one request at a time."""
    path = "/api/v1/finance/summary?from={}&to={}".format(*days)
    content = request("GET", path, token)
    loop = closed_loop(rig.api.port, lambda: content, connections=1, seconds=3)
    return round(asyncio.run(loop).quantile_ms(0.5), 1)


def _printed(owner: UUID, *formats: str) -> Figures:
    """What a report costs a worker, in a process of its own."""
    command = [sys.executable, "-m", "bench.printing", str(owner), *formats]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: Figures = json.loads(done.stdout)
    return found


def _raw_copy(sql: Any, owner: UUID, path: Path) -> None:
    with path.open("wb") as file, sql.cursor() as cursor:
        query = f"COPY ({_ROWS}) TO STDOUT (FORMAT csv, HEADER)"
        with cursor.copy(query, (owner,)) as rows:
            for block in rows:
                file.write(block)


def _raw_xlsxwriter(sql: Any, owner: UUID, path: Path) -> None:
    import xlsxwriter

    with xlsxwriter.Workbook(str(path)) as book:
        page = book.add_worksheet()
        money, day = (book.add_format({"num_format": each}) for each in ("0.00", "yyyy-mm-dd"))
        for number, row in enumerate(sql.execute(_ROWS, (owner,)), start=1):
            for column, value in enumerate(row):
                if column == 0:
                    page.write_datetime(number, column, value, day)
                elif column in (6, 8, 9):
                    page.write_number(number, column, float(value or 0), money)
                else:
                    page.write_string(number, column, value or "")


def _openpyxl(sql: Any, owner: UUID, path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    for row in sql.execute(_ROWS, (owner,)):
        book.active.append(row)
    book.save(path)


def _reportlab(sql: Any, owner: UUID, path: Path) -> None:
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import LongTable, SimpleDocTemplate

    rows = [[str(cell) for cell in row] for row in sql.execute(_ROWS, (owner,))]
    SimpleDocTemplate(str(path), pagesize=A4).build([LongTable(rows, repeatRows=1)])


_PEERS: dict[str, Callable[[Any, UUID, Path], None]] = {
    "COPY raw": _raw_copy,
    "xlsxwriter raw": _raw_xlsxwriter,
    "openpyxl, as most write it": _openpyxl,
    "reportlab, likewise": _reportlab,
}


def _typst_s(sql: Any, owner: UUID, folder: Path) -> float:
    """Seconds for the rows and a plain table of them; a fresh process, its start not counted."""
    began = time.perf_counter()
    rows = [[str(cell or "") for cell in row] for row in sql.execute(_ROWS, (owner,))]
    (folder / "rows.json").write_text(json.dumps(rows))
    read = time.perf_counter() - began
    command = [sys.executable, "-m", "bench.raw_typst", str(folder / "rows.json")]
    return read + float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _peer_s(rig: Rig, owner: UUID, rounds: int) -> dict[str, float]:
    """Median seconds of each peer, warm, in this process but for typst."""
    taken: dict[str, list[float]] = {name: [] for name in ("typst raw", *_PEERS)}
    with tempfile.TemporaryDirectory() as folder, rig.stores.sql() as sql:
        for _ in range(rounds + 1):
            taken["typst raw"].append(_typst_s(sql, owner, Path(folder)))
            for name, write in _PEERS.items():
                began = time.perf_counter()
                write(sql, owner, Path(folder) / "file")
                taken[name].append(time.perf_counter() - began)
    return {name: round(statistics.median(each[1:]), 3) for name, each in taken.items()}


def reports(rig: Rig, rounds: int = 5) -> Figures:
    """(k) Reports: 1,000 lines beside raw writers, memory at 100,000, the summary endpoint."""
    os.environ.update(rig.stores.env())
    token = rig.token()
    small, large = _owner(rig.token()), _owner(token)
    with rig.stores.sql() as sql:
        fill(sql, small, 1_000)
        fill(sql, large, 100_000)
    alone = {each: [_printed(small, each) for _ in range(rounds)] for each in FORMATS}
    whole = [_printed(small, *FORMATS) for _ in range(rounds)]
    peers = _peer_s(rig, small, rounds)
    figures: Figures = {
        "1,000 lines, median s": {
            **{name: statistics.median(run["s"] for run in runs) for name, runs in alone.items()},
            "all of them": statistics.median(run["s"] for run in whole),
        },
        "peers, median s": peers,
        "all of them beside the fastest of each (<= 1)": round(
            statistics.median(run["s"] for run in whole) / sum(peers[each] for each in FASTEST), 2
        ),
        "GET /finance/summary of 100,000, ms (<= 200)": {
            name: _summary_ms(rig, token, days) for name, days in _PERIODS.items()
        },
    }
    for each in FORMATS:
        figures[f"100,000 lines, {each}"] = {
            key: value for key, value in _printed(large, each).items() if key != "sizes"
        }
    return figures
