"""From what the books say to the `Report` that every format is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from uuid import UUID

from core.money import exponent_of, round_money
from services.books.budgets import BudgetView, Status
from services.books.builtin import Side as BookSide
from services.books.reports import sums
from services.books.reports.facts import Facts, VehicleUse
from services.books.reports.selection import Selection
from services.books.reports.sums import Sum, exact
from services.vehicles.economy import Stretch, consumption
from tasks.report_expenses.engine import book
from tasks.report_expenses.engine.book import Money, Report, Rows

#: As `core.money` does it, for the report to say so.
ROUNDING = "half to even, once per amount"
_M_PER_KM, _M_PER_MILE = Decimal(1000), Decimal("1609.344")


@dataclass(frozen=True)
class Wanted:
    """What the report is called, and how it is to be read."""

    report_id: UUID
    title: str
    locale: str
    zone: str
    revision: str
    generated_at: datetime


def report_of(
    wanted: Wanted, selection: Selection, facts: Facts, expenses: Rows, incomes: Rows
) -> Report:
    """Put a report together; nothing is added up here that the query of the sums has added up."""
    found, currency = facts.sums, selection.currency
    categories = (*_categories(facts, "expense"), *_categories(facts, "income"))
    return Report(
        policy=_policy(wanted, selection, facts),
        currency=currency,
        exponent=exponent_of(currency),
        totals=_totals(selection, facts),
        before=_before(selection, facts),
        categories=categories,
        currencies=(*_currencies(found.expenses, "expense"), *_currencies(found.incomes, "income")),
        days=_days(facts),
        months=_months(selection, facts),
        budgets=tuple(_budget(facts, *each) for each in facts.budgets),
        fuel=tuple(_fuel(each) for each in facts.vehicles if each.economy.fills),
        mileage=tuple(each for use in facts.vehicles for each in _mileage(use)),
        unconverted=tuple(
            book.Unconverted(each.side, each.currency, each.unconverted, count)
            for each, count in _unconverted(facts)
        ),
        route=_route(facts),
        expenses=expenses,
        incomes=incomes,
    )


def _policy(wanted: Wanted, selection: Selection, facts: Facts) -> book.Policy:
    return book.Policy(
        report_id=wanted.report_id,
        title=wanted.title,
        first=selection.first,
        end=selection.end,
        zone=wanted.zone,
        locale=wanted.locale,
        trip=facts.trip.title if facts.trip else "",
        rounding=ROUNDING,
        categories=tuple(
            facts.names.get((BookSide.EXPENSE.value, key), key) for key in selection.categories
        ),
        tags=selection.tags,
        payment_methods=selection.payment_methods,
        rates=tuple(
            book.RateUse(**vars(each)) for each in facts.sums.rates if each.source != "same"
        ),
        generated_at=wanted.generated_at,
        revision=wanted.revision,
    )


def _totals(selection: Selection, facts: Facts) -> book.Totals:
    found, currency = facts.sums, selection.currency
    spent, income = found.spent, found.income
    metres = sum(each.economy.distance_m for each in facts.vehicles)

    def per(parts: Decimal | int | None) -> Decimal | None:
        return round_money(spent / parts, currency) if parts else None

    return book.Totals(
        spent=spent,
        income=income,
        net=exact(income - spent, currency),
        expenses=sum(each.count for each in found.expenses),
        incomes=sum(each.count for each in found.incomes),
        nights=facts.nights,
        distance_m=metres,
        per_day=round_money(spent / (selection.end - selection.first).days, currency),
        per_night=per(facts.nights),
        per_km=per(metres / _M_PER_KM),
        per_mile=per(metres / _M_PER_MILE),
    )


def _share(part: Decimal, whole: Decimal) -> Decimal | None:
    """As a fraction with four decimals; None of nothing, and of less than that."""
    return (part / whole).quantize(Decimal("0.0001"), ROUND_HALF_EVEN) if whole > 0 else None


def _before(selection: Selection, facts: Facts) -> book.Before:
    found = facts.sums
    then = exact(sum(found.earlier.values(), Decimal(0)), selection.currency)
    change = _share(found.spent - then, then)
    return book.Before(found.earlier_first, selection.first, then, change)


def _categories(facts: Facts, side: book.Side) -> list[book.CategoryTotal]:
    found = facts.sums
    by_category: dict[str, list[Sum]] = {}
    for each in found.expenses if side == "expense" else found.incomes:
        by_category.setdefault(each.category, []).append(each)
    whole = found.spent if side == "expense" else found.income
    made = []
    for category, own in by_category.items():
        base = sum((each.base_amount for each in own if each.base_amount is not None), Decimal(0))
        base = exact(base, found.currency)
        made.append(
            book.CategoryTotal(
                side=side,
                category=category,
                name=facts.names.get((side, category), category),
                base=base,
                count=sum(each.count for each in own),
                share=_share(base, whole),
                before=_earlier(facts, category) if side == "expense" else None,
                foreign=tuple(
                    Money(each.amount, each.currency) for each in own if each.base_amount is None
                ),
            )
        )
    return sorted(made, key=lambda each: (-each.base, each.name, each.category))


def _earlier(facts: Facts, category: str) -> Decimal:
    return exact(facts.sums.earlier.get(category, Decimal(0)), facts.sums.currency)


def _currencies(found: Sequence[Sum], side: book.Side) -> list[book.CurrencyTotal]:
    made = []
    for currency in sorted({each.currency for each in found}):
        own = [each for each in found if each.currency == currency]
        rated = [each for each in own if each.base_amount is not None]
        base = sum((each.base_amount or Decimal(0) for each in rated), Decimal(0))
        made.append(
            book.CurrencyTotal(
                side=side,
                currency=currency,
                amount=exact(sum((each.amount for each in own), Decimal(0)), currency),
                converted=exact(sum((each.amount for each in rated), Decimal(0)), currency),
                base=base,
                count=sum(each.count for each in own),
            )
        )
    return made


def _unconverted(facts: Facts) -> list[tuple[book.CurrencyTotal, int]]:
    """Of each side and currency what has no rate, and how many entries that are."""
    found: list[tuple[book.CurrencyTotal, int]] = []
    sides: tuple[tuple[book.Side, list[Sum]], ...] = (
        ("expense", facts.sums.expenses),
        ("income", facts.sums.incomes),
    )
    for side, own in sides:
        without = [each for each in own if each.base_amount is None]
        found += [(each, each.count) for each in _currencies(without, side)]
    return found


def _days(facts: Facts) -> tuple[book.DayTotal, ...]:
    days, nothing = facts.sums.days, exact(Decimal(0), facts.sums.currency)
    return tuple(
        book.DayTotal(day, days.get(("expense", day), nothing), days.get(("income", day), nothing))
        for day in sorted({day for _, day in days})
    )


def _months(selection: Selection, facts: Facts) -> tuple[book.MonthTotal, ...]:
    found = facts.sums
    by_month: dict[object, list[tuple[str, Decimal]]] = {}
    for (month, category), base in found.months.items():
        by_month.setdefault(month, []).append((category, base))
    made = []
    for month in sums.months_of(selection.first, selection.end):
        own = sorted(by_month.get(month, ()), key=lambda each: (-each[1], each[0]))
        spent = exact(sum((base for _, base in own), Decimal(0)), found.currency)
        income = exact(found.income_months.get(month, Decimal(0)), found.currency)
        made.append(book.MonthTotal(month, spent, income, tuple(own)))
    return tuple(made)


def _budget(facts: Facts, budget: BudgetView, status: Status) -> book.BudgetUse:
    currency = budget.currency
    category = budget.category or ""
    return book.BudgetUse(
        name=budget.name,
        category=facts.names.get((BookSide.EXPENSE.value, category), category),
        trip=facts.titles.get(budget.trip_id, "") if budget.trip_id else "",
        month=status.first if budget.period == "month" else None,
        amount=exact(budget.amount, currency),
        currency=currency,
        spent=exact(status.spent, currency),
        fraction=status.fraction(budget.amount),
        alert=status.alert(budget),
        foreign=tuple(Money(exact(amount, code), code) for code, amount in status.unconverted),
    )


def _fuel(use: VehicleUse) -> book.FuelUse:
    found, vehicle = use.economy, use.vehicle
    burnt = consumption(found.measured_l, found.measured_m) or {}

    def said(name: str) -> Decimal | None:
        return Decimal(burnt[name]) if name in burnt else None

    return book.FuelUse(
        vehicle=vehicle.name,
        odometer_unit=vehicle.odometer_unit,
        fills=found.fills,
        unpriced=found.unpriced,
        volume_l=found.volume_l,
        distance_m=found.distance_m,
        measured_l=found.measured_l,
        measured_m=found.measured_m,
        l_per_100km=said("l_per_100km"),
        mpg_us=said("mpg_us"),
        mpg_imperial=said("mpg_imperial"),
        best=_stretch(found.best),
        worst=_stretch(found.worst),
        spent=tuple(Money(exact(round_money(a, c), c), c) for c, a in found.spent.items()),
        cost_per_km=tuple(Money(cost, code) for code, cost in found.cost_per_km.items()),
    )


def _stretch(found: Stretch | None) -> Decimal | None:
    burnt = consumption(found.volume_l, found.distance_m) if found else None
    return Decimal(burnt["l_per_100km"]) if burnt else None


def _mileage(use: VehicleUse) -> list[book.MileageUse]:
    vehicle = use.vehicle
    return [
        book.MileageUse(
            vehicle=vehicle.name,
            odometer_unit=vehicle.odometer_unit,
            purpose=purpose,
            drives=sum(each.entries for each in use.drives if each.purpose == purpose),
            distance_m=sum(each.distance_m for each in use.drives if each.purpose == purpose),
        )
        for purpose in sorted({each.purpose for each in use.drives})
    ]


def _route(facts: Facts) -> book.Route | None:
    """The places of the trip in their order, and back to the start where it is a round trip."""
    trip = facts.trip
    if trip is None:
        return None
    places = [book.Waypoint(each.name, each.lat, each.lon) for each in facts.stops]
    ends = [trip.start, trip.start if trip.end == "start" else trip.end]
    start, end = (
        [book.Waypoint(str(each.get("name", "")), float(each["lat"]), float(each["lon"]))]
        if isinstance(each, dict)
        else []
        for each in ends
    )
    line = tuple((each.lat, each.lon) for each in (*start, *places, *end))
    if len(set(line)) < 2:
        return None
    round_trip = trip.end == "start"
    return book.Route(trip.title, line, (*start, *places, *(() if round_trip else end)))
