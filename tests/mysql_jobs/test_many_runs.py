"""What a single run does not show: what ten thousand runs leave, and what two do that begin at the same instant.

In `make test` a small part of it, in `make torture` all of it.
"""

import logging
import os
import resource
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pymysql.cursors import SSCursor

from lab.fault_bench import FIRST_TIME, INTERVAL, SCHEMA, SETTLE_SECONDS, Bench, Function, outcome
from lab.fault_proxy import Fault, FaultProxy, Stage
from local.emulator import Emulator
from local.mysql_server import MySQLServer
from mysql_jobs import ledger, migrate, secrets_manager
from mysql_jobs.handler import lambda_handler
from mysql_jobs.run import Run
from tests.benches import new_bench

Query = Callable[[str], list[tuple[Any, ...]]]
Job = Callable[[Run], None]
Count = Callable[[str, int], None]
Windows = list[tuple[datetime, datetime]]
FULL = "TORTURE" in os.environ
RUNS, PAIRS = (10_000, 200) if FULL else (1_000, 60)
MEGABYTES = 30 if FULL else 5
"""What may be more at the end: a bound on what grows with the runs, 3 KB of each; under 1 here."""
WORK = "CREATE TABLE {}work (id INT AUTO_INCREMENT PRIMARY KEY, start DATETIME(6) NULL, end DATETIME(6) NULL)"


def works(run: Run) -> None:
    with run.cursor() as cursor:
        cursor.execute("INSERT INTO work (start, end) VALUES (%s, %s)", (run.window.start, run.window.end))


def raises_before_its_work(_run: Run) -> None:
    raise ValueError("before")


def raises_after_its_work(run: Run) -> None:
    works(run)
    raise ValueError("after")


def raises_among_its_rows(run: Run) -> None:
    works(run)
    rows = run.cursor(SSCursor)
    rows.execute("SELECT REPEAT('x', 100000) FROM ledger LIMIT 100")
    rows.fetchone()
    raise ValueError("among the rows")


def asks_nonsense(run: Run) -> None:
    works(run)
    run.cursor().execute("SELECT nonsense")


