"""Who can reach what, who may do what, and what is encrypted how: the environments' access, as tables in Markdown.

They say what review/ reads of the templates: a resource of any type is in them, by the path of its construct. What is
wider than one named thing has a ⚠, and below its table the reason, or that none is stated.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from documents.words import ports
from review.grants import WAYS, Grant, grants
from review.jobs_stacks import PATH as JOB
from review.rules import rules
from review.schemas import stateful
from review.table_rights import granted
from review.templates import ENVIRONMENT, Resource, SynthesizedEnvironment, at, file_name

WIDE = "⚠"
"""Marks what is wider than one named thing."""
NO_REASON = "no reason stated"
Row = tuple[str, ...]

NETWORK = re.compile(r"[\d.]+/\d+|[\da-f:]+/\d+|pl-[\da-f]+")
"""Addresses, or a list of them: whoever has one."""

REASONS: Mapping[str, str] = {
    r"ec2:.*NetworkInterface.*any resource": (
        "Lambda gives the function an address in the VPC in the role's name, and AWS knows no narrower resource. "
        "The function has no way to EC2's interface; whoever steals its role has."
    ),
    r"AWSLambdaBasicExecutionRole": "The CDK's own functions may write to any log group, and make one.",
    r"AmazonRDSEnhancedMonitoringRole": "RDS may write to the log groups named RDS*, which are its own.",
    r"lambda:InvokeFunction \| Jobs/Migrations/Migrate/Function:\*": (
        "Each deploy makes a version, and its number is not known before. CloudFormation runs it."
    ),
    rf"^Roles/.*cloudformation:Describe.*stack/{ENVIRONMENT}-\*/\*": (
        "An ARN of a stack ends in an id that CloudFormation makes up. The actions only describe."
    ),
    rf"(secretsmanager:GetSecretValue|rds-db:connect) .*({ENVIRONMENT}-mysql-jobs/|job_{ENVIRONMENT}_)\*": (
        "The logins of the environment's jobs, and no others have such names: a list of them would outgrow a policy."
    ),
    r"^(?!Jobs[-\d]*/Ways/)[^|]* \| any address .* 443/tcp": (
        "The VPC is one that was there, with a way to Secrets Manager whose addresses nobody here knows."
    ),
    r"^Jobs[-\d]*/Ways/\d+ \| any address": (
        "Jobs that use hosts of the internet: a security group knows addresses and ports, and no names."
    ),
    r"^Jobs[-\d]*/Ways/(s3|dynamodb) \|": (
        "Jobs that use this service: by AWS's list of its addresses, or, where none is stated, by any. The isolated "
        "subnets of a network that is made have a route to no others."
    ),
    r"^Jobs[-\d]*/Ways/(?!s3 |dynamodb )[a-z-]+ \| any address": (
        "The VPC is one that was there, with a way to the service whose addresses nobody here knows."
    ),
    r"^Jobs[-\d]*/Job-\S+/Job/Role \| (?!ec2:)[^|]+ \| \S+\* ⚠": "The job's module names it so, in its USES.",
    rf"^({NETWORK.pattern}) ⚠ \| Database/SecurityGroup \|": (
        "A client of the database, let in by its addresses: the environment file says why, in `[[database.clients]]`."
    ),
    r"^\S+/(Endpoint|Gateway-[a-z0-9]+) \| anyone ⚠ \| [^|*]+ \| [^|]+ \| aws:PrincipalAccount is this account": (
        "Whoever the role's own policy lets: both have to agree, and the account has to be this one."
    ),
    r"^Database/Alarms/Topic .* none": (
        "CloudWatch can't publish where AWS's own key encrypts. Alarms hold names and numbers, no data."
    ),
    r"^Network/Vpc/((Egress|Public)Subnet\d+/DefaultRoute|VPCGW) \| leads out": (
        "`egress` says so: jobs that use the internet are in subnets of their own, with a route to the NAT gateway. In "
        "the public ones is that gateway, and nothing else."
    ),
    r"^the VPC \| is": "What leads out of it is up to those who made it.",
}
"""Why something is as wide as it is, by a pattern of its row."""

READ = (
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::SecretsManager::Secret",
    "AWS::SecretsManager::SecretTargetAttachment",
)
"""What bears on access and is in another table, or lets nobody in or out."""
KEYS: Mapping[str, tuple[str, str]] = {
    "AWS::Logs::LogGroup": ("KmsKeyId", "CloudWatch Logs' own"),
    "AWS::RDS::DBInstance": ("KmsKeyId", "AWS's for RDS"),
    "AWS::SNS::Topic": ("KmsMasterKeyId", f"none {WIDE}"),
    "AWS::SQS::Queue": ("KmsMasterKeyId", "SQS's own"),
    "AWS::SecretsManager::Secret": ("KmsKeyId", "AWS's for Secrets Manager"),
}
"""Where a resource says with which key it rests, and with which one it does if it says nothing."""
RELEVANT = re.compile(
    r"AWS::(EC2::.*(Gateway|Endpoint|Peering|NetworkAcl|Association)|IAM|KMS|SecretsManager)"
    r"|AWS::Lambda::(Url|LayerVersionPermission)|.*Policy$"
)
"""The types that say who can reach what."""
ANY_JOB = re.compile(rf"(?:{re.escape(JOB)}|{ENVIRONMENT}-|job_{ENVIRONMENT}_|the database user of )(\w+)")
"""The path or the name of a job's resource."""
SAID = {
    "be in the group": "is in the group",
    "work in the role": "works in the role",
    "run outside of the VPC": "runs outside of the VPC, with",
    "lead out of the VPC": "leads out of the VPC",
}
"""What review/ says of a resource itself, beside what policies let it do."""


