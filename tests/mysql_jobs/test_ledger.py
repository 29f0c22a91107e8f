"""What a run reads of the ledger, and what it writes down."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pymysql
import pytest
from pymysql.constants import ER

from mysql_jobs.claim import Claim, Terms
from mysql_jobs.connection import OutcomeUnknownError
from mysql_jobs.job_lock import LockError
from mysql_jobs.ledger import Ledger
from mysql_jobs.request import Request, Window
from mysql_jobs.session import TransactionEndedError
from mysql_jobs.timetable import Timetable

START = datetime(2026, 11, 23, tzinfo=UTC)
TERMS = Terms(max_window=timedelta(days=1), catch_up="all", times=Timetable("rate(5 minutes)", "UTC"))


def _time(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def _window(start: int, end: int) -> Window:
    return Window(start=_time(start), end=_time(end))


def _request(minutes: int, window: Window | None = None) -> Request:
    return Request(job="job", scheduled_time=_time(minutes), execution_id="one", window=window, dry_run=False)


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
    return (kind, sequence, *times, outcome, '{"after": 7}' if outcome == "partial" else None, "zero")


def _claim(ledger: Ledger, terms: Terms = TERMS) -> Claim:
    claim = ledger.claim(terms)
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
    assert _ledger(Database([_row("own", 4, 5, 15)], taken=False)).claim(TERMS) == "overlapping"


def test_the_rows_decide() -> None:
    rows = [_row("own", 4, 5, 15), _row("last", 5, 15, 20), _row("highest", 5, 15, 20)]
    assert _ledger(Database(rows)).claim(TERMS) == "duplicate"
    assert _ledger(Database(rows[1:])).claim(TERMS) == "superseded"
    assert _claim(_ledger(Database([]))).window == _window(15 - 1440, 15)
    [last, highest] = [_row("last", 4, 5, 10, "partial"), _row("highest", 6, 0, 1)]
    assert _claim(_ledger(Database([last, highest]))) == Claim(window=_window(5, 10), progress={"after": 7}, sequence=4)


def test_what_is_read_is_this_request_and_this_jobs_last_rows() -> None:
    database = Database()
    _ledger(database).claim(TERMS)
    _ledger(database, request=_request(15, _window(0, 5))).claim(TERMS)
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
        "in_sequence": True,
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
    assert (row["scheduled_time"], row["in_sequence"], row["progress"], row["result"]) == (None, None, None, None)


def test_what_is_skipped_has_a_row_of_its_own_committed_with_the_first_of_the_window() -> None:
    database = Database([_row("last", 4, 5, 10), _row("highest", 6, 0, 1)])
    ledger = _ledger(database, request=_request(30))
    claim = _claim(ledger, TERMS._replace(catch_up="none"))
    assert (claim.skipped, claim.window) == (_window(10, 25), _window(25, 30))
    ledger.commit(claim, "partial", progress={"after": 8}, go_on=True)
    ledger.commit(claim, "done", progress={})
    skipped, first, again = (_written(*each) for each in database.asked[1:])
    del skipped["started_at"]
    assert skipped == {
        "job": "job",
        "sequence": 7,
        "in_sequence": True,
        "scheduled_time": _time(30),
        "execution_id": "one",
        "window_start": _time(10),
        "window_end": _time(25),
        "outcome": "skipped",
        "duration_ms": 0,
    }
    assert (first["sequence"], first["window_start"], again["sequence"]) == (8, _time(25), 8)
    assert [len(each) for each in database.committed] == [3, 2]
    assert database.committed[0][1:] == (database.asked[1][0], database.asked[2][0]), "in this order"


def test_a_row_of_this_run_is_changed() -> None:
    """At its next checkpoint, and where another run goes on with it."""
    rows = [_row("last", 3, 5, 15, "partial"), _row("highest", 4, 0, 1)]
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
        assert (row["result"], row["execution_id"], len(row)) == ("{}", "one", 8)
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


@pytest.mark.parametrize(("highest", "pruned"), [(4997, 0), (4998, 1), (4999, 1), (5000, 0)])
def test_a_hundredth_row_prunes_also_if_it_is_the_one_of_what_is_skipped(highest: int, pruned: int) -> None:
    database = Database([_row("last", highest, 5, 10), _row("highest", highest, 5, 10)])
    ledger = _ledger(database, request=_request(30))
    ledger.commit(_claim(ledger, TERMS._replace(catch_up="none")), "done", progress={})
    assert sum(each.startswith("DELETE ") for each in database.committed[0]) == pruned


def test_a_run_prunes_with_its_first_commit_only() -> None:
    rows = [_row("last", 4999, 5, 10), _row("highest", 4999, 5, 10)]
    database = Database(rows)
    ledger = _ledger(database)
    claim = _claim(ledger)
    for _ in range(2):
        ledger.commit(claim, "partial", progress={"after": 8}, go_on=True)
    assert [len(each) for each in database.committed] == [3, 2]
    database = Database([_row("last", 5000, 5, 15, "partial"), *rows[1:]])
    ledger = _ledger(database)
    ledger.commit(_claim(ledger), "done", progress={})
    assert [len(each) for each in database.committed] == [2]
