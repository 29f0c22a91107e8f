"""One environment through its life: deployed, changed, failed, mended, shrunk, put behind a proxy, destroyed.

In the middle, it has a second stack of jobs, as one has that outgrows the first.

Each fixture deploys the next stage, from a copy of the project, and keeps what is there to be seen; so each test can
run alone, after the stages that it needs.
"""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.cdk_cli import CommandFailed
from local.environment import LocalEnvironment, deployed
from local.scheduler import delivery
from settings.project import Project
from tests.fixture import PROJECT
from tests.working_copy import edit

pytestmark = pytest.mark.deployment

FIRST_RUN = datetime(2026, 11, 23, 8, tzinfo=UTC)

JOB = '''"""Greets the world."""

TABLES = {"greeting": ("INSERT",)}


def run(run):
    with run.cursor() as cursor:
        cursor.execute("INSERT INTO greeting (word) VALUES ('hello')")
        return {"greetings": cursor.rowcount}
'''
SETTINGS = """
[[jobs]]
name = "greeting"
schedule = "rate(1 hour)"
"""
PLACES = {"Jobs": ["pulse", "sweep", "tally"], "Jobs-2": ["greeting"]}
GOOD = "CREATE TABLE greeting (word VARCHAR(20));\n"
BAD = "ALTER TABLE greeting ADD INDEX (no_such_column);\n"
MENDED = "ALTER TABLE greeting ADD INDEX (word);\n"


@dataclass(frozen=True, kw_only=True)
class State:
    """What is deployed, and what is in the database."""

    schedules: dict[str, str]
    """Expressions, by job."""
    functions: set[str]
    rights: set[tuple[str, str, str]]
    """Of the jobs' user: table and right."""
    migrations: list[tuple[str, int, int]]
    """Name, statements applied, and whether that is all."""
    runs: set[tuple[str, datetime]]
    """In the ledger: job and scheduled time."""
    stacks: set[str]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A change, deployed."""

    left_out: list[str]
    """What the emulator lacks."""
    before: State
    diff: set[tuple[str, str, str]]
    """What `cdk diff` announced: how, resource type, path without the environment."""
    said: str
    """What `cdk deploy` printed."""
    events: list[tuple[str, str]]
    """Resource types and logical ids, as CloudFormation turned to them in the stacks of jobs."""
    after: State


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the fixture's project, to be changed."""
    folder = tmp_path_factory.mktemp("project") / "copy"
    shutil.copytree(PROJECT.folder, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return Project(folder)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, project: Project) -> Iterator[LocalEnvironment]:
    """The environment as the project describes it, with a run's data in its database."""
    with deployed(tmp_path_factory.mktemp("local"), project=project, name="local", progress=print) as environment:
        assert _run(environment, "pulse", 0)["outcome"] == "done"
        yield environment


@pytest.fixture(scope="module")
def rescheduled(environment: LocalEnvironment, project: Project) -> Stage:
    """A job starts half as often."""
    edit(project.environments / "local.toml", "rate(5 minutes)", "rate(10 minutes)")
    return _deploy(environment, project)


@pytest.fixture(scope="module")
def failed(rescheduled: Stage, environment: LocalEnvironment, project: Project) -> Stage:
    """A job is added, in a stack of its own; its migration fails halfway; another job's schedule is changed, too."""
    project.job_file("greeting").write_text(JOB)
    (project.migrations / "0003_greeting.sql").write_text(GOOD + BAD)
    settings = project.environments / "local.toml"
    settings.write_text(settings.read_text() + SETTINGS)
    (project.environments / "local.stacks.json").write_text(json.dumps(PLACES))
    edit(settings, "rate(10 minutes)", "rate(20 minutes)")
    return _deploy(environment, project, succeeds=False)


@pytest.fixture(scope="module")
def mended(failed: Stage, environment: LocalEnvironment, project: Project) -> Stage:
    """The statement that failed is corrected."""
    edit(project.migrations / "0003_greeting.sql", BAD, MENDED)
    return _deploy(environment, project)


@pytest.fixture(scope="module")
def removed(mended: Stage, environment: LocalEnvironment, project: Project) -> Stage:
    """The job is taken out again, after a run; its migration stays, as any that was applied."""
    assert _run(environment, "greeting", 3)["outcome"] == "done"
    edit(project.environments / "local.toml", SETTINGS, "")
    project.job_file("greeting").unlink()
    return _deploy(environment, project)


@pytest.fixture(scope="module")
def proxied(removed: Stage, environment: LocalEnvironment, project: Project) -> Stage:
    """The proxy is turned on."""
    edit(project.environments / "local.toml", "[[jobs]]", "[proxy]\nenabled = true\n\n[[jobs]]")
    return _deploy(environment, project)


@pytest.fixture(scope="module")
def destroyed(proxied: Stage, environment: LocalEnvironment) -> State:
    """Nothing is deployed any more."""
    environment.cli.destroy("local")
    return _state(environment)


