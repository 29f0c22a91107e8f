"""What the templates promise, in every environment that it concerns."""

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk.assertions import Template

from review.templates import read_environments
from settings.names import WATCH
from settings.placement import FIRST, RESOURCES_PER_STACK
from stacks.environment import Environment
from tests.conftest import read_templates
from tests.fixture import ENVIRONMENTS, PROJECT, load_file
from tests.quick_app import quick_app
from tests.stacks.templates import Resources, Synthesize, groups, of_type, the

RUN = "def run(run): ...\n"


def test_no_function_may_read_the_master_secret_but_migrate(jobs: Resources) -> None:
    readers = [
        name for name, policy in of_type(jobs, "AWS::IAM::Policy").items() if "MasterUserSecret" in json.dumps(policy)
    ]
    assert len(readers) == 1
    assert readers[0].startswith("MigrationsMigrateRole")


def test_nothing_of_a_job_changes_before_the_migrations_ran(jobs: Resources) -> None:
    [trigger] = of_type(jobs, "Custom::Trigger")
    for kind in ("AWS::Scheduler::Schedule", "AWS::Lambda::Function"):
        for name, resource in of_type(jobs, kind).items():
            if name.startswith("Job"):
                assert trigger in resource["DependsOn"]


def test_migrations_wait_for_their_way_to_the_database(jobs: Resources) -> None:
    [trigger] = of_type(jobs, "Custom::Trigger").values()
    ways = {
        name
        for kind in ("AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress", "AWS::IAM::Policy")
        for name in of_type(jobs, kind)
        if name.startswith("Migrations")
    }
    assert len(ways) == 5
    assert ways <= set(trigger["DependsOn"])


