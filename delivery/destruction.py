"""What destroying an environment would delete, what stays, what protects it, and what is left afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from delivery import left_in_database
from delivery.aws import Aws, DeployedStack
from delivery.checks import never_made
from delivery.states import sentence
from review.templates import KEPT
from settings import names
from settings.environment import AdoptedDatabaseSettings, DatabaseSettings, EnvironmentSettings

METRICS_LOG = "RDSOSMetrics"
"""Where Enhanced Monitoring writes, for all instances of the account and region.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Monitoring.OS.CloudWatchLogs.html"""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What is deployed."""

    stacks: Mapping[str, DeployedStack]
    instance: Mapping[str, Any] | None
    """The database as RDS describes it, or None if there is none that is ours."""
    instance_policy: str
    """What CloudFormation does with the instance when it deletes it: the DeletionPolicy that is deployed."""


def look(settings: EnvironmentSettings, aws: Aws, stacks: Mapping[str, DeployedStack]) -> Found:
    """Return what is deployed of the environment with these `stacks`."""
    instance = aws.instance(names.database(settings.name)) if _made(settings) else None
    return Found(stacks=stacks, instance=instance, instance_policy=_instance_policy(aws, stacks))


def _made(settings: EnvironmentSettings) -> DatabaseSettings | None:
    """The settings of a database that is ours, not an existing one."""
    return settings.database if isinstance(settings.database, DatabaseSettings) else None


def _instance_policy(aws: Aws, stacks: Mapping[str, DeployedStack]) -> str:
    made = (name for name, stack in stacks.items() if not never_made(stack))  # the others may have no template
    resources = (each for stack in made for each in aws.template(stack).get("Resources", {}).values())
    instances = (each for each in resources if each["Type"] == "AWS::RDS::DBInstance")
    # Without a policy: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
    return next((each.get("DeletionPolicy", "Snapshot") for each in instances), "Snapshot")


def protections(settings: EnvironmentSettings, found: Found) -> Iterator[str]:
    """Everything that has to be turned off first."""
    if (made := _made(settings)) and made.deletion_protection:
        yield f"environments/{settings.name}.toml says deletion_protection = true"
    if found.instance and found.instance["DeletionProtection"]:
        yield f"RDS protects {found.instance['DBInstanceIdentifier']} from being deleted"
    for stack in found.stacks.values():
        if stack.protected:
            yield f"CloudFormation protects {stack.name} from being deleted"


def explanation(settings: EnvironmentSettings, found: Found) -> Iterator[str]:
    """What is deleted, and what stays, line by line."""
    yield f"{settings.name}, in account {settings.account}, {settings.region}: {', '.join(found.stacks)}"
    yield from _deleted(settings, found)
    yield from _stays(settings, found)
    yield "\nIt may take 40 minutes: Lambda releases its network interfaces late."


def _deleted(settings: EnvironmentSettings, found: Found) -> Iterator[str]:
    made = _made(settings)
    yield "\nDeleted for ever:"
    if found.instance and found.instance_policy not in KEPT:
        yield (
            f"- the database {found.instance['DBInstanceIdentifier']} ({found.instance['DBInstanceClass']}, "
            f"{found.instance['AllocatedStorage']} GB)"
            + ("" if made and made.keeps_backups else " with its automated backups: point-in-time restore ends")
        )
        if found.instance_policy == "Delete":
            yield (
                "  WITHOUT A FINAL SNAPSHOT: what is deployed says DeletionPolicy: Delete. To keep one, "
                f"`make deploy ENV={settings.name}` first"
            )
    if settings.jobs:
        yield f"- the jobs {', '.join(job.name for job in settings.jobs)}, with their schedules and dead letters"
    yield "- all alarms, and the dashboard"
    yield "- the logs of the jobs, of the database and of the network" if made else "- the logs of the jobs"
    if not made:
        yield "- the rules in the database's security group that let the jobs in"
    if settings.network.vpc_id is None:
        yield f"- the VPC {settings.network.cidr}"


