"""A worker whose writes are not fenced: whoever wakes up late still writes its result."""

from sqlalchemy import text

from services.jobs import running, settle
from tests.faults.app import app, kinds

FENCED = (
    "AND r.fence = :fence AND r.lease_until IS NOT NULL",
    "AND fence = :fence AND lease_until IS NOT NULL",
    "AND fence = :fence",
)
#: True for everybody; the statement must still name its parameter.
OPEN = "AND CAST(:fence AS uuid) IS NOT NULL"

for module, names in ((running, ("_HOLD", "_PROGRESS")), (settle, ("_SETTLE", "_AGAIN"))):
    for name in names:
        fenced = getattr(module, name).text
        found = next(part for part in FENCED if part in fenced)
        setattr(module, name, text(fenced.replace(found, OPEN)))

__all__ = ["app", "kinds"]
