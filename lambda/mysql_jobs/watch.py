"""The watcher's handler: tells, from the ledger, which jobs are late.

A run reports itself; what does not run can't. So this runs on a schedule of its own, whatever the jobs' are, and logs a
line for each of them, of which CloudWatch makes metrics. It works on no window and holds no job's lock.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pymysql.cursors import Cursor

from mysql_jobs.configuration import WatchedJob, read_database, read_login, read_own_schema, read_watched
from mysql_jobs.connection import connect
from mysql_jobs.credentials import Authentication
from mysql_jobs.deadline import Deadline, LambdaContext
from mysql_jobs.leaks import Inventory
from mysql_jobs.metrics import Measures, embedded

logger = logging.getLogger("mysql_jobs")
logger.setLevel(logging.INFO)

MEASURES = [Measures({"lag_seconds": "Seconds", "missed": "Count", "catching_up": "Count"}, by=("job",))]
"""Of a job. The last two are there only while they are true, as CloudWatch charges for what it is sent."""
WATCHED = [Measures({"watched": "Count"}, by=("job",))]

JOBS = """
SELECT watched.job, since, window_start, window_end, outcome, started_at, duration_ms
FROM {schema}.watched LEFT JOIN LATERAL (
    SELECT window_start, window_end, outcome, started_at, duration_ms FROM {schema}.ledger
    WHERE ledger.job = watched.job AND scheduled_time IS NOT NULL ORDER BY sequence DESC LIMIT 1
) AS last ON TRUE
"""


class Known(NamedTuple):
    """What the database says of one job."""

    since: datetime
    """When its schedule, as it is, was seen first."""
    level: datetime | None
    """Until when its windows are done; None if none ever began."""
    recorded: datetime | None
    """When the latest of its runs wrote something down."""


def lambda_handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Log how each job of the environment is, whatever `event` says; return the jobs that are missed or catching up.

    Raises:
        ConfigurationError: a variable is missing or malformed.
        DeadlineExceeded, CredentialsError, pymysql.MySQLError: the database could not be asked.
    """
    before = Inventory.take()
    deadline = Deadline.of(context)
    jobs, database, own_schema = read_watched(os.environ), read_database(os.environ), read_own_schema(os.environ)
    connection = connect(
        database=database,
        authentication=Authentication(login=read_login(os.environ), database=database),
        deadline=deadline,
        program_name=f"{context.function_name} {context.aws_request_id}",
    )
    try:
        with connection.cursor() as cursor:
            known = _known(cursor, jobs, f"`{own_schema}`")
        connection.commit()
    finally:
        connection.destroy()
    now = datetime.now(UTC)
    states = {each.job: state(each, known[each.job], now) for each in jobs}
    for job, told in states.items():
        _log("watched", {"job": job, **told}, MEASURES)
    _log("watch", {"job": "watch", "watched": len(jobs), "leaked": before.leaked_since()}, WATCHED)
    return {what: [job for job, told in states.items() if told.get(what)] for what in ("missed", "catching_up")}


def state(job: WatchedJob, known: Known, now: datetime) -> dict[str, Any]:
    """Return how `job` is: how far its windows are behind, whether a run was missed, and whether it is catching up.

    Missed: by the latest scheduled time that is over, allowance included, nothing has been written down since then, and
    no window that is done reaches it.
    Catching up: its windows end so long before that time that one run does not cover it.
    """
    due = _due(job, now)
    told: dict[str, Any] = {}
    level = known.level or known.since
    if not job.timetable.expression.startswith("at("):
        told["lag_seconds"] = round(max(timedelta(0), now - level).total_seconds())
    if due is None:
        return told
    # The level, too: a run whose clock is behind that of the schedule is recorded before its own time.
    if due > known.since and all(time is None or time < due for time in (known.level, known.recorded)):
        told["missed"] = 1
    if known.level is not None and job.max_window is not None and due - known.level > job.max_window:
        told["catching_up"] = 1
    return told


def _due(job: WatchedJob, now: datetime) -> datetime | None:
    """Return the latest scheduled time whose run should be recorded by now; None if there was none."""
    if job.timetable.expression.startswith("rate("):
        # When its times are, only its runs say: but within an interval, there is one.
        return now - job.silence
    from settings.schedule import latest_times  # noqa: PLC0415 (as in timetable.py)

    return next(iter(latest_times(*job.timetable, now=now - job.allowance, count=1)), None)


def _known(cursor: Cursor, jobs: Sequence[WatchedJob], schema: str) -> dict[str, Known]:
    """Note schedules that are new, forget jobs that are gone, and return what there is of the others."""
    cursor.execute(f"SELECT job, schedule FROM {schema}.watched")  # noqa: S608 (own names)
    noted = dict(cursor.fetchall())
    schedules = {each.job: " ".join(each.timetable) for each in jobs}
    for job in noted.keys() - schedules.keys():
        cursor.execute(f"DELETE FROM {schema}.watched WHERE job = %s", (job,))  # noqa: S608 (own names)
    for job, schedule in schedules.items():
        if noted.get(job) != schedule:
            # One that was changed is not to blame for the times that it would have had before.
            note = f"REPLACE INTO {schema}.watched (job, schedule, since) VALUES (%s, %s, UTC_TIMESTAMP(6))"  # noqa: S608
            cursor.execute(note, (job, schedule))
    cursor.execute(JOBS.format(schema=schema))
    return dict(map(_entry, cursor.fetchall()))


def _entry(row: Sequence[Any]) -> tuple[str, Known]:
    job, since, start, end, outcome, started_at, duration_ms = row
    if outcome is None:
        return job, Known(since=_utc(since), level=None, recorded=None)
    level = start if outcome == "partial" else end
    recorded = started_at + timedelta(milliseconds=duration_ms)
    return job, Known(since=_utc(since), level=_utc(level), recorded=_utc(recorded))


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC)


def _log(message: str, line: Mapping[str, Any], measures: Sequence[Measures]) -> None:
    namespace = os.environ.get("METRICS", "")
    logger.info(message, extra=embedded(line, measures, namespace) if namespace else line)
