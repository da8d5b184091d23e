"""Expenses: write down, list with totals, read, change, delete, restore, share."""

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
from api.schemas.expenses import (
    ExpenseNew,
    ExpensePage,
    ExpensePatch,
    ExpenseRead,
    Method,
    SplitRead,
    split_shown,
)
from api.schemas.ledgers import money_shown, totals_shown
from api.schemas.money import AmountText, Currency
from core.database import perform_async
from services.books.expenses import LEDGER, ExpenseView, split
from services.books.ledger import Filter
from tasks.plan_route.contract.values import Label

router = APIRouter(prefix="/expenses", tags=["expenses"])

Sort = Literal["-spent_on", "spent_on", "-amount", "amount", "-created_at", "created_at"]


async def read_filter(
    period: PeriodQuery,
    category: Category | None = None,
    trip_id: UUID | None = None,
    tag: Label | None = None,
    payment_method: Method | None = None,
    currency: Currency | None = None,
    min_amount: AmountText | None = None,
    max_amount: AmountText | None = None,
    q: Annotated[
        str | None,
        Query(max_length=200, description="A part of description, vendor or note."),
    ] = None,
    deleted: Annotated[bool, Query(description="The deleted ones instead.")] = False,
    sort: Annotated[Sort, Query(description="Amounts are compared as numbers.")] = "-spent_on",
) -> Filter:
    equal = {
        "category": category,
        "trip_id": trip_id,
        "payment_method": payment_method,
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


@router.post("", status_code=201, response_model=One[ExpenseRead], responses=CREATED)
async def create_expense(new: ExpenseNew, user: CurrentUser, db: Db, once: Idempotent) -> Response:
    """Write down an expense. A negative amount is money that came back."""
    key = once.key(new.model_dump(mode="json"))
    result = await perform_async(db, LEDGER.record(user.id, new.columns(), key=key))
    expense = await perform_async(db, LEDGER.read(user.id, result.id))
    headers = made(f"/api/v1/expenses/{expense.id}", replayed=result.replayed)
    return one(money_shown(expense), version=expense.version, status=201, headers=headers)


@router.get("", response_model=ExpensePage)
async def list_expenses(
    user: CurrentUser,
    db: Db,
    paging: PageQuery,
    which: Annotated[Filter, Depends(read_filter)],
) -> Response:
    """The caller's expenses, latest first, and what they add up to in each currency."""
    found, totals = await perform_async(
        db, LEDGER.listed(user.id, which, limit=paging.page_size, offset=paging.offset)
    )
    return many(
        [money_shown(expense) for expense in found],
        sum(each.count for each in totals),
        paging,
        more={"totals": totals_shown(totals)},
    )


@router.get("/{expense_id}", response_model=One[ExpenseRead], responses=UNCHANGED)
async def read_expense(expense_id: UUID, user: CurrentUser, db: Db, known: IfNoneMatch) -> Response:
    """One expense."""
    expense = await perform_async(db, LEDGER.read(user.id, expense_id))
    return known.unchanged(expense.version) or one(money_shown(expense), version=expense.version)


@router.get("/{expense_id}/split", response_model=One[SplitRead], responses=UNCHANGED)
async def split_expense(
    expense_id: UUID, user: CurrentUser, db: Db, known: IfNoneMatch
) -> Response:
    """An expense shared over its days and among its travellers, to the last minor unit."""
    expense = await perform_async(db, LEDGER.read(user.id, expense_id))
    shares = split_shown(split(expense))
    return known.unchanged(expense.version) or one(shares, version=expense.version)


@router.patch("/{expense_id}", response_model=One[ExpenseRead])
async def change_expense(
    expense_id: UUID, patch: ExpensePatch, user: CurrentUser, db: Db, versions: IfMatch
) -> Response:
    """Change the fields that are sent; within objects too (RFC 7396), and `null` resets."""

    def revise(expense: ExpenseView) -> dict[str, object]:
        new: ExpenseNew = revised(ExpenseNew, expense.written(), patch)
        return new.columns()

    expense = await perform_async(db, LEDGER.correct(user.id, expense_id, revise, versions))
    return one(money_shown(expense), version=expense.version)


@router.delete("/{expense_id}", status_code=204)
async def delete_expense(expense_id: UUID, user: CurrentUser, db: Db, versions: IfMatch) -> None:
    """Delete an expense; it can be restored."""
    await perform_async(db, LEDGER.delete(user.id, expense_id, versions))


@router.post("/{expense_id}/restore", response_model=One[ExpenseRead])
async def restore_expense(expense_id: UUID, user: CurrentUser, db: Db) -> Response:
    """Bring a deleted expense back as it was. Idempotent."""
    expense = await perform_async(db, LEDGER.restore(user.id, expense_id))
    return one(money_shown(expense), version=expense.version)
