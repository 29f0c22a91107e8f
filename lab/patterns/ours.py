"""This project's way: a job, which gets a cursor from lambda/mysql_jobs/handler.py and never sees a connection."""

from __future__ import annotations

from typing import Any

from lab.patterns.work import work
from mysql_jobs.run import Run

TABLES = {"visit": ("INSERT",), "number": ("SELECT",)}


def run(run: Run) -> dict[str, Any]:
    """Do the work."""
    with run.cursor() as cursor:
        work(cursor.execute)
    return {}
