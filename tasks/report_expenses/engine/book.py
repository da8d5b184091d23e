"""What a report says: read once from the books, and the same for every format.

Amounts are `Decimal` with all decimals of their currency, so that `f"{amount:f}"` is how they are
written; nothing in here is rounded or added up again. Where a field says *base*, it is in
`Report.currency`, and None where an amount is not converted. Texts are as their owner wrote them:
whatever renders them must keep them inert.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal, Protocol
from uuid import UUID

Side = Literal["expense", "income"]


@dataclass(frozen=True)
class Money:
    """An amount of one currency."""

    amount: Decimal
    currency: str


@dataclass(frozen=True)
class Row:
    """An entry of the books, or as much of an expense that is spread over days as falls into one
    month of the period.

    Attributes:
        id: of the entry; parts of one expense share it.
        day: the date where it was spent or received; of a part, its first day.
        vendor: who was paid; of an income, who paid.
        category: the key; `category_name` is what people call it, in English or as they wrote.
        trip: its title; empty: none.
        amount: what counts. `whole` is that of the entry, and differs only for a part.
        base: `amount` in the currency of the report; None: not converted.
        rate: how many of the report's currency one unit was, on `rate_day`, and who says so:
            `same` (it is that currency), `user`, or `reference`.
        part_days: how many of its `days` this row is; `days` is 1 for what is not spread.
        receipts: how many files are attached to the entry.
    """

    side: Side
    id: UUID
    day: date
    category: str
    category_name: str
    description: str
    vendor: str
    note: str
    payment_method: str
    tags: tuple[str, ...]
    place: str
    trip: str
    amount: Decimal
    currency: str
    base: Decimal | None
    rate: Decimal | None
    rate_day: date | None
    rate_source: str
    whole: Decimal
    part_days: int
    days: int
    receipts: int = 0

    @property
    def is_part(self) -> bool:
        """Whether only a share of the entry counts here."""
        return self.part_days != self.days


class Rows(Protocol):
    """Rows that lie in a file, by day and then in the order in which they were written down. They
    can be read any number of times, and are never all in memory."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Row]: ...


@dataclass(frozen=True)
class RateUse:
    """Rates that were used: from whom, of which days, and for how many entries."""

    currency: str
    source: str
    first: date
    last: date
    entries: int


@dataclass(frozen=True)
class Policy:
    """How the report was made, to be printed on it.

    Attributes:
        title: what its owner calls it; empty: nothing.
        first, end: days from the first, before the end; dates of the place, not of UTC.
        zone: IANA name; says what "today" is, and when days of fuel and of this report begin.
        locale: BCP 47, `en-AU`.
        trip: the title, where the report is of one trip.
        rounding: of every conversion and average.
        categories, tags, payment_methods: the filters; empty: all.
        revision: of the books; the same one means that nothing has changed.
    """

    report_id: UUID
    title: str
    first: date
    end: date
    zone: str
    locale: str
    trip: str
    rounding: str
    categories: tuple[str, ...]
    tags: tuple[str, ...]
    payment_methods: tuple[str, ...]
    rates: tuple[RateUse, ...]
    generated_at: datetime
    revision: str

    @property
    def days(self) -> int:
        return (self.end - self.first).days


@dataclass(frozen=True)
class Totals:
    """The sums of all that is converted, in base.

    Attributes:
        expenses, incomes: how many entries, also those that are not converted.
        nights: of the stops of the trip; None without a trip.
        distance_m: driven, by the odometers of the fuel log; 0: unknown.
        per_day, per_night, per_km, per_mile: of `spent`; None where that cannot be said.
    """

    spent: Decimal
    income: Decimal
    net: Decimal
    expenses: int
    incomes: int
    nights: int | None
    distance_m: int
    per_day: Decimal
    per_night: Decimal | None
    per_km: Decimal | None
    per_mile: Decimal | None


@dataclass(frozen=True)
class CategoryTotal:
    """A category; the largest come first.

    Attributes:
        share: of all that was spent (received), 0..1 with four decimals; None: of nothing.
        before: base, of the same category in the period before; None for incomes.
        foreign: what is not converted.
    """

    side: Side
    category: str
    name: str
    base: Decimal
    count: int
    share: Decimal | None
    before: Decimal | None
    foreign: tuple[Money, ...]