def loses_its_connection(run: Run) -> None:
    works(run)
    run.cursor().execute("KILL CONNECTION_ID()")


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One event, and what it comes to."""

    outcome: str
    """The log line's, or the error's name."""
    job: Job = works
    commit_lost: Stage | None = None
    late: timedelta = timedelta(0)


USUAL = [Delivery(outcome="done")]
UNUSUAL: dict[int, list[Delivery]] = {
    7: [Delivery(outcome="ValueError", job=raises_before_its_work), Delivery(outcome="done")],
    17: [Delivery(outcome="ValueError", job=raises_after_its_work), Delivery(outcome="done")],
    27: [Delivery(outcome="ValueError", job=raises_among_its_rows)],  # and never again
    37: [Delivery(outcome="OperationalError", job=loses_its_connection), Delivery(outcome="done")],
    47: [Delivery(outcome="OutcomeUnknownError", commit_lost="statement"), Delivery(outcome="done")],
    57: [Delivery(outcome="OutcomeUnknownError", commit_lost="answer"), Delivery(outcome="duplicate")],
    67: [Delivery(outcome="done"), Delivery(outcome="duplicate")],
    77: [],
    78: [Delivery(outcome="done"), Delivery(outcome="superseded", late=INTERVAL)],
    87: [],  # missed
    97: [Delivery(outcome="OperationalError", job=asks_nonsense)],
}
"""What happens at some of each hundred scheduled times."""


@dataclass(frozen=True)
class Footprint:
    """What this process holds."""

    threads: int
    descriptors: int
    megabytes: float

    @classmethod
    def take(cls) -> "Footprint":
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        megabytes = pages * resource.getpagesize() / (1 << 20)
        return cls(threading.active_count(), len(os.listdir("/proc/self/fd")), megabytes)


class Series:
    """The runs of one job in this process, one after the other."""

    def __init__(self, server: MySQLServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self._server = server
        self._monkeypatch = monkeypatch
        self._context: Any = SimpleNamespace(
            function_name="series", aws_request_id="request", get_remaining_time_in_millis=lambda: 30_000
        )

    def deliver(self, time: datetime, delivery: Delivery) -> str:
        """Returns what came of it."""
        for _ in range(100):
            word = self._deliver(time, delivery)
            if word != "overlapping":
                break  # else the last run's session, ended some milliseconds ago, still has the job's lock
        return word

    def _deliver(self, time: datetime, delivery: Delivery) -> str:
        job = SimpleNamespace(__name__="jobs.pulse", run=delivery.job)
        with ExitStack() as during, self._monkeypatch.context() as patch:
            patch.setitem(sys.modules, "jobs.pulse", job)
            if delivery.commit_lost:
                fault = Fault(stage=delivery.commit_lost, action="reset", statement=b"COMMIT")
                patch.setenv("DATABASE_PORT", str(during.enter_context(FaultProxy(self._server, fault)).port))
            try:
                report = lambda_handler({"scheduled_time": (time - delivery.late).isoformat()}, self._context)
            except Exception as error:  # noqa: BLE001 (whichever it is, it is compared)
                return type(error).__name__
        assert (report["leaked"], report["destroyed"]) == ([], "polite")
        return str(report["outcome"])


@pytest.fixture
def series(
    server: MySQLServer,
    emulator: Emulator,
    variables: dict[str, str],
    query: Query,
    context: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Series:
    migrate.lambda_handler({}, context)
    query(WORK.format(""))
    monkeypatch.setenv("JOB", "pulse")
    monkeypatch.setenv("MAX_WINDOW_MINUTES", "60")
    secret = emulator.client("secretsmanager").get_secret_value(SecretId=variables["DATABASE_SECRET"])
    # The emulator takes a third of a run's time to say the same each time.
    monkeypatch.setattr(secrets_manager, "_get_secret_value", lambda **_: secret)
    caplog.set_level(logging.CRITICAL, logger="mysql_jobs")  # pytest would keep every line
    if not FULL:
        monkeypatch.setattr(ledger, "KEPT_RUNS", RUNS // 5)  # as many are pruned as of ten thousand
    return Series(server, monkeypatch)


def test_thousands_of_runs_in_a_row_leave_nothing_and_miss_nothing(
    series: Series, query: Query, count_torture: Count
) -> None:
    for number in range(RUNS):
        if number == 500:
            before = Footprint.take()
        for delivery in UNUSUAL.get(number % 100, USUAL):
            assert (number, series.deliver(FIRST_TIME + number * INTERVAL, delivery)) == (number, delivery.outcome)
    after = Footprint.take()
    assert after.threads <= before.threads
    assert after.descriptors <= before.descriptors
    assert after.megabytes < before.megabytes + MEGABYTES
    assert _sessions_left(query) == 0
    windows: Windows = list(query("SELECT start, end FROM work ORDER BY id"))
    _follow_each_other(windows)
    assert (windows[0][0], windows[-1][1]) == (
        _naive(FIRST_TIME - timedelta(hours=1)),
        _naive(FIRST_TIME + (RUNS - 1) * INTERVAL),
    )
    recorded: Windows = list(query("SELECT window_start, window_end FROM ledger ORDER BY sequence"))
    assert ledger.KEPT_RUNS <= len(recorded) < ledger.KEPT_RUNS + ledger.RUNS_PER_PRUNING
    assert recorded == windows[-len(recorded) :]
    count_torture("scheduled times in a row, in one process", RUNS)


@pytest.fixture(scope="module")
def bench(server: MySQLServer, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = new_bench(server, emulator, tmp_path_factory, "marked")
    bench.execute(WORK.format(f"{SCHEMA}."))
    yield bench
    bench.close()


def test_of_two_that_begin_at_the_same_instant_only_one_is_at_work(
    bench: Bench, tmp_path: Path, count_torture: Count
) -> None:
    marker = {"MARKER": str(tmp_path / "at work")}
    with (
        bench.function("", variables=marker, timeout_seconds=30) as one,
        bench.function("", variables={**marker, "JOB": one.user}, timeout_seconds=30) as other,
        ThreadPoolExecutor(2) as pool,
    ):
        pairs: dict[timedelta, Counter[tuple[str, ...]]] = {timedelta(0): Counter(), INTERVAL: Counter()}
        for number in range(PAIRS):
            time, later = FIRST_TIME + 2 * number * INTERVAL, number % 2 * INTERVAL
            pairs[later][_at_once(pool, (one, time), (other, time + later))] += 1
            left = [bench.settled(function.user, SETTLE_SECONDS) for function in (one, other)]
            assert left == [(0, 0), (0, 0)]
    same_time, different_times = pairs.values()
    assert same_time.keys() <= {("done", "overlapping"), ("done", "duplicate")}
    assert different_times.keys() <= {("done", "overlapping"), ("done", "superseded"), ("done", "done")}
    # Otherwise they were never at it at the same time, and nothing is shown.
    assert same_time["done", "overlapping"] >= PAIRS // 20
    assert different_times["done", "overlapping"] >= PAIRS // 20
    windows = bench.execute(f"SELECT start, end FROM {SCHEMA}.work ORDER BY id")
    _follow_each_other(windows)
    assert bench.execute(f"SELECT window_start, window_end FROM {SCHEMA}.ledger ORDER BY sequence") == windows
    count_torture("two that begin at the same instant", PAIRS)


def _at_once(pool: ThreadPoolExecutor, *starts: tuple[Function, datetime]) -> tuple[str, ...]:
    """What comes of events that are delivered at the same instant, in alphabetical order."""
    barrier = threading.Barrier(len(starts), timeout=60)

    def start(function: Function, time: datetime) -> str:
        barrier.wait()
        return outcome(function.client.invoke({"scheduled_time": time.isoformat()}))

    return tuple(sorted(pool.map(start, *zip(*starts, strict=True))))


def _sessions_left(query: Query) -> int:
    """How many other sessions of the function's user are on the server, once the last one had the time to end."""
    mine = "user = SUBSTRING_INDEX(CURRENT_USER(), '@', 1) AND id <> CONNECTION_ID()"
    statement = f"SELECT COUNT(*) FROM performance_schema.processlist WHERE {mine}"
    end = time.monotonic() + 5
    while (left := int(query(statement)[0][0])) and time.monotonic() < end:
        time.sleep(0.02)
    return left


def _follow_each_other(windows: Windows) -> None:
    assert all(start < end for start, end in windows)
    assert [end for _start, end in windows[:-1]] == [start for start, _end in windows[1:]]


def _naive(time: datetime) -> datetime:
    return time.replace(tzinfo=None)
