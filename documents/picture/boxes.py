"""The boxes of the picture: what each resource is shown as, and what is said of it.

A type that is not named here is counted in a plain box of its stack. What a resource has no property for is not said.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from review.grants import WAYS
from review.jobs_stacks import PATH as JOB
from review.templates import ENVIRONMENT, Resource, SynthesizedEnvironment, at, listed

Lines = tuple[str | tuple[str, Any, str], ...]
SHOWN: Mapping[str, tuple[str, str, Lines]] = {
    "AWS::EC2::VPC": ("vpc", "VPC {CidrBlock}|VPC", ("{WaysOut}",)),
    "AWS::EC2::Subnet": ("subnet", "{AvailabilityZone}", ()),
    "AWS::EC2::VPCEndpoint": ("endpoint", "{VpcEndpointType} endpoint|Gateway endpoint", ("{ServiceName}",)),
    "AWS::Scheduler::Schedule": ("schedule", "{Name}", ("{When}", ("State", "DISABLED", "DISABLED"))),
    "AWS::Lambda::Function": (
        "function",
        "{FunctionName}",
        (
            "{Runtime}, {Architectures}|{Runtime}|{PackageType}",
            "{MemorySize} MB, {Timeout} s, {ReservedConcurrentExecutions} at a time|{MemorySize} MB, {Timeout} s",
            ("GoesOn", True, "goes on at once, by events"),
        ),
    ),
    "Custom::Trigger": ("trigger", "Each deploy", (("First", True, "before any schedule"),)),
    "AWS::RDS::DBInstance": (
        "database",
        "RDS {Product} {EngineVersion}|RDS",
        (
            "{DBInstanceClass}",
            ("MultiAZ", True, "Multi-AZ"),
            "{AllocatedStorage} to {MaxAllocatedStorage} GB|{AllocatedStorage} GB",
            ("StorageEncrypted", True, "encrypted"),
            ("TLS", True, "TLS required"),
            ("EnableIAMDatabaseAuthentication", True, "IAM login"),
            ("PubliclyAccessible", False, "no public address"),
            "backups {Kept}",
            ("DeletionProtection", True, "protected from deletion"),
        ),
    ),
    "AWS::RDS::DBProxy": (
        "proxy",
        "RDS Proxy",
        (("RequireTLS", True, "TLS required"), "{MaxConnectionsPercent} % of connections"),
    ),
    "AWS::SNS::Topic": ("topic", "SNS topic", ("{TopicName}|{Path}",)),
    "AWS::SNS::Subscription": ("subscriber", "{Protocol}", ("{Endpoint}",)),
    "AWS::CloudWatch::Dashboard": ("dashboard", "Dashboard", ("{DashboardName}|{Path}",)),
}
"""What has a box each: its kind, its title, its lines. Of alternatives, with | between them, the first whose properties
are there; (property, value, text) is said where the property has the value."""

NOT_DRAWN = {
    # Drawn as an arrow, a label or a frame.
    "AWS::EC2::FlowLog",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::IAM::Policy",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Logs::MetricFilter",
    "AWS::RDS::DBParameterGroup",
    "AWS::RDS::DBProxyTargetGroup",
    "AWS::RDS::EventSubscription",
    # Parts of what is drawn; the tables of access say the rest.
    "AWS::EC2::RouteTable",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::IAM::Role",
    "AWS::RDS::DBSubnetGroup",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::SecretsManager::ResourcePolicy",
    "AWS::SecretsManager::SecretTargetAttachment",
    "Custom::VpcRestrictDefaultSG",
}
HAND_OVER = rf"Jobs(-\d+)?/Continuations|{JOB}\w+/Continuation/(Rule|Permission)"
"""The paths of what starts a job's next run, which is said in the box of its function."""
ALSO = "also"
"""The kind of the box of what has no place of its own."""
LOGS = {"Database": "database logs", "Jobs": "job logs", "Network": "flow logs"}
DAY_SECONDS = 86400


