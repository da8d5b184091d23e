"""What a report says before its rows: the parts of the template's `sheet.json`, in their order.

Each part is a dictionary with its `kind`, which names the function of the template that sets it,
its `title`, and texts and fractions that are ready to be set: the template neither adds up nor
translates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tasks.report_expenses.engine.book import CategoryTotal, Money, Report
from tasks.report_expenses.engine.pdf import charts
from tasks.report_expenses.engine.pdf.figures import METRES_PER_MILE, Figures
from tasks.report_expenses.engine.pdf.texts import Said, clean, plain
from tasks.report_expenses.engine.pdf.words import Words

Part = dict[str, Any]
#: Where an amount cannot be said.
NOTHING = "–"


@dataclass(frozen=True)
class Maker:
    """What every part is made of.

    Attributes:
        miles: whether distances of the whole report are in miles.
    """

    report: Report
    figures: Figures
    words: Words
    miles: bool

    def name(self, english: str) -> Said:
        """A category: the translation of one that everybody has, or what its owner calls it."""
        said = self.words.say(english) if english else ""
        return clean(said)

    def monies(self, amounts: tuple[Money, ...]) -> str:
        return " + ".join(self.figures.money(each.amount, each.currency) for each in amounts)


def counts_miles(report: Report, figures: Figures) -> bool:
    """As the odometers of the report count; without one as the country does."""
    units = [use.odometer_unit for use in report.fuel]
    units += [use.odometer_unit for use in report.mileage]
    return units.count("mi") * 2 > len(units) if units else figures.miles


def categories(make: Maker) -> Iterator[Part]:
    """Bars of what was spent, and of what was received, by category."""
    say, report = make.words.say, make.report
    for side, title in (
        ("expense", say("Spending by category")),
        ("income", say("Income by category")),
    ):
        found = [each for each in report.categories if each.side == side]
        if not found:
            continue
        yield {
            "kind": "bars",
            "title": title,
            "heads": [
                *(say("Category"), say("Amount"), say("Share")),
                *([say("Change")] if side == "expense" else []),
            ],
            "rows": _category_rows(make, found, compared=side == "expense"),
            "tone": "spent" if side == "expense" else "income",
            "note": _change_note(make) if side == "expense" else "",
        }


def _category_rows(make: Maker, found: list[CategoryTotal], *, compared: bool) -> list[Part]:
    figures = make.figures
    most = max((abs(each.base) for each in found), default=Decimal(0)) or Decimal(1)
    return [
        {
            "name": make.name(each.name),
            "bar": _part_of(each.base, most),
            "cells": [
                figures.money(each.base),
                NOTHING if each.share is None else figures.percent(each.share),
                *([_change(make, each.base, each.before)] if compared else []),
            ],
            "extra": make.monies(each.foreign) and "+ " + make.monies(each.foreign),
        }
        for each in found
    ]


def _part_of(value: Decimal, most: Decimal) -> float:
    return round(max(0.0, float(value / most)), 4)


def _change(make: Maker, now: Decimal, before: Decimal | None) -> str:
    if before is None or before <= 0:
        return NOTHING
    return make.figures.percent((now - before) / before, signed=True)


def _change_note(make: Maker) -> str:
    before = make.report.before
    return make.words.say(
        "Change: against {period}, the period of the same length before this one.",
        period=make.figures.period(before.first, before.end),
    )


def line(make: Maker) -> Iterator[Part]:
    """What was spent by day, or week, and its mean."""
    report, figures, say = make.report, make.figures, make.words.say
    if not report.days or report.policy.days < 3:
        return
    drawn = charts.series(report.days, report.policy.first, report.policy.end)
    marks = charts.ticks(min(drawn.values), max(drawn.values))
    daily = drawn.step == 1
    most = max(range(len(drawn.values)), key=drawn.values.__getitem__)
    what = {
        "period": figures.period(report.policy.first, report.policy.end),
        "total": figures.money(report.totals.spent),
        "most": figures.money(drawn.values[most]),
        "day": figures.day(drawn.starts[most]),
    }
    yield {
        "kind": "line",
        "title": say("Spending by day") if daily else say("Spending by week"),
        "alt": say(
            "Line of the spending by day, {period}: {total} in all; most on {day}, {most}.", **what
        )
        if daily
        else say(
            "Line of the spending by week, {period}: {total} in all; most in the week from"
            " {day}, {most}.",
            **what,
        ),
        "columns": len(drawn.values) <= 92,
        "zero": charts.height(Decimal(0), marks),
        "values": [charts.height(value, marks) for value in drawn.values],
        "mean": [charts.height(value, marks) for value in drawn.mean],
        "marks": [[charts.height(mark, marks), _tick(make, mark, marks)] for mark in marks],
        "months": _months(make, drawn),
        "legend": [say("per day"), say("mean of 7 days")]
        if daily
        else [say("per week"), say("mean of 4 weeks")],
    }


def _tick(make: Maker, mark: Decimal, marks: list[Decimal]) -> str:
    """Without decimals where none of the marks has any."""
    whole = all(each == each.to_integral() for each in marks)
    return make.figures.money(mark, None, 0 if whole else make.report.exponent)


def _months(make: Maker, drawn: charts.Series) -> list[list[Any]]:
    """Where months begin along the line; days in a period that has none."""
    first, end = make.report.policy.first, make.report.policy.end
    days = (end - first).days
    starts = charts.month_starts(first, end)
    if len(starts) >= 3:
        return [[(day - first).days / days, make.figures.short_month(day)] for day in starts]
    step = -(-len(drawn.starts) // 6)
    return [
        [(day - first).days / days, make.figures.day_month(day)] for day in drawn.starts[::step]
    ]


def months(make: Maker) -> Iterator[Part]:
    """Bars of the months, with the change against the one before."""
    report, figures, say = make.report, make.figures, make.words.say
    if len(report.months) < 2:
        return
    most = max(abs(each.spent) for each in report.months) or Decimal(1)
    income = any(each.income for each in report.months)
    rows, before = [], None
    for each in report.months:
        cells = [figures.money(each.spent), _change(make, each.spent, before)]
        if income:
            cells += [figures.money(each.income), figures.money(each.income - each.spent)]
        rows.append(
            {
                "name": figures.short_month(each.month),
                "bar": _part_of(each.spent, most),
                "cells": cells,
                "extra": "",
            }
        )
        before = each.spent
    heads = [say("Month"), say("Spent"), say("Change")]
    yield {
        "kind": "bars",
        "title": say("Months"),
        "heads": heads + ([say("Income"), say("Net")] if income else []),
        "rows": rows,
        "tone": "spent",
        "note": say("Change: against the month before."),
    }


def budgets(make: Maker) -> Iterator[Part]:
    """Budgets against what was spent of them; a tick stands at 100 %."""
    report, figures, say = make.report, make.figures, make.words.say
    if not report.budgets:
        return
    # the longest bar may be twice its budget; what is more is cut, and its number says so
    widest = min(max(max(each.fraction for each in report.budgets), Decimal("1.1")), Decimal(2))
    rows = []
    for each in report.budgets:
        when = say("whole trip") if each.month is None else figures.short_month(each.month)
        about = [make.name(each.category), clean(each.trip), when]
        rows.append(
            {
                "name": clean(each.name) or make.name(each.category) or say("All categories"),
                "about": [part for part in about if part],
                "bar": round(float(min(each.fraction, widest) / widest), 4),
                "full": round(float(1 / widest), 4),
                "alert": each.alert,
                "cells": [
                    figures.money(each.amount, each.currency),
                    figures.money(each.spent, each.currency),
                    figures.money(each.amount - each.spent, each.currency),
                    figures.percent(each.fraction),
                ],
                "extra": make.monies(each.foreign) and "+ " + make.monies(each.foreign),
            }
        )
    over = sum(each.alert == "over" for each in report.budgets)
    yield {
        "kind": "budgets",
        "title": say("Budgets against actual"),
        "heads": [say("Budget"), say("Planned"), say("Actual"), say("Left"), say("Used")],
        "rows": rows,
        "note": make.words.count(
            "{n} budget is overrun.", "{n} budgets are overrun.", over, n=figures.number(over)
        )
        if over
        else "",
    }


def trip_map(make: Maker) -> Iterator[Part]:
    """The route of the trip, drawn from its coordinates."""
    route, say, figures = make.report.route, make.words.say, make.figures
    unit = float(METRES_PER_MILE) if make.miles else 1000.0
    drawn = None if route is None else charts.draw_map(route, unit_m=unit)
    if route is None or drawn is None:
        return
    places = [clean(place.name, 60) for place in route.places]
    ends = [plain(place.name, 60) for place in (*route.places[:1], *route.places[-1:])]
    yield {
        "kind": "map",
        "title": say("The trip"),
        "alt": say(
            "Map of the route through {n} places, from {first} to {last}.",
            n=len(places),
            first=ends[0],
            last=ends[1],
        )
        if ends
        else say("Map of the route."),
        "ratio": drawn.ratio,
        "line": drawn.line,
        "places": [list(point) for point in drawn.places],
        "meridians": [[x, _degree(degree, "E", "W")] for x, degree in drawn.meridians],
        "parallels": [[y, _degree(degree, "N", "S")] for y, degree in drawn.parallels],
        "scale": [drawn.scale, figures.distance(drawn.scale_m, miles=make.miles)],
        "names": places,
    }


def _degree(degree: float, plus: str, minus: str) -> str:
    degree = (degree + 180) % 360 - 180 if plus == "E" else degree
    return f"{abs(degree):g}°{plus if degree > 0 else minus if degree < 0 else ''}"