@dataclass(frozen=True)
class CurrencyTotal:
    """A currency of one side.

    Attributes:
        amount: all of it. `converted` of that makes `base`.
    """

    side: Side
    currency: str
    amount: Decimal
    converted: Decimal
    base: Decimal
    count: int

    @property
    def unconverted(self) -> Decimal:
        return self.amount - self.converted


@dataclass(frozen=True)
class DayTotal:
    """A day on which something was spent or received, in base; other days are not listed."""

    day: date
    spent: Decimal
    income: Decimal


@dataclass(frozen=True)
class MonthTotal:
    """A month of the period, in base; all of them are listed. `month`: its first day.

    Attributes:
        categories: the category and what was spent, the largest first.
    """

    month: date
    spent: Decimal
    income: Decimal
    categories: tuple[tuple[str, Decimal], ...]


@dataclass(frozen=True)
class Before:
    """The expenses of the period of the same length before this one, in base.

    Attributes:
        change: (now - then) / then with four decimals; None where nothing was spent then.
    """

    first: date
    end: date
    spent: Decimal
    change: Decimal | None


@dataclass(frozen=True)
class BudgetUse:
    """A budget and what was spent of it: in a month of the period, or on its whole trip.

    Attributes:
        category: its name; empty: all of them. `trip` likewise.
        month: its first day; None: the whole trip.
        fraction: spent of the amount, four decimals; over 1 it is overrun.
        alert: `none`, `near`, `over`.
        foreign: what was spent beside that and is not converted into the budget's currency.
    """

    name: str
    category: str
    trip: str
    month: date | None
    amount: Decimal
    currency: str
    spent: Decimal
    fraction: Decimal
    alert: str
    foreign: tuple[Money, ...]


@dataclass(frozen=True)
class FuelUse:
    """A vehicle that was fuelled in the period: from full tank to full tank.

    Attributes:
        odometer_unit: `km` or `mi`, how its owner counts.
        unpriced: fills of which nobody knows what they cost.
        distance_m: by the odometer; `measured_m` of that, and `measured_l`, is between full tanks.
        l_per_100km, mpg_us, mpg_imperial: two decimals; None: nothing was measured.
        best, worst: litres per 100 km of the best and worst stretch.
        cost_per_km: four decimals.
    """

    vehicle: str
    odometer_unit: str
    fills: int
    unpriced: int
    volume_l: Decimal
    distance_m: int
    measured_l: Decimal
    measured_m: int
    l_per_100km: Decimal | None
    mpg_us: Decimal | None
    mpg_imperial: Decimal | None
    best: Decimal | None
    worst: Decimal | None
    spent: tuple[Money, ...]
    cost_per_km: tuple[Money, ...]


@dataclass(frozen=True)
class MileageUse:
    """Drives with one vehicle for one purpose: `business`, `private`, `medical` or `charity`."""

    vehicle: str
    odometer_unit: str
    purpose: str
    drives: int
    distance_m: int


@dataclass(frozen=True)
class Unconverted:
    """What no total contains, because there is no rate."""

    side: Side
    currency: str
    amount: Decimal
    count: int


@dataclass(frozen=True)
class Waypoint:
    """A place of the trip. `line` of the route connects them where no road is known."""

    name: str
    lat: float
    lon: float


@dataclass(frozen=True)
class Route:
    """The trip on the map, in the order of travel: WGS 84 degrees, (lat, lon)."""

    title: str
    line: tuple[tuple[float, float], ...]
    places: tuple[Waypoint, ...]


@dataclass(frozen=True)
class Receipt:
    """The picture of a receipt that the report shows: a file of this attempt, ready to embed."""

    row_id: UUID
    name: str
    path: Path
    media_type: str


@dataclass(frozen=True)
class Report:
    """All that a report says.

    Attributes:
        currency: ISO 4217, of all that is in base.
        exponent: its decimals.
        days: in order.
        categories: expenses, then incomes.
    """

    policy: Policy
    currency: str
    exponent: int
    totals: Totals
    before: Before
    categories: tuple[CategoryTotal, ...]
    currencies: tuple[CurrencyTotal, ...]
    days: tuple[DayTotal, ...]
    months: tuple[MonthTotal, ...]
    budgets: tuple[BudgetUse, ...]
    fuel: tuple[FuelUse, ...]
    mileage: tuple[MileageUse, ...]
    unconverted: tuple[Unconverted, ...]
    route: Route | None
    expenses: Rows
    incomes: Rows
    receipts: tuple[Receipt, ...] = ()
