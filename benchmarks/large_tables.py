"""The team's jobs on large tables beside the naive statement: rows per second, locks, waits, memory; linear or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import purge, rollup
from benchmarks.curves import Curve
from benchmarks.probe import Seen
from local.mysql_server import MySQLServer
from testkit.database import Database, new_database

Progress = Callable[[str], None]
Row = dict[str, float]


def measure(
    server: MySQLServer, *, purge_rows: Sequence[int], rollup_events: Sequence[int], progress: Progress
) -> list[Curve]:
    """Return a curve for each job that is there, and one for its naive statement."""
    curves = []
    if purge.TEAMS.job_file(purge.JOB).exists():
        with new_database(server, purge.TEAMS) as database:
            purge.create(database)
            database.migrate({"session": frozenset({"SELECT", "DELETE"})})
            works = {"purge_expired": purge.purge, purge.NAIVE: purge.delete}
            found = {name: [_purged(server, database, size, works[name]) for size in purge_rows] for name in works}
            progress(f"Purges of up to {purge_rows[-1]:,} rows")
        curves += [_curve(f"Deleting expired rows: {name}", "rows", purge_rows, rows) for name, rows in found.items()]
    if rollup.TEAMS.job_file(rollup.JOB).exists():
        with new_database(server, rollup.TEAMS) as database:
            database.migrate({})
            database.migrate(rollup.RIGHTS)
            ours, naive = [], []
            for size in rollup_events:
                rollup.fill(database, size)
                ours.append(_rolled_up(server, database, size, naive=False))
                naive.append(_rolled_up(server, database, size, naive=True))
            progress(f"Summaries of up to {rollup_events[-1]:,} events")
        curves += [
            _curve("Summarizing events: rollup", "events", rollup_events, ours),
            _curve("Summarizing events: naive INSERT … SELECT", "events", rollup_events, naive),
        ]
    return curves


def _curve(subject: str, across: str, sizes: Sequence[int], rows: Sequence[Row]) -> Curve:
    measures = {name: tuple(row[name] for row in rows) for name in rows[0]}
    return Curve(subject=subject, across=across, sizes=tuple(sizes), measures=measures)


def _purged(server: MySQLServer, database: Database, rows: int, work: purge.Work) -> Row:
    with _memory(server) as more:
        speed = purge.speed(server, database, rows, "id", work)
    waits = _waits(purge.watched(server, database, rows, work), sampled=work is purge.purge)
    return {"rows per second": speed, **waits, **more}


def _rolled_up(server: MySQLServer, database: Database, events: int, *, naive: bool) -> Row:
    with _memory(server) as more:
        seconds, seen = rollup.measured(server, database, naive=naive)
    return {"rows per second": events / seconds, **_waits(seen, sampled=not naive), **more}


def _waits(seen: Seen, *, sampled: bool) -> Row:
    return {
        "longest wait for a row concerned, ms": 1000 * seen.concerned,
        **({"longest row locks, ms": 1000 * seen.row_locks} if sampled else {}),
        "longest metadata lock, ms": 1000 * seen.metadata_lock,
        "longest wait for another row, ms": 1000 * seen.neighbour,
        "longest wait of an INSERT, ms": 1000 * seen.insert,
    }


@contextmanager
def _memory(server: MySQLServer) -> Iterator[Row]:
    """Afterwards, how many more MB of memory the server and this process have than before."""
    before = {"server": _megabytes(str(server.pid)), "client": _megabytes("self")}
    more: Row = {}
    yield more
    more["more memory of the server, MB"] = _megabytes(str(server.pid)) - before["server"]
    more["more memory of the client, MB"] = _megabytes("self") - before["client"]


def _megabytes(process: str) -> float:
    return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]) * 4096 / (1 << 20)
