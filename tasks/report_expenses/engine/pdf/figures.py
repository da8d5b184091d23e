"""Numbers, money and dates as people of a locale write them (CLDR, by Babel)."""

from __future__ import annotations

import re
from copy import copy
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_interval, format_skeleton
from babel.numbers import NumberPattern, format_decimal
from babel.units import format_unit

from tasks.report_expenses.engine.pdf.words import LANGUAGES

#: Where paper is US Letter (CLDR supplemental, paperSize US-Letter).
LETTER = frozenset(
    {"BZ", "CA", "CL", "CO", "CR", "GT", "MX", "NI", "PA", "PH", "PR", "SV", "US", "VE"}
)
#: Where roads are measured in miles (CLDR supplemental, measurementSystem road).
MILES = frozenset({"US", "GB", "LR", "MM"})
METRES_PER_MILE = Decimal("1609.344")
LITRES_PER_GALLON = Decimal("3.785411784")


class Figures:
    """How one report writes numbers.

    Attributes:
        locale: of numbers and money.
        speech: of what has words in it, dates and units: as `locale` where there are texts in its
            language, else British English, whose dates nobody takes for others.
    """

    def __init__(self, tag: str, currency: str, exponent: int) -> None:
        """
        Args:
            tag: BCP 47; what CLDR does not know is English.
            currency: ISO 4217, of amounts without one.
            exponent: its decimals.
        """
        self.locale = locale_of(tag)
        known = self.locale.language in (*LANGUAGES, "en")
        self.speech = self.locale if known else Locale.parse("en_GB")
        self.currency, self.exponent = currency, exponent
        self.day_month = cache(self._day_month)
        self.money = cache(self._money)
        self._pattern = cache(self._pattern_of)

    @property
    def territory(self) -> str:
        return self.locale.territory or ("US" if self.locale.language == "en" else "")

    @property
    def paper(self) -> str:
        """As typst names it."""
        return "us-letter" if self.territory in LETTER else "a4"

    @property
    def miles(self) -> bool:
        return self.territory in MILES

    def _pattern_of(self, decimals: int) -> NumberPattern:
        """Babel's own decimals of a currency are not always those of ISO 4217 (IQD, LAK)."""
        pattern: NumberPattern = copy(self.locale.currency_formats["standard"])
        pattern.frac_prec = (decimals, decimals)
        return pattern

    def _money(
        self, amount: Decimal, currency: str | None = None, decimals: int | None = None
    ) -> str:
        """An amount with its currency: with the decimals of the report's, else with its own."""
        if decimals is None and currency in (None, self.currency):
            decimals = self.exponent
        if decimals is None:
            scale = amount.as_tuple().exponent
            decimals = max(0, -scale) if isinstance(scale, int) else 0
        said: str = self._pattern(decimals).apply(
            amount, self.locale, currency=currency or self.currency, currency_digits=False
        )
        said = _LETTER_DIGIT.sub("\u00a0", said)
        return _minus(said)

    def number(self, value: Decimal | int, decimals: int = 0) -> str:
        """A number with so many decimals, zeros at its end included."""
        places = "." + "0" * decimals if decimals else ""
        return format_decimal(value, f"#,##0{places}", locale=self.locale)

    def grouped(self, value: Decimal | int, decimals: int) -> str:
        """A number with at most so many decimals, in the grouping of its locale."""
        pattern = copy(self.locale.decimal_formats[None])
        pattern.frac_prec = (0, decimals)
        said: str = pattern.apply(value, self.locale)
        return said

    def percent(self, fraction: Decimal, *, signed: bool = False) -> str:
        """`0.07` is 7 %; what is less than half of one shows a decimal."""
        pattern = copy(self.locale.percent_formats[None])
        decimals = 1 if 0 < abs(fraction) < Decimal("0.005") else 0
        pattern.frac_prec = (decimals, decimals)
        said: str = _minus(pattern.apply(fraction, self.locale))
        return f"+{said}" if signed and fraction > 0 else said

    def unit(self, value: Decimal, name: str, decimals: int = 0) -> str:
        """A measure, `name` as CLDR calls it: `mile`, `liter-per-100-kilometer`."""
        return format_unit(self.grouped(value, decimals), name, "short", locale=self.speech)

    def distance(self, metres: int, *, miles: bool) -> str:
        if miles:
            return self.unit(Decimal(metres) / METRES_PER_MILE, "mile")
        return self.unit(Decimal(metres) / 1000, "kilometer")

    def volume(self, litres: Decimal, *, gallons: bool) -> str:
        if gallons:
            return self.unit(litres / LITRES_PER_GALLON, "gallon", 1)
        return self.unit(litres, "liter", 1)

    def _day_month(self, day: date) -> str:
        """`Jan 14`: the year stands above."""
        return format_skeleton("MMMd", day, locale=self.speech)

    def day(self, day: date) -> str:
        return format_date(day, "medium", locale=self.speech)

    def month(self, day: date) -> str:
        return _capital(self.month_within(day))

    def month_within(self, day: date) -> str:
        """A month within a sentence, where some languages write it small."""
        return format_skeleton("yMMMM", day, locale=self.speech)

    def short_month(self, day: date) -> str:
        return _capital(format_skeleton("yMMM", day, locale=self.speech))

    def period(self, first: date, end: date) -> str:
        """The days from the first, before the end: `Mar 1 – Apr 30, 2026`."""
        last = end - timedelta(days=1)
        if last <= first:
            return self.day(first)
        return format_interval(first, last, "yMMMd", locale=self.speech)

    def moment(self, moment: datetime, zone: str) -> str:
        local = moment.astimezone(ZoneInfo(zone))
        return format_datetime(local, "medium", tzinfo=local.tzinfo, locale=self.speech)


def locale_of(tag: str) -> Locale:
    """The locale that CLDR has for a tag: as given, else its language, else English."""
    parts = tag.replace("_", "-").split("-")
    for candidate in (tag.replace("_", "-"), "-".join(parts[:2]), parts[0], "en-US"):
        try:
            return Locale.parse(candidate, sep="-")
        except (ValueError, UnknownLocaleError):
            continue
    return Locale("en", "US")


#: Between a currency that is letters and its amount CLDR wants a space; Babel sets none.
_LETTER_DIGIT = re.compile(r"(?<=[A-Za-z])(?=[-0-9])")


def _minus(number: str) -> str:
    """With the sign for minus, which is as wide as a figure and is read aloud as what it is."""
    return number.replace("-", "\u2212")


def _capital(text: str) -> str:
    """French and Spanish write months small; at the head of a table they stand alone."""
    return text[:1].upper() + text[1:]