def tables(stages: Iterable[SynthesizedEnvironment]) -> str:
    """The access of all environments; those that deliver to one count as part of it."""
    environments: dict[str, list[SynthesizedEnvironment]] = defaultdict(list)
    for stage in stages:
        environments[file_name(stage.name)].append(stage)
    jobs = sorted({job for several in environments.values() for each in several for job in _jobs(each)})
    sections: list[tuple[str, Row, Callable[[SynthesizedEnvironment], Iterable[Row]]]] = [
        ("Who can connect to whom", ("From", "To", "Port"), _connections),
        ("Who is where", ("What", "", ""), _members),
        ("Who may assume which role", ("Role", "Assumed by", "By", "Only if"), _trusts),
        ("What each role may do", ("Role", "May", "On", "Only if"), _rights),
        ("What others may do with a resource", ("Resource", "Who", "May", "On", "Only if"), _policies),
        ("What the jobs may do in the database", ("Who", "May", "On"), _tables),
        ("Where secrets come from", ("Secret", "Made by", "Rotated"), _secrets),
        ("Who may read which secret", ("Secret", "Read by", "An endpoint lets it through"), _readers),
        ("With which key data rests", ("What", "Type", "Key"), _keys),
        ("What else bears on access", ("What", "Type", "Its properties"), _others),
    ]
    lines = [
        "# Access: who can reach what",
        "",
        "Written by `make snapshots` from the templates; the prose is in docs/security.md.",
    ]
    lines += ["", f"`<job>` stands for every job of an environment: {', '.join(jobs)}."] if len(jobs) > 1 else []
    for title, headings, read in sections:
        rows = _rows(environments, read)
        lines += ["", f"## {title}", "", *(_table((*headings, "Environments"), rows) if rows else ["Nothing."])]
        lines += _reasons(rows)
    return "\n".join((*lines, ""))


