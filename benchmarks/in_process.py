"""The real handler in this process, as Lambda calls it in a warm environment, with a job of the benchmarks."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

from settings.project import Project
from testkit.database import Database
from testkit.job_modules import jobs_of

PROJECT = Project(Path(__file__).parent / "project")
FIRST_TIME = datetime(2026, 1, 1, tzinfo=UTC)

DATABASE_VARIABLES = (
    "AWS_REGION",
    *(f"DATABASE_{name}" for name in ("HOST", "PORT", "NAME", "ENDPOINT", "CERTIFICATES", "USER", "AUTH", "SECRET")),
)

_minutes = itertools.count()


def event() -> dict[str, object]:
    """The event of the next scheduled time."""
    return {"scheduled_time": (FIRST_TIME + timedelta(minutes=next(_minutes))).isoformat(), "execution_id": "benchmark"}


def function_variables(database: Database, job: str) -> dict[str, str]:
    """The environment variables of the function of `job`, for another process."""
    with database.function(_variables(job)):
        return {name: os.environ[name] for name in (*_variables(job), *DATABASE_VARIABLES)}


def _variables(job: str) -> dict[str, str]:
    return {"JOB": job, "MAX_WINDOW_MINUTES": "1440", "PARAMETERS": "{}"}


@contextmanager
def deployed(
    database: Database, job: str, variables: Mapping[str, str] = {}, *, project: Project = PROJECT
) -> Iterator[None]:
    """Within, this process is the function of `job`, whose log lines nobody reads."""
    variables = {**_variables(job), **variables}
    logger, listener = logging.getLogger("mysql_jobs"), logging.NullHandler()
    with jobs_of(project), database.function(variables), mock.patch.object(logger, "propagate", False):
        logger.addHandler(listener)
        try:
            yield
        finally:
            logger.removeHandler(listener)
