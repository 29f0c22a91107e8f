"""An environment as the picture shows it: the boxes, the frames around them, and an arrow for each real reference."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from documents.picture.boxes import Box, boxes
from documents.words import ports
from review.grants import Grant, grants
from review.rules import rules
from review.templates import Resource, SynthesizedEnvironment, at

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

    def of(self, *kinds: str) -> list[Box]:
        """The boxes of some kinds."""
        return [box for box in self.boxes if box.kind in kinds]


def architecture(environment: SynthesizedEnvironment) -> Architecture:
    """What the picture shows of `environment`."""
    found = boxes(environment)
    shown = {each.path: box for box, several in found for each in several if box.kind != "secrets"}
    held = list(grants(environment))
    arrows = [
        Arrow(source=shown[source.path], target=shown[target.path], label=label)
        for source, target, label in _references(environment, held)
        if source.path in shown and target.path in shown
    ]
    arrows += [
        Arrow(source=shown[each.holder], target=box, label="reads")
        for box, _ in found
        if box.kind == "secrets"
        for each in held
        if each.action == "secretsmanager:GetSecretValue" and shown.get(each.holder, box).kind == "endpoint"
    ]
    return Architecture(
        name=environment.name,
        stacks=Counter(each.stack for each in environment.resources.values() if "::" in each.kind),
        boxes=tuple(box for box, _ in found),
        arrows=tuple(dict.fromkeys(arrows)),
        frames=_frames(environment, _members(environment, held), shown),
    )


def _members(environment: SynthesizedEnvironment, held: list[Grant]) -> dict[str, list[Resource]]:
    """Who is in each security group, by its path."""
    members: dict[str, list[Resource]] = defaultdict(list)
    for grant in held:
        if grant.action == "be in the group":
            for group in environment.meant(grant.on):
                members[group.path] += environment.meant(f"{{{grant.holder}}}")
    return members


def _frames(
    environment: SynthesizedEnvironment, members: Mapping[str, list[Resource]], shown: Mapping[str, Box]
) -> Mapping[str, tuple[Box, ...]]:
    frames: dict[str, list[Box]] = defaultdict(list)
    framed: set[Box] = set()
    for group in environment.of("AWS::EC2::SecurityGroup"):
        title = str(group.properties.get("GroupDescription", group.path))
        for box in (shown[each.path] for each in members.get(group.path, ()) if each.path in shown):
            if box.kind == "function" and box not in framed:
                frames[title].append(box)
                framed.add(box)
    return {title: tuple(functions) for title, functions in frames.items()}


def _references(environment: SynthesizedEnvironment, held: list[Grant]) -> Iterator[Reference]:
    """Source, target and label of every arrow, but for those to secrets."""
    functions = environment.of("AWS::Lambda::Function")
    for schedule in environment.of("AWS::Scheduler::Schedule"):
        yield from ((schedule, each, "starts") for each in environment.meant(at(schedule, "Target", "Arn")))
        yield from (
            (schedule, each, "not delivered") for each in environment.meant(at(schedule, "Target", "DeadLetterConfig"))
        )
    for retry in environment.of("AWS::Lambda::EventInvokeConfig"):
        for function in environment.meant(at(retry, "FunctionName")):
            failed = environment.meant(at(retry, "DestinationConfig", "OnFailure"))
            yield from ((function, each, "failed") for each in failed)
    for trigger in environment.of("Custom::Trigger"):
        # It means a version of the function, whose path is below the function's.
        handler = str(at(trigger, "HandlerArn"))
        yield from ((trigger, each, "runs") for each in functions if handler.startswith(f"{{{each.path}/"))
    yield from _ways(environment, held)
    yield from _signals(environment)
    yield from _logs(environment)


def _ways(environment: SynthesizedEnvironment, held: list[Grant]) -> Iterator[Reference]:
    """What the security groups let through, and whether a role may log in there with IAM."""
    members = _members(environment, held)
    logins = [(grant.holder, environment.meant(grant.on)) for grant in held if grant.action == "rds-db:connect"]
    for rule in rules(environment):
        if rule.way == "in":
            for source in members.get(rule.peer.strip("`"), ()):
                roles = [each.path for each in environment.meant([at(source, "Role"), at(source, "RoleArn")])]
                for target in members.get(rule.group, ()):
                    login = any(holder in roles and target in on for holder, on in logins)
                    yield source, target, f"{ports(rule, environment)}{', IAM login' if login else ''}"


def _signals(environment: SynthesizedEnvironment) -> Iterator[Reference]:
    """What becomes of metrics and events."""
    for alarm in environment.of("AWS::CloudWatch::Alarm"):
        yield from ((alarm, each, "tell") for each in environment.meant(at(alarm, "AlarmActions")))
    for dashboard in environment.of("AWS::CloudWatch::Dashboard"):
        shown = set(re.findall(r":alarm:([^\"]+)", str(at(dashboard, "DashboardBody"))))  # by name, not by reference
        alarms = (each for each in environment.of("AWS::CloudWatch::Alarm") if at(each, "AlarmName") in shown)
        yield from ((each, dashboard, "shown on") for each in alarms)
    for events in environment.of("AWS::RDS::EventSubscription"):
        categories = at(events, "EventCategories")
        label = f"{len(categories)} kinds of events" if isinstance(categories, list) else "events"
        for source in environment.meant(at(events, "SourceIds")):
            yield from ((source, each, label) for each in environment.meant(at(events, "SnsTopicArn")))
    for subscription in environment.of("AWS::SNS::Subscription"):
        yield from ((each, subscription, "") for each in environment.meant(at(subscription, "TopicArn")))


def _logs(environment: SynthesizedEnvironment) -> Iterator[Reference]:
    """What is logged where, and what is counted in it."""
    groups = environment.of("AWS::Logs::LogGroup")
    for function in environment.of("AWS::Lambda::Function"):
        for group in environment.meant(at(function, "LoggingConfig")):
            yield function, group, f"{at(function, 'LoggingConfig', 'LogFormat') or 'Text'} lines"
    for database in environment.of("AWS::RDS::DBInstance"):
        # RDS names them so: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_LogAccess.MySQLDB.PublishtoCloudWatchLogs.html
        own = f"/aws/rds/instance/{at(database, 'DBInstanceIdentifier')}/"
        yield from ((database, each, "logs") for each in groups if str(at(each, "LogGroupName")).startswith(own))
    counted: dict[str, dict[str, Resource]] = defaultdict(dict)
    for function in environment.of("AWS::Lambda::Function"):
        if namespace := at(function, "Environment", "Variables", "METRICS"):
            counted[str(namespace)] |= {each.path: each for each in environment.meant(at(function, "LoggingConfig"))}
    for each in environment.of("AWS::Logs::MetricFilter"):
        counted_in = {group.path: group for group in environment.meant(at(each, "LogGroupName"))}
        for metric in at(each, "MetricTransformations") or []:
            if metric:
                counted[str(metric.get("MetricNamespace"))] |= counted_in
    for alarm in environment.of("AWS::CloudWatch::Alarm"):
        text = str(alarm.properties)
        for namespace, several in counted.items():
            if f"'{namespace}'" in text:
                yield from ((group, alarm, "metrics of the lines") for group in several.values())
