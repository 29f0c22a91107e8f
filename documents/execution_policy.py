"""What CloudFormation's execution role needs for an environment, as an IAM policy: docs/execution-policy.json.

Derived from what each resource type's handlers call, as the type's own schema says (`handlers`, `permissions`):
https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from review.templates import SynthesizedEnvironment

REGION = "eu-central-1"
BESIDES = {
    "cloudformation:DescribeStacks": "Fn::GetStackOutput",
    "lambda:InvokeFunction": "custom resources: the migrations' trigger",
    "s3:GetObject": "the functions' code, in the CDK's bucket",
    "ssm:GetParameters": "each template's parameter with the bootstrap version",
}
"""What CloudFormation itself does in the role's name, and why."""
OPTIONAL = (
    "AWS::EC2::EIP",
    "AWS::EC2::InternetGateway",
    "AWS::EC2::NatGateway",
    "AWS::EC2::Route",
    "AWS::EC2::VPCEndpoint",
    "AWS::EC2::VPCGatewayAttachment",
    "AWS::RDS::DBProxy",
    "AWS::RDS::DBProxyTargetGroup",
    "AWS::SNS::Subscription",
    "AWS::SecretsManager::Secret",
)
"""Types that a setting adds, or what a job uses."""
NOT_ACTIONS = ("s3:REST.PUT.OBJECT",)
"""In a schema, and no action that IAM knows."""
READS = ("Describe", "Get", "List")
USERS = ("User", "Group")
"""Nothing here makes users or groups: their handlers' part of a policy's is left out."""


def needed(environments: Iterable[SynthesizedEnvironment]) -> set[str]:
    """The actions that CloudFormation calls to make, change and delete the resources of `environments`."""
    kinds = {each.kind for environment in environments for each in environment.resources.values()}
    ours = sorted(each for each in kinds | set(OPTIONAL) if each.startswith("AWS::"))
    called = {action for kind in ours for action in _permissions(kind)}
    return {each for each in called if each not in NOT_ACTIONS and not _of_users(each)} | BESIDES.keys()


def policy(environments: Iterable[SynthesizedEnvironment]) -> str:
    """The policy, as JSON: reading actions shortened, as a managed policy has 6,144 characters at most."""
    actions = sorted({_shortened(each) for each in needed(environments)})
    statement = {"Sid": "WhatEnvironmentsAreMadeOf", "Effect": "Allow", "Action": actions, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2) + "\n"


def _permissions(kind: str) -> Iterable[str]:
    handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema["handlers"]
    return (action for name, each in handlers.items() if name != "list" for action in each.get("permissions", ()))


def _of_users(action: str) -> bool:
    return action.startswith("iam:") and any(each in action for each in USERS)


def _shortened(action: str) -> str:
    service, _, name = action.partition(":")
    verb = next((each for each in READS if name.startswith(each)), None)
    return f"{service}:{verb}*" if verb and service != "s3" else action
