"""What a report says beside its entries: budgets, fuel, mileage, the trip, the names of things."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

from core.database import Steps
from services.books import budgets, categories, summary
from services.books.budgets import BudgetView, Status
from services.books.builtin import CATEGORIES, Side
from services.books.reports import sums
from services.books.reports.selection import Selection
from services.books.reports.sums import Sums
from services.trips import views as trips
from services.trips.views import StopView, TripView
from services.vehicles import fill_views, mileage, views
from services.vehicles.economy import Economy, economy
from services.vehicles.mileage import MonthOfPurpose
from services.vehicles.views import VehicleView

#: Of a long period the last months whose budgets are shown, and vehicles that are.
MOST_MONTHS, MOST_VEHICLES = 24, 100


@dataclass(frozen=True)
class VehicleUse:
    """A vehicle in the period: its fuel, and its drives by month and purpose."""

    vehicle: VehicleView
    economy: Economy
    drives: list[MonthOfPurpose]


@dataclass(frozen=True)
class Facts:
    """All but the lines.

    Attributes:
        budgets: with what became of each; those by the month once for each month of the period.
        nights: of the trip's stops; None without a trip, or where it has none.
        names: of categories, by side and key.
        titles: of the trips of the budgets.
    """

    sums: Sums
    budgets: list[tuple[BudgetView, Status]]
    vehicles: list[VehicleUse]
    trip: TripView | None
    stops: list[StopView]
    nights: int | None
    names: dict[tuple[str, str], str]
    titles: dict[UUID, str]


def resolve(
    owner_id: UUID, days: tuple[date, date] | None, trip_id: UUID | None, today: date
) -> Steps[tuple[date, date]]:
    """The days of a report; without any, those of the whole trip.

    Raises:
        TripNotFound
    """
    if trip_id is not None:
        yield from trips.RECORDS.read(owner_id, trip_id)
    if days is not None:
        return days
    wanted = summary.Wanted(trip_id=trip_id)
    return (yield from summary.period_of(owner_id, wanted, today))


def read(selection: Selection, zone: str) -> Steps[Facts]:
    """Read what a report says; all in one snapshot, together with its lines.

    Raises:
        TripNotFound
    """
    owner_id, trip_id = selection.owner_id, selection.trip_id
    found = yield from sums.read(selection)
    trip, stops = None, list[StopView]()
    if trip_id is not None:
        trip = yield from trips.RECORDS.read(owner_id, trip_id)
        stops = yield from trips.stops_of(trip_id)
    used = yield from _budgets(selection)
    return Facts(
        sums=found,
        budgets=used,
        vehicles=(yield from _vehicles(selection, zone)),
        trip=trip,
        stops=stops,
        nights=(yield from summary.nights_of(trip_id)),
        names=(yield from _names(owner_id)),
        titles=(yield from _titles(owner_id, {each.trip_id for each, _ in used})),
    )


def _titles(owner_id: UUID, trip_ids: set[UUID | None]) -> Steps[dict[UUID, str]]:
    columns = (trips.TRIPS.c.id, trips.TRIPS.c.title)
    own = trips.TRIPS.c.owner_id == owner_id
    found = yield select(*columns).where(own, trips.TRIPS.c.id.in_(trip_ids - {None}))
    return {row.id: row.title for row in found.all()}


def _budgets(selection: Selection) -> Steps[list[tuple[BudgetView, Status]]]:
    owner_id, trip_id = selection.owner_id, selection.trip_id
    all_, _ = yield from budgets.page(owner_id, limit=summary.MOST_BUDGETS, offset=0)
    if trip_id is not None:
        all_ = [each for each in all_ if each.trip_id == trip_id]
    months = sums.months_of(selection.first, selection.end)[-MOST_MONTHS:]
    monthly = [each for each in all_ if each.period == "month"]
    whole = [each for each in all_ if each.period != "month"]
    found: list[tuple[BudgetView, Status]] = []
    for month in months:
        statuses = yield from budgets.statuses(owner_id, monthly, month)
        found += zip(monthly, statuses, strict=True)
    statuses = yield from budgets.statuses(owner_id, whole, months[-1])
    return [*found, *zip(whole, statuses, strict=True)]


def _vehicles(selection: Selection, zone: str) -> Steps[list[VehicleUse]]:
    owner_id = selection.owner_id
    since, until = (
        datetime.combine(day, time.min, ZoneInfo(zone)) for day in (selection.first, selection.end)
    )
    vehicles, _ = yield from views.page(
        owner_id, views.Filter(sort="name"), limit=MOST_VEHICLES, offset=0
    )
    drives = mileage.Filter(since=selection.first, until=selection.end)
    found: list[VehicleUse] = []
    for vehicle in vehicles:
        fills = yield from fill_views.history(owner_id, vehicle.id, until=until)
        _, months = yield from mileage.page(owner_id, vehicle.id, drives, limit=0, offset=0)
        use = VehicleUse(vehicle, economy(fills, since, until), months)
        if use.economy.fills or months:
            found.append(use)
    return found


def _names(owner_id: UUID) -> Steps[dict[tuple[str, str], str]]:
    """What people call the categories; archived ones too, for entries still name them."""
    found = {(side.value, key): name for side in Side for key, name in CATEGORIES[side].items()}
    for archived in (True, False):
        own = yield from categories.all_own(owner_id, archived=archived)
        found |= {(each.side, each.key): each.name for each in own}
    return found
