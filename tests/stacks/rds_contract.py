"""A small model of AWS::RDS::DBInstance: what AWS's handler and RDS do, and refuse, with what a template says.

Only what decides whether a sequence of deploys works, and only for MySQL on gp3. Each rule names its source: a class of
https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-rds (aws-rds-dbinstance, at 5a410e8), or the
documentation of the API. It is a reading of them, and no proof: nothing of it ran on AWS.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Properties = Mapping[str, Any]

CREATE_ONLY = {"DBInstanceIdentifier", "DBName", "DBSubnetGroupName", "KmsKeyId", "MasterUsername", "StorageEncrypted"}
"""createOnlyProperties of aws-rds-dbinstance.json, as far as a template here has them."""


class RefusedByAws(Exception):
    """What RDS or CloudFormation answers."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A snapshot, with what it brings along."""

    version: str
    storage: int


@dataclass(kw_only=True)
class Instance:
    """An instance, as RDS has it."""

    version: str
    storage: int
    protected: bool


class Rds:
    """RDS in one account and region, with CloudFormation's handler before it."""

    def __init__(self, *, default: str, snapshots: Mapping[str, Snapshot] = {}) -> None:
        """`default` is the minor version that RDS chooses for new instances."""
        self.default = default
        self.snapshots = dict(snapshots)
        self.instance: Instance | None = None

    def create(self, template: Properties) -> None:
        """CreateHandler: create, or restore and then modify."""
        if self.instance is not None:
            raise RefusedByAws("DBInstanceAlreadyExists")
        protected = template.get("DeletionProtection", False)
        storage = int(template["AllocatedStorage"])
        if "DBSnapshotIdentifier" not in template:
            self.instance = Instance(version=self._chosen(template), storage=storage, protected=protected)
            return
        # Translator.restoreDbInstanceFromSnapshotRequest has no engine version: it is the snapshot's.
        snapshot = self.snapshots[template["DBSnapshotIdentifier"]]
        self.instance = Instance(version=snapshot.version, storage=max(snapshot.storage, storage), protected=protected)
        # ResourceModelHelper.shouldUpdateAfterCreate, Translator.modifyDbInstanceAfterCreateRequest.
        if "EngineVersion" in template:
            self._upgrade(template["EngineVersion"])

    def update(self, before: Properties, after: Properties, *, rollback: bool = False) -> None:
        """UpdateHandler, after CloudFormation has looked for what it can't change in place."""
        instance = self._existing()
        # With a fixed name: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
        if replaced := {name for name in CREATE_ONLY if before.get(name) != after.get(name)}:
            raise RefusedByAws(f"CloudFormation cannot update a stack when a custom-named resource {replaced}")
        # ImmutabilityHelper.isDBSnapshotIdentifierMutable: it may be removed.
        if after.get("DBSnapshotIdentifier") not in (None, before.get("DBSnapshotIdentifier")):
            raise RefusedByAws("NotUpdatable: Resource is immutable")
        # Translator.modifyDbInstanceRequest: what differs between the templates; in a rollback no version, and of
        # storage the most that any of the two templates and the instance has.
        if not rollback and before.get("EngineVersion") != after.get("EngineVersion"):
            self._upgrade(after["EngineVersion"])
        old, new = int(before["AllocatedStorage"]), int(after["AllocatedStorage"])
        if rollback:
            self._grow(max(old, new, instance.storage))
        elif old != new:
            self._grow(new)
        else:
            self._grow(max(instance.storage, new))
        instance.protected = after.get("DeletionProtection", False)

    def delete(self) -> None:
        """DeleteHandler: it calls DeleteDBInstance, and lifts no protection."""
        if self._existing().protected:
            raise RefusedByAws("Cannot delete protected DB Instance")
        self.instance = None

    def drift(self, template: Properties) -> set[str]:
        """The properties that drifted: propertyTransform of aws-rds-dbinstance.json, DriftDetector."""
        instance = self._existing()
        drifted = set()
        if not re.fullmatch(f"{template['EngineVersion']}.*", instance.version):
            drifted.add("EngineVersion")
        if template.get("DeletionProtection", False) != instance.protected:
            drifted.add("DeletionProtection")
        return drifted

    def apply_minor_version(self, version: str) -> None:
        """What AutoMinorVersionUpgrade does in a maintenance window."""
        self._existing().version = self.default = version

    def _existing(self) -> Instance:
        if self.instance is None:
            raise RefusedByAws("DBInstanceNotFound")
        return self.instance

    def _chosen(self, template: Properties) -> str:
        version: str = template["EngineVersion"]
        return self.default if self.default.startswith(f"{version}.") else version

    def _upgrade(self, version: str) -> None:
        """ModifyDBInstance, EngineVersion: a major version means the default minor one, if the present one is lower.

        https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html
        """
        instance = self._existing()
        if _numbers(version) == _numbers(instance.version)[:2]:
            instance.version = max(instance.version, self.default, key=_numbers)
        elif _numbers(version) < _numbers(instance.version):
            # https://github.com/thunderbird/appointment/pull/725
            raise RefusedByAws(
                f"InvalidParameterCombination: Cannot upgrade mysql from {instance.version} to {version}"
            )
        else:
            instance.version = version

    def _grow(self, storage: int) -> None:
        instance = self._existing()
        if storage == instance.storage:
            return
        # https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1312
        if storage * 10 < instance.storage * 11:
            raise RefusedByAws("InvalidParameterCombination: Invalid storage size for engine name mysql")
        instance.storage = storage


def _numbers(version: str) -> list[int]:
    return [int(each) for each in version.split(".")]
