"""Histories of one job, made up by Hypothesis: the engine's own code on a ledger in memory, held against the model.

Everything is the engine's but the server, the clock and what delivers: request, claim, ledger, run, continuation, and
what the watcher says.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple, cast
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mysql_jobs import claim as claims
from mysql_jobs import continuation, ledger, run, watch
from mysql_jobs.configuration import WatchedJob
from mysql_jobs.connection import OutcomeUnknownError
from mysql_jobs.job_lock import LockError
from mysql_jobs.request import EventError, Request, Window
from mysql_jobs.timetable import Timetable
from tests.mysql_jobs.memory_ledger import MemoryConnection, MemoryLedger, time_of
from tests.mysql_jobs.model import INTERVAL, NOTHING_LEFT, Ask, Claim, Ending, Model, Row, Terms, ending

START = datetime(2026, 11, 23, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOURS = timedelta(hours=1)
"""Of a chain."""
LONGEST = timedelta(minutes=45)
"""A window."""
ALLOWANCE = timedelta(minutes=5)
"""Of the watcher's."""
MOST_RUNS = 100
"""That a chain may need to be level: no history has as many windows and batches."""

Trouble = Literal["", "fails", "out_of_time", "stands_still", "unheard", "unsaid", "unlocked"]


class Times(NamedTuple):
    """The times of a schedule, known without any rule of schedules."""

    expression: str
    offset: timedelta
    """Of all of them: a rate counts from when its schedule was made."""
    minutes: tuple[int, ...]
    """Of each hour."""

    def before(self, time: datetime) -> datetime:
        return self.latest(time - timedelta.resolution)

    def latest(self, now: datetime) -> datetime:
        since = now - START - self.offset
        time = now - since % INTERVAL
        while (time - START - self.offset) // MINUTE % 60 not in self.minutes:
            time -= INTERVAL
        return time

    @property
    def longest(self) -> timedelta:
        """The longest interval."""
        minutes = [*self.minutes, self.minutes[0] + 60]
        return max(later - earlier for earlier, later in pairwise(minutes)) * MINUTE


SCHEDULES = [
    Times("rate(15 minutes)", timedelta(seconds=77), (0, 15, 30, 45)),
    Times("cron(0,15,20 * * * ? *)", timedelta(0), (0, 15, 20)),
]


@dataclass(frozen=True)
class Course:
    """What becomes of a run."""

    trouble: Trouble = ""
    batch: int = 0
    """Where: the first that it does is 0; the last that it does, if it has fewer."""
    minutes: int = 0
    """That this batch takes."""
    skew: int = 0
    """Seconds that its clock is ahead."""
    refused: bool = False
    """Whether the deliveries that come meanwhile find the lock taken; else they wait for their turn."""


