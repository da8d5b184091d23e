"""How the books are added up."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api.answers import UNCHANGED, IfMatch, IfNoneMatch, one
from api.deps import CurrentUser, Db
from api.schemas.base import One
from api.schemas.finance import FinanceSettingsNew, FinanceSettingsRead, settings_shown
from core.database import perform_async
from services.books import finance

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
