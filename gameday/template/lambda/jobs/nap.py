"""Leaves a trace, then sleeps on the server for as long as its window is: started by hand, with a window."""

from __future__ import annotations

from typing import Any

from mysql_jobs import Run

TABLES = {"trace": ("SELECT", "INSERT")}


def run(run: Run) -> dict[str, Any]:
    """Return for how many seconds it slept."""
    seconds = (run.window.end - run.window.start).total_seconds()
    with run.cursor() as cursor:
        cursor.execute("INSERT INTO trace (job) VALUES ('nap')")
        cursor.execute("SELECT SLEEP(%s)", (seconds,))
    return {"slept": seconds}
