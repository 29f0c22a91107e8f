"""Leaves a trace every minute, and tells what it sees of the traces and of its user's sessions."""

from __future__ import annotations

from typing import Any

from mysql_jobs import Run

TABLES = {"trace": ("SELECT", "INSERT")}


def run(run: Run) -> dict[str, Any]:
    """Return the number of traces of each job, and of sessions of this user, its own included."""
    with run.cursor() as cursor:
        cursor.execute("INSERT INTO trace (job) VALUES ('beat')")
        cursor.execute("SELECT job, COUNT(*) FROM trace GROUP BY job")
        traces = dict(cursor.fetchall())
        # Without the right PROCESS, a user sees its own sessions only.
        cursor.execute(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE user = SUBSTRING_INDEX(USER(), '@', 1)"
        )
        [(sessions,)] = cursor.fetchall()
    return {"traces": traces, "sessions": sessions}
