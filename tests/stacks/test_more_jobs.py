"""More jobs than one stack holds: the other stacks, what they have in common, and AWS's limits, at their worst."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from documents import snapshots
from documents.synthesis import synthesize
from review.judgement import dangers
from review.templates import read_environments
from settings.job_users import RIGHTS_FILE, fits_variable
from settings.names import WATCH
from settings.placement import FIRST, FURTHER, RESOURCES_PER_JOB, RESOURCES_PER_STACK, settle
from settings.project import Project
from settings.watched_jobs import WATCHED_FILE
from stacks.watching.dashboard import JOBS_WITH_ROWS
from tests.conftest import read_templates
from tests.fixture import PROJECT
from tests.stacks.templates import Resources, Stacks, groups, of_type

NAME, REGION = "longest0to16char", "ap-northeast-1"
"""Both as long as they can be: the policies name functions and queues by their ARNs."""
JOBS = [f"job_{number:0>27}" for number in range(FIRST + FURTHER)]

TEMPLATE_BYTES = 1_000_000
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"""
POLICY_CHARACTERS = 10_240
"""Of all inline policies of a role, without white space.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
VARIABLES_BYTES = 4_096
"""https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
RULES = 60
"""https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("project"))
    for folder in (made.environments, made.jobs, made.migrations):
        folder.mkdir(parents=True)
    for job in JOBS:
        made.job_file(job).write_text(
            f'"""Rests."""\nTABLES = {{"table_of_{job}": ("DELETE", "INSERT", "SELECT", "UPDATE")}}\n'
            "def run(run): ...\n"
        )
    head = (PROJECT.environments / "large.toml").read_text().partition("[[jobs]]")[0]
    head = head.replace("eu-central-1", REGION).replace("[database]", "[proxy]\nenabled = true\n\n[database]")
    key = f"arn:aws:kms:{REGION}:333333333333:key/{'0' * 8}-0000-0000-0000-{'0' * 12}"
    jobs = (f'[[jobs]]\nname = "{job}"\nschedule = "rate(5 minutes)"\n' for job in JOBS)
    (made.environments / f"{NAME}.toml").write_text(f'encryption_key = "{key}"\n{head}{"".join(jobs)}')
    settle(made, NAME, before={})
    return made


@pytest.fixture(scope="module")
def assembly(project: Project) -> Path:
    return synthesize(project, project.folder / "cdk.out")


@pytest.fixture(scope="module")
def stacks(assembly: Path) -> Stacks:
    return {stack: template["Resources"] for stack, template in read_templates(assembly)[NAME].items()}


def test_jobs_that_the_first_stack_has_no_room_for_are_in_the_next(stacks: Stacks) -> None:
    assert list(stacks) == ["Network", "Database", "Jobs", "Jobs-2"]
    assert _jobs(stacks["Jobs"]) == JOBS[:FIRST]
    assert _jobs(stacks["Jobs-2"]) == JOBS[FIRST:]


def test_all_of_a_job_is_in_its_own_stack(stacks: Stacks) -> None:
    for stack in ("Jobs", "Jobs-2"):
        resources = stacks[stack]
        jobs = _jobs(resources)
        for kind, number in (
            ("AWS::CloudWatch::Alarm", 8),
            ("AWS::Events::Rule", 1),
            ("AWS::Lambda::EventInvokeConfig", 1),
            ("AWS::Lambda::Permission", 1),
            ("AWS::SQS::Queue", 1),
            ("AWS::Scheduler::Schedule", 1),
        ):
            of_jobs = [each for each in of_type(resources, kind) if each.startswith(("Job", "Alarms"))]
            assert len(of_jobs) == number * len(jobs), kind


def test_the_migrations_come_before_every_stack_of_jobs_and_these_wait_for_no_other(assembly: Path) -> None:
    artifacts = json.loads((assembly / f"assembly-{NAME}" / "manifest.json").read_text())["artifacts"]
    stacks = {
        each["properties"]["stackName"].removeprefix(f"{NAME}-"): {
            artifacts[other]["properties"]["stackName"].removeprefix(f"{NAME}-")
            for other in each["dependencies"]
            if artifacts[other]["type"] == "aws:cloudformation:stack"
        }
        for each in artifacts.values()
        if each["type"] == "aws:cloudformation:stack"
    }
    assert stacks["Jobs-2"] == {"Network", "Database", "Jobs"}


def test_the_first_stack_reads_none_of_the_others(stacks: Stacks) -> None:
    assert set(re.findall(rf'"StackName": "{NAME}-([\w-]+)"', json.dumps(stacks["Jobs"]))) == {"Network", "Database"}


def test_the_jobs_of_all_stacks_share_one_security_group_and_its_rules(stacks: Stacks, assembly: Path) -> None:
    functions = {f"{'Jobs' if number < FIRST else 'Jobs-2'}/Job-{job}/Job/Function" for number, job in enumerate(JOBS)}
    watcher = {"Jobs/Watcher/Watch/Function"}  # one for all, in the first stack
    assert groups(read_environments(assembly)[NAME])["Jobs/SecurityGroup"] == functions | watcher
    assert of_type(stacks["Jobs-2"], "AWS::EC2::SecurityGroup") == {}
    for kind in ("AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress"):
        assert of_type(stacks["Jobs-2"], kind) == {}
        assert sum(len(of_type(each, kind)) for each in stacks.values()) < RULES


def test_the_page_shows_the_jobs_of_all_stacks(stacks: Stacks) -> None:
    [dashboard] = of_type(stacks["Jobs"], "AWS::CloudWatch::Dashboard").values()
    shown = json.dumps(dashboard)
    assert all(f"**{job}**" in shown and f":alarm:{NAME}-{job}-errors" in shown for job in JOBS)


def test_a_stack_has_room_for_its_jobs_and_for_what_a_team_adds(stacks: Stacks, assembly: Path) -> None:
    per_job = [name for name in stacks["Jobs-2"] if re.match(rf"(Job|Alarms){JOBS[-1].replace('_', '')}", name)]
    assert len(per_job) == RESOURCES_PER_JOB
    for stack, resources in stacks.items():
        assert len(resources) <= RESOURCES_PER_STACK - RESOURCES_PER_JOB, stack
    for template in (assembly / f"assembly-{NAME}").glob("*.template.json"):
        assert template.stat().st_size < 0.8 * TEMPLATE_BYTES


def test_the_template_with_the_page_has_room_for_the_most_jobs_that_have_a_row(stacks: Stacks, assembly: Path) -> None:
    [page] = of_type(stacks["Jobs"], "AWS::CloudWatch::Dashboard").values()
    notes = [each["Metadata"].get(file, "") for each in _functions(stacks) for file in (RIGHTS_FILE, WATCHED_FILE)]
    per_job = len(json.dumps([page, notes])) / len(JOBS)
    [size] = [each.stat().st_size for each in (assembly / f"assembly-{NAME}").glob(f"{NAME}Jobs2A*.template.json")]
    assert size + per_job * (JOBS_WITH_ROWS - len(JOBS)) < 0.95 * TEMPLATE_BYTES


def test_no_policy_is_longer_than_iam_allows(stacks: Stacks) -> None:
    for stack, resources in stacks.items():
        for name, policy in of_type(resources, "AWS::IAM::Policy").items():
            text = json.dumps(_resolved(policy["Properties"]["PolicyDocument"], resources), separators=(",", ":"))
            assert len(text) <= POLICY_CHARACTERS, f"{stack}/{name}"


def test_no_function_is_told_more_than_lambda_allows(stacks: Stacks) -> None:
    for resources in stacks.values():
        for function in of_type(resources, "AWS::Lambda::Function").values():
            variables = function["Properties"].get("Environment", {}).get("Variables", {})
            longest = _resolved(variables, resources)
            assert len(json.dumps(longest)) <= VARIABLES_BYTES


def test_what_does_not_fit_a_variable_is_in_the_zip_of_the_migrations_and_of_the_watcher_alone(
    stacks: Stacks, assembly: Path
) -> None:
    functions = [each["Properties"] for each in _functions(stacks)]
    by_name = {each["FunctionName"].removeprefix(f"{NAME}-"): each for each in functions}
    migrate, watch = by_name.pop("migrate"), by_name.pop("watch")
    assert migrate["Environment"]["Variables"]["RIGHTS"] == RIGHTS_FILE
    asset = migrate["Code"]["S3Key"].removesuffix(".zip")
    text = (assembly / f"asset.{asset}" / RIGHTS_FILE).read_text()
    assert not fits_variable(text)
    rights = json.loads(text)
    assert {job: told["tables"] for job, told in rights.items()} == {
        WATCH: {},
        **{job: {f"table_of_{job}": "DELETE, INSERT, SELECT, UPDATE"} for job in JOBS},
    }
    assert watch["Environment"]["Variables"]["WATCHED"] == WATCHED_FILE
    assert watch["Code"] == migrate["Code"]
    assert json.loads((assembly / f"asset.{asset}" / WATCHED_FILE).read_text()).keys() == set(JOBS)
    codes = {each["Code"]["S3Key"] for each in by_name.values()}
    assert len(codes) == 1
    assert migrate["Code"]["S3Key"] not in codes
    of_jobs = assembly / f"asset.{codes.pop().removesuffix('.zip')}"
    assert not (of_jobs / RIGHTS_FILE).exists()
    assert not (of_jobs / WATCHED_FILE).exists()


def test_a_review_sees_rights_that_are_in_the_zip_and_that_no_job_states(assembly: Path, stacks: Stacks) -> None:
    before, after = (read_environments(assembly)[NAME] for _ in range(2))
    assert dangers(before, after) == []
    [migrate] = [each for each in after.of("AWS::Lambda::Function") if RIGHTS_FILE in each.notes]
    job = JOBS[-1]
    migrate.notes[RIGHTS_FILE][job]["tables"]["customer"] = "DELETE, SELECT"
    [danger] = dangers(before, after)
    assert danger.text == f"the database user of the job {job} may now `DELETE`, `SELECT` on the table `customer`"


def test_a_review_sees_what_is_watched_by_what_is_in_the_zip(assembly: Path, stacks: Stacks) -> None:
    before, after = (read_environments(assembly)[NAME] for _ in range(2))
    [watch] = [each for each in after.of("AWS::Lambda::Function") if WATCHED_FILE in each.notes]
    del watch.notes[WATCHED_FILE][JOBS[-1]]
    [danger] = dangers(before, after)
    assert danger.text == f"the job {JOBS[-1]} is no longer watched"


def test_each_stack_has_a_bus_of_its_own_and_a_rule_on_it_for_each_job(stacks: Stacks) -> None:
    for stack, name in (("Jobs", f"{NAME}-continuations"), ("Jobs-2", f"{NAME}-continuations-2")):
        [(bus, properties)] = of_type(stacks[stack], "AWS::Events::EventBus").items()
        assert properties["Properties"]["Name"] == name
        rules = of_type(stacks[stack], "AWS::Events::Rule").values()
        assert len(rules) == len(_jobs(stacks[stack]))
        assert all(rule["Properties"]["EventBusName"] == {"Ref": bus} for rule in rules)


def test_jobs_that_a_version_before_deployed_in_a_stack_still_fit_it(stacks: Stacks) -> None:
    """Moved to another stack, a job would be deleted with its log: all 25, or the first stack's 20, have to fit."""
    for stack, most in (("Jobs", FIRST), ("Jobs-2", FURTHER)):
        assert len(_jobs(stacks[stack])) == most
        assert len(stacks[stack]) <= RESOURCES_PER_STACK


