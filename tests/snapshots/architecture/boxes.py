"""The boxes of the picture: what each resource of the templates is shown as, and what is said of it."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.snapshots.architecture.references import Resource, Templates

WAYS_OUT = (
    "AWS::EC2::EgressOnlyInternetGateway",
    "AWS::EC2::InternetGateway",
    "AWS::EC2::NatGateway",
    "AWS::EC2::Route",
    "AWS::EC2::TransitGatewayAttachment",
    "AWS::EC2::VPCPeeringConnection",
    "AWS::EC2::VPNGateway",
)
LOGS = {"Database": "database logs", "Jobs": "job logs", "Network": "flow logs"}
DAY_SECONDS = 86400


@dataclass(frozen=True, kw_only=True)
class Box:
    """Something that is deployed, or several things of a kind."""

    kind: str
    """Says where the picture has it."""
    title: str
    lines: tuple[str, ...] = ()


def boxes(templates: Templates) -> Iterator[tuple[Box, list[Resource]]]:
    """Each box, and the resources that it shows."""
    for kind, box in (
        ("AWS::EC2::VPC", _vpc),
        ("AWS::EC2::Subnet", _subnet),
        ("AWS::EC2::VPCEndpoint", _endpoint),
        ("AWS::Scheduler::Schedule", _schedule),
        ("AWS::Lambda::Function", _function),
        ("Custom::Trigger", _trigger),
        ("AWS::RDS::DBInstance", _database),
        ("AWS::RDS::DBProxy", _proxy),
        ("AWS::SNS::Topic", _topic),
        ("AWS::SNS::Subscription", _subscription),
        ("AWS::CloudWatch::Dashboard", _dashboard),
    ):
        for each in templates.of(kind):
            yield box(templates, each), [each]
    if queues := templates.of("AWS::SQS::Queue"):
        yield _queues(templates, queues), queues
    if alarms := templates.of("AWS::CloudWatch::Alarm"):
        yield _alarms(templates, alarms), alarms
    for stack, kind in LOGS.items():
        if groups := [each for each in templates.of("AWS::Logs::LogGroup") if each.stack == stack]:
            yield _logs(templates, kind, groups), groups
    if lines := tuple(_secrets(templates)):
        yield Box(kind="secrets", title="Secrets Manager", lines=lines), templates.of("AWS::SecretsManager::Secret")


def job_names(templates: Templates) -> list[str]:
    """The jobs, in the order of the environment's file."""
    return [templates.own(each.properties["Name"]) for each in templates.of("AWS::Scheduler::Schedule")]


def _vpc(templates: Templates, vpc: Resource) -> Box:
    ways_out = sorted({each.kind.rpartition(":")[2] for each in templates.all() if each.kind in WAYS_OUT})
    return Box(
        kind="vpc",
        title=f"VPC {vpc.properties['CidrBlock']}",
        lines=(f"ways out: {', '.join(ways_out)}" if ways_out else "no way out",),
    )


def _subnet(_templates: Templates, subnet: Resource) -> Box:
    return Box(kind="subnet", title=subnet.properties["AvailabilityZone"])


def _endpoint(_templates: Templates, endpoint: Resource) -> Box:
    service = endpoint.properties["ServiceName"].rpartition(".")[2]
    return Box(kind="endpoint", title="Interface endpoint", lines=(service,))


def _schedule(templates: Templates, schedule: Resource) -> Box:
    properties = schedule.properties
    when = properties["ScheduleExpression"]
    if not when.startswith("rate"):
        when = f"{when} {properties['ScheduleExpressionTimezone']}"
    off = () if properties["State"] == "ENABLED" else (properties["State"],)
    return Box(kind="schedule", title=templates.own(properties["Name"]), lines=(when, *off))


def _function(templates: Templates, function: Resource) -> Box:
    properties = function.properties
    of = f"{properties['Runtime']}, {', '.join(properties['Architectures'])}"
    bounds = f"{properties['MemorySize']} MB, {properties['Timeout']} s"
    most = f", {number} at a time" if (number := properties.get("ReservedConcurrentExecutions")) else ""
    return Box(kind="function", title=templates.own(properties["FunctionName"]), lines=(of, bounds + most))


def _trigger(templates: Templates, trigger: Resource) -> Box:
    schedules = templates.of("AWS::Scheduler::Schedule")
    first = bool(schedules) and all(trigger.name in each.after for each in schedules)
    return Box(kind="trigger", title="Each deploy", lines=("before any schedule",) if first else ())


