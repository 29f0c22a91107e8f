"""An empty warm run, ours beside the others: how long it takes, how often it waits, and where its time goes."""

from __future__ import annotations

import importlib.util
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import pymysql
from pymysql.constants import COMMAND

from benchmarks.distance import calibrated, distance
from benchmarks.figures import Line, Piece, alternating
from benchmarks.in_process import PROJECT, deployed, event
from benchmarks.node_client import node_client
from benchmarks.python_client import python_client
from benchmarks.target import Target
from local.mysql_server import MySQLServer
from mysql_jobs import handler
from testkit.database import Database, new_database
from testkit.function import Context

ROUND_TRIP_SECONDS = 0.001
COUNTING_SECONDS = 0.02
"""Of a round trip while they are counted: long, so that a goodbye is never taken for an answer."""
DISTANT = "empty warm run, +1 ms per trip"
LOOPBACK = "empty warm run, loopback"
OURS = "this project"
CONNECTOR = "mysql-connector-python"
FLOOR = "raw sockets"

Run = Callable[[], float]
"""Does a run, and returns how long it took, in seconds."""


@dataclass(frozen=True)
class Way:
    """A way to reach the server: what each run takes on it."""

    seconds: Mapping[str, float]
    pieces: Mapping[str, float]
    """Of ours: its pieces in order, in seconds."""


def measure(server: MySQLServer, *, rounds: int, progress: Callable[[str], None]) -> tuple[list[Line], list[Piece]]:
    """Return the lines about empty warm runs, and where the time of ours goes."""
    with new_database(server, PROJECT) as database:
        database.migrate({})
        trips = _count_trips(server, database)
        progress(f"Round trips: {', '.join(f'{name} {count}' for name, count in trips.items())}")
        near = _measure(server.port, server, database, rounds)
        progress("Empty warm runs on loopback")
        with distance(server, calibrated(server, ROUND_TRIP_SECONDS)) as away:
            far = _measure(away.port, server, database, rounds)
        progress("Empty warm runs at +1 ms per round trip")
    others = [name for name in near.seconds if name != OURS]
    ahead = [name for name in others if name != FLOOR]
    trip_line = Line(
        subject="empty warm run: round trips",
        unit="trips",
        ours=trips[OURS],
        bar=6,
        others={name: trips[name] for name in others},
        note="TCP with the greeting counts as one; a direct endpoint",
    )
    lines = [
        _line(DISTANT, far, others, bar=12.5),
        _ahead("the same, beside the fastest other client", far, ahead),
        trip_line,
        _line(LOOPBACK, near, others, bar=3.6),
        _ahead("the same, beside PyMySQL with a cached context", near, ["PyMySQL, cached context"]),
    ]
    names = list(dict.fromkeys([*near.pieces, *far.pieces]))
    pieces = [
        Piece(name=name, loopback=1000 * near.pieces.get(name, 0), distant=1000 * far.pieces.get(name, 0))
        for name in names
    ]
    return lines, pieces


def _line(subject: str, way: Way, others: list[str], *, bar: float) -> Line:
    return Line(
        subject=subject,
        unit="ms",
        ours=1000 * way.seconds[OURS],
        bar=bar,
        others={name: 1000 * way.seconds[name] for name in others},
        note="medians; mysqlclient has no wheel for Linux"
        + (f", {CONNECTOR} could not be had" if CONNECTOR not in others else ""),
    )


def _ahead(subject: str, way: Way, others: list[str]) -> Line:
    fastest = min(others, key=lambda name: way.seconds[name])
    ratio = way.seconds[OURS] / way.seconds[fastest]
    return Line(subject=subject, unit="times", ours=ratio, bar=1.0, note=f"ours / {fastest}, of the medians in one run")


def _measure(port: int, server: MySQLServer, database: Database, rounds: int) -> Way:
    with _contenders(port, server, database) as contenders:
        for run in contenders.values():
            run()
        seconds = alternating(contenders, rounds=rounds)
        with _watched() as pieces:
            for _ in range(rounds):
                contenders[OURS]()
    return Way(seconds, pieces)


def _count_trips(server: MySQLServer, database: Database) -> dict[str, int]:
    with distance(server, COUNTING_SECONDS) as away, _contenders(away.port, server, database) as contenders:
        counts = {}
        for name, run in contenders.items():
            run()
            away.trips()
            run()
            counts[name] = away.trips()
        return counts


