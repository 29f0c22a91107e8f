"""What the game day's environment has besides: ears for its alarms, and nothing that outlives it."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs

from gameday.project import MARK, notifications
from stacks.environment import Environment


def add(environment: Environment) -> None:
    """Called for each environment."""
    # A final snapshot would be billed until somebody deletes it.
    environment.database.instance.apply_removal_policy(cdk.RemovalPolicy.DESTROY)
    for stack in (environment.network, environment.database, environment.jobs):
        stack.template_options.metadata = {MARK: True}
    queue = sqs.Queue(
        environment.database,
        "Notifications",
        queue_name=notifications(environment.settings.name),
        enforce_ssl=True,
        retention_period=cdk.Duration.days(1),
    )
    cdk.Validations.of(queue.node.default_child or queue).acknowledge(
        cdk.Acknowledgment(
            id="AwsSolutions::AwsSolutions-SQS3",
            reason="What is not read in the hours of a game day is of no interest",
        )
    )
    environment.database.alarm_topic.add_subscription(subscriptions.SqsSubscription(queue))