@dataclass(frozen=True, kw_only=True, eq=False)
class Box:
    """Something that is deployed, or several things of a kind."""

    kind: str
    """Says where the picture has it."""
    title: str
    lines: tuple[str, ...] = ()
    stack: str


def boxes(environment: SynthesizedEnvironment) -> list[tuple[Box, list[Resource]]]:
    """Each box, and the resources that it shows: all but those of `NOT_DRAWN`, and the CDK's own functions."""
    tokens = [each.properties.get("ServiceToken") for each in environment.resources.values()]
    left_out = {each.path for each in environment.meant(tokens)}
    found = [(box, several) for box, several in _boxes(environment) if several[0].path not in left_out]
    left_out |= {each.path for _, several in found for each in several}
    others: dict[str, Counter[str]] = defaultdict(Counter)
    for each in environment.resources.values():
        drawn = each.kind in NOT_DRAWN or each.path in left_out or re.fullmatch(HAND_OVER, each.path)
        if "::" in each.kind and not drawn:
            others[each.stack][each.kind] += 1
    for stack, counts in others.items():
        lines = tuple(f"{count} x {kind}" for kind, count in sorted(counts.items()))
        found.append((Box(kind=ALSO, title=f"Also in {stack}", lines=lines, stack=stack), []))
    return found


def _boxes(environment: SynthesizedEnvironment) -> Iterator[tuple[Box, list[Resource]]]:
    for type_, (kind, title, lines) in SHOWN.items():
        for each in environment.of(type_):
            properties = {"Path": each.path, **each.properties, **_derived(environment, each)}
            texts = [text for line in lines for text in _said(line, properties)]
            yield _box(kind, next(_said(title, properties), each.path), texts, [each])
    queues, alarms = environment.of("AWS::SQS::Queue"), environment.of("AWS::CloudWatch::Alarm")
    yield from _group("queues", f"{len(queues)} SQS queues", _queues(environment, queues), queues)
    yield from _group("alarms", f"{len(alarms)} alarms", _alarms(environment, alarms), alarms)
    for stack, kind in LOGS.items():
        groups = [each for each in environment.of("AWS::Logs::LogGroup") if each.stack == stack]
        title = f"{len(groups)} log group{'s' if len(groups) > 1 else ''}"
        yield from _group(kind, title, _logs(environment, groups), groups)
    masters = [each for each in environment.of("AWS::RDS::DBInstance") if at(each, "ManageMasterUserPassword")]
    secrets = environment.of("AWS::SecretsManager::Secret")
    said = ["master user, by RDS" for _ in masters] + [_name(each, "Description") for each in secrets]
    yield from _group("secrets", "Secrets Manager", said, secrets or masters)


def _group(
    kind: str, title: str, lines: Iterable[str], several: list[Resource]
) -> Iterator[tuple[Box, list[Resource]]]:
    if several:
        yield _box(kind, title, lines, several)


def _box(kind: str, title: str, lines: Iterable[str], several: list[Resource]) -> tuple[Box, list[Resource]]:
    return Box(kind=kind, title=title, lines=tuple(lines), stack=several[0].stack), several


def _derived(environment: SynthesizedEnvironment, resource: Resource) -> Mapping[str, Any]:  # noqa: PLR0911 - one each
    """What is said of a resource and is no property of it."""
    match resource.kind:
        case "AWS::EC2::VPC":
            ways = sorted({each.kind.rpartition(":")[2] for each in environment.of(*WAYS)})
            return {"WaysOut": f"ways out: {', '.join(ways)}" if ways else "no way out"}
        case "AWS::Scheduler::Schedule":
            when, zone = at(resource, "ScheduleExpression"), at(resource, "ScheduleExpressionTimezone")
            return {"When": when if not zone or str(when).startswith("rate") else f"{_text(when)} {_text(zone)}"}
        case "Custom::Trigger":
            schedules = environment.of("AWS::Scheduler::Schedule")
            return {
                "First": bool(schedules)
                and all(resource.path in each.attributes.get("DependsOn", ()) for each in schedules)
            }
        case "AWS::RDS::DBInstance":
            groups = environment.meant(at(resource, "DBParameterGroupName"))
            days = at(resource, "BackupRetentionPeriod")
            return {
                "Product": _text(at(resource, "Engine")).replace("mysql", "MySQL"),
                "TLS": any(at(each, "Parameters", "require_secure_transport") == "1" for each in groups),
            } | ({"Kept": _kept([days])} if days else {})
        case "AWS::Lambda::Function":
            rules = environment.of("AWS::Events::Rule")
            return {"GoesOn": any(resource in environment.meant(at(each, "Targets")) for each in rules)}
        case "AWS::RDS::DBProxy":
            targets = environment.of("AWS::RDS::DBProxyTargetGroup")
            own = [each for each in targets if resource in environment.meant(at(each, "DBProxyName"))]
            pools = [at(each, "ConnectionPoolConfigurationInfo") for each in own]
            return next((each for each in pools if isinstance(each, dict)), {})
    return {}


