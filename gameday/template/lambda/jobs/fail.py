"""Leaves a trace, then fails on purpose: the trace has to be rolled back."""

from __future__ import annotations

from mysql_jobs import Run

TABLES = {"trace": ("SELECT", "INSERT")}


class OnPurposeError(Exception):
    """What every run of this job ends with."""


def run(run: Run) -> None:
    """Fail.

    Raises:
        OnPurposeError: always.
    """
    with run.cursor() as cursor:
        cursor.execute("INSERT INTO trace (job) VALUES ('fail')")
    raise OnPurposeError("as every run of this job")
