"""How the books are added up, and what they say."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from api.answers import UNCHANGED, IfMatch, IfNoneMatch, one
from api.deps import CurrentUser, Db
from api.periods import PeriodQuery
from api.schemas.base import One
from api.schemas.entries import Category
from api.schemas.finance import FinanceSettingsNew, FinanceSettingsRead, settings_shown
from api.schemas.summary import SummaryRead, summary_shown
from core.database import perform_async
from core.errors import Invalid
from services.books import finance, summary

router = APIRouter(prefix="/finance", tags=["finance"])


@router.get("/settings", response_model=One[FinanceSettingsRead], responses=UNCHANGED)
async def read_finance_settings(user: CurrentUser, db: Db, known: IfNoneMatch) -> Response:
    """The base currency and zone of the caller's books."""
    settings = await perform_async(db, finance.read(user.id))
    return known.unchanged(settings.version) or one(
        settings_shown(settings), version=settings.version
    )


@router.put("/settings", response_model=One[FinanceSettingsRead])
async def put_finance_settings(
    new: FinanceSettingsNew, user: CurrentUser, db: Db, versions: IfMatch
) -> Response:
    """Set them.

    Every expense that is not in this base currency is converted at the rate of its own day: the
    one its owner gave for this currency, else the reference rate. What has no rate stays
    unconverted; setting them once more tries again. Rates found earlier are never replaced.
    """
    settings = await perform_async(db, finance.put(user.id, new.currency, new.zone, versions))
    return one(settings_shown(settings), version=settings.version)


@router.get("/summary", response_model=One[SummaryRead])
async def read_summary(
    user: CurrentUser,
    db: Db,
    period: PeriodQuery,
    trip_id: UUID | None = None,
    category: Category | None = None,
) -> Response:
    """Add up a period: `from` the first day, before `to`; the whole trip or this month without.

    Only what was converted counts in totals of the base currency; the rest is listed beside it.
    An expense that is spread over days counts with its share of the days in the period.
    """
    if (period.first is None) != (period.end is None):
        missing = "from" if period.first is None else "to"
        raise Invalid(field_errors={missing: ["Give both `from` and `to`, or neither"]})
    wanted = summary.Wanted(period.first, period.end, trip_id, category)
    found = await perform_async(db, summary.summarise(user.id, wanted))
    return one(summary_shown(found))
