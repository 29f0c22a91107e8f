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
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

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
from mysql_jobs.request import Window
from tests.mysql_jobs.model import INTERVAL, Ask, Claim, Ending, Model, Row, Terms, ending

LONGEST = 3
"""How many batches the longest window has."""
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


class Times(NamedTuple):
    """The times of a schedule, all of them long ago; none if nobody has said it to the function."""

    times: tuple[datetime, ...]

    def before(self, time: datetime) -> datetime | None:
        return max((each for each in self.times if each < time), default=None)

    def latest(self, now: datetime) -> datetime | None:
        return max((each for each in self.times if each <= now), default=None)


LONGEST_WINDOW, HOURS = LONGEST * INTERVAL, timedelta(hours=24)
ALL = Terms("all", LONGEST_WINDOW, HOURS, Times(()))
"""Of the first environment. Nobody has said the schedule to it: a run is for its own time, and no later one."""
SCHEDULE = "cron(0/15 0 1 1 ? 2026)"
NONE = Terms("none", LONGEST_WINDOW, HOURS, Times(tuple(FIRST_TIME + number * LONGEST_WINDOW for number in range(4))))
"""Of the second one: what is missed is skipped, as long as there are scheduled times."""


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

    def invoke(self, ask: Ask, trouble: str = "", batch: int = 0) -> Invocation:
        """A run in the first environment, with trouble in a batch of the job."""
        with self.storm(trouble, batch):
            return self.first.client.invoke(ask.event())

    def sabotage(self, ask: Ask, saboteur: Saboteur) -> Invocation:
        """A run in the second environment."""
        self.proxy.observer = saboteur
        run = self.second.client.invoke(ask.event())
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
    def held(self, ask: Ask, batch: int) -> Iterator[Future[Invocation]]:
        """A run in the second environment that waits in a batch, for a row that is locked until the block ends."""
        with ThreadPoolExecutor(1) as thread, contextlib.closing(self.bench.server.connect()) as blocker:
            blocker.begin()
            blocker.query(f"UPDATE {SCHEMA}.number SET n = n WHERE n = 1")
            with self.storm("waits", batch):
                run = thread.submit(self.second.client.invoke, ask.event())
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

    def write_as_before(self, sequence: int, claim: Claim, first: int) -> None:
        """Leave the row and the work as a run of version 0.1 did."""
        row = claim.row
        changing = ("done" if row.complete else "partial", json.dumps({"batches": row.done}))
        if claim.new:
            columns = "job, sequence, scheduled_time, execution_id, window_start, window_end, outcome, progress"
            values = (self.first.user, sequence, row.key, row.by, *row.window, *changing)
            insert = f"INSERT INTO {SCHEMA}.ledger ({columns}, started_at, duration_ms)"
            self.bench.execute(f"{insert} VALUES (%s, %s, %s, %s, %s, %s, %s, %s, UTC_TIMESTAMP(6), 0)", values)
        else:
            update = f"UPDATE {SCHEMA}.ledger SET outcome = %s, progress = %s WHERE sequence = %s"
            self.bench.execute(update, (*changing, sequence))
        for batch in row.batches[first : row.done]:
            self.bench.execute(f"INSERT INTO {SCHEMA}.work (batch) VALUES (%s)", (batch,))

    def rows(self) -> list[Row]:
        """The ledger."""
        columns = "scheduled_time, execution_id, window_start, window_end, outcome, progress"
        return [_row(*row) for row in self.bench.execute(f"SELECT {columns} FROM {SCHEMA}.ledger ORDER BY sequence")]

    def work(self) -> Counter[datetime]:
        """The batches that are done, and how often."""
        return Counter(_utc(batch) for (batch,) in self.bench.execute(f"SELECT batch FROM {SCHEMA}.work"))