def test_every_job_of_the_file_has_a_function_a_schedule_and_a_dead_letter_queue(
    environment: str, jobs: Resources
) -> None:
    settings = ENVIRONMENTS[environment]
    schedules = {each["Properties"]["Name"]: each for each in of_type(jobs, "AWS::Scheduler::Schedule").values()}
    functions = {each["Properties"].get("FunctionName") for each in of_type(jobs, "AWS::Lambda::Function").values()}
    for job in settings.jobs:
        schedule = schedules[f"{environment}-{job.name}"]["Properties"]
        assert f"{environment}-{job.name}" in functions
        assert (schedule["ScheduleExpression"], schedule["ScheduleExpressionTimezone"]) == (job.schedule, job.time_zone)
        assert json.loads(schedule["Target"]["Input"]) == {
            "job": job.name,
            "scheduled_time": "<aws.scheduler.scheduled-time>",
            "execution_id": "<aws.scheduler.execution-id>",
        }
        queue = jobs[schedule["Target"]["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]]
        assert queue["Type"] == "AWS::SQS::Queue"


def test_the_jobs_whose_needs_are_equal_share_a_security_group_and_nobody_else_is_in_it(assembly: Path) -> None:
    for name, settings in ENVIRONMENTS.items():
        members = groups(read_environments(assembly)[name])
        functions = {f"Jobs/Job-{job.name}/Job/Function" for job in settings.jobs} | {"Jobs/Watcher/Watch/Function"}
        assert members["Jobs/SecurityGroup"] == functions
        assert not functions & set().union(*(each for group, each in members.items() if group != "Jobs/SecurityGroup"))


def test_the_migrations_make_the_user_that_each_job_logs_in_as_with_the_rights_of_that_job(
    environment: str, jobs: Resources
) -> None:
    variables = _variables(jobs)
    told = json.loads(variables[f"{environment}-migrate"]["RIGHTS"])
    assert told.keys() == {WATCH, *(job.name for job in ENVIRONMENTS[environment].jobs)}
    assert told[WATCH]["user"] == variables[f"{environment}-watch"]["DATABASE_USER"]
    assert told[WATCH]["tables"] == {}
    assert told[WATCH]["own"] == {"ledger": "SELECT", "watched": "DELETE, INSERT, SELECT, UPDATE"}
    for job in ENVIRONMENTS[environment].jobs:
        assert told[job.name]["user"] == variables[f"{environment}-{job.name}"]["DATABASE_USER"]
        rights = {table: set(each.split(", ")) for table, each in told[job.name]["tables"].items()}
        assert rights == dict(job.rights)


@pytest.mark.synthesis
def test_a_job_is_told_its_longest_window_its_parameters_and_its_own_variables(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "plain.py").write_text(f'"""Rests."""\nTABLES = {{"a": ("SELECT",), "b": ("INSERT",)}}\n{RUN}')
    (tmp_path / "jobs" / "purge.py").write_text(
        f'"""{"Deletes, " * 50}"""\nfrom dataclasses import dataclass\n'
        "@dataclass(frozen=True, kw_only=True)\nclass Parameters:\n    rows: int\n"
        f'TABLES = {{"b": ("DELETE",)}}\n{RUN}'
    )
    (tmp_path / "basic.toml").write_text(
        (PROJECT.environments / "basic.toml").read_text().partition("[[jobs]]")[0]
        + '[[jobs]]\nname = "plain"\nschedule = "rate(5 minutes)"\n'
        + '[[jobs]]\nname = "purge"\nschedule = "rate(1 day)"\nmax_window_minutes = 4320\nparameters = {rows = 5}\n'
        + 'variables = {LOG_LEVEL = "DEBUG"}\n'
    )
    settings = load_file(tmp_path / "basic.toml")
    environment = Environment(quick_app(outdir=str(tmp_path)), project=PROJECT, settings=settings)
    resources: Resources = Template.from_stack(environment.jobs).to_json()["Resources"]
    told = _variables(resources)
    assert (told["basic-plain"]["JOB"], told["basic-plain"]["MAX_WINDOW_MINUTES"]) == ("plain", "1440")
    assert "PARAMETERS" not in told["basic-plain"]
    assert (told["basic-purge"]["MAX_WINDOW_MINUTES"], told["basic-purge"]["PARAMETERS"]) == ("4320", '{"rows":5}')
    assert {name for name, each in told.items() if "LOG_LEVEL" in each} == {"basic-purge"}
    assert told["basic-purge"]["LOG_LEVEL"] == "DEBUG"
    rights = {job: each["tables"] for job, each in json.loads(told["basic-migrate"]["RIGHTS"]).items()}
    assert rights == {"plain": {"a": "SELECT", "b": "INSERT"}, "purge": {"b": "DELETE"}, WATCH: {}}
    descriptions = {each["FunctionName"]: each["Description"] for each in _functions(resources)}
    assert descriptions["basic-plain"] == "Job plain, rate(5 minutes). Rests."
    assert descriptions["basic-purge"].startswith("Job purge, rate(1 day). Deletes, Deletes, ")
    assert len(descriptions["basic-purge"]) == 256


def _variables(resources: Resources) -> dict[str, dict[str, Any]]:
    return {each["FunctionName"]: each["Environment"]["Variables"] for each in _functions(resources)}


def _functions(resources: Resources) -> list[dict[str, Any]]:
    functions = [each["Properties"] for each in of_type(resources, "AWS::Lambda::Function").values()]
    return [each for each in functions if "FunctionName" in each]


def test_every_role_has_the_boundary_of_the_file(synthesize: Synthesize) -> None:
    stacks = synthesize(
        ENVIRONMENTS["large"].model_copy(update={"permissions_boundary": "team"}), proxy={"enabled": True}
    )
    roles = [role for resources in stacks.values() for role in of_type(resources, "AWS::IAM::Role").values()]
    assert len(roles) > 8
    for role in roles:
        # Text in ours, and, in the CDK's own, a join that asks for the partition.
        assert json.dumps(role["Properties"]["PermissionsBoundary"]).rstrip('"}').endswith(":policy/team"), role


def test_the_tags_of_the_file_are_on_everything_that_takes_some(synthesize: Synthesize) -> None:
    stacks = synthesize(ENVIRONMENTS["basic"].model_copy(update={"tags": {"cost-centre": "7"}}))
    for kind in (
        "AWS::RDS::DBInstance",
        "AWS::Lambda::Function",
        "AWS::SQS::Queue",
        "AWS::EC2::VPC",
        "AWS::SNS::Topic",
    ):
        found = [each for resources in stacks.values() for each in of_type(resources, kind).values()]
        for each in found:
            if each["Properties"].get("FunctionName") or kind != "AWS::Lambda::Function":  # not the CDK's own
                tags = {tag["Key"]: tag["Value"] for tag in each["Properties"]["Tags"]}
                assert tags.items() >= {"cost-centre": "7", "project": "mysql-jobs", "environment": "basic"}.items()
        assert found


def test_nothing_is_encrypted_with_another_key_than_the_files(synthesize: Synthesize) -> None:
    key = "arn:aws:kms:eu-central-1:333333333333:key/01234567-89ab-cdef-0123-456789abcdef"
    stacks = synthesize(ENVIRONMENTS["large"].model_copy(update={"encryption_key": key}), database={"auth": "secret"})
    instance = the(stacks["Database"], "AWS::RDS::DBInstance")
    assert (instance["KmsKeyId"], instance["PerformanceInsightsKMSKeyId"]) == (key, key)
    assert instance["MasterUserSecret"] == {"KmsKeyId": key}
    secrets = of_type(stacks["Database"], "AWS::SecretsManager::Secret").values()
    assert {secret["Properties"]["KmsKeyId"] for secret in secrets} == {key}
    queues = of_type(stacks["Jobs"], "AWS::SQS::Queue").values()
    assert {queue["Properties"]["KmsMasterKeyId"] for queue in queues} == {key}


def test_as_many_jobs_as_may_be_fit_the_stack_whatever_else_is_on(synthesize: Synthesize) -> None:
    [pulse, *_] = ENVIRONMENTS["large"].jobs
    most = ENVIRONMENTS["large"].model_copy(
        update={
            "jobs": tuple(pulse.model_copy(update={"name": f"job{number}"}) for number in range(FIRST)),
            "encryption_key": f"arn:aws:kms:eu-central-1:333333333333:key/{'0' * 8}-0000-0000-0000-{'0' * 12}",
        }
    )
    stacks = synthesize(most, proxy={"enabled": True}, database={"auth": "secret", "instance_class": "t4g.medium"})
    assert len(stacks["Jobs"]) <= RESOURCES_PER_STACK - 40  # room for what a team adds in resources.py


def test_an_environment_needs_no_jobs(without_jobs: Path) -> None:
    for stacks in read_templates(without_jobs).values():
        if "Jobs" in stacks:  # else it is the stage that delivers
            resources = stacks["Jobs"]["Resources"]
            assert not of_type(resources, "AWS::Scheduler::Schedule")
            [migrate] = _variables(resources).values()
            assert migrate["RIGHTS"] == "{}"