def test_a_new_job_in_a_new_stack_is_no_danger(assembly: Path, stacks: Stacks) -> None:
    after = read_environments(assembly)[NAME]
    before = replace(after, resources={key: each for key, each in after.resources.items() if each.stack != "Jobs-2"})
    assert dangers(before, after) == []


def test_a_stack_whose_jobs_are_gone_is_still_in_the_app_so_that_a_deploy_deletes_them(
    project: Project, tmp_path: Path
) -> None:
    fewer = Project(tmp_path)
    for folder in ("environments", "lambda"):
        (tmp_path / folder).symlink_to(project.folder / folder) if folder == "lambda" else (tmp_path / folder).mkdir()
    text = (project.environments / f"{NAME}.toml").read_text()
    (fewer.environments / f"{NAME}.toml").write_text("[[jobs]]".join(text.split("[[jobs]]")[:3]))
    (fewer.environments / f"{NAME}.stacks.json").write_text((project.environments / f"{NAME}.stacks.json").read_text())
    assembly = synthesize(fewer, tmp_path / "cdk.out")
    templates = read_templates(assembly)[NAME]
    assert _jobs(templates["Jobs"]["Resources"]) == JOBS[:2]
    assert [each["Type"] for each in templates["Jobs-2"]["Resources"].values()] == [
        "AWS::CloudFormation::WaitConditionHandle"  # which is nothing at all
    ]


