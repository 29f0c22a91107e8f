"""What a run makes of each answer about its job's lock: it works, ends, kills an orphan, or fails."""

import hashlib
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from mysql_jobs import job_lock
from mysql_jobs.job_lock import JobLock, LockError, OrphanError, deadline_lock, invocation_lock

NAME = "jobs.pulse"
NOW = 1_000_003.0
LEFT = 18.0
"""Seconds of the run that asks."""
YES, NO, NOBODY = [(1, 1, 1)], [(0, None, None)], [(None, None)]
HELD_BY = [(7, None)]
HELD_BY_SAME_INVOCATION = [(7, 7)]


LEDGER = "SELECT 'what the ledger says'"
ROWS = [("own", 1)]


class Server:
    """Gives these answers, one after the other; the ledger's rows, whenever it is asked for them."""

    def __init__(self, *answers: Sequence[tuple[object, ...]], can_kill: bool = True) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[object, ...]] = []
        self.statements: list[str] = []
        self.killed: list[int] = []
        self.transactions: list[str] = []
        self._can_kill = can_kill

    def cursor(self) -> "Server":
        return self

    def execute(self, statement: str, parameters: tuple[object, ...]) -> None:
        self.statements.append(statement)
        self.asked.append(parameters)

    def mogrify(self, statement: str, parameters: tuple[object, ...]) -> str:
        self.execute(statement, parameters)
        return "taken"

    def begin(self, *statements: str) -> list[Sequence[tuple[object, ...]]]:
        """The lock, and then the ledger: one statement could read the table as it was before."""
        assert statements == ("taken", LEDGER)
        self.transactions.append("begin")
        return [self.answers.pop(0), ROWS]

    def rollback(self) -> None:
        self.transactions.append("rollback")

    def fetchall(self) -> Sequence[tuple[object, ...]]:
        return self.answers.pop(0)

    def fetchone(self) -> tuple[object, ...]:
        return self.answers.pop(0)[0]

    def kill(self, session: int) -> bool:
        self.killed.append(session)
        return self._can_kill


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stands still; `slept` has the pauses."""
    clock = SimpleNamespace(now=NOW, slept=[])
    time = SimpleNamespace(time=lambda: clock.now, sleep=clock.slept.append)
    monkeypatch.setattr(job_lock, "time", time)
    return clock


def _lock(server: Any, left: float = LEFT) -> JobLock:
    deadline: Any = SimpleNamespace(remaining=lambda: left)
    request: Any = SimpleNamespace(job="pulse")
    return JobLock(connection=server, schema="jobs", request=request, request_id="request-1", deadline=deadline)


def _until(moment: int, now: float = NOW) -> list[tuple[int]]:
    """The answer that names the holder's deadline: how many steps it is before the latest possible one."""
    return [(int(now // 10) + 100 - moment // 10,)]


def _take(wait: float = 0) -> tuple[object, ...]:
    """What it takes: the job's lock, and the two that say until when it has time, Lambda's margin included, and why."""
    until, why = deadline_lock(NAME, NOW + LEFT + 2), invocation_lock(NAME, "request-1")
    return (NAME, wait, NAME, until, NAME, why)


def test_a_lock_that_is_free_is_taken_at_once(clock: Any) -> None:
    server = Server(YES)
    lock = _lock(server)
    assert lock.take(LEDGER) is ROWS
    assert (server.asked, clock.slept, lock.orphan, lock.name) == ([_take()], [], "", NAME)
    assert server.transactions == ["begin"]
    ours = "IF(IS_USED_LOCK(%s) = CONNECTION_ID(), GET_LOCK(%s, 0), NULL)"  # else nobody's deadline is told
    assert server.statements == [f"SELECT GET_LOCK(%s, %s), {ours}, {ours}"]


def test_a_run_that_has_just_ended_has_a_tenth_of_a_second_to_release_it(clock: Any) -> None:
    server = Server(NO, YES)
    assert _lock(server).take(LEDGER) is ROWS
    assert (server.asked, clock.slept) == ([_take()] * 2, [0.1])
    # What was read without the lock may be old by then: a transaction that goes on would read it again.
    assert server.transactions == ["begin", "rollback", "begin"]


@pytest.mark.parametrize("answer", [YES, NO])
def test_a_holder_that_has_ended_meanwhile_leaves_one_more_try(answer: Any, clock: Any) -> None:
    server = Server(NO, NO, NOBODY, answer)
    assert _lock(server).take(LEDGER) == (ROWS if answer == YES else None)
    assert server.asked[2] == (NAME, invocation_lock(NAME, "request-1"))
    assert clock.slept == [0.1]


def test_a_holder_that_says_no_time_is_not_killed(clock: Any) -> None:
    server = Server(NO, NO, HELD_BY, [], [(1,)])
    with pytest.raises(OrphanError, match=r"session 7 holds the lock jobs\.pulse, and is no run"):
        _lock(server).take(LEDGER)
    assert server.killed == []
    assert server.asked[3:] == [(100_100, NAME, 100_100, 7), (NAME, 7)]
    assert clock.slept == [0.1, 0.1]


@pytest.mark.parametrize("answer", [YES, NO])
@pytest.mark.usefixtures("clock")
def test_a_holder_that_ends_while_its_time_is_looked_for_leaves_one_more_try(answer: Any) -> None:
    server = Server(NO, NO, HELD_BY, [], [(0,)], answer)
    assert _lock(server).take(LEDGER) == (ROWS if answer == YES else None)
    assert server.killed == []


@pytest.mark.parametrize(
    ("now", "until", "ended"),
    [
        (NOW, 1_000_010, False),
        (999_999.5, 1_000_000, False),
        (1_000_000.0, 1_000_000, False),
        (1_000_000.5, 1_000_000, True),
        (NOW, 1_000_000, True),
        (NOW, 100_000, True),
    ],
)
def test_a_holder_is_killed_once_its_time_is_over(now: float, until: int, ended: bool, clock: Any) -> None:
    clock.now = now
    server = Server(NO, NO, HELD_BY, _until(until, now), YES)
    lock = _lock(server)
    assert lock.take(LEDGER) == (ROWS if ended else None)
    assert server.killed == ([7] if ended else [])
    assert lock.orphan == (f"session 7, {now - until:.0f} s beyond its time: killed" if ended else "")


@pytest.mark.usefixtures("clock")
def test_an_earlier_attempt_is_no_success_until_its_time_is_over() -> None:
    server = Server(NO, NO, HELD_BY_SAME_INVOCATION, _until(1_000_010))
    with pytest.raises(OrphanError, match="session 7, an earlier attempt of this invocation"):
        _lock(server).take(LEDGER)
    assert server.killed == []
    server = Server(NO, NO, HELD_BY_SAME_INVOCATION, _until(1_000_000), YES)
    assert _lock(server).take(LEDGER) is ROWS
    assert server.killed == [7]


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(("left", "wait"), [(8.0, 4.0), (100.0, 10.0)])
def test_a_killed_orphan_has_half_of_the_time_left_to_be_rolled_back(left: float, wait: float) -> None:
    server = Server(NO, NO, HELD_BY, _until(1_000_000), NO)
    lock = _lock(server, left)
    with pytest.raises(OrphanError, match="3 s beyond its time: killed, and the server is still rolling its work back"):
        lock.take(LEDGER)
    assert server.asked[-1][1] == wait


@pytest.mark.usefixtures("clock")
def test_an_orphan_that_can_not_be_killed_fails_the_run() -> None:
    server = Server(NO, NO, HELD_BY, _until(1_000_000), can_kill=False)
    lock = _lock(server)
    with pytest.raises(OrphanError, match="can't be killed through a proxy"):
        lock.take(LEDGER)
    assert lock.orphan == "session 7, 3 s beyond its time"
    assert len(server.asked) == 4


@pytest.mark.usefixtures("clock")
def test_an_answer_of_null_is_an_error() -> None:
    """The server gives it where it can't take the lock, out of memory for example."""
    with pytest.raises(LockError, match="answered NULL: see the server's error log"):
        _lock(Server([(None, None, None)])).take(LEDGER)


def test_a_commit_requires_the_lock_in_the_server_itself() -> None:
    """In the same round trip; in no row, as an answer would come too late."""
    server = Server()
    server.mogrify = lambda statement, parameters: statement % tuple(map(repr, parameters))  # type: ignore[method-assign]
    lock = _lock(server)
    held = "IS_USED_LOCK('jobs.pulse') = CONNECTION_ID()"
    assert lock.required() == f"SET SESSION autocommit = IF({held}, 0, 2)"
    assert isinstance(lock.lost(), LockError)
    assert str(lock.lost()).startswith("the job released the lock jobs.pulse: take RELEASE_LOCK")


def test_the_names_of_the_locks_are_the_same_in_every_version_that_may_meet() -> None:
    """A run of the version before may hold one: with other names, nobody would know until when it has time."""
    for moment, step in (1000.0, 100), (1000.1, 101), (1009.9, 101):
        assert deadline_lock(NAME, moment) == hashlib.sha224(f"jobs.pulse until {step}".encode()).hexdigest()
    invocation = hashlib.sha224(b"jobs.pulse invocation request-1").hexdigest()
    assert invocation_lock(NAME, "request-1") == invocation
