"""What RDS would refuse of a database, or do to it silently: asked before a deploy, not found out in its middle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from delivery.assembly import Assembly
from delivery.aws import Aws, DeployedStack
from delivery.checks import never_made
from delivery.refusal import Refused
from settings import names
from settings.environment import EnvironmentSettings
from settings.storage import growth_mistake


def acceptable(
    settings: EnvironmentSettings, assembly: Assembly, aws: Aws, deployed: Mapping[str, DeployedStack]
) -> None:
    """Check that the storage of the instance can become what `assembly` says, or that a new one can be restored.

    Raises:
        Refused: it can't; all reasons are listed, each with what to do.
    """
    lines: list[str] = []
    for stack in assembly.names:
        wanted = _instance(assembly.template(stack), settings)
        if wanted is None:
            continue
        there = deployed.get(stack)
        if there is None or never_made(there):
            lines += _restore_mistakes(settings, wanted, aws)
        else:
            lines += _storage_mistakes(settings, wanted, _instance(aws.template(stack), settings), aws)
    if lines:
        where = f"environments/{settings.name}.toml"
        raise Refused("\n".join(f"{where}: {line}" for line in lines))


def _instance(template: Mapping[str, Any], settings: EnvironmentSettings) -> Mapping[str, Any] | None:
    """Return the properties of the environment's instance, if it is in this template."""
    for resource in template.get("Resources", {}).values():
        properties = resource.get("Properties", {})
        identifier = properties.get("DBInstanceIdentifier")
        if resource["Type"] == "AWS::RDS::DBInstance" and identifier == names.database(settings.name):
            return dict(properties)
    return None


def _storage_mistakes(
    settings: EnvironmentSettings, wanted: Mapping[str, Any], before: Mapping[str, Any] | None, aws: Aws
) -> Iterator[str]:
    # An unchanged template asks for no less than there is: storage that grew by itself stays.
    # https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-rds/pull/598
    if before is None or before["AllocatedStorage"] == wanted["AllocatedStorage"]:
        return
    name = names.database(settings.name)
    found = aws.instance(name)
    if found and (why := growth_mistake(found["AllocatedStorage"], int(wanted["AllocatedStorage"]))):
        yield (
            f"database.storage_gb = {wanted['AllocatedStorage']}: AWS will refuse, as {name} has "
            f"{found['AllocatedStorage']} GB now, and {why}"
        )


def _restore_mistakes(settings: EnvironmentSettings, wanted: Mapping[str, Any], aws: Aws) -> Iterator[str]:
    name = wanted.get("DBSnapshotIdentifier")
    if name is None:
        return
    key = f'database.snapshot = "{name}"'
    found = aws.snapshot(name)
    if found is None:
        yield (
            f"{key}: there is no such snapshot of an instance in {aws.region}: `aws rds describe-db-snapshots --region "
            f"{aws.region}` lists them"
        )
        return
    if found["Status"] != "available":
        yield f"{key}: it is {found['Status']}: `aws rds wait db-snapshot-available --db-snapshot-identifier {name}`"
    if found["Engine"] != wanted["Engine"]:
        yield f"{key}: it is of {found['Engine']}: write one of {wanted['Engine']}"
    elif why := _version_mistake(found["EngineVersion"], wanted["EngineVersion"]):
        yield f"{key}: it is of MySQL {found['EngineVersion']}, and {wanted['EngineVersion']} is deployed: {why}"
    copy = f"`aws rds copy-db-snapshot --source-db-snapshot-identifier {name} --target-db-snapshot-identifier NEW"
    if not found.get("Encrypted"):
        with_key = settings.encryption_key or "alias/aws/rds"
        yield (
            f"{key}: it is not encrypted, and the database would not be, for ever: copy it with a key, "
            f"{copy} --kms-key-id {with_key}`, and write the copy's name"
        )
    elif settings.encryption_key not in (None, found["KmsKeyId"]):
        yield (
            f"{key}: its key is {found['KmsKeyId']}, and the database would keep that instead of encryption_key: copy "
            f"it, {copy} --kms-key-id {settings.encryption_key}`, and write the copy's name"
        )
    if why := growth_mistake(found["AllocatedStorage"], int(wanted["AllocatedStorage"])):
        yield (
            f"database.storage_gb = {wanted['AllocatedStorage']}: AWS will refuse, as the snapshot has "
            f"{found['AllocatedStorage']} GB, and {why}"
        )


def _version_mistake(snapshot: str, deployed: str) -> str | None:
    """Return what to do about a snapshot of that version; None: it can be restored.

    RDS restores it with its own version, and CloudFormation then asks for the template's.
    """
    ours = _numbers(deployed)
    its = _numbers(snapshot)[: len(ours)]
    if its[:2] < ours[:2]:
        return f"upgrade it, `aws rds modify-db-snapshot --engine-version {deployed} --db-snapshot-identifier …`"
    if its > ours:
        return "RDS has no way back: take an engine with that version (docs/upgrade.md), or an older snapshot"
    return None


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]
