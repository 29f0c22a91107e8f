"""What the fixtures `job` and `database` promise to the tests of a team, on the fixture's project."""

import importlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pymysql
import pytest

from local.mysql_server import MySQLServer
from mysql_jobs.deadline import DeadlineExceeded
from mysql_jobs.migration_files import MigrationError
from mysql_jobs.request import EventError
from settings.project import ROOT, Project
from testkit.database import Database, new_database
from testkit.job import Job
from testkit.job_modules import jobs_of
from tests.fixture import a_job
from tests.testkit.projects import one_job

EIGHT = "2026-11-23T08:00Z"
NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)
PARCELS = {"parcel": ("SELECT", "INSERT")}
INSERT = "    run.cursor().execute('INSERT INTO parcel VALUES ()')\n"
BATCHES = """\
    with run.cursor() as cursor:
        for number in range(run.progress.get("next", 0), 5):
            cursor.execute("INSERT INTO parcel (weight) VALUES (%s)", (number,))
            run.checkpoint({"next": number + 1})
    return {"moved": 5}"""


def test_a_second_delivery_is_a_duplicate(job: Job, database: Database) -> None:
    assert job("pulse", at=EIGHT)["outcome"] == "done"
    assert job("pulse", at=EIGHT)["outcome"] == "duplicate"
    assert job.again()["outcome"] == "duplicate"
    assert database.rows("SELECT COUNT(*) FROM pulse") == [(1,)]


def test_the_report_is_the_log_line(job: Job, database: Database) -> None:
    report = job("pulse", at=EIGHT)
    assert report == job.report
    assert (report["job"], report["scheduled_time"]) == ("pulse", "2026-11-23T08:00:00+00:00")
    assert report["leaked"] == []
    assert report["result"].keys() == {"server_version", "connections", "max_connections", "uptime_seconds"}


def test_rows_go_in_and_come_out(job: Job, database: Database) -> None:
    database.insert("event", [{"occurred_at": "2026-11-23 07:30", "kind": "paid", "amount": 2} for _ in range(3)])
    database.insert(
        "event", [{"occurred_at": "2026-11-23 07:40", "kind": "100 %s"}, {"occurred_at": NINE, "kind": "x"}]
    )
    assert job("tally", at=EIGHT)["result"]["events"] == 4
    assert database.rows("SELECT kind, amount FROM event_hourly WHERE kind LIKE %s", "p%") == [("paid", 6)]
    assert database.rows("SELECT kind FROM event_hourly WHERE kind LIKE '1%'") == [("100 %s",)]


def test_windows_follow_each_other_and_may_be_given_by_hand(job: Job) -> None:
    assert job("tally", at=EIGHT)["window_start"] == "2026-11-22T08:00:00+00:00"
    assert job("tally", at=NINE)["window_start"] == "2026-11-23T08:00:00+00:00"
    by_hand = job("tally", window=("2026-11-01T00:00Z", "2026-11-02T00:00Z"))
    assert (by_hand["window_start"], by_hand["window_end"]) == (
        "2026-11-01T00:00:00+00:00",
        "2026-11-02T00:00:00+00:00",
    )
    assert job.again()["outcome"] == "duplicate"
    assert job("tally", window=("2026-11-01T00:00Z", "2026-11-02T00:00Z"))["outcome"] == "done"


def test_a_dry_run_changes_nothing(job: Job, database: Database) -> None:
    assert job("pulse", dry_run=True)["outcome"] == "dry_run"
    assert job("pulse", at=EIGHT, dry_run=True)["outcome"] == "dry_run"
    assert database.rows("SELECT COUNT(*) FROM pulse") == [(0,)]


