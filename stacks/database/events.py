"""A subscription to RDS's own events, for the people on call."""

from collections.abc import Mapping

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


CLUSTER_EVENTS = ("deletion", "failover", "failure", "maintenance", "notification")
"""Of a cluster, those of EVENTS that there are.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_Events.Messages.html"""


def tell_of_events(scope: Construct, construct_id: str, *, dimensions: Mapping[str, str], topic: AlarmTopic) -> None:
    """Publish the EVENTS of the server whose metrics have these `dimensions` to `topic`."""
    instance, cluster = dimensions.get("DBInstanceIdentifier"), dimensions.get("DBClusterIdentifier")
    events = rds.CfnEventSubscription(
        scope,
        construct_id,
        sns_topic_arn=topic.topic.topic_arn,
        source_type="db-cluster" if instance is None else "db-instance",
        source_ids=[each for each in (instance, cluster) if each is not None],
        event_categories=list(CLUSTER_EVENTS if instance is None else EVENTS),
    )
    events.node.add_dependency(topic.policy)  # RDS refuses a topic that it may not publish to
