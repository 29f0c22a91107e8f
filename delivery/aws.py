"""What AWS reports about an environment: the account of the credentials, and the states of its stacks.

Through botocore, which finds credentials, profiles and AWS_ENDPOINT_URL as the AWS CLI does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

INVOCATION_SECONDS = 900
"""The longest that a function may take. It is invoked once: a second try, of a first that is at work, is refused.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""


class FunctionFailed(Exception):
    """A function ended with an error; the message is the error's.

    Attributes:
        kind: the error's type.
    """

    def __init__(self, message: str, *, kind: str = "") -> None:
        """Take both as Lambda reports them."""
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, kw_only=True)
class DeployedStack:
    """A stack as CloudFormation describes it."""

    name: str
    status: str
    protected: bool
    """Termination protection."""
    changed: datetime
    """When it was last changed."""


class Aws:
    """AWS in one region, with the caller's credentials."""

    def __init__(self, region: str) -> None:
        """Ask nothing yet."""
        self.region = region
        self._session = botocore.session.Session()

    @staticmethod
    def default_region() -> str:
        """Return the region that the caller's profile or environment names, or nothing."""
        return botocore.session.Session().get_config_variable("region") or ""

    def client(self, service: str) -> Any:
        """Return a botocore client of `service`."""
        return self._session.create_client(service, region_name=self.region)

    def caller(self) -> tuple[str, str]:
        """Return the account of the credentials, and the ARN of the identity that they belong to.

        Raises:
            botocore.exceptions.BotoCoreError: there are no credentials, or AWS does not answer.
            botocore.exceptions.ClientError: AWS refuses them, as they have expired for instance.
        """
        caller = self.client("sts").get_caller_identity()
        return caller["Account"], caller["Arn"]

    def parameter(self, name: str) -> str | None:
        """Return the value of an SSM parameter, or None if there is no such parameter."""
        client = self.client("ssm")
        try:
            value: str = client.get_parameter(Name=name)["Parameter"]["Value"]
        except client.exceptions.ParameterNotFound:
            return None
        return value

    def invoke(self, function: str, event: object) -> Any:
        """Run `function` and return its result, or None if there is no such function.

        Raises:
            FunctionFailed: it ended with an error.
        """
        config = Config(read_timeout=INVOCATION_SECONDS, retries={"total_max_attempts": 1})
        client = self._session.create_client("lambda", region_name=self.region, config=config)
        try:
            answer = client.invoke(FunctionName=function, Payload=json.dumps(event))
        except client.exceptions.ResourceNotFoundException:
            return None
        result = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise FunctionFailed(result["errorMessage"], kind=result.get("errorType", ""))
        return result

    def stacks(self, names: Iterable[str]) -> dict[str, DeployedStack]:
        """Return the stacks that exist of those called `names`, by name."""
        found = (self._stack(name) for name in names)
        return {each.name: each for each in found if each is not None}

    def template(self, stack: str) -> Mapping[str, Any]:
        """Return the template that `stack`, which must exist, was last deployed with."""
        body = self.client("cloudformation").get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
        template: Mapping[str, Any] = json.loads(body) if isinstance(body, str) else body
        return template

    def instance(self, name: str) -> Mapping[str, Any] | None:
        """Return a database instance as RDS describes it, or None if there is none."""
        client = self.client("rds")
        try:
            [found] = client.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
        except client.exceptions.DBInstanceNotFoundFault:
            return None
        return dict(found)

    def snapshot(self, name: str) -> Mapping[str, Any] | None:
        """Return a snapshot of an instance, by its name or its ARN, or None if there is none."""
        client = self.client("rds")
        try:
            found = client.describe_db_snapshots(DBSnapshotIdentifier=name, IncludeShared=True)["DBSnapshots"]
        except client.exceptions.DBSnapshotNotFoundFault:
            return None
        return dict(found[0]) if found else None

    def failures(self, stack: str, since: datetime) -> set[str]:
        """Return the types of the resources that failed since then in `stack`, which must exist."""
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
            # CloudFormation has no error code of its own for it: the CDK CLI reads the message, too.
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
