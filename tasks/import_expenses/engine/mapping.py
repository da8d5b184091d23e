"""Which column holds what: as the owner says, as our own files have it, or as headings suggest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from core.kind import JobFailed
from tasks.import_expenses.contract.headings import EXPENSES, TAKEN
from tasks.import_expenses.contract.request import Column, Columns, ImportOptions

_OWN = (list(EXPENSES), list(EXPENSES.values()))
#: Headings that banks and ledgers write, in their letters and digits alone; the first that is
#: there counts.
_HEADINGS: dict[str, tuple[str, ...]] = {
    "spent_on": (
        *("spenton", "date", "transactiondate", "postingdate", "bookingdate", "day"),
        *("buchungstag", "buchungsdatum", "datum", "wertstellung", "valuta"),
        *("dateoperation", "datedopération", "fecha", "fechaoperación", "data"),
    ),
    "amount": ("amount", "betrag", "umsatz", "betrageur", "montant", "importe", "importo", "sum"),
    "debit": ("debit", "withdrawal", "moneyout", "paidout", "outflow", "soll", "débit", "cargo"),
    "credit": ("credit", "deposit", "moneyin", "paidin", "inflow", "haben", "crédit", "abono"),
    "currency": ("currency", "währung", "waehrung", "devise", "moneda", "divisa", "currencycode"),
    "category": ("category", "kategorie", "catégorie", "categoría", "categoria"),
    "vendor": (
        *("vendor", "payee", "merchant", "counterparty", "name", "shop", "store"),
        *("empfänger", "auftraggeberempfänger", "begünstigterzahlungspflichtiger", "bénéficiaire"),
        *("beneficiario", "comercio"),
    ),
    "description": (
        *("description", "details", "memo", "reference", "narrative", "purpose"),
        *("verwendungszweck", "buchungstext", "libellé", "concepto", "descripción"),
    ),
    "note": ("note", "notes", "notiz", "comment", "comments", "remarque", "nota"),
    "payment_method": ("paymentmethod", "method", "account", "zahlungsart", "konto", "card"),
    "tags": ("tags", "labels", "schlagwörter"),
    "trip": ("tripid", "trip", "reise", "voyage", "viaje"),
}


@dataclass(frozen=True)
class Mapping:
    """Where the fields of an expense stand.

    Attributes:
        index: the cell of each field that has a column, from 0 on.
        own: the file is one of ours.
    """

    columns: Columns
    index: dict[str, int]
    header: list[str]
    guessed: bool
    own: bool
    own_for_people: bool

    def name_of(self, field: str) -> str | None:
        """What to call the column of a field."""
        position = self.index.get(field)
        if position is None:
            return None
        heading = self.header[position] if position < len(self.header) else ""
        return heading or str(position + 1)

    def missing(self, options: ImportOptions) -> list[str]:
        """What every expense needs and neither a column nor a fixed value gives."""
        fixed = options.fixed
        there = {
            "amount": {"amount", "debit", "credit"} & self.index.keys(),
            "spent_on": {"spent_on"} & self.index.keys(),
            "currency": {"currency"} & self.index.keys() or fixed.currency,
            "category": {"category"} & self.index.keys() or fixed.category,
        }
        return [field for field, given in there.items() if not given]


def map_columns(header: list[str], options: ImportOptions) -> Mapping:
    """Find the columns.

    Raises:
        JobFailed: one that the owner names is not there.
    """
    own = header in _OWN
    columns = options.columns
    if columns is None:
        columns = _of_own(header) if own else _guess(header)
    chosen: dict[str, Column] = columns.model_dump(exclude_none=True)
    index = {field: _position(column, header) for field, column in chosen.items()}
    wrong = {
        f"columns.{field}": ["There is no such column"]
        for field, position in index.items()
        if position is None
    }
    if wrong:
        raise JobFailed(
            "COLUMN_NOT_FOUND",
            "The file has no column " + ", ".join(repr(chosen[name[8:]]) for name in wrong) + ".",
            extra={"field_errors": wrong, "header": header},
        )
    found = {field: position for field, position in index.items() if position is not None}
    guessed = options.columns is None
    return Mapping(columns, found, header, guessed, own, own and header == _OWN[1])


def _position(column: Column, header: list[str]) -> int | None:
    if isinstance(column, int):
        return column - 1 if not header or column <= len(header) else None
    return header.index(column.strip()) if column.strip() in header else None


def _of_own(header: list[str]) -> Columns:
    names = list(EXPENSES)
    chosen: dict[str, Any] = {
        field: header[names.index(name)] for field, name in TAKEN.items() if name in names
    }
    return Columns(**chosen)


def _guess(header: list[str]) -> Columns:
    plain = [re.sub(r"[\W_]", "", heading.casefold()) for heading in header]
    found: dict[str, Any] = {}
    taken: set[int] = set()
    for field, headings in _HEADINGS.items():
        places = [plain.index(each) for each in headings if each in plain]
        free = [place for place in places if place not in taken]
        if free:
            # by number where another column has the same heading
            heading = header[free[0]]
            found[field] = heading if header.count(heading) == 1 else free[0] + 1
            taken.add(free[0])
    if "amount" in found:
        found = {name: each for name, each in found.items() if name not in ("debit", "credit")}
    return Columns(**found)
