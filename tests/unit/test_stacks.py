"""What the templates promise, in every environment that it concerns."""

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from stacks.environment import Environment
from stacks.environment_files import ENVIRONMENTS as FOLDER
from stacks.environment_files import load_environment, load_environments
from stacks.settings import EnvironmentSettings
from tests.unit.templates import Resources, Synthesize, of_type, the

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
    [settings] = [settings for settings in load_environments() if settings.name == environment]
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


def test_the_migrations_are_told_the_rights_of_all_jobs(environment: str, jobs: Resources) -> None:
    [settings] = [settings for settings in load_environments() if settings.name == environment]
    rights = json.loads(_variables(jobs)[f"{environment}-migrate"]["RIGHTS"])
    needed = {(table, right) for job in settings.jobs for table, each in job.rights.items() for right in each}
    assert {(table, right) for table, each in rights.items() for right in each.split(", ")} == needed


def test_a_job_is_told_its_longest_window_and_its_parameters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plain.py").write_text(f'"""Rests."""\nTABLES = {{"a": ("SELECT",), "b": ("INSERT",)}}\n{RUN}')
    (tmp_path / "purge.py").write_text(
        f'"""{"Deletes, " * 50}"""\nfrom dataclasses import dataclass\n'
        "@dataclass(frozen=True, kw_only=True)\nclass Parameters:\n    rows: int\n"
        f'TABLES = {{"b": ("DELETE",)}}\n{RUN}'
    )
    monkeypatch.setattr("stacks.settings.JOBS", tmp_path)
    (tmp_path / "dev.toml").write_text(
        (FOLDER / "dev.toml").read_text().partition("[[jobs]]")[0]
        + '[[jobs]]\nname = "plain"\nschedule = "rate(5 minutes)"\n'
        + '[[jobs]]\nname = "purge"\nschedule = "rate(1 day)"\nmax_window_minutes = 4320\nparameters = {rows = 5}\n'
    )
    environment = Environment(cdk.App(outdir=str(tmp_path)), settings=load_environment(tmp_path / "dev.toml"))
    resources: Resources = Template.from_stack(environment.jobs).to_json()["Resources"]
    told = _variables(resources)
    assert (told["dev-plain"]["JOB"], told["dev-plain"]["MAX_WINDOW_MINUTES"]) == ("plain", "1440")
    assert "PARAMETERS" not in told["dev-plain"]
    assert (told["dev-purge"]["MAX_WINDOW_MINUTES"], told["dev-purge"]["PARAMETERS"]) == ("4320", '{"rows":5}')
    assert told["dev-migrate"]["RIGHTS"] == '{"a":"SELECT","b":"DELETE, INSERT"}'
    descriptions = {each["FunctionName"]: each["Description"] for each in _functions(resources)}
    assert descriptions["dev-plain"] == "Job plain, rate(5 minutes). Rests."
    assert descriptions["dev-purge"].startswith("Job purge, rate(1 day). Deletes, Deletes, ")
    assert len(descriptions["dev-purge"]) == 256


def _variables(resources: Resources) -> dict[str, dict[str, Any]]:
    return {each["FunctionName"]: each["Environment"]["Variables"] for each in _functions(resources)}


def _functions(resources: Resources) -> list[dict[str, Any]]:
    functions = [each["Properties"] for each in of_type(resources, "AWS::Lambda::Function").values()]
    return [each for each in functions if "FunctionName" in each]


def test_every_role_has_the_boundary_of_the_file(
    settings: dict[str, EnvironmentSettings], synthesize: Synthesize
) -> None:
    stacks = synthesize(settings["prod"].model_copy(update={"permissions_boundary": "team"}), proxy={"enabled": True})
    roles = [role for resources in stacks.values() for role in of_type(resources, "AWS::IAM::Role").values()]
    assert len(roles) > 8
    for role in roles:
        # Text in ours, and, in the CDK's own, a join that asks for the partition.
        assert json.dumps(role["Properties"]["PermissionsBoundary"]).rstrip('"}').endswith(":policy/team"), role


def test_the_tags_of_the_file_are_on_everything_that_takes_some(
    settings: dict[str, EnvironmentSettings], synthesize: Synthesize
) -> None:
    stacks = synthesize(settings["dev"].model_copy(update={"tags": {"cost-centre": "7"}}))
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
                assert tags.items() >= {"cost-centre": "7", "project": "mysql-jobs", "environment": "dev"}.items()
        assert found


def test_nothing_is_encrypted_with_another_key_than_the_files(
    settings: dict[str, EnvironmentSettings], synthesize: Synthesize
) -> None:
    key = "arn:aws:kms:eu-central-1:333333333333:key/01234567-89ab-cdef-0123-456789abcdef"
    stacks = synthesize(settings["prod"].model_copy(update={"encryption_key": key}), database={"auth": "secret"})
    instance = the(stacks["Database"], "AWS::RDS::DBInstance")
    assert (instance["KmsKeyId"], instance["PerformanceInsightsKMSKeyId"]) == (key, key)
    assert instance["MasterUserSecret"] == {"KmsKeyId": key}
    assert the(stacks["Database"], "AWS::SecretsManager::Secret")["KmsKeyId"] == key
    queues = of_type(stacks["Jobs"], "AWS::SQS::Queue").values()
    assert {queue["Properties"]["KmsMasterKeyId"] for queue in queues} == {key}
