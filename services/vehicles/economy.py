"""What a vehicle burns, from full tank to full tank; pure, exact, and rounded only to be shown.

A stretch begins with a full tank and ends with the next: what went in since then is what was
burnt. A partial fill ends nothing, its litres count for the stretch that goes on. A fill that
nobody wrote down breaks the chain, and so does an odometer that began anew: the next full tank is
a starting point again. Full twice at one odometer ends nothing either, for nothing was driven.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from uuid import UUID

M_PER_MILE = Fraction("1609.344")
L_PER_US_GALLON = Fraction("3.785411784")
L_PER_IMPERIAL_GALLON = Fraction("4.54609")


@dataclass(frozen=True)
class Fuelled:
    """What a fill says about fuel and money.

    Attributes:
        missed_before: another fill before this one was not written down.
        odometer_reset: the odometer began anew since the fill before.
        total: what it cost; None: unknown, and so is `currency`.
    """

    id: UUID
    filled_at: datetime
    odometer_m: int
    volume_l: Decimal
    full: bool
    missed_before: bool = False
    odometer_reset: bool = False
    price_per_l: Decimal | None = None
    total: Decimal | None = None
    currency: str | None = None


@dataclass(frozen=True)
class Stretch:
    """From one full tank to the next.

    Attributes:
        end: the fill that ended it.
        fills: those whose fuel it burnt, `end` the last of them.
    """

    end: Fuelled
    distance_m: int
    fills: tuple[Fuelled, ...]

    @property
    def volume_l(self) -> Decimal:
        return sum((fill.volume_l for fill in self.fills), Decimal(0))

    @property
    def l_per_m(self) -> Fraction:
        return Fraction(self.volume_l) / self.distance_m

    @property
    def priced(self) -> bool:
        """Whether it is known what all of its fuel cost."""
        return all(fill.total is not None for fill in self.fills)


def stretches(fills: Iterable[Fuelled]) -> Iterator[Stretch]:
    """The stretches of a vehicle.

    Args:
        fills: all of them, by time.
    """
    began_m: int | None = None
    burnt: list[Fuelled] = []
    for fill in fills:
        if fill.missed_before or fill.odometer_reset:
            began_m = None
        if began_m is None:
            burnt = []
            if fill.full:
                began_m = fill.odometer_m
            continue
        burnt.append(fill)
        if fill.full and fill.odometer_m > began_m:
            yield Stretch(fill, fill.odometer_m - began_m, tuple(burnt))
            began_m, burnt = fill.odometer_m, []


def legs(fills: Sequence[Fuelled]) -> dict[UUID, int]:
    """Metres from the fill before to each; those are missing of which nobody knows."""
    return {
        fill.id: fill.odometer_m - before.odometer_m
        for before, fill in pairwise(fills)
        if not fill.odometer_reset
    }


def money_of(fills: Iterable[Fuelled]) -> dict[str, Decimal]:
    """What fills cost, per currency, by its code."""
    sums: dict[str, Decimal] = {}
    for fill in fills:
        if fill.total is not None and fill.currency is not None:
            sums[fill.currency] = sums.get(fill.currency, Decimal(0)) + fill.total
    return dict(sorted(sums.items()))


def rounded(value: Fraction, decimals: int) -> Decimal:
    """To so many decimals, halves to the even one, from the exact value."""
    return Decimal(round(value * 10**decimals)).scaleb(-decimals)


def consumption(volume_l: Decimal, distance_m: int) -> dict[str, str] | None:
    """Litres over a distance in the four ways people say it, to two decimals; None: neither."""
    if not distance_m or not volume_l:
        return None
    litres, kilometres = Fraction(volume_l), Fraction(distance_m, 1000)
    miles = distance_m / M_PER_MILE
    exact = {
        "l_per_100km": litres * 100 / kilometres,
        "km_per_l": kilometres / litres,
        "mpg_us": miles * L_PER_US_GALLON / litres,
        "mpg_imperial": miles * L_PER_IMPERIAL_GALLON / litres,
    }
    return {name: f"{rounded(value, 2):f}" for name, value in exact.items()}


@dataclass(frozen=True)
class Economy:
    """A period of a vehicle. What was driven up to a fill belongs to the period of that fill,
    so that the months of a year add up to it.

    Attributes:
        distance_m: by the odometer.
        measured: the stretches that ended in the period; best and worst are among them.
        cost_per_km: per currency, of the measured stretches whose fuel has all its prices.
        last_price: the newest fill with a price.
    """

    fills: int
    unpriced: int
    distance_m: int
    volume_l: Decimal
    spent: dict[str, Decimal]
    measured: tuple[Stretch, ...]
    cost_per_km: dict[str, Decimal]
    last_price: Fuelled | None

    @property
    def measured_m(self) -> int:
        return sum(stretch.distance_m for stretch in self.measured)

    @property
    def measured_l(self) -> Decimal:
        return sum((stretch.volume_l for stretch in self.measured), Decimal(0))

    @property
    def best(self) -> Stretch | None:
        return min(self.measured, key=lambda stretch: stretch.l_per_m, default=None)

    @property
    def worst(self) -> Stretch | None:
        return max(self.measured, key=lambda stretch: stretch.l_per_m, default=None)


def economy(
    fills: Sequence[Fuelled], since: datetime | None = None, until: datetime | None = None
) -> Economy:
    """The economy of [since, until).

    Args:
        fills: all of the vehicle, by time; also those before the period, where the first
            stretch began.
    """

    def within(fill: Fuelled) -> bool:
        at = fill.filled_at
        return (since is None or at >= since) and (until is None or at < until)

    own = [fill for fill in fills if within(fill)]
    driven = legs(fills)
    measured = tuple(each for each in stretches(fills) if within(each.end))
    priced = [fill for fill in own if fill.total is not None]
    return Economy(
        fills=len(own),
        unpriced=len(own) - len(priced),
        distance_m=sum(driven.get(fill.id, 0) for fill in own),
        volume_l=sum((fill.volume_l for fill in own), Decimal(0)),
        spent=money_of(own),
        measured=measured,
        cost_per_km=_cost_per_km([stretch for stretch in measured if stretch.priced]),
        last_price=priced[-1] if priced else None,
    )


def _cost_per_km(priced: Sequence[Stretch]) -> dict[str, Decimal]:
    """To four decimals. In two currencies each has its part of all the kilometres."""
    metres = sum(stretch.distance_m for stretch in priced)
    spent = money_of(fill for stretch in priced for fill in stretch.fills)
    return {name: rounded(Fraction(cost) * 1000 / metres, 4) for name, cost in spent.items()}
