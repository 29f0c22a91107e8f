"""Deletes old rows. Its rights depend on its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from mysql_jobs import Run


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table, and for how many days its rows stay."""

    table: str
    column: str
    retention_days: int


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What to delete from."""

    tables: tuple[Table, ...]


def tables(parameters: Parameters) -> dict[str, tuple[str, ...]]:
    """SELECT and DELETE, of each table."""
    return {each.table: ("SELECT", "DELETE") for each in parameters.tables}


def run(run: Run) -> dict[str, Any]:
    """Delete what is old; returns the number of rows per table."""
    deleted = {}
    with run.cursor() as cursor:
        for each in run.parameters.tables:
            oldest = run.window.end - timedelta(days=each.retention_days)
            statement = " ".join(("DELETE FROM", each.table, "WHERE", each.column, "< %s"))
            deleted[each.table] = cursor.execute(statement, (oldest,))
    return {"deleted": deleted}
