"""The hand-over from a run to the next: what a run returns as `next` is the event of another, which begins at once.

Nobody sends it but Lambda, from its own network: to an event bus, where a rule of each job waits for just that. So a
function needs no way out of the VPC, and a run that nothing follows starts nothing.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

from __future__ import annotations

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from settings import names

NEXT = "$.detail.responsePayload.next"
"""What the function is invoked with: nothing of the record around it."""
SERVICE = "events.amazonaws.com"


@dataclass(frozen=True, kw_only=True)
class Bus:
    """An event bus, as its rules and those who send to it refer to it."""

    name: str
    arn: str


def event_bus(stack: cdk.Stack, construct_id: str, *, environment: str, number: int) -> Bus:
    """Add the bus of the jobs in `stack`, which has this number: a bus takes 300 rules, and each job has one.

    Only who may by IAM writes to it: it has no policy of its own.
    https://docs.aws.amazon.com/general/latest/gr/ev.html
    """
    bus = events.CfnEventBus(
        stack,
        construct_id,
        name=names.continuations(environment, number),
        description="Hands each job's run over to the next, where one is to follow at once",
    )
    return Bus(name=bus.ref, arn=bus.attr_arn)


class Continuation(Construct):
    """The way from one run of a job to the next.

    Attributes:
        permission: what lets the rule start the function, the last thing that the way needs in a deploy.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        job: str,
        name: str,
        function_arn: str,
        role: iam.IRole,
        bus: Bus,
        dead_letters: sqs.Queue,
        dead_letters_arn: str,
        retry_policy: events.CfnRule.RetryPolicyProperty,
    ) -> None:
        """Lead what the function of `job` returns, sent by `role` to `bus`, back to it.

        What can't be delivered goes to `dead_letters`, after `retry_policy`. The rule has the function's `name`.
        """
        super().__init__(scope, construct_id)
        # AWS makes no such destination before the role has this right.
        role.add_to_principal_policy(iam.PolicyStatement(actions=["events:PutEvents"], resources=[bus.arn]))
        rule_arn = events.CfnRule(
            self,
            "Rule",
            name=name,
            description=f"Starts {name} again, where a run of it says that another is to follow",
            event_bus_name=bus.name,
            event_pattern={
                "source": ["lambda"],
                "detail-type": ["Lambda Function Invocation Result - Success"],
                "detail": {
                    "requestContext": {"functionArn": [f"{function_arn}:$LATEST"]},
                    "responsePayload": {"next": {"job": [job]}},
                },
            },
            targets=[
                events.CfnRule.TargetProperty(
                    id="Function",
                    arn=function_arn,
                    input_path=NEXT,
                    retry_policy=retry_policy,
                    dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=dead_letters_arn),
                )
            ],
        ).attr_arn
        # Not a role of the rule's: AWS documents it both ways for functions.
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
        self.permission = lambda_.CfnPermission(
            self,
            "Permission",
            action="lambda:InvokeFunction",
            function_name=function_arn,
            principal=SERVICE,
            source_arn=rule_arn,
        )
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
        dead_letters.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal(SERVICE)],
                actions=["sqs:SendMessage"],
                resources=[dead_letters_arn],
                conditions={"ArnEquals": {"aws:SourceArn": rule_arn}},
            )
        )
