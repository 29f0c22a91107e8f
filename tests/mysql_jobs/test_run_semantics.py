"""Whatever is delivered in whatever order, and whatever goes wrong: what the model says happens, and nothing else.

Hypothesis makes up the histories. Each run happens in Lambda's official runtime client, against a real server.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pymysql
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lab.fault_bench import FIRST_TIME, SCHEMA, Bench, Function, log_line, outcome
from lab.fault_proxy import Action, FaultProxy
from local import mysql_installation
from local.emulator import Emulator
from local.environment import CACHE
from local.execution_environment import Invocation
from local.mysql_server import MySQLServer

INTERVAL = timedelta(minutes=5)
"""Of the schedule, and the part of a window that is one batch of the job."""
LONGEST = 3
"""How many of them the longest window has."""
BY_HAND = datetime(2025, 12, 1, tzinfo=UTC)
"""Windows by hand are of this day; those of the schedule are later."""
TIMEOUT_SECONDS = 60
"""The function's. No run comes near it: a run is out of time when its job says so."""
SETTLE_SECONDS = 20
PLACES = 34
"""Requests and answers of a job of three batches, from the lock to the last commit."""
SETTINGS = settings(
    stateful_step_count=30,
    deadline=None,
    database=None,
    derandomize=True,  # the same in CI as here; a run of another seed is a run by hand
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@dataclass(frozen=True)
class Window:
    """A span of time, as so many batches."""

    start: datetime
    count: int

    @property
    def end(self) -> datetime:
        return self.start + self.count * INTERVAL

    def batches(self) -> list[datetime]:
        return [self.start + number * INTERVAL for number in range(self.count)]


@dataclass(frozen=True)
class Request:
    """A run for a scheduled time; or one by hand, for a window and with an execution id."""

    key: datetime | str
    window: Window | None = None

    def event(self) -> dict[str, Any]:
        if self.window is None:
            return {"scheduled_time": f"{self.key}", "execution_id": "scheduler"}
        window = {"start": f"{self.window.start}", "end": f"{self.window.end}"}
        return {"window": window, "execution_id": self.key}


@dataclass
class Row:
    """A row of the ledger: so many batches of its window are done."""

    key: datetime | str
    window: Window
    done: int = 0

    @property
    def complete(self) -> bool:
        return self.done == self.window.count


@dataclass
class Model:
    """What is promised: the ledger, the work that is done, and what a run may claim."""

    rows: list[Row] = field(default_factory=list)
    work: Counter[datetime] = field(default_factory=Counter)
    locked: bool = False
    """A run is at work, or its orphan is still on the server."""

    def claim(self, request: Request) -> Row | str:
        """The row that a run is to complete, a new one perhaps; or the outcome of a run that has nothing to do."""
        if self.locked:
            return "overlapping"
        own = next((row for row in self.rows if row.key == request.key), None)
        last = next((row for row in reversed(self.rows) if isinstance(row.key, datetime)), None)
        if own:
            continues = not own.complete and (request.window or own is last)
            return own if continues else "duplicate"
        if request.window:
            return Row(request.key, request.window)
        assert isinstance(request.key, datetime)
        return _next(request.key, last)

    def commit(self, row: Row, done: int) -> None:
        """So many batches of the row are done now."""
        if done > row.done:
            self.work.update(row.window.batches()[row.done : done])
            row.done = done
            if not any(row is each for each in self.rows):
                self.rows.append(row)


def _next(time: datetime, last: Row | None) -> Row | str:
    """What follows the last row of a scheduled time."""
    if last is None:
        return Row(time, Window(time - LONGEST * INTERVAL, LONGEST))
    if time <= last.window.end:
        return "superseded"
    if not last.complete:
        return Row(time, last.window, last.done)
    return Row(time, Window(last.window.end, min(LONGEST, (time - last.window.end) // INTERVAL)))


@dataclass
class Saboteur:
    """Watches the connection of one run, and strikes at one of the places that it comes to, from the lock on."""

    place: int
    action: Action
    victim: Function | None = None
    """Whose process is killed at the same moment."""
    struck: str = ""
    """The place's name."""
    commits: int = 0
    """Answered by the server, whether or not the run has learnt of it."""
    _began: bool = False

    def __call__(self, place: str) -> Action | None:
        self._began = self._began or "GET_LOCK" in place
        # Nobody waits for an answer to COM_QUIT: the run may have ended before this could strike. Partway, nobody knows
        # whether the server has come to the COMMIT.
        if self.struck or not self._began or "quit" in place or "partway" in place:
            return None
        self.commits += place.startswith("answer: ") and "COMMIT" in place
        if self.place:
            self.place -= 1
            return None
        self.struck = place
        if self.victim:
            _kill(self.victim)
        return self.action

    @property
    def locked(self) -> bool:
        """Whether the server had got the request for the job's lock when this struck."""
        return bool(self.struck) and not self.struck.startswith("request: SELECT GET_LOCK")


@dataclass(frozen=True, kw_only=True)
class World:
    """What all histories happen in: a server, and two environments of one function, the second behind a proxy."""

    bench: Bench
    proxy: FaultProxy
    first: Function
    second: Function
    running: contextlib.ExitStack
    """Stops each server that is started."""

    def invoke(self, request: Request, trouble: str = "", batch: int = 0) -> Invocation:
        """A run in the first environment, with trouble in a batch of the job."""
        with self.storm(trouble, batch):
            return self.first.client.invoke(request.event())

    def sabotage(self, request: Request, saboteur: Saboteur) -> Invocation:
        """A run in the second environment."""
        self.proxy.observer = saboteur
        run = self.second.client.invoke(request.event())
        self.proxy.observer = lambda _place: None
        return run

    @contextlib.contextmanager
    def storm(self, trouble: str, batch: int) -> Iterator[None]:
        """A job that begins within the block has trouble in one of its batches."""
        self.first.storm.write_text(json.dumps({"trouble": trouble, "batch": batch} if trouble else {}))
        try:
            yield
        finally:
            self.first.storm.write_text("{}")

    @contextlib.contextmanager
    def held(self, request: Request, batch: int) -> Iterator[Future[Invocation]]:
        """A run in the second environment that waits in a batch, for a row that is locked until the block ends."""
        with ThreadPoolExecutor(1) as thread, contextlib.closing(self.bench.server.connect()) as blocker:
            blocker.begin()
            blocker.query(f"UPDATE {SCHEMA}.number SET n = n WHERE n = 1")
            with self.storm("waits", batch):
                run = thread.submit(self.second.client.invoke, request.event())
                while not run.done() and "UPDATE number" not in f"{self.bench.sessions(self.second.user)}":
                    time.sleep(0.01)
            yield run

    def restart(self) -> None:
        """Restart the server, or start it again if it is down."""
        self.bench.server = self.running.enter_context(self.bench.server.restart())

    def end_orphans(self) -> None:
        """As the server itself does with a session that was idle for too long."""
        for session, *_ in self.bench.sessions(self.second.user):
            with contextlib.suppress(pymysql.err.OperationalError):  # it may just have ended by itself
                self.bench.execute(f"KILL {session}")

    def clear(self) -> None:
        """As if no run had ever been."""
        self.bench.execute(f"DELETE FROM {SCHEMA}.ledger")
        self.bench.execute(f"DELETE FROM {SCHEMA}.work")

    def rows(self) -> list[Row]:
        """The ledger."""
        columns = "scheduled_time, execution_id, window_start, window_end, outcome, progress"
        return [_row(*row) for row in self.bench.execute(f"SELECT {columns} FROM {SCHEMA}.ledger ORDER BY sequence")]

    def work(self) -> Counter[datetime]:
        """The batches that are done, and how often."""
        return Counter(_utc(batch) for (batch,) in self.bench.execute(f"SELECT batch FROM {SCHEMA}.work"))


windows = st.builds(Window, st.sampled_from([BY_HAND, BY_HAND + INTERVAL]), st.integers(1, LONGEST))
times = st.integers(-LONGEST, LONGEST - 1)
asked = st.one_of(times, times, times, st.builds(Request, st.sampled_from("abcdef"), windows))
"""By hand; or for a scheduled time, in intervals from the latest one that a run was asked for: so in time, after an
outage, again, late, or out of order."""
batches = st.integers(0, LONGEST - 1)
"""Where it happens; or in the nearest batch that the run does."""
places = st.integers(0, PLACES - 1)


class Histories(RuleBasedStateMachine):
    """Runs are asked for, for any time and in any order, and go well or not."""

    world: ClassVar[World]
    """The test's: Hypothesis makes a machine without arguments for each history."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.latest = FIRST_TIME
        self.world.clear()

    def teardown(self) -> None:
        self.world.end_orphans()

    @rule(asked=asked)
    def a_run_goes_well(self, asked: int | Request) -> None:
        request, claim = self.ask(asked)
        self.goes_well(claim, self.world.invoke(request))

    @rule(asked=asked)
    def a_dry_run_changes_nothing(self, asked: int | Request) -> None:
        request, claim = self.ask(asked)
        _expect(self.world.first.client.invoke({**request.event(), "dry_run": True}), "dry_run", claim)

    @rule(asked=asked, batch=batches)
    def a_job_fails(self, asked: int | Request, batch: int) -> None:
        request, claim = self.ask(asked)
        done = _reached(claim, batch)
        self.ends(claim, self.world.invoke(request, "fails", done), "ValueError", done)

    @rule(asked=asked, batch=batches)
    def a_run_is_out_of_time(self, asked: int | Request, batch: int) -> None:
        request, claim = self.ask(asked)
        done = _reached(claim, batch) + 1
        word = "done" if isinstance(claim, Row) and done == claim.window.count else "partial"
        self.ends(claim, self.world.invoke(request, "out_of_time", done - 1), word, done)

    @rule(asked=asked, place=places, action=st.sampled_from(["reset", "close"]))
    def a_connection_is_cut(self, asked: int | Request, place: int, action: Action) -> None:
        (request, claim), saboteur = self.ask(asked), Saboteur(place, action)
        run = self.world.sabotage(request, saboteur)
        if saboteur.struck:
            error = "OutcomeUnknownError" if "COMMIT" in saboteur.struck else "OperationalError"
            self.is_lost(claim, run, error, saboteur)
        else:
            self.goes_well(claim, run)

    @rule(asked=asked, place=places)
    def a_process_is_killed(self, asked: int | Request, place: int) -> None:
        (request, claim), saboteur = self.ask(asked), Saboteur(place, "close", self.world.second)
        self.is_killed(claim, self.world.sabotage(request, saboteur), saboteur)

    @rule(asked=asked, place=places, others=st.lists(asked, max_size=2))
    def a_killed_process_leaves_an_orphan(self, asked: int | Request, place: int, others: list[int | Request]) -> None:
        """The network is lost, too, so that the server does not learn of its end at once."""
        (request, claim), saboteur = self.ask(asked), Saboteur(place, "silence", self.world.second)
        self.is_killed(claim, self.world.sabotage(request, saboteur), saboteur)
        if saboteur.locked:
            self.others_come(others)
        self.world.end_orphans()

    @rule(asked=asked, batch=batches, others=st.lists(asked, max_size=3), killed=st.booleans())
    def others_come_while_a_run_is_at_work(
        self, asked: int | Request, batch: int, others: list[int | Request], killed: bool
    ) -> None:
        request, claim = self.ask(asked)
        if isinstance(claim, str):
            return
        done = _reached(claim, batch)
        with self.world.held(request, done) as run:
            self.model.commit(claim, done)
            self.others_come(others)
            if killed:
                _kill(self.world.second)
        if killed:
            self.ends(claim, run.result(), "Runtime.ExitError", done)
        else:
            self.goes_well(claim, run.result())

    @invariant()
    def no_session_is_left(self) -> None:
        for each in (self.world.first, self.world.second):
            left = self.world.bench.settled(each.user, SETTLE_SECONDS)
            assert left == (0, 0), self.world.bench.sessions(each.user)

    @invariant()
    def the_work_and_the_ledger_are_the_models(self) -> None:
        assert self.world.work() == self.model.work
        assert self.world.rows() == self.model.rows

    @invariant()
    def the_schedules_work_is_done_once_and_without_a_gap(self) -> None:
        """Observed, without the model's decision."""
        done = sorted(batch for batch in self.model.work.elements() if batch > BY_HAND + timedelta(days=1))
        assert done == [done[0] + number * INTERVAL for number in range(len(done))]

    def ask(self, asked: int | Request) -> tuple[Request, Row | str]:
        """The request, and what the model says that its run has to do."""
        request = Request(self.latest + asked * INTERVAL) if isinstance(asked, int) else asked
        if isinstance(request.key, datetime):
            self.latest = max(self.latest, request.key)
        return request, self.model.claim(request)

    def others_come(self, others: list[int | Request]) -> None:
        """While another run holds the job's lock, or its orphan does."""
        self.model.locked = True
        for asked in others:
            self.a_run_goes_well(asked)
            self.the_work_and_the_ledger_are_the_models()
        self.model.locked = False

    def goes_well(self, claim: Row | str, run: Invocation) -> None:
        self.ends(claim, run, "done", claim.window.count if isinstance(claim, Row) else 0)

    def ends(self, claim: Row | str, run: Invocation, word: str, done: int) -> None:
        """With that outcome and so many batches done; unless there was nothing to do."""
        _expect(run, word, claim)
        if isinstance(claim, Row):
            self.model.commit(claim, done)

    def is_killed(self, claim: Row | str, run: Invocation, saboteur: Saboteur) -> None:
        """Unless it never came to the place."""
        if saboteur.struck:
            self.is_lost(claim, run, "Runtime.ExitError", saboteur)
        else:
            self.goes_well(claim, run)

    def is_lost(self, claim: Row | str, run: Invocation, error: str, saboteur: Saboteur) -> None:
        """Whatever the caller knows: what the server committed is done, and nothing else."""
        assert outcome(run).split()[0] == error
        if isinstance(claim, Row):
            self.model.commit(claim, claim.done + saboteur.commits)


class HistoriesWithARestart(Histories):
    """The server restarts, once: it takes seconds."""

    restarted = False

    @precondition(lambda self: not self.restarted)
    @rule()
    def the_server_restarts(self) -> None:
        self.restarted = True
        self.world.restart()

    @precondition(lambda self: not self.restarted)
    @rule(asked=asked, batch=batches)
    def the_server_restarts_while_a_run_is_at_work(self, asked: int | Request, batch: int) -> None:
        request, claim = self.ask(asked)
        if isinstance(claim, str):
            return
        done = _reached(claim, batch)
        with self.world.held(request, done) as run:
            self.the_server_restarts()
        self.ends(claim, run.result(), "OperationalError", done)

    @precondition(lambda self: not self.restarted)
    @rule(asked=asked)
    def a_run_begins_while_the_server_is_down(self, asked: int | Request) -> None:
        request, claim = self.ask(asked)
        self.world.bench.server.stop()
        with ThreadPoolExecutor(1) as thread:
            run = thread.submit(self.world.invoke, request)
            self.the_server_restarts()
        self.goes_well(claim, run.result())


@contextlib.contextmanager
def _world(server: MySQLServer, emulator: Emulator, folder: Path) -> Iterator[World]:
    job = Path(__file__).with_name("counting.py")
    with (
        contextlib.ExitStack() as running,
        FaultProxy(server) as proxy,
        contextlib.closing(Bench(server=server, emulator=emulator, job=job, folder=folder)) as bench,
    ):
        bench.execute(f"CREATE TABLE {SCHEMA}.work (batch DATETIME NOT NULL)")
        variables = {"MAX_WINDOW_MINUTES": str(LONGEST * INTERVAL // timedelta(minutes=1))}
        with bench.function("{}", timeout_seconds=TIMEOUT_SECONDS, variables=variables) as first:
            variables |= {"JOB": first.user, "STORM": str(first.storm)}
            with bench.function("{}", port=proxy.port, timeout_seconds=TIMEOUT_SECONDS, variables=variables) as second:
                yield World(bench=bench, proxy=proxy, first=first, second=second, running=running)


def test_any_history_does_what_the_model_says(
    server: MySQLServer, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with _world(server, emulator, tmp_path_factory.mktemp("bench")) as world:
        Histories.world = world
        run_state_machine_as_test(Histories, settings=settings(SETTINGS, max_examples=12))


def test_any_history_with_restarts_does_what_the_model_says(
    emulator: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> None:
    installation = mysql_installation.find_or_fetch(CACHE, progress=print)
    with (
        MySQLServer.start(installation, tmp_path_factory.mktemp("restarted"), progress=print) as server,
        _world(server, emulator, tmp_path_factory.mktemp("bench")) as world,
    ):
        HistoriesWithARestart.world = world
        run_state_machine_as_test(HistoriesWithARestart, settings=settings(SETTINGS, max_examples=4))


def _reached(claim: Row | str, batch: int) -> int:
    """The batch, or the nearest one that the run does."""
    return min(max(batch, claim.done), claim.window.count - 1) if isinstance(claim, Row) else 0


def _expect(run: Invocation, word: str, claim: Row | str) -> None:
    if isinstance(claim, str):
        assert outcome(run) == claim
        return
    assert outcome(run).split()[0] == word
    report = log_line(run)
    if word != "Runtime.ExitError":
        assert report["leaked"] == []
        found = (datetime.fromisoformat(report["window_start"]), datetime.fromisoformat(report["window_end"]))
        assert found == (claim.window.start, claim.window.end)


def _kill(function: Function) -> None:
    assert function.client.pid
    os.kill(function.client.pid, signal.SIGKILL)


def _row(
    scheduled_time: datetime | None, execution_id: str, start: datetime, end: datetime, outcome: str, progress: str
) -> Row:
    window = Window(_utc(start), (end - start) // INTERVAL)
    done = window.count if outcome == "done" else json.loads(progress)["batches"]
    return Row(_utc(scheduled_time) if scheduled_time else execution_id, window, done)


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC)
