"""The categories that everybody has."""

from __future__ import annotations

from enum import StrEnum


class Side(StrEnum):
    """Of the books."""

    EXPENSE = "expense"
    INCOME = "income"


#: Key and English name; whoever wants others makes their own.
_EXPENSES = {
    "fuel": "Fuel",
    "propane": "Propane",
    "charging": "Charging",
    "camping": "Camping",
    "campground": "Campground",
    "lodging": "Lodging",
    "accommodation": "Accommodation",
    "groceries": "Groceries",
    "food": "Food",
    "dining": "Eating out",
    "maintenance": "Maintenance",
    "repairs": "Repairs",
    "vehicle": "Vehicle",
    "equipment": "Equipment",
    "tolls": "Tolls",
    "parking": "Parking",
    "ferry": "Ferries",
    "transport": "Other transport",
    "rental": "Rental",
    "insurance": "Insurance",
    "registration": "Registration and tax",
    "health": "Health",
    "laundry": "Laundry",
    "utilities": "Water, power and dumping",
    "internet": "Internet and phone",
    "subscriptions": "Subscriptions",
    "fees": "Fees",
    "permits": "Permits and passes",
    "activities": "Activities",
    "entertainment": "Entertainment",
    "shopping": "Shopping",
    "clothing": "Clothing",
    "gifts": "Gifts",
    "pets": "Pets",
    "education": "Education",
    "travel": "Travel",
    "other": "Other",
}
_INCOMES = {
    "salary": "Salary",
    "self_employment": "Self-employment",
    "pension": "Pension",
    "benefits": "Benefits",
    "rent": "Rent received",
    "interest": "Interest and dividends",
    "sale": "Sales",
    "reimbursement": "Reimbursements",
    "gift": "Gifts",
    "other": "Other",
}
CATEGORIES = {Side.EXPENSE: _EXPENSES, Side.INCOME: _INCOMES}
