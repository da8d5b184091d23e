"""A made-up report of any size, the same for the same seed: for tests, for looking, and to measure.

python -m tests.tasks.report_expenses.pdf_sample en-US 2000 /tmp/out   # makes /tmp/out/report.pdf
"""

from __future__ import annotations

import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from uuid import UUID

from core.money import exponent_of, round_money
from tasks.report_expenses.engine.book import (
    Before,
    BudgetUse,
    CategoryTotal,
    CurrencyTotal,
    DayTotal,
    FuelUse,
    MileageUse,
    Money,
    MonthTotal,
    Policy,
    RateUse,
    Receipt,
    Report,
    Route,
    Row,
    Side,
    Totals,
    Unconverted,
    Waypoint,
)

#: Category, English name, weight, median amount in the base currency.
CATEGORIES = (
    ("fuel", "Fuel", 22, 82),
    ("groceries", "Groceries", 24, 46),
    ("campground", "Campground", 14, 48),
    ("dining", "Eating out", 14, 31),
    ("maintenance", "Maintenance", 4, 210),
    ("activities", "Activities", 6, 38),
    ("tolls", "Tolls", 6, 9),
    ("propane", "Propane", 3, 27),
    ("laundry", "Laundry", 4, 9),
    ("internet", "Internet and phone", 2, 70),
    ("pets", "Pets", 3, 33),
    ("insurance", "Insurance", 1, 165),
    ("wine_cheese", "Wine & cheese", 3, 24),
)
VENDORS = (
    "Love's Travel Stop",
    "Pilot Flying J #412",
    "PEMEX 4821",
    "Petro-Canada",
    "KOA Moab",
    "Café Olé & Söhne",
    "富士見オートキャンプ場",
    "مقهى الصحراء",
    "Taquería El Güero",
    "H-E-B",
    "Parc national de la Jacques-Cartier",
    "בית קפה הגליל",
    "ร้านอาหารไทย",
    "Trader Joe's",
    "Метро Québec",
    "Les Schwab Tires",
    "Whispering Pines RV Park",
    "O'Reilly Auto Parts",
)
DESCRIPTIONS = (
    "",
    "",
    "",
    "weekly shop",
    "diesel, full tank",
    "two nights, full hook-up 🚐",
    '=HYPERLINK("http://x")',
    "oil and filters",
    "dinner with friends 👨‍👩‍👧",
)
METHODS = ("card", "cash", "credit_card", "Fuel card")
CURRENCIES = (
    ("USD", 70, "1"),
    ("CAD", 12, "0.7312"),
    ("MXN", 9, "0.0551"),
    ("EUR", 5, "1.0874"),
    ("JPY", 4, "0.006702"),
)
TRIP = (
    ("Albuquerque", 35.08, -106.65),
    ("Moab", 38.57, -109.55),
    ("Salt Lake City", 40.76, -111.89),
    ("Jackson", 43.48, -110.76),
    ("Yellowstone", 44.42, -110.59),
    ("Missoula", 46.87, -113.99),
    ("Banff", 51.18, -115.57),
    ("Vancouver", 49.28, -123.12),
    ("Portland", 45.52, -122.68),
    ("Crater Lake", 42.94, -122.11),
    ("San Francisco", 37.77, -122.42),
    ("Ensenada", 31.87, -116.6),
)


@dataclass(frozen=True)
class Held:
    """Rows that are made again whenever they are read."""

    rows: Sequence[Row]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)


def row(day: date, base: Decimal | None = Decimal("10.00"), **given: object) -> Row:
    """An expense of which only what is given matters."""
    values: dict[str, object] = {
        "side": "expense",
        "id": UUID(int=day.toordinal()),
        "day": day,
        "category": "fuel",
        "category_name": "Fuel",
        "description": "",
        "vendor": "Shop",
        "note": "",
        "payment_method": "card",
        "tags": (),
        "place": "",
        "trip": "",
        "amount": Decimal("10.00"),
        "currency": "USD",
        "base": base,
        "rate": Decimal(1),
        "rate_day": day,
        "rate_source": "same",
        "whole": Decimal("10.00"),
        "part_days": 1,
        "days": 1,
    } | given
    return Row(**values)  # type: ignore[arg-type]


