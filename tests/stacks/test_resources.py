"""A team's own resources, in its resources.py, are deployed and checked like the engine's; no engine file changes."""

import json
import shutil
from pathlib import Path

import aws_cdk as cdk
import pytest

from app import build
from settings.project import ROOT, Project
from tests.fixture import PROJECT

ADDED = """
from aws_cdk import aws_dynamodb as dynamodb
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


def _types(project: Project, folder: Path) -> set[str]:
    context = json.loads((ROOT / "cdk.json").read_text())["context"] | {"aws:cdk:bundling-stacks": []}
    app = cdk.App(outdir=str(folder), context=context)
    build(app, project)
    app.synth()
    templates = [json.loads(file.read_text()) for file in folder.glob("assembly-basic/*.template.json")]
    return {each["Type"] for template in templates for each in template["Resources"].values()}
