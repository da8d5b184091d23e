"""Budgets with what became of them: make, list, read, change, delete, restore."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from api.answers import CREATED, Idempotent, IfMatch, made, many, one
from api.deps import CurrentUser, Db, PageQuery
from api.merge import revised
from api.schemas.base import One, Page
from api.schemas.budgets import BudgetNew, BudgetPatch, BudgetRead, budget_shown
from api.schemas.trips import Day
from core.database import perform_async
from services.books import budgets

router = APIRouter(prefix="/budgets", tags=["budgets"])

On = Annotated[Day | None, Query(description="A day of the month that is looked at; null: today.")]


async def _shown(
    budget: budgets.BudgetView,
    user: CurrentUser,
    db: Db,
    on: date | None = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A budget with its status. No 304: that depends on more than the budget's version."""
    day = await perform_async(db, budgets.today(user.id)) if on is None else on
    found = await perform_async(db, budgets.statuses(user.id, [budget], day))
    shown = budget_shown(budget, found[0])
    return one(shown, version=budget.version, status=status, headers=headers)


@router.post("", status_code=201, response_model=One[BudgetRead], responses=CREATED)
async def create_budget(new: BudgetNew, user: CurrentUser, db: Db, once: Idempotent) -> Response:
    """Say what may be spent."""
    key = once.key(new.model_dump(mode="json"))
    result = await perform_async(db, budgets.create(user.id, new.columns(), key=key))
    budget = await perform_async(db, budgets.RECORDS.read(user.id, result.id))
    headers = made(f"/api/v1/budgets/{budget.id}", replayed=result.replayed)
    return await _shown(budget, user, db, status=201, headers=headers)


@router.get("", response_model=Page[BudgetRead])
async def list_budgets(
    user: CurrentUser,
    db: Db,
    paging: PageQuery,
    on: On = None,
    deleted: Annotated[bool, Query(description="The deleted ones instead.")] = False,
) -> Response:
    """The caller's budgets, newest first, and what became of each."""
    found, total = await perform_async(
        db, budgets.page(user.id, deleted=deleted, limit=paging.page_size, offset=paging.offset)
    )
    day = await perform_async(db, budgets.today(user.id)) if on is None else on
    statuses = await perform_async(db, budgets.statuses(user.id, found, day))
    shown = [budget_shown(*pair) for pair in zip(found, statuses, strict=True)]
    return many(shown, total, paging)


@router.get("/{budget_id}", response_model=One[BudgetRead])
async def read_budget(budget_id: UUID, user: CurrentUser, db: Db, on: On = None) -> Response:
    """One budget, and what became of it."""
    return await _shown(
        await perform_async(db, budgets.RECORDS.read(user.id, budget_id)), user, db, on
    )


@router.patch("/{budget_id}", response_model=One[BudgetRead])
async def change_budget(
    budget_id: UUID, patch: BudgetPatch, user: CurrentUser, db: Db, versions: IfMatch
) -> Response:
    """Change the fields that are sent (RFC 7396), and `null` resets."""

    def revise(budget: budgets.BudgetView) -> dict[str, object]:
        new: BudgetNew = revised(BudgetNew, budget.written(), patch)
        return new.columns()

    changed = await perform_async(db, budgets.change(user.id, budget_id, revise, versions))
    return await _shown(changed, user, db)


@router.delete("/{budget_id}", status_code=204)
async def delete_budget(budget_id: UUID, user: CurrentUser, db: Db, versions: IfMatch) -> None:
    """Delete a budget; it can be restored."""
    await perform_async(db, budgets.RECORDS.delete(user.id, budget_id, versions))


@router.post("/{budget_id}/restore", response_model=One[BudgetRead])
async def restore_budget(budget_id: UUID, user: CurrentUser, db: Db) -> Response:
    """Bring a deleted budget back as it was. Idempotent."""
    return await _shown(
        await perform_async(db, budgets.RECORDS.restore(user.id, budget_id)), user, db
    )
