"""The first page: what it is, the six numbers, and how it was made."""

from __future__ import annotations

from decimal import Decimal

from tasks.report_expenses.engine.pdf.summary import NOTHING, Maker, Part
from tasks.report_expenses.engine.pdf.tables import SOURCES, economy, word
from tasks.report_expenses.engine.pdf.texts import Said, clean
from tasks.report_expenses.engine.pdf.words import mark

ROUNDINGS = {
    "half to even, once per amount": mark(
        "each entry to the nearest minor unit, halves to the even one"
    ),
}
#: So many names of a filter are printed.
_NAMES = 12


def tiles(make: Maker) -> list[Part]:
    """Six numbers: those asked for first; what cannot be said makes room for another."""
    found = [_spent(make), _income(make), _net(make), _per_day(make)]
    found += [each for each in (_per_distance(make), _per_night(make)) if each]
    spare = [_fuel(make), _over(make), _largest(make), _entries(make)]
    return (found + [each for each in spare if each])[:6]


#: Categories in the bar of the first page; the others are one more.
_SHARES = 5


def shares(make: Maker) -> Part | None:
    """What was spent, by its largest categories; None where nothing was, or refunds are in it."""
    spending = [each for each in make.report.categories if each.side == "expense"]
    if make.report.totals.spent <= 0 or any(each.base < 0 for each in spending):
        return None
    spent = make.report.totals.spent
    largest, others = spending[:_SHARES], spending[_SHARES:]
    found = [(make.name(each.name), each.base) for each in largest if each.base]
    rest = sum((each.base for each in others), Decimal(0))
    if rest:
        found.append((make.words.say("all others"), rest))
    return {
        "title": make.words.say("Where the money went"),
        "rows": [
            {
                "name": name,
                "part": round(float(base / spent), 4),
                "value": make.figures.percent(base / spent),
            }
            for name, base in found
        ],
    }


def _tile(label: str, value: str, note: Said = "", tone: str = "") -> Part:
    return {"label": label, "value": value, "note": note, "tone": tone}


def _spent(make: Maker) -> Part:
    say, figures, report = make.words.say, make.figures, make.report
    change = report.before.change
    note = (
        make.words.count(
            "{n} entry",
            "{n} entries",
            report.totals.expenses,
            n=figures.number(report.totals.expenses),
        )
        if change is None
        else say("{change} against the period before", change=figures.percent(change, signed=True))
    )
    return _tile(say("Spent"), figures.money(report.totals.spent), note)


def _income(make: Maker) -> Part:
    count = make.report.totals.incomes
    note = make.words.count("{n} entry", "{n} entries", count, n=make.figures.number(count))
    return _tile(make.words.say("Income"), make.figures.money(make.report.totals.income), note)


def _net(make: Maker) -> Part:
    net = make.report.totals.net
    return _tile(
        make.words.say("Net"),
        make.figures.money(net),
        make.words.say("income less spending"),
        "bad" if net < 0 else "good" if net > 0 else "",
    )


def _per_day(make: Maker) -> Part:
    days = make.report.policy.days
    note = make.words.count("{n} day", "{n} days", days, n=make.figures.number(days))
    return _tile(make.words.say("Per day"), make.figures.money(make.report.totals.per_day), note)


def _per_distance(make: Maker) -> Part | None:
    totals, say = make.report.totals, make.words.say
    amount = totals.per_mile if make.miles else totals.per_km
    if amount is None:
        return None
    return _tile(
        say("Per mile") if make.miles else say("Per kilometre"),
        make.figures.money(amount),
        make.figures.distance(totals.distance_m, miles=make.miles),
    )


def _per_night(make: Maker) -> Part | None:
    totals = make.report.totals
    if totals.per_night is None or totals.nights is None:
        return None
    nights = make.figures.number(totals.nights)
    note = make.words.count("{n} night", "{n} nights", totals.nights, n=nights)
    return _tile(make.words.say("Per night"), make.figures.money(totals.per_night), note)


def _fuel(make: Maker) -> Part | None:
    measured = [use for use in make.report.fuel if use.l_per_100km is not None]
    if not measured:
        return None
    most = max(measured, key=lambda use: use.measured_m)
    return _tile(make.words.say("Fuel economy"), economy(make, most), clean(most.vehicle, 40))


def _over(make: Maker) -> Part | None:
    if not make.report.budgets:
        return None
    over = sum(each.alert == "over" for each in make.report.budgets)
    note = make.words.count(
        "of {n} budget", "of {n} budgets", len(make.report.budgets), n=len(make.report.budgets)
    )
    number = make.figures.number(over)
    return _tile(make.words.say("Over budget"), number, note, "bad" if over else "good")


def _largest(make: Maker) -> Part | None:
    spending = [each for each in make.report.categories if each.side == "expense" and each.base > 0]
    if not spending:
        return None
    largest = spending[0]
    share = "" if largest.share is None else make.figures.percent(largest.share)
    label = make.words.say("Largest category")
    return _tile(label, share or NOTHING, make.name(largest.name))


def _entries(make: Maker) -> Part:
    count = make.report.totals.expenses + make.report.totals.incomes
    return _tile(make.words.say("Entries"), make.figures.number(count))


def policy(make: Maker) -> list[list[Said]]:
    """How the report was made: pairs of what and how."""
    policy, say, figures = make.report.policy, make.words.say, make.figures
    return [
        [
            say("Period"),
            say(
                "[{first}, {end}): from the first day up to the second, which is not in it",
                first=policy.first.isoformat(),
                end=policy.end.isoformat(),
            ),
        ],
        [say("Base currency"), make.report.currency],
        [say("Exchange rates"), _rates(make)],
        [say("Rounding"), word(make, ROUNDINGS, policy.rounding)],
        [say("Time zone"), policy.zone],
        *_filters(make),
        [
            say("Generated"),
            f"{figures.moment(policy.generated_at, policy.zone)}"
            f" ({policy.generated_at:%Y-%m-%dT%H:%M:%SZ})",
        ],
        [say("Revision of the books"), clean(policy.revision, 80)],
        [say("Number of the report"), str(policy.report_id)],
    ]


def _rates(make: Maker) -> Said:
    used = [each for each in make.report.policy.rates if each.currency != make.report.currency]
    if not used:
        return make.words.say("none needed")
    sources = list(dict.fromkeys(str(word(make, SOURCES, each.source)) for each in used))
    first, last = min(each.first for each in used), max(each.last for each in used)
    return make.words.say(
        "{sources}, of {first} – {last}; frozen with each entry",
        sources=", ".join(sources),
        first=make.figures.day(first),
        last=make.figures.day(last),
    )


def _filters(make: Maker) -> list[list[Said]]:
    """One line a filter, so that each text keeps its direction."""
    policy, say = make.report.policy, make.words.say
    filters = [
        (say("Only categories"), [say(name) for name in policy.categories]),
        (say("Only tags"), list(policy.tags)),
        (say("Only paid with"), list(policy.payment_methods)),
        (say("Only the trip"), [policy.trip] if policy.trip else []),
    ]
    lines: list[list[Said]] = [
        [label, clean(", ".join(names[:_NAMES]) + (" …" if len(names) > _NAMES else ""), 300)]
        for label, names in filters
        if names
    ]
    return lines or [[say("Filters"), say("none: all entries of the period")]]
