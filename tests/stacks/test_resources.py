"""A team's own resources, in its resources.py, are deployed and checked like the engine's; no engine file changes."""

import json
import shutil
from pathlib import Path

import pytest

from app import build
from review.templates import read_environments
from settings.project import ROOT, Project
from tests import policies, service_models
from tests.fixture import PROJECT
from tests.quick_app import quick_app

pytestmark = pytest.mark.synthesis

ADDED = """
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs

from stacks.environment import Environment


def add(environment: Environment) -> None:
    logs = s3.Bucket(environment.jobs, "Logs", enforce_ssl=True, server_access_logs_prefix="own")
    s3.Bucket(environment.jobs, "Exports", enforce_ssl=True, server_access_logs_bucket=logs)
    dead = sqs.DeadLetterQueue(max_receive_count=3, queue=sqs.Queue(environment.jobs, "Dead", enforce_ssl=True))
    sqs.Queue(environment.jobs, "Orders", enforce_ssl=True, dead_letter_queue=dead)
    dynamodb.TableV2(
        environment.jobs,
        "Positions",
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
    )
"""
ADDED_READER = """
    orders = environment.jobs.node.find_child("Orders")
    role = iam.Role(environment.jobs, "Reader", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    orders.grant_consume_messages(role)
    cloudwatch.Alarm(environment.jobs, "Late", metric=orders.metric_approximate_age_of_oldest_message(),
                     threshold=60, evaluation_periods=1)
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The fixture's project with one environment."""
    shutil.copytree(PROJECT.folder, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("large", "local", "middle"):
        (tmp_path / "project" / "environments" / f"{name}.toml").unlink()
    return Project(tmp_path / "project")


def test_a_bucket_a_queue_and_a_table_are_added(project: Project, tmp_path: Path) -> None:
    project.resources.write_text(ADDED)
    added = _types(project, tmp_path / "with") - _types(PROJECT, tmp_path / "without")
    assert added == {"AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::DynamoDB::GlobalTable"}


def test_cdk_nag_checks_what_is_added(project: Project, tmp_path: Path) -> None:
    project.resources.write_text(ADDED.replace('"Orders", enforce_ssl=True', '"Orders"'))
    with pytest.raises(RuntimeError, match="AwsSolutions-SQS4"):
        _types(project, tmp_path / "out")


def test_what_is_added_is_held_against_the_models_of_aws_and_what_they_lack_is_no_mistake(
    project: Project, tmp_path: Path
) -> None:
    project.resources.write_text(ADDED + ADDED_READER)
    _types(project, tmp_path / "out")
    [template] = [json.loads(file.read_text()) for file in tmp_path.glob("out/assembly-basic/basicJobs*.template.json")]
    checked = service_models.check(template, region="eu-central-1", account="111111111111")
    assert checked.wrong == []
    assert "AWS::S3::Bucket" in checked.unmapped
    environment = read_environments(tmp_path / "out")["basic"]
    assert policies.check(environment).wrong == []
    [policy] = [each for each in environment.of("AWS::IAM::Policy") if "Reader" in each.path]
    policy.properties["PolicyDocument"]["Statement"][0]["Action"] = "sqs:RecieveMessage"
    [wrong] = policies.check(environment).wrong
    assert wrong.endswith("(AWS::IAM::Policy): there is no action sqs:RecieveMessage")


def _types(project: Project, folder: Path) -> set[str]:
    context = json.loads((ROOT / "cdk.json").read_text())["context"] | {"aws:cdk:bundling-stacks": []}
    app = quick_app(outdir=str(folder), context=context)
    build(app, project)
    app.synth()
    templates = [json.loads(file.read_text()) for file in folder.glob("assembly-basic/*.template.json")]
    return {each["Type"] for template in templates for each in template["Resources"].values()}
