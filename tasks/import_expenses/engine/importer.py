"""Reading a file of expenses from end to end: what is wrong, what is double, what will be written.

Memory is flat: lines are read in batches, and rows that shall be written wait in a file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from uuid import UUID

from core.kind import JobFailed, Progress, Run
from core.money import exponent_of, shown
from tasks.import_expenses.contract.expense import ExpenseNew
from tasks.import_expenses.contract.request import ImportRequest
from tasks.import_expenses.contract.result import (
    PREVIEW,
    FileRead,
    ImportResult,
    ImportTotal,
    PreviewLine,
    Suspect,
    WrongLine,
)
from tasks.import_expenses.engine import survey as walk
from tasks.import_expenses.engine.books import Books, Entry, words
from tasks.import_expenses.engine.lines import Lines, Spelling
from tasks.import_expenses.engine.mapping import Mapping, map_columns
from tasks.import_expenses.engine.opening import Source, open_source
from tasks.import_expenses.engine.staging import Staged
from tasks.import_expenses.engine.survey import Survey

#: Lines that are read, looked up and converted together.
BATCH = 2_000
#: How far the work is when nothing but the commit is left.
READ = 0.9
#: Wrong lines that the error of a failed import names; a dry run names more.
IN_ERROR = 100


@dataclass(frozen=True)
class Bounds:
    """How much of everything there may be.

    Attributes:
        lines: with an expense, in one file.
        errors: that a result names; of suspects as many.
    """

    lines: int
    errors: int


@dataclass(frozen=True)
class Checked:
    """A file that was read: what came of it, and what is to be written.

    Attributes:
        categories, trips: that the lines name; `made`: names of new categories by key.
        base: the currency into which the rows are converted.
    """

    result: ImportResult
    rows: Staged
    base: str | None
    categories: frozenset[str]
    trips: frozenset[UUID]
    made: dict[str, str]


@dataclass
class _Tally:
    """What has been seen so far."""

    wrong: int = 0
    errors: list[WrongLine] = field(default_factory=list)
    more_errors: int = 0
    sums: dict[str, Decimal] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    unconverted: int = 0
    duplicates: int = 0
    suspects: list[Suspect] = field(default_factory=list)
    preview: list[PreviewLine] = field(default_factory=list)
    #: How many of the entries that are there have found their line.
    paired: Counter[bytes] = field(default_factory=Counter)


def read_file(
    path: Path,
    request: ImportRequest,
    *,
    books: Books,
    run: Run,
    bounds: Bounds,
    new_id: Callable[[], UUID],
) -> Checked:
    """Read a file of expenses.

    Args:
        new_id: ids for the rows.

    Raises:
        JobFailed: nothing can be read, or, unless it is a dry run, something is wrong.
        RunStopped
    """
    run.report(Progress(fraction=0.0, stage="reading"))
    source = open_source(path, request)
    mapping = map_columns(source.header, request)
    found = walk.survey(source, mapping, run, bounds.lines)
    if not found.rows:
        raise JobFailed("FILE_WITHOUT_LINES", "There is no expense in the file.")
    undecided = _undecided(found, mapping, request)
    spelling = Spelling(
        found.decimal(request, mapping) or ".",
        found.dates(request, mapping) or "ymd",
        mapping.own_for_people if request.guarded is None else request.guarded,
    )
    if not request.dry_run:
        _insist(undecided, mapping)
    lines = Lines(mapping, spelling, request, books)
    reading = _Reading(lines, request, run, bounds, new_id, found.rows)
    if not undecided:
        reading.read(source)
    result = _result(request, source, mapping, found, undecided, spelling, reading.tally, lines)
    if not request.dry_run and result.wrong:
        raise _refusal(result)
    return Checked(
        result, reading.rows, books.base, frozenset(lines.used), frozenset(lines.trips), lines.made
    )


def _undecided(found: Survey, mapping: Mapping, request: ImportRequest) -> list[str]:
    """What nobody has said and the file does not tell. Money is not read by a guess."""
    open_ = mapping.missing(request)
    if "spent_on" not in open_ and found.dates(request, mapping) is None:
        open_.append("dates")
    if "amount" not in open_ and found.decimal(request, mapping) is None:
        open_.append("decimal")
    return open_


def _insist(undecided: list[str], mapping: Mapping) -> None:
    if mapping.guessed and not mapping.own:
        raise JobFailed(
            "COLUMNS_NEEDED",
            "Say which column is what: a guess is shown by a dry run, and not imported.",
            extra={"header": mapping.header, "guess": mapping.columns.model_dump()},
        )
    if undecided:
        raise JobFailed(
            "IMPORT_UNDECIDED",
            "The file leaves open: " + ", ".join(undecided) + ".",
            extra={"undecided": undecided, "header": mapping.header},
        )


def _refusal(result: ImportResult) -> JobFailed:
    named = result.errors[:IN_ERROR]
    left_out = len(result.errors) - len(named) + result.more_errors
    return JobFailed(
        "LINES_WRONG",
        f"{result.wrong:,} of {result.rows:,} lines are wrong; nothing was imported.",
        extra={"errors": [each.model_dump() for each in named], "more_errors": left_out},
    )


class _Reading:
    """The second walk through a file, batch by batch."""

    def __init__(
        self,
        lines: Lines,
        request: ImportRequest,
        run: Run,
        bounds: Bounds,
        new_id: Callable[[], UUID],
        expected: int,
    ) -> None:
        self._lines, self._request, self._run = lines, request, run
        self._bounds, self._new_id, self._expected = bounds, new_id, expected
        self.tally, self.rows = _Tally(), Staged()

    def read(self, source: Source) -> None:
        remaining, seen = iter(source.lines()), 0
        while batch := list(islice(remaining, BATCH)):
            seen += len(batch)
            good: list[tuple[int, ExpenseNew]] = []
            for line in batch:
                expense = self._lines.read(line)
                if isinstance(expense, list):
                    self._refuse(expense)
                else:
                    good.append((line.number, expense))
            # what will be refused need not be looked up
            if self._request.dry_run or not self.tally.wrong:
                self._accept(good)
            self._report(seen)

    def _report(self, seen: int) -> None:
        part = READ * seen / self._expected
        data = {"lines": seen, "of": self._expected, "wrong": self.tally.wrong}
        self._run.report(Progress(fraction=min(part, READ), stage="checking", data=data))

    def _refuse(self, wrong: list[WrongLine]) -> None:
        self.tally.wrong += 1
        room = max(0, self._bounds.errors - len(self.tally.errors))
        self.tally.errors += wrong[:room]
        self.tally.more_errors += len(wrong[room:])

    def _accept(self, good: Sequence[tuple[int, ExpenseNew]]) -> None:
        for line, expense in good[: PREVIEW - len(self.tally.preview)]:
            shown_as = expense.model_dump(mode="json", exclude_defaults=True)
            self.tally.preview.append(PreviewLine(line=line, expense=shown_as))
        entries = [{**each.columns(), "amount": Decimal(each.amount)} for _, each in good]
        kept = self._without_twins([line for line, _ in good], entries)
        rows = []
        for entry, conversion in zip(kept, self._lines.books.converted(kept), strict=True):
            currency = entry["currency"]
            self.tally.sums[currency] = self.tally.sums.get(currency, Decimal(0)) + entry["amount"]
            self.tally.counts[currency] += 1
            self.tally.unconverted += conversion["base_currency"] is None
            own = {"id": self._new_id(), "exponent": exponent_of(currency)}
            rows.append({**own, **entry, **conversion})
        if not self._request.dry_run:
            self.rows.add(rows)

    def _without_twins(self, numbers: list[int], entries: Sequence[Entry]) -> list[Entry]:
        """What is left of a batch; as many lines are double as there are entries like them."""
        kept = []
        found = self._lines.books.twins(entries)
        for number, entry, twins in zip(numbers, entries, found, strict=True):
            if twins is None or self.tally.paired[_like(entry)] >= twins.count:
                kept.append(entry)
                continue
            self.tally.paired[_like(entry)] += 1
            self.tally.duplicates += 1
            if len(self.tally.suspects) < self._bounds.errors:
                self.tally.suspects.append(Suspect(line=number, expense_id=twins.example))
            if self._request.duplicates == "keep":
                kept.append(entry)
        return kept


def _like(entry: Entry) -> bytes:
    """What entries share that are like each other; short, for all of a file may be double."""
    parts = (entry["spent_on"], entry["amount"], entry["currency"], words(entry).lower())
    return blake2b("\0".join(map(str, parts)).encode(), digest_size=16).digest()


def _result(
    request: ImportRequest,
    source: Source,
    mapping: Mapping,
    found: Survey,
    undecided: list[str],
    spelling: Spelling,
    tally: _Tally,
    lines: Lines,
) -> ImportResult:
    taken = sum(tally.counts.values())
    return ImportResult(
        dry_run=request.dry_run,
        file=_file(request, source, mapping, found, spelling),
        columns=mapping.columns,
        guessed=mapping.guessed,
        undecided=undecided,
        rows=found.rows,
        imported=0 if request.dry_run else taken,
        wrong=tally.wrong,
        errors=tally.errors,
        more_errors=tally.more_errors,
        totals=[
            ImportTotal(currency=code, amount=shown(tally.sums[code], code), count=count)
            for code, count in sorted(tally.counts.items())
        ],
        unconverted=tally.unconverted,
        duplicates=tally.duplicates,
        skipped=tally.duplicates if request.duplicates == "skip" else 0,
        suspects=tally.suspects,
        more_suspects=tally.duplicates - len(tally.suspects),
        new_categories=sorted(lines.made),
        preview=tally.preview,
    )


def _file(
    request: ImportRequest, source: Source, mapping: Mapping, found: Survey, spelling: Spelling
) -> FileRead:
    return FileRead(
        encoding=source.encoding,
        bom=source.bom,
        delimiter=source.delimiter,
        decimal=found.decimal(request, mapping),
        dates=found.dates(request, mapping),
        guarded=spelling.guarded,
        header=source.header,
        sample=found.sample,
    )