windows = st.builds(
    lambda start, count: Window(start, start + count * INTERVAL),
    st.sampled_from([BY_HAND, BY_HAND + INTERVAL]),
    st.integers(1, LONGEST),
)
Asked = int | Ask | Literal["follows", "follows again"]
times = st.integers(-LONGEST, LONGEST - 1)
following = st.sampled_from(["follows", "follows again"])
asked = st.one_of(times, times, following, following, st.builds(Ask, st.sampled_from("abcdef"), window=windows))
"""By hand; by an earlier run, once or again later; or for a scheduled time, in intervals from the latest one that a run
was asked for: so in time, after an outage, again, late, or out of order."""
batches = st.integers(0, LONGEST - 1)
"""Where it happens; or in the nearest batch that the run does."""
places = st.integers(0, PLACES - 1)


class Task(NamedTuple):
    """A run that is asked for, and what it is to do."""

    ask: Ask
    claim: Claim | str
    terms: Terms
    before: int | None
    """How many batches of its row are done before it; None if the row is new."""
    asked_at: datetime

    def ending(self, *, got_on: bool, told: dict[str, Any] | None) -> Ending:
        """What has to follow it. When it began and ended is what the run says, if that can be."""
        assert isinstance(self.claim, Claim)
        since = datetime.fromisoformat(told["continued"]["since"]) if told else self.asked_at
        assert since == self.ask.since or self.asked_at <= since <= datetime.now(UTC)
        return ending(self.ask, self.claim, got_on=got_on, began=since, now=since, terms=self.terms)