def test_the_accepted_templates_say_where_jobs_are_if_the_file_is_lost(
    assembly: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "FOLDER", tmp_path)
    for name, text in snapshots.snapshots(assembly).items():
        (tmp_path / name).write_text(text)
    found = snapshots.accepted_places(NAME)
    assert {stack: sorted(jobs) for stack, jobs in found.items()} == {"Jobs": JOBS[:FIRST], "Jobs-2": JOBS[FIRST:]}
    assert snapshots.accepted_places("other") == {}


def _functions(stacks: Stacks) -> Iterator[dict[str, Any]]:
    for resources in stacks.values():
        for each in of_type(resources, "AWS::Lambda::Function").values():
            if "FunctionName" in each["Properties"]:
                yield each


def _jobs(resources: Resources) -> list[str]:
    names = [each["Properties"]["Name"] for each in of_type(resources, "AWS::Scheduler::Schedule").values()]
    return sorted(name.removeprefix(f"{NAME}-") for name in names if name != f"{NAME}-{WATCH}")


def _resolved(value: Any, resources: Resources) -> Any:
    """As CloudFormation resolves it: ARNs of functions and queues exactly, all else as the longest that it may be."""
    match value:
        case {"Fn::GetAtt": [name, "Arn"]} if name in resources:
            properties = resources[name]["Properties"]
            named = properties.get("QueueName") or f"function:{properties.get('FunctionName', 'x' * 64)}"
            return f"arn:aws:lambda:{REGION}:333333333333:{named}"
        case {"Fn::Join": [separator, parts]}:
            return separator.join(str(_resolved(part, resources)) for part in parts)
        case {"Ref": _} | {"Fn::GetAtt": _} | {"Fn::GetStackOutput": _} | {"Fn::Select": _}:
            return "x" * 128
        case dict():
            return {key: _resolved(part, resources) for key, part in value.items()}
        case list():
            return [_resolved(part, resources) for part in value]
    return value
