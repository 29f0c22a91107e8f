"""The job that deletes expired rows, beside the naive statement: rows per second, locks, and what writers wait."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from functools import partial

from benchmarks.figures import Line, alternating
from benchmarks.in_process import FIRST_TIME, deployed, event
from benchmarks.probe import Seen, Writes, probing
from benchmarks.target import Target
from local.mysql_server import MySQLServer
from mysql_jobs import handler
from settings.project import ROOT, Project
from testkit.database import Database, new_database
from testkit.function import Context

JOB = "purge_expired"
TEAMS = Project(ROOT)
PARAMETERS = {"tables": [{"table": "session", "column": "expires_at", "retention_days": 30}]}
EXPIRED = FIRST_TIME - timedelta(days=1000)
LIVING = 0.1
"""So many of the rows are not expired."""
RUN_SECONDS = 800
QUIET_SECONDS = 2.0
CHUNK = 100_000
NAIVE = "naive DELETE"


Work = Callable[[MySQLServer, Database], None]


def measure(server: MySQLServer, *, rows: int, rounds: int, progress: Callable[[str], None]) -> list[Line]:
    """Return the lines about it, for a table of so many rows."""
    subject = "purge of expired rows"
    if not TEAMS.job_file(JOB).exists():
        note = f"lambda/jobs/{JOB}.py is not there"
        return [Line(subject=subject, unit="rows/s", ours=None, bar=150_000, better="more", note=note)]
    with new_database(server, TEAMS) as database:
        create(database)
        database.migrate({"session": frozenset({"SELECT", "DELETE"})})
        speeds = {
            order: alternating(
                {
                    "ours": partial(speed, server, database, rows, order, purge),
                    NAIVE: partial(speed, server, database, rows, order, delete),
                },
                rounds=rounds,
            )
            for order in ("id", "RAND(1)")
        }
        progress(f"Purges of {rows:,} rows")
        ours, naive, quiet = (watched(server, database, rows, work) for work in (purge, delete, _nothing))
        progress("The same with writers beside it")
    ordered, scattered = speeds.values()
    return [
        Line(
            subject=subject,
            unit="rows/s",
            ours=ordered["ours"],
            bar=150_000,
            better="more",
            others={NAIVE: ordered[NAIVE]},
            note=f"of {rows:,}, whose ids follow their time",
        ),
        Line(
            subject="the same, as a part of the naive DELETE's",
            unit="times",
            ours=ordered["ours"] / ordered[NAIVE],
            bar=0.41,
            better="more",
            note="150,000 of 362,000, whatever the machine",
        ),
        Line(
            subject="the same, ids in random order",
            unit="rows/s",
            ours=scattered["ours"],
            bar=None,
            better="more",
            others={NAIVE: scattered[NAIVE]},
        ),
        *_locks(ours, naive, quiet),
    ]


def _locks(ours: Seen, naive: Seen, quiet: Seen) -> list[Line]:
    def line(subject: str, field: str, note: str = "") -> Line:
        others = {NAIVE: 1000 * getattr(naive, field) or None, "nothing beside it": 1000 * getattr(quiet, field)}
        return Line(subject=subject, unit="ms", ours=1000 * getattr(ours, field), bar=None, others=others, note=note)

    return [
        line("purge: longest wait for a row that is being deleted", "concerned", "by a writer that tries one in 331"),
        line("purge: median of these waits", "concerned_median"),
        line("purge: longest row locks", "row_locks", "performance_schema.data_locks, every 2 ms and the query's time"),
        line("purge: longest metadata lock", "metadata_lock", "performance_schema.metadata_locks, in the same way"),
        line("purge: longest wait for the next row", "neighbour"),
        line("purge: longest wait of an INSERT", "insert"),
    ]


def speed(server: MySQLServer, database: Database, rows: int, order: str, work: Work) -> float:
    """Fill the table, and return how many rows `work` deletes a second, once it is seen that it did."""
    fill(database, rows, order)
    started = time.perf_counter()
    work(server, database)
    seconds = time.perf_counter() - started
    _require_only_the_living(database, rows)
    return round(rows * (1 - LIVING)) / seconds


def watched(server: MySQLServer, database: Database, rows: int, work: Work) -> Seen:
    """Fill the table, and return what writers see while `work` is done."""
    fill(database, rows, "id")
    target = Target.as_administrator(server, database)
    change = "UPDATE session SET note = IF(note = 'a', 'b', 'a') WHERE id = "
    writes = Writes(
        table="session",
        concerned=f"{change}%s",
        vanishing=True,
        neighbour=f"{change}{round(rows * (1 - LIVING)) + 1}",
        insert="INSERT INTO session (expires_at, note) VALUES ('2100-01-01', 'new')",
    )
    with probing(target, writes, sample_rows=work is purge) as seen:
        work(server, database)
        return seen()


def create(database: Database) -> None:
    """Create the table."""
    database.rows("DROP TABLE IF EXISTS session")
    database.rows(
        "CREATE TABLE session (id BIGINT AUTO_INCREMENT PRIMARY KEY, expires_at DATETIME, note VARCHAR(20),"
        " KEY by_expires_at (expires_at))"
    )


def fill(database: Database, rows: int, order: str) -> None:
    """Fill the table anew: nine of ten rows are expired, a second apart; `order` is that of the ids among them."""
    expired = round(rows * (1 - LIVING))
    with closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("TRUNCATE TABLE session")
        cursor.execute(f"SET SESSION cte_max_recursion_depth = {CHUNK}")
        for begin in range(0, rows, CHUNK):
            cursor.execute(
                "INSERT INTO session (expires_at, note) WITH RECURSIVE number (id) AS"
                f" (SELECT {begin} UNION ALL SELECT id + 1 FROM number WHERE id + 1 < {min(begin + CHUNK, rows)})"
                f" SELECT IF(id < %s, %s + INTERVAL id SECOND, '2100-01-01'), 'a' FROM number ORDER BY {order}",
                (expired, EXPIRED.replace(tzinfo=None)),
            )
        cursor.execute("ANALYZE TABLE session")


def purge(_: MySQLServer, database: Database) -> None:
    """Delete the expired rows by the job."""
    with deployed(database, JOB, {"PARAMETERS": json.dumps(PARAMETERS)}, project=TEAMS):
        report = handler.lambda_handler(event(), Context.of("benchmark", "purge", seconds=RUN_SECONDS))
    if report["outcome"] != "done":
        raise RuntimeError(f"the purge was {report['outcome']}: {report}")


def delete(server: MySQLServer, database: Database) -> None:
    """Delete them in one statement, as the user that the job has."""
    with closing(Target.as_jobs(server, database).connect()) as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM session WHERE expires_at < '2026-01-01'")


def _nothing(_: MySQLServer, __: Database) -> None:
    time.sleep(QUIET_SECONDS)


def _require_only_the_living(database: Database, rows: int) -> None:
    [(left,)] = database.rows("SELECT COUNT(*) FROM session")
    if left != rows - round(rows * (1 - LIVING)):
        raise RuntimeError(f"{left} rows are left of {rows}")