def test_a_changed_schedule_is_announced_deployed_and_nothing_else(rescheduled: Stage) -> None:
    assert rescheduled.diff == {
        ("[~]", "AWS::Events::Rule", "Jobs/Job-pulse/Continuation/Rule"),  # how long it retries
        ("[~]", "AWS::Lambda::EventInvokeConfig", "Jobs/Job-pulse/Retry"),
        ("[~]", "AWS::Lambda::Function", "Jobs/Job-pulse/Job/Function"),  # its description names the schedule
        ("[~]", "AWS::Lambda::Function", "Jobs/Watcher/Watch/Function"),
        ("[~]", "AWS::Scheduler::Schedule", "Jobs/Job-pulse/Schedule"),
    }
    before, after = rescheduled.before, rescheduled.after
    assert before.schedules["pulse"] == "rate(5 minutes)"
    assert after == _with(before, schedules={**before.schedules, "pulse": "rate(10 minutes)"})
    assert ("pulse", FIRST_RUN) in after.runs


def test_a_failing_migration_tells_who_deploys_its_file_its_statement_and_the_servers_error(failed: Stage) -> None:
    assert "0003_greeting.sql, statement 2 of 2 failed" in failed.said
    assert "no_such_column" in failed.said
    assert "1072" in failed.said  # Key column 'no_such_column' doesn't exist in table
    assert BAD.strip(";\n") in failed.said


def test_a_failing_migration_leaves_schedules_functions_and_rights_as_they_were(failed: Stage) -> None:
    assert ("[+]", "AWS::Scheduler::Schedule", "Jobs-2/Job-greeting/Schedule") in failed.diff
    assert ("[~]", "AWS::Scheduler::Schedule", "Jobs/Job-pulse/Schedule") in failed.diff
    assert failed.after == _with(failed.before, migrations=[*failed.before.migrations, ("0003_greeting", 1, 0)])


def test_after_a_failed_deploy_the_jobs_still_run(failed: Stage, environment: LocalEnvironment) -> None:
    assert _run(environment, "pulse", 1)["outcome"] == "done"


def test_a_mended_migration_continues_where_it_stopped(mended: Stage) -> None:
    # Its first statement would fail if it was applied twice.
    assert mended.after.migrations == [*mended.before.migrations[:-1], ("0003_greeting", 2, 1)]


def test_an_added_job_has_its_tables_and_rights_before_it_has_a_schedule(mended: Stage) -> None:
    assert mended.after.schedules == {
        **mended.before.schedules,
        "greeting": "rate(1 hour)",
        "pulse": "rate(20 minutes)",
    }
    user = "'job_local_greeting'@'%'"
    ledger = {(user, "ledger", right) for right in ("DELETE", "INSERT", "SELECT", "UPDATE")}
    assert mended.after.rights - mended.before.rights == {(user, "greeting", "INSERT"), *ledger}
    *_, migrated = (index for index, (kind, _) in enumerate(mended.events) if kind == "Custom::Trigger")
    scheduled = [index for index, (_, name) in enumerate(mended.events) if name.startswith("JobgreetingSchedule")]
    assert migrated < min(scheduled)


def test_a_job_in_a_further_stack_is_deployed_without_a_change_to_any_other(mended: Stage) -> None:
    assert mended.after.stacks - mended.before.stacks == {"local-Jobs-2"}
    of_others = {how for how, _, path in mended.diff if path.startswith(("Jobs/Alarms-", "Jobs/Job-"))}
    assert of_others == {"[~]"}  # in place: the zip of all has another migration


def test_an_added_job_runs(removed: Stage) -> None:
    assert removed.before.runs - removed.after.runs == set()
    assert ("greeting", FIRST_RUN + timedelta(hours=3)) in removed.before.runs


def test_a_removed_job_takes_its_schedule_along_and_leaves_its_ledger_and_for_a_week_its_user(removed: Stage) -> None:
    before, after = removed.before, removed.after
    assert before.schedules.keys() - after.schedules.keys() == {"greeting"}
    assert before.functions - after.functions == {"local-greeting"}
    assert (after.rights, after.runs, after.migrations) == (before.rights, before.runs, before.migrations)


def test_a_stack_whose_jobs_are_gone_has_nothing_in_it_and_differs_no_more(
    removed: Stage, environment: LocalEnvironment
) -> None:
    client = environment.emulator.client("cloudformation")
    left = client.list_stack_resources(StackName="local-Jobs-2")["StackResourceSummaries"]
    assert {each["ResourceType"] for each in left} <= {"AWS::CDK::Metadata", "AWS::CloudFormation::WaitConditionHandle"}
    environment.cli.diff("local")


