"""A subscription to RDS's own events, for the people on call."""

from aws_cdk import aws_rds as rds
from constructs import Construct

from stacks.database.alarm_topic import AlarmTopic

EVENTS = (
    # What a person on call has to know. Not: backups, changes by a deploy, the weekly rotation of the master password.
    # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html
    "availability",
    "deletion",
    "failover",
    "failure",
    "low storage",
    "maintenance",
    "notification",
    "recovery",
)


def tell_of_events(scope: Construct, construct_id: str, *, instance: rds.DatabaseInstance, topic: AlarmTopic) -> None:
    """Publish the EVENTS of `instance` to `topic`."""
    events = rds.CfnEventSubscription(
        scope,
        construct_id,
        sns_topic_arn=topic.topic.topic_arn,
        source_type="db-instance",
        source_ids=[instance.instance_identifier],
        event_categories=list(EVENTS),
    )
    events.node.add_dependency(topic.policy)  # RDS refuses a topic that it may not publish to