class Histories(RuleBasedStateMachine):
    """Runs are asked for, for any time and in any order, and go well or not."""

    world: ClassVar[World]
    """The test's: Hypothesis makes a machine without arguments for each history."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.following: list[Ask] = []
        self.latest = FIRST_TIME
        self.world.clear()

    def teardown(self) -> None:
        self.world.end_orphans()

    @rule(asked=asked)
    def a_run_goes_well(self, asked: Asked) -> None:
        task = self.ask(asked, ALL)
        self.goes_well(task, self.world.invoke(task.ask))

    @rule(asked=asked)
    def a_dry_run_changes_nothing(self, asked: Asked) -> None:
        task = self.ask(asked, ALL)
        run = self.world.first.client.invoke({**task.ask.event(), "dry_run": True})
        _expect(run, "dry_run", task.claim)
        assert "next" not in log_line(run)

    @rule(asked=asked, batch=batches)
    def a_job_fails(self, asked: Asked, batch: int) -> None:
        task = self.ask(asked, ALL)
        done = _reached(task.claim, batch)
        self.ends(task, self.world.invoke(task.ask, "fails", done), "ValueError", done)

    @rule(asked=asked, batch=batches)
    def a_run_is_out_of_time(self, asked: Asked, batch: int) -> None:
        task = self.ask(asked, ALL)
        done = _reached(task.claim, batch) + 1
        word = "done" if isinstance(task.claim, Claim) and done == len(task.claim.row.batches) else "partial"
        self.ends(task, self.world.invoke(task.ask, "out_of_time", done - 1), word, done)

    @rule(asked=asked)
    def a_run_does_not_get_on(self, asked: Asked) -> None:
        task = self.ask(asked, ALL)
        done = _reached(task.claim, 0)
        self.ends(task, self.world.invoke(task.ask, "stands_still", done), "partial", done)

    @rule(asked=times, batch=batches)
    def code_of_version_0_1_has_run(self, asked: int, batch: int) -> None:
        """While an upgrade is deployed."""
        ask = self.ask(asked, ALL).ask
        claim = self.model.claim_before(ask, LONGEST_WINDOW)
        if isinstance(claim, Claim):
            first = claim.row.done
            self.model.commit(claim, _reached(claim, batch) + 1, by=claim.row.by)
            self.world.write_as_before(1 + self.model.rows.index(claim.row), claim, first)

    @rule(asked=asked, place=places, action=st.sampled_from(["reset", "close"]))
    def a_connection_is_cut(self, asked: Asked, place: int, action: Action) -> None:
        task, saboteur = self.ask(asked, NONE), Saboteur(place, action)
        run = self.world.sabotage(task.ask, saboteur)
        if saboteur.struck:
            error = "OutcomeUnknownError" if "COMMIT" in saboteur.struck else "OperationalError"
            self.is_lost(task, run, error, saboteur)
        else:
            self.goes_well(task, run)

    @rule(asked=asked, place=places)
    def a_process_is_killed(self, asked: Asked, place: int) -> None:
        task, saboteur = self.ask(asked, NONE), Saboteur(place, "close", self.world.second)
        self.is_killed(task, self.world.sabotage(task.ask, saboteur), saboteur)

    @rule(asked=asked, place=places, others=st.lists(asked, max_size=2))
    def a_killed_process_leaves_an_orphan(self, asked: Asked, place: int, others: list[Asked]) -> None:
        """The network is lost, too, so that the server does not learn of its end at once."""
        task, saboteur = self.ask(asked, NONE), Saboteur(place, "silence", self.world.second)
        self.is_killed(task, self.world.sabotage(task.ask, saboteur), saboteur)
        if saboteur.locked:
            self.others_come(others)
        self.world.end_orphans()

    @rule(asked=asked, batch=batches, others=st.lists(asked, max_size=3), killed=st.booleans())
    def others_come_while_a_run_is_at_work(self, asked: Asked, batch: int, others: list[Asked], killed: bool) -> None:
        task = self.ask(asked, NONE)
        if isinstance(task.claim, str):
            return
        done = _reached(task.claim, batch)
        with self.world.held(task.ask, done) as run:
            self.commits(task, done)
            self.others_come(others)
            if killed:
                _kill(self.world.second)
        if killed:
            self.ends(task, run.result(), "Runtime.ExitError", done)
        else:
            self.goes_well(task, run.result())

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
        over = [batch for row in self.model.rows if row.skipped for batch in row.batches]
        done = sorted([*(batch for batch in self.model.work.elements() if batch > BY_HAND + timedelta(days=1)), *over])
        assert done == [done[0] + number * INTERVAL for number in range(len(done))]

    def ask(self, asked: Asked, terms: Terms) -> Task:
        """The request, and what the model says that its run has to do."""
        match asked:
            case int():
                time = self.latest + asked * INTERVAL
                ask = Ask(f"for {time:%d %H:%M}", time)
            case "follows" | "follows again":
                if not self.following:
                    return self.ask(1, terms)
                ask = self.following[-1] if asked == "follows again" else self.following.pop()
            case Ask():
                ask = asked
        self.latest = max(self.latest, ask.time or self.latest)
        claim = self.model.claim(ask, terms)
        before = None if isinstance(claim, str) or claim.new else claim.row.done
        return Task(ask, claim, terms, before, datetime.now(UTC))

    def others_come(self, others: list[Asked]) -> None:
        """While another run holds the job's lock, or its orphan does."""
        self.model.locked = True
        for asked in others:
            self.a_run_goes_well(asked)
            self.the_work_and_the_ledger_are_the_models()
        self.model.locked = False

    def goes_well(self, task: Task, run: Invocation) -> None:
        self.ends(task, run, "done", len(task.claim.row.batches) if isinstance(task.claim, Claim) else 0)

    def ends(self, task: Task, run: Invocation, word: str, done: int) -> None:
        """With that outcome and so many batches done; unless there was nothing to do."""
        _expect(run, word, task.claim)
        report = log_line(run)
        if isinstance(task.claim, str) or word not in ("done", "partial"):
            assert "next" not in report
            self.commits(task, done)
            return
        self.commits(task, done, also=word == "partial")
        left = task.ending(got_on=done != task.before, told=report.get("next"))
        assert (report["stuck"], report.get("next")) == (left.stuck, left.following and _event(left.following, report))
        self.following += [left.following] if left.following else []

    def commits(self, task: Task, done: int, *, also: bool = False) -> None:
        """Where there is something to commit, or `also` where there is nothing but the row."""
        if isinstance(task.claim, Claim) and (also or done > task.claim.row.done):
            self.model.commit(task.claim, done, by=task.ask.execution_id)

    def is_killed(self, task: Task, run: Invocation, saboteur: Saboteur) -> None:
        """Unless it never came to the place."""
        if saboteur.struck:
            self.is_lost(task, run, "Runtime.ExitError", saboteur)
        else:
            self.goes_well(task, run)

    def is_lost(self, task: Task, run: Invocation, error: str, saboteur: Saboteur) -> None:
        """Whatever the caller knows: what the server committed is done, and nothing else."""
        assert outcome(run).split()[0] == error
        if isinstance(task.claim, Claim):
            self.commits(task, task.claim.row.done + saboteur.commits)


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
    def the_server_restarts_while_a_run_is_at_work(self, asked: Asked, batch: int) -> None:
        task = self.ask(asked, NONE)
        if isinstance(task.claim, str):
            return
        done = _reached(task.claim, batch)
        with self.world.held(task.ask, done) as run:
            self.the_server_restarts()
        self.ends(task, run.result(), "OperationalError", done)

    @precondition(lambda self: not self.restarted)
    @rule(asked=asked)
    def a_run_begins_while_the_server_is_down(self, asked: Asked) -> None:
        task = self.ask(asked, ALL)
        self.world.bench.server.stop()
        with ThreadPoolExecutor(1) as thread:
            run = thread.submit(self.world.invoke, task.ask)
            self.the_server_restarts()
        self.goes_well(task, run.result())


