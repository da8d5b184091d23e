"""What can be wrong with what is asked of the books."""

from __future__ import annotations

from core.errors import Conflict, Invalid, NotFound


class ExpenseNotFound(NotFound):
    """There is no such expense."""

    code = "EXPENSE_NOT_FOUND"


class IncomeNotFound(NotFound):
    """There is no such income."""

    code = "INCOME_NOT_FOUND"


class CategoryNotFound(NotFound):
    """There is no such category of your own."""

    code = "CATEGORY_NOT_FOUND"


class CategoryExists(Conflict):
    """There is a category of this name already, maybe an archived one."""

    code = "CATEGORY_EXISTS"


class TooManyCategories(Invalid):
    """Nobody has more categories of their own than that."""

    code = "TOO_MANY_CATEGORIES"


class BudgetNotFound(NotFound):
    """There is no such budget."""

    code = "BUDGET_NOT_FOUND"
