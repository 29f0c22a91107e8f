"""Every policy in every template: its actions exist, its resources are what they act on, and "*" has its reason."""

import copy
from pathlib import Path
from typing import Any

import pytest

from review.templates import read_environments, read_templates
from tests.policies import ARNS, Found, check
from tests.stacks.templates import of_type

IN_ANY_SUBNET = "Lambda asks for it when a function is made, and AWS's AWSLambdaVPCAccessExecutionRole has it so, too"
UNCONSTRAINED = {
    "ec2:AssignPrivateIpAddresses": IN_ANY_SUBNET,
    "ec2:CreateNetworkInterface": IN_ANY_SUBNET,
    "ec2:DeleteNetworkInterface": IN_ANY_SUBNET,
    "ec2:UnassignPrivateIpAddresses": IN_ANY_SUBNET,
}
"""Allowed on everything, and why: to Lambda only, as the job's own code is denied it (stacks/jobs/function.py)."""


@pytest.fixture(scope="module")
def found(assembly: Path, without_jobs: Path, variants: Path) -> list[Found]:
    apps = (assembly, without_jobs, variants)
    return [check(environment) for app in apps for environment in read_environments(app).values()]


def test_every_action_exists_and_every_resource_is_one_that_it_acts_on(found: list[Found]) -> None:
    assert [text for each in found for text in each.wrong] == []
    assert sum(each.statements for each in found) > 300


def test_no_statement_is_left_unread(found: list[Found]) -> None:
    assert [text for each in found for text in each.unknown] == [], "say in tests/policies.py what it gives"


def test_what_is_allowed_on_everything_has_its_reason(found: list[Found]) -> None:
    assert set().union(*(each.unconstrained for each in found)) == UNCONSTRAINED.keys()


@pytest.mark.parametrize(
    ("action", "resource", "wrong"),
    [
        ("sqs:SendMessages", "queue", "there is no action sqs:SendMessages"),
        ("sqss:*", "queue", "there is no action sqss:*"),
        ("sns:Publish", "queue", "sns:Publish acts on arn:"),
        ("lambda:InvokeFunction", "queue", "lambda:InvokeFunction acts on arn:"),
        ("ec2:DescribeSubnets", "queue", "ec2:DescribeSubnets acts on * only"),
        (["sqs:SendMessage", "lambda:InvokeFunction"], "queue", "lambda:InvokeFunction acts on"),
        (
            "sqs:SendMessage",
            ["queue", "arn:aws:s3:::bucket"],
            "none of ['sqs:SendMessage'] acts on arn:aws:s3:::bucket",
        ),
    ],
)
def test_what_is_broken_on_purpose_is_found(
    action: Any, resource: Any, wrong: str, templates: dict[str, dict[str, Any]]
) -> None:
    stacks = copy.deepcopy(templates["large"])
    queue = next(iter(of_type(stacks["Jobs"]["Resources"], "AWS::SQS::Queue")))
    arn = {"Fn::GetAtt": [queue, "Arn"]}
    resources = [arn if each == "queue" else each for each in ([resource] if isinstance(resource, str) else resource)]
    policy = next(iter(of_type(stacks["Jobs"]["Resources"], "AWS::IAM::Policy").values()))
    statement = {"Effect": "Allow", "Action": action, "Resource": resources}
    policy["Properties"]["PolicyDocument"]["Statement"] = [statement]
    found = check(read_templates("large", "333333333333", "eu-central-1", stacks, {}))
    assert any(wrong in text for text in found.wrong)


def test_a_right_on_everything_is_found(templates: dict[str, dict[str, Any]]) -> None:
    stacks = copy.deepcopy(templates["large"])
    for policy in of_type(stacks["Jobs"]["Resources"], "AWS::IAM::Policy").values():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            statement["Resource"] = "*"
    found = check(read_templates("large", "333333333333", "eu-central-1", stacks, {}))
    assert {"secretsmanager:GetSecretValue", "rds-db:connect", "sqs:SendMessage"} <= found.unconstrained


def test_every_reference_that_is_known_is_to_a_type_that_is_used(assembly: Path, variants: Path) -> None:
    apps = (assembly, variants)
    kinds = {each.kind for app in apps for one in read_environments(app).values() for each in one.resources.values()}
    assert {kind for kind, _ in ARNS} <= kinds
