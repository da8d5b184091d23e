"""The columns of our own CSV files: their names for programs and their headings for people."""

from __future__ import annotations

EXPENSES = {
    "spent_on": "Date",
    "amount": "Amount",
    "currency": "Currency",
    "category": "Category",
    "vendor": "Vendor",
    "description": "Description",
    "note": "Note",
    "payment_method": "Payment method",
    "tags": "Tags",
    "trip": "Trip",
    "trip_id": "Trip ID",
    "days": "Days",
    "zone": "Zone",
    "spent_at": "Time",
    "place_name": "Place",
    "place_lat": "Latitude",
    "place_lon": "Longitude",
    "travellers": "Travellers",
    "exchange_currency": "Exchange currency",
    "exchange_rate": "Exchange rate",
    "base_amount": "Converted amount",
    "base_currency": "Converted currency",
    "fx_rate": "Rate",
    "fx_date": "Rate date",
    "fx_source": "Rate source",
    "id": "ID",
    "created_at": "Created",
}
INCOMES = {
    "received_on": "Date",
    **{name: EXPENSES[name] for name in ("amount", "currency", "category")},
    "source": "Source",
    **{name: EXPENSES[name] for name in ("description", "note", "tags", "trip", "trip_id")},
    **{name: EXPENSES[name] for name in ("exchange_currency", "exchange_rate")},
    **{name: EXPENSES[name] for name in ("base_amount", "base_currency")},
    **{name: EXPENSES[name] for name in ("fx_rate", "fx_date", "fx_source")},
    **{name: EXPENSES[name] for name in ("id", "created_at")},
}
#: What people wrote, or chose among what people wrote: an apostrophe keeps it from being run.
TEXTS = frozenset(
    {
        *("category", "vendor", "source", "description", "note", "payment_method", "tags", "trip"),
        *("zone", "place_name", "travellers"),
    }
)
_FOR_PEOPLE = {"trip", "trip_id", "id", "created_at"}
#: What an import takes from a file of ours, and from which column. The rest follows from it.
TAKEN = {
    name: name
    for name in EXPENSES
    if not name.startswith(("base_", "fx_")) and name not in _FOR_PEOPLE
} | {"trip": "trip_id"}