@contextlib.contextmanager
def _world(server: MySQLServer, emulator: Emulator, folder: Path) -> Iterator[World]:
    job = Path(__file__).with_name("counting.py")
    with (
        contextlib.ExitStack() as running,
        FaultProxy(server) as proxy,
        contextlib.closing(Bench(server=server, emulator=emulator, job=job, folder=folder)) as bench,
    ):
        bench.execute(f"CREATE TABLE {SCHEMA}.work (batch DATETIME NOT NULL)")
        variables = {"MAX_WINDOW_MINUTES": str(LONGEST_WINDOW // timedelta(minutes=1))}
        with bench.function("{}", timeout_seconds=TIMEOUT_SECONDS, variables=variables) as first:
            variables |= {"JOB": first.user, "STORM": str(first.storm), "CATCH_UP": "none", "SCHEDULE": SCHEDULE}
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


def _reached(claim: Claim | str, batch: int) -> int:
    """The batch, or the nearest one that the run does."""
    if isinstance(claim, str):
        return 0
    return min(max(batch, claim.row.done), len(claim.row.batches) - 1)


def _expect(run: Invocation, word: str, claim: Claim | str) -> None:
    if isinstance(claim, str):
        assert outcome(run) == claim
        return
    assert outcome(run).split()[0] == word
    report = log_line(run)
    if word != "Runtime.ExitError":
        assert report["leaked"] == []
        found = (datetime.fromisoformat(report["window_start"]), datetime.fromisoformat(report["window_end"]))
        assert found == claim.row.window
        skipped = claim.skipped.window.start.isoformat() if claim.skipped else None
        assert report.get("skipped_from") == skipped


def _event(ask: Ask, report: dict[str, Any]) -> dict[str, Any]:
    return {"job": report["job"], **ask.event()}


def _kill(function: Function) -> None:
    assert function.client.pid
    os.kill(function.client.pid, signal.SIGKILL)


def _row(
    scheduled_time: datetime | None, execution_id: str, start: datetime, end: datetime, outcome: str, progress: str
) -> Row:
    key = _utc(scheduled_time) if scheduled_time else execution_id
    row = Row(key, Window(_utc(start), _utc(end)), execution_id, skipped=outcome == "skipped")
    if outcome != "skipped":
        row.done = len(row.batches) if outcome == "done" else json.loads(progress)["batches"]
    return row


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC)
