"""The job that summarizes events, beside the naive statement: how long it takes, and what writers wait meanwhile."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import timedelta

from benchmarks.in_process import FIRST_TIME, deployed
from benchmarks.probe import Seen, Writes, probing
from benchmarks.target import Target
from local.mysql_server import MySQLServer
from mysql_jobs import handler
from settings.project import ROOT, Project
from testkit.database import Database
from testkit.function import Context

JOB = "rollup"
TEAMS = Project(ROOT)
RIGHTS = {"event": frozenset({"SELECT"}), "event_hourly": frozenset({"SELECT", "INSERT", "DELETE"})}
HOURS = 240
KINDS = 20
RUN_SECONDS = 800
CHUNK = 100_000


def fill(database: Database, events: int) -> None:
    """Fill the table of events: so many in `HOURS` hours, of `KINDS` kinds."""
    with closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("TRUNCATE TABLE event")
        cursor.execute(f"SET SESSION cte_max_recursion_depth = {CHUNK}")
        for begin in range(0, events, CHUNK):
            cursor.execute(
                "INSERT INTO event (occurred_at, kind, amount) WITH RECURSIVE number (id) AS"
                f" (SELECT {begin} UNION ALL SELECT id + 1 FROM number WHERE id + 1 < {min(begin + CHUNK, events)})"
                f" SELECT %s + INTERVAL id * {HOURS * 3600 / events} SECOND, CONCAT('kind ', id MOD {KINDS}), 1"
                " FROM number",
                (FIRST_TIME.replace(tzinfo=None),),
            )
        cursor.execute("ANALYZE TABLE event")


def measured(server: MySQLServer, database: Database, *, naive: bool) -> tuple[float, Seen]:
    """Return how many seconds the summary of all events takes, and what writers saw."""
    database.rows("TRUNCATE TABLE event_hourly")
    change = "UPDATE event SET amount = amount + 1 WHERE id = "
    writes = Writes(
        table="event",
        concerned=f"{change}%s",
        vanishing=False,
        neighbour=f"{change}(SELECT * FROM (SELECT MAX(id) FROM event) AS latest)",
        insert="INSERT INTO event (occurred_at, kind) VALUES ('2100-01-01', 'new')",
    )
    with probing(Target.as_administrator(server, database), writes, sample_rows=not naive) as seen:
        started = time.monotonic()
        (_naive if naive else _ours)(server, database)
        seconds = time.monotonic() - started
        return seconds, seen()


def _ours(_: MySQLServer, database: Database) -> None:
    window = {"start": FIRST_TIME.isoformat(), "end": (FIRST_TIME + timedelta(hours=HOURS)).isoformat()}
    event = {"window": window, "execution_id": f"benchmark-{time.monotonic_ns()}"}
    with deployed(database, JOB, {"PARAMETERS": '{"late_minutes": 0}'}, project=TEAMS):
        report = handler.lambda_handler(event, Context.of("benchmark", "rollup", seconds=RUN_SECONDS))
    if report["outcome"] != "done":
        raise RuntimeError(f"the rollup was {report['outcome']}: {report}")


def _naive(server: MySQLServer, database: Database) -> None:
    with closing(Target.as_administrator(server, database).connect()) as connection, connection.cursor() as cursor:
        # Of another user than those who probe: their own locks are not looked at.
        cursor.execute(f"GRANT SELECT, UPDATE ON event TO {database.user}")
    with closing(Target.as_jobs(server, database).connect()) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO event_hourly (hour, kind, events, amount)"
            " SELECT DATE_FORMAT(occurred_at, '%Y-%m-%d %H:00:00') AS hour, kind, COUNT(*), SUM(amount)"
            " FROM event WHERE occurred_at < '2100-01-01' GROUP BY hour, kind"
        )
