"""Dates as receipts print them: which part is the day is a matter of country."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta

from tasks.read_receipt.contract import Suggestion
from tasks.read_receipt.engine.lines import Line

#: Where months come first. Canada writes both, and its tills mostly this (see CLDR, en-CA).
MONTH_FIRST = {"US", "CA", "PH"}
#: Begin of month names in English, German, Spanish and French, without accents.
_MONTHS = (
    ("jan", "ene"), ("feb", "fev"), ("mar", "mrz"), ("apr", "abr", "avr"), ("may", "mai"),
    ("jun", "juin"), ("jul", "juil"), ("aug", "ago", "aou"), ("sep",), ("oct", "okt"),
    ("nov",), ("dec", "dez", "dic"),
)  # fmt: skip
_PLAIN = str.maketrans("áàâäéèêûüô", "aaaaeeeuuo")
_YEAR_FIRST = re.compile(r"(?<!\d)(20\d\d)([-/.])(\d{1,2})\2(\d{1,2})(?!\d)")
_NUMBERS = re.compile(r"(?<!\d)(\d{1,2}) ?([-/.]) ?(\d{1,2}) ?\2 ?(20\d\d|\d\d)(?!\d)")
_DAY_NAME = re.compile(r"(?<!\d)(\d{1,2})\.?(?: de)?[ /-]*([a-z]{3,10})\.?(?: de)?[ ,/-]*(20\d\d)")
_NAME_DAY = re.compile(r"\b([a-z]{3,10})\.? ?(\d{1,2})(?:st|nd|rd|th)?[ ,]+ ?(20\d\d)")
_WORD = re.compile(r"\b(date|datum|fecha|dated)\b", re.IGNORECASE)
#: How much a date is believed that can be read in one way; in two, one of which its country
#: or its point decides; in two of which nothing decides. What is not yet, hardly at all.
CERTAIN, DECIDED, GUESSED, FUTURE = 0.98, 0.85, 0.5, 0.2


@dataclass(frozen=True)
class _Read:
    day: date
    belief: float


def date_of(lines: Sequence[Line], country: str | None, today: date) -> Suggestion | None:
    """The most believable date; of several alike the one announced as a date, then the first."""
    found = [
        (read.belief * line.confidence, bool(_WORD.search(line.text)), -number, read.day, line)
        for number, line in enumerate(lines)
        for read in _dates_in(line.text, country, today)
    ]
    if not found:
        return None
    confidence, _, _, day, line = max(found, key=lambda each: each[:3])
    return Suggestion(value=day.isoformat(), confidence=round(confidence, 3), text=line.text)


def _dates_in(text: str, country: str | None, today: date) -> Iterator[_Read]:
    low = text.lower().translate(_PLAIN)
    for year, _, month, day in _YEAR_FIRST.findall(low):
        yield from _checked(year, month, day, CERTAIN, today)
    for first, mark, second, year in _NUMBERS.findall(low):
        yield from _numbers(first, second, year, mark, country, today)
    for day, name, year in _DAY_NAME.findall(low):
        yield from _checked(year, _month(name), day, CERTAIN, today)
    for name, day, year in _NAME_DAY.findall(low):
        yield from _checked(year, _month(name), day, CERTAIN, today)


def _numbers(
    first: str, second: str, year: str, mark: str, country: str | None, today: date
) -> Iterator[_Read]:
    """Two numbers and a year."""
    day_first = list(_checked(year, second, first, CERTAIN, today))
    month_first = list(_checked(year, first, second, CERTAIN, today))
    # a point is only ever set behind a day that comes first
    by_month = country in MONTH_FIRST and mark != "."
    wanted, other = (month_first, day_first) if by_month else (day_first, month_first)
    if wanted and other and wanted[0].day != other[0].day:
        if wanted[0].belief == FUTURE != other[0].belief:
            wanted = other
        elif other[0].belief != FUTURE:
            decided = mark == "." or country is not None
            wanted = [_Read(wanted[0].day, DECIDED if decided else GUESSED)]
    yield from wanted or other


def _checked(
    year: str, month: str | int | None, day: str, belief: float, today: date
) -> Iterator[_Read]:
    """The date, where it is one."""
    whole = int(year) if len(year) == 4 else 2000 + int(year)
    with suppress(ValueError):
        found = date(whole, int(month or 0), int(day))
        # a day of grace: the receipt's zone may be ahead
        yield _Read(found, FUTURE if found > today + timedelta(days=1) else belief)


def _month(name: str) -> int | None:
    for number, begins in enumerate(_MONTHS, start=1):
        if name.startswith(begins):
            return number
    return None
