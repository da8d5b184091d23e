"""The pictures of receipts that belong to the expenses of a report."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text

from core.database import Steps, bind
from services.books.reports.selection import Selection, expense_lines


@dataclass(frozen=True)
class Picture:
    """A picture in the artifact store.

    Attributes:
        number: of the page, from 1; 0: the receipt is this one picture.
    """

    expense_id: UUID
    name: str
    number: int
    media_type: str
    location: str


# A document is shown by the pictures of its first pages, which were drawn when it was taken.
_PICTURES = text(f"""
SELECT line.id AS expense_id, r.name, f.number, f.media_type, f.location
FROM (SELECT id, min(day) AS day FROM ({expense_lines("month")}) AS part GROUP BY id) AS line
JOIN receipts r ON r.expense_id = line.id AND r.owner_id = CAST(:owner AS uuid)
    AND r.deleted_at IS NULL AND r.taken_at IS NOT NULL
JOIN receipt_files f ON f.receipt_id = r.id
    AND (f.role = 'page' OR f.role = 'file' AND f.media_type LIKE 'image/%')
ORDER BY line.day, line.id, r.id, f.number
""")  # noqa: S608  # our own constants


def pictures(selection: Selection) -> Steps[list[Picture]]:
    """All of them, in the order of the lines of the report."""
    rows = (yield bind(_PICTURES, **selection.values())).all()
    return [Picture(**row._mapping) for row in rows]
