"""The parts of the jobs that need no database."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs import purge_expired, rollup
from request import Window
from stacks.environment_files import load_environments
from stacks.job_module import read_job_module
from stacks.settings import JOBS

SESSION = {"table": "session", "column": "expires_at", "retention_days": 30}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"tables": []}, "tables is empty: write at least one table"),
        ({"tables": [SESSION, SESSION]}, "tables has session more than once: write each table once"),
        ({"tables": [SESSION], "batch_rows": 0}, "batch_rows is 0: write 1 to 10000"),
        ({"tables": [SESSION], "batch_rows": 10001}, "batch_rows is 10001: write 1 to 10000"),
        ({"tables": [{**SESSION, "retention_days": 0}]}, "retention_days of session is 0: write 1 to 36500"),
        ({"tables": [{**SESSION, "retention_days": 36501}]}, "retention_days of session is 36501: write 1 to 36500"),
        ({"tables": [{**SESSION, "table": "session; DROP TABLE session"}]}, "'session; DROP TABLE session' is no name"),
        ({"tables": [{**SESSION, "table": "jobs.session"}]}, "'jobs.session' is no name: write letters"),
        ({"tables": [{**SESSION, "column": "expires_at`, `id"}]}, "'expires_at`, `id' is no name: write letters"),
        ({"tables": [{**SESSION, "column": "%s"}]}, "'%s' is no name: write letters"),
        ({"tables": [{**SESSION, "column": "at\n"}]}, r"'at\\n' is no name: write letters"),
        ({"tables": [{**SESSION, "column": ""}]}, "'' is no name: write letters"),
    ],
)
def test_wrong_parameters_of_purge_expired_fail_at_synth(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_job_module(JOBS / "purge_expired.py").read_parameters(parameters)


def test_purge_expired_reads_and_deletes_in_its_tables_only() -> None:
    session = purge_expired.Table(table="session", column="expires_at", retention_days=30)
    visit = purge_expired.Table(table="visit", column="seen", retention_days=1)
    assert purge_expired.tables(purge_expired.Parameters(tables=(session, visit))) == {
        "session": ("SELECT", "DELETE"),
        "visit": ("SELECT", "DELETE"),
    }


@pytest.mark.parametrize("late_minutes", [-1, 10081])
def test_wrong_parameters_of_rollup_fail_at_synth(late_minutes: int) -> None:
    with pytest.raises(ValueError, match=f"late_minutes is {late_minutes}: write 0 to 10080"):
        read_job_module(JOBS / "rollup.py").read_parameters({"late_minutes": late_minutes})


@pytest.mark.parametrize(
    ("start", "end", "late_minutes", "first", "last"),
    [
        ("07:00:00", "08:00:00", 0, 7, 8),
        ("07:00:00.000001", "07:59:59.999999", 0, 7, 8),
        ("07:15:00", "08:00:00.000001", 0, 7, 9),
        ("07:15:00", "07:30:00", 15, 7, 8),
        ("07:15:00", "07:30:00", 16, 6, 8),
        ("07:00:00", "07:15:00", 180, 4, 8),
    ],
)
def test_rollup_computes_whole_hours(start: str, end: str, late_minutes: int, first: int, last: int) -> None:
    hours = rollup.hours_to_compute(Window(start=_at(start), end=_at(end)), timedelta(minutes=late_minutes))
    assert hours == (_at(f"{first:02}:00:00"), _at(f"{last:02}:00:00"))


def test_no_environment_purges_the_events_of_hours_that_rollup_computes_anew() -> None:
    for environment in load_environments():
        jobs = {job.name: job for job in environment.jobs}
        purged = {each["table"]: each["retention_days"] for each in jobs["purge_expired"].parameters["tables"]}
        late = timedelta(minutes=jobs["rollup"].parameters.get("late_minutes", 60))
        assert timedelta(days=purged["event"]) > jobs["rollup"].max_window + late


def _at(time: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-23T{time}").replace(tzinfo=UTC)