def _connections(environment: SynthesizedEnvironment) -> Iterator[Row]:
    groups = {each.path for each in environment.of("AWS::EC2::SecurityGroup")}
    found = list(rules(environment))
    leave = {(rule.group, rule.peer.strip("`"), ports(rule, environment)) for rule in found if rule.way == "out"}
    enter = {(rule.peer.strip("`"), rule.group, ports(rule, environment)) for rule in found if rule.way == "in"}
    for source, target, port in leave | enter:
        half = {source, target} <= groups and (source, target, port) not in leave & enter
        side = f"; open on one side only {WIDE}" if half else ""
        wide = f" {WIDE}" if port.startswith("any") or " to " in port else ""
        yield _address(source), _address(target), f"{port}{wide}{side}"


def _address(text: str) -> str:
    if text in ("0.0.0.0/0", "::/0"):
        return f"any address {WIDE}"
    return f"{text} {WIDE}" if NETWORK.fullmatch(text) else text


def _members(environment: SynthesizedEnvironment) -> Iterator[Row]:
    for grant in grants(environment):
        if grant.action in SAID:
            wide = f" {WIDE}" if grant.action == "lead out of the VPC" else ""
            yield grant.holder, SAID[grant.action], f"{_readable(grant.on)}{wide}"
    for each in environment.of("Custom::VpcRestrictDefaultSG"):
        yield each.path, "empties", _readable(str(at(each, "DefaultSecurityGroupId")))
    for each in environment.of("AWS::RDS::DBInstance"):
        private = at(each, "PubliclyAccessible") is False
        yield each.path, "has", "no public address" if private else f"a public address {WIDE}"
    vpcs = environment.of("AWS::EC2::VPC")
    for each in vpcs if not environment.of(*WAYS) else ():
        yield each.path, "has", "no way out: no route, gateway or peering"
    if not vpcs and environment.of("AWS::RDS::DBInstance"):
        yield "the VPC", "is", f"not made here {WIDE}"


def _trusts(environment: SynthesizedEnvironment) -> Iterator[Row]:
    roles = {each.path for each in environment.of("AWS::IAM::Role")}
    for grant, actions in _together(environment):
        if grant.who and grant.holder in roles:
            yield grant.holder, _who(grant), actions, _condition(grant)


def _rights(environment: SynthesizedEnvironment) -> Iterator[Row]:
    for grant, actions in _together(environment):
        if not grant.who and grant.action not in SAID:
            yield grant.holder, actions, "" if grant.action.startswith("all of ") else _on(grant), _condition(grant)


def _policies(environment: SynthesizedEnvironment) -> Iterator[Row]:
    roles = {each.path for each in environment.of("AWS::IAM::Role")}
    for grant, actions in _together(environment):
        if grant.who and grant.holder not in roles:
            yield grant.holder, _who(grant), actions, _on(grant), _condition(grant)


def _tables(environment: SynthesizedEnvironment) -> Iterator[Row]:
    for job, rights in granted(environment).items():
        tables = sorted({table for table, _ in rights})
        for table in tables:
            some = sorted(right for each, right in rights if each == table)
            yield f"the database user of {job or 'all jobs'}", ", ".join(some), f"table {table}"


def _secrets(environment: SynthesizedEnvironment) -> Iterator[Row]:
    rotations = environment.of("AWS::SecretsManager::RotationSchedule")
    for each in environment.of("AWS::RDS::DBInstance"):
        if at(each, "ManageMasterUserPassword"):
            yield _readable(_master(each)), "RDS", "by RDS"
        if "MasterUserPassword" in each.properties:
            yield f"{each.path}, its master's password", f"in the template {WIDE}", "by hand"
    for each in environment.of("AWS::SecretsManager::Secret"):
        rotated = [one.path for one in rotations if each in environment.meant(at(one, "SecretId"))]
        made = f"in the template {WIDE}" if "SecretString" in each.properties else "Secrets Manager, at random"
        yield each.path, made, f"by {', '.join(rotated)}" if rotated else "by hand"


