"""What protects an environment, as a table: to turn one of these off is a danger that has to be accepted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from review.changes import Change, Difference
from review.schemas import Place
from review.templates import Resource

NONE = "none"
"""The property is missing."""


@dataclass(frozen=True, kw_only=True)
class Protection:
    """A property that protects, unless it has one of the values in `off`."""

    kind: str
    place: Place
    off: tuple[str, ...]
    """In lower case."""
    why: str


INSTANCE, PROXY, PARAMETERS = "AWS::RDS::DBInstance", "AWS::RDS::DBProxy", "AWS::RDS::DBParameterGroup"
BACKUP_DAYS, TLS = ("BackupRetentionPeriod",), ("Parameters", "require_secure_transport")

PROTECTIONS = (
    # In no template: templates.py makes it a property of the stack.
    Protection(
        kind="Stack", place=("TerminationProtection",), off=("false", NONE), why="one command deletes the stack"
    ),
    Protection(
        kind=INSTANCE, place=("DeletionProtection",), off=("false", NONE), why="one command deletes the database"
    ),
    Protection(kind=INSTANCE, place=("DeletionPolicy",), off=("delete",), why="no final snapshot of the data is kept"),
    Protection(
        kind=INSTANCE, place=("UpdateReplacePolicy",), off=("delete",), why="no final snapshot of the data is kept"
    ),
    # Without the property, RDS keeps them for a day.
    Protection(kind=INSTANCE, place=BACKUP_DAYS, off=("0",), why="RDS deletes the existing backups, too"),
    Protection(
        kind=INSTANCE,
        place=("AutomaticBackupReplicationRegion",),
        off=(NONE,),
        why="no backup is outside of the database's region any more",
    ),
    Protection(
        kind=INSTANCE, place=("MultiAZ",), off=("false", NONE), why="the database is unavailable while its zone is"
    ),
    Protection(kind=INSTANCE, place=("PubliclyAccessible",), off=("true",), why="the database gets a public address"),
    Protection(
        kind=INSTANCE, place=("StorageEncrypted",), off=("false", NONE), why="disks and snapshots are not encrypted"
    ),
    Protection(
        kind=PARAMETERS, place=TLS, off=("0", "off", NONE), why="passwords and data may cross the network unencrypted"
    ),
    Protection(kind="AWS::CloudWatch::Alarm", place=("ActionsEnabled",), off=("false",), why="it notifies nobody"),
    Protection(
        kind=INSTANCE,
        place=("ManageMasterUserPassword",),
        off=("false", NONE),
        why="the master password is no longer rotated",
    ),
    Protection(kind=PROXY, place=("RequireTLS",), off=("false", NONE), why="data may cross the network unencrypted"),
)
"""Defaults: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-rds-dbinstance.html,
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/mysql-ssl-connections.require-ssl.html"""


GUARDS = {
    "AWS::EC2::FlowLog": "network traffic is no longer recorded",
    "AWS::SNS::Subscription": "its subscriber is no longer notified",
    "Custom::VpcRestrictDefaultSG": "the VPC's default security group stays as it is, or is open again",
}
"""Resources whose only purpose is protection."""


def lost(change: Change) -> Iterator[str]:
    """The protections that `change` turns off, each as a sentence."""
    if change.how == "removed" and change.resource.kind in GUARDS:
        yield f"would be removed: {GUARDS[change.resource.kind]}"
    if change.before is None or change.after is None:
        return
    for each in PROTECTIONS:
        before, after = _value(change.before, each.place), _value(change.after, each.place)
        if each.kind == change.after.kind and _off(after, each) and not _off(before, each):
            yield f"{Difference(place=each.place, before=before, after=after).text}: {each.why}"


def _off(value: Any, protection: Protection) -> bool:
    return (NONE if value is None else str(value).lower()) in protection.off


def _value(resource: Resource, place: Place) -> Any:
    value: Any = {
        **resource.properties,
        "DeletionPolicy": resource.on_deletion,
        "UpdateReplacePolicy": resource.on_replacement,
    }
    for key in place:
        value = value.get(key) if isinstance(value, dict) else None
    return value
