"""The ledger of version 0.1 becomes today's: it keeps every row, and code of then may go on beside code of today."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mysql_jobs import migrate, migration_files
from tests.mysql_jobs.function import EIGHT, Function

Query = Callable[[str], list[tuple[Any, ...]]]
FIVE_MINUTES = timedelta(minutes=5)
COLUMNS = "job, sequence, scheduled_time, execution_id, window_start, window_end, outcome, started_at, duration_ms"
"""Those that version 0.1 wrote."""


@pytest.fixture
def before(variables: dict[str, str], context: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database as version 0.1 has migrated it."""
    [first] = [each for each in migration_files.FOLDERS["engine"].iterdir() if each.name.startswith("0001_")]
    (tmp_path / first.name).write_text(first.read_text())
    with monkeypatch.context() as patch:
        patch.setitem(migration_files.FOLDERS, "engine", tmp_path)
        migrate.lambda_handler({}, context)
    assert variables["DATABASE_NAME"]


def _write(query: Query, sequence: int, scheduled: datetime | None, end: datetime, outcome: str = "done") -> None:
    """A row as version 0.1 wrote it."""
    times = f"'{end - FIVE_MINUTES:%F %T}', '{end:%F %T}', '{outcome}', '{end:%F %T}', 12"
    time = f"'{scheduled:%F %T}'" if scheduled else "NULL"
    query(f"INSERT INTO ledger ({COLUMNS}) VALUES ('pulse', {sequence}, {time}, 'one', {times})")


def _history(query: Query) -> None:
    """An hour of runs: one by hand, one that another one continued, and an outage that is being caught up."""
    _write(query, 1, EIGHT, EIGHT)
    _write(query, 2, None, EIGHT - timedelta(days=9))
    _write(query, 3, EIGHT + FIVE_MINUTES, EIGHT + FIVE_MINUTES, "partial")
    _write(query, 4, EIGHT + 2 * FIVE_MINUTES, EIGHT + FIVE_MINUTES)
    _write(query, 5, EIGHT + 30 * FIVE_MINUTES, EIGHT + 2 * FIVE_MINUTES)


@pytest.mark.usefixtures("before")
def test_every_row_stays_as_it_was(context: Any, query: Query) -> None:
    _history(query)
    rows = query("SELECT * FROM ledger ORDER BY sequence")
    migrate.lambda_handler({}, context)
    columns = "job, sequence, scheduled_time, execution_id, window_start, window_end, outcome, progress, result"
    assert query(f"SELECT {columns}, started_at, duration_ms FROM ledger ORDER BY sequence") == rows
    assert query("SELECT COUNT(in_sequence) FROM ledger") == [(0,)]


@pytest.mark.usefixtures("before")
def test_todays_code_goes_on_where_that_of_before_was(query: Query, function: Function) -> None:
    _history(query)
    level = EIGHT + 2 * FIVE_MINUTES
    for scheduled in (30, 30, 31):
        report = function.deliver(EIGHT + scheduled * FIVE_MINUTES)
        assert (report["outcome"], report["window_start"]) == ("done", level.isoformat())
        level = datetime.fromisoformat(report["window_end"])
    assert level == EIGHT + 31 * FIVE_MINUTES
    assert function.deliver(EIGHT)["outcome"] == "duplicate"


@pytest.mark.usefixtures("before")
def test_code_of_before_may_write_while_todays_is_there(query: Query, function: Function) -> None:
    """It continues in a row of its own what today's left partial, and begins windows, as it did."""
    function.deliver(EIGHT)
    query("UPDATE ledger SET outcome = 'partial', progress = '{}'")
    _write(query, 2, EIGHT + FIVE_MINUTES, EIGHT, "partial")
    assert function.deliver(EIGHT + FIVE_MINUTES)["window_end"] == EIGHT.isoformat()
    _write(query, 3, EIGHT + FIVE_MINUTES, EIGHT + FIVE_MINUTES)
    report = function.deliver(EIGHT + 2 * FIVE_MINUTES)
    assert report["window_start"] == (EIGHT + FIVE_MINUTES).isoformat()
    rows = query("SELECT sequence, outcome, in_sequence FROM ledger ORDER BY sequence")
    assert rows == [(1, "partial", 1), (2, "done", None), (3, "done", None), (4, "done", 1)]


@pytest.mark.usefixtures("before")
def test_code_of_before_reads_what_todays_writes(query: Query, function: Function) -> None:
    """By its own statement: its row of a scheduled time, and the last one of the sequence."""
    function.deliver(EIGHT)
    function.deliver(EIGHT + 3 * timedelta(hours=1))  # the first of three windows for this time
    own = "SELECT outcome FROM ledger WHERE job = 'pulse' AND scheduled_time = '2026-11-23 11:00'"
    last = "SELECT sequence, window_end FROM ledger WHERE job = 'pulse' AND scheduled_time IS NOT NULL"
    assert query(own) == [("done",)]
    assert query(f"{last} ORDER BY sequence DESC LIMIT 1") == [(2, datetime(2026, 11, 23, 9))]  # noqa: DTZ001


def test_two_rows_of_one_window_are_refused_whatever_became_of_the_lock(query: Query, function: Function) -> None:
    function.deliver(EIGHT)
    with pytest.raises(Exception, match="Duplicate entry"):
        query(
            "INSERT INTO ledger SELECT job, 9, scheduled_time, execution_id, window_start, window_end, outcome,"
            " progress, result, started_at, duration_ms, in_sequence FROM ledger"
        )
