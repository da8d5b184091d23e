"""What can be wrong with what is asked of the books."""

from __future__ import annotations

from core.errors import NotFound


class ExpenseNotFound(NotFound):
    """There is no such expense."""

    code = "EXPENSE_NOT_FOUND"
