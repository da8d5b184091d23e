"""The engine of `import_expenses`: from the bytes of a file to rows that can be written."""

from __future__ import annotations

from tasks.import_expenses.engine.importer import Bounds as Bounds
from tasks.import_expenses.engine.importer import Checked as Checked
from tasks.import_expenses.engine.importer import read_file as read_file