@contextmanager
def _contenders(port: int, server: MySQLServer, database: Database) -> Iterator[dict[str, Run]]:
    """All that are there, by name, with the floor last; they reach the server through `port`."""
    target = Target.as_jobs(server, database, port=port)
    python = ["PyMySQL, cached context", "PyMySQL, default"]
    if importlib.util.find_spec("mysql") and importlib.util.find_spec("mysql.connector"):
        python.append(CONNECTOR)
    with ExitStack() as stack:
        ours = stack.enter_context(_ours(port, database))
        node = {name: stack.enter_context(node_client(name, target, name)) for name in ("serverless-mysql", "mysql2")}
        others = {name: stack.enter_context(python_client(name, target, name)) for name in (*python, FLOOR)}
        yield {OURS: ours, **node, **others}


_numbers = itertools.count()


@contextmanager
def _ours(port: int, database: Database) -> Iterator[Run]:
    def run() -> float:
        arguments = event(), Context.of("benchmark", f"request-{next(_numbers)}", seconds=30)
        started = time.perf_counter()
        report = handler.lambda_handler(*arguments)
        seconds = time.perf_counter() - started
        if report["outcome"] != "done":
            raise RuntimeError(f"the run was {report['outcome']}: {report}")
        return seconds

    with deployed(database, "nothing", {"DATABASE_PORT": str(port)}):
        yield run


@contextmanager
def _watched() -> Iterator[dict[str, float]]:
    """Within, what our runs do is timed; afterwards the pieces are there: medians, in seconds, in their order."""
    runs: list[dict[str, float]] = []
    moments: list[tuple[str, float]] = []
    waited = True
    execute = pymysql.connections.Connection._execute_command  # type: ignore[attr-defined]
    read = pymysql.connections.Connection._read_bytes  # type: ignore[attr-defined]
    connect = pymysql.connections.Connection.connect
    close = pymysql.connections.Connection._force_close  # type: ignore[attr-defined]
    handle = handler.lambda_handler

    def executing(connection: Any, command: int, sql: str | bytes) -> None:
        nonlocal waited
        if command == COMMAND.COM_QUERY:
            name = _named(sql if isinstance(sql, str) else sql.decode("latin-1"))
            if waited:
                moments.append((name, time.perf_counter()))
            else:
                moments[-1] = f"{moments[-1][0]}, {name}", moments[-1][1]
            waited = False
        execute(connection, command, sql)

    def reading(connection: Any, count: int) -> bytes:
        nonlocal waited
        waited = True
        return bytes(read(connection, count))

    def connecting(connection: Any, sock: Any = None) -> None:
        moments.append(("greeting, TLS, login", time.perf_counter()))
        connect(connection, sock)

    def closing(connection: Any) -> None:
        moments.append(("after the goodbye", time.perf_counter()))
        close(connection)

    def handling(event: object, context: Any) -> Any:
        moments[:] = [("until TCP is there", time.perf_counter())]
        report = handle(event, context)
        ended = time.perf_counter()
        pieces: dict[str, float] = {}
        for (name, begun), (_, following) in itertools.pairwise([*moments, ("", ended)]):
            pieces[name] = pieces.get(name, 0) + following - begun
        runs.append(pieces)
        return report

    pieces: dict[str, float] = {}
    with (
        mock.patch.object(pymysql.connections.Connection, "_execute_command", executing),
        mock.patch.object(pymysql.connections.Connection, "_read_bytes", reading),
        mock.patch.object(pymysql.connections.Connection, "connect", connecting),
        mock.patch.object(pymysql.connections.Connection, "_force_close", closing),
        mock.patch.object(handler, "lambda_handler", handling),
    ):
        yield pieces
    for name in dict.fromkeys(name for run in runs for name in run):
        pieces[name] = statistics.median(run.get(name, 0) for run in runs)


def _named(statement: str) -> str:
    """The first two words of a statement, without names that are other ones in each run; how many come with it."""
    first, *more = (each for each in statement.split(";") if each.strip())
    words = first.replace("(", " ").replace(",", " ").split()[:2]
    name = " ".join(word for word in words if not word.startswith("mysql_jobs_"))
    return f"{name} + {len(more)}" if more else name
