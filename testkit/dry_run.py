"""The dry run of a job as an environment has it: what is wrong with it shows here, and not on the day of the deploy."""

from __future__ import annotations

import re
import traceback

import pymysql

from mysql_jobs.migration_files import MigrationError
from mysql_jobs.table_name import split
from settings.environment import JobSettings
from settings.project import Project
from testkit.database import Database
from testkit.job import Job

DENIED = r"(?P<right>\w+) command denied to user .* for (?:column '.*' in )?table '(?P<table>.*)'"
"""ER_TABLEACCESS_DENIED_ERROR, ER_COLUMNACCESS_DENIED_ERROR.
https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html"""


def dry_run_mistake(project: Project, settings: JobSettings, database: Database) -> str | None:
    """What is wrong with the job, with its own rights and these settings: where, what and what to do; None if nothing.

    The tables are empty, and the run ends at its first checkpoint: statements that only run for a row that was found
    are not seen. They are what the job's own test is for.
    """
    file = f"lambda/jobs/{settings.module_name}.py"
    try:
        database.migrate({})
    except MigrationError as error:
        return str(error)
    there = set(database.rows("SELECT table_schema, table_name FROM information_schema.tables"))
    if missing := ", ".join(sorted(name for name in settings.rights if split(name, database.name) not in there)):
        return (
            f"{file} states rights to {missing}, and no migration makes it: CREATE TABLE in lambda/migrations/, or, if "
            "it was there before, write it down for this machine (docs/jobs.md, “Tables that are there already”)"
        )
    job = Job(project, database)
    try:
        job.deliver(settings, {"dry_run": True})
    except Exception as error:  # noqa: BLE001 (a job may raise anything)
        return f"{_where(error, project) or file}: {_reason(error)}"
    if leaked := job.report.get("leaked"):
        return f"{file} leaves open: {', '.join(leaked)}: close it in a finally"
    return None


def _where(error: BaseException, project: Project) -> str | None:
    """The line of the job that failed."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame for frame in frames if frame.filename.startswith(str(project.jobs))]
    return f"lambda/jobs/{lines[-1].filename.rpartition('/')[2]}, line {lines[-1].lineno}" if lines else None


def _reason(error: BaseException) -> str:
    if isinstance(error, pymysql.MySQLError) and (denied := re.search(DENIED, str(error))):
        right, table = denied["right"], denied["table"]
        return f'the job has no right to {right} {table}: add "{right}" to what TABLES states for "{table}"'
    return f"{type(error).__name__}: {error}"
