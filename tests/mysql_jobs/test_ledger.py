"""What a run may claim, whatever order deliveries come in, and what it writes down."""

import itertools
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Literal, cast

import pymysql
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymysql.constants import ER

from mysql_jobs.connection import OutcomeUnknownError
from mysql_jobs.job_lock import LockError
from mysql_jobs.ledger import Claim, Entry, Ledger, decide
from mysql_jobs.request import Request, Window
from mysql_jobs.session import TransactionEndedError

START = datetime(2026, 11, 23, tzinfo=UTC)
DAY = timedelta(days=1)


def _time(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def _window(start: int, end: int) -> Window:
    return Window(start=_time(start), end=_time(end))


def _request(minutes: int, window: Window | None = None) -> Request:
    return Request(job="job", scheduled_time=_time(minutes), execution_id="one", window=window, dry_run=False)


def _entry(sequence: int, start: int, end: int, outcome: Literal["done", "partial"] = "done") -> Entry:
    progress = {"after": 7} if outcome == "partial" else {}
    return Entry(sequence=sequence, window=_window(start, end), outcome=outcome, progress=progress)


def test_the_first_window_is_as_long_as_a_window_may_be() -> None:
    assert decide(_request(0), None, None, DAY) == Claim(window=_window(-1440, 0), progress={}, sequence=None)


def test_a_window_begins_where_the_last_one_ended() -> None:
    assert decide(_request(15), None, _entry(1, 0, 5), DAY) == Claim(window=_window(5, 15), progress={}, sequence=None)


def test_a_catch_up_takes_one_longest_window_at_a_time() -> None:
    hour = timedelta(hours=1)
    assert decide(_request(300), None, _entry(1, 0, 5), hour) == Claim(
        window=_window(5, 65), progress={}, sequence=None
    )
    assert decide(_request(305), None, _entry(2, 5, 65), hour) == Claim(
        window=_window(65, 125), progress={}, sequence=None
    )


def test_a_recorded_scheduled_time_is_a_duplicate() -> None:
    entry = _entry(3, 0, 5)
    assert decide(_request(5), entry, entry, DAY) == "duplicate"
    assert decide(_request(5), entry, _entry(4, 5, 10), DAY) == "duplicate"


def test_a_late_delivery_is_superseded_by_a_later_window() -> None:
    assert decide(_request(5), None, _entry(4, 0, 10), DAY) == "superseded"
    assert decide(_request(10), None, _entry(4, 0, 10), DAY) == "superseded"
    assert decide(_request(5), None, _entry(4, 0, 10, "partial"), DAY) == "superseded"


def test_a_retry_continues_its_partial_run_in_the_same_row() -> None:
    entry = _entry(3, 0, 5, "partial")
    assert decide(_request(5), entry, entry, DAY) == Claim(window=_window(0, 5), progress={"after": 7}, sequence=3)


def test_the_next_run_continues_a_partial_run_in_a_new_row() -> None:
    last = _entry(3, 0, 5, "partial")
    assert decide(_request(10), None, last, DAY) == Claim(window=_window(0, 5), progress={"after": 7}, sequence=None)


def test_a_retry_of_a_continued_run_is_a_duplicate() -> None:
    assert decide(_request(5), _entry(3, 0, 5, "partial"), _entry(4, 0, 5), DAY) == "duplicate"
    assert decide(_request(5), _entry(3, 0, 5, "partial"), _entry(4, 0, 5, "partial"), DAY) == "duplicate"


def test_a_window_by_hand_is_outside_of_the_sequence() -> None:
    window = _window(-100, -50)
    claim = Claim(window=window, progress={}, sequence=None)
    assert decide(_request(0, window), None, None, DAY) == claim
    assert decide(_request(0, window), None, _entry(3, 0, 5, "partial"), DAY) == claim
    assert decide(_request(0, window), _entry(4, -100, -50), _entry(3, 0, 5), DAY) == "duplicate"
    assert decide(_request(0, window), _entry(4, -100, -50, "partial"), _entry(3, 0, 5), DAY) == Claim(
        window=window, progress={"after": 7}, sequence=4
    )


class Database:
    """A connection and its cursor, and the job's lock on it; the ledger has these rows."""

    def __init__(self, rows: Sequence[tuple[object, ...]] = (), *, taken: bool = True) -> None:
        self.asked: list[tuple[str, tuple[object, ...]]] = []
        self.committed: list[tuple[str, ...]] = []
        self.went_on: list[bool] = []
        self.error: Exception | None = None
        self._rows, self._taken = rows, taken

    def cursor(self) -> "Database":
        return self

    def mogrify(self, statement: str, parameters: tuple[object, ...]) -> str:
        self.asked.append((statement, parameters))
        return statement

    def take(self, then: str) -> Sequence[tuple[object, ...]] | None:
        assert then == self.asked[-1][0]
        return self._rows if self._taken else None

    def required(self) -> str:
        return "SET the lock is held"

    def lost(self) -> LockError:
        return LockError("lost")

    def commit(self, *last: str, go_on: bool) -> None:
        self.committed.append(last)
        self.went_on.append(go_on)
        if self.error:
            raise self.error


def _ledger(database: Any, request: Request | None = None) -> Ledger:
    return Ledger(connection=database, schema="jobs", request=request or _request(15), lock=database)


def _row(kind: str, sequence: int, start: int, end: int, outcome: str = "done") -> tuple[object, ...]:
    times = (_time(start).replace(tzinfo=None), _time(end).replace(tzinfo=None))
    return (kind, sequence, *times, outcome, '{"after": 7}' if outcome == "partial" else None)


def _claim(ledger: Ledger) -> Claim:
    claim = ledger.claim(DAY)
    assert isinstance(claim, Claim)
    return claim


def _written(statement: str, parameters: tuple[object, ...]) -> dict[str, object]:
    """What a statement writes, by column."""
    if found := re.fullmatch(r"INSERT INTO `jobs`\.ledger \((.*?)\) VALUES \((.*)\)", statement):
        columns = found[1].split(", ")
        assert found[2] == ", ".join(["%s"] * len(columns))
    else:
        found = re.fullmatch(r"UPDATE `jobs`\.ledger SET (.*) WHERE (.*?) AND (.*)", statement)
        assert found
        columns = [each.removesuffix(" = %s") for each in (*found[1].split(", "), found[2], found[3])]
    return dict(zip(columns, parameters, strict=True))


def test_while_another_run_is_at_work_the_rows_decide_nothing() -> None:
    assert _ledger(Database([_row("own", 4, 5, 15)], taken=False)).claim(DAY) == "overlapping"


def test_the_rows_decide() -> None:
    rows = [_row("own", 4, 5, 15), _row("last", 4, 5, 15), _row("highest", 4, 5, 15)]
    assert _ledger(Database(rows)).claim(DAY) == "duplicate"
    assert _ledger(Database(rows[1:])).claim(DAY) == "superseded"
    assert _claim(_ledger(Database([]))).window == _window(15 - 1440, 15)
    [last, highest] = [_row("last", 4, 5, 10, "partial"), _row("highest", 6, 0, 1)]
    assert _claim(_ledger(Database([last, highest]))) == Claim(
        window=_window(5, 10), progress={"after": 7}, sequence=None
    )


def test_what_is_read_is_this_request_and_this_jobs_last_rows() -> None:
    database = Database()
    _ledger(database).claim(DAY)
    _ledger(database, request=_request(15, _window(0, 5))).claim(DAY)
    assert [parameters for _statement, parameters in database.asked] == [
        ("job", _time(15), "job", "job"),
        ("job", "one", "job", "job"),
    ]


@pytest.mark.parametrize(
    ("rows", "sequence"),
    [
        ([], 1),
        ([_row("last", 4, 5, 10), _row("highest", 4, 5, 10)], 5),
        ([_row("last", 4, 5, 10), _row("highest", 6, 0, 1)], 7),
    ],
)
def test_a_new_row_has_the_next_number_and_says_everything_about_the_run(
    rows: list[tuple[object, ...]], sequence: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter([100.0, 101.5])
    monkeypatch.setattr("mysql_jobs.ledger.time", SimpleNamespace(monotonic=lambda: next(moments)))
    database = Database(rows)
    before = datetime.now(UTC)
    ledger = _ledger(database)
    claim = _claim(ledger)
    ledger.commit(claim, "done", progress={"after": 9}, result={"rows": 2})
    row = _written(*database.asked[1])
    assert before <= cast(datetime, row.pop("started_at")) <= datetime.now(UTC)
    assert row == {
        "job": "job",
        "sequence": sequence,
        "scheduled_time": _time(15),
        "execution_id": "one",
        "window_start": claim.window.start,
        "window_end": claim.window.end,
        "outcome": "done",
        "progress": '{"after": 9}',
        "result": '{"rows": 2}',
        "duration_ms": 1500,
    }
    assert database.committed == [("SET the lock is held", database.asked[1][0])], "in this order"
    assert database.went_on == [False]


def test_a_window_by_hand_has_no_scheduled_time_and_an_empty_progress_is_none() -> None:
    database = Database()
    ledger = _ledger(database, request=_request(15, _window(0, 5)))
    ledger.commit(_claim(ledger), "partial", progress={})
    row = _written(*database.asked[1])
    assert (row["scheduled_time"], row["progress"], row["result"]) == (None, None, None)


def test_a_row_of_this_run_is_changed() -> None:
    """At its next checkpoint, and where a retry goes on with it."""
    rows = [_row("own", 3, 5, 15, "partial"), _row("last", 3, 5, 15, "partial"), _row("highest", 4, 0, 1)]
    for known, sequence in ([], 1), (rows, 3):
        database = Database(known)
        ledger = _ledger(database)
        claim = _claim(ledger)
        if not known:
            ledger.commit(claim, "partial", progress={"after": 8}, go_on=True)
        ledger.commit(claim, "done", progress={}, result={})
        row = _written(*database.asked[-1])
        assert database.asked[-1][0].startswith("UPDATE ")
        assert (row["job"], row["sequence"], row["outcome"], row["progress"]) == ("job", sequence, "done", None)
        assert (row["result"], len(row)) == ("{}", 7)
        assert database.committed[-1] == ("SET the lock is held", database.asked[-1][0])
        assert database.went_on == ([True, False] if not known else [False])


LOST_LOCK = pymysql.err.OperationalError(
    ER.WRONG_VALUE_FOR_VAR, "Variable 'autocommit' can't be set to the value of '2'"
)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (LOST_LOCK, LockError),
        (pymysql.err.IntegrityError(ER.DUP_ENTRY, "Duplicate entry"), pymysql.err.IntegrityError),
        (pymysql.err.OperationalError(ER.WRONG_TYPE_FOR_VAR, "Incorrect argument type"), pymysql.err.OperationalError),
        (pymysql.err.OperationalError(), pymysql.err.OperationalError),
        (OutcomeUnknownError("lost"), OutcomeUnknownError),
        (TransactionEndedError(), TransactionEndedError),
    ],
    ids=repr,
)
def test_the_error_of_a_condition_that_does_not_hold_is_a_lost_lock_and_no_other(
    error: Exception, raised: type[Exception]
) -> None:
    database = Database()
    ledger = _ledger(database)
    claim = _claim(ledger)
    database.error = error
    for _ in range(2):
        with pytest.raises(raised) as caught:
            ledger.commit(claim, "partial", progress={"after": 8})
        assert database.asked[-1][0].startswith("INSERT "), "the row is not there"
    if error is LOST_LOCK:
        assert (str(caught.value), caught.value.__suppress_context__) == ("lost", True)
    else:
        assert caught.value is error


