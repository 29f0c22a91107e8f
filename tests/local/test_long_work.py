"""Work that takes longer than a function may: a chain of runs does it, each begun by the one before.

The engine, the server and the deployed stacks are real. Nothing is sent but the event of one scheduled time: what
begins the other runs is the deployed rule (and a stand-in for Lambda's part: local/emulator_with_destinations.py).

LONG_WORK_SECONDS=3600 is an hour's work through functions of a minute.
"""

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from local.environment import LocalEnvironment, deployed
from local.scheduler import delivery
from settings.project import Project
from tests.fixture import PROJECT

pytestmark = pytest.mark.deployment

BATCHES = int(os.environ.get("LONG_WORK_SECONDS", "40"))
"""Each takes a second."""
TIMEOUT_SECONDS = min(max(10, BATCHES // 4), 60)
"""Of the function; 10 is the least that there may be."""
SLACK_SECONDS = 30
"""Besides half as much again as the work takes: a generous bound for the runs' starts, of which each takes 0.1 s."""

JOB = '''"""Works through numbered batches, each of which takes a second on the server."""

from dataclasses import dataclass

TABLES = {"batch": ("INSERT",)}


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """How much there is to do."""

    batches: int


def run(run):
    done = run.progress.get("done", 0)
    with run.cursor() as cursor:
        while done < run.parameters.batches:
            done += 1
            cursor.execute("INSERT INTO batch (number, connection) VALUES (%s, CONNECTION_ID())", (done,))
            cursor.execute("SELECT SLEEP(1)")
            run.checkpoint({"done": done})
    return {"done": done}
'''
MIGRATION = """CREATE TABLE batch (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    number INT NOT NULL,
    connection BIGINT UNSIGNED NOT NULL
);
"""
SETTINGS = f"""[[jobs]]
name = "long"
schedule = "rate(1 day)"
timeout_seconds = {TIMEOUT_SECONDS}
parameters.batches = {BATCHES}
"""


@dataclass(frozen=True, kw_only=True)
class Worked:
    """What there was when the work was done."""

    seconds: float
    """From the event until then."""
    rows: list[tuple[Any, ...]]
    """Of the job, in the ledger: outcome and scheduled time."""
    batches: list[tuple[int, int]]
    """Number and connection, in the order of their insertion."""
    left_open: int
    dead_letters: int


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEnvironment]:
    """The environment `local` of the fixture's project, with no job but one of much work."""
    project = Project(tmp_path_factory.mktemp("project") / "copy")
    shutil.copytree(PROJECT.folder, project.folder, ignore=shutil.ignore_patterns("__pycache__"))
    project.job_file("long").write_text(JOB)
    (project.migrations / "0003_batch.sql").write_text(MIGRATION)
    settings = project.environments / "local.toml"
    settings.write_text(settings.read_text().partition("[[jobs]]")[0] + SETTINGS)
    with deployed(tmp_path_factory.mktemp("local"), project=project, name="local", progress=print) as environment:
        yield environment


SCHEDULED_TIME = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def worked(environment: LocalEnvironment) -> Worked:
    sent = delivery(environment.emulator, "local-long", SCHEDULED_TIME)
    leftovers = environment.leftovers("long")
    started = time.monotonic()
    # As Scheduler does: https://docs.aws.amazon.com/lambda/latest/dg/with-eventbridge-scheduler.html
    environment.emulator.client("lambda").invoke(
        FunctionName=sent.function, InvocationType="Event", Payload=json.dumps(sent.event)
    )
    while not (rows := _query(environment, "SELECT outcome, scheduled_time FROM ledger")) or rows[-1][0] != "done":
        assert time.monotonic() - started < 1.5 * BATCHES + SLACK_SECONDS, _query(environment, "SELECT * FROM ledger")
        time.sleep(0.2)
    return Worked(
        seconds=time.monotonic() - started,
        rows=rows,
        batches=_query(environment, "SELECT number, connection FROM batch ORDER BY id"),
        left_open=leftovers.count(),
        dead_letters=_dead_letters(environment),
    )


def test_the_work_of_one_scheduled_time_is_done_in_one_window(worked: Worked) -> None:
    assert worked.rows == [("done", SCHEDULED_TIME.replace(tzinfo=None))]


def test_each_batch_is_done_exactly_once_and_in_order(worked: Worked) -> None:
    assert [number for number, _ in worked.batches] == list(range(1, BATCHES + 1))


def test_the_runs_follow_each_other_without_a_wait(worked: Worked) -> None:
    runs = len({connection for _, connection in worked.batches})
    assert runs > BATCHES / TIMEOUT_SECONDS  # a run keeps some time for its end
    assert worked.seconds >= BATCHES


def test_nothing_is_left_of_them(worked: Worked) -> None:
    assert (worked.left_open, worked.dead_letters) == (0, 0)


def _query(environment: LocalEnvironment, statement: str) -> list[tuple[Any, ...]]:
    with environment.server.connect() as connection, connection.cursor() as cursor:
        connection.select_db(environment.settings.database.name)
        cursor.execute(statement)
        return list(cursor.fetchall())


def _dead_letters(environment: LocalEnvironment) -> int:
    queues = environment.emulator.client("sqs")
    url = queues.get_queue_url(QueueName="local-long-dead-letters")["QueueUrl"]
    attributes = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(attributes["Attributes"]["ApproximateNumberOfMessages"])
