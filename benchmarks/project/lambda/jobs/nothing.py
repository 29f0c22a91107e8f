"""A job that has nothing to do: what is left of its run is what every run costs."""

from mysql_jobs import Run


def run(run: Run) -> None:
    """Do nothing."""