def test_parameters_are_the_modules_unless_given(job: Job) -> None:
    assert job("tally", at=EIGHT)["result"]["hours"] == 25
    assert job("tally", at=NINE, parameters={"late_minutes": 0})["result"]["hours"] == 1


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("tally", {"late_minutes": -1}, "late_minutes is -1: write 0 to 10080"),
        ("tally", {"late": 1}, "late"),
        ("puls", {}, r"lambda/jobs/puls.py does not exist: .*pulse"),
    ],
)
def test_mistakes_are_those_of_synth(job: Job, name: str, parameters: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        job(name, at=EIGHT, parameters=parameters)


def test_no_time_is_refused_as_in_lambda(job: Job) -> None:
    with pytest.raises(EventError, match="scheduled_time is missing"):
        job("pulse")


def test_each_job_has_its_own_rights_only(job: Job, database: Database) -> None:
    granted = "SELECT table_name FROM information_schema.table_privileges WHERE grantee = %s GROUP BY table_name"
    for name, tables in (("pulse", {"pulse"}), ("tally", {"event", "event_hourly"}), ("pulse", {"pulse"})):
        job(name, at=EIGHT)
        assert {table for (table,) in database.rows(granted, f"'{database.user}'@'%'")} == {*tables, "ledger"}


Written = Callable[[str], tuple[Job, Database]]


@pytest.fixture
def moving(tmp_path: Path, server: MySQLServer) -> Iterator[Written]:
    """The job `moving`, with a function that the test writes, and its database."""
    with ExitStack() as stack:

        def write(body: str) -> tuple[Job, Database]:
            project, _settings = one_job(tmp_path, tables=PARCELS, body=body)
            database = stack.enter_context(new_database(server, project))
            return Job(project, database), database

        yield write


def test_a_failure_is_raised_and_reported(moving: Written) -> None:
    job, database = moving(INSERT + "    raise LookupError('no parcel')")
    with pytest.raises(LookupError, match="no parcel"):
        job("moving", at=EIGHT)
    assert (job.report["outcome"], job.report["error"]) == ("failed", "LookupError: no parcel")
    assert database.rows("SELECT * FROM parcel") == []


def test_a_missing_right_fails_with_the_tables_name(moving: Written) -> None:
    job, _database = moving("    run.cursor().execute('DELETE FROM parcel')")
    with pytest.raises(pymysql.err.OperationalError, match=r"DELETE command denied .* for table 'parcel'"):
        job("moving", at=EIGHT)


def test_a_missing_table_fails_with_its_name(tmp_path: Path, server: MySQLServer) -> None:
    project, _settings = one_job(tmp_path, tables={"letter": ("SELECT",)})
    with new_database(server, project) as database:
        with pytest.raises(MigrationError, match=r"granting SELECT on `kit_\d+`\.`letter` to"):
            Job(project, database)("moving", at=EIGHT)


def test_a_run_stops_after_a_checkpoint_and_the_next_goes_on(moving: Written) -> None:
    job, database = moving(BATCHES)
    report = job("moving", at=EIGHT, stop_after_checkpoints=2)
    assert (report["outcome"], report["progress"]) == ("partial", {"next": 2})
    assert database.rows("SELECT weight FROM parcel") == [(0,), (1,)]
    assert job.again()["outcome"] == "done"
    assert database.rows("SELECT weight FROM parcel") == [(0,), (1,), (2,), (3,), (4,)]


def test_a_run_killed_before_its_commit_does_its_work_in_its_retry(moving: Written) -> None:
    job, database = moving(INSERT)
    assert job("moving", at=EIGHT, killed="before_commit")["outcome"] == "failed"
    assert database.rows("SELECT * FROM parcel") == []
    assert job.again()["outcome"] == "done"
    assert database.rows("SELECT COUNT(*) FROM parcel") == [(1,)]


def test_a_run_killed_after_its_commit_has_done_its_work(moving: Written) -> None:
    job, database = moving(INSERT)
    assert job("moving", at=EIGHT, killed="after_commit")["outcome"] == "failed"
    assert job.again()["outcome"] == "duplicate"
    assert database.rows("SELECT COUNT(*) FROM parcel") == [(1,)]


def test_another_program_is_at_work_meanwhile(moving: Written) -> None:
    job, database = moving(INSERT)
    counted: list[object] = []
    job("moving", at=EIGHT, meanwhile=lambda: counted.extend(database.rows("SELECT * FROM parcel")))
    assert counted == []  # not committed yet
    with pytest.raises(pymysql.err.OperationalError, match="Lock wait timeout exceeded"):
        job("moving", at=NINE, meanwhile=lambda: database.rows("UPDATE parcel SET weight = 2"))


def test_the_deadline_ends_a_run(moving: Written) -> None:
    job, _database = moving("    run.cursor().execute('SELECT SLEEP(60)')")
    with pytest.raises(DeadlineExceeded):
        job("moving", at=EIGHT, deadline=0.5)
    assert job.report["duration_ms"] < 20_000


@pytest.mark.parametrize(
    ("opened", "leaked"),
    [("socket.create_server(('127.0.0.1', 0))", "socket "), ("threading.Timer(0.5, print)", "thread Thread-")],
)
def test_what_a_job_leaves_open_is_in_its_report(moving: Written, opened: str, leaked: str) -> None:
    # The error keeps it open, as tracebacks do, and the test can let it go.
    job, _database = moving(
        "    import socket, threading\n"
        f"    kept = {opened}\n"
        "    getattr(kept, 'start', str)()\n"
        "    raise LookupError(kept)"
    )
    with pytest.raises(LookupError) as error:
        job("moving", at=EIGHT)
    [kept] = error.value.args
    kept.join() if isinstance(kept, threading.Thread) else kept.close()
    assert [name.startswith(leaked) for name in job.report["leaked"]] == [True]


def test_the_engines_jobs_and_a_teams_live_side_by_side(project: Project) -> None:
    with jobs_of(project):
        pulse = importlib.import_module("jobs.pulse")
        with jobs_of(project):
            assert importlib.import_module("jobs.pulse") is pulse
        with jobs_of(Project(ROOT)), pytest.raises(ModuleNotFoundError):
            importlib.import_module("jobs.pulse")
        assert importlib.import_module("jobs.pulse") is pulse


def test_another_functions_variables_are_neither_seen_nor_changed(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARAMETERS", '{"late_minutes": 5}')
    monkeypatch.setenv("MODULE", "pulse")
    before = dict(os.environ)
    assert job("tally", at=EIGHT)["result"]["hours"] == 25
    assert dict(os.environ) == before


def test_a_job_reads_its_own_variables_in_its_run_and_nobody_afterwards(tmp_path: Path, server: MySQLServer) -> None:
    body = "    import os\n    return {'level': os.environ['LOG_LEVEL']}"
    project, settings = one_job(tmp_path, tables=PARCELS, body=body)
    of_a_file = settings.model_copy(update={"variables": {"LOG_LEVEL": "INFO"}})
    with new_database(server, project) as database:
        job = Job(project, database)
        assert job("moving", at=EIGHT, variables={"LOG_LEVEL": "DEBUG"})["result"] == {"level": "DEBUG"}
        assert "LOG_LEVEL" not in os.environ
        assert job.deliver(of_a_file, {"dry_run": True})["result"] == {"level": "INFO"}
        with pytest.raises(ValueError, match="LOG_TOKEN: by its name it is a secret"):
            job("moving", at=EIGHT, variables={"LOG_TOKEN": "x"})


def test_no_other_scheduled_time_than_the_tests_own_is_due(job: Job) -> None:
    # Of rate(1 hour), which the kit gives it, there have been many since.
    assert "next" not in job("pulse", at=EIGHT)


def test_an_entry_that_names_a_module_runs_that_under_its_own_name(job: Job, database: Database) -> None:
    settings = a_job(name="pulse_again", module="pulse", schedule="rate(1 hour)")
    report = job.deliver(settings, {"scheduled_time": EIGHT}, killed="before_commit")
    assert (report["job"], report["outcome"]) == ("pulse_again", "failed")
    assert job.again()["outcome"] == "done"
    assert job("pulse", at=EIGHT)["outcome"] == "done"  # another job
    assert database.rows("SELECT job FROM ledger ORDER BY job") == [("pulse",), ("pulse_again",)]


def test_the_administrator_sees_times_as_the_job_does(database: Database) -> None:
    assert database.rows("SELECT @@SESSION.time_zone") == [("+00:00",)]
