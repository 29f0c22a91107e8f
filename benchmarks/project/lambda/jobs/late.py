"""A job that is in the middle of a statement when its time is up."""

from mysql_jobs import Run


def run(run: Run) -> None:
    """Wait for longer than any run has."""
    with run.cursor() as cursor:
        cursor.execute("SELECT SLEEP(600)")