def _readers(environment: SynthesizedEnvironment) -> Iterator[Row]:
    held = list(grants(environment))
    endpoints = [each.path for each in environment.of("AWS::EC2::VPCEndpoint")]
    secrets = [f"{{{each.path}}}" for each in environment.of("AWS::SecretsManager::Secret")]
    secrets += [
        _master(each) for each in environment.of("AWS::RDS::DBInstance") if at(each, "ManageMasterUserPassword")
    ]
    for secret in secrets:
        let = [each for each in held if not each.denies and _covers(each, secret)]
        through = "yes" if any(each.holder in endpoints for each in let) else "no"
        for holder in dict.fromkeys(each.holder for each in let if not each.who):
            yield _readable(secret), holder, through


def _covers(grant: Grant, secret: str) -> bool:
    wanted = Grant(
        holder=grant.holder,
        effect="Allow",
        who=grant.who,
        action="secretsmanager:GetSecretValue",
        on=secret,
        condition=grant.condition,
    )
    return grant.covers(wanted)


def _keys(environment: SynthesizedEnvironment) -> Iterator[Row]:
    for each in environment.of(*(KEYS.keys() | stateful())):
        key, default = KEYS.get(each.kind, ("", ""))
        if each.kind == "AWS::RDS::DBInstance" and not at(each, "StorageEncrypted"):
            said = f"none {WIDE}"
        elif each.kind in KEYS:
            said = _readable(_short(each.properties[key])) if key in each.properties else default
        else:
            about = {key: value for key, value in each.properties.items() if re.search("Encrypt|Kms|SSE", key)}
            said = _readable(_short(about)) if about else "the template says none"
        yield each.path, each.kind, said
        if at(each, "ManageMasterUserPassword"):
            own = at(each, "MasterUserSecret", "KmsKeyId")
            aws = KEYS["AWS::SecretsManager::Secret"][1]
            yield _readable(_master(each)), "managed by RDS", _readable(_short(own)) if own else aws


def _others(environment: SynthesizedEnvironment) -> Iterator[Row]:
    read = {each.holder for each in grants(environment)} | {each.path for each in environment.of(*READ)}
    for each in environment.resources.values():
        if RELEVANT.match(each.kind) and each.path not in read and not _attached(each):
            yield each.path, each.kind, _readable(_short(dict(each.properties)))


def _attached(resource: Resource) -> bool:
    """Whether it is a policy of roles, users and groups, whose rights are theirs."""
    return any(key in resource.properties for key in ("Roles", "Users", "Groups", "Queues", "Topics"))


def _master(database: Resource) -> str:
    return f"{{{database.path}.MasterUserSecret.SecretArn}}"


def _together(environment: SynthesizedEnvironment) -> Iterator[tuple[Grant, str]]:
    """The grants that are the same but for the action: one of them, and the actions."""
    found: dict[Row, list[Grant]] = defaultdict(list)
    for grant in grants(environment):
        managed = grant.action if grant.action.startswith("all of ") else ""
        found[grant.holder, grant.effect, grant.who, grant.on, grant.condition, managed].append(grant)
    for several in found.values():
        actions = ", ".join(dict.fromkeys(_readable(each.action) for each in several))
        wide = re.search(r"\*|^all of |^all but ", " ".join((several[0].action, actions)))
        if several[0].denies:
            yield several[0], f"never {actions}"
        else:
            yield several[0], f"{actions} {WIDE}" if wide else actions


def _who(grant: Grant) -> str:
    return _wide(grant, "anyone" if grant.who == "*" else _readable(grant.who))


def _on(grant: Grant) -> str:
    return _wide(grant, "any resource" if grant.on == "*" else _readable(grant.on))


def _wide(grant: Grant, text: str) -> str:
    wide = not grant.denies and re.search(r"\*|^any|^all but ", text)
    return f"{text} {WIDE}" if wide else text


