"""The environment `local`, deployed with the real CDK CLI, and its job run against a real MySQL."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local import processes
from local.cdk_cli import CommandFailed
from local.environment import JobFailed, LocalEnvironment, deployed
from local.scheduler import delivery
from settings.names import WATCH, database_user
from tests.fixture import PROJECT

pytestmark = pytest.mark.deployment

SCHEDULED_TIME = datetime(2026, 11, 23, 8, tzinfo=UTC)
FIVE_MINUTES = timedelta(minutes=5)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEnvironment]:
    with deployed(tmp_path_factory.mktemp("local"), project=PROJECT, name="local", progress=print) as environment:
        yield environment


def test_the_migrations_ran_and_gave_each_job_and_the_watcher_a_user(environment: LocalEnvironment) -> None:
    assert {table for (table,) in _query(environment, "SHOW TABLES")} == {
        "event",
        "event_hourly",
        "pulse",
        "ledger",
        "migration",
        "migration_statement",
        "watched",
    }
    everything = "SELECT, INSERT, UPDATE, DELETE"
    for job, rights in {
        "pulse": {"SELECT, INSERT ON `jobs`.`pulse`"},
        "tally": {"SELECT ON `jobs`.`event`", "SELECT, INSERT, DELETE ON `jobs`.`event_hourly`"},
        "sweep": {"SELECT, DELETE ON `jobs`.`event`", "SELECT, DELETE ON `jobs`.`pulse`"},
        WATCH: {f"{everything} ON `jobs`.`watched`"},
    }.items():
        user = database_user("local", job)
        ledger = f"{'SELECT' if job == WATCH else everything} ON `jobs`.`ledger`"
        assert {grant for (grant,) in _query(environment, f"SHOW GRANTS FOR {user}")} == {
            f"GRANT {each} TO `{user}`@`%`" for each in ("USAGE ON *.*", ledger, *rights)
        }


def test_the_deployed_schedule_starts_the_deployed_function(environment: LocalEnvironment) -> None:
    sent = delivery(environment.emulator, "local-pulse", SCHEDULED_TIME)
    assert sent.function == "local-pulse"
    assert sent.event | {"execution_id": ""} == {
        "job": "pulse",
        "scheduled_time": "2026-11-23T08:00:00Z",
        "execution_id": "",
    }
    report = environment.invoke(sent.function, sent.event)
    assert (report["outcome"], environment.invoke(sent.function, sent.event)["outcome"]) == ("done", "duplicate")
    assert report["result"]["server_version"].startswith(environment.server.version)


def test_a_function_that_ends_with_an_error_says_which_and_where(environment: LocalEnvironment) -> None:
    with pytest.raises(JobFailed, match=r"(?s)^local-pulse failed: .*Traceback.*request\.py.*scheduled_time"):
        environment.invoke("local-pulse", {"scheduled_time": "noon"})


def test_the_watcher_sees_every_job(environment: LocalEnvironment) -> None:
    environment.invoke("local-watch", {})
    assert {job for (job,) in _query(environment, "SELECT job FROM watched")} == {"pulse", "tally", "sweep"}


def test_frozen_and_thawed_runs_leave_nothing_open(environment: LocalEnvironment) -> None:
    with environment.execution_environment("local-pulse") as client:
        for number in range(3):
            time = SCHEDULED_TIME + (number + 1) * FIVE_MINUTES
            sent = delivery(environment.emulator, "local-pulse", time)
            leftovers = environment.leftovers("pulse")
            run = client.invoke(sent.event)
            assert (run.error, run.cold) == (None, number == 0)
            assert isinstance(run.result, dict)
            assert (run.result["outcome"], run.result["destroyed"]) == ("done", "polite")
            assert client.frozen
            assert leftovers.count() == 0
            assert _log_line(run.log_lines)["scheduled_time"] == time.isoformat()


def test_the_diff_is_clean_and_shows_a_change(environment: LocalEnvironment) -> None:
    assert "Number of stacks with differences: 0" in environment.cli.diff("local")
    [template] = (environment.cli.assembly / "assembly-local").glob("localJobs*.template.json")
    before = template.read_text()
    template.write_text(before.replace('"Timeout": 30', '"Timeout": 40'))
    try:
        with pytest.raises(CommandFailed, match=r"\[~\] AWS::Lambda::Function .*Job"):
            environment.cli.diff("local")
    finally:
        template.write_text(before)


def test_everything_listens_on_loopback_only(environment: LocalEnvironment) -> None:
    for pid, port in (
        (environment.server.pid, environment.server.port),
        (environment.emulator.pid, environment.emulator.port),
    ):
        assert processes.listening(pid) == {f"127.0.0.1:{port}"}


def _query(environment: LocalEnvironment, statement: str) -> list[tuple[Any, ...]]:
    with environment.server.connect() as connection, connection.cursor() as cursor:
        connection.select_db(environment.settings.database.name)
        cursor.execute(statement)
        return list(cursor.fetchall())


def _log_line(lines: tuple[str, ...]) -> dict[str, Any]:
    [line] = [line for line in map(json.loads, lines) if line.get("message") == "run"]
    read: dict[str, Any] = line
    return read