def _stays(settings: EnvironmentSettings, found: Found) -> Iterator[str]:
    made = _made(settings)
    yield "\nStays, and some of it costs:"
    if found.instance and found.instance_policy == "Snapshot":
        yield "- a final snapshot of the database: CloudFormation chooses its name, which is printed at the end"
    if made and found.instance and found.instance_policy not in KEPT and made.keeps_backups:
        yield f"- the database's automated backups, each for {made.backup_days} days from when it was made"
    if made and found.instance and made.backup_copy_region is not None:
        copies = f"their copies in {made.backup_copy_region}"
        yield f"- {copies}, each for {made.backup_days} days from when it was made"
    if found.instance and found.instance_policy in KEPT:
        yield f"- the database itself: what is deployed says DeletionPolicy: {found.instance_policy}"
    if isinstance(settings.database, AdoptedDatabaseSettings):
        yield from left_in_database.kept(settings, settings.database)
    else:
        yield "- every snapshot that was taken by hand"
    if settings.network.vpc_id is not None:
        yield f"- the VPC {settings.network.vpc_id}, which existed before"
    if settings.encryption_key is not None:
        yield f"- your key {settings.encryption_key}"
    log_groups = "log groups that AWS services create themselves"
    yield f"- {log_groups}, {METRICS_LOG} for one" if made and made.monitoring_seconds else f"- {log_groups}"
    yield "- what `make bootstrap` created in the account"


def leftovers(settings: EnvironmentSettings, aws: Aws, found: Found) -> Iterator[str]:
    """What still exists afterwards, line by line."""
    yield f"\nLeft of {settings.name}:"
    snapshots = _snapshots(settings, aws) if _made(settings) else ()
    lines = [*_stacks(settings, aws, found), *snapshots, *_log_groups(settings, aws, found)]
    yield from lines or ["nothing"]
    if isinstance(settings.database, AdoptedDatabaseSettings):
        yield from left_in_database.removal(settings, settings.database)
    yield f"\nNext: remove environments/{settings.name}.toml, unless you want to deploy it again, and `make snapshots`."


def _stacks(settings: EnvironmentSettings, aws: Aws, found: Found) -> Iterator[str]:
    for stack in aws.stacks(found.stacks).values():
        yield f"- the stack {sentence(stack, settings.region)}"


def _snapshots(settings: EnvironmentSettings, aws: Aws) -> Iterator[str]:
    pages = aws.client("rds").get_paginator("describe_db_snapshots")
    # A final one is among the manual ones; the automated ones go with the instance.
    # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_DeleteInstance.html
    for page in pages.paginate(DBInstanceIdentifier=names.database(settings.name), SnapshotType="manual"):
        for snapshot in page["DBSnapshots"]:
            yield f"- the snapshot {snapshot['DBSnapshotIdentifier']} ({snapshot['AllocatedStorage']} GB), billed"


def _log_groups(settings: EnvironmentSettings, aws: Aws, found: Found) -> Iterator[str]:
    """Those that AWS made, or made again because something still wrote after the stack's own was deleted."""
    made = _made(settings)
    functions = (names.MIGRATE, names.WATCH, *(job.name for job in settings.jobs))
    prefixes = (
        *(names.function_log(f"{stack}-") for stack in found.stacks),
        *(names.function_log(names.function(settings.name, each)) for each in functions),
        names.database_log(settings.name, ""),
        names.proxy_log(settings.name),
        *((METRICS_LOG,) if made and made.monitoring_seconds else ()),
    )
    pages = aws.client("logs").get_paginator("describe_log_groups")
    found_pages = (page for prefix in prefixes for page in pages.paginate(logGroupNamePrefix=prefix))
    groups = (group["logGroupName"] for page in found_pages for group in page["logGroups"])
    yield from (f"- the log group {group}" for group in dict.fromkeys(groups))
