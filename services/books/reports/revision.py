"""Whether the books have changed since a report was made of them, and that report."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from uuid import UUID

from sqlalchemy import text

from core.database import Steps, bind
from models.job import Status

#: What a report reads. Every change of a row of these makes its version grow, and rows are hidden,
#: never removed: so the number of rows and the sum of their versions grow with every change, in
#: whichever order transactions commit. A vehicle's version counts its log, a trip's its stops.
_TABLES = (
    *("expenses", "incomes", "categories", "budgets", "finance_settings", "vehicles", "trips"),
)
# Deleted receipts are removed after a while, and one becomes ready without a new version.
_RECEIPTS = """
SELECT 'receipts', count(*), coalesce(sum(version), 0) FROM receipts WHERE owner_id = :owner
UNION ALL
SELECT 'receipts_taken', count(taken_at),
    coalesce(CAST(extract(epoch FROM max(updated_at)) * 1000000 AS bigint), 0)
FROM receipts WHERE owner_id = :owner
"""
_COUNTS = [
    f"SELECT '{table}' AS name, count(*) AS rows, coalesce(sum(version), 0) AS versions"  # noqa: S608
    f" FROM {table} WHERE owner_id = :owner"
    for table in _TABLES
]
_REVISION = text(" UNION ALL ".join((*_COUNTS, _RECEIPTS)))


def revision(owner_id: UUID) -> Steps[str]:
    """What stands for the state of an owner's books; another one means that they have changed."""
    rows = (yield bind(_REVISION, owner=owner_id)).all()
    return fingerprint({row.name: [int(row.rows), int(row.versions)] for row in rows})[:16]


def fingerprint(facts: dict[str, Any]) -> str:
    """SHA-256 of facts that JSON can say, in hexadecimal digits."""
    written = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()


# Files that are about to go are no files to name: whoever reads the answer has a day at least.
_MADE = text("""
SELECT p.result, coalesce(jsonb_object_agg(a.id, least(a.expires_at, j.expires_at)), '{}') AS files
FROM jobs j JOIN job_payloads p ON p.job_id = j.id
JOIN artifacts a ON a.job_id = j.id AND a.owner_id = j.owner_id AND a.missing_at IS NULL
WHERE j.owner_id = :owner AND j.kind = :kind AND j.status = :status
    AND p.result ->> 'fingerprint' = :fingerprint AND p.result ->> 'made_by' = CAST(j.id AS text)
    AND least(a.expires_at, j.expires_at) > now() + interval '1 day'
GROUP BY j.id, p.result ORDER BY j.id DESC LIMIT 1
""")


def made_before(owner_id: UUID, kind: str, wanted: str) -> Steps[dict[str, Any] | None]:
    """The result of a job of the owner with this fingerprint that still has all of its files.

    Returns:
        As JSON values, its files with the times at which they expire; or None.
    """
    found = yield bind(
        _MADE, owner=owner_id, kind=kind, fingerprint=wanted, status=Status.SUCCEEDED.value
    )
    row = found.first()
    if row is None:
        return None
    result: dict[str, Any] = row.result
    files: dict[str, str] = row.files
    if any(each["id"] not in files for each in result["artifacts"]):
        return None
    artifacts = [{**each, "expires_at": files[each["id"]]} for each in result["artifacts"]]
    return {**result, "artifacts": artifacts}
