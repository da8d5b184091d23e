"""Cells and what they say: amounts, dates, lists of tags, whatever people and banks write."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import date
from typing import Any

from tasks.import_expenses.contract.request import Dates
from tasks.import_expenses.contract.request import Decimal as Separator

#: Spaces of all widths, and the Swiss apostrophe: between thousands they say nothing.
_SPACES = re.compile("[\\s\u00a0\u202f\u2009'\u2019]")
_MINUS = str.maketrans({"−": "-", "–": "-", "﹣": "-", "－": "-"})
_AMOUNT = {
    ".": re.compile(r"(\d{1,3}(,\d{3})+|\d+)?(\.\d+)?"),
    ",": re.compile(r"(\d{1,3}(\.\d{3})+|\d+)?(,\d+)?"),
}
#: What a decimal separator looks like that cannot be one of thousands.
_TELLS: dict[Separator, re.Pattern[str]] = {
    ".": re.compile(r",\d{3}\.|\d\.(\d{1,2}|\d{4,})$|^0?\.\d|,\d{3},|^-?0\.\d"),
    ",": re.compile(r"\.\d{3},|\d,(\d{1,2}|\d{4,})$|^0?,\d|\.\d{3}\.|^-?0,\d"),
}
_SEPARATED = re.compile(r"\s*(\d{1,4})[-./ ](\d{1,2})[-./ ](\d{1,4})\.?(?:[T ]\s*\d{1,2}:.*)?\s*")
_SOLID = re.compile(r"\s*(\d{4})(\d{2})(\d{2})\s*")
#: Years of two digits: as POSIX `strptime` reads them.
_PIVOT = 69
ORDERS: tuple[Dates, ...] = ("ymd", "dmy", "mdy")


class Unclear(ValueError):
    """A cell does not say what it should; the message is for a person."""


def bare(cell: str) -> str:
    """An amount without spaces, with a plain minus before it: `(1 234,5)` is `-1234,5`."""
    text = _SPACES.sub("", cell).translate(_MINUS)
    if text.startswith("(") and text.endswith(")"):
        text = "-" + text[1:-1]
    if text.endswith("-"):
        text = "-" + text[:-1]
    return text.removeprefix("+")


def amount(cell: str, separator: Separator) -> str:
    """An amount as `182.50`.

    Raises:
        Unclear
    """
    text = bare(cell)
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    if not digits or not _AMOUNT[separator].fullmatch(digits):
        raise Unclear(f"Is no amount with the decimal separator `{separator}`")
    grouping = "," if separator == "." else "."
    whole, _, fraction = digits.replace(grouping, "").partition(separator)
    # 12.500 of a currency with two decimals is 12.50; what would lose something is kept
    fraction = fraction.rstrip("0")
    whole = (whole.lstrip("0") if len(whole) > 1 else whole) or "0"
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def negated(text: str) -> str:
    """The other sign."""
    return text[1:] if text.startswith("-") else f"-{text}"


def separators_in(cell: str) -> set[Separator]:
    """Which decimal separators a cell proves; none where it could be either."""
    text = bare(cell).removeprefix("-")
    return {separator for separator, tells in _TELLS.items() if tells.search(text)}


def has_separator(cell: str) -> bool:
    return "." in cell or "," in cell


def day(cell: str, order: Dates) -> date:
    """A date; a time behind it is left out.

    Raises:
        Unclear
    """
    found = _SOLID.fullmatch(cell) if order == "ymd" else None
    found = found or _SEPARATED.fullmatch(cell)
    if found is None:
        raise Unclear("Is no date")
    parts = dict(zip(order, found.groups(), strict=True))
    # nobody writes the year first and leaves out its century
    short = order != "ymd" and len(parts["y"]) == 2
    if not (short or len(parts["y"]) == 4) or max(len(parts["m"]), len(parts["d"])) > 2:
        raise Unclear(f"Is no date of the order {order}")
    year = int(parts["y"])
    if short:
        year += 2000 if year < _PIVOT else 1900
    try:
        return date(year, int(parts["m"]), int(parts["d"]))
    except ValueError:
        raise Unclear(f"Is no date of the order {order}") from None


def orders_of(cell: str, among: Iterable[Dates]) -> list[Dates]:
    """In which of these orders a cell is a date."""
    found = []
    for order in among:
        try:
            day(cell, order)
        except Unclear:
            continue
        found.append(order)
    return found


def tags(cell: str) -> list[str]:
    """`a; b` or `a, b`, or a JSON list of strings."""
    if cell.lstrip().startswith("["):
        listed = as_json(cell)
        if isinstance(listed, list) and all(isinstance(each, str) for each in listed):
            return listed
    return [tag for each in re.split(r"[;,]", cell) if (tag := each.strip())]


def as_json(cell: str) -> Any:
    """
    Raises:
        Unclear
    """
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        raise Unclear("Is no JSON") from None


def number(cell: str) -> float:
    """
    Raises:
        Unclear
    """
    try:
        return float(cell)
    except ValueError:
        raise Unclear("Is no number") from None


def count(cell: str) -> int:
    """
    Raises:
        Unclear
    """
    if not re.fullmatch(r"\d{1,9}", cell):
        raise Unclear("Is no whole number")
    return int(cell)
