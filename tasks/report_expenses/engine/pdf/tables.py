"""Parts of a report that are tables: fuel, currencies, mileage, and what is not converted."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from tasks.report_expenses.engine.book import FuelUse
from tasks.report_expenses.engine.pdf.figures import METRES_PER_MILE
from tasks.report_expenses.engine.pdf.summary import NOTHING, Maker, Part
from tasks.report_expenses.engine.pdf.texts import Said, clean
from tasks.report_expenses.engine.pdf.words import mark

#: Left and right, as the columns of a table are aligned.
LEFT, RIGHT = "l", "r"

PURPOSES = {
    "business": mark("Business"),
    "private": mark("Private"),
    "medical": mark("Medical"),
    "charity": mark("Charity"),
}
SIDES = {"expense": mark("Expenses"), "income": mark("Income")}
SOURCES = {
    "same": mark("same currency"),
    "user": mark("given by you"),
    "reference": mark("reference rate"),
}


def table(
    *,
    title: str,
    align: list[str],
    heads: list[str],
    rows: list[list[Said]],
    notes: list[str],
    tone: str = "",
) -> Part:
    """A plain table. Its columns share the width of the page by what stands in them."""
    longest = [
        max(len(cell if isinstance(cell, str) else cell["rtl"]) for cell in column)
        for column in zip(heads, *rows, strict=True)
    ]
    return {
        "kind": "table",
        "title": title,
        "heads": heads,
        "align": align,
        "widths": [min(each, 40 if len(align) < 7 else 16) + 3 for each in longest],
        "rows": rows,
        "notes": notes,
        "tone": tone,
    }


def word(make: Maker, words: dict[str, str], key: str) -> Said:
    """The word for one of our keys; a key that is new since then is shown as it is."""
    return make.words.say(words[key]) if key in words else clean(key)


def fuel(make: Maker) -> Iterator[Part]:
    """Fuel by vehicle, from full tank to full tank."""
    say = make.words.say
    if not make.report.fuel:
        return
    heads = [
        *(say("Vehicle"), say("Fills"), say("Fuel"), say("Distance"), say("Economy")),
        *(say("Best – worst"), say("Cost"), say("By distance")),
    ]
    notes = [say("Economy is measured from full tank to full tank.")]
    unpriced = sum(each.unpriced for each in make.report.fuel)
    if unpriced:
        notes.append(
            make.words.count(
                "{n} fill has no price and is not in the cost.",
                "{n} fills have no price and are not in the cost.",
                unpriced,
                n=make.figures.number(unpriced),
            )
        )
    yield table(
        title=say("Fuel economy"),
        heads=heads,
        align=[LEFT, *[RIGHT] * 7],
        rows=[_fuel_row(make, each) for each in make.report.fuel],
        notes=notes,
    )


def _fuel_row(make: Maker, use: FuelUse) -> list[Said]:
    figures, miles = make.figures, use.odometer_unit == "mi"
    gallons = miles and figures.territory not in ("GB", "MM")
    metres = METRES_PER_MILE if miles else Decimal(1000)
    by_distance = [
        (each.amount * metres / 1000).quantize(Decimal("0.001")) for each in use.cost_per_km
    ]
    return [
        clean(use.vehicle, 60),
        figures.number(use.fills),
        figures.volume(use.volume_l, gallons=gallons),
        figures.distance(use.distance_m, miles=miles) if use.distance_m else NOTHING,
        economy(make, use),
        _span(make, use),
        make.monies(use.spent) or NOTHING,
        " + ".join(
            f"{figures.money(amount, each.currency, 3)}/{'mi' if miles else 'km'}"
            for amount, each in zip(by_distance, use.cost_per_km, strict=True)
        )
        or NOTHING,
    ]


def economy(make: Maker, use: FuelUse) -> str:
    """As people of the place count: miles per gallon of theirs, else litres per 100 km."""
    figures = make.figures
    if use.odometer_unit == "mi" and use.mpg_us is not None and use.mpg_imperial is not None:
        if figures.territory in ("GB", "MM"):
            return figures.unit(use.mpg_imperial, "mile-per-gallon-imperial", 1)
        return figures.unit(use.mpg_us, "mile-per-gallon", 1)
    if use.l_per_100km is None:
        return NOTHING
    return figures.unit(use.l_per_100km, "liter-per-100-kilometer", 1)


#: Litres per 100 km times miles per gallon (US, imperial), exact by definition of the units.
_MPG_US, _MPG_IMPERIAL = Decimal("235.214583"), Decimal("282.480936")


def _span(make: Maker, use: FuelUse) -> str:
    if use.best is None or use.worst is None or use.best == use.worst or not use.best:
        return NOTHING
    best, worst = use.best, use.worst
    if use.odometer_unit == "mi":
        imperial = make.figures.territory in ("GB", "MM")
        per = _MPG_IMPERIAL if imperial else _MPG_US
        best, worst = per / best, per / worst
    return f"{make.figures.number(best, 1)} – {make.figures.number(worst, 1)}"


def currencies(make: Maker) -> Iterator[Part]:
    """What was paid in each currency, and the rates that were used."""
    report, figures, say = make.report, make.figures, make.words.say
    only = {each.currency for each in report.currencies}
    if only <= {report.currency}:
        return
    rows: list[list[Said]] = []
    for each in report.currencies:
        foreign = each.currency != report.currency and each.converted
        rate = figures.grouped(each.base / each.converted, 6) if foreign else NOTHING
        rows.append(
            [
                each.currency,
                word(make, SIDES, each.side),
                figures.number(each.count),
                figures.money(each.amount, each.currency),
                rate,
                figures.money(each.base) if each.converted else NOTHING,
            ]
        )
    yield table(
        title=say("Currencies"),
        heads=[
            *(say("Currency"), say("Side"), say("Entries"), say("Original amount")),
            *(say("Mean rate"), say("In {currency}", currency=report.currency)),
        ],
        align=[LEFT, LEFT, *[RIGHT] * 4],
        rows=rows,
        notes=[],
    )
    yield from _rates(make)


def _rates(make: Maker) -> Iterator[Part]:
    figures, say = make.figures, make.words.say
    used = [each for each in make.report.policy.rates if each.currency != make.report.currency]
    if not used:
        return
    yield table(
        title=say("Exchange rates"),
        heads=[say("Currency"), say("Source"), say("Dates of the rates"), say("Entries")],
        align=[LEFT, LEFT, LEFT, RIGHT],
        rows=[
            [
                each.currency,
                word(make, SOURCES, each.source),
                figures.day(each.first)
                if each.first == each.last
                else f"{figures.day(each.first)} – {figures.day(each.last)}",
                figures.number(each.entries),
            ]
            for each in used
        ],
        notes=[
            say(
                "The rate of an entry is frozen when it is entered; a report never asks for"
                " another."
            ),
        ],
    )


def mileage(make: Maker) -> Iterator[Part]:
    """Drives by purpose."""
    figures, say = make.figures, make.words.say
    if not make.report.mileage:
        return
    yield table(
        title=say("Mileage by purpose"),
        heads=[say("Vehicle"), say("Purpose"), say("Drives"), say("Distance")],
        align=[LEFT, LEFT, RIGHT, RIGHT],
        rows=[
            [
                clean(each.vehicle, 60),
                word(make, PURPOSES, each.purpose),
                figures.number(each.drives),
                figures.distance(each.distance_m, miles=each.odometer_unit == "mi"),
            ]
            for each in make.report.mileage
        ],
        notes=[say("This is a record of drives. It is not tax advice.")],
    )


def unconverted(make: Maker) -> Iterator[Part]:
    """What no total contains."""
    report, figures, say = make.report, make.figures, make.words.say
    if not report.unconverted:
        return
    yield table(
        title=say("Not converted"),
        heads=[say("Currency"), say("Side"), say("Entries"), say("Amount")],
        align=[LEFT, LEFT, RIGHT, RIGHT],
        rows=[
            [
                each.currency,
                word(make, SIDES, each.side),
                figures.number(each.count),
                figures.money(each.amount, each.currency),
            ]
            for each in report.unconverted
        ],
        notes=[
            say(
                "There is no rate to {currency} for these amounts. No total of this report"
                " contains them; they are marked in the list.",
                currency=report.currency,
            ),
        ],
        tone="warning",
    )