WELL = Course()
QUICK = settings(
    stateful_step_count=20,
    deadline=None,
    database=None,
    derandomize=True,  # the same in CI as here
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
courses = st.builds(
    Course,
    trouble=st.sampled_from(
        ["", "", "", "out_of_time", "out_of_time", "fails", "stands_still", "unheard", "unsaid", "unlocked"]
    ),
    batch=st.integers(0, 3),
    minutes=st.sampled_from([0, 0, 0, 1, 50, 60]),
    skew=st.sampled_from([0, -20, 20]),
    refused=st.booleans(),
)
catch_ups = st.sampled_from(["all", "latest", "none"])
which = st.sampled_from([0, 0, 0, 1, 2, 3])
"""Of the runs that are asked for, from the latest one."""


class Histories(RuleBasedStateMachine):
    """Runs are asked for by the schedule, by hand and by each other, come in any order, and go well or not."""

    def __init__(self) -> None:
        super().__init__()
        self.model, self.ledger = Model(), MemoryLedger()
        self.now = START + timedelta(days=1)
        self.since = self.now
        """When the watcher saw the schedule first."""
        self.recorded: datetime | None = None
        self.asked: list[Ask] = []

    @initialize(schedule=st.sampled_from(SCHEDULES), catch_up=catch_ups)
    def a_job_is_deployed(self, schedule: Times, catch_up: claims.CatchUp) -> None:
        self.schedule = schedule
        self.terms = Terms(catch_up, LONGEST, HOURS, schedule)
        self.timetable = Timetable(schedule.expression, "UTC")

    @rule(catch_up=catch_ups)
    def what_is_caught_up_is_changed(self, catch_up: claims.CatchUp) -> None:
        self.terms = self.terms._replace(catch_up=catch_up)

    @rule(minutes=st.sampled_from([1, 5, 15, 30, 60]))
    def time_passes(self, minutes: int) -> None:
        self.asked += self.come(minutes)

    @rule(hours=st.integers(1, 6))
    def nothing_is_delivered_for_hours(self, hours: int) -> None:
        self.come(60 * hours)

    @precondition(lambda self: self.asked)
    @rule(which=which, course=courses, again=st.booleans())
    def a_run_that_is_asked_for_comes(self, which: int, course: Course, again: bool) -> None:
        ask = self.taken(which)
        self.asked += [ask] if again else []  # as a retry, or as it was delivered twice
        self.does(ask, course)

    @rule(
        chain=st.one_of(st.lists(courses, min_size=1, max_size=5), st.builds(lambda course: [course] * 5, courses)),
        pause=st.sampled_from([0, 5]),
    )
    def the_next_scheduled_run_and_those_that_follow_it_come_at_once(self, chain: list[Course], pause: int) -> None:
        self.the_next_scheduled_run_comes(chain, pause)

    @precondition(lambda self: self.asked)
    @rule(which=which)
    def a_run_that_is_asked_for_never_comes(self, which: int) -> None:
        self.taken(which)

    @precondition(lambda self: self.model.sequence)
    @rule(which=which, course=courses)
    def a_run_that_is_recorded_comes_again(self, which: int, course: Course) -> None:
        row = self.model.sequence[-1 - which % len(self.model.sequence)]
        self.does(self.scheduled(cast(datetime, row.key)), course)

    @rule(minutes=st.sampled_from([0, 5]), intervals=st.sampled_from([0, 0, 1, 3]), course=courses, then=st.booleans())
    def a_run_is_asked_for_by_hand_for_a_time(self, minutes: int, intervals: int, course: Course, then: bool) -> None:
        """A rate's times are counted from that of the run: so it is one of the schedule's. Of a cron, any."""
        self.asked += self.come(minutes)
        time = self.now - (self.now - START) % INTERVAL - intervals * INTERVAL
        self.does(self.scheduled(self.schedule.latest(time) if self.by_rate else time), course)
        if then:
            self.the_next_scheduled_run_comes([WELL], pause=0)

    @rule(name=st.sampled_from("abc"), count=st.integers(1, 3), course=courses)
    def a_run_is_asked_for_by_hand_for_a_window(self, name: str, count: int, course: Course) -> None:
        self.does(Ask(name, window=Window(START, START + count * INTERVAL)), course)

    @rule()
    def a_dry_run_changes_nothing(self) -> None:
        ask = self.scheduled(self.schedule.latest(self.now))
        claim = self.model.claim(ask, self.terms)
        report = self.invoke({**ask.event(), "dry_run": True}, claim, WELL)
        self.told(report, claim, "dry_run")
        assert "next" not in report

    @rule(seconds=st.sampled_from([61, 3600]))
    def a_time_in_the_future_is_refused(self, seconds: int) -> None:
        ask = self.scheduled(self.now + seconds * timedelta(seconds=1))
        with pytest.raises(EventError):
            self.invoke(ask.event(), "refused", WELL)

    @precondition(lambda self: self.asked)
    @rule(which=which, course=courses)
    def code_of_version_0_1_runs(self, which: int, course: Course) -> None:
        """While an upgrade is deployed. It fails of a continuation, which it does not know, and asks for none."""
        ask = self.taken(which)
        if ask.time is None or ask.number:
            return
        claim = self.model.claim_before(ask, LONGEST)
        if isinstance(claim, Claim) and course.trouble not in ("fails", "unheard", "unlocked"):
            first, count = claim.row.done, len(claim.row.batches)
            done = min(first + course.batch + 1, count) if course.trouble else count
            # What it began, stays its: it writes the execution id once.
            self.model.commit(claim, done, by=claim.row.by)
            self.writes_as_before(claim, first)

    @invariant()
    def the_watcher_says_how_the_job_is(self) -> None:
        told = self.watched()
        row = self.model.sequence[-1] if self.model.sequence else None
        level = None if row is None else row.window.end if row.complete else row.window.start
        assert told["lag_seconds"] == round((self.now - (level or self.since)).total_seconds())
        silence = self.schedule.longest + ALLOWANCE
        due = self.now - silence if self.by_rate else self.schedule.latest(self.now - ALLOWANCE)
        heard = [time for time in (level, self.recorded) if time is not None]
        assert ("missed" in told) == (due > max([self.since, *heard]))
        assert ("catching_up" in told) == (level is not None and due - level > LONGEST)

    @invariant()
    def the_work_and_the_ledger_are_the_models(self) -> None:
        assert self.rows() == self.model.rows
        assert self.work() == self.model.work

    @invariant()
    def each_moment_is_done_once_or_skipped(self) -> None:
        """Observed, without the model."""
        found = self.ledger.rows("window_start, window_end, outcome", "scheduled_time IS NOT NULL")
        if not found:
            return
        windows = [(time_of(start), time_of(end)) for start, end, _ in found]
        for before, after in pairwise(windows):
            assert after in (before, (before[1], after[1]))  # version 0.1 has a row more for each run of a window
        done = {time: times for time, times in self.work().items() if time >= windows[0][0]}
        assert set(done.values()) <= {1}
        over = Counter(time for each in found if each[2] == "skipped" for time in _batches(*each[:2]))
        level = windows[-1][0 if found[-1][2] == "partial" else 1]
        assert not over.keys() & done.keys()
        expected = set(_batches(windows[0][0].isoformat(), level.isoformat()))
        assert {time for time in done if time < level} | over.keys() == expected

    def teardown(self) -> None:
        """When all goes well from here on, a run and those that follow it do all that there is: none goes astray."""
        try:
            if hasattr(self, "schedule"):
                self.the_work_is_done()
        finally:
            self.ledger.close()

    def the_work_is_done(self) -> None:
        self.now = self.next_time()
        ask: Ask | None = replace(self.scheduled(self.now), execution_id="the last")
        for _ in range(MOST_RUNS):
            if ask is None:
                break
            ask = self.does(ask, WELL).following
        assert ask is None, "a chain does not end"
        last = self.model.sequence[-1]
        assert (last.window.end, last.complete) == (self.now, True)
        self.each_moment_is_done_once_or_skipped()
        self.the_work_and_the_ledger_are_the_models()
        # A job that never gets on, and one that always does: each is left alone in the end.
        self.now = self.next_time()
        ask = replace(self.scheduled(self.now), execution_id="never")
        for _ in range(3):
            if ask is not None:
                ask = self.does(ask, Course("stands_still")).following
        assert ask is None, "a chain goes on without getting on"

    def the_next_scheduled_run_comes(self, chain: list[Course], pause: int) -> None:
        """In time, and those that follow it at once; then it is quiet for some minutes."""
        self.now = self.next_time()
        self.asked.append(self.scheduled(self.now))
        for course in chain:
            if self.does(self.taken(0), course).following is None:
                break
        self.asked += self.come(pause)

    def does(self, ask: Ask, course: Course) -> Ending:
        """Deliver `ask`, and hold what becomes of it against the model. Returns what is left."""
        claim = self.model.claim(ask, self.terms)
        began = self.now + course.skew * timedelta(seconds=1)
        first = claim.row.done if isinstance(claim, Claim) else 0
        was = None if isinstance(claim, Claim) and claim.new else first
        report = self.invoke(ask.event(), claim, course)
        if isinstance(claim, str):
            self.told(report, claim, claim)
            return NOTHING_LEFT
        done, word = _end_of(claim, first, course)
        if done > first or course.trouble == "stands_still":
            self.model.commit(claim, done, by=ask.execution_id)
        self.told(report, claim, word)
        left = NOTHING_LEFT
        if word != "failed":
            now = self.now + course.skew * timedelta(seconds=1)
            left = ending(ask, claim, got_on=done != was, began=began, now=now, terms=self.terms)
            assert report["stuck"] == left.stuck
        assert report.get("next") == ({"job": "pulse", **left.following.event()} if left.following else None)
        self.asked += [left.following] if left.following else []
        return left

    def told(self, report: dict[str, Any], claim: Claim | str, word: str) -> None:
        """What a run says of itself is what it was to do."""
        if isinstance(claim, str):
            assert report == {"outcome": claim}
            return
        assert (report["outcome"], report.get("window")) == (word, claim.row.window)
        assert report["skipped"] == (claim.skipped.window if claim.skipped else None)

    def invoke(self, event: dict[str, Any], claim: Claim | str, course: Course) -> dict[str, Any]:
        """What handler.py does, but for the connection."""
        started, skew = self.now, course.skew * timedelta(seconds=1)

        def clock(_zone: object = None) -> datetime:
            return self.now + skew

        def committed() -> None:
            if "window" not in event:
                self.recorded = clock()

        connection = MemoryConnection(self.ledger, locked=self.model.locked, committed=committed)
        times = SimpleNamespace(monotonic=lambda: (self.now - started) / timedelta(seconds=1))
        with (
            mock.patch.object(ledger, "datetime", SimpleNamespace(now=clock)),
            mock.patch.object(ledger, "time", times),
            mock.patch.object(run, "time", times),
        ):
            try:
                return self.handled(event, connection, course, clock)
            finally:
                connection.destroy()

    def handled(
        self, event: dict[str, Any], connection: MemoryConnection, course: Course, clock: Any
    ) -> dict[str, Any]:
        fake, began = cast(Any, connection), clock()
        request = Request.read(event, job="pulse", request_id="an invocation", now=began)
        terms = claims.Terms(max_window=LONGEST, catch_up=self.terms.catch_up, times=self.timetable)
        book = ledger.Ledger(connection=fake, schema="main", request=request, lock=fake)
        claim = book.claim(terms)
        if not isinstance(claim, claims.Claim):
            return {"outcome": claim}
        told: dict[str, Any] = {"outcome": "failed", "window": claim.window, "skipped": claim.skipped}
        run_ = run.Run(
            request=request, claim=claim, ledger=book, parameters=None, deadline=cast(Any, Left(1e9)), connection=fake
        )
        job = SimpleNamespace(__name__="jobs.pulse", run=partial(self.job, connection=connection, course=course))
        try:
            outcome = run.carry_out(cast(Any, job), run_)
        except (ValueError, OutcomeUnknownError, LockError):
            return told
        found = continuation.following(
            request, claim, outcome, began=began, now=clock(), timetable=self.timetable, most=HOURS
        )
        told |= {"outcome": outcome.word, "stuck": found.stuck}
        return told if found.event is None else {**told, "next": found.event}

    def job(self, run_: run.Run, connection: MemoryConnection, course: Course) -> None:
        """A batch for each interval of the window, as counting.py."""
        count = (run_.window.end - run_.window.start) // INTERVAL
        first = run_.progress.get("batches", 0)
        struck = min(first + course.batch, count - 1)
        for batch in range(first, count):
            trouble = course.trouble if batch == struck else ""
            if batch == struck:
                self.works(course)
            if trouble == "fails":
                raise ValueError("no such customer")
            if trouble in ("out_of_time", "stands_still"):
                run_.deadline = cast(Any, Left(-1))
            if trouble == "stands_still":
                run_.checkpoint({"batches": batch})
            connection.execute("INSERT INTO work VALUES (%s)", (run_.window.start + batch * INTERVAL,))
            connection.trouble = cast(Any, trouble) if trouble in ("unheard", "unsaid", "unlocked") else ""
            if batch + 1 < count:
                run_.checkpoint({"batches": batch + 1})

    def works(self, course: Course) -> None:
        """It takes its time; others come meanwhile."""
        come = self.come(course.minutes)
        if not course.refused:
            self.asked += come
            return
        self.model.locked, before = True, self.model.locked
        for each in come:
            self.does(each, WELL)
        self.model.locked = before

    def come(self, minutes: int) -> list[Ask]:
        """Let so many minutes pass. Returns what the schedule asks for meanwhile."""
        end, asked = self.now + minutes * MINUTE, []
        while (time := self.next_time()) <= end:
            self.now = time
            asked.append(self.scheduled(time))
        self.now = end
        return asked

    def next_time(self) -> datetime:
        time = self.schedule.latest(self.now) + INTERVAL
        while self.schedule.latest(time) != time:
            time += INTERVAL
        return time

    @property
    def by_rate(self) -> bool:
        return self.schedule.expression.startswith("rate")

    def scheduled(self, time: datetime) -> Ask:
        return Ask(f"for {time:%d %H:%M}", time)

    def taken(self, which: int) -> Ask:
        return self.asked.pop(-1 - which % len(self.asked))

    def rows(self) -> list[Row]:
        """The ledger."""
        columns = "scheduled_time, execution_id, window_start, window_end, outcome, progress"
        return [_row(*row) for row in self.ledger.rows(columns)]

    def work(self) -> Counter[datetime]:
        """The batches that are done, and how often."""
        return Counter(time_of(batch) for (batch,) in self.ledger.run("SELECT batch FROM work"))

    def writes_as_before(self, claim: Claim, first: int) -> None:
        """The row, as version 0.1 would have left it, and the work of one run."""
        row = claim.row
        changing = {
            "outcome": "done" if row.complete else "partial",
            "progress": json.dumps({"batches": row.done}),
            "started_at": self.now,
            "duration_ms": 0,
        }
        if claim.new:
            key = {"job": "pulse", "sequence": len(self.model.rows), "scheduled_time": row.key, "execution_id": row.by}
            values = {**key, "window_start": row.window.start, "window_end": row.window.end, **changing}
            marks = ", ".join("?" * len(values))
            self.ledger.run(f"INSERT INTO ledger ({', '.join(values)}) VALUES ({marks})", [*values.values()])
        else:
            assignments = ", ".join(f"{column} = ?" for column in changing)
            sequence = 1 + next(number for number, each in enumerate(self.model.rows) if each is row)
            self.ledger.run(f"UPDATE ledger SET {assignments} WHERE sequence = ?", [*changing.values(), sequence])
        for batch in row.batches[first : row.done]:
            self.ledger.run("INSERT INTO work VALUES (?)", [batch])
        self.recorded = self.now

    def watched(self) -> dict[str, Any]:
        """What the watcher would say now, of what it reads."""
        job = WatchedJob(
            job="pulse",
            timetable=self.timetable,
            allowance=ALLOWANCE,
            silence=self.schedule.longest + ALLOWANCE,
            max_window=LONGEST,
        )
        columns = "window_start, window_end, outcome, started_at, duration_ms"
        rows = self.ledger.rows(columns, "scheduled_time IS NOT NULL")
        start, end, outcome, started, duration = rows[-1] if rows else [None] * 5
        times = [each and time_of(each).replace(tzinfo=None) for each in (start, end, started)]
        _, known = watch._entry(("pulse", self.since, *times[:2], outcome, times[2], duration))
        return watch.state(job, known, self.now)


class Left(NamedTuple):
    """A deadline."""

    seconds: float

    def remaining(self) -> float:
        return self.seconds


def _end_of(claim: Claim, first: int, course: Course) -> tuple[int, str]:
    """How many batches of the row are done after a run of that course, and what it says."""
    count = len(claim.row.batches)
    struck = min(first + course.batch, count - 1)
    match course.trouble:
        case "fails" | "unheard" | "unlocked":
            return struck, "failed"
        case "unsaid":
            return struck + 1, "failed"
        case "stands_still":
            return struck, "partial"
        case "out_of_time" if struck + 1 < count:
            return struck + 1, "partial"
    return count, "done"


def _batches(start: str, end: str) -> list[datetime]:
    since, until = (datetime.fromisoformat(each).replace(tzinfo=UTC) for each in (start, end))
    return [since + number * INTERVAL for number in range((until - since) // INTERVAL)]


def _row(
    scheduled_time: str | None, execution_id: str, start: str, end: str, outcome: str, progress: str | None
) -> Row:
    key = time_of(scheduled_time) if scheduled_time else execution_id
    row = Row(key, Window(time_of(start), time_of(end)), execution_id, skipped=outcome == "skipped")
    if outcome != "skipped":
        row.done = len(row.batches) if outcome == "done" else json.loads(progress or "{}")["batches"]
    return row