def _condition(grant: Grant) -> str:
    condition = json.loads(grant.condition or "{}")
    return "; ".join(
        f"{key} {'is' if operator in ('StringEquals', 'Bool') else operator} {_readable(_short(value))}"
        for operator, keys in condition.items()
        for key, value in (keys.items() if isinstance(keys, dict) else [("", keys)])
    )


def _short(value: Any) -> str:
    """A value that may be anything: short JSON, if it is no text."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 120 else f"{text[:119]}…"


def _readable(text: str) -> str:
    """`text` without the braces of references, and ARNs of this account without what all of them have."""
    text = text.replace("{AWS::Partition}", "aws")
    text = re.sub(r"\{([^{}\"\\]+?)(\.(Arn|GroupId|TopicArn|Ref))?\}", r"\1", text)
    text = re.sub(r"arn:aws:iam::aws:policy/([\w-]+/)*", "AWS's policy ", text).replace("all of AWS's", "AWS's")
    text = re.sub(r"arn:aws:[\w-]+:[\w-]*:<account>:", "", text)
    return text.replace("<account>", "this account")


def _jobs(environment: SynthesizedEnvironment) -> list[str]:
    paths = [each.path for each in environment.of("AWS::Scheduler::Schedule") if each.path.startswith(JOB)]
    return list(dict.fromkeys(path.removeprefix(JOB).partition("/")[0] for path in paths))


def _rows(
    environments: Mapping[str, Sequence[SynthesizedEnvironment]],
    read: Callable[[SynthesizedEnvironment], Iterable[Row]],
) -> list[Row]:
    """What `read` reads of all environments, sorted; the last cell says of which."""
    found: dict[Row, list[str]] = defaultdict(list)
    for name, stages in environments.items():
        for row in dict.fromkeys(row for stage in stages for row in _collapsed(read(stage), _jobs(stage))):
            found[row].append(name)
    return [(*row, "all" if len(of) == len(environments) else ", ".join(of)) for row, of in sorted(found.items())]


def _collapsed(rows: Iterable[Row], jobs: Sequence[str]) -> Iterator[Row]:
    """The rows; one for all jobs where each has it, with what is its own."""
    owners: dict[Row, dict[str, Row]] = defaultdict(dict)
    known = {job: number for number, job in enumerate(jobs)}
    for row in rows:
        named = ([job for job in ANY_JOB.findall(cell) if job in known] for cell in row)
        own = next((min(several, key=known.__getitem__) for several in named if several), None)
        if own is None:
            yield row
        else:
            owners[tuple(re.sub(_named(own), r"\1<job>", cell) for cell in row)][own] = row
    for general, of in owners.items():
        yield from [general] if len(of) == len(jobs) > 1 else of.values()


def _named(job: str) -> str:
    """A pattern of the path or the name of a job's resource, or of its database user."""
    return rf"({re.escape(JOB)}|{ENVIRONMENT}-|job_{ENVIRONMENT}_|the database user of ){re.escape(job)}(?!\w)"


def _table(headings: Row, rows: Iterable[Row]) -> Iterator[str]:
    yield _line(headings)
    yield _line("---" for _ in headings)
    yield from map(_line, rows)


def _line(cells: Iterable[str]) -> str:
    """A row of a table: what would end a cell, or be taken for HTML, is escaped."""
    escaped = (re.sub(r"([|<*])", r"\\\1", cell.replace("\n", " ")) for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _reasons(rows: Iterable[Row]) -> list[str]:
    """Why each row that is marked may be so wide, or that nobody has said so."""
    found: dict[str, None] = {}
    for row in rows:
        if any(WIDE in cell for cell in row):
            reasons = [reason for pattern, reason in REASONS.items() if re.search(pattern, " | ".join(row))]
            found |= dict.fromkeys(reasons or [f"{' · '.join(cell for cell in row[:-1] if cell)}: {NO_REASON}"])
    return ["", *(f"- {WIDE} {reason}" for reason in found)] if found else []
