"""Leaves a trace every minute, and tells what it sees of the traces."""

from __future__ import annotations

from typing import Any

from mysql_jobs import Run

TABLES = {"trace": ("SELECT", "INSERT")}


def run(run: Run) -> dict[str, Any]:
    """Return the number of traces of each job."""
    with run.cursor() as cursor:
        cursor.execute("INSERT INTO trace (job) VALUES ('beat')")
        cursor.execute("SELECT job, COUNT(*) FROM trace GROUP BY job")
        return {"traces": dict(cursor.fetchall())}
