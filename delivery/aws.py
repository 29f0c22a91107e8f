"""What AWS says of an environment: who asks, and how its stacks are.

By botocore, which finds credentials, profiles and AWS_ENDPOINT_URL where the AWS CLI does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import botocore.session
from botocore.exceptions import ClientError


@dataclass(frozen=True, kw_only=True)
class DeployedStack:
    """A stack, as CloudFormation has it."""

    name: str
    status: str
    protected: bool
    """Termination protection."""
    changed: datetime
    """When it was last changed."""


class Aws:
    """AWS in one region, with the caller's credentials."""

    def __init__(self, region: str) -> None:
        """Nothing is asked yet."""
        self.region = region
        self._session = botocore.session.Session()

    def client(self, service: str) -> Any:
        """A botocore client of `service`."""
        return self._session.create_client(service, region_name=self.region)

    def caller(self) -> tuple[str, str]:
        """The account of the credentials, and whose they are (an ARN).

        Raises:
            botocore.exceptions.BotoCoreError: there are none, or nobody answers.
            botocore.exceptions.ClientError: AWS takes them no more.
        """
        caller = self.client("sts").get_caller_identity()
        return caller["Account"], caller["Arn"]

    def parameter(self, name: str) -> str | None:
        """The value of an SSM parameter, or None where there is no such parameter."""
        client = self.client("ssm")
        try:
            value: str = client.get_parameter(Name=name)["Parameter"]["Value"]
        except client.exceptions.ParameterNotFound:
            return None
        return value

    def stacks(self, names: Iterable[str]) -> dict[str, DeployedStack]:
        """Those of the stacks `names` that are there."""
        found = (self._stack(name) for name in names)
        return {each.name: each for each in found if each is not None}

    def failures(self, stack: str, since: datetime) -> set[str]:
        """The types of the resources in `stack`, which is there, that failed since then."""
        pages = self.client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=stack)
        events = (event for page in pages for event in page["StackEvents"])
        return {
            event["ResourceType"]
            for event in events
            if event["Timestamp"] >= since and event.get("ResourceStatus", "").endswith("_FAILED")
        }

    def _stack(self, name: str) -> DeployedStack | None:
        try:
            [stack] = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            # CloudFormation has no error of its own for it: the CDK CLI goes by the message, too.
            if error.response["Error"]["Message"] == f"Stack with id {name} does not exist":
                return None
            raise
        return _deployed(stack)


def _deployed(stack: Mapping[str, Any]) -> DeployedStack:
    return DeployedStack(
        name=stack["StackName"],
        status=stack["StackStatus"],
        protected=stack.get("EnableTerminationProtection", False),
        changed=stack.get("LastUpdatedTime", stack["CreationTime"]),
    )
