"""Leaves a trace, then sleeps on the server for as long as its window is: started by hand, with a window."""

from __future__ import annotations

from typing import Any

from mysql_jobs import Run

TABLES = {"trace": ("SELECT", "INSERT")}


def run(run: Run) -> dict[str, Any]:
    """Return for how many seconds it slept, and how many sessions its user had before, its own included."""
    seconds = (run.window.end - run.window.start).total_seconds()
    with run.cursor() as cursor:
        cursor.execute("INSERT INTO trace (job) VALUES ('nap')")
        # Without the right PROCESS, a user sees its own sessions only.
        cursor.execute(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE user = SUBSTRING_INDEX(USER(), '@', 1)"
        )
        [(sessions,)] = cursor.fetchall()
        cursor.execute("SELECT SLEEP(%s)", (seconds,))
    return {"slept": seconds, "sessions": sessions}
