"""An environment as the picture shows it: the boxes, the frames around them, and an arrow for each real reference.

Nothing is left out in silence: a type that is neither drawn nor named in `NOT_DRAWN` is an `ArchitectureError`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.snapshots.architecture.boxes import Box, boxes
from tests.snapshots.architecture.references import ArchitectureError, Resource, Templates, listed

IN_ARROWS = {
    "AWS::EC2::FlowLog",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::IAM::Policy",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Version",
    "AWS::Logs::MetricFilter",
    "AWS::RDS::DBParameterGroup",
    "AWS::RDS::DBProxyTargetGroup",
    "AWS::RDS::EventSubscription",
}
"""Drawn as an arrow, a label or a frame, and not as a box."""
NOT_DRAWN = {
    "AWS::EC2::RouteTable",
    "AWS::EC2::SecurityGroupEgress",  # the test of docs/security.md holds it against the ingress
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::IAM::Role",
    "AWS::RDS::DBSubnetGroup",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::SecretsManager::ResourcePolicy",
    "AWS::SecretsManager::SecretTargetAttachment",
    "Custom::VpcRestrictDefaultSG",
}
MEMBERS = {
    "AWS::EC2::VPCEndpoint": ("SecurityGroupIds",),
    "AWS::Lambda::Function": ("VpcConfig", "SecurityGroupIds"),
    "AWS::RDS::DBInstance": ("VPCSecurityGroups",),
    "AWS::RDS::DBProxy": ("VpcSecurityGroupIds",),
}
"""Where a resource says which security groups it is in."""

Reference = tuple[Resource, Resource, str]
"""Which resource refers to which other one, and the label of their arrow."""


@dataclass(frozen=True, kw_only=True)
class Arrow:
    """What a box shows refers to what another one shows."""

    source: Box
    target: Box
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """All that the picture shows of one environment."""

    name: str
    stacks: Mapping[str, int]
    """How many resources each has."""
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    frames: Mapping[str, tuple[Box, ...]]
    """The functions in each security group, by its description."""

    def of(self, kind: str) -> list[Box]:
        """The boxes of one kind."""
        return [box for box in self.boxes if box.kind == kind]


def read(name: str, stacks: Mapping[str, Mapping[str, Any]]) -> Architecture:
    """The environment `name`, from its templates by stack.

    Raises:
        ArchitectureError: a type has no place in the picture, or something can't be read.
    """
    templates = Templates(name=name, stacks=stacks)
    found = list(boxes(templates))
    shown = {each: box for box, several in found for each in several}
    for each in templates.all():
        if each in templates.of(each.kind) and each not in shown and each.kind not in IN_ARROWS | NOT_DRAWN:
            raise ArchitectureError(f"{each.stack}/{each.name}: the picture has no place for {each.kind}: give it one")
    secrets = next((box for box, _ in found if box.kind == "secrets"), None)
    arrows = [
        Arrow(source=shown[source], target=shown[target], label=label)
        for source, target, label in _references(templates)
        if source in shown and target in shown
    ]
    if secrets:
        arrows += [Arrow(source=shown[each], target=secrets, label="reads") for each in _readers(templates)]
    return Architecture(
        name=name,
        stacks=Counter(each.stack for each in templates.all()),
        boxes=tuple(box for box, _ in found),
        arrows=tuple(dict.fromkeys(arrows)),
        frames=_frames(templates, shown),
    )


def _frames(templates: Templates, shown: Mapping[Resource, Box]) -> Mapping[str, tuple[Box, ...]]:
    frames: dict[str, list[Box]] = defaultdict(list)
    for function in templates.of("AWS::Lambda::Function"):
        for group in templates.meant(function, *MEMBERS[function.kind]):
            frames[group.properties["GroupDescription"]].append(shown[function])
    return {title: tuple(functions) for title, functions in frames.items()}


def _references(templates: Templates) -> Iterator[Reference]:
    """Source, target and label of every arrow, but for those to secrets."""
    for schedule in templates.of("AWS::Scheduler::Schedule"):
        yield from ((schedule, each, "starts") for each in templates.meant(schedule, "Target", "Arn"))
        yield from (
            (schedule, each, "not delivered") for each in templates.meant(schedule, "Target", "DeadLetterConfig")
        )
    for retry in templates.of("AWS::Lambda::EventInvokeConfig"):
        for function in templates.meant(retry, "FunctionName"):
            yield from ((function, each, "failed") for each in templates.meant(retry, "DestinationConfig", "OnFailure"))
    for trigger in templates.of("Custom::Trigger"):
        for version in templates.meant(trigger, "HandlerArn"):
            yield from ((trigger, each, "runs") for each in templates.meant(version, "FunctionName"))
    yield from _ways(templates)
    yield from _signals(templates)
    yield from _logs(templates)


def _ways(templates: Templates) -> Iterator[Reference]:
    """What the security groups let through, and whether a role may log in there with IAM."""
    members: dict[Resource, list[Resource]] = defaultdict(list)
    for kind, path in MEMBERS.items():
        for each in templates.of(kind):
            for group in templates.meant(each, *path):
                members[group].append(each)
    for rule in templates.of("AWS::EC2::SecurityGroupIngress"):
        for group_in in templates.meant(rule, "SourceSecurityGroupId"):
            for group_to in templates.meant(rule, "GroupId"):
                for source in members[group_in]:
                    for target in members[group_to]:
                        login = target in templates.granted(source, "rds-db:connect")
                        port = templates.port(rule)
                        yield source, target, f"{port}, IAM login" if login else port


def _signals(templates: Templates) -> Iterator[Reference]:
    """What becomes of metrics and events."""
    alarms = templates.of("AWS::CloudWatch::Alarm")
    for alarm in alarms:
        yield from ((alarm, each, "tell") for each in templates.meant(alarm, "AlarmActions"))
    for dashboard in templates.of("AWS::CloudWatch::Dashboard"):
        yield from ((each, dashboard, "shown on") for each in templates.meant(dashboard) if each in alarms)
    for events in templates.of("AWS::RDS::EventSubscription"):
        label = f"{len(events.properties['EventCategories'])} kinds of events"
        for source in templates.meant(events, "SourceIds"):
            yield from ((source, each, label) for each in templates.meant(events, "SnsTopicArn"))
    for subscription in templates.of("AWS::SNS::Subscription"):
        yield from ((each, subscription, "") for each in templates.meant(subscription, "TopicArn"))


def _logs(templates: Templates) -> Iterator[Reference]:
    """What is logged where, and what is counted in it."""
    groups = templates.of("AWS::Logs::LogGroup")
    for function in templates.of("AWS::Lambda::Function"):
        for group in templates.meant(function, "LoggingConfig"):
            yield function, group, f"{function.properties['LoggingConfig']['LogFormat']} lines"
    for database in templates.of("AWS::RDS::DBInstance"):
        # RDS names them so: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_LogAccess.MySQLDB.PublishtoCloudWatchLogs.html
        own = f"/aws/rds/instance/{database.properties['DBInstanceIdentifier']}"
        exported = {f"{own}/{kind}" for kind in database.properties.get("EnableCloudwatchLogsExports", [])}
        yield from ((database, each, "logs") for each in groups if each.properties.get("LogGroupName") in exported)
    for flow in templates.of("AWS::EC2::FlowLog"):
        for vpc in templates.meant(flow, "ResourceId"):
            yield from ((vpc, each, "") for each in templates.meant(flow, "LogGroupName"))
    filters = templates.of("AWS::Logs::MetricFilter")
    for each in filters:
        [metric] = each.properties["MetricTransformations"]
        for group in templates.meant(each, "LogGroupName"):
            for alarm in templates.of("AWS::CloudWatch::Alarm"):
                if f"'{metric['MetricNamespace']}'" in str(alarm.properties.get("Metrics")):
                    yield group, alarm, f"{len(filters)} metric filters"


def _readers(templates: Templates) -> list[Resource]:
    """The endpoints that let a secret be read."""
    return [
        each
        for each in templates.of("AWS::EC2::VPCEndpoint")
        if any(
            "secretsmanager:GetSecretValue" in listed(statement["Action"])
            for statement in each.properties.get("PolicyDocument", {}).get("Statement", [])
        )
    ]