def test_the_proxy_changes_where_a_job_connects_and_nothing_else_for_it(
    proxied: Stage, environment: LocalEnvironment
) -> None:
    """The emulator has no proxy: the jobs get its variables, and reach the server itself under them.

    So this shows that the switch deploys over what is there, and that a job runs as it does behind a proxy (which is
    never to be killed through it); not that the proxy lets it in. tests/stacks/test_database_proxy.py has its template.
    """
    assert any("1 of AWS::RDS::DBProxy (" in line for line in proxied.left_out)
    changed = {kind for _, kind, path in proxied.diff if path.startswith("Jobs/Job-")}
    assert changed == {"AWS::Lambda::Function"}
    variables = environment.emulator.client("lambda").get_function_configuration(FunctionName="local-pulse")
    assert variables["Environment"]["Variables"]["DATABASE_ENDPOINT"] == "proxy"
    assert _run(environment, "pulse", 4)["outcome"] == "done"
    assert proxied.after == proxied.before


def test_destroying_an_environment_takes_every_stack_and_no_data(proxied: Stage, destroyed: State) -> None:
    """The server here is none of the emulator's: this shows that nothing in the stacks deletes data as they go.

    That RDS takes a snapshot of the instance is in tests/stacks.
    """
    assert proxied.after.stacks == {"local-Network", "local-Database", "local-Jobs", "local-Jobs-2"}
    assert (destroyed.stacks, destroyed.schedules, destroyed.functions) == (set(), {}, set())
    assert destroyed.runs >= proxied.after.runs
    assert destroyed.migrations == proxied.after.migrations


def _deploy(environment: LocalEnvironment, project: Project, *, succeeds: bool = True) -> Stage:
    before, started = _state(environment), datetime.now(UTC)
    left_out: list[str] = []
    environment.synthesize(project, progress=left_out.append)
    with pytest.raises(CommandFailed):  # there is a difference
        environment.cli.diff("local")
    with nullcontext() if succeeds else pytest.raises(CommandFailed):
        environment.cli.deploy("local")
    return Stage(
        left_out=left_out,
        before=before,
        diff=_announced((environment.cli.folder / "diff.log").read_text()),
        said=(environment.cli.folder / "deploy.log").read_text(),
        events=_events(environment, since=started),
        after=_state(environment),
    )


def _announced(diff: str) -> set[tuple[str, str, str]]:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", diff)
    return set(re.findall(r"^(\[[~+-]\]) (\S+) (\S+) ", plain, re.MULTILINE))


def _state(environment: LocalEnvironment) -> State:
    client = environment.emulator.client
    schedules = [
        client("scheduler").get_schedule(Name=each["Name"])
        for each in client("scheduler").list_schedules()["Schedules"]
    ]
    functions = [each["FunctionName"] for each in client("lambda").list_functions()["Functions"]]
    stacks = client("cloudformation").describe_stacks()["Stacks"]
    return State(
        schedules={each["Name"].removeprefix("local-"): each["ScheduleExpression"] for each in schedules},
        functions={name for name in functions if re.fullmatch("local-[a-z_]+", name)},
        rights=set(
            _query(
                environment,
                "SELECT grantee, table_name, privilege_type FROM information_schema.table_privileges"
                " WHERE grantee LIKE %s",
                "'job%'@'%'",
            )
        ),
        migrations=_query(environment, "SELECT name, statements, complete FROM migration ORDER BY origin, number"),
        runs={
            (job, time.replace(tzinfo=UTC))
            for job, time in _query(environment, "SELECT job, scheduled_time FROM ledger")
        },
        stacks={each["StackName"] for each in stacks if each["StackName"].startswith("local-")},
    )


def _with(state: State, **changes: Any) -> State:
    return State(**{**vars(state), **changes})


def _run(environment: LocalEnvironment, job: str, hour: int) -> Any:
    """What the job returns when its deployed schedule starts it, so many hours after the first run."""
    sent = delivery(environment.emulator, f"local-{job}", FIRST_RUN + timedelta(hours=hour))
    return environment.invoke(sent.function, sent.event)


def _events(environment: LocalEnvironment, since: datetime) -> list[tuple[str, str]]:
    """Resource types and logical ids in the events of the stacks of jobs, oldest first."""
    client = environment.emulator.client("cloudformation")
    stacks = [each["StackName"] for each in client.describe_stacks()["Stacks"]]
    pages = client.get_paginator("describe_stack_events")
    events = [
        event
        for stack in stacks
        if stack.startswith("local-Jobs")
        for page in pages.paginate(StackName=stack)
        for event in page["StackEvents"][::-1]
        if event["Timestamp"] >= since
    ]
    in_order = sorted(events, key=lambda event: event["Timestamp"])
    return [(event["ResourceType"], event["LogicalResourceId"]) for event in in_order]


def _query(environment: LocalEnvironment, statement: str, *parameters: str) -> list[tuple[Any, ...]]:
    with environment.server.connect() as connection, connection.cursor() as cursor:
        connection.select_db(environment.settings.database.name)
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
