"""Receipts drawn by a seeded generator: four countries, and what must be read on them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from PIL import Image, ImageDraw, ImageFont

from tests.receipts import encoded

TODAY = date(2026, 11, 21)
COUNTRIES = ("US", "CA", "DE", "MX")


@dataclass(frozen=True)
class Drawn:
    """A receipt and the truth about it."""

    country: str
    total: Decimal
    currency: str
    day: date
    vendor: str
    lines: list[tuple[str, str]]

    def picture(self) -> bytes:
        """A clean JPEG: texts to the left, numbers to the right."""
        size, step, width = 26, 42, 640
        image = Image.new("RGB", (width, step * (len(self.lines) + 4)), "white")
        draw = ImageDraw.Draw(image)
        draw.text((40, 20), self.vendor, fill="black", font=ImageFont.load_default(40))
        font = ImageFont.load_default(size)
        for number, (left, right) in enumerate(self.lines, start=2):
            draw.text((40, number * step), left, fill="black", font=font)
            draw.text((width - 40, number * step), right, fill="black", font=font, anchor="ra")
        return encoded(image, "JPEG", quality=88)


def english(amount: Decimal) -> str:
    return f"{amount:,}"


def german(amount: Decimal) -> str:
    return english(amount).translate(str.maketrans(",.", ".,"))


def drawn(seed: int) -> Drawn:
    """The receipt of a seed; countries take turns."""
    rng = random.Random(seed)
    country = COUNTRIES[seed % 4]
    items = [Decimal(rng.randrange(199, 90_000)) / 100 for _ in range(rng.randint(2, 5))]
    day = TODAY - timedelta(days=rng.randrange(1, 1500))
    tax = (sum(items) * Decimal("0.1")).quantize(Decimal("0.01"))
    return _LAYOUTS[country](rng, items, tax, day)


def _body(
    items: list[Decimal], names: list[str], written: Callable[[Decimal], str]
) -> list[tuple[str, str]]:
    return [(names[n % len(names)], written(item)) for n, item in enumerate(items)]


def _us(rng: random.Random, items: list[Decimal], tax: Decimal, day: date) -> Drawn:
    vendor = rng.choice(["LOVES TRAVEL STOP", "Walmart Supercenter", "KOA Holiday"])
    total = sum(items, tax)
    when = rng.choice([f"{day:%m/%d/%Y}", f"{day:%m/%d/%y} 14:02", f"{day:%b %d, %Y}"])
    lines = [
        (f"{rng.randrange(10, 9999)} Main St", ""),
        ("Tel 555-0100", ""),
        (when, ""),
        *_body(items, ["Diesel", "Propane", "Snacks", "Ice"], english),
        ("Subtotal", english(total - tax)),
        ("Tax", english(tax)),
        (rng.choice(["TOTAL", "Total Due"]), f"${english(total)}"),
        ("VISA ****1111", english(total)),
        ("Thank you", ""),
    ]
    return Drawn("US", total, "USD", day, vendor, lines)


def _ca(rng: random.Random, items: list[Decimal], tax: Decimal, day: date) -> Drawn:
    vendor = rng.choice(["Petro-Canada", "Canadian Tire", "Tim Hortons"])
    total = sum(items, tax)
    when = rng.choice([f"{day:%Y-%m-%d}", f"{day:%Y/%m/%d} 09:11"])
    lines = [
        ("GST 12345 6789 RT", ""),
        ("Date:", when),
        *_body(items, ["Regular", "Coffee", "Oil"], english),
        ("SUBTOTAL", english(total - tax)),
        ("HST", english(tax)),
        ("TOTAL", f"CAD {english(total)}"),
        ("Cash", english(total + 5)),
        ("Change", "5.00"),
    ]
    return Drawn("CA", total, "CAD", day, vendor, lines)


def _de(rng: random.Random, items: list[Decimal], tax: Decimal, day: date) -> Drawn:
    vendor = rng.choice(["ARAL Tankstelle", "REWE Markt GmbH", "Campingplatz Seeblick"])
    total = sum(items, Decimal(0))
    lines = [
        ("Hauptstr. 12, 80331 München", ""),
        ("UST-ID DE123456789", ""),
        (f"Datum {day:%d.%m.%Y}", "08:15"),
        *_body(items, ["Super E10", "Brot", "Stellplatz", "Strom"], german),
        (rng.choice(["SUMME", "Gesamtbetrag"]), f"EUR {german(total)}"),
        ("MwSt 19%", german(tax)),
        ("Netto", german(total - tax)),
    ]
    return Drawn("DE", total, "EUR", day, vendor, lines)


def _mx(rng: random.Random, items: list[Decimal], tax: Decimal, day: date) -> Drawn:
    vendor = rng.choice(["PEMEX Estación 4411", "OXXO Centro", "Hotel Playa Azul"])
    total = sum(items, tax)
    lines = [
        ("RFC ABC010203XY1", ""),
        ("Fecha:", f"{day:%d/%m/%Y}"),
        *_body(items, ["Magna", "Agua", "Hielo"], english),
        ("Subtotal", english(total - tax)),
        ("IVA 16%", english(tax)),
        (rng.choice(["TOTAL", "Total a pagar"]), f"$ {english(total)}"),
        ("M.N.", ""),
    ]
    return Drawn("MX", total, "MXN", day, vendor, lines)


_LAYOUTS = {"US": _us, "CA": _ca, "DE": _de, "MX": _mx}
