"""The settings of the books, as they come in and go out."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from api.schemas.money import Currency
from services.books.finance import Settings
from tasks.plan_route.contract.values import Model, Zone


class FinanceSettingsNew(Model):
    """How the books are added up."""

    currency: Currency | None = Field(
        None, description="The base currency; null: nothing is converted."
    )
    zone: Zone = Field("UTC", description="Decides which day is today.")


class FinanceSettingsRead(FinanceSettingsNew):
    """How the books are added up."""

    version: int = Field(description="The ETag; 0 before they were ever set.")


def settings_shown(settings: Settings) -> dict[str, Any]:
    """The fields of `FinanceSettingsRead`."""
    return {"currency": settings.currency, "zone": settings.zone, "version": settings.version}