def _database(templates: Templates, database: Resource) -> Box:
    properties = database.properties
    limits = [each.properties["Parameters"] for each in templates.meant(database, "DBParameterGroupName")]
    facts = {
        properties["DBInstanceClass"]: True,
        "Multi-AZ": properties.get("MultiAZ"),
        f"{properties['AllocatedStorage']} to {properties['MaxAllocatedStorage']} GB": True,
        "encrypted": properties.get("StorageEncrypted"),
        "TLS required": any(each.get("require_secure_transport") == "1" for each in limits),
        "IAM login": properties.get("EnableIAMDatabaseAuthentication"),
        "no public address": properties.get("PubliclyAccessible") is False,
        f"backups kept {_days([properties['BackupRetentionPeriod']])}": properties["BackupRetentionPeriod"],
        "protected from deletion": properties.get("DeletionProtection"),
    }
    return Box(
        kind="database",
        title=f"RDS {properties['Engine'].replace('mysql', 'MySQL')} {properties['EngineVersion']}",
        lines=tuple(fact for fact, holds in facts.items() if holds),
    )


def _proxy(templates: Templates, proxy: Resource) -> Box:
    tls = ("TLS required",) if proxy.properties.get("RequireTLS") else ()
    pools = [
        f"{pool['MaxConnectionsPercent']} % of connections"
        for target in templates.of("AWS::RDS::DBProxyTargetGroup")
        if proxy in templates.meant(target, "DBProxyName")
        for pool in (target.properties["ConnectionPoolConfigurationInfo"],)
    ]
    return Box(kind="proxy", title="RDS Proxy", lines=(*tls, *pools))


def _topic(templates: Templates, topic: Resource) -> Box:
    return Box(kind="topic", title="SNS topic", lines=(templates.own(topic.properties["TopicName"]),))


def _subscription(_templates: Templates, subscription: Resource) -> Box:
    return Box(
        kind="subscriber", title=subscription.properties["Protocol"], lines=(subscription.properties["Endpoint"],)
    )


def _dashboard(templates: Templates, dashboard: Resource) -> Box:
    return Box(kind="dashboard", title="Dashboard", lines=(templates.own(dashboard.properties["DashboardName"]),))


def _queues(templates: Templates, queues: list[Resource]) -> Box:
    names = _collapsed((templates.own(each.properties["QueueName"]) for each in queues), job_names(templates))
    days = sorted({each.properties["MessageRetentionPeriod"] // DAY_SECONDS for each in queues})
    return Box(kind="queues", title=f"{len(queues)} SQS queues", lines=(*names, f"kept {_days(days)}"))


def _alarms(templates: Templates, alarms: list[Resource]) -> Box:
    """With one line for all that have the same alarms."""
    jobs = job_names(templates)
    of: dict[str, list[str]] = defaultdict(list)
    for alarm in alarms:
        name = templates.own(alarm.properties["AlarmName"])
        subject = next((job for job in jobs if name.startswith(f"{job}-")), name.partition("-")[0])
        of[subject].append(name.removeprefix(f"{subject}-"))
    subjects: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for subject, kinds in of.items():
        subjects[tuple(kinds)].append(subject)
    lines = (
        f"{'each job' if len(names) > 1 and set(names) == set(jobs) else ', '.join(names)}: {', '.join(kinds)}"
        for kinds, names in subjects.items()
    )
    return Box(kind="alarms", title=f"{len(alarms)} alarms", lines=tuple(lines))


def _logs(templates: Templates, kind: str, groups: list[Resource]) -> Box:
    named = [each.properties["LogGroupName"] for each in groups if "LogGroupName" in each.properties]
    names = _collapsed((name.replace(f"/{templates.name}-", "/") for name in named), job_names(templates))
    days = sorted({each.properties["RetentionInDays"] for each in groups})
    what = "log group" if len(groups) == 1 else "log groups"
    return Box(kind=kind, title=f"{len(groups)} {what}", lines=(*names, f"kept {_days(days)}"))


def _secrets(templates: Templates) -> Iterator[str]:
    """What there is in Secrets Manager; the master user's secret is RDS's."""
    for each in templates.of("AWS::RDS::DBInstance"):
        if each.properties.get("ManageMasterUserPassword"):
            yield "master user, by RDS"
    for each in templates.of("AWS::SecretsManager::Secret"):
        yield each.properties["Description"]


def _collapsed(names: Iterable[str], jobs: Iterable[str]) -> list[str]:
    """The names, each once, with <job> for a job's."""
    pattern = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, jobs)) or '(?!)'})(?!\w)")
    return list(dict.fromkeys(pattern.sub("<job>", name) for name in names))


def _days(numbers: list[int]) -> str:
    return f"{' or '.join(map(str, numbers))} {'day' if numbers == [1] else 'days'}"
