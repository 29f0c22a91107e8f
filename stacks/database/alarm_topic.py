"""AlarmTopic construct: the topic of all notifications for the people on call."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct, IDependable

PUBLISHERS = ("cloudwatch.amazonaws.com", "events.rds.amazonaws.com")


class AlarmTopic(Construct):
    """One topic per environment.

    It is not encrypted: alarms can't be published with AWS's own key, and with a key that CloudWatch may not use they
    would be lost silently. They contain names and numbers, no data.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html

    Attributes:
        topic: the topic.
        policy: lets CloudWatch and RDS publish; a resource whose creation needs that right depends on it.
    """

    def __init__(self, scope: Construct, construct_id: str, *, name: str, email: str | None) -> None:
        """Build the topic `name`; `email` is asked to confirm the subscription."""
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(self, "Topic", topic_name=name, enforce_ssl=True)
        # This policy replaces the default one, which lets the whole account publish.
        granted = self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal(service) for service in PUBLISHERS],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": cdk.Stack.of(self).account}},
            )
        )
        self.policy = _given(granted.policy_dependable)
        if email is not None:
            self.topic.add_subscription(subscriptions.EmailSubscription(email))


def _given(policy: IDependable | None) -> IDependable:
    if policy is None:
        raise AssertionError("a topic of our own has a policy")
    return policy
