"""A job that holds its session for seconds, so that those of all environments overlap, and keeps no CPU busy."""

from mysql_jobs import Run

SECONDS = 3.0


def run(run: Run) -> None:
    """Wait on the server."""
    with run.cursor() as cursor:
        cursor.execute("SELECT SLEEP(%s)", (SECONDS,))
