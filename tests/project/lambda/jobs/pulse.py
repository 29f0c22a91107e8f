"""Shows that jobs run: records each run with what it saw of the server."""

from __future__ import annotations

from typing import Any

from mysql_jobs import Run

TABLES = {"pulse": ("SELECT", "INSERT")}


def run(run: Run) -> dict[str, Any]:
    """Record the server's version, its uptime and how many of its connections are in use."""
    with run.cursor() as cursor:
        cursor.execute("SELECT VERSION(), @@GLOBAL.max_connections")
        [(version, max_connections)] = cursor.fetchall()
        cursor.execute("SHOW GLOBAL STATUS WHERE Variable_name IN ('Threads_connected', 'Uptime')")
        status = dict(cursor.fetchall())
        seen = {
            "server_version": version,
            "connections": int(status["Threads_connected"]),
            "max_connections": max_connections,
            "uptime_seconds": int(status["Uptime"]),
        }
        cursor.execute(
            "INSERT INTO pulse (scheduled_time, server_version, connections, max_connections, uptime_seconds)"
            " VALUES (%s, %s, %s, %s, %s)",
            (run.scheduled_time, *seen.values()),
        )
    return seen