def _said(line: str | tuple[str, Any, str], properties: Mapping[str, Any]) -> Iterator[str]:
    match line:
        case str():
            alternatives = (each for each in line.split("|") if set(re.findall(r"{(\w+)}", each)) <= properties.keys())
            for alternative in alternatives:
                yield alternative.format_map({key: _text(value) for key, value in properties.items()})
                return
        case key, value, text:
            if properties.get(key) == value:
                yield text


def _queues(environment: SynthesizedEnvironment, queues: list[Resource]) -> Iterator[str]:
    yield from _collapsed(environment, (_name(each, "QueueName") for each in queues))
    days = [each // DAY_SECONDS for queue in queues if isinstance(each := at(queue, "MessageRetentionPeriod"), int)]
    if days:
        yield _kept(days)


def _alarms(environment: SynthesizedEnvironment, alarms: list[Resource]) -> Iterator[str]:
    """With one line for all that have the same alarms."""
    jobs = _jobs(environment)
    of: dict[str, list[str]] = defaultdict(list)
    for alarm in alarms:
        name = _name(alarm, "AlarmName")
        subject = next((job for job in jobs if name.startswith(f"{job}-")), name.partition("-")[0])
        of[subject].append(name.removeprefix(f"{subject}-"))
    subjects: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for subject, kinds in of.items():
        subjects[tuple(kinds)].append(subject)
    for same, names in subjects.items():
        yield f"{'each job' if len(names) > 1 and set(names) == set(jobs) else ', '.join(names)}: {', '.join(same)}"


def _logs(environment: SynthesizedEnvironment, groups: list[Resource]) -> Iterator[str]:
    named = [_name(each, "LogGroupName") for each in groups if "LogGroupName" in each.properties]
    yield from _collapsed(environment, named)
    yield _kept([at(each, "RetentionInDays") or "for ever" for each in groups])


def _jobs(environment: SynthesizedEnvironment) -> list[str]:
    """Their names, in the order of the environment's file."""
    schedules = environment.of("AWS::Scheduler::Schedule")
    return [_name(each, "Name") for each in schedules if each.path.startswith(JOB)]


def _collapsed(environment: SynthesizedEnvironment, names: Iterable[str]) -> list[str]:
    """The names, each once, with <job> for a job's."""
    jobs = "|".join(map(re.escape, _jobs(environment)))
    return list(dict.fromkeys(re.sub(rf"(?<![\w-])({jobs or '(?!)'})(?!\w)", "<job>", each) for each in names))


def _kept(days: Iterable[Any]) -> str:
    words = " or ".join(dict.fromkeys(map(_text, sorted(days, key=str))))
    return f"kept {words}{'' if not words[-1].isdigit() else ' day' if words == '1' else ' days'}"


def _name(resource: Resource, key: str) -> str:
    return _text(at(resource, key) or resource.path)


def _text(value: Any) -> str:
    """A value that may be anything, without the environment's name and the service's prefix."""
    text = ", ".join(each if isinstance(each, str) else json.dumps(each) for each in listed(value))
    return re.sub(r"com\.amazonaws\.[\w-]+\.", "", text).replace(f"{ENVIRONMENT}-", "")
