"""Incomes: write down, list with totals, read, change, delete, restore."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from api.answers import (
    CREATED,
    UNCHANGED,
    Idempotent,
    IfMatch,
    IfNoneMatch,
    made,
    many,
    one,
)
from api.deps import CurrentUser, Db, PageQuery
from api.merge import revised
from api.periods import PeriodQuery
from api.schemas.base import One
from api.schemas.entries import Category
from api.schemas.incomes import (
    IncomeNew,
    IncomePage,
    IncomePatch,
    IncomeRead,
)
from api.schemas.ledgers import money_shown, totals_shown
from api.schemas.money import AmountText, Currency
from core.database import perform_async
from services.books.incomes import LEDGER, IncomeView
from services.books.ledger import Filter
from tasks.plan_route.contract.values import Label

router = APIRouter(prefix="/incomes", tags=["incomes"])

Sort = Literal["-received_on", "received_on", "-amount", "amount", "-created_at", "created_at"]


async def read_filter(
    period: PeriodQuery,
    category: Category | None = None,
    trip_id: UUID | None = None,
    tag: Label | None = None,
    currency: Currency | None = None,
    min_amount: AmountText | None = None,
    max_amount: AmountText | None = None,
    q: Annotated[
        str | None,
        Query(max_length=200, description="A part of source, description or note."),
    ] = None,
    deleted: Annotated[bool, Query(description="The deleted ones instead.")] = False,
    sort: Annotated[Sort, Query(description="Amounts are compared as numbers.")] = "-received_on",
) -> Filter:
    equal = {
        "category": category,
        "trip_id": trip_id,
        "currency": currency,
    }
    return Filter(
        sort,
        equal,
        tag=tag,
        first=period.first,
        end=period.end,
        min_amount=None if min_amount is None else Decimal(min_amount),
        max_amount=None if max_amount is None else Decimal(max_amount),
        q=q,
        deleted=deleted,
    )


@router.post("", status_code=201, response_model=One[IncomeRead], responses=CREATED)
async def create_income(new: IncomeNew, user: CurrentUser, db: Db, once: Idempotent) -> Response:
    """Write down an income. A negative amount is money that was given back."""
    key = once.key(new.model_dump(mode="json"))
    result = await perform_async(db, LEDGER.record(user.id, new.columns(), key=key))
    income = await perform_async(db, LEDGER.read(user.id, result.id))
    headers = made(f"/api/v1/incomes/{income.id}", replayed=result.replayed)
    return one(money_shown(income), version=income.version, status=201, headers=headers)


@router.get("", response_model=IncomePage)
async def list_incomes(
    user: CurrentUser,
    db: Db,
    paging: PageQuery,
    which: Annotated[Filter, Depends(read_filter)],
) -> Response:
    """The caller's incomes, latest first, and what they add up to in each currency."""
    found, totals = await perform_async(
        db, LEDGER.listed(user.id, which, limit=paging.page_size, offset=paging.offset)
    )
    return many(
        [money_shown(income) for income in found],
        sum(each.count for each in totals),
        paging,
        more={"totals": totals_shown(totals)},
    )


@router.get("/{income_id}", response_model=One[IncomeRead], responses=UNCHANGED)
async def read_income(income_id: UUID, user: CurrentUser, db: Db, known: IfNoneMatch) -> Response:
    """One income."""
    income = await perform_async(db, LEDGER.read(user.id, income_id))
    return known.unchanged(income.version) or one(money_shown(income), version=income.version)


@router.patch("/{income_id}", response_model=One[IncomeRead])
async def change_income(
    income_id: UUID, patch: IncomePatch, user: CurrentUser, db: Db, versions: IfMatch
) -> Response:
    """Change the fields that are sent; within objects too (RFC 7396), and `null` resets."""

    def revise(income: IncomeView) -> dict[str, object]:
        new: IncomeNew = revised(IncomeNew, income.written(), patch)
        return new.columns()

    income = await perform_async(db, LEDGER.correct(user.id, income_id, revise, versions))
    return one(money_shown(income), version=income.version)


@router.delete("/{income_id}", status_code=204)
async def delete_income(income_id: UUID, user: CurrentUser, db: Db, versions: IfMatch) -> None:
    """Delete an income; it can be restored."""
    await perform_async(db, LEDGER.delete(user.id, income_id, versions))


@router.post("/{income_id}/restore", response_model=One[IncomeRead])
async def restore_income(income_id: UUID, user: CurrentUser, db: Db) -> Response:
    """Bring a deleted income back as it was. Idempotent."""
    income = await perform_async(db, LEDGER.restore(user.id, income_id))
    return one(money_shown(income), version=income.version)