@pytest.mark.parametrize(
    ("last", "highest", "kept_from"),
    [
        (1999, 1999, None),
        (2099, 2099, 101),
        (4999, 4999, 3001),
        (7, 4999, 7),
        (2, 4999, 2),
        (1, 4999, None),
        *((number, number, None) for number in (2098, 2100, 2150, 4998, 5000)),
    ],
)
def test_every_hundredth_run_keeps_two_thousand_rows_and_the_last_of_the_sequence(
    last: int, highest: int, kept_from: int | None
) -> None:
    database = Database([_row("last", last, 5, 10), _row("highest", highest, 5, 10)])
    ledger = _ledger(database)
    ledger.commit(_claim(ledger), "done", progress={})
    pruned = [each for each in database.asked if each[0].startswith("DELETE ")]
    statement = "DELETE FROM `jobs`.ledger WHERE job = %s AND sequence < %s"
    assert pruned == ([(statement, ("job", kept_from))] if kept_from else [])
    assert database.committed[0][2:] == ((statement,) if kept_from else ())


def test_a_run_prunes_with_its_first_commit_only() -> None:
    rows = [_row("last", 4999, 5, 10), _row("highest", 4999, 5, 10)]
    database = Database(rows)
    ledger = _ledger(database)
    claim = _claim(ledger)
    for _ in range(2):
        ledger.commit(claim, "partial", progress={"after": 8}, go_on=True)
    assert [len(each) for each in database.committed] == [3, 2]
    database = Database([_row("own", 5000, 5, 15, "partial"), _row("last", 5000, 5, 15, "partial"), *rows[1:]])
    ledger = _ledger(database)
    ledger.commit(_claim(ledger), "done", progress={})
    assert [len(each) for each in database.committed] == [2]


@given(
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from(["done", "partial", "failed"])), max_size=60),
    st.integers(1, 200),
)
def test_windows_have_no_gap_and_no_overlap(deliveries: list[tuple[int, str]], max_minutes: int) -> None:
    rows: dict[datetime, Entry] = {}
    for minutes, outcome in deliveries:
        request = _request(minutes)
        last = max(rows.values(), key=lambda entry: entry.sequence, default=None)
        claim = decide(request, rows.get(request.scheduled_time), last, timedelta(minutes=max_minutes))
        if not isinstance(claim, Claim) or outcome == "failed":
            continue
        assert claim.window.start < claim.window.end
        assert claim.window.end - claim.window.start <= timedelta(minutes=max_minutes)
        sequence = claim.sequence or (last.sequence + 1 if last else 1)
        entry = Entry(sequence=sequence, window=claim.window, outcome="done", progress={})
        rows[request.scheduled_time] = entry if outcome == "done" else entry._replace(outcome="partial")
    done = sorted((entry for entry in rows.values() if entry.outcome == "done"), key=lambda entry: entry.sequence)
    for before, after in itertools.pairwise(done):
        assert before.window.end == after.window.start
