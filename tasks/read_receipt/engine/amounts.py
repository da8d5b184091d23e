"""Totals and currencies: the words before them, and how numbers are written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from tasks.read_receipt.contract import Suggestion
from tasks.read_receipt.engine.lines import Line

#: With two decimals, and either of 1,234.56, 1.234,56, 1 234,56 and 1'234.56.
_AMOUNT = re.compile(r"(?<![\d.,])(\d{1,3}(?:[.,' ]\d{3})+|\d+)[.,] ?(\d{2})(?![\d.,]?\d)")
#: What is to be paid, in English, German, Spanish and French; the surer words first.
_SURE = re.compile(
    r"grand total|(total|amount|balance) due|total to pay|gesamtbetrag|gesamtsumme|endsumme"
    r"|zu zahlen|total a pagar|importe total|montant total|total ttc|à payer",
    re.IGNORECASE,
)
_LIKELY = re.compile(r"\b(total|summe|gesamt|betrag|importe|montant)\b", re.IGNORECASE)
#: Sums that are not it.
_OTHER = re.compile(
    r"sub ?-?total|zwischensumme|netto|\b(tax|taxes|vat|gst|hst|pst|mwst|ust|iva|tva|tip|change"
    r"|cambio|rückgeld|cash|bar|efectivo|discount|saved|savings|rabatt|descuento|items?)\b",
    re.IGNORECASE,
)
#: How much a total is believed by the words before it; the largest amount without any, least.
SURE, LIKELY, LARGEST = 0.98, 0.9, 0.4

#: What `$` means where it is the country's own; currencies of other countries likewise.
CURRENCIES = {
    "US": "USD", "CA": "CAD", "AU": "AUD", "NZ": "NZD", "MX": "MXN", "GB": "GBP", "CH": "CHF",
    "DE": "EUR", "AT": "EUR", "FR": "EUR", "ES": "EUR", "IT": "EUR", "NL": "EUR", "BE": "EUR",
    "PT": "EUR", "IE": "EUR", "FI": "EUR", "GR": "EUR", "LU": "EUR", "HR": "EUR", "SI": "EUR",
    "NO": "NOK", "SE": "SEK", "DK": "DKK", "PL": "PLN", "CZ": "CZK", "HU": "HUF",
}  # fmt: skip
_SIGNS = (
    (re.compile(r"US ?\$|\bUSD\b"), "USD"),
    (re.compile(r"\bCA?D? ?\$|\bCAD\b"), "CAD"),
    (re.compile(r"\bAU?D? ?\$|\bAUD\b"), "AUD"),
    (re.compile(r"\bNZD?\$|\bNZD\b"), "NZD"),
    (re.compile(r"\bMXN?\$|\bMXN\b|\bM\.N\."), "MXN"),
    (re.compile(r"€|\bEUR\b|\bEuro\b"), "EUR"),
    (re.compile(r"£|\bGBP\b"), "GBP"),
    (re.compile(r"\bCHF\b|\bFr\."), "CHF"),
)
#: By a sign of its own; by `$` in a country that has one; by the country alone.
SIGN, DOLLAR, COUNTRY = 0.95, 0.85, 0.5


def amounts_in(text: str) -> list[Decimal]:
    """The amounts of a line, in order."""
    found = _AMOUNT.findall(text)
    return [Decimal(f"{re.sub('[^0-9]', '', whole)}.{cents}") for whole, cents in found]


def total_of(lines: Sequence[Line]) -> Suggestion | None:
    """What was paid: by the surest words, of several such lines the last."""
    for words, belief in ((_SURE, SURE), (_LIKELY, LIKELY)):
        for number in range(len(lines) - 1, -1, -1):
            line = lines[number]
            found = words.search(line.text)
            if not found or (words is _LIKELY and _OTHER.search(line.text)):
                continue
            # the number may be set below its word
            for place in lines[number : number + 2]:
                if amounts := amounts_in(place.text):
                    return _said(amounts[-1], belief, line, place)
    every = [(amount, line) for line in lines for amount in amounts_in(line.text)]
    if not every:
        return None
    amount, line = max(every, key=lambda each: each[0])
    return _said(amount, LARGEST, line, line)


def _said(amount: Decimal, belief: float, line: Line, place: Line) -> Suggestion:
    text = line.text if place is line else f"{line.text} {place.text}"
    confidence = belief * min(line.confidence, place.confidence)
    return Suggestion(value=str(amount), confidence=round(confidence, 3), text=text)


def currency_of(
    lines: Sequence[Line], total: Suggestion | None, country: str | None
) -> Suggestion | None:
    """By the sign beside the total, else anywhere, else by the country."""
    beside = [line for line in lines if total is not None and line.text in total.text]
    for line in (*beside, *lines):
        for sign, code in _SIGNS:
            if sign.search(line.text):
                return _currency(code, SIGN * line.confidence, line.text)
    own = CURRENCIES.get(country or "")
    for line in (*beside, *lines):
        if "$" in line.text and own is not None and own.endswith(("D", "MXN")):
            return _currency(own, DOLLAR * line.confidence, line.text)
    return None if own is None else _currency(own, COUNTRY, "")


def _currency(code: str, confidence: float, text: str) -> Suggestion:
    return Suggestion(value=code, confidence=round(confidence, 3), text=text)