def made_rows(count: int, first: date, days: int, seed: int = 42) -> list[Row]:
    """Expenses over a period, in the order of their days."""
    dice = random.Random(seed)
    weights = [each[2] for each in CATEGORIES]
    rows = []
    for n in range(count):
        key, name, _, median = dice.choices(CATEGORIES, weights)[0]
        code, _, rate = dice.choices(CURRENCIES, [each[1] for each in CURRENCIES])[0]
        base = Decimal(str(round(median * dice.lognormvariate(0, 0.5), 2)))
        amount = round_money(base / Decimal(rate), code) or Decimal(1).scaleb(-exponent_of(code))
        day = first + timedelta(days=n * days // count)
        rows.append(
            row(
                day,
                round_money(amount * Decimal(rate), "USD"),
                id=UUID(int=n + 1),
                category=key,
                category_name=name,
                vendor=dice.choice(VENDORS),
                description=dice.choice(DESCRIPTIONS),
                payment_method=dice.choice(METHODS),
                amount=amount,
                currency=code,
                whole=amount,
                rate=Decimal(rate),
                rate_source="same" if code == "USD" else dice.choice(["reference"] * 9 + ["user"]),
            )
        )
    return rows


def report_of(
    expenses: Sequence[Row],
    incomes: Sequence[Row] = (),
    *,
    first: date,
    end: date,
    locale: str = "en-US",
    title: str = "",
    currency: str = "USD",
    rich: bool = False,
    receipts: tuple[Receipt, ...] = (),
) -> Report:
    """A report whose sums are those of its rows.

    Args:
        rich: with budgets, fuel, mileage and a route.
    """
    spent, income = _base(expenses), _base(incomes)
    days = (end - first).days
    policy = Policy(
        report_id=UUID("0199b5a0-0000-7000-8000-000000000001"),
        title=title,
        first=first,
        end=end,
        zone="America/Denver",
        locale=locale,
        trip="",
        rounding="half to even, once per amount",
        categories=(),
        tags=(),
        payment_methods=(),
        rates=_rates(expenses, first, end),
        generated_at=datetime(2026, 11, 21, 6, 0, tzinfo=UTC),
        revision="8841",
    )
    distance, nights = (2_891_000 if rich else 0), (max(1, days - 12) if rich else None)
    totals = Totals(
        spent=spent,
        income=income,
        net=spent.__neg__() + income,
        expenses=len(expenses),
        incomes=len(incomes),
        nights=nights,
        distance_m=distance,
        per_day=round_money(spent / days, currency),
        per_night=None if nights is None else round_money(spent / nights, currency),
        per_km=round_money(spent * 1000 / distance, currency) if distance else None,
        per_mile=round_money(spent * Decimal("1609.344") / distance, currency)
        if distance
        else None,
    )
    return Report(
        policy=policy,
        currency=currency,
        exponent=exponent_of(currency),
        totals=totals,
        before=Before(
            first - (end - first),
            first,
            spent * Decimal("0.9"),
            Decimal("0.1111") if spent else None,
        ),
        categories=(*_categories("expense", expenses), *_categories("income", incomes)),
        currencies=(*_currencies("expense", expenses), *_currencies("income", incomes)),
        days=_days(expenses, incomes),
        months=_months(expenses, incomes, first, end),
        budgets=_budgets(expenses, first, currency) if rich else (),
        fuel=_fuel(spent, currency) if rich else (),
        mileage=_mileage() if rich else (),
        unconverted=_unconverted(expenses),
        route=_route() if rich else None,
        expenses=Held(expenses),
        incomes=Held(incomes),
        receipts=receipts,
    )


def sample(count: int, *, locale: str = "en-US", days: int = 540, seed: int = 42) -> Report:
    """A report with everything in it."""
    first = date(2025, 3, 1)
    expenses = made_rows(count, first, days, seed)
    if count >= 100:
        expenses[60] = _with(expenses[60], base=None, rate=None, currency="GEL")
        expenses[61] = _with(expenses[61], part_days=10, days=31, whole=expenses[61].amount * 3)
    incomes = [
        row(
            first + timedelta(days=30 * n + 14),
            Decimal("5200.00"),
            side="income",
            category="salary",
            category_name="Salary",
            vendor="Remote GmbH",
            amount=Decimal("5200.00"),
            id=UUID(int=10**6 + n),
            whole=Decimal("5200.00"),
            payment_method="bank_transfer",
        )
        for n in range(days // 30)
    ]
    return report_of(
        expenses,
        incomes,
        first=first,
        end=first + timedelta(days=days),
        locale=locale,
        title="Pan-American Loop · 富士見 → Québec",
        rich=True,
    )


def _with(one: Row, **given: object) -> Row:
    return Row(**{**one.__dict__, **given})


def _base(rows: Sequence[Row]) -> Decimal:
    return sum((each.base for each in rows if each.base is not None), Decimal("0.00"))


def _rates(rows: Sequence[Row], first: date, end: date) -> tuple[RateUse, ...]:
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for each in rows:
        if each.rate is not None:
            counts[each.currency, each.rate_source] += 1
    last = end - timedelta(days=1)
    return tuple(RateUse(c, s, first, last, n) for (c, s), n in sorted(counts.items()))


def _categories(side: Side, rows: Sequence[Row]) -> Iterator[CategoryTotal]:
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for each in rows:
        groups[each.category, each.category_name].append(each)
    everything = _base(rows)
    for (key, name), group in sorted(groups.items(), key=lambda kv: -_base(kv[1])):
        base = _base(group)
        foreign: dict[str, Decimal] = defaultdict(Decimal)
        for each in group:
            if each.base is None:
                foreign[each.currency] += each.amount
        share = (base / everything).quantize(Decimal("0.0001")) if everything else None
        before = None if side == "income" else (base * Decimal("0.93")).quantize(Decimal("0.01"))
        monies = tuple(Money(amount, code) for code, amount in foreign.items())
        yield CategoryTotal(side, key, name, base, len(group), share, before, monies)


def _currencies(side: Side, rows: Sequence[Row]) -> Iterator[CurrencyTotal]:
    for code in sorted({each.currency for each in rows}):
        group = [each for each in rows if each.currency == code]
        converted = [each for each in group if each.base is not None]
        yield CurrencyTotal(
            side,
            code,
            sum((e.amount for e in group), Decimal(0)),
            sum((e.amount for e in converted), Decimal(0)),
            _base(group),
            len(group),
        )


def _days(expenses: Sequence[Row], incomes: Sequence[Row]) -> tuple[DayTotal, ...]:
    spent: dict[date, Decimal] = defaultdict(Decimal)
    income: dict[date, Decimal] = defaultdict(Decimal)
    for rows, sums in ((expenses, spent), (incomes, income)):
        for each in rows:
            sums[each.day] += each.base or 0
    return tuple(DayTotal(day, spent[day], income[day]) for day in sorted({*spent, *income}))


def _months(
    expenses: Sequence[Row], incomes: Sequence[Row], first: date, end: date
) -> tuple[MonthTotal, ...]:
    found, month = [], first.replace(day=1)
    while month < end:
        mine = [each for each in expenses if each.day.replace(day=1) == month]
        got = [each for each in incomes if each.day.replace(day=1) == month]
        found.append(MonthTotal(month, _base(mine), _base(got), ()))
        month = (month + timedelta(days=32)).replace(day=1)
    return tuple(found)


def _budgets(rows: Sequence[Row], first: date, currency: str) -> tuple[BudgetUse, ...]:
    by = {each.category: each.base for each in _categories("expense", rows)}
    wanted = (
        ("Diesel", "fuel", "Fuel", "0.72"),
        ("Nights", "campground", "Campground", "0.97"),
        ("", "groceries", "Groceries", "1.04"),
        ("Eating out", "dining", "Eating out", "2.3"),
    )
    found = []
    for name, key, category, part in wanted:
        spent = by.get(key, Decimal(0))
        amount = max(Decimal(100), (spent * Decimal(part)).quantize(Decimal(1))).quantize(
            Decimal("0.01")
        )
        fraction = (spent / amount).quantize(Decimal("0.0001"))
        alert = "over" if fraction > 1 else "near" if fraction > Decimal("0.9") else "none"
        month = first.replace(day=1) if key == "groceries" else None
        trip = "" if month else "Pan-American Loop"
        found.append(
            BudgetUse(name, category, trip, month, amount, currency, spent, fraction, alert, ())
        )
    return tuple(found)


def _fuel(spent: Decimal, currency: str) -> tuple[FuelUse, ...]:
    cost = (spent * Decimal("0.28")).quantize(Decimal("0.01"))
    return (
        FuelUse(
            "Winnebago Revel",
            "mi",
            212,
            1,
            Decimal("14820.4"),
            89_000_000,
            Decimal("14700"),
            88_100_000,
            Decimal("16.69"),
            Decimal("14.09"),
            Decimal("16.92"),
            Decimal("13.2"),
            Decimal("21.9"),
            (Money(cost, currency), Money(Decimal("1200.50"), "CAD")),
            (Money(Decimal("0.2864"), currency),),
        ),
        FuelUse(
            "Honda Grom",
            "mi",
            3,
            0,
            Decimal("12.1"),
            0,
            Decimal(0),
            0,
            None,
            None,
            None,
            None,
            None,
            (Money(Decimal("14.20"), currency),),
            (),
        ),
    )


def _mileage() -> tuple[MileageUse, ...]:
    return (
        MileageUse("Winnebago Revel", "mi", "business", 14, 1_995_000),
        MileageUse("Winnebago Revel", "mi", "medical", 2, 138_000),
    )


def _unconverted(rows: Sequence[Row]) -> tuple[Unconverted, ...]:
    open_ones: dict[str, list[Decimal]] = defaultdict(list)
    for each in rows:
        if each.base is None:
            open_ones[each.currency].append(each.amount)
    return tuple(
        Unconverted("expense", code, sum(amounts, Decimal(0)), len(amounts))
        for code, amounts in sorted(open_ones.items())
    )


def _route() -> Route:
    dice, line = random.Random(7), []
    for (_, lat, lon), (_, lat2, lon2) in pairwise(TRIP):
        for n in range(40):
            part = n / 40
            bend = 4 * part * (1 - part)
            line.append(
                (
                    lat + (lat2 - lat) * part + bend * (0.3 + dice.gauss(0, 0.01)),
                    lon + (lon2 - lon) * part + bend * (0.2 + dice.gauss(0, 0.01)),
                )
            )
    line.append(TRIP[-1][1:])
    return Route("Loop", tuple(line), tuple(Waypoint(*place) for place in TRIP))


def main() -> None:
    """Make one, and say how long it took."""
    from tasks.report_expenses.engine.pdf import Printing, render_pdf

    locale, count, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    pack = Path(sys.argv[4]) if len(sys.argv) > 4 else None
    folder.mkdir(parents=True, exist_ok=True)
    made = sample(count, locale=locale)
    started = time.perf_counter()
    pdf = render_pdf(made, folder, check=lambda: None, printing=Printing(font_pack=pack))
    print(
        f"{time.perf_counter() - started:.2f} s, {pdf.path.stat().st_size} bytes", pdf.omitted_rows
    )


if __name__ == "__main__":
    main()
