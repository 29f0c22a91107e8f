"""A job that reads a secret, and has no packages."""

from mysql_jobs import Run

USES = {"secret": ("billing-api",)}


def run(run: Run) -> None:
    """Read it."""
    run.secret("billing-api")
